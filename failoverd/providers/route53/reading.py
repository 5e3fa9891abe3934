"""Reads of one hosted zone, in batches: one page of its listing answers everybody whose name is in it.

A name and its marker are read together, in one page, so that they belong to one moment. Who wants to be read lines up;
each request lists one page, from the first name of the most urgent ones, and who was not in it stays in the line. So a
thousand names cost as many calls as they fill pages, one name costs one, and routine never keeps urgent reads waiting.

A name whose record sets and marker are further apart than a page is the exception: it takes several pages, which may
show two generations. Then the fence refuses what is made of them.
"""

from collections.abc import Callable, Sequence

from failoverd.core.names import marker_name
from failoverd.ports import Urgency
from failoverd.providers.route53.names import absolute, orders
from failoverd.providers.route53.paging import Page, Standing, Start
from failoverd.providers.shared.account import Account
from failoverd.providers.shared.batching import Batcher
from failoverd.providers.shared.bucket import Ticket

Wanted = tuple[str, Urgency]
Found = Standing | None


class Reading:
    """The reads of one hosted zone.

    Args:
        account: where calls are made.
        list_page: lists one page; blocks.
    """

    def __init__(self, account: Account, list_page: Callable[[Start], Page]) -> None:
        self._account = account
        self._list_page = list_page
        self._batches: Batcher[Wanted, Found] = Batcher(account.reads, self._send, splits=False)

    async def __call__(self, name: str, urgency: Urgency) -> Standing:
        """What stands at a name and its marker. Raises ProviderError."""
        while True:
            found = await self._batches((name, urgency), urgency)
            if found is not None:
                return found

    async def _send(self, wanted: Sequence[Wanted], ticket: Ticket) -> list[Found]:
        """One page, and what it says to each."""
        first = min(wanted, key=lambda each: (each[1], orders(absolute(each[0]))))[0]
        page = await self._page(Start(absolute(first)), ticket)
        found = {first: page.standing(first) or await self._spread_out(first, page, ticket)}
        return [found.get(name) or page.standing(name) for name, _ in wanted]

    async def _spread_out(self, name: str, page: Page, ticket: Ticket) -> Standing:
        """A name that does not fit into a page with its marker: its own pages to the end, then those of the marker."""
        marker = marker_name(name)
        whole = await self._until_passed(name, page, ticket)
        markers = await self._until_passed(marker, await self._page(Start(absolute(marker)), ticket), ticket)
        return Standing(whole.found.get(absolute(name), ()), markers.found.get(absolute(marker), ()))

    async def _until_passed(self, name: str, page: Page, ticket: Ticket) -> Page:
        while page.following is not None and not page.passed(name):
            page = page.and_then(await self._page(page.following, ticket))
        return page

    async def _page(self, start: Start, ticket: Ticket) -> Page:
        return await self._account.read(ticket, lambda: self._list_page(start))
