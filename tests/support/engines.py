"""Each engine of `Coordinator`, empty, and what the contract does to it: the same misfortune, by what it really is."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from support.coordinating import Backup, PaperCoordinator, PaperQuorum
from support.etcd import Etcd, etcd

from failoverd.coordination.etcd.coordinator import EtcdCoordinator
from failoverd.coordination.etcd.gateway import Gateway
from failoverd.http_client import http_session
from failoverd.ports import Coordinator
from failoverd.simulation.virtual_time import run

LEASE = 2.0
"""Seconds: the shortest that etcd gives with an election time-out of 0.5 s."""

PATIENCE = 1.0


class Servers(Protocol):
    """The servers of an engine. Whatever befalls them befalls all of them."""

    def member(self, name: str) -> Coordinator: ...

    def silent(self) -> AbstractContextManager[None]:
        """Nobody answers; what was known is known afterwards."""

    def restart(self) -> None:
        """Every connection breaks, and nothing is lost."""

    async def compact(self) -> None:
        """What happened until now is forgotten."""

    async def revoke(self, member: Coordinator) -> None:
        """A person takes away its lease."""

    def back_up(self) -> None: ...

    def put_back(self) -> None:
        """To the state of the last backup."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One of them: how it is started, and the loop that its tests run on."""

    name: str
    started: Callable[[], AbstractAsyncContextManager[Servers]]
    run: Callable[[Coroutine[Any, Any, None]], None]


# -- in memory ---------------------------------------------------------------------------------------------------------


@dataclass
class InMemory:
    quorum: PaperQuorum
    kept: Backup | None = None

    def member(self, name: str) -> PaperCoordinator:
        return self.quorum.member(name)

    @contextmanager
    def silent(self) -> Iterator[None]:
        self.quorum.lose_quorum()
        try:
            yield
        finally:
            self.quorum.regain_quorum()

    def restart(self) -> None:
        self.quorum.break_watches()

    async def compact(self) -> None:
        self.quorum.compact()

    async def revoke(self, member: Coordinator) -> None:
        assert isinstance(member, PaperCoordinator)
        self.quorum.revoke(member.name)

    def back_up(self) -> None:
        self.kept = self.quorum.backup()

    def put_back(self) -> None:
        assert self.kept is not None
        self.quorum.restore(self.kept)


@asynccontextmanager
async def in_memory() -> AsyncIterator[InMemory]:
    yield InMemory(PaperQuorum(LEASE, patience=PATIENCE))


# -- etcd --------------------------------------------------------------------------------------------------------------


@dataclass
class InEtcd:
    """A server of its own, so that what befalls it befalls nobody else."""

    cluster: Etcd
    session: aiohttp.ClientSession
    known: list[EtcdCoordinator] = field(default_factory=list)

    def member(self, name: str) -> EtcdCoordinator:
        found = EtcdCoordinator(Gateway(self.session, self.cluster.endpoints, PATIENCE), "/contract/", name, LEASE)
        self.known.append(found)
        return found

    @contextmanager
    def silent(self) -> Iterator[None]:
        with ExitStack() as stack:
            for each in self.cluster.members:
                stack.enter_context(each.frozen())
            yield

    def restart(self) -> None:
        self._stop()
        self.cluster.start()

    async def compact(self) -> None:
        _, known = await self.known[0].entries("")
        await self.known[0].gateway.ask("kv/compaction", {"revision": str(known)}, twice=True)

    async def revoke(self, member: Coordinator) -> None:
        assert isinstance(member, EtcdCoordinator)
        await member.gateway.ask("lease/revoke", {"ID": member._lease_id}, twice=True)

    def back_up(self) -> None:
        self._stop()
        for data, backup in self._directories():
            shutil.copytree(data, backup)
        self.cluster.start()

    def put_back(self) -> None:
        self._stop()
        for data, backup in self._directories():
            shutil.rmtree(data)
            shutil.copytree(backup, data)
        self.cluster.start()

    def _stop(self) -> None:
        for each in self.cluster.members:
            each.kill()

    def _directories(self) -> Iterator[tuple[Path, Path]]:
        for each in self.cluster.members:
            yield each.directory / each.name, each.directory / f"{each.name}.backup"


@asynccontextmanager
async def in_etcd() -> AsyncIterator[InEtcd]:
    with etcd() as cluster:
        async with http_session("test", limit=16, per_host=8) as session:
            yield InEtcd(cluster, session)


def in_real_time(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 60.0))


MEMORY = Engine("memory", in_memory, run)
ETCD = Engine("etcd", in_etcd, in_real_time)
