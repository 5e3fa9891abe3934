"""The way out, against servers that behave badly: bounded in time and size, and nothing goes where it should not."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from clouds.hook import Hook
from clouds.serving import Endpoint, Luck, Response, serving
from support.accepting import accepting
from support.servers import free_port
from support.tls_servers import self_signed, tls_server

from failoverd.foreign import keep_secret
from failoverd.ports import Delivery
from failoverd.telemetry.notifications.posting import Undelivered, posting

SECRET = "s3cr3t-token-that-nobody-sees"  # noqa: S105 - of this test alone


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def running(hook: Hook) -> Iterator[Endpoint]:
    with serving(hook) as found:
        yield found


async def send(url: str, patience: float = 5.0, ca_file: Path | None = None) -> str:
    async with posting(patience) as post:
        return await post(Delivery(url, b"{}", {"Authorization": f"Bearer {SECRET}"}, ca_file), "hook")


async def refused(url: str, patience: float = 5.0, ca_file: Path | None = None) -> Undelivered:
    with pytest.raises(Undelivered) as caught:
        await send(url, patience, ca_file)
    assert SECRET not in str(caught.value)
    return caught.value


async def test_a_server_that_hangs_is_left_in_time(running: Endpoint) -> None:
    running.expect(Luck.HANG_BEFORE)
    found = await refused(running.url, patience=0.2)
    assert (found.reason, found.detail) == ("timeout", "hook did not answer in time")


@pytest.mark.parametrize("luck", [Luck.DROP_BEFORE, Luck.DROP_AFTER])
async def test_a_connection_that_ends_is_no_answer(running: Endpoint, luck: Luck) -> None:
    running.expect(luck, times=2)
    assert (await refused(running.url)).reason == "exchange_failed"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_for_the_credentials_would_go_along(
    hook: Hook, running: Endpoint, status: int
) -> None:
    thief = Hook()
    with serving(thief) as elsewhere:
        hook.answers = Response(status, b"", {"location": f"{elsewhere.url}/steal"})
        found = await refused(running.url)
        assert elsewhere.count() == 0
    assert (found.reason, found.refused) == ("redirected", False)
    assert "not taken elsewhere" in found.remedy


async def test_an_answer_without_end_is_read_a_little_of() -> None:
    gone = asyncio.Event()

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oh\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        gone.set()

    async with accepting(talk) as port:
        found = await refused(f"http://127.0.0.1:{port}")
        await gone.wait()
    assert found.reason == "http_500"
    assert len(found.detail) < 300


async def test_what_a_server_repeats_of_a_secret_is_not_shown(hook: Hook, running: Endpoint) -> None:
    keep_secret(SECRET)
    hook.answers = Response(502, f"you sent {SECRET}\x1b[2J".encode())
    assert "not shown" in (await refused(running.url)).detail


@pytest.mark.parametrize(("asked", "kept"), [("7", 7.0), ("99999999", 300.0), ("soon", None), ("-1", None)])
async def test_silence_that_a_server_asks_for_is_kept_within_reason(
    hook: Hook, running: Endpoint, asked: str, kept: float | None
) -> None:
    hook.answers = Response(429, b"", {"retry-after": asked})
    assert (await refused(running.url)).retry_after == kept


@pytest.mark.parametrize(
    ("status", "message_alone"), [(400, True), (413, True), (422, True), (401, False), (503, False)]
)
async def test_what_is_wrong_with_the_message_alone_is_known(
    hook: Hook, running: Endpoint, status: int, message_alone: bool
) -> None:
    hook.answers = Response(status)
    assert (await refused(running.url)).refused is message_alone


async def test_nobody_there_and_no_such_name() -> None:
    assert (await refused(f"http://127.0.0.1:{free_port()}")).reason == "unreachable"
    assert (await refused("http://hook.invalid.")).reason in {"name_unknown", "unreachable"}


async def test_a_certificate_is_verified_and_an_authority_of_ones_own_can_be_named(tmp_path: Path) -> None:
    authority, hook = trustme.CA(), Hook()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with serving(hook, tls=tls_server(authority, "127.0.0.1")) as running:
        assert await send(running.url, ca_file=ca_file) == "204"
        assert (await refused(running.url)).reason == "certificate"
    with serving(hook, tls=self_signed("127.0.0.1")) as running:
        assert (await refused(running.url, ca_file=ca_file)).reason == "certificate"
    assert len(hook.got) == 1
    assert (await refused("https://127.0.0.1:9", ca_file=tmp_path / "none.pem")).reason == "ca_unreadable"


async def test_a_resolver_that_hangs_keeps_no_other_work_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, released = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(*_: object) -> list[object]:
        loop.call_soon_threadsafe(asked.set)
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(10)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    async with posting(0.1) as post:
        tries = [asyncio.ensure_future(post(Delivery(f"http://h{n}.example", b"{}"), "hook")) for n in range(40)]
        await asked.wait()
        assert await asyncio.to_thread(lambda: "others have their threads") == "others have their threads"
        found = await asyncio.gather(*tries, return_exceptions=True)
        released.set()
    assert all(isinstance(each, Undelivered) and each.reason == "timeout" for each in found)
