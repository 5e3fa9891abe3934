"""The only place that calls the SDK of Azure DNS. Its calls block, so they run in the account's threads."""

from collections.abc import Sequence
from typing import Any, Final

from azure.core.exceptions import ResourceNotFoundError
from azure.core.paging import PageIterator
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.dns.models import RecordSet as SdkRecordSet

from failoverd.providers.azure.errors import ABSENT, Call, code_of
from failoverd.providers.azure.scope import GroupScope
from failoverd.providers.azure.session import SdkSession
from failoverd.providers.azure.settings import AzureSettings
from failoverd.providers.azure_dns.records import API_VERSION, Change, Stored

PAGE: Final = 100
"""Record sets in one page of a listing, unless fewer are asked for (API document, `$top`)."""

_NO_ANSWER = frozenset({"ParentResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound", ""})
"""Codes of a 404 that say nothing of the record set: what it is in is not there, or it was not Azure that answered."""

Connection = SdkSession[DnsManagementClient]
Page = tuple[Sequence[Stored], str | None]
"""Record sets, and where the next page begins; None after the last."""


def connection(settings: AzureSettings) -> Connection:
    return SdkSession(settings, _connect)


class Reader:
    """Reads record sets."""

    def __init__(self, connection: Connection, scope: GroupScope) -> None:
        self._connection = connection
        self._scope = scope

    def get(self, zone: str, name: str, record_type: str) -> Stored | None:
        """One record set, or None when its zone has none of that name and type."""
        with self._connection.calling(self.reading(zone)) as client:
            try:
                return _stored(client.record_sets.get(self._scope.resource_group, zone, name, record_type))
            except ResourceNotFoundError as error:
                if code_of(error) in _NO_ANSWER:
                    raise
                if code_of(error) != ABSENT:  # its words may mean either: the zone itself knows
                    client.zones.get(self._scope.resource_group, zone)
                return None

    def page(self, zone: str, start: str | None) -> Page:
        """One page of all record sets of the zone."""
        with self._connection.calling(self.reading(zone)) as client:
            listing = client.record_sets.list_by_dns_zone(self._scope.resource_group, zone)
            pages = listing.by_page(continuation_token=start)
            found = [_stored(each) for each in next(pages, ())]
            return found, pages.continuation_token if isinstance(pages, PageIterator) else None

    def size(self, zone: str) -> int:
        """How many record sets the zone has."""
        with self._connection.calling(self.reading(zone)) as client:
            return int(client.zones.get(self._scope.resource_group, zone).number_of_record_sets or 0)

    def reading(self, zone: str) -> Call:
        """What a failure to read the zone tells of."""
        return Call(f"read zone {zone} in {self._scope}", "azure_dns")


class Writer(Reader):
    """Also replaces record sets. A dry run holds a `Reader`, which has no way to."""

    def put(self, change: Change) -> None:
        """Send it once."""
        what = f"change {change.name} {change.type} of zone {change.zone} in {self._scope}"
        with self._connection.calling(Call(what, "azure_dns", writes=True)) as client:
            client.record_sets.create_or_update(
                self._scope.resource_group,
                change.zone,
                change.name,
                change.type.value,
                SdkRecordSet.deserialize(change.body),
                if_match=change.etag or None,
                if_none_match=None if change.etag else "*",
            )


def _connect(options: dict[str, Any]) -> DnsManagementClient:
    return DnsManagementClient(api_version=API_VERSION, **options)


def _stored(found: SdkRecordSet) -> Stored:
    """Raises ValueError when the answer lacks what every record set has."""
    if not (found.name and found.type and found.etag):
        raise ValueError("a record set without a name, a type or an ETag")
    return Stored(
        name=found.name,
        type=found.type.rpartition("/")[2].upper(),
        etag=found.etag,
        ttl=int(found.ttl or 0),
        metadata=dict(found.metadata or {}),
        texts=tuple(_texts(found)),
        alias=str(found.target_resource.id or "") if found.target_resource else "",
    )


def _texts(found: SdkRecordSet) -> Sequence[str]:
    if found.a_records:
        return [str(record.ipv4_address) for record in found.a_records]
    if found.aaaa_records:
        return [str(record.ipv6_address) for record in found.aaaa_records]
    if found.cname_record and found.cname_record.cname:
        return [_absolute(found.cname_record.cname)]
    return [f"{srv.priority} {srv.weight} {srv.port} {_absolute(srv.target)}" for srv in found.srv_records or ()]


def _absolute(name: str | None) -> str:
    return f"{str(name).removesuffix('.')}."
