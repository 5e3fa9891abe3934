"""What clients put up with is no reason to fail, and what leaves an answer open is one (RFC 9110 and RFC 9112)."""

import asyncio
import socket
import ssl
from typing import Final, cast

import pytest
import trustme
from support.exchanges import Silence, heard
from support.probers import prober
from support.targets import answers, serve
from support.tls_servers import NAME, tls_server

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, ProbeResult
from failoverd.probes.findings import Finding
from failoverd.probes.http1.http1_exchange import MAX_HEADERS, Http1Exchange
from failoverd.probes.http1.status_rules import StatusRules
from failoverd.probes.http_check.response_judges import Collector, StatusJudge, TextJudge

OK: Final = b"HTTP/1.1 200 OK\r\n"
LENGTH: Final = b"Content-Length: 5\r\n"
CHUNKED: Final = OK + b"Transfer-Encoding: chunked\r\n\r\n"

ACCEPTED: Final = {
    "lines that end in LF alone": b"HTTP/1.1 200 OK\nContent-Length: 5\nX: a\n\nhello",
    "both ends of lines": b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 5\r\n\nhello",
    "a folded field": OK + b"X: a\r\n b\r\n\tc\r\n" + LENGTH + b"\r\nhello",
    "a folded field in lines that end in LF": b"HTTP/1.1 200 OK\nX: a\n b\nContent-Length: 5\n\nhello",
    "a length in a fold": OK + b"Content-Length:\r\n 5\r\n\r\nhello",
    "white space before the first field": OK + b" X: a\r\n" + LENGTH + b"\r\nhello",
    "two lengths that are the same": OK + LENGTH + LENGTH + b"\r\nhello",
    "a length in a list": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "a length in a list with a gap": OK + b"Content-Length: 5,, 5\r\n\r\nhello",
    "a space before the colon": OK + b"Server : x\r\nContent-Length \t: 5\r\n\r\nhello",
    "white space around a value": OK + b"Content-Length: \t 5 \t\r\n\r\nhello",
    "an empty value": OK + b"X:\r\n" + LENGTH + b"\r\nhello",
    "bytes beyond ASCII": b"HTTP/1.1 200 \xe9\xff\r\nX: \xe9\xff\r\n" + LENGTH + b"\r\nhello",
    "control characters": OK + b"X: a\x01\x7fb\r\n" + LENGTH + b"\r\nhello",
    "no reason": b"HTTP/1.1 200\r\n" + LENGTH + b"\r\nhello",
    "a reason without a word": b"HTTP/1.1 200 \r\n" + LENGTH + b"\r\nhello",
    "much space in the status line": b"HTTP/1.1 \t 200\tOK \r\n" + LENGTH + b"\r\nhello",
    "HTTP/1.0 until the end": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "HTTP/1.0 that keeps the connection": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + LENGTH + b"\r\nhello",
    "a minor version of the future": b"HTTP/1.2 200 OK\r\n" + LENGTH + b"\r\nhello",
    "empty lines before the answer": b"\r\n\n" + OK + LENGTH + b"\r\nhello",
    "an interim answer": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + LENGTH + b"\r\nhello",
    "an interim answer with a length": b"HTTP/1.1 100 Go on\nContent-Length: 9\n\n\r\n" + OK + LENGTH + b"\r\nhello",
    "more than it says": OK + b"Connection: close\r\n" + LENGTH + b"\r\nhello, and more",
    "an offer to upgrade": OK + b"Upgrade: h2c\r\nConnection: upgrade\r\n" + LENGTH + b"\r\nhello",
    "a coding that does nothing": OK + b"Transfer-Encoding: identity\r\n\r\nhello",
    "chunks": CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "chunks in lines that end in LF alone": CHUNKED + b"2\nhe\n3\nllo\n0\n\n",
    "an extension of a chunk": CHUNKED + b'5;a=b;c="d;e"\r\nhello\r\n0;last\r\n\r\n',
    "an extension with white space": CHUNKED + b"5 ; a = b\r\nhello\r\n0\r\n\r\n",
    "white space behind a chunk's size": CHUNKED + b"5  \t\r\nhello\r\n0  \r\n\r\n",
    "zeros before a chunk's size": CHUNKED + b"0005\r\nhello\r\n00\r\n\r\n",
    "trailers": CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\nZ: z\r\n\r\n",
    "the name of the coding in capitals": OK + b"TRANSFER-ENCODING: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
}

REFUSED: Final = {
    "two lengths that differ": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a list of lengths that differ": OK + b"Content-Length: 5, 6\r\n\r\nhello!",
    "a length beside chunks": OK + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a length in two lines": OK + b"Content-Length: 1\r\n 2\r\n\r\nhello, world",
    "an empty length": OK + b"Content-Length:\r\n\r\nhello",
    "a length with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "a NUL in a value": OK + b"X: a\0b\r\n" + LENGTH + b"\r\nhello",
    "a NUL in a reason": b"HTTP/1.1 200 O\0K\r\n" + LENGTH + b"\r\nhello",
    "a NUL in a fold": OK + b"X: a\r\n \0b\r\n" + LENGTH + b"\r\nhello",
    "a bare CR in a value": OK + b"X: a\rb\r\n" + LENGTH + b"\r\nhello",
    "two CRs at the end of a line": OK + b"X: a\r\r\n" + LENGTH + b"\r\nhello",
    "a line without a colon": OK + b"what is this\r\n" + LENGTH + b"\r\nhello",
    "a field without a name": OK + b": x\r\n" + LENGTH + b"\r\nhello",
    "a space within a name": OK + b"Content Length: 5\r\n\r\nhello",
    "another major version": b"HTTP/2.0 200 OK\r\n" + LENGTH + b"\r\nhello",
    "a name of the protocol in small letters": b"http/1.1 200 OK\r\n" + LENGTH + b"\r\nhello",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\nhello",
    "no space before the reason": b"HTTP/1.1 200OK\r\n" + LENGTH + b"\r\nhello",
    "a chunk without a size": CHUNKED + b";a=b\r\nhello\r\n0\r\n\r\n",
    "a size with a prefix": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size of two numbers": CHUNKED + b"5 5\r\nhello\r\n0\r\n\r\n",
    "a chunk that is longer than it says": CHUNKED + b"4\r\nhello\r\n0\r\n\r\n",
    "a bare CR behind a chunk": CHUNKED + b"5\r\nhello\r0\r\n\r\n",
    "a NUL in an extension": CHUNKED + b"5;\0\r\nhello\r\n0\r\n\r\n",
}

CUT_OFF: Final = {
    "a length": OK + b"Content-Length: 50\r\n\r\nhello",
    "a length, but for one byte": OK + b"Content-Length: 6\r\n\r\nhello",
    "a chunk": CHUNKED + b"32\r\nhello",
    "between chunks": CHUNKED + b"5\r\nhello\r\n",
    "before the last chunk ends": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "in a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n",
    "in the middle of a line's end": CHUNKED + b"5\r\nhello\r\n0\r\n\r",
}


def by_text() -> TextJudge:
    return TextJudge(StatusRules(frozenset({200})), b"hello")


def as_a_whole() -> Collector:
    return Collector(StatusRules(frozenset({200})), whole=True, follow=False)


def both_ways(sent: bytes, judge: TextJudge | Collector | StatusJudge) -> Finding:
    """What an answer comes to that arrives at once; byte by byte it comes to the same."""
    assert isinstance(judge, Collector | StatusJudge | TextJudge)
    found = heard(Http1Exchange(b"asked", judge), [sent])
    again = as_a_whole() if isinstance(judge, Collector) else by_text() if isinstance(judge, TextJudge) else judge
    assert heard(Http1Exchange(b"asked", again), [bytes([byte]) for byte in sent]).reason is found.reason
    return found


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_clients_accept_passes(name: str) -> None:
    assert both_ways(ACCEPTED[name], by_text()).reason is ProbeReason.OK
    whole = as_a_whole()
    assert both_ways(ACCEPTED[name], whole).reason is ProbeReason.OK
    assert whole.content == b"hello"


@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_the_words_of_a_status_are_shown_in_the_letters_that_they_are_written_in(coding: str) -> None:
    sent = "HTTP/1.1 503 Außer Betrieb\r\n\r\n".encode(coding)
    assert both_ways(sent, by_text()).detail == "503 Außer Betrieb"


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_be_read_in_two_ways_fails(name: str) -> None:
    found = both_ways(REFUSED[name], by_text())
    assert found.reason is ProbeReason.RESPONSE_INVALID
    assert found.detail


@pytest.mark.parametrize("name", CUT_OFF)
def test_a_body_that_is_cut_off_fails_although_what_is_wanted_is_in_it(name: str) -> None:
    """A server that dies in the midst of its answers serves nobody."""
    for judge in (by_text(), as_a_whole()):
        assert both_ways(CUT_OFF[name], judge).reason is ProbeReason.RESPONSE_CLOSED


NO_BODY_FIELDS: Final = {
    "length": LENGTH,
    "chunks": b"Transfer-Encoding: chunked\r\n",
    "both": LENGTH + b"Transfer-Encoding: chunked\r\n",
}


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("name", NO_BODY_FIELDS)
def test_an_answer_that_has_no_body_has_none_whatever_its_fields_say(status: int, name: str) -> None:
    judge = StatusJudge(StatusRules(frozenset({204, 304})))
    sent = b"HTTP/1.1 %d Nothing\r\n%b\r\n" % (status, NO_BODY_FIELDS[name])
    assert both_ways(sent, judge).reason is ProbeReason.OK


def test_a_body_that_the_transfer_packed_is_not_unpacked() -> None:
    packed = OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    found = both_ways(packed, as_a_whole())
    assert (found.reason, "gzip" in found.detail) == (ProbeReason.RESPONSE_ENCODED, True)
    assert both_ways(packed, StatusJudge(StatusRules(frozenset({200})))).reason is ProbeReason.OK


def test_a_folded_field_reads_as_one_line() -> None:
    judge = Collector(StatusRules(frozenset({200})), whole=False, follow=True)
    heard(Http1Exchange(b"asked", judge), [b"HTTP/1.1 302 Found\nLocation: /there\n   ?a=b\n\n"])
    assert judge.location == "/there ?a=b"


BEFORE: Final = {"nothing": b"", "an interim answer": b"HTTP/1.1 103 Early\r\n\r\n", "empty lines": b"\r\n" * 8}


@pytest.mark.parametrize("size", [MAX_HEADERS, MAX_HEADERS + 1])
@pytest.mark.parametrize("name", BEFORE)
def test_the_bound_of_the_head_is_the_same_however_it_comes(size: int, name: str) -> None:
    """What comes before the answer is a part of it."""
    start = BEFORE[name] + OK + b"Content-Length: 5\r\nX: "
    sent = start + b"x" * (size - len(start) - 4) + b"\r\n\r\nhello"
    wanted = ProbeReason.OK if size == MAX_HEADERS else ProbeReason.RESPONSE_TOO_LARGE
    for parts in ([sent], [sent[at : at + 1_000] for at in range(0, len(sent), 1_000)]):
        assert heard(Http1Exchange(b"asked", by_text()), parts).reason is wanted


def test_a_long_line_of_white_space_costs_one_pass() -> None:
    """Were it more, this would take minutes."""
    blanks = b"X: a" + b" " * 60_000 + b"b\r\n"
    assert both_ways(OK + blanks + LENGTH + b"\r\nhello", by_text()).reason is ProbeReason.OK
    assert both_ways(OK + b"X" + b" " * 60_000 + b"b\r\n\r\n", by_text()).reason is ProbeReason.RESPONSE_INVALID


def test_an_answer_before_the_request_is_none() -> None:
    found = heard(Http1Exchange(b"asked", by_text()), [ACCEPTED["no reason"]], Silence(spoken_to=True))
    assert (found.reason, found.detail) == (ProbeReason.RESPONSE_INVALID, "it answers before it is asked")


async def test_an_answer_that_lies_there_before_the_request_is_sent_is_none() -> None:
    found: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = Endpoint("region-1", *listening.getsockname())
        prober("http", "/").prober.start(endpoint, found.set_result)
        accepted, _ = listening.accept()  # nothing else has its turn until this has answered
        with accepted:
            accepted.sendall(ACCEPTED["no reason"])
            result = await found
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_INVALID)
    assert result.detail == "it answers before it is asked"


async def test_a_connection_that_is_closed_before_the_request_is_sent_gave_no_answer() -> None:
    found: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        prober("http", "/").prober.start(Endpoint("region-1", *listening.getsockname()), found.set_result)
        listening.accept()[0].close()
        result = await found
    assert result.reason in {ProbeReason.RESPONSE_CLOSED, ProbeReason.CONNECT_RESET}


class Hasty(asyncio.Protocol):
    """Answers as soon as the handshake is done."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.WriteTransport", transport).write(ACCEPTED["no reason"])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        self.gone.set()


@pytest.mark.parametrize("settings", [{}, {"contains": "hello"}], ids=["status", "text"])
async def test_over_tls_as_well(authority: trustme.CA, ca_file: str, settings: dict[str, str]) -> None:
    """In TLS 1.2 the server has the last word of the handshake, so its answer can come with it."""
    context = tls_server(authority, NAME)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    hasty = Hasty()
    server = await asyncio.get_running_loop().create_server(lambda: hasty, "127.0.0.1", 0, ssl=context)
    async with server:
        endpoint = Endpoint("region-1", *server.sockets[0].getsockname())
        result = await prober("https", "/", host=NAME, ca_file=ca_file, **settings).probe(endpoint)
        async with asyncio.timeout(5):
            await hasty.gone.wait()  # what is left open fails whoever comes next
    assert (result.reason, result.detail) == (ProbeReason.RESPONSE_INVALID, "it answers before it is asked")


# -- whoever asks over HTTP/1 reads in the same way --------------------------------------------------------------------

LIST: Final = b'{"data": [{"id": "m"}]}'
PAGE: Final = b"queue_depth 1\n"


def old(body: bytes) -> bytes:
    """An answer in all that is obsolete."""
    lengths = b"Content-Length : %d\nContent-Length: %d\n" % (len(body), len(body))
    return b"HTTP/1.0  200 OK\nX: folded\n in two\n" + lengths + b"\n" + body


CHECKS: Final = {
    "status": (prober("http", "/"), b"anything"),
    "text": (prober("http", "/", contains="ready"), b"ready"),
    "JSON": (prober("http", "/", json_path={"$.data[0].id": "m"}), LIST),
    "metrics": (prober("metrics", "/metrics", degraded="queue_depth > 5"), PAGE),
    "models": (prober("inference", "/v1", model="m"), LIST),
}


@pytest.mark.parametrize("name", CHECKS)
async def test_every_check_reads_as_leniently(name: str) -> None:
    check, body = CHECKS[name]
    async with serve(answers(old(body))) as target:
        result = await check.probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.PASS, ProbeReason.OK), result.detail


@pytest.mark.parametrize("name", [name for name in CHECKS if name != "status"])
async def test_every_check_of_a_body_wants_all_of_it(name: str) -> None:
    check, body = CHECKS[name]
    cut = OK + b"Content-Length: %d\r\n\r\n" % (len(body) + 1) + body
    async with serve(answers(cut)) as target:
        result = await check.probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_CLOSED)
