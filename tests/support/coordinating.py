"""The coordinator in memory, on whatever clock the loop has, and what goes wrong with a real one.

It behaves as etcd does, where etcd is strictest: a lease ends by the clock of the servers and takes everything with it
that hangs on it, in one revision; a revision never falls, but by a backup that is restored; a lost majority ends no
lease, and gives each its whole time again when it is back.
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final, NamedTuple, NoReturn, TypeVar

from failoverd.core.errors import Compacted, CoordinationError
from failoverd.ports import Leadership, Replacement, SharedValue

T = TypeVar("T")

LEADER: Final = "leader"

_MOMENT: Final = 1e-6
"""Seconds by which a timer may go off before it is due."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """What becomes of a call whose answer is not heard.

    Attributes:
        done_after: seconds after which it takes effect all the same; None: never.
        told_after: seconds after which the caller gives it up; None: after its patience.
    """

    done_after: float | None = None
    told_after: float | None = None


LOST: Final = Mishap()
"""Nothing that is sent arrives, and nobody says so."""

REFUSED: Final = Mishap(told_after=0.0)
"""The same, and that is known at once."""

UNANSWERED: Final = Mishap(done_after=0.0)
"""What is sent arrives and is done; no answer comes back."""


def overtaken(seconds: float) -> Mishap:
    """It is on its way for so long, and takes effect when nobody waits for it any more."""
    return Mishap(done_after=seconds)


class Kept(NamedTuple):
    """What stands under a key: since which revision, changed by which, and by which lease (0: for good)."""

    value: bytes
    created: int
    changed: int
    lease: int


class Happened(NamedTuple):
    """One change of one key."""

    version: int
    key: str
    entry: SharedValue


@dataclass(frozen=True, slots=True)
class Backup:
    """What the servers knew at a moment."""

    kept: Mapping[str, Kept]
    revision: int
    leases: frozenset[int]


class PaperQuorum:
    """The servers on which the members agree, all of them.

    Attributes:
        lease: seconds that a lease lasts when nobody renews it.
        latency: seconds that a call takes, there and back.
        patience: seconds that a member waits for an answer.
        silence: seconds after which a watch that nothing came by is taken for dead.
        whole: whether a majority of them is there.
        revision: grows with each change.
        elected: each leader that there was, by its epoch.
        moved: set, and replaced by another, whenever something is otherwise than before.
    """

    def __init__(
        self, lease: float = 20.0, *, latency: float = 0.002, patience: float = 2.0, silence: float = 30.0
    ) -> None:
        self.lease, self.latency, self.patience, self.silence = lease, latency, patience, silence
        self.whole = True
        self.kept: dict[str, Kept] = {}
        self.revision = 1
        self.elected: dict[int, str] = {}
        self.members: list[PaperCoordinator] = []
        self.moved = asyncio.Event()
        self._history: list[Happened] = []
        self._compacted = 0
        self._ends: dict[int, float] = {}  # of each lease
        self._ids = count(1)

    def member(self, name: str) -> "PaperCoordinator":
        """A way of a member to it: as many as there are processes, of one name, too."""
        found = PaperCoordinator(self, name)
        self.members.append(found)
        return found

    @property
    def leader(self) -> str:
        """Who leads by what the servers know; empty: nobody."""
        return self.kept[LEADER].value.decode() if LEADER in self.kept else ""

    @property
    def epoch(self) -> int:
        return self.kept[LEADER].created if LEADER in self.kept else 0

    # -- what befalls it -----------------------------------------------------------------------------------------------

    def lose_quorum(self) -> None:
        self.whole = False

    def regain_quorum(self) -> None:
        """Each lease has its whole time again: nobody could renew it."""
        self.whole = True
        for lease in self._ends:
            self._renew(lease)
        self.stir()

    def compact(self) -> None:
        """What happened until now is forgotten."""
        self._compacted = self.revision
        self._history.clear()

    def break_watches(self) -> None:
        """A server is restarted: who watched by it has to begin again."""
        for member in self.members:
            member.breaks += 1
        self.stir()

    def revoke(self, name: str) -> None:
        """A person takes away the leases of a member."""
        for member in self.members:
            if member.name == name:
                self.end(member.holds)

    def delete(self, key: str) -> None:
        """A person deletes a key."""
        if key in self.kept:
            self._drop([key])

    def backup(self) -> Backup:
        return Backup(dict(self.kept), self.revision, frozenset(self._ends))

    def restore(self, backup: Backup) -> None:
        """It is put back to what it was: what was said since is unknown, and revisions come a second time."""
        self.kept, self.revision, self.whole = dict(backup.kept), backup.revision, True
        self._compacted = backup.revision
        self._history.clear()
        self._ends.clear()
        for lease in backup.leases:
            self._renew(lease)
        self.break_watches()

    # -- what its members ask ------------------------------------------------------------------------------------------

    def grant(self) -> int:
        lease = next(self._ids)
        self._renew(lease)
        return lease

    def renewed(self, lease: int) -> bool:
        """Whether it is there still, and for the whole time again from now on."""
        if lease not in self._ends:
            return False
        self._ends[lease] = self._now() + self.lease
        return True

    def lasts(self, lease: int) -> bool:
        return lease in self._ends

    def end(self, lease: int) -> None:
        if self._ends.pop(lease, None) is not None:
            self._drop([key for key, each in self.kept.items() if each.lease == lease])

    def lead(self, name: str, lease: int, *, stands: bool) -> Leadership:
        if LEADER not in self.kept:
            if not stands:
                return Leadership("", 0, mine=False)
            epoch = self.put(LEADER, name.encode(), lease)
            self.elected[epoch] = name
        found = self.kept[LEADER]
        return Leadership(found.value.decode(), found.created, mine=found.lease == lease)

    def put(self, key: str, value: bytes, lease: int = 0) -> int:
        return self._put_all({key: value}, lease)

    def _put_all(self, values: Mapping[str, bytes], lease: int = 0) -> int:
        """In one revision."""
        self.revision += 1
        for key, value in values.items():
            created = self.kept[key].created if key in self.kept else self.revision
            self.kept[key] = Kept(value, created, self.revision, lease)
        self._tell([Happened(self.revision, key, SharedValue(value, self.revision)) for key, value in values.items()])
        return self.revision

    def swap_all(self, values: Mapping[str, Replacement], epoch: int | None) -> Mapping[str, int]:
        if epoch is not None and self.epoch != epoch:
            return {}
        stands = {key: self.kept[key].changed if key in self.kept else 0 for key in values}
        swapped = {key: each.value for key, each in values.items() if stands[key] == each.after}
        return dict.fromkeys(swapped, self._put_all(swapped)) if swapped else {}

    def take_away(self, key: str, after: int, epoch: int | None) -> bool:
        if key not in self.kept or self.kept[key].changed != after or (epoch is not None and self.epoch != epoch):
            return False
        self._drop([key])
        return True

    def entries(self, below_key: str) -> tuple[Mapping[str, SharedValue], int]:
        found = {key: each for key, each in sorted(self.kept.items()) if key.startswith(below_key)}
        return {key: SharedValue(each.value, each.changed) for key, each in found.items()}, self.revision

    def since(self, after: int) -> list[Happened]:
        """Every change after that revision.

        Raises:
            Compacted: some of them are not known any more, or it never came to that revision.
        """
        if after < self._compacted:
            raise Compacted("what happened since then is forgotten", reason="compacted")
        if after > self.revision:
            raise Compacted("the coordinator was put back to an older state", reason="restored")
        return self._history[bisect_right(self._history, after, key=lambda each: each.version) :]

    # -- the rest ------------------------------------------------------------------------------------------------------

    def stir(self) -> None:
        self.moved.set()
        self.moved = asyncio.Event()

    def _drop(self, keys: list[str]) -> None:
        if keys:
            self.revision += 1
            for key in keys:
                del self.kept[key]
            self._tell([Happened(self.revision, key, SharedValue(None, self.revision)) for key in keys])

    def _tell(self, happened: list[Happened]) -> None:
        self._history += happened
        self.stir()

    def _renew(self, lease: int) -> None:
        self._ends[lease] = self._now() + self.lease
        self._wait_for(lease)

    def _wait_for(self, lease: int) -> None:
        asyncio.get_running_loop().call_at(self._ends[lease], self._look_at, lease)

    def _look_at(self, lease: int) -> None:
        """Its time may be over by now, unless it was renewed, and while there is a majority to say so."""
        if lease not in self._ends or not self.whole:
            return
        if self._ends[lease] > self._now() + _MOMENT:
            self._wait_for(lease)
        else:
            self.end(lease)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


@dataclass(eq=False)
class PaperCoordinator:
    """`Coordinator` of one member, and what befalls its way there.

    Attributes:
        way: what becomes of everything that it asks; None: it is answered.
        mishaps: what becomes of each of its coming calls, before that.
        delay: seconds that each call takes longer.
        campaigning: seconds that a campaign takes besides: of etcd, two things are asked.
        breaks: how often its watches were broken.
        holds: the lease that it knows of; 0: none.
        denied: what begins so it may neither read nor write; empty: it may do everything.
    """

    quorum: PaperQuorum
    name: str
    way: Mishap | None = None
    mishaps: deque[Mishap] = field(default_factory=deque)
    delay: float = 0.0
    campaigning: float = 0.0
    breaks: int = 0
    holds: int = 0
    denied: str = ""
    _awake: asyncio.Event | None = None
    _granting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def lease(self) -> float:
        return self.quorum.lease

    # -- what befalls it -----------------------------------------------------------------------------------------------

    def cut(self, how: Mishap = LOST) -> None:
        """The way to the servers is lost, or one direction of it."""
        self.way = how
        if how.told_after is not None:
            self.breaks += 1
        self.quorum.stir()

    def mend(self) -> None:
        self.way = None
        self.quorum.stir()

    def freeze(self) -> None:
        """The process is suspended. What it had asked is answered when it wakes, if it was asked already."""
        self._awake = self._awake or asyncio.Event()

    def thaw(self) -> None:
        if self._awake is not None:
            self._awake.set()
            self._awake = None

    # -- Coordinator ---------------------------------------------------------------------------------------------------

    async def campaign(self, *, stands: bool = True) -> Leadership:
        led = partial(self._led, stands=stands)
        await asyncio.sleep(self.campaigning)
        if (found := await self._call(led)) is not None:
            return found
        await self._hold_lease()
        return await self._call(led) or Leadership("", 0, mine=False)

    async def resign(self) -> None:
        lease, self.holds = self.holds, 0
        await self._call(lambda: self.quorum.end(lease))

    async def replace(self, key: str, value: bytes, *, after: int, epoch: int | None = None) -> int | None:
        return (await self.replace_all({key: Replacement(value, after)}, epoch=epoch)).get(key)

    async def replace_all(self, values: Mapping[str, Replacement], *, epoch: int | None = None) -> Mapping[str, int]:
        self._require_permitted(*values)
        return await self._call(lambda: self.quorum.swap_all(values, epoch))

    async def remove(self, key: str, *, after: int, epoch: int | None = None) -> bool:
        return await self._call(lambda: self.quorum.take_away(key, after, epoch))

    async def publish(self, values: Mapping[str, bytes]) -> None:
        if not self.holds:
            await self._hold_lease()
        self._require_permitted(*values)
        await self._call(lambda: self._said(values))

    def _require_permitted(self, *keys: str) -> None:
        if self.denied and any(key.startswith(self.denied) for key in keys):
            raise CoordinationError("permission denied", reason="http_403", remedy="let the user")

    async def entries(self, below_key: str) -> tuple[Mapping[str, SharedValue], int]:
        self._require_permitted(below_key)
        return await self._call(lambda: self.quorum.entries(below_key))

    async def changes(self, below_key: str, after: int) -> AsyncIterator[tuple[str, SharedValue]]:
        begun = self.breaks
        await self._call(lambda: self.quorum.since(after))
        heard_at = self._now()
        while True:
            moved = self.quorum.moved
            await self._woken()
            if self.breaks != begun:
                raise CoordinationError(f"the watch of {self.name} was ended", reason="watch_ended")
            if self.way is None:
                heard_at = self._now()
                happened = self.quorum.since(after)
                after = self.quorum.revision
                for each in happened:
                    if each.key.startswith(below_key):
                        yield each.key, each.entry
            elif self._now() >= heard_at + self.quorum.silence:
                raise CoordinationError(f"the watch of {self.name} hears nothing", reason="timeout")
            if moved is self.quorum.moved:
                await self._stirred(moved, None if self.way is None else heard_at + self.quorum.silence)

    # -- the way there -------------------------------------------------------------------------------------------------

    async def _hold_lease(self) -> None:
        """Have a single one, whoever asks meanwhile."""
        async with self._granting:
            if not await self._call(lambda: self.quorum.renewed(self.holds)):
                self.holds = await self._call(self.quorum.grant)

    def _led(self, *, stands: bool) -> Leadership | None:
        return self.quorum.lead(self.name, self.holds, stands=stands) if self.quorum.renewed(self.holds) else None

    def _said(self, values: Mapping[str, bytes]) -> None:
        if not self.quorum.lasts(self.holds):
            raise CoordinationError(f"the lease of {self.name} is over", reason="no_lease")
        for key, value in values.items():
            self.quorum.put(key, value, self.holds)

    async def _call(self, effect: Callable[[], T]) -> T:
        await self._woken()
        mishap = self._mishap()
        if mishap is not None:
            await self._missed(effect, mishap)
        half = (self.quorum.latency + self.delay) / 2
        await asyncio.sleep(half)
        if not self.quorum.whole:
            await self._missed(effect, LOST)
        answer = effect()
        await asyncio.sleep(half)
        if self.way is not None:
            await self._missed(effect, LOST)  # what was done is done
        await self._woken()
        return answer

    def _mishap(self) -> Mishap | None:
        if self.mishaps:
            return self.mishaps.popleft()
        late = self.quorum.latency + self.delay > self.quorum.patience
        return overtaken(self.delay / 2) if late and self.way is None else self.way

    async def _missed(self, effect: Callable[[], object], mishap: Mishap) -> NoReturn:
        """What becomes of a call whose answer is not heard."""
        if mishap.done_after is not None:
            asyncio.get_running_loop().call_later(mishap.done_after, self._arrive, effect)
        await asyncio.sleep(self.quorum.patience if mishap.told_after is None else mishap.told_after)
        await self._woken()
        reason = "timeout" if mishap.told_after is None else "connect_refused"
        raise CoordinationError(f"{self.name} hears nothing of the coordinator", reason=reason)

    def _arrive(self, effect: Callable[[], object]) -> None:
        if self.quorum.whole:
            with suppress(CoordinationError):
                effect()

    async def _woken(self) -> None:
        while self._awake is not None:
            await self._awake.wait()

    async def _stirred(self, moved: asyncio.Event, until: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await moved.wait()
        await asyncio.sleep(self.quorum.latency / 2)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
