"""How long a simulated day takes, with a handful of incidents in it.

    bench/day.py                              about a quarter of a minute; prints the tables
    bench/day.py --write docs/performance.md  and its part of the page
    bench/day.py --rounds 10 --output json

Everything is played in this process, without probes, DNS and files, on the processor time of its own.

Exit status: 0 every goal is reached, 1 one is missed or the experiment failed, 2 usage.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests")]

from bench.arguments import number, parser  # noqa: E402 - a script finds its neighbours only after the line above
from bench.circumstances import Circumstances  # noqa: E402 - the same
from bench.day_report import DayRun, as_json, goals, part, tables  # noqa: E402 - the same
from bench.day_run import measure  # noqa: E402 - the same
from bench.pages import replace  # noqa: E402 - the same

_AUTHOR = "bench/day.py"


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line: `rounds`, `output` and `write`."""
    found = parser(_AUTHOR, __doc__ or "")
    found.add_argument("--rounds", type=number(1, 100), default=3, help="days, of which the fastest counts (3)")
    return found.parse_args(arguments)


def main() -> None:
    chosen = options(sys.argv[1:])
    began, load = time.time(), os.getloadavg()[0]
    found = measure(chosen.rounds, lambda line: print(line, file=sys.stderr, flush=True))
    run = DayRun(found, Circumstances.of([_AUTHOR, *sys.argv[1:]], (), began=began, load=load))
    print(json.dumps(as_json(run), indent=2) if chosen.output == "json" else tables(run))
    if chosen.write is not None:
        replace(chosen.write, _AUTHOR, part(run))
    missed = [goal for goal in goals(run) if not goal.reached]
    for goal in missed:
        print(f"goal missed: {goal.text}: {goal.found}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
