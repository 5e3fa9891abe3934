"""The role definitions in docs/permissions: each holds what its provider needs, and nothing else."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from clouds.azure import SUBSCRIPTION
from clouds.azure_access import Role
from support.azure_site import LocalAzure
from support.contract import VALUES, publish, target

from failoverd.core.errors import Permanent
from failoverd.core.records import RecordType
from failoverd.ports import Provider, ProviderKind
from failoverd.providers import azure_dns, azure_traffic_manager
from failoverd.providers.azure_traffic_manager import DOMAIN

FOLDER = Path(__file__).parents[2] / "docs" / "permissions"
SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/dns"
FRONT = "/subscriptions/s/resourceGroups/dns/providers/Microsoft.Network/publicIPAddresses/front"


def role(kind: ProviderKind) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((FOLDER / f"{kind.name}.json").read_text())
    return said


def actions(kind: ProviderKind) -> list[str]:
    return list(role(kind)["Actions"])


@pytest.mark.parametrize("kind", [azure_dns.KIND, azure_traffic_manager.KIND], ids=lambda kind: kind.name)
def test_the_document_is_a_custom_role_for_a_resource_group_that_deletes_nothing(kind: ProviderKind) -> None:
    said = role(kind)
    assert set(said) == {
        "Name", "IsCustom", "Description", "Actions", "NotActions", "DataActions", "NotDataActions", "AssignableScopes",
    }  # fmt: skip
    assert said["IsCustom"] is True
    assert len(said["Actions"]) == len(set(said["Actions"]))
    for action in said["Actions"]:
        assert action.startswith("Microsoft.Network/")
        assert action.endswith(("/read", "/write"))
        assert "*" not in action


async def everything_in_dns(_: LocalAzure, provider: Provider) -> None:
    """Many absent names, so that the size of the zone is asked for; then each type created, changed and read."""
    absent = [target(f"q{number}.example.test", RecordType.AAAA) for number in range(6)]
    await asyncio.gather(*(provider.read(at) for at in absent))
    for number, kind in enumerate(azure_dns.KIND.capabilities.weights):
        for value in VALUES[kind][:2]:
            await publish(provider, target(f"p{number}.example.test", kind), value)


async def everything_in_traffic_manager(azure: LocalAzure, provider: Provider) -> None:
    """Endpoints created, weighed, disabled; one of a resource of Azure among them; tags and TTL."""
    azure.cloud.traffic.resources[FRONT.lower()] = "east.example.net"
    if not azure.cloud.traffic.profiles:
        azure.make_profile("web")
        there = {"name": "front", "type": "azureEndpoints", "properties": {"targetResourceId": FRONT}}
        azure.cloud.traffic._fill(azure.profile("web"), [there])
        azure.profile("web").tags = {"failoverd": "v=1 owner=prod policy=inference-api gen=1 types=CNAME"}
    at = target(f"web.{DOMAIN}", RecordType.CNAME, DOMAIN)
    for values in (("west.example.net",), ("east.example.net", "west.example.net")):
        await publish(provider, at, *values)


EVERYTHING = {
    "azure_dns": (azure_dns.KIND, everything_in_dns),
    "azure_traffic_manager": (azure_traffic_manager.KIND, everything_in_traffic_manager),
}


@pytest.mark.parametrize("name", EVERYTHING)
async def test_the_role_is_enough(azure: LocalAzure, name: str) -> None:
    kind, everything = EVERYTHING[name]
    azure.cloud.roles = [Role(tuple(actions(kind)), SCOPE)]
    async with azure.open(kind) as provider:
        await everything(azure, provider)


@pytest.mark.parametrize(
    ("name", "missing"), [(name, action) for name, (kind, _) in EVERYTHING.items() for action in actions(kind)]
)
async def test_nothing_in_the_role_can_be_left_out(azure: LocalAzure, name: str, missing: str) -> None:
    kind, everything = EVERYTHING[name]
    azure.cloud.roles = [Role(tuple(action for action in actions(kind) if action != missing), SCOPE)]
    async with azure.open(kind) as provider:
        with suppress(Permanent):  # what the size of a zone would have told is found out by reading one by one
            await everything(azure, provider)
    assert 403 in {call.status for call in azure.site.arm.calls}
