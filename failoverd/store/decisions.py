"""Decisions in the journal: what each looked at and what it came to, as little of it as says everything.

The decisions of a target are kept in chapters. The first of a chapter is whole; each of the others is the delta against
the one before, packed with the whole one as its dictionary, for most of what is new (an address, a region, a reason)
was said there. A chapter that is damaged somewhere can be read up to there, and the next one begins anew.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2s
from typing import Final

from failoverd import codec
from failoverd.core.control.inputs import Conclusion, Decided, DecisionInputs, bare
from failoverd.core.errors import describe
from failoverd.core.records import Policy, RecordKey, RecordType, Target
from failoverd.store.failures import journal_errors
from failoverd.store.rows import target_row
from failoverd.store.statuses import StatusReading

LONGEST: Final = 100
"""Decisions of a chapter: so many have to be gone through to read its last one, and are lost with its first one."""

MOST_BYTES: Final = 50_000_000
"""Bytes of all decisions. Beyond that the oldest go, whatever their age; the newest chapter of a target stays."""

MANY: Final = 500
"""Rows that are read at once."""

_WEIGHED: Final = 10_000
"""Rows whose sizes are added up at once: a few milliseconds."""

_YOUNG: Final = "ifnull((SELECT seq FROM decisions WHERE at >= ?1 ORDER BY seq LIMIT 1), 9e18)"

PRUNING: Final = f"""
    DELETE FROM decisions WHERE seq IN (
        SELECT old.seq FROM decisions AS old WHERE old.seq < {_YOUNG} AND NOT EXISTS (
            SELECT 1 FROM decisions AS later
            WHERE later.target = old.target AND later.chapter = old.chapter AND later.seq >= {_YOUNG}
        ) AND (
            old.chapter < (SELECT max(chapter) FROM decisions WHERE target = old.target)
            OR (SELECT policy FROM decided WHERE id = old.target) NOT IN (SELECT policy FROM statuses)
        ) ORDER BY old.seq DESC LIMIT ?2
    )
"""  # noqa: S608 - a constant
"""By age: chapters of which every decision is old. It looks at what is old alone, however much there is besides.

The newest chapter of a policy at work says how things stood since, however long ago that began.
"""

SHRINKING: Final = """
    DELETE FROM decisions WHERE (target, chapter) = (
        SELECT target, chapter FROM decisions AS old
        WHERE chapter < (SELECT max(chapter) FROM decisions WHERE target = old.target) ORDER BY seq LIMIT 1
    ) RETURNING length(body)
"""

TIDYING: Final = (
    "DELETE FROM decided WHERE id NOT IN (SELECT target FROM decisions)",
    "DELETE FROM revisions WHERE id NOT IN (SELECT revision FROM decisions)",
)
"""What no decision names any more."""


def size_of(connection: sqlite3.Connection, after: int) -> tuple[int, int]:
    """Bytes of the next so many decisions behind the row `after`, and their last row; the same row where it ends."""
    query = "SELECT seq, length(body) FROM decisions WHERE seq > ? ORDER BY seq LIMIT ?"
    found = connection.execute(query, (after, _WEIGHED)).fetchall()
    return sum(size for _, size in found), int(found[-1][0]) if found else after


def shrink(connection: sqlite3.Connection) -> list[int]:
    """Delete the oldest chapter that is not the newest of its target; the bytes of each of its rows."""
    return [int(size) for (size,) in connection.execute(SHRINKING).fetchall()]


@dataclass(slots=True)
class _Chapter:
    """The newest chapter of a target: how the last decision of it was, and by which of them it is packed."""

    number: int
    first: bytes
    length: int
    last: Decided


class DecisionLog:
    """Writes decisions, within the journal's transactions and from its thread only."""

    def __init__(self) -> None:
        self._connection: object = None
        self._chapters: dict[Target, _Chapter] = {}
        self._targets: dict[Target, int] = {}
        self._revisions: dict[str, tuple[Policy, int]] = {}

    def write(self, connection: sqlite3.Connection, decisions: Sequence[Decided]) -> list[tuple[Target, str]]:
        """Write them. Returns what cannot be said in JSON, with the error: a defect, which keeps no other out."""
        if connection is not self._connection:  # it may be to another file
            self.doubt()
            self._connection = connection
        left_out = []
        for each in decisions:
            try:
                self._keep(connection, each)
            except (sqlite3.Error, OSError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try would end in it again
                left_out.append((each.inputs.target, describe(error)))
        return left_out

    def _keep(self, connection: sqlite3.Connection, decided: Decided) -> None:
        said = _plain(decided)
        revision = self._revision(connection, decided.policy)
        self._append(connection, decided, said, self._target(connection, decided.inputs.target), revision)

    def doubt(self) -> None:
        """Whatever was written last may not be there: each target begins anew."""
        self._chapters.clear()
        self._targets.clear()
        self._revisions.clear()

    def _append(
        self, connection: sqlite3.Connection, decided: Decided, said: codec.Json, target: int, revision: int
    ) -> None:
        chapter, at = self._chapters.get(decided.inputs.target), decided.inputs.now
        if chapter is None or chapter.length >= LONGEST:
            body = codec.packed(said)
            query = "INSERT INTO decisions (target, revision, chapter, at, body) VALUES (?, ?, 0, ?, ?)"
            number = connection.execute(query, (target, revision, at, body)).lastrowid or 0
            connection.execute("UPDATE decisions SET chapter = seq WHERE seq = ?", (number,))
            self._chapters[decided.inputs.target] = _Chapter(number, body, 1, decided)
            return
        body = codec.packed(codec.delta(_plain(chapter.last), said), codec.text_of(chapter.first))
        query = "INSERT INTO decisions (target, revision, chapter, at, body) VALUES (?, ?, ?, ?, ?)"
        connection.execute(query, (target, revision, chapter.number, at, body))
        chapter.last, chapter.length = decided, chapter.length + 1

    def _target(self, connection: sqlite3.Connection, target: Target) -> int:
        if target not in self._targets:
            query = "SELECT id FROM decided WHERE policy = ? AND name = ? AND type = ? AND provider = ? AND zone = ?"
            row = connection.execute(query, target_row(target)).fetchone()
            if row is None:
                query = "INSERT INTO decided (policy, name, type, provider, zone) VALUES (?, ?, ?, ?, ?)"
                row = (connection.execute(query, target_row(target)).lastrowid or 0,)
            self._targets[target] = row[0]
        return self._targets[target]

    def _revision(self, connection: sqlite3.Connection, policy: Policy) -> int:
        """The number of a policy's value: two that are equal have one, whenever they were read."""
        known = self._revisions.get(policy.name)
        if known is not None and known[0] is policy:
            return known[1]
        body = codec.packed(codec.plain(bare(policy)))
        digest = blake2s(body, digest_size=16).hexdigest()
        row = connection.execute("SELECT id FROM revisions WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            query = "INSERT INTO revisions (digest, body) VALUES (?, ?)"
            row = (connection.execute(query, (digest, body)).lastrowid or 0,)
        self._revisions[policy.name] = policy, int(row[0])
        return int(row[0])


def _plain(decided: Decided) -> codec.Json:
    return {"looked": codec.plain(decided.inputs), "came": codec.plain(decided.came), "by": decided.version}


# -- and back ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One row. `chapter` is `seq` where it is whole."""

    seq: int
    revision: int
    chapter: int
    at: float
    body: bytes


def targets_in(connection: sqlite3.Connection) -> list[tuple[int, Target]]:
    """Each target of which decisions are kept, and its number."""
    rows = connection.execute("SELECT id, policy, name, type, provider, zone FROM decided ORDER BY 2, 3, 4, 5, 6")
    found = []
    for number, policy, name, kind, provider, zone in rows.fetchall():
        with suppress(ValueError):  # a type that there is not: damage
            found.append((int(number), Target(policy, RecordKey(name, RecordType(kind)), provider, zone)))
    return found


def rows_in(
    connection: sqlite3.Connection, target: int, since: float, after: DecisionRow | None = None, limit: int = MANY
) -> list[DecisionRow]:
    """Rows of a target from the chapter on that was being written at that moment; or those behind the row `after`."""
    if after is not None:
        place = (after.chapter, after.seq)
    else:
        begun = "SELECT ifnull(max(seq), 0) FROM decisions WHERE target = ? AND seq = chapter AND at <= ?"
        place = (int(connection.execute(begun, (target, since)).fetchone()[0]), 0)
    query = """
        SELECT seq, revision, chapter, at, body FROM decisions
        WHERE target = ? AND (chapter, seq) > (?, ?) ORDER BY chapter, seq LIMIT ?
    """
    return [DecisionRow(*row) for row in connection.execute(query, (target, *place, limit))]


def revisions_in(connection: sqlite3.Connection, numbers: Collection[int]) -> dict[int, bytes]:
    """What `policy_of` reads, by number."""
    known = (connection.execute("SELECT id, body FROM revisions WHERE id = ?", (each,)).fetchone() for each in numbers)
    return {int(row[0]): bytes(row[1]) for row in known if row is not None}


class DecisionSpelling:
    """Makes decisions of the rows of one target, which come in order.

    Attributes:
        lost: when the decisions were made that could not be read, or stand behind one that could not.
    """

    def __init__(self) -> None:
        self.lost: list[float] = []
        self._policies: dict[int, Policy | None] = {}
        self._chapter = 0
        self._first = b""
        self._said: codec.Json = None

    def lacks(self, rows: Sequence[DecisionRow]) -> set[int]:
        """Numbers of policies that these rows name, and that are not known yet."""
        return {row.revision for row in rows} - self._policies.keys()

    def learn(self, numbers: Collection[int], bodies: Mapping[int, bytes]) -> None:
        for number in numbers:
            try:
                self._policies[number] = policy_of(bodies[number])
            except _DAMAGE:
                self._policies[number] = None

    def read(self, row: DecisionRow) -> Decided | None:
        """The decision; None where it cannot be read."""
        try:
            return self._read(row)
        except _DAMAGE:
            self._chapter = 0
            self.lost.append(row.at)
            return None

    def _read(self, row: DecisionRow) -> Decided:
        if row.seq == row.chapter:
            self._said = codec.unpacked(row.body)
            self._chapter, self._first = row.chapter, codec.text_of(row.body)
        elif row.chapter == self._chapter:
            self._said = codec.patched(self._said, codec.unpacked(row.body, self._first))
        else:
            raise ValueError("the beginning of its chapter is lost")
        policy = self._policies[row.revision]
        if policy is None:
            raise ValueError("the policy that it was made by is lost")
        inputs, came, version = (self._said[part] for part in ("looked", "came", "by"))
        return Decided(policy, codec.shaped(DecisionInputs, inputs), codec.shaped(Conclusion, came), str(version))


@lru_cache(maxsize=8)
def policy_of(body: bytes) -> Policy:
    """The same for the same bytes: each record of a policy is read by itself, and there may be a thousand.

    Raises ValueError.
    """
    return codec.shaped(Policy, codec.unpacked(body))


_DAMAGE: Final = (ValueError, TypeError, LookupError, AttributeError)
"""What comes of a body that nobody wrote."""


class DecisionReading(StatusReading):
    """The decisions, read from another process, beside a running daemon or after it died."""

    def decided(self) -> list[tuple[int, Target]]:
        """Each target of which decisions are kept, and its number."""
        with journal_errors(self._path):
            return targets_in(self._connection)

    def count(self, targets: Collection[int], since: float, until: float) -> int:
        """How many decisions of these there are in that time, for who says how far it is."""
        query = "SELECT count(*) FROM decisions WHERE target = ? AND at >= ? AND at < ?"
        return sum(int(self._rows(query, (each, since, until))[0][0]) for each in targets)

    def decisions(self, target: int, since: float, until: float, lost: list[float]) -> Iterator[Decided]:
        """Decisions of a target by its number, the oldest first, and the last one before `since` before them.

        `lost` gets when those were made that cannot be read.
        """
        spelling, waiting, last = DecisionSpelling(), None, None
        while rows := self._more(target, since, last):
            self._learn(spelling, rows)
            for row in rows:
                decided = spelling.read(row)
                if row.at >= until:  # the clock was ahead for a while: what follows may have been made before that
                    continue
                if decided is not None and row.at < since:
                    waiting = decided
                elif decided is not None:
                    yield from filter(None, (waiting, decided))
                    waiting = None
            last = rows[-1]
        yield from filter(None, (waiting,))
        lost += [at for at in spelling.lost if since <= at < until]

    def _more(self, target: int, since: float, after: DecisionRow | None) -> list[DecisionRow]:
        with journal_errors(self._path):
            return rows_in(self._connection, target, since, after)

    def _learn(self, spelling: DecisionSpelling, rows: Sequence[DecisionRow]) -> None:
        lacking = spelling.lacks(rows)
        with journal_errors(self._path):
            spelling.learn(lacking, revisions_in(self._connection, lacking))
