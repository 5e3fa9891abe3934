"""The health board: everything that is known about endpoints and regions, and who has to hear of a change.

Probe results come in, verdicts come out as events, and the reconciler of the policy is woken. A result that changes no
verdict ends here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from failoverd.core.events import (
    DependencyFailed,
    DependencyRecovered,
    EndpointDegraded,
    EndpointEvent,
    EndpointFailed,
    EndpointLost,
    EndpointRecovered,
    EndpointSuppressed,
    RegionDegraded,
    RegionEvent,
    RegionFailed,
    RegionLost,
    RegionRecovered,
)
from failoverd.core.health import CheckHealth, Health, Observation, Verdict, observe, verdict, warming
from failoverd.core.isolation import SENTINELS, doubted, family_of
from failoverd.core.records import (
    Check,
    Endpoint,
    Outcome,
    Policy,
    ProbeReason,
    ProbeResult,
    RecordType,
    RegionSpec,
)
from failoverd.core.region import FIRST_SIGHT, RegionHealth, RegionState, roll_up
from failoverd.core.situations import RegionSituation
from failoverd.ports import Clock, Emit
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.vantage import Sight, Vantage

STALE_AFTER: Final = 3.0
"""Evidence older than this many intervals (plus the time-out) says nothing any more."""

_NEVER: Final = Verdict(Health.UNKNOWN, 0.0, "", ProbeReason.OK, "not probed yet")

RegionKey = tuple[RecordType, str]

_ENDPOINT_EVENTS: Final[Mapping[Health, type[EndpointEvent]]] = {
    Health.UNHEALTHY: EndpointFailed,
    Health.DEGRADED: EndpointDegraded,
    Health.HEALTHY: EndpointRecovered,
    Health.UNKNOWN: EndpointLost,
}
_REGION_EVENTS: Final[Mapping[RegionState, type[RegionEvent]]] = {
    RegionState.DOWN: RegionFailed,
    RegionState.DEGRADED: RegionDegraded,
    RegionState.HEALTHY: RegionRecovered,
    RegionState.UNKNOWN: RegionLost,
}


@dataclass(slots=True, eq=False)
class _Look:
    """One endpoint under one check."""

    check: Check
    target: "_Target"
    health: CheckHealth
    suppressed: bool = False  # said to be kept out
    stretched: int = 1  # the interval is so many times as long, as the prober sheds load

    @property
    def stale_after(self) -> float:
        return STALE_AFTER * self.check.every * self.stretched + self.check.timeout


@dataclass(slots=True, eq=False)
class _Target:
    """One endpoint, or one dependency, of a policy. `met`: had a verdict once, so a first HEALTHY is no news."""

    endpoint: Endpoint
    sight: Sight
    needs: tuple[str, ...] = ()
    dependency: str = ""
    looks: list[_Look] = field(default_factory=list)
    verdict: Verdict = _NEVER
    met: bool = False

    def judged(self, now: float) -> Verdict:
        return verdict(((look.check.name, look.health, look.stale_after) for look in self.looks), now)


@dataclass(slots=True)
class _Entry:
    """One policy on the board. `down` are its dependencies that are UNHEALTHY."""

    policy: Policy
    since: float
    looks: dict[tuple[Endpoint, str], _Look]
    targets: dict[Endpoint, _Target]
    regions: dict[RegionKey, RegionHealth] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    @property
    def checks(self) -> dict[tuple[Endpoint, str], CheckHealth]:
        return {key: look.health for key, look in self.looks.items()}

    @property
    def verdicts(self) -> dict[Endpoint, Verdict]:
        """Of the endpoints that records can answer with."""
        return {endpoint: target.verdict for endpoint, target in self.targets.items() if not target.dependency}

    def explaining(self, target: _Target) -> tuple[str, ...]:
        """The dependencies of its region that are down."""
        return tuple(name for name in target.needs if name in self.down) if self.down else ()


class Board:
    """Health of every endpoint and region of every policy. Changes in `observe` and `settle` only.

    Args:
        emit: is told of every change.
        clock: the time.
        incidents: what is wrong with each policy, opened here.
        wake: calls a policy whose verdicts changed.
        vantage: whether failures are to be believed; by default one without sentinels.
    """

    def __init__(
        self,
        emit: Emit,
        clock: Clock,
        incidents: Incidents,
        wake: Callable[[str], None],
        vantage: Vantage | None = None,
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._incidents = incidents
        self._wake = wake
        self._vantage = vantage or Vantage(emit, clock)
        self._entries: dict[str, _Entry] = {}
        self._stretched = 1

    def watch(self, policy: Policy) -> None:
        """Put a policy on the board, or a newer revision of it; what is known of unchanged endpoints stays."""
        old = self._entries.get(policy.name)
        now = self._clock()
        known = old if old is not None and old.policy.checks == policy.checks else None
        entry = _Entry(policy, now, {}, {target.endpoint: target for target in _targets(policy)})
        for endpoint, check in policy.looks():
            if (endpoint, check.name) not in entry.looks:
                target = entry.targets[endpoint]
                look = _Look(check, target, CheckHealth(since=now), stretched=self._stretched)
                target.looks.append(look)
                entry.looks[endpoint, check.name] = look
                _inherit(look, old if target.dependency else known)
        for target in entry.targets.values():
            target.verdict = target.judged(now)
        entry.down = {
            each.name for each in policy.dependencies if entry.targets[each.endpoint].verdict.state is Health.UNHEALTHY
        }
        if old is not None:
            for endpoint, target in entry.targets.items():
                earlier = old.targets.get(endpoint) if known is not None else None
                target.met = earlier is not None and earlier.met
            known_regions = _familiar(policy, old.verdicts)
            entry.regions = {key: health for key, health in old.regions.items() if key in known_regions}
        self._entries[policy.name] = entry
        self._count()

    def forget(self, policy: str) -> None:
        if self._entries.pop(policy, None) is not None:
            self._count()

    def _count(self) -> None:
        self._vantage.count(target.sight for entry in self._entries.values() for target in entry.targets.values())

    def observe(self, name: str, result: ProbeResult) -> Observation | None:
        """Fold one probe result in: of a policy, or of a sentinel under the name `SENTINELS`.

        None when nobody waits for it any more (the policy changed meanwhile).
        """
        entry = self._entries.get(name)
        if entry is None:
            return self._vantage.observe(result) if name == SENTINELS else None
        look = entry.looks.get((result.endpoint, result.check))
        if look is None:
            return None
        target, before, rules = look.target, look.health, entry.policy.health
        objection = None
        if result.outcome is Outcome.PASS and not target.sight.began:
            target.sight.answers.at = result.at
        else:
            objection = self._vantage.judge(target.sight, look.check, result, before, rules)
        taken = doubted(result, objection.why) if objection is not None else result
        explained = bool(entry.down) and bool(entry.explaining(target))
        observation = observe(before, taken, rules, explained=explained)
        look.health = after = observation.health
        if after.suppressed or look.suppressed:
            self._tell_suppression(entry, look)
        if after.state is not before.state or target.verdict.state is Health.UNKNOWN:
            self._judge(entry, target, result.at)
        if objection is None:
            return observation
        return observation._replace(
            recheck=observation.recheck or objection.open, siblings=observation.siblings or objection.ask
        )

    def witnesses(self, name: str, endpoint: Endpoint) -> list[tuple[str, str]]:
        """Whose answer would bear out that this endpoint fails: a policy and a region for each."""
        entry = self._entries.get(name)
        target = entry.targets.get(endpoint) if entry is not None else None
        return self._vantage.witnesses(target.sight) if target is not None else []

    def _judge(self, entry: _Entry, target: _Target, now: float) -> bool:
        """Look at the verdict on an endpoint again; says whether it changed."""
        before, after = target.verdict, target.judged(now)
        if after.state is before.state:
            return False
        self._turn(entry, target, before, after)
        return True

    def settle(self) -> None:
        """Let evidence that grew too old become UNKNOWN. Called regularly, for the absence of news is no event."""
        now = self._clock()
        self._vantage.settle()
        for entry in self._entries.values():
            for target in entry.targets.values():
                waited = not target.met and not target.dependency and now - entry.since > FIRST_SIGHT
                if self._judge(entry, target, now) or not waited:
                    continue
                if any(warming(look.health, now, entry.policy.health) for look in target.looks):
                    continue  # it may still be starting
                target.met = True  # said once: nobody waits for its first verdict any longer
                self._tell_endpoint(entry, target, target.verdict, target.judged(now))
                self._wake(entry.policy.name)

    def stretch(self, factor: int) -> None:
        """Intervals are so many times as long from now on, so evidence may be so much older before it is stale."""
        self._stretched = factor
        for entry in self._entries.values():
            for look in entry.looks.values():
                look.stretched = factor

    def regions(self, policy: str, record_type: RecordType) -> dict[str, RegionHealth]:
        """The health of each region that a record of this type can answer with, as of now."""
        self._roll_up(self._entries[policy], record_type)
        found = self._entries[policy].regions
        return {name: health for (kind, name), health in found.items() if kind is record_type}

    def undecided(self, policy: str) -> bool:
        """Whether some endpoint of the policy has no verdict yet."""
        return any(found.state is Health.UNKNOWN for found in self._entries[policy].verdicts.values())

    def calm(self, policy: str) -> bool:
        """Whether every endpoint of the policy is HEALTHY."""
        return all(found.state is Health.HEALTHY for found in self._entries[policy].verdicts.values())

    def situations(self, policy: str) -> list[RegionSituation]:
        entry, now = self._entries[policy], self._clock()
        return [
            RegionSituation(
                policy=policy,
                record_type=record_type,
                region=name,
                at=now,
                state=health.state,
                score=health.score,
                since=health.since,
                well_since=health.well_since,
                evidence=health.evidence,
            )
            for (record_type, name), health in sorted(entry.regions.items())
        ]

    # -- transitions ---------------------------------------------------------------------------------------------------

    def _turn(self, entry: _Entry, target: _Target, before: Verdict, after: Verdict) -> None:
        """A verdict changed: say so, roll the regions up that it is about, wake the policy."""
        target.verdict = after
        if target.dependency:
            self._turn_dependency(entry, target, after)
            return
        if target.met or after.state is not Health.HEALTHY:
            self._tell_endpoint(entry, target, before, after)
        target.met = True
        for record_type in _record_types(entry.policy):
            if target.endpoint.answer(record_type) is not None:
                self._roll_up(entry, record_type, only=target.endpoint.region)
        self._wake(entry.policy.name)

    def _turn_dependency(self, entry: _Entry, target: _Target, after: Verdict) -> None:
        """No record answers with it: it moves nothing, and explains much."""
        name, was_down = target.dependency, target.dependency in entry.down
        down = after.state is Health.UNHEALTHY
        if down:
            entry.down.add(name)
        elif after.state is not Health.UNKNOWN:
            entry.down.discard(name)
        if down is not was_down and after.state is not Health.UNKNOWN:
            self._tell_dependency(entry, target, after)
        for record_type in _record_types(entry.policy):
            self._roll_up(entry, record_type)

    def _roll_up(self, entry: _Entry, record_type: RecordType, only: str = "") -> None:
        """Judge the regions anew, or `only` one of them."""
        now = self._clock()
        for spec in entry.policy.regions:
            if only and spec.name != only:
                continue
            endpoints = [
                (value, self._said(entry, entry.targets[endpoint]))
                for endpoint in spec.endpoints
                if (value := endpoint.answer(record_type)) is not None
            ]
            if not endpoints:
                continue
            before = entry.regions.get((record_type, spec.name))
            after = roll_up(spec.name, endpoints, before, entry.policy.health, now)
            entry.regions[record_type, spec.name] = after
            if before is not None and before.state is after.state:
                continue
            if after.state is RegionState.UNKNOWN and (before is None or self._learning(entry, spec)):
                continue  # not lost from sight: not seen yet, as at the start or after a new revision
            self._tell_region(entry, record_type, before, after)

    def _said(self, entry: _Entry, target: _Target) -> Verdict:
        """The verdict with what explains it."""
        if target.verdict.state is not Health.UNHEALTHY:
            return target.verdict
        return replace(target.verdict, explained_by=entry.explaining(target))

    def _learning(self, entry: _Entry, spec: RegionSpec) -> bool:
        """Whether an endpoint of the region never had a verdict under the checks that it has now."""
        return any(not entry.targets[endpoint].met for endpoint in spec.endpoints)

    def _tell_endpoint(self, entry: _Entry, target: _Target, before: Verdict, after: Verdict) -> None:
        policy, endpoint = entry.policy, target.endpoint
        health = entry.looks[endpoint, after.check].health
        trouble = after.state is not Health.HEALTHY
        words = f"{endpoint.address} in {endpoint.region} is {after.state}: {after.evidence}"
        incident = self._incidents.open(policy, words) if trouble else self._incidents.id_of(policy.name)
        self._emit(
            _ENDPOINT_EVENTS[after.state](
                at=self._clock(),
                policy=policy.name,
                incident_id=incident,
                region=endpoint.region,
                endpoint=endpoint.text,
                check=after.check,
                was=before.state,
                reason=after.reason,
                evidence=after.evidence,
                failures=health.failures,
                passes=health.passes,
                explained_by=entry.explaining(target) if trouble else (),
            )
        )

    def _tell_dependency(self, entry: _Entry, target: _Target, after: Verdict) -> None:
        event = DependencyFailed if after.state is Health.UNHEALTHY else DependencyRecovered
        self._emit(
            event(
                at=self._clock(),
                policy=entry.policy.name,
                incident_id=self._incidents.id_of(entry.policy.name),
                dependency=target.dependency,
                endpoint=target.endpoint.text,
                reason=after.reason,
                evidence=after.evidence,
                regions=tuple(spec.name for spec in entry.policy.regions if target.dependency in spec.depends_on),
            )
        )

    def _tell_region(
        self, entry: _Entry, record_type: RecordType, before: RegionHealth | None, after: RegionHealth
    ) -> None:
        policy = entry.policy
        trouble = after.state is not RegionState.HEALTHY
        words = f"region {after.name} is {after.state}: {after.evidence}"
        incident = self._incidents.open(policy, words) if trouble else self._incidents.id_of(policy.name)
        self._emit(
            _REGION_EVENTS[after.state](
                at=self._clock(),
                policy=policy.name,
                incident_id=incident,
                region=after.name,
                record_type=record_type,
                was=before.state if before is not None else RegionState.UNKNOWN,
                score=after.score,
                evidence=after.evidence,
                rule_at=policy.source.at(after.rule),
            )
        )

    def _tell_suppression(self, entry: _Entry, look: _Look) -> None:
        """Say once that an endpoint which passes again is kept out by flap damping."""
        health, rules, endpoint = look.health, entry.policy.health, look.target.endpoint
        kept_out, said = health.suppressed and health.passes >= rules.rise, look.suppressed
        look.suppressed = kept_out
        if not kept_out or said:
            return
        self._emit(
            EndpointSuppressed(
                at=self._clock(),
                policy=entry.policy.name,
                incident_id=self._incidents.id_of(entry.policy.name),
                region=endpoint.region,
                endpoint=endpoint.text,
                check=look.check.name,
                was=health.state,
                reason="flapping",
                evidence=f"flap penalty {health.penalty:.0f}, reused below {rules.flap_reuse:g}",
                passes=health.passes,
            )
        )


def _targets(policy: Policy) -> Iterator[_Target]:
    for spec in policy.regions:
        for endpoint in spec.endpoints:
            sight = Sight(family_of(endpoint.family), spec.cloud, (policy.name, spec.name))
            yield _Target(endpoint, sight, spec.depends_on)
    for each in policy.dependencies:
        yield _Target(each.endpoint, Sight(family_of(each.endpoint.family), ""), dependency=each.name)


def _inherit(look: _Look, old: _Entry | None) -> None:
    """Take over what an earlier revision knew of the same endpoint under the same check."""
    earlier = old.looks.get((look.target.endpoint, look.check.name)) if old is not None else None
    if earlier is None or earlier.check != look.check:
        return
    look.health = earlier.health
    look.suppressed = earlier.suppressed
    began = earlier.target.sight.began.get(look.check.name)
    if began is not None:
        look.target.sight.began[look.check.name] = began


def _familiar(policy: Policy, known: Mapping[Endpoint, Verdict]) -> set[RegionKey]:
    """Regions of which some endpoint was known before. One with new addresses only was never seen."""
    return {
        (record_type, spec.name)
        for record_type in _record_types(policy)
        for spec in policy.regions
        for endpoint in spec.endpoints
        if endpoint in known and endpoint.answer(record_type) is not None
    }


def _record_types(policy: Policy) -> list[RecordType]:
    return sorted({record.key.type for record in policy.records})
