"""Whatever waits or runs for ever is ended, and fails its test."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise inside once these are over. For the main thread, and for what holds it up: nothing else could end that."""

    def give_up(*_: object) -> None:
        raise AssertionError(f"it does not end within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Look now and then until the condition holds, which no object of ours can be waited for."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event of its own
            await asyncio.sleep(0.002)  # what it waits for needs the processor more
