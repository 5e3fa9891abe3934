"""Policies held to what they promise, in every situation or as many as were asked for.

Each begins on a day on which all has been well for long. Something has happened, or not; regions fall ill in one
moment; ten minutes pass; then all is well again, and a day passes. Time passes as the outcomes ask for it (`until`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from math import ceil
from typing import Final

from failoverd.core.health.region import RegionState
from failoverd.core.overrides import Comment, Override, Scope, Verb, begins
from failoverd.core.records import WHOLE, Capabilities, OnDrift, Policy, RecordSet, Target
from failoverd.core.rules import Rule
from failoverd.simulation.budgets import spent
from failoverd.simulation.paper_source import Gauged
from failoverd.simulation.promises import Broken, Promise, astray, at_once, settled, unknown
from failoverd.simulation.rehearsal import NOON, answers_of, request_of
from failoverd.simulation.situations import (
    NOTHING,
    SPENT,
    Circumstance,
    Situation,
    alike,
    circumstances,
    every,
    how_many,
    some,
)
from failoverd.simulation.worksheet import Endless, Worksheet

ILL: Final = 600.0
"""Seconds for which regions are ill."""

CALM: Final = 86_400.0
"""Seconds after which the normal shares have to be back."""

_FEW: Final = 4
"""Changes on a way back besides its steps: one that ends what was begun, and one for each time others have to wait."""

_ACTOR: Final = "operator@proof"


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A situation in which a promise is not kept, with as little in it as can be."""

    situation: Situation
    broken: Broken


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of policies that are decided together.

    Attributes:
        policies: which.
        of: situations that there are.
        looked_at: those that were looked at.
        stopped: whether that ended before it was done: by a person, or because the time was up.
        whole: circumstances of which every situation was.
        sampled: circumstances of which some were, chosen at random.
        normal: the shares of a good day, in basis points by region.
        counterexamples: the first of each promise that is not kept.
    """

    policies: tuple[str, ...]
    of: int
    looked_at: int
    whole: tuple[Circumstance, ...]
    sampled: tuple[Circumstance, ...]
    normal: Mapping[Target, Mapping[str, int]]
    counterexamples: tuple[Counterexample, ...]
    stopped: bool = False


Tell = Callable[[int, int], bool | None]
"""Is told how many situations are looked at, of how many that are to be; True: enough."""


def situations_of(policies: Mapping[str, Policy], rules: tuple[Rule, ...] = ()) -> int:
    """How many there are."""
    classes = alike(policies, rules)
    return sum(how_many(each, classes) for each in circumstances(policies, classes))


def prove(
    policies: Mapping[str, Policy],
    rules: tuple[Rule, ...],
    most: int,
    seed: int,
    tell: Tell,
    providers: Mapping[str, Capabilities] | None = None,
) -> Proof:
    """Look at all situations of policies that are decided together, or at no more than `most` of them.

    Where there are more, circumstances are looked at in whole one after the other for as long as they fit, and what
    they leave is a sample of the others. Ctrl-C ends it, as `tell` does: what was found until then is the answer.
    """
    classes = alike(policies, rules)
    asked = tuple(circumstances(policies, classes))
    sizes = [how_many(each, classes) for each in asked]
    number = next((n for n, sum_ in enumerate(accumulate(sizes)) if sum_ > most), len(asked))
    whole, sampled = asked[:number], asked[number:]
    left = most - sum(sizes[:number]) if sampled else 0
    chosen = chain(
        (each for circumstance in whole for each in every(circumstance, classes)),
        some(sampled, classes, left, seed) if sampled else (),
    )
    play = Play(policies, rules, providers)
    found: dict[Promise, Counterexample] = {}
    wanted, done = sum(sizes[:number]) + left, 0
    try:
        for situation in chosen:
            if tell(done, wanted):
                break
            for broken in play.through(situation):
                if broken.promise not in found:
                    found[broken.promise] = play.least(situation, broken)
            done += 1
    except KeyboardInterrupt:
        pass  # what was looked at so far is told, and that it was not all: `stopped`
    ended = sum(1 for sum_ in accumulate(sizes[:number]) if sum_ <= done)
    counterexamples = tuple(found[each] for each in Promise if each in found)
    stopped = done < wanted
    return Proof(tuple(policies), sum(sizes), done, asked[:ended], asked[ended:], play.normal, counterexamples, stopped)


class Play:
    """Policies that are decided together, from the same good day again and again."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        rules: tuple[Rule, ...] = (),
        providers: Mapping[str, Capabilities] | None = None,
    ) -> None:
        self._sheet = Worksheet(policies, NOON - 86_400.0, rules, providers)
        self._sheet.wait(NOON)
        self._sheet.look()
        self._begin = self._sheet.sheet
        self.normal = {target: self._sheet.shares(target) for target in self._sheet.observed}
        self._most = {name: _changes_back(policy) for name, policy in policies.items()}

    def through(self, situation: Situation) -> list[Broken]:
        """The promises that are not kept in a situation, each once."""
        self._sheet.back_to(self._begin)
        found: dict[Promise, Broken] = {}
        for broken in self._steps(situation):
            found.setdefault(broken.promise, broken)
        return list(found.values())

    def least(self, situation: Situation, broken: Broken) -> Counterexample:
        """The same promise not kept, in a situation in which nothing is ill, and has happened, that need not be."""
        smaller = True
        while smaller:
            smaller = False
            for other in _smaller(situation):
                again = next((each for each in self.through(other) if each.promise is broken.promise), None)
                if again is not None:
                    situation, broken, smaller = other, again, True
                    break
        return Counterexample(situation, broken)

    def _steps(self, situation: Situation) -> Iterator[Broken]:
        sheet, happened = self._sheet, situation.circumstance
        try:
            self._happens(happened)
            if happened != NOTHING:
                sheet.look()
                yield from unknown(sheet)
            for name, state in situation.states.items() if happened.started else situation.ill.items():
                sheet.turn(name, state)
            sheet.look()
            yield from at_once(sheet)
            yield from unknown(sheet)
            if happened.edit is not None and not happened.before:
                self._edited(happened.policy, happened.edit)
                sheet.look()
                yield from at_once(sheet)
            sheet.passes(ILL)
            yield from at_once(sheet)
            yield from settled(sheet)
            self._calm()
            yield from at_once(sheet)
            sheet.passes(CALM)
            yield from at_once(sheet)
            if happened.edit is None or sheet.policies[happened.policy].on_drift is not OnDrift.REPORT:
                yield from astray(sheet, self.normal, self._most)
        except Endless as error:
            target, outcome = next(iter(sheet.outcomes.items()))
            yield Broken(Promise.CONVERGENCE, target, str(error), outcome)

    # -- what happens --------------------------------------------------------------------------------------------------

    def _happens(self, what: Circumstance) -> None:
        sheet = self._sheet
        if what.spent:
            shares = {target: sheet.shares(target) for target in sheet.observed}
            for name, policy in sheet.policies.items():
                sheet.states[name] = spent(policy, sheet.states[name], shares, sheet.now)
        for word in what.words:
            asked = request_of(word, what.policy)
            self._say(asked.verb, asked.scope, shares=asked.shares, part=asked.part)
        if what.edit is not None and what.before:
            self._edited(what.policy, what.edit)
        if what.measured is not None:
            gauged = Gauged(what.policy, what.measured)
            sheet.signalled = {name: gauged.at_first(each, {}, sheet.now) for name, each in sheet.policies.items()}
        for name in sheet.regions if what.started else filter(None, [what.unseen]):
            sheet.lose_sight(name, started=what.started)
        if what.practised:
            self._say(Verb.PRACTICE, Scope((what.policy,), regions=(what.practised,)))

    def _say(self, verb: Verb, scope: Scope, *, shares: Mapping[str, int] | None = None, part: int = 0) -> None:
        sheet = self._sheet
        said = Comment(sheet.now, _ACTOR, "what the proof looks at")
        word = Override(
            f"{begins(verb, scope)}{len(sheet.words) + 1:04}",
            verb,
            scope,
            _ACTOR,
            sheet.now,
            sheet.now + 3_600.0,
            (said,),
            shares=shares or {},
            part=part,
        )
        sheet.words = (*sheet.words, word)

    def _edited(self, policy: str, shares: Mapping[str, int]) -> None:
        found = self._sheet.policies[policy]
        for target in found.targets:
            weights = answers_of(found, target, shares)
            ttl = found.record_of(target).ttl
            self._sheet.edit(target, RecordSet.of(target.key, ttl, weights) if weights else None)

    def _calm(self) -> None:
        """All is well, nobody says anything any more, and a person brings back what only a person does."""
        sheet = self._sheet
        sheet.written.clear()
        sheet.signalled = {}
        sheet.words = tuple(replace(each, ended_at=sheet.now, ended_by=_ACTOR) for each in sheet.words)
        for name, region in sheet.regions.items():
            if region.state is not RegionState.HEALTHY:
                sheet.turn(name, RegionState.HEALTHY)
        for name, policy in sheet.policies.items():
            if policy.failback_after is None:
                everyone = frozenset(spec.name for spec in policy.regions)
                sheet.states[name] = replace(sheet.states[name], returning=everyone)
        sheet.look()


def _smaller(situation: Situation) -> Iterator[Situation]:
    """Each with one thing less."""
    happened = situation.circumstance
    if happened != NOTHING:
        yield replace(situation, circumstance=NOTHING)
    if happened.spent and happened != SPENT:
        yield replace(situation, circumstance=SPENT)
    for name, state in situation.ill.items():
        yield situation.but(name, RegionState.HEALTHY)
        if state is RegionState.DEGRADED:
            yield situation.but(name, RegionState.DOWN)


def _changes_back(policy: Policy) -> int:
    """By how many changes a policy may come back to its normal shares, at most."""
    steps = len(policy.ramp.steps) if policy.ramp is not None else 1
    pieces = max(ceil(WHOLE / ration.max_shift) for ration in (policy.limits.returning, policy.limits.tuning))
    return len(policy.regions) * steps * pieces + _FEW
