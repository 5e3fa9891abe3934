"""A journal that is broken, full or stuck loses history, and never traffic."""

import asyncio
from dataclasses import replace

from support.approving import limits
from support.stage import API, AT, AZURE, NORMAL, Stage, normal, playing, policy
from support.virtual import until, virtually

from failoverd.core.errors import JournalError
from failoverd.core.events import (
    IncidentClosed,
    JournalFailed,
    PlanHeld,
    TargetDelayed,
)
from failoverd.core.records import Policy
from failoverd.core.status import RegionStatus, TargetStatus
from failoverd.simulation.virtual_time import elapse, now

BROKEN = JournalError("the disk is gone", reason="journal_io", remedy="look at the disk")


async def out_and_back(stage: Stage, found: Policy) -> None:
    """One return is spent."""
    stage.fails(AZURE)
    await until(stage.steers(found, oci=100.0))
    stage.heals(AZURE)
    await until(stage.steers(found, **NORMAL))


@virtually
async def test_with_a_broken_journal_traffic_is_steered_and_limits_hold_from_memory() -> None:
    found = policy(limits=limits(max_changes=1, changes_window=600.0), failback_after=10.0)
    stage = Stage()
    stage.journal.broken = BROKEN
    async with playing(found, stage=stage):
        await until(stage.steers(found, **NORMAL))
        await out_and_back(stage, found)
        stage.fails(AZURE)
        await until(stage.steers(found, oci=100.0))
        stage.heals(AZURE)
        await until(lambda: stage.told(PlanHeld))
        await elapse(300.0)
        assert stage.shares(found) == {"oci": 100.0}
        assert [event.reason for event in stage.told(JournalFailed)] == ["journal_io"]


@virtually
async def test_limits_from_memory_survive_a_newer_revision() -> None:
    found = policy(limits=limits(max_changes=1, changes_window=600.0), failback_after=10.0)
    stage = Stage()
    stage.journal.broken = BROKEN
    async with playing(found, stage=stage):
        await until(stage.steers(found, **NORMAL))
        await out_and_back(stage, found)
        stage.fails(AZURE)
        await until(stage.steers(found, oci=100.0))
        await stage.states.recall(AT, now())  # somebody asks for a shorter time
        await stage.take_up(replace(found, owner="somebody-else"))
        stage.heals(AZURE)
        await until(lambda: stage.told(PlanHeld))


@virtually
async def test_a_full_disk_is_said_once_although_reading_still_works() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.journal.full = JournalError("no space left", reason="journal_full")
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        await elapse(300.0)
        assert len(stage.told(JournalFailed)) == 1
        stage.journal.full = None
        stage.heals(AZURE)
        await until(lambda: stage.told(IncidentClosed))
        stage.journal.full = JournalError("no space left", reason="journal_full")
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        await elapse(30.0)
        assert len(stage.told(JournalFailed)) == 2


@virtually
async def test_a_journal_that_stalls_delays_a_change_by_seconds_and_no_more() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.journal.stuck = asyncio.Event()
        stage.fails(AZURE)
        fault = now()
        await until(stage.steers(API, oci=100.0))
        assert now() - fault <= 11.0 + 10.0
        await elapse(120.0)
        assert len(stage.told(JournalFailed)) == 1
        assert stage.told(TargetDelayed) == []
        stage.journal.stuck.set()


def down(stage: Stage) -> bool:
    """Whether the journal says that a region is down."""
    return any(isinstance(each, RegionStatus) and each.state == "down" for each in stage.journal.statuses.values())


@virtually
async def test_what_happened_while_the_disk_was_full_is_told_by_status_afterwards() -> None:
    """The next change may be days away, and until then `status` would say that all is well."""
    async with playing(API) as stage:
        await normal(stage)
        stage.journal.full = JournalError("no space left", reason="journal_full")
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        await stage.engine.remind()
        assert not down(stage)
        stage.journal.full = None
        await stage.engine.remind()
        assert down(stage)
        (told,) = [each for each in stage.journal.statuses.values() if isinstance(each, TargetStatus)]
        assert told.published == {"oci": 10_000}


@virtually
async def test_a_journal_that_was_begun_anew_is_given_what_is_known() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        await elapse(60.0)
        stage.journal.statuses.clear()
        stage.journal.states.clear()
        stage.engine.emit(JournalFailed(at=now(), reason="journal_missing", error="begun anew"))
        await stage.engine.remind()
        assert down(stage)
        (kept,) = stage.journal.states_kept()
        assert (kept.incident is not None, kept.of(AT).last_good is not None) == (True, True)
        stage.journal.statuses.clear()
        await stage.engine.remind()
        assert not stage.journal.statuses  # nothing is written twice
