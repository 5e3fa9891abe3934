"""One HTTP/1.1 request and as much of its response as a verdict needs (RFC 9112).

llhttp does the parsing, by way of httptools; the bounds are ours: 64 KiB of headers, ten interim responses, 256 KiB of
body. Bytes come from targets that may be broken or hostile, so everything that the parser refuses is a finding, and
nothing raises. Who asks brings a judge: he hears the head, the body in parts, and the end.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

import httptools

from failoverd import __version__
from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding, Phase, excerpt, printable
from failoverd.probes.transport.error_mapping import explain
from failoverd.probes.transport.protocol import ClientTransport

MAX_HEADERS: Final = 64 * 1024
MAX_BODY: Final = 256 * 1024
MAX_INTERIM: Final = 10
"""Interim (1xx) responses that are passed over before the answer (RFC 9110, 15.2)."""

_FRAMING: Final = 2
"""How many times its content a body may weigh on the wire before it is an abuse of chunking."""

_AGENT: Final = f"failoverd/{__version__}"
_OPENING: Final = b"HTTP/"
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_SWITCHING: Final = 101
_FINAL: Final = 200
_NO_BODY: Final = frozenset({204, 304})
_AS_IT_IS: Final = frozenset({"", "identity"})


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


class ResponseHeaders(Mapping[str, str]):
    """The fields of a response, decoded when somebody looks at them: most checks look at none."""

    __slots__ = ("_decoded", "_raw")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._decoded: dict[str, str] | None = None

    def _fields(self) -> dict[str, str]:
        if self._decoded is None:
            self._decoded = {_text(name).lower(): _text(value).strip(" \t") for name, value in self._raw}
        return self._decoded

    def __getitem__(self, name: str) -> str:
        return self._fields()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields())

    def __len__(self) -> int:
        return len(self._fields())


def _text(data: bytes) -> str:
    return data.decode("latin-1")


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
        "_began",
        "_bodiless",
        "_fields",
        "_finding",
        "_framed",
        "_heard",
        "_interim",
        "_judge",
        "_most_body",
        "_parser",
        "_reason",
        "_size",
        "_started",
    )

    def __init__(self, asked: bytes, judge: ResponseJudge, *, method: str = "GET", most_body: int = MAX_BODY) -> None:
        self._asked = asked
        self._judge = judge
        self._bodiless = method == "HEAD"
        self._most_body = most_body
        self._parser = httptools.HttpResponseParser(self)
        self._finding: Finding | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._interim = 0
        self._heard = 0  # bytes of all kinds
        self._size = 0  # bytes of content
        self._started = False  # the final answer's headers are complete
        self._began = b""  # the first bytes, until they are known to be HTTP
        self._framed = False  # the answer says itself where it ends

    # -- the client protocol -------------------------------------------------------------------------------------------

    def opened(self, transport: ClientTransport) -> Finding | None:
        transport.send(self._asked)
        return None

    def received(self, data: bytes) -> Finding | None:
        self._heard += len(data)
        if len(self._began) < len(_OPENING):
            self._began += data[: len(_OPENING) - len(self._began)]
            if not _OPENING.startswith(self._began):
                return Finding(ProbeReason.RESPONSE_INVALID, f"this is not HTTP: {excerpt(data)}")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return self._finding or Finding(ProbeReason.RESPONSE_INVALID, "it switches to another protocol unasked")
        except httptools.HttpParserCallbackError as error:
            return explain(error.__context__ or error, Phase.ANSWER)  # a defect in a judge blinds the probe
        except httptools.HttpParserError as error:
            return self._finding or Finding(ProbeReason.RESPONSE_INVALID, printable(str(error)))
        return self._finding or self._too_much()

    def ended(self) -> Finding:
        """An answer of which nothing says how long it is ends with the connection (RFC 9112, 6.3)."""
        if self._finding is not None:
            return self._finding
        if self._started and not self._framed:
            return self._judge.end()
        if self._heard:
            return Finding(ProbeReason.RESPONSE_CLOSED, "the connection was closed in the midst of the answer")
        return Finding(ProbeReason.RESPONSE_CLOSED, "the connection was closed without an answer")

    def _too_much(self) -> Finding | None:
        if not self._started:
            if self._heard > MAX_HEADERS:
                return Finding(ProbeReason.RESPONSE_TOO_LARGE, f"headers of more than {MAX_HEADERS // 1024} KiB")
        elif self._heard > MAX_HEADERS + _FRAMING * (MAX_HEADERS + self._most_body):
            return Finding(ProbeReason.RESPONSE_TOO_LARGE, "more framing than content")
        return None

    # -- callbacks of the parser: once there is a finding, nothing that follows counts ---------------------------------

    def on_message_begin(self) -> None:
        self._reason = b""
        self._fields = []

    def on_status(self, status: bytes) -> None:
        self._reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._started:  # else it is a trailer
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._finding is not None or self._started:
            return
        status = self._parser.get_status_code()
        if status < _FINAL and status != _SWITCHING:
            self._finding = self._pass_over()
            return
        self._started = True
        self._finding = self._weigh(status, self._parser.get_http_version())

    def on_body(self, data: bytes) -> None:
        if self._finding is not None:
            return
        room = self._most_body - self._size
        self._size += len(data)
        self._finding = self._judge.body(data[:room])
        if self._finding is None and self._size >= self._most_body:
            self._judge.cut()
            self._finding = self._judge.end()

    def on_message_complete(self) -> None:
        if self._finding is None and self._started:
            self._finding = self._judge.end()

    # -- judging -------------------------------------------------------------------------------------------------------

    def _pass_over(self) -> Finding | None:
        self._interim += 1
        if self._interim <= MAX_INTERIM:
            return None
        return Finding(ProbeReason.RESPONSE_INVALID, f"more than {MAX_INTERIM} interim (1xx) responses")

    def _weigh(self, status: int, version: str) -> Finding | None:
        if version not in _VERSIONS:
            return Finding(ProbeReason.RESPONSE_INVALID, f"it answers in HTTP/{version}, not in HTTP/1.1")
        headers = ResponseHeaders(self._fields)
        finding = self._judge.head(status, self._reason.decode("latin-1"), headers)
        if finding is not None:
            return finding
        if self._bodiless or status in _NO_BODY:
            return self._judge.end()
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in _AS_IT_IS:
            words = f"the body comes as {encoding}, though it was asked for as it is; it is not unpacked"
            return Finding(ProbeReason.RESPONSE_ENCODED, words)
        self._framed = "content-length" in headers or "transfer-encoding" in headers
        return None
