"""Plugins that are shell scripts, programs whose start hangs, and what they leave behind."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from support.forked import server
from support.probers import AwaitedProber, prober

from failoverd.core.records import Endpoint, ProbeResult

_SERVERS = {"named", "knotd", "pdns_server"}
"""They live as long as the tests that ask them, whichever tests of other folders come in between."""

ENDPOINT = Endpoint("azure-eastus", "127.0.0.1")


def script(text: str, /, **settings: object) -> AwaitedProber:
    """A shell script as a plugin, with time enough to start on a machine that has other things to do."""
    argv = ["/bin/sh", "-c", text.replace("{", "{{").replace("}", "}}")]
    return prober("exec", argv, **{"every": "20s", "timeout": "10s", **settings})


async def outcome(text: str, /, **settings: object) -> ProbeResult:
    return await script(text, **settings).probe(ENDPOINT)


class Disk:
    """One that holds a program, and does not let it be opened until it is `back`."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self._descriptor = os.open(program, os.O_RDONLY)
        fcntl.fcntl(self._descriptor, fcntl.F_SETSIG, signal.SIGURG)  # whoever opens it is announced; we do not care
        fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)

    def back(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def hanging(program: Path, content: str) -> Iterator[Disk]:
    """A program whose start hangs, as it does on a file server that is gone: there is a lease on it (fcntl(2))."""
    program.write_text(content)
    program.chmod(0o755)
    disk = Disk(program)
    try:
        yield disk
    finally:
        disk.back()


@contextmanager
def folder_for_plugins() -> Iterator[Path]:
    """Where a plugin can be started from and can write: as root's runs as nobody, whom pytest's folders keep out."""
    with TemporaryDirectory(prefix="failoverd-plugins-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children() -> set[int]:
    """Those of all threads, the dead that nobody has reaped among them. What tests share is no plugin."""
    mine = (each for each in Path("/proc").iterdir() if each.name.isdigit() and _parent(each) == os.getpid())
    return {int(each.name) for each in mine} - server()


def _parent(process: Path) -> int | None:
    try:
        before, _, after = (process / "stat").read_text().rpartition(")")
        return None if before.partition("(")[2] in _SERVERS else int(after.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
