"""The real timetable on the real loop: short intervals, and events instead of sleeps."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from support.virtual import until, virtually

from failoverd.core.events import ClockJumped, Event, TaskCrashed
from failoverd.ports import Cancel
from failoverd.runtime import scheduling
from failoverd.runtime.scheduling import JUMP, ApTimetable, watch_clock
from failoverd.simulation.simulated_daemon import end
from failoverd.simulation.virtual_time import elapse, now

PATIENCE = 5.0


class Job:
    """Work that can be waited for."""

    def __init__(self) -> None:
        self.runs: list[float] = []
        self._ran = asyncio.Event()

    async def __call__(self) -> None:
        self.runs.append(asyncio.get_running_loop().time())
        self._ran.set()

    async def ran(self, times: int = 1) -> None:
        """It ran so many more times."""
        async with asyncio.timeout(PATIENCE):
            for _ in range(times):
                self._ran.clear()
                await self._ran.wait()


@asynccontextmanager
async def timetable() -> AsyncIterator[ApTimetable]:
    with ApTimetable(list[Event]().append, now) as table:
        yield table
    await asyncio.sleep(0)  # the scheduler ends on the next turn of the loop


async def test_a_job_runs_after_its_phase_and_then_at_its_interval() -> None:
    begun = asyncio.get_running_loop().time()
    async with timetable() as table:
        job = Job()
        table.every("tick", 0.05, job, phase=0.1)
        await job.ran(3)
    assert job.runs[0] - begun >= 0.09
    assert job.runs[2] - begun >= 0.19, "two intervals after it was due first, however late that was"


async def test_a_job_without_a_phase_runs_at_once() -> None:
    async with timetable() as table:
        job = Job()
        table.every("heartbeat", 3_600.0, job)
        await job.ran()


async def test_a_job_of_the_same_name_is_replaced() -> None:
    async with timetable() as table:
        old, new = Job(), Job()
        table.every("tick", 0.02, old)
        await old.ran()
        table.every("tick", 0.02, new)
        runs = len(old.runs)
        await new.ran(3)
        assert len(old.runs) == runs


async def test_a_cancelled_job_runs_no_more_and_cancelling_twice_is_harmless() -> None:
    async with timetable() as table:
        job, other = Job(), Job()
        cancel = table.every("tick", 0.02, job)
        table.every("other", 0.02, other)
        await job.ran()
        cancel()
        cancel()
        runs = len(job.runs)
        await other.ran(3)
        assert len(job.runs) == runs


async def test_cancelling_what_was_replaced_leaves_the_replacement_alone() -> None:
    async with timetable() as table:
        old, new = Job(), Job()
        cancel = table.every("tick", 0.02, old)
        table.every("tick", 0.02, new)
        cancel()
        await new.ran(2)


async def test_cancelling_after_the_end_is_harmless() -> None:
    async with timetable() as table:
        cancel = table.every("tick", 0.02, Job())
    cancel()


async def test_a_job_that_takes_longer_than_its_interval_never_runs_beside_itself() -> None:
    abreast = most = 0
    done = asyncio.Event()
    gate = asyncio.Event()

    async def slow() -> None:
        nonlocal abreast, most
        abreast += 1
        most = max(most, abreast)
        await gate.wait()
        abreast -= 1
        done.set()

    async with timetable() as table, asyncio.timeout(PATIENCE):
        other = Job()
        table.every("slow", 0.02, slow)
        table.every("other", 0.03, other)
        await other.ran(3)
        gate.set()
        await done.wait()
    assert most == 1


async def test_a_job_that_crashes_is_told_and_runs_again_next_time(caplog: pytest.LogCaptureFixture) -> None:
    ran, told = Job(), list[Event]()

    async def crash() -> None:
        await ran()
        raise RuntimeError("a defect")

    with ApTimetable(told.append, lambda: 7.0) as table:
        table.every("crash", 0.02, crash)
        await ran.ran(3)
    await asyncio.sleep(0)
    assert isinstance(told[0], TaskCrashed)
    assert (told[0].task, told[0].at, told[0].restart_in) == ("crash", 7.0, 0.02)
    assert "a defect" in told[0].error
    assert caplog.records == []


async def test_that_a_job_is_late_is_no_news_of_the_scheduler(caplog: pytest.LogCaptureFixture) -> None:
    """Who works slowly, a journal on a full disk say, tells it by itself."""
    begun, gate = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        begun.set()
        await gate.wait()

    async with timetable() as table:
        other = Job()
        table.every("slow", 0.01, slow)
        table.every("other", 0.01, other)
        await begun.wait()
        await other.ran(5)
        gate.set()
    assert caplog.records == []


async def test_leaving_stops_every_job() -> None:
    async with timetable() as table:
        job = Job()
        table.every("tick", 0.01, job)
        await job.ran()
    runs = len(job.runs)
    async with timetable() as table:
        other = Job()
        table.every("tick", 0.02, other)
        await other.ran(3)
    assert len(job.runs) == runs


async def test_laying_the_jobs_out_again_brings_back_what_a_clock_set_back_had_put_off() -> None:
    async with timetable() as table:
        job = Job()
        table.every("tick", 0.05, job)
        await job.ran()
        _as_if_the_clock_were_set_back(table, "tick", hours=3)
        table.relay()
        await job.ran(2)


async def test_what_is_due_at_a_time_of_day_is_laid_out_again_by_what_the_clock_says_then() -> None:
    async with timetable() as table:
        job, waits = Job(), iter([3_600.0, 0.02])
        table.every("self-check", 86_400.0, job, phase=lambda: next(waits))
        table.relay()
        await job.ran()


def _as_if_the_clock_were_set_back(table: ApTimetable, name: str, *, hours: float) -> None:
    table._scheduler.get_job(name).modify(next_run_time=datetime.now(UTC) + timedelta(hours=hours))


# -- the clock ---------------------------------------------------------------------------------------------------------


class Wall:
    """A wall clock that somebody sets. Stands in for the module `time`."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def module(self) -> SimpleNamespace:
        return SimpleNamespace(time=lambda: 1_800_000_000.0 + now() + self.ahead, monotonic=now)


class Recorder(ApTimetable):
    def __init__(self) -> None:
        super().__init__(list[Event]().append, now)
        self.relaid: list[float] = []

    def every(
        self,
        name: str,
        seconds: float,
        work: Callable[[], Awaitable[None]],
        *,
        phase: float | Callable[[], float] = 0.0,
    ) -> Cancel:
        raise NotImplementedError

    def relay(self) -> None:
        self.relaid.append(now())


@pytest.mark.parametrize("jump", [-7_200.0, -2.5, 2.5, 7_200.0])
def test_a_clock_that_jumps_is_noticed_within_a_second_and_said_once(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = Wall()
    monkeypatch.setattr(scheduling, "time", wall.module())

    @virtually
    async def scenario() -> None:
        events: list[Event] = []
        table = Recorder()
        task = asyncio.create_task(watch_clock(table, events.append, now))
        await elapse(100.5)
        assert events == []
        wall.ahead += jump
        jumped = now()
        await until(lambda: events)
        assert now() - jumped <= 1.0
        assert [event.seconds for event in events if isinstance(event, ClockJumped)] == [pytest.approx(jump, abs=0.01)]
        await elapse(100.0)
        assert (len(events), len(table.relaid)) == (1, 1)
        await end(task)

    scenario()


def test_a_clock_that_is_slewed_is_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    monkeypatch.setattr(scheduling, "time", wall.module())

    @virtually
    async def scenario() -> None:
        events: list[Event] = []
        table = Recorder()
        task = asyncio.create_task(watch_clock(table, events.append, now))
        for _ in range(30):
            wall.ahead += JUMP / 50
            await elapse(10.0)
        assert events == []
        await end(task)

    scenario()
