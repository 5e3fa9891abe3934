"""Calls that are wanted at the same time, made as one: so a region's failure in a thousand records costs few requests.

While a request waits for its turn, or is under way, what else is wanted lines up and goes with the next one, the most
urgent first. At most one request of a gathering is under way, so it also is the one writer of its zone.

Where an account allows few requests, one that is half empty delays everything after it. So there, a request also waits
while others keep lining up, for no longer than a few requests take: a failing region is seen by one policy after the
other, and what is read in pages becomes writes page by page. One that is full waits for nobody.

A batch that the cloud rejects as a whole is split in halves until the bad record stands alone, so that it fails alone.
A batch whose outcome is not known is not sent again: each caller finds out by reading what became of its own part.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from failoverd.core.errors import Fenced, Permanent, ProviderError, RateLimited
from failoverd.ports import Urgency
from failoverd.providers.account import LONGEST_PAUSE, TRIES, Bucket, Turn, pause_after

QUIET: Final = 2.0
"""Nobody has lined up for as long as so many requests take: then nobody is about to."""

LONGEST_LINGER: Final = 10.0
"""A request waits for others no longer than so many requests take."""

SLOWEST: Final = 0.2
"""Seconds that a request is taken to cost at most, however few are allowed: traffic off a failed region cannot wait."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Wanted(Generic[Item, Result]):
    """One caller's part, in line since `at`. `tried` counts requests that were throttled."""

    item: Item
    urgency: Urgency
    at: float
    result: "asyncio.Future[Result]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    tried: int = 0


class Gathering(Generic[Item, Result]):
    """Gathers calls of one kind.

    Args:
        bucket: where the turn of each request is waited for.
        send: makes one request (whose turn has come) for some items, and returns a result for each, in their order.
            It raises Fenced or Permanent when nothing was done for any of them.
        most: how many of these items, from the front, fit into one request; at least 1.
    """

    def __init__(
        self,
        bucket: Bucket,
        send: Callable[[Sequence[Item], Urgency], Awaitable[Sequence[Result]]],
        most: Callable[[Sequence[Item]], int] = len,
    ) -> None:
        self._bucket = bucket
        self._send = send
        self._most = most
        self._line: list[_Wanted[Item, Result]] = []
        self._joined_at = 0.0
        self._turn: Turn | None = None
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, item: Item, urgency: Urgency) -> Result:
        """The result for this item.

        Raises:
            ProviderError: what its request came to.
        """
        self._joined_at = asyncio.get_running_loop().time()
        wanted: _Wanted[Item, Result] = _Wanted(item, urgency, self._joined_at)
        self._line.append(wanted)
        if self._turn is not None:
            self._bucket.hurry(self._turn, urgency)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await wanted.result

    async def _work(self) -> None:
        """Make requests until nobody waits. Whatever goes wrong, nobody is left waiting."""
        batch: list[_Wanted[Item, Result]] = []
        try:
            while self._waiting():
                await self._linger()
                await self._wait_for_turn()
                batch = self._next()
                if batch:
                    await self._deliver(batch)
        except Exception as error:  # noqa: BLE001 - a silenced account, or a defect: all hear of it; the next call begins anew
            _fail([*batch, *self._line], error)

    def _waiting(self) -> bool:
        """Whether anybody is still interested. Who gave up is taken off the line."""
        self._line = [wanted for wanted in self._line if not wanted.result.done()]
        return bool(self._line)

    async def _linger(self) -> None:
        """Let others join while requests are scarce, until nobody does, the request is full, or it takes too long."""
        clock, interval = asyncio.get_running_loop().time, min(self._bucket.interval, SLOWEST)
        latest = min(wanted.at for wanted in self._line) + LONGEST_LINGER * interval
        while self._bucket.scarce and not self._full():
            pause = min(latest, self._joined_at + QUIET * interval) - clock()
            if pause <= 0.0:
                return
            await asyncio.sleep(min(pause, interval / 2))

    def _full(self) -> bool:
        return self._most([wanted.item for wanted in self._line]) < len(self._line)

    async def _wait_for_turn(self) -> None:
        self._turn = self._bucket.queue(min(wanted.urgency for wanted in self._line))
        try:
            await self._turn
        finally:
            self._turn = None

    def _next(self) -> list[_Wanted[Item, Result]]:
        """As much as fits into one request, the most urgent first."""
        if not self._waiting():
            return []
        self._line.sort(key=lambda wanted: wanted.urgency)
        size = max(1, self._most([wanted.item for wanted in self._line]))
        batch, self._line = self._line[:size], self._line[size:]
        return batch

    async def _deliver(self, batch: Sequence[_Wanted[Item, Result]]) -> None:
        """Send a batch whose turn has come, and tell everybody what came of it."""
        urgency = min(wanted.urgency for wanted in batch)
        try:
            results = await self._send([wanted.item for wanted in batch], urgency)
        except RateLimited as error:
            await self._again(batch, error)
        except (Fenced, Permanent) as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            await self._split(batch, urgency)
        except Exception as error:  # noqa: BLE001 - everybody who waits has to hear of it, and the worker lives on
            _fail(batch, error)
        else:
            for wanted, result in zip(batch, results, strict=True):
                if not wanted.result.done():
                    wanted.result.set_result(result)

    async def _split(self, batch: Sequence[_Wanted[Item, Result]], urgency: Urgency) -> None:
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            await self._bucket.take(urgency)
            still = [wanted for wanted in half if not wanted.result.done()]
            if still:
                await self._deliver(still)

    async def _again(self, batch: Sequence[_Wanted[Item, Result]], error: RateLimited) -> None:
        """A throttled request had no effect: its items line up again, in front, unless that would take too long."""
        for wanted in batch:
            wanted.tried += 1
        pause = pause_after(error, max(wanted.tried for wanted in batch))
        if pause > LONGEST_PAUSE:
            _fail([*batch, *self._line], error)
            return
        tired = [wanted for wanted in batch if wanted.tried >= TRIES]
        _fail(tired, error)
        self._line = [*(wanted for wanted in batch if wanted not in tired), *self._line]
        if self._line:
            await asyncio.sleep(pause)


def _fail(batch: Sequence[_Wanted[Item, Result]], error: Exception) -> None:
    for wanted in batch:
        if not wanted.result.done():
            wanted.result.set_exception(_copy(error))


def _copy(error: Exception) -> Exception:
    """An error of one's own for each who waits: raising one object in many tasks would mix their tracebacks."""
    if not isinstance(error, ProviderError):
        return error
    copy = type(error)(error.detail, reason=error.reason, remedy=error.remedy)
    if isinstance(copy, RateLimited) and isinstance(error, RateLimited):
        copy.retry_after = error.retry_after
    copy.__cause__ = error
    return copy
