"""A simulation as one HTML file that needs nothing besides itself: no address to ask, and no script to be whole."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

from failoverd.api.page import hash_of, mark, still_style
from failoverd.cli.course_page import course_tables, panels
from failoverd.cli.course_page.course_tables import AS_IT_IS
from failoverd.cli.course_page.lanes import NumberedMark, Time, axis, ticks_of
from failoverd.cli.course_page.panels import COLOURS, Drawn
from failoverd.cli.course_page.tracks import at_dead
from failoverd.cli.course_totals import LEGEND
from failoverd.cli.pictures import inert
from failoverd.config.values import say_duration
from failoverd.simulation.course import Course, CourseMoment, LoadCourse, MomentKind, PolicyCourse
from failoverd.telemetry.phrases import counted, moment

HERE: Final = Path(__file__).parent

_POINTS: Final = 15_000
"""Of all tracks of a page together: some hundred kilobytes."""

_OF_ONE: Final = (1_200, 600, 300, 150, 80)
"""Of one track: at first more than a picture is wide, then fewer until all of them have room."""


def page(courses: Sequence[Course], what_if: str = "", policy: str = "") -> str:
    """The whole file. Of two courses the second is the one with `what_if`; `policy` is the only one that is shown."""
    course, style, script = courses[0], _style(), _script()
    title, inside = f"Simulation: {course.name}", "".join(_main(courses, what_if, policy))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{inert(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#totals">Skip to what it came to</a>\n'
        f'<header class="bar"><p class="mark">{mark()} failoverd</p><p class="note">simulation</p></header>\n'
        f'<main data-lasted="{course.lasted:g}">\n{inside}</main>\n'
        '<footer class="foot"><p>Played by <code>failoverctl simulate</code> on a clock of its own. What probes,'
        " decides and writes is the daemon; the world around it is on paper.</p></footer>\n"
        f'<div id="readout" aria-hidden="true" hidden></div>\n<script>{script}</script>\n</body>\n</html>\n'
    )


def _policy(style: str, script: str) -> str:
    """What is in the page may run and be seen; it asks nobody for anything."""
    rules = ("default-src 'none'", f"style-src {hash_of(style)}", f"script-src {hash_of(script)}")
    return "; ".join((*rules, "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"))


@cache
def _style() -> str:
    colours = (f"#paint .r{each} {{ fill: var(--r{each}); }}\n" for each in range(COLOURS))
    return f"{still_style()}{(HERE / 'course.css').read_text('utf-8')}{''.join(colours)}"


@cache
def _script() -> str:
    return (HERE / "course.js").read_text("utf-8")


# -- what is in it -----------------------------------------------------------------------------------------------------


def _main(courses: Sequence[Course], what_if: str, policy: str) -> Iterator[str]:
    known = any(each.policy == policy for each in courses[0].policies)
    policies = [[each for each in one.policies if not known or each.policy == policy] for one in courses]
    about = [_about(one.moments, policy if known else "") for one in courses]
    names = [AS_IT_IS, f"with {what_if}"][: len(courses)]
    marks = _marks(about)
    drawn = _drawn(courses, policies, marks)

    yield _head(courses[0], what_if)
    yield '<section id="totals"><h2 id="totals-title">What it came to</h2>'
    yield course_tables.totals(policies, [one.totals for one in courses], names)
    yield f'<details class="meaning"><summary>What these numbers mean</summary>{_list(LEGEND)}</details></section>\n'
    yield _paint(drawn)
    moving, still = list[str](), list[str]()
    for number, pair in enumerate(zip(*policies, strict=True)):
        section = _of_policy(number, pair, [_about(each, pair[0].policy) for each in about], names, drawn)
        (moving if any(map(_moved, pair)) else still).append(section)
    yield from moving or still
    if moving and still:
        said = counted(len(still), "policy to which nothing happened", "policies to which nothing happened")
        yield f'<details class="still"><summary>{said}</summary>{"".join(still)}</details>\n'
    yield _of_regions([one.loads for one in courses], names, drawn)
    yield '<section aria-labelledby="moments-title"><h2 id="moments-title">What happened, what moved, and why</h2>'
    yield course_tables.moments(courses, about, names, {each.at: each.number for each in marks})
    yield "</section>\n"


def _about(moments: Sequence[CourseMoment], policy: str) -> list[CourseMoment]:
    """What is of a policy, or of all of them; all of it where none is named."""
    happened = MomentKind.HAPPENED
    return [each for each in moments if not policy or each.policy in {"", policy} or each.kind is happened]


def _marks(about: Sequence[Sequence[CourseMoment]]) -> tuple[NumberedMark, ...]:
    """What happens at one time has one number."""
    times = {each.at for moments in about for each in moments if each.kind is MomentKind.HAPPENED}
    return tuple(NumberedMark(at, number) for number, at in enumerate(sorted(times), 1))


def _drawn(
    courses: Sequence[Course], policies: Sequence[Sequence[PolicyCourse]], marks: tuple[NumberedMark, ...]
) -> Drawn:
    lasted = max(each.lasted for each in courses)
    regions = [each.region for one in courses for each in one.loads]
    regions += [each.region for one in policies for found in one for each in found.regions]
    sizes = [len(track) for one in courses for each in one.loads for track in (each.load, each.room)]
    sizes += [size for one in policies for found in one for size in _sizes(found)]
    most = next((each for each in _OF_ONE if sum(min(each, size) for size in sizes) <= _POINTS), _OF_ONE[-1])
    places = {name: place for place, name in enumerate(dict.fromkeys(regions))}
    return Drawn(Time(lasted, ticks_of(lasted), marks), places, most, count())


def _sizes(policy: PolicyCourse) -> Iterator[int]:
    """Of all that is drawn of it: areas that lie upon each other change with each of them."""
    shares = len({at for each in policy.regions for at, _ in each.shares})
    for each in policy.regions:
        yield from (shares, len(each.health), len(each.served))
    yield from (len(policy.cost), len(at_dead(policy)))


def _moved(policy: PolicyCourse) -> bool:
    """Whether anything of it became something else."""
    tracks = (track for each in policy.regions for track in (each.shares, each.served, each.health))
    return any(len(track) > 1 for track in tracks)


def _head(course: Course, what_if: str) -> str:
    shows = f'<p class="shows">{inert(course.shows)}</p>' if course.shows else ""
    beside = f" \u00b7 compared with <code>{inert(what_if)}</code>" if what_if else ""
    return (
        f'<div class="head"><h1>{inert(course.name)}</h1>{shows}<p class="note">{say_duration(course.lasted)} from'
        f" {moment(course.began)} \u00b7 <code>{inert(course.file)}</code>{beside}</p></div>\n"
    )


def _list(found: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<div><dt>{inert(name)}</dt><dd>{inert(words)}</dd></div>' for name, words in found)}</dl>"


# -- pictures ----------------------------------------------------------------------------------------------------------


def _of_policy(
    number: int,
    pair: Sequence[PolicyCourse],
    about: Sequence[Sequence[CourseMoment]],
    names: Sequence[str],
    drawn: Drawn,
) -> str:
    """One below the other, on one time axis."""
    one = pair[0]
    times = axis(drawn.time)
    told = [panels.moments(each, drawn) + times for each in about]
    figures = [_figure("Moments", "numbers are those of the table", names, told)]
    weights, states = [panels.weights(each, drawn) for each in pair], [panels.health(each, drawn) for each in pair]
    figures.append(_figure("Weights", "what is published, stacked", names, weights, _regions(pair, drawn)))
    figures.append(_figure("Health", "as failoverd sees it; below, what a region really does", names, states, _STATES))
    scale = panels.dead_scale(pair)
    if scale is not None:
        lanes = [panels.dead(each, scale, drawn) for each in pair]
        said = "of all clients of the policy, by their resolvers"
        figures.append(_figure("Clients at dead regions", said, names, lanes, _DEAD))
    scale = panels.cost_scale(pair)
    if scale is not None:
        lanes = [panels.cost(each, scale, drawn) for each in pair]
        figures.append(_figure("Cost", "USD per hour, by what is published", names, lanes))
    demand = "; nobody says what it needs" if not one.demand else ""
    return (
        f'<section class="board" id="policy-{number}" aria-labelledby="policy-{number}-title">'
        f'<h2 id="policy-{number}-title">{inert(one.policy)}</h2>'
        f'<p class="note">{inert(one.record)}, TTL {say_duration(one.ttl)}{demand}</p>'
        f"{_card(figures, names, drawn)}</section>\n"
    )


def _of_regions(loads: Sequence[Sequence[LoadCourse]], names: Sequence[str], drawn: Drawn) -> str:
    by_name = {each.region: [_named(one, each.region) for one in loads] for one in loads for each in one}
    figures = list[str]()
    for name, found in by_name.items():
        scale = panels.load_scale(found)
        if scale is not None:
            figures.append(_figure(name, "", names, [panels.load(each, scale, drawn) for each in found]))
    said = "of all policies together, in the unit of its capacity"
    inside = _card([*figures, _LOADS], names, drawn) if figures else '<p class="note">Nobody says what is needed.</p>'
    return (
        '<section class="board" aria-labelledby="regions-title"><h2 id="regions-title">Load against room</h2>'
        f'<p class="note">{said}</p>{inside}</section>\n'
    )


def _named(loads: Sequence[LoadCourse], region: str) -> LoadCourse:
    return next((each for each in loads if each.region == region), LoadCourse(region, None, (), ()))


def _card(figures: Sequence[str], names: Sequence[str], drawn: Drawn) -> str:
    return f'<div class="chart">{"".join(figures)}{_lanes(names, [axis(drawn.time) for _ in names], "times")}</div>'


def _figure(title: str, words: str, names: Sequence[str], lanes: Sequence[str], keys: str = "") -> str:
    note = f' <span class="note">{inert(words)}</span>' if words else ""
    return f"<figure><figcaption>{inert(title)}{note}</figcaption>{_lanes(names, lanes)}{keys}</figure>"


def _lanes(names: Sequence[str], lanes: Sequence[str], kind: str = "lanes") -> str:
    """Variants beside each other, or one below the other where there is no room."""
    if len(names) == 1:
        return f'<div class="{kind}">{lanes[0]}</div>'
    said = (f'<div><p class="variant">{inert(name)}</p>{drawn}</div>' for name, drawn in zip(names, lanes, strict=True))
    return f'<div class="{kind} pair">{"".join(said)}</div>'


# -- what colours and lines mean ---------------------------------------------------------------------------------------


def _paint(drawn: Drawn) -> str:
    """What areas are filled with: colours with patterns on them, the same for a region everywhere."""
    used = range(max(drawn.places.values(), default=0) + 1)
    patterns = "".join(panels.pattern(each) for each in used)
    return f'<svg id="paint" width="0" height="0" aria-hidden="true"><defs>{patterns}{panels.glyphs()}</defs></svg>\n'


def _regions(pair: Sequence[PolicyCourse], drawn: Drawn) -> str:
    names = dict.fromkeys(each.region for policy in pair for each in policy.regions)
    return _keys((f'<rect width="22" height="12" fill="url(#fill-{drawn.paint(name)})"/>', name) for name in names)


def _keys(found: Iterable[tuple[str, str]]) -> str:
    """Which is which."""
    items = (
        f'<li><svg width="22" height="12" aria-hidden="true">{shape}</svg>{inert(name)}</li>' for shape, name in found
    )
    return f'<ul class="keys">{"".join(items)}</ul>'


def _bar(state: str) -> str:
    tall = panels.TALL[state]
    return f'<path class="{state}" d="M0 {12 - tall:g}h22v{tall:g}h-22z"/>'


_STATES: Final = _keys(
    [(_bar(state), state) for state in ("healthy", "degraded", "down", "unknown")]
    + [(_bar("partly"), "really fails in part"), (_bar("dead"), "is really dead")]
)
_LOST: Final = '<path class="lost" d="M0 12V4H22V12Z"/>'
_DASHED: Final = '<path class="dashed" d="M0 6H22"/>'
_DEAD: Final = _keys([(_LOST, "clients who are there, or have no answer"), (_DASHED, "of what is published")])
_LOADS: Final = _keys(
    [
        ('<path class="plain" d="M0 6H22"/>', "load: what clients send"),
        ('<path class="room" d="M0 12V2H22V12Z"/>', "room: what it is taken to carry"),
        (_DASHED, "capacity"),
        ('<path class="over" d="M0 12V2H22V12Z"/>', "more than its room"),
    ]
)
