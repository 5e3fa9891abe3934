"""The plots of a benchmark. Every coordinate is computed here from the samples; nothing else draws."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, log10
from typing import Final

from failoverd.cli.benchmarking.drawing import (
    BOTTOM,
    COLOURS,
    RIGHT,
    WIDTH,
    Point,
    across,
    base,
    figure,
    frame,
    line,
    up,
)
from failoverd.cli.benchmarking.open_loop import Sample
from failoverd.cli.benchmarking.statistics import FIRST_TOKEN, SPEED, Report, measured, percentile
from failoverd.cli.benchmarking.tables import milliseconds
from failoverd.cli.pictures import decade_ticks, inert, round_ticks
from failoverd.core.probe_reasons import ProbeOutcome

_PERCENTS: Final = (0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
_CURVE: Final = sorted({each / 2 for each in range(199)} | {99 + each / 10 for each in range(10)})
_MOST_PARTS: Final = 60
_BINS: Final = 24
_LEAST: Final = 1e-6
_WORST: Final = (ProbeOutcome.FAIL, ProbeOutcome.BLIND, ProbeOutcome.DEGRADED, ProbeOutcome.PASS)

_ROW: Final = 46.0
_TALL: Final = {ProbeOutcome.FAIL: 22.0, ProbeOutcome.BLIND: 16.0, ProbeOutcome.DEGRADED: 16.0, ProbeOutcome.PASS: 10.0}
"""What is worse stands out by its height as well, for whoever cannot tell the colours apart, and on paper."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time in which requests fell due, in seconds, and in how many parts it is shown."""

    seconds: float
    parts: int

    @property
    def part(self) -> float:
        return self.seconds / self.parts


def span_of(report: Report) -> Span:
    """No more parts than requests to an endpoint: a part without any would look like an outage."""
    seconds = min(report.run.seconds, report.plan.seconds)
    return Span(seconds, max(1, min(_MOST_PARTS, floor(seconds / report.plan.pause + _LEAST))))


BySeries = Mapping[str, Sequence[Sample]]
"""Samples by the name of their region."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What a curve of percentiles is of: its title, what it means, the unit and how many of it a value is."""

    title: str
    words: str
    unit: str
    factor: float


_LATENCY: Final = Curve(
    "Latency by percentile", "from when a request was due to its answer; lower is better", "ms", 1_000.0
)
_TOKEN: Final = Curve("Time to first token by percentile", "of completions; lower is better", "ms", 1_000.0)
_SPEED: Final = Curve("Tokens per second by percentile", "of completions; higher is better", "tokens/s", 1.0)


# -- the plots ---------------------------------------------------------------------------------------------------------


def latency_curve(series: BySeries) -> str:
    return _curve(
        _LATENCY, {name: [each.since_due for each in found if each.answered] for name, found in series.items()}
    )


def completion_curves(series: BySeries) -> list[str]:
    """None where no completion came."""
    found = ((_TOKEN, FIRST_TOKEN), (_SPEED, SPEED))
    values = ((curve, {each: measured(samples, name) for each, samples in series.items()}) for curve, name in found)
    return [_curve(curve, of_regions) for curve, of_regions in values if any(of_regions.values())]


def _curve(curve: Curve, values: Mapping[str, Sequence[float]]) -> str:
    """One line for each region, from its least value to its most."""
    found = {name: sorted(each) for name, each in values.items()}
    high = max((each[-1] for each in found.values() if each), default=0.001) or 0.001
    x = across("percentile", 0.0, _PERCENTS[-1], [(each, f"{each:g}") for each in _PERCENTS], _nines)
    y = up(curve.unit, high, round_ticks(high, "", curve.factor))
    lines = [
        line([(x(each), y(percentile(ordered, each))) for each in _CURVE], place, name)
        for place, (name, ordered) in enumerate(found.items())
        if ordered
    ]
    return figure(curve.title, curve.words, [*frame(x, y), *lines])


def over_time(series: BySeries, span: Span) -> str:
    """The median latency within each part of the time."""
    found = {name: _medians(samples, span) for name, samples in series.items()}
    high = max((value for points in found.values() for _, value in points), default=0.001) or 0.001
    x = across("seconds after the start", 0.0, span.seconds, round_ticks(span.seconds, "s"))
    y = up("ms", high, round_ticks(high, "", 1_000.0))
    lines = [
        line([(x(at), y(value)) for at, value in points], place, name)
        for place, (name, points) in enumerate(found.items())
        if points
    ]
    words = f"median of the requests due within each {span.part:.2g}s; lower is better"
    return figure("Latency over time", words, [*frame(x, y), *lines])


def histogram(name: str, place: int, series: BySeries) -> str:
    """How many answers of one region took how long; every region has the same axes."""
    values = {each: [sample.since_due for sample in found if sample.answered] for each, found in series.items()}
    everything = [value for each in values.values() for value in each]
    edges = _edges(max(min(everything, default=0.001), _LEAST), max(max(everything, default=1.0), _LEAST))
    counted = {each: binned(found, edges) for each, found in values.items()}
    most = float(max((count for found in counted.values() for count in found), default=0) or 1)
    x = across("ms, logarithmic", edges[0], edges[-1], decade_ticks(edges[0], edges[-1], 1_000.0), log10)
    y = up("answers", most, round_ticks(most, least=1.0))
    bars = [
        f'<rect class="fill c{place % COLOURS}" x="{x(left):.2f}" y="{y(count):.2f}"'
        f' width="{max(x(right) - x(left) - 1, 0.5):.2f}" height="{y(0.0) - y(count):.2f}">'
        f"<title>{milliseconds(left)} to {milliseconds(right)} ms: {count}</title></rect>"
        for left, right, count in zip(edges, edges[1:], counted[name], strict=False)
        if count
    ]
    return figure(name, "how many answers took how long; all regions have the same axes", [*frame(x, y), *bars])


def availability_strip(series: BySeries, span: Span) -> str:
    """For each region and part of the time, the worst that became of a request."""
    x = across("seconds after the start", 0.0, span.seconds, round_ticks(span.seconds, "s"))
    x = replace(x, start=RIGHT, end=WIDTH - RIGHT)
    width = (WIDTH - 2 * RIGHT) / span.parts
    parts: list[str] = []
    for row, (name, samples) in enumerate(series.items()):
        floor_at = (row + 1) * _ROW
        parts.append(f'<text x="{RIGHT}" y="{floor_at - 27:.2f}">{inert(name)}</text>')
        for bucket, found in sorted(_buckets(samples, span).items()):
            worst = next(each for each in _WORST if any(sample.outcome is each for sample in found))
            tall, answered = _TALL[worst], sum(sample.answered for sample in found)
            parts.append(
                f'<rect class="{worst.value}" x="{RIGHT + bucket * width:.2f}" y="{floor_at - tall:.2f}"'
                f' width="{width - 1:.2f}" height="{tall:g}"><title>{bucket * span.part:.1f}s: {worst.value};'
                f" {answered} of {len(found)} answered</title></rect>"
            )
    ground = len(series) * _ROW
    words = f"the worst that became of a request due within each {span.part:.2g}s"
    return figure("How requests ended over time", words, [*parts, *base(x, ground)], ground + BOTTOM)


# -- numbers -----------------------------------------------------------------------------------------------------------


def binned(values: Iterable[float], edges: Sequence[float]) -> list[int]:
    """How many values are between each edge and the next; one at the last edge is in the last bin."""
    found = [0] * (len(edges) - 1)
    for value in values:
        place = sum(value >= edge for edge in edges) - 1
        found[min(max(place, 0), len(found) - 1)] += 1
    return found


def _edges(low: float, high: float) -> list[float]:
    """Bins that are equal on a logarithmic scale; a decade at least, so that noise does not fill the picture."""
    high = max(high, low * 10)
    return [low * (high / low) ** (step / _BINS) for step in range(_BINS + 1)]


def _buckets(samples: Sequence[Sample], span: Span) -> dict[int, list[Sample]]:
    found: dict[int, list[Sample]] = {}
    for sample in samples:
        place = floor(sample.due / span.part + _LEAST) if span.seconds > 0 else 0
        found.setdefault(min(place, span.parts - 1), []).append(sample)
    return found


def _medians(samples: Sequence[Sample], span: Span) -> list[Point]:
    answered = [sample for sample in samples if sample.answered]
    return [
        ((place + 0.5) * span.part, percentile(sorted(each.since_due for each in found), 50))
        for place, found in sorted(_buckets(answered, span).items())
    ]


def _nines(percent: float) -> float:
    """Each further nine gets the same room: 90, 99, 99.9."""
    return -log10(1 - percent / 100)
