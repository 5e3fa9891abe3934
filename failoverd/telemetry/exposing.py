"""The page of metrics over HTTP: read-only, one request a connection, everything bounded.

It is made in a thread, at most once a second, however many ask for it. Whoever is slow to ask, or asks with too many
bytes, is hung up on; and whoever comes when all places are taken gets that of the longest guest, first of those of his
own address. So nobody keeps anybody else out by holding connections.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from failoverd.telemetry.metrics import Metrics

PATH: Final = "/metrics"
_PATIENCE: Final = 5.0
"""Seconds from the connection to the end of the answer."""

_MOST_ASKED: Final = 8_190
"""Bytes of the request line, and of each header field."""

_MOST_FIELDS: Final = 64
_MOST_GUESTS: Final = 64
_MOST_OF_PEER: Final = 8
_FRESH: Final = 1.0

_QUIET: Final = logging.getLogger(f"{__name__}.strangers")
"""What strangers send is no news: a line for each bad request would let anybody fill the log."""
_QUIET.disabled = True


@asynccontextmanager
async def exposed(address: str, port: int, metrics: Metrics) -> AsyncIterator[int]:
    """Serve the metrics for as long as the context lasts; gives the port, which is chosen by the system for 0.

    Raises:
        OSError: nobody can listen there.
    """
    page, guests, loop = _Page(metrics), _Guests(), asyncio.get_running_loop()
    site = web.Application(middlewares=[_only_one])
    site.router.add_get(PATH, page.show)
    site.router.add_get("/{anything:.*}", _elsewhere)
    runner = web.AppRunner(site, handle_signals=False)
    await runner.setup()
    try:
        server = await loop.create_server(lambda: _Guest(cast("web.Server", runner.server), guests), address, port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            guests.leave()
            await server.wait_closed()
    finally:
        await runner.cleanup()


class _Page:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._making = asyncio.Lock()
        self._made = b""
        self._made_at = float("-inf")

    async def show(self, _: web.Request) -> web.Response:
        try:
            body = await self._fresh()
        except Exception as defect:  # whatever it is, it is a defect of ours, and told as one
            told = {"message": "the metrics could not be made", "exception": defect}
            asyncio.get_running_loop().call_exception_handler(told)
            raise
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _fresh(self) -> bytes:
        async with self._making:
            now = asyncio.get_running_loop().time()
            if now - self._made_at >= _FRESH:
                self._made = await asyncio.to_thread(self._metrics.snapshot().page)
                self._made_at = now
            return self._made


async def _elsewhere(_: web.Request) -> web.Response:
    return web.Response(status=404, text=f"the metrics are at {PATH}\n")


@web.middleware
async def _only_one(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One request a connection, whatever comes of it: who is refused does not stay until his time is over."""
    try:
        answer = await handler(request)
    except web.HTTPException as refusal:
        refusal.force_close()
        raise
    answer.force_close()
    return answer


class _Guests:
    """Who is connected, in the order of coming."""

    def __init__(self) -> None:
        self._here: dict[_Guest, str] = {}

    def welcome(self, guest: "_Guest", peer: str) -> None:
        """Make room, if there is none, by the longest guest of that address, or else of all."""
        of_peer = [other for other, address in self._here.items() if address == peer]
        if len(of_peer) >= _MOST_OF_PEER:
            of_peer[0].turn_out()
        elif len(self._here) >= _MOST_GUESTS:
            next(iter(self._here)).turn_out()
        self._here[guest] = peer

    def part(self, guest: "_Guest") -> None:
        self._here.pop(guest, None)

    def leave(self) -> None:
        """All of them."""
        for guest in list(self._here):
            guest.turn_out()


class _Guest(RequestHandler):
    """One connection, with one request and little time for it."""

    def __init__(self, server: web.Server, guests: _Guests) -> None:
        self._guests = guests
        self._until: asyncio.TimerHandle | None = None
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=_QUIET,
            logger=_QUIET,
            max_line_size=_MOST_ASKED,
            max_field_size=_MOST_ASKED,
            max_headers=_MOST_FIELDS,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._until = asyncio.get_running_loop().call_later(_PATIENCE, self.turn_out)
        self._guests.welcome(self, str(transport.get_extra_info("peername", ("",))[0]))

    def connection_lost(self, exc: BaseException | None) -> None:
        self._guests.part(self)
        if self._until is not None:
            self._until.cancel()
        super().connection_lost(exc)

    def turn_out(self) -> None:
        self._guests.part(self)
        if self.transport is not None:
            self.transport.abort()
