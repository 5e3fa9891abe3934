"""One record at four providers at once: the real daemon, the real SDKs, the local clouds and a real BIND."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clouds.azure_tokens import CLIENT
from clouds.serving import Luck
from support.daemons import EAST, WEST, RunningDaemon, site
from support.everywhere import EVERYWHERE, Clouds, at, local_clouds
from support.route53_site import KEY
from support.servers import DnsServer


@pytest.fixture
def clouds(tmp_path: Path, bind_server: DnsServer) -> Iterator[Clouds]:
    with local_clouds(tmp_path, bind_server) as here:
        yield here


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
