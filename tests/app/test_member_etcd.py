"""What befalls etcd, or a member's way to it, moves nothing; with it, all goes on without a restart.

`make test-members` runs these; what holds in each of them besides is said by `support.three_clouds`.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from support.asking import awaited, told
from support.three_clouds import ACTS, CLOUDS, LEASE, TAKEOVER, ThreeClouds, three_clouds

pytestmark = [pytest.mark.server, pytest.mark.members]


async def acts(world: ThreeClouds) -> None:
    """A region that dies leaves, and comes back when it is well."""
    lost, *left = CLOUDS
    world.regions[lost].stop()
    await world.answer(*left, within=TAKEOVER + ACTS)
    await world.regions[lost].start()
    await world.answer()


async def test_a_member_of_etcd_that_is_killed_is_passed_over(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, _ = await world.begun()
        for each in world.etcd.members:  # one of them leads etcd
            each.kill()
            await acts(world)
            assert await world.led() == first
            each.start(world.etcd.cluster)
            await world.etcd_ready()


async def test_a_member_of_etcd_that_is_frozen_is_passed_over(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        await world.begun()
        for each in world.etcd.members:
            with each.frozen():
                await acts(world)
            await world.etcd_ready()


async def test_a_lease_that_is_revoked_is_granted_anew(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        await world.begun()
        _, epoch = await world.leader()
        held = await world.key("leader")
        assert held is not None
        await world.asked("lease/revoke", {"ID": held["lease"]})
        await world.led(after=epoch, within=TAKEOVER)
        await acts(world)


async def test_what_was_compacted_is_read_anew(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        away = others[0]
        world.net.cut(world.member(away), world.etcds)  # what it did not hear is not kept for it
        await world.seats[away].running.event("coordinator.lost")
        await acts(world)
        now = (await world.asked("kv/range", {"key": "AA=="}))["header"]["revision"]
        await world.asked("kv/compaction", {"revision": now})
        world.net.heal()
        await world.seats[away].running.event("coordinator.regained")
        await world.kill(first)
        await world.led(*others, within=TAKEOVER)
        await acts(world)


async def test_a_watch_that_is_cut_is_begun_anew_where_it_ended(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, (away, other) = await world.begun()
        world.net.cut(world.member(away), world.etcds)
        await world.seats[away].running.event("coordinator.lost")
        await acts(world)
        world.net.heal()
        await world.seats[away].running.event("coordinator.regained")
        await world.kill(first)
        await world.led(away, other, within=TAKEOVER)
        await acts(world)


async def test_where_one_member_alone_reaches_etcd_nobody_outvotes_it_and_nothing_moves(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        for each in others:
            world.net.cut(world.member(each), world.etcds)
        await world.seats[first].running.event("quorum.lost")
        world.regions[others[0]].stop()
        await world.watch.stays(ACTS, "there is one vantage where three were to vote")
        world.net.heal()
        await world.answer(first, others[1], within=TAKEOVER + ACTS)


async def test_a_backup_that_is_restored_is_noticed_and_the_epochs_go_on_from_those_in_the_markers(
    tmp_path: Path,
) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        backup = world.etcd_backup(tmp_path / "backup")
        _, before = await world.leader()
        for _ in range(50):  # much happens, so that what is counted from the backup on is behind for long
            await world.asked("kv/put", {"key": "AA==", "value": "AA=="})
        await world.kill(first)
        await world.led(*others, after=before, within=TAKEOVER)
        lost, *left = CLOUDS
        world.regions[lost].stop()
        seen = await world.answer(*left)
        assert seen.epoch > before
        await world.etcd_restored(backup)
        await world.start(first)
        await world.tells("coordinator.restored")
        await world.regions[lost].start()
        again = await world.answer()
        assert again.epoch > seen.epoch


QUOTA = 500_000
"""Bytes of etcd's database. It has 2 GB if nothing is said."""


async def all_hold(world: ThreeClouds, dies: str, why: str) -> None:
    """Nobody can lead: that region dies, and nothing moves; why that is is said on each of them."""
    for name in CLOUDS:
        await awaited(partial(told, world, name, "members"), lambda answer: why in str(answer["roster"]))
    for seat in world.seats.values():
        await seat.running.event("coordinator.lost")
    await world.watch.stays(LEASE, "nothing happened but that etcd takes nothing")
    world.regions[dies].stop()
    await world.watch.stays(ACTS, "nobody leads")


async def test_where_etcd_is_full_all_hold_until_there_is_space_again(tmp_path: Path) -> None:
    async with three_clouds(tmp_path, etcd=("--quota-backend-bytes", str(QUOTA))) as world:
        first, others = await world.begun()
        with suppress(ConnectionError):  # it is full
            while True:
                await world.asked("kv/put", {"key": "AA==", "value": "A" * 40_000})
        await world.kill(others[1])
        await world.start(others[1])  # who begins then is no better off
        await all_hold(world, others[0], "database space exceeded")
        now = (await world.asked("kv/range", {"key": "AA=="}))["header"]["revision"]
        await world.asked("kv/compaction", {"revision": now})
        for number in range(len(CLOUDS)):
            world.etcdctl(number, "defrag")
        world.etcdctl(0, "alarm", "disarm")
        await world.answer(first, others[1], within=TAKEOVER + ACTS)
        await world.regions[others[0]].start()
        await world.answer()
        assert all(len(seat.daemons) == 1 for name, seat in world.seats.items() if name != others[1])


def new_password(world: ThreeClouds) -> Callable[[], None]:
    """Of the user, while the files of all members have the one before."""
    world.etcdctl(0, "user", "passwd", "failoverd", "--interactive=false", said="another-one\n")

    def told_to_all() -> None:
        for seat in world.seats.values():
            seat.say_password("another-one")

    return told_to_all


def no_role(world: ThreeClouds) -> Callable[[], None]:
    world.etcdctl(0, "user", "revoke-role", "failoverd", "failoverd")
    return lambda: world.etcdctl(0, "user", "grant-role", "failoverd", "failoverd")


def no_user(world: ThreeClouds) -> Callable[[], None]:
    world.etcdctl(0, "user", "delete", "failoverd")

    def again() -> None:
        assert world.guard is not None
        world.etcdctl(0, "user", "add", f"failoverd:{world.guard.password}")
        world.etcdctl(0, "user", "grant-role", "failoverd", "failoverd")

    return again


@pytest.mark.parametrize(
    ("lose", "why"),
    [
        (new_password, "authentication failed"),
        (no_role, "permission denied"),
        (no_user, "authentication failed"),
    ],
)
async def test_who_may_not_sign_in_any_more_holds_until_it_may(
    tmp_path: Path, lose: Callable[[ThreeClouds], Callable[[], None]], why: str
) -> None:
    async with three_clouds(tmp_path, guarded=True) as world:
        first, others = await world.begun()
        again = lose(world)
        await all_hold(world, others[0], why)
        again()
        await world.answer(first, others[1], within=TAKEOVER + ACTS)
        await world.regions[others[0]].start()
        await world.answer()
        assert all(len(seat.daemons) == 1 and seat.runs for seat in world.seats.values())
