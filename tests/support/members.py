"""Two whole controllers of one owner at the same zones, and nothing between them: the provider's fence alone must hold.

Nobody runs failoverd like that on purpose, and the daemon cannot know it: a machine that was written off comes back, a
backup is started beside what it is a backup of. Each of the two has a journal, a clock and a network of its own; both
look after the same names by files that are not always rolled out on both.
"""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from support.approving import limits
from support.cluster import Dark, generations_grow, newest_generations, papers
from support.coordinating import PaperCoordinator
from support.laws import Broken, Law
from support.stage import AWS, AZURE, OCI, Stage, policy, record, regions
from support.strokes import Played, Stroke, dealt, luck, play_out

from failoverd.core.control.limits import Approved
from failoverd.core.errors import JournalError
from failoverd.core.events import TargetDelayed, TaskCrashed
from failoverd.core.members import Membership
from failoverd.core.overrides import Scope
from failoverd.core.records import Check, Endpoint, HealthRules, Observed, Policy, RampRules, RecordType, Target
from failoverd.ports import Urgency
from failoverd.simulation.faults import Script, hang, lie, lost_answer, overtaken
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.simulated_daemon import OWNER
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import Does, World
from failoverd.simulation.zonefile import Zonefile
from failoverd.telemetry import prose

RULES = HealthRules(fall=3, rise=2, recheck=0.5, flap_half_life=60.0)
V6 = ("2001:db8::10", "2001:db8:1::10")
API = policy(
    health=RULES,
    failback_after=30.0,
    records=(record("api", "api.example.com", "bind", "knot"),),
    regions=regions(azure=(70, AZURE), oci=(30, OCI), aws=(0, AWS)),
    limits=limits(max_changes=1_000),
    ramp=RampRules(step=7.0, judge=3.0, retries=1_000),
)
WEB = policy(
    "web",
    health=RULES,
    failback_after=10.0,
    records=tuple(
        record("web", "www.example.com", "bind", record_type=kind) for kind in (RecordType.A, RecordType.AAAA)
    ),
    regions=regions(azure=(50, f"192.0.2.20 {V6[0]}"), oci=(50, f"198.51.100.20 {V6[1]}")),
    limits=limits(max_changes=1_000),
)
POLICIES: Final = tuple(
    replace(found, regions=tuple(replace(spec, cloud=spec.name) for spec in found.regions)) for found in (API, WEB)
)
EDITED: Final = tuple(
    replace(
        found,
        regions=tuple(replace(spec, share=5_000 if spec.name != "aws" else 0) for spec in found.regions),
        source=replace(found.source, revision="r2"),
    )
    for found in POLICIES
)
"""The next revision of the files."""

TARGETS: Final = [(found, at) for found in POLICIES for spec in found.records for at in spec.targets]
ADDRESSES: Final = [end.address for found in POLICIES for spec in found.regions for end in spec.endpoints]
SENTINELS: Final = tuple(
    (Endpoint("sentinels", address), Check(f"sentinel-{number}", "tcp", every=5.0, timeout=1.0))
    for number, address in enumerate(("203.0.113.201", "203.0.113.202", "203.0.113.203"))
)
RESTS: Final = 300.0
"""Seconds after which two that undo each other have come to rest."""

QUIET: Final = 400.0
FEW: Final = 6
"""Writes at a provider in `QUIET` seconds after that, at most."""


class View(World):
    """The world as one machine sees it: as it is, but for the ways that are lost."""

    def __init__(self, truth: World, clock: "Skewed") -> None:
        super().__init__(clock)
        self.truth = truth
        self.lost: frozenset[str] = frozenset()

    def does(self, endpoint: Endpoint) -> Does:
        return Does.DROP if endpoint.address in self.lost else self.truth.does(endpoint)


@dataclass
class Skewed:
    """The clock of a machine, as many seconds off. It is set while nobody is at work: a process is steady."""

    off: float = 0.0

    def __call__(self) -> float:
        return now() + self.off


class Member:
    """One machine: its clock, what it sees, its journal, its files, and the process that runs there."""

    opens, tick = PaperProvider, 10.0

    def __init__(
        self, name: str, truth: World, zonefiles: Mapping[str, Zonefile], membership: Membership | None = None
    ) -> None:
        self.name, self.instance = name, f"{name * 8}"
        self.clock = Skewed()
        self.view = View(truth, self.clock)
        self.journal, self.backup = PaperJournal(), PaperJournal()
        self.policies: list[Policy] = list(POLICIES)
        self.zonefiles = zonefiles
        self.membership = membership
        self.way: PaperCoordinator | None = None
        self.frozen = self.dark = False
        self.gone: list[Stage] = []
        self.stage: Stage | None = None

    def start(self, chance: random.Random, way: PaperCoordinator | None = None) -> Stage:
        """A process of it, with a way to the coordinator, where there is one."""
        self.way = way
        providers = {name: self.opens(zone, self.clock, name=name) for name, zone in self.zonefiles.items()}
        self.stage = Stage(
            journal=self.journal,
            world=self.view,
            providers=providers,
            sentinels=SENTINELS,
            chance=chance,
            instance=self.instance,
            tick=self.tick,
            clock=self.clock,
            coordinator=way,
            membership=self.membership,
        )
        self.stage.start(*self.policies)
        return self.stage

    async def kill(self) -> None:
        if self.stage is None:
            return
        self.wake()
        self.reach()
        await self.stage.kill()
        self.gone.append(self.stage)
        self.stage = None

    def freeze(self) -> None:
        """It is suspended: whatever it was about to do, it does when it is woken, by what it knew then."""
        assert self.stage is not None
        self.frozen = True
        if self.way is not None:
            self.way.freeze()
        self.journal.stuck = asyncio.Event()
        held = Held(self.journal.stuck)
        for provider in papers(self.stage):
            provider.script = held
        self.see_nothing()

    def see_nothing(self) -> None:
        self.view.lost = frozenset([*ADDRESSES, *(end.address for end, _ in SENTINELS)])

    def wake(self) -> None:
        if self.frozen and self.journal.stuck is not None:
            self.journal.stuck.set()
            self.journal.stuck, self.frozen = None, False
            self.view.lost = frozenset()
            self._ways(None)
            if self.way is not None:
                self.way.thaw()

    def lose(self) -> None:
        """The ways to its providers are lost."""
        self.dark = True
        self._ways(Dark())

    def reach(self) -> None:
        if self.dark:
            self.dark = False
            self._ways(None)

    def _ways(self, script: Script | None) -> None:
        for provider in papers(self.stage) if self.stage is not None else ():
            provider.script = script


class Held(Script):
    """Everything waits until a process is woken."""

    def __init__(self, woken: asyncio.Event) -> None:
        super().__init__()
        self.woken = woken

    async def step(self) -> None:
        await self.woken.wait()


def copied(journal: PaperJournal) -> PaperJournal:
    """What a backup of it holds."""
    return PaperJournal(
        events=list(journal.events),
        changes={name: replace(entry) for name, entry in journal.changes.items()},
        answers=dict(journal.answers),
        statuses=dict(journal.statuses),
        states=dict(journal.states),
        words=dict(journal.words),
        belongs=journal.belongs,
        trail=list(journal.trail),
    )


BLOWS: Final[Mapping[str, int]] = {
    "endpoint": 4, "region": 8, "heal": 8, "sees_nothing": 3, "sees_no_cloud": 3, "sees_again": 3,
    "loses_providers": 3, "reaches_providers": 3, "frozen": 4, "woken": 4, "fault": 8, "edit": 4, "disk": 2,
    "killed": 3, "restored": 2, "cloned": 1, "clock_set": 2, "rolled_out": 4, "looks": 4,
}  # fmt: skip
"""What may befall a member or both, and how often beside the rest."""


PAUSES: Final = (0.002, 0.6, 3.0, 11.0, 40.0)


def blows_of(seed: int, steps: int) -> tuple[Stroke, ...]:
    """The strokes that a seed deals."""
    return dealt(seed, steps, BLOWS, PAUSES)


class Members:
    """Two machines, two name servers, and the world between."""

    def __init__(self, seed: int) -> None:
        self.seed, self.random = seed, luck(seed)
        self.truth, self.zonefiles = World(now), {"bind": Zonefile(), "knot": Zonefile()}
        self.broken: list[Broken] = []
        self.story: list[str] = []
        self.played: list[Stroke] = []
        self.edited: set[Target] = set()
        self.members = self._machines()
        for member in self.members:
            self._start(member)

    def _machines(self) -> list[Member]:
        return [Member(name, self.truth, self.zonefiles) for name in "ab"]

    def _way(self, member: Member) -> PaperCoordinator | None:  # noqa: ARG002 - there is nothing between them
        return None

    def _start(self, member: Member) -> None:
        stage = member.start(luck(self.random.randrange(1 << 30)), self._way(member))
        for provider in papers(stage):
            provider.audit = partial(self._audit, member)

    # -- the rules that never bend -------------------------------------------------------------------------------------

    def _audit(self, member: Member, approved: Approved, found: Observed) -> None:
        plan = approved.plan
        generation = found.marker.generation if found.marker is not None else 0
        self._must(Law.EMPTY, bool(plan.after.serving), f"{plan.target} would be emptied by {member.name}")
        self._must(Law.STALE, plan.generation > generation, f"{plan.target}: {plan.generation} over {generation}")
        self._must(Law.OWNED, plan.target in {at for _, at in TARGETS}, f"{plan.target} is not ours")
        self._must(Law.STALE, plan.marker.owner == OWNER, f"{plan.target} is marked {plan.marker}")
        self.edited.discard(plan.target)

    async def look(self) -> None:
        """After a stroke: each name answers with what was written there last, and its marker says so."""
        for zonefile in self.zonefiles.values():
            newest = newest_generations(zonefile)
            last = {write.target: write for write in zonefile.writes}
            for at, write in last.items():
                found = zonefile.observe(at)
                generation = found.marker.generation if found.marker is not None else 0
                self._must(
                    Law.STALE,
                    generation == newest[at.zone, at.key.name],
                    f"the marker of {at} says {generation}, and {newest[at.zone, at.key.name]} was written",
                )
                same = found.records == write.records or at in self.edited
                self._must(Law.EMPTY, same, f"{at} answers {found.records}, and {write.records} was written")

    def _must(self, law: Law, holds: bool, otherwise: str) -> None:
        if not holds:
            self.broken.append(Broken(law, now(), otherwise))

    # -- bad luck ------------------------------------------------------------------------------------------------------

    async def strike(self, blow: Stroke) -> None:
        self.played.append(blow)
        self.random = luck(blow.luck)
        member = self.random.choice(self.members)
        await getattr(self, f"_{blow.name}")(member)
        await elapse(blow.pause)

    async def _endpoint(self, _: Member) -> None:
        self._let(self.random.choice([Does.REFUSE, Does.DROP, Does.OVERLOAD]), self.random.choice(ADDRESSES))

    async def _region(self, _: Member) -> None:
        name = self.random.choice(["azure", "oci"])
        there = [
            end.address for found in POLICIES for spec in found.regions if spec.name == name for end in spec.endpoints
        ]
        self._let(self.random.choice([Does.REFUSE, Does.ERROR]), *there)

    async def _heal(self, _: Member) -> None:
        self._let(Does.ANSWER, *self.random.sample(ADDRESSES, len(ADDRESSES) // 2))

    def _let(self, does: Does, *addresses: str) -> None:
        self.truth.let(does, *addresses)
        self._tell(f"{', '.join(addresses)} do {does}")

    async def _sees_nothing(self, member: Member) -> None:
        if not member.frozen:
            member.see_nothing()
            self._tell(f"{member.name} sees nothing any more")

    async def _sees_no_cloud(self, member: Member) -> None:
        name = self.random.choice(["azure", "oci"])
        if not member.frozen:
            member.view.lost = frozenset(
                end.address
                for found in POLICIES
                for spec in found.regions
                if spec.name == name
                for end in spec.endpoints
            )
            self._tell(f"{member.name} does not see {name}")

    async def _sees_again(self, member: Member) -> None:
        if not member.frozen:
            member.view.lost = frozenset()
            self._tell(f"{member.name} sees everything")

    async def _loses_providers(self, member: Member) -> None:
        if member.stage is not None and not member.frozen:
            member.lose()
            self._tell(f"{member.name} does not reach its providers")

    async def _reaches_providers(self, member: Member) -> None:
        member.reach()
        self._tell(f"{member.name} reaches its providers")

    async def _frozen(self, member: Member) -> None:
        """It is suspended right before a write: something fails, and it goes no further than to decide what to do."""
        if member.stage is None or member.frozen:
            return
        if self.random.random() < 0.7:
            await self._region(member)
            tries = sum(len(provider.reads) for provider in papers(member.stage))
            for _ in range(400):
                if sum(len(provider.reads) for provider in papers(member.stage)) > tries:
                    break
                await elapse(0.05)
            await elapse(self.random.choice([0.0, 0.0005, 0.001, 0.002]))
        member.reach()
        member.freeze()
        self._tell(f"{member.name} is frozen")

    async def _woken(self, member: Member) -> None:
        if member.frozen:
            member.wake()
            self._tell(f"{member.name} wakes")

    async def _fault(self, member: Member) -> None:
        for provider in papers(member.stage) if member.stage is not None else ():
            fault = self.random.choice(
                [lie(), lost_answer(), hang(), overtaken(self.random.choice([2.0, 30.0, 200.0]))]
            )
            provider.on_apply.append(fault)
            self._tell(f"{provider.name} gets a fault for {member.name}: {fault.moment}")

    async def _edit(self, _: Member) -> None:
        found, at = self.random.choice(TARGETS)
        values = self.random.sample(sorted(found.region_of(at.key.type)), 1)
        weights = self.random.choice([None, dict.fromkeys([*values, "203.0.113.66"], 5), dict.fromkeys(values, 1)])
        marker = self.zonefiles[at.provider].observe(at).marker
        if marker is not None and at.key.type in marker.types:
            self.zonefiles[at.provider].put(at, weights)
            self.edited.add(at)
            self._tell(f"somebody writes {weights} to {at}")

    async def _disk(self, member: Member) -> None:
        state = self.random.choice(["works", "broken", "full"])
        member.journal.broken = JournalError("gone", reason="journal_io") if state == "broken" else None
        member.journal.full = JournalError("full", reason="journal_full") if state == "full" else None
        self._tell(f"the journal of {member.name} is {state}")

    async def _killed(self, member: Member) -> None:
        self._tell(f"{member.name} is killed and started again")
        await self._again(member)

    async def _restored(self, member: Member) -> None:
        """Its disk is put back to what a backup had: it knows nothing of what it wrote since."""
        self._tell(f"{member.name} is put back to its backup")
        backup = copied(member.backup)
        await member.kill()
        member.journal = backup
        await self._again(member)

    async def _cloned(self, member: Member) -> None:
        """It is started from the disk of the other one, which goes on: both are the same instance."""
        other = next(each for each in self.members if each is not member)
        self._tell(f"{member.name} is started from the disk of {other.name}")
        await member.kill()
        member.journal, member.instance = copied(other.journal), other.instance
        await self._again(member)

    async def _clock_set(self, member: Member) -> None:
        """The machine's clock was wrong, and is set while it boots: forwards or backwards."""
        off = self.random.choice([-3_600.0, -60.0, -5.0, 0.0, 5.0, 60.0, 3_600.0])
        self._tell(f"{member.name} boots with its clock {off:+g}s off")
        await member.kill()
        member.clock.off = off
        await self._again(member)

    async def _again(self, member: Member) -> None:
        await member.kill()
        if self.random.random() < 0.5:
            member.backup = copied(member.journal)
        member.journal.broken = member.journal.full = None
        await elapse(self.random.choice([0.0, 0.0, 20.0]))
        self._start(member)

    async def _rolled_out(self, member: Member) -> None:
        """Another revision of the files, on one of the two."""
        number = self.random.randrange(len(POLICIES))
        member.policies[number] = self.random.choice([POLICIES, EDITED])[number]
        self._tell(f"{member.name} runs {member.policies[number].source.revision} of {member.policies[number].name}")
        if member.stage is not None:
            await member.stage.booted()
            await member.stage.take_up(member.policies[number])

    async def _looks(self, member: Member) -> None:
        """Each target is looked at now."""
        for name in member.stage.reconcilers if member.stage is not None else ():
            assert member.stage is not None
            member.stage.wake(name, Urgency.CHANGE)

    def _tell(self, what: str) -> None:
        self.story.append(f"{now():10.3f} {what}")

    # -- the end -------------------------------------------------------------------------------------------------------

    async def come_to_rest(self) -> None:
        """All bad luck ends; both stay for a while, and then one of them is switched off."""
        self.random = luck(self.seed)
        self._tell("calm")
        self.truth.let(Does.ANSWER, *ADDRESSES)
        for member in self.members:
            await self._calmed(member)
        await elapse(RESTS)
        written = [len(zonefile.writes) for zonefile in self.zonefiles.values()]
        await elapse(QUIET)
        for (name, zonefile), before in zip(self.zonefiles.items(), written, strict=True):
            grown = len(zonefile.writes) - before
            self._must(Law.RETRIES, grown <= FEW, f"{grown} writes at {name} in {QUIET:g}s of calm: they fight")
        await self.look()
        await self._left_alone(self.random.choice(self.members))

    async def _calmed(self, member: Member) -> None:
        member.wake()
        member.reach()
        member.view.lost = frozenset()
        member.journal.broken = member.journal.full = None
        assert member.stage is not None
        for provider in papers(member.stage):
            provider.on_apply.clear()
        await member.stage.booted()
        for number, found in enumerate(POLICIES):
            if member.policies[number] is not found:
                member.policies[number] = found
                await member.stage.take_up(found)
        await member.stage.engine.remind()

    async def _left_alone(self, member: Member) -> None:
        """The other one is switched off, and a person says so: everything is as the files say."""
        other = next(each for each in self.members if each is not member)
        await other.kill()
        self._tell(f"{other.name} is switched off")
        assert member.stage is not None
        await member.stage.engine.settle_rivals(Scope(), "alice@desk", "it is gone")
        for _ in range(60):
            if not self.abnormal():
                return
            await elapse(10.0)
        stands = [str(each) for running in member.stage.reconcilers.values() for each in running.statuses()]
        self._must(Law.REBUILT, False, "; ".join([*self.abnormal(), *stands]))

    def abnormal(self) -> list[str]:
        """What is not as the files say for a day on which nothing is wrong, marker and record."""
        wrong = []
        for found, at in TARGETS:
            observed = self.zonefiles[at.provider].observe(at)
            shares = self.zonefiles[at.provider].shares(at, found.region_of(at.key.type))
            named = {spec.name: spec.share for spec in found.regions if spec.share}
            if shares.keys() != named.keys() or any(abs(shares[name] - named[name]) > 1 for name in named):
                wrong.append(f"{at} answers {shares}")
            marker = observed.marker
            if (
                marker is None
                or (marker.owner, marker.policy) != (OWNER, found.name)
                or at.key.type not in marker.types
            ):
                wrong.append(f"{at} is marked {observed.marker_text}")
        return wrong

    async def end(self) -> None:
        for member in self.members:
            await member.kill()

    def defects(self) -> Iterable[Broken]:
        """What shows in what was told, at the end."""
        for stage in (stage for member in self.members for stage in member.gone):
            yield from (Broken(Law.ALONE, event.at, prose.say(event)) for event in stage.told(TaskCrashed))
            for late in stage.told(TargetDelayed):
                if late.reason == "internal_error":
                    yield Broken(Law.ALONE, late.at, prose.say(late))
        for zonefile in self.zonefiles.values():
            if not generations_grow(zonefile):
                yield Broken(Law.STALE, now(), "generations do not grow")


async def fight(seed: int, blows: Sequence[Stroke]) -> Played[Members]:
    return await play_out(Members(seed), blows)
