"""The tables of urgent words, and their part of `docs/performance.md`, as Markdown."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.circumstances import Circumstances
from bench.figures import Goal
from bench.pausing_run import MOVING, PAUSE, PERIOD, Estate, Found
from bench.report import goals_table, table

_MOST = 0.200
"""Seconds from the keystroke until nothing is written any more."""


@dataclass(frozen=True)
class PausingRun:
    """One run: what was measured, and on what."""

    found: Estate
    at: Circumstances


def goals(run: PausingRun) -> list[Goal]:
    """What was aimed at: of the word that stops everything."""
    found = next((each for each in run.found.words if each.verb is PAUSE), None)
    if found is None:
        return []
    what = f"{run.found.policies:,} policies: `failoverctl {found.verb.name}`"
    heeded, late = found.median("heeded"), sum(each.late for each in found.rounds)
    return [
        Goal(f"{what} is heeded in at most {_MOST * 1000:.0f} ms", f"{_millis(heeded)} ms", heeded <= _MOST),
        Goal(f"{what}: no write is begun after it is heeded", f"{late}", late == 0),
    ]


def as_json(run: PausingRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds."""
    return {"at": asdict(run.at), **asdict(run.found), "goals": [asdict(goal) for goal in goals(run)]}


def tables(run: PausingRun) -> str:
    """The words, and the goals, as Markdown."""
    return f"{_words(run.found)}\n\n{goals_table(goals(run))}"


def _words(found: Estate) -> str:
    head = ["`failoverctl`", "asked after, ms", "heeded", "of each round", "shown", "ended", "a probe late by, ms"]
    rows = [
        [
            each.verb.name,
            _millis(statistics.median(each.asked)),
            _millis(each.median("heeded")),
            ", ".join(_millis(said.heeded) for said in each.rounds),
            _millis(each.median("shown")),
            _millis(each.median("ended")),
            _bound(each),
        ]
        for each in found.words
    ]
    return table(head, rows)


def _bound(found: Found) -> str:
    return "∞" if math.isinf(found.lag) else f"≤ {found.lag * 1000:g}"


def _millis(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def _middle(values: Sequence[float]) -> str:
    return _millis(statistics.median(values))


def part(run: PausingRun) -> str:
    """Its part of docs/performance.md."""
    found = run.found
    return f"""\
# How soon a word stops everything

One `failoverd run` with {found.policies:,} policies on one CPU; `failoverctl` on another, beside the nginx worker that
answers the probes. In {MOVING} of the policies the first region fails and comes back every {PERIOD:g} s, and traffic
follows it: {found.moves:.1f} changes a second.

## What is timed

Each word is given {len(found.words[0].rounds)} times, as a process of its own, and timed from the start of that.
The figures are medians.

- **Asked**: until the first question of `failoverctl` has come to a socket: Python itself (which takes
  {_middle(found.bare)} ms to begin and end), imports, reading the configuration.
- **Heeded**: until the daemon has told in its log that it heeds the word; no write that it forbids is begun after
  that, and the journal is asked whether one was. What is more than *asked* is the daemon's: who asks, whether that was
  asked before, and the word.
- **Shown**: until `failoverctl` shows what came of it; **ended**: until it is at its end.
- **A probe late by**: the longest time, in all of these rounds, after which a probe was started too late.

## The run of the words

{run.at.in_words()}

{_words(found)}

{goals_table(goals(run))}

`bench/pausing.py --help` says how to measure with fewer policies.
"""
