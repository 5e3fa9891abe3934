"""Stories of operators' words that random histories brought to light: each was a fault once."""

from dataclasses import replace

import pytest
from support.approving import limits
from support.scenes import KEY, TARGET, policy, records, region
from support.stories import Story

from failoverd.core.control.limits import Approved
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.plan import PlanKind
from failoverd.core.control.standing import after_outcome
from failoverd.core.events import FailoverHeld, OverridesLost
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, Limit
from failoverd.core.records import WHOLE, AllDown, OnDrift, Policy

AZURE, OCI, AWS = region("azure", 70), region("oci", 30), region("aws")
PAIR = policy(AZURE, OCI)
HOUR = 3_600.0


class Operated(Story):
    """A story in which operators speak, too."""

    def __init__(self, of: Policy) -> None:
        super().__init__(of)
        self.look()
        self.look(600.0)

    def says(self, verb: Verb, scope: Scope | None = None, *, lasts: float = HOUR, **said: object) -> Override:
        found = Override(
            f"{verb}-{len(self.state.overrides):08x}",
            verb,
            scope or Scope(policies=(TARGET.policy,)),
            "alice@host",
            self.now,
            self.now + lasts,
            (Comment(self.now, "alice@host", "because"),),
        )
        found = replace(found, **said)  # type: ignore[arg-type]
        self.state = replace(self.state, overrides=(*self.state.overrides, found))
        return found


def of_region(name: str) -> Scope:
    return Scope(regions=(name,))


AZURE_AT = AZURE.endpoints[0].address


def somebody_writes(story: Story, weights: dict[str, int]) -> None:
    story.observed = replace(story.observed, records=records(weights))


def test_what_ends_while_everything_is_down_is_looked_at_when_it_ends() -> None:
    story = Operated(replace(PAIR, when_all_down=AllDown.NORMAL))
    drain = story.says(Verb.DRAIN, of_region("azure"), lasts=600.0)
    story.look()
    story.look(1.0, azure="U", oci="U")
    assert story.look(1.0).until == drain.until


def test_what_begins_while_a_verdict_is_open_is_looked_at_when_it_begins() -> None:
    overfull = replace(policy(region("azure", 100, capacity=0.0)), demand=100.0)
    story = Operated(overfull)
    story.says(Verb.HOLD, since=story.now + 1.0)
    story.seen()
    story.regions["azure"] = replace(story.regions["azure"], open_until=story.now + 5.0)
    state = replace(story.state, verdicts={KEY.type: dict(story.regions)})
    assert story.asked(state).until == story.now + 1.0


def test_a_shed_takes_its_part_once_while_a_verdict_is_open() -> None:
    story = Operated(PAIR)
    story.says(Verb.SHED, of_region("azure"), part=5_000, now=True)
    for _ in range(4):
        story.seen()
        story.regions["azure"] = replace(story.regions["azure"], open_until=story.now + 3.0)
        outcome = story.asked(replace(story.state, verdicts={KEY.type: dict(story.regions)}))
        story.state = outcome.state
        if outcome.approved is not None:
            story.write(outcome.approved.plan)
    assert story.published == {"azure": 35.0, "oci": 65.0}


def test_a_drain_leaves_in_steps_where_the_rate_is_lower_than_its_share() -> None:
    story = Operated(replace(PAIR, limits=limits(max_shift=2_500, shift_window=300.0)))
    story.says(Verb.DRAIN, of_region("azure"))
    seen = []
    for _ in range(4):
        story.look()
        seen.append(story.published)
        story.look(300.0)
    assert seen == [
        {"azure": 45.0, "oci": 55.0},
        {"azure": 20.0, "oci": 80.0},
        {"oci": 100.0},
        {"oci": 100.0},
    ]


def test_a_drain_at_once_meets_no_rate() -> None:
    story = Operated(replace(PAIR, limits=limits(max_shift=2_500, shift_window=300.0)))
    story.says(Verb.DRAIN, of_region("azure"), now=True)
    story.look()
    assert story.published == {"oci": 100.0}


def test_a_drained_region_that_is_lost_from_sight_does_not_fail_out() -> None:
    """Who is told to leave leaves by the rates; that nobody sees him is no reason to hurry."""
    story = Operated(replace(PAIR, limits=limits(max_shift=2_500, shift_window=300.0)))
    story.says(Verb.DRAIN, of_region("azure"))
    outcome = story.look(azure="?")
    assert outcome.cause is Cause.OPERATOR
    assert story.published == {"azure": 45.0, "oci": 55.0}


def test_a_drained_region_that_is_down_leaves_at_once_whatever_the_rate() -> None:
    story = Operated(replace(PAIR, limits=limits(max_shift=0)))
    story.says(Verb.DRAIN, of_region("azure"))
    story.look()
    assert story.look().kind is OutcomeKind.LIMITED
    story.look(1.0, azure="U")
    assert story.published == {"oci": 100.0}


def test_a_drained_region_that_is_called_down_leaves_at_once_whatever_the_rate() -> None:
    story = Operated(replace(PAIR, limits=limits(max_shift=0)))
    story.says(Verb.DRAIN, of_region("azure"))
    story.look()
    assert story.look().kind is OutcomeKind.LIMITED
    story.says(Verb.DOWN, Scope(endpoints=("azure/*",)))
    story.look(1.0)
    assert story.published == {"oci": 100.0}


def test_a_drained_region_that_is_called_up_does_not_fail_out_whatever_probes_find() -> None:
    story = Operated(replace(PAIR, limits=limits(max_shift=2_500, shift_window=300.0)))
    story.says(Verb.UP, Scope(endpoints=("azure/*",)))
    story.look(1.0, azure="U")
    story.says(Verb.DRAIN, of_region("azure"))
    outcome = story.look(1.0)
    assert outcome.cause is Cause.OPERATOR
    assert story.published == {"azure": 45.0, "oci": 55.0}


def test_a_dead_endpoint_of_a_drained_region_leaves_while_the_rest_waits_for_the_rate() -> None:
    wide = policy(region("azure", 70, "192.0.2.10", "192.0.2.11", "192.0.2.12"), OCI)
    story = Operated(replace(wide, limits=limits(max_shift=0)))
    story.says(Verb.DRAIN, of_region("azure"))
    outcome = story.look(azure="HHU")
    assert isinstance(outcome.approved, Approved)
    assert outcome.cause is Cause.FAILING_OUT
    assert story.observed.records is not None
    assert "192.0.2.12" not in {answer.value for answer in story.observed.records.answers}
    assert story.published == pytest.approx({"azure": 70.0, "oci": 30.0})


def test_a_hold_that_keeps_a_dead_region_is_told_as_an_error_and_once() -> None:
    story = Operated(PAIR)
    story.says(Verb.HOLD)
    story.look()
    story.look(1.0, azure="U")
    story.look(1.0)
    (held,) = story.told(FailoverHeld)
    assert isinstance(held, FailoverHeld)
    assert held.wanted == {"oci": WHOLE}
    assert [check.limit for check in held.limits] == [Limit.HELD]
    assert story.published == {"azure": 70.0, "oci": 30.0}
    assert after_outcome(story.policy, story.look(1.0), story.observed, "", story.now).keeps_dead
    story.look(1.0, azure="H")
    story.look(1.0, azure="U")
    assert len(story.told(FailoverHeld)) == 2


@pytest.mark.parametrize("when_all_down", [AllDown.KEEP, AllDown.NORMAL])
def test_a_drain_of_the_only_one_that_serves_is_told_as_what_keeps_the_dead_one(when_all_down: AllDown) -> None:
    """Whatever the file says of a day on which nobody serves: here somebody would."""
    story = Operated(replace(PAIR, when_all_down=when_all_down))
    story.says(Verb.DRAIN, of_region("azure"), now=True)
    story.look()
    story.look(1.0, oci="U")
    assert after_outcome(story.policy, story.look(1.0), story.observed, "", story.now).keeps_dead
    (held,) = story.told(FailoverHeld)
    assert isinstance(held, FailoverHeld)
    assert held.wanted == {"azure": WHOLE}
    assert [check.limit for check in held.limits] == [Limit.HELD]
    assert story.published == {"oci": 100.0}
    story.look(1.0, oci="H")
    assert not after_outcome(story.policy, story.look(1.0), story.observed, "", story.now).keeps_dead
    story.look(1.0, oci="U")
    story.look(1.0)
    assert len(story.told(FailoverHeld)) == 2


@pytest.mark.parametrize("when_all_down", [AllDown.KEEP, AllDown.NORMAL])
def test_a_lost_drain_that_keeps_the_dead_one_is_told(when_all_down: AllDown) -> None:
    """The one that serves has no traffic, and may be the one that was drained: it gets none until the word ends."""
    story = Operated(replace(PAIR, when_all_down=when_all_down))
    story.says(Verb.DRAIN, of_region("azure"), now=True, lasts=600.0)
    story.settled()
    story.state = replace(story.state, overrides=(), targets={})
    story.look(1.0)
    story.look(1.0, oci="U")
    assert after_outcome(story.policy, story.look(1.0), story.observed, "", story.now).keeps_dead
    (held,) = story.told(FailoverHeld)
    assert isinstance(held, FailoverHeld)
    assert held.wanted == {"azure": WHOLE}
    assert story.published == {"oci": 100.0}
    story.look(600.0)
    assert story.published == {"azure": 100.0}


@pytest.mark.parametrize("verb", [Verb.DRAIN, Verb.HOLD])
def test_a_word_keeps_nobody_on_what_is_down_where_nobody_else_serves(verb: Verb) -> None:
    """Without it another one would answer that is down as well."""
    first = policy(region("azure", 100), region("oci", 0, priority=2), region("aws", 0, priority=3))
    story = Operated(replace(first, when_all_down=AllDown.NORMAL))
    story.look(1.0, azure="U")
    assert story.published == {"oci": 100.0}
    story.says(verb, of_region("azure") if verb is Verb.DRAIN else None)
    story.look()
    story.look(600.0, oci="U", aws="U")
    assert not after_outcome(first, story.look(1.0), story.observed, "", story.now).keeps_dead
    assert not story.told(FailoverHeld)


def test_a_drain_of_the_only_one_that_is_called_up_is_told_as_what_keeps_the_dead_one() -> None:
    story = Operated(PAIR)
    story.says(Verb.DRAIN, of_region("azure"), now=True)
    story.look()
    story.look(1.0, azure="U")
    story.look(600.0, oci="U")
    assert not story.told(FailoverHeld)
    story.says(Verb.UP, Scope(endpoints=("azure/*",)))
    story.look(1.0)
    (held,) = story.told(FailoverHeld)
    assert isinstance(held, FailoverHeld)
    assert held.wanted == {"azure": WHOLE}


def test_a_hold_under_which_somebody_puts_back_what_is_down_is_told() -> None:
    """What counts is where the traffic goes, whoever sent it there."""
    story = Operated(PAIR)
    story.look(1.0, azure="U")
    assert story.published == {"oci": 100.0}
    story.says(Verb.HOLD)
    story.look()
    somebody_writes(story, {AZURE_AT: 1, "203.0.113.66": 1})
    story.look(1.0)
    (held,) = story.told(FailoverHeld)
    assert isinstance(held, FailoverHeld)
    assert held.wanted == {"oci": WHOLE}
    assert after_outcome(story.policy, story.look(1.0), story.observed, "", story.now).keeps_dead


@pytest.mark.parametrize("verb", [Verb.DRAIN, Verb.DOWN])
def test_a_word_about_what_an_accepted_edit_answers_ends_the_edit(verb: Verb) -> None:
    """What failoverd wants is the same before and after the word, and is not what stands there."""
    story = Operated(replace(PAIR, on_drift=OnDrift.ADOPT))
    story.look(1.0, azure="U")
    somebody_writes(story, {AZURE_AT: 1})
    story.look(1.0)
    story.look(1.0)
    assert story.published == {"azure": 100.0}
    story.says(verb, Scope(endpoints=("azure/*",)), lasts=60.0)
    story.look(1.0)
    assert story.published == {"oci": 100.0}


def test_an_edit_that_is_accepted_counts_more_than_the_words_before_it() -> None:
    story = Operated(replace(PAIR, on_drift=OnDrift.ADOPT))
    story.says(Verb.DRAIN, of_region("azure"), now=True)
    story.look()
    story.look(1.0)
    somebody_writes(story, {AZURE_AT: 1})
    story.look(1.0)
    assert story.look(1.0).kind is OutcomeKind.IN_SYNC
    assert story.published == {"azure": 100.0}


def test_a_word_that_is_over_is_not_taken_for_lost_while_the_marker_names_it() -> None:
    story = Operated(PAIR)
    drain = story.says(Verb.DRAIN, of_region("azure"), lasts=60.0, now=True)
    story.says(Verb.PAUSE, lasts=HOUR)
    story.look()
    story.look(61.0)
    assert not story.told(OverridesLost)
    assert story.observed.marker is not None
    assert drain.id not in story.observed.marker.overrides


def test_a_lost_pause_keeps_nobody_from_failing_out() -> None:
    """It kept no region out, so who has no traffic may have it once all others are down."""
    story = Operated(policy(region("azure", 100), AWS))
    story.says(Verb.PAUSE)
    story.look()
    story.state = replace(story.state, overrides=())
    story.look(1.0, azure="U")
    assert story.told(OverridesLost)
    assert story.published == {"aws": 100.0}


def test_a_lost_word_holds_no_longer_because_another_one_was_given_since() -> None:
    """The marker says one end for all of its words."""
    story = Operated(policy(region("azure", 50), region("oci", 50), AWS))
    story.says(Verb.DRAIN, of_region("azure"), lasts=600.0, now=True)
    story.look()
    story.state = replace(story.state, overrides=())
    story.look(1.0)
    story.says(Verb.PAUSE, lasts=HOUR)
    story.look(1.0, oci="U")
    story.look(1.0, oci="H")
    assert story.observed.marker is not None
    assert story.look(600.0).plan is not None  # the drain has ended, and the pause alone is named
    assert len(story.observed.marker.overrides) == 1
    story.look(HOUR)
    story.look(600.0)
    assert story.published == {"azure": 50.0, "oci": 50.0}


@pytest.mark.parametrize("kind", ["all down", "common fall"])
def test_the_marker_names_a_word_given_while_nothing_can_be_decided(kind: str) -> None:
    """Else a daemon that loses its journal then knows nothing of it."""
    story = Operated(replace(policy(region("azure", 100, capacity=0.0)), demand=100.0))
    if kind == "all down":
        story.look(azure="U")
    word = story.says(Verb.PAUSE)
    story.seen()
    story.regions["azure"] = replace(story.regions["azure"], open_until=story.now + 5.0)
    outcome = story.asked(replace(story.state, verdicts={KEY.type: dict(story.regions)}))
    assert outcome.plan is not None
    assert outcome.plan.kind is PlanKind.MARK
    assert outcome.plan.marker.overrides == (word.id,)


def test_a_drained_region_of_which_nothing_well_answers_leaves_although_no_ration_lets_it() -> None:
    """Its other address is well, and does not come in for that it is drained. Nothing at all would have been left."""
    one, other = region("one", 50, "192.0.2.10", "192.0.2.11"), region("other", 50, "198.51.100.10")
    story = Operated(replace(policy(one, other), limits=limits(max_shift=0)))
    story.look(one="HU", other="U")
    story.look(60.0, other="H")
    story.says(Verb.DRAIN, of_region("one"))
    assert story.settled(60.0).kind is OutcomeKind.LIMITED
    story.look(60.0, one="HH")
    assert story.published == {"one": 100}
    outcome = story.look(60.0, one="UH")
    assert (outcome.kind, outcome.cause) == (OutcomeKind.WRITE, Cause.FAILING_OUT)
    assert story.published == {"other": 100}
