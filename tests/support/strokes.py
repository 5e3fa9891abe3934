"""Strokes of luck as data: what a seed deals, one by one, each with a luck of its own."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke of luck: its place in the seed, what happens, by which luck, and for how long nothing else does."""

    number: int
    name: str
    luck: int
    pause: float


def luck(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a script, no secret


def dealt(seed: int, steps: int, weights: Mapping[str, int], pauses: Sequence[float]) -> tuple[Stroke, ...]:
    """The strokes that a seed deals: how often each comes is by its weight, and pauses are parts of these seconds."""
    chance = luck(seed)
    names, odds = list(weights), list(weights.values())
    return tuple(
        Stroke(
            number,
            chance.choices(names, odds)[0],
            chance.randrange(1 << 32),
            chance.choice(pauses) * chance.random(),
        )
        for number in range(steps)
    )
