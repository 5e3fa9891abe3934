"""Lines to a reader, written by a thread: one that stalls must not stall the daemon.

What a reader does not take is lost and counted, and the count is told as soon as it takes something again.
"""

import os
import queue
import select
import threading
from collections.abc import Callable, Sized
from typing import Final, Generic, Protocol, TextIO, TypeVar

CAPACITY: Final = 10_000
"""Lines that may wait. More are dropped and counted: steering traffic comes before telling about it."""

MOST_WAITING: Final = 16 << 20
"""Characters, or bytes of entries for journald, that may wait: a single line may have 40,000."""

_PATIENCE: Final = 2.0
"""Seconds that closing waits for a reader that does not take its lines."""

Line = TypeVar("Line", bound=Sized)
Taken_contra = TypeVar("Taken_contra", contravariant=True)


class LineSink(Protocol[Taken_contra]):
    """Who takes the lines, in a thread of its own: it may wait as long as it has to."""

    def take(self, line: Taken_contra) -> None:
        """Raises OSError or ValueError when it does not take it."""
        ...


class LineWriter(Generic[Line]):
    """`write` never blocks and never raises; lines are written in order.

    Args:
        outlet: who takes the lines.
        lost: the line that says how many were lost.
        capacity: lines that may wait.
        most: what may wait of them, by their lengths.
    """

    def __init__(
        self, outlet: LineSink[Line], lost: Callable[[int], Line], capacity: int = CAPACITY, most: int = MOST_WAITING
    ) -> None:
        self._outlet = outlet
        self._lost_line = lost
        self._lines: queue.Queue[Line | None] = queue.Queue(capacity)
        self._most = most
        self._waiting = 0
        self._lost = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: Line) -> None:
        with self._lock:
            fits = self._waiting + len(line) <= self._most
        if not fits:
            self._lose(1)
            return
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lose(1)
        else:
            self._count(len(line))

    @property
    def lost(self) -> int:
        """How many lines were lost that nobody was told of yet."""
        with self._lock:
            return self._lost

    def close(self) -> bool:
        """Write what waits, for two seconds at most. Lines that come later are lost.

        Returns:
            Whether all of it was written: otherwise the reader has stalled, and so will whoever writes to it next.
        """
        try:
            self._lines.put(None, timeout=_PATIENCE)
        except queue.Full:
            return False
        self._thread.join(_PATIENCE)
        return not self._thread.is_alive()

    def _lose(self, lines: int) -> None:
        with self._lock:
            self._lost += lines

    def _count(self, characters: int) -> None:
        with self._lock:
            self._waiting += characters

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            self._count(-len(line))
            if not self._taken(line):
                self._lose(1)
            elif self._lines.empty():  # those that were lost found the queue full: their place is behind it
                self._own_up()
        self._own_up()

    def _own_up(self) -> None:
        """Say how many lines were lost, if any were."""
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost and not self._taken(self._lost_line(lost)):
            self._lose(lost)

    def _taken(self, line: Line) -> bool:
        try:
            self._outlet.take(line)
        except (OSError, ValueError):  # a closed pipe, a full disk, a stream that was closed
            return False
        return True


class Descriptor:
    """A file, a pipe or a terminal by its number: nothing is left in a buffer that a stalled reader would keep locked.

    What its encoding cannot say is written as an escape.
    """

    def __init__(self, number: int, encoding: str) -> None:
        self._number = number
        self._encoding = encoding
        self._torn = False

    def take(self, line: str) -> None:
        left = f"{line}\n".encode(self._encoding, "backslashreplace")
        if self._torn:
            left = b"\n" + left
        while left:
            try:
                left = left[os.write(self._number, left) :]
                self._torn = bool(left)
            except BlockingIOError:  # whoever shares the pipe with us wants not to wait; this thread can
                poll = select.poll()
                poll.register(self._number, select.POLLOUT)
                poll.poll()


class Stream:
    """A stream that has no descriptor."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def take(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def outlet(stream: TextIO) -> LineSink[str]:
    """Whoever reads this stream."""
    try:
        return Descriptor(stream.fileno(), stream.encoding)
    except (OSError, ValueError):
        return Stream(stream)
