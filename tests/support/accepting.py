"""Servers of a test that leave nothing behind: every connection that they accepted has ended before they are left."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What is done over one connection, which is closed when it returns. A peer that goes away ends it, and is no fault."""


@asynccontextmanager
async def accepting(
    handle: Handle,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    tls: ssl.SSLContext | None = None,
    path: Path | None = None,
) -> AsyncIterator[int]:
    """Serve for as long as the context lasts, over TCP or at the path of a socket; then every connection is cut.

    Yields the port, 0 at a path. Raises what `handle` raised.
    """
    busy: set[asyncio.Task[None]] = set()
    failed: list[Exception] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handle(reader, writer)
        except Exception as error:  # noqa: BLE001 - raised to the test, once it leaves
            failed.append(error)
        finally:
            busy.discard(task)
            writer.close()

    if path is None:
        server = await asyncio.start_server(hold, host, port, ssl=tls, backlog=1024)
    else:
        server = await asyncio.start_unix_server(hold, path)
    try:
        yield 0 if path is not None else server.sockets[0].getsockname()[1]
    finally:
        await accepted()  # after `close` a connection that is there already would be left lying
        server.close()
        await accepted()
        cut = tuple(busy)
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)  # a transport lets its socket go a turn after it was closed
    if failed:
        raise failed[0]


async def accepted() -> None:
    """Each connection that a listener took in before this has begun, and is known to who answers it.

    A listener that is closed does not say so, and asyncio takes three rounds from one to the other.
    """
    for _ in range(5):
        await asyncio.sleep(0)


async def hang_up(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """A connection is accepted, and that is all."""
