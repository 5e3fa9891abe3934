"""Files that somebody else may have put there, read so that none of them can hold up or fill this process.

A FIFO without a writer would be waited for, `/dev/zero` read for ever. Only regular files are read, and up to a bound.
"""

import os
import stat
from pathlib import Path


class NotRegular(OSError):  # noqa: N818 - the kernel's word for it (inode(7)); OSError is what callers catch
    """A directory, a pipe, a socket or a device stands where a file should be."""


class TooLarge(OSError):  # noqa: N818
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
    with os.fdopen(descriptor, "rb") as file:
        _require_regular(os.fstat(descriptor), path)
        content = file.read(most + 1)
    if len(content) > most:
        raise TooLarge(0, f"it is larger than {most // 1024} KiB", str(path))
    return content


def require_regular(path: Path) -> None:
    """The same look at a file that a library is going to open by its name. Raises OSError."""
    _require_regular(path.stat(), path)


def _require_regular(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotRegular(0, "it is not a regular file", str(path))
