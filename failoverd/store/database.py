"""The journal's file: made, opened, checked, and replaced when it is broken or gone. Used from one thread only."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from failoverd.core.errors import JournalError
from failoverd.files import require_regular
from failoverd.store.access import SIDE_FILES, create, make_folder, open_to_group, real
from failoverd.store.failures import damaged, failure, is_damage, journal_errors, reason_of
from failoverd.store.lock import JournalLock
from failoverd.store.migrations import check, columns, migrate, missing
from failoverd.store.sieve import lenient
from failoverd.store.statuses import BUSY_SECONDS

_WAL_LIMIT: Final = 8 * 1024 * 1024

Notify = Callable[[JournalError], None]

Kind = Literal["IMMEDIATE", "DEFERRED"]
"""When the write lock is taken: at once, or never for a transaction that only reads (sqlite.org/lang_transaction)."""


class Database:
    """A connection that heals itself: opened at the first use, and again after the file was lost or found corrupt.

    `notify` is told of what was survived: a corrupt file moved aside, a deleted file begun anew. `sole` is for the
    daemon: nobody else may be one on this journal, whenever it comes back; and its group may read it.
    """

    def __init__(self, path: Path, notify: Notify, *, sole: bool = False) -> None:
        self._path = path
        self._notify = notify
        self._lock = JournalLock(path) if sole else None
        self._unlocked = ""
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    @contextmanager
    def transaction(self, kind: Kind) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing. Raises JournalError and nothing else of its own."""
        with journal_errors(self._path):
            connection = self._connected()
            try:
                connection.execute(f"BEGIN {kind}")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                self._abandon(connection, error)
                raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with journal_errors(self._path):
                connection.close()
        if self._lock is not None:
            self._lock.release()

    def _connected(self) -> sqlite3.Connection:
        unlocked = self._locked()
        if self._connection is not None and self._inode != _inode(self._path):
            self._notify(failure(self._path, "journal_missing", "the file was deleted while open; begun anew"))
            connection, self._connection = self._connection, None
            connection.close()
        if self._connection is None:
            self._connection = self._open()
            self._inode = _inode(self._path)
            if self._lock is not None:
                open_to_group(self._path)
        if unlocked and unlocked != self._unlocked:  # where the journal does not work either, that says it all
            self._notify(failure(self._path, "journal_unlocked", f"it cannot be locked ({unlocked})"))
        self._unlocked = unlocked
        return self._connection

    def _locked(self) -> str:
        """See that this daemon is the only one with the journal. Why nobody can tell, where that is so.

        Raises:
            JournalError: there is another one.
        """
        if self._lock is None:
            return ""
        try:
            self._lock.take()
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _abandon(self, connection: sqlite3.Connection, error: BaseException) -> None:
        """Roll back. A corrupt file is closed, so that the next use opens it, finds that out and begins anew."""
        with suppress(sqlite3.Error):  # SQLite has already rolled back by itself after most errors
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error | UnicodeDecodeError) and reason_of(error) == "journal_corrupt":
            self._connection = None
            connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self._path)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not is_damage(error):
                raise
            columns()  # raises where no journal could be begun, of which the file is innocent
            aside = _move_aside(self._path)
            self._notify(failure(self._path, "journal_corrupt", f"{error}; kept as {aside}, begun anew"))
            return _connect(self._path)


def _connect(path: Path) -> sqlite3.Connection:
    make_folder(path)
    create(real(path))
    require_regular(path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    lenient(connection)
    try:
        check(connection, path)  # before anything is written: a file of somebody else stays as it is
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        _require_sound(connection)
        migrate(connection, path)
        _require_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_sound(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(str(verdict).splitlines()[-1])


def _require_tables(connection: sqlite3.Connection) -> None:
    """Each statement would fail for ever where one of its tables or columns is not what it was made as."""
    if lacking := missing(connection):
        raise damaged(f"it is not made as a journal is: {', '.join(lacking)}")


def _move_aside(path: Path) -> Path:
    """Rename the file and its side files, keeping them together, so that a person can still look into them."""
    path = real(path)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in SIDE_FILES:
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return aside


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
