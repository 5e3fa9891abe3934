"""The policies at work. Each has its own reconciler and its own tasks, so that what is wrong with one stays with it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol, TypeGuard, runtime_checkable

from failoverd.core.control.figures import TargetFigures
from failoverd.core.control.outcome import Outcome
from failoverd.core.control.plan import LastGood
from failoverd.core.errors import ProviderError
from failoverd.core.events import PolicyLoaded, PolicyRemoved
from failoverd.core.overrides import Override
from failoverd.core.practices import latest
from failoverd.core.records import Marker, Policy, RecordSet, Target
from failoverd.core.rules import Rule
from failoverd.core.status import PolicyStatus, Status
from failoverd.ports import Prober, Provider, Urgency
from failoverd.runtime.health_board import HealthBoard
from failoverd.runtime.lazy_provider import LazyProvider
from failoverd.runtime.override_book import Plans
from failoverd.runtime.probing import Probing
from failoverd.runtime.reconciling import Reconciler
from failoverd.runtime.supervising import supervise
from failoverd.runtime.target_worker import Tools

PATIENCE: Final = 5.0
"""Seconds that a write under way gets to finish when the daemon stops or a policy is replaced."""


@runtime_checkable
class Forgetful(Protocol):
    """A provider that lives in this process' memory, and has to be told at the start what it answered before."""

    def seed(self, target: Target, records: RecordSet, marker: Marker) -> bool:
        """Answer with this again, if nothing stands there."""

    def expect(self, steered: frozenset[Target], *, whole: bool) -> None:
        """Deny no name that policies steer; unless `whole`, there may be others than these."""


@dataclass(slots=True)
class _Running:
    """A policy at work.

    Attributes:
        rejected: what is wrong with a newer file of it.
        due: whether it waits for its turn of a tick already: where there is more to do than time, ticks do not pile up.
    """

    policy: Policy
    reconciler: Reconciler
    task: asyncio.Task[None]
    rejected: str = ""
    due: bool = False


class PolicyRunner:
    """Starts, replaces and removes policies; wakes them; says where they stand."""

    def __init__(self, tools: Tools, board: HealthBoard, probing: Probing, providers: Mapping[str, Provider]) -> None:
        self._tools = tools
        self._board = board
        self._probing = probing
        self._providers = providers
        self._running: dict[str, _Running] = {}
        self._policies: Mapping[str, Policy] | None = None
        self._steered: tuple[frozenset[Target], bool] = frozenset(), False

    @property
    def reconcilers(self) -> dict[str, Reconciler]:
        """Who works on each policy, by name."""
        return {name: running.reconciler for name, running in self._running.items()}

    @property
    def policies(self) -> Mapping[str, Policy]:
        """What runs, by name, at this moment: made once for each change, for whoever looks one up looks many up."""
        if self._policies is None:
            self._policies = {name: running.policy for name, running in self._running.items()}
        return self._policies

    async def restore(self, policy: Policy) -> None:
        """Give providers that only live in memory the policy's last good answers back, before it is taken up."""
        for target in policy.targets:
            provider = await self._forgetful(target.provider)
            if provider is not None:
                self._give_back(provider, target, await self._last_good(policy, target))

    async def restore_unread(self, unread: Callable[[str], bool]) -> None:
        """The same for policies that may be in a file that does not load.

        What they answered last goes on: a bad file changes nothing, and a restart moves no traffic.
        """
        if not any(_in_daemon(provider) for provider in self._providers.values()):
            return
        for target, good in await self._tools.journal.last_answers():
            if unread(target.policy) and target.policy not in self._running:
                provider = await self._forgetful(target.provider)
                if provider is not None:
                    self._give_back(provider, target, good)

    def announce(self, steered: frozenset[Target], *, whole: bool) -> None:
        """What policies steer, those included that could not be taken up; unless `whole`, there may be more."""
        self._steered = steered, whole
        self._remind()

    async def take_up(self, policy: Policy, probers: Mapping[str, Prober]) -> None:
        """Start a policy, or replace its running revision. `probers` has one for each of its checks.

        Whatever may be wrong with the new revision shows before the old one is halted.
        """
        tools = self._tools
        reconciler = Reconciler(policy, self._providers, tools, partial(self._standing_of, policy.name))
        tools.shared.put(policy)
        if policy.name in self._running:
            await self._halt(self._off(policy.name))
            await tools.journal.dismiss(policy.name)
        self._board.watch(policy)
        self._probing.watch(policy.name, policy.probes(), policy.health, probers)
        work = supervise(
            f"policy {policy.name}", reconciler.run, tools.emit, tools.clock, policy=policy.name, chance=tools.chance
        )
        self._running[policy.name] = _Running(policy, reconciler, asyncio.create_task(work))
        self._policies = None
        source = policy.source
        loaded = PolicyLoaded(at=tools.clock(), policy=policy.name, revision=source.revision, file=source.file)
        tools.emit(loaded)

    async def remove(self, name: str) -> None:
        """Manage a policy no longer. Its records stay exactly as they are."""
        tools = self._tools
        await self._halt(self._off(name))
        self._probing.forget(name)
        tools.applier.prover.forget(name)
        self._board.forget(name)
        tools.shared.remove(name)
        tools.incidents.close(name)
        tools.states.forget(name)
        await tools.journal.dismiss(name)
        tools.emit(PolicyRemoved(at=tools.clock(), policy=name))

    async def close(self) -> None:
        """Stop probing, begin nothing more, let writes under way finish: thousands of probes would hold them up."""
        await self._probing.close()
        await asyncio.gather(*(self._halt(running) for running in self._running.values()))

    async def abandon(self) -> None:
        """End all work in the middle of whatever is done."""
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._probing.close()

    def wake(self, policy: str, *, more: bool) -> None:
        """A verdict of the policy changed; are `more` about to?"""
        running = self._running.get(policy)
        if running is not None:
            running.reconciler.wake(Urgency.FAIL_OUT, more=more)

    def tick(self) -> None:
        """Level-triggered: work on everything again, whatever was or was not heard."""
        self._remind()

        def look(running: _Running) -> None:
            running.due = False
            self._board.settle(running.policy.name)
            running.reconciler.wake()

        concerned = [each for each in self._running.values() if not each.due]
        for running in concerned:
            running.due = True
        self._in_turns(look, concerned, Urgency.ROUTINE)

    def turned(self) -> None:
        """This member writes from now on, or does no more."""
        for running in self._running.values():
            self._tools.shared.touch(running.policy.name)
        self._in_turns(lambda running: running.reconciler.turned(), self._running.values(), Urgency.FAIL_OUT)

    def heed(self, word: Override) -> None:
        """An operator said something, or took it back: the policies that it concerns are worked on now."""
        concerned = [each for each in self._running.values() if word.scope.may_have_had(each.policy)]
        for running in concerned:
            self._tools.shared.touch(running.policy.name)
        self._in_turns(lambda running: running.reconciler.wake(Urgency.CHANGE), concerned, Urgency.CHANGE)

    def previews(self, policy: str) -> list[tuple[Target, Callable[[tuple[Override, ...]], Outcome]]]:
        """For each target of a policy: what would be done if operators said something else."""
        return self._running[policy].reconciler.previews()

    def obey(self, rules: tuple[Rule, ...]) -> None:
        """The rules of the inventory from now on; where they are others than before, everything is worked on again."""
        book = self._tools.rulebook
        if book.rules != rules:
            book.rules = rules
            self.tick()

    def expect(self, plans: Plans) -> None:
        """Heed the work that files plan; where it is other work than before, everything is worked on again."""

        def at_work() -> Iterable[Policy]:
            return self.policies.values()

        if self._tools.states.overrides.follow(plans, at_work):
            self.tick()

    def retry(self) -> None:
        """Somebody asks for it: try again now what waits for a provider."""
        self._in_turns(lambda running: running.reconciler.retry(), self._running.values(), Urgency.CHANGE)

    # -- where they stand ----------------------------------------------------------------------------------------------

    def reject(self, policy: str, error: str) -> None:
        """A newer file of the policy does not load; "" when it does again."""
        if policy in self._running:
            self._running[policy].rejected = error

    def overview(self) -> list[PolicyStatus]:
        return [self._status(running) for running in self._running.values()]

    def standing(self) -> list[Status]:
        """Every policy and target: a thousand of them cost nothing, unlike their regions."""
        targets = (status for running in self._running.values() for status in running.reconciler.statuses())
        return [*self.overview(), *targets]

    def statuses(self) -> list[Status]:
        """Every policy, region and target."""
        found: list[Status] = []
        for running in self._running.values():
            found += [*self._standing_of(running.policy.name), *running.reconciler.statuses()]
        return found

    def _standing_of(self, policy: str) -> list[Status]:
        """The policy and its regions, of one moment: an incident stands above the region that is down."""
        running = self._running.get(policy)
        return [*([self._status(running)] if running is not None else []), *self._board.statuses(policy)]

    def _status(self, running: _Running) -> PolicyStatus:
        policy, incident = running.policy, self._tools.incidents.current(running.policy.name)
        status = PolicyStatus(
            policy=policy.name,
            at=self._tools.clock(),
            file=policy.source.file,
            revision=policy.source.revision,
            runbook=policy.runbook,
            rejected=running.rejected,
            failback_after=policy.failback_after,
            practices=latest(self._tools.states.of(policy.name).practices),
        )
        if incident is None:
            return status
        return replace(status, incident_id=incident.id, incident_since=incident.opened_at)

    def figures(self) -> tuple[TargetFigures, ...]:
        """Every target as it is remembered, whether it was read since the start or not."""
        disputed, found = self._tools.applier.prover.disputed, list[TargetFigures]()
        for running in self._running.values():
            policy = running.policy
            state = self._tools.states.of(policy.name)
            found += (
                TargetFigures(
                    memory=state.of(target),
                    limits=policy.limits,
                    down_since=state.down_since.get(target.key.type, {}),
                    disputed=target in disputed,
                )
                for target in policy.targets
            )
        return tuple(found)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _in_turns(self, work: Callable[[_Running], None], concerned: Iterable[_Running], urgency: Urgency) -> None:
        """A few policies in each turn of the loop: a thousand at once would let nobody else have one."""
        for running in concerned:
            self._tools.turns.ask(urgency, partial(work, running))

    def _off(self, name: str) -> _Running:
        self._policies = None
        return self._running.pop(name)

    async def _halt(self, running: _Running) -> None:
        await running.reconciler.finish(PATIENCE)
        running.task.cancel()
        await asyncio.gather(running.task, return_exceptions=True)

    def _remind(self) -> None:
        """Say what is steered to each provider that is open. One that opens later waits for the next tick."""
        steered, whole = self._steered
        for provider in self._providers.values():
            found: object = provider.opened if _in_daemon(provider) else None
            if isinstance(found, Forgetful):
                found.expect(steered, whole=whole)

    def _give_back(self, provider: Forgetful, target: Target, good: LastGood | None) -> None:
        if good is None:
            return
        good = replace(good, epoch=0)  # no other leader writes to this memory: one alone says no epoch there
        marker = Marker(self._tools.owner, target.policy, good.generation, (target.key.type,))
        with suppress(ProviderError):  # the answer is published anew as soon as there are verdicts
            if provider.seed(target, good.records, marker):
                state = self._tools.states.of(target.policy)
                memory = replace(state.of(target), last_good=good)
                self._tools.states.put(state.with_target(memory))

    async def _last_good(self, policy: Policy, target: Target) -> LastGood | None:
        """What was answered last, without addresses that the policy gave up since; None when nothing is left."""
        known = (await self._tools.states.recall(target, self._tools.clock())).last_good
        if known is None:
            return None
        region_of = policy.region_of(target.key.type)
        kept = {answer.value: answer.weight for answer in known.records.answers if answer.value in region_of}
        records = RecordSet.of(target.key, known.records.ttl, kept)
        if records == known.records:
            return known
        if not records.serving:
            return None
        return LastGood(records, known.generation, records.shares(region_of), known.at, epoch=known.epoch)

    async def _forgetful(self, name: str) -> Forgetful | None:
        lazy = self._providers.get(name)
        if not _in_daemon(lazy):
            return None
        with suppress(ProviderError, TimeoutError):  # the target says so in its own first round
            async with asyncio.timeout(PATIENCE):
                provider = await lazy.open()
                return provider if isinstance(provider, Forgetful) else None
        return None


def _in_daemon(provider: Provider | None) -> TypeGuard[LazyProvider]:
    return isinstance(provider, LazyProvider) and provider.in_daemon
