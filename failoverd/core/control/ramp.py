"""How far a region that comes back has come: by a checked ramp, one step after the other.

    step k of n gives it ramp[k] of the share that the allocation would give it
    next = max(since + max(step, judge), healthy since + judge)

A step counts from the moment at which it stands in the answer in full, not from that at which it was wanted: one that a
limit made smaller, or that a provider did not take, is waited for. `step: auto` is 3 x TTL, at least `judge` and a
minute, so that the traffic of the last step is there before it is judged.

Who fails on the ramp is out at once: that is failing out, and nothing here slows it. So is who turns DEGRADED under a
step, if the others can carry it: the step hurts. Its hold doubles each time, and after `retries` of them a person
brings it back. The last step is judged for an hour, or as long as the hold, and then all of that is forgotten; as it is
when a region was well for a day.

Where a policy says `degraded: out`, a region comes back by a ramp of one step, if by no other: an illness that comes
with the load would have it in and out for ever.

A ramp takes nothing away: what a region has it keeps, whatever its step says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.records import WHOLE, Policy, RampRules, RecordSpec, Weights, WhenDegraded

HOUR: Final = 3_600.0
"""Seconds for which the last step is judged, at least: an illness may take its time to come with the load."""

DAY: Final = 86_400.0
"""Seconds of being well after which nobody counts any more how often a region fell on its way back."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """Where a region is on its way back.

    Attributes:
        at: when it got to the foot of the ramp: it began, fell, or was taken out by a word.
        step: how many steps it was given; 0 while it is kept at the foot.
        since: since when the last of them stands in the answer in full; None while it does not.
        aborts: how often it fell on its way.
    """

    at: float
    step: int = 0
    since: float | None = None
    aborts: int = 0

    def foot(self, now: float) -> "Ramp":
        """Back at the foot, by nobody's fault."""
        return Ramp(now, aborts=self.aborts) if self.step else self

    def fallen(self, now: float) -> "Ramp":
        """It failed on its way."""
        return Ramp(now, aborts=self.aborts + 1)


Ramps = Mapping[str, Ramp]


def rules_of(policy: Policy, record: RecordSpec) -> RampRules | None:
    """The ramp by which regions come back to a record; None where nobody counts what becomes of them.

    Where any share above zero means in the answer, or a record holds one value at a time, a part cannot be said.
    """
    if policy.ramp is not None and policy.weights is Weights.NATIVE and not record.single:
        return policy.ramp
    return ONE_STEP if policy.degraded is WhenDegraded.OUT else None


ONE_STEP: Final = RampRules(steps=(WHOLE,))
"""Of who is in the answer or not, and whose falls are counted."""


def by_steps(rules: RampRules | None) -> bool:
    """Whether the policy itself asks for a ramp."""
    return rules is not None and rules is not ONE_STEP


def hurts(ramp: Ramp, health: RegionHealth) -> bool:
    """Whether a region turned DEGRADED under its step; or was put at the foot for that, and still is."""
    if health.state is not RegionState.DEGRADED:
        return False
    if not ramp.step:
        return ramp.aborts > 0 and health.since <= ramp.at
    return health.since > (ramp.since if ramp.since is not None else ramp.at)


def given_up(rules: RampRules | None, ramp: Ramp | None) -> bool:
    """Whether it fell so often that a person has to bring it back."""
    return rules is not None and ramp is not None and not ramp.step and ramp.aborts >= rules.retries


def hold(after: float, rules: RampRules | None, ramp: Ramp | None) -> float:
    """Seconds that it has to be well before its first step: twice as many after each fall on the ramp."""
    return after * 2**ramp.aborts if rules is not None and ramp is not None else after


def due(rules: RampRules, ramp: Ramp, health: RegionHealth, ttl: int) -> float | None:
    """When the next step may be taken; None while the last one does not stand, or the region is not HEALTHY."""
    if ramp.since is None or ramp.step >= len(rules.steps) or health.state is not RegionState.HEALTHY:
        return None
    return max(ramp.since + rules.pause(ttl), health.since + rules.judge)


def joined(rules: RampRules, ramp: Ramp, has: int, of: int) -> Ramp:
    """The first step of who comes back, or as many as what it has is already."""
    done = sum(1 for part in rules.steps if part * of <= has * WHOLE)
    return replace(ramp, step=max(1, done), since=None)


def arrived(rules: RampRules, ramp: Ramp) -> Ramp:
    """At the last step, without those before it."""
    last = len(rules.steps)
    return ramp if ramp.step >= last else Ramp(ramp.at, last, aborts=ramp.aborts)


def allowed(rules: RampRules, ramp: Ramp, has: int, of: int) -> int:
    """What it may get of the share `of` that it would have, in basis points: never less than it has, or nothing."""
    part = rules.steps[min(ramp.step, len(rules.steps)) - 1]
    return max(1, has, part * of // WHOLE)


def reached(ramps: Ramps, now: float) -> Ramps:
    """What is wanted stands in the answer: each step counts from now."""
    return {name: replace(each, since=now) if stepping(each) else each for name, each in ramps.items()}


def taken_up(ramps: Ramps, others: Ramps) -> Ramps:
    """With the steps that somebody else gave, in a plan that was applied beside who remembers these."""
    further = {name: each for name, each in others.items() if each.step > (ramps[name].step if name in ramps else 0)}
    return {**ramps, **further} if further else ramps


def judged_now(regions: Mapping[str, RegionHealth], ramps: Ramps) -> Mapping[str, RegionHealth]:
    """The regions, where nobody has watched them since their last step, and a person judges them by how they are now.

    Seen once, a region is HEALTHY since that look. So none would ever be so for as long as a step is judged.
    """
    stood = {name: each.since for name, each in ramps.items() if each.since is not None}
    return {
        name: replace(each, since=min(each.since, stood[name]))
        if name in stood and each.state is RegionState.HEALTHY
        else each
        for name, each in regions.items()
    }


def stepping(ramp: Ramp) -> bool:
    """Whether its last step does not stand in the answer yet."""
    return ramp.step > 0 and ramp.since is None


def over(policy: Policy, rules: RampRules, ramp: Ramp, health: RegionHealth, ttl: int, now: float) -> bool:
    """Whether all of it is forgotten: the last step held, or the region was well for a day."""
    if ramp.step >= len(rules.steps):
        lasts = max(policy.failback_after or 0.0, rules.pause(ttl), HOUR)
        return ramp.since is not None and ramp.since + lasts <= now
    calm = health.state is RegionState.HEALTHY and max(ramp.at, health.since) + DAY <= now
    return calm and ramp.aborts > 0 and not ramp.step and not given_up(rules, ramp)


def not_later(ramps: Ramps, now: float) -> Ramps:
    """The same after the clock was put back: what is dated in the future is as of now."""
    return {
        name: replace(each, at=min(each.at, now), since=min(each.since, now) if each.since is not None else None)
        for name, each in ramps.items()
    }
