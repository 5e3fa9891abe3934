"""How failoverd speaks HTTP to whoever it has to: no proxy of the environment, no cookies, bounded answers.

Names are looked up by threads of our own: a resolver that hangs holds up nothing but those who ask. What goes wrong is
told in our own words, for those of the library may quote an address, secret and all.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from failoverd.core.errors import FailoverdError
from failoverd.files import require_regular
from failoverd.lookups import Resolver


@asynccontextmanager
async def http_session(
    who: str, *, limit: int, per_host: int, patience: float | None = None, reuse: bool = True
) -> AsyncIterator[aiohttp.ClientSession]:
    """Connections for as long as the context lasts.

    Args:
        who: asks; its lookups have threads of their own.
        limit: connections at once.
        per_host: those of them to one host.
        patience: seconds from the connection to the end of an answer, where a request says nothing else.
        reuse: whether a connection serves more than one request.
    """
    resolver = Resolver(who)
    headers = {"User-Agent": "failoverd", "Accept": "application/json", "Accept-Encoding": "identity"}
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=resolver, limit=limit, limit_per_host=per_host, force_close=not reuse),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=patience),
    )
    try:
        yield session
    finally:
        await session.close()
        resolver.leave()


async def read_bounded(content: aiohttp.StreamReader, most: int) -> bytes | None:
    """All of an answer; None where that is more than so many bytes."""
    found = bytearray()
    async for chunk in content.iter_chunked(65_536):
        found += chunk
        if len(found) > most:
            return None
    return bytes(found)


class CaFiles:
    """Whom to believe that they are who they say. Certificates are loaded once, off the loop."""

    def __init__(self) -> None:
        self._loaded: dict[Path, ssl.SSLContext] = {}

    async def trusted(self, ca_file: Path | None) -> ssl.SSLContext | bool:
        """Who is signed for by the certificates in the file; by the system's without one.

        Raises:
            FailoverdError: `ca_unreadable`.
        """
        if ca_file is None:
            return True
        if ca_file not in self._loaded:
            try:
                require_regular(ca_file)
                self._loaded[ca_file] = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
            except OSError as error:
                raise FailoverdError(
                    f"the certificates in {ca_file} cannot be loaded: {error.strerror or error}",
                    reason="ca_unreadable",
                    remedy="correct `ca_file`, or let the user that failoverd runs as read it",
                ) from error
        return self._loaded[ca_file]


def unreached(place: str, error: Exception) -> FailoverdError:
    """What the library's failure means: `certificate`, `name_unknown`, `unreachable` or `exchange_failed`."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        words = error.certificate_error
        why = words.verify_message if isinstance(words, ssl.SSLCertVerificationError) else "it is not trusted"
        remedy = "name who signs for it in `ca_file`, or correct the address"
        return FailoverdError(f"the certificate of {place} is not good: {why}", reason="certificate", remedy=remedy)
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return FailoverdError(f"the name of {place} cannot be looked up", reason="name_unknown")
    if isinstance(error, aiohttp.ClientConnectorError):
        return FailoverdError(f"{place} cannot be reached: {error.strerror or 'no connection'}", reason="unreachable")
    return FailoverdError(f"{place} ended the exchange ({type(error).__name__})", reason="exchange_failed")
