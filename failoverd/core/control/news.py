"""What is told of a target: events on transitions only. Each function says the event, if it is news, and what was told.

The command that does the same by hand is known to the provider: a driver puts it in before the event is emitted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypedDict

from failoverd.core.control import ramp
from failoverd.core.control.decision import Decision
from failoverd.core.control.drift import DriftAction, DriftResponse
from failoverd.core.control.epochs import remedy
from failoverd.core.control.incident import Incident
from failoverd.core.control.limits import Held
from failoverd.core.control.overriding import Heeded
from failoverd.core.control.plan import LastGood, Plan, PlanKind, Refused
from failoverd.core.control.ramp import Ramp
from failoverd.core.control.state import Essence, HoldTold, TargetMemory, Told
from failoverd.core.events import (
    ChangeApplied,
    DecisionMade,
    DriftDetected,
    Event,
    FailbackAbandoned,
    FailbackAborted,
    FailoverHeld,
    LeaderOutranked,
    OverridesLost,
    PlanHeld,
    PlanRefused,
    RivalDetected,
)
from failoverd.core.health.region import RegionState
from failoverd.core.names import failoverctl
from failoverd.core.overrides import HAND, Override, Verb, in_force, verb_of
from failoverd.core.reasons import Cause, Limit, LimitCheck, LimitKind, LimitNote, Reason
from failoverd.core.records import Marker, Observed, Policy, RampRules, RecordSet, Target

_WILL: Final = {
    DriftAction.RESTORE: "puts its own answer back",
    DriftAction.REPORT: "only reports it (on_drift: report)",
    DriftAction.WAIT: "takes it as meant, for an incident is open, and puts its own answer back later",
    DriftAction.ADOPT: "keeps it until health wants something else (on_drift: adopt)",
}

News = tuple[tuple[Event, ...], Told]


class Names(TypedDict):
    at: float
    policy: str
    incident_id: str
    record: str
    provider: str
    zone: str


def names(target: Target, incident_id: str, at: float) -> Names:
    """What every event about a target says first: which record, where, in which incident and when."""
    return {
        "at": at,
        "policy": target.policy,
        "incident_id": incident_id,
        "record": str(target.key),
        "provider": target.provider,
        "zone": target.zone,
    }


def id_of(incident: Incident | None) -> str:
    return incident.id if incident is not None else ""


def decided(told: Told, decision: Decision, incident: Incident | None) -> News:
    """A decision is news when it wants something else than the last one, or why is named anew."""
    if told.decision_id == decision.id:
        return (), told
    event = DecisionMade(
        **names(decision.target, id_of(incident), decision.at),
        decision_id=decision.id,
        verdict=decision.kind,
        shares=decision.shares,
        reasons=decision.reasons,
    )
    return (event,), replace(told, decision_id=decision.id, decision=essence(decision))


def essence(decision: Decision) -> Essence:
    waits = frozenset(reason.code for reason in decision.reasons if reason.code.traits.news)
    return Essence(decision.kind, dict(decision.shares), decision.records, waits)


def lost(
    told: Told, heeded: Heeded, observed: Observed, decision: Decision, incident: Incident | None, at: float
) -> News:
    """The marker names words that nobody here knows. Told once while that is so."""
    if told.lost == heeded.lost:
        return (), told
    events: tuple[Event, ...] = ()
    if heeded.lost:
        lost = OverridesLost(
            **names(observed.target, id_of(incident), at),
            decision_id=decision.id,
            overrides=heeded.lost,
            until=heeded.lost_until,
        )
        events = (lost,)
    return events, replace(told, lost=heeded.lost)


def rivalled(
    before: TargetMemory, after: TargetMemory, others: Iterable[TargetMemory], ours: Marker, incident: Incident | None
) -> tuple[RivalDetected, ...]:
    """Another instance was found to write the name. Told once while that is so, whatever types the name has."""
    known = any(each.rivalry.since is not None for each in (before, *others))
    if after.rivalry.since is None or known:
        return ()
    detected = RivalDetected(
        **names(after.target, id_of(incident), after.rivalry.since),
        decision_id=after.told.decision_id,
        owner=ours.owner,
        instance=ours.instance,
        rivals=after.rivalry.rivals,
    )
    return (detected,)


def outranked(
    before: TargetMemory,
    after: TargetMemory,
    others: Iterable[TargetMemory],
    ours: Marker,
    incident: Incident | None,
    at: float,
) -> tuple[LeaderOutranked, ...]:
    """A newer leader was found to have written the name. Told once for a leader, whatever types the name has."""
    found = after.precedence
    if not found.newer or any(each.precedence.newer == found.newer for each in (before, *others)):
        return ()
    event = LeaderOutranked(
        **names(after.target, id_of(incident), at),
        decision_id=after.told.decision_id,
        owner=ours.owner,
        epoch=found.newer,
        ours=ours.epoch,
        writer=found.instance,
        remedy=remedy(after.target.key.name, ours.epoch)[0],
    )
    return (event,)


def refused(told: Told, found: Refused, incident: Incident | None, at: float) -> News:
    if told.refused == found.detail:
        return (), told
    event = PlanRefused(
        **names(found.target, id_of(incident), at),
        decision_id=told.decision_id,
        reason=found.reason,
        detail=found.detail,
        remedy=found.remedy,
    )
    return (event,), replace(told, refused=found.detail)


def held(told: Told, found: Held, worst: RegionState, policy: Policy, incident: Incident | None, at: float) -> News:
    """A plan that a limit holds is news when what is wanted, the worst region, the cause or the limit changes."""
    plan = found.plan
    limits = tuple(check.limit for check in found.blocking)
    rules = tuple(check.rule for check in found.blocking if check.rule)
    now = HoldTold(dict(plan.shares_after), worst, plan.cause, limits, rules)
    if told.hold == now:
        return (), told
    kind = FailoverHeld if found.keeps_dead else PlanHeld
    event = kind(
        **names(plan.target, id_of(incident), at),
        decision_id=told.decision_id,
        wanted=plan.shares_after,
        cause=plan.cause,
        limits=found.blocking,
        rule_at=limit_at(policy, found.blocking[0]),
        until=found.until,
        digest=plan.digest,
    )
    return (event,), replace(told, hold=now)


def kept_dead(
    told: Told,
    decision: Decision,
    would: Decision,
    stands: Mapping[str, int],
    policy: Policy,
    incident: Incident | None,
    at: float,
    limit: Limit,
) -> News:
    """An operator's word, or a newer leader's, keeps what is down in the answer, which `would` be left without it."""
    now = HoldTold(dict(would.shares), RegionState.DOWN, Cause.FAILING_OUT, (limit,))
    if told.hold == now:
        return (), told
    moves = sum(max(0, share - would.shares.get(name, 0)) for name, share in stands.items())
    check = LimitCheck(limit, passed=False, found=moves, allowed=0, cause=Cause.FAILING_OUT)
    event = FailoverHeld(
        **names(decision.target, id_of(incident), at),
        decision_id=told.decision_id,
        wanted=would.shares,
        cause=Cause.FAILING_OUT,
        limits=(check,),
        rule_at=limit_at(policy, check),
        until=decision.until,
    )
    return (event,), replace(told, hold=now)


def limit_at(policy: Policy, check: LimitCheck) -> str:
    """Where the limit is written, or which default it is; empty where no file has anything to do with it."""
    if check.limit.kind is LimitKind.STATE:
        return ""
    if check.rule_at:
        return check.rule_at
    return policy.source.at(limit_key(policy, check))


def limit_key(policy: Policy, check: LimitCheck) -> str:
    """The key of the policy that says the limit: for its cause alone, where that is written, or for several."""
    if check.cause is Cause.MAKING_ROOM and check.limit.kind is LimitKind.RATE:
        return f"limits.{check.cause}.{check.limit}"  # what is written beside it does not bound it
    ration = Cause.RETURNING if check.cause is Cause.RETURNING else Cause.TUNING
    own = f"limits.{ration}.{check.limit}"
    return own if own in policy.source.lines else f"limits.{check.limit}"


def drifted(
    told: Told, plan: Plan, last_good: LastGood, response: DriftResponse, incident: Incident | None, at: float
) -> News:
    """Somebody else changed the record. Said once while that edit stands, and when something is done to it."""
    found, will = values(plan.before.records), _WILL[response.action]
    if (found, will) == told.drift:
        return (), told
    event = DriftDetected(
        **names(plan.target, id_of(incident), at),
        decision_id=told.decision_id,
        found=found,
        expected=values(last_good.records),
        will=will,
        kind=response.kind,
        until=response.until,
    )
    return (event,), replace(told, drift=(found, will))


def values(records: RecordSet | None) -> str:
    if records is None or not records.answers:
        return "no answer"
    return ", ".join(f"{answer.value} (weight {answer.weight}, ttl {records.ttl_text})" for answer in records.answers)


def weights(records: RecordSet | None) -> Mapping[str, int]:
    return {answer.value: answer.weight for answer in records.answers} if records is not None else {}


# -- a way back --------------------------------------------------------------------------------------------------------


def fallen(
    policy: Policy,
    rules: RampRules,
    memory: TargetMemory,
    decision: Decision,
    region: str,
    found: Ramp,
    incident: Incident | None,
    at: float,
) -> tuple[Event, ...]:
    """A region failed on its ramp: it is out, and is tried again or not."""
    said, was = names(memory.target, id_of(incident), at), memory.ramps[region]
    gone = ramp.given_up(rules, found)
    hold = None if gone or policy.failback_after is None else ramp.hold(policy.failback_after, rules, found)
    aborted = FailbackAborted(
        **said,
        decision_id=decision.id,
        region=region,
        step=was.step,
        steps=len(rules.steps),
        aborts=found.aborts,
        hold=hold,
    )
    if not gone:
        return (aborted,)
    plan = failoverctl("plan", policy.name, "--return", region, "--out", "FILE")
    given_up = FailbackAbandoned(
        **said,
        decision_id=decision.id,
        region=region,
        aborts=found.aborts,
        rule_at=policy.source.at("failback.retries"),
        remedy=f"{plan}, then {failoverctl('apply', 'FILE')}",
    )
    return aborted, given_up


# -- a change ----------------------------------------------------------------------------------------------------------


def applied(
    policy: Policy,
    plan: Plan,
    checks: tuple[LimitCheck, ...],
    incident: Incident | None,
    *,
    words: tuple[Override, ...] = (),
    actor: str,
    took: float,
    at: float,
) -> ChangeApplied:
    """`words` are those of operators about the policy: the change names those by which it moves, and who gave them."""
    evidence, by = evidence_of(plan, policy), moved_by(policy, plan, checks, words)
    return ChangeApplied(
        **names(plan.target, id_of(incident), at),
        decision_id=plan.decision.id,
        change_id=plan.id,
        kind=plan.kind,
        generation=plan.generation,
        shares_from=plan.shares_before,
        shares_to=plan.shares_after,
        answers_from=weights(plan.before.records),
        answers_to=weights(plan.after),
        ttl=plan.after.ttl,
        cause=plan.cause,
        reasons=plan.decision.reasons,
        evidence=evidence,
        limits=checks,
        rule_at=policy.source.at(rule_of(plan, evidence)),
        revision=plan.revision,
        actor=f"{actor} for {' and '.join(map(_whose, by))}" if by else actor,
        overrides=tuple(word.id for word in by),
        undo="",
        took=took,
    )


def _whose(word: Override) -> str:
    return f"{'a change by hand' if word.actor == HAND else word.actor} ({word.id})"


def moved_by(
    policy: Policy, plan: Plan, checks: Iterable[LimitCheck], words: Iterable[Override]
) -> tuple[Override, ...]:
    """The operators' words by which a change does what it does. What moves beside them is nobody's but the policy's."""
    target, before = plan.target, plan.start
    was, now = weights(plan.before.records), weights(plan.after)
    less = {name for name, share in before.items() if share > plan.shares_after.get(name, 0)}
    swapped = {value for value in {*was, *now} if (value in was) != (value in now)}
    marked = plan.before.marker.overrides if plan.before.marker is not None else ()

    def moves(word: Override) -> bool:
        if plan.kind is PlanKind.MARK:
            return word.id in plan.marker.overrides and word.id not in marked
        if word.verb is Verb.APPROVE:
            return word.digest == plan.digest and any(check.note is LimitNote.APPROVED for check in checks)
        if word.verb is Verb.PIN:
            return before != plan.shares_after
        regions = [region for region in policy.regions if word.scope.has_region(region)]
        if word.scope.endpoints:
            named = [each for region in regions for each in region.endpoints if word.scope.has_endpoint(each)]
            return any(each.answer(target.key.type) in swapped for each in named)
        return word.verb in {Verb.DRAIN, Verb.SHED, Verb.PRACTICE} and any(region.name in less for region in regions)

    return tuple(filter(moves, in_force(words, target, plan.decision.at)))


def taken_back_by(words: Iterable[str]) -> str:
    """The command that takes back what words of these ids brought about; "" where no word's end does.

    Whoever puts the shares of before beside a word that is in force has two words that say different things. What an
    approval let through is the policy's own change: its end takes nothing back.
    """
    ids = [word for word in words if verb_of(word) is not Verb.APPROVE]
    return failoverctl("release", *ids) if ids else ""


def evidence_of(plan: Plan, policy: Policy) -> tuple[Reason, ...]:
    """What is wrong with the regions that the plan touches. A region that is merely ill as well explains nothing."""
    region_of = policy.region_of(plan.target.key.type)
    before, after = weights(plan.before.records), weights(plan.after)
    touched = {region_of.get(value) for value in {*before, *after} if (value in before) != (value in after)}
    shares = plan.shares_before, plan.shares_after
    touched |= {region for region in {*shares[0], *shares[1]} if shares[0].get(region) != shares[1].get(region)}
    told = (
        reason for reason in plan.decision.reasons if reason.code.traits.health is not None and reason.region in touched
    )
    return tuple(reason for reason in told if reason.rule != "health")


def rule_of(plan: Plan, evidence: tuple[Reason, ...]) -> str:
    """The policy key that the plan rests on most: of what went wrong, else of its last step."""
    if plan.kind is PlanKind.RESTORE:
        return "on_drift"
    rules = [reason.rule for reason in evidence] or [reason.rule for reason in plan.decision.reasons[-1:]]
    return next(iter(rules), "")
