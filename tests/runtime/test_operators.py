"""Operators at the desk of a daemon at work: what is sent, kept and told when words and bad luck meet."""

import asyncio

import pytest
from support.stage import API, AZURE, NORMAL, Stage, normal, playing, policy, record, regions
from support.virtual import until, virtually

from failoverd.core.events import ChangeFenced, IncidentClosed, IncidentOpened, OverrideEnded, OverridesLost
from failoverd.core.overrides import Scope, Verb
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.virtual_time import elapse, now

ALICE = "alice@host"
WEB = policy(
    "web",
    records=(record("web", "www.example.com"),),
    regions=regions(azure=(50, "192.0.2.20"), oci=(50, "192.0.2.21")),
)


def desk(stage: Stage) -> Desk:
    return Desk(stage.engine, now, lambda scope, change: None)  # noqa: ARG005 - nothing was changed


def drain(region: str, seconds: float = 3_600.0) -> WordRequest:
    return WordRequest(Verb.DRAIN, Scope(regions=(region,)), "maintenance", seconds)


@virtually
async def test_what_was_decided_before_a_word_is_not_sent_after_it() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        stage.heals(AZURE)
        await elapse(55.0)
        stage.journal.stuck = asyncio.Event()  # the return is decided on, and waits for the journal
        await until(lambda: any(memory.doubts for memory in stage.states.of("api").targets.values()), within=60.0)
        await desk(stage).give(drain("azure"), ALICE)
        stage.journal.stuck.set()
        stage.journal.stuck = None
        await elapse(120.0)
        assert stage.told(ChangeFenced)
        assert not [
            write for write in stage.zonefile.writes if write.at > now() - 120.0 and len(write.records.answers) > 1
        ]
        assert stage.shares(API) == {"oci": 100.0}


@virtually
async def test_a_lost_word_is_released_in_every_policy_and_told_once() -> None:
    async with playing(API, WEB) as stage:
        await normal(stage)
        given = await desk(stage).give(drain("azure"), ALICE)
        await until(lambda: stage.shares(API) == stage.shares(WEB) == {"oci": 100.0})
    after = Stage(zonefile=stage.zonefile, world=stage.world, journal=PaperJournal())
    async with playing(API, WEB, stage=after):
        await until(lambda: len(after.told(OverridesLost)) == 2)
        await elapse(600.0)
        assert after.shares(API) == after.shares(WEB) == {"oci": 100.0}
        assert await desk(after).release_lost(Scope(), "it is done", ALICE) == (given.word.id,)
        await until(lambda: after.shares(API) == NORMAL and after.shares(WEB) == {"azure": 50.0, "oci": 50.0})
        (ended,) = after.told(OverrideEnded)
        assert (ended.override, ended.comment) == (given.word.id, "it is done")
        assert ended.reason == "", "what it was given for went with the journal"


@virtually
async def test_the_end_of_a_word_is_told_that_came_while_the_end_of_another_was_kept() -> None:
    async with playing(API) as stage:
        await normal(stage)
        first = await desk(stage).give(drain("azure", 60.0), ALICE)
        await elapse(59.0)
        stage.journal.stuck = asyncio.Event()
        await until(lambda: bool(stage.told(OverrideEnded)))
        giving = asyncio.create_task(desk(stage).give(drain("oci", 300.0), ALICE))
        await elapse(0.5)
        stage.journal.stuck.set()
        stage.journal.stuck = None
        second = await giving
        await elapse(600.0)
        assert [event.override for event in stage.told(OverrideEnded)] == [first.word.id, second.word.id]


@pytest.mark.parametrize("released", [True, False], ids=["released", "by its time"])
@virtually
async def test_a_region_that_is_down_when_its_drain_ends_is_an_incident_from_then_on(*, released: bool) -> None:
    async with playing(API) as stage:
        await normal(stage)
        given = await desk(stage).give(drain("azure", 600.0), ALICE)
        await until(lambda: stage.shares(API) == {"oci": 100.0})
        stage.fails(AZURE)
        await elapse(120.0)
        assert not stage.told(IncidentOpened), "it is kept out: that it is ill is nobody's trouble"
        if released:
            await desk(stage).release(given.word.id, "well again, I think", ALICE)
        await until(lambda: stage.told(IncidentOpened), within=600.0)
        (opened,) = stage.told(IncidentOpened)
        assert opened.cause == "azure did not get well while kept out, and nobody keeps that out any more"
        assert stage.told(OverrideEnded)
        stage.heals(AZURE)
        await until(lambda: stage.told(IncidentClosed), within=1_200.0)
        assert stage.shares(API) == NORMAL
        await desk(stage).give(drain("azure", 60.0), ALICE)
        await elapse(300.0)
        assert len(stage.told(IncidentOpened)) == 1, "who is well when its drain ends is no trouble"


@virtually
async def test_a_word_that_ended_while_the_daemon_was_dead_is_told_and_leaves_no_trace() -> None:
    async with playing(API) as stage:
        await normal(stage)
        given = await desk(stage).give(drain("azure", 60.0), ALICE)
        await until(lambda: stage.shares(API) == {"oci": 100.0})
    await elapse(300.0)
    after = Stage(zonefile=stage.zonefile, world=stage.world, journal=stage.journal)
    async with playing(API, stage=after):
        await until(lambda: after.shares(API) == NORMAL)
        await elapse(60.0)
        assert [event.override for event in after.told(OverrideEnded)] == [given.word.id]
        assert not after.told(OverridesLost)
