"""The page of metrics over HTTP, and what is served beside it: read-only, one request a connection, everything bounded.

The metrics are made in a thread, at most once a second, however many ask for them. Who holds connections keeps nobody
else out: see `failoverd.guests`.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from failoverd.guests import Guests, heard_at
from failoverd.telemetry.metrics import Metrics
from failoverd.telemetry.vital_signs import SignReport, VitalSigns

PATH: Final = "/metrics"
LIVE: Final = "/livez"
READY: Final = "/readyz"
_PATIENCE: Final = 5.0
"""Seconds from the connection to the end of the answer."""

_MOST_GUESTS: Final = 64
_MOST_OF_PEER: Final = 8
_FRESH: Final = 1.0

_EFFORT: Final = 1
"""Of compressing: more costs more than it saves, for nearly all of it repeats itself."""


@asynccontextmanager
async def exposed(address: str, port: int, metrics: Metrics, signs: VitalSigns | None = None) -> AsyncIterator[int]:
    """Serve the metrics for as long as the context lasts; gives the port, which is chosen by the system for 0.

    The signs of life are served beside them, at `/livez` and `/readyz`.

    Raises:
        OSError: nobody can listen there.
    """
    page, guests = _Page(metrics), Guests(_MOST_GUESTS, _MOST_OF_PEER)
    site = web.Application(middlewares=[_only_one])
    site.router.add_get(PATH, page.show)
    if signs is not None:
        site.router.add_get(LIVE, partial(_sign, signs.live))
        site.router.add_get(READY, partial(_sign, signs.ready))
    site.router.add_get("/{anything:.*}", _elsewhere)
    async with heard_at(address, port, site, guests, _PATIENCE) as heard:
        yield heard


class _Page:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._making = asyncio.Lock()
        self._made, self._packed = b"", b""
        self._made_at = float("-inf")

    async def show(self, request: web.Request) -> web.Response:
        packed = _takes_gzip(request.headers.get("Accept-Encoding", ""))
        try:
            body = await self._fresh(packed=packed)
        except Exception as defect:  # whatever it is, it is a defect of ours, and told as one
            told = {"message": "the metrics could not be made", "exception": defect}
            asyncio.get_running_loop().call_exception_handler(told)
            raise
        said = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Vary": "Accept-Encoding"}
        return web.Response(body=body, headers={**said, "Content-Encoding": "gzip"} if packed else said)

    async def _fresh(self, *, packed: bool) -> bytes:
        async with self._making:
            now = asyncio.get_running_loop().time()
            if now - self._made_at >= _FRESH:
                self._made = await asyncio.to_thread(self._metrics.snapshot().page)
                self._made_at, self._packed = now, b""
            if packed and not self._packed:
                self._packed = await asyncio.to_thread(gzip.compress, self._made, _EFFORT)
            return self._packed if packed else self._made


def _takes_gzip(accepted: str) -> bool:
    """As scrapers say it; whoever says it with a weight gets the page as it is."""
    return "gzip" in (each.strip().lower() for each in accepted.split(","))


async def _sign(look: Callable[[], SignReport], request: web.Request) -> web.Response:
    """`ok`, or sign by sign where somebody wants that (`?verbose`) or something is wrong."""
    found = look()
    text = found.told if "verbose" in request.query or not found.sound else "ok"
    return web.Response(
        status=200 if found.sound else 503, text=f"{text}\n", headers={"Cache-Control": "no-cache, no-store"}
    )


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
