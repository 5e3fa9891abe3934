"""The clock that the scenarios play on, held against what it promises."""

import asyncio
import time

import pytest
from support.virtual import until, virtually

from failoverd.simulation.virtual_time import START, Deadlock, LeftOver, VirtualLoop, VirtualTimetable, elapse, now, run


def test_an_hour_costs_nothing_and_is_exact() -> None:
    async def scenario() -> float:
        await asyncio.gather(*(elapse(seconds) for seconds in (0.1, 0.2, 3_600.0)))
        return now()

    begun = time.monotonic()
    assert run(scenario()) == START + 3_600.0
    assert time.monotonic() - begun < 1.0


def test_waiting_for_what_cannot_happen_is_a_deadlock_that_names_who_waits() -> None:
    async def scenario() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="scenario"):
        run(scenario())


def test_waiting_for_ever_beside_a_clock_that_ticks_is_one_too() -> None:
    async def scenario() -> None:
        async def tick() -> None:
            """Nothing."""

        VirtualTimetable().every("tick", 3_600.0, tick)
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="virtual time"):
        run(scenario())


def test_a_task_that_is_left_over_fails_the_scenario() -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().create_task(elapse(10), name="forgotten")
        await asyncio.sleep(0)

    with pytest.raises(LeftOver, match="forgotten"):
        run(scenario())


def test_an_error_in_a_task_that_nobody_asked_fails_the_scenario() -> None:
    async def crash() -> None:
        raise ValueError("unheard")

    async def scenario() -> None:
        task = asyncio.get_running_loop().create_task(crash())
        await elapse(1.0)
        del task

    with pytest.raises(LeftOver, match="unheard"):
        run(scenario())


@virtually
async def test_a_condition_is_seen_at_the_very_moment() -> None:
    seen: list[float] = []
    asyncio.get_running_loop().call_later(12.345, seen.append, 1.0)
    assert await until(lambda: seen) == START + 12.345
    with pytest.raises(AssertionError, match="did not come true within 5s"):
        await until(lambda: False, within=5.0)


@virtually
async def test_its_timetable_keeps_the_promises_of_the_real_one() -> None:
    table, runs = VirtualTimetable(), [0, 0]

    async def one() -> None:
        runs[0] += 1

    async def other() -> None:
        runs[1] += 1

    cancel = table.every("tick", 10.0, one, phase=5.0)
    await elapse(24.9)
    assert runs == [2, 0]
    again = table.every("tick", 10.0, other)
    cancel()
    await elapse(10.1)
    assert runs == [2, 2]
    again()
    again()
    await elapse(60.0)
    assert runs == [2, 2]
    await table.close()


@virtually
async def test_what_is_due_at_one_moment_happens_in_the_order_in_which_it_was_asked_for() -> None:
    loop, happened = asyncio.get_running_loop(), list[int]()
    for number in range(100):
        loop.call_at(START + 10.0, happened.append, number)
        loop.call_at(START + 10.0 - 0.001 * number, happened.append, -1).cancel()
    await elapse(10.0)
    await asyncio.sleep(0)
    assert happened == list(range(100))


@virtually
async def test_a_timetable_goes_on_in_its_rhythm_after_a_leap() -> None:
    loop, timetable, ran = asyncio.get_running_loop(), VirtualTimetable(), list[float]()
    assert isinstance(loop, VirtualLoop)

    async def work() -> None:
        ran.append(now() - START)

    timetable.every("work", 30.0, work, phase=7.0)
    await elapse(40.0)
    loop.leap(START + 1_000.0)
    timetable.leap()
    await elapse(60.0)
    assert ran == [7.0, 37.0, 1_027.0, 1_057.0]
    await timetable.close()
