"""What the daemon forgets: history that is older than `retention`, and where policies stood that are gone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.daemons import EMBEDDED, site
from support.journals import incident, plan

from failoverd.app import Daemon
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import JournalError
from failoverd.core.events import DaemonStarted, Event
from failoverd.core.status import PolicyStatus
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading

DAY = 86_400.0


def complain(error: JournalError) -> None:
    raise error


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[Daemon]:
    """The daemon in this process, from its start on."""
    started = asyncio.Event()

    def take(event: Event) -> None:
        if isinstance(event, DaemonStarted):
            started.set()

    daemon = Daemon(config, [take])
    life = asyncio.create_task(daemon.run())
    try:
        await asyncio.wait([life, asyncio.create_task(started.wait())], return_when=asyncio.FIRST_COMPLETED)
        yield daemon
    finally:
        daemon.stop("the test is over")
        await life


async def test_the_regular_job_deletes_history_that_is_older_than_the_retention(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        here.config.write_text(here.config.read_text() + "retention: 2d\n")
        now = time.time()
        async with open_journal(tmp_path / "journal.db", complain) as journal:
            for change, at in (("chg-old", now - 3 * DAY), ("chg-new", now - DAY)):
                await journal.record([event for event in incident(at, change, change) if not event.incident_id])
                await journal.settle(plan(change), ChangeOutcome.APPLIED, "", at)

        async with running(here.config) as daemon:
            job = daemon._timetable._scheduler.get_job("retention")
            assert job.trigger.interval.total_seconds() <= 3_600
            await job.func()
            with HistoryReading(tmp_path / "journal.db") as reading:
                known = {change.change_id for change in reading.changes()}  # and the daemon's own, if it was quick
                assert known & {"chg-old", "chg-new"} == {"chg-new"}
                assert min(event.at for event in reading.events()) >= now - 2 * DAY
                assert any(event.at < now - DAY / 2 for event in reading.events())


async def test_a_start_forgets_where_policies_stood_that_are_gone(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        gone = PolicyStatus(policy="gone", at=time.time(), file="policies/gone.yaml", revision="r1")
        async with open_journal(tmp_path / "journal.db", complain) as journal:
            await journal.update_status([gone])
        async with running(here.config):
            with HistoryReading(tmp_path / "journal.db") as reading:
                assert [policy.policy for policy in reading.policies()] == ["api"]


@pytest.mark.parametrize("text", ["policy: lame\nversion: 1\n", "no policy at all: [\n"], ids=["named", "unreadable"])
async def test_a_start_forgets_nothing_of_a_policy_whose_file_does_not_load(tmp_path: Path, text: str) -> None:
    """It may be mended in a minute, and then has to know what it changed, and in which incident it is."""
    async with site(tmp_path, EMBEDDED) as here:
        lame = PolicyStatus(policy="lame", at=time.time(), file="policies/lame.yaml", revision="r1")
        async with open_journal(tmp_path / "journal.db", complain) as journal:
            await journal.update_status([lame])
            await journal.keep(PolicyState("lame"))
        (here.config.parent / "policies" / "lame.yaml").write_text(text)
        async with running(here.config):
            pass
        async with open_journal(tmp_path / "journal.db", complain) as journal:
            assert "lame" in {state.policy for state in await journal.states()}
