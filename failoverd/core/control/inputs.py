"""What one decision looked at, and what it came to: kept so that it can be decided again.

A decision is kept where it differs from the last one of its target: in what it looked at, or in what it came to. Time
alone is no difference, nor is the fine print that each probe writes anew (when the last one passed, how long it took),
nor who leads:
where that changes what is done, the decision came to something else, and is kept for that. Whatever is kept is kept as
it was, fine print included.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Final

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import Estate, Outcome, OutcomeKind
from failoverd.core.control.plan import PlanKind
from failoverd.core.control.sharing import Grant
from failoverd.core.control.signals import BurnFinding, Signalled
from failoverd.core.control.state import PolicyState, TargetMemory, Verdicts, key_of
from failoverd.core.errors import Permanent
from failoverd.core.health.region import RegionHealth
from failoverd.core.reasons import Cause, Limit, ReasonCode
from failoverd.core.records import Check, Observed, Policy, RecordSet, Target, Weights
from failoverd.core.rules import Rule
from failoverd.core.status import TargetState

MOVED: Final = 0.05
"""By which part a figure has to change to be another one: figures of others are never twice the same."""


@dataclass(frozen=True, slots=True)
class DecisionInputs:
    """What one decision looked at, besides the policy file: enough to decide again.

    Attributes:
        state: what was known of the policy: of its targets this one, and the other types of its name.
        observed: what stood at the target.
        now: when, in seconds since the epoch.
        revision: of the policy file.
        calm: whether every other target of the policy held what it holds on a normal day; looked at where an incident
            may end.
        owner: see `Estate`; so are the next five, and `lone` and `fenced`.
        said: record sets that the provider says otherwise than `sayable`; None where it cannot say them.
    """

    state: PolicyState
    observed: Observed
    now: float
    revision: str
    calm: bool = False
    owner: str = ""
    instance: str = ""
    rules: tuple[Rule, ...] = ()
    grant: Grant | None = None
    usual: Grant | None = None
    spare: Mapping[str, float] | None = None
    said: tuple[tuple[RecordSet, RecordSet | None], ...] = ()
    lone: bool = False
    fenced: bool = True

    @property
    def target(self) -> Target:
        return self.observed.target


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a decision came to, as far as it is compared when it is made again.

    Attributes:
        kind: what was to be done.
        decision: what kind of answer was wanted.
        wanted: the shares that were wanted, in basis points.
        after: what is published afterwards, or would be if nothing were in its way.
        reasons: the codes of the sum, in order.
        limits: those that hold it.
        cause: the most pressing of what is done, or would be.
        moves: whether what is written is an answer, and not the marker alone.
    """

    kind: OutcomeKind
    decision: DecisionKind
    wanted: Mapping[str, int]
    after: Mapping[str, int]
    reasons: tuple[ReasonCode, ...] = ()
    limits: tuple[Limit, ...] = ()
    cause: Cause | None = None
    moves: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision: by which policy, what it looked at, what it came to; and by which version of failoverd."""

    policy: Policy
    inputs: DecisionInputs
    came: Conclusion
    version: str = ""

    def differs(self, before: "Decided | None") -> bool:
        """Whether it is worth to be kept after the one before."""
        if before is None or before.came != self.came or before.policy is not self.policy:
            return True
        return not _alike(before.inputs, self.inputs)


def concluded(outcome: Outcome) -> Conclusion:
    plan, blocking = outcome.plan, outcome.held.blocking if outcome.held is not None else ()
    return Conclusion(
        kind=outcome.kind,
        decision=outcome.decision.kind,
        wanted=outcome.decision.shares,
        after=outcome.shares,
        reasons=tuple(reason.code for reason in outcome.reasons),
        limits=tuple(check.limit for check in blocking),
        cause=outcome.cause,
        moves=outcome.kind is OutcomeKind.WRITE and plan is not None and plan.kind is not PlanKind.MARK,
    )


# -- what is taken down ------------------------------------------------------------------------------------------------


def sayable(policy: Policy) -> Callable[[RecordSet], RecordSet]:
    """What a provider makes of a policy's records, as far as nothing else is known: all of it, or who is in the answer.

    That is exact for what was decided: what a provider said otherwise than this is kept with the decision.
    """
    return _in_or_out if policy.weights is Weights.MEMBERSHIP else _as_it_is


def _as_it_is(desired: RecordSet) -> RecordSet:
    return desired


def _in_or_out(desired: RecordSet) -> RecordSet:
    return RecordSet.of(desired.key, desired.ttl, dict.fromkeys((answer.value for answer in desired.serving), 1))


class Overheard:
    """A provider's `normalise` that remembers what is said otherwise than `usual` says it."""

    def __init__(self, normalise: Callable[[RecordSet], RecordSet], usual: Callable[[RecordSet], RecordSet]) -> None:
        self.said: list[tuple[RecordSet, RecordSet | None]] = []
        self._normalise = normalise
        self._usual = usual

    def __call__(self, desired: RecordSet) -> RecordSet:
        try:
            found = self._normalise(desired)
        except Permanent:
            self.said.append((desired, None))
            raise
        if found != self._usual(desired):
            self.said.append((desired, found))
        return found


def taken_down(
    policy: Policy, state: PolicyState, observed: Observed, estate: Estate, overheard: Overheard, now: float
) -> DecisionInputs:
    """What a decision looks at, as it is kept: `overheard` is what the provider said in the course of it."""
    kept = [key_of(each.target) for each in (state.of(observed.target), *state.other_types(observed.target))]
    known = {key: state.targets[key] for key in kept if key in state.targets}
    ending = state.incident is not None and state.calm  # else nothing looks at the other targets, of which many may be
    calm = ending and all(state.of(target).normal or key_of(target) in kept for target in policy.targets)
    return DecisionInputs(
        state=replace(state, targets=known, practices=()),
        observed=observed,
        now=now,
        revision=policy.source.revision,
        calm=calm,
        owner=estate.owner,
        instance=estate.instance,
        rules=estate.rules,
        grant=estate.grant,
        usual=estate.usual,
        spare=estate.spare,
        said=tuple(overheard.said),
        lone=estate.lone,
        fenced=estate.fenced,
    )


def bare(policy: Policy) -> Policy:
    """The policy as decisions see it: without what is for probes alone, and without the lines of its file."""
    checks = tuple(_bare(check) for check in policy.checks)
    dependencies = tuple(replace(each, check=_bare(each.check)) for each in policy.dependencies)
    return replace(policy, checks=checks, dependencies=dependencies, source=replace(policy.source, lines={}))


def _bare(check: Check) -> Check:
    return replace(check, settings=None)


# -- and taken up again ------------------------------------------------------------------------------------------------


def estate_of(inputs: DecisionInputs, otherwise: Callable[[RecordSet], RecordSet]) -> Estate:
    """What the decision looked at besides its own policy; `otherwise` says what the provider was not heard to say."""
    said = list(inputs.said)

    def normalise(desired: RecordSet) -> RecordSet:
        for wanted, found in said:
            if wanted == desired:
                if found is None:
                    raise Permanent(f"{desired.key} cannot be said so", reason="unsayable")
                return found
        return otherwise(desired)

    return Estate(
        inputs.owner,
        normalise,
        inputs.instance,
        inputs.rules,
        inputs.grant,
        inputs.usual,
        inputs.spare,
        inputs.lone,
        inputs.fenced,
    )


def state_of(policy: Policy, inputs: DecisionInputs) -> PolicyState:
    """What was known, with the other targets of the policy as far as a decision looks at them."""
    if not inputs.calm:
        return inputs.state
    known = inputs.state.targets
    others = {
        key_of(target): TargetMemory(target, state=TargetState.IN_SYNC, kind=DecisionKind.NORMAL)
        for target in policy.targets
        if key_of(target) not in known
    }
    return replace(inputs.state, targets={**others, **known})


# -- what is a difference ----------------------------------------------------------------------------------------------

_OF_HEALTH: Final = attrgetter(
    "state", "score", "since", "well_since", "serving", "unknown", "known", "flapped", "flapping_until", "served"
)


def _alike(one: DecisionInputs, other: DecisionInputs) -> bool:
    """Whether they are the same but for the time and the fine print."""
    mine, theirs = one.state, other.state
    return (
        _known(mine) == _known(theirs)
        and _stands(one.observed) == _stands(other.observed)
        and _around(one) == _around(other)
        and _close(_granted(one), _granted(other))
        and _same_verdicts(mine.verdicts, theirs.verdicts)
        and _found(mine.signalled) == _found(theirs.signalled)
        and _close(_figures(mine.signalled), _figures(theirs.signalled))
    )


_known: Final = attrgetter("incident", "down_since", "calm", "returning", "targets", "overrides", "served")
_stands: Final = attrgetter("records", "marker", "marker_text", "foreign")
_around: Final = attrgetter("calm", "owner", "instance", "rules", "lone")
_granted: Final = attrgetter("grant", "usual", "spare")


def _found(signalled: Signalled) -> Mapping[str, BurnFinding]:
    return {name: burn.found for name, burn in signalled.burns.items()}


def _figures(signalled: Signalled) -> Mapping[str, object]:
    return {key: (reading.query, reading.values) for key, reading in signalled.readings.items()}


def _same_verdicts(mine: Verdicts, theirs: Verdicts) -> bool:
    if mine.keys() != theirs.keys():
        return False
    return all(
        regions.keys() == theirs[kind].keys()
        and all(_same_health(health, theirs[kind][name]) for name, health in regions.items())
        for kind, regions in mine.items()
    )


def _same_health(one: RegionHealth, other: RegionHealth) -> bool:
    if one is other:
        return True
    return _OF_HEALTH(one) == _OF_HEALTH(other) and _close(one.latency, other.latency)


def _close(one: object, other: object) -> bool:
    """Whether they are equal, but for figures of which none moved far."""
    if one is other:
        return True
    match one, other:
        case float() | int(), float() | int():
            return one == other or abs(one - other) <= MOVED * max(abs(one), abs(other))
        case Mapping(), Mapping():
            return one.keys() == other.keys() and all(_close(each, other[key]) for key, each in one.items())
        case tuple(), tuple():
            return len(one) == len(other) and all(map(_close, one, other))
        case Grant(), Grant():
            return one == other or all(map(_close, _of_grant(one), _of_grant(other)))
        case _:
            return one == other


_of_grant: Final = attrgetter(*(each.name for each in fields(Grant)))
