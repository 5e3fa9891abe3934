"""The journal as the reconcilers see it: it may break, and they go on.

What was verified and applied since the start is kept in memory as well. So limits hold and drift is told from change
even while the disk does not work; only history is lost.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, TypeVar

from failoverd.core.errors import JournalError
from failoverd.core.events import Event, JournalFailed
from failoverd.core.guard import PastChange
from failoverd.core.plan import LastGood, Plan
from failoverd.core.records import Observed, Target
from failoverd.core.situations import Situation
from failoverd.ports import ChangeOutcome, Clock, Emit, Journal

T = TypeVar("T")

MOST_EVENTS: Final = 10_000
"""Events waiting for the disk. When a disk stalls for so long that there are more, the oldest are lost."""


class Memory:
    """Journal calls that never raise. `run` writes events in the background; start it as a supervised task."""

    def __init__(self, journal: Journal, emit: Emit, clock: Clock) -> None:
        self._journal = journal
        self._emit = emit
        self._clock = clock
        self._broken = False
        self._events: list[Event] = []
        self._news = asyncio.Event()
        self._last_good: dict[Target, LastGood] = {}
        self._changes: dict[Target, list[PastChange]] = {}
        self._doubted: dict[Target, Plan] = {}

    # -- events: taken at once, written in the background --------------------------------------------------------------

    def take(self, event: Event) -> None:
        """An `Emit` sink. Never blocks."""
        self._events.append(event)
        del self._events[:-MOST_EVENTS]
        self._news.set()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            await self.flush()

    async def flush(self) -> None:
        """Write all events that wait."""
        self._news.clear()
        batch, self._events = self._events, []
        if batch:
            await self.protect(self._journal.record(batch))

    async def situate(self, situations: Sequence[Situation]) -> None:
        await self.protect(self._journal.situate(situations))

    async def dismiss(self, policy: str) -> None:
        await self.protect(self._journal.dismiss(policy))

    # -- changes -------------------------------------------------------------------------------------------------------

    async def intend(self, plan: Plan, at: float) -> None:
        await self.protect(self._journal.intend(plan, at))

    async def settle(self, plan: Plan, outcome: ChangeOutcome, detail: str, at: float) -> None:
        if outcome is ChangeOutcome.APPLIED:
            self._last_good[plan.target] = LastGood(plan.after, plan.generation, dict(plan.shares_after), at)
            change = PastChange(plan.id, at, dict(plan.shares_before), dict(plan.shares_after))
            self._changes.setdefault(plan.target, []).append(change)
        await self.protect(self._journal.settle(plan, outcome, detail, at))

    def doubt(self, plans: Sequence[Plan]) -> None:
        """Plans that an earlier process began and did not end: the first look at each target tells how they went."""
        self._doubted = {plan.target: plan for plan in plans}

    async def resolve(self, observed: Observed, at: float) -> None:
        """A doubted plan turns out to be in place: then it was applied, whatever became of the process."""
        plan = self._doubted.pop(observed.target, None)
        if plan is not None and observed.records == plan.after and observed.marker == plan.marker:
            await self.settle(plan, ChangeOutcome.APPLIED, "found in place after a restart", at)

    async def recall(self, target: Target, since: float) -> tuple[LastGood | None, tuple[PastChange, ...]]:
        """What the journal knows, completed by what it could not be told."""
        found = await self.protect(self._journal.recall(target, since)) or (None, ())
        mine = [change for change in self._changes.get(target, []) if change.at > since]
        self._changes[target] = mine
        changes = {change.change_id: change for change in (*found[1], *mine)}
        newest = max(
            (good for good in (found[0], self._last_good.get(target)) if good is not None),
            key=lambda good: good.generation,
            default=None,
        )
        return newest, tuple(sorted(changes.values(), key=lambda change: change.at))

    async def protect(self, work: Awaitable[T]) -> T | None:
        """What the journal answers, or None when it is broken. Said once, and again only after it worked in between."""
        try:
            answer = await work
        except JournalError as error:
            if not self._broken:
                self._broken = True
                self._emit(JournalFailed(at=self._clock(), reason=error.reason, error=str(error)))
            return None
        self._broken = False
        return answer
