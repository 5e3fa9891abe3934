"""How soon nothing is written any more: `failoverctl pause --all`, from the keystroke, beside a daemon at work.

    bench/pausing.py                              1,000 policies, about 5 minutes; prints the tables
    bench/pausing.py --write docs/performance.md  and its part of the page
    bench/pausing.py --only pause --policies 100 --rounds 5 --output json

Some of the policies move traffic all the time. failoverd runs on one CPU; nginx and `failoverctl` run on another.
Needs nginx, which `make bench` installs, and two CPUs. Everything runs in a network namespace of its own; without root
that takes unprivileged user namespaces.

Exit status: 0 every goal is reached, 1 one is missed or the experiment failed, 2 usage.
"""

import argparse
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from bench.arguments import number, parser  # noqa: E402 - a script finds its neighbours only after the line above
from bench.isolation import isolated  # noqa: E402 - the same

WORDS = ("pause", "hold", "drain", "drain-all")
"""What may be measured."""


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line: `policies`, `only`, `rounds`, `output` and `write`."""
    found = parser("bench/pausing.py", __doc__ or "")
    found.add_argument("--policies", type=number(20, 10_000), default=1_000, help="how many there are (1000)")
    found.add_argument("--only", choices=WORDS, action="append", help="this word; may be given again")
    found.add_argument("--rounds", type=number(1, 100), default=7, help="how often each word is given (7)")
    return found.parse_args(arguments)


def main() -> None:
    """Check the command line, then go on as `bench.pausing_session` in a network namespace of its own."""
    options(sys.argv[1:])
    isolated("bench.pausing_session", sys.argv[1:])


if __name__ == "__main__":
    main()
