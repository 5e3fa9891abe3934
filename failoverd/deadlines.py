"""Deadlines of many things, with one timer for all of them.

Nearly everything that waits here is over long before its deadline, so a timer for each would be made only to be taken
back. Things with the same delay expire in the order in which they began: they stand in one queue, and the event loop's
timer watches its head.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

AT_ONCE: Final = 64
"""How many expire in one turn of the event loop. Where it is late, many are due, and others want their turn as well."""


class Deadlines(Generic[T]):
    """Things that expire the same number of seconds after they began.

    Args:
        loop: whose timers and clock are used.
        delay: seconds.
        expire: is called with what has expired. Must not raise.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, delay: float, expire: Callable[[T], None]) -> None:
        self._loop = loop
        self._delay = delay
        self._expire = expire
        self._due: OrderedDict[T, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._sweeping = False

    def set(self, thing: T) -> None:
        """Expire it after the delay from now, unless `lift` comes first. A deadline that it has already is put off."""
        self._due[thing] = self._loop.time() + self._delay
        self._due.move_to_end(thing)
        if self._timer is None and not self._sweeping:
            self._watch_head()

    def lift(self, thing: T) -> None:
        """Harmless when there is none."""
        self._due.pop(thing, None)

    @property
    def timer(self) -> asyncio.TimerHandle | None:
        """What watches the next of them; None while there is none."""
        return self._timer

    def close(self) -> None:
        """Nothing expires any more."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer, self._sweeping = None, True
        now = self._loop.time()
        for _ in range(AT_ONCE):
            if not self._due:
                break
            thing, due = next(iter(self._due.items()))
            if due > now:
                break
            del self._due[thing]
            self._expire(thing)
        self._sweeping = False
        self._watch_head()

    def _watch_head(self) -> None:
        if self._due:
            self._timer = self._loop.call_at(next(iter(self._due.values())), self._sweep)
