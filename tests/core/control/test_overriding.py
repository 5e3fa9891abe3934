"""An operator's word, from the moment it is given until everything is as the file says again."""

from dataclasses import replace
from typing import Any

import pytest
from support.approving import limits
from support.scenes import NOW, OWNER, TARGET, address_of, policy, records, region
from support.stories import Story

from failoverd.core.control import standing
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.drift import INTENT
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import PlanKind
from failoverd.core.events import FailoverHeld, IncidentClosed, OverridesLost, PlanHeld
from failoverd.core.overrides import Comment, Override, Scope, Verb, about, begins
from failoverd.core.reasons import Cause, Limit, ReasonCode
from failoverd.core.records import Limits, Policy, Ration
from failoverd.telemetry import prose

HOUR = 3_600.0
THREE = policy(region("a", 50, "192.0.2.1", "192.0.2.2"), region("b", 30), region("c", 20))
FREE = limits(max_shift=10_000, max_changes=1_000)
NOTHING = limits(max_shift=0, max_changes=0)
SLOW = limits(max_shift=2_000, shift_window=300.0, max_changes=100)


def word(verb: Verb, *, since: float = NOW + HOUR, lasts: float = HOUR, **said: Any) -> Override:  # noqa: ANN401
    scope = said.pop("scope", Scope(policies=(TARGET.policy,)))
    return Override(
        id=f"{verb}-00000001",
        verb=verb,
        scope=scope,
        actor="alice@bastion",
        since=since,
        until=since + lasts,
        comments=(Comment(since, "alice@bastion", "rack maintenance"),),
        **said,
    )


def drain(name: str = "a", **said: Any) -> Override:  # noqa: ANN401 - what a word may say besides
    return word(Verb.DRAIN, scope=Scope(regions=(name,)), **said)


def begun(of: Policy = THREE, bounds: Limits = FREE) -> Story:
    """A target that holds what its policy says, long since: an hour after `NOW`."""
    story = Story(replace(of, limits=bounds))
    assert story.look().kind is OutcomeKind.WRITE
    assert story.look(HOUR).kind is OutcomeKind.IN_SYNC
    return story


def codes(outcome: Outcome) -> set[ReasonCode]:
    return {reason.code for reason in outcome.reasons}


# -- drain -------------------------------------------------------------------------------------------------------------


def test_a_drained_region_leaves_and_comes_back_when_the_word_ends() -> None:
    story = begun().say(drain())
    outcome = story.look()
    assert outcome.cause is Cause.OPERATOR
    assert story.published == {"b": 60, "c": 40}
    assert (story.marker.overrides, story.marker.until) == (("drain-00000001",), int(story.now + HOUR))
    assert story.settled(1.0).decision.kind is DecisionKind.OPERATOR
    back = story.look(HOUR)
    assert back.cause is Cause.RETURNING
    assert story.published == {"a": 50, "b": 30, "c": 20}
    assert (story.marker.overrides, story.marker.until) == ((), 0)
    assert story.settled(1.0).decision.kind is DecisionKind.NORMAL


def test_the_outcome_names_the_moment_at_which_the_word_ends() -> None:
    story = begun().say(drain())
    story.settled()
    assert story.asked().until == NOW + 2 * HOUR


def test_a_drain_goes_by_the_rates_unless_the_person_says_at_once() -> None:
    slow = begun(bounds=SLOW).say(drain())
    slow.look()
    assert slow.published == {"a": 30, "b": 42, "c": 28}
    fast = begun(bounds=SLOW).say(drain(now=True))
    assert fast.look().cause is Cause.OPERATOR
    assert fast.published == {"b": 60, "c": 40}


def test_what_tuned_before_keeps_nobody_from_draining() -> None:
    story = begun(bounds=replace(FREE, tuning=replace(FREE.tuning, max_changes=1, changes_window=HOUR)))
    for letters in ("DD", "HH"):
        story.look(61.0, a=letters)
    assert story.look(61.0, a="DD").kind is OutcomeKind.LIMITED
    story.say(drain(since=story.now))
    assert story.look().kind is OutcomeKind.WRITE
    assert story.published == {"b": 60, "c": 40}


def test_the_return_after_a_drain_goes_by_the_limits_of_returning() -> None:
    story = begun(bounds=replace(FREE, returning=Ration(max_shift=2_000, shift_window=300.0))).say(drain())
    story.settled()
    story.look(HOUR)
    assert story.published == {"a": 20, "b": 48, "c": 32}


def test_a_drained_region_is_nobodys_standby() -> None:
    of = policy(region("a", 100), region("b", 0, priority=2), region("c", 0, priority=3))
    story = begun(of).say(drain("b"))
    story.settled()
    story.look(1.0, a="U")
    assert story.published == {"c": 100}


def test_nobody_else_serving_leaves_the_answer_where_it_is_and_the_drained_region_out() -> None:
    story = begun().say(drain())
    story.settled()
    outcome = story.look(10.0, b="U", c="U")
    assert outcome.decision.kind is DecisionKind.HOLD_ALL_DOWN
    assert story.published == {"b": 60, "c": 40}
    assert ReasonCode.DRAINED in codes(outcome)


def test_every_region_drained_leaves_the_answer_as_it_is() -> None:
    story = begun().say(word(Verb.DRAIN, scope=Scope(regions=("*",))))
    outcome = story.settled()
    assert outcome.kind is OutcomeKind.HOLD
    assert ReasonCode.NOBODY_LEFT in codes(outcome)
    assert story.published == {"a": 50, "b": 30, "c": 20}


def test_a_drained_region_that_fails_is_down_like_any_other_and_its_incident_ends_without_it() -> None:
    story = begun()
    story.look(1.0, a="UU")
    assert story.published == {"b": 60, "c": 40}
    story.say(drain(since=story.now))
    story.settled()
    calm = story.asked(replace(story.seen(), calm=True))  # as a board says that leaves drained regions aside
    assert any(isinstance(event, IncidentClosed) for event in calm.events)


def test_with_manual_failback_the_end_of_the_word_is_what_brings_the_region_back() -> None:
    story = begun(replace(THREE, failback_after=None)).say(drain())
    story.settled()
    story.release()
    assert story.look(1.0).cause is Cause.RETURNING
    assert story.published == {"a": 50, "b": 30, "c": 20}


def test_with_manual_failback_a_region_that_fell_while_it_was_drained_waits_for_a_person() -> None:
    story = begun(replace(THREE, failback_after=None)).say(drain())
    story.settled()
    story.look(1.0, a="UU")
    story.release()
    story.look(1.0)
    story.look(60.0, a="HH")
    assert story.published == {"b": 60, "c": 40}


def test_a_drain_over_some_time_takes_the_traffic_away_in_ten_steps() -> None:
    story = begun().say(drain(over=600.0))
    seen = [story.look() and story.published["a"]]
    until = story.asked().until
    assert until == story.now + 60
    for _ in range(9):
        story.look(60.0)
        seen.append(story.published.get("a", 0.0))
    assert seen == [45, 40, 35, 30, 25, 20, 15, 10, 5, 0]


def test_one_endpoint_drained_leaves_its_region_the_share_that_it_has() -> None:
    story = begun().say(word(Verb.DRAIN, scope=Scope(endpoints=("a/192.0.2.1",))))
    assert story.look().cause is Cause.OPERATOR
    assert story.published == {"a": 50, "b": 30, "c": 20}
    assert story.observed.records is not None
    assert "192.0.2.1" not in {answer.value for answer in story.observed.records.serving}
    assert "192.0.2.2" in {answer.value for answer in story.observed.records.serving}


def test_a_drained_endpoint_that_waits_for_the_rates_leaves_at_once_when_it_is_down() -> None:
    story = begun(bounds=NOTHING).say(word(Verb.DRAIN, scope=Scope(endpoints=("a/192.0.2.1",))))
    held = story.settled()
    assert (held.kind, held.cause) == (OutcomeKind.LIMITED, Cause.OPERATOR)
    left = story.look(a="UH")
    assert (left.kind, left.cause) == (OutcomeKind.WRITE, Cause.FAILING_OUT)
    assert "192.0.2.1" not in answers(story)


def test_a_region_that_is_down_and_somebody_put_back_leaves_at_once_whatever_else_waits_for_the_rates() -> None:
    """Also by an endpoint of which nothing is known: it is the region that is down."""
    three = region("c", 20, "203.0.113.1", "203.0.113.2", "203.0.113.3")
    story = begun(policy(region("a", 50), region("b", 30), three), NOTHING)
    assert story.look(c="UU?").cause is Cause.FAILING_OUT
    story.observed = replace(story.observed, records=records({address_of("a"): 9_999, "203.0.113.3": 1}))
    assert story.look().kind is OutcomeKind.DRIFT, "for a while it is intent"
    story.edited(replace(policy(region("a", 10), region("b", 70), three), limits=NOTHING))
    assert (story.look(INTENT).kind, "203.0.113.3" in answers(story)) == (OutcomeKind.WRITE, False)


def answers(story: Story) -> list[str]:
    assert story.observed.records is not None
    return [answer.value for answer in story.observed.records.serving]


def test_a_region_of_which_every_endpoint_is_drained_is_drained() -> None:
    story = begun().say(word(Verb.DRAIN, scope=Scope(endpoints=("192.0.2.*",))))
    outcome = story.look()
    assert outcome.cause is Cause.OPERATOR
    assert ReasonCode.DRAINED in codes(outcome)
    assert story.published == {"b": 60, "c": 40}


@pytest.mark.parametrize("scope", [Scope(regions=("a",)), Scope(endpoints=("a/192.0.2.1", "a/192.0.2.2"))])
def test_a_drain_goes_by_the_rates_whether_it_names_the_region_or_each_endpoint(scope: Scope) -> None:
    """What of it is down goes at once, and what is well in steps."""
    story = begun(bounds=SLOW).say(word(Verb.DRAIN, scope=scope))
    seen = []
    for after, letters in ((0.0, "HU"), (0.5, "HU"), (300.0, "HU"), (300.0, "HU")):
        story.look(after, a=letters)
        seen.append((story.published.get("a", 0), "192.0.2.2" in answers(story)))
    assert seen == [(30, False), (30, False), (10, False), (0, False)]


# -- shed --------------------------------------------------------------------------------------------------------------


def test_shed_takes_a_part_of_what_the_region_would_get() -> None:
    story = begun().say(word(Verb.SHED, scope=Scope(regions=("a",)), part=2_500))
    story.settled()
    assert story.published == {"a": 37.5, "b": 37.5, "c": 25}
    story.settled(HOUR)
    assert story.published == {"a": 50, "b": 30, "c": 20}


def test_what_is_shed_goes_nowhere_where_nobody_has_room_and_that_is_told() -> None:
    of = replace(policy(region("a", 50, capacity=500), region("b", 50, capacity=500), base=THREE), demand=1_000.0)
    story = begun(of).say(word(Verb.SHED, scope=Scope(regions=("a",)), part=5_000))
    outcome = story.look()
    assert ReasonCode.OVERLOAD in codes(outcome)
    assert story.published["a"] < 50


# -- pin and undo ------------------------------------------------------------------------------------------------------


def test_a_pin_says_the_shares_and_what_is_down_still_leaves() -> None:
    story = begun().say(word(Verb.PIN, shares={"a": 2_000, "b": 8_000}))
    story.settled()
    assert story.published == {"a": 20, "b": 80}
    story.look(10.0, b="U")
    assert story.published == {"a": 100}
    story.look(10.0, b="H")
    story.settled(HOUR)
    assert story.published == {"a": 50, "b": 30, "c": 20}


def test_a_pin_of_whom_nobody_serves_says_nothing() -> None:
    story = begun().say(word(Verb.PIN, shares={"a": 10_000}))
    story.settled()
    story.look(10.0, a="UU")
    assert story.published == {"b": 60, "c": 40}


def test_an_incident_closes_while_a_pin_holds() -> None:
    story = begun()
    story.look(1.0, a="UU")
    story.say(word(Verb.PIN, since=story.now, shares={"b": 5_000, "c": 5_000}))
    story.settled()
    story.look(60.0, a="HH")
    assert story.told(IncidentClosed)
    assert story.published == {"b": 50, "c": 50}


# -- hold and pause ----------------------------------------------------------------------------------------------------


def test_a_hold_keeps_the_answer_and_says_so_in_the_marker_alone() -> None:
    story = begun().say(word(Verb.HOLD))
    marked = story.look()
    assert marked.plan is not None
    assert marked.plan.kind is PlanKind.MARK
    assert story.marker.overrides == ("hold-00000001",)
    outcome = story.look(10.0, a="UU")
    assert (outcome.kind, outcome.decision.kind) == (OutcomeKind.HOLD, DecisionKind.HOLD_OPERATOR)
    assert story.published == {"a": 50, "b": 30, "c": 20}
    story.settled(HOUR)
    assert story.published == {"b": 60, "c": 40}
    assert not story.marker.overrides


def test_a_hold_puts_back_what_somebody_emptied() -> None:
    story = begun().say(word(Verb.HOLD))
    story.settled()
    story.observed = replace(story.observed, records=None)
    story.settled(1.0)
    assert story.published == {"a": 50, "b": 30, "c": 20}


def test_a_pause_lets_only_what_is_down_leave() -> None:
    story = begun().say(word(Verb.PAUSE))
    story.settled()
    story.look(10.0, a="UU")
    assert story.published == {"b": 60, "c": 40}
    story.settled(1.0, a="HH")
    held = story.settled(400.0)
    assert held.kind is OutcomeKind.LIMITED
    assert held.held is not None
    assert [check.limit for check in held.held.blocking] == [Limit.PAUSED]
    assert held.until == NOW + 2 * HOUR
    assert story.told(PlanHeld)
    assert not story.told(FailoverHeld)
    story.settled(HOUR)
    assert story.published == {"a": 50, "b": 30, "c": 20}


def test_words_that_were_lost_are_not_called_a_pause() -> None:
    """Whoever looks for the operator who paused it looks in vain: what ends it is something else."""
    story = begun().say(word(Verb.PAUSE))
    story.settled()
    story.look(10.0, a="UU")
    story.state = replace(story.state, overrides=())
    story.settled(1.0, a="HH")
    held = story.settled(400.0)
    assert held.held is not None
    assert [check.limit for check in held.held.blocking] == [Limit.LOST]
    assert held.until == NOW + 2 * HOUR
    (said,) = story.told(PlanHeld)
    assert prose.say(said).endswith("not within 0%: overrides were lost with a journal")
    status = standing.after_outcome(story.policy, held, story.observed, "", story.now)
    assert status.remedy == "give the same override again, or end what was lost: failoverctl release --lost"
    story.say(word(Verb.PAUSE, lasts=2 * HOUR))
    both = story.settled(10.0)
    assert both.held is not None
    assert [check.limit for check in both.held.blocking] == [Limit.PAUSED]


def test_a_pause_of_everything_writes_nothing_at_all() -> None:
    story = begun().say(word(Verb.PAUSE, scope=Scope()))
    before = story.observed
    assert story.look(10.0, a="UU").kind is OutcomeKind.HOLD
    story.observed = replace(before, records=None)
    assert story.look(10.0).kind is OutcomeKind.HOLD
    assert story.observed.marker == before.marker


# -- verdicts by word --------------------------------------------------------------------------------------------------


def test_an_endpoint_that_is_down_by_word_leaves_and_its_region_is_judged_without_it() -> None:
    of = policy(region("a", 50, "192.0.2.1"), region("b", 50))
    story = begun(of).say(word(Verb.DOWN, scope=Scope(endpoints=("192.0.2.1",))))
    assert story.look().cause is Cause.FAILING_OUT
    assert story.published == {"b": 100}
    story.settled(HOUR)
    assert story.published == {"a": 50, "b": 50}


def test_an_endpoint_that_is_up_by_word_serves_whatever_probes_find() -> None:
    of = policy(region("a", 50, "192.0.2.1"), region("b", 50))
    story = begun(of)
    story.say(word(Verb.UP, scope=Scope(endpoints=("a/*",))))
    story.settled(10.0, a="U")
    assert story.published == {"a": 50, "b": 50}


# -- approve -----------------------------------------------------------------------------------------------------------


def test_an_approval_lets_the_held_plan_through_and_no_other() -> None:
    story = begun(policy(region("a", 50), region("b", 50)), replace(FREE, min_regions=2))
    held = story.look(1.0, a="U")
    assert held.held is not None
    assert story.told(FailoverHeld)
    story.say(word(Verb.APPROVE, since=story.now, digest="another"))
    assert story.look(1.0).kind is OutcomeKind.LIMITED
    story.say(word(Verb.APPROVE, since=story.now, digest=held.held.plan.digest))
    assert story.look(1.0).kind is OutcomeKind.WRITE
    assert story.published == {"b": 100}


def test_an_approval_is_good_though_the_marker_says_more_by_now_and_not_for_another_revision() -> None:
    """Somebody gives a word meanwhile: generation and end in the marker change, and nothing of what was looked at."""
    story = begun(policy(region("a", 50), region("b", 50)), replace(FREE, min_regions=2))
    held = story.look(1.0, a="U").held
    assert held is not None
    generation = story.marker.generation
    story.say(word(Verb.UP, since=story.now, scope=Scope(endpoints=("b/*",))))
    story.settled(1.0)
    assert story.marker.generation > generation
    approval = word(Verb.APPROVE, since=story.now, digest=held.plan.digest)
    edited = replace(story.policy, source=replace(story.policy.source, revision="edited"))
    story.policy, before = edited, story.policy
    story.say(approval)
    assert story.look(1.0).kind is OutcomeKind.LIMITED
    story.policy = before
    assert story.look(1.0).kind is OutcomeKind.WRITE
    assert story.published == {"b": 100}


def test_an_approval_lets_its_plan_through_once() -> None:
    story = begun(policy(region("a", 50), region("b", 50)), replace(FREE, min_regions=2))
    held = story.look(1.0, a="U").held
    assert held is not None
    story.say(word(Verb.APPROVE, since=story.now, digest=held.plan.digest))
    story.settled(1.0)
    assert story.published == {"b": 100}
    story.look(1.0, a="H")
    story.settled(400.0)
    assert story.published == {"a": 50, "b": 50}
    again = story.look(1.0, a="U")
    assert again.kind is OutcomeKind.LIMITED
    assert again.held is not None
    assert again.held.plan.digest == held.plan.digest


# -- words that are lost -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["drain", "shed", "pin", "up"])
def test_a_journal_that_lost_a_word_gives_nobody_traffic_who_has_none(verb: str) -> None:
    story = begun().say(replace(drain(), id=f"{verb}-00000001", until=NOW + 3 * HOUR))
    story.settled()
    story.state = replace(story.state, overrides=(), targets={})
    outcome = story.settled(10.0)
    assert story.published == {"b": 60, "c": 40}
    assert ReasonCode.OVERRIDES_LOST in codes(outcome)
    assert len(story.told(OverridesLost)) == 1
    story.look(10.0, b="U")
    assert story.published == {"c": 100}
    assert story.marker.overrides == (f"{verb}-00000001",)
    assert story.look(10.0, b="H").kind is not OutcomeKind.WRITE
    story.settled(3 * HOUR)
    assert story.published == {"a": 50, "b": 30, "c": 20}
    assert not story.marker.overrides


def test_a_lost_hold_holds() -> None:
    story = begun().say(word(Verb.HOLD))
    story.settled()
    story.state = replace(story.state, overrides=(), targets={})
    outcome = story.look(10.0, a="UU")
    assert outcome.decision.kind is DecisionKind.HOLD_OVERRIDES_LOST
    assert story.published == {"a": 50, "b": 30, "c": 20}


def named(of: Override, number: int) -> Override:
    """With an id as the desk gives it."""
    return replace(of, id=f"{begins(of.verb, of.scope)}{number:04x}")


def test_the_same_word_given_again_stands_in_for_the_lost_one() -> None:
    story = begun().say(named(drain(lasts=2 * HOUR), 1))
    story.settled()
    story.state = replace(story.state, overrides=(), targets={})
    story.look(10.0)
    again = named(drain(since=story.now), 2)
    story.say(again)
    outcome = story.settled(1.0)
    assert ReasonCode.OVERRIDES_LOST not in codes(outcome)
    assert story.marker.overrides == (again.id,)


def test_a_drain_of_another_region_is_not_the_word_that_was_lost() -> None:
    """What was lost may be why the first region gets nothing: it would be undone by a word that is not about it."""
    lost = named(drain(lasts=2 * HOUR), 1)
    story = begun().say(lost)
    story.settled()
    story.state = replace(story.state, overrides=(), targets={})
    story.look(10.0)
    other = named(drain("b", since=story.now), 2)
    story.say(other)
    outcome = story.settled(1.0)
    assert ReasonCode.OVERRIDES_LOST in codes(outcome)
    assert story.marker.overrides[0] == lost.id
    assert not story.published.get("a")


def test_a_word_that_was_released_before_the_marker_said_so_is_not_lost() -> None:
    story = begun().say(drain())
    story.settled()
    story.release()
    outcome = story.look(1.0)
    assert ReasonCode.OVERRIDES_LOST not in codes(outcome)
    assert story.published == {"a": 50, "b": 30, "c": 20}


def test_a_word_whose_region_is_renamed_is_known_and_keeps_nobody_out() -> None:
    """The file names another region than the word: the word is about nothing now, and is none that was lost."""
    story = begun().say(drain())
    story.settled()
    known = replace(story.state.overrides[0], scope=Scope(regions=("of-before",)))
    story.state = replace(story.state, overrides=(known,))
    outcome = story.settled(1.0)
    assert ReasonCode.OVERRIDES_LOST not in codes(outcome)
    assert story.published == {"a": 50, "b": 30, "c": 20}
    assert not story.marker.overrides
    assert not story.told(OverridesLost)


def test_the_marker_of_another_owner_names_nobodys_words() -> None:
    story = begun().say(drain())
    story.settled()
    story.state = replace(story.state, overrides=(), targets={})
    assert story.marker.owner == OWNER
    stolen = replace(story.marker, owner="somebody")
    story.observed = replace(story.observed, marker=stolen, marker_text=stolen.to_text())
    assert story.look(1.0).kind is OutcomeKind.REFUSE
    assert not story.told(OverridesLost)


# -- many words --------------------------------------------------------------------------------------------------------


def test_what_many_drills_are_about_is_looked_at_once() -> None:
    looks: list[Scope] = []

    class Watched(Scope):
        def has_policy(self, policy: Policy) -> bool:
            looks.append(self)
            return super().has_policy(policy)

    mine, others = Watched(regions=("a",)), Watched(regions=("elsewhere",))
    drills = [word(Verb.PRACTICE, scope=(mine, others)[n % 2], since=NOW + n * 180.0) for n in range(500)]
    assert about(drills, THREE) == tuple(drills[::2])
    assert len(looks) == 2
