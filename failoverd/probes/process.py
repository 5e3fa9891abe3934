"""One program, run under a deadline in a session of its own, of which nothing is left behind.

The end of the program is told by a descriptor (pidfd_open(2), Linux 5.3), not by a signal: so it makes no difference
which event loop runs, and no other child of this process is ever waited for by mistake. The group is killed before the
program is reaped: until then its number cannot belong to anybody else.
"""

import asyncio
import os
import select
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Final

MOST_OUTPUT: Final = 65_536
"""Bytes of each stream that are kept; more is read and thrown away, so that nobody waits for a full pipe."""

ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
"""Everything that a program hears from its surroundings. The daemon's own environment has secrets in it."""


class Running:
    """A program from its start to its end.

    Args:
        argv: absolute path and arguments; no shell reads them.
        gone: called once, when the program is dead and reaped.

    Raises OSError when it cannot be started; then `gone` is never called.
    """

    def __init__(self, argv: Sequence[str], gone: Callable[[], None]) -> None:
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        with ExitStack() as ours, ExitStack() as theirs:  # `Popen` of older Pythons leaves pipes open when it fails
            null = os.open(os.devnull, os.O_RDONLY)
            theirs.callback(os.close, null)
            (out, to_out), (err, to_err) = _pipe(ours, theirs), _pipe(ours, theirs)
            self._process = subprocess.Popen(  # noqa: S603 - what to run is what the policy says; reviewed, and no shell
                argv, stdin=null, stdout=to_out, stderr=to_err, cwd="/", env=ENVIRONMENT, start_new_session=True
            )
            try:
                self._descriptor = os.pidfd_open(self._process.pid)
            except OSError:
                self._kill_group()
                self._process.wait()
                raise
            ours.pop_all()
        self._streams = (_Stream(out), _Stream(err))
        self._ended: asyncio.Future[int | None] = self._loop.create_future()
        self._loop.add_reader(self._descriptor, self._end)
        for stream in self._streams:
            self._loop.add_reader(stream.descriptor, self._hear, stream)

    async def ended(self) -> int | None:
        """Wait for its exit code, or the negative number of the signal that ended it. None when nobody can tell."""
        return await asyncio.shield(self._ended)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, even if nobody was told yet."""
        if not self._ended.done() and _is_readable(self._descriptor):
            self._end()
        return self._ended.done()

    @property
    def output(self) -> tuple[bytes, bytes]:
        """What it has written so far to stdout and to stderr."""
        out, err = self._streams
        return bytes(out.heard), bytes(err.heard)

    def kill(self) -> None:
        """End it, and everybody in its process group. What it writes is not heard any more."""
        if not self._ended.done():
            self._kill_group()
            self._stop_listening()

    def _hear(self, stream: "_Stream") -> None:
        if not stream.take():
            self._loop.remove_reader(stream.descriptor)

    def _end(self) -> None:
        """The program is dead: its children have no say any more, whether or not they keep the pipes open."""
        if self._ended.done():
            return
        for stream in self._streams:
            stream.take_rest()
        self._stop_listening()
        self._kill_group()
        self._loop.remove_reader(self._descriptor)
        self._ended.set_result(self._reap())
        os.close(self._descriptor)
        self._gone()

    def _reap(self) -> int | None:
        """Its exit code. `Popen` itself would say 0 when somebody else has reaped its process."""
        try:
            found = os.waitid(os.P_PIDFD, self._descriptor, os.WEXITED)
        except ChildProcessError:  # this process ignores SIGCHLD, so the kernel reaps
            found = None
        code = None if found is None else found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        self._process.returncode = -1 if code is None else code  # nothing is left to be waited for
        return code

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # nobody left, or somebody who changed his user
            os.killpg(self._process.pid, signal.SIGKILL)

    def _stop_listening(self) -> None:
        for stream in self._streams:
            if not stream.closed:
                self._loop.remove_reader(stream.descriptor)
                stream.close()


class _Stream:
    """One pipe that a program writes into."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.closed = False
        self.heard = bytearray()
        os.set_blocking(descriptor, False)

    def close(self) -> None:
        self.closed = True
        os.close(self.descriptor)

    def take(self) -> bool:
        """Read what is there now, once. False when nothing can come any more."""
        try:
            data = os.read(self.descriptor, MOST_OUTPUT)
        except BlockingIOError:
            return True
        self.heard += data[: MOST_OUTPUT - len(self.heard)]
        return bool(data)

    def take_rest(self) -> None:
        """Read what was left in the pipe. Stops at the bound, as somebody else may still be writing."""
        if self.closed:
            return
        before = -1
        while before < len(self.heard) < MOST_OUTPUT:
            before = len(self.heard)
            self.take()


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """Both ends of a pipe, each of which is closed with its stack."""
    reading, writing = os.pipe()
    ours.callback(os.close, reading)
    theirs.callback(os.close, writing)
    return reading, writing


def _is_readable(descriptor: int) -> bool:
    """Asked with poll(2): select(2) knows no descriptor above 1,023."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))
