"""Three daemons of one installation at one zone, and the coordinator between them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from support.coordinating import PaperCoordinator, PaperQuorum
from support.stage import API, AT, NORMAL, Stage, playing
from support.virtual import until

from failoverd.core.members import Member, MemberRole, Membership, Uncoordinated
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import World
from failoverd.simulation.zonefile import Zonefile

LEASE = 20.0
NAMES = ("azure-1", "oci-1", "aws-1")
RETRY = 1.0
"""Seconds between two calls of the coordinator."""


@dataclass
class Trio:
    """Three members at one zone, and the coordinator between them. `apart`: each sees its own world."""

    uncoordinated: Uncoordinated = Uncoordinated.HOLD
    estate: str = ""
    roles: dict[str, MemberRole] = field(default_factory=dict)
    quorum: PaperQuorum = field(default_factory=lambda: PaperQuorum(LEASE))
    zonefile: Zonefile = field(default_factory=Zonefile)
    world: World = field(default_factory=lambda: World(now))
    apart: bool = False
    stages: dict[str, Stage] = field(default_factory=dict)
    journals: dict[str, PaperJournal] = field(default_factory=dict)
    ways: dict[str, PaperCoordinator] = field(default_factory=dict)

    def made(self, name: str) -> Stage:
        members = tuple(Member(each, each.partition("-")[0], self.roles.get(each, MemberRole.MEMBER)) for each in NAMES)
        me = next(each for each in members if each.name == name)
        self.ways[name] = self.quorum.member(name)
        self.stages[name] = Stage(
            zonefile=self.zonefile,
            world=World(now) if self.apart else self.world,
            journal=self.journals.setdefault(name, PaperJournal()),
            instance=f"{name}{self.estate}",
            coordinator=self.ways[name],
            membership=Membership(me, members, self.uncoordinated),
        )
        return self.stages[name]

    @property
    def leaders(self) -> list[str]:
        return [name for name, stage in self.stages.items() if stage.engine.lead.leads]

    @property
    def leader(self) -> Stage:
        (name,) = self.leaders
        return self.stages[name]

    def others(self) -> list[Stage]:
        return [stage for stage in self.stages.values() if not stage.engine.lead.leads]

    def states_written(self) -> dict[str, int]:
        """What was written so far: the version of each state in the common memory, and how often a journal kept one."""
        said = {key: each.changed for key, each in self.quorum.kept.items() if key.startswith("shared/states/")}
        return said | {name: journal.keeps for name, journal in self.journals.items()}

    def targets_told(self) -> dict[str, bytes]:
        """What stands in the common memory of each target."""
        prefix = f"shared/states/{API.name}/"
        return {key: each.value for key, each in self.quorum.kept.items() if key.startswith(prefix) and key != prefix}

    @property
    def epoch(self) -> int:
        marker = self.zonefile.observe(AT).marker
        assert marker is not None
        return marker.epoch


@asynccontextmanager
async def trio(*names: str, of: Trio | None = None) -> AsyncIterator[Trio]:
    found = of or Trio()
    async with AsyncExitStack() as stack:
        for name in names or NAMES:
            await stack.enter_async_context(playing(API, stage=found.made(name)))
        yield found


def drain(region: str) -> Override:
    began = now()
    comment = Comment(began, "alex", "it is being mended")
    return Override(
        "drain-1", Verb.DRAIN, Scope(regions=(region,)), "alex", began, began + 3_600.0, comments=(comment,)
    )


async def settled(found: Trio) -> None:
    await until(lambda: found.leaders)
    await until(found.leader.steers(API, **NORMAL))
    await elapse(30.0)
