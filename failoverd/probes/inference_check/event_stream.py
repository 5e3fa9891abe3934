"""Server-sent events, as APIs stream answers (the HTML standard, 9.2.6), read strictly and within bounds."""

from typing import Final

MAX_LINE: Final = 64 * 1024
"""Bytes that a line, and the data of one event, may have."""

_FIELDS: Final = frozenset({b"data", b"event", b"id", b"retry"})


class StreamError(Exception):
    """What arrives is no stream of events. Says why."""


class EventStream:
    """Takes a stream apart while it arrives."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that these bytes complete. Raises StreamError."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        found: list[bytes] = []
        for line in lines:
            event = self._line(line.removesuffix(b"\r"))
            if event is not None:
                found.append(event)
        if len(self._rest) > MAX_LINE:
            raise StreamError(f"a line of more than {MAX_LINE // 1024} KiB")
        return found

    def _line(self, line: bytes) -> bytes | None:
        """What an empty line ends is an event; one that begins with a colon is a comment."""
        if not line:
            event, self._data, self._size = b"\n".join(self._data), [], 0
            return event or None
        field, colon, value = line.partition(b":")
        if not field and colon:
            return None
        if field not in _FIELDS:
            raise StreamError("a line that is no field of an event")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value) + 1
            if self._size > MAX_LINE:
                raise StreamError(f"an event of more than {MAX_LINE // 1024} KiB")
        return None
