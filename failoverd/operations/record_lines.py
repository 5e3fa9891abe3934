"""A line for each record: what it answers against normal, why, what happens next, and how to stop that."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.core.control.decision import DecisionKind
from failoverd.core.overrides import Override
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.status import Overview, PolicyStatus, TargetState, TargetStatus
from failoverd.operations import words
from failoverd.operations.concerns import SEVERITY, Concern, Level, in_the_way, still_lost
from failoverd.telemetry import phrases, prose


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One record at one provider. Shares in basis points by region.

    `now` is what it answers since `since`, as of `seen`, `normal` what the file says for a day on which nothing is
    wrong. `why` is in a few words, and so is `next`, which comes at `next_at` if time alone brings it. `stop` is the
    command that has failoverd leave it alone, or gives it back. `overrides` are the ids of words in force about it.
    """

    policy: str
    record: str
    type: str
    provider: str
    level: Level
    state: str
    now: Mapping[str, int]
    normal: Mapping[str, int]
    since: float | None
    seen: float
    why: str
    next: str
    next_at: float | None
    stop: str
    overrides: tuple[str, ...]
    moved: bool


def record_lines(found: Overview, concerns: Iterable[Concern], now: float, seen: float | None) -> Iterator[RecordLine]:
    """One for each record at each provider, as far as it was seen by `seen`."""
    worst: dict[tuple[str, str], Level] = {}
    for each in concerns:
        if each.policy:
            key = each.policy, each.subject
            worst[key] = max(worst.get(key, Level.WELL), each.level, key=SEVERITY.index)
    policies = {each.policy: each for each in found.policies}
    shaping = _shaping(found, now)
    for status in found.targets:
        yield _record(
            status,
            policies.get(status.target.policy),
            worst.get((status.target.policy, str(status.target)), Level.WELL),
            shaping.get(status.target, ()),
            seen,
        )


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
    level: Level,
    overrides: Sequence[Override],
    seen: float | None,
) -> RecordLine:
    target = status.target
    levels = [level]
    levels += [Level.MOVED] if status.moved or overrides else []
    levels += [Level.UNKNOWN] if status.kind == DecisionKind.HOLD_NO_VERDICT else []
    next_step, next_at = _next(status, policy)
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
        seen=max(status.at, seen if seen is not None else status.at),
        why=_why(status),
        next=next_step,
        next_at=next_at,
        stop=_stop(status, overrides),
        overrides=tuple(word.id for word in overrides),
        moved=status.moved,
    )


def _stop(status: TargetStatus, overrides: Sequence[Override]) -> str:
    """Who sees it do what they do not want ends the word that has it done, or has failoverd leave it alone."""
    if overrides:
        named = [word for word in overrides if word.id in _why(status)]
        return f"failoverctl release {(named or overrides)[-1].id}"
    return f"failoverctl hold {status.target.policy} --reason TEXT --for 1h"


def _why(status: TargetStatus) -> str:
    """In a few words why it answers what it does; "" where that is normal and nothing waits."""
    if status.state is TargetState.DELAYED:
        lost = still_lost(status)
        return f"{lost}cannot be read or written: {status.detail}" if lost else status.detail
    if status.state is TargetState.REFUSED:
        return status.detail
    if status.state is TargetState.DRIFTED:
        return f"edited by somebody else: {status.detail}"
    codes: dict[ReasonCode, list[Reason]] = {}
    for reason in status.reasons:
        codes.setdefault(reason.code, []).append(reason)
    told = [reason for code in _TELLING for reason in codes.get(code, ()) if _tells(reason, status)]
    if told:
        out = [each for each in told if each.code is ReasonCode.REGION_DOWN and told[0].code is ReasonCode.PINNED]
        return "; ".join(map(prose.words, (told[0], *out)))
    if status.checks:
        return prose.limit(status.checks[0])
    return moved_so(status) if status.moved else ""


def _tells(reason: Reason, status: TargetStatus) -> bool:
    """A standby that is ill moves nothing."""
    ill = reason.code in {ReasonCode.REGION_DOWN, ReasonCode.REGION_DEGRADED, ReasonCode.REGION_UNKNOWN}
    return not ill or bool(status.normal.get(reason.region)) or bool(status.published.get(reason.region))


_TELLING: Final = (
    ReasonCode.OVERRIDES_LOST,
    ReasonCode.RIVAL,
    ReasonCode.HELD,
    ReasonCode.NOBODY_LEFT,
    ReasonCode.PINNED,
    ReasonCode.DRAINED,
    ReasonCode.SHED,
    ReasonCode.SAID,
    ReasonCode.RESTORE,
    ReasonCode.ALL_DOWN,
    ReasonCode.ALL_DOWN_NORMAL,
    ReasonCode.ALL_DOWN_EMPTY,
    ReasonCode.COMMON_FALL,
    ReasonCode.COMMON_RISE,
    ReasonCode.PROBER_DOUBTED,
    ReasonCode.NO_VERDICT,
    ReasonCode.REGION_DOWN,
    ReasonCode.RELEASED,
    ReasonCode.FAILBACK_MANUAL,
    ReasonCode.FAILBACK_HOLD,
    ReasonCode.FROZEN,
    ReasonCode.OVERLOAD,
    ReasonCode.REGION_DEGRADED,
    ReasonCode.CAPACITY,
    ReasonCode.OPEN_VERDICT,
    ReasonCode.SPILL,
    ReasonCode.PAUSED,
    ReasonCode.DEADBAND,
    ReasonCode.DWELL,
    ReasonCode.FAILBACK_WAIVED,
    ReasonCode.BY_HAND,
    ReasonCode.ADOPT,
)
"""Which step of the sum a person wants to know first."""


def _next(status: TargetStatus, policy: PolicyStatus | None) -> tuple[str, float | None]:
    """What happens next, in a few words, and when, if time alone brings it."""
    if status.state is TargetState.DELAYED:
        return "it is tried again", status.until
    if status.state is TargetState.LIMITED:
        what = in_the_way(status)
        return f"{what} lets more pass" if status.until is not None else f"{what} waits for a person", status.until
    if status.until is not None:
        waits = (words_of.format(region=region) for region, words_of in _waits(status))
        return next(waits, "it is looked at again"), status.until
    return _return(status, policy), None


def _waits(status: TargetStatus) -> Iterator[tuple[str, str]]:
    regions = {reason.code: reason.region for reason in status.reasons}
    return ((regions[code], said) for code, said in _STEPS.items() if code in regions)


def _return(status: TargetStatus, policy: PolicyStatus | None) -> str:
    """How a region that left comes back; "" where none did."""
    gone = " and ".join(sorted(name for name, share in status.normal.items() if share > status.published.get(name, 0)))
    if not gone or policy is None or status.kind != DecisionKind.FAILOVER:
        return ""
    if policy.failback_after is None:
        return f"a person brings {gone} back"
    return f"{gone} comes back once well for {phrases.ago(policy.failback_after)}"


_STEPS: Final = {
    ReasonCode.HELD: "the hold ends",
    ReasonCode.OVERRIDES_LOST: "the lost word would end",
    ReasonCode.FAILBACK_HOLD: "{region} comes back if it stays well",
    ReasonCode.COMMON_FALL: "it is known who else fell",
    ReasonCode.COMMON_RISE: "it moves without who is waited for",
    ReasonCode.OPEN_VERDICT: "it is known whether {region} falls",
    ReasonCode.DWELL: "it may be tuned again",
    ReasonCode.PINNED: "the pin ends",
    ReasonCode.DRAINED: "the drain of {region} ends",
    ReasonCode.SHED: "the shed of {region} ends",
    ReasonCode.SAID: "the word about endpoints ends",
    ReasonCode.PAUSED: "the pause ends",
}
"""What the first of these reasons waits for."""


def moved_so(status: TargetStatus) -> str:
    """How what is answered differs from normal: `left azure-eastus`."""
    published, normal = status.published, status.normal
    if not published:
        return "has no answer"
    gone = sorted(name for name, share in normal.items() if share and not published.get(name))
    if gone:
        return f"left {' and '.join(gone)}"
    less = sorted(name for name, share in normal.items() if 0 < published.get(name, 0) < share)
    return f"has less on {' and '.join(less)}" if less else "has other shares than normal"
