"""Much that is told at once is taken up in some turns of the event loop, and others have theirs in between."""

import asyncio
from collections.abc import AsyncIterator

from failoverd.coordination.pauses import AT_ONCE, with_pauses


async def _told(number: int) -> AsyncIterator[int]:
    for each in range(number):
        yield each


async def test_others_have_a_turn_after_some_changes() -> None:
    heard, seen = list[int](), list[int]()

    async def beat() -> None:
        while True:
            seen.append(len(heard))
            await asyncio.sleep(0)

    beating = asyncio.create_task(beat())
    async for change in with_pauses(_told(2 * AT_ONCE + 1)):
        heard.append(change)
    beating.cancel()
    assert heard == list(range(2 * AT_ONCE + 1))
    assert {AT_ONCE, 2 * AT_ONCE} <= set(seen)
