"""A program until its end, of which nothing is left behind.

The end of the program is told by a descriptor (pidfd_open(2), Linux 5.3), not by a signal: so it makes no difference
which event loop runs, and no other child of this process is ever waited for by mistake. The group is killed before the
program is reaped: until then its number cannot belong to anybody else.
"""

import asyncio
import os
import select
from collections.abc import Callable
from typing import Final

from failoverd.probes.exec_check.plugin_launch import PluginProgram

MOST_OUTPUT: Final = 65_536
"""Bytes of each stream that are kept; more is read and thrown away, so that nobody waits for a full pipe."""


class PluginProcess:
    """A program until its end.

    Args:
        program: was just started; nobody else cares for it from now on.
        gone: called once, when the program is dead and reaped.
    """

    def __init__(self, program: PluginProgram, gone: Callable[[], None]) -> None:
        self._program = program
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._streams = (_Stream(program.out), _Stream(program.err))
        self._ended: asyncio.Future[int | None] = self._loop.create_future()
        self._loop.add_reader(program.end, self._end)
        for stream in self._streams:
            self._loop.add_reader(stream.descriptor, self._hear, stream)

    async def ended(self) -> int | None:
        """Wait for its exit code, or the negative number of the signal that ended it. None when nobody can tell."""
        return await asyncio.shield(self._ended)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, even if nobody was told yet."""
        if not self._ended.done() and _is_readable(self._program.end):
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
            self._program.kill()
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
        self._program.kill()
        self._loop.remove_reader(self._program.end)
        self._ended.set_result(self._program.reap())
        os.close(self._program.end)
        self._gone()

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


def _is_readable(descriptor: int) -> bool:
    """Asked with poll(2): select(2) knows no descriptor above 1,023."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))
