"""What was planned and applied, in words: the same for who asked the daemon, and for who looked without it."""

from collections.abc import Sequence
from typing import Final, Literal

from failoverd.api.asked import PlanAsked
from failoverd.api.shapes import (
    AppliedTold,
    AttemptTold,
    BillTold,
    FindingTold,
    FollowingTold,
    PlanTold,
    PolicyTold,
    RegionFiguresTold,
    TargetTold,
)
from failoverd.codec import plain
from failoverd.core.control.cost import billed
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.drift import DriftAction
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import InSync, Plan
from failoverd.core.errors import FailoverdError, Fenced
from failoverd.core.reasons import LimitCheck, ReasonCode
from failoverd.core.records import few, percentages
from failoverd.operations.ahead import Following
from failoverd.operations.planning import Applied, Attempt, PlanFinding, Planned
from failoverd.operations.supposing import Supposition
from failoverd.telemetry import phrases, reasoning

Result = Literal["plan", "in_sync", "refused", "failed", "hold", "drift"]


def plan_told(found: Planned, now: float) -> PlanTold:
    policies = tuple(map(PolicyTold.model_validate, found.policies))
    findings = tuple(map(finding_told, found.findings))
    return PlanTold(at=now, policies=policies, findings=findings, supposed=found.supposed)


def applied_told(done: Applied) -> AppliedTold:
    policies = tuple(map(PolicyTold.model_validate, done.policies))
    return AppliedTold(policies=policies, attempts=tuple(map(attempt_told, done.attempts)), kept=True)


def supposition(asked: PlanAsked) -> Supposition:
    return Supposition(frozenset(asked.if_down), frozenset(asked.if_cloud_down), frozenset(asked.if_drained))


# -- what was found ----------------------------------------------------------------------------------------------------


def finding_told(finding: PlanFinding) -> FindingTold:
    target, summary, outcome = TargetTold.model_validate(finding.target), _headline(finding), finding.outcome
    if outcome is None:
        error = finding.error
        reason, remedy = (error.reason, error.remedy) if error is not None else ("", "")
        return FindingTold(target=target, result="failed", summary=summary, reason=reason, remedy=remedy)
    cost = billed(outcome.reasons)
    refused, judged = outcome.refused, outcome.kind in {OutcomeKind.WRITE, OutcomeKind.LIMITED}
    return FindingTold(
        target=target,
        result=_RESULTS[outcome.kind],
        summary=summary,
        verdict=outcome.decision.kind,
        reasons=tuple(reasoning.words(reason) for reason in outcome.reasons),
        limits=tuple(map(reasoning.limit, _checks(outcome))),
        held=outcome.kind is OutcomeKind.LIMITED,
        waits=_waits(outcome),
        unseen=finding.unseen,
        until=outcome.until,
        generation=outcome.plan.generation if judged and outcome.plan is not None else _known(finding),
        cause=outcome.cause,
        clients=_clients(outcome),
        manual=finding.manual,
        reason=refused.reason if refused is not None else "",
        remedy=refused.remedy if refused is not None else "",
        plan=plain(outcome.plan) if outcome.plan is not None else None,
        change=plain(finding.change) if finding.change is not None else None,
        bill=BillTold.model_validate(cost) if cost is not None else None,
        following=_following(finding.following) if finding.following is not None else None,
        demand=finding.demand,
        figures=tuple(map(RegionFiguresTold.model_validate, finding.figures)),
    )


def _following(found: Following) -> FollowingTold:
    plan = found.plan
    return FollowingTold(
        at=found.at,
        summary=f"{plan.kind} ({plan.cause}): {_moved(plan)}",
        cause=plan.cause,
        before_bp=dict(plan.shares_before),
        after_bp=dict(plan.shares_after),
    )


def _moved(plan: Plan) -> str:
    return f"{percentages(plan.shares_before) or 'no answer'} -> {percentages(plan.shares_after)}"


_RESULTS: Final[dict[OutcomeKind, Result]] = {
    OutcomeKind.WRITE: "plan",
    OutcomeKind.LIMITED: "plan",
    OutcomeKind.IN_SYNC: "in_sync",
    OutcomeKind.REFUSE: "refused",
    OutcomeKind.DRIFT: "drift",
    OutcomeKind.HOLD: "hold",
}


def _known(finding: PlanFinding) -> int:
    return finding.outcome.state.of(finding.target).generation if finding.outcome is not None else 0


def _waits(outcome: Outcome) -> bool:
    """Whether a rule keeps what stands there although something else would be right."""
    if outcome.drift is not None and outcome.drift.action is DriftAction.WAIT:
        return True
    kept = any(reason.code in _KEEPING for reason in outcome.reasons)
    return kept or outcome.decision.kind in _HOLDS


_KEEPING: Final = frozenset({ReasonCode.DWELL, ReasonCode.FAILBACK_HOLD, ReasonCode.FAILBACK_MANUAL})
"""Who would get traffic, and has to wait for it: for a time, or for a person."""


_HOLDS: Final = frozenset(
    {
        DecisionKind.HOLD_ALL_DOWN,
        DecisionKind.HOLD_COMMON_FALL,
        DecisionKind.HOLD_OPERATOR,
        DecisionKind.HOLD_OVERRIDES_LOST,
        DecisionKind.HOLD_NOBODY_ALLOWED,
    }
)
"""What is never looked at further, so that nobody knows whether the file says something else: it is not called fine."""


def _clients(outcome: Outcome) -> str:
    """How long the answer of before is going to be used, where a change of it is pending."""
    plan = outcome.plan
    if outcome.kind not in {OutcomeKind.WRITE, OutcomeKind.LIMITED} or plan is None or plan.before.records is None:
        return ""
    moves = plan.shares_before and plan.shares_before != plan.shares_after
    return phrases.clients(plan.before.records.ttl) if moves else ""


def _checks(outcome: Outcome) -> Sequence[LimitCheck]:
    if outcome.approved is not None:
        return outcome.approved.checks
    return outcome.held.checks if outcome.held is not None else ()


def _headline(finding: PlanFinding) -> str:
    outcome, error = finding.outcome, finding.error
    if outcome is None:
        return f"FAILED ({error.reason}): {error.detail}. {error.remedy}" if error is not None else "no decision"
    plan, refused = outcome.plan, outcome.refused
    match outcome.kind:
        case OutcomeKind.REFUSE if refused is not None:
            return f"REFUSED ({refused.reason}): {refused.detail}. {refused.remedy}"
        case OutcomeKind.IN_SYNC:
            unseen = few(finding.unseen, _NAMED)
            doubt = f", as far as can be seen: {unseen} without a verdict" if unseen else ""
            return f"nothing to do{doubt} (generation {outcome.state.of(finding.target).generation})"
        case OutcomeKind.DRIFT if plan is not None and outcome.drift is not None:
            words = {DriftAction.WAIT: "taken as meant for now, for an incident is open"}
            will = words.get(outcome.drift.action, "only reported (on_drift: report)")
            return f"somebody changed it, and that is {will}: {percentages(plan.shares_before) or 'no answer'}"
        case OutcomeKind.WRITE | OutcomeKind.LIMITED if plan is not None:
            held = "HELD BY A LIMIT, " if outcome.kind is OutcomeKind.LIMITED else ""
            return f"{held}{plan.kind} ({plan.cause}): {_moved(plan)} (generation {plan.generation})"
        case _:
            return f"nothing is done: {outcome.decision.kind}"


_NAMED: Final = 4
"""Endpoints that a line names."""


# -- what was done -----------------------------------------------------------------------------------------------------


def attempt_told(attempt: Attempt) -> AttemptTold:
    result = attempt.result
    reason, remedy = (result.reason, result.remedy) if isinstance(result, FailoverdError) else ("", "")
    return AttemptTold(
        target=TargetTold.model_validate(attempt.plan.target),
        result=_result(attempt),
        summary=_ended(attempt),
        generation=result.generation if isinstance(result, InSync) else attempt.plan.generation,
        reason=reason,
        remedy=remedy,
    )


def _result(attempt: Attempt) -> Literal["applied", "in_place", "held", "refused", "failed"]:
    match attempt.result:
        case None:
            return "applied"
        case InSync():
            return "in_place"
        case Held():
            return "held"
        case FailoverdError():
            return "failed" if attempt.sent else "refused"


def _ended(attempt: Attempt) -> str:
    """How applying a plan went, in one line. Only what failed before or at the fence has changed nothing."""
    plan, result = attempt.plan, attempt.result
    match result:
        case None:
            return proved(f"applied, generation {plan.generation}, read back as written", attempt.proof)
        case InSync():
            return f"stands there already, generation {result.generation}: another was faster, nothing was written"
        case Held():
            return "held: " + "; ".join(reasoning.limit(found) for found in result.blocking)
        case FailoverdError():
            return _failed(result, sent=attempt.sent)


def _failed(result: FailoverdError, *, sent: bool) -> str:
    if not sent:
        return f"refused, nothing was changed: {result}"
    if result.reason in _SENT:
        return f"{_SENT[result.reason]}: {result}. failoverctl plan shows what stands there now"
    if isinstance(result, Fenced):
        return f"refused by the provider, nothing was changed: {result}"
    return f"failed: {result}. failoverctl plan shows what stands there now"


_SENT: Final = {
    "outcome_unknown": "sent, and nobody knows whether it took effect",
    "answer_unverified": "sent, and nobody knows whether it took effect",
    "not_read_back": "accepted by the provider, but not proved by reading it back",
    "no_effect": "accepted by the provider, and not in place all the same",
    "overtaken": "applied, and replaced by another writer since",
}
"""What is true of a plan that was handed to the provider and ended for one of these reasons."""


def proved(words: str, proof: str) -> str:
    """With what the authoritative servers say, where they say something."""
    return f"{words}; {proof}" if proof else words
