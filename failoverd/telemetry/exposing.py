"""The page of metrics over HTTP: read-only, one request a connection, everything bounded.

It is made in a thread, at most once a second, however many ask for it. Whoever is slow to ask, or asks with too many
bytes, is hung up on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from failoverd.telemetry.metrics import Metrics

PATH: Final = "/metrics"
_PATIENCE: Final = 5.0
_MOST_ASKED: Final = 8_192
_MOST_GUESTS: Final = 16
_FRESH: Final = 1.0


@asynccontextmanager
async def exposed(address: str, port: int, metrics: Metrics) -> AsyncIterator[int]:
    """Serve the metrics for as long as the context lasts; gives the port, which is chosen by the system for 0.

    Raises:
        OSError: nobody can listen there.
    """
    page = _Page(metrics)
    server = await asyncio.start_server(page.receive, address, port, limit=_MOST_ASKED)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await page.close()
        await server.wait_closed()


class _Page:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._guests: set[asyncio.Task[None]] = set()
        self._making = asyncio.Lock()
        self._made = b""
        self._made_at = float("-inf")

    def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._guests) >= _MOST_GUESTS:
            writer.transport.abort()
            return
        guest = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="metrics request")
        self._guests.add(guest)
        guest.add_done_callback(self._guests.discard)

    async def close(self) -> None:
        guests = list(self._guests)
        for guest in guests:
            guest.cancel()
        await asyncio.gather(*guests, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    asked = await reader.readuntil(b"\r\n\r\n")
                    writer.write(await self._answer(asked))
                    await writer.drain()
                    writer.write_eof()
                    await reader.read(_MOST_ASKED)  # until it hangs up: closing earlier may reset what is on its way
        finally:
            writer.transport.abort()

    async def _answer(self, asked: bytes) -> bytes:
        """To the request line; header fields change nothing."""
        method, _, rest = asked.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in {"GET", "HEAD"}:
            return _response("405 Method Not Allowed", b"only GET\n", "text/plain", "Allow: GET, HEAD\r\n")
        if path != PATH:
            return _response("404 Not Found", f"the metrics are at {PATH}\n".encode(), "text/plain")
        found = _response("200 OK", await self._fresh(), CONTENT_TYPE_PLAIN_0_0_4)
        return found if method == "GET" else found[: found.index(b"\r\n\r\n") + 4]

    async def _fresh(self) -> bytes:
        async with self._making:
            now = asyncio.get_running_loop().time()
            if now - self._made_at >= _FRESH:
                self._made = await asyncio.to_thread(self._metrics.snapshot().page)
                self._made_at = now
            return self._made


def _response(status: str, body: bytes, kind: str, more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
