"""Hundreds of damaged journals, and a daemon that starts with each of them: no start and no failover is lost.

A failure names its seed. FAILOVERD_SOAK=n plays n times as many: 5,000 in `make soak`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from support.fuzzing import SOAK
from support.stage import API, AT, AZURE, NORMAL, Stage
from support.virtual import until

from failoverd.api.telling import status_told
from failoverd.core.errors import JournalError
from failoverd.core.events import DecisionCrashed, TargetDelayed, TaskCrashed
from failoverd.operations.overview import overview
from failoverd.operations.why import why
from failoverd.simulation.virtual_time import now, run
from failoverd.simulation.world import World
from failoverd.simulation.zonefile import Zonefile
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import prose

PARTS = 4
COPIES = 100 // PARTS * SOAK
"""In each part: parts are played in parallel."""

WITHIN = 30.0
"""Seconds of the scenario from the fault to the last answer without the dead region."""


class AtOnce(ThreadPoolExecutor):
    """Does everything while it is asked to: a virtual clock waits for no thread."""

    def submit(self, work: Any, /, *args: Any, **named: Any) -> "Future[Any]":  # noqa: ANN401 - the port's shape
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **named))
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            done.set_exception(error)
        return done


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.store.journal.ThreadPoolExecutor", AtOnce)


class OnDisk(Stage):
    """A daemon with a journal that is a file."""

    def __init__(self, journal: SqliteJournal, zonefile: Zonefile, world: World) -> None:
        self.on_disk = journal
        super().__init__(zonefile=zonefile, world=world, journal=journal)  # type: ignore[arg-type]  # the real one

    async def wake_up(self) -> None:
        """What the daemon does at its start."""
        journal, writer = self.on_disk, self.engine.writer
        states = await writer.protect(journal.states(), reads=True) or ()
        interrupted = await writer.protect(journal.interrupted(now())) or ()
        self.begin([API], states, interrupted)
        await self.booted()
        await writer.protect(journal.retain({API.name}, now()))
        await writer.protect(journal.orphaned([AT], ()))


async def lives(path: Path, zonefile: Zonefile, world: World) -> None:
    """A day with everything in it, and a kill in the middle of the night."""
    async with open_journal(path, words=prose.told) as journal:
        stage = OnDisk(journal, zonefile, world)
        await stage.wake_up()
        await until(stage.steers(API, **NORMAL))
        for _ in range(3):
            stage.fails(AZURE)
            await until(stage.steers(API, oci=100.0))
            stage.heals(AZURE)
            await until(stage.steers(API, **NORMAL))
        zonefile.put(AT, None)
        await until(stage.steers(API, **NORMAL))
        await asyncio.sleep(60.0)
        await stage.engine.writer.update_status(stage.engine.statuses())
        await stage.engine.writer.flush()
        await stage.kill()


async def fails_over(path: Path, zonefile: Zonefile) -> list[str]:
    """The life after it: names of the journal's complaints."""
    notices: list[JournalError] = []
    await asyncio.sleep(86_400.0)
    async with open_journal(path, notices.append, prose.told) as journal:
        stage = OnDisk(journal, zonefile, World(now))
        await stage.wake_up()
        await until(stage.steers(API, **NORMAL), within=WITHIN)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0), within=WITHIN)
        for kind in (DecisionCrashed, TargetDelayed, TaskCrashed):
            assert stage.told(kind) == []
        await stage.stop()
    return [notice.reason for notice in notices]


def damaged(content: bytes, seed: int) -> bytes:
    luck = random.Random(seed)  # noqa: S311 - a script, no secret
    copy = bytearray(content)
    for _ in range(luck.choice((1, 1, 2, 8, 64))):
        copy[luck.randrange(len(copy))] ^= 1 << luck.randrange(8)
    return bytes(copy)


@contextmanager
def naming(seed: int) -> Iterator[None]:
    try:
        yield
    except Exception as failure:
        failure.add_note(f"seed {seed}")
        raise


def views(path: Path) -> None:
    """Whoever reads it gets an answer or a word about the file."""
    try:
        with HistoryReading(path) as reading:
            status_told(overview(reading, 2_000.0), 2_000.0).to_json()
            reading.events()
            reading.incidents()
            reading.changes()
            reading.last_good(AT)
            why(reading, 2_000.0, policy=None, at=None, incident=None)
    except JournalError as error:
        if not error.remedy:
            raise


@pytest.mark.parametrize("part", range(PARTS))
def test_whichever_bits_of_the_journal_are_flipped_the_daemon_starts_and_fails_over(tmp_path: Path, part: int) -> None:
    path, zonefile, kept = tmp_path / "journal.db", Zonefile(), Counter[str]()
    run(lives(path, zonefile, World(now)))
    content = path.read_bytes()
    for seed in range(part, PARTS * COPIES, PARTS):
        copy = tmp_path / f"{seed}.db"
        copy.write_bytes(damaged(content, seed))
        with naming(seed):
            views(copy)
            kept.update(run(fails_over(copy, deepcopy(zonefile))))
            views(copy)
        for file in tmp_path.glob(f"{seed}.db*"):
            file.unlink()
    assert kept.keys() <= {"journal_corrupt", "journal_row_unreadable", "journal_foreign", "journal_newer"}, kept
    assert kept["journal_corrupt"] > 0
