"""The standard streams, made fit for whatever is said on them. Imports nothing that `--help` has to wait for."""

import io
import os
import sys
from typing import Final

_STREAMS: Final = (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
"""By descriptor. In the place of a closed standard output stands something that cannot be written to."""


def ready() -> None:
    """To be called before anything is said.

    What a stream's encoding cannot say is written as an escape: whoever asks at night, over whichever terminal, is
    answered. A stream that is closed gets its place taken, so that no file which is opened later, the journal say,
    gets its number; and to print to it fails, and is told, as with any output that cannot be written.
    """
    for descriptor, (name, mode, flags) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _take(descriptor, flags)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _take(descriptor: int, flags: int) -> None:
    opened = os.open(os.devnull, flags)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
