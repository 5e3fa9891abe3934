"""The page of a capacity review, from what policies say and where their records stand."""

from dataclasses import replace

import pytest
from support.stage import policy, regions

from failoverd.api.telling import inventory_told
from failoverd.cli.views.capacity_review import shown
from failoverd.core.measures import Measure
from failoverd.core.records import TIERS, WHOLE, ListPrices, Policy, Traffic
from failoverd.core.status import TargetState, TargetStatus
from failoverd.operations.reviewing import Review, review

CAPACITY = {"az": 900.0, "oci": 600.0, "aws": 900.0}
NOW = 1_000.0
USUAL = {"az": 5_000, "oci": 3_000, "aws": 2_000}


def service(name: str, demand: float | None) -> Policy:
    spread = regions(az=(50, "192.0.2.1"), oci=(30, "198.51.100.1"), aws=(20, "203.0.113.1"))
    able = tuple(
        replace(spec, capacity=CAPACITY[spec.name], cloud=spec.name, jurisdiction="EU", headroom=WHOLE)
        for spec in spread
    )
    return policy(name, regions=able, demand=demand, tier=TIERS.get(name, 300))


def stands(each: Policy, shares: dict[str, int]) -> TargetStatus:
    target = each.records[0].targets[0]
    return TargetStatus(target, NOW, TargetState.IN_SYNC, published=shares, wanted=shares, seen=NOW)


ALL = [service("prod", 800), service("pilot", 500), service("dev", 400)]


def drawn(found: Review, width: int = 80) -> list[str]:
    return [line for line in "".join(shown(inventory_told(found), NOW, width)._plain).splitlines() if line]


def test_load_is_what_is_published_times_demand_over_all_policies() -> None:
    found = review(ALL, [stands(each, USUAL) for each in ALL], NOW)
    rows = {each.region: each for each in found.regions}
    assert {name: row.load for name, row in rows.items()} == {"aws": 340, "az": 850, "oci": 510}
    assert {name: row.left for name, row in rows.items()} == {"aws": 560, "az": 50, "oci": 90}
    assert {row.jurisdiction for row in rows.values()} == {"EU"}


def test_the_headline_names_the_worst_loss_and_who_pays() -> None:
    found = review(ALL, [], NOW)
    assert found.headline == "losing aws leaves dev 200 short (on top of az); so does 1 other loss"
    assert {loss.lost: round(loss.total) for loss in found.losses} == {"aws": 200, "az": 200, "oci": 0}


def test_where_each_region_can_be_lost_that_is_all_that_has_to_be_read() -> None:
    calm = [replace(each, demand=(each.demand or 0) / 2) for each in ALL]
    assert review(calm, [], NOW).headline == "each region can be lost: nobody is short"


def test_a_normal_day_that_does_not_fit_is_said_before_any_loss() -> None:
    crowd = [replace(each, demand=(each.demand or 0) * 2) for each in ALL]
    assert review(crowd, [], NOW).headline.startswith(
        "on a normal day already pilot 200 short (on top of aws), dev 800 short"
    )


def test_nobody_can_say_anything_where_no_policy_states_its_demand() -> None:
    found = review([service("dev", None)], [], NOW)
    assert found.headline == "nobody can say: no policy states its demand"
    assert found.uncounted == ("dev",)


def test_what_was_never_read_has_no_load_and_costs_nothing_that_is_known() -> None:
    found = review([priced(each) for each in ALL], [], NOW, practised={"oci": NOW - 3_600})
    rows = {each.region: each for each in found.regions}
    assert (rows["az"].load, rows["az"].left, rows["az"].cost_per_hour) == (None, None, None)
    assert rows["oci"].practised == pytest.approx(NOW - 3_600)


def priced(each: Policy) -> Policy:
    """Responses of 50 kB at 0.1 USD a GB: a request a second is 1.8 cents an hour."""
    spread = tuple(replace(spec, prices=ListPrices(0.1)) for spec in each.regions)
    return replace(each, regions=spread, traffic=Traffic(50e3))


def test_a_region_costs_what_all_policies_send_there() -> None:
    found = review([priced(each) for each in ALL], [stands(each, USUAL) for each in ALL], NOW)
    costs = {each.region: each.cost_per_hour for each in found.regions}
    assert costs == {"az": pytest.approx(15.3), "oci": pytest.approx(9.18), "aws": pytest.approx(6.12)}


def test_a_sum_of_which_a_part_has_no_price_is_not_known() -> None:
    prod, pilot, dev = ALL
    alone = stands(dev, {"aws": WHOLE})
    found = review([priced(prod), priced(pilot), dev], [*(stands(each, USUAL) for each in (prod, pilot)), alone], NOW)
    costs = {each.region: each.cost_per_hour for each in found.regions}
    assert costs == {"az": pytest.approx(11.7), "oci": pytest.approx(7.02), "aws": None}


def test_what_is_measured_counts_as_it_does_in_status() -> None:
    """A demand of 800 that is 924 now, and a region of 900 that can carry 300 at the moment."""
    counted = Measure("capacity", "main", declared=900)
    prod = replace(service("prod", 800), measure=Measure("demand", "main", declared=800))
    measured = [
        replace(each, regions=tuple(replace(spec, measure=counted, headroom=WHOLE // 2) for spec in each.regions))
        for each in (prod, service("dev", None))
    ]
    planned = {"az": 150.0, "oci": 300.0, "aws": 450.0}
    stand = [
        replace(stands(measured[0], {"az": WHOLE}), demand=924.0, capacities=planned),
        replace(stands(measured[1], USUAL), capacities=planned),
    ]
    found = review(measured, stand, NOW)
    rows = {each.region: each for each in found.regions}
    assert (rows["az"].load, rows["az"].capacity, rows["az"].left) == (924, 300, 150 - 924)
    assert [(each.policy, each.demand, round(each.short)) for each in found.normal.short] == [("prod", 924, 24)]
    assert found.uncounted == ("dev",)


@pytest.mark.parametrize("width", [80, 60])
def test_it_fits_the_screen(width: int) -> None:
    found = review([*ALL, service("lone", None)], [stands(each, USUAL) for each in ALL], NOW)
    page = shown(inventory_told(found), NOW, width)
    assert page is not None
    assert all(len(line) <= width for line in drawn(found, width))
