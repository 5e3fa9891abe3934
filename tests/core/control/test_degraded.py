"""`degraded: out`: a DEGRADED region leaves the answer where the others have room for what it has."""

from dataclasses import replace

import pytest
from support.approving import limits
from support.scenes import PAIR, RECORD, policy, region
from support.stories import Story, in_or_out
from support.sums import redone, told

from failoverd.core.control.claiming import claim
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.events import FailbackAbandoned
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import WHOLE, Policy, Steering, Weights, WhenDegraded

OUT = replace(PAIR, degraded=WhenDegraded.OUT)
MEMBERS = replace(OUT, weights=Weights.MEMBERSHIP)
"""Two regions of which nobody said what they can carry."""

HALVES = policy(region("azure", 50, "192.0.2.10"), region("oci", 50, "198.51.100.10"), base=MEMBERS)


def sized(demand: float, *capacities: float) -> Policy:
    names = ("azure", "oci", "aws")[: len(capacities)]
    regions = (region(name, 30, capacity=capacity) for name, capacity in zip(names, capacities, strict=True))
    return policy(*regions, base=replace(MEMBERS, demand=demand))


def single(*, demand: float | None = None, capacity: float | None = None) -> Policy:
    """One answer at a time."""
    base = replace(OUT, records=(replace(RECORD, single=True),), steering=Steering.FAILOVER, demand=demand)
    first = region("azure", 50, "192.0.2.10", priority=1, capacity=capacity)
    return policy(first, region("oci", 50, "198.51.100.10", priority=2, capacity=capacity), base=base)


def begun(of: Policy) -> Story:
    story = Story(of, normalise=in_or_out if of.weights is Weights.MEMBERSHIP else lambda wanted: wanted)
    assert story.look().kind is OutcomeKind.WRITE
    assert story.look(3_600.0).kind is OutcomeKind.IN_SYNC
    return story


# -- it leaves ---------------------------------------------------------------------------------------------------------


def test_without_a_word_a_degraded_region_keeps_its_place_in_the_answer() -> None:
    story = begun(replace(HALVES, degraded=WhenDegraded.KEEP))
    assert story.look(60.0, azure="D").kind is OutcomeKind.IN_SYNC


def test_it_leaves_while_all_others_are_healthy_and_says_why() -> None:
    story = begun(HALVES)
    outcome = story.look(60.0, azure="D")
    assert story.published == {"oci": 100}
    assert outcome.approved is not None
    assert outcome.approved.plan.cause is Cause.TUNING
    assert told(outcome.decision, ReasonCode.DEGRADED_OUT) == [
        "azure is left out while it is degraded (score 50%): the others have room for what it has"
    ]
    assert redone(outcome.decision) == {"oci": 100}


def test_it_leaves_where_the_others_are_known_to_have_room_though_they_are_not_all_well() -> None:
    story = begun(sized(500, 600, 600, 600))
    story.look(60.0, azure="D", oci="U")
    assert story.published == {"aws": 100}


def test_a_record_that_holds_one_answer_goes_on_with_the_next_region() -> None:
    story = begun(single())
    assert story.published == {"azure": 100}
    story.look(60.0, azure="D")
    assert story.published == {"oci": 100}


def test_where_shares_can_be_said_it_is_out_as_well() -> None:
    story = begun(OUT)
    story.look(60.0, azure="D")
    assert story.published == {"oci": 100}


# -- it stays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "ill", "rule"),
    [
        (sized(1_000, 600, 600), {"azure": "D"}, "demand"),
        (policy(*sized(1, 1, 1, 1).regions, base=HALVES), {"azure": "D", "oci": "U"}, "capacity"),
        (replace(HALVES, limits=limits(min_regions=2)), {"azure": "D"}, "limits.min_regions"),
        (HALVES, {"azure": "D", "oci": "U"}, "regions"),
        (single(demand=1_000, capacity=600), {"azure": "D"}, "demand"),
    ],
    ids=["no room", "nobody knows", "too few", "alone", "no room for the one"],
)
def test_it_stays_where_something_speaks_against_it_and_that_is_told(
    of: Policy, ill: dict[str, str], rule: str
) -> None:
    of = replace(of, demand=of.demand if rule == "demand" else None)
    story = begun(of)
    outcome = story.look(60.0, **ill)
    assert "azure" in story.published
    assert [reason.rule for reason in outcome.reasons if reason.code is ReasonCode.DEGRADED_KEPT] == [rule]


def test_of_several_only_so_many_leave_as_the_rest_has_room_for_the_worst_first() -> None:
    of = policy(
        region("azure", 30, "192.0.2.1", "192.0.2.2", capacity=500),
        region("oci", 30, "198.51.100.1", capacity=500),
        region("aws", 30, "203.0.113.1", capacity=500),
        base=replace(MEMBERS, demand=700.0),
    )
    story = begun(replace(of, health=replace(of.health, degraded_below=9_000)))
    story.look(60.0, azure="HD", oci="D")
    assert set(story.published) == {"azure", "aws"}


def test_one_with_a_small_share_is_out_as_well() -> None:
    story = begun(policy(region("azure", 3), region("oci", 97), base=replace(OUT, degraded=WhenDegraded.OUT)))
    story.look(60.0, azure="D")
    assert story.published == {"oci": 100}


def test_a_region_whose_failback_is_held_is_not_let_in_for_it() -> None:
    story = begun(replace(sized(280, 600, 600), failback_after=None))
    story.look(60.0, oci="U")
    story.look(60.0, oci="H")
    outcome = story.look(60.0, azure="D")
    assert story.published == {"azure": 100}
    assert ReasonCode.FAILBACK_WAIVED not in {reason.code for reason in outcome.reasons}


def test_where_it_can_carry_too_little_by_itself_those_who_are_let_in_for_that_get_all_of_it_in_one_change() -> None:
    """Who waited is let in for what a DEGRADED region cannot carry, and not for that it leaves."""
    three = policy(region("azure", 100), region("oci"), region("aws"), base=replace(OUT, failback_after=None))
    story = begun(replace(three, limits=limits(max_shift=WHOLE)))
    outcome = story.look(60.0, azure="D")
    assert story.published == {"oci": 50, "aws": 50}
    assert told(outcome.decision, ReasonCode.DEGRADED_OUT)
    assert story.look(600.0).kind is OutcomeKind.IN_SYNC


# -- it comes back -----------------------------------------------------------------------------------------------------


def test_it_comes_back_after_it_has_been_healthy_for_as_long_as_one_that_was_down() -> None:
    story = begun(HALVES)
    story.look(60.0, azure="D")
    outcome = story.look(60.0, azure="H")
    assert story.published == {"oci": 100}
    assert outcome.until == story.now + 300.0
    story.look(299.0)
    assert story.published == {"oci": 100}
    story.look(1.0)
    assert story.published == {"azure": 50, "oci": 50}


def test_it_waits_for_no_person() -> None:
    story = begun(replace(HALVES, failback_after=None))
    story.look(60.0, azure="D")
    story.look(60.0, azure="H")
    assert story.published == {"oci": 100}
    story.look(300.0)
    assert story.published == {"azure": 50, "oci": 50}


def test_it_is_in_at_once_when_the_others_fail() -> None:
    story = begun(HALVES)
    story.look(60.0, azure="D")
    story.look(60.0, oci="U")
    assert story.published == {"azure": 100}


def test_traffic_that_is_gone_makes_a_region_well_and_that_does_not_swing() -> None:
    """A region that is DEGRADED with its traffic and HEALTHY a minute after it is gone."""
    story, changes = begun(replace(HALVES, limits=limits(max_changes=1_000))), 0
    for _ in range(12 * 120):
        before = story.published
        story.look(30.0, azure="D" if story.published.get("azure") else "H")
        changes += story.published != before
    assert changes == 7  # out; then in and out after 5, 10 and 20 minutes; and then a person is told
    (given_up,) = story.told(FailbackAbandoned)
    assert isinstance(given_up, FailbackAbandoned)
    assert given_up.aborts == 3
    assert story.published == {"oci": 100}
    assert ReasonCode.FAILBACK_GIVEN_UP in {reason.code for reason in story.look(60.0).reasons}
    story.state = replace(story.state, returning=frozenset({"azure"}))
    story.look(1.0)
    assert story.published == {"azure": 50, "oci": 50}


@pytest.mark.parametrize("of", [replace(PAIR, degraded=WhenDegraded.OUT), single()])
def test_so_it_is_whatever_a_record_can_say(of: Policy) -> None:
    story, changes = begun(replace(of, limits=limits(max_changes=1_000))), 0
    for _ in range(12 * 120):
        before = story.published
        story.look(30.0, azure="D" if story.published.get("azure") else "H")
        changes += story.published != before
    assert changes == 7


def test_an_illness_that_comes_after_half_an_hour_is_counted_too() -> None:
    story, changes, since = begun(replace(HALVES, limits=limits(max_changes=1_000))), 0, 0.0
    for _ in range(24 * 120):
        before = story.published
        since = since + 30.0 if before.get("azure") else 0.0
        story.look(30.0, azure="D" if since > 1_800 else "H")
        changes += story.published != before
    assert changes == 7


def test_who_was_well_for_an_hour_is_as_new() -> None:
    story = begun(HALVES)
    for _ in range(6):
        story.look(60.0, azure="D")
        story.look(60.0, azure="H")
        story.look(300.0)
        assert story.published == {"azure": 50, "oci": 50}
        story.look(3_600.0)


def test_the_estate_knows_that_it_is_left_out_and_may_be_drawn_upon_all_the_same() -> None:
    story = begun(sized(500, 600, 600))
    story.look(60.0, azure="D")
    found = claim(story.policy, story.seen(), story.now)
    assert found is not None
    assert [[draw.region for draw in level] for level in found.levels] == [["oci"], ["azure"]]
