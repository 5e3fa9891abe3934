"""Three members in three clouds, as an operator of any of them sees them: who leads, who may, and what was done."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from support.commands import answered
from support.three_clouds import ThreeClouds, three_clouds

pytestmark = pytest.mark.server

T = TypeVar("T")


async def told(world: ThreeClouds, name: str, *words: str) -> dict[str, Any]:
    """What `failoverctl` prints of a member, as JSON."""
    found = await answered(*words, "--config", world.seats[name].config, "--output", "json")
    answer: dict[str, Any] = json.loads(found.out)
    return answer


async def awaited(ask: Callable[[], Awaitable[T]], right: Callable[[T], object]) -> T:
    """What is answered once it is right."""
    async with asyncio.timeout(30.0):
        while not right(answer := await ask()):  # noqa: ASYNC110 - it is another process that is asked
            await asyncio.sleep(0.2)
        return answer


async def test_every_member_says_who_leads_and_the_leader_hands_over_when_it_is_asked_to(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        first, others = await world.begun()
        for name in world.seats:
            seen = await awaited(partial(told, world, name, "members"), lambda answer: answer["level"] == "well")
            roster = seen["roster"]
            assert (roster["member"], roster["leader"]) == (name, first)
            assert {each["name"]: each["uncounted"] for each in roster["members"]} == dict.fromkeys(world.seats, "")
            assert all(abs(each["offset_seconds"]) < 1.0 for each in roster["members"])
        standing = world.watch.last
        refused = await answered("leader", "resign", "--reason", "work", "--config", world.seats[others[0]].config)
        assert (refused.code, f"{others[0]} does not lead: {first} does" in refused.err) == (1, True)
        resigned = await answered("leader", "resign", "--reason", "work", "--config", world.seats[first].config)
        assert resigned.code == 0, resigned.said
        second = await world.led(*others)
        assert f"{second} leads in epoch" in resigned.out.decode()
        assert world.watch.last == standing
        world.regions[first].stop()
        await world.answer(*others)
        for name in world.seats:
            ask = partial(told, world, name, "history", "--member", second)
            (change,) = (await awaited(ask, lambda answer: answer["changes"]))["changes"]
            assert (change["member"], change["outcome"]) == (second, "applied")
            assert change["generation"] == world.watch.last.generation
