"""The state of each policy: kept in memory and in the journal, and completed by what others wrote there."""

from dataclasses import replace

import pytest
from support.journals import TARGET, plan
from support.virtual import virtually

from failoverd.core.control import progress
from failoverd.core.control.incident import Incident
from failoverd.core.control.limits import PastChange
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import JournalError
from failoverd.core.events import JournalFailed
from failoverd.core.records import Observed
from failoverd.core.status import TargetState
from failoverd.ports import ChangeOutcome
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.override_book import Overrides
from failoverd.runtime.states import States
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.virtual_time import now

NAME = TARGET.policy


class Desk:
    """States, and the journal behind them."""

    def __init__(self, journal: PaperJournal | None = None) -> None:
        self.journal = journal or PaperJournal()
        self.events: list[object] = []
        self.writer = JournalWriter(self.journal, self.events.append, now)
        self.states = States(self.writer, self.events.append, Overrides(self.writer, self.events.append, now))

    def applied(self, change_id: str, generation: int, at: float) -> None:
        state = self.states.of(NAME)
        done = progress.settled_as_applied(state.of(TARGET), plan(change_id, generation=generation), at)
        self.states.put(state.with_target(done))

    def doubts(self, generation: int = 8) -> bool:
        return progress.doubts(self.states.of(NAME), plan(generation=generation))


@virtually
async def test_what_was_applied_is_known_although_the_journal_never_heard_of_it() -> None:
    desk = Desk()
    desk.journal.broken = JournalError("the disk is gone", reason="journal_io")
    desk.applied("chg-1", 8, 100.0)
    desk.applied("chg-2", 9, 200.0)
    memory = await desk.states.recall(TARGET, 50.0)
    assert memory.last_good is not None
    assert memory.last_good.generation == 9
    assert [change.change_id for change in memory.changes] == ["chg-1", "chg-2"]
    assert any(isinstance(event, JournalFailed) for event in desk.events)
    shorter = await desk.states.recall(TARGET, 150.0)  # who asks for a shorter time makes nobody forget
    assert shorter.changes == memory.changes


@virtually
async def test_of_two_answers_with_the_same_generation_the_newer_leader_wrote_the_later_one() -> None:
    desk = Desk()
    desk.applied("chg-1", 8, 100.0)
    good = desk.states.of(NAME).of(TARGET).last_good
    assert good is not None
    await desk.journal.confirm(TARGET, replace(good, epoch=good.epoch + 1))
    memory = await desk.states.recall(TARGET, 0.0)
    assert memory.last_good == replace(good, epoch=good.epoch + 1)


@virtually
async def test_what_was_seen_of_another_process_before_its_journal_told_is_counted_once_as_what_it_was() -> None:
    """It moved traffic off a dead region, which takes of no ration."""
    desk = Desk()
    state = desk.states.of(NAME)
    seen = replace(state.of(TARGET), changes=(PastChange.of_others(7, 99.0), PastChange.of_others(8, 100.0)))
    desk.states.put(state.with_target(seen))
    await desk.journal.settle(plan(), ChangeOutcome.APPLIED, "", 100.0)
    memory = await desk.states.recall(TARGET, 0.0)
    assert [change.change_id for change in memory.changes] == ["generation-7", "chg-1"]
    assert not memory.changes[-1].rationed


@virtually
async def test_what_the_journal_could_not_keep_is_kept_as_soon_as_it_can() -> None:
    desk = Desk()
    desk.applied("chg-1", 8, 100.0)
    desk.journal.full = JournalError("the disk is full", reason="journal_io")
    await desk.states.keep(NAME)
    desk.journal.full = None
    await desk.states.keep(NAME)
    assert desk.journal.states_kept() == [desk.states.of(NAME)]


@virtually
async def test_what_another_process_wrote_to_the_journal_is_taken_in_and_counted_once() -> None:
    desk, other = Desk(), Desk()
    other.journal = desk.journal
    await desk.journal.settle(plan(), ChangeOutcome.APPLIED, "", 100.0)
    desk.applied("chg-1", 8, 100.0)
    assert len((await desk.states.recall(TARGET, 0.0)).changes) == 1
    memory = await Desk(desk.journal).states.recall(TARGET, 0.0)
    assert memory.last_good is not None
    assert (memory.last_good.generation, len(memory.changes)) == (8, 1)


@virtually
async def test_a_state_is_written_when_a_restart_would_miss_something_and_comes_back_as_it_was() -> None:
    desk = Desk()
    desk.applied("chg-1", 8, 100.0)
    await desk.states.keep(NAME)
    kept = dict(desk.journal.states)
    await desk.states.keep(NAME)
    assert desk.journal.states == kept
    (found,) = desk.journal.states_kept()
    assert found == desk.states.of(NAME)


@virtually
async def test_a_round_that_found_nothing_new_and_tries_that_failed_write_nothing() -> None:
    """Each round makes a value of its own of what it recalls; a restart would miss nothing of these."""
    desk = Desk()
    desk.applied("chg-1", 8, 100.0)
    await desk.states.keep(NAME)
    for failures in range(3):
        memory = await desk.states.recall(TARGET, 0.0)
        told = replace(memory.told, failures=failures, delay=("timeout", {"attempt": failures}))
        tried = replace(memory, state=TargetState.DELAYED, told=told)
        desk.states.put(desk.states.of(NAME).with_target(tried))
        await desk.states.keep(NAME)
    assert desk.journal.keeps == 1
    desk.applied("chg-2", 9, 200.0)
    await desk.states.keep(NAME)
    (found,) = desk.journal.states_kept()
    assert found.of(TARGET).generation == 9


@virtually
async def test_another_process_keeps_what_it_changed_and_leaves_the_rest_as_the_daemon_wrote_it() -> None:
    daemon = Desk()
    daemon.applied("chg-1", 8, 100.0)
    await daemon.states.keep(NAME)
    operator = Desk(daemon.journal)
    operator.states.resume(daemon.journal.states_kept(), [])
    incident = Incident("inc-1", 50.0)
    daemon.states.put(replace(daemon.states.of(NAME), incident=incident))
    await daemon.states.keep(NAME)
    await operator.states.keep(NAME)
    (found,) = daemon.journal.states_kept()
    assert found.incident == incident


@virtually
async def test_a_plan_that_failed_stays_in_doubt_and_a_fenced_one_does_not() -> None:
    desk = Desk()
    desk.states.put(progress.began(desk.states.of(NAME), plan()))
    assert desk.doubts()
    desk.states.put(progress.fenced(desk.states.of(NAME), plan()))
    assert not desk.doubts()


@pytest.mark.parametrize(("generation", "doubted"), [(7, True), (9, False)])
@virtually
async def test_a_doubt_ends_when_the_record_is_at_that_generation_with_something_else(
    generation: int, doubted: bool
) -> None:
    begun = plan(generation=generation)
    seen = Observed(TARGET, begun.before.records, begun.marker, begun.marker.to_text())
    desk = Desk()
    desk.states.resume([PolicyState(NAME)], [plan(generation=8)])
    memory, found = progress.found_in_place(desk.states.of(NAME).of(TARGET), seen, now())
    assert found is None
    assert bool(memory.doubts) is doubted


@virtually
async def test_a_plan_in_doubt_that_is_found_in_place_was_applied() -> None:
    desk = Desk()
    desk.states.resume([], [plan()])
    in_place = Observed(TARGET, plan().after, plan().marker, plan().marker.to_text())
    memory, found = progress.found_in_place(desk.states.of(NAME).of(TARGET), in_place, now())
    assert found == plan()
    assert memory.doubts == ()
    assert [change.change_id for change in memory.changes] == ["chg-1"]
