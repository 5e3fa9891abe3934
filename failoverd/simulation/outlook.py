"""What policies come to, on paper: on a good day, and once a region or a whole cloud is lost and all is done about it.

Whoever shares regions is decided together. The loss is one moment after a good day, nobody says anything, and then
`SETTLED` pass: what stands there by then is what clients get.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from failoverd.core.control.cost import forecast
from failoverd.core.health.region import RegionState
from failoverd.core.records import WHOLE, Policy, Target
from failoverd.core.rules import Rule
from failoverd.simulation.promises import Broken, Promise, at_once, settled
from failoverd.simulation.rehearsal import NOON
from failoverd.simulation.situations import together
from failoverd.simulation.worksheet import Endless, Worksheet

SETTLED: Final = 600.0
"""Seconds after a loss at which is looked what stands there."""

GOOD_DAY: Final = ""
"""The name of the loss of nothing."""

_NOISE: Final = 1.001
"""Times a room: shares are whole basis points."""


@dataclass(frozen=True, slots=True)
class Stands:
    """What stands at a record.

    Attributes:
        shares: in basis points, by region.
        dead: how much of that goes to regions that are down.
        cost: of that in USD an hour by list prices; None where not all of it is known.
    """

    shares: Mapping[str, int]
    dead: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Overload:
    """A region that is sent more than it can carry: `load` and `room` in the unit of its capacity."""

    region: str
    load: float
    room: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What came of each loss, by its name; `GOOD_DAY` is that of nothing.

    Attributes:
        stands: what stands at each record.
        overloads: regions that have too much, over all policies.
        broken: promises that are not kept (`simulation.promises`), each once by policy.
    """

    stands: Mapping[str, Mapping[Target, Stands]] = field(default_factory=dict)
    overloads: Mapping[str, Mapping[str, Overload]] = field(default_factory=dict)
    broken: Mapping[str, tuple[Broken, ...]] = field(default_factory=dict)


def losses_of(policies: Iterable[Policy]) -> Mapping[str, frozenset[str]]:
    """What may be lost at once, by how it is called: each region, and each cloud that has several."""
    clouds = {spec.name: spec.cloud for policy in policies for spec in policy.regions}
    found = {name: frozenset({name}) for name in sorted(clouds)}
    for cloud in sorted(set(clouds.values()) - {""}):
        mine = frozenset(name for name, of in clouds.items() if of == cloud)
        found |= {f"cloud {cloud}": mine} if len(mine) > 1 else {}
    return found


def number_of_plays(policies: Mapping[str, Policy], among: Collection[str]) -> int:
    """Losses that `outlook` plays, good days included."""
    return sum(len(losses_of(group.values())) + 1 for group in _groups(policies, among))


def outlook(
    policies: Mapping[str, Policy],
    rules: tuple[Rule, ...],
    among: Collection[str],
    tell: Callable[[], None] = lambda: None,
) -> Outlook:
    """What comes to the policies `among` these, and to whoever is decided together with them.

    `tell` is called after each loss that was played.
    """
    stands: dict[str, dict[Target, Stands]] = defaultdict(dict)
    overloads: dict[str, dict[str, Overload]] = defaultdict(dict)
    broken: dict[str, list[Broken]] = defaultdict(list)
    for group in _groups(policies, among):
        sheet = _good_day(group, rules)
        begin = sheet.sheet
        for name, lost in {GOOD_DAY: frozenset[str](), **losses_of(group.values())}.items():
            sheet.back_to(begin)
            broken[name] += _played(sheet, lost)
            stands[name] |= {target: _stands(sheet, target, lost) for target in sheet.observed}
            overloads[name] |= {each.region: each for each in _overloads(sheet, lost)}
            tell()
    return Outlook(stands, overloads, {name: tuple(each) for name, each in broken.items() if each})


def _groups(policies: Mapping[str, Policy], among: Collection[str]) -> list[Mapping[str, Policy]]:
    return [group for group in together(policies) if not group.keys().isdisjoint(among)]


def _good_day(policies: Mapping[str, Policy], rules: tuple[Rule, ...]) -> Worksheet:
    """After a day on which all was well: what follows the price has come to rest, too."""
    sheet = Worksheet(policies, NOON - 86_400.0, rules)
    sheet.passes(86_400.0)
    sheet.look()
    return sheet


def _played(sheet: Worksheet, lost: Collection[str]) -> list[Broken]:
    """These regions are lost; and what is not kept of what was promised, each once by policy."""
    found: dict[object, Broken] = {}
    try:
        for name in sorted(lost):
            sheet.turn(name, RegionState.DOWN)
        sheet.look()
        at_first = list(at_once(sheet))
        sheet.passes(SETTLED)
        for each in (*at_first, *at_once(sheet), *settled(sheet)):
            found.setdefault((each.promise, each.target.policy), each)
    except Endless as error:
        target, outcome = next(iter(sheet.outcomes.items()))
        return [Broken(Promise.CONVERGENCE, target, str(error), outcome)]
    return list(found.values())


def _stands(sheet: Worksheet, target: Target, lost: Collection[str]) -> Stands:
    shares = {name: share for name, share in sheet.shares(target).items() if share}
    priced = forecast(sheet.policies[target.policy], shares)
    cost = round(priced.per_hour, 2) if priced is not None and not priced.unpriced else None
    return Stands(shares, sum(share for name, share in shares.items() if name in lost), cost)


def _overloads(sheet: Worksheet, lost: Collection[str]) -> Iterable[Overload]:
    """Regions that serve and have more than capacity x headroom; by the first record of each policy, as all claims."""
    loads: dict[str, float] = defaultdict(float)
    rooms: dict[str, float] = {}
    for policy in sheet.policies.values():
        rooms |= {spec.name: spec.planned_with for spec in policy.regions if spec.planned_with is not None}
        for name, share in sheet.shares(policy.targets[0]).items():
            loads[name] += (policy.demand or 0.0) * share / WHOLE
    for name, room in sorted(rooms.items()):
        if name not in lost and loads[name] > room * _NOISE:
            yield Overload(name, loads[name], room)
