"""Turns of the event loop, for work of which there may be much at once: a few begin in each, the most urgent first.

A region that fails under a thousand policies has each of them decide. In one turn of the loop that takes seconds, for
which nobody else has a turn: no probe, no heartbeat, no lease, no DNS answer that a decision waits for. So who has much
to do asks for a turn here, and begins when it has come. What has begun is not held up any more, and holds nobody up
while it waits for somebody else.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from failoverd.ports import Haste, Urgency

AT_ONCE: Final = 8
"""How many begin in one turn of the loop: tens of milliseconds, and few requests of their providers.

One of them is who has waited longest, however urgent others are: what is routine comes late, and not never.
"""

MOST_OVER: Final = 2 * len(Haste)
"""How many entries there may be for each turn, before those of turns that are over are thrown out.

Who became more urgent has one more for each haste; who began, having waited longest, leaves them behind what is urgent.
"""


@dataclass(slots=True, eq=False)
class QueuedTurn:
    """A turn that somebody waits for. `begin` is None once it has come, or nobody waits for it any more."""

    begin: Callable[[], None] | None

    def cancel(self) -> None:
        self.begin = None


class LoopTurns:
    """Who waits for a turn of the loop."""

    def __init__(self) -> None:
        self._by_urgency: list[tuple[Urgency, int, QueuedTurn]] = []
        self._by_time: deque[QueuedTurn] = deque()
        self._asked = count()
        self._planned = False

    def ask(self, urgency: Urgency, begin: Callable[[], None]) -> QueuedTurn:
        """Have `begin` called in one of the next turns."""
        turn = QueuedTurn(begin)
        self._by_time.append(turn)
        self.hurry(turn, urgency)
        return turn

    def hurry(self, turn: QueuedTurn, urgency: Urgency) -> None:
        """Who waits for that turn is as urgent by now."""
        if len(self._by_urgency) > MOST_OVER * (len(self._by_time) + AT_ONCE):
            self._by_urgency = [each for each in self._by_urgency if each[-1].begin is not None]
            heapify(self._by_urgency)
        heappush(self._by_urgency, (urgency, next(self._asked), turn))
        if not self._planned:
            self._plan()

    def _plan(self) -> None:
        self._planned = True
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._planned = False
        if not self._by_urgency:
            self._by_time.clear()  # all of these have begun
            return
        self._plan()  # first of all: what begins may fail
        for _ in range(AT_ONCE - 1):
            self._begin(self._most_urgent())
        self._begin(self._longest())

    @staticmethod
    def _begin(turn: QueuedTurn | None) -> None:
        if turn is not None and turn.begin is not None:
            begin, turn.begin = turn.begin, None
            begin()

    def _most_urgent(self) -> QueuedTurn | None:
        while self._by_urgency:
            turn = heappop(self._by_urgency)[2]
            if turn.begin is not None:
                return turn
        return None

    def _longest(self) -> QueuedTurn | None:
        while self._by_time:
            turn = self._by_time.popleft()
            if turn.begin is not None:
                return turn
        return None
