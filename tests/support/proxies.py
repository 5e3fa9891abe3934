"""A DNS server's worst moments: connections that end in the wrong place, and servers that never say a word."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
from support.accepting import LOOPBACK, accepting


class Cut(StrEnum):
    """Where a TCP exchange breaks off."""

    BEFORE_EFFECT = "the request never reaches the server"
    AFTER_EFFECT = "the server acts, its answer is lost"
    WITHIN_ANSWER = "the server acts, its answer breaks off"


@asynccontextmanager
async def cutting(port: int, cut: Cut) -> AsyncIterator[int]:
    """A proxy to the DNS server on `port` whose every TCP exchange breaks off at `cut`. Yields its own port.

    It has no UDP, as behind a firewall that drops it.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await message(reader)
        if cut is not Cut.BEFORE_EFFECT:
            answer = await forward(request, port)
            if cut is Cut.WITHIN_ANSWER:
                writer.write(answer[: len(answer) // 2])

    async with accepting(handle) as own:
        yield own


@asynccontextmanager
async def answering(udp: bytes | None, tcp: bytes | None) -> AsyncIterator[int]:
    """A server that answers everything with the same octets after the request's id, on one port of UDP and TCP.

    None means that it takes the request and says nothing.
    """

    async def reply(request: bytes, *, over_tcp: bool) -> bytes | None:
        said = tcp if over_tcp else udp
        return None if said is None else request[:2] + said

    async with replying(reply) as port:
        yield port


@asynccontextmanager
async def without_edns(port: int, rcode: dns.rcode.Rcode) -> AsyncIterator[int]:
    """A proxy to the DNS server on `port` that answers every request with EDNS by this code, unsigned.

    So do servers from before EDNS, and boxes in front of newer ones. Yields its own port.
    """

    async def reply(request: bytes, *, over_tcp: bool) -> bytes | None:  # noqa: ARG001 - the same over both
        query = dns.message.from_wire(request, keyring=False)
        if query.edns < 0:
            return (await forward(len(request).to_bytes(2, "big") + request, port))[2:]
        refusal = dns.message.Message(id=int.from_bytes(request[:2], "big"))
        refusal.flags = dns.flags.QR
        if rcode == dns.rcode.BADVERS:
            refusal.question = query.question
            refusal.use_edns(0)  # its code does not fit into the header
        refusal.set_rcode(rcode)
        return refusal.to_wire()

    async with replying(reply) as own:
        yield own


class Reply(Protocol):
    async def __call__(self, request: bytes, *, over_tcp: bool) -> bytes | None: ...


@asynccontextmanager
async def replying(reply: Reply) -> AsyncIterator[int]:
    """A DNS server that answers what `reply` says, if anything, on one port of UDP and TCP."""
    under_way: set[asyncio.Task[None]] = set()

    class Udp(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            task = asyncio.ensure_future(self.answer(data, addr))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

        async def answer(self, data: bytes, addr: tuple[str, int]) -> None:
            said = await reply(data, over_tcp=False)
            if said is not None:
                self.transport.sendto(said, addr)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reply((await message(reader))[2:], over_tcp=True)
        if said is not None:
            writer.write(len(said).to_bytes(2, "big") + said)
        await reader.read()

    async with accepting(handle) as port:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Udp, local_addr=(LOOPBACK, port))
        try:
            yield port
        finally:
            transport.close()
            await asyncio.gather(*under_way)


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on which nobody listens for as long as the context lasts: it is bound, so that nobody else gets it."""
    with socket.socket() as tcp:
        tcp.bind((LOOPBACK, 0))
        yield tcp.getsockname()[1]


async def message(reader: asyncio.StreamReader) -> bytes:
    """One DNS message with its length in front."""
    size = await reader.readexactly(2)
    return size + await reader.readexactly(int.from_bytes(size, "big"))


async def forward(request: bytes, port: int) -> bytes:
    """What the DNS server on `port` answers to a request over TCP, both with their lengths in front."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(request)
        return await message(reader)
    finally:
        writer.close()
        await writer.wait_closed()


@dataclass(slots=True)
class Count:
    """What went through a relay to a DNS server: questions by UDP and TCP, and updates."""

    port: int
    questions: int = 0
    updates: int = 0

    def take(self, message: bytes) -> None:
        if dns.opcode.from_flags(int.from_bytes(message[2:4], "big")) is dns.opcode.UPDATE:
            self.updates += 1
        else:
            self.questions += 1

    def clear(self) -> None:
        self.questions = self.updates = 0


@asynccontextmanager
async def counting(port: int) -> AsyncIterator[Count]:
    """A relay to the DNS server on `port`, on one port of UDP and TCP, that counts what is asked."""
    loop = asyncio.get_running_loop()
    relays: set[asyncio.Task[None]] = set()

    class Udp(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            count.take(data)
            relays.add(asyncio.create_task(self.relay(data, addr)))

        async def relay(self, data: bytes, addr: tuple[str, int]) -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.connect((LOOPBACK, port))
                sock.send(data)
                self.transport.sendto(await loop.sock_recv(sock, 65_535), addr)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await message(reader)
        count.take(request[2:])
        writer.write(await forward(request, port))

    async with accepting(handle) as own:
        count = Count(own)
        transport, _ = await loop.create_datagram_endpoint(Udp, local_addr=(LOOPBACK, own))
        try:
            yield count
            await asyncio.gather(*relays)
        finally:
            transport.close()
