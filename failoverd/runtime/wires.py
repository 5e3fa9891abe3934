"""Trip wires: one idle connection for each lookout whose check asks for it, as long as there are descriptors for it.

Looks come first: when the descriptors run out, wires give way one by one, and are kept again when there is room.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from failoverd.ports import Tripping
from failoverd.runtime.lookouts import Lookout

HEADROOM: Final = 32
"""Descriptors that stay free when wires are kept again, so that they do not come and go with each look."""


class Wires:
    """The wires of all lookouts.

    Args:
        budget: descriptors that looks and wires may use together.
        tripped: is told whose wire tripped.
    """

    def __init__(self, budget: int, tripped: Callable[[Lookout], None]) -> None:
        self._budget = budget
        self._tripped = tripped
        self._kept: dict[Lookout, None] = {}
        self._gave_way: dict[Lookout, None] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, lookout: Lookout, in_flight: int) -> None:
        """Keep a wire to the endpoint, if its check asks for one, now or when there is room for it."""
        if not isinstance(lookout.prober, Tripping):
            return
        if self._room(in_flight) <= HEADROOM:
            self._gave_way[lookout] = None
            return
        lookout.wire = lookout.prober.wire(lookout.endpoint, partial(self._tripped, lookout))
        if lookout.wire is not None:
            self._kept[lookout] = None

    def cut(self, lookout: Lookout) -> None:
        """Nobody looks there any more."""
        self._kept.pop(lookout, None)
        self._gave_way.pop(lookout, None)
        wire, lookout.wire = lookout.wire, None
        if wire is not None:
            wire()

    def make_room(self, in_flight: int) -> None:
        """Called before a look begins: with looks and wires the budget is never exceeded."""
        while self._kept and self._room(in_flight) < 0:
            lookout, _ = self._kept.popitem()
            self.cut(lookout)
            self._gave_way[lookout] = None

    def restore(self, in_flight: int) -> None:
        """Keep again what gave way, as far as there is room."""
        for _ in range(min(len(self._gave_way), self._room(in_flight) - HEADROOM)):
            lookout = next(iter(self._gave_way))
            del self._gave_way[lookout]
            self.keep(lookout, in_flight)

    def _room(self, in_flight: int) -> int:
        return self._budget - in_flight - len(self._kept)
