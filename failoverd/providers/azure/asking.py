"""Requests of one gathered read: the first has had its turn already, further ones wait for theirs.

A reading request that fails in passing is sent again a few times, jittered. One that was throttled is left to the
gathering, which puts everybody in line again.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from failoverd.core.errors import Transient
from failoverd.ports import Urgency
from failoverd.providers.account import TRIES, Account, pause_after

T = TypeVar("T")


class Asking:
    """Asks on behalf of one batch."""

    def __init__(self, account: Account, urgency: Urgency) -> None:
        self._account = account
        self._urgency = urgency
        self._turns = 1

    async def __call__(self, call: Callable[[], T]) -> T:
        """What `call` returns, run in a thread of the account.

        Raises:
            ProviderError: as `call` raised it, on the last try.
        """
        tried = 0
        while True:
            await self._turn()
            try:
                return await self._account.call(self._account.reads, call)
            except Transient as error:
                tried += 1
                if tried == TRIES:
                    raise
                pause = pause_after(error, tried)
            await asyncio.sleep(pause)

    async def _turn(self) -> None:
        if self._turns:
            self._turns -= 1
            return
        await self._account.reads.take(self._urgency)
