"""The whole runtime on a virtual clock: what the composition root wires together, with the world on paper around it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from support import virtual
from support.approving import limits
from support.fakes import Does, PaperAuthorities, PaperJournal, PaperProvider, World, Zonefile

from failoverd.config.maintenance import planner
from failoverd.core.control.plan import Plan
from failoverd.core.control.state import PolicyState
from failoverd.core.events import Event
from failoverd.core.health.isolation import IsolationRules
from failoverd.core.overrides import KNOWN, Override
from failoverd.core.records import (
    Check,
    Endpoint,
    HealthRules,
    Maintenance,
    Policy,
    RecordKey,
    RecordSpec,
    RecordType,
    RegionSpec,
    Source,
    Target,
)
from failoverd.core.rules import Rule
from failoverd.core.status import TargetStatus
from failoverd.ports import MetricsSource, Provider, Urgency
from failoverd.runtime.engine import Engine, Installation, Surroundings
from failoverd.runtime.probing import Pace
from failoverd.runtime.reconciling import Reconciler

OWNER = "prod"
TICK = 5.0
ZONE = "example.com"

E = TypeVar("E", bound=Event)

AZURE, OCI, AWS = "192.0.2.10", "198.51.100.10", "203.0.113.10"
"""One endpoint in each region of the usual policy."""

RULES = HealthRules(fall=3, rise=2, recheck=0.5)
LIVE = Check("live", "https", every=10.0, timeout=2.0)


def endpoints(region: str, *addresses: str) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(region, address) for address in addresses)


def regions(**shares: tuple[float, str]) -> tuple[RegionSpec, ...]:
    """`azure=(70, "192.0.2.10")`: share in percent, and addresses separated by blanks."""
    return tuple(
        RegionSpec(name, round(share * 100), endpoints(name, *addresses.split()))
        for name, (share, addresses) in shares.items()
    )


def record(
    policy: str, name: str, *providers: str, record_type: RecordType = RecordType.A, zone: str = ZONE
) -> RecordSpec:
    key = RecordKey(name, record_type)
    return RecordSpec(key, 30, tuple(Target(policy, key, provider, zone) for provider in providers or ("dns-main",)))


def policy(name: str = "api", *, provider: str = "dns-main", zone: str = ZONE, **changes: object) -> Policy:
    """Two regions, 70 to 30, one record; anything can be said otherwise."""
    settings: dict[str, object] = {
        "records": (record(name, f"{name}.{zone}", provider, zone=zone),),
        "regions": regions(azure=(70, AZURE), oci=(30, OCI)),
        "checks": (LIVE,),
        "health": RULES,
        "failback_after": 60.0,
        "limits": limits(max_changes=50),
        "source": Source(f"policies/{name}.yaml", "r1", {"limits.max_changes": 24, "health.down_below": 18}),
    }
    return Policy(name, **(settings | changes))  # type: ignore[arg-type]


def target(of: Policy, number: int = 0) -> Target:
    """One of the policy's targets, in the order of the file."""
    return [found for spec in of.records for found in spec.targets][number]


class Stage:
    """One daemon at work. The zone file, the journal and the world outlive it, as they do in life."""

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
        sources: Mapping[str, MetricsSource] | None = None,
    ) -> None:
        clock = virtual.now
        self.zonefile = zonefile or Zonefile()
        self.journal = journal or PaperJournal()
        self.world = world or World(clock)
        self.dns = PaperProvider(self.zonefile, clock)
        self.providers: Mapping[str, Provider] = providers or {"dns-main": self.dns}
        self.events: list[Event] = []
        self.timetable = virtual.VirtualTimetable()
        zonefiles = {name: found.zonefile for name, found in self.providers.items() if isinstance(found, PaperProvider)}
        self.authorities = PaperAuthorities(self.zonefile, zonefiles)
        around = Surroundings(
            journal=self.journal,
            providers=self.providers,
            authorities=self.authorities,
            timetable=self.timetable,
            clock=clock,
            emit=self.events.append,
            chance=chance or random.Random(0),  # noqa: S311 - a script, no secret
            sources=sources or {},
        )
        said = Installation(
            owner,
            isolation=isolation or IsolationRules(),
            sentinels=sentinels,
            pace=Pace(jitter=0.0),
            instance=instance,
        )
        self.engine = Engine(said, around)
        self.states, self.incidents, self.board = self.engine.states, self.engine.incidents, self.engine.board
        self.probing, self.prover, self.runner = self.engine.probing, self.engine.prover, self.engine.runner
        self._booting: asyncio.Task[None] | None = None

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, *policies: Policy) -> None:
        now, journal = virtual.now(), self.journal
        words = journal.words_kept(now - KNOWN)
        self.begin(policies, journal.states_kept(), journal.interrupted(now), words, journal.proofs_kept())

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
        self.timetable.every("tick", TICK, self._tick, phase=TICK)
        self._booting = asyncio.create_task(self._boot(policies))

    async def _boot(self, policies: Sequence[Policy]) -> None:
        for found in policies:
            await self.take_up(found)
        self.engine.measure()

    async def booted(self) -> None:
        """Every policy was taken up."""
        if self._booting is not None:
            await self._booting

    def heed_files(self, policies: Sequence[Policy], of_all: Sequence[Maintenance], rules: tuple[Rule, ...]) -> None:
        """The inventory, and what these policies plan, as the files say it from now on."""
        self.runner.obey(rules)
        self.runner.expect(planner({found.name: found for found in policies}, of_all))

    async def take_up(self, found: Policy) -> None:
        """Start a policy, or run a newer revision of it."""
        await self.runner.take_up(found, {check.name: self.world.prober(check) for _, check in found.probes()})

    async def kill(self) -> None:
        """It is gone, in the middle of whatever it did."""
        await self.timetable.close()
        if self._booting is not None:
            await end(self._booting)
        await self.engine.abandon()

    async def stop(self) -> None:
        """It is told to stop, and does so in order."""
        await self.timetable.close()
        await self.engine.halt()
        await self.engine.close()

    @property
    def reconcilers(self) -> dict[str, Reconciler]:
        return self.runner.reconcilers

    # -- what happened -------------------------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        self.engine.emit(event)

    def told(self, kind: type[E]) -> list[E]:
        """Every event of that kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def shares(self, of: Policy, number: int = 0) -> dict[str, float]:
        """What the record answers now, in percent by region."""
        at = target(of, number)
        found = self.zonefile.shares(at, of.region_of(at.key.type))
        return {name: share / 100 for name, share in found.items()}

    def generation(self, of: Policy, number: int = 0) -> int:
        return self.zonefile.generation(target(of, number))

    @property
    def busy(self) -> bool:
        """Whether a round is under way, or a policy is not taken up yet."""
        booting = self._booting is not None and not self._booting.done()
        return booting or any(found.busy for found in self.reconcilers.values())

    def wake(self, name: str, urgency: Urgency = Urgency.FAIL_OUT) -> None:
        self.reconcilers[name].wake(urgency)

    def steers(self, of: Policy, **shares: float) -> Callable[[], bool]:
        """A condition to wait for: the record answers that, and the round which made it so is over."""
        return lambda: self.shares(of) == shares and not self.reconcilers[of.name].busy

    def fails(self, *addresses: str) -> None:
        self.world.let(Does.REFUSE, *addresses)

    def heals(self, *addresses: str) -> None:
        self.world.let(Does.ANSWER, *addresses)

    async def _tick(self) -> None:
        self.engine.tick()


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def playing(*policies: Policy, stage: Stage | None = None) -> AsyncIterator[Stage]:
    """A daemon that runs the policies until the scenario ends."""
    stage = stage or Stage()
    stage.start(*policies)
    try:
        await stage.booted()
        yield stage
    finally:
        await stage.kill()


# -- the usual scene ---------------------------------------------------------------------------------------------------

API = policy()
AT = target(API)
NORMAL = {"azure": 70.0, "oci": 30.0}
SECOND = "192.0.2.11"


def status(stage: Stage, number: int = 0, name: str = "api") -> TargetStatus:
    """Where the target stood after its last round."""
    return stage.reconcilers[name].statuses()[number]


async def normal(stage: Stage) -> None:
    """Everything is published as the file says, and the first excitement is over."""
    await virtual.until(lambda: all(len(found.statuses()) for found in stage.reconcilers.values()))
    await virtual.until(stage.steers(API, **NORMAL))
    await asyncio.sleep(2 * TICK)
