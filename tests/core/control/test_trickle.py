"""Standbys that are kept tested by a part of the traffic, as long as nobody needs them."""

from dataclasses import replace

import pytest
from support.scenes import AWS, AZURE, OCI, RECORD, TRIO, policy, region
from support.stories import Story
from support.sums import found, redone

from failoverd.core.control.allocation import normal_shares
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import WHOLE, RampRules, Steering, Weights

TESTED = replace(TRIO, trickle=100)


def begun() -> Story:
    story = Story(TESTED)
    story.look()
    return story


def test_a_standby_gets_a_hundredth_and_that_is_a_normal_day() -> None:
    story = begun()
    assert story.published == {"aws": 1.0, "azure": 69.3, "oci": 29.7}
    outcome = story.look(60)
    assert (outcome.kind, outcome.decision.kind) == (OutcomeKind.IN_SYNC, DecisionKind.NORMAL)
    assert story.state.incident is None
    assert redone(outcome.decision) == pytest.approx(story.published)


def test_several_standbys_share_it() -> None:
    story = Story(policy(AZURE, OCI, AWS, region("gcp", 0), base=TESTED))
    story.look()
    assert story.published == {"aws": 0.5, "gcp": 0.5, "azure": 69.3, "oci": 29.7}


def test_a_standby_without_room_leaves_its_part_to_the_others() -> None:
    story = Story(replace(policy(AZURE, OCI, AWS, region("tiny", 0, capacity=0.4), base=TESTED), demand=100))
    story.look()
    assert story.published == {"aws": 1.0, "azure": 69.3, "oci": 29.7}


def test_a_standby_that_is_needed_gets_what_is_needed_at_once() -> None:
    story = begun()
    story.look(60, azure="U", oci="U")
    assert story.published == {"aws": 100.0}


def test_one_that_fails_leaves_and_gets_it_again_once_it_was_well() -> None:
    story = begun()
    story.look(60, aws="U")
    assert story.published == {"azure": 70.0, "oci": 30.0}
    story.look(60, aws="H")
    story.look(300)
    assert story.published == {"aws": 1.0, "azure": 69.3, "oci": 29.7}


def test_one_that_is_degraded_gets_none_however_little_it_is() -> None:
    """Users would test it, and it is known to be ill."""
    story = begun()
    outcome = story.look(60, aws="D")
    assert outcome.decision.shares == {"azure": 7_000, "oci": 3_000}
    assert story.published == {"azure": 70.0, "oci": 30.0}
    assert outcome.approved is not None
    assert outcome.approved.plan.cause is Cause.TUNING
    assert story.look(7_200).kind is OutcomeKind.IN_SYNC
    story.look(60, aws="H")
    story.look(300)
    assert story.published == {"aws": 1.0, "azure": 69.3, "oci": 29.7}


def test_a_region_that_fails_out_leaves_the_trickle_where_it_is() -> None:
    story = begun()
    story.look(60, azure="U")
    assert story.published == {"aws": 1.0, "oci": 99.0}


def test_a_standby_has_to_have_room_for_it() -> None:
    of = policy(AZURE, OCI, region("aws", 0, capacity=0.0), base=replace(TESTED, demand=100.0))
    assert "aws" not in normal_shares(of, RECORD, of.regions)


def test_only_where_a_part_can_be_said() -> None:
    assert "aws" in normal_shares(TESTED, RECORD, TRIO.regions)
    assert "aws" not in normal_shares(replace(TESTED, weights=Weights.MEMBERSHIP), RECORD, TRIO.regions)
    single = replace(TESTED, steering=Steering.FAILOVER)
    assert normal_shares(single, replace(RECORD, single=True), TRIO.regions).keys() == {"azure"}


# -- on the way back ---------------------------------------------------------------------------------------------------

GCP = region("gcp", 0)
CLIMBING = replace(policy(AZURE, OCI, AWS, GCP, base=TESTED), ramp=RampRules(judge=60.0), failback_after=300.0)


def test_standbys_on_a_ramp_from_before_get_the_trickle_in_one_step() -> None:
    """They were regions with a share, and on their way back, when a person made them standbys."""
    shares = policy(region("azure", 40), OCI, region("aws", 20), region("gcp", 10), base=CLIMBING)
    story = Story(replace(shares, ramp=RampRules((100, WHOLE), step=1.0, judge=0.0)))
    story.look()
    story.look(60, aws="U")
    story.settled(60, aws="H")
    story.settled(300)
    assert story.memory.ramps["aws"].step == 1
    story.edited(replace(CLIMBING, ramp=story.policy.ramp))
    story.look(0, aws="U")
    story.settled(1, aws="H")
    outcome = story.settled(600)
    assert story.published == {"aws": 0.5, "gcp": 0.5, "azure": 69.3, "oci": 29.7}
    assert (outcome.kind, outcome.decision.kind) == (OutcomeKind.IN_SYNC, DecisionKind.NORMAL)


def test_a_standby_that_fell_on_its_ramp_is_tested_again_after_its_hold() -> None:
    story = Story(CLIMBING)
    story.look()
    story.look(60, azure="U", oci="U", aws="U")
    story.settled(60, aws="H")
    story.settled(300)
    assert story.memory.ramps["aws"].step == 1
    assert story.published["aws"] == 5.0
    story.settled(10, aws="U")
    assert story.memory.ramps["aws"].aborts == 1
    story.settled(60, azure="H", oci="H", aws="H")
    story.settled(300)
    for _ in range(20):
        outcome = story.settled(300)
    assert story.published == {"aws": 0.5, "gcp": 0.5, "azure": 69.3, "oci": 29.7}
    assert outcome.decision.kind is DecisionKind.NORMAL


def test_a_standby_that_comes_back_while_a_region_is_on_its_way_gets_no_more_than_the_trickle_of_that() -> None:
    """What that region does not get yet stays where it is: the standby was ill a moment ago."""
    story = Story(CLIMBING)
    story.look()
    story.look(60, azure="U", oci="U", aws="U")
    assert story.published == {"gcp": 100.0}
    story.settled(60, azure="H", oci="H", aws="H")
    outcome = story.settled(300)
    assert story.published == {"aws": 1.0, "azure": 6.93, "gcp": 89.1, "oci": 2.97}
    assert not found(outcome.decision, ReasonCode.OVERLOAD)
    for _ in range(20):
        outcome = story.settled(300)
    assert story.published == {"aws": 0.5, "gcp": 0.5, "azure": 69.3, "oci": 29.7}
    assert story.settled(3_600).decision.kind is DecisionKind.NORMAL
    story.settled(1)
    assert story.memory.ramps == {}
