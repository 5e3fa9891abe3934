"""When a leader lets another member do what it cannot do itself.

Who reaches the coordinator and not the provider keeps the lease, and so keeps everybody from taking off what is down.
Its way there is cut, or loses too much, or its credentials are no good any more; others have their own. So it gives way
after half a lease, and abstains while each of the others can try for as long.

Where nobody reaches the provider it is not the way that is at fault, and changing leaders helps nobody: each time a
member gives way for the same, it has waited twice as long.
"""

from typing import Final

from failoverd.core.records import Target

LONGEST: Final = 300.0
"""Seconds that a leader tries at most before it gives way again."""


class Yielding:
    """What one member cannot do while it leads.

    Args:
        lease: of the coordinator, in seconds.
        others: how many other members may lead.
    """

    def __init__(self, lease: float, others: int) -> None:
        self._first = self._patience = lease / 2
        self._others = others
        self._since: dict[Target, float] = {}
        self._yielded_for: frozenset[Target] = frozenset()
        self._until = 0.0

    def begin(self) -> None:
        """It leads from now on, and may reach what it did not reach before."""
        self._since.clear()

    def hindered(self, target: Target, now: float) -> None:
        """What is down cannot be taken off that target."""
        self._since.setdefault(target, now)

    def reached(self, target: Target) -> None:
        """That target is as it should be."""
        self._since.pop(target, None)
        if target in self._yielded_for:
            self._yielded_for, self._patience = frozenset(), self._first

    def due(self, now: float) -> Target | None:
        """For which target it is time to give way, if there is one and somebody to give way to."""
        if not self._since or not self._others:
            return None
        target = min(self._since, key=self._since.__getitem__)
        return target if now - self._since[target] >= self._patience else None

    def give_way(self, now: float) -> float:
        """Let the others try, each for as long as this one did; gives how many seconds that was."""
        tried = self._patience
        self._yielded_for, self._until = frozenset(self._since), now + tried * self._others
        self._patience = min(2 * tried, max(LONGEST, self._first))
        self._since.clear()
        return tried

    def abstains(self, now: float) -> bool:
        """Whether it does not stand while somebody else leads."""
        return now < self._until
