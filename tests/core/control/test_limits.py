"""The limits, with their numbers; what they must not block; and that nothing else can approve a plan."""

import copy
import pickle
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.approving import limits
from support.scenes import (
    KEY,
    NOW,
    OWNER,
    basis_points,
    compared,
    decision,
    healths,
    observed,
    past,
    plan_between,
    policy,
    published,
    records,
    region,
)

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.limits import Approved, Held, Paced, PastChange, Skipped, Step, marker_only, pace, shift
from failoverd.core.control.ownership import adopt
from failoverd.core.control.plan import LastGood, Plan, PlanKind, Signature
from failoverd.core.reasons import Cause, Limit, LimitCheck, LimitNote
from failoverd.core.records import ELSEWHERE, WHOLE, Limits, RecordSet

TRI = policy(region("a", 50), region("b", 30), region("c", 20))
ALL = {"a": 50, "b": 30, "c": 20}
WITHOUT_A = {"b": 60, "c": 40}
REGION_OF = TRI.region_of(KEY.type)
VALUES = {name: (value,) for value, name in REGION_OF.items()}


def move(before: Mapping[str, float] | None, after: Mapping[str, float]) -> Plan:
    return tuned(plan_between(TRI, before, after))


def tuned(plan: Plan) -> Plan:
    """As health wants it, on a day that is not normal."""
    return replace(plan, decision=replace(plan.decision, kind=DecisionKind.FAILOVER, values=VALUES))


def step_of(
    plan: Plan, bounds: Limits, *history: PastChange, now: float = NOW, down: str = "", edited: bool = False
) -> Step:
    return Step(
        plan=plan,
        regions=healths(TRI, dict.fromkeys(down, "U"), now=now),
        region_of=REGION_OF,
        limits=bounds,
        history=history,
        edited=edited,
        ttl=30,
        normal=basis_points(ALL),
        now=now,
    )


def paced(
    plan: Plan, bounds: Limits, *history: PastChange, now: float = NOW, down: str = "", edited: bool = False
) -> Paced:
    """What the limits make of a plan, where the provider says any weight."""

    def replan(shares: Mapping[str, int], values: Mapping[str, tuple[str, ...]]) -> Plan | None:
        found = records({values[name][0]: share for name, share in shares.items()})
        smaller = compared(TRI, plan.before, found)
        return replace(smaller, decision=plan.decision) if isinstance(smaller, Plan) else None

    return pace(step_of(plan, bounds, *history, now=now, down=down, edited=edited), replan)


def held(plan: Plan, bounds: Limits, *history: PastChange, now: float = NOW, down: str = "") -> Held:
    """The same, where the provider cannot say a smaller step."""
    verdict = pace(step_of(plan, bounds, *history, now=now, down=down), lambda *_: None).result
    assert isinstance(verdict, Held)
    return verdict


def passes(plan: Plan, bounds: Limits, *history: PastChange, now: float = NOW, down: str = "") -> bool:
    """Whether it passes as a whole."""
    found = paced(plan, bounds, *history, now=now, down=down).result
    return isinstance(found, Approved) and found.plan.after == plan.after


def goes(plan: Plan, bounds: Limits, *history: PastChange, now: float = NOW, down: str = "") -> dict[str, float]:
    """Percent by region once it is done as far as it may be."""
    found = paced(plan, bounds, *history, now=now, down=down).result
    assert isinstance(found, Approved)
    return {name: share / 100 for name, share in found.plan.shares_after.items()}


def blocks(verdict: Held) -> list[Limit]:
    return [check.limit for check in verdict.blocking]


def spent(at: float, cause: Cause, moved: float, generation: int = 0) -> PastChange:
    """A change that took `moved` percent of a ration."""
    return PastChange(f"chg-{at:g}", at, {}, {}, {cause: round(moved * 100)}, generation)


# -- never empty -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [records({}), records({"10.0.0.1": 0})])
@pytest.mark.parametrize("kind", list(PlanKind))
def test_an_empty_answer_is_never_approved(after: RecordSet, kind: PlanKind) -> None:
    plan = replace(move(ALL, ALL | {"a": 49, "b": 31}), after=after, shares_after={}, kind=kind)
    verdict = held(plan, limits(min_regions=0))
    assert Limit.NEVER_EMPTY in blocks(verdict)
    assert verdict.until is None


def test_not_even_as_the_rebuilding_of_an_empty_one() -> None:
    plan = replace(move(None, ALL), after=records({}), shares_after={})
    assert blocks(held(plan, limits())) == [Limit.NEVER_EMPTY]


# -- min_regions -------------------------------------------------------------------------------------------------------


def test_fewer_regions_than_min_regions_are_held_and_only_a_person_can_help() -> None:
    verdict = held(move(ALL, {"b": 100}), limits(min_regions=2))
    assert blocks(verdict) == [Limit.MIN_REGIONS]
    assert verdict.blocking == (LimitCheck(Limit.MIN_REGIONS, passed=False, found=1, allowed=2),)
    assert verdict.until is None


def test_exactly_min_regions_pass() -> None:
    assert passes(move(ALL, WITHOUT_A), limits(min_regions=2))


def test_answers_elsewhere_are_no_region() -> None:
    plan = move(ALL, {"b": 60, "c": 40})
    away = replace(plan, shares_after={"b": 6_000, ELSEWHERE: 4_000})
    assert blocks(held(away, limits(min_regions=2))) == [Limit.MIN_REGIONS]


def test_a_record_that_is_narrower_already_may_leave_a_dead_region() -> None:
    assert passes(move({"b": 100}, {"c": 100}), limits(min_regions=2))
    assert blocks(held(move({"b": 60, "c": 40}, {"c": 100}), limits(min_regions=3))) == [Limit.MIN_REGIONS]


# -- what is down leaves -----------------------------------------------------------------------------------------------

NOTHING = limits(max_shift=0, max_changes=0)


def test_what_is_down_meets_no_rate_and_no_count_and_takes_of_no_ration() -> None:
    found = paced(move(ALL, WITHOUT_A), NOTHING, down="a").result
    assert isinstance(found, Approved)
    assert found.plan.after == published(TRI, WITHOUT_A)
    assert (found.plan.cause, found.plan.shifts, found.plan.whole) == (Cause.FAILING_OUT, {}, None)
    assert [check.limit for check in found.checks] == [Limit.NEVER_EMPTY, Limit.MIN_REGIONS]


def test_its_traffic_goes_to_those_who_are_to_get_more_and_the_rest_is_rationed() -> None:
    plan = move({"a": 20, "b": 50, "c": 30}, {"b": 20, "c": 80})
    found = paced(plan, limits(max_shift=1_000), down="a")
    assert isinstance(found.result, Approved)
    assert found.result.plan.shares_after == basis_points({"b": 40, "c": 60})
    assert (found.result.plan.cause, found.result.plan.shifts) == (Cause.FAILING_OUT, {Cause.TUNING: 1_000})
    assert found.result.plan.whole == basis_points({"b": 20, "c": 80})
    assert found.until == NOW + 300
    alone = paced(plan, NOTHING, down="a").result
    assert isinstance(alone, Approved)
    assert alone.plan.shares_after == basis_points({"b": 50, "c": 50})
    assert alone.plan.shifts == {}
    assert [(check.limit, check.note) for check in alone.checks if check.note] == [
        (Limit.MAX_SHIFT, LimitNote.FAILING_OUT),
        (Limit.MAX_CHANGES, LimitNote.FAILING_OUT),
    ]


def test_where_the_provider_cannot_say_it_smaller_what_is_down_takes_the_rest_of_the_change_along() -> None:
    """No ration keeps in the answer what is down, not even where it alone cannot be taken out."""
    plan, before = move(ALL, {"c": 100}), spent(NOW - 70, Cause.TUNING, 100)
    whole = pace(step_of(plan, HALF, before, down="a"), lambda *_: None).result
    assert isinstance(whole, Approved), whole
    assert whole.plan.shares_after == basis_points({"c": 100})


def test_min_regions_holds_what_is_down_and_the_hold_says_that_it_keeps_the_dead() -> None:
    verdict = held(move({"a": 50, "b": 50}, {"b": 100}), limits(min_regions=2), down="a")
    assert blocks(verdict) == [Limit.MIN_REGIONS]
    assert (verdict.plan.cause, verdict.keeps_dead, verdict.until) == (Cause.FAILING_OUT, True, None)
    tunes = held(move({"a": 50, "b": 50}, {"b": 100}), limits(min_regions=2))
    assert (tunes.plan.cause, tunes.keeps_dead) == (Cause.TUNING, False)


def test_a_region_above_zero_that_is_down_and_stays_is_no_failing_out() -> None:
    assert not passes(move(ALL, {"a": 10, "b": 70, "c": 20}), limits(max_shift=1_000), down="a")


# -- max_shift ---------------------------------------------------------------------------------------------------------

HALF = limits(max_shift=5_000, shift_window=300.0)


def test_a_shift_is_what_is_somewhere_else_afterwards() -> None:
    assert shift({"a": 7_000, "b": 3_000}, {"a": 7_000, "b": 3_000}) == 0
    assert shift({"a": 7_000, "b": 3_000}, {"b": WHOLE}) == 7_000
    assert shift({"a": 5_000, "b": 5_000}, {"c": WHOLE}) == WHOLE


def test_a_shift_of_exactly_the_limit_passes_and_a_larger_one_is_made_smaller() -> None:
    assert passes(move(ALL, WITHOUT_A), HALF)
    assert goes(move(ALL, WITHOUT_A), limits(max_shift=4_999)) == {"a": 0.01, "b": 59.99, "c": 40}


@pytest.mark.parametrize(
    ("stands", "next_step"),
    [(ALL, {"a": 30, "b": 42, "c": 28}), ({"a": 30, "b": 42, "c": 28}, {"a": 10, "b": 54, "c": 36})],
)
def test_a_step_is_made_smaller_on_the_straight_way(stands: dict[str, float], next_step: dict[str, float]) -> None:
    found = paced(move(stands, WITHOUT_A), limits(max_shift=2_000))
    assert isinstance(found.result, Approved)
    assert found.result.plan.shares_after == basis_points(next_step)
    assert found.result.plan.whole == basis_points(WITHOUT_A)
    assert found.result.plan.shifts == {Cause.TUNING: 2_000}
    shifted = next(check for check in found.result.checks if check.limit is Limit.MAX_SHIFT)
    assert (shifted.passed, shifted.note, shifted.allowed) == (True, LimitNote.SMALLER, 2_000)
    assert found.until == NOW + 300


def test_a_smaller_step_is_followed_when_its_own_window_ends_whatever_is_counted_longer() -> None:
    bounds = limits(max_shift=2_000, shift_window=300.0, max_changes=5, changes_window=3_600.0)
    found = paced(move(ALL, WITHOUT_A), bounds, spent(NOW - 400, Cause.TUNING, 20))
    assert isinstance(found.result, Approved)
    assert found.until == NOW + 300
    last = paced(move(ALL, WITHOUT_A), replace(bounds, tuning=replace(bounds.tuning, max_changes=2)),
                 spent(NOW - 400, Cause.TUNING, 20))  # fmt: skip
    assert last.until == NOW + 3_200, "and where the number of changes is spent with it, when that lets one pass"


def test_a_slow_walk_adds_up() -> None:
    plan, before = move({"a": 60, "b": 40}, {"a": 20, "b": 80}), spent(NOW - 100, Cause.TUNING, 40)
    assert goes(plan, HALF, before) == {"a": 50, "b": 50}
    verdict = held(plan, HALF, before)
    assert blocks(verdict) == [Limit.MAX_SHIFT]
    (check,) = verdict.blocking
    assert (check.found, check.allowed, check.window, check.cause) == (8_000, 5_000, 300.0, Cause.TUNING)
    assert verdict.until == NOW + 200


def test_a_walk_slower_than_the_window_is_fine() -> None:
    assert passes(move({"a": 60, "b": 40}, {"a": 20, "b": 80}), HALF, spent(NOW - 300, Cause.TUNING, 40))


def test_each_cause_has_its_own_ration_and_a_person_shares_that_of_tuning() -> None:
    back = move({"b": 60, "c": 40}, ALL)
    assert not passes(back, HALF, spent(NOW - 70, Cause.RETURNING, 10))
    assert passes(back, HALF, spent(NOW - 70, Cause.TUNING, 50), spent(NOW - 71, Cause.OPERATOR, 50))
    tunes = move(ALL, WITHOUT_A)
    assert passes(tunes, HALF, spent(NOW - 70, Cause.RETURNING, 50))
    assert not passes(tunes, HALF, spent(NOW - 70, Cause.OPERATOR, 10))
    by_hand = paced(tunes, HALF, spent(NOW - 70, Cause.TUNING, 30), edited=True).result
    assert isinstance(by_hand, Approved)
    assert by_hand.plan.shifts == {Cause.OPERATOR: 2_000}


def test_a_change_of_an_earlier_version_counts_for_either_ration() -> None:
    before = past(NOW - 200, {"a": 60, "b": 40}, {"a": 100})
    assert before.rationed == {Cause.TUNING: 4_000, Cause.RETURNING: 4_000}
    assert not passes(move(ALL, WITHOUT_A), HALF, before)
    assert not passes(move({"b": 60, "c": 40}, ALL), HALF, before)


def test_history_may_come_in_any_order() -> None:
    steps = [spent(NOW - 200, Cause.TUNING, 20), spent(NOW - 100, Cause.TUNING, 30)]
    plan = move({"a": 60, "b": 40}, {"a": 45, "b": 55})
    one, other = held(plan, HALF, *steps), held(plan, HALF, *reversed(steps))
    assert one == other
    assert one.until == NOW + 100


# -- max_changes -------------------------------------------------------------------------------------------------------

TWICE = limits(max_changes=2, changes_window=3_600.0)


def test_no_more_changes_than_allowed_in_the_window_and_it_says_when_the_next_may() -> None:
    first, second = spent(NOW - 3_000, Cause.TUNING, 0), spent(NOW - 70, Cause.TUNING, 0)
    plan = move(ALL, WITHOUT_A)
    assert passes(plan, TWICE, second)
    verdict = held(plan, TWICE, first, second)
    assert verdict.blocking == (
        LimitCheck(Limit.MAX_CHANGES, passed=False, found=3, allowed=2, window=3_600.0, cause=Cause.TUNING),
    )
    assert verdict.until == NOW + 600


def test_until_waits_for_both_windows() -> None:
    bounds = limits(max_changes=1, changes_window=3_600.0, max_shift=5_000, shift_window=300.0)
    assert held(move(ALL, WITHOUT_A), bounds, spent(NOW - 100, Cause.TUNING, 40)).until == NOW + 3_500


def test_no_budget_at_all_is_for_a_person() -> None:
    assert held(move(ALL, WITHOUT_A), limits(max_changes=0)).until is None
    assert held(move(ALL, WITHOUT_A), limits(max_shift=0)).until is None


# -- a step that cannot be made smaller --------------------------------------------------------------------------------


def test_a_step_that_cannot_be_made_smaller_passes_when_nothing_else_moved_in_the_window() -> None:
    plan, bounds = move(ALL, WITHOUT_A), limits(max_shift=1_000)
    verdict = pace(step_of(plan, bounds), lambda *_: None).result
    assert isinstance(verdict, Approved)
    shifted = next(check for check in verdict.checks if check.limit is Limit.MAX_SHIFT)
    assert (shifted.passed, shifted.note) == (True, LimitNote.INDIVISIBLE)
    waiting = held(plan, bounds, spent(NOW - 100, Cause.TUNING, 1))
    assert waiting.until == NOW + 200
    later = pace(step_of(plan, bounds, spent(NOW - 100, Cause.TUNING, 1), now=NOW + 200), lambda *_: None).result
    assert isinstance(later, Approved)


# -- tuning: what is not worth a change --------------------------------------------------------------------------------


def test_tuning_by_less_than_min_step_is_skipped_and_by_exactly_that_it_is_not() -> None:
    nearly = paced(move(ALL, {"a": 45.01, "b": 34.99, "c": 20}), limits()).result
    assert isinstance(nearly, Skipped)
    assert nearly.reason.numbers == {"step": 499.0, "min_step": 500.0}
    assert passes(move(ALL, {"a": 45, "b": 35, "c": 20}), limits())
    assert isinstance(paced(move(ALL, {"a": 45.01, "b": 34.99, "c": 20}), limits(), edited=True).result, Approved)


@pytest.mark.parametrize(
    ("crowded", "made"),
    [
        ({"a": 1_000.0}, True),  # 3 points of 10 that are too much
        ({"a": 1_600.0}, False),  # 3 of 16: nobody would notice
        ({"a": 1_000.0, "b": 10.0}, False),  # and `b` would have still more
        ({"c": 1_000.0}, False),
    ],
)
def test_a_small_step_is_made_where_it_relieves_a_region_that_all_policies_together_fill(
    crowded: Mapping[str, float],
    made: bool,
) -> None:
    step = replace(step_of(move(ALL, {"a": 47, "b": 33, "c": 20}), limits()), crowded=crowded)
    found = pace(step, lambda *_: None).result
    assert isinstance(found, Approved if made else Skipped)


def test_an_endpoint_that_is_back_in_its_region_does_not_wait_for_shares_that_are_worth_a_change() -> None:
    plan = move(ALL, {"a": 47, "b": 33, "c": 20})
    values = {**VALUES, "c": (*VALUES["c"], "10.9.9.9")}
    more = replace(plan, decision=replace(plan.decision, values=values))
    assert isinstance(paced(plan, limits()).result, Skipped)
    assert isinstance(paced(more, limits()).result, Approved)


def test_tuning_dwells_and_nothing_else_does() -> None:
    before = spent(NOW - 59, Cause.TUNING, 1)
    found = paced(move(ALL, WITHOUT_A), limits(), before).result
    assert isinstance(found, Skipped)
    assert found.until == NOW + 1
    assert passes(move(ALL, WITHOUT_A), limits(), before, now=NOW + 1)
    assert passes(move(ALL, WITHOUT_A), limits(), before, down="a")
    assert passes(move({"b": 60, "c": 40}, ALL), limits(), before)
    assert isinstance(paced(move(ALL, WITHOUT_A), limits(), before, edited=True).result, Approved)


# -- what is not rationed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [None, records({}), records({"10.0.0.1": 0})])
def test_rebuilding_an_empty_record_is_not_rationed(found: RecordSet | None) -> None:
    plan = compared(TRI, observed(found), published(TRI, {"b": 100}))
    assert isinstance(plan, Plan)
    bounds = limits(min_regions=3, max_shift=0, max_changes=0)
    verdict = paced(plan, bounds, past(NOW - 1, ALL, {"b": 100})).result
    assert isinstance(verdict, Approved)
    assert verdict.plan.cause is Cause.REBUILDING
    assert [check.note for check in verdict.checks] == [LimitNote.NONE, LimitNote.NOTHING_ANSWERED]


def test_a_plan_is_a_rebuilding_only_if_nothing_stands_there() -> None:
    claims = replace(move(ALL, {"c": 100}), shares_before={})
    bounds = limits(min_regions=3, max_shift=0, max_changes=0)
    assert blocks(held(claims, bounds)) == [Limit.MIN_REGIONS, Limit.MAX_SHIFT, Limit.MAX_CHANGES]


def adoption(found: RecordSet) -> Plan:
    seen = observed(found, generation=None)
    plan = adopt(
        seen, decision({}, found), plan_id="chg-1", signed=Signature(OWNER), region_of=REGION_OF, revision="r1"
    )
    assert isinstance(plan, Plan)
    return plan


def test_adoption_leaves_the_answers_wherever_they_point() -> None:
    plan = adoption(records({"203.0.113.99": 1}))
    assert passes(plan, limits(min_regions=2, max_shift=0))
    assert marker_only(plan, limits(min_regions=2)).plan == plan


def test_a_plan_that_moves_answers_is_no_adoption_whatever_it_says() -> None:
    disguised = replace(move(ALL, {"c": 100}), kind=PlanKind.ADOPT)
    assert blocks(held(disguised, limits(min_regions=2))) == [Limit.MIN_REGIONS]
    with pytest.raises(ValueError, match="changes what"):
        marker_only(disguised, limits())


# -- drift -------------------------------------------------------------------------------------------------------------


def restored(by_hand: RecordSet, after: Mapping[str, float]) -> Plan:
    """The plan over a record that was verified as `ALL` and then edited by hand."""
    good = LastGood(published(TRI, ALL), 7, published(TRI, ALL).shares(REGION_OF), NOW - 9_000)
    plan = compared(TRI, observed(by_hand), published(TRI, after), last_good=good)
    assert isinstance(plan, Plan)
    assert plan.kind is PlanKind.RESTORE
    return tuned(plan)


@pytest.mark.parametrize("by_hand", [records({"203.0.113.99": 1}), published(TRI, {"c": 100})])
def test_a_hand_edit_can_always_be_put_back(by_hand: RecordSet) -> None:
    assert passes(restored(by_hand, ALL), limits(max_shift=5_000, min_regions=2))


def test_a_hand_edit_opens_no_door_to_a_larger_shift() -> None:
    by_hand = published(TRI, {"c": 100})
    assert not passes(restored(by_hand, {"c": 90, "b": 10}), HALF)
    assert passes(restored(by_hand, WITHOUT_A), HALF)


def test_fighting_over_a_record_is_rationed_by_the_number_of_changes() -> None:
    edits = [spent(NOW - age, Cause.RETURNING, 0) for age in (10, 20)]
    assert Limit.MAX_CHANGES in blocks(held(restored(published(TRI, {"c": 100}), ALL), TWICE, *edits))


# -- until is right ----------------------------------------------------------------------------------------------------

moments = st.floats(1.5e9, 2.0e9)
ages = st.floats(0, 4_000)
shares = st.integers(0, 100).map(lambda percent: {"a": percent, "b": 100 - percent})


@given(moments, st.lists(st.tuples(ages, st.integers(0, 100)), max_size=6), shares, shares, st.floats(0.1, 4_000))
def test_until_is_the_moment_at_which_more_of_the_plan_passes(
    now: float,
    steps: list[tuple[float, int]],
    before: dict[str, int],
    after: dict[str, int],
    window: float,
) -> None:
    bounds = limits(max_shift=4_000, shift_window=window, max_changes=2, changes_window=window * 1.7)
    history = [spent(now - age, Cause.TUNING, moved) for age, moved in steps]
    if before == after:
        return
    plan = move(before, after)
    found = paced(plan, bounds, *history, now=now)
    if isinstance(found.result, Approved) or found.result.until is None:
        return
    assert found.result.until > now
    then = paced(plan, bounds, *history, now=found.result.until).result
    assert isinstance(then, Approved | Skipped) or then.until is None or then.until > found.result.until


# -- Approved ----------------------------------------------------------------------------------------------------------


def approved() -> Approved:
    verdict = paced(move(ALL, WITHOUT_A), limits()).result
    assert isinstance(verdict, Approved)
    return verdict


def test_an_approval_carries_its_plan_and_every_check() -> None:
    verdict = approved()
    assert verdict.plan == replace(move(ALL, WITHOUT_A), cause=Cause.TUNING, shifts={Cause.TUNING: 5_000})
    assert verdict.checks == (
        LimitCheck(Limit.NEVER_EMPTY, passed=True, found=2, allowed=1),
        LimitCheck(Limit.MIN_REGIONS, passed=True, found=2, allowed=1),
        LimitCheck(Limit.MAX_SHIFT, passed=True, found=5_000, allowed=WHOLE, window=300.0, cause=Cause.TUNING),
        LimitCheck(Limit.MAX_CHANGES, passed=True, found=1, allowed=6, window=3_600.0, cause=Cause.TUNING),
    )
    assert repr(verdict) == f"Approved({verdict.plan.id})"


def test_nobody_else_makes_an_approval() -> None:
    plan = move(ALL, {"c": 100})
    with pytest.raises(TypeError, match="only the limits"):
        Approved(plan, (), seal=object())
    with pytest.raises(TypeError, match="only the limits"):
        Approved(plan, (), seal=None)


def test_an_approval_cannot_be_turned_into_one_of_another_plan() -> None:
    verdict = approved()
    with pytest.raises(TypeError):
        replace(verdict, plan=move(ALL, {"c": 100}))  # type: ignore[type-var]
    for name in ("plan", "_plan", "_checks", "extra"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(verdict, name, move(ALL, {"c": 100}))
    with pytest.raises((AttributeError, TypeError)):
        del verdict._plan
    assert verdict.plan.after == published(TRI, WITHOUT_A)


def test_an_approval_is_neither_copied_nor_stored() -> None:
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="approval"):
            way(approved())


def test_an_approval_has_no_heirs() -> None:
    with pytest.raises(TypeError, match="approval"):
        type("Forged", (Approved,), {"__init__": lambda _: None})


def test_an_approval_made_without_its_constructor_holds_no_plan() -> None:
    hollow = object.__new__(Approved)
    with pytest.raises(AttributeError):
        _ = hollow.plan
    with pytest.raises((AttributeError, TypeError)):
        hollow._plan = move(ALL, {"c": 100})


def test_equal_inputs_give_equal_verdicts() -> None:
    plan, history = move(ALL, {"c": 100}), [spent(NOW - 70, Cause.TUNING, 30)]
    assert held(plan, HALF, *history) == held(plan, HALF, *history)
