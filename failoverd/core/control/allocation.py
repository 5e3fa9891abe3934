"""Who gets how much: the shares of the regions that may answer.

A record that holds one value at a time (a CNAME in plain DNS) gives everything to the first region that serves.
Otherwise: tiers by `priority`, low numbers first. Inside a tier the traffic is split by pull: the share, or while a
region is DEGRADED share x score. No region gets more than it can carry (score x capacity x headroom / demand), nor more
of that than the other policies of the estate leave (`sharing`), nor more than the link to its data lets through
(`cost`); what does not fit goes to the others of the tier, then spills to the next. If nothing fits any more, the rest
is split by what each region can carry: overloaded beats shut.

Everything is computed in exact fractions and rounded once, at the end.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from math import inf
from typing import Final

from failoverd.core.control.cost import link_sum, through_link
from failoverd.core.control.eligible import names
from failoverd.core.control.overriding import by_operator
from failoverd.core.control.sharing import NOTHING, Draw, Grant
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Override
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, NamedPlace, Policy, RecordSpec, RegionSpec, Steering, Weights, apportion

Shed = Mapping[str, tuple[int, Override]]
"""How much less regions get because a person says so, in basis points, and the word that says it."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Shares in basis points by region. `fits`: all of it fits into what the regions can carry."""

    shares: Mapping[str, int]
    fits: bool
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)  # without slots: what is reckoned from it is reckoned once
class Bounds:
    """What bounds the shares of regions besides what they can carry.

    Attributes:
        caps: the most that regions get, in basis points, as long as the rest has room.
        shed: who gets less because an operator says so.
        ramped: of whom a cap is a step of the ramp, as the reason tells it.
        grant: what the other policies of the estate leave.
    """

    caps: Mapping[str, int] = field(default_factory=dict)
    shed: Shed = field(default_factory=dict)
    ramped: Mapping[str, Reason] = field(default_factory=dict)
    grant: Grant | None = None

    @cached_property
    def granted(self) -> Mapping[str, Fraction]:
        """What is left of the regions in which others are as well, in basis points of the demand."""
        grant = self.grant
        if grant is None or not grant.demand:
            return {}
        return {name: Fraction(round(grant.rooms[name] * WHOLE / grant.demand, _DIGITS)) for name in grant.taken}

    @property
    def left_on_links(self) -> Mapping[str, Fraction]:
        """The same of regions to which a link leads that others pass as well, by what they leave of that."""
        grant = self.grant
        if grant is None or not grant.demand:
            return {}
        return {name: Fraction(round(of * WHOLE / grant.demand, _DIGITS)) for name, of in grant.linked.items()}


_DIGITS: Final = 6
"""Of a basis point: what floats leave behind is no room."""

_ALL: Final = Fraction(WHOLE)

FREE: Final = Bounds()


def allocate(
    policy: Policy,
    record: RecordSpec,
    regions: Mapping[str, RegionHealth],
    specs: Sequence[RegionSpec],
    budget: int,
    bounds: Bounds = FREE,
    *,
    explained: bool = True,
) -> Allocation:
    """Split `budget` basis points among `specs`.

    Standbys that get nothing of it are kept tested by `trickle`, which the others go without. Without `explained` the
    steps that every split has are not told: for who asks for the shares alone, in each decision.
    """
    plain = _split(policy, record, regions, specs, Fraction(budget), bounds, explained=explained)
    if not policy.trickle or record.single or policy.weights is not Weights.NATIVE or not plain.fits:
        return plain
    idle = [spec for spec in specs if spec.share == 0 and not plain.shares.get(spec.name)]
    if not any(plain.shares.values()) or not (tested := _trickled(policy, regions, idle, budget, bounds)):
        return plain
    busy = [spec for spec in specs if spec.name not in tested]
    return _split(policy, record, regions, busy, Fraction(budget), bounds, tested, explained=explained)


def _trickled(
    policy: Policy,
    regions: Mapping[str, RegionHealth],
    idle: Sequence[RegionSpec],
    budget: int,
    bounds: Bounds,
) -> dict[str, Fraction]:
    """What each standby gets that is HEALTHY and has room for it, so that real traffic shows whether it serves."""
    well = [spec for spec in idle if regions[spec.name].state is RegionState.HEALTHY]
    rooms = _carried(policy, regions, well, bounds)
    while rooms:
        each = Fraction(budget * policy.trickle, WHOLE * len(rooms))
        roomy = {name: of for name, of in rooms.items() if of >= each}
        if len(roomy) == len(rooms):
            return dict.fromkeys(rooms, each)
        rooms = roomy  # who has none leaves its part to the others, and may as well be away
    return {}


def _split(
    policy: Policy,
    record: RecordSpec,
    regions: Mapping[str, RegionHealth],
    specs: Sequence[RegionSpec],
    budget: Fraction,
    bounds: Bounds = FREE,
    tested: Mapping[str, Fraction] | None = None,
    *,
    explained: bool = True,
) -> Allocation:
    """The split itself. `tested` is what standbys have of it beforehand.

    Nor does a region that is shed get more than what is left of what it would get otherwise: of its room alone that
    would have no effect where it has room to spare. `grant` is what the other policies of the estate leave.
    """
    if record.single:
        return _all_to_first(policy, specs, int(budget), bounds.caps)
    tested = tested or {}
    reasons = [
        Reason(
            ReasonCode.TRICKLE,
            "standby.trickle",
            name,
            numbers={"share": float(part), "part": float(policy.trickle), "standbys": float(len(tested))},
        )
        for name, part in tested.items()
    ]
    rest = budget - sum(tested.values())
    given: dict[str, Fraction] = {}
    rooms = _rooms(policy, record, regions, specs, rest, bounds)
    for tier in tiers(policy, specs):
        if rest <= 0:
            break
        before = rest
        reasons += [_pulled(policy, spec, regions[spec.name]) for spec in tier if explained]
        filled, rest = _fill(policy, tier, rooms, regions, rest, reasons, bounds)
        given |= filled
        if filled and rest > 0:
            numbers = {"carried": float(before - rest), "rest": float(rest)}
            reasons.append(Reason(ReasonCode.SPILL, "steering", regions=names(tier), numbers=numbers))
    fits = rest <= 0
    if not fits and policy.shed_to is not None:
        given = shed_to(policy.shed_to, given, rest, reasons, policy.demand)
    elif not fits:
        given = _overload(given, rooms, rest, reasons, bounds.grant)
    shares = apportion({**given, **tested}, int(budget))
    reasons += [
        Reason(ReasonCode.SHARE, f"regions.{name}", name, numbers={"share": share})
        for name, share in shares.items()
        if explained
    ]
    return Allocation(shares, fits, tuple(reasons))


def _rooms(
    policy: Policy,
    record: RecordSpec,
    regions: Mapping[str, RegionHealth],
    specs: Sequence[RegionSpec],
    budget: Fraction,
    bounds: Bounds,
) -> dict[str, Fraction]:
    """The most that each region may get, in basis points."""
    rooms = _carried(policy, regions, specs, bounds)
    if any(name in rooms for name in bounds.shed):
        otherwise = _split(policy, record, regions, specs, budget).shares  # without caps: what it has is shed already
        for name, (part, _) in bounds.shed.items():
            if name in rooms:
                rooms[name] = min(rooms[name], Fraction(otherwise.get(name, 0) * (WHOLE - part), WHOLE))
    return rooms


def _carried(
    policy: Policy, regions: Mapping[str, RegionHealth], specs: Sequence[RegionSpec], bounds: Bounds
) -> dict[str, Fraction]:
    """The same without what operators shed."""
    granted, linked, caps = bounds.granted, _linked(policy, specs, bounds), bounds.caps
    found: dict[str, Fraction] = {}
    for spec in specs:
        name, own = spec.name, room(policy, spec, regions[spec.name])
        most = min(own, _part(caps[name], WHOLE) if name in caps else _ALL)
        if name in granted:
            most = min(most, _less(granted[name], own))
        if name in linked:
            most = min(most, linked[name])
        found[name] = most
    return found


def _less(granted: Fraction, of: Fraction) -> Fraction:
    """What others leave of a region, where that is less than it can carry; else that, and no rounding of it."""
    clearly = float(of) - float(granted) > 2 * 10**-_DIGITS  # to round a fraction takes several times as long
    return granted if clearly or granted < round(of, _DIGITS) else of


def _linked(policy: Policy, specs: Sequence[RegionSpec], bounds: Bounds) -> Mapping[str, Fraction]:
    """What the links to the data let through, in basis points of the demand, of the regions that need one."""
    if not policy.demand or policy.data_in is None:
        return {}
    found = {spec.name: through_link(policy, spec) for spec in specs}
    whole = {name: Fraction(rate) * WHOLE / Fraction(policy.demand) for name, rate in found.items() if rate is not None}
    return {name: min(of, bounds.left_on_links.get(name, of)) for name, of in whole.items()}


def levels(
    policy: Policy,
    record: RecordSpec,
    regions: Mapping[str, RegionHealth],
    specs: Sequence[RegionSpec],
    bounds: Bounds = FREE,
    budget: int = WHOLE,
) -> tuple[tuple[Draw, ...], ...]:
    """The same tiers as a claim on the estate, in the unit of the demand, of which `budget` is to be placed."""
    if not policy.demand:
        return ()
    rooms = _rooms(policy, record, regions, specs, Fraction(budget), bounds)
    unit = policy.demand / WHOLE

    def draw(spec: RegionSpec) -> Draw:
        health, most = regions[spec.name], rooms[spec.name]
        carried = room(policy, emptied(spec), health) if spec.capacity is not None else None
        carries = float(carried) * unit if carried is not None else inf
        bounded = most < (carried if carried is not None else WHOLE)
        return Draw(spec.name, pull(policy, spec, health) / WHOLE, carries, float(most) * unit if bounded else carries)

    if record.single:
        first = first_of(policy, specs)
        rest = [spec for spec in sorted(specs, key=lambda each: each.name) if spec is not first]
        return ((draw(first),), *((draw(spec),) for spec in rest)) if first is not None else ()
    return tuple(tuple(map(draw, tier)) for tier in tiers(policy, specs))


def emptied(spec: RegionSpec) -> RegionSpec:
    """The same where it is not full: that bounds what this policy sends, and is nothing that the region has less of."""
    return replace(spec, room=WHOLE) if spec.room < WHOLE else spec


def normal_shares(
    policy: Policy, record: RecordSpec, specs: Sequence[RegionSpec], bounds: Bounds = FREE
) -> Mapping[str, int]:
    """What the file says when all is well: the first tier by share, within what the estate leaves of the capacities."""
    return allocate(policy, record, all_well(specs), specs, WHOLE, bounds, explained=False).shares


def all_well(specs: Sequence[RegionSpec]) -> Mapping[str, RegionHealth]:
    """Regions on a day on which nothing is wrong."""
    return {spec.name: _well(spec.name) for spec in specs}


@lru_cache(maxsize=4_096)  # each decision asks for those of all its regions
def _well(region: str) -> RegionHealth:
    return RegionHealth(region, RegionState.HEALTHY, WHOLE, since=0.0, well_since=0.0, serving=())


def tiers(policy: Policy, specs: Sequence[RegionSpec]) -> list[list[RegionSpec]]:
    """Regions by priority. A share of zero means standby.

    Under weighted steering a standby comes after everything that has a share; under failover, where the priority is the
    first word, after what has a share at the same priority.
    """

    def rank(spec: RegionSpec) -> tuple[int, int]:
        standby = int(spec.share == 0)
        return (standby, spec.priority) if policy.steering is Steering.WEIGHTED else (spec.priority, standby)

    found: defaultdict[tuple[int, int], list[RegionSpec]] = defaultdict(list)
    for spec in specs:
        found[rank(spec)].append(spec)
    return [found[level] for level in sorted(found)]


def room(policy: Policy, spec: RegionSpec, health: RegionHealth) -> Fraction:
    """What a region can carry, in basis points of the whole service: score x capacity x headroom / demand.

    A region whose capacity, or a policy whose demand, is not stated is taken to carry everything while it is HEALTHY,
    and its score of it while it is DEGRADED.
    """
    if spec.capacity is None or not policy.demand:
        return _part(spec.room, health.score if health.state is RegionState.DEGRADED else WHOLE)
    return _room(spec.room, health.score, spec.capacity, spec.headroom, policy.demand)


@lru_cache(maxsize=65_536)  # asked several times in each decision for each region, and seldom about other numbers
def _room(left: int, score: int, capacity: float, headroom: int, demand: float) -> Fraction:
    """`left`: one that is full has a part of its room."""
    return _part(left, score) * Fraction(capacity) * Fraction(headroom, WHOLE) / Fraction(demand)


@lru_cache(maxsize=65_536)  # the same
def _part(one: int, other: int) -> Fraction:
    """One number of basis points of another."""
    return Fraction(one * other, WHOLE)


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


def shed_to(
    place: NamedPlace, given: Mapping[str, Fraction], short: Fraction, reasons: list[Reason], demand: float | None
) -> dict[str, Fraction]:
    """What fits nowhere goes to the named place: its weight is short / demand.

    `short` and what is `given` are basis points of the demand; they are told in its unit where it is stated.
    """
    whole = Fraction(demand) if demand else Fraction(WHOLE)
    numbers = {"short": float(short * whole / WHOLE), "demand": float(whole)}
    reasons.append(Reason(ReasonCode.SHED_TO, "shed_to", place.name, numbers=numbers, detail=place.name))
    return {**given, place.name: given.get(place.name, Fraction(0)) + short}


def _fill(
    policy: Policy,
    tier: list[RegionSpec],
    rooms: Mapping[str, Fraction],
    regions: Mapping[str, RegionHealth],
    amount: Fraction,
    reasons: list[Reason],
    bounds: Bounds,
) -> tuple[dict[str, Fraction], Fraction]:
    """Split `amount` by pull; a region that would overflow is filled to its room and the rest is split again.

    With what is left of it where all are full.
    """
    open_pulls = {spec.name: pull(policy, spec, regions[spec.name]) for spec in tier}
    granted, grant, linked = bounds.granted, bounds.grant, _linked(policy, tier, bounds)
    specs = {spec.name: spec for spec in tier}
    filled: dict[str, Fraction] = {}
    rest = amount
    while open_pulls and rest > 0:
        each = rest / sum(open_pulls.values())
        wants = {name: each * pull for name, pull in open_pulls.items()}
        full = [name for name, want in wants.items() if want > rooms[name]]
        if not full:
            return filled | wants, Fraction(0)
        for name in full:
            numbers = {"wanted": float(wants[name]), "room": float(rooms[name])}
            if name in bounds.shed:
                part, word = bounds.shed[name]
                reasons.append(by_operator(ReasonCode.SHED, word, name, part=part, **numbers))
            elif name in bounds.ramped and rooms[name] < room(policy, specs[name], regions[name]):
                step = bounds.ramped[name]
                reasons.append(replace(step, numbers={**step.numbers, **numbers}))
            elif grant is not None and rooms[name] == granted.get(name) != room(policy, specs[name], regions[name]):
                numbers |= _sum_of_room(policy, specs[name], regions[name])
                numbers |= _taken(policy, specs[name], regions[name], grant)
                reasons.append(Reason(ReasonCode.SHARED_CAPACITY, f"regions.{name}", name, numbers=numbers))
            elif name in linked and rooms[name] == linked[name] < room(policy, specs[name], regions[name]):
                numbers |= link_sum(policy, specs[name], grant)
                reasons.append(Reason(ReasonCode.LINK, "data_in", name, numbers=numbers))
            elif rooms[name] < room(policy, specs[name], regions[name]):
                reasons.append(Reason(ReasonCode.OPEN_VERDICT, "health", name, numbers=numbers))
            else:
                numbers |= _sum_of_room(policy, specs[name], regions[name])
                reasons.append(Reason(ReasonCode.CAPACITY, f"regions.{name}", name, numbers=numbers))
            filled[name] = rooms[name]
            rest -= rooms[name]
            del open_pulls[name]
    return filled, rest


def _taken(policy: Policy, spec: RegionSpec, health: RegionHealth, grant: Grant) -> dict[str, float]:
    """What others take of a region; and what it carries as these find it, where that is more than this policy does."""
    taken, own = grant.taken[spec.name], float(room(policy, spec, health)) * grant.demand / WHOLE
    whole = grant.rooms[spec.name] + taken
    return {"taken": taken} if whole <= own * (1 + NOTHING) else {"taken": taken, "whole": whole}


def _pulled(policy: Policy, spec: RegionSpec, health: RegionHealth) -> Reason:
    """What draws traffic to a region inside its tier: its share, while it is DEGRADED lowered by its score.

    A tier of standbys, where no region has a share, is split as if they all had the same.
    """
    drawn, score = pull(policy, spec, health) / WHOLE, float(_lowers(policy, spec, health))
    numbers = {"pull": drawn, "share": float(spec.share), "score": score}
    return Reason(ReasonCode.PULL, f"regions.{spec.name}.share", spec.name, numbers=numbers)


def pull(policy: Policy, spec: RegionSpec, health: RegionHealth) -> int:
    """The pull in whole numbers: `WHOLE` times as much, for it counts beside other pulls alone."""
    return (spec.share or WHOLE) * _lowers(policy, spec, health)


def _lowers(policy: Policy, spec: RegionSpec, health: RegionHealth) -> int:
    """The part of its share that draws; all of it where the room is known: the score has lowered that already."""
    known = spec.capacity is not None and policy.demand
    return health.score if health.state is RegionState.DEGRADED and not known else WHOLE


def _sum_of_room(policy: Policy, spec: RegionSpec, health: RegionHealth) -> dict[str, float]:
    stated = {} if spec.capacity is None or not policy.demand else {"capacity": spec.capacity, "demand": policy.demand}
    if stated and spec.headroom != WHOLE:
        stated["headroom"] = spec.headroom
    full = {"left": float(spec.room)} if spec.room < WHOLE else {}
    return {"score": float(health.score), **stated, **full}
