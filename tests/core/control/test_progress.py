"""What becomes of a write of which nobody heard how it went."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from support.journals import AFTER, BEFORE, KEY, TARGET, plan

from failoverd.core.control import progress
from failoverd.core.control.plan import Plan
from failoverd.core.control.state import TargetMemory, Told
from failoverd.core.errors import NO_EFFECT
from failoverd.core.records import Observed, RecordKey, RecordSet, RecordType, Target

NOW = 200.0
SENT = plan()
STRANGE = {"203.0.113.66": 1}


def seen(answers: Mapping[str, int] | None, *, generation: int = SENT.generation, ttl: int = 30) -> Observed:
    """What stands beside a marker of ours."""
    marker = replace(SENT.marker, generation=generation)
    records = RecordSet.of(KEY, ttl, answers) if answers is not None else None
    return Observed(TARGET, records, marker, marker.to_text())


def in_doubt(*plans: Plan, told: Told | None = None) -> TargetMemory:
    return TargetMemory(TARGET, doubts=plans, told=told or Told())


@pytest.mark.parametrize("answers", [STRANGE, None, {"192.0.2.10": 7_000, **STRANGE}])
def test_a_change_came_about_whose_marker_stands_beside_somebody_elses_answers(
    answers: Mapping[str, int] | None,
) -> None:
    memory, found = progress.found_in_place(in_doubt(SENT), seen(answers), NOW)
    assert found == SENT
    assert memory.last_good is not None
    assert (memory.last_good.records, memory.last_good.generation, memory.doubts) == (AFTER, SENT.generation, ())


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({each.value: each.weight for each in BEFORE.answers}, "what stood there before stands there still"),
        ({"192.0.2.10": 7_000, "198.51.100.10": 10_000}, "the provider takes a change answer by answer, and is at it"),
    ],
)
def test_nobody_says_of_answers_of_before_that_somebody_edited_them(answers: Mapping[str, int], why: str) -> None:
    assert progress.found_in_place(in_doubt(SENT), seen(answers), NOW)[1] is None, why


def test_a_ttl_that_a_server_lowers_is_no_edit() -> None:
    lowered = seen({each.value: each.weight for each in AFTER.answers}, ttl=20)
    assert progress.found_in_place(in_doubt(SENT), lowered, NOW)[1] is None


def test_another_generation_says_nothing_of_the_change() -> None:
    memory, found = progress.found_in_place(in_doubt(SENT), seen(STRANGE, generation=SENT.generation + 1), NOW)
    assert (found, memory.doubts) == (None, ())


def test_what_was_watched_as_it_came_out_otherwise_is_told_already_and_is_no_edit() -> None:
    watched = in_doubt(SENT, told=Told(delay=(NO_EFFECT, SENT.shares_after)))
    assert progress.found_in_place(watched, seen(STRANGE), NOW)[1] is None


def test_where_a_generation_was_given_out_twice_nobody_says_whose_it_was() -> None:
    twice = in_doubt(SENT, replace(SENT, id="chg-2", after=RecordSet.of(KEY, 30, {"192.0.2.10": 1})))
    assert progress.found_in_place(twice, seen(STRANGE), NOW)[1] is None
    key = RecordKey(KEY.name, RecordType.AAAA)
    at = Target(TARGET.policy, key, TARGET.provider, TARGET.zone)
    sibling = TargetMemory(at, doubts=(plan(target=at),))
    assert progress.found_in_place(in_doubt(SENT), seen(STRANGE), NOW, [sibling])[1] is None
    assert progress.found_in_place(in_doubt(SENT), seen(STRANGE), NOW, [replace(sibling, doubts=())])[1] == SENT
