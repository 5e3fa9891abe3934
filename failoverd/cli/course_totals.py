"""What a scenario comes to, number by number, as a person is told: in a terminal and on a page alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from failoverd.simulation.course import Totals
from failoverd.telemetry.phrases import amount

UNKNOWN: Final = "-"
"""What nobody can reckon."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the totals.

    Attributes:
        head: above its column in a terminal.
        name: what it counts, with its unit.
        of: its value; None where it is not known.
        say: the value in words.
    """

    head: str
    name: str
    of: Callable[[Totals], float | None]
    say: Callable[[float], str]

    def told(self, totals: Totals) -> str:
        value = self.of(totals)
        return UNKNOWN if value is None else self.say(value)


def _count(value: float) -> str:
    return f"{value:.0f}"


def _minutes(value: float) -> str:
    return f"{value:.1f}"


def _dollars(value: float) -> str:
    return f"{value:,.2f}"


FIGURES: Final = (
    Figure("changes", "changes", lambda each: each.changes, _count),
    Figure("false", "false moves", lambda each: each.false_moves, _count),
    Figure("dead", "minutes with a dead region", lambda each: each.dead_minutes, _minutes),
    Figure("clients", "client-minutes at dead regions", lambda each: each.dead_client_minutes, _minutes),
    Figure("failed", "client-minutes failed", lambda each: each.failed_client_minutes, _minutes),
    Figure("over", "minutes over capacity", lambda each: each.over_minutes, _minutes),
    Figure("away", "minutes away from normal", lambda each: each.away_minutes, _minutes),
    Figure("requests", "requests failed", lambda each: each.failed_requests, amount),
    Figure("USD", "USD", lambda each: each.cost, _dollars),
)

LEGEND: Final = (
    ("changes", "of the answer; false: traffic left a region that served"),
    ("dead", "minutes with a dead region in the answer"),
    ("clients", "minutes at dead regions, all clients together: 1.0 is all of them for one minute"),
    ("failed", "the same of whatever was not served, and requests: how many that were"),
    ("over", "minutes in which a region that serves got more than its capacity"),
    ("away", "minutes in which the answer was not the one of the beginning"),
)
"""What they mean, by what stands above their columns."""
