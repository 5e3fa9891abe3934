"""What a scenario comes to, number by number, as a person is told: in a terminal and on a page alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from failoverd.simulation.course import Totals
from failoverd.telemetry.phrases import amount

UNKNOWN: Final = "-"
"""What nobody can reckon."""

SAME: Final = "="
"""No difference."""


@dataclass(frozen=True, slots=True)
class TotalFigure:
    """One of the totals.

    Attributes:
        head: above its column in a terminal.
        name: what it counts, with its unit.
        of: its value; None where it is not known.
        digits: that are shown of it behind the point.
        words: that are said of a value, where they are not its digits alone.
    """

    head: str
    name: str
    of: Callable[[Totals], float | None]
    digits: int
    words: Callable[[float], str] | None = None

    def told(self, totals: Totals) -> str:
        value = self.of(totals)
        return UNKNOWN if value is None else self.say(value)

    def say(self, value: float) -> str:
        return self.words(value) if self.words is not None else f"{value:,.{self.digits}f}"

    def apart(self, one: Totals, other: Totals) -> str:
        """By how much the second is more than the first, of what is shown of both."""
        mine, theirs = self.of(one), self.of(other)
        if mine is None or theirs is None:
            return UNKNOWN
        more = round(round(theirs, self.digits) - round(mine, self.digits), self.digits)
        if not more:
            return SAME
        return f"{'+' if more > 0 else _MINUS}{self.say(abs(more))}"


_MINUS: Final = "\N{MINUS SIGN}"


FIGURES: Final = (
    TotalFigure("changes", "changes", lambda each: each.changes, 0),
    TotalFigure("false", "false moves", lambda each: each.false_moves, 0),
    TotalFigure("dead", "minutes with a dead region", lambda each: each.dead_minutes, 1),
    TotalFigure("clients", "client-minutes at dead regions", lambda each: each.dead_client_minutes, 1),
    TotalFigure("failed", "client-minutes failed", lambda each: each.failed_client_minutes, 1),
    TotalFigure("over", "minutes over capacity", lambda each: each.over_minutes, 1),
    TotalFigure("away", "minutes away from normal", lambda each: each.away_minutes, 1),
    TotalFigure("requests", "requests failed", lambda each: each.failed_requests, 0, amount),
    TotalFigure("USD", "USD", lambda each: each.cost, 2),
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
