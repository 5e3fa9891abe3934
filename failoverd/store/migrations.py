"""The schema of the journal, one migration per version. A released migration never changes: a new one is added.

`PRAGMA user_version` is the number of migrations that a file has been through, `PRAGMA application_id` says that the
file is a journal of failoverd at all. Each migration is one transaction, so a crash leaves the version before or after.

Tables. Times are seconds since the epoch; columns in JSON hold what `codec.dump` makes of core's records.

- changes: one row per plan that was going to be applied; `outcome` is NULL until it is known how that went. A retry of
  what did not come about replaces its row: `attempts` counts them.
- answers: the last verified answer of each target. Never pruned: it is what a restart puts back.
- events: the history, in the order in which it was told.
- incidents: opened and closed, from their events.
- statuses: where things stand now, one row per key, replaced and never appended. (`situations` before version 3.)
- states: the state of each policy (where `target` is empty) and of each target, as decisions see it; what a restart
  takes up.
- overrides: operators' words, those that are over included. Never pruned: who said what and why stays for ever.
- meta: what this journal is: the id of the instance that it belongs to; and what it heard of other members.
- audit: each request that would change something, by whom, and how it was answered. Append-only. Never pruned.
- decisions: what decisions looked at and came to, those that differ from the last of their target. `body` is packed
  JSON (`codec.packed`): whole where `chapter` is its own `seq`, else a delta against the one before of that chapter.
- decided: the targets of these, by number; revisions: the policies that they were made by, each value once. Both are
  pruned with the last decision that names them.
- spending: what was spent of an account's daily allowance. Kept for a week.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Final

from failoverd.core.errors import JournalError
from failoverd.store.failures import damaged

APPLICATION_ID: Final = 0x666C7664
"""`flvd`, in the header of the file at offset 68 (sqlite.org/fileformat.html)."""

Migration = Sequence[str]

_V1: Migration = (
    """
    CREATE TABLE changes (
        change_id TEXT PRIMARY KEY,
        policy TEXT NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        provider TEXT NOT NULL,
        zone TEXT NOT NULL,
        generation INTEGER NOT NULL,
        kind TEXT NOT NULL,
        shares_before TEXT NOT NULL,
        shares_after TEXT NOT NULL,
        plan TEXT NOT NULL,
        intended_at REAL NOT NULL,
        settled_at REAL,
        outcome TEXT,
        detail TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 1
    ) STRICT
    """,
    "CREATE INDEX changes_by_target ON changes (policy, name, type, provider, zone, settled_at)",
    "CREATE INDEX changes_by_time ON changes (coalesce(settled_at, intended_at))",
    "CREATE INDEX changes_open ON changes (change_id) WHERE outcome IS NULL",
    """
    CREATE TABLE answers (
        policy TEXT NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        provider TEXT NOT NULL,
        zone TEXT NOT NULL,
        generation INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (policy, name, type, provider, zone)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        name TEXT NOT NULL,
        level TEXT NOT NULL,
        message TEXT NOT NULL,
        policy TEXT NOT NULL,
        incident_id TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        change_id TEXT NOT NULL,
        record TEXT NOT NULL,
        provider TEXT NOT NULL,
        facts TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX events_by_time ON events (at)",
    "CREATE INDEX events_by_policy ON events (policy, at)",
    "CREATE INDEX events_by_incident ON events (incident_id, seq) WHERE incident_id <> ''",
    "CREATE INDEX events_by_decision ON events (decision_id) WHERE decision_id <> ''",
    "CREATE INDEX events_by_change ON events (change_id) WHERE change_id <> ''",
    """
    CREATE TABLE incidents (
        incident_id TEXT PRIMARY KEY,
        policy TEXT NOT NULL,
        opened_at REAL NOT NULL,
        closed_at REAL,
        cause TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX incidents_by_time ON incidents (opened_at)",
    """
    CREATE TABLE situations (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        policy TEXT NOT NULL,
        at REAL NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT, WITHOUT ROWID
    """,
)

_V2: Migration = (
    """
    CREATE TABLE spending (
        account TEXT NOT NULL,
        day TEXT NOT NULL,
        amount INTEGER NOT NULL,
        PRIMARY KEY (account, day)
    ) STRICT, WITHOUT ROWID
    """,
)

_V3: Migration = (
    """
    CREATE TABLE states (
        policy TEXT NOT NULL,
        target TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (policy, target)
    ) STRICT, WITHOUT ROWID
    """,
    """
    UPDATE changes SET plan = json_remove(
        json_set(plan, '$.decision.kind', json_extract(plan, '$.decision.wish')), '$.decision.wish'
    )
    WHERE iif(json_valid(plan), json_extract(plan, '$.decision.wish'), NULL) IS NOT NULL
    """,
    "ALTER TABLE situations RENAME TO statuses",
    "DELETE FROM statuses",  # told anew by the first round; the shape of some changed
)

_V4: Migration = (
    """
    CREATE TABLE overrides (
        id TEXT PRIMARY KEY,
        until REAL NOT NULL,
        body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        actor TEXT NOT NULL,
        origin TEXT NOT NULL,
        request TEXT NOT NULL,
        key TEXT NOT NULL,
        body TEXT NOT NULL,
        status INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX audit_by_key ON audit (key, at) WHERE key <> ''",
    "CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'append-only'); END",
    "CREATE TRIGGER audit_is_never_pruned BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'append-only'); END",
)

_V5: Migration = (
    """
    CREATE TABLE decided (
        id INTEGER PRIMARY KEY,
        policy TEXT NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        provider TEXT NOT NULL,
        zone TEXT NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX decided_by_target ON decided (policy, name, type, provider, zone)",
    """
    CREATE TABLE revisions (
        id INTEGER PRIMARY KEY,
        digest TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX revisions_by_digest ON revisions (digest)",
    """
    CREATE TABLE decisions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        target INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        chapter INTEGER NOT NULL,
        at REAL NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX decisions_by_target ON decisions (target, chapter)",
)

MIGRATIONS: Final[Sequence[Migration]] = (_V1, _V2, _V3, _V4, _V5)


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(connection: sqlite3.Connection, path: Path, known: int = len(MIGRATIONS)) -> int:
    """The version of the file.

    Raises JournalError `journal_foreign` for another program's file and `journal_newer` for one of a later failoverd:
    both are left alone, because writing could destroy what somebody else needs.
    """
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = version_of(connection)
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application != APPLICATION_ID and (application or version or tables):
        raise JournalError(
            f"{path} is an SQLite file of another program (application_id {application:#x})",
            reason="journal_foreign",
            remedy="give the journal a path of its own",
        )
    if version < 0:
        raise damaged(f"its schema has version {version}")
    if version > known:
        raise JournalError(
            f"{path} has schema version {version}, this failoverd knows versions up to {known}",
            reason="journal_newer",
            remedy="run the newer failoverd again, or move the file away; only history would be lost",
        )
    return version


Columns = frozenset[tuple[object, ...]]
"""Of tables: name of the table, name, type, whether it may be NULL, place in the key. Of indices: both names."""


@cache
def columns() -> Columns:
    """Every column of a journal of the newest version. Raises sqlite3.Error where this SQLite cannot make them."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, Path(":memory:"))
        return _columns_of(connection)


def missing(connection: sqlite3.Connection) -> list[str]:
    """Names of tables and indices that are not what a journal of the newest version has.

    What somebody added, an index of their own say, is no damage; nor is another SQLite's way to write the same.
    """
    return sorted({str(column[0]) for column in columns() - _columns_of(connection)})


def _columns_of(connection: sqlite3.Connection) -> Columns:
    of_tables = "SELECT made.name, info.name, info.type, info.[notnull], info.pk FROM sqlite_master AS made"
    of_indices = "SELECT made.name, coalesce(info.name, '') FROM sqlite_master AS made"
    return frozenset(
        (
            *connection.execute(f"{of_tables}, pragma_table_info(made.name) AS info WHERE made.type = 'table'"),
            *connection.execute(f"{of_indices}, pragma_index_info(made.name) AS info WHERE made.type = 'index'"),
        )
    )


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the file to the newest version, one transaction per step. Safe beside another process that does the same.

    `connection` is in autocommit mode (`isolation_level=None`).
    """
    while check(connection, path, len(migrations)) < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        try:
            _step(connection, migrations)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _step(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    version = version_of(connection)  # again, inside the transaction: the other process may have been first
    if version >= len(migrations):
        return
    for statement in migrations[version]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version + 1}")
