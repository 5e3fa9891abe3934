"""Much that is told at once, without holding up everybody else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeVar

T = TypeVar("T")

AT_ONCE: Final = 64
"""Changes that are taken up in one turn of the event loop: some milliseconds."""


async def with_pauses(changes: AsyncIterator[T]) -> AsyncIterator[T]:
    """The same, with a pause after some: what has arrived already is read without one.

    When a region fails under a thousand policies their ballots come by the hundred, and a lease has to be renewed.
    """
    told = 0
    async for change in changes:
        yield change
        told += 1
        if told % AT_ONCE == 0:
            await asyncio.sleep(0)
