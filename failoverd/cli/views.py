"""`failoverctl status`, `why` and `history`: what is known. They read the journal, and import nothing that probes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from failoverd.cli.failing import print_json, told, usage
from failoverd.cli.options import Output
from failoverd.cli.showing import show_history, show_status, show_why
from failoverd.config.locating import journal_of
from failoverd.core.errors import ConfigError
from failoverd.operations import history as histories
from failoverd.operations import overview as overviews
from failoverd.operations import why as explanations
from failoverd.operations.moments import moment
from failoverd.settings import parse_duration
from failoverd.store.reading import Reading

console = Console(highlight=False)


@contextmanager
def _reading(config: Path) -> Iterator[Reading]:
    with told(), Reading(journal_of(config)) as reading:
        yield reading


def status(config: Path, output: Output) -> None:
    with _reading(config) as reading:
        now = time.time()
        if output is Output.JSON:
            print_json(overviews.as_json(overviews.overview(reading), now))
        else:
            show_status(console, overviews.overview(reading, healthy=False), now)


def why(config: Path, output: Output, policy: str | None, at: str | None, incident: str | None) -> None:
    until = _moment(at)
    with _reading(config) as reading:
        found = explanations.why(reading, policy=policy, at=until, incident=incident)
        if found is None:
            raise ConfigError("no change is known", reason="no_change", remedy="failoverctl status says what waits")
        if output is Output.JSON:
            print_json(explanations.as_json(found))
        else:
            show_why(console, found)


def history(config: Path, output: Output, policy: str | None, since: str, limit: int) -> None:
    begin = time.time() - _duration(since)
    with _reading(config) as reading:
        moves = histories.history(reading.changes(policy=policy, since=begin, limit=limit))
        if output is Output.JSON:
            print_json(histories.as_json(moves))
        else:
            show_history(console, moves)


def _moment(text: str | None) -> float | None:
    try:
        return moment(text, time.time()) if text is not None else None
    except ValueError as error:
        raise usage(f"{text!r} is not a time: write 03:12 or 2026-11-22T03:12") from error


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise usage(str(error)) from error
