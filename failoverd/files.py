"""Files that somebody else may have put there, read so that none of them can hold up or fill this process.

A FIFO without a writer would be waited for, `/dev/zero` read for ever. Only regular files are read, and up to a bound.
Secrets and certificates are read anew when they change, so that a rotation needs no restart.
"""

import os
import stat
from pathlib import Path
from typing import Final, NamedTuple, Self

CREDENTIALS: Final = "/run/credentials/"
"""Where systemd puts a service's credentials, for as long as it runs (systemd.exec(5), LoadCredential)."""


class _Refused(OSError):  # noqa: N818 - OSError is what callers catch
    """We do not want the file, though the system would give it. Its words are in `strerror`."""

    def __init__(self, words: str, path: Path) -> None:
        super().__init__(0, words, str(path))

    def __str__(self) -> str:
        return str(self.strerror)


class NotRegular(_Refused):
    """A directory, a pipe, a socket or a device stands where a file should be."""


class TooLarge(_Refused):
    """The file holds more than its kind ever does."""


def read_regular(path: Path, most: int) -> bytes:
    """The content, of at most `most` bytes; never waits for anybody.

    Raises:
        NotRegular: it is no regular file, nor a link to one.
        TooLarge: it holds more.
        OSError: it cannot be read; each of these has its words in `strerror`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL character in the path
        raise OSError(0, str(error), str(path)) from error
    try:
        _require_regular(os.fstat(descriptor), path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(content) > most:
        raise TooLarge(f"it is larger than {most // 1024} KiB", path)
    return content


def require_regular(path: Path) -> None:
    """The same look at a file that a library is going to open by its name. Raises OSError."""
    _require_regular(path.stat(), path)


class FileVersion(NamedTuple):
    """What tells one content of a file from the next without reading it: a swapped symlink changes the inode."""

    inode: int
    modified_ns: int
    size: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Raises OSError when there is no such file, or it may not be seen."""
        found = path.stat()
        return cls(found.st_ino, found.st_mtime_ns, found.st_size)

    @classmethod
    def if_there(cls, path: Path) -> Self | None:
        """The same; None for a file that is not there: it may appear."""
        try:
            return cls.of(path)
        except OSError:
            return None


def _require_regular(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotRegular("it is not a regular file", path)


def remedy_for(path: Path, otherwise: str) -> str:
    """What to do about a file that cannot be read: its place says whose it would be to put it there."""
    if str(path).startswith(CREDENTIALS):
        return (
            "systemd puts it there while the service runs, by its LoadCredential= lines; while it does not, and for "
            "who is not root, sudo failoverctl-offline takes the place of failoverctl"
        )
    return otherwise
