"""Waiting until all servers of Route 53 have a change."""

import asyncio
from itertools import pairwise

import pytest
from support.virtual import until, virtually

from failoverd.core.errors import Permanent
from failoverd.providers.route53.spreading import LONGEST_PAUSE, Spreading
from failoverd.simulation.virtual_time import START, now


class Servers:
    """They have a change after so many seconds. `asked` says which change was asked for when."""

    def __init__(self, *, after: float = 40.0) -> None:
        self.ready_at = START + after
        self.asked: list[tuple[str, float]] = []

    async def have(self, change_id: str) -> bool:
        self.asked.append((change_id, now() - START))
        return now() >= self.ready_at


@virtually
async def test_all_who_wait_for_one_change_ask_once_at_a_time_and_less_and_less_often() -> None:
    servers = Servers()
    spreading = Spreading(servers.have)
    await asyncio.gather(*(spreading.wait("C1") for _ in range(200)))
    times = [at for _, at in servers.asked]
    assert times[:4] == [0.0, 2.0, 5.0, 9.5]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert max(pauses) == LONGEST_PAUSE
    assert 40.0 <= times[-1] <= 40.0 + LONGEST_PAUSE


@virtually
async def test_each_change_is_asked_for_by_itself() -> None:
    servers = Servers(after=0.0)
    spreading = Spreading(servers.have)
    await asyncio.gather(spreading.wait("C1"), spreading.wait("C2"))
    assert sorted(servers.asked) == [("C1", 0.0), ("C2", 0.0)]


@virtually
async def test_one_who_gives_up_leaves_the_others_waiting() -> None:
    servers = Servers()
    spreading = Spreading(servers.have)
    impatient, patient = (asyncio.create_task(spreading.wait("C1")) for _ in range(2))
    await until(lambda: len(servers.asked) == 2)
    impatient.cancel()
    await patient
    assert impatient.cancelled()
    assert now() - START >= 40.0


@virtually
async def test_nobody_asks_when_nobody_waits_any_more() -> None:
    servers = Servers()
    spreading = Spreading(servers.have)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3.0):
            await spreading.wait("C1")
    await asyncio.sleep(100.0)
    assert [at for _, at in servers.asked] == [0.0, 2.0]


@virtually
async def test_a_failure_reaches_all_who_wait_and_the_next_one_asks_anew() -> None:
    answers = [False, None, True]

    async def done(change_id: str) -> bool:
        answer = answers.pop(0)
        if answer is None:
            raise Permanent(f"{change_id} is not known", reason="change_unknown")
        return answer

    spreading = Spreading(done)
    results = await asyncio.gather(*(spreading.wait("C1") for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Permanent] * 3
    await spreading.wait("C1")
    assert answers == []
