"""Core's records as rows, and back. Columns are described in `migrations.py`."""

import json
import math
from collections.abc import Mapping

from failoverd import codec
from failoverd.core.control.limits import PastChange
from failoverd.core.control.plan import Plan
from failoverd.core.events import Event
from failoverd.core.reasons import Cause
from failoverd.core.records import Target


def target_row(target: Target) -> tuple[str, str, str, str, str]:
    return target.policy, target.key.name, target.key.type.value, target.provider, target.zone


def change_row(plan: Plan, at: float) -> tuple[object, ...]:
    shares = (json.dumps(dict(plan.start)), json.dumps(dict(plan.shares_after)))
    return (*target_row(plan.target), plan.id, plan.generation, plan.kind.value, *shares, codec.dump(plan), at)


def past_change(row: tuple[str, float, str, str, str | None, int]) -> PastChange:
    """A change as the limits count it."""
    name, at, before, after, shifts, generation = row
    return PastChange(name, at, json.loads(before), json.loads(after), _by_cause(shifts), generation)


def _by_cause(shifts: str | None) -> Mapping[Cause, int] | None:
    """What a change took of each ration; None where it is not told, or named by a newer version."""
    try:
        return {Cause(cause): moved for cause, moved in json.loads(shifts).items()} if shifts is not None else None
    except ValueError:
        return None


def plain_words(event: Event) -> tuple[str, Mapping[str, object]]:
    """An event without prose: its name, and its facts as JSON has them."""
    return event.name, {name: codec.plain(value) for name, value in event.facts()}


def event_row(event: Event, message: str, facts: Mapping[str, object]) -> tuple[object, ...]:
    named = (str(facts.get(name, "")) for name in ("policy", "incident_id", "decision_id", "change_id", "record"))
    text = json.dumps(_finite(facts))
    return event.at, event.name, event.level.value, message, *named, str(facts.get("provider", "")), text


def _finite(value: object) -> object:
    """JSON has no infinity: such numbers become their words, so that every reader can read the row."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(item) for item in value]
    return value
