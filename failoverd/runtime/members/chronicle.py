"""What moved, for the others' history: the leader says it, and each member keeps it in its own journal.

The last events stand in the members' common memory, one under each of a few keys, in turn. A member that was away for
longer than these last lacks what came before them in its journal; the journal of who led has all of it.

Nothing is decided by any of this, so nothing waits for it, and what cannot be said is left out.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

from failoverd import codec
from failoverd.core import events
from failoverd.core.errors import CoordinationError
from failoverd.core.events import Event
from failoverd.ports import Coordinator, Emit, SharedValue
from failoverd.runtime.supervising import backoff

EVENTS: Final = "events/"
"""What every key begins with."""

PLACES: Final = 256
"""Events that are there at most."""

LARGEST: Final = 65_536
"""Bytes of one of them; what is larger is left out."""

VERSION: Final = 1

LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries, where the coordinator does not answer."""

_SHARED: Final[Mapping[str, type[Event]]] = {
    kind.name: kind
    for kind in (
        events.DecisionMade,
        events.ChangeApplied,
        events.ChangeVerified,
        events.ChangeDisputed,
        events.PlanHeld,
        events.FailoverHeld,
        events.PlanRefused,
        events.TargetDelayed,
        events.DriftDetected,
    )
}
"""What is said of a record, by the name of the event."""


class Chronicler(Protocol):
    """Which member this is, whether it leads, and the epoch by which the coordinator knows it."""

    @property
    def member(self) -> str: ...
    @property
    def leads(self) -> bool: ...
    @property
    def epoch_in_coordinator(self) -> int: ...


class Chronicle:
    """The history of all members, as one of them hears and tells it. `say` and `hear` are endless.

    Args:
        coordinator: where it is told.
        leader: whether this member leads.
        keep: is given what another member told, for this one's history alone.
        since: what came before that is in this member's journal already.
    """

    def __init__(self, coordinator: Coordinator, leader: Chronicler, keep: Emit, since: float) -> None:
        self.since = since
        self._coordinator = coordinator
        self._leader = leader
        self._keep = keep
        self._waiting: deque[Event] = deque(maxlen=PLACES)
        self._news = asyncio.Event()
        self._versions: dict[str, int] = {}
        self._number = 0  # of the last event that is known
        self._heard = 0  # up to which this member's journal has them

    def take(self, event: Event) -> None:
        """An `Emit` sink. Never blocks."""
        if event.name in _SHARED and self._leader.leads:
            self._waiting.append(event)
            self._news.set()

    # -- saying --------------------------------------------------------------------------------------------------------

    async def say(self) -> None:
        """Tell the others what this member, which leads, did, for ever."""
        attempt = 0
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                while self._waiting and self._leader.leads:
                    await self._say(self._waiting[0])
                    self._waiting.popleft()
                attempt = 0
            except CoordinationError:  # that it does not answer is told by who campaigns
                attempt += 1
                await asyncio.sleep(backoff(attempt, longest=LONGEST_PAUSE))
                self._news.set()
            if not self._leader.leads:
                self._waiting.clear()  # it is in this member's journal

    async def _say(self, event: Event) -> None:
        number = self._number + 1
        key, value = f"{EVENTS}{number % PLACES}", _written(event, number)
        if len(value) > LARGEST:
            return
        epoch, after = self._leader.epoch_in_coordinator, self._versions.get(key, 0)
        version = await self._coordinator.replace(key, value, after=after, epoch=epoch)
        if version is None:  # who led before said more than was heard of yet
            await self._catch_up()
            raise CoordinationError(f"somebody else wrote {key}", reason="replaced")
        self._versions[key], self._number = version, max(number, self._number)

    # -- hearing -------------------------------------------------------------------------------------------------------

    async def hear(self) -> None:
        """Keep what others told, for ever."""
        attempt = 0
        while True:
            try:
                version = await self._catch_up()
                attempt = 0
                async for key, value in self._coordinator.changes(EVENTS, version):
                    self._take({key: value})
            except CoordinationError:
                attempt += 1
                await asyncio.sleep(backoff(attempt, longest=LONGEST_PAUSE))

    async def _catch_up(self) -> int:
        entries, version = await self._coordinator.entries(EVENTS)
        self._take(entries)
        return version

    def _take(self, entries: Mapping[str, SharedValue]) -> None:
        read = []
        for key, shared in entries.items():
            self._versions[key] = shared.version
            said = _read(shared.value or b"")
            if said is not None:
                read.append(said)
        for number, event in sorted(read, key=lambda each: each[0]):
            self._number = max(number, self._number)
            if number > self._heard:
                self._heard = number
                if event is not None and event.told_by != self._leader.member and event.at > self.since:
                    self._keep(event)


def _written(event: Event, number: int) -> bytes:
    return f'{{"v":{VERSION},"n":{number},"name":"{event.name}","body":{codec.dump(event)}}}'.encode()


def _read(value: bytes) -> tuple[int, Event | None] | None:
    """Its number, and what it says, unless another version says it in a way that is not known here."""
    try:
        said = json.loads(value)
        number, kind = int(said["n"]), _SHARED.get(said["name"])
    except (ValueError, TypeError, KeyError):
        return None
    try:
        return number, codec.load(kind, json.dumps(said["body"])) if kind is not None and said["v"] == VERSION else None
    except (ValueError, KeyError):
        return number, None
