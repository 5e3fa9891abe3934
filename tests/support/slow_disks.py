"""A process whose disk takes its time: whenever it asks for what it wrote to be on the disk, it waits for so long.

    with slow_disk(process.pid, 0.3):
        ...

strace stops it there, as a disk that is busy with something else would. It stops it a little at every other call of the
kernel as well, and lets go of it at the end.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.servers import program

_SYNCS: Final = "fsync,fdatasync"
_PATIENCE: Final = 20.0
"""Seconds to take hold of a process, and to let go of it."""


@contextmanager
def slow_disk(
    pid: int, seconds: float, command: Callable[..., list[str]] = lambda *words: list(words)
) -> Iterator[None]:
    """`command` makes the command that starts a program where the process is."""
    words = command(
        program("strace"),
        *("-f", "-qq", "-o", "/dev/null", "-p", str(pid)),
        *("-e", f"trace={_SYNCS}", "-e", f"inject={_SYNCS}:delay_enter={round(seconds * 1e6)}"),
    )
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as strace:
        try:
            _await_hold(pid, strace)
            yield
        finally:
            strace.terminate()
            try:
                strace.wait(_PATIENCE)
            finally:
                strace.kill()


def _await_hold(pid: int, strace: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + _PATIENCE
    while not all(_traced(task) for task in Path(f"/proc/{pid}/task").iterdir()):
        if strace.poll() is not None or time.monotonic() > end:
            strace.kill()
            assert strace.stderr is not None
            raise RuntimeError(f"strace did not take hold of {pid}: {strace.stderr.read()}")
        time.sleep(0.01)


def _traced(task: Path) -> bool:
    try:
        status = (task / "status").read_text()
    except OSError:  # it ended
        return True
    return "TracerPid:\t0\n" not in status
