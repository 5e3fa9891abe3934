"""The journal as the daemon uses it: it may break or stall, and traffic is steered all the same.

Events are written in batches, in the background. Every other call is waited for briefly, and fails without an error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, TypeVar

from failoverd.core.control.inputs import Decided
from failoverd.core.control.limits import PastChange
from failoverd.core.control.plan import LastGood, Plan
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import JournalError
from failoverd.core.events import Event, JournalFailed
from failoverd.core.overrides import Override
from failoverd.core.records import Target
from failoverd.core.status import JournalStatus, Status
from failoverd.ports import AuditEntry, ChangeOutcome, Clock, Emit, Journal, Settled, Telling

T = TypeVar("T")

_Kind = Literal["read", "write", "decisions"]
"""What is asked of the journal, each of which may work where another does not. Nobody waits for decisions."""

MOST_EVENTS: Final = 10_000
"""Events waiting for the disk. When it does not work for so long that there are more, the oldest are lost."""

MOST_DECISIONS: Final = 10_000
"""The same of decisions."""

LATER: Final = 2.0
"""Seconds that decisions wait: what led to them is acted on first. A kill loses so much of what can be replayed."""

DECISIONS: Final = 10
"""That are written at once: some milliseconds, for an intent may wait behind them."""

BETWEEN: Final = 0.02
"""Seconds between two such parts: a region that fails under a thousand policies leaves a thousand decisions."""

PATIENCE: Final = 2.0
"""Seconds that a round waits for one call of the journal: a disk that stalls must not stall the traffic."""

HASTE: Final = 0.2
"""The same, while the journal is known not to work for what rounds wait for."""

BATCH: Final = 0.1
"""Seconds that events wait for others to be written with. A kill loses that much of the history, and no change."""

CALM: Final = 5.0
"""The same, while the journal cannot be written."""


class JournalWriter:
    """Journal calls that never raise. `run` writes events in the background; start it as a supervised task.

    Attributes:
        lacks: whether something of what was written may be missing: it did not work for a while, or was begun anew.
        failures: calls that did not work, since the start.
    """

    def __init__(self, journal: Journal, emit: Emit, clock: Clock) -> None:
        self._journal = journal
        self._emit = emit
        self._clock = clock
        self.lacks = False
        self.failures = 0
        self._broken: set[_Kind] = set()
        self._trouble: JournalStatus | None = None
        self._events: list[Event] = []
        self._decisions: list[Decided] = []
        self._writing: asyncio.Task[JournalError | None] | None = None
        self._news = asyncio.Event()
        self._decided = asyncio.Event()
        self._others: Callable[[Settled], None] | None = None

    def share(self, others: Callable[[Settled], None]) -> None:
        """Let the other members know how changes end."""
        self._others = others

    @property
    def trouble(self) -> JournalStatus | None:
        """What is wrong with the journal; None while it works."""
        return self._trouble

    # -- events: taken at once, written in the background --------------------------------------------------------------

    def take(self, event: Event) -> None:
        """An `Emit` sink. Never blocks."""
        self.lacks |= isinstance(event, JournalFailed)  # a file that was lost is begun anew, and works
        self._events.append(event)
        del self._events[:-MOST_EVENTS]
        self._news.set()

    def decided(self, decision: Decided) -> None:
        """Keep what a decision looked at and came to. Never blocks."""
        self._decisions.append(decision)
        del self._decisions[:-MOST_DECISIONS]
        self._decided.set()

    async def run_decisions(self) -> None:
        """Write decisions, a few at a time, when nobody is in haste any more."""
        while True:
            await self._decided.wait()
            await asyncio.sleep(CALM if self._broken & {"write", "decisions"} else LATER)
            self._decided.clear()
            while self._decisions:
                if await self._guarded(self._write_decisions(), "decisions") is None:
                    self._decided.set()
                    break
                await asyncio.sleep(BETWEEN)

    async def _write_decisions(self) -> bool:
        """Write some of them. They are back in front of what came since when that fails."""
        part, self._decisions = self._decisions[:DECISIONS], self._decisions[DECISIONS:]
        try:
            await self._journal.decided(part)
        except JournalError:
            self._decisions = [*part, *self._decisions][-MOST_DECISIONS:]
            raise
        return True

    async def run(self) -> None:
        """Write events in batches, and not at the moment when a decision that they led to needs the journal."""
        while True:
            await self._news.wait()
            await asyncio.sleep(CALM if "write" in self._broken else BATCH)
            await self.flush(all_of_it=False)

    async def flush(self, *, all_of_it: bool = True) -> None:
        """Write all that waits. What cannot be written now waits on, for the next flush.

        A write that takes too long goes on by itself, and nothing is written beside it: so none is written twice.
        """
        self._news.clear()
        while self._writing is not None or self._events:
            if self._writing is None:
                self._writing = asyncio.create_task(self._write())
            if not await self._soon(_done(self._writing)):
                self._news.set()
                return
        ends = asyncio.get_running_loop().time() + PATIENCE  # what is left of a storm holds up no end
        while all_of_it and self._decisions and asyncio.get_running_loop().time() < ends:
            if not await self._guarded(_hurry(self._write_decisions(), self._patience), "decisions"):
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

    # -- the rest ------------------------------------------------------------------------------------------------------

    async def update_status(self, statuses: Sequence[Status]) -> bool:
        """Whether it was written."""

        async def updated() -> bool:
            await self._journal.update_status(statuses)
            return True

        return await self._soon(updated()) is True

    async def dismiss(self, policy: str) -> None:
        await self._soon(self._journal.dismiss(policy))

    async def intend(self, plan: Plan, at: float) -> None:
        await self._soon(self._journal.intend(plan, at))

    async def settle(self, plan: Plan, outcome: ChangeOutcome, detail: str, at: float) -> None:
        await self._soon(self._journal.settle(plan, outcome, detail, at))
        if self._others is not None:
            self._others(Settled(plan, outcome, detail, at))

    async def hear(self, member: str, number: int, told: Sequence[Telling]) -> bool:
        """Whether what another member told is there."""

        async def heard() -> bool:
            await self._journal.hear(member, number, told)
            return True

        return await self._soon(heard()) is True

    async def confirm(self, target: Target, good: LastGood) -> None:
        await self._soon(self._journal.confirm(target, good))

    async def keep(self, state: PolicyState) -> bool:
        """Whether it was written."""

        async def kept() -> bool:
            await self._journal.keep(state)
            return True

        return await self._soon(kept()) is True

    async def say(self, override: Override) -> bool:
        """Whether it was written."""

        async def said() -> bool:
            await self._journal.say(override)
            return True

        return await self._soon(said()) is True

    async def instance(self) -> str:
        """The id of the daemon that the journal belongs to; empty where nobody can tell."""
        return await self._soon(self._journal.instance(), reads=True) or ""

    async def belong(self, instance: str) -> None:
        await self._soon(self._journal.belong(instance))

    async def overrides(self, until: float) -> tuple[Override, ...] | None:
        """The words that the journal knows; None while it cannot be read."""
        return await self._soon(self._journal.overrides(until), reads=True)

    async def audit(self, asked: AuditEntry) -> bool:
        """Whether it was written."""

        async def audited() -> bool:
            await self._journal.audit(asked)
            return True

        return await self._soon(audited()) is True

    async def asked(self, actor: str, key: str) -> AuditEntry | None:
        """The request that this actor gave that key to; None, too, while the journal cannot be read."""
        return await self._soon(self._journal.asked(actor, key), reads=True)

    async def recall(self, target: Target, since: float) -> tuple[LastGood | None, tuple[PastChange, ...]]:
        """What the journal knows of a target; nothing, while it cannot be read."""
        return await self._soon(self._journal.recall(target, since), reads=True) or (None, ())

    async def last_answers(self) -> tuple[tuple[Target, LastGood], ...]:
        """The last good answer of every target; none, while the journal cannot be read."""
        return await self._soon(self._journal.last_answers(), reads=True) or ()

    async def protect(self, work: Awaitable[T], *, reads: bool = False) -> T | None:
        """What the journal answers, or None when it is broken.

        Said once, and again only after it worked in between; a full disk that can still be read has not.
        """
        return await self._guarded(work, "read" if reads else "write")

    async def _guarded(self, work: Awaitable[T], kind: _Kind) -> T | None:
        """The same. Where decisions alone cannot be kept, nothing that steers traffic is missing or hurries."""
        try:
            answer = await work
        except JournalError as error:
            if not self._broken:
                self._emit(JournalFailed(at=self._clock(), reason=error.reason, error=str(error)))
            self._broken.add(kind)
            self.lacks |= kind != "decisions"
            self.failures += 1
            since = self._trouble.since if self._trouble is not None else self._clock()
            self._trouble = JournalStatus(since, self._broken != {"read"}, error.detail, error.remedy)
            return None
        self._broken.discard(kind)
        if not self._broken:
            self._trouble = None
        return answer

    async def _soon(self, work: Awaitable[T], *, reads: bool = False) -> T | None:
        """The same, for callers that cannot wait."""
        return await self.protect(_hurry(work, self._patience), reads=reads)

    @property
    def _patience(self) -> float:
        return HASTE if self._broken - {"decisions"} else PATIENCE


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
