"""Rules of the installation: what has to be in each answer, what waits at a gate, and who may break which of them."""

from dataclasses import replace

import pytest
from support.approving import limits
from support.scenes import GATED, NOW, TARGET, basis_points, policy, region
from support.stories import Story
from support.sums import told

from failoverd.codec import dump, load
from failoverd.core.control import progress, standing
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import Transient
from failoverd.core.events import FailoverHeld, PlanHeld
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, Limit, LimitCheck, LimitNote, ReasonCode
from failoverd.core.records import ELSEWHERE, WHOLE, Policy, RampRules
from failoverd.core.rules import Assertion, Gate, Rule

CLOUDS = ("azure*", "oci*", "aws*")
AT = "policies/regions.yaml:9"
TWO_CLOUDS = Rule("two-clouds", Assertion(2, CLOUDS, share=1_000), else_after=600.0, at=AT)
FREEZE = Rule("freeze", Gate("release-freeze", frozenset({Cause.RETURNING, Cause.TUNING})), at=AT)
PAIR = policy(region("azure", 70), region("oci", 30))
TRIO = policy(region("azure", 50), region("oci", 30), region("aws", 20))


def begun(of: Policy, *rules: Rule) -> Story:
    """A target that holds what its policy says, long since, and what has to hold from now on."""
    story = Story(of)
    assert story.look().kind is OutcomeKind.WRITE
    assert story.look(3_600.0).kind is OutcomeKind.IN_SYNC
    story.estate = replace(story.estate, rules=rules)
    return story


def word(verb: Verb, *, hours: float = 4.0, region: str = "", **said: object) -> Override:
    scope = Scope(regions=(region,)) if region else Scope()
    given = Override(
        f"{verb}-01234567", verb, scope, "alice@desk", NOW, NOW + hours * 3_600, (Comment(NOW, "", "why"),)
    )
    return replace(given, **said)  # type: ignore[arg-type]


def say(story: Story, *words: Override) -> None:
    story.state = replace(story.state, overrides=words)


def held(outcome: Outcome) -> tuple[LimitCheck, ...]:
    assert outcome.held is not None
    return outcome.held.blocking


def notes(outcome: Outcome) -> dict[str, LimitNote]:
    assert outcome.approved is not None
    return {check.rule: check.note for check in outcome.approved.checks if check.rule}


# -- what an assertion says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "met"),
    [
        ({"azure": 100}, 1),
        ({"azure": 90, "oci": 10}, 2),
        ({"azure": 91, "oci": 9}, 1),
        ({"azure": 5, "azure_w": 5, "oci": 90}, 2),  # a group is its regions together
        ({"azure": 50, ELSEWHERE: 50}, 1),
        ({}, 0),
    ],
)
def test_a_group_counts_from_its_share_on(shares: dict[str, float], met: int) -> None:
    assert Assertion(2, CLOUDS, share=1_000).met(basis_points(shares)) == met


def test_an_address_of_no_region_is_in_no_group() -> None:
    assert Assertion(1, ("*",)).met({ELSEWHERE: 10_000}) == 0


def test_a_rule_binds_the_policies_that_it_names() -> None:
    rule = Rule("r", Assertion(1, ("*",)), policies=("inference-*", "console"))
    assert [rule.binds(name) for name in ("inference-api", "console", "console-2")] == [True, True, False]
    assert Rule("r", Assertion(1, ("*",))).binds("anything")


# -- what is down ------------------------------------------------------------------------------------------------------


def test_a_failing_out_that_breaks_an_assertion_is_held_for_a_person_and_says_until_when() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    outcome = story.look(azure="U")
    check = LimitCheck(Limit.ASSERTION, passed=False, found=1, allowed=2, rule="two-clouds", rule_at=AT)
    assert held(outcome) == (check,)
    assert outcome.until == story.now + 600
    (told,) = story.told(FailoverHeld)
    assert isinstance(told, PlanHeld)
    assert (told.until, told.rule_at, told.limits) == (story.now + 600, AT, (check,))
    assert told.digest


def test_a_marker_that_cannot_be_written_leaves_no_hold_unsaid() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    say(story, word(Verb.SHED, region="azure", part=100))
    first = story.asked(story.seen(azure="U"))
    assert first.kind is OutcomeKind.WRITE  # the marker first: it is in the digest that an approval names
    assert not [event for event in first.events if isinstance(event, PlanHeld)]
    after, _ = progress.delayed(first.state, TARGET, Transient("no", reason="refused"), first.plan, 2.0, story.now)
    story.state = after
    second = story.asked(story.seen())
    (told,) = second.events
    assert (second.kind, type(told)) == (OutcomeKind.WRITE, FailoverHeld)
    story.state = progress.delayed(second.state, TARGET, Transient("no", reason="refused"), None, 2.0, story.now)[0]
    assert story.asked(story.seen()).events == ()


def test_a_person_lets_it_through() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    outcome = story.look(azure="U")
    assert outcome.plan is not None
    say(story, word(Verb.APPROVE, digest=outcome.plan.digest))
    assert notes(story.look(5.0)) == {"two-clouds": LimitNote.APPROVED}
    assert story.published == {"oci": 100}


def test_an_approval_is_of_that_plan_and_no_other() -> None:
    story = begun(TRIO, Rule("three", Assertion(3, CLOUDS)))
    outcome = story.look(azure="U")
    assert outcome.plan is not None
    say(story, word(Verb.APPROVE, digest=outcome.plan.digest))
    assert story.look(oci="U").kind is OutcomeKind.LIMITED


def test_without_anybody_it_goes_when_the_time_is_over_and_not_before() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    until = story.look(azure="U").until
    assert story.look(599.0).until == until
    assert notes(story.look(1.0)) == {"two-clouds": LimitNote.WAITED}
    assert story.published == {"oci": 100}
    assert story.look(1.0).kind is OutcomeKind.IN_SYNC
    assert story.memory.withheld == {}


def test_since_when_it_is_held_outlives_the_process() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    until = story.look(azure="U").until
    story.state = load(PolicyState, dump(story.state))
    story.look(200.0, azure="?", oci="?")  # who has just started knows nothing yet
    assert story.look(100.0, azure="U", oci="H").until == until


def test_a_write_that_fails_when_the_time_is_over_does_not_wait_for_another() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    story.look(azure="U")
    story.now += 600
    story.state = story.asked(story.seen()).state  # what was approved is never written
    assert story.look(10.0).kind is OutcomeKind.WRITE


def test_a_region_that_came_back_begins_anew() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    story.look(azure="U")
    assert story.look(500.0, azure="H").kind is OutcomeKind.IN_SYNC
    assert story.look(90.0, azure="U").until == story.now + 600


def test_a_clock_that_was_wrong_makes_nobody_wait_for_longer() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    story.look(azure="U")
    assert story.look(-3_600.0).until == story.now + 600


def test_no_time_at_all_keeps_nothing_that_is_down() -> None:
    story = begun(PAIR, replace(TWO_CLOUDS, else_after=0.0))
    assert notes(story.look(azure="U")) == {"two-clouds": LimitNote.WAITED}


def test_time_does_not_end_what_min_regions_holds_as_well() -> None:
    story = begun(replace(PAIR, limits=limits(min_regions=2)), TWO_CLOUDS)
    assert story.look(azure="U").until is None


def test_what_is_down_leaves_where_only_the_rest_of_the_step_would_break_it() -> None:
    """A region dies in the moment in which an edit gives all of the traffic to another."""
    story = begun(TRIO, TWO_CLOUDS)
    story.edited(policy(region("azure", 0), region("oci", 95), region("aws", 5), base=story.policy))
    assert story.look(azure="U").cause is Cause.FAILING_OUT
    assert set(story.published) == {"oci", "aws"}
    assert min(story.published.values()) >= 10
    assert [check.limit for check in held(story.look(300.0))] == [Limit.ASSERTION]


# -- every other cause -------------------------------------------------------------------------------------------------


def test_an_edit_that_breaks_it_is_held_until_a_person_acts() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    story.edited(policy(region("azure", 95), region("oci", 5), base=story.policy))
    outcome = story.look()
    assert [check.limit for check in held(outcome)] == [Limit.ASSERTION]
    assert outcome.until is None
    assert story.look(86_400.0).kind is OutcomeKind.LIMITED


def test_a_step_on_the_way_that_would_break_it_is_not_stopped_at() -> None:
    """A small partner takes the place of another: with half of it each, none of them would count."""
    slow = limits(max_shift=500, shift_window=300.0, max_changes=100, min_step=0)
    story = begun(replace(policy(region("azure", 90), region("oci", 10), region("aws", 0)), limits=slow), TWO_CLOUDS)
    story.edited(policy(region("azure", 90), region("oci", 0), region("aws", 10), base=story.policy))
    outcome = story.look()
    assert outcome.approved is not None
    assert LimitNote.INDIVISIBLE in {check.note for check in outcome.approved.checks}
    assert story.published == {"azure": 90, "aws": 10}


def test_a_drain_that_breaks_it_is_held_unless_it_names_the_rule() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    drain = word(Verb.DRAIN, region="azure")
    say(story, drain)
    assert story.look().kind is OutcomeKind.WRITE  # that it was said stands in the marker
    assert [check.rule for check in held(story.look())] == ["two-clouds"]
    say(story, replace(drain, breaks=("another-rule",)))
    assert [check.rule for check in held(story.look())] == ["two-clouds"]
    say(story, replace(drain, breaks=("two-clouds",)))
    assert notes(story.look()) == {"two-clouds": LimitNote.BROKEN}
    assert story.published == {"oci": 100}


def test_two_people_where_the_rule_says_so_and_one_of_them_twice_is_one() -> None:
    story = begun(PAIR, replace(TWO_CLOUDS, people=2))
    drain = word(Verb.DRAIN, region="azure", breaks=("two-clouds",))
    say(story, drain)
    story.look()
    for agreed in ((), ("alice@desk",)):
        say(story, replace(drain, agreed=agreed))
        assert story.look().kind is OutcomeKind.LIMITED
    say(story, replace(drain, agreed=("bob@desk",)))
    assert story.look().kind is OutcomeKind.WRITE


def test_two_people_approve_a_plan_where_the_rule_says_so() -> None:
    story = begun(PAIR, replace(TWO_CLOUDS, people=2))
    outcome = story.look(azure="U")
    assert outcome.plan is not None
    approval = word(Verb.APPROVE, digest=outcome.plan.digest)
    say(story, approval)
    (alone,) = held(story.look(5.0))
    assert alone.note is LimitNote.AGREEMENT
    say(story, replace(approval, agreed=("bob@desk",)))
    assert story.look(5.0).kind is OutcomeKind.WRITE


def test_an_answer_that_breaks_it_already_may_move_and_gets_no_worse() -> None:
    story = begun(TRIO)
    story.look(oci="U", aws="U")
    assert story.published == {"azure": 100}
    story.estate = replace(story.estate, rules=(TWO_CLOUDS,))
    outcome = story.look(60.0, azure="U", oci="H")
    assert notes(outcome) == {"two-clouds": LimitNote.NO_WORSE}
    assert story.published == {"oci": 100}


def test_an_empty_answer_is_rebuilt_as_far_as_it_can_be() -> None:
    story = begun(TRIO, TWO_CLOUDS)
    story.observed = replace(story.observed, records=None)
    assert notes(story.look(oci="U", aws="U")) == {"two-clouds": LimitNote.NOTHING_ANSWERED}


def test_a_rule_of_other_policies_says_nothing() -> None:
    story = begun(PAIR, replace(TWO_CLOUDS, policies=("console",)))
    assert story.look(azure="U").kind is OutcomeKind.WRITE


# -- gates -------------------------------------------------------------------------------------------------------------

SWITCH = word(Verb.SWITCH, name="release-freeze")


def returned(story: Story) -> Outcome:
    """The region that was down is back, and its failback is due."""
    story.look(azure="U")
    story.look(60.0, azure="H")
    return story.look(300.0)


def test_a_switch_that_is_on_holds_the_causes_of_its_gate_until_it_ends() -> None:
    story = begun(PAIR, FREEZE)
    say(story, SWITCH)
    outcome = returned(story)
    check = LimitCheck(
        Limit.GATE, passed=False, found=7_000, allowed=0, cause=Cause.RETURNING, rule="freeze", rule_at=AT
    )
    assert held(outcome) == (check,)
    assert outcome.until == SWITCH.until
    say(story, replace(SWITCH, ended_at=story.now))
    assert story.look().kind is OutcomeKind.WRITE


@pytest.mark.parametrize("switch", [replace(SWITCH, name="another"), word(Verb.HOLD, ended_at=NOW)])
def test_another_switch_holds_nothing(switch: Override) -> None:
    story = begun(PAIR, FREEZE)
    say(story, switch)
    assert returned(story).kind is OutcomeKind.WRITE


def test_a_cause_that_the_gate_does_not_name_passes() -> None:
    story = begun(PAIR, FREEZE)
    say(story, SWITCH)
    story.edited(policy(region("azure", 50), region("oci", 50), base=story.policy))
    assert story.look().cause is Cause.OPERATOR
    assert story.published == {"azure": 50, "oci": 50}


def test_what_fails_out_knows_no_gate_and_takes_nothing_else_along() -> None:
    story = begun(TRIO, replace(FREEZE, says=Gate("release-freeze", GATED)))
    say(story, SWITCH)
    story.edited(policy(region("azure", 20), region("oci", 20), region("aws", 60), base=story.policy))
    outcome = story.look(azure="U")
    assert (outcome.cause, notes(outcome)) == (Cause.FAILING_OUT, {"freeze": LimitNote.FAILING_OUT})
    assert "azure" not in story.published
    assert story.look().kind is OutcomeKind.LIMITED


def test_nor_does_what_answers_nothing() -> None:
    story = begun(PAIR, replace(FREEZE, says=Gate("release-freeze", GATED)))
    say(story, SWITCH)
    story.observed = replace(story.observed, records=None)
    assert story.look().cause is Cause.REBUILDING


def test_an_approval_of_one_plan_breaks_the_rule_for_no_other() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    say(story, word(Verb.APPROVE, digest="of another plan", breaks=("two-clouds",)))
    assert story.look(azure="U").kind is OutcomeKind.LIMITED


def test_a_gate_is_broken_by_its_name() -> None:
    story = begun(PAIR, FREEZE)
    say(story, SWITCH, word(Verb.SWITCH, name="another", breaks=("freeze",)))
    assert returned(story).kind is OutcomeKind.WRITE


# -- what is told ------------------------------------------------------------------------------------------------------


def test_another_rule_in_the_way_is_news() -> None:
    story = begun(PAIR, TWO_CLOUDS)
    say(story, word(Verb.DRAIN, region="azure"))
    for _ in range(3):
        story.look(5.0)
    assert len(story.told(PlanHeld)) == 1
    story.estate = replace(story.estate, rules=(replace(TWO_CLOUDS, name="both-clouds"),))
    story.look(5.0)
    assert len(story.told(PlanHeld)) == 2


@pytest.mark.parametrize(
    ("rule", "letters", "remedy"),
    [
        (TWO_CLOUDS, "U", "failoverctl approve {digest} --reason TEXT, or wait: then it leaves all the same"),
        (
            replace(TWO_CLOUDS, people=2),
            "U",
            "failoverctl approve {digest} --reason TEXT, or wait: then it leaves all the same",
        ),
        (FREEZE, "D", "release the switch of the rule freeze at policies/regions.yaml:9, or wait for its end"),
    ],
)
def test_the_remedy_says_what_a_person_can_do(rule: Rule, letters: str, remedy: str) -> None:
    story = begun(policy(region("azure", 50), region("oci", 50)), rule)
    say(story, SWITCH)
    state = story.seen(azure=letters)
    regions = dict(state.regions(story.observed.target.key.type))
    if letters == "D":
        regions["azure"] = replace(regions["azure"], score=1_000)
    state = replace(state, verdicts={story.observed.target.key.type: regions})
    outcome = evaluate(story.policy, state, story.observed, story.estate, story.now)
    assert outcome.plan is not None
    status = standing.after_outcome(story.policy, outcome, story.observed, "", story.now)
    assert status.remedy.endswith(remedy.format(digest=outcome.plan.digest))


# -- on the way back ---------------------------------------------------------------------------------------------------

CLIMBING = replace(
    policy(region("azure", 70), region("oci", 30), region("aws", 0)),
    ramp=RampRules((2_500, WHOLE), judge=60.0),
    failback_after=60.0,
    limits=limits(max_changes=50),
)


def test_a_step_of_a_ramp_is_as_large_as_a_rule_counts() -> None:
    """A quarter of its share is too little to count: who stands in for it would stay until a person came."""
    story = begun(CLIMBING, TWO_CLOUDS)
    pinned = word(Verb.PIN, shares={"azure": 7_000, "aws": 3_000})
    say(story, replace(pinned, scope=Scope(policies=(TARGET.policy,))))
    story.look(60.0)
    assert story.published == {"azure": 70.0, "aws": 30.0}
    outcome = story.look(pinned.until - story.now)
    assert story.published == {"azure": 90.0, "oci": 10.0}
    (words,) = told(outcome.decision, ReasonCode.RAMP)
    assert "a rule counts it from 10% on" in words
    story.look(600.0)
    assert story.published == {"azure": 70.0, "oci": 30.0}


def test_what_a_rule_keeps_though_a_step_made_it_ill_waits_for_no_moment() -> None:
    """It serves, so no time lets it leave: to look again at a moment that is over would be to look without end."""
    story = begun(replace(CLIMBING, regions=CLIMBING.regions[:2]), replace(TWO_CLOUDS, else_after=40.0))
    story.estate = replace(story.estate, rules=())
    story.look(60.0, oci="U")
    story.look(60.0, oci="H")
    story.look(60.0)
    assert story.published["oci"] == 7.5
    story.look(120.0)
    assert story.published["oci"] == 30.0
    story.estate = replace(story.estate, rules=(replace(TWO_CLOUDS, else_after=40.0),))
    for _ in range(3):
        outcome = story.look(30.0, oci="D")
        assert outcome.kind is OutcomeKind.LIMITED
        assert [check.limit for check in held(outcome)] == [Limit.ASSERTION]
        assert outcome.until is None or outcome.until > story.now
