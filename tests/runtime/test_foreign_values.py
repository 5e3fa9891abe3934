"""What others wrote below the prefix of an installation: whatever it is, somebody leads and does what is to be done."""

import pytest
from support.stage import API, AZURE
from support.trio import LEASE, settled, trio
from support.virtual import until, virtually

from failoverd.core.events import CoordinatorLost, TaskCrashed
from failoverd.simulation.virtual_time import elapse
from failoverd.simulation.world import Does

LARGE = b"1" + b"0" * 400
"""A number that JSON can say, and no float is."""

VALUES = {
    "a large number": b'{"v":1,"number":%b,"at":%b,"body":{"number":%b,"told":[]}}' % (LARGE, LARGE, LARGE),
    "a process that began then": b'{"v":1,"number":1,"at":1,"run":{"began":%b,"journal":"j"}}' % LARGE,
    "an endless number": b'{"v":1,"number":1,"at":1e999,"body":{"number":1e999,"told":[]}}',
    "what is nested deeply": b"[" * 200_000,
    "bytes": b"\xff\xfe",
    "nothing": b"",
}
KEYS = (
    "members/oci-1",
    "members/stranger",
    "votes/oci-1/api",
    "shared/states/api/",
    "shared/words/drain-2",
    "shared/events/oci-1/3",
    "shared/events/stranger/3",
    "shared/notices/leader",
    "shared/unknown",
)


@pytest.mark.parametrize("value", VALUES)
@virtually
async def test_whatever_stands_there_somebody_leads_and_the_dead_region_is_left(value: str) -> None:
    async with trio() as found:
        await settled(found)
        for key in KEYS:
            found.quorum.put(key, VALUES[value])
        await elapse(10.0)
        (first,) = found.leaders
        await found.leader.kill()
        killed = found.stages.pop(first)
        await until(lambda: found.leaders, within=2 * LEASE)
        killed.fails(AZURE)
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0), within=2 * LEASE)
        assert not [crashed for stage in found.stages.values() for crashed in stage.told(TaskCrashed)]


INSTALLATIONS = {
    "an endless floor": b'{"v":1,"instance":"i","floor":1e999}',
    "a floor below which no epoch fits into a marker": b'{"v":1,"instance":"i","floor":%d}' % 10**30,
    "a negative floor": b'{"v":1,"instance":"i","floor":-1}',
    "no version": b'{"instance":"i","floor":0}',
    "what is nested deeply": b"[" * 200_000,
    "a number": b"7",
}


@pytest.mark.parametrize("value", INSTALLATIONS.values(), ids=INSTALLATIONS)
@virtually
async def test_an_installation_that_cannot_be_read_is_named_with_what_to_do(value: bytes) -> None:
    async with trio() as found:
        await settled(found)
        found.quorum.put("installation", value)
        (first,) = found.leaders
        await found.leader.kill()
        del found.stages[first]
        await elapse(2 * LEASE)
        assert not [crashed for stage in found.stages.values() for crashed in stage.told(TaskCrashed)]
        for stage in found.stages.values():
            assert "is not failoverd's (not_ours)" in stage.told(CoordinatorLost)[-1].error
            assert "or delete that key" in stage.told(CoordinatorLost)[-1].error
        found.quorum.delete("installation")
        await until(lambda: found.leaders, within=LEASE)


@virtually
async def test_who_cannot_read_an_installation_of_a_later_version_says_so_and_leaves_the_lease_to_who_can() -> None:
    async with trio() as found:
        await settled(found)
        found.quorum.put("installation", b'{"v":2,"instance":"i","floor":0,"more":"what is not known here"}')
        (first,) = found.leaders
        await found.leader.kill()
        del found.stages[first]
        await elapse(3 * LEASE)
        for stage in found.stages.values():
            assert "a later version of failoverd wrote it" in stage.told(CoordinatorLost)[-1].error
        assert not found.quorum.leader
