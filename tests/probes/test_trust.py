import ssl
from pathlib import Path

import pytest
import trustme
from support.probers import prober

from failoverd.core.errors import ConfigError
from failoverd.probes.trust import trust


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
    context = trust(str(tmp_path / "ca.pem"))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_checks_that_trust_the_same_file_share_what_was_read_until_it_changes(
    authority: trustme.CA, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    first = trust(str(path))
    assert trust(str(path)) is first
    path.write_bytes(trustme.CA().cert_pem.bytes() * 2)
    assert trust(str(path)) is not first


def test_an_authority_in_the_system_s_directory_is_enough(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "1234abcd.0")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trust(None).verify_mode is ssl.CERT_REQUIRED
