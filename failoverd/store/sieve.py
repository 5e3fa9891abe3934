"""Rows of a disk that may have lost bits: each is believed as a whole, or left out and counted.

What a row says is checked against the type that was written, and no further: a digit that became another one is
believed. A text that is no UTF-8 any more is read with U+FFFD in place of what is lost, so that it spoils its own row
and not the whole answer of SQLite.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final, TypeVar

from pydantic import Field

T = TypeVar("T")

Moment = Annotated[float, Field(ge=0, le=253_402_300_799)]
"""Seconds since the epoch, until the end of the year 9999, which is where Python's calendar ends."""

_UNBELIEVABLE: Final = (ValueError, TypeError, LookupError, ArithmeticError)
"""What the decoders of `codec` and of this package raise for a value that was never written."""


def lenient(connection: sqlite3.Connection) -> None:
    """Have the connection read every text, whatever bytes are in it."""
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")


def extract(column: str, path: str) -> str:
    """SQL for a part of a JSON column; NULL where that holds none, which SQLite would not answer at all."""
    return f"iif(json_valid({column}), json_extract({column}, '{path}'), NULL)"


class Sieve:
    """What was left out, as pairs of table and key. Belongs to one thread."""

    def __init__(self) -> None:
        self.left_out: list[tuple[str, str]] = []

    def believed(self, table: str, key: object, decode: Callable[[], T]) -> T | None:
        """What the row says, or None if it cannot be read."""
        try:
            return decode()
        except _UNBELIEVABLE:
            self.left_out.append((table, str(key)))
            return None
