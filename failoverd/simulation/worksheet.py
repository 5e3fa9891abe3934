"""Policies decided on paper: how each region is, is said; every policy is looked at until none writes any more.

Everything that decides is the real thing: claims are shared out over all policies, each of them is evaluated, and what
is approved stands there from then on. There are no probes, no DNS and no waiting, so a situation takes milliseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from failoverd.core.control import progress
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome
from failoverd.core.control.plan import Plan
from failoverd.core.control.signals import Signalled
from failoverd.core.control.state import PolicyState
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Override
from failoverd.core.records import (
    WHOLE,
    Answer,
    Capabilities,
    Observed,
    Policy,
    RecordSet,
    RecordType,
    RegionSpec,
    Target,
    Weights,
)
from failoverd.core.rules import Rule
from failoverd.providers.shared.sets import weighted
from failoverd.runtime.estate import Shared

OWNER: Final = "worksheet"
"""By which the markers on paper are signed."""

_ROUNDS: Final = 10
"""Looks at every policy after which somebody should have been content."""

_LOOKS: Final = 2_000
"""In which time passes; so many are none that anybody needs."""

_SCORES: Final = {RegionState.HEALTHY: WHOLE, RegionState.DEGRADED: WHOLE // 2, RegionState.DOWN: 0}


class Endless(Exception):  # noqa: N818 - what was found, and no mistake of whoever asked
    """Policies answer each other without end."""


@dataclass(frozen=True, slots=True)
class PaperRegion:
    """How a region is, for every policy alike, and since when. `latency` is in seconds; None where nobody knows.

    `known` is how it was when it was seen last, UNKNOWN where this process has not seen it yet.
    """

    since: float
    well_since: float | None
    state: RegionState = RegionState.HEALTHY
    score: int = WHOLE
    latency: float | None = None
    known: RegionState = RegionState.HEALTHY


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that was written down by one moment: what can be gone back to."""

    now: float
    regions: Mapping[str, PaperRegion]
    states: Mapping[str, PolicyState]
    observed: Mapping[Target, Observed]
    words: tuple[Override, ...]


class Worksheet:
    """Policies that are decided together, from a day on which all has been well for long.

    Args:
        policies: by name.
        now: when it begins, in seconds since the epoch.
        rules: those of the inventory.
        providers: what those can say that a configuration names; any other says what it is to.

    Attributes:
        outcomes: the last look at each target.
        written: what was changed since the beginning, in order.
        words: operators' words, those included that are over.
        signalled: what others measured, by policy.
        wrote: called after each change.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        now: float,
        rules: tuple[Rule, ...] = (),
        providers: Mapping[str, Capabilities] | None = None,
    ) -> None:
        self.policies = policies
        self.providers = providers or {}
        self.now = now
        self.rules = rules
        self.outcomes: dict[Target, Outcome] = {}
        self.written = list[Plan]()
        self.words: tuple[Override, ...] = ()
        self.signalled = dict[str, Signalled]()
        self.wrote: Callable[[], None] = lambda: None
        names = {spec.name for policy in policies.values() for spec in policy.regions}
        self.regions = {name: PaperRegion(now - 86_400.0, now - 86_400.0) for name in names}
        self.states = {name: PolicyState(name) for name in policies}
        self.observed = {target: Observed(target, None) for each in policies.values() for target in each.targets}
        self.shared = Shared(self._state, lambda _: None)
        for policy in policies.values():
            self.shared.put(policy)
        self.look()

    # -- what happens --------------------------------------------------------------------------------------------------

    def turn(self, region: str, state: RegionState, score: int | None = None) -> None:
        """A region turns, now. `score` is in basis points; without it, what such a region has at best, or half."""
        if state is RegionState.UNKNOWN:
            self.lose_sight(region)
            return
        before, well = self.regions[region], state is not RegionState.DOWN
        well_since = (before.well_since if before.well_since is not None else self.now) if well else None
        score = score if score is not None else _SCORES[state]
        self.regions[region] = PaperRegion(self.now, well_since, state, score, before.latency, state)

    def lose_sight(self, region: str, *, started: bool = False) -> None:
        """Nobody knows how a region is from now on; `started`: for this process never saw it."""
        before = self.regions[region]
        known = RegionState.UNKNOWN if started else before.state
        well = None if started else before.well_since
        self.regions[region] = PaperRegion(self.now, well, RegionState.UNKNOWN, 0, before.latency, known)

    def connects(self, region: str, latency: float | None) -> None:
        """How long connections to a region take from now on, in seconds."""
        self.regions[region] = replace(self.regions[region], latency=latency)

    def measure(self, policies: Mapping[str, Policy]) -> None:
        """The same policies with other demands, as they were measured now; and everybody looks."""
        self.policies = policies
        for policy in policies.values():
            self.shared.put(policy)
        self.look()

    def edit(self, target: Target, records: RecordSet | None) -> None:
        """Somebody writes a record by hand, or deletes it (None); the marker stays."""
        self.observed[target] = replace(self.observed[target], records=records)

    def wait(self, until: float, tick: float | None = None) -> None:
        """Time passes, with a look whenever an outcome asks for one, and at each tick, if there is one (seconds)."""
        while (then := self.next_look(tick)) is not None and then <= until:
            self.now = then
            self.look()
        self.now = until

    def passes(self, seconds: float) -> None:
        """Time passes, with a look whenever an outcome asks for one: by its word, nothing changes meanwhile.

        Raises:
            Endless: they go on asking.
        """
        end = self.now + seconds
        for _ in range(_LOOKS):
            then = self.next_look()
            if then is None or then > end:
                self.now = end
                return
            self.wait(then)
        raise Endless(f"still looked at after {_LOOKS} looks")

    def next_look(self, tick: float | None = None) -> float | None:
        """The first moment at which time alone would change anything; None if it never does."""
        asked = [each.until for each in self.outcomes.values() if each.until is not None and each.until > self.now]
        return min(asked + ([self.now + tick] if tick is not None else []), default=None)

    def look(self) -> None:
        """Look at every policy until none writes any more: the most important first, as they are woken.

        Raises:
            Endless: they go on writing.
        """
        for policy in self.policies.values():
            self.shared.touch(policy.name)
        ordered = sorted(self.policies.values(), key=lambda each: each.tier)
        for _ in range(_ROUNDS):
            wrote = [self._look(policy, target) for policy in ordered for target in policy.targets]  # all look
            if not any(wrote):
                return
        raise Endless("policies that answer each other without end")

    # -- what is seen --------------------------------------------------------------------------------------------------

    def shares(self, target: Target) -> Mapping[str, int]:
        """What a target answers, in basis points by region."""
        found, policy = self.observed[target].records, self.policies[target.policy]
        return found.shares(policy.region_of(target.key.type)) if found is not None else {}

    @property
    def sheet(self) -> Sheet:
        """Everything as it is now."""
        return Sheet(self.now, dict(self.regions), dict(self.states), dict(self.observed), self.words)

    def back_to(self, sheet: Sheet) -> None:
        """Everything as it was then. Nobody has looked at it yet, and nothing counts as written."""
        self.now, self.words, self.signalled = sheet.now, sheet.words, {}
        self.regions, self.states, self.observed = dict(sheet.regions), dict(sheet.states), dict(sheet.observed)
        self.outcomes, self.written = {}, []

    # -- looking -------------------------------------------------------------------------------------------------------

    def _state(self, policy: Policy) -> PolicyState:
        kinds = dict.fromkeys(record.key.type for record in policy.records)
        verdicts = {
            kind: {spec.name: self.health(policy, spec, kind) for spec in policy.regions if spec.answers(kind)}
            for kind in kinds
        }
        calm = all(each.state is RegionState.HEALTHY for health in verdicts.values() for each in health.values())
        state = replace(self.states[policy.name], overrides=self.words).with_verdicts(verdicts, calm=calm)
        state = self.measured(policy, state)
        ill = not calm or progress.accused_now(policy, state, self.now)
        return progress.opened(policy, state, "worksheet", self.now)[0] if ill else state

    def health(self, policy: Policy, spec: RegionSpec, kind: RecordType) -> RegionHealth:
        """How a region is to a policy: all of its endpoints alike, and with the model that is wanted."""
        region = self.regions[spec.name]
        values = tuple(sorted(spec.answers(kind)))
        if region.state is RegionState.UNKNOWN:
            return RegionHealth(spec.name, region.state, 0, region.since, None, (), values, known=region.known)
        serves = region.state is not RegionState.DOWN
        return RegionHealth(
            spec.name,
            region.state,
            region.score,
            since=region.since,
            well_since=region.well_since,
            serving=values if serves else (),
            known=region.state,
            failing_since=None if serves else region.since,
            passed_at=self.now if serves else None,
            latency=region.latency,
            served=spec.models or ((policy.model,) if policy.model is not None else ()),
        )

    def measured(self, policy: Policy, state: PolicyState) -> PolicyState:
        """With what others measure for a policy."""
        found = self.signalled.get(policy.name)
        return replace(state, signalled=found) if found is not None else state

    def _says(self, policy: Policy, target: Target) -> Callable[[RecordSet], RecordSet]:
        """What a provider makes of a record."""
        able, kind = self.providers.get(target.provider), target.key.type
        if policy.weights is Weights.MEMBERSHIP or (able and able.weights.get(kind) is Weights.MEMBERSHIP):
            return _members
        return partial(weighted, max_weight=able.max_weight) if able is not None else _as_it_is

    def _look(self, policy: Policy, target: Target) -> bool:
        state = self._state(policy)
        grant, usual = self.shared.grants(policy, state, self.now)
        says = self._says(policy, target)
        spare = self.shared.spare(policy)
        estate = Estate(OWNER, says, rules=self.rules, grant=grant, usual=usual, spare=spare)
        outcome = evaluate(policy, state, self.observed[target], estate, self.now)
        self.states[policy.name], self.outcomes[target] = outcome.state, outcome
        said = {word.id for word in outcome.words}
        self.words = (*(word for word in self.words if word.id not in said), *outcome.words)
        if outcome.approved is None:
            return False
        plan = outcome.approved.plan
        began = progress.began(outcome.state, plan)
        self.observed[target] = Observed(target, plan.after, plan.marker, plan.marker_text)
        for each, other in self.observed.items():  # the types of a name share its marker
            if (each.provider, each.zone, each.key.name) == (target.provider, target.zone, target.key.name):
                self.observed[each] = replace(other, marker=plan.marker, marker_text=plan.marker_text)
        self.states[policy.name] = progress.applied(policy, began, plan, self.now)[0]
        self.written.append(plan)
        self.wrote()
        return True


def _as_it_is(desired: RecordSet) -> RecordSet:
    return desired


def _members(desired: RecordSet) -> RecordSet:
    """In or out, as it is said without weights."""
    return replace(desired, answers=tuple(Answer(answer.value, 1) for answer in desired.serving))
