"""One daemon on a virtual clock: what the composition root wires together, with the world on paper around it."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from failoverd.config.drills import planner_of_all
from failoverd.core.control.plan import Plan
from failoverd.core.control.state import PolicyState
from failoverd.core.events import Event
from failoverd.core.health.isolation import IsolationRules
from failoverd.core.members import Membership
from failoverd.core.overrides import KNOWN, Override
from failoverd.core.records import Check, Endpoint, Maintenance, Policy, Practice
from failoverd.core.rules import Rule
from failoverd.ports import Clock, Coordinator, MetricsSource, Provider, WallClock
from failoverd.runtime.engine import Engine, Installation, Surroundings
from failoverd.runtime.probing import Pace
from failoverd.runtime.reconciling import Reconciler
from failoverd.simulation.leaping import TICK_JOB, Leaps
from failoverd.simulation.paper_authorities import PaperAuthorities
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.virtual_time import VirtualTimetable
from failoverd.simulation.world import World
from failoverd.simulation.zonefile import Zonefile

OWNER: Final = "prod"
TICK: Final = 5.0


class SimulatedDaemon:
    """One daemon at work. The zone file, the journal and the world outlive it, as they do in life.

    One that `leaps` leaps over the time in which nothing happens (`leaping`). It has to be alone on its loop.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the world that it is put into
        self,
        *,
        zonefile: Zonefile | None = None,
        journal: PaperJournal | None = None,
        world: World | None = None,
        providers: Mapping[str, Provider] | None = None,
        owner: str = OWNER,
        isolation: IsolationRules | None = None,
        sentinels: Sequence[tuple[Endpoint, Check]] = (),
        chance: random.Random | None = None,
        instance: str = "",
        tick: float = TICK,
        sources: Mapping[str, MetricsSource] | None = None,
        clock: Clock | None = None,
        wall_clock: WallClock | None = None,
        coordinator: Coordinator | None = None,
        membership: Membership | None = None,
        heard: Callable[[Event], None] = lambda event: None,  # noqa: ARG005 - what it is called with
        leaps: bool = False,
    ) -> None:
        clock = self._clock = clock or asyncio.get_running_loop().time
        self._every = tick
        self.zonefile = zonefile or Zonefile()
        self.journal = journal or PaperJournal()
        self.world = world or World(clock)
        self.dns = PaperProvider(self.zonefile, clock)
        self.providers: Mapping[str, Provider] = providers or {"dns-main": self.dns}
        self.events = list[Event]()
        self.heard = heard
        self.timetable = VirtualTimetable()
        zonefiles = {name: found.zonefile for name, found in self.providers.items() if isinstance(found, PaperProvider)}
        self.authorities = PaperAuthorities(self.zonefile, zonefiles)
        around = Surroundings(
            journal=self.journal,
            providers=self.providers,
            authorities=self.authorities,
            timetable=self.timetable,
            clock=clock,
            emit=self._told,
            chance=chance or random.Random(0),  # noqa: S311 - a script, no secret
            sources=sources or {},
            coordinator=coordinator,
            wall_clock=wall_clock,
        )
        said = Installation(
            owner,
            isolation=isolation or IsolationRules(),
            sentinels=sentinels,
            pace=Pace(jitter=0.0),
            instance=instance,
            membership=membership,
        )
        self.engine = Engine(said, around)
        self.states, self.incidents, self.board = self.engine.states, self.engine.incidents, self.engine.board
        self.probing, self.prover, self.runner = self.engine.probing, self.engine.prover, self.engine.runner
        self._leaps = Leaps(self.engine, self.timetable, self.world, tick, lambda: len(self.events)) if leaps else None
        self._booting: asyncio.Task[None] | None = None

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, *policies: Policy) -> None:
        began, journal = self._clock(), self.journal
        words = journal.words_kept(began - KNOWN)
        self.begin(policies, journal.states_kept(), journal.interrupted(began), words, journal.proofs_kept())

    def begin(
        self,
        policies: Sequence[Policy],
        states: Sequence[PolicyState],
        interrupted: Sequence[Plan],
        words: Sequence[Override] = (),
        proofs: Sequence[tuple[Plan, bool | None]] = (),
    ) -> None:
        """Start with what an earlier process left."""
        self.engine.start(states, interrupted, words, proofs)
        self.engine.watch_sentinels({check.name: self.world.prober(check) for _, check in self.engine.sentinels})
        self.timetable.every(TICK_JOB, self._every, self._tick, phase=self._every)
        if self._leaps is not None:
            self._leaps.start()
        self._booting = asyncio.create_task(self._boot(policies))

    async def _boot(self, policies: Sequence[Policy]) -> None:
        for found in policies:
            await self.take_up(found)
        self.engine.attend()

    async def booted(self) -> None:
        """Every policy was taken up."""
        if self._booting is not None:
            await self._booting

    def heed_files(
        self,
        policies: Sequence[Policy],
        of_all: Sequence[Maintenance],
        rules: tuple[Rule, ...],
        practices: Sequence[Practice] = (),
    ) -> None:
        """The inventory, and what these policies plan, as the files say it from now on."""
        self.runner.obey(rules)
        self.runner.expect(planner_of_all({found.name: found for found in policies}, of_all, practices))

    async def take_up(self, found: Policy) -> None:
        """Start a policy, or run a newer revision of it."""
        await self.runner.take_up(found, {check.name: self.world.prober(check) for _, check in found.probes()})

    async def kill(self) -> None:
        """It is gone, in the middle of whatever it did."""
        await self._close_timetable()
        if self._booting is not None:
            await end(self._booting)
        await self.engine.abandon()

    async def stop(self) -> None:
        """It is told to stop, and does so in order."""
        await self._close_timetable()
        await self.engine.halt()
        await self.engine.close()

    async def _close_timetable(self) -> None:
        if self._leaps is not None:
            self._leaps.stop()
        await self.timetable.close()

    @property
    def reconcilers(self) -> dict[str, Reconciler]:
        return self.runner.reconcilers

    @property
    def busy(self) -> bool:
        """Whether a round is under way, or a policy is not taken up yet."""
        booting = self._booting is not None and not self._booting.done()
        return booting or any(found.busy for found in self.reconcilers.values())

    def _told(self, event: Event) -> None:
        self.events.append(event)
        self.heard(event)

    async def _tick(self) -> None:
        self.engine.tick()


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
