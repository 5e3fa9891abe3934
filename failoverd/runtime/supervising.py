"""Tasks that never end, kept alive. One that crashes is started again; all the others go on meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from failoverd.core.errors import describe
from failoverd.core.events import TaskCrashed
from failoverd.ports import Clock, Emit

FIRST_DELAY: Final = 0.5
LONGEST_DELAY: Final = 30.0
CALM: Final = 60.0
"""A task that ran this long before it crashed starts again from the first delay."""


CHANCE: Final = random.Random()  # noqa: S311 - spreads load, keeps no secret


def backoff(
    attempt: int, *, first: float = FIRST_DELAY, longest: float = LONGEST_DELAY, chance: random.Random = CHANCE
) -> float:
    """Seconds before try number `attempt` (1 is the first repeat): doubling, capped, with half of it jittered."""
    ceiling = min(longest, first * 2.0 ** min(attempt - 1, 16))
    return ceiling / 2 + chance.uniform(0, ceiling / 2)


async def supervise(
    name: str,
    work: Callable[[], Awaitable[None]],
    emit: Emit,
    clock: Clock,
    *,
    policy: str = "",
    chance: random.Random = CHANCE,
) -> None:
    """Run `work` for ever. It is meant to be endless, so returning counts as a crash, too.

    So does a cancellation that did not come from whoever holds this task: a library may cancel its own futures.
    """
    attempt = 0
    while True:
        started = clock()
        try:
            await work()
            error = "it returned, and it is meant to be endless"
        except asyncio.CancelledError as caught:
            if _asked_to_end():
                raise
            error = describe(caught)  # some future inside was cancelled, and nobody meant this task
        except Exception as caught:  # noqa: BLE001 - the boundary that keeps a defect in one task out of the others
            error = describe(caught)
        attempt = 1 if clock() - started > CALM else attempt + 1
        delay = backoff(attempt, chance=chance)
        emit(TaskCrashed(at=clock(), policy=policy, task=name, error=error, restart_in=delay))
        await asyncio.sleep(delay)


def _asked_to_end() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
