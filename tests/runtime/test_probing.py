"""When endpoints are probed, and how soon a fault is known. All times are exact: the clock is virtual."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from support.incidents import paper_incidents
from support.scenes import through_check
from support.stage import AZURE, OCI, endpoints, policy, regions
from support.virtual import until, virtually

from failoverd.core.events import EndpointFailed, EndpointRecovered, Event, RegionLost
from failoverd.core.health.endpoint import Health
from failoverd.core.health.policy_health import FLOOR
from failoverd.core.health.region import RegionState
from failoverd.core.health.table import STAGGER
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, HealthRules, Policy, RecordType, RegionSpec
from failoverd.runtime.health_board import HealthBoard
from failoverd.runtime.probing import Pace, Probing
from failoverd.runtime.scheduled_probe import ScheduledProbe
from failoverd.simulation.virtual_time import VirtualLoop, VirtualTimetable, elapse, now
from failoverd.simulation.world import Does, World

EXACT = 1e-6


class Watch:
    """Probing with its board, and nothing behind it."""

    def __init__(self) -> None:
        self.world = World(now)
        self.events: list[Event] = []
        self.timetable = VirtualTimetable()
        incidents = paper_incidents(self.events.append, now)
        self.woken: list[bool] = []
        self.board = HealthBoard(self.events.append, now, incidents, lambda _, *, more: self.woken.append(more))
        self.probing = Probing(self.timetable, self.board, now, pace=Pace(jitter=0.0))

    def watch(self, found: Policy) -> None:
        self.board.watch(found)
        probers = {check.name: self.world.prober(check) for check in found.checks}
        self.probing.watch(found.name, found.probes(), found.health, probers)

    def verdicts(self, found: Policy) -> dict[str, Health]:
        verdicts = self.board.table.verdicts(found.name)
        return {endpoint.address: each.state for endpoint, each in verdicts.items()}

    async def settled(self, found: Policy) -> float:
        """Every endpoint has a verdict, and no haste is left."""
        await until(lambda: not self.board.undecided(found.name))
        await until(lambda: not self.probing.figures().in_flight)
        return now()

    def failed(self) -> dict[str, float]:
        return {event.endpoint: event.at for event in self.events if isinstance(event, EndpointFailed)}


@asynccontextmanager
async def watching(*policies: Policy) -> AsyncIterator[Watch]:
    watch = Watch()
    for found in policies:
        watch.watch(found)
    try:
        yield watch
    finally:
        await watch.probing.close()
        await watch.timetable.close()


def one_region(*addresses: str) -> tuple[RegionSpec, ...]:
    return (RegionSpec("azure", 10_000, endpoints("azure", *addresses)),)


def many(number: int, name: str = "azure") -> RegionSpec:
    return RegionSpec(
        name, 5_000, endpoints(name, *(f"10.{name == 'oci':d}.{i // 250}.{i % 250 + 1}" for i in range(number)))
    )


def slots(watch: Watch) -> dict[int, list[ScheduledProbe]]:
    """Who is probed in which slot of the interval, which all have in common."""
    (ring,) = watch.probing._slots._rings.values()
    return ring.slots


async def next_probe(watch: Watch, address: str) -> float:
    """When the endpoint is probed next."""
    seen = len(watch.world.at(address))
    await until(lambda: len(watch.world.at(address)) > seen)
    return watch.world.at(address)[seen]


async def broken(watch: Watch, does: Does, *addresses: str) -> float:
    """Break the endpoints; returns when the first probe after that began."""
    fault = now()
    watch.world.let(does, *addresses)
    await until(lambda: any(at >= fault for address in addresses for at in watch.world.at(address)))
    return min(at for address in addresses for at in watch.world.at(address) if at >= fault)


# -- how soon ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fall", "recheck"), [(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.2), (3, 1.5)])
@pytest.mark.parametrize("after", [0.0, 1.7, 4.3, 9.9])
def test_a_refusing_endpoint_is_known_after_the_phase_and_the_rechecks(fall: int, recheck: float, after: float) -> None:
    found = policy(regions=one_region(AZURE), health=HealthRules(fall=fall, rise=2, recheck=recheck))

    @virtually
    async def scenario() -> None:
        async with watching(found) as watch:
            await watch.settled(found)
            await elapse(20 + after)
            fault = now()
            first = await broken(watch, Does.REFUSE, AZURE)
            await until(watch.failed)
            assert first - fault <= 10.0
            assert watch.failed()[AZURE] == pytest.approx(first + (fall - 1) * recheck, abs=EXACT)

    scenario()


@pytest.mark.parametrize(
    ("fall", "recheck", "timeout"), [(3, 0.5, 2.0), (3, 0.5, 0.7), (2, 0.5, 5.0), (5, 0.2, 0.9), (1, 0.5, 2.0)]
)
def test_a_silent_drop_costs_one_time_out_more_because_probes_overlap(
    fall: int, recheck: float, timeout: float
) -> None:
    found = policy(
        regions=one_region(AZURE),
        checks=(Check("live", "https", 10.0, timeout),),
        health=HealthRules(fall=fall, rise=2, recheck=recheck),
    )

    @virtually
    async def scenario() -> None:
        async with watching(found) as watch:
            await watch.settled(found)
            await elapse(23.0)
            first = await broken(watch, Does.DROP, AZURE)
            await until(watch.failed)
            assert watch.failed()[AZURE] == pytest.approx(first + (fall - 1) * recheck + timeout, abs=EXACT)
            assert max(probe.abreast for probe in watch.world.looks) <= fall

    scenario()


@virtually
async def test_one_blind_probe_does_not_cost_an_endpoint_its_fast_detection() -> None:
    found = policy(regions=one_region(AZURE))
    async with watching(found) as watch:
        await watch.settled(found)
        watch.world.let(Does.BLIND, AZURE)
        await next_probe(watch, AZURE)
        await elapse(0.1)
        first = await broken(watch, Does.DROP, AZURE)
        await until(watch.failed)
        assert watch.failed()[AZURE] == pytest.approx(first + 2 * 0.5 + 2.0, abs=EXACT)


@virtually
async def test_the_first_failure_probes_at_the_rest_of_the_region_at_once_one_after_the_other() -> None:
    siblings = ["192.0.2.11", "192.0.2.12", "192.0.2.13"]
    found = policy(regions=(*one_region(AZURE, *siblings), RegionSpec("oci", 0, endpoints("oci", OCI))))
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        first = await broken(watch, Does.REFUSE, AZURE)
        await elapse(0.3)
        looked = [at for address in siblings for at in watch.world.at(address) if at > first]
        assert looked == pytest.approx([first + STAGGER, first + 2 * STAGGER, first + 3 * STAGGER], abs=0.021)
        others = [at for at in watch.world.at(OCI) if first < at < first + 0.3]
        assert len(others) <= 1  # only its own turn


@virtually
async def test_a_whole_region_that_fails_together_is_known_together() -> None:
    found = policy(regions=one_region(AZURE, "192.0.2.11", "192.0.2.12"))
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        first = await broken(watch, Does.REFUSE, AZURE, "192.0.2.11", "192.0.2.12")
        await until(lambda: len(watch.failed()) == 3)
        assert now() <= first + 2 * 0.5 + 2 * STAGGER + 0.05


@virtually
async def test_siblings_that_fail_one_after_the_other_never_put_off_each_others_recheck() -> None:
    big = many(80)
    found = policy(regions=(big,))
    addresses = [endpoint.address for endpoint in big.endpoints]
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        fault = now()
        watch.world.let(Does.REFUSE, *addresses)
        await until(lambda: len(watch.failed()) == 80)
        for address in addresses:
            first = min(at for at in watch.world.at(address) if at >= fault)
            assert watch.failed()[address] <= first + 2 * 0.5 + EXACT


@virtually
async def test_endpoints_without_a_verdict_get_one_within_about_rise_rechecks_of_the_start() -> None:
    found = policy(regions=(many(60), many(60, "oci")), health=HealthRules(rise=5, recheck=0.5))
    async with watching(found) as watch:
        start = now()
        await until(lambda: not watch.board.undecided(found.name))
        assert now() - start <= 5 * 0.5 + 0.1
        assert set(watch.verdicts(found).values()) == {Health.HEALTHY}


@virtually
async def test_an_endpoint_that_is_slow_by_nature_is_never_probed_twice_at_once() -> None:
    found = policy(regions=one_region(AZURE), checks=(Check("live", "https", 10.0, 2.0),))
    async with watching(found) as watch:
        watch.world.slow(AZURE, 0.8)
        await elapse(120.0)
        assert max(probe.abreast for probe in watch.world.looks) == 1
        assert watch.verdicts(found) == {AZURE: Health.HEALTHY}


@virtually
async def test_an_endpoint_that_stays_down_goes_back_to_the_plain_interval() -> None:
    found = policy(regions=one_region(AZURE))
    async with watching(found) as watch:
        await watch.settled(found)
        await broken(watch, Does.DROP, AZURE)
        await until(watch.failed)
        down = now()
        await elapse(100.0)
        probes = [at for at in watch.world.at(AZURE) if at > down]
        assert 9 <= len(probes) <= 10
        assert all(later - earlier == pytest.approx(10.0) for earlier, later in pairwise(probes))


@virtually
async def test_passes_between_failures_do_not_hide_a_service_that_fails_a_third_of_the_time() -> None:
    found = policy(regions=one_region(AZURE), health=HealthRules(fall=3, rise=5, recheck=0.5))
    async with watching(found) as watch:
        await watch.settled(found)
        await broken(watch, Does.REFUSE, AZURE)
        while not watch.failed():
            probes = len(watch.world.at(AZURE))
            watch.world.let(Does.REFUSE if probes % 3 == 0 else Does.ANSWER, AZURE)
            await next_probe(watch, AZURE)
        assert now() < 100_000


# -- what goes wrong with the prober -----------------------------------------------------------------------------------


@virtually
async def test_a_prober_with_a_defect_blinds_itself_and_never_counts_against_the_endpoint() -> None:
    found = policy(regions=one_region(AZURE))
    async with watching(found) as watch:
        await watch.settled(found)
        watch.world.let(Does.CRASH, AZURE)
        await elapse(25.0)
        assert watch.verdicts(found) == {AZURE: Health.HEALTHY}
        assert watch.failed() == {}
        health = through_check(watch.board.table, found.name, found.regions[0].endpoints[0])
        assert health.blind >= 2


@virtually
async def test_from_the_start_a_defect_is_the_evidence_of_not_knowing() -> None:
    found = policy(regions=one_region(AZURE))
    async with watching(found) as watch:
        watch.world.let(Does.CRASH, AZURE)
        await elapse(25.0)
        assert watch.verdicts(found) == {AZURE: Health.UNKNOWN}
        health = through_check(watch.board.table, found.name, found.regions[0].endpoints[0])
        assert ProbeReason.PROBER_ERROR in health.evidence
        assert "a defect in the prober" in health.evidence


@virtually
async def test_one_that_is_late_is_probed_again_though_who_began_with_it_has_answered() -> None:
    found = policy(regions=(many(1_000), many(1, "oci")))
    async with watching(found) as watch:
        await watch.settled(found)
        pair = next(members for members in slots(watch).values() if len(members) > 1)
        address = pair[0].endpoint.address
        begun = await broken(watch, Does.DROP, address)
        assert await next_probe(watch, address) == pytest.approx(begun + 0.5, abs=EXACT)


# -- policies come and go ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("does", list(Does))
def test_forgetting_a_policy_in_the_middle_of_everything_leaves_nothing_behind(does: Does) -> None:
    found = policy(regions=(many(20), many(20, "oci")))
    addresses = [endpoint.address for spec in found.regions for endpoint in spec.endpoints]

    @virtually
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        for moment in (0.0, 0.01, 0.3, 1.0, 7.0, 12.5):
            watch = Watch()
            watch.watch(found)
            await elapse(moment / 2)
            watch.world.let(does, *addresses)
            await elapse(moment / 2)
            watch.probing.forget(found.name)
            probes = len(watch.world.looks)
            await watch.probing.close()
            assert (watch.timetable.jobs, loop.timers()) == ({}, [])
            assert asyncio.all_tasks() == {asyncio.current_task()}
            await elapse(30.0)
            assert len(watch.world.looks) == probes

    scenario()


@virtually
async def test_a_probe_that_was_abandoned_is_not_held_against_the_newer_revision() -> None:
    found = policy(regions=one_region(AZURE), health=HealthRules(fall=1, rise=2, recheck=0.5))
    async with watching(found) as watch:
        await watch.settled(found)
        watch.world.let(Does.STUBBORN, AZURE)
        await next_probe(watch, AZURE)
        await elapse(0.1)
        watch.world.let(Does.ANSWER, AZURE)
        (check,) = found.checks
        watch.watch(replace(found, checks=(replace(check, timeout=check.timeout + 1.0),)))
        await elapse(5.0)
        assert watch.failed() == {}


@virtually
async def test_a_file_that_changes_all_the_time_ends_no_probe() -> None:
    found = policy(regions=one_region(AZURE))
    async with watching(found) as watch:
        await watch.settled(found)
        watch.world.let(Does.DROP, AZURE)
        begun = now()
        for number in range(16):
            await elapse(found.checks[0].timeout - 0.1)
            watch.watch(replace(found, owner=f"owner-{number}"))
        assert watch.failed().keys() == {AZURE}
        assert len([at for at in watch.world.at(AZURE) if at > begun]) < 16


@virtually
async def test_a_newer_revision_keeps_what_is_known_and_does_not_probe_twice_as_often() -> None:
    found = policy()
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        watch.watch(replace(found, owner="somebody-else"))
        assert set(watch.verdicts(found).values()) == {Health.HEALTHY}
        begun = now()
        await elapse(100.0)
        probes = [at for at in watch.world.at(AZURE) if at > begun]
        assert 10 <= len(probes) <= 12
        assert watch.events == [
            event for event in watch.events if not isinstance(event, EndpointRecovered | RegionLost)
        ]


# -- slots -------------------------------------------------------------------------------------------------------------


@virtually
async def test_a_thousand_endpoints_share_few_jobs_and_are_spread_evenly() -> None:
    checks = (Check("live", "https", every=1.0, timeout=0.5),)
    found = policy(regions=(many(500), many(500, "oci")), checks=checks)
    async with watching(found) as watch:
        assert list(watch.timetable.jobs) == ["probe slots"]
        sizes = sorted(len(probes) for probes in slots(watch).values())
        assert sum(sizes) == 1_000
        assert sizes[0] >= 18
        assert sizes[-1] <= 22


@virtually
async def test_the_endpoints_of_one_region_do_not_share_a_slot() -> None:
    found = policy(regions=tuple(many(5, name) for name in ("azure", "oci")))
    async with watching(found) as watch:
        for probes in slots(watch).values():
            assert len({probe.endpoint.region for probe in probes}) == len(probes)
        moments = sorted(number * 0.02 for number in slots(watch))
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert min(gaps) >= 0.3
        assert max(gaps) <= 2.5


@virtually
async def test_each_endpoint_is_probed_once_in_each_interval() -> None:
    found = policy(regions=(many(40),), checks=(Check("live", "https", every=2.0, timeout=0.5),))
    async with watching(found) as watch:
        await watch.settled(found)
        begun = now()
        await elapse(20.0)
        for endpoint in found.regions[0].endpoints:
            probes = [at for at in watch.world.at(endpoint.address) if at > begun]
            assert len(probes) == 10


@virtually
async def test_two_checks_of_one_endpoint_are_looked_after_each_by_itself() -> None:
    checks = (Check("live", "https", 10.0, 2.0), Check("deep", "https", 30.0, 2.0))
    found = policy(regions=regions(azure=(100, AZURE)), checks=checks)
    async with watching(found) as watch:
        await watch.settled(found)
        begun = now()
        await elapse(60.0)
        by_check = [
            sum(1 for probe in watch.world.looks if probe.check == name and probe.at > begun)
            for name in ("live", "deep")
        ]
        assert by_check == [6, 2]


# -- a prober whose own network goes away ------------------------------------------------------------------------------


def three_clouds(size: int) -> Policy:
    nets = {"azure": "192.0.2", "oci": "198.51.100", "aws": "203.0.113"}
    named = {cloud: (30, " ".join(f"{net}.{last}" for last in range(10, 10 + size))) for cloud, net in nets.items()}
    found = policy(regions=regions(**named), health=HealthRules())
    return replace(found, regions=tuple(replace(spec, cloud=spec.name) for spec in found.regions))


@pytest.mark.parametrize("clouds", [2, 3])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("away", [2.5, 4.0, 6.0, 10.0, 31.0])
@virtually
async def test_a_network_that_is_away_for_some_seconds_gives_no_verdict(clouds: int, size: int, away: float) -> None:
    """Probes that began while it was away still time out when it is back, and others have answered again by then."""
    found = three_clouds(size)
    found = replace(found, regions=found.regions[:clouds])
    everybody = [endpoint.address for spec in found.regions for endpoint in spec.endpoints]
    async with watching(found) as watch:
        await watch.settled(found)
        for number in range(8):
            await elapse(20.0 + 0.61 * number)
            watch.world.let(Does.DROP, *everybody)
            await elapse(away)
            watch.world.let(Does.ANSWER, *everybody)
            await elapse(60.0)
        assert watch.failed() == {}


@virtually
async def test_a_region_that_falls_silent_waits_for_no_witness_who_answers() -> None:
    found = three_clouds(4)
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        began = now()
        watch.world.let(Does.DROP, *[endpoint.address for endpoint in found.regions[0].endpoints])
        await until(lambda: len(watch.failed()) == 4)
        check, rules = found.checks[0], found.health
        most = check.every + check.timeout + (rules.fall - 1) * rules.recheck
        assert now() - began < most + 1.0


# -- regions that fail together ----------------------------------------------------------------------------------------


def open_regions(watch: Watch, found: Policy) -> set[str]:
    health = watch.board.regions(found.name, RecordType.A)
    return {name for name, region in health.items() if region.open_until is not None}


@pytest.mark.parametrize("size", [1, 2, 8])
@pytest.mark.parametrize("after", [0.0, 3.3, 8.1])
@virtually
async def test_regions_that_begin_to_fail_in_one_moment_are_known_to_within_50_ms(size: int, after: float) -> None:
    found = three_clouds(size)
    everybody = [endpoint.address for spec in found.regions for endpoint in spec.endpoints]
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0 + after)
        first = await broken(watch, Does.ERROR, *everybody)
        await until(lambda: open_regions(watch, found) == {"azure", "oci", "aws"})
        assert now() - first < 0.05
        assert watch.failed() == {}
        since = [region.failing_since for region in watch.board.regions(found.name, RecordType.A).values()]
        assert max(filter(None, since)) - first < 0.05


@virtually
async def test_a_region_that_fails_alone_has_the_others_show_that_they_are_well() -> None:
    found = three_clouds(4)
    azure, *others = found.regions
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        await broken(watch, Does.ERROR, *[endpoint.address for endpoint in azure.endpoints])
        await until(lambda: watch.board.regions(found.name, RecordType.A)["azure"].state is RegionState.DOWN)
        health = watch.board.regions(found.name, RecordType.A)
        since = health["azure"].failing_since
        assert since is not None
        for spec in others:
            passed_at = health[spec.name].passed_at
            assert passed_at is not None
            assert passed_at >= since
            assert (health[spec.name].failing_since, health[spec.name].open_until) == (None, None)


@virtually
async def test_a_region_that_fails_for_hours_costs_the_others_few_probes() -> None:
    found = three_clouds(4)
    azure, *others = found.regions
    async with watching(found) as watch:
        await watch.settled(found)
        watch.world.let(Does.ERROR, *[endpoint.address for endpoint in azure.endpoints])
        await until(lambda: len(watch.failed()) == 4)
        await elapse(30.0)
        begun = now()
        await elapse(600.0)
        for spec in others:
            probes = [at for endpoint in spec.endpoints for at in watch.world.at(endpoint.address) if at > begun]
            assert len(probes) == 4 * 60


@virtually
async def test_who_is_slow_to_show_that_it_is_well_is_waited_for_and_told_of() -> None:
    found = three_clouds(1)
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        for address in ("198.51.100.10", "203.0.113.10"):
            watch.world.slow(address, 1.9)
        await broken(watch, Does.ERROR, AZURE)
        await until(watch.failed)
        woken = len(watch.woken)
        await until(lambda: len(watch.woken) > woken, within=3.0)
        health = watch.board.regions(found.name, RecordType.A)
        since = health["azure"].failing_since or now()
        assert any((each.passed_at or 0.0) >= since for name, each in health.items() if name != "azure")


# -- endpoints that bear each other out --------------------------------------------------------------------------------


@virtually
async def test_most_of_a_region_that_fails_at_once_is_known_after_a_few_round_trips() -> None:
    found = policy(regions=(many(8),), health=HealthRules())
    addresses = [endpoint.address for endpoint in found.regions[0].endpoints]
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        first = await broken(watch, Does.REFUSE, *addresses)
        await until(lambda: len(watch.failed()) >= 5)
        assert now() - first <= 4 * STAGGER + 2 * FLOOR + 0.02
        for address in addresses[:5]:
            probes = [at for at in watch.world.at(address) if at >= first]
            assert all(later - earlier >= FLOOR - EXACT for earlier, later in pairwise(probes))


@virtually
async def test_a_far_region_is_given_a_round_trip_between_two_failures() -> None:
    found = policy(regions=(many(8),), health=HealthRules())
    addresses = [endpoint.address for endpoint in found.regions[0].endpoints]
    async with watching(found) as watch:
        await watch.settled(found)
        for address in addresses:
            watch.world.slow(address, 0.3)
        await elapse(25.0)
        first = await broken(watch, Does.REFUSE, *addresses)
        await until(lambda: len(watch.failed()) >= 5)
        assert now() - first >= 2 * 0.3


@virtually
async def test_some_endpoints_of_a_region_that_fail_keep_the_plain_recheck() -> None:
    found = policy(regions=(many(8),), health=HealthRules())
    few = [endpoint.address for endpoint in found.regions[0].endpoints][:3]
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        await broken(watch, Does.REFUSE, *few)
        await until(lambda: len(watch.failed()) == 3)
        for address in few:
            probes = [at for at in watch.world.at(address) if at > now() - 1.5]
            assert all(later - earlier >= 0.5 - EXACT for earlier, later in pairwise(probes))


@virtually
async def test_a_blip_of_a_tenth_of_a_second_condemns_nobody() -> None:
    found = policy(regions=(many(8),), health=HealthRules())
    addresses = [endpoint.address for endpoint in found.regions[0].endpoints]
    async with watching(found) as watch:
        await watch.settled(found)
        for number in range(20):
            await elapse(20.0 + 0.37 * number)
            await broken(watch, Does.REFUSE, *addresses)
            await elapse(0.1)
            watch.world.let(Does.ANSWER, *addresses)
            await elapse(30.0)
        assert watch.failed() == {}


@virtually
async def test_a_region_that_fails_and_recovers_all_the_time_costs_no_more_than_plain_rechecks() -> None:
    """In each interval at most as many probes as re-checks after `recheck` would be."""
    found = policy(regions=(many(8),), health=HealthRules(fall=5, rise=2))
    addresses = [endpoint.address for endpoint in found.regions[0].endpoints]
    async with watching(found) as watch:
        await watch.settled(found)
        await elapse(20.0)
        for _ in range(60):
            watch.world.let(Does.REFUSE, *addresses)
            await elapse(0.3)
            watch.world.let(Does.ANSWER, *addresses)
            await elapse(0.7)
        for address in addresses:
            probes = [at for at in watch.world.at(address) if at > now() - 60.0]
            assert len(probes) <= 60.0 / 0.5 + 60.0 / 10.0 + 8


@virtually
async def test_what_a_failing_probe_takes_is_paid_once() -> None:
    found = policy(regions=one_region(AZURE), health=HealthRules(fall=3, rise=2, recheck=0.5))
    async with watching(found) as watch:
        watch.world.latency = 0.2
        await watch.settled(found)
        await elapse(20.0)
        first = await broken(watch, Does.ERROR, AZURE)
        await until(watch.failed)
        assert watch.failed()[AZURE] == pytest.approx(first + 2 * 0.5 + 0.2, abs=EXACT)
