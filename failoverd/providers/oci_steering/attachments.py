"""Which policies are attached to names of one zone, read for many names at once when that takes fewer requests."""

from collections.abc import Callable, Sequence

from failoverd.ports import Urgency
from failoverd.providers.oci_steering.client import PAGE, Page
from failoverd.providers.oci_steering.standing import Attachment
from failoverd.providers.shared.account import Account
from failoverd.providers.shared.batching import Batcher
from failoverd.providers.shared.bucket import Ticket

Found = tuple[Attachment, ...]


class Attachments:
    """The attachments of one zone.

    Args:
        account: where requests are made.
        page: asks for one page of those of a domain (None: of the whole zone), from a place on; blocks.
    """

    def __init__(self, account: Account, page: Callable[[str | None, str | None], Page]) -> None:
        self._page = page
        self._account = account
        self._size: int | None = None
        self._batches: Batcher[str, Found] = Batcher(account.reads, self._send, splits=False)

    async def __call__(self, name: str, urgency: Urgency) -> Found:
        """The attachments at a name, in a steady order. Raises ProviderError."""
        found = await self._batches(name, urgency)
        return tuple(sorted((each for each in found if each.domain == name), key=lambda each: each.id))

    async def _send(self, names: Sequence[str], ticket: Ticket) -> Sequence[Found]:
        whole = await self._whole(ticket, len(set(names)))
        if whole is not None:
            return [whole for _ in names]
        found = {name: await self._listed(ticket, name) for name in dict.fromkeys(names)}
        return [found[name] for name in names]

    async def _whole(self, ticket: Ticket, names: int) -> Found | None:
        """All attachments of the zone, or None when so few names are read with fewer requests."""
        if self._size is not None and _pages(self._size) > names:
            return None
        first = await self._account.read(ticket, lambda: self._page(None, None))
        self._size = first.total
        if _pages(first.total) > names:
            return None
        return await self._rest(ticket, None, first)

    async def _listed(self, ticket: Ticket, domain: str) -> Found:
        return await self._rest(ticket, domain, await self._account.read(ticket, lambda: self._page(domain, None)))

    async def _rest(self, ticket: Ticket, domain: str | None, page: Page) -> Found:
        """This page and all that follow."""
        found = list(page.attachments)
        while page.following is not None:
            following = page.following
            page = await self._account.read(ticket, lambda following=following: self._page(domain, following))  # type: ignore[misc]
            found += page.attachments
        return tuple(found)


def _pages(attachments: int) -> int:
    return max(1, -(-attachments // PAGE))
