"""The state of each policy: one frozen value, replaced by who worked on it and kept in the journal.

It is kept in memory as well. So limits hold and drift is told from change even while the disk does not work; only
history is lost. What another process wrote to the same journal (`failoverctl apply`) is taken in before each decision.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from failoverd.core.control.limits import PastChange
from failoverd.core.control.plan import LastGood, Plan
from failoverd.core.control.progress import Progress, began, overtaken
from failoverd.core.control.ramp import taken_up
from failoverd.core.control.signals import Signalled
from failoverd.core.control.state import MOST_CHANGES, PolicyState, TargetMemory
from failoverd.core.health.region import RegionHealth
from failoverd.core.records import Policy, RecordType, Target
from failoverd.ports import Emit
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.lead import Alone, Lead
from failoverd.runtime.override_book import Overrides
from failoverd.state_parts import HEAD


class StateKeeper(Protocol):
    """Who keeps states for those who come later: the journal for a restart, a common memory for other members."""

    async def keep(self, state: PolicyState) -> bool:
        """Keep the head of a policy's state, and the targets that it has. Whether it does."""


class Verdicts(Protocol):
    """Who knows how regions are."""

    def regions(self, policy: str, record_type: RecordType) -> Mapping[str, RegionHealth]: ...

    def calm(self, policy: str, aside: Collection[str] = ()) -> bool: ...


class States:
    """What is known of each policy from before. Changes by `put` only."""

    def __init__(self, journal: JournalWriter, emit: Emit, overrides: Overrides, lead: Lead | None = None) -> None:
        self.overrides = overrides
        self.lead: Lead = lead or Alone()
        self._journal = journal
        self._emit = emit
        self._states: dict[str, PolicyState] = {}
        self._kept = _Kept(journal)
        self._shared: _Kept | None = None
        self._signalled: dict[str, Signalled] = {}

    # -- one value for each policy -------------------------------------------------------------------------------------

    def of(self, policy: str) -> PolicyState:
        return self._states.get(policy) or PolicyState(policy)

    def put(self, state: PolicyState) -> None:
        self._states[state.policy] = state

    def take(self, progress: Progress) -> PolicyState:
        """Put what became of something, and tell it."""
        state, events = progress
        self.put(state)
        for event in events:
            self._emit(event)
        return state

    def forget(self, policy: str) -> None:
        """No file names it any more. A write of it that is under way may come about yet: that is in doubt still."""
        doubts = [plan for memory in self.of(policy).targets.values() for plan in memory.doubts]
        self._states.pop(policy, None)
        for plan in doubts:
            self.put(began(self.of(policy), plan))
        for kept in self._keepings:
            kept.forget(policy)
        self._signalled.pop(policy, None)

    def forget_target(self, policy: str, key: str) -> None:
        """The same of one target, which the policy's file does not name any more."""
        if (state := self._states.get(policy)) is not None:
            targets = {name: memory for name, memory in state.targets.items() if name != key}
            self._states[policy] = replace(state, targets=targets)

    def seen(self, policy: Policy, verdicts: Verdicts) -> PolicyState:
        """The same as `looked_at`, kept from now on."""
        state = self.looked_at(policy, verdicts)
        self.put(state)
        return state

    def looked_at(self, policy: Policy, verdicts: Verdicts) -> PolicyState:
        """The state, with the health of the policy's regions as it is now, and what operators say."""
        types = sorted({record.key.type for record in policy.records})
        health = {record_type: verdicts.regions(policy.name, record_type) for record_type in types}
        calm = verdicts.calm(policy.name, self.drained(policy))
        return self.told(policy).with_verdicts(health, calm=calm)

    def told(self, policy: Policy) -> PolicyState:
        """The state, with what operators say of the policy, and what others measure."""
        overrides, signalled = self.overrides.known(policy), self.signalled(policy.name)
        state = self.of(policy.name)
        return replace(state, overrides=overrides, signalled=signalled, epoch=self.lead.epoch)

    def signalled(self, policy: str) -> Signalled:
        """What others measured for a policy: in this process, or in an earlier one."""
        return self._signalled.get(policy) or self.of(policy).signalled

    def measured(self, policy: str, signalled: Signalled) -> None:
        """Take that in. It is kept by itself, for a round under way would put back what it began with."""
        self._signalled[policy] = signalled

    def drained(self, policy: Policy) -> frozenset[str]:
        """Regions that a word keeps out of the whole policy: that they are ill is no trouble of its service."""
        return self.overrides.drained(policy)

    async def keep_all(self) -> None:
        """Have the journal keep everything once more: it may have lost what it was given."""
        self._kept.lost()
        for policy in list(self._states):
            await self.keep(policy)

    # -- from an earlier process, and beside another one ---------------------------------------------------------------

    def resume(self, states: Iterable[PolicyState], interrupted: Sequence[Plan]) -> None:
        """Take up what an earlier process left; plans that it began and did not end are in doubt."""
        for state in states:
            targets = {key: _awake(memory) for key, memory in state.targets.items()}
            awake = replace(state, targets=targets, calm=False)  # who has not seen the endpoints ends no incident
            self.put(awake)
            self._kept.known(awake.policy, {**awake.targets, HEAD: _head(awake)})  # who changes nothing writes nothing
        for plan in interrupted:
            self.put(began(self.of(plan.target.policy), plan))

    async def recall(self, target: Target, since: float) -> TargetMemory:
        """What is known of a target, completed by what the journal knows from others."""
        good, changes = await self._journal.recall(target, since)
        state = self.of(target.policy)
        memory = _completed(state.of(target), good, changes)
        self.put(state.with_target(memory))
        return memory

    async def keep(self, policy: str) -> None:
        """Have everybody keep what is new in the state, if who comes later would miss it."""
        state = self.of(policy)
        for kept in self._keepings:
            await kept.keep(state)

    # -- with other members --------------------------------------------------------------------------------------------

    def share(self, keeper: StateKeeper) -> None:
        """Have the members' common memory keep what is new as well."""
        self._shared = _Kept(keeper)

    async def keep_shared(self, policy: str) -> None:
        """Before a write is sent: who leads next has to know of it, whatever becomes of this member."""
        if self._shared is not None:
            await self._shared.keep(self.of(policy))

    def adopt(self, policy: str, head: PolicyState | None, targets: Mapping[str, TargetMemory]) -> bool:
        """Take up what the leader remembers. How regions are is for this member to see.

        Returns: whether the leader wrote what this member does not know yet.
        """
        mine = self.of(policy)
        ahead = {key: memory.generation - mine.of(memory.target).generation for key, memory in targets.items()}
        # what is behind comes from a backup of the coordinator, or from before this member acted while nobody was asked
        awake = {key: _awake(memory) for key, memory in targets.items() if ahead[key] >= 0}
        head = head if len(awake) == len(targets) else None
        state = replace(head or mine, verdicts=mine.verdicts, calm=mine.calm, targets={**mine.targets, **awake})
        self.put(state)
        if self._shared is not None:
            self._shared.known(policy, {**awake, **({HEAD: _head(state)} if head is not None else {})})
        return any(each > 0 for each in ahead.values())

    def unshared(self) -> None:
        """Nobody knows what the common memory holds: it is told everything, once it is to be told."""
        if self._shared is not None:
            self._shared.lost()

    @property
    def _keepings(self) -> "list[_Kept]":
        return [self._kept, *([self._shared] if self._shared is not None else [])]


class _Kept:
    """What a keeper has of each policy.

    A policy may have a thousand records, and one changes at a time: so each target is kept by itself.
    """

    def __init__(self, keeper: StateKeeper) -> None:
        self._keeper = keeper
        self._parts: dict[str, dict[str, object]] = {}

    def known(self, policy: str, parts: Mapping[str, object]) -> None:
        """It has these already."""
        self._parts.setdefault(policy, {}).update(parts)

    def forget(self, policy: str) -> None:
        self._parts.pop(policy, None)

    def lost(self) -> None:
        self._parts.clear()

    async def keep(self, state: PolicyState) -> None:
        """Give it what is new."""
        kept = self._parts.setdefault(state.policy, {})
        touched = {key: memory for key, memory in state.targets.items() if kept.get(key) is not memory}
        new = {key: memory for key, memory in touched.items() if not _same(kept.get(key), memory)}
        head = _head(state)
        if not new and kept.get(HEAD) == head:
            kept |= touched  # each round makes values of its own of what it knew: they are compared once
            return
        said: dict[str, object] = {**new, HEAD: head}
        kept |= {**touched, **said}
        if not await self._keeper.keep(replace(state, targets=new)):  # it is tried again with the next round
            for key in [key for key, value in said.items() if _same(kept.get(key), value)]:
                del kept[key]


def _same(kept: object, value: object) -> bool:
    """Whether who takes up the one misses nothing of the other."""
    if isinstance(kept, TargetMemory) and isinstance(value, TargetMemory):
        return _awake(kept) == _awake(value)
    return kept == value


def _completed(memory: TargetMemory, good: LastGood | None, changes: Sequence[PastChange]) -> TargetMemory:
    told = {change.generation for change in changes}
    mine = (each for each in memory.changes if not (each.assumed and each.generation in told))  # it is known by now
    known = {change.change_id: change for change in (*changes, *mine)}
    goods = [each for each in (memory.last_good, good) if each is not None]
    newest = max(goods, key=lambda each: each.rank, default=None)
    by_others = good is not None and good.generation > memory.generation
    return replace(
        memory,
        last_good=newest,
        ramps=taken_up(memory.ramps, good.ramps) if good is not None and by_others else memory.ramps,
        changes=tuple(sorted(known.values(), key=lambda change: change.at))[-MOST_CHANGES:],
        doubts=overtaken(memory.doubts, newest.generation) if newest is not None else memory.doubts,
    )


def _awake(memory: TargetMemory) -> TargetMemory:
    """What is known after a restart: nothing was tried yet, and no round has ended."""
    return replace(memory, state=None, told=replace(memory.told, failures=0, delay=None))


def _head(state: PolicyState) -> object:
    """What a restart would miss besides the targets. Health is seen anew, but not since when it is so.

    The epoch is not among it: a new leader has one of its own, and need not say so of a thousand policies.
    """
    health = {
        (record_type, name): (found.state, found.well_since)
        for record_type, regions in state.verdicts.items()
        for name, found in regions.items()
    }
    seen = state.down_since, state.served
    return state.incident, health, *seen, _measured(state.signalled), state.practices


def _measured(signalled: Signalled) -> object:
    """What a restart would miss of what others measured: each verdict, and readings once a minute."""
    newest = max((reading.at for reading in signalled.readings.values()), default=0.0)
    return {name: burn.found for name, burn in signalled.burns.items()}, newest // _KEPT_EVERY


_KEPT_EVERY: Final = 60.0
"""Seconds."""
