"""One plot: a strip over the time of a scenario, with the words beside it. All of a page have one time axis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from failoverd.cli.course_page.tracks import Run
from failoverd.cli.pictures import inert
from failoverd.config.values import say_duration
from failoverd.simulation.course import Track

WIDE: Final = 2_000
HIGH: Final = 1_000
"""The coordinates of what is drawn: all of the time, and from the top of a scale down to its end."""

GUTTER: Final = 60
"""Pixels beside a plot, for the words of its scale."""

NARROW: Final = 236
"""Pixels that a plot is wide on the smallest telephone."""

_LETTER: Final = 6.6
"""Pixels of a letter, in the mean."""

_LEAST: Final = 3
"""Of `WIDE`: what is shorter is still seen."""

_STEPS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(each * 60 for each in (1, 2, 5, 10, 15, 30)),
    *(each * 3_600 for each in (1, 2, 3, 6, 12, 24, 48, 168)),
)
"""Seconds between two words at the time axis."""

_FEW: Final = 4.5
_SOME: Final = 9.5
"""Steps of an axis that have room on a telephone, and on a larger screen."""

_NEAR_END: Final = 0.94


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment with its words. `always`: there is room for it on a telephone as well."""

    at: float
    words: str
    always: bool


@dataclass(frozen=True, slots=True)
class NumberedMark:
    """A moment that the scenario says, and the number that it has wherever it is shown."""

    at: float
    number: int


@dataclass(frozen=True, slots=True)
class Time:
    """The axis that all plots of a page share."""

    lasted: float
    ticks: tuple[Tick, ...]
    marks: tuple[NumberedMark, ...]

    def part(self, at: float) -> float:
        return min(1.0, max(0.0, at / self.lasted)) if self.lasted > 0 else 0.0

    def x(self, at: float) -> int:
        return round(self.part(at) * WIDE)

    def percent(self, at: float) -> str:
        return f"{round(self.part(at) * 100, 2):g}%"


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from 0 up to `high`, with words at some of them; `unit` is said behind a value."""

    high: float
    ticks: tuple[tuple[float, str], ...]
    unit: str

    def y(self, value: float) -> int:
        return round((1 - min(value, self.high) / self.high) * HIGH) if self.high > 0 else HIGH


def ticks_of(lasted: float) -> tuple[Tick, ...]:
    """Round times. Those of a telephone are some of those of a larger screen."""
    step = next((each for each in _STEPS if lasted / each <= _SOME), _STEPS[-1])
    coarse = next((each for each in _STEPS if each % step == 0 and lasted / each <= _FEW), _STEPS[-1])
    count = int(lasted / step)
    return tuple(Tick(each * step, say_duration(each * step), each * step % coarse == 0) for each in range(count + 1))


def scale_of_percent(high: float = 100.0) -> Scale:
    """Of basis points."""
    return Scale(high * 100, tuple((high * each, f"{high * each / 100:g} %") for each in (0, 50, 100)), "%")


# -- shapes ------------------------------------------------------------------------------------------------------------


def steps(track: Track, time: Time, scale: Scale) -> str:
    """The line of a track: level from each of its points to the next."""
    if not track:
        return ""
    x, y = time.x(track[0][0]), scale.y(track[0][1])
    parts = [f"M{x} {y}"]
    for at, value in track[1:]:
        next_x, next_y = time.x(at), scale.y(value)
        if next_x != x:
            parts.append(f"H{next_x}")
        if next_y != y:
            parts.append(f"V{next_y}")
        x, y = next_x, next_y
    return "".join([*parts, f"H{WIDE}"])


def below(line: str) -> str:
    """What is under a line that `steps` made, down to the end of the scale."""
    return f"{line}V{HIGH}H0Z" if line else ""


def between(pairs: Iterable[tuple[float, tuple[float, ...]]], time: Time, scale: Scale) -> str:
    """Where the first of two values is above the second, and by how much."""
    points = [*pairs, (time.lasted, (0.0, 0.0))]
    found = list[str]()
    for (at, (high, low)), (until, _) in pairwise(points):
        x, top, end = time.x(at), scale.y(high), scale.y(low)
        if top < end:
            found.append(f"M{x} {end}H{max(x + _LEAST, time.x(until))}V{top}H{x}Z")
    return "".join(found)


def bars(found: Iterable[Run], time: Time, top: float, tall: float) -> str:
    """Rectangles, as long as what they stand for."""
    ends = ((time.x(since), time.x(until)) for since, until, _ in found)
    return "".join(f"M{x} {top:g}h{max(_LEAST, end - x)}v{tall:g}H{x}z" for x, end in ends)


def stretched(height: float, *shapes: str, top: float = 0.0, high: float = HIGH) -> str:
    """Shapes over the whole width, `height` pixels of a plot high."""
    inside = "".join(shapes)
    return (
        f'<svg y="{top:g}" width="100%" height="{height:g}" viewBox="0 0 {WIDE} {high:g}" preserveAspectRatio="none">'
        f"{inside}</svg>"
    )


def across(height: float, scale: Scale, time: Time) -> str:
    """Lines at the values of a scale and at round times."""
    levels = (f"M0 {scale.y(value)}H{WIDE}" for value, _ in scale.ticks)
    times = (f"M{time.x(tick.at)} 0V{HIGH}" for tick in time.ticks[1:])
    return stretched(height, f'<path class="grid" d="{"".join((*levels, *times))}"/>')


def marked(height: float, time: Time) -> str:
    """A line at what happens."""
    lines = "".join(f"M{x} 0V{HIGH}" for x in sorted({time.x(mark.at) for mark in time.marks}))
    return stretched(height, f'<path class="happens" d="{lines}"/>') if lines else ""


# -- a plot and its words ----------------------------------------------------------------------------------------------


def lane(title: str, words: str, height: float, inside: Iterable[str], beside: Iterable[str] = ()) -> str:
    """A plot, with what a screen reader says of it. `beside` are the words left of it."""
    return (
        f'<div class="lane"><svg class="beside" width="{GUTTER}" height="{height:g}" aria-hidden="true">'
        f'{"".join(beside)}</svg><div class="plot"><svg role="img" width="100%" height="{height:g}">'
        f"<title>{inert(title)}</title><desc>{inert(words)}</desc>{''.join(inside)}</svg></div></div>"
    )


def levels(scale: Scale, height: float) -> list[str]:
    """The words of a scale."""
    return [
        beside(words, min(height - 1, max(9.0, scale.y(value) / HIGH * height + 4))) for value, words in scale.ticks
    ]


def beside(words: str, y: float) -> str:
    """Words left of a plot."""
    return text(words, f"{GUTTER - 7}", y, "end")


def text(words: str, x: str, y: float, *classes: str) -> str:
    said = " ".join(filter(None, classes))
    drawn = f' class="{said}"' if said else ""
    return f'<text{drawn} x="{x}" y="{y:.4g}">{inert(words)}</text>'


def axis(time: Time) -> str:
    """The times, in words, below what they are of."""
    return lane("Time since the beginning", "", 18, (_time(each, time) for each in time.ticks))


def _time(tick: Tick, time: Time) -> str:
    anchor = "" if tick.at == 0 else "end" if time.part(tick.at) > _NEAR_END else "middle"
    return text(tick.words, time.percent(tick.at), 13, anchor, "" if tick.always else "roomy")


def width_of(words: str) -> float:
    """Pixels, about."""
    return len(words) * _LETTER


# -- the numbers of what happens ---------------------------------------------------------------------------------------


def numbers(time: Time, y: float) -> Iterable[str]:
    """Those of marks, above them. Where they would stand upon each other on a telephone, they share one word."""
    for group in grouped(time):
        at, words = group[0].at, _said(group)
        if _ends(time, group) < NARROW:
            yield f'<g transform="translate(-3.5)">{text(words, time.percent(at), y, "number")}</g>'
        else:
            yield text(words, "100%", y, "number", "end")


def grouped(time: Time) -> list[list[NumberedMark]]:
    """Marks by the word that they share."""
    groups = list[list[NumberedMark]]()
    for mark in time.marks:
        group = [mark]
        while groups and _begins(time, group) < _ends(time, groups[-1]) + _GAP:
            group = [*groups.pop(), *group]
        groups.append(group)
    return groups


def _begins(time: Time, group: Sequence[NumberedMark]) -> float:
    return min(time.part(group[0].at) * NARROW, NARROW - width_of(_said(group)))


def _ends(time: Time, group: Sequence[NumberedMark]) -> float:
    return _begins(time, group) + width_of(_said(group))


_GAP: Final = 4.0
"""Pixels between two words at least."""


def _said(group: Sequence[NumberedMark]) -> str:
    return str(group[0].number) if len(group) == 1 else f"{group[0].number}\u2013{group[-1].number}"
