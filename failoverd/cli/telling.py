"""`failoverctl status`, `why` and `history`: told from the journal alone, so they work with the daemon dead."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from failoverd.cli.screen import joined, say, say_block
from failoverd.codec import plain
from failoverd.core.control.decision import DecisionKind
from failoverd.core.events import percentages
from failoverd.core.records import WHOLE
from failoverd.core.status import (
    Heartbeat,
    PolicyStatus,
    ProbingStatus,
    RegionStatus,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.ports import ChangeOutcome
from failoverd.store.reading import ChangeRow, Reading
from failoverd.telemetry import prose

SILENT_AFTER: Final = 30.0
"""Seconds without a heartbeat after which the daemon is called silent."""

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
    "dependency.failed",
    "dependency.recovered",
    "decision.made",
    "decision.crashed",
    "failover.held",
    "plan.held",
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


# -- status ------------------------------------------------------------------------------------------------------------


def status(reading: Reading, now: float) -> dict[str, Any]:
    """Where everything stands, as plain data."""
    beat = reading.heartbeat()
    return {
        "daemon": {"state": _daemon_state(beat, now), **(plain(beat) if beat is not None else {})},
        "vantage": plain(vantage) if (vantage := reading.vantage()) is not None else None,
        "probing": plain(probing) if (probing := reading.probing()) is not None else None,
        "policies": [plain(each) for each in reading.policies()],
        "regions": [plain(each) for each in reading.regions()],
        "targets": [_plain_target(each) for each in reading.targets()],
    }


def _plain_target(target: TargetStatus) -> dict[str, Any]:
    words = {
        "reasons": [prose.words(reason) for reason in target.reasons],
        "checks": [prose.limit(check) for check in target.checks],
    }
    return {**plain(target), **words}


def show_status(console: Console, reading: Reading, now: float) -> None:
    """One screen: is the daemon alive, what is wrong, what is published, what waits and for what."""
    beat = reading.heartbeat()
    say(console, "daemon: ", (_daemon_state(beat, now), "bold"), _beat_words(beat, now) if beat else "")
    _show_vantage(console, reading.vantage(), now)
    _show_probing(console, reading.probing())
    regions, targets = reading.regions(), reading.targets()
    for policy in reading.policies():
        _show_policy(console, policy, now)
        _show_regions(console, [each for each in regions if each.policy == policy.policy], now)
        for target in targets:
            if target.target.policy == policy.policy:
                _show_target(console, target)


def _daemon_state(beat: Heartbeat | None, now: float) -> str:
    if beat is None:
        return "never ran with this journal"
    if beat.state == "running" and now - beat.at > SILENT_AFTER:
        return "silent"
    return beat.state


def _beat_words(beat: Heartbeat, now: float) -> str:
    return f" (pid {beat.pid}, version {beat.version}, last seen {_ago(now - beat.at)} ago); records stay as they are"


def _show_vantage(console: Console, vantage: VantageStatus | None, now: float) -> None:
    """Whether the prober trusts its own network; nothing where there is nothing to say."""
    if vantage is None:
        return
    if vantage.isolated:
        families, since = " and ".join(vantage.isolated), _ago(now - vantage.since)
        say(console, (f"prober: abstains on {families}", "red"), f" for {since}: {vantage.evidence}")
        say(console, "  failures are not counted and move nothing until it sees its sentinels or the clouds again")
    elif vantage.silent:
        many = f"{len(vantage.silent)} of {vantage.sentinels} sentinels do not answer"
        say(console, f"prober: trusts its network; {many}: {', '.join(vantage.silent)}")


def _show_probing(console: Console, probing: ProbingStatus | None) -> None:
    """Whether the schedule is kept."""
    if probing is None:
        return
    pace = f"{probing.rate:,.0f}/s" if probing.rate >= _MANY else f"{probing.rate:.1f}/s"
    lag = f"lag p99 {probing.lag * 1000:,.0f} ms, at most {probing.lag_max * 1000:,.0f} ms"
    say(console, f"probing: {pace}, {lag}, {probing.skipped:,} skipped, {probing.waiting:,} waiting")
    if probing.stretched > 1:
        words = f"  shedding load: intervals are {probing.stretched} times as long as written"
        say(console, (words, "red"), "; re-checks keep their pace")


_MANY: Final = 10
"""From so many a second on, tenths say nothing."""


def _show_policy(console: Console, policy: PolicyStatus, now: float) -> None:
    say(console)
    say(console, (policy.policy, "bold"), f"  revision {policy.revision} of {policy.file}")
    if policy.rejected:
        say(console, ("  a newer file does not load:", "red"), f" {policy.rejected}")
    if policy.incident_id:
        since = f" for {_ago(now - policy.incident_since)}" if policy.incident_since is not None else ""
        runbook = f"; runbook {policy.runbook}" if policy.runbook else ""
        say(console, (f"  incident {policy.incident_id}", "red"), since, runbook)


def _show_regions(console: Console, regions: Sequence[RegionStatus], now: float) -> None:
    table = Table(box=None, padding=(0, 2))
    for column in ("  region", "type", "health", "score", "for", "evidence"):
        table.add_column(column)
    for each in regions:
        score = f"{each.score * 100 / WHOLE:g}%"
        cells = (f"  {each.region}", each.record_type, each.state, score, _ago(now - each.since), each.evidence)
        table.add_row(*(joined(cell) for cell in cells))
    console.print(table)


def _show_target(console: Console, target: TargetStatus) -> None:
    colour = "green" if target.state is TargetState.IN_SYNC else "red"
    unread = target.state is TargetState.DELAYED and not target.generation and not target.published
    published = percentages(target.published) or "no answer"
    stands = ": what is answered is not known" if unread else f" generation {target.generation}: {published}"
    say(console, f"  {target.target}: ", (target.state, colour), stands)
    for reason in target.reasons if target.kind != DecisionKind.NORMAL else ():
        say(console, f"    why: {prose.words(reason)}")
    for check in target.checks:
        say(console, f"    limit: {prose.limit(check)}")
    if target.detail:
        say(console, f"    {target.detail}")
    if target.remedy:
        say(console, f"    remedy: {target.remedy}")
    if target.until is not None:
        say(console, f"    next look at {_clock(target.until)}")
    if target.manual:
        say(console, "    the same by hand:")
        say_block(console, target.manual)


# -- why ---------------------------------------------------------------------------------------------------------------


def why(reading: Reading, *, policy: str | None, at: float | None, incident: str | None) -> dict[str, Any] | None:
    """The last change (of a policy, until a moment, or in an incident), and everything that led to it."""
    change = _change_asked_for(reading, policy=policy, at=at, incident=incident)
    if change is None:
        return None
    told = reading.events(incident_id=change.incident_id, names=_TOLD_BY_WHY) if change.incident_id else ()
    if told:  # the prober's doubts belong to no incident, and hold back what would have moved in each
        doubts = reading.events(names=_TOLD_OF_THE_PROBER, since=told[0].at - _DOUBT_BEFORE, until=told[-1].at)
        told = tuple(sorted((*told, *doubts), key=lambda row: (row.at, row.seq)))
    applied = next(iter(reading.events(change_id=change.change_id, names=["change.applied"])), None)
    return {
        "change": {
            "id": change.change_id,
            "at": change.settled_at,
            "record": str(change.target.key),
            "provider": change.target.provider,
            "generation": change.generation,
            "outcome": change.outcome,
            "verified_after": change.verified_after,
            "disputed": change.disputed,
            "from": change.shares_before,
            "to": change.shares_after,
        },
        "reasons": [prose.words(reason) for reason in change.plan.decision.reasons],
        "rule_at": applied.facts.get("rule_at", "") if applied is not None else "",
        "limits": applied.facts.get("limits", []) if applied is not None else [],
        "actor": applied.facts.get("actor", "") if applied is not None else "",
        "undo": applied.facts.get("undo", "") if applied is not None else "",
        "incident": change.incident_id,
        "events": [{"at": row.at, "event": row.name, "message": row.message} for row in told],
    }


def show_why(console: Console, told: dict[str, Any]) -> None:
    change = told["change"]
    before = percentages(change["from"]) or "no answer"
    where = f"{change['record']} at {change['provider']}"
    say(console, (where, "bold"), f", {_clock(change['at'])}, by {told['actor']}")
    ended = f"generation {change['generation']}, {change['outcome']}{_proof(change)}"
    say(console, f"  {before} -> {percentages(change['to'])} ({ended})")
    for reason in told["reasons"]:
        say(console, f"  why    {reason}")
    say(console, f"  rule   {told['rule_at']}")
    for limit in told["limits"]:
        say(console, f"  limit  {limit}")
    if told["events"]:
        say(console, f"what happened in incident {told['incident']}:")
        for row in told["events"]:
            say(console, f"  {_clock(row['at'])} {row['event']:<18} {row['message']}")
    if told["undo"]:
        say(console, "to undo it by hand (a running daemon would decide again):")
        say_block(console, told["undo"])


def _change_asked_for(
    reading: Reading, *, policy: str | None, at: float | None, incident: str | None
) -> ChangeRow | None:
    if incident is not None:
        rows = reading.events(incident_id=incident, names=["change.applied"])
        return reading.change(rows[-1].change_id) if rows else None
    if at is not None:
        return next(reversed(reading.at(at, policy=policy)), None)
    return next(iter(reading.changes(policy=policy, outcome=ChangeOutcome.APPLIED, limit=1)), None)


# -- history -----------------------------------------------------------------------------------------------------------


def history(rows: Sequence[ChangeRow]) -> list[dict[str, Any]]:
    return [
        {
            "at": row.settled_at if row.settled_at is not None else row.intended_at,
            "change_id": row.change_id,
            "incident_id": row.incident_id,
            "policy": row.target.policy,
            "record": str(row.target.key),
            "provider": row.target.provider,
            "kind": row.kind,
            "generation": row.generation,
            "from": row.shares_before,
            "to": row.shares_after,
            "outcome": row.outcome or "open",
            "detail": row.detail,
            "attempts": row.attempts,
            "verified_after": row.verified_after,
            "disputed": row.disputed,
        }
        for row in rows
    ]


def show_history(console: Console, rows: Sequence[ChangeRow]) -> None:
    for told in history(rows):
        before = percentages(told["from"]) or "no answer"
        where = f"{told['record']} at {told['provider']}"
        move = f"{before} -> {percentages(told['to'])}"
        ended = told["outcome"] + (f" after {told['attempts']} attempts" if told["attempts"] > 1 else "")
        line = f"{_clock(told['at'])}  {where}  generation {told['generation']} {ended}{_proof(told)}: {move}"
        say(console, line, f"  ({told['detail']})" if told["detail"] else "")


def _proof(told: dict[str, Any]) -> str:
    """Whether all authoritative servers answered with it, and how long after the decision."""
    if told["verified_after"] is not None:
        return f", verified after {told['verified_after']:.1f}s"
    return ", disputed by its servers" if told["disputed"] else ""


# -- time --------------------------------------------------------------------------------------------------------------


def moment(text: str, now: float) -> float:
    """The end of what people mean by `03:12`, `03:12:30` (the last time it was so late) or an ISO 8601 time, in UTC.

    Seconds since the epoch; a time with an offset is understood as it says. The end, because a change at 03:12:07
    happened "at 03:12".

    Raises:
        ValueError: it is none of these.
    """
    written = _MOMENT.fullmatch(text)
    if written is None:
        raise ValueError(f"{text!r} is not a time")
    today = datetime.fromtimestamp(now, UTC).date()
    found = datetime.fromisoformat(text if written["date"] else f"{today}T{text}")
    begin = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not written["date"]:
        begin -= _DAY * math.ceil((begin - now) / _DAY)
    if not written["seconds"]:
        return begin + 59.999
    return begin if written["fraction"] else begin + 0.999


_DAY: Final = 86_400.0

_MOMENT: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d[T ])?\d\d:\d\d(?P<seconds>:\d\d(?P<fraction>\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)


def _clock(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at is not None else "-"


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"
