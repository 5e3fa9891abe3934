"""Times as people read them at night."""

from datetime import UTC, datetime
from typing import Final

from failoverd.telemetry import phrases

_END: Final = 253_402_300_800
"""Seconds since the epoch: the end of the year 9999, which is that of Python's calendar."""


def clock(at: float | None) -> str:
    """A moment that no calendar has, which a damaged file may name, is shown as its number."""
    if at is not None and not 0 <= at < _END:
        return f"{at:g}s"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at is not None else "-"


def ago(seconds: float) -> str:
    """The same as `phrases.ago` where room is scarce: `12s`, `4m`, `2h`, `3d`."""
    return phrases.ago(seconds).replace(" min", "m").replace(" ", "")
