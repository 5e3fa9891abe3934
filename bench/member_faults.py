"""A region is killed, under one member alone and under three, by turns; and the world in which that is done.

Faults strike at random moments, when BIND answers with the first region and all is calm. Timed is from there until BIND
answers with the second one.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.servers import bind

from bench.contenders import RECORD, Setting
from bench.installation import Installation, installation, policies
from bench.polling import Poller, polling
from bench.targets import Fault, Target, serving

FIRST, SECOND = "127.86.0.1", "127.86.0.2"
LEASE = 20
"""Seconds: the default. It plays no part while nobody is lost."""

_HTTP_PORT = 8086
_ZONE = "BIND"
_TICK = 1
_POLL, _IDLE_POLL = 0.002, 0.05
_START_WITHIN, _CHANGE_WITHIN, _RETURN_WITHIN = 60.0, 60.0, 90.0
SETTING = Setting()


@dataclass(frozen=True)
class Moved:
    """One region that was killed under so many members: seconds until the answer had changed."""

    members: int
    after: float


@dataclass(frozen=True)
class World:
    """An installation, the two regions that it watches, and who asks BIND."""

    estate: Installation
    victim: Target
    poller: Poller
    chance: random.Random

    def settle(self, within: float = _RETURN_WITHIN) -> None:
        """Until BIND answers with the first region, all is calm, and some moment of an interval has come."""
        self.poller.watch(FIRST, every=_IDLE_POLL, within=within)
        time.sleep((2 + self.chance.random()) * SETTING.interval)

    def strike(self) -> float:
        """Kill the first region. When that was, in monotonic seconds."""
        return self.victim.strike(Fault.KILLED)

    def changed(self, within: float = _CHANGE_WITHIN) -> float:
        """When BIND answered with the second region."""
        return self.poller.watch(SECOND, every=_POLL, within=within)[_ZONE].at


@contextmanager
def world(members: int, lease: float, chance: random.Random) -> Iterator[World]:
    """It is calm when the context begins."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="failoverd-bench-")))
        first, second = (Target(address, _HTTP_PORT, folder / address) for address in (FIRST, SECOND))
        for target in (first, second):
            stack.enter_context(serving(target))
        zone = stack.enter_context(bind())
        policies(folder, ("first", "second"), {"api": _policy()})
        estate = stack.enter_context(installation(folder, zone, members=members, lease=lease, tick=_TICK))
        poller = stack.enter_context(polling(RECORD, {_ZONE: zone.port}))
        estate.start()
        estate.await_leader()
        made = World(estate, first, poller, chance)
        made.settle(_START_WITHIN)
        yield made


def _policy() -> dict[str, object]:
    """As in `bench/failover.py`: failover by priority; what slows repeated changes down on purpose is opened wide."""
    check = {"http": "/health", "host": RECORD, "status": 200}
    return {
        "records": [{"name": RECORD, "type": "A", "ttl": "5s", "providers": ["bind"]}],
        "weights": "membership",
        "steering": "failover",
        "regions": {
            name: {"priority": priority, "endpoints": [f"{address}:{_HTTP_PORT}"]}
            for priority, (name, address) in enumerate((("first", FIRST), ("second", SECOND)), start=1)
        },
        "checks": {"live": {**check, "every": f"{SETTING.interval}s", "timeout": f"{SETTING.timeout}s"}},
        "health": {
            "fall": SETTING.fall,
            "rise": SETTING.rise,
            "recheck": f"{SETTING.recheck * 1000:.0f}ms",
            "flap": {"penalty": 0},
        },
        "failback": {"after": f"{SETTING.failback}s"},
        "limits": {"min_regions": 1, "max_shift": "100% per 1s", "max_changes": "1000 per 1h"},
    }


def beside(rounds: int, faults: int, seed: int, tell: Callable[[str], None]) -> list[Moved]:
    """In each round one alone and three are started, whoever is first, and see so many faults."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable experiment, no secret
    found: list[Moved] = []
    for number in range(1, rounds + 1):
        for members in (1, 3) if number % 2 else (3, 1):
            with world(members, LEASE, chance) as here:
                moved = [_moved(here, members) for _ in range(faults)]
            found += moved
            said = ", ".join(f"{each.after:.2f}" for each in moved)
            tell(f"round {number} of {rounds}, {members} member{'s' * (members > 1)}: {said} s")
    return found


def _moved(here: World, members: int) -> Moved:
    struck_at = here.strike()
    after = here.changed() - struck_at
    here.victim.heal()
    here.settle()
    return Moved(members, after)
