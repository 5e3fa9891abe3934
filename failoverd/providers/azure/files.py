"""Secrets in files of their own: read when they are needed, and whatever they hold then."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from failoverd.core.errors import Permanent

_MAX_SIZE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one content of a file from the next without reading it: a swapped symlink changes the inode."""

    inode: int
    modified_ns: int
    size: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Raises Permanent when there is no such file."""
        try:
            stat = path.stat()
        except OSError as error:
            raise _unreadable(path, error) from None
        return cls(stat.st_ino, stat.st_mtime_ns, stat.st_size)


def read_secret(path: Path) -> bytes:
    """What the file holds, without the white space around it. Raises Permanent when that is nothing."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SIZE).strip()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not content:
        raise Permanent(f"the credential file {path} is empty", reason="credentials_missing", remedy=_REMEDY)
    return content


_REMEDY = "put the secret there, or let the user that failoverd runs as read it; no restart is needed"


def _unreadable(path: Path, error: OSError) -> Permanent:
    return Permanent(
        f"the credential file {path} cannot be read: {error.strerror}", reason="credentials_missing", remedy=_REMEDY
    )
