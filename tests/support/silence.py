"""Silence costs no time: where an event loop would only wait for somebody who never answers, its clock goes on at once.

    with silence():
        await provider.read(target)  # fails after its five seconds, by the loop's clock

So a time-out can be long enough for the busiest machine, and the test of it is short all the same: which of two things
comes first is then decided by what happens, and not by how fast the machine is.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

GRACE = 0.05
"""Real seconds of waiting that are no silence yet: what was sent may still be on its way through the kernel."""


@contextmanager
def silence() -> Iterator[None]:
    """For asyncio's own loop. Whoever could answer has to be stopped, or to run on the same loop, and not in a thread.

    What has passed stays passed: no clock is ever set back.
    """
    loop: Any = asyncio.get_running_loop()
    selector, time, ahead = loop._selector, loop.time, 0.0
    select = selector.select

    def leap(timeout: float | None = None) -> list[Any]:
        nonlocal ahead
        found: list[Any] = select(timeout if timeout is None else min(timeout, GRACE))
        if timeout is not None and not found:
            ahead += max(0.0, timeout - GRACE)
        return found

    selector.select, loop.time = leap, lambda: time() + ahead
    try:
        yield
    finally:
        selector.select = select
