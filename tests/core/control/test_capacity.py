"""A capacity review: the estate on a normal day, and without each region, and each cloud."""

from dataclasses import replace

import pytest
from support.stage import policy, regions

from failoverd.core.control.capacity import Shortage, clouds_of, day, losses, usual_claims
from failoverd.core.records import TIERS, Policy

CAPACITY = {"az": 900.0, "oci": 600.0, "aws": 900.0}


def service(name: str, demand: float | None) -> Policy:
    spread = regions(az=(50, "192.0.2.1"), oci=(30, "198.51.100.1"), aws=(20, "203.0.113.1"))
    able = tuple(replace(spec, capacity=CAPACITY[spec.name], cloud=spec.name) for spec in spread)
    return policy(name, regions=able, demand=demand, tier=TIERS[name])


ALL = [service("prod", 800), service("pilot", 500), service("dev", 400)]


def test_on_a_normal_day_everybody_has_what_the_file_says_and_room_is_left() -> None:
    found = day(usual_claims(ALL))
    assert found.short == ()
    assert found.loads == pytest.approx({("az", ""): 850, ("oci", ""): 510, ("aws", ""): 340})
    assert [round(found.left((name, ""))) for name in CAPACITY] == [50, 90, 560]


def test_without_a_region_the_lowest_tier_is_short_and_its_excess_goes_where_it_hurts_least() -> None:
    found = day(usual_claims(ALL), frozenset({"az"}))
    assert found.loads == pytest.approx({("oci", ""): 600, ("aws", ""): 900})
    assert [replace(each, short=round(each.short, 6)) for each in found.short] == [
        Shortage("dev", 300, 400, 200, "aws")
    ]
    assert found.left(("oci", "")) == found.left(("az", "")) == 0


def test_headroom_is_no_room() -> None:
    careful = [replace(each, regions=tuple(replace(spec, headroom=5_000) for spec in each.regions)) for each in ALL]
    found = day(usual_claims(careful))
    assert sum(each.short for each in found.short) == pytest.approx(500)


def test_who_does_not_say_what_it_needs_claims_nothing() -> None:
    assert usual_claims([service("dev", None)]) == ()


def test_each_region_can_be_lost_and_each_cloud_that_has_several_but_not_everything() -> None:
    clouds = {"azure-weu": "azure", "azure-neu": "azure", "oci-fra": "oci"}
    assert losses(clouds) == {
        "azure-weu": frozenset({"azure-weu"}),
        "azure-neu": frozenset({"azure-neu"}),
        "oci-fra": frozenset({"oci-fra"}),
        "azure, all of it": frozenset({"azure-weu", "azure-neu"}),
    }
    assert losses({"lab": ""}) == {}
    assert set(clouds_of(ALL)) == set(CAPACITY)
