"""Damaged answers of every protocol, by the thousand: each is a finding, never an exception and never our own fault."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import trustme
from hpack import Encoder
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, SettingsFrame
from support.exchanges import heard
from support.fuzzing import SOAK, damaged, pieces
from support.probers import prober
from support.targets import OK, Behaviour, Connection, chunked, response, serve
from support.tls_servers import NAME, tls_server

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.probes.dns_check.dns_prober import TcpQuery
from failoverd.probes.dns_check.dns_question import DnsQuestion, EdnsRefused, Unrelated
from failoverd.probes.dns_check.dns_settings import DnsSettings
from failoverd.probes.findings import MAX_DETAIL, Finding
from failoverd.probes.grpc_check.health_call import HealthCall, Method
from failoverd.probes.http1.http1_exchange import Http1Exchange
from failoverd.probes.http1.status_rules import StatusRules
from failoverd.probes.http_check.response_judges import Collector, StatusJudge, TextJudge
from failoverd.probes.http_check.status_fast_path import StatusExchange
from failoverd.probes.transport.protocol import ClientProtocol


def assert_is_about_the_endpoint(found: Finding) -> None:
    assert found.reason.outcome is not ProbeOutcome.BLIND
    assert found.detail or found.reason is ProbeReason.OK


# -- HTTP --------------------------------------------------------------------------------------------------------------

HTTP: Final = [
    OK,
    response("200 OK", b"hello"),
    response("503 Service Unavailable", b"no", "Retry-After: 5", "Server: x"),
    response("302 Found", b"", "Location: /there"),
    chunked(b"he", b"llo"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.0 200 OK\nX: a\n b\nContent-Length: 5\nContent-Length: 5\n\nhello",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
]
PASSING: Final = StatusRules(frozenset({200, 204}))


def by_text() -> ClientProtocol:
    return Http1Exchange(b"asked", TextJudge(PASSING, b"hello"))


def as_a_whole() -> ClientProtocol:
    return Http1Exchange(b"asked", Collector(PASSING, whole=True, follow=True))


def by_status() -> ClientProtocol:
    return StatusExchange(b"asked", StatusJudge(PASSING), "GET", {})


@pytest.mark.parametrize("ask", [by_status, by_text, as_a_whole])
def test_damaged_answers_over_http(ask: Callable[[], ClientProtocol]) -> None:
    """6,000 of each, which come to the same however they are cut."""
    for number, sent in enumerate(damaged(HTTP, 2_000, seed=1)):
        found = heard(ask(), [sent])
        assert_is_about_the_endpoint(found)
        assert heard(ask(), pieces(sent, number)).reason is found.reason, sent
        if found.reason is ProbeReason.OK:
            assert b"HTTP/1." in sent


# -- DNS ---------------------------------------------------------------------------------------------------------------

QUESTION: Final = DnsQuestion(DnsSettings.model_validate({"dns": "www.example.test", "expect": ["192.0.2.1"]}))
NUMBER: Final = b"\0\1"


def told() -> Iterator[bytes]:
    """What servers answer, without the id."""
    asked = dns.message.from_wire(QUESTION.wire(NUMBER))
    for rcode in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.FORMERR, dns.rcode.BADVERS):
        for flags in (dns.flags.AA, dns.flags.TC):
            message = dns.message.make_response(asked)
            message.flags |= flags
            message.set_rcode(rcode)
            if rcode is dns.rcode.NOERROR:
                message.answer = [
                    dns.rrset.from_text("www.example.test.", 30, "IN", "CNAME", "a.example.test."),
                    dns.rrset.from_text("a.example.test.", 30, "IN", "A", "192.0.2.1", "192.0.2.2"),
                ]
            yield message.to_wire()[2:]


DNS: Final = list(told())
DNS_REASONS: Final = {
    ProbeReason.OK,
    ProbeReason.RESPONSE_INVALID,
    ProbeReason.RCODE_UNEXPECTED,
    ProbeReason.ANSWER_MISMATCH,
}


@pytest.mark.parametrize("edns", [True, False])
def test_damaged_answers_over_dns(*, edns: bool) -> None:
    """6,000 of each; None is an answer that was cut, or somebody else's."""
    for sent in damaged(DNS, 2_000, seed=2):
        try:
            found = QUESTION.judge(NUMBER, NUMBER + sent, edns=edns)
        except Unrelated:
            found = None
        except EdnsRefused as refused:
            assert edns
            found = refused.finding
        assert found is None or found.reason in DNS_REASONS


def test_damaged_answers_over_dns_and_tcp() -> None:
    """4,000, with a length that may be wrong as well."""
    for number, sent in enumerate(
        damaged([(len(each) + 2).to_bytes(2, "big") + NUMBER + each for each in DNS], 1_500, seed=3)
    ):
        assert_is_about_the_endpoint(heard(TcpQuery(QUESTION), pieces(sent, number)))


# -- gRPC --------------------------------------------------------------------------------------------------------------


def frames(*each: Frame) -> bytes:
    return b"".join(frame.serialize() for frame in each)


def head(*fields: tuple[str, str], end: bool = False) -> HeadersFrame:
    flags = ["END_HEADERS", "END_STREAM"] if end else ["END_HEADERS"]
    return HeadersFrame(1, Encoder().encode(list(fields), huffman=False), flags=flags)


BEGINNING: Final = (SettingsFrame(0), head((":status", "200"), ("content-type", "application/grpc")))
SERVING: Final = DataFrame(1, b"\0\0\0\0\x02\x08\x01")
GRPC: Final = [
    frames(*BEGINNING, SERVING, head(("grpc-status", "0"), end=True)),
    frames(*BEGINNING, PingFrame(0, b"12345678"), SERVING, GoAwayFrame(0, 1, 0)),
    frames(SettingsFrame(0), head((":status", "200"), ("grpc-status", "14"), ("grpc-message", "busy%21"), end=True)),
    frames(SettingsFrame(0), head((":status", "503"), end=True)),
]


@pytest.mark.parametrize("method", Method)
def test_damaged_answers_over_grpc(method: Method) -> None:
    """1,000 of each, which come to the same however they are cut."""

    def call() -> HealthCall:
        return HealthCall("", method, authority="127.0.0.1", secured=False, timeout=1.0)

    for number, sent in enumerate(damaged(GRPC, 400, seed=4)):
        found = heard(call(), [sent])
        assert_is_about_the_endpoint(found)
        assert heard(call(), pieces(sent, number)).reason is found.reason, sent


# -- TLS ---------------------------------------------------------------------------------------------------------------


def damaging(context: ssl.SSLContext) -> Behaviour:
    """A server whose part of the handshake is damaged, in another way in each connection."""
    seeds = count()

    async def behave(connection: Connection) -> None:
        incoming, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(await connection.reader.read(4_096))
        with pytest.raises(ssl.SSLWantReadError):
            context.wrap_bio(incoming, said, server_side=True).do_handshake()
        await connection.send(next(damaged([said.read()], 1, seed=next(seeds))))

    return behave


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_damaged_handshakes(version: ssl.TLSVersion, authority: trustme.CA, ca_file: str) -> None:
    """200 of each version on each event loop, 20 at a time. Where the damage did no harm, the server ends it next."""
    context = tls_server(authority, NAME)
    context.minimum_version = context.maximum_version = version
    live = prober("https", "/", host=NAME, ca_file=ca_file, timeout="5s")
    harmless = {ProbeReason.RESPONSE_CLOSED, ProbeReason.CONNECT_RESET, ProbeReason.SEND_FAILED}
    expected = {ProbeReason.TLS_FAILED, ProbeReason.TLS_CERTIFICATE, *harmless}
    async with serve(damaging(context)) as target:
        for _ in range(10 * SOAK):
            for result in await asyncio.gather(*(live.probe(target.endpoint) for _ in range(20))):
                assert result.outcome is ProbeOutcome.FAIL
                assert result.reason in expected, result
                assert 0 < len(result.detail) <= MAX_DETAIL
                assert result.detail.isprintable()
