"""Values that many want to have written at once: what comes while one write is under way goes together in the next."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from support.coordinating import PaperQuorum
from support.stage import AZURE, LIVE, playing, policy, target
from support.trio import LEASE, NAMES, Trio
from support.virtual import until, virtually

from failoverd.core.control.plan import Plan
from failoverd.core.control.state import key_of
from failoverd.core.errors import CoordinationError
from failoverd.runtime.members.gathered_writes import TOGETHER, GatheredWrites
from failoverd.simulation.virtual_time import elapse
from failoverd.simulation.world import Does


@dataclass
class Desk:
    """Writes take a second each. `refused` are names that are not written, `lost` the writes that nobody hears of."""

    writes: list[tuple[dict[str, str], int]] = field(default_factory=list)
    refused: Collection[str] = ()
    lost: Collection[int] = ()

    async def write(self, values: Mapping[str, str], epoch: int) -> Collection[str]:
        self.writes.append((dict(values), epoch))
        number = len(self.writes)
        await elapse(1.0)
        if number in self.lost:
            raise CoordinationError("nobody answers", reason="timeout")
        return values.keys() - set(self.refused)


@asynccontextmanager
async def gathering(desk: Desk) -> AsyncIterator[GatheredWrites]:
    found = GatheredWrites(desk.write)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@virtually
async def test_who_comes_alone_is_written_at_once_and_who_comes_meanwhile_goes_together() -> None:
    desk = Desk()
    async with gathering(desk) as found:
        first = asyncio.create_task(found.put({"a": "1"}, 7))
        await elapse(0.5)
        others = [asyncio.create_task(found.put({name: "1", f"{name}/x": "2"}, 7)) for name in "bcd"]
        assert await asyncio.gather(first, *others) == [True] * 4
    assert [len(values) for values, _ in desk.writes] == [1, 6]


@virtually
async def test_of_two_values_for_one_place_the_later_one_is_written_and_both_hear_of_it() -> None:
    desk = Desk()
    async with gathering(desk) as found:
        first = asyncio.create_task(found.put({"a": "1"}, 7))
        await elapse(0.5)
        later = [asyncio.create_task(found.put({"a": value}, 7)) for value in "23"]
        assert await asyncio.gather(first, *later) == [True] * 3
    assert desk.writes == [({"a": "1"}, 7), ({"a": "3"}, 7)]


@virtually
async def test_no_value_is_written_in_another_epoch_than_it_was_said_in() -> None:
    desk = Desk()
    async with gathering(desk) as found:
        first = asyncio.create_task(found.put({"a": "1"}, 7))
        await elapse(0.5)
        old = asyncio.create_task(found.put({"b": "old", "c": "old"}, 7))
        await elapse(0.1)
        new = asyncio.create_task(found.put({"b": "new"}, 9))
        assert [await each for each in (first, old, new)] == [True, False, True]
    assert desk.writes == [({"a": "1"}, 7), ({"b": "new"}, 9), ({"c": "old"}, 7)]


@virtually
async def test_who_is_refused_hears_it_and_keeps_no_other_from_being_written() -> None:
    desk = Desk(refused={"b"})
    async with gathering(desk) as found:
        both = [asyncio.create_task(found.put({name: "1"}, 7)) for name in "ab"]
        assert [await each for each in both] == [True, False]


@virtually
async def test_a_write_of_which_nobody_hears_was_not_done_and_the_next_one_goes_on() -> None:
    desk = Desk(lost={1})
    async with gathering(desk) as found:
        assert not await found.put({"a": "1"}, 7)
        assert await found.put({"a": "1"}, 7)


@virtually
async def test_more_than_fits_goes_in_the_order_in_which_it_came() -> None:
    desk = Desk()
    names = [f"p{number:03}" for number in range(2 * TOGETHER + 1)]
    async with gathering(desk) as found:
        assert all(await asyncio.gather(*(found.put({name: "1"}, 7) for name in names)))
    assert [name for values, _ in desk.writes for name in values] == names
    assert max(len(values) for values, _ in desk.writes) == TOGETHER


@virtually
async def test_who_gives_up_waiting_keeps_nothing_from_being_written() -> None:
    desk = Desk()
    async with gathering(desk) as found:
        first = asyncio.create_task(found.put({"a": "1"}, 7))
        await elapse(0.5)
        hasty, patient = (asyncio.create_task(found.put({name: "1"}, 7)) for name in "bc")
        await elapse(0.6)
        hasty.cancel()
        assert await first
        assert await patient
    assert desk.writes[1] == ({"b": "1", "c": "1"}, 7)


@virtually
async def test_many_policies_that_lose_a_region_say_so_in_few_writes_and_each_before_it_is_sent() -> None:
    often = replace(LIVE, every=1.0, timeout=0.5)
    policies = [policy(f"p{number:02}", checks=(often,)) for number in range(30)]
    found = Trio(quorum=PaperQuorum(LEASE, latency=0.05))
    intended: list[bool] = []

    def intends(plan: Plan) -> None:
        said = found.quorum.kept[f"shared/states/{plan.target.policy}/{key_of(plan.target)}"]
        intended.append(plan.id in said.value.decode())

    async with AsyncExitStack() as stack:
        for name in NAMES:
            await stack.enter_async_context(playing(*policies, stage=found.made(name)))
        await until(lambda: found.leaders)
        await until(lambda: all(found.leader.shares(each) == {"azure": 70.0, "oci": 30.0} for each in policies))
        await elapse(30.0)
        began = found.quorum.revision
        found.journals[found.leaders[0]].heard = intends
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: all(found.leader.shares(each) == {"oci": 100.0} for each in policies))
        await elapse(10.0)
        said = [each for each in found.quorum.since(began) if each.key.startswith("shared/states/")]
        assert {each.key for each in said} >= {f"shared/states/{each.name}/{key_of(target(each))}" for each in policies}
        assert len({each.version for each in said}) <= len(policies)
        assert intended == [True] * len(policies)
