"""How much of anything one asker gets, so that there is enough for everybody, and for the work itself."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

LARGEST_BODY: Final = 64 * 1024
LARGEST_PLAN: Final = 4 * 1024 * 1024
LARGEST_ANSWER: Final = 32 * 1024 * 1024
"""Bytes: of a body, of one that is a plan, and of an answer."""

MOST_CALLERS: Final = 64
MOST_OF_PEER: Final = 16
"""Connections: in all, and of one user or address."""

MOST_LISTENERS: Final = 256
"""Who is told of everything as it happens, for as long as they like. They hold none of those places."""

ASKING: Final = 5.0
"""Seconds from the connection to the end of the question."""

ANSWERING: Final = 30.0
"""Seconds in which a question is answered. What was begun then goes on; asked again, it is answered."""

PLANNING: Final = 330.0
"""The same where every record is looked at, for which an account may allow few requests a second.

A little more than `operations.plan_desk` takes for it.
"""

SENDING: Final = 30.0
"""Seconds more that whoever asked may take to receive it."""

_MOST_NAMES: Final = 1_024


class Rates:
    """A token bucket for each name: `burst` at once, and one each `seconds` after that.

    The names that were heard longest ago are forgotten where there are too many: they begin anew.
    """

    def __init__(self, burst: float, seconds: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._seconds = seconds
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, name: str) -> float:
        """0 if that name may go on now; else the seconds after which it may."""
        left = self._has(name)
        return 0.0 if left >= 1.0 else (1.0 - left) * self._seconds

    def take(self, name: str) -> float:
        """The same, and it goes on if it may."""
        left, wait = self._has(name), self.wait(name)
        self._left[name] = (left if wait else left - 1.0, self._clock())
        self._left.move_to_end(name)
        if len(self._left) > _MOST_NAMES:
            self._left.popitem(last=False)
        return wait

    def _has(self, name: str) -> float:
        now = self._clock()
        left, at = self._left.get(name, (self._burst, now))
        return min(self._burst, left + (now - at) / self._seconds)
