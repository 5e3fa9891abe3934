"""A DNS server that takes dynamic updates (RFC 2136), signed with TSIG (RFC 8945): BIND, Knot DNS, PowerDNS.

Plain DNS has no weights for A and AAAA: an address is in the answer or not, and resolvers spread evenly over the set.
SRV has weights of its own (RFC 2782). A name has one CNAME at a time, so it can fail over and not split.

The server itself is the fence: see `change.py`. What is read is what that fence will find: see `reading.py`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.errors import Fenced
from failoverd.core.records import Capabilities, Fence, Observed, RecordSet, RecordType, Target
from failoverd.ports import Access, ProviderKind, Urgency
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.dnsupdate.client import Reader, Writer
from failoverd.providers.dnsupdate.manual import nsupdate
from failoverd.providers.dnsupdate.secret import KeyFile
from failoverd.providers.rfc2136.change import change_of
from failoverd.providers.rfc2136.reading import snapshot
from failoverd.providers.rfc2136.settings import NEEDS, Rfc2136Settings
from failoverd.providers.shared import sets

__all__ = ["KIND", "Rfc2136", "Rfc2136Settings"]


class Rfc2136:
    """One server, reached with one key. What it may do depends on the client that it is given."""

    def __init__(self, settings: Rfc2136Settings, key: KeyFile, client: Reader) -> None:
        self._settings = settings
        self._key = key
        self._client = client
        self._known: dict[Target, Observed] = {}  # what was last seen to stand together, or written

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:  # noqa: ARG002 - nothing is rationed here
        async with self._client.conversation(target.zone) as talk:
            observed = await snapshot(talk, target, self._known.get(target))
        self._known[target] = observed
        return observed

    def normalise(self, desired: RecordSet) -> RecordSet:
        """Addresses in or out, SRV weights within 16 bits, nothing that never serves."""
        return rdata.normalised(desired)

    async def apply(self, approved: Approved) -> None:
        if not isinstance(self._client, Writer):
            raise sets.read_only(approved.plan)
        plan = approved.plan
        try:
            await self._client.update(change_of(plan))
        except Fenced:  # by another writer, or because the zone that answers is not the one that is updated
            self._known.pop(plan.target, None)
            raise
        text = plan.marker_text
        self._known[plan.target] = Observed(plan.target, plan.after, plan.marker if text is not None else None, text)

    def manual(self, plan: Plan) -> str:
        return nsupdate(self._settings.server, self._settings.key, self._key, change_of(plan))


@asynccontextmanager
async def _open(_: str, settings: Rfc2136Settings, access: Access) -> AsyncIterator[Rfc2136]:
    """Opening touches nothing: a missing secret stops each operation with its reason, and not the daemon."""
    key = KeyFile(settings.key)
    client = Writer if access is Access.WRITE else Reader
    yield Rfc2136(settings, key, client(settings.server, key.load, settings.timeout))


KIND = ProviderKind(
    name="rfc2136",
    settings=Rfc2136Settings,
    capabilities=Capabilities(
        weights=sets.WEIGHTS,
        max_weight=rdata.MAX_WEIGHT,
        single=frozenset({RecordType.CNAME}),
        max_answers=100,  # max-records-per-type, BIND's default since 9.18.28
        fence=Fence.ATOMIC,
    ),
    open=_open,
    needs=NEEDS,
)
