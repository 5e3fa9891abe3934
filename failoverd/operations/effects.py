"""What an operator's word does at one record, told from what `evaluate` says with it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import PlanKind
from failoverd.core.errors import FailoverdError
from failoverd.core.overrides import STOPPING, Override
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import Policy, Target
from failoverd.operations.judging import RATES, slower, unserved
from failoverd.telemetry import reasoning


@dataclass(frozen=True, slots=True)
class Effect:
    """What a word does at one record, and how far that is.

    Attributes:
        target: which record.
        kind: what `evaluate` says is to be done there now; None where nobody can say, and `error` is why.
        before: shares in basis points by region, as they are answered now.
        after: as they will be, in the end.
        ttl: seconds for which resolvers may keep an answer.
        reasons: the steps that name the word, in words.
        limits: what makes it slower, or keeps out whom it gives a share, in words.
        rated: a rate is among these, which meets no word that says at once.
        settled: nothing is left to be done: what is answered is what is wanted.
        left: once the word is over, why what it kept away does not come back yet, in words.
        changed_at: when the answer was changed last, in seconds since the epoch; None if that is not known.
        verified: the authoritative servers agree with it.
        unconfirmed: nobody is to be asked whether they do, or could say so: it was written and read back.
    """

    target: Target
    kind: OutcomeKind | None
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)
    ttl: int = 0
    reasons: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    rated: bool = False
    error: str = ""
    settled: bool = False
    left: tuple[str, ...] = ()
    changed_at: float | None = None
    verified: bool = False
    unconfirmed: bool = False


class Preview(Protocol):
    """One record as it is worked on: what would be done about it if these words were all there are."""

    def __call__(self, overrides: tuple[Override, ...]) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Concerned:
    """A record that a word is about."""

    policy: Policy
    target: Target
    preview: Preview


def outcome_of(preview: Preview, overrides: tuple[Override, ...]) -> Outcome | FailoverdError:
    try:
        return preview(overrides)
    except FailoverdError as error:
        return error


async def in_turn(concerned: Iterable[Concerned]) -> AsyncIterator[Concerned]:
    """One record after the other; after each, whatever else the loop has to do is done."""
    for each in concerned:
        yield each
        await asyncio.sleep(0)


def effect_of(
    word: Override, each: Concerned, found: Outcome | FailoverdError, proof: tuple[int, bool], *, over: bool
) -> Effect:
    """`proof` is the generation heard of last, and whether servers agree with it; `over`: the word has ended."""
    policy, target = each.policy, each.target
    ttl = policy.record_of(target).ttl
    if not isinstance(found, Outcome):
        return Effect(target, None, ttl=ttl, error=str(found))
    memory = found.state.of(target)
    good = memory.last_good
    now = good.shares if good is not None else {}
    plan = found.held.plan if found.held is not None else found.plan
    changing = plan is not None and plan.kind is not PlanKind.MARK
    wanted = plan.wanted_shares if plan is not None and changing else (found.decision.shares or now)
    limits = found.held.blocking if found.held is not None else slower(found)
    generation, proved = proof
    heard = good is not None and generation >= good.generation
    still = () if word.verb in STOPPING else tuple(each for each in found.reasons if each.code is ReasonCode.HELD)
    return Effect(
        target=target,
        kind=found.kind,
        before=dict(plan.shares_before if plan is not None else now),
        after=dict(wanted),
        ttl=ttl,
        reasons=tuple(reasoning.words(each) for each in found.reasons if each.rule == "overrides"),
        limits=(*map(reasoning.words, (*still, *unserved(word, found))), *map(reasoning.limit, limits)),
        rated=any(check.limit in RATES and check.cause is Cause.OPERATOR for check in limits),
        settled=not (changing or still),
        left=_left(word, policy, found) if over else (),
        changed_at=max(
            (change.at for change in memory.changes if change.shares_before != change.shares_after), default=None
        ),
        verified=heard and proved,
        unconfirmed=heard and not proved,
    )


def _left(word: Override, policy: Policy, found: Outcome) -> tuple[str, ...]:
    """What still keeps the regions away that the word was about."""
    scope = word.scope
    about = {
        region.name
        for region in policy.regions
        if scope.has_region(region) and any(map(scope.has_endpoint, region.endpoints))
    }
    kept = (each for each in found.reasons if each.code.traits.keeps_out and about & {each.region, *each.regions})
    return tuple(map(reasoning.words, kept))
