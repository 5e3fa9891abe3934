"""The hosted zones of an account, and what a test does to them by hand, past the API and every rule of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clouds.route53_names import normal, within
from clouds.route53_records import Key, RecordSet, from_words, options


@dataclass
class Zone:
    """A hosted zone: plain data. `records` is replaced as a whole, never changed."""

    zone_id: str
    name: str
    records: dict[Key, RecordSet] = field(default_factory=dict)
    protected: dict[tuple[str, str], str] = field(default_factory=dict)
    private: bool = False
    busy_until: float = 0.0

    def sorted(self) -> list[RecordSet]:
        """The record sets in the order of the listing."""
        return sorted(self.records.values(), key=lambda record: record.key)


class Zones:
    """Zones by id. A new one has its NS and SOA records, as the real ones have."""

    def __init__(self, zones: Mapping[str, str]) -> None:
        self.zones = {zone_id: _new_zone(zone_id, normal(name)) for zone_id, name in zones.items()}

    def edit(self, words: str) -> None:
        """Change the zone by hand, past every rule of the API.

        `add api.example.test. 30 A 192.0.2.1, 192.0.2.2` puts a set in place of the one with its name, type and id;
        `add api.example.test. 30 A 192.0.2.1 weight=70 id=azure` a weighted one;
        `add api.example.test. ALIAS A ZONE-ID TARGET weight=70 id=aws` an alias;
        `delete api.example.test. A` deletes all sets of the name and type, with `id=azure` that one.
        """
        verb, rest = words.split(None, 1)
        if verb == "add":
            record = from_words(rest)
            zone = self._zone_of(record.name)
            zone.records = {**zone.records, record.key: record}
            return
        line, said = options(rest)
        if verb != "delete" or set(said) - {"id"}:
            raise ValueError(f"{words!r}: add NAME TTL TYPE VALUES, or delete NAME TYPE [id=ID]")
        name, rtype = line.split()
        gone = {each.key for each in self.lookup(name, rtype) if said.get("id") in {None, each.identifier}}
        if not gone:
            raise ValueError(f"{words!r}: no such record set")
        zone = self._zone_of(normal(name))
        zone.records = {key: record for key, record in zone.records.items() if key not in gone}

    def protect(self, name: str, rtype: str, comment: str = "") -> None:
        """Refuse every change of this name and type, as a resource record set protection does."""
        self._zone_of(normal(name)).protected[(normal(name), rtype)] = comment

    def lookup(self, name: str, rtype: str) -> list[RecordSet]:
        """The record sets of this name and type, in the order of the listing."""
        return [
            each for each in self._zone_of(normal(name)).sorted() if (each.name, each.rtype) == (normal(name), rtype)
        ]

    def lines(self, name: str | None = None) -> list[str]:
        """The records of that name, or of all zones without their NS and SOA, as `edit` takes them."""
        everything = [record for zone in list(self.zones.values()) for record in zone.sorted()]
        if name is not None:
            return [str(record) for record in everything if record.name == normal(name)]
        return [str(record) for record in everything if record.rtype not in {"NS", "SOA"}]

    def _zone_of(self, name: str) -> Zone:
        zones = [zone for zone in self.zones.values() if within(name, zone.name)]
        if not zones:
            raise ValueError(f"no zone holds {name}")
        return max(zones, key=lambda zone: len(zone.name))


def _new_zone(zone_id: str, name: str) -> Zone:
    servers = tuple(f"ns-{number}.awsdns-00.example." for number in (1, 2, 3, 4))
    start = f"{servers[0]} awsdns-hostmaster.example. 1 7200 900 1209600 86400"
    apex = (RecordSet(name, "NS", 172_800, servers), RecordSet(name, "SOA", 900, (start,)))
    return Zone(zone_id, name, {record.key: record for record in apex})
