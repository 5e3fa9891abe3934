"""Sleeping until something is due, or there is news; and never for long, whatever is due."""

import asyncio
from typing import Final

from failoverd.ports import Clock

LONGEST: Final = 60.0
"""Seconds after which the time is looked at again, whatever is due: clocks of virtual machines stand still at times."""


class Nap:
    """The naps of one task.

    Attributes:
        due: when it has something to do, as it said last; None where nothing is due by time.
        timer: what ends the nap that it takes now; None while it is awake.
    """

    def __init__(self, clock: Clock) -> None:
        self.due: float | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is news."""
        self._woken.set()

    def begin(self) -> None:
        """What is news from now on has not been looked at yet."""
        self._woken.clear()

    async def until(self, due: float | None) -> None:
        """Sleep until that moment, or `wake`; `LONGEST` at most."""
        self.due = due
        delay = min(LONGEST, max(0.0, due - self._clock())) if due is not None else LONGEST
        self.timer = asyncio.get_running_loop().call_later(delay, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            self.timer.cancel()
            self.timer = None
