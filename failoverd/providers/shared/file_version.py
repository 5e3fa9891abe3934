"""Which content of a file was read last: secrets are read anew when it changes, so that a rotation needs no restart."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class FileVersion:
    """What tells one content of a file from the next without reading it: a swapped symlink changes the inode."""

    inode: int
    modified_ns: int
    size: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Raises OSError when there is no such file, or it may not be seen."""
        stat = path.stat()
        return cls(stat.st_ino, stat.st_mtime_ns, stat.st_size)

    @classmethod
    def if_there(cls, path: Path) -> Self | None:
        """The same; None for a file that is not there: it may appear."""
        try:
            return cls.of(path)
        except OSError:
            return None
