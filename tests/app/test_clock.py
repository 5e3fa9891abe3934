"""Somebody sets the wall clock while the daemon runs."""

import time
from pathlib import Path

import pytest
from support.daemons import provider_block, site
from support.living import living, tells
from support.servers import DnsServer

from failoverd import app
from failoverd.core.events import ClockJumped, DaemonStarted
from failoverd.operations.overview import daemon_state
from failoverd.store.reading import HistoryReading


@pytest.mark.parametrize("jump", [3_600.0, -3_600.0])
async def test_a_living_daemon_is_not_called_silent_after_the_clock_was_set(
    bind_server: DnsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    monkeypatch.setattr(app, "HEARTBEAT", 0.05)
    wall_clock = time.time
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, living(here) as life:
        await life.until(tells(DaemonStarted))
        monkeypatch.setattr(time, "time", lambda: wall_clock() + jump)
        await life.until(tells(ClockJumped))
        with HistoryReading(tmp_path / "journal.db") as reading:
            beat = reading.heartbeat()
        assert beat is not None
        assert daemon_state(beat, time.time()) == "running"
        assert abs(time.time() - beat.at) < 5.0
