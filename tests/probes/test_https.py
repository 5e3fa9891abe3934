import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from support.probers import AwaitedProber, prober
from support.targets import OK, Behaviour, Connection, answers, closes, greets, resets, response, serve, silent
from support.tls_servers import NAME, self_signed, tls_server

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, ProbeResult
from failoverd.ports import Clock


@pytest.fixture
def https(ca_file: str) -> Callable[..., AwaitedProber]:
    """A prober that trusts the tests' authority."""

    def make(clock: Clock | None = None, **settings: object) -> AwaitedProber:
        return prober("https", "/health", clock, **{"host": NAME, "ca_file": ca_file, **settings})

    return make


async def probed(
    live: AwaitedProber, behave: Behaviour, context: ssl.SSLContext, host: str = "127.0.0.1"
) -> ProbeResult:
    async with serve(behave, host=host, tls=context) as target:
        return await live.probe(target.endpoint)


# -- the right answer --------------------------------------------------------------------------------------------------


async def test_a_certified_answer_passes_and_the_handshake_is_timed(
    https: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    result = await probed(https(), answers(OK), tls_server(authority, NAME))
    assert (result.outcome, result.reason, result.detail) == (ProbeOutcome.PASS, ProbeReason.OK, "200 OK")
    timings = result.timings
    assert timings.connect is not None
    assert timings.tls is not None
    assert timings.first_byte is not None
    assert timings.connect + timings.tls + timings.first_byte <= timings.total


async def test_the_host_of_the_check_is_sent_as_sni_and_host_header(
    https: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    asked: list[str | None] = []
    context = tls_server(authority, NAME)
    context.sni_callback = lambda _connection, name, _context: asked.append(name)
    async with serve(answers(OK), tls=context) as target:
        result = await https().probe(target.endpoint)
    assert result.reason is ProbeReason.OK
    assert asked == [NAME]
    assert f"Host: {NAME}\r\n" in target.requests[0]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_without_a_host_the_certificate_must_name_the_address(
    https: Callable[..., AwaitedProber], authority: trustme.CA, address: str
) -> None:
    right, wrong = tls_server(authority, "127.0.0.1", "::1"), tls_server(authority, NAME)
    assert (await probed(https(host=None), answers(OK), right, address)).reason is ProbeReason.OK
    assert (await probed(https(host=None), answers(OK), wrong, address)).reason is ProbeReason.TLS_CERTIFICATE


async def test_a_body_is_found_through_tls(https: Callable[..., AwaitedProber], authority: trustme.CA) -> None:
    sent = answers(b"HTTP/1.0 200 OK\r\n\r\n", b"ser", b"ving")
    assert (await probed(https(contains="serving"), sent, tls_server(authority, NAME))).reason is ProbeReason.OK


async def test_a_body_that_ends_with_the_connection_is_judged_then(
    https: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    sent = answers(b"HTTP/1.0 200 OK\r\n\r\n", b"idle")
    result = await probed(https(contains="serving"), sent, tls_server(authority, NAME))
    assert result.reason is ProbeReason.BODY_MISMATCH


async def test_the_system_s_authorities_are_trusted_when_the_check_names_none(
    authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    result = await probed(prober("https", "/", host=NAME), answers(OK), tls_server(authority, NAME))
    assert result.reason is ProbeReason.OK


# -- certificates that prove nothing -----------------------------------------------------------------------------------


async def test_an_expired_certificate_fails(https: Callable[..., AwaitedProber], authority: trustme.CA) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    result = await probed(https(), answers(OK), tls_server(authority, NAME, until=yesterday))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_CERTIFICATE)
    assert result.detail == "certificate has expired"


async def test_a_certificate_that_is_not_valid_yet_fails(
    https: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    result = await probed(https(), answers(OK), tls_server(authority, NAME, since=tomorrow))
    assert (result.reason, result.detail) == (ProbeReason.TLS_CERTIFICATE, "certificate is not yet valid")


async def test_a_certificate_that_its_owner_signed_fails(https: Callable[..., AwaitedProber]) -> None:
    result = await probed(https(), answers(OK), self_signed())
    assert (result.reason, result.detail) == (ProbeReason.TLS_CERTIFICATE, "self-signed certificate")


async def test_a_certificate_for_another_name_fails(https: Callable[..., AwaitedProber], authority: trustme.CA) -> None:
    result = await probed(https(), answers(OK), tls_server(authority, "other.example.test"))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_CERTIFICATE)
    assert NAME in result.detail


async def test_a_certificate_of_an_unknown_authority_fails(https: Callable[..., AwaitedProber]) -> None:
    result = await probed(https(), answers(OK), tls_server(trustme.CA(), NAME))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_CERTIFICATE)
    assert result.detail == "unable to get local issuer certificate"


async def test_without_ca_file_our_own_authority_is_unknown(authority: trustme.CA) -> None:
    result = await probed(prober("https", "/", host=NAME), answers(OK), tls_server(authority, NAME))
    assert result.reason is ProbeReason.TLS_CERTIFICATE


# -- certificates that soon prove nothing ------------------------------------------------------------------------------


async def test_the_days_that_a_certificate_is_valid_still_are_measured(
    https: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    soon = datetime.now(UTC) + timedelta(days=3)
    result = await probed(https(clock=time.time), answers(OK), tls_server(authority, NAME, until=soon))
    ((name, days),) = result.measures
    assert (result.reason, name) == (ProbeReason.OK, "certificate_days")
    assert 2.9 < days <= 3.0


async def test_a_certificate_that_expires_too_soon_is_degraded(
    https: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    soon = tls_server(authority, NAME, until=datetime.now(UTC) + timedelta(days=3))
    for settings in ({}, {"json_path": {"$.a": 1}}):
        live = https(clock=time.time, certificate_expires_within="7d", **settings)
        result = await probed(live, answers(response("200 OK", b'{"a": 1}')), soon)
        assert (result.outcome, result.reason) == (ProbeOutcome.DEGRADED, ProbeReason.CERTIFICATE_EXPIRING)
        assert "but the certificate expires in 3 days" in result.detail
    live = https(clock=time.time, certificate_expires_within="2d")
    assert (await probed(live, answers(OK), soon)).reason is ProbeReason.OK


async def test_a_certificate_that_expires_too_soon_on_the_way_is_noticed_where_the_redirect_ends(
    https: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    soon = tls_server(authority, NAME, until=datetime.now(UTC) + timedelta(days=3))
    async with serve(answers(OK), tls=tls_server(authority, "localhost")) as second:
        away = answers(response("302 Found", b"", f"Location: https://localhost:{second.port}/"))
        live = https(clock=time.time, redirects=1, certificate_expires_within="7d")
        result = await probed(live, away, soon)
    assert (result.outcome, result.reason) == (ProbeOutcome.DEGRADED, ProbeReason.CERTIFICATE_EXPIRING)
    assert dict(result.measures)["certificate_days"] <= 3


# -- who we are --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ours:
    """Our own certificate and key, as files that can be renewed."""

    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        return {"certificate_file": str(self.folder / "cert.pem"), "key_file": str(self.folder / "key.pem")}

    def renew(self, authority: trustme.CA) -> None:
        issued = authority.issue_cert("prober.example.test")
        issued.private_key_pem.write_to_path(self.folder / "key.pem")
        (self.folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))


@pytest.fixture
def ours(tmp_path: Path, authority: trustme.CA) -> Ours:
    found = Ours(tmp_path)
    found.renew(authority)
    return found


def asking_server(
    authority: trustme.CA, trusted: trustme.CA, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
) -> ssl.SSLContext:
    """A server that wants a certificate of ours; under TLS 1.2 a refusal comes within the handshake."""
    context = tls_server(authority, NAME)
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    trusted.configure_trust(context)
    return context


async def test_a_server_that_wants_our_certificate_gets_it(
    https: Callable[..., AwaitedProber], authority: trustme.CA, ours: Ours
) -> None:
    context = asking_server(authority, authority)
    assert (await probed(https(client_certificate=ours.settings), answers(OK), context)).reason is ProbeReason.OK
    assert (await probed(https(), answers(OK), context)).reason is ProbeReason.TLS_FAILED


async def test_a_certificate_of_ours_that_was_renewed_is_shown_from_the_next_probe_on(
    https: Callable[..., AwaitedProber], authority: trustme.CA, ours: Ours
) -> None:
    live = https(client_certificate=ours.settings)
    successor = trustme.CA()
    ours.renew(successor)
    async with serve(answers(OK), tls=asking_server(authority, successor)) as target:
        assert (await live.probe(target.endpoint)).reason is ProbeReason.OK


@pytest.mark.parametrize("gone", ["cert.pem", "key.pem"])
async def test_a_certificate_of_ours_that_is_gone_blinds_the_check_until_it_is_back(
    https: Callable[..., AwaitedProber], authority: trustme.CA, ours: Ours, gone: str
) -> None:
    live = https(client_certificate=ours.settings)
    async with serve(answers(OK), tls=asking_server(authority, authority)) as target:
        (ours.folder / gone).unlink()
        result = await live.probe(target.endpoint)
        assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.CREDENTIAL_MISSING)
        assert "No such file or directory" in result.detail or len(result.detail) == 200
        ours.renew(authority)
        assert (await live.probe(target.endpoint)).reason is ProbeReason.OK


async def test_our_certificate_is_shown_to_nobody_that_a_redirect_leads_to(
    https: Callable[..., AwaitedProber], authority: trustme.CA, ours: Ours
) -> None:
    shown: list[object] = []

    async def end(connection: Connection) -> None:
        shown.append(connection.writer.get_extra_info("peercert"))
        await answers(OK)(connection)

    context = tls_server(authority, "localhost")
    context.verify_mode = ssl.CERT_OPTIONAL
    authority.configure_trust(context)
    async with serve(end, tls=context) as second:
        away = answers(response("302 Found", b"", f"Location: https://localhost:{second.port}/"))
        live = https(client_certificate=ours.settings, redirects=True)
        result = await probed(live, away, asking_server(authority, authority))
    assert result.reason is ProbeReason.OK
    assert shown in ([None], [{}])


# -- sessions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("resume", "reused"), [(None, [False] * 3), ("10m", [False, True, True])])
async def test_sessions_are_taken_up_again_when_the_check_says_so(
    https: Callable[..., AwaitedProber], authority: trustme.CA, resume: str | None, reused: list[bool]
) -> None:
    seen: list[bool] = []

    async def behave(connection: Connection) -> None:
        seen.append(connection.writer.get_extra_info("ssl_object").session_reused)
        await answers(OK)(connection)

    live = https(clock=time.time) if resume is None else https(clock=time.time, resume=resume)
    async with serve(behave, tls=tls_server(authority, NAME)) as target:
        results = [await live.probe(target.endpoint) for _ in range(3)]
    assert [result.reason for result in results] == [ProbeReason.OK] * 3
    assert all(dict(result.measures)["certificate_days"] > 0 for result in results)
    assert seen == reused


# -- handshakes that go wrong ------------------------------------------------------------------------------------------


async def test_a_port_that_speaks_plain_http_is_no_tls(https: Callable[..., AwaitedProber]) -> None:
    async with serve(greets(response("400 Bad Request"))) as target:
        result = await https().probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_FAILED)
    assert result.detail == "wrong version number: the port may not speak TLS"


async def test_a_handshake_that_nobody_answers_ends_at_the_deadline(https: Callable[..., AwaitedProber]) -> None:
    async with serve(silent) as target:
        result = await https(timeout="150ms").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_TIMEOUT)
    assert result.detail == "the TLS handshake is not finished after 0.15s"
    assert result.timings.connect is not None
    assert result.timings.tls is None
    assert result.timings.total < 1.0


async def test_a_connection_that_is_reset_during_the_handshake(https: Callable[..., AwaitedProber]) -> None:
    async with serve(resets) as target:
        result = await https().probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_FAILED)
    assert result.detail.endswith("during the handshake")


async def test_a_connection_that_is_closed_during_the_handshake(https: Callable[..., AwaitedProber]) -> None:
    async def hangs_up(_connection: object) -> None:
        return

    async with serve(hangs_up) as target:
        result = await https().probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_FAILED)
    assert result.detail.endswith("during the handshake")


async def test_a_server_that_wants_a_certificate_of_ours_is_no_pass(
    https: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    context = tls_server(authority, NAME)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = asyncio.create_task(asyncio.to_thread(refuse_one_handshake, listener, context))
        result = await https().probe(Endpoint("region-1", *listener.getsockname()))
        await served
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_FAILED)
    assert "certificate required" in result.detail


@pytest.mark.parametrize(
    ("kind", "value", "settings", "version"),
    [
        ("https", "/", {}, ssl.TLSVersion.TLSv1_2),
        ("https", "/", {}, ssl.TLSVersion.TLSv1_3),
        ("https", "/", {"redirects": True}, ssl.TLSVersion.TLSv1_3),
        ("tls", 443, {}, ssl.TLSVersion.TLSv1_2),
        ("grpc", "", {"tls": True}, ssl.TLSVersion.TLSv1_2),
        ("metrics", "/metrics", {"tls": True, "preset": "vllm"}, ssl.TLSVersion.TLSv1_3),
    ],
)
async def test_a_certificate_of_ours_that_the_server_refuses_blinds_the_check(
    authority: trustme.CA,
    ca_file: str,
    ours: Ours,
    kind: str,
    value: object,
    settings: dict[str, object],
    version: ssl.TLSVersion,
) -> None:
    """As a refused token does: it is ours that has to be renewed, and the same at every endpoint at once."""
    context = asking_server(authority, trustme.CA(), version)
    live = prober(kind, value, host=NAME, ca_file=ca_file, client_certificate=ours.settings, timeout="5s", **settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = asyncio.create_task(asyncio.to_thread(refuse_one_handshake, listener, context))
        result = await live.probe(Endpoint("region-1", *listener.getsockname()))
        await served
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.CREDENTIAL_REFUSED)
    assert result.detail == "tlsv1 alert unknown ca: it does not accept our certificate"


def refuse_one_handshake(listener: socket.socket, context: ssl.SSLContext) -> None:
    """What asyncio's server does not do: send the alert before the connection ends."""
    accepted, _ = listener.accept()
    secured = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
    with suppress(ssl.SSLError):
        secured.do_handshake()
    with socket.socket(fileno=secured.detach()) as plain, suppress(ConnectionError):
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(4_096):
            pass


async def test_a_server_that_answers_nothing_after_the_handshake(
    https: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    context = tls_server(authority, NAME)
    assert (await probed(https(timeout="700ms"), silent, context)).reason is ProbeReason.RESPONSE_TIMEOUT
    assert (await probed(https(), closes, context)).reason is ProbeReason.RESPONSE_CLOSED


async def test_the_tls_context_is_made_once_and_not_with_each_probe(authority: trustme.CA, tmp_path: Path) -> None:
    copy = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(copy)
    live = prober("https", "/", host=NAME, ca_file=str(copy))
    copy.unlink()
    async with serve(answers(OK), tls=tls_server(authority, NAME)) as target:
        results = [await live.probe(Endpoint("region-1", "127.0.0.1", target.port)) for _ in range(2)]
    assert [result.reason for result in results] == [ProbeReason.OK, ProbeReason.OK]
