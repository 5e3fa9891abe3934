"""Each engine of `Coordinator`, empty, and what the contract does to it: the same misfortune, by what it really is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import aiohttp
from support.coordinating import Backup, PaperCoordinator, PaperQuorum
from support.etcd import Etcd, etcd
from support.kube_api import NAMESPACE, KubeServer, kube_api
from support.kube_apiserver import kube_apiserver

from failoverd.coordination.etcd.etcd_coordinator import EtcdCoordinator
from failoverd.coordination.etcd.gateway import Gateway
from failoverd.coordination.kubernetes.api_server import ApiServer
from failoverd.coordination.kubernetes.config_maps import Namespaced
from failoverd.coordination.kubernetes.kubernetes_coordinator import KubernetesCoordinator
from failoverd.coordination.kubernetes.service_account import ServiceAccount
from failoverd.http_client import http_session
from failoverd.installed import steady_clock
from failoverd.ports import Clock, Coordinator
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
        self.cluster.stop()
        self.cluster.start()

    async def compact(self) -> None:
        _, known = await self.known[0].entries("")
        await self.known[0].gateway.ask("kv/compaction", {"revision": str(known)}, twice=True)

    async def revoke(self, member: Coordinator) -> None:
        assert isinstance(member, EtcdCoordinator)
        await member.gateway.ask("lease/revoke", {"ID": member._lease_id}, twice=True)

    def back_up(self) -> None:
        self.cluster.back_up()

    def put_back(self) -> None:
        self.cluster.put_back()


@asynccontextmanager
async def in_etcd() -> AsyncIterator[InEtcd]:
    with etcd() as cluster:
        async with http_session("test", limit=16, per_host=8) as session:
            yield InEtcd(cluster, session)


# -- Kubernetes --------------------------------------------------------------------------------------------------------

OWNER = "prod"


@dataclass
class InKubernetes:
    """The members of one installation, in one namespace."""

    api: KubeServer
    session: aiohttp.ClientSession
    clock: Clock = field(default_factory=steady_clock)
    known: list[KubernetesCoordinator] = field(default_factory=list)

    def member(self, name: str, *, owner: str = OWNER, patience: float = PATIENCE) -> KubernetesCoordinator:
        account = ServiceAccount(self.api.address, self.api.folder)
        server = ApiServer(self.session, account, NAMESPACE, patience)
        found = KubernetesCoordinator(server, Namespaced(owner), name, LEASE, self.clock)
        self.known.append(found)
        return found

    async def close(self) -> None:
        for each in self.known:
            await each.close()

    def silent(self) -> AbstractContextManager[None]:
        return self.api.frozen()

    def restart(self) -> None:
        self.api.restart()

    async def compact(self) -> None:
        self.api.compact()

    async def revoke(self, member: Coordinator) -> None:
        """Whom it holds is written by hand, for who leads; and what it publishes ends with its session."""
        assert isinstance(member, KubernetesCoordinator)
        installation = Namespaced(OWNER)
        if self.api.found("leases", installation.name) is not None:
            self.api.edit("leases", installation.name, lambda lease: lease["spec"].update(holderIdentity=""))
        if member.sessions.own:
            self.api.delete("configmaps", installation.session_name(member.sessions.own))

    def back_up(self) -> None:
        self.api.back_up()

    def put_back(self) -> None:
        self.api.put_back()


@asynccontextmanager
async def in_kubernetes() -> AsyncIterator[InKubernetes]:
    with TemporaryDirectory(prefix="kube-") as folder:
        async with kube_api(Path(folder)) as api, http_session("test", limit=32, per_host=32) as session:
            cluster = InKubernetes(api, session)
            yield cluster
            await cluster.close()


@asynccontextmanager
async def _by_apiserver(*, cached: bool) -> AsyncIterator[InKubernetes]:
    with kube_apiserver(cached=cached) as api:
        async with http_session("test", limit=32, per_host=32) as session:
            cluster = InKubernetes(api, session)
            yield cluster
            await cluster.close()


def in_real_time(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 60.0))


MEMORY = Engine("memory", in_memory, run)
ETCD = Engine("etcd", in_etcd, in_real_time)
KUBERNETES = Engine("kubernetes", in_kubernetes, in_real_time)
KUBE_APISERVER = Engine("kube-apiserver", partial(_by_apiserver, cached=True), in_real_time)
KUBE_APISERVER_AND_ETCD = Engine("kube-apiserver-and-etcd", partial(_by_apiserver, cached=False), in_real_time)
"""Each watch asks etcd, so that what is compacted is forgotten at once, and without a restart."""
