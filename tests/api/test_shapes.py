"""What goes over the wire leaves nothing out of what is known, and names each unit."""

import re
from dataclasses import fields, replace
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from support.api import NOW, STANDING
from support.journals import TARGET

from failoverd.api import asked, shapes
from failoverd.api.telling import status_told, word_told
from failoverd.core import overrides, practices, status
from failoverd.operations import (
    board,
    commanding,
    concerns,
    effects,
    glance,
    handing_over,
    history,
    reckoning,
    record_lines,
    reviewing,
    roll_call,
    timeline,
    why,
    words,
)
from failoverd.store import reading

PAIRS: list[tuple[type[Any], type[BaseModel], set[str]]] = [
    (status.Overview, shapes.StatusTold, {"heartbeat"}),
    (status.Heartbeat, shapes.DaemonTold, set()),
    (status.VantageStatus, shapes.VantageTold, set()),
    (status.ProbingStatus, shapes.ProbingTold, set()),
    (status.PolicyStatus, shapes.PolicyTold, set()),
    (status.RegionStatus, shapes.RegionTold, set()),
    (status.EndpointStatus, shapes.EndpointTold, set()),
    (status.TargetStatus, shapes.TargetStatusTold, set()),
    (status.OrphanedRecord, shapes.OrphanTold, set()),
    (status.RefusedFile, shapes.RefusedFileTold, set()),
    (status.PlannedWork, shapes.PlannedTold, set()),
    (practices.PastPractice, shapes.PracticeTold, set()),
    (status.JournalStatus, shapes.JournalTold, set()),
    (status.ReceiverStatus, shapes.ReceiverTold, set()),
    (status.Notice, shapes.NoticeTold, set()),
    (status.NotificationsStatus, shapes.NotificationsTold, set()),
    (status.MembersStatus, shapes.RosterTold, set()),
    (status.MemberStatus, shapes.MemberTold, set()),
    (roll_call.RollCall, shapes.MembersTold, set()),
    (handing_over.Resigned, shapes.ResignedTold, set()),
    (overrides.Override, shapes.WordTold, {"told"}),
    (overrides.Comment, shapes.CommentTold, set()),
    (overrides.Override, shapes.WordStatusTold, {"told"}),
    (overrides.Override, shapes.WordListedTold, {"told"}),
    (overrides.Scope, asked.ScopeAsked, set()),
    (overrides.Scope, shapes.ScopeTold, set()),
    (glance.Glance, shapes.GlanceTold, set()),
    (concerns.Concern, shapes.ConcernTold, set()),
    (record_lines.RecordLine, shapes.RecordLineTold, set()),
    (glance.RegionLine, shapes.RegionLineTold, set()),
    (board.Board, shapes.BoardTold, set()),
    (board.RegionAtLarge, shapes.RegionAtLargeTold, set()),
    (timeline.Timeline, shapes.TimelineTold, set()),
    (timeline.RegionStep, shapes.RegionStepTold, set()),
    (timeline.RegionTrack, shapes.RegionTrackTold, set()),
    (timeline.RecordTrack, shapes.RecordTrackTold, set()),
    (timeline.ClientsPoint, shapes.ClientsPointTold, set()),
    (timeline.IncidentTrack, shapes.IncidentTold, set()),
    (timeline.TimelineEvent, shapes.MarkTold, set()),
    (glance.WordLine, shapes.WordLineTold, set()),
    (words.Said, shapes.SaidTold, set()),
    (commanding.WordRequest, asked.WordAsked, {"undoes"}),
    (effects.Effect, shapes.EffectTold, set()),
    (commanding.Given, shapes.GivenTold, set()),
    (history.PastMove, shapes.ChangeTold, set()),
    (history.PastHold, shapes.HeldTold, set()),
    (history.PastEdit, shapes.EditTold, {"before", "after"}),
    (reckoning.RegionSum, shapes.RegionSumTold, set()),
    (reckoning.Cost, shapes.CostTold, set()),
    (status.Bill, shapes.BillTold, set()),
    (why.Explanation, shapes.WhyTold, set()),
    (why.RelatedEvent, shapes.EventTold, set()),
    (reviewing.Review, shapes.InventoryTold, set()),
    (reviewing.RegionRoom, shapes.RegionRoomTold, set()),
    (reviewing.Short, shapes.ShortTold, set()),
    (reviewing.Loss, shapes.LossTold, set()),
    (reading.AuditRow, shapes.RequestTold, {"answer"}),
]
"""What is known, its shape, and what is left out of it on purpose: what only the daemon itself needs."""

NAMES = {"from": "before", "to": "after", "change": "move", "override": "word", "for": "seconds"}
"""What has another name on the wire."""


@pytest.mark.parametrize(("known", "shape", "ours"), PAIRS, ids=[shape.__name__ for _, shape, _ in PAIRS])
def test_nothing_that_is_known_is_left_out(known: type[Any], shape: type[BaseModel], ours: set[str]) -> None:
    said = {re.sub(r"_(bp|seconds|usd)$", "", name) for name in shape.model_fields}
    assert {spec.name for spec in fields(known)} - said - {NAMES.get(name, name) for name in said} == ours


def test_every_shape_of_an_answer_is_held_against_what_is_known() -> None:
    wholes = {
        "ToldModel",
        "AnswerBody",
        "Problem",
        "TargetTold",
        "NamesTold",
        "PolicyNamesTold",
        "HistoryTold",
        "WordsTold",
        "WordAnswer",
        "AuditTold",
        "EnteredTold",
    }
    lists = {"ReleasedTold", "ReloadedTold", "PlanTold", "AppliedTold", "AlertsTold"}
    put_into_words = {"FindingTold", "FollowingTold", "RegionFiguresTold", "AttemptTold", "AlertTold"}
    found = {
        name for name, kind in vars(shapes).items() if isinstance(kind, type) and issubclass(kind, shapes.ToldModel)
    }
    assert found - wholes - lists - put_into_words <= {shape.__name__ for _, shape, _ in PAIRS}


def test_shares_and_scores_name_their_unit_and_times_are_no_numbers() -> None:
    told = status_told(replace(STANDING, heartbeat=status.Heartbeat(NOW, 1, NOW, "1", "running")), NOW).model_dump(
        mode="json"
    )
    found = list(_numbers(told))
    assert {name for name, value in found if value >= NOW} == set()
    assert {name for name, value in found if value in {2_500, 10_000}} == {"score_bp", "oci-ashburn"}


def test_what_a_name_answers_besides_goes_over_the_wire_as_everything_that_is_known_of_a_record() -> None:
    """A name that answers with nothing of the policy is not without an answer."""
    known = status.TargetStatus(TARGET, NOW, status.TargetState.REFUSED, foreign=("CNAME old.example.net.",))
    (told,) = status_told(replace(STANDING, targets=(known,)), NOW).targets
    assert told.foreign == known.foreign
    assert (told.target.record, told.target.type, told.state) == (TARGET.key.name, "A", "refused")


def _numbers(value: object, name: str = "") -> list[tuple[str, float]]:
    match value:
        case dict():
            return [each for key, part in value.items() for each in _numbers(part, key)]
        case list():
            return [each for part in value for each in _numbers(part, name)]
        case bool():
            return []
        case int() | float():
            return [(name, value)]
        case _:
            return []


def test_what_nobody_could_ask_for_is_told_all_the_same() -> None:
    """A word of another version, or one that a person's own command made."""
    scope = overrides.Scope.of(TARGET)
    word = overrides.Override("hold-1", overrides.Verb.HOLD, scope, "?", NOW, 1e12, shares={"two words": 20_000})
    told = shapes.WordTold.model_validate_json(word_told(word, NOW).model_dump_json())
    assert (told.scope.records, told.shares_bp) == (("api.example.com A",), {"two words": 20_000})
    assert asked.ScopeAsked.model_validate_json(told.scope.model_dump_json()).scope() == scope


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2025-12-01T03:12:00Z", NOW),
        ("2025-12-01T04:12:00+01:00", NOW),
        ("2025-12-01T03:12:00.500Z", NOW + 0.5),
    ],
)
def test_times_are_read_with_their_zone(written: str, at: float) -> None:
    assert asked.HistoryQuery.model_validate({"since": written}).since == at


@pytest.mark.parametrize("written", ["2025-12-01", "2025-12-01T03:12:00", "03:12", "", "9999-12-31T23:59:59-12:00"])
def test_times_without_a_zone_or_a_calendar_are_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        asked.HistoryQuery.model_validate({"since": written})


def test_a_time_that_no_calendar_has_is_shown_as_its_end() -> None:
    told = shapes.CommentTold(at=1e300, actor="", text="").model_dump(mode="json")
    assert told["at"] == "9999-12-31T23:59:59.000Z"
