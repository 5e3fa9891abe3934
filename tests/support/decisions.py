"""Worked examples of decisions, as a page tells them: files, what happens when, and what is answered then.

Everything that decides is the real thing: the files are loaded, claims are shared out over all policies, each policy is
evaluated, and what is approved is written and read back. Only probes and DNS are on paper.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from support.files import Folder
from support.scenes import OWNER
from support.stories import as_it_is
from support.sums import redone, said_shares

from failoverd.config.values import parse_percent
from failoverd.core.control import progress
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome
from failoverd.core.control.state import PolicyState
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.records import WHOLE, Observed, Policy, Target
from failoverd.runtime.estate import Shared
from failoverd.settings import parse_duration

NOON = 1_800_000_000.0
"""When each example begins. Everything is well by then, and has been for long."""

_SCORES = {RegionState.HEALTHY: WHOLE, RegionState.DEGRADED: WHOLE // 2, RegionState.DOWN: 0}

_BASE = {
    "version": 1,
    "checks": {"live": {"look": "/health"}},
    "limits": {"max_changes": "60 per 1h"},
}


@dataclass
class _Region:
    state: RegionState = RegionState.HEALTHY
    score: int = WHOLE
    since: float = NOON - 86_400.0
    well_since: float | None = NOON - 86_400.0
    latency: float | None = None


@dataclass
class Example:
    """One example at work. `outcomes` are the last of each policy."""

    folder: Path
    said: Mapping[str, Any]
    now: float = NOON
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.policies = self._load()
        self._regions: dict[str, _Region] = {name: _Region() for name in self.said["regions"]}
        self._states = {name: PolicyState(name) for name in self.policies}
        self._observed = {name: Observed(_target(policy), None) for name, policy in self.policies.items()}
        self._shared = Shared(self._state, lambda _: None)
        self._causes: dict[str, list[str]] = {name: [] for name in self.policies}
        for policy in self.policies.values():
            self._shared.put(policy)
        self._round()

    def play(self) -> None:
        """Everything that the example says, in order. Raises AssertionError where it is not so."""
        for step in self.said["steps"]:
            self._pass(NOON + parse_duration(step["at"]))
            for causes in self._causes.values():
                causes.clear()
            for name, health in step.get("health", {}).items():
                self._turn(name, str(health))
            for name, latency in step.get("latency", {}).items():
                self._regions[name].latency = parse_duration(latency)
            self._round()
            self._compare(step)

    def turn(self, region: str, health: str) -> None:
        """A region turns, and everybody looks."""
        self._turn(region, health)
        self._round()

    def measure(self, policies: Mapping[str, Policy]) -> None:
        """The same policies with other demands, as they were measured now; and everybody looks."""
        self.policies = policies
        for policy in policies.values():
            self._shared.put(policy)
        self._round()

    def forget(self) -> None:
        """What was written until now is not counted."""
        for causes in self._causes.values():
            causes.clear()

    @property
    def written(self) -> int:
        """How many changes were made since."""
        return sum(map(len, self._causes.values()))

    # -- files ---------------------------------------------------------------------------------------------------------

    def _load(self) -> Mapping[str, Policy]:
        folder = Folder(self.folder)
        regions = {name: {"cloud": name.partition("-")[0], **said} for name, said in self.said["regions"].items()}
        inventory = {"version": 1, "regions": regions, **self.said.get("inventory", {})}
        folder.write("regions.yaml", json.dumps(inventory))
        for number, (name, said) in enumerate(self.said["policies"].items()):
            named = {
                region: {"endpoints": [f"10.{number}.{place}.1"], **entry}
                for place, (region, entry) in enumerate(said["regions"].items())
            }
            record = {"name": f"{name}.example.net", "type": "A", "ttl": "30s", "providers": ["cloud"]}
            text = {**_BASE, "policy": name, "records": [record], **said, "regions": named}
            folder.write(f"{name}.yaml", json.dumps(text))
        found = folder.load()
        assert set(found.policies) == set(self.said["policies"]), [str(each) for each in found.diagnostics]
        return found.policies

    # -- what happens --------------------------------------------------------------------------------------------------

    def _turn(self, name: str, health: str) -> None:
        """`healthy`, `down`, or `degraded 62.5%`."""
        word, _, score = health.partition(" ")
        state, region = RegionState(word), self._regions[name]
        region.state, region.since = state, self.now
        region.score = parse_percent(score) if score else _SCORES[state]
        well = state is not RegionState.DOWN
        region.well_since = (region.well_since if region.well_since is not None else self.now) if well else None

    def _state(self, policy: Policy) -> PolicyState:
        health = {}
        for spec in policy.regions:
            found = self._regions[spec.name]
            values = tuple(sorted(str(end.answer(_target(policy).key.type)) for end in spec.endpoints))
            health[spec.name] = RegionHealth(
                spec.name,
                found.state,
                found.score,
                since=found.since,
                well_since=found.well_since,
                serving=values if found.state is not RegionState.DOWN else (),
                failing_since=found.since if found.state is RegionState.DOWN else None,
                passed_at=self.now if found.state is not RegionState.DOWN else None,
                latency=found.latency,
            )
        calm = all(each.state is RegionState.HEALTHY for each in health.values())
        state = replace(self._states[policy.name], verdicts={_target(policy).key.type: health}, calm=calm)
        if calm or state.incident is not None:
            return state
        return progress.opened(policy, state, "example", self.now)[0]

    def _pass(self, moment: float) -> None:
        """Time passes, with a look whenever an outcome asks for one, and at each tick."""
        while True:
            asked = [each.until for each in self.outcomes.values() if each.until is not None and each.until > self.now]
            then = min([*asked, self.now + 30.0])
            if then > moment:
                break
            self.now = then
            self._round()
        self.now = moment

    def _round(self) -> None:
        """Look at every policy until none writes any more: the most important first, as they are woken."""
        for policy in self.policies.values():
            self._shared.touch(policy.name)
        for _ in range(10):
            if not any(self._looks()):
                return
        raise AssertionError("policies that answer each other without end")

    def _looks(self) -> list[bool]:
        return [self._look(policy) for policy in sorted(self.policies.values(), key=lambda each: each.tier)]

    def _look(self, policy: Policy) -> bool:
        state = self._state(policy)
        grant, usual = self._shared.grants(policy, state, self.now)
        estate = Estate(OWNER, as_it_is, grant=grant, usual=usual, spare=self._shared.spare(policy))
        outcome = evaluate(policy, state, self._observed[policy.name], estate, self.now)
        self._states[policy.name], self.outcomes[policy.name] = outcome.state, outcome
        if outcome.approved is None:
            return False
        plan = outcome.approved.plan
        self._causes[policy.name].append(plan.cause.value)
        began = progress.began(outcome.state, plan)
        self._observed[policy.name] = Observed(plan.target, plan.after, plan.marker, plan.marker_text)
        self._states[policy.name] = progress.applied(policy, began, plan, self.now)[0]
        return True

    # -- what is said of it --------------------------------------------------------------------------------------------

    def _compare(self, step: Mapping[str, Any]) -> None:
        at = step["at"]
        for name, shares in step.get("shares", {}).items():
            assert self.shares(name) == shares, f"{name} at {at}"
        for name, codes in step.get("reasons", {}).items():
            found = {reason.code.value for reason in self.outcomes[name].decision.reasons}
            assert set(codes) <= found, f"{name} at {at}: {sorted(found)}"
        for name, cause in step.get("cause", {}).items():
            assert cause in self._causes[name], f"{name} at {at}: {self._causes[name]}"
        for name, kind in step.get("outcome", {}).items():
            assert self.outcomes[name].kind == kind, f"{name} at {at}: {self.outcomes[name].kind}"
        for outcome in self.outcomes.values():
            if outcome.decision.kind in {DecisionKind.NORMAL, DecisionKind.FAILOVER}:
                self._redo(outcome)

    def shares(self, name: str) -> dict[str, float]:
        """What a policy answers, in percent by region."""
        found, policy = self._observed[name].records, self.policies[name]
        shares = found.shares(policy.region_of(_target(policy).key.type)) if found is not None else {}
        return {region: share / 100 for region, share in shares.items()}

    @staticmethod
    def _redo(outcome: Outcome) -> None:
        """The reasons alone let the sum be done again."""
        again = redone(outcome.decision)
        for name, share in said_shares(outcome.decision).items():
            assert abs(again.get(name, 0.0) - share) < 0.02, (outcome.decision.target, again)


def _target(policy: Policy) -> Target:
    return policy.records[0].targets[0]
