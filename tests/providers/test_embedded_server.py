"""The embedded server on real sockets: what clients, bad clients and hostile packets get from it."""

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import dns.flags
import dns.message
import pytest
from support.embedded_dns import NAME, ask_tcp, ask_udp, dig, kdig, publish, serving, store_of, target, values
from support.silence import silence

from failoverd.core.errors import Permanent, Transient
from failoverd.core.records import RecordType
from failoverd.providers.embedded import rate_limit
from failoverd.providers.embedded.answering import Transport, truncated
from failoverd.providers.embedded.provider import ZoneStore
from failoverd.providers.embedded.server import ServerLimits, _Conversations, serve

EAST = "192.0.2.10"
MANY = target(RecordType.SRV, "_many._tcp.example.com")
PATIENCE = 60.0
"""Seconds that a test waits for a server to lose its own."""

MANY_WEIGHTS = {f"host-{index}.example.net:443": index + 1 for index in range(60)}
Address = tuple[str, int]


@pytest.fixture
def store() -> ZoneStore:
    return store_of({target(): {EAST: 1}, MANY: MANY_WEIGHTS})


@pytest.fixture
async def address(store: ZoneStore) -> AsyncIterator[Address]:
    async with serve("127.0.0.1", 0, store.answer) as bound:
        yield bound


@pytest.fixture
async def impatient(store: ZoneStore) -> AsyncIterator[Address]:
    """A server that waits for thirty seconds, which pass at once in `silence`, and holds three connections."""
    async with serve("127.0.0.1", 0, store.answer, ServerLimits(connections=3, patience=30)) as bound:
        yield bound


def framed(wire: bytes) -> bytes:
    return len(wire).to_bytes(2, "big") + wire


GOOD = framed(dns.message.make_query(NAME, "A", id=0x1A2B).to_wire())


async def read_answer(reader: asyncio.StreamReader) -> dns.message.Message:
    length = int.from_bytes(await reader.readexactly(2), "big")
    return dns.message.from_wire(await reader.readexactly(length))


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()


async def hung_up(reader: asyncio.StreamReader) -> bool:
    """Whether the server ends the connection (within the test's patience, not its own)."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE) == b""
    except ConnectionResetError:
        return True


async def assert_serves(address: Address) -> None:
    assert values(await ask_udp(address, NAME, "A")) == [EAST]
    assert values(await ask_tcp(address, NAME, "A")) == [EAST]


async def ask_for_ever(writer: asyncio.StreamWriter, query: bytes) -> None:
    while True:
        writer.write(query * 50)
        await writer.drain()


# -- what other programs see -------------------------------------------------------------------------------------------


async def test_dig_and_kdig_read_an_authoritative_answer_over_udp_and_tcp(address: Address) -> None:
    for look in (dig, kdig):
        for transport in ("+notcp", "+tcp"):
            output = await look(address, transport, NAME, "A")
            assert "NOERROR" in output
            assert EAST in output
            assert "flags: qr aa rd;" in output.lower()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing.example.com", "A"], "NXDOMAIN"),
        ([NAME, "MX"], "NOERROR"),
        (["example.org", "A"], "REFUSED"),
        (["-c", "CH", "-t", "TXT", "version.bind"], "REFUSED"),
        (["+edns=1", "+noednsneg", "example.com", "SOA"], "BADVERS"),
        (["+opcode=notify", "example.com", "SOA"], "NOTIMP"),
    ],
)
async def test_dig_understands_each_denial(address: Address, arguments: list[str], expected: str) -> None:
    assert f"status: {expected}" in await dig(address, *arguments)


async def test_a_zone_transfer_is_refused(address: Address) -> None:
    assert "Transfer failed" in await dig(address, "example.com", "AXFR")
    assert "REFUSED" in await kdig(address, "example.com", "AXFR")


async def test_a_truncated_answer_makes_dig_come_back_over_tcp(address: Address) -> None:
    cut = await ask_udp(address, MANY.key.name, "SRV")
    assert cut.flags & dns.flags.TC
    assert not cut.answer

    output = await dig(address, "+short", MANY.key.name, "SRV")
    assert len(output.splitlines()) == len(MANY_WEIGHTS)


async def test_it_serves_on_ipv6(store: ZoneStore) -> None:
    async with serve("::1", 0, store.answer) as address:
        await assert_serves(address)
        assert EAST in await dig(address, "+short", NAME, "A")


async def test_udp_and_tcp_share_the_port_and_both_are_given_back_in_the_end() -> None:
    async with serving() as provider:
        address = provider.address
        await publish(provider, target(), {EAST: 1})
        await assert_serves(address)

    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as again:
            if kind is socket.SOCK_STREAM:
                again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(address)


# -- binding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_an_address_that_is_taken_may_become_free(store: ZoneStore, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        with pytest.raises(Transient) as caught:
            async with serve("127.0.0.1", other.getsockname()[1], store.answer):
                pass

    assert caught.value.reason == "address_in_use"
    assert str(other) not in caught.value.detail


async def test_an_address_of_another_machine_is_a_mistake(store: ZoneStore) -> None:
    with pytest.raises(Permanent, match="address_unavailable"):
        async with serve("192.0.2.53", 0, store.answer):
            pass


async def test_a_port_that_the_process_may_not_have_is_said_to_be_so(
    store: ZoneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: socket.socket, __: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", forbidden)
    with pytest.raises(Permanent) as caught:
        async with serve("127.0.0.1", 53, store.answer):
            pass

    assert caught.value.reason == "address_forbidden"
    assert "CAP_NET_BIND_SERVICE" in caught.value.remedy


# -- many queries on one connection ------------------------------------------------------------------------------------


async def test_queries_sent_at_once_are_all_answered_in_order(address: Address) -> None:
    queries = [dns.message.make_query(NAME, "A", id=number) for number in range(1, 101)]
    async with connected(address) as (reader, writer):
        writer.write(b"".join(framed(query.to_wire()) for query in queries))

        assert [(await read_answer(reader)).id for _ in queries] == list(range(1, 101))


async def test_a_query_that_arrives_byte_by_byte_is_answered(address: Address) -> None:
    async with connected(address) as (reader, writer):
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GOOD:
            writer.write(bytes([byte]))
            await writer.drain()

        assert values(await read_answer(reader)) == [EAST]


async def test_a_client_that_has_said_all_still_gets_its_answer(address: Address) -> None:
    async with connected(address) as (reader, writer):
        writer.write(GOOD)
        writer.write_eof()

        assert values(await read_answer(reader)) == [EAST]
        assert await hung_up(reader)


# -- clients that misbehave --------------------------------------------------------------------------------------------


async def test_a_connection_that_idles_is_ended(impatient: Address) -> None:
    async with connected(impatient) as (reader, writer):
        writer.write(GOOD)
        assert values(await read_answer(reader)) == [EAST]

        with silence():
            assert await hung_up(reader)
    await assert_serves(impatient)


@pytest.mark.parametrize("start", [b"", b"\x00", GOOD[:2], GOOD[:-1], b"\xff\xff" + b"\x00" * 1_000])
async def test_a_query_that_never_ends_is_given_up(impatient: Address, start: bytes) -> None:
    async with connected(impatient) as (reader, writer):
        writer.write(start)

        with silence():
            assert await hung_up(reader)
    await assert_serves(impatient)


@pytest.mark.parametrize("ending", ["half-closed", "reset"])
async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(store: ZoneStore, ending: str) -> None:
    conversations = _Conversations(store.answer, ServerLimits())
    server = await asyncio.start_server(conversations.hold, "127.0.0.1", 0)
    async with server:
        address = server.sockets[0].getsockname()
        async with connected(address) as (reader, writer):
            writer.write(GOOD + GOOD[:5])
            await read_answer(reader)
            assert len(conversations._open) == 1
            if ending == "half-closed":
                writer.write_eof()
                assert await hung_up(reader)
            else:
                linger = struct.pack("ii", 1, 0)
                writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
        async with asyncio.timeout(5):
            await asyncio.gather(*conversations._open)
        assert not conversations._open
        await conversations.end()


async def test_a_client_that_never_reads_is_given_up(impatient: Address) -> None:
    big = framed(dns.message.make_query(MANY.key.name, "SRV").to_wire())
    async with connected(impatient) as (reader, writer):
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader._transport.pause_reading()  # type: ignore[attr-defined] # the client's own, to let the window fill up
        with silence(), pytest.raises(ConnectionError):
            await asyncio.wait_for(ask_for_ever(writer, big), PATIENCE)
    await assert_serves(impatient)


async def test_when_all_connections_are_taken_the_longest_silent_one_makes_room(store: ZoneStore) -> None:
    limits = ServerLimits(connections=3, patience=30)
    async with serve("127.0.0.1", 0, store.answer, limits) as address:
        clients = [await asyncio.open_connection(*address) for _ in range(3)]
        for reader, writer in clients:
            writer.write(GOOD)
            await read_answer(reader)
        first, second, third = clients
        first[1].write(GOOD)
        await read_answer(first[0])

        async with connected(address) as (reader, writer):
            writer.write(GOOD)
            assert values(await read_answer(reader)) == [EAST]
            assert await hung_up(second[0])
            for going_on in (first, third):
                going_on[1].write(GOOD)
                assert values(await read_answer(going_on[0])) == [EAST]
        for _, writer in clients:
            writer.close()


async def test_the_end_of_the_server_ends_its_connections(store: ZoneStore) -> None:
    async with serve("127.0.0.1", 0, store.answer) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GOOD)
        await read_answer(reader)

    assert await hung_up(reader)
    writer.close()


async def test_a_response_gets_silence_so_that_two_servers_never_talk_for_ever(address: Address) -> None:
    response = dns.message.make_response(dns.message.make_query(NAME, "A")).to_wire()
    async with connected(address) as (reader, writer):
        writer.write(framed(response))
        assert await hung_up(reader)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(address)
        client.send(response)
        client.send(GOOD[2:])
        answered = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 4_096), 5)
        assert dns.message.from_wire(answered).id == dns.message.from_wire(GOOD[2:]).id


async def test_a_query_longer_than_any_real_one_is_told_so_and_the_connection_goes_on(address: Address) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"\xff\xff" + GOOD[2:].ljust(65_535, b"\x00") + GOOD)

        assert (await read_answer(reader)).rcode() == dns.rcode.FORMERR
        assert values(await read_answer(reader)) == [EAST]


# -- hostile packets ---------------------------------------------------------------------------------------------------


def hostile_packets(count: int) -> list[bytes]:
    random = Random(20_251_019)  # noqa: S311 - repeatable
    good = GOOD[2:]
    packets = []
    for _ in range(count):
        packet = bytearray(good if random.random() < 0.7 else random.randbytes(random.randrange(0, 600)))
        for _ in range(random.randrange(0, 8)):
            if packet:
                packet[random.randrange(len(packet))] = random.randrange(256)
        packets.append(bytes(packet[: random.randrange(len(packet) + 1)] if random.random() < 0.2 else packet))
    return packets


async def test_hundreds_of_hostile_datagrams_leave_the_server_serving(address: Address) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for packet in hostile_packets(400):
            client.sendto(packet, address)
            await asyncio.sleep(0)  # a turn for the server, or the kernel drops what its queue cannot hold

    await assert_serves(address)


async def test_hundreds_of_hostile_messages_over_tcp_leave_the_server_serving(address: Address) -> None:
    for packet in hostile_packets(200):
        async with connected(address) as (reader, writer):
            writer.write(framed(packet))
            writer.write_eof()
            reply = await asyncio.wait_for(reader.read(), 5)
        if reply:
            assert reply[2:4] == packet[:2]
            dns.message.from_wire(reply[2:])

    await assert_serves(address)


async def test_a_defect_of_ours_costs_one_query_and_is_told(store: ZoneStore) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))

    def defective(wire: bytes, transport: Transport) -> bytes | None:
        if b"missing" in wire:
            raise KeyError("missing")
        return store.answer(wire, transport)

    async with serve("127.0.0.1", 0, defective) as address:
        assert (await ask_udp(address, "missing.example.com", "A")).rcode() == dns.rcode.SERVFAIL
        assert (await ask_tcp(address, "missing.example.com", "A")).rcode() == dns.rcode.SERVFAIL
        await assert_serves(address)

    assert [str(defect) for defect in told] == ["'missing'", "'missing'"]


# -- one client that asks too much -------------------------------------------------------------------------------------


async def test_a_greedy_client_is_sent_to_tcp_and_a_client_of_another_network_is_answered(
    store: ZoneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "BURST", 1_000.0)
    limits = ServerLimits(responses=0.01)  # ten at once, and then none for a hundred seconds, however slow the test is
    async with serve("127.0.0.1", 0, store.answer, limits) as address:
        answers = [await ask_udp(address, NAME, "A", source="127.0.0.2") for _ in range(11)]
        assert [values(answer) for answer in answers] == [[EAST]] * 10 + [[]]
        assert answers[-1].flags & dns.flags.TC
        assert answers[-1].question == answers[0].question
        assert values(await ask_tcp(address, NAME, "A")) == [EAST], "as it is told to"
        assert values(await ask_udp(address, NAME, "A", source="127.0.1.2")) == [EAST]


@pytest.mark.parametrize("wire", [b"", b"\x00" * 12, GOOD[2:-5], GOOD[2:14] + b"\x3f" + b"a" * 10], ids=len)
def test_what_is_no_query_is_not_told_to_come_again(wire: bytes) -> None:
    assert truncated(wire) is None


def test_a_response_is_not_told_to_come_again() -> None:
    query = dns.message.make_query(NAME, "A")
    assert truncated(dns.message.make_response(query).to_wire()) is None
