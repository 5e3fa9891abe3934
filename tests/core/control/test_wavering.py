"""Demands that waver, measured every half minute, in an estate that is nearly full: does anybody run after them?"""

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.decisions import NOON, Example

from failoverd.core.control.limits import TAKING_BACK

SHARES = {"az": {"share": 50}, "oci": {"share": 30}, "aws": {"share": 20}}
DEMANDS = {"prod": 800, "pilot": 500, "dev": 400}
SAID: dict[str, Any] = {
    "regions": {"az": {"capacity": 900}, "oci": {"capacity": 600}, "aws": {"capacity": 900}},
    "policies": {name: {"tier": name, "demand": demand, "regions": SHARES} for name, demand in DEMANDS.items()},
    "steps": [],
}


def changes_an_hour(folder: Path, wavers: float, *, without: str = "") -> int:
    """How often any of three policies is written within an hour; the demand wavers slowly and at random."""
    chance, example = random.Random(1), Example(folder, SAID)  # noqa: S311 - a script, no secret
    said = dict(example.policies)
    if without:
        example.turn(without, "down")
    example.forget()
    for tick in range(120):
        example.sheet.now += 30.0
        part = 1 + wavers * math.sin(tick / 20)
        example.measure(
            {
                name: replace(of, demand=(of.demand or 0) * (part + chance.uniform(-wavers, wavers) / 2))
                for name, of in said.items()
            }
        )
    return example.written


@pytest.mark.parametrize(("wavers", "most"), [(0.02, 0), (0.1, 24)])
def test_changes_are_few_while_a_region_is_lost_and_nothing_more_fits(tmp_path: Path, wavers: float, most: int) -> None:
    assert changes_an_hour(tmp_path, wavers, without="az") <= most


@pytest.mark.parametrize(("wavers", "most"), [(0.1, 12)])
def test_changes_are_few_on_a_day_on_which_nothing_is_wrong(tmp_path: Path, wavers: float, most: int) -> None:
    assert changes_an_hour(tmp_path, wavers) <= most


def test_who_made_room_for_those_of_a_lost_region_follows_as_soon_as_it_is_back(tmp_path: Path) -> None:
    """Else the others would carry more than they can for minutes, beside a region that has room."""
    brisk = {"failback": {"after": "5s"}, "limits": {"max_shift": "100% per 5m", "max_changes": "60 per 1h"}}
    policies = {name: {**said, **brisk} for name, said in SAID["policies"].items()}
    example = Example(tmp_path, {**SAID, "policies": policies})
    example.turn("az", "down")
    example.sheet.now += 60.0
    example.turn("az", "healthy")
    for _ in range(16):
        example.sheet.now += 10.0
        example.measure(example.policies)
    assert example.sheet.now < NOON + TAKING_BACK
    normal = {"az": 50.0, "oci": 30.0, "aws": 20.0}
    assert {name: example.shares(name) for name in DEMANDS} == dict.fromkeys(DEMANDS, normal)
