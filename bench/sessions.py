"""What benchmarks do alike inside their network namespace: measure, print, write, say which goals were missed."""

import json
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from bench.figures import Goal
from bench.isolation import bring_loopback_up
from bench.pages import replace
from bench.processes import allow_many_files


@dataclass(frozen=True)
class Findings:
    """What came of a run: to print, to write into the page, and whether the goals are reached."""

    tables: str
    part: str
    raw: Mapping[str, Any]
    goals: Iterable[Goal]


def hold(author: str, chosen: Namespace, measure: Callable[[], Findings], *, within: float = 0.0) -> NoReturn:
    """Run a benchmark and leave, with the status that it says: 0, or 1 when a goal is missed or it failed.

    `author` is the script that writes this part of the page. After `within` seconds it failed; 0: it may take any time.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        _leave_at(number, "stopped; everything that was started has ended")
    _leave_at(signal.SIGALRM, f"the benchmark failed: it did not end within {within / 60:g} minutes")
    signal.setitimer(signal.ITIMER_REAL, within)
    try:
        bring_loopback_up()
        allow_many_files()
        findings = measure()
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    except FileNotFoundError as error:
        sys.exit(f"the benchmark failed: {error}; make bench installs what it needs")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        sys.exit(f"the benchmark failed: {error}")
    print(json.dumps(findings.raw, indent=2) if chosen.output == "json" else findings.tables)
    if chosen.write is not None:
        replace(chosen.write, author, findings.part)
        tell(f"wrote {chosen.write}")
    missed = [goal for goal in findings.goals if not goal.reached]
    for goal in missed:
        tell(f"goal missed: {goal.text}: {goal.found}")
    sys.exit(1 if any(goal.binding for goal in missed) else 0)


def _leave_at(number: signal.Signals, words: str) -> None:
    """Unwind, so that everything that was started ends, whoever asks for that once more meanwhile."""

    def leave(*_: object) -> NoReturn:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(each, signal.SIG_IGN)
        sys.exit(words)

    signal.signal(number, leave)


def tell(line: str) -> None:
    """Say how far it is."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
