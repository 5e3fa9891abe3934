"""How many probes may be under way, in all and at one target.

What finds no room waits until there is some, in order; probes out of turn before those whose turn it is.
Nobody waits twice, and when too many wait already, the probe is dropped: its turn comes again.
"""

from collections import deque
from collections.abc import Callable

from failoverd.runtime.scheduled_probe import ScheduledProbe


class InFlightLimiter:
    """Admits each probe, and is told when it is over.

    Args:
        limit: probes under way in all; as many more may wait.
        per_target: probes under way at one address.
        start: begins a probe that waited, and that is admitted by now.
    """

    def __init__(self, limit: int, per_target: int, start: Callable[[ScheduledProbe], None]) -> None:
        self.limit = limit
        self.in_flight = 0
        self.waiting = 0
        self.dropped = 0
        self._per_target = per_target
        self._start = start
        self._busy: dict[str, int] = {}
        self._urgent: deque[ScheduledProbe] = deque()
        self._routine: deque[ScheduledProbe] = deque()
        self._held_up: dict[str, deque[tuple[ScheduledProbe, bool]]] = {}  # by target

    @property
    def full(self) -> bool:
        """Whether nobody else may even wait."""
        return self.waiting >= self.limit

    def admit(self, probe: ScheduledProbe, *, urgent: bool) -> bool:
        """Whether a probe may begin now. Otherwise it waits or, where too many do, is dropped."""
        target = probe.target
        busy = self._busy.get(target, 0)
        if busy < self._per_target and self.in_flight < self.limit:
            self._busy[target] = busy + 1
            self.in_flight += 1
            return True
        if self.full:
            self.dropped += 1
            return False
        self.waiting += 1
        probe.waiting = True
        self._wait(probe, urgent=urgent)
        return False

    def release(self, probe: ScheduledProbe) -> None:
        """A probe is over; whoever waited for room goes on."""
        target = probe.target
        self.in_flight -= 1
        busy = self._busy[target] - 1
        if busy:
            self._busy[target] = busy
        else:
            del self._busy[target]
        if not self.waiting:
            return
        self._call_next(target)
        self._admit_next()

    def withdraw(self, probe: ScheduledProbe) -> None:
        """It need not wait any longer. In the queue it is passed over."""
        if probe.waiting:
            probe.waiting = False
            self.waiting -= 1

    def _wait(self, probe: ScheduledProbe, *, urgent: bool) -> None:
        if self._busy.get(probe.target, 0) >= self._per_target:
            self._held_up.setdefault(probe.target, deque()).append((probe, urgent))
        else:
            (self._urgent if urgent else self._routine).append(probe)

    def _call_next(self, target: str) -> None:
        """One more probe may be made at the target: whoever waits for that waits for any room now."""
        held_up = self._held_up.get(target)
        while held_up:
            probe, urgent = held_up.popleft()
            if probe.waiting:
                (self._urgent if urgent else self._routine).append(probe)
                break
        if held_up is not None and not held_up:
            del self._held_up[target]

    def _admit_next(self) -> None:
        while self.in_flight < self.limit:
            queue = self._urgent or self._routine
            if not queue:
                return
            urgent = queue is self._urgent
            probe = queue.popleft()
            if not probe.waiting:
                continue  # it was withdrawn
            busy = self._busy.get(probe.target, 0)
            if busy >= self._per_target:
                self._wait(probe, urgent=urgent)
                continue
            self.withdraw(probe)
            self._busy[probe.target] = busy + 1
            self.in_flight += 1
            self._start(probe)
