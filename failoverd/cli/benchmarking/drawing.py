"""What plots are drawn with: axes with round values, lines, a legend, a frame. Inline SVG and nothing else."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.cli.pictures import Ticks, inert

WIDTH: Final = 460.0
HEIGHT: Final = 230.0
"""Small enough that words stay legible where a telephone shrinks the picture."""

COLOURS: Final = 6
"""Colours that the page defines; regions beyond have them again, with another dash."""

LEFT, RIGHT, TOP, BOTTOM = 46.0, 16.0, 24.0, 38.0
"""Room around a plot, for its words."""

_DASHES: Final = ("", "6 3", "2 3", "8 3 2 3")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values on a range of the picture, and what it is of."""

    name: str
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


def across(name: str, low: float, high: float, ticks: Ticks, scale: Callable[[float], float] = float) -> Axis:
    return Axis(name, low, high, LEFT, WIDTH - RIGHT, tuple(ticks), scale)


def up(name: str, high: float, ticks: Ticks) -> Axis:
    return Axis(name, 0.0, high, HEIGHT - BOTTOM, TOP, tuple(ticks))


# -- parts of a picture ------------------------------------------------------------------------------------------------


def frame(x: Axis, y: Axis) -> list[str]:
    """Both axes, with their names where they end, and a line across at each value."""
    left, right, bottom = LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [f'<path class="grid" d="M{left} {y(value):.2f}H{right}"/>' for value, _ in y.ticks]
    parts += [
        f'<text class="end" x="{left - 6}" y="{y(value) + 4:.2f}">{inert(words)}</text>' for value, words in y.ticks
    ]
    parts.append(f'<path class="axis" d="M{left} {TOP}V{bottom}H{right}"/>')
    parts.append(f'<text x="4" y="11">{inert(y.name)}</text>')
    return [*parts, *base(x, bottom)]


def base(x: Axis, top: float) -> list[str]:
    """What stands below an axis that goes across: its values, and below them its name."""
    parts = [
        f'<text class="middle" x="{x(value):.2f}" y="{top + 15:.2f}">{inert(words)}</text>' for value, words in x.ticks
    ]
    return [*parts, f'<text class="end" x="{x.end}" y="{top + 32:.2f}">{inert(x.name)}</text>']


def line(points: Sequence[Point], place: int, name: str = "") -> str:
    """Through all points; a single one is a dot."""
    dash = _DASHES[place // COLOURS % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    where = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    title = f"<title>{inert(name)}</title>" if name else ""
    drawn = f'<polyline class="line c{place % COLOURS}"{dashed} points="{where}">{title}</polyline>'
    if len(points) > 1:
        return drawn
    return f'{drawn}<circle class="fill c{place % COLOURS}" cx="{points[0][0]:.2f}" cy="{points[0][1]:.2f}" r="3"/>'


def figure(title: str, words: str, parts: Iterable[str], height: float = HEIGHT) -> str:
    """A picture, below what it shows and how it is to be read."""
    return (
        f"<figure><figcaption><b>{inert(title)}</b> {inert(words)}</figcaption>"
        f'<svg role="img" viewBox="0 0 {WIDTH:g} {height:g}"><title>{inert(title)}</title>'
        f"<desc>{inert(words)}</desc>{''.join(parts)}</svg></figure>"
    )


def legend(names: Iterable[str]) -> str:
    """Which line is whose."""
    return _keys(f"{_key(line([(0.0, 5.0), (36.0, 5.0)], place))} {inert(name)}" for place, name in enumerate(names))


def legend_of_boxes(names: Iterable[str]) -> str:
    """What each class of box means: its name."""
    boxes = ((each, _key(f'<rect class="{each}" width="36" height="10"/>')) for each in names)
    return _keys(f"{box} {inert(each)}" for each, box in boxes)


def _keys(parts: Iterable[str]) -> str:
    return f'<ul class="legend">{"".join(f"<li>{each}</li>" for each in parts)}</ul>'


def _key(drawn: str) -> str:
    return f'<svg width="36" height="10" aria-hidden="true">{drawn}</svg>'
