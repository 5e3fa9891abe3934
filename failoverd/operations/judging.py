"""Whether an operator's word may be heeded: what no word may do, whoever gives it."""

from collections.abc import Iterable
from typing import Final

from failoverd.core.control.decision import ALL_DOWN, DecisionKind
from failoverd.core.control.outcome import Outcome
from failoverd.core.control.standing import remedy_of_state
from failoverd.core.errors import FailoverdError
from failoverd.core.overrides import MEANINGS, About, Override, Verb, residency_rule
from failoverd.core.reasons import Limit, LimitCheck, LimitKind, LimitNote, Reason, ReasonCode
from failoverd.core.records import WHOLE, Target
from failoverd.core.rules import Rule
from failoverd.telemetry import reasoning

RATES: Final = frozenset(limit for limit in Limit if limit.kind is LimitKind.RATE)
"""Limits that a word meets unless it says at once."""

_SLOWING: Final = RATES | {Limit.PAUSED, Limit.LOST}
"""Limits that make a word's move slower, or later, and refuse nothing."""


class OverrideError(FailoverdError):
    """A word was refused. Nothing was changed; `reason` says what kind of refusal it is."""


def nonsense(word: Override) -> str:
    """Why a word cannot be meant so, by what it says alone; "" if it can."""
    scope, verb, total = word.scope, word.verb, sum(word.shares.values())
    lasts, about = word.until - word.since, MEANINGS[verb].about
    wrong = (
        (
            about is About.REGIONS and not scope.of_some_regions,
            f"{verb} needs a region, a cloud or an endpoint: without everything nothing is left",
        ),
        (about is About.ENDPOINTS and not scope.endpoints, f"{verb} is the verdict on an endpoint: name it"),
        (
            verb is Verb.SHED and not 0 < word.part < WHOLE,
            "shed takes more than 0% and less than 100%; all of it is a drain",
        ),
        (
            verb is Verb.PRACTICE and bool(scope.endpoints or scope.records or scope.providers),
            "practice is about regions as a whole: of all policies, or of some",
        ),
        (verb is Verb.SHED and bool(scope.endpoints), "shed is about regions: an endpoint is drained, or not"),
        (
            verb is Verb.PIN and total != WHOLE,
            f"the shares of a pin have to make 100%, and these make {total / 100:g}%",
        ),
        (
            verb in {Verb.PIN, Verb.HOLD} and not (scope.policies or scope.records),
            f"{verb} needs a policy or a record; to stop everything: failoverctl pause --all --reason TEXT --for 1h",
        ),
        (
            about is About.RECORDS and scope.of_some_regions,
            f"{verb} is about policies and records, and not about regions",
        ),
        (verb is Verb.SWITCH and not word.name, "name the switch"),
        (verb is Verb.ALERT, "an alert is sent by a monitoring system, to /v1/alerts; what a person says is a drain"),
        (word.over > lasts, f"the drain would take {word.over:.0f}s, and ends after {lasts:.0f}s"),
    )
    return next((words for is_so, words in wrong if is_so), "")


def require_allowed(word: Override, target: Target, before: Outcome, after: Outcome) -> None:
    """What a word may not do, whoever gives it."""
    codes = {reason.code for reason in after.reasons}
    held_before = before.decision.kind is after.decision.kind
    if ReasonCode.NOBODY_LEFT in codes:
        words = f"{target} would have nobody left to answer with: every region is drained"
        raise _refused(word, words, "leave a region that serves, or release what is drained")
    if word.verb in {Verb.DRAIN, Verb.DOWN} and not held_before and after.decision.kind in _NOBODY_SERVES:
        alive = sorted(before.decision.shares)
        words = f"{target} has nobody else who serves: {', '.join(alive)} is the only one"
        raise _refused(word, words, "wait until another region serves, or pin what is to be answered")
    if word.verb is Verb.PRACTICE and ReasonCode.PRACTICE_YIELDS in codes:
        words = f"the other regions of {target} cannot carry its traffic"
        raise _refused(word, words, "practise another region, or when there is less traffic")
    if word.verb is Verb.PIN:
        _require_sense(word, target, before, after)
    was = {_named(check) for check in before.held.blocking} if before.held is not None else set()
    for check in _broken(after):
        if _named(check) not in was:
            words = f"{target} would not be allowed to change so: {reasoning.limit(check)}"
            remedy, _ = remedy_of_state(check.limit) or ("ask for less, or change the limit in its file", "")
            if check.limit is Limit.ASSERTION or check.limit is Limit.GATE:
                remedy = f"to do it in spite of the rule at {check.rule_at}: --approve-with {check.rule}"
            raise OverrideError(words, reason="rule_broken", remedy=remedy)


def _require_sense(word: Override, target: Target, before: Outcome, after: Outcome) -> None:
    """What a pin may not say, and one of an undo."""
    if outside := _outside(word, after):
        rule = residency_rule(target.policy)
        words = f"{target} may not be answered so: {'; '.join(map(reasoning.words, outside))}"
        remedy = f"pin regions inside; or, two people for 4h at most: --approve-with {rule}"
        raise OverrideError(words, reason="rule_broken", remedy=remedy)
    if word.id not in _pinned(after):
        words = f"no region of the pin serves at {target}: it would change nothing"
        raise _refused(word, words, "pin regions that serve; failoverctl status shows which do")
    good = before.state.of(target).last_good
    if word.undoes and good is not None:
        more = {name for name, share in word.shares.items() if share > good.shares.get(name, 0)}
        why = [reasoning.words(reason) for reason in unserved(word, after) if reason.region in more]
        if why and not more & after.decision.shares.keys():
            words = f"{word.undoes} at {target} cannot be taken back, for nothing would come back: {'; '.join(why)}"
            up = "failoverctl up REGION/ADDRESS --reason TEXT --for 1h"
            raise _refused(word, words, f"wait until it serves; if it does, and the probes are wrong: {up}")


def _outside(pin: Override, found: Outcome) -> tuple[Reason, ...]:
    """The regions of a pin that are outside of the residency."""
    named = {name for name, share in pin.shares.items() if share}
    return tuple(each for each in found.reasons if each.code is ReasonCode.RESIDENCY and each.region in named)


def unserved(pin: Override, found: Outcome) -> tuple[Reason, ...]:
    """Why regions get nothing of what a pin gives them."""
    gone = {name for name, share in pin.shares.items() if share and not found.decision.shares.get(name)}
    return tuple(reason for reason in found.reasons if reason.code.traits.keeps_out and reason.region in gone)


_NOBODY_SERVES: Final = frozenset(
    {*ALL_DOWN, DecisionKind.HOLD_NO_VERDICT, DecisionKind.EVICTED, DecisionKind.HOLD_NOBODY_ALLOWED}
)


def _broken(found: Outcome) -> tuple[LimitCheck, ...]:
    return (
        tuple(check for check in found.held.blocking if check.limit not in _SLOWING) if found.held is not None else ()
    )


def _named(check: LimitCheck) -> tuple[object, ...]:
    return check.limit, check.allowed, check.rule


def _pinned(found: Outcome) -> str:
    return " ".join(reason.detail for reason in found.reasons if reason.code is ReasonCode.PINNED)


def _refused(word: Override, why: str, remedy: str) -> OverrideError:
    return OverrideError(f"{word.verb} of {word.scope.text()}: {why}", reason="override_refused", remedy=remedy)


def people_for(rules: Iterable[Rule], names: Iterable[str]) -> int:
    """How many people have to agree to breaking the rules of these names.

    Raises:
        OverrideError: there is no such rule.
    """
    known = {rule.name: rule.people for rule in rules}
    wanted = tuple(names)
    for name in wanted:
        if name not in known:
            words = f"there is no rule {name[:80]!r} in the inventory; there are: {', '.join(sorted(known)) or 'none'}"
            raise OverrideError(words, reason="override_invalid", remedy="name the rule that the refusal names")
    return max((known[name] for name in wanted), default=1)


def slower(found: Outcome) -> tuple[LimitCheck, ...]:
    """The limits that had the step made smaller."""
    checks = found.approved.checks if found.approved is not None else ()
    return tuple(check for check in checks if check.note is LimitNote.SMALLER)
