"""The `dns` check, against BIND and Knot, and against servers on loopback that lie."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.probers import prober
from support.proxies import without_edns
from support.servers import ZONE, DnsServer, bind, knot
from support.targets import Behaviour, Connection, Target, refusing, resets, serve, silent

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, ProbeResult
from failoverd.probes.dns_check.dns_prober import TcpQuery
from failoverd.probes.dns_check.dns_question import MOST_ANSWER, DnsQuestion, EdnsRefused, Unrelated
from failoverd.probes.dns_check.dns_settings import DnsSettings

WWW = f"www.{ZONE}"
Reply = Callable[[bytes], list[bytes]]


# -- real servers ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[bind, knot], ids=["BIND", "Knot"])
def server(request: pytest.FixtureRequest) -> Iterator[DnsServer]:
    with request.param() as running:
        big = [f'add big 30 TXT "{number:03}{"x" * 200}"' for number in range(30)]
        running.edit("add www 30 A 192.0.2.1", "add www 30 A 192.0.2.2", "add alias 30 CNAME www", *big)
        yield running


def sockets() -> int:
    """How many of them this process has open."""
    opened = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the folder
            opened += str(descriptor.readlink()).startswith("socket:")
    return opened


async def probe(server: DnsServer, name: str, address: str = "127.0.0.1", **asked: object) -> ProbeResult:
    return await prober("dns", name, **asked).probe(Endpoint("region-1", address, server.port))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_name_that_is_answered_passes(server: DnsServer, transport: str, address: str) -> None:
    result = await probe(server, WWW, address, transport=transport, authoritative=True)
    assert (result.outcome, result.reason, result.detail) == (
        ProbeOutcome.PASS,
        ProbeReason.OK,
        "NOERROR with 2 answers",
    )
    assert result.timings.first_byte is not None
    assert (result.timings.connect is None) == (transport == "udp")


async def test_the_answers_are_compared_as_data_and_not_as_text(server: DnsServer) -> None:
    assert (await probe(server, WWW, expect=["192.0.2.2"])).reason is ProbeReason.OK
    assert (await probe(server, WWW, expect_exactly=["192.0.2.2", "192.0.2.1"])).reason is ProbeReason.OK
    assert (await probe(server, ZONE, type="NS", expect=[f"NS.{ZONE.upper()}."])).reason is ProbeReason.OK


async def test_answers_that_are_missing_or_too_many_fail_and_are_named(server: DnsServer) -> None:
    missing = await probe(server, WWW, expect=["192.0.2.9"])
    assert (missing.outcome, missing.reason) == (ProbeOutcome.FAIL, ProbeReason.ANSWER_MISMATCH)
    assert missing.detail.startswith("192.0.2.9 is not among the answers: 192.0.2.")
    more = await probe(server, WWW, expect_exactly=["192.0.2.1"])
    assert (more.reason, more.detail) == (ProbeReason.ANSWER_MISMATCH, "not expected among the answers: 192.0.2.2")
    few = await probe(server, WWW, min_answers=3)
    assert (few.reason, few.detail) == (ProbeReason.ANSWER_MISMATCH, "2 answers of type A; 3 are wanted")
    nothing = await probe(server, WWW, type="AAAA")
    assert nothing.detail == "no answer of type AAAA; 1 are wanted"


async def test_no_answer_can_be_what_is_wanted(server: DnsServer) -> None:
    assert (await probe(server, WWW, type="AAAA", min_answers=0)).reason is ProbeReason.OK
    assert (await probe(server, WWW, type="AAAA", min_answers=0, expect_exactly=[])).reason is ProbeReason.OK
    assert (await probe(server, f"none.{ZONE}", rcode="NXDOMAIN")).detail == "NXDOMAIN"


async def test_an_alias_is_followed_within_the_answer(server: DnsServer) -> None:
    assert (await probe(server, f"alias.{ZONE}", expect=["192.0.2.1"])).reason is ProbeReason.OK
    assert (await probe(server, f"alias.{ZONE}", type="CNAME", expect=[f"{WWW}."])).reason is ProbeReason.OK


async def test_another_code_than_the_wanted_one_fails(server: DnsServer) -> None:
    result = await probe(server, f"none.{ZONE}")
    assert (result.reason, result.detail) == (ProbeReason.RCODE_UNEXPECTED, "NXDOMAIN instead of NOERROR")
    assert (await probe(server, "www.elsewhere.test")).detail == "REFUSED instead of NOERROR"


async def test_an_answer_without_room_is_fetched_over_tcp(server: DnsServer) -> None:
    result = await probe(server, f"big.{ZONE}", type="TXT", min_answers=30)
    assert (result.reason, result.detail) == (ProbeReason.OK, "NOERROR with 30 answers")
    assert result.timings.connect is not None


async def test_a_server_that_hangs_times_out(server: DnsServer) -> None:
    with server.frozen():
        for transport in ("udp", "tcp"):
            result = await probe(server, WWW, transport=transport, timeout="100ms")
            assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_TIMEOUT)


async def test_a_thousand_probes_at_once_all_come_back(server: DnsServer) -> None:
    before = sockets()
    live = prober("dns", WWW, timeout="10s")
    for _ in range(10):
        results = await asyncio.gather(*(live.probe(Endpoint("r", "127.0.0.1", server.port)) for _ in range(100)))
        assert {result.reason for result in results} == {ProbeReason.OK}
    assert sockets() <= before  # those of an earlier test may be closed by now


# -- servers that lie, over UDP ----------------------------------------------------------------------------------------


@asynccontextmanager
async def datagrams(reply: Reply) -> AsyncIterator[Target]:
    """A UDP server on loopback that sends what `reply` makes of each question."""

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            for each in reply(data):
                self.transport.sendto(each, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, ("127.0.0.1", 0))
    try:
        yield Target("127.0.0.1", transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
        await asyncio.sleep(0)


def answer(question: bytes, *records: str, name: str = WWW, flags: int = 0) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(question))
    message.flags |= flags
    if records:
        message.answer.append(dns.rrset.from_text(f"{name}.", 30, "IN", "A", *records))
    return message.to_wire()


def another(question: bytes) -> bytes:
    """A right answer to a question that nobody asked, with the id of this one."""
    asked = dns.message.make_query("www.other.test.", "A", id=int.from_bytes(question[:2], "big"))
    return answer(asked.to_wire(), "203.0.113.66", name="www.other.test")


def wrong_id(question: bytes) -> bytes:
    return bytes([question[0] ^ 1, question[1]]) + answer(question, "203.0.113.66")[2:]


async def told(reply: Reply, **asked: object) -> ProbeResult:
    async with datagrams(reply) as target:
        return await prober("dns", WWW, **{"timeout": "10s", **asked}).probe(target.endpoint)


async def test_datagrams_that_are_no_answer_to_us_are_not_heard() -> None:
    def lies_first(question: bytes) -> list[bytes]:
        lies = [wrong_id(question), another(question), question, b"", b"x"]
        return [*lies * 20, answer(question, "192.0.2.1")]

    result = await told(lies_first, expect_exactly=["192.0.2.1"], timeout="5s")
    assert (result.reason, result.detail) == (ProbeReason.OK, "NOERROR with 1 answer")


async def test_with_lies_alone_the_deadline_comes() -> None:
    result = await told(lambda question: [wrong_id(question), another(question), question], timeout="200ms")
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_TIMEOUT)


async def test_what_comes_from_elsewhere_is_not_heard() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        async with datagrams(lambda _: []) as target:
            asking = asyncio.ensure_future(prober("dns", WWW, timeout="200ms").probe(target.endpoint))
            await asyncio.sleep(0)
            stranger.sendto(b"\0" * 12, (target.host, target.port))
            assert (await asking).reason is ProbeReason.RESPONSE_TIMEOUT


@pytest.mark.parametrize("cut", [2, 11, 13, 40])
async def test_an_answer_that_is_broken_off_is_invalid(cut: int) -> None:
    result = await told(lambda question: [answer(question, "192.0.2.1")[:cut]])
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_INVALID)


async def test_a_server_that_does_not_understand_the_question_says_its_code() -> None:
    def formerr(question: bytes) -> list[bytes]:
        return [question[:2] + (0x8000 | dns.rcode.FORMERR).to_bytes(2, "big") + bytes(8)]

    assert (await told(formerr)).detail == "FORMERR instead of NOERROR"
    assert (await told(formerr, rcode="FORMERR")).reason is ProbeReason.OK


async def test_authority_is_demanded_only_when_it_is_wanted() -> None:
    assert (await told(lambda question: [answer(question, "192.0.2.1")])).reason is ProbeReason.OK
    result = await told(lambda question: [answer(question, "192.0.2.1")], authoritative=True)
    assert (result.reason, result.detail) == (
        ProbeReason.ANSWER_MISMATCH,
        "the server does not answer of its own authority",
    )


async def test_aliases_in_a_circle_are_no_answer() -> None:
    def circle(question: bytes) -> list[bytes]:
        message = dns.message.make_response(dns.message.from_wire(question))
        for name, target in (("www", "two"), ("two", "www")):
            message.answer.append(dns.rrset.from_text(f"{name}.{ZONE}.", 30, "IN", "CNAME", f"{target}.{ZONE}."))
        return [message.to_wire()]

    assert (await told(circle)).detail == "no answer of type A; 1 are wanted"


async def test_recursion_is_asked_for_only_when_it_is_wanted() -> None:
    heard: list[bool] = []

    def notes(question: bytes) -> list[bytes]:
        heard.append(bool(dns.message.from_wire(question).flags & dns.flags.RD))
        return [answer(question, "192.0.2.1")]

    await told(notes)
    await told(notes, recursion=True)
    assert heard == [False, True]


async def test_a_port_that_nobody_listens_at_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    result = await prober("dns", WWW, port=port).probe(Endpoint("region-1", "127.0.0.1"))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED)


async def test_a_cut_answer_of_a_server_without_tcp_fails() -> None:
    result = await told(lambda question: [answer(question, flags=dns.flags.TC)])
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED)
    assert result.detail == "over TCP, for the answer over UDP was cut: Connection refused"


async def test_an_answer_that_is_cut_within_a_record_is_asked_for_over_tcp_too() -> None:
    result = await told(lambda question: [answer(question, "192.0.2.1", flags=dns.flags.TC)[:-3]])
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED)


async def test_a_probe_that_is_abandoned_leaves_nothing_behind() -> None:
    asked = asyncio.Event()

    def notes(_: bytes) -> list[bytes]:
        asked.set()
        return []

    async with datagrams(notes) as target:
        before = sockets()
        asking = asyncio.ensure_future(prober("dns", WWW).probe(target.endpoint))
        async with asyncio.timeout(5):
            await asked.wait()
        assert sockets() == before + 1
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.sleep(0)
        assert sockets() == before


# -- servers from before EDNS (RFC 6891, 7) ----------------------------------------------------------------------------

no_edns = pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS])


@no_edns
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_server_that_does_not_know_edns_is_asked_again_without_it(
    server: DnsServer, rcode: dns.rcode.Rcode, transport: str
) -> None:
    async with without_edns(server.port, rcode) as port:
        at = Endpoint("region-1", "127.0.0.1", port)
        result = await prober("dns", WWW, transport=transport, expect=["192.0.2.1"], timeout="5s").probe(at)
        wrong = await prober("dns", WWW, transport=transport, expect=["192.0.2.9"], timeout="5s").probe(at)
    assert (result.outcome, result.reason) == (ProbeOutcome.PASS, ProbeReason.OK), result.detail
    assert wrong.reason is ProbeReason.ANSWER_MISMATCH


async def test_an_answer_that_is_cut_without_edns_is_fetched_over_tcp_without_it(server: DnsServer) -> None:
    async with without_edns(server.port, dns.rcode.FORMERR) as port:
        big = prober("dns", f"big.{ZONE}", type="TXT", min_answers=30, timeout="5s")
        assert (await big.probe(Endpoint("region-1", "127.0.0.1", port))).reason is ProbeReason.OK


async def test_what_a_server_says_without_edns_is_its_last_word() -> None:
    heard: list[int] = []

    def refuses(question: bytes) -> list[bytes]:
        heard.append(dns.message.from_wire(question).edns)
        return [question[:2] + (0x8000 | dns.rcode.NOTIMP).to_bytes(2, "big") + bytes(8)]

    assert (await told(refuses)).detail == "NOTIMP instead of NOERROR"
    assert heard == [0, -1]


async def test_a_code_that_edns_carries_is_no_answer_however_few_are_wanted() -> None:
    """BADVERS has a header that says NOERROR."""

    def badvers(question: bytes) -> list[bytes]:
        response = dns.message.make_response(dns.message.from_wire(question))
        response.use_edns(0)
        response.set_rcode(dns.rcode.BADVERS)
        return [response.to_wire()]

    result = await told(badvers, min_answers=0)
    assert (result.reason, result.detail) == (ProbeReason.RCODE_UNEXPECTED, "BADVERS instead of NOERROR")


# -- servers that lie, over TCP ----------------------------------------------------------------------------------------


def over_tcp(reply: Reply) -> Behaviour:
    async def behave(connection: Connection) -> None:
        length = int.from_bytes(await connection.reader.readexactly(2), "big")
        await connection.send(*reply(await connection.reader.readexactly(length)))

    return behave


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (over_tcp(lambda question: [framed(answer(question, "192.0.2.1"))]), ProbeReason.OK),
        (
            over_tcp(lambda question: list(map(bytes, zip(framed(answer(question, "192.0.2.1")), strict=True)))),
            ProbeReason.OK,
        ),
        (over_tcp(lambda question: [framed(wrong_id(question))]), ProbeReason.RESPONSE_INVALID),
        (over_tcp(lambda question: [framed(another(question))]), ProbeReason.RESPONSE_INVALID),
        (over_tcp(lambda question: [framed(answer(question, flags=dns.flags.TC))]), ProbeReason.RESPONSE_INVALID),
        (over_tcp(lambda question: [framed(answer(question))[:9]]), ProbeReason.RESPONSE_CLOSED),
        (over_tcp(lambda _: [b"\xff\xff"]), ProbeReason.RESPONSE_TOO_LARGE),
        (over_tcp(lambda _: []), ProbeReason.RESPONSE_CLOSED),
        (resets, ProbeReason.CONNECT_RESET),
        (silent, ProbeReason.RESPONSE_TIMEOUT),
    ],
)
async def test_over_tcp_each_trouble_has_its_reason(behave: Behaviour, reason: ProbeReason) -> None:
    async with serve(behave) as target:
        timeout = "300ms" if reason is ProbeReason.RESPONSE_TIMEOUT else "20s"
        result = await prober("dns", WWW, transport="tcp", timeout=timeout).probe(target.endpoint)
    assert result.reason is reason


async def test_over_tcp_a_refused_connection_fails() -> None:
    with refusing() as target:
        assert (await prober("dns", WWW, transport="tcp").probe(target.endpoint)).reason is ProbeReason.CONNECT_REFUSED


# -- whatever comes ----------------------------------------------------------------------------------------------------

QUESTION = DnsQuestion(DnsSettings.model_validate({"dns": WWW, "expect": ["192.0.2.1"]}))
GOOD = answer(QUESTION.wire(b"\0\1"), "192.0.2.1")


def judged(data: bytes) -> ProbeReason | None:
    """None: it is not ours, or it was cut."""
    try:
        found = QUESTION.judge(b"\0\1", data)
    except Unrelated:
        return None
    except EdnsRefused as refused:
        found = refused.finding
    return found.reason if found is not None else None


KNOWN = {
    None,
    ProbeReason.OK,
    ProbeReason.RESPONSE_INVALID,
    ProbeReason.RCODE_UNEXPECTED,
    ProbeReason.ANSWER_MISMATCH,
}


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_a_finding(data: bytes) -> None:
    assert judged(b"\0\1" + data) in KNOWN


@given(st.lists(st.tuples(st.integers(2, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_an_answer_with_bytes_changed_is_a_finding(changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for at, byte in changes:
        data[at] = byte
    assert judged(bytes(data)) in KNOWN


def test_a_crowd_of_long_names_is_not_unpacked() -> None:
    """Each record is 16 bytes of pointers to a name of 120 labels; to unpack them all takes seconds."""
    pointers = DnsQuestion(DnsSettings.model_validate({"dns": WWW, "type": "PTR"}))
    asked = pointers.wire(b"\0\1")[12 : 12 + len(WWW) + 6]
    there = (0xC000 | 12 + len(asked)).to_bytes(2, "big")
    rest = b"\0\x0c\0\1\0\0\0\x1e\0\2" + there
    records = b"\1a" * 119 + b"\0" + rest + (there + rest) * 900
    found = pointers.judge(b"\0\1", b"\0\1\x84\0\0\1" + (901).to_bytes(2, "big") + bytes(4) + asked + records)
    assert found is not None
    assert (found.reason, found.detail) == (
        ProbeReason.RESPONSE_INVALID,
        "not a DNS message: its names are too long and too many",
    )


@given(st.binary(max_size=64))
def test_over_tcp_any_bytes_at_all_are_a_finding(data: bytes) -> None:
    asked = TcpQuery(QUESTION)
    found = asked.received(data) if data else None
    assert (found or asked.ended()).reason in KNOWN | {ProbeReason.RESPONSE_CLOSED, ProbeReason.RESPONSE_TOO_LARGE}
    assert len(data) <= MOST_ANSWER


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"dns": ""},
        {"dns": "two words"},
        {"type": "ANY"},
        {"type": "AXFR"},
        {"expect": ["not an address"]},
        {"type": "MX", "expect": ["mail.example.test."]},
        {"expect": ["192.0.2.1"], "expect_exactly": ["192.0.2.1"]},
        {"expect": ["192.0.2.1"], "rcode": "NXDOMAIN"},
        {"transport": "quic"},
        {"min_answers": -1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DnsSettings.model_validate({"dns": WWW, **wrong})


def test_the_root_can_be_asked_for() -> None:
    assert dns.message.from_wire(DnsQuestion(DnsSettings.model_validate({"dns": "."})).wire(b"\0\0")).question
