"""A region fails under 1,000 records of one zone: calls and seconds until all are changed, at each provider.

    bench/providers.py                              every provider, about 20 minutes; prints the tables
    bench/providers.py --write docs/performance.md  and its part of the page
    bench/providers.py --only route53 --records 100 --output json

The daemon runs as it does in production, against local clouds that keep the documented rates, and real DNS servers,
which `make bench` installs. Beside what it needed stands the least that the documented limits allow. Also: its memory,
how long `failoverctl --help` takes, and that no cloud's SDK is imported unless configured. Everything runs in a network
namespace of its own, so nothing can leave the machine; without root that takes unprivileged user namespaces.

Exit status: 0 every goal is reached, 1 one is missed or an experiment failed, 2 usage.
"""

import argparse
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from bench.isolation import isolated  # noqa: E402 - a script finds its neighbours only after the line above

KINDS = (
    "route53",
    "azure_dns",
    "azure_traffic_manager",
    "oci_dns",
    "oci_steering",
    "rfc2136",
    "powerdns",
)

_DEFAULT_RECORDS = 1_000
_MOST_RECORDS = 2_000


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line: `records`, `only`, `output` and `write`."""
    what, _, usage = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="bench/providers.py",
        description=what,
        epilog=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--records", type=_records, default=_DEFAULT_RECORDS, help="how many, in one zone (1000)")
    parser.add_argument("--only", choices=KINDS, action="append", help="this provider; may be given again")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="json prints every call")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write its part of docs/performance.md")
    return parser.parse_args(arguments)


def _records(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= _MOST_RECORDS:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to {_MOST_RECORDS}")
    return int(text)


def main() -> None:
    """Check the command line, then go on as `bench.provider_session` in a network namespace of its own."""
    options(sys.argv[1:])
    isolated("bench.provider_session", sys.argv[1:])


if __name__ == "__main__":
    main()
