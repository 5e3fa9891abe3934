"""Naps end when something is due, when there is news, and after a minute in any case."""

import asyncio

import pytest
from support.virtual import virtually

from failoverd.runtime.naps import LONGEST, Nap
from failoverd.simulation.virtual_time import elapse, now


@pytest.mark.parametrize(("due", "slept"), [(20.0, 20.0), (-5.0, 0.0), (7_200.0, LONGEST), (None, LONGEST)])
def test_a_nap_is_as_long_as_nothing_is_due_and_never_long(due: float | None, slept: float) -> None:
    @virtually
    async def scenario() -> None:
        began, nap = now(), Nap(now)
        await nap.until(began + due if due is not None else None)
        assert now() - began == slept
        assert nap.timer is None

    scenario()


@virtually
async def test_news_ends_it() -> None:
    began, nap = now(), Nap(now)
    sleeping = asyncio.create_task(nap.until(None))
    await elapse(10.0)
    nap.wake()
    await sleeping
    assert now() - began == 10.0


@virtually
async def test_news_that_came_during_the_work_is_not_slept_through() -> None:
    began, nap = now(), Nap(now)
    nap.begin()
    nap.wake()
    await nap.until(None)
    assert now() == began
