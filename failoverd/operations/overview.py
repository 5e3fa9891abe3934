"""Where everything stands, from the journal alone: it can be told with the daemon dead."""

from typing import Any, Final

from failoverd.codec import plain
from failoverd.core.status import Heartbeat, Overview
from failoverd.store.statuses import StatusReading
from failoverd.telemetry import prose

SILENT_AFTER: Final = 30.0
"""Seconds without a heartbeat after which the daemon is called silent."""


def overview(reading: StatusReading, *, healthy: bool = True) -> Overview:
    """What the journal holds. Endpoints that are `healthy` are most of it, and may be left out."""
    return Overview(
        heartbeat=reading.heartbeat(),
        vantage=reading.vantage(),
        probing=reading.probing(),
        policies=reading.policies(),
        regions=reading.regions(),
        endpoints=reading.endpoints(healthy=healthy),
        targets=reading.targets(),
    )


def daemon_state(beat: Heartbeat | None, now: float) -> str:
    """`running`, `stopped`, `silent`, or that it never was."""
    if beat is None:
        return "never ran with this journal"
    if beat.state == "running" and now - beat.at > SILENT_AFTER:
        return "silent"
    return beat.state


def as_json(found: Overview, now: float) -> dict[str, Any]:
    """The documented shape: `daemon` (or what is known of it), then a list for each kind of status."""
    said: dict[str, Any] = plain(found)
    beat = said.pop("heartbeat") or {}
    for told, target in zip(said["targets"], found.targets, strict=True):
        told["reasons"] = [prose.words(reason) for reason in target.reasons]
        told["checks"] = [prose.limit(check) for check in target.checks]
    return {"daemon": {**beat, "state": daemon_state(found.heartbeat, now)}, **said}
