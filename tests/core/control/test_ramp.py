"""Regions that come back step by step: what each step gives, what it waits for, and what happens to who falls on it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from support.approving import limits
from support.scenes import AZURE, NOW, OCI, PAIR, TARGET, region
from support.scenes import policy as policy_of
from support.stories import Story

from failoverd.codec import dump, load
from failoverd.core.control.claiming import claim
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.ramp import Ramp, taken_up
from failoverd.core.control.sharing import share_out
from failoverd.core.control.state import PolicyState
from failoverd.core.events import FailbackAbandoned, FailbackAborted, FailbackStepped
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import WHOLE, Policy, RampRules, Weights

RAMP = RampRules(judge=60.0)
CLIMBING = replace(PAIR, ramp=RAMP, failback_after=300.0)
STEPS = [7.0, 17.5, 35.0, 70.0]


def word(verb: Verb, scope: Scope, since: float, lasts: float, shares: Mapping[str, int], part: int = 0) -> Override:
    said = (Comment(since, "alice@bastion", "rack maintenance"),)
    return Override(f"{verb}-1", verb, scope, "alice@bastion", since, since + lasts, said, shares=shares, part=part)


def drain(since: float = NOW, lasts: float = 600.0) -> Override:
    return word(Verb.DRAIN, Scope(regions=("azure",)), since, lasts, {})


def pin(**shares: int) -> Override:
    return word(Verb.PIN, Scope(policies=(TARGET.policy,)), NOW, 600.0, shares)


def shed(part: int) -> Override:
    return word(Verb.SHED, Scope(regions=("azure",)), NOW, 600.0, {}, part)


def begun(of: Policy = CLIMBING) -> Story:
    story = Story(of)
    story.look()
    story.look(3_600)
    assert story.published == {"azure": 70.0, "oci": 30.0}
    return story


def lost(of: Policy = CLIMBING) -> Story:
    """azure is down, and its traffic elsewhere."""
    story = begun(of)
    story.look(60, azure="U" * len(story.letters["azure"]))
    assert "azure" not in story.published
    return story


def returning(of: Policy = CLIMBING) -> Story:
    """azure has taken its first step."""
    story = lost(of)
    story.look(60, azure="H" * len(story.letters["azure"]))
    story.look(of.failback_after or 0.0)
    assert story.published["azure"] == 7.0
    return story


def test_steps_that_somebody_else_gave_are_taken_up_and_none_is_taken_back() -> None:
    mine, theirs = (
        {"azure": Ramp(NOW, 2, NOW, aborts=1), "oci": Ramp(NOW)},
        {"azure": Ramp(NOW, 1), "oci": Ramp(NOW, 1)},
    )
    assert taken_up(mine, theirs) == {"azure": mine["azure"], "oci": theirs["oci"]}
    assert taken_up(mine, {}) is mine


def azure(story: Story) -> float:
    return story.published.get("azure", 0.0)


def woken(story: Story, times: int) -> list[tuple[float, float]]:
    """What azure has in each round, and when that is, if it is looked at whenever a round says so."""
    found = []
    for _ in range(times):
        until = story.asked().until
        assert until is not None
        story.look(until - story.now)
        found.append((story.now, azure(story)))
    return found


def codes(outcome: Outcome) -> set[ReasonCode]:
    return {reason.code for reason in outcome.reasons}


# -- up ----------------------------------------------------------------------------------------------------------------


def test_of_a_share_of_70_it_gets_7_then_17_5_then_35_then_all_of_it_90_seconds_apart() -> None:
    story = returning()
    start = story.now
    assert [(at - start, share) for at, share in woken(story, 3)] == [(90.0, 17.5), (180.0, 35.0), (270.0, 70.0)]
    assert story.look(1).kind is OutcomeKind.IN_SYNC
    told = [event for event in story.events if isinstance(event, FailbackStepped)]
    assert [(each.step, each.steps, each.share) for each in told] == [(n + 1, 4, STEPS[n] * 100) for n in range(4)]
    assert [each.until for each in told] == [start + 90, start + 180, start + 270, None]
    assert story.state.incident is None


def test_a_step_is_returning_and_says_which_and_when_the_next_is() -> None:
    story = lost()
    story.look(60, azure="H")
    outcome = story.look(300)
    assert outcome.cause is Cause.RETURNING
    (said,) = [reason for reason in outcome.reasons if reason.code is ReasonCode.RAMP]
    assert said.numbers == {
        "step": 1, "steps": 4, "part": 1_000, "of": 7_000, "next": story.now + 90, "wanted": 7_000, "room": 700
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "ttl", "pause"),
    [
        (RampRules(judge=60.0), 30, 90.0),
        (RampRules(judge=60.0), 5, 60.0),
        (RampRules(judge=120.0), 30, 120.0),
        (RampRules(judge=10.0, step=20.0), 30, 20.0),
        (RampRules(judge=60.0, step=20.0), 30, 60.0),
    ],
)
def test_a_step_lasts_three_times_the_ttl_and_never_less_than_it_is_judged(
    rules: RampRules, ttl: int, pause: float
) -> None:
    assert rules.pause(ttl) == pause


def test_a_ramp_of_100_is_one_step_that_is_judged() -> None:
    story = lost(replace(CLIMBING, ramp=replace(RAMP, steps=(WHOLE,))))
    story.look(60, azure="H")
    story.look(300)
    assert azure(story) == 70.0
    story.look(60, azure="U")
    assert [type(event) for event in story.events if isinstance(event, FailbackAborted)] == [FailbackAborted]


def test_without_a_ramp_it_comes_back_in_one_step_and_nobody_counts_its_falls() -> None:
    story = lost(replace(PAIR, failback_after=300.0))
    story.look(60, azure="H")
    story.look(300)
    assert azure(story) == 70.0
    story.look(60, azure="U")
    assert not story.told(FailbackAborted)
    assert not story.memory.ramps


def test_a_region_that_comes_back_degraded_takes_no_step_until_it_was_well_for_as_long_as_it_is_judged() -> None:
    story = lost(policy_of(region("azure", 70, "192.0.2.10", "192.0.2.11"), OCI, base=CLIMBING))
    story.look(60, azure="HD")
    story.look(300)
    assert 0 < azure(story) <= 7.0
    story.look(600)
    assert 0 < azure(story) <= 7.0
    story.look(10, azure="HH")
    assert azure(story) == 7.0
    story.look(59)
    assert azure(story) == 7.0
    story.look(1)
    assert azure(story) == 17.5


def test_a_region_that_is_lost_from_sight_keeps_its_step() -> None:
    story = returning()
    story.look(60, azure="?")
    story.look(600)
    assert azure(story) == 7.0
    story.look(10, azure="H")
    assert azure(story) == 7.0
    story.look(60)
    assert azure(story) == 17.5


def test_what_a_limit_makes_smaller_is_waited_for_and_the_ramp_goes_on_from_there() -> None:
    of = replace(CLIMBING, limits=limits(max_shift=1_000, shift_window=120.0))
    story = returning(of)
    story.look(90)
    assert azure(story) == 10.0  # 7 points are spent, so 3 of 10.5 are left
    story.look(30)
    assert azure(story) == 17.0
    story.look(90)
    assert azure(story) == 17.5
    reached = story.now
    story.look(89)
    assert azure(story) == 17.5
    story.look(1)
    assert story.now == reached + 90
    assert 17.5 < azure(story) <= 27.5


def test_a_step_that_no_change_is_left_for_is_looked_at_again_when_one_is_free() -> None:
    """Not after each pause of a ramp whose step does not stand: nothing would have changed by then."""
    story = returning(replace(CLIMBING, limits=limits(max_changes=1)))
    taken = story.now
    assert woken(story, 1) == [(taken + 90, 7.0)]
    outcome = story.look(1.0)
    assert outcome.kind is OutcomeKind.LIMITED
    assert outcome.until == taken + 3_600
    due = taken + 3_600 + 90
    assert woken(story, 3) == [(taken + 3_600, 17.5), (due, 17.5), (taken + 7_200, 35.0)]


def test_a_write_that_did_not_come_about_is_no_step() -> None:
    story = returning()
    story.now += 90
    story.state = story.asked(story.seen()).state  # and the provider refuses
    story.look(300)
    assert azure(story) == 17.5
    story.look(89)
    assert azure(story) == 17.5
    story.look(1)
    assert azure(story) == 35.0


def test_the_ramp_goes_on_after_a_restart() -> None:
    story = returning()
    story.look(90)
    story.state = load(PolicyState, dump(story.state))
    story.look(45)
    assert azure(story) == 17.5
    story.look(45)
    assert azure(story) == 35.0


def test_a_journal_of_before_ramps_loads() -> None:
    story = begun(PAIR)
    text = dump(story.state).replace(',"ramps":{}', "")
    assert "ramps" not in text
    assert load(PolicyState, text) == story.state


# -- down --------------------------------------------------------------------------------------------------------------


def test_who_fails_on_the_ramp_is_out_at_once_and_waits_twice_as_long() -> None:
    story = returning()
    story.look(90)
    outcome = story.look(30, azure="U")
    assert outcome.cause is Cause.FAILING_OUT
    assert azure(story) == 0.0
    (aborted,) = [event for event in story.events if isinstance(event, FailbackAborted)]
    assert (aborted.region, aborted.step, aborted.aborts, aborted.hold) == ("azure", 2, 1, 600.0)
    story.look(10, azure="H")
    story.look(599)
    assert azure(story) == 0.0
    story.look(1)
    assert azure(story) == 7.0


def test_a_step_that_makes_it_ill_is_taken_back_at_once_and_it_waits_twice_as_long() -> None:
    """DEGRADED under what it was given: the others carried that until now, and do so again."""
    slow = limits(max_shift=100, shift_window=3_600.0, max_changes=2)
    story = returning(replace(CLIMBING, limits=replace(slow, returning=limits(max_changes=100).returning)))
    story.look(90)
    assert azure(story) == 17.5
    outcome = story.look(30, azure="D")
    assert (outcome.cause, azure(story)) == (Cause.FAILING_OUT, 0.0)
    assert ReasonCode.FAILBACK_HOLD in codes(outcome)
    (aborted,) = [event for event in story.events if isinstance(event, FailbackAborted)]
    assert (aborted.region, aborted.step, aborted.aborts, aborted.hold) == ("azure", 2, 1, 600.0)
    story.look(3_600)
    assert azure(story) == 0.0  # it is ill still
    story.look(10, azure="H")
    story.look(599)
    assert azure(story) == 0.0
    story.look(1)
    assert azure(story) == 7.0
    assert len(story.told(FailbackAborted)) == 1


def test_so_is_one_that_an_alert_calls_ill() -> None:
    story = returning()
    story.look(90)
    alert = replace(word(Verb.ALERT, Scope(regions=("azure",)), story.now + 10, 600.0, {}), name="degraded")
    story.state = replace(story.state, overrides=(alert,))
    story.look(10)
    assert azure(story) == 0.0
    story.look(599)
    story.look(1 + 599)
    assert azure(story) == 0.0
    story.look(1)
    assert azure(story) == 7.0


def test_a_step_that_hurts_is_taken_back_though_the_first_write_did_not_come_about() -> None:
    story = returning()
    story.look(90)
    story.now += 30
    refused = story.asked(story.seen(azure="D"))
    story.state = refused.state
    story.look(30)
    assert azure(story) == 0.0
    assert story.memory.ramps["azure"].aborts == 1


def test_one_that_is_hurt_again_and_again_is_left_to_a_person() -> None:
    story = lost()
    for hold in (300, 600, 1_200):
        story.look(60, azure="H")
        story.look(hold)
        assert azure(story) == 7.0
        story.look(30, azure="D")
        assert azure(story) == 0.0
    assert len(story.told(FailbackAbandoned)) == 1
    outcome = story.look(60, azure="H")
    assert ReasonCode.FAILBACK_GIVEN_UP in codes(outcome)
    story.look(7 * 86_400)
    assert azure(story) == 0.0
    story.state = replace(story.state, returning=frozenset({"azure"}))
    story.look(1)
    assert azure(story) == 7.0


def test_one_that_is_hurt_and_needed_stays() -> None:
    of = policy_of(replace(AZURE, capacity=900), replace(OCI, capacity=600), base=replace(CLIMBING, demand=500))
    story = returning(of)
    story.look(90)
    story.look(30, azure="D", oci="D")  # oci carries 300 of 500 now
    assert azure(story) > 0.0
    assert not story.told(FailbackAborted)


def test_nobody_leaves_for_a_step_that_hurts_if_too_few_regions_are_left() -> None:
    story = returning()
    story.policy = replace(story.policy, limits=limits(min_regions=2, max_changes=100))
    assert story.look(30, azure="D").kind is OutcomeKind.IN_SYNC
    assert azure(story) > 0.0


def test_it_is_tried_after_5_10_and_20_minutes_and_then_by_a_person() -> None:
    story = lost()
    for hold in (300, 600, 1_200):
        story.look(60, azure="H")
        story.look(hold - 1)
        assert azure(story) == 0.0
        story.look(1)
        assert azure(story) == 7.0
        story.look(30, azure="U")
    (given_up,) = [event for event in story.events if isinstance(event, FailbackAbandoned)]
    assert given_up.aborts == 3
    assert given_up.remedy == ("failoverctl plan inference-api --return azure --out FILE, then failoverctl apply FILE")
    outcome = story.look(60, azure="H")
    assert ReasonCode.FAILBACK_GIVEN_UP in codes(outcome)
    story.look(7 * 86_400)
    assert azure(story) == 0.0


def given_up() -> Story:
    story = returning(replace(CLIMBING, ramp=replace(RAMP, retries=1)))
    story.look(30, azure="U")
    story.look(60, azure="H")
    story.look(86_400)
    assert azure(story) == 0.0
    return story


def test_a_person_who_brings_it_back_begins_a_new_ramp() -> None:
    story = given_up()
    story.state = replace(story.state, returning=frozenset({"azure"}))
    story.look(1)
    story.state = replace(story.state, returning=frozenset())
    assert [azure(story), *(share for _, share in woken(story, 3))] == STEPS
    assert story.memory.ramps["azure"].aborts == 0


def test_a_plan_that_a_person_applies_begins_the_ramp_though_no_round_of_the_daemon_decided_it() -> None:
    story = lost()
    story.look(60, azure="H")
    outcome = story.asked(replace(story.seen(), returning=frozenset({"azure"})))
    assert outcome.approved is not None
    story.write(outcome.approved.plan)
    assert [azure(story), *(share for _, share in woken(story, 3))] == STEPS


def test_who_is_brought_back_on_the_way_has_all_of_it_at_once() -> None:
    story = returning()
    story.state = replace(story.state, returning=frozenset({"azure"}))
    story.look(1)
    assert azure(story) == 70.0


def test_the_last_step_is_judged_for_an_hour_and_then_all_is_forgotten() -> None:
    story = returning()
    story.look(30, azure="U")
    story.look(10, azure="H")
    story.look(600)
    woken(story, 3)
    assert azure(story) == 70.0
    story.look(3_599)
    assert story.memory.ramps["azure"].aborts == 1
    story.look(1)
    assert not story.memory.ramps


def test_a_fall_soon_after_the_last_step_counts() -> None:
    story = returning()
    woken(story, 3)
    story.look(200, azure="U")
    assert story.memory.ramps["azure"].aborts == 1


def test_after_a_day_of_being_well_falls_are_forgotten_though_something_else_kept_it_out() -> None:
    story = returning()
    story.look(30, azure="U")
    story.state = replace(story.state, overrides=(drain(since=story.now, lasts=200_000.0),))
    story.look(10, azure="H")
    story.look(86_399)
    assert story.memory.ramps["azure"].aborts == 1
    story.look(1)
    assert not story.memory.ramps


# -- never at the cost of service --------------------------------------------------------------------------------------


def test_if_the_others_fail_it_gets_everything_at_once() -> None:
    story = returning()
    outcome = story.look(30, oci="U")
    assert outcome.cause is Cause.FAILING_OUT
    assert ReasonCode.FAILBACK_WAIVED in codes(outcome)
    assert story.published == {"azure": 100.0}


def test_if_the_others_cannot_carry_the_rest_it_gets_its_share_at_once() -> None:
    small = policy_of(replace(AZURE, capacity=900), replace(OCI, capacity=600), base=replace(CLIMBING, demand=1_000))
    story = begun(small)
    story.look(60, azure="U")
    story.look(60, azure="H")
    assert azure(story) == 70.0


def test_a_standby_that_is_needed_takes_over_in_full() -> None:
    of = policy_of(AZURE, OCI, region("aws", 0, capacity=900), base=replace(CLIMBING, demand=1_000))
    of = replace(of, regions=tuple(replace(each, capacity=each.capacity or 700) for each in of.regions))
    story = begun(of)
    story.look(60, azure="U")
    assert story.published == {"oci": 70.0, "aws": 30.0}


def test_after_a_fall_of_all_regions_nobody_comes_back_by_a_ramp() -> None:
    story = begun()
    story.look(1, azure="U")
    story.look(1, oci="U")
    story.look(60, azure="H", oci="H")
    assert story.published == {"azure": 70.0, "oci": 30.0}
    assert not story.memory.ramps


def test_a_region_may_be_on_its_way_in_a_fall_of_all_and_goes_on_afterwards() -> None:
    story = returning()
    story.look(30, azure="U", oci="U")
    assert azure(story) == 7.0
    story.look(60, azure="H", oci="H")
    assert azure(story) == 7.0
    assert not story.told(FailbackAborted)
    story.look(60)
    assert azure(story) == 17.5


def test_where_weights_are_not_said_it_comes_back_in_one_step() -> None:
    story = lost(replace(CLIMBING, weights=Weights.MEMBERSHIP))
    story.look(60, azure="H")
    story.look(300)
    assert azure(story) == 70.0


def test_a_record_that_is_new_has_all_its_regions_at_once() -> None:
    story = Story(CLIMBING)
    story.look()
    assert story.published == {"azure": 70.0, "oci": 30.0}


# -- words of operators ------------------------------------------------------------------------------------------------


def test_what_was_drained_comes_back_by_the_ramp() -> None:
    story = begun()
    story.state = replace(story.state, overrides=(drain(since=story.now, lasts=3_600.0),))
    story.look(1)
    assert azure(story) == 0.0
    story.look(3_600)
    assert [azure(story), *(share for _, share in woken(story, 3))] == STEPS
    assert not story.told(FailbackAborted)


def test_a_drain_on_the_way_is_no_fall() -> None:
    story = returning()
    story.look(90)
    story.state = replace(story.state, overrides=(drain(since=story.now, lasts=600.0),))
    story.look(1)
    assert azure(story) == 0.0
    assert not story.told(FailbackAborted)
    story.look(600)
    assert azure(story) == 7.0


def test_what_was_pinned_or_shed_goes_on_from_what_it_has() -> None:
    for word, has, then in ((pin(azure=2_000, oci=8_000), 20.0, [35.0, 70.0]), (shed(part=6_000), 28.0, [35.0, 70.0])):
        story = begun()
        story.state = replace(story.state, overrides=(replace(word, since=story.now, until=story.now + 600.0),))
        story.look(1)
        assert azure(story) == has
        story.look(599)
        assert azure(story) == has
        assert [share for _, share in woken(story, 2)] == then


def test_who_was_released_with_now_has_all_of_it_at_once() -> None:
    story = begun()
    word = drain(since=story.now, lasts=3_600.0)
    story.state = replace(story.state, overrides=(word,))
    story.look(1)
    story.look(600)
    released = replace(word.released("alice@host", "done", story.now), back_at_once=True)
    story.state = replace(story.state, overrides=(released,))
    story.look(1)
    assert azure(story) == 70.0


def test_the_marker_names_nothing_of_a_ramp_and_other_targets_know_nothing_of_it() -> None:
    story = returning()
    assert story.observed.marker is not None
    assert story.observed.marker.overrides == ()
    assert [memory.target for memory in story.state.targets.values()] == [TARGET]


def test_a_region_on_its_way_is_claimed_in_full_where_the_others_cannot_carry_the_rest() -> None:
    """Else a lower tier would be given room that is needed in this moment."""
    of = policy_of(replace(AZURE, capacity=900), replace(OCI, capacity=900), base=replace(CLIMBING, demand=800))
    story = returning(of)
    found = claim(story.policy, story.seen(), story.now)
    assert found is not None
    alone = share_out([found])[found.policy]
    assert alone.loads == pytest.approx({"azure": 56.0, "oci": 744.0})
    smaller = replace(of, demand=1_200)
    found = claim(smaller, story.seen(), story.now)
    assert found is not None
    alone = share_out([found])[found.policy]
    assert alone.short == 0
    assert alone.loads == pytest.approx({"azure": 300.0, "oci": 900.0})
