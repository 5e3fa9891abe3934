"""What every view of the journal has in common: it says what it had to leave out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from failoverd.cli.failing import note
from failoverd.store.statuses import StatusReading

R = TypeVar("R", bound=StatusReading)


@contextmanager
def opened(reading: R) -> Iterator[R]:
    """The journal for the time of a verb. Afterwards a person is told how many rows of it could not be read."""
    with reading:
        try:
            yield reading
        finally:
            if reading.skipped:
                rows = "1 row" if reading.skipped == 1 else f"{reading.skipped} rows"
                note(
                    f"{rows} of the journal cannot be read and left out: a failing disk, or another version wrote them"
                )
