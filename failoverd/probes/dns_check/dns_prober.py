"""The `dns` check: an endpoint that is a DNS server is asked a question, and answers it as it should.

Over UDP a datagram may come from anywhere. The socket is connected, so the kernel passes on only what claims to come
from the endpoint; of that, only what carries our id and repeats our question is an answer. The rest is not heard.
"""

import asyncio
import os
import socket
from typing import Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.dns_check.dns_question import MOST_ANSWER, DnsQuestion, EdnsRefused, Unrelated
from failoverd.probes.dns_check.dns_settings import DnsSettings
from failoverd.probes.execution import Probe, settings_of, start_steps
from failoverd.probes.findings import Finding, Phase
from failoverd.probes.transport.error_mapping import explain
from failoverd.probes.transport.host_resolver import addresses_of
from failoverd.probes.transport.protocol import ClientTransport, Destination, is_address
from failoverd.probes.transport.reactor import Reactor, reactor

_DATAGRAM: Final = int(socket.SOCK_DGRAM) | int(socket.SOCK_NONBLOCK)
_MOST_AT_ONCE: Final = 32
"""Datagrams that are taken in before others have their turn."""

_PREFIX: Final = 2  # RFC 1035, 4.2.2: over TCP, the length of each message stands before it


class DnsProber:
    """One `dns` check."""

    def __init__(self, check: Check, settings: DnsSettings, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._clock = clock
        self._question = DnsQuestion(settings)

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        settings = self._settings
        destination = Destination(endpoint.address, endpoint.port or settings.port, speaks_first=True)
        ask = query_tcp if settings.transport == "tcp" else query_udp

        async def steps(probe: Probe) -> Finding:
            try:
                return await ask(probe, destination, self._question, edns=True)
            except EdnsRefused:  # RFC 6891, 7
                return await ask(probe, destination, self._question, edns=False)

        return start_steps(self._check, endpoint, self._clock, settings.slow, steps, tell)


async def query_tcp(probe: Probe, destination: Destination, question: DnsQuestion, *, edns: bool) -> Finding:
    """Ask over TCP. Raises EdnsRefused."""
    query = TcpQuery(question, edns=edns)
    found = await probe.exchange(destination, query)
    if query.refused is not None:
        raise query.refused
    return found


async def query_udp(probe: Probe, destination: Destination, question: DnsQuestion, *, edns: bool) -> Finding:
    """Ask over UDP; over TCP, too, when the answer was cut for want of room (RFC 7766, 5). Raises EdnsRefused."""
    address = destination.host
    probe.phase = Phase.FIRST_BYTE
    if not is_address(address):
        probe.phase = Phase.RESOLVE
        address = (await addresses_of(address))[0]
        probe.enter(Phase.FIRST_BYTE)
    loop = asyncio.get_running_loop()
    query = _UdpQuery(loop, reactor(loop), question, address, edns=edns)
    try:
        query.send(destination.port)
        found = await query.found
    except OSError as error:
        return explain(error, Phase.FIRST_BYTE, address)
    finally:
        query.close()
    probe.enter(Phase.ANSWER)
    if found is not None:
        return found
    found = await query_tcp(probe, Destination(address, destination.port, speaks_first=True), question, edns=edns)
    if found.reason is ProbeReason.OK:
        return found
    return found._replace(detail=f"over TCP, for the answer over UDP was cut: {found.detail}")


class _UdpQuery:
    """A question on its way over UDP. Owns its socket; `SocketListener` for the reactor."""

    __slots__ = ("_address", "_edns", "_id", "_loop", "_question", "_reactor", "_socket", "found")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, watching: Reactor, question: DnsQuestion, address: str, *, edns: bool
    ) -> None:
        self._loop = loop
        self._reactor = watching
        self._question = question
        self._edns = edns
        self._address = address
        self._id = os.urandom(2)
        self._socket: socket.socket | None = None
        self.found: asyncio.Future[Finding | None] = loop.create_future()
        """What the answer means; None when it was cut. Raises EdnsRefused."""

    def send(self, port: int) -> None:
        """Raises OSError."""
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        self._socket = opened = socket.socket(family, _DATAGRAM)
        opened.connect((self._address, port))
        self._reactor.watch(opened.fileno(), self)
        opened.send(self._question.wire(self._id, edns=self._edns))

    def close(self) -> None:
        opened, self._socket = self._socket, None
        if opened is not None:
            self._reactor.forget(opened.fileno())
            opened.close()

    def ready(self, events: int) -> None:  # noqa: ARG002 - it is looked for what is there
        if self._socket is None or self.found.done():
            return
        try:
            self._listen(self._socket)
        except BlockingIOError:
            return
        except EdnsRefused as refused:
            self.found.set_exception(refused)
        except Exception as error:  # noqa: BLE001 - explain() classifies; a defect of ours is BLIND, never a FAIL
            self.found.set_result(explain(error, Phase.FIRST_BYTE, self._address))

    def _listen(self, opened: socket.socket) -> None:
        """Take in datagrams until one is the answer. Raises BlockingIOError when there is none for now."""
        for _ in range(_MOST_AT_ONCE):
            data = opened.recv(MOST_ANSWER)
            try:
                found = self._question.judge(self._id, data, edns=self._edns)
            except Unrelated:
                continue
            self.found.set_result(found)
            return
        self._loop.call_soon(self.ready, 0)  # epoll speaks of what is new only, and there may be more of this


class TcpQuery:
    """A `ClientProtocol`: one question over TCP, one answer, each with its length before it.

    Attributes:
        refused: the answer, when it says that the server does not know EDNS.
    """

    __slots__ = ("_edns", "_heard", "_id", "_question", "refused")

    def __init__(self, question: DnsQuestion, *, edns: bool = True) -> None:
        self._question = question
        self._edns = edns
        self.refused: EdnsRefused | None = None
        self._id = os.urandom(2)
        self._heard = b""

    def opened(self, transport: ClientTransport) -> Finding | None:
        wire = self._question.wire(self._id, edns=self._edns)
        transport.send(len(wire).to_bytes(_PREFIX, "big") + wire)
        return None

    def received(self, data: bytes) -> Finding | None:
        self._heard += data
        if len(self._heard) < _PREFIX:
            return None
        length = int.from_bytes(self._heard[:_PREFIX], "big")
        if length > MOST_ANSWER:
            return Finding(ProbeReason.RESPONSE_TOO_LARGE, f"an answer of {length} bytes; {MOST_ANSWER} are taken")
        if len(self._heard) < _PREFIX + length:
            return None
        try:
            found = self._question.judge(self._id, self._heard[_PREFIX : _PREFIX + length], edns=self._edns)
        except EdnsRefused as refused:
            self.refused = refused
            return refused.finding
        except Unrelated as unrelated:
            return Finding(ProbeReason.RESPONSE_INVALID, str(unrelated))
        return found or Finding(ProbeReason.RESPONSE_INVALID, "an answer over TCP that says that it was cut")

    def ended(self) -> Finding:
        return Finding(ProbeReason.RESPONSE_CLOSED, f"closed after {len(self._heard)} bytes of the answer")


def open_dns(check: Check, context: ProbeContext) -> DnsProber:
    return DnsProber(check, settings_of(check, DnsSettings), context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("dns", DnsSettings, open_dns, connects=False),)
