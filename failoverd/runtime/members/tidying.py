"""What nobody needs any more is taken out of the members' common memory, so that it does not grow for ever.

    the state of a policy    once no member has had the policy for a day: members read their files at different times,
                             one may be started with older ones, and a policy may be renamed back
    an operator's word       a day after no marker can name it any more (`Override.known_by`), by when members agree
                             about that whose clocks differ; its history is in each member's journal

Each member keeps in mind since when a policy is had by nobody, so that a new leader need not wait for a day again; the
leader takes away, in the version that was read. What cannot be read may be of a later version, and stays.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Final, Protocol

from failoverd.core.errors import CoordinationError
from failoverd.ports import Clock, Coordinator
from failoverd.runtime.members.memory import SHARED, STATES, WORDS, unwrapped
from failoverd.state_parts import override_of

EVERY: Final = 3_600.0
"""Seconds between two looks."""

UNNEEDED: Final = 86_400.0
"""Seconds for which something is of no use before it is taken away."""


class Remover(Protocol):
    """Whether this member leads, and the epoch by which the coordinator knows it."""

    @property
    def leads(self) -> bool: ...
    @property
    def epoch_in_coordinator(self) -> int: ...


class Tidying:
    """One member's part in it. `run` is endless.

    Args:
        coordinator: where the common memory is.
        leader: whether this member leads.
        had: the policies that some member has; None while that cannot be known.
        clock: the time.
    """

    def __init__(
        self, coordinator: Coordinator, leader: Remover, had: Callable[[], Collection[str] | None], clock: Clock
    ) -> None:
        self._coordinator = coordinator
        self._leader = leader
        self._had = had
        self._clock = clock
        self._unneeded: dict[str, float] = {}  # policies, since when

    async def run(self) -> None:
        """Look from time to time, for ever."""
        while True:
            await asyncio.sleep(EVERY)
            with suppress(CoordinationError):  # that it does not answer is told by who campaigns
                await self.look()

    async def look(self) -> None:
        """Take away what nobody needs any more, if this member leads.

        Raises:
            CoordinationError: the rest is left for the next time.
        """
        states, _ = await self._coordinator.entries(f"{SHARED}{STATES}/")
        gone = self._gone({_policy(key) for key in states})
        await self._take_away({key: value.version for key, value in states.items() if _policy(key) in gone})
        if self._leader.leads:
            words, _ = await self._coordinator.entries(f"{SHARED}{WORDS}/")
            over = (key for key, value in words.items() if value.value is not None and self._over(key, value.value))
            await self._take_away({key: words[key].version for key in over})

    def _gone(self, stands: Collection[str]) -> Collection[str]:
        """Which of these policies no member has had for long enough."""
        now, had = self._clock(), self._had()
        unneeded = set(stands).difference(had) if had is not None else set[str]()
        self._unneeded = {policy: self._unneeded.get(policy, now) for policy in unneeded}
        return {policy for policy, since in self._unneeded.items() if now - since >= UNNEEDED}

    def _over(self, key: str, value: bytes) -> bool:
        try:
            word = override_of(key.removeprefix(f"{SHARED}{WORDS}/"), unwrapped(value))
        except ValueError:
            return False
        return not word.known_by(self._clock() - UNNEEDED)

    async def _take_away(self, versions: Mapping[str, int]) -> None:
        for key, version in versions.items():
            if not self._leader.leads:
                return
            await self._coordinator.remove(key, after=version, epoch=self._leader.epoch_in_coordinator)


def _policy(key: str) -> str:
    return key.removeprefix(f"{SHARED}{STATES}/").partition("/")[0]
