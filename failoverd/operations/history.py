"""What was changed, one row for each change, however often it was tried; and what operators said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from failoverd.core.overrides import Scope
from failoverd.core.records import RegionSpec
from failoverd.operations.words import Said, told
from failoverd.store.reading import ChangeRow, EventRow, HistoryReading


@dataclass(frozen=True, slots=True)
class PastMove:
    """A change as it is told. Shares in basis points; `outcome` is `open` while nobody said how it went.

    `verified_after` is in seconds from the decision; None while it is not proved at the authoritative servers.
    `unconfirmed`: it was written and read back, and nobody is to be asked for more. `member` is the one of several
    that made it; "" where a daemon is alone.
    """

    at: float
    change_id: str
    incident_id: str
    policy: str
    record: str
    provider: str
    kind: str
    generation: int
    before: Mapping[str, int]
    after: Mapping[str, int]
    outcome: str
    detail: str
    attempts: int
    verified_after: float | None
    unconfirmed: bool
    disputed: bool
    member: str = ""

    @classmethod
    def of(cls, row: ChangeRow) -> "PastMove":
        return cls(
            at=row.settled_at if row.settled_at is not None else row.intended_at,
            change_id=row.change_id,
            incident_id=row.incident_id,
            policy=row.target.policy,
            record=str(row.target.key),
            provider=row.target.provider,
            kind=row.kind,
            generation=row.generation,
            before=row.shares_before,
            after=row.shares_after,
            outcome=row.outcome or "open",
            detail=row.detail,
            attempts=row.attempts,
            verified_after=row.verified_after,
            unconfirmed=row.unconfirmed,
            disputed=row.disputed,
            member=row.member,
        )

    @classmethod
    def elsewhere(cls, applied: EventRow, later: Iterable[EventRow]) -> "PastMove":
        """A change of which the journal has only what was told; `later`: the events about it."""
        facts, about = applied.facts, list(later)
        proofs = [each.facts for each in about if each.name == "change.verified"]
        took = [float(each["took"]) for each in proofs if not each.get("unconfirmed")]
        return cls(
            at=applied.at,
            change_id=applied.change_id,
            incident_id=applied.incident_id,
            policy=applied.policy,
            record=applied.record,
            provider=applied.provider,
            kind=str(facts.get("kind", "")),
            generation=int(facts.get("generation", 0)),
            before=facts.get("shares_from", {}),
            after=facts.get("shares_to", {}),
            outcome="applied",
            detail="",
            attempts=1,
            verified_after=min(took, default=None),
            unconfirmed=bool(proofs) and not took,
            disputed=any(each.name == "change.disputed" for each in about),
            member=str(facts.get("told_by", "")),
        )


@dataclass(frozen=True, slots=True)
class PastHold:
    """A plan that was held, refused, or could not be written, or an edit that was found: in the words of that time.

    `until` is when time alone would let it pass, None where that is not so; `digest` that of a plan that a limit held.
    """

    at: float
    event: str
    policy: str
    record: str
    provider: str
    incident_id: str
    text: str
    until: float | None
    digest: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class PastEdit:
    """A newer revision of a policy's file began to run."""

    at: float
    policy: str
    file: str
    before: str
    after: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """What was changed, held and edited, and what operators said, each the oldest first."""

    moves: tuple[PastMove, ...]
    words: tuple[Said, ...]
    holds: tuple[PastHold, ...] = ()
    edits: tuple[PastEdit, ...] = ()


_HOLDS: Final = ("plan.held", "failover.held", "plan.refused", "target.delayed", "drift.detected")


def history(rows: Iterable[ChangeRow]) -> tuple[PastMove, ...]:
    return tuple(map(PastMove.of, rows))


def past(
    reading: HistoryReading, now: float, *, policy: str | None, since: float, limit: int, member: str | None = None
) -> Past:
    """What was changed, held, edited and said since then, of one policy or of all: at most the last `limit` of each.

    `member`: only what that one of several did or found, without what operators say, which all of them heed.
    """
    others = (
        PastMove.elsewhere(row, reading.events(change_id=row.change_id))
        for row in reading.elsewhere(policy=policy, since=since, limit=limit)
    )
    own = history(reading.changes(policy=policy, since=since, limit=limit))
    moves = sorted((*own, *others), key=lambda each: each.at)[-limit:]
    words = reading.overrides(since) if member is None else ()
    if policy is not None:
        regions = (each for each in reading.regions() if each.policy == policy)
        known = [RegionSpec(each.region, 0, (), cloud=each.cloud) for each in regions]
        words = tuple(word for word in words if _about(word.scope, policy, known))
    holds = reading.events(names=_HOLDS, since=since, policy=policy, member=member, limit=limit)
    edits = reading.edits(policy=policy, since=since, limit=limit)
    return Past(
        tuple(each for each in moves if member in {None, each.member}),
        told(words, now, since)[-limit:],
        tuple(map(_hold, holds)),
        tuple(
            PastEdit(row.at, row.policy, row.file, row.before, row.revision, row.member)
            for row in edits
            if member in {None, row.member}
        ),
    )


def _hold(row: EventRow) -> PastHold:
    until = row.facts.get("until")
    return PastHold(
        at=row.at,
        event=row.name,
        policy=row.policy,
        record=row.record,
        provider=row.provider,
        incident_id=row.incident_id,
        text=row.message,
        until=float(until) if isinstance(until, int | float) else None,
        digest=str(row.facts.get("digest", "")),
        member=str(row.facts.get("told_by", "")),
    )


def _about(scope: Scope, policy: str, regions: Iterable[RegionSpec]) -> bool:
    """Whether a word is about a policy, as far as is known of that: its file may be gone, or say something else."""
    if scope.policies:
        return any(fnmatchcase(policy, each) for each in scope.policies)
    return not (scope.regions or scope.clouds) or any(map(scope.has_region, regions))
