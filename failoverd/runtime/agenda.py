"""When a target is worked on next. Sooner wins: news is acted on at once, whatever an earlier try asked to wait for."""

import asyncio
from typing import Final

from failoverd.ports import Urgency
from failoverd.runtime.loop_turns import LoopTurns, QueuedTurn

GATHER: Final = 2.0
"""Seconds that news waits at most for more of it, while failing endpoints are being probed again. A region that fails
shows endpoint by endpoint, and each change costs the provider a write."""


class Agenda:
    """The wake-up calls of one target.

    Routine calls obey the patience that an earlier try asked for; urgent ones never do. Urgency is kept until the work
    is done: a try that fails is repeated as urgently.

    Args:
        turns: where all who have work to do wait for their turn to begin.
        tier: of the policy: of what is as urgent, the most important goes first.
    """

    def __init__(self, turns: LoopTurns | None = None, tier: int = 0) -> None:
        self._turns = turns or LoopTurns()
        self._tier = tier
        self._queued: QueuedTurn | None = None
        self._woken = asyncio.Event()
        self._urgency = Urgency.ROUTINE
        self._called = False
        self._more_until: float | None = None
        self._due: float | None = None
        self._patience = float("-inf")
        self._routine: asyncio.Timeout | None = None

    def call(self, urgency: Urgency, *, more: bool = False) -> None:
        """Something may have changed. `more`: other news is about to come, and worth a moment."""
        now, before = self._now(), self._urgency
        self._urgency = min(before, urgency)
        if not urgency.is_routine or now >= self._patience:
            if not self._called and more:
                self._more_until = now + GATHER
            if not more:
                self._more_until = None
            self._called = True
        self._woken.set()
        if self._queued is not None and self._urgency < before:
            self._turns.hurry(self._queued, self._urgency.of_tier(self._tier))
        self._cut_in()

    def again(self, delay: float, urgency: Urgency) -> None:
        """Work on it after `delay` seconds, as urgently as now; until then no routine call counts.

        Nor does one that came while the try was under way: it would be made again at once.
        """
        if self._urgency.is_routine:
            self._called = False
        self._urgency = min(self._urgency, urgency)
        self._patience = self._due = self._now() + delay

    def revisit(self, delay: float | None, urgency: Urgency = Urgency.ROUTINE) -> None:
        """Time alone changes something then; None when it never does. Nobody asks for patience."""
        self._patience = float("-inf")
        if delay is not None:
            self._urgency = min(self._urgency, urgency)
        self._due = self._now() + max(0.0, delay) if delay is not None else None

    def interrupt(self, routine: asyncio.Timeout | None) -> None:
        """A routine call is under way that urgent news ends; None when it is over."""
        self._routine = routine
        self._cut_in()

    async def next(self) -> Urgency:
        """Wait until there is work to do, and it is its turn; says how urgent it is."""
        while (when := self._when()) is None or when > self._now():
            self._woken.clear()
            try:
                async with asyncio.timeout_at(when):
                    await self._woken.wait()
            except TimeoutError:
                continue
        await self._turn()
        return self.take()

    def take(self) -> Urgency:
        """The work is begun now: how urgent it is."""
        urgency, self._urgency = self._urgency, Urgency.ROUTINE
        self._called, self._more_until, self._due = False, None, None
        return urgency

    async def _turn(self) -> None:
        come = asyncio.Event()
        self._queued = self._turns.ask(self._urgency.of_tier(self._tier), come.set)
        try:
            await come.wait()
        finally:
            self._queued.cancel()
            self._queued = None

    def _cut_in(self) -> None:
        news = self._called and self._more_until is None and self._urgency.fails_out
        if news and self._routine is not None:
            self._routine.reschedule(self._now())
            self._routine = None  # it ends once, and news may come twice before it has ended

    def _when(self) -> float | None:
        """The first moment at which there is something to do."""
        moments = [self._due] if self._due is not None else []
        if self._called:
            moments.append(self._more_until if self._more_until is not None else self._now())
        return min(moments, default=None)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
