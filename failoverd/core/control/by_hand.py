"""A change that a person made with a command that failoverd printed: the marker beside the record says `by=hand`.

It counts. It is told like a change of our own, spends nothing of what the limits allow, and becomes an operator's word
that keeps the answer for a while: the shares that were found are pinned, so that a region that goes down still leaves.
An answer that no region of the policy names has no shares that could be pinned: then the record is held as it is.

The types of a name share a marker. The first of them that looks sees who wrote it, and its own next write says so no
more. So each remembers the generation (`TargetMemory.by_hand`), and the others find it there.

A command may take several writes, the first of which is the marker (Traffic Manager). So for a while the marker is left
as it is, and what else becomes of the answer meanwhile is part of the same change: the word follows.

The id of the word is made of the target and the generation alone, and that of the change of its answer, too: whoever
finds it, and however often, it is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2s
from typing import Final

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.plan import Plan, PlanKind, refusal
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.overrides import BY_HAND, HAND, Comment, Override, Scope, Verb
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import ELSEWHERE, Observed, Policy, RecordSet, Target

SETTLES: Final = 60.0
"""Seconds within which all that a command writes is there."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A change by hand that was not known before, and the word that it comes to; None where that is known already."""

    change: Plan
    word: Override | None


def generation_by_hand(state: PolicyState, memory: TargetMemory, observed: Observed, owner: str, now: float) -> int:
    """The generation of a change of the name by hand that the target has not heard all of; 0 without one."""
    marker = observed.marker
    if marker is None or marker.owner != owner:
        return 0
    if marker.by_hand:
        return marker.generation if marker.generation > memory.by_hand or settles(memory, observed, now) else 0
    if marker.generation <= memory.generation:
        return 0
    found = max((other.by_hand for other in state.other_types(memory.target)), default=0)
    return found if found > memory.by_hand else 0


def settles(memory: TargetMemory, observed: Observed, now: float) -> float | None:
    """Until when a person may still be at it; None when nobody is. Until then the marker goes on to say so."""
    marker, until = observed.marker, memory.by_hand_at + SETTLES
    at_it = marker is not None and marker.by_hand and marker.generation == memory.by_hand and now < until
    return until if at_it else None


def hear(
    policy: Policy, state: PolicyState, memory: TargetMemory, observed: Observed, generation: int, now: float
) -> Heard | None:
    """What a change by hand of that generation did to the target; None if nothing, or nothing that could be kept."""
    target, records, marker, good = observed.target, observed.records, observed.marker, memory.last_good
    if records is None or not records.serving or marker is None or refusal(observed, marker.owner) is not None:
        return None
    if good is not None and (records == good.records or good.generation >= generation + marker.by_hand):
        return None
    shares = records.shares(policy.region_of(target.key.type))
    word = _word(target, generation, shares, now)
    known = next((each for each in state.overrides if each.id == word.id), None)
    if known is not None:
        word = replace(known, shares=shares)
    reasons = (Reason(ReasonCode.BY_HAND, "overrides", numbers={"generation": float(generation)}),)
    named = _digest(target, generation, *records.answers, records.ttl)
    change = Plan(
        id=f"chg-hand-{named}",
        kind=PlanKind.BY_HAND,
        target=target,
        before=Observed(target, good.records if good is not None else None),
        after=records,
        marker=marker,
        shares_before=good.shares if good is not None else {},
        shares_after=shares,
        decision=Decision(target, DecisionKind.OPERATOR, shares, records, reasons, now, id=f"dec-hand-{named}"),
        revision=policy.source.revision,
    )
    return Heard(change, word if word != known else None)


def accepted(change: Plan, decision: Decision, wanted: RecordSet) -> RecordSet | None:
    """What the word would have published itself, where the answer that a person left is good as it stands, too.

    It may have another TTL, or fewer addresses of a region: it stays for as long as the word wants just that. An answer
    with a value that may not be given now does not: it leaves.
    """
    allowed = {value for values in decision.values.values() for value in values}
    stays = all(answer.value in allowed for answer in change.after.serving)
    return wanted if stays and not change.after.says(wanted) else None


def word_id(target: Target, generation: int, shares: Mapping[str, int]) -> str:
    """The id of the word that a change by hand comes to, known before it is made."""
    return f"{Verb.HOLD if ELSEWHERE in shares else Verb.PIN}-{_digest(target, generation)}"


def _word(target: Target, generation: int, shares: Mapping[str, int], now: float) -> Override:
    why = f"generation {generation} was written with a command that failoverd printed"
    return Override(
        id=word_id(target, generation, shares),
        verb=Verb.HOLD if ELSEWHERE in shares else Verb.PIN,
        scope=Scope.of(target),
        actor=HAND,
        since=now,
        until=now + BY_HAND,
        comments=(Comment(now, HAND, why),),
        shares=shares,
    )


def _digest(target: Target, *what: object) -> str:
    named = (target.policy, str(target.key), target.provider, target.zone, *what)
    return blake2s(repr(named).encode(), digest_size=4).hexdigest()
