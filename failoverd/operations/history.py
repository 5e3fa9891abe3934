"""What was changed: one row for each change, however often it was tried."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from failoverd.store.reading import ChangeRow


@dataclass(frozen=True, slots=True)
class PastMove:
    """A change as it is told. Shares in basis points; `outcome` is `open` while nobody said how it went.

    `verified_after` is in seconds from the decision; None while it is not proved at the authoritative servers.
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
    disputed: bool

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
            disputed=row.disputed,
        )


def history(rows: Iterable[ChangeRow]) -> tuple[PastMove, ...]:
    return tuple(map(PastMove.of, rows))


def as_json(moves: Iterable[PastMove]) -> list[dict[str, Any]]:
    """The documented shape, in which the shares are `from` and `to`."""
    return [{_KEYS.get(key, key): value for key, value in asdict(move).items()} for move in moves]


_KEYS = {"before": "from", "after": "to"}
