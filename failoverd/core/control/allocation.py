"""Who gets how much: the shares of the regions that may answer.

A record that holds one value at a time (a CNAME in plain DNS) gives everything to the first region that serves.
Otherwise: tiers by `priority`, low numbers first. Inside a tier the traffic is split by pull: the share, or while a
region is DEGRADED share x score. No region gets more than it can carry (score x capacity / demand); what does not fit
goes to the others of the tier, then spills to the next. If nothing fits any more, the rest is split by what each region
can carry: overloaded beats shut.

Everything is computed in exact fractions and rounded once, at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from failoverd.core.control.eligible import names
from failoverd.core.control.overriding import by_operator
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Override
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, Policy, RecordSpec, RegionSpec, Steering, apportion

Shed = Mapping[str, tuple[int, Override]]
"""How much less regions get because a person says so, in basis points, and the word that says it."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Shares in basis points by region. `fits`: all of it fits into what the regions can carry."""

    shares: Mapping[str, int]
    fits: bool
    reasons: tuple[Reason, ...] = ()


def allocate(
    policy: Policy,
    record: RecordSpec,
    regions: Mapping[str, RegionHealth],
    specs: Sequence[RegionSpec],
    budget: int,
    caps: Mapping[str, int] | None = None,
    shed: Shed | None = None,
) -> Allocation:
    """Split `budget` basis points among `specs`. None of `caps` gets more than that, as long as the rest has room.

    Nor does a region that is shed get more than what is left of what it would get otherwise: of its room alone that
    would have no effect where it has room to spare.
    """
    caps = caps or {}
    if record.single:
        return _all_to_first(policy, specs, budget, caps)
    reasons: list[Reason] = []
    rest = Fraction(budget)
    given: dict[str, Fraction] = {}
    carries = {spec.name: room(policy, spec, regions[spec.name]) for spec in specs}
    rooms = {name: min(carries[name], Fraction(caps.get(name, WHOLE))) for name in carries}
    if shed and any(name in rooms for name in shed):
        otherwise = allocate(policy, record, regions, specs, budget).shares  # without caps: what it has is shed already
        left = {name: Fraction(otherwise.get(name, 0) * (WHOLE - part), WHOLE) for name, (part, _) in shed.items()}
        rooms = {name: min(of, left.get(name, of)) for name, of in rooms.items()}
    for tier in tiers(policy, specs):
        if rest <= 0:
            break
        filled = _fill(policy, tier, rooms, regions, rest, reasons, shed or {})
        given |= filled
        rest -= sum(filled.values())
        if filled and rest > 0:
            numbers = {"carried": float(sum(filled.values())), "rest": float(rest)}
            reasons.append(Reason(ReasonCode.SPILL, "steering", regions=names(tier), numbers=numbers))
    if rest > 0:
        given = _overload(given, rooms, rest, reasons)
    shares = apportion(given, budget)
    reasons.extend(
        Reason(ReasonCode.SHARE, f"regions.{name}", name, numbers={"share": share}) for name, share in shares.items()
    )
    return Allocation(shares, rest <= 0, tuple(reasons))


def normal_shares(
    policy: Policy, record: RecordSpec, specs: Sequence[RegionSpec], shed: Shed | None = None
) -> Mapping[str, int]:
    """What the file says when all is well: the first tier by share, within the stated capacities."""
    well = {
        spec.name: RegionHealth(spec.name, RegionState.HEALTHY, WHOLE, since=0.0, well_since=0.0, serving=())
        for spec in specs
    }
    return allocate(policy, record, well, specs, WHOLE, shed=shed).shares


def tiers(policy: Policy, specs: Sequence[RegionSpec]) -> list[list[RegionSpec]]:
    """Regions by priority. A share of zero means standby.

    Under weighted steering a standby comes after everything that has a share; under failover, where the priority is the
    first word, after what has a share at the same priority.
    """

    def rank(spec: RegionSpec) -> tuple[int, int]:
        standby = int(spec.share == 0)
        return (standby, spec.priority) if policy.steering is Steering.WEIGHTED else (spec.priority, standby)

    return [[spec for spec in specs if rank(spec) == level] for level in sorted({rank(spec) for spec in specs})]


def room(policy: Policy, spec: RegionSpec, health: RegionHealth) -> Fraction:
    """What a region can carry, in basis points of the whole service: score x capacity / demand.

    A region whose capacity, or a policy whose demand, is not stated is taken to carry everything while it is HEALTHY,
    and its score of it while it is DEGRADED.
    """
    left = Fraction(spec.room, WHOLE)  # one that is full has a part of its room
    if spec.capacity is None or not policy.demand:
        return left * (health.score if health.state is RegionState.DEGRADED else WHOLE)
    return left * health.score * Fraction(spec.capacity) / Fraction(policy.demand)


def _all_to_first(policy: Policy, specs: Sequence[RegionSpec], budget: int, caps: Mapping[str, int]) -> Allocation:
    """One value at a time: it cannot be split, so nothing spills, however degraded or small the region is."""
    if budget == 0:
        return Allocation({}, fits=True)
    first = min(tiers(policy, specs)[0], key=lambda spec: spec.name)
    share = Reason(ReasonCode.SINGLE, f"regions.{first.name}", first.name, numbers={"share": budget})
    return Allocation({first.name: budget}, caps.get(first.name, budget) >= budget, (share,))


def _overload(
    given: Mapping[str, Fraction], rooms: Mapping[str, Fraction], rest: Fraction, reasons: list[Reason]
) -> dict[str, Fraction]:
    """Split what fits nowhere by what each region can carry; evenly, when none of them can carry anything."""
    loads = rooms if any(rooms.values()) else dict.fromkeys(rooms, Fraction(WHOLE))
    total = sum(loads.values())
    carries = {name: float(load) for name, load in loads.items()}
    reasons.append(Reason(ReasonCode.OVERLOAD, "demand", numbers={"rest": float(rest)}, shares=carries))
    return {name: given.get(name, Fraction(0)) + rest * load / total for name, load in loads.items()}


def _fill(
    policy: Policy,
    tier: list[RegionSpec],
    rooms: Mapping[str, Fraction],
    regions: Mapping[str, RegionHealth],
    amount: Fraction,
    reasons: list[Reason],
    shed: Shed,
) -> dict[str, Fraction]:
    """Split `amount` by pull; a region that would overflow is filled to its room and the rest is split again."""
    open_pulls = {spec.name: _pull(spec, regions[spec.name], reasons) for spec in tier}
    specs = {spec.name: spec for spec in tier}
    filled: dict[str, Fraction] = {}
    rest = amount
    while open_pulls and rest > 0:
        total = sum(open_pulls.values())
        wants = {name: rest * pull / total for name, pull in open_pulls.items()}
        full = [name for name, want in wants.items() if want > rooms[name]]
        if not full:
            return filled | wants
        for name in full:
            numbers = {"wanted": float(wants[name]), "room": float(rooms[name])}
            if name in shed:
                part, word = shed[name]
                reasons.append(by_operator(ReasonCode.SHED, word, name, part=part, **numbers))
            elif rooms[name] < room(policy, specs[name], regions[name]):
                reasons.append(Reason(ReasonCode.OPEN_VERDICT, "health", name, numbers=numbers))
            else:
                numbers |= _sum_of_room(policy, specs[name], regions[name])
                reasons.append(Reason(ReasonCode.CAPACITY, f"regions.{name}", name, numbers=numbers))
            filled[name] = rooms[name]
            rest -= rooms[name]
            del open_pulls[name]
    return filled


def _pull(spec: RegionSpec, health: RegionHealth, reasons: list[Reason]) -> Fraction:
    """What draws traffic to a region inside its tier: its share, lowered by its score while it is DEGRADED.

    A tier of standbys, where no region has a share, is split as if they all had the same.
    """
    score = health.score if health.state is RegionState.DEGRADED else WHOLE
    pull = Fraction((spec.share or WHOLE) * score, WHOLE)
    numbers = {"pull": float(pull), "share": float(spec.share), "score": float(score)}
    reasons.append(Reason(ReasonCode.PULL, f"regions.{spec.name}.share", spec.name, numbers=numbers))
    return pull


def _sum_of_room(policy: Policy, spec: RegionSpec, health: RegionHealth) -> dict[str, float]:
    stated = {} if spec.capacity is None or not policy.demand else {"capacity": spec.capacity, "demand": policy.demand}
    full = {"left": float(spec.room)} if spec.room < WHOLE else {}
    return {"score": float(health.score), **stated, **full}
