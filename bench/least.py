"""The fewest calls that a cloud's documented limits allow for changing every record of a zone, read before and after.

Whoever changes a record behind the fence has to read it and its marker first, and reads it back afterwards. Whatever
one call can read or write together is taken as full as the documents allow, and no call is wasted. Nothing is taken to
be known from before the fault. No client can need fewer, but for one that remembers; how near one comes is the measure.
"""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Least:
    """Calls. `proofs` ask the provider whether all of its servers have a change; 0 where nobody can be asked."""

    reads: int
    writes: int
    proofs: int = 0

    @property
    def total(self) -> int:
        """What counts towards the goal: a proof delays no change."""
        return self.reads + self.writes


@dataclass(frozen=True)
class Content:
    """What is written for each record: as many characters stand in its answer, and in its marker with its quotes."""

    answer: int
    marker: int


def paged(entries: int, page: int) -> int:
    """Calls that list so many entries, before and after."""
    return 2 * ceil(entries / page)


def route53(records: int, content: Content) -> Least:
    """ChangeResourceRecordSets takes 1,000 ResourceRecord elements and 32,000 characters of values (quotas).

    Replacing a record behind the fence is four elements: the DELETE and the CREATE of its record set and of its marker.
    A record cannot be spread over two batches. A listing gives 300 record sets a call (ListResourceRecordSets); the
    zone has two for each record, and NS and SOA. GetChange is asked once for each batch.
    """
    in_batch = min(1_000 // 4, 32_000 // (2 * (content.answer + content.marker)))
    writes = ceil(records / in_batch)
    return Least(paged(2 * records + 2, 300), writes, proofs=writes)


def dns_update(records: int, octets: int) -> Least:
    """An UPDATE is one message of at most 65,535 octets (RFC 1035, 4.2.2), `octets` of them for each record.

    A question is for one name and type (RFC 9619), so reading a record and its marker takes two, before and after.
    """
    return Least(reads=2 * 2 * records, writes=ceil(records / (65_535 // octets)))


def azure_dns(records: int) -> Least:
    """A record set is one PUT, the marker in its metadata. A page of the listing has 100 of them, NS and SOA among."""
    return Least(paged(records + 2, 100), records)


def traffic_manager(records: int) -> Least:
    """A profile with its endpoints and tags is one PUT. One call lists all of a resource group.

    A PATCH takes no endpoints, so who must not write over what others have changed since cannot do with one call: that
    is a PATCH of the tags, and one of each endpoint.
    """
    return Least(reads=2, writes=records)


def oci_dns(records: int, operations: int) -> Least:
    """PatchZoneRecords takes as many operations as the settings say; OCI documents no limit.

    Replacing a record behind the fence is six: REQUIRE, REMOVE and ADD for it, and for its marker. A page of the
    listing has 100 records; the zone has two for each, and NS and SOA.
    """
    return Least(paged(2 * records + 5, 100), ceil(records / (operations // 6)))


def oci_steering(records: int) -> Least:
    """A steering policy is one PUT. Listings tell no rules, so each is one GET before, and one after.

    The pages of their attachments (100 each) have to be listed once.
    """
    return Least(2 * records + ceil(records / 100), records)
