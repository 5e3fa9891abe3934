"""A whole daemon over shared regions on a virtual clock, with seeded bad luck: what it measures, loses and reads.

Prod and dev share three regions, dev has a place for what fits nowhere, and a third policy must not leave the EU. Who
measures answers ten times as much, nothing, NaN, or never. `support.seeds` says how a seed is played again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from support.approving import limits
from support.gauges import NOT_A_NUMBER, Gauges, Said
from support.laws import Broken, Law
from support.replaying import unlike_then
from support.seeds import Game
from support.stage import LIVE, Stage, endpoints, policy
from support.strokes import Stroke, dealt, luck

from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.limits import Approved
from failoverd.core.control.outcome import Estate
from failoverd.core.control.sharing import Claim, Grant
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import RateLimited
from failoverd.core.events import TargetDelayed, TaskCrashed
from failoverd.core.measures import Measure
from failoverd.core.records import WHOLE, Endpoint, HealthRules, NamedPlace, Observed, OnDrift, Policy, RegionSpec
from failoverd.runtime.estate import Shared
from failoverd.simulation.faults import Fault, hang, lost_answer, refused
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.simulated_daemon import OWNER
from failoverd.simulation.virtual_time import elapse, now, run
from failoverd.simulation.world import Does, World
from failoverd.simulation.zonefile import Zonefile
from failoverd.telemetry import prose

EVERY = 15.0
RULES = HealthRules(fall=3, rise=2, recheck=0.5, flap_half_life=60.0)
CAPACITIES = {"azure": 900.0, "oci": 600.0, "aws": 900.0}
LAWS = {"azure": "EU", "oci": "EU", "aws": "US"}
SHARES = {"azure": 5_000, "oci": 3_000, "aws": 2_000}
INSIDE = {"azure": 6_250, "oci": 3_750}
PLACE = NamedPlace.of("192.0.2.99", [Endpoint("192.0.2.99", "192.0.2.99")], "EU")
STRANGER = "203.0.113.66"


def service(number: int, name: str, demand: float) -> Policy:
    regions = tuple(
        RegionSpec(
            region,
            share,
            endpoints(region, f"10.{number}.{place}.1", f"10.{number}.{place}.2"),
            capacity=CAPACITIES[region],
            jurisdiction=LAWS[region],
            measure=Measure(f"slots-{region}", "main", declared=CAPACITIES[region]),
        )
        for place, (region, share) in enumerate(SHARES.items())
    )
    return policy(
        name,
        health=RULES,
        checks=(replace(LIVE, every=20.0),),
        regions=regions,
        demand=demand,
        measure=Measure(f"rate-{name}", "main", declared=demand),
        failback_after=30.0,
        limits=limits(max_changes=1_000),
    )


PROD = replace(service(1, "prod", 700.0), tier=100)
LOCAL = replace(service(2, "local", 400.0), tier=200, residency=("EU", "CH"), on_drift=OnDrift.ADOPT)
DEV = replace(service(3, "dev", 300.0), tier=300, shed_to=PLACE)
POLICIES = (PROD, LOCAL, DEV)
USUAL = {"prod": SHARES, "local": INSIDE, "dev": SHARES}
SAID = {
    **{each.measure.query: each.measure.declared for each in POLICIES if each.measure is not None},
    **{f"slots-{name}": capacity for name, capacity in CAPACITIES.items()},
}
TIERS = {each.name: each.tier for each in POLICIES}
TARGETS = {each.name: each.targets[0] for each in POLICIES}


class Cluster:
    """One daemon, its endpoints, its zone, and who measures."""

    def __init__(self, seed: int) -> None:
        self.random = luck(seed)
        self.world, self.zone, self.journal = World(now), Zonefile(), PaperJournal()
        self.gauges = Gauges(SAID, EVERY)
        self.broken: list[Broken] = []
        self.played: list[Stroke] = []
        self.story: list[str] = []
        self.shown = 0
        self.gone: list[Stage] = []
        self.daemon = self._daemon()

    def _daemon(self) -> Stage:
        provider = PaperProvider(self.zone, now)
        stage = Stage(
            zonefile=self.zone,
            journal=self.journal,
            world=self.world,
            providers={"dns-main": provider},
            chance=luck(self.random.randrange(1 << 30)),
            instance="00000000",
            sources={"main": self.gauges},
        )
        provider.audit = self._audit
        stage.start(*POLICIES)
        return stage

    @property
    def provider(self) -> PaperProvider:
        found = self.daemon.providers["dns-main"]
        assert isinstance(found, PaperProvider)
        return found

    # -- what has to hold ----------------------------------------------------------------------------------------------

    def _must(self, law: Law, holds: bool, otherwise: str) -> None:
        if not holds:
            self.broken.append(Broken(law, now(), otherwise))

    def _audit(self, approved: Approved, found: Observed) -> None:
        """A write, before it takes effect."""
        plan = approved.plan
        generation = found.marker.generation if found.marker is not None else 0
        self._must(Law.EMPTY, bool(plan.after.serving), f"{plan.target} would be empty")
        self._must(Law.STALE, plan.generation > generation, f"{plan.target}: {plan.generation} over {generation}")
        if plan.target == TARGETS["local"]:
            region_of = LOCAL.region_of(plan.target.key.type)
            outside = {a.value for a in plan.after.serving if LAWS.get(region_of.get(a.value, ""), "") != "EU"}
            self._must(Law.RESIDENCY, not outside, f"{plan.target} leaves the EU for {outside}")

    def look(self) -> None:
        self._rooms_are_kept()
        self._shown_is_done()

    def _rooms_are_kept(self) -> None:
        """What is granted together fits, for a lower tier only what higher ones leave, and no figure is absurd."""
        standing = self.daemon.engine.shared.standing
        for region, capacity in CAPACITIES.items():
            rooms = (
                draw.room
                for claim, _ in standing.values()
                for level in claim.levels
                for draw in level
                if draw.region == region
            )
            granted, most = sum(drawn(each, region) for each in standing.values()), max(rooms, default=0.0)
            self._must(Law.ROOM, granted <= most + 1e-3, f"{region} is granted {granted:g} of {most:g}")
            self._must(Law.ROOM, most <= capacity * 1e3, f"{region} of {capacity:g} is taken to carry {most:g}")
        for name, (claim, grant) in standing.items():
            self._must(Law.ROOM, claim.demand > 0, f"{name} is taken to need nothing")
            for draw in (draw for level in claim.levels for draw in level if grant.short > 1e-3):
                spared = grant.loads.get(draw.region, 0.0) < min(draw.room, draw.most) - 1e-3
                taken = [
                    low for low in standing if TIERS[low] > TIERS[name] and drawn(standing[low], draw.region) > 1e-3
                ]
                self._must(Law.ROOM, not (spared and taken), f"{name} is short while {taken} have of {draw.region}")

    def _shown_is_done(self) -> None:
        """What a process that has only the journal and the probes would plan is what the daemon would do."""
        stage = self.daemon
        if stage.busy or stage.engine.writer.lacks:
            return
        kept = {state.policy: state for state in self.journal.states_kept()}
        if kept.keys() != TARGETS.keys():
            return

        def told(of: Policy) -> PolicyState:
            done = stage.states.looked_at(of, stage.board)
            return replace(kept[of.name], verdicts=done.verdicts, calm=done.calm, signalled=done.signalled)

        shown = Shared(told, lambda _: None)
        for each in POLICIES:
            shown.put(each)
        for each in POLICIES:
            observed = self.zone.observe(TARGETS[each.name])
            one = self._would(each, told(each), observed, shown.grants(each, told(each), now()))
            state = stage.states.looked_at(each, stage.board)
            other = self._would(each, state, observed, stage.engine.shared.grants(each, state, now()))
            self.shown += 1
            self._must(Law.SHOWN, one == other, f"{each.name}: shown {one}, done {other}")

    def _would(
        self, of: Policy, state: PolicyState, observed: Observed, grants: tuple[Grant | None, Grant | None]
    ) -> object:
        estate = Estate(OWNER, self.provider.normalise, "00000000", (), *grants)
        outcome = evaluate(of, state, observed, estate, now())
        return outcome.kind, dict(outcome.shares), outcome.cause

    # -- bad luck ------------------------------------------------------------------------------------------------------

    async def strike(self, stroke: Stroke) -> None:
        self.played.append(stroke)
        self.random = luck(stroke.luck)
        await getattr(self, f"_{stroke.name}")()
        await elapse(stroke.pause)

    async def _endpoint(self) -> None:
        address = f"10.{self.random.randint(1, 3)}.{self.random.randint(0, 2)}.{self.random.randint(1, 2)}"
        self._let(self.random.choice([Does.REFUSE, Does.DROP, Does.OVERLOAD, Does.BLIND]), address)

    async def _region(self) -> None:
        """A region, for everybody."""
        place = self.random.randint(0, 2)
        addresses = [f"10.{number}.{place}.{each}" for number in (1, 2, 3) for each in (1, 2)]
        self._let(self.random.choice([Does.REFUSE, Does.ERROR, Does.OVERLOAD]), *addresses)

    async def _heal(self) -> None:
        place = self.random.randint(0, 2)
        self._let(Does.ANSWER, *(f"10.{number}.{place}.{each}" for number in (1, 2, 3) for each in (1, 2)))

    def _let(self, does: Does, *addresses: str) -> None:
        self.world.let(does, *addresses)
        self._tell(f"{addresses} do {does}")

    async def _figures(self) -> None:
        query = self.random.choice(sorted(SAID))
        usual = SAID[query]
        jokes: list[Said] = [usual, usual * 1.1, usual * 10, usual / 10, 0.0, -1.0, NOT_A_NUMBER]
        self.gauges.says[query] = self.random.choice(jokes)
        if self.random.random() < 0.2:
            del self.gauges.says[query]
        self._tell(f"{query} is {self.gauges.says.get(query, 'not answered')}")

    async def _edit(self) -> None:
        each = self.random.choice((*POLICIES, LOCAL, LOCAL))
        values = self.random.sample(sorted(each.region_of(TARGETS[each.name].key.type)), 1)
        weights = self.random.choice([None, dict.fromkeys([*values, STRANGER], 5), dict.fromkeys(values, 1)])
        if self.zone.observe(TARGETS[each.name]).marker is not None:
            self.zone.put(TARGETS[each.name], weights)
            self._tell(f"somebody writes {weights} to {each.name}")

    async def _fault(self) -> None:
        throttled = Fault(error=RateLimited("slow down", reason="throttled", retry_after=7.0))
        self.provider.on_apply.append(self.random.choice([lost_answer(), hang(), Fault(error=refused()), throttled]))
        self._tell("a write will fail")

    async def _restart(self) -> None:
        await self.end()
        if self.random.random() < 0.3:
            self.journal = PaperJournal()
        self._tell("the daemon is killed and started again")
        self.daemon = self._daemon()

    async def end(self) -> None:
        await self.daemon.kill()
        self.gone.append(self.daemon)

    def _tell(self, what: str) -> None:
        self.story.append(f"{now():10.3f} {what}")

    # -- the end -------------------------------------------------------------------------------------------------------

    async def calm(self) -> None:
        self._tell("calm")
        self.world.let(
            Does.ANSWER, *(end.address for each in POLICIES for spec in each.regions for end in spec.endpoints)
        )
        self.gauges.says = dict(SAID)
        self.provider.on_apply.clear()
        for each in POLICIES:  # what was accepted as it is stays: so somebody puts it back
            if each.on_drift is OnDrift.ADOPT:
                values = each.regions[0].answers(TARGETS[each.name].key.type)
                self.zone.put(TARGETS[each.name], dict(values))
        await elapse(1_100.0)

    def abnormal(self) -> None:
        for each in POLICIES:
            shares = self.zone.shares(TARGETS[each.name], each.region_of(TARGETS[each.name].key.type))
            normal = each.on_drift is OnDrift.ADOPT or close(shares, USUAL[each.name])
            self._must(Law.REBUILT, normal, f"{each.name} answers {shares}")

    def defects(self) -> None:
        for stage in self.gone:
            crashed = [prose.say(event) for event in stage.told(TaskCrashed)]
            crashed += [prose.say(late) for late in stage.told(TargetDelayed) if late.reason == "internal_error"]
            self._must(Law.ALONE, not crashed, "; ".join(crashed))
        again = unlike_then(self.journal.decisions)
        self._must(Law.SHOWN, not again, f"decided again: {again}")


def drawn(of: tuple[Claim, Grant], region: str) -> float:
    """What is granted of a region, without what nothing moves."""
    claim, grant = of
    return grant.loads.get(region, 0.0) - claim.stands.get(region, 0.0)


def close(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return all(abs(one.get(name, 0) - other.get(name, 0)) <= WHOLE // 1_000 for name in {*one, *other})


LUCK = {"endpoint": 4, "region": 6, "heal": 6, "figures": 10, "edit": 4, "fault": 3, "restart": 2}
"""What may happen, and how often beside the rest."""


def strokes_of(seed: int, steps: int) -> tuple[Stroke, ...]:
    return dealt(seed, steps, LUCK, (0.6, 3.0, 16.0, 60.0, 400.0))


async def play(seed: int, strokes: Sequence[Stroke]) -> Cluster:
    cluster = Cluster(seed)
    for stroke in strokes:
        await cluster.strike(stroke)
        cluster.look()
        if cluster.broken:
            break
    else:
        await cluster.calm()
        cluster.look()
        cluster.abnormal()
    await cluster.end()
    cluster.defects()
    return cluster


GAME = Game("tests/runtime/test_estate_simulation.py", 25, strokes_of, play)


@pytest.mark.parametrize("seed", GAME.seeds(2))
def test_whatever_is_measured_and_lost_the_rooms_the_tiers_and_the_residency_hold(seed: int) -> None:
    assert not (wrong := GAME.wrong(seed)), wrong


def test_it_is_loud_enough_to_show_anything() -> None:
    cluster = run(play(1, strokes_of(1, 10)))
    assert len(cluster.zone.writes) > 5
    assert cluster.shown > 0, "what is shown was hardly ever held against what is done"
