"""Sends what a plan says, when it says so: the schedule does not wait for answers (an open loop).

A closed loop sends less while a server is slow, and so leaves out the very requests that would have shown it. Here each
request has a due time that was fixed before; what it waits for its turn is part of its latency.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from failoverd.cli.benchmarking.schedule import BenchmarkPlan
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, ProbeResult, Timings
from failoverd.ports import Cancel, Prober

MOST_IN_FLIGHT: Final = 1_000
"""Requests under way at once, in all. Endpoints have even parts of it, so that one that hangs holds up no other."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one request came to. Times are seconds since the benchmark began."""

    endpoint: Endpoint
    due: float
    began: float
    ended: float
    outcome: ProbeOutcome
    reason: ProbeReason
    timings: Timings
    measures: tuple[tuple[str, float], ...] = ()

    @property
    def answered(self) -> bool:
        return self.outcome in {ProbeOutcome.PASS, ProbeOutcome.DEGRADED}

    @property
    def since_due(self) -> float:
        """Latency as a user has it who came when the request was due."""
        return self.ended - self.due


@dataclass(frozen=True, slots=True)
class Run:
    """A benchmark that is over.

    Attributes:
        samples: in the order in which they ended.
        seconds: how long it took, the last answers included.
        unsent: requests that fell due and were never sent: too many were under way to their endpoint.
        abandoned: requests that were under way when a person ended it.
        interrupted: a person ended it before its time.
    """

    samples: tuple[Sample, ...]
    seconds: float
    unsent: Mapping[str, int]
    abandoned: int = 0
    interrupted: bool = False


class _Lane:
    """The requests to one endpoint."""

    def __init__(self, endpoint: Endpoint, prober: Prober, room: int, done: Callable[[Sample], None]) -> None:
        self.endpoint = endpoint
        self.waiting: deque[float] = deque()
        self.under_way: dict[int, Cancel] = {}
        self._prober = prober
        self._room = room
        self._done = done
        self._sent = 0

    def fall_due(self, due: float, zero: float) -> None:
        self.waiting.append(due)
        self.go_on(zero)

    def go_on(self, zero: float) -> None:
        while self.waiting and len(self.under_way) < self._room:
            self._send(self.waiting.popleft(), zero)

    def _send(self, due: float, zero: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time() - zero
        self._sent += 1
        number = self._sent

        def tell(result: ProbeResult) -> None:
            del self.under_way[number]
            ended = loop.time() - zero
            self._done(
                Sample(self.endpoint, due, began, ended, result.outcome, result.reason, result.timings, result.measures)
            )
            self.go_on(zero)

        self.under_way[number] = self._prober.start(self.endpoint, tell)


class Runner:
    """Plays a plan once.

    Args:
        plan: what to send.
        probers: for each region, what probes its endpoints.
        room: requests that may be under way at once, in all; at least one to each endpoint.
    """

    def __init__(self, plan: BenchmarkPlan, probers: Mapping[str, Prober], room: int = MOST_IN_FLIGHT) -> None:
        self._plan = plan
        self._samples: list[Sample] = []
        each = max(1, room // len(plan.endpoints))
        self._lanes = {
            endpoint: _Lane(endpoint, probers[endpoint.region], each, self._take) for endpoint in plan.endpoints
        }
        self._idle = asyncio.Event()
        self._zero = 0.0
        self._unsent: dict[str, int] = {}

    @property
    def answers(self) -> int:
        """How many requests are over by now."""
        return len(self._samples)

    @property
    def under_way(self) -> int:
        return sum(len(lane.under_way) for lane in self._lanes.values())

    async def run(self, stop: asyncio.Event) -> Run:
        """Send everything and wait for the answers; `stop` ends it early, with what is known by then."""
        loop = asyncio.get_running_loop()
        self._zero = loop.time()
        playing, stopping = asyncio.create_task(self._play()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            interrupted = not playing.done()
            if not interrupted:
                playing.result()
        finally:
            playing.cancel()
            stopping.cancel()
            await asyncio.gather(playing, stopping, return_exceptions=True)
            abandoned = self._abandon()
        seconds = loop.time() - self._zero
        return Run(tuple(self._samples), seconds, dict(self._unsent), abandoned, interrupted)

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        for due, endpoint in self._plan.schedule():
            await asyncio.sleep(max(0.0, self._zero + due - loop.time()))
            self._lanes[endpoint].fall_due(due, self._zero)
        await asyncio.sleep(max(0.0, self._zero + self._plan.seconds - loop.time()))
        self._drop_waiting()
        while self.under_way:
            self._idle.clear()
            await self._idle.wait()

    def _take(self, sample: Sample) -> None:
        self._samples.append(sample)
        self._idle.set()

    def _drop_waiting(self) -> None:
        """The time is over: what could not be sent until now is not sent any more, and is counted."""
        for lane in self._lanes.values():
            if lane.waiting:
                region = lane.endpoint.region
                self._unsent[region] = self._unsent.get(region, 0) + len(lane.waiting)
                lane.waiting.clear()

    def _abandon(self) -> int:
        self._drop_waiting()
        left = [cancel for lane in self._lanes.values() for cancel in lane.under_way.values()]
        for cancel in left:
            cancel()
        return len(left)
