"""A look at the last day, each night: whatever was decided comes to the same when it is decided again.

It is done in the daemon, one decision at a time, with a pause after each: so small a part of its time that nobody who
waits for the loop notices it, whatever there is to be gone through.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from failoverd import __version__
from failoverd.core.control.figures import ReplayedFigures
from failoverd.core.control.inputs import Decided
from failoverd.core.control.replaying import Discrepancy, discrepancy
from failoverd.core.errors import JournalError
from failoverd.core.events import ReplayDiffered
from failoverd.core.names import failoverctl
from failoverd.core.records import Target
from failoverd.ports import Clock, Emit
from failoverd.store.decisions import DecisionRow, DecisionSpelling

DAY: Final = 86_400.0

AT: Final = 3 * 3_600.0 + 1_800.0
"""Seconds after midnight, UTC."""

PAUSE: Final = 0.01
"""Seconds after each decision is read, and again after it is made, at least; each takes about a thousandth."""

PART: Final = 1 / 20
"""Of one processor at most: what takes longer, as a policy of many records does, is followed by a longer pause."""

MOST: Final = 200_000
"""Decisions of one night, an hour and more: no record is begun beyond. The rest is left to who asks by hand."""

_AT_ONCE: Final = 20
"""Rows that are read at once, in the journal's own thread."""


class DecisionsKept(Protocol):
    """The journal, as far as it is read here."""

    async def decided_targets(self) -> Sequence[tuple[int, Target]]: ...

    async def decision_rows(
        self, target: int, since: float, after: DecisionRow | None, most: int
    ) -> Sequence[DecisionRow]: ...

    async def revision_bodies(self, numbers: Collection[int]) -> Mapping[int, bytes]: ...


@dataclass(slots=True)
class _Night:
    """One look while it is under way: how many decisions there are of each policy, and which of them differ."""

    decisions: dict[str, int] = field(default_factory=dict)
    differing: dict[str, int] = field(default_factory=dict)
    first: dict[str, Discrepancy] = field(default_factory=dict)
    lost: int = 0

    @property
    def made(self) -> int:
        return sum(self.decisions.values())

    def count(self, policy: str, found: Discrepancy | None) -> None:
        self.decisions[policy] = self.decisions.get(policy, 0) + 1
        if found is not None:
            self.differing[policy] = self.differing.get(policy, 0) + 1
            self.first.setdefault(policy, found)


class SelfCheck:
    """Looks, tells what differs, and knows how the last look went.

    Args:
        kept: the journal.
        emit: is told of each policy of which something differs.
        clock: the time.
        pause: after each step, in seconds, at least.
        version: of failoverd: what another one decided may come to something else, and is left out.
    """

    def __init__(
        self, kept: DecisionsKept, emit: Emit, clock: Clock, pause: float = PAUSE, version: str = __version__
    ) -> None:
        self._kept = kept
        self._emit = emit
        self._clock = clock
        self._pause = pause
        self._version = version
        self.figures = ReplayedFigures()

    async def look(self) -> None:
        """Decide the last day again. Where the journal cannot be read, which others tell, nothing is known."""
        night, since = _Night(), self._clock() - DAY
        try:
            for number, target in await self._kept.decided_targets():
                if night.made >= MOST:
                    break
                async for decided in self._decisions(number, since, night):
                    if decided.version != self._version:
                        continue
                    begun = time.monotonic()
                    night.count(target.policy, discrepancy(decided))
                    await self._rest(begun)
        except JournalError:
            return
        for policy, found in night.first.items():
            self._emit(self._event(policy, night, found))
        counted = night.made, sum(night.differing.values())
        self.figures = ReplayedFigures(self._clock(), *counted, night.lost)

    async def _decisions(self, target: int, since: float, night: _Night) -> AsyncIterator[Decided]:
        """Those of one target, and the last one before the day."""
        spelling = DecisionSpelling()
        before: Decided | None = None
        after: DecisionRow | None = None
        while rows := await self._kept.decision_rows(target, since, after, _AT_ONCE):
            lacking = spelling.lacks(rows)
            spelling.learn(lacking, await self._kept.revision_bodies(lacking))
            for row in rows:
                begun = time.monotonic()
                decided = spelling.read(row)
                await self._rest(begun)
                if decided is not None and row.at < since:
                    before = decided
                    continue
                if before is not None:
                    yield before
                    before = None
                if decided is not None:
                    yield decided
            after = rows[-1]
        if before is not None:
            yield before
        night.lost += sum(at >= since for at in spelling.lost)

    async def _rest(self, begun: float) -> None:
        """Everybody else has a turn after what began then."""
        await asyncio.sleep(max(self._pause, (time.monotonic() - begun) * (1 / PART - 1)))

    def _event(self, policy: str, night: _Night, found: Discrepancy) -> ReplayDiffered:
        inputs = found.decided.inputs
        return ReplayDiffered(
            at=self._clock(),
            policy=policy,
            decisions=night.decisions[policy],
            differing=night.differing[policy],
            record=str(inputs.target.key),
            decided_at=inputs.now,
            differs_in=found.differs_in,
            command=failoverctl("replay", policy, "--last", "1d"),
        )


def until_night(now: float) -> float:
    """Seconds until it is due next."""
    return (AT - now) % DAY
