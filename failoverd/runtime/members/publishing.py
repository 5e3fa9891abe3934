"""What this member tells the others, and tells again where it is lost."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from failoverd.core.errors import CoordinationError
from failoverd.core.health.isolation import NEVER, Family
from failoverd.core.records import Policy
from failoverd.ports import Coordinator, time_to_answer
from failoverd.runtime.members.ballots import Ballot, Introduction, MemberBeat
from failoverd.runtime.members.gathered_writes import TOGETHER
from failoverd.runtime.naps import Nap

VANTAGES: Final = "vantages/"
"""What every key begins with: one watch hears in order, so no heartbeat is heard before the ballots that it follows."""

MEMBERS: Final = f"{VANTAGES}members/"
BALLOTS: Final = f"{VANTAGES}votes/"

GATHER: Final = 0.02
"""Seconds for which changes are gathered before they are told, and as much again for each `PIECE` of what is told."""

PIECE: Final = 10_000
"""Bytes."""

AT_ONCE: Final = 4
"""Calls that are under way together, each with as many ballots as go `TOGETHER`."""


class Publisher:
    """What this member publishes.

    Args:
        coordinator: where they tell each other.
        me: the name of this member.
        introduction: what it says of itself.
        settings: a digest of what all members have to be told alike.
        isolated: the address families in which it does not trust itself.
        policies: what runs here, by name.
        ballot: what it sees of one of them.
        patience: seconds of silence after which somebody takes it for gone.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        me: str,
        introduction: Introduction,
        settings: str,
        isolated: Callable[[], frozenset[Family]],
        policies: Callable[[], Mapping[str, Policy]],
        ballot: Callable[[Policy], Ballot],
        patience: Callable[[], float],
    ) -> None:
        self._coordinator = coordinator
        self._me = me
        self._introduction = introduction
        self._settings = settings
        self._isolated = isolated
        self._policies = policies
        self._ballot = ballot
        self._patience = patience
        self._clock = introduction.clock
        self._unsaid: set[str] = set()
        self._said: dict[str, bytes] = {}
        self._stands: dict[str, bytes] = {}  # in this member's name, as the coordinator tells
        self._nap = Nap(introduction.clock)
        self._number = 0
        self._beat_at = NEVER
        self._told_isolated: frozenset[Family] = frozenset()

    @property
    def beat(self) -> float:
        """Seconds between two heartbeats: so many that nobody takes this member for gone."""
        return self._patience() / 10

    @property
    def keys(self) -> set[str]:
        """The keys of what this member said."""
        heartbeat = {f"{MEMBERS}{self._me}"} if self._beat_at > NEVER else set()
        return heartbeat | {f"{BALLOTS}{self._me}/{name}" for name in self._said}

    def to_say(self, policy: str) -> None:
        """This vantage sees something else of a policy, or ("") of itself."""
        if policy:
            self._unsaid.add(policy)
        self._nap.wake()

    def forget(self, policy: str) -> None:
        """It does not run here any more."""
        self._said.pop(policy, None)

    def skip(self) -> None:
        """Say nothing for a beat."""
        self._beat_at = self._clock()

    def begin_again(self, policies: Iterable[str]) -> None:
        """What this member said was taken away: say all of it as if for the first time."""
        self._beat_at = NEVER
        self._said.clear()
        self._unsaid.update(policies)
        self._nap.wake()

    async def introduce(self) -> None:
        """Say that this member is there, if it never did.

        Raises:
            CoordinationError, TimeoutError: nobody knows whether it was told.
        """
        if not self._number:
            await self._heartbeat(self._isolated(), self._clock())

    def stood(self, key: str, policy: str, value: bytes | None) -> None:
        """What stands there as this member's ballot on a policy; None: it was taken away."""
        if value is not None:
            if policy in self._said or policy in self._policies():
                self._stands[policy] = value
            return
        self._stands.pop(policy, None)
        self.say_again(key)

    async def wait(self) -> None:
        await self._nap.until(self._beat_at + self.beat)
        if self._unsaid:
            size = sum(len(self._said.get(name, b"")) for name in self._unsaid)
            await asyncio.sleep(min(GATHER * (1 + size / PIECE), self.beat))
        self._nap.begin()

    async def say(self) -> None:
        """Tell what is new, and that this member is there.

        Raises:
            CoordinationError, TimeoutError: not all of it could be told.
        """
        if self._clock() >= self._beat_at + self.beat:
            self._look_at_own_words()
        policies, unsaid = self._policies(), sorted(self._unsaid)
        self._unsaid.clear()
        ballots = {name: self._ballot_on(policies.get(name)).dumped() for name in unsaid}
        changed = [(name, said) for name, said in ballots.items() if self._said.get(name) != said]
        parts = [dict(changed[start : start + TOGETHER]) for start in range(0, len(changed), TOGETHER)]
        gate = asyncio.Semaphore(AT_ONCE)
        if not all(await asyncio.gather(*(self._publish_ballots(part, gate) for part in parts))):
            raise CoordinationError("not every ballot could be told", reason="untold")
        isolated, now = self._isolated(), self._clock()  # what changed meanwhile is told in a moment
        due = now >= self._beat_at + self.beat - GATHER  # a timer may go off a little early
        if due or isolated != self._told_isolated:
            await self._heartbeat(isolated, now)

    async def _publish_ballots(self, ballots: Mapping[str, bytes], gate: asyncio.Semaphore) -> bool:
        async with gate:
            try:
                await self._publish({f"{BALLOTS}{self._me}/{name}": said for name, said in ballots.items()})
            except (CoordinationError, TimeoutError):
                self._unsaid |= ballots.keys()
                return False
        running = self._policies()
        self._said |= {name: said for name, said in ballots.items() if name in running}
        return True

    def _ballot_on(self, policy: Policy | None) -> Ballot:
        """What this member says of a policy; of one that does not run here, that it has nothing to say."""
        return self._ballot(policy) if policy is not None else Ballot("")

    async def _heartbeat(self, isolated: frozenset[Family], now: float) -> None:
        self._number += 1
        about = self._introduction
        said = MemberBeat(
            self._number,
            about.wall(),
            about.version,
            isolated,
            about.run,
            self._settings,
            about.clock(),
            self._coordinator.lease,
        )
        await self._publish({f"{MEMBERS}{self._me}": said.dumped()})
        self._beat_at, self._told_isolated = now, isolated

    async def _publish(self, values: Mapping[str, bytes]) -> None:
        async with asyncio.timeout(time_to_answer(self._coordinator)):
            await self._coordinator.publish(values)

    def say_again(self, key: str) -> None:
        """The coordinator has lost what this member said: a lease ended, or an older state came back."""
        name = key.removeprefix(f"{BALLOTS}{self._me}/")
        if key == f"{MEMBERS}{self._me}":
            self._beat_at = NEVER
        elif self._said.pop(name, None) is not None:
            self._unsaid.add(name)
        self._nap.wake()

    def _look_at_own_words(self) -> None:
        """Say again what was said last where something else stands: an older state came back, or an older ballot late.

        As often as the heart beats: another process by this name, which must not be, would contradict without end.
        """
        for name, stands in self._stands.items():
            if self._said.get(name, stands) != stands:
                del self._said[name]
                self._unsaid.add(name)

    def say_all_again(self) -> None:
        """The coordinator came back from a backup, and what stands there is what was so then."""
        self._unsaid |= self._said.keys()
        self._said.clear()
        self._nap.wake()
