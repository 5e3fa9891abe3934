"""A day of a service on paper, played by the daemon on a virtual clock: as `failoverctl simulate` and `test` play."""

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

from failoverd.config.schema.test_file import GivenEntry, HappeningEntry
from failoverd.core.events import RegionFailed
from failoverd.core.records import (
    Check,
    Endpoint,
    Policy,
    RampRules,
    RecordKey,
    RecordSpec,
    RecordType,
    RegionSpec,
    Target,
)
from failoverd.simulation.rehearsal import NOON, Rehearsal, Site, before, rehearsing
from failoverd.simulation.virtual_time import elapse, run
from failoverd.simulation.world import Does

HOURS = 24
POLICIES, REGIONS, ENDPOINTS = 10, ("azure-weu", "oci-fra"), 5
TICKS = (30.0, 5.0)
"""Seconds between two looks at everything."""

_HOUR = 3_600.0
_DEMAND, _CAPACITY = 80.0, 1_000.0
_FLAPS, _AWAY, _WELL = 6, 20.0, 70.0


@dataclass(frozen=True)
class PlayedDay:
    """One day.

    Attributes:
        tick: seconds between two looks at everything.
        took: seconds of processor time.
        events, writes: how many there were.
        failed: regions that failed.
    """

    tick: float
    took: float
    events: int
    writes: int
    failed: int


def measure(rounds: int, tell: Callable[[str], None]) -> list[PlayedDay]:
    """A day with each tick, the fastest of so many: what else the machine does makes it slower."""
    found = []
    for tick in TICKS:
        days = [_play(tick) for _ in range(rounds)]
        found.append(min(days, key=lambda each: each.took))
        tell(f"played {rounds} days with a tick of {tick:g} s: {found[-1]}")
    return found


def _play(tick: float) -> PlayedDay:
    site = Site({policy.name: policy for policy in map(_policy, range(POLICIES))}, tick=tick)
    gc.collect()
    began = time.process_time()
    events, writes, failed = run(_day(site), before(site, NOON))
    return PlayedDay(tick, time.process_time() - began, events, writes, failed)


async def _day(site: Site) -> tuple[int, int, int]:
    async with rehearsing(site, GivenEntry(), "service-0") as here:
        await _until(here, 2.0)
        await _region_away(here, REGIONS[0], 0.5 * _HOUR)
        await _until(here, 6.0)
        await _flap(here)
        await _until(here, 10.0)
        await here.happen(HappeningEntry.model_validate({"operator": {"drain": REGIONS[1], "for": "4h"}}), "service-2")
        await _until(here, HOURS)
        failed = sum(isinstance(event, RegionFailed) for event in here.events)
        return len(here.events), len(here.writes), failed


async def _until(here: Rehearsal, hours: float) -> None:
    await elapse(hours * _HOUR - here.elapsed)


async def _region_away(here: Rehearsal, region: str, seconds: float) -> None:
    """It drops what it gets, for all services."""
    world, loop = here.daemon.world, asyncio.get_running_loop()
    addresses = [end.address for end in here.endpoints(f"{region}/*")]
    world.let(Does.DROP, *addresses)
    loop.call_later(seconds, world.let, Does.ANSWER, *addresses)


async def _flap(here: Rehearsal) -> None:
    """An endpoint refuses again and again, until it is kept out."""
    address = here.site.policies["service-3"].regions[0].endpoints[0].address
    for _ in range(_FLAPS):
        here.daemon.world.let(Does.REFUSE, address)
        await elapse(_AWAY)
        here.daemon.world.let(Does.ANSWER, address)
        await elapse(_WELL)


def _policy(number: int) -> Policy:
    name = f"service-{number}"
    key = RecordKey(f"{name}.example.com", RecordType.A)
    return Policy(
        name,
        records=(RecordSpec(key, 30, (Target(name, key, "dns", "example.com"),)),),
        regions=tuple(
            RegionSpec(region, 5_000, _endpoints(region, number, place), cloud=region, capacity=_CAPACITY)
            for place, region in enumerate(REGIONS)
        ),
        checks=(Check("live", "http", 10.0, 2.0),),
        ramp=RampRules(),
        demand=_DEMAND,
    )


def _endpoints(region: str, number: int, place: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(region, f"10.{number}.{place}.{host}") for host in range(1, ENDPOINTS + 1))
