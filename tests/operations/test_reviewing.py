"""The page of a capacity review, from what policies say and where their records stand."""

from dataclasses import replace

import pytest
from support.stage import policy, regions

from failoverd.api.telling import inventory_told
from failoverd.cli.views.capacity_review import shown
from failoverd.core.records import TIERS, WHOLE, Policy
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


def test_what_was_never_read_has_no_load_and_costs_and_practice_are_shown_where_they_are_known() -> None:
    found = review(ALL, [], NOW, costs={"az": 12.0}, practised={"oci": NOW - 3_600})
    rows = {each.region: each for each in found.regions}
    assert (rows["az"].load, rows["az"].left, rows["az"].cost_per_hour) == (None, None, 12.0)
    assert rows["oci"].practised == pytest.approx(NOW - 3_600)


@pytest.mark.parametrize("width", [80, 60])
def test_it_fits_the_screen(width: int) -> None:
    found = review([*ALL, service("lone", None)], [stands(each, USUAL) for each in ALL], NOW)
    page = shown(inventory_told(found), NOW, width)
    assert page is not None
    assert all(len(line) <= width for line in drawn(found, width))
