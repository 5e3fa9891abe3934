"""Three members in three clouds, as an operator of any of them sees them: who leads, who may, and what was done."""

from functools import partial
from pathlib import Path

import pytest
from support.asking import awaited, told
from support.commands import answered
from support.three_clouds import three_clouds

pytestmark = pytest.mark.server


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
