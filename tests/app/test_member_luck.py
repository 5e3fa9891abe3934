"""Whatever befalls three members in three clouds, by chance: processes, networks, etcd and regions.

`make test-members` plays one round, `make soak` twenty; `FAILOVERD_ROUNDS=5 FAILOVERD_FIRST=100` plays others. What
chance deals is the same for the same seed; where in the work of the processes it strikes is not.
"""

import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from support.networks import Places, addresses
from support.three_clouds import ACTS, CLOUDS, LEASE, WITH_ETCD, ThreeClouds, three_clouds

pytestmark = [pytest.mark.server, pytest.mark.members]

FIRST: Final = int(os.environ.get("FAILOVERD_FIRST", "0"))
ROUNDS: Final = int(os.environ.get("FAILOVERD_ROUNDS", "1"))
STROKES: Final = 10


@dataclass
class Luck:
    """What chance does to a world, and how it is mended."""

    world: ThreeClouds
    chance: random.Random
    frozen: ExitStack = field(default_factory=ExitStack)
    story: list[str] = field(default_factory=list)

    def cloud(self) -> str:
        return self.chance.choice(CLOUDS)

    def _tell(self, words: str) -> None:
        self.story.append(words)

    async def region_dies(self) -> None:
        name = self.cloud()
        self._tell(f"region {name} dies")
        self.world.regions[name].stop()

    async def region_is_back(self) -> None:
        name = self.cloud()
        self._tell(f"region {name} is well")
        self.world.regions[name].stop()
        await self.world.regions[name].start()

    async def member_is_killed(self) -> None:
        await self._ended(signal.SIGKILL)

    async def member_stops(self) -> None:
        await self._ended(signal.SIGTERM)

    async def _ended(self, how: signal.Signals) -> None:
        name = self.cloud()
        seat = self.world.seats[name]
        if not seat.runs:
            self._tell(f"member {name} starts")
            await self.world.start(name)
            return
        self.frozen.close()
        self._tell(f"member {name} is sent {how.name}")
        seat.running.signal(how)
        await seat.running.ended()

    async def leader_is_killed(self) -> None:
        name, _ = await self.world.leader()
        if name and self.world.seats[name].runs:
            self._tell(f"leader {name} is killed")
            await self.world.kill(name)

    async def member_is_frozen(self) -> None:
        name = self.cloud()
        if self.world.seats[name].runs:
            self._tell(f"member {name} is frozen")
            self.frozen.enter_context(self.world.frozen(name))

    async def members_are_thawed(self) -> None:
        self._tell("all members are thawed")
        self.frozen.close()

    async def etcd_is_killed(self) -> None:
        each = self.chance.choice(self.world.etcd.members)
        if each.process is None:
            self._tell(f"etcd {each.name} starts")
            each.start(self.world.etcd.cluster)
        else:
            self._tell(f"etcd {each.name} is killed")
            each.kill()

    async def network_is_cut(self) -> None:
        name = self.cloud()
        world, others = self.world, self.world.others(name)
        pairs: list[tuple[Places, Places]] = [
            (world.cloud(name), world.cloud(*others)),
            (world.cloud(name), [*world.cloud(*others), world.provider]),
            (world.member(name), world.etcds),
            (world.member(name), world.provider),
            (world.member(name), world.endpoints),
            (world.member(name), world.regions[others[0]].addresses),
        ]
        some, what = self.chance.choice(pairs)
        how = self.chance.choice(["cut", "one way", "the other way", "lossy"])
        self._tell(f"{how}: {' '.join(addresses(some))} and {' '.join(addresses(what))}")
        match how:
            case "cut":
                world.net.cut(some, what)
            case "one way":
                world.net.cut_one_way(some, what)
            case "the other way":
                world.net.cut_one_way(what, some)
            case "lossy":
                world.net.lose(some, what, 30)

    async def network_is_well(self) -> None:
        self._tell("the network is well")
        self.world.net.heal()

    async def calm(self) -> None:
        """All bad luck ends."""
        self._tell("calm")
        self.frozen.close()
        self.world.net.heal()
        for each in self.world.etcd.members:
            if each.process is None:
                each.start(self.world.etcd.cluster)
        await self.world.etcd_ready()
        for name, seat in self.world.seats.items():
            self.world.regions[name].stop()
            await self.world.regions[name].start()
            if not seat.runs:
                await self.world.start(name)

    @property
    def strokes(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.region_dies,
            self.region_dies,
            self.region_is_back,
            self.member_is_killed,
            self.member_stops,
            self.leader_is_killed,
            self.member_is_frozen,
            self.members_are_thawed,
            self.etcd_is_killed,
            self.network_is_cut,
            self.network_is_cut,
            self.network_is_well,
        ]


@pytest.mark.parametrize("seed", range(FIRST, FIRST + ROUNDS))
async def test_whatever_happens_the_answer_is_whole_in_calm(seed: int, tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        await world.begun()
        luck = Luck(world, random.Random(seed))  # noqa: S311 - bad luck, no secret
        try:
            for _ in range(STROKES):
                await luck.chance.choice(luck.strokes)()
                await world.watch.pass_by(luck.chance.uniform(0, LEASE + 2))
            await luck.calm()
            await world.led(within=2 * WITH_ETCD)
            await world.answer(within=2 * WITH_ETCD + ACTS)
        except (AssertionError, OSError) as error:
            raise AssertionError("\n".join([str(error), f"seed {seed}:", *luck.story])) from None
        finally:
            luck.frozen.close()
