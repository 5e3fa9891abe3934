"""The journal's files: where they are, and who may read them.

The group of the directory reads the journal, and nobody else but its owner does. A reader needs no right to write:
beside a daemon, and after one was killed, SQLite maps the `-shm` file read-only (sqlite.org/wal.html, "Read-Only
Databases"); after a clean end there is none, and a private copy is read. It does need the right to read all three.
"""

import grp
import os
import pwd
import shutil
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from failoverd.core.errors import JournalError

MODE: Final = 0o640
SIDE_FILES: Final = ("", "-wal", "-shm")


def real(path: Path) -> Path:
    """SQLite follows links by itself, and keeps its side files beside what it finds."""
    return Path(os.path.realpath(path))


def make_folder(path: Path) -> None:
    """The directory of the path alone, if there is none: what a link leads to may be a volume that is not mounted."""
    with suppress(FileExistsError):
        path.parent.mkdir(mode=0o750, parents=True)
        path.parent.chmod(0o750)  # whatever the umask says


def create(path: Path, mode: int = MODE) -> None:
    """An empty file with the right mode and owner, if there is none: SQLite gives its side files the same."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, mode)
        if os.geteuid() == 0:  # failoverctl run by root must not lock the daemon's user out
            parent = path.parent.stat()
            os.fchown(descriptor, parent.st_uid, parent.st_gid)
    finally:
        os.close(descriptor)


def open_to_group(path: Path) -> None:
    """Let the group read the journal, and nobody else, whatever a backup or a umask made of its files.

    The right of a group to write is left to whoever gave it; so is a file of somebody else.
    """
    for suffix in SIDE_FILES:
        file = Path(f"{real(path)}{suffix}")
        with suppress(FileNotFoundError, PermissionError):
            mode = stat.S_IMODE(file.stat().st_mode)
            wanted = (mode | MODE) & ~stat.S_IRWXO
            if mode != wanted:
                file.chmod(wanted)


def require_readable(path: Path) -> None:
    """That this user may read the journal, if there is one.

    Raises:
        JournalError: `journal_unreadable`, with the group that may.
    """
    path = real(path)
    for folder in reversed(path.parents):
        if not folder.is_dir():
            return  # whoever opens it says what stands there
        if not os.access(folder, os.X_OK, effective_ids=True):
            raise _unreadable(path, folder, "enter", stat.S_IXGRP)
    for suffix in SIDE_FILES:
        file = Path(f"{path}{suffix}")
        if file.exists() and not os.access(file, os.R_OK, effective_ids=True):
            raise _unreadable(path, file, "read", stat.S_IRGRP)


def copied(path: Path, stack: ExitStack) -> Path:
    """A private copy with its write-ahead log, for as long as the stack lasts.

    For who may not write beside it, where nobody has the journal open: SQLite would have to make side files then.
    """
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="failoverctl-")))
    for suffix in SIDE_FILES[:2]:
        source = Path(f"{path}{suffix}")
        if source.exists():
            shutil.copyfile(source, directory / f"{path.name}{suffix}")
    return directory / path.name


def _unreadable(journal: Path, kept: Path, what: str, bit: int) -> JournalError:
    """`kept` is what this user may not enter, or not read: the others up to there are open."""
    found = kept.stat()
    you, owner, group = _user(os.geteuid()), _user(found.st_uid), _group(found.st_gid)
    if found.st_mode & bit:
        words = f"only {owner} and the group {group} may {what} {kept}, and {you} is not in it"
        named = not any(_NUMBER in name for name in (group, you))
        command = f": usermod -aG {group} {you}" if named else ""
        remedy = f"have yourself added to it, and log in anew{command}; or run the same with sudo"
        if found.st_gid == _ROOT:  # whoever joins that one may do far more than look
            remedy = f"run the same with sudo; {_LATER}"
    else:
        words = f"only {owner} may {what} {kept}"
        remedy = f"run the same with sudo; {_LATER}"
    return JournalError(
        f"{journal} cannot be read: {words}; traffic is not affected", reason="journal_unreadable", remedy=remedy
    )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid{_NUMBER}{number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return f"gid{_NUMBER}{number}"


_ROOT: Final = 0

_LATER: Final = "a group gets in where the service has a user of its own"

_NUMBER: Final = " "
"""In what somebody without a name is called, and in no name (useradd(8))."""
