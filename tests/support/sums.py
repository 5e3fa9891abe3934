"""Redoes the sum of a decision from its reasons alone: the proof that a person could."""

from collections.abc import Iterator
from itertools import groupby

from failoverd.core.control.decision import Decision
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE
from failoverd.telemetry import reasoning

_TIERS = frozenset(
    {
        ReasonCode.PULL,
        ReasonCode.CAPACITY,
        ReasonCode.SHARED_CAPACITY,
        ReasonCode.OPEN_VERDICT,
        ReasonCode.UNMEASURED,
        ReasonCode.SHED,
        ReasonCode.RAMP,
        ReasonCode.LINK,
    }
)


def told(decision: Decision, code: str) -> list[str]:
    """The words of each reason with this code."""
    return [reasoning.words(reason) for reason in decision.reasons if reason.code == code]


def found(decision: Decision, code: ReasonCode) -> list[Reason]:
    return [reason for reason in decision.reasons if reason.code is code]


def redone(decision: Decision) -> dict[str, float]:
    """Percent by region, computed from nothing but the numbers of the reasons."""
    frozen = {reason.region: _percent(reason.numbers["share"]) for reason in found(decision, ReasonCode.FROZEN)}
    tested = {reason.region: _percent(reason.numbers["share"]) for reason in found(decision, ReasonCode.TRICKLE)}
    rest = 100.0 - sum(frozen.values()) - sum(tested.values())
    given: dict[str, float] = {}
    for pulls, rooms in _tiers(decision.reasons):
        left = rest - sum(rooms.values())
        total = sum(pull for name, pull in pulls.items() if name not in rooms)
        for name, pull in pulls.items():
            given[name] = rooms[name] if name in rooms else left * pull / total
        rest = 0.0 if total else left
    for reason in found(decision, ReasonCode.OVERLOAD):
        total = sum(reason.shares.values())
        given = {name: given.get(name, 0.0) + rest * room / total for name, room in reason.shares.items()}
    for reason in found(decision, ReasonCode.EXCESS):
        given = {**given, reason.region: given.get(reason.region, 0.0) + _percent(reason.numbers["rest"])}
    for reason in found(decision, ReasonCode.SHED_TO):
        rest = 100 * reason.numbers["short"] / reason.numbers["demand"]
        given[reason.region] = given.get(reason.region, 0.0) + rest
    return frozen | tested | {name: share for name, share in given.items() if share > 0}


def said_shares(decision: Decision) -> dict[str, float]:
    """What the reasons say that each region gets, in percent."""
    codes = (ReasonCode.FROZEN, ReasonCode.SHARE, ReasonCode.SINGLE)
    told_of = [reason for code in codes for reason in found(decision, code)]
    return {reason.region: _percent(reason.numbers["share"]) for reason in told_of}


def _tiers(reasons: tuple[Reason, ...]) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """For each tier in turn: the pull of each region, and the room of those that were filled to it."""
    steps = [reason for reason in reasons if reason.code in _TIERS]
    groups = [
        (pulls, list(group)) for pulls, group in groupby(steps, key=lambda reason: reason.code is ReasonCode.PULL)
    ]
    for index, (is_pull, group) in enumerate(groups):
        if is_pull:
            capped = groups[index + 1][1] if index + 1 < len(groups) else []
            pulls = {reason.region: _pull(reason) for reason in group}
            yield pulls, {reason.region: _room(reason) for reason in capped}


def _pull(reason: Reason) -> float:
    numbers = reason.numbers
    return (numbers["share"] or WHOLE) * numbers["score"]


def _room(reason: Reason) -> float:
    numbers = reason.numbers
    if "demand" not in numbers:
        return _percent(numbers["room"])
    if reason.code is ReasonCode.LINK:
        passes = numbers["bandwidth"] * numbers["headroom"] / WHOLE / 8 / numbers["per_request"]
        return (passes - numbers.get("taken", 0.0)) / numbers["demand"] * 100
    headroom = numbers.get("headroom", WHOLE) / WHOLE * numbers.get("left", WHOLE) / WHOLE
    carries = numbers["score"] / WHOLE * numbers["capacity"] * headroom
    if reason.code is ReasonCode.SHARED_CAPACITY:
        carries = numbers.get("whole", carries) - numbers["taken"]
    return carries / numbers["demand"] * 100


def _percent(basis_points: float) -> float:
    return basis_points * 100 / WHOLE
