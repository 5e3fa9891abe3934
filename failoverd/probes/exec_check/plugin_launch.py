"""How a program begins: in a session of its own, with nothing of ours but three descriptors and a short environment.

The start blocks for as long as the file system does that the program is on: on a file server that is gone, for ever.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
"""Everything that a program hears from its surroundings. The daemon's own environment has secrets in it."""

subprocess._USE_VFORK = sys.version_info >= (3, 11, 6)  # type: ignore[misc]  # noqa: SLF001 - documented as the switch
"""Before Python 3.11.6 no thread of this process moved while a start by vfork(2) hung (python/cpython#104372)."""


@dataclass(frozen=True, slots=True, eq=False)
class PluginProgram:
    """A program that was started, and the descriptors by which it is heard of: of its end, its stdout and its stderr.

    It belongs to whoever has it: as a `Running`, or until it is put away.
    """

    process: "subprocess.Popen[bytes]"
    end: int
    out: int
    err: int

    def put_away(self) -> None:
        """Kill it and everybody in its process group, and wait for its end. Only for where blocking hurts nobody."""
        self.kill()
        self.reap()
        for descriptor in (self.end, self.out, self.err):
            os.close(descriptor)

    def kill(self) -> None:
        _kill_group(self.process)

    def reap(self) -> int | None:
        """Its exit code; None if it is lost. `Popen` would say 0 when somebody else has reaped its process."""
        try:
            found = os.waitid(os.P_PIDFD, self.end, os.WEXITED)
        except ChildProcessError:  # this process ignores SIGCHLD, so the kernel reaps
            found = None
        code = None if found is None else found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        self.process.returncode = -1 if code is None else code  # nothing is left to be waited for
        return code


def launch(argv: Sequence[str]) -> PluginProgram:
    """Start a program: absolute path and arguments, which no shell reads.

    It blocks as long as the file system does on which the program is, which may be for ever: call it in a thread.

    Raises OSError when it cannot be started.
    """
    with ExitStack() as ours, ExitStack() as theirs:  # `Popen` of older Pythons leaves pipes open when it fails
        null = os.open(os.devnull, os.O_RDONLY)
        theirs.callback(os.close, null)
        (out, to_out), (err, to_err) = _pipe(ours, theirs), _pipe(ours, theirs)
        process = subprocess.Popen(  # noqa: S603 - what to run is what the policy says; reviewed, and no shell
            argv, stdin=null, stdout=to_out, stderr=to_err, cwd="/", env=ENVIRONMENT, start_new_session=True
        )
        try:
            end = os.pidfd_open(process.pid)
        except OSError:
            _kill_group(process)
            process.wait()
            raise
        ours.pop_all()
    return PluginProgram(process, end, out, err)


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """Both ends of a pipe, each of which is closed with its stack."""
    reading, writing = os.pipe()
    ours.callback(os.close, reading)
    theirs.callback(os.close, writing)
    return reading, writing


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody left, or somebody who changed his user
        os.killpg(process.pid, signal.SIGKILL)
