"""An HTTP exchange of which the head is enough.

Most checks want the status alone, and most answers have a plain head that comes in one piece. Such a head is taken in
by one regular expression, which costs a fraction of the parser. It matches only what the parser takes in the same way,
and a test holds the two against each other; everything else is left to the parser (`exchange`).
"""

import re
from collections.abc import Iterator
from typing import Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding
from failoverd.probes.http1.http1_exchange import Http1Exchange, ResponseJudge, ask
from failoverd.probes.http1.response_head import ResponseHeaders
from failoverd.probes.transport.protocol import ClientTransport

_FIELD: Final = rb"""(?!(?i:content-length|transfer-encoding|connection|proxy-connection|upgrade)[ \t]*:)
    [!#$%&'*+.^_`|~0-9A-Za-z-]+ : [\x20-\x7e\t]*+ \r\n | (?i:connection: [ ]? (?:close|keep-alive)) \r\n"""
_LENGTH: Final = rb"(?i:content-length): [ ]? [0-9]{1,15} \r\n"
_PLAIN_HEAD: Final = re.compile(
    rb"HTTP/1\.[01] [ ] ([2-5][0-9]{2} (?:[ ] [\x20-\x7e]*+)?) \r\n"
    rb"((?:" + _FIELD + rb")* (?:" + _LENGTH + rb"(?:" + _FIELD + rb")*)?) \r\n",
    re.VERBOSE,
)
"""A status line and header fields (RFC 9112, 4 and 5), of which at most one says how long the body is.

Only single characters are repeated possessively, for Python before 3.11.5 does not repeat groups so as it should. No
field can be taken in two ways, so what does not match is found out in one pass all the same.
"""

_MOST_KNOWN: Final = 16

KnownStatusLines = dict[bytes, Finding]
"""What usual status lines came to: only good answers, for others may depend on the header fields as well."""


class StatusExchange:
    """A `ClientProtocol`: asks, and looks at no more than the head of the answer.

    Args:
        asked: the whole request, as `exchange.request` makes it.
        judge: decides by the head, always.
        method: the request's.
        known: shared by the exchanges of one check.
    """

    __slots__ = ("_asked", "_exchange", "_judge", "_known", "_method")

    def __init__(self, asked: bytes, judge: ResponseJudge, method: str, known: KnownStatusLines) -> None:
        self._asked = asked
        self._judge = judge
        self._method = method
        self._known = known
        self._exchange: Http1Exchange | None = None

    def opened(self, transport: ClientTransport) -> Finding | None:
        return ask(transport, self._asked)

    def received(self, data: bytes) -> Finding | None:
        if self._exchange is None:
            plain = _PLAIN_HEAD.match(data)
            if plain is not None:
                return self._known.get(plain[1]) or self._weigh(plain[1], plain[2])
            self._exchange = self._parser()
        return self._exchange.received(data)

    def ended(self) -> Finding:
        return (self._exchange or self._parser()).ended()

    def _parser(self) -> Http1Exchange:
        return Http1Exchange(self._asked, self._judge, method=self._method)

    def _weigh(self, line: bytes, fields: bytes) -> Finding | None:
        status, _, reason = line.decode("ascii").partition(" ")
        finding = self._judge.head(int(status), reason.strip(), ResponseHeaders(_split(fields)))
        if finding is not None and finding.reason is ProbeReason.OK and len(self._known) < _MOST_KNOWN:
            self._known[line] = finding
        return finding


def _split(fields: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The header fields, when somebody looks at them."""
    for field in fields.split(b"\r\n")[:-1]:
        name, _, value = field.partition(b":")
        yield name, value
