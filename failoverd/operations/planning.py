"""`plan` and `apply`: what the daemon would do, shown before it is done, and done if it still is what would be done.

Where that is, is a `Workplace`. In the daemon at work (`PlanDesk`) health, policies, memory and providers are its own.
In a session beside it, or without any, health is probed afresh from this machine with the daemon's own machinery,
sentinels and rules of isolation included, and what is known from before (last answers, changes within the windows,
edits, an open incident) is what the daemon left. From there on it is `evaluate`: for `plan` once, for `apply` again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, fields, replace
from typing import Final, Protocol, TypeVar

from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import Estate, Outcome, OutcomeKind
from failoverd.core.control.plan import InSync, Plan
from failoverd.core.control.ramp import judged_now
from failoverd.core.control.state import PolicyState, Verdicts
from failoverd.core.errors import FailoverdError, Fenced, classified
from failoverd.core.records import Marker, Observed, Policy, RecordSet, Target, percentages
from failoverd.core.status import PolicyStatus
from failoverd.operations.ahead import Following, following
from failoverd.operations.reckoning import RegionFigures, demanded
from failoverd.operations.slips import unknown
from failoverd.operations.waiting import Stage, Waiting
from failoverd.ports import Clock, Provider, Urgency
from failoverd.runtime.manual_command import manual_command

T = TypeVar("T")

PLAN_VERSION: Final = 3
"""Of the plan file. Those of other versions are refused: a plan is made again within seconds."""


MOST_CHARACTERS: Final = 4_096
"""Of each text of a plan: of a name, an answer, a reason."""


class Lookout(Protocol):
    """Where plans are made."""

    @property
    def policies(self) -> Mapping[str, Policy]:
        """Those that are known, by name."""

    @property
    def providers(self) -> Mapping[str, Provider]: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def by_turns(self) -> bool:
        """Whether others in this process write, too, each in its turn.

        Then a record is read again once it is its turn. Elsewhere verdicts take their time, and it is read after them.
        """

    @property
    def alive(self) -> Callable[[], bool]:
        """Whether a daemon is at work, here or beside."""

    @property
    def waits(self) -> Callable[[Waiting], None]:
        """Is told how far it is."""

    def policy(self, name: str) -> Policy:
        """Raises ConfigError when there is none of that name."""

    def looked_at(self, policy: Policy) -> PolicyState:
        """What is known of a policy now, for who shares regions with it."""

    def estate(self, target: Target, returning: Mapping[str, frozenset[str]]) -> Estate:
        """What a decision about it looks at besides, if a person brings these regions back, by policy."""

    async def read(self, target: Target, urgency: Urgency = Urgency.ROUTINE) -> Observed: ...

    async def verdicts(
        self, policies: Sequence[Policy], failed: tuple[str, ...]
    ) -> Mapping[str, Verdicts | FailoverdError]:
        """The health of the regions of each policy, by its name. `failed` went wrong before, to be told meanwhile."""

    async def recalled(self, policy: Policy, target: Target) -> PolicyState:
        """The policy's state, with what the journal knows of a target."""


class Workplace(Lookout, Protocol):
    """Where plans are made and applied."""

    @property
    def owner(self) -> str:
        """The name under which this installation marks what it owns."""

    def turn(self, target: Target) -> AbstractAsyncContextManager[None]:
        """While it lasts, nobody else in this process writes that name."""

    async def apply(self, policy: Policy, outcome: Outcome) -> Plan:
        """Carry a write out in the name of who asked for it. Raises ProviderError."""

    async def proof(self, plan: Plan) -> str:
        """What the authoritative servers say of a change, once they agree or patience ends."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A plan, and the regions that a person brings back with it."""

    plan: Plan
    returning: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What `failoverctl plan --out` writes and `apply` reads: inert data, reviewed like any other file."""

    version: int
    made_at: float
    made_by: str
    changes: tuple[PlannedChange, ...]


@dataclass(frozen=True, slots=True)
class PlanFinding:
    """What planning found at one target: an outcome, or why there is none.

    Attributes:
        target: which.
        outcome: what would be done.
        error: why nobody can say.
        manual: does the same by hand.
        demand: what its policy needs.
        figures: what of that goes where.
        supposed: it is what would be done if something were so that is not: nothing of it may be applied.
        following: of what is supposed: the next change that time alone would bring.
    """

    target: Target
    outcome: Outcome | None
    error: FailoverdError | None = None
    manual: str = ""
    demand: float | None = None
    figures: tuple[RegionFigures, ...] = ()
    supposed: bool = False
    following: Following | None = None

    @property
    def change(self) -> PlannedChange | None:
        """What may be applied: a write, or a plan that a limit holds."""
        outcome = self.outcome if not self.supposed else None
        plan = _to_do(outcome) if outcome is not None else None
        return PlannedChange(plan, outcome.state.returning) if outcome is not None and plan is not None else None

    @property
    def unseen(self) -> tuple[str, ...]:
        """Endpoints without a verdict, as `region/answer`: what stands there may be right or not."""
        if self.outcome is None:
            return ()
        regions = self.outcome.state.regions(self.target.key.type).values()
        return tuple(sorted(f"{health.name}/{value}" for health in regions for value in health.unknown))


def longest(value: object) -> int:
    """Characters of the longest text in something that was JSON, keys included."""
    match value:
        case str():
            return len(value)
        case Mapping():
            return max((max(len(str(key)), longest(each)) for key, each in value.items()), default=0)
        case list() | tuple():
            return max(map(longest, value), default=0)
        case _:
            return 0


def _to_do(outcome: Outcome) -> Plan | None:
    """What an outcome writes, or would if no limit held it."""
    if outcome.kind not in {OutcomeKind.WRITE, OutcomeKind.LIMITED}:
        return None
    return outcome.approved.plan if outcome.approved is not None else outcome.plan


# -- what is known now -------------------------------------------------------------------------------------------------


async def _look(session: Lookout, target: Target) -> Observed | FailoverdError:
    """What stands at a target, or why it cannot be read."""
    try:
        return await session.read(target)
    except Exception as error:  # noqa: BLE001 - classified, and told for this target alone
        return classified(error)


async def _looks(session: Lookout, targets: Sequence[Target]) -> dict[Target, Observed | FailoverdError]:
    """The same for several at once, for their providers know how to take turns."""
    found: dict[Target, Observed | FailoverdError] = {}
    failed: tuple[str, ...] = ()

    async def look(target: Target) -> None:
        nonlocal failed
        found[target] = seen = await _look(session, target)
        failed += _failures({target: seen})
        session.waits(Waiting(Stage.READING, len(found), len(targets), failed=failed))

    await asyncio.gather(*map(look, dict.fromkeys(targets)))
    return found


def _failures(looks: Mapping[Target, object]) -> tuple[str, ...]:
    return tuple(f"{target}: {error}" for target, error in looks.items() if isinstance(error, FailoverdError))


def _known(found: T | FailoverdError) -> T:
    if isinstance(found, FailoverdError):
        raise found
    return found


def back(state: PolicyState, returning: Mapping[str, frozenset[str]]) -> PolicyState:
    """The state if a person brings these regions back, by policy."""
    return replace(state, returning=returning.get(state.policy, frozenset()))


async def _evaluated(
    session: Lookout, observed: Observed, health: Verdicts, returning: Mapping[str, frozenset[str]]
) -> tuple[Outcome, Estate]:
    """What is to be done about a target, the daemon's own way to say so; and what it looked at besides.

    `returning` are regions by policy.
    """
    target = observed.target
    policy = session.policy(target.policy)
    state = await session.recalled(policy, target)
    if not session.alive():
        key = target.key.type
        health = {**health, key: judged_now(health.get(key, {}), state.of(target).ramps)}
    state = back(replace(state, verdicts=health), returning)
    # what is chosen for its price, a daemon chooses and remembers
    estate = replace(session.estate(target, returning), spare=None)
    return evaluate(policy, state, observed, estate, session.clock()), estate


# -- plan --------------------------------------------------------------------------------------------------------------


def chosen(at: Lookout, known: Iterable[str], names: Collection[str], returning: Collection[str]) -> list[Policy]:
    """The policies of these names, or all that are known without any.

    Raises:
        ConfigError: there is no such policy, or none of them has a region that is to be brought back.
    """
    found = [at.policy(name) for name in names or known]
    regions = sorted({region.name for policy in found for region in policy.regions})
    for name in sorted(set(returning).difference(regions)):
        raise unknown("region", name, regions, "region_unknown")
    return found


async def make_plans(
    session: Lookout, policies: Sequence[Policy], returning: frozenset[str], *, supposed: bool = False
) -> list[PlanFinding]:
    """Look now, evaluate, for each target of the policies. What fails is a finding.

    Every record is read before, which waits for no verdict: a policy of which none can be read is not probed.
    `supposed`: what is looked at is not what is so; then what would follow is told, and nothing to apply.
    """
    targets = [target for policy in policies for target in policy.targets]
    looks = await _looks(session, targets)
    in_sight = {target.policy for target, look in looks.items() if isinstance(look, Observed)}
    health = await session.verdicts([policy for policy in policies if policy.name in in_sight], _failures(looks))
    if not session.by_turns:
        looks |= await _looks(session, [target for target in targets if target.policy in in_sight])
    found, back = [], dict.fromkeys((policy.name for policy in policies), returning)
    for target in targets:
        try:
            observed = _known(looks[target])
            outcome, estate = await _evaluated(session, observed, _known(health[target.policy]), back)
            policy = session.policy(target.policy)
            demand, figures = demanded(policy, outcome, outcome.decision.at)
            if supposed:
                then = following(policy, outcome, observed, estate, session.clock())
                found.append(
                    PlanFinding(target, outcome, demand=demand, figures=figures, supposed=True, following=then)
                )
                continue
            by_hand = manual_command(session.providers[target.provider], outcome.plan) if outcome.plan else ""
            found.append(PlanFinding(target, outcome, manual=by_hand, demand=demand, figures=figures))
        except Exception as error:  # noqa: BLE001 - classified, and told for this target alone
            found.append(PlanFinding(target, None, classified(error)))
    return found


# -- apply -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """How applying a plan went: None is success, and InSync that its answer stands there already.

    `plan` is what was written, or else what the file says. `sent` says whether it was handed to the provider at all.
    `proof` is what the authoritative servers say.
    """

    plan: Plan
    result: Held | InSync | FailoverdError | None
    sent: bool = False
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a daemon would do; `policies` are those that it looked at, as it has loaded them.

    `supposed` is what is taken to be so for it, and is not.
    """

    findings: tuple[PlanFinding, ...]
    policies: tuple[PolicyStatus, ...]
    supposed: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a daemon did; `policies` are those that the changes are about, as it has loaded them."""

    attempts: tuple[Attempt, ...]
    policies: tuple[PolicyStatus, ...]


@dataclass(slots=True, eq=False)
class _Change:
    """One change of a plan file on its way. `approved` is what is to be done now, once it is what the file says."""

    said: PlannedChange
    approved: Outcome | None = None
    ended: Attempt | None = None

    @property
    def plan(self) -> Plan:
        return self.said.plan

    @property
    def target(self) -> Target:
        return self.said.plan.target

    @property
    def name(self) -> tuple[str, str, str]:
        """The types of one name share a marker."""
        return self.target.provider, self.target.zone, self.target.key.name

    def end(
        self, result: Held | InSync | FailoverdError | None, plan: Plan | None = None, *, sent: bool = False
    ) -> None:
        self.ended = Attempt(plan or self.plan, result, sent)


async def apply_plans(session: Workplace, changes: Sequence[PlannedChange]) -> list[Attempt]:
    """Apply plans that were made earlier, each if it is what failoverd would do by itself now.

    A plan file is reviewed by people, grows old, and may be edited by anybody. So nothing in it is believed: verdicts
    and records are looked at again, and what is written is the plan that is made now. The file only says which one was
    agreed to.

    One that is refused does not keep the others from being applied, but for those of the same name: its types are
    applied one after the other, or not at all.
    """
    applying = _Applying(session, [_Change(each) for each in changes])
    await applying.compare()
    await applying.write()
    ended = [each.ended for each in applying.changes if each.ended is not None]
    return [replace(each, proof=await session.proof(each.plan)) if each.result is None else each for each in ended]


class _Applying:
    """The changes of one plan file, from what it says to what is written."""

    def __init__(self, session: Workplace, changes: Sequence[_Change]) -> None:
        self.changes = changes
        self._session = session
        self._health: Mapping[str, Verdicts | FailoverdError] = {}
        self._returning = {each.target.policy: each.said.returning for each in changes}
        self._ours: defaultdict[tuple[str, str, str], set[str | None]] = defaultdict(set)
        """By name: markers that are newer than the file because a change of the file stands there."""

    @property
    def _going(self) -> list[_Change]:
        """Those that have not ended yet."""
        return [each for each in self.changes if each.ended is None]

    # -- is it what would be done? -------------------------------------------------------------------------------------

    async def compare(self) -> None:
        """End what is not to be written. What needs no waiting comes first: the files, then the records."""
        session = self._session
        for each in self._going:
            with _ending(each):
                _check_place(session, each.said)
        looks = await _looks(session, [each.target for each in self._going])
        for each in self._going:
            self._find_in_place(each, looks[each.target])
        for each in self._going:
            with _ending(each):
                self._check_record(each, _known(looks[each.target]))
        policies = {each.target.policy: session.policy(each.target.policy) for each in self._going}
        self._health = await session.verdicts(list(policies.values()), _failures(looks))
        if not session.by_turns:
            looks = await _looks(session, [each.target for each in self._going])
        for each in self._going:
            self._find_in_place(each, looks[each.target])
        for each in self._going:
            with _ending(each):
                each.approved = await self._made_again(each, _known(looks[each.target]))
        self._keep_names_together()

    def _find_in_place(self, change: _Change, look: Observed | FailoverdError) -> bool:
        """Whether somebody was faster, a daemon or whoever applied the same file: then nothing is left to do."""
        plan = change.plan
        if isinstance(look, FailoverdError) or look.marker is None or look.marker.owner != self._session.owner:
            return False
        if plan.after == plan.before.records or not plan.stands_in(look):
            return False
        self._ours[change.name].add(look.marker_text)
        change.end(InSync(change.target, look.marker.generation))
        return True

    def _check_record(self, change: _Change, observed: Observed) -> None:
        plan = change.plan
        if not self._unchanged(change, observed):
            raise Fenced(
                f"{plan.target} is not what the plan was made from: {_say(plan.before)} then, {_say(observed)} now",
                reason="record_changed",
                remedy=AGAIN,
            )

    def _unchanged(self, change: _Change, observed: Observed) -> bool:
        """Whether the plan was made from what stands there, but for the marker where a change of the file moved it."""
        before = change.plan.before
        if observed.marker_text not in self._ours[change.name]:
            return observed == before
        return (observed.records, observed.foreign) == (before.records, before.foreign)

    async def _made_again(self, change: _Change, observed: Observed) -> Outcome:
        """The outcome as it is now, which is to do exactly what the file says.

        Raises:
            FailoverdError: something else would be done now, or nothing.
        """
        plan, target = change.plan, change.target
        self._check_record(change, observed)
        health = _known(self._health[target.policy])
        outcome, _ = await _evaluated(self._session, observed, health, self._returning)
        refused, found = outcome.refused, _to_do(outcome)
        if refused is not None:
            raise Fenced(refused.detail, reason=refused.reason, remedy=refused.remedy)
        unheard = outcome.words or outcome.by_hand is not None
        if unheard and self._session.alive():  # two who keep the same word would each think it the other's
            raise Fenced(
                f"{target} was changed by hand, and the daemon has not heard of it yet",
                reason="by_hand_unheard",
                remedy=f"the daemon takes it up with its next look; then {AGAIN}",
            )
        if found is None:
            raise _outdated(target, f"nothing would be changed ({outcome.kind}: {outcome.decision.kind})")
        aside = _SIZED if outcome.held is not None else frozenset[str]()
        if observed.marker_text in self._ours[change.name]:
            aside |= _MARKED
        differs = _differences(plan, found, aside)
        if differs:
            raise _outdated(target, "; ".join(differs))
        return outcome

    def _keep_names_together(self) -> None:
        """What is refused takes the other types of its name along: half of a name moved is not what was agreed to."""
        refused = {each.name: each for each in self.changes if _failed(each)}
        for each in self._going:
            if each.name in refused:
                each.end(_left(each, refused[each.name]))

    # -- writing -------------------------------------------------------------------------------------------------------

    async def write(self) -> None:
        """One after the other. Of a name, the next is made again from what the one before left there."""
        for each in self._going:
            with _ending(each):
                async with self._session.turn(each.target):
                    await self._write(each)

    async def _write(self, change: _Change) -> None:
        session, target = self._session, change.target
        before = [each for each in self.changes if each.name == change.name and _failed(each)]
        if before:
            raise _left(change, before[0])
        outcome = change.approved
        if session.by_turns or self._ours[change.name]:
            observed = await session.read(target, Urgency.of(change.plan))
            if self._find_in_place(change, observed):
                return
            outcome = await self._made_again(change, observed)
        if outcome is None:
            raise ValueError("a change that was never compared")
        if outcome.held is not None:
            change.end(outcome.held)
            return
        try:
            plan = await session.apply(session.policy(target.policy), outcome)
        except Fenced as error:
            if error.reason == "overtaken" or not self._find_in_place(change, await _look(session, target)):
                change.end(error, sent=True)
        except Exception as error:  # noqa: BLE001 - classified, and told for this plan alone
            change.end(classified(error), sent=True)
        else:
            self._ours[change.name].add(plan.marker_text)
            change.end(None, plan, sent=True)


@contextmanager
def _ending(change: _Change) -> Iterator[None]:
    """What goes wrong before anything was sent ends this change alone."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - classified, and told for this plan alone
        change.end(classified(error))


def _failed(change: _Change) -> bool:
    return change.ended is not None and isinstance(change.ended.result, FailoverdError)


def _left(change: _Change, other: _Change) -> FailoverdError:
    words = f"{change.target} is left as it is, for {other.target.key.type} of the same name could not be applied"
    return FailoverdError(words, reason="name_refused", remedy=AGAIN)


def _check_place(session: Workplace, change: PlannedChange) -> None:
    """The policy is the one that the plan was made from, and publishes the target."""
    plan = change.plan
    policy = session.policy(plan.target.policy)
    if plan.target not in policy.targets:
        targets = ", ".join(sorted(f"{each} in {each.zone}" for each in policy.targets))
        words = f"the plan names {plan.target} in {plan.target.zone}, which policy {policy.name} does not publish"
        raise FailoverdError(f"{words}; it has: {targets}", reason="target_unknown", remedy=AGAIN)
    if policy.source.revision != plan.revision:
        raise Fenced(
            f"policy {policy.name} is at revision {policy.source.revision}, the plan was made from {plan.revision}",
            reason="policy_changed",
            remedy=AGAIN,
        )
    unknown = change.returning - {region.name for region in policy.regions}
    if unknown:
        words = f"the plan brings back {', '.join(sorted(unknown))}, which policy {policy.name} does not have"
        raise FailoverdError(words, reason="region_unknown", remedy=AGAIN)


AGAIN: Final = "make the plan again: failoverctl plan --out FILE"

_OWN: Final = frozenset({"id", "decision", "shifts"})
"""What differs between two plans that do the same. None of it is taken from the file."""

_SIZED: Final = frozenset({"after", "shares_after", "cause", "whole"})
"""What limits make of a plan: it differs while they hold in full what they only made smaller before."""

_MARKED: Final = frozenset({"before", "marker"})
"""What differs once another type of the name was written."""


def _differences(plan: Plan, found: Plan, aside: frozenset[str]) -> list[str]:
    """What the file says otherwise than the plan that is made now, in words."""
    names = [spec.name for spec in fields(Plan) if spec.name not in _OWN | aside]
    pairs = [(name, getattr(_unsaid(plan), name), getattr(_unsaid(found), name)) for name in names]
    decided = ("target", "kind", "shares", "records")
    pairs += [(f"decision.{name}", getattr(plan.decision, name), getattr(found.decision, name)) for name in decided]
    return [f"{name} would be {_say(now)}, and the plan says {_say(then)}" for name, then, now in pairs if then != now]


def _unsaid(plan: Plan) -> Plan:
    """The plan without what its marker says of operators' words: a longer one is no other change of the answer."""
    return replace(plan, marker=replace(plan.marker, overrides=(), until=0))


def _say(value: object) -> str:
    """A part of a plan in words, for one line. Much of it was written by who knows whom."""
    match value:
        case None:
            words = "nothing"
        case Observed():
            marker = f" (generation {value.marker.generation})" if value.marker is not None else ""
            return f"{_say(value.records)}{marker}"
        case RecordSet():
            answers = ", ".join(f"{each.value} (weight {each.weight})" for each in value.serving)
            words = f"{answers or 'no answer'}, ttl {value.ttl_text}"
        case Marker():
            words = value.to_text()
        case Mapping():
            words = percentages(value) or "no answer"
        case _:
            words = str(value)
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"


_SHOWN: Final = 200
"""Characters of a part of a plan that one line shows."""


def _outdated(target: Target, differs: str) -> FailoverdError:
    words = f"the plan of {target} is no longer what would be done now: {differs}"
    return FailoverdError(words, reason="plan_outdated", remedy=AGAIN)
