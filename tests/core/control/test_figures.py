"""What metrics tell of a target: from its status and its memory, whatever keeps it from being read or written."""

from dataclasses import replace

import pytest
from support.scenes import KEY, NOW, TARGET, healths, past, policy, published, region

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.figures import TargetFigures, held_by, waits_for
from failoverd.core.control.limits import Left
from failoverd.core.control.plan import LastGood
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.reasons import Cause, Limit, LimitCheck, LimitNote, Reason, ReasonCode
from failoverd.core.records import Limits, Ration
from failoverd.core.status import RegionStatus, TargetState, TargetStatus

PAIR = policy(region("west", 50), region("east", 50))
HALVES = {"west": 5_000, "east": 5_000}


def standing(state: TargetState, **facts: object) -> TargetStatus:
    return replace(TargetStatus(TARGET, NOW, state, published=HALVES), **facts)  # type: ignore[arg-type]  # its fields


def down(name: str, since: float, state: str = "down") -> RegionStatus:
    return RegionStatus(TARGET.policy, "A", name, NOW, state, 0, since)


def figures(**since: float) -> TargetFigures:
    good = LastGood(published(PAIR, {"west": 50, "east": 50}), 7, HALVES, NOW - 3_600.0)
    return TargetFigures(TargetMemory(TARGET, last_good=good), PAIR.limits, since)


# -- a region failed, and its share is still published -----------------------------------------------------------------


def test_a_region_that_is_down_counts_for_as_long_as_it_has_a_share() -> None:
    held = standing(TargetState.LIMITED)
    assert figures().unmoved(held, [down("west", NOW - 90.0)], NOW) == {"west": 90.0}
    assert figures().unmoved(held, [down("west", NOW - 90.0, "degraded")], NOW) == {}
    left = standing(TargetState.IN_SYNC, published={"east": 10_000})
    assert figures().unmoved(left, [down("west", NOW - 90.0)], NOW) == {}


def test_it_counts_on_through_a_restart_and_while_the_record_cannot_be_read() -> None:
    """The new process saw it fall a second ago, and no read of the record succeeded yet."""
    known, regions = figures(west=NOW - 600.0), [down("west", NOW - 1.0)]
    assert known.unmoved(None, regions, NOW) == {"west": 600.0}
    unread = standing(TargetState.DELAYED, published={})
    assert known.unmoved(unread, regions, NOW) == {"west": 600.0}


def test_a_record_that_answers_nothing_sends_nobody_anywhere() -> None:
    empty = standing(TargetState.HOLDING, published={})
    assert figures().unmoved(empty, [down("west", NOW - 90.0)], NOW) == {}


def test_since_when_a_region_is_down_outlives_not_knowing_and_no_recovery() -> None:
    state = PolicyState("p")

    def seen(letter: str, at: float) -> PolicyState:
        return state.with_verdicts({KEY.type: healths(PAIR, {"west": letter}, now=at, well_for=0.0)}, calm=False)

    state = seen("U", 100.0)
    assert state.down_since == {KEY.type: {"west": 100.0}}
    state = seen("?", 200.0)  # a restart
    state = seen("U", 300.0)
    assert state.down_since == {KEY.type: {"west": 100.0}}
    state = seen("H", 400.0)
    assert state.down_since == {KEY.type: {}}
    assert seen("U", 500.0).down_since == {KEY.type: {"west": 500.0}}


# -- what is left to move ----------------------------------------------------------------------------------------------


def test_what_is_left_of_a_ration_is_what_its_own_changes_did_not_take_within_the_window() -> None:
    limits = Limits(tuning=Ration(max_shift=5_000, shift_window=300.0, max_changes=2, changes_window=3_600.0))
    before, after = {"west": 50, "east": 50}, {"west": 80, "east": 20}
    tuned = replace(past(NOW - 60.0, before, after), shifts={Cause.TUNING: 3_000})
    older = replace(past(NOW - 600.0, after, before), shifts={Cause.TUNING: 3_000})
    known = TargetFigures(TargetMemory(TARGET, changes=(older, tuned)), limits)
    assert known.left(NOW) == {Cause.TUNING: Left(0, 2_000), Cause.RETURNING: Left(6, 10_000)}
    assert known.left(NOW + 3_600.0)[Cause.TUNING] == Left(2, 5_000)


def test_the_last_change_is_the_last_that_moved_traffic() -> None:
    moved = past(NOW - 600.0, {"west": 100}, {"west": 50, "east": 50})
    marked = past(NOW - 10.0, {"west": 50, "east": 50}, {"west": 50, "east": 50})
    known = figures()
    assert known.memory.changed_at == NOW - 3_600.0
    both = replace(known, memory=replace(known.memory, changes=(moved, marked)))
    assert both.memory.changed_at == NOW - 600.0
    assert TargetMemory(TARGET).changed_at is None


# -- what is in the way ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", Limit)
def test_each_limit_in_the_way_is_named_and_none_that_lets_pass(limit: Limit) -> None:
    checks = LimitCheck(limit, passed=False, found=2, allowed=1), LimitCheck(Limit.MAX_SHIFT, True, 0, 1)
    assert held_by(standing(TargetState.LIMITED, checks=checks)) == (limit.value,)
    assert held_by(standing(TargetState.IN_SYNC, checks=checks)) == ()


def test_a_plan_that_waits_for_a_second_person_says_so() -> None:
    check = LimitCheck(Limit.ASSERTION, passed=False, found=1, allowed=2, note=LimitNote.AGREEMENT)
    assert held_by(standing(TargetState.LIMITED, checks=(check,))) == ("agreement",)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (DecisionKind.HOLD_NO_VERDICT, "no_verdict"),
        (DecisionKind.HOLD_ALL_DOWN, "all_down"),
        (DecisionKind.HOLD_COMMON_FALL, "common_fall"),
        (DecisionKind.HOLD_OPERATOR, "operator"),
        (DecisionKind.HOLD_OVERRIDES_LOST, "overrides_lost"),
    ],
)
def test_each_hold_is_named(kind: DecisionKind, cause: str) -> None:
    assert held_by(standing(TargetState.HOLDING, kind=kind)) == (cause,)


def test_every_kind_of_hold_has_a_name() -> None:
    for kind in (each for each in DecisionKind if each.name.startswith("HOLD_")):
        assert held_by(standing(TargetState.HOLDING, kind=kind))


def test_a_drain_that_leaves_nobody_is_not_taken_for_a_hold_that_was_meant() -> None:
    reasons = (Reason(ReasonCode.NOBODY_LEFT),)
    assert held_by(standing(TargetState.HOLDING, kind=DecisionKind.HOLD_OPERATOR, reasons=reasons)) == ("nobody_left",)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (ReasonCode.DWELL, "dwell"),
        (ReasonCode.FAILBACK_HOLD, "failback_hold"),
        (ReasonCode.FAILBACK_MANUAL, "failback_manual"),
        (ReasonCode.COMMON_RISE, "common_rise"),
    ],
)
def test_what_only_waits_is_not_held(code: ReasonCode, reason: str) -> None:
    waiting = standing(TargetState.HOLDING, kind=DecisionKind.FAILOVER, reasons=(Reason(code), Reason(code)))
    assert waits_for(waiting) == (reason,)
    assert held_by(waiting) == ()


def test_a_change_that_was_made_smaller_waits_for_its_next_step() -> None:
    smaller = LimitCheck(Limit.MAX_SHIFT, passed=True, found=1, allowed=1, note=LimitNote.SMALLER)
    assert waits_for(standing(TargetState.LIMITED, checks=(smaller,))) == ("next_step",)
    assert held_by(standing(TargetState.LIMITED, checks=(smaller,))) == ()
