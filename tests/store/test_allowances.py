"""The ledger of daily allowances: never exceeded, not by two at once, not by a restart, not by a file that is lost."""

import asyncio
import sqlite3
from pathlib import Path

from failoverd.store.journal import open_journal

ACCOUNT, DAY, NEXT_DAY = "/run/secrets/key", "2026-11-22", "2026-11-23"


def written(path: Path) -> dict[tuple[str, str], int]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT account, day, amount FROM spending").fetchall()
    connection.close()
    return {(account, day): amount for account, day, amount in rows}


async def test_what_does_not_fit_is_not_taken(path: Path) -> None:
    async with open_journal(path) as journal:
        assert await journal.reserve(ACCOUNT, DAY, 60, 100)
        assert not await journal.reserve(ACCOUNT, DAY, 41, 100)
        assert await journal.reserve(ACCOUNT, DAY, 40, 100)
    assert written(path) == {(ACCOUNT, DAY): 100}


async def test_many_at_once_do_not_overspend_together(path: Path) -> None:
    async with open_journal(path) as one, open_journal(path) as other:
        taken = await asyncio.gather(*(each.reserve(ACCOUNT, DAY, 7, 100) for each in (one, other) for _ in range(20)))
    assert sum(taken) == 14
    assert written(path) == {(ACCOUNT, DAY): 98}


async def test_what_is_given_back_can_be_spent_again(path: Path) -> None:
    async with open_journal(path) as journal:
        assert await journal.reserve(ACCOUNT, DAY, 100, 100)
        await journal.refund(ACCOUNT, DAY, 30)
        assert not await journal.reserve(ACCOUNT, DAY, 31, 100)
        assert await journal.reserve(ACCOUNT, DAY, 30, 100)


async def test_no_more_is_given_back_than_was_spent(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.refund(ACCOUNT, DAY, 30)
        assert not await journal.reserve(ACCOUNT, DAY, 101, 100)


async def test_each_day_and_each_account_has_its_own(path: Path) -> None:
    async with open_journal(path) as journal:
        assert await journal.reserve(ACCOUNT, DAY, 100, 100)
        assert await journal.reserve(ACCOUNT, NEXT_DAY, 100, 100)
        assert await journal.reserve("other", DAY, 100, 100)
        assert not await journal.reserve(ACCOUNT, DAY, 1, 100)  # a clock that was set back finds what it left


async def test_a_loop_of_restarts_does_not_begin_anew(path: Path) -> None:
    taken = []
    for _ in range(5):
        async with open_journal(path) as journal:
            taken.append(await journal.reserve(ACCOUNT, DAY, 30, 100))
    assert taken == [True, True, True, False, False]


async def test_a_file_that_is_lost_while_the_daemon_runs_does_not_begin_anew(path: Path) -> None:
    async with open_journal(path) as journal:
        assert await journal.reserve(ACCOUNT, DAY, 90, 100)
        for file in path.parent.iterdir():
            file.unlink()
        assert not await journal.reserve(ACCOUNT, DAY, 20, 100)
        assert await journal.reserve(ACCOUNT, DAY, 10, 100)
    assert written(path) == {(ACCOUNT, DAY): 100}


async def test_nothing_is_spent_that_cannot_be_written_down(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with open_journal(tmp_path / "file" / "journal.db") as journal:
        assert not await journal.reserve(ACCOUNT, DAY, 1, 100)
        await journal.refund(ACCOUNT, DAY, 1)


async def test_past_days_are_remembered_for_a_year_whatever_a_wrong_clock_says(path: Path) -> None:
    async with open_journal(path) as journal:
        assert await journal.reserve(ACCOUNT, DAY, 1, 100)
        assert await journal.reserve(ACCOUNT, "2027-12-27", 1, 100)
        assert (ACCOUNT, DAY) in written(path)
        assert await journal.reserve(ACCOUNT, "2027-12-28", 1, 100)
    assert set(written(path)) == {(ACCOUNT, "2027-12-27"), (ACCOUNT, "2027-12-28")}
