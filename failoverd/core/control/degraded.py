"""What becomes of a DEGRADED region where a policy says `degraded: out`: it leaves the answer, if the others have room.

Where a provider has weights, a region that is DEGRADED gets less, as its score says. Where it is in the answer or not,
or a record holds one answer at a time, nothing is in between. So a policy may say that it is to be out.

Without traffic a region gets well soon, and would come back as soon, only to be DEGRADED again. So it has to have been
HEALTHY for as long as a region that was down: `failback.after`, and twice as long each time it was DEGRADED again
within an hour. After `failback.retries` of that a person brings it back. Where a person brings all of them back, that
is for those that were down: here it is tried after five minutes.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from failoverd.core.control import ramp
from failoverd.core.control.decision import View
from failoverd.core.control.distance import Leaving
from failoverd.core.health.region import RegionState
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Policy, RampRules, RegionSpec, WhenDegraded

MANUAL: Final = 300.0
"""Seconds of being HEALTHY before it is tried again where a person brings back those that were down."""


def unwell(
    policy: Policy,
    specs: Sequence[RegionSpec],
    view: View,
    published: Mapping[str, int],
    now: float,
    rules: RampRules | None = None,
) -> tuple[Leaving, ...]:
    """The regions of `specs` that are DEGRADED, or were until lately, the worst first."""
    if policy.degraded is not WhenDegraded.OUT:
        return ()
    found = [each for spec in specs if (each := _leaving(policy, spec.name, view, published, now, rules)) is not None]
    return tuple(sorted(found, key=lambda each: (view.regions[each.name].score, each.name)))


def _leaving(
    policy: Policy, name: str, view: View, published: Mapping[str, int], now: float, rules: RampRules | None
) -> Leaving | None:
    health, known = view.regions[name], view.ramps.get(name)
    hold = ramp.hold(policy.failback_after if policy.failback_after is not None else MANUAL, rules, known)
    score = {"score": float(health.score)}
    kept = Reason(ReasonCode.DEGRADED_KEPT, "degraded", name, numbers=score)
    if health.state is RegionState.DEGRADED:
        return Leaving(name, Reason(ReasonCode.DEGRADED_OUT, "degraded", name, numbers=score), kept)
    well, out = now - health.since, view.aside.get(name) is ReasonCode.DEGRADED_OUT and not published.get(name)
    if not out or name in view.returning:
        return None
    if known is not None and ramp.given_up(rules, known):
        given_up = Reason(
            ReasonCode.FAILBACK_GIVEN_UP, "failback.retries", name, numbers={"aborts": float(known.aborts)}
        )
        return Leaving(name, given_up, kept)
    if well >= hold:
        return None
    numbers = {"well": max(0.0, well), "hold": hold}
    reason = Reason(ReasonCode.FAILBACK_HOLD, "failback.after", name, numbers=numbers)
    return Leaving(name, reason, kept, until=health.since + hold)
