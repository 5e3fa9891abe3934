"""Policies that share regions, at work together: what one finds of a region counts for the others, and is told."""

from dataclasses import replace

import pytest
from support.estates import Neighbourhood
from support.scenes import LIVE
from support.sums import found, redone, told

from failoverd.core.control.allocation import Bounds, all_well, allocate
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.sharing import Grant
from failoverd.core.measures import Load, Signals
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import WHOLE, Endpoint, Policy, RecordKey, RecordSpec, RecordType, RegionSpec, Target

QUEUE = Load("queue", "main", low=5.0, high=20.0)


def service(name: str, demand: float, *, tier: int = 100, **capacities: float) -> Policy:
    """A policy that splits its demand evenly among regions of such capacity."""
    number = {"prod": 1, "dev": 2}[name]
    key = RecordKey(f"{name}.example.com", RecordType.A)
    regions = tuple(
        RegionSpec(
            region,
            5_000,
            tuple(Endpoint(region, f"10.{number}.{place}.{each}") for each in range(2)),
            capacity=capacity,
        )
        for place, (region, capacity) in enumerate(capacities.items())
    )
    records = (RecordSpec(key, 30, (Target(name, key, "dns-main", "example.com"),)),)
    return Policy(name, records, regions, (LIVE,), demand=demand, tier=tier)


def test_a_region_that_was_full_when_everybody_began_stops_nobody() -> None:
    """The readings of before a restart say that it has no room. Who shares it gives up half of what he has there."""
    full = Signals(room=QUEUE)
    prod, dev = service("prod", 500, az=600, oci=600), service("dev", 100, tier=300, az=600, oci=600)
    world = Neighbourhood(replace(prod, signals=full), replace(dev, signals=full))
    world.measure({"queue": {"az": 30.0, "oci": 1.0}})
    world.settle()
    for each in world.neighbours.values():
        assert each.outcome is not None
        assert each.outcome.decision.shares == pytest.approx({"az": 2_500, "oci": 7_500}, abs=5)


def test_what_others_take_is_told_with_what_they_take_it_of() -> None:
    """Half of what dev has in az is ill, so that it finds room for 450 there; prod finds 600, and takes 500 of it."""
    world = Neighbourhood(service("prod", 500, az=600), service("dev", 400, tier=300, az=600, oci=600))
    world.neighbours["dev"].letters["az"] = "HD"
    world.settle()
    outcome = world.neighbours["dev"].outcome
    assert outcome is not None
    assert outcome.kind is OutcomeKind.IN_SYNC
    assert outcome.decision.shares == {"az": 2_500, "oci": 7_500}
    (reason,) = found(outcome.decision, ReasonCode.SHARED_CAPACITY)
    assert (reason.numbers["taken"], reason.numbers["whole"]) == (500, 600)
    assert redone(outcome.decision) == {"az": 25.0, "oci": 75.0}
    (words,) = told(outcome.decision, ReasonCode.SHARED_CAPACITY)
    assert words.startswith("az would get 50% but can carry 25% (score 75% x capacity 600 / demand 400; ")
    assert words.endswith("; 600 as other policies find it, of which they need 500 first)")


def test_a_region_that_may_be_falling_as_well_is_told_so_and_not_as_one_that_others_fill() -> None:
    prod = service("prod", 500, az=600, oci=600)
    bounds = Bounds(caps={"az": 0}, grant=Grant(500, {"oci": 500.0}, {"az": 600.0, "oci": 600.0}))
    shared = allocate(prod, prod.records[0], all_well(prod.regions), prod.regions, WHOLE, bounds)
    assert shared.shares == {"oci": WHOLE}
    assert {reason.code for reason in shared.reasons if reason.region == "az"} >= {ReasonCode.OPEN_VERDICT}


def test_a_region_that_is_back_and_let_in_at_once_is_sent_no_more_than_it_can_carry() -> None:
    """Without az there is too little for prod alone, so it waits for no failback; dev is told of that beforehand."""
    rooms = {"az": 900, "oci": 300, "aws": 450}
    world = Neighbourhood(service("prod", 1_000, **rooms), service("dev", 650, tier=300, **rooms))
    world.settle()
    turn(world, "az", "UU")
    world.now += 600.0
    turn(world, "az", "HH")
    assert {name: load(world, name) for name in rooms} == pytest.approx(rooms, abs=0.2)


def turn(world: Neighbourhood, region: str, letters: str) -> None:
    """A region turns, for everybody."""
    for each in world.neighbours.values():
        each.letters[region] = letters
    world.settle()


def load(world: Neighbourhood, region: str) -> float:
    """What is sent there by what stands in DNS."""
    total = 0.0
    for each in world.neighbours.values():
        assert each.observed.records is not None
        total += (each.policy.demand or 0.0) * each.observed.records.shares(each.region_of).get(region, 0) / WHOLE
    return total
