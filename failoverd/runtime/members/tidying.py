"""What nobody needs any more is taken out of the members' common memory, so that it does not grow for ever.

    the state of a policy    once no member has had the policy for a day: members read their files at different times,
                             one may be started with older ones, and a policy may be renamed back
    that of one target       the same, of a policy that runs here: the record, or its provider, went out of its file
    what a member told       once it has been none of the members for a day: its pieces of the history, what it handed
                             over, and what it had learnt
    an operator's word       a day after no marker can name it any more (`Override.known_by`), by when members agree
                             about that whose clocks differ; its history is in each member's journal

Each member keeps in mind since when nobody needs a thing, so that a new leader need not wait for a day again; the
leader takes away, in the version that was read. What cannot be read may be of a later version, and stays.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from failoverd.core.errors import CoordinationError
from failoverd.ports import Clock, Coordinator
from failoverd.runtime.members.memory import HEARD, SHARED, STATES, WORDS, unwrapped
from failoverd.runtime.members.shared_history import EVENTS
from failoverd.runtime.members.shared_notices import HANDED, NOTICES
from failoverd.state_parts import HEAD, override_of

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


@dataclass(frozen=True, slots=True)
class Needs:
    """What of the common memory somebody needs.

    Attributes:
        policies: that some member has; None while that cannot be known.
        targets: of each policy that runs here, the keys of what its file has it write.
        members: the names of all.
    """

    policies: Collection[str] | None
    members: Collection[str]
    targets: Mapping[str, Collection[str]] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        """Whether anybody needs what stands under a key, as far as is known. That of words is asked of them."""
        kind, _, name = key.removeprefix(SHARED).partition("/")
        first, _, rest = name.partition("/")
        if kind == STATES:
            dropped = rest != HEAD and first in self.targets and rest not in self.targets[first]
            return self.policies is None or (first in self.policies and not dropped)
        if kind in {EVENTS, HEARD}:
            return first in self.members
        return (kind, first) != (NOTICES, HANDED) or rest in self.members


class Tidying:
    """One member's part in it. `run` is endless.

    Args:
        coordinator: where the common memory is.
        leader: whether this member leads.
        stands: the version of each key of the common memory, as this member knows it.
        needs: what of it somebody needs.
        clock: the time.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        leader: Remover,
        stands: Callable[[], Mapping[str, int]],
        needs: Callable[[], Needs],
        clock: Clock,
    ) -> None:
        self._coordinator = coordinator
        self._leader = leader
        self._stands = stands
        self._needs = needs
        self._clock = clock
        self._unneeded: dict[str, float] = {}  # keys, since when

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
        stands = dict(self._stands())
        await self._take_away({key: stands[key] for key in self._gone(stands)})
        if self._leader.leads:
            words, _ = await self._coordinator.entries(f"{SHARED}{WORDS}/")
            over = (key for key, value in words.items() if value.value is not None and self._over(key, value.value))
            await self._take_away({key: words[key].version for key in over})

    def _gone(self, stands: Iterable[str]) -> Collection[str]:
        """Which of these keys nobody has needed for long enough."""
        now, needs = self._clock(), self._needs()
        self._unneeded = {key: self._unneeded.get(key, now) for key in stands if not needs.has(key)}
        return [key for key, since in self._unneeded.items() if now - since >= UNNEEDED]

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
