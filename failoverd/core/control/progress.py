"""What becomes of a round: a write that came about or did not, a provider that cannot be asked, an incident that ends.

All of it is told as the state afterwards and the events that are news; what was decided stands in `evaluate`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from failoverd.core.control import news, ramp, rivals
from failoverd.core.control.identity import identity
from failoverd.core.control.incident import Incident
from failoverd.core.control.limits import PastChange
from failoverd.core.control.overriding import drained_regions
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.control.signals import accused
from failoverd.core.control.state import MOST_CHANGES, PolicyState, TargetMemory
from failoverd.core.errors import NO_EFFECT, FailoverdError
from failoverd.core.events import (
    Event,
    FailbackStepped,
    IncidentClosed,
    IncidentOpened,
    RivalSettled,
    TargetDelayed,
    TargetResumed,
)
from failoverd.core.overrides import Scope
from failoverd.core.records import Observed, Policy, RecordSet, Target
from failoverd.core.status import TargetState

Progress = tuple[PolicyState, tuple[Event, ...]]


# -- writes ------------------------------------------------------------------------------------------------------------


def began(state: PolicyState, plan: Plan) -> PolicyState:
    """The plan is about to be sent. Until it is settled for certain, it is in doubt."""
    memory = state.of(plan.target)
    others = tuple(doubt for doubt in memory.doubts if not _same(doubt, plan))
    return state.with_target(replace(memory, doubts=(*others, plan)))


def applied(policy: Policy, state: PolicyState, plan: Plan, now: float) -> Progress:
    """The plan was read back as it was written. The marker alone is no change of what anybody is answered."""
    if plan.kind is PlanKind.MARK:
        memory = settled_as_applied(state.of(plan.target), plan, now)
        memory, resumed = through(memory, state.incident, now)
        climbed: tuple[Event, ...] = ()
        if plan.decision.ramps is not None:  # it is about the answer that stands, and no hold
            memory, climbed = stepped(policy, memory, state.incident, plan.shares_after, now)
        return state.with_target(memory), (*resumed, *climbed)
    whole = plan.shares_after == plan.wanted_shares
    memory = settled_as_applied(state.of(plan.target), plan, now)
    told = replace(memory.told, drift=("", ""), hold=memory.told.hold if not whole else None, refused="")
    memory = replace(
        memory.without_edit(plan.after, now),
        told=told,
        state=TargetState.IN_SYNC if whole else TargetState.LIMITED,
        revision=plan.revision if whole else memory.revision,
    )
    memory, resumed = through(memory, state.incident, now)
    climbed = ()
    if whole:
        memory, climbed = stepped(policy, memory, state.incident, plan.shares_after, now)
    after, ended = closed(policy, counted(state.with_target(memory)), now)
    return after, (*resumed, *climbed, *ended)


def stepped(
    policy: Policy, memory: TargetMemory, incident: Incident | None, shares: Mapping[str, int], now: float
) -> tuple[TargetMemory, tuple[FailbackStepped, ...]]:
    """What is wanted stands there: so do the steps of regions that come back."""
    record = policy.record_of(memory.target)
    rules = ramp.rules_of(policy, record)
    new = [name for name, each in memory.ramps.items() if ramp.stepping(each)]
    if rules is None or not new:
        return memory, ()
    ramps = ramp.reached(memory.ramps, now)
    if not ramp.by_steps(rules):  # the change itself says that it is back
        return replace(memory, ramps=ramps), ()
    events = tuple(
        FailbackStepped(
            **news.names(memory.target, news.id_of(incident), now),
            decision_id=memory.told.decision_id,
            region=name,
            step=ramps[name].step,
            steps=len(rules.steps),
            share=shares.get(name, 0),
            until=now + rules.pause(record.ttl) if ramps[name].step < len(rules.steps) else None,
        )
        for name in sorted(new)
    )
    return replace(memory, ramps=ramps), events


def settled_as_applied(memory: TargetMemory, plan: Plan, now: float) -> TargetMemory:
    """What is known of the target once the plan is in place."""
    kept = tuple(each for each in memory.changes if each.change_id != plan.id)
    return replace(
        memory,
        last_good=plan.verified(now),
        changes=(*kept, change(plan, plan.shares_after, now))[-MOST_CHANGES:],
        doubts=(),  # none of them was made from what stands there now: the fence refuses them, or they are `late`
        generation=max(memory.generation, plan.generation),
        rivalry=rivals.wrote(memory.rivalry, plan.marker, now),
        ramps=_begun(memory, plan),
    )


def _begun(memory: TargetMemory, plan: Plan) -> ramp.Ramps:
    """With the steps that the plan takes: one that a person applied was decided on in a round of its own."""
    known = {name: each.step for name, each in memory.ramps.items()}
    wanted = plan.decision.ramps or {}
    taken = {
        name: each for name, each in wanted.items() if each.step > known.get(name, 0) and plan.shares_after.get(name)
    }
    return {**memory.ramps, **taken} if taken else memory.ramps


def change(plan: Plan, shares_after: Mapping[str, int], now: float) -> PastChange:
    """The plan as limits count it, with the shares that stand after it."""
    return PastChange(plan.id, now, dict(plan.start), dict(shares_after), dict(plan.shifts), plan.generation)


def fenced(state: PolicyState, plan: Plan) -> PolicyState:
    """The provider refused the plan and changed nothing: there is no doubt about it."""
    memory = state.of(plan.target)
    return state.with_target(replace(memory, doubts=tuple(doubt for doubt in memory.doubts if not _same(doubt, plan))))


def found_in_place(
    memory: TargetMemory, observed: Observed, now: float, others: Iterable[TargetMemory] = ()
) -> tuple[TargetMemory, Plan | None]:
    """A plan of which nobody knew how it went, and which came about: it was applied, whatever its answer became.

    It stands there, or its marker does and somebody edited the answers since. Another type of the name (`others`) may
    have been written since. What leaves the answers as they are is told by its marker.
    """
    marker = observed.marker
    if marker is None or not memory.doubts:
        return memory, None
    for doubt in memory.doubts:
        changes_answers = doubt.after != doubt.before.records
        if (doubt.marker == marker or changes_answers) and doubt.stands_in(observed):
            return settled_as_applied(memory, doubt, now), doubt
    edited = _edited_since(memory, observed, others)
    if edited is not None:
        return settled_as_applied(memory, edited, now), edited
    if observed.records is None:
        return memory, None
    left = tuple(plan for plan in memory.doubts if not plan.outranked_by(marker))  # the fence refuses them
    return replace(memory, doubts=overtaken(left, marker.generation)), None


def _edited_since(memory: TargetMemory, observed: Observed, others: Iterable[TargetMemory]) -> Plan | None:
    """The plan whose marker stands there beside answers that neither it nor what was there before it explains.

    Its generation is its own: whoever writes by hand leaves the marker, and whoever writes with failoverd raises it.
    Where a generation was given out twice, to another type of the name or to another answer, nobody can tell whose it
    is. Answers of before and after beside each other are no edit: the provider may take a change only one by one. Nor
    was edited what came out otherwise while it was watched: the server made something else of it.
    """
    found = [doubt for doubt in memory.doubts if doubt.marker == observed.marker]
    if len(found) != 1:
        return None
    (doubt,) = found
    theirs = {each.generation for other in others for each in other.doubts}
    theirs |= {each.generation for other in others for each in other.changes}
    if doubt.generation in theirs:
        return None
    watched = memory.told.delay == (NO_EFFECT, doubt.shares_after)
    return doubt if not watched and _strange(observed.records, doubt) else None


def _strange(records: RecordSet | None, plan: Plan) -> bool:
    """Whether somebody else has to have been there, for anything to be answered so."""
    before = plan.before.records
    if records is None:
        return before is not None
    return not {*records.answers} <= {*plan.after.answers, *(before.answers if before is not None else ())}


def doubts(state: PolicyState, plan: Plan) -> bool:
    """Whether the plan was begun, and nobody knows how it went."""
    return any(_same(doubt, plan) for doubt in state.of(plan.target).doubts)


def overtaken(plans: tuple[Plan, ...], generation: int) -> tuple[Plan, ...]:
    """Those that are still in doubt where this generation stands: plans up to it are settled, one way or the other."""
    return tuple(plan for plan in plans if plan.generation > generation)


def _same(one: Plan, other: Plan) -> bool:
    return one.marker == other.marker and one.after == other.after


# -- who else writes ---------------------------------------------------------------------------------------------------


def rivals_settled(
    state: PolicyState, scope: Scope, by: str, comment: str, now: float
) -> tuple[PolicyState, Mapping[tuple[str, str, str], RivalSettled]]:
    """A person says that who else wrote the names of a scope is gone: the state, and what to tell of each name.

    By provider, zone and name, for the types of a name share it. Whoever still writes it is found again, after a few
    writes; a newer leader than those that did, at once.
    """
    told: dict[tuple[str, str, str], RivalSettled] = {}
    for memory in state.targets.values():
        target, known = memory.target, memory.precedence
        if not scope.has_target(target):
            continue
        after = replace(memory, rivalry=rivals.Rivalry(), precedence=known.released())
        state = state.with_target(after)  # a last write may be seen yet
        if memory.rivalry.since is None and not known.newer:
            continue
        leader = (known.instance or rivals.UNNAMED,) if known.newer else ()
        event = RivalSettled(
            **news.names(target, news.id_of(state.incident), now),
            rivals=tuple(dict.fromkeys((*memory.rivalry.rivals, *leader))),
            by=by,
            comment=comment,
            epoch=known.newer,
        )
        told.setdefault((target.provider, target.zone, target.key.name), event)
    return state, told


# -- providers that cannot be asked ------------------------------------------------------------------------------------


def delayed(
    state: PolicyState, target: Target, error: FailoverdError, plan: Plan | None, retry_in: float, now: float
) -> tuple[PolicyState, tuple[TargetDelayed, ...]]:
    """The target cannot be read or written. Told when it begins, and when the reason or what is wanted changes."""
    memory = state.of(target)
    told = replace(memory.told, failures=memory.told.failures + 1)
    wanted = dict(plan.shares_after) if plan is not None else {}
    events: tuple[TargetDelayed, ...] = ()
    if told.delay != (error.reason, wanted):
        told = replace(told, delay=(error.reason, wanted))
        event = TargetDelayed(
            **news.names(target, news.id_of(state.incident), now),
            decision_id=told.decision_id,
            reason=error.reason,
            detail=error.detail,
            remedy=error.remedy,
            retry_in=retry_in,
            attempts=told.failures,
            wanted=wanted,
        )
        events = (event,)
    return state.with_target(replace(memory, told=told, state=TargetState.DELAYED)), events


def through(memory: TargetMemory, incident: Incident | None, now: float) -> tuple[TargetMemory, tuple[Event, ...]]:
    """The target could be worked on. Told if it could not be before.

    Where it was read and is refused it is not at work again: that it is refused is what is told.
    """
    told = memory.told
    if memory.state is TargetState.REFUSED:
        return replace(memory, told=replace(told, delay=None)), ()
    if not told.failures:
        return memory, ()
    resumed = TargetResumed(
        **news.names(memory.target, news.id_of(incident), now),
        decision_id=told.decision_id,
        attempts=told.failures + 1,
    )
    return replace(memory, told=replace(told, failures=0, delay=None)), (resumed,)


# -- incidents ---------------------------------------------------------------------------------------------------------


def opened(policy: Policy, state: PolicyState, cause: str, now: float) -> Progress:
    """The policy's incident begins now, unless it is open already."""
    if state.incident is not None:
        return state, ()
    incident = Incident(identity("inc", now, policy.name, cause), now)
    event = IncidentOpened(at=now, policy=policy.name, incident_id=incident.id, cause=cause, runbook=policy.runbook)
    return replace(state, incident=incident), (event,)


def counted(state: PolicyState) -> PolicyState:
    """One more change since the incident opened."""
    if state.incident is None:
        return state
    return replace(state, incident=replace(state.incident, changes=state.incident.changes + 1))


def closed(policy: Policy, state: PolicyState, now: float) -> Progress:
    """The incident ends when every endpoint is well and every target holds what the file says for such a day.

    Nor does any signal or alert call a region ill by then, but for those that operators keep out.
    """
    if state.incident is None or not state.calm or not all(state.of(target).normal for target in policy.targets):
        return state, ()
    return (state, ()) if accused_now(policy, state, now) else ended(state, now)


def accused_now(policy: Policy, state: PolicyState, now: float) -> Mapping[str, str]:
    """The regions that a signal or an alert calls ill, of those that operators do not keep out."""
    out = drained_regions(policy, state.overrides, now)
    return accused(policy, state.signalled, state.overrides, out, now)


def ended(state: PolicyState, now: float) -> Progress:
    """The incident ends. Without an open one nothing happens."""
    incident = state.incident
    if incident is None:
        return state, ()
    event = IncidentClosed(
        at=now,
        policy=state.policy,
        incident_id=incident.id,
        lasted=now - incident.opened_at,
        changes=incident.changes,
    )
    return replace(state, incident=None), (event,)
