"""One DNS message in, one DNS message or silence out. Pure: zones, bytes and a source of randomness are arguments.

What a message gets, in the order in which it is looked at:

| message | answer |
|---|---|
| shorter than a header, or itself a response | silence, so that two servers never talk to each other for ever |
| another opcode than QUERY | NOTIMP |
| not exactly one question (RFC 9619), more records or bytes than a query has, unparsable | FORMERR |
| EDNS of another version than 0 | BADVERS (RFC 6891) |
| signed with TSIG | NOTAUTH: no key is known here (RFC 8945) |
| another class than IN, a zone transfer, a name outside the zones | REFUSED |
| another meta type than ANY | NOTIMP |
| ANY | the CNAME, or one HINFO record (RFC 8482) |
| a name that does not exist, below a wildcard | what the wildcard says, at that name (RFC 4592) |
| a name that does not exist | NXDOMAIN with the SOA record (RFC 2308) |
| a name that may be steered, while the files are read or one of them is not known | SERVFAIL |
| a name and type that is steered, and was never published | SERVFAIL |
| a name without that type | NOERROR with the SOA record (RFC 2308) |
| a name with a CNAME | the CNAME, followed as long as it stays inside the zones |
| anything else | the record; one value of it, drawn by weight, for A, AAAA and CNAME |

An answer never exceeds what the client said that it can take: over UDP 512 bytes or what EDNS says, and never more than
`UDP_PAYLOAD`; what does not fit is left out and TC set, and the client comes back over TCP.
"""

import struct
from collections.abc import Iterable
from enum import Enum
from random import Random

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rrset
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.rdatatype import RdataType

from failoverd.providers.embedded.zone import APEX_TTL, NEGATIVE_TTL, Choice, Node, Zone, Zones, enclosing

UDP_PAYLOAD = 1232
"""Bytes of the largest message over UDP, both ways: what passes unfragmented everywhere (DNS flag day 2020)."""

MAX_QUERY = 1232
"""Bytes of the largest query that is parsed. Real ones stay below 600, padding included (RFC 8467)."""

_HEADER = struct.Struct("!HHHHHH")
_PLAIN_UDP = 512
_MAX_LABEL = 63
_TYPE_AND_CLASS = 4
_TCP_PAYLOAD = 65_535
_MAX_AUTHORITY = 1  # IXFR carries the client's SOA record
_MAX_ADDITIONAL = 2  # OPT and TSIG
_MAX_CHAIN = 8
_HINFO = dns.rdata.from_text(IN, RdataType.HINFO, '"RFC8482" ""')
_TRANSFERS = frozenset({RdataType.AXFR, RdataType.IXFR})


class _NotKnown(Exception):  # noqa: N818 - ends the search for one answer, and never leaves this module
    """What is asked for may be steered, and nobody knows yet with what it is to be answered."""


class Transport(Enum):
    UDP = "udp"
    TCP = "tcp"


def respond(wire: bytes, transport: Transport, zones: Zones, random: Random) -> bytes | None:
    """The answer to a message, or None for silence.

    Args:
        wire: the message as it came, without the length prefix of TCP.
        transport: how it came; it bounds the size of the answer.
        zones: what to answer from.
        random: draws among weighted answers.
    """
    if len(wire) < _HEADER.size:
        return None
    _, flags, questions, answers, authority, additional = _HEADER.unpack_from(wire)
    if flags & dns.flags.QR:
        return None
    if dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        return bare(wire, Rcode.NOTIMP)
    if questions != 1 or answers or authority > _MAX_AUTHORITY or additional > _MAX_ADDITIONAL or len(wire) > MAX_QUERY:
        return bare(wire, Rcode.FORMERR)
    try:
        query = dns.message.from_wire(wire, keyring=False)
    except dns.exception.DNSException:
        return bare(wire, Rcode.FORMERR)
    response = _skeleton(query)
    _fill(response, query, zones, random)
    return response.to_wire(max_size=_room(query, transport), prefer_truncation=True, want_shuffle=False)


def bare(wire: bytes, rcode: Rcode) -> bytes:
    """A header alone, for a message that is no query we understand. `wire` holds at least a header."""
    message_id, flags, *_ = _HEADER.unpack_from(wire)
    kept = flags & (dns.flags.RD | dns.opcode.to_flags(dns.opcode.from_flags(flags)))
    return _HEADER.pack(message_id, dns.flags.QR | kept | rcode, 0, 0, 0, 0)


def truncated(wire: bytes) -> bytes | None:
    """The question of a query and the TC bit: come again over TCP. None for what is no query of one question.

    It is made without reading the message, so that it costs next to nothing.
    """
    if len(wire) < _HEADER.size:
        return None
    message_id, flags, questions, *_ = _HEADER.unpack_from(wire)
    end = _HEADER.size
    while end < len(wire) and 0 < wire[end] <= _MAX_LABEL:
        end += 1 + wire[end]
    end += 1 + _TYPE_AND_CLASS  # the root label first
    if flags & dns.flags.QR or questions != 1 or end > len(wire):
        return None
    kept = flags & (dns.flags.RD | dns.opcode.to_flags(dns.opcode.from_flags(flags)))
    return _HEADER.pack(message_id, dns.flags.QR | dns.flags.TC | kept, 1, 0, 0, 0) + wire[_HEADER.size : end]


def _skeleton(query: dns.message.Message) -> dns.message.Message:
    """Question and RD copied; OPT if there was one, with the DO bit copied (RFC 3225, section 3)."""
    response = dns.message.make_response(query, our_payload=UDP_PAYLOAD, pad=0)
    if query.edns >= 0 and query.ednsflags & dns.flags.DO:
        response.want_dnssec()
    return response


def _room(query: dns.message.Message, transport: Transport) -> int:
    if transport is Transport.TCP:
        return _TCP_PAYLOAD
    if query.edns < 0:
        return _PLAIN_UDP
    return max(_PLAIN_UDP, min(query.payload, UDP_PAYLOAD))


def _fill(response: dns.message.Message, query: dns.message.Message, zones: Zones, random: Random) -> None:
    (question,) = query.question
    refusal = _refusal(query, question)
    if refusal is not None:
        response.set_rcode(refusal)
        return
    zone = enclosing(zones, question.name)
    if zone is None:
        response.set_rcode(Rcode.REFUSED)
        return
    response.flags |= dns.flags.AA
    try:
        _follow(response, question.name, question.rdtype, zones, random)
    except _NotKnown:  # whatever stood in front of it, half of a chain is no answer
        response.answer.clear()
        response.flags &= ~dns.flags.AA
        response.set_rcode(Rcode.SERVFAIL)


def _refusal(query: dns.message.Message, question: dns.rrset.RRset) -> Rcode | None:
    if query.edns > 0:
        return Rcode.BADVERS
    if query.had_tsig:
        return Rcode.NOTAUTH
    if question.rdclass != IN or question.rdtype in _TRANSFERS:
        return Rcode.REFUSED
    if dns.rdatatype.is_metatype(question.rdtype) and question.rdtype != RdataType.ANY:
        return Rcode.NOTIMP
    return None


def _follow(response: dns.message.Message, name: dns.name.Name, kind: RdataType, zones: Zones, random: Random) -> None:
    """Answer, restarting at each CNAME's target (RFC 1034, section 4.3.2) while it is ours and the chain is sane."""
    for _ in range(_MAX_CHAIN):
        zone = enclosing(zones, name)
        if zone is None:
            return
        node = zone.find(name)
        if node is None:
            if not zone.whole:
                raise _NotKnown
            response.set_rcode(Rcode.NXDOMAIN)  # of the last name of a chain (RFC 6604)
            _deny(response, zone)
            return
        if RdataType.CNAME not in node or kind == RdataType.CNAME:
            _answer(response, zone, name, kind, node, random)
            return
        alias = _drawn(node[RdataType.CNAME], random)
        response.answer.append(_owned(name, alias))
        if kind == RdataType.ANY:
            return
        name = alias[0].target


def _answer(
    response: dns.message.Message, zone: Zone, name: dns.name.Name, kind: RdataType, node: Node, random: Random
) -> None:
    if kind == RdataType.ANY and node:
        response.answer.append(dns.rrset.from_rdata(name, APEX_TTL, _HINFO))
    elif kind in node:
        response.answer.append(_owned(name, _drawn(node[kind], random)))
        if kind == RdataType.NS:
            response.additional.extend(_addresses(zone, node[kind].options[0]))
    else:
        _deny(response, zone)


def _drawn(choice: Choice, random: Random) -> dns.rdataset.Rdataset:
    if not choice.options:
        raise _NotKnown
    return choice.pick(random)


def _deny(response: dns.message.Message, zone: Zone) -> None:
    """The SOA record, with the time for which the denial may be remembered as its TTL (RFC 2308, section 3)."""
    soa = zone.nodes[zone.origin][RdataType.SOA].options[0]
    response.authority.append(dns.rrset.from_rdata_list(zone.origin, NEGATIVE_TTL, list(soa)))


def _addresses(zone: Zone, servers: dns.rdataset.Rdataset) -> Iterable[dns.rrset.RRset]:
    for server in servers:
        for choice in zone.own.get(server.target, {}).values():
            yield _owned(server.target, choice.options[0])


def _owned(name: dns.name.Name, data: dns.rdataset.Rdataset) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, data.ttl, list(data))
