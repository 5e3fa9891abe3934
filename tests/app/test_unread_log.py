"""A log that nobody reads: the daemon steers traffic all the same, and says afterwards what was lost."""

import asyncio
import fcntl
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.commands import written
from support.daemons import EAST, NAME, PATIENCE, provider_block, site
from support.servers import DnsServer

_SMALL = """
from failoverd.telemetry import lines
lines.CAPACITY = 3
from failoverd.cli.daemon import main
main()
"""
"""The daemon, for whose log three lines may wait."""

_CRASHES = """
import sys
from pathlib import Path
from failoverd.cli import running
from failoverd.core.events import DaemonStopped
from failoverd.telemetry import lines

class Defective:
    def __init__(self, path, sinks):
        self.tell = sinks[0]

    async def run(self):
        self.tell(DaemonStopped(at=0.0, cause="a defect"))
        raise RuntimeError("a defect")

lines._PATIENCE = 0.1
running.Daemon = Defective
try:
    running.run_daemon(Path(sys.argv[-1]))
finally:
    print("a last word", file=sys.stderr)
"""
"""A daemon with a defect, which has something to say about it."""


@asynccontextmanager
async def unread(program: str, config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A daemon whose standard error is a full pipe, and the end of it that nobody reads."""
    reading, writing = os.pipe()
    size = fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4_096)
    os.write(writing, b"x" * (size - 1) + b"\n")
    command = [sys.executable, "-c", program, "run", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stderr=writing)
    os.close(writing)
    try:
        yield process, reading
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        os.close(reading)


async def test_a_failover_takes_place_and_what_was_lost_of_its_log_is_told_once_it_is_read(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with (
        site(tmp_path, {"main": provider_block("main", bind_server)}) as here,
        unread(_SMALL, here.config) as (daemon, log),
    ):
        await here.tells(lambda printed: NAME in printed, "history")
        await here.break_region("west")
        await here.tells(lambda printed: "to east 100%" in printed, "why")
        assert bind_server.dig(NAME, "A") == [EAST]
        reading = asyncio.create_task(asyncio.to_thread(lines_of, log))
        daemon.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(daemon.wait(), PATIENCE) == 0
        told = await reading
    lost = [line["lines"] for line in told if line["event"] == "log.lost"]
    assert len(lost) == 1
    assert lost[0] > 5


async def test_a_daemon_whose_log_nobody_reads_ends_all_the_same(tmp_path: Path) -> None:
    async with unread(_CRASHES, written(tmp_path / "here")) as (daemon, _):
        assert await asyncio.wait_for(daemon.wait(), PATIENCE) == 1


def lines_of(log: int) -> list[dict[str, Any]]:
    """Every line of the log, to its end, without what filled the pipe."""
    with os.fdopen(os.dup(log), "rb") as stream:
        text = stream.read().decode("ascii")
    return [json.loads(line) for line in text.splitlines()[1:]]
