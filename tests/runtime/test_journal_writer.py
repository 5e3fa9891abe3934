"""The journal as the daemon uses it: it may break or stall."""

import asyncio
from collections.abc import Sequence

import pytest
from support.journals import TARGET, incident, plan
from support.stage import API, AT
from support.virtual import until, virtually

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.inputs import Conclusion, Decided, DecisionInputs
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import JournalError
from failoverd.core.events import Event, JournalFailed
from failoverd.core.records import Observed
from failoverd.core.status import JournalStatus
from failoverd.runtime.journal_writer import (
    BATCH,
    BETWEEN,
    CALM,
    DECISIONS,
    LATER,
    MOST_DECISIONS,
    MOST_EVENTS,
    PATIENCE,
    JournalWriter,
)
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.simulated_daemon import end
from failoverd.simulation.virtual_time import elapse, now

BROKEN = JournalError("the disk is gone", reason="journal_io")


class Desk:
    """A writer, and the journal behind it."""

    def __init__(self, journal: PaperJournal | None = None) -> None:
        self.journal = journal or PaperJournal()
        self.events: list[Event] = []
        self.writer = JournalWriter(self.journal, self.events.append, now)

    def trouble(self) -> JournalStatus | None:
        return self.writer.trouble

    def failures(self) -> int:
        return sum(isinstance(event, JournalFailed) for event in self.events)


@virtually
async def test_events_are_taken_at_once_and_written_in_order_in_the_background() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.writer.run())
    told = incident(now())
    for event in told:
        desk.writer.take(event)
    assert desk.journal.events == []
    await until(lambda: desk.journal.events == told)
    await end(task)


@virtually
async def test_while_the_disk_stalls_the_newest_events_are_kept() -> None:
    desk = Desk()
    events = [incident(now(), f"inc-{number}")[0] for number in range(3)]
    for _ in range(MOST_EVENTS):
        desk.writer.take(events[0])
    desk.writer.take(events[1])
    desk.writer.take(events[2])
    await desk.writer.flush()
    assert len(desk.journal.events) == MOST_EVENTS
    assert desk.journal.events[-2:] == events[1:]


@virtually
async def test_decisions_wait_for_a_disk_that_works_again_and_the_newest_are_kept() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.writer.run_decisions())
    desk.journal.broken = BROKEN
    for at in range(MOST_DECISIONS + 2):
        desk.writer.decided(decided(float(at)))
    await elapse(60.0)
    assert desk.journal.decisions == []
    desk.journal.broken = None
    await until(lambda: len(desk.journal.decisions) == MOST_DECISIONS)
    assert desk.journal.decisions[0].inputs.now == 2.0
    await end(task)


@virtually
async def test_decisions_wait_until_nobody_is_in_haste_and_go_a_few_at_a_time() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.writer.run_decisions())
    for at in range(3 * DECISIONS):
        desk.writer.decided(decided(float(at)))
    await elapse(LATER - 1e-3)
    assert desk.journal.decisions == []
    await elapse(2e-3)
    assert len(desk.journal.decisions) == DECISIONS
    await elapse(3 * BETWEEN)
    assert len(desk.journal.decisions) == 3 * DECISIONS
    await end(task)


@virtually
async def test_the_last_decisions_are_written_at_the_end() -> None:
    desk = Desk()
    for at in range(3 * DECISIONS):
        desk.writer.decided(decided(float(at)))
    await desk.writer.flush()
    assert len(desk.journal.decisions) == 3 * DECISIONS


def decided(at: float) -> Decided:
    came = Conclusion(OutcomeKind.HOLD, DecisionKind.HOLD_NO_VERDICT, {}, {})
    return Decided(API, DecisionInputs(PolicyState("api"), Observed(AT, None), at, "r1"), came)


@virtually
async def test_events_wait_in_order_while_the_journal_is_broken_and_are_written_when_it_works_again() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.writer.run())
    told = incident(now())
    desk.journal.broken = BROKEN
    for event in told[:3]:
        desk.writer.take(event)
    await elapse(60.0)
    for event in told[3:]:
        desk.writer.take(event)
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
        desk.writer.take(old)
    await desk.writer.flush()
    desk.writer.take(new)
    desk.writer.take(new)
    desk.journal.broken = None
    await desk.writer.flush()
    assert len(desk.journal.events) == MOST_EVENTS
    assert desk.journal.events[-3:] == [old, new, new]


@virtually
async def test_a_write_that_takes_too_long_is_waited_for_and_not_written_twice() -> None:
    desk = Desk()
    desk.journal.stuck = asyncio.Event()
    told = incident(now())
    desk.writer.take(told[0])
    begun = now()
    await desk.writer.flush()
    assert now() - begun == pytest.approx(PATIENCE)
    desk.writer.take(told[1])
    await desk.writer.flush()
    assert desk.journal.tries == 1
    desk.journal.stuck.set()
    await desk.writer.flush()
    assert desk.journal.events == told[:2]


@virtually
async def test_a_write_that_fails_after_everybody_gave_up_on_it_is_tried_again() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.writer.run())
    stuck = desk.journal.stuck = asyncio.Event()
    told = incident(now())
    desk.writer.take(told[0])
    await elapse(PATIENCE + 1.0)
    desk.writer.take(told[1])
    desk.journal.broken = BROKEN
    stuck.set()
    await elapse(1.0)
    desk.journal.broken = None
    await until(lambda: desk.journal.events == told[:2], within=2 * CALM)
    await end(task)


@virtually
async def test_what_an_ending_process_was_writing_is_not_written_again_at_its_last_flush() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.writer.run())
    stuck = desk.journal.stuck = asyncio.Event()
    told = incident(now())
    desk.writer.take(told[0])
    await until(lambda: desk.journal.tries)
    await end(task)
    desk.writer.take(told[1])
    stuck.set()
    await desk.writer.flush()
    assert desk.journal.events == told[:2]


@virtually
async def test_a_broken_journal_is_said_once_and_again_after_it_worked() -> None:
    desk, began = Desk(), now()
    desk.journal.broken = BROKEN
    for _ in range(3):
        await desk.writer.intend(plan(), now())
        assert await desk.writer.recall(TARGET, 0.0) == (None, ())
    assert desk.failures() == 1
    broken = JournalStatus(began, writes=True, error=BROKEN.detail, remedy=BROKEN.remedy)
    assert desk.trouble() == broken
    assert desk.writer.failures == 6
    desk.journal.broken = None
    await desk.writer.intend(plan(), now())
    assert desk.trouble() == broken, "it was not read yet"
    await desk.writer.recall(TARGET, 0.0)
    assert desk.trouble() is None
    assert desk.writer.failures == 6
    desk.journal.broken = BROKEN
    await desk.writer.intend(plan(), now())
    assert desk.failures() == 2


@virtually
async def test_a_journal_that_does_not_answer_costs_seconds_once_and_then_almost_nothing() -> None:
    desk = Desk()
    desk.journal.stuck = asyncio.Event()
    begun = now()
    await desk.writer.recall(TARGET, 0.0)
    assert now() - begun == pytest.approx(PATIENCE)
    await desk.writer.intend(plan(), now())
    await desk.writer.update_status([])
    assert now() - begun < 2 * PATIENCE
    assert [event.reason for event in desk.events if isinstance(event, JournalFailed)] == ["journal_slow"]


@virtually
async def test_an_error_that_is_not_the_journals_own_is_not_swallowed() -> None:
    desk = Desk()

    async def defect() -> None:
        raise TimeoutError("somebody else's")

    with pytest.raises(TimeoutError):
        await desk.writer.protect(defect())


class Forgetful(PaperJournal):
    """It keeps everything but decisions."""

    async def decided(self, decisions: Sequence[Decided]) -> None:  # noqa: ARG002 - none is kept
        raise BROKEN


@virtually
async def test_a_journal_that_keeps_no_decisions_is_told_once_and_nothing_else_is_hurried_or_written_anew() -> None:
    desk = Desk(Forgetful())
    task = asyncio.create_task(desk.writer.run_decisions())
    for at in range(20):
        desk.writer.decided(decided(float(at)))
        assert await desk.writer.keep(PolicyState("api"))
        await elapse(CALM)
    assert (desk.failures(), desk.writer.lacks) == (1, False)
    assert desk.trouble() is not None
    desk.journal.stuck = asyncio.Event()
    begun = now()
    assert not await desk.writer.keep(PolicyState("api"))
    assert now() - begun == pytest.approx(PATIENCE)
    await end(task)
