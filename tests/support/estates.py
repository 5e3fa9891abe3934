"""Several policies over regions that they share, over time: regions come and go, others measure, rounds are done.

Everything that decides is the real thing: `Shared` grants, `evaluate` decides, what is approved is written and read
back. Probes, DNS and whoever measures are on paper.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from support.scenes import HEALTHS, NOW, OWNER, rolled
from support.stories import as_it_is

from failoverd.core.control import progress
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome
from failoverd.core.control.plan import Plan
from failoverd.core.control.readings import asks, taken
from failoverd.core.control.signals import Signalled, judged
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Override
from failoverd.core.records import Observed, Policy, RecordKey, RecordSet, RecordType, Target, Weights
from failoverd.runtime.estate import Shared

EVERY = 15.0
"""Seconds between two questions to whoever measures."""

ROUNDS = 12
"""Looks at everybody after which nobody may have anything to answer to what another one did."""


def in_or_out(desired: RecordSet) -> RecordSet:
    """A provider that knows only whether a value is in the answer."""
    return RecordSet.of(desired.key, desired.ttl, {answer.value: 1 for answer in desired.serving})


@dataclass
class Neighbour:
    """One policy of an estate, with its one target."""

    policy: Policy
    state: PolicyState = field(init=False)
    observed: Observed = field(init=False)
    letters: dict[str, str] = field(init=False)
    regions: dict[str, RegionHealth] = field(default_factory=dict)
    latencies: dict[str, float | None] = field(default_factory=dict)
    signalled: Signalled = field(default_factory=Signalled)
    words: tuple[Override, ...] = ()
    outcome: Outcome | None = None
    written: int = 0

    def __post_init__(self) -> None:
        self.state = PolicyState(self.policy.name)
        self.observed = Observed(self.target, None)
        self.letters = {spec.name: "H" * len(spec.endpoints) for spec in self.policy.regions}

    @property
    def target(self) -> Target:
        return self.policy.records[0].targets[0]

    @property
    def key(self) -> RecordKey:
        return self.policy.records[0].key

    @property
    def kind(self) -> RecordType:
        return self.key.type

    @property
    def region_of(self) -> Mapping[str, str]:
        return self.policy.region_of(self.kind)

    @property
    def memory(self) -> TargetMemory:
        return self.state.of(self.target)

    @property
    def normalise(self) -> Callable[[RecordSet], RecordSet]:
        return as_it_is if self.policy.weights is Weights.NATIVE else in_or_out

    @property
    def letter_of(self) -> Mapping[str, str]:
        """By answer value."""
        return {
            str(end.answer(self.kind)): letter
            for spec in self.policy.regions
            for end, letter in zip(spec.endpoints, self.letters[spec.name], strict=True)
        }

    @property
    def calm(self) -> bool:
        return all(letter == "H" for each in self.letters.values() for letter in each)

    def roll(self, now: float) -> None:
        """Roll its regions up, as every change of an endpoint does."""
        for spec in self.policy.regions:
            states = {
                str(end.answer(self.kind)): HEALTHS[letter]
                for end, letter in zip(spec.endpoints, self.letters[spec.name], strict=True)
            }
            before = self.regions.get(spec.name)
            health = rolled(states, before, self.policy.health, now, name=spec.name)
            self.regions[spec.name] = replace(health, latency=self.latencies.get(spec.name))

    def known(self, now: float) -> PolicyState:
        """What the daemon knows of it now."""
        state = replace(
            self.state,
            verdicts={self.kind: dict(self.regions)},
            calm=self.calm,
            overrides=self.words,
            signalled=self.signalled,
        )
        return state if self.calm else progress.opened(self.policy, state, "test", now)[0]


class Neighbourhood:
    """Policies at work. `checked` sees each outcome, with what it was decided from, before it is written."""

    def __init__(self, *policies: Policy, checked: "Checked | None" = None) -> None:
        self.now = NOW
        self.neighbours = {policy.name: Neighbour(policy) for policy in policies}
        self.checked = checked
        self.shared = Shared(lambda policy: self.neighbours[policy.name].known(self.now), lambda _: None)
        for policy in policies:
            self.shared.put(policy)

    @property
    def policies(self) -> list[Policy]:
        return [each.policy for each in self.neighbours.values()]

    def edited(self, policy: Policy) -> None:
        """A person edits a policy file."""
        policy = replace(policy, source=replace(policy.source, revision=f"{policy.source.revision}+"))
        self.neighbours[policy.name].policy = policy
        self.shared.put(policy)

    def measure(self, answers: Mapping[str, Mapping[str, float]]) -> None:
        """Whoever measures was asked: `answers` by query, those left out were not answered."""
        for each in self.neighbours.values():
            readings = dict(each.signalled.readings)
            for ask in asks(each.policy):
                values = answers.get(ask.query)
                reading = taken(ask, readings, values, EVERY, self.now) if values is not None else None
                if reading is not None:
                    readings[ask.key] = reading
            down = frozenset(name for name, region in each.regions.items() if region.state is RegionState.DOWN)
            each.signalled = judged(each.policy, each.signalled, readings, down, self.now)

    def estate(self, each: Neighbour) -> Estate:
        grant, usual = self.shared.grants(each.policy, each.known(self.now), self.now)
        return Estate(OWNER, each.normalise, grant=grant, usual=usual, spare=self.shared.spare(each.policy))

    def look(self, each: Neighbour) -> bool:
        """One round of one policy. Whether anything was written."""
        state, estate = each.known(self.now), self.estate(each)
        outcome = evaluate(each.policy, state, each.observed, estate, self.now)
        if self.checked is not None:
            self.checked(each, state, estate, outcome)
        each.state, each.outcome = outcome.state, outcome
        if outcome.approved is not None:
            self.write(each, outcome.approved.plan)
        return outcome.approved is not None

    def write(self, each: Neighbour, plan: Plan) -> None:
        each.observed = Observed(plan.target, plan.after, plan.marker, plan.marker_text)
        each.state = progress.applied(each.policy, progress.began(each.state, plan), plan, self.now)[0]
        each.written += 1

    def round(self) -> bool:
        """Everybody looks once, the most important first, as they are woken. Whether anything was written."""
        written = [self.look(each) for each in self._ordered]
        return any(written)

    def settle(self) -> None:
        """Everybody looks until nobody wants anything else any more."""
        self.roll()
        wanted: object = None
        for _ in range(ROUNDS):
            written, before = self.round(), wanted
            outcomes = [each.outcome for each in self._ordered if each.outcome is not None]
            wanted = [(outcome.kind, outcome.decision.shares) for outcome in outcomes]
            if not written and wanted == before:
                return
        raise AssertionError(f"policies that answer each other without end: {outcomes}")

    def roll(self) -> None:
        """What probes found is known to everybody."""
        for each in self.neighbours.values():
            each.roll(self.now)
            self.shared.touch(each.policy.name)

    @property
    def _ordered(self) -> list[Neighbour]:
        return sorted(self.neighbours.values(), key=lambda each: (each.policy.tier, each.policy.name))


Checked = Callable[[Neighbour, PolicyState, Estate, Outcome], None]
