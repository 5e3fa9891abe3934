"""Scenarios on a virtual clock: tests that are coroutines, and conditions that they wait for."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from failoverd.simulation.virtual_time import VirtualLoop, now, run

P = ParamSpec("P")


def virtually(scenario: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that is a coroutine, played by `run`."""

    @wraps(scenario)
    def play(*args: P.args, **kwargs: P.kwargs) -> None:
        run(scenario(*args, **kwargs))

    return play


async def until(condition: Callable[[], object], *, within: float = 600.0) -> float:
    """Let virtual time pass until the condition holds, to the very moment; fails after `within` seconds of it."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    try:
        async with asyncio.timeout(within):
            await loop.expect(condition)
    except TimeoutError:
        raise AssertionError(f"it did not come true within {within:g}s") from None
    return now()
