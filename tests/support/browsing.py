"""What a browser sends, byte by byte, and what comes back; and who listens to server-sent events."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


async def asked(
    link: str,
    path: str,
    *,
    method: str = "GET",
    host: str = "127.0.0.1",
    **said: str,
) -> tuple[int, str, bytes]:
    """A status, the header, the body. Underscores in names of fields are hyphens."""
    place = urlsplit(link)
    tls = None
    if place.scheme == "https":  # whom it is, is for other tests
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in said.items()]
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(place.hostname, place.port, ssl=tls)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode())
            found = await reader.read()
        finally:
            writer.transport.abort()
    head, _, body = found.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), body


def of_header(head: str, name: str) -> str:
    """A field of a header."""
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    return fields[name]


@dataclass
class Told:
    """One event."""

    event: str = ""
    id: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Listener:
    """Who listens at a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.head = b""

    async def begin(self, has: str = "") -> None:
        more = f"Last-Event-ID: {has}\r\n" if has else ""
        self.writer.write(f"GET /v1/events HTTP/1.0\r\nHost: here\r\n{more}\r\n".encode())
        async with asyncio.timeout(20):
            self.head = await self._reader.readuntil(b"\r\n\r\n")

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    async def next(self) -> Told:
        """The next event that says something."""
        async with asyncio.timeout(30):
            while True:
                found = dict(
                    line.split(": ", 1) for line in (await self._reader.readuntil(b"\n\n")).decode().split("\n") if line
                )
                if "event" in found:
                    return Told(found["event"], found["id"], json.loads(found["data"]))

    async def ended(self) -> None:
        """Whatever is still told, until nobody tells it any more."""
        async with asyncio.timeout(30):
            try:
                await self._reader.read()
            except ConnectionResetError:
                return


@asynccontextmanager
async def listening(place: Path, has: str = "") -> AsyncIterator[Listener]:
    """At a socket."""
    reader, writer = await asyncio.open_unix_connection(str(place), limit=1 << 24)
    found = Listener(reader, writer)
    try:
        await found.begin(has)
        yield found
    finally:
        writer.transport.abort()
