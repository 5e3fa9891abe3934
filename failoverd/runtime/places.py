"""How many looks may be under way, in all and at one target.

What finds no place waits for the next one that becomes free, in order; looks out of turn before those whose turn it is.
Nobody waits twice, and when too many wait already, the look is dropped: its turn comes again.
"""

from collections import deque
from collections.abc import Callable

from failoverd.runtime.lookouts import Lookout


class Places:
    """Take a place before each look and give it back after.

    Args:
        limit: looks under way in all; as many more may wait.
        per_target: looks under way at one address.
        start: begins the look of a lookout that waited, and for which a place was taken by now.
    """

    def __init__(self, limit: int, per_target: int, start: Callable[[Lookout], None]) -> None:
        self.limit = limit
        self.in_flight = 0
        self.waiting = 0
        self.dropped = 0
        self._per_target = per_target
        self._start = start
        self._busy: dict[str, int] = {}
        self._urgent: deque[Lookout] = deque()
        self._routine: deque[Lookout] = deque()
        self._held_up: dict[str, deque[tuple[Lookout, bool]]] = {}  # by target

    @property
    def full(self) -> bool:
        """Whether nobody else may even wait."""
        return self.waiting >= self.limit

    def take(self, lookout: Lookout, *, urgent: bool) -> bool:
        """Whether a look may begin now. Otherwise it waits or, where too many do, is dropped."""
        target = lookout.target
        busy = self._busy.get(target, 0)
        if busy < self._per_target and self.in_flight < self.limit:
            self._busy[target] = busy + 1
            self.in_flight += 1
            return True
        if self.full:
            self.dropped += 1
            return False
        self.waiting += 1
        lookout.waiting = True
        self._wait(lookout, urgent=urgent)
        return False

    def give_back(self, lookout: Lookout) -> None:
        """A look is over; whoever waited for its place goes on."""
        target = lookout.target
        self.in_flight -= 1
        busy = self._busy[target] - 1
        if busy:
            self._busy[target] = busy
        else:
            del self._busy[target]
        if not self.waiting:
            return
        self._call_next(target)
        self._admit()

    def withdraw(self, lookout: Lookout) -> None:
        """It need not wait any longer. Its place in the queue is passed over."""
        if lookout.waiting:
            lookout.waiting = False
            self.waiting -= 1

    def _wait(self, lookout: Lookout, *, urgent: bool) -> None:
        if self._busy.get(lookout.target, 0) >= self._per_target:
            self._held_up.setdefault(lookout.target, deque()).append((lookout, urgent))
        else:
            (self._urgent if urgent else self._routine).append(lookout)

    def _call_next(self, target: str) -> None:
        """One more look may be made at the target: whoever waits for that waits for any place now."""
        held_up = self._held_up.get(target)
        while held_up:
            lookout, urgent = held_up.popleft()
            if lookout.waiting:
                (self._urgent if urgent else self._routine).append(lookout)
                break
        if held_up is not None and not held_up:
            del self._held_up[target]

    def _admit(self) -> None:
        while self.in_flight < self.limit:
            queue = self._urgent or self._routine
            if not queue:
                return
            urgent = queue is self._urgent
            lookout = queue.popleft()
            if not lookout.waiting:
                continue  # it was withdrawn
            busy = self._busy.get(lookout.target, 0)
            if busy >= self._per_target:
                self._wait(lookout, urgent=urgent)
                continue
            self.withdraw(lookout)
            self._busy[lookout.target] = busy + 1
            self.in_flight += 1
            self._start(lookout)
