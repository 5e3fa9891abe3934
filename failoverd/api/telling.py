"""From what the daemon knows to what goes over the wire. The views themselves are those of `operations`."""

import json
from collections.abc import Iterable
from hashlib import blake2s
from typing import TYPE_CHECKING, TypeVar

from failoverd.api.shapes import (
    AlertsTold,
    AlertTold,
    AuditTold,
    BillTold,
    BoardTold,
    ChangeTold,
    CommentTold,
    CostTold,
    DaemonTold,
    EditTold,
    EffectTold,
    EndpointTold,
    EventTold,
    GivenTold,
    GlanceTold,
    HeldTold,
    HistoryTold,
    InventoryTold,
    JournalTold,
    NamesTold,
    NotificationsTold,
    OrphanTold,
    PlannedTold,
    PolicyNamesTold,
    PolicyTold,
    ProbingTold,
    RecordLineTold,
    RefusedFileTold,
    RegionSumTold,
    RegionTold,
    ReloadedTold,
    RequestTold,
    SaidTold,
    ScopeTold,
    StatusTold,
    TargetStatusTold,
    TargetTold,
    TimelineTold,
    ToldModel,
    VantageTold,
    WhyTold,
    WordAnswer,
    WordListedTold,
    WordStatusTold,
    WordsTold,
    WordTold,
)
from failoverd.core.health.endpoint import Health
from failoverd.core.overrides import OF_NO_RECORD, Override
from failoverd.core.records import Policy, Target
from failoverd.core.status import FilesStatus, Heartbeat, Overview, TargetStatus
from failoverd.operations.alerting import AlertHeard
from failoverd.operations.board import Board
from failoverd.operations.glance import Glance, glance
from failoverd.operations.history import Past
from failoverd.operations.inventory import Review
from failoverd.operations.overview import daemon_state
from failoverd.operations.timeline import Timeline
from failoverd.operations.why import Explanation
from failoverd.operations.words import concerned, overruled, standing
from failoverd.store.reading import AuditRow
from failoverd.telemetry import prose

if TYPE_CHECKING:
    from failoverd.operations.commanding import Given
    from failoverd.operations.effects import Effect


def status_told(found: Overview, now: float, *, by_daemon: bool = False, healthy: bool = True) -> StatusTold:
    """Everything, as the journal has it, or as the daemon itself sees it: it needs no journal for that.

    Endpoints that are `healthy` are most of it, and may be left out.
    """
    beat, seen = found.heartbeat, glance(found, now, by_daemon=by_daemon)
    return StatusTold(
        at=now,
        headline=seen.headline,
        glance=glance_told(seen),
        daemon=_daemon(beat, beat.at if by_daemon and beat is not None else now),
        journal=_told(JournalTold, found.journal),
        vantage=_told(VantageTold, found.vantage),
        probing=_told(ProbingTold, found.probing),
        policies=tuple(map(PolicyTold.model_validate, found.policies)),
        regions=tuple(map(RegionTold.model_validate, found.regions)),
        endpoints=tuple(
            EndpointTold.model_validate(each) for each in found.endpoints if healthy or each.state != Health.HEALTHY
        ),
        targets=tuple(map(_target_status, found.targets)),
        orphans=tuple(
            OrphanTold.model_validate(
                {
                    "target": target_told(each.target),
                    "generation": each.generation,
                    "since": each.since,
                    "published": dict(each.published),
                }
            )
            for each in found.orphans
        ),
        refused_files=tuple(map(RefusedFileTold.model_validate, found.refused_files)),
        warned_files=tuple(map(RefusedFileTold.model_validate, found.warned_files)),
        deferred=found.deferred,
        notifications=_told(NotificationsTold, found.notifications),
        planned=tuple(map(PlannedTold.model_validate, found.planned)),
        overrides=tuple(_word_status(word, found, now) for word in found.overrides if not word.over_by(now)),
    )


def reloaded_told(files: FilesStatus) -> ReloadedTold:
    return ReloadedTold(
        refused_files=tuple(map(RefusedFileTold.model_validate, files.refused)),
        warned_files=tuple(map(RefusedFileTold.model_validate, files.warned)),
        deferred=files.deferred,
        kept=True,
    )


def alerts_told(heard: Iterable[AlertHeard]) -> AlertsTold:
    return AlertsTold(
        alerts=tuple(
            AlertTold(
                fingerprint=each.fingerprint,
                became=each.became,
                why=each.why,
                override=each.word.id if each.word is not None else "",
            )
            for each in heard
        ),
        kept=True,
    )


def glance_told(seen: Glance) -> GlanceTold:
    return GlanceTold.model_validate(seen)


def inventory_told(found: Review) -> InventoryTold:
    return InventoryTold.model_validate(found)


def board_told(seen: Board) -> BoardTold:
    return BoardTold.model_validate(seen)


def timeline_told(found: Timeline) -> TimelineTold:
    return TimelineTold.model_validate(found)


def _daemon(beat: Heartbeat | None, now: float) -> DaemonTold:
    state = daemon_state(beat, now)
    if beat is None:
        return DaemonTold(state=state)
    return DaemonTold(
        state=state, at=beat.at, pid=beat.pid, started_at=beat.started_at, version=beat.version, instance=beat.instance
    )


def _word_status(word: Override, found: Overview, now: float) -> WordStatusTold:
    records = tuple(map(str, concerned(word, found)))
    instead = tuple(map(str, overruled(word, found)))
    return WordStatusTold(**dict(word_told(word, now)), records=records, overruled=instead)


T = TypeVar("T", bound=ToldModel)


def _told(kind: type[T], value: object) -> T | None:
    return kind.model_validate(value) if value is not None else None


def target_told(target: Target) -> TargetTold:
    return TargetTold(
        policy=target.policy,
        record=target.key.name,
        type=target.key.type.value,
        provider=target.provider,
        zone=target.zone,
    )


def _target_status(status: TargetStatus) -> TargetStatusTold:
    return TargetStatusTold.model_validate(
        {
            "target": target_told(status.target),
            "at": status.at,
            "state": status.state.value,
            "kind": status.kind,
            "cause": status.cause,
            "generation": status.generation,
            "wanted": dict(status.wanted),
            "published": dict(status.published),
            "reasons": tuple(map(prose.words, status.reasons)),
            "checks": tuple(map(prose.limit, status.checks)),
            "detail": status.detail,
            "remedy": status.remedy,
            "command": status.command,
            "seen": status.seen,
            "manual": status.manual,
            "until": status.until,
            "digest": status.digest,
            "normal": dict(status.normal),
            "since": status.since,
            "answered_since": status.answered_since,
            "bill": _told(BillTold, status.bill),
            "demand": status.demand,
            "capacities": dict(status.capacities),
            "has_rival": status.has_rival,
            "lost_overrides": status.lost_words,
        }
    )


def names_told(policies: Iterable[Policy]) -> NamesTold:
    """Of these policies: quickly said, however many they are, for somebody waits for it who wants to stop something."""
    return NamesTold(policies=tuple(map(_names_of, policies)))


def _names_of(policy: Policy) -> PolicyNamesTold:
    return PolicyNamesTold(
        policy=policy.name,
        records=tuple(dict.fromkeys(record.key.name for record in policy.records)),
        regions={region.name: region.cloud for region in policy.regions},
        endpoints=tuple(endpoint.id for region in policy.regions for endpoint in region.endpoints),
    )


def history_told(found: Past) -> HistoryTold:
    return HistoryTold(
        changes=tuple(map(ChangeTold.model_validate, found.moves)),
        overrides=tuple(map(SaidTold.model_validate, found.words)),
        holds=tuple(map(HeldTold.model_validate, found.holds)),
        edits=tuple(map(EditTold.model_validate, found.edits)),
    )


def why_told(found: Explanation) -> WhyTold:
    return WhyTold.model_validate(
        {
            "change": ChangeTold.model_validate(found.move),
            "overrides": found.overrides,
            "reasons": found.reasons,
            "rule_at": found.rule_at,
            "limits": tuple(map(str, found.limits)),
            "actor": found.actor,
            "undo": found.undo,
            "undo_with": found.undo_with,
            "events": tuple(map(EventTold.model_validate, found.events)),
            "records": tuple(map(RecordLineTold.model_validate, found.records)),
            "then": found.then,
            "edited": found.edited,
            "sums": tuple(map(RegionSumTold.model_validate, found.sums)),
            "cost": _told(CostTold, found.cost),
            "bill": _told(BillTold, found.bill),
        }
    )


# -- words -------------------------------------------------------------------------------------------------------------


def words_told(found: Overview, now: float) -> WordsTold:
    """The words that are known, and those that only markers know."""
    lost = dict.fromkeys(name for target in found.targets for name in target.lost_words)
    told = tuple(_word_listed(word, found, now) for word in found.overrides)
    return WordsTold(version=version_of(found.overrides), overrides=told, lost=tuple(lost))


def _word_listed(word: Override, found: Overview, now: float) -> WordListedTold:
    records = len(concerned(word, found)) if word.verb not in OF_NO_RECORD else None
    return WordListedTold(**dict(word_told(word, now)), records=records)


def version_of(words: Iterable[Override]) -> str:
    """Another one as soon as any word came, went, or was changed by somebody. What time alone does counts as well."""
    said = sorted((word.id, word.until, len(word.comments)) for word in words)
    return blake2s(json.dumps(said).encode(), digest_size=8).hexdigest()


def word_told(word: Override, now: float) -> WordTold:
    return WordTold.model_validate(
        {
            "id": word.id,
            "verb": word.verb.value,
            "state": standing(word, now).value,
            "about": word.scope.text(),
            "scope": ScopeTold.model_validate(word.scope),
            "actor": word.actor,
            "since": word.since,
            "until": word.until,
            "comments": tuple(map(CommentTold.model_validate, word.comments)),
            "shares": dict(word.shares),
            "part": word.part,
            "over": word.over,
            "now": word.now,
            "digest": word.digest,
            "name": word.name,
            "undoes": word.undoes,
            "planned": word.planned,
            "back_at_once": word.back_at_once,
            "cleared": word.cleared,
            "outcome": word.outcome,
            "succeed": word.succeed,
            "breaks": word.breaks,
            "needed": word.needed,
            "agreed": word.agreed,
            "ended_at": word.ended_at,
            "ended_by": word.ended_by,
        }
    )


def effect_told(effect: "Effect") -> EffectTold:
    return EffectTold.model_validate(
        {
            "target": target_told(effect.target),
            "kind": effect.kind.value if effect.kind is not None else None,
            "before": dict(effect.before),
            "after": dict(effect.after),
            "ttl": effect.ttl,
            "reasons": effect.reasons,
            "limits": effect.limits,
            "rated": effect.rated,
            "error": effect.error,
            "settled": effect.settled,
            "left": effect.left,
            "changed_at": effect.changed_at,
            "verified": effect.verified,
            "unconfirmed": effect.unconfirmed,
        }
    )


def word_answer(word: Override, effects: "Iterable[Effect]", now: float) -> WordAnswer:
    return WordAnswer(override=word_told(word, now), effects=tuple(map(effect_told, effects)))


def given_told(given: "Given", now: float) -> GivenTold:
    return GivenTold(
        override=word_told(given.word, now),
        effects=tuple(map(effect_told, given.effects)),
        kept=given.kept,
        dry_run=given.dry_run,
        notes=given.notes,
    )


# -- the audit trail ---------------------------------------------------------------------------------------------------


_SHOWN = 2_000
"""Characters of what was asked."""


def audit_told(rows: Iterable[AuditRow]) -> AuditTold:
    return AuditTold(requests=tuple(map(_request_told, rows)))


def _request_told(row: AuditRow) -> RequestTold:
    reason, detail = _gist(row.answer)
    return RequestTold(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        origin=row.origin,
        request=row.request,
        key=row.key,
        body=row.body[:_SHOWN],
        status=row.status,
        reason=reason,
        detail=detail,
    )


def _gist(answer: str) -> tuple[str, str]:
    """Why it was refused; or the ids of the overrides that it was about; or what became of each record."""
    try:
        said = json.loads(answer or "{}")
        if "reason" in said:
            return str(said["reason"]), str(said["detail"])
        if "attempts" in said:
            return "", "; ".join(f"{each['target']['record']}: {each['result']}" for each in said["attempts"])
        words = [said["override"]] if "override" in said else said.get("released", [])
        return "", " ".join([*(str(word["id"]) for word in words), *map(str, said.get("lost", []))])
    except (ValueError, LookupError, TypeError, AttributeError):  # a disk that lost bits, or another version
        return "", ""
