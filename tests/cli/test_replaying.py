"""`failoverctl replay`: what was decided comes to the same, or it is told what does not."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import answered, written
from support.replaying import one_evening, otherwise

from failoverd.cli.options import Exit
from failoverd.config.locating import journal_of
from failoverd.core.control.inputs import Decided
from failoverd.simulation.virtual_time import run
from failoverd.store.journal import open_journal
from failoverd.store.migrations import MIGRATIONS, migrate

HOUR = 3_600.0


@pytest.fixture(scope="module")
def evening() -> list[Decided]:
    """An evening that began an hour ago."""
    return run(one_evening(), time.time() - HOUR)


async def kept(folder: Path, decisions: list[Decided]) -> tuple[str, str]:
    """A journal with these, and the options that name its configuration."""
    config = written(folder)
    async with open_journal(journal_of(config)) as journal:
        await journal.decided(decisions)
    return "--config", str(config)


async def test_what_was_decided_comes_to_the_same(tmp_path: Path, evening: list[Decided]) -> None:
    config = await kept(tmp_path, evening)
    ended = await answered("replay", *config)
    assert ended.code == Exit.FINE
    assert ended.said.startswith(
        f"reproduced: {len(evening)} decisions of 1 record came to what they came to then\nfrom "
    )
    ended = await answered("replay", "api", "--last", "2h", "--output", "json", *config)
    told = json.loads(ended.out)
    assert (ended.code, told["reproduced"], told["decisions"], told["records"]) == (0, True, len(evening), 1)


async def test_of_a_time_in_which_nothing_was_decided_what_stood_is_decided_again(
    tmp_path: Path, evening: list[Decided]
) -> None:
    config = await kept(tmp_path, evening)
    assert "reproduced: 1 decision of 1 record" in (await answered("replay", "--last", "1m", *config)).said


async def test_what_comes_to_something_else_is_a_defect_that_is_told_with_its_inputs(
    tmp_path: Path, evening: list[Decided]
) -> None:
    config = await kept(tmp_path, [*evening[:3], otherwise(evening[3]), *evening[4:]])
    ended = await answered("replay", *config)
    assert ended.code == Exit.FAILED
    assert ended.said.startswith(f"1 of {len(evening)} decisions of 1 record came to something else\nfrom ")
    assert "DIFFERS" in ended.said
    assert "  then   hold, " in ended.said
    assert "  again  in sync, " in ended.said or "  again  write, " in ended.said
    assert "  sum    without cost; with region_" in ended.said
    (difference,) = json.loads((await answered("replay", "--output", "json", *config)).out)["differences"]
    assert difference["differs_in"] == ["kind", "reasons"]
    assert difference["then"]["kind"] == "hold"
    assert difference["inputs"]["observed"]["target"]["policy"] == "api"


async def test_a_damaged_decision_is_told_with_its_place_and_the_others_are_made_again(
    tmp_path: Path, evening: list[Decided]
) -> None:
    config = await kept(tmp_path, evening)
    with closing(sqlite3.connect(journal_of(Path(config[1])), isolation_level=None)) as connection:
        connection.execute("UPDATE decisions SET body = x'00' WHERE seq = 5")
    ended = await answered("replay", *config)
    assert ended.code == Exit.FINE
    assert "reproduced: 4 decisions of 1 record" in ended.said
    assert f"note: {len(evening) - 4} decisions of api.example.com A at dns-main from " in ended.said
    assert "cannot be read: a failing disk" in ended.said


async def test_a_name_that_no_decision_has_is_told(tmp_path: Path, evening: list[Decided]) -> None:
    config = await kept(tmp_path, evening)
    ended = await answered("replay", "apl", *config)
    assert (ended.code, "did you mean" in ended.said) == (Exit.FAILED, True)


async def test_without_decisions_it_says_so(tmp_path: Path) -> None:
    config = await kept(tmp_path, [])
    ended = await answered("replay", *config)
    assert (ended.code, ended.said[:35]) == (Exit.FINE, "nothing is kept of any decision fro")


async def test_a_journal_that_is_missing_or_older_says_what_to_do(tmp_path: Path) -> None:
    config = ("--config", str(written(tmp_path)))
    assert "(journal_missing)" in (await answered("replay", *config)).said
    with closing(sqlite3.connect(journal_of(Path(config[1])), isolation_level=None)) as connection:
        migrate(connection, tmp_path, MIGRATIONS[:4])
    ended = await answered("replay", *config)
    assert "(journal_older)" in ended.said
    assert "remedy: " in ended.said
