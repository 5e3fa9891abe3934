"""What is answered between a start and the first verdicts: memory is told what it forgot and what is still ours."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from support.stage import API, AT, AZURE, NORMAL, OCI, Stage, policy
from support.virtual import until, virtually

from failoverd.core.control.plan import LastGood
from failoverd.core.events import DriftDetected
from failoverd.core.records import Capabilities, Marker, Policy, RecordSet, Target
from failoverd.core.status import TargetState
from failoverd.ports import Access, Provider, ProviderKind
from failoverd.runtime.lazy_provider import LazyProvider
from failoverd.runtime.loop_turns import AT_ONCE
from failoverd.runtime.policy_runner import PolicyRunner
from failoverd.settings import ProviderSettings
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.virtual_time import now
from failoverd.simulation.zonefile import Zonefile

GIVEN_UP = "192.0.2.99"


class InMemory(PaperProvider):
    """Answers from memory, as the embedded server does: what was seeded stands until it is written."""

    steered: frozenset[Target] = frozenset()
    whole = False

    def expect(self, steered: frozenset[Target], *, whole: bool) -> None:
        self.steered, self.whole = steered, whole

    def seed(self, target: Target, records: RecordSet, marker: Marker) -> bool:
        self.zonefile.records[target.zone, target.key] = records
        self.zonefile.markers[target.zone, target.key.name] = marker.to_text()
        return True


class Scene:
    """A runner on the usual stage, whose one provider is `in_daemon` or somewhere else."""

    def __init__(self, stack: AsyncExitStack, *, in_daemon: bool) -> None:
        self.stage = Stage()
        self.opened = 0
        kind = ProviderKind("memory", ProviderSettings, Capabilities({}, 255), self._open, in_daemon)
        self.opening = opening = LazyProvider("dns-main", kind, None, Access.WRITE, stack)
        self.runner = PolicyRunner(self.stage.engine.tools, self.stage.board, self.stage.probing, {"dns-main": opening})

    @property
    def zonefile(self) -> Zonefile:
        return self.stage.zonefile

    def answered(self, weights: Mapping[str, int], *, epoch: int = 0) -> None:
        """What an earlier process published last, which led with that epoch."""
        records = RecordSet.of(AT.key, 30, weights)
        good = LastGood(records, 7, records.shares(API.region_of(AT.key.type)), now(), epoch=epoch)
        state = self.stage.states.of(API.name)
        self.stage.states.put(state.with_target(replace(state.of(AT), last_good=good)))

    async def start(self, policy: Policy) -> None:
        """Up to the moment before the first look."""
        await self.runner.restore(policy)
        await self.runner.take_up(policy, {check.name: self.stage.world.prober(check) for check in policy.checks})
        self.stage.runner = self.runner

    def stands(self) -> dict[str, int]:
        found = self.zonefile.observe(AT).records
        return {} if found is None else {answer.value: answer.weight for answer in found.answers}

    @asynccontextmanager
    async def _open(self, *_: Any) -> AsyncIterator[Provider]:  # noqa: ANN401 - whatever it is opened with
        self.opened += 1
        self.memory = InMemory(self.zonefile, now)
        yield self.memory


@asynccontextmanager
async def playing(*, in_daemon: bool = True) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        scene = Scene(stack, in_daemon=in_daemon)
        try:
            yield scene
        finally:
            await scene.runner.close()
            await scene.stage.prover.close()
            await scene.stage.timetable.close()


@virtually
async def test_a_provider_in_memory_answers_as_before_at_once() -> None:
    async with playing() as scene:
        scene.answered({AZURE: 30, OCI: 70})
        await scene.start(API)
        assert scene.stands() == {AZURE: 30, OCI: 70}
        assert scene.zonefile.generation(AT) == 7


@virtually
async def test_what_a_leader_of_members_wrote_there_is_in_sync_after_a_start() -> None:
    """Nobody else writes to this memory: its marker says no epoch, and is not written anew to say one."""
    async with playing() as scene:
        scene.answered({AZURE: 70, OCI: 30}, epoch=3)
        await scene.start(API)
        await until(lambda: scene.stage.states.of(API.name).of(AT).state is TargetState.IN_SYNC)
        assert scene.zonefile.generation(AT) == 7


@virtually
async def test_a_provider_elsewhere_remembers_by_itself_and_is_not_opened_for_that() -> None:
    async with playing(in_daemon=False) as scene:
        scene.answered({AZURE: 30, OCI: 70})
        await scene.start(API)
        assert scene.opened == 0
        assert scene.stands() == {}


@virtually
async def test_an_address_that_the_policy_gave_up_is_not_answered_again_and_is_no_drift() -> None:
    async with playing() as scene:
        scene.answered({AZURE: 30, GIVEN_UP: 40, OCI: 30})
        await scene.start(API)
        assert scene.stands() == {AZURE: 30, OCI: 30}
        await until(lambda: scene.stage.shares(API) == NORMAL)
        assert scene.stage.told(DriftDetected) == []


@virtually
async def test_where_the_policy_gave_up_every_address_nothing_is_answered_until_it_knows() -> None:
    async with playing() as scene:
        scene.answered({GIVEN_UP: 100})
        await scene.start(API)
        assert scene.stands() == {}


@virtually
async def test_an_address_without_weight_alone_is_nothing_to_answer_with() -> None:
    async with playing() as scene:
        scene.answered({GIVEN_UP: 100, OCI: 0})
        await scene.start(API)
        assert scene.stands() == {}


@virtually
async def test_what_a_policy_answered_goes_on_while_its_file_does_not_load() -> None:
    async with playing() as scene:
        records = RecordSet.of(AT.key, 30, {AZURE: 30, OCI: 70})
        await scene.stage.journal.confirm(AT, LastGood(records, 7, {}, now()))
        await scene.runner.restore_unread(lambda policy: policy == API.name)
        assert scene.stands() == {AZURE: 30, OCI: 70}
        assert scene.zonefile.generation(AT) == 7


@virtually
async def test_what_no_file_names_is_not_answered_again_after_a_start() -> None:
    async with playing() as scene:
        await scene.stage.journal.confirm(AT, LastGood(RecordSet.of(AT.key, 30, {AZURE: 1}), 7, {}, now()))
        await scene.runner.restore_unread(lambda policy: policy == "another")
        assert scene.stands() == {}


@virtually
async def test_a_tick_begins_with_a_few_policies_and_lets_others_have_their_turn_between() -> None:
    """A thousand in one turn of the loop would hold up probes, DNS queries and whoever asks, for seconds."""
    many = [policy(f"p{number}") for number in range(2 * AT_ONCE)]
    async with playing() as scene:
        for each in many:
            await scene.start(each)
        await until(lambda: all(scene.stage.states.of(each.name).targets for each in many))
        woken: list[str] = []
        for name, reconciler in scene.runner.reconcilers.items():
            reconciler.wake = lambda *_, name=name, **__: woken.append(name)  # type: ignore[method-assign]
        scene.runner.tick()
        await asyncio.sleep(0)
        assert woken == [each.name for each in many[:AT_ONCE]]
        await asyncio.sleep(0)
        assert woken == [each.name for each in many]


@virtually
async def test_who_waits_for_its_turn_of_an_earlier_tick_is_looked_at_once() -> None:
    """Where more is to do than time allows each tick would add all policies once more, without end."""
    async with playing() as scene:
        await scene.start(API)
        await until(lambda: scene.stage.states.of(API.name).targets)
        woken: list[str] = []
        for name, reconciler in scene.runner.reconcilers.items():
            reconciler.wake = lambda *_, name=name, **__: woken.append(name)  # type: ignore[method-assign]
        for _ in range(3):
            scene.runner.tick()
        await asyncio.sleep(1)
        assert woken == [API.name]
        scene.runner.tick()
        await asyncio.sleep(1)
        assert woken == [API.name, API.name]


@virtually
async def test_a_provider_that_opens_later_is_told_at_the_next_tick_what_is_steered() -> None:
    async with playing() as scene:
        scene.runner.announce(frozenset(API.targets), whole=True)
        await scene.opening.open()
        scene.runner.tick()
        assert (scene.memory.steered, scene.memory.whole) == (frozenset(API.targets), True)
