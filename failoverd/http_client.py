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
from typing import NamedTuple

import aiohttp

from failoverd.core.errors import FailoverdError
from failoverd.files import FileVersion, require_regular
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


async def read_lines(content: aiohttp.StreamReader, most: int) -> AsyncIterator[bytes]:
    """The lines of an answer as they come, without what follows the last line break.

    Raises:
        ValueError: one of them has more than so many bytes.
    """
    begun = bytearray()
    async for chunk in content.iter_any():
        begun += chunk
        *whole, rest = begun.split(b"\n")
        for line in whole:
            yield bytes(line)
        begun = bytearray(rest)
        if len(begun) > most:
            raise ValueError("a line without an end")


class ShownCertificate(NamedTuple):
    """What we show of ourselves to who asks for it: files with a certificate and its chain, and with its key (PEM)."""

    certificate: Path
    key: Path


_Files = tuple[Path | None, ShownCertificate | None]


class CaFiles:
    """Whom to believe that they are who they say, and what we show them. Files are loaded off the loop.

    What they hold is loaded again once they change. What does not load then, half of a rotation say, leaves what was
    loaded before.
    """

    def __init__(self) -> None:
        self._loaded: dict[_Files, tuple[tuple[FileVersion | None, ...], ssl.SSLContext]] = {}

    async def trusted(self, ca_file: Path | None, shown: ShownCertificate | None = None) -> ssl.SSLContext | bool:
        """Who is signed for by the certificates in the file; by the system's without one.

        Raises:
            FailoverdError: `ca_unreadable`, or `certificate_unreadable` for what we show.
        """
        if ca_file is None and shown is None:
            return True
        key = (ca_file, shown)
        before = self._loaded.get(key)
        version = tuple(FileVersion.if_there(path) for path in (ca_file, *(shown or ())) if path is not None)
        if before is not None and before[0] == version:
            return before[1]
        try:
            context = await asyncio.to_thread(_loaded, *key)
        except FailoverdError:
            if before is None:
                raise
            return before[1]
        self._loaded[key] = (version, context)
        return context


def _loaded(ca_file: Path | None, shown: ShownCertificate | None) -> ssl.SSLContext:
    try:
        if ca_file is not None:
            require_regular(ca_file)
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise FailoverdError(
            f"the certificates in {ca_file} cannot be loaded: {error.strerror or error}",
            reason="ca_unreadable",
            remedy="correct `ca_file`, or let the user that failoverd runs as read it",
        ) from error
    if shown is None:
        return context
    try:
        for path in shown:
            require_regular(path)
        context.load_cert_chain(*shown, password="")  # nobody is there to be asked for one
    except OSError as error:
        raise FailoverdError(
            f"the certificate in {shown.certificate} cannot be used with the key in {shown.key}: "
            f"{error.strerror or error}",
            reason="certificate_unreadable",
            remedy="`cert_file` holds the certificate and its chain, `key_file` its key without a passphrase (PEM)",
        ) from error
    return context


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
