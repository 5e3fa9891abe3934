"""One of several endpoints is no etcd, or another cluster: it is passed over, and nobody acts on two clusters' word."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from support.engines import LEASE
from support.etcd import Etcd, etcd

from failoverd.coordination.etcd.etcd_coordinator import EtcdCoordinator
from failoverd.coordination.etcd.gateway import OTHER_CLUSTER, Gateway
from failoverd.core.errors import CoordinationError
from failoverd.http_client import http_session

pytestmark = pytest.mark.server

PATIENCE, SILENCE = 1.0, 1.0

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Etcd]:
    with etcd() as found:
        yield found


@asynccontextmanager
async def stranger(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Something else at an address that was written down for an etcd."""
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(*endpoints: str, ca_file: Path | None = None) -> AsyncIterator[EtcdCoordinator]:
    async with http_session("test", limit=16, per_host=8) as session:
        gateway = Gateway(session, endpoints, PATIENCE, SILENCE, ca_file=ca_file)
        yield EtcdCoordinator(gateway, f"/{'.'.join(each.rpartition(':')[2] for each in endpoints)}/", "azure", LEASE)


async def page(_: web.BaseRequest) -> web.Response:
    return web.Response(text="<html>sign in to use the internet</html>", content_type="text/html")


async def redirect(_: web.BaseRequest) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/login"})


async def missing(_: web.BaseRequest) -> web.Response:
    return web.Response(status=404, text="no such page")


async def broken(_: web.BaseRequest) -> web.Response:
    return web.Response(status=500, text='{"error": "corrupt", "message": "corrupt", "code": 15}')


async def denied(_: web.BaseRequest) -> web.Response:
    return web.Response(status=403, text="<html>blocked by the firewall</html>")


async def endless(request: web.BaseRequest) -> web.StreamResponse:
    found = web.StreamResponse()
    await found.prepare(request)
    while True:
        await found.write(b"x" * 65_536)


async def trickle(request: web.BaseRequest) -> web.StreamResponse:
    found = web.StreamResponse()
    await found.prepare(request)
    while True:
        await found.write(b"x")
        await asyncio.sleep(0.1)  # a byte now and then is what is looked at


STRANGERS = {each.__name__: each for each in (page, redirect, missing, broken, denied, endless, trickle)}


async def leads(member: EtcdCoordinator, within: float = 20.0) -> None:
    """Until it leads, however often it has to ask, and hears what is written."""
    async with asyncio.timeout(within):
        while True:
            try:
                if (await member.campaign()).mine:
                    return
            except CoordinationError:
                await asyncio.sleep(0.05)  # it is asked again, as whoever campaigns does


async def hears(member: EtcdCoordinator, within: float = 20.0) -> bytes | None:
    """What it hears of a change, whoever told it nothing before."""
    _, version = await member.entries("words/")
    await member.replace("words/a", b"well", after=0)
    async with asyncio.timeout(within):
        while True:
            try:
                async for _, entry in member.changes("words/", version):
                    return entry.value
            except CoordinationError:
                await asyncio.sleep(0.05)  # it begins again


@pytest.mark.parametrize("kind", STRANGERS)
async def test_what_is_no_etcd_is_passed_over(cluster: Etcd, kind: str) -> None:
    async with stranger(STRANGERS[kind]) as place, asking(place, *cluster.endpoints) as member:
        await leads(member)
        assert await hears(member) == b"well"


@pytest.mark.parametrize("kind", ["trickle", "page"])
async def test_what_answers_and_tells_nothing_of_what_changes_is_left_by_who_listens(cluster: Etcd, kind: str) -> None:
    """A proxy that keeps the answer until it is whole, say."""
    behind = cluster.endpoints[0]

    async def proxy(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/v3/watch":
            return await STRANGERS[kind](request)
        async with (
            http_session("proxy", limit=4, per_host=4) as session,
            session.post(f"{behind}{request.path}", data=await request.read()) as found,
        ):
            return web.Response(status=found.status, body=await found.read(), content_type="application/json")

    async with stranger(proxy) as place, asking(place, behind) as member:
        await leads(member)
        assert await hears(member) == b"well"


async def test_who_cannot_show_who_it_is_is_passed_over(cluster: Etcd, tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trusted, other = trustme.CA(), trustme.CA()
    trusted.cert_pem.write_to_path(tmp_path / "ca.pem")
    for authority, name in ((other, "127.0.0.1"), (trusted, "etcd.example.com")):
        authority.issue_cert(name).configure_cert(context)
        async with (
            stranger(page, context) as place,
            asking(place, *cluster.endpoints, ca_file=tmp_path / "ca.pem") as member,
        ):
            await leads(member)


async def test_of_two_clusters_nobody_is_believed() -> None:
    with etcd() as one, etcd() as other:
        places = (*one.endpoints, *other.endpoints)
        for endpoints in (places, places[::-1]):
            async with asking(*endpoints) as member:
                with pytest.raises(CoordinationError) as told:
                    await member.campaign()
                assert told.value.reason == OTHER_CLUSTER
                assert all(place.rpartition("/")[2] in str(told.value) for place in places)


async def test_who_reaches_one_endpoint_of_three_asks_nobody_and_says_why() -> None:
    with etcd() as found:
        async with asking("http://127.0.0.1:1", *found.endpoints, "http://127.0.0.1:2") as member:
            with pytest.raises(CoordinationError, match=r"1 of 3 endpoints .* 127.0.0.1:[12] cannot be reached"):
                await member.campaign()


async def test_who_signs_in_knows_the_cluster_by_each_endpoint(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    with etcd(3) as found, etcd() as other:
        async with http_session("test", limit=16, per_host=8) as session:
            for call, body in (
                ("auth/user/add", {"name": "root", "password": "secret"}),
                ("auth/user/grant", {"user": "root", "role": "root"}),
                ("auth/enable", {}),
            ):
                await Gateway(session, found.endpoints[:1], PATIENCE).ask(call, body, twice=False)
            places = (*other.endpoints, *found.endpoints[:2])
            gateway = Gateway(session, places, PATIENCE, SILENCE, "root", tmp_path / "password")
            await leads(EtcdCoordinator(gateway, "/signed/", "azure", LEASE))


async def test_another_cluster_behind_one_of_three_endpoints_is_passed_over() -> None:
    with etcd(3) as ours, etcd() as other:
        first, second, _ = ours.endpoints
        for places in ((first, *other.endpoints, second), (*other.endpoints, first, second)):
            async with asking(*places) as member, asking(*other.endpoints) as theirs:
                await leads(member, within=10.0)
                with ours.members[0].frozen():
                    for _ in range(5):
                        await leads(member, within=10.0)
                entries, _ = await theirs.entries("")
                assert not entries
                theirs.prefix = member.prefix
                assert not (await theirs.entries(""))[0]
                await member.resign()


async def test_a_cluster_that_is_made_anew_is_believed_without_a_restart() -> None:
    with etcd() as found:
        async with asking(*found.endpoints) as member:
            await leads(member)
            found.make_anew()
            await leads(member, within=10.0)


async def test_what_an_endpoint_repeats_of_the_password_or_the_token_is_not_shown(tmp_path: Path) -> None:
    password, token = "vAw7bSqe9Ltr2", "uQwLdIeTzRkXmPao.42"
    (tmp_path / "password").write_text(password)
    signs_in = asyncio.Event()

    async def repeats(request: web.BaseRequest) -> web.Response:
        said = await request.json()
        if request.path == "/v3/auth/authenticate" and said["password"] == password and signs_in.is_set():
            return web.json_response({"header": {}, "token": token})
        return web.json_response({"message": f"no: {said} {request.headers.get('Authorization', '')}"}, status=403)

    async with stranger(repeats) as place, http_session("test", limit=4, per_host=4) as session:
        gateway = Gateway(session, [place], PATIENCE, SILENCE, "failoverd", tmp_path / "password")
        for _ in range(2):
            with pytest.raises(CoordinationError) as told:
                await gateway.ask("kv/range", {"key": "YQ=="}, twice=True)
            assert told.value.reason == "http_403"
            assert not any(secret in f"{told.value!r} {told.value} {gateway!r}" for secret in (password, token))
            signs_in.set()
