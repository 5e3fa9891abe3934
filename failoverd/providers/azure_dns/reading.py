"""Reads of one zone that are wanted at the same time, in the fewest requests.

One record set is one request, and a page of the listing is one for a hundred of them. So a few names are asked for one
by one, and many by listing the whole zone, whichever is fewer by counting; the zone says itself how many it has.

What excludes a record set at the same name (a CNAME beside anything else) Azure DNS refuses to create. So where the
wanted one exists, nothing else has to be looked for.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from failoverd.core.records import Observed, RecordType, Target
from failoverd.ports import Urgency
from failoverd.providers.azure_dns.client import PAGE, Page, Reader
from failoverd.providers.azure_dns.records import Stored, observe, relative
from failoverd.providers.shared.account import Account
from failoverd.providers.shared.batching import Batcher
from failoverd.providers.shared.bucket import Ticket
from failoverd.providers.shared.unanswered import sensible

FEW: Final = 2
"""Names that are asked for one by one whatever the size of the zone, for to know it costs a request too."""


class Reading:
    """Reads one zone."""

    def __init__(self, account: Account, client: Reader, zone: str) -> None:
        self._account = account
        self._client = client
        self._zone = zone
        self._size: int | None = None
        self._batches: Batcher[Target, Sequence[Stored]] = Batcher(account.reads, self._read, changes=account.changes)

    async def __call__(self, target: Target, urgency: Urgency) -> Observed:
        at_name = await self._batches(target, urgency, proof=self._account.changes.proves(target))
        with sensible(self._client.reading(self._zone)):
            return observe(target, at_name)

    async def _read(self, targets: Sequence[Target], ticket: Ticket) -> Sequence[Sequence[Stored]]:
        if await self._cheaper_listed(len({target.key for target in targets}), ticket):
            at_name = await self._list(ticket)
            return [at_name[self._relative(target)] for target in targets]
        return await asyncio.gather(*(self._one(target, ticket) for target in targets))

    async def _cheaper_listed(self, wanted: int, ticket: Ticket) -> bool:
        if wanted <= FEW:
            return False
        if self._size is None:
            self._size = await self._account.read(ticket, lambda: self._client.size(self._zone))
        return -(-self._size // PAGE) < wanted

    async def _one(self, target: Target, ticket: Ticket) -> Sequence[Stored]:
        name = self._relative(target)
        ours = await self._account.read(ticket, lambda: self._client.get(self._zone, name, target.key.type))
        if ours is not None:
            return (ours,)
        if target.key.type is RecordType.CNAME:  # excluded by a record of any other type
            return (await self._list(ticket))[name]
        cname = await self._account.read(ticket, lambda: self._client.get(self._zone, name, RecordType.CNAME))
        return (cname,) if cname is not None else ()

    async def _list(self, ticket: Ticket) -> dict[str, list[Stored]]:
        """Every record set of the zone, by name."""
        found: dict[str, list[Stored]] = defaultdict(list)
        start: str | None = None
        while True:
            stored, start = await self._account.read(ticket, self._page(start))
            for each in stored:
                found[each.name.lower()].append(each)
            if start is None:
                self._size = sum(map(len, found.values()))
                return found

    def _page(self, start: str | None) -> Callable[[], Page]:
        return lambda: self._client.page(self._zone, start)

    def _relative(self, target: Target) -> str:
        return relative(target.key.name, self._zone)
