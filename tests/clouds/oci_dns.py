"""OCI DNS, API 20180115: zones, and the records of a zone, of a domain and of one record set.

Source: the DNS API reference, "Zones", "Records" and "RRSet".
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clouds.oci_operations import operation_of, outcome
from clouds.oci_records import Record, domain_of, record_of, shown, type_of
from clouds.oci_rest import (
    Ask,
    Json,
    Reply,
    check_conditions,
    invalid,
    items,
    know,
    missing,
    not_found,
    only,
    page,
    unchanged,
)
from clouds.oci_zones import Zone

PLACE = frozenset({"scope", "viewId", "compartmentId"})
PAGING = frozenset({"limit", "page", "sortBy", "sortOrder"})
SCOPES = frozenset({"GLOBAL", "PRIVATE"})
FULL = ("domain", "rtype", "rdata", "ttl")


@dataclass
class Dns:
    """The zones of a tenancy. `max_items`: how many items one request may carry (None: no limit is documented)."""

    zones: dict[str, Zone] = field(default_factory=dict)  # by OCID
    max_items: int | None = None
    unmet: tuple[int, str] = (412, "PreconditionFailed")

    def zone(self, name_or_id: str, query: Json | None = None) -> Zone:
        """The zone by its OCID or its name; a private one by its name only together with its view."""
        said = query or {}
        scope, view = said.get("scope"), said.get("viewId")
        if scope is not None and scope not in SCOPES:
            raise invalid(f"scope must be GLOBAL or PRIVATE, not {scope!r}")
        if name_or_id in self.zones:
            found: Zone | None = self.zones[name_or_id]
        elif name_or_id.startswith("ocid1."):
            found = None
        else:
            if scope == "PRIVATE" and view is None:
                raise missing("viewId")
            key = (domain_of(name_or_id), scope or "GLOBAL", view)
            found = next((zone for zone in self.zones.values() if (zone.name, zone.scope, zone.view) == key), None)
        if found is None or scope not in {None, found.scope}:
            raise not_found()
        return found

    def list_zones(self, ask: Ask) -> Reply:
        know(ask.query, PLACE | PAGING | {"name", "nameContains", "zoneType", "lifecycleState"})
        compartment = ask.query.get("compartmentId")
        if compartment is None:
            raise missing("compartmentId")
        wanted, part = ask.query.get("name"), ask.query.get("nameContains", "")
        found = [
            zone.shown()
            for zone in sorted(self.zones.values(), key=lambda zone: zone.name)
            if zone.compartment == compartment
            and zone.scope == ask.query.get("scope", "GLOBAL")
            and (wanted is None or zone.name == domain_of(wanted))
            and part.lower() in zone.name
        ]
        return Reply(200, *page(found, ask.query))

    def get_zone(self, ask: Ask) -> Reply:
        know(ask.query, PLACE)
        zone = self.zone(ask.names[0], dict(ask.query))
        servers = [{"hostname": record.rdata} for record in zone.matching(zone.name, "NS")]
        body = zone.shown() | {"nameservers": servers, "externalMasters": [], "externalDownstreams": []}
        return Reply(200, body, {"etag": f'"{zone.version}{zone.id[-12:]}--zone"'})

    def get_records(self, ask: Ask) -> Reply:
        zone, domain, rtype = self._target(ask, PAGING | {"domain", "domainContains", "rtype"})
        etag = zone.etag(domain, rtype)
        if unchanged(ask, etag, zone.current(domain, rtype)[1]):
            return Reply(304, headers={"etag": etag or ""})
        return _collection(zone, domain, rtype, ask)

    def patch_records(self, ask: Ask) -> Reply:
        zone, domain, rtype = self._target(ask)
        operations = [operation_of(item, domain, rtype) for item in self._items(ask)]
        self._check(ask, zone, domain, rtype)
        return self._commit(ask, zone, outcome(zone, operations, self.unmet))

    def put_records(self, ask: Ask) -> Reply:
        """Replace all records of the target; protected ones stay, whether they are named or not."""
        zone, domain, rtype = self._target(ask)
        new = [_full(item, domain, rtype) for item in self._items(ask)]
        self._check(ask, zone, domain, rtype)
        old = zone.matching(domain, rtype)
        kept = [record for record in zone.records if record.protected or record not in old]
        protected = {(record.key, record.rdata) for record in kept if record.protected}
        fresh = [record for record in new if (record.key, record.rdata) not in protected and record.rtype != "SOA"]
        records = list(dict.fromkeys([*kept, *fresh]))
        zone.check(records)
        return self._commit(ask, zone, records)

    def delete_records(self, ask: Ask) -> Reply:
        zone, domain, rtype = self._target(ask)
        self._check(ask, zone, domain, rtype)
        if any(record.protected for record in zone.matching(domain, rtype)):
            raise invalid("a protected record cannot be removed")
        gone = set(zone.matching(domain, rtype))
        zone.commit([record for record in zone.records if record not in gone], ask.now)
        return Reply(204)

    def _target(self, ask: Ask, also: frozenset[str] = frozenset()) -> tuple[Zone, str | None, str | None]:
        know(ask.query, PLACE | also)
        zone = self.zone(ask.names[0], dict(ask.query))
        domain = domain_of(ask.names[1]) if len(ask.names) > 1 else None
        rtype = type_of(ask.names[2]) if len(ask.names) > 2 else None
        if domain is not None and not zone.holds(domain):
            raise invalid(f"{domain} is not in zone {zone.name}")
        return zone, domain, rtype

    def _items(self, ask: Ask) -> list[object]:
        found = items(ask.details({"items"}))
        if self.max_items is not None and len(found) > self.max_items:
            raise invalid(f"a request carries at most {self.max_items} items")
        return found

    def _check(self, ask: Ask, zone: Zone, domain: str | None, rtype: str | None) -> None:
        check_conditions(ask, zone.etag(domain, rtype), zone.current(domain, rtype)[1])

    def _commit(self, ask: Ask, zone: Zone, records: list[Record]) -> Reply:
        zone.commit(records, ask.now)
        _, domain, rtype = self._target(ask)
        return _collection(zone, domain, rtype, ask)


def _full(item: object, domain: str | None, rtype: str | None) -> Record:
    said = only(item, {*FULL, "recordHash", "isProtected", "rrsetVersion"})
    for name in FULL:
        if name not in said:
            raise missing(name)
    record = record_of(said)
    if domain not in {None, record.domain} or rtype not in {None, record.rtype}:
        raise invalid(f"{record.domain} {record.rtype} is not what the path names")
    return record


def _collection(zone: Zone, domain: str | None, rtype: str | None, ask: Ask) -> Reply:
    found = [record for record in zone.matching(domain, rtype) if _wanted(record, ask)]
    found.sort(key=_order(ask, "domain" if domain is None else "rtype"), reverse=ask.query.get("sortOrder") == "DESC")
    some, headers = page(found, ask.query)
    etag = zone.etag(domain, rtype)
    if etag is not None:
        headers["etag"] = etag
    return Reply(200, {"items": [shown(record, zone.versions[record.key]) for record in some]}, headers)


def _wanted(record: Record, ask: Ask) -> bool:
    domain, rtype = ask.query.get("domain"), ask.query.get("rtype")
    return (
        (domain is None or record.domain == domain_of(domain))
        and ask.query.get("domainContains", "").lower() in record.domain
        and (rtype is None or record.rtype == rtype.upper())
    )


def _order(ask: Ask, default: str) -> Callable[[Record], tuple[Any, str, str, str]]:
    by = ask.query.get("sortBy", default)
    if by not in {"domain", "rtype", "ttl"}:
        raise invalid(f"records are not sorted by {by!r}")

    def key(record: Record) -> tuple[Any, str, str, str]:
        first = {"domain": record.domain, "rtype": record.rtype, "ttl": record.ttl}[by]
        return first, record.domain, record.rtype, record.rdata

    return key
