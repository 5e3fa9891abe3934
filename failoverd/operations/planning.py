"""`plan` and `apply`: what the daemon would do, shown before it is done, and done exactly as it was shown.

Health is probed afresh from this machine with the daemon's own machinery, sentinels and rules of isolation included.
What is known from before (last answers, changes within the windows, edits, an open incident) is the daemon's. From
there on it is `evaluate`, as in the daemon.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import Plan
from failoverd.core.control.state import Verdicts
from failoverd.core.errors import FailoverdError, Fenced, classified
from failoverd.core.events import Event
from failoverd.core.health.isolation import SENTINEL_RULES, SENTINELS
from failoverd.core.health.region import RegionHealth
from failoverd.core.health.table import HealthTable
from failoverd.core.records import Marker, Policy, Target
from failoverd.operations.session import Session
from failoverd.runtime.board import Board
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.manual_command import manual_command
from failoverd.runtime.probing import Probing
from failoverd.runtime.scheduling import ApTimetable
from failoverd.runtime.states import States

PLAN_VERSION: Final = 2
"""Of the plan file. Those of other versions are refused: a plan is made again within seconds."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A plan, and what it was made from besides what stands there and what the journal knows."""

    plan: Plan
    verdicts: Verdicts
    returning: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What `failoverctl plan --out` writes and `apply` reads: inert data, reviewed like any other file."""

    version: int
    made_at: float
    made_by: str
    changes: tuple[PlannedChange, ...]


@dataclass(frozen=True, slots=True)
class PlanFinding:
    """What planning found at one target: an outcome, or why there is none. `manual` does the same by hand."""

    target: Target
    outcome: Outcome | None
    error: FailoverdError | None = None
    manual: str = ""

    @property
    def change(self) -> PlannedChange | None:
        """What may be applied: a write, or a plan that a limit holds."""
        outcome = self.outcome
        if outcome is None or outcome.plan is None or outcome.kind not in {OutcomeKind.WRITE, OutcomeKind.LIMITED}:
            return None
        plan = outcome.approved.plan if outcome.approved is not None else outcome.plan
        kind = self.target.key.type
        verdicts = {kind: outcome.state.regions(kind)}
        return PlannedChange(plan, verdicts, outcome.state.returning)


# -- plan --------------------------------------------------------------------------------------------------------------


async def make_plans(session: Session, policies: Sequence[Policy], returning: frozenset[str]) -> list[PlanFinding]:
    """Probe now, evaluate, for each target of the policies. What fails is a finding."""
    seen = await probed(session, policies)
    found = []
    for policy in policies:
        health = seen[policy.name]
        for target in policy.targets:
            if isinstance(health, FailoverdError):
                found.append(PlanFinding(target, None, health))
                continue
            try:
                found.append(await _planned(session, policy, target, health, returning))
            except Exception as error:  # noqa: BLE001 - classified, and told for this target alone
                found.append(PlanFinding(target, None, classified(error)))
    return found


async def _planned(
    session: Session, policy: Policy, target: Target, health: Verdicts, returning: frozenset[str]
) -> PlanFinding:
    provider = session.providers[target.provider]
    observed = await provider.read(target)
    state = await session.recalled(policy, target)
    state = replace(state, verdicts=_with_past(health, state.verdicts, believed=session.fresh), returning=returning)
    outcome = evaluate(policy, state, observed, session.estate(target), session.clock())
    by_hand = manual_command(provider, outcome.plan) if outcome.plan is not None else ""
    return PlanFinding(target, outcome, manual=by_hand)


def _with_past(now: Verdicts, before: Verdicts, *, believed: bool) -> Verdicts:
    """Since when a region has been well is not seen in one probe: a daemon that is alive knows it."""
    if not believed:
        return now

    def past(health: RegionHealth, earlier: RegionHealth | None) -> RegionHealth:
        if earlier is None or earlier.well_since is None or not (health.serves and earlier.serves):
            return health
        return replace(health, well_since=earlier.well_since)

    return {
        kind: {name: past(health, before.get(kind, {}).get(name)) for name, health in regions.items()}
        for kind, regions in now.items()
    }


async def probed(session: Session, policies: Sequence[Policy]) -> Mapping[str, Verdicts | FailoverdError]:
    """Probe every endpoint of the policies until each has a verdict, or as long as that can take.

    As in the daemon, what the sentinels and the other clouds show decides whether failures are believed.
    """
    news, told = asyncio.Event(), list[Event]()
    config, clock = session.config, session.clock

    def wake(_: str, *, more: bool) -> None:  # noqa: ARG001 - every verdict is news to who waits for the last one
        news.set()

    # transitions on the way to a first verdict are nobody's news, and nobody's incident
    states = States(session.journal, told.append)
    sentinels = tuple((sentinel.endpoint, sentinel.check) for sentinel in config.sentinels)
    table = HealthTable(clock(), config.isolation, sentinels)
    board = Board(told.append, clock, Incidents(states, clock), wake, table)
    failed: dict[str, FailoverdError] = {}
    with ApTimetable(told.append, clock) as timetable:
        probing = Probing(timetable, board, clock)
        try:
            if sentinels:
                equipped = session.equip(SENTINELS, [check for _, check in sentinels])
                probing.watch(SENTINELS, sentinels, SENTINEL_RULES, equipped)
            for policy in policies:
                try:
                    equipped = session.equip(policy.name, [check for _, check in policy.probes()])
                except Exception as error:  # noqa: BLE001 - classified, and told for this policy alone
                    failed[policy.name] = classified(error)
                    continue
                board.watch(policy)
                probing.watch(policy.name, policy.probes(), policy.health, equipped)
            watched = [policy for policy in policies if policy.name not in failed]
            await _until_decided(board, watched, news)
        finally:
            await probing.close()
    health = {policy.name: _verdicts(policy, board) for policy in watched}
    return {**health, **failed}


async def _until_decided(board: Board, policies: Sequence[Policy], news: asyncio.Event) -> None:
    """What has no verdict by the end of patience is told by the decision, which holds."""
    try:
        async with asyncio.timeout(max((_patience(policy) for policy in policies), default=0.0)):
            while any(board.undecided(policy.name) for policy in policies):
                await news.wait()
                news.clear()
    except TimeoutError:
        return


def _patience(policy: Policy) -> float:
    slowest = max(check.timeout for check in policy.checks)
    return (policy.health.rise + policy.health.fall) * (policy.health.recheck + slowest) + 1.0


def _verdicts(policy: Policy, board: Board) -> Verdicts:
    types = sorted({record.key.type for record in policy.records})
    return {record_type: board.regions(policy.name, record_type) for record_type in types}


# -- apply -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """How applying a plan went: None is success. `sent` says whether it was handed to the provider at all.

    `proof` is what the authoritative servers say.
    """

    plan: Plan
    result: Held | FailoverdError | None
    sent: bool = False
    proof: str = ""


async def apply_plan(session: Session, change: PlannedChange) -> Attempt:
    """Apply a plan that was made earlier, if nothing changed since and failoverd would still make the same one.

    A plan file is reviewed by people and may be edited by anybody. So nothing in it is believed but the verdicts that
    it was made from: the plan is made again from them, from what stands there, from the policy and from the journal.
    """
    plan, sent = change.plan, False
    try:
        policy = _policy_of(session, plan)
        outcome = await _made_again(session, policy, change)
        if outcome.held is not None:
            return Attempt(plan, outcome.held)
        sent = True
        proof = await session.apply(policy, outcome)
    except Exception as error:  # noqa: BLE001 - classified, and told for this plan alone: the others are still applied
        return Attempt(plan, classified(error), sent)
    return Attempt(plan, None, sent, proof)


def _policy_of(session: Session, plan: Plan) -> Policy:
    """The policy that the plan was made from, if it still is the same and publishes the target."""
    policy = session.policy(plan.target.policy)
    if plan.target not in policy.targets:
        targets = ", ".join(sorted(f"{each} in {each.zone}" for each in policy.targets))
        words = f"the plan names {plan.target} in {plan.target.zone}, which policy {policy.name} does not publish"
        raise _refused(f"{words}; it has: {targets}", "target_unknown")
    if policy.source.revision != plan.revision:
        raise Fenced(
            f"policy {policy.name} is at revision {policy.source.revision}, the plan was made from {plan.revision}",
            reason="policy_changed",
            remedy="make the plan again",
        )
    return policy


async def _made_again(session: Session, policy: Policy, change: PlannedChange) -> Outcome:
    """The outcome as it is now, which is to do exactly what the file says.

    Raises:
        FailoverdError: something changed since, or the file says anything that failoverd would not have planned.
    """
    plan, target = change.plan, change.plan.target
    observed = await session.providers[target.provider].read(target)
    if observed != plan.before:
        raise Fenced(
            f"{target} is not what the plan was made from",
            reason="record_changed",
            remedy="make the plan again: failoverctl plan shows what stands there now",
        )
    _check_verdicts(policy, change)
    state = await session.recalled(policy, target)
    state = replace(state, verdicts=change.verdicts, returning=change.returning)
    outcome = evaluate(policy, state, observed, session.estate(target), session.clock())
    if outcome.refused is not None:
        raise Fenced(outcome.refused.detail, reason=outcome.refused.reason, remedy=outcome.refused.remedy)
    found = outcome.approved.plan if outcome.approved is not None else outcome.plan
    if found is None or outcome.kind not in {OutcomeKind.WRITE, OutcomeKind.LIMITED}:
        raise Fenced(
            f"{target}: failoverd would not change anything now ({outcome.kind})",
            reason="plan_outdated",
            remedy="make the plan again",
        )
    _compare(plan, found, held=outcome.held is not None)
    return outcome


def _check_verdicts(policy: Policy, change: PlannedChange) -> None:
    """They speak of the policy's own addresses. Whose health it is, and not how it is, can be checked."""
    target = change.plan.target
    known = policy.region_of(target.key.type)
    regions = change.verdicts.get(target.key.type, {})
    answers = [(name, value) for name, health in regions.items() for value in (*health.serving, *health.unknown)]
    strange = [value for name, value in answers if known.get(value) != name]
    if strange:
        words = f"the plan would answer {target.key} with {', '.join(strange)}, which no region of {policy.name} has"
        raise _refused(words, "answer_unknown")
    if regions.keys() != set(known.values()) or any(name != health.name for name, health in regions.items()):
        raise _refused(f"the plan of {target} was made from other regions than those of {policy.name}", "plan_altered")


_OWN: Final = frozenset({"id", "decision", "shifts"})
"""What differs between two plans that do the same. None of it is taken from the file."""

_SIZED: Final = frozenset({"after", "shares_after", "cause", "whole"})
"""What limits make of a plan: it differs while they hold in full what they only made smaller before."""


def _compare(plan: Plan, found: Plan, *, held: bool) -> None:
    aside = _OWN | _SIZED if held else _OWN
    other = [
        spec.name
        for spec in fields(Plan)
        if spec.name not in aside and getattr(found, spec.name) != getattr(plan, spec.name)
    ]
    said = (plan.decision.target, plan.decision.kind, plan.decision.shares, plan.decision.records)
    if said != (found.decision.target, found.decision.kind, found.decision.shares, found.decision.records):
        other.append("decision")
    if other:
        words = "; ".join(f"{name} is {_say(plan, name)} and has to be {_say(found, name)}" for name in other)
        raise _refused(f"the plan of {plan.target} is not what failoverd plans: {words}", "plan_altered")


def _say(plan: Plan, name: str) -> str:
    value = getattr(plan, name)
    return str(value.to_text() if isinstance(value, Marker) else value)[:200]


def _refused(detail: str, reason: str) -> FailoverdError:
    remedy = "make the plan again with failoverctl plan --out; a plan file is applied as it was written, or not at all"
    return FailoverdError(detail, reason=reason, remedy=remedy)
