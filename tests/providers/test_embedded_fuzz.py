"""Whatever arrives, the answer function answers by the book or keeps silent, and never raises."""

import dns.message
import dns.opcode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.embedded_dns import store_of, target
from support.fuzzing import SOAK

from failoverd.core.records import RecordType
from failoverd.providers.embedded.answering import Transport

SRV = target(RecordType.SRV, "_many._tcp.example.com")
STORE = store_of(
    {
        target(): {"192.0.2.10": 70, "198.51.100.10": 30},
        target(RecordType.CNAME, "chat.example.com"): {"api.example.com": 1},
        SRV: {f"host-{index}.example.net:443": 1 for index in range(60)},
    }
)
GOOD = [
    dns.message.make_query(name, kind, use_edns=edns, payload=1232, id=0).to_wire()
    for name in ("api.example.com", "chat.example.com", "_many._tcp.example.com", "missing.example.com", "example.org")
    for kind in ("A", "SRV", "TXT", "ANY", "SOA", "AXFR")
    for edns in (False, 0, 1)
]

transports = st.sampled_from(Transport)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good query with bytes changed, cut out, repeated or appended."""
    wire = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(wire) - 1)))
        span = draw(st.integers(0, 12))
        wire[at : at + span] = draw(st.one_of(st.binary(max_size=12), st.just(bytes(wire[at : at + span]) * 2)))
    return bytes(wire)


def headers_then_noise() -> st.SearchStrategy[bytes]:
    """A plausible header with any counts, and anything behind it: compression pointers above all."""
    header = st.binary(min_size=2, max_size=2).map(lambda message_id: message_id + b"\x01\x00\x00\x01\x00\x00")
    counts = st.tuples(st.integers(0, 1), st.integers(0, 2)).map(lambda pair: bytes([0, pair[0], 0, pair[1]]))
    pointers = st.tuples(st.integers(192, 255), st.integers(0, 255)).map(bytes)
    labels = st.binary(max_size=63).map(lambda text: bytes([len(text)]) + text)
    body = st.lists(st.one_of(pointers, labels, st.binary(max_size=16)), max_size=40).map(b"".join)
    return st.tuples(header, counts, body).map(b"".join)


def assert_answered_by_the_book(wire: bytes, transport: Transport) -> None:
    reply = STORE.answer(wire, transport)
    if reply is None:
        assert len(wire) < 12 or wire[2] & 0x80
        return
    assert len(wire) >= 12
    assert reply[:2] == wire[:2]
    assert reply[2] & 0x80
    assert reply[2] & 0x79 == wire[2] & 0x79  # opcode and RD
    assert not reply[3] & 0x80
    assert len(reply) <= (1232 if transport is Transport.UDP else 65_535)
    parsed = dns.message.from_wire(reply)
    if transport is Transport.UDP and parsed.edns < 0:
        assert len(reply) <= 512
    if parsed.opcode() != dns.opcode.QUERY:
        assert len(reply) == 12


@settings(max_examples=200 * SOAK)
@given(st.binary(max_size=600), transports)
def test_random_bytes_are_answered_by_the_book(wire: bytes, transport: Transport) -> None:
    assert_answered_by_the_book(wire, transport)


@settings(max_examples=300 * SOAK)
@given(mutated(), transports)
def test_mutated_queries_are_answered_by_the_book(wire: bytes, transport: Transport) -> None:
    assert_answered_by_the_book(wire, transport)


@settings(max_examples=200 * SOAK)
@given(headers_then_noise(), transports)
@example(b"\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x02" + b"\xc0\x0c" * 2_000, Transport.UDP)
@example(b"\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x01a" * 127 + b"\x00\x00\x01\x00\x01", Transport.UDP)
def test_names_made_of_pointers_and_labels_are_answered_by_the_book(wire: bytes, transport: Transport) -> None:
    assert_answered_by_the_book(wire, transport)
