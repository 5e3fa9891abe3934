"""Delivers to one address: what is news, what lasts from time to time, and all of it again until it is taken.

What waits is held by its key, and only the latest of it: a trouble that came and went ten times while the receiver was
away is told once, as it stands. So there is never more than one notice for each trouble, and no failover waits for it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import islice
from typing import Final, TypedDict

from failoverd.core.errors import FailoverdError
from failoverd.core.events import Level, NotificationDelivered, NotificationFailed
from failoverd.core.status import Notice, ReceiverStatus
from failoverd.ports import Clock, Emit, Outlet
from failoverd.settings import ReceiverSettings
from failoverd.telemetry.notifications.ledger import GIVE_UP, Key
from failoverd.telemetry.notifications.posting import Post, Undelivered
from failoverd.telemetry.notifications.troubles import receiver

TELL_AFTER: Final = 3
"""Failures in a row after which it is said that a receiver does not work."""

MOST_REFUSALS: Final = 3
"""How often one and the same message is sent in a row to a receiver that refuses it."""

ASIDE: Final = 300.0
"""Seconds after which what was refused is tried again, if it lasts: it may have been the secret that was wrong."""

Pause = Callable[[int], float]
"""Seconds before try number so and so (1 is the first repeat)."""

Done = Callable[[Notice, str], None]
"""Told of a notice that needs no more tries at the place of that name."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a configured receiver."""

    name: str
    kind: str
    settings: ReceiverSettings
    outlet: Outlet

    @property
    def place(self) -> str:
        return f"{self.name} {self.outlet.place}"

    def wants(self, notice: Notice) -> bool:
        """What is about no policy is told in any case; that an address does not work is told to the others."""
        if notice.kind == NotificationFailed.name and notice.subject == receiver(self.name, self.outlet.place):
            return False
        if self.settings.level == "error" and notice.severity != Level.ERROR:
            return False
        patterns = self.settings.only
        return not patterns or not notice.policy or any(fnmatchcase(notice.policy, each) for each in patterns)


class Outbox:
    """What waits for one address. `run` is endless; start it as a supervised task.

    Args:
        address: where to.
        post: the way out.
        pause: how long to wait between two tries.
        done: is told of each notice that needs no more tries.
    """

    def __init__(self, address: Address, post: Post, pause: Pause, emit: Emit, clock: Clock, done: Done) -> None:
        self.address = address
        self._post = post
        self._pause = pause
        self._emit = emit
        self._clock = clock
        self._done = done
        self._waiting: dict[Key, Notice] = {}
        self._lasting: dict[Key, Notice] = {}
        self._aside: dict[Key, Notice] = {}
        self._known: set[Key] = set()
        """What was sent there as lasting, whatever became of it: of the end of anything else nobody has to hear."""
        self._news = asyncio.Event()
        self._again_at = self._aside_until = 0.0
        self._failures = 0
        self._refusals = 0
        self._asked_for = 0.0
        self._told = False
        self._status = ReceiverStatus(address.name, address.kind, address.outlet.place)

    @property
    def status(self) -> ReceiverStatus:
        return replace(self._status, waiting=len(self._waiting) + len(self._aside))

    def resume(self, notices: Iterable[Notice], *, again: bool = True) -> None:
        """After a restart: told again, unless it cannot know a trouble by its key and was told of it.

        With `again` False it is not told again in any case: who told it did so lately.
        """
        for notice in notices:
            told, keyed = self.address.place in notice.told, self.address.outlet.keyed
            if told or keyed:  # it may have been sent in the moment of a kill; an end that it does not know is harmless
                self._known.add(notice.key)
            if notice.ended is None and told and not (keyed and again):
                self._last(notice)
                self._waiting.pop(notice.key, None)
            else:
                self.take(notice)

    def forget(self, keys: Iterable[Key]) -> None:
        """Another one tells of these from now on."""
        for key in keys:
            for held in (self._waiting, self._lasting, self._aside):
                held.pop(key, None)
            self._known.discard(key)

    def take(self, notice: Notice) -> None:
        """Deliver it, instead of whatever waits under its key. Never blocks."""
        if not self.address.wants(notice):
            return
        key = notice.key
        self._waiting.pop(key, None)
        self._aside.pop(key, None)
        if notice.ended is None:
            self._last(notice)
        else:
            self._lasting.pop(key, None)
            if key not in self._known:
                return
        self._waiting[key] = notice
        self._news.set()

    def _last(self, notice: Notice) -> None:
        every = self.address.outlet.every
        if not self._lasting and every is not None:
            self._again_at = self._clock() + every
        self._lasting[notice.key] = notice

    def owes(self, key: Key) -> bool:
        """Whether it is still to be told of this."""
        return key in self._waiting

    async def run(self) -> None:
        while True:
            await self._due()
            await self._send()

    # -- time ----------------------------------------------------------------------------------------------------------

    async def _due(self) -> None:
        """Until there is something to send, and enough time has passed since the last try."""
        await asyncio.sleep(
            max(self._pause(self._failures), self._asked_for) if self._failures else self.address.outlet.pause
        )
        while not self._waiting:
            self._news.clear()
            try:
                async with asyncio.timeout(self._rest()):
                    await self._news.wait()
            except TimeoutError:
                self._once_more()

    def _once_more(self) -> None:
        """What is due to be told again: what was set aside, or all that lasts."""
        now, every = self._clock(), self.address.outlet.every
        if self._aside and now >= self._aside_until:
            self._waiting |= self._aside
            self._aside.clear()
        if every is not None and now >= self._again_at:
            self._again_at = now + every
            self._waiting |= self._lasting

    def _rest(self) -> float | None:
        due = [self._aside_until] if self._aside else []
        due += [self._again_at] if self.address.outlet.every is not None and self._lasting else []
        return max(0.0, min(due) - self._clock()) if due else None

    # -- one delivery --------------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        now, outlet = self._clock(), self.address.outlet
        for notice in [
            each for each in self._waiting.values() if each.ended is not None and each.ended < now - GIVE_UP
        ]:
            self._drop([notice])
        urgent = sorted(self._waiting.values(), key=lambda notice: notice.severity != Level.ERROR)
        batch = list(islice(urgent, outlet.batch))
        if not batch:
            return
        self._known |= {notice.key for notice in batch if notice.ended is None}
        try:
            await self._post(outlet.delivery(batch, now), self.address.place)
        except FailoverdError as error:
            self._failed(error, batch)
        else:
            self._delivered(batch)

    def _delivered(self, batch: Iterable[Notice]) -> None:
        self._failures = self._refusals = 0
        self._asked_for = 0.0
        since = self._status.failing_since
        if self._told and since is not None:
            self._emit(NotificationDelivered(**self._names(), lasted=self._clock() - since))
        self._told = False
        self._status = replace(
            self._status, delivered=self._status.delivered + len(list(batch)), failing_since=None, error=""
        )
        for notice in batch:
            self._settle(notice)

    def _failed(self, error: FailoverdError, batch: list[Notice]) -> None:
        """What is wrong with the message alone ends with it; everything else is tried again until it works."""
        self._failures += 1
        since = self._status.failing_since
        self._status = replace(
            self._status, failing_since=since if since is not None else self._clock(), error=error.detail
        )
        self._asked_for = (error.retry_after or 0.0) if isinstance(error, Undelivered) else 0.0
        self._refusals = self._refusals + 1 if isinstance(error, Undelivered) and error.refused else 0
        if self._failures >= TELL_AFTER and not self._told:
            self._told = True
            said = {"reason": error.reason, "detail": error.detail, "remedy": error.remedy}
            self._emit(NotificationFailed(**self._names(), **said, waiting=len(self._waiting)))
        if self._refusals >= MOST_REFUSALS:
            self._refusals = 0
            self._set_aside([notice for notice in batch if notice.ended is None])
            self._drop([notice for notice in batch if notice.ended is not None])

    def _set_aside(self, batch: Iterable[Notice]) -> None:
        """Let the others be told meanwhile."""
        for notice in batch:
            if self._waiting.get(notice.key) is notice:
                self._aside[notice.key] = self._waiting.pop(notice.key)
                self._aside_until = self._clock() + ASIDE

    def _drop(self, batch: Iterable[Notice]) -> None:
        for notice in batch:
            self._status = replace(self._status, dropped=self._status.dropped + 1)
            self._settle(notice)

    def _settle(self, notice: Notice) -> None:
        """It needs no more tries; what took its place meanwhile does."""
        if self._waiting.get(notice.key) is notice:
            del self._waiting[notice.key]
        if notice.ended is not None and notice.key not in self._lasting:
            self._known.discard(notice.key)
        self._done(notice, self.address.place)

    def _names(self) -> "_Names":
        return {"at": self._clock(), "receiver": self.address.name, "place": self.address.outlet.place}


class _Names(TypedDict):
    at: float
    receiver: str
    place: str
