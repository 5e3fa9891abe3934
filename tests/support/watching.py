"""What operators, and who writes the rules of an installation, may rely on: held against one write, or one answer.

Written from what the words and rules are said to mean, and not by asking the stages of `evaluate` what they make of
them. Where somebody else's word or a fact decides (an endpoint of two opinions, a region lost from sight), nothing is
claimed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from fnmatch import fnmatchcase

from failoverd.core.control.overriding import stepped
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Override, Verb
from failoverd.core.reasons import Cause, LimitNote, ReasonCode
from failoverd.core.records import ELSEWHERE, WHOLE, Observed, Policy, RecordSet, RegionSpec, Target
from failoverd.core.rules import Assertion, Gate, Rule

SLACK = WHOLE // 100
"""Basis points by which whole weights may be off."""

A_ROUND = 1.0
"""Seconds by which a hold may be named later than it begins: a marker that is to name a word is written first."""

SLOWER = frozenset({LimitNote.SMALLER, LimitNote.FAILING_OUT, LimitNote.APPROVED})
"""Notes of a limit that had less done than was wanted, or of a person who let a plan through as it was."""


class Is(Enum):
    """What a region is, with what operators say of it."""

    WELL = auto()
    DEAD = auto()
    OUT = auto()  # drained
    UNCLEAR = auto()


@dataclass(frozen=True, slots=True)
class Scene:
    """A record, with everything that is said about it.

    Attributes:
        policy: the file by which it was decided.
        target: one of its targets.
        words: those that concern the target, in force when it was decided and when it is looked at.
        health: of its regions, as probes say, when it was decided.
        at: when it was decided.
        rules: of the installation.
        allowing: those in force when it was decided, for what they allow.
        named_since: since when a rule is named to keep what is down in the answer, by its name.
        published: the revision that was published in full before; "" if that is not known.
        accepted_at: when somebody's edit that stands there was accepted; 0 without one.
    """

    policy: Policy
    target: Target
    words: tuple[Override, ...]
    health: Mapping[str, RegionHealth]
    at: float
    rules: tuple[Rule, ...] = ()
    allowing: tuple[Override, ...] = ()
    named_since: Mapping[str, float] = field(default_factory=dict)
    published: str = ""
    accepted_at: float = 0.0

    def said(self, *verbs: Verb) -> tuple[Override, ...]:
        return tuple(word for word in self.words if word.verb in verbs)

    @property
    def pin(self) -> Override | None:
        return max(self.said(Verb.PIN), key=lambda word: word.since, default=None)

    def drained(self, spec: RegionSpec) -> Override | None:
        """The word that keeps a whole region out, all steps of it done."""
        for word in self.said(Verb.DRAIN):
            whole = all(map(word.scope.has_endpoint, spec.endpoints))
            if word.scope.has_region(spec) and whole and stepped(word, self.at)[0] >= WHOLE:
                return word
        return None

    def of_value(self, value: str) -> frozenset[Verb]:
        """What is said about the endpoint that answers with it."""
        return frozenset(
            word.verb
            for word in self.said(Verb.UP, Verb.DOWN, Verb.DRAIN)
            for spec in self.policy.regions
            if word.scope.endpoints and word.scope.has_region(spec)
            for end in spec.endpoints
            if word.scope.has_endpoint(end) and end.answer(self.target.key.type) == value
        )

    def is_(self, spec: RegionSpec, *, drains: bool = True) -> Is:
        """What a region is; without `drains`, as if nobody were drained."""
        if drains and self.drained(spec) is not None:
            return Is.OUT
        health = self.health.get(spec.name)
        opinions = {self.of_value(value) for value in self.values(spec)}
        if opinions == {frozenset({Verb.DOWN})}:
            return Is.DEAD
        if opinions == {frozenset({Verb.UP})}:
            return Is.WELL
        if opinions != {frozenset()} or health is None:
            return Is.UNCLEAR
        return {RegionState.DOWN: Is.DEAD, RegionState.UNKNOWN: Is.UNCLEAR}.get(health.state, Is.WELL)

    def values(self, spec: RegionSpec) -> frozenset[str]:
        found = (end.answer(self.target.key.type) for end in spec.endpoints)
        return frozenset(value for value in found if value is not None)

    def shares(self, records: RecordSet | None) -> dict[str, int]:
        """Basis points by region, counted from the weights."""
        weights = {answer.value: answer.weight for answer in records.serving} if records is not None else {}
        total = sum(weights.values())
        found = {spec.name: sum(weights.get(value, 0) for value in self.values(spec)) for spec in self.policy.regions}
        return {name: round(weight * WHOLE / total) for name, weight in found.items() if weight}


@dataclass(frozen=True, slots=True)
class Sight:
    """A write, right before it takes effect.

    Attributes:
        scene: the record.
        plan: what is written.
        found: what stands there.
        notes: of the limits that approved it.
    """

    scene: Scene
    plan: Plan
    found: Observed
    notes: frozenset[LimitNote] = frozenset()

    @property
    def answers(self) -> bool:
        """Whether anything is answered before it: what answers nothing is rebuilt, whatever is said."""
        return self.found.records is not None and bool(self.found.records.serving)

    @property
    def changes(self) -> bool:
        return self.answers and self.plan.after != self.found.records

    @property
    def before(self) -> Mapping[str, int]:
        """The shares of before, without what somebody else's edit made of them."""
        return self.plan.start

    @property
    def after(self) -> Mapping[str, int]:
        return self.scene.shares(self.plan.after)

    def gains(self, name: str) -> bool:
        return self.after.get(name, 0) > self.before.get(name, 0) + SLACK

    def losers(self) -> list[RegionSpec]:
        less = {name for name, share in self.before.items() if share > self.after.get(name, 0) + SLACK}
        return [spec for spec in self.scene.policy.regions if spec.name in less]

    @property
    def only_dead_leave(self) -> bool:
        """Whether somebody leaves, and nobody who is well does."""
        gone = _values(self.found.records) - _values(self.plan.after)
        losers = self.losers()
        return bool(losers or gone) and not any(self.scene.is_(spec, drains=False) is Is.WELL for spec in losers)

    @property
    def partly(self) -> bool:
        """Whether a limit that its event names had less done than is wanted; or only what is down was taken out."""
        return bool(self.notes & SLOWER) or self.only_dead_leave


def against(sight: Sight) -> Iterator[str]:
    """What a write does that somebody who was heard before does not want."""
    lost = any(reason.code is ReasonCode.OVERRIDES_LOST for reason in sight.plan.decision.reasons)
    others = (_lost,) if lost else (_drained, _pinned, _shed, _called, _gated)
    for check in (_paused, _held, _asserted, _in_steps, *others):
        yield from (f"{sight.plan.target}: {wrong}" for wrong in check(sight))


def unlike(scene: Scene, records: RecordSet | None) -> Iterator[str]:
    """What is not as operators say in an answer of which it is said that nothing is left to be done.

    An edit that is accepted (`on_drift: adopt`) is what a person did by hand, after the words that were given before.
    """
    scene = replace(scene, words=tuple(word for word in scene.words if word.since > scene.accepted_at))
    shares = scene.shares(records)
    if scene.said(Verb.HOLD, Verb.PAUSE):
        return
    for spec in scene.policy.regions:
        drain, share = scene.drained(spec), shares.get(spec.name, 0)
        if drain is not None and share:
            yield f"{spec.name} has {share} though {drain.id} drains it"
    wanted = pinned(scene)
    if wanted and _off(shares, wanted):
        yield f"it answers {shares} and not {wanted}, as is pinned"
    for value in sorted(_values(records)):
        if scene.of_value(value) == {Verb.DOWN}:
            yield f"{value} is in the answer though it is called down"


def pinned(scene: Scene) -> Mapping[str, int]:
    """The shares of a pin among the regions that may answer; empty where it says nothing, or nobody can tell."""
    pin = scene.pin
    if pin is None:
        return {}
    states = {spec.name: scene.is_(spec) for spec in scene.policy.regions}
    if Is.UNCLEAR in {states[name] for name, share in pin.shares.items() if share}:
        return {}
    named = {name: share for name, share in pin.shares.items() if share and states[name] is Is.WELL}
    total = sum(named.values())
    return {name: round(share * WHOLE / total) for name, share in named.items()}


# -- words -------------------------------------------------------------------------------------------------------------


def _paused(sight: Sight) -> Iterator[str]:
    """Everything paused: nothing is written at all. A policy: nothing moves but what fails out."""
    for word in sight.scene.said(Verb.PAUSE):
        if word.scope.everything:
            yield f"it is written though everything is paused by {word.id}"
        elif _stirs(sight) and sight.plan.kind is not PlanKind.RESTORE:
            yield f"{dict(sight.before)} becomes {sight.after} though it is paused by {word.id}"


def _held(sight: Sight) -> Iterator[str]:
    yield from (f"it changes though {word.id} holds it" for word in sight.scene.said(Verb.HOLD) if sight.changes)


def _lost(sight: Sight) -> Iterator[str]:
    """Nobody knows any more what was said: nothing moves but what fails out."""
    if _stirs(sight) and sight.plan.kind is not PlanKind.RESTORE:
        yield f"{dict(sight.before)} becomes {sight.after} though words about it are lost"


def _drained(sight: Sight) -> Iterator[str]:
    """Who is drained gets nothing more, and leaves with the next write unless a limit that is named slows it down."""
    if not sight.answers:
        return
    for spec in sight.scene.policy.regions:
        drain = sight.scene.drained(spec)
        if drain is None:
            continue
        if sight.gains(spec.name):
            yield f"{spec.name} gets more though {drain.id} drains it"
        elif sight.changes and sight.after.get(spec.name) and not sight.partly:
            yield f"{spec.name} stays though {drain.id} drains it"


def _pinned(sight: Sight) -> Iterator[str]:
    """What is written under a pin is the pin, or a step towards it that a named limit made smaller."""
    wanted, pin = pinned(sight.scene), sight.scene.pin
    if pin is None or not wanted or not sight.changes or not _off(sight.after, wanted):
        return
    if not sight.partly:
        yield f"{sight.after} is written and not {wanted}, which {pin.id} says"
    for name, share in sight.after.items():
        if sight.gains(name) and share > wanted.get(name, 0) + SLACK:
            yield f"{name} gets {share} though {pin.id} gives it {wanted.get(name, 0)}"


def _shed(sight: Sight) -> Iterator[str]:
    """Who is shed by N gets at most 1 - N of what it would get otherwise, while the others can carry the rest."""
    scene = sight.scene
    unsure = {reason.code for reason in sight.plan.decision.reasons} & _UNSURE
    if not sight.changes or scene.pin is not None or unsure:
        return
    for spec in scene.policy.regions:
        words = [word for word in scene.said(Verb.SHED) if word.scope.has_region(spec)]
        if not words or scene.drained(spec) is not None:
            continue
        word = max(words, key=lambda each: each.part)
        most, share = _otherwise(sight, spec) * (WHOLE - word.part) // WHOLE, sight.after.get(spec.name, 0)
        if share > most + SLACK and (sight.gains(spec.name) or not sight.partly):
            yield f"{spec.name} has {share} though {word.id} leaves it {most}"


_UNSURE = frozenset({ReasonCode.OVERLOAD, ReasonCode.FROZEN, ReasonCode.OPEN_VERDICT, ReasonCode.OVERRIDES_LOST})
"""Steps by which somebody gets more, or keeps more, than its part: they are told with the decision."""


def _otherwise(sight: Sight, spec: RegionSpec) -> int:
    """What a region would get at most if nobody were shed, in basis points.

    Who is drained has no part in it, though a limit may have it leave in steps: nobody is shed for what it has still.
    """
    first = [each for each in sight.scene.policy.regions if each.share and sight.scene.drained(each) is None]
    there = [each for each in first if sight.after.get(each.name) or each == spec]
    states = {sight.scene.health[each.name].state for each in there if each.name in sight.scene.health}
    called = any(sight.scene.of_value(value) for each in there for value in sight.scene.values(each))
    if not spec.share or called or states != {RegionState.HEALTHY}:
        return WHOLE
    return spec.share * WHOLE // sum(each.share for each in there)


def _called(sight: Sight) -> Iterator[str]:
    """Who is called down does not answer; who is called up does not leave for its health."""
    if not sight.changes:
        return
    scene, before, after = sight.scene, _values(sight.found.records), _values(sight.plan.after)
    for spec in scene.policy.regions:
        for value in sorted(scene.values(spec)):
            said = scene.of_value(value)
            if said == {Verb.DOWN} and value in after:
                yield f"{value} answers though it is called down"
            if said == {Verb.UP} and value in before - after and sight.after.get(spec.name):
                yield f"{value} leaves though it is called up"
        up = all(scene.of_value(value) == {Verb.UP} for value in scene.values(spec))
        sent_away = scene.drained(spec) or scene.pin or scene.said(Verb.SHED)
        leaves = sight.before.get(spec.name, 0) and not sight.after.get(spec.name)
        if up and leaves and spec.share and not sent_away and scene.published == sight.plan.revision:
            yield f"{spec.name} leaves though it is called up"


# -- rules -------------------------------------------------------------------------------------------------------------


def _asserted(sight: Sight) -> Iterator[str]:
    """What a rule asserts holds after a write, or is broken no further; but a person may break it, and time does.

    What is down leaves although it breaks the rule once that kept it for `else_after`, and was named for it.
    """
    scene = sight.scene
    if not sight.changes or LimitNote.APPROVED in sight.notes:
        return
    for rule, says in _binding(scene):
        if not isinstance(says, Assertion) or _broken(scene, rule):
            continue
        met, was = _met(says, sight.after), _met(says, scene.shares(sight.found.records))
        if met >= says.at_least or met >= was:
            continue
        waited = scene.at - scene.named_since.get(rule.name, scene.at)
        if not sight.only_dead_leave and not _takes_out_dead(sight):
            yield f"{sight.after} breaks {rule.name}"
        elif waited < rule.else_after - A_ROUND:
            yield f"{sight.after} breaks {rule.name}, which was named for {waited:.3f}s and not {rule.else_after:g}s"


def _gated(sight: Sight) -> Iterator[str]:
    """Nothing moves for a cause whose gate is shut."""
    scene = sight.scene
    if LimitNote.APPROVED in sight.notes or sight.plan.kind is PlanKind.RESTORE:
        return
    for rule, says in _binding(scene):
        switches = [word.id for word in scene.said(Verb.SWITCH) if isinstance(says, Gate) and word.name == says.switch]
        if not isinstance(says, Gate) or not switches or _broken(scene, rule):
            continue
        moving = any(word.verb in {Verb.DRAIN, Verb.SHED, Verb.PIN} for word in (*scene.words, *scene.allowing))
        by_word = moving or scene.published != sight.plan.revision
        if Cause.OPERATOR not in says.on and by_word:
            continue
        if _stirs(sight):
            yield f"{dict(sight.before)} becomes {sight.after} though {rule.name} is shut by {switches[0]}"


def _binding(scene: Scene) -> Iterator[tuple[Rule, Assertion | Gate]]:
    for rule in scene.rules:
        if not rule.policies or any(fnmatchcase(scene.policy.name, glob) for glob in rule.policies):
            yield rule, rule.says


def _broken(scene: Scene, rule: Rule) -> bool:
    """Whether as many people as the rule asks for stand behind a word that names it."""
    words = (word for word in (*scene.words, *scene.allowing) if word.verb is not Verb.APPROVE)
    return any(rule.name in word.breaks and len({word.actor, *word.agreed}) >= rule.people for word in words)


def _met(says: Assertion, shares: Mapping[str, int]) -> int:
    return sum(
        sum(share for name, share in shares.items() if fnmatchcase(name, glob)) >= max(says.share, 1)
        for glob in says.of
    )  # fmt: skip


def _in_steps(sight: Sight) -> Iterator[str]:
    """Whatever begins or ends, no jump: one write moves no more than the policy allows within a window."""
    losers = {sight.scene.is_(spec, drains=False) for spec in sight.losers()}
    if not sight.changes or sight.notes & _ANY_STEP or losers != {Is.WELL}:
        return
    bounds, names = sight.scene.policy.limits, {*sight.before, *sight.after} - {ELSEWHERE}
    changes = [sight.after.get(name, 0) - sight.before.get(name, 0) for name in names]
    moved = max(sum(each for each in changes if each > 0), -sum(each for each in changes if each < 0))
    most = max(bounds.tuning.max_shift, bounds.returning.max_shift)
    if moved > most + SLACK:
        yield f"{dict(sight.before)} becomes {sight.after} in one step, and no more than {most} may move"


_ANY_STEP = frozenset({LimitNote.AT_ONCE, LimitNote.RECALLED, LimitNote.INDIVISIBLE, LimitNote.APPROVED})
"""Notes by which a step may be as large as it is: a person said so, a drill is cut short, or it cannot be smaller."""


# -- parts -------------------------------------------------------------------------------------------------------------


def _stirs(sight: Sight) -> bool:
    """Whether anything moves that does not fail out, or that no person let through."""
    return sight.changes and LimitNote.APPROVED not in sight.notes and not sight.only_dead_leave


def _takes_out_dead(sight: Sight) -> bool:
    states = {sight.scene.is_(spec, drains=False) for spec in sight.losers() if not sight.after.get(spec.name)}
    return bool(states & {Is.DEAD, Is.UNCLEAR})


def _off(shares: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
    return any(abs(shares.get(name, 0) - wanted.get(name, 0)) > SLACK for name in {*shares, *wanted})


def _values(records: RecordSet | None) -> frozenset[str]:
    return frozenset(answer.value for answer in records.serving) if records is not None else frozenset()
