"""A body in chunks (RFC 9112, 7.1), taken apart while it arrives.

What clients accept is accepted: lines that end in LF alone, white space behind a size, extensions of any kind. Trailers
are passed over. How much framing there may be is for the caller to limit.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

from failoverd.probes.findings import excerpt
from failoverd.probes.http1.response_head import MalformedError

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\0\r]*)?")
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")


class _Expected(Enum):
    SIZE = "the size of a chunk"
    DATA = "its data"
    DATA_END = "the end of its data"
    TRAILER = "a trailer, or the empty line behind the last chunk"
    NOTHING = "nothing more"


class ChunkedBody:
    """Finds the content in the bytes of a chunked body.

    Attributes:
        is_complete: the last chunk and the empty line behind it have come.
    """

    __slots__ = ("_expected", "_left", "_line")

    def __init__(self) -> None:
        self._expected = _Expected.SIZE
        self._left = 0  # bytes of this chunk
        self._line = b""  # what came of a line before its end, or the last bytes of the trailers

    @property
    def is_complete(self) -> bool:
        return self._expected is _Expected.NOTHING

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces of content in these bytes. Raises MalformedError."""
        at = 0
        while at < len(data) and not self.is_complete:
            if self._expected is _Expected.DATA:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._expected = _Expected.DATA_END
                yield piece
                continue
            if self._expected is _Expected.TRAILER:
                self._pass_over(data[at:])
                return
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                if self._expected is _Expected.DATA_END and self._line != b"\r":
                    self._take(self._line)  # no end of a line is going to make it right
                return
            line, self._line = self._line + data[at:end], b""
            self._take(line.removesuffix(b"\r"))
            at = end + 1

    def _pass_over(self, trailers: bytes) -> None:
        """Nobody reads trailers; an empty line ends them."""
        window = self._line + trailers
        if _EMPTY_LINE.search(window):
            self._expected = _Expected.NOTHING
        self._line = window[-2:]

    def _take(self, line: bytes) -> None:
        """One line of framing."""
        if self._expected is _Expected.DATA_END:
            if line:
                raise MalformedError(f"a chunk is longer than it says: {excerpt(line)} follows it")
            self._expected = _Expected.SIZE
            return
        size = _SIZE.fullmatch(line)
        if size is None:
            raise MalformedError(f"this is no size of a chunk: {excerpt(line)}")
        self._left = int(size[1], 16)
        self._expected = _Expected.DATA if self._left else _Expected.TRAILER
        self._line = b"" if self._left else b"\n"
