"""Policies at work on paper: what endpoints, operators and providers do is said, and what comes of it is seen.

What probes, decides and writes is the daemon itself (`runtime.engine`) on a virtual clock. Only the world around it is
on paper: endpoints, DNS, the journal.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from failoverd.config.schema.test_file import FaultEntry, GivenEntry, HappeningEntry, WordEntry
from failoverd.config.test_files import means, probed
from failoverd.core.errors import FailoverdError, Permanent, Transient
from failoverd.core.events import ChangeApplied, Event
from failoverd.core.health.isolation import IsolationRules
from failoverd.core.health.region import RegionState
from failoverd.core.overrides import LONGEST, Scope, Verb
from failoverd.core.records import WHOLE, Check, Endpoint, Maintenance, Policy, Practice, Target, apportion
from failoverd.core.rules import Rule
from failoverd.core.status import TargetStatus
from failoverd.operations.alerting import Alert
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.simulation.budgets import spent
from failoverd.simulation.impairments import Impairment
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.paper_source import Gauged
from failoverd.simulation.simulated_daemon import SimulatedDaemon
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import Does, ProberSight, World
from failoverd.simulation.zonefile import Write, Zonefile

NOON: Final = 1_811_851_200.0
"""When a rehearsal begins that does not say when: Tuesday, 1 June 2027, 12:00 UTC."""

TICK: Final = 30.0
"""Seconds between two looks at everything, as the daemon's own configuration has it where nobody says otherwise."""

_LEAST: Final = 60.0
"""Seconds that are looked back on whatever the health rules are: by whom clouds are lost together, and who dwells."""

SETTLING: Final = 2.0
"""Seconds that what is due at one moment gets to be done: writes and their read-backs take milliseconds on paper."""

THROTTLED: Final = 4
"""Calls that a provider answers in a minute which throttles."""

_OPERATOR: Final = "operator@rehearsal"

_DOES: Final[Mapping[str, Does]] = {
    "P": Does.ANSWER,
    "F": Does.REFUSE,
    "T": Does.DROP,
    "E": Does.ERROR,
    "D": Does.OVERLOAD,
    "B": Does.BLIND,
    "_": Does.BLIND,
}


@dataclass(frozen=True, slots=True)
class Site:
    """The files that are rehearsed: every policy that shares regions with the others, and what binds all of them.

    `isolation`, `sentinels`, `tick` and `sources` (seconds between two questions, by name) are what the daemon's own
    configuration says, or what holds without one. The sentinels always answer. `gauged` is what is measured. Time
    in which nothing happens is leapt over, which changes nothing but how long it takes (`leaping`); without `leaps`
    every probe is made.
    """

    policies: Mapping[str, Policy]
    rules: tuple[Rule, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    practices: tuple[Practice, ...] = ()
    isolation: IsolationRules = field(default_factory=IsolationRules)
    sentinels: tuple[tuple[Endpoint, Check], ...] = ()
    tick: float = TICK
    sources: Mapping[str, float] = field(default_factory=dict)
    gauged: Gauged = field(default_factory=Gauged)
    leaps: bool = True

    def given(self, said: GivenEntry) -> "Site":
        """The same with the demand and the capacity that are given, said as numbers whatever measured them."""
        policies = {name: _with_capacity(each, said.capacity) for name, each in self.policies.items()}
        return replace(self, policies=policies)

    def with_demand(self, demand: Mapping[str, float]) -> "Site":
        told = {name: replace(self.policies[name], demand=number, measure=None) for name, number in demand.items()}
        return replace(self, policies={**self.policies, **told})


def _with_capacity(policy: Policy, capacity: Mapping[str, float]) -> Policy:
    regions = tuple(
        replace(spec, capacity=capacity[spec.name], measure=None) if spec.name in capacity else spec
        for spec in policy.regions
    )
    return replace(policy, regions=regions)


@dataclass(frozen=True, slots=True)
class Picture:
    """One policy at one moment. `at` is seconds since the rehearsal began; shares are in basis points."""

    policy: Policy
    at: float
    status: TargetStatus | None
    shares: Mapping[str, int]
    changes: tuple[ChangeApplied, ...]
    regions: Mapping[str, RegionState]
    until: float | None


@dataclass
class Rehearsal:
    """Policies at work. Use it through `rehearsing`.

    Attributes:
        site: the files.
        daemon: who is at work.
        began: when it began, on the clock that everybody reads.
        told: how many events were told before.
        troubled: how each provider was said to be; it is so whoever restarts.
        seed: of what is left to chance.
    """

    site: Site
    daemon: SimulatedDaemon
    zonefiles: Mapping[str, Zonefile]
    began: float
    told: int = 0
    troubled: dict[str, str] = field(default_factory=dict)
    seed: int = 1

    # -- what is seen --------------------------------------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        return now() - self.began

    @property
    def events(self) -> Sequence[Event]:
        return self.daemon.events[self.told :]

    @property
    def writes(self) -> list[Write]:
        """Every write since it began, of all policies, in order."""
        found = [write for zonefile in self.zonefiles.values() for write in zonefile.writes if write.at >= self.began]
        return sorted(found, key=lambda write: write.at)

    def changes(self, policy: str) -> tuple[ChangeApplied, ...]:
        """What was changed of its first record."""
        target = self.site.policies[policy].targets[0]
        mine = (each for each in self.events if isinstance(each, ChangeApplied) and each.policy == policy)
        return tuple(
            each
            for each in mine
            if (each.record, each.provider) == (str(target.key), target.provider)
            and each.answers_from != each.answers_to
        )

    def shares(self, policy: str) -> Mapping[str, int]:
        """What its first record answers, by region."""
        found = self.site.policies[policy]
        target = found.targets[0]
        return self.zonefiles[target.provider].shares(target, found.region_of(target.key.type))

    def look(self, policy: str) -> Picture:
        found = self.site.policies[policy]
        target = found.targets[0]
        running = self.daemon.reconcilers.get(policy)
        status = next((each for each in running.statuses() if each.target == target), None) if running else None
        regions = self.daemon.board.regions(policy, target.key.type)
        until = status.until - self.began if status is not None and status.until is not None else None
        states = {name: health.state for name, health in regions.items()}
        return Picture(found, self.elapsed, status, self.shares(policy), self.changes(policy), states, until)

    async def settle(self) -> None:
        """Let what is due now be done."""
        end = now() + SETTLING
        await elapse(0.01)
        while self.daemon.busy and now() < end:
            await elapse(0.01)

    # -- what happens --------------------------------------------------------------------------------------------------

    def play(self, series: Mapping[str, Sequence[tuple[str, int]]], interval: float) -> None:
        """What endpoints do from now on, by `region/address`, either with `*` for any letters; the last that fits."""
        loop = asyncio.get_running_loop()
        plays = {address: pattern for pattern in series for address in self.addresses(pattern)}
        for pattern, letters in series.items():
            addresses = [address for address, last in plays.items() if last == pattern]
            at = self.began
            for letter, moments in letters:
                loop.call_at(at, self.daemon.world.let, _DOES[letter], *addresses)
                at += moments * interval

    def endpoints(self, pattern: str) -> list[Endpoint]:
        """Those that `region/address` names, of all policies, and their dependencies by name."""
        ends = [each for policy in self.site.policies.values() for each in probed(policy)]
        return [end for name, end in ends if means(pattern, name, end)]

    def addresses(self, pattern: str) -> list[str]:
        return sorted({end.address for end in self.endpoints(pattern)})

    async def happen(self, what: HappeningEntry, policy: str) -> None:
        """Something happens, to this policy where it does not say to which."""
        if what.demand is not None:
            await self.demand(what.demand if isinstance(what.demand, dict) else {policy: what.demand})
        if what.edit is not None or what.empty:
            self.edit(policy, what.edit)
        for name, state in what.providers.items():
            self._provider(name, state)
        for pattern, fault in what.endpoints.items():
            self._impair(fault, *self.addresses(pattern))
        if what.prober is not None:
            self.daemon.world.see(ProberSight(what.prober))
        if what.operator is not None:
            await self._say(what.operator, policy)
        if what.alert:
            await self._alert(what.alert)
        if what.release:
            await self.desk.release_matching(None, Scope(), "the test says so", _OPERATOR)
        if what.restart:
            await self._restart()

    async def demand(self, demand: Mapping[str, float]) -> None:
        """What these policies need from now on."""
        self.site = self.site.with_demand(demand)
        for name in demand:
            await self.daemon.take_up(self.site.policies[name])

    def edit(self, policy: str, shares: Mapping[str, int] | None) -> None:
        """Somebody writes the records of a policy by hand; None: deletes them."""
        found = self.site.policies[policy]
        for target in found.targets:
            weights = answers_of(found, target, shares) if shares is not None else None
            ttl = found.record_of(target).ttl
            self.zonefiles[target.provider].put(target, weights, ttl=ttl)

    def _provider(self, name: str, state: str) -> None:
        self.troubled[name] = state
        provider = self.daemon.providers[name]
        if not isinstance(provider, PaperProvider):
            raise TypeError(f"{name} is no provider on paper")
        away = Transient(f"{name} does not answer", reason="timeout", remedy="wait")
        denied = Permanent(f"{name} does not let failoverd write", reason="access_denied", remedy="give it the right")
        provider.down = away if state == "down" else None
        provider.readonly = denied if state == "read-only" else None
        provider.allowance = THROTTLED if state == "throttled" else None

    def _impair(self, fault: FaultEntry, *addresses: str) -> None:
        """What is wrong with them from now on, until it is said to be over."""
        world, loop = self.daemon.world, asyncio.get_running_loop()
        until = now() + fault.for_ if fault.for_ is not None else inf
        turns = [Impairment(fault, self.seed, world.latency)]
        if fault.does == "flap":
            turns = [Impairment(FaultEntry(does=each), self.seed, world.latency) for each in ("refuse", "well")]
            loop.call_later(fault.every / 2, _turn, world, turns, addresses, fault.every / 2, until)
        world.impair(turns[0], *addresses)
        for how in turns if until < inf else ():
            loop.call_at(until, world.mend, how, *addresses)

    @property
    def desk(self) -> Desk:
        return Desk(self.daemon.engine, now, lambda _scope, _change: None)

    async def _say(self, word: WordEntry, policy: str) -> None:
        await self.desk.give(request_of(word, policy), _OPERATOR)

    async def _alert(self, said: Mapping[str, str]) -> None:
        """A monitoring system says how regions are. It goes on saying so until it is resolved."""
        alerts = [
            Alert(
                f"rehearsal/{name}",
                {"alertname": "rehearsal", "failoverd_region": name, "failoverd_verdict": verdict},
                firing=True,
                ends=now() + LONGEST,
            )
            if verdict != "resolved"
            else Alert(f"rehearsal/{name}", {}, firing=False)
            for name, verdict in said.items()
        ]
        for each in await self.desk.alert(alerts, _OPERATOR):
            if each.became == "ignored":
                raise FailoverdError(each.why, reason="alert_ignored")

    async def _restart(self) -> None:
        before = self.daemon
        await before.kill()
        self.daemon = _daemon(self.site, self.zonefiles, before.journal, before.world, self.began)
        self.daemon.events.extend(before.events)
        self.daemon.heard = before.heard
        for name, state in tuple(self.troubled.items()):
            self._provider(name, state)
        _begin(self.daemon, self.site)
        await self.daemon.booted()


def _turn(world: World, turns: Sequence[Impairment], addresses: Sequence[str], after: float, until: float) -> None:
    """Endpoints that flap do the other thing, those that nothing else was said of meanwhile."""
    was, becomes = turns
    left = world.mend(was, *addresses)
    if left and now() < until:
        world.impair(becomes, *left)
        asyncio.get_running_loop().call_later(after, _turn, world, (becomes, was), left, after, until)


def request_of(word: WordEntry, policy: str) -> WordRequest:
    """An override as an operator would ask for it."""
    mine, reason = (policy,), "the test says so"
    for verb in (Verb.DRAIN, Verb.SHED, Verb.UP, Verb.DOWN):
        where = getattr(word, verb.value)
        if where is not None:
            part = WHOLE - (word.to or 0) if verb is Verb.SHED else 0
            return WordRequest(verb, _scope(verb, mine, where), reason, word.for_, part=part)
    if word.drill is not None:
        return WordRequest(Verb.PRACTICE, Scope(mine, regions=(word.drill,)), reason, word.for_)
    if word.pin is not None:
        return WordRequest(Verb.PIN, Scope(mine), reason, word.for_, shares=word.pin)
    verb = Verb.PAUSE if word.pause else Verb.HOLD
    return WordRequest(verb, Scope() if word.pause else Scope(mine), reason, word.for_)


def _scope(verb: Verb, policies: tuple[str, ...], where: str) -> Scope:
    """A region, or endpoints; a verdict is that on endpoints."""
    if "/" in where:
        return Scope(policies, endpoints=(where,))
    return (
        Scope(policies, endpoints=(f"{where}/*",))
        if verb in {Verb.UP, Verb.DOWN}
        else Scope(policies, regions=(where,))
    )


def answers_of(policy: Policy, target: Target, shares: Mapping[str, int]) -> dict[str, int]:
    """The weights by which a record answers with these shares, each region's part split over its endpoints."""
    weights: dict[str, int] = {}
    for spec in policy.regions:
        values = [value for end in spec.endpoints if (value := end.answer(target.key.type)) is not None]
        share = shares.get(spec.name, 0)
        if share and values:
            weights |= apportion(dict.fromkeys(values, 1), share)
    return weights


def _daemon(
    site: Site, zonefiles: Mapping[str, Zonefile], journal: PaperJournal, world: World, began: float
) -> SimulatedDaemon:
    providers = {name: PaperProvider(zonefile, now, name=name) for name, zonefile in zonefiles.items()}
    return SimulatedDaemon(
        providers=providers,
        journal=journal,
        world=world,
        isolation=site.isolation,
        sentinels=site.sentinels,
        tick=site.tick,
        sources=site.gauged.sources(site.policies, site.sources, lambda: now() - began),
        leaps=site.leaps,
    )


def _begin(daemon: SimulatedDaemon, site: Site) -> None:
    daemon.heed_files(tuple(site.policies.values()), site.maintenance, site.rules, site.practices)
    daemon.start(*site.policies.values())


def warm(site: Site) -> float:
    """Seconds for which all has to be well so that it is the same as if it had been well for ever.

    So far back do the rules of health look: nothing else remembers anything of a time in which nothing happened.
    """
    looks = [
        check.every * (max(policy.health.rise, policy.health.degraded_window) + 1) + policy.health.warm_up
        for policy in site.policies.values()
        for _, check in policy.probes()
    ]
    bands = [policy.latency for policy in site.policies.values() if policy.latency is not None]
    windows = [band.window for band in bands if site.gauged.said.latency]  # else nothing is measured
    return max(_LEAST, *looks, *windows) + site.tick


@asynccontextmanager
async def rehearsing(site: Site, given: GivenEntry, policy: str, at: float = NOON) -> AsyncIterator[Rehearsal]:
    """Policies at work, as they are at that moment: all has been well for long, or as `given` says.

    The loop's clock has to begin at `before(site, at)`.
    """
    demand = given.demand if isinstance(given.demand, dict) else {policy: given.demand} if given.demand else {}
    site = site.given(given).with_demand({name: curve[0][0] for name, curve in demand.items()})
    names = sorted({target.provider for each in site.policies.values() for target in each.targets})
    zonefiles, world = {name: Zonefile() for name in names}, World(now, remembers=0)
    daemon = _daemon(site, zonefiles, PaperJournal(), world, at)
    _measured_for_long(daemon, site)
    _connecting(world, site, at)
    _begin(daemon, site)
    try:
        await _published(daemon, site)
    finally:
        await daemon.kill()
    rehearsal = Rehearsal(site, _daemon(site, zonefiles, PaperJournal(), world, at), zonefiles, at)
    starts = at if given.published is not None else at - warm(site)
    await elapse(starts - now())  # nobody is at work, so it costs nothing
    if given.published is not None:
        rehearsal.edit(policy, given.published)
    _measured_for_long(rehearsal.daemon, site)
    _begin(rehearsal.daemon, site)
    try:
        await elapse(at - now())
        await rehearsal.daemon.booted()
        if given.spent:
            await rehearsal.settle()  # a round under way would put back what it began with
            await _spend(rehearsal)
        rehearsal.told = len(rehearsal.daemon.events)
        yield rehearsal
    finally:
        await rehearsal.daemon.kill()


def _measured_for_long(daemon: SimulatedDaemon, site: Site) -> None:
    """Its figures are not new to it, so that none of them is a jump."""
    for policy in site.policies.values():
        daemon.states.measured(policy.name, site.gauged.at_first(policy, site.sources, now()))


def _connecting(world: World, site: Site, began: float) -> None:
    """How long connections to regions take, from now on and then as the test says."""
    loop, said = asyncio.get_running_loop(), site.gauged.said.latency
    for name, readings in said.items():
        regions = (spec for policy in site.policies.values() for spec in policy.regions if spec.name == name)
        addresses = sorted({end.address for spec in regions for end in spec.endpoints})
        at = began
        for number, (value, moments) in enumerate(readings):
            if number:
                loop.call_at(at, world.connect_in, value, *addresses)
            else:
                world.connect_in(value, *addresses)
            at += moments * site.gauged.interval


async def _spend(rehearsal: Rehearsal) -> None:
    """Every policy has used up what its limits allow, without a change that anybody saw."""
    states = rehearsal.daemon.states
    for policy in rehearsal.site.policies.values():
        shares = {
            target: rehearsal.zonefiles[target.provider].shares(target, policy.region_of(target.key.type))
            for target in policy.targets
        }
        states.put(spent(policy, states.of(policy.name), shares, now()))
        await states.keep(policy.name)


def before(site: Site, at: float) -> float:
    """When a clock has to begin so that all has been well for long at that moment: once to publish, and once again."""
    return at - 2 * warm(site)


async def _published(daemon: SimulatedDaemon, site: Site) -> None:
    """Every record is there, with its marker: what a daemon finds that has looked after them for long."""
    await daemon.booted()
    end = now() + warm(site)
    while now() < end:
        await elapse(1.0)
        if not daemon.busy and all(
            _stands(daemon, target) for each in site.policies.values() for target in each.targets
        ):
            return


def _stands(daemon: SimulatedDaemon, target: Target) -> bool:
    provider = daemon.providers[target.provider]
    return isinstance(provider, PaperProvider) and (target.zone, target.key) in provider.zonefile.records
