"""Figures that waver, or that follow what is decided on them: does anybody run after them?"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from support.approving import limits
from support.decisions import NOON, Example
from support.scenes import NOW, policy, region
from support.stories import Story

from failoverd.core.clients import still_old
from failoverd.core.control.limits import TAKING_BACK
from failoverd.core.control.readings import FigureReading
from failoverd.core.control.signals import Signalled
from failoverd.core.measures import Load, Signals
from failoverd.core.records import Policy

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


def test_who_made_room_for_those_of_a_lost_region_follows_as_soon_as_it_is_back(tmp_path: Path) -> None:
    """Else the others would carry more than they can for minutes, beside a region that has room."""
    brisk = {"failback": {"after": "5s"}, "limits": {"max_shift": "100% per 5m", "max_changes": "60 per 1h"}}
    policies = {name: {**said, **brisk} for name, said in SAID["policies"].items()}
    example = Example(tmp_path, {**SAID, "policies": policies})
    example.turn("az", "down")
    example.now += 60.0
    example.turn("az", "healthy")
    for _ in range(16):
        example.now += 10.0
        example.measure(example.policies)
    assert example.now < NOON + TAKING_BACK
    normal = {"az": 50.0, "oci": 30.0, "aws": 20.0}
    assert {name: example.shares(name) for name in DEMANDS} == dict.fromkeys(DEMANDS, normal)


def sized(policies: Mapping[str, Policy], demand: float, aws: float) -> dict[str, Policy]:
    """The same where prod needs so much, and aws carries so much."""
    found = {}
    for name, of in policies.items():
        regions = tuple(replace(spec, capacity=aws if spec.name == "aws" else spec.capacity) for spec in of.regions)
        found[name] = replace(of, demand=demand if name == "prod" else of.demand, regions=regions)
    return found


@pytest.mark.parametrize(("aws", "waits"), [(900.0, TAKING_BACK), (300.0, 60.0)])
def test_who_made_room_takes_it_back_after_five_minutes_and_leaves_what_it_overloads_after_one(
    tmp_path: Path, aws: float, waits: float
) -> None:
    """What is violated waits until resolvers have seen the last change, and no longer."""
    two = {name: of for name, of in SAID["policies"].items() if name != "dev"}
    example = Example(tmp_path, {**SAID, "policies": two})
    said = dict(example.policies)
    example.measure(sized(said, 2_000.0, 900.0))
    assert example.shares("pilot") == {"aws": 100.0}
    began = example.now
    example.measure(sized(said, 800.0, aws))
    while example.shares("pilot") == {"aws": 100.0}:
        example.now += 5.0
        example.measure(example.policies)
        assert example.now - began <= waits
    assert example.now - began == waits
    assert example.shares("pilot") == {"az": 50.0, "oci": 30.0, "aws": 20.0}


# -- a closed loop -----------------------------------------------------------------------------------------------------

EVERY = 15.0
QUEUE = Load("avg by (region) (queue_length)", "main", low=10, high=50)


@dataclass
class Plant:
    """Two regions with a queue each, and clients that follow the answer as caches let them.

    `serves` is what each of them really carries, and `queues` are told as an average of a minute, as a query does it.
    """

    serves: dict[str, float]
    demand: float
    declared: dict[str, float]
    queues: dict[str, float] = field(default_factory=lambda: {"az": 0.0, "oci": 0.0})
    told: dict[str, float] = field(default_factory=lambda: {"az": 0.0, "oci": 0.0})
    moved_at: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        of = policy(*(region(name, 50, capacity=self.declared[name]) for name in self.serves))
        bounds = limits(max_shift=10_000, max_changes=1_000)
        self.story = Story(replace(of, demand=self.demand, signals=Signals(room=QUEUE), limits=bounds))
        self.story.look()
        self.now, self.answer = 0.0, self._answered()
        self.before = self.answer

    def _answered(self) -> dict[str, float]:
        return {name: self.story.published.get(name, 0.0) / 100 * self.demand for name in self.serves}

    def tick(self) -> None:
        self.now += EVERY
        old = still_old(self.now - self.moved_at[-1], 30) if self.moved_at else 0.0
        for name, serves in self.serves.items():
            load = old * self.before[name] + (1 - old) * self.answer[name]
            busy, queue = min(load / serves, 0.999), self.queues[name]
            grown = queue + (load - serves) * EVERY
            self.queues[name] = min(200.0, grown) if load > serves else max(min(busy / (1 - busy), 200.0), grown)
            self.told[name] += (self.queues[name] - self.told[name]) * EVERY / 60
        reading = FigureReading(QUEUE.query, dict(self.told), NOW + self.now, EVERY)
        self.story.state = replace(self.story.state, signalled=Signalled({"load": reading}))
        self.story.look(EVERY)
        self.longest.append(max(self.queues.values()))
        if (answer := self._answered()) != self.answer:
            self.before, self.answer = self.answer, answer
            self.moved_at.append(self.now)


@pytest.mark.parametrize(
    ("serves", "other", "demand", "most"),
    [
        (300, 600, 700, 5),
        (350, 600, 700, 3),
        (250, 600, 600, 4),
        (300, 900, 800, 5),
        (150, 900, 600, 7),
        (400, 600, 900, 14),  # nine tenths of all that there is: the other one is full as well, turn by turn
    ],
)
def test_a_region_that_carries_half_of_what_is_declared_settles_near_what_it_can(
    serves: float, other: float, demand: float, most: int
) -> None:
    """No limit of the policy helps: a thousand changes an hour are allowed."""
    plant = Plant({"az": serves, "oci": other}, demand, {"az": 600, "oci": max(600, other)})
    for _ in range(round(4 * 3_600 / EVERY)):
        plant.tick()
    hours = [sum(hour <= at / 3_600 < hour + 1 for at in plant.moved_at) for hour in range(4)]
    assert max(hours) <= most, hours
    assert 0.7 * min(serves, demand / 2) <= plant.answer["az"] <= serves
    steady = sum(longest <= QUEUE.high for longest in plant.longest) / len(plant.longest)
    assert steady >= 0.9


# -- ways back over the estate -----------------------------------------------------------------------------------------


class Watched(Example):
    """An example that notes what each region carries after each write."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.loads: list[dict[str, float]] = []
        self.sheet.wrote = self._note

    def _note(self) -> None:
        found: dict[str, float] = {}
        for name, of in self.policies.items():
            for place, share in self.shares(name).items():
                found[place] = found.get(place, 0.0) + share / 100 * (of.demand or 0.0)
        self.loads.append(found)


def test_a_lower_tier_takes_no_step_onto_room_that_the_steps_of_a_higher_one_have_not_left_yet(tmp_path: Path) -> None:
    ramp = {"failback": {"after": "5m", "ramp": ["10%", "50%", "100%"], "judge": "1m"}}
    said = {name: {**of, **ramp} for name, of in SAID["policies"].items() if name != "dev"}
    example = Watched(tmp_path, {**SAID, "policies": said})
    example.turn("az", "down")
    example.turn("az", "healthy")
    example.loads.clear()
    example.forget()
    for _ in range(120):
        example.now += 15.0
        example.measure(example.policies)
    normal = {"az": 50.0, "oci": 30.0, "aws": 20.0}
    assert {name: example.shares(name) for name in said} == dict.fromkeys(said, normal)
    rooms = {name: of["capacity"] for name, of in SAID["regions"].items()}
    assert not [load for load in example.loads if any(load[name] > rooms[name] + 1 for name in load)]
    assert example.written <= 8
