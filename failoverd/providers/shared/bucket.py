"""Who may send a request now: a token bucket, whose line is sorted by urgency and tier, and by arrival within these."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final

from failoverd.core.errors import RateLimited
from failoverd.ports import Urgency
from failoverd.providers.shared.throttling import THROTTLED, Throttle, patience

PLENTY: Final = 10.0
"""Requests that may be sent at once; with fewer left, each one should carry as much as it can."""

_Turn = asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Rate:
    """What a cloud allows: `per_second` on average, `burst` at once."""

    per_second: float
    burst: float = 1.0


class Bucket:
    """Made inside a running loop."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._clock = asyncio.get_running_loop().time
        self._tokens = rate.burst
        self._at = self._clock()
        self._throttle = Throttle()
        self._line: list[tuple[Urgency, int, _Turn]] = []
        self._number = count()
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def interval(self) -> float:
        """Seconds that one request takes of what is allowed on average."""
        return 1.0 / self._rate.per_second

    @property
    def scarce(self) -> bool:
        """Whether requests would soon have to wait for each other."""
        earned = (self._clock() - self._at) * self._rate.per_second
        return min(self._rate.burst, self._tokens + earned) < PLENTY

    @property
    def backlog(self) -> float:
        """Seconds until even the most urgent newcomer would be served: those who are as urgent came before it."""
        tokens = self._tokens + (self._clock() - self._at) * self._rate.per_second
        before = sum(1 for urgency, _, turn in self._line if urgency.fails_out and not turn.done())
        return max(0.0, (before + 1.0 - tokens) * self.interval)

    def pause(self, seconds: float) -> None:
        """The cloud asked for silence. Who would wait for its end too long is sent away."""
        self._throttle.ask(seconds, self._clock())
        self._tokens = min(self._tokens, 1.0)
        self._serve()

    @property
    def refused(self) -> int:
        """How many requests in a row the cloud throttled."""
        return self._throttle.refused

    def silence(self, urgency: Urgency) -> float:
        """Seconds for which a request of this urgency has to leave the account alone."""
        return self._throttle.wait(urgency, self._clock())

    def refusal(self, urgency: Urgency) -> RateLimited | None:
        """What a request of this urgency is told now instead of being put in line, if it is."""
        if urgency.fails_out and self._throttle.trying:
            return None  # it will be known soon whether requests are taken again
        wait = self.silence(urgency)
        return _silent(wait, self.silence(Urgency.ROUTINE)) if wait > patience(urgency) else None

    def took(self, sent_at: float) -> None:
        """The cloud took a request that was sent then."""
        self._throttle.take(sent_at)
        self._serve()

    def lost(self) -> None:
        """What became of a request is not known."""
        self._throttle.lose()
        self._serve()

    def queue(self, turn: _Turn, urgency: Urgency) -> None:
        """Put a place into the line, or move one forward that stands there."""
        heapq.heappush(self._line, (urgency, next(self._number), turn))
        self._serve()

    def give_back(self) -> None:
        """A turn that had come was never used."""
        self._tokens += 1.0
        self.lost()

    def _serve(self) -> None:
        """Serve whoever can be served now, and come back when the next one can."""
        now = self._clock()
        self._tokens = min(self._rate.burst, self._tokens + (now - self._at) * self._rate.per_second)
        self._at = now
        if self.silence(Urgency.ROUTINE):
            self._send_away()
        while self._line and (self._line[0][2].done() or self._wait() <= 0.0):
            _, _, turn = heapq.heappop(self._line)
            if not turn.done():
                self._tokens -= 1.0
                self._throttle.send(now)
                turn.set_result(None)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._line:
            self._alarm = asyncio.get_running_loop().call_later(max(self._wait(), 0.001), self._serve)

    def _send_away(self) -> None:
        stay: set[_Turn] = set()  # by their greatest urgency: a turn that was hurried stands in the line twice
        for urgency, _, turn in sorted(self._line, key=lambda place: place[:2]):
            if turn.done() or turn in stay:
                continue
            refusal = self.refusal(urgency)
            if refusal is None:
                stay.add(turn)
            else:
                turn.set_exception(refusal)

    def _wait(self) -> float:
        """Seconds until the first in line may be served."""
        return max((1.0 - self._tokens) / self._rate.per_second, self.silence(self._line[0][0]))


class Ticket:
    """One caller at a bucket, for one request after the other. It may become more urgent on the way.

    A batch waits for its first turn before it knows what goes into it: `ready` does that, and `take` finds it there.
    """

    def __init__(self, bucket: Bucket, urgency: Urgency) -> None:
        self.bucket = bucket
        self.urgency = urgency
        self.called = False
        self._turns: set[_Turn] = set()  # several requests of a batch may be waiting

    async def ready(self) -> None:
        """Wait for the turn of one request, if it has not come already.

        Raises:
            RateLimited: the cloud asked for a longer silence than a request of this urgency waits for.
        """
        if self.called:
            return
        turn: _Turn = asyncio.get_running_loop().create_future()
        self._turns.add(turn)
        self.bucket.queue(turn, self.urgency)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.bucket.give_back()  # served in this very moment
            raise
        finally:
            self._turns.discard(turn)
        self.called = True

    async def take(self) -> None:
        """Wait for a turn, and use it. Raises as `ready`."""
        await self.ready()
        self.called = False

    def hurry(self, urgency: Urgency) -> None:
        """It is (also) this urgent from now on."""
        if urgency < self.urgency:
            self.urgency = urgency
            for turn in self._turns:
                self.bucket.queue(turn, urgency)


class UrgencySemaphore:
    """Bounds how many calls are under way at once. Who waits is let in in the order of a bucket's line."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._line: list[tuple[Urgency, int, _Turn]] = []
        self._number = count()

    @asynccontextmanager
    async def held(self, urgency: Urgency) -> AsyncIterator[None]:
        if self._free:
            self._free -= 1
        else:
            await self._wait(urgency)
        try:
            yield
        finally:
            self._release()

    async def _wait(self, urgency: Urgency) -> None:
        turn: _Turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._line, (urgency, next(self._number), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()  # let in at this very moment
            raise

    def _release(self) -> None:
        """Let the next one in."""
        while self._line:
            _, _, turn = heapq.heappop(self._line)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _silent(wait: float, silence: float) -> RateLimited:
    tried = f", and what is urgent tries it in {wait:.0f}s" if wait < silence else ""
    return RateLimited(
        f"the account is left alone for another {silence:.0f}s, for it asked for that{tried}",
        reason=THROTTLED,
        remedy="nothing to do: it is tried again then; see which other tools use the account",
        retry_after=wait,
    )
