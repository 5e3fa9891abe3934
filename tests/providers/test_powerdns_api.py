"""The HTTP API at its worst: it lies, it rambles, it stops in the middle; and over TLS."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from support.accepting import LOOPBACK, accepting
from support.contract import VALUES, approved, planned, publish, target, wish
from support.powerdns import forward_http, http_api, http_request, open_powerdns
from support.servers import PowerDns

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Fenced, Permanent, ProviderError, RateLimited, Transient
from failoverd.core.records import RecordType
from failoverd.ports import Provider
from failoverd.providers.powerdns.http import MAX_BODY

EAST, WEST, NORTH = VALUES[RecordType.A]


async def a_plan(server: PowerDns, name: str) -> Plan:
    async with open_powerdns(http_api(server)) as provider:
        return planned(await provider.read(target(name)), wish(provider, target(name), EAST))


@asynccontextmanager
async def answering(server: PowerDns, begin: bytes, answer: bytes) -> AsyncIterator[Provider]:
    """A provider whose requests that begin so are answered with these octets, and all others by the real server."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await http_request(reader)
        writer.write(answer if request.startswith(begin) else await forward_http(request, server.api_port))
        await writer.drain()

    async with accepting(handle) as port, open_powerdns(http_api(server, port=port)) as provider:
        yield provider


def response(status: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


@pytest.mark.parametrize("record_type", [RecordType.A, RecordType.CNAME])
async def test_an_alias_of_powerdns_is_somebody_elses_record_and_no_nonsense(
    powerdns_server: PowerDns, name: str, record_type: RecordType
) -> None:
    records = [{"content": "lb.example.net.", "disabled": False}]
    body = json.dumps({"rrsets": [{"name": f"{name}.", "type": "ALIAS", "ttl": 60, "records": records}]})
    names = b"GET /api/v1/servers/localhost/zones/"
    async with answering(powerdns_server, names, response("200 OK", body.encode())) as provider:
        seen = await provider.read(target(name, record_type))
    assert (seen.records, seen.foreign) == (None, ("ALIAS",))


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (b"", Transient, "connection_lost"),
        (b"\x00\x01\x02 this is no HTTP\r\n\r\n", Transient, "answer_invalid"),
        (response("200 OK", b"[1, 2"), Transient, "answer_invalid"),
        (response("200 OK", b"[" * 300_000), Transient, "answer_invalid"),
        (response("500 Internal Server Error", b"[" * 300_000), Transient, "server_failure"),
        (response("200 OK", b'{"rrsets": 7}'), Transient, "answer_invalid"),
        (response("200 OK", b'{"rrsets": [{}]}'), Transient, "answer_invalid"),
        (response("200 OK", b"{}")[:-1], Transient, "answer_invalid"),
        (response("200 OK", b" " * (MAX_BODY + 1)), Transient, "answer_invalid"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, Transient, "answer_invalid"),
        (response("500 Internal Server Error", b'{"error": "disk \\u001b[31mfull"}'), Transient, "server_failure"),
        (response("429 Too Many Requests"), RateLimited, "throttled"),
        (response("401 Unauthorized"), Permanent, "api_key_refused"),
        (response("403 Forbidden"), Permanent, "api_key_refused"),
        (response("404 Not Found"), Permanent, "zone_missing"),
        (response("301 Moved Permanently"), Permanent, "request_refused"),
    ],
)
async def test_whatever_is_answered_to_a_question_is_an_error_with_a_reason(
    powerdns_server: PowerDns, name: str, answer: bytes, kind: type[ProviderError], reason: str
) -> None:
    async with answering(powerdns_server, b"GET", answer) as provider:
        with pytest.raises(kind) as caught:
            await provider.read(target(name))
    assert caught.value.reason == reason
    assert caught.value.detail.isprintable()


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (b"", Transient, "outcome_unknown"),
        (b"\x00 this is no HTTP\r\n\r\n", Transient, "outcome_unknown"),
        (response("500 Internal Server Error"), Transient, "outcome_unknown"),
        (response("422 Unprocessable Entity", b'{"error": "Conflicts with it"}'), Fenced, "stale_generation"),
        (response("422 Unprocessable Entity", b'{"error": "nonsense"}'), Permanent, "request_refused"),
        (response("204 No Content"), Permanent, "no_effect"),
    ],
)
async def test_whatever_is_answered_to_a_change_is_an_error_with_a_reason(
    powerdns_server: PowerDns, name: str, answer: bytes, kind: type[ProviderError], reason: str
) -> None:
    plan = await a_plan(powerdns_server, name)
    async with answering(powerdns_server, b"PATCH", answer) as provider:
        with pytest.raises(kind) as caught:
            await provider.apply(approved(plan))
        assert await provider.read(plan.target) == plan.before
    assert caught.value.reason == reason


async def test_a_rival_in_the_very_moment_of_the_write_is_noticed(powerdns_server: PowerDns, name: str) -> None:
    """The API has no condition: this is the weakness that the documentation tells of."""
    plan = await a_plan(powerdns_server, name)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await http_request(reader)
        answer = await forward_http(request, powerdns_server.api_port)
        if request.startswith(b"PATCH"):
            async with open_powerdns(http_api(powerdns_server)) as rival:
                await publish(rival, plan.target, WEST)
        writer.write(answer)
        await writer.drain()

    async with accepting(handle) as port, open_powerdns(http_api(powerdns_server, port=port)) as provider:
        with pytest.raises(Fenced) as caught:
            await provider.apply(approved(plan))
    assert caught.value.reason == "overtaken"
    assert powerdns_server.dig(name, "A") == [WEST]


@asynccontextmanager
async def over_tls(server: PowerDns, authority: trustme.CA) -> AsyncIterator[str]:
    """The URL of the API behind a proxy that speaks TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(LOOPBACK).configure_cert(context)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await forward_http(await http_request(reader), server.api_port))
        await writer.drain()

    async with accepting(handle, tls=context) as port:
        yield f"https://{LOOPBACK}:{port}"


async def test_over_tls_the_certificate_is_checked(powerdns_server: PowerDns, name: str, tmp_path: Path) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    for authority, file in ((ours, "ours.pem"), (theirs, "theirs.pem")):
        authority.cert_pem.write_to_path(tmp_path / file)
    async with over_tls(powerdns_server, ours) as url:
        async with open_powerdns(http_api(powerdns_server, url=url, ca_file=str(tmp_path / "ours.pem"))) as provider:
            await publish(provider, target(name), EAST)
        for ca_file, reason in (("theirs.pem", "tls_certificate"), ("missing.pem", "ca_unreadable")):
            wrong = http_api(powerdns_server, url=url, ca_file=str(tmp_path / ca_file))
            async with open_powerdns(wrong) as provider:
                with pytest.raises(Permanent) as caught:
                    await provider.read(target(name))
            assert caught.value.reason == reason
    assert powerdns_server.dig(name, "A") == [EAST]
