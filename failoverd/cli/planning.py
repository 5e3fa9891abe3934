"""How plans are told: for people, and as JSON."""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console

from failoverd.cli.options import Exit
from failoverd.cli.screen import say, say_block
from failoverd.codec import plain
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.drift import DriftAction
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import InSync, Plan, PlanKind
from failoverd.core.errors import FailoverdError, Fenced
from failoverd.core.reasons import LimitCheck, ReasonCode
from failoverd.core.records import few, percentages
from failoverd.operations.owning import NotOurs, Owned
from failoverd.operations.planning import Attempt, PlanFinding
from failoverd.telemetry import prose


def exit_code_of(findings: Sequence[PlanFinding]) -> Exit:
    """The most serious of: failed, a limit or rule blocks, changes pending, fine."""
    codes = set(map(_exit_code, findings))
    return next((code for code in (Exit.FAILED, Exit.LIMITED, Exit.PENDING) if code in codes), Exit.FINE)


def _exit_code(finding: PlanFinding) -> Exit:
    """Fine is only what needs nothing, and of which everything was seen."""
    outcome = finding.outcome
    if outcome is None or outcome.kind is OutcomeKind.REFUSE:
        return Exit.FAILED
    if outcome.kind is OutcomeKind.WRITE:
        return Exit.PENDING
    if outcome.kind is OutcomeKind.LIMITED or _waits(outcome):
        return Exit.LIMITED
    unseen = finding.unseen or outcome.decision.kind is DecisionKind.HOLD_NO_VERDICT
    return Exit.FAILED if unseen else Exit.FINE


def _waits(outcome: Outcome) -> bool:
    """Whether a rule keeps what stands there although something else would be right."""
    if outcome.drift is not None and outcome.drift.action is DriftAction.WAIT:
        return True
    dwells = any(reason.code is ReasonCode.DWELL for reason in outcome.reasons)
    return dwells or outcome.decision.kind in {DecisionKind.HOLD_ALL_DOWN, DecisionKind.HOLD_COMMON_FALL}


def exit_code(attempts: Sequence[Attempt]) -> Exit:
    """The most serious of: failed, a limit blocks, fine."""
    results = [each.result for each in attempts]
    if any(isinstance(result, FailoverdError) for result in results):
        return Exit.FAILED
    return Exit.LIMITED if any(isinstance(result, Held) for result in results) else Exit.FINE


def outcome(attempt: Attempt) -> str:
    """How applying a plan went, in one line. Only what failed before or at the fence has changed nothing."""
    plan, result = attempt.plan, attempt.result
    match result:
        case None:
            return _proved(f"applied, generation {plan.generation}, read back as written", attempt.proof)
        case InSync():
            return f"stands there already, generation {result.generation}: another was faster, nothing was written"
        case Held():
            return "held: " + "; ".join(prose.limit(found) for found in result.blocking)
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


def owned(done: Owned) -> str:
    """How taking over a record, or giving it back, went, in one line."""
    match done.result:
        case FailoverdError() as error:
            words = f"failed: {error}"
        case InSync(generation=0):
            words = "was given back already: no marker speaks of it"
        case InSync():
            words = "was owned already"
        case NotOurs():
            words = "nothing of failoverd stands there any more, and it is not listed as orphaned any more"
        case Plan(kind=PlanKind.DISOWN, revision=revision):
            left = "; remove it from the policy, which would create it anew if it were deleted" if revision else ""
            words = f"given back: its marker is gone, its answers stay as they are{left}"
        case Plan() as plan:
            since = f"; {done.since}" if done.since else ""
            words = f"adopted, generation {plan.generation}{since}"
    return _proved(words, done.proof)


def _proved(words: str, proof: str) -> str:
    return f"{words}; {proof}" if proof else words


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
        if words := _clients(outcome):
            say(console, f"  clients  {words}")
        if outcome.plan is not None:
            say(console, "  by hand:")
            say_block(console, finding.manual)


def _clients(outcome: Outcome) -> str:
    """How long the answer of before is going to be used, where a change of it is pending."""
    plan = outcome.plan
    if outcome.kind not in {OutcomeKind.WRITE, OutcomeKind.LIMITED} or plan is None or plan.before.records is None:
        return ""
    moves = plan.shares_before and plan.shares_before != plan.shares_after
    return prose.clients(plan.before.records.ttl) if moves else ""


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
            before = percentages(plan.shares_before) or "no answer"
            held = "HELD BY A LIMIT, " if outcome.kind is OutcomeKind.LIMITED else ""
            shares = f"{before} -> {percentages(plan.shares_after)}"
            return f"{held}{plan.kind} ({plan.cause}): {shares} (generation {plan.generation})"
        case _:
            return f"nothing is done: {outcome.decision.kind}"


_NAMED: Final = 4
"""Endpoints that a line names."""

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
    told |= {"result": _RESULTS[outcome.kind], "until": outcome.until, "unseen": list(finding.unseen)}
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
