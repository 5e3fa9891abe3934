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
from contextlib import suppress
from typing import IO, Final

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
        self._process = subprocess.Popen(  # noqa: S603 - what to run is what the policy says; reviewed, and no shell
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - for the type checker: it was asked for
        assert self._process.stderr is not None  # noqa: S101 - the same
        self._streams: tuple[_Stream, ...] = ()
        try:
            self._descriptor = os.pidfd_open(self._process.pid)
        except OSError:
            self._give_up()
            raise
        self._streams = (_Stream(self._process.stdout), _Stream(self._process.stderr))
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

    def _give_up(self) -> None:
        """It runs, but its end could not be told."""
        self._kill_group()
        for file in (self._process.stdout, self._process.stderr):
            if file is not None:
                file.close()
        self._process.wait()

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
            if not stream.file.closed:
                self._loop.remove_reader(stream.descriptor)
                stream.file.close()


class _Stream:
    """One pipe that a program writes into."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.descriptor = file.fileno()
        self.heard = bytearray()
        os.set_blocking(self.descriptor, False)

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
        if self.file.closed:
            return
        before = -1
        while before < len(self.heard) < MOST_OUTPUT:
            before = len(self.heard)
            self.take()


def _is_readable(descriptor: int) -> bool:
    """Asked with poll(2): select(2) knows no descriptor above 1,023."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))
