"""A check table without siblings, for comparison: a failure says nothing about the rest of the region."""

from collections.abc import Iterator
from typing import Any

from failoverd.core.health.table import HealthTable
from failoverd.core.health.transitions import ProbeDue


class Loners(HealthTable):
    """It never asks for a probe of the siblings, nor do they bear each other out. Everything else is as it is."""

    def _siblings(self, *_: Any) -> Iterator[ProbeDue]:  # noqa: ANN401 - whoever asks
        yield from ()

    def _hurry(self, *_: Any) -> Iterator[ProbeDue]:  # noqa: ANN401 - whoever asks
        yield from ()
