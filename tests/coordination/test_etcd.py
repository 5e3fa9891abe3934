"""What is of etcd alone: a cluster of three, and what loses some of it. The rest is in the contract of all engines."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from support.engines import LEASE
from support.etcd import Etcd, etcd

from failoverd.coordination.etcd import etcd_coordinator
from failoverd.coordination.etcd.etcd_coordinator import PAGE, EtcdCoordinator
from failoverd.coordination.etcd.gateway import MOST_BYTES, TOO_LARGE, Gateway, Unheard
from failoverd.core.errors import CoordinationError
from failoverd.http_client import http_session
from failoverd.ports import Coordinator, Leadership

pytestmark = pytest.mark.server

PATIENCE, SILENCE = 2.0, 1.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Etcd]:
    with etcd() as found:
        yield found


@asynccontextmanager
async def members(found: Etcd, prefix: str, *names: str) -> AsyncIterator[tuple[EtcdCoordinator, ...]]:
    """Members of one installation, each with connections of its own."""
    async with http_session("test", limit=16, per_host=8) as session:
        yield tuple(
            EtcdCoordinator(Gateway(session, found.endpoints, PATIENCE, SILENCE), f"/{prefix}/", name, LEASE)
            for name in names
        )


async def leader_is(member: Coordinator, within: float = 10.0) -> Leadership:
    """What it finds once it leads."""
    async with asyncio.timeout(within):
        while not (found := await member.campaign()).mine:  # noqa: ASYNC110 - etcd tells nobody but who asks
            await asyncio.sleep(0.05)
        return found


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


async def test_what_is_too_much_for_one_transaction_is_published_in_several(cluster: Etcd) -> None:
    """Of more than 1.5 MiB, and of more than 128 keys, etcd takes none."""
    async with members(cluster, "much", "azure") as (azure,):
        await azure.campaign()
        large = {f"votes/large/{number}": bytes(400_000) for number in range(5)}
        many = {f"votes/many/{number}": b"well" for number in range(300)}
        await azure.publish(large | many)
        found, _ = await azure.entries("votes/")
        assert found.keys() == large.keys() | many.keys()


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


async def test_a_member_that_is_frozen_is_passed_over_by_who_listens_to_it() -> None:
    with etcd(3) as found:
        async with members(found, "frozen", "azure", "oci") as (azure, oci):
            heard: asyncio.Queue[bytes | None] = asyncio.Queue()
            _, known = await azure.entries("words/")
            followings = [asyncio.create_task(follow(azure, known, heard)) for _ in range(3)]
            await written(oci, b"first", 0)
            async with asyncio.timeout(10):
                assert [await heard.get() for _ in followings] == [b"first"] * 3
            with found.members[0].frozen():  # it is the one that everybody asked
                assert (await leader_is(oci)).mine
                await written(oci, b"second", (await oci.entries("words/"))[0]["words/a"].version)
                async with asyncio.timeout(SILENCE + 3 * PATIENCE):
                    assert [await heard.get() for _ in followings] == [b"second"] * 3
            for each in followings:
                each.cancel()


async def test_silence_where_nothing_happens_ends_no_watch(cluster: Etcd) -> None:
    async with members(cluster, "quiet", "azure", "oci") as (azure, oci):
        _, known = await azure.entries("words/")
        watch = azure.changes("words/", known)
        change = asyncio.ensure_future(anext(watch))
        done, _ = await asyncio.wait({change}, timeout=2.5 * SILENCE)
        assert not done
        await written(oci, b"at last", 0)
        async with asyncio.timeout(10):
            assert (await change)[1].value == b"at last"


async def test_without_a_majority_nobody_is_told_that_it_leads() -> None:
    with etcd(3) as found:
        async with members(found, "minority", "azure") as (azure,):
            assert (await azure.campaign()).mine
            found.members[1].kill()
            found.members[2].kill()
            with pytest.raises(Unheard):
                await azure.campaign()


async def fill(member: EtcdCoordinator) -> None:
    for number in range(100):
        await member.replace(f"words/{number}", b"x" * 4_000, after=0)


async def test_a_database_that_is_full_is_named_with_what_to_do() -> None:
    with etcd(arguments=("--quota-backend-bytes", "40000")) as found:
        async with members(found, "full", "azure") as (azure,):
            with pytest.raises(CoordinationError, match="database space exceeded") as refused:
                await fill(azure)
    assert "alarm disarm" in refused.value.remedy
    assert "--auto-compaction-retention" in refused.value.remedy


async def test_what_fits_into_no_answer_is_read_in_pieces(cluster: Etcd) -> None:
    async with members(cluster, "large", "azure") as (azure,):
        large = {f"words/{number}": bytes([number]) * 1_000_000 for number in range(MOST_BYTES // 1_000_000)}
        for key, value in large.items():
            await azure.replace(key, value, after=0)
        entries, version = await azure.entries("words/")
        assert {key: entry.value for key, entry in entries.items()} == large
        assert version == max(entry.version for entry in entries.values())


async def test_more_keys_than_one_answer_has_are_read_in_order_and_none_twice(cluster: Etcd) -> None:
    async with members(cluster, "many", "azure") as (azure,):
        keys = [f"words/{number:04}" for number in range(2 * PAGE + 1)]
        for key in keys:
            await azure.replace(key, b"x", after=0)
        entries, _ = await azure.entries("words/")
        assert list(entries) == keys


async def test_what_a_stranger_fills_it_with_is_not_all_read(cluster: Etcd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd_coordinator, "MOST_BYTES", 1_000)
    monkeypatch.setattr(etcd_coordinator, "PAGE", 10)
    async with members(cluster, "filled", "azure") as (azure,):
        for number in range(30):
            await azure.replace(f"words/{number}", b"x" * 100, after=0)
        with pytest.raises(CoordinationError, match="more than 1,000 bytes") as refused:
            await azure.entries("words/")
    assert refused.value.reason == TOO_LARGE
