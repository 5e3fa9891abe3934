"""Drills of a daemon at work: begun and ended by the clock, cut short by whatever comes up, told and remembered."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from support.stage import API, AZURE, LIVE, NORMAL, OCI, Stage, normal, playing, policy, regions
from support.virtual import until, virtually

from failoverd.core.events import (
    ChangeApplied,
    Event,
    IncidentOpened,
    OverrideEnding,
    PracticeEnded,
    PracticeStarted,
)
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.practices import PracticeOutcome
from failoverd.core.records import Policy, RampRules
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.operations.judging import OverrideError
from failoverd.simulation.virtual_time import elapse, now

HALF_AN_HOUR = 1_800.0
ALICE = "alice@bastion"
LINE = "policies/api.yaml:12"
OTHER = policy("shop", regions=regions(north=(50, "192.0.2.77"), south=(50, "192.0.2.78")))
SMALL = policy(
    checks=(replace(LIVE, every=10.0),),
    demand=150.0,
    regions=tuple(replace(each, capacity=100.0) for each in regions(azure=(50, AZURE), oci=(50, OCI))),
)
TIGHT = replace(SMALL, demand=95.0)


def drill(since: float, region: str = "azure", *policies: str) -> Override:
    """As a file plans it."""
    return Override(
        id=f"practice-{since:08.0f}",
        verb=Verb.PRACTICE,
        scope=Scope(policies=policies, regions=(region,)),
        actor=LINE,
        since=since,
        until=since + HALF_AN_HOUR,
        comments=(Comment(since, LINE, "weekly drill"),),
        planned=True,
        cleared=False,
    )


@asynccontextmanager
async def at_work(*policies: Policy, planned: Sequence[Override] = ()) -> AsyncIterator[Stage]:
    stage = Stage()
    stage.runner.expect(lambda at: tuple(word for word in planned if word.until > at))
    async with playing(*(policies or (API,)), stage=stage):
        await until(lambda: all(stage.shares(each) for each in policies or (API,)))
        yield stage


async def practise(stage: Stage, region: str = "azure", *, dry_run: bool = False) -> None:
    ask = WordRequest(Verb.PRACTICE, Scope(regions=(region,)), "before the fair", HALF_AN_HOUR)
    await Desk(stage.engine, now, lambda _scope, _id: None).give(ask, ALICE, dry_run=dry_run)


def outcomes(stage: Stage) -> list[str]:
    return [each.outcome for each in stage.told(PracticeEnded)]


def names(stage: Stage, *kinds: type[Event]) -> list[str]:
    return [event.name for event in stage.events if isinstance(event, kinds)]


@virtually
async def test_a_planned_drill_begins_and_succeeds_and_is_remembered() -> None:
    async with at_work(planned=[drill(1_500.0)]) as stage:
        await normal(stage)
        await elapse(1_600 - now())
        assert stage.shares(API) == {"oci": 100}
        await elapse(1_500 + HALF_AN_HOUR + 120 - now())
        assert stage.shares(API) == NORMAL
        (started,) = stage.told(PracticeStarted)
        assert (started.regions, started.policies, started.actor) == (("azure",), ("api",), LINE)
        (told,) = stage.told(PracticeEnded)
        assert told.outcome == PracticeOutcome.SUCCEEDED
        assert told.lasted == pytest.approx(HALF_AN_HOUR)
        assert not stage.told(IncidentOpened)
        assert not stage.told(OverrideEnding)
        (kept,) = [state for state in stage.journal.states_kept() if state.policy == "api"]
        (past,) = kept.practices
        assert (past.region, past.outcome, past.began) == ("azure", PracticeOutcome.SUCCEEDED, 1_500.0)


@virtually
async def test_one_does_not_begin_in_an_incident() -> None:
    async with at_work(planned=[drill(1_500.0)]) as stage:
        await normal(stage)
        stage.fails(OCI)
        await elapse(1_600 - now())
        assert outcomes(stage) == [PracticeOutcome.BLOCKED]
        assert not stage.told(PracticeStarted)
        assert stage.shares(API) == {"azure": 100}


@virtually
async def test_one_does_not_begin_without_room_to_spare() -> None:
    """The others could carry 100, and 95 are needed: 1.1 times as much would be 104.5."""
    async with at_work(TIGHT, planned=[drill(1_500.0)]) as stage:
        await elapse(1_600 - now())
        (told,) = stage.told(PracticeEnded)
        assert told.outcome == PracticeOutcome.CAPACITY_CHECK_FAILED
        assert [told.demand, told.asked, told.carried] == pytest.approx([95.0, 104.5, 100.0])
        assert stage.shares(TIGHT) == {"azure": 50, "oci": 50}


@virtually
async def test_a_survivor_that_fails_ends_it_in_the_same_tick_and_the_practised_region_takes_over() -> None:
    async with at_work() as stage:
        await normal(stage)
        await practise(stage)
        await until(stage.steers(API, oci=100))
        stage.fails(OCI)
        await until(lambda: stage.told(IncidentOpened))
        (told,) = stage.told(PracticeEnded)
        assert told.at == stage.told(IncidentOpened)[0].at
        assert told.outcome == PracticeOutcome.FAILED
        await until(stage.steers(API, azure=100), within=5.0)
        assert stage.told(ChangeApplied)[-1].cause == "failing_out"


@pytest.mark.parametrize(
    ("check", "outcome"), [(LIVE.name, PracticeOutcome.FAILED), ("other", PracticeOutcome.INTERRUPTED)]
)
@virtually
async def test_a_planned_drill_fails_by_the_checks_that_it_names(check: str, outcome: PracticeOutcome) -> None:
    async with at_work(planned=[replace(drill(1_500.0), succeed=(check,))]) as stage:
        await elapse(1_600 - now())
        stage.fails(OCI)
        await until(lambda: stage.told(PracticeEnded))
        assert outcomes(stage) == [outcome]


@virtually
async def test_trouble_of_another_policy_ends_it_too_and_the_region_is_back_at_once() -> None:
    async with at_work(API, OTHER) as stage:
        await until(stage.steers(API, **NORMAL))
        await practise(stage)
        await until(stage.steers(API, oci=100))
        stage.fails("192.0.2.77")
        await until(lambda: stage.told(PracticeEnded))
        assert outcomes(stage) == [PracticeOutcome.INTERRUPTED]
        await until(stage.steers(API, **NORMAL), within=5.0)


@pytest.mark.parametrize("fails", ["192.0.2.77", OCI])
@virtually
async def test_a_region_that_is_needed_comes_back_by_no_ramp(fails: str) -> None:
    careful = replace(API, ramp=RampRules(judge=60.0), failback_after=300.0)
    async with at_work(careful, OTHER) as stage:
        await until(stage.steers(careful, **NORMAL))
        await practise(stage)
        await until(stage.steers(careful, oci=100))
        stage.fails(fails)
        await until(lambda: stage.told(PracticeEnded))
        back = NORMAL if fails != OCI else {"azure": 100}
        await until(stage.steers(careful, **back), within=5.0)


@virtually
async def test_an_operators_word_ends_it() -> None:
    async with at_work() as stage:
        await normal(stage)
        await practise(stage)
        await until(stage.steers(API, oci=100))
        desk = Desk(stage.engine, now, lambda _scope, _id: None)
        await desk.give(WordRequest(Verb.PAUSE, Scope(), "look first", 600.0), ALICE)
        (told,) = stage.told(PracticeEnded)
        assert told.outcome == PracticeOutcome.INTERRUPTED
        assert "pause" in told.why


@virtually
async def test_a_person_ends_it() -> None:
    async with at_work() as stage:
        await normal(stage)
        await practise(stage)
        await until(stage.steers(API, oci=100))
        desk = Desk(stage.engine, now, lambda _scope, _id: None)
        await desk.release_matching(Verb.PRACTICE, Scope(), "seen enough", ALICE)
        await until(stage.steers(API, **NORMAL))
        (told,) = stage.told(PracticeEnded)
        assert (told.outcome, told.why) == (PracticeOutcome.INTERRUPTED, "alice@bastion ended it: seen enough")


@virtually
async def test_a_person_is_refused_one_that_cannot_begin() -> None:
    async with at_work(SMALL) as stage:
        with pytest.raises(OverrideError, match=r"cannot begin now: the others carry 100 of 165"):
            await practise(stage)
        with pytest.raises(OverrideError):
            await practise(stage, dry_run=True)
    async with at_work() as stage:
        await normal(stage)
        await practise(stage)
        with pytest.raises(OverrideError, match=r"is in force: practice of region azure"):
            await practise(stage, "oci")
        assert names(stage, PracticeStarted, PracticeEnded) == ["practice.started"]


@virtually
async def test_a_restart_in_the_middle_of_one_goes_on_with_it() -> None:
    planned = [drill(1_500.0)]
    async with at_work(planned=planned) as stage:
        await normal(stage)
        await elapse(1_600 - now())
        journal, zonefile, world = stage.journal, stage.zonefile, stage.world
        await stage.kill()
    again = Stage(journal=journal, zonefile=zonefile, world=world)
    again.runner.expect(lambda at: tuple(word for word in planned if word.until > at))
    async with playing(API, stage=again):
        await elapse(120)
        assert again.shares(API) == {"oci": 100}
        await elapse(1_500 + HALF_AN_HOUR + 120 - now())
        assert outcomes(again) == [PracticeOutcome.SUCCEEDED]
        assert again.shares(API) == NORMAL


@virtually
async def test_one_that_ended_while_no_daemon_was_there_is_remembered_as_interrupted() -> None:
    async with at_work(planned=[drill(1_500.0)]) as stage:
        await normal(stage)
        await elapse(1_600 - now())
        journal, zonefile, world = stage.journal, stage.zonefile, stage.world
        await stage.kill()
    await elapse(1_500 + HALF_AN_HOUR + 60 - now())
    again = Stage(journal=journal, zonefile=zonefile, world=world)
    async with playing(API, stage=again):
        await until(lambda: again.told(PracticeEnded))
        await until(again.steers(API, **NORMAL))
        (told,) = again.told(PracticeEnded)
        assert (told.regions, told.policies, told.outcome) == (("azure",), ("api",), PracticeOutcome.INTERRUPTED)
    (kept,) = [state for state in journal.states_kept() if state.policy == "api"]
    assert [(past.region, past.outcome) for past in kept.practices] == [("azure", PracticeOutcome.INTERRUPTED)]
