"""Where a target stands, and why what is wanted is not done."""

from dataclasses import replace

import pytest
from support.approving import limits
from support.scenes import PAIR
from support.stories import Story

from failoverd.core.control import standing
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.errors import Transient
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.reasons import LIMIT_KINDS, Cause, Limit, LimitKind
from failoverd.core.records import Source
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
    assert remedy.endswith("or wait; a word given with --now meets no rate")
