"""One timer for the deadlines of many things. Times are exact: the clock is virtual."""

import asyncio

import pytest
from support.virtual import virtually

from failoverd.deadlines import AT_ONCE, Deadlines
from failoverd.simulation.virtual_time import elapse, now


class Expired(dict[str, object]):
    """What expired, and when, from the beginning of the scenario."""

    def __init__(self) -> None:
        super().__init__()
        self._began = now()

    def deadlines(self, delay: float) -> Deadlines[str]:
        return Deadlines(asyncio.get_running_loop(), delay, self._expire)

    def _expire(self, thing: str) -> None:
        self[thing] = pytest.approx(now() - self._began)


@virtually
async def test_each_thing_expires_at_its_own_time() -> None:
    expired = Expired()
    deadlines = expired.deadlines(2.0)
    for thing in ("a", "b", "c"):
        deadlines.set(thing)
        await elapse(0.5)
    await elapse(5)
    assert expired == {"a": 2.0, "b": 2.5, "c": 3.0}


@virtually
async def test_a_deadline_that_is_lifted_never_comes_and_holds_up_nobody() -> None:
    expired = Expired()
    deadlines = expired.deadlines(1.0)
    deadlines.set("over")
    await elapse(0.1)
    deadlines.set("waiting")
    deadlines.lift("over")
    deadlines.lift("over")
    await elapse(5)
    assert expired == {"waiting": 1.1}


@virtually
async def test_a_deadline_that_is_set_again_is_put_off_behind_the_others() -> None:
    expired = Expired()
    deadlines = expired.deadlines(1.0)
    deadlines.set("a")
    await elapse(0.2)
    deadlines.set("b")
    await elapse(0.2)
    deadlines.set("a")
    await elapse(5)
    assert expired == {"b": 1.2, "a": 1.4}


@virtually
async def test_what_expires_may_begin_anew() -> None:
    times: list[float] = []

    def again(thing: str) -> None:
        times.append(now())
        if len(times) < 4:
            deadlines.set(thing)

    deadlines = Deadlines(asyncio.get_running_loop(), 0.5, again)
    began = now()
    deadlines.set("a")
    await elapse(5)
    assert [at - began for at in times] == pytest.approx([0.5, 1.0, 1.5, 2.0])


@virtually
async def test_what_begins_anew_does_not_hold_up_those_behind_it() -> None:
    expired: list[tuple[str, float]] = []

    def again(thing: str) -> None:
        expired.append((thing, now() - began))
        if thing == "a" and len(expired) < 3:
            deadlines.set(thing)

    deadlines = Deadlines(asyncio.get_running_loop(), 1.0, again)
    began = now()
    deadlines.set("a")
    await elapse(0.1)
    deadlines.set("b")
    await elapse(5)
    assert [thing for thing, _ in expired] == ["a", "b", "a"]
    assert [at for _, at in expired] == pytest.approx([1.0, 1.1, 2.0])


@virtually
async def test_a_thousand_deadlines_have_one_timer_and_closing_leaves_none() -> None:
    expired = Expired()
    deadlines = expired.deadlines(1.0)
    loop = asyncio.get_running_loop()
    before = len(loop.timers())  # type: ignore[attr-defined]
    for number in range(1_000):
        deadlines.set(str(number))
    assert len(loop.timers()) == before + 1  # type: ignore[attr-defined]
    deadlines.close()
    assert len(loop.timers()) == before  # type: ignore[attr-defined]
    await elapse(5)
    assert expired == {}


@virtually
async def test_of_many_that_are_due_some_expire_in_each_turn_of_the_loop() -> None:
    """A process that was held up finds thousands of them due, and others want their turn as well."""
    expired = Expired()
    deadlines = expired.deadlines(1.0)
    for number in range(2 * AT_ONCE + 1):
        deadlines.set(str(number))
    seen = set[int]()
    while len(expired) < 2 * AT_ONCE + 1:
        await elapse(0.0 if expired else 1.0)
        seen.add(len(expired))
    assert {AT_ONCE, 2 * AT_ONCE} <= seen
    assert all(when == 1.0 for when in expired.values())
