"""The table of simulated days, and its part of `docs/performance.md`, as Markdown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.circumstances import Circumstances
from bench.day_run import ENDPOINTS, HOURS, POLICIES, REGIONS, PlayedDay
from bench.figures import Goal
from bench.report import goals_table, table

MOST = 5.0
"""Seconds that a day may take."""

_EACH = POLICIES * len(REGIONS) * ENDPOINTS
_SITE = f"{POLICIES} policies of {len(REGIONS)} regions, with {ENDPOINTS} endpoints each, {_EACH} in all"


@dataclass(frozen=True)
class DayRun:
    """One run: what was measured, and on what."""

    found: Sequence[PlayedDay]
    at: Circumstances


def goals(run: DayRun) -> list[Goal]:
    """What was aimed at."""
    return [
        Goal(
            f"{HOURS} hours of {_EACH} endpoints with a tick of {each.tick:g} s in at most {MOST:g} s",
            f"{each.took:.1f} s",
            each.took <= MOST,
        )
        for each in run.found
    ]


def as_json(run: DayRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds."""
    return {
        "at": asdict(run.at),
        "days": [asdict(each) for each in run.found],
        "goals": [asdict(goal) for goal in goals(run)],
    }


def tables(run: DayRun) -> str:
    """The days, and the goals, as Markdown."""
    return f"{_days(run)}\n\n{goals_table(goals(run))}"


def _days(run: DayRun) -> str:
    rows = [
        [f"{each.tick:g} s", f"{each.took:.2f}", str(each.failed), str(each.writes), str(each.events)]
        for each in run.found
    ]
    return table(["tick", "a day takes, s", "regions that failed", "writes", "events"], rows)


def part(run: DayRun) -> str:
    """Its part of docs/performance.md."""
    return f"""\
# How long a simulated day takes

The daemon itself on a virtual clock, with endpoints and DNS on paper, as `failoverctl test` plays it. In seconds of
processor time, in one process, the fastest of several days.

## What is played

{_SITE}, probed every 10 s. In {HOURS}
hours, after the first two, all endpoints of one region drop what they get for half an hour, and the region comes back
by a ramp. Then an endpoint flaps until it is kept out for that. Then an operator drains a region of one policy for four
hours.

Time in which every probe comes to the same as the one before, and every look at a record decides the same, is leapt
over. Nothing differs by that: the same events, decisions and changes come at the same times.

## The run of the days

{run.at.in_words()}

{_days(run)}

{goals_table(goals(run))}
"""
