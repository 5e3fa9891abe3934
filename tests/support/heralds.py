"""Members that tell people: each by notifications of its own, to receivers that they share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from support.notices import Inbox
from support.stage import Stage
from support.trio import Trio, trio

from failoverd import codec
from failoverd.core.events import Event
from failoverd.core.status import Notice, NotificationsStatus, Overview
from failoverd.ports import Delivery
from failoverd.runtime.supervising import backoff, supervise
from failoverd.settings import ReceiverSettings
from failoverd.simulation.simulated_daemon import end
from failoverd.simulation.virtual_time import elapse, now
from failoverd.telemetry.notifications.notifier import Notifications
from failoverd.telemetry.notifications.outbox import Address

BEAT = 5.0
"""Seconds between two looks at where things stand."""


@dataclass
class People:
    """Who is told: a pager, which knows a trouble by its key, and a chat, which does not. `said` is what was told."""

    pager: Inbox = field(default_factory=lambda: Inbox(now, place="pager"))
    chat: Inbox = field(default_factory=lambda: Inbox(now, place="chat", keyed=False))
    kept: dict[str, str] = field(default_factory=dict)
    heralds: dict[str, "Herald"] = field(default_factory=dict)

    async def post(self, delivery: Delivery, place: str) -> str:
        inbox = self.pager if place.startswith("pager") else self.chat
        return await inbox.post(delivery, place)

    def told(self, inbox: Inbox, kind: str) -> list[str]:
        """What an inbox was told of troubles of a kind, in order: `began` or `ended`, and whose it is."""
        found = [each for _, some in inbox.got for each in some if each.kind == kind]
        return [" ".join(filter(None, ("ended" if each.ended is not None else "began", each.member))) for each in found]

    def open(self) -> list[tuple[str, str]]:
        """What is open at the pager."""
        last: dict[tuple[str, str, str, str], Notice] = {}
        for _, some in self.pager.got:
            last |= {each.key: each for each in some}
        return [(each.kind, each.member) for each in last.values() if each.ended is None]


class Herald:
    """The notifications of one member."""

    def __init__(self, name: str, stage: Stage, people: People) -> None:
        self._name, self._stage, self._people = name, stage, people
        addresses = [Address(each.place, "paper", ReceiverSettings(), each) for each in (people.pager, people.chat)]
        self.telling = Notifications(
            addresses,
            people.post,
            keep=self._keep,
            runbook_of=lambda _: "",
            pause=partial(backoff, first=1.0, longest=60.0),
            emit=stage.emit,
            clock=now,
            colleagues=stage.engine.member.notices,
        )
        kept = people.kept.get(name)
        self.telling.resume(codec.load(NotificationsStatus, kept) if kept else None)
        stage.heard = self.telling.take
        work = {**self.telling.work(), "look": self._look}
        self._tasks = [asyncio.create_task(supervise(each, do, stage.emit, now)) for each, do in work.items()]

    def hear(self, event: Event) -> None:
        self.telling.take(event)

    async def stop(self) -> None:
        for task in self._tasks:
            await end(task)

    async def _keep(self, status: NotificationsStatus) -> bool:
        self._people.kept[self._name] = codec.dump(status)
        return True

    async def _look(self) -> None:
        while True:
            await elapse(BEAT)
            engine = self._stage.engine
            led = replace(engine.members(), members=())  # who leads; that one is not heard is told elsewhere
            overview = Overview.of([self._stage.board.vantage(), led, *engine.runner.standing()])
            self.telling.look(overview)


@asynccontextmanager
async def heralds(*names: str, of: Trio | None = None) -> AsyncIterator[tuple[Trio, People]]:
    """Three members, and people whom they tell."""
    people = People()
    async with trio(*names, of=of) as found:
        for name, stage in found.stages.items():
            people.heralds[name] = Herald(name, stage, people)
        try:
            yield found, people
        finally:
            for herald in people.heralds.values():
                await herald.stop()
