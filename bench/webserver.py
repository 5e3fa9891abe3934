"""The server of one region: `webserver.py ADDRESS PORT LOG` answers `200 ok` to everything.

It notes in LOG who connected when, so that the benchmark knows where in its interval a prober was when a fault struck.
"""

import asyncio
import os
import sys
import time
from contextlib import suppress

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
_PATIENCE = 10.0


async def serve(address: str, port: str, log: str) -> None:
    """Serve until killed. A line `ready` on standard output says that it listens."""
    noted = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(noted, reader, writer)

    async with await asyncio.start_server(answer, address, int(port)) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await server.serve_forever()


async def _answer(noted: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    arrived = time.monotonic()
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            request = await reader.readuntil(b"\r\n\r\n")
            os.write(noted, f"{arrived:.6f} {_agent(request)}\n".encode())
            writer.write(_OK)
            await writer.drain()
    writer.close()


def _agent(request: bytes) -> str:
    for line in request.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "user-agent":
            return value.strip()
    return "-"


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(*sys.argv[1:]))
