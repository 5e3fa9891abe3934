"""One cloud account as failoverd uses it: who may call now, how many at once, and what happens when a call fails.

A cloud rations requests by account, so everything that one provider entry does goes through one `Account`:

- a token bucket at the documented rate (`bucket.py`). When it is empty, callers wait in the order of their urgency:
  what moves traffic off a failed region goes before every other change, and that before routine looks; and of what is
  as urgent, the policy of the higher tier goes first;
- a bounded pool of threads, for the SDKs are synchronous, handed out in the same order. Their own retries are off and
  their time-outs short;
- the one retry layer. A read that failed is tried again a few times, jittered. A request that was throttled had no
  effect, so it is tried again when the cloud says so, and until then the account is left alone, but for the careful
  trials of what is urgent (`throttling.py`). A write is never repeated blindly: what became of it is found out by
  reading, which is the caller's work.

Errors are turned into the four kinds by the provider, inside the call that it hands in.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from failoverd.core.errors import ProviderError, RateLimited, Transient
from failoverd.ports import Urgency
from failoverd.providers.shared.bucket import Bucket, Rate, Ticket, UrgencySemaphore
from failoverd.providers.shared.gathering import Changes
from failoverd.providers.shared.throttling import FIRST_TRIAL, LONGEST_TRIAL, THROTTLED, patience

T = TypeVar("T")

TRIES: Final = 3
"""How often a read, or a request that was throttled, is sent before the round is given up."""

_FIRST_PAUSE: Final = 0.2

Caller = Urgency | Ticket
"""On whose behalf a request is made: of one call, or of a batch, whose ticket has its turn already."""


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
        self.changes = Changes(self.writes)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="account")
        self._threads = UrgencySemaphore(threads)

    async def read(self, caller: Caller, call: Callable[[], T]) -> T:
        """Run a reading call in a thread when its turn comes, and again when it fails in passing.

        The first request of a batch is not sent again when it was throttled: the batch is, with what came meanwhile.

        Raises:
            ProviderError: as `call` raised it, on the last try.
        """
        ticket = _ticket(self.reads, caller)
        return await self._persist(ticket, call, (Transient,) if ticket.called else (RateLimited, Transient))

    async def write(self, caller: Caller, call: Callable[[], T]) -> T:
        """Run a writing call in a thread when its turn comes. Only a throttled one, without effect, is sent again.

        Raises:
            ProviderError: as `call` raised it.
        """
        ticket = _ticket(self.writes, caller)
        return await self._persist(ticket, call, () if ticket.called else (RateLimited,))

    def close(self) -> None:
        """Begin no more calls. Those under way end by their own time-outs."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _persist(self, ticket: Ticket, call: Callable[[], T], passing: tuple[type[ProviderError], ...]) -> T:
        tried = 0
        while True:
            await ticket.take()
            tried += 1
            try:
                return await self._call(ticket, call)
            except passing as error:
                throttled = error.reason == THROTTLED
                wait = ticket.bucket.silence(ticket.urgency) if throttled else pause_after(error, tried, ticket.urgency)
                if tried == TRIES or wait > patience(ticket.urgency):
                    if isinstance(error, RateLimited) and (throttled or error.retry_after is not None):
                        error.retry_after = wait if error.retry_after is None else min(error.retry_after, wait)
                    raise
            if not throttled:  # else it waits in the line of the bucket
                await asyncio.sleep(wait)

    async def _call(self, ticket: Ticket, call: Callable[[], T]) -> T:
        """Run a call whose turn has come, once. What it comes to tells how the cloud is, for everybody in the line."""
        loop = asyncio.get_running_loop()
        async with self._threads.held(ticket.urgency):
            sent_at = loop.time()
            try:
                result = await loop.run_in_executor(self._pool, call)
            except ProviderError as error:
                if error.reason == THROTTLED:
                    ticket.bucket.pause(pause_after(error, ticket.bucket.refused + 1))
                elif isinstance(error, Transient):
                    ticket.bucket.lost()
                else:
                    ticket.bucket.took(sent_at)
                raise
        ticket.bucket.took(sent_at)
        return result


@asynccontextmanager
async def account(reads: Rate, writes: Rate | None = None, *, threads: int = 8) -> AsyncIterator[Account]:
    """An account for as long as the context lasts."""
    opened = Account(reads, writes, threads=threads)
    try:
        yield opened
    finally:
        opened.close()


def pause_after(error: ProviderError, tried: int, urgency: Urgency = Urgency.ROUTINE) -> float:
    """Seconds to leave what failed alone: what was asked for, or doubling with half of it jittered."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return min(error.retry_after, FIRST_TRIAL) if urgency.fails_out else error.retry_after
    ceiling = min(_FIRST_PAUSE * 2.0**tried, LONGEST_TRIAL)
    return ceiling / 2 + random.uniform(0, ceiling / 2)  # noqa: S311 - spreads load, keeps no secret


def _ticket(bucket: Bucket, caller: Caller) -> Ticket:
    return caller if isinstance(caller, Ticket) else Ticket(bucket, caller)
