"""The servers of one region, in one process: `region_server.py PORT ADDRESS...` answers `200 ok` to everything.

It does what the lines of its standard input say from then on: `well`; `errors PERCENT`, answer so many requests with
500, at random; `slow SECONDS`, answer that late. A connection that asks nothing is kept, as a trip wire wants it.
"""

import asyncio
import random
import sys
from contextlib import suppress

_ANSWER = "HTTP/1.1 {} {}\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
_OK, _ERROR = (_ANSWER.format(*words).encode() for words in ((200, "OK"), (500, "Internal Server Error")))
_WHOLE = 100


class Conduct:
    """How the region behaves."""

    def __init__(self) -> None:
        self.errors = 0
        self.delay = 0.0

    def follow(self, line: str) -> None:
        what, _, much = line.strip().partition(" ")
        self.errors = int(much) if what == "errors" else 0
        self.delay = float(much) if what == "slow" else 0.0

    async def answer(self) -> bytes:
        await asyncio.sleep(self.delay)
        return _ERROR if random.randrange(_WHOLE) < self.errors else _OK  # noqa: S311 - bad luck, no secret


async def serve(port: int, addresses: list[str]) -> None:
    """Serve until killed, or until standard input ends. A line `ready` on standard output says that it listens."""
    conduct = Conduct()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(await conduct.answer())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, addresses, port, backlog=512)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    async with server:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            conduct.follow(line)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]), sys.argv[2:]))
