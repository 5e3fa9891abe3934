"""A folder with a policy of two regions, one that answers at once and one that takes its time, to run `failoverctl` in.

async with compared(tmp_path) as here:
    ended = await here.benchmark("--for", "2s", "--yes")
"""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.commands import answered
from support.forked import Forked, forked
from support.targets import OK, Behaviour, Connection, Target, answers, serve

SLOW = 0.15
"""Seconds that the slow region takes for each answer."""

FAR = "127.0.0.2"
PATIENCE = 60.0

CONFIG = """\
version: 1
owner: tests
policies: policies
journal: journal.db
providers:
  local: {kind: embedded, zones: [example.test], listen: "127.0.0.1:5353"}
"""

REGIONS = """\
version: 1
regions:
  near: {cloud: azure, egress_cost_per_gb: 0.087, price_per_million_tokens: 2}
  far: {cloud: oci}
"""

POLICY = """\
version: 1
policy: api
records:
  - {name: api.example.test, type: A, ttl: 5s, providers: [local]}
regions:
  near: {share: 50, endpoints: ["127.0.0.1:%(near)d"]}
  far: {share: 50, endpoints: ["127.0.0.2:%(far)d"]}
checks:
  live: {%(check)s}
"""

HTTP = "http: /health, every: 1s, timeout: 1s"


def takes_its_time(asked: asyncio.Event, seconds: float = SLOW) -> Behaviour:
    """Read a request, wait, answer, close: what a region is that is far away. `asked`: somebody was answered."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await asyncio.sleep(seconds)  # slowness is what this server is for; no test waits on it
        await connection.send(OK)
        asked.set()

    return behave


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Folder:
    """Configuration, and the servers that it speaks of."""

    root: Path
    near: Target
    far: Target
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def config(self) -> Path:
        return self.root / "failoverd.yaml"

    async def start(
        self,
        *words: str,
        stdin: int = asyncio.subprocess.DEVNULL,
        stdout: int = asyncio.subprocess.PIPE,
        largest_file: int = resource.RLIM_INFINITY,
    ) -> Forked:
        """`failoverctl benchmark api`, without a terminal unless one is given. `largest_file` is in bytes."""
        return await forked(
            *("failoverd.cli.operator", "benchmark", *words, "--config", str(self.config)),
            stdin=stdin,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            largest_file=largest_file,
        )

    async def benchmark(self, *words: str) -> Ended:
        return await ended(await self.start("api", *words))

    async def refused(self, *words: str, policy: str = "api") -> Ended:
        """What sends nothing needs no process of its own."""
        done = await answered("benchmark", policy, *words, "--config", self.config)
        return Ended(done.code, done.out.decode(), done.err)


async def ended(process: Forked) -> Ended:
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, (out or b"").decode(), (err or b"").decode())


@contextmanager
def full_disk() -> Iterator[int]:
    """Something to write to that never has any room."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def listing(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@asynccontextmanager
async def compared(folder: Path, check: str = HTTP) -> AsyncIterator[Folder]:
    asked = asyncio.Event()
    async with serve(answers(OK)) as near, serve(takes_its_time(asked), FAR) as far:
        yield replace(write(folder, near, far, check), asked=asked)


def write(folder: Path, near: Target, far: Target, check: str) -> Folder:
    policies = folder / "policies"
    policies.mkdir()
    (folder / "failoverd.yaml").write_text(CONFIG)
    (policies / "regions.yaml").write_text(REGIONS)
    (policies / "api.yaml").write_text(POLICY % {"near": near.port, "far": far.port, "check": check})
    return Folder(folder, near, far)
