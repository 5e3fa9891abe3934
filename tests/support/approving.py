"""Approvals for tests of what comes after one: the limits themselves make them, with nothing in the way."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypedDict, Unpack

from failoverd.core.control import limits as limiting
from failoverd.core.control.limits import Approved, Held, PastChange, Skipped, Step, pace
from failoverd.core.control.plan import Plan
from failoverd.core.health.region import RegionHealth
from failoverd.core.reasons import Cause
from failoverd.core.records import Limits, Ration


class RationSaid(TypedDict, total=False):
    max_shift: int
    shift_window: float
    max_changes: int
    changes_window: float


def limits(min_regions: int = 1, *, min_step: int = 500, **ration: Unpack[RationSaid]) -> Limits:
    """The same ration for tuning and for returning."""
    both = Ration(**ration)
    return Limits(min_regions=min_regions, tuning=both, returning=both, min_step=min_step)


def reviewed(
    plan: Plan,
    bounds: Limits | None = None,
    history: Sequence[PastChange] = (),
    now: float = 0.0,
    *,
    regions: Mapping[str, RegionHealth] | None = None,
) -> Approved | Held | Skipped:
    """What the limits make of a plan, when it can be made no smaller."""
    step = Step(
        plan=plan,
        regions=regions or {},
        region_of={},
        limits=bounds or Limits(),
        history=history,
        edited=False,
        ttl=30,
        normal={},
        now=now,
    )
    return pace(step, lambda *_: None).result


def approved(plan: Plan, cause: Cause = Cause.FAILING_OUT) -> Approved:
    """The plan, approved as what moves traffic off a failed region, unless it is said otherwise."""
    found = reviewed(plan, Limits(min_regions=0, min_step=0))
    assert isinstance(found, Approved), found
    return Approved(replace(found.plan, cause=cause), found.checks, seal=limiting._SEAL)
