"""A day of a daemon that follows the price: what it moves and when, what it costs, and what a failover costs."""

from dataclasses import replace

import pytest
from support.stage import Stage, playing, policy, regions
from support.virtual import until, virtually

from failoverd.core.control import saving
from failoverd.core.control.cost import billed
from failoverd.core.control.readings import FigureReading
from failoverd.core.control.signals import Signalled
from failoverd.core.events import ChangeApplied
from failoverd.core.measures import Measure
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import Check, CostRules, DataIn, Link, ListPrices, Policy, Traffic
from failoverd.core.status import TargetStatus
from failoverd.simulation.virtual_time import elapse, now

PRICES = {"az": 0.087, "oci": 0.0085}
USUAL = {"az": 70.0, "oci": 30.0}
MERIT = {"az": 45.31, "oci": 54.69}


def service() -> Policy:
    spread = regions(az=(70, "192.0.2.10"), oci=(30, "198.51.100.10"))
    priced = tuple(
        replace(
            spec,
            capacity=1_000.0,
            prices=ListPrices(PRICES[spec.name]),
            link=Link(1e9) if spec.name == "oci" else None,
        )
        for spec in spread
    )
    return policy(
        "api",
        regions=priced,
        demand=800.0,
        failback_after=30.0,
        traffic=Traffic(50e3),
        data_in=DataIn("az", 200e3, 0.087),
        cost=CostRules(),
        checks=(Check("live", "https", every=60.0, timeout=2.0),),
    )


API = service()


def status(stage: Stage, of: Policy = API) -> TargetStatus:
    return stage.reconcilers[of.name].statuses()[0]


@virtually
async def test_shares_follow_the_price_once_all_has_been_well_and_a_failover_says_what_it_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saving, "STOOD", 90.0)
    async with playing(API) as stage:
        await until(stage.steers(API, **USUAL))
        await elapse(60.0)
        bill = status(stage).bill
        assert bill is not None
        assert (round(bill.month), bill.hour) == (6_578, bill.normal_hour)
        await until(stage.steers(API, **MERIT))
        assert stage.told(ChangeApplied)[-1].cause is Cause.TUNING
        await elapse(60.0)
        settled = status(stage)
        assert settled.bill is not None
        assert (round(settled.bill.month), settled.moved) == (4_569, False)
        assert ReasonCode.CHEAPER in {reason.code for reason in settled.reasons}
        stage.fails("198.51.100.10")
        await until(stage.steers(API, az=100.0))
        await elapse(60.0)
        failed = status(stage).bill
        assert failed is not None
        assert failed.hour - failed.normal_hour == pytest.approx(6.18, abs=0.01)
        stage.heals("198.51.100.10")
        await until(stage.steers(API, **MERIT))
        moved = len(stage.told(ChangeApplied))
        await elapse(120.0)
        assert len(stage.told(ChangeApplied)) == moved


@virtually
async def test_what_stands_costs_as_much_as_it_was_decided_to_cost_by_the_demand_that_is_measured() -> None:
    measure = Measure("sum(rate(requests[5m]))", "main", declared=800.0)
    counted = replace(API, cost=None, measure=measure)
    async with playing(counted) as stage:
        reading = FigureReading(measure.query, {"": 200.0}, now(), every=3_600.0)
        stage.states.measured(counted.name, Signalled({"demand": reading}))
        await until(stage.steers(counted, **USUAL))
        await elapse(60.0)
        settled = status(stage, counted)
        assert settled.bill is not None
        assert settled.bill == billed(settled.reasons)
        assert settled.bill.month == pytest.approx(6_578.5 / 4, abs=0.01)
