"""The `tls` check: a handshake, and nothing after it."""

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError
from support.probers import AwaitedProber, prober
from support.targets import greets, refusing, resets, serve, silent
from support.tls_servers import NAME, self_signed, tls_server

from failoverd.core.errors import ConfigError
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import ProbeResult
from failoverd.probes.tls_check import TlsSettings


@pytest.fixture
def tls(ca_file: str) -> Callable[..., AwaitedProber]:
    """A prober that trusts the tests' authority."""

    def make(**settings: object) -> AwaitedProber:
        return prober("tls", 443, time.time, **{"host": NAME, "ca_file": ca_file, **settings})

    return make


async def probed(live: AwaitedProber, context: ssl.SSLContext, host: str = "127.0.0.1") -> ProbeResult:
    async with serve(silent, host=host, tls=context) as target:
        return await live.probe(target.endpoint)


async def test_a_server_that_proves_itself_passes_without_a_word(
    tls: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    result = await probed(tls(), tls_server(authority, NAME))
    assert (result.outcome, result.reason) == (ProbeOutcome.PASS, ProbeReason.OK)
    assert result.detail == f"the certificate is right for {NAME}"
    assert result.timings.tls is not None
    assert result.timings.first_byte is not None
    assert dict(result.measures)["certificate_days"] > 1


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_without_a_host_the_certificate_must_name_the_address(
    tls: Callable[..., AwaitedProber], authority: trustme.CA, address: str
) -> None:
    assert (await probed(tls(host=None), tls_server(authority, address), address)).reason is ProbeReason.OK
    assert (await probed(tls(host=None), tls_server(authority, NAME), address)).reason is ProbeReason.TLS_CERTIFICATE


async def test_a_certificate_that_expires_too_soon_is_degraded(
    tls: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    context = tls_server(authority, NAME, until=datetime.now(UTC) + timedelta(days=3))
    result = await probed(tls(certificate_expires_within="7d"), context)
    assert (result.outcome, result.reason) == (ProbeOutcome.DEGRADED, ProbeReason.CERTIFICATE_EXPIRING)
    assert (await probed(tls(certificate_expires_within="1d"), context)).reason is ProbeReason.OK


async def test_each_certificate_that_proves_nothing_says_why(
    tls: Callable[..., AwaitedProber], authority: trustme.CA
) -> None:
    day = timedelta(days=1)
    said = {
        "certificate has expired": tls_server(authority, NAME, until=datetime.now(UTC) - day),
        "certificate is not yet valid": tls_server(authority, NAME, since=datetime.now(UTC) + day),
        "unable to get local issuer certificate": tls_server(trustme.CA(), NAME),
        "self-signed certificate": self_signed(),
        f"Hostname mismatch, certificate is not valid for '{NAME}'.": tls_server(authority, "other.example.test"),
    }
    for words, context in said.items():
        result = await probed(tls(), context)
        assert (result.outcome, result.reason, result.detail) == (ProbeOutcome.FAIL, ProbeReason.TLS_CERTIFICATE, words)


async def test_a_version_of_tls_that_is_too_old_fails(tls: Callable[..., AwaitedProber], authority: trustme.CA) -> None:
    context = tls_server(authority, NAME)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert (await probed(tls(), context)).reason is ProbeReason.OK
    result = await probed(tls(minimum_version="1.3"), context)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_FAILED)


@pytest.mark.parametrize(
    ("spoken", "words"),
    [(["h2", "http/1.1"], ""), (None, "it does not agree on h2"), (["http/1.1"], None)],
)
async def test_the_application_protocol_is_one_that_the_server_agrees_on(
    tls: Callable[..., AwaitedProber], authority: trustme.CA, spoken: list[str] | None, words: str | None
) -> None:
    context = tls_server(authority, NAME)
    if spoken is not None:
        context.set_alpn_protocols(spoken)
    result = await probed(tls(protocol="h2"), context)
    assert result.reason is (ProbeReason.OK if words == "" else ProbeReason.TLS_FAILED)
    assert words in {"", None, result.detail}


async def test_a_server_that_speaks_something_else_or_nothing_fails(tls: Callable[..., AwaitedProber]) -> None:
    async with serve(greets(b"220 mail.example.com ESMTP\r\n")) as target:
        assert (await tls().probe(target.endpoint)).reason is ProbeReason.TLS_FAILED
    async with serve(resets) as target:
        assert (await tls().probe(target.endpoint)).reason is ProbeReason.TLS_FAILED
    async with serve(silent) as target:
        assert (await tls(timeout="150ms").probe(target.endpoint)).reason is ProbeReason.TLS_TIMEOUT
    with refusing() as gone:
        assert (await tls().probe(gone.endpoint)).reason is ProbeReason.CONNECT_REFUSED


async def test_a_certificate_of_ours_that_is_gone_blinds_the_check(
    tls: Callable[..., AwaitedProber], authority: trustme.CA, tmp_path: Path
) -> None:
    issued = authority.issue_cert("prober.example.test")
    both = tmp_path / "both.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(both)
    live = tls(client_certificate={"certificate_file": str(both), "key_file": str(both)})
    both.unlink()
    result = await probed(live, tls_server(authority, NAME))
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.CREDENTIAL_MISSING)


def test_files_that_cannot_be_used_say_so_when_the_check_is_opened(
    tls: Callable[..., AwaitedProber], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="ca_file_unusable"):
        tls(ca_file=str(tmp_path / "none.pem"))
    (tmp_path / "other.pem").write_text("this is not PEM")
    shown = {"certificate_file": str(tmp_path / "other.pem"), "key_file": str(tmp_path / "other.pem")}
    with pytest.raises(ConfigError, match="client_certificate_unusable"):
        tls(client_certificate=shown)


@pytest.mark.parametrize(
    "wrong",
    [{"tls": 0}, {"tls": "443"}, {"minimum_version": "1.1"}, {"protocol": ""}, {"protocol": "h 2"}, {"resume": "1m"}],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TlsSettings.model_validate({"tls": 443, **wrong})
