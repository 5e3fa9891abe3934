"""From what the daemon knows to what goes over the wire. The views themselves are those of `operations`."""

import json
from collections.abc import Iterable
from hashlib import blake2s
from typing import TYPE_CHECKING, TypeVar

from failoverd.api.shapes import (
    AlertsTold,
    AlertTold,
    AuditTold,
    BoardTold,
    ChangeTold,
    DaemonTold,
    EditTold,
    EffectTold,
    EndpointTold,
    GivenTold,
    GlanceTold,
    HeldTold,
    HistoryTold,
    InventoryTold,
    JournalTold,
    MembersTold,
    NamesTold,
    NotificationsTold,
    OrphanTold,
    PlannedTold,
    PolicyNamesTold,
    PolicyTold,
    ProbingTold,
    RefusedFileTold,
    RegionTold,
    ReloadedTold,
    RequestTold,
    ResignedTold,
    RosterTold,
    SaidTold,
    StatusTold,
    TargetStatusTold,
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
from failoverd.core.records import Policy
from failoverd.core.status import FilesStatus, Heartbeat, Overview, TargetStatus
from failoverd.operations.alerting import AlertHeard
from failoverd.operations.board import Board
from failoverd.operations.glance import Glance, glance
from failoverd.operations.history import Past
from failoverd.operations.overview import daemon_state
from failoverd.operations.reviewing import Review
from failoverd.operations.roll_call import roll_call
from failoverd.operations.timeline import Timeline
from failoverd.operations.why import Explanation
from failoverd.operations.words import concerned, overruled, standing
from failoverd.store.reading import AuditRow
from failoverd.telemetry import reasoning

if TYPE_CHECKING:
    from failoverd.operations.commanding import Given
    from failoverd.operations.effects import Effect
    from failoverd.operations.handing_over import Resigned


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
        orphans=tuple(map(OrphanTold.model_validate, found.orphans)),
        refused_files=tuple(map(RefusedFileTold.model_validate, found.refused_files)),
        warned_files=tuple(map(RefusedFileTold.model_validate, found.warned_files)),
        deferred=found.deferred,
        notifications=_told(NotificationsTold, found.notifications),
        planned=tuple(map(PlannedTold.model_validate, found.planned)),
        overrides=tuple(_word_status(word, found, now) for word in found.overrides if not word.over_by(now)),
        members=_told(RosterTold, found.members),
    )


def members_told(found: Overview, now: float, *, by_daemon: bool = False) -> MembersTold:
    return MembersTold.model_validate(roll_call(found, now, by_daemon=by_daemon))


def resigned_told(resigned: "Resigned") -> ResignedTold:
    return ResignedTold.model_validate(resigned)


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


class _Instead:
    """A value of which some attributes are said otherwise."""

    def __init__(self, value: object, **instead: object) -> None:
        self._value = value
        self.__dict__ |= instead

    def __getattr__(self, name: str) -> object:
        return getattr(self._value, name)


def _target_status(status: TargetStatus) -> TargetStatusTold:
    reasons, checks = tuple(map(reasoning.words, status.reasons)), tuple(map(reasoning.limit, status.checks))
    return TargetStatusTold.model_validate(_Instead(status, reasons=reasons, checks=checks))


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
    return WhyTold.model_validate(found)


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
    return WordTold.model_validate(_Instead(word, state=standing(word, now).value, about=word.scope.text()))


def word_answer(word: Override, effects: "Iterable[Effect]", now: float) -> WordAnswer:
    return WordAnswer(override=word_told(word, now), effects=tuple(map(EffectTold.model_validate, effects)))


def given_told(given: "Given", now: float) -> GivenTold:
    return GivenTold(
        override=word_told(given.word, now),
        effects=tuple(map(EffectTold.model_validate, given.effects)),
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
    return RequestTold.model_validate(_Instead(row, body=row.body[:_SHOWN], reason=reason, detail=detail))


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
