"""When a change has reached all servers of Route 53: it is PENDING at first, and INSYNC usually within a minute.

All records that were changed in one batch wait for one change, which is asked for once at a time, less and less often.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

FIRST_PAUSE: Final = 2.0
"""Seconds before a change is asked for a second time; it is hardly ever INSYNC at once."""

LONGEST_PAUSE: Final = 10.0
_GROWTH = 1.5


@dataclass(slots=True)
class _Poll:
    task: asyncio.Task[None]
    waiting: int = 0


class Spreading:
    """Waits for changes.

    Args:
        done: asks once whether a change has reached all servers.
    """

    def __init__(self, done: Callable[[str], Awaitable[bool]]) -> None:
        self._done = done
        self._polls: dict[str, _Poll] = {}

    async def wait(self, change_id: str) -> None:
        """Return once the change is everywhere. Asking goes on for as long as somebody waits."""
        poll = self._polls.get(change_id)
        if poll is None:
            poll = self._polls[change_id] = _Poll(asyncio.create_task(self._poll(change_id)))
        poll.waiting += 1
        try:
            await asyncio.shield(poll.task)
        finally:
            poll.waiting -= 1
            if poll.waiting == 0:
                poll.task.cancel()
                self._polls.pop(change_id, None)

    async def _poll(self, change_id: str) -> None:
        pause = FIRST_PAUSE
        while not await self._done(change_id):
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * _GROWTH)
