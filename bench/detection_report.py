"""The tables of the detection, and their part of `docs/performance.md`, as Markdown."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.circumstances import Circumstances
from bench.detectors import DETECTORS, PLAIN, VARIANTS, WIRED, Variant
from bench.experiment import Experiment
from bench.figures import STRIVEN, Goal, Spread
from bench.paper import Loss
from bench.rehearsal import Day, Rehearsed
from bench.report import goals_table, table
from bench.threshold import threshold
from bench.troubles import ERRORS, FALL, INTERVAL, RECHECK, RISE, SIZE, TIMEOUT, Trouble

_MOST = {PLAIN: 1.0, WIRED: 0.3}
"""Seconds at the median, for a region whose process was killed."""

_THRESHOLD_SAMPLES = 10_000


@dataclass(frozen=True)
class DetectionRun:
    """One run: real faults, simulated ones, simulated days, and on what."""

    experiment: Experiment
    rehearsed: Sequence[Rehearsed]
    days: Sequence[Day]
    span: float
    at: Circumstances


# -- goals -------------------------------------------------------------------------------------------------------------


def goals(run: DetectionRun) -> list[Goal]:
    """What was aimed at."""
    return [
        *(_sooner(run, variant, most) for variant, most in _MOST.items()),
        *(_simulated(run, variant, most) for variant, most in _MOST.items()),
        *_truthful(run),
    ]


def _sooner(run: DetectionRun, variant: Variant, most: float) -> Goal:
    found = Spread.of(run.experiment.delays(Trouble.CRASHED, variant.name)).median
    return Goal(f"{Trouble.CRASHED}, {variant.name}: median at most {most:g} s", _seconds(found), found <= most)


def _simulated(run: DetectionRun, variant: Variant, most: float) -> Goal:
    delays = next(each.delays for each in run.rehearsed if each.variant == variant and each.trouble is Trouble.CRASHED)
    found = Spread.of(delays).median
    text = f"{Trouble.CRASHED}, {variant.name}, simulated: median at most {most:g} s"
    return Goal(text, _seconds(found), found <= most)


def _truthful(run: DetectionRun) -> Iterator[Goal]:
    for day in run.days:
        text = f"{day.loss} lost for {day.hours:g} simulated hours: no region is called worse than it is"
        yield Goal(text, f"{day.region_verdicts} times", not day.region_verdicts)
        demanded = day.loss is Loss.PACKETS
        text = f"{day.loss} lost for {day.hours:g} simulated hours: no endpoint is called down"
        words = "" if demanded else STRIVEN
        yield Goal(f"{text}{words}", f"{day.endpoint_verdicts} times", not day.endpoint_verdicts, demanded)
    ours = sum(run.experiment.false.get(variant.name, 0) for variant in VARIANTS)
    yield Goal("during the real faults: no region that is well is called down", f"{ours} times", not ours)


def as_json(run: DetectionRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds; a verdict that never came is missing, or null."""
    return {
        "experiment": asdict(run.experiment),
        "rehearsed": [
            {
                "trouble": each.trouble,
                "variant": each.variant.name,
                "delays": [delay if math.isfinite(delay) else None for delay in each.delays],
            }
            for each in run.rehearsed
        ],
        "days": [asdict(day) for day in run.days],
        "at": asdict(run.at),
        "goals": [asdict(goal) for goal in goals(run)],
    }


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(run: DetectionRun) -> str:
    """Real faults, simulated faults, false verdicts and goals, as Markdown."""
    return "\n\n".join((_real(run), _rehearsed(run), _days(run), goals_table(goals(run))))


def _real(run: DetectionRun) -> str:
    rows = []
    for trouble in Trouble:
        for detector in DETECTORS:
            delays = run.experiment.delays(trouble, detector)
            missed = sum(map(math.isinf, delays))
            rows.append([trouble.value, str(len(delays)), detector, *_spread(delays)[:2], str(missed)])
    head = ["trouble", "n", "detector", "median, s", "p95, s", f"not within {run.experiment.patience:g} s"]
    return table(head, rows)


def _rehearsed(run: DetectionRun) -> str:
    rows = []
    for trouble in Trouble:
        found = {each.variant.name: each.delays for each in run.rehearsed if each.trouble is trouble}
        found[f"plain threshold, {FALL} in a row (a sum)"] = threshold(trouble, _THRESHOLD_SAMPLES, seed=1)
        rows += [[trouble.value, str(len(delays)), name, *_spread(delays)] for name, delays in found.items()]
    return table(["trouble", "n", "detector", "median, s", "p95, s", "p99, s"], rows)


def _days(run: DetectionRun) -> str:
    rows = [
        [
            day.loss.value,
            f"{day.hours:g}",
            f"{day.looks:,}",
            f"{day.failed_looks:,}",
            str(day.endpoint_verdicts),
            str(day.region_verdicts),
        ]
        for day in run.days
    ]
    head = [
        "lost at random",
        "simulated hours",
        "probes",
        "that failed",
        "endpoints called down",
        "regions called worse",
    ]
    return table(head, rows)


def _spread(delays: Sequence[float]) -> list[str]:
    found = Spread.of(delays)
    return [_number(value) for value in (found.median, found.p95, found.p99)]


def _number(seconds: float) -> str:
    return f"{seconds:.2f}" if math.isfinite(seconds) else "none"


def _seconds(seconds: float) -> str:
    return f"{_number(seconds)} s" if math.isfinite(seconds) else "none"


# -- the part of the page ----------------------------------------------------------------------------------------------


def part(run: DetectionRun) -> str:
    """Its part of docs/performance.md."""
    false = ", ".join(f"{name} {run.experiment.false.get(name, 0)}" for name in DETECTORS)
    return f"""\
# How soon trouble is seen

A region of {SIZE} endpoints gets into trouble, and the time runs until it is called down: until fewer than half of its
endpoints are up.

## What happens

- **Everybody** probes every {INTERVAL:g} s with a time-out of {TIMEOUT:g} s; {FALL} failures make an endpoint go down,
  {RISE} passes bring it back. failoverd re-checks after {RECHECK:g} s, its default, and HAProxy's `fastinter` is the
  same. gdnsd has nothing of the kind.
- **Trouble**: the region's process is killed; its packets are silently dropped (nftables); {ERRORS} % of its answers
  are 500, at random; or it answers later than the time-out. Each region has one fault, at a random moment of
  {run.span:g} s, and all detectors watch the same regions at the same time. Beside each stands another region that
  stays well.
- **failoverd** runs four times, each a process of its own: with and without the trip wire, with and without the
  re-check of the siblings. The latter has no switch: the benchmark takes that part away.
- **The verdict** of failoverd is its event `region.failed`; HAProxy and gdnsd tell of servers, and their region is down
  when fewer than half of its servers are up. The time is taken when the line arrives.
- **Simulated** figures come from the same code, `runtime/probing.py` and `core/health/`, on a virtual
  clock with targets on paper. They are there for percentiles that a real run has no time for.
- **Loss**: 1 % of the packets, each way, with TCP's own retransmission; or, much worse, 1 % of the probes time out
  whatever TCP does. Two regions of {SIZE} endpoints.

## The run of the faults

{run.at.in_words()}

Real faults:

{_real(run)}

Regions called down that were well, during these faults: {false}.

Simulated faults:

{_rehearsed(run)}

Simulated loss:

{_days(run)}

{goals_table(goals(run))}

`bench/detection.py --help` says how to measure fewer.
"""
