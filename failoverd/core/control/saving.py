"""Shares that follow the price, as slowly as prices do.

    merit order: the regions among which the file splits a normal day, the cheapest first, each filled to what it can
    carry, to what nobody else takes of it, and to what its link to the data lets through

Price is a filter and never a cause in an incident. It is looked at only while nothing is wrong: every region is
HEALTHY, no incident is open, no operator's word is in force, and the record answers what is wanted; and only when that
has been so for a while. It moves traffic for a part of the costs and for an amount that are worth it, at most once in a
while, and then as tuning, within its rates.

What it chose stays until it chooses again, so that the end of calm moves nothing by itself; a move that is under way
stops where it is. Once a region on which it counts does not answer, price is ignored: the others get what the file
says.

No region is emptied: what gets no traffic is not known to serve it, and may be cold on the day on which it is needed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from failoverd.core.control.allocation import Bounds, all_well, allocate, tiers
from failoverd.core.control.cost import Saving, forecast, price
from failoverd.core.control.overriding import Heeded
from failoverd.core.control.residency import allowed
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, CostRules, Policy, RecordSpec, RegionSpec

STOOD: Final = 600.0
"""Seconds for which nothing has been wrong, and the answer has stood, before price is looked at."""

KEPT: Final = 100
"""Basis points that a region keeps, however much cheaper the others are; or its share, if that is less."""


def in_force(policy: Policy, saving: Saving) -> Saving:
    """What was chosen, unless the file says something else since."""
    if policy.cost is None:
        return Saving()
    return saving if saving.instead_of == _of_file(policy) else Saving(at=saving.at)


def considered(
    policy: Policy,
    record: RecordSpec,
    saving: Saving,
    published: Mapping[str, int],
    now: float,
    *,
    calm: bool,
    since: float = 0.0,
    spare: Mapping[str, float] | None = None,
) -> tuple[Saving, float | None]:
    """What is chosen now, and when that is looked at again.

    Args:
        policy: the file.
        record: of the policy.
        saving: what was chosen before.
        published: shares that the record answers with.
        now: seconds since the epoch.
        calm: whether nothing is wrong, and the record answers what is wanted.
        since: when the last region became well, or the answer became what it is.
        spare: how much it may take of each region without any other policy having less.
    """
    saving, rules = in_force(policy, saving), policy.cost
    if rules is None:
        return saving, None
    if not calm:
        return _stopped(policy, saving, published), None
    saving = replace(saving, at=min(saving.at, now))  # the clock was wrong once
    due = max(saving.at + rules.every if saving.at else 0.0, since + STOOD)
    if now < due:
        return saving, due
    found = _better(policy, record, published, rules, spare)
    return (replace(found, at=now), now + rules.every) if found is not None else (saving, None)


def _better(
    policy: Policy,
    record: RecordSpec,
    published: Mapping[str, int],
    rules: CostRules,
    spare: Mapping[str, float] | None,
) -> Saving | None:
    """Shares that cost so much less than those that are published that they are worth a move."""
    shares = merit_order(policy, record, spare)
    before, after = forecast(policy, published), forecast(policy, shares)
    if before is None or after is None or before.unpriced:
        return None
    spared = before.per_month - after.per_month
    if spared <= 0 or spared < max(before.per_month * rules.save / WHOLE, rules.at_least):
        return None
    step = max(abs(shares.get(name, 0) - published.get(name, 0)) for name in {*shares, *published})
    if step < policy.limits.min_step:
        return None
    return Saving(shares, _of_file(policy), before=before.per_month, after=after.per_month, moving=True)


def merit_order(policy: Policy, record: RecordSpec, spare: Mapping[str, float] | None = None) -> Mapping[str, int]:
    """The shares of a normal day that cost least; none where a price is missing, or not all of the demand fits."""
    kind = record.key.type
    may = allowed(policy, kind, Heeded(), 0.0).regions
    specs = [spec for spec in may if spec.answers(kind)]
    if record.single or not policy.demand or not specs:
        return {}
    first = tiers(policy, specs)[0]
    prices = {spec.name: price(policy, spec) for spec in first}
    known = sorted({each for each in prices.values() if each is not None})
    if None in prices.values():
        return {}
    rank = {name: known.index(each) for name, each in prices.items() if each is not None}
    ranked = [replace(spec, priority=rank[spec.name]) for spec in first]
    caps = {name: int(left * WHOLE / policy.demand) for name, left in (spare or {}).items()}
    found = allocate(policy, record, all_well(ranked), ranked, WHOLE, Bounds(caps))
    return _none_emptied(first, found.shares, prices) if found.fits else {}


def with_saved(specs: Iterable[RegionSpec], saving: Saving) -> tuple[RegionSpec, ...]:
    """The regions with the shares that were chosen."""
    return tuple(replace(spec, share=saving.shares.get(spec.name, spec.share)) for spec in specs)


def counts(saving: Saving, answering: Collection[str]) -> bool:
    """Whether all that it counts on answers, or may."""
    return bool(saving.shares) and all(name in answering for name in saving.shares)


def told_of(policy: Policy, saving: Saving) -> Reason:
    """Why the shares are not those of the file."""
    rules = policy.cost
    bounds = {"save": float(rules.save), "at_least": rules.at_least} if rules is not None else {}
    numbers = {"before": saving.before, "after": saving.after, "since": saving.at, **bounds}
    shares = {name: float(share) for name, share in saving.shares.items()}
    return Reason(ReasonCode.CHEAPER, "cost", numbers=numbers, shares=shares)


def _of_file(policy: Policy) -> Mapping[str, int]:
    """Among whom the file splits a normal day, and how."""
    return {spec.name: spec.share for spec in tiers(policy, policy.regions)[0]} if policy.regions else {}


def _stopped(policy: Policy, saving: Saving, published: Mapping[str, int]) -> Saving:
    """The same, where traffic that was on its way is by now."""
    if not saving.moving:
        return saving
    there = {name: published.get(name, 0) for name in saving.shares}
    if not all(there.values()):
        return Saving(at=saving.at)
    reached = forecast(policy, there)
    after = reached.per_month if reached is not None else saving.after
    return replace(saving, shares=there, after=after, moving=False)


def _none_emptied(
    first: Sequence[RegionSpec], shares: Mapping[str, int], prices: Mapping[str, float | None]
) -> Mapping[str, int]:
    """What a region keeps in any case is taken from the dearest that has enough."""
    found = {spec.name: shares.get(spec.name, 0) for spec in first}
    least = {spec.name: min(KEPT, spec.share) for spec in first}
    dearest = sorted(found, key=lambda name: (-(prices[name] or 0.0), name))
    for name, share in least.items():
        for giver in dearest:
            given = min(max(0, share - found[name]), max(0, found[giver] - least[giver]))
            found[giver] -= given
            found[name] += given
    return dict(sorted(found.items()))
