"""The fast path through the head of an answer never says anything else than the parser does."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding
from failoverd.probes.http1.http1_exchange import Http1Exchange
from failoverd.probes.http_check.status_fast_path import KnownStatusLines, StatusExchange

ASKED = b"GET / HTTP/1.1\r\n\r\n"


class Witness:
    """A judge that decides by the head, and whose findings tell all that it heard."""

    def head(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding | None:
        passes = ProbeReason.OK if status == 200 else ProbeReason.STATUS_UNEXPECTED
        return Finding(passes, f"{status} {reason.strip()} {sorted(headers.items())}")

    def body(self, _data: bytes) -> Finding | None:
        raise AssertionError("the head was enough")

    def cut(self) -> None:
        raise AssertionError("the head was enough")

    def end(self) -> Finding:
        raise AssertionError("the head was enough")


def on_the_fast_path(data: bytes, known: KnownStatusLines | None = None) -> tuple[Finding | None, bool]:
    """What the exchange finds in the first bytes, and whether it did without the parser."""
    exchange = StatusExchange(ASKED, Witness(), "GET", {} if known is None else known)
    return exchange.received(data), exchange._exchange is None


def parsed(data: bytes) -> Finding | None:
    return Http1Exchange(ASKED, Witness()).received(data)


names = st.sampled_from(
    [b"Server", b"X-A", b"x_y", b"Date", b"Content-Length", b"Connection", b"Transfer-Encoding", b"Upgrade", b"Trailer"]
)
values = st.one_of(
    st.sampled_from(
        [b"close", b"keep-alive", b"chunked", b"5", b"05", b" 7 ", b"", b"h2c", b"1, 1", b"99999999999999"]
    ),
    st.binary(max_size=6),
)
separators = st.sampled_from([b": ", b":", b" : ", b":\t", b""])
ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\n "])
fields = st.tuples(names, separators, values, ends).map(b"".join)
lines = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 503 \r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.2 200 OK\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b"HTTP/1.1 200 \xff\r\n",
        b"http/1.1 200 OK\r\n",
    ]
)
heads = st.tuples(lines, st.lists(fields, max_size=5).map(b"".join), st.sampled_from([b"\r\n", b"\n", b""])).map(
    b"".join
)


@given(head=heads)
@example(head=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n")
@example(head=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
@example(head=b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n")
@example(head=b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n")
@example(head=b"HTTP/1.1 200 OK\r\nX:\x0b\r\n\r\n")
def test_a_head_that_the_fast_path_takes_in_is_what_the_parser_makes_of_it(head: bytes) -> None:
    finding, quick = on_the_fast_path(head)
    assert finding == parsed(head)
    assert finding is not None or not quick


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 503 Service Unavailable\r\ncontent-length:0\r\n\r\n",
    ],
)
def test_an_ordinary_answer_needs_no_parser(head: bytes) -> None:
    assert on_the_fast_path(head) == (parsed(head), True)


@pytest.mark.parametrize("end", [b"\r\n", b"Content-Length: 0\r\nX\r\n\r\n", b"\x00"])
def test_a_long_head_costs_one_pass_whether_it_is_plain_or_not(end: bytes) -> None:
    """Were it more, 3,000 fields would take minutes; the whole run has a limit."""
    assert on_the_fast_path(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 3_000 + end)[0] is not None or end == b"\x00"


def test_what_a_status_line_came_to_is_remembered_only_where_it_is_good() -> None:
    known: KnownStatusLines = {}
    for head in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 301 Moved\r\nLocation: /a\r\n\r\n"):
        on_the_fast_path(head, known)
    assert list(known) == [b"200 OK"]
    assert on_the_fast_path(b"HTTP/1.1 200 OK\r\nServer: other\r\n\r\n", known)[0] == known[b"200 OK"]


def test_a_head_in_pieces_is_the_parsers() -> None:
    exchange = StatusExchange(ASKED, Witness(), "GET", {})
    assert exchange.received(b"HTTP/1.1 20") is None
    found = exchange.received(b"0 OK\r\nServer: nginx\r\n\r\n")
    assert found == Finding(ProbeReason.OK, "200 OK [('server', 'nginx')]")


def test_a_connection_that_ends_without_an_answer() -> None:
    assert StatusExchange(ASKED, Witness(), "GET", {}).ended().reason is ProbeReason.RESPONSE_CLOSED


def test_status_lines_without_end_are_not_all_remembered() -> None:
    known: KnownStatusLines = {}
    for number in range(100):
        on_the_fast_path(b"HTTP/1.1 200 number %d\r\n\r\n" % number, known)
    assert len(known) == 16
