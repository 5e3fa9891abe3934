"""What the items of a PATCH mean: REQUIRE, PROHIBIT, ADD, REMOVE.

Source: the model RecordOperation of the DNS API. An item describes records by some of their fields, read-only ones
too; it concerns every record that agrees with all of them. Preconditions look at the zone as it was before the
request. What ADD describes has to be there afterwards and what REMOVE describes has to be gone, so a request that asks
for both at once contradicts itself and is refused. Either all of it happens or nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clouds.oci_records import Record, domain_of, rdata_of, record_of, ttl_of, type_of
from clouds.oci_rest import Json, OciError, invalid, missing, only
from clouds.oci_zones import Book, Zone

FIELDS = frozenset(
    {"domain", "recordHash", "isProtected", "rdata", "rrsetVersion", "rtype", "ttl"},
)
OPERATIONS = frozenset({"REQUIRE", "PROHIBIT", "ADD", "REMOVE"})


@dataclass(frozen=True)
class Operation:
    """One item: what to do, and the fields, in normal form, that a record must have to be meant."""

    verb: str
    fields: Json

    def means(self, record: Record, zone: Zone) -> bool:
        has = {
            "domain": record.domain,
            "recordHash": record.hash,
            "isProtected": record.protected,
            "rdata": record.rdata,
            "rrsetVersion": str(zone.versions.get(record.key, 0)),
            "rtype": record.rtype,
            "ttl": record.ttl,
        }
        return all(has[name] == value for name, value in self.fields.items())


def operation_of(item: object, domain: str | None, rtype: str | None) -> Operation:
    """The item of a request to this domain and type (None: the path leaves it to the item)."""
    said = only(item, {*FIELDS, "operation"})
    verb = said.pop("operation", None)
    if verb not in OPERATIONS:
        raise invalid(f"operation must be one of {', '.join(sorted(OPERATIONS))}, not {verb!r}")
    fields = _normal(said)
    for name, wanted in (("domain", domain), ("rtype", rtype)):
        if wanted is not None and fields.setdefault(name, wanted) != wanted:
            raise invalid(f"{name} {fields[name]} is not the one of the path")
    if "domain" not in fields and "recordHash" not in fields:
        raise missing("domain")
    if "rdata" in fields:
        if "rtype" not in fields:
            raise missing("rtype")
        fields["rdata"] = rdata_of(fields["rtype"], fields["rdata"])
    return Operation(verb, fields)


def outcome(zone: Zone, operations: Sequence[Operation], unmet: tuple[int, str]) -> list[Record]:
    """The zone's records after these operations; `unmet`: status and code when a precondition does not hold."""
    book = zone.book()
    _check_preconditions(zone, book, operations, unmet)
    for operation in operations:
        if operation.verb == "REMOVE":
            _remove(zone, book, operation)
        elif operation.verb == "ADD":
            _add(book, operation)
    _check_consistent(zone, book, operations)
    records = [record for members in book.values() for record in members]
    zone.check(records)
    return records


def _meant(zone: Zone, book: Book, operation: Operation) -> list[Record]:
    """The records that an operation means; one that names a domain looks there only, so that long requests are fast."""
    domain = operation.fields.get("domain")
    names = book if domain is None else [domain]
    return [record for name in names for record in book.get(name, []) if operation.means(record, zone)]


def _normal(said: Json) -> Json:
    fields = dict(said)
    if "domain" in fields:
        fields["domain"] = domain_of(fields["domain"])
    if "rtype" in fields:
        fields["rtype"] = type_of(fields["rtype"])
    if "ttl" in fields:
        fields["ttl"] = ttl_of(fields["ttl"])
    return fields


def _check_preconditions(zone: Zone, book: Book, operations: Sequence[Operation], unmet: tuple[int, str]) -> None:
    status, code = unmet
    for operation in operations:
        if operation.verb == "REQUIRE" and not _meant(zone, book, operation):
            raise OciError(status, code, f"REQUIRE: no such record: {operation.fields}")
        if operation.verb == "PROHIBIT" and _meant(zone, book, operation):
            raise OciError(status, code, f"PROHIBIT: there is such a record: {operation.fields}")


def _remove(zone: Zone, book: Book, operation: Operation) -> None:
    for record in _meant(zone, book, operation):
        if record.protected:
            raise invalid("a protected record cannot be removed")
        book[record.domain].remove(record)


def _add(book: Book, operation: Operation) -> None:
    fields = operation.fields
    for name in ("domain", "rtype", "ttl"):
        if name not in fields:
            raise missing(name)
    if set(fields) - {"domain", "rtype", "ttl", "rdata", "isProtected"} or fields.get("isProtected"):
        raise invalid("ADD cannot give recordHash, rrsetVersion or protection: the service does")
    there = book.setdefault(fields["domain"], [])
    if "rdata" not in fields:
        book[fields["domain"]] = _with_ttl(there, fields)
        return
    new = record_of(fields)
    same = next((record for record in there if (record.key, record.rdata) == (new.key, new.rdata)), None)
    if (same is None and new.rtype == "SOA") or (same is not None and same.protected and same.ttl != new.ttl):
        raise invalid("a protected record cannot be changed")
    if same is None:
        there.append(new)
    else:
        there[there.index(same)] = replace(same, ttl=new.ttl)


def _with_ttl(there: Sequence[Record], fields: Json) -> list[Record]:
    """An ADD without rdata: a new TTL for the whole set."""
    members = [record for record in there if record.rtype == fields["rtype"]]
    if not members:
        raise missing("rdata")
    if any(record.protected for record in members):
        raise invalid("a protected record cannot be changed")
    return [replace(record, ttl=fields["ttl"]) if record in members else record for record in there]


def _check_consistent(zone: Zone, book: Book, operations: Sequence[Operation]) -> None:
    """Both promises at once: what was to be removed is not there, what was to be added is."""
    for operation in operations:
        if operation.verb not in {"ADD", "REMOVE"}:
            continue
        promised = Operation(operation.verb, {k: v for k, v in operation.fields.items() if k != "isProtected"})
        if bool(_meant(zone, book, promised)) != (operation.verb == "ADD"):
            raise invalid(f"{operation.verb} contradicts another operation of the request: {operation.fields}")
