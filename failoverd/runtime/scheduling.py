"""Regular work, driven by APScheduler: probe slots, ticks, configuration watching, retention.

APScheduler 3 computes fire times from the wall clock. When somebody sets that clock, jobs would come late by the size
of the jump, so `Timetable.relay` lays every job out again; `watch_clock` notices.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from failoverd.core.errors import describe
from failoverd.core.events import ClockJumped, TaskCrashed
from failoverd.ports import Cancel, Clock, Emit

GRACE: Final = 3600
"""Late is better than never: a job that missed its time runs once when the loop is free again."""

JUMP: Final = 2.0
"""Seconds by which wall clock and monotonic clock may part before the schedule is laid out again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """How a job was asked for."""

    seconds: float
    phase: float | Callable[[], float]


class ApTimetable:
    """`ports.Timetable` over one AsyncIOScheduler. Use it as a context manager; leaving it stops every job.

    A job that crashes is told and runs again next time. That one is late is not told here, and the scheduler is not
    listened to: a job that is still at work is passed over, and what it waits for says so by itself.
    """

    def __init__(self, emit: Emit, clock: Clock) -> None:
        self._emit = emit
        self._clock = clock
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL + 1)
        self._scheduler: Any = AsyncIOScheduler(
            timezone=UTC,
            executors={"default": AsyncIOExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": GRACE},
        )
        self._jobs: dict[str, _Job] = {}

    def __enter__(self) -> Self:
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.shutdown(wait=False)

    def every(
        self,
        name: str,
        seconds: float,
        work: Callable[[], Awaitable[None]],
        *,
        phase: float | Callable[[], float] = 0.0,
    ) -> Cancel:
        """Run `work` every `seconds`, for the first time after `phase` seconds. `name` is unique.

        What is due at a time of day gives a function: it is asked again where somebody set the clock.
        """
        laid_out = self._jobs[name] = _Job(seconds, phase)

        async def run() -> None:  # APScheduler awaits coroutine functions only, and `work` may be any callable
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - the boundary that keeps a defect in one job out of the others
                told = describe(error)
                self._emit(TaskCrashed(at=self._clock(), policy="", task=name, error=told, restart_in=seconds))

        self._scheduler.add_job(run, id=name, replace_existing=True, **_layout(laid_out))

        def cancel() -> None:
            if self._jobs.get(name) is not laid_out:
                return  # it is off already, or another job has the name by now
            del self._jobs[name]
            if self._scheduler.get_job(name) is not None:
                self._scheduler.remove_job(name)

        return cancel

    def relay(self) -> None:
        """Lay every job out again from now."""
        for name, job in self._jobs.items():
            self._scheduler.modify_job(name, **_layout(job))


def _layout(job: _Job) -> dict[str, Any]:
    """The first run is said outright: a trigger whose start has just passed would wait for a whole interval."""
    phase = job.phase() if callable(job.phase) else job.phase
    start = datetime.now(UTC) + timedelta(seconds=phase)
    trigger = IntervalTrigger(seconds=job.seconds, start_date=start, timezone=UTC)
    return {"trigger": trigger, "next_run_time": start}


async def watch_clock(timetable: ApTimetable, emit: Emit, clock: Clock) -> None:
    """Notice that somebody set the wall clock, and keep the schedule true. Endless."""
    offset = time.time() - time.monotonic()
    while True:
        await asyncio.sleep(1.0)
        now = time.time() - time.monotonic()
        if abs(now - offset) > JUMP:
            timetable.relay()
            emit(ClockJumped(at=clock(), seconds=now - offset))
            offset = now
