"""What a policy has measured by somebody else: figures that count in its sums, and signals that are a cause.

Who measures is a source of the daemon's configuration, by its name. A query may say `$region`, which is the name of a
region, and then gives one value; `$window` is a time, as the query language of Prometheus writes it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

REGION: Final = "$region"
WINDOW: Final = "$window"


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that is measured: how much a service needs, or a region can carry.

    Attributes:
        query: what to ask.
        source: whom.
        declared: what counts when nobody has measured anything for a while.
        least: what counts when less is measured; None where nobody said so, and then nothing is not believed.
    """

    query: str
    source: str
    declared: float
    least: float | None = None


class May(StrEnum):
    """How ill a signal may call a region."""

    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """How fast a region may spend what its service level leaves for errors.

    Attributes:
        errors: asks for the part of the requests within `$window` that failed, 0 to 1.
        requests: asks for their number.
        source: whom.
        slo: the part that has to succeed, such as 0.999.
        burn: how many times faster than the service level allows.
        over: the long window, in seconds: so it was for a while.
        short: the short one: so it is still.
        may: how ill that makes the region.
    """

    errors: str
    requests: str
    source: str
    slo: float = 0.999
    burn: float = 100.0
    over: float = 300.0
    short: float = 25.0
    may: May = May.DEGRADED


@dataclass(frozen=True, slots=True)
class Load:
    """What says that a region is full: the length of its queue, or the part of its requests that it puts off (429).

    Attributes:
        query: what to ask.
        source: whom.
        low: a region with less has all of its room.
        high: one with more has none.
    """

    query: str
    source: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of a policy."""

    errors: ErrorBudget | None = None
    room: Load | None = None
