"""Regions that are sent more than they can carry while others have room, over all policies that share them.

What a region can carry, and where each policy may go, is what the daemon's own allocation takes them to be (the claims
in `core/control/claiming.py`): score x capacity x headroom, without who is down, drained or not allowed. Where nothing
has room, nobody is to blame: then the daemon fails open, and says so.

Tiers are served in their order, each from what the higher ones leave. So what is too much is too much for the tier that
comes to it: its policies may have somewhere else to go, and a higher one goes nowhere for them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from failoverd.core.control.sharing import Claim, Draw, Resource
from failoverd.core.records import WHOLE

_NOISE: Final = 1.001
"""Times a room: shares are whole basis points."""

_WORTH: Final = 0.01
"""Of a region's room: less than that is no room worth a change."""


@dataclass(frozen=True, slots=True)
class Crowded:
    """A region that is sent more than it can carry. All in the unit of its capacity.

    Attributes:
        at: seconds since the beginning.
        elsewhere: a region that has room for some of it.
        left: how much.
        policy: who may use that.
        tier: its tier. Lower ones count as if they sent nothing.
    """

    at: float
    region: str
    load: float
    room: float
    elsewhere: str
    left: float
    policy: str
    tier: int


def crowded(
    standing: Sequence[Claim],
    shares: Callable[[str], Mapping[str, int]],
    tiers: Mapping[str, int],
    elapsed: float = 0.0,
) -> Iterator[Crowded]:
    """Each such region as it is now, of each tier by its name.

    Args:
        standing: the claims of all policies, who tell what a region can carry.
        shares: what a policy answers, in basis points by region.
        tiers: how important each policy is; the lowest number is served first.
        elapsed: seconds since the beginning.
    """
    for tier in sorted({tiers[claim.policy] for claim in standing}):
        yield from _crowded_in(tier, standing, shares, tiers, elapsed)


def _crowded_in(
    tier: int,
    standing: Sequence[Claim],
    shares: Callable[[str], Mapping[str, int]],
    tiers: Mapping[str, int],
    elapsed: float,
) -> Iterator[Crowded]:
    """Regions that have too much of this tier and the higher ones."""
    claims = [claim for claim in standing if tiers[claim.policy] <= tier]
    loads = {claim.policy: _loads(claim, shares(claim.policy)) for claim in claims}
    total: dict[Resource, float] = defaultdict(float)
    for claim in claims:
        for region, load in loads[claim.policy].items():
            total[region, claim.unit] += load
    rooms = _rooms(standing)
    for resource in sorted(rooms):
        if total[resource] <= rooms[resource] * _NOISE:
            continue
        for claim in claims:
            region, unit = resource
            if tiers[claim.policy] != tier or claim.unit != unit or not loads[claim.policy].get(region):
                continue
            if found := _room_for(claim, region, loads[claim.policy], total, rooms):
                draw, left = found
                yield Crowded(elapsed, region, total[resource], rooms[resource], draw.region, left, claim.policy, tier)
                break


def _loads(claim: Claim, shares: Mapping[str, int]) -> Mapping[str, float]:
    return {region: claim.demand * share / WHOLE for region, share in shares.items() if share}


def _rooms(claims: Sequence[Claim]) -> Mapping[Resource, float]:
    """What each region can carry, as who sees it best does."""
    rooms: dict[Resource, float] = {}
    for claim in claims:
        for draw in _draws(claim):
            if draw.room < inf:
                rooms[draw.region, claim.unit] = max(draw.room, rooms.get((draw.region, claim.unit), 0.0))
    return rooms


def _draws(claim: Claim) -> Iterator[Draw]:
    return (draw for level in claim.levels for draw in level)


def _room_for(
    claim: Claim,
    crowded_one: str,
    mine: Mapping[str, float],
    total: Mapping[Resource, float],
    rooms: Mapping[Resource, float],
) -> tuple[Draw, float] | None:
    """Where else this policy may go, and how much has room there."""
    for draw in _draws(claim):
        resource = draw.region, claim.unit
        room = rooms.get(resource, inf)
        left = min(draw.most - mine.get(draw.region, 0.0), room - total.get(resource, 0.0))
        if draw.region != crowded_one and left > max(_WORTH * min(room, claim.demand), 0.0):
            return draw, left
    return None
