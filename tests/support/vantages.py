"""Several check tables that watch the same policy from different places, on one virtual clock.

Each probes as a daemon would: in turn, and out of turn when its table says so. What one says reaches the others `LAG`
seconds later, and a heartbeat all the time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar

from failoverd.core.health.assignment import PolicyShares
from failoverd.core.health.electorate import Electorate, Voter
from failoverd.core.health.endpoint import Health, Verdict
from failoverd.core.health.isolation import NEVER, Family
from failoverd.core.health.region import RegionHealth
from failoverd.core.health.table import HealthTable
from failoverd.core.health.transitions import Fed, ProbeDue, Transition, Voted
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, Policy, ProbeResult, RecordType, Timings

LAG = 0.045
"""Seconds from a vote to the others: what gathers it, and the coordinator."""

BEAT = 2.0
FRESH = 20.0
TOOK = 0.02

T = TypeVar("T")
Key = tuple[Endpoint, str]


@dataclass
class Place:
    """One vantage."""

    name: str
    network: str
    table: HealthTable
    transitions: list[tuple[float, Transition]] = field(default_factory=list)
    probes: list[tuple[float, Endpoint]] = field(default_factory=list)
    due: dict[Key, float] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)  # addresses that it cannot reach
    silent: bool = False  # nobody hears it
    untold: bool = False  # it had something to say meanwhile

    def told(self, kind: type[T]) -> list[T]:
        return [each for _, each in self.transitions if isinstance(each, kind)]

    def when(self, wanted: Callable[[Transition], bool]) -> float:
        return next(at for at, each in self.transitions if wanted(each))


class Vantages:
    """Named `azure-1`, `oci-1`, …: the network is what stands before the dash."""

    def __init__(self, policy: Policy, *names: str, factor: int | None = None) -> None:
        self.now = 1_000.0
        self.policy = policy
        self.down: set[str] = set()  # addresses that answer nobody
        self.places = {name: Place(name, name.split("-")[0], HealthTable(self.now)) for name in names}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._published: set[str] = set()
        self._heard: dict[tuple[str, str], float] = {}
        for place in self.places.values():
            place.table.convene(self._electorate(place), self.now)
            place.table.watch(policy, self.now)
            place.table.leave(policy.name, PolicyShares(policy).left_by(place.name, frozenset(names), factor))
            self._begin(place)
        self.later(BEAT, self._beat)

    # -- what happens --------------------------------------------------------------------------------------------------

    def play(self, seconds: float) -> None:
        until = self.now + seconds
        while self._queue and self._queue[0][0] <= until:
            self.now, _, do = heappop(self._queue)
            do()
        self.now = until

    def settle(self) -> None:
        """Everybody is well, and nobody remembers how that came."""
        self.play(60.0)
        for place in self.places.values():
            assert {found.state for found in self.verdicts(place.name).values()} == {Health.HEALTHY}
            place.transitions.clear()
            place.probes.clear()

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        heappush(self._queue, (self.now + seconds, next(self._order), do))

    # -- what is asked -------------------------------------------------------------------------------------------------

    def verdicts(self, name: str) -> dict[Endpoint, Verdict]:
        return self.places[name].table.verdicts(self.policy.name)

    def verdict(self, name: str, address: str) -> Verdict:
        return next(found for endpoint, found in self.verdicts(name).items() if endpoint.address == address)

    def held(self, address: str) -> set[Health]:
        """What the vantages hold of it; one value where they agree."""
        return {self.verdict(name, address).state for name in self.places}

    def region(self, name: str, region: str) -> RegionHealth:
        return self.places[name].table.regions(self.policy.name, RecordType.A, self.now)[region]

    # -- probes --------------------------------------------------------------------------------------------------------

    def _begin(self, place: Place) -> None:
        wanted = self.policy.probes()
        for number, (endpoint, check) in enumerate(wanted):
            phase = check.every * ((number * 7 + len(place.name) * 3) % 20) / 20
            self.later(0.0, lambda each=endpoint, by=check: self._probe(place, each, by))  # type: ignore[misc]
            self.later(phase, lambda each=endpoint, by=check: self._turn(place, each, by))  # type: ignore[misc]

    def _turn(self, place: Place, endpoint: Endpoint, check: Check) -> None:
        self.later(check.every, lambda: self._turn(place, endpoint, check))
        if not place.table.idle(self.policy.name, endpoint):
            self._probe(place, endpoint, check)

    def _probe(self, place: Place, endpoint: Endpoint, check: Check) -> None:
        place.due.pop((endpoint, check.name), None)
        place.probes.append((self.now, endpoint))
        self.later(TOOK, lambda: self._land(place, endpoint, check))

    def _land(self, place: Place, endpoint: Endpoint, check: Check) -> None:
        fails = endpoint.address in self.down | place.cut
        outcome = ProbeOutcome.FAIL if fails else ProbeOutcome.PASS
        reason = ProbeReason.STATUS_UNEXPECTED if fails else ProbeReason.OK
        result = ProbeResult(endpoint, check.name, outcome, reason, Timings(TOOK), self.now, "503" if fails else "")
        fed = place.table.feed(self.policy.name, result, self.now)
        again = fed.next_probe.again
        mine = () if again is None else (ProbeDue(self.policy.name, endpoint, check.name, again),)
        self._obey(place, fed, mine)

    def _obey(self, place: Place, fed: Fed, mine: Sequence[ProbeDue] = ()) -> None:
        self._hear(place, fed.transitions)
        for due in (*mine, *fed.next_probe.others):
            key, at = (due.endpoint, due.check), self.now + due.delay
            if place.due.get(key, float("inf")) <= at:
                continue
            place.due[key] = at
            check = next(each for each in self.policy.checks if each.name == due.check)
            self.later(due.delay, lambda each=due.endpoint, by=check, then=at: self._when_due(place, each, by, then))  # type: ignore[misc]

    def _when_due(self, place: Place, endpoint: Endpoint, check: Check, at: float) -> None:
        if place.due.get((endpoint, check.name)) == at:
            self._probe(place, endpoint, check)

    # -- votes ---------------------------------------------------------------------------------------------------------

    def _hear(self, place: Place, transitions: Iterable[Transition]) -> None:
        place.transitions += [(self.now, each) for each in transitions]
        if any(isinstance(each, Voted) for each in transitions) and place.name not in self._published:
            self._published.add(place.name)
            self.later(LAG, lambda: self._publish(place))

    def _publish(self, place: Place) -> None:
        self._published.discard(place.name)
        place.untold = place.silent
        if place.silent:
            return
        said = place.table.votes(self.policy.name)
        for other in self._others(place):
            self._obey(other, other.table.hear(place.name, self.policy.name, said, self.now))

    def _beat(self) -> None:
        self.later(BEAT, self._beat)
        for place in self.places.values():
            if place.untold:
                self._publish(place)
            for other in self._others(place):
                if not place.silent:
                    self._heard[other.name, place.name] = self.now
        for place in self.places.values():
            self._hear(place, place.table.convene(self._electorate(place), self.now))
            self._hear(place, place.table.settle(self.now))

    def _others(self, place: Place) -> list[Place]:
        return [each for each in self.places.values() if each is not place]

    def _electorate(self, place: Place) -> Electorate:
        voters = tuple(
            Voter(each.name, each.network, self._heard.get((place.name, each.name), NEVER))
            for each in self.places.values()
        )
        return Electorate(place.name, voters, FRESH, self._isolated())

    def _isolated(self) -> dict[str, frozenset[Family]]:
        return {name: place.table.isolated() for name, place in self.places.items()}
