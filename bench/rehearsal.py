"""The same troubles on a virtual clock: the daemon's own probing, health and board, with targets on paper.

So a thousand faults of each kind, and a day of random loss, take a minute. Only the targets are made up: how soon they
answer, and what. Everything that decides is the code that runs in production.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from support.incidents import paper_incidents

from bench.detectors import VARIANTS, Variant
from bench.loners import Loners
from bench.paper import Loss, Paper, PaperProber
from bench.troubles import FALL, INTERVAL, RECHECK, RISE, SIZE, TIMEOUT, Trouble
from failoverd.core.events import EndpointFailed, Event, RegionDegraded, RegionFailed
from failoverd.core.health.table import HealthTable
from failoverd.core.records import (
    Check,
    Endpoint,
    HealthRules,
    Policy,
    RecordKey,
    RecordSpec,
    RecordType,
    RegionSpec,
    Target,
)
from failoverd.runtime.health_board import HealthBoard
from failoverd.runtime.probing import Probing
from failoverd.simulation.virtual_time import VirtualTimetable, elapse, now, run

_BATCH = 50
"""Regions that are struck in one run of the clock."""

_SETTLE, _SPAN = 30.0, 30.0
_PATIENCE, _STEP = 300.0, 5.0
"""Seconds after the last fault: a verdict on errors that come at random can take long."""

_DAY_START = 60.0
_RULES = HealthRules(fall=FALL, rise=RISE, recheck=RECHECK)
_CHECK = Check("live", "http", INTERVAL, TIMEOUT)


@dataclass(frozen=True)
class Rehearsed:
    """A kind of trouble under a variant: seconds until each region's verdict, endless where there was none."""

    trouble: Trouble
    variant: Variant
    delays: Sequence[float]


@dataclass(frozen=True)
class Day:
    """Hours of random loss in a region of eight and another one: how often something was called worse than it was."""

    loss: Loss
    hours: float
    looks: int
    failed_looks: int
    endpoint_verdicts: int
    region_verdicts: int


def rehearse(faults: int, seed: int, tell: Callable[[str], None]) -> list[Rehearsed]:
    """So many faults of each kind, under every variant; on all CPUs."""
    jobs = [(variant, trouble) for variant in VARIANTS for trouble in Trouble]
    found = []
    with ProcessPoolExecutor() as pool:
        for rehearsed in pool.map(partial(_rehearse, faults, seed), jobs):
            tell(f"rehearsed {faults} times: {rehearsed.variant.name}: {rehearsed.trouble}")
            found.append(rehearsed)
    return found


def _rehearse(faults: int, seed: int, job: tuple[Variant, Trouble]) -> Rehearsed:
    variant, trouble = job
    delays: list[float] = []
    for start in range(0, faults, _BATCH):
        chance = random.Random(f"{seed} {trouble} {start}")  # noqa: S311 - repeatable, no secret
        delays += run(_strike(min(_BATCH, faults - start), trouble, variant, chance))
    return Rehearsed(trouble, variant, delays)


def days(hours: float, seed: int, tell: Callable[[str], None]) -> list[Day]:
    """Hours of each kind of loss; on all CPUs."""
    found = []
    with ProcessPoolExecutor() as pool:
        for day in pool.map(partial(_day, hours, seed), Loss):
            tell(f"simulated {hours:g} hours: {day.loss}")
            found.append(day)
    return found


def _day(hours: float, seed: int, loss: Loss) -> Day:
    return run(_lose(loss, hours, random.Random(f"{seed} {loss}")))  # noqa: S311 - repeatable, no secret


# -- faults ------------------------------------------------------------------------------------------------------------


async def _strike(regions: int, trouble: Trouble, variant: Variant, chance: random.Random) -> list[float]:
    """Strike each of so many regions at a random moment; how long each verdict took."""
    paper = Paper(chance)
    policies = [_policy(number) for number in range(regions)]
    async with _probing(policies, paper, variant) as events:
        await elapse(_SETTLE)
        struck: dict[str, float] = {}
        verdicts: dict[str, float] = {}
        began = now()
        for offset, policy in sorted((chance.uniform(0, _SPAN), policy.name) for policy in policies):
            await elapse(max(0.0, began + offset - now()))
            struck[policy] = now()
            paper.strike(policy, trouble)
        deadline = now() + _PATIENCE
        while now() < deadline and len(verdicts := _verdicts(events)) < regions:
            await elapse(_STEP)
    return [verdicts.get(policy, float("inf")) - at for policy, at in struck.items()]


def _verdicts(events: Iterable[Event]) -> dict[str, float]:
    """When each policy's region was called down for the first time."""
    found: dict[str, float] = {}
    for event in events:
        if isinstance(event, RegionFailed):
            found.setdefault(event.policy, event.at)
    return found


# -- loss --------------------------------------------------------------------------------------------------------------


async def _lose(loss: Loss, hours: float, chance: random.Random) -> Day:
    paper = Paper(chance)
    policy = _policy(0, steady=SIZE)
    async with _probing([policy], paper, VARIANTS[0]) as events:
        await elapse(_DAY_START)
        events.clear()
        paper.lose(loss)
        await elapse(hours * 3600)
        worse = [event for event in events if isinstance(event, RegionFailed | RegionDegraded)]
        endpoints = [event for event in events if isinstance(event, EndpointFailed)]
    return Day(loss, hours, paper.looks, paper.failed, len(endpoints), len(worse))


# -- what it is played with --------------------------------------------------------------------------------------------


@asynccontextmanager
async def _probing(policies: Iterable[Policy], paper: Paper, variant: Variant) -> AsyncIterator[list[Event]]:
    """The daemon's probing and board on the virtual clock; the list fills with their events."""
    events: list[Event] = []
    timetable = VirtualTimetable()
    incidents = paper_incidents(events.append, now)
    table = (HealthTable if variant.siblings else Loners)(now())
    board = HealthBoard(events.append, now, incidents, lambda *_, **__: None, table)
    probing = Probing(timetable, board, now, chance=paper.chance)
    for policy in policies:
        board.watch(policy)
        prober = PaperProber(paper, policy.name, _CHECK, wired=variant.trip_wire)
        probing.watch(policy.name, policy.probes(), policy.health, {_CHECK.name: prober})
    try:
        yield events
    finally:
        await probing.close()
        await timetable.close()


def _policy(number: int, *, steady: int = 1) -> Policy:
    name = f"p{number}"
    key = RecordKey(f"{name}.example.test", RecordType.A)
    return Policy(
        name,
        records=(RecordSpec(key, 30, (Target(name, key, "dns", "example.test"),)),),
        regions=(
            RegionSpec("struck", 10_000, _endpoints("struck", number, SIZE)),
            RegionSpec("steady", 0, _endpoints("steady", number, steady), priority=2),
        ),
        checks=(_CHECK,),
        health=_RULES,
    )


def _endpoints(region: str, number: int, size: int) -> tuple[Endpoint, ...]:
    network = 1 if region == "struck" else 2
    return tuple(Endpoint(region, f"10.{network}.{number}.{host}") for host in range(1, size + 1))
