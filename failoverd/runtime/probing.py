"""When to look at which endpoint.

Each endpoint has its place in the interval of its check (`runtime.slots`), and due looks begin together
(`runtime.turns`).

Out of turn, `core.health` asks for another look: after `recheck` while a verdict is open, and at the siblings of an
endpoint that fails for the first time, and at the sentinels. A look that has not answered after `recheck`, where the
endpoint usually is faster, does not wait for its time-out either: the next one starts beside it. So a port that drops
packets in silence is known after the phase of one interval, plus (fall - 1) x recheck, plus one time-out. A trip wire
that trips has its endpoint looked at now: that saves the phase.

Nothing piles up. A look whose predecessor is still under way when its turn comes is skipped; only so many are under way
(`runtime.places`), and when they come too late the intervals are stretched (`runtime.shedding`).
"""

import asyncio
import random
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from failoverd.core.errors import describe
from failoverd.core.events import Event, ProbingRestored, ProbingShed
from failoverd.core.isolation import NEVER, SENTINELS
from failoverd.core.probe_reasons import Outcome, ProbeReason
from failoverd.core.records import Check, Endpoint, HealthRules, ProbeResult, Timings
from failoverd.core.status import ProbingStatus
from failoverd.core.tallies import ProbeTally, ProbingFigures
from failoverd.deadlines import Deadlines
from failoverd.ports import Clock, Emit, Prober, Timetable
from failoverd.runtime.board import Board
from failoverd.runtime.lookouts import Look, Lookout
from failoverd.runtime.places import Places
from failoverd.runtime.shedding import WINDOW, Lags, Shedding
from failoverd.runtime.slots import Slots
from failoverd.runtime.turns import Turns
from failoverd.runtime.wires import Wires

STAGGER: Final = 0.02
"""Seconds between the out-of-turn looks at the siblings of a failing endpoint."""

CROWD: Final = 64
"""Endpoints of a region. Where there are more, those that fail do not each ask for looks at all the others."""

NEWCOMERS: Final = 24
"""First looks at endpoints that are new that begin together, and so many again `BREATH` seconds after they have begun.

So a loop that is busy with what they lead to (handshakes, verdicts, decisions) slows them down, and not itself.
"""

BREATH: Final = 0.01


@dataclass(frozen=True, slots=True)
class Pace:
    """The daemon's own numbers of probing. Seconds, looks, and the file descriptors that may be used for them."""

    slot: float = 0.02
    jitter: float = 0.1
    max_in_flight: int = 4_096
    max_per_target: int = 16
    descriptors: int = 1 << 20


@dataclass(slots=True, eq=False)
class Batch:
    """Looks that began together, and are late together."""

    looks: list[Look] = field(default_factory=list)


def _nobody(_: Event) -> None:
    """Hears of load shedding when nobody else is to."""


class Probing:
    """Keeps every endpoint of every watched policy looked at, until `close`.

    Args:
        timetable: runs the job that lays out slots.
        board: is told what each look came to.
        clock: the time; steady.
        emit: is told when intervals are stretched.
        pace: the numbers.
        chance: where jitter comes from, and who is asked to bear a failure out.
    """

    def __init__(
        self,
        timetable: Timetable,
        board: Board,
        clock: Clock,
        *,
        emit: Emit = _nobody,
        pace: Pace | None = None,
        chance: random.Random | None = None,
    ) -> None:
        pace = pace or Pace()
        self._board = board
        self._clock = clock
        self._emit = emit
        self._chance = chance or random.Random()  # noqa: S311 - no secret
        self._slots: Slots[Lookout] = Slots(pace.slot, pace.jitter, self._chance)
        self._turns = Turns(timetable, self._slots, clock, self._start_batch, self._review)
        self._places = Places(min(pace.max_in_flight, pace.descriptors), pace.max_per_target, self._start)
        self._wires = Wires(pace.descriptors, self._tripped)
        self._lookouts: dict[str, list[Lookout]] = {}
        self._groups: dict[tuple[str, str, str], list[Lookout]] = {}
        self._regions: dict[tuple[str, str], list[Lookout]] = {}  # by policy and region
        self._tallies: dict[tuple[str, str], ProbeTally] = {}
        self._lags = Lags()
        self._shedding = Shedding()
        self._skipped = self._trips = 0
        self._siblings_asked: dict[tuple[str, str, str], float] = {}
        self._witnesses_asked: dict[tuple[str, str, str], float] = {}
        self._newcomers: deque[Lookout] = deque()
        self._welcoming: asyncio.Handle | None = None
        self._newcomer_at = 0.0
        self._patiences: dict[float, Deadlines[Batch]] = {}

    def watch(
        self, name: str, looks: Sequence[tuple[Endpoint, Check]], rules: HealthRules, probers: Mapping[str, Prober]
    ) -> None:
        """Look after everything that a policy names, or a newer revision of it; or, as `SENTINELS`, the sentinels.

        The first looks start at once, one after the other. Endpoints whose check did not change are looked at as
        before, and what is under way there goes on: a file that changes often ends no look. `probers` has one for each
        check, by its name.
        """
        known = {(lookout.endpoint, lookout.check.name): lookout for lookout in self._lookouts.get(name, ())}
        lookouts, newcomers = [], []
        for number, (endpoint, check) in enumerate(looks):
            lookout = known.get((endpoint, check.name))
            if lookout is not None and lookout.check == check:
                del known[endpoint, check.name]
                lookout.rules, lookout.prober, lookout.number = rules, probers[check.name], number
            else:
                tally = self._tally(name, check)
                lookout = Lookout(name, endpoint, check, rules, probers[check.name], tally, number, endpoint.address)
                newcomers.append(lookout)
            lookouts.append(lookout)
        kept = set(lookouts)
        self._abandon([lookout for lookout in self._lookouts.get(name, ()) if lookout not in kept])
        for gone in {tally for tally in self._tallies if tally[0] == name} - {(name, check.name) for _, check in looks}:
            del self._tallies[gone]
        self._lookouts[name] = lookouts
        self._seat(name, lookouts)
        self._greet(newcomers)

    def forget(self, name: str) -> None:
        """Stop looking. What is under way is abandoned."""
        self._abandon(self._lookouts.pop(name, ()))
        self._seat(name, ())
        for tally in [key for key in self._tallies if key[0] == name]:
            del self._tallies[tally]
        if not self._lookouts:
            self._turns.rest()
            self._newcomers.clear()
            if self._welcoming is not None:
                self._welcoming.cancel()
                self._welcoming = None
            for patience in self._patiences.values():
                patience.close()
            self._patiences.clear()

    async def close(self) -> None:
        """End every look."""
        for name in list(self._lookouts):
            self.forget(name)
        await asyncio.sleep(0)  # what was abandoned ends in this turn of the loop

    # -- in turn -------------------------------------------------------------------------------------------------------

    def _seat(self, name: str, lookouts: Iterable[Lookout]) -> None:
        """Give these lookouts their slots, instead of those who had the name before."""
        groups: dict[tuple[str, str, str], list[Lookout]] = {}
        for lookout in lookouts:
            groups.setdefault(lookout.group, []).append(lookout)
        for key in [key for key in self._groups if key[0] == name]:
            del self._groups[key]
            self._regions.pop(key[:2], None)
            self._siblings_asked.pop(key, None)
            self._witnesses_asked.pop(key, None)
            if key not in groups:
                self._slots.remove(key)
        for key, members in groups.items():
            self._slots.place(key, members[0].check.every, members)
        self._groups |= groups
        for key, members in sorted(groups.items(), key=lambda group: _as_witness(group[1][0].check)):
            self._regions.setdefault(key[:2], members)

    def _greet(self, lookouts: Iterable[Lookout]) -> None:
        """Look at newcomers at once, but not at all of them together."""
        self._newcomers.extend(lookouts)
        if self._newcomers and self._welcoming is None:
            self._welcoming = asyncio.get_running_loop().call_soon(self._welcome)
        self._turns.go_on()

    def _welcome(self) -> None:
        """Look at the next few newcomers: those who have not had their turn by now, and are still to be watched."""
        self._newcomer_at = self._clock()
        for _ in range(min(NEWCOMERS, len(self._newcomers))):
            lookout = self._newcomers.popleft()
            if not lookout.watched:
                continue
            if lookout.began == float("-inf") and not lookout.waiting and lookout.timer is None:
                lookout.due = self._newcomer_at
                self._look_again(lookout)
            self._wires.keep(lookout, self._places.in_flight)
        self._welcoming = asyncio.get_running_loop().call_later(BREATH, self._welcome) if self._newcomers else None

    def _review(self, now: float) -> None:
        """Once a second: does probing keep up?"""
        self._wires.restore(self._places.in_flight)
        self._lags.tick(now)
        starting = now < self._newcomer_at + WINDOW  # haste of newcomers is not shed, and it passes by itself
        allowed = self._shedding.allowance
        if not starting and self._shedding.review(now, self._lags.late, full=self._places.full):
            self._tell_stretch()
        if self._shedding.allowance != allowed:
            self._board.stretch(self._shedding.allowance)

    def _start_batch(self, slot: int) -> None:
        due, factor = self._slots.begins(slot), self._shedding.factor
        hasty: dict[float, Batch] = {}
        for turn, lookouts in self._slots.due(slot):
            for lookout in lookouts:
                if factor > 1 and (turn + lookout.number) % factor:
                    continue
                if lookout.looks or lookout.waiting:
                    self._skipped += 1
                elif self._take_place(lookout, due, urgent=False):
                    look, recheck = self._begin(lookout), lookout.rules.recheck
                    if lookout.usual is not None and lookout.usual < recheck:
                        hasty.setdefault(recheck, Batch()).looks.append(look)
        for recheck, batch in hasty.items():
            self._patience(recheck).set(batch)

    def _hurry(self, batch: Batch) -> None:
        """Look again beside each look whose answer is late, unless that was done already."""
        for look in batch.looks:
            lookout = look.lookout
            if look.cancel is not None and lookout.looks[-1] is look:
                lookout.due = self._clock()
                self._look_again(lookout)
                self._look_for_witnesses(lookout)

    # -- one look ------------------------------------------------------------------------------------------------------

    def _look_again(self, lookout: Lookout) -> None:
        """A look out of turn, whose time has come."""
        lookout.timer = None
        free = lookout.watched and not lookout.waiting and len(lookout.looks) < lookout.rules.fall
        if free and self._take_place(lookout, lookout.due, urgent=True):
            self._start(lookout)

    def _take_place(self, lookout: Lookout, due: float, *, urgent: bool) -> bool:
        """Whether a look may begin now. Otherwise it begins when it has a place, if ever."""
        if lookout.timer is not None:
            lookout.timer.cancel()
            lookout.timer = None
        lookout.due = due
        return self._places.take(lookout, urgent=urgent)

    def _start(self, lookout: Lookout) -> None:
        """Begin a look alone. One of a batch has its haste together with the others."""
        self._begin(lookout)
        if lookout.hasty:
            self._later(lookout, lookout.rules.recheck)

    def _begin(self, lookout: Lookout) -> Look:
        """Begin a look for which a place was taken."""
        if self._wires:
            self._wires.make_room(self._places.in_flight)
        lookout.began = now = self._clock()
        self._lags.add(max(0.0, now - lookout.due))
        look = Look(lookout, self._land)
        lookout.looks.append(look)
        try:
            look.cancel = lookout.prober.start(lookout.endpoint, look.tell)
        except Exception as error:  # noqa: BLE001 - a defect in a prober blinds it; it never counts against the endpoint
            told = asyncio.get_running_loop().call_soon(look.tell, self._defect(lookout, error))
            look.cancel = told.cancel
        return look

    def _defect(self, lookout: Lookout, error: Exception) -> ProbeResult:
        return ProbeResult(
            lookout.endpoint,
            lookout.check.name,
            Outcome.BLIND,
            ProbeReason.PROBER_ERROR,
            Timings(0.0),
            self._clock(),
            describe(error)[:200],
        )

    def _land(self, look: Look, result: ProbeResult) -> None:
        """Fold the result in, and look again out of turn where health asks for it."""
        if look.cancel is None:
            return  # abandoned: it says nothing to a newer revision that looks at the same endpoint
        look.cancel = None
        lookout = look.lookout
        lookout.looks.remove(look)
        self._places.give_back(lookout)
        lookout.tally.add(result)
        observation = self._board.observe(lookout.name, result)
        if observation is None:
            return
        _, recheck, siblings = observation
        outcome = result.outcome
        if outcome is Outcome.PASS or outcome is Outcome.DEGRADED:
            lookout.usual = result.timings.total
        elif outcome is Outcome.FAIL and not recheck:
            lookout.usual = None  # it is down: there is no haste to see that again
        if recheck:
            self._recheck(lookout)
        elif lookout.timer is not None and not lookout.looks:
            lookout.timer.cancel()
            lookout.timer = None
        if siblings:
            self._look_around(lookout)

    def _recheck(self, lookout: Lookout) -> None:
        """Look again `recheck` after this answer or, when others are under way, after the last of them began."""
        if not lookout.looks:
            self._later(lookout, lookout.rules.recheck)
        elif lookout.timer is None:
            self._later(lookout, max(0.0, lookout.began + lookout.rules.recheck - self._clock()))

    def _later(self, lookout: Lookout, delay: float) -> None:
        if lookout.timer is not None:
            lookout.timer.cancel()
        lookout.due = self._clock() + delay
        lookout.timer = asyncio.get_running_loop().call_later(delay, self._look_again, lookout)

    def _look_around(self, failing: Lookout) -> None:
        """Look at the siblings of an endpoint that began to fail, and at those who can bear it out."""
        group = self._groups.get(failing.group, ())
        if len(group) <= CROWD or self._asks(self._siblings_asked, failing):
            self._look_in_order(lookout for lookout in group if lookout is not failing)
        self._look_for_witnesses(failing)

    def _look_for_witnesses(self, failing: Lookout) -> None:
        """Look at those who can bear a failure out, or would not: sentinels, and somebody in each other cloud."""
        if not self._asks(self._witnesses_asked, failing):
            return
        now = self._clock()
        sentinels = [
            lookout
            for lookout in self._lookouts.get(SENTINELS, ())
            if lookout is not failing and now - lookout.began >= lookout.rules.recheck
        ]
        witnesses = [
            self._chance.choice(self._regions[group])
            for group in self._board.witnesses(failing.name, failing.endpoint)
            if group in self._regions
        ]
        self._look_in_order((*sentinels, *witnesses))

    def _asks(self, asked: dict[tuple[str, str, str], float], failing: Lookout) -> bool:
        """Whether to ask now: all endpoints of a group that fail together ask for the same looks."""
        now = self._clock()
        if now - asked.get(failing.group, NEVER) < failing.rules.recheck:
            return False
        asked[failing.group] = now
        return True

    def _look_in_order(self, lookouts: Iterable[Lookout]) -> None:
        """Look at them one after the other."""
        now = self._clock()
        for index, lookout in enumerate(lookouts, start=1):
            delay = index * STAGGER
            sooner = lookout.timer is not None and lookout.due <= now + delay
            if not lookout.looks and not sooner:
                self._later(lookout, delay)

    # -- trip wires ----------------------------------------------------------------------------------------------------

    def _tripped(self, lookout: Lookout) -> None:
        """Look now, or `recheck` after the last time that its wire tripped."""
        self._trips += 1
        now, recheck = self._clock(), lookout.rules.recheck
        when = max(now, lookout.tripped_at + recheck)
        sooner = lookout.timer is not None and lookout.due <= when
        if sooner or not lookout.watched:
            return
        lookout.tripped_at = when
        self._later(lookout, when - now)

    # -- how it goes ---------------------------------------------------------------------------------------------------

    def figures(self) -> ProbingFigures:
        return ProbingFigures(
            probes=tuple(tally.figures() for tally in self._tallies.values()),
            lag=self._lags.all.copy(),
            lag_max=self._lags.worst,
            in_flight=self._places.in_flight,
            limit=self._places.limit,
            waiting=self._places.waiting,
            skipped=self._skipped,
            dropped=self._places.dropped,
            stretched=self._shedding.factor,
            wires=len(self._wires),
            trips=self._trips,
        )

    def status(self) -> ProbingStatus:
        return ProbingStatus(
            at=self._clock(),
            rate=self._lags.rate,
            lag=self._lags.late,
            lag_max=self._lags.worst,
            in_flight=self._places.in_flight,
            waiting=self._places.waiting,
            skipped=self._skipped + self._places.dropped,
            stretched=self._shedding.factor,
            wires=len(self._wires),
        )

    def _tell_stretch(self) -> None:
        event, full = ProbingShed if self._shedding.stretching else ProbingRestored, self._places.full
        self._emit(
            event(
                at=self._clock(),
                factor=self._shedding.factor,
                lag=self._lags.late,
                in_flight=self._places.in_flight,
                waiting=self._places.waiting,
                cause="no place is left" if full else "looks begin late",
            )
        )

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _patience(self, recheck: float) -> Deadlines[Batch]:
        found = self._patiences.get(recheck)
        if found is None:
            found = self._patiences[recheck] = Deadlines(asyncio.get_running_loop(), recheck, self._hurry)
        return found

    def _tally(self, name: str, check: Check) -> ProbeTally:
        """Counting goes on where the check stays what it is."""
        found = self._tallies.get((name, check.name))
        if found is None or found.kind != check.kind:
            found = self._tallies[name, check.name] = ProbeTally(name, check.name, check.kind)
        return found

    def _abandon(self, gone: Collection[Lookout]) -> None:
        for lookout in gone:  # first of all, so that no place goes from one to the next of them
            lookout.watched = False
            self._places.withdraw(lookout)
        for lookout in gone:
            if lookout.timer is not None:
                lookout.timer.cancel()
            for look in lookout.looks:
                look.abandon()
                self._places.give_back(lookout)
            lookout.looks.clear()
            self._wires.cut(lookout)


def _as_witness(check: Check) -> tuple[bool, float]:
    """The check under which an endpoint is asked to bear a failure out comes first: the one that answers soonest."""
    return not check.uses_network, check.timeout
