"""`failoverctl page`: the page at a port of this host, for whoever has its link, and for nobody else's pages."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from support.api import heard
from support.browsing import asked, of_header

from failoverd.api.relay import relayed


async def test_names_of_this_host_are_answered_whatever_the_port_and_others_are_not(tmp_path: Path) -> None:
    """A site that has its name point to 127.0.0.1 is told by that name."""
    async with heard(tmp_path) as here, relayed(here.socket, 0, "alice") as link:
        for host in ("127.0.0.1", "localhost", "127.0.0.1:9000", "[::1]:8653"):
            status, _, body = await asked(link, "/", host=host)
            assert (status, b"<title>failoverd</title>" in body) == (200, True), host
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1"):
            for path in ("/", "/v1/page"):
                assert (await asked(link, path, host=host))[0] in {400, 403}, host


async def test_who_has_the_link_gets_in_and_nobody_else(tmp_path: Path) -> None:
    async with heard(tmp_path) as here, relayed(here.socket, 0, "alice") as link:
        token = link.split("token=")[1]
        assert (await asked(link, "/v1/page"))[0] == 401
        assert (await asked(link, "/v1/enter", Authorization="Bearer another-one-altogether"))[0] == 401
        status, head, body = await asked(link, "/v1/enter", Authorization=f"Bearer {token}")
        assert (status, b'"actor":"alice"' in body) == (200, True)
        kept = of_header(head, "Set-Cookie")
        assert kept.endswith("; Path=/; HttpOnly; SameSite=Strict")
        status, _, body = await asked(link, "/v1/page", Cookie=kept.split(";")[0])
    assert (status, b'"headline"' in body) == (200, True)


async def entered(link: str) -> str:
    _, head, _ = await asked(link, "/v1/enter", Authorization=f"Bearer {link.split('token=')[1]}")
    return of_header(head, "Set-Cookie").split(";")[0]


async def test_two_of_them_in_one_browser_do_not_knock_each_other_out(tmp_path: Path) -> None:
    """A browser has one jar for all ports of a host."""
    async with heard(tmp_path) as here, relayed(here.socket, 0, "alice") as one, relayed(here.socket, 0, "bob") as two:
        kept = []
        for link in (one, two):
            token, host = link.split("token=")[1], urlsplit(link).netloc
            _, head, _ = await asked(link, "/v1/enter", host=host, Authorization=f"Bearer {token}")
            kept.append(of_header(head, "Set-Cookie").split(";")[0])
        for link in (one, two):
            assert (await asked(link, "/v1/page", host=urlsplit(link).netloc, Cookie="; ".join(kept)))[0] == 200
        status, _, body = await asked(one, "/v1/page", host=urlsplit(one).netloc, Cookie=kept[1])
    assert (status, b'"link_unknown"' in body) == (401, True)


SITES = (
    ({"Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
)
PATHS = (
    "/v1/overrides", "/v1/audit", "/v1/status", "/v1/page/../overrides", "/v1/page%2f..%2foverrides", "/v1/%70age",
    "//v1/page", "/v1/page/", "/../../etc/passwd", "/vendor/uplot-LICENSE",
)  # fmt: skip


async def test_pages_of_other_sites_ask_in_vain(tmp_path: Path) -> None:
    async with heard(tmp_path) as here, relayed(here.socket, 0, "alice") as link:
        kept = await entered(link)
        for said, status in SITES:
            assert (await asked(link, "/v1/page", Cookie=kept, **said))[0] == status, said


async def test_nothing_is_passed_on_but_what_the_page_asks(tmp_path: Path) -> None:
    async with heard(tmp_path) as here, relayed(here.socket, 0, "alice") as link:
        kept = await entered(link)
        for path in PATHS:
            status, _, body = await asked(link, path, Cookie=kept)
            assert (status, b'"path_unknown"' in body) == (404, True), path


async def test_nothing_can_be_changed_through_it(tmp_path: Path) -> None:
    async with heard(tmp_path) as here, relayed(here.socket, 0, "alice") as link:
        kept = await entered(link)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
            for path in ("/", "/v1/page", "/v1/overrides"):
                assert (await asked(link, path, method=method, Cookie=kept))[0] in {404, 405}, method
        assert here.desk.given == 0


async def test_a_daemon_that_is_gone_is_told_as_that(tmp_path: Path) -> None:
    async with relayed(tmp_path / "api.sock", 0, "alice") as link:
        status, _, body = await asked(link, "/v1/page", Cookie=await entered(link))
    assert (status, b'"daemon_unreachable"' in body) == (503, True)


async def test_what_is_told_as_it_happens_is_passed_on_as_it_happens(tmp_path: Path) -> None:
    async with heard(tmp_path) as here, relayed(here.socket, 0, "alice") as link:
        first = await first_event(link)
    assert first.startswith(b"event: board\nid: ")


async def first_event(link: str) -> bytes:
    kept, port = await entered(link), urlsplit(link).port
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET /v1/events HTTP/1.0\r\nHost: 127.0.0.1\r\nCookie: {kept}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"\n\n")  # how long to wait before asking again
            return await reader.readuntil(b"\n\n")
        finally:
            writer.transport.abort()
