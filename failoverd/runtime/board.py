"""The health board: everything that is known about endpoints and regions, and who has to hear of a change.

Probe results come in, verdicts come out as events, and the reconciler of the policy is woken. A result that changes no
verdict ends here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from failoverd.core.events import (
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
from failoverd.core.health import CheckHealth, Health, Observation, Verdict, observe, verdict
from failoverd.core.records import Check, Endpoint, Policy, ProbeResult, RecordType, RegionSpec
from failoverd.core.region import FIRST_SIGHT, RegionHealth, RegionState, roll_up
from failoverd.core.situations import RegionSituation
from failoverd.ports import Clock, Emit
from failoverd.runtime.incidents import Incidents

STALE_AFTER: Final = 3.0
"""Evidence older than this many intervals (plus the time-out) says nothing any more."""

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


@dataclass(slots=True)
class _Entry:
    """One policy on the board."""

    policy: Policy
    since: float
    checks: dict[tuple[Endpoint, str], CheckHealth]
    verdicts: dict[Endpoint, Verdict]
    regions: dict[RegionKey, RegionHealth] = field(default_factory=dict)
    suppressed: set[tuple[Endpoint, str]] = field(default_factory=set)
    met: set[Endpoint] = field(default_factory=set)  # had a verdict once: a first HEALTHY is no news


class Board:
    """Health of every endpoint and region of every policy. Changes in `observe` and `settle` only."""

    def __init__(self, emit: Emit, clock: Clock, incidents: Incidents, wake: Callable[[str], None]) -> None:
        self._emit = emit
        self._clock = clock
        self._incidents = incidents
        self._wake = wake
        self._entries: dict[str, _Entry] = {}

    def watch(self, policy: Policy) -> None:
        """Put a policy on the board, or a newer revision of it; what is known of unchanged endpoints stays."""
        old = self._entries.get(policy.name)
        now = self._clock()
        known = old.checks if old is not None and old.policy.checks == policy.checks else {}
        checks = {
            (endpoint, check.name): known.get((endpoint, check.name), CheckHealth(since=now))
            for region in policy.regions
            for endpoint in region.endpoints
            for check in policy.checks
        }
        verdicts = {endpoint: _verdict(policy.checks, checks, endpoint, now) for endpoint, _ in checks}
        entry = _Entry(policy, now, checks, verdicts, suppressed={key for key in checks if checks[key].suppressed})
        if old is not None:
            entry.met = {endpoint for endpoint in old.met if endpoint in verdicts} if known else set()
            known_regions = _familiar(policy, old.verdicts)
            entry.regions = {key: health for key, health in old.regions.items() if key in known_regions}
        self._entries[policy.name] = entry

    def forget(self, policy: str) -> None:
        self._entries.pop(policy, None)

    def observe(self, policy: str, result: ProbeResult) -> Observation | None:
        """Fold one probe result in. None when nobody waits for it any more (the policy changed meanwhile)."""
        entry = self._entries.get(policy)
        key = (result.endpoint, result.check)
        if entry is None or key not in entry.checks:
            return None
        observation = observe(entry.checks[key], result, entry.policy.health)
        entry.checks[key] = observation.health
        self._tell_suppression(entry, key, observation.health)
        before = entry.verdicts[result.endpoint]
        after = _verdict(entry.policy.checks, entry.checks, result.endpoint, result.at)
        if after.state is before.state:
            return observation
        self._turn(entry, result.endpoint, before, after)
        return observation

    def settle(self) -> None:
        """Let evidence that grew too old become UNKNOWN. Called regularly, for the absence of news is no event."""
        now = self._clock()
        for entry in self._entries.values():
            for endpoint, before in list(entry.verdicts.items()):
                after = _verdict(entry.policy.checks, entry.checks, endpoint, now)
                if after.state is not before.state:
                    self._turn(entry, endpoint, before, after)
                elif endpoint not in entry.met and now - entry.since > FIRST_SIGHT:
                    entry.met.add(endpoint)  # said once: nobody waits for its first verdict any longer
                    self._tell_endpoint(entry, endpoint, before, after)
                    self._wake(entry.policy.name)

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

    def _turn(self, entry: _Entry, endpoint: Endpoint, before: Verdict, after: Verdict) -> None:
        """An endpoint's verdict changed: say so, roll its region up, wake the policy."""
        entry.verdicts[endpoint] = after
        if endpoint in entry.met or after.state is not Health.HEALTHY:
            self._tell_endpoint(entry, endpoint, before, after)
        entry.met.add(endpoint)
        for record_type in _record_types(entry.policy):
            if endpoint.answer(record_type) is not None:
                self._roll_up(entry, record_type)
        self._wake(entry.policy.name)

    def _roll_up(self, entry: _Entry, record_type: RecordType) -> None:
        now = self._clock()
        for spec in entry.policy.regions:
            endpoints = [
                (value, entry.verdicts[endpoint])
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

    def _learning(self, entry: _Entry, spec: RegionSpec) -> bool:
        """Whether an endpoint of the region never had a verdict under the checks that it has now."""
        return any(endpoint not in entry.met for endpoint in spec.endpoints)

    def _tell_endpoint(self, entry: _Entry, endpoint: Endpoint, before: Verdict, after: Verdict) -> None:
        policy = entry.policy
        health = entry.checks[endpoint, after.check]
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

    def _tell_suppression(self, entry: _Entry, key: tuple[Endpoint, str], health: CheckHealth) -> None:
        """Say once that an endpoint which passes again is kept out by flap damping."""
        kept_out = health.suppressed and health.passes >= entry.policy.health.rise
        if not kept_out:
            entry.suppressed.discard(key)
            return
        if key in entry.suppressed:
            return
        entry.suppressed.add(key)
        endpoint, check = key
        self._emit(
            EndpointSuppressed(
                at=self._clock(),
                policy=entry.policy.name,
                incident_id=self._incidents.id_of(entry.policy.name),
                region=endpoint.region,
                endpoint=endpoint.text,
                check=check,
                was=health.state,
                reason="flapping",
                evidence=f"flap penalty {health.penalty:.0f}, reused below {entry.policy.health.flap_reuse:g}",
                passes=health.passes,
            )
        )


def _familiar(policy: Policy, known: Mapping[Endpoint, Verdict]) -> set[RegionKey]:
    """Regions of which some endpoint was known before. One with new addresses only was never seen."""
    return {
        (record_type, spec.name)
        for record_type in _record_types(policy)
        for spec in policy.regions
        for endpoint in spec.endpoints
        if endpoint in known and endpoint.answer(record_type) is not None
    }


def _verdict(
    checks: Iterable[Check], known: Mapping[tuple[Endpoint, str], CheckHealth], endpoint: Endpoint, now: float
) -> Verdict:
    return verdict(
        ((check.name, known[endpoint, check.name], STALE_AFTER * check.every + check.timeout) for check in checks), now
    )


def _record_types(policy: Policy) -> list[RecordType]:
    return sorted({record.key.type for record in policy.records})
