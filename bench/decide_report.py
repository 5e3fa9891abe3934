"""The tables of decisions, and their part of `docs/performance.md`, as Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.circumstances import Circumstances
from bench.decide_run import ENDPOINTS, REGIONS, Size
from bench.figures import Goal
from bench.report import goals_table, table

_JUDGED = 1_000
_ALONE = 0.002
_SHARED = 0.020
_REGION = 0.020
_WHOLE = 1.0
_STORM = 2.0


@dataclass(frozen=True)
class DecideRun:
    """One run: what was measured, and on what."""

    found: Sequence[Size]
    at: Circumstances


def goals(run: DecideRun) -> list[Goal]:
    """What was aimed at, for the size that is judged."""
    return [goal for each in run.found if each.policies == _JUDGED for goal in _goals(each)]


def _goals(found: Size) -> Iterator[Goal]:
    for text, most, measured in (
        ("one changed endpoint without a shared capacity", _ALONE, found.alone),
        ("one changed endpoint with one", _SHARED, found.shared),
        ("a changed region that all share", _REGION, found.region),
        ("all regions shared out anew where nothing fits", _REGION, found.full),
        ("a full pass", _WHOLE, found.whole),
        ("sharing out while a region fails under all of them", _STORM, found.settled),
    ):
        words = f"{found.policies:,} policies: {text} in at most {_millis(most)} ms"
        yield Goal(words, f"{_millis(measured)} ms", measured <= most)


def as_json(run: DecideRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds."""
    return {
        "at": asdict(run.at),
        "sizes": [asdict(each) for each in run.found],
        "goals": [asdict(goal) for goal in goals(run)],
    }


def tables(run: DecideRun) -> str:
    """The growth, and the goals, as Markdown."""
    return f"{_growth(run)}\n\n{goals_table(goals(run))}"


def _growth(run: DecideRun) -> str:
    head = ["policies", "one endpoint, not shared", "shared", "one region of all", "all full", "full pass", "storm"]
    head.append("its sharing")
    rows = [
        [
            f"{each.policies:,}",
            *map(_millis, (each.alone, each.shared, each.region, each.full, each.whole, each.storm, each.settled)),
        ]
        for each in run.found
    ]
    return table([head[0], *(f"{name}, ms" for name in head[1:])], rows)


def _millis(seconds: float) -> str:
    return f"{seconds * 1000:.3g}" if seconds < 1 else f"{seconds * 1000:.0f}"


def part(run: DecideRun) -> str:
    """Its part of docs/performance.md."""
    return f"""\
# What a decision costs

In one process, without probes, DNS and files, in milliseconds of processor time. Python's collector of cycles is held
back as in the daemon.

## What is decided

Policies of {REGIONS} regions with {ENDPOINTS} endpoints each, in three tiers. Each is decided in whole: what it claims
of the regions, what the others leave of them, and `evaluate`.

- **One endpoint** of one policy fails: the decision of that policy, and whatever sharing that brings about. Not shared:
  no region has a capacity. Shared: all policies share all regions.
- **One region of all**: it is at half of its room for all policies, and changes once more for one of them.
- **All full**: all of what the policies claim is shared out anew, where nothing fits and no two neighbours draw alike.
- **Full pass**: each policy is decided once.
- **Storm**: the regions have 5 % more room than is needed, and one of them fails. The verdicts of all policies come one
  after the other, and each is decided upon at once. Without the region nothing fits, so all the others are full.
  **Its sharing** is the part that is spent on what policies leave each other, with making their claims.

## The run of the decisions

{run.at.in_words()}

{_growth(run)}

{goals_table(goals(run))}

`bench/decide.py --help` says how to measure fewer policies.
"""
