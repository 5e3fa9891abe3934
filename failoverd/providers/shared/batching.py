"""Calls that are wanted at the same time, made as one: so a region's failure in a thousand records costs few requests.

While a request waits for its turn, or is under way, what else is wanted lines up and goes with the next one, the most
urgent first. At most one request of a batcher is under way, so it also is the one writer of its zone. Who joins makes
what is waited for as urgent as itself.

Where an account allows few requests, one that is half empty delays everything after it. So there, a request also waits
while others keep lining up, for no longer than a few requests take: a failing region is seen by one policy after the
other, and what is read in pages becomes writes page by page. One that is full waits for nobody. A read that many share
also waits where nobody loses by it (`gathering.py`).

A batch that the cloud rejects as a whole is split in halves until the bad record stands alone, so that it fails alone.
A batch whose outcome is not known is not sent again: each caller finds out by reading what became of its own part.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from failoverd.core.errors import Fenced, Permanent, ProviderError, RateLimited
from failoverd.ports import Urgency
from failoverd.providers.shared.account import TRIES, pause_after
from failoverd.providers.shared.bucket import Bucket, Ticket
from failoverd.providers.shared.gathering import Changes
from failoverd.providers.shared.throttling import THROTTLED, Throttle, patience

QUIET: Final = 2.0
"""Nobody has lined up for as long as so many requests take: then nobody is about to."""

LONGEST_LINGER: Final = 10.0
"""A request waits for others no longer than so many requests take."""

SLOWEST: Final = 0.2
"""Seconds that a request is taken to cost at most, however few are allowed: traffic off a failed region cannot wait."""

_GLANCE: Final = 0.02
"""Seconds after which it is looked again whether it still pays to wait for others."""

Item = TypeVar("Item")
Result = TypeVar("Result")

Send = Callable[[Sequence[Item], Ticket], Awaitable[Sequence[Result | ProviderError]]]


@dataclass(slots=True, eq=False)
class _Wanted(Generic[Item, Result]):
    """One caller's part, in line since `at`. `tried` counts requests that were throttled.

    `proof`: it wants to see what it has written.
    """

    item: Item
    urgency: Urgency
    at: float
    proof: bool
    result: "asyncio.Future[Result]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    tried: int = 0


class Batcher(Generic[Item, Result]):
    """Makes batches of calls of one kind.

    Args:
        bucket: where the turn of each request is waited for.
        send: makes one request for some items, and returns a result or a failure for each, in their order. The turn of
            the first request has come; a read that takes more of them waits for theirs with the same ticket. It raises
            Fenced or Permanent when nothing was done for any of the items.
        most: how many of these items, from the front, fit into one request; at least 1.
        splits: whether a rejection may concern some of the items only, so that it pays to send them in halves.
        changes: for reads that one request answers the cheaper, the more there are: what is being changed meanwhile.
    """

    def __init__(
        self,
        bucket: Bucket,
        send: "Send[Item, Result]",
        most: Callable[[Sequence[Item]], int] = len,
        *,
        splits: bool = True,
        changes: Changes | None = None,
    ) -> None:
        self._bucket = bucket
        self._send = send
        self._most = most
        self._splits = splits
        self._changes = changes
        self._clock = asyncio.get_running_loop().time
        self._line: list[_Wanted[Item, Result]] = []
        self._joined = asyncio.Event()
        self._joined_at = 0.0
        self._busy = Throttle()  # of the zone; that of the account is the bucket's business
        self._excuse: RateLimited | None = None  # why the zone is busy
        self._ticket: Ticket | None = None
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, item: Item, urgency: Urgency, *, proof: bool = False) -> Result:
        """The result for this item. `proof`: a read of what its caller has written.

        Raises:
            ProviderError: what its request came to.
        """
        self._joined_at = self._clock()
        wanted: _Wanted[Item, Result] = _Wanted(item, urgency, self._joined_at, proof)
        self._line.append(wanted)
        self._joined.set()
        if self._ticket is not None:
            self._ticket.hurry(urgency)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await wanted.result

    async def _work(self) -> None:
        """Make requests until nobody waits. Whatever goes wrong, nobody is left waiting."""
        batch: list[_Wanted[Item, Result]] = []
        try:
            while await self._rested():
                await self._linger()
                ticket = await self._called(min(wanted.urgency for wanted in self._line))
                batch = self._next() if ticket is not None else []
                if ticket is not None and batch:
                    await self._deliver(batch, ticket)
                self._ticket = None
        except Exception as error:  # noqa: BLE001 - a defect: all hear of it, and the next call begins anew
            self._ticket = None
            _fail([*batch, *self._line], error)

    def _waiting(self) -> bool:
        """Whether anybody is still interested. Who gave up is taken off the line."""
        self._line = [wanted for wanted in self._line if not wanted.result.done()]
        return bool(self._line)

    async def _rested(self) -> bool:
        """Leave a busy zone alone, for as long as the most urgent in line has to. Whether anybody still waits then."""
        while self._waiting():
            if self._excuse is not None:
                self._send_away(self._excuse)
            now, still = self._clock(), (wanted.urgency for wanted in self._line if not wanted.result.done())
            pause = min((self._busy.wait(urgency, now) for urgency in still), default=0.0)
            if pause <= 0.0:
                return self._waiting()
            self._joined.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._joined.wait()
        return False

    async def _linger(self) -> None:
        """Let others join until it does not pay any more, or the request is full."""
        interval = min(self._bucket.interval, SLOWEST)
        while not self._full():
            pause = self._latest(interval) - self._clock()
            if pause <= 0.0:
                return
            await asyncio.sleep(min(pause, max(interval / 2, _GLANCE)))

    def _latest(self, interval: float) -> float:
        """Until when others may join, as things are now. `interval`: seconds that a request is taken to cost."""
        begun = latest = min(wanted.at for wanted in self._line)
        if self._bucket.scarce:
            latest = min(begun + LONGEST_LINGER * interval, self._joined_at + QUIET * interval)
        if self._changes is not None:
            latest = max(latest, begun + self._changes.patience(proofs=all(wanted.proof for wanted in self._line)))
        return latest

    def _full(self) -> bool:
        return self._most([wanted.item for wanted in self._line]) < len(self._line)

    async def _called(self, urgency: Urgency) -> Ticket | None:
        """A ticket whose turn has come. None where the account is silent for too long, which is told to the line."""
        ticket = self._ticket = Ticket(self._bucket, urgency)
        try:
            await ticket.ready()
        except RateLimited as error:
            self._send_away(error)
            return None
        return ticket

    def _next(self) -> list[_Wanted[Item, Result]]:
        """As much as fits into one request, the most urgent first."""
        if not self._waiting():
            return []
        self._line.sort(key=lambda wanted: wanted.urgency)
        size = max(1, self._most([wanted.item for wanted in self._line]))
        batch, self._line = self._line[:size], self._line[size:]
        return batch

    async def _deliver(self, batch: Sequence[_Wanted[Item, Result]], ticket: Ticket) -> None:
        """Send a batch whose turn has come, and tell everybody what came of it."""
        sent_at = self._clock()
        self._busy.send(sent_at)
        try:
            results = await self._send([wanted.item for wanted in batch], ticket)
        except RateLimited as error:
            self._again(batch, error)
        except (Fenced, Permanent) as error:
            self._busy.take(sent_at)
            if self._splits and len(batch) > 1:
                await self._split(batch)
                return
            _fail(batch, error)
        except Exception as error:  # noqa: BLE001 - everybody who waits has to hear of it, and the worker lives on
            _fail(batch, error)
        else:
            self._busy.take(sent_at)
            for wanted, result in zip(batch, results, strict=True):
                if isinstance(result, ProviderError):
                    _fail([wanted], result)
                elif not wanted.result.done():
                    wanted.result.set_result(result)

    async def _split(self, batch: Sequence[_Wanted[Item, Result]]) -> None:
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            ticket = await self._called(min(wanted.urgency for wanted in half))
            still = [wanted for wanted in half if not wanted.result.done()]
            if ticket is None:
                self._line = [*still, *self._line]
            elif still:
                await self._deliver(still, ticket)

    def _again(self, batch: Sequence[_Wanted[Item, Result]], error: RateLimited) -> None:
        """A throttled request had no effect: its items line up again, in front, unless that would take too long."""
        for wanted in batch:
            wanted.tried += 1
        if error.reason != THROTTLED:
            self._excuse = error
            self._busy.ask(pause_after(error, max(wanted.tried for wanted in batch)), self._clock())
        self._line = [*batch, *self._line]
        self._send_away(error)

    def _send_away(self, error: RateLimited) -> None:
        """Who was throttled too often, or would wait for too long, hears of it, and when to come back."""
        now, account = self._clock(), error.reason == THROTTLED
        for wanted in self._line:
            urgency = wanted.urgency
            wait = self._bucket.silence(urgency) if account else self._busy.wait(urgency, now)
            if wanted.tried >= TRIES or wait > patience(urgency):
                _fail([wanted], error, wait)


def _fail(batch: Sequence[_Wanted[Item, Result]], error: Exception, retry_after: float | None = None) -> None:
    """An error of one's own for each who waits: raising one object in many tasks would mix their tracebacks."""
    for wanted in batch:
        if not wanted.result.done():
            wanted.result.set_exception(_copy(error, retry_after))


def _copy(error: Exception, retry_after: float | None) -> Exception:
    if not isinstance(error, ProviderError):
        return error
    copy = type(error)(error.detail, reason=error.reason, remedy=error.remedy)
    if isinstance(copy, RateLimited) and isinstance(error, RateLimited):
        copy.retry_after = error.retry_after if retry_after is None else retry_after
    copy.__cause__ = error
    return copy
