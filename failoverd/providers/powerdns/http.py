"""One HTTP/1.1 exchange with the API, within bounds (RFC 9112).

h11 does the parsing. PowerDNS closes the connection after each answer, so each request has one of its own.
"""

import asyncio
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

MAX_BODY = 4 * 1024 * 1024
"""Octets of an answer that are read; one name with all of its records takes a few thousand."""

_CHUNK = 64 * 1024


class TooLong(Exception):  # noqa: N818 - what the answer is
    """The answer is longer than any answer to our questions."""


@dataclass(frozen=True, slots=True)
class Request:
    """`path` begins with a slash; `body` is JSON, or empty for none."""

    method: str
    path: str
    key: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes


@dataclass(slots=True)
class Progress:
    """How far an exchange came. `sent` is set before the first octet of a request leaves."""

    sent: bool = False


class ApiAddress:
    """Where the API listens. `trust` is None for a URL without TLS."""

    def __init__(self, url: str, trust: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._authority = parts.netloc
        self._base = parts.path
        self._trust = trust

    async def exchange(self, request: Request, progress: Progress) -> Response:
        """The caller sets the deadline.

        Raises:
            OSError: no connection, or one that broke; `ssl.SSLError` is one.
            h11.RemoteProtocolError: what came back is no HTTP, or ended too early.
            TooLong: the answer exceeds `MAX_BODY`.
        """
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._trust)
        try:
            progress.sent = True
            wire = h11.Connection(h11.CLIENT)
            writer.write(self._request(wire, request))
            await writer.drain()
            return await _response(wire, reader)
        finally:
            writer.transport.abort()

    def _request(self, wire: h11.Connection, request: Request) -> bytes:
        headers = [
            ("Host", self._authority),
            ("X-API-Key", request.key),
            ("Accept", "application/json"),
            ("Connection", "close"),
        ]
        if request.body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(request.body)))]
        head = h11.Request(method=request.method, target=self._base + request.path, headers=headers)
        events = [head, *([h11.Data(data=request.body)] if request.body else []), h11.EndOfMessage()]
        return b"".join(wire.send(event) or b"" for event in events)


async def _response(wire: h11.Connection, reader: asyncio.StreamReader) -> Response:
    status, body = 0, bytearray()
    while True:
        match wire.next_event():
            case h11.NEED_DATA:
                received = await reader.read(_CHUNK)
                if not (received or status):
                    raise ConnectionResetError
                wire.receive_data(received)
            case h11.Response() as response:
                status = response.status_code
            case h11.Data() as part:
                body += part.data
                if len(body) > MAX_BODY:
                    raise TooLong
            case h11.EndOfMessage():
                return Response(status, bytes(body))
