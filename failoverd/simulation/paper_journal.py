"""A journal in memory. What it holds survives the process, like a file."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from failoverd import codec
from failoverd.core.control.inputs import Decided
from failoverd.core.control.limits import PastChange
from failoverd.core.control.plan import LastGood, Plan
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.errors import JournalError
from failoverd.core.events import ChangeVerified, Event
from failoverd.core.overrides import Announced, Override
from failoverd.core.records import Target
from failoverd.core.status import Status
from failoverd.ports import AuditEntry, ChangeOutcome, Settled, Telling
from failoverd.simulation.faults import Script


@dataclass
class _Entry:
    plan: Plan
    intended_at: float
    outcome: ChangeOutcome | None = None
    detail: str = ""
    settled_at: float | None = None


T = TypeVar("T")


def _through_the_file(value: T) -> T:
    """What a file gives back. Frozen values need no writing until somebody reads them."""
    return codec.load(type(value), codec.dump(value))


@dataclass
class PaperJournal:
    """`ports.Journal` on paper. What it holds survives the process, like a file.

    Attributes:
        broken: raised by every call while it is set; `full` only by those that write.
        stuck: makes every call wait for it.
        tries: how often events were to be recorded.
        keeps: how often a state was to be kept.
        told: up to which number what each other member told is here.
        heard: told of each plan that is to be written, in the moment of its decision.
    """

    events: list[Event] = field(default_factory=list)
    changes: dict[str, _Entry] = field(default_factory=dict)
    answers: dict[Target, LastGood] = field(default_factory=dict)
    statuses: dict[object, Status] = field(default_factory=dict)
    states: dict[tuple[str, str], PolicyState | TargetMemory] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    decisions: list[Decided] = field(default_factory=list)
    belongs: str = ""
    trail: list[AuditEntry] = field(default_factory=list)
    broken: JournalError | None = None
    full: JournalError | None = None
    stuck: asyncio.Event | None = None
    script: Script | None = None
    tries: int = 0
    keeps: int = 0
    told: dict[str, int] = field(default_factory=dict)
    heard: Callable[[Plan], None] = lambda plan: None  # noqa: ARG005 - what it is called with

    async def record(self, events: Sequence[Event]) -> None:
        self.tries += 1
        await self._turn(writes=True, counted=False)
        self.events.extend(events)

    async def intend(self, plan: Plan, at: float) -> None:
        self.heard(plan)
        await self._turn(writes=True)
        self.changes[plan.id] = _Entry(plan, at)
        await self._turn(writes=True)

    async def settle(self, plan: Plan, outcome: ChangeOutcome, detail: str, at: float) -> None:
        await self._turn(writes=True)
        self._settle(plan, outcome, detail, at)
        await self._turn(writes=True)

    def _settle(self, plan: Plan, outcome: ChangeOutcome, detail: str, at: float) -> None:
        entry = self.changes.setdefault(plan.id, _Entry(plan, at))
        entry.outcome, entry.detail, entry.settled_at = outcome, detail, at
        old = self.answers.get(plan.target)
        if outcome is ChangeOutcome.APPLIED and (old is None or old.generation <= plan.generation):
            self.answers[plan.target] = plan.verified(at)

    async def hear(self, member: str, number: int, told: Sequence[Telling]) -> None:
        await self._turn(writes=True, counted=False)
        if number <= self.told.get(member, 0):
            return
        self.told[member] = number
        for each in told:
            if isinstance(each, Settled):
                self._settle(each.plan, each.outcome, each.detail, each.at)
            else:
                self.events.append(each)

    async def confirm(self, target: Target, good: LastGood) -> None:
        await self._turn(writes=True)
        old = self.answers.get(target)
        if old is None or old.generation <= good.generation:
            self.answers[target] = good

    async def recall(self, target: Target, since: float) -> tuple[LastGood | None, tuple[PastChange, ...]]:
        await self._turn()
        happened = {ChangeOutcome.APPLIED, ChangeOutcome.INTERRUPTED}
        changes = tuple(
            PastChange(
                entry.plan.id,
                entry.settled_at,
                entry.plan.start,
                entry.plan.shares_after,
                entry.plan.shifts,
                entry.plan.generation,
            )
            for entry in self.changes.values()
            if entry.plan.target == target
            and entry.outcome in happened
            and entry.settled_at is not None
            and entry.settled_at > since
        )
        return self.answers.get(target), changes

    async def last_answers(self) -> tuple[tuple[Target, LastGood], ...]:
        await self._turn()
        return tuple(self.answers.items())

    async def keep(self, state: PolicyState) -> None:
        self.keeps += 1
        await self._turn(writes=True)
        self.states[state.policy, ""] = replace(state, targets={}, overrides=())
        self.states |= {(state.policy, key): memory for key, memory in state.targets.items()}

    def states_kept(self) -> list[PolicyState]:
        """What an earlier process left, after the way through the file."""
        kept = list(self.states.values())
        heads = {each.policy: _through_the_file(each) for each in kept if isinstance(each, PolicyState)}
        memories = [_through_the_file(each) for each in kept if isinstance(each, TargetMemory)]
        for memory in memories:
            heads[memory.target.policy] = heads[memory.target.policy].with_target(memory)
        return list(heads.values())

    async def decided(self, decisions: Sequence[Decided]) -> None:
        await self._turn(writes=True, counted=False)
        self.decisions.extend(decisions)

    async def say(self, override: Override) -> None:
        await self._turn(writes=True)
        self.words[override.id] = codec.dump(override)

    async def overrides(self, until: float) -> tuple[Override, ...]:
        await self._turn()
        return self.words_kept(until)

    def words_kept(self, until: float) -> tuple[Override, ...]:
        """The same, for who begins after an earlier process."""
        return tuple(word for word in self.spoken() if word.until > until or word.told is not Announced.ENDED)

    def spoken(self) -> list[Override]:
        """Every operator's word that it holds, after the way through the file."""
        return [codec.load(Override, text) for text in self.words.values()]

    async def instance(self) -> str:
        await self._turn()
        return self.belongs

    async def belong(self, instance: str) -> None:
        await self._turn(writes=True)
        self.belongs = instance

    async def audit(self, asked: AuditEntry) -> None:
        await self._turn(writes=True)
        self.trail.append(asked)

    async def asked(self, actor: str, key: str) -> AuditEntry | None:
        await self._turn()
        return next((each for each in self.trail if (each.actor, each.key) == (actor, key) and key), None)

    async def update_status(self, statuses: Sequence[Status]) -> None:
        await self._turn(writes=True)
        for status in statuses:
            self.statuses[getattr(status, "target", status)] = status

    async def dismiss(self, policy: str) -> None:
        await self._turn(writes=True)
        for key in [key for key in self.statuses if getattr(key, "policy", None) == policy]:
            del self.statuses[key]

    def interrupted(self, at: float) -> list[Plan]:
        """What an earlier process began and did not end."""
        found = [entry for entry in self.changes.values() if entry.outcome is None]
        for entry in found:
            entry.outcome, entry.settled_at = ChangeOutcome.INTERRUPTED, at
        return [entry.plan for entry in found]

    def proofs_kept(self) -> list[tuple[Plan, bool | None]]:
        """The changes that were applied, and whether each was proved; None: not yet."""
        proved = {event.change_id: not event.unconfirmed for event in self.events if isinstance(event, ChangeVerified)}
        applied = [entry.plan for entry in self.changes.values() if entry.outcome is ChangeOutcome.APPLIED]
        return [(plan, proved.get(plan.id)) for plan in applied]

    def outcomes(self) -> list[ChangeOutcome | None]:
        return [entry.outcome for entry in self.changes.values()]

    async def _turn(self, *, writes: bool = False, counted: bool = True) -> None:
        if self.script is not None and counted:
            await self.script.step()
        if self.stuck is not None:
            await self.stuck.wait()
        if self.broken is not None:
            raise self.broken
        if writes and self.full is not None:
            raise self.full
