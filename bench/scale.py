"""Many endpoints on one core: how late probes start, what they cost, and whether memory stays where it is.

    bench/scale.py                              five runs, about 27 minutes; prints the tables
    bench/scale.py --write docs/performance.md  and its part of the page
    bench/scale.py --only 10000/5s --seconds 60 --output json

failoverd runs on one CPU and nginx on another: 10,000 endpoints every 5 s for 5 minutes, then 1,000 and 30,000 at as
many probes a second, and at the same interval. Needs nginx, which `make bench` installs, and two CPUs. Everything runs
in a network namespace of its own; without root that takes unprivileged user namespaces.

Exit status: 0 every goal is reached, 1 one is missed or the experiment failed, 2 usage.
"""

import argparse
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from bench.arguments import number, parser  # noqa: E402 - a script finds its neighbours only after the line above
from bench.isolation import isolated  # noqa: E402 - the same

SIZES = {
    "10000/5s": (10_000, 5.0),
    "1000/500ms": (1_000, 0.5),
    "30000/15s": (30_000, 15.0),
    "1000/5s": (1_000, 5.0),
    "30000/5s": (30_000, 5.0),
}
"""Endpoints, and seconds between two probes of one."""


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line: `seconds`, `others`, `only`, `output` and `write`."""
    found = parser("bench/scale.py", __doc__ or "")
    found.add_argument("--seconds", type=number(10, 86_400), default=300, help="how long 10000/5s is watched (300)")
    found.add_argument("--others", type=number(10, 86_400), default=120, help="how long each of the others is (120)")
    found.add_argument("--settle", type=number(0, 600), default=90, help="seconds before each (90)")
    found.add_argument("--only", choices=tuple(SIZES), action="append", help="this run; may be given again")
    return found.parse_args(arguments)


def main() -> None:
    """Check the command line, then go on as `bench.scale_session` in a network namespace of its own."""
    options(sys.argv[1:])
    isolated("bench.scale_session", sys.argv[1:])


if __name__ == "__main__":
    main()
