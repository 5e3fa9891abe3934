"""Has each slot begin at its time.

The timetable's one job lays out the slots of the next seconds, once a second; the slots themselves are timers, by a
clock that nobody can set. So when somebody sets the wall clock, turns go on by what is laid out until the timetable
noticed; and what is laid out or has begun is never laid out again, however often the job runs.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from failoverd.ports import Cancel, Clock, Timetable
from failoverd.runtime.scheduled_probe import ScheduledProbe
from failoverd.runtime.slots import Slots

JOB: Final = "probe slots"
"""What the timetable's job is called."""

ROUND: Final = 1.0
"""Seconds between two runs of the timetable's job."""

AHEAD: Final = 4.0
"""Seconds that are laid out. A wall clock that was set is noticed sooner (`runtime.scheduling`)."""


class SlotClock:
    """Calls `begin` with the number of each slot in which somebody is due, and `after` with the time in each round."""

    def __init__(
        self,
        timetable: Timetable,
        slots: Slots[ScheduledProbe],
        clock: Clock,
        begin: Callable[[int], None],
        after: Callable[[float], None],
    ) -> None:
        self._timetable = timetable
        self._slots = slots
        self._clock = clock
        self._begin = begin
        self._after = after
        self._laid_out: dict[int, asyncio.TimerHandle] = {}
        self._until = 0
        self._anew: asyncio.Handle | None = None
        self._job: Cancel | None = None

    @property
    def timers(self) -> Collection[asyncio.TimerHandle]:
        """Those of the slots that are laid out."""
        return self._laid_out.values()

    def go_on(self) -> None:
        """Somebody got a slot, and it may be one of the next seconds that nobody had until now."""
        if self._job is None:
            self._job = self._timetable.every(JOB, ROUND, self._round, phase=ROUND)
        if self._anew is None:
            self._anew = asyncio.get_running_loop().call_soon(self._lay_out_anew)

    def _lay_out_anew(self) -> None:
        self._anew = None
        self._until = 0
        self._lay_out(self._clock())

    def rest(self) -> None:
        """Nobody has a slot any more."""
        if self._job is not None:
            self._job()
            self._job = None
        self.clear()

    def clear(self) -> None:
        """Take back what is laid out, up to the next round, or until somebody says to `go_on`."""
        if self._anew is not None:
            self._anew.cancel()
            self._anew = None
        for timer in self._laid_out.values():
            timer.cancel()
        self._laid_out.clear()

    async def _round(self) -> None:
        now = self._clock()
        self._lay_out(now)
        self._slots.past(now)
        self._after(now)

    def _lay_out(self, now: float) -> None:
        first, last = max(self._slots.at(now), self._until) + 1, self._slots.at(now + AHEAD)
        loop = asyncio.get_running_loop()
        for slot in range(first, last + 1):
            if slot not in self._laid_out and self._slots.taken(slot):
                self._laid_out[slot] = loop.call_later(self._slots.begins(slot) - now, self._fire, slot)
        self._until = max(self._until, last)

    def _fire(self, slot: int) -> None:
        del self._laid_out[slot]
        self._begin(slot)
