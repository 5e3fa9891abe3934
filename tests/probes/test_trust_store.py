import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from support.probers import prober

from failoverd.core.errors import ConfigError
from failoverd.probes.tls.trust_store import ClientIdentity, TrustStore, trust_context


@pytest.mark.parametrize("content", [None, "", "this is not PEM"])
def test_a_ca_file_that_cannot_be_used_says_so_when_the_check_is_opened(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"ca\.pem cannot be used: .*\(ca_file_unusable\)"):
        prober("https", "/", ca_file=str(path))


def test_a_host_without_any_authority_says_so_instead_of_failing_every_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match="no_trust_store"):
        prober("https", "/")


def test_trust_cannot_be_made_without_verification(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = trust_context(str(tmp_path / "ca.pem"))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert not context.hostname_checks_common_name
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_checks_that_trust_the_same_file_share_what_was_read_until_it_changes(
    authority: trustme.CA, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    first = trust_context(str(path))
    assert trust_context(str(path)) is first
    path.write_bytes(trustme.CA().cert_pem.bytes() * 2)
    assert trust_context(str(path)) is not first


def test_a_check_trusts_whom_its_file_names_now_and_keeps_to_the_old_ones_while_it_is_no_good(
    authority: trustme.CA, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    trusted = TrustStore(str(path))
    first = trusted.context()
    assert trusted.context() is first
    path.write_text("half of a file")
    assert trusted.context() is first
    path.write_bytes(authority.cert_pem.bytes() + trustme.CA().cert_pem.bytes())
    renewed = trusted.context()
    assert renewed is not first
    assert renewed.cert_store_stats()["x509_ca"] == 2


def test_an_authority_in_the_system_s_directory_is_enough(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "1234abcd.0")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trust_context(None).verify_mode is ssl.CERT_REQUIRED


# -- who we are --------------------------------------------------------------------------------------------------------


def ours(authority: trustme.CA, folder: Path) -> ClientIdentity:
    issued = authority.issue_cert("prober.example.test")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    return ClientIdentity(str(folder / "cert.pem"), str(folder / "key.pem"))


def test_who_shows_a_certificate_of_ours_shares_no_context_with_who_does_not(
    authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    identity = ours(authority, tmp_path)
    assert trust_context(ca_file, identity=identity) is not trust_context(ca_file)
    shown = TrustStore(ca_file, identity)
    assert shown.context() is shown.context()
    assert shown.anonymous() is trust_context(ca_file)


def locked_key() -> bytes:
    """A key that cannot be used without its pass phrase."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))


@pytest.mark.parametrize("wrong", ["none", "empty", "other", "locked"])
def test_a_key_that_cannot_be_used_says_so_at_once_and_asks_nobody(
    wrong: str, authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    identity = ours(authority, tmp_path)
    key = tmp_path / "key.pem"
    key.unlink()
    if wrong != "none":
        other = authority.issue_cert("other.example.test").private_key_pem.bytes()
        key.write_bytes({"empty": b"", "other": other, "locked": locked_key()}[wrong])
    with pytest.raises(ConfigError, match="client_certificate_unusable") as refused:
        TrustStore(ca_file, identity)
    assert "PRIVATE" not in str(refused.value)
