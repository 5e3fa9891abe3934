"""Damaged rows, and files that are no journal any more: each row is believed or left out, with a word about it."""

import os
import sqlite3
import stat
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from support.journals import TARGET, apply, closed, incident, plan

from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.errors import JournalError
from failoverd.core.events import Event, PolicyRemoved
from failoverd.core.status import Heartbeat, PolicyStatus
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading

NAME = "inference-api"
HEART = Heartbeat(210.0, 4711, 10.0, "0.1.0", "running")


async def written(path: Path) -> None:
    """Two changes, the second one in doubt; an open incident; a state and a status."""
    async with open_journal(path) as journal:
        await journal.record(incident(100.0))
        await apply(journal, 1)
        await journal.intend(plan("chg-2", generation=2), 2.0)
        memory = TargetMemory(TARGET, generation=1)
        await journal.keep(PolicyState(NAME).with_target(memory))
        await journal.update_status([HEART, PolicyStatus(NAME, 1.0, "a.yaml", "r1")])


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for statement in statements:
            other.execute(statement)


def schema(damage: str) -> tuple[str, ...]:
    """What a flipped bit does to the text that says which tables there are."""
    return "PRAGMA writable_schema = ON", f"UPDATE sqlite_schema SET {damage}"  # noqa: S608 - a test's own words


def siblings(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry.name != path.name)


UNREADABLE = {
    "half a text": "substr({0}, 1, length({0}) / 2)",
    "another shape": "'[1, 2]'",
    "no UTF-8": "CAST(x'7bff22' || CAST({0} AS BLOB) AS TEXT)",
}


def spoil(column: str, damage: str, which: str = "TRUE") -> str:
    """Damage to `table.column` of some rows."""
    table, _, name = column.partition(".")
    return f"UPDATE {table} SET {name} = {damage.format(name)} WHERE {which}"  # noqa: S608 - a test's own words


damages = pytest.mark.parametrize("damage", UNREADABLE.values(), ids=UNREADABLE)


# -- the daemon --------------------------------------------------------------------------------------------------------


@damages
async def test_an_answer_that_cannot_be_read_is_not_known_and_its_changes_are(path: Path, damage: str) -> None:
    await written(path)
    sql(path, spoil("answers.body", damage))
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        good, changes = await journal.recall(TARGET, 0.0)
        await journal.recall(TARGET, 0.0)
    assert good is None
    assert [change.change_id for change in changes] == ["chg-1"]
    assert [notice.reason for notice in notices] == ["journal_row_unreadable"]
    assert "answers" in str(notices[0])


@damages
async def test_a_change_whose_shares_cannot_be_read_is_left_out_alone(path: Path, damage: str) -> None:
    await written(path)
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        await apply(journal, 3)
        sql(path, spoil("changes.shares_after", damage, "change_id = 'chg-1'"))
        good, changes = await journal.recall(TARGET, 0.0)
    assert good is not None
    assert [change.change_id for change in changes] == ["chg-3"]
    assert [notice.reason for notice in notices] == ["journal_row_unreadable"]
    assert "chg-1" in str(notices[0])


@damages
async def test_a_change_whose_plan_cannot_be_read_counts_for_any_cause(path: Path, damage: str) -> None:
    await written(path)
    sql(path, spoil("changes.plan", damage))
    async with open_journal(path) as journal:
        _, changes = await journal.recall(TARGET, 0.0)
        await apply(journal, 3)  # which looks at the plan before it
    assert [(change.change_id, change.shifts) for change in changes] == [("chg-1", None)]


async def test_a_change_at_no_time_of_this_world_is_left_out(path: Path) -> None:
    await written(path)
    sql(path, "UPDATE changes SET settled_at = 9e300")
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        assert (await journal.recall(TARGET, 0.0))[1] == ()
    assert [notice.reason for notice in notices] == ["journal_row_unreadable"]


@damages
async def test_a_start_takes_up_what_can_be_read_and_says_how_much_cannot(path: Path, damage: str) -> None:
    await written(path)
    async with open_journal(path) as journal:
        await journal.keep(PolicyState("web"))
    sql(
        path,
        spoil("states.body", damage, f"policy = '{NAME}'"),
        spoil("changes.plan", damage),
    )
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        states = await journal.states()
        assert await journal.interrupted(5.0) == ()
    assert [(state.policy, state.targets) for state in states] == [("web", {}), (NAME, {})]
    assert states[1].incident is not None  # the events tell it
    assert [notice.reason for notice in notices] == ["journal_row_unreadable"] * 2
    assert "2 rows" in str(notices[0])


async def test_a_state_that_is_of_another_policy_or_target_than_its_row_is_left_out(path: Path) -> None:
    await written(path)
    sql(path, "UPDATE states SET body = replace(body, 'inference-api', 'inference-apj')")
    async with open_journal(path) as journal:
        assert [state.targets for state in await journal.states()] == [{}]


async def test_an_event_that_has_no_place_in_the_history_does_not_keep_the_others_out(path: Path) -> None:
    """A file name that is no UTF-8 comes with half characters, which no text of SQLite can hold."""
    async with open_journal(path) as journal:
        await journal.record([PolicyRemoved(at=1.0, policy="half \udcff"), closed(2.0)])
    with HistoryReading(path) as reading:
        assert [row.name for row in reading.events()] == ["policy.removed", "incident.closed"]


async def test_an_event_that_cannot_be_told_is_kept_with_its_name_alone(path: Path) -> None:
    def speechless(event: Event) -> tuple[str, Mapping[str, object]]:
        raise KeyError(event.name)

    async with open_journal(path, words=speechless) as journal:
        await journal.record([closed(2.0)])
    with HistoryReading(path) as reading:
        assert [(row.name, row.facts) for row in reading.events()] == [("incident.closed", {})]


async def test_whatever_goes_wrong_in_a_transaction_is_the_journals_error_and_undoes_it(path: Path) -> None:
    """A number that is too large for SQLite, say: nobody who steers traffic has to know of such things."""
    async with open_journal(path) as journal:
        with pytest.raises(JournalError) as caught:
            await journal.intend(plan("chg-1", generation=2**70), 1.0)
        await apply(journal, 2)
    assert caught.value.reason == "journal_failed"
    assert "OverflowError" in str(caught.value)


# -- a file that is no journal any more --------------------------------------------------------------------------------

UNUSABLE = {
    "a version that never was": ("PRAGMA user_version = -5",),
    "an older version than its tables": ("PRAGMA user_version = 1",),
    "a schema that is no SQL": schema("sql = replace(sql, 'CREATE', 'CREBTE') WHERE name = 'changes'"),
    "a table whose name is no text": schema(
        "sql = CAST(x'ffff' AS TEXT), name = CAST(x'ff' AS TEXT) WHERE name = 'changes'"
    ),
    "a column of another name": schema("sql = replace(sql, 'settled_at', 'settled_au') WHERE name = 'changes'"),
    "a table of another name": ("ALTER TABLE answers RENAME TO answerz",),
    "a column too few": ("ALTER TABLE incidents DROP COLUMN cause",),
}


@pytest.mark.parametrize("damage", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_journal_that_cannot_be_used_is_kept_beside_and_a_new_one_is_begun(
    path: Path, damage: tuple[str, ...]
) -> None:
    await written(path)
    sql(path, *damage)
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        await apply(journal, 7)
        assert [change.change_id for change in (await journal.recall(TARGET, 0.0))[1]] == ["chg-7"]
    assert [notice.reason for notice in notices] == ["journal_corrupt"]
    aside = [name for name in siblings(path) if name.startswith("journal.db.corrupt-")]
    assert aside
    assert aside[0] in str(notices[0])


async def test_where_no_journal_can_be_begun_the_old_one_stays_in_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SQLite that is too old for our tables is no fault of the file."""
    await written(path)

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("near STRICT: syntax error")

    monkeypatch.setattr("failoverd.store.migrations._step", refuse)
    sql(path, "PRAGMA user_version = 1")
    async with open_journal(path) as journal:
        with pytest.raises(JournalError) as caught:
            await journal.touch()
    assert caught.value.reason == "journal_failed"
    assert siblings(path) == []


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["fifo", "directory"])
async def test_what_is_no_file_is_refused_at_once_and_left_alone(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    before = kind_of(path)
    async with open_journal(path) as journal:
        with pytest.raises(JournalError) as caught:
            await journal.touch()
    assert caught.value.reason == "journal_not_a_file"
    with pytest.raises(JournalError) as caught:
        HistoryReading(path)
    assert caught.value.reason == "journal_not_a_file"
    assert kind_of(path) == before


def behind_a_link(path: Path, content: bytes | None = None) -> Path:
    """Where the link leads to, in a directory of its own."""
    real = path.parent / "volume" / "real.db"
    real.parent.mkdir()
    path.symlink_to(real)
    if content is not None:
        real.write_bytes(content)
    return real


def kind_of(path: Path) -> int:
    return stat.S_IFMT(path.stat().st_mode)


def points_to(path: Path) -> Path:
    return path.readlink()


def modes_in(directory: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in directory.iterdir()}


async def test_a_link_to_where_no_file_is_yet_leads_to_one_that_only_the_group_reads(path: Path) -> None:
    real = behind_a_link(path)
    async with open_journal(path) as journal:
        await apply(journal, 1)
        modes = modes_in(real.parent)
    assert modes == {"real.db": 0o640, "real.db-wal": 0o640, "real.db-shm": 0o640}


async def test_a_broken_journal_behind_a_link_is_kept_beside_itself_and_the_link_stays(path: Path) -> None:
    real = behind_a_link(path, b"not a database at all, " * 100)
    async with open_journal(path) as journal:
        await apply(journal, 1)
    assert points_to(path) == real
    assert [name for name in siblings(real) if name.startswith("real.db.corrupt-")]
    with HistoryReading(path) as reading:
        assert len(reading.changes()) == 1


# -- whoever reads it --------------------------------------------------------------------------------------------------


@damages
async def test_what_cannot_be_read_is_left_out_of_the_views_and_counted(path: Path, damage: str) -> None:
    await written(path)
    async with open_journal(path) as journal:
        await journal.update_status([PolicyStatus("web", 1.0, "b.yaml", "r1")])
    sql(
        path,
        spoil("changes.plan", damage, "change_id = 'chg-1'"),
        spoil("statuses.body", damage, "policy = 'web'"),
        spoil("events.facts", damage, "name = 'change.verified'"),
        "UPDATE events SET at = 9e300 WHERE name = 'region.failed'",
        spoil("answers.body", damage),
    )
    with HistoryReading(path) as reading:
        assert [row.change_id for row in reading.changes()] == ["chg-2"]
        assert reading.skipped == 1
        assert [row.policy for row in reading.policies()] == [NAME]
        assert reading.heartbeat() == HEART
        assert reading.skipped == 2
        assert len(reading.events()) == len(incident(100.0)) - 2
        assert reading.skipped == 4
        assert reading.endpoints(healthy=False) == ()
        assert reading.last_good(TARGET) is None
        assert reading.skipped == 5
