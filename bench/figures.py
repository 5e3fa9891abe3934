"""From samples to figures: percentiles, ratios, and whether the goals are reached."""

import math
import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from bench.contenders import Setting, versions
from bench.targets import Fault
from bench.trial import BIND, EMBEDDED, GDNSD, OURS, Sample

_MOST_OVERHEAD = {EMBEDDED: 0.050, BIND: 0.100}
"""Seconds at the 99th percentile."""

STRIVEN = " (striven for, not demanded)"
"""What is said of a goal that is not binding."""

_MOST_OF_GDNSD = 0.5
"""Of gdnsd's total, at the median and at the 99th percentile."""


@dataclass(frozen=True)
class Run:
    """One run of the benchmark: what was measured, and on what."""

    samples: tuple[Sample, ...]
    command: str
    date: str
    machine: str
    versions: dict[str, str]
    load: tuple[float, float]  # one-minute averages, before and after

    @classmethod
    def of(cls, samples: Iterable[Sample], command: Iterable[str], began: float, load: float) -> Self:
        return cls(
            samples=tuple(samples),
            command=" ".join(command),
            date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(began)),
            machine=machine(),
            versions=versions(),
            load=(load, os.getloadavg()[0]),
        )

    @property
    def kinds(self) -> dict[str, list[Sample]]:
        """The samples by kind of fault, and all of them."""
        by_kind = {str(fault): [sample for sample in self.samples if sample.fault is fault] for fault in Fault}
        return {**by_kind, "all": list(self.samples)}


@dataclass(frozen=True)
class Goal:
    """What was aimed at and what was measured, in words, and whether that is enough.

    One that is not `binding` is striven for: missing it is said, and is no failure.
    """

    text: str
    found: str
    reached: bool
    binding: bool = True


@dataclass(frozen=True)
class Spread:
    """How a measure is distributed."""

    median: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(statistics.median(values), percentile(values, 95), percentile(values, 99))

    def over(self, other: Self) -> "Spread":
        """Each of its numbers in relation to the same number of the other."""
        return Spread(self.median / other.median, self.p95 / other.p95, self.p99 / other.p99)


def percentile(values: Sequence[float], percent: int) -> float:
    """By the nearest rank: the smallest value that `percent` percent of the values do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def totals(samples: Iterable[Sample], system: str) -> Spread:
    return Spread.of([sample.totals[system] for sample in samples])


def overheads(samples: Iterable[Sample], system: str) -> Spread:
    return Spread.of([sample.overheads[system] for sample in samples])


# -- goals -------------------------------------------------------------------------------------------------------------


def goals(run: Run) -> list[Goal]:
    """The goals, judged over all faults together."""
    return [_overhead_goal(run, system) for system in OURS] + [
        goal for system in OURS for goal in _ratio_goals(run, system)
    ]


def _overhead_goal(run: Run, system: str) -> Goal:
    found, most = overheads(run.samples, system).p99, _MOST_OVERHEAD[system]
    text = f"{system}: overhead p99 at most {most * 1000:.0f} ms"
    return Goal(text, f"{found * 1000:.1f} ms", found <= most)


def _ratio_goals(run: Run, system: str) -> Iterable[Goal]:
    ours, theirs = totals(run.samples, system), totals(run.samples, GDNSD)
    ratio = ours.over(theirs)
    for name, our, their, part in (
        ("median", ours.median, theirs.median, ratio.median),
        ("p99", ours.p99, theirs.p99, ratio.p99),
    ):
        text = f"{system}: total {name} at most {_MOST_OF_GDNSD:.0%} of gdnsd's"
        yield Goal(text, f"{part:.1%} ({our:.3f} s of {their:.3f} s)", part <= _MOST_OF_GDNSD)


# -- raw ---------------------------------------------------------------------------------------------------------------


def as_json(run: Run) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds."""
    return {
        "command": run.command,
        "date": run.date,
        "machine": run.machine,
        "versions": run.versions,
        "load": run.load,
        "setting": asdict(Setting()),
        "samples": [{**asdict(sample), "overheads": sample.overheads} for sample in run.samples],
        "goals": [asdict(goal) for goal in goals(run)],
    }


def machine() -> str:
    described = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in described if line.startswith("model name")), "")
    return f"{model or platform.machine()}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}"
