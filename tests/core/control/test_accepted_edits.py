"""An edit by hand that was accepted, onto addresses that the policy does not know: what becomes of them afterwards.

Nobody probes them, so nobody knows of them that they are down. They stay until health wants something else, and leave
then as what tunes does; what is down leaves before them, and at once.
"""

from dataclasses import replace

import pytest
from support.approving import limits
from support.scenes import NOW, TARGET, policy, records, region
from support.stories import Story

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import PlanKind
from failoverd.core.control.state import PolicyState
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, Limit, LimitNote
from failoverd.core.records import ELSEWHERE, AllDown, Limits, OnDrift, RampRules

ONE, OTHER = "192.0.2.10", "198.51.100.10"
STRANGERS = {"203.0.113.1": 1_500, "203.0.113.2": 1_500}
STILL = limits(max_shift=0)
TIGHT = limits(max_shift=2_000, shift_window=300.0, max_changes=100)
ALL_DAY = NOW + 86_400.0
PAUSE = Override(
    "pause-1",
    Verb.PAUSE,
    Scope(policies=(TARGET.policy,)),
    "alice",
    NOW,
    ALL_DAY,
    (Comment(NOW, "alice", "a release"),),
)


def accepted(edit: dict[str, int], bounds: Limits) -> Story:
    """Two regions with half of the traffic each, and an edit onto other addresses that was accepted long since."""
    of = policy(region("one", 50, ONE), region("other", 50, OTHER))
    story = Story(replace(of, limits=bounds, on_drift=OnDrift.ADOPT))
    story.look()
    story.look(3_600.0)
    story.observed = replace(story.observed, records=records(edit))
    outcome = story.look(10.0)
    assert outcome.plan is not None
    assert outcome.plan.kind is PlanKind.ADOPT
    assert story.look(3_600.0).kind is OutcomeKind.IN_SYNC
    return story


def shares_of(outcome: Outcome) -> dict[str, int]:
    assert outcome.plan is not None
    return dict(outcome.plan.shares_after)


def test_what_is_down_leaves_alone_and_who_is_not_known_is_rationed() -> None:
    story = accepted({ONE: 5_000, OTHER: 2_000, **STRANGERS}, STILL)
    outcome = story.look(one="U")
    assert outcome.cause is Cause.FAILING_OUT
    assert story.published == {"other": 70, ELSEWHERE: 30}
    assert story.memory.changes[-1].shifts == {}
    waiting = story.look(60.0)
    assert waiting.kind is OutcomeKind.LIMITED
    assert waiting.held is not None
    assert [check.limit for check in waiting.held.blocking] == [Limit.MAX_SHIFT]
    assert not waiting.held.keeps_dead


def test_who_is_not_known_leaves_in_steps_as_large_as_the_ration() -> None:
    story = accepted({ONE: 3_000, OTHER: 2_000, "203.0.113.1": 2_500, "203.0.113.2": 2_500}, TIGHT)
    outcome = story.look(one="U")
    assert story.published == {"other": 70, ELSEWHERE: 30}
    assert outcome.approved is not None
    assert LimitNote.SMALLER in {check.note for check in outcome.approved.checks}
    assert outcome.until == story.now + 300.0
    story.look(300.0)
    assert story.published == {"other": 90, ELSEWHERE: 10}
    story.look(300.0)
    assert story.published == {"other": 100}


def test_what_is_down_leaves_also_where_nearly_nobody_else_is_known() -> None:
    story = accepted({ONE: 1, "203.0.113.1": 30_000}, STILL)
    outcome = story.look(one="U")
    assert (outcome.kind, outcome.cause) == (OutcomeKind.WRITE, Cause.FAILING_OUT)
    assert story.published == {"other": 0.01, ELSEWHERE: 99.99}


@pytest.mark.parametrize("edit", [{ONE: 5_000, OTHER: 2_000, **STRANGERS}, {ONE: 5_000, **STRANGERS}])
def test_in_a_pause_nobody_leaves_but_what_is_down(edit: dict[str, int]) -> None:
    story = accepted(edit, TIGHT).say(PAUSE)
    before = story.published[ELSEWHERE]
    assert story.look(one="U").cause is Cause.FAILING_OUT
    assert story.published == {"other": 100 - before, ELSEWHERE: before}


def test_an_accepted_edit_stands_although_a_ramp_would_bring_back_whom_it_took_out() -> None:
    """What failoverd wants is reckoned from what it wanted, and not from the edit: time alone ends none."""
    of = policy(region("one", 50, ONE), region("other", 50, OTHER), region("standby", 0, priority=2))
    story = Story(replace(of, on_drift=OnDrift.ADOPT, failback_after=300.0, ramp=RampRules(judge=60.0)))
    story.look()
    for edit in ({"203.0.113.1": 1}, {ONE: 1}, {ONE: 1, "203.0.113.1": 1}):
        story.observed = replace(story.observed, records=records(edit))
        assert story.look(10.0).kind is OutcomeKind.WRITE
        stands = story.look(1.0)
        assert (stands.kind, stands.until) == (OutcomeKind.IN_SYNC, None)
        assert stands.decision.shares == {"one": 5_000, "other": 5_000}
        assert story.look(7 * 86_400.0).kind is OutcomeKind.IN_SYNC
        assert story.observed.records == records(edit)


def test_where_nobody_answers_who_is_known_the_regions_come_by_no_ramp() -> None:
    """The journal is lost, and the record was edited: by steps of 10% each, the standby would get most of it."""
    of = policy(region("one", 50, ONE), region("other", 50, OTHER), region("standby", 0, priority=2))
    story = Story(replace(of, ramp=RampRules(judge=60.0)))
    story.look()
    story.state = PolicyState(of.name)
    story.observed = replace(story.observed, records=records({"203.0.113.1": 1}))
    outcome = story.look(600.0)
    assert outcome.decision.shares == {"one": 5_000, "other": 5_000}


def test_an_accepted_edit_does_not_keep_what_is_down_although_nothing_else_is_wanted_than_before() -> None:
    """It brought back by hand whom a manual failback kept out, and that fails again."""
    of = policy(region("one", 50, ONE), region("other", 50, OTHER))
    story = Story(replace(of, limits=STILL, on_drift=OnDrift.ADOPT, failback_after=None))
    story.look()
    story.look(600.0, one="U")
    story.look(600.0, one="H")
    assert story.published == {"other": 100}
    story.observed = replace(story.observed, records=records({ONE: 7, "203.0.113.1": 3}))
    story.settled(10.0)
    assert story.published == {"one": 70, ELSEWHERE: 30}
    outcome = story.look(600.0, one="U")
    assert (outcome.kind, outcome.cause) == (OutcomeKind.WRITE, Cause.FAILING_OUT)
    assert story.published == {"other": 70, ELSEWHERE: 30}


@pytest.mark.parametrize(
    ("on_drift", "seen"),
    [
        (OnDrift.RESTORE, [{"one": 26, "other": 44, ELSEWHERE: 30}, {"one": 50, "other": 50}]),
        (OnDrift.REPORT, [{"one": 10, "other": 40, ELSEWHERE: 50}] * 2),
        (OnDrift.ADOPT, [{"one": 10, "other": 40, ELSEWHERE: 50}] * 2),
    ],
)
def test_an_accepted_edit_ends_by_the_limits_once_the_file_says_that_edits_are_put_back(
    on_drift: OnDrift, seen: list[dict[str, float]]
) -> None:
    """Nothing else may be wanted than before for as long as the file stays as it is."""
    story = accepted({ONE: 1_000, OTHER: 4_000, "203.0.113.1": 2_500, "203.0.113.2": 2_500}, TIGHT)
    story.edited(replace(story.policy, on_drift=on_drift))
    found = []
    for _ in range(2):
        story.look(300.0)
        found.append(story.published)
        story.look(300.0)
        story.look(300.0)
    assert found == [pytest.approx(each) for each in seen]


@pytest.mark.parametrize("when_all_down", [AllDown.NORMAL, AllDown.KEEP])
def test_the_round_that_ends_an_accepted_edit_and_holds_is_followed_at_once_where_nothing_is_held(
    when_all_down: AllDown,
) -> None:
    """Who is lost from sight has no traffic by the edit, and who has it falls: the doubt would help nobody."""
    story = accepted({ONE: 1}, limits())
    story.edited(replace(story.policy, when_all_down=when_all_down))
    story.settled(60.0, other="?")
    outcome = story.look(10.0, one="U")
    assert outcome.decision.kind is DecisionKind.HOLD_NO_VERDICT
    if when_all_down is AllDown.KEEP:
        assert outcome.until is None
        return
    assert outcome.until == story.now
    assert story.look().decision.kind is DecisionKind.ALL_DOWN_NORMAL
    assert story.published == {"one": 50, "other": 50}


@pytest.mark.parametrize("ended_by", ["file", "word"])
def test_whom_an_accepted_edit_took_out_waits_for_no_person_where_limits_hold_its_end(ended_by: str) -> None:
    """It never failed: that the change has to wait makes no failback of it. The word may be over by then, too."""
    story = accepted({OTHER: 1}, limits())
    story.edited(replace(story.policy, failback_after=None))
    story.settled(300.0)
    story.say(PAUSE)
    if ended_by == "file":
        story.edited(replace(story.policy, on_drift=OnDrift.RESTORE))
    else:
        pin = replace(PAUSE, id="pin-1", verb=Verb.PIN, since=story.now + 1.0, until=story.now + 900.0)
        story.say(replace(pin, shares={"one": 5_000, "other": 5_000}))
    for _ in range(4):
        outcome = story.settled(300.0)
        assert outcome.kind is OutcomeKind.LIMITED
        assert outcome.decision.shares == {"one": 5_000, "other": 5_000}
        assert story.published == {"other": 100}
    story.release()
    story.settled(300.0)
    assert story.published == {"one": 50, "other": 50}
    assert not story.memory.taken_out


@pytest.mark.parametrize(("edit", "back"), [(STRANGERS, {ONE: 5_000, OTHER: 5_000}), ({ONE: 1, **STRANGERS}, {ONE: 1})])
def test_a_hold_puts_back_what_answers_of_an_accepted_edit_or_else_what_was_wanted_before_it(
    edit: dict[str, int], back: dict[str, int]
) -> None:
    """Addresses that no region has may be somebody else's by now; and nobody may be left without an answer."""
    story = accepted(edit, limits())
    story.say(replace(PAUSE, id="hold-1", verb=Verb.HOLD))
    story.settled()
    story.observed = replace(story.observed, records=None)
    assert story.look().kind is OutcomeKind.WRITE
    assert story.observed.records == records(back)
