"""Somebody who measures, on paper: what a test says is measured, as the answers to what policies ask for.

An error ratio over a window is the mean of what is said within it, as a query of Prometheus has it: so it takes as long
until it shows. Before the test it was for ever as it is at its beginning.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from failoverd.config.schema.test_file import MeasuredEntry, Readings
from failoverd.core.control.readings import FigureQuestion, FigureReading, FigureRole, asks
from failoverd.core.control.signals import Signalled
from failoverd.core.records import Policy
from failoverd.ports import Clock, SeriesValue

EVERY: Final = 15.0
"""Seconds between two questions to a source that no configuration speaks of, as one has it that says nothing of it."""

_REQUESTS: Final = 100.0
"""A second, in a region of which nobody says how many it has."""


class Readout:
    """What is measured over time. `interval` is in seconds, and so is all time, since the beginning of the test."""

    def __init__(self, said: Readings, interval: float) -> None:
        self._values = [value for value, _ in said]
        lasts = [moments * interval for _, moments in said]
        self._starts = [0.0, *accumulate(lasts[:-1])]

    def at(self, when: float) -> float | None:
        """What is measured in a moment; None: nothing."""
        return self._values[self._piece(when)]

    def mean(self, when: float, over: float) -> float | None:
        """Over the time until then, of what is known; None where nothing is measured in that moment."""
        if self.at(when) is None:
            return None
        known = total = 0.0
        for piece in range(self._piece(when - over), self._piece(when) + 1):
            value = self._values[piece]
            began = self._starts[piece] if piece else when - over
            ends = self._starts[piece + 1] if piece + 1 < len(self._starts) else when
            lasted = min(ends, when) - max(began, when - over)
            if value is not None and lasted > 0:
                known += lasted
                total += value * lasted
        return total / known if known else self.at(when)

    def _piece(self, when: float) -> int:
        return max(0, bisect_right(self._starts, when) - 1)


_Answer = Callable[[float], Mapping[str, float]]
"""What a question gives at a moment, by region; one value alone under ""."""


class PaperSource:
    """`ports.MetricsSource` on paper.

    Args:
        answers: by query; nothing is known of others.
        every: seconds between two questions.
        elapsed: seconds since the test began.
    """

    def __init__(self, answers: Mapping[str, _Answer], every: float, elapsed: Clock) -> None:
        self.every = every
        self._answers = answers
        self._elapsed = elapsed

    async def ask(self, query: str) -> Sequence[SeriesValue]:
        found = self._answers[query](self._elapsed()) if query in self._answers else {}
        return [SeriesValue({"region": name} if name else {}, value) for name, value in found.items()]


@dataclass(frozen=True, slots=True)
class Gauged:
    """What is measured in a test of one policy: `said`, each value for so many moments of `interval` seconds."""

    policy: str = ""
    said: MeasuredEntry = field(default_factory=MeasuredEntry)
    interval: float = 1.0

    def sources(
        self, policies: Mapping[str, Policy], every: Mapping[str, float], elapsed: Clock
    ) -> Mapping[str, PaperSource]:
        """Everybody whom these policies ask. `every` has the seconds between two questions, by source."""
        found: dict[str, dict[str, _Answer]] = {}
        for policy in policies.values():
            for ask in asks(policy):
                answers = found.setdefault(ask.source, {})
                if (answer := self._answer(policy, ask)) is not None:
                    answers[ask.query] = answer
        return {name: PaperSource(each, every.get(name, EVERY), elapsed) for name, each in found.items()}

    def at_first(self, policy: Policy, every: Mapping[str, float], now: float) -> Signalled:
        """The figures of a day on which they were measured for long, as they are at the beginning of the test."""
        readings = {}
        for ask in asks(policy):
            answer = self._answer(policy, ask) if ask.measure is not None else None
            if answer is not None and "" in (values := answer(0.0)):
                believed = {"": max(values[""], (ask.measure.least if ask.measure else None) or 0.0)}
                if believed[""] > 0:
                    readings[ask.key] = FigureReading(ask.query, believed, now, every.get(ask.source, EVERY))
        return Signalled(readings)

    def _answer(self, policy: Policy, ask: FigureQuestion) -> _Answer | None:
        """What answers a question; None where the test says nothing of it."""
        said, budget, mine = self.said, policy.signals.errors, policy.name == self.policy
        match ask.role:
            case FigureRole.DEMAND:
                return self._one(said.demands(self.policy).get(policy.name))
            case FigureRole.CAPACITY:
                return self._one(said.capacity.get(ask.region))
            case FigureRole.LOAD:
                return self._by_region(policy, ask, said.load, 0.0) if said.load and mine else None
        if budget is None or not mine or not (said.errors or said.requests):
            return None
        over = budget.short if ask.role is FigureRole.ERRORS_NOW else budget.over
        if ask.role is FigureRole.REQUESTS:
            return self._by_region(policy, ask, said.requests, _REQUESTS, over, times=over)
        return self._by_region(policy, ask, said.errors, 0.0, over)

    def _one(self, said: Readings | None) -> _Answer | None:
        if said is None:
            return None
        readout = Readout(said, self.interval)
        return lambda when: {} if (value := readout.at(when)) is None else {"": value}

    def _by_region(
        self,
        policy: Policy,
        ask: FigureQuestion,
        said: Mapping[str, Readings],
        other: float,
        over: float = 0.0,
        times: float = 1.0,
    ) -> _Answer:
        """A value for each region, or the one of the region that is asked about; `other` where nothing is said."""
        names = [ask.region] if ask.region else [spec.name for spec in policy.regions]
        readouts = {name: Readout(said.get(name, ((other, 1),)), self.interval) for name in names}

        def answer(when: float) -> Mapping[str, float]:
            found = {name: readout.mean(when, over) for name, readout in readouts.items()}
            return {"" if ask.region else name: each * times for name, each in found.items() if each is not None}

        return answer
