"""How drills went: data. What a drill is, and when it may be, is said by `core/control/practice.py`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class PracticeOutcome(StrEnum):
    SUCCEEDED = "succeeded"  # the others served until its end
    FAILED = "failed"  # the others did not bear it
    INTERRUPTED = "interrupted"  # something else came up, or a person ended it
    CAPACITY_CHECK_FAILED = "capacity_check_failed"  # it never began: the others have too little room
    BLOCKED = "blocked"  # it never began: something else was going on


NEVER_BEGAN: Final = frozenset({PracticeOutcome.CAPACITY_CHECK_FAILED, PracticeOutcome.BLOCKED})
"""Outcomes of drills that were left out: nobody has practised anything by them."""


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
"""Drills of one policy that are remembered, besides the last of each region."""


def latest(practices: Iterable[PastPractice]) -> tuple[PastPractice, ...]:
    """By region the last drill that was held, and the last one if that never began since then."""
    held: dict[str, PastPractice] = {}
    missed: dict[str, PastPractice] = {}
    for each in sorted(practices, key=lambda each: each.began):
        if each.outcome in NEVER_BEGAN:
            missed[each.region] = each
        else:
            held[each.region] = each
            missed.pop(each.region, None)
    return tuple(found[name] for name in sorted({*held, *missed}) for found in (held, missed) if name in found)


def remembered(practices: Sequence[PastPractice]) -> tuple[PastPractice, ...]:
    """What is kept of them: when a region was last practised is known however many drills never began since."""
    recent = practices[-MOST_KEPT:]
    return (*(each for each in latest(practices) if each not in recent), *recent)
