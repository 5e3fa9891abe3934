"""What became of a policy over a time: the health of its regions, the shares of its records, and what was told.

Made of the journal alone, and bounded. An incident reads from its first failing probe to the change that was proved,
and on to the last client that still used the old answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.core.clients import still_old
from failoverd.core.control.plan import PlanKind
from failoverd.core.health.region import RegionState
from failoverd.core.records import WHOLE
from failoverd.operations.history import PastMove
from failoverd.ports import ChangeOutcome
from failoverd.store.reading import ChangeRow, EventRow, HistoryReading, IncidentRow

MOST: Final = 500
"""Of changes, of events of regions, and of others: the newest."""

_BEFORE: Final = 600.0
"""Seconds before its beginning in which what led to an incident may stand: what began to fail before it was one."""

_WATCHED: Final = 900.0
_POINTS: Final = 45


@dataclass(frozen=True, slots=True)
class RegionStep:
    """A region came to be so."""

    at: float
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class RegionTrack:
    """The health of a region for one record type. `begin` is how it was at first."""

    region: str
    type: str
    begin: str
    steps: tuple[RegionStep, ...]


@dataclass(frozen=True, slots=True)
class RecordTrack:
    """The shares of a record at a provider, in basis points by region. `begin` are those at first."""

    record: str
    provider: str
    begin: Mapping[str, int]
    moves: tuple[PastMove, ...]


@dataclass(frozen=True, slots=True)
class ClientsPoint:
    """So many clients still used the old answer, in basis points, as computed from the TTL: `core.clients`."""

    at: float
    old: int


@dataclass(frozen=True, slots=True)
class IncidentTrack:
    """From its first failing probe, at `began`, to its end; `closed_at` is None while it is open."""

    incident_id: str
    began: float
    opened_at: float
    closed_at: float | None
    cause: str


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """Something that was told."""

    at: float
    event: str
    level: str
    message: str
    incident_id: str
    change_id: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Times in seconds since the epoch, each list the oldest first.

    `clients` are those of the last change, `change` is which that is, "" without one. `cut`: there was more of
    something than there is room for, and the oldest of it is left out.
    """

    policy: str
    since: float
    until: float
    records: tuple[RecordTrack, ...]
    regions: tuple[RegionTrack, ...]
    incidents: tuple[IncidentTrack, ...]
    marks: tuple[TimelineEvent, ...]
    change: str
    clients: tuple[ClientsPoint, ...]
    cut: bool


_OF_REGIONS: Final = {
    "region.failed": RegionState.DOWN,
    "region.degraded": RegionState.DEGRADED,
    "region.recovered": RegionState.HEALTHY,
    "region.lost": RegionState.UNKNOWN,
}
"""What each event says that a region became."""

_MARKS: Final = (
    *_OF_REGIONS,
    "incident.opened",
    "incident.closed",
    "endpoint.failed",
    "endpoint.degraded",
    "endpoint.recovered",
    "decision.made",
    "plan.held",
    "failover.held",
    "plan.refused",
    "drift.detected",
    "target.delayed",
    "target.resumed",
    "change.applied",
    "change.verified",
    "change.disputed",
    "change.fenced",
)


def timeline(reading: HistoryReading, now: float, *, policy: str, since: float) -> Timeline:
    """What became of a policy since then."""
    changes = reading.changes(policy=policy, outcome=ChangeOutcome.APPLIED, since=since, limit=MOST)
    told = reading.events(policy=policy, since=since - _BEFORE, names=_MARKS, limit=MOST)
    health = [row for row in told if row.name in _OF_REGIONS]
    moved = [row for row in changes if row.kind != PlanKind.MARK]
    last = moved[-1] if moved else None
    return Timeline(
        policy=policy,
        since=since,
        until=now,
        records=tuple(_records(moved, reading.at(since, policy=policy))),
        regions=tuple(_regions(reading, policy, since, health)),
        incidents=tuple(_incidents(reading.incidents_of(policy, since, MOST), told)),
        marks=tuple(
            TimelineEvent(row.at, row.name, row.level, row.message, row.incident_id, row.change_id) for row in told
        ),
        change=last.change_id if last is not None else "",
        clients=tuple(_clients(last)) if last is not None else (),
        cut=MOST in {len(changes), len(told)},
    )


def _records(moved: Iterable[ChangeRow], before: Iterable[ChangeRow]) -> Iterable[RecordTrack]:
    """Those that moved within the time, and those that stayed as they were."""
    begins: dict[tuple[str, str], Mapping[str, int]] = {}
    moves: dict[tuple[str, str], list[PastMove]] = {}
    for row in before:
        begins[str(row.target.key), row.target.provider] = row.shares_after
    for row in moved:
        place = str(row.target.key), row.target.provider
        begins.setdefault(place, row.shares_before)
        moves.setdefault(place, []).append(PastMove.of(row))
    for place, begin in sorted(begins.items()):
        yield RecordTrack(*place, begin, tuple(moves.get(place, ())))


def _regions(reading: HistoryReading, policy: str, since: float, told: Sequence[EventRow]) -> Iterable[RegionTrack]:
    """How a region was at first is what its first event says that it was; where there is none, it is as it is now."""
    tracks: dict[tuple[str, str], tuple[str, list[RegionStep]]] = {
        (each.region, each.record_type): (each.state, []) for each in reading.regions(policy)
    }
    begun: set[tuple[str, str]] = set()
    for row in told:
        place = str(row.facts.get("region", "")), str(row.facts.get("record_type", ""))
        state = _OF_REGIONS[row.name]
        begin, steps = tracks.get(place, (RegionState.UNKNOWN, []))
        if row.at < since:
            begin = state
        else:
            begin = str(row.facts.get("was", begin)) if place not in begun else begin
            steps.append(RegionStep(row.at, state, str(row.facts.get("evidence", ""))))
        begun.add(place)
        tracks[place] = begin, steps
    for (region, record_type), (begin, steps) in sorted(tracks.items()):
        yield RegionTrack(region, record_type, begin, tuple(steps))


def _incidents(rows: Iterable[IncidentRow], told: Sequence[EventRow]) -> Iterable[IncidentTrack]:
    for row in rows:
        of_it = [each.at for each in told if each.incident_id == row.incident_id]
        began = min([*of_it, row.opened_at])
        yield IncidentTrack(row.incident_id, began, row.opened_at, row.closed_at, row.cause)


def _clients(change: ChangeRow) -> Iterable[ClientsPoint]:
    """Nobody had an old answer where there was none."""
    old = change.plan.before.records
    if old is None or not old.serving or change.settled_at is None:
        return
    for number in range(_POINTS + 1):
        after = _WATCHED * (number / _POINTS) ** 2  # close together at first, where it falls steeply
        yield ClientsPoint(change.settled_at + after, round(still_old(after, old.ttl) * WHOLE))
