"""Whatever answers in the place of etcd: no call comes to anything but its result or a CoordinationError."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web

from failoverd.coordination.etcd.etcd_coordinator import EtcdCoordinator
from failoverd.coordination.etcd.gateway import Gateway
from failoverd.core.errors import CoordinationError
from failoverd.http_client import http_session


@asynccontextmanager
async def asking(answer: Callable[[], web.Response]) -> AsyncIterator[EtcdCoordinator]:
    """A member whose every request is answered so."""

    async def handle(_: web.Request) -> web.Response:
        return answer()

    runner = web.ServerRunner(web.Server(handle))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with http_session("test", limit=4, per_host=4) as session:
            yield EtcdCoordinator(Gateway(session, [f"http://127.0.0.1:{port}"], 2.0), "/test/", "azure", 2.0)
    finally:
        await runner.cleanup()


async def listened(member: EtcdCoordinator) -> None:
    async for _ in member.changes("words/", 5):
        pass


CALLS: dict[str, Callable[[EtcdCoordinator], Coroutine[Any, Any, object]]] = {
    "campaign": lambda member: member.campaign(),
    "replace": lambda member: member.replace("states/web", b"1", after=0),
    "publish": lambda member: member.publish({"votes/azure": b"well"}),
    "entries": lambda member: member.entries("states/"),
    "changes": listened,
}

BODIES = [
    "",
    "<html>sign in to use the internet</html>",
    "null",
    "[]",
    "{}",
    '{"header": 1, "kvs": 1, "responses": 1, "result": 1, "ID": [], "succeeded": true}',
    '{"header": {"revision": "many"}, "succeeded": true, "ID": "1", "result": {"TTL": "long", "created": true}}',
    '{"header": {"revision": "1"}, "kvs": [{"key": "%%%"}], "result": {"events": [{}], "header": {}}, "ID": "1"}',
    '{"header": {"revision": "1"}, "kvs": [1], "responses": [], "result": {"events": [1]}, "ID": "1"}',
    '{"header": {"revision": "1"}, "kvs": [{"key": "/w==", "mod_revision": "1"}], "responses": [{}], "ID": "1"}',
    "[" * 100_000,
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("call", CALLS)
async def test_what_is_no_answer_of_etcd_is_told_as_that(call: str, body: str) -> None:
    async with asking(lambda: web.Response(text=body, content_type="application/json")) as member:
        with suppress(CoordinationError):
            await CALLS[call](member)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 412, 429, 500, 503])
@pytest.mark.parametrize("call", CALLS)
async def test_who_answers_no_is_told_with_its_status(call: str, status: int) -> None:
    def refused() -> web.Response:
        return web.Response(status=status, text='{"error": "no", "message": "no", "code": 7}')

    async with asking(refused) as member:
        with pytest.raises(CoordinationError) as told:
            await CALLS[call](member)
    assert told.value.reason == f"http_{status}"
