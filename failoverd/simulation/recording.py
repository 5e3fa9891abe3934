"""What is written down while a scenario is played: tracks, and what they come to, exactly from one change to the next.

Nothing asks at regular times. Whoever changes something (a write, a verdict, an endpoint, the demand) has it looked at.
What clients do after a change goes on for an hour: it is reckoned for some moments after it once somebody looks again,
for nothing else has changed until then.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from failoverd.core.control.cost import forecast, price
from failoverd.core.events import ChangeApplied, Event
from failoverd.core.health.region import RegionState
from failoverd.core.reasons import Cause
from failoverd.core.records import WHOLE, Policy, RecordType, RegionSpec
from failoverd.simulation.clientele import Clientele
from failoverd.simulation.course import DEAD, MOST_POINTS, LoadCourse, PolicyCourse, RegionCourse, States, Totals, Track
from failoverd.simulation.rehearsal import Rehearsal
from failoverd.simulation.virtual_time import now

AFTER: Final = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0)
"""Seconds after a change at which clients are looked at, besides when the TTL of the old answer is over."""

_WELL: Final = 60.0
"""Seconds for which a region has served everything that leaves by a false move."""

_ROUNDED: Final = 1.001
"""Times a capacity: shares are whole basis points."""

_FEW: Final = 10
"""Basis points of clients that are not worth a point of a track."""

_LITTLE: Final = 0.002
"""Of a region's capacity: the same of its load."""

_MINUTE: Final = 60.0
_SETTLED: Final = 0.01
"""Seconds after which everything is written that belongs to one event."""


@dataclass(slots=True)
class _Tape:
    """A track that is being written. What is not `apart` from the last point is none."""

    apart: float = 0.0
    points: list[tuple[float, float]] = field(default_factory=list)

    def put(self, at: float, value: float) -> None:
        if self.points and self.points[-1][0] == at:
            self.points.pop()
        if self.points and abs(self.points[-1][1] - value) <= self.apart:
            return
        if len(self.points) < MOST_POINTS:
            self.points.append((at, value))

    def track(self) -> Track:
        return tuple(self.points)


@dataclass(slots=True)
class _HealthTape:
    """The same of the health of a region."""

    points: list[tuple[float, str]] = field(default_factory=list)

    def put(self, at: float, value: str) -> None:
        if (not self.points or self.points[-1][1] != value) and len(self.points) < MOST_POINTS:
            self.points.append((at, value))

    def track(self) -> States:
        return tuple(self.points)


@dataclass(slots=True)
class _Region:
    """A region of one policy while it is recorded. `since` is when it began to serve everything that it is sent."""

    spec: RegionSpec | None
    patience: float
    price: float | None
    shares: _Tape = field(default_factory=_Tape)
    clients: _Tape = field(default_factory=lambda: _Tape(_FEW))
    served_tape: _Tape = field(default_factory=_Tape)
    health: _HealthTape = field(default_factory=_HealthTape)
    served: float = 1.0
    since: float = float("-inf")


@dataclass(slots=True)
class _Sums:
    """What it comes to so far. Times are in seconds."""

    changes: int = 0
    false_moves: int = 0
    dead: float = 0.0
    dead_clients: float = 0.0
    failed_clients: float = 0.0
    failed_requests: float = 0.0
    over: float = 0.0
    away: float = 0.0
    cost: float = 0.0


@dataclass(slots=True)
class _Record:
    """A policy while it is recorded."""

    policy: Policy
    clientele: Clientele
    regions: dict[str, _Region]
    nowhere: _Tape = field(default_factory=_Tape)
    demand: _Tape = field(default_factory=_Tape)
    cost: _Tape = field(default_factory=_Tape)
    sums: _Sums = field(default_factory=_Sums)
    parts: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)
    normal: Mapping[str, int] = field(default_factory=dict)
    later: list[asyncio.TimerHandle] = field(default_factory=list)

    @property
    def kind(self) -> RecordType:
        return self.policy.targets[0].key.type


@dataclass(slots=True)
class _Load:
    """A region over all policies while it is recorded."""

    load: _Tape = field(default_factory=_Tape)
    room: _Tape = field(default_factory=_Tape)
    capacity: float | None = None
    planned: float | None = None
    sent: float = 0.0


Weighed = Callable[[Mapping[str, tuple[float, float]]], None]
"""Told what each region is sent, and its capacity."""


class Recorder:
    """Watches a rehearsal from now on. `end` ends it; then `policies` and `loads` have what was recorded.

    `weighed` is told what each region is sent, and its capacity, whenever that is looked at; also of the moments after
    a change, for it may do something about it.
    """

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal
        self._at = now()
        self._waits = False
        self.weighed: Weighed | None = None
        self._records = {name: _record(policy, rehearsal) for name, policy in rehearsal.site.policies.items()}
        self._loads: dict[str, _Load] = {}
        for policy in rehearsal.site.policies.values():
            for spec in policy.regions:
                load = self._loads.setdefault(spec.name, _Load())
                if spec.capacity is not None:
                    load.capacity, load.planned = spec.capacity, spec.planned_with
                    load.load.apart = spec.capacity * _LITTLE
        for zonefile in rehearsal.zonefiles.values():
            zonefile.heard = lambda _: self.look()
        rehearsal.daemon.world.turned = self.look
        rehearsal.daemon.heard = self._hear
        self.look()

    def look(self) -> None:
        """Something is not as it was."""
        at = now()
        for moment in self._moments(at):
            self._pass(moment)
            self._follow(moment)
        self._pass(at)
        for record in self._records.values():
            self._see(record, at)
        self._follow(at)
        self._weigh(at)
        if self.weighed is not None:
            capacities = ((name, load.sent, load.capacity) for name, load in self._loads.items())
            self.weighed({name: (sent, capacity) for name, sent, capacity in capacities if capacity is not None})

    def _moments(self, until: float) -> list[float]:
        """Moments since the last look at which clients are looked at, though nothing was done in them."""
        changes = [(record.clientele.changed_at, record.clientele.ttl) for record in self._records.values()]
        moments = {at + after for at, ttl in changes if at is not None for after in (*AFTER, ttl)}
        return sorted(moment for moment in moments if self._at < moment < until)

    def end(self) -> None:
        self.weighed = None
        self.look()
        for record in self._records.values():
            _cancel(record)
        self._rehearsal.daemon.heard = lambda _: None
        self._rehearsal.daemon.world.turned = lambda: None

    # -- what is heard -------------------------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        """The state behind an event is looked at once whoever tells it is done."""
        if isinstance(event, ChangeApplied) and event.policy in self._records:
            self._changed(self._records[event.policy], event)
        if not self._waits:
            self._waits = True
            asyncio.get_running_loop().call_later(_SETTLED, self._settled)

    def _settled(self) -> None:
        self._waits = False
        self.look()

    def _changed(self, record: _Record, event: ChangeApplied) -> None:
        target = record.policy.targets[0]
        if (event.record, event.provider) != (str(target.key), target.provider) or event.shares_from == event.shares_to:
            return
        record.sums.changes += 1
        left = [name for name, share in event.shares_from.items() if share > event.shares_to.get(name, 0)]
        states = self._states(record)
        record.sums.false_moves += event.cause is Cause.FAILING_OUT and any(
            states.get(name) is RegionState.DOWN and now() - record.regions[name].since >= _WELL
            for name in left
            if name in record.regions
        )

    def _states(self, record: _Record) -> dict[str, RegionState]:
        found = self._rehearsal.daemon.board.regions(record.policy.name, record.kind)
        return {name: health.state for name, health in found.items()}

    # -- what has passed -----------------------------------------------------------------------------------------------

    def _pass(self, at: float) -> None:
        """Sum up what was so until now."""
        seconds, since, self._at = at - self._at, self._at, at
        if seconds <= 0:
            return
        loads = self._sent(at)
        over = {name for name, load in self._loads.items() if self._too_much(load, name, loads.get(name, 0.0))}
        for record in self._records.values():
            _sum_up(record, since, at)
            record.sums.over += seconds if over.intersection(record.regions) else 0.0

    def _too_much(self, load: _Load, name: str, sent: float) -> bool:
        """Whether a region that serves got more than it can carry since the last look, in the mean."""
        served = max((each.regions[name].served for each in self._records.values() if name in each.regions), default=0)
        return (
            load.capacity is not None and served >= DEAD and (load.sent + sent) / 2 > load.capacity * served * _ROUNDED
        )

    def _sent(self, at: float) -> dict[str, float]:
        """What clients send to each region now."""
        found: dict[str, float] = {}
        for record in self._records.values():
            demand = record.policy.demand
            for name, part in record.clientele.parts(at).items() if demand is not None else ():
                found[name] = found.get(name, 0.0) + part * (demand or 0.0)
        return found

    # -- what is so now ------------------------------------------------------------------------------------------------

    def _see(self, record: _Record, at: float) -> None:
        rehearsal = self._rehearsal
        record.policy = rehearsal.site.policies[record.policy.name]
        shares, since = rehearsal.shares(record.policy.name), round(at - rehearsal.began, 3)
        if shares != record.shares:
            record.shares = shares
            record.clientele.publish(shares, at)
            if self.weighed is not None:
                self._look_later(record)
        states = rehearsal.daemon.board.regions(record.policy.name, record.kind)
        for name, region in record.regions.items():
            served = self._served(region)
            if served < 1.0:
                region.since = float("inf")
            elif region.since == float("inf"):
                region.since = at
            region.served = served
            region.shares.put(since, shares.get(name, 0))
            region.served_tape.put(since, round(served * WHOLE))
            if region.spec is not None and name in states:
                region.health.put(since, states[name].state.value)
        if record.policy.demand is not None:
            record.demand.put(since, record.policy.demand)
        costs = forecast(record.policy, shares)
        if costs is not None and not costs.unpriced:
            record.cost.put(since, round(costs.per_hour, 2))

    def _follow(self, at: float) -> None:
        """Where clients are, and what they send."""
        since, sent = round(at - self._rehearsal.began, 3), self._sent(at)
        for record in self._records.values():
            parts = record.clientele.parts(at)
            for name, region in record.regions.items():
                region.clients.put(since, round(parts.get(name, 0.0) * WHOLE))
            record.nowhere.put(since, max(0, round((1.0 - sum(parts.values())) * WHOLE)))
        for name, load in self._loads.items():
            load.sent = sent.get(name, 0.0)
            load.load.put(since, round(load.sent, 1))

    def _served(self, region: _Region) -> float:
        """The part of the requests that a region really answers, over its endpoints; a place is taken to be well."""
        if region.spec is None:
            return 1.0
        world, weighed = self._rehearsal.daemon.world, region.spec.weighed
        served = sum(world.served(end, region.patience) * weight for end, weight in weighed)
        return served / sum(weight for _, weight in weighed)

    def _look_later(self, record: _Record) -> None:
        """At the moments after a change at which clients are looked at. A further one begins anew."""
        _cancel(record)
        loop = asyncio.get_running_loop()
        moments = sorted({*AFTER, record.clientele.ttl})
        record.later = [loop.call_later(after, self.look) for after in moments]

    def _weigh(self, at: float) -> None:
        rehearsal, since = self._rehearsal, round(at - self._rehearsal.began, 3)
        scores = dict[str, int]()
        for record in self._records.values():
            for name, health in rehearsal.daemon.board.regions(record.policy.name, record.kind).items():
                score = health.score if health.state is not RegionState.DOWN else 0
                scores[name] = max(score, scores.get(name, 0))
        for name, load in self._loads.items():
            if load.planned is not None and name in scores:
                load.room.put(since, round(load.planned * scores[name] / WHOLE, 1))

    # -- what was recorded ---------------------------------------------------------------------------------------------

    def policies(self) -> tuple[PolicyCourse, ...]:
        return tuple(_course(record) for _, record in sorted(self._records.items()))

    def loads(self) -> tuple[LoadCourse, ...]:
        return tuple(
            LoadCourse(name, load.capacity, load.load.track(), load.room.track())
            for name, load in sorted(self._loads.items())
        )


def _record(policy: Policy, rehearsal: Rehearsal) -> _Record:
    target = policy.targets[0]
    patience = max((check.timeout for check in policy.checks), default=0.0)
    shares = rehearsal.shares(policy.name)
    regions = {spec.name: _Region(spec, patience, price(policy, spec)) for spec in policy.regions}
    places = (place for place in (policy.shed_to, policy.when_all_down_place) if place is not None)
    regions |= {place.name: _Region(None, patience, None) for place in places if place.name not in regions}
    clientele = Clientele(shares, policy.record_of(target).ttl)
    return _Record(policy, clientele, regions, shares=shares, normal=shares)


def _sum_up(record: _Record, since: float, until: float) -> None:
    sums, spent = record.sums, record.clientele.spent(since, until)
    demand = record.policy.demand or 0.0
    failed = max(0.0, (until - since) - sum(spent.values()))
    for name, seconds in spent.items():
        region = record.regions.get(name)
        if region is None:
            continue
        failed += seconds * (1.0 - region.served)
        sums.dead_clients += seconds if region.served < DEAD else 0.0
        sums.cost += seconds * demand * (region.price or 0.0)
    published = (
        record.regions[name].served for name, share in record.shares.items() if share and name in record.regions
    )
    sums.dead += until - since if any(served < DEAD for served in published) else 0.0
    sums.away += until - since if record.shares != record.normal else 0.0
    sums.failed_clients += failed
    sums.failed_requests += failed * demand


def _course(record: _Record) -> PolicyCourse:
    policy, sums = record.policy, record.sums
    priced = policy.demand is not None and (policy.traffic is not None or policy.data_in is not None)
    priced = priced and all(each.price is not None for each in record.regions.values() if each.spec is not None)
    totals = Totals(
        changes=sums.changes,
        false_moves=sums.false_moves,
        dead_minutes=sums.dead / _MINUTE,
        dead_client_minutes=sums.dead_clients / _MINUTE,
        failed_client_minutes=sums.failed_clients / _MINUTE,
        failed_requests=sums.failed_requests if policy.demand is not None else None,
        over_minutes=sums.over / _MINUTE,
        away_minutes=sums.away / _MINUTE,
        cost=sums.cost if priced else None,
    )
    target = policy.targets[0]
    return PolicyCourse(
        policy.name,
        str(target.key),
        policy.record_of(target).ttl,
        tuple(_region(name, region) for name, region in record.regions.items()),
        record.nowhere.track(),
        record.demand.track(),
        record.cost.track(),
        totals,
    )


def _region(name: str, region: _Region) -> RegionCourse:
    return RegionCourse(
        region=name,
        shares=region.shares.track(),
        clients=region.clients.track(),
        served=region.served_tape.track(),
        health=region.health.track(),
    )


def _cancel(record: _Record) -> None:
    for each in record.later:
        each.cancel()
    record.later.clear()
