"""Three members beside one alone: how soon traffic leaves, who takes over when, and what it costs.

    bench/members.py                              about 40 minutes; prints the tables
    bench/members.py --write docs/performance.md  and its part of the page
    bench/members.py --only beside --rounds 1 --faults 2 --output json

Three parts. `beside`: a region is killed, under one member alone and under three with three members of etcd, by turns.
`takeover`: what becomes of the leader, with a lease of 20 s and of 5 s; once more together with a region. `cost`:
processor time and etcd's writes at 1,000 policies of ten endpoints, while all is well and while a region fails.

Needs BIND, etcd, nginx and nftables, which `make bench` installs. Everything runs in a network namespace of its own;
without root that takes unprivileged user namespaces.

Exit status: 0 every goal is reached, 1 one is missed or the experiment failed, 2 usage.
"""

import argparse
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from bench.arguments import number, parser  # noqa: E402 - a script finds its neighbours only after the line above
from bench.isolation import isolated  # noqa: E402 - the same

PARTS = ("beside", "takeover", "cost")
"""What may be measured."""

LEASES = (20, 5)
"""Seconds: the default, and the shortest that a configuration may say."""


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line: how much of each part is measured, `seed`, `output` and `write`."""
    found = parser("bench/members.py", __doc__ or "")
    found.add_argument("--only", choices=PARTS, action="append", help="this part; may be given again")
    found.add_argument("--rounds", type=number(1, 100), default=3, help="beside: how often each is started anew (3)")
    found.add_argument("--faults", type=number(1, 100), default=8, help="beside: faults in each of these (8)")
    found.add_argument("--times", type=number(1, 100), default=4, help="takeover: how often each kind is done (4)")
    found.add_argument("--policies", type=number(10, 10_000), default=1_000, help="cost: policies of ten (1000)")
    found.add_argument("--every", type=number(1, 3_600), default=30, help="cost: seconds between probes of one (30)")
    found.add_argument("--seconds", type=number(5, 3_600), default=60, help="cost: how long it is watched (60)")
    found.add_argument("--within", type=number(1, 3_600), default=45, help="minutes until it is called failed (45)")
    found.add_argument("--seed", type=int, default=1, help="decides the moments of the faults (1)")
    return found.parse_args(arguments)


def main() -> None:
    """Check the command line, then go on as `bench.members_session` in a network namespace of its own."""
    options(sys.argv[1:])
    isolated("bench.members_session", sys.argv[1:])


if __name__ == "__main__":
    main()
