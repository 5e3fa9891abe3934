"""A zone's state: records in sets, and the version at which each set last differed.

The zone's version grows by one with each change, is never used twice, and is the serial of its SOA. It is what ETags
and `rrsetVersion` are made of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clouds.oci_records import Key, Record, domain_of
from clouds.oci_rest import Json, OciError, conflict, invalid, timestamp

NAME_SERVERS = tuple(f"ns{number}.p201.dns.oraclecloud.net." for number in range(1, 5))
Book = dict[str, list[Record]]  # a zone's records by domain, to be changed

BESIDE_CNAME = frozenset({"CNAME", "DNSKEY", "DS", "KEY"})


@dataclass
class Zone:
    """One zone. `limit`: how many records it holds at most; `view`: the OCID of a private zone's view."""

    name: str
    id: str
    compartment: str
    created: float
    scope: str = "GLOBAL"
    view: str | None = None
    limit: int = 25_000
    version: int = 1
    records: list[Record] = field(default_factory=list)
    versions: dict[Key, int] = field(default_factory=dict)
    times: dict[Key, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = domain_of(self.name)
        servers = [Record(self.name, "NS", server, 86_400, protected=True) for server in NAME_SERVERS]
        self.records = [*servers, self._soa(), *self.records]
        for record in self.records:
            self.versions[record.key] = self.version
            self.times[record.key] = self.created

    def holds(self, domain: str) -> bool:
        return domain == self.name or domain.endswith(f".{self.name}")

    def matching(self, domain: str | None = None, rtype: str | None = None) -> list[Record]:
        return [
            record
            for record in self.records
            if (domain is None or record.domain == domain) and (rtype is None or record.rtype == rtype)
        ]

    def book(self) -> Book:
        """A copy of the records, by domain."""
        book: Book = {}
        for record in self.records:
            book.setdefault(record.domain, []).append(record)
        return book

    def current(self, domain: str | None, rtype: str | None) -> tuple[int | None, float]:
        """The version of a part of the zone and when it came to be; no version when no record is there."""
        if not self.matching(domain, rtype):
            return None, 0.0
        keys = [key for key in self.versions if domain in {None, key[0]} and rtype in {None, key[1]}]
        return max(self.versions[key] for key in keys), max(self.times[key] for key in keys)

    def etag(self, domain: str | None, rtype: str | None) -> str | None:
        """The version with the name of the representation: a set's ETag says nothing about its zone."""
        version, _ = self.current(domain, rtype)
        kind = "rrset" if rtype is not None else "domain" if domain is not None else "zone-records"
        return None if version is None else f'"{version}{self.id[-12:]}--{kind}"'

    def check(self, records: Sequence[Record]) -> None:
        """Refuse what cannot stand in a zone together."""
        if len(records) > self.limit:
            raise OciError(400, "LimitExceeded", f"A zone holds at most {self.limit} records.")
        sets: dict[Key, list[Record]] = {}
        types: dict[str, set[str]] = {}
        for record in records:
            if not self.holds(record.domain):
                raise invalid(f"{record.domain} is not in zone {self.name}")
            sets.setdefault(record.key, []).append(record)
            types.setdefault(record.domain, set()).add(record.rtype)
        for (domain, rtype), members in sets.items():
            _check_set(domain, rtype, members, types[domain])

    def commit(self, records: Iterable[Record], now: float) -> bool:
        """Put these records in the place of the old ones; equal ones are no change and no new version."""
        new = sorted(set(records), key=lambda record: (record.domain, record.rtype, record.rdata))
        before, after = _by_set(self.records), _by_set(new)
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        if not changed:
            return False
        self.version += 1
        self.records = [self._soa() if record.rtype == "SOA" else record for record in new]
        for key in changed | {(self.name, "SOA")}:
            self.versions[key] = self.version
            self.times[key] = now
        return True

    def shown(self) -> Json:
        return {
            "name": self.name,
            "zoneType": "PRIMARY",
            "compartmentId": self.compartment,
            "viewId": self.view,
            "scope": self.scope,
            "freeformTags": {},
            "definedTags": {},
            "resolutionMode": "STATIC",
            "dnssecState": "DISABLED",
            "self": f"https://dns.example.test/20180115/zones/{self.id}",
            "id": self.id,
            "timeCreated": timestamp(self.created),
            "version": str(self.version),
            "serial": self.version,
            "lifecycleState": "ACTIVE",
            "isProtected": False,
        }

    def _soa(self) -> Record:
        rdata = f"{NAME_SERVERS[0]} hostmaster.{self.name}. {self.version} 3600 600 604800 1800"
        return Record(self.name, "SOA", rdata, 300, protected=True)


def _by_set(records: Iterable[Record]) -> dict[Key, frozenset[Record]]:
    sets: dict[Key, set[Record]] = {}
    for record in records:
        sets.setdefault(record.key, set()).add(record)
    return {key: frozenset(members) for key, members in sets.items()}


def _check_set(domain: str, rtype: str, members: Sequence[Record], types: set[str]) -> None:
    if len({member.ttl for member in members}) > 1:
        raise invalid(f"the records of {domain} {rtype} must share one TTL")
    if rtype == "CNAME" and len(members) > 1:
        raise invalid(f"{domain} can have only one CNAME record")
    if rtype == "CNAME" and not types <= BESIDE_CNAME:
        raise conflict(f"{domain} cannot have CNAME and other records at once")
