"""Two writers that read the same generation and both try to write the next one, over and over."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from support.contract import VALUES, approved, planned, publish, target, wish
from support.fuzzing import SOAK

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Fenced
from failoverd.core.records import Observed, RecordType
from failoverd.ports import Provider

ROUNDS = 40 * SOAK
"""The fence is the same in each of them; `make soak` has two thousand."""

NAMES, EACH = 5, 20 * SOAK
"""At once: a server that writes waits for its disk, and takes in meanwhile what else has come."""

VALUE = VALUES[RecordType.A]


async def races(
    opened: Callable[[], AbstractAsyncContextManager[Provider]], name: str, *, rounds: int = ROUNDS
) -> None:
    """Race two providers for as many rounds. In each one of them wins, and what it wrote is what stands there."""
    at = target(name)
    async with opened() as one, opened() as other:
        await publish(one, at, VALUE[2])
        seen = await one.read(at)
        assert seen == await other.read(at)
        wins = [0, 0]
        for generation in range(2, rounds + 2):
            plans = _rivals(one, other, seen, generation)
            winner = await _race((one, other), plans, first=generation % 3 == 0)
            seen = await (one, other)[generation % 2].read(at)
            assert (seen.records, seen.marker) == (plans[winner].after, plans[winner].marker)
            wins[winner] += 1
    assert sum(wins) == rounds
    assert min(wins) > 0, "one of the writers never won: that was no race"


async def races_at_once(opened: Callable[[], AbstractAsyncContextManager[Provider]], name: str) -> None:
    """At several names at the same time."""
    async with asyncio.TaskGroup() as everywhere:
        for number in range(NAMES):
            everywhere.create_task(races(opened, f"{number}{name}", rounds=EACH))


def _rivals(one: Provider, other: Provider, seen: Observed, generation: int) -> tuple[Plan, Plan]:
    """Two plans from the same generation to the next, with different answers."""
    at = seen.target
    first, second = VALUE[generation % 2], VALUE[(generation + 1) % 2]
    plans = (
        planned(seen, wish(one, at, first, ttl=generation)),
        planned(seen, wish(other, at, second, ttl=generation)),
    )
    assert [plan.generation for plan in plans] == [generation, generation]
    return plans


async def _race(writers: tuple[Provider, Provider], plans: tuple[Plan, Plan], *, first: bool) -> int:
    """Which of the two won. Whoever sends first is likelier to, so each `first` gets its turns."""
    order = (int(first), int(not first))
    applying = (writers[index].apply(approved(plans[index])) for index in order)
    results = await asyncio.gather(*applying, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == [Fenced.__name__, "NoneType"]
    return order[results.index(None)]
