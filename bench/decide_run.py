"""Decisions over estates on paper: one endpoint changes, all are decided, a region fails under a thousand policies."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from support.scenes import policy as scene

from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate
from failoverd.core.control.plan import LastGood
from failoverd.core.control.sharing import Claim, Grant, share_out
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.records import WHOLE, Endpoint, Marker, Observed, Policy, RecordSet, RecordType, RegionSpec
from failoverd.runtime.estate import Shared
from failoverd.runtime.garbage import Garbage

SIZES = (10, 100, 1_000, 10_000)
REGIONS = 10
ENDPOINTS = 10
_NOW = 1_000_000.0
_ROUNDS = 15
_A = RecordType.A


@dataclass(frozen=True)
class Size:
    """One size. Seconds of processor time, medians where it is done again and again.

    Attributes:
        policies: how many.
        alone: one changed endpoint, and the decision about it, where no region is shared.
        shared: the same where all policies share all regions.
        whole: every policy is decided once, where all share all regions.
        region: a region changes under all policies: all of what that comes to for one of them, its claims and decision
            included, once the claims of the others are made.
        storm: a region fails, and the verdicts of all policies come one after the other, each with its decision.
        settled: of that, sharing out alone.
        full: all regions are shared out anew, once nothing fits; by pulls that are not alike.
    """

    policies: int
    alone: float
    shared: float
    whole: float
    region: float
    storm: float
    settled: float
    full: float


def measure(sizes: Sequence[int], tell: Callable[[str], None]) -> list[Size]:
    """Each size in turn."""
    found = []
    for size in sizes:
        found.append(_measure(size))
        tell(f"{size} policies: {found[-1]}")
    return found


class _Paper:
    """An estate on paper: what is known of each policy, and how long sharing took. `capacity` in times the demand."""

    def __init__(self, size: int, capacity: float | None) -> None:
        demand = 100.0
        per_region = None if capacity is None else capacity * demand * size / REGIONS
        self.policies = [_policy(index, demand, per_region) for index in range(size)]
        self.states = {each.name: _state(each) for each in self.policies}
        self.sharing = 0.0
        self._due: list[Callable[[], None]] = []
        self.woken = 0
        self.shared = Shared(lambda each: self.states[each.name], self._wake, lambda _, do: self._due.append(do))
        for each in self.policies:
            self.shared.put(each)
        for each in self.policies:
            self.asked(each)
        self.settle()

    def _wake(self, _: str) -> None:
        self.woken += 1

    def settle(self) -> None:
        began = time.process_time()
        for do in self._due:
            do()
        self._due.clear()
        self.sharing += time.process_time() - began

    def asked(self, policy: Policy) -> tuple[Grant | None, Grant | None]:
        return self.shared.grants(policy, self.states[policy.name], _NOW)

    def decide(self, policy: Policy) -> None:
        began = time.process_time()
        grant, usual = self.asked(policy)
        self.sharing += time.process_time() - began
        estate = Estate("bench", _as_it_is, "", (), grant, usual)
        state = self.states[policy.name]
        memory = state.of(policy.records[0].targets[0])
        good = memory.last_good
        if good is None:
            raise RuntimeError("nothing stands there")
        marker = Marker("bench", policy.name, 1, (_A,))
        evaluate(policy, state, Observed(memory.target, good.records, marker, marker.to_text()), estate, _NOW)

    def hit(self, policy: Policy, region: int, score: int) -> None:
        """One of its regions has this score from now on."""
        state = self.states[policy.name]
        regions = dict(state.verdicts[_A])
        spec = policy.regions[region]
        regions[spec.name] = _health(spec, score)
        self.states[policy.name] = replace(state, verdicts={_A: regions})
        self.shared.touch(policy.name)


def _measure(size: int) -> Size:
    with Garbage():  # as in the daemon: what lasts is not looked through again and again
        alone = _changes(_Paper(size, None))
    with Garbage():
        roomy = _Paper(size, 2.0)
        shared, whole, region = _changes(roomy), _whole(roomy), _region(roomy)
        del roomy
    with Garbage():
        tight = _Paper(size, 1.05)  # without one of ten regions the others are full
        storm, sharing = _storm(tight)
        full = _full(tight)
    return Size(size, alone, shared, whole, region, storm, sharing, full)


def _whole(paper: _Paper) -> float:
    gc.collect()
    began = time.process_time()
    for each in paper.policies:
        paper.decide(each)
    return time.process_time() - began


def _changes(paper: _Paper) -> float:
    """An endpoint of one policy fails, or is well again: the median of some rounds."""
    gc.collect()
    policies = paper.policies[: _ROUNDS if len(paper.policies) >= _ROUNDS else None]
    taken = []
    for index, each in enumerate(policies):
        paper.hit(each, index % REGIONS, 9_000)
        began = time.process_time()
        paper.decide(each)
        paper.settle()
        taken.append(time.process_time() - began)
        paper.hit(each, index % REGIONS, WHOLE)
        paper.decide(each)
        paper.settle()
    return statistics.median(taken)


def _region(paper: _Paper) -> float:
    """A region that all share is at half of its room for everybody, and is shared out for the first who asks."""
    taken = []
    for score in (5_000, WHOLE, 5_000, WHOLE):
        for each in paper.policies:
            paper.hit(each, 0, score)
        paper.asked(paper.policies[0])  # the claims of all are made anew
        paper.hit(paper.policies[1], 0, score - 100)
        began = time.process_time()
        paper.decide(paper.policies[1])
        paper.settle()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def _storm(paper: _Paper) -> tuple[float, float]:
    gc.collect()
    paper.sharing = 0.0
    began = time.process_time()
    for count, each in enumerate(paper.policies):
        paper.hit(each, 0, 0)
        paper.decide(each)
        if count % 100 == 99:  # noqa: PLR2004 - some 4 ms of decision each: as often as a timer of half a second
            paper.settle()
    paper.settle()
    return time.process_time() - began, paper.sharing


def _full(paper: _Paper) -> float:
    """Everything is shared out anew after the storm: each policy is short of something, or leaves it to others."""
    gc.collect()
    claims = [_unlike(each, index) for index, (each, _) in enumerate(paper.shared.standing.values())]
    taken = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        share_out(claims)
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def _unlike(claim: Claim, index: int) -> Claim:
    """The same with other pulls than its neighbours have, so that nothing is full in one moment."""
    levels = tuple(
        tuple(replace(draw, pull=draw.pull * (1 + (index + number) % 5)) for number, draw in enumerate(level))
        for level in claim.levels
    )
    return replace(claim, levels=levels)


# -- on paper ----------------------------------------------------------------------------------------------------------


def _policy(index: int, demand: float, capacity: float | None) -> Policy:
    regions = tuple(
        RegionSpec(
            f"r{number}",
            WHOLE // REGIONS,
            tuple(Endpoint(f"r{number}", f"10.{index // 250}.{index % 250}.{number * ENDPOINTS + last}")
                  for last in range(ENDPOINTS)),
            capacity=capacity,
            cloud=f"c{number % 3}",
        )
        for number in range(REGIONS)
    )  # fmt: skip
    base = scene()
    name = f"p{index:05}"
    (record, *_) = base.records
    key = replace(record.key, name=f"{name}.example.com")
    target = replace(record.targets[0], policy=name, key=key)
    spec = replace(record, key=key, targets=(target,))
    return replace(
        base, name=name, regions=regions, records=(spec,), demand=demand, tier=100 * (1 + index % 3), dependencies=()
    )


def _state(policy: Policy) -> PolicyState:
    target = policy.records[0].targets[0]
    weights = {end.address: 1 for spec in policy.regions for end in spec.endpoints}
    good = LastGood(
        RecordSet.of(target.key, policy.records[0].ttl, weights),
        1,
        {spec.name: spec.share for spec in policy.regions},
        _NOW - 3_600,
    )
    state = PolicyState(policy.name, verdicts={_A: {spec.name: _health(spec, WHOLE) for spec in policy.regions}})
    return state.with_target(TargetMemory(target, last_good=good))


def _health(spec: RegionSpec, score: int) -> RegionHealth:
    state = RegionState.HEALTHY if score == WHOLE else RegionState.DEGRADED if score else RegionState.DOWN
    values = tuple(sorted(end.address for end in spec.endpoints)) if score else ()
    return RegionHealth(spec.name, state, score, since=0.0, well_since=0.0 if score == WHOLE else None, serving=values)


def _as_it_is(desired: RecordSet) -> RecordSet:
    return desired
