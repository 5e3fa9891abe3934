"""A small disk of its own for one host (`support.networks`), which a test fills, and makes unwritable.

    disk = SmallDisk.mounted(seat.host, seat.folder / "disk")
    disk.fill()
    disk.free()

It is a tmpfs in the host's own mount namespace: a real file system, whose errors are those of the kernel.
"""

import errno
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from support.networks import Host, entering
from support.servers import program

_SIZE: Final = "2m"
_FILLER: Final = "filler"
_PATIENCE: Final = 20.0


@dataclass(frozen=True)
class SmallDisk:
    """`place` is where a process of the host sees it."""

    host: Host
    place: Path

    @classmethod
    def mounted(cls, host: Host, place: Path) -> Self:
        """At that folder, which is made."""
        place.mkdir()
        disk = cls(host, place)
        disk._run("mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place))
        return disk

    @property
    def seen(self) -> Path:
        """Where the test sees it."""
        return self.host.seen(self.place)

    def fill(self) -> None:
        """Not one byte more can be written, but over what stands there."""
        with (self.seen / _FILLER).open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """What filled it is gone."""
        (self.seen / _FILLER).unlink()

    def writable(self, *, really: bool) -> None:
        """Whether anything may be written. None of its files may be open for that while it changes."""
        self._run("mount", "-o", f"remount,{'rw' if really else 'ro'}", str(self.place))

    def _run(self, name: str, *words: str) -> None:
        command = [*entering(self.host.pid, mount=True), program(name), *words]
        subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE)
