"""Servers that misbehave in every way that we know: each gets its own reason, in bounded time and for bounded bytes."""

import gzip
import socket
import struct
from time import perf_counter
from types import SimpleNamespace

import pytest
import trustme
from support.probers import prober
from support.targets import (
    Behaviour,
    Connection,
    answers,
    answers_and_holds,
    floods,
    greets,
    resets,
    resets_after,
    response,
    serve,
    trickles,
)
from support.tls_servers import NAME, tls_server

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.probes.transport import stream_transport

SHORT = "300ms"
MOST_READ = 1_000_000
"""Bytes: the bounds on headers, body and framing together, and what one read brings more."""

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
INVALID = ProbeReason.RESPONSE_INVALID
TOO_LARGE = ProbeReason.RESPONSE_TOO_LARGE
MISMATCH = ProbeReason.BODY_MISMATCH
CLOSED = ProbeReason.RESPONSE_CLOSED
TIMEOUT = ProbeReason.RESPONSE_TIMEOUT


class Counting(socket.socket):
    """A socket that knows how much all of its kind have read."""

    read = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        Counting.read += len(data)
        return data


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    """Counts what probes read."""
    Counting.read = 0
    monkeypatch.setattr(stream_transport, "socket", SimpleNamespace(**{**vars(socket), "socket": Counting}))
    return Counting


def half_closes(*parts: bytes) -> Behaviour:
    """Read a request, send the parts, close that direction, and go on listening."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(*parts)
        connection.writer.write_eof()
        await connection.hold()

    return behave


# -- one by one --------------------------------------------------------------------------------------------------------

STATUS_ONLY = {
    "headers byte by byte": (trickles(HEAD + b"X: " + b"y" * 10_000), TIMEOUT),
    "headers without end": (floods(HEAD, b"X-More: and more\r\n" * 100), TOO_LARGE),
    "a header line without end": (floods(HEAD + b"X: ", b"y" * 1_000), TOO_LARGE),
    "a reason without end": (floods(b"HTTP/1.1 200 ", b"y" * 1_000), TOO_LARGE),
    "a header name without end": (floods(HEAD, b"y" * 1_000), TOO_LARGE),
    "interim responses without end": (floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), INVALID),
    "one interim response without end": (floods(b"HTTP/1.1 103 Early Hints\r\n", b"Link: <a>\r\n" * 100), TOO_LARGE),
    "two lengths that differ": (answers(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), INVALID),
    "a length and chunks": (
        answers(HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        INVALID,
    ),
    "chunks and a length": (
        answers(HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
        INVALID,
    ),
    "a length with a sign": (answers(HEAD + b"Content-Length: +5\r\n\r\nhello"), INVALID),
    "a length below nothing": (answers(HEAD + b"Content-Length: -1\r\n\r\nhello"), INVALID),
    "a length beyond all numbers": (answers(HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nhello"), INVALID),
    "a length in a folded header": (answers(HEAD + b"X: a\r\n b\r\nContent-Length: 1\r\n 2\r\n\r\nabc"), INVALID),
    "a NUL in a header": (answers(HEAD + b"X: a\0b\r\n\r\n"), INVALID),
    "a bare CR in a header": (answers(HEAD + b"X: a\rb\r\n\r\n"), INVALID),
    "a header without a name": (answers(HEAD + b": x\r\n\r\n"), INVALID),
    "an answer in HTTP/0.9": (answers(b"<html>it works</html>"), INVALID),
    "an answer in HTTP/2": (greets(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18), INVALID),
    "an answer in HTTP/3.0": (answers(b"HTTP/3.0 200 OK\r\n\r\n"), INVALID),
    "a status of two digits": (answers(b"HTTP/1.1 20 OK\r\n\r\n"), INVALID),
    "a request for an answer": (answers(b"GET / HTTP/1.1\r\n\r\n"), INVALID),
    "an empty line for an answer": (half_closes(b"\r\n"), CLOSED),
    "a close of one direction": (half_closes(), CLOSED),
    "a close of one direction in the headers": (half_closes(HEAD), CLOSED),
    "a reset at once": (resets, ProbeReason.CONNECT_RESET),
    "a reset after the request": (resets_after(), ProbeReason.CONNECT_RESET),
    "a reset in the headers": (resets_after(HEAD), CLOSED),
}

LOOKING_INSIDE = {
    "a body byte by byte": (trickles(HEAD + b"Content-Length: 10000\r\n\r\n" + b"x" * 10_000), TIMEOUT),
    "a body that stops": (answers_and_holds(HEAD + b"Content-Length: 10000\r\n\r\nx"), TIMEOUT),
    "a body without end": (floods(HEAD + b"\r\n", b"x" * 10_000), MISMATCH),
    "a body of exabytes": (floods(HEAD + b"Content-Length: 999999999999999999\r\n\r\n", b"x" * 10_000), MISMATCH),
    "a chunk of exabytes": (floods(CHUNKED + b"fffffffffffffff\r\n", b"x" * 10_000), MISMATCH),
    "more framing than content": (floods(CHUNKED, (b"1;" + b"e" * 200 + b"\r\nx\r\n") * 20), TOO_LARGE),
    "an extension of a chunk without end": (floods(CHUNKED + b"1;", b"e" * 1_000), TOO_LARGE),
    "trailers without end": (floods(CHUNKED + b"0\r\n", b"X-More: and more\r\n" * 100), TOO_LARGE),
    "a chunk size that is none": (answers_and_holds(CHUNKED + b"zz\r\n"), INVALID),
    "a chunk size below nothing": (answers_and_holds(CHUNKED + b"-1\r\nx\r\n"), INVALID),
    "a chunk size beyond all numbers": (answers_and_holds(CHUNKED + b"f" * 30 + b"\r\nx\r\n"), INVALID),
    "a chunk that goes on after its end": (answers_and_holds(CHUNKED + b"1\r\nxyz\r\n0\r\n\r\n"), INVALID),
    "chunks that do not end": (half_closes(CHUNKED + b"1\r\nx\r\n"), CLOSED),
    "a body that is shorter than said": (half_closes(HEAD + b"Content-Length: 5\r\n\r\nx"), CLOSED),
    "a reset in the body": (resets_after(HEAD + b"Content-Length: 5\r\n\r\nx"), CLOSED),
    "a bomb": (
        answers(response("200 OK", gzip.compress(b"\0" * 50_000_000), "Content-Encoding: gzip")),
        ProbeReason.RESPONSE_ENCODED,
    ),
}


async def reasoned(behave: Behaviour, wanted: ProbeReason, **settings: object) -> ProbeReason:
    """Only what is wanted to time out has little time: all else has its own bound."""
    timeout = SHORT if wanted is TIMEOUT else "20s"
    began = perf_counter()
    async with serve(behave) as target:
        result = await prober("http", "/", timeout=timeout, **settings).probe(target.endpoint)
        took = perf_counter() - began
    assert took < 10.0
    assert result.outcome is ProbeOutcome.FAIL
    assert result.detail.isprintable()
    assert 0 < len(result.detail) <= 200
    assert target.connections == 1
    return result.reason


@pytest.mark.parametrize("name", STATUS_ONLY)
async def test_a_server_that_misbehaves_before_its_answer_is_complete(name: str, counted: type[Counting]) -> None:
    behave, reason = STATUS_ONLY[name]
    assert await reasoned(behave, reason) is reason
    assert counted.read < MOST_READ


@pytest.mark.parametrize("name", LOOKING_INSIDE)
@pytest.mark.parametrize(
    "wanted",
    [{"contains": "serving"}, {"matches": "serving"}, {"json_path": {"$.a": 1}}, {"contains": "y", "redirects": True}],
    ids=["text", "pattern", "JSON", "redirects"],
)
async def test_a_server_that_misbehaves_in_the_body(
    name: str, wanted: dict[str, object], counted: type[Counting]
) -> None:
    behave, reason = LOOKING_INSIDE[name]
    assert await reasoned(behave, reason, **wanted) is reason
    assert counted.read < MOST_READ


@pytest.mark.parametrize("name", LOOKING_INSIDE)
async def test_what_goes_wrong_behind_the_headers_does_not_matter_to_who_wants_the_status_alone(
    name: str, counted: type[Counting]
) -> None:
    async with serve(LOOKING_INSIDE[name][0]) as target:
        result = await prober("http", "/", timeout="2s").probe(target.endpoint)
    assert result.reason in {ProbeReason.OK, *([CLOSED] if name == "a reset in the body" else [])}
    assert 0 < counted.read < MOST_READ


# -- in the handshake --------------------------------------------------------------------------------------------------


def record(content: bytes) -> bytes:
    """A handshake record of TLS (RFC 8446, 5.1)."""
    return b"\x16\x03\x03" + struct.pack(">H", len(content)) + content


async def test_a_handshake_without_end_is_no_handshake(counted: type[Counting], ca_file: str) -> None:
    """A certificate message that announces 16 MB and goes on and on."""

    async def behave(connection: Connection) -> None:
        await connection.reader.read(4_096)
        hello = (
            b"\x02" + (70).to_bytes(3, "big") + b"\x03\x03" + b"r" * 32 + b"\x00" + b"\xc0\x2f" + b"\x00" + b"\x00\x1e"
        )
        hello += b"\xff\x01\x00\x01\x00" + b"\x00\x17\x00\x00" + b"\x00\x23\x00\x00" + b"\x00\x0b\x00\x02\x01\x00"
        await connection.send(record(hello + b"\x00" * (74 - len(hello))))
        await connection.send(record(b"\x0b\xff\xff\xff" + b"\x00" * 100))
        while True:
            await connection.send(record(b"\x00" * 16_000))

    async with serve(behave) as target:
        live = prober("https", "/", host=NAME, ca_file=ca_file, timeout="2s")
        result = await live.probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_FAILED)
    assert counted.read < MOST_READ


@pytest.mark.parametrize("bytes_before", [0, 1, 3, 5, 20])
async def test_a_reset_in_the_handshake(bytes_before: int, ca_file: str) -> None:
    async def behave(connection: Connection) -> None:
        await connection.reader.read(4_096)
        await connection.send(record(b"\x02\x00\x00\x46\x03\x03" + b"r" * 64)[:bytes_before])
        connection.reset()

    async with serve(behave) as target:
        result = await prober("https", "/", host=NAME, ca_file=ca_file).probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_FAILED)


async def test_misbehaviour_inside_tls_is_bounded_as_well(
    counted: type[Counting], ca_file: str, authority: trustme.CA
) -> None:
    context = tls_server(authority, NAME)
    said = {
        TOO_LARGE: floods(HEAD, b"X-More: and more\r\n" * 100),
        MISMATCH: floods(HEAD + b"\r\n", b"x" * 10_000),
        TIMEOUT: trickles(HEAD),
    }
    for reason, behave in said.items():
        counted.read = 0
        timeout = "500ms" if reason is TIMEOUT else "20s"
        async with serve(behave, tls=context) as target:
            live = prober("https", "/", host=NAME, ca_file=ca_file, contains="serving", timeout=timeout)
            result = await live.probe(target.endpoint)
        assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, reason)
        assert counted.read < MOST_READ
