"""A board without the sibling re-check, for comparison: a first failure says nothing about the rest of the region."""

from failoverd.core.health import Observation
from failoverd.core.records import ProbeResult
from failoverd.runtime.board import Board


class Loners(Board):
    """A board that never asks for a look at the siblings. Everything else is as it is."""

    def observe(self, name: str, result: ProbeResult) -> Observation | None:
        found = super().observe(name, result)
        return None if found is None else Observation(found.health, found.recheck, siblings=False)
