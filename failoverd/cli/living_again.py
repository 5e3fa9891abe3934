"""`failoverctl replay --policy FILE`: what another file would have done in a time that is over."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import merge
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from failoverd.cli.failing import note, print_json, print_text, told, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.progress_line import progress
from failoverd.cli.replaying_decisions import (
    ConclusionTold,
    LostTold,
    ReplayWanted,
    conclusion_told,
    lost_told,
    of_lost,
    place_of,
    say_answer,
    say_conclusion,
)
from failoverd.cli.screen import aligned, shown
from failoverd.cli.views.from_journal import opened
from failoverd.cli.views.spoken_times import clock
from failoverd.cli.what_if import loaded_with
from failoverd.config.locating import journal_of
from failoverd.core.control.inputs import Decided
from failoverd.core.errors import ConfigError
from failoverd.core.records import Policy, Target
from failoverd.installed import kinds, read_config
from failoverd.operations.replays import Advance, LostDecisions, lost_of
from failoverd.simulation.hindsight import WELL_WITHIN, Balance, Hindsight, TurningPoint, lived_again
from failoverd.store.decisions import DecisionReading
from failoverd.telemetry.phrases import counted
from failoverd.telemetry.times import rfc3339

_SHOWN: Final = 10
"""Moments of a record that are shown to a person; JSON has all of them."""


class BalanceTold(BaseModel):
    """What a time comes to for one record; `cost` in USD, null where a price or the demand is not known."""

    changes: int
    false_moves: int
    dead_minutes: float
    dead_client_minutes: float
    cost: float | None


class TurnTold(BaseModel):
    """A moment from which on something else would have been answered. Shares are in basis points by region."""

    at: str
    then_bp: dict[str, int]
    instead_bp: dict[str, int]
    decided: ConclusionTold
    by_file: ConclusionTold


class HindsightTold(BaseModel):
    """One record by another file. `apart_at` is null where nothing would have been otherwise."""

    policy: str
    record: str
    provider: str
    decisions: int
    apart_at: str | None
    then: BalanceTold
    instead: BalanceTold
    turns: list[TurnTold]
    turns_left_out: int
    inexact: list[str]


class HindsightsTold(BaseModel):
    """What `failoverctl replay --policy FILE --output json` prints."""

    file: str
    since: str
    until: str
    same: bool
    records: list[HindsightTold]
    lost: list[LostTold]
    without_decisions: list[str]


@dataclass(frozen=True, slots=True)
class _Found:
    """What came of it. `unheard`: records of the file of which no decision is kept."""

    file: Path
    since: float
    until: float
    records: tuple[Hindsight, ...]
    lost: tuple[LostDecisions, ...]
    unheard: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the file would have answered the same: of what nothing is known, nobody can say so."""
        return bool(self.records) and all(each.apart_at is None for each in self.records)


def live_again(wanted: ReplayWanted, file: Path, output: Output) -> Exit:
    """What the file would have done with its policy in that time."""
    with told():
        if wanted.policies:
            raise usage("--policy names a file, and with it its policy: name no other")
        found = _lived(wanted, file)
        for each in found.lost:
            note(of_lost(each))
        if output is Output.JSON:
            print_json(_told(found).model_dump())
        else:
            print_text(shown("\n".join(_text(found)) + "\n", lines=True))
        if not found.records:
            return Exit.FAILED
        return Exit.FINE if found.same else Exit.PENDING


def _lived(wanted: ReplayWanted, file: Path) -> _Found:
    now = time.time()
    since, policy = max(0.0, now - wanted.last), _policy_of(wanted.config, file)
    with opened(DecisionReading(journal_of(wanted.config))) as reading, progress() as tell:
        numbers = {target: number for number, target in reading.decided() if target in policy.targets}
        advance = Advance(reading.count(list(numbers.values()), since, now), tell)
        records, lost = list[Hindsight](), list[LostDecisions]()
        for target, number in numbers.items():
            unread = list[float]()
            decisions = advance.through(reading.decisions(number, since, now, unread))
            others = partial(_of_others, reading, policy.name, since, now)
            records.append(lived_again(policy, target, decisions, since, now, others))
            lost += lost_of(target, unread)
        unheard = tuple(str(target) for target in policy.targets if target not in numbers)
        return _Found(file, since, now, tuple(each for each in records if each.decisions), tuple(lost), unheard)


def _of_others(reading: DecisionReading, name: str, since: float, until: float) -> Iterator[Decided]:
    """What other policies decided about the first record of each, by time. What cannot be read of them is left out."""
    numbers = {target: number for number, target in reading.decided() if target.policy != name}
    streams = list[Iterator[Decided]]()
    for policy in dict.fromkeys(target.policy for target in numbers):
        kept = {target: number for target, number in numbers.items() if target.policy == policy}
        streams.append(reading.decisions(kept[_first_of(reading, kept, since)], since, until, []))
    return merge(*streams, key=lambda each: each.inputs.now)


def _first_of(reading: DecisionReading, kept: Mapping[Target, int], since: float) -> Target:
    """The target by which a policy's claims are made: the first of its file."""
    number = next(iter(kept.values()))
    decided = next(reading.decisions(number, since, float("inf"), []), None)
    named = decided.policy.targets if decided is not None else ()
    return next((target for target in named[:1] if target in kept), next(iter(kept)))


def _policy_of(path: Path, file: Path) -> Policy:
    """The policy of the file. Raises ConfigError."""
    found = loaded_with(file, read_config(path), kinds())
    for policy in found.policies.values():
        if policy.source.file == str(file):
            return policy
    raise ConfigError(f"{file} holds no policy", reason="policy_unknown", remedy="name a policy file")


# -- what is told ------------------------------------------------------------------------------------------------------


def _told(found: _Found) -> HindsightsTold:
    return HindsightsTold(
        file=str(found.file),
        since=rfc3339(found.since),
        until=rfc3339(found.until),
        same=found.same,
        records=[_record(each) for each in found.records],
        lost=[lost_told(each) for each in found.lost],
        without_decisions=list(found.unheard),
    )


def _record(each: Hindsight) -> HindsightTold:
    return HindsightTold(
        **place_of(each.target),
        decisions=each.decisions,
        apart_at=rfc3339(each.apart_at) if each.apart_at is not None else None,
        then=_balance(each.then),
        instead=_balance(each.instead),
        turns=[_turn(turn) for turn in each.turns],
        turns_left_out=each.left_out,
        inexact=list(each.inexact),
    )


def _balance(found: Balance) -> BalanceTold:
    return BalanceTold(
        changes=found.changes,
        false_moves=found.false_moves,
        dead_minutes=round(found.dead_minutes, 2),
        dead_client_minutes=round(found.dead_client_minutes, 2),
        cost=round(found.cost, 2) if found.cost is not None else None,
    )


def _turn(turn: TurningPoint) -> TurnTold:
    return TurnTold(
        at=rfc3339(turn.at),
        then_bp=dict(turn.then),
        instead_bp=dict(turn.instead),
        decided=conclusion_told(turn.came),
        by_file=conclusion_told(turn.by_file),
    )


def _text(found: _Found) -> Iterator[str]:
    span = f"from {clock(found.since)} until {clock(found.until)}"
    apart = [each for each in found.records if each.apart_at is not None]
    if not found.records:
        yield f"nothing is kept of any decision about the records of {found.file}"
    elif not apart:
        yield f"the same by {found.file}"
    else:
        yield f"otherwise by {found.file}: {len(apart)} of {counted(len(found.records), 'record')}"
    yield span
    for each in found.records:
        yield ""
        yield from _of_record(each)
    if found.unheard:
        yield ""
        yield from (f"no decision is kept of {name}" for name in found.unheard)


def _of_record(each: Hindsight) -> Iterator[str]:
    yield f"{each.target}, {counted(each.decisions, 'decision')}"
    yield from aligned((("", "then", "by the file"), *_rows(each.then, each.instead)))
    for turn in each.turns[:_SHOWN]:
        yield ""
        yield from _of_turn(turn)
    more = len(each.turns) + each.left_out - _SHOWN
    if more > 0:
        yield ""
        yield f"and {counted(more, 'moment')} more: --output json has them"
    if each.apart_at is not None:
        yield ""
        yield f"From {clock(each.apart_at)} on it is a simulation: what stands follows the"
        yield "other decisions, and each write comes about within a second."
    yield from (f"Not exact: {words}." for words in each.inexact)


def _rows(then: Balance, instead: Balance) -> Sequence[Sequence[str]]:
    both = (then, instead)
    return (
        ("changes", *(str(each.changes) for each in both)),
        (f"false moves (well again within {WELL_WITHIN / 60:.0f} min)", *(str(each.false_moves) for each in both)),
        ("minutes with a dead region in the answer", *(f"{each.dead_minutes:.1f}" for each in both)),
        ("client-minutes on dead regions", *(f"{each.dead_client_minutes:.1f}" for each in both)),
        ("cost", *(f"${each.cost:,.2f}" if each.cost is not None else "not known" for each in both)),
    )


def _of_turn(turn: TurningPoint) -> Iterator[str]:
    if turn.alike:
        yield f"  {clock(turn.at)}  the same again: {say_answer(turn.then)}"
        return
    yield f"  {clock(turn.at)}"
    yield f"    then         {say_answer(turn.then)}  ({say_conclusion(turn.came)})"
    yield f"    by the file  {say_answer(turn.instead)}  ({say_conclusion(turn.by_file)})"
