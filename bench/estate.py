"""Many policies: how long a start takes, what one edited file costs, and how soon `failoverctl status` answers.

    bench/estate.py                              three sizes, about 6 minutes; prints the tables
    bench/estate.py --write docs/performance.md  and its part of the page
    bench/estate.py --only 1000 --output json

10, 100 and 1,000 policies of ten endpoints each. failoverd runs on one CPU; nginx and `failoverctl` run on another.
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

SIZES = {"10": (10, 10), "100": (100, 10), "1000": (1_000, 10), "10000": (10_000, 60)}
"""Policies, and seconds between two probes of one endpoint."""

USUAL = ("10", "100", "1000")
"""What is measured unless `--only` says otherwise."""


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line: `only`, `edits`, `settle`, `output` and `write`."""
    found = parser("bench/estate.py", __doc__ or "")
    found.add_argument("--edits", type=number(1, 100), default=5, help="how many files are edited, one by one (5)")
    found.add_argument("--settle", type=number(0, 600), default=15, help="seconds before the first edit (15)")
    found.add_argument("--only", choices=tuple(SIZES), action="append", help="this size; may be given again")
    return found.parse_args(arguments)


def main() -> None:
    """Check the command line, then go on as `bench.estate_session` in a network namespace of its own."""
    options(sys.argv[1:])
    isolated("bench.estate_session", sys.argv[1:])


if __name__ == "__main__":
    main()
