"""The journal as the reconcilers see it: it may break, and they go on.

What was verified and applied since the start is kept in memory as well. So limits hold and drift is told from change
even while the disk does not work; only history is lost.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from typing import Final, TypeVar

from failoverd.core.errors import JournalError
from failoverd.core.events import Event, JournalFailed
from failoverd.core.guard import PastChange
from failoverd.core.plan import LastGood, Plan
from failoverd.core.records import Marker, Observed, RecordSet, Target
from failoverd.core.status import Status
from failoverd.ports import ChangeOutcome, Clock, Emit, Journal

T = TypeVar("T")

MOST_EVENTS: Final = 10_000
"""Events waiting for the disk. When it does not work for so long that there are more, the oldest are lost."""

MOST_CHANGES: Final = 1_000
"""Changes of one target that are kept in memory, for limits of any window."""

PATIENCE: Final = 2.0
"""Seconds that a round waits for one call of the journal: a disk that stalls must not stall the traffic."""

HASTE: Final = 0.2
"""The same, while the journal is known not to work."""

BATCH: Final = 0.1
"""Seconds that events wait for others to be written with. A kill loses that much of the history, and no change."""

CALM: Final = 5.0
"""The same, while the journal cannot be written."""

Doubt = tuple[Target, Marker, RecordSet]


class Memory:
    """Journal calls that never raise. `run` writes events in the background; start it as a supervised task."""

    def __init__(self, journal: Journal, emit: Emit, clock: Clock) -> None:
        self._journal = journal
        self._emit = emit
        self._clock = clock
        self._broken: set[str] = set()
        self._events: list[Event] = []
        self._writing: asyncio.Task[JournalError | None] | None = None
        self._news = asyncio.Event()
        self._last_good: dict[Target, LastGood] = {}
        self._changes: dict[Target, list[PastChange]] = {}
        self._doubted: defaultdict[Target, dict[Doubt, Plan]] = defaultdict(dict)

    # -- events: taken at once, written in the background --------------------------------------------------------------

    def take(self, event: Event) -> None:
        """An `Emit` sink. Never blocks."""
        self._events.append(event)
        del self._events[:-MOST_EVENTS]
        self._news.set()

    async def run(self) -> None:
        """Write events in batches, and not at the moment when a decision that they led to needs the journal."""
        while True:
            await self._news.wait()
            await asyncio.sleep(CALM if "write" in self._broken else BATCH)
            await self.flush()

    async def flush(self) -> None:
        """Write all events that wait. What cannot be written now waits on, for the next flush.

        A write that takes too long goes on by itself, and nothing is written beside it: so none is written twice.
        """
        self._news.clear()
        while self._writing is not None or self._events:
            if self._writing is None:
                self._writing = asyncio.create_task(self._write())
            if not await self._soon(_done(self._writing)):
                self._news.set()
                return

    async def _write(self) -> JournalError | None:
        """Write one batch, or put it back in front of what came since, and say why: nobody may wait for it any more."""
        batch, self._events = self._events, []
        try:
            await self._journal.record(batch)
        except JournalError as error:
            self._events = [*batch, *self._events][-MOST_EVENTS:]
            return error
        finally:
            self._writing = None
        return None

    async def update_status(self, statuses: Sequence[Status]) -> None:
        await self._soon(self._journal.update_status(statuses))

    async def dismiss(self, policy: str) -> None:
        await self._soon(self._journal.dismiss(policy))

    # -- changes -------------------------------------------------------------------------------------------------------

    async def intend(self, plan: Plan, at: float) -> None:
        """The plan is about to be applied. Until it is settled for certain, it is in doubt."""
        self._doubted[plan.target][_key(plan)] = plan
        await self._soon(self._journal.intend(plan, at))

    async def settle(self, plan: Plan, outcome: ChangeOutcome, detail: str, at: float) -> None:
        """How it went. A plan that failed stays in doubt: its write may have arrived although its answer did not."""
        if outcome is ChangeOutcome.FENCED:
            self._doubted[plan.target].pop(_key(plan), None)
        if outcome is ChangeOutcome.APPLIED:
            self._overtake(plan.target, plan.generation)
            self._last_good[plan.target] = plan.verified(at)
            change = PastChange(plan.id, at, dict(plan.start), dict(plan.shares_after))
            self._changes.setdefault(plan.target, []).append(change)
            del self._changes[plan.target][:-MOST_CHANGES]
        await self._soon(self._journal.settle(plan, outcome, detail, at))

    def doubt(self, plans: Sequence[Plan]) -> None:
        """Plans that an earlier process began and did not end: the first look at each target tells how they went."""
        for plan in plans:
            self._doubted[plan.target][_key(plan)] = plan

    def doubts(self, plan: Plan) -> bool:
        """Whether the plan was begun, and nobody knows how it went."""
        return _key(plan) in self._doubted[plan.target]

    async def resolve(self, observed: Observed, at: float) -> Plan | None:
        """The doubted plan that turns out to be in place: it was applied, whatever became of its answer."""
        if observed.marker is None or observed.records is None:
            return None
        key = (observed.target, observed.marker, observed.records)
        plan = self._doubted[observed.target].get(key)
        if plan is None:
            self._overtake(observed.target, observed.marker.generation)
            return None
        await self.settle(plan, ChangeOutcome.APPLIED, "found in place later", at)
        return plan

    def verified(self, target: Target, good: LastGood) -> None:
        """The target was found as it should be, at a generation that was written on behalf of somebody else."""
        self._last_good[target] = good

    async def confirm(self, target: Target, good: LastGood) -> None:
        """The same, known after a restart as well."""
        self.verified(target, good)
        await self._soon(self._journal.confirm(target, good))

    async def recall(self, target: Target, since: float) -> tuple[LastGood | None, tuple[PastChange, ...]]:
        """What the journal knows, completed by what it could not be told."""
        found = await self._soon(self._journal.recall(target, since), reads=True) or (None, ())
        mine = [change for change in self._changes.get(target, []) if change.at > since]
        changes = {change.change_id: change for change in (*found[1], *mine)}
        newest = max(
            (good for good in (self._last_good.get(target), found[0]) if good is not None),
            key=lambda good: good.generation,
            default=None,
        )
        return newest, tuple(sorted(changes.values(), key=lambda change: change.at))

    async def protect(self, work: Awaitable[T], *, reads: bool = False) -> T | None:
        """What the journal answers, or None when it is broken.

        Said once, and again only after it worked in between; a full disk that can still be read has not.
        """
        kind = "read" if reads else "write"
        try:
            answer = await work
        except JournalError as error:
            if not self._broken:
                self._emit(JournalFailed(at=self._clock(), reason=error.reason, error=str(error)))
            self._broken.add(kind)
            return None
        self._broken.discard(kind)
        return answer

    async def _soon(self, work: Awaitable[T], *, reads: bool = False) -> T | None:
        """The same, for callers that cannot wait."""
        return await self.protect(_hurry(work, HASTE if self._broken else PATIENCE), reads=reads)

    def _overtake(self, target: Target, generation: int) -> None:
        """The target is at this generation: plans up to it are decided, one way or the other."""
        doubted = self._doubted[target]
        self._doubted[target] = {key: plan for key, plan in doubted.items() if plan.generation > generation}


def _key(plan: Plan) -> Doubt:
    return plan.target, plan.marker, plan.after


async def _done(work: asyncio.Task[JournalError | None]) -> bool:
    """Wait for a write. Who gives up waiting does not end it."""
    error = await asyncio.shield(work)
    if error is not None:
        raise error
    return True


async def _hurry(work: Awaitable[T], patience: float) -> T:
    try:
        async with asyncio.timeout(patience) as deadline:
            return await work
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise JournalError(
            f"the journal did not answer within {patience:g}s", reason="journal_slow", remedy="look at its disk"
        ) from error
