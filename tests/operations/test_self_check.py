"""The nightly look at the last day: quiet where everything comes to the same, and told where it does not."""

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from support.replaying import one_evening, otherwise
from support.virtual import virtually

from failoverd.core.control.figures import ReplayedFigures
from failoverd.core.events import Event, ReplayDiffered
from failoverd.operations.self_check import DAY, PART, SelfCheck, until_night
from failoverd.simulation.virtual_time import now, run
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.store.rows import plain_words
from failoverd.telemetry import prose

EVENING: Final = run(one_evening())
NOW: Final = 2_000.0


def looking(journal: SqliteJournal, told: list[Event], now: float = NOW, pause: float = 0.0) -> SelfCheck:
    return SelfCheck(journal, told.append, lambda: now, pause)


async def test_a_day_that_comes_to_the_same_is_counted_and_told_to_nobody(tmp_path: Path) -> None:
    told: list[Event] = []
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.decided(EVENING)
        check = looking(journal, told)
        assert check.figures == ReplayedFigures()
        await check.look()
    assert (told, check.figures) == ([], ReplayedFigures(NOW, len(EVENING)))


async def test_a_difference_is_told_once_for_each_policy_with_the_command_that_shows_it(tmp_path: Path) -> None:
    told: list[Event] = []
    decisions = [*EVENING[:4], otherwise(EVENING[4]), otherwise(EVENING[5]), *EVENING[6:]]
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.decided(decisions)
        check = looking(journal, told)
        await check.look()
    (event,) = told
    assert isinstance(event, ReplayDiffered)
    assert (event.policy, event.decisions, event.differing) == ("api", len(EVENING), 2)
    assert (event.decided_at, event.record) == (EVENING[4].inputs.now, "api.example.com A")
    assert event.command == "failoverctl replay api --last 1d"
    assert event.command in prose.say(event)
    assert check.figures == ReplayedFigures(NOW, len(EVENING), 2)


async def test_what_another_version_decided_before_an_update_is_left_out(tmp_path: Path) -> None:
    told: list[Event] = []
    older = [replace(otherwise(each), version="0.0.9") for each in EVENING[:4]]
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.decided([*older, *EVENING[4:]])
        check = looking(journal, told)
        await check.look()
    assert (told, check.figures.decisions) == ([], len(EVENING) - 4)


async def test_only_the_last_day_is_looked_at_and_how_it_began(tmp_path: Path) -> None:
    told: list[Event] = []
    later = EVENING[3].inputs.now + 1e-3 + DAY
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.decided([*map(otherwise, EVENING[:3]), *EVENING[3:]])
        check = looking(journal, told, later)
        await check.look()
    assert (told, check.figures.decisions) == ([], len(EVENING) - 3)


async def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    told: list[Event] = []
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.decided(EVENING)
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as connection:
            connection.execute("UPDATE decisions SET body = x'00' WHERE seq = 3")
        check = looking(journal, told)
        await check.look()
    assert (told, check.figures) == ([], ReplayedFigures(NOW, 2, 0, len(EVENING) - 2))


async def test_a_journal_that_does_not_work_ends_the_look(tmp_path: Path) -> None:
    told: list[Event] = []
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.decided(EVENING)
    check = looking(journal, told)
    await check.look()
    assert (told, check.figures) == ([], ReplayedFigures())


async def test_everybody_else_has_a_turn_after_each_decision(tmp_path: Path) -> None:
    others = list(EVENING)
    for number in range(30):
        target = replace(EVENING[0].inputs.target, zone=f"zone-{number}.example")
        observed = replace(EVENING[0].inputs.observed, target=target)
        others.append(replace(EVENING[0], inputs=replace(EVENING[0].inputs, observed=observed)))
    turns = 0
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.decided(others)
        check = looking(journal, [], pause=1e-3)
        look = asyncio.create_task(check.look())
        while not look.done():
            turns += 1
            await asyncio.sleep(0)
    assert turns > len(others)


@virtually
async def test_what_took_long_is_followed_by_a_pause_as_long_as_keeps_it_a_small_part() -> None:
    journal = SqliteJournal(Path("nowhere.db"), lambda _: None, plain_words)
    check, begun = looking(journal, [], pause=0.01), now()
    await check._rest(time.monotonic())
    assert now() - begun < 1.0
    await check._rest(time.monotonic() - 1.0)
    assert now() - begun >= 1.0 / PART - 1.0


def test_it_is_due_at_half_past_three() -> None:
    assert until_night(0.0) == 12_600.0
    assert until_night(12_600.0 + 1.0) == DAY - 1.0
