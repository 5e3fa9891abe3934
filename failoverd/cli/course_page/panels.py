"""What is drawn of a policy and of a region over time, each as it is and, beside it, as it might be."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from failoverd.cli.course_page.lanes import (
    HIGH,
    NARROW,
    WIDE,
    Scale,
    Time,
    across,
    bars,
    below,
    beside,
    between,
    lane,
    levels,
    marked,
    numbers,
    scale_of_percent,
    steps,
    stretched,
    text,
    width_of,
)
from failoverd.cli.course_page.tracks import (
    Run,
    at_dead,
    not_served,
    published_dead,
    runs,
    stacked,
    thinned,
    together,
    value_at,
)
from failoverd.cli.pictures import inert, round_ticks
from failoverd.core.records import WHOLE
from failoverd.simulation.course import CourseMoment, LoadCourse, MomentKind, PolicyCourse, RegionCourse, Track
from failoverd.telemetry.phrases import amount

COLOURS: Final = 8
"""Colours that pages of failoverd have for regions, and patterns that lie on them."""

_WEIGHTS: Final = 116.0
_DEAD: Final = 64.0
_LOAD: Final = 74.0
_COST: Final = 60.0
_ROW: Final = 36.0
"""Pixels of a region's health, and of plots."""

_WORDY: Final = 15.0
"""Pixels that an area is high in which words have room."""

_ROOMY: Final = 480.0
"""Pixels that a plot is wide on larger screens, at least."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What all plots of a page need.

    Attributes:
        time: their axis.
        places: of each region, by which its colour goes.
        most: points that a track may have.
        ids: that nothing else in the page has.
    """

    time: Time
    places: dict[str, int]
    most: int
    ids: Iterator[int]

    def thin(self, track: Track) -> Track:
        return thinned(track, self.time.lasted, self.most)

    def paint(self, name: str) -> int:
        return self.places.get(name, 0)


_HATCHES: Final = (
    "",
    "M-2 2l4-4M0 8l8-8M6 10l4-4",
    "M1 2h2M5 6h2",
    "M0 4h8",
    "M-2 6l4 4M0 0l8 8M6-2l4 4",
    "M4 0v8",
    "M0 4h8M4 0v8",
    "M0 6l4-4 4 4",
)


def pattern(place: int) -> str:
    """What the areas of a region are filled with; regions beyond `COLOURS` have the colours again with other lines."""
    colour, hatch = place % COLOURS, _HATCHES[(place + place // COLOURS) % len(_HATCHES)]
    return (
        f'<pattern id="fill-{place}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<path class="r{colour}" d="M0 0h8v8h-8z"/><path class="hatch" d="{hatch}"/></pattern>'
    )


# -- moments -----------------------------------------------------------------------------------------------------------

KINDS: Final = {
    MomentKind.HAPPENED: "happens",
    MomentKind.SEEN: "seen",
    MomentKind.MOVED: "moved",
    MomentKind.HELD: "held",
    MomentKind.TOLD: "told",
}

_GLYPHS: Final = {
    MomentKind.HAPPENED: "M-4-4H4L0 4Z",
    MomentKind.SEEN: "M-4 0A4 4 0 0 1 4 0A4 4 0 0 1-4 0Z",
    MomentKind.MOVED: "M-5 0 0-5 5 0 0 5Z",
    MomentKind.HELD: "M-4-4h3v8h-3zM1-4h3v8h-3z",
    MomentKind.TOLD: "M-4-4h8v8h-8z",
}
"""Each kind has a shape of its own, besides its colour and its line."""

_PARTS: Final = 360
"""In which a moment of each kind is drawn once."""

_DENSE: Final = 60
"""Glyphs of a line that can be told from each other."""


def moments(about: Sequence[CourseMoment], drawn: Drawn) -> str:
    """Which happened when: a line for each kind, and above it the numbers of what the scenario says."""
    kinds = [kind for kind in KINDS if kind is MomentKind.HAPPENED or any(each.kind is kind for each in about)]
    inside, words = list[str](), list[str]()
    for row, kind in enumerate(kinds):
        y = 24.0 + 15 * row
        words.append(beside(KINDS[kind], y + 4))
        inside += _glyphs([each.at for each in about if each.kind is kind], kind, y, drawn.time)
    height = 24.0 + 15 * len(kinds) - 4
    counts = (f"{sum(each.kind is kind for each in about)} {KINDS[kind]}" for kind in kinds)
    ground = [across(height, Scale(1, (), ""), drawn.time), *numbers(drawn.time, 12.0)]
    return lane("Moments", ", ".join(counts), height, [*ground, *inside], words)


def glyphs() -> str:
    """Those that are used by their names."""
    return "".join(f'<path id="{kind.value}" class="{kind.value}" d="{shape}"/>' for kind, shape in _GLYPHS.items())


def glyph(kind: MomentKind) -> str:
    """One by itself."""
    return f'<svg viewBox="-6 -6 12 12" aria-hidden="true"><use href="#{kind.value}"/></svg>'


def _glyphs(times: Iterable[float], kind: MomentKind, y: float, time: Time) -> Iterator[str]:
    """One for each; lines where they would lie upon each other all along."""
    parts = dict[int, float]()
    for at in times:
        parts.setdefault(int(time.part(at) * _PARTS), at)
    if len(parts) > _DENSE:
        ticks = "".join(f"M{time.x(at)} 0v8" for at in parts.values())
        yield stretched(8, f'<path class="{kind.value} dense" d="{ticks}"/>', top=y - 4, high=8)
        return
    for at in parts.values():
        yield f'<use href="#{kind.value}" x="{time.percent(at)}" y="{y:g}"/>'


# -- a policy ----------------------------------------------------------------------------------------------------------


def weights(policy: PolicyCourse, drawn: Drawn) -> str:
    """Shares that are published, one upon the other in the order of the file."""
    scale = scale_of_percent()
    tops = [drawn.thin(each) for each in stacked([each.shares for each in policy.regions])]
    areas, words = list[str](), list[str]()
    for number in reversed(range(len(tops))):
        region = policy.regions[number]
        line = below(steps(tops[number], drawn.time, scale))
        areas.append(_area(region.region, line, drawn, _WEIGHTS))
        words += _label(region.region, tops[number - 1] if number else (), tops[number], drawn.time)
    said = f"at first {_shares(policy, 0.0)}; in the end {_shares(policy, drawn.time.lasted)}"
    inside = [*areas, across(_WEIGHTS, scale, drawn.time), marked(_WEIGHTS, drawn.time), *words]
    return lane(f"Weights of {policy.policy} that are published", said, _WEIGHTS, inside, levels(scale, _WEIGHTS))


def _shares(policy: PolicyCourse, at: float) -> str:
    shares = ((each.region, value_at(each.shares, at)) for each in policy.regions)
    return ", ".join(f"{name} {share / 100:g} %" for name, share in shares if share) or "nothing"


def _area(name: str, line: str, drawn: Drawn, height: float) -> str:
    """Cut out of a pattern, which is not stretched as the line is."""
    cut = f"cut-{next(drawn.ids)}"
    part = f"scale({1 / WIDE:g} {1 / HIGH:g})"
    shape = (
        f'<path transform="{part}" data-name="{inert(name)}" data-top="100" data-unit="%" data-stack="" d="{line}"/>'
    )
    return (
        f'<clipPath id="{cut}" clipPathUnits="objectBoundingBox">{shape}</clipPath>'
        f'<rect width="100%" height="{height:g}" fill="url(#fill-{drawn.paint(name)})" clip-path="url(#{cut})"/>'
    )


def _label(name: str, lower: Track, upper: Track, time: Time) -> Iterator[str]:
    """The name, where its area is high enough for longest; none where there is no room for it."""
    spans = pairwise([*together([lower, upper]), (time.lasted, (0.0, 0.0))])
    tall = [
        (until - since, since, below, above)
        for (since, (below, above)), (until, _) in spans
        if _words_fit(below, above)
    ]
    if not tall:
        return
    lasts, since, below, above = max(tall)
    part, need = time.part(lasts), width_of(name) + 10
    if part * _ROOMY >= need:
        middle = (1 - (below + above) / 2 / WHOLE) * _WEIGHTS + 4
        roomy = "" if part * NARROW >= need else "roomy"
        yield f'<g transform="translate(6)">{text(name, time.percent(since), middle, "name", roomy)}</g>'


def _words_fit(below: float, above: float) -> bool:
    return (above - below) / WHOLE * _WEIGHTS >= _WORDY


def health(policy: PolicyCourse, drawn: Drawn) -> str:
    """How the daemon sees each region; what is wrong is higher. Below it, where it really does not serve."""
    rows = [each for each in policy.regions if each.health]
    height = _ROW * len(rows)
    inside = [across(height, Scale(1, (), ""), drawn.time), marked(height, drawn.time)]
    for number, region in enumerate(rows):
        inside += _row(region, _ROW * number, drawn)
    said = "; ".join(f"{each.region}: {', '.join(state for _, state in each.health[:_TOLD])}" for each in rows)
    return lane(f"Health of the regions of {policy.policy}", said, height, inside)


_TOLD: Final = 12
"""States in a row that are said to who cannot see them; the table has what led to them."""

TALL: Final = {"healthy": 4.0, "unknown": 4.0, "degraded": 8.0, "down": 12.0, "partly": 3.0, "dead": 5.0}
"""Pixels of a state: they are told apart without their colours as well."""


def _row(region: RegionCourse, top: float, drawn: Drawn) -> Iterator[str]:
    seen = runs(region.health, drawn.time.lasted, drawn.most)
    real = [each for each in runs(not_served(region.served), drawn.time.lasted, drawn.most) if each[2] != "well"]
    name = inert(region.region)
    drawn_states = (
        (state, bars(found, drawn.time, begin, TALL[state]))
        for state, begin, found in (*_by_state(seen, 27.0, up=True), *_by_state(real, 29.0, up=False))
    )
    shapes = (f'<path class="{state}" data-name="{name}" data-state="{state}" d="{d}"/>' for state, d in drawn_states)
    yield stretched(_ROW, *shapes, top=top, high=_ROW)
    yield text(region.region, "0", top + 12, "name")


def _by_state(found: Sequence[Run], line: float, *, up: bool) -> Iterator[tuple[str, float, list[Run]]]:
    """Upon a line, or below it."""
    for state in sorted({state for _, _, state in found}, key=lambda state: TALL.get(state, 0.0)):
        yield state, line - TALL[state] if up else line, [each for each in found if each[2] == state]


def dead_scale(policies: Iterable[PolicyCourse]) -> Scale | None:
    """None where no client ever met a dead region, and none was sent there."""
    tracks = (track for policy in policies for track in (at_dead(policy), published_dead(policy)))
    most = max((value for track in tracks for _, value in track), default=0.0) / 100
    return scale_of_percent(next(each for each in _PERCENTS if each >= most)) if most > 0 else None


_PERCENTS: Final = (1.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def dead(policy: PolicyCourse, scale: Scale, drawn: Drawn) -> str:
    """Clients at dead regions; what is published of those is the line."""
    clients = steps(drawn.thin(at_dead(policy)), drawn.time, scale)
    answer = steps(drawn.thin(published_dead(policy)), drawn.time, scale)
    shapes = (
        _line("lost", "clients at dead regions", below(clients), scale),
        _line("dashed", "of the answer", answer, scale),
    )
    most = max((value for _, value in at_dead(policy)), default=0.0) / 100
    minutes = policy.totals.dead_client_minutes
    said = f"at most {most:.3g} % of the clients of {policy.policy}, {minutes:.1f} client-minutes"
    inside = [across(_DEAD, scale, drawn.time), stretched(_DEAD, *shapes), marked(_DEAD, drawn.time)]
    return lane("Clients at dead regions", said, _DEAD, inside, levels(scale, _DEAD))


def cost_scale(policies: Iterable[PolicyCourse]) -> Scale | None:
    """None where it is not known."""
    most = max((value for policy in policies for _, value in policy.cost), default=0.0)
    if most <= 0:
        return None
    scale = _scale(most, "USD/h")
    return replace(scale, ticks=tuple((value, f"${words}") for value, words in scale.ticks))


def cost(policy: PolicyCourse, scale: Scale, drawn: Drawn) -> str:
    shape = _line("plain", "cost", steps(drawn.thin(policy.cost), drawn.time, scale), scale)
    said = ", ".join(f"{value:,.2f}" for _, value in policy.cost[:_TOLD])
    inside = [across(_COST, scale, drawn.time), stretched(_COST, shape), marked(_COST, drawn.time)]
    return lane(f"Cost of {policy.policy} in USD per hour", said, _COST, inside, levels(scale, _COST))


# -- a region ----------------------------------------------------------------------------------------------------------


def load_scale(loads: Sequence[LoadCourse]) -> Scale | None:
    """None where nobody says what it is sent, nor what it can carry."""
    most = max((value for each in loads for _, value in (*each.load, *each.room)), default=0.0)
    capacity = max((each.capacity or 0.0 for each in loads), default=0.0)
    scale = _scale(max(most, capacity), "")
    if capacity:
        scale = replace(scale, ticks=((0.0, "0"), (capacity, amount(capacity))))
    return scale if scale.high > 0 else None


def load(region: LoadCourse, scale: Scale, drawn: Drawn) -> str:
    """What it is sent, against what it is taken to carry, and what it can."""
    sent, room = drawn.thin(region.load), drawn.thin(region.room)
    shapes = [_line("room", "room", below(steps(room, drawn.time, scale)), scale)]
    if room:
        shapes.append(f'<path class="over" d="{between(together([sent, room]), drawn.time, scale)}"/>')
    if region.capacity is not None:
        y = scale.y(region.capacity)
        shapes.append(_line("dashed", "capacity", f"M0 {y}H{WIDE}", scale))
    shapes.append(_line("plain", "load", steps(sent, drawn.time, scale), scale))
    most = max((value for _, value in region.load), default=0.0)
    said = (
        f"at most {amount(most)} of {amount(region.capacity)}"
        if region.capacity is not None
        else f"at most {amount(most)}"
    )
    inside = [across(_LOAD, scale, drawn.time), stretched(_LOAD, *shapes), marked(_LOAD, drawn.time)]
    return lane(f"Load of {region.region}", said, _LOAD, inside, levels(scale, _LOAD))


def _scale(most: float, unit: str) -> Scale:
    """With some room above."""
    high = most * 1.1
    return Scale(high, tuple(round_ticks(high, about=2)), unit)


def _line(kind: str, name: str, line: str, scale: Scale) -> str:
    top = scale.high / 100 if scale.unit == "%" else scale.high
    return f'<path class="{kind}" data-name="{inert(name)}" data-top="{top:.6g}" data-unit="{scale.unit}" d="{line}"/>'
