"""Core's records as rows, and back. Columns are described in `migrations.py`."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import Field, Json, TypeAdapter

from failoverd import codec
from failoverd.core.control.incident import Incident
from failoverd.core.control.limits import PastChange
from failoverd.core.control.plan import LastGood, Plan
from failoverd.core.events import Event
from failoverd.core.reasons import Cause
from failoverd.core.records import WHOLE, RecordKey, RecordType, Target
from failoverd.core.status import OrphanedRecord
from failoverd.ports import AuditEntry
from failoverd.store.sieve import Moment


def target_row(target: Target) -> tuple[str, str, str, str, str]:
    return target.policy, target.key.name, target.key.type.value, target.provider, target.zone


def change_row(plan: Plan, at: float) -> tuple[object, ...]:
    shares = (json.dumps(dict(plan.start)), json.dumps(dict(plan.shares_after)))
    return (*target_row(plan.target), plan.id, plan.generation, plan.kind.value, *shares, codec.dump(plan), at)


Shares = dict[str, Annotated[int, Field(ge=0, le=WHOLE)]]
"""Basis points by region."""

_PAST: Final = TypeAdapter(tuple[str, Moment, Json[Shares], Json[Shares], str | None, int])


def past_change(row: object) -> PastChange:
    """A change as the limits count it. Raises ValueError for a row that nobody wrote so."""
    name, at, before, after, shifts, generation = _PAST.validate_python(row)
    return PastChange(name, at, before, after, _by_cause(shifts), generation)


def last_answer(row: Sequence[str]) -> tuple[Target, LastGood]:
    """A target, and what was answered there last. Raises ValueError."""
    policy, name, kind, provider, zone, body = row
    return Target(policy, RecordKey(name, RecordType(kind)), provider, zone), codec.load(LastGood, body)


def orphaned_record(row: Sequence[str]) -> OrphanedRecord:
    """An answer that nobody publishes any more. Raises ValueError."""
    target, good = last_answer(row)
    return OrphanedRecord(target, good.generation, good.at, good.shares)


_OPEN: Final = TypeAdapter(tuple[str, str, Moment, int])


def open_incident(row: object) -> tuple[str, Incident]:
    """The policy of an incident that is open, and the incident. Raises ValueError."""
    policy, incident_id, opened_at, changes = _OPEN.validate_python(row)
    return policy, Incident(incident_id, opened_at, changes)


def _by_cause(shifts: str | None) -> Mapping[Cause, int] | None:
    """What a change took of each ration; None where it is not told, or named by a newer version."""
    try:
        return codec.load(dict[Cause, int], shifts) if shifts is not None else None
    except ValueError:
        return None


def plain_words(event: Event) -> tuple[str, Mapping[str, object]]:
    """An event without prose: its name, and its facts as JSON has them."""
    return event.name, {name: codec.plain(value) for name, value in event.facts()}


def event_row(event: Event, message: str, facts: Mapping[str, object]) -> tuple[object, ...]:
    named = ("policy", "incident_id", "decision_id", "change_id", "record", "provider")
    columns = (_whole(str(facts.get(name, ""))) for name in named)
    return event.at, event.name, event.level.value, _whole(message), *columns, json.dumps(_finite(facts))


def audit_row(asked: AuditEntry) -> tuple[object, ...]:
    """A request. What somebody asked may be no text at all."""
    texts = (asked.actor, asked.origin, asked.request, asked.key, asked.body)
    return asked.at, *map(_whole, texts), asked.status, _whole(asked.answer)


def _whole(text: str) -> str:
    """Half characters, of which names of files may consist, as escapes: SQLite keeps UTF-8 and nothing else."""
    return text.encode("utf-8", "backslashreplace").decode()


def _finite(value: object) -> object:
    """JSON has no infinity: such numbers become their words, so that every reader can read the row."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(item) for item in value]
    return value
