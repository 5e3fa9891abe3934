"""Time from a fault to the changed answer: failoverd at its embedded server and at BIND, beside gdnsd.

    bench/failover.py                              30 faults, about 8 minutes; prints the table
    bench/failover.py --write docs/performance.md  and its part of the page
    bench/failover.py --faults 4 --output json     a short look, with the raw samples

Needs BIND, gdnsd and nftables, which `make bench` installs. Everything runs in a network namespace of its own, so
nothing of the host's network is touched; without root that takes unprivileged user namespaces.

Exit status: 0 every goal is reached, 1 one is missed or the experiment failed, 2 usage.
"""

import argparse
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from bench.isolation import isolated  # noqa: E402 - a script finds its neighbours only after the line above

_DEFAULT_FAULTS = 30
_FEWEST_FAULTS, _MOST_FAULTS = 2, 1_000


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line: `faults`, `seed`, `output` and `write`."""
    what, _, usage = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="bench/failover.py",
        description=what,
        epilog=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--faults", type=_faults, default=_DEFAULT_FAULTS, help="how many, half of each kind (30)")
    parser.add_argument("--seed", type=int, default=1, help="decides the order and the moments of the faults (1)")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="json prints every sample")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write its part of docs/performance.md")
    return parser.parse_args(arguments)


def _faults(text: str) -> int:
    if not text.isdigit() or not _FEWEST_FAULTS <= int(text) <= _MOST_FAULTS:
        raise argparse.ArgumentTypeError(f"{text} is no number from {_FEWEST_FAULTS} to {_MOST_FAULTS}")
    return int(text)


def main() -> None:
    """Check the command line, then go on as `bench.session` in a network namespace of its own."""
    options(sys.argv[1:])
    isolated("bench.session", sys.argv[1:])


if __name__ == "__main__":
    main()
