"""One endpoint under one check as it is scheduled, and its probes that are under way.

A probe costs one small object and no task: the prober calls `RunningProbe.tell`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from failoverd.core.records import Check, Endpoint, HealthRules, ProbeResult
from failoverd.core.tallies import ProbeTally
from failoverd.ports import Cancel, Prober


@dataclass(slots=True, eq=False)
class RunningProbe:
    """One probe under way. It is over when there is nothing left to cancel; `land` takes what it came to."""

    scheduled: "ScheduledProbe"
    land: Callable[["RunningProbe", ProbeResult], None]
    cancel: Cancel | None = None
    batch: "Batch | None" = None  # where its answer is late after a while

    def tell(self, result: ProbeResult) -> None:
        """What the prober calls (`ports.Tell`)."""
        self.land(self, result)

    def abandon(self) -> None:
        cancel, self.cancel = self.cancel, None
        if cancel is not None:
            cancel()


@dataclass(slots=True, eq=False)
class Batch:
    """Probes that began together, and are late together. `left` is how many have not answered."""

    probes: list[RunningProbe] = field(default_factory=list)
    left: int = 0

    def add(self, running: RunningProbe) -> None:
        running.batch = self
        self.probes.append(running)
        self.left += 1

    def landed(self, running: RunningProbe) -> bool:
        """One more answered. Whether all have by now: then none of them is late."""
        running.batch = None  # nothing is left behind that holds itself
        self.left -= 1
        return not self.left


@dataclass(slots=True, eq=False)
class ScheduledProbe:
    """One endpoint under one check, probed under the name of its policy.

    `number` is its place among all that is probed under that name. Times are seconds of the daemon's clock: `due` is
    when the next probe out of turn, or the one that waits for room, should begin; `began`, when the last one did;
    `tripped_at`, for when its trip wire last had it probed.
    """

    name: str
    endpoint: Endpoint
    check: Check
    rules: HealthRules
    prober: Prober
    tally: ProbeTally
    number: int
    target: str  # what must not be hit by too many probes at once, whoever has them made
    running: list[RunningProbe] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    usual: float | None = None  # what the last good answer took
    watched: bool = True
    elsewhere: bool = False  # other vantages probe it in turn
    waiting: bool = False  # for room
    due: float = 0.0
    began: float = float("-inf")
    tripped_at: float = float("-inf")
    wire: Cancel | None = None

    @property
    def group(self) -> tuple[str, str, str]:
        """The endpoints of one region under one check of one policy, which are never probed together."""
        return self.name, self.endpoint.region, self.check.name

    @property
    def hasty(self) -> bool:
        """Whether an answer that takes as long as `recheck` is late, for this endpoint."""
        return self.usual is not None and self.usual < self.rules.recheck
