"""Networks between members, etcd, the provider and endpoints are cut: the majority's verdict acts, the minority holds.

`make test-members` runs these; what holds in each of them besides is said by `support.three_clouds`.
"""

from pathlib import Path

import pytest
from support.commands import answered
from support.three_clouds import ACTS, CLOUDS, LEASE, TAKEOVER, WITH_ETCD, three_clouds

pytestmark = [pytest.mark.server, pytest.mark.members]


async def test_a_leader_that_is_cut_off_the_provider_lets_another_one_fail_out(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        wrote = world.written_by(first)
        world.net.cut(world.member(first), world.provider)
        world.regions[first].stop()
        await world.answer(*others, within=TAKEOVER + ACTS)
        world.net.heal()
        await world.regions[first].start()
        await world.answer()
        assert world.written_by(first) == wrote


async def test_a_leader_that_sees_no_endpoint_moves_nothing_and_acts_on_what_the_others_see(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        world.net.cut(world.member(first), world.endpoints)
        await world.watch.stays(ACTS, "the others see every region")
        world.regions[others[0]].stop()
        await world.answer(first, others[1])
        world.net.heal()
        await world.regions[others[0]].start()
        await world.answer()


async def test_a_member_that_sees_a_region_die_alone_moves_nothing(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        for each in (first, others[0]):
            world.net.cut(world.member(each), world.regions[others[1]].addresses)
            await world.watch.stays(ACTS, "the others see it")
            world.net.heal()


async def test_a_cloud_that_is_cut_off_without_the_leader_leaves_the_answer_until_it_is_back(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, (second, lost) = await world.begun()
        world.net.cut(world.cloud(lost), world.cloud(first, second))
        await world.answer(first, second)
        assert await world.led() == first
        assert not world.written_by(lost)
        world.net.heal()
        await world.answer()
        assert await world.led() == first


async def test_a_cloud_that_is_gone_with_the_leader_is_out_of_the_answer_until_it_is_back(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        world.net.cut(world.cloud(first), [*world.cloud(*others), world.provider])
        second = await world.led(*others, within=WITH_ETCD)
        wrote = world.written_by(first)
        await world.answer(*others)
        world.net.heal()
        await world.answer()
        await world.follows(first, second)
        assert world.written_by(first) == wrote


async def test_every_cloud_is_cut_off_from_every_other_and_all_hold(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        await world.begun()
        for each in CLOUDS:
            world.net.cut(world.cloud(each), world.cloud(*world.others(each)))
        await world.watch.stays(LEASE + ACTS, "nobody has a majority")
        world.net.heal()
        await world.led(within=WITH_ETCD)
        world.regions["aws"].stop()
        await world.answer("azure", "oci")


async def test_a_leader_that_is_heard_by_nobody_though_it_hears_them_is_followed_by_another(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        world.net.cut_one_way(world.cloud(first), world.cloud(*others))
        second = await world.led(*others, within=WITH_ETCD)
        wrote = world.written_by(first)
        await world.answer(*others)
        world.net.heal()
        await world.answer()
        await world.follows(first, second)
        assert world.written_by(first) == wrote


async def test_a_leader_that_loses_a_third_of_its_packets_moves_nothing_wrongly(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        world.net.lose(world.member(first), [*world.etcds, *world.endpoints, world.provider], 30)
        await world.watch.stays(2 * ACTS, "the others see every region")
        world.regions[others[0]].stop()
        await world.answer(first, others[1], within=TAKEOVER + ACTS)
        world.net.heal()
        await world.regions[others[0]].start()
        await world.answer()


async def test_who_resigned_for_an_hour_leads_again_where_all_others_were_killed(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        config = world.seats[first].config
        done = await answered("leader", "resign", "--for", "1h", "--reason", "a new disk", "--config", config)
        assert done.code == 0, done.said
        second = await world.led(*others, within=TAKEOVER)
        _, epoch = await world.leader()
        for each in (second, *(name for name in others if name != second)):
            await world.kill(each)
        await world.led(first, after=epoch, within=2 * LEASE + 2.0)
        elected = await world.seats[first].running.event("leader.elected", leader=first, mine=True)
        assert "nobody else had led for a whole lease" in elected["message"]
