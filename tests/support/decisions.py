"""Worked examples of decisions, as a page tells them: files, what happens when, and what is answered then.

Everything that decides is the real thing: the files are loaded, claims are shared out over all policies, each policy is
evaluated, and what is approved is written and read back. Only probes and DNS are on paper.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from support.files import CONFIG, Folder
from support.scenes import OWNER
from support.stories import as_it_is
from support.sums import redone, said_shares

from failoverd.config.values import parse_percent
from failoverd.core.control import progress
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome
from failoverd.core.control.readings import FigureQuestion, FigureRole, asks, taken
from failoverd.core.control.signals import judged
from failoverd.core.control.state import PolicyState
from failoverd.core.health.endpoint import Health, Verdict, combined
from failoverd.core.health.region import RegionHealth, RegionState, roll_up
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import WHOLE, Model, Observed, Policy, RecordSet, RegionSpec, Target
from failoverd.runtime.estate import Shared
from failoverd.settings import parse_duration

NOON = 1_800_000_000.0
"""When each example begins. Everything is well by then, and has been for long."""

_SCORES = {RegionState.HEALTHY: WHOLE, RegionState.DEGRADED: WHOLE // 2, RegionState.DOWN: 0}

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


@dataclass
class _Region:
    state: RegionState = RegionState.HEALTHY
    score: int = WHOLE
    since: float = NOON - 86_400.0
    well_since: float | None = NOON - 86_400.0
    latency: float | None = None
    endpoints: tuple[tuple[Health, ...], ...] = ()
    """Of each of its endpoints what each check found, where a step says that."""
    served: tuple[Model, ...] = ()


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
        self._words: dict[str, Override] = {}
        self._figures: dict[str, Mapping[str, Any]] = {}
        for policy in self.policies.values():
            self._shared.put(policy)
        self._round()

    def play(self) -> None:
        """Everything that the example says, in order. Raises AssertionError where it is not so."""
        for step in self.said["steps"]:
            self._pass(NOON + parse_duration(step["at"]))
            for causes in self._causes.values():
                causes.clear()
            self._happens(step)
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
            self._regions[name].latency = parse_duration(latency)
        for name, found in step.get("endpoints", {}).items():
            self._regions[name].endpoints = tuple(_of_checks(each) for each in found)
        for name, model in step.get("serves", {}).items():
            self._regions[name].served = (Model(model),)
        self._figures |= step.get("measured", {})
        for said in step.get("say", ()):
            self._say(said)
        for verb in step.get("release", ()):
            self._words = {
                key: replace(word, ended_at=self.now, ended_by="alice@bastion") if word.verb == verb else word
                for key, word in self._words.items()
            }
        for name, shares in step.get("edit", {}).items():
            self._edit(self.policies[name], shares)

    def _say(self, said: Mapping[str, Any]) -> None:
        """What an operator says, or an alert: `{drain: REGION}`, `{shed: {REGION: 25%}}`, `{pin: {REGION: 60}}`."""
        verb = next(each for each in Verb if each in said)
        about = said[verb]
        word = Override(
            id=f"{verb}-{len(self._words):08x}",
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
        self._words[word.id] = word

    def _edit(self, policy: Policy, shares: Mapping[str, int]) -> None:
        """Somebody writes other weights, past failoverd."""
        target = _target(policy)
        region_of, found = policy.region_of(target.key.type), self._observed[policy.name]
        weights = {value: shares[name] for value, name in region_of.items() if shares.get(name)}
        assert found.records is not None
        edited = RecordSet.of(target.key, found.records.ttl, weights)
        self._observed[policy.name] = replace(found, records=edited)

    def _turn(self, name: str, health: str) -> None:
        """`healthy`, `down`, or `degraded 62.5%`."""
        word, _, score = health.partition(" ")
        state, region = RegionState(word), self._regions[name]
        region.state, region.since = state, self.now
        region.score = parse_percent(score) if score else _SCORES[state]
        well = state is not RegionState.DOWN
        region.well_since = (region.well_since if region.well_since is not None else self.now) if well else None

    def _state(self, policy: Policy) -> PolicyState:
        state = self._states[policy.name]
        health = {spec.name: self._health(policy, spec, state) for spec in policy.regions}
        calm = all(each.state is RegionState.HEALTHY for each in health.values())
        state = replace(state, overrides=tuple(self._words.values()))
        state = self._measured(policy, state.with_verdicts({_target(policy).key.type: health}, calm=calm))
        ill = not calm or progress.accused_now(policy, state, self.now)
        if not ill or state.incident is not None:
            return state
        return progress.opened(policy, state, "example", self.now)[0]

    def _health(self, policy: Policy, spec: RegionSpec, state: PolicyState) -> RegionHealth:
        found, kind = self._regions[spec.name], _target(policy).key.type
        values = tuple(sorted(str(end.answer(kind)) for end in spec.endpoints))
        if not found.endpoints:
            health = RegionHealth(
                spec.name,
                found.state,
                found.score,
                since=found.since,
                well_since=found.well_since,
                serving=values if found.state is not RegionState.DOWN else (),
            )
        else:
            health = self._rolled_up(policy, spec, state.regions(kind).get(spec.name))
        down = health.state is RegionState.DOWN
        return replace(
            health,
            failing_since=health.since if down else None,
            passed_at=None if down else self.now,
            latency=found.latency,
            served=found.served,
        )

    def _rolled_up(self, policy: Policy, spec: RegionSpec, before: RegionHealth | None) -> RegionHealth:
        """The health of a region whose endpoints differ: each by its checks, and the region by their weights."""
        kind, rules = _target(policy).key.type, policy.health
        states = [combined(each, rules.needed(len(each))) for each in self._regions[spec.name].endpoints]
        judged_so = [
            (str(end.answer(kind)), Verdict(each, self.now, "live", ProbeReason.OK, ""))
            for end, each in zip(spec.endpoints, states, strict=True)
        ]
        return roll_up(spec.name, judged_so, before, rules, self.now, spec.weights)

    def _measured(self, policy: Policy, state: PolicyState) -> PolicyState:
        """With what is measured now; where nobody answers any more, with what was answered last."""
        figures, readings = self._figures.get(policy.name, {}), dict(state.signalled.readings)
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
        self._words |= {word.id: word for word in outcome.words}
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
