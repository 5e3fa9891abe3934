"""What was decided, decided again: of what the journal keeps, every decision has to come to what it came to then."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.core.control.inputs import Decided
from failoverd.core.control.replaying import Discrepancy, discrepancy
from failoverd.core.records import Target
from failoverd.operations.waiting import Stage, Waiting
from failoverd.store.decisions import DecisionReading

MOST_TOLD: Final = 100
"""Decisions that are told with all that they looked at: a defect that shows everywhere shows in the first ones."""

_A_LINE: Final = 50
"""Decisions from one word of how far it is to the next."""


@dataclass(frozen=True, slots=True)
class LostDecisions:
    """Decisions of a target that the journal has and that cannot be read: how many, made from when until when."""

    target: Target
    count: int
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of deciding again.

    Attributes:
        since: from when on, in seconds since the epoch.
        until: until when.
        targets: of which anything is kept.
        decisions: how many were made again.
        differing: how many came to something else.
        discrepancies: the first of these.
        lost: what could not be read.
    """

    since: float
    until: float
    targets: tuple[Target, ...] = ()
    decisions: int = 0
    differing: int = 0
    discrepancies: tuple[Discrepancy, ...] = ()
    lost: tuple[LostDecisions, ...] = ()


class Advance:
    """How many decisions were gone through, `of` as many as there should be, told every so often."""

    def __init__(self, of: int, tell: Callable[[Waiting], None]) -> None:
        self.done = 0
        self._of = of
        self._tell = tell

    def through(self, decisions: Iterable[Decided]) -> Iterator[Decided]:
        """The same decisions, counted."""
        for each in decisions:
            self.done += 1
            if self.done % _A_LINE == 0:
                self._tell(Waiting(Stage.REPLAYING, self.done, max(self._of, self.done)))
            yield each


def replayed(
    reading: DecisionReading,
    since: float,
    until: float,
    policies: Collection[str],
    tell: Callable[[Waiting], None],
) -> Replay:
    """Decide again what was decided from one moment to another; of all policies, if none is named.

    Raises:
        JournalError: the journal cannot be read.
    """
    chosen = [(number, target) for number, target in reading.decided() if not policies or target.policy in policies]
    advance = Advance(reading.count([number for number, _ in chosen], since, until), tell)
    targets, lost, found = list[Target](), list[LostDecisions](), list[Discrepancy]()
    differing = 0
    for number, target in chosen:
        unread, before = list[float](), advance.done
        for decided in advance.through(reading.decisions(number, since, until, unread)):
            if (apart := discrepancy(decided)) is not None:
                differing += 1
                found += [apart] if len(found) < MOST_TOLD else []
        targets += [target] if advance.done > before or unread else []
        lost += lost_of(target, unread)
    return Replay(since, until, tuple(targets), advance.done, differing, tuple(found), tuple(lost))


def lost_of(target: Target, unread: Sequence[float]) -> list[LostDecisions]:
    """What is told of decisions of these moments, if there are any."""
    return [LostDecisions(target, len(unread), min(unread), max(unread))] if unread else []
