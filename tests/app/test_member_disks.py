"""The disks of etcd are slow: each write waits for one of them, or for all.

Who can lead does so, and takes off what is down; where nobody can, all hold, and go on without a restart once the disks
are well. `make test-members` runs these; what holds in each of them besides is said by `support.three_clouds`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support.etcd import Member
from support.slow_disks import slow_disk
from support.three_clouds import ACTS, CLOUDS, LEASE, TAKEOVER, WITH_ETCD, ThreeClouds, three_clouds

pytestmark = [pytest.mark.server, pytest.mark.members]

DISKS = ["a follower", "the leader", "two", "all"]
"""Of etcd."""

FSYNC = [0.3, 1.0, 3.0]
"""Seconds that each takes."""

LONG = 20.0
"""Seconds: the lease that is written if nothing is said."""


async def of_etcd(world: ThreeClouds, which: str) -> Sequence[Member]:
    leader = await world.etcd_leader()
    others = [each for each in world.etcd.members if each is not leader]
    return {"a follower": others[:1], "the leader": [leader], "two": [leader, others[0]], "all": [leader, *others]}[
        which
    ]


@contextmanager
def slow(members: Sequence[Member], seconds: float) -> Iterator[None]:
    with ExitStack() as held:
        for each in members:
            assert each.process is not None
            held.enter_context(slow_disk(each.process.pid, seconds, each.command))
        yield


def each_epoch_had_one_leader(world: ThreeClouds) -> None:
    led = Counter(
        each["epoch"] for seat in world.seats.values() for each in seat.running.named("leader.elected") if each["mine"]
    )
    assert max(led.values()) == 1, led


def no_restart(world: ThreeClouds) -> bool:
    return all(seat.running.process.returncode is None for seat in world.seats.values())


@pytest.mark.parametrize("seconds", FSYNC)
async def test_one_slow_disk_beside_two_that_are_well_delays_nothing(tmp_path: Path, seconds: float) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        with slow(await of_etcd(world, "a follower"), seconds):
            await world.watch.stays(LEASE, "a disk is slow")
            world.regions[others[0]].stop()
            await world.answer(first, others[1], within=TAKEOVER + ACTS)
            await world.regions[others[0]].start()
            await world.answer(within=TAKEOVER + ACTS)
        each_epoch_had_one_leader(world)
        assert no_restart(world)


@pytest.mark.parametrize("which", DISKS[1:])
async def test_with_a_lease_of_twenty_seconds_a_third_of_a_second_is_borne(tmp_path: Path, which: str) -> None:
    async with three_clouds(tmp_path, lease=LONG) as world:
        first, others = await world.begun()
        with slow(await of_etcd(world, which), 0.3):
            await world.watch.stays(LONG / 2, "disks are slow")
            world.regions[others[0]].stop()
            await world.answer(first, others[1], within=2 * ACTS)
            assert await world.led() == first
        each_epoch_had_one_leader(world)
        assert no_restart(world)


@pytest.mark.parametrize("seconds", FSYNC)
@pytest.mark.parametrize("which", DISKS[1:])
async def test_slow_disks_move_nothing_wrongly_and_with_good_ones_all_goes_on(
    tmp_path: Path, which: str, seconds: float
) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        moved = world.answers(first, others[1])
        with slow(await of_etcd(world, which), seconds):
            await world.watch.stays(LEASE + 1.0, "nothing happened but that disks are slow")
            world.regions[others[0]].stop()
            await world.watch.pass_by(ACTS)
            assert world.answers(*CLOUDS)(world.watch.last) or moved(world.watch.last)
        await world.answer(first, others[1], within=WITH_ETCD + ACTS)
        await world.regions[others[0]].start()
        await world.answer(within=TAKEOVER + ACTS)
        each_epoch_had_one_leader(world)
        assert no_restart(world)
