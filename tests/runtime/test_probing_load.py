"""What keeps probing within bounds: places, descriptors, load shedding, trip wires, clocks that jump."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from support.incidents import paper_incidents
from support.stage import AZURE, endpoints, policy
from support.virtual import until, virtually

from failoverd.core.events import EndpointFailed, EndpointLost, EndpointRecovered, Event, ProbingRestored, ProbingShed
from failoverd.core.health.isolation import SENTINEL_RULES, SENTINELS
from failoverd.core.health.policy_health import FLOOR
from failoverd.core.health.table import HealthTable
from failoverd.core.records import Check, Endpoint, HealthRules, Policy, RegionSpec
from failoverd.ports import Cancel
from failoverd.runtime.health_board import HealthBoard
from failoverd.runtime.probing import Pace, Probing
from failoverd.runtime.shedding import CALM, PATIENCE, WINDOW
from failoverd.runtime.slot_clock import AHEAD
from failoverd.simulation.virtual_time import VirtualTimetable, elapse, now
from failoverd.simulation.world import Does, PaperProber, World
from failoverd.telemetry import prose

LIVE = Check("live", "tcp", 10.0, 2.0)


class Stoppable(VirtualTimetable):
    """A timetable whose jobs do not come while it `stands`, as when the wall clock was set back."""

    stands = False

    def every(self, name: str, seconds: float, work: Callable[[], Awaitable[None]], *, phase: float = 0.0) -> Cancel:
        async def unless_it_stands() -> None:
            if not self.stands:
                await work()

        return super().every(name, seconds, unless_it_stands, phase=phase)


class Wired(PaperProber):
    """A prober with trip wires. `wires` has the callbacks of those that are kept, by address."""

    wires: dict[str, Callable[[], None]]

    def __init__(self, world: World, check: Check) -> None:
        super().__init__(world, check)
        object.__setattr__(self, "wires", {})

    def wire(self, endpoint: Endpoint, tripped: Callable[[], None]) -> Cancel | None:
        self.wires[endpoint.address] = tripped

        def cut() -> None:
            del self.wires[endpoint.address]

        return cut


class Scene:
    def __init__(self, pace: Pace, sentinels: tuple[tuple[Endpoint, Check], ...] = ()) -> None:
        self.world = World(now)
        self.events: list[Event] = []
        self.timetable = Stoppable()
        incidents = paper_incidents(self.events.append, now)
        table = HealthTable(now(), None, sentinels)
        self.board = HealthBoard(self.events.append, now, incidents, lambda *_, **__: None, table)
        self.probing = Probing(
            self.timetable,
            self.board,
            now,
            emit=self.events.append,
            pace=pace,
            chance=random.Random(1),  # noqa: S311 - no secret
        )
        self.prober = Wired(self.world, LIVE)

    def watch(self, found: Policy) -> None:
        self.board.watch(found)
        probers = {check.name: Wired(self.world, check) for check in found.checks}
        probers[LIVE.name] = self.prober
        self.probing.watch(found.name, found.probes(), found.health, probers)

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    async def settled(self, found: Policy) -> None:
        await until(lambda: not self.board.undecided(found.name))
        await elapse(21.0)


@asynccontextmanager
async def scene(
    found: Policy, pace: Pace | None = None, sentinels: tuple[tuple[Endpoint, Check], ...] = ()
) -> AsyncIterator[Scene]:
    made = Scene(pace or Pace(), sentinels)
    made.watch(found)
    try:
        yield made
    finally:
        await made.probing.close()
        await made.timetable.close()


def region(size: int, check: Check = LIVE, rules: HealthRules | None = None) -> Policy:
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(size)]
    spec = RegionSpec("azure", 10_000, endpoints("azure", *addresses))
    return policy(regions=(spec,), checks=(check,), health=rules or HealthRules())


def addresses(found: Policy) -> list[str]:
    return [endpoint.address for spec in found.regions for endpoint in spec.endpoints]


# -- jitter ------------------------------------------------------------------------------------------------------------


@virtually
async def test_jitter_moves_each_probe_and_never_by_more_than_it_says() -> None:
    found = region(8)
    async with scene(found, Pace(jitter=0.1)) as here:
        await here.settled(found)
        begun = now()
        await elapse(600.0)
        for address in addresses(found):
            probes = [at for at in here.world.at(address) if at > begun]
            gaps = [after - before for before, after in pairwise(probes)]
            assert len(probes) in {59, 60, 61}
            assert max(gaps) <= 10.1 + 1e-6
            assert min(gaps) >= 9.9 - 1e-6
            assert max(gaps) - min(gaps) > 0.05


@virtually
async def test_endpoints_of_one_region_never_begin_together() -> None:
    found = region(200)
    async with scene(found, Pace(jitter=0.1)) as here:
        await here.settled(found)
        begun = now()
        await elapse(60.0)
        probes = sorted(probe.at for probe in here.world.looks if probe.at > begun)
        assert len(probes) == pytest.approx(1_200, abs=20)
        assert min(after - before for before, after in pairwise(probes)) > 0.01


# -- places ------------------------------------------------------------------------------------------------------------


@virtually
async def test_no_more_probes_are_under_way_than_there_are_places() -> None:
    found = region(60, Check("live", "tcp", 1.0, 0.9))
    async with scene(found, Pace(max_in_flight=10)) as here:
        here.world.let(Does.DROP, *addresses(found))
        most = 0
        for _ in range(200):
            await elapse(0.05)
            most = max(most, here.probing.figures().in_flight)
        assert most == 10
        assert here.probing.figures().waiting <= 10
        assert here.probing.figures().dropped > 0


@virtually
async def test_an_address_that_many_checks_watch_is_not_hit_by_all_at_once() -> None:
    checks = tuple(Check(f"check{number}", "tcp", 1.0, 0.9) for number in range(6))
    found = policy(regions=(RegionSpec("azure", 10_000, endpoints("azure", AZURE)),), checks=checks)
    async with scene(found, Pace(max_per_target=2)) as here:
        here.world.slow(AZURE, 0.3)
        under_way, most = 0, 0
        for _ in range(400):
            await elapse(0.02)
            under_way = here.probing.figures().in_flight
            most = max(most, under_way)
        assert most == 2
        assert {probe.check for probe in here.world.looks} == {check.name for check in checks}


@virtually
async def test_a_probe_whose_predecessor_is_under_way_is_skipped_and_counted() -> None:
    found = region(1, Check("live", "tcp", 1.0, 5.0), HealthRules(fall=1))
    async with scene(found, Pace(jitter=0.0)) as here:
        here.world.slow(addresses(found)[0], 3.5)
        await elapse(40.0)
        assert max(probe.abreast for probe in here.world.looks) == 1
        assert here.probing.figures().skipped == pytest.approx(30, abs=3)


# -- load shedding -----------------------------------------------------------------------------------------------------


@virtually
async def test_a_schedule_that_cannot_be_kept_is_stretched_said_and_restored() -> None:
    found = region(100, Check("live", "tcp", 1.0, 0.9), HealthRules(rise=1))
    async with scene(found, Pace(max_in_flight=100)) as here:
        await here.settled(found)
        for address in addresses(found):
            here.world.slow(address, 0.8)
        here.probing._limiter.limit = 45  # of 0.8 s each, which is 56 probes a second, of 100 that are due
        await until(lambda: here.told(ProbingShed), within=120.0)
        (shed,) = here.told(ProbingShed)
        assert isinstance(shed, ProbingShed)
        assert shed.factor == 2
        assert "probing 2 times less often" in prose.say(shed)
        await elapse(5.0)
        begun, probes = now(), len(here.world.looks)
        await elapse(40.0)
        assert (len(here.world.looks) - probes) / (now() - begun) == pytest.approx(50, rel=0.1)
        here.board.settle()
        assert here.told(EndpointLost) == []
        here.probing._limiter.limit = 400
        await until(lambda: here.told(ProbingRestored), within=3 * CALM)
        assert here.probing.figures().stretched == 1
        assert here.board.calm(found.name)


@virtually
async def test_evidence_grows_stale_later_while_intervals_are_stretched() -> None:
    found = region(16, Check("live", "tcp", 1.0, 0.5), HealthRules(rise=1))
    async with scene(found, Pace(jitter=0.0)) as here:
        await here.settled(found)
        here.probing._shedding.factor = 8
        here.board.stretch(here.probing._shedding.allowance)
        for _ in range(40):
            await elapse(1.0)
            here.board.settle()
        assert here.told(EndpointLost) == []
        for address in addresses(found):
            gaps = [after - before for before, after in pairwise(here.world.at(address)[-4:])]
            assert gaps == pytest.approx([8.0] * 3)


@virtually
async def test_rechecks_keep_their_pace_while_intervals_are_stretched() -> None:
    found = region(1)
    async with scene(found, Pace(jitter=0.0)) as here:
        await here.settled(found)
        here.probing._shedding.factor = 4
        here.world.let(Does.REFUSE, *addresses(found))
        begun = len(here.world.looks)
        await until(lambda: here.told(EndpointFailed))
        probes = [probe.at for probe in here.world.looks[begun:]]
        assert [after - before for before, after in pairwise(probes)] == pytest.approx([0.5, 0.5])


@virtually
async def test_what_is_down_keeps_its_pace_as_well_so_that_its_return_is_seen() -> None:
    found = region(1, Check("live", "tcp", 2.0, 0.5), HealthRules(rise=3))
    async with scene(found, Pace(jitter=0.0)) as here:
        await here.settled(found)
        here.world.let(Does.REFUSE, *addresses(found))
        await until(lambda: here.told(EndpointFailed))
        await elapse(10.0)
        here.probing._shedding.factor = 8
        here.world.let(Does.ANSWER, *addresses(found))
        begun = now()
        await until(lambda: here.told(EndpointRecovered))
        assert now() - begun <= 3 * 2.0


@virtually
async def test_a_start_with_many_endpoints_does_not_probe_like_overload() -> None:
    found = region(200)
    async with scene(found) as here:
        await elapse(3 * (WINDOW + PATIENCE))
        assert here.told(ProbingShed) == []
        assert here.probing.status().rate == pytest.approx(20, rel=0.2)


@virtually
async def test_how_it_keeps_up_is_told_in_numbers_that_can_be_written_down() -> None:
    found = region(10, Check("live", "tcp", 1.0, 0.5))
    async with scene(found, Pace(jitter=0.0)) as here:
        await here.settled(found)
        for _ in range(5):
            here.probing._lags.add(3_600.0)  # beyond every bucket
        await elapse(2.0)
        told = here.probing.status()
        assert (told.lag, told.lag_max) == (3_600.0, 3_600.0)
        assert told.rate == pytest.approx(10, rel=0.1)
        await elapse(130.0)
        assert here.probing.status().lag_max == pytest.approx(0.0, abs=1e-6)


# -- trip wires --------------------------------------------------------------------------------------------------------


@virtually
async def test_a_region_that_crashes_is_known_by_its_wires_without_waiting_for_a_turn() -> None:
    found = region(8)
    async with scene(found, Pace(jitter=0.0)) as here:
        await here.settled(found)
        assert set(here.prober.wires) == set(addresses(found))
        here.world.let(Does.REFUSE, *addresses(found))
        crash = now()
        for tripped in here.prober.wires.values():
            tripped()
        await until(lambda: len(here.told(EndpointFailed)) == 8)
        assert now() - crash == pytest.approx(2 * FLOOR, abs=0.05)


@virtually
async def test_a_wire_that_trips_proves_nothing_by_itself() -> None:
    found = region(1)
    async with scene(found, Pace(jitter=0.0)) as here:
        await here.settled(found)
        probes = len(here.world.looks)
        here.prober.wires[addresses(found)[0]]()
        await elapse(0.1)
        assert len(here.world.looks) == probes + 1
        assert here.told(EndpointFailed) == []


@virtually
async def test_a_wire_that_trips_all_the_time_costs_one_probe_for_each_recheck() -> None:
    found = region(1)
    async with scene(found, Pace(jitter=0.0)) as here:
        await here.settled(found)
        probes = len(here.world.looks)
        for _ in range(1_000):
            here.prober.wires[addresses(found)[0]]()
            await elapse(0.005)
        assert len(here.world.looks) - probes == pytest.approx(5.0 / 0.5, abs=2)


@virtually
async def test_wires_give_way_to_probes_when_descriptors_run_out_and_come_back() -> None:
    found = region(100, Check("live", "tcp", 1.0, 0.9), HealthRules(fall=1))
    async with scene(found, Pace(descriptors=160, max_in_flight=160)) as here:
        await elapse(5.0)
        assert len(here.prober.wires) == 100
        here.world.let(Does.DROP, *addresses(found))
        most = 0
        for _ in range(150):
            await elapse(0.02)
            figures = here.probing.figures()
            most = max(most, figures.in_flight)
            assert figures.in_flight + figures.wires <= 160
            assert figures.wires == len(here.prober.wires)
        assert most > 60
        assert len(here.prober.wires) < 100
        here.world.let(Does.ANSWER, *addresses(found))
        await elapse(5.0)
        assert len(here.prober.wires) == 100
    assert here.prober.wires == {}


# -- sentinels ---------------------------------------------------------------------------------------------------------


@virtually
async def test_the_first_failure_has_the_sentinels_probed_at_once_and_no_oftener_than_their_recheck() -> None:
    found = region(4)
    watched = tuple(
        (Endpoint(f"dns{number}", f"198.51.100.{number}"), Check(f"dns{number}", "tcp", 60.0, 2.0)) for number in (1, 2)
    )
    async with scene(found, Pace(jitter=0.0), watched) as here:
        here.probing.watch(
            SENTINELS, watched, SENTINEL_RULES, {check.name: here.world.prober(check) for _, check in watched}
        )
        await here.settled(found)
        before = {address: len(here.world.at(address)) for address in ("198.51.100.1", "198.51.100.2")}
        here.world.let(Does.REFUSE, *addresses(found))
        begun = len(here.world.looks)
        await until(lambda: len(here.world.looks) > begun)
        first = now()
        await elapse(0.3)
        for address, probes in before.items():
            assert len(here.world.at(address)) == probes + 1
            assert here.world.at(address)[-1] - first < 0.2
        await until(lambda: len(here.told(EndpointFailed)) == 4)


# -- clocks ------------------------------------------------------------------------------------------------------------


@virtually
async def test_a_timetable_that_stands_for_seconds_stops_nothing_and_one_that_runs_twice_makes_no_storm() -> None:
    found = region(20, Check("live", "tcp", 1.0, 0.5))
    async with scene(found, Pace(jitter=0.0)) as here:
        await here.settled(found)
        for stands in (True, False) * 4:  # the wall clock goes back, and the timetable is laid out again
            here.timetable.stands = stands
            begun = len(here.world.looks)
            for _ in range(3):
                if not stands:
                    await here.probing._slot_clock._round()
                    await here.probing._slot_clock._round()
                await elapse((AHEAD - 1.0) / 3)
            assert len(here.world.looks) - begun == pytest.approx(20 * (AHEAD - 1.0), abs=20)
        gaps = [
            after - before for address in addresses(found) for before, after in pairwise(here.world.at(address)[-20:])
        ]
        assert max(gaps) == pytest.approx(1.0)
        assert min(gaps) == pytest.approx(1.0)


@virtually
async def test_a_process_that_was_stopped_for_a_while_goes_on_without_making_up_for_it() -> None:
    found = region(20, Check("live", "tcp", 1.0, 0.5))
    async with scene(found, Pace(jitter=0.0)) as here:
        await here.settled(found)
        here.timetable.stands = True
        await elapse(60.0)
        begun = len(here.world.looks)
        here.timetable.stands = False
        await elapse(10.0)
        assert len(here.world.looks) - begun == pytest.approx(200, abs=40)


# -- policies come and go ----------------------------------------------------------------------------------------------


@virtually
async def test_counting_goes_on_in_a_newer_revision_and_ends_with_the_policy() -> None:
    found = region(3)
    async with scene(found) as here:
        await here.settled(found)
        counted = here.probing.figures().probes[0]
        here.watch(found)
        await elapse(11.0)
        (tally,) = here.probing.figures().probes
        assert sum(tally.outcomes.values()) > sum(counted.outcomes.values()) > 0
        assert (tally.policy, tally.check, tally.kind) == (found.name, "live", "tcp")
        assert sum(tally.seconds.counts) == sum(tally.outcomes.values())
        here.probing.forget(found.name)
        assert here.probing.figures().probes == ()
        await asyncio.sleep(0)
