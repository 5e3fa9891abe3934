"""How much of its room a region gets that says it is full: found out by halving, not by running after the signal.

    factor = clamp((high - load) / (high - low), 0, 1): so much of its room the signal leaves it
    full (load above `low`) and more than that in it: it gets the factor, at least half of what it has, or what it was
        well with lately; and not again before that shows (2 TTL, a minute; five minutes while the load falls)
    not full for five minutes: halfway to what it was full with, as long as half of the way is worth a change
    not full for an hour: what it was full with is forgotten, and then all of it

A queue says that more comes than leaves, and nothing of how much could come. A region that gave away what the signal
says would be empty a minute later, get all of it back, and be full again: the traffic swings for as long as somebody
declares more than the region can carry. What was found out is remembered instead, and the steps become smaller.

It takes effect only where another region is known to be below `low`, for else there is nobody to shed to. And only what
is known changes anything: a load that is lost leaves everything as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from failoverd.core.control.allocation import room
from failoverd.core.control.readings import FigureRole, Readings, factor, full_since, known
from failoverd.core.health.region import RegionHealth
from failoverd.core.measures import REGION
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, Policy, RecordSpec

LEAST_DWELL: Final = 60.0
"""Seconds after which a step shows in the load, at least; otherwise two TTLs."""

SETTLED: Final = 300.0
"""Seconds without being full after which it is tried with more; and in which a load has to have fallen."""

FORGOTTEN: Final = 3_600.0
"""Seconds without being full after which it may be another region than it was."""


@dataclass(frozen=True, slots=True)
class Relief:
    """What was found out about a region that was full, in basis points of its room.

    Attributes:
        room: what it gets at most.
        full: what it had when it was full last.
        well: what it had and was not full; 0 where nobody knows.
        load: what the signal said when it got less last, or the most or least since.
        at: when that was.
        clear: since when it is not full any more; None while it is.
    """

    room: int
    full: int
    at: float
    load: float = 0.0
    well: int = 0
    clear: float | None = None


Reliefs = Mapping[str, Relief]


@dataclass(frozen=True, slots=True)
class Relieved:
    """The policy with what its regions get of their rooms, what is remembered, and when time alone changes it."""

    policy: Policy
    reliefs: Reliefs = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    until: float | None = None


def in_force(policy: Policy, reliefs: Reliefs) -> Policy:
    """The policy with what was found out."""
    if policy.signals.room is None or not reliefs:
        return policy
    parts = {name: each.room for name, each in reliefs.items()}
    return replace(policy, regions=tuple(replace(spec, room=parts.get(spec.name, WHOLE)) for spec in policy.regions))


def relieved(
    policy: Policy,
    record: RecordSpec,
    readings: Readings,
    regions: Mapping[str, RegionHealth],
    published: Mapping[str, int],
    before: Reliefs,
    now: float,
) -> Relieved:
    """What each region gets of its room now.

    Args:
        policy: with its figures as they count now.
        record: of the policy.
        readings: what was measured.
        regions: their health.
        published: shares in basis points.
        before: what was found out until now.
        now: seconds since the epoch.
    """
    signal = policy.signals.room
    if signal is None:
        return Relieved(policy)
    found = {spec.name: known(FigureRole.LOAD, signal.query, readings, spec.name, now) for spec in policy.regions}
    loads = {name: load for name, load in found.items() if load is not None}
    full = {name for name, load in loads.items() if load > signal.low}
    alike = bool(full) and len(full) == len(loads)
    reliefs: dict[str, Relief] = {}
    reasons: list[Reason] = []
    moments: list[float] = []
    for spec in policy.regions:
        name, was, health = spec.name, before.get(spec.name), regions.get(spec.name)
        each = was
        if name in loads and health is not None and not alike and (whole := room(policy, spec, health)) > 0:
            step = _Step(
                part=factor(signal, loads[name]),
                load=loads[name],
                used=int(published.get(name, 0) * WHOLE / whole),
                least=int(policy.limits.min_step * WHOLE / whole),
                dwell=max(2.0 * record.ttl, LEAST_DWELL),
                now=now,
            )
            each = step.after(was)
        if each is None:
            continue
        reliefs[name] = each
        if each.room < WHOLE:
            numbers = {"low": signal.low, "high": signal.high, "room": float(each.room)}
            numbers |= {"load": loads[name]} if name in loads else {}
            since = full_since(signal, readings, name) if each.clear is None else None
            numbers |= {"since": since} if since is not None else {}
            asked = (signal.source, signal.query.replace(REGION, name))
            reasons.append(Reason(ReasonCode.LOADED, "signals.room", name, numbers=numbers, named=asked))
        if name in loads and not alike:
            moments += _moments(each, max(2.0 * record.ttl, LEAST_DWELL))
    if alike:
        reasons.append(Reason(ReasonCode.LOADED_ALIKE, "signals.room", regions=tuple(sorted(full))))
    until = min((at for at in moments if at > now), default=None)
    return Relieved(in_force(policy, reliefs), reliefs, tuple(reasons), until)


@dataclass(frozen=True, slots=True)
class _Step:
    """What is known of a region now. In basis points of its room: `used` is what it has, `least` a worthwhile step."""

    part: int
    load: float
    used: int
    least: int
    dwell: float
    now: float

    def after(self, was: Relief | None) -> Relief | None:
        if self.part < WHOLE:
            return self._full(was)
        return self._clear(was) if was is not None else None

    def _full(self, was: Relief | None) -> Relief | None:
        if was is None:
            return self._less(0) if self.part < self.used else None
        if was.clear is not None:
            was = replace(was, clear=None)
        if self.now < was.at + self.dwell:
            return replace(was, load=max(was.load, self.load))
        falls = self.load < was.load and self.now < was.at + SETTLED
        if falls or self.part >= self.used:
            return replace(was, load=self.load) if falls else was
        return self._less(was.well)

    def _less(self, well: int) -> Relief:
        well = well if well < self.used else 0
        part = min(WHOLE, max(self.part, self.used // 2, well))  # one that is overloaded has more than all of its room
        return Relief(part, self.used, self.now, self.load, well)

    def _clear(self, was: Relief) -> Relief | None:
        if was.clear is None:
            return replace(was, clear=self.now)
        if was.clear + FORGOTTEN <= self.now and was.at + FORGOTTEN <= self.now:
            return Relief(WHOLE, WHOLE, self.now, 0.0, was.well, was.clear) if was.room < WHOLE else None
        if max(was.at, was.clear) + SETTLED > self.now:
            return was
        was = replace(was, well=max(was.well, min(self.used, was.room)))
        if (more := (was.full - was.room) // 2) < self.least:
            return was
        return replace(was, room=min(WHOLE, was.room + more), at=self.now)


def _moments(each: Relief, dwell: float) -> tuple[float, float]:
    """When time alone makes it less or more, while the load stays as it is."""
    if each.clear is None:
        return each.at + dwell, each.at + SETTLED
    since = max(each.at, each.clear)
    return since + SETTLED, since + FORGOTTEN
