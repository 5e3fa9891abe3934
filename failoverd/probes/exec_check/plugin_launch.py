"""How a program begins: in a session of its own, with nothing of ours but three descriptors and a short environment.

A plugin is somebody else's code, and this process has secrets in its memory and in its environment. So at each start
this process is closed to others of its own user, the program gets no capability of ours, none by setuid either, and one
of root's runs as `nobody`. What the user of this process may read in files, a plugin of the same user may read as well,
and it may end this process: against that there is nothing to be done from here.

The start blocks for as long as the file system does that the program is on: on a file server that is gone, for ever.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final, TypedDict

ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
"""Everything that a program hears from its surroundings. The daemon's own environment has secrets in it."""

NOBODY: Final = 65_534
"""The user and the group that own nothing. Not looked up by name: the answer could come from a server that hangs."""

_TO_CHANGE_USER: Final = 1 << 5 | 1 << 6 | 1 << 7
"""CAP_KILL, CAP_SETGID, CAP_SETUID: needed to start a program as somebody else, and to end it (capabilities(7))."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_prctl: Final = _LIBC.prctl
_prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]

_SHUT: Final = (
    (4, 0),  # PR_SET_DUMPABLE, for the whole process: nobody of our user reads our memory, environment, descriptors
    (38, 1),  # PR_SET_NO_NEW_PRIVS, for this thread: what has the set-user-ID bit gets nothing by it
    (47, 4),  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, for this thread: AmbientCapabilities= are not inherited
)

subprocess._USE_VFORK = sys.version_info >= (3, 11, 6)  # type: ignore[misc]  # noqa: SLF001 - documented as the switch
"""Before Python 3.11.6 no thread of this process moved while a start by vfork(2) hung (python/cpython#104372)."""


@dataclass(frozen=True, slots=True, eq=False)
class PluginProgram:
    """A program that was started, and the descriptors by which it is heard of: of its end, its stdout and its stderr.

    It belongs to whoever has it: as a `PluginProcess`, or until it is put away.
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

    It blocks as long as the file system does on which the program is, which may be for ever: call it in a thread. That
    thread has to be one that ends with it, for it cannot get back what it gives up for the program.

    Raises OSError when it cannot be started.
    """
    _shut()
    with ExitStack() as ours, ExitStack() as theirs:  # `Popen` of older Pythons leaves pipes open when it fails
        null = os.open(os.devnull, os.O_RDONLY)
        theirs.callback(os.close, null)
        (out, to_out), (err, to_err) = _pipe(ours, theirs), _pipe(ours, theirs)
        process = subprocess.Popen(  # noqa: S603 - what to run is what the policy says; reviewed, and no shell
            argv,
            stdin=null,
            stdout=to_out,
            stderr=to_err,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            **_as_whom(),
        )
        try:
            end = os.pidfd_open(process.pid)
        except OSError:
            _kill_group(process)
            process.wait()
            raise
        ours.pop_all()
    return PluginProgram(process, end, out, err)


def _shut() -> None:
    """Give up what the program could use against us. That the process is closed means that it leaves no core dump."""
    for what, value in _SHUT:
        if _prctl(what, value, 0, 0, 0) != 0:
            why = os.strerror(ctypes.get_errno())
            raise OSError(f"this process cannot be shut against its plugins: {why} (prctl(2), {what})")


class _User(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _as_whom() -> _User:
    """Whose rights a program has: ours, unless we are root, and as in many containers only by name."""
    if os.geteuid() != 0 or _capabilities() & _TO_CHANGE_USER != _TO_CHANGE_USER:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def _capabilities() -> int:
    """The effective ones, of which the first 32 are enough here (capget(2), version 3)."""
    sets = (ctypes.c_uint32 * 6)()
    return int(sets[0]) if _LIBC.capget((ctypes.c_uint32 * 2)(0x20080522, 0), sets) == 0 else 0


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """Both ends of a pipe, each of which is closed with its stack."""
    reading, writing = os.pipe()
    ours.callback(os.close, reading)
    theirs.callback(os.close, writing)
    return reading, writing


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody left, or somebody who changed his user
        os.killpg(process.pid, signal.SIGKILL)
