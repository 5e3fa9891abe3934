"""The audit trail, and what follows from it: what is asked again is answered as it was, and not done twice."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from failoverd.api.actors import Actor, RefusedError
from failoverd.api.bounds import Rates
from failoverd.core.events import RequestRefused
from failoverd.ports import AuditEntry, Clock, Emit

_REMEMBERED: Final = 256
"""Answers that are kept in memory; the journal has them all."""

_SMALL: Final = 64 * 1024
"""Characters of an answer that is kept in memory."""

_LOOKING: Final = 0.2
"""Seconds that a command waits for the journal to say whether it was given before: a stalled disk stops no operator."""

_ENDING: Final = 5.0
"""Seconds that a command under way gets when the daemon stops."""

_REFUSALS: Final = (20.0, 10.0)
"""How many refused requests of one actor are kept, and then one in so many seconds: nobody fills disk or log."""


class Keeper(Protocol):
    """The journal as it is used here: its calls never raise."""

    async def audit(self, asked: AuditEntry) -> bool: ...

    async def asked(self, actor: str, key: str) -> AuditEntry | None: ...


@dataclass(frozen=True, slots=True)
class TrailReply:
    """A status of HTTP and a body in JSON. `final`: the same will be answered to the same request."""

    status: int
    body: bytes
    final: bool = True


class Trail:
    """Every request that would change something."""

    def __init__(self, journal: Keeper, emit: Emit, clock: Clock) -> None:
        self._journal = journal
        self._emit = emit
        self._clock = clock
        self._begun: dict[tuple[str, str], tuple[str, asyncio.Task[TrailReply]]] = {}
        self._done: OrderedDict[tuple[str, str], AuditEntry] = OrderedDict()
        self._refusals = Rates(*_REFUSALS, asyncio.get_running_loop().time)
        self._untold = 0

    async def once(
        self, actor: Actor, request: str, key: str, body: str, work: Callable[[], Awaitable[TrailReply]]
    ) -> TrailReply:
        """What `work` answers, or answered to the same request before; it is kept before it is answered.

        Who gives up waiting ends nothing: asked again, it is answered.

        Raises:
            RefusedError: `key_reused`, for another request had that key.
        """
        name, said = (actor.name, key), f"{request} {body}"
        if name not in self._begun:
            task = asyncio.create_task(self._do(actor, request, key, body, work))
            self._begun[name] = (said, task)
            task.add_done_callback(lambda _: self._begun.pop(name, None))
        asked, task = self._begun[name]
        if asked != said:
            raise _reused(key)
        return await asyncio.shield(task)

    async def invalid(self, actor: Actor, request: str, body: str, reply: TrailReply) -> None:
        """Keep that somebody asked for what cannot be understood."""
        row = AuditEntry(self._clock(), actor.name, actor.origin, request, "", body, reply.status, reply.body.decode())
        await self._journal.audit(row)

    async def refused(self, actor: Actor, request: str, error: RefusedError) -> None:
        """Keep and tell that somebody was refused, or count it where there are too many."""
        if self._refusals.take(actor.name):  # whoever is nobody shares one
            self._untold += 1
            return
        untold, self._untold = self._untold, 0
        now = self._clock()
        self._emit(
            RequestRefused(
                at=now,
                actor=actor.name,
                origin=actor.origin,
                request=request,
                status=error.status,
                reason=error.reason,
                untold=untold,
            )
        )
        answer = json.dumps({"reason": error.reason, "detail": error.detail})
        await self._journal.audit(AuditEntry(now, actor.name, actor.origin, request, "", "", error.status, answer))

    async def close(self) -> None:
        """Let what was begun end, within a time."""
        tasks = [task for _, task in self._begun.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=_ENDING)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _before(self, actor: Actor, request: str, key: str, body: str) -> TrailReply | None:
        name = (actor.name, key)
        done = self._done.get(name)
        if done is None:
            try:
                async with asyncio.timeout(_LOOKING):
                    done = await self._journal.asked(actor.name, key)
            except TimeoutError:
                return None
        if done is None:
            return None
        if (done.request, done.body) != (request, body):
            raise _reused(key)
        return TrailReply(done.status, done.answer.encode())

    async def _do(
        self, actor: Actor, request: str, key: str, body: str, work: Callable[[], Awaitable[TrailReply]]
    ) -> TrailReply:
        before = await self._before(actor, request, key, body)
        if before is not None:
            return before
        reply = await work()
        row = AuditEntry(
            at=self._clock(),
            actor=actor.name,
            origin=actor.origin,
            request=request,
            key=key if reply.final else "",
            body=body,
            status=reply.status,
            answer=reply.body.decode(),
        )
        kept = await self._journal.audit(row)
        if not kept:
            reply = replace(reply, body=_unkept(reply.body))
        if reply.final and (not kept or len(row.answer) <= _SMALL):
            self._done[actor.name, key] = replace(row, answer=reply.body.decode())
            while len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)
        return reply


def _unkept(body: bytes) -> bytes:
    """The answer to what was done, and is not in the audit trail."""
    said = json.loads(body)
    return json.dumps({**said, "kept": False}).encode() if "kept" in said else body


def _reused(key: str) -> RefusedError:
    return RefusedError(
        422,
        "key_reused",
        f"the key {key} named another request before, which was answered",
        "give each command a key of its own, and repeat it with the same one only if nothing else changed",
    )
