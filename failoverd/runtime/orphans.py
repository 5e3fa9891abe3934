"""Records that failoverd owns and that no policy file names any more: told, and listed, until that ends.

A file that was deleted by mistake looks like one that was deleted on purpose. In both cases the record stays as it is
and nothing moves its traffic, which is the one thing that somebody at night would not think of. What is owned is known
from the journal, so it is told after a restart, too, and of files that went while the daemon did not run.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from failoverd.core.events import RecordOrphaned
from failoverd.core.records import Target
from failoverd.core.status import OrphanedRecord, OrphansStatus
from failoverd.ports import Clock, Emit
from failoverd.runtime.journal_writer import JournalWriter


class OwnedRecords(Protocol):
    """What the journal knows to be ours."""

    async def orphaned(
        self, published: Collection[Target], unsure: Collection[str], gone: Collection[str] = ()
    ) -> tuple[OrphanedRecord, ...]: ...

    async def give_up(self, target: Target) -> None: ...


@dataclass(frozen=True, slots=True)
class Claims:
    """What the policy files name.

    Attributes:
        targets: of every policy that loads, or that runs although its file does not.
        unsure: policies whose file does not load, by the name that it says.
        whole: whether every file says at least whose it is; if not, nothing can be called orphaned.
    """

    targets: frozenset[Target] = frozenset()
    unsure: frozenset[str] = frozenset()
    whole: bool = True


class Orphans:
    """Looks for them after each reading of the files, and again while there are any."""

    def __init__(self, journal: OwnedRecords, writer: JournalWriter, emit: Emit, clock: Clock) -> None:
        self._journal = journal
        self._writer = writer
        self._emit = emit
        self._clock = clock
        self._looking = asyncio.Lock()
        self.status = OrphansStatus(clock())

    async def look(self, claims: Claims, gone: Collection[str] = ()) -> None:
        """Tell those that are new. `gone`: providers that forgot all of their answers."""
        async with self._looking:  # who read the files last looks last
            if claims.whole:
                found = await self._writer.protect(self._journal.orphaned(claims.targets, claims.unsure, gone))
                if found is not None:
                    await self._found(found)

    async def give_up(self, target: Target) -> None:
        """Forget one that is not ours any more."""
        await self._writer.protect(self._journal.give_up(target))

    async def _found(self, records: tuple[OrphanedRecord, ...]) -> None:
        known = {each.target for each in self.status.records}
        self.status = OrphansStatus(self._clock(), records)
        await self._writer.update_status([self.status])
        for each in records:
            if each.target not in known:
                self._emit(_orphaned(each, self._clock()))


def _orphaned(record: OrphanedRecord, at: float) -> RecordOrphaned:
    target = record.target
    return RecordOrphaned(
        at=at,
        policy=target.policy,
        record=str(target.key),
        provider=target.provider,
        zone=target.zone,
        generation=record.generation,
    )
