"""A loop that is closed: what is answered makes the load, the load makes what probes find, and that makes the answer.

Regions are queues (M/M/1). With load `l` and capacity `c`, in requests a second, a request takes 1 / (c - l) seconds on
average, and longer than a limit with the probability exp(-limit x (c - l)); what is beyond the capacity is put off
(429). Resolvers keep an answer for its TTL, and some for far longer: so much of the traffic goes by the old answer `t`
seconds after a change (as `core.control.propagation` says):

    0.888 x max(0, 1 - t / TTL) + 0.112 x exp(-t / 522 s)

Probes fail, are slow or are well by seeded luck, and `core.health` makes verdicts of them by its own rules.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import exp

from support.estates import EVERY, Neighbour, Neighbourhood
from support.scenes import NOW

from failoverd.core.control.readings import FigureRole, asks
from failoverd.core.health.endpoint import CheckHealth, Health, observe
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, Policy, ProbeResult, Timings

PROBE_EVERY = 10.0
SLOW = 0.25
"""Seconds after which an answer is slow."""

QUICK, LATE, MEMORY = 0.888, 0.112, 522.0

_LETTERS = {Health.HEALTHY: "H", Health.DEGRADED: "D", Health.UNHEALTHY: "U", Health.UNKNOWN: "?"}
_OUTCOMES = {
    ProbeReason.OK: ProbeOutcome.PASS,
    ProbeReason.OVERLOADED: ProbeOutcome.DEGRADED,
    ProbeReason.CONNECT_REFUSED: ProbeOutcome.FAIL,
}


@dataclass
class Resolvers:
    """The shares by which traffic arrives, as resolvers have seen the answers."""

    ttl: float
    recent: deque[Mapping[str, float]] = field(default_factory=deque)
    late: dict[str, float] = field(default_factory=dict)

    def pass_by(self, answered: Mapping[str, float], seconds: float) -> Mapping[str, float]:
        """So many seconds later, while this was answered."""
        if not self.late:
            self.late = dict(answered)
        kept = exp(-seconds / MEMORY)
        names = {*self.late, *answered}
        self.late = {name: kept * self.late.get(name, 0.0) + (1 - kept) * answered.get(name, 0.0) for name in names}
        self.recent.append(answered)
        while len(self.recent) > max(1, round(self.ttl / seconds)):
            self.recent.popleft()
        quick = {name: sum(each.get(name, 0.0) for each in self.recent) / len(self.recent) for name in names}
        return {name: QUICK * quick[name] + LATE * self.late[name] for name in names}


class ClosedLoop:
    """Policies at work, and regions under the traffic that they send there.

    Args:
        policies: with the demand that they believe in.
        carries: what each region can really carry, in requests a second.
        demand: what each policy really needs at a moment; what it declares, unless said.
    """

    def __init__(
        self,
        *policies: Policy,
        carries: Mapping[str, float],
        demand: Callable[[str, float], float] | None = None,
        seed: int = 1,
    ) -> None:
        self.world = Neighbourhood(*policies)
        self.carries = carries
        self.gone: set[str] = set()
        self.worst = dict.fromkeys(carries, 0.0)
        declared = {policy.name: policy.demand or 0.0 for policy in policies}
        self._demand = demand if demand is not None else lambda name, _: declared[name]
        self._chance = random.Random(seed)  # noqa: S311 - a script, no secret
        self._resolvers = {policy.name: Resolvers(policy.records[0].ttl) for policy in policies}
        self._health: dict[tuple[str, str], CheckHealth] = {}
        self._measured_at = 0.0
        self.world.settle()

    @property
    def now(self) -> float:
        return self.world.now

    def run(self, seconds: float) -> int:
        """How many changes are made in that time."""
        before = sum(each.written for each in self.world.neighbours.values())
        until = self.now + seconds
        while self.now < until:
            self.world.now += PROBE_EVERY
            self._step()
        return sum(each.written for each in self.world.neighbours.values()) - before

    def _fullness(self) -> Mapping[str, float]:
        """Load / capacity of each region after one more interval."""
        loads = dict.fromkeys(self.carries, 0.0)
        for each in self.world.neighbours.values():
            arrives = self._resolvers[each.policy.name].pass_by(self._answered(each), PROBE_EVERY)
            for name, share in arrives.items():
                if name in loads:
                    loads[name] += share * self._demand(each.policy.name, self.now - NOW)
        return {name: load / self.carries[name] for name, load in loads.items()}

    def shares(self, policy: str) -> dict[str, float]:
        """What is answered, in percent by region."""
        return {name: round(100 * share, 2) for name, share in self._answered(self.world.neighbours[policy]).items()}

    @staticmethod
    def _answered(each: Neighbour) -> dict[str, float]:
        found = each.observed.records
        shares = found.shares(each.region_of) if found is not None else {}
        total = sum(shares.values())
        return {name: share / total for name, share in shares.items()} if total else {}

    def _step(self) -> None:
        fullness = self._fullness()
        self.worst = {name: max(self.worst[name], found) for name, found in fullness.items()}
        for each in self.world.neighbours.values():
            for spec in each.policy.regions:
                found = (self._probed(each, end, fullness[spec.name]) for end in spec.endpoints)
                each.letters[spec.name] = "".join(found)
                each.latencies[spec.name] = None if spec.name in self.gone else 0.02
        if self.now >= self._measured_at + EVERY:
            self._measured_at = self.now
            self._measure(fullness)
        self.world.roll()
        self.world.round()

    def _probed(self, each: Neighbour, end: Endpoint, fullness: float) -> str:
        """The letter of an endpoint after one more probe; of one that is gone, after all that its verdict takes."""
        spare = self.carries[end.region] * (1 - fullness)
        slow = exp(-SLOW * spare) if spare > 0 else 1.0
        reason = ProbeReason.OVERLOADED if self._chance.random() < slow else ProbeReason.OK
        reason = ProbeReason.CONNECT_REFUSED if end.region in self.gone else reason
        rules = each.policy.health
        health = self._health.get((each.policy.name, end.id), CheckHealth())
        for again in range(rules.fall if end.region in self.gone else 1):
            result = ProbeResult(end, "live", _OUTCOMES[reason], reason, Timings(0.01), self.now + again * 1e-3)
            health = observe(health, result, rules).health
        self._health[each.policy.name, end.id] = health
        return _LETTERS[health.state]

    def _measure(self, fullness: Mapping[str, float]) -> None:
        answers: dict[str, Mapping[str, float]] = {}
        for each in self.world.neighbours.values():
            for ask in asks(each.policy):
                if ask.role is FigureRole.DEMAND:
                    answers[ask.query] = {"": self._demand(each.policy.name, self.now - NOW)}
                elif ask.role is FigureRole.LOAD:
                    answers[ask.query] = fullness
        self.world.measure(answers)
