"""Names to addresses: each lookup in a thread of its own, none twice, and never too many."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Concluded
from failoverd.probes.transport.host_resolver import MOST_ADDRESSES, MOST_LOOKUPS, addresses_of

NAME = "web.example.test"


class SlowResolver:
    """Answers when it is let go; counts what it is asked."""

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        self.go = threading.Event()

    def __call__(self, host: str, _port: object, **_: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        self.go.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in self.addresses]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowResolver]:
    resolver = SlowResolver(["192.0.2.1"])
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.go.set()


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
async def test_an_address_stands_for_itself(address: str, slow: SlowResolver) -> None:
    assert await addresses_of(address) == (address,)
    assert slow.asked == []


async def test_a_name_that_is_being_looked_up_is_not_looked_up_again(slow: SlowResolver) -> None:
    asking = [asyncio.create_task(addresses_of(NAME)) for _ in range(50)]
    await holds(lambda: slow.asked)
    slow.go.set()
    assert set(await asyncio.gather(*asking)) == {("192.0.2.1",)}
    assert slow.asked == [NAME]


async def test_who_gives_up_waiting_does_not_end_the_lookup_of_others(slow: SlowResolver) -> None:
    first, second = asyncio.create_task(addresses_of(NAME)), asyncio.create_task(addresses_of(NAME))
    await holds(lambda: slow.asked)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    slow.go.set()
    assert await second == ("192.0.2.1",)


async def test_of_hundreds_of_addresses_a_few_are_tried(slow: SlowResolver) -> None:
    slow.addresses = [f"192.0.2.{number}" for number in range(1, 250)]
    slow.go.set()
    assert await addresses_of(NAME) == tuple(slow.addresses[:MOST_ADDRESSES])


async def test_when_lookups_hang_no_more_are_begun_and_it_is_the_resolver_that_failed(slow: SlowResolver) -> None:
    hanging = [asyncio.create_task(addresses_of(f"{number}.example.test")) for number in range(MOST_LOOKUPS)]
    await holds(lambda: len(slow.asked) == MOST_LOOKUPS)
    with pytest.raises(Concluded) as concluded:
        await addresses_of(NAME)
    assert concluded.value.finding.reason is ProbeReason.RESOLVER_FAILED
    slow.go.set()
    await asyncio.gather(*hanging)
    assert await addresses_of(NAME) == ("192.0.2.1",)


async def test_without_a_thread_a_lookup_fails_and_the_next_one_is_none_the_wiser(
    slow: SlowResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    slow.go.set()
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        with pytest.raises(BlockingIOError, match="no thread"):
            await addresses_of(NAME)
    assert await addresses_of(NAME) == ("192.0.2.1",)


async def holds(condition: Callable[[], object]) -> None:
    """What happens in a thread is waited for."""
    for _ in range(1_000_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")
