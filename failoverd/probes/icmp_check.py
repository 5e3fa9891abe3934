"""The `icmp` check: an endpoint answers echo requests (RFC 792, RFC 4443), over ping sockets that need no privilege.

The requests go out one after the other, and each gets an equal part of the time that is left. The probe is over as soon
as enough of them are answered: an endpoint that is well costs as many packets as answers are wanted, mostly one, and a
lost packet costs another request and no false verdict.
"""

import asyncio
import os
import socket
import struct
from contextlib import suppress
from time import perf_counter
from typing import Final, NamedTuple, Self

from pydantic import Field, model_validator

from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.execution import Probe, settings_of, start_steps
from failoverd.probes.findings import Concluded, Finding, Phase
from failoverd.probes.transport.error_mapping import explain
from failoverd.probes.transport.host_resolver import addresses_of
from failoverd.probes.transport.protocol import is_address
from failoverd.probes.transport.reactor import reactor
from failoverd.settings import CheckSettings

_TOKEN: Final = 16
_READ: Final = 2_048
_MOST_PACKETS: Final = 64
"""Packets that are looked at in one go."""

_SHARE: Final = 0.95
"""Of the time that is left, so that the last request is given up before the deadline of the whole probe."""

_NOT_PERMITTED: Final = (
    "this host does not let us send echo requests: widen the sysctl net.ipv4.ping_group_range to a group of failoverd"
)


class IcmpSettings(CheckSettings):
    """Whether an endpoint answers echo requests."""

    icmp: int = Field(ge=1, le=10, description="echo requests to send at most, one after the other")
    answers: int = Field(default=1, ge=1, le=10, description="answers that are enough to pass; then no more is sent")
    size: int = Field(default=56, ge=_TOKEN, le=1_400, description="bytes of data in each request")

    @model_validator(mode="after")
    def _enough_requests(self) -> Self:
        if self.answers > self.icmp:
            raise ValueError(f"{self.icmp} requests cannot bring {self.answers} answers: raise icmp or lower answers")
        return self


class _Protocol(NamedTuple):
    """ICMP for one address family (linux/icmp.h, linux/in.h, linux/in6.h)."""

    family: socket.AddressFamily
    number: int
    request: int
    reply: int
    level: int
    want_errors: int
    origin: int
    words: dict[tuple[int, int], str]


_V4: Final = _Protocol(
    socket.AF_INET,
    socket.IPPROTO_ICMP,
    8,
    0,
    socket.IPPROTO_IP,
    11,  # IP_RECVERR
    2,  # SO_EE_ORIGIN_ICMP
    {
        (3, 0): "network unreachable",
        (3, 1): "host unreachable",
        (3, 2): "protocol unreachable",
        (3, 3): "port unreachable",
        (3, 4): "packet too large and not to be fragmented",
        (3, 5): "source route failed",
        (3, 6): "network unknown",
        (3, 7): "host unknown",
        (3, 9): "network administratively prohibited",
        (3, 10): "host administratively prohibited",
        (3, 13): "communication administratively prohibited",
        (11, 0): "time to live exceeded in transit",
    },
)
_V6: Final = _Protocol(
    socket.AF_INET6,
    socket.IPPROTO_ICMPV6,
    128,
    129,
    socket.IPPROTO_IPV6,
    25,  # IPV6_RECVERR
    3,  # SO_EE_ORIGIN_ICMP6
    {
        (1, 0): "no route to destination",
        (1, 1): "communication administratively prohibited",
        (1, 2): "beyond the scope of the source address",
        (1, 3): "address unreachable",
        (1, 4): "port unreachable",
        (1, 5): "source address failed a policy",
        (1, 6): "route rejected",
        (2, 0): "packet too large",
        (3, 0): "hop limit exceeded in transit",
    },
)
_MSG_ERRQUEUE: Final = 0x2000
_HEADER: Final = struct.Struct("!BBHHH")  # type, code, checksum, identifier (the kernel fills in both), sequence
_EXTENDED_ERROR: Final = struct.Struct("=IBBBBII")  # linux/errqueue.h: struct sock_extended_err


# -- one socket --------------------------------------------------------------------------------------------------------


class _Pings:
    """A ping socket that is connected to one address, and what came back over it. `SocketListener` for the reactor."""

    def __init__(self, address: str, size: int) -> None:
        """Raises Concluded when this host has no way to the address, or forbids ping sockets."""
        self._protocol = _V6 if ":" in address else _V4
        self._address = address
        self._token = os.urandom(_TOKEN)
        self._padding = bytes(size - _TOKEN)
        self._sent_at: dict[int, float] = {}  # by sequence, without those that were answered
        self.sent = 0
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.round_trips: list[float] = []
        self.trouble: Finding | None = None
        self._socket = self._open()

    def _open(self) -> socket.socket:
        protocol = self._protocol
        try:
            opened = socket.socket(protocol.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol.number)
        except PermissionError:
            raise Concluded(Finding(ProbeReason.NOT_PERMITTED, _NOT_PERMITTED)) from None
        try:
            opened.setsockopt(protocol.level, protocol.want_errors, 1)
            opened.connect((self._address, 0))
            reactor(self._loop).watch(opened.fileno(), self)
        except OSError as error:
            opened.close()
            raise Concluded(explain(error, Phase.CONNECT, self._address)) from None
        return opened

    async def ask(self, patience: float) -> None:
        """Send the next request, and wait until there is an answer or trouble, at most `patience` seconds."""
        self._news.clear()
        self.sent += 1
        self._sent_at[self.sent] = perf_counter()
        request = _HEADER.pack(self._protocol.request, 0, 0, 0, self.sent) + self._token + self._padding
        try:
            self._socket.send(request)
        except OSError as error:
            self._note(self._unreachable(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._news.wait()
        self.ready(0)  # we may be late ourselves, and the answer is there

    def close(self) -> None:
        reactor(self._loop).forget(self._socket.fileno())
        self._socket.close()

    def ready(self, events: int) -> None:  # noqa: ARG002 - the socket knows better
        for _ in range(_MOST_PACKETS):
            try:
                packet = self._socket.recv(_READ)
            except BlockingIOError:
                return
            except OSError as error:
                self._note(self._unreachable(error))
                return
            self._take(packet)
        self._loop.call_soon(self._go_on)  # edge-triggered: what is left is not told again

    def _go_on(self) -> None:
        if self._socket.fileno() >= 0:
            self.ready(0)

    def _take(self, packet: bytes) -> None:
        """An answer counts once, and only if it brings back what only the asked one can know."""
        if len(packet) < _HEADER.size:
            return
        kind, _, _, _, sequence = _HEADER.unpack_from(packet)
        if kind != self._protocol.reply or packet[_HEADER.size :] != self._token + self._padding:
            return
        sent_at = self._sent_at.pop(sequence, None)
        if sent_at is not None:
            self.round_trips.append(perf_counter() - sent_at)
            self._news.set()

    def _note(self, trouble: Finding) -> None:
        self.trouble = trouble
        self._news.set()

    def _unreachable(self, error: OSError) -> Finding:
        """What came back instead of an answer: an ICMP error in words, or an error of this host."""
        protocol = self._protocol
        try:
            _, ancillary, _, _ = self._socket.recvmsg(_READ, 512, _MSG_ERRQUEUE)
        except OSError:
            return explain(error, Phase.CONNECT, self._address)
        for level, kind, data in ancillary:
            if (level, kind) != (protocol.level, protocol.want_errors) or len(data) < _EXTENDED_ERROR.size:
                continue
            _, origin, message, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
            if origin == protocol.origin:
                words = protocol.words.get((message, code), f"ICMP type {message}, code {code}")
                return Finding(ProbeReason.ICMP_UNREACHABLE, words)
        return explain(error, Phase.CONNECT, self._address)


# -- the prober --------------------------------------------------------------------------------------------------------


class IcmpProber:
    """One `icmp` check. PASS when enough requests are answered."""

    def __init__(self, check: Check, settings: IcmpSettings, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._clock = clock

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        async def steps(probe: Probe) -> Finding:
            pings = await _reach(probe, endpoint.address, self._settings.size)
            try:
                return await _ping(probe, pings, self._settings)
            finally:
                pings.close()

        return start_steps(self._check, endpoint, self._clock, self._settings.slow, steps, tell)


async def _reach(probe: Probe, host: str, size: int) -> _Pings:
    """A socket towards the first address of the host that this machine has a route to."""
    if is_address(host):
        return _Pings(host, size)
    probe.enter(Phase.RESOLVE)
    addresses = await addresses_of(host)
    probe.enter(Phase.CONNECT)
    for address in addresses[:-1]:
        with suppress(Concluded):
            return _Pings(address, size)
    return _Pings(addresses[-1], size)


async def _ping(probe: Probe, pings: _Pings, settings: IcmpSettings) -> Finding:
    probe.enter(Phase.FIRST_BYTE)
    answered = 0
    while pings.sent < settings.icmp and answered < settings.answers:
        await pings.ask(_SHARE * probe.left() / (settings.icmp - pings.sent))
        if pings.trouble is not None:
            return pings.trouble
        answered = len(pings.round_trips)
    probe.enter(Phase.ANSWER)
    return _judge(pings, settings.answers)


def _judge(pings: _Pings, wanted: int) -> Finding:
    times = pings.round_trips
    loss = ("loss_percent", 100.0 * (pings.sent - len(times)) / pings.sent)
    words = f"{len(times)} of {pings.sent} echo requests were answered"
    if not times:
        return Finding(ProbeReason.RESPONSE_TIMEOUT, words, (loss,))
    best = min(times)
    measured = (("round_trip_seconds", best), loss)
    if len(times) < wanted:
        return Finding(ProbeReason.RESPONSE_TIMEOUT, f"{words}; {wanted} have to be", measured)
    return Finding(ProbeReason.OK, f"{words}, in {best * 1_000:.3g} ms", measured)


def open_icmp(check: Check, context: ProbeContext) -> IcmpProber:
    return IcmpProber(check, settings_of(check, IcmpSettings), context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("icmp", IcmpSettings, open_icmp, connects=False),)
