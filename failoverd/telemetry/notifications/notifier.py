"""Notifications as the daemon has them: a sink for events, a look at where things stand, and tasks that deliver.

What is to be told is put into the journal before it is sent, so that a process that is killed in between leaves nobody
with a trouble whose end is never told. The journal may be broken: then people are told all the same.

Of several members one speaks for all: who leads. It keeps what it told where the others know it, and whoever speaks
after it goes on from there. While nobody can know who leads, each speaks that may lead; what they told meanwhile they
hand over to who leads next.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final, Protocol

from failoverd.core.events import Event
from failoverd.core.status import Notice, NotificationsStatus, Overview, ReceiverStatus
from failoverd.ports import Clock, Emit, ReceiverKind
from failoverd.settings import ReceiverSettings
from failoverd.telemetry.notifications.ledger import Key, TroubleLedger, is_own
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


class Colleagues(Protocol):
    """The other members, as far as people are told of anything.

    Attributes:
        member: which of them this one is.
        speaks: whether this one speaks for all.
        leads: whether it does because it leads.
        told: what the leader told people of, and did not tell the end of; None while that is not known.
        handed: the same of members that spoke while they could not know who leads, by name: for the leader to go on.
        left: their own troubles, of those that are none of the members any more, by name: for the leader to end.
    """

    @property
    def member(self) -> str: ...
    @property
    def speaks(self) -> bool: ...
    @property
    def leads(self) -> bool: ...
    @property
    def told(self) -> tuple[Notice, ...] | None: ...
    @property
    def handed(self) -> Mapping[str, tuple[Notice, ...]]: ...
    @property
    def left(self) -> Mapping[str, tuple[Notice, ...]]: ...

    async def keep(self, notices: tuple[Notice, ...]) -> bool:
        """Let the others know what this one, which leads, told of. Whether they do."""

    async def hand_over(self, notices: tuple[Notice, ...]) -> bool:
        """Let the leader know what this one told of, and will not go on with. Whether it is kept for it."""

    async def took(self, member: str) -> bool:
        """What that member handed over is taken up, and kept. Whether nobody takes it up again."""

    async def keep_own(self, notices: tuple[Notice, ...]) -> bool:
        """Let the others know what this one tells of itself. Whether they do."""

    async def ended(self, member: str) -> bool:
        """The end of what that one left is told, and kept. Whether nobody tells it again."""


class Nobody:
    """There is one member alone."""

    member = ""
    speaks = True
    leads = True
    told: tuple[Notice, ...] | None = None
    handed: Mapping[str, tuple[Notice, ...]] = MappingProxyType({})
    left: Mapping[str, tuple[Notice, ...]] = MappingProxyType({})

    async def keep(self, notices: tuple[Notice, ...]) -> bool:  # noqa: ARG002 - nobody has to know
        return True

    async def hand_over(self, notices: tuple[Notice, ...]) -> bool:  # noqa: ARG002 - the same
        return True

    async def took(self, member: str) -> bool:  # noqa: ARG002 - the same
        return True

    async def keep_own(self, notices: tuple[Notice, ...]) -> bool:  # noqa: ARG002 - the same
        return True

    async def ended(self, member: str) -> bool:  # noqa: ARG002 - the same
        return True


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
        colleagues: the other members.
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
        colleagues: Colleagues | None = None,
    ) -> None:
        self._keep = keep
        self._runbook_of = runbook_of
        self._clock = clock
        self._colleagues: Colleagues = colleagues or Nobody()
        self._ledger = TroubleLedger(self._colleagues.member)
        self._ledger.speaks, self._leads = self._colleagues.speaks, self._colleagues.leads
        self._before: tuple[Notice, ...] = ()
        self._handing: tuple[Notice, ...] = ()
        self._took: set[str] = set()
        self._ended: set[str] = set()
        self._own: tuple[Notice, ...] = ()  # as the others know it
        self._lacks = False
        self._fresh: dict[Key, Notice] = {}
        self._leaving: dict[Key, Notice] = {}  # what is kept at this moment, and goes out then
        self._dirty = asyncio.Event()
        self._journal_works = True
        self._kept: tuple[ReceiverStatus, ...] = ()
        self.outboxes = tuple(Outbox(each, post, pause, emit, clock, self._done) for each in addresses)

    @property
    def status(self) -> NotificationsStatus:
        return NotificationsStatus(self._clock(), self._receivers(), (*self._ledger.own, *self._ledger.common))

    def _receivers(self) -> tuple[ReceiverStatus, ...]:
        return tuple(outbox.status for outbox in self.outboxes)

    def resume(self, before: NotificationsStatus | None) -> None:
        """Take up what an earlier process told of. Call it before the tasks begin."""
        told = before.notices if before is not None else ()
        if not self._ledger.speaks:
            self._before = tuple(each for each in told if not is_own(each))
            told = tuple(filter(is_own, told))
        self._resume(self._ledger.resume(told, self._clock()))

    def take(self, event: Event) -> None:
        """An `Emit` sink. Never blocks, never raises."""
        try:
            self._turn()
            self._tell(self._ledger.take(event, self._runbook_of(event.policy) if event.policy else ""))
        except Exception as error:  # noqa: BLE001 - a defect in here must not stop what the event tells of
            told = {"message": f"{event.name} could not be made a notification", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)

    def look(self, overview: Overview) -> None:
        """What began or ended without an event that was heard. Call it regularly."""
        self._turn()
        self._take_over_handed()
        sight = Sight(overview, self._journal_works, self._colleagues.leads)
        self._tell(self._ledger.look(sight, self._runbook_of, self._clock()))
        lacks = self._lacks or self._own != self._mine
        if not self._journal_works or lacks or self._kept != self._receivers():
            self._dirty.set()

    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on in the background, by name: each is endless, and fails alone."""
        delivering = {f"notifications to {outbox.address.place}": outbox.run for outbox in self.outboxes}
        return {"notifications": self._run, **delivering}

    async def hand_over(self) -> None:
        """This member is about to stop: what it told stands where the next one finds it."""
        if self._colleagues.member:
            self._turn()
            await self._share()

    # -- one of several members ----------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Notice that it is for this member to speak from now on, or for another one."""
        speaks, leads, now = self._colleagues.speaks, self._colleagues.leads, self._clock()
        if speaks and not self._ledger.speaks:
            told = self._colleagues.told if self._colleagues.told is not None else self._before
            self._resume(self._ledger.begin(told, now))
            self._resume(self._ledger.join(self._handing), again=False)  # it was to be handed over, and to nobody else
            self._handing = ()
        elif leads and not self._leads:
            self._resume(self._ledger.join(self._colleagues.told or ()), again=False)
        elif not speaks and self._ledger.speaks:
            self._handing, keys = self._ledger.hush()
            for outbox in self.outboxes:
                outbox.forget(keys)
            for key in keys:
                self._fresh.pop(key, None)
                self._leaving.pop(key, None)
            self._lacks = True
            self._dirty.set()
        if leads and not self._leads:
            self._resume([self._ledger.lead(now)])
        self._leads = leads

    def _take_over_handed(self) -> None:
        """Go on with what others told while they could not know who speaks; end what went with who told it."""
        if not self._leads:
            return
        for member, notices in self._colleagues.handed.items():
            if notices and member not in self._took:
                self._took.add(member)
                self._resume(self._ledger.join(notices), again=False)
        for member, notices in self._colleagues.left.items():
            if notices and member not in self._ended:
                self._ended.add(member)
                self._resume(self._ledger.end(notices, self._clock()))

    def _resume(self, notices: Sequence[Notice], *, again: bool = True) -> None:
        for outbox in self.outboxes:
            outbox.resume(notices, again=again)
        self._forget(notices)
        if self._colleagues.member and notices:
            self._lacks = True
            self._dirty.set()

    @property
    def _mine(self) -> tuple[Notice, ...]:
        """Troubles of this member itself."""
        return tuple(each for each in self._ledger.own if each.member == self._colleagues.member)

    async def _share(self) -> None:
        """Let the others know what was told; or the leader what is left to it."""
        own = self._mine
        if own != self._own and await self._colleagues.keep_own(own):
            self._own = own
        if self._colleagues.leads and self._ledger.speaks:
            kept = await self._colleagues.keep(self._ledger.common)
            self._lacks = not kept
            for member in [*self._took] if kept else ():
                if await self._colleagues.took(member):
                    self._took.discard(member)
            for member in [*self._ended] if kept else ():
                if await self._colleagues.ended(member):
                    self._ended.discard(member)
        elif self._ledger.speaks:
            self._lacks = False  # nobody can be told; once somebody can, it is handed over
        elif not self._handing or await self._colleagues.hand_over(self._handing):
            self._handing, self._lacks = (), False

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
            self._leaving, self._fresh = self._fresh, {}
            status = self.status
            try:
                self._journal_works = await self._keep(status)
                self._kept = status.receivers
                await self._share()
            finally:
                leaving, self._leaving = tuple(self._leaving.values()), {}
                for notice in leaving:
                    for outbox in self.outboxes:
                        outbox.take(notice)
                self._forget(leaving)

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
    colleagues: Colleagues | None = None,
) -> AsyncIterator[Notifications]:
    """Notifications with a way out to the network, for as long as the context lasts."""
    async with posting() as post:
        yield Notifications(
            addresses,
            post,
            keep=keep,
            runbook_of=runbook_of,
            pause=pause,
            emit=emit,
            clock=clock,
            colleagues=colleagues,
        )
