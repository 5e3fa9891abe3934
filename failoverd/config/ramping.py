"""Whether regions can come back by the ramp that a policy says, and whether its standbys can be kept tested."""

from collections.abc import Iterator

from failoverd.config.diagnostics import Code, Diagnostic, Severity
from failoverd.config.documents import Document
from failoverd.config.tree import Place
from failoverd.config.values import say_duration, say_percent
from failoverd.core.records import Policy, RampRules, Weights


def ramping(policy: Policy, document: Document) -> Iterator[Diagnostic]:
    if policy.ramp is not None:
        yield from _in_one_step(policy, document)
        yield from _rushed(policy, policy.ramp, document)
        yield from _rationed(policy, policy.ramp, document)
    if policy.trickle:
        yield from _trickle(policy, document)


def _whole(policy: Policy) -> str:
    """Why no part of a share can be said somewhere; "" where it can everywhere."""
    if policy.weights is Weights.MEMBERSHIP:
        return "weights: membership says that any share above zero means in the answer"
    singles = [str(record.key) for record in policy.records if record.single]
    return f"{', '.join(singles)} holds one answer at a time" if singles else ""


def _in_one_step(policy: Policy, document: Document) -> Iterator[Diagnostic]:
    why = _whole(policy)
    if why and policy.ramp is not None and len(policy.ramp.steps) > 1:
        message = f"{why}, so a region comes back to it in one step, and no fall on the way is counted"
        hint = "write failback: {after: 5m} alone, or choose a provider with weights"
        yield _warned(document, Code.RAMP_IDLE, ("failback", "ramp"), message, hint)


def _rushed(policy: Policy, ramp: RampRules, document: Document) -> Iterator[Diagnostic]:
    if ramp.step is None or len(ramp.steps) == 1:
        return
    ttl = max(record.ttl for record in policy.records)
    if ramp.step < ttl:
        message = (
            f"a step lasts {say_duration(ramp.step)}, and resolvers keep an answer for {say_duration(ttl)}: "
            "the next is taken before the traffic of the last is there"
        )
        hint = f"write step: auto, which is {say_duration(RampRules(judge=ramp.judge).pause(ttl))} here"
        yield _warned(document, Code.RAMP_RUSHED, ("failback", "step"), message, hint)
    elif ramp.step < ramp.judge:
        message = (
            f"a step lasts {say_duration(ramp.step)}, and is judged for {say_duration(ramp.judge)}: "
            "so long is waited for the next in any case"
        )
        hint = f"write step: {say_duration(ramp.judge)}, or a shorter judge"
        yield _warned(document, Code.RAMP_RUSHED, ("failback", "step"), message, hint)


def _rationed(policy: Policy, ramp: RampRules, document: Document) -> Iterator[Diagnostic]:
    """A ramp takes as many changes as it has steps, and the next return as many again."""
    ration, steps = policy.limits.returning, len(ramp.steps)
    if 0 < ration.max_changes < steps and ration.changes_window > steps * ramp.pause(policy.records[0].ttl):
        message = (
            f"the ramp takes {steps} changes, and max_changes lets {ration.max_changes} pass within "
            f"{say_duration(ration.changes_window)}: it stands still until the window lets it go on"
        )
        hint = (
            f"write limits: {{returning: {{max_changes: {steps} per {say_duration(ration.changes_window)}}}}} or more"
        )
        yield _warned(document, Code.RAMP_RATIONED, ("failback", "ramp"), message, hint)


def _trickle(policy: Policy, document: Document) -> Iterator[Diagnostic]:
    place = ("standby", "trickle")
    if why := _whole(policy):
        message = f"{why}: a trickle of {say_percent(policy.trickle)} cannot be said there"
        hint = "remove standby, or choose a provider with weights for every record"
        yield document.diagnose(Code.TRICKLE_UNSAID, place, message, hint)
    elif not any(region.share == 0 for region in policy.regions):
        message = "no region has a share of 0, so nobody gets the trickle"
        hint = "give a standby share: 0, or remove standby"
        yield _warned(document, Code.TRICKLE_IDLE, place, message, hint)


def _warned(document: Document, code: Code, place: Place, message: str, hint: str) -> Diagnostic:
    written = place if document.knows(place) else place[:1]
    return document.diagnose(code, written, message, hint, severity=Severity.WARNING)
