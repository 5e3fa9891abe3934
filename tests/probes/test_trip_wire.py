"""Wires to real servers; only the pauses between two connections are shortened."""

import asyncio
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
import pytest_asyncio
from support.alarms import until
from support.private_network import probes
from support.probers import prober
from support.targets import Connection, refusing, serve, silent

from failoverd.core.records import Endpoint
from failoverd.ports import Tripping
from failoverd.probes.transport import trip_wire
from failoverd.probes.transport.reactor import reactor
from failoverd.probes.transport.trip_wire import keep_trip_wire


@pytest_asyncio.fixture(autouse=True)
async def no_wire_is_left() -> AsyncIterator[None]:
    yield
    assert reactor(asyncio.get_running_loop())._listeners == {}


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trip_wire, "_FIRST", 0.01)
    monkeypatch.setattr(trip_wire, "_LONGEST", 0.04)


def lives(monkeypatch: pytest.MonkeyPatch, *ages: float) -> None:
    """The ages that connections are found to have when they end; the last one again and again."""
    remaining = list(ages)
    monkeypatch.setattr(trip_wire._TripWire, "_age", lambda _: remaining.pop(0) if len(remaining) > 1 else remaining[0])


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One for each time that a wire tried to connect."""
    tried, begin = list[int](), trip_wire._TripWire._begin

    def counted(wire: trip_wire._TripWire) -> None:
        tried.append(1)
        begin(wire)

    monkeypatch.setattr(trip_wire._TripWire, "_begin", counted)
    return tried


def heard() -> int:
    """Bytes that the standing wires have read and forgotten."""
    watched = reactor(asyncio.get_running_loop())._listeners.values()
    return sum(wire._heard for wire in watched if isinstance(wire, trip_wire._TripWire))


async def closes(connection: Connection) -> None:
    """Close at once, in order."""


GREETING = b"220 welcome\r\n"


async def greets_and_stays(connection: Connection) -> None:
    await connection.send(GREETING)
    await connection.hold()


async def floods(connection: Connection) -> None:
    while True:
        await connection.send(b"x" * 65_536)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_peer_that_stays_trips_nothing(host: str) -> None:
    bell = Bell()
    async with serve(greets_and_stays, host=host) as target:
        cancel = keep_trip_wire(target.host, target.port, bell)
        await until(lambda: heard() == len(GREETING))
        cancel()
    assert (bell.rung, target.connections) == (0, 1)


async def test_a_reset_trips_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bell, held = Bell(), list[Connection]()

    async def stand(connection: Connection) -> None:
        held.append(connection)
        await connection.hold()

    async with serve(stand) as target:
        cancel = keep_trip_wire(target.host, target.port, bell)
        await until(lambda: held)
        lives(monkeypatch, 30.0)
        held[0].reset()
        await until(lambda: bell.rung)
        await until(lambda: len(held) == 2)
        held[1].reset()
        await until(lambda: bell.rung == 2)
        cancel()


async def test_a_server_that_is_stopped_trips_it_once_and_again_when_it_was_back(
    monkeypatch: pytest.MonkeyPatch, tries: list[int]
) -> None:
    bell = Bell()
    async with serve(silent) as target:
        cancel = keep_trip_wire(target.host, target.port, bell)
        await until(lambda: target.connections)
    await until(lambda: bell.rung)
    await until(lambda: len(tries) > 5)
    assert bell.rung == 1
    async with serve(silent, port=target.port) as again:
        await until(lambda: again.connections)
        monkeypatch.setattr(trip_wire, "_STEADY", 0.0)
    await until(lambda: bell.rung == 2)
    cancel()


async def test_a_refusal_trips_it_once(tries: list[int]) -> None:
    bell = Bell()
    with refusing() as target:
        cancel = keep_trip_wire(target.host, target.port, bell)
        await until(lambda: len(tries) > 5)
        cancel()
    assert bell.rung == 1


async def test_a_server_that_closes_each_connection_at_once_costs_one_probe() -> None:
    bell = Bell()
    async with serve(closes) as target:
        cancel = keep_trip_wire(target.host, target.port, bell)
        await until(lambda: target.connections > 5)
        cancel()
    assert bell.rung == 1


async def test_a_server_that_closes_idle_connections_teaches_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    bell = Bell()
    lives(monkeypatch, 60.0, 61.0, 59.0, 60.0, 62.0)
    async with serve(closes) as target:
        cancel = keep_trip_wire(target.host, target.port, bell)
        await until(lambda: target.connections > 5)
        cancel()
    assert bell.rung == 1


async def test_a_close_at_another_age_trips_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bell = Bell()
    lives(monkeypatch, 60.0, 60.0, 20.0, 60.0, 60.0)
    async with serve(closes) as target:
        cancel = keep_trip_wire(target.host, target.port, bell)
        await until(lambda: target.connections > 6)
        cancel()
    assert bell.rung == 3  # the first, the early one, and the one after it that is late by comparison


async def test_a_peer_that_talks_without_end_is_left_alone() -> None:
    bell = Bell()
    async with serve(floods) as target:
        cancel = keep_trip_wire(target.host, target.port, bell)
        await until(lambda: target.connections == 2)
        cancel()
    assert bell.rung == 0


async def test_a_peer_that_vanishes_in_silence_is_noticed() -> None:
    loop = "uvloop" if "uvloop" in type(asyncio.get_running_loop()).__module__ else "asyncio"
    assert 0.5 < (await asyncio.to_thread(probes, loop))["vanished"] < 10.0


async def test_a_host_without_descriptors_waits_and_trips_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bell, tries = Bell(), list[int]()

    def exhausted(*_: object) -> socket.socket:
        tries.append(1)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(trip_wire, "socket", SimpleNamespace(**{**vars(socket), "socket": exhausted}))
    cancel = keep_trip_wire("127.0.0.1", 9, bell)
    await until(lambda: len(tries) > 3)
    cancel()
    assert bell.rung == 0


async def test_a_name_is_resolved_and_one_without_address_trips_nothing(tries: list[int]) -> None:
    bell = Bell()
    async with serve(silent) as target:
        cancel = keep_trip_wire("localhost", target.port, bell)
        await until(lambda: target.connections or bell.rung)
        cancel()
    cancel = keep_trip_wire("a" * 70, 9, bell)
    rung = bell.rung
    tries.clear()
    await until(lambda: len(tries) > 3)
    cancel()
    assert bell.rung == rung
    await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_it_can_be_cancelled_at_any_time() -> None:
    bell = Bell()
    async with serve(silent) as target:
        for turns in range(12):
            cancel = keep_trip_wire(target.host, target.port, bell)
            for _ in range(turns):
                await asyncio.sleep(0)
            cancel()
            cancel()
    assert bell.rung == 0


async def test_a_check_keeps_a_wire_when_it_is_asked_to() -> None:
    bell = Bell()
    async with serve(silent) as target:
        without, within = prober("tcp", target.port).prober, prober("tcp", target.port, trip_wire=True).prober
        assert isinstance(without, Tripping)
        assert isinstance(within, Tripping)
        assert without.wire(Endpoint("region-1", "127.0.0.1"), bell) is None
        cancel = within.wire(Endpoint("region-1", "127.0.0.1"), bell)
        assert cancel is not None
        await until(lambda: target.connections)
        cancel()
