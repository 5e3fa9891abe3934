"""The loop: read, decide, plan, review, apply. One reconciler per policy, one task per target, one writer per zone.

It is woken by a change of verdict and by a regular tick. The tick makes it level-triggered: a failed write, a hand edit
and a lost wake-up all heal the same way, by looking again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from failoverd.core.decide import View, decide
from failoverd.core.errors import FailoverdError, Fenced, RateLimited, Transient
from failoverd.core.guard import Held, review
from failoverd.core.plan import InSync, LastGood, Plan, Refused, diff, drifted
from failoverd.core.records import Observed, OnDrift, Policy, RecordSpec, Target
from failoverd.core.situations import TargetSituation
from failoverd.ports import Clock, Emit, Provider
from failoverd.runtime.applying import Applier
from failoverd.runtime.board import Board
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.memory import Memory
from failoverd.runtime.reporting import Reporter
from failoverd.runtime.supervising import backoff, describe, supervise

DEADLINE: Final = 30.0
"""Seconds that one round at one target may take before its zone is given up for now."""

FENCED_TRIES: Final = 3
"""How often a fenced plan is read and decided again at once, before it waits like any other failure."""


class Zones:
    """One writer per zone: who reads in order to write holds the zone's lock until it is done."""

    def __init__(self) -> None:
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    def lock(self, target: Target) -> asyncio.Lock:
        return self._locks[target.provider, target.zone]


@dataclass(frozen=True, slots=True)
class Tools:
    """What every reconciler works with. `owner` is the name under which this installation marks what it owns."""

    board: Board
    incidents: Incidents
    memory: Memory
    applier: Applier
    zones: Zones
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
    fenced: int = 0
    wanted: Plan | None = None


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

    def wake(self) -> None:
        """Something changed: look at every target soon."""
        for post in self._posts:
            post.woken.set()

    def situations(self) -> list[TargetSituation]:
        """Where each target stood after its last round."""
        return [post.report.said for post in self._posts if post.report.said is not None]

    async def run(self) -> None:
        self.wake()
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
        while True:
            await post.woken.wait()
            post.woken.clear()
            if self._stopping:
                continue
            self._busy += 1
            self._idle.clear()
            try:
                delay = await self._round(post)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()
            if delay is not None:
                await asyncio.sleep(delay)
                post.woken.set()

    async def _round(self, post: _Post) -> float | None:
        """One look at one target, whatever goes wrong. Seconds until the next try, or None to wait for a wake-up."""
        post.wanted = None
        try:
            async with self._tools.zones.lock(post.target), asyncio.timeout(DEADLINE):
                situation = await self._reconcile(post)
        except Fenced as error:
            post.fenced += 1
            return 0.0 if post.fenced <= FENCED_TRIES else await self._wait_after(post, error)
        except TimeoutError:
            late = Transient(f"{post.target} took longer than {DEADLINE:g}s", reason="deadline")
            return await self._wait_after(post, late)
        except FailoverdError as error:
            return await self._wait_after(post, error)
        except Exception as error:  # noqa: BLE001 - an unclassified error isolates this target, never the daemon
            defect = FailoverdError(describe(error), reason="internal_error", remedy="please report it with this line")
            return await self._wait_after(post, defect)
        post.fenced = 0
        await self._settle(post, situation)
        return None

    async def _reconcile(self, post: _Post) -> TargetSituation:
        """The whole path from what is observed to what is proved, for one target."""
        policy, target, provider, report, tools = self._policy, post.target, post.provider, post.report, self._tools
        now = tools.clock()

        observed = await provider.read(target)
        await tools.memory.resolve(observed, now)
        last_good, history = await tools.memory.recall(target, now - policy.limits.longest_window)
        decision = report.decided(decide(policy, post.record, target, self._view(post, observed, last_good), now))
        if decision.records is None:
            return report.holding(observed)

        plan = diff(
            observed,
            provider.normalise(decision.records),
            decision,
            plan_id=tools.new_id("chg"),
            owner=tools.owner,
            region_of=policy.region_of(target.key.type),
            revision=policy.source.revision,
            last_good=last_good,
        )
        if isinstance(plan, Refused):
            return report.refused(observed, plan)
        if isinstance(plan, InSync):
            return report.in_sync(observed, plan.generation)
        post.wanted = plan
        if last_good is not None and drifted(observed, last_good):
            report_only = policy.on_drift is OnDrift.REPORT and plan.after == last_good.records
            situation = report.drifted(plan, last_good, report_only=report_only)
            if report_only:
                return situation

        approval = review(plan, policy.limits, history, now)
        if isinstance(approval, Held):
            return report.limited(observed, approval)
        await tools.applier.apply(provider, approval, policy, tools.incidents.id_of(policy.name))
        tools.incidents.count_change(policy.name)
        return report.applied(plan)

    def _view(self, post: _Post, observed: Observed, last_good: LastGood | None) -> View:
        record_type = post.target.key.type
        return View(
            regions=self._tools.board.regions(self._policy.name, record_type),
            current=observed.records,
            owned=observed.marker is not None and record_type in observed.marker.types,
            last_good=last_good.records if last_good is not None else None,
        )

    async def _wait_after(self, post: _Post, error: FailoverdError) -> float:
        """This target has to wait, alone. Obeys a provider that says for how long."""
        delay = backoff(post.report.failures + 1)
        if isinstance(error, RateLimited) and error.retry_after is not None:
            delay = max(delay, error.retry_after)
        await self._settle(post, post.report.delayed(error, post.wanted, delay))
        return delay

    async def _settle(self, post: _Post, situation: TargetSituation) -> None:
        """Remember where things stand, and close the incident when everything is normal again."""
        tools, policy = self._tools, self._policy.name
        if post.report.settled(situation):
            await tools.memory.situate([situation, *tools.board.situations(policy)])
        if tools.board.calm(policy) and all(other.report.normal for other in self._posts):
            tools.incidents.close(policy)

    def _post(self, record: RecordSpec, target: Target, provider: Provider) -> _Post:
        tools = self._tools
        report = Reporter(self._policy, target, provider, tools.incidents, tools.emit, tools.clock, tools.new_id)
        return _Post(record, target, provider, report)
