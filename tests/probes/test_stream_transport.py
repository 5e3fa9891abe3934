"""What carries an exchange: long messages, impolite peers, and a process that was late."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from support.alarms import until
from support.probers import counting_clock
from support.targets import Connection, answers, response, serve, silent

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, ProbeResult
from failoverd.probes.execution import Probe, start_exchange, start_steps
from failoverd.probes.findings import Finding
from failoverd.probes.transport.protocol import ClientProtocol, ClientTransport, Destination, TlsOptions

NAME = "api.example.test"
LIVE = Check("live", "http", 10.0, 5.0)


class Says:
    """Sends everything at the opening, and repeats what it hears first."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts

    def opened(self, transport: ClientTransport) -> Finding | None:
        for part in self.parts:
            transport.send(part)
        return None

    def received(self, data: bytes) -> Finding | None:
        return Finding(ProbeReason.OK, data.decode())

    def ended(self) -> Finding:
        return Finding(ProbeReason.RESPONSE_CLOSED, "closed")


async def called(
    port: int, protocol: ClientProtocol, security: TlsOptions | None = None, check: Check = LIVE
) -> ProbeResult:
    found: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()
    endpoint = Endpoint("region-1", "127.0.0.1", port)
    destination = Destination("127.0.0.1", port, security)
    start_exchange(check, endpoint, counting_clock(), None, destination, protocol, found.set_result)
    return await found


async def counts(connection: Connection) -> None:
    """Reads eight megabytes, slowly at first, and tells whether they were in order."""
    heard = bytearray()
    while len(heard) < 8_000_000:
        heard += await connection.reader.read(1_000 if len(heard) < 50_000 else 1_000_000)
    await connection.send(b"in order" if bytes(heard) == b"".join(SPEECH) else b"garbled")


SPEECH = tuple(bytes([65 + number]) * 1_000_000 for number in range(8))


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> TlsOptions:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return TlsOptions(ssl.create_default_context(cafile=str(tmp_path / "ca.pem")), NAME)


@pytest.fixture
def certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    return context


async def test_what_does_not_fit_into_the_socket_at_once_goes_later_and_in_order() -> None:
    async with serve(counts) as target:
        assert (await called(target.port, Says(*SPEECH))).detail == "in order"


async def test_the_same_holds_under_tls(trusted: TlsOptions, certified: ssl.SSLContext) -> None:
    async with serve(counts, tls=certified) as target:
        assert (await called(target.port, Says(*SPEECH), trusted)).detail == "in order"


async def test_a_handshake_without_end_is_ended(trusted: TlsOptions) -> None:
    sent = 0

    async def greets_forever(connection: Connection) -> None:
        nonlocal sent
        hello_request = b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"  # to be ignored during a handshake (RFC 5246, 7.4.1.1)
        while True:
            await connection.send(hello_request * 1_000)
            sent += 1_000 * len(hello_request)
            await asyncio.sleep(0)  # let the reader have its turn

    async with serve(greets_forever) as target:
        result = await called(target.port, Says(), trusted)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_FAILED)
    assert sent < 20_000_000  # what the sockets' buffers hold, and not five seconds of it


@pytest.mark.usefixtures("stalls_are_noticed")
async def test_an_answer_that_waits_while_this_process_is_late_still_counts() -> None:
    """The deadline passes while the process sleeps; the answer was there before."""
    late = Check("live", "http", 10.0, 0.3)
    async with serve(answers(response("200 OK", b"ok"))) as target:
        probing = asyncio.create_task(called(target.port, Says(b"GET / HTTP/1.1\r\n\r\n"), check=late))
        await until(lambda: target.requests)
        threading.Event().wait(0.35)
        result = await probing
    assert result.outcome is ProbeOutcome.PASS


@pytest.mark.parametrize("exchanges", [1, 3])
async def test_a_probe_of_several_exchanges_counts_the_time_of_each_phase_together(exchanges: int) -> None:
    phases: list[float] = []

    async def steps(probe: Probe) -> Finding:
        finding = Finding(ProbeReason.OK)
        for _ in range(exchanges):
            finding = await probe.exchange(Destination("127.0.0.1", target.port), Says(b"GET / HTTP/1.1\r\n\r\n"))
            phases.append(probe.timings().connect or 0.0)
        return finding

    async with serve(answers(response("200 OK", b"ok"))) as target:
        result = await finished(steps)
    assert (result.outcome, target.connections) == (ProbeOutcome.PASS, exchanges)
    assert phases == sorted(phases)
    assert result.timings.connect == phases[-1]


async def test_addresses_that_are_not_allowed_are_not_connected_to() -> None:
    async def steps(probe: Probe) -> Finding:
        return await probe.exchange(Destination("127.0.0.1", target.port), Says(), allow=lambda _: False)

    async with serve(silent) as target:
        result = await finished(steps)
    assert (result.reason, target.connections) == (ProbeReason.REDIRECT_REFUSED, 0)


async def finished(steps: Callable[[Probe], object]) -> ProbeResult:
    found: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()
    endpoint = Endpoint("region-1", "127.0.0.1")
    start_steps(LIVE, endpoint, counting_clock(), None, steps, found.set_result)  # type: ignore[arg-type]
    return await found


async def test_a_defect_in_a_protocol_is_blind() -> None:
    class Broken(Says):
        def received(self, data: bytes) -> Finding | None:
            raise KeyError(data)

    async with serve(answers(b"x")) as target:
        result = await called(target.port, Broken(b"GET / HTTP/1.1\r\n\r\n"))
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.PROBER_ERROR)


async def test_what_is_abandoned_is_not_told_of() -> None:
    told: list[ProbeResult] = []
    async with serve(answers(b"x")) as target:
        endpoint = Endpoint("region-1", "127.0.0.1", target.port)
        destination = Destination("127.0.0.1", target.port)
        abandon = start_exchange(LIVE, endpoint, counting_clock(), None, destination, Says(b"x\r\n\r\n"), told.append)
        abandon()
        abandon()
        await called(target.port, Says(b"GET / HTTP/1.1\r\n\r\n"))
    assert told == []
