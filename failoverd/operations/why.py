"""Why the answer is what it is: a change, and everything that led to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from failoverd.core.control.cost import billed
from failoverd.core.control.news import taken_back_by
from failoverd.core.control.plan import PlanKind
from failoverd.core.errors import ConfigError
from failoverd.core.names import failoverctl
from failoverd.core.overrides import by
from failoverd.core.reasons import Cause
from failoverd.core.status import Bill, Overview
from failoverd.operations.concerns import SEVERITY, Condition, concerns_of
from failoverd.operations.history import PastMove
from failoverd.operations.overview import overview
from failoverd.operations.reckoning import Cost, RegionSum, cost, table
from failoverd.operations.record_lines import RecordLine, record_lines
from failoverd.operations.slips import require_policy, unknown
from failoverd.operations.words import concerned, title, when
from failoverd.ports import ChangeOutcome
from failoverd.store.reading import ChangeRow, HistoryReading
from failoverd.telemetry import reasoning

_TOLD_BY_WHY: Final = (
    "incident.opened",
    "endpoint.failed",
    "endpoint.degraded",
    "endpoint.lost",
    "endpoint.recovered",
    "region.failed",
    "region.degraded",
    "region.lost",
    "region.recovered",
    "signal.fired",
    "signal.cleared",
    "dependency.failed",
    "dependency.recovered",
    "decision.made",
    "decision.crashed",
    "plan.held",
    "failover.held",
    "plan.refused",
    "drift.detected",
    "change.applied",
    "change.verified",
    "change.disputed",
    "change.fenced",
    "target.delayed",
    "target.resumed",
    "incident.closed",
)


_TOLD_OF_THE_PROBER: Final = ("vantage.isolated", "vantage.rejoined")

_DOUBT_BEFORE: Final = 600.0
"""Seconds before an incident in which the prober's doubts still belong to its story."""


_RECENT: Final = 20
"""Incidents among which one that was meant is looked for."""

_LOOKED_THROUGH: Final = 200
"""Changes among which the last one is looked for that changed an answer, and not the marker alone."""


@dataclass(frozen=True, slots=True)
class RelatedEvent:
    """One event that led to the change, or followed from it."""

    at: float
    event: str
    message: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A change with its reasons, the rule (file and line), what limits said, who did it, and how to undo it.

    `records` is how the records of its policy stand now, the worst first, the changed one before its equals; none where
    a moment was asked about. `then` is what was in the way at that moment, in the words of that time. `edited` names
    the two revisions of the file, where an edit of it moved the traffic. `sums` is the sum by region.
    `bill` is what the shares cost that were wanted.
    `overrides` are operators' words that shape, or stop, what is answered there: now, or at the moment asked about.
    `undo` does it by hand, `undo_with` is the command for a daemon: where a word brought the change about that is in
    force still, the one that ends it.
    """

    move: PastMove
    overrides: tuple[str, ...]
    reasons: tuple[str, ...]
    rule_at: str
    limits: tuple[str, ...]
    actor: str
    undo: str
    undo_with: str
    events: tuple[RelatedEvent, ...]
    records: tuple[RecordLine, ...] = ()
    then: str = ""
    edited: str = ""
    sums: tuple[RegionSum, ...] = ()
    cost: Cost | None = None
    bill: Bill | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """How everything stands, and when that was seen; None by nobody. `stale`: no daemon is at work."""

    found: Overview
    seen: float | None
    stale: bool = False

    def names(self, reading: HistoryReading) -> list[str]:
        """Those of the records that there are, or were: what else is asked about is a slip."""
        return sorted({*(each.target.key.name for each in self.found.targets), *reading.record_names()})


def explained(
    reading: HistoryReading,
    now: float,
    present: Present,
    *,
    policy: str | None,
    record: str | None,
    at: float | None,
    incident: str | None,
) -> Explanation:
    """The same as `why`, of names that have to be known.

    Raises:
        ConfigError: nothing has one of these names, or nothing was ever changed of what was asked about.
    """
    require_policy(reading, policy)
    if incident is not None and reading.incident(incident) is None:
        ids = [row.incident_id for row in reversed(reading.incidents(limit=_RECENT))]
        remedy = "failoverctl history --output json names them all"
        raise unknown("incident", incident, ids, "incident_unknown", remedy)
    if record is not None and record not in (names := present.names(reading)):
        raise unknown("record", record, names, "record_unknown")
    found = why(reading, now, policy=policy, record=record, at=at, incident=incident, present=present)
    if found is None:
        raise _no_change(at)
    return found


def _no_change(at: float | None) -> ConfigError:
    """Nothing was ever changed of what was asked about, or not until that moment."""
    if at is None:
        return ConfigError("no change is known", reason="no_change", remedy="failoverctl status says what waits")
    return ConfigError(
        "no change is known of that moment, or of any before it",
        reason="no_change",
        remedy="failoverctl history says which changes are known; the journal knows of none before its own beginning",
    )


def why(
    reading: HistoryReading,
    now: float,
    *,
    policy: str | None,
    at: float | None,
    incident: str | None,
    record: str | None = None,
    present: Present | None = None,
) -> Explanation | None:
    """The last change (of a policy or a record, until a moment, or in an incident), and everything that led to it.

    Where nothing is named, of those that a person is needed for, or else that moved, the one that changed last. What an
    operator said is told before all else: it overrules what the policy's file says.
    """
    change = None
    if present is not None and (policy, record, at, incident) == (None, None, None, None):
        change = _worst_changed(reading, present.found, now)
    if change is None:
        change = _change_asked_for(reading, policy=policy, record=record, at=at, incident=incident)
    if change is None:
        return None
    told = reading.events(incident_id=change.incident_id, names=_TOLD_BY_WHY) if change.incident_id else ()
    if told:  # the prober's doubts belong to no incident, and hold back what would have moved in each
        doubts = reading.events(names=_TOLD_OF_THE_PROBER, since=told[0].at - _DOUBT_BEFORE, until=told[-1].at)
        told = tuple(sorted((*told, *doubts), key=lambda row: (row.at, row.seq)))
    applied = next(iter(reading.events(change_id=change.change_id, names=["change.applied"])), None)
    facts = applied.facts if applied is not None else {}
    move = PastMove.of(change)
    moment = now if at is None and incident is None else move.at if at is None else at
    edited = _edited(reading, change, facts)
    reasons = sorted(change.plan.decision.reasons, key=lambda reason: reason.rule != "overrides")
    return Explanation(
        move=move,
        overrides=_overrides(reading, change, moment),
        reasons=tuple(map(reasoning.words, reasons)),
        rule_at=facts.get("rule_at", ""),
        limits=tuple(map(str, facts.get("limits", ()))),
        actor=facts.get("actor", ""),
        undo=_by_hand(str(facts.get("undo", ""))),
        undo_with=_undo_with(reading, change, facts, now) if facts.get("undo") else "",
        events=tuple(RelatedEvent(row.at, row.name, row.message) for row in told),
        records=_standing(present, change, record, now) if present is not None and at is None else (),
        then=_then(reading, change, at) if at is not None else "",
        edited=edited,
        sums=table(change.plan.decision, change.shares_before, change.shares_after),
        cost=cost(change, told, now if at is None else at, edited=bool(edited)),
        bill=billed(change.plan.decision.reasons),
    )


def _standing(present: Present, change: ChangeRow, record: str | None, now: float) -> tuple[RecordLine, ...]:
    policy, whole = change.target.policy, present.found
    found = replace(
        whole,
        policies=tuple(each for each in whole.policies if each.policy == policy),
        regions=tuple(each for each in whole.regions if each.policy == policy),
        endpoints=tuple(each for each in whole.endpoints if each.policy == policy),
        targets=tuple(
            each for each in whole.targets if each.target.policy == policy and record in {None, each.target.key.name}
        ),
    )
    lines = record_lines(found, concerns_of(found, now), now, present.seen, stale=present.stale)
    changed = change.target.key.name, change.target.key.type.value, change.target.provider

    def weight(line: RecordLine) -> tuple[int, bool]:
        return -SEVERITY.index(line.level), (line.record, line.type, line.provider) != changed

    return tuple(sorted(lines, key=weight))


_HOLDS: Final = ("plan.held", "failover.held", "plan.refused", "target.delayed", "drift.detected")
_ENDS: Final = ("change.applied", "target.resumed")


def _then(reading: HistoryReading, change: ChangeRow, at: float) -> str:
    """What stood in the way at that moment, if anything did."""
    target = change.target
    rows = reading.events(until=at, names=[*_HOLDS, *_ENDS], policy=target.policy)
    about = [row for row in rows if (row.record, row.provider) == (str(target.key), target.provider)]
    return about[-1].message if about and about[-1].name in _HOLDS else ""


def _edited(reading: HistoryReading, change: ChangeRow, facts: Mapping[str, Any]) -> str:
    """Which edit of the file moved it: no health and no word did, and the change before it had another revision."""
    if change.plan.cause is not Cause.OPERATOR or facts.get("overrides") or change.kind != PlanKind.CHANGE:
        return ""
    settled = change.settled_at if change.settled_at is not None else change.intended_at
    rows = reading.changes(
        policy=change.target.policy, outcome=ChangeOutcome.APPLIED, until=settled, limit=_LOOKED_THROUGH
    )
    before = [row for row in rows if row.target == change.target and row.change_id != change.change_id]
    if not before or before[-1].plan.revision == change.plan.revision:
        return ""
    return f"{before[-1].plan.revision} -> {change.plan.revision}"


def _by_hand(undo: str) -> str:
    """Of what an event said: a command for the daemon is none of those that work without it."""
    return "" if undo.startswith("failoverctl ") else undo


def _undo_with(reading: HistoryReading, change: ChangeRow, facts: Mapping[str, Any], now: float) -> str:
    said = facts.get("overrides", ())
    held = [word.id for word in reading.overrides(now) if word.id in said and word.in_force(now)]
    return taken_back_by(held) or failoverctl("undo", change.change_id, "--reason", "TEXT", "--for", "1h")


def _overrides(reading: HistoryReading, change: ChangeRow, moment: float) -> tuple[str, ...]:
    found = overview(reading, moment, healthy=False)
    about = (word for word in found.overrides if word.in_force(moment) and change.target in concerned(word, found))
    return tuple(f"{title(word)} {by(word.actor)}, {when(word, moment)}: {word.reason} ({word.id})" for word in about)


def _worst_changed(reading: HistoryReading, found: Overview, now: float) -> ChangeRow | None:
    """The last change of the policies that are worst off; None where all is well, or none of them ever changed."""
    levels = {each.policy: each.level for each in reversed(concerns_of(found, now)) if each.policy}
    for status in found.targets:
        if status.moved:
            levels.setdefault(status.target.policy, Condition.MOVED)
    worst = max(levels.values(), key=SEVERITY.index, default=Condition.WELL)
    ill = [policy for policy, level in levels.items() if level is worst][:_LOOKED_THROUGH]
    found_of = (_change_asked_for(reading, policy=policy, record=None, at=None, incident=None) for policy in ill)
    return max((each for each in found_of if each is not None), key=lambda each: each.intended_at, default=None)


def _change_asked_for(
    reading: HistoryReading, *, policy: str | None, record: str | None, at: float | None, incident: str | None
) -> ChangeRow | None:
    if incident is not None:
        rows = reading.events(incident_id=incident, names=["change.applied"])
        ids = [row.change_id for row in rows if row.facts.get("kind") != PlanKind.MARK]
        return reading.change(ids[-1]) if ids else None
    if at is not None:
        found = (change for change in reading.at(at, policy=policy) if record in {None, change.target.key.name})
        return next(reversed(list(found)), None)
    last = reading.changes(policy=policy, record=record, outcome=ChangeOutcome.APPLIED, limit=_LOOKED_THROUGH)
    return next((change for change in reversed(last) if change.kind != PlanKind.MARK), None)
