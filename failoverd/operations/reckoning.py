"""What a change rests on, and what came before it: the sum by region, what a failure cost until it was made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from failoverd.core.clients import lost, still_old
from failoverd.core.control.decision import Decision
from failoverd.core.control.outcome import Outcome
from failoverd.core.control.plan import PlanKind
from failoverd.core.control.readings import measured
from failoverd.core.reasons import Cause, Reason, ReasonCode
from failoverd.core.records import WHOLE, Policy, RegionSpec
from failoverd.store.reading import ChangeRow, EventRow


@dataclass(frozen=True, slots=True)
class RegionSum:
    """One region in the sum of a decision, in basis points; None where the sum has no such step.

    `pull` is what it would get by share and score, `room` what it can carry or is allowed to. In the unit of its
    capacity, where that is what bounds it: `capacity`, what the policy puts there (`load`), what others need first
    there (`taken`), and `excess`, what of it fits nowhere and is sent there all the same.
    """

    region: str
    health: str
    score: int | None
    pull: int | None
    room: int | None
    before: int
    after: int
    capacity: float | None = None
    load: float | None = None
    taken: float | None = None
    excess: float | None = None


def table(decision: Decision, before: Mapping[str, int], after: Mapping[str, int]) -> tuple[RegionSum, ...]:
    """The sum by region, those first that lose most."""
    rows: dict[str, RegionSum] = {}
    for reason in decision.reasons:
        if reason.region:
            empty = RegionSum(reason.region, "", None, None, None, 0, 0)
            rows[reason.region] = _with(rows.get(reason.region, empty), reason)
    for name in (*before, *after):
        rows.setdefault(name, RegionSum(name, "", None, None, None, 0, 0))
    demand = next((reason.numbers["demand"] for reason in decision.reasons if "demand" in reason.numbers), None)
    told = (replace(row, before=before.get(name, 0), after=after.get(name, 0)) for name, row in rows.items())
    told = (_loaded(row, demand) for row in told)
    return tuple(sorted(told, key=lambda row: (row.after - row.before, row.region)))


def _with(row: RegionSum, reason: Reason) -> RegionSum:
    numbers, traits = reason.numbers, reason.code.traits
    if traits.health:
        return replace(row, health=traits.health, score=_whole(numbers, "score"))
    if reason.code is ReasonCode.PULL:
        return replace(row, pull=_whole(numbers, "pull"))
    if traits.bounds and "room" in numbers:
        capacity, taken = numbers.get("capacity"), numbers.get("taken")
        return replace(row, room=_whole(numbers, "room"), capacity=capacity, taken=taken)
    if reason.code is ReasonCode.EXCESS:
        excess = numbers["rest"] * numbers["demand"] / WHOLE
        return replace(row, excess=excess, taken=numbers.get("taken", row.taken))
    if reason.code is ReasonCode.DRAINED:
        return replace(row, room=0)
    return row


def _loaded(row: RegionSum, demand: float | None) -> RegionSum:
    bounded = row.capacity is not None or row.excess is not None
    return replace(row, load=demand * row.after / WHOLE) if bounded and demand is not None else row


def _whole(numbers: Mapping[str, float], name: str) -> int | None:
    return round(numbers[name]) if name in numbers else None


@dataclass(frozen=True, slots=True)
class RegionFigures:
    """What a policy has in a region, in the unit of its demand; None where nobody says what that rests on.

    `load` is what is published there now, `target` what is wanted. `room` is what the region can carry as it is now,
    for all policies together: score x `capacity` x headroom.
    """

    region: str
    load: float | None
    target: float | None
    room: float | None
    capacity: float | None


def demanded(policy: Policy, outcome: Outcome, now: float) -> tuple[float | None, tuple[RegionFigures, ...]]:
    """The demand of a policy as it counts now, and its figures region by region, whether any of them is full or not."""
    target = outcome.decision.target
    counted = measured(policy, outcome.state.signalled.readings, now).policy
    demand, plan = counted.demand, outcome.plan
    good = outcome.state.of(target).last_good
    stands = plan.shares_before if plan is not None else good.shares if good is not None else outcome.shares
    scores = {row.region: row.score for row in table(outcome.decision, {}, {})}

    def of_all(shares: Mapping[str, int], name: str) -> float | None:
        return demand * shares.get(name, 0) / WHOLE if demand is not None else None

    def room(spec: RegionSpec) -> float | None:
        score, planned = scores.get(spec.name), spec.planned_with
        return planned * score / WHOLE * spec.room / WHOLE if planned is not None and score is not None else None

    return demand, tuple(
        RegionFigures(
            spec.name,
            of_all(stands, spec.name),
            of_all(outcome.decision.shares, spec.name),
            room(spec),
            spec.capacity,
        )
        for spec in counted.regions
    )


# -- what it cost ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """What a failure cost until traffic had left what failed; times in seconds.

    `began` is the first failing probe, `seconds` are from then until the change stood in DNS, and `proof` until all
    authoritative servers answered with it, None while that is not proved. `moved` is the part of the traffic that was
    there (basis points), `still_old` that of all clients which use the old answer now. `lost` is how long all of the
    traffic would have to fail for as much as did until now, at most: what was there until the change, and after it what
    caches still sent there.
    """

    began: float
    seconds: float
    proof: float | None
    moved: int
    still_old: int
    lost: float


_MOVES: Final = frozenset({PlanKind.CHANGE, PlanKind.BY_HAND})


def cost(change: ChangeRow, told: Iterable[EventRow], now: float, *, edited: bool = False) -> Cost | None:
    """None of a change that no failure led to: it took nothing from a region of which an endpoint was failing.

    Neither is a failure what a return, an edit of the policy's file (`edited`), or the end of somebody's edit of the
    record rests on, whatever else was failing. `told` are the events of its incident, the oldest first.
    """
    if edited or change.plan.cause is Cause.RETURNING or change.kind not in _MOVES:
        return None
    rows = list(told)
    at = change.settled_at if change.settled_at is not None else change.intended_at
    failing = _failing(row for row in rows if row.at <= at)
    less = {name: share - change.shares_after.get(name, 0) for name, share in change.shares_before.items()}
    left = {name: share for name, share in less.items() if share > 0 and name in failing}
    if not left:
        return None
    began, moved = min(failing[name] for name in left), sum(left.values())
    told = (row for row in rows if row.name == "change.verified" and row.change_id == change.change_id)
    proofs = (row.at for row in told if not row.facts.get("unconfirmed"))
    back = (
        row.at for row in rows if row.name == "region.recovered" and row.at > at and row.facts.get("region") in left
    )
    proof = next(proofs, None)
    old = change.plan.before.records
    ttl = float(old.ttl) if old is not None else 0.0
    until = min(now, next(back, now))
    part = moved / WHOLE
    return Cost(
        began=began,
        seconds=max(0.0, at - began),
        proof=max(0.0, proof - began) if proof is not None else None,
        moved=moved,
        still_old=round(still_old(now - at, ttl) * WHOLE),
        lost=part * (max(0.0, at - began) + lost(until - at, ttl)),
    )


def _failing(rows: Iterable[EventRow]) -> Mapping[str, float]:
    """The regions of which an endpoint fails after all of these events, and when the first of its probes did."""
    began: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.name == "endpoint.failed":
            began.setdefault(_endpoint(row), _began(row))
        elif row.name in _OVER:
            began.pop(_endpoint(row), None)
    firsts: dict[str, float] = {}
    for (region, _), at in began.items():
        firsts[region] = min(at, firsts.get(region, at))
    return firsts


_OVER: Final = frozenset({"endpoint.recovered", "endpoint.degraded"})


def _endpoint(row: EventRow) -> tuple[str, str]:
    return str(row.facts.get("region", "")), str(row.facts.get("endpoint", ""))


def _began(row: EventRow) -> float:
    first = row.facts.get("failing_since")
    return float(first) if isinstance(first, int | float) else row.at
