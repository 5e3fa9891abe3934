"""How drills went: data. What a drill is, and when it may be, is said by `core/control/practice.py`."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class PracticeOutcome(StrEnum):
    SUCCEEDED = "succeeded"  # the others served until its end
    FAILED = "failed"  # the others did not bear it
    INTERRUPTED = "interrupted"  # something else came up, or a person ended it
    CAPACITY_CHECK_FAILED = "capacity_check_failed"  # it never began: the others have too little room
    BLOCKED = "blocked"  # it never began: something else was going on


@dataclass(frozen=True, slots=True)
class PastPractice:
    """One drill of one region that is over, or that never began.

    Attributes:
        region: that was to get no traffic.
        outcome: how it went.
        began: when it began, or should have.
        ended: when it was over.
        override: the word that it was.
        actor: who gave it: a person, or `file:line`.
        why: what it ended by, in words; "" where that was its time.
    """

    region: str
    outcome: PracticeOutcome
    began: float
    ended: float
    override: str
    actor: str
    why: str = ""


MOST_KEPT = 50
"""Drills of one policy that are remembered."""


def latest(practices: Iterable[PastPractice]) -> tuple[PastPractice, ...]:
    """The last drill of each region, by its name."""
    found = {each.region: each for each in sorted(practices, key=lambda each: each.began)}
    return tuple(found[name] for name in sorted(found))
