"""The views as the journal has them, for when no daemon answers. Imported only then.

Each says as well when a daemon was alive last, by the wall clock; None if none ever was.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from failoverd.api.asked import WhyQuery
from failoverd.api.shapes import GlanceTold, HistoryTold, InventoryTold, MembersTold, StatusTold, WhyTold, WordsTold
from failoverd.api.telling import (
    glance_told,
    history_told,
    inventory_told,
    members_told,
    status_told,
    why_told,
    words_told,
)
from failoverd.cli.failing import note
from failoverd.config.locating import journal_of
from failoverd.core.errors import JournalError
from failoverd.core.records import Policy
from failoverd.core.status import Overview
from failoverd.operations.glance import asked_for
from failoverd.operations.history import past
from failoverd.operations.overview import RUNNING, SILENT, daemon_state, overview
from failoverd.operations.reviewing import practised_at, review
from failoverd.operations.slips import require_member, require_policy
from failoverd.operations.why import Present, explained
from failoverd.store.reading import HistoryReading
from failoverd.store.statuses import StatusReading

R = TypeVar("R", bound=StatusReading)


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
        return glance_told(asked_for(seen, now, policies, problems=problems)), _alive(reading)


def _seen(reading: StatusReading, now: float, *, healthy: bool, silent: bool) -> Overview:
    found = overview(reading, now, healthy=healthy)
    beat = found.heartbeat
    if silent and beat is not None and beat.state == RUNNING:
        return replace(found, heartbeat=replace(beat, state=SILENT))
    return found


def members_read(config: Path, now: float, *, silent: bool = False) -> tuple[MembersTold, float | None]:
    """`silent` as for `status_read`."""
    with opened(StatusReading(journal_of(config))) as reading:
        return members_told(_seen(reading, now, healthy=False, silent=silent), now), _alive(reading)


def words_read(config: Path, now: float) -> tuple[WordsTold, float | None]:
    with opened(StatusReading(journal_of(config))) as reading:
        return words_told(overview(reading, now, healthy=False), now), _alive(reading)


def inventory_read(config: Path, now: float, policies: Sequence[Policy]) -> tuple[InventoryTold, float | None]:
    """`policies` are those of the files: the journal does not know what they need, and what is lost needs no more."""
    try:
        with opened(StatusReading(journal_of(config))) as reading:
            practised = practised_at(reading.policies())
            return inventory_told(review(policies, reading.targets(), now, practised=practised)), _alive(reading)
    except JournalError as error:
        if error.reason != "journal_missing":
            raise
        return inventory_told(review(policies, (), now)), None


def history_read(
    config: Path, now: float, *, policy: str | None, since: float, limit: int, member: str | None
) -> tuple[HistoryTold, float | None]:
    with opened(HistoryReading(journal_of(config))) as reading:
        require_policy(reading, policy)
        require_member(reading, member)
        return history_told(past(reading, now, policy=policy, since=since, limit=limit, member=member)), _alive(reading)


def why_read(config: Path, now: float, query: WhyQuery, *, silent: bool) -> tuple[WhyTold, float | None]:
    """`silent` as for `status_read`."""
    with opened(HistoryReading(journal_of(config))) as reading:
        seen = _seen(reading, now, healthy=False, silent=silent)
        alive = seen.heartbeat.at if seen.heartbeat is not None else None
        present = Present(seen, alive, stale=daemon_state(seen.heartbeat, now) != RUNNING)
        return why_told(explained(reading, now, present, **dict(query))), _alive(reading)


def _alive(reading: StatusReading) -> float | None:
    beat = reading.heartbeat()
    return beat.at if beat is not None else None


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
