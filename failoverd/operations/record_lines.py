"""A line for each record: what it answers against normal, why, what happens next, and how to stop that."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from failoverd.core.control.decision import DecisionKind
from failoverd.core.names import failoverctl
from failoverd.core.overrides import Override
from failoverd.core.reasons import TRAITS, Reason, ReasonCode
from failoverd.core.records import WHOLE
from failoverd.core.status import Bill, Overview, PolicyStatus, RegionStatus, TargetState, TargetStatus
from failoverd.operations import words
from failoverd.operations.concerns import SEVERITY, Concern, Condition, flapped, in_the_way, put_up, still_lost
from failoverd.telemetry import phrases, reasoning


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One record at one provider. Shares in basis points by region.

    `now` is what it answers since `since`, as of `seen`, which is None while it was never read; `normal` what the file
    says for a day on which nothing is wrong. `why` is in a few words, and so is `next`, which comes at `next_at` if
    time alone brings it. Who sees it do what they do not want has `stop` for a command: it ends the word `ends` that
    has it done or, without one, has failoverd leave it alone; "" where no daemon is at work, who would do either.
    `overrides` are the ids of words in force about it. `foreign` is what it answers with besides, or instead, which is
    no region's share. `bill` is what it costs, and `costs` says that; None and "" where that is not known.
    """

    policy: str
    record: str
    type: str
    provider: str
    level: Condition
    state: str
    now: Mapping[str, int]
    normal: Mapping[str, int]
    since: float | None
    seen: float | None
    why: str
    next: str
    next_at: float | None
    stop: str
    ends: str
    overrides: tuple[str, ...]
    moved: bool
    foreign: tuple[str, ...] = ()
    bill: Bill | None = None
    costs: str = ""


def record_lines(
    found: Overview, concerns: Iterable[Concern], now: float, seen: float | None, *, stale: bool = False
) -> Iterator[RecordLine]:
    """One for each record at each provider, as far as it was seen by `seen`. `stale`: no daemon is at work."""
    worst: dict[tuple[str, str], Condition] = {}
    for each in concerns:
        if each.policy:
            key = each.policy, each.subject
            worst[key] = max(worst.get(key, Condition.WELL), each.level, key=SEVERITY.index)
    policies = {each.policy: each for each in found.policies}
    shaping = _shaping(found, now)
    health = {(each.policy, each.record_type, each.region): each for each in found.regions}
    for told in found.targets:
        status = _of_now(told, health)
        line = _record(
            status,
            policies.get(status.target.policy),
            worst.get((status.target.policy, str(status.target)), Condition.WELL),
            shaping.get(status.target, ()),
            seen,
        )
        yield replace(line, next=_by_hand(line.policy), next_at=None, stop="", ends="") if stale else line


def _of_now(status: TargetStatus, health: Mapping[tuple[str, str, str], RegionStatus]) -> TargetStatus:
    """With what is wrong with its regions now: what refused when it was decided on may hang by now."""

    def of_now(reason: Reason) -> Reason:
        key = status.target.policy, status.target.key.type, reason.region
        region = health.get(key) if reason.code.traits.health is not None else None
        same = region is not None and reason.code == f"region_{region.state}"
        return replace(reason, detail=region.evidence) if region is not None and same else reason

    return replace(status, reasons=tuple(map(of_now, status.reasons)))


def _by_hand(policy: str) -> str:
    """What happens where no daemon is at work, and what a person can do there."""
    return f"nothing, for no daemon is at work; to move it: {phrases.by_plan(policy)[1]}, failoverctl apply FILE"


def _shaping(found: Overview, now: float) -> dict[object, tuple[Override, ...]]:
    """Words in force, by the record that they are about."""
    said: dict[object, tuple[Override, ...]] = {}
    for word in found.overrides:
        if word.in_force(now):
            for target in words.concerned(word, found):
                said[target] = (*said.get(target, ()), word)
    return said


def _record(
    status: TargetStatus,
    policy: PolicyStatus | None,
    level: Condition,
    overrides: Sequence[Override],
    seen: float | None,
) -> RecordLine:
    target = status.target
    levels = [level]
    levels += [Condition.MOVED] if status.moved or overrides else []
    levels += [Condition.UNKNOWN] if status.kind == DecisionKind.HOLD_NO_VERDICT else []
    next_step, next_at = _next(status, policy)
    ends = _doing(status, overrides)
    leave_alone = failoverctl("hold", target.policy, "--reason", "TEXT", "--for", "1h")
    return RecordLine(
        policy=target.policy,
        record=target.key.name,
        type=target.key.type.value,
        provider=target.provider,
        level=max(levels, key=SEVERITY.index),
        state=status.state,
        now=status.published,
        normal=status.normal,
        since=status.answered_since,
        seen=_seen(status, seen),
        why="; ".join(filter(None, (_why(status), _file(policy)))),
        next=next_step,
        next_at=next_at,
        stop=failoverctl("release", ends) if ends else leave_alone,
        ends=ends,
        overrides=tuple(word.id for word in overrides),
        moved=status.moved,
        foreign=status.foreign,
        bill=status.bill,
        costs=phrases.costs(status.bill.hour, status.bill.normal_hour, status.bill.month) if status.bill else "",
    )


def _seen(status: TargetStatus, seen: float | None) -> float | None:
    """Nobody knows what became of it since it could be read."""
    if status.state is TargetState.DELAYED:
        return status.seen if status.seen is not None or not status.published else status.at
    return max(status.at, seen if seen is not None else status.at)


def _doing(status: TargetStatus, overrides: Sequence[Override]) -> str:
    """The word that has it do what it does, or was given since and will; "" without one."""
    in_force = [word.id for word in overrides]
    said = [name for each in _told(status) if each.rule == "overrides" for name in each.named if name in in_force]
    given_since = [word.id for word in reversed(overrides) if word.since >= status.at]
    return next(iter([*said, *given_since]), "")


def _file(policy: PolicyStatus | None) -> str:
    return "an older revision runs, for its newer file does not load" if policy is not None and policy.rejected else ""


def _why(status: TargetStatus) -> str:
    """In a few words why it answers what it does; "" where that is normal and nothing waits."""
    told = _told(status)
    out = [f"{reasoning.words(each)} (to use it now: {put_up(status, [each])})" for each in flapped(status)]
    if status.state in {TargetState.DELAYED, TargetState.REFUSED}:
        worse = [reasoning.words(each) for each in told[:1] if each.code in _ALL_DOWN]
        lost = still_lost(status) if status.state is TargetState.DELAYED else ""
        detail = f"{lost}cannot be read or written: {status.detail}" if lost else status.detail
        return "; ".join([*worse, *out, detail])
    if status.state is TargetState.DRIFTED:
        return f"edited by somebody else: {status.detail}"
    if told:
        causes = [] if told[0].code is ReasonCode.FLAPPED else _causes(told[0], status)
        down = [each for each in told if each.code is ReasonCode.REGION_DOWN and told[0].code is ReasonCode.PINNED]
        return "; ".join([*map(reasoning.words, (*causes, *down)), *out])
    if status.checks:
        return reasoning.limit(status.checks[0])
    return moved_so(status) if status.moved else ""


def _causes(reason: Reason, status: TargetStatus) -> list[Reason]:
    """A reason, and before it what others say of its region, where not probes but they have it taken for what it is."""
    about = [each for each in status.reasons if each.region == reason.region]
    taken = any(each.rule == "signals" and each.code.traits.health is not None for each in about)
    of_health = reason.code.traits.health is not None or reason.code is ReasonCode.DEGRADED_OUT
    return [*(each for each in about if taken and of_health and each.code in _LOWERING), reason]


_LOWERING: Final = frozenset({ReasonCode.BURNING, ReasonCode.ALERTED})


def _told(status: TargetStatus) -> list[Reason]:
    """The steps of the sum that have it answer what it does, what a person wants to know first before the others."""
    codes: dict[ReasonCode, list[Reason]] = {}
    for reason in status.reasons:
        codes.setdefault(reason.code, []).append(reason)
    return [
        reason for code in TRAITS if code.traits.explains for reason in codes.get(code, ()) if _tells(reason, status)
    ]


def _tells(reason: Reason, status: TargetStatus) -> bool:
    """Whether it moves anything: a standby that is ill, or drained, does not.

    Nor does a shed where the region answers as much as it would without, for its provider can say no less.
    """
    if reason.code is ReasonCode.SHED and status.state is not TargetState.LIMITED:
        wanted = reason.numbers.get("wanted", WHOLE)
        return status.published.get(reason.region, 0) < wanted - _ROUNDING
    if reason.code is ReasonCode.LOADED:
        return any(each.code in _BOUND and each.region == reason.region for each in status.reasons)
    if reason.code.traits.of_region:
        return bool(status.normal.get(reason.region)) or bool(status.published.get(reason.region))
    return True


_BOUND: Final = frozenset({ReasonCode.CAPACITY, ReasonCode.SHARED_CAPACITY})

_ROUNDING: Final = 100
"""Basis points that two shares may differ by and still be called the same."""

_ALL_DOWN: Final = frozenset(
    {
        ReasonCode.ALL_DOWN,
        ReasonCode.ALL_DOWN_NORMAL,
        ReasonCode.ALL_DOWN_EMPTY,
        ReasonCode.ALL_DOWN_ANSWER,
        ReasonCode.EVICTED,
        ReasonCode.NOBODY_ALLOWED,
    }
)


def _next(status: TargetStatus, policy: PolicyStatus | None) -> tuple[str, float | None]:
    """What happens next, in a few words, and when, if time alone brings it."""
    if status.state is TargetState.DELAYED:
        return "it is tried again", status.until
    if status.state is TargetState.REFUSED:
        return "", None  # nothing, before a person has acted
    if status.state is TargetState.LIMITED:
        what = in_the_way(status)
        return f"{what} lets more pass" if status.until is not None else f"{what} waits for a person", status.until
    if (step := _step(status)) is not None:
        return step
    for reason in flapped(status):
        return f"{reason.region} may be used again if it still passes", reason.numbers["until"]
    back = _return(status, policy)
    return (back, None) if back or status.until is None else ("it is looked at again", status.until)


def _step(status: TargetStatus) -> tuple[str, float | None] | None:
    """What time alone brings next: a word that ends later, or moves nothing, is not what comes then.

    A way back is told by its own moment, if something else is looked at before.
    """
    told = (reason for code in _STEPS for reason in status.reasons if reason.code is code and _tells(reason, status))
    steps = [(_due(reason, status), reason) for reason in told]
    now = [_words(reason) for at, reason in steps if at is not None and at == status.until]
    if now:
        return now[0], status.until
    back = [(at, _words(reason)) for at, reason in steps if at is not None and reason.code in _BACK]
    if back:
        at, words = min(back)
        return words, at
    waiting = (_words(reason) for _, reason in steps if reason.code is _RAMP)
    return next(((f"{words} once the last one stands and it is well", None) for words in waiting), None)


def _due(reason: Reason, status: TargetStatus) -> float | None:
    """When what a reason waits for comes; None where time alone does not bring it."""
    numbers = reason.numbers
    if reason.code is _RAMP:
        return numbers.get("next")
    if reason.code is ReasonCode.FAILBACK_HOLD:
        at = status.at + numbers["hold"] - numbers["well"]
        same = status.until is not None and abs(at - status.until) < _SAME
        return status.until if same else at
    return numbers.get("until", status.until)


def _words(reason: Reason) -> str:
    return _STEPS[reason.code].format(region=reason.region, **_step_of(reason))


def _step_of(reason: Reason) -> dict[str, int]:
    """Which step of its ramp a region takes next."""
    numbers = reason.numbers
    return {"step": int(numbers["step"]) + 1, "steps": int(numbers["steps"])} if reason.code is _RAMP else {}


def _return(status: TargetStatus, policy: PolicyStatus | None) -> str:
    """How a region that left comes back; "" where none did, or something else than its health keeps them out."""
    out = {reason.region for reason in status.reasons if reason.code in _KEPT_OUT}
    missing = (name for name, share in status.normal.items() if share > status.published.get(name, 0))
    gone = sorted(name for name in missing if name not in out)
    if policy is None or status.kind != DecisionKind.FAILOVER:
        return ""
    if not gone:
        return _well_again(status, policy)
    names, verb = " and ".join(gone), "comes" if len(gone) == 1 else "come"
    if policy.failback_after is None or any(each.code is ReasonCode.FAILBACK_GIVEN_UP for each in status.reasons):
        return f"a person brings {names} back"
    return f"{names} {verb} back once well for {phrases.ago(policy.failback_after)}"


def _well_again(status: TargetStatus, policy: PolicyStatus) -> str:
    """How a region comes back that is left out while it is DEGRADED: no person is waited for."""
    out = sorted(reason.region for reason in status.reasons if reason.code is ReasonCode.DEGRADED_OUT)
    if not out:
        return ""
    verb = "comes" if len(out) == 1 else "come"
    hold = f" for {phrases.ago(policy.failback_after)}" if policy.failback_after else ""
    return f"{' and '.join(out)} {verb} back once healthy{hold}"


_KEPT_OUT: Final = frozenset(
    {ReasonCode.FLAPPED, ReasonCode.DRAINED, ReasonCode.SHED, ReasonCode.DEGRADED_OUT, ReasonCode.TOO_FAR}
)

_RAMP: Final = ReasonCode.RAMP
_BACK: Final = frozenset({ReasonCode.RAMP, ReasonCode.FAILBACK_HOLD})

_SAME: Final = 1.0
"""Seconds by which two moments may differ and still be called the same."""

_STEPS: Final = {
    ReasonCode.HELD: "the hold ends",
    ReasonCode.OVERRIDES_LOST: "the lost override would end",
    ReasonCode.FAILBACK_HOLD: "{region} comes back if it stays well",
    ReasonCode.RAMP: "{region} takes step {step} of {steps} of its way back",
    ReasonCode.COMMON_FALL: "it is known who else fell",
    ReasonCode.COMMON_RISE: "it moves without who is waited for",
    ReasonCode.OPEN_VERDICT: "it is known whether {region} falls",
    ReasonCode.DWELL: "it may be tuned again",
    ReasonCode.PINNED: "the pin ends",
    ReasonCode.DRAINED: "the drain of {region} ends",
    ReasonCode.SHED: "the shed of {region} ends",
    ReasonCode.SAID: "the override of endpoints ends",
    ReasonCode.PAUSED: "the pause ends",
    ReasonCode.PRACTISED: "the practice of {region} ends",
}
"""What the first of these reasons waits for."""


def moved_so(status: TargetStatus) -> str:
    """How what is answered differs from normal: `left azure-eastus`."""
    published, normal = status.published, status.normal
    if not published:
        return "answers otherwise than by failoverd" if status.foreign else "has no answer"
    gone = sorted(name for name, share in normal.items() if share and not published.get(name))
    if gone:
        return f"left {' and '.join(gone)}"
    less = sorted(name for name, share in normal.items() if 0 < published.get(name, 0) < share)
    return f"has less on {' and '.join(less)}" if less else "has other shares than normal"
