"""Many sockets behind one wake-up: some of them in each turn of the loop, and one at once, when it is asked for."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import pytest

from failoverd.probes.transport.reactor import AT_ONCE, Reactor


@dataclass
class Ear:
    """Listens on one end of a connection whose other end may say something."""

    heard: list[int] = field(default_factory=list)
    mine: socket.socket = field(init=False)
    other: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.mine, self.other = socket.socketpair(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    def ready(self, events: int) -> None:
        with suppress(BlockingIOError):  # what is told is a hint
            self.mine.recv(1)
            self.heard.append(events)


@pytest.fixture
def ears() -> Iterator[list[Ear]]:
    with ExitStack() as stack:
        found = [Ear() for _ in range(2 * AT_ONCE)]
        for ear in found:
            stack.enter_context(ear.mine)
            stack.enter_context(ear.other)
        yield found


async def test_of_many_that_are_ready_some_are_handed_out_in_each_turn_of_the_loop(ears: list[Ear]) -> None:
    """When a region fails thousands are, and decisions and heartbeats want their turn as well."""
    reactor = Reactor(asyncio.get_running_loop())
    for ear in ears:
        ear.other.send(b"!")
        reactor.watch(ear.mine.fileno(), ear)
    seen = set[int]()
    while len(seen & {AT_ONCE, 2 * AT_ONCE}) < 2:
        await asyncio.sleep(0)
        seen.add(sum(bool(ear.heard) for ear in ears))
    assert seen <= {0, AT_ONCE, 2 * AT_ONCE}


async def test_what_one_socket_has_is_looked_at_before_its_deadline_is_believed(ears: list[Ear]) -> None:
    """The process may be late, and not the answer: however many others wait for their turn."""
    reactor, (late, silent) = Reactor(asyncio.get_running_loop()), ears[-2:]
    for ear in ears:
        reactor.watch(ear.mine.fileno(), ear)
        if ear is not silent:
            ear.other.send(b"!")
    reactor.look(late.mine.fileno())
    assert [len(ear.heard) for ear in ears] == [0] * (len(ears) - 2) + [1, 0]
    reactor.forget(late.mine.fileno())
    reactor.look(late.mine.fileno())
    assert len(late.heard) == 1
