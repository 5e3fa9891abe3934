"""Connections to an HTTP server that strangers can reach: few of them, each with one request and little time for it.

Whoever is slow to ask, or asks with too many bytes, is hung up on; and whoever comes when all places are taken gets
that of the longest guest who is not being answered, first of those of the same peer. So nobody keeps anybody else out
by holding connections.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

_MOST_ASKED: Final = 8_190
"""Bytes of the request line, and of each header field."""

_MOST_FIELDS: Final = 64

_LINGER: Final = 0.2
"""Seconds in which a body that nobody wants may end, so that its sender reads the answer: TCP would drop it."""

_PLAIN: Final = {"Server": "failoverd", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

_QUIET: Final = logging.getLogger(f"{__name__}.strangers")
"""What strangers send is no news: a line for each bad request would let anybody fill the log."""
_QUIET.disabled = True


class Guests:
    """Who is connected, in the order of coming: at most so many, and so many of one peer."""

    def __init__(self, most: int, most_of_peer: int) -> None:
        self._most = most
        self._most_of_peer = most_of_peer
        self._here: dict[Guest, str] = {}
        self._staying: set[Guest] = set()

    def welcome(self, guest: "Guest", peer: str) -> None:
        """Make room, if there is none; where everybody is being answered, the newcomer goes."""
        of_peer = [other for other, name in self._here.items() if name == peer]
        self._here[guest] = peer
        crowd = of_peer if len(of_peer) >= self._most_of_peer else list(self._here)
        if len(self._here) > self._most or crowd is of_peer:
            next((other for other in crowd if not other.answered), guest).turn_out()

    def stay(self, guest: "Guest") -> None:
        """It holds no place any more: whoever lets it stay counts it."""
        if self._here.pop(guest, None) is not None:
            self._staying.add(guest)

    def part(self, guest: "Guest") -> None:
        self._here.pop(guest, None)
        self._staying.discard(guest)

    def leave(self) -> None:
        """All of them."""
        for guest in [*self._here, *self._staying]:
            guest.turn_out()


class Guest(RequestHandler):
    """One connection.

    Args:
        patience: seconds from the connection to the end of the answer, unless `answer` gives more.
    """

    def __init__(self, server: web.Server, guests: Guests, patience: float) -> None:
        self._guests = guests
        self._patience = patience
        self._until: asyncio.TimerHandle | None = None
        self._leaving: Callable[[], object] | None = None
        self.answered = False
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=_QUIET,
            logger=_QUIET,
            max_line_size=_MOST_ASKED,
            max_field_size=_MOST_ASKED,
            max_headers=_MOST_FIELDS,
            lingering_time=_LINGER,
            auto_decompress=False,  # a few bytes could become any number of them
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._until = asyncio.get_running_loop().call_later(self._patience, self.turn_out)
        self._guests.welcome(self, self.peer(transport))

    def peer(self, transport: asyncio.BaseTransport) -> str:
        """Whose connections are counted together."""
        return str(transport.get_extra_info("peername", ("",))[0])

    def answer(self, patience: float) -> None:
        """It is worth an answer: it keeps its place for so many seconds more."""
        self.answered = True
        if self._until is not None:
            self._until.cancel()
        self._until = asyncio.get_running_loop().call_later(patience, self.turn_out)

    def stay(self, leaving: Callable[[], object]) -> None:
        """It may stay for as long as it likes, without a place: whoever lets it has bounds of his own.

        `leaving` is called as soon as it is gone.
        """
        self._leaving = leaving
        self.answered = True
        if self._until is not None:
            self._until.cancel()
        self._guests.stay(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._guests.part(self)
        if self._until is not None:
            self._until.cancel()
        if self._leaving is not None:
            self._leaving()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """To what is no HTTP, in our words: nothing of it is sent back, nor which library this is."""
        if request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        body = json.dumps({"status": status, "reason": "request_invalid", "detail": "that is no request of HTTP"})
        answer = web.Response(status=status, text=body, content_type="application/problem+json", headers=_PLAIN)
        answer.force_close()
        return answer

    def turn_out(self) -> None:
        self._guests.part(self)
        if self.transport is not None:
            self.transport.abort()


@asynccontextmanager
async def running(site: web.Application, *, shutdown: float = 60.0) -> AsyncIterator[web.Server]:
    """A server without a place to listen at. At the end, who is being answered has so many seconds."""
    runner = web.AppRunner(site, handle_signals=False, shutdown_timeout=shutdown)
    await runner.setup()
    try:
        yield cast("web.Server", runner.server)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def heard_at(
    address: str, port: int, site: web.Application, guests: Guests, patience: float, *, shutdown: float = 60.0
) -> AsyncIterator[int]:
    """Serve over TCP for as long as the context lasts; gives the port, which is chosen by the system for 0.

    Raises:
        OSError: nobody can listen there.
    """
    async with running(site, shutdown=shutdown) as server:
        guest = partial(Guest, server, guests, patience)
        listening = await asyncio.get_running_loop().create_server(guest, address, port)
        try:
            yield listening.sockets[0].getsockname()[1]
        finally:
            listening.close()
            guests.leave()
            await listening.wait_closed()
