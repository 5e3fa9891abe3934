"""Which policies are attached to names of one zone, read for many names at once when that takes fewer requests."""

from collections.abc import Callable, Sequence

from failoverd.core.errors import Permanent, Transient
from failoverd.ports import Urgency
from failoverd.providers.account import Account
from failoverd.providers.gathering import Gathering
from failoverd.providers.oci_cloud.turns import Failed, Turns
from failoverd.providers.oci_steering.client import PAGE, Page
from failoverd.providers.oci_steering.standing import Attachment

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
        self._gathering: Gathering[str, Found | Failed] = Gathering(account.reads, self._send)

    async def __call__(self, name: str, urgency: Urgency) -> Found:
        """The attachments at a name, in a steady order. Raises ProviderError."""
        found = await self._gathering(name, urgency)
        if isinstance(found, Failed):
            raise found.copy()
        return tuple(sorted((each for each in found if each.domain == name), key=lambda each: each.id))

    async def _send(self, names: Sequence[str], urgency: Urgency) -> Sequence[Found | Failed]:
        turns = Turns(self._account, urgency)
        try:
            whole = await self._whole(turns, len(set(names)))
            if whole is not None:
                return [whole for _ in names]
            found = {name: await self._listed(turns, name) for name in dict.fromkeys(names)}
        except (Permanent, Transient) as error:
            return [Failed(error) for _ in names]
        return [found[name] for name in names]

    async def _whole(self, turns: Turns, names: int) -> Found | None:
        """All attachments of the zone, or None when so few names are read with fewer requests."""
        if self._size is not None and _pages(self._size) > names:
            return None
        first = await turns.call(lambda: self._page(None, None))
        self._size = first.total
        if _pages(first.total) > names:
            return None
        return await self._rest(turns, None, first)

    async def _listed(self, turns: Turns, domain: str) -> Found:
        return await self._rest(turns, domain, await turns.call(lambda: self._page(domain, None)))

    async def _rest(self, turns: Turns, domain: str | None, page: Page) -> Found:
        """This page and all that follow."""
        found = list(page.attachments)
        while page.following is not None:
            following = page.following
            page = await turns.call(lambda following=following: self._page(domain, following))  # type: ignore[misc]
            found += page.attachments
        return tuple(found)


def _pages(attachments: int) -> int:
    return max(1, -(-attachments // PAGE))
