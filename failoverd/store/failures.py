"""SQLite's and the file system's errors, as the one error that callers of the journal know."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from failoverd.core.errors import JournalError, describe
from failoverd.files import NotRegular

_REMEDIES = {
    "journal_full": "free space on the file system of the journal, or shorten its retention",
    "journal_locked": "another process holds the journal: find it with `fuser` and let it finish",
    "journal_corrupt": "it is moved aside and begun anew at the next write; look for a failing disk",
    "journal_unwritable": "give the user that failoverd runs as the right to write the file and its directory",
    "journal_unlocked": "see to it that no second daemon works with this journal; give the user that failoverd runs as"
    " the right to write its directory, on a file system that knows locks",
    "journal_missing": "check the path; a daemon that works with it makes the file by itself",
    "journal_io": "look for a failing disk in the kernel log",
    "journal_closed": "",
    "journal_row_unreadable": "nothing to do for one; where there are more, look for a failing disk, or whether another"
    " version of failoverd wrote them",
    "journal_decision_unwritable": "please report it with this line; everything else is kept",
    "journal_not_a_file": "give the journal a path of its own: the daemon makes the file",
    "journal_older": "start the daemon of this version once: it brings the file up to date",
    "journal_failed": "run `sqlite3 FILE 'PRAGMA integrity_check'` on the journal",
}

_SQLITE = {
    sqlite3.SQLITE_FULL: "journal_full",
    sqlite3.SQLITE_TOOBIG: "journal_full",
    sqlite3.SQLITE_BUSY: "journal_locked",
    sqlite3.SQLITE_LOCKED: "journal_locked",
    sqlite3.SQLITE_CORRUPT: "journal_corrupt",
    sqlite3.SQLITE_NOTADB: "journal_corrupt",
    sqlite3.SQLITE_READONLY: "journal_unwritable",
    sqlite3.SQLITE_CANTOPEN: "journal_unwritable",
    sqlite3.SQLITE_PERM: "journal_unwritable",
    sqlite3.SQLITE_AUTH: "journal_unwritable",
    sqlite3.SQLITE_IOERR: "journal_io",
}

_SYSTEM = {
    errno.ENOSPC: "journal_full",
    errno.EDQUOT: "journal_full",
    errno.EACCES: "journal_unwritable",
    errno.EPERM: "journal_unwritable",
    errno.EROFS: "journal_unwritable",
    errno.ENOTDIR: "journal_unwritable",
    errno.EEXIST: "journal_unwritable",  # a file stands where its directory should be
    errno.EISDIR: "journal_unwritable",
    errno.ENOENT: "journal_missing",
}

_DAMAGED = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_ERROR,  # a table or a column is missing, or its SQL is none
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
    }
)
"""What the content of a file is to blame for, when it is said while it is opened."""

_PRIMARY = 0xFF
"""The low byte of an extended result code is its primary one (sqlite.org/rescode.html)."""


def failure(path: Path, reason: str, words: str) -> JournalError:
    return JournalError(f"{path}: {words}; traffic is not affected", reason=reason, remedy=_REMEDIES[reason])


Failure = sqlite3.Error | OSError | UnicodeDecodeError
"""What using a file raises; the last where SQLite's own words quote what is no text any more."""


def reason_of(error: Failure) -> str:
    """The stable code for what SQLite or the system said."""
    if isinstance(error, UnicodeDecodeError):
        return "journal_corrupt"
    if isinstance(error, NotRegular):
        return "journal_not_a_file"
    if isinstance(error, OSError):
        return _SYSTEM.get(error.errno or 0, "journal_io")
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return "journal_closed" if isinstance(error, sqlite3.ProgrammingError) else "journal_failed"
    return _SQLITE.get(code & _PRIMARY, "journal_failed")


def damaged(words: str) -> sqlite3.DatabaseError:
    """What SQLite would raise if it knew what we know of the file."""
    error = sqlite3.DatabaseError(words)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def is_damage(error: Failure) -> bool:
    """Whether opening failed because of what the file holds: then no later try will do better."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, UnicodeDecodeError) or (code is not None and code & _PRIMARY in _DAMAGED)


@contextmanager
def journal_errors(path: Path) -> Iterator[None]:
    """Everything that is raised inside leaves as a JournalError: whoever steers traffic knows no other."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)  # the path is said already
        raise failure(path, reason_of(error), said or type(error).__name__) from error
    except JournalError:
        raise
    except Exception as error:
        raise failure(path, "journal_failed", describe(error)) from error
