"""Credentials for a daemon whose user has no home, in which the SDKs would look for them, and no name."""

import os
from pathlib import Path

import pytest
from clouds.azure_tokens import CLIENT
from support.azure_site import local_azure
from support.oci_site import local_oci
from support.proxies import closed_port
from support.route53_site import KEY, local_route53
from support.servers import ZONE
from support.strangers import UNLISTED, reader, reads_of

from failoverd.providers import azure_dns, azure_traffic_manager, oci_dns, oci_steering
from failoverd.providers.azure.settings import CredentialSettings
from failoverd.providers.azure_traffic_manager.settings import DOMAIN
from failoverd.providers.dnsupdate.settings import TsigSettings
from failoverd.providers.oci_cloud.settings import OciSettings
from failoverd.providers.powerdns.settings import ApiSettings
from failoverd.providers.route53.settings import Route53Settings
from failoverd.settings import Settings

TSIG = {"server": "127.0.0.1", "key": {"name": "failoverd", "secret_file": "~/tsig.key"}}
API = {"url": "http://127.0.0.1:8081", "key_file": "~/powerdns.key"}
AT_HOME = {
    "rfc2136": {"kind": "rfc2136", "zones": [ZONE], **TSIG},
    "powerdns by transfer": {"kind": "powerdns", "zones": [ZONE], **TSIG},
    "powerdns by its API": {"kind": "powerdns", "zones": [ZONE], "api": API},
}
"""What names files in the home of whoever runs failoverd."""


def test_each_cloud_is_read_with_what_is_named_and_says_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("aws", "azure", "oci"):
        (tmp_path / name).mkdir()
    with (
        local_route53(tmp_path / "aws", monkeypatch) as aws,
        local_oci(tmp_path / "oci", monkeypatch) as oci,
        local_azure(tmp_path / "azure", monkeypatch) as azure,
        closed_port() as metadata,
    ):
        azure.make_profile(f"api.{DOMAIN}", east=("192.0.2.1", 100))
        named = {
            "route53": aws.settings(),
            "route53 by the environment": aws.settings(credentials_file=None),
            "oci_dns": oci.settings(oci_dns.KIND),
            "oci_steering": oci.settings(oci_steering.KIND),
            "azure_dns": azure.settings(azure_dns.KIND),
            "azure_traffic_manager": azure.settings(azure_traffic_manager.KIND),
        }
        missing = {
            "route53 at home": aws.settings(profile="mine", credentials_file=None),
            "oci at home": oci.settings(config_file=None),
            "azure by what there is": azure.settings(azure_dns.KIND, credential=None),
        }
        said = {name: each.model_dump(mode="json", exclude_unset=True) for name, each in {**named, **missing}.items()}
        found = reads_of(
            reader(),
            {**said, **AT_HOME},
            AWS_ACCESS_KEY_ID=KEY.key_id,
            AWS_SECRET_ACCESS_KEY=KEY.secret,
            AZURE_POD_IDENTITY_AUTHORITY_HOST=f"http://127.0.0.1:{metadata}",
            PATH=str(tmp_path),  # where no `az` is
        )
    assert found == {
        **dict.fromkeys(named, "read"),
        **dict.fromkeys(missing, "credentials_missing"),
        **dict.fromkeys(AT_HOME, "secret_unreadable"),
    }


@pytest.mark.parametrize(
    ("model", "said", "name"),
    [
        (TsigSettings, TSIG["key"], "secret_file"),
        (ApiSettings, API, "key_file"),
        (Route53Settings, {"kind": "route53", "zones": [ZONE]}, "credentials_file"),
        (OciSettings, {"kind": "oci_dns", "zones": [ZONE]}, "config_file"),
        (CredentialSettings, {"tenant_id": "example.com", "client_id": CLIENT}, "token_file"),
    ],
)
def test_a_file_at_home_is_looked_for_there(
    model: type[Settings], said: dict[str, object], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert getattr(model.model_validate({**said, name: "~/file"}), name) == tmp_path / "file"
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: UNLISTED)
    assert getattr(model.model_validate({**said, name: "~/file"}), name) == Path("~/file")
