"""A drill of a region: it begins on a good day, holds, and gives way to everything else, at once."""

from dataclasses import replace
from typing import Any

import pytest
from support.approving import limits
from support.scenes import NOW, TARGET, policy, region
from support.stories import Story

from failoverd.core.control.claiming import claim
from failoverd.core.control.clearance import Objection, goes_on, may_begin
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.practice import survival
from failoverd.core.control.sharing import Claim, Draw, Grant
from failoverd.core.events import IncidentOpened
from failoverd.core.overrides import ITSELF, Comment, Override, Scope, Verb
from failoverd.core.practices import PracticeOutcome
from failoverd.core.reasons import Cause, LimitNote, ReasonCode
from failoverd.core.records import Limits, Policy, RampRules

HOUR = 3_600.0
THREE = policy(region("a", 50), region("b", 30), region("c", 20))
TIGHT = replace(policy(region("a", 50, capacity=100.0), region("b", 50, capacity=100.0)), demand=150.0)
FREE = limits(max_shift=10_000, max_changes=1_000)
SLOW = limits(max_shift=2_000, shift_window=300.0, max_changes=100)


def word(verb: Verb, region: str = "a", *, since: float = NOW + HOUR, **said: Any) -> Override:  # noqa: ANN401
    scope = Scope(regions=(region,)) if verb in {Verb.DRAIN, Verb.SHED, Verb.PRACTICE} else Scope((TARGET.policy,))
    return Override(
        id=f"{verb}-00000001",
        verb=verb,
        scope=scope,
        actor="alice@bastion",
        since=since,
        until=since + HOUR / 2,
        comments=(Comment(since, "alice@bastion", "weekly drill"),),
        **said,
    )


def drill(region: str = "a", **said: Any) -> Override:  # noqa: ANN401 - what a word may say besides
    return word(Verb.PRACTICE, region, **said)


def begun(of: Policy = THREE, bounds: Limits = FREE) -> Story:
    """A target that holds what its policy says, an hour after `NOW`."""
    story = Story(replace(of, limits=bounds))
    assert story.look().kind is OutcomeKind.WRITE
    assert story.look(HOUR).kind is OutcomeKind.IN_SYNC
    return story


# -- one record --------------------------------------------------------------------------------------------------------


def test_a_practised_region_gets_nothing_and_comes_back_when_its_time_is_over() -> None:
    story = begun().say(drill())
    begins = story.look()
    assert begins.plan is not None
    assert begins.plan.cause is Cause.OPERATOR
    assert begins.plan.marker.overrides == ("practice-00000001",)
    assert story.published == {"b": 60, "c": 40}
    resting = story.look(60)
    assert resting.kind is OutcomeKind.IN_SYNC
    assert resting.decision.kind is DecisionKind.OPERATOR
    assert resting.until == drill().until
    assert ReasonCode.PRACTISED in {reason.code for reason in resting.decision.reasons}
    story.settled(HOUR / 2)
    assert story.published == {"a": 50, "b": 30, "c": 20}
    assert story.memory.practised == frozenset()
    assert not story.told(IncidentOpened)


def test_one_that_was_not_cleared_does_nothing() -> None:
    assert begun().say(drill(cleared=False)).look().kind is OutcomeKind.IN_SYNC


def test_a_drill_leaves_by_the_rates_and_ends_by_those_of_returning() -> None:
    story = begun(bounds=SLOW).say(drill())
    story.settled()
    assert story.published["a"] == 30
    story.settled(300)
    story.settled(300)
    assert story.published == {"b": 60, "c": 40}
    story.release("alice@bastion")
    story.settled()
    assert story.published["a"] == 20


def test_a_region_that_fails_meanwhile_ends_it_in_the_same_round_and_the_practised_one_takes_over() -> None:
    """No hold, though the policy has one, and no rate: it never failed."""
    slow = limits(max_shift=1_000, shift_window=60.0, max_changes=100)
    story = begun(replace(THREE, failback_after=600.0), slow).say(drill())
    for _ in range(6):
        story.settled(60)
    assert story.published == {"b": 60, "c": 40}
    outcome = story.look(1, b="U")
    assert outcome.plan is not None
    assert outcome.plan.cause is Cause.FAILING_OUT
    assert outcome.approved is not None
    assert LimitNote.RECALLED in {check.note for check in outcome.approved.checks}
    assert story.published == {"a": pytest.approx(71.43), "c": pytest.approx(28.57)}


def test_one_that_failoverd_cuts_short_for_trouble_elsewhere_ends_at_once() -> None:
    story = begun(bounds=SLOW).say(drill())
    for _ in range(4):
        story.settled(300)
    story.release(ITSELF)
    story.settled(1)
    assert story.published == {"a": 50, "b": 30, "c": 20}


@pytest.mark.parametrize("letters", [{}, {"b": "U"}, {"b": "D"}])
def test_one_that_is_cut_short_is_back_in_full_though_its_policy_has_a_ramp(letters: dict[str, str]) -> None:
    """Whatever ended it, trouble elsewhere or its own: the ramp is for who failed."""
    story = begun(replace(THREE, ramp=RampRules(judge=60.0), failback_after=300.0)).say(drill())
    story.settled()
    assert story.published == {"b": 60, "c": 40}
    story.release(ITSELF)
    story.settled(1, **letters)
    assert story.published["a"] >= 50
    assert "a" not in story.memory.ramps
    story.settled(1_800)
    assert story.published["a"] >= 50


def test_one_that_is_cut_short_while_a_limit_makes_its_step_smaller_is_back_in_full() -> None:
    story = begun(replace(THREE, ramp=RampRules(judge=60.0)), SLOW).say(drill())
    for _ in range(4):
        story.settled(300)
    story.release("alice@bastion")
    story.settled()
    assert story.published["a"] == 5
    story.say(replace(drill(since=story.now), id="practice-00000002")).settled(300)
    story.release(ITSELF)
    story.settled(1)
    assert story.published == {"a": 50, "b": 30, "c": 20}


@pytest.mark.parametrize("said", [(), (drill(),)])
def test_one_that_takes_nobody_out_because_the_others_need_the_region_moves_nothing_past_the_rates(
    said: tuple[Override, ...],
) -> None:
    """That the region is to get more than it has is because another one can carry less, with or without a drill."""
    story = begun(replace(policy(region("a", 50, capacity=100.0), region("b", 50, capacity=100.0)), demand=100.0), SLOW)
    story.edited(policy(region("a", 50, capacity=100.0), region("b", 50, capacity=10.0), base=story.policy))
    story.say(*said)
    outcome = story.look()
    assert outcome.decision.shares == {"a": 9_000, "b": 1_000}
    assert story.published == {"a": 70, "b": 30}
    assert not story.memory.practised


def test_manual_failback_keeps_no_practised_region_out() -> None:
    story = begun(replace(THREE, failback_after=None)).say(drill())
    story.settled()
    story.settled(HOUR / 2)
    assert story.published == {"a": 50, "b": 30, "c": 20}


def test_one_that_fails_while_it_is_practised_waits_for_its_failback_like_any_other() -> None:
    story = begun(replace(THREE, failback_after=600.0)).say(drill())
    story.settled()
    story.settled(1, a="U")
    story.settled(1, a="H")
    assert "a" not in story.published
    assert story.memory.practised == frozenset()
    story.settled(600)
    assert story.published["a"] == 50  # and the drill does not begin again, though its time is not over
    story.settled(60)
    assert story.published["a"] == 50


@pytest.mark.parametrize("other", [word(Verb.DRAIN, "b"), word(Verb.SHED, "b", part=5_000), word(Verb.UP)])
def test_any_other_word_counts_more(other: Override) -> None:
    story = begun().say(drill())
    story.settled()
    story.say(other)
    story.settled(1)
    assert story.published["a"] > 0


def test_a_hold_leaves_it_as_it_is_and_a_lost_drill_is_over() -> None:
    story = begun().say(drill())
    story.settled()
    story.state = replace(story.state, overrides=())  # the journal is lost
    story.settled(1)
    assert story.published == {"a": 50, "b": 30, "c": 20}
    assert story.observed.marker is not None
    assert story.observed.marker.overrides == ()


def test_it_takes_nothing_away_that_the_others_cannot_carry() -> None:
    story = begun(TIGHT).say(drill())
    outcome = story.look()
    assert outcome.kind is not OutcomeKind.WRITE or outcome.plan is not None
    assert story.published == {"a": 50, "b": 50}
    assert ReasonCode.PRACTICE_YIELDS in {reason.code for reason in outcome.decision.reasons}


# -- the estate --------------------------------------------------------------------------------------------------------


def claims(*loads: tuple[str, int, float]) -> list[Claim]:
    """Policies of a tier and a demand that fall back from az to oci to aws: 900, 600 and 900."""
    rooms = {"az": 900.0, "oci": 600.0, "aws": 900.0}
    return [
        Claim(name, tier, demand, tuple((Draw(region, 1.0, room),) for region, room in rooms.items()))
        for name, tier, demand in loads
    ]


def test_the_others_have_to_carry_1_1_times_the_demand_of_all_policies() -> None:
    fits = survival(
        claims(("prod", 0, 800), ("pilot", 1, 500)), {"prod": frozenset({"az"}), "pilot": frozenset({"az"})}
    )
    assert fits.enough
    assert fits.demand == pytest.approx(1_300)
    assert fits.carried == pytest.approx(1_430)
    without = dict.fromkeys(("prod", "pilot", "dev"), frozenset({"az"}))
    tight = survival(claims(("prod", 0, 800), ("pilot", 1, 500), ("dev", 2, 400)), without)
    assert not tight.enough
    assert tight.asked == pytest.approx(1_870)
    assert tight.carried == pytest.approx(1_500)
    assert dict(tight.short or {}) == pytest.approx({"dev": 370.0})


def test_a_drill_of_one_policy_leaves_the_region_to_the_others() -> None:
    found = survival(claims(("prod", 0, 800), ("pilot", 1, 500), ("dev", 2, 400)), {"dev": frozenset({"az"})})
    assert found.enough


def asked(story: Story, **letters: str) -> Objection | None:
    state = story.seen(**letters)
    mine = claim(story.policy, state, story.now)
    words = story.state.overrides
    return may_begin(drill(), [(story.policy, state)], [mine] if mine else [], words, story.now)


def test_it_begins_on_a_good_day_alone() -> None:
    assert asked(begun()) is None
    down = asked(begun(), b="U")
    assert down is not None
    assert down.outcome is PracticeOutcome.BLOCKED
    assert "is open" in down.why
    unseen = asked(begun(), b="?")
    assert unseen is not None
    assert unseen.outcome is PracticeOutcome.BLOCKED
    other = asked(begun().say(word(Verb.DRAIN, "c")))
    assert other is not None
    assert other.why == "drain-00000001 is in force: drain of region c, by alice@bastion"
    short = asked(begun(TIGHT))
    assert short is not None
    assert short.outcome is PracticeOutcome.CAPACITY_CHECK_FAILED
    assert short.why == "the others carry 100 of 165, which is 1.1 times the demand; short: inference-api 65"
    one = may_begin(drill("nowhere"), [(THREE, begun().seen())], [], (), NOW)
    assert one is not None
    assert "no policy at work" in one.why
    alone = policy(region("a", 100))
    assert may_begin(drill(), [(alone, begun(alone).seen())], [], (), NOW) == Objection(
        PracticeOutcome.BLOCKED, f"policy {alone.name} has no other region"
    )


def ended(story: Story, said: Override, **letters: str) -> PracticeOutcome | None:
    found = goes_on(said, [(story.policy, story.seen(**letters))], {}, story.state.overrides, story.now)
    return found.outcome if found is not None else None


def test_how_a_drill_ends() -> None:
    story = begun().say(drill())
    assert ended(story, drill()) is None
    assert ended(story, drill(), c="H", b="U") is PracticeOutcome.FAILED
    assert ended(story, drill(succeed=("other",)), b="U") is PracticeOutcome.INTERRUPTED
    assert ended(story, drill(), b="H", a="U") is PracticeOutcome.INTERRUPTED
    story = begun().say(drill())
    assert ended(story.say(word(Verb.DRAIN, "c")), drill()) is PracticeOutcome.INTERRUPTED
    grants = {TARGET.policy: Grant(800.0, {"a": 20.0}, {})}
    short = goes_on(drill(), [(story.policy, story.seen())], grants, (), story.now)
    assert short is not None
    assert short.outcome is PracticeOutcome.FAILED
