"""What a file may say about Azure, and what it is told when it says something else."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from failoverd.core.records import Fence
from failoverd.providers import azure_dns, azure_traffic_manager
from failoverd.providers.azure_dns import AzureDnsSettings
from failoverd.providers.azure_traffic_manager import AzureTrafficManagerSettings

GUID = "12345678-1234-4234-8234-123456789abc"
APPLICATION = {"tenant_id": "example.onmicrosoft.com", "client_id": GUID}


def dns_settings(**more: Any) -> AzureDnsSettings:  # noqa: ANN401 - whatever a file says
    said = {"kind": "azure_dns", "zones": ["example.com"], "subscription": GUID, "resource_group": "dns-prod"}
    return AzureDnsSettings.model_validate({**said, **more})


def test_a_zone_a_subscription_and_a_resource_group_are_enough() -> None:
    settings = dns_settings()
    assert settings.base_url == "https://management.azure.com"
    assert settings.credential is None
    assert settings.timeout == 5.0


def test_a_traffic_manager_provider_steers_the_public_domain_unless_told_otherwise() -> None:
    said = {"kind": "azure_traffic_manager", "subscription": GUID, "resource_group": "web"}
    assert AzureTrafficManagerSettings.model_validate(said).zones == ("trafficmanager.net",)
    other = {**said, "zones": ["azuretrafficmanager.us"]}
    assert AzureTrafficManagerSettings.model_validate(other).zones == ("azuretrafficmanager.us",)


@pytest.mark.parametrize(
    "credential",
    [
        {**APPLICATION, "client_secret_file": "/run/secrets/azure"},
        {**APPLICATION, "certificate_file": "/run/secrets/azure.pem"},
        {**APPLICATION, "token_file": "/var/run/secrets/token"},
        {"managed_identity": True},
        {"managed_identity": True, "client_id": GUID},
    ],
)
def test_each_way_to_sign_in_is_named_by_its_file(credential: dict[str, object]) -> None:
    assert dns_settings(credential=credential).credential is not None


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        ({}, "one way"),
        ({**APPLICATION, "client_secret_file": "/a", "token_file": "/b"}, "one way"),
        ({**APPLICATION, "managed_identity": True, "token_file": "/b"}, "one way"),
        ({"client_id": GUID, "client_secret_file": "/a"}, "tenant_id"),
        ({"tenant_id": "example.com", "token_file": "/a"}, "client_id"),
        ({**APPLICATION, "managed_identity": True}, "remove `tenant_id`"),
        ({**APPLICATION, "client_secret": "hunter2hunter2"}, "a file of its own"),
        ({**APPLICATION, "certificate": "hunter2hunter2"}, "a file of its own"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(credential: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        dns_settings(credential=credential)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"subscription": "prod"},
        {"resource_group": "ends-with-a-dot."},
        {"resource_group": "a/b"},
        {"endpoint": "http://127.0.0.1:80"},
        {"endpoint": "https://somebody@127.0.0.1"},
        {"authority": "http://login.example.com"},
        {"timeout": "0s"},
        {"zones": []},
    ],
)
def test_what_could_never_work_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        dns_settings(**wrong)


def test_the_sdk_is_not_imported_before_a_provider_is_opened() -> None:
    kinds = "failoverd.providers.azure_dns, failoverd.providers.azure_traffic_manager"
    loaded = f"import sys, {kinds}; print([name for name in sys.modules if name.startswith(('azure', 'msal'))])"
    assert subprocess.check_output([sys.executable, "-c", loaded], text=True).strip() == "[]"


def test_the_capabilities_tell_what_a_policy_can_ask_for() -> None:
    dns, traffic = azure_dns.KIND.capabilities, azure_traffic_manager.KIND.capabilities
    assert dns.creates
    assert not traffic.creates
    assert (dns.fence, traffic.fence) == (Fence.PER_OBJECT, Fence.CHECKED_BEFORE)
