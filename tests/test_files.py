"""Whatever stands where a file should be, nobody waits for it and nobody is filled by it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.alarms import within
from support.servers import ZONE

from failoverd.core.errors import ConfigError, Permanent
from failoverd.files import NotRegular, TooLarge, read_regular, require_regular
from failoverd.probes.field_types import SecretFile
from failoverd.probes.http1.request_credentials import RequestCredentials
from failoverd.probes.tls.trust_store import ClientIdentity, trust_context
from failoverd.providers.azure.secret import read_secret
from failoverd.providers.azure.settings import AzureSettings
from failoverd.providers.azure.tokens import Tokens
from failoverd.providers.dnsupdate.secret import KeyFile
from failoverd.providers.dnsupdate.settings import TsigSettings
from failoverd.providers.oci_cloud.client import Connection, _Trusting
from failoverd.providers.oci_cloud.credentials import load
from failoverd.providers.oci_cloud.errors import Call, edge
from failoverd.providers.oci_cloud.settings import OciSettings
from failoverd.providers.powerdns.http_api import ApiReader
from failoverd.providers.powerdns.secret import ApiKeyFile
from failoverd.providers.powerdns.settings import ApiSettings
from failoverd.providers.route53.client import Connection as AwsConnection
from failoverd.providers.route53.client import Reader
from failoverd.providers.route53.settings import Route53Settings

PATIENCE = 5.0


def test_a_file_is_read_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to(file)
    assert read_regular(tmp_path / "link", 100) == b"x" * 100
    require_regular(file)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 2_049)
    with pytest.raises(TooLarge) as caught:
        read_regular(tmp_path / "file", 2_048)
    assert caught.value.strerror == "it is larger than 2 KiB"


@pytest.mark.parametrize("path", [Path("/dev/zero"), Path("/dev/null"), Path("/")])
def test_a_device_or_a_directory_is_refused(path: Path) -> None:
    for look in (lambda: read_regular(path, 10), lambda: require_regular(path)):
        with pytest.raises(NotRegular) as caught:
            look()
        assert caught.value.strerror == "it is not a regular file"


def test_a_path_that_cannot_be_one_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="null"):
        read_regular(tmp_path / "a\x00b", 10)


GUID = "00000000-0000-4000-8000-000000000000"


def oci(path: Path, **more: str) -> OciSettings:
    return OciSettings.model_validate({"kind": "oci_dns", "zones": [ZONE], "config_file": str(path), **more})


def profile(beside: Path, key_file: Path) -> Path:
    said = {"user": "ocid1.user.oc1..a", "fingerprint": ":".join(["00"] * 16), "tenancy": "ocid1.tenancy.oc1..a",
            "region": "us-ashburn-1", "key_file": str(key_file)}  # fmt: skip
    file = beside.with_name("config")
    file.write_text("\n".join(["[DEFAULT]", *(f"{name}={value}" for name, value in said.items()), ""]))
    return file


def authorities_of_azure(fifo: Path) -> object:
    secret = fifo.with_name("secret")
    secret.write_text("a-secret")
    application = {"tenant_id": GUID, "client_id": GUID, "client_secret_file": str(secret)}
    said = {"kind": "azure_dns", "zones": [ZONE], "subscription": GUID, "resource_group": "dns", "ca_file": str(fifo),
            "authority": "https://127.0.0.1:1", "credential": application}  # fmt: skip
    return Tokens(AzureSettings.model_validate(said)).current()


def authorities_of_powerdns(fifo: Path) -> object:
    said = {"url": "https://127.0.0.1:1", "key_file": str(fifo), "ca_file": str(fifo)}
    return ApiReader(ApiSettings.model_validate(said), 1.0)._endpoint


def authorities_of_oci(fifo: Path) -> object:
    with edge(Call("main", "read")):
        return _Trusting(fifo).send(None)


def of_aws(**files: Path) -> object:
    said = {"kind": "route53", "zones": [ZONE], "endpoint": "https://127.0.0.1:1"}
    settings = Route53Settings.model_validate(said | {name: str(path) for name, path in files.items()})
    return Reader(AwsConnection("main", settings)).spread("C1")


READERS: dict[str, Callable[[Path], object]] = {
    "credentials of probes": lambda path: RequestCredentials(SecretFile(str(path)), None),
    "authorities of probes": lambda path: trust_context(str(path)),
    "certificate of probes": lambda path: trust_context(None, identity=ClientIdentity(str(path), str(path))),
    "secret of Azure": read_secret,
    "authorities of Azure": authorities_of_azure,
    "API key of PowerDNS": lambda path: ApiKeyFile(path).load(),
    "authorities of PowerDNS": authorities_of_powerdns,
    "TSIG key": lambda path: KeyFile(TsigSettings(name="k", secret_file=path)).load(),
    "configuration of OCI": lambda path: load(oci(path)),
    "key of OCI": lambda path: Connection("main", oci(profile(path, path)))._current(),
    "authorities of OCI": authorities_of_oci,
    "credentials of AWS": lambda path: of_aws(credentials_file=path),
    "authorities of AWS": lambda path: of_aws(ca_file=path),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_no_fifo_is_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "fifo")
    with within(PATIENCE), pytest.raises((Permanent, ConfigError)) as caught:
        read(tmp_path / "fifo")
    assert caught.value.reason
    assert caught.value.remedy
