"""The page of a capacity review: what each region carries now, and whether any of them can be lost.

Load is what is published times demand, over all policies that say what they need; target is what they want published;
what a lost region would do is played with their claims of a normal day (`core/control/capacity.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from failoverd.core.control.capacity import Day, Shortage, clouds_of, day, losses, usual_claims
from failoverd.core.control.cost import forecast
from failoverd.core.practices import NEVER_BEGAN
from failoverd.core.records import WHOLE, Policy, RegionSpec, Target, few, tier_name
from failoverd.core.status import PolicyStatus, TargetStatus
from failoverd.telemetry import phrases

_NAMED = 3


@dataclass(frozen=True, slots=True)
class RegionRoom:
    """A region over all policies. Numbers are in the unit of the capacity.

    Attributes:
        region: which.
        cloud: whose it is; "" when that is not known.
        jurisdiction: whose law applies there; "" when that was not stated.
        capacity: as the inventory says it, or as it is measured now; None where nobody says it.
        headroom: how much of that is planned with, in basis points.
        load: what is published there now; None while no record of it was read.
        target: what is wanted there; None like the load.
        left: of capacity x headroom beside the load; below zero where that is more. None without either.
        policies: how many may use it.
        cost_per_hour: of the load at list prices; None where a part of it has no price.
        practised: when its loss was last practised; None where it never was.
    """

    region: str
    cloud: str
    jurisdiction: str
    capacity: float | None
    headroom: int
    load: float | None
    target: float | None
    left: float | None
    policies: int
    cost_per_hour: float | None = None
    practised: float | None = None


@dataclass(frozen=True, slots=True)
class Short:
    """A policy that would be short: of how much, and which region would get that all the same; "" a place, or all."""

    policy: str
    tier: str
    demand: float
    short: float
    excess_on: str


@dataclass(frozen=True, slots=True)
class Loss:
    """What would be so on a normal day without some regions: room left in the others, and who would be short."""

    lost: str
    regions: tuple[str, ...]
    left: Mapping[str, float]
    short: tuple[Short, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Review:
    """All of it. `uncounted` are policies that do not say what they need, and so are in no sum."""

    at: float
    headline: str
    regions: tuple[RegionRoom, ...]
    losses: tuple[Loss, ...]
    normal: Loss
    uncounted: tuple[str, ...]


def review(
    policies: Sequence[Policy],
    targets: Iterable[TargetStatus],
    now: float,
    *,
    practised: Mapping[str, float] | None = None,
) -> Review:
    """Figures that are measured count as they do now. `practised` is by region, where that is known."""
    known = {status.target: status for status in targets}
    stands = [(policy, known.get(policy.records[0].targets[0])) for policy in policies]
    policies = [_counting(policy, status) for policy, status in stands]
    claims = usual_claims(policies)
    usual = _loss("", day(claims))
    lost = tuple(_loss(name, day(claims, regions)) for name, regions in losses(clouds_of(policies)).items())
    return Review(
        at=now,
        headline=_headline(usual, lost, bool(claims)),
        regions=tuple(_regions(policies, known, practised or {})),
        losses=lost,
        normal=usual,
        uncounted=tuple(sorted(policy.name for policy in policies if not policy.demand)),
    )


def practised_at(policies: Iterable[PolicyStatus]) -> dict[str, float]:
    """When the last drill of each region began, over all policies, of those that were held."""
    held = [each for policy in policies for each in policy.practices if each.outcome not in NEVER_BEGAN]
    return {each.region: each.began for each in sorted(held, key=lambda each: each.began)}


def _counting(policy: Policy, status: TargetStatus | None) -> Policy:
    """The policy with the figures that counted when its record was looked at last: those that it has measured."""
    if status is None:
        return policy
    return replace(
        policy,
        demand=status.demand if policy.measure is not None and status.demand else policy.demand,
        regions=tuple(_measured(spec, status.capacities.get(spec.name)) for spec in policy.regions),
    )


def _measured(spec: RegionSpec, planned: float | None) -> RegionSpec:
    if spec.measure is None or planned is None or not spec.headroom:
        return spec
    return replace(spec, capacity=round(planned * WHOLE / spec.headroom, 6))


def _regions(
    policies: Sequence[Policy],
    known: Mapping[Target, TargetStatus],
    practised: Mapping[str, float],
) -> Iterable[RegionRoom]:
    load: defaultdict[str, float] = defaultdict(float)
    target: defaultdict[str, float] = defaultdict(float)
    costs: defaultdict[str, list[float | None]] = defaultdict(list)
    users: defaultdict[str, int] = defaultdict(int)
    seen = set[str]()
    for policy in policies:
        status = known.get(policy.records[0].targets[0])
        for spec in policy.regions:
            users[spec.name] += 1
            if status is None or not policy.demand or status.seen is None:
                continue
            seen.add(spec.name)
            published = status.published.get(spec.name, 0)
            load[spec.name] += policy.demand * published / WHOLE
            costs[spec.name] += [_cost(policy, spec.name, published)] if published else []
            target[spec.name] += policy.demand * (status.wanted or status.published).get(spec.name, 0) / WHOLE
    specs = {spec.name: spec for policy in policies for spec in policy.regions}
    for name, spec in sorted(specs.items()):
        carried = load[name] if name in seen else None
        left = spec.planned_with - carried if spec.planned_with is not None and carried is not None else None
        yield RegionRoom(
            region=name,
            cloud=spec.cloud,
            jurisdiction=spec.jurisdiction,
            capacity=spec.capacity,
            headroom=spec.headroom,
            load=carried,
            target=target[name] if name in seen else None,
            left=left,
            policies=users[name],
            cost_per_hour=_sum(costs[name]) if name in seen else None,
            practised=practised.get(name),
        )


def _cost(policy: Policy, region: str, share: int) -> float | None:
    """What a share costs an hour there; None where no file says what that rests on."""
    found = forecast(policy, {region: share})
    return found.per_hour if found is not None and not found.unpriced else None


def _sum(costs: Sequence[float | None]) -> float | None:
    """None where a part of it is not known, or there is none."""
    known = [each for each in costs if each is not None]
    return round(sum(known), 2) if known and len(known) == len(costs) else None


def _loss(name: str, found: Day) -> Loss:
    return Loss(
        lost=name,
        regions=tuple(sorted(found.lost)),
        left={resource[0]: found.left(resource) for resource in sorted(found.rooms)},
        short=tuple(map(_short, found.short)),
        total=sum(each.short for each in found.short),
    )


def _short(said: Shortage) -> Short:
    return Short(said.policy, tier_name(said.tier), said.demand, said.short, said.excess_on)


def _headline(usual: Loss, lost: Sequence[Loss], counted: bool) -> str:
    if not counted:
        return "nobody can say: no policy states its demand"
    if usual.short:
        return f"on a normal day already {shortage(usual)}"
    bad = sorted((each for each in lost if each.short), key=lambda each: -each.total)
    if not lost:
        return "on a normal day nobody is short; there is no second region to lose one of them"
    if not bad:
        return "each region can be lost: nobody is short"
    others = len(bad) - 1
    do = "do" if others > 1 else "does"
    more = f"; so {do} {phrases.counted(others, 'other loss', 'other losses')}" if others else ""
    return f"losing {bad[0].lost} leaves {shortage(bad[0])}{more}"


def shortage(loss: Loss) -> str:
    """`dev 200 short`, those of the most important tier first."""
    return few([f"{each.policy} {each.short:.6g} short{_goes(each)}" for each in loss.short], _NAMED)


def _goes(each: Short) -> str:
    return f" (on top of {each.excess_on})" if each.excess_on else ""
