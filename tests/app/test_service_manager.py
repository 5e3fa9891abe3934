"""The daemon under a service manager: what it says on $NOTIFY_SOCKET, heard on a real socket."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from support.daemons import EMBEDDED, NAME, site
from support.living import living, tells
from support.servers import ZONE

from failoverd.core.events import DaemonStarted, TaskCrashed
from failoverd.core.status import Heartbeat, Status

PATIENCE = 20.0
KEY = "key: {name: failoverd, secret_file: /nonexistent/tsig.key}"

Said = dict[str, str]
WELL = {"STATUS": "all well: 1 policy"}


class Manager:
    """What systemd does: a datagram socket, and a watchdog."""

    def __init__(self, address: Path, watchdog: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(address))
        self._socket.setblocking(False)
        self.env = {
            "NOTIFY_SOCKET": str(address),
            "WATCHDOG_USEC": str(round(watchdog * 1_000_000)),
            "WATCHDOG_PID": "",
        }

    async def hears(self, fits: Callable[[Said], bool]) -> Said:
        """The next message that fits, whatever comes before it."""
        async with asyncio.timeout(PATIENCE):
            while not fits(said := await self._next()):
                pass
        return said

    async def _next(self) -> Said:
        text = (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    async def next_transition(self) -> Said:
        """The next message that is no sign of life and no mere status."""
        return await self.hears(lambda said: bool(said.keys() - {"WATCHDOG", "STATUS"}))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify", watchdog=0.6)
    yield made
    made.close()


async def test_the_manager_hears_of_the_start_the_signs_of_life_a_reload_and_the_stop(
    manager: Manager, tmp_path: Path
) -> None:
    async with site(tmp_path, EMBEDDED) as here, here.daemon(env=manager.env) as daemon:
        assert (await manager.next_transition()).keys() == {"READY", "STATUS"}
        assert daemon.process.returncode is None

        for _ in range(3):
            await manager.hears(lambda said: said == {"WATCHDOG": "1"})
            assert (await manager.hears(lambda said: "STATUS" in said)).keys() == {"STATUS"}
        await manager.hears(lambda said: said == WELL)

        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        daemon.signal(signal.SIGHUP)
        reloading = await manager.next_transition()
        assert reloading.keys() == {"RELOADING", "MONOTONIC_USEC"}
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        assert await manager.next_transition() == {"READY": "1", **WELL}

        await here.break_region("west")
        await manager.hears(lambda said: said.get("STATUS", "").startswith("1 of 1 moved: api left "))

        daemon.signal(signal.SIGTERM)
        assert (await manager.next_transition())["STOPPING"] == "1"
        assert await daemon.ended() == 0


async def test_the_manager_is_told_what_status_tells(manager: Manager, tmp_path: Path) -> None:
    """A provider that cannot be read is nothing that is well."""
    nobody = {"main": f"  main: {{kind: rfc2136, zones: [{ZONE}], server: '127.0.0.1:9', nameservers: none, {KEY}}}"}
    async with site(tmp_path, nobody) as here, here.daemon(env=manager.env):
        begin = f"1 of 1 is degraded: api ({NAME} A at main) cannot be read or written: "
        await manager.hears(lambda said: said.get("STATUS", "").startswith(begin))
        await here.tells(lambda printed: printed.startswith(begin), "status")


async def test_a_reload_of_files_that_do_not_load_ends_for_the_manager_too(manager: Manager, tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here, here.daemon(env=manager.env) as daemon:
        assert "READY" in await manager.next_transition()
        here.policy.write_text("[")
        daemon.signal(signal.SIGHUP)
        assert "RELOADING" in await manager.next_transition()
        assert "READY" in await manager.next_transition()
        await daemon.event("config.rejected")


async def test_a_defect_in_a_reload_does_not_leave_the_manager_waiting(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise RuntimeError("a defect")

    for name, value in manager.env.items():
        monkeypatch.setenv(name, value)

    async with site(tmp_path, EMBEDDED) as here, living(here) as life:
        await life.until(tells(DaemonStarted))
        assert "READY" in await manager.next_transition()
        monkeypatch.setattr(life.daemon._reloader, "reload", fail)
        with pytest.raises(RuntimeError, match="a defect"):
            await life.daemon.reload()
        assert "RELOADING" in await manager.next_transition()
        assert "READY" in await manager.next_transition()


async def test_a_defect_in_the_words_of_where_things_stand_ends_neither_the_start_nor_the_heartbeat(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal has the signs of life all the same: whoever asks does not take the daemon for silent."""

    def fail(*_: object, **__: object) -> str:
        raise ValueError("a defect")

    for name, value in manager.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("failoverd.app.headline", fail)

    async with site(tmp_path, EMBEDDED) as here, living(here) as life:
        assert "cannot be said" in (await manager.hears(lambda said: "READY" in said))["STATUS"]
        writer, beaten = life.daemon._engine.writer, asyncio.Event()
        written = writer.update_status

        async def write(statuses: Sequence[Status]) -> bool:
            if any(isinstance(status, Heartbeat) for status in statuses):
                beaten.set()
            return await written(statuses)

        monkeypatch.setattr(writer, "update_status", write)
        async with asyncio.timeout(PATIENCE):
            await beaten.wait()
        assert {event.task for event in life.events if isinstance(event, TaskCrashed)} == {"headline"}
