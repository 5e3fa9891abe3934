"""The tables of the estate, and their part of `docs/performance.md`, as Markdown."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.circumstances import Circumstances
from bench.estate_run import PER_POLICY, Found
from bench.figures import Goal
from bench.report import goals_table, table

_JUDGED = 1_000
_LARGEST = 10_000
_MOST_LAG = 0.050
_MOST_CPU = 0.100
_MOST_TAKEN_UP = 2.5
_MOST_START = {_JUDGED: 5.0, _LARGEST: 40.0}
_MOST_STATUS = {_JUDGED: 0.5, _LARGEST: 1.0}


@dataclass(frozen=True)
class EstateRun:
    """One run: what was measured, and on what."""

    found: Sequence[Found]
    at: Circumstances


def goals(run: EstateRun) -> list[Goal]:
    """What was aimed at, for whatever was measured."""
    return [goal for each in run.found for goal in _goals(each)]


def _goals(found: Found) -> Iterator[Goal]:
    policies = found.estate.policies
    if policies not in _MOST_START:
        return
    what, start, status = f"{policies:,} policies", _MOST_START[policies], _MOST_STATUS[policies]
    yield Goal(f"{what}: all probed within {start:g} s of the start", f"{found.met:.1f} s", found.met <= start)
    yield Goal(
        f"{what}: `failoverctl status` in at most {status:g} s", f"{found.asked.text:.2f} s", found.asked.text <= status
    )
    if policies != _JUDGED:
        return
    lag = found.lag.percentile(99)
    yield Goal(
        f"{what}: an edited file costs at most {_MOST_CPU * 1000:.0f} ms of CPU",
        f"{found.edit_cpu * 1000:.0f} ms",
        found.edit_cpu <= _MOST_CPU,
    )
    yield Goal(
        f"{what}: it is taken up within {_MOST_TAKEN_UP:g} s",
        f"{found.taken_up:.2f} s",
        found.taken_up <= _MOST_TAKEN_UP,
    )
    yield Goal(
        f"{what}: schedule lag p99 meanwhile at most {_MOST_LAG * 1000:.0f} ms",
        f"at most {_millis(lag)} ms",
        lag <= _MOST_LAG,
    )


def as_json(run: EstateRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds and bytes."""
    return {
        "at": asdict(run.at),
        "estates": [
            {
                **asdict(each),
                "lag": {str(bound): count for bound, count in each.lag.counts.items()},
            }
            for each in run.found
        ],
        "goals": [asdict(goal) for goal in goals(run)],
    }


def tables(run: EstateRun) -> str:
    """The growth, and the goals, as Markdown."""
    return f"{_growth(run)}\n\n{goals_table(goals(run))}"


def _growth(run: EstateRun) -> str:
    start = ["policies", "endpoints", "all probed after, s", "CPU until then, s"]
    edit = ["edited file taken up after, s", "its CPU, ms", "lag p99, ms", "lag max"]
    status = ["`failoverctl status`, s", "its CPU, s", "as JSON, s", "resident, MB"]
    rows = [
        [
            f"{each.estate.policies:,}",
            f"{each.estate.endpoints:,}",
            f"{each.met:.1f}",
            f"{each.start_cpu:.1f}",
            f"{each.taken_up:.2f}",
            f"{each.edit_cpu * 1000:.0f}",
            *(f"≤ {_millis(each.lag.percentile(percent))}" for percent in (99, 100)),
            f"{each.asked.text:.2f}",
            f"{each.asked.cpu:.2f}",
            f"{each.asked.plain:.2f}",
            f"{each.memory / 1e6:.0f}",
        ]
        for each in run.found
    ]
    return table([*start, *edit, *status], rows)


def _millis(seconds: float) -> str:
    return "∞" if math.isinf(seconds) else f"{seconds * 1000:g}"


def part(run: EstateRun) -> str:
    """Its part of docs/performance.md."""
    edits = max(len(each.edits) for each in run.found)
    return f"""\
# How many policies one daemon carries

One `failoverd run` on one CPU; on another, one nginx worker that answers on every loopback address, and `failoverctl`.

## What is asked of it

- **Sizes**: policies of {PER_POLICY} endpoints in two regions, one file each, as people write them. Each size is a new
  process.
- **Start**: from starting the process until nginx has seen a probe at every address.
- **An edited file**: `fall` is changed in one of the policies, {edits} times in turn. It is taken up when the daemon
  says `policy.loaded`. Its **CPU** is that of the whole process in the seconds after the edit, without what the same
  time costs otherwise. **Lag** is how long after its time a probe was started, while all of that went on.
- **Status**: `failoverctl status` from its start to its end. The figures are medians.

## The run of the estate

{run.at.in_words()}

{_growth(run)}

{goals_table(goals(run))}

`bench/estate.py --help` says how to measure one size alone, and one with 100,000 endpoints.
"""
