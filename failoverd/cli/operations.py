"""What an operator can do beside the daemon: look now, plan, apply, adopt. The fence makes it safe, not a lock.

Nothing here talks to the daemon. Health is probed afresh from this machine with the daemon's own machinery, so that a
plan shows what would be done on evidence that was just seen.
"""

import asyncio
import getpass
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from failoverd.app import kinds, new_id, probers, provider_set, read_config, steady_clock
from failoverd.config.loader import Config, load_policies
from failoverd.core.decide import Decision, Reason, Wish
from failoverd.core.errors import ConfigError, FailoverdError, Fenced
from failoverd.core.events import Event
from failoverd.core.guard import Approved, Held, review
from failoverd.core.plan import InSync, Plan, Refused, adopt
from failoverd.core.records import Policy, RecordSpec, Target
from failoverd.core.region import RegionHealth, RegionState
from failoverd.ports import Access, Clock, Provider
from failoverd.runtime.applying import Applier
from failoverd.runtime.board import Board
from failoverd.runtime.comparing import compare, decide_on
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.memory import Memory
from failoverd.runtime.probing import Probing
from failoverd.runtime.scheduling import ApTimetable
from failoverd.store.journal import open_journal
from failoverd.store.reading import Reading

FRESH: Final = 60.0
"""Seconds for which what the daemon last said of a region's past is believed."""


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What `failoverctl plan --out` writes and `apply` reads: inert data, reviewed like any other file."""

    version: int
    made_at: float
    made_by: str
    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What planning found at one target. `manual` does the same by hand."""

    target: Target
    decision: Decision | None
    result: Plan | InSync | Refused | FailoverdError | None
    approval: Approved | Held | None = None
    manual: str = ""


@dataclass(frozen=True, slots=True)
class Workshop:
    """An operator's session: the same files, providers and journal that the daemon has."""

    config: Config
    policies: Mapping[str, Policy]
    providers: Mapping[str, Provider]
    memory: Memory
    clock: Clock
    events: list[Event]

    def policy(self, name: str) -> Policy:
        if name not in self.policies:
            known = ", ".join(sorted(self.policies)) or "none"
            raise ConfigError(
                f"there is no sound policy {name!r}; there are: {known}",
                reason="policy_unknown",
                remedy="failoverctl check lists what is wrong with the files",
            )
        return self.policies[name]


@asynccontextmanager
async def workshop(path: Path, access: Access) -> AsyncIterator[Workshop]:
    """Open everything that operations need. With `Access.READ` no provider has a way to write."""
    config, clock, events = read_config(path), steady_clock(), list[Event]()
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(open_journal(config.journal))
        memory = Memory(journal, events.append, clock)
        try:
            yield Workshop(
                config=config,
                policies=load_policies(config, kinds(), running={}).policies,
                providers=provider_set(config, access, stack, beside_daemon=True),
                memory=memory,
                clock=clock,
                events=events,
            )
        finally:
            for event in events:
                memory.take(event)
            await memory.flush()


def actor() -> str:
    """Who is at the keyboard, for the record: `alice@host`, with the person behind sudo."""
    return f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{socket.gethostname()}"


# -- plan --------------------------------------------------------------------------------------------------------------


async def make_plan(shop: Workshop, policy: Policy, returning: frozenset[str]) -> list[Finding]:
    """Probe now, decide, and compare with what is published, for each target of the policy."""
    board = await assess(policy, shop.clock)
    findings = []
    for record in policy.records:
        regions = _with_past(
            board.regions(policy.name, record.key.type), policy, record, shop.config.journal, shop.clock
        )
        for target in record.targets:
            try:
                findings.append(await _plan_target(shop, policy, record, target, regions, returning))
            except FailoverdError as error:
                findings.append(Finding(target, None, error))
    return findings


async def _plan_target(
    shop: Workshop,
    policy: Policy,
    record: RecordSpec,
    target: Target,
    regions: Mapping[str, RegionHealth],
    returning: frozenset[str],
) -> Finding:
    provider, now = shop.providers[target.provider], shop.clock()
    last_good, history = await shop.memory.recall(target, now - policy.limits.longest_window)
    observed = await provider.read(target)
    wanted = decide_on(observed, policy, record, regions, last_good, now, returning=returning)
    decision = replace(wanted, id=new_id("dec"))
    owner = shop.config.owner
    plan = compare(observed, decision, policy, provider, last_good, plan_id=new_id("chg"), owner=owner)
    if not isinstance(plan, Plan):
        return Finding(target, decision, plan)
    return Finding(target, decision, plan, review(plan, policy.limits, history, now), provider.manual(plan))


async def assess(policy: Policy, clock: Clock) -> Board:
    """Probe every endpoint of the policy until each has a verdict, or as long as that can take."""
    news = asyncio.Event()

    def ignore(_: Event) -> None:
        """Transitions on the way to a first verdict are nobody's news."""

    incidents = Incidents(ignore, clock, new_id)
    board = Board(ignore, clock, incidents, lambda _: news.set())
    board.watch(policy)
    slowest = max(check.timeout for check in policy.checks)
    patience = (policy.health.rise + policy.health.fall) * (policy.health.recheck + slowest) + 1.0
    with ApTimetable() as timetable:
        probing = Probing(timetable, board, clock)
        probing.watch(policy, probers(policy, kinds(), clock))
        try:
            async with asyncio.timeout(patience):
                while board.undecided(policy.name):
                    await news.wait()
                    news.clear()
        except TimeoutError:
            return board  # the decision says which regions have no verdict, and holds
        finally:
            await probing.close()
    return board


def _with_past(
    regions: Mapping[str, RegionHealth], policy: Policy, record: RecordSpec, journal: Path, clock: Clock
) -> dict[str, RegionHealth]:
    """Since when a region has been well is not seen in one look: a daemon that is alive knows it."""
    with Reading(journal) as reading:
        beat, situations = reading.heartbeat(), reading.regions()
    if beat is None or clock() - beat.at > FRESH or beat.state != "running":
        return dict(regions)
    past = {
        each.region: each.well_since
        for each in situations
        if each.policy == policy.name
        and each.record_type == record.key.type
        and each.state in {RegionState.HEALTHY, RegionState.DEGRADED}
    }
    return {
        name: replace(health, well_since=past.get(name) or health.well_since) if health.serves else health
        for name, health in regions.items()
    }


# -- apply and adopt ---------------------------------------------------------------------------------------------------


async def apply_plan(shop: Workshop, plan: Plan) -> Held | None:
    """Apply a plan that was made earlier, if nothing changed since.

    Raises:
        FailoverdError: something changed, or the provider failed. The record is as it was.
    """
    policy, provider, target = shop.policy(plan.target.policy), shop.providers.get(plan.target.provider), plan.target
    if provider is None:
        raise ConfigError(f"there is no provider {target.provider!r}", reason="provider_unknown")
    if policy.source.revision != plan.revision:
        raise Fenced(
            f"policy {policy.name} is at revision {policy.source.revision}, the plan was made from {plan.revision}",
            reason="policy_changed",
            remedy="make the plan again",
        )
    observed = await provider.read(target)
    if observed != plan.before:
        raise Fenced(
            f"{target} is not what the plan was made from",
            reason="record_changed",
            remedy="make the plan again: failoverctl plan shows what stands there now",
        )
    now = shop.clock()
    _, history = await shop.memory.recall(target, now - policy.limits.longest_window)
    approval = review(plan, policy.limits, history, now)
    if isinstance(approval, Held):
        return approval
    with Reading(shop.config.journal) as reading:
        incidents = [row.incident_id for row in reading.incidents(open_only=True) if row.policy == policy.name]
    applier = Applier(shop.memory, shop.events.append, shop.clock, actor())
    await applier.apply(provider, approval, policy, incidents[0] if incidents else "")
    return None


async def adopt_record(shop: Workshop, policy: Policy, name: str) -> list[Plan | InSync]:
    """Put our marker beside a record that exists without one, in every target of that name. Answers stay as they are.

    Raises:
        FailoverdError: the policy has no such record, it does not exist, or it belongs to another owner.
    """
    targets = [target for record in policy.records for target in record.targets if record.key.name == name]
    if not targets:
        names = ", ".join(sorted({record.key.name for record in policy.records}))
        raise ConfigError(f"policy {policy.name} has no record {name!r}; it has: {names}", reason="record_unknown")
    return [await _adopt(shop, policy, target) for target in targets]


async def _adopt(shop: Workshop, policy: Policy, target: Target) -> Plan | InSync:
    provider, now, who = shop.providers[target.provider], shop.clock(), actor()
    last_good, history = await shop.memory.recall(target, now - policy.limits.longest_window)
    observed = await provider.read(target)
    reasons = (Reason("adopt", f"{who} adopts {target.key}; its answers stay as they are"),)
    decision = Decision(target, Wish.OPERATOR, {}, observed.records, reasons, now, new_id("dec"))
    plan = adopt(
        observed,
        decision,
        plan_id=new_id("chg"),
        owner=shop.config.owner,
        region_of=policy.region_of(target.key.type),
        revision=policy.source.revision,
        last_good=last_good,
    )
    if isinstance(plan, InSync):
        return plan
    if isinstance(plan, Refused):
        raise Fenced(plan.detail, reason=plan.reason, remedy=plan.remedy)
    approval = review(plan, replace(policy.limits, max_changes=len(history) + 1), history, now)
    if isinstance(approval, Held):
        raise Fenced("; ".join(str(check) for check in approval.blocking), reason="limit")
    await Applier(shop.memory, shop.events.append, shop.clock, who).apply(provider, approval, policy, "")
    return plan
