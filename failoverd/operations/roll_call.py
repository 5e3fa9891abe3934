"""`failoverctl members`: who leads, who is there, and whose votes count."""

from dataclasses import dataclass
from typing import Final

from failoverd.core.status import MembersStatus, Overview
from failoverd.operations import membership
from failoverd.operations.concerns import SEVERITY, Concern, Condition, nobody_at_work, of_members
from failoverd.operations.overview import RUNNING, daemon_state

ALONE = "one daemon alone: its configuration names no other members"
_UNKNOWN: Final = "not known, for no daemon is at work"


@dataclass(frozen=True, slots=True)
class RollCall:
    """The members as one of them knows them.

    Attributes:
        level: the worst of what is not as it should be about them.
        stale: no daemon is at work here, so that all of this is what it knew last.
        roster: None where a daemon is alone.
    """

    at: float
    level: Condition
    headline: str
    stale: bool
    roster: MembersStatus | None
    concerns: tuple[Concern, ...]


def roll_call(found: Overview, now: float, *, by_daemon: bool = False) -> RollCall:
    """`by_daemon`: it says so itself, so that all of it is of now."""
    beat, told = found.heartbeat, found.members
    stale = not by_daemon and daemon_state(beat, now) != RUNNING
    if told is None and not stale:
        return RollCall(now, Condition.WELL, ALONE, stale, None, ())
    if told is None:  # it may be one of several, and have died before it could say so
        return RollCall(now, Condition.UNKNOWN, f"{_UNKNOWN}; it told of no members", stale, None, ())
    concerns = sorted(of_members(told, now), key=lambda each: -SEVERITY.index(each.level))
    level = max((each.level for each in concerns), key=SEVERITY.index, default=Condition.WELL)
    headline = membership.speaker(told)
    if stale:
        gone = nobody_at_work(beat.at if beat is not None else None)
        words = f"{_UNKNOWN}; it was so last: {headline}"
        return RollCall(now, Condition.UNKNOWN, words, stale, told, (gone,))
    return RollCall(now, level, headline, stale, told, tuple(concerns))
