"""Three members in three clouds: one writes, and any of them, or any network between them, can go.

The most telling of what can happen; the rest is in the tests that `make test-members` runs. In each of them somebody
asks all the time: no answer is ever empty, and no older generation and no lower epoch ever stands in the marker
(`support.three_clouds`).
"""

import signal
from functools import partial
from pathlib import Path

import pytest
from support.relays import When
from support.three_clouds import ACTS, LEASE, TAKEOVER, WITH_ETCD, three_clouds

pytestmark = pytest.mark.server


async def test_a_region_dies_then_another_one_and_the_leader_with_it(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        before = await world.leader()
        world.regions[others[0]].stop()
        await world.answer(first, others[1])
        await world.regions[others[0]].start()
        seen = await world.answer()
        world.regions[others[1]].stop()
        await world.kill(first)
        await world.led(*others, after=before[1], within=TAKEOVER)
        after = await world.answer(first, others[0])
        assert after.generation > seen.generation
        assert after.epoch > seen.epoch


async def test_a_leader_that_is_told_to_stop_hands_over_and_nothing_moves(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        standing = world.watch.last
        world.seats[first].running.signal(signal.SIGTERM)
        second = await world.led(*others, within=1.0)
        assert await world.seats[first].running.ended() == 0
        assert world.watch.last.answer == standing.answer
        world.regions[first].stop()
        await world.answer(*others)
        await world.seats[second].running.event("change.applied")


async def test_a_leader_that_was_frozen_wakes_up_and_writes_nothing(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        world.regions[others[0]].stop()  # it has begun to look when it is frozen
        with world.frozen(first):
            second = await world.led(*others, within=TAKEOVER)
            wrote = world.written_by(first)
            await world.answer(first, others[1])
            await world.regions[others[0]].start()
            await world.answer()
        await world.follows(first, second)
        world.regions[others[1]].stop()
        await world.answer(first, others[0])
        assert await world.led() == second
        assert world.written_by(first) == wrote


async def test_an_update_of_a_frozen_leader_that_arrives_after_that_of_the_next_one_changes_nothing(
    tmp_path: Path,
) -> None:
    async with three_clouds(tmp_path, relays=True) as world:
        first, others = await world.begun()
        _, epoch = await world.leader()
        leader, relay = world.seats[first].running, world.seats[first].relay
        assert relay is not None
        relay.strike("update", When.BEFORE, partial(leader.signal, signal.SIGSTOP))
        world.regions[others[0]].stop()
        await relay.struck(ACTS)
        second = await world.led(*others, after=epoch, within=TAKEOVER)
        standing = await world.answer(first, others[1])
        wrote = world.written_by(first)
        relay.release()
        leader.signal(signal.SIGCONT)
        await world.follows(first, second)
        await world.watch.stays(0.5, "the update comes late")
        assert world.watch.last == standing
        assert world.written_by(first) == wrote


async def test_a_cloud_that_is_cut_off_with_the_leader_holds_and_the_others_take_over(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        world.net.cut(world.cloud(first), world.cloud(*others))
        second = await world.led(*others, within=WITH_ETCD)
        wrote = world.written_by(first)
        await world.answer(*others)
        world.net.heal()
        await world.answer()
        assert await world.led() == second
        assert world.written_by(first) == wrote


async def test_a_leader_that_is_cut_off_etcd_alone_stops_and_another_one_leads(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        world.net.cut(world.member(first), world.etcds)
        second = await world.led(*others, within=TAKEOVER)
        wrote = world.written_by(first)
        world.regions[first].stop()
        await world.answer(*others)
        world.net.heal()
        await world.follows(first, second)
        await world.regions[first].start()
        await world.answer()
        assert await world.led() == second
        assert world.written_by(first) == wrote


async def test_without_a_majority_of_etcd_nothing_moves_and_with_it_all_goes_on(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        for each in world.etcd.members[:2]:
            each.kill()
        await world.watch.stays(LEASE + 1, "nothing happened but that nobody can lead")
        world.regions[others[0]].stop()
        await world.watch.stays(ACTS / 2, "nobody leads")
        for each in world.etcd.members[:2]:
            each.start(world.etcd.cluster)
        await world.answer(first, others[1], within=TAKEOVER + ACTS)
        assert all(seat.running.process.returncode is None for seat in world.seats.values())
