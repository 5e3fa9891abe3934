"""What is asked of OCI DNS, and what is written there. A dry run gets the Reader, which has no way to write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.providers.oci_cloud.client import Ask, Reply, ZoneReader
from failoverd.providers.oci_dns.change import Operation
from failoverd.providers.oci_dns.records import Record

PAGE: Final = 100
"""Records in one page. OCI names no maximum, and is free to give fewer."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some records. `etag` names the zone's version that they are of; `total` is how many match in all."""

    records: tuple[Record, ...]
    etag: str
    following: str | None
    total: int

    @classmethod
    def of(cls, reply: Reply) -> "Page":
        records = tuple(Record.of(item) for item in reply.data["items"])
        return cls(records, reply.etag, reply.following, len(records) if reply.total is None else reply.total)


@dataclass(frozen=True, slots=True)
class Search:
    """Which records of a zone: those of one domain, those whose domain contains a text, or else all of them."""

    domain: str | None = None
    containing: str | None = None


class Reader(ZoneReader):
    """What may be asked."""

    def page(self, zone: str, search: Search, page: str | None) -> Page:
        """Records of a zone (GetZoneRecords), of its newest version. `page` is None for the first."""
        options = {"limit": PAGE, "page": page, "domain": search.domain, "domain_contains": search.containing}
        return self._in_zone(zone, "read records", Ask("get_zone_records", (zone,), options), Page.of)


class Writer(Reader):
    """A reader that may write, too."""

    def patch(self, zone: str, operations: Sequence[Operation]) -> None:
        """Do all of these operations or none (PatchZoneRecords)."""
        items = {"items": [dict(operation) for operation in operations]}
        self._in_zone(zone, "change records", Ask("patch_zone_records", (zone, items), writes=True), _nothing)


def _nothing(_: Reply) -> None:
    """The answer holds the zone's records, which the caller reads back by itself."""
