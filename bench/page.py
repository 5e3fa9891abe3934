"""Whether who looks costs those who are looked after: from a fault to the changed answer, while 200 browsers listen.

    bench/page.py                              1,000 policies, about 4 minutes; prints the tables
    bench/page.py --write docs/performance.md  and its part of the page
    bench/page.py --policies 100 --rounds 5 --output json

failoverd runs on one CPU; nginx, whoever listens, and who asks the DNS run on another. Needs nginx, which `make bench`
installs, and two CPUs. Everything runs in a network namespace of its own; without root that takes unprivileged user
namespaces.

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
    """Parse the command line: `policies`, `listeners`, `rounds`, `output` and `write`."""
    found = parser("bench/page.py", __doc__ or "")
    found.add_argument("--policies", type=number(1, 10_000), default=1_000, help="how many there are (1000)")
    found.add_argument("--listeners", type=number(1, 256), default=200, help="how many listen (200)")
    found.add_argument("--rounds", type=number(1, 100), default=15, help="faults with them, and as many without (15)")
    return found.parse_args(arguments)


def main() -> None:
    """Check the command line, then go on as `bench.page_session` in a network namespace of its own."""
    options(sys.argv[1:])
    isolated("bench.page_session", sys.argv[1:])


if __name__ == "__main__":
    main()
