"""What regions carry over all policies, and what of a demand fits nowhere: read from where records stand.

Nothing is decided here anew. All numbers are in the unit of the demands and capacities.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import fsum
from typing import Final

from failoverd.core.reasons import ReasonCode
from failoverd.core.records import WHOLE
from failoverd.core.status import TargetStatus


@dataclass(frozen=True, slots=True)
class RegionLoad:
    """One region, over all policies.

    Attributes:
        load: what is published there; None while nobody says what it needs.
        target: what is wanted there, like the load.
        demand: what would be there on a normal day, like the load.
        capacity: how much of it is planned with; None where that is not known.
        short: of how much each policy is short that is sent there all the same.
    """

    load: float | None = None
    target: float | None = None
    demand: float | None = None
    capacity: float | None = None
    short: Mapping[str, float] = field(default_factory=dict)


NO_LOAD: Final = RegionLoad()


def speaking(targets: Iterable[TargetStatus]) -> dict[str, TargetStatus]:
    """By policy the one record that says it: its traffic is the same behind all of them."""
    found: dict[str, TargetStatus] = {}
    for status in targets:
        if status.seen is not None or status.published:
            found.setdefault(status.target.policy, status)
    return found


def loads(targets: Iterable[TargetStatus]) -> dict[str, RegionLoad]:
    """By region."""
    found: dict[str, RegionLoad] = {}
    for name, status in speaking(targets).items():
        for region, capacity in status.capacities.items():
            was = found.get(region, NO_LOAD)
            known = replace(was, capacity=min(capacity, was.capacity or capacity))
            found[region] = _more(known, 0.0, 0.0, 0.0)
        if status.demand is None:
            continue
        published, normal = status.published, status.normal
        wanted = status.wanted or published
        for region in (*published, *(name for name in {**wanted, **normal} if name not in published)):
            parts = (shares.get(region, 0) * status.demand / WHOLE for shares in (published, wanted, normal))
            found[region] = _more(found.get(region, NO_LOAD), *parts)
        for region, short in excess(status).items():
            was = found.get(region, NO_LOAD)
            found[region] = replace(was, short={**was.short, name: short})
    return found


def _more(known: RegionLoad, load: float, target: float, demand: float) -> RegionLoad:
    """With so much more of each."""
    return replace(
        known,
        load=(known.load or 0.0) + load,
        target=(known.target or 0.0) + target,
        demand=(known.demand or 0.0) + demand,
    )


def excess(status: TargetStatus) -> Mapping[str, float]:
    """By region: what of the demand fits nowhere, and is sent there all the same."""
    found: dict[str, float] = {}
    for reason in status.reasons if status.demand is not None else ():
        rest = (status.demand or 0.0) * reason.numbers.get("rest", 0.0) / WHOLE
        if reason.code is ReasonCode.EXCESS:
            found[reason.region] = rest
        elif reason.code is ReasonCode.OVERLOAD and (whole := fsum(reason.shares.values())):
            found |= {name: rest * share / whole for name, share in reason.shares.items() if share}
    return found


def shed(status: TargetStatus) -> float | None:
    """What of the demand goes to the policy's named place, for it fits nowhere; None where nothing does."""
    told = (reason for reason in status.reasons if reason.code is ReasonCode.SHED_TO and status.demand is not None)
    return next((reason.numbers["short"] for reason in told), None)
