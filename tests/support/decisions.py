"""Worked examples of decisions, as a page tells them: files, what happens when, and what is answered then.

Everything that decides is the real thing: the files are loaded, claims are shared out over all policies, each policy is
evaluated, and what is approved is written and read back. Only probes and DNS are on paper.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.files import Folder
from support.sums import redone, said_shares

from failoverd.config.values import parse_percent
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import Outcome
from failoverd.core.health.region import RegionState
from failoverd.core.records import Policy, Target
from failoverd.settings import parse_duration
from failoverd.simulation.worksheet import Worksheet

NOON = 1_800_000_000.0
"""When each example begins. Everything is well by then, and has been for long."""

_TICK = 30.0

_BASE = {
    "version": 1,
    "checks": {"live": {"look": "/health"}},
    "limits": {"max_changes": "60 per 1h"},
}


@dataclass
class Example:
    """One example at work. `outcomes` are the last of each policy."""

    folder: Path
    said: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.sheet = Worksheet(self._load(), NOON)

    @property
    def policies(self) -> Mapping[str, Policy]:
        return self.sheet.policies

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        return {name: self.sheet.outcomes[_target(policy)] for name, policy in self.policies.items()}

    def play(self) -> None:
        """Everything that the example says, in order. Raises AssertionError where it is not so."""
        for step in self.said["steps"]:
            self.sheet.wait(NOON + parse_duration(step["at"]), _TICK)
            self.forget()
            for name, health in step.get("health", {}).items():
                self._turn(name, str(health))
            for name, latency in step.get("latency", {}).items():
                self.sheet.connects(name, parse_duration(latency))
            self.sheet.look()
            self._compare(step)

    def turn(self, region: str, health: str) -> None:
        """A region turns, and everybody looks."""
        self._turn(region, health)
        self.sheet.look()

    def measure(self, policies: Mapping[str, Policy]) -> None:
        """The same policies with other demands, as they were measured now; and everybody looks."""
        self.sheet.measure(policies)

    def forget(self) -> None:
        """What was written until now is not counted."""
        self.sheet.written.clear()

    @property
    def written(self) -> int:
        """How many changes were made since."""
        return len(self.sheet.written)

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
        self.sheet.turn(name, RegionState(word), parse_percent(score) if score else None)

    # -- what is said of it --------------------------------------------------------------------------------------------

    def _compare(self, step: Mapping[str, Any]) -> None:
        at = step["at"]
        for name, shares in step.get("shares", {}).items():
            assert self.shares(name) == shares, f"{name} at {at}"
        for name, codes in step.get("reasons", {}).items():
            found = {reason.code.value for reason in self.outcomes[name].decision.reasons}
            assert set(codes) <= found, f"{name} at {at}: {sorted(found)}"
        for name, cause in step.get("cause", {}).items():
            causes = [plan.cause for plan in self.sheet.written if plan.target.policy == name]
            assert cause in causes, f"{name} at {at}: {causes}"
        for name, kind in step.get("outcome", {}).items():
            assert self.outcomes[name].kind == kind, f"{name} at {at}: {self.outcomes[name].kind}"
        for outcome in self.outcomes.values():
            if outcome.decision.kind in {DecisionKind.NORMAL, DecisionKind.FAILOVER}:
                self._redo(outcome)

    def shares(self, name: str) -> dict[str, float]:
        """What a policy answers, in percent by region."""
        shares = self.sheet.shares(_target(self.policies[name]))
        return {region: share / 100 for region, share in shares.items()}

    @staticmethod
    def _redo(outcome: Outcome) -> None:
        """The reasons alone let the sum be done again."""
        again = redone(outcome.decision)
        for name, share in said_shares(outcome.decision).items():
            assert abs(again.get(name, 0.0) - share) < 0.02, (outcome.decision.target, again)


def _target(policy: Policy) -> Target:
    return policy.records[0].targets[0]
