"""Residency and the model: who may answer at all. Whatever else happens, nobody else does."""

from dataclasses import replace

import pytest
from support.approving import limits
from support.scenes import KEY, NOW, PAIR, TARGET, policy, records, region
from support.stories import Story, in_or_out
from support.sums import redone

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.overriding import Heeded
from failoverd.core.control.residency import allowed
from failoverd.core.overrides import GUEST, Comment, Override, Scope, Verb, residency_rule
from failoverd.core.reasons import Cause, Limit, LimitNote, ReasonCode
from failoverd.core.records import (
    WHOLE,
    AllDown,
    Endpoint,
    Model,
    NamedPlace,
    OnDrift,
    Policy,
    RegionSpec,
    Weights,
)

SPENT = limits(max_shift=0, max_changes=0)


def placed(name: str, share: float, jurisdiction: str, *models: Model, capacity: float | None = None) -> RegionSpec:
    return replace(region(name, share, capacity=capacity), jurisdiction=jurisdiction, models=models)


DE, FR, US = placed("de", 50, "EU"), placed("fr", 30, "EU"), placed("us", 20, "US")
OPEN = policy(DE, FR, US)
FENCED = replace(OPEN, residency=("EU", "CH"))
SORRY = NamedPlace.of("192.0.2.99", [Endpoint("192.0.2.99", "192.0.2.99")], "EU")


def begun(of: Policy) -> Story:
    """A target that holds what its policy says, long since."""
    story = Story(of)
    assert story.look().kind is OutcomeKind.WRITE
    assert story.look(3_600.0).kind is OutcomeKind.IN_SYNC
    return story


def codes(outcome: Outcome) -> set[ReasonCode]:
    return {reason.code for reason in outcome.reasons}


def word(verb: Verb, at: float, lasts: float = 3_600.0, *, agreed: tuple[str, ...] = (), **said: object) -> Override:
    made = Override(
        f"{verb}-00000000",
        verb,
        Scope(policies=(TARGET.policy,)),
        "alice@host",
        at,
        at + lasts,
        (Comment(at, "alice@host", "because"),),
        agreed=agreed,
    )
    return replace(made, **said)  # type: ignore[arg-type]


def says(story: Story, *words: Override) -> Story:
    story.state = replace(story.state, overrides=words)
    return story


def address(spec: RegionSpec) -> str:
    return spec.endpoints[0].address


# -- who may answer ----------------------------------------------------------------------------------------------------


def test_only_regions_of_the_residency_get_traffic() -> None:
    story = begun(FENCED)
    assert story.published == {"de": 62.5, "fr": 37.5}
    assert ReasonCode.RESIDENCY in codes(story.look())


def test_a_region_without_a_jurisdiction_is_not_eligible() -> None:
    assert begun(policy(DE, placed("fr", 50, ""), base=FENCED)).published == {"de": 100}


def test_a_policy_without_a_residency_asks_nobody_where_he_is() -> None:
    assert begun(policy(DE, placed("fr", 50, ""))).published == {"de": 50, "fr": 50}


@pytest.mark.parametrize("way", [AllDown.KEEP, AllDown.NORMAL])
def test_when_all_allowed_are_down_nobody_else_answers(way: AllDown) -> None:
    story = begun(replace(FENCED, when_all_down=way))
    story.look(10.0, de="U", fr="U")
    story.look(10.0)
    assert story.published == {"de": 62.5, "fr": 37.5}


def test_a_record_that_was_emptied_while_all_are_down_gets_its_last_answer_inside_the_residency() -> None:
    story = begun(OPEN)
    assert "us" in story.published
    story.edited(FENCED)
    story.observed = replace(story.observed, records=None)
    story.look(10.0, de="U", fr="U", us="H")
    assert story.published == {"de": 62.5, "fr": 37.5}


# -- who leaves --------------------------------------------------------------------------------------------------------


def test_who_may_not_answer_any_more_leaves_at_once_though_no_budget_is_left() -> None:
    story = begun(replace(OPEN, limits=SPENT))
    story.edited(replace(FENCED, limits=SPENT))
    outcome = story.look(10.0)
    assert outcome.cause is Cause.EVICTED
    assert outcome.approved is not None
    assert outcome.approved.plan.undone() is None, "nobody is told how to bring it back"
    assert story.published == {"de": 62.5, "fr": 37.5}
    assert story.memory.changes[-1].shifts == {}


def test_neither_min_regions_nor_an_assertion_keeps_who_may_not_answer() -> None:
    wide = limits(min_regions=3)
    story = begun(replace(OPEN, limits=wide))
    story.edited(replace(FENCED, limits=wide))
    outcome = story.look(10.0)
    assert outcome.approved is not None
    assert {check.limit: check.note for check in outcome.approved.checks}[Limit.MIN_REGIONS] is LimitNote.EVICTED
    assert story.published == {"de": 62.5, "fr": 37.5}


def test_an_edit_that_leaves_it_is_put_back_though_what_stood_before_may_not_answer_any_more() -> None:
    """All of the answer before the edit is outside by now, and every ration is spent: what is inside is left."""
    only_us = policy(replace(US, share=WHOLE), replace(DE, share=0), base=replace(OPEN, limits=SPENT))
    story = begun(only_us)
    assert story.published == {"us": 100.0}
    story.edited(replace(only_us, residency=FENCED.residency))
    story.observed = replace(story.observed, records=records({address(DE): 9, "203.0.113.77": 1}))
    assert story.look(10.0).cause is Cause.EVICTED
    assert story.published == {"de": 100.0}


def test_what_a_limit_holds_stays_held_while_others_are_evicted() -> None:
    wide = limits(min_regions=2)
    story = begun(replace(OPEN, limits=wide))
    story.edited(replace(FENCED, limits=wide))
    story.look(10.0, fr="U")
    assert set(story.published) == {"de", "fr"}
    held = story.look(10.0)
    assert held.held is not None
    assert held.held.keeps_dead
    assert set(story.published) == {"de", "fr"}


def test_an_answer_that_is_held_by_a_word_is_held_inside_the_residency() -> None:
    story = begun(OPEN)
    says(story, word(Verb.HOLD, story.now)).edited(FENCED)
    outcome = story.look(10.0)
    assert outcome.decision.kind is DecisionKind.EVICTED
    assert story.published == {"de": 62.5, "fr": 37.5}
    assert story.look(10.0).decision.kind is DecisionKind.HOLD_OPERATOR


def test_a_pause_keeps_nobody_who_may_not_answer() -> None:
    story = begun(OPEN)
    says(story, word(Verb.PAUSE, story.now)).edited(FENCED)
    story.look(10.0)
    assert "us" not in story.published


def test_where_everything_is_stopped_nothing_is_written_and_it_is_done_once_that_ends() -> None:
    story = begun(OPEN)
    says(story, word(Verb.PAUSE, story.now, scope=Scope())).edited(FENCED)
    assert story.look(10.0).kind is OutcomeKind.HOLD
    says(story)
    story.look(10.0)
    assert "us" not in story.published


def test_before_anybody_was_seen_an_answer_from_outside_waits_for_the_first_verdicts() -> None:
    """Nothing is written before it is known; but it is not waited for without an end."""
    outside = policy(US, base=replace(FENCED, residency=()))
    story = begun(outside)
    story.edited(policy(DE, US, base=FENCED))
    story.letters, story.regions = {"de": "?", "us": "H"}, {}
    held = story.look()
    assert held.kind is OutcomeKind.HOLD
    assert held.until is not None
    story.look(held.until - story.now)
    assert story.published == {"de": 100}


# -- by other ways -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_drift", list(OnDrift))
@pytest.mark.parametrize("value", [address(US), "203.0.113.77"], ids=["a region outside", "nobody's"])
def test_an_edit_by_hand_that_leaves_the_residency_is_put_back_at_once(on_drift: OnDrift, value: str) -> None:
    story = begun(replace(FENCED, on_drift=on_drift, limits=SPENT))
    story.observed = replace(story.observed, records=records({address(DE): 1, value: 1}))
    story.look(1.0, fr="U")  # during an incident, in which an edit is taken as meant
    assert story.published == {"de": 100}


def test_an_edit_that_stays_inside_is_answered_as_on_drift_says() -> None:
    story = begun(replace(FENCED, on_drift=OnDrift.REPORT))
    story.observed = replace(story.observed, records=records({address(DE): 1}))
    assert story.look(1.0).kind is OutcomeKind.DRIFT


def test_an_edit_that_was_accepted_before_there_was_a_residency_leaves() -> None:
    story = begun(replace(OPEN, on_drift=OnDrift.ADOPT))
    story.observed = replace(story.observed, records=records({address(US): 1}))
    story.look(10.0)
    assert story.published == {"us": 100}
    story.edited(replace(FENCED, on_drift=OnDrift.ADOPT))
    story.look(10.0)
    story.look(10.0)
    assert story.published == {"de": 62.5, "fr": 37.5}


def test_a_pin_or_an_undo_to_a_region_outside_says_nothing() -> None:
    story = begun(FENCED)
    says(story, word(Verb.PIN, story.now, shares={"us": WHOLE}, undoes="chg-1"))
    outcome = story.look(10.0)
    assert ReasonCode.PIN_IDLE in codes(outcome)
    assert story.published == {"de": 62.5, "fr": 37.5}


def test_nobody_outside_is_let_in_because_the_others_cannot_carry_the_traffic() -> None:
    small = policy(placed("de", 50, "EU", capacity=100), placed("us", 50, "US", capacity=1_000), base=FENCED)
    outcome = begun(replace(small, demand=500.0)).look()
    assert outcome.decision.shares == {"de": WHOLE}
    assert ReasonCode.OVERLOAD in codes(outcome)


# -- guests ------------------------------------------------------------------------------------------------------------


def broken(at: float, lasts: float = GUEST, agreed: tuple[str, ...] = ("bob@host",)) -> Override:
    rules = (residency_rule(FENCED.name),)
    return word(Verb.PIN, at, lasts, agreed=agreed, shares={"de": 5_000, "us": 5_000}, breaks=rules, needed=2)


def test_a_guest_is_let_in_by_two_people_and_leaves_at_once_in_the_end() -> None:
    story = begun(replace(FENCED, limits=limits(max_shift=5_000)))
    says(story, broken(story.now, lasts=7_200.0))
    outcome = story.look(10.0)
    assert ReasonCode.GUEST in codes(outcome)
    assert story.published["us"] == pytest.approx(50, abs=1)
    assert story.look(60.0).until is not None
    story.policy = replace(story.policy, limits=SPENT)
    ended = story.look(7_200.0)
    assert ended.cause is Cause.EVICTED
    assert "us" not in story.published


@pytest.mark.parametrize(
    "said",
    [
        broken(NOW, agreed=()),
        broken(NOW, agreed=("alice@host",)),
        replace(broken(NOW), breaks=()),
        replace(broken(NOW), breaks=(residency_rule("another"),)),
        replace(broken(NOW), verb=Verb.SWITCH),
    ],
    ids=["one person", "the same person twice", "by no name", "by another's name", "no pin"],
)
def test_by_less_than_that_nobody_is_let_in(said: Override) -> None:
    heeded = Heeded(words=(said,), pin=said if said.verb is Verb.PIN else None)
    found = allowed(FENCED, KEY.type, heeded, NOW + 1)
    assert "us" in found.evicted


def test_a_word_lets_nobody_in_for_longer_than_four_hours_whoever_made_it() -> None:
    said = broken(NOW, lasts=72 * 3_600.0)
    heeded = Heeded(words=(said,), pin=said)
    assert allowed(FENCED, KEY.type, heeded, NOW).until == NOW + GUEST
    assert "us" not in allowed(FENCED, KEY.type, heeded, NOW + GUEST - 1).evicted
    assert "us" in allowed(FENCED, KEY.type, heeded, NOW + GUEST).evicted


# -- the model ---------------------------------------------------------------------------------------------------------

LLAMA = Model("llama-3.3-70b", "abc")
OLD, OTHER = Model("llama-3.3-70b", "aaa"), Model("mistral-large", "abc")
MODELS = policy(
    placed("de", 50, "EU", OTHER, LLAMA), placed("fr", 30, "EU", OLD), placed("us", 20, "US", LLAMA), base=PAIR
)


def test_only_regions_that_serve_the_wanted_model_and_revision_get_traffic() -> None:
    story = begun(replace(MODELS, model=LLAMA))
    assert story.published == pytest.approx({"de": 71.43, "us": 28.57}, abs=0.01)
    (reason,) = (each for each in story.look().reasons if each.code is ReasonCode.MODEL)
    assert (reason.region, reason.detail) == ("fr", "llama-3.3-70b aaa, and llama-3.3-70b abc is wanted")


def test_without_a_revision_any_will_do() -> None:
    assert set(begun(replace(MODELS, model=Model("llama-3.3-70b"))).published) == {"de", "fr", "us"}


def test_a_canary_may_differ() -> None:
    assert set(begun(replace(MODELS, model=LLAMA, canary=("fr",))).published) == {"de", "fr", "us"}


def test_a_region_that_serves_another_revision_now_leaves_as_evicted() -> None:
    story = begun(replace(MODELS, limits=SPENT))
    story.edited(replace(MODELS, limits=SPENT, model=LLAMA))
    assert story.look(10.0).cause is Cause.EVICTED
    assert set(story.published) == {"de", "us"}


def test_where_nobody_serves_the_model_the_answer_stays_inside_the_residency() -> None:
    story = begun(replace(MODELS, model=OLD))
    assert story.published == {"fr": 100}
    story.edited(replace(MODELS, model=Model("gone")))
    outcome = story.look(10.0)
    assert outcome.decision.kind is DecisionKind.HOLD_NOBODY_ALLOWED
    assert story.published == {"fr": 100}


# -- places ------------------------------------------------------------------------------------------------------------


def test_what_fits_nowhere_goes_to_the_place_by_its_part_of_the_demand() -> None:
    """400 are wanted and 200 fit: half of it, as the worked example of the manual says."""
    small = policy(placed("aws", 100, "", capacity=200))
    story = begun(replace(small, demand=400.0, shed_to=SORRY))
    outcome = story.look()
    assert story.published == {"aws": 50, "192.0.2.99": 50}
    (reason,) = (each for each in outcome.reasons if each.code is ReasonCode.SHED_TO)
    assert dict(reason.numbers) == {"short": 200.0, "demand": 400.0}
    assert redone(outcome.decision) == {"aws": 50, "192.0.2.99": 50}


def test_the_place_gets_nothing_while_all_of_it_fits() -> None:
    story = begun(replace(policy(placed("a", 50, "", capacity=300), placed("b", 50, "", capacity=100)), demand=400.0))
    assert story.published == {"a": 75, "b": 25}
    story.edited(replace(story.policy, shed_to=SORRY))
    story.look(10.0, b="U")
    assert story.published == {"a": 75, "192.0.2.99": 25}


def test_a_region_is_filled_to_its_room_and_no_further_because_it_is_named_as_the_place() -> None:
    of = policy(placed("a", 100, "", capacity=300), placed("b", 0, "", capacity=100))
    place = NamedPlace.of("b", of.regions[1].endpoints)
    story = begun(replace(of, demand=500.0, shed_to=place))
    assert story.published == {"a": 75, "b": 25}, "100 of 500 fit nowhere, and both are overloaded by as much"
    story.look(10.0, b="U")
    assert story.published == {"a": 100}


def test_nothing_goes_to_the_place_where_nobody_says_what_is_needed() -> None:
    """Both regions are at half of their score: of which load half would be too much, nobody knows."""
    story = begun(replace(policy(placed("a", 50, ""), placed("b", 50, "")), shed_to=SORRY))
    story.look(10.0, a="D", b="D")
    assert story.published == {"a": 50, "b": 50}


def test_a_place_outside_of_the_residency_gets_nothing() -> None:
    small = policy(placed("de", 100, "EU", capacity=200), base=FENCED)
    story = begun(replace(small, demand=400.0, shed_to=replace(SORRY, jurisdiction="US")))
    assert story.published == {"de": 100}


def test_a_place_answers_while_every_region_is_down_and_nobody_waits_for_a_rate_to_come_back() -> None:
    sorry = replace(FENCED, when_all_down=AllDown.ANSWER, when_all_down_place=SORRY)
    story = begun(replace(sorry, limits=replace(SPENT, min_regions=2)))
    outcome = story.look(10.0, de="U", fr="U")
    assert outcome.decision.kind is DecisionKind.ALL_DOWN_ANSWER
    assert outcome.cause is Cause.FAILING_OUT
    assert story.published == {"192.0.2.99": 100}
    assert story.look(10.0).kind is OutcomeKind.IN_SYNC
    back = story.look(3_600.0, de="H", fr="H")
    assert back.cause is Cause.RETURNING
    assert story.published == {"de": 62.5, "fr": 37.5}


def test_the_place_of_an_all_down_is_left_for_whoever_serves() -> None:
    sorry = replace(FENCED, when_all_down=AllDown.ANSWER, when_all_down_place=SORRY, limits=SPENT)
    story = begun(sorry)
    story.look(600.0, de="U")
    story.look(600.0, fr="U")
    assert story.published == {"192.0.2.99": 100}
    story.look(600.0, fr="H")
    assert story.published == {"fr": 100}


def test_a_place_outside_of_the_residency_is_no_answer_when_all_is_down() -> None:
    sorry = replace(FENCED, when_all_down=AllDown.ANSWER, when_all_down_place=replace(SORRY, jurisdiction="US"))
    story = begun(sorry)
    assert story.look(10.0, de="U", fr="U").decision.kind is DecisionKind.HOLD_ALL_DOWN


def test_membership_says_the_place_as_any_other_answer() -> None:
    of = replace(policy(placed("a", 100, "")), weights=Weights.MEMBERSHIP)
    story = Story(replace(of, when_all_down=AllDown.ANSWER, when_all_down_place=SORRY), normalise=in_or_out)
    story.look()
    story.look(10.0, a="U")
    assert story.published == {"192.0.2.99": 100}
