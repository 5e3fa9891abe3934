"""Answers to resource records and back, so that what is read equals what was written.

An SRV record that failoverd would never write (another priority than 0, or weight 0, which RFC 2782 keeps at a small
chance rather than none) keeps its oddity in the value: `host:443 priority=10`. So a hand edit shows as a difference,
counts as an answer, and can still be compared exactly by the fence.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rdtypes.IN.SRV
from dns.rdataclass import RdataClass

from failoverd.core.errors import Permanent
from failoverd.core.records import Answer, RecordKey, RecordSet, RecordType
from failoverd.providers.shared import sets

MAX_WEIGHT = 65_535
"""The largest weight of an SRV record (RFC 2782)."""

MARKER_TTL = 60
"""Seconds. Only the authoritative server is ever asked for a marker, so nothing depends on it."""

_SRV = re.compile(r"(?P<host>\S+):(?P<port>\d+)(?: priority=(?P<priority>\d+))?(?P<unweighted> weight=0)?")


def encode(records: RecordSet) -> tuple[dns.rdata.Rdata, ...]:
    """One resource record for each answer. Raises Permanent when there is none, or one that DNS cannot say."""
    if not records.answers:
        raise Permanent(
            f"{records.key} would have no answer at all, and an empty answer is never published",
            reason="empty_answer",
            remedy="this is a defect of failoverd if a policy led to it: please report it",
        )
    try:
        return tuple(_rdata(records.key.type, answer) for answer in records.answers)
    except (ValueError, dns.exception.DNSException) as error:
        raise Permanent(
            f"{records.key} cannot be said in DNS: {error}",
            reason="unsayable",
            remedy="correct the endpoint's address in the policy",
        ) from error


def decode(key: RecordKey, ttl: int, rdatas: Iterable[dns.rdata.Rdata]) -> RecordSet:
    """The record set that these resource records are."""
    return RecordSet(key, ttl, tuple(sorted(_answer(rdata) for rdata in rdatas)))


def normalised(desired: RecordSet, max_answers: int | None = None) -> RecordSet:
    """The set as it will be read back from a server of plain records: in or out, or with the weights of SRV.

    Raises Permanent when it is empty, too large, or cannot be said.
    """
    if desired.key.type is RecordType.CNAME:
        sets.refuse_several(desired)
    said = sets.weighted(desired, MAX_WEIGHT)
    if max_answers is not None:
        sets.refuse_more_than(said, max_answers)
    return decode(said.key, said.ttl, encode(said))


def marker_rdata(text: str) -> dns.rdata.Rdata:
    """The marker as the one TXT string that it is. Raises Permanent beyond the 255 octets of RFC 1035, 3.3.14."""
    try:
        return dns.rdtypes.ANY.TXT.TXT(RdataClass.IN, dns.rdatatype.TXT, [text.encode()])
    except ValueError:
        raise Permanent(
            f"the ownership marker takes {len(text.encode())} octets, and one TXT string holds 255: {text[:80]!r}...",
            reason="unsayable",
            remedy="shorten `owner` in the configuration, or the name of the policy",
        ) from None


def marker_text(rdatas: Sequence[dns.rdata.Rdata]) -> tuple[str | None, bool]:
    """What stands at the marker's name, and whether it is one plain string, as a marker always is."""
    strings = [string for rdata in rdatas if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT) for string in rdata.strings]
    if not strings:
        return None, False
    joined = b" ".join(sorted(strings) if len(rdatas) > 1 else strings)
    return joined.decode("ascii", "backslashreplace"), len(strings) == 1 and joined.isascii()


def absolute(name: str) -> dns.name.Name:
    """The DNS name of a name without its trailing dot. Raises Permanent beyond 255 octets (RFC 1035, 2.3.4)."""
    try:
        return dns.name.from_text(name)
    except dns.exception.DNSException as error:
        raise Permanent(
            f"{name[:300]!r} is no name that DNS can hold: {error}",
            reason="unsayable",
            remedy="use a shorter name; the ownership marker adds 11 octets to it",
        ) from None


def _rdata(record_type: RecordType, answer: Answer) -> dns.rdata.Rdata:
    match record_type:
        case RecordType.A:
            text = IPv4Address(answer.value).compressed
        case RecordType.AAAA:
            text = IPv6Address(answer.value).compressed
        case RecordType.CNAME:
            text = absolute(answer.value).to_text()
        case RecordType.SRV:
            text = _srv(answer)
    return dns.rdata.from_text(RdataClass.IN, record_type, text)


def _srv(answer: Answer) -> str:
    found = _SRV.fullmatch(answer.value)
    if found is None:
        raise ValueError(f"{answer.value!r} is not host:port")
    weight = 0 if found["unweighted"] else answer.weight
    return f"{found['priority'] or 0} {weight} {found['port']} {absolute(found['host'])}"


def _answer(rdata: dns.rdata.Rdata) -> Answer:
    match rdata:
        case dns.rdtypes.IN.A.A():
            return Answer(IPv4Address(rdata.address).compressed, 1)
        case dns.rdtypes.IN.AAAA.AAAA():
            return Answer(IPv6Address(rdata.address).compressed, 1)
        case dns.rdtypes.ANY.CNAME.CNAME():
            return Answer(_host(rdata.target), 1)
        case dns.rdtypes.IN.SRV.SRV():
            odd = f" priority={rdata.priority}" if rdata.priority else ""
            odd += "" if rdata.weight else " weight=0"
            return Answer(f"{_host(rdata.target)}:{rdata.port}{odd}", rdata.weight or 1)
        case _:
            raise TypeError(f"{dns.rdatatype.to_text(rdata.rdtype)} is not a type that failoverd manages")


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
