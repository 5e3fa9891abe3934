"""The part of a DNS answer that a check looks at, read from its wire form (RFC 1035, 4.1).

Of an answer, only the records that may matter are unpacked, and what unpacking them costs is counted: with compressed
names, a message of a few kilobytes can keep a parser busy for seconds.
"""

import struct
from dataclasses import dataclass
from typing import Final

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire

HEADER: Final = struct.Struct("!6H")

MALFORMED: Final = (dns.exception.DNSException, ValueError, LookupError, OverflowError, struct.error)
"""What may be raised for the bytes of a peer; anything else is a defect of ours."""

_MOST_EFFORT: Final = 100_000
"""Labels of owner names, and the squares of those in data: so much time goes into each. Some 30 ms altogether."""

_IN: Final = dns.rdataclass.IN
_CNAME: Final = dns.rdatatype.CNAME

Key = tuple[dns.name.Name, dns.rdatatype.RdataType]


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """What a server says.

    Attributes:
        flags: second word of the header.
        rcode: the response code, with the part of it that EDNS carries.
        questions: what it repeats of the question, names and types.
        records: its answers of the type asked for, and its aliases.
    """

    flags: int
    rcode: int
    questions: list[Key]
    records: dict[Key, list[dns.rdata.Rdata]]


def parse_answer(data: bytes, wanted: dns.rdatatype.RdataType) -> DnsAnswer:
    """Unpack an answer with records of the type `wanted`.

    Raises:
        ValueError: this would cost too much.
        Exception: another one of `MALFORMED`, for bytes that are no message.
    """
    _, flags, questions, answers, authorities, additional = HEADER.unpack_from(data)
    parser = dns.wire.Parser(data, HEADER.size)
    asked = [_question(parser) for _ in range(min(questions, 2))]
    if questions > len(asked):
        raise ValueError(f"{questions} questions in one message")
    records: dict[Key, list[dns.rdata.Rdata]] = {}
    effort = 0
    for _ in range(answers):
        owner = parser.get_name(decompress=True)
        kind, rdclass, _, length = parser.get_struct("!HHIH")
        effort += len(owner)
        if rdclass == _IN and kind in {wanted, _CNAME}:
            with parser.restrict_to(length):
                found = dns.rdata.from_wire_parser(_IN, kind, parser)
            effort += sum(len(name) ** 2 for name in _names(found))
            records.setdefault((owner, dns.rdatatype.RdataType.make(kind)), []).append(found)
        else:
            parser.get_bytes(length)
        if effort > _MOST_EFFORT:
            raise ValueError("its names are too long and too many")
    extended = 0
    if additional and not records:  # more than four bits have only codes of answers without records
        extended = _extended_rcode(parser, authorities + additional)
    return DnsAnswer(flags, extended << 4 | flags & 0xF, asked, records)


def _extended_rcode(parser: dns.wire.Parser, records: int) -> int:
    """The upper bits of the response code, from the OPT record among these (RFC 6891, 6.1.3); 0 without one."""
    effort = 0
    for _ in range(records):
        effort += len(parser.get_name(decompress=True))
        kind, _, ttl, length = parser.get_struct("!HHIH")
        if kind == dns.rdatatype.OPT:
            return int(ttl) >> 24
        parser.get_bytes(length)
        if effort > _MOST_EFFORT:
            raise ValueError("its names are too long and too many")
    return 0


def _question(parser: dns.wire.Parser) -> Key:
    name = parser.get_name(decompress=True)
    kind, rdclass = parser.get_struct("!HH")
    if rdclass != _IN:
        raise ValueError(f"a question of class {rdclass}")
    return name, dns.rdatatype.RdataType.make(kind)


def _names(found: dns.rdata.Rdata) -> list[dns.name.Name]:
    """The names inside a record's data."""
    values = (getattr(found, slot, None) for slot in found.__slots__)
    return [value for value in values if isinstance(value, dns.name.Name)]
