"""Which parts of a policy its tests have shown at work: regions lost and back, limits that bound, rules, stages."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from failoverd.core.control.decision import ALL_DOWN
from failoverd.core.events import (
    ChangeApplied,
    DecisionMade,
    Event,
    FailbackStepped,
    PlanHeld,
    RegionFailed,
)
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import Policy
from failoverd.core.rules import Rule


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a policy says, and that a test can show at work. `place` is `file:line`, where it is known."""

    name: str
    place: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a policy was at work. `missing` are the parts that never were."""

    policy: str
    shown: tuple[Part, ...]
    missing: tuple[Part, ...]

    @property
    def percent(self) -> float:
        """Of the parts, 100 where there are none."""
        whole = len(self.shown) + len(self.missing)
        return 100.0 * len(self.shown) / whole if whole else 100.0


_STAGES: Final[Mapping[str, frozenset[ReasonCode]]] = {
    "residency": frozenset({ReasonCode.RESIDENCY, ReasonCode.NOBODY_ALLOWED, ReasonCode.EVICTED}),
    "model": frozenset({ReasonCode.MODEL}),
    "demand": frozenset(
        {
            ReasonCode.CAPACITY,
            ReasonCode.SHARED_CAPACITY,
            ReasonCode.SPILL,
            ReasonCode.OVERLOAD,
            ReasonCode.EXCESS,
            ReasonCode.SHED_TO,
        }
    ),
    "shed_to": frozenset({ReasonCode.SHED_TO}),
    "latency": frozenset({ReasonCode.TOO_FAR, ReasonCode.FAR_KEPT}),
    "degraded": frozenset({ReasonCode.DEGRADED_OUT, ReasonCode.DEGRADED_KEPT}),
    "standby.trickle": frozenset({ReasonCode.TRICKLE}),
    "failback.ramp": frozenset({ReasonCode.RAMP}),
    "data_in": frozenset({ReasonCode.LINK}),
    "cost": frozenset({ReasonCode.CHEAPER}),
    "practice": frozenset({ReasonCode.PRACTISED, ReasonCode.PRACTICE_YIELDS}),
    "signals": frozenset({ReasonCode.LOADED, ReasonCode.LOADED_ALIKE, ReasonCode.BURNING, ReasonCode.SAME_EVERYWHERE}),
}
"""Keys of a policy, each with the reasons of the stage that heeds it."""


def parts(policy: Policy, rules: Iterable[Rule]) -> Iterator[Part]:
    """What a policy says that tests can show."""
    at = policy.source.at
    for spec in policy.regions:
        yield Part(f"{spec.name} is lost", at(f"regions.{spec.name}"))
        if policy.failback_after is not None:
            yield Part(f"{spec.name} comes back", at("failback"))
    for key in sorted(policy.source.lines):
        if key.startswith("limits.") and key.count(".") == 1 and key != "limits.min_regions":
            yield Part(f"{key} holds something back", at(key))
    yield Part("everything is down", at("when_all_down"))
    for key in _STAGES:
        if key in policy.source.lines:
            yield Part(f"{key} is heeded", at(key))
    for rule in rules:
        if rule.binds(policy.name):
            yield Part(f"rule {rule.name} holds something back", rule.at)


def shown(policy: Policy, events: Iterable[Event]) -> frozenset[str]:
    """The names of the parts that were at work while this was told."""
    found = set[str]()
    for event in events:
        if getattr(event, "policy", "") != policy.name:
            continue
        match event:
            case RegionFailed():
                found.add(f"{event.region} is lost")
            case FailbackStepped():
                found.add(f"{event.region} comes back")
            case DecisionMade():
                found |= _decided(event)
            case PlanHeld():
                found |= {f"limits.{check.limit.value} holds something back" for check in event.limits}
                found |= {f"rule {check.rule} holds something back" for check in event.limits if check.rule}
            case ChangeApplied():
                found |= _changed(event)
            case _:
                pass
    return frozenset(found)


def _decided(event: DecisionMade) -> set[str]:
    found = {f"{key} is heeded" for key, codes in _STAGES.items() if codes & {each.code for each in event.reasons}}
    return found | ({"everything is down"} if event.verdict in {kind.value for kind in ALL_DOWN} else set())


def _changed(event: ChangeApplied) -> set[str]:
    found = {f"limits.{check.limit.value} holds something back" for check in event.limits if check.holds_back}
    found |= {f"rule {check.rule} holds something back" for check in event.limits if check.rule and check.holds_back}
    if event.cause is Cause.RETURNING:
        risen = (name for name, share in event.shares_to.items() if share > event.shares_from.get(name, 0))
        found |= {f"{name} comes back" for name in risen}
    return found


def coverage(policy: Policy, rules: Iterable[Rule], names: frozenset[str]) -> Coverage:
    """How much of a policy was at work, by the names of the parts that were."""
    all_parts = tuple(parts(policy, rules))
    done = tuple(each for each in all_parts if each.name in names)
    return Coverage(policy.name, done, tuple(each for each in all_parts if each.name not in names))
