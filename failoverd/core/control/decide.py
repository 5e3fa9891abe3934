"""What a policy wants now, and why: a chain of small stages.

It returns early with a named kind where nothing should move; otherwise every stage that shapes the sum leaves a reason
with its numbers. Equal inputs give equal outputs, and the reasons alone are enough to redo the sum by hand.

The start is what is published now; of a record that was emptied or edited by somebody else it is what was last verified
there, and of an edit that was accepted what was wanted instead: so an edit ends no hold, and begins none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from failoverd.core.control import ramp
from failoverd.core.control.allocation import Bounds, emptied, normal_shares
from failoverd.core.control.aside import narrowed
from failoverd.core.control.cost import bill
from failoverd.core.control.decision import Decision, DecisionKind, View, soonest
from failoverd.core.control.eligible import Eligible, answers, eligible
from failoverd.core.control.failback import held_back
from failoverd.core.control.overriding import Heeded, by_operator
from failoverd.core.control.practice import out
from failoverd.core.control.residency import Allowed, allowed
from failoverd.core.control.saving import counts, told_of, with_saved
from failoverd.core.control.sharing import Grant
from failoverd.core.health.region import RegionState
from failoverd.core.overrides import Override
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import (
    WHOLE,
    AllDown,
    NamedPlace,
    Policy,
    RecordSet,
    RecordSpec,
    RecordType,
    RegionSpec,
    Target,
    apportion,
)


@dataclass(frozen=True, slots=True)
class Open:
    """What is left to be settled: how much each of those gets who may have traffic.

    Attributes:
        found: who may.
        specs: all that no word keeps out.
        published: shares by region, in basis points.
    """

    found: Eligible
    specs: list[RegionSpec]
    published: Mapping[str, int]


def decide(  # noqa: PLR0913, PLR0917 - all that a decision looks at
    policy: Policy,
    record: RecordSpec,
    target: Target,
    view: View,
    now: float,
    heeded: Heeded | None = None,
    may: Allowed | None = None,
    grant: Grant | None = None,
    usual: Grant | None = None,
) -> Decision:
    """What `policy` wants `record` to answer at `target`.

    Args:
        policy: the file.
        record: one of the policy's records.
        target: one of the record's targets.
        view: health and what is published.
        now: seconds since the epoch.
        heeded: what operators' words say about the target.
        may: who may answer at all, where that was asked already.
        grant: what the other policies of the estate leave.
        usual: what they leave on a day on which nothing is wrong.
    """
    heeded = heeded or Heeded()
    may = may or allowed(policy, record.key.type, heeded, now)
    weighed = weigh(policy, record, target, view, now, heeded, may)
    if isinstance(weighed, Decision):
        return weighed
    found, published = weighed.found, weighed.published
    place = may.overflow(policy, record.key.type)
    shedding = policy if place is policy.shed_to else replace(policy, shed_to=place)
    spare = grant.spare if grant is not None else None
    narrow = narrowed(shedding, record, view, published, weighed.specs, found, heeded, now, grant, spare)
    shared = narrow.shared
    if found.capped and (not shared.fits or not shared.shares):
        return _hold(DecisionKind.HOLD_COMMON_FALL, policy, record, target, view, _doubtful(found, now), may, now)
    whole = dict(sorted({**found.frozen, **shared.shares}.items()))
    bounds = Bounds(shed=heeded.shed, grant=usual)
    drilled = bool(out(shared.reasons))  # a drill is on a day on which nothing is wrong
    full = any(spec.room < WHOLE for spec in weighed.specs)
    empty = [emptied(spec) for spec in weighed.specs] if full else weighed.specs
    normal = whole if drilled else normal_shares(shedding, record, empty, bounds)
    near = [spec for spec in weighed.specs if spec.name not in narrow.far]
    usually = normal_shares(shedding, record, near, bounds) if (narrow.far or full) and not drilled else normal
    found = replace(found, reasons=(*found.reasons, *shared.reasons, *_costs(policy, whole, normal)))
    until = soonest(narrow.until, found.until, *found.capped.values())
    weights = policy.weights_of(record.key.type)
    decided = _decided(record, target, view, found, heeded, whole, normal, until, now, weights, place)
    kind = decided.kind
    if whole == usually and not found.unknown:
        kind = DecisionKind.OPERATOR if heeded.shaping or drilled else DecisionKind.NORMAL
    return replace(decided, kind=kind, ramps=narrow.ramps)


def weigh(
    policy: Policy, record: RecordSpec, target: Target, view: View, now: float, heeded: Heeded, may: Allowed
) -> Decision | Open:
    """Everything that comes before the question how much each region gets; a decision, where it does not arise."""
    published = view.shares(may.names)
    specs = _left(may, view, published, heeded)
    if (held := _held(policy, record, target, view, specs, heeded, may, now)) is not None:
        return held
    found = eligible(policy, specs, view, published, now)
    reasons, until = (*may.reasons, *heeded.reasons(), *found.reasons), soonest(found.until, heeded.until, may.until)
    found = replace(found, reasons=reasons, until=until)
    if found.hold is not None:
        return _hold(found.hold, policy, record, target, view, found, may, now)
    if found.all_down:
        return _all_down(policy, record, target, view, specs, found, may, now)
    if heeded.pin is not None:
        pinned = _pinned(heeded.pin, found)
        code = ReasonCode.PINNED if pinned else ReasonCode.PIN_IDLE
        found = replace(found, reasons=(*found.reasons, by_operator(code, heeded.pin)))
    if heeded.pin is not None and pinned:
        weights = policy.weights_of(record.key.type)
        return _decided(record, target, view, found, heeded, pinned, pinned, found.until, now, weights)
    return _by_price(policy, record, view, Open(found, specs, published), heeded, now)


def _by_price(policy: Policy, record: RecordSpec, view: View, found: Open, heeded: Heeded, now: float) -> Open:
    """The same with the shares that were chosen for their price; who fails out ignores it, and so does a drill."""
    if not view.saving.shares:
        return found
    eligible = found.found
    specs = list(with_saved(found.specs, view.saving))
    rules = ramp.rules_of(policy, record)
    waiting = held_back(policy, rules, view, found.published, eligible.serving, heeded, now)
    answering = {*eligible.frozen, *(spec.name for spec in eligible.serving if spec.name not in waiting)}
    if not counts(view.saving, answering):
        return Open(eligible, specs, found.published)
    serving, reason = with_saved(eligible.serving, view.saving), told_of(policy, view.saving)
    return Open(replace(eligible, serving=serving, reasons=(*eligible.reasons, reason)), specs, found.published)


def _costs(policy: Policy, shares: Mapping[str, int], normal: Mapping[str, int]) -> tuple[Reason, ...]:
    """What the shares cost, and how much of that a normal day would not."""
    found = bill(policy, shares, normal)
    if found is None:
        return ()
    numbers = {"hour": found.hour, "normal": found.normal_hour, "month": found.month}
    return (Reason(ReasonCode.COST, "traffic", numbers=numbers),)


def _decided(  # noqa: PLR0913, PLR0917 - all that a decision is made of
    record: RecordSpec,
    target: Target,
    view: View,
    found: Eligible,
    heeded: Heeded,
    whole: Mapping[str, int],
    normal: Mapping[str, int],
    until: float | None,
    now: float,
    weights: Mapping[str, int],
    place: NamedPlace | None = None,
) -> Decision:
    """`normal` are the shares of a day on which nothing is wrong, with what operators say on such a day.

    `place` gets what does not fit.
    """
    may_answer = {*found.frozen, *(spec.name for spec in found.serving)}
    values = {name: answers(view.regions[name], view) for name in sorted(may_answer)} | _on_the_way(view, heeded)
    if place is not None:
        values.setdefault(place.name, place.answers(record.key.type))
    kind = DecisionKind.OPERATOR if heeded.shaping or out(found.reasons) else DecisionKind.NORMAL
    return Decision(
        target=target,
        kind=kind if whole == normal and not found.unknown else DecisionKind.FAILOVER,
        shares=whole,
        records=answer_with(record, whole, values, weights),
        reasons=found.reasons,
        at=now,
        until=until,
        values=values,
        normal=normal,
    )


def _on_the_way(view: View, heeded: Heeded) -> dict[str, tuple[str, ...]]:
    """What drained regions answer with until they are out: the limits may have their traffic leave in steps."""
    found = {name: view.regions[name] for name in sorted(heeded.drained) if name in view.regions}
    alive = {name: answers(health, view) for name, health in found.items() if health.state is not RegionState.DOWN}
    stay = {name: tuple(value for value in values if value in view.published) for name, values in alive.items()}
    return {name: values for name, values in stay.items() if values}


def _left(may: Allowed, view: View, published: Mapping[str, int], heeded: Heeded) -> list[RegionSpec]:
    """The regions that no word keeps out. Where words were lost, that may be any region without traffic."""
    specs = [spec for spec in may.regions if spec.name in view.regions and spec.name not in heeded.drained]
    return [spec for spec in specs if published.get(spec.name)] if heeded.lost_out else specs


def _pinned(pin: Override, found: Eligible) -> Mapping[str, int]:
    """The pinned shares among the regions that may answer; empty when none of them does, and the pin says nothing."""
    may_answer = {*found.frozen, *(spec.name for spec in found.serving)}
    return apportion({name: share for name, share in pin.shares.items() if name in may_answer}, WHOLE)


def _held(
    policy: Policy,
    record: RecordSpec,
    target: Target,
    view: View,
    specs: Sequence[RegionSpec],
    heeded: Heeded,
    may: Allowed,
    now: float,
) -> Decision | None:
    """A word keeps the record as it is, or nobody may answer.

    Only the word that stops everything leaves it empty if somebody emptied it, and out of its residency if somebody
    took it there: it has nothing written at all.
    """
    kind, reasons = DecisionKind.HOLD_OPERATOR, (*may.reasons, *heeded.reasons())
    if heeded.hold is None and heeded.lost_hold:
        kind = DecisionKind.HOLD_OVERRIDES_LOST
    elif heeded.hold is None and may.nobody:
        kind = DecisionKind.HOLD_NOBODY_ALLOWED
    elif heeded.hold is None and not specs and heeded.drained:
        reasons = (*reasons, Reason(ReasonCode.NOBODY_LEFT, "overrides"))
    elif heeded.hold is None:
        return None
    if heeded.stopped:
        return Decision(target, kind, {}, None, reasons, now, heeded.until)
    until = soonest(heeded.until, may.until)
    return _hold(kind, policy, record, target, view, Eligible(kind, reasons=reasons, until=until), may, now)


def answer_with(
    record: RecordSpec,
    shares: Mapping[str, int],
    values: Mapping[str, tuple[str, ...]],
    weights_of: Mapping[str, int] | None = None,
) -> RecordSet:
    """The answers: a region's share is split among its values by the weights of these, or else evenly.

    A region without any value gives its share to the others.
    """
    parts = weights_of or {}
    said = {name: share for name, share in shares.items() if values.get(name)}
    weights: dict[str, int] = {}
    for name, share in apportion(said, WHOLE).items():
        weights |= apportion({value: parts.get(value, 1) for value in values[name]}, share)
    return RecordSet.of(record.key, record.ttl, weights)


def _hold(
    kind: DecisionKind,
    policy: Policy,
    record: RecordSpec,
    target: Target,
    view: View,
    found: Eligible,
    may: Allowed,
    now: float,
) -> Decision:
    """Leave the record as it is; but an emptied record gets its last good answer back, for holding is no outage.

    Nor does a hold keep in the answer who may not answer.
    """
    good = view.kept(may.region_of)
    if view.emptied and good is not None:
        reasons, back = (*found.reasons, Reason(ReasonCode.RESTORE)), good.shares(may.region_of)
        return Decision(target, DecisionKind.RESTORE_LAST_GOOD, back, good, reasons, now, found.until)
    leaving = may.leaving(view.current) or (may.leaving(view.last_good) if view.emptied else frozenset())
    if not leaving:
        return Decision(target, kind, {}, None, found.reasons, now, found.until)
    inside = _inside(policy, record, view, may, now)
    if inside is None:
        waits = (health.given_up_at for health in view.regions.values() if not health.seen)
        until = soonest(found.until, *(moment for moment in waits if moment > now))
        return Decision(target, kind, {}, None, found.reasons, now, until)
    shares, values = inside
    rule = "residency" if policy.residency else "model"
    reasons = (*found.reasons, Reason(ReasonCode.EVICTED, rule, regions=tuple(sorted(leaving))))
    published = answer_with(record, shares, values)
    return Decision(target, DecisionKind.EVICTED, shares, published, reasons, now, found.until, values=values)


def _inside(
    policy: Policy, record: RecordSpec, view: View, may: Allowed, now: float
) -> tuple[Mapping[str, int], Mapping[str, tuple[str, ...]]] | None:
    """What a hold keeps of who may answer: the answer from before without the others, or else the normal one.

    None where nobody else may answer, and while nobody has looked at them yet: moments after a start.
    """
    before = view.standing
    kept = tuple(each for each in before.serving if each.value in may.region_of) if before is not None else ()
    if before is not None and kept:
        values: dict[str, tuple[str, ...]] = {}
        for each in kept:
            name = may.region_of[each.value]
            values[name] = (*values.get(name, ()), each.value)
        return replace(before, answers=kept).shares(may.region_of), values
    stay = {*may.region_of.values()}
    specs = [spec for spec in policy.regions if spec.name in stay and spec.name in view.regions]
    healths = [view.regions[spec.name] for spec in specs]
    if not specs or all(not health.seen and not health.given_up(now) for health in healths):
        return None
    serving = [spec for spec in specs if view.regions[spec.name].serves] or specs
    shares = normal_shares(replace(policy, shed_to=None), record, serving)
    return shares, {spec.name: all_values(spec, record.key.type) for spec in serving}


def _doubtful(found: Eligible, now: float) -> Eligible:
    """The same, told as a hold for as long as the verdicts of those who would get more can take.

    The first of them may be enough, so that is when to look again.
    """
    wait = max(found.capped.values()) - now
    reason = Reason(ReasonCode.COMMON_FALL, "health", regions=tuple(found.capped), numbers={"wait": wait})
    until = soonest(found.until, *found.capped.values())
    return Eligible(DecisionKind.HOLD_COMMON_FALL, reasons=(*found.reasons, reason), until=until)


def _all_down(
    policy: Policy,
    record: RecordSpec,
    target: Target,
    view: View,
    specs: list[RegionSpec],
    found: Eligible,
    may: Allowed,
    now: float,
) -> Decision:
    place = may.place(policy.when_all_down_place, record.key.type)
    if policy.when_all_down is AllDown.ANSWER and place is not None:
        return _all_down_place(place, record, target, found, now)
    lost = view.emptied and view.kept(may.region_of) is None
    code = ReasonCode.ALL_DOWN
    if lost:
        code = ReasonCode.ALL_DOWN_EMPTY
    elif policy.when_all_down is AllDown.NORMAL:
        code = ReasonCode.ALL_DOWN_NORMAL
    reasons = (*found.reasons, Reason(code, "when_all_down"))
    if code is ReasonCode.ALL_DOWN:
        down = Eligible(DecisionKind.HOLD_ALL_DOWN, reasons=reasons, until=found.until)
        return _hold(DecisionKind.HOLD_ALL_DOWN, policy, record, target, view, down, may, now)
    shares = normal_shares(replace(policy, shed_to=None), record, specs)
    values = {spec.name: all_values(spec, record.key.type) for spec in specs}
    published = answer_with(record, shares, values, policy.weights_of(record.key.type))
    return Decision(
        target, DecisionKind.ALL_DOWN_NORMAL, shares, published, reasons, now, found.until, values=values, normal=shares
    )


def _all_down_place(place: NamedPlace, record: RecordSpec, target: Target, found: Eligible, now: float) -> Decision:
    """The named place answers, with all of its addresses."""
    values, shares = {place.name: place.answers(record.key.type)}, {place.name: WHOLE}
    reasons = (*found.reasons, Reason(ReasonCode.ALL_DOWN_ANSWER, "when_all_down", detail=place.name))
    published = answer_with(record, shares, values)
    kind = DecisionKind.ALL_DOWN_ANSWER
    return Decision(target, kind, shares, published, reasons, now, found.until, values=values, normal=shares)


def all_values(spec: RegionSpec, record_type: RecordType) -> tuple[str, ...]:
    """What a record of that type can answer with for a region."""
    found = (endpoint.answer(record_type) for endpoint in spec.endpoints)
    return tuple(sorted({answer for answer in found if answer is not None}))
