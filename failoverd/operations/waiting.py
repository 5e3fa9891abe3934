"""How far an operation is with what takes time, for who waits for it."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What an operation takes its time for."""

    READING = "reading"
    PROBING = "probing"
    PROVING = "proving"
    ASKING = "asking"  # a daemon, which does all that by itself
    PLAYING = "playing"
    WEIGHING = "weighing"
    SIMULATING = "simulating"
    REPLAYING = "replaying"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How far an operation is with what takes time.

    Attributes:
        stage: with what.
        done: what is over already, `of` so many: records, endpoints, tests, situations, minutes, or decisions.
        at_most: seconds that this can take, from its beginning; None where nobody can say.
        failed: what went wrong already: told at once, for the rest may take long.
    """

    stage: Stage
    done: int
    of: int
    at_most: float | None = None
    failed: tuple[str, ...] = ()
