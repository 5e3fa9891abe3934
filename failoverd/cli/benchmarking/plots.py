"""Plots of a benchmark as inline SVG. Every coordinate is computed here from the samples; nothing else draws."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10
from typing import Final

from failoverd.cli.benchmarking.running import Sample
from failoverd.cli.benchmarking.statistics import percentile
from failoverd.cli.benchmarking.table import milliseconds
from failoverd.cli.screen import shown
from failoverd.core.records import Outcome

WIDTH: Final = 640.0
HEIGHT: Final = 240.0
COLOURS: Final = 6
"""Colours that the page defines; regions beyond have them again, with another dash."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 12.0, 12.0, 36.0
_DASHES: Final = ("", "6 3", "2 3", "8 3 2 3")
_PERCENTS: Final = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
_BUCKETS: Final = 60
_BINS: Final = 24
_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_LEAST: Final = 1e-6
_WORST: Final = (Outcome.FAIL, Outcome.BLIND, Outcome.DEGRADED, Outcome.PASS)

BySeries = Mapping[str, Sequence[Sample]]
"""Samples by the name of their region."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values on a range of the picture. `ticks` are values with their words."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[tuple[float, str], ...]
    scale: Callable[[float], float] = float

    def __call__(self, value: float) -> float:
        low, high = self.scale(self.low), self.scale(self.high)
        part = (self.scale(value) - low) / (high - low) if high > low else 0.0
        return self.start + part * (self.end - self.start)


# -- the plots ---------------------------------------------------------------------------------------------------------


def percentile_curve(series: BySeries) -> str:
    """Latency by percentile, one line for each region."""
    found = {name: sorted(each.since_due for each in samples if each.answered) for name, samples in series.items()}
    x = _across(0.0, 99.9, [(each, f"{each:g}") for each in _PERCENTS], _nines)
    y = _latency_axis(value for values in found.values() for value in values[-1:])
    curve = sorted({each / 2 for each in range(199)} | {99 + each / 10 for each in range(10)})
    lines = [
        _line([(x(each), y(percentile(values, each))) for each in curve], place, name)
        for place, (name, values) in enumerate(found.items())
        if values
    ]
    words = "Latency from when a request was due, in ms, by percentile; one line for each region."
    return _plot("Latency by percentile", words, [*_axes(x, y, "percentile", "ms"), *lines])


def over_time(series: BySeries, seconds: float) -> str:
    """The median latency within each part of the time."""
    found = {name: _medians(samples, seconds) for name, samples in series.items()}
    x = _across(0.0, seconds, _ticks(seconds, "s", 1.0))
    y = _latency_axis(value for points in found.values() for _, value in points)
    lines = [
        _line([(x(at), y(value)) for at, value in points], place, name)
        for place, (name, points) in enumerate(found.items())
        if points
    ]
    words = f"Median latency in ms of the requests due within each {seconds / _BUCKETS:.3g}s; one line for each region."
    return _plot("Latency over time", words, [*_axes(x, y, "seconds after the start", "ms"), *lines])


def histogram(name: str, place: int, series: BySeries) -> str:
    """How many answers of one region took how long; every region has the same axes."""
    values = {each: [sample.since_due for sample in found if sample.answered] for each, found in series.items()}
    everything = [value for each in values.values() for value in each]
    low, high = max(min(everything, default=0.001), _LEAST), max(max(everything, default=1.0), _LEAST)
    edges = _edges(low, high)
    counted = {each: binned(found, edges) for each, found in values.items()}
    most = max((count for found in counted.values() for count in found), default=0) or 1
    x = _across(edges[0], edges[-1], [(each, milliseconds(each)) for each in edges[:: _BINS // 6]], log10)
    y = _up(float(most), _ticks(float(most), "", 1.0, least=1.0))
    bars = [
        f'<rect class="fill c{place % COLOURS}" x="{x(left):.2f}" y="{y(count):.2f}"'
        f' width="{max(x(right) - x(left) - 1, 0.5):.2f}" height="{y(0.0) - y(count):.2f}">'
        f"<title>{milliseconds(left)} to {milliseconds(right)} ms: {count}</title></rect>"
        for left, right, count in zip(edges, edges[1:], counted[name], strict=False)
        if count
    ]
    words = f"How many answers of {name} took how long, in ms on a logarithmic scale; the axes are those of all."
    return _plot(f"Latency of {name}", words, [*_axes(x, y, "ms", "answers"), *bars])


def availability_strip(series: BySeries, seconds: float) -> str:
    """For each region and part of the time, the worst that became of a request."""
    width = (WIDTH - 2 * _RIGHT) / _BUCKETS
    parts: list[str] = []
    for row, (name, samples) in enumerate(series.items()):
        top = row * 44.0
        parts.append(f'<text x="{_RIGHT}" y="{top + 14:.2f}">{inert(name)}</text>')
        for bucket, found in sorted(_buckets(samples, seconds).items()):
            worst = next(each for each in _WORST if any(sample.outcome is each for sample in found))
            answered = sum(sample.answered for sample in found)
            parts.append(
                f'<rect class="{worst.value}" x="{_RIGHT + bucket * width:.2f}" y="{top + 20:.2f}"'
                f' width="{width - 1:.2f}" height="18"><title>{bucket * seconds / _BUCKETS:.1f}s: {worst.value};'
                f" {answered} of {len(found)} answered</title></rect>"
            )
    words = "Each region from the start to the end: the worst outcome of the requests due within each part of the time."
    return _plot("Availability over time", words, parts, 44.0 * len(series) + 4)


def legend(names: Iterable[str]) -> str:
    """Which line is whose."""
    keys = (
        f'<li><svg width="36" height="10" aria-hidden="true">{_line([(0.0, 5.0), (36.0, 5.0)], place)}</svg>'
        f" {inert(name)}</li>"
        for place, name in enumerate(names)
    )
    return f'<ul class="legend">{"".join(keys)}</ul>'


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


def _buckets(samples: Sequence[Sample], seconds: float) -> dict[int, list[Sample]]:
    found: dict[int, list[Sample]] = {}
    for sample in samples:
        place = floor(sample.due / seconds * _BUCKETS) if seconds > 0 else 0
        found.setdefault(min(place, _BUCKETS - 1), []).append(sample)
    return found


def _medians(samples: Sequence[Sample], seconds: float) -> list[Point]:
    answered = [sample for sample in samples if sample.answered]
    return [
        ((place + 0.5) * seconds / _BUCKETS, percentile(sorted(each.since_due for each in found), 50))
        for place, found in sorted(_buckets(answered, seconds).items())
    ]


def _nines(percent: float) -> float:
    """Each further nine gets the same room: 90, 99, 99.9."""
    return -log10(1 - percent / 100)


# -- axes --------------------------------------------------------------------------------------------------------------


def _across(
    low: float, high: float, ticks: Iterable[tuple[float, str]], scale: Callable[[float], float] = float
) -> Axis:
    return Axis(low, high, _LEFT, WIDTH - _RIGHT, tuple(ticks), scale)


def _up(high: float, ticks: Iterable[tuple[float, str]]) -> Axis:
    return Axis(0.0, high, HEIGHT - _BOTTOM, _TOP, tuple(ticks))


def _latency_axis(values: Iterable[float]) -> Axis:
    high = max(values, default=0.001) or 0.001
    return _up(high, _ticks(high, "", 1_000.0))


def _ticks(high: float, unit: str, factor: float, *, least: float = 0.0) -> list[tuple[float, str]]:
    """About five round values from zero up, shown times `factor`, and so at least `least` apart."""
    rough = high * factor / 5
    power = 10.0 ** floor(log10(rough)) if rough > 0 else 1.0
    step = next(each * power for each in _STEPS if each * power >= rough * (1 - _LEAST))
    step = max(step, least)
    count = floor(high * factor / step + _LEAST)
    return [(each * step / factor, f"{each * step:g}{unit}") for each in range(count + 1)]


def _axes(x: Axis, y: Axis, across: str, up: str) -> list[str]:
    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = [f'<path class="axis" d="M{left} {_TOP}V{bottom}H{right}"/>']
    for value, words in y.ticks:
        parts.append(f'<path class="grid" d="M{left} {y(value):.2f}H{right}"/>')
        parts.append(f'<text class="end" x="{left - 6}" y="{y(value) + 4:.2f}">{inert(words)}</text>')
    parts += [
        f'<text class="middle" x="{x(value):.2f}" y="{bottom + 14}">{inert(words)}</text>' for value, words in x.ticks
    ]
    parts.append(f'<text class="end" x="{right}" y="{HEIGHT - 6}">{inert(across)}</text>')
    parts.append(f'<text x="4" y="{HEIGHT - 6}">{inert(up)}</text>')
    return parts


def inert(words: str) -> str:
    """For people to read, whoever wrote it: no markup, and nothing that a terminal would act upon in the source."""
    return escape(shown(words))


# -- SVG ---------------------------------------------------------------------------------------------------------------


def _plot(title: str, words: str, parts: Iterable[str], height: float = HEIGHT) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH:g} {height:g}"><title>{inert(title)}</title>'
        f"<desc>{inert(words)}</desc>{''.join(parts)}</svg>"
    )


def _line(points: Sequence[Point], place: int, name: str = "") -> str:
    dash = _DASHES[place // COLOURS % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    where = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    title = f"<title>{inert(name)}</title>" if name else ""
    dot = f'<circle class="fill c{place % COLOURS}" cx="{points[0][0]:.2f}" cy="{points[0][1]:.2f}" r="3"/>'
    line = f'<polyline class="line c{place % COLOURS}"{dashed} points="{where}">{title}</polyline>'
    return line if len(points) > 1 else line + dot
