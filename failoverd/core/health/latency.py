"""How far away a region is: the median of the connection times of its probes.

Only `connect` counts, of probes that passed: one round trip, answered by the kernel of the other side. It does not
grow with the queue of the server, so traffic that moves because of it does not change it. The first byte would: who
wins gets the traffic, becomes slow by that, and loses it again.

What is kept is bounded whatever is measured: times are counted in bins that are 2 % wide, from 10 us to a minute, so
that a median is right to within 1 %. They are forgotten in tenths of the window. Noting one costs two additions.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from math import ceil, exp, log
from typing import Final

SLICES: Final = 10
"""Parts of a window that are forgotten one by one."""

LEAST_SAMPLES: Final = 20
"""Below this a median is no figure."""

_SHORTEST, _LONGEST = 1e-5, 60.0
_GROWTH: Final = log(1.02)
_MIDDLE: Final = exp(_GROWTH / 2)


@dataclass(slots=True, eq=False)
class Latencies:
    """The times of one region, in seconds. `window` is for how long they count."""

    window: float
    _slices: deque[tuple[int, Counter[int]]] = field(default_factory=deque)
    _all: Counter[int] = field(default_factory=Counter)
    _count: int = 0

    def note(self, seconds: float, at: float) -> None:
        turn = int(at * SLICES / self.window)
        if not self._slices or self._slices[-1][0] < turn:
            self._forget(turn)
            self._slices.append((turn, Counter()))
        place = int(log(min(max(seconds, _SHORTEST), _LONGEST) / _SHORTEST) / _GROWTH)
        self._slices[-1][1][place] += 1
        self._all[place] += 1
        self._count += 1

    def median(self, now: float) -> float | None:
        """The median of the window, to a tenth of a millisecond; None while too few are known."""
        self._forget(int(now * SLICES / self.window))
        if self._count < LEAST_SAMPLES:
            return None
        left = ceil(self._count / 2)
        for place in sorted(self._all):
            left -= self._all[place]
            if left <= 0:
                return round(_SHORTEST * exp(place * _GROWTH) * _MIDDLE, 4)
        return None

    def _forget(self, turn: int) -> None:
        while self._slices and self._slices[0][0] <= turn - SLICES:
            _, gone = self._slices.popleft()
            for place, count in gone.items():
                self._all[place] -= count
                if not self._all[place]:
                    del self._all[place]
            self._count -= gone.total()
