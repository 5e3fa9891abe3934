"""What the regions can carry together: on a normal day, and when one of them, or a cloud, is lost.

It is the sharing of the estate (`sharing`), played with the claims of a day on which nothing is wrong, once with all
regions and once without each. So what is said here is what would be granted on that day: who is short, of how much, and
to which region that would be sent all the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from failoverd.core.control.claiming import usual_claim
from failoverd.core.control.sharing import Claim, Resource, share_out
from failoverd.core.records import Policy


@dataclass(frozen=True, slots=True)
class Shortage:
    """A policy of which a part fits nowhere.

    Attributes:
        policy: which.
        tier: its own.
        demand: all that it needs.
        short: what of that fits nowhere.
        excess_on: the region that gets it all the same; "" where it goes to the place that the policy names, or is
            split among its regions by what each can carry.
        placed: whether the policy names a place for it.
    """

    policy: str
    tier: int
    demand: float
    short: float
    excess_on: str = ""
    placed: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """How a day comes out.

    Attributes:
        lost: the regions that are down.
        loads: what each region is granted, by what it is counted in.
        rooms: what each can carry: capacity x headroom.
        short: those whose demand does not fit, the most important first.
    """

    lost: frozenset[str]
    loads: Mapping[Resource, float]
    rooms: Mapping[Resource, float]
    short: tuple[Shortage, ...] = ()

    def left(self, resource: Resource) -> float:
        return max(0.0, self.rooms.get(resource, 0.0) - self.loads.get(resource, 0.0))


def usual_claims(policies: Iterable[Policy]) -> tuple[Claim, ...]:
    """What all of them want on a day on which nothing is wrong; those left out that do not say what they need."""
    found = (usual_claim(policy) for policy in policies if policy.demand)
    return tuple(each for each in found if each is not None)


def day(claims: Iterable[Claim], lost: frozenset[str] = frozenset()) -> Day:
    """How a day comes out on which these regions are down and all others are well."""
    whole = list(claims)
    rooms: dict[Resource, float] = {}
    for claim in whole:
        for level in claim.levels:
            for draw in level:
                if draw.room < inf and draw.region not in lost:
                    key = (draw.region, claim.unit)
                    rooms[key] = max(rooms.get(key, 0.0), draw.room)
    left = [_without(claim, lost) for claim in whole]
    loads: defaultdict[Resource, float] = defaultdict(float)
    short = []
    grants = share_out(left)
    for claim in left:
        grant = grants[claim.policy]
        for region, load in grant.loads.items():
            loads[region, claim.unit] += load
        if grant.short > 0:
            said = Shortage(claim.policy, claim.tier, claim.demand, grant.short, grant.excess_on, claim.sheds)
            short.append(said)
    short.sort(key=lambda each: (each.tier, -each.short, each.policy))
    return Day(lost, dict(loads), rooms, tuple(short))


def losses(clouds: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    """What may be lost at once, by how it is called: each region, and each cloud that has several.

    `clouds` are those of the regions; the loss of everything is none of them.
    """
    found = {name: frozenset({name}) for name in sorted(clouds)}
    for cloud in sorted(set(clouds.values()) - {""}):
        mine = frozenset(name for name, of in clouds.items() if of == cloud)
        if len(mine) > 1:
            found[f"{cloud}, all of it"] = mine
    return {name: lost for name, lost in found.items() if len(lost) < len(clouds)}


def clouds_of(policies: Sequence[Policy]) -> Mapping[str, str]:
    """The regions of these policies, and whose cloud each is in."""
    return {spec.name: spec.cloud for policy in policies for spec in policy.regions}


def _without(claim: Claim, lost: frozenset[str]) -> Claim:
    if not lost:
        return claim
    levels = (tuple(draw for draw in level if draw.region not in lost) for level in claim.levels)
    return replace(claim, levels=tuple(filter(None, levels)))
