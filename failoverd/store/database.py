"""The journal's file: made, opened, checked, and replaced when it is broken or gone. Used from one thread only."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from failoverd.core.errors import JournalError
from failoverd.files import require_regular
from failoverd.store.failures import damaged, failure, is_damage, journal_errors, reason_of
from failoverd.store.migrations import check, columns, migrate, missing
from failoverd.store.sieve import lenient
from failoverd.store.statuses import BUSY_SECONDS

_MODE: Final = 0o640
_SIDE_FILES: Final = ("", "-wal", "-shm")
_WAL_LIMIT: Final = 8 * 1024 * 1024

Notify = Callable[[JournalError], None]

Kind = Literal["IMMEDIATE", "DEFERRED"]
"""When the write lock is taken: at once, or never for a transaction that only reads (sqlite.org/lang_transaction)."""


class Database:
    """A connection that heals itself: opened at the first use, and again after the file was lost or found corrupt.

    `notify` is told of what was survived: a corrupt file moved aside, a deleted file begun anew.
    """

    def __init__(self, path: Path, notify: Notify) -> None:
        self._path = path
        self._notify = notify
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

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and self._inode != _inode(self._path):
            self._notify(failure(self._path, "journal_missing", "the file was deleted while open; begun anew"))
            self.close()
        if self._connection is None:
            self._connection = self._open()
            self._inode = _inode(self._path)
        return self._connection

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
    _create(path)
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


def _create(path: Path) -> None:
    """An empty file with the right mode and owner, if there is none: SQLite gives its side files the same.

    Where the path is a link, the file that it leads to. A directory is made for the path alone: what a link leads to
    may be a volume that is not mounted.
    """
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    path = _real(path)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _MODE)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, _MODE)
        if os.geteuid() == 0:  # failoverctl run by root must not lock the daemon's user out
            parent = path.parent.stat()
            os.fchown(descriptor, parent.st_uid, parent.st_gid)
    finally:
        os.close(descriptor)


def _move_aside(path: Path) -> Path:
    """Rename the file and its side files, keeping them together, so that a person can still look into them."""
    path = _real(path)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in _SIDE_FILES:
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return aside


def _real(path: Path) -> Path:
    """SQLite follows links by itself, and keeps its side files beside what it finds."""
    return Path(os.path.realpath(path))


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
