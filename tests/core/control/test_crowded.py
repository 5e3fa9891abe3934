"""Regions that carry more than they can: a step that relieves one of them noticeably is made, though it is small."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.decisions import Example

from failoverd.core.control.limits import TAKING_BACK
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.reasons import ReasonCode

HALF = {"x": {"share": 50}, "y": {"share": 50}}


def estate(folder: Path, **demands: float) -> Example:
    """Policies of these tiers in two regions, each of which can carry 500."""
    said: dict[str, Any] = {
        "regions": {name: {"capacity": 500, "headroom": "100%"} for name in HALF},
        "policies": {name: {"tier": name, "demand": demand, "regions": HALF} for name, demand in demands.items()},
        "steps": [],
    }
    return Example(folder, said)


def needs(example: Example, **demands: float) -> None:
    example.measure({name: replace(of, demand=demands.get(name, of.demand)) for name, of in example.policies.items()})


def load(example: Example, region: str) -> float:
    return sum((of.demand or 0) * example.shares(name).get(region, 0) / 100 for name, of in example.policies.items())


def test_what_is_too_much_for_one_region_goes_where_there_is_room_by_now_though_it_is_a_small_step(
    tmp_path: Path,
) -> None:
    example = estate(tmp_path, prod=600, dev=440)
    assert (load(example, "x"), load(example, "y")) == pytest.approx((540, 500), abs=0.1)
    example.now += TAKING_BACK
    needs(example, prod=580)
    assert (load(example, "x"), load(example, "y")) == pytest.approx((520, 500), abs=0.1)
    assert example.outcomes["prod"].kind is OutcomeKind.IN_SYNC


def test_where_nearly_nothing_of_it_would_go_it_is_left_alone(tmp_path: Path) -> None:
    example = estate(tmp_path, prod=600, dev=500)
    example.now += TAKING_BACK
    needs(example, prod=590)
    assert (load(example, "x"), load(example, "y")) == (595, 495)


def test_a_small_step_from_one_full_region_into_another_is_left_alone(tmp_path: Path) -> None:
    example = estate(tmp_path, prod=600, dev=500)
    example.now += TAKING_BACK
    needs(example, prod=620)
    assert example.shares("dev") == {"x": 60, "y": 40}
    assert ReasonCode.DEADBAND in {reason.code for reason in example.outcomes["dev"].reasons}


def test_small_steps_that_relieve_a_region_follow_each_other_slowly(tmp_path: Path) -> None:
    example = estate(tmp_path, prod=600, dev=440)
    example.now += TAKING_BACK
    needs(example, prod=580)
    assert example.outcomes["dev"].kind is OutcomeKind.IN_SYNC
    example.now += 30.0
    needs(example, prod=560)
    waiting = example.outcomes["dev"]
    assert ReasonCode.DWELL in {reason.code for reason in waiting.reasons}
    assert waiting.until == example.now - 30.0 + TAKING_BACK
    example.now += TAKING_BACK
    needs(example)
    assert (load(example, "x"), load(example, "y")) == pytest.approx((500, 500), abs=0.1)


def test_a_region_that_has_more_than_the_link_to_its_data_lets_through_is_relieved_however_little_it_is(
    tmp_path: Path,
) -> None:
    said: dict[str, Any] = {
        "regions": {name: {"capacity": 1000} for name in ("az", "oci", "aws")},
        "inventory": {
            "links": [
                {"between": ["az", "oci"], "bandwidth": "1Gbps"},
                {"between": ["az", "aws"], "bandwidth": "10Gbps"},
            ]
        },
        "policies": {
            "api": {
                "demand": 800,
                "data_in": {"region": "az", "per_request": "200kB"},
                "regions": {"az": {"share": 70}, "oci": {"share": 30}, "aws": {"share": 0}},
            }
        },
        "steps": [],
    }
    example = Example(tmp_path, said)
    example.turn("az", "down")
    assert example.shares("api") == {"aws": 45.31, "oci": 54.69}
    needs(example, api=820)
    assert load(example, "oci") == pytest.approx(437.5, abs=0.1)
