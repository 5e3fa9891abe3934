"""One HTTP/1.1 request and as much of its response as a verdict needs (RFC 9112).

h11 does the parsing; the bounds are ours: 64 KiB of headers, ten interim responses, 256 KiB of body. Bytes come from
targets that may be broken or hostile, so everything that h11 refuses is a finding, and nothing raises.
"""

import asyncio
from dataclasses import dataclass

import h11

from failoverd.core.records import ProbeReason
from failoverd.probes.connection import Look
from failoverd.probes.reasons import Finding, Phase, excerpt, explain, printable

MAX_HEADERS = 64 * 1024
MAX_BODY = 256 * 1024
MAX_INTERIM = 10
"""Interim (1xx) responses that are passed over before the answer (RFC 9110, 15.2)."""

_TOO_MANY_REQUESTS = 429
_HEADERS_TOO_LARGE = 431  # how h11 marks that its buffer is full
_REDIRECTS = range(300, 400)
_OPENING = b"HTTP/"
_EXCERPT = 60


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer that passes. `contains` is looked for in the body, across the borders of chunks."""

    statuses: frozenset[int]
    contains: bytes | None = None


class Exchange(asyncio.Protocol):
    """Asks once and judges the answer while it arrives."""

    def __init__(self, looking: Look, expected: Expected) -> None:
        self._looking = looking
        self._expected = expected
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADERS)
        self._found: asyncio.Future[Finding] = asyncio.get_running_loop().create_future()
        self._opening = b""
        self._interim = 0
        self._body = Body(expected.contains)

    async def ask(self, transport: asyncio.WriteTransport, request: h11.Request) -> Finding:
        """Send the request; what the answer came to. The caller sets the deadline."""
        self._looking.enter(Phase.FIRST_BYTE)
        if not self._found.done():
            sent = self._wire.send(request), self._wire.send(h11.EndOfMessage())
            transport.write(b"".join(part for part in sent if part))
        return await self._found

    # -- callbacks of the transport ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._looking.phase is Phase.FIRST_BYTE:
            self._looking.enter(Phase.ANSWER)
        self._take(data)

    def eof_received(self) -> None:
        self._take(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._take(b"")
        else:
            self._conclude(explain(exc, self._looking.phase))

    # -- judging -------------------------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        """Take in what arrived; nothing means that the peer closed its side."""
        if self._found.done():
            return
        try:
            finding = self._read(data)
        except h11.RemoteProtocolError as error:
            finding = self._closed() if not data else _refused(error)
        except Exception as error:  # noqa: BLE001 - explain() classifies; it must not get lost in the event loop
            finding = explain(error, self._looking.phase)
        if finding is not None:
            self._conclude(finding)

    def _conclude(self, finding: Finding) -> None:
        if not self._found.done():
            self._found.set_result(finding)

    def _read(self, data: bytes) -> Finding | None:
        if data and len(self._opening) < len(_OPENING):
            self._opening = (self._opening + data)[: len(_OPENING)]
            if not _OPENING.startswith(self._opening):
                return Finding(ProbeReason.RESPONSE_INVALID, f"this is not HTTP: {excerpt(data)}")
        self._wire.receive_data(data)
        while (event := self._wire.next_event()) is not h11.NEED_DATA:
            finding = self._weigh(event)
            if finding is not None:
                return finding
        return None

    def _weigh(self, event: object) -> Finding | None:
        match event:
            case h11.Response():
                return self._weigh_status(event)
            case h11.Data():
                return self._weigh_body(event.data)
            case h11.EndOfMessage():
                return self._body.mismatch()
            case h11.InformationalResponse():
                self._interim += 1
                many = f"more than {MAX_INTERIM} interim (1xx) responses"
                return Finding(ProbeReason.RESPONSE_INVALID, many) if self._interim > MAX_INTERIM else None
            case _:
                return self._closed()

    def _weigh_body(self, data: bytes) -> Finding | None:
        if self._body.take(data):
            return Finding(ProbeReason.OK, "the body contains what it should")
        return self._body.mismatch() if self._body.full else None

    def _weigh_status(self, response: h11.Response) -> Finding | None:
        words = f"{response.status_code} {response.reason.decode('latin-1')}".rstrip()
        if response.status_code in self._expected.statuses:
            return None if self._expected.contains is not None else Finding(ProbeReason.OK, words)
        if response.status_code == _TOO_MANY_REQUESTS:
            return Finding(ProbeReason.OVERLOADED, words)
        if response.status_code in _REDIRECTS:
            location = dict(response.headers).get(b"location", b"").decode("latin-1")
            words = f"{words} to {location!r}; redirects are not followed"
        return Finding(ProbeReason.STATUS_UNEXPECTED, words)

    def _closed(self) -> Finding:
        if self._looking.phase is Phase.ANSWER:
            return Finding(ProbeReason.RESPONSE_CLOSED, "the connection was closed in the midst of the answer")
        return Finding(ProbeReason.RESPONSE_CLOSED, "the connection was closed without an answer")


class Body:
    """Looks for a text in a body of which it keeps no more than it must."""

    def __init__(self, wanted: bytes | None) -> None:
        self._wanted = wanted or b""
        self._start = b""
        self._tail = b""
        self._size = 0

    @property
    def full(self) -> bool:
        return self._size >= MAX_BODY

    def take(self, data: bytes) -> bool:
        """Whether the text ends in this part of the body, which may have begun in an earlier one."""
        data = data[: MAX_BODY - self._size]
        self._size += len(data)
        self._start += data[: _EXCERPT - len(self._start)]
        window = self._tail + data
        self._tail = window[max(0, len(window) - len(self._wanted) + 1) :]
        return self._wanted in window

    def mismatch(self) -> Finding:
        where = f"the first {self._size} bytes of the body do" if self.full else f"the body ({self._size} bytes) does"
        wanted, start = excerpt(self._wanted), excerpt(self._start, _EXCERPT)
        return Finding(ProbeReason.BODY_MISMATCH, f"{where} not contain {wanted}; it begins with {start}")


def _refused(error: h11.RemoteProtocolError) -> Finding:
    if error.error_status_hint == _HEADERS_TOO_LARGE:
        return Finding(
            ProbeReason.RESPONSE_TOO_LARGE, f"more than {MAX_HEADERS // 1024} KiB of headers, and no end of them"
        )
    return Finding(ProbeReason.RESPONSE_INVALID, f"this is not HTTP: {printable(str(error))}")
