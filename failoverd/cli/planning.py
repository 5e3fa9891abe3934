"""How plans are told: for people, and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from failoverd.cli.operations import Finding
from failoverd.cli.options import Exit
from failoverd.codec import plain
from failoverd.core.errors import FailoverdError
from failoverd.core.events import percentages
from failoverd.core.guard import Held
from failoverd.core.plan import InSync, Plan, Refused


def exit_code(findings: Sequence[Finding]) -> Exit:
    """The most serious of: failed, a limit blocks, changes pending, fine."""
    if any(isinstance(finding.result, FailoverdError | Refused) for finding in findings):
        return Exit.FAILED
    if any(isinstance(finding.approval, Held) for finding in findings):
        return Exit.LIMITED
    if any(isinstance(finding.result, Plan) for finding in findings):
        return Exit.PENDING
    return Exit.FINE


def show(console: Console, findings: Sequence[Finding]) -> None:
    """Each target: what would be done, why, and by which limits it was judged."""
    for finding in findings:
        line = f"[bold]{finding.target}[/bold] (policy {finding.target.policy}): {escape(_headline(finding))}"
        console.print(line, soft_wrap=True)
        for reason in finding.decision.reasons if finding.decision is not None else ():
            console.print(f"  why    {reason.text}", markup=False, soft_wrap=True)
        for check in finding.approval.checks if finding.approval is not None else ():
            console.print(f"  limit  {check}", markup=False, soft_wrap=True)
        if isinstance(finding.result, Plan):
            console.print("  by hand:")
            console.print(finding.manual, markup=False, highlight=False, soft_wrap=True)


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
