"""Time in which nothing happens is leapt over, and everything else comes at the time at which it would have come.

Each scene is played twice, with each probe made and with leaps. Nothing may differ: no event, no write, nothing that is
remembered or shown, down to when each endpoint was last seen and each record last looked at.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.playing import loaded, one_test

from failoverd.config.test_files import PolicyTest
from failoverd.core.events import Event
from failoverd.core.records import Check
from failoverd.core.status import Status
from failoverd.simulation.leaping import Leaps
from failoverd.simulation.rehearsal import NOON, Picture, Rehearsal, Site, before, rehearsing
from failoverd.simulation.trial import play, site_of
from failoverd.simulation.virtual_time import VirtualLoop, elapse, now, run
from failoverd.simulation.world import PaperProber, World
from failoverd.simulation.zonefile import Write

STEP = 611.0
"""Seconds between two looks of somebody else."""


@dataclass(frozen=True)
class Told:
    """All that there is to know of what went on."""

    events: list[Event]
    writes: list[Write]
    pictures: list[Picture]
    statuses: list[list[Status]]
    states: list[object]


def told(test: PolicyTest, site: Site) -> Told:
    return run(_told(test, site), before(site, test.entry.given.at or NOON))


async def _told(test: PolicyTest, site: Site) -> Told:
    entry, policy, found = test.entry, test.policy, Told([], [], [], [], [])
    async with rehearsing(site, entry.given, policy, entry.given.at or NOON) as here:
        here.play(entry.series, entry.interval)
        looks = {number * STEP for number in range(1, int(entry.lasts / STEP) + 1)}
        demands = entry.demands(policy)
        for at in sorted({*looks, *demands, *entry.happens, entry.lasts}):
            await elapse(here.began + at - now())
            if at > 0 and at in demands:
                await here.demand(demands[at])
            if at in entry.happens:
                await here.happen(entry.happens[at], policy)
            _look(here, found)
        found.events.extend(here.events)
        found.writes.extend(here.writes)
    return found


def _look(here: Rehearsal, found: Told) -> None:
    engine = here.daemon.engine
    found.pictures.extend(here.look(name) for name in here.site.policies)
    found.statuses.append([*engine.statuses(), engine.board.vantage()])
    found.states.append({name: engine.states.of(name) for name in engine.policies})


@contextmanager
def leapt() -> Iterator[Callable[[], float]]:
    """How many seconds were leapt over meanwhile."""
    seconds = 0.0
    as_it_is = Leaps._leap

    def counting(leaps: Leaps, loop: VirtualLoop, to: float) -> None:
        nonlocal seconds
        seconds += to - loop.time()
        as_it_is(leaps, loop, to)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Leaps, "_leap", counting)
        yield lambda: seconds


SEVERAL = """\
version: 1
policy: shop
owner: team-shop
runbook: https://runbooks.example.com/shop
tier: prod
records:
  - {name: shop.example.com, type: A, ttl: 30s, providers: [dns]}
regions:
  azure-weu: {share: 70, endpoints: [192.0.2.10, 192.0.2.11, 192.0.2.12]}
  oci-fra: {share: 30, endpoints: [198.51.100.10, 198.51.100.11]}
  aws-use1: {share: 0, endpoints: [203.0.113.10]}
checks:
  live: {http: /health, host: shop.example.com, every: 10s, timeout: 2s}
demand: 800
failback: {after: 5m, ramp: [10%, 25%, 50%, 100%], judge: 2m}
"""

OTHER = (
    SEVERAL.replace("policy: shop", "policy: bulk")
    .replace("shop.example.com", "bulk.example.com")
    .replace("tier: prod", "tier: dev")
    .replace("192.0.2.1", "192.0.2.2")
)

WORK = """\
maintenance:
  - {region: oci-fra, cron: "37 12 * * TUE", timezone: UTC, for: 40m, reason: patches}
"""

DRILL = "practice: {at: TUE 12:37 UTC, for: 40m, away: oci-fra}\n"

LASTS = "at: {100m: {}}\n"

LOST = 'interval: 1m\nseries: {azure-weu/*: "P x30 F x20 P"}\n' + LASTS

SCENES = {
    "nothing happens": LASTS,
    "a region is lost, and comes back by the ramp": LOST,
    "it drops what it gets": 'interval: 1m\nseries: {azure-weu/*: "P x30 T x20 P"}\n' + LASTS,
    "it answers with errors, and then drops": 'interval: 1m\nseries: {azure-weu/*: "P x20 E x20 T x20 P"}\n' + LASTS,
    "one endpoint is lost for long": 'interval: 1m\nseries: {azure-weu/192.0.2.11: "P x20 F x60 P"}\n' + LASTS,
    "one flaps until it is kept out": (
        'interval: 30s\nseries: {azure-weu/192.0.2.11: "P x40 F P x2 F P x2 F P x2 F P x2 F P x2 F P"}\n' + LASTS
    ),
    "a region is overloaded for a while": 'interval: 1m\nseries: {oci-fra/*: "P x30 D x20 P"}\n' + LASTS,
    "two clouds are lost together": (
        'interval: 1m\nseries: {azure-weu/*: "P x30 T x20 P", oci-fra/*: "P x30 T x20 P"}\n' + LASTS
    ),
    "everything is lost": 'interval: 1m\nseries: {"*": "P x30 E x20 P"}\n' + LASTS,
    "the prober sees nothing": 'interval: 1m\nseries: {"*": "P x30 B x20 P"}\n' + LASTS,
    "a region is drained, and comes back": "happens: {17m13s: {operator: {drain: azure-weu, for: 40m}}}\n" + LASTS,
    "a drain is taken back": (
        "happens: {17m13s: {operator: {drain: azure-weu, for: 2h}}, 41m: {release: true}}\n" + LASTS
    ),
    "a region is lost while it is drained": ("happens: {17m13s: {operator: {drain: azure-weu, for: 50m}}}\n" + LOST),
    "a record is edited right after a look": "happens: {40m1s: {edit: {azure-weu: 100}}}\n" + LASTS,
    "a record is edited in the middle between two": "happens: {40m15s: {edit: {azure-weu: 100}}}\n" + LASTS,
    "a record is edited right before a look": "happens: {40m29s: {edit: {azure-weu: 100}}}\n" + LASTS,
    "a record is deleted": "happens: {40m: {empty: true}}\n" + LASTS,
    "a provider is away while a region is lost": (
        "happens: {25m: {providers: {dns: down}}, 35m: {providers: {dns: up}}}\n" + LOST
    ),
    "demand goes up and down": 'interval: 1m\ngiven: {demand: "800 x30 1400 x20 800"}\n' + LASTS,
    "a daemon is killed": "happens: {45m: {restart: true}}\n" + LASTS,
    "a daemon is killed while a region is lost": "happens: {45m: {restart: true}}\n" + LOST,
    "a daemon finds something else": "given: {published: {azure-weu: 100}}\n" + LASTS,
}


@pytest.mark.parametrize("said", SCENES.values(), ids=SCENES)
def test_a_scene_goes_on_as_if_every_probe_were_made(tmp_path: Path, said: str) -> None:
    _goes_on_alike(*one_test(tmp_path, said, policy=SEVERAL))


@pytest.mark.parametrize("said", [LASTS, LOST], ids=["nothing happens", "a region is lost"])
@pytest.mark.parametrize("planned", [WORK, DRILL], ids=["work", "drill"])
def test_what_files_plan_begins_in_time(tmp_path: Path, said: str, planned: str) -> None:
    _goes_on_alike(*one_test(tmp_path, said, policy=SEVERAL + planned, bulk=OTHER))


def test_who_is_nearer_is_known_as_well_after_a_leap(tmp_path: Path) -> None:
    """Connection times are counted over a window, and a region is left out that is farther than another."""
    policy = SEVERAL + "latency: {slack: 50ms, leave: 80ms, window: 10m}\n"
    _goes_on_alike(*one_test(tmp_path, LOST, policy=policy), measuring=True)


def _goes_on_alike(test: PolicyTest, site: Site, *, measuring: bool = False) -> None:
    with pytest.MonkeyPatch.context() as patch, leapt() as seconds:
        if measuring:
            patch.setattr(World, "prober", _measuring)
        found = told(test, site)
        assert seconds() > 900.0, "often nothing happens for long"
        assert found == told(test, replace(site, leaps=False))


def _measuring(world: World, check: Check) -> PaperProber:
    """It is farther away, the higher the address is."""
    world.connects = {"192.0.2.10": 0.06, "192.0.2.11": 0.06, "192.0.2.12": 0.06, "198.51.100.10": 0.24}
    return PaperProber(world, check)


def test_of_a_calm_day_hardly_anything_is_left(tmp_path: Path) -> None:
    test, site = one_test(tmp_path, "at: {24h: {}}", policy=SEVERAL)
    with leapt() as seconds:
        told(test, site)
    assert seconds() > 0.75 * 86_400.0, "somebody else looks every ten minutes"


def test_nothing_is_leapt_over_while_an_endpoint_may_answer_otherwise_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test, site = one_test(tmp_path, LASTS, policy=SEVERAL)
    monkeypatch.setattr(World, "varies", lambda _, endpoint: endpoint.address == "203.0.113.10")
    with leapt() as seconds:
        told(test, site)
    assert seconds() == 0.0


def test_the_tests_that_are_shipped_come_out_as_if_every_probe_were_made() -> None:
    for estate in loaded(Path("policies")).estates:
        site = site_of(estate.found)
        for test in estate.tests:
            assert play(test, site) == play(test, replace(site, leaps=False))
