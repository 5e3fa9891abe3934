"""Incidents: from the first symptom until everything is normal again, one id for everything in between."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Incident:
    """`changes` counts what was written since it opened."""

    id: str
    opened_at: float
    changes: int = 0
