"""What is told of a review: its parts in the order in which a person wants them, as text and as JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from failoverd.cli.screen import aligned, shown
from failoverd.cli.telling_tests import WrongTold
from failoverd.config.diagnostics import Diagnostic
from failoverd.core.records import few, percentages
from failoverd.operations.policy_changes import MISSING
from failoverd.simulation.comparison import Comparison, ShareChange
from failoverd.simulation.outlook import GOOD_DAY, Stands
from failoverd.telemetry.phrases import counted, percent

_WIDE: Final = 48
"""Characters of a cell, before the last, that a table is made for."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A comparison of two sides, by what they are called, and what is wrong with the files of each."""

    old: str
    new: str
    comparison: Comparison
    wrong_before: tuple[Diagnostic, ...] = ()
    wrong: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewPart:
    """A part of what is told: a table. `rows` hold words of the files, whatever is in them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def headline(said: Reviewed) -> str:
    """What it comes to, in one line without a word of the files."""
    found, errors = said.comparison, sum(each.is_error for each in said.wrong)
    parts = [
        f"{counted(number, 'policy', 'policies')} {words if number == 1 else more}"
        for number, words, more in (
            (len(found.changed), "changes", "change"),
            (len(found.added), "is new", "are new"),
            (len(found.removed), "is gone", "are gone"),
        )
        if number
    ]
    if any(not each.policy for each in found.settings):
        parts.append("the inventory changes")
    if not parts and found.shares:
        parts.append("shares change")
    first = [f"{counted(errors, 'error')}: not all of it loads"] if errors else []
    alarms = len(found.alarms)
    last = [counted(alarms, "thing to see before merging", "things to see before merging")] if alarms else []
    return "; ".join([*first, ", ".join(parts) or "nothing changes", *last])


def parts_of(said: Reviewed) -> Iterator[ReviewPart]:
    """What must be seen first, what moves next, and what is said otherwise last."""
    found = said.comparison
    errors = [each for each in said.wrong if each.is_error]
    if errors:
        yield ReviewPart("Does not load (what runs of it goes on)", ("where", "what"), tuple(map(_wrong, errors)))
    if found.alarms:
        seen = tuple((each.kind.replace("_", " "), each.policy, each.said) for each in found.alarms)
        yield ReviewPart("To see before merging", ("what", "policy", "how"), seen)
    yield from _share_parts(found)
    comings = [(name, "new") for name in found.added] + [(name, "gone") for name in found.removed]
    if comings:
        yield ReviewPart("Policies", ("policy", "is"), tuple(comings))
    if found.settings:
        rows = tuple((each.policy or "inventory", each.key, each.before, each.after) for each in found.settings)
        yield ReviewPart("What the files say", ("policy", "key", "before", "after"), rows)
    if warned := [each for each in said.wrong if not each.is_error]:
        yield ReviewPart("Warnings that are new", ("where", "what"), tuple(map(_wrong, warned)))
    if amiss := [each for each in said.wrong_before if each.is_error]:
        yield ReviewPart("Did not load before", ("where", "what"), tuple(map(_wrong, amiss)))


def _share_parts(found: Comparison) -> Iterator[ReviewPart]:
    usual = [each for each in found.shares if each.lost == GOOD_DAY]
    lost = [each for each in found.shares if each.lost != GOOD_DAY]
    several = Counter((each.lost, each.policy) for each in found.shares)
    rows = {id(each): _shares(each, alone=several[each.lost, each.policy] == 1) for each in found.shares}
    priced = any(row[-1] for row in rows.values())
    rows = rows if priced else {key: row[:-1] for key, row in rows.items()}
    columns = ("policy", "before", "after", *(("USD an hour",) if priced else ()))
    if usual:
        yield ReviewPart("Shares on a good day", columns, tuple(rows[id(each)] for each in usual))
    if lost:
        after = tuple((each.lost, *rows[id(each)]) for each in lost)
        yield ReviewPart("When a region or a cloud is lost", ("lost", *columns), after)


def _shares(each: ShareChange, *, alone: bool) -> tuple[str, ...]:
    """A row. Which records it is about is said where it is not about all of its policy."""
    about = each.policy if alone else f"{each.policy}: {few(each.records, 2)}"
    had = each.before.shares if each.before is not None else {}
    sides = (_stands(side, had) for side in (each.before, each.after))
    return about, *sides, _costs(each.before, each.after)


def _stands(stands: Stands | None, had: Mapping[str, int]) -> str:
    """In the order of what each had before, so that the eye finds what is different."""
    if stands is None:
        return MISSING
    dead = f" ({percent(stands.dead)} to what is lost)" if stands.dead else ""
    ordered = sorted(stands.shares, key=lambda name: (-had.get(name, 0), name))
    return f"{percentages({name: stands.shares[name] for name in ordered}) or MISSING}{dead}"


def _costs(before: Stands | None, after: Stands | None) -> str:
    known = [f"{each.cost:,.2f}" if each is not None and each.cost is not None else "" for each in (before, after)]
    return known[1] if known[0] == known[1] else " -> ".join(each or "?" for each in known)


def _wrong(each: Diagnostic) -> tuple[str, str]:
    return each.place, f"{each.severity} {each.code}: {each.message}"


def footnotes(said: Reviewed) -> Iterator[str]:
    """What is alike, and what it costs; without a word of the files."""
    found = said.comparison
    if found.cost is not None and found.cost[0] != found.cost[1]:
        yield f"on a good day ${found.cost[0]:,.2f} an hour becomes ${found.cost[1]:,.2f} (estimate, by list prices)"
    alike = [f"{counted(found.same, 'policy says', 'policies say')} the same"] if found.same else []
    alike += [f"{counted(found.alike, 'row of shares is', 'rows of shares are')} the same"] if found.alike else []
    if alike:
        yield "; ".join(alike)


def as_text(said: Reviewed) -> str:
    """All of it, for a terminal."""
    lines = [headline(said), f"{said.old} -> {said.new}"]
    for part in parts_of(said):
        lines += ["", part.title, *_lines(part)]
    notes = list(footnotes(said))
    lines += ["", *notes] if notes else []
    return "".join(f"{shown(line)}\n" for line in lines)


def _lines(part: ReviewPart) -> Iterator[str]:
    """Rows of a table; those that would make it too wide for the others stand beside it, as they are."""
    narrow = [row for row in part.rows if all(len(cell) <= _WIDE for cell in row[:-1])]
    table = aligned([part.columns, *narrow])
    yield next(table)
    yield from (next(table) if row in narrow else f"  {'  '.join(filter(None, row))}" for row in part.rows)


# -- for programs ------------------------------------------------------------------------------------------------------


class AlarmTold(BaseModel):
    """What a reviewer has to see. `policy`: "" for what is about several."""

    kind: str
    policy: str
    said: str


class SettingTold(BaseModel):
    """A setting. `policy`: "" for the inventory."""

    policy: str
    key: str
    before: str
    after: str


class StandsTold(BaseModel):
    """Shares by region, how much of that goes to what is lost, and what it costs; null where that is not known."""

    shares_bp: dict[str, int]
    dead_bp: int
    hour_usd: float | None

    @classmethod
    def of(cls, stands: Stands | None) -> "StandsTold | None":
        if stands is None:
            return None
        return cls(shares_bp=dict(stands.shares), dead_bp=stands.dead, hour_usd=stands.cost)


class ShareTold(BaseModel):
    """What stands otherwise. `lost`: "" for a good day. null: that side has no such record."""

    lost: str
    policy: str
    records: list[str]
    before: StandsTold | None
    after: StandsTold | None


class ReviewTold(BaseModel):
    """What `failoverctl review --output json` prints."""

    old: str
    new: str
    differs: bool
    alarms: list[AlarmTold]
    broken: list[str]
    added: list[str]
    removed: list[str]
    changed: list[str]
    unchanged: int
    shares: list[ShareTold]
    shares_alike: int
    settings: list[SettingTold]
    cost_hour_usd: dict[str, float] | None
    diagnostics: list[WrongTold]
    diagnostics_before: list[WrongTold]


def as_json(said: Reviewed) -> ReviewTold:
    found = said.comparison
    cost: Mapping[str, float] | None = dict(zip(("before", "after"), found.cost, strict=True)) if found.cost else None
    return ReviewTold(
        old=said.old,
        new=said.new,
        differs=found.differs,
        alarms=[AlarmTold(kind=each.kind, policy=each.policy, said=each.said) for each in found.alarms],
        broken=list(found.broken),
        added=list(found.added),
        removed=list(found.removed),
        changed=list(found.changed),
        unchanged=found.same,
        shares=[
            ShareTold(
                lost=each.lost,
                policy=each.policy,
                records=list(each.records),
                before=StandsTold.of(each.before),
                after=StandsTold.of(each.after),
            )
            for each in found.shares
        ],
        shares_alike=found.alike,
        settings=[
            SettingTold(policy=each.policy, key=each.key, before=each.before, after=each.after)
            for each in found.settings
        ],
        cost_hour_usd=dict(cost) if cost is not None else None,
        diagnostics=_told(said.wrong),
        diagnostics_before=_told(said.wrong_before),
    )


def _told(diagnostics: Sequence[Diagnostic]) -> list[WrongTold]:
    return [WrongTold.model_validate(each.plain()) for each in diagnostics]
