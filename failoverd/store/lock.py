"""One daemon for one journal: a lock beside the file, which ends with the process that holds it.

Two daemons on one journal would take each other's writes for their own, and undo them without end. `failoverctl` and
whoever reads take no lock.

It is a record lock of POSIX (fcntl(2)): the process owns it and no child of it does, so it ends with the process,
however that ends. A lock of flock(2) would live on in a plugin whose start hangs, and keep the next daemon out. In
exchange, it is lost when this process closes that file anywhere: nothing else may open it. It stands on a file of its
own, for the journal may be set aside and begun anew; a hidden one, which `rm journal.db*` leaves where it is.
"""

import fcntl
import os
import socket
from pathlib import Path
from typing import Final

from failoverd.core.errors import JournalError
from failoverd.store.access import create, make_folder, real

IN_USE: Final = "journal_in_use"

_MODE: Final = 0o600
"""Not the journal's: who may read a file may lock it, and readers are not to keep a daemon from starting."""

_LONGEST: Final = 300


class JournalLock:
    """Used from one thread only."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock, or see that it is held still: somebody may have removed its file, or moved the journal.

        Raises:
            JournalError: `journal_in_use`, another daemon holds it.
            OSError: it cannot be taken, for another reason.
        """
        place = real(self._journal)
        path = place.with_name(f".{place.name}.lock")
        while self._descriptor is None or not _is_at(self._descriptor, path):
            self.release()
            make_folder(self._journal)
            create(path, _MODE)
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
            except BlockingIOError as error:
                holder = os.pread(descriptor, _LONGEST, 0).decode(errors="replace").split()
                os.close(descriptor)
                raise _in_use(self._journal, holder) from error
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _in_use(journal: Path, holder: list[str]) -> JournalError:
    """`holder` is its process and its host, as it wrote them."""
    pid, host = (*holder, "", "")[:2]
    there = f" on {host}" if host and host != socket.gethostname() else ""
    process = f" (process {pid}{there})" if pid else ""
    return JournalError(
        f"{journal}: another failoverd{process} works with this journal and steers its traffic; a second one would undo"
        f" what that one does, and writes nothing",
        reason=IN_USE,
        remedy=f"stop that one first: systemctl stop failoverd, or kill {pid or 'PID'}{there}; or give this one an "
        "owner, policies and a journal of its own",
    )
