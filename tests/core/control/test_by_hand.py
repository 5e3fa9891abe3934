"""What a person does with a command that failoverd printed: it counts, it is kept for a while, and it goes back."""

from dataclasses import replace

import pytest
from support.scenes import AWS, AZURE, KEY, OCI, PAIR, TARGET, TRIO, policy, records, region
from support.stories import Story, in_or_out

from failoverd import codec
from failoverd.core.control.by_hand import SETTLES, word_id
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import LastGood, PlanKind
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.events import DriftDetected
from failoverd.core.overrides import BY_HAND, HAND, Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import (
    ELSEWHERE,
    WHOLE,
    Marker,
    Observed,
    OnDrift,
    RecordKey,
    RecordSpec,
    RecordType,
    Target,
)

AZURE_AT, OCI_AT, AWS_AT = "192.0.2.10", "198.51.100.10", "203.0.113.10"


def by_hand(story: Story, weights: dict[str, int], *, ttl: int = 30) -> Marker:
    """A person runs the printed command: the answer and the next generation, in one write."""
    marker = story.observed.marker
    assert marker is not None
    marker = replace(marker, generation=marker.generation + 1, by_hand=True)
    story.observed = Observed(TARGET, records(weights, ttl=ttl), marker, marker.to_text())
    return marker


def looked(story: Story, after: float = 0.0, **letters: str) -> Outcome:
    """A round of the driver, which keeps the words that it finds, and gives each policy those that still hold."""
    outcome = story.look(after, **letters)
    known = {word.id: word for word in (*outcome.state.overrides, *outcome.words) if word.until > story.now}
    story.state = replace(story.state, overrides=tuple(known.values()))
    return outcome


def pair(**settings: object) -> Story:
    story = Story(replace(PAIR, **settings))  # type: ignore[arg-type]
    story.look()
    assert story.published == {"azure": 70, "oci": 30}
    return story


def causes(story: Story) -> list[object]:
    return [cause for change in story.memory.changes for cause in change.rationed if change.rationed[cause]]


# -- it is kept --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_drift", list(OnDrift))
def test_what_a_person_did_by_hand_is_kept_whatever_is_to_become_of_drift(on_drift: OnDrift) -> None:
    story = pair(on_drift=on_drift)
    marker = by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    outcome = looked(story, 3)
    (word,) = outcome.words
    assert (word.verb, word.actor, dict(word.shares)) == (Verb.PIN, HAND, {"azure": 2000, "oci": 8000})
    assert (word.since, word.until) == (story.now, story.now + BY_HAND)
    assert word.reason == f"generation {marker.generation} was written with a command that failoverd printed"
    assert outcome.decision.kind is DecisionKind.OPERATOR
    assert ReasonCode.PINNED in {reason.code for reason in outcome.reasons}
    for _ in range(9):
        outcome = looked(story, SETTLES / 3)
        marking = outcome.plan is not None and outcome.plan.kind is PlanKind.MARK
        assert outcome.kind is OutcomeKind.IN_SYNC or marking
        assert (outcome.words, outcome.by_hand) == ((), None)
    assert story.published == {"azure": 20, "oci": 80}
    assert story.told(DriftDetected) == []


def test_the_next_marker_says_the_word_and_no_more_that_a_person_wrote_it() -> None:
    story = pair()
    found = by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    (word,) = looked(story, 3).words
    outcome = looked(story, SETTLES)
    assert outcome.plan is not None
    assert outcome.plan.kind is PlanKind.MARK
    marker = story.observed.marker
    assert marker is not None
    assert (marker.by_hand, marker.generation) == (False, found.generation + 1)
    assert (marker.overrides, marker.until) == ((word.id,), word.until)


def test_it_is_told_as_a_change_by_hand_from_what_stood_before() -> None:
    story = pair()
    marker = by_hand(story, {OCI_AT: 1})
    change = looked(story, 3).by_hand
    assert change is not None
    assert (change.kind, change.cause, change.generation) == (PlanKind.BY_HAND, Cause.OPERATOR, marker.generation)
    assert change.shares_before == {"azure": 7000, "oci": 3000}
    assert change.shares_after == {"oci": 10_000}
    assert [reason.code for reason in change.decision.reasons] == [ReasonCode.BY_HAND]


def test_it_spends_nothing_of_what_the_limits_allow() -> None:
    story = pair()
    before = len([change for change in story.memory.changes if change.rationed])
    by_hand(story, {AZURE_AT: 1, OCI_AT: 9})
    looked(story, 3)
    assert len([change for change in story.memory.changes if change.rationed]) == before
    assert causes(story) == []


def test_writes_of_others_between_ours_and_the_persons_count_as_ever() -> None:
    story = pair()
    marker = by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    marker = replace(marker, generation=marker.generation + 2)
    story.observed = replace(story.observed, marker=marker, marker_text=marker.to_text())
    looked(story, 3)
    assumed = [change.generation for change in story.memory.changes if change.assumed]
    assert assumed == [marker.generation - 2, marker.generation - 1]


def test_the_same_answer_in_another_form_is_kept_for_as_long_as_the_word_wants_just_that() -> None:
    three = policy(region("azure", 50, AZURE_AT, "192.0.2.11", "192.0.2.12"), OCI)
    story = Story(three, normalise=in_or_out)
    story.look()
    by_hand(story, {AZURE_AT: 1, OCI_AT: 1}, ttl=300)
    left = story.observed.records
    looked(story, 3)
    looked(story, SETTLES)
    assert looked(story, 60).kind is OutcomeKind.IN_SYNC
    assert story.observed.records == left
    looked(story, 60, azure="UHH")
    assert story.observed.records == records({"192.0.2.11": 1, "192.0.2.12": 1, OCI_AT: 1})


@pytest.mark.parametrize("released", [False, True])
def test_another_form_of_the_same_answer_goes_back_with_the_end_of_the_word(released: bool) -> None:
    story = pair(on_drift=OnDrift.ADOPT)
    normal = story.observed.records
    by_hand(story, {AZURE_AT: 7000, OCI_AT: 3000}, ttl=300)
    looked(story, 3)
    looked(story, SETTLES)
    assert looked(story, 60).kind is OutcomeKind.IN_SYNC
    assert story.observed.records != normal
    if released:
        (word,) = story.state.overrides
        story.state = replace(story.state, overrides=(word.released("alice@host", "done", story.now),))
    looked(story, 1 if released else BY_HAND)
    assert story.observed.records == normal
    assert looked(story, 60).kind is OutcomeKind.IN_SYNC


def test_a_marker_alone_that_a_person_wrote_makes_no_word_and_is_no_change() -> None:
    story = pair()
    by_hand(story, {AZURE_AT: 7000, OCI_AT: 3000})
    outcome = looked(story, 3)
    assert (outcome.words, outcome.by_hand) == ((), None)
    looked(story, SETTLES)
    assert story.observed.marker is not None
    assert not story.observed.marker.by_hand


def test_a_command_of_several_writes_is_one_word_about_all_of_them() -> None:
    """Traffic Manager: the marker comes first, then one endpoint after the other. Nothing is written meanwhile."""
    story = pair()
    marker = by_hand(story, {AZURE_AT: 7000, OCI_AT: 3000})
    outcomes = [looked(story, 3)]
    assert outcomes[0].until == story.now + SETTLES
    for weights in ({AZURE_AT: 1, OCI_AT: 1}, {AZURE_AT: 1, OCI_AT: 4}, {OCI_AT: 1}):
        story.observed = Observed(TARGET, records(weights), marker, marker.to_text())
        outcomes.append(looked(story, 3))
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.IN_SYNC}
    words = [word for outcome in outcomes for word in outcome.words]
    assert len({word.id for word in words}) == 1
    assert {word.until for word in words} == {words[0].until}
    assert [dict(word.shares) for word in words] == [
        {"azure": 5000, "oci": 5000},
        {"azure": 2000, "oci": 8000},
        {"oci": 10_000},
    ]
    changes = [outcome.by_hand for outcome in outcomes if outcome.by_hand is not None]
    assert len({change.id for change in changes}) == 3
    steps = [(dict(change.shares_before), dict(change.shares_after)) for change in changes]
    assert [before for before, _ in steps[1:]] == [after for _, after in steps[:-1]]
    looked(story, SETTLES)
    assert story.published == {"oci": 100}
    assert story.told(DriftDetected) == []


def test_who_edits_later_under_a_marker_of_by_hand_makes_drift_as_ever() -> None:
    story = pair(on_drift=OnDrift.REPORT)
    marker = by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    looked(story, 3)
    story.observed = Observed(TARGET, records({AZURE_AT: 1}), marker, marker.to_text())
    outcome = looked(story, SETTLES + 60)
    assert outcome.words == ()
    assert len(story.told(DriftDetected)) == 1


# -- what stands above it ----------------------------------------------------------------------------------------------


def test_a_region_that_goes_down_leaves_though_it_was_pinned_by_hand() -> None:
    story = pair()
    by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    looked(story, 3)
    looked(story, 60, oci="U")
    assert story.published == {"azure": 100}
    looked(story, 60, oci="H")
    assert story.published == {"azure": 20, "oci": 80}


def test_who_is_down_when_a_person_puts_him_back_leaves_at_once_and_it_is_told_as_by_hand() -> None:
    story = pair()
    story.look(60, azure="U")
    assert story.published == {"oci": 100}
    by_hand(story, {AZURE_AT: 7, OCI_AT: 3})
    outcome = looked(story, 3)
    assert outcome.by_hand is not None
    assert outcome.plan is not None
    assert outcome.plan.cause is Cause.FAILING_OUT
    assert story.published == {"oci": 100}


def test_a_record_that_answers_nothing_is_put_back_whoever_emptied_it() -> None:
    story = pair()
    marker = by_hand(story, {AZURE_AT: 1})
    story.observed = Observed(TARGET, None, marker, marker.to_text())
    outcome = looked(story, 3)
    assert outcome.words == ()
    assert story.published == {"azure": 70, "oci": 30}


def test_another_owners_marker_is_nobodys_word() -> None:
    story = pair()
    marker = replace(by_hand(story, {OCI_AT: 1}), owner="somebody")
    story.observed = replace(story.observed, marker=marker, marker_text=marker.to_text())
    outcome = looked(story, 3)
    assert (outcome.kind, outcome.words, outcome.by_hand) == (OutcomeKind.REFUSE, (), None)


def test_what_no_region_names_is_held_as_it_is_and_goes_back_afterwards() -> None:
    story = pair()
    by_hand(story, {"203.0.113.99": 1})
    outcome = looked(story, 3)
    (word,) = outcome.words
    assert (word.verb, dict(word.shares)) == (Verb.HOLD, {ELSEWHERE: WHOLE})
    assert outcome.decision.kind is DecisionKind.HOLD_OPERATOR
    looked(story, SETTLES)
    marker = story.observed.marker
    assert marker is not None
    assert (marker.overrides, marker.by_hand) == ((word.id,), False)
    looked(story, 600)
    assert story.observed.records == records({"203.0.113.99": 1})
    for _ in range(8):
        looked(story, BY_HAND / 4)
    assert story.published == {"azure": 70, "oci": 30}


def drain(of: str, at: float) -> Override:
    scope, comments = Scope(regions=(of,)), (Comment(at, "alice@host", "patching"),)
    return Override("drain-00000001", Verb.DRAIN, scope, "alice@host", at, at + 7200, comments)


def test_by_hand_counts_more_than_a_drain_that_was_given_before_and_less_than_a_later_one() -> None:
    story = pair(limits=replace(PAIR.limits, tuning=replace(PAIR.limits.tuning, max_shift=WHOLE * 9, max_changes=99)))
    story.state = replace(story.state, overrides=(drain("azure", story.now),))
    looked(story, 3)
    assert story.published == {"oci": 100}
    by_hand(story, {AZURE_AT: 7, OCI_AT: 3})
    looked(story, 60)
    outcome = looked(story, 3)
    assert story.published == {"azure": 70, "oci": 30}
    (said,) = (reason for reason in outcome.reasons if reason.code is ReasonCode.OVERRULED)
    (pin,) = (word for word in story.state.overrides if word.by_hand)
    assert said.region == "azure"
    assert said.detail == f"drain-00000001 by alice@host: patching; later: {pin.id} by hand"
    again = replace(drain("azure", story.now + 1), id="drain-00000002")
    story.state = replace(story.state, overrides=(*story.state.overrides, again))
    looked(story, 60)
    assert story.published == {"oci": 100}


def test_the_later_of_two_changes_by_hand_counts() -> None:
    story = pair()
    by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    looked(story, 3)
    by_hand(story, {AZURE_AT: 1, OCI_AT: 1})
    looked(story, 60)
    looked(story, SETTLES)
    assert looked(story, 60).kind is OutcomeKind.IN_SYNC
    assert story.published == {"azure": 50, "oci": 50}


# -- its end -----------------------------------------------------------------------------------------------------------


def test_at_its_end_it_goes_back_by_the_ration_of_returning() -> None:
    story = Story(replace(PAIR, limits=replace(PAIR.limits, returning=replace(PAIR.limits.returning, max_shift=2000))))
    story.look()
    by_hand(story, {OCI_AT: 1})
    looked(story, 3)
    ends = story.state.overrides[0].until
    assert looked(story, BY_HAND - 60).until == ends
    assert story.published == {"oci": 100}
    outcome = looked(story, 60)
    assert outcome.plan is not None
    assert outcome.plan.cause is Cause.RETURNING
    assert story.published == {"azure": 20, "oci": 80}
    for _ in range(10):
        looked(story, 300)
    assert story.published == {"azure": 70, "oci": 30}


def test_what_was_taken_out_by_hand_comes_back_though_failback_is_manual() -> None:
    story = pair(failback_after=None)
    by_hand(story, {OCI_AT: 1})
    looked(story, 3)
    for _ in range(8):
        looked(story, BY_HAND / 4)
    assert story.published == {"azure": 70, "oci": 30}


def test_a_word_that_was_released_is_not_made_again_though_the_marker_could_not_be_written() -> None:
    story = pair()
    by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    outcome = story.asked(story.seen())
    released = outcome.words[0].released("alice@host", "was a slip", story.now + 1)
    story.state = replace(outcome.state, overrides=(released,))
    story.now += 2
    again = story.look()
    assert (again.words, again.by_hand) == ((), None)
    assert story.published == {"azure": 70, "oci": 30}


# -- one word and not two ----------------------------------------------------------------------------------------------


def test_a_crash_before_anything_is_remembered_makes_the_same_word_and_the_same_change_again() -> None:
    story = pair()
    marker = by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    first = story.asked(story.seen())
    story.now += 5
    second = story.asked(replace(story.seen(), overrides=first.words))
    assert second.words == ()
    assert first.by_hand is not None
    assert second.by_hand is not None
    assert first.by_hand.id == second.by_hand.id
    assert first.words[0].id == word_id(TARGET, marker.generation, {"azure": 2000, "oci": 8000})


def test_a_daemon_that_knows_nothing_of_before_keeps_it_too() -> None:
    story = pair()
    by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    story.state = PolicyState(story.policy.name)
    outcome = looked(story, 3)
    assert [word.verb for word in outcome.words] == [Verb.PIN]
    assert story.published == {"azure": 20, "oci": 80}


@pytest.mark.parametrize("first", [RecordType.A, RecordType.AAAA])
def test_of_the_types_that_share_a_marker_only_the_one_that_was_changed_is_pinned(first: RecordType) -> None:
    """Whichever of them looks first, and has the marker say so no more."""
    other = Target(TARGET.policy, RecordKey(KEY.name, RecordType.AAAA), TARGET.provider, TARGET.zone)
    both = policy(region("azure", 70, AZURE_AT, "2001:db8::1"), region("oci", 30, OCI_AT, "2001:db8::2"))
    both = replace(both, records=(*both.records, RecordSpec(other.key, 30, (other,))))
    story = Story(both)
    assert both.region_of(RecordType.AAAA) == {"2001:db8::1": "azure", "2001:db8::2": "oci"}
    marker = Marker(story.estate.owner, TARGET.policy, 5, (RecordType.A, RecordType.AAAA))
    hand = replace(marker, generation=6, by_hand=True)
    six = replace(records({"2001:db8::1": 7000, "2001:db8::2": 3000}), key=other.key)
    state = story.seen()
    for at, good in ((TARGET, records({AZURE_AT: 7000, OCI_AT: 3000})), (other, six)):
        last = LastGood(good, 5, {"azure": 7000, "oci": 3000}, story.now)
        state = state.with_target(TargetMemory(at, last_good=last, generation=5))
    stands = {
        TARGET: Observed(TARGET, records({AZURE_AT: 1, OCI_AT: 4}), hand, hand.to_text()),
        other: Observed(other, six, hand, hand.to_text()),
    }
    words: list[Override] = []
    for at in sorted(stands, key=lambda target: target.key.type is not first):
        story.observed = stands[at]
        outcome = story.asked(state)
        words += outcome.words
        state = replace(outcome.state, overrides=(*state.overrides, *outcome.words))
        for each, observed in stands.items():
            later = replace(marker, generation=7)
            stands[each] = replace(observed, marker=later, marker_text=later.to_text())
    assert [(word.verb, word.scope.has_target(TARGET), word.scope.has_target(other)) for word in words] == [
        (Verb.PIN, True, False)
    ]
    assert state.of(TARGET).last_good is not None
    assert state.of(TARGET).last_good.records == records({AZURE_AT: 1, OCI_AT: 4})  # type: ignore[union-attr]


# -- as data -----------------------------------------------------------------------------------------------------------


def test_what_is_remembered_of_it_goes_to_json_and_back() -> None:
    story = pair()
    by_hand(story, {AZURE_AT: 1, OCI_AT: 4})
    looked(story, 3)
    memory = story.memory
    assert codec.load(TargetMemory, codec.dump(memory)) == memory
    (word,) = story.state.overrides
    assert codec.load(Override, codec.dump(word)) == word


def test_the_scope_of_a_target_is_that_target_alone() -> None:
    wild = Target("api", RecordKey("*.example.com", RecordType.A), "main", "example.com")
    scope = Scope.of(wild)
    assert scope.has_target(wild)
    assert not scope.has_target(replace(wild, key=RecordKey("shop.example.com", RecordType.A)))
    assert not scope.has_target(replace(wild, key=RecordKey("*.example.com", RecordType.AAAA)))
    assert not scope.has_target(replace(wild, provider="other"))
    assert scope.text() == "record *.example.com A of provider main of policy api"
    assert not Scope.of(replace(TARGET, provider="elsewhere")).has_policy(TRIO)
    assert Scope.of(TARGET).has_policy(policy(AZURE, OCI, AWS))
