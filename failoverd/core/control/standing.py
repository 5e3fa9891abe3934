"""Where a target stands, as `failoverctl status` tells it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from failoverd.core.control import news
from failoverd.core.control.allocation import normal_shares
from failoverd.core.control.cost import Saving
from failoverd.core.control.decide import all_values, answer_with
from failoverd.core.control.drift import DriftAction
from failoverd.core.control.epochs import remedy
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import Outcome
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.control.saving import in_force, with_saved
from failoverd.core.control.state import TargetMemory
from failoverd.core.errors import FailoverdError
from failoverd.core.names import failoverctl
from failoverd.core.reasons import Cause, Limit, LimitCheck, LimitKind, LimitNote, ReasonCode
from failoverd.core.records import Observed, Policy, RecordSet, Target
from failoverd.core.status import TargetState, TargetStatus

_REMEDIES: Final = {
    DriftAction.REPORT: "on_drift is report: put it back by hand, or write on_drift: restore or adopt in the policy",
    DriftAction.WAIT: "to keep it, say on_drift: adopt in the policy; to end it now, put the answer back by hand",
}


def after_outcome(policy: Policy, outcome: Outcome, observed: Observed, manual: str, now: float) -> TargetStatus:
    """After a round in which nothing was written. `manual` does by hand what is wanted."""
    decision, target = outcome.decision, observed.target
    records, marker = observed.records, observed.marker
    published = records.shares(policy.region_of(target.key.type)) if records is not None else {}
    status = TargetStatus(
        target=target,
        at=now,
        state=outcome.state.of(target).state or TargetState.HOLDING,
        kind=decision.kind,
        cause=outcome.cause or (Cause.FAILING_OUT if _kept_dead(outcome) else ""),
        generation=marker.generation if marker is not None else 0,
        wanted=decision.shares,
        published=published,
        reasons=decision.reasons,
        until=outcome.until,
        answered_since=_answered_since(outcome.state.of(target), published),
        foreign=observed.foreign,
        seen=now,
    )
    if outcome.refused is not None:
        return replace(
            status, detail=outcome.refused.detail, remedy=outcome.refused.remedy, command=outcome.refused.command
        )
    if outcome.outranked is not None:
        text, command = remedy(target.key.name, outcome.state.epoch)
        return replace(status, remedy=text, command=command)
    if outcome.held is not None:
        blocking = outcome.held.blocking
        text, command = _remedy_of_limit(policy, outcome.held)
        digest = outcome.held.plan.digest
        return replace(status, checks=blocking, remedy=text, command=command, manual=manual, digest=digest)
    if outcome.drift is not None and outcome.plan is not None:
        text = _REMEDIES.get(outcome.drift.action, "")
        return replace(status, detail=news.values(outcome.plan.before.records), remedy=text, manual=manual)
    return status


def normal_answer(
    policy: Policy,
    target: Target,
    said: Callable[[RecordSet], RecordSet],
    far: frozenset[str] = frozenset(),
    saving: Saving | None = None,
) -> Mapping[str, int]:
    """The shares of the file for a day on which nothing is wrong and nobody said anything.

    `said`: what the provider can say of an answer. `far`: regions that are left out on such a day. `saving`: shares
    that were chosen for their price instead.
    """
    kind, record = target.key.type, policy.record_of(target)
    answering = [spec for spec in policy.regions if all_values(spec, kind) and spec.name not in far]
    if saving is not None:
        answering = list(with_saved(answering, in_force(policy, saving)))
    shares = normal_shares(policy, record, answering) if answering else {}
    if not shares:
        return {}
    values = {spec.name: all_values(spec, kind) for spec in answering}
    return said(answer_with(record, shares, values, policy.weights_of(kind))).shares(policy.region_of(kind))


def _answered_since(memory: TargetMemory, published: Mapping[str, int]) -> float | None:
    """Since when traffic is split so: an edit of somebody else was seen, or it was written. A marker moves nothing."""
    if memory.edit is not None:
        return memory.edit.since
    good = memory.last_good
    if good is None or good.shares != published:
        return None
    return memory.changed_at


def _kept_dead(outcome: Outcome) -> bool:
    """Whether what is down is kept in the answer by an operator's word, or for a newer leader to take off."""
    told = outcome.state.of(outcome.decision.target).told.hold
    return outcome.plan is None and told is not None and told.keeps_dead


def _remedy_of_limit(policy: Policy, held: Held) -> tuple[str, str]:
    """What to write, and where: a default is written out first. What a rule holds is for people to decide.

    With the command that it names, or "".
    """
    check = held.blocking[0]
    if check.rule:
        return _remedy_of_rule(held, check)
    if check.limit is Limit.PAUSED:
        said = [name for each in held.plan.decision.reasons if each.code is ReasonCode.PAUSED for name in each.named]
        command = failoverctl("release", *said)
        return f"{command}, or wait for its end", command
    if of_state := remedy_of_state(check.limit):
        return of_state
    rate, floor = check.limit.kind is LimitKind.RATE, check.limit.kind is LimitKind.FLOOR
    at_once = "; an override given with --now meets no rate" if rate and _by_word(held) else ""
    key = news.limit_key(policy, check)
    if key in policy.source.lines:
        change = f"{'lower' if floor else 'raise'} the limit at {policy.source.at(key)}"
    else:
        change = f"write a {'lower' if floor else 'higher'} {key} into {policy.source.file} than its default"
    return (f"{change}, or wait{at_once}" if rate else f"{change}: time does not end this"), ""


def remedy_of_state(limit: Limit) -> tuple[str, str] | None:
    """What to do about what no file says, with the command that it names, or ""; None for any other limit."""
    if limit not in _STATES:
        return None
    words, verb = _STATES[limit]
    command = failoverctl(*verb) if verb else ""
    return f"{words}{command}", command


_STATES: Final[Mapping[Limit, tuple[str, tuple[str, ...]]]] = {
    Limit.NEVER_EMPTY: ("an empty answer is never published: give the record an answer that serves", ()),
    Limit.LOST: ("give the same override again, or end what was lost: ", ("release", "--lost")),
    Limit.RIVAL: ("stop the other instance, or give it names of its own; then: ", ("release", "--rival")),
    Limit.UNCOORDINATED: ("bring the coordinator back; what is wrong with it is told by: ", ("members",)),
}
"""What to do about what no file says, and the command for it."""


def _by_word(held: Held) -> bool:
    """Whether an operator's word, and no edited file, is what moves the traffic."""
    rated = any(reason.code.traits.rated for reason in held.plan.decision.reasons)
    return held.plan.cause is Cause.OPERATOR and rated


def _remedy_of_rule(held: Held, check: LimitCheck) -> tuple[str, str]:
    rule = f"the rule {check.rule} at {check.rule_at}"
    if check.limit is Limit.GATE:
        return f"release the switch of {rule}, or wait for its end", ""
    waits = ", or wait: then it leaves all the same" if held.until is not None else ""
    more = "one more person has to agree; " if check.note is LimitNote.AGREEMENT else ""
    command = failoverctl("approve", held.plan.digest, "--reason", "TEXT")
    return f"{more}to do it in spite of {rule}: {command}{waits}", command


def after_write(outcome: Outcome, plan: Plan, state: TargetState, now: float) -> TargetStatus:
    """After a write that was read back. What a limit left for later is wanted still, and what is down is out."""
    decision, before = outcome.decision, _answered_since(outcome.state.of(plan.target), plan.shares_before)
    return TargetStatus(
        target=plan.target,
        at=now,
        state=state,
        kind=decision.kind,
        cause=outcome.held.plan.cause if outcome.held is not None else "",
        generation=plan.generation,
        wanted=decision.shares,
        published=plan.shares_after,
        reasons=decision.reasons,
        checks=_left_for_later(outcome, plan),
        until=outcome.until,
        answered_since=before if plan.kind is PlanKind.MARK else now,
        seen=now,
    )


def _left_for_later(outcome: Outcome, plan: Plan) -> tuple[LimitCheck, ...]:
    """The limits that keep the rest of it back: after a smaller step, or after the marker alone was written."""
    if outcome.held is not None:
        return outcome.held.blocking
    if outcome.approved is None or plan.whole is None:
        return ()
    return tuple(check for check in outcome.approved.checks if check.holds_back)


def after_failure(
    before: TargetStatus, error: FailoverdError, outcome: Outcome | None, manual: str, until: float, now: float
) -> TargetStatus:
    """The target cannot be read or written: what was published when it could be, and what is wanted, if known.

    `outcome` is that of now, as far as it can be told without a look at the target: that a provider is away hides
    nothing of how the regions are.
    """
    plan = outcome.plan if outcome is not None else None
    known = before
    if outcome is not None:
        decision, cause = outcome.decision, outcome.cause
        known = replace(before, kind=decision.kind, reasons=decision.reasons, cause=cause or "")
    return replace(
        known,
        at=now,
        state=TargetState.DELAYED,
        wanted=dict(plan.shares_after) if plan is not None else {},
        detail=f"{error.detail} ({error.reason})",
        remedy=error.remedy,
        command="",
        manual=manual,
        checks=(),
        digest="",
        until=until,
    )
