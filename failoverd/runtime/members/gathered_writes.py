"""Values that many want to have written at once: gathered, and written together.

When a region fails under a thousand policies, each of them says what it is about to do, and a coordinator takes about
as long for a hundred values as for one. So while one write is under way, what comes waits for the next; who comes
alone waits for nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from failoverd.core.errors import CoordinationError

TOGETHER: Final = 100
"""Values of one write, a transaction of etcd. Who waits for some of them waits for all of these."""

Write = Callable[[Mapping[str, str], int], Awaitable[Collection[str]]]
"""Writes values by name, by who leads in that epoch; gives the names of those that it wrote."""


@dataclass(slots=True)
class _Waiting:
    body: str
    epoch: int
    written: asyncio.Future[bool]


class GatheredWrites:
    """What waits to be written by `write`. `run` is endless."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: dict[str, _Waiting] = {}
        self._news = asyncio.Event()

    async def put(self, values: Mapping[str, str], epoch: int) -> bool:
        """Whether all of these were written, or what was to be written later in their place.

        Who gives up waiting keeps nothing from being written.
        """
        told = [self._wait(name, body, epoch) for name, body in values.items()]
        self._news.set()
        await asyncio.wait(told)
        return all(each.result() for each in told)

    def _wait(self, name: str, body: str, epoch: int) -> asyncio.Future[bool]:
        known = self._waiting.get(name)
        if known is not None and known.epoch == epoch:
            known.body = body
            return known.written
        if known is not None:
            known.written.set_result(False)  # who said it led then, and somebody else may have since
        self._waiting[name] = _Waiting(body, epoch, asyncio.get_running_loop().create_future())
        return self._waiting[name].written

    async def run(self) -> None:
        """Write what waits, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                await self._write_next()

    async def _write_next(self) -> None:
        """The first of it, as many as go together: no value is written in another epoch than it was said in."""
        epoch = next(iter(self._waiting.values())).epoch
        names = [name for name, each in self._waiting.items() if each.epoch == epoch][:TOGETHER]
        part = {name: self._waiting.pop(name) for name in names}
        done: Collection[str] = ()
        try:
            done = await self._write({name: each.body for name, each in part.items()}, epoch)
        except CoordinationError:  # nobody knows whether it was: it is said again with the next round
            pass
        finally:
            for name, each in part.items():
                each.written.set_result(name in done)
