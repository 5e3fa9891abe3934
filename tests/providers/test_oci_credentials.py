"""Who failoverd is for OCI: profiles, keys that rotate, tokens, and what is said when none of it works."""

import base64
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from clouds.oci import OciCloud
from clouds.oci_client import fingerprint, private_pem, public_pem
from clouds.serving import serving
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError
from support.contract import VALUES, publish, target
from support.oci_site import LocalOci, local_oci
from support.proxies import closed_port
from support.servers import ZONE

from failoverd.core.errors import Permanent, ProviderError, Transient
from failoverd.core.records import RecordType
from failoverd.providers import oci_dns

ADDRESSES = VALUES[RecordType.A]
AT = target(f"api.{ZONE}")


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalOci]:
    with local_oci(tmp_path, monkeypatch) as local:
        yield local


async def read_fails(local: LocalOci, **more: object) -> ProviderError:
    async with local.open(**more) as provider:  # type: ignore[arg-type]
        with pytest.raises(ProviderError) as caught:
            await provider.read(AT)
    assert "PRIVATE KEY" not in str(caught.value)
    assert caught.value.remedy
    return caught.value


class Key:
    """Another API key of the same user."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self.pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        public = key.public_key()
        self.public = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()
        digest = hashes.Hash(hashes.MD5())  # noqa: S303 - how OCI names keys
        digest.update(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
        self.fingerprint = digest.finalize().hex(":")


async def test_a_key_is_rotated_without_a_restart(local: LocalOci) -> None:
    newer = Key()
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        local.cloud.user.keys = {newer.fingerprint: newer.public}
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        assert caught.value.reason == "credentials_invalid"
        local.hand_out(newer.pem, fingerprint=newer.fingerprint)
        await publish(provider, AT, ADDRESSES[1])


async def test_a_changed_file_is_used_before_the_old_key_fails(local: LocalOci) -> None:
    newer = Key()
    local.cloud.user.keys[newer.fingerprint] = newer.public
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        local.hand_out(newer.pem, fingerprint=newer.fingerprint)
        del local.cloud.user.keys[fingerprint()]
        await publish(provider, AT, ADDRESSES[1])


async def test_a_profile_is_chosen_by_its_name(local: LocalOci) -> None:
    text = local.config_file.read_text().replace("[DEFAULT]", "[steering]")
    local.config_file.write_text(text)
    async with local.open(profile="steering") as provider:
        assert (await provider.read(AT)).records is None
    error = await read_fails(local, profile="missing")
    assert error.reason == "credentials_missing"
    assert "missing" in error.detail


async def test_the_usual_file_is_used_when_none_is_named(local: LocalOci, monkeypatch: pytest.MonkeyPatch) -> None:
    home = local.folder / "home"
    (home / ".oci").mkdir(parents=True)
    (home / ".oci" / "config").write_text(local.config_file.read_text())
    async with local.open(config_file=None) as provider:
        assert (await provider.read(AT)).records is None
    (home / ".oci" / "config").unlink()
    assert (await read_fails(local, config_file=None)).reason == "credentials_missing"
    monkeypatch.setenv("OCI_CONFIG_FILE", str(local.config_file))
    async with local.open(config_file=None) as provider:
        assert (await provider.read(AT)).records is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "credentials_missing"),
        ("[DEFAULT]\nuser=nobody\n", "credentials_invalid"),
        ("[DEFAULT]\nkey_file=/nowhere/key.pem\n", "credentials_missing"),
        ("-----BEGIN PRIVATE KEY-----\nnot for the log\n", "credentials_invalid"),
        ("[DEFAULT]\nkey_content=not for the log\n", "credentials_invalid"),
    ],
)
async def test_a_file_that_cannot_be_used_says_so_and_shows_nothing_of_it(
    local: LocalOci, said: str, reason: str
) -> None:
    local.config_file.write_text(said)
    error = await read_fails(local, profile="DEFAULT" if said else "other")
    assert error.reason == reason
    assert "not for the log" not in str(error)
    assert str(local.config_file) in error.detail


async def test_a_key_file_that_holds_no_key(local: LocalOci) -> None:
    local.key_file.write_text(public_pem())
    assert (await read_fails(local)).reason == "credentials_invalid"
    local.hand_out(private_pem())
    async with local.open() as provider:
        assert (await provider.read(AT)).records is None


# -- tokens ------------------------------------------------------------------------------------------------------------


def jwt(*, lives: float) -> str:
    """A token as OCI hands them out, as far as a client looks into it."""
    parts = [{"alg": "RS256"}, {"exp": int(time.time() + lives), "sub": "ocid1.instance.oc1..x"}, {}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


async def test_a_session_token_that_oci_takes_no_more_has_expired(local: LocalOci) -> None:
    token = local.folder / "token"
    token.write_text(jwt(lives=3_600))
    local.hand_out(private_pem(), security_token_file=str(token))
    async with local.open() as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        assert caught.value.reason == "token_expired"
        local.hand_out(private_pem())
        assert (await provider.read(AT)).records is None


async def test_a_resource_principal_signs_with_what_its_environment_says(
    local: LocalOci, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"auth": "resource_principal", "config_file": None}
    assert (await read_fails(local, **settings)).reason in {"credentials_missing", "credentials_invalid"}
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2")
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_RPST", jwt(lives=3_600))
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", private_pem())
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_REGION", "us-ashburn-1")
    error = await read_fails(local, **settings)
    assert error.reason == "token_expired"  # the local OCI hands out no tokens, so it knows none
    assert local.reads() > 0


async def test_an_instance_principal_asks_the_metadata_service(
    local: LocalOci, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closed_port() as port:
        monkeypatch.setenv("OCI_METADATA_BASE_URL", f"http://127.0.0.1:{port}/opc/v2")
        error = await read_fails(local, auth="instance_principal", config_file=None)
    assert isinstance(error, Transient)
    assert error.reason == "connect_failed"
    assert "instance_principal" in error.detail


async def test_a_workload_identity_needs_a_cluster(local: LocalOci, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    error = await read_fails(local, auth="workload_identity", config_file=None)
    assert error.reason == "credentials_invalid"
    assert "workload_identity" in error.detail


# -- TLS, settings, imports --------------------------------------------------------------------------------------------


async def test_the_api_is_trusted_by_the_certificates_of_ca_file(
    local: LocalOci, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    cloud = OciCloud([ZONE])
    cloud.user.keys[fingerprint()] = public_pem()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ssl.get_default_verify_paths().cafile or str(ca_file))
    with serving(cloud, tls=context) as endpoint:
        async with local.open(endpoint=endpoint.url, ca_file=str(ca_file)) as provider:
            assert (await provider.read(AT)).records is None
        assert (await read_fails(local, endpoint=endpoint.url)).reason == "certificate_untrusted"
        missing = await read_fails(local, endpoint=endpoint.url, ca_file=str(tmp_path / "missing.pem"))
        assert missing.reason == "ca_file_missing"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"zone_ids": {"other.test": "ocid1.dns-zone.oc1..x"}}, "which `zones` does not"),
        ({"zone_ids": {ZONE: "not-an-ocid"}}, "pattern"),
        ({"auth": "instance_principal"}, "reads no `config_file`"),
        ({"auth": "guess"}, "Input should be"),
        ({"endpoint": "http://127.0.0.1:80/path"}, "pattern"),
        ({"requests_per_second": 0}, "greater than 0"),
        ({"key": "secret"}, "not permitted"),
    ],
)
def test_settings_that_make_no_sense(local: LocalOci, said: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        local.settings(**said)  # type: ignore[arg-type]


def test_the_sdk_is_imported_when_a_provider_is_opened_and_not_before() -> None:
    code = (
        "import sys; from failoverd.providers import kinds; kinds();"
        "print(sorted(name for name in sys.modules if name.split('.')[0] == 'oci'))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == "[]"


async def test_opening_asks_nothing(local: LocalOci) -> None:
    local.config_file.unlink()
    async with local.open(oci_dns.KIND):
        assert local.endpoint.count() == 0
