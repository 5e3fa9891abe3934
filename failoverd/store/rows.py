"""Core's records as rows, and back. Columns are described in `migrations.py`."""

import json
import math
from collections.abc import Mapping

from failoverd import codec
from failoverd.core.events import Event
from failoverd.core.plan import Plan
from failoverd.core.records import Target


def target_row(target: Target) -> tuple[str, str, str, str, str]:
    return target.policy, target.key.name, target.key.type.value, target.provider, target.zone


def change_row(plan: Plan, at: float) -> tuple[object, ...]:
    shares = (json.dumps(dict(plan.start)), json.dumps(dict(plan.shares_after)))
    return (*target_row(plan.target), plan.id, plan.generation, plan.kind.value, *shares, codec.dump(plan), at)


def event_row(event: Event) -> tuple[object, ...]:
    facts = dict(event.facts())
    named = (str(facts.get(name, "")) for name in ("policy", "incident_id", "decision_id", "change_id", "record"))
    text = json.dumps(_finite(facts))
    return event.at, event.name, event.level.value, event.say(), *named, str(facts.get("provider", "")), text


def _finite(value: object) -> object:
    """JSON has no infinity: such numbers become their words, so that every reader can read the row."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(item) for item in value]
    return value
