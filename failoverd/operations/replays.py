"""What was decided, decided again: of what the journal keeps, every decision has to come to what it came to then."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

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
    of = reading.count([number for number, _ in chosen], since, until)
    targets, lost, found = list[Target](), list[LostDecisions](), list[Discrepancy]()
    decisions = differing = 0
    for number, target in chosen:
        unread, before = list[float](), decisions
        for decided in reading.decisions(number, since, until, unread):
            decisions += 1
            if (apart := discrepancy(decided)) is not None:
                differing += 1
                found += [apart] if len(found) < MOST_TOLD else []
            if decisions % _A_LINE == 0:
                tell(Waiting(Stage.REPLAYING, decisions, max(of, decisions)))
        targets += [target] if decisions > before or unread else []
        lost += lost_of(target, unread)
    return Replay(since, until, tuple(targets), decisions, differing, tuple(found), tuple(lost))


def lost_of(target: Target, unread: Sequence[float]) -> list[LostDecisions]:
    """What is told of decisions of these moments, if there are any."""
    return [LostDecisions(target, len(unread), min(unread), max(unread))] if unread else []
