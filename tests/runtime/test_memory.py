"""The journal as the reconcilers see it."""

import asyncio

import pytest
from support.fakes import PaperJournal
from support.journals import TARGET, incident, plan
from support.stage import end
from support.virtual import elapse, now, until, virtually

from failoverd.core.errors import JournalError
from failoverd.core.events import Event, JournalFailed
from failoverd.core.records import Observed
from failoverd.ports import ChangeOutcome
from failoverd.runtime.memory import BATCH, CALM, MOST_EVENTS, PATIENCE, Memory

BROKEN = JournalError("the disk is gone", reason="journal_io")


class Desk:
    """A memory, and the journal behind it."""

    def __init__(self) -> None:
        self.journal = PaperJournal()
        self.events: list[Event] = []
        self.memory = Memory(self.journal, self.events.append, now)

    def failures(self) -> int:
        return sum(isinstance(event, JournalFailed) for event in self.events)


@virtually
async def test_events_are_taken_at_once_and_written_in_order_in_the_background() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.memory.run())
    told = incident(now())
    for event in told:
        desk.memory.take(event)
    assert desk.journal.events == []
    await until(lambda: desk.journal.events == told)
    await end(task)


@virtually
async def test_while_the_disk_stalls_the_newest_events_are_kept() -> None:
    desk = Desk()
    events = [incident(now(), f"inc-{number}")[0] for number in range(3)]
    for _ in range(MOST_EVENTS):
        desk.memory.take(events[0])
    desk.memory.take(events[1])
    desk.memory.take(events[2])
    await desk.memory.flush()
    assert len(desk.journal.events) == MOST_EVENTS
    assert desk.journal.events[-2:] == events[1:]


@virtually
async def test_events_wait_in_order_while_the_journal_is_broken_and_are_written_when_it_works_again() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.memory.run())
    told = incident(now())
    desk.journal.broken = BROKEN
    for event in told[:3]:
        desk.memory.take(event)
    await elapse(60.0)
    for event in told[3:]:
        desk.memory.take(event)
    await elapse(60.0)
    assert desk.journal.events == []
    assert desk.journal.tries <= 120.0 / CALM + 1
    desk.journal.broken = None
    await until(lambda: desk.journal.events == told, within=CALM + BATCH)
    await elapse(60.0)
    assert desk.journal.events == told
    await end(task)


@virtually
async def test_while_the_journal_is_broken_the_newest_events_are_kept() -> None:
    desk = Desk()
    desk.journal.broken = BROKEN
    old, new = (incident(now(), f"inc-{number}")[0] for number in range(2))
    for _ in range(MOST_EVENTS):
        desk.memory.take(old)
    await desk.memory.flush()
    desk.memory.take(new)
    desk.memory.take(new)
    desk.journal.broken = None
    await desk.memory.flush()
    assert len(desk.journal.events) == MOST_EVENTS
    assert desk.journal.events[-3:] == [old, new, new]


@virtually
async def test_a_write_that_takes_too_long_is_waited_for_and_not_written_twice() -> None:
    desk = Desk()
    desk.journal.stuck = asyncio.Event()
    told = incident(now())
    desk.memory.take(told[0])
    begun = now()
    await desk.memory.flush()
    assert now() - begun == pytest.approx(PATIENCE)
    desk.memory.take(told[1])
    await desk.memory.flush()
    assert desk.journal.tries == 1
    desk.journal.stuck.set()
    await desk.memory.flush()
    assert desk.journal.events == told[:2]


@virtually
async def test_a_write_that_fails_after_everybody_gave_up_on_it_is_tried_again() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.memory.run())
    stuck = desk.journal.stuck = asyncio.Event()
    told = incident(now())
    desk.memory.take(told[0])
    await elapse(PATIENCE + 1.0)
    desk.memory.take(told[1])
    desk.journal.broken = BROKEN
    stuck.set()
    await elapse(1.0)
    desk.journal.broken = None
    await until(lambda: desk.journal.events == told[:2], within=2 * CALM)
    await end(task)


@virtually
async def test_what_an_ending_process_was_writing_is_not_written_again_at_its_last_flush() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.memory.run())
    stuck = desk.journal.stuck = asyncio.Event()
    told = incident(now())
    desk.memory.take(told[0])
    await until(lambda: desk.journal.tries)
    await end(task)
    desk.memory.take(told[1])
    stuck.set()
    await desk.memory.flush()
    assert desk.journal.events == told[:2]


@virtually
async def test_a_broken_journal_is_said_once_and_again_after_it_worked() -> None:
    desk = Desk()
    desk.journal.broken = BROKEN
    for _ in range(3):
        await desk.memory.intend(plan(), now())
        assert await desk.memory.recall(TARGET, 0.0) == (None, ())
    assert desk.failures() == 1
    desk.journal.broken = None
    await desk.memory.intend(plan(), now())
    await desk.memory.recall(TARGET, 0.0)
    desk.journal.broken = BROKEN
    await desk.memory.intend(plan(), now())
    assert desk.failures() == 2


@virtually
async def test_a_journal_that_does_not_answer_costs_seconds_once_and_then_almost_nothing() -> None:
    desk = Desk()
    desk.journal.stuck = asyncio.Event()
    begun = now()
    await desk.memory.recall(TARGET, 0.0)
    assert now() - begun == pytest.approx(PATIENCE)
    await desk.memory.intend(plan(), now())
    await desk.memory.update_status([])
    assert now() - begun < 2 * PATIENCE
    assert [event.reason for event in desk.events if isinstance(event, JournalFailed)] == ["journal_slow"]


@virtually
async def test_what_was_applied_is_known_although_the_journal_never_heard_of_it() -> None:
    desk = Desk()
    desk.journal.broken = BROKEN
    await desk.memory.settle(plan("chg-1", generation=8), ChangeOutcome.APPLIED, "", 100.0)
    await desk.memory.settle(plan("chg-2", generation=9), ChangeOutcome.APPLIED, "", 200.0)
    await desk.memory.settle(plan("chg-3", generation=10), ChangeOutcome.FENCED, "", 300.0)
    last_good, history = await desk.memory.recall(TARGET, 150.0)
    assert last_good is not None
    assert (last_good.generation, [change.change_id for change in history]) == (9, ["chg-2"])
    _, longer = await desk.memory.recall(TARGET, 50.0)
    assert [change.change_id for change in longer] == ["chg-1", "chg-2"]


@virtually
async def test_what_both_know_is_counted_once() -> None:
    desk = Desk()
    await desk.memory.settle(plan(), ChangeOutcome.APPLIED, "", 100.0)
    _, history = await desk.memory.recall(TARGET, 0.0)
    assert len(history) == 1


def in_place(of: str = "chg-1", generation: int = 8) -> Observed:
    begun = plan(of, generation=generation)
    return Observed(TARGET, begun.after, begun.marker, begun.marker.to_text())


@virtually
async def test_a_plan_in_doubt_that_is_found_in_place_was_applied() -> None:
    desk = Desk()
    desk.memory.doubt([plan()])
    assert await desk.memory.resolve(in_place(), now()) == plan()
    assert desk.journal.outcomes() == [ChangeOutcome.APPLIED]
    assert await desk.memory.resolve(in_place(), now()) is None


@virtually
async def test_a_plan_that_failed_stays_in_doubt_and_a_fenced_one_does_not() -> None:
    desk = Desk()
    for outcome, doubted in ((ChangeOutcome.FAILED, True), (ChangeOutcome.FENCED, False)):
        await desk.memory.intend(plan(), now())
        await desk.memory.settle(plan(), outcome, "", now())
        assert desk.memory.doubts(plan()) is doubted


@virtually
async def test_a_doubt_ends_when_the_record_is_at_that_generation_with_something_else() -> None:
    desk = Desk()
    desk.memory.doubt([plan(generation=8)])
    await desk.memory.resolve(in_place(generation=7), now())
    assert desk.memory.doubts(plan(generation=8))
    await desk.memory.resolve(in_place(generation=9), now())
    assert not desk.memory.doubts(plan(generation=8))


@virtually
async def test_an_error_that_is_not_the_journals_own_is_not_swallowed() -> None:
    desk = Desk()

    async def defect() -> None:
        raise TimeoutError("somebody else's")

    with pytest.raises(TimeoutError):
        await desk.memory.protect(defect())
