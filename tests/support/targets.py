"""Small real servers on loopback that answer properly, or misbehave on purpose.

    async with serve(answers(OK)) as target:
        await prober.probe(target.endpoint)

A behaviour is a coroutine function over one accepted connection. The connection is closed when it returns.
"""

import asyncio
import select
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from support.accepting import LOOPBACK, accepting

from failoverd.core.records import Endpoint

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


@dataclass
class Target:
    """Where a server listens, and what it has seen: the head of each request, and how many connections."""

    host: str
    port: int
    requests: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("region-1", self.host, self.port)


@dataclass
class Connection:
    """One accepted connection, as a behaviour sees it."""

    target: Target
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> None:
        """Read the head of a request and note it."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.target.requests.append(head.decode())

    async def send(self, *parts: bytes) -> None:
        """Send each part in a write of its own."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def hold(self) -> None:
        """Say nothing more until the peer goes away."""
        while await self.reader.read(65_536):
            pass

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Connection], Awaitable[None]]


def response(status: str, body: bytes = b"", *headers: str) -> bytes:
    """A whole HTTP/1.1 response: `response("503 Service Unavailable")`."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def chunked(*chunks: bytes) -> bytes:
    """A whole 200 response in the given chunks (RFC 9112, 7.1)."""
    parts = (b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts)


@asynccontextmanager
async def serve(
    behave: Behaviour, host: str = LOOPBACK, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[Target]:
    """Serve on `host` for as long as the context lasts; then every connection is cut."""
    target = Target(host, port)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target.connections += 1
        await behave(Connection(target, reader, writer))

    async with accepting(handle, host, port, tls=tls) as target.port:
        yield target


# -- behaviours --------------------------------------------------------------------------------------------------------


def answers(*parts: bytes) -> Behaviour:
    """Read a request, send the parts, close."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(*parts)

    return behave


def answers_and_holds(*parts: bytes) -> Behaviour:
    """Read a request, send the parts, and leave the connection open."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(*parts)
        await connection.hold()

    return behave


def floods(opening: bytes, forever: bytes) -> Behaviour:
    """Read a request and answer without end."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(opening)
        while True:
            await connection.send(forever)
            await asyncio.sleep(0)  # let the reader have its turn

    return behave


def trickles(data: bytes, pause: float = 0.01) -> Behaviour:
    """Read a request and answer one byte at a time, then leave the connection open."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        for byte in data:
            await connection.send(bytes([byte]))
            await asyncio.sleep(pause)  # slowness is what this server is for; no test waits on it
        await connection.hold()

    return behave


def greets(banner: bytes) -> Behaviour:
    """Talk first, as SSH and SMTP do, and leave the connection open."""

    async def behave(connection: Connection) -> None:
        await connection.send(banner)
        await connection.hold()

    return behave


def resets_after(*parts: bytes) -> Behaviour:
    """Read a request, send the parts, and reset the connection."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(*parts)
        connection.reset()

    return behave


async def silent(connection: Connection) -> None:
    """Read everything and never answer."""
    await connection.hold()


async def closes(connection: Connection) -> None:
    """Read a request and close without an answer."""
    await connection.request()


async def resets(connection: Connection) -> None:
    """Reset the connection at once, before anything is read."""
    connection.reset()


# -- targets that accept nothing ---------------------------------------------------------------------------------------


@contextmanager
def refusing(host: str = "127.0.0.1") -> Iterator[Target]:
    """A port that is taken, so that nobody else gets it, and on which nobody listens."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as taken:
        taken.bind((host, 0))
        yield Target(host, taken.getsockname()[1])


@contextmanager
def not_accepting() -> Iterator[Target]:
    """A listener whose backlog is full: connection requests to it are dropped in silence."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting: list[socket.socket] = []
        try:
            while not waiting or select.select([], waiting[-1:], [], 0.05)[1]:
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                with suppress(BlockingIOError):
                    waiting[-1].connect(listener.getsockname())
            yield Target("127.0.0.1", listener.getsockname()[1])
        finally:
            for sock in waiting:
                sock.close()
