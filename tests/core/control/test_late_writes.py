"""A write of ours that arrives after a newer one, at a provider that compares nothing."""

from dataclasses import replace

import pytest
from support.scenes import KEY, PAIR, TARGET, records
from support.stories import Story

from failoverd.core.control import progress
from failoverd.core.control.drift import DriftKind
from failoverd.core.control.limits import Approved
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.plan import Plan, PlanKind, RefusalReason
from failoverd.core.events import DriftDetected
from failoverd.core.records import OnDrift

NORMAL = {"azure": 70.0, "oci": 30.0}


def begun(*, fenced: bool, on_drift: OnDrift) -> Story:
    """All is well under the leader of epoch 2."""
    story = Story(replace(PAIR, on_drift=on_drift))
    story.estate = replace(story.estate, fenced=fenced)
    story.state = replace(story.state, epoch=2)
    story.settled()
    return story


def led_anew(*, fenced: bool = False, on_drift: OnDrift = OnDrift.RESTORE) -> tuple[Story, Plan]:
    """That leader was about to take azure off, and its write is under way still, when the one of epoch 5 begins."""
    frozen, story = (begun(fenced=fenced, on_drift=on_drift) for _ in range(2))
    outcome = frozen.asked(frozen.seen(azure="U"))
    assert outcome.approved is not None
    story.state = replace(story.state, epoch=5)
    return story, outcome.approved.plan


def fails_and_returns(story: Story) -> None:
    """Under the leader of epoch 5, azure leaves the answer and comes back."""
    story.settled(azure="U")
    story.look(1, azure="H")
    story.settled(3_600)


def timed_out(story: Story, **letters: str) -> Plan:
    """What the story would write now is sent, and nobody knows how it went."""
    outcome = story.asked(story.seen(**letters))
    assert outcome.approved is not None
    story.state = progress.began(outcome.state, outcome.approved.plan)
    return outcome.approved.plan


def arrives(story: Story, late: Plan) -> None:
    story.observed = replace(story.observed, records=late.after, marker=late.marker, marker_text=late.marker.to_text())


@pytest.mark.parametrize("on_drift", list(OnDrift))
@pytest.mark.parametrize("incident", [True, False])
def test_one_that_arrives_after_several_newer_ones_is_written_over_at_once_and_told(
    on_drift: OnDrift, *, incident: bool
) -> None:
    story, late = led_anew(on_drift=on_drift)
    fails_and_returns(story)
    newest = story.marker.generation
    assert newest > late.generation
    arrives(story, late)
    if incident:
        story.state, _ = progress.opened(story.policy, story.state, "test", story.now)
    outcome = story.look(60)
    assert isinstance(outcome.approved, Approved)
    assert (outcome.approved.plan.kind, story.marker.epoch) == (PlanKind.RESTORE, 5)
    assert story.marker.generation > newest
    assert story.published == NORMAL
    (told,) = story.told(DriftDetected)
    assert (told.kind, told.will) == ("late", "puts its own answer back")  # type: ignore[attr-defined]


def test_one_of_the_generation_that_the_next_leader_gave_out_as_well_is_no_edit_of_anybody() -> None:
    story, late = led_anew(on_drift=OnDrift.REPORT)
    story.settled(oci="U")
    assert (story.marker.generation, story.published) == (late.generation, {"azure": 100.0})
    arrives(story, late)
    outcome = story.look(60)
    assert outcome.kind is OutcomeKind.WRITE
    assert story.published == {"azure": 100.0}


def test_one_whose_answer_is_wanted_by_now_has_its_marker_written_anew() -> None:
    story, late = led_anew()
    fails_and_returns(story)
    story.settled(60, azure="U")
    newest = story.marker.generation
    arrives(story, late)
    outcome = story.look(1)
    assert outcome.approved is not None
    assert outcome.approved.plan.kind is PlanKind.MARK
    assert (story.marker.generation, story.marker.epoch) == (newest + 1, 5)
    assert story.look(1).kind is OutcomeKind.IN_SYNC


@pytest.mark.parametrize("on_drift", list(OnDrift))
def test_an_earlier_try_of_the_same_leader_is_no_edit_of_anybody(on_drift: OnDrift) -> None:
    """It timed out, health turned, something else was written; then it arrives, and answers with what is down."""
    story = begun(fenced=False, on_drift=on_drift)
    first = timed_out(story, azure="U")
    story.settled(1, azure="H", oci="U")
    assert story.published == {"azure": 100.0}
    arrives(story, first)
    assert story.look(1).kind is OutcomeKind.WRITE
    assert story.published == {"azure": 100.0}
    assert [event.kind for event in story.told(DriftDetected)] == ["late"]  # type: ignore[attr-defined]


def test_a_try_that_is_made_again_is_the_same_one() -> None:
    """Else a provider that does not answer for an hour would leave one more of them in doubt with each try."""
    story = begun(fenced=False, on_drift=OnDrift.RESTORE)
    first, again = timed_out(story, azure="U"), timed_out(story, azure="U")
    assert (again.marker, again.after) == (first.marker, first.after)
    assert len(story.memory.doubts) == 1


def test_what_it_wrote_over_is_put_back_also_where_that_was_an_edit_that_was_accepted() -> None:
    story, late = led_anew(on_drift=OnDrift.ADOPT)
    edit = records({"192.0.2.10": 5_000, "198.51.100.10": 5_000})
    story.observed = replace(story.observed, records=edit)
    story.settled(60)
    arrives(story, late)
    outcome = story.look(60)
    assert outcome.drift is not None
    assert (outcome.drift.kind, story.observed.records) == (DriftKind.LATE, edit)
    assert story.look(3_600).kind is OutcomeKind.IN_SYNC
    story.settled(60, azure="U")
    assert story.published == {"oci": 100.0}


def test_what_stood_before_an_edit_was_accepted_arrives_late_and_the_edit_is_put_back() -> None:
    story, _ = led_anew(on_drift=OnDrift.ADOPT)
    before = story.observed
    edit = records({"192.0.2.10": 5_000, "198.51.100.10": 5_000})
    story.observed = replace(story.observed, records=edit)
    story.settled(60)
    story.observed = before
    assert story.look(60).kind is OutcomeKind.WRITE
    assert story.observed.records == edit
    assert story.look(60).kind is OutcomeKind.IN_SYNC


def test_where_the_provider_compares_it_is_a_server_that_lags_behind_and_a_person_sees_to_it() -> None:
    story, late = led_anew(fenced=True)
    fails_and_returns(story)
    arrives(story, late)
    outcome = story.look(60)
    assert outcome.refused is not None
    assert outcome.refused.reason is RefusalReason.STALE_MARKER


def test_what_a_person_wrote_by_an_older_command_is_left_to_that_person() -> None:
    story, late = led_anew()
    fails_and_returns(story)
    arrives(story, late.by_person)
    outcome = story.look(60)
    assert outcome.refused is not None
    assert outcome.refused.reason is RefusalReason.STALE_MARKER


def test_an_edit_by_hand_is_still_one_after_another_leader_took_over() -> None:
    story, late = led_anew(on_drift=OnDrift.REPORT)
    story.observed = replace(story.observed, records=late.after)
    assert story.look(60).kind is OutcomeKind.DRIFT
    assert (TARGET.key, story.observed.records) == (KEY, late.after)
