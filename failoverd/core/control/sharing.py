"""One allocation over the estate: what each policy may take of regions that several policies share.

DNS cannot refuse a request, so what a region gets is settled before it is sent there. For each region, in one unit:

    room = score x capacity x headroom
    for tier in order, the lowest number first:
        raise the served fraction of every policy of the tier together (progressive filling): a policy draws from the
        regions of its first level by pull; a region that is full drops out; a policy whose level is full goes on with
        its next one, and one that has none left stops
        room -= what they took
    short = demand - served

What is short goes to the place that its policy names. Without one, all of a tier's excess goes to the one region where
it overloads higher tiers the least, so that one region suffers and not all of them.

A load that nothing can move now (a pin, a hold, a region that is lost from sight) is taken off the room first.

Loads are floats: filling meets thousands of borders, and exact fractions would grow without bound. The order in which
policies are looked at is that of their names, so equal inputs give equal outputs.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from math import inf
from typing import Final

Resource = tuple[str, str]
"""A region, and the unit in which its capacity is counted."""

_NOTHING: Final = 1e-9
"""A load that is none, in proportion to what it is a part of: what rounding leaves."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a policy takes from one region.

    Attributes:
        region: which.
        pull: how much, in proportion to the others of its level.
        room: what the region can carry as this policy sees it, in the policy's unit; infinite where nobody said.
        most: the most that this policy may have of it, whatever else has room.
    """

    region: str
    pull: float
    room: float = inf
    most: float = inf


@dataclass(frozen=True, slots=True)
class Claim:
    """What a policy wants of the estate.

    Attributes:
        policy: which.
        tier: how important it is; a lower number is served first.
        demand: what its service needs.
        levels: where it may go: the first level until it is full, then the next.
        stands: loads that nothing moves now, by region.
        unit: of the demand.
        sheds: whether what fits nowhere goes to a place of its own.
    """

    policy: str
    tier: int
    demand: float
    levels: tuple[tuple[Draw, ...], ...]
    stands: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    sheds: bool = False

    @property
    def resources(self) -> frozenset[Resource]:
        drawn = (draw.region for level in self.levels for draw in level if draw.room < inf)
        return frozenset((region, self.unit) for region in (*drawn, *self.stands))


@dataclass(frozen=True, slots=True)
class Grant:
    """What a policy may take, in its unit.

    Attributes:
        demand: that was to be served.
        loads: what it takes of each region.
        rooms: the most that it may take of each region: what it takes, and what its tier leaves.
        taken: what others take of each region that come first or are as important, where they leave it too little.
        short: what fits nowhere.
        excess_on: the region that all of that is sent to; "" where it goes to a place, or is split by room.
    """

    demand: float
    loads: Mapping[str, float]
    rooms: Mapping[str, float]
    taken: Mapping[str, float] = field(default_factory=dict)
    short: float = 0.0
    excess_on: str = ""


@dataclass(slots=True)
class _Region:
    """A region while it is filled. `left` is true at `at`, and falls by `rate`."""

    left: float
    room: float
    at: float = 0.0
    rate: float = 0.0
    drawn_by: dict[str, None] = field(default_factory=dict)
    version: int = 0


@dataclass(slots=True)
class _Filling:
    """A policy while its tier is filled: how far it is, and what it draws now."""

    claim: Claim
    need: float
    at: float = 0.0
    level: int = -1
    open: dict[str, Draw] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    loads: dict[str, float] = field(default_factory=dict)
    served: float = 0.0
    version: int = 0


def share_out(claims: Iterable[Claim]) -> Mapping[str, Grant]:
    """What each policy may take. `claims` are of all policies that share a region with one another."""
    ordered = sorted(claims, key=lambda each: (each.tier, each.policy))
    regions = _rooms(ordered)
    fillings: list[_Filling] = []
    grants: dict[str, Grant] = {}
    for tier in _tiers(ordered):
        filled = _Tier(tier, regions).filled()
        fillings += filled
        for each in filled:
            grants[each.claim.policy] = _grant(each, regions)
    return grants | _with_excess(fillings, grants, regions)


def connected(claims: Mapping[str, Claim], changed: Iterable[str]) -> frozenset[str]:
    """The policies that share a region with one of those that `changed`, directly or through others."""
    by_resource: defaultdict[Resource, list[str]] = defaultdict(list)
    for claim in claims.values():
        for resource in claim.resources:
            by_resource[resource].append(claim.policy)
    found, ahead = set[str](), [name for name in changed if name in claims]
    seen = set[Resource]()
    while ahead:
        name = ahead.pop()
        if name in found:
            continue
        found.add(name)
        for resource in claims[name].resources - seen:
            seen.add(resource)
            ahead += by_resource[resource]
    return frozenset(found)


def _tiers(ordered: Sequence[Claim]) -> list[list[Claim]]:
    found: defaultdict[int, list[Claim]] = defaultdict(list)
    for claim in ordered:
        found[claim.tier].append(claim)
    return [found[tier] for tier in sorted(found)]


def _rooms(claims: Sequence[Claim]) -> dict[Resource, _Region]:
    """What each region can carry, as the policy sees it that sees most of it, without what stands there."""
    rooms: dict[Resource, float] = {}
    for claim in claims:
        for level in claim.levels:
            for draw in level:
                if draw.room < inf:
                    key = (draw.region, claim.unit)
                    rooms[key] = max(rooms.get(key, 0.0), draw.room)
    regions = {key: _Region(room, room) for key, room in rooms.items()}
    for claim in claims:
        for name, load in claim.stands.items():
            if (region := regions.get((name, claim.unit))) is not None:
                region.left = max(0.0, region.left - load)
    return regions


# -- one tier ----------------------------------------------------------------------------------------------------------


class _Tier:
    """Raises the served fraction of all policies of a tier together, from 0 to 1, from one border to the next.

    A border is the fraction at which a region is full, or at which a policy has the most that it may have of one.
    """

    def __init__(self, claims: Sequence[Claim], regions: dict[Resource, _Region]) -> None:
        self._regions = regions
        self._moved: set[Resource] = set()  # regions whose rate changed, and with it their border
        self._full: list[tuple[float, int, Resource]] = []
        self._enough: list[tuple[float, int, str, str]] = []
        self._fillings = {
            claim.policy: _Filling(claim, max(0.0, claim.demand - sum(claim.stands.values()))) for claim in claims
        }

    def filled(self) -> list[_Filling]:
        for region in self._regions.values():
            region.at, region.rate, region.drawn_by = 0.0, 0.0, {}
        for each in self._fillings.values():
            if each.need > 0:
                self._go_on(each, 0.0)
        while self._next():
            pass
        for each in self._fillings.values():
            _settle(each, 1.0)
        for region in self._regions.values():
            _advance(region, 1.0)
        return list(self._fillings.values())

    def _next(self) -> bool:
        """Pass the next border. Whether there was one."""
        for key in self._moved:
            region = self._regions[key]
            region.version += 1
            if region.rate > 0 and region.drawn_by:
                heappush(self._full, (region.at + region.left / region.rate, region.version, key))
        self._moved.clear()
        while self._full and self._regions[self._full[0][2]].version != self._full[0][1]:
            heappop(self._full)
        while self._enough and self._fillings[self._enough[0][2]].version != self._enough[0][1]:
            heappop(self._enough)
        full, enough = (heap[0][0] if heap else inf for heap in (self._full, self._enough))
        if min(full, enough) >= 1.0:
            return False
        if enough < full:
            at, _, policy, name = heappop(self._enough)
            self._drop(self._fillings[policy], name, at)
            return True
        at, _, key = heappop(self._full)
        region = self._regions[key]
        _advance(region, at)
        region.left = 0.0
        for policy in list(region.drawn_by):
            self._drop(self._fillings[policy], key[0], at)
        return True

    def _drop(self, each: _Filling, name: str, at: float) -> None:
        """A region gives a policy no more: it draws the more from the others, or goes on with its next level."""
        _settle(each, at)
        each.open.pop(name, None)
        if each.open:
            self._draw(each, at)
        else:
            self._go_on(each, at)

    def _go_on(self, each: _Filling, at: float) -> None:
        """Take up the next level that has any room."""
        while not each.open and each.level + 1 < len(each.claim.levels):
            each.level += 1
            for draw in each.claim.levels[each.level]:
                region = self._regions.get((draw.region, each.claim.unit))
                left = inf
                if region is not None:
                    _advance(region, at)
                    left = region.left
                if draw.pull > 0 and min(left, draw.most - each.loads.get(draw.region, 0.0)) > _NOTHING:
                    each.open[draw.region] = draw
        self._draw(each, at)

    def _draw(self, each: _Filling, at: float) -> None:
        """Draw from the open regions of its level by pull from now on."""
        unit, policy, before = each.claim.unit, each.claim.policy, each.rates
        total = sum(draw.pull for draw in each.open.values())
        each.rates = {name: each.need * draw.pull / total for name, draw in each.open.items()}
        each.version += 1
        for name in before.keys() - each.rates.keys():
            if (region := self._regions.get((name, unit))) is not None:
                region.drawn_by.pop(policy, None)
                self._flow(region, (name, unit), -before[name], at)
        for name, rate in each.rates.items():
            region = self._regions.get((name, unit))
            if region is not None:
                region.drawn_by[policy] = None
                self._flow(region, (name, unit), rate - before.get(name, 0.0), at)
            most = each.open[name].most
            if most < inf and (region is None or most < region.room):
                due = at + max(0.0, most - each.loads.get(name, 0.0)) / rate
                heappush(self._enough, (due, each.version, policy, name))

    def _flow(self, region: _Region, key: Resource, more: float, at: float) -> None:
        _advance(region, at)
        region.rate = region.rate + more if region.drawn_by else 0.0
        self._moved.add(key)


def _advance(region: _Region, at: float) -> None:
    if at == region.at:
        return
    region.left -= region.rate * (at - region.at)
    if region.left <= region.room * _NOTHING:
        region.left = 0.0
    region.at = at


def _settle(each: _Filling, at: float) -> None:
    """Count what it drew until now."""
    passed = at - each.at
    if passed > 0 and each.rates:
        for name, rate in each.rates.items():
            each.loads[name] = each.loads.get(name, 0.0) + rate * passed
        each.served += each.need * passed
    each.at = at


# -- what comes of it --------------------------------------------------------------------------------------------------


def _grant(each: _Filling, regions: Mapping[Resource, _Region]) -> Grant:
    claim = each.claim
    loads = {**claim.stands}
    for name, load in each.loads.items():
        loads[name] = loads.get(name, 0.0) + load
    rooms: dict[str, float] = {}
    taken: dict[str, float] = {}
    for level in claim.levels:
        for draw in level:
            region = regions.get((draw.region, claim.unit))
            if region is None:
                continue
            mine = loads.get(draw.region, 0.0)
            rooms[draw.region] = min(draw.room, mine + region.left)
            others = region.room - region.left - mine
            if others > region.room * _NOTHING:
                taken[draw.region] = others
    short = each.need - each.served
    if short <= claim.demand * _NOTHING:
        short = 0.0
    return Grant(claim.demand, loads, rooms, taken, short)


def _with_excess(
    fillings: Sequence[_Filling], grants: Mapping[str, Grant], regions: Mapping[Resource, _Region]
) -> dict[str, Grant]:
    """The grants of those that are short and have no place: where their excess goes.

    Whoever has no higher tier beside it anywhere hurts nobody else: it splits what is too much by what each region can
    carry, as a policy does that shares nothing.
    """
    found: dict[str, Grant] = {}
    used: defaultdict[Resource, float] = defaultdict(float)
    by_tier: defaultdict[int, list[_Filling]] = defaultdict(list)
    for each in fillings:
        by_tier[each.claim.tier].append(each)
    for tier in sorted(by_tier):
        found |= _excess(by_tier[tier], grants, regions, used)
        for each in by_tier[tier]:
            grant = found.get(each.claim.policy, grants[each.claim.policy])
            for region, load in grant.loads.items():
                used[region, each.claim.unit] += load
            if grant.excess_on:
                used[grant.excess_on, each.claim.unit] += grant.short
    return found


def _excess(
    tier: Sequence[_Filling],
    grants: Mapping[str, Grant],
    regions: Mapping[Resource, _Region],
    used: Mapping[Resource, float],
) -> dict[str, Grant]:
    """Put the excess of a tier where it overloads the higher ones, which took `used`, the least."""
    short: defaultdict[Resource, dict[str, None]] = defaultdict(dict)
    for each in tier:
        if grants[each.claim.policy].short > 0 and not each.claim.sheds:
            for resource in each.claim.resources & regions.keys():
                short[resource][each.claim.policy] = None
    if not any(used.get(resource) for resource in short):
        return {}

    def fullness(resource: Resource) -> float:
        higher, room = used.get(resource, 0.0), regions[resource].room
        if not higher:
            return 0.0
        mine = sum(grants[name].short + grants[name].loads.get(resource[0], 0.0) for name in short[resource])
        return (higher + mine) / room if room > 0 else inf

    found: dict[str, Grant] = {}
    for resource in sorted(short, key=lambda each: (fullness(each), each)):
        for name in short[resource].keys() - found.keys():
            found[name] = replace(grants[name], excess_on=resource[0])
    return found


# -- what nobody takes -------------------------------------------------------------------------------------------------


def spare(policy: str, claims: Mapping[str, Claim], grants: Mapping[str, Grant]) -> Mapping[str, float]:
    """The most that a policy may take of each region it may go to without anybody having less, in its unit."""
    mine = claims.get(policy)
    if mine is None:
        return {}
    wanted = {draw.region for level in mine.levels for draw in level if draw.room < inf}
    rooms, taken = dict.fromkeys(wanted, 0.0), dict.fromkeys(wanted, 0.0)
    for name, claim in claims.items():
        if claim.unit != mine.unit:
            continue
        for level in claim.levels:
            for draw in level:
                if draw.region in wanted and draw.room < inf:
                    rooms[draw.region] = max(rooms[draw.region], draw.room)
        grant = grants.get(name)
        for region, load in grant.loads.items() if grant is not None and name != policy else ():
            if region in wanted:
                taken[region] += load
    return {region: max(0.0, rooms[region] - taken[region]) for region in sorted(wanted)}
