"""Who leads, as markers tell; and what is done about a name that a newer leader wrote."""

from dataclasses import replace

import pytest
from support.scenes import NOW, OWNER, PAIR, TARGET, plan_between, published
from support.stories import Story

from failoverd.codec import dump, load
from failoverd.core.control import progress
from failoverd.core.control.epochs import Precedence, remedy, seen
from failoverd.core.control.inputs import Overheard, estate_of, sayable, taken_down
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.ownership import adopted
from failoverd.core.control.plan import InSync, Signature
from failoverd.core.control.standing import after_outcome
from failoverd.core.control.state import PolicyState, TargetMemory, key_of
from failoverd.core.events import DecisionMade, Event, FailoverHeld, LeaderOutranked, PlanHeld
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.reasons import Cause, Limit, ReasonCode
from failoverd.core.records import Marker, OnDrift, Policy, RecordSet, RecordType, Target
from failoverd.core.status import TargetState
from failoverd.telemetry import prose

US, THEM = "0000aaaa", "1111bbbb"
NORMAL, EVEN = {"azure": 70, "oci": 30}, {"azure": 50, "oci": 50}


def begun(epoch: int, of: Policy = PAIR) -> Story:
    """The record stands as the leader of that epoch, this one, wrote it."""
    story = Story(of)
    story.estate = replace(story.estate, instance=US)
    story.state = replace(story.state, epoch=epoch)
    story.look()
    assert (story.published, story.marker.epoch) == (NORMAL, epoch)
    return story


def taken_over(epoch: int = 8, ours: int = 7, of: Policy = PAIR) -> Story:
    """And then another leader wrote it."""
    story = begun(ours, of)
    writes(story, epoch)
    return story


def writes(story: Story, epoch: int, instance: str = THEM) -> None:
    theirs = replace(story.marker, generation=story.marker.generation + 1, instance=instance, epoch=epoch)
    put(story, theirs, published(story.policy, EVEN))


def put(story: Story, marker: Marker, records: RecordSet | None) -> None:
    story.observed = replace(story.observed, records=records, marker=marker, marker_text=marker.to_text())


def leads(story: Story, epoch: int) -> None:
    story.state = replace(story.state, epoch=epoch)


def told(story: Story) -> list[LeaderOutranked]:
    return [event for event in story.events if isinstance(event, LeaderOutranked)]


def settled(story: Story) -> None:
    """As `failoverctl release --rival` does it."""
    memory = story.memory
    story.state = story.state.with_target(replace(memory, precedence=memory.precedence.released()))


def is_left(outcome: Outcome) -> bool:
    """Whether nothing is written, and it says for whom."""
    codes = {reason.code for reason in outcome.reasons}
    said = {outcome.outranked is not None, ReasonCode.NEWER_LEADER in codes}
    assert len(said) == 1
    assert not said.pop() or (outcome.kind, outcome.approved, outcome.order) == (OutcomeKind.HOLD, None, ())
    return outcome.outranked is not None


# -- whatever the news -------------------------------------------------------------------------------------------------


def test_a_leader_writes_over_those_before_it_and_its_epoch_stands_there_then() -> None:
    story = begun(7)
    leads(story, 8)
    assert story.look(60.0).kind is OutcomeKind.IN_SYNC
    assert story.marker.epoch == 7, "that somebody else leads by now is no reason to write"
    assert story.look(60.0, azure="U").kind is OutcomeKind.WRITE
    assert (story.published, story.marker.epoch) == ({"oci": 100}, 8)


def test_what_a_newer_leader_wrote_is_left_as_it_is() -> None:
    story = taken_over()
    for _ in range(5):
        outcome = story.look(3_600.0)
        assert is_left(outcome)
        assert (outcome.outranked, outcome.until) == (8, None)
    assert story.published == {"azure": 50, "oci": 50}
    assert story.memory.state is TargetState.HOLDING
    assert [(each.epoch, each.ours, each.writer) for each in told(story)] == [(8, 7, THEM)]
    assert not story.told(PlanHeld)


@pytest.mark.parametrize("on_drift", OnDrift)
def test_whatever_the_news(on_drift: OnDrift) -> None:
    story = taken_over(of=replace(PAIR, on_drift=on_drift))
    for letters in ({"azure": "U"}, {"azure": "H", "oci": "U"}, {"azure": "U"}, {"azure": "H", "oci": "H"}):
        assert is_left(story.look(600.0, **letters))
    put(story, story.marker, None)
    assert is_left(story.look(10.0)), "not even what is gone is put back"
    put(story, story.marker, published(PAIR, {"azure": 100}))
    assert is_left(story.look(10.0)), "nor an edit"
    drain = Override("drain-1", Verb.DRAIN, Scope(regions=("azure",)), "alice", NOW, story.now + 3_600.0)
    assert is_left(story.say(drain).look(10.0)), "nor is a word named by its marker"
    assert story.published == {"azure": 100}


def test_that_what_is_down_stays_in_the_answer_is_told_for_that_leader_may_be_gone() -> None:
    story = taken_over()
    outcome = story.look(30.0, azure="U")
    (held,) = [event for event in story.events if isinstance(event, FailoverHeld)]
    assert (held.cause, [check.limit for check in held.limits]) == (Cause.FAILING_OUT, [Limit.LEADER])
    assert held.wanted == {"oci": 10_000}
    assert "a newer leader wrote it" in prose.say(held)
    status = after_outcome(PAIR, outcome, story.observed, "", story.now)
    assert status.keeps_dead
    assert status.outranked
    story.look(30.0)
    assert len(story.told(FailoverHeld)) == 1
    leads(story, 9)
    story.settled(30.0)
    assert story.published == {"oci": 100}
    assert not after_outcome(PAIR, story.look(30.0), story.observed, "", story.now).keeps_dead


def test_the_status_says_for_whom_it_is_left_and_what_to_do() -> None:
    for ours, says in ((7, "if another member leads by now"), (0, "this daemon knows of no leader")):
        story = taken_over(ours=ours)
        status = after_outcome(PAIR, story.look(), story.observed, "", story.now)
        assert (status.state, status.outranked) == (TargetState.HOLDING, True)
        assert says in status.remedy
        assert status.command == "failoverctl release --rival api.example.com"
        words = prose.say(told(story)[0])
        assert f"the leader of epoch 8 ({THEM}), and this is epoch {ours}" in words
        assert status.command in words


def test_that_it_is_over_is_told_as_well() -> None:
    story = taken_over()
    story.look()
    leads(story, 9)
    outcome = story.settled(10.0)
    assert not is_left(outcome)
    assert (story.published, story.marker.epoch) == (NORMAL, 9)
    made = [event for event in story.events if isinstance(event, DecisionMade)]
    assert [ReasonCode.NEWER_LEADER in {each.code for each in event.reasons} for event in made] == [False, True, False]


# -- who is meant ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stands", "ours", "settled", "newer"),
    [
        pytest.param(0, 0, 0, 0, id="one member alone"),
        pytest.param(0, 7, 0, 0, id="who was alone before"),
        pytest.param(6, 7, 0, 0, id="a leader of before"),
        pytest.param(7, 7, 0, 0, id="itself"),
        pytest.param(8, 7, 0, 8, id="a newer one"),
        pytest.param(1, 0, 0, 1, id="one alone where others lead"),
        pytest.param(8, 0, 8, 0, id="one that is gone, says a person"),
        pytest.param(7, 0, 8, 0, id="one before that"),
        pytest.param(9, 0, 8, 9, id="one after that"),
        pytest.param(9, 9, 8, 0, id="itself after that"),
    ],
)
def test_who_is_a_newer_leader(stands: int, ours: int, settled: int, newer: int) -> None:
    story = begun(0)
    marker = replace(story.marker, epoch=stands, instance=THEM)
    found = replace(story.observed, marker=marker)
    mine = Marker(OWNER, TARGET.policy, 0, (), US, epoch=ours)
    assert seen(Precedence(settled=settled), (), found, mine) == Precedence(newer, THEM if newer else "", settled)
    assert seen(Precedence(), [Precedence(settled=settled)], found, mine).newer == newer, "of another type of the name"
    for owner, policy in (("staging", TARGET.policy), (OWNER, "another")):
        others = replace(found, marker=replace(marker, owner=owner, policy=policy))
        assert not seen(Precedence(), (), others, mine).newer, "it is not ours to write in any case"


def test_what_a_person_wrote_by_hand_under_a_newer_leader_is_that_leaders() -> None:
    known = Precedence(8, THEM)
    by_hand = Marker(OWNER, TARGET.policy, 9, (RecordType.A,), by_hand=True, epoch=8)
    found = replace(begun(0).observed, marker=by_hand)
    assert seen(known, (), found, Marker(OWNER, TARGET.policy, 0, (), US, epoch=7)) == known


def test_a_name_of_two_types_is_told_once() -> None:
    story = begun(7)
    kin = Target(TARGET.policy, replace(TARGET.key, type=RecordType.AAAA), TARGET.provider, TARGET.zone)
    other = TargetMemory(kin, precedence=Precedence(8, THEM))
    story.state = replace(story.state, targets={**story.state.targets, key_of(kin): other})
    writes(story, 8)
    assert is_left(story.look())
    assert not told(story)


# -- one that is alone -------------------------------------------------------------------------------------------------


def test_a_person_says_that_the_leader_is_gone_until_there_is_a_still_newer_one() -> None:
    story = taken_over(8, ours=0)
    assert is_left(story.look())
    settled(story)
    assert not is_left(story.settled(10.0))
    assert (story.published, story.marker.epoch) == (NORMAL, 8), "an epoch never falls"
    story.state = load(PolicyState, dump(story.state))
    assert not is_left(story.look(3_600.0))
    assert len(told(story)) == 1
    put(story, replace(story.marker, generation=story.marker.generation + 1), None)
    story.settled(10.0)
    assert story.marker.epoch == 8
    writes(story, 9)
    assert is_left(story.look(10.0))
    assert [each.epoch for each in told(story)] == [8, 9]


def test_a_daemon_that_lost_its_journal_asks_again() -> None:
    story = taken_over(8, ours=0)
    story.look()
    settled(story)
    story.settled(10.0)
    story.state = PolicyState(story.policy.name)
    assert is_left(story.look())


def test_what_was_settled_is_adopted_as_well() -> None:
    story = taken_over(8, ours=0)
    story.look()
    settled(story)
    found = adopted(story.policy, story.state, story.observed, Signature(OWNER, US), "alice", story.now)
    assert isinstance(found, InSync)


def test_the_remedy_ends_with_the_verb_that_releases_it() -> None:
    for ours in (0, 7):
        text, command = remedy("api.example.com", ours)
        assert text.endswith(command)


# -- plans in doubt ----------------------------------------------------------------------------------------------------


def test_a_plan_in_doubt_is_a_thing_of_the_past_once_a_newer_leader_wrote() -> None:
    """Its own generation may even be the higher one: the name was made anew from an older state."""
    story = begun(7)
    plan = plan_between(PAIR, NORMAL, {"oci": 100})
    lost = replace(plan, before=story.observed, marker=replace(plan.marker, generation=9, epoch=7))
    story.state = progress.began(story.state, lost)
    assert story.memory.doubts == (lost,)
    writes(story, 8)
    assert story.marker.generation < 9
    outcome = story.look()
    assert is_left(outcome)
    assert outcome.found is None
    assert not story.memory.doubts


def test_a_plan_in_doubt_whose_marker_stands_is_found_whoever_leads_by_now() -> None:
    story = begun(7)
    approved = story.asked(story.seen(azure="U")).approved
    assert approved is not None
    story.state = progress.began(story.state, approved.plan)
    put(story, approved.plan.marker, approved.plan.after)
    leads(story, 8)
    assert story.look().found == approved.plan


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_decision_is_kept_with_who_led() -> None:
    story = taken_over()
    state = story.seen()
    overheard = Overheard(story.estate.normalise, sayable(story.policy))
    kept = taken_down(story.policy, state, story.observed, story.estate, overheard, story.now)
    again = load(type(kept), dump(kept))
    assert (again.state.epoch, again.observed.marker) == (7, story.marker)
    assert estate_of(again, sayable(story.policy)).instance == US


def test_what_an_earlier_version_kept_is_read() -> None:
    """It knew of no leaders: neither in a marker nor beside it."""
    story = begun(0)
    text = dump(story.state).replace(',"epoch":0', "").replace('"precedence":', '"unknown":')
    assert '"epoch"' not in text
    assert load(PolicyState, text) == story.state


def test_every_event_of_it_is_said() -> None:
    story = taken_over(ours=0)
    story.look(azure="U")
    kinds: set[type[Event]] = {type(event) for event in story.events}
    assert {LeaderOutranked, FailoverHeld} <= kinds
    assert all(prose.say(event) for event in story.events)
