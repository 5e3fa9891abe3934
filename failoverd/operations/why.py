"""Why the answer is what it is: a change, and everything that led to it."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from failoverd.core.control.plan import PlanKind
from failoverd.operations.history import PastMove
from failoverd.ports import ChangeOutcome
from failoverd.store.reading import ChangeRow, Reading
from failoverd.telemetry import prose

_TOLD_BY_WHY: Final = (
    "incident.opened",
    "endpoint.failed",
    "endpoint.degraded",
    "endpoint.lost",
    "endpoint.recovered",
    "region.failed",
    "region.degraded",
    "region.lost",
    "region.recovered",
    "dependency.failed",
    "dependency.recovered",
    "decision.made",
    "decision.crashed",
    "plan.held",
    "failover.held",
    "plan.refused",
    "drift.detected",
    "change.applied",
    "change.verified",
    "change.disputed",
    "change.fenced",
    "target.delayed",
    "target.resumed",
    "incident.closed",
)


_TOLD_OF_THE_PROBER: Final = ("vantage.isolated", "vantage.rejoined")

_DOUBT_BEFORE: Final = 600.0
"""Seconds before an incident in which the prober's doubts still belong to its story."""


_LOOKED_THROUGH: Final = 200
"""Changes among which the last one is looked for that changed an answer, and not the marker alone."""


@dataclass(frozen=True, slots=True)
class RelatedEvent:
    """One event that led to the change, or followed from it."""

    at: float
    event: str
    message: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A change with its reasons, the rule (file and line), what limits said, who did it, and how to undo it by hand."""

    move: PastMove
    reasons: tuple[str, ...]
    rule_at: str
    limits: tuple[str, ...]
    actor: str
    undo: str
    events: tuple[RelatedEvent, ...]


def why(reading: Reading, *, policy: str | None, at: float | None, incident: str | None) -> Explanation | None:
    """The last change (of a policy, until a moment, or in an incident), and everything that led to it."""
    change = _change_asked_for(reading, policy=policy, at=at, incident=incident)
    if change is None:
        return None
    told = reading.events(incident_id=change.incident_id, names=_TOLD_BY_WHY) if change.incident_id else ()
    if told:  # the prober's doubts belong to no incident, and hold back what would have moved in each
        doubts = reading.events(names=_TOLD_OF_THE_PROBER, since=told[0].at - _DOUBT_BEFORE, until=told[-1].at)
        told = tuple(sorted((*told, *doubts), key=lambda row: (row.at, row.seq)))
    applied = next(iter(reading.events(change_id=change.change_id, names=["change.applied"])), None)
    facts = applied.facts if applied is not None else {}
    return Explanation(
        move=PastMove.of(change),
        reasons=tuple(prose.words(reason) for reason in change.plan.decision.reasons),
        rule_at=facts.get("rule_at", ""),
        limits=tuple(facts.get("limits", ())),
        actor=facts.get("actor", ""),
        undo=facts.get("undo", ""),
        events=tuple(RelatedEvent(row.at, row.name, row.message) for row in told),
    )


def as_json(found: Explanation) -> dict[str, Any]:
    """The documented shape."""
    move = found.move
    change = {
        "id": move.change_id,
        "at": move.at,
        "record": move.record,
        "provider": move.provider,
        "generation": move.generation,
        "outcome": move.outcome,
        "verified_after": move.verified_after,
        "disputed": move.disputed,
        "from": move.before,
        "to": move.after,
    }
    rest = asdict(found)
    del rest["move"]
    return {"change": change, "incident": move.incident_id, **rest}


def _change_asked_for(
    reading: Reading, *, policy: str | None, at: float | None, incident: str | None
) -> ChangeRow | None:
    if incident is not None:
        rows = reading.events(incident_id=incident, names=["change.applied"])
        ids = [row.change_id for row in rows if row.facts.get("kind") != PlanKind.MARK]
        return reading.change(ids[-1]) if ids else None
    if at is not None:
        return next(reversed(reading.at(at, policy=policy)), None)
    last = reading.changes(policy=policy, outcome=ChangeOutcome.APPLIED, limit=_LOOKED_THROUGH)
    return next((change for change in reversed(last) if change.kind != PlanKind.MARK), None)
