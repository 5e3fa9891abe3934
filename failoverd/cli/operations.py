"""What an operator can do beside the daemon: look now, plan, apply, adopt. The fence makes it safe, not a lock.

Nothing here talks to the daemon. Health is probed afresh from this machine with the daemon's own machinery, so that a
plan shows what would be done on evidence that was just seen.
"""

import asyncio
import os
import pwd
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from failoverd.app import kinds, make_prover, new_id, probers, provider_set, read_config, steady_clock
from failoverd.cli.failing import classified
from failoverd.cli.rebuilding import rebuild, record_of
from failoverd.config.loader import Config, load_policies
from failoverd.core.decide import Decision, Reason, Wish
from failoverd.core.errors import ConfigError, FailoverdError, Fenced
from failoverd.core.events import ChangeVerified, Event
from failoverd.core.guard import Approved, Held, review
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.plan import InSync, Plan, Refused, adopt, disown
from failoverd.core.records import Observed, Policy, RecordSpec, Target
from failoverd.ports import Access, ChangeOutcome, Clock, Provider
from failoverd.runtime.applying import Applier
from failoverd.runtime.board import Board
from failoverd.runtime.comparing import compare, decide_on
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.memory import Memory
from failoverd.runtime.probing import Probing
from failoverd.runtime.proving import Prover
from failoverd.runtime.scheduling import ApTimetable
from failoverd.store.journal import open_journal
from failoverd.store.reading import Reading

FRESH: Final = 60.0
"""Seconds for which what the daemon last said of a region's past is believed."""

PROOF_PATIENCE: Final = 5.0
"""Seconds that an operator waits for the authoritative servers to agree, for all changes of one command together."""


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


@dataclass(slots=True)
class _Patience:
    """Seconds that are left to wait for proofs."""

    left: float = PROOF_PATIENCE


@dataclass(frozen=True, slots=True)
class Workshop:
    """An operator's session: the same files, providers and journal that the daemon has."""

    config: Config
    policies: Mapping[str, Policy]
    providers: Mapping[str, Provider]
    memory: Memory
    prover: Prover
    clock: Clock
    events: list[Event]
    patience: _Patience = field(default_factory=_Patience)

    def policy(self, name: str) -> Policy:
        if name not in self.policies:
            known = ", ".join(sorted(self.policies)) or "none"
            raise ConfigError(
                f"there is no sound policy {name!r}; there are: {known}",
                reason="policy_unknown",
                remedy="failoverctl check lists what is wrong with the files",
            )
        return self.policies[name]

    def applier(self) -> Applier:
        """Writes in the name of who is at the keyboard."""
        return Applier(self.memory, self.prover, self.events.append, self.clock, actor())

    async def proof(self, plan: Plan) -> str:
        """What the authoritative servers say of a change, once they agree or patience ends.

        The proof ends with the command. The change stands either way, and a daemon would find it in place.
        """
        began = self.clock()
        await self.prover.settle(self.patience.left)
        self.patience.left = max(0.0, self.patience.left - (self.clock() - began))
        for event in self.events:
            if isinstance(event, ChangeVerified) and event.change_id == plan.id:
                return event.witnesses
        standing = self.prover.standing(plan)
        return f"not proved within {PROOF_PATIENCE:g}s: {standing}" if standing is not None else ""


@asynccontextmanager
async def workshop(path: Path, access: Access) -> AsyncIterator[Workshop]:
    """Open everything that operations need. With `Access.READ` no provider has a way to write."""
    config, clock, events = read_config(path), steady_clock(), list[Event]()
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(open_journal(config.journal))
        memory = Memory(journal, events.append, clock)
        prover = make_prover(config, events.append, clock)
        try:
            yield Workshop(
                config=config,
                policies=load_policies(config, kinds(), running={}).policies,
                providers=provider_set(config, access, stack, beside_daemon=True),
                memory=memory,
                prover=prover,
                clock=clock,
                events=events,
            )
        finally:
            await prover.close()
            for event in events:
                memory.take(event)
            await memory.flush()


def actor() -> str:
    """Who is at the keyboard, for the record: `alice@host`, with the person behind sudo.

    The system says who runs this. The environment, which anybody can set, is believed only of root: sudo made it.
    """
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = f"uid:{uid}"  # a container often runs as a user that its passwd does not list
    if uid == 0:
        user = os.environ.get("SUDO_USER") or user
    return f"{user}@{socket.gethostname()}"


# -- plan --------------------------------------------------------------------------------------------------------------


async def make_plan(shop: Workshop, policy: Policy, returning: frozenset[str]) -> list[Finding]:
    """Probe now, decide, and compare with what is published, for each target of the policy. What fails is a finding."""
    pairs = [(record, target) for record in policy.records for target in record.targets]
    try:
        board = await assess(policy, shop.clock)
    except Exception as error:  # noqa: BLE001 - classified, and told for this policy alone
        return [Finding(target, None, classified(error)) for _, target in pairs]
    findings = []
    for record, target in pairs:
        try:
            findings.append(await _plan_target(shop, policy, record, target, board, returning))
        except Exception as error:  # noqa: BLE001 - classified, and told for this target alone
            findings.append(Finding(target, None, classified(error)))
    return findings


async def _plan_target(
    shop: Workshop, policy: Policy, record: RecordSpec, target: Target, board: Board, returning: frozenset[str]
) -> Finding:
    provider, now = shop.providers[target.provider], shop.clock()
    regions = _with_past(board.regions(policy.name, record.key.type), policy, record, shop.config.journal, shop.clock)
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

    def wake(_: str, *, more: bool) -> None:  # noqa: ARG001 - every verdict is news to who waits for the last one
        news.set()

    board = Board(ignore, clock, Incidents(ignore, clock, new_id), wake)
    board.watch(policy)
    slowest = max(check.timeout for check in policy.checks)
    patience = (policy.health.rise + policy.health.fall) * (policy.health.recheck + slowest) + 1.0
    with ApTimetable() as timetable:
        probing = Probing(timetable, board, clock)
        probing.watch(policy.name, policy.probes(), policy.health, probers(policy, kinds(), clock))
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
        beat, statuses = reading.heartbeat(), reading.regions()
    if beat is None or clock() - beat.at > FRESH or beat.state != "running":
        return dict(regions)
    past = {
        each.region: each.well_since
        for each in statuses
        if each.policy == policy.name
        and each.record_type == record.key.type
        and each.state in {RegionState.HEALTHY, RegionState.DEGRADED}
    }
    return {
        name: replace(health, well_since=past.get(name) or health.well_since) if health.serves else health
        for name, health in regions.items()
    }


# -- apply and adopt ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """How applying a plan went: None is success. `sent` says whether it was handed to the provider at all.

    `proof` is what the authoritative servers say.
    """

    plan: Plan
    result: Held | FailoverdError | None
    sent: bool = False
    proof: str = ""


async def apply_plan(shop: Workshop, plan: Plan) -> Attempt:
    """Apply a plan that was made earlier, if nothing changed since and failoverd would still make the same one."""
    sent = False
    try:
        policy, provider = _ours(shop, plan)
        approval = await _approve(shop, plan, policy, provider)
        if isinstance(approval, Held):
            return Attempt(plan, approval)
        incident_id = _incident_of(shop, plan)
        sent = True
        await shop.applier().apply(provider, approval, policy, incident_id)
        proof = await shop.proof(plan)
    except Exception as error:  # noqa: BLE001 - classified, and told for this plan alone: the others are still applied
        return Attempt(plan, classified(error), sent)
    return Attempt(plan, None, sent, proof)


def _ours(shop: Workshop, plan: Plan) -> tuple[Policy, Provider]:
    """The policy that the plan was made from, if it still is the same, and the provider of one of its own targets."""
    policy = shop.policy(plan.target.policy)
    record_of(policy, plan.target)
    if policy.source.revision != plan.revision:
        raise Fenced(
            f"policy {policy.name} is at revision {policy.source.revision}, the plan was made from {plan.revision}",
            reason="policy_changed",
            remedy="make the plan again",
        )
    return policy, shop.providers[plan.target.provider]


async def _approve(shop: Workshop, plan: Plan, policy: Policy, provider: Provider) -> Approved | Held:
    """Review the plan as it is built again from what stands there: nothing in the file is believed unseen."""
    now = shop.clock()
    observed = await provider.read(plan.target)
    if observed != plan.before:
        raise Fenced(
            f"{plan.target} is not what the plan was made from",
            reason="record_changed",
            remedy="make the plan again: failoverctl plan shows what stands there now",
        )
    last_good, history = await shop.memory.recall(plan.target, now - policy.limits.longest_window)
    return review(rebuild(plan, observed, policy, provider, last_good, shop.config.owner), policy.limits, history, now)


def _incident_of(shop: Workshop, plan: Plan) -> str:
    """The open incident that the change belongs to, if there is one. An id is used once: limits count by it."""
    with Reading(shop.config.journal) as reading:
        known = reading.change(plan.id)
        open_now = reading.incidents(open_only=True)
    if known is not None and known.outcome == ChangeOutcome.APPLIED:
        words = f"change {plan.id} was applied already, as generation {known.generation}"
        raise FailoverdError(words, reason="plan_used", remedy="make the plan again")
    return next((row.incident_id for row in open_now if row.policy == plan.target.policy), "")


@dataclass(frozen=True, slots=True)
class Adoption:
    """How taking over one target, or giving it back, went. `proof` is what the authoritative servers say."""

    target: Target
    result: Plan | InSync | FailoverdError
    proof: str = ""


async def adopt_record(shop: Workshop, policy: Policy, name: str) -> list[Adoption]:
    """Put our marker beside a record that exists without one, in every target of that name. Answers stay as they are.

    Raises:
        ConfigError: the policy has no such record.
    """
    return await _each(shop, policy, name, _adopt)


async def disown_record(shop: Workshop, policy: Policy, name: str) -> list[Adoption]:
    """Take our marker away in every target of that name. Answers stay as they are, and nobody owns them.

    Raises:
        ConfigError: the policy has no such record.
    """
    return await _each(shop, policy, name, _disown)


async def _each(
    shop: Workshop, policy: Policy, name: str, work: Callable[[Workshop, Policy, Target], Awaitable[Plan | InSync]]
) -> list[Adoption]:
    targets = [target for record in policy.records for target in record.targets if record.key.name == name]
    if not targets:
        names = ", ".join(sorted({record.key.name for record in policy.records}))
        raise ConfigError(f"policy {policy.name} has no record {name!r}; it has: {names}", reason="record_unknown")
    adoptions = []
    for target in targets:
        try:
            result = await work(shop, policy, target)
            proof = await shop.proof(result) if isinstance(result, Plan) else ""
            adoptions.append(Adoption(target, result, proof))
        except Exception as error:  # noqa: BLE001 - classified, and told for this target alone
            adoptions.append(Adoption(target, classified(error)))
    return adoptions


async def _adopt(shop: Workshop, policy: Policy, target: Target) -> Plan | InSync:
    now = shop.clock()
    last_good, _ = await shop.memory.recall(target, now)
    observed = await shop.providers[target.provider].read(target)
    plan = adopt(
        observed,
        _by_hand(observed, "adopt", f"{actor()} adopts {target.key}; its answers stay as they are", now),
        plan_id=new_id("chg"),
        owner=shop.config.owner,
        region_of=policy.region_of(target.key.type),
        revision=policy.source.revision,
        last_good=last_good,
    )
    return plan if isinstance(plan, InSync) else await _carry_out(shop, policy, plan)


async def _disown(shop: Workshop, policy: Policy, target: Target) -> Plan:
    now = shop.clock()
    observed = await shop.providers[target.provider].read(target)
    plan = disown(
        observed,
        _by_hand(observed, "disown", f"{actor()} gives {target.key} back; its answers stay as they are", now),
        plan_id=new_id("chg"),
        owner=shop.config.owner,
        region_of=policy.region_of(target.key.type),
        revision=policy.source.revision,
    )
    return await _carry_out(shop, policy, plan)


def _by_hand(observed: Observed, code: str, words: str, now: float) -> Decision:
    target = observed.target
    return Decision(target, Wish.OPERATOR, {}, observed.records, (Reason(code, words),), now, new_id("dec"))


async def _carry_out(shop: Workshop, policy: Policy, plan: Plan | Refused) -> Plan:
    """Write the marker alone. No number of changes per hour keeps an operator from it."""
    if isinstance(plan, Refused):
        raise Fenced(plan.detail, reason=plan.reason, remedy=plan.remedy)
    now = shop.clock()
    _, history = await shop.memory.recall(plan.target, now - policy.limits.longest_window)
    approval = review(plan, replace(policy.limits, max_changes=len(history) + 1), history, now)
    if isinstance(approval, Held):
        raise Fenced("; ".join(str(check) for check in approval.blocking), reason="limit")
    provider = shop.providers[plan.target.provider]
    await shop.applier().apply(provider, approval, policy, "")
    return plan
