"""A command at a terminal of its own, and a person who reads what is asked there and answers."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60.0


@dataclass
class Terminal:
    """`said` is everything that was shown on it until now, what was typed included."""

    process: subprocess.Popen[bytes]
    main: int
    said: str = ""
    _seen: int = 0

    def asked(self, words: str) -> str:
        """What was shown since the last answer, once it has these words, however broken into lines, and a prompt."""
        shown = self._until(lambda text: words in " ".join(text.split()) and text.endswith("> "), words)
        self._seen = len(self.said)
        return shown

    def answer(self, text: str | bytes) -> None:
        raw = text if isinstance(text, bytes) else f"{text}\n".encode()
        os.write(self.main, raw)

    def ended(self) -> int:
        """How it ended; everything that it still said is in `said`."""
        self._until(lambda _: False, "its end")
        return self.process.wait(PATIENCE)

    def _until(self, fits: Callable[[str], bool], words: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while not fits(text := self.said[self._seen :]):
            ready, _, _ = select.select([self.main], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"never showed {words}: {self.said}"
            try:
                read = os.read(self.main, 4096)
            except OSError:  # on Linux, how the other end says that it is closed (EIO)
                read = b""
            if not read:
                return text
            self.said += read.decode(errors="backslashreplace").replace("\r\n", "\n")
        return text


@contextmanager
def terminal(
    words: Sequence[str], folder: Path, env: Mapping[str, str] | None = None, columns: int = 80
) -> Iterator[Terminal]:
    """`failoverctl` with these words, in a folder."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "failoverd.cli.operator", *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TERM": "xterm", **(env or {})},
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one thread: Ctrl-C needs a terminal of its own
    )
    os.close(side)
    try:
        yield Terminal(process, main)
    finally:
        process.kill()
        process.wait()
        os.close(main)
