"""Where what a verb writes goes: tried before what takes time, and written beside what is there until it is whole."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from failoverd.core.errors import FailoverdError

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REASONS: Final = {"page": "page_unwritable", "plan": "plan_unwritable", "report": "report_unwritable"}
"""By `what` is written. Codes are searched for, so each stands here as it is said."""


def try_place(path: Path, what: str) -> None:
    """Raises FailoverdError when the file could not be written there; what is there stays as it is."""
    with _explained(path, what):
        target = _target(path)
        beside = _beside(target)
        os.close(os.open(beside, _NEW, 0o666))
        beside.unlink()


def save(path: Path, text: str, what: str) -> None:
    """The whole file or nothing: it replaces an old one only when it is on the disk.

    Raises FailoverdError.
    """
    with _explained(path, what):
        target = _target(path)
        beside = _beside(target)
        try:
            _write(beside, text, like=target)
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _target(path: Path) -> Path:
    """The file itself, should the name be a link's: the link stays."""
    target = Path(os.path.realpath(path))  # as Path.resolve(), which raises RuntimeError when links go round
    if not target.exists():
        return target
    if not target.is_file():
        raise IsADirectoryError(errno.EISDIR, "it is not a file")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return target


def _beside(target: Path) -> Path:
    return target.with_name(f".failoverd-{secrets.token_hex(4)}.part")


def _write(path: Path, text: str, *, like: Path) -> None:
    """With the mode of the old file, if there is one: who may read it stays the same."""
    with open(os.open(path, _NEW, 0o666), "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor has no path
        if like.exists():
            os.fchmod(file.fileno(), like.stat().st_mode & 0o777)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "name a file in a directory that exists and that you may write"
        raise FailoverdError(
            f"the {what} cannot be written to {path}: {error.strerror or error}",
            reason=_REASONS[what],
            remedy=f"free space there, or {remedy}" if error.errno in _FULL else remedy,
        ) from error
