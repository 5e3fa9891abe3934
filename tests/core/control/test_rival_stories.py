"""What is done about a name that another instance writes as well, round by round."""

from collections.abc import Mapping
from dataclasses import replace

from support.scenes import KEY, PAIR, TRIO, published
from support.stories import Story

from failoverd.codec import dump, load
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.rivals import MOST_UNDONE, Rivalry
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.events import FailoverHeld, PlanHeld, RivalDetected
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.reasons import Cause, Limit, ReasonCode
from failoverd.core.records import Marker, OnDrift, Policy, RecordSet, RecordType, Target
from failoverd.core.status import TargetState
from failoverd.telemetry import prose

US, THEM = "0000aaaa", "1111bbbb"
WRONG = {"azure": 50, "oci": 50}
NORMAL = {"azure": 70, "oci": 30}


def begun(of: Policy = PAIR) -> Story:
    story = Story(of)
    story.estate = replace(story.estate, instance=US)
    story.look()
    assert story.published == NORMAL
    return story


def writes(story: Story, shares: Mapping[str, float], instance: str = THEM) -> None:
    """The other instance puts this in place of what stands there."""
    marker = story.observed.marker
    assert marker is not None
    theirs = replace(marker, generation=marker.generation + 1, instance=instance)
    put(story, theirs, published(story.policy, shares))


def put(story: Story, marker: Marker, records: RecordSet | None) -> None:
    story.observed = replace(story.observed, records=records, marker=marker, marker_text=marker.to_text())


def rivalled(of: Policy = PAIR) -> Story:
    """Each wrote twice, and theirs is what stands there."""
    story = begun(of)
    for _ in range(2):
        writes(story, WRONG)
        story.look(30.0)
    assert [each.rivals for each in detected(story)] == [(THEM,)]
    assert story.published == WRONG
    return story


def detected(story: Story) -> list[RivalDetected]:
    return [event for event in story.events if isinstance(event, RivalDetected)]


def limits_of(outcome: Outcome) -> list[Limit]:
    assert outcome.held is not None
    return [check.limit for check in outcome.held.blocking]


def test_a_write_names_the_instance_that_makes_it() -> None:
    marker = begun().observed.marker
    assert marker is not None
    assert marker.instance == US


def test_a_predecessor_that_fell_silent_is_no_rival() -> None:
    """A new machine takes over with a journal of its own, and goes on for as long as it likes."""
    story = begun()
    writes(story, WRONG)
    for state in "UHUHUH":
        story.look(400.0, azure=state)
        story.look(400.0)
    assert not detected(story)
    assert story.published == NORMAL


def test_after_writes_that_interleave_nothing_more_is_written_and_it_is_told_once() -> None:
    story = rivalled()
    for _ in range(20):
        outcome = story.look(3_600.0)
        assert outcome.kind is OutcomeKind.LIMITED
        assert limits_of(outcome) == [Limit.RIVAL]
        assert outcome.until is None, "time does not end it"
    assert story.published == WRONG
    assert story.memory.state is TargetState.LIMITED
    assert len(detected(story)) == 1
    assert [each.cause for each in story.events if isinstance(each, PlanHeld)] == [Cause.RETURNING]


def test_no_file_is_named_for_what_no_file_says() -> None:
    (held,) = [event for event in rivalled().events if isinstance(event, PlanHeld)]
    assert held.rule_at == ""
    assert "a limit holds it: rival of" in prose.say(held)


def test_the_words_name_both_and_what_to_do() -> None:
    (told,) = detected(rivalled())
    words = prose.say(told)
    assert US in words
    assert THEM in words
    assert "failoverctl release --rival api.example.com" in words


def test_what_is_down_is_taken_off_all_the_same_and_what_heals_stays_out() -> None:
    story = rivalled()
    outcome = story.look(10.0, azure="U")
    assert outcome.cause is Cause.FAILING_OUT
    assert story.published == {"oci": 100}
    outcome = story.look(10.0, azure="H")
    story.look(3_600.0)
    assert story.published == {"oci": 100}
    assert limits_of(story.look(10.0)) == [Limit.RIVAL]


def test_only_what_is_down_moves_where_more_is_wanted() -> None:
    story = rivalled(TRIO)
    story.look(10.0, oci="U")
    assert story.published["azure"] >= 50
    assert "oci" not in story.published


def test_a_record_that_answers_nothing_is_rebuilt() -> None:
    story = rivalled()
    marker = story.observed.marker
    assert marker is not None
    put(story, marker, None)
    assert story.look(10.0).kind is OutcomeKind.WRITE
    assert story.published == NORMAL


def test_a_rival_that_wants_the_same_is_told_and_shown_and_nothing_is_held() -> None:
    """Two daemons with the same files: whoever is first writes, and the other finds it done."""
    story = begun()
    for state, theirs in (("U", {"oci": 100}), ("H", NORMAL)):
        writes(story, theirs)
        story.look(400.0, azure=state)
        writes(story, WRONG)
        story.look(400.0)
    assert len(detected(story)) == 1
    writes(story, NORMAL)
    outcome = story.look(30.0)
    assert outcome.kind is OutcomeKind.IN_SYNC
    assert ReasonCode.RIVAL in [reason.code for reason in outcome.reasons]


def test_what_the_rival_puts_back_each_time_is_left_to_a_person_in_the_end() -> None:
    """Each takes off what it sees down, and they see different things: else this would go on without end."""
    story = rivalled()
    for _ in range(MOST_UNDONE):
        story.look(10.0, azure="U")
        assert story.published == {"oci": 100}
        writes(story, {"azure": 100})
    for _ in range(5):
        outcome = story.look(600.0)
        assert limits_of(outcome) == [Limit.RIVAL]
        assert outcome.cause is Cause.FAILING_OUT
    assert story.published == {"azure": 100}
    assert len([each for each in story.events if isinstance(each, FailoverHeld)]) == 1


def test_a_record_that_answers_nothing_is_rebuilt_however_contested() -> None:
    story = rivalled()
    for _ in range(MOST_UNDONE):
        story.look(10.0, azure="U")
        writes(story, {"azure": 100})
    marker = story.observed.marker
    assert marker is not None
    put(story, marker, None)
    assert story.look(10.0).kind is OutcomeKind.WRITE
    assert story.published == {"oci": 100}


def drained(story: Story) -> Override:
    now = story.now
    return Override("drain-12345678", Verb.DRAIN, Scope(regions=("nowhere",)), "alice@desk", now, now + 3_600.0)


def test_the_marker_alone_is_not_written_over_either() -> None:
    """Each names the operators' words that it knows, and the two would go on about that."""
    story = begun()
    writes(story, WRONG)
    story.look(30.0)
    writes(story, NORMAL)
    story.look(30.0)
    assert detected(story)
    story.state = replace(story.state, overrides=(drained(story),))
    outcome = story.look(30.0)
    assert outcome.kind is OutcomeKind.IN_SYNC
    marker = story.observed.marker
    assert marker is not None
    assert marker.instance == THEM
    writes(story, WRONG)
    assert story.look(30.0).kind is OutcomeKind.LIMITED


def test_an_edit_is_not_adopted_either() -> None:
    story = rivalled(replace(PAIR, on_drift=OnDrift.ADOPT))
    for _ in range(3):
        assert story.look(30.0).kind is OutcomeKind.LIMITED


def test_a_person_who_approves_the_plan_has_it_written() -> None:
    story = rivalled()
    held = story.look(30.0).held
    assert held is not None
    now = story.now
    digest = held.plan.digest
    word = Override("approve-12345678", Verb.APPROVE, Scope(), "alice@desk", now, now + 600.0, digest=digest)
    story.state = replace(story.state, overrides=(word,))
    assert story.look(30.0).kind is OutcomeKind.WRITE
    assert story.published == NORMAL


def test_once_a_person_says_that_it_is_gone_it_is_written_as_before_and_found_again_if_it_is_not() -> None:
    story = rivalled()
    story.state = story.state.with_target(replace(story.memory, rivalry=Rivalry()))
    assert story.look(30.0).kind is OutcomeKind.WRITE
    assert story.published == NORMAL
    for _ in range(3):
        writes(story, WRONG)
        story.look(30.0)
    assert story.published == WRONG
    assert len(detected(story)) == 2


def test_a_rival_is_remembered_by_a_restart() -> None:
    story = rivalled()
    story.state = load(PolicyState, dump(story.state))
    assert limits_of(story.look(30.0)) == [Limit.RIVAL]
    assert len(detected(story)) == 1


def test_a_write_of_another_process_in_the_name_of_this_instance_is_none_of_a_rival() -> None:
    """`failoverctl apply` writes with the id of its journal, beside the daemon."""
    story = begun()
    for _ in range(5):
        writes(story, WRONG, US)
        story.look(30.0)
    assert not detected(story)


def test_two_types_of_a_name_tell_it_once() -> None:
    """They share a marker: what one of them found holds for the other, which says nothing of it."""
    story = begun()
    found = rivalled().memory.rivalry
    target = Target(story.policy.name, replace(KEY, type=RecordType.AAAA), "dns-main", "example.com")
    story.state = story.state.with_target(TargetMemory(target, rivalry=found))
    writes(story, WRONG)
    assert limits_of(story.look(30.0)) == [Limit.RIVAL]
    assert story.memory.rivalry.rivals == (THEM,)
    assert not detected(story)
