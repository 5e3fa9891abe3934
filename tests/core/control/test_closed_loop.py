"""Traffic follows the answer, load follows the traffic, and the answer follows the load: does it come to rest?

The regions are queues under the load that resolvers send them (`support.closed_loop`), for up to an hour at a time.
"""

import math
from collections.abc import Mapping

import pytest
from support.closed_loop import ClosedLoop
from support.scenes import LIVE

from failoverd.core.measures import Load, Measure, Signals
from failoverd.core.records import (
    Endpoint,
    Policy,
    RecordKey,
    RecordSpec,
    RecordType,
    RegionSpec,
    Target,
    WhenDegraded,
)

HOUR = 3_600.0
TWO = {"az": 600.0, "oci": 600.0}
THREE = {"az": 900.0, "oci": 600.0, "aws": 900.0}
DEMANDS = {"prod": 800.0, "pilot": 500.0, "dev": 400.0}
NORMAL = {"az": 50.0, "oci": 30.0, "aws": 20.0}

RATIONS = 6 + 6
"""Changes an hour that a policy may make by default: six that tune, and six that give back."""


def service(
    name: str,
    shares: Mapping[str, float],
    capacities: Mapping[str, float],
    *,
    demand: float = 800.0,
    tier: int = 300,
    degraded: WhenDegraded = WhenDegraded.KEEP,
    signals: Signals | None = None,
) -> Policy:
    number = {"api": 1, "prod": 2, "pilot": 3, "dev": 4}[name]
    key = RecordKey(f"{name}.example.com", RecordType.A)
    regions = tuple(
        RegionSpec(
            region,
            round(share * 100),
            tuple(Endpoint(region, f"10.{number}.{place}.{each}") for each in range(2)),
            capacity=capacities.get(region),
        )
        for place, (region, share) in enumerate(shares.items())
    )
    records = (RecordSpec(key, 30, (Target(name, key, "dns-main", "example.com"),)),)
    measure = Measure(f"rate-{name}", "main", declared=demand)
    return Policy(
        name,
        records,
        regions,
        (LIVE,),
        demand=demand,
        tier=tier,
        measure=measure,
        degraded=degraded,
        signals=signals if signals is not None else Signals(),
    )


def wavering(name: str, seconds: float) -> float:
    """A demand that wavers by a tenth, within an hour."""
    return DEMANDS[name] * (1 + 0.1 * math.sin(seconds / 600 + len(name)))


@pytest.mark.parametrize("degraded", WhenDegraded)
def test_nothing_moves_where_everything_fits(degraded: WhenDegraded) -> None:
    loop = ClosedLoop(service("api", {"az": 70, "oci": 30}, TWO, degraded=degraded), carries=TWO)
    assert loop.run(HOUR / 4) == 0


def test_nothing_moves_where_nothing_more_fits_anywhere() -> None:
    loop = ClosedLoop(service("api", {"az": 50, "oci": 50}, TWO, demand=1_300.0), carries=TWO)
    assert loop.run(HOUR / 4) == 0


@pytest.mark.parametrize("degraded", WhenDegraded)
def test_where_a_region_carries_less_than_was_said_the_rations_bound_how_often_traffic_moves(
    degraded: WhenDegraded,
) -> None:
    said = dict.fromkeys(TWO, 900.0)
    loop = ClosedLoop(service("api", {"az": 90, "oci": 10}, said, degraded=degraded), carries=TWO)
    assert 0 < loop.run(HOUR) <= RATIONS


def test_who_sheds_by_the_load_of_a_region_moves_no_oftener_than_its_ration() -> None:
    by_load = Signals(room=Load("fullness", "main", low=0.8, high=1.0))
    loop = ClosedLoop(service("api", {"az": 80, "oci": 20}, TWO, signals=by_load), carries=TWO)
    assert loop.run(HOUR) <= RATIONS


def test_three_tiers_with_wavering_demands_lose_a_region_and_get_it_back_with_a_few_changes() -> None:
    tiers = {"prod": 100, "pilot": 200, "dev": 300}
    policies = [service(name, NORMAL, THREE, demand=DEMANDS[name], tier=tier) for name, tier in tiers.items()]
    loop = ClosedLoop(*policies, carries=THREE, demand=wavering)
    assert loop.run(300.0) == 0
    loop.gone.add("az")
    assert loop.run(1_200.0) <= 7 * len(tiers)
    assert set(loop.shares("prod")) == {"oci", "aws"}
    loop.gone.clear()
    assert loop.run(1_200.0) <= 4 * len(tiers)
    assert {name: loop.shares(name) for name in tiers} == dict.fromkeys(tiers, NORMAL)
    assert loop.worst["az"] < 1.3, "those who come back know of each other"
