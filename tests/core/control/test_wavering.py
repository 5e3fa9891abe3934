"""Demands that waver, measured every half minute, in an estate that is nearly full: does anybody run after them?"""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from support.decisions import Example

SHARES = {"az": {"share": 50}, "oci": {"share": 30}, "aws": {"share": 20}}
DEMANDS = {"prod": 800, "pilot": 500, "dev": 400}
SAID = {
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
        example.now += 30.0
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
