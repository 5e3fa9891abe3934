"""Where a view comes from: a daemon at work, which knows best, or else its journal, which says what it left out."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from failoverd.api.client import ApiError, Client, OnHost
from failoverd.api.shapes import Answer
from failoverd.cli.failing import note, usage
from failoverd.cli.options import Output
from failoverd.cli.screen import shown
from failoverd.cli.views.times import ago
from failoverd.config.locating import journal_of, socket_of
from failoverd.store.statuses import StatusReading
from failoverd.telemetry.times import rfc3339

R = TypeVar("R", bound=StatusReading)
A = TypeVar("A", bound=Answer)

PATIENCE: Final = 3.0
"""Seconds that a daemon has to answer: the journal is there at once, and a person waits."""

_NOTHING_SUCH: Final = frozenset({"policy_unknown", "incident_unknown"})


@dataclass(frozen=True, slots=True)
class Found(Generic[A]):
    """What was told, by whom (`daemon` or `journal`), and of which moment that is; None if no daemon ever ran."""

    told: A
    by: str
    at: float | None

    def plain(self) -> dict[str, Any]:
        """As JSON, with where it comes from."""
        source = {"from": self.by, "at": rfc3339(self.at) if self.at is not None else None}
        return {**json.loads(self.told.to_json()), "source": source}


def found(
    config: Path,
    ask: Callable[[Client], Awaitable[A]],
    open_journal: Callable[[Path], R],
    read: Callable[[R], A],
    output: Output,
) -> Found[A]:
    """What the daemon says, or its journal where that does not answer: then a person is told so, and how old it is.

    A program reads that in the answer.

    Raises:
        JournalError: neither can be asked.
        typer.BadParameter: what was asked about is nothing that it knows.
    """
    now = time.time()

    async def asked() -> A:
        return await ask(Client(OnHost(socket_of(config)), patience=PATIENCE))

    try:
        return Found(asyncio.run(asked()), "daemon", now)
    except ApiError as error:
        if error.reason in _NOTHING_SUCH:
            raise usage(shown(error.detail)) from error
        if error.reason == "no_change":
            raise
        unheard = error
    with opened(open_journal(journal_of(config))) as reading:
        told = read(reading)
        beat = reading.heartbeat()
    at = beat.at if beat is not None else None
    if output is Output.TEXT:
        age = f"{ago(max(0.0, now - at))} old" if at is not None else "which no daemon has used yet"
        note(f"from the journal, {age}: {unheard.detail}")
    return Found(told, "journal", at)


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
