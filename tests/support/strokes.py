"""Strokes of luck as data: what a seed deals, one by one, each with a luck of its own."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from support.laws import Broken


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


class Struck(Protocol):
    """What strokes of luck happen to: a simulation with rules that have to hold all the while."""

    story: list[str]
    played: list[Stroke]
    broken: list[Broken]

    async def strike(self, stroke: Stroke) -> None: ...

    async def look(self) -> None: ...

    async def come_to_rest(self) -> None: ...

    async def end(self) -> None: ...

    def defects(self) -> Iterable[Broken]: ...


S = TypeVar("S", bound=Struck)


@dataclass(frozen=True, slots=True)
class Played(Generic[S]):
    """What came of a seed: the simulation at its end, and every rule that was broken."""

    at_end: S
    broken: tuple[Broken, ...]

    @property
    def story(self) -> list[str]:
        return self.at_end.story

    @property
    def played(self) -> list[Stroke]:
        return self.at_end.played


async def play_out(struck: S, strokes: Sequence[Stroke]) -> Played[S]:
    """Have these strokes happen, then calm, and see whether everything is as the files say.

    It ends with the first stroke after which a rule is broken.
    """
    try:
        for stroke in strokes:
            await struck.strike(stroke)
            await struck.look()
            if struck.broken:
                break
        else:
            await struck.come_to_rest()
    finally:
        await struck.end()
    return Played(struck, (*struck.broken, *struck.defects()))
