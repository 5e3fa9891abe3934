"""Who gets how much: the shares of the regions that may answer.

A record that holds one value at a time (a CNAME in plain DNS) gives everything to the first region that serves.
Otherwise: tiers by `priority`, low numbers first. Inside a tier the traffic is split by pull: the share, or while a
region is DEGRADED share x score. No region gets more than it can carry (score x capacity x headroom / demand), nor more
of that than the other policies of the estate leave (`sharing`), nor more than the link to its data lets through
(`cost`); what does not fit goes to the others of the tier, then spills to the next. If nothing fits any more, the rest
is split by what each region can carry: overloaded beats shut.

Everything is computed in exact fractions and rounded once, at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Final

from failoverd.core.control.cost import link_sum, through_link
from failoverd.core.control.eligible import names
from failoverd.core.control.overriding import by_operator
from failoverd.core.control.sharing import Draw, Grant
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
    grant: Grant | None = None,
) -> Allocation:
    """Split `budget` basis points among `specs`. None of `caps` gets more than that, as long as the rest has room.

    Nor does a region that is shed get more than what is left of what it would get otherwise: of its room alone that
    would have no effect where it has room to spare. `grant` is what the other policies of the estate leave.
    """
    caps = caps or {}
    if record.single:
        return _all_to_first(policy, specs, budget, caps)
    reasons: list[Reason] = []
    rest = Fraction(budget)
    given: dict[str, Fraction] = {}
    rooms = _rooms(policy, record, regions, specs, budget, caps, shed, grant)
    for tier in tiers(policy, specs):
        if rest <= 0:
            break
        filled = _fill(policy, tier, rooms, regions, rest, reasons, shed or {}, grant)
        given |= filled
        rest -= sum(filled.values())
        if filled and rest > 0:
            numbers = {"carried": float(sum(filled.values())), "rest": float(rest)}
            reasons.append(Reason(ReasonCode.SPILL, "steering", regions=names(tier), numbers=numbers))
    if rest > 0:
        given = _overload(given, rooms, rest, reasons, grant)
    shares = apportion(given, budget)
    reasons.extend(
        Reason(ReasonCode.SHARE, f"regions.{name}", name, numbers={"share": share}) for name, share in shares.items()
    )
    return Allocation(shares, rest <= 0, tuple(reasons))


def _rooms(
    policy: Policy,
    record: RecordSpec,
    regions: Mapping[str, RegionHealth],
    specs: Sequence[RegionSpec],
    budget: int,
    caps: Mapping[str, int],
    shed: Shed | None,
    grant: Grant | None,
) -> dict[str, Fraction]:
    """The most that each region may get, in basis points."""
    granted = _granted(grant)
    carries = {spec.name: room(policy, spec, regions[spec.name]) for spec in specs}
    linked = _linked(policy, specs)
    rooms = {
        name: min(of, Fraction(caps.get(name, WHOLE)), granted.get(name, of), linked.get(name, of))
        for name, of in carries.items()
    }
    if shed and any(name in rooms for name in shed):
        otherwise = allocate(policy, record, regions, specs, budget).shares  # without caps: what it has is shed already
        left = {name: Fraction(otherwise.get(name, 0) * (WHOLE - part), WHOLE) for name, (part, _) in shed.items()}
        rooms = {name: min(of, left.get(name, of)) for name, of in rooms.items()}
    return rooms


def _linked(policy: Policy, specs: Sequence[RegionSpec]) -> Mapping[str, Fraction]:
    """What the links to the data let through, in basis points of the demand, of the regions that need one."""
    if not policy.demand or policy.data_in is None:
        return {}
    found = {spec.name: through_link(policy, spec) for spec in specs}
    return {name: Fraction(rate) * WHOLE / Fraction(policy.demand) for name, rate in found.items() if rate is not None}


def _granted(grant: Grant | None) -> Mapping[str, Fraction]:
    """What the estate leaves of the regions in which others are as well, in basis points of the demand."""
    if grant is None or not grant.demand:
        return {}
    return {name: Fraction(round(grant.rooms[name] * WHOLE / grant.demand, _DIGITS)) for name in grant.taken}


_DIGITS: Final = 6
"""Of a basis point: what floats leave behind is no room."""


def levels(
    policy: Policy,
    record: RecordSpec,
    regions: Mapping[str, RegionHealth],
    specs: Sequence[RegionSpec],
    caps: Mapping[str, int],
    shed: Shed | None,
) -> tuple[tuple[Draw, ...], ...]:
    """The same tiers as a claim on the estate, in the unit of the policy's demand."""
    if not policy.demand:
        return ()
    most = _rooms(policy, record, regions, specs, WHOLE, caps, shed, None)
    unit = policy.demand / WHOLE

    def draw(spec: RegionSpec) -> Draw:
        stated = spec.capacity is not None
        carries = float(room(policy, spec, regions[spec.name])) * unit if stated else inf
        bounded = most[spec.name] < (room(policy, spec, regions[spec.name]) if stated else WHOLE)
        return Draw(
            spec.name,
            float(pull(policy, spec, regions[spec.name])),
            carries,
            float(most[spec.name]) * unit if bounded else carries,
        )

    if record.single:
        first = first_of(policy, specs)
        rest = [spec for spec in sorted(specs, key=lambda each: each.name) if spec is not first]
        return ((draw(first),), *((draw(spec),) for spec in rest)) if first is not None else ()
    return tuple(tuple(map(draw, tier)) for tier in tiers(policy, specs))


def normal_shares(
    policy: Policy,
    record: RecordSpec,
    specs: Sequence[RegionSpec],
    shed: Shed | None = None,
    usual: Grant | None = None,
) -> Mapping[str, int]:
    """What the file says when all is well: the first tier by share, within what the estate leaves of the capacities."""
    return allocate(policy, record, all_well(specs), specs, WHOLE, shed=shed, grant=usual).shares


def all_well(specs: Sequence[RegionSpec]) -> Mapping[str, RegionHealth]:
    """Regions on a day on which nothing is wrong."""
    return {
        spec.name: RegionHealth(spec.name, RegionState.HEALTHY, WHOLE, since=0.0, well_since=0.0, serving=())
        for spec in specs
    }


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
    """What a region can carry, in basis points of the whole service: score x capacity x headroom / demand.

    A region whose capacity, or a policy whose demand, is not stated is taken to carry everything while it is HEALTHY,
    and its score of it while it is DEGRADED.
    """
    if spec.capacity is None or not policy.demand:
        return Fraction(health.score if health.state is RegionState.DEGRADED else WHOLE)
    return Fraction(health.score) * Fraction(spec.capacity) * Fraction(spec.headroom, WHOLE) / Fraction(policy.demand)


def _all_to_first(policy: Policy, specs: Sequence[RegionSpec], budget: int, caps: Mapping[str, int]) -> Allocation:
    """One value at a time: it cannot be split, so nothing spills, however degraded or small the region is."""
    first = first_of(policy, specs)
    if budget == 0 or first is None:
        return Allocation({}, fits=True)
    share = Reason(ReasonCode.SINGLE, f"regions.{first.name}", first.name, numbers={"share": budget})
    return Allocation({first.name: budget}, caps.get(first.name, budget) >= budget, (share,))


def first_of(policy: Policy, specs: Sequence[RegionSpec]) -> RegionSpec | None:
    """Who answers a record that holds one value at a time."""
    return min(tiers(policy, specs)[0], key=lambda spec: spec.name) if specs else None


def _overload(
    given: Mapping[str, Fraction],
    rooms: Mapping[str, Fraction],
    rest: Fraction,
    reasons: list[Reason],
    grant: Grant | None,
) -> dict[str, Fraction]:
    """Split what fits nowhere by what each region can carry; evenly, when none of them can carry anything.

    All of it goes to one region where it would be in the way of a higher tier, so that it is that in one place only.
    """
    if grant is not None and grant.excess_on in rooms:
        name = grant.excess_on
        numbers = {"rest": float(rest), "demand": grant.demand, "taken": grant.taken.get(name, 0.0)}
        reasons.append(Reason(ReasonCode.EXCESS, "tier", name, numbers=numbers))
        return {**given, name: given.get(name, Fraction(0)) + rest}
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
    grant: Grant | None,
) -> dict[str, Fraction]:
    """Split `amount` by pull; a region that would overflow is filled to its room and the rest is split again."""
    open_pulls = {spec.name: _pull(policy, spec, regions[spec.name], reasons) for spec in tier}
    granted, linked = _granted(grant), _linked(policy, tier)
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
            elif grant is not None and rooms[name] == granted.get(name):
                numbers |= _sum_of_room(policy, specs[name], regions[name]) | {"taken": grant.taken[name]}
                reasons.append(Reason(ReasonCode.SHARED_CAPACITY, f"regions.{name}", name, numbers=numbers))
            elif name in linked and rooms[name] == linked[name] < room(policy, specs[name], regions[name]):
                reasons.append(
                    Reason(ReasonCode.LINK, "data_in", name, numbers=numbers | link_sum(policy, specs[name]))
                )
            elif rooms[name] < room(policy, specs[name], regions[name]):
                reasons.append(Reason(ReasonCode.OPEN_VERDICT, "health", name, numbers=numbers))
            else:
                numbers |= _sum_of_room(policy, specs[name], regions[name])
                reasons.append(Reason(ReasonCode.CAPACITY, f"regions.{name}", name, numbers=numbers))
            filled[name] = rooms[name]
            rest -= rooms[name]
            del open_pulls[name]
    return filled


def _pull(policy: Policy, spec: RegionSpec, health: RegionHealth, reasons: list[Reason]) -> Fraction:
    """What draws traffic to a region inside its tier: its share, while it is DEGRADED lowered by its score.

    A tier of standbys, where no region has a share, is split as if they all had the same.
    """
    drawn = pull(policy, spec, health)
    numbers = {"pull": float(drawn), "share": float(spec.share), "score": float(_lowers(policy, spec, health))}
    reasons.append(Reason(ReasonCode.PULL, f"regions.{spec.name}.share", spec.name, numbers=numbers))
    return drawn


def pull(policy: Policy, spec: RegionSpec, health: RegionHealth) -> Fraction:
    return Fraction((spec.share or WHOLE) * _lowers(policy, spec, health), WHOLE)


def _lowers(policy: Policy, spec: RegionSpec, health: RegionHealth) -> int:
    """The part of its share that draws; all of it where the room is known: the score has lowered that already."""
    known = spec.capacity is not None and policy.demand
    return health.score if health.state is RegionState.DEGRADED and not known else WHOLE


def _sum_of_room(policy: Policy, spec: RegionSpec, health: RegionHealth) -> dict[str, float]:
    stated = {} if spec.capacity is None or not policy.demand else {"capacity": spec.capacity, "demand": policy.demand}
    if stated and spec.headroom != WHOLE:
        stated["headroom"] = spec.headroom
    return {"score": float(health.score), **stated}
