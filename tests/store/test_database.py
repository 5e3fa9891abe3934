"""The journal's file under bad luck: full, corrupt, deleted, locked, somebody else's, and kill -9."""

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from support.journals import TARGET, apply

from failoverd.core.errors import JournalError
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.store.reading import HistoryReading

WRITER = """
import asyncio, sys
from pathlib import Path
from support.journals import apply
from failoverd.store.journal import open_journal

async def main():
    async with open_journal(Path(sys.argv[1])) as journal:
        for number in range(1, 1_000_000):
            await apply(journal, number)
            print(number, flush=True)

asyncio.run(main())
"""


async def reason(journal: SqliteJournal) -> str:
    with pytest.raises(JournalError) as caught:
        await apply(journal, 99)
    assert "traffic is not affected" in str(caught.value)
    assert caught.value.remedy
    return caught.value.reason


async def written(path: Path, number: int = 1) -> None:
    async with open_journal(path) as journal:
        await apply(journal, number)


def damage(path: Path) -> None:
    """Overwrite the middle of the file, header left intact."""
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def siblings(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry.name != path.name)


async def test_kill_9_in_the_middle_of_writing_leaves_a_journal_that_can_be_read_and_written(path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert process.stdout is not None
    told = 0
    async with asyncio.timeout(20):
        while told < 40:
            told = int(await process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = (await process.communicate())[0].split()
    told = int(rest[-1]) if rest else told

    with HistoryReading(path) as reading:
        last_good = reading.last_good(TARGET)
    assert last_good is not None
    assert last_good.generation in {told, told + 1}
    async with open_journal(path) as journal:
        assert len(await journal.interrupted(1e6)) <= 1
        await apply(journal, told + 10)


async def test_a_full_disk_loses_what_is_new_and_nothing_else_until_there_is_space_again(path: Path) -> None:
    async with open_journal(path) as journal:
        await apply(journal, 1)
        await journal._write(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
        with pytest.raises(JournalError) as caught:
            await fill(journal)
        assert caught.value.reason == "journal_full"
        last_good, changes = await journal.recall(TARGET, 0.0)
        assert last_good is not None
        assert changes
        with HistoryReading(path) as reading:
            assert reading.change("chg-1") is not None
        await journal._write(lambda connection: connection.execute("PRAGMA max_page_count = 100000"))
        await apply(journal, 5_000)


async def fill(journal: SqliteJournal) -> None:
    """Write until there is no room left in the pages that the file has already."""
    for number in range(2, 1_000):
        await apply(journal, number)


async def test_a_deleted_journal_is_begun_anew_at_the_next_write_and_somebody_is_told(path: Path) -> None:
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        await apply(journal, 1)
        remove(path)
        await apply(journal, 2)
        with HistoryReading(path) as reading:
            assert [row.change_id for row in reading.changes()] == ["chg-2"]
    assert [notice.reason for notice in notices] == ["journal_missing"]


@pytest.mark.parametrize("content", [b"not a database at all, " * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
async def test_a_file_that_is_no_database_is_kept_beside_and_a_new_one_is_begun(path: Path, content: bytes) -> None:
    put(path, content)
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        await apply(journal, 1)
        assert (await journal.recall(TARGET, 0.0))[0] is not None
    assert [notice.reason for notice in notices] == ["journal_corrupt"]
    (aside,) = siblings(path)
    assert aside.startswith("journal.db.corrupt-")
    assert aside in str(notices[0])
    assert (path.parent / aside).read_bytes() == content


async def test_a_journal_with_broken_pages_is_kept_beside_and_a_new_one_is_begun(path: Path) -> None:
    await written(path)
    damage(path)
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        await apply(journal, 2)
    assert [notice.reason for notice in notices] == ["journal_corrupt"]
    with HistoryReading(path) as reading:
        assert [row.change_id for row in reading.changes()] == ["chg-2"]


async def test_a_journal_that_breaks_while_it_is_open_heals_at_the_next_write(path: Path) -> None:
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        for number in range(1, 30):
            await apply(journal, number)
        await journal._transact(lambda _: None, "DEFERRED")
        await journal._write(lambda connection: connection.execute("PRAGMA cache_size = 0"))
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        damage(path)
        assert await reason(journal) == "journal_corrupt"
        await apply(journal, 100)
    assert [notice.reason for notice in notices] == ["journal_corrupt"]


async def test_a_locked_journal_is_an_error_and_not_a_standstill(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.store.database.BUSY_SECONDS", 0.05)
    async with open_journal(path) as journal:
        await apply(journal, 1)
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert await reason(journal) == "journal_locked"
            assert (await journal.recall(TARGET, 0.0))[0] is not None
            other.execute("ROLLBACK")
        other.close()
        await apply(journal, 2)


async def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE precious (thing)")
    other.close()
    before = content_of(path)
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        with pytest.raises(JournalError, match="another program"):
            await apply(journal, 1)
    assert [notice.reason for notice in notices] == ["journal_foreign"]
    assert content_of(path) == before


async def test_a_place_that_cannot_be_written_is_said_and_works_as_soon_as_it_can(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file where a directory should be")
    notices: list[JournalError] = []
    async with open_journal(blocked / "journal.db", notices.append) as journal:
        assert await reason(journal) == "journal_unwritable"
        blocked.unlink()
        await apply(journal, 1)
    assert [notice.reason for notice in notices] == ["journal_unwritable"]


async def test_a_slow_disk_does_not_stall_the_event_loop(path: Path) -> None:
    async with open_journal(path) as journal:
        turns = 0
        writing = asyncio.create_task(journal._write(lambda connection: connection.execute(_SLOW).fetchall()))
        while not writing.done():
            await asyncio.sleep(0)
            turns += 1
        await writing
    assert turns > 100


_SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT count(*) FROM n"
