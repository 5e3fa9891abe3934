import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.journals import AFTER, TARGET

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.incident import Incident
from failoverd.core.errors import JournalError
from failoverd.core.reasons import Cause
from failoverd.operations.why import why
from failoverd.store.journal import open_journal
from failoverd.store.migrations import APPLICATION_ID, MIGRATIONS, migrate, version_of
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import reasoning

OLD_FILES = Path(__file__).parent / "versions"
"""One `vN.sql` for each released version: the dump of a journal that this version made. They are never edited."""


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(path, isolation_level=None)
    yield opened
    opened.close()


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def test_every_released_version_has_a_file_to_migrate_from() -> None:
    assert sorted(file.name for file in OLD_FILES.iterdir()) == [f"v{n}.sql" for n in range(1, len(MIGRATIONS) + 1)]


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
async def test_a_journal_of_every_earlier_version_is_read_and_written_after_the_migration(
    path: Path, connection: sqlite3.Connection, version: int
) -> None:
    connection.executescript((OLD_FILES / f"v{version}.sql").read_text(encoding="utf-8"))
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        last_good, changes = await journal.recall(TARGET, 0.0)
        assert last_good is not None
        assert (last_good.generation, last_good.records) == (8, AFTER)
        assert [(change.change_id, change.generation) for change in changes] == [("chg-1", 8)]
        (state,) = await journal.states()
        assert (state.policy, state.incident) == ("inference-api", Incident("inc-1", 1_000.1, changes=1))
    assert notices == []
    with HistoryReading(path) as reading:
        assert len(reading.events(incident_id="inc-1")) == 6
        assert len(reading.targets()) == (version >= 3)  # what was told in another shape is told anew
        told = why(reading, 2_000.0, policy=None, at=None, incident=None)
    assert told is not None
    assert told.reasons == ("oci-ashburn gets 100%",)
    assert told.limits[0].startswith("max_shift")
    assert version_of(connection) == len(MIGRATIONS)


@pytest.mark.parametrize("version", [1, 2])
async def test_what_an_older_version_began_is_taken_up(
    path: Path, connection: sqlite3.Connection, version: int
) -> None:
    """A plan whose end nobody knows, with the kind of its decision, and sentences for reasons."""
    connection.executescript((OLD_FILES / f"v{version}.sql").read_text(encoding="utf-8"))
    connection.execute("UPDATE changes SET outcome = NULL, settled_at = NULL")
    async with open_journal(path) as journal:
        (plan,) = await journal.interrupted(2_000.0)
        assert (plan.id, plan.decision.kind) == ("chg-1", DecisionKind.FAILOVER)
        assert [reasoning.words(reason) for reason in plan.decision.reasons] == ["oci-ashburn gets 100%"]


@pytest.mark.parametrize("version", [1, 2])
async def test_changes_of_an_older_version_count_towards_every_ration(
    path: Path, connection: sqlite3.Connection, version: int
) -> None:
    """It did not say why traffic moved."""
    connection.executescript((OLD_FILES / f"v{version}.sql").read_text(encoding="utf-8"))
    async with open_journal(path) as journal:
        _, (change,) = await journal.recall(TARGET, 0.0)
    assert change.rationed == {Cause.TUNING: 7_000, Cause.RETURNING: 7_000}


@pytest.mark.parametrize("version", [1, 2])
def test_an_incident_that_was_closed_is_not_opened_again(
    path: Path, connection: sqlite3.Connection, version: int
) -> None:
    connection.executescript((OLD_FILES / f"v{version}.sql").read_text(encoding="utf-8"))
    connection.execute("UPDATE incidents SET closed_at = 2000.0")
    migrate(connection, path)
    assert connection.execute("SELECT count(*) FROM states").fetchone() == (0,)


def test_an_empty_file_becomes_a_journal(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path)
    assert version_of(connection) == len(MIGRATIONS)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_migrating_twice_changes_nothing(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path)
    before = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    migrate(connection, path)
    assert connection.execute("SELECT sql FROM sqlite_master").fetchall() == before


def test_a_later_version_adds_its_step_to_a_file_that_is_in_use(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path)
    migrate(connection, path, [*MIGRATIONS, ["ALTER TABLE incidents ADD COLUMN severity TEXT"]])
    assert version_of(connection) == len(MIGRATIONS) + 1
    connection.execute("SELECT severity FROM incidents")


def test_a_migration_that_fails_half_way_leaves_the_version_before(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path)
    broken = ["CREATE TABLE half (done)", "CREATE TABLE changes (again)"]
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, path, [*MIGRATIONS, broken])
    assert version_of(connection) == len(MIGRATIONS)
    assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchone() is None


async def test_a_journal_of_a_newer_failoverd_is_refused_and_left_as_it_is(
    connection: sqlite3.Connection, path: Path
) -> None:
    migrate(connection, path, [*MIGRATIONS, ["CREATE TABLE of_the_future (x)"]])
    before = content_of(path)
    async with open_journal(path) as journal:
        with pytest.raises(JournalError, match="knows versions up to") as caught:
            await journal.recall(TARGET, 0.0)
    assert caught.value.reason == "journal_newer"
    assert caught.value.remedy
    assert content_of(path) == before
