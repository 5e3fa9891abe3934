"""One call of gRPC's health checking protocol over HTTP/2: `grpc.health.v1.Health`, its Check or its Watch.

h2 is handed the frames one by one. So a peer that sends them without end is heard for a number of them and no longer,
and a GOAWAY in good order, which lets the call go on, does not end it.
"""

from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from typing import Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding, excerpt
from failoverd.probes.grpc_check.health_messages import HealthAnswer, health_request
from failoverd.probes.transport.protocol import ClientTransport

MOST_FRAMES: Final = 256
MOST_BYTES: Final = 128 * 1024
"""What a peer may send before the call is over."""

_FRAME_HEADER: Final = 9  # RFC 9113, 4.1
_MOST_FRAME: Final = 16_384
_SETTINGS, _GOAWAY = 4, 7
_GOAWAY_LEAST: Final = 8
_MOST_STREAM: Final = 2**31 - 1
_CALL: Final = 1
"""The stream of the call: the first one that a client opens."""

_HEADERS_TAKEN: Final = 16 * 1024
_OPENING: Final = {
    h2.settings.SettingCodes.ENABLE_PUSH: 0,
    h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: _HEADERS_TAKEN,
    h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1,
}
_CONFIG: Final = h2.config.H2Configuration(client_side=True, header_encoding=None)


class Method(StrEnum):
    CHECK = "Check"
    WATCH = "Watch"


class HealthCall:
    """A `ClientProtocol`: one call on one connection.

    Args:
        service: whose health; the empty string is the server as a whole.
        method: Check, or Watch, of which the first message counts.
        authority: the server's name, as the caller knows it.
        secured: whether the connection has TLS, which then has to have agreed on h2.
        timeout: seconds, told to the server.
        metadata: more of it.
        authorized: whether some of that says who we are, so that a refusal is about that.
    """

    def __init__(
        self,
        service: str,
        method: Method,
        *,
        authority: str,
        secured: bool,
        timeout: float,
        metadata: Iterable[tuple[str, str]] = (),
        authorized: bool = False,
    ) -> None:
        self._service = service
        self._method = method
        self._secured = secured
        self._headers = [
            (":method", "POST"),
            (":scheme", "https" if secured else "http"),
            (":path", f"/grpc.health.v1.Health/{method}"),
            (":authority", authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("grpc-timeout", f"{max(1, round(timeout * 1_000))}m"),
            ("user-agent", "failoverd"),
            *((name.lower(), value) for name, value in metadata),
        ]
        self._answer = HealthAnswer(authorized=authorized)
        self._transport: ClientTransport | None = None
        self._connection = h2.connection.H2Connection(_CONFIG)
        self._heard = b""
        self._bytes = 0
        self._frames = 0

    # -- the client protocol -------------------------------------------------------------------------------------------

    def opened(self, transport: ClientTransport) -> Finding | None:
        agreed = transport.alpn()
        if self._secured and agreed != "h2":
            words = f"the server agrees on {agreed}" if agreed else "the server agrees on no protocol"
            return Finding(ProbeReason.TLS_FAILED, f"{words}; gRPC needs h2")
        self._transport = transport
        connection = self._connection
        connection.local_settings = h2.settings.Settings(client=True, initial_values=_OPENING)
        connection.initiate_connection()
        connection.send_headers(_CALL, self._headers)
        connection.send_data(_CALL, health_request(self._service), end_stream=True)
        transport.send(connection.data_to_send())
        return None

    def received(self, data: bytes) -> Finding | None:
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            return Finding(ProbeReason.RESPONSE_TOO_LARGE, f"more than {MOST_BYTES // 1024} KiB before the answer")
        self._heard += data
        if not self._frames and not _may_begin(self._heard):
            return Finding(ProbeReason.RESPONSE_INVALID, _other_tongue(self._heard))
        finding = self._go_on()
        if finding is None:
            self._reply()
        return finding

    def ended(self) -> Finding:
        if not self._bytes:
            return Finding(ProbeReason.RESPONSE_CLOSED, "the connection was closed without an answer")
        if not self._frames:
            return Finding(ProbeReason.RESPONSE_INVALID, _other_tongue(self._heard))
        return Finding(ProbeReason.RESPONSE_CLOSED, "the connection was closed before the call was over")

    def _reply(self) -> None:
        """What HTTP/2 itself has to say: settings and pings are acknowledged."""
        waiting = self._connection.data_to_send()
        if waiting and self._transport is not None:
            self._transport.send(waiting)

    # -- frames --------------------------------------------------------------------------------------------------------

    def _go_on(self) -> Finding | None:
        """Take in every frame that is whole."""
        at, heard = 0, self._heard
        finding = None
        while finding is None and len(heard) - at >= _FRAME_HEADER:
            length = int.from_bytes(heard[at : at + 3], "big")
            if length > _MOST_FRAME:
                return Finding(ProbeReason.RESPONSE_INVALID, f"a frame of {length} bytes; {_MOST_FRAME} are allowed")
            end = at + _FRAME_HEADER + length
            if end > len(heard):
                break
            self._frames += 1
            if self._frames > MOST_FRAMES:
                return Finding(ProbeReason.RESPONSE_TOO_LARGE, f"more than {MOST_FRAMES} frames before the answer")
            finding = self._frame(heard[at:end])
            at = end
        self._heard = heard[at:]
        return finding

    def _frame(self, frame: bytes) -> Finding | None:
        if frame[3] == _GOAWAY:
            return _farewell(frame[_FRAME_HEADER:])
        try:
            events = self._connection.receive_data(frame)
        except (h2.exceptions.H2Error, ValueError, KeyError, IndexError) as error:
            words = str(error).partition(" from <")[0]  # the place of an object in memory is of no interest
            return Finding(ProbeReason.RESPONSE_INVALID, f"not HTTP/2: {words or type(error).__name__}")
        for event in events:
            finding = self._event(event)
            if finding is not None:
                return finding
        return None

    def _event(self, event: h2.events.Event) -> Finding | None:
        match event:
            case h2.events.ResponseReceived():
                finding = self._answer.head(_fields(event.headers))
                return finding if finding is not None or event.stream_ended is None else self._answer.end()
            case h2.events.DataReceived():
                finding = self._answer.data(event.data)
                return finding or self._first_word()
            case h2.events.TrailersReceived():
                self._answer.trailers(_fields(event.headers))
            case h2.events.StreamEnded():
                return self._answer.end()
            case h2.events.StreamReset():
                return _broken_off("the call was reset", int(event.error_code or 0))
            case _:
                pass  # settings, pings, windows: h2 has seen to them
        return None

    def _first_word(self) -> Finding | None:
        """Watch never ends by itself: it is called off once it has said how things are."""
        if self._method is not Method.WATCH or self._answer.status is None:
            return None
        with suppress(h2.exceptions.H2Error, OSError):  # a courtesy; the answer is known already
            self._connection.reset_stream(_CALL, h2.errors.ErrorCodes.CANCEL)
            self._reply()
        return self._answer.weigh()


# -- the beginning and the end of a connection -------------------------------------------------------------------------


def _may_begin(heard: bytes) -> bool:
    """Whether this may be HTTP/2: its first frame is SETTINGS, on no stream (RFC 9113, 3.4)."""
    if len(heard) <= 3:  # noqa: PLR2004 - where the type of a frame stands
        return heard[:1] == b"\0"
    return int.from_bytes(heard[:3], "big") <= _MOST_FRAME and heard[3] in {_SETTINGS, _GOAWAY}


def _other_tongue(heard: bytes) -> str:
    if heard.startswith(b"HTTP/1"):
        return f"the server speaks HTTP/1, not HTTP/2: {excerpt(heard)}"
    return f"the server does not speak HTTP/2: {excerpt(heard)}"


def _farewell(payload: bytes) -> Finding | None:
    """GOAWAY (RFC 9113, 6.8): a server that leaves in good order still finishes the calls that it has taken on."""
    if len(payload) < _GOAWAY_LEAST:
        return Finding(ProbeReason.RESPONSE_INVALID, "not HTTP/2: a GOAWAY that is too short")
    last = int.from_bytes(payload[:4], "big") & _MOST_STREAM
    code = int.from_bytes(payload[4:8], "big")
    if code == h2.errors.ErrorCodes.NO_ERROR and last >= _CALL:
        return None
    return _broken_off("the server ends the connection", code)


def _broken_off(words: str, code: int) -> Finding:
    """What an error of HTTP/2 means (RFC 9113, 7)."""
    try:
        name = h2.errors.ErrorCodes(code).name
    except ValueError:
        name = f"error {code}"
    too_much = code == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
    return Finding(ProbeReason.OVERLOADED if too_much else ProbeReason.RESPONSE_CLOSED, f"{words}: {name}")


def _fields(headers: Iterable[tuple[bytes | str, bytes | str]]) -> dict[str, str]:
    """Header fields by name; of one that comes twice, the last."""
    return {_text(name): _text(value) for name, value in headers}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
