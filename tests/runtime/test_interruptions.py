"""The process dies, at every single point at which it can, and what the next one makes of it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.stage import AZURE, Stage, policy, target
from support.virtual import until, virtually

from failoverd.core.control.plan import PlanKind
from failoverd.core.events import ChangeApplied
from failoverd.ports import ChangeOutcome
from failoverd.simulation.faults import Fault, Script, lost_answer, overtaken, refused
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.virtual_time import elapse, now, run
from failoverd.simulation.world import World
from failoverd.simulation.zonefile import Zonefile

API = policy()
AT = target(API)
NORMAL = {"azure": 70.0, "oci": 30.0}

Life = Callable[[Stage], Awaitable[None]]


async def born(stage: Stage) -> None:
    """A first start: the record is created."""
    await until(stage.steers(API, **NORMAL))


async def failing_over(stage: Stage) -> None:
    await until(stage.steers(API, **NORMAL))
    stage.fails(AZURE)
    await until(stage.steers(API, oci=100.0))


async def edited(stage: Stage) -> None:
    await until(stage.steers(API, **NORMAL))
    stage.zonefile.put(AT, None)
    await until(stage.steers(API, **NORMAL))


async def steps_of(life: Life) -> int:
    """How many points there are in that life at which it can be killed."""
    stage = Stage()
    stage.dns.script = stage.journal.script = Script()
    stage.start(API)
    await life(stage)
    steps = stage.dns.script.steps
    await stage.kill()
    return steps


async def killed_at(step: int, life: Life) -> None:
    zonefile, journal, world = Zonefile(), PaperJournal(), World(now)
    first = Stage(zonefile=zonefile, journal=journal, world=world)
    script = first.dns.script = journal.script = Script(kill_at=step)
    first.start(API)
    living = asyncio.ensure_future(life(first))
    await until(lambda: script.killed.is_set() or living.done())
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)
    await first.kill()
    journal.script = None
    written = len(zonefile.writes)

    second = Stage(zonefile=zonefile, journal=journal, world=world)
    second.start(API)
    await second.booted()
    await until(lambda: not second.board.undecided("api"))
    expected = {"oci": 100.0} if life is failing_over and AZURE in failing(world) else NORMAL
    await until(second.steers(API, **expected))
    second.heals(AZURE)
    await until(second.steers(API, **NORMAL))
    await elapse(60.0)

    assert second.shares(API) == NORMAL
    assert all(write.records.serving for write in zonefile.writes)
    generations = [write.marker.generation for write in zonefile.writes]
    assert generations == list(range(1, len(generations) + 1)), f"after {written} writes"
    assert None not in journal.outcomes()
    assert set(journal.outcomes()) <= {ChangeOutcome.APPLIED, ChangeOutcome.INTERRUPTED}
    told = [event.generation for stage in (first, second) for event in stage.told(ChangeApplied)]
    assert sorted(set(told)) == generations, "every change explains itself"
    assert journal.answers[AT].generation == generations[-1]
    assert second.incidents.current("api") is None
    await second.kill()


def failing(world: World) -> set[str]:
    return {address for address, does in world._does.items() if does == "refuse"}


LIVES: dict[str, Life] = {"a first start": born, "a failover": failing_over, "a restored edit": edited}


@pytest.mark.parametrize("life", LIVES)
def test_killed_at_any_step_it_converges_with_a_growing_generation_and_never_an_empty_answer(life: str) -> None:
    steps = run(steps_of(LIVES[life]))
    assert steps > 10
    for step in range(1, steps + 1):
        run(killed_at(step, LIVES[life]))


@virtually
async def test_a_change_that_arrived_although_its_process_died_is_told_by_the_next_one_and_counts() -> None:
    first = Stage()
    first.start(API)
    await until(first.steers(API, **NORMAL))
    script = first.dns.script = Script()
    first.fails(AZURE)
    await until(lambda: len(first.zonefile.writes) == 2)
    script.kill_at = script.steps + 1
    await first.kill()
    assert first.journal.outcomes() == [ChangeOutcome.APPLIED, None]

    second = Stage(zonefile=first.zonefile, journal=first.journal, world=first.world)
    second.start(API)
    await until(lambda: second.told(ChangeApplied))
    (found,) = second.told(ChangeApplied)
    assert (found.generation, found.shares_to) == (2, {"oci": 10_000})
    assert first.journal.outcomes() == [ChangeOutcome.APPLIED, ChangeOutcome.APPLIED]
    assert len(first.zonefile.writes) == 2
    await second.kill()


@pytest.mark.parametrize("knew", [False, True])
@virtually
async def test_a_change_that_arrived_is_told_though_its_answer_was_lost_and_somebody_edited_it_before_it_was_read(
    knew: bool,
) -> None:
    """Its marker stands there still, and nobody else writes that one."""
    stage = Stage()
    if knew:
        stage.start(API)
        await until(stage.steers(API, **NORMAL))
    written = len(stage.zonefile.writes)
    stage.dns.on_apply.append(lost_answer())
    stage.dns.on_read.extend([Fault(), Fault(error=refused())])
    if knew:
        stage.fails(AZURE)
    else:
        stage.start(API)
    await until(lambda: len(stage.zonefile.writes) == written + 1)
    stage.zonefile.put(AT, {"203.0.113.66": 1})
    await until(lambda: len(stage.zonefile.writes) == written + 2)
    await elapse(1.0)
    told = [(event.generation, event.kind) for event in stage.told(ChangeApplied)][written:]
    assert told == [(written + 1, PlanKind.CHANGE if knew else PlanKind.CREATE), (written + 2, PlanKind.RESTORE)]
    assert None not in stage.journal.outcomes()
    await stage.kill()


@virtually
async def test_a_change_that_arrives_while_no_file_names_its_policy_is_told_when_one_does_again() -> None:
    """The file went while the call was under way, and somebody worked by hand then: the marker stands there still."""
    stage = Stage()
    stage.start(API)
    await until(stage.steers(API, **NORMAL))
    stage.dns.on_apply.append(overtaken(60.0))
    stage.fails(AZURE)
    await until(lambda: stage.engine.sending > 0)
    await stage.runner.remove(API.name)
    await until(lambda: len(stage.zonefile.writes) == 2)
    stage.zonefile.put(AT, {"203.0.113.66": 1})
    await stage.take_up(API)
    await until(lambda: len(stage.zonefile.writes) == 3)
    await elapse(1.0)
    assert [event.generation for event in stage.told(ChangeApplied)] == [1, 2, 3]
    assert None not in stage.journal.outcomes()
    await stage.kill()


@virtually
async def test_an_orderly_stop_moves_no_traffic_and_leaves_nothing_in_doubt() -> None:
    stage = Stage()
    stage.start(API)
    await until(stage.steers(API, **NORMAL))
    await stage.stop()
    assert (stage.shares(API), len(stage.zonefile.writes)) == (NORMAL, 1)
    assert stage.journal.interrupted(now()) == []
    assert [event.name for event in stage.journal.events] == stage.names()


@virtually
async def test_nothing_is_probed_any_more_while_a_write_that_is_under_way_ends() -> None:
    """With thousands of endpoints, probes would keep the end waiting for as long as a service manager does."""
    stage = Stage()
    stage.start(API)
    await until(stage.steers(API, **NORMAL))
    stage.dns.latency = 2.0
    stage.fails(AZURE)
    await until(lambda: stage.engine.sending > 0)
    looks = len(stage.world.looks)
    await stage.stop()
    assert len(stage.world.looks) == looks
    assert (stage.shares(API), stage.journal.interrupted(now())) == ({"oci": 100.0}, [])


@virtually
async def test_a_restart_of_a_daemon_that_knows_nothing_any_more_writes_nothing_new() -> None:
    """The journal is lost: what stands in DNS, and its marker, are enough."""
    first = Stage()
    first.start(API)
    await until(first.steers(API, **NORMAL))
    await first.stop()
    second = Stage(zonefile=first.zonefile, world=first.world)
    second.start(API)
    await elapse(60.0)
    assert len(second.zonefile.writes) == 1
    second.fails(AZURE)
    await until(second.steers(API, oci=100.0))
    assert second.generation(API) == 2
    await second.kill()
