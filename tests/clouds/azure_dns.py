"""Azure DNS (API 2018-05-01): zones and record sets, with the ETag of each as the condition of its next write.

A record set is one name and type; its metadata is kept and returned. A set may be empty, and is not served then. What
no document says is decided here, and strictly: a conditional DELETE of a set that is not there is 412, not 204.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from clouds.azure_records import (
    ALIASES,
    MAX_RECORDS,
    MAX_TTL,
    TYPES,
    bad,
    checked,
    parsed,
    records_of,
    with_records,
    words,
)
from clouds.azure_rest import NAMESPACE, ArmError, Ask, Json, Reply, check_conditions, new_etag, page, strings, whole

API_VERSION = "2018-05-01"
PAGE = 100
NAME_SERVERS = ["ns1-01.azure-dns.com.", "ns2-01.azure-dns.net.", "ns3-01.azure-dns.org.", "ns4-01.azure-dns.info."]
MERGED = {"metadata", "TTL", "targetResource", *TYPES.values()}


@dataclass
class RecordSet:
    """`properties`: what the API shows of it, without what follows from its name."""

    name: str
    rtype: str
    properties: Json
    etag: str = field(default_factory=new_etag)

    @property
    def records(self) -> list[Json]:
        return records_of(self.rtype, self.properties)

    @property
    def ttl(self) -> int:
        return int(self.properties["TTL"])

    @property
    def metadata(self) -> dict[str, str]:
        return dict(self.properties.get("metadata", {}))

    @property
    def key(self) -> tuple[str, str]:
        return self.name.lower(), self.rtype


@dataclass
class Zone:
    """A zone, and its record sets by relative name (lower-case, `@` for the zone's own) and type."""

    name: str
    subscription: str
    group: str
    tags: dict[str, str] = field(default_factory=dict)
    etag: str = field(default_factory=new_etag)
    sets: dict[tuple[str, str], RecordSet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        soa = f"{NAME_SERVERS[0]} azuredns-hostmaster.microsoft.com 1 3600 300 2419200 300"
        self._put("@", "SOA", 3_600, [parsed("SOA", soa)])
        self._put("@", "NS", 172_800, [parsed("NS", server) for server in NAME_SERVERS])

    @property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{NAMESPACE}/dnsZones/{self.name}"
        )

    def relative(self, name: str) -> str:
        """The relative name of an absolute one, `@` for the zone itself."""
        absolute = name.rstrip(".").lower()
        return "@" if absolute == self.name.lower() else absolute.removesuffix(f".{self.name.lower()}")

    def holds(self, name: str) -> bool:
        return f".{name.rstrip('.').lower()}".endswith(f".{self.name.lower()}")

    def edit(self, line: str) -> None:
        """Do "add NAME TTL TYPE RDATA" or "delete NAME [TYPE [RDATA]]"; an added record brings its TTL to its set."""
        verb, name, *rest = line.split(maxsplit=4 if line.startswith("add ") else 3)
        relative = self.relative(name)
        match verb, rest:
            case "add", [ttl, rtype, rdata]:
                there = self.sets.get((relative, rtype))
                records = [] if there is None or rtype == "CNAME" else there.records
                record = parsed(rtype, rdata)
                self._put(relative, rtype, int(ttl), [*records, *([record] if record not in records else [])])
            case "delete", []:
                for key in [key for key in self.sets if key[0] == relative and not _permanent(key)]:
                    del self.sets[key]
            case "delete", [rtype]:
                self.sets.pop((relative, rtype), None)
            case "delete", [rtype, rdata]:
                self._without(relative, rtype, parsed(rtype, rdata))
            case _:
                raise ValueError(f"no edit: {line!r}")

    def _put(self, name: str, rtype: str, ttl: int, records: list[Json]) -> None:
        there = self.sets.get((name, rtype))
        kept = {"metadata": there.metadata} if there is not None and there.metadata else {}
        self.sets[name, rtype] = RecordSet(name, rtype, {**kept, "TTL": ttl, **with_records(rtype, records)})

    def _without(self, name: str, rtype: str, record: Json) -> None:
        there = self.sets.get((name, rtype))
        if there is None or record not in there.records:
            return
        left = [each for each in there.records if each != record]
        if left:
            self._put(name, rtype, there.ttl, left)
        else:
            del self.sets[name, rtype]


class Dns:
    """The zones of a subscription, by resource group and name in lower case."""

    def __init__(self) -> None:
        self.zones: dict[tuple[str, str], Zone] = {}

    def add(self, zone: Zone) -> None:
        self.zones[zone.group.lower(), zone.name.lower()] = zone

    def answer(self, ask: Ask) -> Reply:
        match ask.kind:
            case "GET", 1, 0:
                return self._list_zones(ask)
            case "GET", 1, 1:
                return Reply(200, shown_zone(self._zone(ask)))
            case "PUT" | "PATCH" | "DELETE", 1, 1:
                return self._write_zone(ask)
            case "GET", 2, 1:
                return self._list_sets(ask)
            case "GET" | "PUT" | "PATCH" | "DELETE", 2, 2:
                return self._record_set(ask)
        raise ArmError(405, "MethodNotAllowed", f"{ask.method} is not supported here.")

    def _zone(self, ask: Ask) -> Zone:
        zone = self.zones.get(((ask.group or "").lower(), ask.names[0].lower()))
        if zone is not None:
            return zone
        resource = f"{NAMESPACE}/dnszones/{ask.names[0]}"
        if len(ask.types) == 1:
            message = f"The Resource '{resource}' under resource group '{ask.group}' was not found."
            raise ArmError(404, "ResourceNotFound", message)
        raise ArmError(404, "ParentResourceNotFound", f"The parent resource '{resource}' could not be found.")

    # Zones

    def _list_zones(self, ask: Ask) -> Reply:
        group = None if ask.group is None else ask.group.lower()
        zones = [zone for key, zone in sorted(self.zones.items()) if group in {None, key[0]}]
        return page(ask, [shown_zone(zone) for zone in zones], PAGE)

    def _write_zone(self, ask: Ask) -> Reply:
        key = ((ask.group or "").lower(), ask.names[0].lower())
        zone = self.zones.get(key)
        check_conditions(ask, None if zone is None else zone.etag)
        if ask.method == "DELETE":
            return Reply(204 if self.zones.pop(key, None) is None else 200)
        if zone is None and ask.method == "PATCH":
            zone = self._zone(ask)  # which says that there is none
        tags = strings(ask.content.get("tags") or {})
        if tags is None:
            raise bad("Tags must be strings.")
        if ask.method == "PUT" and str(ask.content.get("location", "")).lower() != "global":
            raise ArmError(400, "LocationNotAvailableForResourceType", "The location of a zone is 'global'.")
        status = 201 if zone is None else 200
        if zone is None:
            zone = Zone(ask.names[0], ask.subscription, ask.group or "")
            self.add(zone)
        zone.tags, zone.etag = tags, new_etag()
        return Reply(status, shown_zone(zone), {"etag": zone.etag})

    # Record sets

    def _list_sets(self, ask: Ask) -> Reply:
        zone, rtype = self._zone(ask), ask.types[1].upper()
        if rtype not in TYPES and ask.types[1] not in {"recordsets", "all"}:
            raise bad(f"The record type '{ask.types[1]}' is not valid.")
        suffix = ask.query.get("$recordsetnamesuffix", "").lower()
        found = [
            shown(zone, each)
            for key, each in sorted(zone.sets.items())
            if (rtype not in TYPES or each.rtype == rtype) and (not suffix or f".{key[0]}".endswith(f".{suffix}"))
        ]
        return page(ask, found, PAGE)

    def _record_set(self, ask: Ask) -> Reply:
        zone, rtype = self._zone(ask), ask.types[1].upper()
        if rtype not in TYPES:
            raise bad(f"The record type '{ask.types[1]}' is not valid.")
        there = zone.sets.get((ask.names[1].lower(), rtype))
        if ask.method == "GET":
            return _answered(200, zone, _found(ask, there))
        check_conditions(ask, None if there is None else there.etag)
        if ask.method == "DELETE":
            return _deleted(zone, there)
        if ask.method == "PATCH":
            there = _found(ask, there)
        given = _properties(ask)
        merged = there.properties | given if there is not None and ask.method == "PATCH" else given
        new = RecordSet(ask.names[1] if there is None else there.name, rtype, _valid(rtype, merged))
        _check_place(zone, new)
        zone.sets[new.key] = new
        return _answered(201 if there is None else 200, zone, new)


def shown_zone(zone: Zone) -> Json:
    """A zone as the API shows it."""
    return {
        "id": zone.id,
        "name": zone.name,
        "type": f"{NAMESPACE}/dnszones",
        "etag": zone.etag,
        "location": "global",
        "tags": dict(zone.tags),
        "properties": {
            "maxNumberOfRecordSets": 10_000,
            "maxNumberOfRecordsPerRecordSet": MAX_RECORDS,
            "numberOfRecordSets": len(zone.sets),
            "nameServers": list(NAME_SERVERS),
            "zoneType": "Public",
        },
    }


def shown(zone: Zone, each: RecordSet) -> Json:
    """A record set as the API shows it; its name is relative, its fqdn ends with a dot."""
    fqdn = f"{zone.name}." if each.name == "@" else f"{each.name}.{zone.name}."
    return {
        "id": f"{zone.id}/{each.rtype}/{each.name}",
        "name": each.name,
        "type": f"{NAMESPACE}/dnszones/{each.rtype}",
        "etag": each.etag,
        "properties": {**each.properties, "fqdn": fqdn, "provisioningState": "Succeeded"},
    }


def spoken(zone: Zone, sets: Iterable[RecordSet]) -> list[str]:
    """The records as a zone file has them: "api.example.test. 30 A 192.0.2.1"."""
    lines = [
        f"{shown(zone, each)['properties']['fqdn']} {each.ttl} {each.rtype} {words(each.rtype, record)}"
        for each in sets
        for record in each.records
    ]
    return sorted(lines)


def _answered(status: int, zone: Zone, each: RecordSet) -> Reply:
    return Reply(status, shown(zone, each), {"etag": each.etag})


def _found(ask: Ask, there: RecordSet | None) -> RecordSet:
    if there is None:
        message = f"The resource record '{ask.names[1]}' does not exist in resource group '{ask.group}'."
        raise ArmError(404, "NotFound", message, bare=True)
    return there


def _deleted(zone: Zone, there: RecordSet | None) -> Reply:
    if there is None:
        return Reply(204)
    if _permanent(there.key):
        raise bad(f"The {there.rtype} record set of the zone itself cannot be deleted.")
    del zone.sets[there.key]
    return Reply(200)


def _properties(ask: Ask) -> Json:
    given = ask.content.get("properties")
    if not isinstance(given, dict):
        raise bad("The properties of the record set are missing.")
    return {name: value for name, value in given.items() if name in MERGED and value is not None}


def _valid(rtype: str, properties: Json) -> Json:
    ttl = whole(properties.get("TTL"), 1, MAX_TTL)
    if ttl is None:
        raise bad(f"The TTL must be between 1 and {MAX_TTL}, and is {properties.get('TTL')!r}.")
    metadata = strings(properties.get("metadata") or {})
    if metadata is None:
        raise bad("Metadata must map strings to strings.")
    foreign = [name for name in TYPES.values() if name != TYPES[rtype] and properties.get(name)]
    if foreign:
        raise bad(f"'{foreign[0]}' does not belong into a record set of type {rtype}.")
    records = checked(rtype, records_of(rtype, properties))
    return {**({"metadata": metadata} if metadata else {}), "TTL": ttl, **_content(rtype, properties, records)}


def _content(rtype: str, properties: Json, records: list[Json]) -> Json:
    target = (properties.get("targetResource") or {}).get("id")
    if target is None:
        return with_records(rtype, records)
    if records or rtype not in ALIASES:
        raise bad("A record set that points to a resource is of type A, AAAA or CNAME and has no records of its own.")
    return {"targetResource": {"id": target}}


def _check_place(zone: Zone, new: RecordSet) -> None:
    """Raise when the set cannot stand at its name: the rules of SOA and CNAME."""
    here = {key[1] for key in zone.sets if key[0] == new.key[0]} - {new.rtype}
    if new.rtype == "SOA" and new.name != "@":
        raise bad("A zone has one SOA record set, at its own name.")
    if new.rtype == "CNAME" and new.name == "@":
        raise bad("A CNAME record set cannot stand at the zone's own name.")
    if (new.rtype == "CNAME" and here) or "CNAME" in here:
        message = f"The {new.rtype} record set could not be written: a CNAME stands alone at its name, '{new.name}'."
        raise ArmError(409, "Conflict", message, bare=True)


def _permanent(key: tuple[str, str]) -> bool:
    return key[0] == "@" and key[1] in {"SOA", "NS"}
