"""The journal as `failoverctl` reads it: from another process, beside a running daemon or after it died.

Nothing here writes to the journal. Rows come back as frozen dataclasses, times as seconds since the epoch, the oldest
first; where there is a `limit`, it is the newest that are kept, and None keeps all.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import TypeAdapter

from failoverd import codec
from failoverd.core.control.plan import LastGood, Plan
from failoverd.core.records import Target
from failoverd.store.rows import target_row
from failoverd.store.sieve import Moment, extract
from failoverd.store.statuses import StatusReading

_ALL: Final = -1
"""A negative LIMIT is none (sqlite.org/lang_select)."""

Clause = tuple[str, Sequence[object]]
"""A condition in SQL with its parameters."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as it was told. `facts` are its fields by name; shares in basis points."""

    seq: int
    at: Moment
    name: str
    level: str
    message: str
    policy: str
    incident_id: str
    decision_id: str
    change_id: str
    record: str
    provider: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One plan that was going to be applied. `outcome` is None while, or because, nobody said how it went.

    `incident_id` and `decision_id` come from the events about it and are empty when there were none. `attempts` counts
    the tries at the same generation with the same answer, of which only the last one is kept. `verified_after` is in
    seconds from the decision; None while it is not proved, and `disputed` if that was ever said. `unconfirmed`: nobody
    is left to be asked, and nobody confirmed it. `member` is the one of several that made it, as its events say.
    """

    change_id: str
    incident_id: str
    decision_id: str
    target: Target
    kind: str
    generation: int
    shares_before: dict[str, int]
    shares_after: dict[str, int]
    intended_at: Moment
    settled_at: Moment | None
    outcome: str | None
    detail: str
    attempts: int
    verified_after: float | None
    unconfirmed: bool
    disputed: bool
    plan: Plan
    member: str = ""


@dataclass(frozen=True, slots=True)
class EditRow:
    """A policy began to run `revision` of its file, after it had run `before`."""

    seq: int
    at: Moment
    policy: str
    file: str
    before: str
    revision: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """`closed_at` is None while it is open; `changes` counts the changes that were applied in it."""

    incident_id: str
    policy: str
    opened_at: Moment
    closed_at: Moment | None
    cause: str
    changes: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A request that would change something, by whom, and how it was answered. See `ports.Asked`."""

    seq: int
    at: Moment
    actor: str
    origin: str
    request: str
    key: str
    body: str
    status: int
    answer: str


class HistoryReading(StatusReading):
    """The same with the history."""

    def last_good(self, target: Target) -> LastGood | None:
        """The answer that was last verified at the target."""
        condition = "policy = ? AND name = ? AND type = ? AND provider = ? AND zone = ?"
        rows = self._rows(f"SELECT body FROM answers WHERE {condition}", target_row(target))  # noqa: S608 - a constant
        found = self._each("answers", rows, lambda row: (target, partial(codec.load, LastGood, row["body"])))
        return next(iter(found), None)

    # -- history -------------------------------------------------------------------------------------------------------

    def policy_names(self) -> tuple[str, ...]:
        """Every policy that runs, or of which anything was ever changed."""
        query = " UNION ".join(f"SELECT policy FROM {table}" for table in ("statuses", "changes", "incidents"))  # noqa: S608 - constants
        return tuple(row["policy"] for row in self._rows(f"{query} ORDER BY policy", ()) if row["policy"])

    def record_names(self) -> tuple[str, ...]:
        """Every name of which a record was ever changed."""
        return tuple(row["name"] for row in self._rows("SELECT DISTINCT name FROM changes ORDER BY name", ()))

    def incidents(self, *, limit: int | None = None, open_only: bool = False) -> tuple[IncidentRow, ...]:
        return self._incidents([("closed_at IS NULL", ())] if open_only else [], limit)

    def incidents_of(self, policy: str, since: float, limit: int) -> tuple[IncidentRow, ...]:
        """Those of a policy that were open at, or after, that moment."""
        ended = "(closed_at IS NULL OR closed_at >= ?)"
        return self._incidents([("policy = ?", [policy]), (ended, [since])], limit)

    def incident(self, incident_id: str) -> IncidentRow | None:
        return next(iter(self._incidents([("incident_id = ?", [incident_id])], 1)), None)

    def changes(
        self,
        *,
        policy: str | None = None,
        record: str | None = None,
        outcome: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int | None = 50,
    ) -> tuple[ChangeRow, ...]:
        """Changes by policy, record (its name), outcome and time (`since` <= settled or intended <= `until`)."""
        where = [
            ("policy = ?", policy),
            ("name = ?", record),
            ("outcome = ?", outcome),
            (f"{_AT} >= ?", since),
            (f"{_AT} <= ?", until),
        ]
        return self._changes(_given(where), limit)

    def elsewhere(
        self,
        *,
        policy: str | None = None,
        since: float | None = None,
        change_id: str | None = None,
        limit: int | None = 50,
    ) -> tuple[EventRow, ...]:
        """`change.applied` of changes that the journal has no more of: by policy, time (`since` <= at), id.

        It did not work when they were made, or another member told of them in words that this version cannot read.
        """
        ours = "NOT EXISTS (SELECT 1 FROM changes WHERE changes.change_id = events.change_id)"
        clauses = _given(
            [
                ("name = ?", "change.applied"),
                ("policy = ?", policy),
                ("at >= ?", since),
                (_CHAINED.format("change_id"), change_id),
            ]
        )
        return self._events([*clauses, (ours, [])], limit)

    def change(self, change_id: str) -> ChangeRow | None:
        return next(iter(self._changes([("change_id = ?", [change_id])], 1)), None)

    def at(self, moment: float, *, policy: str | None = None) -> tuple[ChangeRow, ...]:
        """The change in force at that moment, for each target: the last one applied until then."""
        rows = self._rows(_IN_FORCE, {"moment": moment, "policy": policy})
        return self._changes_of(rows)

    def edits(self, *, policy: str | None = None, since: float = 0.0, limit: int | None = 50) -> tuple[EditRow, ...]:
        """Each newer revision of a policy that began to run, by policy and time (`since` <= at)."""
        rows = self._rows(_EDITS, {"policy": policy, "since": since, "limit": _ALL if limit is None else limit})
        return self._each("events", rows[::-1], lambda row: (row["seq"], partial(_EDIT.validate_python, dict(row))))

    def decision(self, decision_id: str) -> EventRow | None:
        """The `decision.made` event: its facts hold the verdict, the shares, and the reasons to redo the sum."""
        clauses = _given([("decision_id = ?", decision_id), ("name = ?", "decision.made")])
        return next(iter(self._events(clauses, 1)), None)

    def events(
        self,
        *,
        incident_id: str | None = None,
        change_id: str | None = None,
        since: float | None = None,
        until: float | None = None,
        names: Iterable[str] = (),
        policy: str | None = None,
        member: str | None = None,
        limit: int | None = 200,
    ) -> tuple[EventRow, ...]:
        """Events by incident, change, time (`since` <= at < `until`), name, policy, and the member that told it."""
        chain = [(_CHAINED.format("incident_id"), incident_id), (_CHAINED.format("change_id"), change_id)]
        told_by = (f"{_MEMBER} = ?", member)
        clauses = _given([*chain, ("at >= ?", since), ("at < ?", until), ("policy = ?", policy), told_by])
        if wanted := list(names):
            clauses.append(("name IN (SELECT value FROM json_each(?))", [json.dumps(wanted)]))
        return self._events(clauses, limit)

    def audit(
        self, *, actor: str | None = None, before: int | None = None, limit: int | None = 50
    ) -> tuple[AuditRow, ...]:
        """Requests by actor, and those that came before the one numbered `before`."""
        clauses = _given([("actor = ?", actor), ("seq < ?", before)])
        rows = self._newest("SELECT * FROM audit", clauses, "seq", limit)
        return self._each("audit", rows, lambda row: (row["seq"], partial(_AUDIT.validate_python, dict(row))))

    # -- inside --------------------------------------------------------------------------------------------------

    def _newest(self, query: str, clauses: list[Clause], order: str, limit: int | None) -> list[sqlite3.Row]:
        where = " AND ".join(condition for condition, _ in clauses) or "TRUE"
        parameters = [value for _, values in clauses for value in values]
        parameters.append(_ALL if limit is None else limit)
        return self._rows(f"{query} WHERE {where} ORDER BY {order} DESC LIMIT ?", parameters)[::-1]

    def _events(self, clauses: list[Clause], limit: int | None) -> tuple[EventRow, ...]:
        rows = self._newest("SELECT * FROM events", clauses, "seq", limit)
        return self._each("events", rows, lambda row: (row["seq"], partial(_event, row)))

    def _incidents(self, clauses: list[Clause], limit: int | None) -> tuple[IncidentRow, ...]:
        rows = self._newest(_INCIDENTS, clauses, "opened_at", limit)
        return self._each("incidents", rows, lambda row: (row["incident_id"], partial(_incident, row)))

    def _changes(self, clauses: list[Clause], limit: int | None) -> tuple[ChangeRow, ...]:
        rows = self._newest(_CHANGES, clauses, f"{_AT} DESC, rowid", limit)
        return self._changes_of(rows)

    def _changes_of(self, rows: Iterable[sqlite3.Row]) -> tuple[ChangeRow, ...]:
        return self._each("changes", rows, lambda row: (row["change_id"], partial(_change, row)))


_EVENT: Final = TypeAdapter(EventRow)
_EDIT: Final = TypeAdapter(EditRow)
_INCIDENT: Final = TypeAdapter(IncidentRow)
_CHANGE: Final = TypeAdapter(ChangeRow)
_AUDIT: Final = TypeAdapter(AuditRow)


def _event(row: sqlite3.Row) -> EventRow:
    return _EVENT.validate_python({**dict(row), "facts": json.loads(row["facts"])})


def _incident(row: sqlite3.Row) -> IncidentRow:
    return _INCIDENT.validate_python(dict(row))


def _change(row: sqlite3.Row) -> ChangeRow:
    plan = codec.load(Plan, row["plan"])
    said = {
        **dict(row),
        "incident_id": row["incident_id"] or "",
        "decision_id": row["decision_id"] or "",
        "target": plan.target,
        "unconfirmed": bool(row["unconfirmed"]) and row["verified_after"] is None,
        "disputed": bool(row["disputed"]),
        "shares_before": dict(plan.shares_before),
        "shares_after": dict(plan.shares_after),
        "plan": plan,
        "member": row["member"] or "",
    }
    return _CHANGE.validate_python(said)


_AT = "coalesce(settled_at, intended_at)"

_CHAINED = "({0} = ? AND {0} <> '')"
"""Said so, the partial index on that column serves."""

_TOLD = "(SELECT max({0}) FROM events WHERE events.change_id = changes.change_id AND events.change_id <> '') AS {0}"

_PROOF = """
    (
        SELECT {what} FROM events
        WHERE events.change_id = changes.change_id AND events.change_id <> '' AND events.name = '{name}'
    ) AS {called}"""

_UNHEARD = extract("facts", "$.unconfirmed")
_TOOK = f"min(iif({_UNHEARD}, NULL, {extract('facts', '$.took')}))"
_VERIFIED = _PROOF.format(what=_TOOK, name="change.verified", called="verified_after")
_UNCONFIRMED = _PROOF.format(what=f"max({_UNHEARD})", name="change.verified", called="unconfirmed")
_DISPUTED = _PROOF.format(what="count(*)", name="change.disputed", called="disputed")

_MEMBER = extract("facts", "$.told_by")
_BY_MEMBER = _PROOF.format(what=f"max({_MEMBER})", name="change.applied", called="member")

_CHANGES = f"""
    SELECT *, {_TOLD.format("incident_id")}, {_TOLD.format("decision_id")}, {_VERIFIED}, {_UNCONFIRMED}, {_DISPUTED},
        {_BY_MEMBER}
    FROM changes
"""  # noqa: S608 - constants

_IN_FORCE = f"""
    WITH latest AS (
        SELECT *, row_number() OVER (
            PARTITION BY policy, name, type, provider, zone ORDER BY settled_at DESC, rowid DESC
        ) AS age
        FROM changes
        WHERE outcome = 'applied' AND kind <> 'mark' AND settled_at <= :moment AND (:policy IS NULL OR policy = :policy)
    )
    {_CHANGES.replace("FROM changes", "FROM latest AS changes")} WHERE age = 1 ORDER BY settled_at
"""  # noqa: S608 - constants

_EDITS = f"""
    WITH loaded AS (
        SELECT seq, at, policy, {extract("facts", "$.file")} AS file, {extract("facts", "$.revision")} AS revision,
            coalesce({_MEMBER}, '') AS member
        FROM events WHERE name = 'policy.loaded' AND (:policy IS NULL OR policy = :policy)
    ), followed AS (
        SELECT *, lag(revision) OVER (PARTITION BY policy ORDER BY seq) AS before FROM loaded
    )
    SELECT * FROM followed WHERE before <> revision AND at >= :since ORDER BY seq DESC LIMIT :limit
"""  # noqa: S608 - constants

_INCIDENTS = """
    SELECT incident_id, policy, opened_at, closed_at, cause, (
        SELECT count(*) FROM events
        WHERE events.incident_id = incidents.incident_id AND events.incident_id <> '' AND name = 'change.applied'
    ) AS changes
    FROM incidents
"""


def _given(asked: Iterable[tuple[str, object | None]]) -> list[Clause]:
    return [(condition, [value]) for condition, value in asked if value is not None]
