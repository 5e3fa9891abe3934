"""The standard streams, made fit for whatever is said on them. Imports nothing that `--help` has to wait for."""

import io
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STREAMS: Final = (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
"""By descriptor. In the place of a closed standard output stands something that cannot be written to."""


def ready() -> None:
    """To be called before anything is said.

    What a stream's encoding cannot say is written as an escape: whoever asks at night, over whichever terminal, is
    answered. A stream that is closed gets its place taken, so that no file which is opened later, the journal say,
    gets its number; and to print to it fails, and is told, as with any output that cannot be written.

    A reader that goes away (`| head -1`) has seen what it wanted: that is no failure, whatever prints, and the command
    goes on to its end and its exit code.
    """
    for descriptor, (name, mode, flags) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _take(descriptor, flags)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            if isinstance(_raw(stream), io.FileIO) and stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
                stream = _to_a_pipe(stream)
                setattr(sys, name, stream)
            stream.reconfigure(errors="backslashreplace")


def reader_left() -> bool:
    """Whether nobody reads any more what is printed: what would go on for ever ends then."""
    return isinstance(sys.stdout, io.TextIOWrapper) and getattr(_raw(sys.stdout), "left", False)


class _Pipe(io.FileIO):
    """A pipe whose reader may go away: what is written then goes nowhere."""

    left = False

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            self.left = True
            _take(self.fileno(), os.O_WRONLY)
            return memoryview(data).nbytes


def _to_a_pipe(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(_Pipe(stream.fileno(), "w", closefd=False))
    return io.TextIOWrapper(buffer, stream.encoding, line_buffering=stream.line_buffering)


def _raw(stream: io.TextIOWrapper) -> object:
    return getattr(stream.buffer, "raw", None)


def _take(descriptor: int, flags: int) -> None:
    opened = os.open(os.devnull, flags)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
