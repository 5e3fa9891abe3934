"""When which endpoint is probed: the probe timetable.

Each endpoint has its slot in the interval of its check (`slots`), and due probes begin together (`slot_clock`). Out of
turn it is probed when the check table says so (`core.health.table`): its answer to each result is obeyed here.

A probe that has not answered after `recheck`, where the endpoint usually is faster, does not wait for its time-out
either: the next one starts beside it. So a port that drops packets in silence is known after the phase of one interval,
plus (fall - 1) x recheck, plus one time-out. A trip wire that trips has its endpoint probed now: that saves the phase.

Nothing piles up. A probe whose predecessor is still under way when its turn comes is skipped; only so many are under
way (`in_flight`), and when they come too late the intervals are stretched (`shedding`).
"""

import asyncio
import random
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.core.errors import describe
from failoverd.core.events import Event, ProbingRestored, ProbingShed
from failoverd.core.health.transitions import ProbeDue
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, HealthRules, ProbeResult, Timings
from failoverd.core.status import ProbingStatus
from failoverd.core.tallies import ProbeTally, ProbingFigures
from failoverd.deadlines import Deadlines
from failoverd.ports import Clock, Emit, Prober, Timetable
from failoverd.runtime.health_board import HealthBoard
from failoverd.runtime.in_flight import InFlightLimiter
from failoverd.runtime.scheduled_probe import Batch, RunningProbe, ScheduledProbe
from failoverd.runtime.shedding import WINDOW, Lags, Shedding
from failoverd.runtime.slot_clock import SlotClock
from failoverd.runtime.slots import Slots
from failoverd.runtime.wires import Wires

NEWCOMERS: Final = 24
"""First probes of endpoints that are new that begin together, and so many again `BREATH` seconds after they have begun.

So a loop that is busy with what they lead to (handshakes, verdicts, decisions) slows them down, and not itself.
"""

BREATH: Final = 0.01


@dataclass(frozen=True, slots=True)
class Pace:
    """The daemon's own numbers of probing. Seconds, probes, and the file descriptors that may be used for them."""

    slot: float = 0.02
    jitter: float = 0.1
    max_in_flight: int = 4_096
    max_per_target: int = 16
    descriptors: int = 1 << 20


def _nobody(_: Event) -> None:
    """Hears of load shedding when nobody else is to."""


class Probing:
    """Keeps every endpoint of every watched policy probed, until `close`.

    Args:
        timetable: runs the job that lays out slots.
        board: is told what each probe came to, and says which ones are due out of turn.
        clock: the time; steady.
        emit: is told when intervals are stretched.
        pace: the numbers.
        chance: where jitter comes from.
    """

    def __init__(
        self,
        timetable: Timetable,
        board: HealthBoard,
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
        self._slots: Slots[ScheduledProbe] = Slots(pace.slot, pace.jitter, chance or random.Random())  # noqa: S311 - no secret
        self._slot_clock = SlotClock(timetable, self._slots, clock, self._start_batch, self._review)
        self._limiter = InFlightLimiter(min(pace.max_in_flight, pace.descriptors), pace.max_per_target, self._start)
        self._wires = Wires(pace.descriptors, self._tripped)
        self._scheduled: dict[str, dict[str, dict[Endpoint, ScheduledProbe]]] = {}  # by policy and check
        self._tallies: dict[tuple[str, str], ProbeTally] = {}
        self._lags = Lags()
        self._shedding = Shedding()
        self._skipped = self._trips = 0
        self._newcomers: deque[ScheduledProbe] = deque()
        self._welcoming: asyncio.Handle | None = None
        self._newcomer_at = 0.0
        self._patiences: dict[float, Deadlines[Batch]] = {}

    def watch(
        self, name: str, wanted: Sequence[tuple[Endpoint, Check]], rules: HealthRules, probers: Mapping[str, Prober]
    ) -> None:
        """Probe everything that a policy names, or a newer revision of it; or, as `SENTINELS`, the sentinels.

        The first probes start at once, one after the other. Endpoints whose check did not change are probed as before,
        and what is under way there goes on: a file that changes often ends no probe. `probers` has one for each check,
        by its name.
        """
        known, before = self._scheduled.get(name, {}), self._probes(name)
        scheduled: dict[str, dict[Endpoint, ScheduledProbe]] = {check.name: {} for _, check in wanted}
        newcomers = []
        for number, (endpoint, check) in enumerate(wanted):
            probe = known.get(check.name, {}).get(endpoint)
            if endpoint in scheduled[check.name]:
                continue
            if probe is not None and probe.check == check:
                probe.rules, probe.prober, probe.number = rules, probers[check.name], number
            else:
                tally = self._tally(name, check)
                probe = ScheduledProbe(
                    name, endpoint, check, rules, probers[check.name], tally, number, endpoint.address
                )
                newcomers.append(probe)
            scheduled[check.name][endpoint] = probe
        self._scheduled[name] = scheduled
        kept = set(self._probes(name))
        self._abandon([probe for probe in before if probe not in kept])
        for gone in known.keys() - scheduled.keys():
            del self._tallies[name, gone]
        self._seat(self._probes(name), instead_of=before)
        self._greet(newcomers)

    def forget(self, name: str) -> None:
        """Probe it no longer. What is under way is abandoned."""
        gone = self._probes(name)
        self._abandon(gone)
        self._seat((), instead_of=gone)
        for check in self._scheduled.pop(name, {}):
            del self._tallies[name, check]
        if not self._scheduled:
            self._slot_clock.rest()
            self._forget_patience()
            self._newcomers.clear()
            if self._welcoming is not None:
                self._welcoming.cancel()
                self._welcoming = None

    def leave(self, name: str, elsewhere: Collection[Endpoint]) -> None:
        """These are probed by other vantages in turn, and here only while there is a reason to look."""
        for probe in self._probes(name):
            probe.elsewhere = probe.endpoint in elsewhere

    async def close(self) -> None:
        """End every probe."""
        for name in list(self._scheduled):
            self.forget(name)
        await asyncio.sleep(0)  # what was abandoned ends in this turn of the loop

    # -- for who lets the clock run ahead ------------------------------------------------------------------------------

    @property
    def timers(self) -> Iterator[asyncio.TimerHandle]:
        """Those that are there whatever happens: of probes in their turn, and of the patience with them."""
        yield from self._slot_clock.timers
        yield from (each.timer for each in self._patiences.values() if each.timer is not None)

    @property
    def in_flight(self) -> int:
        """Probes that are under way."""
        return self._limiter.in_flight

    @property
    def in_turn(self) -> bool:
        """Whether everybody is probed in their turn, at their own interval, and nobody besides."""
        waits = self._newcomers or self._welcoming is not None or self._limiter.waiting
        return not waits and self._shedding.factor == 1 and all(probe.timer is None for probe in self.scheduled())

    def suspend(self) -> list[ScheduledProbe]:
        """Begin no probe until `resume`. What is under way is abandoned; returns whose."""
        self._slot_clock.clear()
        self._forget_patience()
        under_way = [probe for probe in self.scheduled() if probe.running]
        for probe in under_way:
            self._cut_short(probe)
        return under_way

    def resume(self) -> None:
        """Go on in turn, whatever the time is by now."""
        self._slot_clock.go_on()

    def turns(self, since: float, until: float) -> Iterator[tuple[float, ScheduledProbe]]:
        """Whose turns begin between two moments, and when, in order."""
        for slot in range(self._slots.at(since) + 1, self._slots.at(until) + 1):
            for _, probes in self._slots.due(slot):
                begins = self._slots.begins(slot)
                yield from ((begins, probe) for probe in probes)

    def scheduled(self) -> Iterator[ScheduledProbe]:
        """Everybody who is probed, under each check."""
        return (probe for name in self._scheduled for probe in self._probes(name))

    def _forget_patience(self) -> None:
        for patience in self._patiences.values():
            patience.close()
        self._patiences.clear()

    # -- in turn -------------------------------------------------------------------------------------------------------

    def _seat(self, probes: Iterable[ScheduledProbe], *, instead_of: Iterable[ScheduledProbe]) -> None:
        """Give these probes their slots, instead of those that had the name before."""
        groups: dict[tuple[str, str, str], list[ScheduledProbe]] = {}
        for probe in probes:
            groups.setdefault(probe.group, []).append(probe)
        for key in {probe.group for probe in instead_of} - groups.keys():
            self._slots.remove(key)
        for key, members in groups.items():
            self._slots.place(key, members[0].check.every, members)

    def _greet(self, newcomers: Iterable[ScheduledProbe]) -> None:
        """Probe newcomers at once, but not all of them together."""
        self._newcomers.extend(newcomers)
        if self._newcomers and self._welcoming is None:
            self._welcoming = asyncio.get_running_loop().call_soon(self._welcome)
        self._slot_clock.go_on()

    def _welcome(self) -> None:
        """Probe the next few newcomers: those who have not had their turn by now, and are still to be watched."""
        self._newcomer_at = self._clock()
        for _ in range(min(NEWCOMERS, len(self._newcomers))):
            probe = self._newcomers.popleft()
            if not probe.watched:
                continue
            if probe.began == float("-inf") and not probe.waiting and probe.timer is None:
                probe.due = self._newcomer_at
                self._probe_again(probe)
            self._wires.keep(probe, self._limiter.in_flight)
        self._welcoming = asyncio.get_running_loop().call_later(BREATH, self._welcome) if self._newcomers else None

    def _review(self, now: float) -> None:
        """Once a second: does probing keep up?"""
        self._wires.restore(self._limiter.in_flight)
        self._lags.tick(now)
        starting = now < self._newcomer_at + WINDOW  # haste of newcomers is not shed, and it passes by itself
        allowed = self._shedding.allowance
        if not starting and self._shedding.review(now, self._lags.late, self._lags.rate, full=self._limiter.full):
            self._tell_stretch()
        if self._shedding.allowance != allowed:
            self._board.stretch(self._shedding.allowance)

    def _start_batch(self, slot: int) -> None:
        due, factor = self._slots.begins(slot), self._shedding.factor
        hasty: dict[float, Batch] = {}
        for turn, probes in self._slots.due(slot):
            for probe in probes:
                if probe.elsewhere and self._board.idle(probe.name, probe.endpoint):
                    continue
                not_yet = factor > 1 and (turn + probe.number) % factor
                if not_yet and not self._board.down(probe.name, probe.endpoint, probe.check.name):
                    continue
                if probe.running or probe.waiting:
                    self._skipped += 1
                elif probe.timer is not None and probe.due <= due + probe.rules.recheck:
                    continue  # it is about to be probed out of turn
                elif self._admit(probe, due, urgent=False):
                    running, recheck = self._begin(probe), probe.rules.recheck
                    if probe.usual is not None and probe.usual < recheck:
                        hasty.setdefault(recheck, Batch()).add(running)
        for recheck, batch in hasty.items():
            self._patience(recheck).set(batch)

    def _hurry(self, batch: Batch) -> None:
        """Probe again beside each probe whose answer is late, unless that was done already."""
        for running in batch.probes:
            probe = running.scheduled
            if running.cancel is not None and probe.running[-1] is running:
                probe.due = self._clock()
                self._probe_again(probe)
                self.obey(self._board.late(probe.name, probe.endpoint, probe.check.name))

    # -- one probe -----------------------------------------------------------------------------------------------------

    def _probe_again(self, probe: ScheduledProbe) -> None:
        """A probe out of turn, whose time has come."""
        probe.timer = None
        free = probe.watched and not probe.waiting and len(probe.running) < probe.rules.fall
        if free and self._admit(probe, probe.due, urgent=True):
            self._start(probe)

    def _admit(self, probe: ScheduledProbe, due: float, *, urgent: bool) -> bool:
        """Whether a probe may begin now. Otherwise it begins when there is room, if ever."""
        if probe.timer is not None:
            probe.timer.cancel()
            probe.timer = None
        probe.due = due
        return self._limiter.admit(probe, urgent=urgent)

    def _start(self, probe: ScheduledProbe) -> None:
        """Begin a probe alone. One of a batch has its haste together with the others."""
        self._begin(probe)
        if probe.hasty:
            self._later(probe, probe.rules.recheck)

    def _begin(self, probe: ScheduledProbe) -> RunningProbe:
        """Begin a probe that was admitted."""
        if self._wires:
            self._wires.make_room(self._limiter.in_flight)
        probe.began = now = self._clock()
        self._lags.add(max(0.0, now - probe.due))
        running = RunningProbe(probe, self._land)
        probe.running.append(running)
        try:
            running.cancel = probe.prober.start(probe.endpoint, running.tell)
        except Exception as error:  # noqa: BLE001 - a defect in a prober blinds it; it never counts against the endpoint
            told = asyncio.get_running_loop().call_soon(running.tell, self._defect(probe, error))
            running.cancel = told.cancel
        return running

    def _defect(self, probe: ScheduledProbe, error: Exception) -> ProbeResult:
        return ProbeResult(
            probe.endpoint,
            probe.check.name,
            ProbeOutcome.BLIND,
            ProbeReason.PROBER_ERROR,
            Timings(0.0),
            self._clock(),
            describe(error)[:200],
        )

    def _land(self, running: RunningProbe, result: ProbeResult) -> None:
        """Give the result to the board, and probe out of turn as it says."""
        if running.cancel is None:
            return  # abandoned: it says nothing to a newer revision that probes the same endpoint
        running.cancel = None
        probe = running.scheduled
        probe.running.remove(running)
        self._limiter.release(probe)
        batch = running.batch
        if batch is not None and batch.landed(running):
            self._patience(probe.rules.recheck).lift(batch)
        probe.tally.add(result)
        again, others = self._board.observe(probe.name, result)
        outcome = result.outcome
        if outcome is ProbeOutcome.PASS or outcome is ProbeOutcome.DEGRADED:
            probe.usual = result.timings.total
        elif outcome is ProbeOutcome.FAIL and again is None:
            probe.usual = None  # it is down: there is no haste to see that again
        if again is not None:
            self._recheck(probe, again)
        elif probe.timer is not None and not probe.running:
            probe.timer.cancel()
            probe.timer = None
        if others:
            self.obey(others)

    def _recheck(self, probe: ScheduledProbe, after: float) -> None:
        """Probe again so long after this answer or, when others are under way, after the last of them began."""
        if not probe.running:
            self._later(probe, after)
        elif probe.timer is None:
            self._later(probe, max(0.0, probe.began + after - self._clock()))

    def _later(self, probe: ScheduledProbe, delay: float) -> None:
        if probe.timer is not None:
            probe.timer.cancel()
        probe.due = self._clock() + delay
        probe.timer = asyncio.get_running_loop().call_later(delay, self._probe_again, probe)

    def obey(self, due: Iterable[ProbeDue]) -> None:
        """Make the probes that are due out of turn, unless they are to be made sooner, or one is under way."""
        now = self._clock()
        for name, endpoint, check, delay, afresh in due:
            probe = self._scheduled.get(name, {}).get(check, {}).get(endpoint)
            if probe is None or (probe.running and not afresh):
                continue
            if probe.timer is None or probe.due > now + delay:
                self._later(probe, delay)

    # -- trip wires ----------------------------------------------------------------------------------------------------

    def _tripped(self, probe: ScheduledProbe) -> None:
        """Probe now, or `recheck` after the last time that its wire tripped."""
        self._trips += 1
        now, recheck = self._clock(), probe.rules.recheck
        when = max(now, probe.tripped_at + recheck)
        sooner = probe.timer is not None and probe.due <= when
        if sooner or not probe.watched:
            return
        probe.tripped_at = when
        self._later(probe, when - now)

    # -- how it goes ---------------------------------------------------------------------------------------------------

    def figures(self) -> ProbingFigures:
        return ProbingFigures(
            probes=tuple(tally.figures() for tally in self._tallies.values()),
            lag=self._lags.all.copy(),
            lag_max=self._lags.worst,
            in_flight=self._limiter.in_flight,
            limit=self._limiter.limit,
            waiting=self._limiter.waiting,
            skipped=self._skipped,
            dropped=self._limiter.dropped,
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
            in_flight=self._limiter.in_flight,
            waiting=self._limiter.waiting,
            skipped=self._skipped + self._limiter.dropped,
            stretched=self._shedding.factor,
            wires=len(self._wires),
        )

    def _tell_stretch(self) -> None:
        event, full = ProbingShed if self._shedding.stretching else ProbingRestored, self._limiter.full
        self._emit(
            event(
                at=self._clock(),
                factor=self._shedding.factor,
                lag=self._lags.late,
                in_flight=self._limiter.in_flight,
                waiting=self._limiter.waiting,
                cause="no room is left" if full else "probes begin late",
            )
        )

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _probes(self, name: str) -> list[ScheduledProbe]:
        """All that are made under that name."""
        return [probe for each in self._scheduled.get(name, {}).values() for probe in each.values()]

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

    def _abandon(self, gone: Collection[ScheduledProbe]) -> None:
        for probe in gone:  # first of all, so that no room goes from one to the next of them
            probe.watched = False
            self._limiter.withdraw(probe)
        for probe in gone:
            if probe.timer is not None:
                probe.timer.cancel()
            self._cut_short(probe)
            self._wires.cut(probe)

    def _cut_short(self, probe: ScheduledProbe) -> None:
        for running in probe.running:
            running.abandon()
            self._limiter.release(probe)
        probe.running.clear()
