"""Records of OCI DNS to answers and back, and what a name's records mean to a target.

A record is told from the next by its rdata, in presentation format as OCI gives it back. Its `version` is that of the
zone in which the record's set last became different (RecordDetails, `rrsetVersion`): the fence compares it, so that a
record which somebody adds beside ours is noticed, too.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import dns.rdata
from dns.rdataclass import RdataClass

from failoverd.core.records import Marker, Observed, RecordType, Target, standing_at
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.oci_cloud.coexistence import ALIASES, BESIDE_ANYTHING

MAX_ANSWERS: Final = 100
"""Values in one record set that failoverd writes. OCI names no limit; an answer has to fit into a DNS message."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as OCI gives it. `domain` is lower case, without a final dot; `ttl` in seconds."""

    domain: str
    rtype: str
    rdata: str
    ttl: int
    version: str
    protected: bool = False

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "Record":
        return cls(
            str(item["domain"]).rstrip(".").lower(),
            str(item["rtype"]).upper(),
            str(item["rdata"]),
            int(item["ttl"]),
            str(item.get("rrsetVersion") or ""),
            bool(item.get("isProtected")),
        )


@dataclass(frozen=True, slots=True)
class Token:
    """Exactly what was read: the records of the target's type, and the marker's."""

    records: tuple[Record, ...]
    markers: tuple[Record, ...]

    def text(self) -> str:
        """Canonical, so that equal tokens are equal texts; empty when nothing stands there."""
        if not self.records and not self.markers:
            return ""
        said = {name: [asdict(record) for record in sorted(getattr(self, name), key=str)] for name in self.__slots__}
        return json.dumps(said, sort_keys=True, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> "Token":
        said = json.loads(text)
        return cls(*(tuple(Record(**record) for record in said[name]) for name in ("records", "markers")))


def observed(target: Target, at_name: Sequence[Record], at_marker: Sequence[Record]) -> Observed:
    """What the records at a name and at its marker's name mean to a target.

    A marker is one plain string; anything else there is kept as text only, and in no token, so that no plan removes it.
    """
    kind = target.key.type
    own = tuple(record for record in at_name if record.rtype == kind)
    beside = {record.rtype for record in at_name} - {kind.value, *BESIDE_ANYTHING}
    foreign = beside if kind is RecordType.CNAME else beside & ALIASES
    instead = {standing_at(each.rtype, target.key.marker_name) for each in at_marker if each.rtype in ALIASES}
    markers = tuple(record for record in at_marker if record.rtype == "TXT")
    text, plain = rdata.marker_text(_parsed(markers))
    records = rdata.decode(target.key, own[0].ttl, _parsed(own)) if own else None
    return Observed(
        target,
        records.with_ttls(each.ttl for each in own) if records is not None else None,
        Marker.parse(text) if text is not None and plain else None,
        text,
        tuple(sorted(foreign | instead)),
        Token(own, markers if plain else ()).text(),
    )


def standing(target: Target, records: Iterable[Record]) -> Observed:
    """The same, of records that may belong to any name."""
    found = list(records)
    at_name = [record for record in found if record.domain == target.key.name]
    return observed(target, at_name, [record for record in found if record.domain == target.key.marker_name])


def _parsed(records: Iterable[Record]) -> list[dns.rdata.Rdata]:
    return [dns.rdata.from_text(RdataClass.IN, record.rtype, record.rdata) for record in records]
