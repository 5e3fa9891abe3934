"""The leader is killed or frozen at each step of a change: whatever it asks name server and etcd once a region fell.

At each of them twice: its request is on its way still, and arrives when the next leader has done the same; or it was
answered, and nobody hears that. `make test-members` runs these; what holds in each of them besides is said by
`support.three_clouds`.
"""

import signal
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from support.relays import When
from support.three_clouds import ACTS, CLOUDS, TAKEOVER, ThreeClouds, three_clouds

pytestmark = [pytest.mark.server, pytest.mark.members]

STEPS: Final = 18
"""Requests of a leader from a region's fall to the end of the change, and a few more: what goes on beside it is not the
same each time."""

EACH: Final = 6
"""Of them, by one world."""

LATE: Final = 1.0
"""Seconds in which what arrives late would be seen."""


async def struck(world: ThreeClouds, region: str, step: int | str, when: When, how: signal.Signals) -> str:
    """That region falls and the leader with it, at that step; all are well at the end. Tells at which step it was."""
    first, epoch = await world.leader()
    others = world.others(first)
    leader, relay = world.seats[first].running, world.seats[first].relay
    assert relay is not None
    relay.strike(step, when, partial(leader.signal, how))
    world.regions[region].stop()
    found = await relay.struck(ACTS)
    second = await world.led(*others, after=epoch, within=TAKEOVER)
    await world.answer(*world.others(region))
    standing = world.watch.last
    relay.release()
    if how is signal.SIGSTOP:
        leader.signal(signal.SIGCONT)
        await world.follows(first, second)
    else:
        await leader.ended()
        await world.start(first)
    await world.watch.pass_by(LATE)
    assert world.watch.last.answer == standing.answer
    await world.regions[region].start()
    await world.answer(within=TAKEOVER + ACTS)
    return found


@pytest.mark.parametrize("begins", range(0, STEPS, EACH))
@pytest.mark.parametrize("when", [When.BEFORE, When.AFTER], ids=["late", "done"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_a_leader_is_lost_at_each_step_of_a_change(
    tmp_path: Path, how: signal.Signals, when: When, begins: int
) -> None:
    async with three_clouds(tmp_path, relays=True) as world:
        await world.begun()
        done = list[str]()
        for step in range(begins, begins + EACH):
            try:
                region = CLOUDS[step % len(CLOUDS)]  # who falls too often flaps
                done.append(await struck(world, region, step, when, how))
            except (AssertionError, TimeoutError) as error:
                raise AssertionError(f"step {step}, after {done}: {error}") from None
