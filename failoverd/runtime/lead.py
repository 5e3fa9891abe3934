"""Whether this process may write, as everything that works on policies asks it: of several members one does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final, Protocol

from failoverd.core.control.plan import Plan
from failoverd.core.events import Event
from failoverd.core.overrides import Override
from failoverd.core.records import Marker, Target
from failoverd.core.status import MembersStatus

_LOOK: Final = 0.5
"""Seconds between two looks at what is left of the lease."""


class Lead(Protocol):
    """Whether this member may write.

    Attributes:
        leads: whether it is the leader now.
        lone: whether nobody can lead, and it takes traffic off what is down all the same.
        acts: whether it writes anything: it leads, or is lone.
        candidate: whether it ever does: a vantage only looks.
        speaks: whether it is for this member to tell people: it leads, or it may and cannot know who does.
        left: seconds until another member may lead, for which what it has begun may go on. Grows with each renewal.
        epoch: of the leader, as far as this member knows; one member alone is epoch 0.
        instance: the name of this installation in markers.
    """

    @property
    def leads(self) -> bool: ...
    @property
    def lone(self) -> bool: ...
    @property
    def acts(self) -> bool: ...
    @property
    def candidate(self) -> bool: ...
    @property
    def speaks(self) -> bool: ...
    @property
    def left(self) -> float: ...
    @property
    def epoch(self) -> int: ...
    @property
    def instance(self) -> str: ...

    def refuses(self, plan: Plan, *, fenced: bool) -> str:
        """Why a plan is not to be sent; empty if it may be. `fenced`: its provider refuses an older generation."""

    def outranked(self, marker: Marker, read_at: float) -> None:
        """A marker of this owner shows a higher epoch than this member's."""

    def hindered(self, target: Target) -> None:
        """What is down cannot be taken off a target, for its provider does not answer this member."""

    def reached(self, target: Target) -> None:
        """The provider of a target answers."""


@dataclass(slots=True)
class Alone:
    """One member that nobody shares the work with: its own lead, and to the engine what a `Participant` is."""

    instance: str = ""
    leads: bool = True
    lone: bool = False
    acts: bool = True
    candidate: bool = True
    speaks: bool = True
    left: float = inf
    epoch: int = 0

    def refuses(self, plan: Plan, *, fenced: bool) -> str:  # noqa: ARG002 - it may write whatever it is
        return ""

    def outranked(self, marker: Marker, read_at: float) -> None:
        """Nobody can be asked: a person says what that means."""

    def hindered(self, target: Target) -> None:
        """Nobody else can do it."""

    def reached(self, target: Target) -> None:
        """As it should be."""

    # -- what the engine asks of one of several members ----------------------------------------------------------------

    name = ""
    notices = None

    @property
    def lead(self) -> "Alone":
        return self

    @property
    def works(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {}

    def remember(self, *_: object) -> None:
        """Its own journal does."""

    def vote(self, *_: object) -> None:
        """What it sees is so."""

    def follow_files(self, *_: object) -> None:
        """Nobody else has any."""

    def tell(self, event: Event) -> None:
        """Nobody else is there."""

    async def tell_leader(self, word: Override) -> None:
        """It knows."""

    def require_lead(self) -> None:
        """It leads."""

    async def step_down(self, seconds: float, cause: str) -> bool:  # noqa: ARG002 - nobody else could lead
        return False

    async def leave(self) -> None:
        """Nobody goes on."""

    def status(self, now: float) -> MembersStatus:
        """Who of several members writes: one without a name."""
        return MembersStatus(now)


@asynccontextmanager
async def within_lease(left: Callable[[], float]) -> AsyncIterator[None]:
    """For as long as something is left, which may become more meanwhile.

    A process that was frozen finds this deadline over before it gets to take its next step.

    Raises:
        TimeoutError: nothing is left.
    """
    loop, first = asyncio.get_running_loop(), left()
    if not isfinite(first):
        yield
        return
    async with asyncio.timeout(first) as limit:
        timer: asyncio.TimerHandle

        def look() -> None:
            nonlocal timer
            now, more = loop.time(), left()
            if now < (limit.when() or now):  # one that is over comes next, and before whatever was waited for
                limit.reschedule(now + more)
                timer = loop.call_later(_LOOK, look)

        timer = loop.call_later(_LOOK, look)
        try:
            yield
        finally:
            timer.cancel()
