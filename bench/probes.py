"""What a probe costs: user and system CPU of failoverd, beside HAProxy, gdnsd and blackbox_exporter.

    bench/probes.py                              three windows of 20 s for each, about 16 minutes; prints the tables
    bench/probes.py --write docs/performance.md  and its part of the page
    bench/probes.py --endpoints 200 --seconds 5 --windows 1 --only HTTP --output json

1,000 loopback endpoints, served by nginx on a CPU of its own, are probed once a second over a new connection each. The
contenders take turns, so that whatever else the machine does hits all alike. Needs nginx, HAProxy, gdnsd and
blackbox_exporter, which `make bench` installs, and two CPUs. Everything runs in a network namespace of its own; without
root that takes unprivileged user namespaces.

Exit status: 0 every goal is reached, 1 one is missed or the experiment failed, 2 usage.
"""

import argparse
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from bench.arguments import number, parser  # noqa: E402 - a script finds its neighbours only after the line above
from bench.isolation import isolated  # noqa: E402 - the same

KINDS = ("HTTP", "HTTPS", "RESUMED")
"""Names of `bench.watchers.Kind`, which this may not import before it is in its namespace."""


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line: `endpoints`, `every`, `seconds`, `settle`, `windows`, `only`, `output` and `write`."""
    found = parser("bench/probes.py", __doc__ or "")
    found.add_argument("--endpoints", type=number(1, 10_000), default=1_000, help="how many are probed (1000)")
    found.add_argument("--every", type=number(1, 60), default=1, help="seconds between probes of one endpoint (1)")
    found.add_argument("--seconds", type=number(1, 600), default=20, help="how long a window is (20)")
    found.add_argument("--settle", type=number(0, 600), default=10, help="seconds before each window (10)")
    found.add_argument("--windows", type=number(1, 100), default=3, help="how many for each contender (3)")
    found.add_argument("--only", choices=KINDS, action="append", help="this kind of probe; may be given again")
    return found.parse_args(arguments)


def main() -> None:
    """Check the command line, then go on as `bench.probes_session` in a network namespace of its own."""
    options(sys.argv[1:])
    isolated("bench.probes_session", sys.argv[1:])


if __name__ == "__main__":
    main()
