"""What is told of a scenario that was played: for a person, a variant beside another one, and as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

from pydantic import BaseModel
from rich.cells import cell_len

from failoverd.cli.course_totals import FIGURES, LEGEND
from failoverd.cli.screen import aligned, folded, shown
from failoverd.cli.telling_tests import WrongTold
from failoverd.config.diagnostics import Diagnostic
from failoverd.config.values import say_duration
from failoverd.simulation.course import Course, CourseMoment, LoadCourse, MomentKind, PolicyCourse, RegionCourse, Totals
from failoverd.simulation.expectations import say_moment
from failoverd.telemetry.phrases import moment

WIDTH: Final = 80

_MOST: Final = 120
"""Moments that a person is told; JSON has all of them."""

_AT: Final = 11
"""Columns of the times."""

_AS_IT_IS: Final = "as it is"

Points = list[tuple[float, float]]


# -- for a person ------------------------------------------------------------------------------------------------------


def as_text(courses: Sequence[Course], what_if: str = "", policy: str = "") -> str:
    """What happened, what moved and why, and what it came to. `policy` is the only one that is told of, if it is there.

    Of two courses the second is the one with `what_if`.
    """
    course = courses[0]
    lines = [*folded(course.name, WIDTH), *(folded(course.shows, WIDTH) if course.shows else [])]
    lines.append(f"{say_duration(course.lasted)} from {moment(course.began)}")
    if len(courses) == 1:
        lines += _timeline(course, policy)
        lines += ["", *aligned([_HEADS, *(_row(each) for each in _chosen(course, policy))])]
        lines += ["", *_legend()]
    else:
        lines += _side_by_side(courses[0], courses[1], what_if, policy)
    return "".join(f"{shown(line)}\n" for line in lines)


def _chosen(course: Course, policy: str) -> list[PolicyCourse]:
    return [each for each in course.policies if each.policy == policy] or list(course.policies)


def _about(course: Course, policy: str) -> list[CourseMoment]:
    known = any(each.policy == policy for each in course.policies)
    return [
        each for each in course.moments if not known or each.policy in {"", policy} or each.kind is MomentKind.HAPPENED
    ]


def _timeline(course: Course, policy: str) -> Iterator[str]:
    """What happens begins a paragraph; what comes of it follows."""
    moments = _about(course, policy)
    before: CourseMoment | None = None
    for each in moments[:_MOST]:
        if before is None or (each.kind is MomentKind.HAPPENED and before.kind is not MomentKind.HAPPENED):
            yield ""
        at = say_moment(each.at) if before is None or before.at != each.at else ""
        yield from _moment(each, at)
        before = each
    if not moments:
        yield from ("", "nothing happened, and nothing moved")
    left = len(moments) - _MOST + course.left_out
    if left > 0:
        yield from (
            "",
            f"and {left} more moments: --output json has {'all of them' if not course.left_out else 'more'}",
        )


def _moment(told: CourseMoment, at: str) -> Iterator[str]:
    indent = " " * _AT
    whose = f"{told.policy}: " if told.policy and told.kind is not MomentKind.HAPPENED else ""
    yield from folded(f"{whose}{told.moved or told.what}", WIDTH, f"{at:<{_AT - 1}} ", indent + "  ")
    if told.why:
        yield from folded(told.why, WIDTH, indent + "  ", indent + "  ")


_HEADS: Final = ("policy", *(figure.head for figure in FIGURES))


def _row(told: PolicyCourse) -> tuple[str, ...]:
    return (told.policy, *(figure.told(told.totals) for figure in FIGURES))


def _legend() -> Iterator[str]:
    for name, words in LEGEND:
        yield from folded(words, WIDTH, f"  {name:<9}", " " * 11)


# -- two variants ------------------------------------------------------------------------------------------------------

_CELL: Final = (WIDTH - _AT - 3) // 2


def _side_by_side(one: Course, other: Course, what_if: str, policy: str) -> Iterator[str]:
    """What moved in each, by time; then what it came to, where that is another number."""
    yield from ("", *_pair("", (_AS_IT_IS, f"with {what_if}")))
    happened = [each for each in _about(one, policy) if each.kind is MomentKind.HAPPENED]
    moves = [_moves(course, policy) for course in (one, other)]
    times = sorted({each.at for each in (*happened, *moves[0], *moves[1])})
    lines = list[str]()
    for at in times:
        for each in happened:
            if each.at == at:
                lines += ["", *folded(each.what, WIDTH, f"{say_moment(at):<{_AT - 1}} ", " " * (_AT + 2))]
        cells = ["; ".join(_move(each) for each in mine if each.at == at) for mine in moves]
        if any(cells):
            lines += _pair(say_moment(at), cells)
    yield from lines[: 2 * _MOST]
    if len(lines) > 2 * _MOST:
        yield f"and {len(lines) - 2 * _MOST} more lines: --output json has all of it"
    yield ""
    rows = list(_apart(one, other, policy))
    yield from aligned([("", _AS_IT_IS, "what if"), *rows]) if rows else ["it comes to the same"]


def _moves(course: Course, policy: str) -> list[CourseMoment]:
    return [each for each in _about(course, policy) if each.kind in {MomentKind.MOVED, MomentKind.HELD}]


def _move(told: CourseMoment) -> str:
    return f"{told.policy}: {told.moved or told.what}"


def _pair(at: str, cells: Iterable[str]) -> Iterator[str]:
    """Two cells beside each other, each as high as it needs."""
    columns = [folded(cell, _CELL, "", " ") if cell else [""] for cell in cells]
    for number, (left, right) in enumerate(zip_longest(*columns, fillvalue="")):
        gap = " " * max(1, _CELL - cell_len(left) + 2)
        yield f"{at if number == 0 else '':<{_AT - 1}} {left}{gap}{right}".rstrip()


def _apart(one: Course, other: Course, policy: str) -> Iterator[tuple[str, str, str]]:
    for left, right in zip(_chosen(one, policy), _chosen(other, policy), strict=True):
        for figure in FIGURES:
            mine, theirs = figure.told(left.totals), figure.told(right.totals)
            if mine != theirs:
                yield f"{left.policy}: {figure.name}", mine, theirs


# -- for programs ------------------------------------------------------------------------------------------------------


class CourseMomentTold(BaseModel):
    """Something that happened.

    `kind` is happened, seen, moved, held or told; `event` is how the log names it, "" for what the scenario says.
    """

    at_seconds: float
    kind: str
    policy: str
    event: str
    what: str
    moved: str
    why: str


class RegionCourseTold(BaseModel):
    """A region in one policy, over time: pairs of seconds and basis points, or a state of its health.

    `served_bp` is what it really answers of what it is sent, which the daemon cannot know.
    """

    region: str
    shares_bp: Points
    clients_bp: Points
    served_bp: Points
    health: list[tuple[float, str]]


class TotalsTold(BaseModel):
    """What it came to. A client-minute is all clients of a policy for one minute; null is what nobody can reckon."""

    changes: int
    false_moves: int
    dead_minutes: float
    dead_client_minutes: float
    failed_client_minutes: float
    failed_requests: float | None
    over_minutes: float
    away_minutes: float
    cost_usd: float | None


class PolicyCourseTold(BaseModel):
    """A policy over time, by its first record at its first provider. `nowhere_bp`: clients who have no answer."""

    policy: str
    record: str
    ttl_seconds: int
    regions: list[RegionCourseTold]
    nowhere_bp: Points
    demand: Points
    cost_usd_per_hour: Points
    totals: TotalsTold


class LoadCourseTold(BaseModel):
    """A region over all policies, in the unit of its capacity."""

    region: str
    capacity: float | None
    load: Points
    room: Points


class CourseTold(BaseModel):
    """What came of one variant; `what_if` is what is changed in it, "" for the files as they are."""

    what_if: str
    policies: list[PolicyCourseTold]
    loads: list[LoadCourseTold]
    moments: list[CourseMomentTold]
    left_out: int
    totals: TotalsTold


class SimulationTold(BaseModel):
    """What `failoverctl simulate --output json` prints. Without a `scenario`, the `diagnostics` say what is wrong."""

    scenario: str
    shows: str
    file: str
    began_at: float
    lasted_seconds: float
    variants: list[CourseTold]
    diagnostics: list[WrongTold]


def as_json(courses: Sequence[Course], about: Sequence[Diagnostic], what_if: str = "") -> SimulationTold:
    """The same in one value, whose shape docs/simulating.md tells of."""
    first = courses[0] if courses else None
    return SimulationTold(
        scenario=first.name if first is not None else "",
        shows=first.shows if first is not None else "",
        file=first.file if first is not None else "",
        began_at=first.began if first is not None else 0.0,
        lasted_seconds=first.lasted if first is not None else 0.0,
        variants=[_course(each, said) for each, said in zip(courses, ("", what_if), strict=False)],
        diagnostics=[WrongTold.model_validate(each.plain()) for each in about],
    )


def _course(course: Course, what_if: str) -> CourseTold:
    return CourseTold(
        what_if=what_if,
        policies=[_policy(each) for each in course.policies],
        loads=[_load(each) for each in course.loads],
        moments=[_moment_told(each) for each in course.moments],
        left_out=course.left_out,
        totals=_totals(course.totals),
    )


def _policy(told: PolicyCourse) -> PolicyCourseTold:
    return PolicyCourseTold(
        policy=told.policy,
        record=told.record,
        ttl_seconds=told.ttl,
        regions=[_region(each) for each in told.regions],
        nowhere_bp=list(told.nowhere),
        demand=list(told.demand),
        cost_usd_per_hour=list(told.cost),
        totals=_totals(told.totals),
    )


def _region(told: RegionCourse) -> RegionCourseTold:
    return RegionCourseTold(
        region=told.region,
        shares_bp=list(told.shares),
        clients_bp=list(told.clients),
        served_bp=list(told.served),
        health=list(told.health),
    )


def _load(told: LoadCourse) -> LoadCourseTold:
    return LoadCourseTold(region=told.region, capacity=told.capacity, load=list(told.load), room=list(told.room))


def _moment_told(told: CourseMoment) -> CourseMomentTold:
    return CourseMomentTold(
        at_seconds=round(told.at, 3),
        kind=told.kind.value,
        policy=told.policy,
        event=told.event,
        what=told.what,
        moved=told.moved,
        why=told.why,
    )


def _totals(told: Totals) -> TotalsTold:
    return TotalsTold(
        changes=told.changes,
        false_moves=told.false_moves,
        dead_minutes=round(told.dead_minutes, 3),
        dead_client_minutes=round(told.dead_client_minutes, 3),
        failed_client_minutes=round(told.failed_client_minutes, 3),
        failed_requests=round(told.failed_requests, 1) if told.failed_requests is not None else None,
        over_minutes=round(told.over_minutes, 3),
        away_minutes=round(told.away_minutes, 3),
        cost_usd=round(told.cost, 2) if told.cost is not None else None,
    )
