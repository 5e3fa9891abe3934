"""One cloud account as failoverd uses it: who may call now, how many at once, and what happens when a call fails.

A cloud rations requests by account, so everything that one provider entry does goes through one `Account`:

- a token bucket at the documented rate. When it is empty, callers wait in the order of their urgency: what moves
  traffic off a failed region goes before every other change, and that before routine looks;
- a bounded pool of threads, for the SDKs are synchronous. Their own retries are off and their time-outs short;
- the one retry layer. A read that failed is tried again a few times, jittered. A request that was throttled had no
  effect, so it is tried again when the cloud says so, and until then nobody of this account calls at all. A write is
  never repeated blindly: what became of it is found out by reading, which is the caller's work.

Errors are turned into the four kinds by the provider, inside the call that it hands in.
"""

import asyncio
import heapq
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final, TypeVar

from failoverd.core.errors import ProviderError, RateLimited, Transient
from failoverd.ports import Urgency

T = TypeVar("T")

TRIES: Final = 3
"""How often a read, or a request that was throttled, is sent before the round is given up."""

LONGEST_PAUSE: Final = 30.0
"""Seconds that a round waits for a throttled account; asked for more, it ends, and comes back that much later."""

LONGEST_SILENCE: Final = 3_600.0
"""Seconds for which an account is left alone, whatever it asks for: a broken header does not park it for days."""

PLENTY: Final = 10.0
"""Requests that may be sent at once; with fewer left, each one should carry as much as it can."""

THROTTLED: Final = "throttled"
"""The reason of a RateLimited that concerns the whole account. Others concern one zone, and only their call waits."""

_FIRST_PAUSE: Final = 0.2

Turn = asyncio.Future[None]
"""A place in the line of a bucket: done when its turn has come."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a cloud allows: `per_second` on average, `burst` at once."""

    per_second: float
    burst: float = 1.0


class Bucket:
    """A token bucket whose waiting line is sorted by urgency, and by arrival within one. Made inside a running loop."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._clock = asyncio.get_running_loop().time
        self._tokens = rate.burst
        self._at = self._clock()
        self._paused_until = 0.0
        self._line: list[tuple[Urgency, int, Turn]] = []
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

    async def take(self, urgency: Urgency) -> None:
        """Wait for the turn of one request.

        Raises:
            RateLimited: the cloud asked for a longer silence than a round waits for.
        """
        turn = self.queue(urgency)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._tokens += 1.0  # served in this very moment, and never used
                self._serve()
            raise

    def queue(self, urgency: Urgency) -> Turn:
        """A place in the line, to be awaited, as `take` does. `hurry` moves it forward."""
        turn: Turn = asyncio.get_running_loop().create_future()
        self.hurry(turn, urgency)
        return turn

    def hurry(self, turn: Turn, urgency: Urgency) -> None:
        """Give a place in the line (also) this urgency."""
        heapq.heappush(self._line, (urgency, next(self._number), turn))
        self._serve()

    def pause(self, seconds: float) -> None:
        """The cloud asked for silence: nobody is served for so long. Who would wait too long is sent away."""
        self._paused_until = max(self._paused_until, self._clock() + min(seconds, LONGEST_SILENCE))
        self._tokens = min(self._tokens, 1.0)
        self._serve()

    def _serve(self) -> None:
        """Serve whoever can be served now, and come back when the next one can."""
        now = self._clock()
        self._tokens = min(self._rate.burst, self._tokens + (now - self._at) * self._rate.per_second)
        self._at = now
        if self._paused_until - now > LONGEST_PAUSE:
            self._send_away(self._paused_until - now)
        while self._line and (self._line[0][2].done() or self._wait(now) <= 0.0):
            _, _, turn = heapq.heappop(self._line)
            if not turn.done():
                self._tokens -= 1.0
                turn.set_result(None)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._line:
            self._alarm = asyncio.get_running_loop().call_later(max(self._wait(now), 0.001), self._serve)

    def _send_away(self, silence: float) -> None:
        for _, _, turn in self._line:
            if not turn.done():
                turn.set_exception(_silent(silence))
        self._line.clear()

    def _wait(self, now: float) -> float:
        """Seconds until the next token may be taken."""
        return max((1.0 - self._tokens) / self._rate.per_second, self._paused_until - now)


class Account:
    """Everything that one provider entry asks of its cloud goes through here.

    Args:
        reads: the documented rate of reading requests.
        writes: the same for writing ones; None when both are counted together.
        threads: how many calls may be under way at once.
    """

    def __init__(self, reads: Rate, writes: Rate | None = None, *, threads: int = 8) -> None:
        self.reads = Bucket(reads)
        self.writes = Bucket(writes) if writes is not None else self.reads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="account")
        self._slots = asyncio.Semaphore(threads)

    async def read(self, urgency: Urgency, call: Callable[[], T]) -> T:
        """Run a reading call in a thread when its turn comes, and again when it fails in passing.

        Raises:
            ProviderError: as `call` raised it, on the last try.
        """
        return await self._persist(self.reads, urgency, call, (RateLimited, Transient))

    async def write(self, urgency: Urgency, call: Callable[[], T]) -> T:
        """Run a writing call in a thread when its turn comes. Only a throttled one, without effect, is sent again.

        Raises:
            ProviderError: as `call` raised it.
        """
        return await self._persist(self.writes, urgency, call, (RateLimited,))

    async def call(self, bucket: Bucket, call: Callable[[], T]) -> T:
        """Run a call whose turn has come, once. A cloud that throttles it is left alone for as long as it asks."""
        try:
            async with self._slots:
                return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        except RateLimited as error:
            if error.reason == THROTTLED:
                bucket.pause(pause_after(error, 1))
            raise

    def close(self) -> None:
        """Begin no more calls. Those under way end by their own time-outs."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _persist(
        self, bucket: Bucket, urgency: Urgency, call: Callable[[], T], passing: tuple[type[ProviderError], ...]
    ) -> T:
        tried = 0
        while True:
            await bucket.take(urgency)
            try:
                return await self.call(bucket, call)
            except passing as error:
                tried += 1
                pause = pause_after(error, tried)
                if tried == TRIES or pause > LONGEST_PAUSE:
                    raise
            await asyncio.sleep(pause)


@asynccontextmanager
async def account(reads: Rate, writes: Rate | None = None, *, threads: int = 8) -> AsyncIterator[Account]:
    """An account for as long as the context lasts."""
    opened = Account(reads, writes, threads=threads)
    try:
        yield opened
    finally:
        opened.close()


def _silent(seconds: float) -> RateLimited:
    return RateLimited(
        f"the account is left alone for another {seconds:.0f}s, for it asked for that",
        reason=THROTTLED,
        remedy="nothing to do: it is tried again then; see which other tools use the account",
        retry_after=seconds,
    )


def pause_after(error: ProviderError, tried: int) -> float:
    """Seconds to leave the cloud alone after this failure: what it asked for, or doubling with half of it jittered."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return error.retry_after
    ceiling = _FIRST_PAUSE * 2.0**tried
    return ceiling / 2 + random.uniform(0, ceiling / 2)  # noqa: S311 - spreads load, keeps no secret
