"""What the rules of the installation make of a plan: checks beside those of the policy's own limits.

An assertion is an end state: it binds every cause. An answer that breaks it already may move, but breaks it no further.
What is down is kept in the answer by it for `else_after` at most: meanwhile a person is asked, and then it leaves.
A gate keeps the causes that it names where they are while its switch is on; what fails out, and what is to be rebuilt,
knows no gate.

A word that names the rule may break it, once as many people as the rule asks for stand behind the word.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from failoverd.core.overrides import Override, Verb
from failoverd.core.reasons import Cause, Limit, LimitCheck, LimitNote
from failoverd.core.records import Policy
from failoverd.core.rules import Assertion, Gate, Rule


@dataclass(frozen=True, slots=True)
class Shut:
    """A gate whose switch is on, and until when."""

    rule: Rule
    causes: frozenset[Cause]
    until: float


@dataclass(frozen=True, slots=True)
class Ruled:
    """What binds a target now.

    Attributes:
        assertions: all that bind it.
        shut: gates that are shut.
        broken: names of the rules that words in force may break.
        withheld: since when an assertion keeps what is down in the answer, by its name.
    """

    assertions: tuple[Rule, ...] = ()
    shut: tuple[Shut, ...] = ()
    broken: frozenset[str] = frozenset()
    withheld: Mapping[str, float] = field(default_factory=dict)


FREE = Ruled()
"""Nothing binds it."""


def ruled(rules: Sequence[Rule], policy: str, words: Iterable[Override], withheld: Mapping[str, float]) -> Ruled:
    """The rules that bind a policy, with the words that concern one of its targets now."""
    binding = [rule for rule in rules if rule.binds(policy)]
    if not binding:
        return FREE
    said = tuple(words)
    broken = frozenset(rule.name for rule in binding if any(breaks(word, rule) for word in said))
    shut: list[Shut] = []
    for rule in binding:
        if isinstance(rule.says, Gate) and rule.name not in broken:
            ends = [word.ends for word in said if word.verb is Verb.SWITCH and word.name == rule.says.switch]
            shut += [Shut(rule, rule.says.on, max(ends))] if ends else []
    assertions = tuple(rule for rule in binding if isinstance(rule.says, Assertion))
    return Ruled(assertions, tuple(shut), broken, withheld)


def counted(rules: Iterable[Rule], policy: Policy) -> Mapping[str, int]:
    """From which share on each region counts by itself for every assertion that names it."""
    says = [rule.says for rule in rules if isinstance(rule.says, Assertion) and rule.binds(policy.name)]
    return {spec.name: max(each.counts(spec.name) for each in says) for spec in policy.regions} if says else {}


def breaks(word: Override, rule: Rule) -> bool:
    """Whether a word names the rule, and enough people stand behind it. An approval lets its own plan through alone."""
    return word.verb is not Verb.APPROVE and rule.name in word.breaks and people(word) >= rule.people


def people(word: Override) -> int:
    """How many stand behind a word; the same one twice is one."""
    return word.people


@dataclass(frozen=True, slots=True)
class Move:
    """What an assertion looks at: shares by region, in basis points.

    Attributes:
        before: what is answered now.
        after: what would be answered.
        note: why no assertion binds it, if none does.
        failing_out: whether it takes out what is down.
        now: seconds since the epoch.
    """

    before: Mapping[str, int]
    after: Mapping[str, int]
    note: LimitNote
    failing_out: bool
    now: float


def asserted(bound: Ruled, move: Move) -> tuple[LimitCheck, ...]:
    """Each assertion, held against the state after a change."""
    return tuple(
        _asserted(rule, rule.says, bound, move) for rule in bound.assertions if isinstance(rule.says, Assertion)
    )


def _asserted(rule: Rule, says: Assertion, bound: Ruled, move: Move) -> LimitCheck:
    found, note = says.met(move.after), LimitNote.NONE
    if found < says.at_least:
        waits = move.failing_out and move.now < goes_at(rule, bound, move.now)
        if move.note:
            note = move.note
        elif move.before and found >= says.met(move.before):
            note = LimitNote.NO_WORSE
        elif rule.name in bound.broken:
            note = LimitNote.BROKEN
        elif move.failing_out and not waits:
            note = LimitNote.WAITED
    passed = found >= says.at_least or bool(note)
    return LimitCheck(Limit.ASSERTION, passed, found, says.at_least, note=note, rule=rule.name, rule_at=rule.at)


def goes_at(rule: Rule, bound: Ruled, now: float) -> float:
    """When what is down leaves although it breaks the assertion."""
    return bound.withheld.get(rule.name, now) + rule.else_after


def passing_at(bound: Ruled, checks: Iterable[LimitCheck], now: float) -> float | None:
    """When time alone lets through what is down and these checks keep; None when that takes a person."""
    by_name = {rule.name: rule for rule in bound.assertions}
    kept = [check for check in checks if not check.passed]
    if not kept or any(check.limit is not Limit.ASSERTION for check in kept):
        return None
    return max(goes_at(by_name[check.rule], bound, now) for check in kept)


def withheld(before: Mapping[str, float], checks: Iterable[LimitCheck], now: float) -> Mapping[str, float]:
    """Since when each assertion among these checks keeps what is down in the answer."""
    kept = [check.rule for check in checks if check.limit is Limit.ASSERTION and not check.passed]
    return {name: min(before.get(name, now), now) for name in kept}


def gated(bound: Ruled, cause: Cause, moved: int) -> tuple[tuple[LimitCheck, ...], float | None]:
    """The gates at which a cause waits, and until when."""
    shut = [each for each in bound.shut if cause in each.causes]
    checks = tuple(
        LimitCheck(
            Limit.GATE, passed=False, found=moved, allowed=0, cause=cause, rule=each.rule.name, rule_at=each.rule.at
        )
        for each in shut
    )
    return checks, max((each.until for each in shut), default=None)
