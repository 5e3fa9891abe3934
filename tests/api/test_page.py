"""The page itself: what is in it, what it may do, who gets in, and what other sites' pages can have a browser ask."""

import gzip
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
import trustme
from support.api import House, elsewhere, heard
from support.browsing import asked, of_header

from failoverd.api.browsers import cookie, token_in
from failoverd.api.page import HERE, SCRIPTS, STYLES, page
from failoverd.config.schema.config_file import ApiEntry

READER, OPERATOR = "the-token-of-who-reads", "the-token-of-who-operates"

OURS: Final = [name for name in (*STYLES, *SCRIPTS) if not name.startswith("vendor/")]

UPLOT: Final = {
    "uplot-1.6.32.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uplot-1.6.32.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uplot-LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
"""SHA-256 of what https://registry.npmjs.org/uplot/-/uplot-1.6.32.tgz holds."""


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "digest"), UPLOT.items())
def test_the_library_for_charts_is_as_it_was_published(name: str, digest: str) -> None:
    assert sha256((HERE / "vendor" / name).read_bytes()).hexdigest() == digest


def test_it_comes_with_its_licence_and_nothing_else_lies_there() -> None:
    assert {each.name for each in (HERE / "vendor").iterdir()} == set(UPLOT)
    assert "The MIT License" in (HERE / "vendor" / "uplot-LICENSE").read_text()


def test_it_asks_nobody_else_for_anything() -> None:
    """Links are for people: it has none. What it asks for by itself is its own daemon's."""
    ours = "".join((HERE / name).read_text() for name in ("page.html", "mark.svg", *OURS))
    known = {"http://www.w3.org/2000/svg"}
    assert (
        set(re.findall(r"(?:https?:)?//[\w.]+/?[\w./-]*", re.sub(r"^\s*//.*$|\s//\s.*$", "", ours, flags=re.MULTILINE)))
        <= known
    )
    assert not re.findall(r"@import|url\(|src=|<link rel=\"(?!icon)|<iframe|<object", ours)


@pytest.mark.parametrize(
    "word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
)
def test_nothing_makes_elements_of_text(word: str) -> None:
    assert word not in "".join((HERE / name).read_text() for name in SCRIPTS)


def test_its_policy_lets_run_what_is_in_it_and_nothing_else() -> None:
    made = page()
    text = made.plain.decode()
    for tag, names in (("script", SCRIPTS), ("style", STYLES)):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert inside == "\n".join((HERE / name).read_text() for name in names), "no part cuts the other off"
        digest = b64encode(sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in made.policy
    assert "unsafe" not in made.policy
    assert not re.findall(r"\son\w+=|\sstyle=", (HERE / "page.html").read_text())
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
        assert rule in made.policy
    assert gzip.decompress(made.squeezed) == made.plain
    assert len(made.squeezed) < 64 * 1024


# -- who gets in -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def served(folder: Path, *, tls: bool = False) -> AsyncIterator[tuple[House, str]]:
    """The API where other machines reach it, and the address."""
    lines = [
        f"{name} {role} {sha256(token.encode()).hexdigest()} 2099-01-01T00:00:00Z\n"
        for name, role, token in (("screen", "read", READER), ("deploy", "operate", OPERATOR))
    ]
    (folder / "tokens").write_text("".join(lines))
    files = {}
    if tls:
        made = trustme.CA().issue_cert("127.0.0.1")
        made.cert_chain_pems[0].write_to_path(folder / "api.pem")
        made.private_key_pem.write_to_path(folder / "api.key")
        files = {"certificate_file": folder / "api.pem", "key_file": folder / "api.key"}
    async with heard(folder, ApiEntry(tcp=elsewhere(tokens_file=folder / "tokens", **files))) as here:
        yield here, f"http{'s' if tls else ''}://127.0.0.1:{here.api.port}"


async def test_the_page_is_anybodys_and_what_it_shows_is_not(tmp_path: Path) -> None:
    async with served(tmp_path) as (here, link):
        status, head, body = await asked(link, "/")
        assert (status, body) == (200, page().plain)
        assert of_header(head, "Content-Security-Policy") == page().policy
        assert of_header(head, "X-Content-Type-Options") == "nosniff"
        assert (await asked(link, "/v1/page"))[0] == 401
        assert (await here.ask("GET", "/v1/page"))[0] == 200, "at the socket the system says who asks"


async def test_a_token_that_reads_becomes_a_cookie_that_reads(tmp_path: Path) -> None:
    async with served(tmp_path) as (here, link):
        status, head, _ = await asked(link, "/v1/enter", Authorization=f"Bearer {READER}")
        kept = of_header(head, "Set-Cookie")
        assert (status, kept) == (200, cookie(READER, {}, tls=False))
        assert READER not in head
        mine = {"Cookie": kept.split(";")[0]}
        for path in ("/v1/page", "/v1/status", "/v1/timeline?policy=inference-api"):
            assert (await asked(link, path, **mine))[0] == 200, path
        for path in ("/v1/overrides", "/v1/reload", "/v1/plan"):
            assert (await asked(link, path, method="POST", **mine))[0] == 403, path
        assert here.desk.given == 0


async def test_a_token_that_may_change_something_is_not_for_a_browser(tmp_path: Path) -> None:
    async with served(tmp_path) as (here, link):
        status, head, body = await asked(link, "/v1/enter", Authorization=f"Bearer {OPERATOR}")
        assert (status, b"token_too_strong" in body, "Set-Cookie" in head) == (403, True, False)
        stolen = cookie(OPERATOR, {}, tls=False).split(";")[0]
        assert (await asked(link, "/v1/page", Cookie=stolen))[0] == 200
        status, _, _ = await asked(link, "/v1/release", method="POST", Cookie=stolen, Idempotency_Key="one")
        assert (status, here.desk.given) == (403, 0)


async def test_over_tls_a_cookie_is_for_that_host_alone_by_whichever_name(tmp_path: Path) -> None:
    async with served(tmp_path, tls=True) as (_, link):
        _, head, _ = await asked(link, "/v1/enter", host="failoverd.example.com", Authorization=f"Bearer {READER}")
        kept = of_header(head, "Set-Cookie")
        assert kept == cookie(READER, {}, tls=True)
        mine = {"Cookie": kept.split(";")[0]}
        assert (await asked(link, "/v1/page", host="failoverd.example.com", **mine))[0] == 200
        assert (await asked(link, "/v1/page", Cookie=cookie(READER, {}, tls=False).split(";")[0]))[0] == 401


def test_a_cookie_says_whose_it_is_and_is_read_again() -> None:
    kept = cookie(READER, {}, tls=True)
    assert re.fullmatch(r"__Host-failoverd=[\w-]+; Path=/; HttpOnly; SameSite=Strict; Secure", kept)
    assert cookie(READER, {"Host": "[::1]:8443"}, tls=True).startswith("__Host-failoverd-8443=")
    assert cookie(READER, {"Host": "[::1]"}, tls=False).startswith("failoverd=")
    assert (
        token_in(cookie("ümlaut und mehr als das", {}, tls=True).split("=", 1)[1].split(";")[0])
        == "ümlaut und mehr als das"
    )
    assert token_in("!" * 40) == ""
    assert token_in("A" * 4_000) == ""


COOKIES = ("failoverd=x", "failoverd=AAAA; failoverd=BBBB", "failoverd=" + "A" * 4_000, "a=b")
SITES = (
    ({"Sec_Fetch_Site": "same-origin"}, 200),
    ({"Sec_Fetch_Site": "cross-site"}, 403),
    ({"Sec_Fetch_Site": "same-site"}, 403),
    ({"Origin": "http://127.0.0.1"}, 200),
    ({"Origin": "https://127.0.0.1"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
)


async def test_cookies_of_nobody_are_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, link):
        for kept in COOKIES:
            assert (await asked(link, "/v1/page", Cookie=kept))[0] == 401, kept


async def test_pages_of_other_sites_ask_in_vain(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, link):
        for said, status in SITES:
            found = await asked(link, "/v1/page", Cookie=cookie(READER, {}, tls=False).split(";")[0], **said)
            assert found[0] == status, said
            assert (await asked(link, "/", **said))[0] == 200, "a link to it may stand anywhere"


async def test_no_browser_changes_anything_not_even_with_a_token(tmp_path: Path) -> None:
    asking = {"Authorization": f"Bearer {OPERATOR}", "Idempotency_Key": "one", "Content_Type": "application/json"}
    async with served(tmp_path) as (here, link):
        for said in ({"Origin": "http://127.0.0.1"}, {"Sec_Fetch_Site": "same-origin"}):
            found = await asked(link, "/v1/reload", method="POST", Content_Length="2", **asking, **said)
            assert (found[0], here.reloads) == (403, [])


async def test_without_tls_a_cookie_counts_for_names_of_this_host_alone(tmp_path: Path) -> None:
    def kept(host: str) -> str:
        return cookie(READER, {"Host": host}, tls=False).split(";")[0]

    async with served(tmp_path) as (_, link):
        for host in ("evil.example", "127.0.0.1.evil.example:80"):
            status, _, body = await asked(link, "/v1/page", host=host, Cookie=kept(host))
            assert (status, b"host_unknown" in body) == (403, True)
        assert (await asked(link, "/v1/page", host="localhost:9", Cookie=kept("localhost:9")))[0] == 200
        assert (await asked(link, "/v1/page", host="localhost:8", Cookie=kept("localhost:9")))[0] == 401


async def test_who_speaks_no_http_gets_nothing_of_it_back(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, link):
        for method, said in (("<script>", {}), ("GET", {"X": "x" * 9_000})):
            status, head, body = await asked(link, "/", method=method, **said)
            assert (status, of_header(head, "Server")) == (400, "failoverd")
            assert (b"request_invalid" in body, b"script" in body, b"xxx" in body) == (True, False, False)
            assert of_header(head, "X-Content-Type-Options") == "nosniff"


async def test_no_file_is_reached_by_its_name(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, link):
        for path in ("/../../etc/passwd", "/%2e%2e/page.js", "/vendor/uplot-LICENSE", "/page.js", "//"):
            assert (await asked(link, path, Authorization=f"Bearer {READER}"))[0] == 404, path


async def test_it_is_squeezed_for_who_can_read_that(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, link):
        _, head, body = await asked(link, "/", Accept_Encoding="gzip, br")
    assert of_header(head, "Content-Encoding") == "gzip"
    assert gzip.decompress(body) == page().plain
