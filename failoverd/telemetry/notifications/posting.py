"""The way out: one POST, bounded in time and in what is read of the answer, to exactly the address that was written.

Redirects are not followed, for the credentials would go along. No proxy of the environment is used, no cookie kept.
Names are looked up by threads of our own: a resolver that hangs holds up nothing but this.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp

from failoverd.core.errors import FailoverdError
from failoverd.files import require_regular
from failoverd.foreign import quoted
from failoverd.lookups import Resolver
from failoverd.ports import Delivery

TIMEOUT: Final = 10.0
"""Seconds from the connection to the end of the answer."""

MOST_READ: Final = 2_048
"""Bytes of an answer: enough for the words of an error."""

MOST_PATIENCE: Final = 300.0
"""Seconds. A receiver that asks for silence is obeyed, but not for days."""

_REFUSES_IT: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""What is said of this one message, and not of whoever sends it."""

_REMEDIES: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "correct the secret in its file; no restart is needed",
    HTTPStatus.FORBIDDEN: "correct the secret in its file, or let it do this; no restart is needed",
    HTTPStatus.NOT_FOUND: "correct the address in the configuration",
    HTTPStatus.GONE: "make a new one and write its address",
}


class Undelivered(FailoverdError):  # noqa: N818 - the word of the field
    """It was not taken. `refused`: this message alone, so others may be; `retry_after`: seconds that were asked for."""

    def __init__(
        self, detail: str, *, reason: str, remedy: str = "", refused: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.refused = refused
        self.retry_after = retry_after


Post = Callable[[Delivery, str], Awaitable[str]]
"""Sends a delivery to the place of that name; gives the status that was answered. Raises Undelivered."""


@asynccontextmanager
async def posting(patience: float = TIMEOUT) -> AsyncIterator[Post]:
    """A way to send, for as long as the context lasts."""
    resolver = Resolver("notify")
    connector = aiohttp.TCPConnector(resolver=resolver, limit=16, limit_per_host=4, force_close=True)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=patience),
        auto_decompress=False,
        trust_env=False,
        headers={"User-Agent": "failoverd", "Accept-Encoding": "identity"},
    )
    trust: dict[Path, ssl.SSLContext] = {}
    try:
        yield lambda delivery, place: _post(session, trust, delivery, place)
    finally:
        await session.close()
        resolver.leave()


async def _post(
    session: aiohttp.ClientSession, trust: dict[Path, ssl.SSLContext], delivery: Delivery, place: str
) -> str:
    headers = {"Content-Type": "application/json", **delivery.headers}
    context = await _trusted(trust, delivery.ca_file)
    try:
        async with session.post(
            delivery.url, data=delivery.body, headers=headers, allow_redirects=False, ssl=context
        ) as answer:
            said = await answer.content.read(MOST_READ)
            answer.close()  # whatever else it has to say
    except TimeoutError as error:
        raise Undelivered(f"{place} did not answer in time", reason="timeout") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _unreached(place, error) from None
    refusal = _refusal(place, answer.status, said, answer.headers.get("Retry-After", ""))
    if refusal is not None:
        raise refusal
    return str(answer.status)


async def _trusted(trust: dict[Path, ssl.SSLContext], ca_file: Path | None) -> ssl.SSLContext | bool:
    """Whom to believe that they are who they say; the system's certificates by default."""
    if ca_file is None:
        return True
    if ca_file not in trust:
        try:
            require_regular(ca_file)
            trust[ca_file] = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
        except OSError as error:
            raise Undelivered(
                f"the certificates in {ca_file} cannot be loaded: {error.strerror or error}",
                reason="ca_unreadable",
                remedy="correct `ca_file`, or let the user that failoverd runs as read it",
            ) from error
    return trust[ca_file]


def _unreached(place: str, error: Exception) -> Undelivered:
    """Never in the words of the library, which may quote the address, secret and all."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        words = error.certificate_error
        why = words.verify_message if isinstance(words, ssl.SSLCertVerificationError) else "it is not trusted"
        remedy = "name who signs for it in `ca_file`, or correct the address"
        return Undelivered(f"the certificate of {place} is not good: {why}", reason="certificate", remedy=remedy)
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return Undelivered(f"the name of {place} cannot be looked up", reason="name_unknown")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Undelivered(f"{place} cannot be reached: {error.strerror or 'no connection'}", reason="unreachable")
    return Undelivered(f"{place} ended the exchange ({type(error).__name__})", reason="exchange_failed")


def _refusal(place: str, status: int, said: bytes, retry_after: str) -> Undelivered | None:
    if 200 <= status < 300:  # noqa: PLR2004 - RFC 9110, 15.3
        return None
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, 15.4
        remedy = "write the address that it really has: the credentials are not taken elsewhere"
        return Undelivered(f"{place} answers with a redirect, {status}", reason="redirected", remedy=remedy)
    words = quoted(said.decode("utf-8", "replace"), 200)
    return Undelivered(
        f"{place} answers {status}{f': {words}' if words else ''}",
        reason=f"http_{status}",
        remedy=_REMEDIES.get(status, ""),
        refused=status in _REFUSES_IT,
        retry_after=min(float(retry_after), MOST_PATIENCE) if retry_after.isascii() and retry_after.isdigit() else None,
    )
