"""A plan as operations of one PATCH of the zone's records (PatchZoneRecords).

The fence is REQUIRE and PROHIBIT. OCI checks them against the zone as it is in the moment of the write, and does all of
a request or nothing. So a plan requires the marker and every record of the set as they were read, with the version of
their set, which is another one as soon as anybody adds, removes or edits a record of it; and what is to be created is
prohibited. Records that stay are neither removed nor added: OCI refuses a request that asks for both.

A TTL belongs to the whole set, and is changed by an ADD without rdata (the model RecordOperation).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dns.rdata

from failoverd.core.control.plan import Plan
from failoverd.core.records import Observed, RecordType, Target
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.oci_cloud.refusals import protected, refuse_foreign
from failoverd.providers.oci_dns.records import Record, Token
from failoverd.providers.shared import sets

Operation = Mapping[str, Any]
"""A RecordOperation, member by member as the API takes it."""


@dataclass(frozen=True)
class Change:
    """One plan's part of a request. A marker can be replaced once in a request, so that its name is."""

    target: Target
    operations: tuple[Operation, ...]

    @property
    def marker_name(self) -> str:
        return self.target.key.marker_name


def change_of(plan: Plan) -> Change:
    """Raises Permanent when the plan would publish nothing or what DNS cannot say, or touch what is not ours."""
    sets.serving(plan.after)
    refuse_foreign(plan)
    rdata.absolute(plan.target.key.marker_name)
    token = _standing(plan.before)
    if any(record.protected for record in (*token.records, *token.markers)):
        raise protected(f"OCI protects records of {plan.target.key} or of its marker, and they were to be replaced")
    changes = [*_required(plan, token), *_marker(plan, token)]
    if plan.before.records != plan.after:
        changes += _records(plan, token)
    return Change(plan.target, tuple(changes))


def fitting(changes: Sequence[Change], most: int) -> int:
    """How many, from the front, fit into one request of so many operations."""
    operations = 0
    names: set[str] = set()
    for count, change in enumerate(changes):
        operations += len(change.operations)
        if operations > most or change.marker_name in names:
            return count
        names.add(change.marker_name)
    return len(changes)


def _standing(before: Observed) -> Token:
    """What has to be there still.

    Without a token it is as failoverd writes it: a plan that undoes another is made before that was even read.
    """
    if before.token:
        return Token.parse(before.token)
    key = before.target.key
    parsed = rdata.encode(before.records) if before.records is not None and before.records.answers else ()
    ttl = before.records.ttl if before.records is not None else 0
    records = tuple(Record(key.name, key.type.value, each.to_text(), ttl, "") for each in parsed)
    if before.marker_text is None:
        return Token(records, ())
    marker = rdata.marker_rdata(before.marker_text).to_text()
    return Token(records, (Record(key.marker_name, "TXT", marker, rdata.MARKER_TTL, ""),))


def _required(plan: Plan, token: Token) -> Iterator[Operation]:
    key = plan.target.key
    for record in (*token.markers, *token.records):
        version = {"rrsetVersion": record.version} if record.version else {}
        yield {"operation": "REQUIRE", **_exactly(record), "ttl": record.ttl, **version}
    if not token.markers:
        yield {"operation": "PROHIBIT", "domain": key.marker_name, "rtype": "TXT"}
    if token.records:
        return
    if key.type is RecordType.CNAME:
        yield {"operation": "PROHIBIT", "domain": key.name}  # it tolerates nothing beside it (RFC 1034, 3.6.2)
        return
    for kind in (key.type.value, "CNAME"):
        yield {"operation": "PROHIBIT", "domain": key.name, "rtype": kind}


def _marker(plan: Plan, token: Token) -> Iterator[Operation]:
    for record in token.markers:
        yield {"operation": "REMOVE", **_exactly(record)}
    if plan.marker_text is not None:
        text = rdata.marker_rdata(plan.marker_text).to_text()
        yield _added(plan.target.key.marker_name, "TXT", rdata.MARKER_TTL, text)


def _records(plan: Plan, token: Token) -> Iterator[Operation]:
    key, ttl = plan.target.key, plan.after.ttl
    wanted = rdata.encode(plan.after)
    there = {record: _rdata(record) for record in token.records}
    kept = [record for record, parsed in there.items() if parsed in wanted]
    for record in token.records:
        if record not in kept:
            yield {"operation": "REMOVE", **_exactly(record)}
    if any(record.ttl != ttl for record in kept):
        yield {"operation": "ADD", "domain": key.name, "rtype": key.type.value, "ttl": ttl}
    known = {there[record] for record in kept}
    for parsed in wanted:
        if parsed not in known:
            yield _added(key.name, key.type.value, ttl, parsed.to_text())


def _exactly(record: Record) -> Operation:
    return {"domain": record.domain, "rtype": record.rtype, "rdata": record.rdata}


def _added(domain: str, rtype: str, ttl: int, text: str) -> Operation:
    return {"operation": "ADD", "domain": domain, "rtype": rtype, "ttl": ttl, "rdata": text}


def _rdata(record: Record) -> dns.rdata.Rdata:
    return dns.rdata.from_text("IN", record.rtype, record.rdata)
