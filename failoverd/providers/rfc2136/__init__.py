"""A DNS server that takes dynamic updates (RFC 2136), signed with TSIG (RFC 8945): BIND, Knot DNS, PowerDNS.

Plain DNS has no weights for A and AAAA: an address is in the answer or not, and resolvers spread evenly over the set.
SRV has weights of its own (RFC 2782). A name has one CNAME at a time, so it can fail over and not split.

The server itself is the fence: see `change.py`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import MappingProxyType

from dns.rdatatype import RdataType

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.records import Capabilities, Fence, Marker, Observed, RecordSet, RecordType, Target, Weights
from failoverd.ports import Access, ProviderKind, Urgency
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.dnsupdate.client import Conversation, Reader, Writer
from failoverd.providers.dnsupdate.manual import nsupdate
from failoverd.providers.dnsupdate.secret import KeyFile
from failoverd.providers.rfc2136.change import change_of
from failoverd.providers.rfc2136.settings import Rfc2136Settings
from failoverd.providers.shared import sets

__all__ = ["KIND", "Rfc2136", "Rfc2136Settings"]

_DNSSEC = frozenset({"RRSIG", "NSEC", "NSEC3"})
"""What a signed zone adds by itself beside any record, a CNAME included (RFC 4035, 2.5)."""


class Rfc2136:
    """One server, reached with one key. What it may do depends on the client that it is given."""

    def __init__(self, settings: Rfc2136Settings, key: KeyFile, client: Reader) -> None:
        self._settings = settings
        self._key = key
        self._client = client

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:  # noqa: ARG002 - nothing is rationed here
        async with self._client.conversation(target.zone) as talk:
            return await _snapshot(talk, target)

    def normalise(self, desired: RecordSet) -> RecordSet:
        """Addresses in or out, SRV weights within 16 bits, nothing that never serves."""
        if desired.key.type is RecordType.CNAME:
            sets.refuse_several(desired)
        said = sets.weighted(desired, rdata.MAX_WEIGHT)
        return rdata.decode(said.key, said.ttl, rdata.encode(said))

    async def apply(self, approved: Approved) -> None:
        if not isinstance(self._client, Writer):
            raise sets.read_only(approved.plan)
        await self._client.update(change_of(approved.plan))

    def manual(self, plan: Plan) -> str:
        return nsupdate(self._settings.server, self._settings.key, self._key, change_of(plan))


@asynccontextmanager
async def _open(_: str, settings: Rfc2136Settings, access: Access) -> AsyncIterator[Rfc2136]:
    """Opening touches nothing: a missing secret stops each operation with its reason, and not the daemon."""
    key = KeyFile(settings.key)
    client = Writer if access is Access.WRITE else Reader
    yield Rfc2136(settings, key, client(settings.server, key.load, settings.timeout))


async def _snapshot(talk: Conversation, target: Target) -> Observed:
    """The records and the marker that were written together.

    They are two questions, and a write may come between them. Every write changes the marker, so if it reads the same
    before and after the records, they belong to it; otherwise they are asked for again, until the deadline.
    """
    marker = await _marker(talk, target)
    while True:
        records, foreign = await _records(talk, target)
        text, plain = await _marker(talk, target)
        if (text, plain) == marker:
            break
        marker = text, plain
    return Observed(target, records, Marker.parse(text) if text is not None and plain else None, text, foreign)


async def _marker(talk: Conversation, target: Target) -> tuple[str | None, bool]:
    found = await talk.ask(rdata.absolute(target.key.marker_name), RdataType.TXT)
    return rdata.marker_text([record for rrset in found if rrset.rdtype is RdataType.TXT for record in rrset])


async def _records(talk: Conversation, target: Target) -> tuple[RecordSet | None, tuple[str, ...]]:
    """The target's record set, and the other types at its name that exclude it.

    A CNAME answers every question at its name, so that one is seen by asking for anything; what a CNAME would be put
    beside has to be asked for. Some servers then name one type of several, which is enough to refuse.
    """
    name, wanted = rdata.absolute(target.key.name), RdataType[target.key.type]
    found = await talk.ask(name, wanted)
    if wanted is RdataType.CNAME and not found:
        found = await talk.ask(name, RdataType.ANY, whole=True)
    foreign = tuple(sorted({rrset.rdtype.name for rrset in found} - {wanted.name, *_DNSSEC}))
    for rrset in found:
        if rrset.rdtype is wanted:
            return rdata.decode(target.key, rrset.ttl, rrset), foreign
    return None, foreign


KIND = ProviderKind(
    name="rfc2136",
    settings=Rfc2136Settings,
    capabilities=Capabilities(
        weights=MappingProxyType(
            {
                RecordType.A: Weights.MEMBERSHIP,
                RecordType.AAAA: Weights.MEMBERSHIP,
                RecordType.CNAME: Weights.MEMBERSHIP,
                RecordType.SRV: Weights.NATIVE,
            }
        ),
        max_weight=rdata.MAX_WEIGHT,
        single=frozenset({RecordType.CNAME}),
        max_answers=100,  # max-records-per-type, BIND's default since 9.18.28
        fence=Fence.ATOMIC,
    ),
    open=_open,
)
