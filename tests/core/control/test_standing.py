"""Where a target stands, and why what is wanted is not done."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import files
from support.approving import limits
from support.files import Folder
from support.scenes import PAIR, policy, records, region
from support.stories import Story

from failoverd.core.control import standing
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.limits import left
from failoverd.core.control.news import limit_key
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.errors import Transient
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.reasons import LIMIT_KINDS, Cause, Limit, LimitCheck, LimitKind, ReasonCode
from failoverd.core.records import OnDrift, Policy, Source
from failoverd.core.status import TargetState, TargetStatus


def stands(story: Story, outcome: Outcome) -> TargetStatus:
    return standing.after_outcome(story.policy, outcome, story.observed, "", story.now)


def test_a_target_says_why_what_is_held_is_wanted_also_while_its_provider_fails() -> None:
    story = Story(replace(PAIR, limits=limits(min_regions=2)))
    story.look()
    well = stands(story, story.look(3_600.0))
    held = stands(story, story.look(azure="U"))
    assert (well.state, well.cause) == (TargetState.IN_SYNC, "")
    assert (held.state, held.cause) == (TargetState.LIMITED, Cause.FAILING_OUT)
    down = Transient("it is down", reason="unavailable")
    delayed = standing.after_failure(held, down, None, "", story.now + 5, story.now)
    lost = standing.after_failure(held, down, story.asked(story.seen(oci="U")), "", story.now + 5, story.now)
    assert (lost.state, lost.kind) == (TargetState.DELAYED, DecisionKind.HOLD_ALL_DOWN)
    assert {reason.region for reason in lost.reasons if reason.code is ReasonCode.REGION_DOWN} == {"azure", "oci"}
    assert (delayed.state, delayed.cause) == (TargetState.DELAYED, Cause.FAILING_OUT)


def test_what_a_limit_left_for_later_keeps_nothing_that_is_down() -> None:
    """The dead left with the write; what waits is the rest."""
    story = Story(replace(PAIR, limits=limits(max_shift=0, max_changes=0)))
    story.look()
    story.look(3_600.0)
    outcome = story.look(azure="U")
    assert (outcome.kind, outcome.cause) == (OutcomeKind.WRITE, Cause.FAILING_OUT)
    assert outcome.plan is not None
    assert standing.after_write(outcome, outcome.plan, TargetState.LIMITED, story.now).cause == ""


def written(story: Story, outcome: Outcome) -> TargetStatus:
    assert outcome.plan is not None
    return standing.after_write(outcome, outcome.plan, story.memory.state or TargetState.IN_SYNC, story.now)


def test_after_a_smaller_step_the_limit_that_made_it_smaller_is_in_the_way_of_the_rest_and_no_other() -> None:
    story = Story(replace(PAIR, limits=limits(max_shift=2_000, shift_window=600.0)))
    story.look()
    story.look(3_600.0, azure="U")
    story.look(60.0, azure="H")
    status = written(story, story.look(300.0))
    assert (status.state, story.published) == (TargetState.LIMITED, {"azure": 20, "oci": 80})
    assert [(check.limit, check.cause) for check in status.checks] == [(Limit.MAX_SHIFT, Cause.RETURNING)]


def test_where_only_what_is_down_may_leave_the_limit_that_keeps_the_rest_is_named() -> None:
    """An edit takes b out as well, which would leave one region of two."""
    of = policy(region("a", 40), region("b", 40), region("c", 20), base=replace(PAIR, limits=limits(min_regions=2)))
    story = Story(of)
    story.look()
    story.edited(policy(region("a", 40), region("b", 0), region("c", 60), base=of))
    status = written(story, story.look(3_600.0, a="U"))
    assert (status.state, sorted(story.published)) == (TargetState.LIMITED, ["b", "c"])
    assert [(check.limit, check.found) for check in status.checks] == [(Limit.MIN_REGIONS, 1)]


def test_while_a_limit_keeps_what_is_down_a_new_marker_hides_neither_the_limit_nor_what_it_does() -> None:
    story = Story(replace(PAIR, limits=limits(min_regions=2)))
    story.look()
    story.look(3_600.0)
    up = Override("up-00000001", Verb.UP, Scope(endpoints=("oci/*",)), "alice", story.now, story.now + 7_200.0)
    story.state = replace(story.state, overrides=(up,))
    status = written(story, story.look(1.0, azure="U"))
    assert [check.limit for check in status.checks] == [Limit.MIN_REGIONS]
    assert status.keeps_dead


@pytest.mark.parametrize(
    ("lines", "remedy"),
    [
        ({"limits": 20, "limits.max_shift": 21}, "raise the limit at api.yaml:21, or wait"),
        ({"checks": 9}, "write a higher limits.max_shift into api.yaml than its default, or wait"),
    ],
    ids=["written", "default"],
)
def test_a_limit_is_raised_at_its_line_or_by_writing_its_key(lines: dict[str, int], remedy: str) -> None:
    """A line that says nothing of it, the first one say, would send a person to a comment."""
    story = Story(replace(PAIR, limits=limits(max_shift=0), source=Source("api.yaml", "r1", lines)))
    story.look()
    assert stands(story, story.look(3_600.0, azure="D")).remedy == remedy


RATIONED = [cause for cause in Cause if not cause.urgent]
"""What is not, no rate holds."""


@pytest.mark.parametrize("written", ["nothing", "both", "own"])
@pytest.mark.parametrize("limit", [Limit.MAX_SHIFT, Limit.MAX_CHANGES])
@pytest.mark.parametrize("cause", RATIONED)
def test_the_key_that_a_remedy_names_is_the_one_that_bounds_it(
    cause: Cause, limit: Limit, written: str, tmp_path: Path
) -> None:
    """Whatever the file says already: what is written there lets so much more pass."""
    ration = cause if cause in {Cause.RETURNING, Cause.MAKING_ROOM} else Cause.TUNING
    said: dict[str, Any] = {"max_shift": "10% per 5m", "max_changes": "5 per 1h"}
    limits_said = {"nothing": {}, "both": said, "own": {**said, ration.value: dict(said)}}[written]
    key = limit_key(_loaded(tmp_path, limits_said), LimitCheck(limit, passed=False, found=0, allowed=0, cause=cause))
    *parents, name = key.removeprefix("limits.").split(".")
    place = limits_said
    for parent in parents:
        place = place.setdefault(parent, {})
    place[name] = "90% per 5m" if limit is Limit.MAX_SHIFT else "90 per 1h"
    rest = left(_loaded(tmp_path, limits_said).limits, [], cause, now=0.0)
    assert (rest.shift if limit is Limit.MAX_SHIFT else rest.changes) == (9_000 if limit is Limit.MAX_SHIFT else 90)


def _loaded(folder: Path, limits_said: Mapping[str, Any]) -> Policy:
    found = Folder(folder)
    assert not [each for each in found.only(files.policy(limits=json.dumps(limits_said))) if each.is_error]
    return found.running["api"]


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        (LimitKind.FLOOR, "write a lower limits.min_regions into api.yaml than its default: time does not end this"),
        (LimitKind.CEILING, "write a higher limits.min_regions into api.yaml than its default: time does not end this"),
    ],
)
def test_a_floor_is_lowered_and_a_ceiling_raised(kind: LimitKind, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which it is says the limit itself, and not whether it has a window."""
    monkeypatch.setitem(LIMIT_KINDS, Limit.MIN_REGIONS, kind)
    story = Story(replace(PAIR, limits=limits(min_regions=2), source=Source("api.yaml", "r1", {"checks": 9})))
    story.look()
    story.look(3_600.0)
    assert stands(story, story.look(azure="U")).remedy == remedy


def test_every_limit_is_of_a_kind() -> None:
    assert LIMIT_KINDS.keys() == set(Limit)


def test_a_word_that_a_rate_holds_says_what_meets_none() -> None:
    """Its file is not to be edited for that, at 3 am."""
    story = Story(replace(PAIR, limits=limits(max_changes=0)))
    story.look()
    drain = Override("drain-00000001", Verb.DRAIN, Scope(regions=("azure",)), "alice", story.now, story.now + 7_200.0)
    story.state = replace(story.state, overrides=(drain,))
    remedy = stands(story, story.look(3_600.0)).remedy
    assert remedy.endswith("or wait; an override given with --now meets no rate")


def test_what_a_pause_holds_is_let_go_by_the_end_of_that_word() -> None:
    story = Story(PAIR)
    story.look()
    pause = Override(
        "pause-1a2b3c4d", Verb.PAUSE, Scope(policies=(PAIR.name,)), "alice@ops1", story.now, story.now + 7_200.0
    )
    story.state = replace(story.state, overrides=(pause,))
    story.edited(replace(PAIR, regions=tuple(replace(each, share=50) for each in PAIR.regions)))
    story.look(3_600.0)  # the marker is told of the word first
    held = stands(story, story.look(1.0))
    assert (held.state, held.remedy) == (
        TargetState.LIMITED,
        "failoverctl release pause-1a2b3c4d, or wait for its end",
    )


# -- since when it answers so ------------------------------------------------------------------------------------------


def edited(on_drift: OnDrift = OnDrift.RESTORE, *, after: float = 3_600.0) -> Story:
    """Somebody points the record elsewhere."""
    story = Story(replace(PAIR, on_drift=on_drift))
    story.look()
    story.look(after)
    story.observed = replace(story.observed, records=records({"203.0.113.9": 1}))
    return story


def test_an_edit_that_was_put_back_is_not_skipped() -> None:
    story = edited()
    put_back = story.look(10.0)
    assert put_back.plan is not None
    assert standing.after_write(put_back, put_back.plan, TargetState.IN_SYNC, story.now).answered_since == story.now
    assert stands(story, story.look(18.0)).answered_since == story.now - 18.0


def test_an_edit_that_its_author_took_back_is_not_skipped_either() -> None:
    story = edited(OnDrift.REPORT)
    before = story.memory.last_good
    story.look(10.0)
    assert before is not None
    story.observed = replace(story.observed, records=before.records)
    story.look(20.0)
    assert stands(story, story.look(5.0)).answered_since == story.now - 5.0


def test_an_edit_that_is_accepted_stands_since_it_was_made() -> None:
    story = edited(OnDrift.ADOPT)
    story.look(10.0)
    assert stands(story, story.look(5.0)).answered_since == story.now - 5.0


def test_an_edit_of_which_the_clock_was_wrong_did_not_end_in_the_future() -> None:
    story = edited()
    story.look(10.0)
    assert stands(story, story.look(-5.0)).answered_since == story.now
