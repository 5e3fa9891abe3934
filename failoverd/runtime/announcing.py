"""Says what changed on the health board: one event for each change, an incident where it is trouble."""

from collections.abc import Mapping
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
from failoverd.core.health import Health, Verdict
from failoverd.core.records import RecordType
from failoverd.core.region import RegionHealth, RegionState
from failoverd.ports import Clock, Emit
from failoverd.runtime.entries import Checked, Entry, Watched
from failoverd.runtime.incidents import Incidents

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


class Announcer:
    """Turns changes into events. `incidents` is what is wrong with each policy, opened here."""

    def __init__(self, emit: Emit, clock: Clock, incidents: Incidents) -> None:
        self._emit = emit
        self._clock = clock
        self._incidents = incidents

    def endpoint(self, entry: Entry, watched: Watched, before: Verdict, after: Verdict) -> None:
        policy, endpoint = entry.policy, watched.endpoint
        health = entry.checked[endpoint, after.check].health
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
                explained_by=entry.explaining(watched) if trouble else (),
            )
        )

    def dependency(self, entry: Entry, watched: Watched, after: Verdict) -> None:
        event = DependencyFailed if after.state is Health.UNHEALTHY else DependencyRecovered
        self._emit(
            event(
                at=self._clock(),
                policy=entry.policy.name,
                incident_id=self._incidents.id_of(entry.policy.name),
                dependency=watched.dependency,
                endpoint=watched.endpoint.text,
                reason=after.reason,
                evidence=after.evidence,
                regions=tuple(spec.name for spec in entry.policy.regions if watched.dependency in spec.depends_on),
            )
        )

    def region(self, entry: Entry, record_type: RecordType, before: RegionHealth | None, after: RegionHealth) -> None:
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

    def suppression(self, entry: Entry, checked: Checked) -> None:
        """Say once that an endpoint which passes again is kept out by flap damping."""
        health, rules, endpoint = checked.health, entry.policy.health, checked.watched.endpoint
        kept_out, said = health.suppressed and health.passes >= rules.rise, checked.suppressed
        checked.suppressed = kept_out
        if not kept_out or said:
            return
        self._emit(
            EndpointSuppressed(
                at=self._clock(),
                policy=entry.policy.name,
                incident_id=self._incidents.id_of(entry.policy.name),
                region=endpoint.region,
                endpoint=endpoint.text,
                check=checked.check.name,
                was=health.state,
                reason="flapping",
                evidence=f"flap penalty {health.penalty:.0f}, reused below {rules.flap_reuse:g}",
                passes=health.passes,
            )
        )
