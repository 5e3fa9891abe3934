"""History that all members have: what one of them did goes into the journal of each other one, once.

Each member tells what it did under a ring of keys of its own, some of it at a time, in order and numbered, so that
who was away for a while finds what was told last. The others put it into their journals together with the number up to
which they did: nothing is there twice, whoever is started again meanwhile.

Nobody waits for any of that. While the coordinator is away it is kept for a while, and then the oldest of it is dropped
and that is said: the journal of who did it has all of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from failoverd import codec
from failoverd.core.events import Event, HistoryUntold
from failoverd.ports import Clock, Emit, Settled, Telling
from failoverd.runtime.journal_writer import CALM, JournalWriter
from failoverd.runtime.members.memory import LONGEST_PAUSE, SharedMemory, Unread
from failoverd.runtime.members.tellings import belongs, heard, told
from failoverd.runtime.supervising import backoff

EVENTS: Final = "events"

RING: Final = 256
"""Keys of each member. Who is away for longer than these last misses the rest."""

GATHER: Final = 1.0
"""Seconds for which more of it is waited for: one write of the coordinator for all of it."""

MOST_BYTES: Final = 64 * 1024
"""Of one value, where that is several events; the largest one alone is told as long as it is within the next."""

LARGEST: Final = 512 * 1024

MOST_WAITING: Final = 2_000
"""That are kept while the coordinator is away, or slow."""

MOST_UNWRITTEN: Final = 1_000
"""Values of others that wait for a journal which does not work."""

PATIENCE: Final = 2.0
"""Seconds for one write."""


class Teller(Protocol):
    """Which member this is, and whether it writes."""

    @property
    def member(self) -> str: ...
    @property
    def acts(self) -> bool: ...


class SharedHistory:
    """One member's part in it. `run` and `run_hearing` are endless.

    Args:
        teller: which member this is.
        memory: where they tell each other.
        journal: where what others tell is kept.
        hear: is called with each of it.
        emit: is told of what the others do not hear of.
        clock: the time.
    """

    def __init__(
        self,
        teller: Teller,
        memory: SharedMemory,
        journal: JournalWriter,
        hear: Callable[[Telling], None],
        emit: Emit,
        clock: Clock,
    ) -> None:
        self._teller = teller
        self._memory = memory
        self._journal = journal
        self._hear = hear
        self._emit = emit
        self._clock = clock
        self._waiting: deque[Telling] = deque()
        self._leaving: tuple[int, str] | None = None  # what is under way, and was perhaps done
        self._dropped = 0
        self._number = 0
        self._news = asyncio.Event()
        self._telling = asyncio.Lock()
        self._came: dict[tuple[str, int], list[codec.Json]] = {}
        self._arrived = asyncio.Event()
        self._known: dict[str, int] = {}
        memory.parts[EVENTS] = self.take

    # -- telling -------------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """An `Emit` sink. Never blocks."""
        if belongs(event, writes=self._teller.acts):
            self._put(event)

    def settled(self, change: Settled) -> None:
        """A change of this member ended so."""
        self._put(change)

    def _put(self, telling: Telling) -> None:
        self._waiting.append(telling)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self._dropped += 1
        self._news.set()

    async def run(self) -> None:
        """Tell the others, for ever."""
        await self._memory.known.wait()  # by then this knows where it stopped before a restart
        attempt = 0
        while True:
            await self._news.wait()
            pause = backoff(attempt, longest=LONGEST_PAUSE, chance=self._memory.chance) if attempt else GATHER
            await asyncio.sleep(pause)
            attempt = 0 if await self.flush() else attempt + 1

    async def flush(self) -> bool:
        """Tell all that waits. Whether it was."""
        if not self._memory.known.is_set():
            return False
        async with self._telling:
            self._news.clear()
            while self._leaving is not None or self._waiting:
                if self._leaving is None:
                    self._number = max(self._number + 1, 0 if self._number else int(self._clock()))
                    self._leaving = self._number, self._batch()
                if not await self._write(*self._leaving):
                    self._news.set()
                    return False
                self._leaving = None
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._emit(HistoryUntold(at=self._clock(), count=dropped))
        return True

    def _batch(self) -> str:
        """The next of it, as many as fit together."""
        room, bodies = MOST_BYTES, list[str]()
        while self._waiting:
            body = told(self._waiting[0])
            size = len(body.encode())
            if size > LARGEST:
                self._dropped += 1
            elif bodies and size > room:
                break
            else:
                bodies.append(body)
                room -= size
            self._waiting.popleft()
        return f"[{','.join(bodies)}]"

    async def _write(self, number: int, bodies: str) -> bool:
        """In the same place with the same number each time: it may have been done though nobody said so."""
        key = f"{EVENTS}/{self._teller.member}/{number % RING}"
        return await self._memory.put(key, f'{{"number":{number},"told":{bodies}}}', within=PATIENCE)

    # -- hearing -------------------------------------------------------------------------------------------------------

    async def take(self, found: Mapping[str, codec.Json]) -> Unread:
        """What stands in the common memory; what of it cannot be read."""
        unread: dict[str, ValueError] = {}
        for name, body in found.items():
            member, _, _ = name.partition("/")
            try:
                number, bodies = int(body["number"]), list(body["told"])
            except (ValueError, TypeError, LookupError, OverflowError):
                unread[name] = ValueError("it is no piece of a member's history")
                continue
            if member == self._teller.member:
                self._number = max(self._number, number)
            elif number > self._known.get(member, 0):
                self._came[member, number] = bodies
        while len(self._came) > MOST_UNWRITTEN:
            del self._came[min(self._came)]
        if self._came:
            self._arrived.set()
        return unread

    async def run_hearing(self) -> None:
        """Keep what the others tell, in the order in which each of them told it, for ever."""
        while True:
            await self._arrived.wait()
            if not await self._keep():
                await asyncio.sleep(CALM)

    async def _keep(self) -> bool:
        """Whether the journal has all of it."""
        while self._came:
            member, number = min(self._came)
            tellings = heard(self._came[member, number])
            if not await self._journal.hear(member, number, tellings):
                return False
            self._came.pop((member, number), None)
            self._known[member] = max(number, self._known.get(member, 0))
            for telling in tellings:
                self._hear(telling)
        self._arrived.clear()
        return True
