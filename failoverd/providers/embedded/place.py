"""A place: everything that failoverd has published at one name, as a value.

It can be said in two ways. As records, for clients: the record sets at the name and the ownership marker beside it. As
text, for people and for other processes: weights cannot be seen in answers that hold one value each, so they stand as
TXT records at `_weights._failoverd.<name>`, one string per fact, from which the place can be rebuilt exactly:

    marker v=1 owner=prod policy=inference-api gen=7 types=A
    A 30 192.0.2.10=70
    A 30 198.51.100.10=30

One DNS answer carries all of it, so a reader never sees half of a change.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Self

import dns.exception
import dns.name
import dns.rdata
from dns.rdataclass import IN
from dns.rdatatype import RdataType

from failoverd.core.errors import Permanent
from failoverd.core.names import marker_name
from failoverd.core.records import Answer, Marker, Observed, RecordKey, RecordSet, RecordType, Target
from failoverd.settings import parse_name

WEIGHTS_LABEL = "_weights"
"""The label, in front of the marker's name, under which the weights of a name stand."""

MAX_WEIGHT = 65_535
"""The largest weight: the range of the weight field of an SRV record (RFC 2782)."""

MAX_TTL = 2**31 - 1
"""Seconds (RFC 2181, section 8)."""

_MAX_TEXT = 60_000
"""Bytes that a place may need as text: it has to fit into one DNS message over TCP."""

_TEXT_OVERHEAD = 16
"""Bytes of a TXT record beside its text: pointer to the owner, type, class, TTL, two lengths."""

_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at `name`: the raw marker, and the record sets by type. Types that answer nothing are left out.

    `steered` are the types that a policy names here. One that has no record set yet is no type that does not exist.
    """

    name: str
    marker_text: str | None = None
    sets: Mapping[RecordType, RecordSet] = field(default_factory=dict)
    steered: frozenset[RecordType] = frozenset()

    @property
    def idle(self) -> bool:
        """Whether nothing was published here, and no policy is about to."""
        return not self.sets and not self.steered and self.marker_text is None

    def having(self, records: RecordSet, marker_text: str | None) -> Self:
        """This place with one record set and the marker replaced."""
        return replace(self, marker_text=marker_text, sets={**self.sets, records.key.type: records})

    def texts(self) -> tuple[str, ...]:
        """Every fact of the place, one string each; `from_texts` is the inverse."""
        marker = () if self.marker_text is None else (f"marker {self.marker_text}",)
        records = (
            f"{kind} {records.ttl} {answer.value}={answer.weight}"
            for kind, records in sorted(self.sets.items())
            for answer in records.answers
        )
        return (*marker, *records)

    @classmethod
    def from_texts(cls, name: str, texts: Iterable[str]) -> Self:
        """The place that the texts describe. Raises ValueError when one of them is no fact of a place."""
        marker_text = None
        ttls: dict[RecordType, int] = {}
        weights: dict[RecordType, dict[str, int]] = {}
        for text in texts:
            kind, _, rest = text.partition(" ")
            if kind == "marker":
                marker_text = rest
                continue
            ttl, _, answer = rest.partition(" ")
            value, _, weight = answer.rpartition("=")
            ttls[RecordType(kind)] = int(ttl)
            weights.setdefault(RecordType(kind), {})[value] = int(weight)
        sets = {kind: RecordSet.of(RecordKey(name, kind), ttls[kind], weights[kind]) for kind in ttls}
        return cls(name, marker_text, sets)

    def observed(self, target: Target) -> Observed:
        """The place as the rest of failoverd looks at it, from one record type."""
        return Observed(
            target=target,
            records=self.sets.get(target.key.type),
            marker=Marker.parse(self.marker_text) if self.marker_text is not None else None,
            marker_text=self.marker_text,
            foreign=_foreign(target, self.sets),
        )

    def check(self) -> None:
        """Raise Permanent unless every answer and the texts can be put into DNS messages."""
        for records in self.sets.values():
            for answer in records.answers:
                rdata(records.key, answer)
        size = sum(len(text) + _TEXT_OVERHEAD for text in self.texts())
        if size > _MAX_TEXT:
            raise Permanent(
                f"{self.name} has more answers than one DNS message can hold ({size} bytes of {_MAX_TEXT})",
                reason="too_large",
                remedy="publish fewer endpoints at this name",
            )


def _foreign(target: Target, sets: Mapping[RecordType, RecordSet]) -> tuple[str, ...]:
    """Types at the name that exclude the target's: a CNAME stands alone (RFC 2181, section 10.1)."""
    if target.key.type is not RecordType.CNAME:
        return (RecordType.CNAME.value,) if RecordType.CNAME in sets else ()
    apex = ("NS", "SOA") if target.key.name == target.zone else ()
    return (*sorted(kind.value for kind in sets if kind is not RecordType.CNAME), *apex)


def weights_name(name: str) -> str:
    return f"{WEIGHTS_LABEL}.{marker_name(name)}"


def absolute(name: str) -> dns.name.Name:
    """The name as dnspython keeps it. Raises Permanent when it is longer than DNS allows (RFC 1035, section 2.3.4)."""
    try:
        return dns.name.from_text(name, origin=dns.name.root)
    except dns.exception.DNSException as error:
        detail = f"{name[:300]!r} is no valid DNS name: {error}"
        raise Permanent(detail, reason="name_invalid", remedy="use a shorter name") from error


# -- answers as DNS data -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=10_000)  # of a record that changes, most answers stay
def rdata(key: RecordKey, answer: Answer) -> dns.rdata.Rdata:
    """The answer as DNS data. Raises Permanent when the value is none of the key's type, in canonical form.

    SRV has priority 0, so that the weights alone decide (RFC 2782).
    """
    try:
        text = _FORMS[key.type](answer)
        return dns.rdata.from_text(IN, RdataType.make(key.type.value), text, relativize=False)
    except (ValueError, dns.exception.DNSException) as error:
        raise Permanent(
            f"{answer.value[:300]!r} with weight {answer.weight} cannot be an answer of {key}: {error}",
            reason="unsayable",
            remedy="correct the endpoint in the policy",
        ) from error


def _a(answer: Answer) -> str:
    return _canonical(answer.value, str(IPv4Address(answer.value)))


def _aaaa(answer: Answer) -> str:
    return _canonical(answer.value, IPv6Address(answer.value).compressed)


def _cname(answer: Answer) -> str:
    return _canonical(answer.value, parse_name(answer.value)) + "."


def _srv(answer: Answer) -> str:
    host, _, port = answer.value.rpartition(":")
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) <= _MAX_PORT:
        raise ValueError("it is not written as host:port")
    if not 0 <= answer.weight <= MAX_WEIGHT:
        raise ValueError(f"the weight is not between 0 and {MAX_WEIGHT}")
    return f"0 {answer.weight} {int(port)} {_canonical(host, parse_name(host))}."


_FORMS: Mapping[RecordType, Callable[[Answer], str]] = {
    RecordType.A: _a,
    RecordType.AAAA: _aaaa,
    RecordType.CNAME: _cname,
    RecordType.SRV: _srv,
}


def _canonical(value: str, canonical: str) -> str:
    if value != canonical:
        raise ValueError(f"the canonical form is {canonical!r}")
    return canonical
