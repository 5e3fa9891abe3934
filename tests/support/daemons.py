"""The real daemon as a process of its own, with regions on loopback; what happens is read from its log.

async with site(folder, server) as here, here.daemon() as daemon:
    await daemon.event("change.applied")
    await here.break_region("west")
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from support.commands import REGIONS, answered
from support.forked import TESTS, Forked, forked
from support.servers import ZONE, DnsServer

from failoverd.cli.demo.surroundings import DemoRegion

T = TypeVar("T")

PATIENCE = 30.0
NAME = f"api.{ZONE}"
WEST, EAST = "127.87.0.1", "127.87.0.2"
EMBEDDED = {"main": f"  main: {{kind: embedded, zones: [{ZONE}], listen: '127.0.0.1:0'}}"}
"""The provider of a daemon that answers by itself."""

POLICY = """\
version: 1
policy: api
records:
  - {name: %(name)s, type: A, ttl: 5s, providers: [%(providers)s]}
weights: membership
regions:
  west: {share: 50, endpoints: ["127.87.0.1:%(port)d"]}
  east: {share: 50, endpoints: ["127.87.0.2:%(port)d"]}
checks:
  live: {http: /health, every: 300ms, timeout: 10s}
health: {fall: 3, rise: 2, recheck: 100ms}
failback: {after: 500ms}
limits: {min_regions: 1, max_shift: 100%% per 5m, max_changes: 100 per 1h}
on_drift: restore
"""

CONFIG = """\
version: 1
owner: tests
policies: policies
journal: journal.db
tick: 500ms
resolver: ["127.0.0.1:9"]  # nobody is there: no test may ask the system's resolver who serves a zone
log: {format: json}
providers:
%(providers)s
"""


def provider_block(name: str, server: DnsServer, /, **changes: object) -> str:
    """One provider of the daemon's configuration, talking to a real server."""
    values: dict[str, object] = {
        "kind": "rfc2136",
        "server": f"127.0.0.1:{server.port}",
        "zones": f"[{ZONE}]",
        "timeout": "10s",
        "nameservers": f'["{server.address}:{server.port}"]',
        "key": f"{{name: {server.key.name}, algorithm: {server.key.algorithm}, secret_file: {server.key.bind_file}}}",
    }
    values.update(changes)
    return f"  {name}: {{{', '.join(f'{key}: {value}' for key, value in values.items())}}}"


@dataclass
class RunningDaemon:
    """`failoverd run`, every event that it logged, and `log`, everything that it wrote there."""

    process: asyncio.subprocess.Process | Forked
    events: list[dict[str, Any]] = field(default_factory=list)
    log: bytearray = field(default_factory=bytearray, repr=False)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _read: int = 0

    async def follow(self) -> None:
        """Read the log until the daemon is gone."""
        stream = self.process.stderr
        assert stream is not None
        while line := await stream.readline():
            self.log += line
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    self.events.append(found)
            async with self._news:
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    async def event(self, name: str, **facts: object) -> dict[str, Any]:
        """The next event of that name with those facts, after the last one that was waited for."""

        def fits(found: Mapping[str, Any]) -> bool:
            return found.get("event") == name and all(found.get(key) == value for key, value in facts.items())

        return await self.until(fits, f"{name} {facts}")

    async def each(self, *wanted: str | tuple[str, Mapping[str, object]]) -> None:
        """The next event of each name (with those facts), in whatever order they come: much goes on side by side."""
        begin = end = self._read
        for one in wanted:
            name, facts = (one, {}) if isinstance(one, str) else one
            self._read = begin
            await self.event(name, **facts)
            end = max(end, self._read)
        self._read = end

    async def until(self, fits: Callable[[Mapping[str, Any]], bool], words: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                while True:
                    for index in range(self._read, len(self.events)):
                        if fits(self.events[index]):
                            self._read = index + 1
                            return self.events[index]
                    assert not self.process.stderr.at_eof(), self._log(f"the daemon ended before {words}")  # type: ignore[union-attr]
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(self._log(f"never saw {words}")) from None

    def named(self, name: str) -> list[dict[str, Any]]:
        return [found for found in self.events if found.get("event") == name]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """How the process ended, by itself."""
        try:
            return await asyncio.wait_for(self.process.wait(), PATIENCE)
        except TimeoutError:
            raise AssertionError(self._log("the daemon did not end")) from None

    def _log(self, words: str) -> str:
        return words + "; the log:\n" + "\n".join(json.dumps(found) for found in self.events[-30:])


async def first_of(asked: Mapping[str, Coroutine[Any, Any, T]]) -> tuple[str, T]:
    """Who of several answers first, and what. The others are not waited for.

    Raises:
        AssertionError: one that had ended by then failed.
    """
    waiting = {asyncio.create_task(each): name for name, each in asked.items()}
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        first, *_ = [(waiting[each], each.result()) for each in done]
        return first
    finally:
        for each in waiting:
            each.cancel()


@asynccontextmanager
async def followed(process: asyncio.subprocess.Process | Forked) -> AsyncIterator[RunningDaemon]:
    """A daemon whose log is read, killed at the end if it still runs."""
    daemon = RunningDaemon(process)
    following = asyncio.create_task(daemon.follow())
    try:
        yield daemon
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await following


@dataclass
class Site:
    """A folder with configuration, and the regions that it speaks of."""

    folder: Path
    port: int
    regions: dict[str, DemoRegion]

    @property
    def config(self) -> Path:
        return self.folder / "failoverd.yaml"

    @property
    def policy(self) -> Path:
        return self.folder / "policies" / "api.yaml"

    @asynccontextmanager
    async def daemon(self, *program: str, env: Mapping[str, str] | None = None) -> AsyncIterator[RunningDaemon]:
        """The daemon (or another program that takes its arguments), killed at the end if it still runs.

        A module is forked (`support.forked`), but for one with an environment of its own, which is executed.
        """
        command = [*(program or (sys.executable, "-m", "failoverd")), "run", "--config", str(self.config)]
        how: Any = {"stderr": asyncio.subprocess.PIPE, "limit": 1 << 20}
        process: asyncio.subprocess.Process | Forked
        if command[:2] == [sys.executable, "-m"] and env is None:
            process = await forked(*command[2:], **how)
        else:
            surroundings = {**os.environ, "PYTHONPATH": str(TESTS), **(env or {})}
            process = await asyncio.create_subprocess_exec(*command, **how, env=surroundings)
        async with followed(process) as daemon:
            yield daemon

    async def control(self, *words: str) -> tuple[int, str]:
        """`failoverctl`: its exit code, and what it printed on both streams."""
        done = await answered(*words, "--config", self.config)
        return done.code, done.said

    async def tells(self, fits: Callable[[str], bool], *words: str) -> str:
        """What `failoverctl` prints once it fits: a daemon's event stands in its journal a moment after its log."""
        printed = ""
        try:
            async with asyncio.timeout(PATIENCE):
                while not fits(printed):
                    _, printed = await self.control(*words)
                    await asyncio.sleep(0.02)  # the daemon needs the processor more
        except TimeoutError:
            raise AssertionError(f"{' '.join(words)} never told it: {printed}") from None
        return printed

    async def break_region(self, name: str) -> None:
        self.regions[name].stop()

    async def heal_region(self, name: str) -> None:
        await self.regions[name].start()

    def edit_policy(self, old: str, new: str) -> None:
        text = self.policy.read_text()
        assert old in text
        self.policy.write_text(text.replace(old, new))


@asynccontextmanager
async def site(folder: Path, providers: Mapping[str, str]) -> AsyncIterator[Site]:
    """Two regions that answer, and configuration that publishes them at `providers` (name to its block of YAML)."""
    with socket.create_server((WEST, 0)) as trial:
        port: int = trial.getsockname()[1]
    (folder / "policies").mkdir()
    (folder / "policies" / "regions.yaml").write_text(REGIONS)
    names = ", ".join(providers)
    (folder / "policies" / "api.yaml").write_text(POLICY % {"name": NAME, "providers": names, "port": port})
    (folder / "failoverd.yaml").write_text(CONFIG % {"providers": "\n".join(providers.values())})
    here = Site(folder, port, {"west": DemoRegion("west", WEST, port), "east": DemoRegion("east", EAST, port)})
    for region in here.regions.values():
        await region.start()
    try:
        yield here
    finally:
        for region in here.regions.values():
            region.stop()
