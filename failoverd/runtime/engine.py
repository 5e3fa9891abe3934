"""Everything that works on policies, put together: the same for the daemon and for a simulated one.

What it is put into comes from outside: a journal, providers, authoritative servers, a timetable, the time, and chance.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from failoverd import __version__
from failoverd.core.control.clearance import Objection
from failoverd.core.control.outcome import Outcome
from failoverd.core.control.plan import Plan
from failoverd.core.control.progress import rivals_settled
from failoverd.core.control.state import PolicyState
from failoverd.core.events import Event, OverrideEvent
from failoverd.core.health.isolation import SENTINEL_RULES, SENTINELS, IsolationRules
from failoverd.core.health.table import HealthTable
from failoverd.core.members import Membership
from failoverd.core.overrides import ITSELF, Override, Scope
from failoverd.core.records import Check, Endpoint, Policy, Target
from failoverd.core.rules import Rule
from failoverd.core.status import MembersStatus, Status
from failoverd.ports import (
    Authorities,
    Clock,
    Coordinator,
    Emit,
    Journal,
    MetricsSource,
    Prober,
    Provider,
    Timetable,
    Urgency,
    WallClock,
)
from failoverd.runtime.applying import Applier
from failoverd.runtime.estate import Shared
from failoverd.runtime.health_board import HealthBoard
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.lead import Alone, Lead
from failoverd.runtime.measuring import Measuring
from failoverd.runtime.members.ballots import Introduction, MemberRun
from failoverd.runtime.members.participant import Participant
from failoverd.runtime.naps import Nap
from failoverd.runtime.override_book import Overrides
from failoverd.runtime.policy_runner import PolicyRunner
from failoverd.runtime.practising import Practising
from failoverd.runtime.probing import Pace, Probing
from failoverd.runtime.proofs import Proofs
from failoverd.runtime.proving import DISPUTE_AFTER, Prover
from failoverd.runtime.states import States
from failoverd.runtime.supervising import supervise
from failoverd.runtime.target_worker import NameLocks, Tools

Sentinels = Sequence[tuple[Endpoint, Check]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an engine is put into.

    Attributes:
        journal: what it remembers by.
        providers: by name, as the policies call them.
        authorities: the authoritative servers, asked after each change.
        timetable: runs what is regular.
        clock: the time; steady.
        emit: is told of every event; the journal hears of it besides.
        chance: where jitter comes from.
        sources: who measures what policies want to know, by the name that they call them.
        coordinator: where several members agree; None where one is alone.
        lease_clock: the time for what is held by a lease, which goes on while the machine is suspended; by default the
            same as `clock`.
        wall_clock: the time as this machine has it now; by default the same as `clock`.
    """

    journal: Journal
    providers: Mapping[str, Provider]
    authorities: Authorities
    timetable: Timetable
    clock: Clock
    emit: Emit
    chance: random.Random = field(default_factory=random.Random)
    sources: Mapping[str, MetricsSource] = field(default_factory=dict)
    coordinator: Coordinator | None = None
    lease_clock: Clock | None = None
    wall_clock: WallClock | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """What the daemon's own file says of how it works.

    Attributes:
        owner: the name under which it marks what it owns.
        isolation: when failures are to be believed.
        sentinels: what should always be reachable, each with its check.
        pace: the numbers of probing.
        dispute_after: seconds that servers may take to agree with a change.
        instance: which process of this installation it is, the same after a restart; empty, nobody looks for rivals.
        host: the machine that it runs on, as people are told.
        membership: which of several members it is; None where it is alone.
        unfenced: the providers that have no fence of their own.
    """

    owner: str
    isolation: IsolationRules = field(default_factory=IsolationRules)
    sentinels: Sentinels = ()
    pace: Pace = field(default_factory=Pace)
    dispute_after: float = DISPUTE_AFTER
    instance: str = ""
    host: str = ""
    membership: Membership | None = None
    unfenced: frozenset[str] = frozenset()


class Engine:
    """One member at work."""

    def __init__(self, said: Installation, around: Surroundings) -> None:
        emit, clock, chance, timetable = around.emit, around.clock, around.chance, around.timetable
        self._sinks = [emit]
        self.providers = around.providers
        self._clock = clock
        self.sentinels = said.sentinels
        self.writer = JournalWriter(around.journal, self.emit, clock)
        self.proofs = Proofs()
        self._sinks += [self.writer.take, self.proofs.follow]
        self.member = self._member(said, around)
        self.lead: Lead = self.member.lead
        self.overrides = Overrides(self.writer, self.emit, clock, self.lead)
        self.states = States(self.writer, self.emit, self.overrides, self.lead)
        self.incidents = Incidents(self.states, clock)
        table = HealthTable(clock(), said.isolation, said.sentinels)
        self.board = HealthBoard(self.emit, clock, self.incidents, self._wake, table)
        self.probing = Probing(timetable, self.board, clock, emit=self.emit, pace=said.pace, chance=chance)
        self.shared = Shared(lambda policy: self.states.looked_at(policy, self.board), self._make_room, _later)
        self.prover = Prover(around.authorities, self.emit, clock, dispute_after=said.dispute_after, chance=chance)
        self.tools = Tools(
            verdicts=self.board,
            incidents=self.incidents,
            states=self.states,
            journal=self.writer,
            applier=Applier(
                self.states, self.writer, self.prover, self.emit, clock, ITSELF, said.unfenced, proofs=self.proofs
            ),
            names=NameLocks(),
            emit=self.emit,
            clock=clock,
            owner=said.owner,
            chance=chance,
            shared=self.shared,
        )
        self.runner = PolicyRunner(self.tools, self.board, self.probing, around.providers)
        self._timetable = timetable
        self.measuring = Measuring(
            around.sources,
            self.states,
            self.board,
            lambda: self.policies,
            self.incidents,
            self._work_on,
            self.emit,
            clock,
        )
        self.practising = Practising(self.states, self.board, self.shared, lambda: self.runner, self.emit, clock)
        self.member.remember(self.states, self.writer, self.runner.heed, self._follow_leader, self.proofs.hear)
        self.member.vote(self.board, self.probing, lambda: self.policies)
        self._sinks += [self.practising.take, self.member.tell]
        self._background: list[asyncio.Task[None]] = []
        self._named = said.instance

    def _member(self, said: Installation, around: Surroundings) -> Participant | Alone:
        clock, instance = around.clock, said.instance
        if around.coordinator is None or said.membership is None:
            return Alone(instance)
        run = MemberRun(clock(), instance, said.host) if instance else None
        return Participant(
            around.coordinator,
            said.membership,
            instance,
            Introduction(clock, around.wall_clock or clock, __version__, run),
            self.emit,
            around.lease_clock or clock,
            around.chance,
            self._turned,
        )

    @property
    def instance(self) -> str:
        """The name of this installation in markers."""
        return self.lead.instance

    def _turned(self) -> None:
        """This member leads from now on, or does no more."""
        self.overrides.nap.wake()
        self.practising.nap.wake()
        self.runner.turned()

    def emit(self, event: Event) -> None:
        """Tell everybody, the journal last: what one of several members tells has its name."""
        if self.member.name and not event.told_by:
            event = replace(event, told_by=self.member.name)
        for sink in self._sinks:
            sink(event)

    @contextmanager
    def heard(self, sink: Emit) -> Iterator[None]:
        """Tell somebody else as well, for as long as the context lasts."""
        self._sinks.append(sink)
        try:
            yield
        finally:
            self._sinks.remove(sink)

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(
        self,
        states: Iterable[PolicyState],
        interrupted: Sequence[Plan],
        overrides: Iterable[Override] = (),
        proofs: Iterable[tuple[Plan, bool | None]] = (),
        **beside: Callable[[], Awaitable[None]],
    ) -> None:
        """Take up what an earlier process left, and begin what goes on beside the policies.

        `proofs` are its last changes; see `Proofs.resume`.
        """
        self.overrides.load(overrides)
        self.proofs.resume(proofs)
        self.states.resume(states, interrupted)
        own = {
            "journal writer": self.writer.run,
            "decisions": self.writer.run_decisions,
            "overrides": self.overrides.run,
        }
        for name, work in {**own, **self.member.works, **beside}.items():
            self._supervise(name.replace("_", " "), work)

    def watch_sentinels(self, probers: Mapping[str, Prober]) -> None:
        """Before any policy, so that the prober knows itself when the first failure is judged."""
        if self.sentinels:
            self.probing.watch(SENTINELS, self.sentinels, SENTINEL_RULES, probers)

    def attend(self) -> None:
        """The policies are at work: ask the sources what they want to know, and look after drills.

        Without them nobody would know whose region a drill took, and one that is over would not be remembered.
        """
        self.measuring.start(self._timetable)
        self._supervise("practice", self.practising.run)

    def _supervise(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        task = supervise(name, work, self.emit, self._clock, chance=self.tools.chance)
        self._background.append(asyncio.create_task(task))

    # -- for operators -------------------------------------------------------------------------------------------------

    @property
    def policies(self) -> Mapping[str, Policy]:
        return self.runner.policies

    @property
    def rules(self) -> Sequence[Rule]:
        return self.tools.rulebook.rules

    @property
    def sending(self) -> int:
        """Writes that were handed to a provider and have not come back."""
        return self.tools.applier.sending

    @property
    def naps(self) -> tuple[Nap, ...]:
        """Of those who look at the time regularly: when each has something to do."""
        return self.overrides.nap, self.practising.nap

    def words(self) -> tuple[Override, ...]:
        return self.overrides.all()

    @property
    def unshared(self) -> frozenset[str]:
        """Ids of words that other members do not know as they are here."""
        return self.overrides.unshared

    def previews(self, policy: str) -> list[tuple[Target, Callable[[tuple[Override, ...]], Outcome]]]:
        return self.runner.previews(policy)

    def proof_heard(self, target: Target) -> tuple[int, bool]:
        return self.proofs.heard(target)

    def objection(self, word: Override) -> Objection | None:
        """What stands against a drill that would begin now."""
        return self.practising.objection(word)

    async def say(self, word: Override, event: OverrideEvent | None) -> bool:
        """Heed an operator's word, in all policies that it concerns. Whether the journal keeps it."""
        if not self.lead.acts:
            await self.member.tell_leader(word)
        kept = await self.overrides.put(word, event)
        self.runner.heed(word)
        return kept

    async def settle_rivals(self, scope: Scope, by: str, comment: str = "") -> tuple[str, ...]:
        """A person says that who else wrote these names is gone: they are written as before. Returns the names.

        Whoever still writes them is found again, after a few writes; a newer leader than those that did, at once.

        Raises:
            CoordinationError: this member does not lead.
        """
        self.member.require_lead()
        settled = set[str]()
        for policy in tuple(self.runner.policies):
            after, events = rivals_settled(self.states.of(policy), scope, by, comment, self._clock())
            self.states.take((after, tuple(events.values())))
            await self.states.keep(policy)
            settled |= {name for _, _, name in events}
        self.runner.tick()
        return tuple(sorted(settled))

    def look_again(self, policy: str) -> None:
        """Somebody else wrote, or found something, in this process: the policy is worked on now."""
        self._work_on(policy, Urgency.CHANGE)

    def _follow_leader(self, policy: str) -> None:
        """Who leads has written: who follows sees what it became."""
        self._work_on(policy, Urgency.ROUTINE)

    def _work_on(self, policy: str, urgency: Urgency) -> None:
        found = self.runner.reconcilers.get(policy)
        if found is not None:
            found.wake(urgency)

    def tick(self) -> None:
        """Level-triggered: work on everything again, whatever was or was not heard."""
        self.runner.tick()

    async def remind(self, *statuses: Status) -> None:
        """Give the journal what it lacks, so that it tells where things stand, and a restart misses nothing.

        For who calls regularly. `statuses` are those of the daemon itself.
        """
        if self.instance != self._named:  # the others gave the installation its name
            await self.writer.belong(self.instance)
            self._named = self.instance
        if not self.writer.lacks:
            return
        self.writer.lacks = False
        if await self.writer.update_status([*statuses, *self.statuses()]):
            await self.writer.belong(self.instance)
            await self.states.keep_all()
            await self.overrides.keep_all()

    async def halt(self, hand_over: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin nothing more, let writes under way finish, stop probing and proving. Records stay as they are.

        `hand_over` is called when this member writes no more, and leads still.
        """
        await self.runner.close()
        if hand_over is not None:
            await hand_over()
        await self.member.leave()
        await self.prover.close()

    async def close(self) -> None:
        """End what goes on in the background, and write the last events."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.writer.flush()

    async def abandon(self) -> None:
        """End everything in the middle of whatever it does, as the end of the process would."""
        await self.runner.abandon()
        await self.prover.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    # -- how it goes ---------------------------------------------------------------------------------------------------

    def statuses(self) -> list[Status]:
        return self.runner.statuses()

    def members(self) -> MembersStatus:
        """Who of several members writes; without a name where this one is alone."""
        return self.member.status(self._clock())

    def _wake(self, policy: str, *, more: bool) -> None:
        """The board exists before the runner that it wakes."""
        self.shared.touch(policy)
        self.runner.wake(policy, more=more)

    def _make_room(self, policy: str) -> None:
        """What the others leave to a policy is another part than before."""
        self.look_again(policy)


def _later(seconds: float, do: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, do)
