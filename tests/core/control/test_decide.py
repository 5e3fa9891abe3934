"""What a policy wants, scenario by scenario; and that the reasons alone let a person redo the sum."""

from dataclasses import replace

import pytest
from support.scenes import (
    AZURE,
    NOW,
    OCI,
    PAIR,
    TARGET,
    TRIO,
    healths,
    policy,
    published,
    records,
    region,
    rolled,
    wanted,
)
from support.sums import redone, said_shares, told

from failoverd.core.control.decide import decide
from failoverd.core.control.decision import Decision, DecisionKind, View
from failoverd.core.health.endpoint import Health
from failoverd.core.health.region import FIRST_SIGHT
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import (
    WHOLE,
    AllDown,
    Endpoint,
    Policy,
    RecordKey,
    RecordSet,
    RecordSpec,
    RecordType,
    Steering,
)

NORMAL = {"azure": 70, "oci": 30}
A_DAY = 86_400.0


def answers(decision: Decision) -> dict[str, int]:
    assert decision.records is not None
    return {answer.value: answer.weight for answer in decision.records.answers}


def seen(of: Policy, view: View, now: float = NOW) -> Decision:
    return decide(of, of.records[0], of.records[0].targets[0], view, now)


# -- all is well -------------------------------------------------------------------------------------------------------


def test_when_all_is_well_the_shares_of_the_file_are_wanted() -> None:
    decision = wanted(PAIR, {}, NORMAL)
    assert decision.kind is DecisionKind.NORMAL
    assert decision.shares == {"azure": 7_000, "oci": 3_000}
    assert answers(decision) == {"192.0.2.10": 7_000, "198.51.100.10": 3_000}


def test_a_record_that_does_not_exist_is_wanted_with_the_shares_of_the_file() -> None:
    assert wanted(PAIR).shares == {"azure": 7_000, "oci": 3_000}


def test_shares_need_not_sum_to_a_hundred() -> None:
    three = policy(region("a", 1), region("b", 1), region("c", 1))
    assert wanted(three).shares == {"a": 3_334, "b": 3_333, "c": 3_333}


def test_a_standby_gets_nothing_while_the_others_serve() -> None:
    assert wanted(TRIO, {}, NORMAL).shares == {"azure": 7_000, "oci": 3_000}


def test_a_region_splits_its_share_evenly_among_its_serving_endpoints() -> None:
    wide = policy(region("azure", 70, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), OCI)
    decision = wanted(wide, {"azure": "HHUH"}, NORMAL)
    assert decision.shares == {"azure": 7_000, "oci": 3_000}
    assert answers(decision) == {"192.0.2.1": 2_334, "192.0.2.2": 2_333, "192.0.2.4": 2_333, "198.51.100.10": 3_000}


def test_a_region_splits_its_share_by_the_weights_of_its_serving_endpoints() -> None:
    wide = region("azure", 70, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
    of = policy(replace(wide, weights=(1, 3, 1, 2)), OCI)
    split = {"192.0.2.1": 1_000, "192.0.2.2": 3_000, "192.0.2.3": 1_000, "192.0.2.4": 2_000}
    assert answers(wanted(of, {}, NORMAL)) == {**split, "198.51.100.10": 3_000}
    without_one = answers(wanted(of, {"azure": "HHUH"}, NORMAL))
    assert without_one == {"192.0.2.1": 1_167, "192.0.2.2": 3_500, "192.0.2.4": 2_333, "198.51.100.10": 3_000}


def test_a_region_carries_what_its_endpoints_that_serve_weigh() -> None:
    """A quarter of 900 is 225 of 500, by weight; two equal endpoints would carry half."""
    wide = replace(region("azure", 70, "192.0.2.1", "192.0.2.2", capacity=900), weights=(1, 3))
    of = policy(wide, replace(OCI, capacity=900.0), base=replace(PAIR, demand=500.0))
    of = replace(of, health=replace(of.health, down_below=1_000))
    assert wanted(of, {"azure": "HU"}, NORMAL).shares == {"azure": 4_500, "oci": 5_500}
    assert wanted(of, {"azure": "UH"}, NORMAL).shares == {"azure": 7_000, "oci": 3_000}


def test_only_regions_that_the_record_type_can_answer_with_take_part() -> None:
    six = RecordSpec(RecordKey("api.example.com", RecordType.AAAA), 30, (TARGET,))
    both = policy(AZURE, region("oci", 30, "2001:db8::10"))
    view = View({"oci": rolled({"2001:db8::10": Health.HEALTHY}, name="oci")})
    decision = decide(both, six, TARGET, view, NOW)
    assert decision.shares == {"oci": WHOLE}
    assert answers(decision) == {"2001:db8::10": WHOLE}


def test_the_address_of_another_family_is_never_published() -> None:
    mixed = replace(AZURE, endpoints=(*AZURE.endpoints, Endpoint("azure", "2001:db8::10")))
    down = {"azure": rolled("U"), "oci": rolled("U", name="oci")}
    of = policy(mixed, OCI, base=replace(PAIR, when_all_down=AllDown.NORMAL))
    assert answers(seen(of, View(down))) == {"192.0.2.10": 7_000, "198.51.100.10": 3_000}


# -- nothing is written before it is known -----------------------------------------------------------------------------


def test_before_the_first_verdict_nothing_is_wanted() -> None:
    view = View({"azure": rolled("?"), "oci": rolled("H", name="oci")}, published(PAIR, NORMAL), owned=True)
    decision = seen(PAIR, view)
    assert decision.kind is DecisionKind.HOLD_NO_VERDICT
    assert decision.holds
    assert decision.shares == {}
    assert told(decision, "no_verdict") == ["no verdict yet on azure: nothing is written before it is known"]


def test_a_policy_without_a_region_for_the_type_holds() -> None:
    assert seen(PAIR, View({})).kind is DecisionKind.HOLD_NO_VERDICT


def test_when_every_region_is_lost_from_sight_nothing_moves() -> None:
    decision = wanted(PAIR, {"azure": "?", "oci": "?"}, NORMAL)
    assert (decision.kind, decision.records) == (DecisionKind.HOLD_NO_VERDICT, None)


# -- never seen, edited, or one value at a time ------------------------------------------------------------------------


def _blind_standby(watched_for: float) -> tuple[Policy, View]:
    """Region a is down, b serves, and the standby c could never be seen since the start."""
    of = policy(region("a", 50), region("b", 50), region("c", 0))
    found = healths(of, {"a": "U"})
    found["c"] = rolled("?", None, of.health, NOW - watched_for, name="c")
    return of, View(found, published(of, {"a": 50, "b": 50}), owned=True)


def test_a_region_that_was_never_seen_is_waited_for_and_then_keeps_nobody_from_failing_over() -> None:
    assert seen(*_blind_standby(FIRST_SIGHT - 1)).kind is DecisionKind.HOLD_NO_VERDICT
    decision = seen(*_blind_standby(FIRST_SIGHT + 1))
    assert decision.shares == {"b": 10_000}


def test_a_published_region_that_was_never_seen_keeps_its_share() -> None:
    of = policy(region("a", 50), region("b", 50))
    found = healths(of)
    found["a"] = rolled("?", None, of.health, NOW - FIRST_SIGHT - 1, name="a")
    value = next(iter(published(of, {"a": 100}).answers)).value
    found["a"] = replace(found["a"], unknown=(value,))
    decision = seen(of, View(found, published(of, {"a": 50, "b": 50}), owned=True))
    assert decision.shares == {"a": 5_000, "b": 5_000}


def test_a_record_that_does_not_exist_is_not_created_before_every_region_was_seen() -> None:
    of, view = _blind_standby(A_DAY)
    assert seen(of, replace(view, current=None, owned=False)).kind is DecisionKind.HOLD_NO_VERDICT


def test_an_address_that_was_replaced_in_the_file_is_no_return_of_its_region() -> None:
    """The old address still carries the region's traffic; the new one, once well, takes over its share at once."""
    of = policy(region("a", 50), region("b", 50))
    old = records({"203.0.113.77": 5_000} | {answer.value: 5_000 for answer in published(of, {"b": 100}).answers})
    well = View(healths(of, well_for=1.0), old, owned=True, last_good=old, last_shares={"a": 5_000, "b": 5_000})
    decision = seen(of, well)
    assert decision.kind is DecisionKind.NORMAL
    assert decision.shares == {"a": 5_000, "b": 5_000}
    assert "203.0.113.77" not in answers(decision)


@pytest.mark.parametrize(
    ("states", "goes_to"), [({}, "a"), ({"a": "D"}, "a"), ({"a": "U"}, "b"), ({"a": "U", "b": "U"}, "c")]
)
def test_a_record_of_one_value_gives_everything_to_the_first_region_that_serves(
    states: dict[str, str], goes_to: str
) -> None:
    regions = (region("a", 0, priority=1), region("b", 0, priority=2), region("c", 0, priority=3))
    of = replace(policy(*regions), steering=Steering.FAILOVER)
    of = replace(of, records=(replace(of.records[0], single=True),))
    decision = seen(of, View(healths(of, states), published(of, {"a": 100}), owned=True))
    assert decision.shares == {goes_to: 10_000}
    assert (decision.kind is DecisionKind.NORMAL) == (goes_to == "a")


# -- lost from sight ---------------------------------------------------------------------------------------------------


def test_a_region_that_is_lost_from_sight_keeps_its_share_and_the_others_share_the_rest() -> None:
    three = policy(region("a", 50), region("b", 30), region("c", 20))
    decision = wanted(three, {"a": "?", "b": "U"}, {"a": 50, "b": 30, "c": 20})
    assert decision.kind is DecisionKind.FAILOVER
    assert decision.shares == {"a": 5_000, "c": 5_000}
    assert told(decision, "frozen") == ["a is lost from sight and keeps its 50%"]


def test_a_region_lost_from_sight_that_has_no_traffic_gets_none() -> None:
    decision = wanted(TRIO, {"aws": "?", "azure": "U"}, NORMAL)
    assert decision.shares == {"oci": WHOLE}


def test_frozen_regions_that_hold_everything_leave_nothing_to_decide() -> None:
    decision = wanted(PAIR, {"azure": "?"}, {"azure": 100})
    assert decision.shares == {"azure": WHOLE}


def test_an_endpoint_without_a_verdict_stays_if_it_is_published_and_stays_out_if_not() -> None:
    wide = policy(region("azure", 70, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), OCI)
    now_answered = records({"192.0.2.1": 3_500, "192.0.2.4": 3_500, "198.51.100.10": 3_000})
    view = View(healths(wide, {"azure": "HH??"}), now_answered, owned=True)
    decision = seen(wide, view)
    assert set(answers(decision)) == {"192.0.2.1", "192.0.2.2", "192.0.2.4", "198.51.100.10"}


def test_a_down_region_that_is_lost_from_sight_does_not_stop_the_others_from_failing_over() -> None:
    three = policy(region("a", 50), region("b", 30), region("c", 20))
    a_down = healths(three, {"a": "U"}, now=NOW - 600)
    later = healths(three, {"a": "?", "b": "U"}, before=a_down)
    decision = seen(three, View(later, published(three, {"b": 60, "c": 40}), owned=True))
    assert decision.kind is DecisionKind.FAILOVER
    assert decision.shares == {"c": WHOLE}


def test_a_region_lost_from_sight_whose_published_endpoints_are_down_lets_go_of_its_share() -> None:
    wide = policy(region("azure", 70, "192.0.2.1", "192.0.2.2"), OCI)
    view = View(healths(wide, {"azure": "U?"}), records({"192.0.2.1": 7_000, "198.51.100.10": 3_000}), owned=True)
    decision = seen(wide, view)
    assert decision.shares == {"oci": WHOLE}
    assert answers(decision) == {"198.51.100.10": WHOLE}
    assert told(decision, "released") == [
        "azure is lost from sight, and what it answers with is down: its 70% goes to others"
    ]


def test_such_a_region_alone_never_empties_the_answer() -> None:
    wide = policy(region("azure", 70, "192.0.2.1", "192.0.2.2"), OCI)
    view = View(healths(wide, {"azure": "U?"}), records({"192.0.2.1": WHOLE}), owned=True)
    decision = seen(wide, view)
    assert decision.records is None or decision.records.serving


def test_what_is_only_lost_from_sight_is_preferred_to_what_is_known_to_be_down() -> None:
    careless = replace(PAIR, when_all_down=AllDown.NORMAL)
    decision = wanted(careless, {"azure": "U", "oci": "?"}, {"oci": 100})
    assert decision.kind is DecisionKind.HOLD_NO_VERDICT
    assert decision.holds


# -- everything down ---------------------------------------------------------------------------------------------------

DOWN = {"azure": "U", "oci": "U"}


def test_when_everything_is_down_keep_moves_nothing() -> None:
    decision = wanted(PAIR, DOWN, {"oci": 100})
    assert (decision.kind, decision.records) == (DecisionKind.HOLD_ALL_DOWN, None)


def test_when_everything_is_down_normal_publishes_as_if_all_were_well() -> None:
    decision = wanted(replace(PAIR, when_all_down=AllDown.NORMAL), DOWN, {"oci": 100})
    assert decision.kind is DecisionKind.ALL_DOWN_NORMAL
    assert answers(decision) == {"192.0.2.10": 7_000, "198.51.100.10": 3_000}


def test_keep_does_not_create_a_record_out_of_nothing() -> None:
    assert wanted(PAIR, DOWN).holds


def test_an_emptied_record_gets_its_last_good_answer_back_during_a_hold() -> None:
    good = records({"198.51.100.10": WHOLE})
    decision = seen(PAIR, View(healths(PAIR, DOWN), records({}), owned=True, last_good=good))
    assert decision.kind is DecisionKind.RESTORE_LAST_GOOD
    assert decision.records == good
    assert decision.shares == {"oci": WHOLE}


def test_the_same_when_record_and_marker_are_both_gone() -> None:
    good = records({"198.51.100.10": WHOLE})
    decision = seen(PAIR, View(healths(PAIR, DOWN), None, owned=False, last_good=good))
    assert decision.kind is DecisionKind.RESTORE_LAST_GOOD


def test_a_last_good_answer_is_put_back_without_addresses_that_the_policy_gave_up() -> None:
    good = records({"198.51.100.10": 5_000, "192.0.2.99": 5_000})
    decision = seen(PAIR, View(healths(PAIR, DOWN), None, owned=True, last_good=good))
    assert answers(decision) == {"198.51.100.10": 5_000}
    assert decision.shares == {"oci": WHOLE}


def test_an_emptied_record_of_which_nothing_is_known_gets_the_normal_answer_even_when_all_is_down() -> None:
    for good in (None, records({"192.0.2.99": WHOLE})):
        decision = seen(PAIR, View(healths(PAIR, DOWN), records({}), owned=True, last_good=good))
        assert decision.kind is DecisionKind.ALL_DOWN_NORMAL
        assert decision.shares == {"azure": 7_000, "oci": 3_000}


def test_an_answer_whose_weights_are_all_zero_counts_as_emptied() -> None:
    zeros = records({"192.0.2.10": 0, "198.51.100.10": 0})
    decision = seen(PAIR, View(healths(PAIR), zeros, owned=True))
    assert decision.shares == {"azure": 7_000, "oci": 3_000}


# -- failover and failback ---------------------------------------------------------------------------------------------


def test_a_region_that_is_down_gives_its_share_to_the_others_by_their_shares() -> None:
    three = policy(region("a", 50), region("b", 30), region("c", 20))
    decision = wanted(three, {"a": "U"}, {"a": 50, "b": 30, "c": 20})
    assert decision.kind is DecisionKind.FAILOVER
    assert decision.shares == {"b": 6_000, "c": 4_000}


def test_the_standby_takes_over_when_nothing_with_a_share_serves() -> None:
    assert wanted(TRIO, DOWN, NORMAL).shares == {"aws": WHOLE}


def test_standbys_take_over_in_the_order_of_their_priority() -> None:
    of = policy(AZURE, region("second", 0, priority=2), region("third", 0, priority=3))
    assert wanted(of, {"azure": "U"}, {"azure": 100}).shares == {"second": WHOLE}
    assert wanted(of, {"azure": "U", "second": "U"}, {"azure": 100}).shares == {"third": WHOLE}


def test_a_region_that_comes_back_waits_until_it_has_been_well_for_long_enough() -> None:
    assert wanted(PAIR, {}, {"oci": 100}, well_for=120).shares == {"oci": WHOLE}
    decision = wanted(PAIR, {}, {"oci": 100}, well_for=120)
    assert told(decision, "failback_hold") == ["azure has been well for 120s of the 300s before it gets traffic"]
    assert wanted(PAIR, {}, {"oci": 100}, well_for=299.9).shares == {"oci": WHOLE}
    assert wanted(PAIR, {}, {"oci": 100}, well_for=300).shares == {"azure": 7_000, "oci": 3_000}


def test_a_clock_that_steps_back_lengthens_the_hold_and_says_nothing_absurd() -> None:
    decision = wanted(PAIR, {}, {"oci": 100}, well_for=-50)
    assert told(decision, "failback_hold") == ["azure has been well for 0s of the 300s before it gets traffic"]


def test_with_manual_failback_a_person_brings_the_region_back() -> None:
    by_hand = replace(PAIR, failback_after=None)
    decision = wanted(by_hand, {}, {"oci": 100}, well_for=A_DAY)
    assert decision.shares == {"oci": WHOLE}
    assert "failoverctl plan --return azure" in told(decision, "failback_manual")[0]
    assert wanted(by_hand, {}, {"oci": 100}, returning={"azure"}).shares == {"azure": 7_000, "oci": 3_000}


def test_a_person_may_end_the_hold_early() -> None:
    assert wanted(PAIR, {}, {"oci": 100}, well_for=1, returning={"azure"}).kind is DecisionKind.NORMAL


def test_the_hold_is_waived_when_the_others_cannot_carry_the_traffic() -> None:
    small = policy(
        region("azure", 70, capacity=1_000), region("oci", 30, capacity=400), base=replace(PAIR, demand=1_000)
    )
    decision = wanted(small, {}, {"oci": 100}, well_for=10)
    assert decision.shares == {"azure": 7_000, "oci": 3_000}
    assert told(decision, "failback_waived") == [
        "azure is let in before its failback is due: no other region can carry the traffic"
    ]


def test_a_hold_that_makes_no_difference_is_not_worth_a_word() -> None:
    decision = wanted(TRIO, {}, NORMAL, well_for=10)
    assert not told(decision, "failback_hold")


def test_a_hold_never_keeps_traffic_on_a_region_that_is_down() -> None:
    assert wanted(PAIR, {"oci": "U"}, {"oci": 100}, well_for=10).shares == {"azure": WHOLE}


def test_emptying_the_record_does_not_end_a_hold() -> None:
    by_hand = replace(PAIR, failback_after=None)
    view = View(healths(by_hand), records({}), owned=True, last_good=records({"198.51.100.10": WHOLE}))
    decision = seen(by_hand, view)
    assert decision.shares == {"oci": WHOLE}


def test_emptying_the_record_does_not_take_a_region_lost_from_sight_out() -> None:
    view = View(healths(PAIR, {"azure": "?"}), records({}), owned=True, last_good=published(PAIR, NORMAL))
    assert seen(PAIR, view).shares == {"azure": 7_000, "oci": 3_000}


def test_editing_a_region_out_by_hand_does_not_make_a_manual_failback_of_it() -> None:
    by_hand = replace(PAIR, failback_after=None)
    edited = View(
        healths(by_hand),
        published(PAIR, {"oci": 100}),
        owned=True,
        last_good=published(PAIR, NORMAL),
        drifted=True,
    )
    assert seen(by_hand, edited).shares == {"azure": 7_000, "oci": 3_000}


# -- degraded ----------------------------------------------------------------------------------------------------------


def test_a_degraded_region_pulls_less() -> None:
    of = policy(region("azure", 40), region("oci", 60))
    decision = wanted(of, {"azure": "D"}, {"azure": 40, "oci": 60})
    assert decision.shares == {"azure": 2_500, "oci": 7_500}
    assert told(decision, "pull") == ["azure pulls 20% (share 40% x score 50%)", "oci pulls 60% (share 60%)"]


def test_a_degraded_region_of_unknown_capacity_gets_no_more_than_its_score() -> None:
    decision = wanted(PAIR, {"azure": "D"}, NORMAL)
    assert decision.shares == {"azure": 5_000, "oci": 5_000}  # by pull alone it would be 35 to 30
    assert told(decision, "capacity") == ["azure would get 53.85% but can carry 50% (score 50%)"]


def test_a_healthy_region_pulls_in_full_though_an_endpoint_is_missing() -> None:
    wide = policy(region("azure", 70, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), OCI)
    assert wanted(wide, {"azure": "HHHU"}, NORMAL).shares == {"azure": 7_000, "oci": 3_000}


def test_a_degraded_region_alone_carries_everything_and_it_is_called_overload() -> None:
    decision = wanted(PAIR, {"azure": "D", "oci": "U"}, NORMAL)
    assert decision.shares == {"azure": WHOLE}
    assert told(decision, "overload")


# -- priorities --------------------------------------------------------------------------------------------------------


def failover(*regions: tuple[str, int, float, float | None], demand: float | None = None) -> Policy:
    specs = [region(name, share, priority=priority, capacity=capacity) for name, priority, share, capacity in regions]
    return policy(*specs, base=replace(PAIR, steering=Steering.FAILOVER, demand=demand))


def test_failover_sends_everything_to_the_first_priority_that_serves() -> None:
    of = failover(("a", 1, 100, None), ("b", 2, 100, None), ("c", 3, 100, None))
    assert wanted(of).shares == {"a": WHOLE}
    assert wanted(of, {"a": "U"}, {"a": 100}).shares == {"b": WHOLE}
    assert wanted(of, {"a": "U", "b": "U"}, {"a": 100}).shares == {"c": WHOLE}


def test_failover_spills_what_the_first_priority_cannot_carry() -> None:
    of = failover(("a", 1, 100, 600.0), ("b", 2, 100, 300.0), ("c", 3, 100, 900.0), demand=1_000)
    decision = wanted(of)
    assert decision.shares == {"a": 6_000, "b": 3_000, "c": 1_000}
    assert told(decision, "spill") == ["a can carry 60%: 40% spills over", "b can carry 30%: 10% spills over"]


def test_failover_without_shares_splits_a_priority_evenly() -> None:
    assert wanted(failover(("a", 1, 0, None), ("b", 1, 0, None), ("c", 2, 0, None))).shares == {"a": 5_000, "b": 5_000}


def test_failover_gives_not_one_basis_point_to_a_share_of_zero_beside_a_share() -> None:
    of = failover(("a", 1, 100, None), ("b", 1, 0, None), ("c", 2, 100, None))
    assert wanted(of).shares == {"a": WHOLE}
    assert wanted(of, {"a": "U"}, {"a": 100}).shares == {"b": WHOLE}


# -- capacity ----------------------------------------------------------------------------------------------------------


def sized(demand: float | None, *regions: tuple[str, float, float | None]) -> Policy:
    return policy(*(region(n, share, capacity=c) for n, share, c in regions), base=replace(PAIR, demand=demand))


def test_no_region_gets_more_than_it_can_carry_and_the_rest_fills_the_others() -> None:
    of = sized(1_000, ("a", 50, 1_000), ("b", 30, 350), ("c", 20, 900))
    decision = wanted(of, {"a": "U"}, {"a": 50, "b": 30, "c": 20})
    assert decision.shares == {"b": 3_500, "c": 6_500}
    assert told(decision, "capacity") == ["b would get 60% but can carry 35% (score 100% x capacity 350 / demand 1000)"]


def test_filling_one_region_may_fill_the_next() -> None:
    of = sized(1_000, ("a", 60, 100), ("b", 30, 310), ("c", 10, 900))
    assert wanted(of).shares == {"a": 1_000, "b": 3_100, "c": 5_900}


def test_when_nothing_fits_overloaded_beats_shut() -> None:
    of = sized(1_000, ("a", 50, 300), ("b", 50, 100))
    decision = wanted(of)
    assert decision.shares == {"a": 7_500, "b": 2_500}
    assert told(decision, "overload") == [
        "60% fits nowhere: it is split by what each region can carry (a 30%, b 10%); overloaded beats shut"
    ]


def test_capacity_far_below_demand_still_answers() -> None:
    of = sized(1e12, ("a", 50, 1), ("b", 50, 3))
    assert wanted(of).shares == {"a": 2_500, "b": 7_500}


def test_a_region_of_no_capacity_gets_nothing() -> None:
    of = sized(1_000, ("a", 50, 0), ("b", 50, 2_000))
    assert wanted(of).shares == {"b": WHOLE}


def test_regions_that_all_claim_no_capacity_fail_open_evenly() -> None:
    of = sized(1_000, ("a", 50, 0), ("b", 50, 0))
    assert wanted(of).shares == {"a": 5_000, "b": 5_000}


@pytest.mark.parametrize("demand", [None, 0.0])
def test_without_a_demand_everything_fits(demand: float | None) -> None:
    assert wanted(sized(demand, ("a", 50, 1), ("b", 50, 1))).shares == {"a": 5_000, "b": 5_000}


def test_a_region_that_lost_endpoints_can_carry_less() -> None:
    wide = region("a", 50, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", capacity=600)
    of = policy(wide, region("b", 50, capacity=900), base=replace(PAIR, demand=1_000))
    decision = wanted(of, {"a": "HHHU"})
    assert decision.shares == {"a": 4_500, "b": 5_500}


# -- rounding ----------------------------------------------------------------------------------------------------------


def test_rounding_loses_no_region() -> None:
    of = policy(region("giant", 100), *(region(f"tiny-{n}", 0.01) for n in range(5)), base=PAIR)
    giants = policy(replace(of.regions[0], share=1_000_000_000), *of.regions[1:])
    shares = wanted(giants).shares
    assert shares == {"giant": 9_995} | {f"tiny-{n}": 1 for n in range(5)}


def test_a_share_of_one_basis_point_publishes_one_endpoint_and_no_weight_of_zero() -> None:
    of = policy(replace(region("tiny", 0, "10.1.1.1", "10.1.1.2", "10.1.1.3"), share=1), replace(AZURE, share=9_999))
    assert answers(wanted(of)) == {"192.0.2.10": 9_999, "10.1.1.1": 1}


def test_three_hundred_regions_keep_a_share_each() -> None:
    of = policy(*(region(f"r{n:03}", 1 + n % 7) for n in range(300)))
    decision = wanted(of)
    assert len(decision.shares) == 300
    assert sum(decision.shares.values()) == WHOLE
    held = wanted(of, {}, {"r000": 100}, well_for=1)
    assert held.shares == {"r000": WHOLE}


# -- reasons -----------------------------------------------------------------------------------------------------------


def test_every_region_is_named_with_its_state_its_score_and_its_evidence() -> None:
    decision = wanted(PAIR, {"azure": "U"}, NORMAL)
    azure, oci = decision.reasons[:2]
    assert (azure.code, azure.region, azure.rule) == (ReasonCode.REGION_DOWN, "azure", "health.down_below")
    assert (azure.numbers, azure.detail) == ({"score": 0.0}, "192.0.2.10 unhealthy (said to be unhealthy)")
    assert (oci.code, oci.region, oci.rule) == (ReasonCode.REGION_HEALTHY, "oci", "health")
    assert (oci.numbers, oci.detail) == ({"score": 10_000.0}, "")


SUMS = [
    (PAIR, {}, NORMAL),
    (PAIR, {"azure": "U"}, NORMAL),
    (PAIR, {"azure": "D"}, NORMAL),
    (PAIR, {"azure": "D", "oci": "D"}, NORMAL),
    (PAIR, {"azure": "D", "oci": "U"}, NORMAL),
    (TRIO, DOWN, NORMAL),
    (policy(region("a", 50), region("b", 30), region("c", 20)), {"a": "?", "b": "D"}, {"a": 50, "b": 30, "c": 20}),
    (sized(1_000, ("a", 50, 1_000), ("b", 30, 350), ("c", 20, 900)), {"a": "U"}, {"a": 50, "b": 30, "c": 20}),
    (sized(1_000, ("a", 60, 100), ("b", 30, 310), ("c", 10, 900)), {}, None),
    (sized(1_000, ("a", 50, 300), ("b", 50, 100)), {}, None),
    (sized(7_777, ("a", 33.33, 1_234), ("b", 33.33, 5_678), ("c", 33.34, 999)), {"a": "D"}, None),
    (failover(("a", 1, 100, 600.0), ("b", 2, 100, 300.0), ("c", 3, 100, 50.0), demand=1_000), {}, None),
    (failover(("a", 1, 0, None), ("b", 1, 0, None), ("c", 2, 0, None)), {"a": "D"}, None),
]


@pytest.mark.parametrize(("of", "states", "shares"), SUMS)
def test_the_reasons_alone_let_a_person_redo_the_sum(
    of: Policy, states: dict[str, str], shares: dict[str, float] | None
) -> None:
    decision = wanted(of, states, shares)
    expected = {name: share / 100 for name, share in decision.shares.items()}
    assert said_shares(decision) == pytest.approx(expected)
    assert redone(decision) == pytest.approx(expected, abs=0.02)


def test_a_region_that_passes_and_flapped_says_until_when_it_is_out_and_which_endpoints_are() -> None:
    found = healths(PAIR, {"azure": "U"})
    found["azure"] = replace(found["azure"], flapped=("192.0.2.10",), flapping_until=NOW + 600)
    view = View(found, published(PAIR, {"oci": 100}), owned=True)
    decision = seen(PAIR, view)
    (reason,) = (each for each in decision.reasons if each.code is ReasonCode.FLAPPED)
    assert (reason.region, reason.named, reason.numbers) == ("azure", ("azure/192.0.2.10",), {"until": NOW + 600})
    assert decision.until == NOW + 600
    over = seen(PAIR, view, NOW + 600)
    assert (told(over, "flapped"), over.until) == ([], None)


# -- a pure function ---------------------------------------------------------------------------------------------------


def test_equal_inputs_give_equal_outputs_in_whatever_order_the_mappings_come() -> None:
    found = healths(TRIO, {"azure": "D"})
    one = seen(TRIO, View(found, published(TRIO, NORMAL), owned=True))
    other = seen(TRIO, View(dict(reversed(found.items())), published(TRIO, NORMAL), owned=True))
    assert one == other


def test_deciding_again_after_the_change_wants_no_change() -> None:
    of = sized(1_000, ("a", 50, 300), ("b", 50, 100), ("c", 0, 100))
    first = wanted(of, {"b": "D"}, {"a": 100}, well_for=10)
    assert isinstance(first.records, RecordSet)
    again = seen(of, View(healths(of, {"b": "D"}, well_for=10), first.records, owned=True))
    assert again.records == first.records
