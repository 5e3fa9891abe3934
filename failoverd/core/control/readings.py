"""What somebody else measured: what of it is believed, how long that counts, and a policy with its figures of now.

A figure is a number that others report: how much a service needs, how much a region can carry. It never moves traffic
by being gone or absurd.

- It counts for three intervals. After that, the last value counts for ten minutes more; then the declared one.
- It grows to twice as much from one reading to the next, at most, and falls to half: a jump takes several readings.
- Nothing (0) is not believed, unless the least that there is was declared: then that counts.

A load says how full a region is, by whatever grows as it fills: factor = clamp((high - load) / (high - low), 0, 1) of
its room is left. What follows from that is said in `relieving`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from failoverd.core.measures import REGION, WINDOW, Load, Measure
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, Policy

STALE_AFTER: Final = 3
"""Intervals after which a reading is old."""

LAST_VALUE: Final = 600.0
"""Seconds for which the last value of a figure counts besides, once it is old."""

GROWTH: Final = 2.0
"""How many times as much a figure may be at most, from one reading to the next; or as little."""


class FigureRole(StrEnum):
    """What is measured."""

    DEMAND = "demand"
    CAPACITY = "capacity"
    ERRORS = "errors"  # within the long window
    ERRORS_NOW = "errors_now"  # within the short one
    REQUESTS = "requests"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class FigureQuestion:
    """One question of a policy.

    Attributes:
        role: what it is for.
        source: whom to ask.
        query: what.
        region: of which region the one value is. Without one, there is a value for each region, by the label `region`;
            but a demand is one value of no region.
        measure: of a figure: what is believed of it.
        low: of a load: a region with more is full, in a part at least.
    """

    role: FigureRole
    source: str
    query: str
    region: str = ""
    measure: Measure | None = None
    low: float | None = None

    @property
    def key(self) -> str:
        """Under which its reading is kept."""
        return f"{self.role}/{self.region}" if self.region else str(self.role)

    @property
    def single(self) -> bool:
        return bool(self.region) or self.role is FigureRole.DEMAND


@dataclass(frozen=True, slots=True)
class FigureReading:
    """What was answered last to a question, and is believed.

    Attributes:
        query: the question, as it was asked: an answer to another one says nothing.
        values: by region; of one value alone, under "".
        at: when it was answered.
        every: seconds between two questions.
        found: of a figure: what was answered, where something else is believed.
        full_since: of a load: since when a region is full, by region as in `values`.
    """

    query: str
    values: Mapping[str, float]
    at: float
    every: float
    found: float | None = None
    full_since: Mapping[str, float] = field(default_factory=dict)

    @property
    def old_at(self) -> float:
        return self.at + STALE_AFTER * self.every

    def fresh(self, now: float) -> bool:
        return now < self.old_at


Readings = Mapping[str, FigureReading]
"""By the key of the question."""


def asks(policy: Policy) -> tuple[FigureQuestion, ...]:
    """Everything that a policy has measured."""
    found: list[FigureQuestion] = []
    if policy.measure is not None:
        found.append(
            FigureQuestion(FigureRole.DEMAND, policy.measure.source, policy.measure.query, measure=policy.measure)
        )
    for spec in policy.regions:
        if (measure := spec.measure) is not None:
            query = measure.query.replace(REGION, spec.name)
            found.append(FigureQuestion(FigureRole.CAPACITY, measure.source, query, spec.name, measure))
    signals = policy.signals
    if (budget := signals.errors) is not None:
        long, short = window(budget.over), window(budget.short)
        found += _each(policy, FigureRole.ERRORS, budget.source, budget.errors.replace(WINDOW, long))
        found += _each(policy, FigureRole.ERRORS_NOW, budget.source, budget.errors.replace(WINDOW, short))
        found += _each(policy, FigureRole.REQUESTS, budget.source, budget.requests.replace(WINDOW, long))
    if signals.room is not None:
        loads = _each(policy, FigureRole.LOAD, signals.room.source, signals.room.query)
        found += [replace(ask, low=signals.room.low) for ask in loads]
    return tuple(found)


def _each(policy: Policy, role: FigureRole, source: str, query: str) -> list[FigureQuestion]:
    """One question for all regions, or one for each."""
    if REGION not in query:
        return [FigureQuestion(role, source, query)]
    return [FigureQuestion(role, source, query.replace(REGION, spec.name), spec.name) for spec in policy.regions]


def window(seconds: float) -> str:
    """A time as Prometheus writes it."""
    return f"{seconds:.0f}s" if seconds == round(seconds) else f"{seconds * 1000:.0f}ms"


# -- figures -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figure:
    """What counts of a figure, and until when time alone does not change that."""

    value: float
    code: ReasonCode
    at: float = 0.0
    until: float | None = None
    found: float | None = None


def counting(ask: FigureQuestion, measure: Measure, readings: Readings, now: float) -> Figure:
    """What counts now."""
    reading = readings.get(ask.key)
    if reading is None or reading.query != ask.query or "" not in reading.values:
        return Figure(measure.declared, ReasonCode.DECLARED)
    value, gone_at = reading.values[""], reading.old_at + LAST_VALUE
    if reading.fresh(now):
        return Figure(value, ReasonCode.MEASURED, reading.at, reading.old_at, reading.found)
    if now < gone_at:
        return Figure(value, ReasonCode.LAST_VALUE, reading.at, gone_at)
    return Figure(measure.declared, ReasonCode.DECLARED)


def believed(measure: Measure, before: float, found: float) -> float | None:
    """What is believed of a value, where `before` counted until now; None for one that is not believed at all."""
    if found < 0 or (found == 0 and measure.least is None):
        return None
    return min(max(found, measure.least or 0.0, before / GROWTH), before * GROWTH)


def taken(
    ask: FigureQuestion, readings: Readings, values: Mapping[str, float], every: float, now: float
) -> FigureReading | None:
    """The reading that an answer makes; None where it is not believed. Figures are clipped by what counts until now."""
    measure = ask.measure
    if measure is None:
        return FigureReading(ask.query, dict(values), now, every, full_since=_full(ask, readings, values, now))
    found = values[""]
    value = believed(measure, counting(ask, measure, readings, now).value, found)
    if value is None:
        return None
    return FigureReading(ask.query, {"": value}, now, every, found if value != found else None)


def _full(ask: FigureQuestion, readings: Readings, values: Mapping[str, float], now: float) -> Mapping[str, float]:
    """Since when regions are full that are, as far as readings followed each other."""
    before = readings.get(ask.key)
    since = before.full_since if before is not None and before.query == ask.query and before.fresh(now) else {}
    return {name: since.get(name, now) for name, value in values.items() if ask.low is not None and value > ask.low}


def known(ask_role: FigureRole, query: str, readings: Readings, region: str, now: float) -> float | None:
    """What is known of a region now, by a question for all of them or for each; None where that is nothing."""
    reading = _of_region(ask_role, query, readings, region)
    if reading is None or not reading.fresh(now):
        return None
    return reading.values.get("" if REGION in query else region)


def fresh(ask_role: FigureRole, query: str, readings: Readings, region: str, now: float) -> bool:
    """Whether an answer counts that would say it of a region, if there were something to say."""
    reading = _of_region(ask_role, query, readings, region)
    return reading is not None and reading.fresh(now)


def read(ask_role: FigureRole, query: str, readings: Readings, region: str) -> bool:
    """Whether the question was answered for the region ever, by the same query."""
    reading = _of_region(ask_role, query, readings, region)
    return reading is not None and ("" if REGION in query else region) in reading.values


def _of_region(ask_role: FigureRole, query: str, readings: Readings, region: str) -> FigureReading | None:
    reading = readings.get(f"{ask_role}/{region}" if REGION in query else ask_role)
    return reading if reading is not None and reading.query == query.replace(REGION, region) else None


# -- a policy as it counts now -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measured:
    """A policy with its figures as they count now.

    Attributes:
        policy: the same, with these figures.
        reasons: where each of them comes from.
        until: when time alone changes one.
    """

    policy: Policy
    reasons: tuple[Reason, ...] = ()
    until: float | None = None


@dataclass(slots=True)
class _Notes:
    reasons: list[Reason] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    def value(self, ask: FigureQuestion, readings: Readings, rule: str, now: float) -> float | None:
        """What counts of a figure, noted."""
        if ask.measure is None:
            return None
        figure = counting(ask, ask.measure, readings, now)
        numbers = {"value": figure.value}
        if figure.code is not ReasonCode.DECLARED:
            numbers["at"] = figure.at
        if figure.code is ReasonCode.LAST_VALUE and figure.until is not None:
            numbers["until"] = figure.until
        if figure.found is not None:
            numbers["found"] = figure.found
        self.reasons.append(Reason(figure.code, rule, ask.region, numbers=numbers))
        self.moments += [figure.until] if figure.until is not None else []
        return figure.value


def measured(policy: Policy, readings: Readings, now: float) -> Measured:
    """The policy with its demand and its regions' capacity, as they count now."""
    figures = [ask for ask in asks(policy) if ask.measure is not None]
    if not figures:
        return Measured(policy)
    notes = _Notes()
    demand, capacities = policy.demand, dict[str, float | None]()
    for ask in figures:
        if ask.role is FigureRole.DEMAND:
            demand = notes.value(ask, readings, "demand", now)
        else:
            capacities[ask.region] = notes.value(ask, readings, f"regions.{ask.region}", now)
    regions = tuple(replace(spec, capacity=capacities.get(spec.name, spec.capacity)) for spec in policy.regions)
    until = min(notes.moments, default=None)
    return Measured(replace(policy, demand=demand, regions=regions), tuple(notes.reasons), until)


def full_since(load: Load, readings: Readings, region: str) -> float | None:
    """Since when a region says that it is full; None where it does not."""
    reading = _of_region(FigureRole.LOAD, load.query, readings, region)
    return reading.full_since.get("" if REGION in load.query else region) if reading is not None else None


def factor(load: Load, value: float) -> int:
    """What is left of a region's room, in basis points."""
    return round(WHOLE * min(max((load.high - value) / (load.high - load.low), 0.0), 1.0))
