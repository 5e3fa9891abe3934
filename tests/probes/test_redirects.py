"""Redirects: where they lead, where they must not, and what is sent along."""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from support.probers import prober
from support.targets import OK, Behaviour, Connection, Target, answers, response, serve

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, ProbeResult
from failoverd.probes import execution
from failoverd.probes.http1.http_url import HttpUrl
from failoverd.probes.http_check.redirect_guard import refuse_nearer
from failoverd.probes.http_check.redirects import RedirectRefused, method_after, redirect_target
from failoverd.probes.transport.stream_transport import TcpTransport

NAME = "web.example.test"


def to(location: str, status: str = "302 Found") -> bytes:
    return response(status, b"", f"Location: {location}")


def pages(listed: Mapping[str, bytes] | None = None, /, **said: bytes) -> Behaviour:
    """Answers each path with what is said of it: `pages(start=to("/end"), end=OK)`."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        path = connection.target.requests[-1].split(" ")[1].lstrip("/")
        await connection.send({**said, **(listed or {})}[path])

    return behave


async def followed(behave: Behaviour, **settings: object) -> tuple[ProbeResult, Target]:
    async with serve(behave) as target:
        result = await prober("http", "/start", **{"redirects": True, **settings}).probe(target.endpoint)
    return result, target


def asked(target: Target) -> list[str]:
    return [request.split(" HTTP/")[0] for request in target.requests]


# -- followed ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location", ["/end", "end", "?", "./x/../end", "//{}/end", "http://{}/end", "HTTP://{}/end#top"]
)
async def test_a_redirect_is_followed_and_judged_where_it_ends(location: str) -> None:
    said = {"end": OK, "start?again": OK}
    async with serve(pages(said)) as target:
        said["start"] = to("/start?again" if location == "?" else location.format(f"127.0.0.1:{target.port}"))
        result = await prober("http", "/start", redirects=1).probe(target.endpoint)
    assert (result.outcome, result.reason, result.detail) == (ProbeOutcome.PASS, ProbeReason.OK, "200 OK")
    assert len(target.requests) == 2


async def test_what_a_redirect_ends_at_is_judged_like_any_answer() -> None:
    result, _ = await followed(pages(start=to("/end"), end=response("503 Service Unavailable")))
    assert (result.reason, result.detail) == (ProbeReason.STATUS_UNEXPECTED, "503 Service Unavailable")
    result, _ = await followed(pages(start=to("/end"), end=response("200 OK", b"closed")), contains="open")
    assert result.reason is ProbeReason.BODY_MISMATCH


async def test_a_redirect_that_the_check_lists_is_an_answer_and_not_followed() -> None:
    result, target = await followed(pages(start=to("/end")), status=[200, 302])
    assert (result.reason, len(target.requests)) == (ProbeReason.OK, 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (response("302 Found"), "302 Found, and no place to go to"),
        (to("", "302 Found"), "302 Found, and no place to go to"),
        (response("304 Not Modified"), "304 Not Modified, and no place to go to"),
        (to("/end", "300 Multiple Choices"), "300 Multiple Choices to '/end', where it is not followed"),
    ],
)
async def test_a_redirect_that_says_no_place_to_go_to_is_a_wrong_status(answer: bytes, words: str) -> None:
    result, target = await followed(pages(start=answer))
    assert (result.reason, len(target.requests)) == (ProbeReason.STATUS_UNEXPECTED, 1)
    assert result.detail == words


@pytest.mark.parametrize(
    ("location", "asked_for"),
    [
        ("/große stadt?q=ü x", "/gro%C3%9Fe%20stadt?q=%C3%BC%20x"),
        ("/gro%C3%9Fe%20stadt", "/gro%C3%9Fe%20stadt"),
        ("/50% off", "/50%%20off"),
    ],
)
async def test_what_servers_write_into_a_location_as_it_is_is_asked_for_as_clients_do(
    location: str, asked_for: str
) -> None:
    result, target = await followed(pages({"start": to(location), asked_for[1:]: OK}))
    assert (result.reason, asked(target)) == (ProbeReason.OK, ["GET /start", f"GET {asked_for}"])


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "HEAD", "HEAD"),
    ],
)
def test_the_method_after_a_redirect_is_the_one_that_http_says(status: int, method: str, then: str) -> None:
    assert method_after(status, method) == then


async def test_a_post_that_becomes_a_get_loses_its_body_and_what_describes_it() -> None:
    headers = {"Content-Type": "text/plain", "X-Kept": "yes"}
    result, target = await followed(pages(start=to("/end"), end=OK), method="POST", body="x", headers=headers)
    assert result.reason is ProbeReason.OK
    assert asked(target) == ["POST /start", "GET /end"]
    assert "Content-" not in target.requests[1]
    assert "X-Kept: yes\r\n" in target.requests[1]


async def test_a_post_that_stays_one_keeps_its_body() -> None:
    result, target = await followed(pages(start=to("/end", "307 Temporary Redirect"), end=OK), method="POST", body="x")
    assert result.reason is ProbeReason.OK
    assert asked(target) == ["POST /start", "POST /end"]
    assert "Content-Length: 1\r\n" in target.requests[1]


async def test_the_name_that_the_check_asks_for_stays_at_the_same_endpoint_whatever_dns_says() -> None:
    result, target = await followed(pages(start=to(f"http://{NAME}/end"), end=OK), host=NAME)
    assert result.reason is ProbeReason.OK
    assert f"Host: {NAME}\r\n" in target.requests[1]


async def test_another_host_is_looked_up_and_asked_by_its_own_name() -> None:
    async with serve(pages(end=OK)) as second:
        result, _ = await followed(pages(start=to(f"http://localhost:{second.port}/end")))
    assert result.reason is ProbeReason.OK
    assert f"Host: localhost:{second.port}\r\n" in second.requests[0]


# -- without end -------------------------------------------------------------------------------------------------------


async def test_redirects_in_a_circle_are_called_so() -> None:
    result, target = await followed(pages(start=to("/end"), end=to("/start")))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.REDIRECT_LOOP)
    assert result.detail == f"the redirects lead back to http://127.0.0.1:{target.port}/start"
    assert len(target.requests) == 2


async def test_more_redirects_than_the_check_follows_are_too_many() -> None:
    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(to(f"/{len(connection.target.requests)}"))

    result, target = await followed(behave, redirects=3)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.REDIRECT_LOOP)
    assert (result.detail, len(target.requests)) == ("more than 3 redirects", 4)


async def test_all_redirects_together_have_one_deadline() -> None:
    async def behave(connection: Connection) -> None:
        await connection.request()
        if len(connection.target.requests) < 3:
            await connection.send(to(f"/{len(connection.target.requests)}"))
        else:
            await connection.hold()

    result, _ = await followed(behave, timeout="300ms")
    assert result.reason is ProbeReason.RESPONSE_TIMEOUT
    assert 0.29 < result.timings.total < 1.0


# -- refused: nothing is sent there ------------------------------------------------------------------------------------


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that anybody tries to connect to; what is not loopback is stopped."""
    found: list[str] = []
    dial = TcpTransport.connect

    def noted(line: TcpTransport, address: str, port: int) -> None:
        found.append(address)
        assert address in {"127.0.0.1", "::1"}
        dial(line, address, port)

    monkeypatch.setattr(TcpTransport, "connect", noted)
    return found


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.170.2/v2/credentials",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://[fd20:ce::254]/computeMetadata/v1/",
        "http://192.0.0.192/latest/",
        "http://[::ffff:168.63.129.16]/machine",
        "http://[::ffff:192.0.0.192]/latest/",
        "http://[::100.100.100.200]/latest/",
        "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://192.168.0.1:8080/",
        "http://[fd12::1]/",
        "//10.0.0.1/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://168.63.129.16/machine",
        "http://100.100.100.200/latest/meta-data/",
        "http://0.0.0.0/",
        "http://0.1.2.3/",
        "http://[::]/",
        "http://224.0.0.1/",
        "http://[ff02::1]/",
        "http://255.255.255.255/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://127.1/",
        "http://user:pw@127.0.0.1/",
        "http://169.254.169.254%2f@127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:8a/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://127.0.0.1\\@169.254.169.254/",
        "http:// 169.254.169.254/",
        "http://169。254。169。254/",
        "http:///etc/passwd",
        "http:start",
        "https://",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "javascript:alert(1)",
        "/" + "a" * 2_000,
    ],
)
async def test_a_redirect_to_where_probes_do_not_go_is_refused_before_a_packet_is_sent(
    location: str, dialled: list[str]
) -> None:
    result, target = await followed(pages(start=to(location)))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.REDIRECT_REFUSED)
    assert result.detail.startswith("the redirect is not followed: ")
    assert result.detail.isprintable()
    assert (len(target.requests), dialled) == (1, ["127.0.0.1"])


@pytest.mark.parametrize(
    "name",
    [
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata.goog",
        "metadata",
        "instance-data",
        "instance-data.ec2.internal",
        "instance-data.us-west-2.compute.internal",
        "metadata.tencentyun.com",
        "rancher-metadata",
    ],
)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_the_name_of_a_metadata_service_is_not_even_looked_up(
    name: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []

    async def lookup(host: str) -> tuple[str, ...]:
        looked_up.append(host)
        return ("127.0.0.1",)

    monkeypatch.setattr(execution, "addresses_of", lookup)
    result, _ = await followed(pages(start=to(f"http://{name}/computeMetadata/v1/", status)))
    assert (result.reason, looked_up) == (ProbeReason.REDIRECT_REFUSED, [])
    assert "is the name of a metadata service" in result.detail


@pytest.mark.parametrize("name", ["metadata.example.com", "my-metadata.internal", "www.metadata.google.internal"])
async def test_a_name_that_only_resembles_one_is_looked_up_as_any(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []

    async def lookup(host: str) -> tuple[str, ...]:
        looked_up.append(host)
        return ("169.254.169.254",)

    monkeypatch.setattr(execution, "addresses_of", lookup)
    result, _ = await followed(pages(start=to(f"http://{name}/")))
    assert (result.reason, looked_up) == (ProbeReason.REDIRECT_REFUSED, [name])


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%2", "::ffff:100.100.100.200", "10.0.0.1"])
async def test_a_name_that_leads_to_where_probes_do_not_go_is_refused(
    address: str, dialled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lookup(host: str) -> tuple[str, ...]:
        assert host == "metadata.example.test"
        return (address,)

    monkeypatch.setattr(execution, "addresses_of", lookup)
    result, _ = await followed(pages(start=to("http://metadata.example.test/")))
    assert (result.reason, dialled) == (ProbeReason.REDIRECT_REFUSED, ["127.0.0.1"])


@pytest.mark.parametrize(
    ("address", "home", "allowed"),
    [
        ("198.18.0.1", "8.8.8.8", False),
        ("8.8.8.8", "1.1.1.1", True),
        ("10.0.0.1", "8.8.8.8", False),
        ("10.0.0.1", "192.168.7.7", True),
        ("100.64.1.1", "8.8.8.8", False),
        ("fd12::1", "2606:4700::1", False),
        ("fd12::1", "10.0.0.1", True),
        ("8.8.8.8", "10.0.0.1", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("127.0.0.1", "8.8.8.8", False),
        ("::1", "8.8.8.8", False),
        ("::ffff:127.0.0.1", "10.0.0.1", False),
        ("127.0.0.2", "::1", True),
        ("10.0.0.1", "127.0.0.1", False),
        ("10.0.0.1", "::1", False),
        ("fd12::1", "127.0.0.1", False),
        ("10.0.0.1", "169.254.7.7", False),
        ("10.0.0.1", "168.63.129.16", False),
        ("169.254.7.8", "169.254.7.7", False),
        ("8.8.8.8", "127.0.0.1", True),
        ("8.8.8.8", "169.254.7.7", True),
    ],
)
def test_a_redirect_never_leads_nearer_to_us_than_its_endpoint_is(address: str, home: str, *, allowed: bool) -> None:
    if allowed:
        refuse_nearer(address, [home])
        return
    with pytest.raises(RedirectRefused):
        refuse_nearer(address, [home])


async def test_https_is_not_left_for_http(authority: trustme.CA, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    async with (
        serve(answers(to(f"http://{NAME}/"))) as plain,
        serve(answers(to(f"http://{NAME}/")), tls=context) as web,
    ):
        live = prober("https", "/", host=NAME, ca_file=str(ca_file), redirects=True)
        result = await live.probe(web.endpoint)
    assert (result.reason, plain.connections) == (ProbeReason.REDIRECT_REFUSED, 0)
    assert result.detail == "the redirect is not followed: it leaves https for http"


async def test_http_that_leads_to_https_is_verified_there(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with serve(answers(OK), tls=context) as web:
        result, _ = await followed(pages(start=to(f"https://localhost:{web.port}/")))
        assert result.reason is ProbeReason.TLS_CERTIFICATE
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        result, _ = await followed(pages(start=to(f"https://localhost:{web.port}/")))
        assert result.reason is ProbeReason.OK
    assert result.timings.tls is not None


# -- what is secret stays ----------------------------------------------------------------------------------------------


async def test_a_secret_is_sent_on_to_the_same_origin_and_to_no_other(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abcdefghijkl\n")
    async with serve(pages(end=OK)) as second:
        start = pages(start=to("/middle"), middle=to(f"http://127.0.0.1:{second.port}/end"))
        result, first = await followed(start, authorization_file=str(tmp_path / "token"), headers={"X-Plain": "yes"})
    assert result.reason is ProbeReason.OK
    assert ["Authorization: Bearer abcdefghijkl\r\n" in request for request in first.requests] == [True, True]
    assert "Authorization" not in second.requests[0]
    assert "X-Plain: yes\r\n" in second.requests[0]


# -- reading a Location ------------------------------------------------------------------------------------------------

HOME = HttpUrl("https", NAME, 443, "/a/b?c")


@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("d", "https://web.example.test/a/d"),
        ("../d", "https://web.example.test/d"),
        ("../../../d", "https://web.example.test/d"),
        ("?d=e", "https://web.example.test/a/b?d=e"),
        ("/d?x=http://y/", "https://web.example.test/d?x=http://y/"),
        ("//other.example.test", "https://other.example.test/"),
        ("https://OTHER.example.test.:443/d#e", "https://other.example.test/d"),
        ("https://other.example.test:8443?x", "https://other.example.test:8443/?x"),
        ("https://[2001:DB8:0::1]:8443/d", "https://[2001:db8::1]:8443/d"),
        ("https://web.example.test:/d", "https://web.example.test/d"),
    ],
)
def test_a_location_is_read_relative_to_where_it_was_given(location: str, where: str) -> None:
    assert str(redirect_target(HOME, location)) == where


@given(st.one_of(st.text(max_size=60), st.from_regex(r"(https?:)?/?/?[0-9a-fx.\[\]:@%]{0,30}", fullmatch=True)))
def test_no_location_is_read_as_an_address_that_it_does_not_spell(location: str) -> None:
    with suppress(RedirectRefused):
        url = redirect_target(HOME, location)
        assert url.scheme == "https"
        assert url.target.startswith("/")
        assert url.host == NAME or ":" in url.host or spells_itself(url.host)


def spells_itself(host: str) -> bool:
    """Whether the system's resolver reads a host as a name, or as the very address that it spells."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host)) == host
    except OSError:
        return True


async def test_an_endpoint_that_is_a_name_is_as_near_as_its_addresses() -> None:
    async with serve(pages(end=OK)) as second, serve(pages(start=to(f"http://127.0.0.1:{second.port}/end"))) as first:
        live = prober("http", "/start", redirects=True)
        result = await live.probe(Endpoint("region-1", "localhost", first.port))
    assert result.reason is ProbeReason.OK
