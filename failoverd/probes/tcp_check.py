"""The `tcp` check: something accepts connections on a port, and if need be says the right thing when spoken to."""

from collections.abc import Callable
from typing import Final, Self

from pydantic import Field, model_validator

from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.execution import settings_of, start_exchange
from failoverd.probes.findings import Finding, excerpt
from failoverd.probes.patterns import Pattern, compiled
from failoverd.probes.transport.protocol import ClientProtocol, ClientTransport, Destination
from failoverd.probes.transport.trip_wire import keep_trip_wire
from failoverd.settings import CheckSettings, Port

MOST_HEARD: Final = 4_096
"""Bytes of an answer that are looked at."""

_EXCERPT: Final = 60


class TcpSettings(CheckSettings):
    """Whether a TCP connection can be made, and what is said over it."""

    tcp: Port = Field(description="port to connect to; the port of an endpoint, where it has one, comes first")
    send: str | None = Field(
        default=None,
        min_length=1,
        max_length=4_096,
        description='text to send when the connection stands; in double quotes, YAML knows escapes: "PING\\r\\n"',
    )
    expect: str | None = Field(
        default=None,
        min_length=1,
        max_length=1_024,
        description="text that must be in the first 4 KiB of what the server says",
    )
    matches: Pattern | None = Field(
        default=None, description="pattern (RE2 syntax) that must be found in the first 4 KiB of what the server says"
    )
    trip_wire: bool = Field(
        default=False, description="keep an idle connection to each endpoint, whose end is a reason to probe at once"
    )

    @model_validator(mode="after")
    def _one_expectation(self) -> Self:
        if self.expect is not None and self.matches is not None:
            raise ValueError("expect and matches are two ways to say what the answer is: choose one")
        return self


class TcpDialogue:
    """Says what there is to say, if anything, and listens until what is expected was heard, if anything is."""

    def __init__(self, port: int, send: bytes, wanted: bytes | None, pattern: str | None) -> None:
        self._port = port
        self._send = send
        self._wanted = wanted
        self._pattern = pattern
        self._heard = b""

    def opened(self, transport: ClientTransport) -> Finding | None:
        if self._send:
            transport.send(self._send)
        if self._wanted is None and self._pattern is None:
            return Finding(ProbeReason.OK, f"connected to port {self._port}")
        return None

    def received(self, data: bytes) -> Finding | None:
        self._heard += data[: MOST_HEARD - len(self._heard)]
        if self._is_right():
            return Finding(ProbeReason.OK, f"it says {excerpt(self._heard, _EXCERPT)}")
        return self._mismatch() if len(self._heard) >= MOST_HEARD else None

    def ended(self) -> Finding:
        if self._heard:
            return self._mismatch()
        return Finding(ProbeReason.RESPONSE_CLOSED, "the connection was closed without a word")

    def _is_right(self) -> bool:
        if self._wanted is not None:
            return self._wanted in self._heard
        return self._pattern is None or compiled(self._pattern).search(self._heard) is not None

    def _mismatch(self) -> Finding:
        wanted = self._wanted if self._wanted is not None else (self._pattern or "").encode()
        words = f"{excerpt(wanted)} is not in what it says: {excerpt(self._heard, _EXCERPT)}"
        return Finding(ProbeReason.ANSWER_MISMATCH, words)


class TcpProber:
    """One `tcp` check. PASS when the connection stands and, where an answer is expected, when it came."""

    def __init__(self, check: Check, settings: TcpSettings, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._clock = clock
        self._send = (settings.send or "").encode()
        self._wanted = None if settings.expect is None else settings.expect.encode()

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        destination = Destination(endpoint.address, self._port(endpoint))
        dialogue: ClientProtocol = TcpDialogue(destination.port, self._send, self._wanted, self._settings.matches)
        return start_exchange(self._check, endpoint, self._clock, self._settings.slow, destination, dialogue, tell)

    def wire(self, endpoint: Endpoint, tripped: Callable[[], None]) -> Cancel | None:
        """See `ports.Tripping`."""
        return keep_trip_wire(endpoint.address, self._port(endpoint), tripped) if self._settings.trip_wire else None

    def _port(self, endpoint: Endpoint) -> int:
        return endpoint.port or self._settings.tcp


def open_tcp(check: Check, context: ProbeContext) -> TcpProber:
    return TcpProber(check, settings_of(check, TcpSettings), context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("tcp", TcpSettings, open_tcp),)
