"""What a page of a simulation has in words: what it came to, and what happened when, what moved and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from failoverd.cli.course_page.panels import KINDS, glyph
from failoverd.cli.course_totals import FIGURES, SAME, TotalFigure
from failoverd.cli.pictures import inert
from failoverd.simulation.course import Course, CourseMoment, MomentKind, PolicyCourse, Totals
from failoverd.simulation.expectations import say_moment

AS_IT_IS: Final = "as it is"

MOST_ROWS: Final = 400
"""Moments of the table. All of them are in what `--output json` prints."""

_DAY: Final = 86_400.0


# -- what it came to ---------------------------------------------------------------------------------------------------


def totals(policies: Sequence[Sequence[PolicyCourse]], every: Sequence[Totals], names: Sequence[str]) -> str:
    """A row for each policy, and one for all; of two variants one for each, and one with the difference."""
    heads = "".join(f'<th scope="col" class="number">{inert(figure.name)}</th>' for figure in FIGURES)
    variant = '<th scope="col">variant</th>' if len(names) > 1 else ""
    bodies = [
        _body(f'<a href="#policy-{number}">{inert(of[0].policy)}</a>', [each.totals for each in of], names)
        for number, of in enumerate(zip(*policies, strict=True))
    ]
    if len(bodies) > 1:
        bodies.append(_body("all of them", every, names))
    return (
        '<div class="wide" tabindex="0" role="region" aria-labelledby="totals-title"><table class="totals">'
        '<caption class="unseen">What it came to</caption>'
        f'<thead><tr><th scope="col">policy</th>{variant}{heads}</tr></thead>'
        f"{''.join(bodies)}</table></div>"
    )


def _body(name: str, found: Sequence[Totals], names: Sequence[str]) -> str:
    rows = [(said, "", [figure.told(totals) for figure in FIGURES]) for totals, said in zip(found, names, strict=True)]
    if len(found) > 1:
        apart = [figure.apart(found[0], found[1]) for figure in FIGURES]
        rows.append(("difference", ' class="difference"', apart))
    lines = list[str]()
    for number, (said, kind, cells) in enumerate(rows):
        head = f'<th scope="rowgroup" rowspan="{len(rows)}">{name}</th>' if number == 0 else ""
        variant = f'<th scope="row">{inert(said)}</th>' if len(found) > 1 else ""
        lines.append(f"<tr{kind}>{head}{variant}{''.join(map(_number, FIGURES, cells))}</tr>")
    return f"<tbody>{''.join(lines)}</tbody>"


def _number(figure: TotalFigure, said: str) -> str:
    same = " same" if said == SAME else ""
    return f'<td class="number{same}" data-head="{inert(figure.name)}">{inert(said)}</td>'


# -- what happened -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MomentRow:
    """A moment of some variant, or of both of them: `sides` has one for each, None where it did not come to pass."""

    sides: tuple[CourseMoment | None, ...]

    @property
    def moment(self) -> CourseMoment:
        return next(each for each in self.sides if each is not None)


def rows(courses: Sequence[Sequence[CourseMoment]]) -> list[MomentRow]:
    """In order; what comes to pass in both variants at the same time is one row."""
    if len(courses) == 1:
        return [MomentRow((each,)) for each in courses[0]]
    others = list(courses[1])
    found = list[MomentRow]()
    for each in courses[0]:
        same = next((other for other in others if _same(each, other)), None)
        if same is not None:
            others.remove(same)
        found.append(MomentRow((each, same)))
    return sorted([*found, *(MomentRow((None, other)) for other in others)], key=lambda row: row.moment.at)


def _same(one: CourseMoment, other: CourseMoment) -> bool:
    """Whether they stand for each other in two variants."""
    return (one.at, one.kind, one.policy, one.event) == (other.at, other.kind, other.policy, other.event)


def moments(
    courses: Sequence[Course],
    about: Sequence[Sequence[CourseMoment]],
    names: Sequence[str],
    numbers: Mapping[float, int],
) -> str:
    """The table; `numbers` are those that marks of what happens have in the pictures."""
    found = rows(about)
    if not found:
        return '<p class="note">Nothing happened, and nothing moved.</p>'
    shown = found[:MOST_ROWS]
    left = len(found) - len(shown) + max(each.left_out for each in courses)
    more = f'<p class="note">And {left:,} more moments: <code>--output json</code> has them.</p>' if left else ""
    heads = ["at", "kind", "policy", *(names if len(names) > 1 else ["what"])]
    head = "".join(f'<th scope="col">{inert(each)}</th>' for each in heads)
    body = "".join(_row(row, courses[0], names, numbers) for row in shown)
    return (
        '<table class="moments"><caption class="unseen">What happened, what moved, and why</caption>'
        f"<thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{more}"
    )


def _row(row: MomentRow, course: Course, names: Sequence[str], numbers: Mapping[float, int]) -> str:
    told = row.moment
    happened = told.kind is MomentKind.HAPPENED
    number = f'<span class="number-of">{numbers[told.at]}</span> ' if happened else ""
    whose = "" if happened else told.policy
    at = f'{say_moment(told.at)} <span class="clock">{_clock(course, told.at)}</span>'
    return (
        f'<tr class="{"begins" if happened else "follows"}"><th scope="row">{at}</th>'
        f'<td class="kind">{glyph(told.kind)}{number}{KINDS[told.kind]}</td>'
        f'<td class="whose">{inert(whose)}</td>{_cells(row, names)}</tr>'
    )


def _clock(course: Course, at: float) -> str:
    day = f"{datetime.fromtimestamp(course.began + at, UTC):%m-%d }" if course.lasted > _DAY else ""
    return f"{day}{datetime.fromtimestamp(course.began + at, UTC):%H:%M:%S}"


def _cells(row: MomentRow, names: Sequence[str]) -> str:
    if len(set(row.sides)) == 1:
        span = f' colspan="{len(row.sides)}"' if len(row.sides) > 1 else ""
        return f"<td{span}>{_words(row.moment)}</td>"
    return "".join(
        f'<td data-head="{inert(name)}">{_words(each)}</td>' if each is not None else "<td></td>"
        for each, name in zip(row.sides, names, strict=True)
    )


def _words(told: CourseMoment) -> str:
    why = f'<span class="why">{inert(told.why)}</span>' if told.why else ""
    return f"<bdi>{inert(told.moved or told.what)}</bdi>{why}"
