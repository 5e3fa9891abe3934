"""When a region that was withdrawn comes back, and by which steps.

After it has been well for `failback.after`, or when a person brings it back; then by the ramp, if there is one
(`ramp.py`). This never costs service: if the other regions cannot carry the traffic, it is let in at once, and in full.
Nor does a fall of all regions together: it was no region's own fault, so who was withdrawn in it comes back without a
hold, and in one step. What all of them carried is too much for those who are back first, so each step of a ramp would
keep them overloaded.

A step is as large as the assertions of the installation count (`View.counted`). A smaller one would be held for good
where the region that is to leave for it is one of those that an assertion asks for.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from failoverd.core.control import practice, ramp
from failoverd.core.control.allocation import Allocation, Bounds, allocate
from failoverd.core.control.decision import View, soonest
from failoverd.core.control.eligible import Eligible
from failoverd.core.control.overriding import Heeded
from failoverd.core.control.ramp import Ramp, Ramps
from failoverd.core.control.sharing import Grant
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import ELSEWHERE, WHOLE, Policy, RampRules, RecordSpec, RegionSpec


@dataclass(frozen=True, slots=True)
class _Held:
    reason: Reason
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Back:
    """Who gets how much, with those that come back.

    Attributes:
        shared: the shares.
        until: the first moment at which a hold ends that makes a difference, or a step is due.
        ramps: how far those that come back are to have come.
    """

    shared: Allocation
    until: float | None
    ramps: Ramps


@dataclass(frozen=True, slots=True)
class _Climb:
    """The ramps as they are to be, and what regions may get by them."""

    ramps: dict[str, Ramp]
    caps: dict[str, int] = field(default_factory=dict)
    told: dict[str, Reason] = field(default_factory=dict)
    until: float | None = None


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the shares depend on, whoever comes back. `rules` are those of the ramp.

    `unmeasured` is the most that regions get whose figures are lost: what they have.
    """

    policy: Policy
    record: RecordSpec
    rules: RampRules | None
    view: View
    published: Mapping[str, int]
    found: Eligible
    heeded: Heeded
    now: float
    grant: Grant | None
    unmeasured: Mapping[str, int] = field(default_factory=dict)

    def share_out(self, specs: Sequence[RegionSpec], climb: _Climb | None = None) -> Allocation:
        """Allocate what no frozen region keeps."""
        capped = {name: self.published.get(name, 0) for name in self.found.capped}
        limits = {**self.unmeasured, **capped}
        lost = {name: Reason(ReasonCode.UNMEASURED, "signals", name) for name in self.unmeasured if name not in capped}
        caps, told = limits, lost
        if climb is not None:
            caps = limits | {name: min(cap, limits.get(name, WHOLE)) for name, cap in climb.caps.items()}
            told = lost | {name: reason for name, reason in climb.told.items() if caps[name] == climb.caps[name]}
        budget = WHOLE - sum(self.found.frozen.values())
        bounds = Bounds(caps, self.heeded.shed, told, self.grant)
        return allocate(self.policy, self.record, self.view.regions, specs, budget, bounds)

    @property
    def recalled(self) -> frozenset[str]:
        return recalled(self.view, self.heeded)


def with_failback(
    policy: Policy,
    record: RecordSpec,
    view: View,
    published: Mapping[str, int],
    found: Eligible,
    heeded: Heeded,
    now: float,
    grant: Grant | None = None,
) -> Back:
    """Allocate what no frozen region keeps, leaving withdrawn regions out while their hold lasts.

    A region whose figures are lost gets no more than it has; but it does where the others cannot carry the rest, or
    would need somebody for it who waits.
    """
    rules = ramp.rules_of(policy, record)
    ground = _Ground(policy, record, rules, view, published, found, heeded, now, grant)
    unmeasured = {name: published.get(name, 0) for name in view.unmeasured if published.get(name)}
    if unmeasured:
        kept = _back(replace(ground, unmeasured=unmeasured))
        if kept.shared.fits and not any(each.code in _YIELDS for each in kept.shared.reasons):
            return kept
    return _back(ground)


_YIELDS: Final = frozenset({ReasonCode.FAILBACK_WAIVED, ReasonCode.PRACTICE_YIELDS})


def _back(ground: _Ground) -> Back:
    serving = ground.found.serving
    held = held_back(ground.policy, ground.rules, ground.view, ground.published, serving, ground.heeded, ground.now)
    others = tuple(spec for spec in serving if spec.name not in held)
    whole = ground.share_out(others or serving)
    if held and not (others and whole.fits):
        return _needed(ground, held)
    shared, climb = _by_ramp(ground, others, whole)
    # a standby that would get nothing, whoever else is held, is not worth a word
    due = [
        held[spec.name]
        for spec in serving
        if spec.name in held and ground.share_out((*others, spec)).shares.get(spec.name, 0) > 0
    ]
    shared = _telling(shared, *(each.reason for each in due))
    until = soonest(climb.until, *(each.until for each in due))
    return Back(_with_returns(shared, ground.view, ground.published), until, climb.ramps)


def _needed(ground: _Ground, held: Collection[str]) -> Back:
    """The others cannot carry it all: the drills yield first, and where there are none, every hold does."""
    heeded, serving = ground.heeded, ground.found.serving
    if practised := tuple(name for name in held if name in heeded.practised):
        without = replace(heeded, practised={}, yielded=heeded.practised)
        back = _back(replace(ground, heeded=without))
        yields = Reason(ReasonCode.PRACTICE_YIELDS, "overrides", regions=practised)
        return replace(back, shared=_telling(back.shared, yields))
    shared = ground.share_out(serving)
    in_full = _let_in(ground, serving, shared)
    return Back(_telling(shared, _waived(held)), None, in_full)


def _by_ramp(ground: _Ground, others: Sequence[RegionSpec], whole: Allocation) -> tuple[Allocation, _Climb]:
    """The shares as far as the ramps have come. They waive their steps where the traffic fits no other way.

    `whole` is what the allocation would give without any ramp.
    """
    rules, ramps = ground.rules, ground.view.ramps
    if rules is None:
        return whole, _Climb({})
    if whole.fits and not _answers(ground.published):
        return whole, _Climb(dict(ramps))
    for steps in (True, False) if whole.fits else ():
        climb = _climb(ground, rules, others, whole, steps=steps)
        shared = ground.share_out(others, climb) if climb.caps else whole
        if shared.fits:
            return shared, climb
    on_it = tuple(name for name, each in ramps.items() if 0 < each.step < len(rules.steps))
    told = (_waived(on_it),) if on_it else ()
    return _telling(whole, *told), _Climb(_let_in(ground, others, whole))


def _waived(regions: Collection[str]) -> Reason:
    return Reason(ReasonCode.FAILBACK_WAIVED, "failback", regions=tuple(regions))


def _telling(shared: Allocation, *reasons: Reason) -> Allocation:
    """The same, with these reasons before its own."""
    return replace(shared, reasons=(*reasons, *shared.reasons)) if reasons else shared


def _climb(
    ground: _Ground, rules: RampRules, others: Sequence[RegionSpec], whole: Allocation, *, steps: bool
) -> _Climb:
    """Where each region stands on its ramp now; a step that is due is taken if `steps`."""
    climb = _Climb(dict(ground.view.ramps))
    tested = [spec for spec in others if _is_tested(ground.policy, spec, whole.shares.get(spec.name, 0))]
    for spec in others:
        if spec not in tested and not _at_once(ground, spec, climb):
            climb = _climbing(ground, rules, spec, whole.shares.get(spec.name, 0), climb, steps=steps)
    waits = any(cap < whole.shares.get(name, 0) for name, cap in climb.caps.items())
    for spec in tested:
        if not _at_once(ground, spec, climb):
            _test(ground, rules, spec, climb, waits=waits)
    return climb


def _at_once(ground: _Ground, spec: RegionSpec, climb: _Climb) -> bool:
    """Whether it comes back by no ramp, which is forgotten then."""
    name = spec.name
    free = not ground.published.get(name) and (name in ground.view.common_fall or name in ground.recalled)
    if free:
        climb.ramps.pop(name, None)
    return free


def _climbing(ground: _Ground, rules: RampRules, spec: RegionSpec, of: int, climb: _Climb, *, steps: bool) -> _Climb:
    """With the step of one region, which would get `of` without a ramp."""
    name, has, now, ttl = spec.name, ground.published.get(spec.name, 0), ground.now, ground.record.ttl
    if (each := _standing(ground, rules, spec, of, steps=steps)) is None:
        return climb
    climb.ramps[name] = each
    if each.step >= len(rules.steps):
        return climb
    known = ground.view.ramps.get(name)
    begins = ramp.stepping(each) and (known is None or known.step != each.step)
    due = ramp.due(rules, each, ground.view.regions[name], ttl)  # not known while the step does not stand
    upcoming = now + rules.pause(ttl) if begins else due
    counts = ground.view.counted.get(name, 0)
    climb.caps[name] = max(allowed := ramp.allowed(rules, each, has, of), min(counts, of))
    further = {"counts": float(counts)} if allowed < counts else {}
    if upcoming is not None and upcoming > now:
        further["next"] = upcoming
    said = _told(rules, each, name, rules.steps[each.step - 1], of)
    climb.told[name] = replace(said, numbers={**said.numbers, **further})
    if due is not None and due > now and climb.caps[name] < of:
        return replace(climb, until=soonest(climb.until, due))
    return climb


def _is_tested(policy: Policy, spec: RegionSpec, of: int) -> bool:
    """Whether what a region would get without a ramp is what a standby is kept tested by, and no more."""
    return spec.share == 0 and 0 < of <= policy.trickle


def _test(ground: _Ground, rules: RampRules, spec: RegionSpec, climb: _Climb, *, waits: bool) -> None:
    """A standby that is only kept tested has all of that in one step: by parts of it, none would have room for its own.

    While traffic `waits` for the steps of others, it has come back as well, and gets no more than that of what waits.
    """
    name, has = spec.name, ground.published.get(spec.name, 0)
    known = ground.view.ramps.get(name)
    if known is None and (has or not waits):
        return
    each = Ramp(ground.now) if known is None or ramp.given_up(rules, known) else known
    if not waits or (each.step and name in ground.view.returning):
        climb.ramps[name] = ramp.arrived(rules, each)
        return
    climb.ramps[name] = each = each if each.step else replace(each, step=1)
    if each.step < len(rules.steps):
        trickle = ground.policy.trickle
        climb.caps[name] = max(has, trickle)
        climb.told[name] = _told(rules, each, name, WHOLE, trickle)


def _told(rules: RampRules, each: Ramp, name: str, part: int, of: int) -> Reason:
    """The step at which a region is, which gives it a part of what it would get."""
    numbers = {"step": float(each.step), "steps": float(len(rules.steps)), "part": float(part), "of": float(of)}
    return Reason(ReasonCode.RAMP, "failback.ramp", name, numbers=numbers)


def _standing(ground: _Ground, rules: RampRules, spec: RegionSpec, of: int, *, steps: bool) -> Ramp | None:
    """The step at which a region is to be; None where it is on no ramp, or at its foot.

    `of` is what it would get without one.
    """
    name, has = spec.name, ground.published.get(spec.name, 0)
    known = ground.view.ramps.get(name)
    if not of or (known is None and has):
        return None
    each = known or Ramp(ground.now)
    if not each.step:
        if has and name in ground.heeded.shed:
            return None  # a word says how much
        if ramp.given_up(rules, known):
            each = Ramp(ground.now)  # a person brings it back: it begins anew
        return ramp.joined(rules, each, has, of)
    if name in ground.view.returning:
        return Ramp(each.at, len(rules.steps))
    if not steps or name in ground.found.capped:
        return each
    moment = ramp.due(rules, each, ground.view.regions[name], ground.record.ttl)
    return replace(each, step=each.step + 1, since=None) if moment is not None and moment <= ground.now else each


def _let_in(ground: _Ground, specs: Sequence[RegionSpec], shared: Allocation) -> dict[str, Ramp]:
    """The ramps where nobody else can carry the traffic: whoever was on its way is there."""
    if ground.rules is None:
        return {}
    rules, here = ground.rules, {spec.name for spec in specs if shared.shares.get(spec.name)}
    return {name: ramp.arrived(rules, each) if name in here else each for name, each in ground.view.ramps.items()}


def _with_returns(shared: Allocation, view: View, published: Mapping[str, int]) -> Allocation:
    """The same, saying who comes back without a hold."""
    back = tuple(name for name in shared.shares if name in view.common_fall and not published.get(name))
    return _telling(shared, Reason(ReasonCode.COMMON_RETURN, "failback", regions=back)) if back else shared


def recalled(view: View, heeded: Heeded) -> frozenset[str]:
    """Who comes back from a drill that ends because it is needed: the first to get traffic, and by no ramp.

    What needs it may be trouble of another policy, of which this one has no incident.
    """
    needed = view.practised if view.incident else view.cut_short
    return needed.union(heeded.yielded)


def to_climb(
    rules: RampRules | None, view: View, published: Mapping[str, int], serving: Sequence[RegionSpec], heeded: Heeded
) -> frozenset[str]:
    """Who of those that serve has not got all of its share yet, or begins to get it by a step now."""
    if rules is None or not _answers(published):
        return frozenset()
    whole = len(rules.steps)
    at_once = view.common_fall | recalled(view, heeded)
    begin = (spec.name for spec in serving if whole > 1 and not published.get(spec.name) and spec.name not in at_once)
    return frozenset((*begin, *(name for name, each in view.ramps.items() if each.step < whole)))


# -- who waits ---------------------------------------------------------------------------------------------------------


def held_back(
    policy: Policy,
    rules: RampRules | None,
    view: View,
    published: Mapping[str, int],
    serving: tuple[RegionSpec, ...],
    heeded: Heeded,
    now: float,
) -> Mapping[str, _Held]:
    """Who of those that serve waits, and why: for the end of its hold, or of a drill."""
    out = [spec.name for spec in serving if not published.get(spec.name)] if _answers(published) else []
    found = ((name, _hold(policy, rules, view, name, now)) for name in out)
    unmeasured = [name for name in out if name in view.unmeasured and name not in view.returning]
    lost = {name: _Held(Reason(ReasonCode.UNMEASURED, "signals", name)) for name in unmeasured}
    held = {name: each for name, each in found if each is not None} | lost
    steps = rules if ramp.by_steps(rules) else None  # else `aside` says who is left out
    hurt = _hurt(policy, steps, view, published, serving) if steps is not None and _answers(published) else {}
    drilled = {name: _Held(reason, until) for name, (reason, until) in practice.held(heeded, serving).items()}
    return held | hurt | drilled


def _answers(published: Mapping[str, int]) -> bool:
    """Whether anybody answers who is known. Else there is nobody in whose stead the regions come back.

    So it is where somebody has the record answer with addresses alone that no region has: by holds and steps everything
    would spill to the standbys.
    """
    return any(name != ELSEWHERE for name in published)


def _hold(policy: Policy, rules: RampRules | None, view: View, name: str, now: float) -> _Held | None:
    """Why a region without traffic waits, and until when; None where nothing holds it."""
    free = (view.returning, view.common_fall, view.aside, view.practised)  # by a word, not its fault, or never down
    if any(name in each for each in free):
        return None
    known = view.ramps.get(name)
    if ramp.given_up(rules, known):
        numbers = {"aborts": float(known.aborts if known is not None else 0)}
        return _Held(Reason(ReasonCode.FAILBACK_GIVEN_UP, "failback.retries", name, numbers=numbers))
    if policy.failback_after is None:
        if name in view.taken_out:
            return None  # a person took it out by a word, and the end of that word brings it back
        return _Held(Reason(ReasonCode.FAILBACK_MANUAL, "failback", name))
    since = _well_since(view.regions[name], known)
    hold = ramp.hold(policy.failback_after, rules, known)
    due = (since if since is not None else now) + hold
    if now >= due:
        return None
    numbers = {"well": max(0.0, now - since) if since is not None else 0.0, "hold": hold}
    return _Held(Reason(ReasonCode.FAILBACK_HOLD, "failback.after", name, numbers=numbers), due)


def _hurt(
    policy: Policy, rules: RampRules, view: View, published: Mapping[str, int], serving: Sequence[RegionSpec]
) -> dict[str, _Held]:
    """Who is hurt by a step of its ramp, and leaves, as long as enough regions are left that answer; or is out so.

    Who was given up, and is in because the others cannot do without it, is not tried any more: it stays.
    """
    tried = {name: each for name, each in view.ramps.items() if not (each.step and each.aborts >= rules.retries)}
    known = {name: each for name, each in tried.items() if name not in view.returning}
    found = {
        spec.name: known[spec.name]
        for spec in serving
        if spec.name in known and ramp.hurts(known[spec.name], view.regions[spec.name])
    }
    left = sum(1 for spec in serving if published.get(spec.name) and spec.name not in found)
    stay = left < max(1, policy.limits.min_regions)
    return {
        name: _hold_of_hurt(policy, rules, name, each)
        for name, each in found.items()
        if not (stay and published.get(name))
    }


def _hold_of_hurt(policy: Policy, rules: RampRules, name: str, known: Ramp) -> _Held:
    """Why it is out: until it is well, and then for a hold that has doubled, or until a person brings it back."""
    fell = known.aborts + (1 if known.step else 0)
    if fell >= rules.retries:
        given_up = Reason(ReasonCode.FAILBACK_GIVEN_UP, "failback.retries", name, numbers={"aborts": float(fell)})
        return _Held(given_up)
    if policy.failback_after is None:
        return _Held(Reason(ReasonCode.FAILBACK_MANUAL, "failback", name))
    hold = policy.failback_after * 2**fell
    return _Held(Reason(ReasonCode.FAILBACK_HOLD, "failback.after", name, numbers={"well": 0.0, "hold": hold}))


def _well_since(health: RegionHealth, known: Ramp | None) -> float | None:
    """Since when it serves; one that fell is well only while it is HEALTHY."""
    fell = known is not None and known.aborts > 0 and not known.step and health.state is RegionState.HEALTHY
    if health.well_since is None or not fell:
        return health.well_since
    return max(health.well_since, health.since)
