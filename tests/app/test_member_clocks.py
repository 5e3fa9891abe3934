"""The clock of a member's machine is an hour off: somebody sets it while the daemon runs, or it was so when it began.

BIND refuses signatures of such a machine, as clouds do, so who leads there can do nothing, and gives way. Nobody
compares two clocks to decide anything. `make test-members` runs these; what holds in each of them besides is said by
`support.three_clouds`.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.asking import awaited, told
from support.three_clouds import ACTS, LEASE, TAKEOVER, ThreeClouds, three_clouds

pytestmark = [pytest.mark.server, pytest.mark.members]

HOUR = 3_600.0
APART = 20.0
"""Seconds that a member which waits for the processor may be behind with what it tells."""

GIVES_WAY = LEASE / 2 + 1.0
"""Seconds for which a leader tries in vain, and in which the next one leads."""


async def offsets(world: ThreeClouds, name: str, **wanted: float) -> None:
    """Until `failoverctl members` says of these, at that member, how far their clocks are ahead."""

    def right(answer: dict[str, Any]) -> bool:
        told = (answer.get("roster") or {"members": ()})["members"]
        found = {each["name"]: each["offset_seconds"] for each in told if each["offset_seconds"] is not None}
        return all(each in found and abs(found[each] - off) < APART for each, off in wanted.items())

    await awaited(partial(told, world, name, "members"), right)


def set_clock(world: ThreeClouds, name: str, off: float) -> None:
    clock = world.seats[name].clock
    assert clock is not None
    clock.set(off)


@pytest.mark.parametrize("off", [HOUR, -HOUR])
async def test_the_clock_of_the_leader_is_set_while_it_runs(tmp_path: Path, off: float) -> None:
    async with three_clouds(tmp_path, clocks=True) as world:
        first, others = await world.begun()
        set_clock(world, first, off)
        await world.seats[first].running.event("clock.jumped")
        await offsets(world, others[0], **{first: off, others[1]: 0.0})
        await offsets(world, first, **dict.fromkeys(others, -off))
        standing = world.watch.last
        await world.watch.stays(LEASE, "only a clock is off")
        assert await world.led() == first
        world.regions[others[0]].stop()
        seen = await world.answer(first, others[1], within=ACTS + GIVES_WAY)
        assert seen.epoch > standing.epoch
        set_clock(world, first, 0.0)
        await offsets(world, others[0], **{first: 0.0})
        await world.regions[others[0]].start()
        await world.answer(within=TAKEOVER + ACTS)


@pytest.mark.parametrize("off", [HOUR, -HOUR])
async def test_the_clock_of_a_follower_is_set_while_it_runs_and_then_the_leader_dies(
    tmp_path: Path, off: float
) -> None:
    async with three_clouds(tmp_path, clocks=True) as world:
        first, others = await world.begun()
        wrong, right = others
        set_clock(world, wrong, off)
        await world.seats[wrong].running.event("clock.jumped")
        await offsets(world, first, **{wrong: off, right: 0.0})
        world.regions[right].stop()
        await world.answer(first, wrong)
        assert await world.led() == first
        await world.regions[right].start()
        await world.answer()
        await world.kill(first)
        world.regions[first].stop()
        await world.answer(*others, within=TAKEOVER + ACTS + GIVES_WAY)


@pytest.mark.parametrize("off", [HOUR, -HOUR])
async def test_all_members_are_started_again_and_the_one_that_leads_has_a_wrong_clock(
    tmp_path: Path, off: float
) -> None:
    async with three_clouds(tmp_path, clocks=True) as world:
        first, others = await world.begun()
        for seat in world.seats.values():
            await seat.running.stop()
        set_clock(world, first, off)
        await world.start(first)
        await world.led(first)
        await world.start(*others)
        await offsets(world, others[0], **{first: off, others[1]: 0.0})
        await world.watch.stays(LEASE, "only a clock is off")
        world.regions[others[0]].stop()
        await world.answer(first, others[1], within=ACTS + GIVES_WAY)
        set_clock(world, first, 0.0)
        await world.regions[others[0]].start()
        await world.answer(within=TAKEOVER + ACTS)


@pytest.mark.parametrize("off", [HOUR, -HOUR])
async def test_a_member_begins_with_a_wrong_clock_that_is_set_right_later_and_leads(tmp_path: Path, off: float) -> None:
    """It goes by the time that it began with: what it tells is wrong, and what it does is right."""
    async with three_clouds(tmp_path, clocks=True) as world:
        first, others = await world.begun()
        wrong, right = others
        await world.kill(wrong)
        set_clock(world, wrong, off)
        await world.start(wrong)
        await offsets(world, first, **{wrong: off, right: 0.0})
        set_clock(world, wrong, 0.0)
        await world.seats[wrong].running.event("clock.jumped")
        await world.watch.stays(LEASE, "nothing but a clock was set")
        await offsets(world, first, **{wrong: off, right: 0.0})
        await world.kill(right)
        await world.kill(first)
        await world.led(wrong, within=TAKEOVER)
        await world.start(first, right)
        world.regions[first].stop()
        await world.answer(*others, within=TAKEOVER + ACTS)
        await world.regions[first].start()
        await world.answer()
        await world.seats[wrong].running.stop()
        await world.led(first, right, within=TAKEOVER)
        world.regions[wrong].stop()
        await world.answer(first, right)
        await world.regions[wrong].start()
        await world.answer()
