"""What policies promise in any situation, each held against what was decided and what stands there: not by its reasons.

They are the rules of a decision that never bend, told once more in other words than the stages of `evaluate` tell them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import Plan
from failoverd.core.health.region import RegionState
from failoverd.core.overrides import Verb
from failoverd.core.reasons import LimitKind
from failoverd.core.records import OnDrift, Policy, Target, percentages
from failoverd.core.rules import Assertion
from failoverd.simulation.crowding import crowded
from failoverd.simulation.worksheet import Worksheet


class Promise(StrEnum):
    KNOWN = "known"  # nothing is written before it is known, and what is lost from sight keeps what it has
    NEVER_EMPTY = "never_empty"  # an answer has something in it
    RESIDENCY = "residency"  # nobody answers who is not allowed to
    FAILING_OUT = "failing_out"  # what is down leaves at once, whatever was changed before
    MIN_REGIONS = "min_regions"  # no change leaves fewer regions in the answer than the limit asks for
    RULES = "rules"  # no change breaks an assertion of the inventory further
    TIERS = "tiers"  # a lower tier gets nothing of what a higher one lacks
    ROOM = "room"  # no region has more than it can carry while another that may be used has room
    CONVERGENCE = "convergence"  # once all is well again, time alone leads back to the normal shares, by few changes


SAYS: Final[Mapping[Promise, str]] = {
    Promise.KNOWN: "nothing is written before it is known",
    Promise.NEVER_EMPTY: "no answer is ever empty",
    Promise.RESIDENCY: "residency is never left",
    Promise.FAILING_OUT: "no rate or count keeps a region that is down in an answer",
    Promise.MIN_REGIONS: "no change leaves fewer regions than min_regions asks for",
    Promise.RULES: "no change breaks an assertion of the inventory",
    Promise.TIERS: "a lower tier gets nothing of what a higher one lacks",
    Promise.ROOM: "no region has more than it can carry while another one has room",
    Promise.CONVERGENCE: "once all is well, the normal shares come back by themselves",
}
"""Each as one sentence."""

_STANDS: Final = frozenset({OutcomeKind.HOLD, OutcomeKind.LIMITED, OutcomeKind.DRIFT, OutcomeKind.REFUSE})
"""Outcomes of what is not done, or not yet: a hold, a ration, somebody's edit."""

_DECIDED: Final = frozenset({DecisionKind.NORMAL, DecisionKind.FAILOVER, DecisionKind.OPERATOR})
"""Kinds of decisions by which regions get what they get."""

_ROUNDED: Final = 3
"""Basis points by which shares may be rounded otherwise."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that is not kept.

    Attributes:
        promise: which.
        target: where.
        said: how, in words.
        outcome: the last look at it, with the sum.
    """

    promise: Promise
    target: Target
    said: str
    outcome: Outcome


def at_once(sheet: Worksheet) -> Iterator[Broken]:
    """What has to be so after each look, whatever has happened."""
    for target, outcome in sheet.outcomes.items():
        policy, shares = sheet.policies[target.policy], sheet.shares(target)
        if not shares:
            yield Broken(Promise.NEVER_EMPTY, target, "nothing is answered", outcome)
        if outside := _outside(policy, shares):
            said = f"{', '.join(outside)} answers, outside of {', '.join(policy.residency)}"
            yield Broken(Promise.RESIDENCY, target, said, outcome)
        dead = [name for name in shares if name in sheet.regions and sheet.regions[name].state is RegionState.DOWN]
        if kept := [name for name in dead if not _reported(policy, outcome) and _rationed(outcome, name)]:
            said = f"{', '.join(kept)} is down and still answers: {percentages(shares)}"
            yield Broken(Promise.FAILING_OUT, target, said, outcome)
    yield from _badly_written(sheet)


def unknown(sheet: Worksheet) -> Iterator[Broken]:
    """What has to be so while nobody knows how a region is: that is neither ill nor well."""
    lost = {name: region for name, region in sheet.regions.items() if region.state is RegionState.UNKNOWN}
    for plan in sheet.written:
        outcome, before, after = sheet.outcomes[plan.target], plan.shares_before, plan.shares_after
        never = [name for name in lost if lost[name].known is RegionState.UNKNOWN]
        if before and before != after and (mine := [name for name in never if name in before]):
            said = f"{_moved(plan)}, and nobody has seen {', '.join(sorted(mine))} yet"
            yield Broken(Promise.KNOWN, plan.target, said, outcome)
        elif moved := [name for name in lost if abs(before.get(name, 0) - after.get(name, 0)) > _ROUNDED]:
            said = f"{_moved(plan)}, and {', '.join(sorted(moved))} is lost from sight"
            yield Broken(Promise.KNOWN, plan.target, said, outcome)


def settled(sheet: Worksheet) -> Iterator[Broken]:
    """What has to be so once everything is done that was due, and nothing is held, or left to a person."""
    yield from _left_behind(sheet)
    if any(word.verb is Verb.SHED and word.in_force(sheet.now) for word in sheet.words):
        return  # what does not fit goes elsewhere, for a person said that it may not be there
    if any(each.kind in _STANDS or each.decision.kind is DecisionKind.OPERATOR for each in sheet.outcomes.values()):
        return
    claims = [claim for claim, _ in sheet.shared.standing.values()]
    first = {name: policy.targets[0] for name, policy in sheet.policies.items()}
    tiers = {name: policy.tier for name, policy in sheet.policies.items()}
    for found in crowded(claims, lambda name: sheet.shares(first[name]), tiers):
        promise = Promise.ROOM if found.tier == max(tiers.values()) else Promise.TIERS
        said = (
            f"{found.region} is sent {found.load:g} and can carry {found.room:g}, while {found.elsewhere} "
            f"has room for {found.left:g} of it"
        )
        yield Broken(promise, first[found.policy], said, sheet.outcomes[first[found.policy]])
        return  # one region that has too much is enough


def astray(sheet: Worksheet, normal: Mapping[Target, Mapping[str, int]], most: Mapping[str, int]) -> Iterator[Broken]:
    """Who is not back at the normal shares, or needed more changes for it than `most`, by policy."""
    for target, outcome in sheet.outcomes.items():
        policy, shares = sheet.policies[target.policy], sheet.shares(target)
        if policy.cost is None and _differ(shares, normal[target]):
            said = f"{percentages(shares)} a day later, and not {percentages(normal[target])}"
            yield Broken(Promise.CONVERGENCE, target, said, outcome)
        changes = sum(plan.target == target for plan in sheet.written)
        if changes > most[policy.name]:
            said = f"{changes} changes to get back, more than {most[policy.name]}"
            yield Broken(Promise.CONVERGENCE, target, said, outcome)


def _differ(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return any(abs(one.get(name, 0) - other.get(name, 0)) > _ROUNDED for name in {*one, *other})


def _outside(policy: Policy, shares: Mapping[str, int]) -> list[str]:
    if not policy.residency:
        return []
    places = [each for each in (policy.shed_to, policy.when_all_down_place) if each is not None]
    home = {spec.name for spec in policy.regions if spec.jurisdiction in policy.residency}
    home |= {place.name for place in places if place.jurisdiction in policy.residency}
    return sorted(name for name, share in shares.items() if share and name not in home)


def _reported(policy: Policy, outcome: Outcome) -> bool:
    """Whether somebody's edit stands there, and the file says that it is to stay."""
    return outcome.kind is OutcomeKind.DRIFT and policy.on_drift is OnDrift.REPORT


def _rationed(outcome: Outcome, region: str) -> bool:
    """Whether a region is to leave and is there, with nothing in the way but a rate or a count; or nothing at all."""
    if outcome.decision.kind not in _DECIDED:
        return False
    if outcome.decision.shares.get(region):
        return False  # nobody else is left, or a person says that it is up
    kept_by = outcome.held.blocking if outcome.held is not None else ()
    return all(check.limit.kind is LimitKind.RATE for check in kept_by)


def _left_behind(sheet: Worksheet) -> Iterator[Broken]:
    """What is down and still answers long after, whatever the decision calls that, while somebody who may serves."""
    if sheet.words:
        return
    down = {name for name, region in sheet.regions.items() if region.state is RegionState.DOWN}
    seen = {name for name, region in sheet.regions.items() if region.state is not RegionState.UNKNOWN}
    for target, outcome in sheet.outcomes.items():
        policy, shares = sheet.policies[target.policy], sheet.shares(target)
        others = [each.name for each in policy.regions if each.answers(target.key.type) and each.name in seen - down]
        others = [name for name in others if name not in _outside(policy, {name: 1})]
        kept_by = outcome.held.blocking if outcome.held is not None else ()
        excused = (
            _reported(policy, outcome)
            or policy.model is not None
            or any(check.limit.kind is not LimitKind.RATE for check in kept_by)
        )
        if others and not excused and (kept := sorted(down.intersection(shares))):
            said = f"{', '.join(kept)} is down for long and still answers: {percentages(shares)}"
            yield Broken(Promise.FAILING_OUT, target, said, outcome)


def _badly_written(sheet: Worksheet) -> Iterator[Broken]:
    for plan in sheet.written:
        if not plan.shares_before or plan.shares_before == plan.shares_after:
            continue
        outcome, policy = sheet.outcomes[plan.target], sheet.policies[plan.target.policy]
        before, after = (sum(1 for share in each.values() if share) for each in (plan.shares_before, plan.shares_after))
        if after < min(before, policy.limits.min_regions):
            said = f"{_moved(plan)}, and min_regions asks for {policy.limits.min_regions}"
            yield Broken(Promise.MIN_REGIONS, plan.target, said, outcome)
        for rule in sheet.rules:
            if not isinstance(rule.says, Assertion) or not rule.binds(policy.name):
                continue
            met, had = rule.says.met(plan.shares_after), rule.says.met(plan.shares_before)
            waited = any(each.since + rule.else_after <= plan.decision.at for each in sheet.regions.values())
            if met < min(had, rule.says.at_least) and not waited:
                yield Broken(Promise.RULES, plan.target, f"{_moved(plan)}, and {rule.name} asks for more", outcome)


def _moved(plan: Plan) -> str:
    return f"{percentages(plan.shares_before)} became {percentages(plan.shares_after)}"
