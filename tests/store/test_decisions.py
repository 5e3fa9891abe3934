"""Decisions on their way through the journal: small, pruned, and read again although a part is damaged."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from support.approving import limits
from support.replaying import one_evening, told
from support.stage import AT, Stage, endpoints, playing, policy

from failoverd.core.control.inputs import Decided, bare
from failoverd.core.control.replaying import discrepancy
from failoverd.core.errors import JournalError
from failoverd.core.records import RegionSpec
from failoverd.core.status import PolicyStatus
from failoverd.simulation.virtual_time import elapse, run
from failoverd.store.decisions import LONGEST, DecisionLog, DecisionReading
from failoverd.store.journal import open_journal
from failoverd.store.migrations import migrate

WEEK, HOUR = 604_800.0, 3_600.0

LIMIT: Final = 50_000_000


EVENING: Final = run(one_evening())


def later(decided: Decided, seconds: float) -> Decided:
    return replace(decided, inputs=replace(decided.inputs, now=decided.inputs.now + seconds))


def read(path: Path, since: float = 0.0, until: float = 1e12) -> tuple[list[Decided], list[float]]:
    lost: list[float] = []
    with DecisionReading(path) as reading:
        return [each for number, _ in reading.decided() for each in reading.decisions(number, since, until, lost)], lost


def breaking(log: DecisionLog, connection: sqlite3.Connection) -> None:
    """A disk that fails in the middle."""
    log.write(connection, EVENING[2:4])
    raise OSError("no space left on device")


def without_lines(decisions: Sequence[Decided]) -> list[Decided]:
    return [replace(each, policy=bare(each.policy)) for each in decisions]


async def test_what_was_decided_is_read_as_it_was(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.decided(EVENING[:3])
        await journal.decided(EVENING[3:])
    assert read(path) == (without_lines(EVENING), [])
    with DecisionReading(path) as reading:
        assert [target for _, target in reading.decided()] == [AT]


async def test_a_part_of_the_time_begins_with_what_was_so_before(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.decided(EVENING)
    since, until = EVENING[4].inputs.now - 1e-3, EVENING[6].inputs.now
    assert read(path, since, until)[0] == without_lines(EVENING[3:6])
    assert read(path, 1e9)[0] == without_lines(EVENING[-1:]), "nothing was decided since, and so it stood"


async def test_a_process_that_begins_anew_begins_a_chapter(path: Path) -> None:
    for part in (EVENING[:4], EVENING[4:]):
        async with open_journal(path) as journal:
            await journal.decided(part)
    assert read(path)[0] == without_lines(EVENING)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(DISTINCT chapter) FROM decisions").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM revisions").fetchone() == (1,)


async def test_what_a_broken_write_left_out_is_in_the_next_one_as_a_whole(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.decided(EVENING[:2])
        with pytest.raises(JournalError):
            await journal._write(partial(breaking, journal._decisions))
        await journal.decided(EVENING[4:])
    assert read(path) == (without_lines([*EVENING[:2], *EVENING[4:]]), [])


@pytest.mark.parametrize("damage", [b"", b"{", b"\x78\x9c\x00", b"[]", b'{"~": {"none": {"=": 1}}}', b'{"=": 1}'])
async def test_damage_loses_the_rest_of_its_chapter_and_nothing_else(path: Path, damage: bytes) -> None:
    for part in (EVENING[:4], EVENING[4:]):
        async with open_journal(path) as journal:
            await journal.decided(part)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE decisions SET body = ? WHERE seq = 3", (damage,))
    found, lost = read(path)
    assert found == without_lines([*EVENING[:2], *EVENING[4:]])
    assert lost == [each.inputs.now for each in EVENING[2:4]]


async def test_a_policy_that_is_damaged_loses_what_was_decided_by_it(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.decided(EVENING)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE revisions SET body = x'7b7d'")
    found, lost = read(path)
    assert (found, len(lost)) == ([], len(EVENING))


async def test_decisions_go_with_their_age_but_for_the_newest_of_a_policy_at_work(path: Path) -> None:
    async with open_journal(path) as journal:
        for each in EVENING:
            await journal.decided([each])
        await journal.update_status([PolicyStatus("api", 1.0, "api.yaml", "r1")])
        assert await journal.prune(1e9) == 0, "it says how things stand"
        await journal.dismiss("api")
        assert await journal.prune(1e9) == len(EVENING)
        await journal.decided(EVENING[-1:])
    assert read(path)[0] == without_lines(EVENING[-1:])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM revisions").fetchone() == (1,)


async def test_the_oldest_chapters_go_where_there_are_too_many_bytes(path: Path) -> None:
    async with open_journal(path) as journal:
        for number in range(3 * LONGEST):
            await journal.decided([later(EVENING[number % len(EVENING)], number * 1_000.0)])
        with closing(sqlite3.connect(path)) as connection:
            (whole,) = connection.execute("SELECT sum(length(body)) FROM decisions").fetchone()
        journal.most_decisions = whole
        await journal.prune(0.0)
        assert len(read(path)[0]) == 3 * LONGEST
        journal.most_decisions = whole * 3 // 4
        await journal.prune(0.0)
        assert len(read(path)[0]) == 2 * LONGEST
        journal.most_decisions = 0
        await journal.prune(0.0)
        assert len(read(path)[0]) == LONGEST, "the newest chapter stays"
    first = EVENING[2 * LONGEST % len(EVENING)].inputs.now + 200_000.0
    assert read(path)[0][0].inputs.now == first


async def test_a_released_journal_is_replayed(path: Path) -> None:
    """What an earlier version kept is read, and comes to the same."""
    text = (Path(__file__).parent / "versions" / "v5.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(text)
    async with open_journal(path):
        pass
    found, lost = read(path)
    assert (len(found), lost) == (9, [])
    assert [told(each) for each in map(discrepancy, found) if each is not None] == []


def test_a_week_of_a_thousand_endpoints_of_which_a_hundredth_flaps_is_small() -> None:
    """A hundred policies of ten endpoints: ten of these policies have one that falls every five minutes."""

    def ten(region: str, network: str) -> RegionSpec:
        return RegionSpec(region, 5_000, endpoints(region, *(f"{network}.{last}" for last in range(1, 6))))

    flapping = policy(
        "flapping",
        regions=(ten("azure", "192.0.2"), ten("oci", "198.51.100")),
        limits=limits(max_changes=4),
    )
    lasts = 3 * HOUR

    async def evening() -> list[Decided]:
        async with playing(flapping, stage=Stage(tick=30.0)) as stage:
            for _ in range(round(lasts / 300.0)):
                stage.fails("192.0.2.1")
                await elapse(120.0)
                stage.heals("192.0.2.1")
                await elapse(180.0)
            await stage.stop()
            return stage.journal.decisions

    decisions = run(evening())
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, Path(":memory:"))
        log = DecisionLog()
        log.write(connection, decisions[:1])
        (quiet,) = connection.execute("SELECT sum(length(body)) FROM decisions").fetchone()
        log.write(connection, decisions[1:])
        (busy,) = connection.execute("SELECT sum(length(body) + 40) FROM decisions").fetchone()  # its row and its index
    week = 10 * busy * WEEK / lasts + 90 * quiet
    assert len(decisions) > 60
    assert week < LIMIT, f"{week / 1e6:.0f} MB"
    assert busy / len(decisions) < 300


async def test_of_a_policy_at_work_old_chapters_go_and_the_newest_stays(path: Path) -> None:
    parts = [EVENING[:3], EVENING[3:6], EVENING[6:]]
    for part in parts:
        async with open_journal(path) as journal:
            await journal.decided(part)
    async with open_journal(path) as journal:
        await journal.update_status([PolicyStatus("api", 1.0, "api.yaml", "r1")])
        assert await journal.prune(EVENING[4].inputs.now) == 3, "a chapter goes once all of it is old"
        assert await journal.prune(EVENING[5].inputs.now + 1e-3) == 3
        assert await journal.prune(1e9) == 0
    assert read(path) == (without_lines(parts[2]), [])


async def test_a_decision_that_cannot_be_said_keeps_no_other_out_and_is_told_once(path: Path) -> None:
    unsayable = replace(EVENING[1], inputs=replace(EVENING[1].inputs, spare={"azure": object()}))  # type: ignore[dict-item]
    notices: list[JournalError] = []
    async with open_journal(path, notices.append) as journal:
        await journal.decided([EVENING[0], unsayable, *EVENING[2:4]])
        await journal.decided([unsayable, *EVENING[4:]])
    assert read(path) == (without_lines([EVENING[0], *EVENING[2:]]), [])
    assert [notice.reason for notice in notices] == ["journal_decision_unwritable"]


async def test_what_was_decided_while_the_clock_was_ahead_hides_nothing_that_follows(path: Path) -> None:
    ahead = [*EVENING[:3], later(EVENING[3], 1e9), *EVENING[4:]]
    async with open_journal(path) as journal:
        await journal.decided(ahead)
    assert read(path, until=1e6) == (without_lines([*EVENING[:3], *EVENING[4:]]), [])


async def test_a_policy_of_many_records_is_read_once(path: Path) -> None:
    target = replace(EVENING[0].inputs.target, zone="elsewhere.example")
    observed = replace(EVENING[0].inputs.observed, target=target)
    other = replace(EVENING[0], inputs=replace(EVENING[0].inputs, observed=observed))
    async with open_journal(path) as journal:
        await journal.decided([EVENING[0], other])
    (one, two), lost = read(path)
    assert (one.policy is two.policy, lost) == (True, [])
