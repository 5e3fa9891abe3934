"""Providers that are down, slow, throttled, lying or broken: who waits, who does not, and what is said."""

import asyncio
from itertools import pairwise

import pytest
from support.stage import API, AT, AZURE, NORMAL, OCI, Stage, normal, playing, policy, record, status
from support.virtual import until, virtually

from failoverd.core.errors import Permanent, RateLimited
from failoverd.core.events import (
    ChangeApplied,
    IncidentClosed,
    IncidentOpened,
    PlanRefused,
    TargetDelayed,
    TargetResumed,
    TaskCrashed,
)
from failoverd.core.records import Observed, Target
from failoverd.ports import ChangeOutcome, Urgency
from failoverd.runtime.target_worker import DEADLINE
from failoverd.simulation.faults import Fault, Moment, hang, lie, lost_answer, refused
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.simulated_daemon import TICK
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.zonefile import Zonefile


@virtually
async def test_a_provider_that_is_down_is_said_once_for_each_reason_with_the_command_to_do_it_by_hand() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.down = refused()
        stage.fails(AZURE)
        await until(lambda: any(event.wanted == {"oci": 10_000} for event in stage.told(TargetDelayed)))
        await elapse(600.0)
        delayed = stage.told(TargetDelayed)[-1]
        assert (delayed.reason, delayed.remedy) == ("connect_refused", "start the server")
        assert delayed.manual == f"paper put api.example.com {OCI}=10000 gen=2"
        assert len(stage.told(TargetDelayed)) <= 2  # once before it knew of the region, once after
        stage.dns.down = Permanent("the key is wrong", reason="bad_key")
        await until(lambda: stage.told(TargetDelayed)[-1].reason == "bad_key")
        assert status(stage).generation == 1
        stage.dns.down = None
        await until(stage.steers(API, oci=100.0))
        (resumed,) = stage.told(TargetResumed)
        assert resumed.attempts > 10


@virtually
async def test_a_target_that_is_read_again_and_refused_is_not_called_at_work() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.down = refused()
        await until(lambda: stage.told(TargetDelayed))
        stage.zonefile.mark(AT, "v=1 owner=staging policy=api gen=4 types=A")
        stage.dns.down = None
        await until(lambda: stage.told(PlanRefused))
        await elapse(60.0)
        assert stage.told(TargetResumed) == []
        stage.dns.down = refused()
        await until(lambda: len(stage.told(TargetDelayed)) == 2)
        stage.zonefile.mark(AT, "v=1 owner=prod policy=api gen=4 types=A")
        stage.dns.down = None
        await until(lambda: stage.told(TargetResumed))


@virtually
async def test_a_provider_without_words_for_a_person_is_written_and_waited_for_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def speechless(_: object) -> str:
        raise Permanent("a weight of 510", reason="unsayable")

    async with playing(API) as stage:
        await normal(stage)
        monkeypatch.setattr(stage.dns, "manual", speechless)
        stage.dns.down = refused()
        stage.fails(AZURE)
        await until(lambda: stage.told(TargetDelayed))
        stage.dns.down = None
        await until(stage.steers(API, oci=100.0))
        await elapse(10 * TICK)
        assert stage.told(TaskCrashed) == []
        assert [event.undo for event in stage.told(ChangeApplied)][1:] == [""]
        assert stage.journal.outcomes()[-1] is ChangeOutcome.APPLIED


@virtually
async def test_what_is_urgent_stays_urgent_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Urgency] = []

    async def read(found: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        asked.append(urgency)
        return await PaperProvider.read(stage.dns, found, urgency=urgency)

    async with playing(API) as stage:
        await normal(stage)
        monkeypatch.setattr(stage.dns, "read", read)
        stage.dns.readonly = refused()
        stage.fails(AZURE)
        await until(lambda: stage.told(TargetDelayed))
        stage.dns.readonly = None
        asked.clear()
        await until(stage.steers(API, oci=100.0))
        assert asked[0].fails_out
        await elapse(TICK)
        asked.clear()
        await elapse(TICK)
        assert set(asked) == {Urgency.ROUTINE.of_tier(API.tier)}


@virtually
async def test_a_reason_whose_words_vary_is_still_said_once() -> None:
    async with playing(API) as stage:
        await normal(stage)
        for number in range(200):
            stage.dns.on_read.append(Fault(error=refused(f"no answer from port {40_000 + number}")))
        await elapse(300.0)
        assert len(stage.told(TargetDelayed)) == 1


@virtually
async def test_retries_back_off_with_a_cap_and_a_jitter() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.down = refused()
        await elapse(400.0)
        tries = stage.dns.reads[-9:]
        gaps = [later - earlier for earlier, later in pairwise(tries)]
        assert all(15.0 <= gap <= 30.0 + TICK + 0.1 for gap in gaps)
        assert len({round(gap, 3) for gap in gaps}) > 1


@virtually
async def test_one_dead_provider_of_a_record_does_not_hold_up_the_other() -> None:
    zones = Zonefile(), Zonefile()
    bind, knot = (PaperProvider(zone, now, name=name) for zone, name in zip(zones, ("bind", "knot"), strict=True))
    found = policy(records=(record("api", "api.example.com", "bind", "knot"),))
    stage = Stage(zonefile=zones[1], providers={"bind": bind, "knot": knot})
    bind.down = refused()
    async with playing(found, stage=stage):
        await until(lambda: stage.shares(found, 1) == NORMAL)
        stage.fails(AZURE)
        await until(lambda: stage.shares(found, 1) == {"oci": 100.0})
        assert now() < 1_030.0
        assert zones[0].writes == []
        bind.down = None
        await until(lambda: zones[0].writes)
        assert {event.provider for event in stage.told(TargetDelayed)} == {"bind"}


@virtually
async def test_throttling_is_obeyed_and_the_throttled_do_not_come_back_in_step() -> None:
    names = [f"api{number}.example.com" for number in range(4)]
    found = policy(records=tuple(record("api", name, zone=f"zone{i}") for i, name in enumerate(names)))
    async with playing(found) as stage:
        await until(lambda: len(stage.zonefile.writes) == 4)
        await elapse(2 * TICK)
        stage.dns.down = RateLimited("slow down", reason="throttled", retry_after=60.0)
        asked = len(stage.dns.reads)
        await until(lambda: len(stage.told(TargetDelayed)) == 4)
        stage.dns.down = None
        throttled = stage.dns.reads[-1]
        await elapse(70.0)
        back = stage.dns.reads[asked + 4 : asked + 8]
        assert all(at >= throttled + 60.0 for at in back)
        assert len(set(back)) == 4


@pytest.mark.parametrize("verb", ["read", "apply"])
def test_a_call_that_hangs_ends_at_the_deadline(verb: str) -> None:
    @virtually
    async def scenario() -> None:
        async with playing(API) as stage:
            await normal(stage)
            # news ends a routine read, but not one that is made because of it
            faults = [hang(), hang()] if verb == "read" else [hang()]
            (stage.dns.on_read if verb == "read" else stage.dns.on_apply).extend(faults)
            stage.fails(AZURE)
            begun = now()
            await until(lambda: stage.told(TargetDelayed))
            (delayed,) = stage.told(TargetDelayed)
            assert delayed.reason == "deadline"
            assert now() - begun <= 12.0 + DEADLINE
            await until(stage.steers(API, oci=100.0))
            assert now() - begun <= 15.0 + DEADLINE

    scenario()


@virtually
async def test_a_time_out_of_a_librarys_own_is_not_mistaken_for_the_deadline() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.on_read.append(Fault(error=TimeoutError("a socket of somebody's")))
        await until(lambda: stage.told(TargetDelayed))
        (delayed,) = stage.told(TargetDelayed)
        assert delayed.reason == "internal_error"


@virtually
async def test_a_server_that_says_yes_and_does_nothing_is_caught_by_reading_back() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.on_apply.append(lie())
        stage.fails(AZURE)
        await until(lambda: stage.told(TargetDelayed))
        (delayed,) = stage.told(TargetDelayed)
        assert delayed.reason == "no_effect"
        assert delayed.manual == f"paper put api.example.com {OCI}=10000 gen=2"
        assert ChangeOutcome.UNVERIFIED in stage.journal.outcomes()
        assert len(stage.told(ChangeApplied)) == 1
        await until(stage.steers(API, oci=100.0))


@virtually
async def test_a_lost_answer_is_resolved_by_reading_and_not_by_writing_again() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.on_apply.append(lost_answer())
        stage.fails(AZURE)
        await until(lambda: len(stage.told(ChangeApplied)) == 2)
        await elapse(30.0)
        assert (stage.generation(API), len(stage.dns.applies)) == (2, 2)
        assert stage.told(TargetDelayed) == []


@pytest.mark.parametrize("how", ["unreachable", "hanging"])
def test_a_change_whose_outcome_could_not_be_known_is_told_and_counted_when_it_is_found(how: str) -> None:
    @virtually
    async def scenario() -> None:
        async with playing(API) as stage:
            await normal(stage)
            stage.dns.on_apply.append(hang(Moment.AFTER) if how == "hanging" else lost_answer())
            stage.fails(AZURE)
            await until(lambda: len(stage.dns.applies) == 2)
            if how == "unreachable":
                stage.dns.on_read.append(Fault(error=refused()))
            await until(lambda: len(stage.told(ChangeApplied)) == 2)
            await elapse(30.0)
            assert (stage.shares(API), stage.generation(API)) == ({"oci": 100.0}, 2)
            out = stage.told(ChangeApplied)[1]
            assert (out.shares_to, out.incident_id) == ({"oci": 10_000}, stage.told(IncidentOpened)[0].incident_id)
            assert stage.journal.outcomes() == [ChangeOutcome.APPLIED, ChangeOutcome.APPLIED]
            memory = stage.states.of("api").of(AT)
            assert memory.last_good is not None
            assert (memory.last_good.generation, len(memory.changes)) == (2, 2)
            stage.heals(AZURE)
            await until(lambda: stage.told(IncidentClosed))
            assert stage.told(IncidentClosed)[0].changes == 2

    scenario()


@pytest.mark.parametrize("error", [KeyError("a defect"), asyncio.CancelledError()])
def test_an_error_that_nobody_classified_isolates_its_target_and_no_other(error: BaseException) -> None:
    found = policy(records=(record("api", "one.example.com", "bad"), record("api", "two.example.com")))

    @virtually
    async def scenario() -> None:
        zonefile, bad = Zonefile(), PaperProvider(Zonefile(), now, name="bad")
        stage = Stage(zonefile=zonefile, providers={"bad": bad, "dns-main": PaperProvider(zonefile, now)})
        bad.down = error
        async with playing(found, stage=stage):
            await until(lambda: stage.shares(found, 1) == NORMAL)
            await until(lambda: stage.told(TargetDelayed) or stage.told(TaskCrashed))
            stage.fails(AZURE)
            await until(lambda: stage.shares(found, 1) == {"oci": 100.0})
            bad.down = None
            await until(lambda: bad.zonefile.writes)

    scenario()
