"""Seeds of the simulations, as the environment asks for them, and what is said of one that fails.

`FAILOVERD_SEED=17` plays that one, with `FAILOVERD_STROKES=3,9` these strokes of it alone. `FAILOVERD_SEEDS=2000` plays
so many, `FAILOVERD_FIRST` is the first of them, and each has `FAILOVERD_STEPS` strokes of luck.
"""

import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pytest
from _pytest.mark.structures import ParameterSet
from support.laws import Broken
from support.shrinking import shrunk

from failoverd.simulation.virtual_time import START, Deadlock, LeftOver, run

MOST: Final = 120
"""How often a seed that fails is played again to find out what can be spared: about two minutes."""


QUICK: Final = 4
"""Seeds of each simulation that `make quick` plays."""


class Numbered(Protocol):
    """A stroke of luck of a seed."""

    @property
    def number(self) -> int: ...


class Told(Protocol):
    """What came of a seed."""

    @property
    def broken(self) -> Sequence[Broken]: ...

    @property
    def story(self) -> Sequence[str]: ...

    @property
    def played(self) -> Sequence[Numbered]: ...


@dataclass(frozen=True, slots=True)
class Game:
    """A simulation: the test that plays it, its strokes by seed and number of steps, and how they are played.

    Attributes:
        test: the file, as pytest is told.
        steps: strokes of a seed, unless the environment says otherwise.
        start: when it begins, in seconds since the epoch.
    """

    test: str
    steps: int
    strokes: Callable[[int, int], Sequence[Any]]
    play: Callable[[int, Sequence[Any]], Coroutine[Any, Any, Told]]
    start: float = START

    def seeds(self, number: int) -> Sequence[ParameterSet | int]:
        """Those to be played: so many of them. All but the first few are slow."""
        if one := os.environ.get("FAILOVERD_SEED"):
            return [int(one)]
        first = int(os.environ.get("FAILOVERD_FIRST", "0"))
        every = range(first, first + int(os.environ.get("FAILOVERD_SEEDS", number)))
        return [*every[:QUICK], *(pytest.param(seed, marks=pytest.mark.slow) for seed in every[QUICK:])]

    def of(self, seed: int) -> Sequence[Any]:
        """The strokes of a seed; with `FAILOVERD_STROKES`, these alone."""
        every = self.strokes(seed, int(os.environ.get("FAILOVERD_STEPS", self.steps)))
        some = os.environ.get("FAILOVERD_STROKES")
        return every if some is None else [each for each in every if str(each.number) in some.split(",")]

    def wrong(self, seed: int, most: int = MOST) -> str:
        """Play a seed. What is wrong with it, with the command that plays the strokes that are needed for that."""
        strokes = self.of(seed)
        told, error = self._played(seed, strokes)
        if told is not None and not told.broken:
            return ""
        law = told.broken[0].law if told is not None else None

        def fails(some: Sequence[Any]) -> bool:
            again, other = self._played(seed, some)
            if again is None or law is None:
                return again is None and law is None and type(other) is type(error)
            return any(each.law is law for each in again.broken)

        least, tries = shrunk(told.played if told is not None else strokes, fails, most)
        told, error = self._played(seed, least)
        said = [f"seed {seed}, of whose {len(strokes)} strokes {len(least)} are needed ({tries} tries):"]
        said += [str(error)] if told is None else [*map(str, told.broken), "what happened:", *told.story]
        return "\n".join([*said, "again with:", self.command(seed, least)])

    def command(self, seed: int, strokes: Sequence[Numbered]) -> str:
        """What plays these strokes of a seed, and nothing else."""
        numbers = ",".join(str(each.number) for each in strokes)
        steps = f"FAILOVERD_STEPS={given} " if (given := os.environ.get("FAILOVERD_STEPS")) else ""
        return f"{steps}FAILOVERD_SEED={seed} FAILOVERD_STROKES={numbers} .venv/bin/pytest -n 0 {self.test} -k whatever"

    def _played(self, seed: int, strokes: Sequence[Any]) -> tuple[Told | None, Exception | None]:
        try:
            return run(self.play(seed, strokes), self.start), None
        except (Deadlock, LeftOver) as error:
            return None, error
