"""What is known of each policy: its regions, its endpoints, and each of those under each of its checks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from failoverd.core.health.endpoint import ALIVE, CheckHealth, Health, Verdict, combined, steady, verdict
from failoverd.core.health.isolation import NEVER, family_of
from failoverd.core.health.latency import Latencies
from failoverd.core.health.region import SERVING, RegionHealth, RegionState, would_be_down
from failoverd.core.health.vantage import FailureTrack
from failoverd.core.health.votes import UNSEEN, Vote, Votes
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, Endpoint, HealthRules, Model, Policy, ProbeResult, RecordType, RegionSpec
from failoverd.core.status import EndpointStatus

STALE_AFTER: Final = 3.0
"""Evidence older than this many intervals (plus the time-out) says nothing any more."""

FLOOR: Final = 0.1
"""Seconds that two failures of one endpoint lie apart at least, where each of them is to count by itself."""

TOLD_WITHIN: Final = 1.0
"""Seconds within which a vote is with the others."""

NEVER_PROBED: Final = Verdict(Health.UNKNOWN, 0.0, "", ProbeReason.OK, "not probed yet")

RegionKey = tuple[RecordType, str]


@dataclass(slots=True, eq=False)
class CheckState:
    """One endpoint under one check.

    `passed` is the last good result before the one that is known now; `failing_since`, when the failures began that are
    being counted, or led to the verdict. `served` is the model that it is held to serve, and `other` the one that it
    was seen to serve since then, so many times in a row.
    """

    check: Check
    of: "EndpointHealth"
    health: CheckHealth
    kept_out: bool = False  # and that was said
    stretched: int = 1  # the interval is so many times as long, as the prober sheds load
    asked: bool = False  # somebody may wait for it to pass
    passed: ProbeResult | None = None
    failing_since: float = NEVER
    served: Model | None = None
    other: tuple[Model, int] | None = None

    def sees(self, served: Model, rules: HealthRules) -> bool:
        """Count a model that was seen. Whether it is held to serve another one than before.

        The first one that is ever seen counts at once, and another one when it was seen `fall` times in a row: behind
        one address there may be servers of both, and nothing is to swing with them.
        """
        if self.served in {None, served}:
            self.served, self.other = served, None
            return False
        times = self.other[1] + 1 if self.other is not None and self.other[0] == served else 1
        if times < rules.fall:
            self.other = served, times
            return False
        self.served, self.other = served, None
        return True

    @property
    def stale_after(self) -> float:
        return STALE_AFTER * self.check.every * self.stretched + self.check.timeout

    @property
    def counting(self) -> bool:
        """Whether its verdict is open: failures are being counted, and they are not enough yet."""
        return self.health.failures > 0 and self.health.state is not Health.UNHEALTHY

    @property
    def steady(self) -> bool:
        """Whether another outcome like the last one changes nothing."""
        return steady(self.health, self.of.rules) and not (self.asked or self.other)

    @property
    def last_pass(self) -> ProbeResult | None:
        last = self.health.last
        return last if last is not None and last.outcome in ALIVE else self.passed

    def settled_by(self, rules: HealthRules) -> float:
        """The latest moment by which an open verdict can be settled."""
        return self.failing_since + rules.fall * rules.recheck + self.check.timeout

    def hurried(self, rules: HealthRules) -> float:
        """Seconds to the next probe while its siblings fail as it does: no less than what an answer takes."""
        passed = self.last_pass
        usual = passed.timings.total if passed is not None else 0.0
        return min(rules.recheck, max(FLOOR, usual))


@dataclass(slots=True)
class Dispute:
    """Somebody sees an endpoint fail, or begins to, that is held to serve; or not all of the world can reach it.

    Attributes:
        doubters: who sees it fail now.
        opened: when each of them last made it worth waiting for the others.
        open: whether it still is,
        until: and for how long at most.
        parted: the networks that can reach it, and those that cannot,
        parted_at: since when.
        told: the last of these that was told; None while it is whole.
    """

    doubters: frozenset[str] = frozenset()
    opened: dict[str, float] = field(default_factory=dict)
    open: bool = False
    until: float = NEVER
    parted: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    parted_at: float = NEVER
    told: bool = False

    @property
    def over(self) -> bool:
        """Whether time alone changes nothing about it."""
        return not self.open and self.parted is None and not self.told


@dataclass(slots=True, eq=False)
class EndpointHealth:
    """One endpoint, or one dependency, of a policy.

    `verdict` is what is held to be true of it: what the vantages agree on, where several vote. `own` is what this one
    sees; where it is alone, both are one value. `cast` is the vote that others were last told, `dispute` what they make
    of it that differs, and `looked_at` when this vantage was last told to look because of another one.

    `met`: had a verdict once, so a first HEALTHY is no news; of a dependency: was said to be down. `told_at` is when a
    verdict that stayed the same was last put into other words. `weight` is its part of its region. `latencies` are the
    regions, by record type, that its connection times are counted for; none where nobody asked for them.
    """

    endpoint: Endpoint
    track: FailureTrack
    rules: HealthRules
    needs: tuple[str, ...] = ()
    dependency: str = ""
    checks: list[CheckState] = field(default_factory=list)
    verdict: Verdict = NEVER_PROBED
    own: Verdict = NEVER_PROBED
    cast: Vote = UNSEEN
    dispute: Dispute | None = None
    looked_at: float = NEVER
    met: bool = False
    told_at: float = NEVER
    weight: int = 1
    latencies: tuple[Latencies, ...] = ()
    _told: tuple[Verdict, EndpointStatus] | None = None

    def status(self, policy: str, now: float) -> EndpointStatus:
        """Where it stands: made once for each verdict, for there are many, and they are asked for often."""
        if self._told is None or self._told[0] is not self.verdict:
            found, endpoint = self.verdict, self.endpoint
            words = (policy, endpoint.region, endpoint.text)
            self._told = found, EndpointStatus(*words, now, found.state, found.since, found.evidence)
        return self._told[1]

    def state(self, check: str) -> CheckState | None:
        for state in self.checks:  # most endpoints have one
            if state.check.name == check:
                return state
        return None

    def judged(self, now: float) -> Verdict:
        return verdict(((each.check.name, each.health, each.stale_after) for each in self.checks), now, self.rules)

    def steady(self, now: float) -> bool:
        """Whether its verdict, and what it rests on, stays while every probe comes to the same as the last one did."""
        if not all(state.steady for state in self.checks):
            return False
        if self.verdict.state is Health.UNHEALTHY:
            return self.judged(now).gist == self.verdict.gist
        return self.verdict.state is Health.HEALTHY

    @property
    def disputed(self) -> bool:
        """Whether the votes of others are waited for."""
        return self.dispute is not None and self.dispute.open

    @property
    def vote(self) -> Vote:
        """What this vantage says of it."""
        own = self.own
        if own.state is Health.UNHEALTHY:
            return Vote(own.state, check=own.check, reason=own.reason, evidence=own.gist)
        for state in self.checks:
            if state.counting:
                return Vote(own.state, True, state.check.name, state.health.reason, state.health.gist)
        if own.state is Health.DEGRADED:
            return Vote(own.state, check=own.check, reason=own.reason, evidence=own.gist)
        return Vote(own.state)

    @property
    def counting(self) -> bool:
        """Whether its verdict is open: that of one of its checks, or what the vantages agree on."""
        return self.disputed or any(state.counting for state in self.checks)

    @property
    def counted(self) -> Health:
        """Its verdict, with open ones of its checks, and of other vantages, taken for the worst."""
        if not self.counting:
            return self.verdict.state
        if self.disputed:
            return Health.UNHEALTHY
        needed = self.rules.needed(len(self.checks))
        if needed == len(self.checks) or self.verdict.state is Health.UNKNOWN:
            return Health.UNHEALTHY
        states = [Health.UNHEALTHY if each.counting else each.health.state for each in self.checks]
        return combined(states, needed)

    @property
    def seen_at(self) -> float | None:
        """When the prober last saw anything of it, under any of its checks; None while it never did."""
        return max((at for state in self.checks if (at := state.health.seen_at) is not None), default=None)

    @property
    def passed_at(self) -> float:
        """When it last was well under as many checks as have to be: when the earliest of those probes began."""
        passes = [state.last_pass for state in self.checks]
        began = [each.at - each.timings.total if each is not None else NEVER for each in passes]
        return sorted(began, reverse=True)[self.rules.needed(len(began)) - 1] if began else NEVER


@dataclass(slots=True)
class RegionFailures:
    """Failures in one region that are being looked into.

    Attributes:
        spec: the region.
        endpoints: what is known of the region's.
        counting: the checks whose verdict is open.
        disputed: the endpoints of which the votes of other vantages are waited for.
        since: when the failures began; they may have led to a verdict by now. None while nothing fails.
        open: whether the region's own verdict is: it would be DOWN if every open verdict went that way.
        hurried: whether re-checks come faster, because endpoints bear each other's failures out.
        hurried_at: when that last began.
        asked_at: when one of its endpoints was last asked whether it fails as well, as another region does.
        told: the failures of another region since which it has passed; those who wait for that were told.
        turn: counts who was asked.
    """

    spec: RegionSpec
    endpoints: list[EndpointHealth]
    counting: set[CheckState] = field(default_factory=set)
    disputed: set[EndpointHealth] = field(default_factory=set)
    since: float | None = None
    open: bool = False
    hurried: bool = False
    hurried_at: float = NEVER
    asked_at: float = NEVER
    told: float = NEVER
    turn: int = 0

    @property
    def passed_at(self) -> float:
        return max((endpoint.passed_at for endpoint in self.endpoints), default=NEVER)

    @property
    def borne_out(self) -> bool:
        """Whether more than one endpoint fails."""
        return len({state.of for state in self.counting}) > 1

    def choose(self) -> EndpointHealth | None:
        """One of its endpoints to ask, another each time, and one that is well if there is any.

        Those whose failures are being counted are asked again anyway, and not sooner.
        """
        self.turn += 1
        calm = [endpoint for endpoint in self.endpoints if not endpoint.counting]
        well = [endpoint for endpoint in calm if endpoint.verdict.state is Health.HEALTHY] or calm
        return well[self.turn % len(well)] if well else None


@dataclass(slots=True)
class PolicyHealth:
    """One policy in the table.

    `down` are its dependencies that are UNHEALTHY; `outdated` the record types whose `regions` tell evidence that is no
    longer the latest; `open` the verdicts that are being looked for out of turn, and `awaited` whether somebody was
    told to wait for them; `asked` when siblings and witnesses were last asked, by region and check; `latencies` how far
    away its regions are, where the policy asks for it. `heard` is what other vantages say of its endpoints, `elsewhere`
    what is left to them, and `disputes` the endpoints that somebody sees otherwise than they are held to be.
    """

    policy: Policy
    since: float
    endpoints: dict[Endpoint, EndpointHealth]
    regions: dict[RegionKey, RegionHealth] = field(default_factory=dict)
    failures: dict[str, RegionFailures] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    outdated: set[RecordType] = field(default_factory=set)
    open: set[CheckState] = field(default_factory=set)
    awaited: bool = False
    siblings_asked: dict[tuple[str, str], float] = field(default_factory=dict)
    witnesses_asked: dict[tuple[str, str], float] = field(default_factory=dict)
    latencies: dict[RegionKey, Latencies] = field(default_factory=dict)
    heard: dict[str, Votes] = field(default_factory=dict)
    elsewhere: frozenset[Endpoint] = frozenset()
    disputes: set[EndpointHealth] = field(default_factory=set)

    @classmethod
    def of(cls, policy: Policy, now: float, stretched: int, old: Self | None) -> Self:
        """A policy as it comes into the table.

        What an earlier revision knew of an endpoint stays, under each check that did not change. An endpoint with a new
        check has yet to show itself under that one.
        """
        found = cls(policy, now, {each.endpoint: each for each in _endpoints(policy)})
        for endpoint, check in policy.probes():
            of = found.endpoints[endpoint]
            if of.state(check.name) is None:
                state = CheckState(check, of, CheckHealth(since=now), stretched=stretched)
                of.checks.append(state)
                _inherit(state, old)
        for each in found.endpoints.values():
            each.own = each.verdict = each.judged(now)
        found.down = {
            each.name
            for each in policy.dependencies
            if found.endpoints[each.endpoint].verdict.state is Health.UNHEALTHY
        }
        found.failures = {
            spec.name: RegionFailures(spec, [found.endpoints[each] for each in spec.endpoints])
            for spec in policy.regions
        }
        if old is not None:
            found._remember(old)
        if policy.latency is not None:
            found._measure(policy.latency.window, old)
        return found

    def _measure(self, window: float, old: Self | None) -> None:
        """Count connection times. What was measured over the same window before stays."""
        known = old.latencies if old is not None else {}
        for record_type in record_types(self.policy):
            for spec in self.policy.regions:
                earlier = known.get((record_type, spec.name))
                kept = earlier if earlier is not None and earlier.window == window else Latencies(window)
                members = self.members(spec, record_type)
                if members:
                    self.latencies[record_type, spec.name] = kept
                for _, of in members:
                    of.latencies = (*of.latencies, kept)

    def _remember(self, old: Self) -> None:
        policy = self.policy
        for endpoint, each in self.endpoints.items():
            earlier = old.endpoints.get(endpoint)
            same = each.dependency or old.policy.checks == policy.checks
            each.met = bool(same) and earlier is not None and earlier.met
        familiar = _familiar(policy, old)
        self.regions = {key: health for key, health in old.regions.items() if key in familiar}
        for name, failures in self.failures.items():
            before = old.failures.get(name)
            failures.counting = {state for each in failures.endpoints for state in each.checks if state.counting}
            if before is not None:
                failures.since, failures.hurried_at = before.since, before.hurried_at
                failures.asked_at, failures.told = before.asked_at, before.told

    def state(self, endpoint: Endpoint, check: str) -> CheckState | None:
        """One endpoint under one check; None when nobody probes that any more."""
        of = self.endpoints.get(endpoint)
        return of.state(check) if of is not None else None

    @property
    def checked(self) -> Iterator[CheckState]:
        """All of its endpoints, each under each of its checks."""
        return (state for of in self.endpoints.values() for state in of.checks)

    @property
    def answering(self) -> Iterator[EndpointHealth]:
        """Those that records can answer with."""
        return (each for each in self.endpoints.values() if not each.dependency)

    @property
    def tracks(self) -> list[FailureTrack]:
        """What the vantage counts."""
        return [each.track for each in self.endpoints.values()]

    @property
    def pending(self) -> bool:
        """Whether verdicts are being looked for, here or by other vantages."""
        return bool(self.open) or any(failures.disputed for failures in self.failures.values())

    @property
    def telling(self) -> float:
        """Seconds within which all vantages have looked at what one of them sees fail, and said what they saw."""
        rules, slowest = self.policy.health, max((check.timeout for check in self.policy.checks), default=0.0)
        return rules.fall * rules.recheck + slowest + TOLD_WITHIN

    def steady(self, now: float) -> bool:
        """Whether it stays as it is while every probe comes to the same as the last one did."""
        return not self.open and all(of.steady(now) for of in self.endpoints.values())

    def explaining(self, endpoint: EndpointHealth) -> tuple[str, ...]:
        """The dependencies of its region that are down."""
        return tuple(name for name in endpoint.needs if name in self.down) if self.down else ()

    def said(self, endpoint: EndpointHealth) -> Verdict:
        """The verdict with what explains it."""
        if not self.down or endpoint.verdict.state is not Health.UNHEALTHY:
            return endpoint.verdict
        return replace(endpoint.verdict, explained_by=self.explaining(endpoint))

    def learning(self, region: str) -> bool:
        """Whether an endpoint of the region never had a verdict under the checks that it has now."""
        return any(not each.met for each in self.failures[region].endpoints)

    def members(self, spec: RegionSpec, record_type: RecordType) -> list[tuple[str, EndpointHealth]]:
        """The endpoints of a region that a record of this type can answer with, each with the value of that answer."""
        return [
            (value, self.endpoints[endpoint])
            for endpoint in spec.endpoints
            if (value := endpoint.answer(record_type)) is not None
        ]

    def seen_at(self, region: str, record_type: RecordType) -> float | None:
        """So old is what is known of a region at most; None while nothing is known of one of its endpoints."""
        moments = [of.seen_at for _, of in self.members(self.failures[region].spec, record_type)]
        seen = [at for at in moments if at is not None]
        return min(seen) if seen and len(seen) == len(moments) else None

    def states(self, region: str) -> set[RegionState]:
        """The verdicts on a region, one for each record type that can answer with it."""
        return {health.state for (_, name), health in self.regions.items() if name == region}

    def may_fall(self, region: str) -> bool:
        """Whether the verdict on a region is open: with every open verdict taken for the worst it would be DOWN."""
        failures = self.failures[region]
        return (bool(failures.disputed) or any(state.counting for state in failures.counting)) and any(
            self._may_fall(health, self.members(failures.spec, record_type))
            for (record_type, name), health in self.regions.items()
            if name == region
        )

    def with_failures(self, health: RegionHealth, record_type: RecordType, now: float) -> RegionHealth:
        """The health of a region as of now: with the failures that are being looked into, and when it last passed."""
        failures = self.failures[health.name]
        members = self.members(failures.spec, record_type)
        open_until = None
        if (failures.counting or failures.disputed) and self._may_fall(health, members):
            counting = [state for _, of in members for state in of.checks if state.counting]
            settled = [state.settled_by(self.policy.health) for state in counting]
            settled += [of.dispute.until for _, of in members if of.dispute is not None and of.dispute.open]
            latest = max(settled, default=NEVER)
            open_until = latest if latest > now else None
        passed_at = max((of.passed_at for _, of in members), default=NEVER)
        return replace(
            health,
            latency=self.latency(health.name, record_type, now),
            failing_since=failures.since,
            passed_at=passed_at if passed_at > NEVER else None,
            open_until=open_until,
            served=_served(members) if self.policy.model is not None else (),
        )

    def latency(self, region: str, record_type: RecordType, now: float) -> float | None:
        """The median of its connection times, in seconds; None where too few are known, or nobody asked for it."""
        measured = self.latencies.get((record_type, region))
        return measured.median(now) if measured is not None else None

    def _may_fall(self, health: RegionHealth, members: Sequence[tuple[str, EndpointHealth]]) -> bool:
        states, weights = [of.counted for _, of in members], [of.weight for _, of in members]
        return would_be_down(states, health, self.policy.health, weights)


def _served(members: Sequence[tuple[str, EndpointHealth]]) -> tuple[Model, ...]:
    """What endpoints were seen to serve: those that are well, or else all, as they were seen last."""
    seen = [(of.verdict.state, state.served) for _, of in members for state in of.checks if state.served is not None]
    well = {served for state, served in seen if state in SERVING}
    return tuple(sorted(well or {served for _, served in seen}, key=str))


def record_types(policy: Policy) -> list[RecordType]:
    """Those that its records have."""
    return sorted({record.key.type for record in policy.records})


def _endpoints(policy: Policy) -> Iterator[EndpointHealth]:
    timeouts = [check.timeout for check in policy.checks] or [0.0]
    patience = max(timeouts) + policy.health.recheck
    for spec in policy.regions:
        for endpoint, weight in spec.weighed:
            group = (policy.name, spec.name)
            track = FailureTrack(family_of(endpoint.family), spec.cloud, group, patience, quickest=min(timeouts))
            yield EndpointHealth(endpoint, track, policy.health, spec.depends_on, weight=weight)
    for each in policy.dependencies:
        patience = each.check.timeout + policy.health.recheck
        track = FailureTrack(family_of(each.endpoint.family), "", patience=patience)
        yield EndpointHealth(each.endpoint, track, policy.health, dependency=each.name)


def _inherit(state: CheckState, old: PolicyHealth | None) -> None:
    """Take over what an earlier revision knew of the same endpoint under the same check."""
    earlier = old.state(state.of.endpoint, state.check.name) if old is not None else None
    if earlier is None:
        return
    same = earlier.check == state.check
    state.of.track.take_over(earlier.of.track, state.check.name, same=same)
    if same:
        state.health, state.passed, state.failing_since = earlier.health, earlier.passed, earlier.failing_since
        state.kept_out, state.asked = earlier.kept_out, earlier.asked
        state.served, state.other = earlier.served, earlier.other


def _familiar(policy: Policy, old: PolicyHealth) -> set[RegionKey]:
    """Regions of which some endpoint was known before. One with new addresses only was never seen."""
    known = {each.endpoint for each in old.answering}
    return {
        (record_type, spec.name)
        for record_type in record_types(policy)
        for spec in policy.regions
        for endpoint in spec.endpoints
        if endpoint in known and endpoint.answer(record_type) is not None
    }
