"""Regions that fall together move nothing onto each other: the answer of before stands, and no change is spent."""

import asyncio
import itertools

import pytest
from support.approving import limits
from support.stage import AWS, AZURE, NORMAL, OCI, Stage, normal, playing, policy, regions, status
from support.virtual import until, virtually

from failoverd.core.events import ChangeApplied, RegionFailed
from failoverd.core.records import Observed, RecordType, Target
from failoverd.ports import Urgency
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import Does

TRIO = policy(regions=regions(azure=(40, AZURE), oci=(30, OCI), aws=(30, AWS)), limits=limits(max_changes=2))
SHARES = {"azure": 40.0, "oci": 30.0, "aws": 30.0}
PLACES = {"azure": AZURE, "oci": OCI, "aws": AWS}

orders = pytest.mark.parametrize("order", list(itertools.permutations(PLACES)), ids="-".join)


async def published(stage: Stage) -> int:
    """All is well, and everything is published; how many changes that took."""
    await until(stage.steers(TRIO, **SHARES))
    await elapse(30.0)
    return len(stage.told(ChangeApplied))


async def all_down(stage: Stage) -> None:
    await until(lambda: {event.region for event in stage.told(RegionFailed)} == set(PLACES))
    await elapse(60.0)


@orders
def test_all_regions_begin_to_answer_with_errors_in_one_moment_and_recover_in_any_order(order: tuple[str, ...]) -> None:
    @virtually
    async def scenario() -> None:
        async with playing(TRIO) as stage:
            changes = await published(stage)
            stage.world.let(Does.ERROR, *PLACES.values())
            await all_down(stage)
            for name in order:
                stage.heals(PLACES[name])
                await elapse(4.0)
            await until(lambda: stage.board.calm("api"))
            await elapse(120.0)
            assert stage.shares(TRIO) == SHARES
            assert len(stage.told(ChangeApplied)) == changes

    scenario()


@orders
def test_they_begin_one_after_the_other_while_the_first_verdict_is_open(order: tuple[str, ...]) -> None:
    """A bad release reaches them within half a second."""

    @virtually
    async def scenario() -> None:
        async with playing(TRIO) as stage:
            changes = await published(stage)
            await until(lambda: now() % 10.0 < 0.1)
            for name in order:
                stage.world.let(Does.ERROR, PLACES[name])
                await elapse(0.2)
            await all_down(stage)
            assert stage.shares(TRIO) == SHARES
            assert len(stage.told(ChangeApplied)) == changes

    scenario()


@virtually
async def test_who_was_withdrawn_before_all_others_fell_comes_back_without_the_failback_hold() -> None:
    """The second and third fall seconds after the first has left: nobody could know, and nobody is punished for it."""
    async with playing(TRIO) as stage:
        await published(stage)
        stage.world.let(Does.ERROR, AZURE)
        await until(lambda: "azure" not in stage.shares(TRIO))
        stage.world.let(Does.ERROR, OCI, AWS)
        await all_down(stage)
        stage.heals(*PLACES.values())
        await until(lambda: stage.board.calm("api"))
        well = now()
        await until(stage.steers(TRIO, **SHARES))
        assert now() - well < 1.0


@virtually
async def test_one_that_fell_alone_waits_for_its_failback_as_ever() -> None:
    async with playing(TRIO) as stage:
        await published(stage)
        stage.world.let(Does.ERROR, AZURE)
        await until(lambda: "azure" not in stage.shares(TRIO))
        await elapse(60.0)
        stage.heals(AZURE)
        await until(lambda: stage.board.calm("api"))
        well = now()
        await until(stage.steers(TRIO, **SHARES))
        assert now() - well == pytest.approx(60.0, abs=0.2)


@virtually
async def test_a_well_region_takes_over_without_a_wait_though_it_was_not_probed_for_a_while() -> None:
    pair = policy(regions=regions(azure=(70, AZURE), oci=(30, OCI)))
    async with playing(pair) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(lambda: stage.told(RegionFailed))
        fell = now()
        await until(stage.steers(pair, oci=100.0))
        assert now() - fell < 0.05
        assert stage.shares(pair) != NORMAL


@virtually
async def test_when_the_wait_for_a_dead_region_ends_it_leaves_before_anything_routine() -> None:
    """Its account is busy: a routine read waits half a minute for its turn, an urgent one does not."""
    async with playing(TRIO) as stage:
        await published(stage)
        stage.world.let(Does.ERROR, *PLACES.values())
        await all_down(stage)
        read = stage.dns.read

        async def busy(target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
            await asyncio.sleep(30.0 if urgency.is_routine else 0.0)
            return await read(target, urgency=urgency)

        stage.dns.read = busy  # type: ignore[method-assign]
        stage.heals(OCI, AWS)
        await until(lambda: stage.board.regions("api", RecordType.A)["oci"].serves)
        await until(lambda: status(stage).until)
        due = status(stage).until
        assert due is not None
        await until(lambda: "azure" not in stage.shares(TRIO))
        assert now() - due < 1.0


@virtually
async def test_one_that_comes_and_goes_keeps_no_dead_region_in_the_answer() -> None:
    """It is up for less time than the others of the fall are waited for, again and again."""
    pair = policy(regions=regions(azure=(70, AZURE), oci=(30, OCI)))
    async with playing(pair) as stage:
        await normal(stage)
        stage.world.let(Does.ERROR, AZURE, OCI)
        await elapse(60.0)
        for _ in range(2):
            assert "azure" in stage.shares(pair)
            stage.heals(OCI)
            await elapse(20.0)
            stage.world.let(Does.ERROR, OCI)
            await elapse(20.0)
        assert stage.shares(pair) == {"oci": 100.0}
