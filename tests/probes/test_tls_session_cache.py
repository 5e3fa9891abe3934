"""TLS sessions are taken up again only where the check says so, and never for longer than it says."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from support.probers import AwaitedProber, prober
from support.targets import OK, Behaviour, Connection, serve

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.transport import tls_session_cache

NAME = "api.example.test"


@pytest.fixture
def seen() -> list[bool]:
    """For each connection that the server had: whether its session was an earlier one's."""
    return []


@pytest.fixture
def server(seen: list[bool]) -> Behaviour:
    async def behave(connection: Connection) -> None:
        seen.append(connection.writer.get_extra_info("ssl_object").session_reused)
        await connection.request()
        await connection.send(OK)

    return behave


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def context(authority: trustme.CA, request: pytest.FixtureRequest) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = made.maximum_version = request.param
    authority.issue_cert(NAME).configure_cert(made)
    return made


@pytest.fixture
def https(authority: trustme.CA, tmp_path: Path) -> Callable[..., AwaitedProber]:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return lambda **settings: prober("https", "/", host=NAME, ca_file=str(tmp_path / "ca.pem"), **settings)


async def test_without_resume_every_handshake_is_a_full_one(
    https: Callable[..., AwaitedProber], server: Behaviour, context: ssl.SSLContext, seen: list[bool]
) -> None:
    live = https()
    async with serve(server, tls=context) as target:
        results = [await live.probe(target.endpoint) for _ in range(3)]
    assert {result.reason for result in results} == {ProbeReason.OK}
    assert seen == [False, False, False]


async def test_with_resume_the_first_handshake_proves_the_peer_and_the_next_go_back_to_it(
    https: Callable[..., AwaitedProber], server: Behaviour, context: ssl.SSLContext, seen: list[bool]
) -> None:
    live = https(resume="10m")
    async with serve(server, tls=context) as target:
        results = [await live.probe(target.endpoint) for _ in range(4)]
    assert {result.reason for result in results} == {ProbeReason.OK}
    assert seen == [False, True, True, True]


async def test_a_session_is_not_made_younger_by_what_it_led_to(
    https: Callable[..., AwaitedProber],
    server: Behaviour,
    context: ssl.SSLContext,
    seen: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr(tls_session_cache, "monotonic", lambda: clock[0])
    live = https(resume="60s")
    async with serve(server, tls=context) as target:
        for _ in range(4):
            await live.probe(target.endpoint)
            clock[0] += 25
    assert seen == [False, True, True, False]


async def test_servers_of_one_name_do_not_get_each_others_sessions(
    https: Callable[..., AwaitedProber], server: Behaviour, context: ssl.SSLContext, seen: list[bool]
) -> None:
    live = https(resume="10m")
    async with serve(server, tls=context) as first, serve(server, tls=context) as second:
        for target in (first, second, first, second):
            await live.probe(target.endpoint)
    assert seen == [False, False, True, True]
