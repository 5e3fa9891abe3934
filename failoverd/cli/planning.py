"""How plans are told: for people, and as JSON."""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console

from failoverd.cli.options import Exit
from failoverd.cli.screen import say, say_block
from failoverd.codec import plain
from failoverd.core.control.drift import DriftAction
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import InSync, Plan, PlanKind
from failoverd.core.errors import FailoverdError, Fenced
from failoverd.core.reasons import LimitCheck
from failoverd.core.records import percentages
from failoverd.operations.owning import NotOurs, Owned
from failoverd.operations.planning import Attempt, PlanFinding
from failoverd.telemetry import prose


def exit_code_of(findings: Sequence[PlanFinding]) -> Exit:
    """The most serious of: failed, a limit blocks, changes pending, fine."""
    kinds = {each.outcome.kind for each in findings if each.outcome is not None}
    if OutcomeKind.REFUSE in kinds or any(each.error is not None for each in findings):
        return Exit.FAILED
    if OutcomeKind.LIMITED in kinds:
        return Exit.LIMITED
    return Exit.PENDING if OutcomeKind.WRITE in kinds else Exit.FINE


def exit_code(attempts: Sequence[Attempt]) -> Exit:
    """The most serious of: failed, a limit blocks, fine."""
    results = [each.result for each in attempts]
    if any(isinstance(result, FailoverdError) for result in results):
        return Exit.FAILED
    return Exit.LIMITED if any(isinstance(result, Held) for result in results) else Exit.FINE


def outcome(attempt: Attempt) -> str:
    """How applying a plan went, in one line. Only what failed before or at the fence has changed nothing."""
    plan, result = attempt.plan, attempt.result
    if result is None:
        return _proved(f"applied, generation {plan.generation}, read back as written", attempt.proof)
    if isinstance(result, Held):
        return "held: " + "; ".join(prose.limit(found) for found in result.blocking)
    if not attempt.sent:
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


def adopted(adoption: Owned) -> str:
    """How taking over a record went, in one line."""
    match adoption.result:
        case InSync():
            return "was owned already"
        case NotOurs():
            return "nothing of failoverd stands there any more, and it is not listed as orphaned any more"
        case Plan(kind=PlanKind.DISOWN, revision=""):
            return _proved("given back: its marker is gone, its answers stay as they are", adoption.proof)
        case Plan(kind=PlanKind.DISOWN):
            done = "given back: its marker is gone, its answers stay as they are"
            return _proved(
                f"{done}; remove it from the policy, which would create it anew if it were deleted", adoption.proof
            )
        case Plan() as plan:
            return _proved(f"adopted, generation {plan.generation}", adoption.proof)
        case FailoverdError() as error:
            return f"failed: {error}"


def _proved(done: str, proof: str) -> str:
    return f"{done}; {proof}" if proof else done


def show(console: Console, findings: Sequence[PlanFinding]) -> None:
    """Each target: what would be done, why, and by which limits it was judged."""
    for finding in findings:
        say(console, (str(finding.target), "bold"), f" (policy {finding.target.policy}): {_headline(finding)}")
        outcome = finding.outcome
        if outcome is None:
            continue
        for reason in outcome.reasons:
            say(console, f"  why    {prose.words(reason)}")
        for check in _checks(outcome):
            say(console, f"  limit  {prose.limit(check)}")
        if outcome.plan is not None:
            say(console, "  by hand:")
            say_block(console, finding.manual)


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
            return f"nothing to do (generation {outcome.state.of(finding.target).generation})"
        case OutcomeKind.DRIFT if plan is not None and outcome.drift is not None:
            words = {DriftAction.WAIT: "taken as meant for now, for an incident is open"}
            will = words.get(outcome.drift.action, "only reported (on_drift: report)")
            return f"somebody changed it, and that is {will}: {percentages(plan.shares_before) or 'no answer'}"
        case OutcomeKind.WRITE | OutcomeKind.LIMITED if plan is not None:
            before = percentages(plan.shares_before) or "no answer"
            held = "HELD BY A LIMIT, " if outcome.kind is OutcomeKind.LIMITED else ""
            shares = f"{before} -> {percentages(plan.shares_after)}"
            return f"{held}{plan.kind} ({plan.cause}): {shares} (generation {plan.generation})"
        case _:
            return f"nothing is done: {outcome.decision.kind}"


_RESULTS: Final = {
    OutcomeKind.WRITE: "plan",
    OutcomeKind.LIMITED: "plan",
    OutcomeKind.IN_SYNC: "in_sync",
    OutcomeKind.REFUSE: "refused",
    OutcomeKind.DRIFT: "drift",
    OutcomeKind.HOLD: "hold",
}


def as_json(finding: PlanFinding) -> dict[str, Any]:
    """The finding as JSON: `result` is one of plan, in_sync, refused, failed, hold, drift."""
    told: dict[str, Any] = {"target": plain(finding.target), "summary": _headline(finding)}
    outcome, error = finding.outcome, finding.error
    if outcome is None:
        if error is not None:
            told |= {"result": "failed", "reason": error.reason, "remedy": error.remedy}
        return told
    told |= {"verdict": outcome.decision.kind, "reasons": [prose.words(reason) for reason in outcome.reasons]}
    told |= {"result": _RESULTS[outcome.kind], "until": outcome.until}
    if outcome.kind is OutcomeKind.IN_SYNC:
        told |= {"generation": outcome.state.of(finding.target).generation}
    if outcome.refused is not None:
        told |= {"reason": outcome.refused.reason, "remedy": outcome.refused.remedy}
    if outcome.plan is not None:
        told |= {"plan": plain(outcome.plan), "cause": outcome.cause, "manual": finding.manual}
    if outcome.kind in {OutcomeKind.WRITE, OutcomeKind.LIMITED}:
        told["limits"] = [prose.limit(check) for check in _checks(outcome)]
        told["held"] = outcome.kind is OutcomeKind.LIMITED
    return told
