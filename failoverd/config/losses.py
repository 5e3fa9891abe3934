"""What becomes of a policy when a region is lost, or slow, or a whole cloud is lost: played through the real decision.

Nothing may keep what is down in the answer. Rates and counts never do; `min_regions` can, and an assertion of the
inventory does for a while: that is told here, before the night on which it happens. And nothing may promise less
traffic for what is slow or full where no record can say so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from failoverd.config.diagnostics import Code, Diagnostic, Severity
from failoverd.config.documents import Document
from failoverd.config.tree import Place
from failoverd.config.values import say_duration, say_percent
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome, OutcomeKind
from failoverd.core.control.state import PolicyState
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.reasons import Limit, LimitCheck, ReasonCode
from failoverd.core.records import (
    WHOLE,
    Answer,
    Marker,
    Observed,
    Policy,
    RecordSet,
    RecordSpec,
    RecordType,
    Weights,
    WhenDegraded,
)
from failoverd.core.rules import Assertion, Rule

_OWNER, _NOW = "check", 0.0


def losses(policy: Policy, document: Document) -> Iterator[Diagnostic]:
    """The loss that a limit would hold for the most: what lets it pass lets the others pass, too."""
    if policy.limits.min_regions <= 1:
        return  # an answer is never empty, so that whatever is left is enough
    held = list(_blocked(policy, Limit.MIN_REGIONS))
    if not held:
        return
    record, lost, worst = min(held, key=lambda each: each[2].found)
    left = int(worst.found)
    message = (
        f"losing {' and '.join(sorted(lost))} leaves {left} of the regions of {record.key}, fewer than the "
        f"{policy.limits.min_regions} of min_regions: what is down would stay in the answer until a person acts"
    )
    yield document.diagnose(Code.LIMIT_BLOCKS, ("limits", "min_regions"), message, f"write min_regions: {max(left, 1)}")


def _blocked(
    policy: Policy, limit: Limit, rules: tuple[Rule, ...] = ()
) -> Iterator[tuple[RecordSpec, frozenset[str], LimitCheck]]:
    """The losses that a limit holds: of which record, of which regions, and what it found."""
    for play in (_Play(policy, record, rules) for record in policy.records):
        for lost in _losses(policy, play.record.key.type):
            outcome = play.when(dict.fromkeys(lost, RegionState.DOWN))
            if outcome is not None and outcome.held is not None:
                yield from ((play.record, lost, each) for each in outcome.held.blocking if each.limit is limit)


Written = Callable[[Rule], tuple[Document, Place]]
"""Where a rule is written."""


def unruled(policy: Policy, rules: Sequence[Rule], written: Written) -> Iterator[Diagnostic]:
    """The assertions that the policy breaks on a normal day, and what the others do to what is lost."""
    for rule in rules:
        if isinstance(rule.says, Assertion) and rule.binds(policy.name):
            document, place = written(rule)
            unmet = next((found for record in policy.records if (found := _unmet(policy, record, rule.says))), "")
            if unmet:
                message = f"policy {policy.name} can never be within rule {rule.name}: {unmet}"
                hint = "leave this policy out of the rule's `policies`, or lower its at_least or share"
                yield document.diagnose(Code.RULE_UNMET, (*place, "assert", "at_least"), message, hint)
            else:
                yield from _kept(policy, rule, document, place)


def _unmet(policy: Policy, record: RecordSpec, says: Assertion) -> str:
    """Why a record breaks an assertion on a normal day; "" if it does not."""
    kind = record.key.type
    able = says.groups(spec.name for spec in policy.regions if any(end.answer(kind) for end in spec.endpoints))
    if able < says.at_least:
        return f"its regions can answer {record.key} for {able} of the groups, and the rule asks for {says.at_least}"
    normal = when_all_is_well(policy, record).plan
    met = says.met(normal.shares_after) if normal is not None else says.at_least
    if met < says.at_least:
        return (
            f"{record.key} is answered by {met} of the groups when all is well, and the rule asks for {says.at_least}"
        )
    return ""


def _kept(policy: Policy, rule: Rule, document: Document, place: Place) -> Iterator[Diagnostic]:
    """The losses of a region, or of a cloud, that an assertion keeps in the answer for a while."""
    kept = {" and ".join(sorted(lost)): check for _, lost, check in _blocked(policy, Limit.ASSERTION, (rule,))}
    if not kept:
        return
    left = min(kept.values(), key=lambda check: check.found)
    message = (
        f"losing {', or '.join(kept)} breaks rule {rule.name} for policy {policy.name} ({left.found:g} of its groups "
        f"would be left, of at least {left.allowed:g}): what is down stays in the answer for "
        f"{say_duration(rule.else_after)}, unless a person approves the plan before"
    )
    hint = "else_after says for how long; with 0s it leaves at once"
    yield document.diagnose(Code.RULE_KEEPS, (*place, "assert"), message, hint, key=True, severity=Severity.WARNING)


def drained(policy: Policy, regions: frozenset[str], rules: tuple[Rule, ...] = ()) -> str:
    """Why a policy cannot bear that these regions are drained on a normal day; "" if it can."""
    scope = Scope(regions=tuple(sorted(regions)))
    word = Override("drain-00000000", Verb.DRAIN, scope, _OWNER, _NOW - 1, _NOW + 1, now=True)  # with all of it done
    names = " and ".join(sorted(regions))
    for record in policy.records:
        outcome = _Play(policy, record, rules).when({}, (word,))
        if outcome is None:
            continue
        codes = {reason.code: reason for reason in outcome.reasons}
        if ReasonCode.NOBODY_LEFT in codes:
            return f"without {names} nobody is left to answer {record.key}"
        if (over := codes.get(ReasonCode.OVERLOAD)) is not None:
            rest = say_percent(round(over.numbers["rest"]))
            return f"without {names} the other regions cannot carry {rest} of the demand on {record.key}"
        if outcome.held is not None:
            return f"without {names} {record.key} would be held: {_told(outcome.held.blocking[0])}"
    return ""


def leaving(policy: Policy, regions: frozenset[str], rules: tuple[Rule, ...] = ()) -> LimitCheck | None:
    """The rate by which these regions are left in steps when they are drained on a normal day; None if at once."""
    scope = Scope(regions=tuple(sorted(regions)))
    word = Override("drain-00000000", Verb.DRAIN, scope, _OWNER, _NOW - 1, _NOW + 1)
    found = (_Play(policy, record, rules).when({}, (word,)) for record in policy.records)
    checks = (
        check
        for outcome in found
        if outcome is not None
        for each in (outcome.approved, outcome.held)
        if each is not None
        for check in each.checks
    )
    rates = (check for check in checks if check.limit is Limit.MAX_SHIFT and check.holds_back)
    return max(rates, key=lambda check: check.found, default=None)


def _told(check: LimitCheck) -> str:
    named = f"{check.limit} {check.rule}" if check.rule else str(check.limit)
    return f"{named} finds {check.found:g}, and asks for {check.allowed:g}"


_ASKS: Final = ("slow", "degraded", "preset", "slow_first_answer", "min_tokens_per_second", "inference")
"""Settings of checks with which a policy asks for a region to be DEGRADED."""


def unheeded(policy: Policy, document: Document) -> Iterator[Diagnostic]:
    """The first setting that asks for less traffic, where a region would keep all of it while it is DEGRADED."""
    places: list[tuple[str, ...]] = [("checks", check.name, key) for check in policy.checks for key in _ASKS]
    places += [("health", "degraded_below"), ("health", "degraded"), ("signals", "errors"), ("signals", "room")]
    if policy.degraded is WhenDegraded.OUT:
        places.insert(0, ("degraded",))
    said = next((place for place in places if document.knows(place)), None)
    if said is None:
        return
    keeps = next((kept for record in policy.records for kept in _keeping(policy, record)), None)
    if keeps is None:
        return
    name, outcome = keeps
    record = policy.record_of(outcome.decision.target)
    why = "one answer at a time" if record.single else "who is in the answer, and not how much"
    asks = ".".join(map(str, said))
    message = f"{asks} takes no traffic away: {record.key} says {why}, so {name} keeps its own while DEGRADED"
    message += _against(outcome)
    yield document.diagnose(
        Code.UNHEEDED, said, message, _instead(policy, record, name), key=True, severity=Severity.WARNING
    )


def _against(outcome: Outcome) -> str:
    """What keeps a DEGRADED region in the answer that is to be out; "" where nobody said that."""
    kept = (reason for reason in outcome.reasons if reason.code is ReasonCode.DEGRADED_KEPT)
    found = next(kept, None)
    return f", for {_SPEAKS.get(found.rule, found.rule)}" if found is not None else ""


_SPEAKS: Final = {
    "regions": "nobody else could answer",
    "limits.min_regions": "limits.min_regions asks for as many regions as there are",
    "demand": "the others have too little room",
    "capacity": "it is not known what the others can carry",
}


def _instead(policy: Policy, record: RecordSpec, name: str) -> str:
    """What would move traffic."""
    fails = "what is to move traffic has to fail the check (timeout, or fail of metrics)"
    elsewhere = "publish the record at a provider with weights of its own"
    out = replace(policy, degraded=WhenDegraded.OUT)
    if policy.degraded is WhenDegraded.KEEP and name not in {kept for kept, _ in _keeping(out, record)}:
        return f"write degraded: out, and it leaves the answer while the others have room; or {elsewhere}"
    return f"{fails}; or {elsewhere}"


def _keeping(policy: Policy, record: RecordSpec) -> Iterator[tuple[str, Outcome]]:
    """The regions whose part of the answer is the same while they alone are DEGRADED, and what is decided then."""
    if policy.weights is Weights.NATIVE and not record.single:
        return
    play = _Play(policy, record)
    for spec in policy.regions:
        outcome = play.when({spec.name: RegionState.DEGRADED})
        if outcome is not None and outcome.kind is OutcomeKind.IN_SYNC:
            yield spec.name, outcome


def _losses(policy: Policy, record_type: RecordType) -> Iterator[frozenset[str]]:
    """Each region that can answer, and each cloud of several, as long as anything is left."""
    specs = [spec for spec in policy.regions if any(end.answer(record_type) is not None for end in spec.endpoints)]
    together = [frozenset({spec.name}) for spec in specs]
    clouds = sorted({spec.cloud for spec in specs} - {""})
    together.extend(frozenset(spec.name for spec in specs if spec.cloud == cloud) for cloud in clouds)
    for lost in dict.fromkeys(together):
        if len(lost) < len(specs):
            yield lost


class _Play:
    """All is well and published at a record; then some of its regions are ill."""

    def __init__(self, policy: Policy, record: RecordSpec, rules: tuple[Rule, ...] = ()) -> None:
        self.record = record
        self._policy = policy
        self._rules = rules
        self._normal = when_all_is_well(policy, record).plan

    def when(self, ill: Mapping[str, RegionState], words: tuple[Override, ...] = ()) -> Outcome | None:
        """What is done about these, and about what operators say. None when the record answers with none of them."""
        policy, kind, normal = self._policy, self.record.key.type, self._normal
        if normal is None or not (words or any(normal.shares_after.get(name) for name in ill)):
            return None
        marker = Marker(_OWNER, policy.name, 1, (kind,))
        stands = Observed(normal.target, normal.after, marker, marker.to_text())
        then = PolicyState(policy.name, verdicts={kind: _regions(policy, kind, ill)}, overrides=words)
        return evaluate(policy, then, stands, _estate(policy, self._rules), _NOW)


def when_all_is_well(policy: Policy, record: RecordSpec) -> Outcome:
    """What is published when nothing stands there yet and every region is well, by a provider that says any weight."""
    well = PolicyState(policy.name, verdicts={record.key.type: _regions(policy, record.key.type, {})})
    return evaluate(policy, well, Observed(record.targets[0], None), _estate(policy), _NOW)


def _estate(policy: Policy, rules: tuple[Rule, ...] = ()) -> Estate:
    return Estate(_OWNER, _members if policy.weights is Weights.MEMBERSHIP else _as_it_is, rules=rules)


def _regions(policy: Policy, record_type: RecordType, ill: Mapping[str, RegionState]) -> Mapping[str, RegionHealth]:
    found = {}
    for spec in policy.regions:
        values = [value for end in spec.endpoints if (value := end.answer(record_type)) is not None]
        if not values:
            continue
        state = ill.get(spec.name, RegionState.HEALTHY)
        slow = state is RegionState.DEGRADED
        kept, score = (state, WHOLE // 2) if slow else (RegionState.HEALTHY, WHOLE)
        serves = RegionHealth(spec.name, kept, score, since=-1e9, well_since=-1e9, serving=tuple(sorted(values)))
        found[spec.name] = serves.lost(-1e9) if state is RegionState.DOWN else serves
    return found


def _members(desired: RecordSet) -> RecordSet:
    """In or out, as providers without weights say it."""
    return RecordSet(desired.key, desired.ttl, tuple(Answer(answer.value, 1) for answer in desired.serving))


def _as_it_is(desired: RecordSet) -> RecordSet:
    return desired
