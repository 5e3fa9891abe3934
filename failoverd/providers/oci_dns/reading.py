"""Reads of one zone, in batches, by whichever way takes fewer requests.

Alone: one request finds a name and its marker together, for the marker's name contains the name. A name that is part of
too many others (the top of the zone, above all), and a wildcard, is asked for itself, and its marker after it.
Together: the whole zone, page by page, answers everybody.

What is read belongs to one version of the zone, for the ETag of its records says which one it is. When it changes in
between, it is read again; a zone that never rests is read name by name. And when the first page shows that the zone is
still what it was when it was last read as a whole, the other pages are what they were, too: they are not read again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from failoverd.core.errors import Transient
from failoverd.core.names import is_wildcard, marker_name
from failoverd.core.records import Target
from failoverd.ports import Urgency
from failoverd.providers.oci_dns.client import PAGE, Page, Search
from failoverd.providers.oci_dns.records import Record
from failoverd.providers.shared.account import Account
from failoverd.providers.shared.batching import Batcher
from failoverd.providers.shared.bucket import Ticket

_TRIES: Final = 3
"""How often one thing is read until it is of one version."""

Records = tuple[Record, ...]


class Reading:
    """The reads of one zone.

    Args:
        account: where requests are made.
        zone: its name, for messages.
        page: asks for one page; blocks.
    """

    def __init__(self, account: Account, zone: str, page: Callable[[Search, str | None], Page]) -> None:
        self._account = account
        self._zone = zone
        self._page = page
        self._size: int | None = None
        self._known: tuple[str, Records] = "", ()  # the zone when it was last read as a whole, and its ETag
        self._batches: Batcher[str, Records] = Batcher(account.reads, self._send, splits=False, changes=account.changes)

    async def __call__(self, target: Target, urgency: Urgency) -> Records:
        """Records among which are all of a name and of its marker, of one version of the zone. Raises ProviderError."""
        return await self._batches(target.key.name, urgency, proof=self._account.changes.proves(target))

    async def _send(self, names: Sequence[str], ticket: Ticket) -> Sequence[Records]:
        whole = await self._whole(ticket, len(set(names)))
        if whole is not None:
            return [_of(name, whole) for name in names]
        found = {name: await self._alone(ticket, name) for name in dict.fromkeys(names)}
        return [found[name] for name in names]

    async def _whole(self, ticket: Ticket, names: int) -> Records | None:
        """All records of the zone, or None when so few names are read with fewer requests."""
        if names == 1:
            return None
        for _ in range(_TRIES):
            if self._size is not None and _pages(self._size) > names and not self._known[0]:
                return None
            first = await self._first(ticket, Search())
            self._size = first.total
            etag, known = self._known
            if first.etag and first.etag == etag:
                return known
            self._known = "", ()
            if _pages(first.total) <= names:
                whole = await self._rest(ticket, Search(), first)
                if whole is not None:
                    self._known = first.etag, whole
                    return whole
        return None

    async def _alone(self, ticket: Ticket, name: str) -> Records:
        """The records of one name and its marker."""
        for _ in range(_TRIES):
            contained = name != self._zone and not is_wildcard(name)
            found = await self._together(ticket, name) if contained else None
            if found is None:
                found = await self._apart(ticket, name)
            if found is not None:
                return found
        raise Transient(
            f"{name} at OCI changes faster than it can be read",
            reason="zone_changing",
            remedy="nothing to do: it is tried again; see who else writes to the zone",
        )

    async def _together(self, ticket: Ticket, name: str) -> Records | None:
        """The name with its marker, or None when too many other names contain it."""
        page = await self._first(ticket, Search(containing=name))
        return _of(name, page.records) if page.following is None else None

    async def _apart(self, ticket: Ticket, name: str) -> Records | None:
        """The name and its marker by themselves, or None when the zone changed between them."""
        pages = [await self._first(ticket, search) for search in (Search(name), Search(marker_name(name)))]
        if len({page.etag for page in pages}) > 1 or any(page.following for page in pages):
            return None
        return tuple(record for page in pages for record in page.records)

    async def _rest(self, ticket: Ticket, search: Search, page: Page) -> Records | None:
        """This page and all that follow, or None when the zone changed before the last."""
        records, etag = list(page.records), page.etag
        while page.following is not None:
            page = await self._next(ticket, search, page.following)
            if page.etag != etag:
                return None
            records += page.records
        return tuple(records)

    async def _first(self, ticket: Ticket, search: Search) -> Page:
        return await self._account.read(ticket, lambda: self._page(search, None))

    async def _next(self, ticket: Ticket, search: Search, page: str) -> Page:
        return await self._account.read(ticket, lambda: self._page(search, page))


def _pages(records: int) -> int:
    return max(1, -(-records // PAGE))


def _of(name: str, records: Iterable[Record]) -> Records:
    names = {name, marker_name(name)}
    return tuple(record for record in records if record.domain in names)
