"""Who is answered by which page, when many want to read one hosted zone."""

import asyncio

from failoverd.core.errors import Permanent, Transient
from failoverd.ports import Urgency
from failoverd.providers.route53.client import PAGE
from failoverd.providers.route53.names import orders
from failoverd.providers.route53.paging import Page, Standing, Start
from failoverd.providers.route53.reading import Reading
from failoverd.providers.shared.account import account
from failoverd.providers.shared.bucket import Rate

NAMES = [f"service-{number:04}.example.com" for number in range(1_000)]


def _nothing() -> None:
    """Happens while a page is listed, unless a scenario says otherwise."""


class Listing:
    """A zone in which each name has one record set and a marker. `starts` are the pages that were asked for."""

    def __init__(self, *troubles: Exception) -> None:
        names = [f"{name}." for name in NAMES] + [f"_failoverd.{name}." for name in NAMES]
        self.names = sorted(names, key=orders)
        self.starts: list[str] = []
        self.troubles = list(troubles)
        self.during = _nothing

    def page(self, start: Start) -> Page:
        self.starts.append(start.name)
        self.during()
        if self.troubles:
            raise self.troubles.pop(0)
        rest = [name for name in self.names if orders(name) >= orders(start.name)]
        more = {"NextRecordName": rest[PAGE], "NextRecordType": "A"} if len(rest) > PAGE else {}
        sets = [{"Name": name, "Type": "A"} for name in rest[:PAGE]]
        return Page.of(start, {"ResourceRecordSets": sets, "IsTruncated": bool(more), **more})


async def test_a_thousand_names_cost_as_many_calls_as_they_fill_pages() -> None:
    listing = Listing()
    async with account(Rate(100_000.0)) as rationed:
        reading = Reading(rationed, listing.page)
        found = await asyncio.gather(*(reading(name, Urgency.ROUTINE) for name in NAMES))
    assert len(listing.starts) == 7  # 2,000 record sets, 300 in a page
    for name, standing in zip(NAMES, found, strict=True):
        assert standing == Standing(
            ({"Name": f"{name}.", "Type": "A"},), ({"Name": f"_failoverd.{name}.", "Type": "A"},)
        )


async def test_the_pages_of_names_that_nobody_wants_are_skipped() -> None:
    listing = Listing()
    async with account(Rate(100_000.0)) as rationed:
        reading = Reading(rationed, listing.page)
        await asyncio.gather(*(reading(name, Urgency.ROUTINE) for name in (NAMES[0], NAMES[500], NAMES[501])))
    assert listing.starts == [f"{NAMES[0]}.", f"{NAMES[500]}."]


async def test_an_urgent_read_does_not_wait_for_routine() -> None:
    """It comes while the first page is listed, and its own is the second, although its name is the last."""
    listing, urgent = Listing(), list[asyncio.Task[Standing]]()
    loop = asyncio.get_running_loop()
    async with account(Rate(100_000.0)) as rationed:
        reading = Reading(rationed, listing.page)
        arrived = asyncio.Event()

        def interrupt() -> None:
            listing.during = _nothing
            asyncio.run_coroutine_threadsafe(arrive(), loop).result()

        async def arrive() -> None:
            urgent.append(asyncio.create_task(reading(NAMES[-1], Urgency.FAIL_OUT)))
            await asyncio.sleep(0)
            arrived.set()

        listing.during = interrupt
        routine = asyncio.gather(*(reading(name, Urgency.ROUTINE) for name in NAMES))
        await arrived.wait()
        await asyncio.gather(routine, *urgent)
    assert listing.starts[1] == f"{NAMES[-1]}."
    assert len(listing.starts) <= 8


async def test_a_read_that_fails_in_passing_is_tried_again_for_all() -> None:
    listing = Listing(Transient("it broke", reason="connection_lost"))
    async with account(Rate(100_000.0)) as rationed:
        reading = Reading(rationed, listing.page)
        await asyncio.gather(*(reading(name, Urgency.ROUTINE) for name in NAMES[:100]))
    assert len(listing.starts) == 2


async def test_a_refusal_is_told_to_all_and_not_asked_for_in_halves() -> None:
    listing = Listing(Permanent("no such zone", reason="zone_missing", remedy="correct it"))
    async with account(Rate(100_000.0)) as rationed:
        reading = Reading(rationed, listing.page)
        results = await asyncio.gather(*(reading(name, Urgency.ROUTINE) for name in NAMES), return_exceptions=True)
        assert {str(result) for result in results} == {"no such zone (zone_missing). correct it"}
        assert len({id(result) for result in results}) == len(NAMES)
        assert len(listing.starts) == 1
