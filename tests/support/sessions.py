"""An operator's session over the world on paper: probing is real, and everything that is probed answers at once."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.stage import AZURE, OCI, ZONE, policy, record, regions, target

from failoverd.config.loader import Config
from failoverd.config.maintenance import planner
from failoverd.config.schema.config_file import LogEntry
from failoverd.core.control.state import PolicyState
from failoverd.core.events import Event
from failoverd.core.records import HealthRules, Policy, RecordType, Target
from failoverd.core.rules import Rule
from failoverd.core.status import OrphanedRecord
from failoverd.operations.planning import Attempt, PlanFinding, PlannedChange, apply_plans, make_plans
from failoverd.operations.session import Session
from failoverd.operations.waiting import Waiting
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.orphans import Claims, Orphans
from failoverd.runtime.override_book import Overrides
from failoverd.runtime.proving import Prover
from failoverd.runtime.states import States
from failoverd.simulation.paper_authorities import PaperAuthorities
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.simulated_daemon import OWNER
from failoverd.simulation.world import Does, World
from failoverd.simulation.zonefile import Zonefile

AZURE6, OCI6 = "2001:db8::10", "2001:db8:1::10"
QUICK = HealthRules(fall=2, rise=1, recheck=0.01)


def both_types(**changes: object) -> Policy:
    """One name with A and AAAA, in two regions."""
    four, six = record("api", f"api.{ZONE}"), record("api", f"api.{ZONE}", record_type=RecordType.AAAA)
    said: dict[str, object] = {
        "records": (four, six),
        "regions": regions(azure=(70, f"{AZURE} {AZURE6}"), oci=(30, f"{OCI} {OCI6}")),
    }
    return policy(**(said | {"health": QUICK} | changes))  # type: ignore[arg-type]


class NoOrphans:
    """What a journal says in which no record is without its policy."""

    async def orphaned(self, *_: object) -> tuple[OrphanedRecord, ...]:
        return ()

    async def give_up(self, target: Target) -> None:
        raise AssertionError(f"{target} was no orphan")


class Desk:
    """Somebody at the keyboard. The zone file, the journal and the world are shared with whoever else works on them.

    Attributes:
        daemon: whether one is at work beside it.
        events: what was told in the last session.
    """

    def __init__(
        self, *policies: Policy, journal: PaperJournal | None = None, zonefile: Zonefile | None = None
    ) -> None:
        self.policies = {each.name: each for each in policies}
        self.journal = journal or PaperJournal()
        self.zonefile = zonefile or Zonefile()
        self.world = World(time.time)
        self.dns = PaperProvider(self.zonefile, time.time, latency=0.0)
        self.daemon = False
        self.events = list[Event]()
        self.rules = tuple[Rule, ...]()

    def session(self, waits: Callable[[Waiting], None] = lambda _: None) -> Session:
        """As the composition root opens one."""
        self.events = []
        writer = JournalWriter(self.journal, self.events.append, time.time)
        authorities = PaperAuthorities(self.zonefile)
        authorities.servers = ()
        states = States(writer, self.events.append, Overrides(writer, self.events.append, time.time))

        async def remember() -> None:
            states.resume(self.journal.states_kept(), ())
            states.overrides.load(await self.journal.overrides(time.time()))

        states.resume(self.journal.states_kept(), ())
        states.overrides.follow(planner(self.policies, ()))
        return Session(
            config=configuration(),
            policies=self.policies,
            unsound=(),
            providers={"dns-main": self.dns},
            states=states,
            journal=writer,
            prover=Prover(authorities, self.events.append, time.time),
            equip=lambda _, checks: {check.name: self.world.prober(check) for check in checks},
            clock=time.time,
            events=self.events,
            orphans=Orphans(NoOrphans(), writer, self.events.append, time.time),
            claims=Claims(),
            alive=lambda: self.daemon,
            remember=remember,
            waits=waits,
            instance=self.journal.belongs,
            rules=self.rules,
        )

    # -- what is asked -------------------------------------------------------------------------------------------------

    async def plan(self, *returning: str) -> list[PlanFinding]:
        return await make_plans(self.session(), list(self.policies.values()), frozenset(returning))

    async def planned(self, *returning: str) -> list[PlannedChange]:
        """What `plan --out` writes."""
        return [found.change for found in await self.plan(*returning) if found.change is not None]

    async def apply(self, *changes: PlannedChange) -> list[Attempt]:
        return await apply_plans(self.session(), changes)

    async def settled(self) -> None:
        """Everything is published as the policies want it now."""
        await self.apply(*await self.planned())

    # -- what happens --------------------------------------------------------------------------------------------------

    def fails(self, *addresses: str) -> None:
        self.world.let(Does.REFUSE, *addresses)

    def heals(self, *addresses: str) -> None:
        self.world.let(Does.ANSWER, *addresses)

    def edit(self, name: str, **changes: Any) -> None:  # noqa: ANN401 - any field of a policy
        """A person edits a policy file."""
        found = self.policies[name]
        source = replace(found.source, revision=f"{found.source.revision}+")
        self.policies[name] = replace(found, source=source, **changes)

    # -- what stands there ---------------------------------------------------------------------------------------------

    def shares(self, name: str = "api", number: int = 0) -> dict[str, float]:
        """Percent by region, of one of the policy's targets."""
        found = self.policies[name]
        at = target(found, number)
        return {region: share / 100 for region, share in self.zonefile.shares(at, found.region_of(at.key.type)).items()}

    def generation(self, name: str = "api") -> int:
        return self.zonefile.generation(target(self.policies[name]))

    def kept(self, name: str = "api") -> PolicyState:
        """The state that the journal holds."""
        found = (state for state in self.journal.states_kept() if state.policy == name)
        return next(found, PolicyState(name))


def configuration() -> Config:
    here = Path("nowhere")
    return Config(
        file=here,
        owner=OWNER,
        policies=here,
        inventory=here,
        journal=here,
        providers={},
        log=LogEntry(),
        tick=5.0,
        retention=86_400.0,
        resolver=(),
        dispute_after=60.0,
    )
