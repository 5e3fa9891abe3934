"""A whole daemon in this process, and what it tells."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from support.daemons import PATIENCE, Site

from failoverd.app import Daemon
from failoverd.core.events import DaemonStarted, Event, RegionRecovered


class Life:
    """One daemon, and what it told."""

    def __init__(self, here: Site) -> None:
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self.daemon = Daemon(here.config, [self._hear])

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, fits: Callable[[list[Event]], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not fits(self.events):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def living(here: Site) -> AsyncIterator[Life]:
    """A daemon from its start on."""
    life = Life(here)
    running = asyncio.create_task(life.daemon.run())
    try:
        yield life
    finally:
        life.daemon.stop("the test is over")
        await running


def tells(kind: type[Event]) -> Callable[[list[Event]], bool]:
    return lambda events: any(isinstance(event, kind) for event in events)


def at_work(events: list[Event]) -> bool:
    """Its start is over, and both regions of the site are well."""
    regions = {event.region for event in events if isinstance(event, RegionRecovered)}
    return len(regions) == 2 and tells(DaemonStarted)(events)
