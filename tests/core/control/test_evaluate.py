"""Limits by cause, step by step as the daemon goes: what is down leaves, what tunes is rationed, nothing is silent."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from support.approving import limits
from support.scenes import KEY, PAIR, TRIO, policy, published, records, region
from support.stories import Story, in_or_out, same
from support.sums import redone

from failoverd.codec import dump, load
from failoverd.core.control import news, progress
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.drift import INTENT
from failoverd.core.control.evaluate import MOST_OVERTAKEN
from failoverd.core.control.incident import Incident
from failoverd.core.control.limits import Held, PastChange
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import Permanent
from failoverd.core.events import DecisionMade, DriftDetected, FailoverHeld, IncidentClosed, PlanHeld
from failoverd.core.health.region import RegionState
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.reasons import Cause, Limit, LimitNote, ReasonCode
from failoverd.core.records import TIERS, AllDown, Limits, Policy, Ration, RecordSet, Source, Steering, Weights
from failoverd.core.status import TargetState
from failoverd.core.weights import fitted
from failoverd.ports import Urgency

TIGHT = limits(max_shift=2_000, shift_window=300.0, max_changes=100)
SPENT = Ration(max_shift=0, max_changes=0)
NO_BUDGET = Limits(min_regions=1, tuning=SPENT, returning=SPENT)


def begun(of: Policy, bounds: Limits | None = None) -> Story:
    """A target that holds what its policy says, long since."""
    story = Story(replace(of, limits=bounds or of.limits))
    assert story.look().kind is OutcomeKind.WRITE
    assert story.look(3_600.0).kind is OutcomeKind.IN_SYNC
    return story


def sized(demand: float, *regions: tuple[str, float, float], bounds: Limits) -> Policy:
    base = replace(PAIR, demand=demand, limits=bounds)
    return policy(*(region(name, share, capacity=capacity) for name, share, capacity in regions), base=base)


def codes(outcome: Outcome) -> set[ReasonCode]:
    return {reason.code for reason in outcome.reasons}


def notes(outcome: Outcome) -> dict[Limit, LimitNote]:
    assert outcome.approved is not None
    return {check.limit: check.note for check in outcome.approved.checks}


# -- the numbers of the manual -----------------------------------------------------------------------------------------

THREE = policy(region("a", 50), region("b", 30), region("c", 20))


def test_a_person_moves_fifty_points_at_twenty_per_five_minutes_in_three_steps() -> None:
    story = begun(THREE, TIGHT)
    story.edited(replace(policy(region("a", 0), region("b", 60), region("c", 40), base=story.policy)))
    first = story.look()
    assert story.published == {"a": 30, "b": 42, "c": 28}
    assert first.cause is Cause.OPERATOR
    assert notes(first)[Limit.MAX_SHIFT] is LimitNote.SMALLER
    assert first.until == story.now + 300
    assert story.memory.state is TargetState.LIMITED
    waiting = story.look(299.0)
    assert waiting.kind is OutcomeKind.LIMITED
    assert waiting.until == story.now + 1
    story.look(1.0)
    assert story.published == {"a": 10, "b": 54, "c": 36}
    story.look(300.0)
    assert story.published == {"b": 60, "c": 40}
    assert story.look(300.0).kind is OutcomeKind.IN_SYNC


def test_what_tunes_goes_the_same_way() -> None:
    of = sized(1_000, ("a", 50, 1_000), ("b", 30, 1_000), ("c", 20, 1_000), bounds=TIGHT)
    story = begun(of)
    story.regions["a"] = replace(story.regions["a"], score=0)
    state = story.seen(a="D")
    verdicts = dict(state.regions(KEY.type))
    verdicts["a"] = replace(verdicts["a"], score=0)
    outcome = story.asked(replace(state, verdicts={KEY.type: verdicts}))
    assert outcome.cause is Cause.TUNING
    assert outcome.shares == {"a": 3_000, "b": 4_200, "c": 2_800}


def test_failing_out_the_same_distance_goes_at_once() -> None:
    story = begun(THREE, TIGHT)
    outcome = story.look(a="U")
    assert story.published == {"b": 60, "c": 40}
    assert outcome.cause is Cause.FAILING_OUT
    assert story.memory.changes[-1].shifts == {}


# -- what is down leaves -----------------------------------------------------------------------------------------------


def test_what_is_down_leaves_with_every_budget_spent() -> None:
    story = begun(THREE, NO_BUDGET)
    assert story.look(a="U").kind is OutcomeKind.WRITE
    assert story.published == {"b": 60, "c": 40}
    assert story.look(1.0, b="U").kind is OutcomeKind.WRITE
    assert story.published == {"c": 100}


def test_weights_that_were_tuned_before_do_not_keep_a_dead_region() -> None:
    """A `slow` check toggles, and then the region dies."""
    story = begun(policy(region("a", 60), region("b", 40)), TIGHT)
    for letter in "DHDHDH":
        story.look(61.0, a=letter)
    outcome = story.look(1.0, a="U")
    assert story.published == {"b": 100}
    assert outcome.cause is Cause.FAILING_OUT
    back = story.look(60.0, a="H")
    assert back.kind is OutcomeKind.IN_SYNC
    assert ReasonCode.FAILBACK_HOLD in codes(back)
    assert back.until == story.now + 300
    assert story.look(299.0).kind is OutcomeKind.IN_SYNC
    story.look(1.0)
    assert story.published == {"a": 20, "b": 80}


def test_a_plan_says_how_urgent_it_is_and_whose_tier_waits_with_it() -> None:
    story = begun(replace(THREE, tier=TIERS["pilot"]))
    plan = story.look(a="U").plan
    assert plan is not None
    assert Urgency.of(plan) == Urgency.FAIL_OUT.of_tier(TIERS["pilot"])


@pytest.mark.parametrize("share", [21, 50, 99])
def test_max_shift_never_holds_what_died(share: int) -> None:
    story = begun(policy(region("a", share), region("b", 100 - share)), TIGHT)
    story.look(a="U")
    assert story.published == {"b": 100}


def test_what_is_down_leaves_though_what_else_is_wanted_has_to_wait() -> None:
    of = policy(region("a", 20), region("b", 20), region("c", 60))
    story = begun(of, replace(NO_BUDGET, tuning=Ration(max_changes=0)))
    outcome = story.look(a="U", b="D")
    assert outcome.decision.shares != outcome.shares
    assert story.published == pytest.approx({"b": 20, "c": 80}, abs=5)
    assert outcome.cause is Cause.FAILING_OUT
    assert notes(outcome)[Limit.MAX_CHANGES] is LimitNote.FAILING_OUT
    assert story.look(1.0).kind is OutcomeKind.LIMITED


def test_only_min_regions_holds_what_is_down_and_says_so_as_an_error() -> None:
    story = begun(PAIR, replace(NO_BUDGET, min_regions=2))
    outcome = story.look(azure="U")
    assert outcome.kind is OutcomeKind.LIMITED
    assert outcome.held is not None
    assert [check.limit for check in outcome.held.blocking] == [Limit.MIN_REGIONS]
    assert outcome.held.keeps_dead
    assert outcome.until is None
    (event,) = story.told(FailoverHeld)
    assert isinstance(event, FailoverHeld)
    assert (event.cause, event.wanted) == (Cause.FAILING_OUT, {"oci": 10_000})
    assert not story.told(PlanHeld)


def test_min_regions_holds_what_is_down_also_where_a_ration_is_spent() -> None:
    """What leaves is made of what is allowed at all: a spent ration waives no end state."""
    of = policy(region("a", 20), region("b", 20), region("c", 60))
    story = begun(of, replace(NO_BUDGET, min_regions=3))
    outcome = story.look(a="U", b="D")
    assert outcome.kind is OutcomeKind.LIMITED
    assert outcome.held is not None
    assert outcome.held.keeps_dead
    assert {check.limit for check in outcome.held.blocking} == {Limit.MIN_REGIONS}
    assert story.told(FailoverHeld)


def test_a_dead_endpoint_leaves_whatever_is_spent_and_comes_back_by_the_ration() -> None:
    of = policy(region("a", 50, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), region("b", 50))
    story = begun(of, NO_BUDGET)
    assert story.look(a="HHHU").kind is OutcomeKind.WRITE
    assert story.observed.records is not None
    assert "192.0.2.4" not in {answer.value for answer in story.observed.records.serving}
    back = story.look(60.0, a="HHHH")
    assert back.kind is OutcomeKind.LIMITED
    assert back.cause is Cause.RETURNING


# -- tuning: deadband and dwell ----------------------------------------------------------------------------------------


def small(bounds: Limits) -> Policy:
    """A quarter of `b` is ill: its pull is 7 instead of 8."""
    b = region("b", 8, "10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4")
    rules = replace(PAIR.health, degraded_below=9_500)
    return policy(region("a", 92), b, base=replace(PAIR, limits=bounds, health=rules))


def test_tuning_by_less_than_min_step_is_not_worth_a_change() -> None:
    story = begun(small(TIGHT))
    outcome = story.look(b="HHHD")
    assert outcome.kind is OutcomeKind.HOLD
    (reason,) = (each for each in outcome.reasons if each.code is ReasonCode.DEADBAND)
    assert reason.numbers["step"] < reason.numbers["min_step"] == 500
    assert outcome.until is None
    assert story.look(10.0, b="HHDD").kind is OutcomeKind.HOLD


def test_a_persons_edit_by_less_than_min_step_is_made() -> None:
    story = begun(PAIR, TIGHT)
    story.edited(policy(region("azure", 71, "192.0.2.10"), region("oci", 29, "198.51.100.10"), base=story.policy))
    outcome = story.look()
    assert story.published == {"azure": 71, "oci": 29}
    assert outcome.cause is Cause.OPERATOR


def test_a_region_above_its_room_is_tuned_however_little_it_is() -> None:
    of = sized(1_000, ("a", 50, 500), ("b", 50, 900), bounds=TIGHT)
    story = begun(of)
    story.edited(replace(of, demand=1_020.0))
    story.state = story.state.with_target(replace(story.memory, revision=story.policy.source.revision))
    story.look()
    assert story.published["a"] < 50


def test_tuning_waits_for_two_ttls_after_tuning() -> None:
    a = region("a", 50, *(f"10.1.0.{number}" for number in range(4)))
    story = begun(policy(a, region("b", 30), region("c", 20)), limits())
    story.look(a="HDDD")
    assert story.published == {"a": 38.46, "b": 36.92, "c": 24.62}
    outcome = story.look(30.0, a="DDDD")
    assert outcome.kind is OutcomeKind.HOLD
    assert ReasonCode.DWELL in codes(outcome)
    assert outcome.until == story.now + 30
    assert story.published["a"] == 38.46
    assert story.look(29.0).kind is OutcomeKind.HOLD
    story.look(1.0)
    assert story.published == {"a": 33.33, "b": 40, "c": 26.67}


def test_nothing_that_is_urgent_dwells() -> None:
    story = begun(PAIR, limits())
    story.look(azure="D")
    story.look(1.0, azure="U")
    assert story.published == {"oci": 100}


def test_the_way_back_to_normal_is_worth_every_step_for_it_ends_the_incident() -> None:
    story = begun(policy(region("a", 55), region("b", 45)), limits(max_shift=1_600))
    story.look(b="D")
    assert story.published == {"a": 70.97, "b": 29.03}
    story.policy = replace(story.policy, limits=limits(max_shift=1_200))
    story.look(3_600.0, b="H")
    assert story.published == {"a": 58.97, "b": 41.03}
    story.look(300.0)
    assert story.published == {"a": 55, "b": 45}
    assert story.memory.normal
    assert story.told(IncidentClosed)


# -- returning ---------------------------------------------------------------------------------------------------------


def returned(bounds: Limits) -> Story:
    """Azure was down and is about to come back."""
    story = begun(PAIR, bounds)
    story.look(azure="U")
    assert story.published == {"oci": 100}
    story.look(60.0, azure="H")
    return story


def test_what_comes_back_has_a_ration_of_its_own_for_all_of_its_steps() -> None:
    bounds = Limits(returning=Ration(max_shift=2_500, max_changes=100), tuning=Ration(max_changes=100))
    story = returned(bounds)
    first = story.look(300.0)
    assert first.cause is Cause.RETURNING
    assert story.published == {"azure": 25, "oci": 75}
    assert first.until == story.now + 300
    waiting = story.look(1.0)
    assert (waiting.kind, waiting.cause) == (OutcomeKind.LIMITED, Cause.RETURNING)
    second = story.look(299.0)
    assert second.cause is Cause.RETURNING
    assert story.published == {"azure": 50, "oci": 50}
    story.look(300.0)
    assert story.published == {"azure": 70, "oci": 30}


def test_a_spent_ration_of_one_cause_says_nothing_about_the_other() -> None:
    story = returned(Limits(returning=Ration(), tuning=SPENT))
    story.look(300.0)
    assert story.published == {"azure": 70, "oci": 30}
    assert story.look(3_600.0, azure="D").kind is OutcomeKind.LIMITED
    other = begun(PAIR, Limits(returning=SPENT, tuning=Ration()))
    assert other.look(azure="D").kind is OutcomeKind.WRITE


def test_the_number_of_returns_is_limited_and_failing_out_does_not_count() -> None:
    story = begun(PAIR, Limits(returning=Ration(max_changes=2)))
    returns = []
    for _ in range(2):
        story.look(1.0, azure="U")
        story.look(10.0, azure="H")
        assert story.look(300.0).kind is OutcomeKind.WRITE
        returns.append(story.now)
    story.look(1.0, azure="U")
    assert story.published == {"oci": 100}
    story.look(10.0, azure="H")
    third = story.look(300.0)
    assert third.kind is OutcomeKind.LIMITED
    assert third.until == returns[0] + 3_600


# -- indivisible steps -------------------------------------------------------------------------------------------------


def one_value(desired: RecordSet) -> RecordSet:
    """A CNAME in plain DNS."""
    if len(desired.serving) > 1:
        raise Permanent("a name has one CNAME", reason="unsayable")
    return records({answer.value: 1 for answer in desired.serving})


def test_a_step_that_cannot_be_said_smaller_is_taken_whole_when_nothing_else_moved() -> None:
    record = replace(PAIR.records[0], single=True)
    of = replace(PAIR, records=(record,), limits=TIGHT)
    front = policy(region("azure", 100, "192.0.2.10", priority=1), region("oci", 100, "198.51.100.10", priority=2))
    story = Story(policy(*front.regions, base=of), normalise=one_value)
    story.look()
    assert story.published == {"azure": 100}
    back = policy(region("azure", 100, "192.0.2.10", priority=2), region("oci", 100, "198.51.100.10", priority=1))
    story.edited(policy(*back.regions, base=of))
    outcome = story.look(3_600.0)
    assert story.published == {"oci": 100}
    assert notes(outcome)[Limit.MAX_SHIFT] is LimitNote.INDIVISIBLE
    story.edited(policy(*front.regions, base=of))
    waiting = story.look(100.0)
    assert waiting.kind is OutcomeKind.LIMITED
    assert waiting.until == story.now + 200
    story.look(200.0)
    assert story.published == {"azure": 100}


def test_membership_goes_by_whole_members_and_is_never_refused_for_ever() -> None:
    of = policy(region("a", 50), region("b", 50), base=replace(PAIR, limits=TIGHT))
    story = Story(of, normalise=in_or_out)
    story.look()
    story.edited(policy(region("a", 100), region("b", 0), base=of))
    outcome = story.look(3_600.0)
    assert story.published == {"a": 100}
    assert notes(outcome)[Limit.MAX_SHIFT] is LimitNote.INDIVISIBLE


# -- who else wrote, and when ------------------------------------------------------------------------------------------


def test_a_change_that_is_dated_in_the_future_counts_as_made_now_once() -> None:
    story = begun(PAIR, limits(max_changes=1))
    later = PastChange("chg-later", story.now + 9_000, {}, {}, {Cause.TUNING: 0}, 1)
    story.state = story.state.with_target(replace(story.memory, changes=(later,)))
    outcome = story.look(azure="D")
    assert outcome.kind is not OutcomeKind.WRITE
    (known,) = story.memory.changes
    assert known.at == story.now
    assert story.look(3_599.0).kind is OutcomeKind.LIMITED
    assert story.look(1.0).kind is OutcomeKind.WRITE


def test_a_dead_region_that_a_person_took_out_already_lets_nothing_else_move() -> None:
    """What is left to do is to put an edit back, and that is rationed: nothing that is down answers."""
    story = begun(THREE, NO_BUDGET)
    story.observed = replace(story.observed, records=published(THREE, {"c": 100}))
    outcome = story.look(a="U")
    assert outcome.kind is OutcomeKind.LIMITED
    assert outcome.held is not None
    assert not outcome.held.keeps_dead
    assert story.published == {"c": 100}
    story.edited(replace(story.policy, limits=Limits()))
    outcome = story.look(1.0)
    assert outcome.kind is OutcomeKind.WRITE
    assert outcome.cause is not Cause.FAILING_OUT
    assert story.published == {"b": 60, "c": 40}


def test_nor_does_it_where_an_answer_of_a_region_that_is_well_was_taken_out_as_well() -> None:
    two = region("b", 50, "10.0.2.1", "10.0.2.2")
    of = replace(policy(region("a", 50), two), weights=Weights.MEMBERSHIP, limits=NO_BUDGET)
    story = Story(of, normalise=in_or_out)
    story.look()
    story.observed = replace(story.observed, records=records({"10.0.2.1": 1}))
    assert story.look(a="U").kind is OutcomeKind.LIMITED
    assert story.observed.records == records({"10.0.2.1": 1})


def test_an_endpoint_that_is_drained_and_then_called_down_leaves_whatever_is_spent() -> None:
    """The drain alone meets the rates. That it was given first keeps nothing in the answer that is down."""
    story = begun(policy(region("a", 50), region("b", 50, "10.0.2.1", "10.0.2.2")), NO_BUDGET)

    def word(verb: Verb) -> Override:
        scope = Scope(endpoints=("b/10.0.2.1",))
        return Override(f"{verb}-00000001", verb, scope, "alice@bastion", story.now, story.now + 900)

    story.say(word(Verb.DRAIN))
    assert story.look().held is not None
    story.say(word(Verb.DOWN))
    assert story.look(1.0).cause is Cause.FAILING_OUT
    assert story.observed.records is not None
    assert "10.0.2.1" not in {answer.value for answer in story.observed.records.serving}


def test_a_pin_of_which_nobody_serves_brings_nobody_back() -> None:
    """It takes nobody out, so its end is not waited for: a person still brings back who failed before."""
    story = begun(replace(THREE, failback_after=None))
    story.look(a="U")
    story.look(60.0, a="H", b="U")
    assert story.published == {"c": 100}
    pin = Override("pin-00000001", Verb.PIN, Scope(), "alice@bastion", story.now, story.now + 900, shares={"b": 10_000})
    story.say(pin)
    for _ in range(3):
        story.look(1.0)
        assert story.published == {"c": 100}


def test_a_dead_region_that_a_person_left_in_goes_whatever_is_spent() -> None:
    story = begun(THREE, NO_BUDGET)
    story.observed = replace(story.observed, records=published(THREE, {"a": 50, "c": 50}))
    assert story.look(a="U").cause is Cause.FAILING_OUT
    assert story.published == {"b": 60, "c": 40}


@pytest.mark.parametrize("weights", [{"oci": 100}, {"azure": 50, "oci": 50}], ids=["alone", "among_others"])
def test_an_edit_that_sends_traffic_to_what_is_down_is_not_waited_for(weights: dict[str, int]) -> None:
    """Anything else would be read as intent for a while, as an incident is open."""
    story = begun(PAIR)
    story.state = replace(story.state, incident=Incident("inc-1", story.now), calm=False)
    story.look(oci="U")
    assert story.published == {"azure": 100}
    story.observed = replace(story.observed, records=published(PAIR, weights))
    outcome = story.look(1.0, oci="U")
    assert (outcome.kind, outcome.cause) == (OutcomeKind.WRITE, Cause.FAILING_OUT)
    assert story.published == {"azure": 100}


def test_an_edit_that_is_dated_in_the_future_stands_no_longer_than_any_other() -> None:
    story = begun(PAIR)
    story.state = replace(story.state, incident=Incident("inc-1", story.now), calm=False)
    story.observed = replace(story.observed, records=published(PAIR, {"azure": 100}))
    story.look(1.0)
    assert story.memory.edit is not None
    wrong = replace(story.memory.edit, since=story.now + 9_000)
    story.state = story.state.with_target(replace(story.memory, edit=wrong))
    outcome = story.look(1.0)
    assert outcome.kind is OutcomeKind.DRIFT
    assert outcome.until == story.now + INTENT
    assert story.look(INTENT).kind is OutcomeKind.WRITE


def test_changes_of_another_writer_count_like_our_own() -> None:
    story = begun(PAIR, limits(max_changes=2))
    marker = story.observed.marker
    assert marker is not None
    theirs = replace(marker, generation=marker.generation + 2)
    story.observed = replace(story.observed, marker=theirs, marker_text=theirs.to_text())
    assert story.look(1.0).kind is OutcomeKind.IN_SYNC
    assert [each.generation for each in story.memory.changes[1:]] == [2, 3]
    assert story.look(120.0, azure="D").kind is OutcomeKind.LIMITED
    assert len(story.memory.changes) == 3
    assert story.look(0.0, azure="U").kind is OutcomeKind.WRITE


def test_no_marker_however_high_makes_a_look_endless() -> None:
    story = begun(PAIR)
    marker = story.observed.marker
    assert marker is not None
    theirs = replace(marker, generation=10**17)
    story.observed = replace(story.observed, marker=theirs, marker_text=theirs.to_text())
    story.look()
    assert len(story.memory.changes) == MOST_OVERTAKEN + 1


def test_a_plan_in_doubt_that_stands_there_was_applied_and_counts_once() -> None:
    story = begun(PAIR)
    outcome = story.asked(story.seen(azure="D"))
    assert outcome.approved is not None
    plan = outcome.approved.plan
    story.state = progress.began(outcome.state, plan)
    story.observed = replace(story.observed, records=plan.after, marker=plan.marker, marker_text=plan.marker_text)
    again = story.look(10.0)
    assert again.found == plan
    assert again.kind is OutcomeKind.IN_SYNC
    assert [each.change_id for each in story.memory.changes].count(plan.id) == 1
    assert not story.memory.doubts
    assert story.look(10.0).found is None


# -- what is told ------------------------------------------------------------------------------------------------------


def test_a_held_plan_is_told_again_when_what_is_wanted_or_the_worst_region_or_the_cause_changes() -> None:
    story = begun(THREE, NO_BUDGET)
    story.look(a="D")
    for _ in range(3):
        story.look(60.0)
    assert len(story.told(PlanHeld)) == 1, "nothing changed"
    story.look(1.0, b="D")
    assert len(story.told(PlanHeld)) == 2, "other shares are wanted"
    story.look(1.0, a="U", b="H")
    assert story.published == {"b": 60, "c": 40}
    story.look(1.0, a="H")
    story.look(300.0)
    events = [event for event in story.told(PlanHeld) if isinstance(event, PlanHeld)]
    assert [event.cause for event in events] == [Cause.TUNING, Cause.TUNING, Cause.RETURNING]


def test_a_hold_that_turns_worse_is_told_again() -> None:
    story = begun(PAIR, replace(NO_BUDGET, min_regions=2))
    story.look(azure="D")
    (first,) = story.told(PlanHeld)
    story.look(1.0, azure="U")
    (second,) = story.told(FailoverHeld)
    assert isinstance(first, PlanHeld)
    assert isinstance(second, FailoverHeld)
    assert (first.cause, second.cause) == (Cause.TUNING, Cause.FAILING_OUT)
    assert [check.limit for check in second.limits] == [Limit.MIN_REGIONS]


def test_the_wanted_shares_the_worst_region_the_cause_and_the_limit_are_each_news_alone() -> None:
    story = begun(THREE, NO_BUDGET)
    outcome = story.look(a="D")
    told, held = story.memory.told, outcome.held
    assert held is not None
    assert told.hold is not None

    def again(found: Held, worst: RegionState = RegionState.DEGRADED) -> int:
        return len(news.held(told, found, worst, story.policy, None, story.now)[0])

    assert again(held) == 0
    assert again(replace(held, plan=replace(held.plan, id="chg-other"), until=story.now + 9)) == 0
    assert again(held, RegionState.DOWN) == 1
    assert again(replace(held, plan=replace(held.plan, shares_after={"b": 10_000}))) == 1
    assert again(replace(held, plan=replace(held.plan, cause=Cause.RETURNING))) == 1
    assert again(replace(held, checks=held.blocking[:1])) == 1


def test_a_held_plan_names_the_line_of_the_ration_that_holds_it() -> None:
    lines = {"limits": 20, "limits.max_shift": 21, "limits.tuning": 23, "limits.tuning.max_changes": 24}
    story = begun(replace(PAIR, source=Source("api.yaml", "r1", lines)), Limits(tuning=Ration(max_changes=0)))
    story.look(azure="D")
    (event,) = story.told(PlanHeld)
    assert isinstance(event, PlanHeld)
    assert event.rule_at == "api.yaml:24"
    flat = begun(replace(PAIR, source=Source("api.yaml", "r1", lines)), Limits(tuning=Ration(max_shift=0)))
    flat.look(azure="D")
    (event,) = flat.told(PlanHeld)
    assert isinstance(event, PlanHeld)
    assert event.rule_at == "api.yaml:21"


def test_two_decisions_of_one_moment_have_two_ids() -> None:
    story = begun(TRIO, limits())
    one = story.look(azure="U")
    other = story.look(oci="U")
    assert one.decision.kind is other.decision.kind
    assert one.decision.at == other.decision.at
    assert one.decision.id != other.decision.id
    made = [event for event in story.told(DecisionMade) if isinstance(event, DecisionMade)]
    assert [event.shares for event in made[-2:]] == [{"oci": 10_000}, {"aws": 10_000}]


# -- a fall of all regions ---------------------------------------------------------------------------------------------


def marked(story: Story, names: Iterable[str], **marks: float | None) -> None:
    for name in names:
        known = story.regions[name]
        story.regions[name] = replace(
            known,
            failing_since=marks.get("failing_since", known.failing_since),
            passed_at=marks.get("passed_at", known.passed_at),
            open_until=marks.get("open_until", known.open_until),
        )


def test_three_regions_that_fall_together_keep_their_answer() -> None:
    story = begun(THREE)
    before = story.published
    began = story.now
    marked(story, "abc", passed_at=began - 5)
    marked(story, "a", failing_since=began)
    outcome = story.look(1.5, a="U")
    assert (outcome.kind, outcome.decision.kind) == (OutcomeKind.HOLD, DecisionKind.HOLD_COMMON_FALL)
    assert ReasonCode.COMMON_FALL in codes(outcome)
    assert outcome.until == began + 3 * 0.5 + 2.0
    story.look(0.5, b="U")
    outcome = story.look(0.5, c="U")
    assert outcome.decision.kind is DecisionKind.HOLD_ALL_DOWN
    assert story.published == before


def test_a_region_that_passed_since_takes_the_traffic_at_once() -> None:
    story = begun(PAIR)
    marked(story, ["oci"], passed_at=story.now + 0.3)
    marked(story, ["azure"], failing_since=story.now)
    story.look(1.5, azure="U")
    assert story.published == {"oci": 100}


def test_an_open_verdict_is_waited_for_and_no_longer_than_it_can_take() -> None:
    story = begun(PAIR)
    marked(story, ["azure"], failing_since=story.now)
    marked(story, ["oci"], passed_at=story.now + 0.3, open_until=story.now + 4.0)
    outcome = story.look(1.5, azure="U")
    assert outcome.decision.kind is DecisionKind.HOLD_COMMON_FALL
    assert outcome.until == story.now + 2.5
    assert story.look(2.5).kind is OutcomeKind.WRITE
    assert story.published == {"oci": 100}


def test_an_open_verdict_caps_its_region_while_others_have_room_and_the_sum_says_so() -> None:
    of = sized(100, ("a", 50, 100), ("b", 30, 100), ("c", 20, 100), bounds=Limits())
    story = begun(of)
    marked(story, ["b"], open_until=story.now + 2.0)
    outcome = story.look(1.0, a="U")
    assert story.published == {"b": 30, "c": 70}
    (reason,) = (each for each in outcome.reasons if each.code is ReasonCode.OPEN_VERDICT)
    assert (reason.region, reason.numbers) == ("b", {"wanted": 6_000.0, "room": 3_000.0})
    assert redone(outcome.decision) == {"b": 30, "c": 70}
    assert outcome.until == story.now + 1.0


def test_the_first_of_two_open_verdicts_may_be_enough() -> None:
    of = sized(100, ("a", 50, 100), ("b", 25, 100), ("c", 25, 100), bounds=Limits())
    story = begun(of)
    marked(story, ["b"], open_until=story.now + 2.0)
    marked(story, ["c"], open_until=story.now + 9.0)
    outcome = story.look(1.0, a="U")
    assert outcome.decision.kind is DecisionKind.HOLD_COMMON_FALL
    assert outcome.until == story.now + 1.0
    assert story.look(1.0).kind is OutcomeKind.WRITE
    assert story.published == {"b": 75, "c": 25}


def test_who_was_withdrawn_in_a_common_fall_comes_back_without_a_hold() -> None:
    story = begun(THREE)
    story.look(a="U")
    assert story.published == {"b": 60, "c": 40}
    story.look(2.0, b="U", c="U")
    assert set(story.memory.common_fall) == {"a", "b", "c"}
    outcome = story.look(30.0, a="H", b="H", c="H")
    assert story.published == {"a": 50, "b": 30, "c": 20}
    assert ReasonCode.COMMON_RETURN in codes(outcome)
    assert story.look(1.0).kind is OutcomeKind.IN_SYNC
    assert not story.memory.common_fall


def test_who_fell_alone_before_the_others_does_not() -> None:
    story = begun(THREE)
    story.look(a="U")
    story.look(3_600.0, b="U", c="U")
    assert set(story.memory.common_fall) == {"b", "c"}
    outcome = story.look(30.0, a="H", b="H", c="H")
    assert story.published == {"b": 60, "c": 40}
    assert ReasonCode.FAILBACK_HOLD in codes(outcome)


def test_while_a_common_fall_ends_the_others_are_waited_for_and_then_left() -> None:
    story = begun(THREE)
    story.look(a="U", b="U", c="U")
    outcome = story.look(30.0, b="H")
    assert outcome.decision.kind is DecisionKind.HOLD_COMMON_FALL
    assert ReasonCode.COMMON_RISE in codes(outcome)
    assert outcome.until is not None
    assert story.published == {"a": 50, "b": 30, "c": 20}
    story.look(outcome.until - story.now)
    assert story.published == {"b": 100}


def test_who_is_down_from_an_earlier_fall_is_not_waited_for_when_the_others_fall_again() -> None:
    """Else two regions that flap together would keep a dead third one in the answer without end."""
    story = begun(THREE)
    story.look(a="U", b="U", c="U")
    assert story.look(30.0, b="H", c="H").decision.kind is DecisionKind.HOLD_COMMON_FALL
    story.look(2.0, b="U", c="U")
    story.look(30.0, b="H", c="H")
    assert story.published == {"b": 60, "c": 40}


def test_when_all_are_down_normal_is_published_whatever_is_spent() -> None:
    story = begun(replace(THREE, when_all_down=AllDown.NORMAL), NO_BUDGET)
    story.look(a="U")
    outcome = story.look(60.0, b="U", c="U")
    assert outcome.decision.kind is DecisionKind.ALL_DOWN_NORMAL
    assert story.published == {"a": 50, "b": 30, "c": 20}


# -- when a hold ends --------------------------------------------------------------------------------------------------


def test_the_first_hold_whose_end_makes_a_difference_is_waited_for() -> None:
    """`x` in front is well last, but `y`, which is second, gets the traffic before."""
    steering = replace(PAIR, steering=Steering.FAILOVER, failback_after=300.0)
    specs = [region(name, 100, priority=number) for number, name in enumerate("xyz", start=1)]
    story = begun(policy(*specs, base=steering))
    story.look(x="U")
    story.look(1.0, y="U")
    assert story.published == {"z": 100}
    story.look(1.0, y="H")
    well = story.now
    outcome = story.look(60.0, x="H")
    assert outcome.until == well + 300
    story.look(240.0)
    assert story.published == {"y": 100}


def test_a_region_that_nobody_can_see_is_waited_for_until_the_moment_that_is_told() -> None:
    story = begun(PAIR)
    story.edited(policy(*PAIR.regions, region("new", 0), base=story.policy))
    story.letters["new"] = "?"
    outcome = story.look()
    assert outcome.decision.kind is DecisionKind.HOLD_NO_VERDICT
    assert outcome.until is not None
    assert story.look(outcome.until - story.now - 0.5).decision.kind is DecisionKind.HOLD_NO_VERDICT
    assert story.look(0.5).decision.kind is not DecisionKind.HOLD_NO_VERDICT


# -- pure --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letters", [{}, {"azure": "U"}, {"azure": "D"}, {"azure": "?"}, {"azure": "U", "oci": "U"}])
def test_equal_inputs_give_equal_outcomes_with_their_ids(letters: dict[str, str]) -> None:
    story = begun(PAIR, TIGHT)
    state = story.seen(**letters)
    text = dump(state)
    one, other = story.asked(state), story.asked(load(PolicyState, text))
    assert same(one, other)
    assert dump(state) == text


def test_a_state_goes_to_json_and_back() -> None:
    story = begun(PAIR, TIGHT)
    story.look(azure="U")
    story.look(1.0, azure="H")
    story.observed = replace(story.observed, records=published(PAIR, {"azure": 10, "oci": 90}))
    story.look(300.0)
    assert load(PolicyState, dump(story.state)) == story.state


# -- weights of another version ----------------------------------------------------------------------------------------


def cut_off(desired: RecordSet) -> RecordSet:
    """Weights as earlier versions wrote them to a provider whose greatest is 255."""
    heaviest = max(answer.weight for answer in desired.serving)
    answers = (replace(each, weight=max(1, each.weight * 255 // heaviest)) for each in desired.serving)
    return replace(desired, answers=tuple(answers))


def best(desired: RecordSet) -> RecordSet:
    weights = fitted(tuple(answer.weight for answer in desired.serving), 255)
    answers = (replace(each, weight=weight) for each, weight in zip(desired.serving, weights, strict=True))
    return replace(desired, answers=tuple(answers))


@pytest.mark.parametrize(
    ("share", "after"), [(30, OutcomeKind.IN_SYNC), (33.33, OutcomeKind.IN_SYNC), (1, OutcomeKind.WRITE)]
)
def test_an_upgrade_rewrites_only_what_the_old_weights_made_wrong_by_more_than_a_tenth(
    share: float, after: OutcomeKind
) -> None:
    story = Story(policy(region("a", share), region("b", 100 - share)), normalise=cut_off)
    assert story.look().kind is OutcomeKind.WRITE
    story.estate = replace(story.estate, normalise=best)
    assert story.look(3_600.0).kind is after
    assert story.look(60.0).kind is OutcomeKind.IN_SYNC
    assert story.published["a"] == pytest.approx(share, rel=0.01)


def test_several_ttls_of_one_name_are_an_edit_that_is_told_and_put_back_once() -> None:
    """As somebody leaves them who changes one weighted record set in the console of Route 53."""
    story = Story(PAIR)
    story.look()
    story.look(1.0)
    wanted = story.observed.records
    assert wanted is not None
    story.observed = replace(story.observed, records=wanted.with_ttls([wanted.ttl, 300]))
    story.look(60.0)
    (told,) = (event for event in story.events if isinstance(event, DriftDetected))
    assert f"ttl {wanted.ttl} and 300" in told.found
    assert story.observed.records == wanted
    writes = story.observed.marker
    story.look(60.0)
    assert story.observed.marker == writes


# -- weights of endpoints ----------------------------------------------------------------------------------------------


def test_another_weight_of_an_endpoint_is_written_though_no_share_moves() -> None:
    wide = policy(region("azure", 70, "192.0.2.10", "192.0.2.11"), region("oci", 30, "198.51.100.10"))
    story = begun(wide)
    story.edited(policy(replace(wide.regions[0], weights=(1, 3)), wide.regions[1], base=story.policy))
    outcome = story.look(60.0)
    assert outcome.kind is OutcomeKind.WRITE
    assert story.observed.records == records({"192.0.2.10": 1_750, "192.0.2.11": 5_250, "198.51.100.10": 3_000})
    assert story.look(60.0).kind is OutcomeKind.IN_SYNC
