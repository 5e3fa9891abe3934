"""The table of who listens, and its part of `docs/performance.md`, as Markdown."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.circumstances import Circumstances
from bench.figures import Goal
from bench.page_run import Found
from bench.report import goals_table, table

_MOST = 0.10
"""By which part a failover may take longer while they listen."""


@dataclass(frozen=True)
class PageRun:
    """One run: what was measured, and on what."""

    found: Found
    at: Circumstances


def goals(run: PageRun) -> list[Goal]:
    """What was aimed at."""
    found = run.found
    what = f"{found.policies:,} policies, {found.listeners} listen: from the fault to the answer within {_MOST:.0%}"
    return [Goal(f"{what} of the undisturbed run", f"{found.slower:+.1%}", found.slower <= _MOST)]


def as_json(run: PageRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds."""
    return {"at": asdict(run.at), **asdict(run.found), "goals": [asdict(goal) for goal in goals(run)]}


def tables(run: PageRun) -> str:
    """What was found, and the goals, as Markdown."""
    return f"{_found(run.found)}\n\n{goals_table(goals(run))}"


def _found(found: Found) -> str:
    rows = [
        ["nobody", *_row(found.alone), f"{found.cpu_alone:.0%}"],
        [f"{found.listeners} listen", *_row(found.watched), f"{found.cpu_watched:.0%}"],
    ]
    return table(["who looks", "fault to answer, s, median", "longest", "of each round", "of a CPU at rest"], rows)


def _row(rounds: Sequence[float]) -> list[str]:
    each = ", ".join(f"{took:.2f}" for took in rounds)
    return [f"{statistics.median(rounds):.3f}", f"{max(rounds):.3f}", each]


def part(run: PageRun) -> str:
    """Its part of docs/performance.md."""
    found = run.found
    return f"""\
# What it costs to be looked at

One `failoverd run` with {found.policies:,} policies on one CPU; nginx, {found.listeners} connections that listen at
`/v1/events`, and who asks the DNS on another. One region answers with errors from one moment on,
{len(found.alone)} times while nobody looks and, by turns, {len(found.watched)} times while they listen; each fault
begins right after a probe that passed. Timed is from there until the embedded server answers with the other region.

{run.at.in_words()}

{_found(found)}

{goals_table(goals(run))}

`bench/page.py --help` says how to measure with fewer of either.
"""
