"""The tables of the sizes, and their part of `docs/performance.md`, as Markdown."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.circumstances import Circumstances
from bench.figures import Goal
from bench.report import goals_table, table
from bench.scale_run import LAG, Scaled

_MEGABYTE = 1_000_000

_MOST_LAG = 0.050
_MOST_SHARE = 0.35
_MOST_MEMORY = 150 * _MEGABYTE
_MOST_GROWTH = 0.02
_MOST_BEND = 1.5
"""How much dearer than the cheapest the dearest size may be, by the probe."""

_JUDGED = "10000/5s"
_SAME_RATE = ("1000/500ms", "10000/5s", "30000/15s")
_SAME_INTERVAL = ("10000/5s", "30000/5s")


@dataclass(frozen=True)
class ScaleRun:
    """One run: what was measured, and on what."""

    sizes: Sequence[Scaled]
    settle: int
    at: Circumstances


# -- goals -------------------------------------------------------------------------------------------------------------


def goals(run: ScaleRun) -> list[Goal]:
    """What was aimed at, for whatever was measured."""
    judged = [each for each in run.sizes if each.size.name == _JUDGED]
    return [
        *(goal for each in judged for goal in _own_goals(each)),
        *_linear(run, "as many probes a second", _SAME_RATE),
        *_linear(run, "the same interval", _SAME_INTERVAL),
    ]


def _own_goals(found: Scaled) -> Iterator[Goal]:
    what = f"{found.size.endpoints:,} endpoints every {found.size.every:g} s"
    lag, memory = found.lag.percentile(99), max(found.memories)
    made = found.probes / (found.size.rate * found.seconds)
    yield Goal(
        f"{what}: schedule lag p99 at most {_MOST_LAG * 1000:.0f} ms", f"at most {_millis(lag)} ms", lag <= _MOST_LAG
    )
    yield Goal(
        f"{what}: at most {_MOST_SHARE:.0%} of one core",
        f"{found.share:.1%}, for {made:.1%} of the probes",
        found.share <= _MOST_SHARE and made >= _ALL,
    )
    yield Goal(
        f"{what}: resident memory at most {_MOST_MEMORY // _MEGABYTE} MB",
        f"{memory / _MEGABYTE:.1f} MB",
        memory <= _MOST_MEMORY,
    )
    yield Goal(
        f"{what}: memory grows by less than {_MOST_GROWTH:.0%}", f"{found.growth:.1%}", found.growth < _MOST_GROWTH
    )


_ALL = 0.99
"""The part of the probes that has to have been made: skipping them is no way to be cheap."""


def _linear(run: ScaleRun, how: str, names: Sequence[str]) -> Iterator[Goal]:
    compared = [each for each in run.sizes if each.size.name in names]
    if len(compared) != len(names):
        return
    cheapest, dearest = (pick(compared, key=lambda each: each.each) for pick in (min, max))
    bend = dearest.each / cheapest.each
    sizes = ", ".join(f"{each.size.endpoints:,}" for each in sorted(compared, key=lambda each: each.size.endpoints))
    yield Goal(
        f"{sizes} endpoints at {how}: CPU of a probe within {_MOST_BEND:g} times",
        f"{bend:.2f} times ({dearest.size.name} to {cheapest.size.name})",
        bend <= _MOST_BEND,
    )


def as_json(run: ScaleRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds and bytes."""
    return {
        "settle": run.settle,
        "at": asdict(run.at),
        "sizes": [
            {
                **asdict(each.size),
                "started": each.started,
                "share": each.share,
                "each": each.each,
                "probes": each.probes,
                "memories": each.memories,
                "growth": each.growth,
                "lag": {str(bound): count for bound, count in each.lag.counts.items()},
            }
            for each in run.sizes
        ],
        "goals": [asdict(goal) for goal in goals(run)],
    }


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(run: ScaleRun) -> str:
    """Sizes, memory and goals, as Markdown."""
    return "\n\n".join((_sizes(run), _memory(run), goals_table(goals(run))))


def _sizes(run: ScaleRun) -> str:
    head = ["endpoints", "every, s", "watched, s", "probes a second", "of its core", "CPU of a probe, µs"]
    lag = ["lag p50, ms", "p99", "max"]
    rows = [
        [
            f"{each.size.endpoints:,}",
            f"{each.size.every:g}",
            f"{each.seconds:.0f}",
            f"{each.rate:.0f}",
            f"{each.share:.1%}",
            f"{each.each * 1e6:.0f}",
            *(f"≤ {_millis(each.lag.percentile(percent))}" for percent in (50, 99, 100)),
        ]
        for each in run.sizes
    ]
    return table([*head, *lag], rows)


def _memory(run: ScaleRun) -> str:
    head = ["endpoints", "every, s", "from start to first probe, s", "resident, MB: at first, each minute, at last"]
    rows = [
        [
            f"{each.size.endpoints:,}",
            f"{each.size.every:g}",
            f"{each.started:.1f}",
            ", ".join(f"{memory / _MEGABYTE:.1f}" for memory in each.memories),
        ]
        for each in run.sizes
    ]
    return table(head, rows)


def _millis(seconds: float) -> str:
    return "∞" if math.isinf(seconds) else f"{seconds * 1000:g}"


# -- the part of the page ----------------------------------------------------------------------------------------------


def part(run: ScaleRun) -> str:
    """Its part of docs/performance.md."""
    return f"""\
# How many endpoints one core carries

One `failoverd run` on one CPU, with everything on; one nginx worker on another answers on every loopback address.

## What is watched

- **Sizes**: 10,000 endpoints every 5 s; then 1,000 and 30,000 endpoints, once at as many probes a second, and once at
  the same interval. Policies hold 200 endpoints each, in four regions. Each size is a new process, and gets
  {run.settle} s to settle once it has met every endpoint.
- **Lag** is how long after its time a probe was started, by the daemon's own metric `{LAG}`.
  A histogram knows bounds only: "≤ 20" means that it lies in the bucket that ends at 20 ms.
- **CPU** is user and system time of the whole process. **Probes** are counted by nginx. **Memory** is what is resident.

## The run of the sizes

{run.at.in_words()}

{_sizes(run)}

{_memory(run)}

{goals_table(goals(run))}

`bench/scale.py --help` says how to measure one size alone.
"""
