"""Where a view comes from: a daemon at work, which knows best, or else its journal."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from failoverd.api.client import ApiError, Client, DaemonUnreachableError, OnHost
from failoverd.api.shapes import AnswerBody
from failoverd.cli.failing import note, usage
from failoverd.cli.options import Output
from failoverd.cli.screen import shown
from failoverd.cli.views.spoken_times import ago
from failoverd.config.locating import socket_of
from failoverd.core.errors import ConfigError
from failoverd.telemetry.times import rfc3339

A = TypeVar("A", bound=AnswerBody)

PATIENCE: Final = 3.0
"""Seconds that a daemon has to answer: the journal is there at once, and a person waits."""

_NOTHING_SUCH: Final = frozenset({"policy_unknown", "member_unknown", "incident_unknown", "record_unknown"})


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
    output: Output,
    ask: Callable[[Client], Awaitable[A]],
    read: Callable[[ApiError], tuple[A, float | None]],
) -> Found[A]:
    """What the daemon says, or its journal where that does not answer: then a person is told so, and how old it is.

    A program finds that in the answer. `read` says what the journal holds, and when a daemon was alive last; it is
    told why none was heard.

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
    try:
        told, at = read(unheard)
    except ConfigError as error:
        if error.reason not in _NOTHING_SUCH:
            raise
        raise usage(shown(f"{error.detail}; {error.remedy or 'the journal knows no other'}")) from error
    if output is Output.TEXT:
        age = f"{ago(max(0.0, now - at))} old" if at is not None else "which no daemon has used yet"
        note(f"from the journal, {age}: {unheard.detail}{_busy(unheard, at, now)}")
    return Found(told, "journal", at)


def gone(unheard: ApiError) -> bool:
    """Whether it is certain that no daemon is there, however short ago one wrote that it runs.

    One that only answers late is judged by its last sign of life, like one that this user may not ask.
    """
    return isinstance(unheard, DaemonUnreachableError) and unheard.absent


def _busy(unheard: ApiError, at: float | None, now: float) -> str:
    from failoverd.operations.overview import SILENT_AFTER

    alive = unheard.reason == "daemon_slow" and at is not None and now - at <= SILENT_AFTER
    return "; it is at work, and busy" if alive else ""
