"""A provider in memory, with the fence of RFC 2136."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, TypeVar

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.errors import FailoverdError, Fenced, Permanent, RateLimited
from failoverd.core.records import Observed, RecordSet, Target
from failoverd.ports import Clock, Urgency
from failoverd.simulation.faults import Fault, Moment, Script, _strike
from failoverd.simulation.zonefile import Write, Zonefile

T = TypeVar("T")

_MINUTE: Final = 60.0


class PaperProvider:
    """`ports.Provider` with an atomic compare-and-swap, as RFC 2136 has it.

    Attributes:
        down: raised by every call while it is set.
        on_read, on_apply: faults, one for each coming call.
        audit: told of each write before it takes effect, with what stands there.
        readonly: raised by every write while it is set.
        allowance: calls that it lets through in a minute; it throttles the others. None: all.
        looks: reads by itself after each write, and says what it found.
        keeps: what it makes of the records that are written.
        sent: when each plan was to be written last, by its id.
        most_at_name, most_abreast: the most calls that were ever under way at once, by name and in all.
    """

    def __init__(self, zonefile: Zonefile, clock: Clock, *, name: str = "dns-main", latency: float = 0.001) -> None:
        self.zonefile = zonefile
        self.name = name
        self.latency = latency
        self.script: Script | None = None
        self.audit: Callable[[Approved, Observed], None] = lambda approved, found: None  # noqa: ARG005 - what it is called with
        self.down: BaseException | None = None
        self.readonly: BaseException | None = None
        self.allowance: int | None = None
        self.looks = False
        self.keeps: Callable[[RecordSet], RecordSet] = lambda written: written
        self.on_read: deque[Fault] = deque()
        self.on_apply: deque[Fault] = deque()
        self.reads: list[float] = []
        self.applies: list[float] = []
        self.sent: dict[str, float] = {}
        self.at_name: dict[str, int] = {}
        self.most_at_name: dict[str, int] = {}
        self.most_abreast = 0
        self._clock = clock
        self._minute = 0.0
        self._let_through = 0

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:  # noqa: ARG002 - nothing is rationed here
        self.reads.append(self._clock())
        zonefile, nothing = self.zonefile, Observed(target, None)
        return await self._call(target, self.on_read, lambda: zonefile.observe(target), lambda: nothing)

    def normalise(self, desired: RecordSet) -> RecordSet:
        if not desired.serving:
            raise Permanent(f"{desired.key} would be empty", reason="empty")
        return replace(desired, answers=desired.serving)

    async def apply(self, approved: Approved) -> Observed | None:
        self.applies.append(self._clock())
        if self.readonly is not None:
            raise self.readonly
        plan = approved.plan
        self.sent[plan.id] = self._clock()
        await self._call(plan.target, self.on_apply, lambda: self._swap(approved), lambda: None)
        return self.zonefile.observe(plan.target) if self.looks else None

    def manual(self, plan: Plan) -> str:
        answers = ",".join(f"{answer.value}={answer.weight}" for answer in plan.after.answers)
        return f"paper put {plan.target.key.name} {answers} gen={plan.generation}"

    def _swap(self, approved: Approved) -> None:
        plan = approved.plan
        found = self.zonefile.observe(plan.target)
        if (found.records, found.marker_text) != (plan.before.records, plan.before.marker_text):
            raise Fenced(f"{plan.target} is not what the plan was made from", reason="prerequisite_failed")
        self.audit(approved, found)
        zone, key = plan.target.zone, plan.target.key
        self.zonefile.records[zone, key] = self.keeps(plan.after)
        self.zonefile.markers.pop((zone, key.name), None)
        if plan.marker_text is not None:
            self.zonefile.markers[zone, key.name] = plan.marker_text
        self.zonefile.wrote(Write(self._clock(), plan.target, plan.after, plan.marker, found))

    async def _call(self, target: Target, faults: deque[Fault], effect: Callable[[], T], nothing: Callable[[], T]) -> T:
        fault = faults.popleft() if faults else Fault()
        self._count(target, 1)
        try:
            await self._pass_time()
            if self.down is not None:
                raise self.down
            self._throttle()
            if fault.moment is Moment.LATE:
                asyncio.get_running_loop().call_later(fault.late, self._arrive, effect)
            if fault.moment is not Moment.AFTER:
                await _strike(fault)
            answer = nothing() if fault.moment is Moment.INSTEAD else effect()
            await self._pass_time()
            if fault.moment is Moment.AFTER:
                await _strike(fault)
            return answer
        finally:
            self._count(target, -1)

    def _arrive(self, effect: Callable[[], object]) -> None:
        """What was on its way arrives, and nobody hears what becomes of it."""
        with suppress(FailoverdError):
            effect()

    def _throttle(self) -> None:
        at = self._clock()
        if self.allowance is None:
            self._minute = float("-inf")  # who rations nothing counts nothing
            return
        if at >= self._minute + _MINUTE:
            self._minute, self._let_through = at, 0
        if self._let_through >= self.allowance:
            words, wait = f"{self.name} answers {self.allowance} calls a minute", self._minute + _MINUTE - at
            raise RateLimited(words, reason="throttled", remedy="wait", retry_after=wait)
        self._let_through += 1

    async def _pass_time(self) -> None:
        if self.script is not None:
            await self.script.step()
        await asyncio.sleep(self.latency / 2)

    def _count(self, target: Target, change: int) -> None:
        name = target.key.name
        self.at_name[name] = self.at_name.get(name, 0) + change
        self.most_abreast = max(self.most_abreast, sum(self.at_name.values()))
        self.most_at_name[name] = max(self.most_at_name.get(name, 0), self.at_name[name])
