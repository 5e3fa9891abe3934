"""The checks of the simulation, each shown a write that it has to find: a check that cannot fail proves nothing."""

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from support.approving import limits
from support.operating import Decided, Operators
from support.scenes import (
    GATED,
    NOW,
    TARGET,
    TRIO,
    compared,
    healths,
    observed,
    plan_between,
    policy,
    published,
    records,
)
from support.scenes import region as region_of_file
from support.stage import Stage
from support.virtual import virtually
from support.watching import Scene, Sight, against, unlike

from failoverd.core.control.plan import Plan
from failoverd.core.overrides import LOST, Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, LimitNote, Reason, ReasonCode
from failoverd.core.records import WHOLE
from failoverd.core.rules import Assertion, Gate, Rule
from failoverd.operations.commanding import Given
from failoverd.runtime.override_book import given
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.virtual_time import elapse, now

NORMAL = {"azure": 70, "oci": 30}
CLOUDS = Rule("clouds", Assertion(2, ("azure", "oci", "aws"), 1_000), else_after=60.0, people=2)
FREEZE = Rule("freeze", Gate("freeze", GATED))
RETURNS = Rule("returns", Gate("freeze", frozenset({Cause.RETURNING})))


def word(verb: Verb, scope: Scope | None = None, **said: object) -> Override:
    given = Override(f"{verb}-1", verb, scope or Scope((TARGET.policy,)), "alice", NOW - 60.0, NOW + 60.0)
    return replace(given, **said)  # type: ignore[arg-type]


def region(name: str) -> Scope:
    return Scope(regions=(name,))


def endpoint(name: str) -> Scope:
    return Scope(endpoints=(f"{name}/*",))


DRAIN = word(Verb.DRAIN, region("azure"))
PIN = word(Verb.PIN, shares={"azure": 5_000, "aws": 5_000})
SHED = word(Verb.SHED, region("azure"), part=5_000)
LESS_OCI = word(Verb.SHED, region("oci"), part=9_000)
DOWN, UP = word(Verb.DOWN, endpoint("azure")), word(Verb.UP, endpoint("azure"))
SWITCH = word(Verb.SWITCH, name="freeze")
HOLD, PAUSE, STOP = word(Verb.HOLD), word(Verb.PAUSE), word(Verb.PAUSE, Scope())


def scene(*words: Override, ill: str = "", rules: tuple[Rule, ...] = (), **said: object) -> Scene:
    found = Scene(TRIO, TARGET, words, healths(TRIO, {ill: "U"} if ill else {}), NOW, rules, published="r1")
    return replace(found, **said)  # type: ignore[arg-type]


def wrongs(
    at: Scene,
    before: Mapping[str, float],
    after: Mapping[str, float],
    *notes: LimitNote,
    code: ReasonCode | None = None,
) -> list[str]:
    plan = plan_between(TRIO, before, after)
    if code is not None:
        plan = replace(plan, decision=replace(plan.decision, reasons=(Reason(code),)))
    return list(against(Sight(at, plan, observed(published(TRIO, before)), frozenset(notes))))


@pytest.mark.parametrize(
    ("at", "before", "after", "found"),
    [
        (scene(STOP), NORMAL, {"oci": 100}, "everything is paused"),
        (scene(STOP, ill="azure"), NORMAL, {"oci": 100}, "everything is paused"),
        (scene(PAUSE), NORMAL, {"azure": 60, "oci": 40}, "it is paused"),
        (scene(HOLD, ill="azure"), NORMAL, {"oci": 100}, "holds it"),
        (scene(DRAIN), {"oci": 100}, NORMAL, "gets more though drain-1"),
        (scene(DRAIN), NORMAL, {"azure": 35, "oci": 65}, "stays though drain-1"),
        (scene(word(Verb.DRAIN, region("azure"), planned=True)), {"oci": 100}, NORMAL, "gets more though drain-1"),
        (scene(PIN), NORMAL, {"azure": 60, "aws": 40}, "which pin-1 says"),
        (scene(PIN, ill="aws"), NORMAL, {"azure": 50, "oci": 50}, "which pin-1 says"),
        (scene(PIN), NORMAL, {"azure": 50, "oci": 50}, "oci gets 5000 though pin-1 gives it 0"),
        (scene(SHED), {"oci": 100}, {"azure": 50, "oci": 50}, "though shed-1 leaves it 3500"),
        (scene(SHED), NORMAL, {"azure": 65, "oci": 35}, "though shed-1 leaves it 3500"),
        (scene(DRAIN, LESS_OCI), {"azure": 97, "oci": 3}, {"oci": 20, "aws": 80}, "though shed-1 leaves it 1000"),
        (scene(DOWN), NORMAL, {"azure": 50, "oci": 50}, "answers though it is called down"),
        (scene(UP, ill="azure"), NORMAL, {"oci": 100}, "azure leaves though it is called up"),
        (scene(rules=(CLOUDS,)), NORMAL, {"oci": 100}, "breaks clouds"),
        (scene(rules=(CLOUDS,)), NORMAL, {"azure": 95, "oci": 5}, "breaks clouds"),
        (scene(rules=(CLOUDS,), ill="azure"), NORMAL, {"oci": 100}, "was named for 0.000s and not 60s"),
        (scene(SWITCH, rules=(FREEZE,)), NORMAL, {"azure": 60, "oci": 40}, "though freeze is shut"),
        (scene(SWITCH, rules=(RETURNS,)), {"oci": 100}, NORMAL, "though returns is shut"),
    ],
)  # fmt: skip
def test_a_write_against_a_word_or_a_rule_is_found(
    at: Scene, before: Mapping[str, float], after: Mapping[str, float], found: str
) -> None:
    assert any(found in wrong for wrong in wrongs(at, before, after))


@pytest.mark.parametrize(
    ("at", "before", "after", "notes"),
    [
        (scene(PAUSE, ill="azure"), NORMAL, {"oci": 100}, ()),
        (scene(PAUSE), NORMAL, {"azure": 60, "oci": 40}, (LimitNote.APPROVED,)),
        (scene(DRAIN), NORMAL, {"oci": 100}, ()),
        (scene(DRAIN), NORMAL, {"azure": 35, "oci": 65}, (LimitNote.SMALLER,)),
        (scene(PIN), NORMAL, {"azure": 50, "aws": 50}, ()),
        (scene(PIN, ill="aws"), NORMAL, {"azure": 100}, ()),
        (scene(PIN), NORMAL, {"azure": 60, "oci": 15, "aws": 25}, (LimitNote.SMALLER,)),
        (scene(SHED), NORMAL, {"azure": 35, "oci": 65}, ()),
        (scene(DRAIN, LESS_OCI), {"azure": 97, "oci": 3}, {"azure": 40, "oci": 6, "aws": 54}, (LimitNote.SMALLER,)),
        (scene(DOWN), NORMAL, {"oci": 100}, ()),
        (scene(UP, ill="azure"), {"oci": 100}, NORMAL, ()),
        (scene(rules=(CLOUDS,)), NORMAL, {"azure": 90, "oci": 10}, ()),
        (scene(rules=(CLOUDS,)), {"azure": 100}, {"oci": 100}, ()),
        (scene(rules=(CLOUDS,), ill="azure", named_since={"clouds": NOW - 60.0}), NORMAL, {"oci": 100}, ()),
        (scene(word(Verb.DRAIN, region("azure"), breaks=("clouds",), agreed=("bob",)), rules=(CLOUDS,)), NORMAL,
         {"oci": 100}, ()),
        (scene(SWITCH, rules=(FREEZE,), ill="azure"), NORMAL, {"oci": 100}, ()),
        (scene(SWITCH, DRAIN, rules=(RETURNS,)), NORMAL, {"oci": 100}, ()),
        (scene(word(Verb.SWITCH, name="other"), rules=(FREEZE,)), NORMAL, {"azure": 60, "oci": 40}, ()),
    ],
)  # fmt: skip
def test_a_write_as_it_was_said_is_nobodys_business(
    at: Scene, before: Mapping[str, float], after: Mapping[str, float], notes: tuple[LimitNote, ...]
) -> None:
    assert wrongs(at, before, after, *notes) == []


def test_a_jump_is_found_and_what_a_person_wants_at_once_is_none() -> None:
    slow = replace(scene(), policy=replace(TRIO, limits=limits(max_shift=2_000)))
    (wrong,) = wrongs(slow, {"oci": 100}, NORMAL)
    assert "in one step" in wrong
    assert wrongs(slow, {"oci": 100}, {"azure": 20, "oci": 80}, LimitNote.SMALLER) == []
    assert wrongs(slow, {"oci": 100}, NORMAL, LimitNote.AT_ONCE) == []
    assert wrongs(replace(slow, health=healths(TRIO, {"oci": "U"})), {"oci": 100}, {"azure": 100}) == []


def test_what_leaves_somebody_elses_answer_is_counted_once() -> None:
    """What stays of it belongs to no region of the file, and moves nowhere."""
    stands = records({"192.0.2.10": 5_000, "203.0.113.66": 5_000})
    half = records({"192.0.2.10": 2_500, "203.0.113.66": 2_500, "198.51.100.10": 5_000})
    plan = compared(TRIO, observed(stands), half)
    assert isinstance(plan, Plan)

    def found(max_shift: int) -> list[str]:
        at = replace(scene(), policy=replace(TRIO, limits=limits(max_shift=max_shift)))
        return list(against(Sight(at, plan, observed(stands), frozenset())))

    assert found(5_000) == []
    assert "in one step" in found(4_000)[0]


def test_how_much_is_left_of_a_region_of_which_one_endpoint_is_called_down_is_not_claimed() -> None:
    """Without it the region can carry half, and who is shed gets more before anything of it is shed."""
    wide = policy(region_of_file("azure", 70, "192.0.2.10", "192.0.2.11"), *TRIO.regions[1:])
    less = word(Verb.SHED, region("oci"), part=2_000)
    half = word(Verb.DOWN, Scope(endpoints=("azure/192.0.2.11",)))
    before, after = {"azure": 50, "oci": 50}, {"azure": 50, "oci": 40, "aws": 10}
    assert wrongs(replace(scene(less, half), policy=wide), before, after) == []
    assert "leaves it 2400" in wrongs(scene(less), before, after)[0]


def test_one_person_alone_breaks_no_rule_that_takes_two() -> None:
    alone = word(Verb.DRAIN, region("azure"), breaks=("clouds",), agreed=("alice",))
    assert any("breaks clouds" in wrong for wrong in wrongs(scene(alone, rules=(CLOUDS,)), NORMAL, {"oci": 100}))


def test_nothing_moves_while_words_are_lost_but_what_fails_out() -> None:
    lost = ReasonCode.OVERRIDES_LOST
    assert any("are lost" in wrong for wrong in wrongs(scene(), NORMAL, {"oci": 100}, code=lost))
    assert wrongs(scene(ill="azure"), NORMAL, {"oci": 100}, code=lost) == []


@pytest.mark.parametrize(
    ("at", "stands", "found"),
    [
        (scene(DRAIN), NORMAL, "azure has 7000 though drain-1 drains it"),
        (scene(PIN), NORMAL, "as is pinned"),
        (scene(DOWN), NORMAL, "though it is called down"),
        (scene(DRAIN, accepted_at=NOW - 90.0), NORMAL, "azure has 7000 though drain-1 drains it"),
    ],
)
def test_an_answer_that_is_called_done_and_is_not_is_found(at: Scene, stands: Mapping[str, float], found: str) -> None:
    assert any(found in wrong for wrong in unlike(at, published(TRIO, stands)))


@pytest.mark.parametrize("at", [scene(DRAIN), scene(DOWN), scene(word(Verb.PIN, shares={"oci": WHOLE}))])
def test_an_answer_that_is_as_was_said_is_done(at: Scene) -> None:
    assert list(unlike(at, published(TRIO, {"oci": 100}))) == []


def test_an_edit_that_was_accepted_counts_more_than_the_words_before_it() -> None:
    assert list(unlike(scene(DRAIN, accepted_at=NOW - 30.0), published(TRIO, NORMAL))) == []


# -- what operators remember -------------------------------------------------------------------------------------------


def operators() -> Operators:
    return Operators(random.Random(0), (TRIO,), lambda _: None)  # noqa: S311 - a script, no secret


@virtually
async def test_what_a_desk_wrote_down_before_it_was_killed_is_said() -> None:
    """Nobody was answered, and the next process heeds it."""
    spoken = word(Verb.DRAIN, region("azure"), since=now(), until=now() + 60.0)
    planned = replace(spoken, id="drain-2", planned=True, comments=(Comment(now(), spoken.actor, "work"),))
    called_off = replace(planned, id="drain-3").released("bob", "not today", now())
    lost = replace(spoken, id="drain-4", actor=LOST)
    journal, people = PaperJournal(), operators()
    for each in (spoken, planned, called_off, lost):
        await journal.say(each)
    people.restarted(journal)
    assert people.said.keys() == {spoken.id, called_off.id}
    assert people.words(TARGET, now() + 1.0) == [spoken]


@virtually
async def test_a_word_is_heeded_from_when_it_was_said_and_not_from_when_it_was_answered() -> None:
    people, said_at = operators(), now()
    spoken = word(Verb.HOLD, since=said_at, until=said_at + 60.0, comments=(Comment(said_at, "alice", "wait"),))
    await elapse(2.0)  # the disk is slow
    people.heard(Given(spoken, ()), "gives")
    assert people.words(TARGET, said_at + 0.1) == [spoken]


@virtually
async def test_what_is_told_twice_by_the_processes_of_one_journal_is_found() -> None:
    people, stage, said = operators(), Stage(), Comment(now(), "alice", "it is night")
    spoken = word(Verb.DRAIN, region("azure"), since=now(), until=now() + 60.0, comments=(said,))
    people.heard(Given(spoken, ()), "gives")
    stage.emit(given(spoken, now()))
    assert list(people.told_wrong([stage], journal_worked=True)) == []
    stage.emit(given(spoken, now()))
    assert any("told 2 times as given" in wrong for wrong in people.told_wrong([stage], journal_worked=True))


@virtually
async def test_nobody_relies_on_a_word_that_he_is_releasing() -> None:
    """The daemon heeds a release at once, and answers once its slow disk has it."""
    people = operators()
    spoken = replace(DRAIN, since=now() - 60.0, until=now() + 60.0, comments=(Comment(now() - 60.0, "alice", "rack"),))
    people.heard(Given(spoken, ()), "gives")
    decided = Decided(now(), TRIO, healths(TRIO, {}), ())
    plan = plan_between(TRIO, {"oci": 100}, NORMAL)
    sight = Sight(people.scene(TARGET, decided, now()), plan, observed(published(TRIO, {"oci": 100})))
    assert any("gets more though" in wrong for wrong in people.against([], sight, now()))
    people.taking_back = (spoken,)
    assert list(people.against([], sight, now())) == []
