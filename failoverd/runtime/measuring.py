"""What is measured elsewhere, asked for regularly: readings of each policy, what they say, and what is told of them.

A source is asked for everything at once, the same question of several policies once. It decides nothing: what is
believed, and what follows from it, is `core.control.readings` and `signals`; `evaluate` heeds that.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from failoverd.core.control.figures import SignalFigures
from failoverd.core.control.readings import FigureQuestion, FigureReading, FigureRole, asks, taken
from failoverd.core.control.signals import BurnFinding, Signalled, judged, news
from failoverd.core.errors import FailoverdError, classified
from failoverd.core.events import SignalFound, SignalLost
from failoverd.core.health.region import RegionState
from failoverd.core.records import Policy
from failoverd.ports import Clock, Emit, MetricsSource, SeriesValue, Timetable, Urgency
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.states import States, Verdicts

LOST_AFTER: Final = 3
"""Intervals without a reading after which that is told."""

_NAMED: Final = 8
"""Signals that an event names."""

_NEWS: Final = 0.05
"""Part by which a figure has to differ for its policy to be worked on at once; the next tick sees the rest."""


Wake = Callable[[str, Urgency], None]
"""Have a policy worked on."""


@dataclass(frozen=True, slots=True)
class _Question:
    policy: Policy
    ask: FigureQuestion

    @property
    def name(self) -> str:
        """As people read it."""
        return f"{self.ask.key.replace('/', ' of ')} ({self.policy.name})"


class Measuring:
    """Asks the sources, each in its time.

    Args:
        sources: by the name that policies call them.
        states: takes what is known of each policy.
        verdicts: what probes find.
        policies: those at work, by name.
        incidents: what is wrong with each policy.
        wake: has a policy worked on.
    """

    def __init__(
        self,
        sources: Mapping[str, MetricsSource],
        states: States,
        verdicts: Verdicts,
        policies: Callable[[], Mapping[str, Policy]],
        incidents: Incidents,
        wake: Wake,
        emit: Emit,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._states = states
        self._verdicts = verdicts
        self._policies = policies
        self._incidents = incidents
        self._wake = wake
        self._emit = emit
        self._clock = clock
        self._since: dict[tuple[str, str, str], float] = {}  # since when a question is asked without a reading
        self._lost: set[tuple[str, str, str]] = set()
        self._acted: dict[tuple[str, str], float] = {}
        self._failures: Counter[tuple[str, str]] = Counter()

    def start(self, timetable: Timetable) -> None:
        for name, source in self._sources.items():
            timetable.every(f"signals of {name}", source.every, partial(self.look, name), phase=0.0)

    async def look(self, name: str) -> None:
        """FigureQuestion one source everything that it is to be asked."""
        source, wanted = self._sources[name], list(self._questions(name))
        queries = sorted({each.ask.query for each in wanted})
        answers = dict(zip(queries, await asyncio.gather(*(_asked(source, query) for query in queries)), strict=True))
        for error in answers.values():
            if isinstance(error, FailoverdError):
                self._failures[name, error.reason] += 1
        by_policy: defaultdict[str, list[_Question]] = defaultdict(list)
        for each in wanted:
            by_policy[each.policy.name].append(each)
        wrong: dict[tuple[str, str, str], tuple[_Question, FailoverdError]] = {}
        for questions in by_policy.values():
            for question, error in self._take(source, questions, answers):
                wrong[_key(name, question)] = question, error
                if not isinstance(answers[question.ask.query], FailoverdError):  # answered, and not believed
                    self._failures[name, error.reason] += 1
            await asyncio.sleep(0)
        self._tell(name, source, wanted, wrong)

    def _questions(self, source: str) -> Iterator[_Question]:
        for policy in self._policies().values():
            for ask in asks(policy):
                if ask.source == source:
                    yield _Question(policy, ask)

    def _take(
        self,
        source: MetricsSource,
        questions: Sequence[_Question],
        answers: Mapping[str, Sequence[SeriesValue] | FailoverdError],
    ) -> Iterator[tuple[_Question, FailoverdError]]:
        """Take in what was answered to one policy; gives what was not, and why."""
        policy, now = questions[0].policy, self._clock()
        if self._policies().get(policy.name) is not policy:
            return  # it was edited while the source was asked
        before = self._states.signalled(policy.name)
        own = {ask.key for ask in asks(policy)}
        readings = {key: reading for key, reading in before.readings.items() if key in own}
        for question in questions:
            ask = question.ask
            try:
                readings[ask.key] = _reading(ask, readings, answers[ask.query], source.every, now)
            except FailoverdError as error:
                yield question, error
        after = judged(policy, before, readings, self._down(policy), now)
        self._states.measured(policy.name, after)
        incident = self._incidents.look(policy, self._verdicts)
        for event in news(policy, before, after, now):
            self._emit(replace(event, incident_id=incident))
        urgency = self._urgency(policy, before, after)
        if urgency is not None:
            self._wake(policy.name, urgency)

    def _down(self, policy: Policy) -> frozenset[str]:
        types = {record.key.type for record in policy.records}
        return frozenset(
            name
            for each in types
            for name, health in self._verdicts.regions(policy.name, each).items()
            if health.state is RegionState.DOWN
        )

    def _urgency(self, policy: Policy, before: Signalled, after: Signalled) -> Urgency | None:
        """How urgent it is to work on the policy, if what changed is worth it."""
        turned = [name for name, burn in after.burns.items() if _found(before, name) is not burn.found]
        moved = False
        for key, reading in after.readings.items():
            if not key.startswith((FigureRole.DEMAND, FigureRole.CAPACITY)):
                continue
            value, acted = reading.values[""], self._acted.get((policy.name, key))
            if acted is None or abs(value - acted) > _NEWS * max(value, acted):
                self._acted[policy.name, key] = value
                moved = True
        if any(after.burns[name].found is BurnFinding.DOWN for name in turned):
            return Urgency.FAIL_OUT
        return Urgency.CHANGE if turned or moved else None

    def _tell(
        self,
        name: str,
        source: MetricsSource,
        wanted: Sequence[_Question],
        wrong: Mapping[tuple[str, str, str], tuple[_Question, FailoverdError]],
    ) -> None:
        """What is not read any more for long, and what is again: once for each reason."""
        now = self._clock()
        found, lost = list[str](), defaultdict[str, list[tuple[_Question, FailoverdError]]](list)
        for question in wanted:
            key = _key(name, question)
            if key not in wrong:
                self._since.pop(key, None)
                if key in self._lost:
                    self._lost.discard(key)
                    found.append(question.name)
            elif key not in self._lost and now - self._since.setdefault(key, now) >= (LOST_AFTER - 1) * source.every:
                self._lost.add(key)
                lost[wrong[key][1].reason].append(wrong[key])
        for reason, some in lost.items():
            names, error = [question.name for question, _ in some], some[0][1]
            self._emit(
                SignalLost(
                    at=now,
                    source=name,
                    signals=tuple(names[:_NAMED]),
                    count=len(names),
                    reason=reason,
                    detail=error.detail,
                    remedy=error.remedy,
                )
            )
        asked = {_key(name, question) for question in wanted}
        before = self._lost
        self._lost = {key for key in self._lost if key[0] != name or key in asked}
        if found or before != self._lost:
            again, left = tuple(found[:_NAMED]), sum(key[0] == name for key in self._lost)
            self._emit(SignalFound(at=now, source=name, signals=again, count=len(found), still_lost=left))
        self._since = {key: since for key, since in self._since.items() if key[0] != name or key in asked}

    def figures(self) -> SignalFigures:
        """For the metrics."""
        now, ages, burns = self._clock(), dict[tuple[str, str], float](), dict[tuple[str, str], float]()
        for name, policy in self._policies().items():
            signalled = self._states.signalled(name)
            for ask in asks(policy):
                if (reading := signalled.readings.get(ask.key)) is not None:
                    ages[name, ask.key] = max(0.0, now - reading.at)
            burns |= {(name, region): burn.long for region, burn in signalled.burns.items() if burn.until > now}
        lost = Counter(source for source, _, _ in self._lost)
        return SignalFigures(ages, dict(self._failures), burns, {name: lost[name] for name in self._sources})


def _key(source: str, question: _Question) -> tuple[str, str, str]:
    return source, question.policy.name, question.ask.key


def _found(signalled: Signalled, region: str) -> BurnFinding:
    burn = signalled.burns.get(region)
    return burn.found if burn is not None else BurnFinding.UNKNOWN


async def _asked(source: MetricsSource, query: str) -> Sequence[SeriesValue] | FailoverdError:
    try:
        return await source.ask(query)
    except Exception as error:  # noqa: BLE001 - a defect at one question is no reason to take none of the others in
        return classified(error)


def _reading(
    ask: FigureQuestion,
    readings: Mapping[str, FigureReading],
    answer: Sequence[SeriesValue] | FailoverdError,
    every: float,
    now: float,
) -> FigureReading:
    """The reading that an answer makes. Raises FailoverdError where it makes none."""
    if isinstance(answer, FailoverdError):
        raise answer
    reading = taken(ask, readings, _values(ask, answer), every, now)
    if reading is None:
        words = f"{answer[0].value:g} is not believed"
        remedy = "where it can be so, declare the least that counts: min"
        raise FailoverdError(words, reason="not_believed", remedy=remedy)
    return reading


def _values(ask: FigureQuestion, answer: Sequence[SeriesValue]) -> dict[str, float]:
    """The values by region, or the one value under ""."""
    if not answer:
        raise FailoverdError("the query gives nothing", reason="no_data", remedy="see whether it is scraped")
    if ask.single:
        if len(answer) > 1:
            words = f"the query gives {len(answer)} values, and one is asked for"
            raise FailoverdError(words, reason="several_values", remedy="sum in the query")
        return {"": answer[0].value}
    named = [(sample.labels.get("region", ""), sample.value) for sample in answer]
    values = dict(named)
    if "" in values or len(values) < len(named):
        words = "the query does not give one value for each region, by the label region"
        raise FailoverdError(
            words, reason="no_region", remedy="write sum by (region) (...), or say $region in the query"
        )
    return values
