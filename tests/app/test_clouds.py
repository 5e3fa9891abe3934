"""One record at four providers at once: the real daemon, the real SDKs, the local clouds and a real BIND."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from clouds.azure import GROUP, SUBSCRIPTION
from clouds.azure_tokens import CLIENT
from clouds.serving import Luck
from support.azure_site import LocalAzure, local_azure
from support.daemons import EAST, NAME, WEST, RunningDaemon, provider_block, site
from support.oci_site import LocalOci, local_oci
from support.route53_site import KEY, ZONE_ID, LocalRoute53, local_route53
from support.servers import ZONE, DnsServer

FAST = 1_000.0
EVERYWHERE = {"aws", "azure", "oci", "bind"}


@dataclass(frozen=True)
class Clouds:
    """One record's homes, and how a daemon's configuration names them."""

    aws: LocalRoute53
    azure: LocalAzure
    oci: LocalOci
    bind: DnsServer

    @property
    def blocks(self) -> dict[str, str]:
        said: dict[str, dict[str, object]] = {
            "aws": {
                "kind": "route53",
                "endpoint": self.aws.endpoint.url,
                "credentials_file": str(self.aws.credentials_file),
                "hosted_zones": {ZONE: ZONE_ID},
                "requests_per_second": FAST,
            },
            "azure": {
                "kind": "azure_dns",
                "subscription": SUBSCRIPTION,
                "resource_group": GROUP,
                "credential": self.azure.by_secret(),
                "endpoint": self.azure.site.arm.url,
                "authority": self.azure.site.login.url,
                "ca_file": str(self.azure.site.ca),
            },
            "oci": {
                "kind": "oci_dns",
                "endpoint": self.oci.endpoint.url,
                "config_file": str(self.oci.config_file),
                "requests_per_second": FAST,
            },
        }
        common = {"zones": [ZONE], "nameservers": "none"}
        clouds = {name: f"  {name}: {json.dumps({**block, **common})}" for name, block in said.items()}
        return {**clouds, "bind": provider_block("bind", self.bind)}

    def answers(self) -> dict[str, list[str]]:
        """What each of them holds for the record, told by the cloud itself and by dig."""
        return {
            "aws": sorted(value for found in self.aws.cloud.lookup(NAME, "A") for value in found.values),
            "azure": sorted(line.split()[-1] for line in self.azure.cloud.records(NAME, "A")),
            "oci": sorted(line.split()[-1] for line in self.oci.cloud.records(NAME, "A")),
            "bind": sorted(self.bind.dig(NAME, "A")),
        }


@pytest.fixture
def clouds(tmp_path: Path, bind_server: DnsServer) -> Iterator[Clouds]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        folders = {name: tmp_path / name for name in ("aws", "azure", "oci")}
        for folder in folders.values():
            folder.mkdir()
        yield Clouds(
            stack.enter_context(local_route53(folders["aws"], patch)),
            stack.enter_context(local_azure(folders["azure"], patch)),
            stack.enter_context(local_oci(folders["oci"], patch)),
            bind_server,
        )


def at(providers: set[str], *values: str) -> dict[str, list[str]]:
    return {name: list(values) for name in providers}


async def applied_by(daemon: RunningDaemon, *providers: str, generation: int) -> None:
    """Wait until each of these providers has applied this generation."""
    await daemon.each(*applications(*providers, generation=generation))


def applications(*providers: str, generation: int) -> list[tuple[str, dict[str, object]]]:
    return [("change.applied", {"provider": name, "generation": generation}) for name in providers]


async def test_a_region_that_fails_is_left_at_every_provider_and_comes_back_at_every_provider(
    clouds: Clouds, tmp_path: Path
) -> None:
    async with site(tmp_path, clouds.blocks) as here, here.daemon() as daemon:
        await applied_by(daemon, *EVERYWHERE, generation=1)
        assert clouds.answers() == at(EVERYWHERE, WEST, EAST)
        await here.break_region("west")
        await applied_by(daemon, *EVERYWHERE, generation=2)
        assert clouds.answers() == at(EVERYWHERE, EAST)
        await here.heal_region("west")
        await applied_by(daemon, *EVERYWHERE, generation=3)
        assert clouds.answers() == at(EVERYWHERE, WEST, EAST)
        await daemon.stop()
        assert KEY.secret.encode() not in daemon.log
        assert daemon.named("task.crashed") == []


@pytest.mark.parametrize(
    ("luck", "reason"),
    [(Luck.THROTTLE, "throttled"), (Luck.DROP_BEFORE, "connection_lost"), (Luck.ERROR, "server_error")],
)
async def test_one_cloud_in_trouble_is_told_and_tried_again_alone(
    clouds: Clouds, tmp_path: Path, luck: Luck, reason: str
) -> None:
    others = EVERYWHERE - {"aws"}
    async with site(tmp_path, clouds.blocks) as here, here.daemon() as daemon:
        await applied_by(daemon, *EVERYWHERE, generation=1)
        clouds.aws.endpoint.expect(luck, times=10_000, retry_after=0.1)
        await here.break_region("west")
        await daemon.each(*applications(*others, generation=2), ("target.delayed", {"provider": "aws"}))
        assert daemon.named("target.delayed")[0]["reason"] == reason
        assert clouds.answers() == {**at(others, EAST), "aws": [WEST, EAST]}
        clouds.aws.endpoint.relent()
        await applied_by(daemon, "aws", generation=2)
        assert clouds.answers() == at(EVERYWHERE, EAST)
        assert {event["provider"] for event in daemon.named("target.delayed")} == {"aws"}


async def test_a_secret_that_is_rotated_needs_no_restart(clouds: Clouds, tmp_path: Path) -> None:
    async with site(tmp_path, clouds.blocks) as here, here.daemon() as daemon:
        await applied_by(daemon, *EVERYWHERE, generation=1)
        directory = clouds.azure.cloud.directory
        directory.apps[CLIENT].secrets = {"another secret for tests": None}
        directory.revoke(CLIENT)
        await here.break_region("west")
        delayed = await daemon.event("target.delayed", provider="azure")
        assert delayed["reason"] in {"credentials_invalid", "token_expired"}
        clouds.azure.hand_out("another secret for tests")
        await applied_by(daemon, "azure", generation=2)
        assert clouds.answers() == at(EVERYWHERE, EAST)
