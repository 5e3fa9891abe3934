"""What members tell each other for their history: events, and how changes ended, as JSON.

A member of another version takes what it can: of an event that it does not know, nothing; of one that has more fields,
those that it knows.
"""

import json
from collections.abc import Iterable
from typing import Final

from failoverd import codec
from failoverd.core import events
from failoverd.core.events import Event
from failoverd.ports import Settled, Telling

_OF_ANYBODY: Final = (
    events.ChangeApplied,
    events.ChangeDisputed,
    events.ChangeFenced,
    events.ChangeVerified,
    events.CoordinatorRestored,
    events.DecisionMade,
    events.DriftDetected,
    events.FailbackAbandoned,
    events.FailbackAborted,
    events.FailbackStepped,
    events.HistoryUntold,
    events.IncidentClosed,
    events.IncidentOpened,
    events.OverrideEvent,
    events.OverridesLost,
    events.PlanHeld,
    events.PlanRefused,
    events.PracticeEnded,
    events.PracticeStarted,
    events.RivalDetected,
    events.RivalSettled,
)
"""What belongs into the history of all, whichever member tells it: the one that writes, or that heard an operator."""

_OF_WHO_WRITES: Final = (events.TargetDelayed, events.TargetResumed)
"""What each member finds by itself, and matters of the one that writes."""


def belongs(event: Event, *, writes: bool) -> bool:
    """Whether an event belongs into the history of all members. `writes`: who tells it does."""
    if isinstance(event, events.LeaderElected):
        return event.mine
    if isinstance(event, events.LeaderLost):
        return not event.missed  # the one that led may have led on: who misses it knows no better
    return isinstance(event, _OF_ANYBODY) or (writes and isinstance(event, _OF_WHO_WRITES))


def told(telling: Telling) -> str:
    """As JSON."""
    if isinstance(telling, Settled):
        return f'{{"change":{codec.dump(telling)}}}'
    return f'{{"event":{json.dumps(telling.name)},"body":{codec.dump(telling)}}}'


def heard(bodies: Iterable[codec.Json]) -> list[Telling]:
    """What of these can be read here."""
    found = (_heard(body) for body in bodies)
    return [telling for telling in found if telling is not None]


def _heard(body: codec.Json) -> Telling | None:
    try:
        if "change" in body:
            return codec.shaped(Settled, body["change"])
        kind = events.KINDS.get(body["event"])
        return codec.shaped(kind, body["body"]) if kind is not None else None
    except (ValueError, TypeError, LookupError):
        return None
