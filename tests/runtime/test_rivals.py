"""Two daemons of one owner at one zone, each with a journal of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from support.stage import API, AT, AZURE, NORMAL, OCI, Stage, normal, playing, policy, record, regions, target
from support.virtual import until, virtually

from failoverd.core.events import FailoverHeld, LeaderOutranked, PlanHeld, RivalDetected, RivalSettled
from failoverd.core.overrides import Scope
from failoverd.core.records import Policy, RecordType
from failoverd.runtime.lead import Alone
from failoverd.simulation.simulated_daemon import TICK
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import World
from failoverd.simulation.zonefile import Zonefile

ONE, OTHER = "0000aaaa", "1111bbbb"
EVEN = policy(regions=regions(azure=(50, AZURE), oci=(50, OCI)))
"""The same name with other shares: a file that was rolled out on one of the two machines."""


@asynccontextmanager
async def beside(stage: Stage, found: Policy = EVEN, instance: str = OTHER) -> AsyncIterator[Stage]:
    """A second daemon at the same zone, which sees the same endpoints."""
    second = Stage(zonefile=stage.zonefile, world=stage.world, instance=instance)
    async with playing(found, stage=second):
        yield second


def alone(instance: str = ONE) -> Stage:
    return Stage(zonefile=Zonefile(), world=World(now), instance=instance)


@virtually
async def test_two_that_undo_each_other_come_to_rest_and_both_say_so() -> None:
    async with playing(API, stage=alone()) as one:
        await normal(one)
        async with beside(one) as other:
            await until(lambda: one.told(RivalDetected) and other.told(RivalDetected))
            writes = len(one.zonefile.writes)
            assert writes <= 6
            await elapse(900.0)
            assert len(one.zonefile.writes) == writes
            (mine,), (theirs,) = one.told(RivalDetected), other.told(RivalDetected)
            assert (mine.instance, mine.rivals) == (ONE, (OTHER,))
            assert (theirs.instance, theirs.rivals) == (OTHER, (ONE,))
            assert one.told(PlanHeld) or other.told(PlanHeld)


@virtually
async def test_a_region_that_dies_is_left_by_two_that_came_to_rest() -> None:
    async with playing(API, stage=alone()) as one:
        await normal(one)
        async with beside(one) as other:
            await until(lambda: one.told(RivalDetected) and other.told(RivalDetected))
            await elapse(60.0)
            one.fails(AZURE)
            began = now()
            await until(one.steers(API, oci=100.0))
            assert now() - began < 2 * TICK
            writes = len(one.zonefile.writes)
            one.heals(AZURE)
            await elapse(900.0)
            assert len(one.zonefile.writes) == writes, "nobody brings it back, for the other may be right"


@virtually
async def test_two_that_see_different_things_do_not_go_on_for_ever() -> None:
    """Each takes off what it finds dead, and so puts back what the other took off."""
    async with playing(API, stage=alone()) as one:
        await normal(one)
        second = Stage(zonefile=one.zonefile, world=World(now), instance=OTHER)
        async with playing(EVEN, stage=second) as other:
            await until(lambda: one.told(RivalDetected) and other.told(RivalDetected))
            await elapse(60.0)
            writes = len(one.zonefile.writes)
            one.fails(AZURE)
            other.fails(OCI)
            await elapse(900.0)
            assert 1 <= len(one.zonefile.writes) - writes <= 8
            writes = len(one.zonefile.writes)
            await elapse(900.0)
            assert len(one.zonefile.writes) == writes
            assert one.shares(API)


@virtually
async def test_a_new_machine_with_a_new_journal_takes_over_without_a_word() -> None:
    async with playing(API, stage=alone()) as one:
        await normal(one)
    second = Stage(zonefile=one.zonefile, world=one.world, instance=OTHER)
    async with playing(EVEN, stage=second) as other:
        await until(other.steers(EVEN, azure=50.0, oci=50.0))
        for _ in range(3):
            other.fails(AZURE)
            await until(other.steers(EVEN, oci=100.0))
            other.heals(AZURE)
            await until(other.steers(EVEN, azure=50.0, oci=50.0))
        assert not other.told(RivalDetected)


@virtually
async def test_a_person_who_stopped_the_other_one_ends_it() -> None:
    async with playing(API, stage=alone()) as one:
        await normal(one)
        async with beside(one) as other:
            await until(lambda: one.told(RivalDetected) and other.told(RivalDetected))
            await elapse(60.0)
        assert await one.engine.settle_rivals(Scope(records=("nothing.example.com",)), "alice@desk") == ()
        one.zonefile.put(AT, {AZURE: 1, OCI: 1})
        assert await one.engine.settle_rivals(Scope(), "alice@desk", "stopped it") == ("api.example.com",)
        await until(one.steers(API, **NORMAL))
        (settled,) = one.told(RivalSettled)
        assert (settled.rivals, settled.by, settled.comment) == ((OTHER,), "alice@desk", "stopped it")
        assert await one.engine.settle_rivals(Scope(), "alice@desk") == ()


def led(stage: Stage, epoch: int) -> None:
    """A leader that is another daemon wrote the name."""
    marker = stage.zonefile.observe(AT).marker
    assert marker is not None
    theirs = replace(marker, generation=marker.generation + 1, epoch=epoch, instance=OTHER)
    stage.zonefile.mark(AT, theirs.to_text())


@virtually
async def test_one_alone_leaves_what_a_leader_wrote_until_a_person_says_that_it_is_gone() -> None:
    stage = alone()
    async with playing(API, stage=stage) as one:
        await normal(one)
        led(one, 8)
        await until(lambda: one.told(LeaderOutranked))
        writes = len(one.zonefile.writes)
        one.fails(AZURE)
        await elapse(900.0)
        assert len(one.zonefile.writes) == writes
        assert [each.epoch for each in one.told(LeaderOutranked)] == [8]
        assert len(one.told(FailoverHeld)) == 1
        assert await one.engine.settle_rivals(Scope(), "alice@desk", "switched off") == ("api.example.com",)
        await until(one.steers(API, oci=100.0))
        (settled,) = one.told(RivalSettled)
        assert (settled.rivals, settled.epoch) == ((OTHER,), 8)
        assert await one.engine.settle_rivals(Scope(), "alice@desk") == ()
    again = Stage(zonefile=stage.zonefile, world=stage.world, journal=stage.journal, instance=ONE)
    async with playing(API, stage=again) as one:
        one.heals(AZURE)
        await until(one.steers(API, **NORMAL))
        led(one, 9)
        await until(lambda: one.told(LeaderOutranked))
        assert [each.epoch for each in one.told(LeaderOutranked)] == [9], "it came after those that are gone"


@virtually
async def test_a_leader_that_leads_again_writes_with_a_higher_epoch() -> None:
    async with playing(API, stage=alone()) as one:
        await normal(one)
        led(one, 8)
        await until(lambda: one.told(LeaderOutranked))
        one.engine.states.lead = Alone(ONE, epoch=9)
        one.fails(AZURE)
        await until(one.steers(API, oci=100.0))
        marker = one.zonefile.observe(AT).marker
        assert marker is not None
        assert marker.epoch == 9


@virtually
async def test_a_restart_is_the_same_instance_and_remembers_its_rival() -> None:
    one = alone()
    async with playing(API, stage=one):
        await normal(one)
        async with beside(one) as other:
            await until(lambda: one.told(RivalDetected) and other.told(RivalDetected))
            await elapse(60.0)
    writes = len(one.zonefile.writes)
    again = Stage(zonefile=one.zonefile, world=one.world, journal=one.journal, instance=ONE)
    async with playing(API, stage=again):
        await elapse(900.0)
        assert len(again.zonefile.writes) == writes
        assert not again.told(RivalDetected), "it was told"
        again.fails(AZURE)
        await until(again.steers(API, oci=100.0))


@virtually
async def test_both_types_of_a_name_are_settled_with_one_word() -> None:
    kinds = (RecordType.A, RecordType.AAAA)
    both = policy(
        records=tuple(record("api", "api.example.com", "dns-main", record_type=kind) for kind in kinds),
        regions=regions(azure=(70, f"{AZURE} 2001:db8::10"), oci=(30, f"{OCI} 2001:db8:1::10")),
    )
    even = policy(
        records=both.records,
        regions=regions(azure=(50, f"{AZURE} 2001:db8::10"), oci=(50, f"{OCI} 2001:db8:1::10")),
    )
    async with playing(both, stage=alone()) as one:
        await until(lambda: one.shares(both, 1) == NORMAL)
        async with beside(one, even) as other:
            await until(lambda: one.told(RivalDetected) and other.told(RivalDetected))
            await elapse(600.0)
            assert len(one.told(RivalDetected)) == len(other.told(RivalDetected)) == 1
        await one.engine.settle_rivals(Scope(), "alice@desk")
        await until(lambda: one.shares(both) == one.shares(both, 1) == NORMAL)
        assert len(one.told(RivalSettled)) == 1
        assert target(both).key.type is RecordType.A


@virtually
async def test_the_journal_belongs_to_the_daemon_once_it_works_again() -> None:
    async with playing(API, stage=alone()) as one:
        await normal(one)
        one.engine.writer.lacks = True
        await one.engine.remind()
        await asyncio.sleep(0)
        assert one.journal.belongs == ONE
