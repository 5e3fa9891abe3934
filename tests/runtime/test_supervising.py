"""Tasks that never end, and what happens when they do."""

import asyncio

import pytest
from support.virtual import until, virtually

from failoverd.core.errors import describe
from failoverd.core.events import Event, TaskCrashed
from failoverd.runtime.supervising import CALM, FIRST_DELAY, LONGEST_DELAY, backoff, supervise
from failoverd.simulation.simulated_daemon import end
from failoverd.simulation.virtual_time import elapse, now


def crashes(events: list[Event]) -> list[TaskCrashed]:
    return [event for event in events if isinstance(event, TaskCrashed)]


@virtually
async def test_a_task_that_crashes_is_said_and_started_again() -> None:
    events: list[Event] = []
    starts: list[float] = []

    async def work() -> None:
        starts.append(now())
        if len(starts) == 1:
            raise ValueError("a defect")
        await asyncio.Event().wait()

    task = asyncio.create_task(supervise("probing", work, events.append, now, policy="api"))
    await until(lambda: len(starts) == 2)
    (crash,) = crashes(events)
    assert (crash.task, crash.policy) == ("probing", "api")
    assert crash.error.startswith("ValueError: a defect at test_supervising.py:")
    assert starts[1] - starts[0] == pytest.approx(crash.restart_in)
    await end(task)


@virtually
async def test_returning_from_an_endless_task_counts_as_a_crash() -> None:
    events: list[Event] = []

    async def work() -> None:
        """Endless it is not."""

    task = asyncio.create_task(supervise("ticker", work, events.append, now))
    await until(lambda: crashes(events))
    assert "returned" in crashes(events)[0].error
    await end(task)


@virtually
async def test_cancelling_the_supervisor_ends_the_task_and_says_nothing() -> None:
    events: list[Event] = []
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(supervise("probing", work, events.append, now))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events == []


@virtually
async def test_a_cancellation_that_nobody_asked_for_is_a_crash_like_any_other() -> None:
    """A library whose own future was cancelled must not end a task of ours in silence."""
    events: list[Event] = []
    starts: list[float] = []

    async def work() -> None:
        starts.append(now())
        raise asyncio.CancelledError

    task = asyncio.create_task(supervise("reconciler", work, events.append, now))
    await until(lambda: len(crashes(events)) == 2)
    assert [crash.task for crash in crashes(events)] == ["reconciler", "reconciler"]
    await end(task)


@virtually
async def test_restarts_slow_down_until_the_task_was_calm_for_a_while() -> None:
    events: list[Event] = []
    runs = iter([0.0] * 12 + [CALM + 1.0])

    async def work() -> None:
        await elapse(next(runs, 0.0))
        raise RuntimeError("again")

    task = asyncio.create_task(supervise("probing", work, events.append, now))
    await until(lambda: len(crashes(events)) == 13)
    delays = [crash.restart_in for crash in crashes(events)]
    assert all(delay <= FIRST_DELAY * 2**number for number, delay in enumerate(delays[:6]))
    assert all(LONGEST_DELAY / 2 <= delay <= LONGEST_DELAY for delay in delays[8:12])
    assert delays[12] <= FIRST_DELAY
    await end(task)


@pytest.mark.parametrize("attempt", [1, 2, 3, 7, 50, 100_000])
def test_backoff_doubles_is_capped_and_jittered(attempt: int) -> None:
    ceiling = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempt - 1, 16))
    delays = {backoff(attempt) for _ in range(200)}
    assert all(ceiling / 2 <= delay <= ceiling for delay in delays)
    assert len(delays) > 100


def test_an_error_is_described_by_its_innermost_place_and_a_group_by_its_first_member() -> None:
    group = ExceptionGroup("many", [ValueError("the first"), KeyError("second")])
    assert describe(group) == "ValueError: the first"
    assert len(describe(ValueError("x" * 10_000))) == 500
