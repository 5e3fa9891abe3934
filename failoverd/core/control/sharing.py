"""One allocation over the estate: what each policy may take of regions that several policies share.

DNS cannot refuse a request, so what a region gets is settled before it is sent there. For each region, in one unit:

    room = score x capacity x headroom
    for tier in order, the lowest number first:
        raise the served fraction of every policy of the tier together (progressive filling): a policy draws from the
        regions of its first level by pull; a region that is full drops out; a policy whose level is full goes on with
        its next one, and one that has none left stops
        one that has somewhere else to go makes room for one that has not
        room -= what they took
    short = demand - served

What is short goes to the place that its policy names. Without one, all of a tier's excess goes to the one region where
it overloads higher tiers the least, so that one region suffers and not all of them. Where something else than the
region bounds it, such as a link, lower tiers have that much less of the region's room.

A load that nothing can move now (a pin, a hold, a region that is lost from sight) is taken off the room first.

The link over which a region fetches data is drawn upon in the same way and at the same time, in bits a second: whoever
draws from the region draws from the link, and one that is full gives no more, whatever room the region has. Several
regions may share a link, of one policy or of many.

Loads are floats: filling meets thousands of borders, and exact fractions would grow without bound. The order in which
policies are looked at is that of their names, so equal inputs give equal outputs.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import pairwise
from math import inf
from typing import Final

Resource = tuple[str, str]
"""A region, and what it is counted in; or a link, and `BITS`."""

COUNTED: Final = ""
"""What regions are counted in: one has one capacity, and so one sum, whatever unit the files say."""

BITS: Final = "bit/s"
"""The unit in which links are counted."""

NOTHING: Final = 1e-9
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
class Passage:
    """The link that a load has to pass: its name, how many bits a unit of load moves, how many of them it carries."""

    link: str
    bits: float
    room: float

    @property
    def resource(self) -> Resource:
        return self.link, BITS


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
        links: what its load passes in regions that fetch its data from elsewhere.
        aside: regions that serve, and that it leaves out as long as nobody lacks what it takes instead.
    """

    policy: str
    tier: int
    demand: float
    levels: tuple[tuple[Draw, ...], ...]
    stands: Mapping[str, float] = field(default_factory=dict)
    unit: str = COUNTED
    sheds: bool = False
    links: Mapping[str, Passage] = field(default_factory=dict)
    aside: frozenset[str] = frozenset()

    @property
    def resources(self) -> frozenset[Resource]:
        drawn = (draw.region for level in self.levels for draw in level if draw.room < inf)
        regions = frozenset((region, self.unit) for region in (*drawn, *self.stands))
        return regions.union(each.resource for each in self.links.values()) if self.links else regions

    def passing(self, loads: Mapping[str, float]) -> "Iterable[tuple[Resource, float]]":
        """What loads of regions come to on the links that they pass."""
        return ((each.resource, loads[name] * each.bits) for name, each in self.links.items() if name in loads)


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
        linked: the most that it may take of each region by the link that its load passes, where others pass that, too.
        spare: what it may take of each region without anybody having less, where it would leave out others for that;
            None where that is not asked.
        crowded: regions to which all policies together send more than they can carry, as it is published now, and how
            much of that is too much.
    """

    demand: float
    loads: Mapping[str, float]
    rooms: Mapping[str, float]
    taken: Mapping[str, float] = field(default_factory=dict)
    short: float = 0.0
    excess_on: str = ""
    crowded: Mapping[str, float] = field(default_factory=dict)
    linked: Mapping[str, float] = field(default_factory=dict)
    spare: Mapping[str, float] | None = None


@dataclass(slots=True, eq=False)
class Vessel:
    """A region, or a link, while it is filled. `left` is true at `at`, and falls by `rate`; `closed`: when it was full.

    `drawn_by` has the policies that draw from it, or whose load passes it, each with the region from which it is drawn.
    """

    key: Resource
    room: float
    left: float
    at: float = 0.0
    rate: float = 0.0
    closed: float = inf
    drawn_by: "dict[tuple[str, str], Filling]" = field(default_factory=dict)
    version: int = 0


@dataclass(slots=True)
class Filling:
    """A policy while its tier is filled: how far it is, and what it draws from now.

    All open regions of its level are raised together, so one number says how far: `height`, by which the pull of each
    is multiplied. `speed` is how fast that rises: need / sum of the open pulls. `served` is the fraction of its need.
    `vessels` are the regions that are counted in its unit.
    """

    claim: Claim
    need: float
    vessels: Mapping[str, Vessel]
    at: float = 0.0
    level: int = -1
    height: float = 0.0
    speed: float = 0.0
    open: dict[str, Draw] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    loads: dict[str, float] = field(default_factory=dict)
    served: float = 0.0
    version: int = 0

    @property
    def short(self) -> float:
        left = self.need * (1.0 - self.served)
        return left if left > self.claim.demand * NOTHING else 0.0


def share_out(claims: Iterable[Claim]) -> Mapping[str, Grant]:
    """What each policy may take. `claims` are of all policies that share a region with one another."""
    ordered = sorted(claims, key=lambda each: (each.tier, each.policy))
    vessels = _rooms(ordered)
    used: defaultdict[Resource, float] = defaultdict(float)
    grants: dict[str, Grant] = {}
    for tier in _tiers(ordered):
        filled = fill(tier, vessels)
        found = {each.claim.policy: granted(each.claim, each.loads, each.short, vessels) for each in filled}
        for name, region in excess(tier, found, vessels, used).items():
            found[name] = replace(found[name], excess_on=region)
        for each in tier:
            mine = found[each.policy]
            use(mine, each.unit, used)
            for region, load in beyond(each, mine.short, mine.excess_on).items():
                if (vessel := vessels.get((region, each.unit))) is not None:
                    vessel.left = max(0.0, vessel.left - load)
        grants |= found
    return grants


def _tiers(ordered: Sequence[Claim]) -> list[list[Claim]]:
    found: defaultdict[int, list[Claim]] = defaultdict(list)
    for claim in ordered:
        found[claim.tier].append(claim)
    return [found[tier] for tier in sorted(found)]


def _rooms(claims: Sequence[Claim]) -> dict[Resource, Vessel]:
    """What each region can carry, as the policy sees it that sees most of it, without what stands there."""
    rooms: dict[Resource, float] = {}
    for claim in claims:
        for level in claim.levels:
            for draw in level:
                if draw.room < inf:
                    key = (draw.region, claim.unit)
                    if draw.room > rooms.get(key, -1.0):
                        rooms[key] = draw.room
        for each in claim.links.values():
            rooms[each.resource] = max(rooms.get(each.resource, 0.0), each.room)
    vessels = {key: Vessel(key, room, room) for key, room in rooms.items()}
    for claim in claims:
        stands = (((name, claim.unit), load) for name, load in claim.stands.items())
        for resource, load in (*stands, *claim.passing(claim.stands)):
            if (vessel := vessels.get(resource)) is not None:
                vessel.left = max(0.0, vessel.left - load)
    return vessels


# -- one tier ----------------------------------------------------------------------------------------------------------


def need_of(claim: Claim) -> float:
    """What is still to be placed of its demand."""
    return max(0.0, claim.demand - sum(claim.stands.values())) if claim.stands else claim.demand


def fill(claims: Sequence[Claim], vessels: Mapping[Resource, Vessel]) -> list[Filling]:
    """Raise the served fraction of all policies of a tier together. What they take is off the vessels afterwards."""
    filled = _Tier(claims, vessels).filled()
    _make_room(filled, vessels)
    return filled


class _Tier:
    """Raises the served fraction of all policies of a tier together, from 0 to 1, from one border to the next.

    A border is the fraction at which a region is full, or at which a policy has the most that it may have of one.
    """

    def __init__(self, claims: Sequence[Claim], vessels: Mapping[Resource, Vessel]) -> None:
        self._vessels = vessels
        self._moved: set[Vessel] = set()  # regions whose rate changed, and with it their border
        self._full: list[tuple[float, int, Resource]] = []
        self._enough: list[tuple[float, int, str, str]] = []
        by_unit: defaultdict[str, dict[str, Vessel]] = defaultdict(dict)
        for (region, unit), vessel in vessels.items():
            by_unit[unit][region] = vessel
        self._fillings = {claim.policy: Filling(claim, need_of(claim), by_unit[claim.unit]) for claim in claims}

    def filled(self) -> list[Filling]:
        for vessel in self._vessels.values():
            vessel.at, vessel.rate, vessel.closed, vessel.drawn_by, vessel.version = 0.0, 0.0, inf, {}, 0
        for each in self._fillings.values():
            if each.need > 0:
                self._go_on(each, 0.0)
            else:
                each.served = 1.0
        while self._next():
            pass
        for each in self._fillings.values():
            if each.open:
                each.height += each.speed * (1.0 - each.at)
                each.served = 1.0
                for name in tuple(each.open):
                    _close(each, name)
        for vessel in self._vessels.values():
            _advance(vessel, 1.0)
        return list(self._fillings.values())

    def _next(self) -> bool:
        """Pass the next border. Whether there was one."""
        vessels, fillings, heaped, enough = self._vessels, self._fillings, self._full, self._enough
        for vessel in self._moved:
            vessel.version += 1
            if vessel.rate > 0 and vessel.drawn_by:
                heappush(heaped, (vessel.at + vessel.left / vessel.rate, vessel.version, vessel.key))
        self._moved.clear()
        while heaped and vessels[heaped[0][2]].version != heaped[0][1]:
            heappop(heaped)
        while enough and fillings[enough[0][2]].version != enough[0][1]:
            heappop(enough)
        first, most = (heap[0][0] if heap else inf for heap in (heaped, enough))
        if min(first, most) >= 1.0:
            return False
        if most < first:
            at, _, policy, name = heappop(enough)
            self._drop(fillings[policy], (name,), at)
            return True
        for policy, regions in self._filled_at(first).items():
            self._drop(fillings[policy], regions, first)
        return True

    def _filled_at(self, at: float) -> Mapping[str, Iterable[str]]:
        """Close the regions and links that are full now, and say which regions each policy gets no more from.

        Those who draw alike fill several in one moment, and each policy goes on from there once.
        """
        dropped: dict[str, dict[str, None]] = {}
        heaped = self._full
        while heaped and heaped[0][0] == at:
            _, version, key = heappop(heaped)
            vessel = self._vessels[key]
            if vessel.version == version:
                _advance(vessel, at)
                vessel.left, vessel.closed = 0.0, at
                for policy, region in vessel.drawn_by:
                    dropped.setdefault(policy, {})[region] = None
        return dropped

    def _drop(self, each: Filling, regions: Iterable[str], at: float) -> None:
        """Regions give a policy no more: it draws the more from the others, or goes on with its next level."""
        each.height += each.speed * (at - each.at)
        each.at = at
        before = each.speed
        for name in regions:
            gone = _close(each, name)
            vessel = each.vessels.get(name)
            if vessel is not None:
                vessel.drawn_by.pop((each.claim.policy, name), None)
                if vessel.at != at:
                    _advance(vessel, at)
                vessel.rate = vessel.rate - gone.pull * before if vessel.drawn_by else 0.0
                self._moved.add(vessel)
            if each.claim.links:
                self._pass_less(each, gone, before, at)
        if each.open:
            self._draw(each, at, before)
        else:
            self._go_on(each, at)

    def _through(self, claim: Claim, draw: Draw, at: float) -> float:
        """What the link that a load of the region passes has left for it; infinite where it passes none."""
        passage = claim.links.get(draw.region)
        if passage is None:
            return inf
        link = self._vessels[passage.resource]
        _advance(link, at)
        if link.left <= 0.0:
            link.closed = min(link.closed, at)
        return link.left / passage.bits

    def _pass_more(self, each: Filling, draw: Draw, more: float, at: float) -> None:
        """What it draws from a region rises so much faster from now on, and with it what passes the link."""
        passage = each.claim.links.get(draw.region)
        if passage is not None:
            link = self._vessels[passage.resource]
            _advance(link, at)
            link.drawn_by[each.claim.policy, draw.region] = each
            link.rate += draw.pull * more * passage.bits
            self._moved.add(link)

    def _pass_less(self, each: Filling, gone: Draw, before: float, at: float) -> None:
        """It draws no more from a region, so nothing of it passes the link."""
        passage = each.claim.links.get(gone.region)
        if passage is not None:
            link = self._vessels[passage.resource]
            _advance(link, at)
            link.drawn_by.pop((each.claim.policy, gone.region), None)
            link.rate = link.rate - gone.pull * before * passage.bits if link.drawn_by else 0.0
            self._moved.add(link)

    def _go_on(self, each: Filling, at: float) -> None:
        """Take up the next level that has any room."""
        claim, vessels = each.claim, each.vessels
        each.at = at
        while not each.open and each.level + 1 < len(claim.levels):
            each.level += 1
            for draw in claim.levels[each.level]:
                vessel = vessels.get(draw.region)
                left = draw.most - each.loads[draw.region] if draw.region in each.loads else draw.most
                if vessel is not None:
                    if vessel.at != at:
                        _advance(vessel, at)
                    left = min(left, vessel.left)
                left = min(left, self._through(claim, draw, at)) if claim.links else left
                if draw.pull > 0 and left > NOTHING:
                    each.open[draw.region] = draw
                    each.began[draw.region] = each.height
                    if vessel is not None:
                        vessel.drawn_by[claim.policy, draw.region] = each
                elif vessel is not None and vessel.left <= NOTHING:
                    vessel.closed = min(vessel.closed, at)
        if each.open:
            self._draw(each, at, 0.0)
        else:
            each.speed, each.served = 0.0, at
            each.version += 1  # no border of it is ahead any more

    def _draw(self, each: Filling, at: float, before: float) -> None:
        """Draw from the open regions of its level by pull from now on; until now it rose with the speed `before`."""
        claim, vessels, moved = each.claim, each.vessels, self._moved
        need = each.need
        each.speed = speed = need / sum([draw.pull for draw in each.open.values()])
        each.version += 1
        more = speed - before
        for name, draw in each.open.items():
            vessel = vessels.get(name)
            if vessel is not None:
                if vessel.at != at:
                    _advance(vessel, at)
                vessel.rate += draw.pull * more
                moved.add(vessel)
            if claim.links:
                self._pass_more(each, draw, more, at)
            if draw.most < need and (vessel is None or draw.most < vessel.room):  # else it is not what bounds it
                left = draw.most - each.loads.get(name, 0.0) - draw.pull * (each.height - each.began[name])
                heappush(self._enough, (at + max(0.0, left) / (draw.pull * speed), each.version, claim.policy, name))


def _advance(vessel: Vessel, at: float) -> None:
    if at == vessel.at:
        return
    vessel.left -= vessel.rate * (at - vessel.at)
    if vessel.left <= vessel.room * NOTHING:
        vessel.left = 0.0
    vessel.at = at


def _close(each: Filling, name: str) -> Draw:
    """Count what it drew from a region until now: it draws no more from there."""
    draw = each.open.pop(name)
    drawn = draw.pull * (each.height - each.began.pop(name))
    each.loads[name] = each.loads.get(name, 0.0) + drawn
    return draw


# -- somewhere else to go ----------------------------------------------------------------------------------------------

_Amounts = list[tuple[Filling, float]]
"""How much of each policy may be moved."""

_MOST_WAYS: Final = 100
"""So many times room is made in one region: each ends what is short there, fills a region, or empties one of movers."""


def _make_room(tier: Sequence[Filling], vessels: Mapping[Resource, Vessel]) -> None:
    """Whoever has somewhere else to go makes room for one of its tier that has not.

    By its pull alone, a policy fills a region that another one has nowhere else to go from, while its own next one is
    idle. So what is short draws from where it wants, others of the tier go from there to a region of theirs, and so on,
    until it is one that has any left: the shortest such way, and of each step all in proportion to what they can move.

    Nothing is moved over a link, for that may be what is short; nor to a region of which nobody said what it carries.
    """
    short = [each for each in tier if each.short]
    if not short or not any(_idle(key, vessels) for key in vessels):
        return
    movable = _Movable(tier, vessels)
    for key in sorted({key for each in short for key, _ in _drawable(each, vessels)}):
        for _ in range(_MOST_WAYS):
            wanted = movable.wanted(key)
            if not wanted or not (way := movable.way(key)):
                break
            _move(wanted, way, movable, vessels)


def _move(wanted: _Amounts, way: Sequence[Resource], movable: "_Movable", vessels: Mapping[Resource, Vessel]) -> None:
    """Who wants it draws from the first region of the way, and each of these gives as much to the next."""
    steps = [(leaves[0], enters[0], movable.leaving(leaves)[enters]) for leaves, enters in pairwise(way)]
    amounts = [sum(amount for _, amount in each) for each in (wanted, *(movers for _, _, movers in steps))]
    moved = min(vessels[way[-1]].left, *amounts)
    for each, amount in wanted:
        part = amount * moved / amounts[0]
        each.loads[way[0][0]] = each.loads.get(way[0][0], 0.0) + part
        each.served = min(1.0, each.served + part / each.need)
    for (leaves, enters, movers), total in zip(steps, amounts[1:], strict=True):
        for each, amount in movers:
            part = amount * moved / total
            each.loads[leaves] -= part
            each.loads[enters] = each.loads.get(enters, 0.0) + part
            if (passage := each.claim.links.get(leaves)) is not None:
                vessels[passage.resource].left += part * passage.bits
    vessels[way[-1]].left -= moved
    for movers in (wanted, *(movers for _, _, movers in steps)):
        movable.moved(movers)


class _Movable:
    """What policies of a tier can take elsewhere, as they stand when it is asked."""

    def __init__(self, tier: Iterable[Filling], vessels: Mapping[Resource, Vessel]) -> None:
        self._vessels = vessels
        self._drawers: defaultdict[Resource, list[Filling]] = defaultdict(list)
        self._next: dict[Resource, list[Resource]] = {}
        self._dead: set[Resource] = set()  # from there nothing leads to room, and never will: nobody gives any back
        for each in tier:
            for region in dict.fromkeys(draw.region for level in each.claim.levels for draw in level):
                self._drawers[region, each.claim.unit].append(each)

    def moved(self, movers: Iterable[tuple[Filling, float]]) -> None:
        """These have something else of their regions now."""
        for each, _ in movers:
            for level in each.claim.levels:
                for draw in level:
                    self._next.pop((draw.region, each.claim.unit), None)

    def wanted(self, key: Resource) -> _Amounts:
        """Who is short and would draw from a region, and how much."""
        short = (each for each in self._drawers[key] if each.short)
        return [
            (each, min(each.short, more))
            for each in short
            for other, more in _drawable(each, self._vessels)
            if other == key
        ]

    def leaving(self, key: Resource) -> Mapping[Resource, _Amounts]:
        """What can leave a region for each other one, whether that has room or not."""
        found: defaultdict[Resource, _Amounts] = defaultdict(list)
        for each in self._drawers[key]:
            load = each.loads.get(key[0], 0.0)
            if load > _dust(self._vessels[key]):
                for other, more in _drawable(each, self._vessels):
                    if other != key:
                        found[other].append((each, min(load, more)))
        return found

    def way(self, key: Resource) -> list[Resource]:
        """The regions by which room can be made in one, up to one that has any left; [] where none can be."""
        ways, seen = deque([[key]] if key not in self._dead else []), {key}
        while ways:
            way = ways.popleft()
            if _idle(way[-1], self._vessels):
                return way
            if way[-1] not in self._next:
                self._next[way[-1]] = sorted(self.leaving(way[-1]))
            further = [each for each in self._next[way[-1]] if each not in seen and each not in self._dead]
            seen.update(further)
            ways.extend([*way, each] for each in further)
        self._dead |= seen
        return []


def _dust(vessel: Vessel) -> float:
    return vessel.room * NOTHING


def _idle(key: Resource, vessels: Mapping[Resource, Vessel]) -> bool:
    return key[1] != BITS and vessels[key].left > _dust(vessels[key])


def _drawable(each: Filling, vessels: Mapping[Resource, Vessel]) -> Iterable[tuple[Resource, float]]:
    """The regions of which it may have more, and how much as far as it itself is concerned."""
    claim = each.claim
    most: dict[str, float] = {}
    for level in claim.levels:
        for draw in level:
            if draw.pull > 0 and draw.region not in claim.links:
                most[draw.region] = max(draw.most, most.get(draw.region, 0.0))
    for region, bound in most.items():
        vessel, more = vessels.get((region, claim.unit)), bound - each.loads.get(region, 0.0)
        if vessel is not None and more > _dust(vessel):
            yield (region, claim.unit), more


# -- what comes of it --------------------------------------------------------------------------------------------------


def granted(
    claim: Claim, drawn: Mapping[str, float], short: float, vessels: Mapping[Resource, Vessel], excess_on: str = ""
) -> Grant:
    """What a policy may take that drew so much, where vessels have what its tier left."""
    loads = {**claim.stands}
    for name, load in drawn.items():
        loads[name] = loads.get(name, 0.0) + load
    rooms: dict[str, float] = {}
    taken: dict[str, float] = {}
    unit = claim.unit
    for level in claim.levels:
        for draw in level:
            name = draw.region
            vessel = vessels.get((name, unit))
            if vessel is None:
                continue
            mine, left, room = loads.get(name, 0.0), vessel.left, draw.room
            rooms[name] = min(room, mine + left)
            others = vessel.room - left - mine
            if others > vessel.room * NOTHING:
                taken[name] = others
    linked = _linked(claim, loads, vessels) if claim.links else {}
    return Grant(claim.demand, loads, rooms, taken, short, excess_on, linked=linked)


def _linked(claim: Claim, loads: Mapping[str, float], vessels: Mapping[Resource, Vessel]) -> dict[str, float]:
    """What links leave of each region to a policy that takes these loads, where something else passes them as well."""
    found: dict[str, float] = {}
    for name, passage in claim.links.items():
        vessel, mine = vessels.get(passage.resource), loads.get(name, 0.0)
        if vessel is not None and vessel.room - vessel.left - mine * passage.bits > vessel.room * NOTHING:
            found[name] = mine + vessel.left / passage.bits
    return found


def use(grant: Grant, unit: str, used: "defaultdict[Resource, float]") -> None:
    """Add what a policy is granted, and what it is sent beyond that, to what is used."""
    for region, load in grant.loads.items():
        used[region, unit] += load
    if grant.excess_on:
        used[grant.excess_on, unit] += grant.short


def beyond(claim: Claim, short: float, excess_on: str) -> Mapping[str, float]:
    """The regions to which a policy sends what fits nowhere: all to one, or by what each of them can carry."""
    if not short or claim.sheds:
        return {}
    if excess_on:
        return {excess_on: short}
    rooms = {draw.region: _carries(claim, draw) for level in claim.levels for draw in level if draw.room < inf}
    whole = sum(rooms.values())
    return {region: short * room / whole for region, room in rooms.items() if room > 0}


def _carries(claim: Claim, draw: Draw) -> float:
    passage = claim.links.get(draw.region)
    return min(draw.room, passage.room / passage.bits) if passage is not None else draw.room


def excess(
    tier: Iterable[Claim],
    grants: Mapping[str, Grant],
    vessels: Mapping[Resource, Vessel],
    used: Mapping[Resource, float],
) -> dict[str, str]:
    """The region to which each of a tier sends what fits nowhere: where it overloads the higher ones the least.

    `used` is what these took. Whoever has no higher tier beside it anywhere hurts nobody else, and is missing: it
    splits what is too much by what each region can carry, as a policy does that shares nothing. So is who has a place.
    """
    short: defaultdict[Resource, dict[str, None]] = defaultdict(dict)

    def higher(resource: Resource) -> float:
        load = used.get(resource, 0.0)
        return load if load > vessels[resource].room * NOTHING else 0.0

    for claim in tier:
        if grants[claim.policy].short > 0 and not claim.sheds:
            resources = [each for each in claim.resources & vessels.keys() if each[1] != BITS]
            if any(higher(each) for each in resources):
                for resource in resources:
                    short[resource][claim.policy] = None

    def fullness(resource: Resource) -> float:
        before, room = higher(resource), vessels[resource].room
        if not before:
            return 0.0
        mine = sum(grants[name].short + grants[name].loads.get(resource[0], 0.0) for name in short[resource])
        return (before + mine) / room if room > 0 else inf

    found: dict[str, str] = {}
    for resource in sorted(short, key=lambda each: (fullness(each), each)):
        for name in short[resource]:
            found.setdefault(name, resource[0])
    return found
