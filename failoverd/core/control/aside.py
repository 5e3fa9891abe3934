"""Regions that serve and are left out all the same, because the others do better: DEGRADED, or too far away.

This never costs service. They are left out only while

- everything fits into what the others can carry, and no region that waits for its failback has to be let in for it;
  who is let in anyway, because all that serve can carry too little, is not let in for it;
- it takes nothing that anybody else uses or lacks, counted over all policies that share the regions;
- what they can carry is known, or (of what is DEGRADED) every other region is HEALTHY;
- at least `limits.min_regions` are left in the answer.

If that is not so for all of them, it is tried without the mildest, and so on. It is tuning: it meets the rates, and
waits as such. Those who were left out come back without a hold of their own, for they were never down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from failoverd.core.control import ramp
from failoverd.core.control.allocation import Allocation, room
from failoverd.core.control.decision import View, soonest
from failoverd.core.control.degraded import unwell
from failoverd.core.control.distance import Leaving, too_far
from failoverd.core.control.eligible import Eligible
from failoverd.core.control.failback import with_failback
from failoverd.core.control.overriding import Heeded
from failoverd.core.control.ramp import Ramps
from failoverd.core.control.sharing import Grant
from failoverd.core.health.region import RegionState
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, Policy, RecordSpec, RegionSpec

ASIDE = frozenset({ReasonCode.TOO_FAR, ReasonCode.DEGRADED_OUT})
"""Why a region that serves is left out."""


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The allocation among those that are left, until when it holds at most, who was left out, and who is on a ramp."""

    shared: Allocation
    until: float | None = None
    out: tuple[Leaving, ...] = ()
    ramps: Ramps = field(default_factory=dict)

    @property
    def far(self) -> frozenset[str]:
        """Those that are left out on a day on which nothing is wrong."""
        return frozenset(each.name for each in self.out if each.reason.code is ReasonCode.TOO_FAR)


def narrowed(  # noqa: PLR0913, PLR0917 - all that an allocation is made of
    policy: Policy,
    record: RecordSpec,
    view: View,
    published: Mapping[str, int],
    specs: Sequence[RegionSpec],
    found: Eligible,
    heeded: Heeded,
    now: float,
    grant: Grant | None = None,
    spare: Mapping[str, float] | None = None,
) -> Narrowed:
    """Allocate among those who may answer, without those that had better be left out.

    `specs` are all that no word keeps out, and `found` those of them that may answer. `spare` is what the policy may
    take of each region without anybody having less; None where nobody shares them.
    """
    back = with_failback(policy, record, view, published, found, heeded, now, grant)
    shared = back.shared
    far = too_far(policy, found.serving, view, published, now)
    rules = ramp.rules_of(policy, record)
    leaving = (*far.leaving, *unwell(policy, found.serving, view, published, now, rules))
    matters = {name for name, share in (*shared.shares.items(), *published.items()) if share}
    leaving = tuple(each for each in leaving if each.name in matters or each.name in view.aside)
    speaks: dict[str, str] = {}
    for most in range(len(leaving), 0, -1):
        out = leaving[:most]
        gone = {each.name for each in out}
        left = replace(found, serving=tuple(spec for spec in found.serving if spec.name not in gone))
        trial = with_failback(policy, record, view, published, left, heeded, now, grant)
        why = _against(policy, record, view, specs, left, shared, trial.shared, out, spare)
        if not why:
            ends = soonest(trial.until, far.until, *(each.until for each in leaving))
            return Narrowed(_told(trial.shared, out, leaving[most:], speaks), ends, out, trial.ramps)
        speaks[leaving[most - 1].name] = why
    until = soonest(back.until, far.until, *(each.until for each in leaving))
    return Narrowed(_told(shared, (), leaving, speaks), until, ramps=back.ramps)


def _told(shared: Allocation, out: Sequence[Leaving], kept: Sequence[Leaving], speaks: Mapping[str, str]) -> Allocation:
    if not (out or kept):
        return shared
    told = [each.reason for each in out]
    told += [replace(each.kept, rule=speaks[each.name]) for each in kept]
    return replace(shared, reasons=(*told, *shared.reasons))


def _against(  # noqa: PLR0913, PLR0917 - all that may speak against it
    policy: Policy,
    record: RecordSpec,
    view: View,
    specs: Sequence[RegionSpec],
    left: Eligible,
    whole: Allocation,
    trial: Allocation,
    out: Sequence[Leaving],
    spare: Mapping[str, float] | None,
) -> str:
    """What speaks against an answer without those who are out, as a key of the files; "" if nothing does."""
    gone = {each.name for each in out}
    carrying = [spec for spec in left.serving if trial.shares.get(spec.name)]
    if not carrying:
        return "regions"
    if len({*trial.shares, *left.frozen}) < policy.limits.min_regions:
        return "limits.min_regions"
    waived = _let_in(trial) - _let_in(whole)
    joined = any(each.in_tier for each in out) and not trial.shares.keys() <= whole.shares.keys()
    if not trial.fits or waived or joined or (record.single and not _holds_one(policy, view, carrying, trial)):
        return "demand"
    if spare is not None and not _spared(policy, trial, spare):
        return "demand"
    known = bool(policy.demand) and all(spec.capacity is not None for spec in carrying)
    well = all(
        view.regions[spec.name].state is RegionState.HEALTHY for spec in specs if spec.name not in gone
    ) and not any(each.measured for each in out)
    return "" if known or well else "capacity"


def _let_in(shared: Allocation) -> frozenset[str]:
    """Who waits for its failback, or a step of it, and is let in all the same: nobody else can carry the traffic."""
    return frozenset(
        name for reason in shared.reasons if reason.code is ReasonCode.FAILBACK_WAIVED for name in reason.regions
    )


def _spared(policy: Policy, trial: Allocation, spare: Mapping[str, float]) -> bool:
    """Whether nobody else has less by it. A share is a whole number of basis points, which is all that may be over."""
    unit = (policy.demand or 0.0) / WHOLE
    return all((trial.shares.get(name, 0) - 1) * unit <= most for name, most in spare.items())


def _holds_one(policy: Policy, view: View, carrying: Sequence[RegionSpec], trial: Allocation) -> bool:
    """Whether who answers a record that holds one value can carry it: nobody asked that, for it cannot be split."""
    return all(trial.shares[spec.name] <= room(policy, spec, view.regions[spec.name]) for spec in carrying)


def remembered(
    before: Mapping[str, ReasonCode], reasons: Sequence[Reason], view: View, published: Mapping[str, int]
) -> Mapping[str, ReasonCode]:
    """Who is left out now, or was and is not back: until it is published, or down, which is another matter."""
    now = {reason.region: reason.code for reason in reasons if reason.code in ASIDE}

    def stays(name: str) -> bool:
        health = view.regions.get(name)
        return health is not None and health.state is not RegionState.DOWN and not published.get(name)

    return now | {name: code for name, code in before.items() if name not in now and stays(name)}
