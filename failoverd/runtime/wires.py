"""Trip wires: one idle connection for each probe whose check asks for it, as long as there are descriptors for it.

Probes come first: when the descriptors run out, wires give way one by one, and are kept again when there is room.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from failoverd.ports import Tripping
from failoverd.runtime.scheduled_probe import ScheduledProbe

HEADROOM: Final = 32
"""Descriptors that stay free when wires are kept again, so that they do not come and go with each probe."""


class Wires:
    """The wires of all probes.

    Args:
        budget: descriptors that probes and wires may use together.
        tripped: is told whose wire tripped.
    """

    def __init__(self, budget: int, tripped: Callable[[ScheduledProbe], None]) -> None:
        self._budget = budget
        self._tripped = tripped
        self._kept: dict[ScheduledProbe, None] = {}
        self._gave_way: dict[ScheduledProbe, None] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, probe: ScheduledProbe, in_flight: int) -> None:
        """Keep a wire to the endpoint, if its check asks for one, now or when there is room for it."""
        if not isinstance(probe.prober, Tripping):
            return
        if self._room(in_flight) <= HEADROOM:
            self._gave_way[probe] = None
            return
        probe.wire = probe.prober.wire(probe.endpoint, partial(self._tripped, probe))
        if probe.wire is not None:
            self._kept[probe] = None

    def cut(self, probe: ScheduledProbe) -> None:
        """Nobody probes it any more."""
        self._kept.pop(probe, None)
        self._gave_way.pop(probe, None)
        wire, probe.wire = probe.wire, None
        if wire is not None:
            wire()

    def make_room(self, in_flight: int) -> None:
        """Called before a probe begins: with probes and wires the budget is never exceeded."""
        while self._kept and self._room(in_flight) < 0:
            probe, _ = self._kept.popitem()
            self.cut(probe)
            self._gave_way[probe] = None

    def restore(self, in_flight: int) -> None:
        """Keep again what gave way, as far as there is room."""
        for _ in range(min(len(self._gave_way), self._room(in_flight) - HEADROOM)):
            probe = next(iter(self._gave_way))
            del self._gave_way[probe]
            self.keep(probe, in_flight)

    def _room(self, in_flight: int) -> int:
        return self._budget - in_flight - len(self._kept)
