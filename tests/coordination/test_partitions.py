"""The lease in an etcd that spans three clouds, while the networks between them are cut."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.daemons import RunningDaemon, first_of, followed
from support.forked import forked
from support.three_clouds import CLOUDS, LEASE, WITH_ETCD, ThreeClouds, three_clouds

pytestmark = pytest.mark.server


@asynccontextmanager
async def campaigns(world: ThreeClouds) -> AsyncIterator[dict[str, RunningDaemon]]:
    """In each cloud a member that campaigns; each asks the etcd beside it first."""
    async with AsyncExitStack() as stack:
        members = {}
        for name, nearest in zip(CLOUDS, world.etcd.endpoints, strict=True):
            endpoints = [nearest, *(each for each in world.etcd.endpoints if each != nearest)]
            process = await forked(
                *("support.campaigning", name, str(LEASE), *endpoints),
                stderr=asyncio.subprocess.PIPE,
                keeper=world.member(name).pid,
            )
            members[name] = await stack.enter_async_context(followed(process))
        yield members


async def leader_of(members: Mapping[str, RunningDaemon], *names: str) -> dict[str, Any]:
    """What the first of them tells that leads from now on."""
    _, told = await first_of({name: members[name].event("leads") for name in names or members})
    return told


async def test_a_leader_that_is_cut_off_stops_before_another_one_leads_and_follows_it_later(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world, campaigns(world) as members:
        first = await leader_of(members)
        others = world.others(first["leader"])
        world.net.cut(world.cloud(first["leader"]), world.cloud(*others))
        cut_at = time.monotonic()
        second = await leader_of(members, *others)
        stopped = await members[first["leader"]].event("stopped")
        assert stopped["at"] <= second["at"] <= cut_at + WITH_ETCD  # etcd may have lost its own leader as well
        assert second["epoch"] > first["epoch"]
        world.net.heal()
        await members[first["leader"]].event("follows", leader=second["leader"], epoch=second["epoch"])
        assert not members[second["leader"]].named("stopped")
