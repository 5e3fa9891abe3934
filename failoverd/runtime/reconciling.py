"""The loop: read, decide, plan, review, apply. One reconciler per policy, one task per target, one writer per name.

It is woken by a change of verdict and by a regular tick. The tick makes it level-triggered: a failed write, a hand edit
and a lost wake-up all heal the same way, by looking again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from failoverd.core.drift import DriftAction, DriftResponse, accepting, respond
from failoverd.core.errors import FailoverdError, Fenced, ProviderError, RateLimited, Transient, describe
from failoverd.core.guard import Approved, Held, review
from failoverd.core.plan import InSync, LastGood, Plan, Refused, drifted
from failoverd.core.records import Marker, Observed, Policy, RecordSet, RecordSpec, Target
from failoverd.core.status import TargetStatus
from failoverd.ports import ChangeOutcome, Clock, Emit, Provider, Urgency
from failoverd.runtime.applying import Applier
from failoverd.runtime.board import Board
from failoverd.runtime.comparing import compare, decide_on
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.memory import Memory
from failoverd.runtime.reporting import Reporter
from failoverd.runtime.supervising import backoff, supervise

DEADLINE: Final = 300.0
"""Seconds that one round at one target may take before it is given up for now.

A backstop against a defect: providers bound each of their calls, but a call may have to wait long for its turn where an
account allows few a second and a region failed under a thousand records.
"""

LONGEST_RETRY_AFTER: Final = 3_600.0
"""Seconds. Throttling is obeyed, but a broken header does not park a zone for days."""

GATHER: Final = 2.0
"""Seconds that a round waits at most for more verdicts, while failing endpoints are being looked at again. A region
that fails shows endpoint by endpoint, and each change of a record counts against `limits.max_changes`: one that drops
them one at a time would have used them up when the region is found to be down."""

FENCED_TRIES: Final = 3
"""How often a fenced plan is read and decided again at once, before it waits like any other failure."""


class Names:
    """One writer per name: who reads in order to write holds the name's lock, for its record types share a marker.

    Whether the names of one zone can be written at the same time is known to their provider, which puts them into one
    batch, or one after the other.
    """

    def __init__(self) -> None:
        self._locks: defaultdict[tuple[str, str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    def lock(self, target: Target) -> asyncio.Lock:
        return self._locks[target.provider, target.zone, target.key.name]


@dataclass(frozen=True, slots=True)
class Tools:
    """What every reconciler works with. `owner` is the name under which this installation marks what it owns."""

    board: Board
    incidents: Incidents
    memory: Memory
    applier: Applier
    names: Names
    emit: Emit
    clock: Clock
    new_id: Callable[[str], str]
    owner: str


@dataclass(slots=True)
class _Post:
    """One target under reconciliation: its wake-up call, and who speaks for it."""

    record: RecordSpec
    target: Target
    provider: Provider
    report: Reporter
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)  # no more news is about to come
    urgency: Urgency = Urgency.ROUTINE
    fenced: int = 0
    seen: Observed | None = None  # what the last look found
    wanted: Plan | None = None  # what this round would write
    edit: tuple[RecordSet | None, float] | None = None  # somebody's edit that stands, and since when


class Reconciler:
    """Keeps the records of one policy as the policy wants them. `run` is endless."""

    def __init__(self, policy: Policy, providers: Mapping[str, Provider], tools: Tools) -> None:
        self._policy = policy
        self._tools = tools
        self._posts = [
            self._post(record, target, providers[target.provider])
            for record in policy.records
            for target in record.targets
        ]
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False

    def wake(self, urgency: Urgency = Urgency.ROUTINE, *, more: bool = False) -> None:
        """Something may have changed: look at every target soon. `more`: wait for other news that is about to come."""
        for post in self._posts:
            post.urgency = min(post.urgency, urgency)
            post.woken.set()
            if not more:
                post.ready.set()

    def statuses(self) -> list[TargetStatus]:
        """Where each target stood after its last round."""
        return [post.report.said for post in self._posts if post.report.said is not None]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for post in self._posts:
                work = partial(self._follow, post)
                name = f"reconciler of {post.target}"
                group.create_task(supervise(name, work, self._tools.emit, self._tools.clock, policy=self._policy.name))

    async def finish(self, patience: float) -> None:
        """Begin nothing more, and wait up to `patience` seconds for what is under way."""
        self._stopping = True
        try:
            async with asyncio.timeout(patience):
                await self._idle.wait()
        except TimeoutError:
            return  # the fence makes it safe to leave in the middle

    async def _follow(self, post: _Post) -> None:
        self._again(post)  # a start, or a restart after a crash that may have swallowed a wake-up call
        while True:
            await post.woken.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER):
                    await post.ready.wait()
            post.woken.clear()
            post.ready.clear()
            if self._stopping:
                continue
            self._busy += 1
            self._idle.clear()
            urgency, post.urgency = post.urgency, Urgency.ROUTINE
            try:
                delay = await self._round(post, urgency)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()
            if delay is not None:
                post.urgency = min(post.urgency, urgency)  # what it was woken for is still to be done
                await asyncio.sleep(delay)
                self._again(post)

    @staticmethod
    def _again(post: _Post) -> None:
        post.woken.set()
        post.ready.set()

    async def _round(self, post: _Post, urgency: Urgency) -> float | None:
        """One look at one target, whatever goes wrong. Seconds until the next try, or None to wait for a wake-up."""
        post.wanted = None
        deadline = asyncio.timeout(DEADLINE)
        try:
            async with self._tools.names.lock(post.target), deadline:
                status = await self._reconcile(post, urgency)
        except Fenced as error:
            post.fenced += 1
            return 0.0 if post.fenced <= FENCED_TRIES else await self._wait_after(post, error)
        except FailoverdError as error:
            return await self._wait_after(post, error)
        except Exception as error:  # noqa: BLE001 - an unclassified error isolates this target, never the daemon
            if deadline.expired():
                return await self._wait_after(post, await self._give_up(post))
            defect = FailoverdError(describe(error), reason="internal_error", remedy="please report it with this line")
            return await self._wait_after(post, defect)
        post.fenced = 0
        if status is not None:
            await self._settle(post, status)
        return None

    async def _reconcile(self, post: _Post, urgency: Urgency) -> TargetStatus | None:
        """The whole path from what is observed to what is proved, for one target. None when it was told to stop."""
        policy, target, provider, report, tools = self._policy, post.target, post.provider, post.report, self._tools
        now = tools.clock()
        observed = post.seen = await provider.read(target, urgency=urgency)
        await self._resolve(post, observed, now)
        last_good, history = await tools.memory.recall(target, now - policy.limits.longest_window)
        plan = self._compare(post, observed, last_good, now)
        if plan is None:
            return report.holding(observed)
        if isinstance(plan, Refused):
            return report.refused(observed, plan)
        if isinstance(plan, InSync):
            post.edit = None
            await self._verify(observed, plan, last_good, now)
            return report.in_sync(observed, plan.generation)
        post.wanted = plan
        if last_good is not None and drifted(observed, last_good):
            response = self._respond(post, plan, last_good, now)
            status = report.drifted(plan, last_good, response)
            if response.action in {DriftAction.REPORT, DriftAction.WAIT}:
                return status
            if response.action is DriftAction.ADOPT:
                plan = post.wanted = accepting(plan)

        approval = review(plan, policy.limits, history, now)
        if isinstance(approval, Held):
            return report.limited(observed, approval)
        return await self._apply(post, approval)

    def _respond(self, post: _Post, plan: Plan, last_good: LastGood, now: float) -> DriftResponse:
        """What becomes of somebody else's edit, counted from when it was first seen."""
        if post.edit is None or post.edit[0] != plan.before.records:
            post.edit = (plan.before.records, now)
        in_incident = self._tools.incidents.current(self._policy.name) is not None
        on_drift = self._policy.on_drift
        return respond(plan, last_good, on_drift, in_incident=in_incident, since=post.edit[1], now=now)

    async def _apply(self, post: _Post, approved: Approved) -> TargetStatus | None:
        if self._stopping:
            return None
        tools, policy = self._tools, self._policy
        await tools.applier.apply(post.provider, approved, policy, tools.incidents.id_of(policy.name))
        tools.incidents.count_change(policy.name)
        post.edit = None  # it is gone, or accepted: the same one again is a new one
        return post.report.applied(approved.plan)

    def _compare(
        self, post: _Post, observed: Observed, last_good: LastGood | None, now: float
    ) -> Plan | InSync | Refused | None:
        """Decide, and say the difference. None when the decision is to leave it as it is."""
        policy, tools = self._policy, self._tools
        regions = tools.board.regions(policy.name, post.target.key.type)
        decision = post.report.decided(decide_on(observed, policy, post.record, regions, last_good, now))
        plan_id = tools.new_id("chg")
        return compare(observed, decision, policy, post.provider, last_good, plan_id=plan_id, owner=tools.owner)

    async def _resolve(self, post: _Post, observed: Observed, now: float) -> None:
        """A change whose answer was lost, or whose process died, may stand there: then it is told after all."""
        tools, policy = self._tools, self._policy
        found = await tools.memory.resolve(observed, now)
        if found is not None:
            tools.applier.found(post.provider, found, policy, tools.incidents.id_of(policy.name))
            tools.incidents.count_change(policy.name)

    async def _verify(self, observed: Observed, found: InSync, last_good: LastGood | None, now: float) -> None:
        """What stands there is right, whoever wrote it: another process, or a person whose edit is wanted by now.

        The generation may have grown with another type of the name. Without this, what is wanted next would be taken
        for the end of an edit, and would wait like one.
        """
        records = observed.records
        if records is None:
            return
        if last_good is not None and records == last_good.records:
            good = replace(last_good, generation=found.generation, overruled=found.overruled)
        else:
            shares = records.shares(self._policy.region_of(observed.target.key.type))
            good = LastGood(records, found.generation, shares, now, found.overruled)
        if good != last_good:
            await self._tools.memory.confirm(observed.target, good)

    async def _give_up(self, post: _Post) -> Transient:
        """The round took too long. A write that it had begun is in doubt until the next look."""
        late = Transient(f"{post.target} took longer than {DEADLINE:g}s", reason="deadline")
        memory, plan = self._tools.memory, post.wanted
        if plan is not None and memory.doubts(plan):
            await memory.settle(plan, ChangeOutcome.FAILED, str(late), self._tools.clock())
        return late

    async def _wait_after(self, post: _Post, error: FailoverdError) -> float:
        """This target has to wait, alone. Obeys a provider that says for how long, and comes back out of step."""
        delay = backoff(post.report.failures + 1)
        if isinstance(error, RateLimited) and error.retry_after is not None:
            delay += min(error.retry_after, LONGEST_RETRY_AFTER)
        if post.wanted is None and isinstance(error, ProviderError):
            post.wanted = await self._foresee(post)
        await self._settle(post, post.report.delayed(error, post.wanted, delay))
        return delay

    async def _foresee(self, post: _Post) -> Plan | None:
        """What would be written if the target could be read, told from what stood there last, for a person to do."""
        now, target = self._tools.clock(), post.target
        last_good, _ = await self._tools.memory.recall(target, now)
        if last_good is None:
            return None
        marker = Marker(self._tools.owner, target.policy, last_good.generation, (target.key.type,))
        assumed = post.seen or Observed(target, last_good.records, marker, marker.to_text())
        try:
            plan = self._compare(post, assumed, last_good, now)
        except ProviderError:
            return None  # it cannot even say what it would write
        return plan if isinstance(plan, Plan) else None

    async def _settle(self, post: _Post, status: TargetStatus) -> None:
        """Remember where things stand, and close the incident when everything is normal again."""
        tools, policy = self._tools, self._policy.name
        if post.report.settled(status):
            await tools.memory.update_status([status, *tools.board.statuses(policy)])
        if tools.board.calm(policy) and all(other.report.normal for other in self._posts):
            tools.incidents.close(policy)

    def _post(self, record: RecordSpec, target: Target, provider: Provider) -> _Post:
        tools = self._tools
        report = Reporter(self._policy, target, provider, tools.incidents, tools.emit, tools.clock, tools.new_id)
        return _Post(record, target, provider, report)
