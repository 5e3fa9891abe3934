"""How plans are told: for people, and as JSON."""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console

from failoverd.cli.operations import Adoption, Attempt, Finding
from failoverd.cli.options import Exit
from failoverd.cli.screen import say, say_block
from failoverd.codec import plain
from failoverd.core.errors import FailoverdError, Fenced
from failoverd.core.guard import Held
from failoverd.core.plan import InSync, Plan, PlanKind, Refused
from failoverd.core.records import percentages


def exit_code(results: Sequence[Plan | InSync | Refused | Held | FailoverdError | None]) -> Exit:
    """The most serious of: failed, a limit blocks, changes pending, fine."""
    for kinds, code in (
        ((FailoverdError, Refused), Exit.FAILED),
        ((Held,), Exit.LIMITED),
        ((Plan,), Exit.PENDING),
    ):
        if any(isinstance(result, kinds) for result in results):
            return code
    return Exit.FINE


def outcome(attempt: Attempt) -> str:
    """How applying a plan went, in one line. Only what failed before or at the fence has changed nothing."""
    plan, result = attempt.plan, attempt.result
    if result is None:
        return _proved(f"applied, generation {plan.generation}, read back as written", attempt.proof)
    if isinstance(result, Held):
        return "held: " + "; ".join(str(found) for found in result.blocking)
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


def adopted(adoption: Adoption) -> str:
    """How taking over a record went, in one line."""
    match adoption.result:
        case InSync():
            return "was owned already"
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


def show(console: Console, findings: Sequence[Finding]) -> None:
    """Each target: what would be done, why, and by which limits it was judged."""
    for finding in findings:
        say(console, (str(finding.target), "bold"), f" (policy {finding.target.policy}): {_headline(finding)}")
        for reason in finding.decision.reasons if finding.decision is not None else ():
            say(console, f"  why    {reason.text}")
        for check in finding.approval.checks if finding.approval is not None else ():
            say(console, f"  limit  {check}")
        if isinstance(finding.result, Plan):
            say(console, "  by hand:")
            say_block(console, finding.manual)


def _headline(finding: Finding) -> str:
    match finding.result:
        case Plan() as plan:
            before = percentages(plan.shares_before) or "no answer"
            held = "HELD BY A LIMIT, " if isinstance(finding.approval, Held) else ""
            return f"{held}{plan.kind}: {before} -> {percentages(plan.shares_after)} (generation {plan.generation})"
        case InSync() as same:
            return f"nothing to do (generation {same.generation})"
        case Refused() as refused:
            return f"REFUSED ({refused.reason}): {refused.detail}. {refused.remedy}"
        case FailoverdError() as error:
            return f"FAILED ({error.reason}): {error.detail}. {error.remedy}"
        case None:
            wish = finding.decision.wish if finding.decision is not None else "no decision"
            return f"nothing is done: {wish}"


def as_json(finding: Finding) -> dict[str, Any]:
    """The finding as JSON: `result` is one of plan, in_sync, refused, failed, hold."""
    told: dict[str, Any] = {"target": plain(finding.target), "summary": _headline(finding)}
    if finding.decision is not None:
        told["verdict"] = finding.decision.wish
        told["reasons"] = [reason.text for reason in finding.decision.reasons]
    match finding.result:
        case Plan() as plan:
            told |= {"result": "plan", "plan": plain(plan), "manual": finding.manual}
        case InSync() as same:
            told |= {"result": "in_sync", "generation": same.generation}
        case Refused() as refused:
            told |= {"result": "refused", "reason": refused.reason, "remedy": refused.remedy}
        case FailoverdError() as error:
            told |= {"result": "failed", "reason": error.reason, "remedy": error.remedy}
        case None:
            told |= {"result": "hold"}
    if finding.approval is not None:
        told["limits"] = [str(check) for check in finding.approval.checks]
        told["held"] = isinstance(finding.approval, Held)
    return told
