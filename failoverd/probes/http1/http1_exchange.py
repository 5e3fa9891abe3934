"""One HTTP/1.1 request and as much of its response as a verdict needs (RFC 9112).

The reading is ours (`response_head`, `chunked_body`): parsers that are made for servers refuse what clients have to
accept, and the lenient ones accept NUL as well, or cost ten times as much. Bounds: 64 KiB of headers, ten interim
responses, 256 KiB of body. Bytes come from targets that may be broken or hostile, so everything that cannot be read is
a finding, and nothing raises. Who asks brings a judge: he hears the head, the body in parts, and the end. A body that
says how long it is and ends before that is a finding, whatever was in it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from failoverd import __version__
from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding, excerpt, printable
from failoverd.probes.http1.chunked_body import ChunkedBody
from failoverd.probes.http1.response_head import (
    Framing,
    MalformedError,
    ResponseHead,
    ResponseHeaders,
    end_of_head,
    framing,
    read_head,
)
from failoverd.probes.transport.protocol import ClientTransport

MAX_HEADERS: Final = 64 * 1024
MAX_BODY: Final = 256 * 1024
MAX_INTERIM: Final = 10
"""Interim (1xx) responses that are passed over before the answer (RFC 9110, 15.2)."""

_FRAMING: Final = 2
"""How many times its content a body may weigh on the wire before it is an abuse of chunking."""

_AGENT: Final = f"failoverd/{__version__}"
_OPENING: Final = b"HTTP/"
_EMPTY_LINES: Final = b"\r\n"
_INTERIM: Final = range(100, 200)
_SWITCHING: Final = 101
_NO_BODY: Final = frozenset({204, 304})
_AS_IT_IS: Final = frozenset({"", "identity"})
_UNFRAMED: Final = Framing(chunked=False, length=0, coding="")


class ResponseJudge(Protocol):
    """Who decides what an answer means. Each method may return a finding, which ends the exchange."""

    def head(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding | None:
        """The final status and the headers; names are lower-case, of several with one name the last one counts."""

    def body(self, data: bytes) -> Finding | None:
        """A part of the content, without its framing."""

    def cut(self) -> None:
        """The content is longer than what is read of it; `end` follows."""

    def end(self) -> Finding:
        """The answer is complete."""


def request(method: str, target: str, host: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """A request on a connection of its own. `headers` come over what is usual for us; a `body` gets its length."""
    fields = {
        "Host": host,
        "User-Agent": _AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    given = {name.lower() for name in headers or ()}
    fields = {name: value for name, value in fields.items() if name.lower() not in given} | dict(headers or {})
    if body or method in {"POST", "PUT", "PATCH"}:
        fields["Content-Length"] = str(len(body))
    lines = (f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()))
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n" + body


def ask(transport: ClientTransport, asked: bytes) -> Finding | None:
    """Send a request, unless there is something already: that is no answer to it (RFC 9112, 9.2)."""
    if transport.peer_spoke_first():
        return Finding(ProbeReason.RESPONSE_INVALID, "it answers before it is asked")
    transport.send(asked)
    return None


class Http1Exchange:
    """A `ClientProtocol`: asks once, and lets the judge hear the answer while it arrives.

    Args:
        asked: the whole request, as `request` makes it.
        judge: decides.
        method: the request's: the answer to HEAD has no body.
        most_body: bytes of content that are read.
    """

    __slots__ = (
        "_asked",
        "_bodiless",
        "_chunks",
        "_head",
        "_heads",
        "_heard",
        "_interim",
        "_judge",
        "_left",
        "_most_body",
        "_searched",
        "_size",
        "_started",
    )

    def __init__(self, asked: bytes, judge: ResponseJudge, *, method: str = "GET", most_body: int = MAX_BODY) -> None:
        self._asked = asked
        self._judge = judge
        self._bodiless = method == "HEAD"
        self._most_body = most_body
        self._heard = 0  # bytes of all kinds
        self._head = bytearray()  # what has come of a head
        self._searched = 0  # how much of that has no end in it
        self._heads = 0  # bytes of heads and empty lines that are dealt with
        self._interim = 0
        self._started = False  # the final answer's headers are complete
        self._chunks: ChunkedBody | None = None
        self._left: int | None = None  # bytes that a body with a length still lacks
        self._size = 0  # bytes of content

    # -- the client protocol -------------------------------------------------------------------------------------------

    def opened(self, transport: ClientTransport) -> Finding | None:
        return ask(transport, self._asked)

    def received(self, data: bytes) -> Finding | None:
        self._heard += len(data)
        try:
            finding = self._hear_body(data) if self._started else self._hear_head(data)
        except MalformedError as error:
            return Finding(ProbeReason.RESPONSE_INVALID, printable(str(error)))
        return finding or self._too_much()

    def ended(self) -> Finding:
        """An answer of which nothing says how long it is ends with the connection (RFC 9112, 6.3)."""
        if self._started and self._chunks is None and self._left is None:
            return self._judge.end()
        if self._heard:
            return Finding(ProbeReason.RESPONSE_CLOSED, "the connection was closed in the midst of the answer")
        return Finding(ProbeReason.RESPONSE_CLOSED, "the connection was closed without an answer")

    def _too_much(self) -> Finding | None:
        if not self._started:
            return _TOO_MANY_HEADERS if self._heads + len(self._head) > MAX_HEADERS else None
        if self._heard > MAX_HEADERS + _FRAMING * (MAX_HEADERS + self._most_body):
            return Finding(ProbeReason.RESPONSE_TOO_LARGE, "more framing than content")
        return None

    # -- the head ------------------------------------------------------------------------------------------------------

    def _hear_head(self, data: bytes) -> Finding | None:
        """Raises MalformedError."""
        self._head += data
        while not self._started:
            if not self._searched:
                self._pass_over_empty_lines()
            if not _OPENING.startswith(self._head[: len(_OPENING)]):
                return Finding(ProbeReason.RESPONSE_INVALID, f"this is not HTTP: {excerpt(bytes(self._head))}")
            found = end_of_head(self._head, self._searched)
            self._searched = len(self._head)
            if found is None:
                return None
            last, end = found
            if self._heads + end > MAX_HEADERS:
                return _TOO_MANY_HEADERS
            head = read_head(bytes(self._head[:last]))
            self._forget(end)
            finding = self._weigh(head)
            if finding is not None:
                return finding
        rest, self._head = bytes(self._head), bytearray()
        return self._hear_body(rest)

    def _pass_over_empty_lines(self) -> None:
        """Some servers leave one behind from before; it may be discarded (RFC 9112, 9.2)."""
        self._forget(len(self._head) - len(self._head.lstrip(_EMPTY_LINES)))

    def _forget(self, size: int) -> None:
        del self._head[:size]
        self._heads += size
        self._searched = 0

    def _weigh(self, head: ResponseHead) -> Finding | None:
        """Raises MalformedError."""
        status = head.status
        if status in _INTERIM and status != _SWITCHING:
            self._interim += 1
            if self._interim <= MAX_INTERIM:
                return None
            return Finding(ProbeReason.RESPONSE_INVALID, f"more than {MAX_INTERIM} interim (1xx) responses")
        self._started = True
        bodiless = self._bodiless or status in _NO_BODY  # whatever its fields say (RFC 9112, 6.3)
        framed = _UNFRAMED if bodiless else framing(head.fields)
        headers = ResponseHeaders(head.fields)
        finding = self._judge.head(status, head.reason, headers)
        if finding is not None:
            return finding
        if framed.length == 0:
            return self._judge.end()
        encoding = framed.coding or headers.get("content-encoding", "").lower()
        if encoding not in _AS_IT_IS:
            words = f"the body comes as {encoding}, though it was asked for as it is; it is not unpacked"
            return Finding(ProbeReason.RESPONSE_ENCODED, words)
        self._chunks = ChunkedBody() if framed.chunked else None
        self._left = framed.length
        return None

    # -- the body ------------------------------------------------------------------------------------------------------

    def _hear_body(self, data: bytes) -> Finding | None:
        """Raises MalformedError."""
        for piece in self._content(data):
            room = self._most_body - self._size
            self._size += len(piece)
            finding = self._judge.body(piece[:room])
            if finding is not None:
                return finding
            if self._size > self._most_body or (self._size == self._most_body and not self._is_complete()):
                self._judge.cut()
                return self._judge.end()
        return self._judge.end() if self._is_complete() else None

    def _content(self, data: bytes) -> Iterable[bytes]:
        """What there is of the content in what arrived."""
        if self._chunks is not None:
            return self._chunks.feed(data)
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        return (data,) if data else ()

    def _is_complete(self) -> bool:
        return self._left == 0 or (self._chunks is not None and self._chunks.is_complete)


_TOO_MANY_HEADERS: Final = Finding(ProbeReason.RESPONSE_TOO_LARGE, f"headers of more than {MAX_HEADERS // 1024} KiB")
