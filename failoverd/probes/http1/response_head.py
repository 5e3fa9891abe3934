"""The head of a response, read as leniently as a user agent may (RFC 9110 and RFC 9112).

A probe asks whether clients are served, and clients put up with a lot. So what a recipient must or may accept is
accepted: lines that end in LF alone (RFC 9112, 2.2), folded fields (5.2), white space before a colon, which proxies
remove (5.1), any white space between the parts of the status line (4), a minor version that we do not know (RFC 9110,
2.5), a Content-Length that is said twice and the same (RFC 9112, 6.3). What leaves open where an answer ends, or what
it says, is refused: lengths that differ, a length beside chunks, NUL and bare CR.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from failoverd.probes.findings import excerpt

Field = tuple[bytes, bytes]

_END: Final = re.compile(rb"\n\r?\n")
_STATUS_LINE: Final = re.compile(rb"HTTP/([0-9])\.([0-9])[ \t]+([0-9]{3})(?:[ \t](.*))?", re.DOTALL)
_FORBIDDEN: Final = re.compile(rb"\0|\r(?!\n)")
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")
_BLANKS: Final = b" \t"


class MalformedError(Exception):
    """What arrives is no response in HTTP/1. Says why."""


class ResponseHead(NamedTuple):
    """A status line and the fields below it, as they were sent; each value without white space around it."""

    status: int
    reason: str
    fields: tuple[Field, ...]


class Framing(NamedTuple):
    """How the end of a body is found (RFC 9112, 6.3).

    Attributes:
        chunked: it comes in chunks.
        length: bytes; None when it has none, and then, unless it is chunked, it ends with the connection.
        coding: what the transfer did to it besides, such as `gzip`; empty when nothing.
    """

    chunked: bool
    length: int | None
    coding: str


class ResponseHeaders(Mapping[str, str]):
    """The fields of a response, decoded when somebody looks at them: most checks look at none."""

    __slots__ = ("_decoded", "_raw")

    def __init__(self, raw: Iterable[Field]) -> None:
        self._raw = raw
        self._decoded: dict[str, str] | None = None

    def _fields(self) -> dict[str, str]:
        if self._decoded is None:
            self._decoded = {_text(name).lower(): _text(value).strip(" \t") for name, value in self._raw}
        return self._decoded

    def __getitem__(self, name: str) -> str:
        return self._fields()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields())

    def __len__(self) -> int:
        return len(self._fields())


def _text(data: bytes) -> str:
    return data.decode("latin-1")


def end_of_head(heard: bytes | bytearray, since: int) -> tuple[int, int] | None:
    """Where the last line of a head ends, and where the body begins; None while the empty line has not come.

    `since` is how much of it was looked at before, so that a head in many pieces is not searched again and again.
    """
    found = _END.search(heard, max(0, since - 2))
    return None if found is None else (found.start() + 1, found.end())


def read_head(block: bytes) -> ResponseHead:
    """Reads a head, with the end of its last line and without the empty one. Raises MalformedError."""
    if (bad := _FORBIDDEN.search(block)) is not None:
        raise MalformedError(f"a {'NUL' if bad[0] == bytes(1) else 'bare CR'} in its head")
    first, *lines = (line.removesuffix(b"\r") for line in block.split(b"\n")[:-1])
    started = _STATUS_LINE.fullmatch(first)
    if started is None:
        raise MalformedError(f"this is no status line: {excerpt(first)}")
    if started[1] != b"1":
        raise MalformedError(f"it answers in HTTP/{_text(started[1])}.{_text(started[2])}, not in HTTP/1.1")
    return ResponseHead(int(started[3]), _reason((started[4] or b"").strip(_BLANKS)), tuple(_fields(lines)))


def _reason(data: bytes) -> str:
    """For people to read: most servers that say it in their own language do so in UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _text(data)


def _fields(lines: Iterable[bytes]) -> list[Field]:
    found: list[Field] = []
    for line in lines:
        if line.startswith((b" ", b"\t")):
            if found:  # else it comes before the first field, where it is passed over (RFC 9112, 2.2)
                name, value = found[-1]
                found[-1] = name, b"%b %b" % (value, line.strip(_BLANKS))
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip(_BLANKS)
        if not colon or _TOKEN.fullmatch(name) is None:
            raise MalformedError(f"this is no header field: {excerpt(line)}")
        found.append((name, value.strip(_BLANKS)))
    return found


def framing(fields: Iterable[Field]) -> Framing:
    """How the end of the body is found. Raises MalformedError when it cannot be told."""
    lengths, codings = list[bytes](), list[bytes]()
    for name, value in fields:
        match name.lower():
            case b"content-length":
                lengths.append(value)
            case b"transfer-encoding":
                codings += (coding.strip(_BLANKS).lower() for coding in value.split(b","))
    if lengths and codings:
        raise MalformedError("it has both Content-Length and Transfer-Encoding")
    chunked = codings[-1:] == [b"chunked"]
    others = ", ".join(_text(coding) for coding in codings if coding not in {b"chunked", b"identity", b""})
    return Framing(chunked, _length(lengths) if lengths else None, others)


def _length(values: list[bytes]) -> int:
    """The one number that all of the values say, each of which may be a list of it."""
    said = {item for value in values for part in value.split(b",") if (item := part.strip(_BLANKS))}
    if not said or not all(_NUMBER.fullmatch(item) for item in said):
        raise MalformedError(f"its Content-Length is no number: {excerpt(b', '.join(values))}")
    lengths = set(map(int, said))
    if len(lengths) > 1:
        raise MalformedError(f"its Content-Length has two meanings: {excerpt(b', '.join(values))}")
    return lengths.pop()
