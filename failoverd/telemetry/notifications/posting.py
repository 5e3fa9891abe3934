"""The way out: one POST, bounded in time and in what is read of the answer, to exactly the address that was written.

Redirects are not followed, for the credentials would go along.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import aiohttp

from failoverd.core.errors import FailoverdError
from failoverd.foreign import quoted
from failoverd.http_client import CaFiles, http_session, unreached
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
    trust = CaFiles()
    async with http_session("notify", limit=16, per_host=4, patience=patience, reuse=False) as session:
        yield lambda delivery, place: _post(session, trust, delivery, place)


async def _post(session: aiohttp.ClientSession, trust: CaFiles, delivery: Delivery, place: str) -> str:
    headers = {"Content-Type": "application/json", **delivery.headers}
    try:
        context = await trust.trusted(delivery.ca_file)
    except FailoverdError as error:
        raise _undelivered(error) from error
    try:
        async with session.post(
            delivery.url, data=delivery.body, headers=headers, allow_redirects=False, ssl=context
        ) as answer:
            said = await answer.content.read(MOST_READ)
            answer.close()  # whatever else it has to say
    except TimeoutError as error:
        raise Undelivered(f"{place} did not answer in time", reason="timeout") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _undelivered(unreached(place, error)) from None
    refusal = _refusal(place, answer.status, said, answer.headers.get("Retry-After", ""))
    if refusal is not None:
        raise refusal
    return str(answer.status)


def _undelivered(error: FailoverdError) -> Undelivered:
    return Undelivered(error.detail, reason=error.reason, remedy=error.remedy)


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
