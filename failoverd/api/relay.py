"""The page for who sits at this machine, or has a port of it by ssh: by the socket, as the user who started this.

A browser cannot speak to a unix socket, so this does, for whoever has the link that was printed. The port is open to
every user of the machine: the token in the link keeps them out. Nothing but the page's own three questions is passed
on, so that nothing can be changed through it.
"""

import asyncio
import hmac
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

import h11
from aiohttp import web
from aiohttp.typedefs import Handler

from failoverd.api.actors import RefusedError
from failoverd.api.bounds import ASKING
from failoverd.api.browsers import HEADERS, cookie, cookie_name, require_own_page, require_this_host, token_in
from failoverd.api.refusing import refusal
from failoverd.api.sending import REACHING, connected, headers
from failoverd.api.service import SHELL, shell
from failoverd.api.shapes import EnteredTold
from failoverd.guests import Guest, Guests, heard_at

PASSED_ON: Final = frozenset({"/v1/page", "/v1/events", "/v1/timeline"})

_MOST_GUESTS: Final = 64
_MOST_LISTENERS: Final = 64
_SILENCE: Final = 60.0
"""Seconds without a word of the daemon after which it is given up; who listens hears it far more often."""

_TAKING: Final = 10.0
_CHUNK: Final = 64 * 1024
_TOLD: Final = ("Content-Type", "Retry-After")


@asynccontextmanager
async def relayed(socket: Path, port: int, user: str) -> AsyncIterator[str]:
    """Serve the page on this host for as long as the context lasts; gives its link.

    Raises:
        OSError: nobody can listen there.
    """
    token, guests = os.urandom(24).hex(), Guests(_MOST_GUESTS, _MOST_GUESTS)
    relay = _Relay(socket, token, user)

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:  # noqa: ARG001 - aiohttp's
        return await relay.answered(request)

    site = web.Application(middlewares=[answered])
    async with heard_at("127.0.0.1", port, site, guests, ASKING, shutdown=1.0) as heard:
        yield f"http://127.0.0.1:{heard}/#token={token}"


class _Relay:
    def __init__(self, socket: Path, token: str, user: str) -> None:
        self._socket = socket
        self._token = token
        self._user = user
        self._listening = 0

    async def answered(self, request: web.Request) -> web.StreamResponse:
        try:
            answer = await self._answer(request)
        except RefusedError as error:
            answer = refusal(error, error.status)
        if not answer.prepared:
            answer.force_close()
            answer.headers.update({"Server": "failoverd", **HEADERS})
        return answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        require_this_host(request.headers)
        require_own_page(
            request.method, request.scheme, request.headers, shell=path == SHELL and request.method == "GET"
        )
        if request.method != "GET":
            raise RefusedError(405, "method_unknown", "this only reads", headers={"Allow": "GET"})
        if path == SHELL:
            return shell(request)
        if path == "/v1/enter":
            return self._enter(request)
        self._require_known(token_in(request.cookies.get(cookie_name(request.headers, tls=False), "")))
        if path not in PASSED_ON:
            raise RefusedError(404, "path_unknown", "there is nothing at this path", "the page is at /")
        return await self._passed_on(request, path)

    def _enter(self, request: web.Request) -> web.Response:
        _, _, token = request.headers.get("Authorization", "").partition(" ")
        self._require_known(token.strip())
        body = EnteredTold(actor=self._user).to_json()
        kept = {"Content-Type": "application/json", "Set-Cookie": cookie(self._token, request.headers, tls=False)}
        return web.Response(body=body, headers=kept)

    def _require_known(self, token: str) -> None:
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token.encode()):
            words = "that is not the link that failoverctl page printed"
            raise RefusedError(
                401, "link_unknown", words, "open the one that it prints now: each time it is another one"
            )

    async def _passed_on(self, request: web.Request, path: str) -> web.StreamResponse:
        stays = path == "/v1/events"
        if stays and self._listening >= _MOST_LISTENERS:
            words = f"{_MOST_LISTENERS} listen already"
            raise RefusedError(503, "too_many_listeners", words, "close a page", {"Retry-After": "30"})
        task = asyncio.current_task()
        if isinstance(request.protocol, Guest) and task is not None:
            request.protocol.stay(task.cancel) if stays else request.protocol.answer(_SILENCE)
        self._listening += stays
        try:
            async with asyncio.timeout(REACHING):
                connection = await asyncio.to_thread(connected, self._socket)
                reader, writer = await asyncio.open_unix_connection(sock=connection)
        except OSError as error:  # a time-out is one, too
            words = f"no daemon is heard at {self._socket}: {error.strerror or 'nobody answers'}"
            raise RefusedError(503, "daemon_unreachable", words, "start it: systemctl start failoverd") from error
        else:
            try:
                return await _told(request, reader, writer)
            finally:
                writer.transport.abort()
        finally:
            self._listening -= stays


async def _told(request: web.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> web.StreamResponse:
    """What the daemon answers, as it comes."""
    http = h11.Connection(h11.CLIENT)
    has = request.headers.get("Last-Event-ID", "")
    said = [*headers(""), *([("Last-Event-ID", has)] if has.isalnum() and has.isascii() else [])]
    asked = h11.Request(method="GET", target=request.rel_url.raw_path_qs, headers=said)
    writer.write((http.send(asked) or b"") + (http.send(h11.EndOfMessage()) or b""))
    answer: web.StreamResponse | None = None
    try:
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                async with asyncio.timeout(_SILENCE):
                    http.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Response):
                answer = await _begun(request, event)
            elif isinstance(event, h11.Data) and answer is not None:
                async with asyncio.timeout(_TAKING):
                    await answer.write(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                break
    except (OSError, h11.RemoteProtocolError):  # either of them hung up, or was too slow
        if request.transport is not None and answer is not None:
            request.transport.abort()
    if answer is None:
        raise RefusedError(503, "daemon_slow", "the daemon hung up before it answered", "look whether it is busy")
    return answer


async def _begun(request: web.Request, event: h11.Response) -> web.StreamResponse:
    found: Mapping[str, str] = {name.decode().title(): value.decode() for name, value in event.headers}
    answer = web.StreamResponse(status=HTTPStatus(event.status_code), headers={"Server": "failoverd", **HEADERS})
    answer.headers.update({name: found[name] for name in _TOLD if name in found})
    answer.force_close()
    await answer.prepare(request)
    return answer
