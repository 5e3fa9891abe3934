"""Which models regions serve: as their checks have seen it, and else as the inventory says."""

from dataclasses import replace

import pytest
from support.scenes import KEY, NOW, policy, region
from support.stories import Story

from failoverd.codec import dump, load
from failoverd.core.control.claiming import claim, usual_claim
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.sighted import as_seen
from failoverd.core.control.state import PolicyState
from failoverd.core.events import DecisionMade
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import Model, Policy, RegionSpec

OLD, NEW, OTHER = Model("llama", "r1"), Model("llama", "r2"), Model("tiny")


def serving(name: str, share: float, *models: Model) -> RegionSpec:
    return replace(region(name, share, capacity=1_000.0), models=models)


THREE = replace(
    policy(serving("az", 50, OLD), serving("oci", 30, OLD), serving("aws", 20, OLD)), model=OLD, demand=800.0
)


def begun(of: Policy = THREE) -> Story:
    """A target that holds what its policy says, long since."""
    story = Story(of)
    assert story.look().kind is OutcomeKind.WRITE
    assert story.look(3_600.0).kind is OutcomeKind.IN_SYNC
    return story


def sees(story: Story, **served: Model | tuple[Model, ...]) -> Outcome:
    """The next round, after the checks have seen this."""
    found = {name: (models,) if isinstance(models, Model) else models for name, models in served.items()}
    story.state = replace(story.state, served={**story.state.served, **found})
    return story.look(10.0)


def codes(outcome: Outcome) -> set[ReasonCode]:
    return {reason.code for reason in outcome.reasons}


def detail(outcome: Outcome, code: ReasonCode) -> str:
    return next(reason.detail for reason in outcome.reasons if reason.code is code)


# -- what is seen decides ----------------------------------------------------------------------------------------------


def test_a_region_that_is_seen_to_serve_another_revision_leaves_at_once_whatever_is_declared() -> None:
    story = begun()
    outcome = sees(story, az=NEW)
    assert outcome.cause is Cause.EVICTED
    assert story.published == {"oci": 60, "aws": 40}
    assert detail(outcome, ReasonCode.MODEL) == "llama r2, and llama r1 is wanted"
    assert detail(outcome, ReasonCode.MODEL_SEEN) == "llama r2, and the inventory says llama r1"


def test_it_comes_back_once_it_is_seen_to_serve_what_is_wanted() -> None:
    story = begun()
    sees(story, az=NEW)
    sees(story, az=OLD)
    assert story.published == {"az": 50, "oci": 30, "aws": 20}


def test_a_region_of_which_nobody_declared_it_gets_traffic_once_it_is_seen() -> None:
    story = begun(replace(THREE, regions=(serving("az", 50), *THREE.regions[1:])))
    assert story.published == {"oci": 60, "aws": 40}
    outcome = sees(story, az=OLD)
    assert story.published == {"az": 50, "oci": 30, "aws": 20}
    assert detail(outcome, ReasonCode.MODEL_SEEN) == "llama r1, and the inventory says no model"


def test_a_canary_may_serve_whatever_it_does() -> None:
    story = begun(replace(THREE, canary=("az",)))
    outcome = sees(story, az=NEW)
    assert outcome.kind is OutcomeKind.IN_SYNC
    assert ReasonCode.MODEL_SEEN in codes(outcome)


def test_what_is_seen_without_a_revision_is_of_the_declared_one() -> None:
    story = begun()
    outcome = sees(story, az=Model("llama"), oci=Model("llama"), aws=Model("llama"))
    assert outcome.kind is OutcomeKind.IN_SYNC
    assert ReasonCode.MODEL_SEEN not in codes(outcome)


def test_endpoints_of_a_region_that_serve_different_things_are_not_what_is_wanted() -> None:
    story = begun()
    sees(story, az=(OLD, NEW))
    assert story.published == {"oci": 60, "aws": 40}


def test_where_any_revision_will_do_another_one_is_told_and_moves_nothing() -> None:
    story = begun(replace(THREE, model=Model("llama")))
    outcome = sees(story, az=NEW)
    assert (outcome.kind, story.published) == (OutcomeKind.IN_SYNC, {"az": 50, "oci": 30, "aws": 20})
    told = [event for event in story.told(DecisionMade) if isinstance(event, DecisionMade)]
    assert ReasonCode.MODEL_SEEN in {reason.code for reason in told[-1].reasons}


def test_a_policy_that_wants_no_model_asks_for_none() -> None:
    story = begun(replace(THREE, model=None))
    assert sees(story, az=OTHER).kind is OutcomeKind.IN_SYNC


# -- what is not seen is no cause --------------------------------------------------------------------------------------


def test_a_release_in_all_regions_before_the_file_says_so_moves_nothing() -> None:
    story = begun()
    outcome = sees(story, az=NEW, oci=NEW, aws=NEW)
    assert story.published == {"az": 50, "oci": 30, "aws": 20}
    assert outcome.decision.kind is DecisionKind.NORMAL
    assert detail(outcome, ReasonCode.MODEL_DOUBTED) == "llama r1"
    story.look(10.0, az="U")
    assert story.published == {"oci": 60, "aws": 40}, "nor does it keep what is down"


def test_a_canary_does_not_get_everything_when_nobody_else_is_seen_to_serve_the_model() -> None:
    story = begun(replace(THREE, canary=("aws",)))
    sees(story, az=NEW, oci=NEW, aws=NEW)
    assert story.published == {"az": 50, "oci": 30, "aws": 20}


def test_a_release_that_goes_from_region_to_region_ends_where_it_began() -> None:
    story = begun()
    sees(story, az=NEW)
    sees(story, oci=NEW)
    assert story.published == {"aws": 100}
    sees(story, aws=NEW)
    assert story.published == {"az": 50, "oci": 30, "aws": 20}
    story.edited(replace(THREE, model=NEW))
    assert story.look(10.0).decision.kind is DecisionKind.NORMAL


def test_who_is_outside_of_the_residency_serves_nobody_whatever_it_is_seen_to_serve() -> None:
    lawful = tuple(replace(spec, jurisdiction="EU" if spec.name != "aws" else "US") for spec in THREE.regions)
    story = begun(replace(THREE, regions=lawful, residency=("EU",)))
    outcome = sees(story, az=NEW, oci=NEW, aws=OLD)
    assert story.published == {"az": 62.5, "oci": 37.5}
    assert ReasonCode.MODEL_DOUBTED in codes(outcome)


def verdict(name: str, state: RegionState, *served: Model) -> RegionHealth:
    return RegionHealth(name, state, 10_000, NOW, NOW, (), served=served)


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_seen_counts_while_nobody_sees_the_region(restarted: bool) -> None:
    state = PolicyState("api").with_verdicts({KEY.type: {"az": verdict("az", RegionState.HEALTHY, NEW)}}, calm=True)
    state = load(PolicyState, dump(state)) if restarted else state
    blind = state.with_verdicts({KEY.type: {"az": verdict("az", RegionState.UNKNOWN)}}, calm=False)
    assert blind.served == {"az": (NEW,)}
    looked = blind.with_verdicts({KEY.type: {"az": verdict("az", RegionState.HEALTHY)}}, calm=True)
    assert looked.served == {}, "the check that looked for a model is gone"


def test_equal_inputs_make_no_new_policy() -> None:
    assert as_seen(THREE, {}).policy is THREE
    assert as_seen(THREE, {"az": (OLD,)}).policy is THREE


# -- the estate --------------------------------------------------------------------------------------------------------


def test_the_estate_draws_on_who_is_seen_to_serve() -> None:
    story = begun()
    sees(story, az=NEW)
    now, usual = claim(THREE, story.state, story.now), usual_claim(THREE, story.state)
    assert now is not None
    assert usual is not None
    for found in (now, usual):
        assert {draw.region for level in found.levels for draw in level} == {"oci", "aws"}
