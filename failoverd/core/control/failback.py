"""When a region that was withdrawn comes back, and by which steps.

After it has been well for `failback.after`, or when a person brings it back; then by the ramp, if there is one
(`ramp.py`). This never costs service: if the other regions cannot carry the traffic, it is let in at once, and in full.
Nor does a fall of all regions together: it was no region's own fault, so who was withdrawn in it comes back without a
hold, and in one step. What all of them carried is too much for those who are back first, so each step of a ramp would
keep them overloaded.
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
from failoverd.core.records import WHOLE, Policy, RampRules, RecordSpec, RegionSpec


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
    unmeasured = {name: published.get(name, 0) for name in view.unmeasured if published.get(name)}
    kept = _back(policy, record, view, published, found, heeded, now, grant, unmeasured)
    if not unmeasured or (kept.shared.fits and not any(each.code in _WAIVED for each in kept.shared.reasons)):
        return kept
    return _back(policy, record, view, published, found, heeded, now, grant, {})


_WAIVED: Final = frozenset({ReasonCode.FAILBACK_WAIVED, ReasonCode.PRACTICE_YIELDS})


def _back(  # noqa: PLR0913, PLR0917 - all that an allocation is made of
    policy: Policy,
    record: RecordSpec,
    view: View,
    published: Mapping[str, int],
    found: Eligible,
    heeded: Heeded,
    now: float,
    grant: Grant | None,
    unmeasured: Mapping[str, int],
) -> Back:
    """The same, where the `unmeasured` get so much at most."""
    budget = WHOLE - sum(found.frozen.values())
    limits = {**unmeasured, **{name: published.get(name, 0) for name in found.capped}}
    lost = {name: Reason(ReasonCode.UNMEASURED, "signals", name) for name in unmeasured if name not in found.capped}

    def share_out(specs: Sequence[RegionSpec], climb: _Climb | None = None) -> Allocation:
        caps, told = limits, lost
        if climb is not None:
            caps = limits | {name: min(cap, limits.get(name, WHOLE)) for name, cap in climb.caps.items()}
            told = lost | {name: reason for name, reason in climb.told.items() if caps[name] == climb.caps[name]}
        return allocate(policy, record, view.regions, specs, budget, Bounds(caps, heeded.shed, told, grant))

    rules = ramp.rules_of(policy, record)
    held = {**held_back(policy, rules, view, published, found.serving, now), **_practising(heeded, found.serving)}
    others = tuple(spec for spec in found.serving if spec.name not in held)
    whole = share_out(others or found.serving)
    if held and not (others and whole.fits):
        if practised := tuple(name for name in held if name in heeded.practised):
            yields = Reason(ReasonCode.PRACTICE_YIELDS, "overrides", regions=practised)
            without = replace(heeded, practised={}, yielded=heeded.practised)
            back = _back(policy, record, view, published, found, without, now, grant, unmeasured)
            return replace(back, shared=replace(back.shared, reasons=(yields, *back.shared.reasons)))
        waived = Reason(ReasonCode.FAILBACK_WAIVED, "failback", regions=tuple(held))
        shared = whole if not others else share_out(found.serving)
        in_full = _let_in(rules, view.ramps, found.serving, shared)
        return Back(Allocation(shared.shares, shared.fits, (waived, *shared.reasons)), None, in_full)
    shared, climb = whole, _Climb(dict(view.ramps) if rules is not None else {})
    if rules is not None and published and whole.fits:
        ground = _Ground(
            policy, rules, record.ttl, view, published, found.capped, heeded.shed, _recalled(view, heeded), now
        )
        for steps in (True, False):
            climb = _climb(ground, others, whole, steps=steps)
            shared = share_out(others, climb) if climb.caps else whole
            if shared.fits:
                break
    if not shared.fits:
        on_it = tuple(
            name for name, each in view.ramps.items() if rules is not None and 0 < each.step < len(rules.steps)
        )
        told = (Reason(ReasonCode.FAILBACK_WAIVED, "failback", regions=on_it),) if on_it else ()
        shared = Allocation(whole.shares, whole.fits, (*told, *whole.reasons))
        climb = _Climb(_let_in(rules, view.ramps, others, whole))
    # a standby that would get nothing, whoever else is held, is not worth a word
    due = [
        held[spec.name]
        for spec in found.serving
        if spec.name in held and share_out((*others, spec)).shares.get(spec.name, 0) > 0
    ]
    until = soonest(climb.until, *(each.until for each in due))
    shared = Allocation(shared.shares, shared.fits, (*(each.reason for each in due), *shared.reasons))
    return Back(_with_returns(shared, view, published), until, climb.ramps)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a step depends on."""

    policy: Policy
    rules: RampRules
    ttl: int
    view: View
    published: Mapping[str, int]
    capped: Collection[str]
    shed: Collection[str]
    recalled: Collection[str]
    now: float

    def due(self, name: str, each: Ramp) -> float | None:
        return ramp.due(self.rules, each, self.view.regions[name], self.ttl)


def _climb(ground: _Ground, others: Sequence[RegionSpec], whole: Allocation, *, steps: bool) -> _Climb:
    """Where each region stands on its ramp now; a step that is due is taken if `steps`.

    `whole` is what the allocation would give without any ramp.
    """
    rules, now = ground.rules, ground.now
    ramps, caps, told = dict(ground.view.ramps), dict[str, int](), dict[str, Reason]()
    until = None
    for spec in others:
        name, has, of = spec.name, ground.published.get(spec.name, 0), whole.shares.get(spec.name, 0)
        if not has and (name in ground.view.common_fall or name in ground.recalled):
            ramps.pop(name, None)
            continue
        if (each := _standing(ground, spec, of, steps=steps)) is None:
            continue
        ramps[name] = each
        if each.step >= len(rules.steps):
            continue
        upcoming = now + rules.pause(ground.ttl) if ramp.stepping(each) else ground.due(name, each)
        caps[name] = ramp.allowed(rules, each, has, of)
        numbers = {"step": float(each.step), "steps": float(len(rules.steps))}
        numbers |= {"part": float(rules.steps[each.step - 1]), "of": float(of)}
        if upcoming is not None and upcoming > now:
            until = soonest(until, upcoming) if caps[name] < of else until
            known = ground.view.ramps.get(name)
            if each.since is not None or known is None or known.step != each.step:
                numbers["next"] = upcoming  # else it is not known: the last one is not there yet
        told[name] = Reason(ReasonCode.RAMP, "failback.ramp", name, numbers=numbers)
    return _Climb(ramps, caps, told, until)


def _standing(ground: _Ground, spec: RegionSpec, of: int, *, steps: bool) -> Ramp | None:
    """The step at which a region is to be; None where it is on no ramp, or at its foot.

    `of` is what it would get without one. A standby that is only kept tested needs none.
    """
    name, has, rules = spec.name, ground.published.get(spec.name, 0), ground.rules
    known = ground.view.ramps.get(name)
    if not of or (known is None and (has or (spec.share == 0 and of <= ground.policy.trickle))):
        return None
    each = known or Ramp(ground.now)
    if not each.step:
        if has and name in ground.shed:
            return None  # a word says how much
        if ramp.given_up(rules, known):
            each = Ramp(ground.now)  # a person brings it back: it begins anew
        return ramp.joined(rules, each, has, of)
    if name in ground.view.returning:
        return Ramp(each.at, len(rules.steps))
    moment = ground.due(name, each) if steps and name not in ground.capped else None
    if moment is not None and moment <= ground.now:
        return replace(each, step=each.step + 1, since=None)
    return each


def _let_in(rules: RampRules | None, ramps: Ramps, specs: Sequence[RegionSpec], shared: Allocation) -> dict[str, Ramp]:
    """The ramps where nobody else can carry the traffic: whoever was on its way is there."""
    if rules is None:
        return {}
    here = {spec.name for spec in specs if shared.shares.get(spec.name)}
    return {
        name: Ramp(each.at, len(rules.steps), each.since if each.step >= len(rules.steps) else None, each.aborts)
        if name in here
        else each
        for name, each in ramps.items()
    }


def _with_returns(shared: Allocation, view: View, published: Mapping[str, int]) -> Allocation:
    """The same, saying who comes back without a hold."""
    back = tuple(name for name in shared.shares if name in view.common_fall and not published.get(name))
    if not back:
        return shared
    reason = Reason(ReasonCode.COMMON_RETURN, "failback", regions=back)
    return Allocation(shared.shares, shared.fits, (reason, *shared.reasons))


def _recalled(view: View, heeded: Heeded) -> frozenset[str]:
    """Who comes back from a drill that ends because it is needed: the first to get traffic, and by no ramp.

    What needs it may be trouble of another policy, of which this one has no incident.
    """
    return view.cut_short.union(heeded.yielded) | (view.practised if view.incident else frozenset())


def _practising(heeded: Heeded, serving: tuple[RegionSpec, ...]) -> dict[str, _Held]:
    return {name: _Held(reason, until) for name, (reason, until) in practice.held(heeded, serving).items()}


def held_back(
    policy: Policy,
    rules: RampRules | None,
    view: View,
    published: Mapping[str, int],
    serving: tuple[RegionSpec, ...],
    now: float,
) -> Mapping[str, _Held]:
    """Who of those that serve waits, and why."""
    if not published:
        return {}  # a record that answers nothing has nobody to hold back
    held = {}
    hurt = _hurting(policy, rules, view, published, serving)
    for spec in serving:
        free = published.get(spec.name, 0) > 0 or spec.name in view.returning or spec.name in view.common_fall
        free = free or spec.name in view.aside or spec.name in view.practised  # it never was down
        if spec.name in view.unmeasured and not published.get(spec.name) and spec.name not in view.returning:
            held[spec.name] = _Held(Reason(ReasonCode.UNMEASURED, "signals", spec.name))
            continue
        known = view.ramps.get(spec.name)
        if spec.name in hurt and known is not None and rules is not None:
            held[spec.name] = _hurt(policy, rules, spec.name, known)
            continue
        if free:
            continue
        if ramp.given_up(rules, known):
            numbers = {"aborts": float(known.aborts if known is not None else 0)}
            held[spec.name] = _Held(
                Reason(ReasonCode.FAILBACK_GIVEN_UP, "failback.retries", spec.name, numbers=numbers)
            )
            continue
        if policy.failback_after is None and spec.name in view.taken_out:
            continue  # a person took it out by a word, and the end of that word brings it back
        if policy.failback_after is None:
            held[spec.name] = _Held(Reason(ReasonCode.FAILBACK_MANUAL, "failback", spec.name))
            continue
        since = _well_since(view.regions[spec.name], known)
        hold = ramp.hold(policy.failback_after, rules, known)
        due = (since if since is not None else now) + hold
        if now < due:
            well = max(0.0, now - since) if since is not None else 0.0
            numbers = {"well": well, "hold": hold}
            reason = Reason(ReasonCode.FAILBACK_HOLD, "failback.after", spec.name, numbers=numbers)
            held[spec.name] = _Held(reason, due)
    return held


def _hurting(
    policy: Policy,
    rules: RampRules | None,
    view: View,
    published: Mapping[str, int],
    serving: Sequence[RegionSpec],
) -> frozenset[str]:
    """Who is hurt by a step of its ramp, and leaves: as long as enough regions are left that answer."""
    found = frozenset(
        spec.name
        for spec in serving
        if rules is not None
        and (known := view.ramps.get(spec.name)) is not None
        and spec.name not in view.returning
        and ramp.hurts(known, view.regions[spec.name])
    )
    left = sum(1 for spec in serving if published.get(spec.name) and spec.name not in found)
    out = found.difference(name for name, share in published.items() if share)
    return found if left >= max(1, policy.limits.min_regions) else out


def _hurt(policy: Policy, rules: RampRules, name: str, known: Ramp) -> _Held:
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
