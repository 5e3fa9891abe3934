"""What the members remember together: the state of each policy, which the leader writes, and operators' words.

Each member follows one watch from the version up to which it read everything, so that a follower knows what the leader
knew a moment ago, and takes over without reading it all. What it missed nevertheless, it notices: a new leader writes
one value of its own, and leads once that has come back to it, for a watch tells in order.

Losing the coordinator loses nothing: each member goes on with what it knows, and its own journal keeps it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from failoverd import codec
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.errors import CoordinationError
from failoverd.core.events import MemoryRead, MemoryUnread
from failoverd.core.overrides import AHEAD, KNOWN, LONGEST, Override
from failoverd.foreign import quoted, shown_name
from failoverd.ports import Clock, Coordinator, Emit, Replacement, SharedValue, time_to_answer
from failoverd.runtime.members.gathered_writes import GatheredWrites
from failoverd.runtime.members.versioned import LARGEST_EPOCH, VERSION, read_object
from failoverd.runtime.override_book import Overrides
from failoverd.runtime.states import States
from failoverd.runtime.supervising import CHANCE, backoff
from failoverd.state_parts import HEAD, override_of, parts_of, state_head, target_memory

SHARED: Final = "shared/"
"""What every key begins with that is remembered together: one watch sees all of them in order."""

PATIENCE: Final = 0.5
"""Seconds that a write to a provider waits for this memory. It is not what makes that safe: the fence is."""

LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries, where the coordinator does not answer."""

MOST_UNREAD: Final = 20
"""Keys that cannot be read and are told of: somebody may have filled it with them."""

STATES: Final = "states"
WORDS: Final = "words"
HEARD: Final = "heard"
_OWN: Final = f"{SHARED}{STATES}/"
"""What this member has to learn nothing from when it hears what it wrote. A leader writes much of that."""


Unread = Mapping[str, ValueError]
"""What cannot be read, by name, and why."""

Take = Callable[[Mapping[str, codec.Json]], Awaitable[Unread]]
"""Takes up what stands under names of one kind, all that is known at the start and then what changes."""


class Leader(Protocol):
    """Which member this is, whether it leads or led last, and the epoch by which the coordinator knows it."""

    @property
    def member(self) -> str: ...
    @property
    def leads(self) -> bool: ...
    @property
    def led_last(self) -> bool: ...
    @property
    def epoch_in_coordinator(self) -> int: ...

    def look(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read of one policy, and not taken up yet."""

    heads: dict[str, PolicyState]
    targets: dict[str, dict[str, TargetMemory]]


class SharedMemory:
    """The members' common memory, as one of them uses it. Everything in `works` is endless.

    Args:
        coordinator: where it is.
        leader: whether this member leads.
        states: what this member knows of each policy.
        words: operators' words, as this member knows them.
        heed: has the policies worked on that a word of another member concerns.
        emit: is told of what cannot be read.
        clock: the time.

    Attributes:
        parts: who takes up what stands in it, by what its keys begin with.
        known: set once everything was read, for the first time.
        moved: hears of policies for which the leader has written something.
        needs: whether this member has a policy, and its file a target, or (`HEAD`) any.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        leader: Leader,
        states: States,
        words: Overrides,
        heed: Callable[[Override], None],
        emit: Emit,
        clock: Clock,
    ) -> None:
        self.chance = CHANCE
        self._coordinator = coordinator
        self._leader = leader
        self._states = states
        self._words = words
        self._heed = heed
        self._emit = emit
        self._clock = clock
        self._versions: dict[str, int] = {}
        self._seen = 0
        self._reached = asyncio.Condition()
        self._stale = asyncio.Event()
        self._unread: dict[str, float] = {}
        self._gathered = GatheredWrites(self._replace_all)
        self.parts: dict[str, Take] = {STATES: self._take_states, WORDS: self._take_words}
        self.known = asyncio.Event()
        self.moved: Callable[[str], None] = _unheard
        self.needs: Callable[[str, str], bool] = _any

    @property
    def versions(self) -> Mapping[str, int]:
        """The version of each key that stands there, as far as this member knows."""
        return self._versions

    @property
    def works(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on, each by itself."""
        return {"common memory": self.run, "states for others": self._gathered.run}

    # -- following -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Know what the others remember, for ever."""
        attempt = 0
        while True:
            try:
                await self._follow()
                attempt = 0
            except CoordinationError:  # that it does not answer is told by who campaigns
                attempt += 1
                await asyncio.sleep(backoff(attempt, longest=LONGEST_PAUSE, chance=self.chance))

    async def _follow(self) -> None:
        """Read everything, then what changes, until another one leads: what this one believed may be no more then."""
        self._stale.clear()
        entries, version = await self._coordinator.entries(SHARED)
        before, self._versions = self._versions, {key: value.version for key, value in entries.items()}
        if any(self._versions.get(key, 0) < known for key, known in before.items()):
            self._states.unshared()  # a backup of the coordinator does not hold what it was told since
        await self._take(entries)
        for key in self._unread.keys() - entries.keys():
            self._tell_whether_read(key, None)
        await self._reach(version)
        self.known.set()
        await self._say_unheard()
        watch = asyncio.create_task(self._watch(version))
        stale = asyncio.create_task(self._stale.wait())
        try:
            while not await self._end_of(watch, stale):
                if self._words.unshared:  # who was not answered for a moment has a watch that goes on
                    await self._say_unheard()
        finally:
            for task in (watch, stale):
                task.cancel()
            ended = await asyncio.gather(watch, stale, return_exceptions=True)
        if isinstance(ended[0], Exception):
            raise ended[0]

    async def _end_of(self, *tasks: asyncio.Task[object]) -> bool:
        """Whether one of them has ended; waits for that, but not for ever."""
        pause = time_to_answer(self._coordinator)
        ended, _ = await asyncio.wait(tasks, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        return bool(ended)

    async def _say_unheard(self) -> None:
        """Say the words that the others do not know.

        They were said while the coordinator did not answer, or it lost them, or there was none yet.
        """
        for word in self._words.all():
            now = self._clock()
            begun = not word.planned or word.since <= now
            if (
                begun
                and word.known_by(now)
                and (word.id in self._words.unshared or f"{SHARED}{WORDS}/{word.id}" not in self._versions)
            ):
                await self._words.keep(word)

    async def _watch(self, version: int) -> None:
        async for key, value in self._coordinator.changes(SHARED, version):
            if self._stale.is_set():
                continue  # everything is about to be read anew, and who catches up waits for that
            own = key.startswith(_OWN) and self._versions.get(key) == value.version  # it wrote that itself
            self._versions[key] = value.version
            if value.value is None:
                self._lost(key)
            if not own:
                await self._take({key: value})
            await self._reach(value.version)

    def _lost(self, key: str) -> None:
        """The leader took it away, for nobody needs it; or a person did, and it is told again by who knows it."""
        del self._versions[key]
        kind, _, name = key.removeprefix(SHARED).partition("/")
        policy, _, target = name.partition("/")
        word = self._words.get(name) if kind == WORDS else None
        if kind == STATES and not self.needs(policy, HEAD):
            self._states.forget(policy)
        elif kind == STATES and not self.needs(policy, target):
            self._states.forget_target(policy, target)
        elif kind == STATES or (word is not None and word.known_by(self._clock())):
            self.again()

    def again(self) -> None:
        """Another one led, or something was lost: what this one knows counts no more than what stands there."""
        self._states.unshared()
        self._stale.set()

    async def catch_up(self) -> None:
        """Return once everything is known here that was remembered when this was called.

        Raises:
            CoordinationError: it cannot be known now.
        """
        key = f"{SHARED}{HEARD}/{self._leader.member}"
        said = await self._coordinator.replace(key, _wrapped("{}"), after=self._versions.get(key, 0))
        if said is None:
            self._stale.set()
            raise CoordinationError("the common memory is not known yet", reason="not_caught_up")
        async with self._reached:
            await self._reached.wait_for(lambda: self._seen >= said)

    async def _reach(self, version: int) -> None:
        async with self._reached:
            self._seen = version
            self._reached.notify_all()

    # -- taking up -----------------------------------------------------------------------------------------------------

    async def _take(self, entries: Mapping[str, SharedValue]) -> None:
        bodies: defaultdict[str, dict[str, codec.Json]] = defaultdict(dict)
        for key, shared in entries.items():
            kind, _, name = key.removeprefix(SHARED).partition("/")
            if shared.value is None:
                self._tell_whether_read(key, None)
                continue
            if kind not in self.parts:
                continue
            try:
                bodies[kind][name] = unwrapped(shared.value)
            except ValueError as error:
                self._tell_unread(key, error)
        for kind, found in bodies.items():
            unread = await self.parts[kind](found)
            for name in found:
                self._tell_whether_read(f"{SHARED}{kind}/{name}", unread.get(name))

    async def _take_states(self, bodies: Mapping[str, codec.Json]) -> Unread:
        found, unread = _Found({}, {}), dict[str, ValueError]()
        for name, body in bodies.items():
            policy, _, target = name.partition("/")
            try:
                if target == HEAD:
                    found.heads[policy] = state_head(policy, body)
                else:
                    found.targets.setdefault(policy, {})[target] = target_memory(policy, target, body)
            except ValueError as error:
                unread[name] = error
        its_own = self._leader.leads or self._leader.led_last  # it knows more than it could tell, before it was cut off
        for policy in () if its_own else found.heads.keys() | found.targets.keys():
            if self._states.adopt(policy, found.heads.get(policy), found.targets.get(policy, {})):
                self.moved(policy)
        return unread

    async def _take_words(self, bodies: Mapping[str, codec.Json]) -> Unread:
        unread = dict[str, ValueError]()
        for name, body in bodies.items():
            try:
                await self._take_word(self._sound(override_of(name, body)))
            except ValueError as error:
                unread[name] = error
        return unread

    def _sound(self, word: Override) -> Override:
        """Raises ValueError for what nobody can have said: each word has an end, and it is near."""
        if not word.until <= self._clock() + AHEAD + KNOWN:
            raise ValueError(f"it would hold for longer than any word: {LONGEST / 3600:g}h")
        return word

    async def _take_word(self, word: Override) -> None:
        known = self._words.get(word.id)
        unheard = word.id in self._words.unshared
        if known is not None and known != word and (known.said_after(word) or (unheard and not word.said_after(known))):
            self._words.heard_by_all(known, as_it_is=False)  # a backup says it, or who did not hear it here
            return  # it is told as it is here as soon as this member can
        self._words.heard_by_all(word, as_it_is=True)
        if known == word:
            return
        self._words.heed(word)
        self._heed(word)
        await self._words.keep_here(word)

    def _tell_whether_read(self, key: str, error: ValueError | None) -> None:
        if error is not None:
            self._tell_unread(key, error)
        elif (since := self._unread.pop(key, None)) is not None and not self._unread:
            self._emit(MemoryRead(at=self._clock(), lasted=self._clock() - since))

    def _tell_unread(self, key: str, error: ValueError) -> None:
        if key in self._unread or len(self._unread) >= MOST_UNREAD:
            return
        self._unread[key] = self._clock()
        why = quoted(str(error).partition("\n")[0])
        self._emit(MemoryUnread(at=self._clock(), key=shown_name(key), error=why))

    # -- saying --------------------------------------------------------------------------------------------------------

    async def keep(self, state: PolicyState) -> bool:
        """Remember what is new of a policy; only the leader does. Whether all of it is."""
        if not self._leader.leads:
            return False
        parts = {f"{STATES}/{state.policy}/{key}": body for key, body in parts_of(state).items()}
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._gathered.put(parts, self._leader.epoch_in_coordinator)
        except TimeoutError:
            return False

    async def _replace_all(self, bodies: Mapping[str, str], epoch: int) -> Collection[str]:
        """Put JSON in the place of what is known to stand there, if this member still leads; which of it was put."""
        places = {f"{SHARED}{name}": body for name, body in bodies.items()}
        values = {key: Replacement(_wrapped(body), self._versions.get(key, 0)) for key, body in places.items()}
        said = await self._coordinator.replace_all(values, epoch=epoch)
        for key, version in said.items():
            self._versions[key] = max(version, self._versions.get(key, 0))
        if len(said) < len(values):
            self._leader.look()  # somebody else may lead by now
        return {key.removeprefix(SHARED) for key in said}

    async def say(self, word: Override) -> bool:
        """Let every member know a word. Whether they will.

        Somebody else may share the same word in that moment (that it is about to end, say): then it is said once more,
        as soon as that is known here, unless the word is over by that.
        """
        name, body = f"{WORDS}/{word.id}", codec.dump(word)
        key = f"{SHARED}{name}"
        before = self._versions.get(key, 0)
        try:
            async with asyncio.timeout(time_to_answer(self._coordinator)):
                if await self.replace(name, body):
                    return True
                async with self._reached:
                    await self._reached.wait_for(lambda: self._versions.get(key, 0) != before)
                known = self._words.get(word.id)
                return not (known is not None and known.said_after(word)) and await self.replace(name, body)
        except (CoordinationError, TimeoutError):
            return False

    async def put(self, name: str, body: str, epoch: int | None = None, *, within: float) -> bool:
        """The same as `replace`, for so many seconds, and False too where nobody knows whether it was done."""
        try:
            async with asyncio.timeout(within):
                return await self.replace(name, body, epoch)
        except (CoordinationError, TimeoutError):
            return False

    async def replace(self, name: str, body: str, epoch: int | None = None) -> bool:
        """Put JSON in the place of what is known to stand there; with `epoch`, if this member still leads in it.

        Whether it was done. Who asks again after it was not, knows by then what stands there, or soon will.

        Raises:
            CoordinationError: nobody knows whether it was done.
        """
        key = f"{SHARED}{name}"
        version = await self._coordinator.replace(key, _wrapped(body), after=self._versions.get(key, 0), epoch=epoch)
        if version is None:
            return False
        self._versions[key] = max(version, self._versions.get(key, 0))
        return True


def _unheard(_: str) -> None:
    """Nobody wants to know."""


def _wrapped(body: str) -> bytes:
    return f'{{"v":{VERSION},"body":{body}}}'.encode()


def _any(_: str, __: str) -> bool:
    """All that there are."""
    return True


def unwrapped(value: bytes) -> codec.Json:
    """What a member put there, as JSON. Raises ValueError for what no member of this version wrote."""
    said = read_object(value, LARGEST_EPOCH)
    if "body" not in said:
        raise ValueError("it has no body")
    return said["body"]
