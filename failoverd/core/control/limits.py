"""The last look before a write: limits that no decision, however reasoned, may pass.

Limits differ by cause. Leaving what is down meets end-state rules only: never empty, `min_regions`, and for a while the
assertions of the installation. Rates and counts ration tuning (DEGRADED, capacity, an edited policy) and returning
(failback), each by itself: so no budget, spent on whatever, keeps a dead region in the answer. A step that is too large
is made smaller, never refused for ever:

    d = the distance of what stands and what is wanted (the traffic that would be somewhere else)
    next = stands + min(1, allowed / d) x (wanted - stands)

First what fails out is taken out, its traffic given to those who are to get more anyway; what remains is made smaller.

`pace` is the only maker of `Approved`, and providers accept nothing else, so the type checker proves that every write
went through here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import inf
from typing import Final, NoReturn, final

from failoverd.core.control.decision import ALL_DOWN, Decision, DecisionKind
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.control.ramp import stepping
from failoverd.core.control.rule_checks import FREE, Move, Ruled, asserted, gated, passing_at
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.reasons import Cause, Limit, LimitCheck, LimitKind, LimitNote, Reason, ReasonCode
from failoverd.core.records import ELSEWHERE, WHOLE, Limits, Ration, apportion

TAKING_BACK: Final = 300.0
"""Seconds after it made room before a policy takes any of it back: a demand that wavers does not move it each time."""

NOTICED: Final = 2_000
"""Part of what is too much for a region that a small step takes from it, at least, if it is worth a change."""

LEAST_DWELL: Final = 60.0
"""Seconds between two changes that only tune, at least; otherwise two TTLs, so that resolvers have seen the first."""


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change that was applied to the same target earlier: what the limits per window are counted from.

    `shifts` says, for each cause that is rationed, how much it moved, in basis points; None where an earlier version
    did not say for which cause. `generation` is what it wrote.
    """

    change_id: str
    at: float
    shares_before: Mapping[str, int]
    shares_after: Mapping[str, int]
    shifts: Mapping[Cause, int] | None = None
    generation: int = 0

    @classmethod
    def of_others(cls, generation: int, at: float) -> "PastChange":
        """A change of which nothing but its generation is known: it may have been for any cause."""
        return cls(f"generation-{generation}", at, {}, {}, {Cause.TUNING: 0, Cause.RETURNING: 0}, generation)

    @property
    def assumed(self) -> bool:
        """Whether nothing but its generation is known."""
        return self.change_id == f"generation-{self.generation}"

    @property
    def rationed(self) -> Mapping[Cause, int]:
        """What it took of the rations. Where it is not known for which cause, it was any of them."""
        if self.shifts is not None:
            return self.shifts
        moved = shift(self.shares_before, self.shares_after)
        return {Cause.TUNING: moved, Cause.RETURNING: moved}


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a ration in its windows: so many changes, and a shift in basis points. Neither is below 0."""

    changes: int
    shift: int


_SEAL = object()


@final
class Approved:
    """A plan that passed every limit. Only `pace` can make one; it cannot be changed, copied, stored or inherited."""

    __slots__ = ("_checks", "_plan")
    _plan: Plan
    _checks: tuple[LimitCheck, ...]

    def __init__(self, plan: Plan, checks: tuple[LimitCheck, ...], *, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only the limits approve a plan")
        object.__setattr__(self, "_plan", plan)
        object.__setattr__(self, "_checks", checks)

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def checks(self) -> tuple[LimitCheck, ...]:
        return self._checks

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError(f"an approval is not changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise TypeError(f"an approval is not changed: {name}")

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("an approval has no other kinds")

    def __reduce__(self) -> NoReturn:
        raise TypeError("an approval is neither copied nor stored: it holds for this moment; review the plan again")

    def __repr__(self) -> str:
        return f"Approved({self._plan.id})"


@dataclass(frozen=True, slots=True)
class Held:
    """A plan that a limit blocks. `until` is when the window lets it pass, or None when only a person can."""

    plan: Plan
    checks: tuple[LimitCheck, ...]
    until: float | None

    @property
    def blocking(self) -> tuple[LimitCheck, ...]:
        return tuple(check for check in self.checks if not check.passed)

    @property
    def keeps_dead(self) -> bool:
        """Whether traffic goes on to what is down."""
        return self.plan.cause is Cause.FAILING_OUT


@dataclass(frozen=True, slots=True)
class Skipped:
    """Tuning that is not worth a change, or comes too soon after the last one. `until` is when it may be made."""

    plan: Plan
    reason: Reason
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Paced:
    """What the limits make of a plan. `until` is when more of it may be done, if it was made smaller."""

    result: Approved | Held | Skipped
    until: float | None = None


Replan = Callable[[Mapping[str, int], Mapping[str, tuple[str, ...]]], Plan | None]
"""The plan that publishes other shares and values, in the provider's own terms; None when it would change nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """Everything that the limits look at.

    Attributes:
        plan: what would be written if there were no limits.
        regions: their health.
        region_of: answer value to region.
        limits: from the policy.
        history: changes applied to the same target, none of them in the future.
        edited: whether the policy was edited since something was last published by it.
        ttl: of the record, in seconds.
        normal: the shares when all is well.
        now: seconds since the epoch.
        by_word: whether an operator's word moves the traffic.
        at_once: whether no rate counts, because the operator said so.
        out: answer values that leave because an operator said so, and are not ill as well.
        still: why nothing may move but what fails out, and until when: an operator said so, or words were lost.
        rival: nothing is written but what takes off what is down, because another instance writes the name as well.
        contested: nothing at all, because it puts back each time what was taken off.
        ruled: what the rules of the installation say.
        evicted: who stands in the answer, and may not: regions, places, and what is nobody's.
        sorry: the place that answers while every region is down.
        recalled: whether a region comes back that a drill took out, and that never failed: no rate counts.
        saving: whether traffic is on its way to shares that were chosen for their price.
        hurt: regions that a step of their ramp makes ill: that they leave it is failing out.
        crowded: regions to which all policies together send more than they can carry, and how much of that is too
            much, in basis points of the policy's demand.
    """

    plan: Plan
    regions: Mapping[str, RegionHealth]
    region_of: Mapping[str, str]
    limits: Limits
    history: Sequence[PastChange]
    edited: bool
    ttl: int
    normal: Mapping[str, int]
    now: float
    by_word: bool = False
    at_once: bool = False
    out: frozenset[str] = frozenset()
    still: Mapping[Limit, float] = field(default_factory=dict)
    rival: bool = False
    contested: bool = False
    ruled: Ruled = FREE
    evicted: frozenset[str] = frozenset()
    sorry: str = ""
    recalled: bool = False
    saving: bool = False
    hurt: frozenset[str] = frozenset()
    crowded: Mapping[str, float] = field(default_factory=dict)

    @property
    def decision(self) -> Decision:
        return self.plan.decision

    @property
    def before(self) -> Mapping[str, int]:
        return self.plan.start

    @property
    def wanted(self) -> Mapping[str, int]:
        return self.plan.shares_after


def pace(step: Step, replan: Replan) -> Paced:
    """Hold a plan against the limits: it is approved, made smaller, skipped or held.

    Who may not answer leaves in any case.
    """
    paced = _paced(step, replan)
    if step.evicted and isinstance(paced.result, Held) and not step.contested:
        return _evicting(step, replan, paced.result) or paced
    return paced


def _paced(step: Step, replan: Replan) -> Paced:
    plan = step.plan
    if unrationed(plan) and not (step.rival and _leaves_answers(plan)):
        return _sealed(plan, step, _end_state(plan, step), {})
    leaving = _failing_out(step)
    rest, gone = _after_leaving(step, leaving)
    cause = _cause_of_rest(step, rest)
    distance = shift(rest, step.wanted)
    values = _new_values(step, leaving, rest)
    if step.contested:
        cause = Cause.FAILING_OUT if gone else cause
        checks, until = _waiting(step, cause, shift(step.before, step.wanted))
        return _still(step, replan, step.before, cause, checks, until, gone=False)
    if gone and distance == 0 and not values:
        return _sealed(plan, step, _end_state(plan, step), {})
    waits, until = _waiting(step, cause, distance)
    if waits:
        return _still(step, replan, rest, cause, waits, until, gone=gone)
    skipped = None if gone or values or step.recalled else _not_worth_it(step, cause, distance)
    if skipped is not None:
        return Paced(skipped)
    paced = _rationed(step, replan, rest, cause, gone=gone)
    held = paced.result if gone and isinstance(paced.result, Held) else None
    within = _leaving_within(step, replan, rest, cause, held) if held is not None else None
    return within or paced


def marker_only(plan: Plan, limits: Limits) -> Approved:
    """Approve a plan that writes nothing but the marker: no number of changes per hour keeps a person from it.

    Raises:
        ValueError: it would change an answer.
    """
    if not _leaves_answers(plan):
        raise ValueError(f"{plan.id} changes what {plan.target} answers")
    return Approved(plan, _of_policy(plan, limits), seal=_SEAL)


def let_through(held: Held, people: int = 1, needed: Mapping[str, int] | None = None) -> Approved | Held:
    """A held plan that `people` approved. An empty answer is published by nobody's word.

    `needed` says by the names of rules how many have to agree where more than one has to.
    """
    if any(check.limit is Limit.NEVER_EMPTY for check in held.blocking):
        return held

    def approved(check: LimitCheck) -> LimitCheck:
        enough = people >= (needed or {}).get(check.rule, 1)
        return replace(check, passed=enough, note=LimitNote.APPROVED if enough else LimitNote.AGREEMENT)

    checks = tuple(check if check.passed else approved(check) for check in held.checks)
    if not all(check.passed for check in checks):
        return replace(held, checks=checks)
    shifts = {held.plan.cause: shift(held.plan.start, held.plan.shares_after)}
    return Approved(replace(held.plan, shifts=shifts), checks, seal=_SEAL)


def shift(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    """How much of the traffic is somewhere else in `other` than in `one`, in basis points."""
    regions = {*one, *other}
    return sum(abs(one.get(region, 0) - other.get(region, 0)) for region in regions) // 2


# -- what fails out ----------------------------------------------------------------------------------------------------


def unrationed(plan: Plan) -> bool:
    """Whether there is no traffic to move: told from what the fence will compare, not from what is claimed."""
    return _answers_nothing(plan) or _leaves_answers(plan)


def _answers_nothing(plan: Plan) -> bool:
    return plan.before.records is None or not plan.before.records.serving


def _leaves_answers(plan: Plan) -> bool:
    return plan.kind in _MARKER_ONLY and plan.after == plan.before.records


_MARKER_ONLY: Final = frozenset({PlanKind.ADOPT, PlanKind.DISOWN, PlanKind.MARK})


def _failing_out(step: Step) -> frozenset[str]:
    """Regions that leave because they are down, or because what they answer with is; and who may not answer.

    Also the place that answered while all were down, for no rate keeps traffic there once somebody serves; and one that
    answers since somebody edited the record, of which the shares that are counted from know nothing.
    """
    if step.decision.kind in ALL_DOWN:
        return frozenset(step.before)
    answering = {name for name, share in (*step.before.items(), *step.plan.shares_before.items()) if share > 0}
    gone = {name for name in answering if not step.wanted.get(name)}
    return frozenset(
        name for name in gone if name in step.evicted or name == step.sorry or name in step.hurt or _dead(step, name)
    )


def _dead(step: Step, region: str) -> bool:
    """Whether a region is down, or all that it answers with is, where it is lost from sight or has nothing else to say.

    One that is merely lost from sight may leave as well, when an operator says so; but then it does not fail out.
    """
    health = step.regions.get(region)
    if health is None or health.state is RegionState.DOWN:
        return health is not None
    mine = [value for value in _published(step) if step.region_of.get(value) == region]
    if health.state is RegionState.UNKNOWN:
        return all(map(health.fails, mine))
    return bool(mine) and region not in step.decision.values and all(_is_dead(step, value) for value in mine)


def _is_dead(step: Step, value: str) -> bool:
    """Whether an answer is down, and not merely taken out by a word. Nobody knows it of one that no region names."""
    health = step.regions.get(step.region_of.get(value, ""))
    return value not in step.out and health is not None and health.fails(value)


def _after_leaving(step: Step, leaving: frozenset[str]) -> tuple[Mapping[str, int], bool]:
    """The shares once what fails out has left, and whether anything does that answers.

    What leaves goes to those who are to get more anyway, so nobody gets more than is wanted for it.
    """
    gone = _dead_values(step)
    if not leaving:
        return step.before, gone
    freed = sum(share for name, share in step.before.items() if name in leaving)
    kept = {name: share for name, share in step.before.items() if name not in leaving}
    lack = {name: max(0, share - kept.get(name, 0)) for name, share in step.wanted.items()}
    total = sum(lack.values())
    shares = {
        name: Fraction(kept.get(name, 0)) + (Fraction(freed * lack.get(name, 0), total) if total else 0)
        for name in {*kept, *lack}
    }
    return apportion(shares, WHOLE), gone or _stand(step, leaving)


def _stand(step: Step, leaving: frozenset[str]) -> bool:
    """Whether any of those that fail out stands in the answer.

    Where a person took them out before, all that is left to do is to put that edit back, which is no urgent matter.
    """
    return bool(leaving) and (step.decision.kind in ALL_DOWN or any(map(step.plan.shares_before.get, leaving)))


def _dead_values(step: Step) -> bool:
    """Whether an endpoint leaves the answer because it is down, whatever becomes of its region."""
    wanted = frozenset(answer.value for answer in step.plan.after.serving)
    return any(_is_dead(step, value) for value in _published(step) - wanted)


def _published(step: Step) -> frozenset[str]:
    found = step.plan.before.records
    return frozenset(answer.value for answer in found.serving) if found is not None else frozenset()


def _new_values(step: Step, leaving: frozenset[str], rest: Mapping[str, int]) -> frozenset[str]:
    """Answers that come back beside others of their region, which needs no share to move."""
    published = _published(step)
    staying = {name for name, share in step.before.items() if share and rest.get(name)} - leaving
    return frozenset(
        value
        for name, values in step.decision.values.items()
        if name in staying and not published.isdisjoint(values)
        for value in values
        if value not in published
    )


# -- what is rationed --------------------------------------------------------------------------------------------------


def _cause_of_rest(step: Step, rest: Mapping[str, int]) -> Cause:
    """What is left to do is a return if it only gives back what others have instead of those whom the file names.

    Where somebody is relieved of what he has on a good day, it is tuning, whoever gets the traffic. So it is while
    other policies leave it too little somewhere: what it gets then wavers with their demand.
    """
    if step.edited or step.by_word:
        return Cause.OPERATOR
    if step.saving:
        return Cause.TUNING
    moves = [(step.normal.get(name, 0), rest.get(name, 0), step.wanted.get(name, 0)) for name in {*rest, *step.wanted}]
    less = frozenset(name for name, share in rest.items() if step.wanted.get(name, 0) < share)
    if less and less <= _yielding(step):
        return Cause.MAKING_ROOM
    back = any(had < normal and wants > had for normal, had, wants in moves)
    relieved = any(had <= normal and wants < had for normal, had, wants in moves)
    endpoints = shift(rest, step.wanted) == 0
    shared = any(map(_of_others, step.decision.reasons))
    return Cause.RETURNING if (back and not relieved and not shared) or endpoints else Cause.TUNING


def _not_worth_it(step: Step, cause: Cause, distance: int) -> Skipped | None:
    if cause not in {Cause.TUNING, Cause.MAKING_ROOM, Cause.RETURNING} or distance == 0:
        return None
    if cause is Cause.RETURNING:
        return _dwells(step, cause)
    largest = _largest(step)
    small = largest < step.limits.min_step
    relief = (cause is Cause.TUNING and _overfull(step)) or _relieves(step)
    worth = relief or step.saving or _quits_ill(step) or _climbs(step)
    if small and not worth:  # what is left of a move is worth it
        numbers = {"step": float(largest), "min_step": float(step.limits.min_step)}
        return Skipped(step.plan, Reason(ReasonCode.DEADBAND, "limits.min_step", numbers=numbers))
    if cause is Cause.MAKING_ROOM and not small:
        return None  # the higher tier is in the region by now, or on its way
    return _dwells(step, cause)


def _largest(step: Step) -> int:
    """By how much the region changes that changes most."""
    return max(abs(step.wanted.get(name, 0) - step.before.get(name, 0)) for name in {*step.wanted, *step.before})


def _climbs(step: Step) -> bool:
    """Whether a region takes a step of its ramp: that is as large as the file says, and the next one waits for it.

    So it does where the region has that share by chance already, and only the others have not got theirs.
    """
    ramps, wanted = step.plan.decision.ramps or {}, step.wanted
    climbing = (name for name, each in ramps.items() if stepping(each))
    return any(wanted.get(name, 0) and wanted.get(name, 0) >= step.before.get(name, 0) for name in climbing)


def _quits_ill(step: Step) -> bool:
    """Whether a region leaves that is not HEALTHY: what it had was too much, however little (a trickle, say)."""
    leaving = (name for name, share in step.before.items() if share and not step.wanted.get(name))
    states = (health.state for name in leaving if (health := step.regions.get(name)) is not None)
    return any(state is not RegionState.HEALTHY for state in states)


def _dwells(step: Step, cause: Cause) -> Skipped | None:
    """Whether it comes too soon after a change that resolvers have not seen, or by which it made room for others.

    Where a region has more than it can carry, and it is no small step, it is waited for resolvers alone.
    """
    dwell, small = max(2.0 * step.ttl, LEAST_DWELL), _largest(step) < step.limits.min_step
    back = dwell if not small and (_overfull(step) or _relieves(step)) else max(dwell, TAKING_BACK)
    waits = {Cause.MAKING_ROOM: back} | ({Cause.TUNING: dwell} if cause is Cause.TUNING else {})
    ends = (
        (change.at + waits[each], waits[each])
        for change in step.history
        for each in waits
        if each in change.rationed and not (each is Cause.MAKING_ROOM and _risen_since(step, change.at))
    )
    until, waited = max(ends, default=(step.now, 0.0))
    if until <= step.now:
        return None
    return Skipped(step.plan, Reason(ReasonCode.DWELL, "limits", numbers={"dwell": waited}), until)


def _risen_since(step: Step, at: float) -> bool:
    """Whether a region that is to get traffic was down then: there is room now because it is back, whatever is wanted.

    So who is relieved by that in other regions need not be there for himself.
    """
    return any((step.regions[name].well_since or at) > at for name in step.wanted if name in step.regions)


def _of_others(reason: Reason) -> bool:
    """Whether a step of the sum is about what other policies leave, of a region or of a link."""
    return reason.code is ReasonCode.SHARED_CAPACITY or (reason.code is ReasonCode.LINK and "taken" in reason.numbers)


def _yielding(step: Step) -> frozenset[str]:
    """Regions in which it has more than other policies leave it that come first."""
    return _above(step, filter(_of_others, step.decision.reasons))


def _overfull(step: Step) -> bool:
    """Whether a region has more than it can carry, or than the link to its data lets through."""
    return bool(_above(step, (reason for reason in step.decision.reasons if reason.code in _BOUNDING)))


_BOUNDING: Final = frozenset({ReasonCode.CAPACITY, ReasonCode.SHARED_CAPACITY, ReasonCode.LINK})


def _relieves(step: Step) -> bool:
    """Whether it takes a part of what is too much for a region, whoever sends it there, and gives to none that has it.

    A small part is noticed by nobody there: with a demand that wavers it would be taken each time.
    """
    if any(step.wanted.get(name, 0) > step.before.get(name, 0) for name in step.crowded):
        return False
    taken = ((step.before.get(name, 0) - step.wanted.get(name, 0), too_much) for name, too_much in step.crowded.items())
    return any(less > 0 and less * WHOLE >= too_much * NOTICED for less, too_much in taken)


def _above(step: Step, found: Iterable[Reason]) -> frozenset[str]:
    """Regions that have more than the room that these steps of the sum find for them."""
    return frozenset(reason.region for reason in found if step.before.get(reason.region, 0) > reason.numbers["room"])


def _rationed(step: Step, replan: Replan, rest: Mapping[str, int], cause: Cause, *, gone: bool) -> Paced:
    """Do as much as the ration of the cause allows, and what fails out in any case."""
    ration, spent = _ration(step.limits, cause), _spent(cause, by_word=step.by_word)
    done = [change for change in step.history if spent & change.rationed.keys()]
    recent, moved = _used(ration, done, spent, step.now)
    distance, left = shift(rest, step.wanted), ration.max_shift - moved
    count = LimitCheck(
        Limit.MAX_CHANGES,
        recent < ration.max_changes,
        recent + 1,
        ration.max_changes,
        ration.changes_window,
        cause,
    )
    whole = LimitCheck(
        Limit.MAX_SHIFT, distance <= max(left, 0), moved + distance, ration.max_shift, ration.shift_window, cause
    )
    if step.plan.baseline is not None:
        whole = replace(whole, note=LimitNote.BEFORE_EDIT)
    if step.recalled or (step.at_once and cause is Cause.OPERATOR):
        note = LimitNote.RECALLED if step.recalled else LimitNote.AT_ONCE
        waived = (check if check.passed else replace(check, passed=True, note=note) for check in (whole, count))
        return _sealed(step.plan, step, (*_end_state(step.plan, step), *waived), {cause: distance})
    if count.passed and whole.passed:
        return _sealed(step.plan, step, (*_end_state(step.plan, step), whole, count), {cause: distance})
    again = _freed_at(step, done, cause, distance)
    if count.passed and left > 0:
        smaller = _smaller(step, replan, rest, Fraction(left, distance), left)
        if smaller is not None and (_ends_well(smaller, step) or not _ends_well(step.plan, step)):
            checks = (*_end_state(smaller, step), replace(whole, passed=True, note=LimitNote.SMALLER), count)
            used = shift(rest, smaller.shares_after)
            made = PastChange(smaller.id, step.now, step.before, smaller.shares_after, {cause: used})
            return replace(
                _sealed(smaller, step, checks, {cause: used}), until=_freed_at(step, [*done, made], cause, distance)
            )
        if moved == 0:
            checks = (*_end_state(step.plan, step), replace(whole, passed=True, note=LimitNote.INDIVISIBLE), count)
            return _sealed(step.plan, step, checks, {cause: distance})
    if gone:
        return _leaving_alone(step, replan, rest, cause, (whole, count), again)
    return Paced(Held(replace(step.plan, cause=cause), (*_end_state(step.plan, step), whole, count), again))


def _waiting(step: Step, cause: Cause, distance: int) -> tuple[tuple[LimitCheck, ...], float | None]:
    """What keeps everything where it is but what fails out, and until when: a rival, an operator's word, or a gate."""

    def still(limit: Limit) -> LimitCheck:
        return LimitCheck(limit, passed=False, found=distance, allowed=0, cause=cause)

    if step.rival:
        return (still(Limit.RIVAL),), None
    checks, until = gated(step.ruled, cause, distance)
    if not step.still:
        return checks, until
    ends = max(*step.still.values(), until or 0.0)
    return (*map(still, step.still), *checks), ends if ends < inf else None


def _still(
    step: Step,
    replan: Replan,
    rest: Mapping[str, int],
    cause: Cause,
    checks: tuple[LimitCheck, ...],
    until: float | None,
    *,
    gone: bool,
) -> Paced:
    """Everything stays where it is but what fails out."""
    if gone:
        return _leaving_alone(step, replan, rest, cause, checks, until)
    return Paced(Held(replace(step.plan, cause=cause), (*_end_state(step.plan, step), *checks), until))


def _leaving_within(step: Step, replan: Replan, rest: Mapping[str, int], cause: Cause, held: Held) -> Paced | None:
    """The state after the whole step is not allowed; if that in which only what is down has left is, that is done."""
    alone = _leaving_alone(step, replan, rest, cause, held.blocking, None)
    moves = isinstance(alone.result, Approved) and alone.result.plan.after != step.plan.after
    return alone if moves else None


def _leaving_alone(
    step: Step,
    replan: Replan,
    rest: Mapping[str, int],
    cause: Cause,
    checks: tuple[LimitCheck, ...],
    until: float | None,
) -> Paced:
    """What fails out leaves, and nothing else moves, unless the provider cannot say the one without the other."""
    alone = replan(rest, _values_now(step))
    leaving, shifts = (alone, {}) if alone is not None else (step.plan, {cause: shift(rest, step.wanted)})
    spared = (check if check.passed else replace(check, passed=True, note=LimitNote.FAILING_OUT) for check in checks)
    paced = _sealed(leaving, step, (*_end_state(leaving, step), *spared), shifts)
    return replace(paced, until=until) if isinstance(paced.result, Approved) else paced


def left(limits: Limits, history: Sequence[PastChange], cause: Cause, now: float) -> Left:
    """What is left of the ration of a cause, for who wants to know before anything is to move."""
    ration, spent = _ration(limits, cause), _spent(cause, by_word=False)
    changes, moved = _used(ration, [change for change in history if spent & change.rationed.keys()], spent, now)
    return Left(max(0, ration.max_changes - changes), max(0, ration.max_shift - moved))


def _ration(limits: Limits, cause: Cause) -> Ration:
    if cause is Cause.MAKING_ROOM:
        return limits.making_room
    return limits.returning if cause is Cause.RETURNING else limits.tuning


def _used(ration: Ration, done: Iterable[PastChange], spent: frozenset[Cause], now: float) -> tuple[int, int]:
    """How many changes, and how many basis points, these causes took of the ration within its windows."""
    found = list(done)
    moved = (
        sum(change.rationed.get(each, 0) for each in spent) for change in found if change.at + ration.shift_window > now
    )
    return sum(1 for change in found if change.at + ration.changes_window > now), sum(moved)


def _spent(cause: Cause, *, by_word: bool) -> frozenset[Cause]:
    """Whose changes count towards the ration of a cause.

    A person's edits of the file are rationed with tuning. A person's word is not: what tuned before keeps nobody from
    draining a region.
    """
    if cause in {Cause.RETURNING, Cause.MAKING_ROOM}:
        return frozenset({cause})
    return frozenset({Cause.OPERATOR} if by_word else {Cause.TUNING, Cause.OPERATOR})


def _smaller(step: Step, replan: Replan, rest: Mapping[str, int], part: Fraction, left: int) -> Plan | None:
    """The step as far as it may go; None where the provider cannot say one that small."""
    shares = {
        name: Fraction(rest.get(name, 0)) + part * (step.wanted.get(name, 0) - rest.get(name, 0))
        for name in {*rest, *step.wanted}
    }
    found = replan(apportion(shares, WHOLE), {**_unwanted(step), **step.decision.values})
    if found is None or shift(rest, found.shares_after) > left + _ROUNDED:
        return None
    return found if shift(rest, found.shares_after) > 0 else None


_ROUNDED: Final = WHOLE // 100
"""Basis points by which a provider's own weights may differ from what was asked for: one point."""


def _values_now(step: Step) -> Mapping[str, tuple[str, ...]]:
    """The answers of each region that may stay: nothing comes in that was out, unless its region would be empty."""
    published = _published(step)
    stays = {name: tuple(v for v in values if v in published) for name, values in step.decision.values.items()}
    return {**_unwanted(step), **{name: stays[name] or values for name, values in step.decision.values.items()}}


def _unwanted(step: Step) -> Mapping[str, tuple[str, ...]]:
    """The answers that are not wanted any more, of nobody who fails out: they leave by a ration, as who has them does.

    Among them are those that the policy does not know, of an edit that was accepted. A step that is not the whole one
    could not be said without them: all of their traffic would leave with it.
    """
    found: dict[str, tuple[str, ...]] = {}
    for value in sorted(_published(step)):
        name = step.region_of.get(value, ELSEWHERE)
        if name not in step.decision.values and name not in step.evicted and not _is_dead(step, value):
            found[name] = (*found.get(name, ()), value)
    return found


def _freed_at(step: Step, done: Sequence[PastChange], cause: Cause, distance: int) -> float | None:
    """When the windows have forgotten enough that more may be done; None when nothing was spent.

    A change of answers that moves no traffic (`distance` 0) takes one of the changes, and nothing of the shift.
    """
    ration, spent = _ration(step.limits, cause), _spent(cause, by_word=step.by_word)
    moments = sorted(change.at + window for change in done for window in (ration.shift_window, ration.changes_window))
    for moment in (moment for moment in moments if moment > step.now):
        recent, moved = _used(ration, done, spent, moment)
        if recent < ration.max_changes and (moved < ration.max_shift or distance == 0):
            return moment
    return None


# -- end states --------------------------------------------------------------------------------------------------------


def _sealed(plan: Plan, step: Step, checks: tuple[LimitCheck, ...], shifts: Mapping[Cause, int]) -> Paced:
    """Approve it if the state after it is allowed."""
    cause = _cause(plan, step, shifts)
    if all(check.passed for check in checks):
        whole = None if plan.shares_after == step.wanted else dict(step.wanted)
        return Paced(Approved(replace(plan, cause=cause, shifts=dict(shifts), whole=whole), checks, seal=_SEAL))
    until = passing_at(step.ruled, checks, step.now) if cause is Cause.FAILING_OUT and _takes_dead(step) else None
    return Paced(Held(replace(plan, cause=cause), checks, until))


def _cause(plan: Plan, step: Step, shifts: Mapping[Cause, int]) -> Cause:
    """The most pressing of what a plan does."""
    if _answers_nothing(plan):
        return Cause.REBUILDING
    if step.evicted:
        return Cause.EVICTED
    if _takes_out(step):
        return Cause.FAILING_OUT
    if step.before.get(step.sorry) and not step.wanted.get(step.sorry):
        return Cause.RETURNING
    return next(iter(shifts), Cause.OPERATOR)


def _takes_out(step: Step) -> bool:
    """Whether the step takes out something that is down, or that a step of a ramp made ill."""
    return _stand(step, _failing_out(step) - {step.sorry}) or _dead_values(step)


def _takes_dead(step: Step) -> bool:
    """The same of what is down alone: who is merely ill serves, and no assertion gives way to that it leaves."""
    down = (name for name in _failing_out(step) - {step.sorry} if name not in step.hurt or _dead(step, name))
    return _stand(step, frozenset(down)) or _dead_values(step)


def _evicting(step: Step, replan: Replan, held: Held) -> Paced | None:
    """Who may not answer leaves alone: no limit keeps it but that an answer is never empty.

    Its part goes to those who are to get more anyway. What is held stays held for the rest, also what is down and kept.
    """
    rest, _ = _after_leaving(step, step.evicted)
    stay: dict[str, tuple[str, ...]] = {}
    for value in sorted(_published(step)):
        name = step.region_of.get(value, ELSEWHERE)
        if rest.get(name) and name not in step.evicted:
            stay[name] = (*stay.get(name, ()), value)
    plan = replan(rest, {**_values_now(step), **stay}) or step.plan
    spared = (
        check
        if check.passed or check.limit is Limit.NEVER_EMPTY
        else replace(check, passed=True, note=LimitNote.EVICTED)
        for check in (*_end_state(plan, step), *(each for each in held.checks if each.limit.kind is LimitKind.RATE))
    )
    paced = _sealed(plan, step, tuple(spared), {})
    return replace(paced, until=held.until) if isinstance(paced.result, Approved) else None


def _end_state(plan: Plan, step: Step) -> tuple[LimitCheck, ...]:
    own = _of_policy(plan, step.limits)
    if step.decision.kind is DecisionKind.ALL_DOWN_ANSWER:
        place = LimitNote.NOBODY_SERVES  # no region serves of which there could be more
        own = tuple(
            each if each.passed or each.limit is not Limit.MIN_REGIONS else replace(each, passed=True, note=place)
            for each in own
        )
    if not step.ruled.assertions:
        return own
    move = Move(plan.shares_before, plan.shares_after, _unmoved(plan), _takes_dead(step), step.now)
    return (*own, *asserted(step.ruled, move))


def _of_policy(plan: Plan, limits: Limits) -> tuple[LimitCheck, ...]:
    return _never_empty(plan), _min_regions(plan, limits)


def _ends_well(plan: Plan, step: Step) -> bool:
    """Whether the state after a plan is allowed. Between two that are may be one that is not: it is not stopped at."""
    return all(check.passed for check in _end_state(plan, step))


def _unmoved(plan: Plan) -> LimitNote:
    """Why what a plan writes takes nothing away from anybody, if that is so."""
    if _leaves_answers(plan):
        return LimitNote.ANSWERS_STAY
    return LimitNote.NOTHING_ANSWERED if _answers_nothing(plan) else LimitNote.NONE


def _never_empty(plan: Plan) -> LimitCheck:
    serving = len(plan.after.serving)
    return LimitCheck(Limit.NEVER_EMPTY, serving > 0, serving, 1)


def _regions(shares: Mapping[str, int]) -> int:
    return sum(1 for region, share in shares.items() if share > 0 and region != ELSEWHERE)


def _min_regions(plan: Plan, limits: Limits) -> LimitCheck:
    """A record that is narrower than the limit already may move, but not become narrower still."""
    before, after = _regions(plan.shares_before), _regions(plan.shares_after)

    def check(*, passed: bool, note: LimitNote = LimitNote.NONE) -> LimitCheck:
        return LimitCheck(Limit.MIN_REGIONS, passed, after, limits.min_regions, note=note)

    if after >= limits.min_regions:
        return check(passed=True)
    if note := _unmoved(plan):
        return check(passed=True, note=note)
    if plan.shares_before and after >= before:
        return check(passed=True, note=LimitNote.NO_NARROWER)
    return check(passed=False)


def worst(regions: Mapping[str, RegionHealth], shares: Mapping[str, int]) -> RegionState:
    """The worst state of a region that has a share."""
    order = (RegionState.HEALTHY, RegionState.DEGRADED, RegionState.UNKNOWN, RegionState.DOWN)
    states = [regions[name].state for name, share in shares.items() if share > 0 and name in regions]
    return max(states, key=order.index, default=RegionState.UNKNOWN)
