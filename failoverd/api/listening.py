"""Who listens: everybody is told of the same, when it changed, and made once for all of them.

Server-sent events (html.spec.whatwg.org, 9.2): `board` is the whole as `/v1/page` tells it, `beat` that it still is so,
with when each region was seen last, `due` how many seconds the next word may take, where these are many. Whoever comes
back with the id of what he has gets no more than a beat. Who is slow gets the newest and none of what was between; who
takes nothing at all for a while is hung up on.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2s
from random import randrange
from typing import Any, Final

from aiohttp import web

from failoverd.api.actors import RefusedError
from failoverd.api.bounds import MOST_LISTENERS
from failoverd.api.browsers import HEADERS
from failoverd.guests import Guest

_FRESH: Final = 1.0

_REST: Final = 19.0
"""Seconds of rest for each second that making took: who only looks gets a twentieth of the time."""

_LONGEST_REST: Final = 15.0

_BEAT: Final = 5.0
"""Seconds after which somebody who was told nothing is told that nothing changed."""

_PROMPT: Final = 10.0
"""Seconds within which the next word comes without more ado."""

_TAKING: Final = 10.0
"""Seconds in which whoever listens takes what he is told."""

_RETRY: Final = 1_000, 5_000
"""Milliseconds after which a browser that lost the daemon asks again: not all of them in one moment."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What there is to tell now. `id` is another one as soon as anything but the time changed."""

    id: str
    whole: bytes
    beat: bytes


def telling(board: bytes) -> Telling:
    """Of what `/v1/page` tells."""
    said = json.loads(board)
    at = said["glance"]["at"]
    seen = {f"{each['cloud']}/{each['region']}": each["seen"] for each in said["regions"]}
    mark = blake2s(json.dumps(_timeless(said)).encode(), digest_size=8).hexdigest()
    beat = json.dumps({"at": at, "seen": seen}, separators=(",", ":")).encode()
    return Telling(mark, _event("board", mark, board), _event("beat", mark, beat))


def _event(name: str, mark: str, data: bytes) -> bytes:
    """JSON has no line break of its own."""
    return f"event: {name}\nid: {mark}\ndata: ".encode() + data + b"\n\n"


def _timeless(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can say
    """Without the moments of looking, which pass by themselves."""
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if key not in {"at", "seen"}}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


class Listeners:
    """Everybody who listens, at every way in. Made inside a running loop.

    Args:
        make: what there is to tell now.
    """

    def __init__(self, make: Callable[[], Awaitable[Telling]]) -> None:
        self._make = make
        self._here: set[asyncio.Task[Any]] = set()
        self._making: asyncio.Task[None] | None = None
        self._now: Telling | None = None
        self._turn = asyncio.Event()
        self._within = 0.0

    async def listen(self, request: web.Request, require: Callable[[], Awaitable[object]]) -> web.StreamResponse:
        """Tell, until whoever listens hangs up, is hung up on, or may not hear it any more.

        `require` says whether they may still. A token is withdrawn, or expires, while its owner listens.

        Raises:
            RefusedError: too many listen.
        """
        task = asyncio.current_task()
        if task is None or len(self._here) >= MOST_LISTENERS:
            words = f"{MOST_LISTENERS} listen already"
            raise RefusedError(503, "too_many_listeners", words, "ask /v1/page now and then", {"Retry-After": "30"})
        if isinstance(request.protocol, Guest):
            request.protocol.stay(task.cancel)
        self._here.add(task)
        try:
            if self._making is None:
                self._now = None  # nobody looked meanwhile: what was told then is of then
                self._making = asyncio.create_task(self._make_on())
            return await self._tell(request, require)
        finally:
            self._here.discard(task)
            if not self._here and self._making is not None:
                self._making.cancel()
                self._making = None

    async def close(self) -> None:
        """Nobody is told anything any more."""
        for task in [*self._here, *([self._making] if self._making is not None else [])]:
            task.cancel()
        await asyncio.gather(*self._here, return_exceptions=True)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _make_on(self) -> None:
        """Endless. What cannot be made is told as a defect, and nobody gets a beat: silence says that it is old."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                self._now = await self._make()
            except Exception as defect:  # noqa: BLE001 - whatever it is, it is a defect of ours, and told as one
                told = {"message": "listeners could not be told anything", "exception": defect}
                loop.call_exception_handler(told)
                await asyncio.sleep(_FRESH)
                continue
            took = loop.time() - began
            rest = min(max(_FRESH, _REST * took), _LONGEST_REST)
            self._within = rest + _BEAT + 2 * took
            self._turn.set()
            self._turn = asyncio.Event()
            await asyncio.sleep(rest)

    def _due(self) -> bytes:
        """Where looking takes so long that silence would be taken for a daemon that is gone, when it ends is told."""
        if self._within <= _PROMPT:
            return b""
        return f"event: due\ndata: {json.dumps({'within': round(self._within, 1)})}\n\n".encode()

    async def _tell(self, request: web.Request, require: Callable[[], Awaitable[object]]) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Server": "failoverd", **HEADERS})
        answer.force_close()
        has, last_at, loop = request.headers.get("Last-Event-ID", ""), 0.0, asyncio.get_running_loop()
        with suppress(ConnectionError, TimeoutError):
            await answer.prepare(request)
            await answer.write(f"retry: {randrange(*_RETRY)}\n\n".encode())  # noqa: S311 - a pause
            while True:
                turn, now = self._turn, self._now
                if now is not None and (now.id != has or loop.time() - last_at >= _BEAT):
                    async with asyncio.timeout(_TAKING):
                        await answer.write((now.whole if now.id != has else now.beat) + self._due())
                    has, last_at = now.id, loop.time()
                await turn.wait()
                try:
                    await require()
                except RefusedError:  # who asks again is told why
                    return answer
        if request.transport is not None:
            request.transport.abort()
        return answer
