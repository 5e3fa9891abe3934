"""The views as the journal has them, for when no daemon answers. Imported only then.

Each says as well when a daemon was alive last, by the wall clock; None if none ever was.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from failoverd.api.asked import WhyQuery
from failoverd.api.shapes import GlanceTold, HistoryTold, InventoryTold, StatusTold, WhyTold, WordsTold
from failoverd.api.telling import glance_told, history_told, inventory_told, status_told, why_told, words_told
from failoverd.cli.failing import note, unknown
from failoverd.config.locating import journal_of
from failoverd.core.records import Policy
from failoverd.core.status import Overview
from failoverd.operations.glance import glance, part, unheard_of
from failoverd.operations.history import past
from failoverd.operations.inventory import practised_at, review
from failoverd.operations.overview import RUNNING, SILENT, daemon_state, overview
from failoverd.operations.why import Present, no_change, why
from failoverd.store.reading import HistoryReading
from failoverd.store.statuses import StatusReading

R = TypeVar("R", bound=StatusReading)

_RECENT: Final = 20
"""Incidents among which one that was meant is looked for."""


def status_read(config: Path, now: float, *, healthy: bool, silent: bool = False) -> tuple[StatusTold, float | None]:
    """`silent`: no daemon is there, however short ago it wrote that it runs."""
    with opened(StatusReading(journal_of(config))) as reading:
        return status_told(_seen(reading, now, healthy=healthy, silent=silent), now), _alive(reading)


def glance_read(
    config: Path, now: float, policies: Sequence[str], *, problems: bool, silent: bool = False
) -> tuple[GlanceTold, float | None]:
    """`silent` as for `status_read`."""
    with opened(StatusReading(journal_of(config))) as reading:
        seen = _seen(reading, now, healthy=False, silent=silent)
        wrong = unheard_of(seen, policies)
        if wrong is not None:
            raise unknown("policy", wrong, [each.policy for each in seen.policies], "the journal knows no other")
        whole = glance(seen, now)
        return glance_told(part(whole, policies or ["*"], problems=problems)), _alive(reading)


def _seen(reading: StatusReading, now: float, *, healthy: bool, silent: bool) -> Overview:
    found = overview(reading, now, healthy=healthy)
    beat = found.heartbeat
    if silent and beat is not None and beat.state == RUNNING:
        return replace(found, heartbeat=replace(beat, state=SILENT))
    return found


def words_read(config: Path, now: float) -> tuple[WordsTold, float | None]:
    with opened(StatusReading(journal_of(config))) as reading:
        return words_told(overview(reading, now, healthy=False), now), _alive(reading)


def inventory_read(config: Path, now: float, policies: Sequence[Policy]) -> tuple[InventoryTold, float | None]:
    """`policies` are those of the files: the journal does not know what they need."""
    with opened(StatusReading(journal_of(config))) as reading:
        practised = practised_at(reading.policies())
        return inventory_told(review(policies, reading.targets(), now, practised=practised)), _alive(reading)


def history_read(
    config: Path, now: float, *, policy: str | None, since: float, limit: int
) -> tuple[HistoryTold, float | None]:
    with opened(HistoryReading(journal_of(config))) as reading:
        _require(reading, policy, None)
        return history_told(past(reading, now, policy=policy, since=since, limit=limit)), _alive(reading)


def why_read(config: Path, now: float, query: WhyQuery, *, silent: bool) -> tuple[WhyTold, float | None]:
    """`silent` as for `status_read`."""
    with opened(HistoryReading(journal_of(config))) as reading:
        _require(reading, query.policy, query.incident)
        seen = _seen(reading, now, healthy=False, silent=silent)
        alive = seen.heartbeat.at if seen.heartbeat is not None else None
        present = Present(seen, alive, stale=daemon_state(seen.heartbeat, now) != RUNNING)
        if query.record is not None and query.record not in (known := present.names(reading)):
            raise unknown("record", query.record, known, "the journal knows no other")
        found = why(
            reading,
            now,
            policy=query.policy,
            record=query.record,
            at=query.at,
            incident=query.incident,
            present=present,
        )
        if found is None:
            raise no_change(query.at)
        return why_told(found), _alive(reading)


def _alive(reading: StatusReading) -> float | None:
    beat = reading.heartbeat()
    return beat.at if beat is not None else None


def _require(reading: HistoryReading, policy: str | None, incident: str | None) -> None:
    """A name that the journal does not know is a slip, and no reason to say that nothing happened."""
    if policy is not None and policy not in (known := reading.policy_names()):
        raise unknown("policy", policy, known, "the journal knows no other")
    if incident is not None and reading.incident(incident) is None:
        ids = [row.incident_id for row in reversed(reading.incidents(limit=_RECENT))]
        raise unknown("incident", incident, ids, "failoverctl history --output json names them all")


@contextmanager
def opened(reading: R) -> Iterator[R]:
    """The journal for the time of a verb. Afterwards a person is told how many rows of it could not be read."""
    with reading:
        try:
            yield reading
        finally:
            if reading.skipped:
                rows = "1 row" if reading.skipped == 1 else f"{reading.skipped} rows"
                note(
                    f"{rows} of the journal cannot be read and left out: a failing disk, or another version wrote them"
                )
