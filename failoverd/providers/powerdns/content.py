"""Weights as LUA records of PowerDNS, and back.

A LUA record holds a record type and a piece of Lua that gives its data (PowerDNS manual, "Lua Records"). Ours is one
call, `A "pickwrandom({{70,'192.0.2.1'},{30,'198.51.100.1'}})"`: each question is answered with one of the values, with
the probability of its weight. All LUA records of a name are one record set, whatever types they answer for, and share
one TTL.

PowerDNS hides this content from ordinary questions. On the wire it is type 65402: a 16-bit type, then strings as in
TXT, which the server joins with spaces. So a long call is cut where Lua may have a space, and never inside a value.

Any other code is somebody's own. It is kept word for word as a value that begins with `lua `, so that it shows as a
difference, counts as an answer, can be put back, and can be compared exactly by the fence.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self, cast

import dns.rdata
import dns.rdatatype
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TXT import TXT

from failoverd.core.errors import Permanent
from failoverd.core.records import Answer, RecordKey, RecordSet, RecordType
from failoverd.providers.dnsupdate.rdata import absolute
from failoverd.providers.shared import sets

LUA = RdataType.make(65402)
"""The private type of LUA records."""

ALIAS = RdataType.make(65401)
"""Another private type: PowerDNS answers questions for addresses with those of another name."""

SAID_IN_LUA = frozenset({RecordType.A, RecordType.AAAA, RecordType.CNAME})
"""Types written as LUA. An SRV record has weights of its own, which clients obey (RFC 2782), so it stays plain."""

MAX_WEIGHT = 65_535
"""Far below the 31 bits in which PowerDNS adds the weights of a hundred answers up."""

_MAX_STRING = 255
_OWN = "lua "
_HOST = re.compile(r"[A-Za-z0-9_.-]+")
_ENTRY = r"\{\s*(\d{1,9})\s*,\s*['\"]([^'\"\s]+)['\"]\s*\}"
_LIST = rf"\{{\s*({_ENTRY}(?:\s*,\s*{_ENTRY})*)\s*,?\s*\}}"
_CALL = re.compile(rf"\s*(?:;\s*return\s)?\s*pickwrandom\s*\(\s*{_LIST}\s*\)\s*;?\s*")


@dataclass(frozen=True, slots=True, order=True)
class Lua:
    """One LUA record: the type that it answers for, and its strings as PowerDNS keeps them (`"one" "two"`)."""

    type: str
    strings: str

    @classmethod
    def of(cls, record_type: str, pieces: Iterable[str]) -> Self:
        """A record of these pieces of code, packed into as few strings as possible. None may exceed 255 octets."""
        strings = [""]
        for piece in pieces:
            if len(strings[-1]) + len(piece) > _MAX_STRING:
                strings.append("")
            strings[-1] += piece
        return cls(record_type, _quoted([string.encode() for string in strings]))

    @classmethod
    def from_rdata(cls, record: dns.rdata.Rdata) -> Self:
        wire = record.to_generic().data
        text = dns.rdata.from_wire(RdataClass.IN, RdataType.TXT, wire, 2, len(wire) - 2)
        return cls(dns.rdatatype.to_text(RdataType.make(int.from_bytes(wire[:2], "big"))), text.to_text())

    @classmethod
    def from_content(cls, content: str) -> Self:
        """Reads `A "code"`, as the HTTP API says it."""
        record_type, _, strings = content.partition(" ")
        text = dns.rdata.from_text(RdataClass.IN, RdataType.TXT, strings)
        return cls(record_type.upper(), text.to_text())

    @property
    def content(self) -> str:
        return f"{self.type} {self.strings}"

    @property
    def code(self) -> str:
        """The Lua that PowerDNS runs."""
        return " ".join(string.decode("utf-8", "backslashreplace") for string in self._text().strings)

    def rdata(self) -> dns.rdata.Rdata:
        number = dns.rdatatype.from_text(self.type).to_bytes(2, "big")
        return dns.rdata.GenericRdata(RdataClass.IN, LUA, number + self._text().to_generic().data)

    def _text(self) -> TXT:
        return cast("TXT", dns.rdata.from_text(RdataClass.IN, RdataType.TXT, self.strings))


def normalise(desired: RecordSet) -> RecordSet:
    """The set as it will be read back."""
    return decode(desired.key, desired.ttl, encode(sets.weighted(desired, MAX_WEIGHT)))


def encode(records: RecordSet) -> tuple[Lua, ...]:
    """The LUA records that say this set: one, unless somebody's own code is put back.

    Raises Permanent when nothing would be served, or when a value is none of its type.
    """
    sets.serving(records)
    own = [answer.value.removeprefix(_OWN) for answer in records.answers if answer.value.startswith(_OWN)]
    weighted = [answer for answer in records.answers if not answer.value.startswith(_OWN)]
    found = [Lua(records.key.type.value, strings) for strings in own]
    if weighted:
        found.append(Lua.of(records.key.type.value, _pieces(records.key, weighted)))
    return tuple(sorted(found))


def decode(key: RecordKey, ttl: int, found: Sequence[Lua]) -> RecordSet:
    """The record set that the LUA records of one type are. Several of them answer together, which no weights say."""
    weighted = _weighted(key.type, found[0]) if len(found) == 1 else None
    answers = weighted if weighted is not None else [Answer(f"{_OWN}{lua.strings}", 1) for lua in found]
    return RecordSet(key, ttl, tuple(sorted(answers)))


def _weighted(record_type: RecordType, lua: Lua) -> list[Answer] | None:
    """Its weights if it is what we would write, apart from spaces and the order; None if it is other code."""
    call = _CALL.fullmatch(lua.code)
    if call is None:
        return None
    try:
        answers = [Answer(_value(record_type, entry[2]), int(entry[1])) for entry in re.finditer(_ENTRY, call[1])]
    except (ValueError, Permanent):
        return None
    return answers if len({answer.value for answer in answers}) == len(answers) else None


def _pieces(key: RecordKey, answers: Sequence[Answer]) -> Iterator[str]:
    try:
        values = [_value(key.type, answer.value) for answer in answers]
    except (ValueError, Permanent) as error:
        raise Permanent(
            f"{key} cannot be said in DNS: {error}",
            reason="unsayable",
            remedy="correct the endpoint's address in the policy",
        ) from error
    yield "pickwrandom({"
    for index, (answer, value) in enumerate(zip(answers, values, strict=True)):
        yield f"{{{answer.weight},"
        yield f"'{value}'"
        yield "}," if index + 1 < len(answers) else "}"
    yield "})"


def _value(record_type: RecordType, value: str) -> str:
    """The value in canonical form. Raises ValueError when it is none of the type, so that nothing else becomes code."""
    if record_type is RecordType.CNAME:
        if not _HOST.fullmatch(value):
            raise ValueError(f"{value[:80]!r} is not a host name")
        return absolute(value).to_text(omit_final_dot=True).lower()
    address = ip_address(value)
    if (address.version == 4) != (record_type is RecordType.A):  # noqa: PLR2004 - IPv4
        raise ValueError(f"{value} is no {record_type}")
    return address.compressed


def _quoted(strings: Sequence[bytes]) -> str:
    return TXT(RdataClass.IN, RdataType.TXT, strings).to_text()
