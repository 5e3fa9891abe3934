"""The members' lease and their common memory in the Kubernetes cluster that they run in.

Who leads is said by a Lease. Every value is a ConfigMap, replaced in the version that was read: `resourceVersion` is
opaque to Kubernetes, and a number here (`version` in `api_server`). What is published names the session of its member,
and is taken away with it.

**A ConfigMap and the Lease are not written in one transaction**: Kubernetes has none over two objects. Before a leader
replaces a value, the Lease is read and has to be its own in that epoch; it may be taken over between the two. Then the
value of the old leader stands there, and the new one, which read another version, is refused when it wants to replace
it, and reads again: nothing is overwritten unseen. But a new leader that has read everything, and writes nothing, may
not know what the old one wrote last. What may be lost so is a leader's note about what it did, and never the record
itself: for those the provider's own fence is the safety, which compares generations when it is written.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from failoverd.coordination.kubernetes.api_server import (
    CONFIG_MAPS,
    ApiRefusal,
    ApiRequest,
    ApiServer,
    ApiVerb,
    Json,
    version,
)
from failoverd.coordination.kubernetes.config_maps import Namespaced, deletion
from failoverd.coordination.kubernetes.election import Election, LeaseRecord
from failoverd.coordination.kubernetes.sessions import YOUNG, Sessions
from failoverd.coordination.pauses import with_pauses
from failoverd.core.errors import CoordinationError
from failoverd.ports import Clock, Leadership, Replacement, SharedValue

_AT_ONCE: Final = 8
"""Objects that are written at the same time: half of the connections that there are, for the Lease must not wait."""

TENDED: Final = 1 / 40
"""Of the lease: for so long a renewed Lease waits for the sessions. Then whoever asked has to know that it leads."""

_SWEEPS: Final = 10
"""Looks at the sessions of others within one lease, while somebody listens to changes."""


@dataclass(slots=True)
class KubernetesCoordinator:
    """`Coordinator` by the API of a Kubernetes cluster.

    Attributes:
        server: that of the cluster.
        installation: whose members agree.
        member: who speaks.
        lease: seconds for which what it holds stays when it is silent; whole ones, for a Lease counts so.
        clock: steady.
    """

    server: ApiServer
    installation: Namespaced
    member: str
    lease: float
    clock: Clock
    election: Election = field(init=False)
    sessions: Sessions = field(init=False)
    _tending: asyncio.Task[None] | None = None
    _publishing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _begun: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # of calls that were given up: what was written

    def __post_init__(self) -> None:
        identity = f"{self.member}_{uuid4().hex}"
        self.election = Election(self.server, self.installation.name, identity, self.lease, self.clock)
        self.sessions = Sessions(self.server, self.installation, self.member, self.lease, self.clock)

    async def campaign(self, *, stands: bool = True) -> Leadership:
        """Renew the Lease before anything else: that nothing can be said, or taken away, costs nobody the lead."""
        led = await self.election.campaign(stands=stands)
        await self._tend_sessions()
        return Leadership(_member(led), led.epoch, mine=led.holder == self.election.identity)

    async def resign(self) -> None:
        await self.close()
        await self.election.resign()
        await self.sessions.leave()

    async def replace(self, key: str, value: bytes, *, after: int, epoch: int | None = None) -> int | None:
        if epoch is not None and not await self.election.leads(epoch):
            return None
        body = self.installation.value(key, value, self.member, after=after)
        name = self.installation.value_name(key) if after else ""
        done = await self._swap(ApiRequest(ApiVerb.UPDATE if after else ApiVerb.CREATE, CONFIG_MAPS, name, body=body))
        return version(done) if done is not None else None

    async def remove(self, key: str, *, after: int, epoch: int | None = None) -> bool:
        if epoch is not None and not await self.election.leads(epoch):
            return False
        return await self._swap(deletion(self.installation.value_name(key), after)) is not None

    async def replace_all(self, values: Mapping[str, Replacement], *, epoch: int | None = None) -> Mapping[str, int]:
        """Each is an object of its own; the Lease is read before each part that is written at the same time."""
        done: dict[str, int] = {}
        left = list(values.items())
        while left and (epoch is None or await self.election.leads(epoch)):
            part, left = left[:_AT_ONCE], left[_AT_ONCE:]
            ended = await asyncio.gather(
                *(self.replace(key, each.value, after=each.after) for key, each in part), return_exceptions=True
            )
            for (key, _), version_now in zip(part, ended, strict=True):
                if isinstance(version_now, BaseException):
                    raise version_now
                if version_now is not None:
                    done[key] = version_now
        return done

    async def publish(self, values: Mapping[str, bytes]) -> None:
        """One call after the other: many at once would all be given up before the first of them was done."""
        async with self._publishing:
            said_for = ""
            while said_for != self.sessions.own or not said_for:  # it may have been ended meanwhile
                said_for = await self.sessions.held(YOUNG)
                await self._put_all(values, said_for)

    async def entries(self, below_key: str) -> tuple[Mapping[str, SharedValue], int]:
        found, known = await self.server.listed(CONFIG_MAPS, self.installation.values_below(below_key))
        values = sorted(each for each in self.installation.parsed(found) if each.key.startswith(below_key))
        return {each.key: SharedValue(each.value, each.version) for each in values}, known

    async def changes(self, below_key: str, after: int) -> AsyncIterator[tuple[str, SharedValue]]:
        selected = self.installation.values_below(below_key)
        async with self._sweeping():
            async for kind, found in with_pauses(self.server.watched(CONFIG_MAPS, selected, after)):
                for each in self.installation.parsed([found]):
                    if each.key.startswith(below_key):
                        gone = kind == "DELETED"
                        yield each.key, SharedValue(None if gone else each.value, each.version)

    async def close(self) -> None:
        """Ask nothing more by itself."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait({self._tending})

    async def _tend_sessions(self) -> None:
        """Renew its session, and end those that are over. Where each call takes long, that goes on by itself."""
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(self._tended())
        await asyncio.wait({self._tending}, timeout=self.lease * TENDED)

    async def _tended(self) -> None:
        with suppress(CoordinationError):  # it costs nobody the lead; whoever publishes is told what cannot be written
            await self.sessions.keep()

    async def _swap(self, asked: ApiRequest) -> Json | None:
        """What it answers; None if something else stands there by now."""
        try:
            return await self.server.ask(asked)
        except ApiRefusal as refusal:
            if refusal.overtaken:
                return None
            raise

    async def _put_all(self, values: Mapping[str, bytes], session: str) -> None:
        """Each is an object of its own. Those that can be written are, whatever becomes of the others.

        Who calls again with the same after an error, or without the patience to wait for the end, goes on there.
        """
        gate = asyncio.Semaphore(_AT_ONCE)

        async def put(key: str, value: bytes) -> None:
            async with gate:
                await self._put(key, value, session)
                self._begun[key] = session, value

        left = [each for each in values.items() if self._begun.get(each[0]) != (session, each[1])]
        ended = await asyncio.gather(*(put(*each) for each in left), return_exceptions=True)
        for each in ended:
            if each is not None:
                raise each
        for key in values:
            self._begun.pop(key, None)

    async def _put(self, key: str, value: bytes, session: str) -> None:
        """Write it, whether or not something stands there."""
        body = self.installation.value(key, value, self.member, session=session)
        update = ApiRequest(ApiVerb.UPDATE, CONFIG_MAPS, self.installation.value_name(key), body=body)
        create = ApiRequest(ApiVerb.CREATE, CONFIG_MAPS, body=body)
        for asked in (update, create, update):
            try:
                await self.server.ask(asked)
            except ApiRefusal as refusal:
                if not refusal.overtaken:
                    raise
            else:
                return
        raise CoordinationError(f"{key} comes and goes while {self.member} says it", reason="contended")

    @asynccontextmanager
    async def _sweeping(self) -> AsyncIterator[None]:
        """End the sessions of those who fall silent meanwhile."""
        task = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            task.cancel()

    async def _sweep(self) -> None:
        while True:
            with suppress(CoordinationError):  # whoever watches is told by the watch
                await self.sessions.sweep()
            await asyncio.sleep(self.lease / _SWEEPS)


def _member(led: LeaseRecord) -> str:
    """Whose process holds the Lease; somebody who is none of ours is told as a whole."""
    return led.holder.rpartition("_")[0] or led.holder
