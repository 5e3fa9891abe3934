"""The members' lease and common memory in a real etcd."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from support.etcd import Etcd, etcd

from failoverd.coordination.etcd.coordinator import EtcdCoordinator
from failoverd.coordination.etcd.gateway import Compacted, Gateway, Unheard
from failoverd.http_client import http_session
from failoverd.ports import Coordinator, Leadership, SharedValue

pytestmark = pytest.mark.server

LEASE = 2.0  # the shortest that etcd gives with an election time-out of 0.5 s


@pytest.fixture(scope="module")
def cluster() -> Iterator[Etcd]:
    with etcd() as found:
        yield found


@asynccontextmanager
async def members(found: Etcd, prefix: str, *names: str) -> AsyncIterator[tuple[EtcdCoordinator, ...]]:
    """Members of one installation, each with connections of its own."""
    async with http_session("test", limit=16, per_host=8) as session:
        yield tuple(
            EtcdCoordinator(Gateway(session, found.endpoints, 2.0), f"/{prefix}/", name, LEASE) for name in names
        )


async def leader_is(member: Coordinator, within: float = 10.0) -> Leadership:
    """What it finds once it leads."""
    async with asyncio.timeout(within):
        while not (found := await member.campaign()).mine:  # noqa: ASYNC110 - etcd tells nobody but who asks
            await asyncio.sleep(0.05)
        return found


async def test_one_leads_and_the_others_know_who(cluster: Etcd) -> None:
    async with members(cluster, "one-leads", "azure", "oci") as (azure, oci):
        first = await azure.campaign()
        assert (first.leader, first.mine) == ("azure", True)
        assert await oci.campaign() == Leadership("azure", first.epoch, mine=False)
        assert await azure.campaign() == first


async def test_resigning_hands_over_at_once_with_a_higher_epoch(cluster: Etcd) -> None:
    async with members(cluster, "resigning", "azure", "oci") as (azure, oci):
        first = await azure.campaign()
        await azure.resign()
        second = await oci.campaign()
        assert second.mine
        assert second.epoch > first.epoch
        assert not (await azure.campaign()).mine


async def test_who_falls_silent_is_followed_after_the_lease_and_is_fenced_when_it_wakes(cluster: Etcd) -> None:
    async with members(cluster, "silent", "azure", "oci") as (azure, oci):
        first = await azure.campaign()
        second = await leader_is(oci)
        assert second.epoch > first.epoch
        assert await azure.replace("state/web", b"stale", after=0, epoch=first.epoch) is None
        assert await oci.replace("state/web", b"fresh", after=0, epoch=second.epoch)
        assert await azure.campaign() == Leadership("oci", second.epoch, mine=False)


async def test_a_value_is_replaced_only_where_it_is_the_one_that_was_read(cluster: Etcd) -> None:
    async with members(cluster, "values", "azure", "oci") as (azure, oci):
        made = await azure.replace("state/api", b"1", after=0)
        assert made is not None
        assert await oci.replace("state/api", b"2", after=0) is None
        replaced = await oci.replace("state/api", b"2", after=made)
        assert replaced is not None
        assert await azure.replace("state/api", b"3", after=made) is None
        found, known = await azure.entries("state/")
        assert found == {"state/api": SharedValue(b"2", replaced)}
        assert known >= replaced


async def test_what_is_published_goes_with_who_said_it(cluster: Etcd) -> None:
    async with members(cluster, "published", "azure", "oci") as (azure, oci):
        await azure.campaign()
        await azure.publish("votes/azure", b"well")
        found, known = await oci.entries("votes/")
        assert found["votes/azure"].value == b"well"
        await azure.resign()
        async with asyncio.timeout(10):
            key, entry = await anext(oci.changes("votes/", known))
        assert (key, entry.value) == ("votes/azure", None)


async def test_changes_are_heard_in_order_from_where_they_were_known(cluster: Etcd) -> None:
    async with members(cluster, "changes", "azure", "oci") as (azure, oci):
        _, known = await oci.entries("words/")
        for number in range(20):
            await azure.replace(f"words/{number:02d}", str(number).encode(), after=0)
        heard: list[str] = []
        async with asyncio.timeout(10):
            async for key, _ in oci.changes("words/", known):
                heard.append(key)
                if len(heard) == 20:
                    break
        assert heard == [f"words/{number:02d}" for number in range(20)]


async def test_what_was_compacted_is_said_to_be_gone(cluster: Etcd) -> None:
    async with members(cluster, "compacted", "azure") as (azure,):
        first = await azure.replace("words/a", b"1", after=0)
        assert first
        last = await azure.replace("words/a", b"2", after=first)
        await azure.gateway.ask("kv/compaction", {"revision": str(last)}, twice=True)
        with pytest.raises(Compacted):
            async with asyncio.timeout(10):
                await anext(azure.changes("words/", first - 1))


async def test_a_large_value_is_heard_whole(cluster: Etcd) -> None:
    async with members(cluster, "large", "azure") as (azure,):
        _, known = await azure.entries("state/")
        await azure.replace("state/large", b"x" * 900_000, after=0)
        async with asyncio.timeout(10):
            _, entry = await anext(azure.changes("state/", known))
        assert entry.value == b"x" * 900_000


async def follow(member: EtcdCoordinator, known: int, heard: "asyncio.Queue[bytes | None]") -> None:
    """Hear of everything below words/, whatever happens to who tells it."""
    while True:
        try:
            async for _, entry in member.changes("words/", known):
                known = entry.version
                heard.put_nowait(entry.value)
        except Unheard:
            continue


async def written(member: EtcdCoordinator, value: bytes, after: int) -> int:
    """Replace `words/a`, and look whether it was if nobody says so."""
    try:
        version = await member.replace("words/a", value, after=after)
    except Unheard:
        entries, _ = await member.entries("words/")
        stands = entries.get("words/a")
        version = stands.version if stands is not None and stands.value == value else None
    return version if version is not None else await written(member, value, after)


async def test_a_member_that_dies_is_passed_over_and_no_change_is_lost() -> None:
    values = [str(number).encode() for number in range(10)]
    heard: asyncio.Queue[bytes | None] = asyncio.Queue()
    with etcd(3) as found:
        async with members(found, "dies", "azure") as (azure,):
            first, version = await azure.campaign(), 0
            _, known = await azure.entries("words/")
            following = asyncio.create_task(follow(azure, known, heard))
            for value in values:
                if value == values[5]:
                    found.members[0].kill()
                    assert await leader_is(azure) == first
                version = await written(azure, value, version)
            async with asyncio.timeout(15):
                assert [await heard.get() for _ in values] == values
            following.cancel()


async def test_without_a_majority_nobody_is_told_that_it_leads() -> None:
    with etcd(3) as found:
        async with members(found, "minority", "azure") as (azure,):
            assert (await azure.campaign()).mine
            found.members[1].kill()
            found.members[2].kill()
            with pytest.raises(Unheard):
                await azure.campaign()


async def test_who_does_not_stand_hears_who_leads_and_can_publish(cluster: Etcd) -> None:
    async with members(cluster, "standing", "azure", "aws") as (azure, aws):
        assert await aws.campaign(stands=False) == Leadership("", 0, mine=False)
        await aws.publish("members/aws", b"here")
        first = await azure.campaign()
        assert first.mine
        assert await aws.campaign(stands=False) == Leadership("azure", first.epoch, mine=False)
