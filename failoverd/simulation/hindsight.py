"""What another file would have done: a time that is over, lived through once more by another policy.

Until something comes out otherwise, every decision is made of exactly what was known then. From that moment on it is a
simulation: what stands, and what is remembered of it, follow the other decisions; each write comes about, a second
later. Everything else is as it was: the verdicts of probes, operators' words, what others measured, what other policies
decided, and the edits of others. `inexact` says what of that the other file would have changed.

It is decided whenever it was decided then, and besides in each moment that a decision named (`until`). Within `SOON` of
one that was made then, that one is it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from failoverd.core.control import progress
from failoverd.core.control.cost import HOUR, forecast
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.inputs import Conclusion, Decided, bare, concluded, estate_of, sayable, state_of
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import drifted, shares_now
from failoverd.core.control.state import PolicyState, TargetMemory, key_of
from failoverd.core.health.region import RegionState
from failoverd.core.reasons import Cause
from failoverd.core.records import Observed, Policy, Target, few
from failoverd.simulation.clientele import Clientele
from failoverd.simulation.sharing_then import SharingThen

TOOK: Final = 1.0
"""Seconds until a write stands."""

SOON: Final = 5.0
"""Seconds within which a moment and a decision of then are the same."""

WELL_WITHIN: Final = 300.0
"""Seconds within which a region served again that nobody had to leave: a false move."""

MOST_TURNS: Final = 1_000
"""That are told; what is beyond is counted."""

_MOST_STEPS: Final = 10_000
"""From one decision of then to the next: a moment that names itself again and again ends there."""

_MINUTE: Final = 60.0
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Balance:
    """What a time comes to for one record.

    Attributes:
        changes: how often its answer became another one by a decision.
        false_moves: changes that failed out of regions of which all served again within `WELL_WITHIN`.
        dead_minutes: for how long the answer had a region in it that was down.
        dead_client_minutes: for how long clients were at such regions: all of them for one minute are one.
        cost: in USD, by what was published, at the prices of the other file; None where these are not known.
    """

    changes: int = 0
    false_moves: int = 0
    dead_minutes: float = 0.0
    dead_client_minutes: float = 0.0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class TurningPoint:
    """A moment from which on something else would have been answered, or the same again.

    Attributes:
        at: when.
        then: what was published.
        instead: what would have been.
        came: what was decided last then.
        by_file: what the other file comes to.
    """

    at: float
    then: Mapping[str, int]
    instead: Mapping[str, int]
    came: Conclusion
    by_file: Conclusion

    @property
    def alike(self) -> bool:
        return self.then == self.instead


@dataclass(frozen=True, slots=True)
class Hindsight:
    """One record, lived through by another file.

    Attributes:
        target: which.
        decisions: of then, that were gone through.
        apart_at: when the first thing came out otherwise; None where nothing did.
        turns: when the answers came apart, and together again.
        left_out: turns beyond `MOST_TURNS`.
        then: what it came to.
        instead: what it would have.
        inexact: what is not as the other file would have had it, in words.
    """

    target: Target
    decisions: int = 0
    apart_at: float | None = None
    turns: tuple[TurningPoint, ...] = ()
    left_out: int = 0
    then: Balance = Balance()
    instead: Balance = Balance()
    inexact: tuple[str, ...] = ()


def lived_again(
    policy: Policy,
    target: Target,
    decisions: Iterable[Decided],
    since: float,
    until: float,
    others: Callable[[], Iterable[Decided]] = tuple,
) -> Hindsight:
    """A time by this policy.

    Args:
        policy: the other file.
        target: one of its targets.
        decisions: of then, about the target, the last one before the time included.
        since: when it begins.
        until: when it ends.
        others: the decisions of other policies about the first target of each, by time; looked at only where the file
            wants something else of regions that are shared.

    Raises:
        LookupError: the policy does not publish this target.
    """
    policy.record_of(target)
    life = _Life(bare(policy), target, until, others)
    for decided, begins, ends in _spans(decisions, since, until):
        life.live(decided, begins, ends)
    return life.hindsight()


def _spans(decisions: Iterable[Decided], since: float, until: float) -> Iterator[tuple[Decided, float, float]]:
    """Each decision, with the time for which it is the last one."""

    def ended() -> Iterator[Decided | None]:
        yield from decisions
        yield None

    for decided, following in pairwise(ended()):
        if decided is None:
            continue
        ends = following.inputs.now if following is not None else until
        if ends > since:
            yield decided, max(since, decided.inputs.now), ends


@dataclass(slots=True)
class _Reckoner:
    """Sums up what is answered. `prices` is the policy whose prices count."""

    prices: Policy
    ttl: float
    changes: int = 0
    false_moves: int = 0
    dead: float = 0.0
    dead_clients: float = 0.0
    cost: float = 0.0
    priced: bool = True
    _at: float | None = None
    _down: frozenset[str] = frozenset()
    _clientele: Clientele | None = None
    _left: list[tuple[float, frozenset[str]]] = field(default_factory=list)

    def see(self, at: float, shares: Mapping[str, int], health: Mapping[str, RegionState]) -> None:
        """From now on this is answered, and regions are so."""
        self._pass(at)
        self._at, self._down = at, frozenset(name for name, state in health.items() if state is RegionState.DOWN)
        if self._clientele is None:
            self._clientele = Clientele(shares, self.ttl)
        elif shares != self._clientele.shares:
            self._clientele.publish(shares, at)
        self._judge(at, health)

    def moved(self, at: float, cause: Cause | None, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """A decision changed the answer."""
        self.changes += 1
        left = frozenset(name for name, share in before.items() if share > after.get(name, 0))
        if cause is Cause.FAILING_OUT and left:
            self._left.append((at, left))

    def balance(self, until: float) -> Balance:
        self._pass(until)
        cost = self.cost if self.priced and self._at is not None else None
        return Balance(self.changes, self.false_moves, self.dead / _MINUTE, self.dead_clients / _MINUTE, cost)

    def _judge(self, at: float, health: Mapping[str, RegionState]) -> None:
        """Which of the moves turn out to be false by what is known now."""
        serve = {name for name, state in health.items() if state in {RegionState.HEALTHY, RegionState.DEGRADED}}
        self._left = [each for each in self._left if at - each[0] <= WELL_WITHIN]
        false = [each for each in self._left if each[0] < at and each[1] <= serve]
        self.false_moves += len(false)
        self._left = [each for each in self._left if each not in false]

    def _pass(self, at: float) -> None:
        """Sum up what was so until now."""
        if self._at is None or self._clientele is None or at <= self._at:
            return
        shares, lasted = self._clientele.shares, at - self._at
        self.dead += lasted if any(shares.get(name) for name in self._down) else 0.0
        spent = self._clientele.spent(self._at, at) if self._down else {}
        self.dead_clients += sum(spent.get(name, 0.0) for name in self._down)
        found = forecast(self.prices, shares)
        if shares and (found is None or found.unpriced):
            self.priced = False
        elif found is not None:
            self.cost += found.per_hour * lasted / HOUR
        self._at = at


_CARRIED: Final = {"ramp": "ramps", "latency": "aside", "degraded": "aside", "cost": "saving"}
"""What is remembered because a policy says so: where the other one says otherwise, it is remembered as that does."""


class _Life:
    """One record as it would have been."""

    def __init__(self, policy: Policy, target: Target, until: float, others: Callable[[], Iterable[Decided]]) -> None:
        self._policy = policy
        self._others = others
        self._sharing: SharingThen | None = None
        self._by_revision: dict[str, Policy] = {}
        self._target = target
        self._until = until
        self._region_of = policy.region_of(target.key.type)
        ttl = float(policy.record_of(target).ttl)
        self._then, self._instead = _Reckoner(policy, ttl), _Reckoner(policy, ttl)
        self._apart_at: float | None = None
        self._revision = ""
        self._memory: TargetMemory | None = None
        self._observed: Observed | None = None
        self._edited: object = None
        self._published: tuple[Mapping[str, int], Mapping[str, int]] = {}, {}
        self._turns = list[TurningPoint]()
        self._left_out = self._decisions = 0
        self._inexact = dict[str, None]()

    def live(self, decided: Decided, begins: float, ends: float) -> None:
        """Go on until the next decision of then."""
        self._decisions += 1
        self._note(decided)
        health = {name: each.state for name, each in decided.inputs.state.regions(self._target.key.type).items()}
        if decided.inputs.now < begins and decided.came.kind is OutcomeKind.WRITE:  # what stands since is all of it
            self._then.see(begins, decided.came.after, health)
            self._instead.see(begins, decided.came.after, health)
            return
        then = before = _standing(decided)
        self._then.see(begins, before, health)
        if decided.came.moves:
            self._then.moved(begins, decided.came.cause, before, decided.came.after)
            then = decided.came.after
            self._then.see(begins, then, health)
        if self._apart_at is not None:
            self._take_over_edit(decided)
        self._instead.see(begins, self._stands(decided), health)
        now: float | None = begins
        for _ in range(_MOST_STEPS):
            if now is None:
                return
            now = self._step(decided, now, ends, then, health)

    def hindsight(self) -> Hindsight:
        return Hindsight(
            target=self._target,
            decisions=self._decisions,
            apart_at=self._apart_at,
            turns=tuple(self._turns),
            left_out=self._left_out,
            then=self._then.balance(self._until),
            instead=self._instead.balance(self._until),
            inexact=tuple(self._inexact),
        )

    # -- a step --------------------------------------------------------------------------------------------------------

    def _step(
        self,
        decided: Decided,
        now: float,
        ends: float,
        then: Mapping[str, int],
        health: Mapping[str, RegionState],
    ) -> float | None:
        """Decide once. When to decide again before the next decision of then; None: not at all."""
        policy = self._by(decided)
        outcome = self._decide(policy, decided, now)
        came = concluded(outcome)
        first = now <= decided.inputs.now
        if self._apart_at is None:
            self._memory = outcome.state.of(self._target)
            if _does(came) == (_does(decided.came) if first else None):
                self._turn(now, then, then, decided, came)
                moving = came.kind is OutcomeKind.WRITE
                if moving and first:
                    self._instead.moved(now, came.cause, _standing(decided), then) if came.moves else None
                    self._instead.see(now, then, health)
                return None if moving else _next(outcome, now, ends, SOON)
            self._apart_at, self._observed = now, decided.inputs.observed
            self._revision = policy.source.revision
        before = self._stands(decided)
        self._follow(policy, outcome, now)
        after = self._stands(decided)
        if came.moves:
            self._instead.moved(now, came.cause, before, after)
        self._instead.see(now, after, health)
        self._turn(now, then, after, decided, came)
        soon = now + TOOK if outcome.kind is OutcomeKind.WRITE else None
        return soon if soon is not None and soon < ends else _next(outcome, now, ends, 0.0)

    def _decide(self, policy: Policy, decided: Decided, now: float) -> Outcome:
        inputs = decided.inputs
        state, observed = inputs.state, inputs.observed
        if self._apart_at is not None and self._memory is not None and self._observed is not None:
            state, observed = replace(state, targets={key_of(self._target): self._memory}), self._observed
        elif self._memory is not None:
            state = state.with_target(self._carried(decided, state))
        known = state_of(policy, replace(inputs, state=state))
        if policy.demand and _claims(decided.policy) != _claims(policy):
            self._sharing = self._sharing or SharingThen(self._others())
            inputs = self._sharing.left_to(policy, known, inputs, now)
        return evaluate(policy, known, observed, estate_of(inputs, sayable(policy)), now)

    def _carried(self, decided: Decided, state: PolicyState) -> TargetMemory:
        """What was remembered then, with what the other file would have had remembered instead."""
        memory, own = state.of(self._target), self._memory
        names = {
            name: getattr(own, name)
            for said, name in _CARRIED.items()
            if own is not None and getattr(decided.policy, said) != getattr(self._policy, said)
        }
        return replace(memory, **names) if names else memory

    def _follow(self, policy: Policy, outcome: Outcome, now: float) -> None:
        """What stands and what is remembered after it."""
        state, plan = outcome.state, outcome.approved.plan if outcome.approved is not None else None
        if plan is not None:
            state, _ = progress.applied(policy, progress.began(state, plan), plan, now + TOOK)
            self._observed = Observed(self._target, plan.after, plan.marker, plan.marker_text)
        self._memory = state.of(self._target)

    def _take_over_edit(self, decided: Decided) -> None:
        """What somebody else wrote then, he would have written: once for each edit."""
        inputs = decided.inputs
        found, good = inputs.observed, inputs.state.of(self._target).last_good
        edit = found.records if drifted(found, good) else None
        if edit is not None and edit != self._edited and self._observed is not None:
            self._observed = replace(self._observed, records=edit)
            self._inexact["edits of others are answers that they left then, whatever stood there before"] = None
        self._edited = edit

    def _stands(self, decided: Decided) -> Mapping[str, int]:
        """What would be answered now."""
        if self._apart_at is None or self._observed is None:
            return _standing(decided)
        good = self._memory.last_good if self._memory is not None else None
        return dict(shares_now(self._observed, good, self._region_of))

    def _by(self, decided: Decided) -> Policy:
        """The other file, as if it had been at work all the while: that it is another one is no edit."""
        revision = self._revision or decided.inputs.revision
        if revision not in self._by_revision:
            source = replace(self._policy.source, revision=revision)
            self._by_revision[revision] = replace(self._policy, source=source)
        return self._by_revision[revision]

    def _turn(
        self,
        at: float,
        then: Mapping[str, int],
        instead: Mapping[str, int],
        decided: Decided,
        came: Conclusion,
    ) -> None:
        if (then, instead) == self._published:
            return
        alike = self._published[0] == self._published[1]
        self._published = then, instead
        if alike and then == instead:
            return
        if len(self._turns) >= MOST_TURNS:
            self._left_out += 1
            return
        self._turns.append(TurningPoint(at, then, instead, decided.came, came))

    # -- what is not exact ---------------------------------------------------------------------------------------------

    def _note(self, decided: Decided) -> None:
        """What the other file would have had otherwise, and nobody can know."""
        self._inexact |= dict.fromkeys(_unknown(decided, self._policy))


def _unknown(decided: Decided, new: Policy) -> Iterator[str]:
    was = decided.policy
    if (was.health, was.checks) != (new.health, new.checks):
        yield "verdicts are those of then: what other checks and health rules would have made of probes is not kept"
    known = {end.text for spec in was.regions for end in spec.endpoints}
    if strange := [end.text for spec in new.regions for end in spec.endpoints if end.text not in known]:
        yield f"nobody probed {few(strange, _NAMED)} then: nothing is known of them"
    if decided.inputs.grant is not None and _claims(was) != _claims(new):
        yield "other policies keep to what they decided then, whatever this one takes of regions that they share"
    if (was.measure, was.signals) != (new.measure, new.signals):
        yield "what others measured is what the file of then asked for"
    if decided.inputs.said:
        yield "the provider says weights in its own terms, which are known of answers of then alone"


def _standing(decided: Decided) -> Mapping[str, int]:
    """What was answered when it was decided."""
    inputs, target = decided.inputs, decided.inputs.target
    region_of = decided.policy.region_of(target.key.type)
    return dict(shares_now(inputs.observed, inputs.state.of(target).last_good, region_of))


def _does(came: Conclusion) -> Mapping[str, int] | None:
    """Which answer is written; None: none is."""
    return dict(came.after) if came.moves else None


def _next(outcome: Outcome, now: float, ends: float, apart: float) -> float | None:
    """The moment that a decision named, if it comes before the next one of then."""
    if outcome.until is None:
        return None
    at = max(outcome.until, now + TOOK)
    return at if at + apart < ends else None


def _claims(policy: Policy) -> object:
    """What of a policy has to do with how regions are shared."""
    return policy.demand, policy.tier, policy.regions, policy.steering, policy.shed_to, policy.data_in
