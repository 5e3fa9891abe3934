"""When the schedule cannot be kept: stretch the intervals rather than piling up, and go back when it is calm.

Once a second it is judged how late the probes of the last seconds began. While that stays too much, or no more probes
may even wait for a place, the intervals become 2, 4 and at last 8 times as long, as far as that saves anything: a host
under pressure from elsewhere gains nothing by it that three endpoints are probed less often. What decides a verdict
keeps its pace: the re-checks of what fails, and the probes of what is down. After a calm time the factor is halved
again; each relapse doubles the calm time that the next step back needs.
"""

from collections import deque
from typing import Final

from failoverd.core.tallies import LAG_BOUNDS, Histogram, percentile

WINDOW: Final = 10
"""Seconds of which the probes are judged together."""

TOO_LATE: Final = 0.25
"""Seconds: a 99th percentile above it is trouble, one of at most a half of it is calm."""

PATIENCE: Final = 10.0
"""Seconds that trouble lasts, besides those of one window, before each step up. So one stall alone sheds nothing."""

LEAST_SAVED: Final = 10.0
"""Probes a second that a step up has to save, unless there is no room left: about a hundredth of a core."""

CALM: Final = 60.0
LONGEST_CALM: Final = 3_600.0
MOST: Final = 8
MINUTE: Final = 60.0


class Lags:
    """How late probes begin: all of them, the last `WINDOW` seconds, the last minute or two.

    `tick` is to be called once a second.
    """

    def __init__(self) -> None:
        self.all = Histogram(LAG_BOUNDS)
        self._seen: deque[tuple[float, tuple[int, ...]]] = deque(maxlen=WINDOW + 1)
        self._minute = 0
        self._worst = self._worst_before = 0.0  # of this minute, and of the last one

    def add(self, lag: float) -> None:
        self.all.add(lag)
        self._worst = max(self._worst, lag)

    def tick(self, now: float) -> None:
        self._seen.append((now, tuple(self.all.counts)))
        if int(now / MINUTE) != self._minute:
            self._minute, self._worst_before, self._worst = int(now / MINUTE), self._worst, 0.0

    @property
    def worst(self) -> float:
        """The greatest of the last minute or two, in seconds."""
        return max(self._worst, self._worst_before)

    @property
    def late(self) -> float:
        """The 99th percentile of the window, in seconds: a bucket's upper bound, but never more than was seen."""
        return min(percentile(self.all.bounds, self._counts(), 99.0), self.worst)

    @property
    def rate(self) -> float:
        """Probes a second."""
        if not self._seen or self._seen[-1][0] <= self._seen[0][0]:
            return 0.0
        return sum(self._counts()) / (self._seen[-1][0] - self._seen[0][0])

    def _counts(self) -> list[int]:
        if not self._seen:
            return []
        return [after - before for before, after in zip(self._seen[0][1], self._seen[-1][1], strict=True)]


class Shedding:
    """Decides by how much the intervals are stretched: `factor`. `stretching` says whether the last step was up."""

    def __init__(self) -> None:
        self.factor = 1
        self.stretching = False
        self._trouble_since: float | None = None
        self._calm_since: float | None = None
        self._calm = CALM
        self._restored_at: float | None = None

    @property
    def allowance(self) -> int:
        """How many times as old evidence may be: in trouble, probes come late before the intervals are stretched."""
        return self.factor * 2 if self._trouble_since is not None else self.factor

    def review(self, now: float, lag: float, rate: float, *, full: bool) -> bool:
        """Look at it again; returns whether `factor` changed.

        Args:
            now: seconds.
            lag: the 99th percentile of the window, in seconds.
            rate: probes a second.
            full: whether no more probes may even wait.
        """
        if lag > TOO_LATE or full:
            self._calm_since = None
            return self._in_trouble(now, worth_it=full or rate / 2 >= LEAST_SAVED)
        self._trouble_since = None
        if lag > TOO_LATE / 2:
            self._calm_since = None
            return False
        return self._is_calm(now)

    def _in_trouble(self, now: float, *, worth_it: bool) -> bool:
        if self._trouble_since is None:
            self._trouble_since = now
        if self.factor >= MOST or now - self._trouble_since < WINDOW + PATIENCE or not worth_it:
            return False
        if self._restored_at is not None and now - self._restored_at < self._calm:
            self._calm = min(2 * self._calm, LONGEST_CALM)
        self._trouble_since = now
        self.factor *= 2
        self.stretching = True
        return True

    def _is_calm(self, now: float) -> bool:
        if self._calm_since is None:
            self._calm_since = now
        if now - self._calm_since < self._calm:
            return False
        if self.factor == 1:
            self._calm = CALM
            return False
        self._calm_since = self._restored_at = now
        self.factor //= 2
        self.stretching = False
        return True
