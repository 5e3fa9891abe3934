"""What becomes of a DEGRADED region where a policy says `degraded: out`: it leaves the answer, if the others have room.

Where a provider has weights, a region that is DEGRADED gets less, as its score says. Where it is in the answer or not,
or a record holds one answer at a time, nothing is in between. So a policy may say that it is to be out.

Without traffic a region gets well soon, and would come back as soon, only to be DEGRADED again. So it has to have been
HEALTHY for as long as a region that was down: `failback.after`. Where a person brings regions back, that is for those
that were down: nobody is waited for here.
"""

from collections.abc import Mapping, Sequence

from failoverd.core.control.decision import View
from failoverd.core.control.distance import Leaving
from failoverd.core.health.region import RegionState
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Policy, RegionSpec, WhenDegraded


def unwell(
    policy: Policy, specs: Sequence[RegionSpec], view: View, published: Mapping[str, int], now: float
) -> tuple[Leaving, ...]:
    """The regions of `specs` that are DEGRADED, or were until lately, the worst first."""
    if policy.degraded is not WhenDegraded.OUT:
        return ()
    found = [each for spec in specs if (each := _leaving(policy, spec.name, view, published, now)) is not None]
    return tuple(sorted(found, key=lambda each: (view.regions[each.name].score, each.name)))


def _leaving(policy: Policy, name: str, view: View, published: Mapping[str, int], now: float) -> Leaving | None:
    health, hold = view.regions[name], policy.failback_after or 0.0
    score = {"score": float(health.score)}
    kept = Reason(ReasonCode.DEGRADED_KEPT, "degraded", name, numbers=score)
    if health.state is RegionState.DEGRADED:
        return Leaving(name, Reason(ReasonCode.DEGRADED_OUT, "degraded", name, numbers=score), kept)
    well = now - health.since
    if view.aside.get(name) is not ReasonCode.DEGRADED_OUT or published.get(name) or well >= hold:
        return None
    numbers = {"well": max(0.0, well), "hold": hold}
    reason = Reason(ReasonCode.FAILBACK_HOLD, "failback.after", name, numbers=numbers)
    return Leaving(name, reason, kept, until=health.since + hold)
