"""Worked examples of decisions, as a page tells them: files, what happens when, and what is answered then.

Everything that decides is the real thing: the files are loaded, claims are shared out over all policies, each policy is
evaluated, and what is approved is written and read back. Only probes and DNS are on paper.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from support.files import CONFIG, Folder
from support.sums import redone, said_shares

from failoverd.config.values import parse_percent
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import Outcome
from failoverd.core.control.readings import FigureQuestion, FigureRole, asks, taken
from failoverd.core.control.signals import judged
from failoverd.core.control.state import PolicyState
from failoverd.core.health.endpoint import Health, Verdict, combined
from failoverd.core.health.region import RegionHealth, RegionState, roll_up
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import WHOLE, Model, Policy, RecordSet, RecordType, RegionSpec, Target
from failoverd.settings import parse_duration
from failoverd.simulation.worksheet import Worksheet

NOON = 1_800_000_000.0
"""When each example begins. Everything is well by then, and has been for long."""

_TICK = 30.0

_EVERY = 15.0
"""Seconds between two questions to whoever measures."""

_MANY = 1e6
"""Requests of which a ratio of errors is certain."""

_SOURCES = "prometheus: {main: {url: 'https://prometheus.example.com', every: 15s}}\n"

_BASE = {
    "version": 1,
    "checks": {"live": {"look": "/health"}},
    "limits": {"max_changes": "60 per 1h"},
}


class _Page(Worksheet):
    """With what a page says besides: endpoints that differ, models that are seen, and what is measured."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self.endpoints: dict[str, tuple[tuple[Health, ...], ...]] = {}
        self.served: dict[str, tuple[Model, ...]] = {}
        self.figures: dict[str, Mapping[str, Any]] = {}
        super().__init__(policies, NOON)

    def health(self, policy: Policy, spec: RegionSpec, kind: RecordType) -> RegionHealth:
        health = super().health(policy, spec, kind)
        if spec.name in self.endpoints:
            latency, before = health.latency, self.states[policy.name].regions(kind).get(spec.name)
            health = replace(self._rolled_up(policy, spec, before), latency=latency)
        down = health.state is RegionState.DOWN
        return replace(
            health,
            failing_since=health.since if down else None,
            passed_at=None if down else self.now,
            served=self.served.get(spec.name, ()),
        )

    def _rolled_up(self, policy: Policy, spec: RegionSpec, before: RegionHealth | None) -> RegionHealth:
        """The health of a region whose endpoints differ: each by its checks, and the region by their weights."""
        kind, rules = _target(policy).key.type, policy.health
        states = [combined(each, rules.needed(len(each))) for each in self.endpoints[spec.name]]
        judged_so = [
            (str(end.answer(kind)), Verdict(each, self.now, "live", ProbeReason.OK, ""))
            for end, each in zip(spec.endpoints, states, strict=True)
        ]
        return roll_up(spec.name, judged_so, before, rules, self.now, spec.weights)

    def measured(self, policy: Policy, state: PolicyState) -> PolicyState:
        """With what is measured now; where nobody answers any more, with what was answered last."""
        figures, readings = self.figures.get(policy.name, {}), dict(state.signalled.readings)
        for ask in asks(policy):
            values = _values(ask, figures)
            reading = taken(ask, readings, values, _EVERY, self.now) if values is not None else None
            if reading is not None:
                readings[ask.key] = reading
        down = frozenset(
            name
            for regions in state.verdicts.values()
            for name, health in regions.items()
            if health.state is RegionState.DOWN
        )
        return replace(state, signalled=judged(policy, state.signalled, readings, down, self.now))


@dataclass
class Example:
    """One example at work. `outcomes` are the last of each policy."""

    folder: Path
    said: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.sheet = _Page(self._load())

    @property
    def now(self) -> float:
        return self.sheet.now

    @now.setter
    def now(self, moment: float) -> None:
        self.sheet.now = moment

    @property
    def policies(self) -> Mapping[str, Policy]:
        return self.sheet.policies

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """The last of each policy."""
        return {name: self.sheet.outcomes[_target(policy)] for name, policy in self.policies.items()}

    def play(self) -> None:
        """Everything that the example says, in order. Raises AssertionError where it is not so."""
        for step in self.said["steps"]:
            self.sheet.wait(NOON + parse_duration(step["at"]), _TICK)
            self.forget()
            self._happens(step)
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
        (folder.root / "failoverd.yaml").write_text(CONFIG + _SOURCES)
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

    def _happens(self, step: Mapping[str, Any]) -> None:
        for name, health in step.get("health", {}).items():
            self._turn(name, str(health))
        for name, latency in step.get("latency", {}).items():
            self.sheet.connects(name, parse_duration(latency))
        for name, found in step.get("endpoints", {}).items():
            self.sheet.endpoints[name] = tuple(_of_checks(each) for each in found)
        for name, model in step.get("serves", {}).items():
            self.sheet.served[name] = (Model(model),)
        self.sheet.figures |= step.get("measured", {})
        for said in step.get("say", ()):
            self._say(said)
        for verb in step.get("release", ()):
            self.sheet.words = tuple(
                replace(word, ended_at=self.now, ended_by="alice@bastion") if word.verb == verb else word
                for word in self.sheet.words
            )
        for name, shares in step.get("edit", {}).items():
            self._edit(self.policies[name], shares)
        for name, said in step.get("another_leads", {}).items():
            self._written_by_leader(self.policies[name], said["epoch"], said["writes"])
        for name, epoch in step.get("leads", {}).items():
            self.sheet.states[name] = replace(self.sheet.states[name], epoch=epoch)

    def _say(self, said: Mapping[str, Any]) -> None:
        """What an operator says, or an alert: `{drain: REGION}`, `{shed: {REGION: 25%}}`, `{pin: {REGION: 60}}`."""
        verb = next(each for each in Verb if each in said)
        about = said[verb]
        word = Override(
            id=f"{verb}-{len(self.sheet.words):08x}",
            verb=verb,
            scope=Scope(tuple(said.get("policies", ())), regions=() if verb is Verb.PIN else _names(about)),
            actor="alice@bastion",
            since=self.now,
            until=self.now + parse_duration(said["for"]),
            comments=(Comment(self.now, "alice@bastion", "an example"),),
        )
        if verb is Verb.PIN:
            word = replace(word, shares={name: parse_percent(f"{share}%") for name, share in about.items()})
        if verb is Verb.SHED:
            word = replace(word, part=parse_percent(next(iter(about.values()))))
        if verb is Verb.ALERT:
            word = replace(word, name=next(iter(about.values())))
        self.sheet.words = (*self.sheet.words, word)

    def _edit(self, policy: Policy, shares: Mapping[str, int]) -> None:
        """Somebody writes other weights, past failoverd."""
        target = _target(policy)
        region_of, found = policy.region_of(target.key.type), self.sheet.observed[target]
        weights = {value: shares[name] for value, name in region_of.items() if shares.get(name)}
        assert found.records is not None
        self.sheet.edit(target, RecordSet.of(target.key, found.records.ttl, weights))

    def _written_by_leader(self, policy: Policy, epoch: int, shares: Mapping[str, int]) -> None:
        """Another member leads, and writes."""
        self._edit(policy, shares)
        target = _target(policy)
        found = self.sheet.observed[target]
        assert found.marker is not None
        marker = replace(found.marker, generation=found.marker.generation + 1, epoch=epoch)
        self.sheet.observed[target] = replace(found, marker=marker, marker_text=marker.to_text())

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


def _names(about: str | Mapping[str, Any]) -> tuple[str, ...]:
    return (about,) if isinstance(about, str) else tuple(about)


def _of_checks(found: str | list[str]) -> tuple[Health, ...]:
    """What the checks of an endpoint found: one word for all of them, or one for each."""
    return tuple(map(Health, [found] if isinstance(found, str) else found))


_SAID = {FigureRole.ERRORS_NOW: FigureRole.ERRORS}


def _values(ask: FigureQuestion, figures: Mapping[str, Any]) -> Mapping[str, float] | None:
    """What a question is answered with; None where nobody answers. Errors are the same in both windows."""
    if ask.role is FigureRole.REQUESTS and FigureRole.ERRORS in figures:
        return dict.fromkeys(figures[FigureRole.ERRORS], _MANY)
    found = figures.get(_SAID.get(ask.role, ask.role))
    if found is None:
        return None
    if ask.single:
        value = found[ask.region] if ask.region else found
        return {"": float(value)}
    return {name: _number(value) for name, value in found.items()}


def _number(value: Any) -> float:  # noqa: ANN401 - as a page says it
    return parse_percent(value) / WHOLE if isinstance(value, str) else float(value)
