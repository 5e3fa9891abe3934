"""A journal that is broken, full or stuck loses history, and never traffic."""

import asyncio
from dataclasses import replace

from support.approving import limits
from support.stage import API, AT, AZURE, NORMAL, Stage, normal, playing, policy
from support.virtual import elapse, now, until, virtually

from failoverd.core.errors import JournalError
from failoverd.core.events import (
    IncidentClosed,
    JournalFailed,
    PlanHeld,
    TargetDelayed,
)
from failoverd.core.records import Policy

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
