"""Where everything stands, from the journal alone: it can be told with the daemon dead."""

from typing import Final

from failoverd.core.status import Heartbeat, Overview
from failoverd.store.statuses import StatusReading

RUNNING: Final = "running"
SILENT: Final = "silent"
SILENT_AFTER: Final = 30.0
"""Seconds without a heartbeat after which the daemon is called silent."""


def overview(reading: StatusReading, now: float, *, healthy: bool = True) -> Overview:
    """What the journal holds. Endpoints that are `healthy` are most of it, and may be left out.

    Not where an operator's word is about endpoints: which records these answer for is to be known.
    """
    overrides = tuple(word for word in reading.overrides(now) if not word.over_by(now))
    healthy = healthy or any(word.scope.endpoints for word in overrides)
    return Overview(
        heartbeat=reading.heartbeat(),
        vantage=reading.vantage(),
        probing=reading.probing(),
        policies=reading.policies(),
        regions=reading.regions(),
        endpoints=reading.endpoints(healthy=healthy),
        targets=reading.targets(),
        orphans=reading.orphans(),
        refused_files=reading.refused_files(),
        warned_files=reading.warned_files(),
        deferred=reading.deferred(),
        notifications=reading.notifications(),
        planned=reading.planned(),
        overrides=overrides,
        members=reading.members(),
    )


def daemon_state(beat: Heartbeat | None, now: float) -> str:
    """`running`, `stopped`, `silent`, or that it never was."""
    if beat is None:
        return "never ran with this journal"
    if beat.state == RUNNING and now - beat.at > SILENT_AFTER:
        return SILENT
    return beat.state
