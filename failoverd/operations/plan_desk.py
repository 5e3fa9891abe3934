"""`plan` and `apply` as a daemon at work does them, for whoever asks it.

Everything is the daemon's own: its providers with what their accounts allow, the policies and rules that it has loaded,
what operators said, what it remembers, and its verdicts, so that nothing is probed twice. A name is written in turns
with the daemon's own workers, and by the same hands.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from failoverd import codec
from failoverd.core.control import progress
from failoverd.core.control.outcome import Estate, Outcome
from failoverd.core.control.plan import Plan
from failoverd.core.control.state import PolicyState, Verdicts
from failoverd.core.errors import FailoverdError, Transient, classified
from failoverd.core.events import ChangeVerified, Event
from failoverd.core.records import Observed, Policy, Target
from failoverd.core.status import PolicyStatus
from failoverd.operations.planning import (
    MOST_CHARACTERS,
    Applied,
    Planned,
    PlannedChange,
    apply_plans,
    back,
    chosen,
    longest,
)
from failoverd.operations.session import Patience, proof_of
from failoverd.operations.slips import unknown
from failoverd.operations.supposing import NOTHING, Supposition, plans_if
from failoverd.operations.verdicts import verdicts_of
from failoverd.operations.waiting import Waiting
from failoverd.ports import ChangeOutcome, Clock, Provider, Urgency
from failoverd.runtime.engine import Engine

LONGEST: Final = 300.0
"""Seconds after which nothing more is begun for one question. What an account allows may make many records slow."""

IN_TURN: Final = 10.0
"""Seconds that a record may take to be read while its name waits for it: the region that it leaves may fail now."""

WRITING: Final = 60.0
"""Seconds that a write may take, for the same reason. One that takes longer is in doubt until the next look."""

FIRST: Final = 10.0
"""Seconds that a daemon which has just begun may take for its first verdicts."""


class Queue:
    """So many are worked on at the same time, and a few more wait. Whoever comes then is refused."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._most = at_once + waiting
        self._turns = asyncio.Semaphore(at_once)
        self._here = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Raises FailoverdError (`too_many_plans`)."""
        if self._here >= self._most:
            words = f"{self._here} others have asked the daemon to plan, or to apply, and wait"
            raise FailoverdError(words, reason="too_many_plans", remedy="ask again when they are done")
        self._here += 1
        try:
            async with self._turns:
                yield
        finally:
            self._here -= 1


class PlanDesk:
    """Where a daemon is asked what it would do, and to do it."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._plans, self._applies = Queue(2, 2), Queue(1, 2)

    async def plan(self, names: Collection[str], returning: Collection[str], said: Supposition = NOTHING) -> Planned:
        """What would be done about these policies, or about all, if `said` were so. Nothing is.

        Raises:
            FailoverdError: there is no such policy, region or cloud, or too many ask.
        """
        async with self._plans.place():
            at = _AtWork(self._engine, self._clock, "")
            policies = chosen(at, tuple(self._engine.policies), names, returning)
            findings = await plans_if(at, said, policies, frozenset(returning))
            return Planned(tuple(findings), self._loaded({policy.name for policy in policies}), said.text())

    async def apply(self, changes: Sequence[Mapping[str, object]], actor: str) -> Applied:
        """Do what these changes say, each if it is what would be done now.

        Raises:
            FailoverdError: they are no changes (`plan_unreadable`), too many ask, or another member leads.
        """
        self._engine.member.require_lead()
        said = await understood(changes)
        async with self._applies.place():
            at = _AtWork(self._engine, self._clock, actor)
            with self._engine.heard(at.hear):
                attempts = await apply_plans(at, said)
            names = {each.plan.target.policy for each in attempts}
            for name in names:
                self._engine.look_again(name)
            return Applied(tuple(attempts), self._loaded(names))

    def _loaded(self, names: Collection[str]) -> tuple[PolicyStatus, ...]:
        return tuple(each for each in self._engine.runner.overview() if each.policy in names)


async def understood(changes: Sequence[Mapping[str, object]]) -> list[PlannedChange]:
    """Changes as a plan file has them; whatever else goes on has its turn after each.

    Raises:
        FailoverdError: they are none.
    """
    found = []
    for each in changes:
        if longest(each) > MOST_CHARACTERS:
            raise _unreadable(f"a text in it is longer than {MOST_CHARACTERS} characters")
        try:
            found.append(codec.load(PlannedChange, codec.dump(dict(each))))
        except ValidationError as error:
            raise _unreadable(f"{error.error_count()} errors in it") from error
        await asyncio.sleep(0)
    return found


def _unreadable(words: str) -> FailoverdError:
    remedy = "send what plan told under `change`, whole and unchanged"
    return FailoverdError(f"this is no plan: {words}", reason="plan_unreadable", remedy=remedy)


@dataclass(slots=True)
class _AtWork:
    """The daemon, for one question: `planning.Workplace`."""

    engine: Engine
    clock: Clock
    actor: str
    until: float = field(init=False)
    proved: list[Event] = field(default_factory=list)
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        self.until = self._now() + LONGEST

    @property
    def owner(self) -> str:
        return self.engine.tools.owner

    @property
    def providers(self) -> Mapping[str, Provider]:
        return self.engine.providers

    @property
    def by_turns(self) -> bool:
        return True

    @property
    def alive(self) -> Callable[[], bool]:
        return lambda: True

    @property
    def waits(self) -> Callable[[Waiting], None]:
        return lambda _: None

    @property
    def policies(self) -> Mapping[str, Policy]:
        return self.engine.policies

    def policy(self, name: str) -> Policy:
        """Raises ConfigError when none of that name runs."""
        found = self.engine.policies.get(name)
        if found is None:
            remedy = "failoverctl status names files that the daemon did not take up, failoverctl check what is wrong"
            raise unknown("running policy", name, sorted(self.engine.policies), "policy_unknown", remedy)
        return found

    def estate(self, target: Target, returning: Mapping[str, frozenset[str]]) -> Estate:
        policy, engine = self.policy(target.policy), self.engine
        state, shared = back(self.looked_at(policy), returning), engine.shared.bringing_back(returning)
        return engine.tools.estate(policy, target, self.providers[target.provider], state, shared)

    def looked_at(self, policy: Policy) -> PolicyState:
        return self.engine.states.looked_at(policy, self.engine.board)

    async def read(self, target: Target, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        """A routine read may wait for its turn at the account for as long as the question may take."""
        now = self._now()
        until = self.until if urgency.is_routine else min(self.until, now + IN_TURN)
        try:
            async with asyncio.timeout_at(until) as deadline:
                return await self.providers[target.provider].read(target, urgency=urgency)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise _late(f"{target} could not be read within {until - now:.0f}s") from error

    async def verdicts(
        self,
        policies: Sequence[Policy],
        failed: tuple[str, ...],  # noqa: ARG002 - nobody waits here to be told
    ) -> Mapping[str, Verdicts | FailoverdError]:
        """What the daemon holds to be true. One that has just begun gets a moment for what it has not seen yet."""
        news = asyncio.Event()
        with self.engine.heard(lambda _: news.set()), suppress(TimeoutError):
            async with asyncio.timeout(FIRST):
                while any(map(self._undecided, policies)):
                    news.clear()
                    await news.wait()
        return {policy.name: self._verdicts(policy) for policy in policies}

    def _undecided(self, policy: Policy) -> bool:
        return policy.name in self.engine.policies and self.engine.board.undecided(policy.name)

    def _verdicts(self, policy: Policy) -> Verdicts | FailoverdError:
        try:
            self.policy(policy.name)  # its file may have gone meanwhile
            return verdicts_of(policy, self.engine.board)
        except FailoverdError as error:
            return classified(error)

    async def recalled(self, policy: Policy, target: Target) -> PolicyState:
        states = self.engine.states
        await states.recall(target, self.clock() - policy.limits.longest_window)
        return states.seen(self.policy(policy.name), self.engine.board)

    @asynccontextmanager
    async def turn(self, target: Target) -> AsyncIterator[None]:
        """The daemon's own worker may be at it. Raises Transient when that takes too long."""
        lock = self.engine.tools.names.lock(target)
        try:
            async with asyncio.timeout_at(self.until):
                await lock.acquire()
        except TimeoutError as error:
            raise _late(f"{target} was not free to be written within {LONGEST:g}s") from error
        try:
            yield
        finally:
            lock.release()

    async def apply(self, policy: Policy, outcome: Outcome) -> Plan:
        if outcome.approved is None:
            raise ValueError("there is nothing to apply")
        plan = outcome.approved.plan
        tools, provider = self.engine.tools, self.providers[plan.target.provider]
        try:
            async with asyncio.timeout(WRITING) as deadline:
                await tools.applier.apply(provider, outcome, policy, actor=self.actor)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            late = Transient(f"{plan.target} took longer than {WRITING:g}s", reason="outcome_unknown")
            if progress.doubts(tools.states.of(policy.name), plan):
                await tools.journal.settle(plan, ChangeOutcome.FAILED, str(late), self.clock())
            raise late from error
        return plan

    async def proof(self, plan: Plan) -> str:
        return await proof_of(plan, self.engine.prover, self.proved, self.patience, self.clock)

    def hear(self, event: Event) -> None:
        """What is told while changes are applied: of all that, only what proves one."""
        if isinstance(event, ChangeVerified):
            self.proved.append(event)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _late(words: str) -> Transient:
    return Transient(words, reason="deadline", remedy="make the plan again, for fewer policies at a time")
