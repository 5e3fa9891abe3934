"""How soon a region in trouble is called down: failoverd in four variants, HAProxy with `fastinter`, and gdnsd.

    bench/detection.py                              40 real faults of each kind, about 12 minutes; prints the tables
    bench/detection.py --write docs/performance.md  and its part of the page
    bench/detection.py --faults 4 --span 30 --rehearsed 50 --hours 1 --output json

Interval 10 s, 3 failures, a region of 8 endpoints; the process is killed, packets are silently dropped, 30 % of the
answers are errors, or answers come too late. Every region has a fault of its own, at a random moment, and all detectors
watch it. Then the same on a virtual clock, for a thousand faults of each kind, and 24 hours with 1 % of random loss.
Needs HAProxy, gdnsd and nftables, which `make bench` installs. Everything runs in a network namespace of its own;
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


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line: `faults`, `span`, `patience`, `rehearsed`, `hours`, `seed`, `output` and `write`."""
    found = parser("bench/detection.py", __doc__ or "")
    found.add_argument("--faults", type=number(1, 60), default=40, help="real ones of each kind (40)")
    found.add_argument("--span", type=number(1, 3_600), default=240, help="seconds in which they strike (240)")
    found.add_argument("--patience", type=number(5, 600), default=60, help="seconds that each verdict may take (60)")
    found.add_argument("--rehearsed", type=number(1, 100_000), default=1_000, help="simulated ones of each kind (1000)")
    found.add_argument("--hours", type=number(1, 1_000), default=24, help="simulated hours of random loss (24)")
    found.add_argument("--seed", type=int, default=1, help="decides the moments of the faults, and the losses (1)")
    return found.parse_args(arguments)


def main() -> None:
    """Check the command line, then go on as `bench.detection_session` in a network namespace of its own."""
    options(sys.argv[1:])
    isolated("bench.detection_session", sys.argv[1:])


if __name__ == "__main__":
    main()
