"""The limits, with their numbers; what they must not block; and that nothing else can approve a plan."""

import copy
import pickle
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scenes import (
    KEY,
    NOW,
    OWNER,
    PAIR,
    compared,
    decision,
    observed,
    past,
    plan_between,
    policy,
    published,
    records,
    region,
)

from failoverd.core.guard import Approved, Held, Limit, LimitCheck, PastChange, review, shift
from failoverd.core.plan import LastGood, Plan, PlanKind, adopt
from failoverd.core.records import ELSEWHERE, WHOLE, Limits, RecordSet

TRI = policy(region("a", 50), region("b", 30), region("c", 20))
ALL = {"a": 50, "b": 30, "c": 20}


def move(before: Mapping[str, float] | None, after: Mapping[str, float]) -> Plan:
    return plan_between(TRI, before, after)


def held(plan: Plan, limits: Limits, *history: PastChange, now: float = NOW) -> Held:
    verdict = review(plan, limits, history, now)
    assert isinstance(verdict, Held)
    return verdict


def passes(plan: Plan, limits: Limits, *history: PastChange, now: float = NOW) -> bool:
    return isinstance(review(plan, limits, history, now), Approved)


def blocks(verdict: Held) -> list[Limit]:
    return [check.limit for check in verdict.blocking]


# -- never empty -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [records({}), records({"10.0.0.1": 0})])
@pytest.mark.parametrize("kind", list(PlanKind))
def test_an_empty_answer_is_never_approved(after: RecordSet, kind: PlanKind) -> None:
    plan = replace(move(ALL, ALL | {"a": 49, "b": 31}), after=after, shares_after={}, kind=kind)
    verdict = held(plan, Limits(min_regions=0))
    assert Limit.NEVER_EMPTY in blocks(verdict)
    assert verdict.until is None


def test_not_even_as_the_rebuilding_of_an_empty_one() -> None:
    plan = replace(move(None, ALL), after=records({}), shares_after={})
    assert blocks(held(plan, Limits())) == [Limit.NEVER_EMPTY]


# -- min_regions -------------------------------------------------------------------------------------------------------


def test_fewer_regions_than_min_regions_are_held_and_only_a_person_can_help() -> None:
    verdict = held(move(ALL, {"b": 100}), Limits(min_regions=2))
    assert blocks(verdict) == [Limit.MIN_REGIONS]
    assert str(verdict.blocking[0]) == "min_regions: 1 regions, not within at least 2 regions"
    assert verdict.until is None


def test_exactly_min_regions_pass() -> None:
    assert passes(move(ALL, {"b": 60, "c": 40}), Limits(min_regions=2))


def test_answers_elsewhere_are_no_region() -> None:
    plan = move(ALL, {"b": 60, "c": 40})
    away = replace(plan, shares_after={"b": 6_000, ELSEWHERE: 4_000})
    assert blocks(held(away, Limits(min_regions=2))) == [Limit.MIN_REGIONS]


def test_a_record_that_is_narrower_already_may_leave_a_dead_region() -> None:
    assert passes(move({"b": 100}, {"c": 100}), Limits(min_regions=2))
    assert blocks(held(move({"b": 60, "c": 40}, {"c": 100}), Limits(min_regions=3))) == [Limit.MIN_REGIONS]


# -- max_shift ---------------------------------------------------------------------------------------------------------

HALF = Limits(max_shift=5_000, shift_window=300.0)


def test_a_shift_is_what_is_somewhere_else_afterwards() -> None:
    assert shift({"a": 7_000, "b": 3_000}, {"a": 7_000, "b": 3_000}) == 0
    assert shift({"a": 7_000, "b": 3_000}, {"b": WHOLE}) == 7_000
    assert shift({"a": 5_000, "b": 5_000}, {"c": WHOLE}) == WHOLE


def test_a_shift_of_exactly_the_limit_passes_and_one_basis_point_more_does_not() -> None:
    assert passes(move(ALL, {"b": 60, "c": 40}), HALF)
    verdict = held(move(ALL, {"b": 60, "c": 40}), replace(HALF, max_shift=4_999))
    assert str(verdict.blocking[0]) == "max_shift: 50%, not within 49.99% per 300s"


def test_a_single_move_beyond_the_limit_can_only_be_helped_by_a_person() -> None:
    assert held(move(ALL, {"c": 100}), HALF).until is None


def test_a_slow_walk_adds_up() -> None:
    step = past(NOW - 100, {"a": 100}, {"a": 60, "b": 40})
    verdict = held(move({"a": 60, "b": 40}, {"a": 20, "b": 80}), HALF, step)
    assert blocks(verdict) == [Limit.MAX_SHIFT]
    assert verdict.until == NOW + 200


def test_a_walk_slower_than_the_window_is_fine() -> None:
    steps = [past(NOW - 300, {"a": 100}, {"a": 60, "b": 40})]
    assert passes(move({"a": 60, "b": 40}, {"a": 20, "b": 80}), HALF, *steps)


def test_going_out_and_coming_back_does_not_add_up() -> None:
    out = past(NOW - 60, ALL, {"b": 60, "c": 40})
    assert passes(move({"b": 60, "c": 40}, ALL), HALF, out)


def test_going_out_coming_back_and_going_out_again_does_not_either() -> None:
    out, back = past(NOW - 120, ALL, {"b": 60, "c": 40}), past(NOW - 60, {"b": 60, "c": 40}, ALL)
    assert passes(move(ALL, {"b": 60, "c": 40}), HALF, out, back)


def test_history_may_come_in_any_order() -> None:
    steps = [past(NOW - 200, {"a": 100}, {"a": 80, "b": 20}), past(NOW - 100, {"a": 80, "b": 20}, {"a": 60, "b": 40})]
    plan = move({"a": 60, "b": 40}, {"a": 45, "b": 55})
    one, other = held(plan, HALF, *steps), held(plan, HALF, *reversed(steps))
    assert one == other
    assert one.until == NOW + 100


def test_shares_that_stood_at_the_start_of_the_window_count_and_older_ones_do_not() -> None:
    steps = [past(NOW - 301, {"c": 100}, {"a": 100}), past(NOW - 299, {"a": 100}, {"a": 60, "b": 40})]
    assert passes(move({"a": 60, "b": 40}, {"a": 50, "b": 50}), HALF, *steps)


# -- max_changes -------------------------------------------------------------------------------------------------------

TWICE = Limits(max_changes=2, changes_window=3_600.0)


def test_no_more_changes_than_allowed_in_the_window_and_it_says_when_the_next_may() -> None:
    first, second = past(NOW - 3_000, ALL, ALL), past(NOW - 10, ALL, ALL)
    plan = move(ALL, {"b": 60, "c": 40})
    assert passes(plan, TWICE, second)
    verdict = held(plan, TWICE, first, second)
    assert blocks(verdict) == [Limit.MAX_CHANGES]
    assert verdict.until == NOW + 600
    assert str(verdict.blocking[0]) == "max_changes: change 3, not within 2 per 3600s"


def test_until_waits_for_both_windows() -> None:
    limits = Limits(max_changes=1, changes_window=3_600.0, max_shift=5_000, shift_window=300.0)
    step = past(NOW - 100, {"a": 100}, {"a": 60, "b": 40})
    assert held(move({"a": 60, "b": 40}, {"a": 20, "b": 80}), limits, step).until == NOW + 3_500


def test_no_budget_at_all_is_for_a_person() -> None:
    assert held(move(ALL, {"b": 60, "c": 40}), Limits(max_changes=0)).until is None


def test_a_change_from_the_future_of_a_clock_that_stepped_back_counts() -> None:
    assert not passes(move(ALL, {"b": 60, "c": 40}), Limits(max_changes=1), past(NOW + 50, ALL, ALL))


# -- what is not rationed ----------------------------------------------------------------------------------------------

NOTHING = Limits(min_regions=3, max_shift=0, max_changes=0)


@pytest.mark.parametrize("found", [None, records({}), records({"10.0.0.1": 0})])
def test_rebuilding_an_empty_record_is_not_rationed(found: RecordSet | None) -> None:
    plan = compared(TRI, observed(found), published(TRI, {"b": 100}))
    assert isinstance(plan, Plan)
    verdict = review(plan, NOTHING, [past(NOW - 1, ALL, {"b": 100})], NOW)
    assert isinstance(verdict, Approved)
    assert [check.note != "" for check in verdict.checks] == [False, True, True, True]


def test_a_plan_is_a_rebuilding_only_if_nothing_stands_there() -> None:
    claims = replace(move(ALL, {"c": 100}), shares_before={})
    assert blocks(held(claims, NOTHING)) == [Limit.MIN_REGIONS, Limit.MAX_SHIFT, Limit.MAX_CHANGES]


def adoption(found: RecordSet) -> Plan:
    region_of = TRI.region_of(KEY.type)
    seen = observed(found, generation=None)
    plan = adopt(seen, decision({}, found), plan_id="chg-1", owner=OWNER, region_of=region_of, revision="r1")
    assert isinstance(plan, Plan)
    return plan


def test_adoption_leaves_the_answers_wherever_they_point() -> None:
    assert passes(adoption(records({"203.0.113.99": 1})), Limits(min_regions=2, max_shift=0))


def test_a_plan_that_moves_answers_is_no_adoption_whatever_it_says() -> None:
    disguised = replace(move(ALL, {"c": 100}), kind=PlanKind.ADOPT)
    assert blocks(held(disguised, Limits(min_regions=2))) == [Limit.MIN_REGIONS]


# -- drift -------------------------------------------------------------------------------------------------------------


def restored(by_hand: RecordSet, after: Mapping[str, float]) -> Plan:
    """The plan over a record that was verified as `ALL` and then edited by hand."""
    good = LastGood(published(TRI, ALL), 7, published(TRI, ALL).shares(TRI.region_of(KEY.type)), NOW - 9_000)
    plan = compared(TRI, observed(by_hand), published(TRI, after), last_good=good)
    assert isinstance(plan, Plan)
    assert plan.kind is PlanKind.RESTORE
    return plan


@pytest.mark.parametrize("by_hand", [records({"203.0.113.99": 1}), published(TRI, {"c": 100})])
def test_a_hand_edit_can_always_be_put_back(by_hand: RecordSet) -> None:
    assert passes(restored(by_hand, ALL), Limits(max_shift=5_000, min_regions=2))


def test_a_hand_edit_opens_no_door_to_a_larger_shift() -> None:
    by_hand = published(TRI, {"c": 100})
    assert blocks(held(restored(by_hand, {"c": 90, "b": 10}), HALF)) == [Limit.MAX_SHIFT]
    assert passes(restored(by_hand, {"b": 60, "c": 40}), HALF)


def test_fighting_over_a_record_is_rationed_by_the_number_of_changes() -> None:
    edits = [past(NOW - age, {"c": 100}, ALL) for age in (10, 20)]
    assert Limit.MAX_CHANGES in blocks(held(restored(published(TRI, {"c": 100}), ALL), TWICE, *edits))


# -- until is right ----------------------------------------------------------------------------------------------------

moments = st.floats(1.5e9, 2.0e9)
ages = st.floats(0, 4_000)
shares = st.integers(0, 100).map(lambda percent: {"a": percent, "b": 100 - percent})


@given(moments, st.lists(st.tuples(ages, shares, shares), max_size=6), shares, shares, st.floats(0.1, 4_000))
def test_until_is_the_moment_at_which_the_plan_passes(
    now: float,
    steps: list[tuple[float, dict[str, int], dict[str, int]]],
    before: dict[str, int],
    after: dict[str, int],
    window: float,
) -> None:
    limits = Limits(max_shift=4_000, shift_window=window, max_changes=2, changes_window=window * 1.7)
    history = [past(now - age, one, other) for age, one, other in steps]
    if before == after:
        return
    plan = move(before, after)
    verdict = review(plan, limits, history, now)
    alone = shift(plan.shares_before, plan.shares_after) <= limits.max_shift
    if isinstance(verdict, Approved):
        return
    assert (verdict.until is not None) == alone
    if verdict.until is not None:
        assert verdict.until > now
        assert passes(plan, limits, *history, now=verdict.until)


# -- Approved ----------------------------------------------------------------------------------------------------------


def approved() -> Approved:
    verdict = review(move(ALL, {"b": 60, "c": 40}), Limits(), [], NOW)
    assert isinstance(verdict, Approved)
    return verdict


def test_an_approval_carries_its_plan_and_every_check() -> None:
    verdict = approved()
    assert verdict.plan == move(ALL, {"b": 60, "c": 40})
    assert [check.limit for check in verdict.checks] == list(Limit)
    assert all(check.passed for check in verdict.checks)
    assert repr(verdict) == "Approved(chg-1)"
    assert [str(check) for check in verdict.checks] == [
        "never_empty: 2 answers, within at least 1",
        "min_regions: 2 regions, within at least 1 regions",
        "max_shift: 50%, within 100% per 300s",
        "max_changes: change 1, within 6 per 3600s",
    ]


def test_a_note_is_said_with_its_check() -> None:
    check = LimitCheck(Limit.MAX_SHIFT, True, "0%", "70%", "nothing is answered now")
    assert str(check) == "max_shift: 0%, within 70% (nothing is answered now)"


def test_nobody_else_makes_an_approval() -> None:
    plan = move(ALL, {"c": 100})
    with pytest.raises(TypeError, match="only guard"):
        Approved(plan, (), seal=object())
    with pytest.raises(TypeError, match="only guard"):
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
    assert verdict.plan == move(ALL, {"b": 60, "c": 40})


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
    plan, history = move(ALL, {"c": 100}), [past(NOW - 1, ALL, ALL)]
    assert held(plan, HALF, *history) == held(plan, HALF, *history)


def test_the_pair_of_the_examples_can_lose_either_region_under_its_limit() -> None:
    limits = Limits(max_shift=7_000)
    for gone, other in (("azure", "oci"), ("oci", "azure")):
        assert passes(plan_between(PAIR, {"azure": 70, "oci": 30}, {other: 100}), limits), gone
