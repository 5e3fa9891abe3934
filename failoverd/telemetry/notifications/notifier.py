"""Notifications as the daemon has them: a sink for events, a look at where things stand, and tasks that deliver.

What is to be told is put into the journal before it is sent, so that a process that is killed in between leaves nobody
with a trouble whose end is never told. The journal may be broken: then people are told all the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from failoverd.core.events import Event
from failoverd.core.status import Notice, NotificationsStatus, Overview, ReceiverStatus
from failoverd.ports import Clock, Emit, ReceiverKind
from failoverd.settings import ReceiverSettings
from failoverd.telemetry.notifications.ledger import TroubleLedger
from failoverd.telemetry.notifications.outbox import Address, Outbox, Pause
from failoverd.telemetry.notifications.posting import Post, posting
from failoverd.telemetry.notifications.troubles import Sight

GATHER: Final = 0.2
"""Seconds that news waits for more of it: what goes into the journal together, and into one request."""


class Receiver(Protocol):
    """One that the configuration names."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> ReceiverKind: ...
    @property
    def settings(self) -> ReceiverSettings: ...


def addresses(receivers: Iterable[Receiver], owner: str) -> list[Address]:
    """Every address of every receiver."""
    return [
        Address(each.name, each.kind.name, each.settings, outlet)
        for each in receivers
        for outlet in each.kind.open(each.settings, owner)
    ]


Keep = Callable[[NotificationsStatus], Awaitable[bool]]
"""Writes the status into the journal; whether that went well."""


class Notifications:
    """Tells people. Make it with `telling`.

    Args:
        addresses: who is told.
        post: the way out.
        keep: writes into the journal what is to be told.
        runbook_of: where the people on call read on, by policy.
        pause: seconds before try number so and so.
        emit: is told of receivers that fail, and that work again.
        clock: the time.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        post: Post,
        *,
        keep: Keep,
        runbook_of: Callable[[str], str],
        pause: Pause,
        emit: Emit,
        clock: Clock,
    ) -> None:
        self._keep = keep
        self._runbook_of = runbook_of
        self._clock = clock
        self._ledger = TroubleLedger()
        self._fresh: dict[tuple[str, str, str], Notice] = {}
        self._dirty = asyncio.Event()
        self._journal_works = True
        self._kept: tuple[ReceiverStatus, ...] = ()
        self.outboxes = tuple(Outbox(each, post, pause, emit, clock, self._done) for each in addresses)

    @property
    def status(self) -> NotificationsStatus:
        return NotificationsStatus(self._clock(), self._receivers(), tuple(self._ledger.notices.values()))

    def _receivers(self) -> tuple[ReceiverStatus, ...]:
        return tuple(outbox.status for outbox in self.outboxes)

    def resume(self, before: NotificationsStatus | None) -> None:
        """Take up what an earlier process told of. Call it before the tasks begin."""
        notices = self._ledger.resume(before.notices if before is not None else (), self._clock())
        for outbox in self.outboxes:
            outbox.resume(notices)
        self._forget(notices)

    def take(self, event: Event) -> None:
        """An `Emit` sink. Never blocks, never raises."""
        try:
            self._tell(self._ledger.take(event, self._runbook_of(event.policy) if event.policy else ""))
        except Exception as error:  # noqa: BLE001 - a defect in here must not stop what the event tells of
            told = {"message": f"{event.name} could not be made a notification", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)

    def look(self, overview: Overview) -> None:
        """What began or ended without an event that was heard. Call it regularly."""
        sight = Sight(overview, self._journal_works)
        self._tell(self._ledger.look(sight, self._runbook_of, self._clock()))
        if not self._journal_works or self._kept != self._receivers():
            self._dirty.set()

    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on in the background, by name: each is endless, and fails alone."""
        delivering = {f"notifications to {outbox.address.place}": outbox.run for outbox in self.outboxes}
        return {"notifications": self._run, **delivering}

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _tell(self, news: Iterable[Notice]) -> None:
        for notice in news:
            self._fresh.pop(notice.key, None)
            self._fresh[notice.key] = notice
            self._dirty.set()

    async def _run(self) -> None:
        """First into the journal, then out."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(GATHER)
            self._dirty.clear()
            fresh, self._fresh = self._fresh, {}
            status = self.status
            try:
                self._journal_works = await self._keep(status)
                self._kept = status.receivers
            finally:
                for notice in fresh.values():
                    for outbox in self.outboxes:
                        outbox.take(notice)
                self._forget(fresh.values())

    def _done(self, notice: Notice, place: str) -> None:
        if notice.ended is None and self._ledger.told(notice.key, place):
            self._dirty.set()
        self._forget([notice])

    def _forget(self, notices: Iterable[Notice]) -> None:
        """Those whose end everybody was told of."""
        for notice in notices:
            known = self._ledger.notices.get(notice.key)
            over = known is not None and known.ended is not None and notice.key not in self._fresh
            if over and not any(outbox.owes(notice.key) for outbox in self.outboxes):
                self._ledger.forget(notice.key)
                self._dirty.set()


@asynccontextmanager
async def telling(
    addresses: Sequence[Address],
    *,
    keep: Keep,
    runbook_of: Callable[[str], str],
    pause: Pause,
    emit: Emit,
    clock: Clock,
) -> AsyncIterator[Notifications]:
    """Notifications with a way out to the network, for as long as the context lasts."""
    async with posting() as post:
        yield Notifications(addresses, post, keep=keep, runbook_of=runbook_of, pause=pause, emit=emit, clock=clock)
