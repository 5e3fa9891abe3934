"""What `failoverctl` says of a member, and what it says at last."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from support.commands import answered
from support.three_clouds import ThreeClouds

T = TypeVar("T")


async def told(world: ThreeClouds, name: str, *words: str) -> dict[str, Any]:
    """What `failoverctl` prints of a member, as JSON."""
    seat = world.seats[name]
    found = await answered(*words, "--config", seat.host.seen(seat.config), "--output", "json")
    answer: dict[str, Any] = json.loads(found.out)
    return answer


async def awaited(ask: Callable[[], Awaitable[T]], right: Callable[[T], object]) -> T:
    """What is answered once it is right."""
    async with asyncio.timeout(30.0):
        while not right(answer := await ask()):  # noqa: ASYNC110 - it is another process that is asked
            await asyncio.sleep(0.2)
        return answer
