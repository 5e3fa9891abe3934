"""What a simulated daemon decided, on its way through the journal's file, and decided again."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from support.stage import API, AZURE, NORMAL, normal, playing
from support.virtual import until

from failoverd.core.control.inputs import Decided
from failoverd.core.control.replaying import Discrepancy, discrepancy
from failoverd.simulation.virtual_time import elapse
from failoverd.store.decisions import DecisionLog, DecisionSpelling, revisions_in, rows_in, targets_in
from failoverd.store.migrations import migrate

MANY = 10


async def one_evening() -> list[Decided]:
    """A region falls, and comes back."""
    async with playing(API) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        stage.heals(AZURE)
        await until(stage.steers(API, **NORMAL))
        await elapse(60.0)
        await stage.stop()
        return stage.journal.decisions


def through_the_journal(decisions: Sequence[Decided]) -> list[Decided]:
    """As they are read again, by target and time."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, Path(":memory:"))
        log = DecisionLog()
        for part in range(0, len(decisions), MANY):
            log.write(connection, decisions[part : part + MANY])
        found = list[Decided]()
        for number, _ in targets_in(connection):
            spelling, rows = DecisionSpelling(), rows_in(connection, number, 0.0, limit=1_000_000)
            spelling.learn(lacking := spelling.lacks(rows), revisions_in(connection, lacking))
            found += filter(None, map(spelling.read, rows))
            assert spelling.lost == []
    assert len(found) == len(decisions)
    return found


def unlike_then(decisions: Sequence[Decided]) -> list[str]:
    """Decisions that come to something else once they are read and made again, a line each."""
    found = map(discrepancy, through_the_journal(decisions))
    return [told(each) for each in found if each is not None]


def told(found: Discrepancy) -> str:
    at, target = found.decided.inputs.now, found.decided.inputs.target
    return f"{at:.3f} {target} {found.differs_in} {found.error}: {found.decided.came} / {found.again}"
