"""Sessions: for how long what a member published stays.

Kubernetes lets nothing end by itself. So each process that publishes has a session, an object that it renews as a
holder does its Lease, and what it publishes names that session. Whoever sees no change in a session for as long as it
lasts, by its own steady clock, ends it: it deletes the object in the version that it saw, so that of a member that
wakes in that moment and of who ends its session one is refused; and then what was there for it. A session that was seen
for the first time lasts from then on, whoever may have left it there, so what a member said that is long gone may be
heard once more, for that time, by who was started when nobody was there to take it away.
"""

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple
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
from failoverd.coordination.kubernetes.config_maps import SESSION, Namespaced, deletion
from failoverd.ports import Clock

_FRESH: Final = 0.05
"""Of its time: a session that was renewed within it is not renewed again, nor others looked at."""

YOUNG: Final = 0.5
"""Of its time: one that was renewed within it is good enough to say something for. Who campaigns renews it oftener."""

_SEARCHES: Final = 10
"""Leases between two searches for what belongs to no session any more."""


class SeenSession(NamedTuple):
    version: int
    since: float


@dataclass(slots=True)
class Sessions:
    """That of one member, and how those of others end.

    Attributes:
        lease: seconds that one lasts when it is not renewed.
        clock: steady.
        own: that of this member, as far as it knows; empty without one.
    """

    server: ApiServer
    installation: Namespaced
    member: str
    lease: float
    clock: Clock
    own: str = ""
    _renewed: float = 0.0
    _seen: dict[str, SeenSession] = field(default_factory=dict)
    _looked: float | None = None
    _searched: float | None = None
    _ended: set[str] = field(default_factory=set)
    _holding: asyncio.Lock = field(default_factory=asyncio.Lock)
    _sweeping: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def held(self, age: float = _FRESH) -> str:
        """A session of this member that was renewed within that part of its time."""
        async with self._holding:
            asked = self.clock()
            if self.own and asked < self._renewed + self.lease * age:
                return self.own
            if not await self._is_renewed():
                if self.own:
                    self._ended.add(self.own)  # for what was written after it was swept
                self.own = ""
                made = uuid4().hex
                await self.server.ask(
                    ApiRequest(ApiVerb.CREATE, CONFIG_MAPS, body=self.installation.session(made, self.member))
                )
                self.own = made
            self._renewed = asked
            return self.own

    async def keep(self) -> None:
        """Renew what is held, and end what others left behind."""
        if self.own:
            await self.held()
        await self.sweep()

    async def leave(self) -> None:
        """End that of this member."""
        own, self.own = self.own, ""
        if own:
            await self._delete(self.installation.session_name(own))
            await self._take_away(own)

    async def sweep(self) -> None:
        """End the sessions of those who fell silent, and take away what was there for them.

        One look after the other: one that began before another ended would miss sessions that are new to that.
        """
        async with self._sweeping:
            asked = self.clock()
            if self._looked is not None and asked < self._looked + self.lease * _FRESH:
                return
            for session, seen in (await self._look()).items():
                if asked >= seen.since + self.lease and await self._delete(
                    self.installation.session_name(session), seen.version
                ):
                    self._ended.add(session)
            for session in tuple(self._ended):
                await self._take_away(session)
                self._ended.discard(session)
            self._looked = asked

    async def _look(self) -> dict[str, SeenSession]:
        """Which sessions there are; those that are there no more have ended."""
        known = {*self._seen, *([self.own] if self.own else ()), *(await self._forgotten())}
        found, _ = await self.server.listed(CONFIG_MAPS, self.installation.sessions)
        heard = self.clock()
        there = {_session(each): version(each) for each in found}
        self._ended |= known - there.keys()
        if self.own in self._ended:
            self.own = ""
        new = {session: SeenSession(now, heard) for session, now in there.items()}
        old = {session: seen for session, seen in self._seen.items() if there.get(session) == seen.version}
        self._seen = new | old
        return self._seen

    async def _forgotten(self) -> set[str]:
        """Sessions that something is there for, looked for from time to time: who ended one may have died over it."""
        now = self.clock()
        if self._searched is not None and now < self._searched + self.lease * _SEARCHES:
            return set()
        found, _ = await self.server.listed(CONFIG_MAPS, self.installation.values_of())
        self._searched = now
        return {_session(each) for each in found}

    async def _is_renewed(self) -> bool:
        if not self.own:
            return False
        body = self.installation.session(self.own, self.member)
        try:
            await self.server.ask(
                ApiRequest(ApiVerb.UPDATE, CONFIG_MAPS, self.installation.session_name(self.own), body=body)
            )
        except ApiRefusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True

    async def _take_away(self, session: str) -> None:
        found, _ = await self.server.listed(CONFIG_MAPS, self.installation.values_of(session))
        for each in found:
            await self._delete(each["metadata"]["name"], version(each))

    async def _delete(self, name: str, seen: int = 0) -> bool:
        """Delete it, in that version only; 0: in any. Whether it is gone."""
        try:
            await self.server.ask(deletion(name, seen))
        except ApiRefusal as refusal:
            if not refusal.overtaken:
                raise
            return refusal.status == HTTPStatus.NOT_FOUND
        return True


def _session(found: Json) -> str:
    return str((found["metadata"].get("labels") or {}).get(SESSION, ""))
