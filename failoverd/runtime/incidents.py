"""Incidents: from the first symptom until everything is normal again, one id for everything in between."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from failoverd.core.events import IncidentClosed, IncidentOpened
from failoverd.core.records import Policy
from failoverd.ports import Clock, Emit


@dataclass(frozen=True, slots=True)
class Incident:
    id: str
    opened_at: float
    changes: int = 0


class Incidents:
    """At most one open incident for each policy."""

    def __init__(self, emit: Emit, clock: Clock, new_id: Callable[[str], str]) -> None:
        self._emit = emit
        self._clock = clock
        self._new_id = new_id
        self._open: dict[str, Incident] = {}

    def resume(self, policy: str, incident: Incident) -> None:
        """Go on with an incident that was open when the daemon stopped."""
        self._open[policy] = incident

    def current(self, policy: str) -> Incident | None:
        return self._open.get(policy)

    def id_of(self, policy: str) -> str:
        incident = self._open.get(policy)
        return incident.id if incident is not None else ""

    def open(self, policy: Policy, cause: str) -> str:
        """The id of the policy's incident, which begins now unless it is open already."""
        if policy.name not in self._open:
            incident = Incident(self._new_id("inc"), self._clock())
            self._open[policy.name] = incident
            self._emit(
                IncidentOpened(
                    at=incident.opened_at,
                    policy=policy.name,
                    incident_id=incident.id,
                    cause=cause,
                    runbook=policy.runbook,
                )
            )
        return self._open[policy.name].id

    def count_change(self, policy: str) -> None:
        incident = self._open.get(policy)
        if incident is not None:
            self._open[policy] = replace(incident, changes=incident.changes + 1)

    def close(self, policy: str) -> None:
        """Everything is normal again. Without an open incident nothing happens."""
        incident = self._open.pop(policy, None)
        if incident is None:
            return
        now = self._clock()
        self._emit(
            IncidentClosed(
                at=now,
                policy=policy,
                incident_id=incident.id,
                lasted=now - incident.opened_at,
                changes=incident.changes,
            )
        )
