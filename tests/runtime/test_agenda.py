"""Sooner wins: whatever an earlier try asked to wait for, news is acted on at once."""

import asyncio
from dataclasses import replace

from support.stage import API, AT, AZURE, NORMAL, OCI, Stage, normal, playing, status
from support.virtual import until, virtually

from failoverd.core.errors import Permanent, RateLimited
from failoverd.core.events import FailbackStepped, TargetDelayed
from failoverd.core.records import Marker, RampRules
from failoverd.core.status import TargetState
from failoverd.ports import Urgency
from failoverd.runtime.agenda import GATHER, Agenda
from failoverd.runtime.target_worker import LEAST_URGENT_PAUSE, LONGEST_URGENT_PAUSE
from failoverd.simulation.faults import hang, refused
from failoverd.simulation.simulated_daemon import OWNER, TICK
from failoverd.simulation.virtual_time import elapse, now


@virtually
async def test_routine_calls_wait_until_patience_ends_and_urgent_ones_do_not() -> None:
    agenda, begun = Agenda(), now()
    agenda.again(600.0, Urgency.ROUTINE)
    asyncio.get_running_loop().call_later(5.0, agenda.call, Urgency.ROUTINE)
    asyncio.get_running_loop().call_later(20.0, agenda.call, Urgency.FAIL_OUT)
    assert await agenda.next() is Urgency.FAIL_OUT
    assert now() - begun == 20.0


@virtually
async def test_a_try_that_fails_is_repeated_as_urgently() -> None:
    agenda, begun = Agenda(), now()
    agenda.again(2.0, Urgency.FAIL_OUT)
    agenda.call(Urgency.ROUTINE)
    assert await agenda.next() is Urgency.FAIL_OUT
    assert now() - begun == 2.0


@virtually
async def test_a_routine_call_during_a_try_does_not_end_the_patience_that_the_try_asks_for() -> None:
    """A read that takes longer than a tick, and then is throttled, would be made twice."""
    agenda, begun = Agenda(), now()
    agenda.take()
    agenda.call(Urgency.ROUTINE)
    agenda.again(600.0, Urgency.ROUTINE)
    assert await agenda.next() is Urgency.ROUTINE
    assert now() - begun == 600.0


@virtually
async def test_urgent_news_during_a_try_is_worked_on_at_once_whatever_patience_it_asks_for() -> None:
    agenda, begun = Agenda(), now()
    agenda.take()
    agenda.call(Urgency.FAIL_OUT)
    agenda.call(Urgency.ROUTINE)
    agenda.again(600.0, Urgency.ROUTINE)
    assert await agenda.next() is Urgency.FAIL_OUT
    assert now() == begun


@virtually
async def test_a_moment_that_the_outcome_named_wakes_and_asks_nobody_for_patience() -> None:
    agenda, begun = Agenda(), now()
    agenda.revisit(60.0)
    assert await agenda.next() is Urgency.ROUTINE
    assert now() - begun == 60.0
    agenda.revisit(None)
    agenda.call(Urgency.ROUTINE)
    await agenda.next()
    assert now() - begun == 60.0


@virtually
async def test_news_of_which_more_is_coming_waits_a_moment_and_not_longer() -> None:
    agenda, begun = Agenda(), now()
    agenda.call(Urgency.FAIL_OUT, more=True)
    await agenda.next()
    assert now() - begun == GATHER
    agenda.call(Urgency.FAIL_OUT, more=True)
    asyncio.get_running_loop().call_later(0.5, agenda.call, Urgency.FAIL_OUT)
    await agenda.next()
    assert now() - begun == GATHER + 0.5


# -- in the whole ------------------------------------------------------------------------------------------------------


async def failed_at(stage: Stage) -> float:
    await until(lambda: "region.failed" in stage.names())
    return now()


@virtually
async def test_a_region_that_fails_behind_a_throttled_routine_read_leaves_at_once() -> None:
    """A throttled read asked for ten minutes of silence; then the provider takes calls again."""
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.down = RateLimited("slow down", reason="throttled", retry_after=600.0)
        await until(lambda: stage.told(TargetDelayed))
        stage.dns.down = None
        stage.fails(AZURE)
        fell = await failed_at(stage)
        await until(stage.steers(API, oci=100.0))
        assert now() - fell < 0.1


@virtually
async def test_a_provider_that_is_back_is_noticed_within_the_urgent_pause() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.down = refused()
        stage.fails(AZURE)
        await failed_at(stage)
        await elapse(38.0)
        stage.dns.down = None
        back = now()
        await until(stage.steers(API, oci=100.0))
        assert now() - back <= LONGEST_URGENT_PAUSE + 0.1
        told = [event for event in stage.told(TargetDelayed) if event.wanted]
        assert told[-1].wanted == {"oci": 10_000}, "it says what waits"
        assert told[-1].retry_in <= LONGEST_URGENT_PAUSE, "and how long"


@virtually
async def test_a_routine_read_that_hangs_keeps_no_region_in_the_answer() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.on_read.append(hang())
        await elapse(2 * TICK)
        stage.fails(AZURE)
        fell = await failed_at(stage)
        await until(stage.steers(API, oci=100.0))
        assert now() - fell < 0.1


@virtually
async def test_a_failback_that_is_due_does_not_wait_for_the_tick() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.fails(OCI)
        await until(stage.steers(API, azure=100.0))
        stage.heals(OCI)
        await until(lambda: stage.board.calm("api"))
        well = now()
        await until(stage.steers(API, **NORMAL))
        assert 60.0 <= now() - well <= 60.1


@virtually
async def test_each_step_of_a_ramp_is_taken_when_it_is_due() -> None:
    ramp = replace(API, ramp=RampRules(step=90.0, judge=60.0))
    async with playing(ramp) as stage:
        await normal(stage)
        stage.fails(OCI)
        await until(stage.steers(ramp, azure=100.0))
        stage.heals(OCI)
        begun = None
        for step in (3.0, 7.5, 15.0, 30.0):
            await until(stage.steers(ramp, azure=100.0 - step, oci=step))
            assert begun is None or 90.0 <= now() - begun <= 90.2
            begun = now()
        assert [event.step for event in stage.told(FailbackStepped)] == [1, 2, 3, 4]


@virtually
async def test_a_newer_revision_is_as_urgent_as_the_one_in_whose_place_it_comes() -> None:
    """Somebody edits the policy while traffic goes to a dead region, and the provider cannot be written."""
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.down = refused()
        stage.fails(AZURE)
        await failed_at(stage)
        await stage.take_up(replace(API, source=replace(API.source, revision="r2")))
        await elapse(38.0)
        stage.dns.down = None
        back = now()
        await until(stage.steers(API, oci=100.0))
        assert now() - back <= LONGEST_URGENT_PAUSE + 0.1


@virtually
async def test_a_failing_out_that_only_a_tick_brings_to_light_is_tried_again_as_urgently() -> None:
    """Somebody else's process put the dead region back; the news of its fall was worked on long ago."""
    async with playing(API) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        await elapse(2 * TICK)
        stage.zonefile.put(AT, {AZURE: 100})
        stage.zonefile.mark(AT, Marker(OWNER, "api", stage.generation(API) + 1, (AT.key.type,)).to_text())
        stage.dns.readonly = refused()
        await elapse(60.0)
        stage.dns.readonly = None
        back = now()
        await until(stage.steers(API, oci=100.0))
        assert now() - back <= LONGEST_URGENT_PAUSE + 0.1


@virtually
async def test_a_throttled_provider_that_asks_for_no_pause_gets_one() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.down = RateLimited("slow down", reason="throttled", retry_after=0.0)
        stage.fails(AZURE)
        await failed_at(stage)
        before = len(stage.dns.reads)
        await elapse(10.0)
        assert len(stage.dns.reads) - before <= 10.0 / LEAST_URGENT_PAUSE + 1


@virtually
async def test_an_account_that_lets_one_call_through_at_a_time_is_written_all_the_same() -> None:
    """To read before each try would use up the call that the write needs, for as long as the account is throttled."""
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.allowance = 1
        stage.fails(AZURE)
        fell = await failed_at(stage)
        await until(stage.steers(API, oci=100.0))
        assert now() - fell <= 2 * 60.0 + 1.0, "one call to read, the next one to write"


@virtually
async def test_what_a_throttled_write_rested_on_is_read_again_once_it_is_not_so_any_more() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.allowance = 1
        stage.fails(AZURE)
        await failed_at(stage)
        await until(lambda: stage.told(TargetDelayed))
        stage.zonefile.put(AT, {AZURE: 100})  # by hand, of which the kept read knows nothing
        await elapse(90.0)
        stage.dns.allowance = None
        await until(stage.steers(API, oci=100.0))


@virtually
async def test_whoever_mended_a_key_and_says_so_is_not_made_to_wait() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.down = Permanent("another secret", reason="tsig_bad_signature")
        stage.fails(AZURE)
        await failed_at(stage)
        await until(lambda: stage.told(TargetDelayed) and status(stage).state is TargetState.DELAYED)
        await elapse(120.0)
        await until(lambda: (status(stage).until or 0.0) > now() + 10.0)  # it has just tried, in vain
        stage.dns.down = None
        mended = now()
        stage.runner.retry()
        await until(stage.steers(API, oci=100.0))
        assert now() - mended < 1.0
        reads = list(stage.dns.reads)
        stage.runner.retry()
        await elapse(0.5)
        assert stage.dns.reads == reads, "what waits for nothing is left alone"


@virtually
async def test_news_that_comes_twice_in_a_moment_ends_a_routine_read_once() -> None:
    agenda, loop = Agenda(), asyncio.get_running_loop()
    ended: list[float] = []

    async def read() -> None:
        try:
            async with asyncio.timeout(None) as cut:
                agenda.interrupt(cut)
                await asyncio.sleep(600.0)
        except TimeoutError:
            ended.append(now())
        finally:
            agenda.interrupt(None)

    reading = asyncio.create_task(read())
    await elapse(5.0)
    began = now()
    agenda.call(Urgency.FAIL_OUT)
    loop.call_at(
        began, agenda.call, Urgency.FAIL_OUT
    )  # the time-out has struck by then, and who reads does not know yet
    await reading
    assert ended == [began]
