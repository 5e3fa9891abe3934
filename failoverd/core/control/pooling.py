"""The same sharing, kept from one change to the next: what did not change costs nothing.

`sharing.share_out` says what is right; a `Pool` comes to the same with less work:

- Policies that share regions, directly or through others, are one part. A change concerns its own part alone, and in
  that its own tier and those after it.
- While nothing is full, everybody draws from its first level by pull, whatever the others do. Then a change is a few
  additions.
- A tier that filled a region knows at which fraction that was full. Whoever changes in it is raised anew by itself,
  against these borders. In a small part the tier is filled anew at once. In a large one that waits until what came
  together puts a region over its room, or leaves it unused, by more than `TOLERANCE`, and at the latest until `settle`:
  else a region that fails under a thousand policies would be shared out a thousand times. What a higher tier takes is
  known to a lower one to the same measure.

Parts only grow together. They are told apart again, after policies were removed, by the next `settle`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from failoverd.core.control.sharing import (
    NOTHING,
    Claim,
    Grant,
    Resource,
    Vessel,
    beyond,
    excess,
    fill,
    granted,
    need_of,
)

TOLERANCE: Final = 0.02
"""Of a region's room: so much may come together before a large part is filled anew."""

SMALL: Final = 400
"""Draws of a part that is always filled anew at once."""

_SAME: Final = 1e-9
"""Of a demand: loads that differ by less are the same."""


@dataclass(slots=True)
class _Mine:
    """What a policy draws now, without what stands; what it was told of that, if it was."""

    claim: Claim
    loads: Mapping[str, float] = field(default_factory=dict)
    short: float = 0.0
    excess_on: str = ""
    told: tuple[Mapping[str, float], float, str] | None = None


@dataclass(slots=True)
class _Band:
    """A tier of a part.

    Attributes:
        names: its policies.
        loads: what they draw of each region together.
        stands: what of them nothing moves.
        borders: the fraction at which each region was full that the last filling filled.
        touched: regions of which something changed that concerns the tier, since it was last seen to.
        off: whether somebody was raised by itself since the last filling.
        strained: those that cannot all draw as they like even where nothing is full.
        extra: the excess that was sent to each region.
        beyond: what fits nowhere and is sent there all the same, that excess included.
    """

    names: set[str] = field(default_factory=set)
    loads: dict[Resource, float] = field(default_factory=dict)
    stands: dict[Resource, float] = field(default_factory=dict)
    borders: dict[Resource, float] = field(default_factory=dict)
    touched: set[Resource] = field(default_factory=set)
    off: bool = False
    strained: set[str] = field(default_factory=set)
    extra: dict[Resource, float] = field(default_factory=dict)
    beyond: dict[Resource, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Part:
    """Policies that share regions with one another. `filled`: others may get something else than they were told."""

    bands: dict[int, _Band] = field(default_factory=dict)
    resources: set[Resource] = field(default_factory=set)
    draws: int = 0
    filled: bool = False

    @property
    def small(self) -> bool:
        return self.draws <= SMALL

    def upto(self, tier: float) -> list[tuple[int, _Band]]:
        return [(each, self.bands[each]) for each in sorted(self.bands) if each <= tier]


class Pool:
    """Claims, and what they come to. The order in which claims came in does not matter once it is settled."""

    def __init__(self) -> None:
        self._mine: dict[str, _Mine] = {}
        self._parts: dict[str, _Part] = {}  # by policy
        self._of: dict[Resource, _Part] = {}
        self._rooms: dict[Resource, dict[float, int]] = {}  # how many policies see so much of it
        self._room: dict[Resource, float] = {}
        self._unsettled: dict[int, _Part] = {}
        self._removed = False
        self._aside: dict[str, None] = {}  # who leaves regions out, in the order of their claims

    def __contains__(self, name: object) -> bool:
        return name in self._mine

    @property
    def claims(self) -> Mapping[str, Claim]:
        return {name: mine.claim for name, mine in self._mine.items()}

    @property
    def unsettled(self) -> int:
        """The draws of the parts in which something changed that may concern others."""
        return sum(part.draws for part in self._unsettled.values())

    def put(self, name: str, claim: Claim | None) -> None:
        """Replace a claim; None takes it away."""
        mine = self._mine.get(name)
        if (mine.claim if mine is not None else None) == claim:
            return
        told = None
        if mine is not None:
            told = mine.told
            self._take_out(name, mine)
        if claim is None:
            self._removed = True
        else:
            self._put_in(name, _Mine(claim, told=told))

    def grant(self, name: str) -> Grant | None:
        """What a policy may take, after everything that changed in tiers up to its own."""
        mine = self._mine.get(name)
        if mine is None:
            return None
        part = self._parts[name]
        self._see_to(part, mine.claim.tier)
        mine.told = (mine.loads, mine.short, mine.excess_on)
        return self._granted(part, mine)

    def look(self, name: str) -> Grant | None:
        """What it may take as far as that is known, for who only looks."""
        mine = self._mine.get(name)
        return self._granted(self._parts[name], mine) if mine is not None else None

    def _granted(self, part: _Part, mine: _Mine) -> Grant:
        keys = [(draw.region, mine.claim.unit) for level in mine.claim.levels for draw in level]
        keys += [each.resource for each in mine.claim.links.values()]
        return granted(mine.claim, mine.loads, mine.short, self._vessels(part, mine.claim.tier, keys), mine.excess_on)

    def spare(self, name: str) -> Mapping[str, float]:
        """The most that a policy may take of each region it may go to without anybody having less, in its unit.

        It is what it takes of it, and what all tiers leave, less what others are short of that would take it there.
        """
        mine = self._mine.get(name)
        if mine is None:
            return {}
        part, claim = self._parts[name], mine.claim
        self._see_to(part, inf)
        lacking = self._lacking(each for band in part.bands.values() for each in band.names if each != name)

        def most(key: Resource, load: float) -> float:
            return max(0.0, load + self._left(part, inf, key) - lacking.get(key, 0.0))

        found = {}
        for region in sorted({draw.region for level in claim.levels for draw in level if draw.room < inf}):
            load = mine.loads.get(region, 0.0)
            found[region] = most((region, claim.unit), load)
            link = claim.links.get(region)
            if link is not None and (bits := most(link.resource, load * link.bits)) < link.room * (1.0 - NOTHING):
                found[region] = min(found[region], bits / link.bits)
        return found

    def pressed(self) -> list[str]:
        """Those that leave regions out and take of others what somebody is short of."""
        if not self._aside:
            return []
        lacking = self._lacking(self._mine)

        def takes(name: str) -> bool:
            mine, part = self._mine[name], self._parts[name]
            keys = ((region, mine.claim.unit) for region, load in mine.loads.items() if load)
            return any(key in lacking and self._left(part, inf, key) < lacking[key] for key in keys)

        return [name for name in self._aside if takes(name)]

    def _lacking(self, names: Iterable[str]) -> Mapping[Resource, float]:
        """What these are short of, at each region where they would take it."""
        found: defaultdict[Resource, float] = defaultdict(float)
        for mine in (self._mine[name] for name in names):
            claim, bits = mine.claim, {each.resource: each.bits for each in mine.claim.links.values()}
            for key in claim.resources if mine.short else ():
                found[key] += mine.short * bits.get(key, 1.0)
        return found

    def room(self, key: Resource) -> float | None:
        """What a region can carry, as the policy sees it that sees most of it; None where nobody said."""
        return self._room[key] if self._rooms.get(key) else None

    def settle(self) -> list[str]:
        """Fill anew what is not exact. Returns those that get something else than they were told."""
        if self._removed:
            self._tell_apart()
        found = []
        for part in self._unsettled.values():
            self._see_to(part, inf, exact=True)
            for band in part.bands.values() if part.filled else ():
                for name in band.names:
                    mine = self._mine[name]
                    now = (mine.loads, mine.short, mine.excess_on)
                    if mine.told is not None and not _same(mine.told, now, mine.claim.demand):
                        mine.told = now
                        found.append(name)
            part.filled = False
        self._unsettled.clear()
        return found

    # -- claims come and go --------------------------------------------------------------------------------------------

    def _put_in(self, name: str, mine: _Mine) -> None:
        claim = mine.claim
        part = self._parts[name] = self._join(claim.resources)
        self._mine[name] = mine
        if claim.aside:
            self._aside[name] = None
        self._unsettled[id(part)] = part
        part.draws += sum(map(len, claim.levels))
        if claim.tier not in part.bands:
            part.bands[claim.tier] = _Band(touched=set(part.resources))
        band = part.bands[claim.tier]
        band.names.add(name)
        for level in claim.levels:
            for draw in level:
                if draw.room < inf:
                    self._seen(part, (draw.region, claim.unit), draw.room, 1)
        for each in claim.links.values():
            self._seen(part, each.resource, each.room, 1)
        for key, load in _standing(claim) if claim.stands else ():
            band.stands[key] = band.stands.get(key, 0.0) + load
            _touch(part, key)
        self._raise(part, band, mine)

    def _take_out(self, name: str, mine: _Mine) -> None:
        claim, part = mine.claim, self._parts.pop(name)
        band = part.bands[claim.tier]
        self._unsettled[id(part)] = part
        del self._mine[name]
        self._aside.pop(name, None)
        part.draws -= sum(map(len, claim.levels))
        band.names.discard(name)
        band.strained.discard(name)
        self._count(part, band, mine, -1)
        for level in claim.levels:
            for draw in level:
                if draw.room < inf:
                    self._seen(part, (draw.region, claim.unit), draw.room, -1)
        for each in claim.links.values():
            self._seen(part, each.resource, each.room, -1)
        for key, load in _standing(claim) if claim.stands else ():
            band.stands[key] = max(0.0, band.stands.get(key, 0.0) - load)
            _touch(part, key)

    def _raise(self, part: _Part, band: _Band, mine: _Mine) -> None:
        """Have a policy draw by itself, from regions that are full where the last filling found them so."""
        claim = mine.claim
        strained = _plain(claim)
        if strained is not None and not band.borders and claim.policy not in band.strained:
            mine.loads, mine.short, mine.excess_on = strained, 0.0, ""
        else:
            mine.loads, mine.short = _alone(claim, band.borders)
            mine.excess_on = _sent_to(band, claim) if mine.short else ""
            band.off = True
        if strained is None:
            band.strained.add(claim.policy)
        self._count(part, band, mine, 1)

    def _count(self, part: _Part, band: _Band, mine: _Mine, sign: int) -> None:
        """What it draws is, or is no more, in the sum of its tier."""
        unit, tier = mine.claim.unit, mine.claim.tier
        loads = [((region, unit), load) for region, load in mine.loads.items()]
        for key, load in (*loads, *mine.claim.passing(mine.loads)) if mine.claim.links else loads:
            band.loads[key] = band.loads.get(key, 0.0) + sign * load
            for other, each in part.bands.items():
                if other >= tier:
                    each.touched.add(key)
        if mine.excess_on:
            key = (mine.excess_on, unit)
            band.extra[key] = band.extra.get(key, 0.0) + sign * mine.short
        for region, load in beyond(mine.claim, mine.short, mine.excess_on).items() if mine.short else ():
            key = (region, unit)
            band.beyond[key] = band.beyond.get(key, 0.0) + sign * load
            for other, each in part.bands.items():
                if other > tier:  # where it goes is where theirs hurts it, and what it takes is not theirs
                    each.touched.add(key)

    def _seen(self, part: _Part, key: Resource, room: float, sign: int) -> None:
        """A policy sees so much room in a region, or does so no more. What counts is the most that anybody sees."""
        seen, before = self._rooms.setdefault(key, {}), self._room.get(key, 0.0)
        seen[room] = seen.get(room, 0) + sign
        if not seen[room]:
            del seen[room]
        now = max(before, room) if sign > 0 else max(seen, default=0.0) if room == before else before
        self._room[key] = now
        if now != before:
            _touch(part, key)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _join(self, resources: Iterable[Resource]) -> _Part:
        """The part of these regions; those that were apart until now are one by them."""
        keys = sorted(resources)
        parts = {id(self._of[key]): self._of[key] for key in keys if key in self._of}
        whole = max(parts.values(), key=lambda each: each.draws, default=None) or _Part()
        for other in parts.values():
            if other is not whole:
                self._merge(whole, other)
        for key in keys:
            if key not in self._of:
                self._of[key] = whole
                whole.resources.add(key)
        return whole

    def _merge(self, whole: _Part, other: _Part) -> None:
        whole.draws += other.draws
        whole.resources |= other.resources
        whole.filled |= other.filled
        for key in other.resources:
            self._of[key] = whole
        for tier, band in other.bands.items():
            mine = whole.bands.setdefault(tier, _Band(touched=set(whole.resources)))
            mine.names |= band.names
            mine.strained |= band.strained
            mine.loads |= band.loads  # of regions that the other part does not have
            mine.stands |= band.stands
            mine.borders |= band.borders
            mine.extra |= band.extra
            mine.beyond |= band.beyond
            mine.off |= band.off
            mine.touched |= other.resources
            for name in band.names:
                self._parts[name] = whole
        self._unsettled.pop(id(other), None)
        self._unsettled[id(whole)] = whole

    def _tell_apart(self) -> None:
        """Put everything together anew: what was removed may have been all that two parts had in common."""
        self._removed = False
        known = sorted(self._mine.items())
        self._mine, self._parts, self._of, self._rooms, self._room, self._unsettled = {}, {}, {}, {}, {}, {}
        for name, mine in known:
            self._put_in(name, _Mine(mine.claim, told=mine.told))

    # -- filling -------------------------------------------------------------------------------------------------------

    def _see_to(self, part: _Part, tier: float, *, exact: bool = False) -> None:
        """Fill anew the tiers that need it, up to this one."""
        for number, band in part.upto(tier):
            if self._needs(part, number, band, exact=exact or part.small):
                self._fill(part, number, band)
            elif band.touched and band.borders:  # it waits for `settle`
                band.off = True
            band.touched.clear()

    def _needs(self, part: _Part, number: int, band: _Band, *, exact: bool) -> bool:
        if not band.touched and not (exact and band.off):
            return False
        if exact and (band.off or band.borders or band.strained):
            return True
        tolerance = NOTHING if exact or not band.borders else TOLERANCE
        for key in band.touched:
            room = self._room.get(key)
            if room is None:
                continue
            left = self._left(part, number, key)
            if left < -room * tolerance or (key in band.borders and left > room * tolerance):
                return True
        return False

    def _left(self, part: _Part, tier: float, key: Resource) -> float:
        """What a region has left after this tier; less than nothing where it is over its room.

        What higher tiers send there though it fits nowhere is no room either. Asked for all tiers (`inf`), it is that
        of what fits alone.
        """
        stands = higher = own = beside = 0.0
        for other, band in part.bands.items():  # in one go: it is asked for each region in each decision
            stands += band.stands.get(key, 0.0)
            if other < tier:
                higher += band.loads.get(key, 0.0)
                if band.beyond and tier < inf:
                    beside += band.beyond.get(key, 0.0)
            elif other == tier:
                own = band.loads.get(key, 0.0)
        left = max(0.0, self._room.get(key, 0.0) - stands) - higher
        return (max(min(left, 0.0), left - beside) if beside else left) - own

    def _vessels(self, part: _Part, tier: int, keys: Iterable[Resource]) -> dict[Resource, Vessel]:
        return {
            key: Vessel(key, self._room[key], max(0.0, self._left(part, tier, key)))
            for key in keys
            if self._rooms.get(key)
        }

    def _fill(self, part: _Part, number: int, band: _Band) -> None:
        """Share out one tier, as the others are."""
        before, band.loads, part.filled = band.loads, {}, True
        sent = band.beyond
        vessels = self._vessels(part, number, sorted(part.resources))
        claims = [self._mine[name].claim for name in sorted(band.names)]
        filled = fill(claims, vessels)
        band.borders = {key: vessel.closed for key, vessel in vessels.items() if vessel.closed < inf}
        for each in filled:
            mine, unit = self._mine[each.claim.policy], each.claim.unit
            mine.loads, mine.short, mine.excess_on = each.loads, each.short, ""
            for region, load in each.loads.items():
                key = (region, unit)
                band.loads[key] = band.loads.get(key, 0.0) + load
            for key, load in each.claim.passing(each.loads) if each.claim.links else ():
                band.loads[key] = band.loads.get(key, 0.0) + load
        self._with_excess(part, number, band, vessels)
        band.off = False
        changed = {
            key
            for key in before.keys() | band.loads.keys()
            if abs(before.get(key, 0.0) - band.loads.get(key, 0.0)) > self._room.get(key, 0.0) * NOTHING
        }
        changed |= {key for key in sent.keys() | band.beyond.keys() if sent.get(key) != band.beyond.get(key)}
        for other, lower in part.bands.items():
            if other > number:
                lower.touched |= changed

    def _with_excess(self, part: _Part, number: int, band: _Band, vessels: Mapping[Resource, Vessel]) -> None:
        band.extra, band.beyond = {}, {}
        short = [self._mine[name] for name in sorted(band.names) if self._mine[name].short]
        if not short:
            return
        used: defaultdict[Resource, float] = defaultdict(float)
        for other, each in part.bands.items():
            if other < number:
                for sums in (each.loads, each.stands, each.extra):
                    for key, load in sums.items():
                        used[key] += load
        grants = {mine.claim.policy: granted(mine.claim, mine.loads, mine.short, {}) for mine in short}
        for name, region in excess([mine.claim for mine in short], grants, vessels, used).items():
            mine = self._mine[name]
            mine.excess_on = region
            key = (region, mine.claim.unit)
            band.extra[key] = band.extra.get(key, 0.0) + mine.short
        for mine in short:
            for region, load in beyond(mine.claim, mine.short, mine.excess_on).items():
                key = (region, mine.claim.unit)
                band.beyond[key] = band.beyond.get(key, 0.0) + load


def _sent_to(band: _Band, claim: Claim) -> str:
    """Where the excess of its tier goes already, if that is a region of its own."""
    mine = claim.resources
    return "" if claim.sheds else next((key[0] for key in sorted(band.extra) if key in mine), "")


def _standing(claim: Claim) -> list[tuple[Resource, float]]:
    """What stands: in regions, and on the links that it passes."""
    return [*(((region, claim.unit), load) for region, load in claim.stands.items()), *claim.passing(claim.stands)]


def _touch(part: _Part, key: Resource) -> None:
    for band in part.bands.values():
        band.touched.add(key)


def _plain(claim: Claim) -> Mapping[str, float] | None:
    """What it draws where nothing is full; None if it cannot have that even then."""
    need = need_of(claim)
    if need <= 0:
        return {}
    if not claim.levels:
        return None
    first = claim.levels[0]
    total = sum([draw.pull for draw in first])
    if total <= 0:
        return None
    loads = {draw.region: need * draw.pull / total for draw in first if draw.pull > 0}
    return None if any(loads.get(draw.region, 0.0) > draw.most for draw in first) else loads


def _alone(claim: Claim, borders: Mapping[Resource, float]) -> tuple[Mapping[str, float], float]:
    """What a policy draws from regions that are full at these fractions, and what it is short."""
    at, need = 0.0, need_of(claim)
    loads: dict[str, float] = {}
    if need <= 0:
        return loads, 0.0
    for level in claim.levels:
        ends = {draw.region: borders.get((draw.region, claim.unit), inf) for draw in level}
        ends |= {
            name: min(ends[name], borders.get(each.resource, inf)) for name, each in claim.links.items() if name in ends
        }
        drawn = [draw for draw in level if draw.pull > 0 and draw.most > NOTHING and ends[draw.region] > at]
        while drawn and at < 1.0:
            speed = need / sum([draw.pull for draw in drawn])
            due = [
                min(ends[draw.region], at + (draw.most - loads.get(draw.region, 0.0)) / (draw.pull * speed))
                for draw in drawn
            ]
            until = min(1.0, *due)
            for draw in drawn:
                loads[draw.region] = loads.get(draw.region, 0.0) + draw.pull * speed * max(0.0, until - at)
            drawn = [draw for draw, end in zip(drawn, due, strict=True) if end > until]
            at = max(at, until)
    short = need * (1.0 - at)
    return loads, short if short > claim.demand * NOTHING else 0.0


def _same(
    told: tuple[Mapping[str, float], float, str], now: tuple[Mapping[str, float], float, str], demand: float
) -> bool:
    if told[2] != now[2] or abs(told[1] - now[1]) > demand * _SAME:
        return False
    return all(
        abs(told[0].get(name, 0.0) - now[0].get(name, 0.0)) <= demand * _SAME for name in told[0].keys() | now[0].keys()
    )
