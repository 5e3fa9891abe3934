"""The operators' words of this installation, as the daemon keeps them: in memory, in the journal, and by their time.

A word is heeded as soon as it is put here, whether the disk works or not; the marker beside each record that it
concerns says it as well. Each policy gets those that concern it with its state, so that `evaluate` sees them.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from failoverd.core.control.overriding import drained_regions
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.events import OverrideChanged, OverrideEnded, OverrideEnding, OverrideEvent, OverrideGiven
from failoverd.core.overrides import WARNING, Override, Told, Verb, in_force
from failoverd.core.records import Policy
from failoverd.ports import Clock, Emit
from failoverd.runtime.journal_writer import JournalWriter

NAP: Final = 60.0
"""Seconds after which the time is looked at again, whatever is due: clocks of virtual machines stand still at times."""


class Overrides:
    """All words that are known. Changes by `put` only."""

    def __init__(self, journal: JournalWriter, emit: Emit, clock: Clock) -> None:
        self._journal = journal
        self._emit = emit
        self._clock = clock
        self._words: dict[str, Override] = {}
        self._unkept: set[str] = set()
        self._news = asyncio.Event()

    # -- what is known -------------------------------------------------------------------------------------------------

    def of(self, policy: Policy) -> tuple[Override, ...]:
        """Those that concern a policy and were to hold beyond now, the oldest first."""
        if not self._words:
            return ()
        now = self._clock()
        return tuple(word for word in self._words.values() if word.until > now and word.scope.has_policy(policy))

    def drained(self, policy: Policy) -> frozenset[str]:
        """Regions that get none of the policy's traffic, because a person says so."""
        return drained_regions(policy, self.of(policy), self._clock())

    def forbids(self, policy: Policy, plan: Plan) -> Override | None:
        """The word by which a plan is not to be sent, though it was decided on before it was given."""
        words = in_force(self.of(policy), plan.target, self._clock())
        empty = plan.before.records is None or not plan.before.records.serving
        for word in words:
            stops = word.verb is Verb.PAUSE and word.scope.everything
            holds = word.verb is Verb.HOLD and plan.kind is not PlanKind.MARK and not empty
            if stops or holds:
                return word
        return None

    def all(self) -> tuple[Override, ...]:
        return tuple(self._words.values())

    def get(self, override_id: str) -> Override | None:
        return self._words.get(override_id)

    def in_force(self) -> tuple[Override, ...]:
        now = self._clock()
        return tuple(word for word in self._words.values() if word.in_force(now))

    # -- what changes --------------------------------------------------------------------------------------------------

    def load(self, words: Iterable[Override]) -> None:
        """Take up what an earlier process, or another one, left in the journal. What is known here counts more."""
        found = {word.id: word for word in words} | {name: self._words[name] for name in self._unkept}
        self._words = dict(sorted(found.items(), key=lambda item: (item[1].since, item[0])))
        self._news.set()

    async def put(self, word: Override, event: OverrideEvent) -> bool:
        """Heed a word from now on, or as it was changed. Whether the journal has it: it is heeded either way."""
        self._words[word.id] = word
        self._news.set()
        self._emit(event)
        return await self._keep(word)

    async def _keep(self, word: Override) -> bool:
        kept = await self._journal.say(word)
        if kept:
            self._unkept.discard(word.id)
        else:
            self._unkept.add(word.id)
        return kept

    async def keep_all(self) -> None:
        """Have the journal keep every word once more: it may have lost what it was given."""
        for word in self.all():
            await self._keep(word)

    # -- their time ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell what is about to end, and what is over, each once."""
        while True:
            due = await self.tell()
            self._news.clear()
            try:
                async with asyncio.timeout(min(NAP, due - self._clock()) if due is not None else None):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def tell(self) -> float | None:
        """Tell what is due; says when there is something to tell next."""
        now, due = self._clock(), list[float]()
        for word in self.all():
            if word.told is Told.ENDED:
                continue
            if now >= word.ends:
                await self._told(word, Told.ENDED, ended(word, now))
            elif word.told is Told.GIVEN and word.until - word.since > WARNING and now >= word.ends - WARNING:
                await self._told(word, Told.ENDING, _ending(word, now))
                due.append(word.ends)
            else:
                early = word.told is Told.GIVEN and word.until - word.since > WARNING
                due.append(word.ends - WARNING if early else word.ends)
        return min(due, default=None)

    async def _told(self, word: Override, what: Told, event: OverrideEvent) -> None:
        self._words[word.id] = word = replace(word, told=what)
        self._emit(event)
        await self._keep(word)


def given(word: Override, at: float) -> OverrideGiven:
    """That it is heeded from now on."""
    return OverrideGiven(
        at=at,
        override=word.id,
        verb=word.verb,
        about=word.scope.text(),
        actor=word.actor,
        reason=word.reason,
        until=word.until,
        policies=word.scope.policies,
        needed=word.needed,
    )


def changed(word: Override, by: str, comment: str, at: float) -> OverrideChanged:
    """That it holds in another way, or for longer."""
    return OverrideChanged(
        at=at,
        override=word.id,
        verb=word.verb,
        about=word.scope.text(),
        actor=word.actor,
        reason=word.reason,
        until=word.until,
        policies=word.scope.policies,
        by=by,
        comment=comment,
    )


def ended(word: Override, at: float) -> OverrideEnded:
    """That nobody has to heed it any more."""
    comment = word.comments[-1].text if word.ended_at is not None and word.comments else ""
    return OverrideEnded(
        at=at,
        override=word.id,
        verb=word.verb,
        about=word.scope.text(),
        actor=word.actor,
        reason=word.reason,
        until=word.until,
        by=word.ended_by,
        comment=comment,
    )


def _ending(word: Override, at: float) -> OverrideEnding:
    return OverrideEnding(
        at=at,
        override=word.id,
        verb=word.verb,
        about=word.scope.text(),
        actor=word.actor,
        reason=word.reason,
        until=word.until,
        left=word.ends - at,
    )
