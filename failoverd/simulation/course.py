"""What came of a scenario, as data: how everything stood over time, what happened and moved, and what it comes to.

Times are in seconds since the scenario began; a track has a point only where its value became another one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEAD: Final = 0.5
"""Of what it is sent: a region that serves less is dead."""

MOST_POINTS: Final = 5_000
"""Of one track; and moments of a course. What is beyond is left out, and counted."""

Track = tuple[tuple[float, float], ...]
"""Values over time: each from its moment on, until the next one."""

States = tuple[tuple[float, str], ...]
"""The same of what is no number."""


class MomentKind(StrEnum):
    """What a moment is about."""

    HAPPENED = "happened"  # the scenario says so
    SEEN = "seen"  # the daemon came to know, or to doubt
    MOVED = "moved"  # traffic did
    HELD = "held"  # it should, and does not
    TOLD = "told"  # something else that somebody at night would be told


@dataclass(frozen=True, slots=True)
class CourseMoment:
    """Something that happened.

    Attributes:
        at: when.
        kind: what it is about.
        policy: of which, "" where it is about all of them.
        event: by which name it is logged; "" for what the scenario says.
        what: in words.
        moved: of a change, which share became which; "" for all else.
        why: the cause, and the first reason.
    """

    at: float
    kind: MomentKind
    policy: str
    event: str
    what: str
    moved: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class RegionCourse:
    """A region, or a named place, in one policy.

    Attributes:
        region: which.
        shares: that are published, in basis points.
        clients: who use it, in basis points of all: `core.clients`.
        served: how much of what it is sent it really answers, in basis points. What the daemon cannot know.
        health: how the daemon sees it.
    """

    region: str
    shares: Track
    clients: Track
    served: Track
    health: States


@dataclass(frozen=True, slots=True)
class Totals:
    """What a scenario comes to for one policy.

    Attributes:
        changes: how often its answer became another one.
        false_moves: changes by which traffic failed out of a region that had served everything for a minute.
        dead_minutes: for how long the answer had a region in it that served less than half of what it was sent.
        dead_client_minutes: for how long clients were at such regions: all of them for one minute are one.
        failed_client_minutes: the same of all that was not served, wherever, and of clients who had no answer.
        failed_requests: the same in requests; None where nobody says how many there are.
        over_minutes: for how long one of its regions that serve got more than its capacity, by all policies together.
        away_minutes: for how long the answer was not the one with which it began.
        cost: in USD, by where clients were; None where a price, or the demand, is not known.
    """

    changes: int = 0
    false_moves: int = 0
    dead_minutes: float = 0.0
    dead_client_minutes: float = 0.0
    failed_client_minutes: float = 0.0
    failed_requests: float | None = None
    over_minutes: float = 0.0
    away_minutes: float = 0.0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class PolicyCourse:
    """One policy: its first record, at its first provider.

    Attributes:
        policy: which.
        record: its record.
        ttl: in seconds.
        regions: each, in the order of the file.
        nowhere: clients who have no answer, in basis points.
        demand: what it needs, in its unit; nothing where nobody says.
        cost: in USD per hour, by what is published; nothing where it is not known.
        totals: what it comes to.
    """

    policy: str
    record: str
    ttl: int
    regions: tuple[RegionCourse, ...]
    nowhere: Track
    demand: Track
    cost: Track
    totals: Totals


@dataclass(frozen=True, slots=True)
class LoadCourse:
    """A region over all policies, in the unit of its capacity: what clients send, and what it is taken to carry.

    `room` is score x capacity x headroom, and 0 while it is down. `capacity` is None where nobody said.
    """

    region: str
    capacity: float | None
    load: Track
    room: Track


@dataclass(frozen=True, slots=True)
class Course:
    """What came of a scenario.

    Attributes:
        name: of the scenario.
        shows: what is to be seen in it, "" where it does not say.
        file: where it is written.
        began: when, in seconds since the epoch.
        lasted: how long it went on.
        policies: each that was at work.
        loads: each region.
        moments: what happened, in order.
        left_out: moments beyond `MOST_POINTS`.
    """

    name: str
    shows: str
    file: str
    began: float
    lasted: float
    policies: tuple[PolicyCourse, ...]
    loads: tuple[LoadCourse, ...]
    moments: tuple[CourseMoment, ...]
    left_out: int = 0

    @property
    def totals(self) -> Totals:
        """Of all policies together: sums, but of minutes with a dead region, over capacity or away the longest."""
        every = [each.totals for each in self.policies]
        requests = [each.failed_requests for each in every if each.failed_requests is not None]
        costs = [each.cost for each in every if each.cost is not None]
        return Totals(
            changes=sum(each.changes for each in every),
            false_moves=sum(each.false_moves for each in every),
            dead_minutes=max((each.dead_minutes for each in every), default=0.0),
            dead_client_minutes=sum(each.dead_client_minutes for each in every),
            failed_client_minutes=sum(each.failed_client_minutes for each in every),
            failed_requests=sum(requests) if requests else None,
            over_minutes=max((each.over_minutes for each in every), default=0.0),
            away_minutes=max((each.away_minutes for each in every), default=0.0),
            cost=sum(costs) if costs else None,
        )
