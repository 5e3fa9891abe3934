"""When to look at which endpoint.

Due probes are batched into slots of 20 ms: one job of the timetable starts a batch, so that a thousand endpoints cost
some wake-ups and not a thousand. The endpoints of one interval are spread over it by the golden ratio, which keeps any
number of them evenly apart, whatever comes and goes.

Out of turn, `core.health` asks for another look: after `recheck` while a verdict is open, and at the siblings of an
endpoint that fails for the first time. A probe that has not answered after `recheck`, where the endpoint usually is
faster, does not wait for its time-out either: the next look starts beside it. So a port that silently drops packets is
known after the phase of one interval, plus (fall - 1) x recheck, plus one time-out.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from failoverd.core.records import Check, Endpoint, HealthRules, Outcome, Policy, ProbeReason, ProbeResult, Timings
from failoverd.ports import Cancel, Clock, Prober, Timetable
from failoverd.runtime.board import Board
from failoverd.runtime.supervising import describe

SLOT: Final = 0.02
"""Seconds that due probes are batched into."""

STAGGER: Final = 0.02
"""Seconds between the out-of-turn looks at the siblings of a failing endpoint."""

GOLDEN: Final = 0.6180339887498949
"""Multiples of it, modulo one, stay evenly apart however many there are."""


@dataclass(slots=True, eq=False)
class _Lookout:
    """One endpoint under one check, and what is under way there."""

    policy: str
    endpoint: Endpoint
    check: Check
    rules: HealthRules
    prober: Prober
    flights: set[asyncio.Task[None]] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None
    usual: float | None = None  # what the last good answer took
    watched: bool = True


@dataclass(slots=True)
class _Slot:
    cancel: Cancel
    lookouts: list[_Lookout] = field(default_factory=list)


class Probing:
    """Keeps every endpoint of every watched policy looked at, until `close`."""

    def __init__(self, timetable: Timetable, board: Board, clock: Clock) -> None:
        self._timetable = timetable
        self._board = board
        self._clock = clock
        self._lookouts: dict[str, list[_Lookout]] = {}
        self._slots: dict[tuple[float, int], _Slot] = {}
        self._count = 0
        self._flights: set[asyncio.Task[None]] = set()

    def watch(self, policy: Policy, probers: Mapping[str, Prober]) -> None:
        """Look after a policy, or a newer revision of it. The first looks start at once, one after the other."""
        self.forget(policy.name)
        lookouts = [
            _Lookout(policy.name, endpoint, check, policy.health, probers[check.name])
            for check in policy.checks
            for region in policy.regions
            for endpoint in region.endpoints
        ]
        self._lookouts[policy.name] = lookouts
        for index, lookout in enumerate(lookouts):
            self._assign(lookout)
            self._later(lookout, index * STAGGER % max(policy.health.recheck, STAGGER))

    def forget(self, policy: str) -> None:
        """Stop looking. What is under way is abandoned."""
        for lookout in self._lookouts.pop(policy, []):
            lookout.watched = False
            if lookout.timer is not None:
                lookout.timer.cancel()
            for flight in lookout.flights:
                flight.cancel()
        for key, slot in list(self._slots.items()):
            slot.lookouts = [lookout for lookout in slot.lookouts if lookout.watched]
            if not slot.lookouts:
                slot.cancel()
                del self._slots[key]

    async def close(self) -> None:
        """End every probe and wait until all are gone."""
        for policy in list(self._lookouts):
            self.forget(policy)
        await asyncio.gather(*self._flights, return_exceptions=True)

    # -- in turn -------------------------------------------------------------------------------------------------------

    def _assign(self, lookout: _Lookout) -> None:
        """Give the lookout its place in the interval."""
        self._count += 1
        every = lookout.check.every
        number = int(self._count * GOLDEN % 1.0 * every / SLOT)
        slot = self._slots.get((every, number))
        if slot is None:
            name = f"probes every {every:g}s, slot {number}"
            work = partial(self._start_batch, (every, number))
            slot = _Slot(self._timetable.every(name, every, work, phase=max(number * SLOT, SLOT)))
            self._slots[every, number] = slot
        slot.lookouts.append(lookout)

    async def _start_batch(self, key: tuple[float, int]) -> None:
        slot = self._slots.get(key)
        for lookout in slot.lookouts if slot is not None else ():
            if not lookout.flights:
                self._look(lookout)

    # -- one look ------------------------------------------------------------------------------------------------------

    def _look(self, lookout: _Lookout) -> None:
        if lookout.timer is not None:
            lookout.timer.cancel()
            lookout.timer = None
        if not lookout.watched or len(lookout.flights) >= lookout.rules.fall:
            return
        flight = asyncio.get_running_loop().create_task(self._fly(lookout))
        for flights in (lookout.flights, self._flights):
            flights.add(flight)
            flight.add_done_callback(flights.discard)
        if lookout.usual is not None and lookout.usual < lookout.rules.recheck:
            self._later(lookout, lookout.rules.recheck)

    async def _fly(self, lookout: _Lookout) -> None:
        try:
            result = await lookout.prober.probe(lookout.endpoint)
        except Exception as error:  # noqa: BLE001 - a defect in a prober blinds it; it never counts against the endpoint
            result = ProbeResult(
                lookout.endpoint,
                lookout.check.name,
                Outcome.BLIND,
                ProbeReason.PROBER_ERROR,
                Timings(0.0),
                self._clock(),
                describe(error)[:200],
            )
        self._land(lookout, result)

    def _land(self, lookout: _Lookout, result: ProbeResult) -> None:
        """Fold the result in, and look again out of turn where health asks for it."""
        if not lookout.watched:
            return  # abandoned: it says nothing to a newer revision that looks at the same endpoint
        observation = self._board.observe(lookout.policy, result)
        if observation is None:
            return
        if result.outcome in {Outcome.PASS, Outcome.DEGRADED}:
            lookout.usual = result.timings.total
        elif result.outcome is Outcome.FAIL and not observation.recheck:
            lookout.usual = None  # it is down: there is no haste to see that again
        others_under_way = len(lookout.flights) > 1
        if not observation.recheck:
            if lookout.timer is not None and not others_under_way:
                lookout.timer.cancel()
                lookout.timer = None
        elif not others_under_way:
            self._later(lookout, lookout.rules.recheck)
        if observation.siblings:
            self._look_at_siblings(lookout)

    def _later(self, lookout: _Lookout, delay: float) -> None:
        if lookout.timer is not None:
            lookout.timer.cancel()
        lookout.timer = asyncio.get_running_loop().call_later(delay, self._look, lookout)

    def _look_at_siblings(self, failing: _Lookout) -> None:
        now = asyncio.get_running_loop().time()
        for index, lookout in enumerate(self._siblings(failing), start=1):
            delay = index * STAGGER
            sooner = lookout.timer is not None and lookout.timer.when() <= now + delay
            if not lookout.flights and not sooner:
                self._later(lookout, delay)

    def _siblings(self, failing: _Lookout) -> Iterable[_Lookout]:
        return (
            lookout
            for lookout in self._lookouts.get(failing.policy, [])
            if lookout is not failing
            and lookout.endpoint.region == failing.endpoint.region
            and lookout.check.name == failing.check.name
        )
