"""Lines to a stream, written by a thread: a reader that stalls must not stall the daemon."""

import queue
import threading
from typing import Final, TextIO

CAPACITY: Final = 10_000
"""Lines that may wait. More are dropped and counted: steering traffic comes before telling about it."""

_PATIENCE: Final = 2.0
"""Seconds that closing waits for a stream that does not take its lines."""


class LineWriter:
    """`write` never blocks and never raises; lines are written in order."""

    def __init__(self, stream: TextIO, capacity: int = CAPACITY) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(capacity)
        self._lost = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lose()

    def take_lost(self) -> int:
        """How many lines were lost since this was asked the last time."""
        with self._lock:
            lost, self._lost = self._lost, 0
        return lost

    def close(self) -> None:
        """Write what waits, for two seconds at most. Lines that come later are lost."""
        try:
            self._lines.put(None, timeout=_PATIENCE)
        except queue.Full:
            return
        self._thread.join(_PATIENCE)

    def _lose(self) -> None:
        with self._lock:
            self._lost += 1

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line + "\n")
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):  # a closed pipe, a full disk, a stream that was closed
                self._lose()
