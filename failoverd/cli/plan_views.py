"""How plans are told: for people, and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from failoverd.api.planned import proved
from failoverd.api.shapes import AttemptTold, FindingTold, TargetTold
from failoverd.cli.options import Exit
from failoverd.cli.screen import say, say_block
from failoverd.codec import plain
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.plan import InSync, Plan, PlanKind
from failoverd.core.errors import FailoverdError
from failoverd.core.records import RecordKey, RecordType, Target
from failoverd.operations.concerns import FEW
from failoverd.operations.owning import NotOurs, Owned
from failoverd.telemetry import phrases


def exit_code_of(findings: Sequence[FindingTold]) -> Exit:
    """The most serious of: failed, a limit or rule blocks, changes pending, fine."""
    codes = set(map(_exit_code, findings))
    return next((code for code in (Exit.FAILED, Exit.LIMITED, Exit.PENDING) if code in codes), Exit.FINE)


def _exit_code(finding: FindingTold) -> Exit:
    """Fine is only what needs nothing, and of which everything was seen."""
    if finding.result in {"failed", "refused"}:
        return Exit.FAILED
    if finding.result == "plan" and not finding.held:
        return Exit.PENDING
    if finding.held or finding.waits:
        return Exit.LIMITED
    return Exit.FAILED if finding.unseen or finding.verdict == DecisionKind.HOLD_NO_VERDICT else Exit.FINE


def _needs_nothing(finding: FindingTold) -> bool:
    """What was edited by hand is shown, even where that is only reported."""
    return finding.result in {"in_sync", "hold"} and _exit_code(finding) is Exit.FINE


def exit_code(attempts: Sequence[AttemptTold]) -> Exit:
    """The most serious of: failed, a limit blocks, fine."""
    results = {each.result for each in attempts}
    if results & {"refused", "failed"}:
        return Exit.FAILED
    return Exit.LIMITED if "held" in results else Exit.FINE


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
    return proved(words, done.proof)


def show(console: Console, findings: Sequence[FindingTold], *, every: bool = False, verbose: bool = False) -> None:
    """Each target: what would be done, why, and by which limits it was judged; `verbose`, with all of its figures.

    Those that need nothing are only counted where they are many, unless `every` one is asked for.
    """
    quiet = [] if every else [each for each in findings if _needs_nothing(each)]
    if len(quiet) > FEW:
        others = len(findings) - len(quiet)
        differ = f", {others} listed below" if others else ""
        say(console, (f"{len(quiet)} of {len(findings)} records: nothing to do", "bold"), f"{differ} (all: --verbose)")
        findings = [each for each in findings if not _needs_nothing(each)]
    for finding in findings:
        target = target_of(finding.target)
        say(console, (str(target), "bold"), f" (policy {target.policy}): {finding.summary}")
        for words in finding.reasons:
            say(console, f"  why    {words}")
        for words in finding.limits:
            say(console, f"  limit  {words}")
        for words in _figures(finding) if verbose else ():
            say(console, f"  load   {words}")
        if finding.clients:
            say(console, f"  clients  {finding.clients}")
        if finding.plan is not None:
            say(console, "  by hand:")
            say_block(console, finding.manual)


def _figures(finding: FindingTold) -> Iterator[str]:
    """Who gets how much of what is demanded, and what it has room for, in the unit of both."""
    if finding.demand is None:
        return
    yield f"{phrases.amount(finding.demand)} are demanded"
    for each in finding.figures:
        load, target, room, capacity = (
            phrases.amount(number) if number is not None else "-"
            for number in (each.load, each.target, each.room, each.capacity)
        )
        yield f"{each.region}: {load} now, {target} wanted; room for {room}, capacity {capacity}"


def show_attempts(console: Console, attempts: Sequence[AttemptTold]) -> None:
    for each in attempts:
        say(console, f"{target_of(each.target)}: {each.summary}")


def target_of(told: TargetTold) -> Target:
    return Target(told.policy, RecordKey(told.record, RecordType(told.type)), told.provider, told.zone)


def as_json(finding: FindingTold) -> dict[str, Any]:
    """The finding as JSON: `result` is one of plan, in_sync, refused, failed, hold, drift."""
    told: dict[str, Any] = {"target": plain(target_of(finding.target)), "summary": finding.summary}
    if finding.result == "failed":
        return told | {"result": finding.result, "reason": finding.reason, "remedy": finding.remedy}
    told |= {"verdict": finding.verdict, "reasons": list(finding.reasons)}
    told |= {"result": finding.result, "until": finding.until, "unseen": list(finding.unseen)}
    if finding.bill is not None:
        told |= {"bill": finding.bill.model_dump()}
    if finding.demand is not None:
        told |= {"demand": finding.demand, "figures": [each.model_dump() for each in finding.figures]}
    if finding.result == "in_sync":
        told |= {"generation": finding.generation}
    if finding.result == "refused":
        told |= {"reason": finding.reason, "remedy": finding.remedy}
    if finding.plan is not None:
        told |= {"plan": finding.plan, "cause": finding.cause, "manual": finding.manual}
    if finding.result == "plan":
        told |= {"limits": list(finding.limits), "held": finding.held}
    return told


def attempt_as_json(attempt: AttemptTold) -> dict[str, Any]:
    return {"target": plain(target_of(attempt.target)), "outcome": attempt.summary}
