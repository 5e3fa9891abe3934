"""Answers to record sets of Azure DNS and back, so that what is read equals what was written; and the fence.

The ETag of a record set changes with everything in it, its metadata included. So the marker stands in the metadata:
the write that replaces the answers replaces the marker too, if the ETag is still the one that the plan was made from.
What others keep in the metadata goes along unchanged; which that was is in the observation's token, beside the ETag.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dns.rdata
from dns.rdataclass import RdataClass

from failoverd.core.control.plan import Plan
from failoverd.core.records import Marker, Observed, RecordSet, RecordType, Target
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.shared.refusals import stale

API_VERSION: Final = "2018-05-01"
MARKER_KEY: Final = "failoverd"
_NO_ALIAS: Final = "give the record set addresses of its own in place of the alias, or take it out of the policy"
MAX_ANSWERS: Final = 20
"""Records in one record set ("Azure subscription and service limits", Azure DNS limits)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One record set as Azure DNS holds it.

    Attributes:
        name: relative to the zone; `@` for the zone's own name.
        type: the record type, whether failoverd manages it or not.
        texts: each record in presentation format (RFC 1035, 5.1); empty for types that are not managed.
        alias: the resource whose address it answers with instead of records of its own.
    """

    name: str
    type: str
    etag: str
    ttl: int
    metadata: Mapping[str, str]
    texts: tuple[str, ...] = ()
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One conditional write: the whole record set, if its ETag is still `etag`; where that is empty, if none exists."""

    zone: str
    name: str
    type: RecordType
    etag: str
    ttl: int
    metadata: Mapping[str, str]
    records: tuple[dns.rdata.Rdata, ...]

    @property
    def conditions(self) -> dict[str, str]:
        """As headers of the request (RFC 9110, 13.1)."""
        return {"If-Match": self.etag} if self.etag else {"If-None-Match": "*"}

    @property
    def body(self) -> dict[str, Any]:
        """As the API takes it (RecordSet)."""
        records = [_json(record) for record in self.records]
        said = {"CNAMERecord": records[0]} if self.type is RecordType.CNAME else {f"{self.type}Records": records}
        return {"properties": {"TTL": self.ttl, "metadata": dict(self.metadata), **said}}


def relative(name: str, zone: str) -> str:
    """The name as Azure DNS says it inside of a zone."""
    return "@" if name == zone else name.removesuffix(f".{zone}")


def observe(target: Target, at_name: Iterable[Stored]) -> Observed:
    """What the record sets at the target's name mean for it."""
    standing = {stored.type: stored for stored in at_name}
    ours = standing.pop(target.key.type.value, None)
    excluding = standing if target.key.type is RecordType.CNAME else standing.keys() & {"CNAME"}
    if ours is None:
        return Observed(target, None, foreign=tuple(sorted(excluding)))
    if ours.alias:
        alias = f"{ours.type} (an alias of {ours.alias})"
        return Observed(target, None, foreign=(alias, *sorted(excluding)), cure=_NO_ALIAS)
    text = ours.metadata.get(MARKER_KEY)
    marker = Marker.parse(text) if text is not None else None
    return Observed(target, _records(target, ours), marker, text, tuple(sorted(excluding)), _token(ours))


def change_of(plan: Plan) -> Change:
    """What replaces the answers and the marker.

    Raises:
        Permanent: it would publish nothing, or something that DNS cannot say.
        Fenced: the plan does not know which version it was made from, so nothing could refuse it.
    """
    key = plan.target.key
    records = rdata.encode(plan.after)
    etag, metadata = _version(plan)
    if plan.marker_text is not None:
        metadata[MARKER_KEY] = plan.marker_text
    name = relative(key.name, plan.target.zone)
    return Change(plan.target.zone, name, key.type, etag, plan.after.ttl, metadata, records)


def unconditional(plan: Plan) -> Change:
    """The same for a person who replaces whatever stands there by then."""
    key, name = plan.target.key, relative(plan.target.key.name, plan.target.zone)
    metadata = {MARKER_KEY: plan.marker_text} if plan.marker_text is not None else {}
    return Change(plan.target.zone, name, key.type, "", plan.after.ttl, metadata, rdata.encode(plan.after))


def _version(plan: Plan) -> tuple[str, dict[str, str]]:
    """The ETag, and what others keep in the metadata. Nothing of either where there is no record set yet."""
    before = plan.before
    if before.token:
        version = json.loads(before.token)
        return version["etag"], version["metadata"]
    if before.records is not None or before.marker_text is not None:
        raise stale(
            f"the plan for {plan.target} does not say which version of the record set it replaces; nothing was sent"
        )
    return "", {}


def _token(stored: Stored) -> str:
    others = {key: value for key, value in stored.metadata.items() if key != MARKER_KEY}
    return json.dumps({"etag": stored.etag, "metadata": others}, sort_keys=True)


def _records(target: Target, stored: Stored) -> RecordSet | None:
    """A record set may exist and hold no record: that answers nothing, like none."""
    if not stored.texts:
        return None
    parsed = [dns.rdata.from_text(RdataClass.IN, stored.type, text) for text in stored.texts]
    return rdata.decode(target.key, stored.ttl, parsed)


def _json(record: dns.rdata.Rdata) -> dict[str, Any]:
    """One record as the API takes it."""
    words = record.to_text().split()
    match RecordType(record.rdtype.name):
        case RecordType.A:
            return {"ipv4Address": words[0]}
        case RecordType.AAAA:
            return {"ipv6Address": words[0]}
        case RecordType.CNAME:
            return {"cname": words[0].removesuffix(".")}
        case RecordType.SRV:
            priority, weight, port = map(int, words[:3])
            return {"priority": priority, "weight": weight, "port": port, "target": words[3].removesuffix(".")}
