import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from support.probers import prober
from support.targets import OK, Behaviour, answers, closes, greets, resets, response, serve, silent

from failoverd.core.records import Endpoint, Outcome, ProbeReason, ProbeResult
from failoverd.ports import Prober

NAME = "api.example.test"


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def tls_server(authority: trustme.CA, *names: str, until: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=until).configure_cert(context)
    return context


@pytest.fixture
def https(ca_file: str) -> Callable[..., Prober]:
    """A prober that trusts the tests' authority."""

    def make(**settings: object) -> Prober:
        return prober("https", "/health", **{"host": NAME, "ca_file": ca_file, **settings})

    return make


async def probed(live: Prober, behave: Behaviour, context: ssl.SSLContext, host: str = "127.0.0.1") -> ProbeResult:
    async with serve(behave, host=host, tls=context) as target:
        return await live.probe(target.endpoint)


# -- the right answer --------------------------------------------------------------------------------------------------


async def test_a_certified_answer_passes_and_the_handshake_is_timed(
    https: Callable[..., Prober], authority: trustme.CA
) -> None:
    result = await probed(https(), answers(OK), tls_server(authority, NAME))
    assert (result.outcome, result.reason, result.detail) == (Outcome.PASS, ProbeReason.OK, "200 OK")
    timings = result.timings
    assert timings.connect is not None
    assert timings.tls is not None
    assert timings.first_byte is not None
    assert timings.connect + timings.tls + timings.first_byte <= timings.total


async def test_the_host_of_the_check_is_sent_as_sni_and_host_header(
    https: Callable[..., Prober], authority: trustme.CA
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
    https: Callable[..., Prober], authority: trustme.CA, address: str
) -> None:
    right, wrong = tls_server(authority, "127.0.0.1", "::1"), tls_server(authority, NAME)
    assert (await probed(https(host=None), answers(OK), right, address)).reason is ProbeReason.OK
    assert (await probed(https(host=None), answers(OK), wrong, address)).reason is ProbeReason.TLS_CERTIFICATE


async def test_a_body_is_found_through_tls(https: Callable[..., Prober], authority: trustme.CA) -> None:
    sent = answers(b"HTTP/1.0 200 OK\r\n\r\n", b"ser", b"ving")
    assert (await probed(https(contains="serving"), sent, tls_server(authority, NAME))).reason is ProbeReason.OK


async def test_a_body_that_ends_with_the_connection_is_judged_then(
    https: Callable[..., Prober], authority: trustme.CA
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


async def test_an_expired_certificate_fails(https: Callable[..., Prober], authority: trustme.CA) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    result = await probed(https(), answers(OK), tls_server(authority, NAME, until=yesterday))
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.TLS_CERTIFICATE)
    assert result.detail == "certificate has expired"


async def test_a_certificate_for_another_name_fails(https: Callable[..., Prober], authority: trustme.CA) -> None:
    result = await probed(https(), answers(OK), tls_server(authority, "other.example.test"))
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.TLS_CERTIFICATE)
    assert NAME in result.detail


async def test_a_certificate_of_an_unknown_authority_fails(https: Callable[..., Prober]) -> None:
    result = await probed(https(), answers(OK), tls_server(trustme.CA(), NAME))
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.TLS_CERTIFICATE)
    assert result.detail == "unable to get local issuer certificate"


async def test_without_ca_file_our_own_authority_is_unknown(authority: trustme.CA) -> None:
    result = await probed(prober("https", "/", host=NAME), answers(OK), tls_server(authority, NAME))
    assert result.reason is ProbeReason.TLS_CERTIFICATE


# -- handshakes that go wrong ------------------------------------------------------------------------------------------


async def test_a_port_that_speaks_plain_http_is_no_tls(https: Callable[..., Prober]) -> None:
    async with serve(greets(response("400 Bad Request"))) as target:
        result = await https().probe(target.endpoint)
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.TLS_FAILED)
    assert result.detail == "wrong version number: the port may not speak TLS"


async def test_a_handshake_that_nobody_answers_ends_at_the_deadline(https: Callable[..., Prober]) -> None:
    async with serve(silent) as target:
        result = await https(timeout="150ms").probe(target.endpoint)
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.TLS_TIMEOUT)
    assert result.detail == "the TLS handshake is not finished after 0.15s"
    assert result.timings.connect is not None
    assert result.timings.tls is None
    assert result.timings.total < 1.0


async def test_a_connection_that_is_reset_during_the_handshake(https: Callable[..., Prober]) -> None:
    async with serve(resets) as target:
        result = await https().probe(target.endpoint)
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.TLS_FAILED)
    assert result.detail.endswith("during the handshake")


async def test_a_connection_that_is_closed_during_the_handshake(https: Callable[..., Prober]) -> None:
    async def hangs_up(_connection: object) -> None:
        return

    async with serve(hangs_up) as target:
        result = await https().probe(target.endpoint)
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.TLS_FAILED)
    assert result.detail.endswith("during the handshake")


async def test_a_server_that_wants_a_certificate_of_ours_is_no_pass(
    https: Callable[..., Prober], authority: trustme.CA
) -> None:
    context = tls_server(authority, NAME)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = asyncio.create_task(asyncio.to_thread(refuse_one_handshake, listener, context))
        result = await https().probe(Endpoint("region-1", *listener.getsockname()))
        await served
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.TLS_FAILED)
    assert "certificate required" in result.detail


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
    https: Callable[..., Prober], authority: trustme.CA
) -> None:
    context = tls_server(authority, NAME)
    assert (await probed(https(timeout="250ms"), silent, context)).reason is ProbeReason.RESPONSE_TIMEOUT
    assert (await probed(https(), closes, context)).reason is ProbeReason.RESPONSE_CLOSED


async def test_the_tls_context_is_made_once_and_not_with_each_probe(authority: trustme.CA, tmp_path: Path) -> None:
    copy = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(copy)
    live = prober("https", "/", host=NAME, ca_file=str(copy))
    copy.unlink()
    async with serve(answers(OK), tls=tls_server(authority, NAME)) as target:
        results = [await live.probe(Endpoint("region-1", "127.0.0.1", target.port)) for _ in range(2)]
    assert [result.reason for result in results] == [ProbeReason.OK, ProbeReason.OK]
