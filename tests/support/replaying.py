"""What a simulated daemon decided, on its way through the journal's file, and decided again."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from support.commands import CONFIG, written
from support.stage import API, AZURE, NORMAL, normal, playing
from support.virtual import until

from failoverd.config.locating import journal_of
from failoverd.core.control.inputs import Decided
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.replaying import Discrepancy, discrepancy
from failoverd.core.reasons import ReasonCode
from failoverd.simulation.virtual_time import elapse
from failoverd.store.decisions import DecisionLog, DecisionSpelling, revisions_in, rows_in, targets_in
from failoverd.store.journal import open_journal
from failoverd.store.migrations import migrate

MANY = 10

API_FILE = """\
version: 1
policy: api
records:
  - {name: api.example.com, type: A, ttl: 30s, providers: [dns-main]}
regions:
  azure: {share: 70, endpoints: [192.0.2.10]}
  oci: {share: 30, endpoints: [198.51.100.10]}
checks:
  live: {https: /, every: 10s, timeout: 2s}
health: {fall: 3, rise: 2, recheck: 500ms}
failback: {after: 1m}
limits: {max_changes: 50 per 1h, max_shift: 100% per 5m}
"""
"""The file of `support.stage.API`."""

_REGIONS = "version: 1\nregions:\n  azure: {cloud: azure}\n  oci: {cloud: oci}\n"


async def remembered(folder: Path, decisions: Sequence[Decided]) -> Path:
    """A configuration with that file, whose journal has these decisions; says where it is."""
    said = CONFIG.replace("local", "dns-main").replace("example.test", "example.com")
    config = written(folder, {"api.yaml": API_FILE, "regions.yaml": _REGIONS}, said)
    async with open_journal(journal_of(config)) as journal:
        await journal.decided(decisions)
    return config


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


def otherwise(decided: Decided) -> Decided:
    """What came of it is another thing: as if the stages had been others then."""
    came = replace(decided.came, kind=OutcomeKind.HOLD, reasons=(ReasonCode.COST, *decided.came.reasons[1:]))
    return replace(decided, came=came)


def unlike_then(decisions: Sequence[Decided]) -> list[str]:
    """Decisions that come to something else once they are read and made again, a line each."""
    found = map(discrepancy, through_the_journal(decisions))
    return [told(each) for each in found if each is not None]


def told(found: Discrepancy) -> str:
    at, target = found.decided.inputs.now, found.decided.inputs.target
    return f"{at:.3f} {target} {found.differs_in} {found.error}: {found.decided.came} / {found.again}"
