"""What a probe found, before it is timed: a reason, a detail for people, and numbers."""

from enum import StrEnum
from typing import NamedTuple

from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Model
from failoverd.foreign import shown

MAX_DETAIL = 200
"""Characters that a detail may have."""


class Phase(StrEnum):
    """Where a probe stands. The first four are also the names of its timings."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    FIRST_BYTE = "first_byte"
    ANSWER = "answer"


class Finding(NamedTuple):
    """What a probe came to, before it is timed. `served` is the model that it saw, if it looked for one just now."""

    reason: ProbeReason
    detail: str = ""
    measures: tuple[tuple[str, float], ...] = ()
    served: Model | None = None


class Concluded(Exception):  # noqa: N818 - not an error: the probe is over and this is what it found
    """Ends a probe early, from any depth, with what was found."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.detail)
        self.finding = finding


def printable(text: str, limit: int = MAX_DETAIL) -> str:
    """`text` with everything that a terminal would obey instead of show escaped, cut to `limit` characters."""
    if len(text) <= limit and text.isprintable():
        return text
    escaped = shown(text[:limit])
    return escaped if len(escaped) <= limit and len(text) <= limit else escaped[: limit - 1] + "…"


def excerpt(data: bytes, limit: int = 40) -> str:
    """The beginning of what a target sent, fit for a log line."""
    return f'"{printable(data[: limit + 1].decode("utf-8", "backslashreplace"), limit)}"'
