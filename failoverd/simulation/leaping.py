"""Lets the clock of a simulated daemon run ahead while nothing happens.

Most of a day is quiet: every probe comes to the same as the one before, every look at a record decides what it decided
before. Such time is leapt over. That changes nothing, because of when it is done:

1. A probe that comes to the same as the last one leaves everything as it is (`HealthTable.steady`), nobody is probed
   out of turn, and the world would answer as it did.
2. The last two looks at everything left everything as it was, down to what is remembered of each record, and told
   nothing; and nothing else happened between them, such as an edit that nobody has seen yet. What time alone changes
   has a moment (`Outcome.until`, the end of a word), which somebody waits for.
3. So the next thing that can happen is the first timer of the loop that is not part of the routine: a scene that goes
   on, an outcome's moment, a pause between two steps. It is never leapt over, and the routine is back before it for so
   long (`_lead`) that everything was probed and looked at again.

What was leapt over is made up for by what it would have left behind: the last answers of each endpoint, each at its
own time, for as far back as anybody looks. Turns and looks go on in their rhythm. So every decision, change and event
comes at the time at which it would have come. Only what counts probes (`figures` of probing) counts fewer of them.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from failoverd.core.control.state import PolicyState
from failoverd.core.health.isolation import NEVER
from failoverd.core.health.latency import SLICES
from failoverd.core.health.transitions import NOTHING_NEW
from failoverd.core.probe_reasons import ProbeOutcome
from failoverd.core.records import Check, ProbeResult
from failoverd.runtime.engine import Engine
from failoverd.runtime.scheduled_probe import ScheduledProbe
from failoverd.runtime.slot_clock import JOB
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.virtual_time import VirtualLoop, VirtualTimetable
from failoverd.simulation.world import World

TICK_JOB: Final = "tick"
"""What the timetable's job is called that looks at everything."""

AFTER: Final = 0.5
"""Part of the time between two looks at everything, after which they are over: they take milliseconds on paper."""

WORTH: Final = 15.0
"""Seconds: to leap over less is not worth it."""

LONGEST: Final = 43_200.0
"""Seconds that are leapt over at most. What files plan is known a day ahead, so none of it is missed."""

_SPARE: Final = 2.0
"""Seconds by which the routine is back sooner than it has to be."""


_NOTHING: Final = None, NEVER
"""What is known after a look at which something was under way."""


class Leaps:
    """Looks after each look at everything whether to leap.

    Args:
        engine: who is at work, alone on its loop.
        timetable: its.
        world: what it probes.
        tick: seconds between two of its looks at everything.
        told: how many events it has told.
    """

    def __init__(
        self, engine: Engine, timetable: VirtualTimetable, world: World, tick: float, told: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._timetable = timetable
        self._world = world
        self._tick = tick
        self._told = told
        self._known: tuple[object, float] = _NOTHING
        self._answers: object = None
        self._alike_since = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """The timetable has its jobs."""
        loop = asyncio.get_running_loop()
        next_tick = self._timetable.jobs[TICK_JOB].when()
        self._timer = loop.call_at(next_tick + self._tick * AFTER, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop) and (to := self._where_to(loop)) is not None:
            self._leap(loop, to)
        self.start()

    # -- whether to leap -----------------------------------------------------------------------------------------------

    def _where_to(self, loop: VirtualLoop) -> float | None:
        now, engine = loop.time(), self._engine
        (before, quiet_until), self._known = self._known, _NOTHING
        if loop.expects or not engine.probing.in_turn or not engine.board.table.steady(now):
            return None
        known, then = (self._told(), engine.words(), _remembered(engine)), self._next(loop)
        self._known = known, then
        answers = tuple(self._answer(probe) for probe in engine.probing.scheduled())
        if answers != self._answers:
            self._answers, self._alike_since = answers, now
        to = min(then - self._lead, now + LONGEST)
        if self._rationed or now < self._alike_since + self._window:
            return None
        if known != before or now >= quiet_until or to < now + WORTH:
            return None
        return to if all(self._goes_on(probe) for probe in engine.probing.scheduled()) else None

    def _next(self, loop: VirtualLoop) -> float:
        """When something can happen: the first timer that is not part of the routine."""
        engine, jobs, world = self._engine, self._timetable.jobs, self._world
        routine = {*engine.probing.timers, *(jobs[name] for name in (TICK_JOB, JOB) if name in jobs)}
        if len(world.under_way) == engine.probing.in_flight:  # else others probe as well
            routine |= world.under_way
        routine |= {nap.timer for nap in engine.naps if nap.timer is not None}
        timers = (timer.when() for timer in loop.timers() if timer not in routine)
        moments = (engine.board.table.reused_at, *(nap.due for nap in engine.naps))
        return min((*timers, *(at for at in moments if at is not None)), default=loop.horizon)

    @property
    def _rationed(self) -> bool:
        """Whether it makes a difference how often a provider is asked."""
        providers = self._engine.providers.values()
        return any(isinstance(each, PaperProvider) and each.allowance is not None for each in providers)

    def _answer(self, probe: ScheduledProbe) -> object:
        """What the last probe came to, as far as it counts for longer than until the next one."""
        last = self._engine.board.table.last(probe.name, probe.endpoint, probe.check.name)
        return (last.outcome, last.timings.connect) if last is not None else None

    @property
    def _window(self) -> float:
        """Seconds for which connection times count: a median changes by itself until all of them are alike."""
        windows = (policy.latency.window for policy in self._engine.policies.values() if policy.latency is not None)
        return max(windows, default=0.0) * (1 + 1 / SLICES)

    @property
    def _lead(self) -> float:
        """Seconds in which everything is probed, and looked at after that."""
        return max((check.every + check.timeout for check in self._checks()), default=0.0) + self._tick + _SPARE

    def _goes_on(self, probe: ScheduledProbe) -> bool:
        """Whether the next probe comes to the same as the last one."""
        last = self._engine.board.table.last(probe.name, probe.endpoint, probe.check.name)
        if last is None or self._world.varies(probe.endpoint):
            return False
        answer, served = self._world.answer(probe.endpoint, probe.check), self._world.model_at(probe.endpoint)
        same = (answer.outcome, answer.reason) == (last.outcome, last.reason)
        connect = self._world.connects.get(probe.endpoint.address)
        known = last.outcome is not ProbeOutcome.PASS or (served, connect) == (last.served, last.timings.connect)
        return same and known and abs(answer.after - last.timings.total) < _EQUAL and answer.after < probe.check.every

    # -- leaping -------------------------------------------------------------------------------------------------------

    def _leap(self, loop: VirtualLoop, to: float) -> None:
        probing, now = self._engine.probing, loop.time()
        under_way = [(probe.began, probe) for probe in probing.suspend()]
        since = max(now, to - self._looked_back)
        results = ((probe, self._as_before(probe, began)) for began, probe in (*under_way, *probing.turns(since, to)))
        loop.leap(to)
        for probe, result in sorted(results, key=lambda each: each[1].at):
            if since < result.at <= to:
                self._feed(probe, result)
        self._timetable.leap()
        probing.resume()

    @property
    def _looked_back(self) -> float:
        """Seconds: as far back as anybody looks at what probes came to while all of them come to the same."""
        return max((self._window, *(check.every + check.timeout for check in self._checks())))

    def _checks(self) -> Iterator[Check]:
        yield from (check for policy in self._engine.policies.values() for _, check in policy.probes())
        yield from (check for _, check in self._engine.sentinels)

    def _as_before(self, probe: ScheduledProbe, began: float) -> ProbeResult:
        """What a probe that began then came to."""
        last = self._engine.board.table.last(probe.name, probe.endpoint, probe.check.name)
        if last is None:
            raise LookupError(f"{probe.endpoint} was never probed")  # `_goes_on` has seen to that
        return last._replace(at=began + last.timings.total)

    def _feed(self, probe: ScheduledProbe, result: ProbeResult) -> None:
        fed = self._engine.board.table.feed(probe.name, result, result.at)
        if fed != NOTHING_NEW:
            raise RuntimeError(f"a probe of {probe.endpoint} that came to the same as the one before was news: {fed}")


_EQUAL: Final = 1e-5
"""Seconds: a time since the epoch is no more exact than a fraction of a microsecond."""


def _remembered(engine: Engine) -> Mapping[str, PolicyState]:
    """What is known of each policy, but for the health of its regions, which tells when each was last seen."""
    return {name: replace(engine.states.of(name), verdicts={}) for name in engine.policies}
