"""Whether the regions can carry all policies together: on a normal day, and when a region, or a cloud, is lost.

One policy alone is held against its own regions in `numbers.py`. Here all of those are summed up that share them. How
many there are, a few lines say it: the worst is named, and how many more there are.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from failoverd.config.diagnostics import Code, Diagnostic, Severity
from failoverd.config.inventory import Inventory
from failoverd.core.control.capacity import Day, Shortage, clouds_of, day, losses, usual_claims
from failoverd.core.control.practice import Survival, survival
from failoverd.core.control.sharing import Claim
from failoverd.core.records import Policy, tier_name

_NAMED = 3
"""Policies that are named in one line."""

_MOST = 20
"""Lines about losses."""


def crowded(policies: Mapping[str, Policy], inventory: Inventory) -> tuple[Diagnostic, ...]:
    """What a capacity review would ask about."""
    mine = [policy for policy in policies.values() if any(spec.capacity for spec in policy.regions)]
    return (*_uncounted(mine, inventory), *_mixed(mine, inventory), *_short(mine, inventory))


def _short(policies: Sequence[Policy], inventory: Inventory) -> Iterator[Diagnostic]:
    claims, document = usual_claims(policies), inventory.document
    if not claims:
        return
    normal = day(claims)
    if not normal.short:
        yield from _unpractised(policies, claims, inventory)
    if normal.short:
        message = f"on a normal day the regions cannot carry all policies together: {_told(normal)}"
        yield document.diagnose(
            Code.ESTATE_SHORT, ("regions",), message, _remedy(normal), key=True, severity=Severity.WARNING
        )
        return  # what is short on a normal day is short of more on every other
    alone = {policy.name: {spec.name for spec in policy.regions} for policy in policies}
    found = []
    for name, lost in losses(clouds_of(policies)).items():
        bad = day(claims, lost)
        left = tuple(each for each in bad.short if alone[each.policy] - lost)  # who has no other region is told of that
        if left:
            found.append((name, lost, Day(lost, bad.loads, bad.rooms, left)))
    found.sort(key=lambda each: (min(one.tier for one in each[2].short), -sum(one.short for one in each[2].short)))
    for name, lost, bad in found[:_MOST]:
        message = f"losing {name} leaves too little for all policies together: {_told(bad)}"
        place = ("regions", min(lost))
        yield document.diagnose(Code.LOSS_SHORT, place, message, _remedy(bad), key=True, severity=Severity.WARNING)
    if len(found) > _MOST:
        message = f"so does the loss of {len(found) - _MOST} more regions or clouds"
        hint = "failoverctl inventory shows all of them"
        yield document.diagnose(Code.LOSS_SHORT, ("regions",), message, hint, key=True, severity=Severity.WARNING)


def _unpractised(policies: Sequence[Policy], claims: Sequence[Claim], inventory: Inventory) -> Iterator[Diagnostic]:
    """Drills that could never begin, because the other regions cannot carry everybody with something to spare."""
    planned = [(policy.practice, [policy]) for policy in policies if policy.practice is not None]
    planned += [(inventory.practice, [*policies])] if inventory.practice is not None else []
    for practice, about in planned:
        found = ((region, _survival(region, about, claims)) for region in practice.regions)
        never = {region: left for region, left in found if left is not None and not left.enough}
        if not never:
            continue
        first = next(iter(never))
        of = f"policy {about[0].name}" if practice is not inventory.practice else "the inventory"
        message = f"drills of {', '.join(never)} that {of} plans would not begin: without {first} {never[first].told}"
        hint = "raise a capacity, lower a demand, or practise another region"
        place = ("regions", first)
        yield inventory.document.diagnose(
            Code.PRACTICE_UNBEARABLE, place, message, hint, key=True, severity=Severity.WARNING
        )


def _survival(region: str, about: Sequence[Policy], claims: Sequence[Claim]) -> Survival | None:
    """What becomes of all policies in a drill of a region; None where one of them is told of it for itself alone."""
    lost = frozenset({region})
    concerned = {policy.name: lost for policy in about if any(spec.name == region for spec in policy.regions)}
    if any(day([claim], lost).short for claim in claims if claim.policy in concerned):
        return None
    return survival(claims, concerned)


def _told(found: Day) -> str:
    """`tier dev is short of 200: dev 200, all of it sent to aws-use1`."""
    tiers: defaultdict[int, list[Shortage]] = defaultdict(list)
    for each in found.short:
        tiers[each.tier].append(each)
    said = []
    for tier in sorted(tiers):
        some = tiers[tier]
        names = ", ".join(f"{each.policy} {each.short:.6g}{_goes(each)}" for each in some[:_NAMED])
        more = f" and {len(some) - _NAMED} more" if len(some) > _NAMED else ""
        said.append(f"tier {tier_name(tier)} is short of {sum(each.short for each in some):.6g} ({names}{more})")
    return "; ".join(said)


def _goes(each: Shortage) -> str:
    if each.placed:
        return " to its place"
    return f" on top of {each.excess_on}" if each.excess_on else ""


def _remedy(found: Day) -> str:
    if all(each.placed for each in found.short):
        return "raise a capacity, or lower a demand"
    return "raise a capacity, lower a demand, or name a place for what does not fit (shed_to) in the lowest tier"


def _uncounted(policies: Sequence[Policy], inventory: Inventory) -> Iterator[Diagnostic]:
    """Policies that take of regions that others count on, and say nowhere how much."""
    counted: dict[str, str] = {}
    for policy in policies:
        if policy.demand:
            for spec in policy.regions:
                counted.setdefault(spec.name, policy.name)
    silent = [
        (policy, shared)
        for policy in policies
        if not policy.demand and (shared := [spec.name for spec in policy.regions if spec.name in counted])
    ]
    if not silent:
        return
    policy, shared = silent[0]
    names = ", ".join(each.name for each, _ in silent[:_NAMED])
    more = f" and {len(silent) - _NAMED} more" if len(silent) > _NAMED else ""
    says, whose = ("has", "its") if len(silent) == 1 else ("have", "their")
    message = (
        f"{names}{more} {says} no demand: {whose} traffic is not counted in the load of {shared[0]}, and "
        f"{counted[shared[0]]} counts on that room"
    )
    hint = f"say the demand in {policy.source.file}"
    place = ("regions", shared[0])
    yield inventory.document.diagnose(Code.UNCOUNTED, place, message, hint, key=True, severity=Severity.WARNING)


def _mixed(policies: Sequence[Policy], inventory: Inventory) -> Iterator[Diagnostic]:
    """The first region that policies count in different units, and does not say in which it is counted."""
    counted: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for policy in policies:
        for spec in policy.regions if policy.demand and policy.unit else ():
            if spec.capacity is not None and not spec.unit:
                counted[spec.name].setdefault(policy.unit, policy.name)
    mixed = {name: by for name, by in counted.items() if len(by) > 1}
    if not mixed:
        return
    name = min(mixed)
    who = " and ".join(f"{policy} in {unit}" for unit, policy in list(mixed[name].items())[:2])
    more = f", nor do {len(mixed) - 1} more" if len(mixed) > 1 else ""
    message = f"{who} count what goes to {name}, which says no unit{more}: they are added up all the same"
    hint = f"write the unit of its capacity at {name}, and state the demands in it"
    yield inventory.document.diagnose(
        Code.UNIT_UNSAID, ("regions", name), message, hint, key=True, severity=Severity.WARNING
    )
