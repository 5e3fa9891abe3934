"""Who may send a request to a cloud now, in which order, and what a silence that it asked for means for whom."""

import asyncio

import pytest
from support.virtual import virtually

from failoverd.core.errors import RateLimited
from failoverd.ports import Urgency
from failoverd.providers.shared.bucket import PLENTY, Bucket, Rate, Ticket
from failoverd.providers.shared.throttling import FIRST_TRIAL, LONGEST_PAUSE, LONGEST_SILENCE, LONGEST_TRIAL
from failoverd.simulation.virtual_time import elapse, now

CHANGE, ROUTINE, FAIL_OUT = Urgency.CHANGE, Urgency.ROUTINE, Urgency.FAIL_OUT


async def take(bucket: Bucket, urgency: Urgency) -> float:
    """Wait for the turn of one request. When it came."""
    await Ticket(bucket, urgency).take()
    return now()


async def served(bucket: Bucket, name: str, urgency: Urgency, log: list[str]) -> None:
    await take(bucket, urgency)
    log.append(name)


async def refused(bucket: Bucket, urgency: Urgency) -> float:
    """For how long a request of this urgency is told at once to stay away."""
    begun = now()
    with pytest.raises(RateLimited) as told:
        await take(bucket, urgency)
    assert told.value.reason == "throttled"
    assert now() == begun
    assert told.value.retry_after is not None
    return told.value.retry_after


# -- the line ----------------------------------------------------------------------------------------------------------


@virtually
async def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    bucket, begun = Bucket(Rate(per_second=5, burst=3)), now()
    for expected in (0.0, 0.0, 0.0, 0.2, 0.4):
        await take(bucket, CHANGE)
        assert now() - begun == pytest.approx(expected, abs=0.002)


@virtually
async def test_an_idle_account_saves_no_more_than_a_burst() -> None:
    bucket = Bucket(Rate(per_second=5, burst=2))
    await elapse(3_600.0)
    begun = now()
    for _ in range(3):
        await take(bucket, ROUTINE)
    assert now() - begun == pytest.approx(0.2, abs=0.002)


@virtually
async def test_requests_are_scarce_while_few_are_left_and_not_once_they_have_come_back() -> None:
    few, many = Bucket(Rate(per_second=5)), Bucket(Rate(per_second=10, burst=PLENTY + 2))
    seen = [few.scarce, many.scarce]
    for _ in range(3):
        await take(many, CHANGE)
    seen.append(many.scarce)
    await elapse(0.5)
    assert [*seen, many.scarce] == [True, False, True, False]
    assert many.interval == pytest.approx(0.1)


@virtually
async def test_failing_out_goes_before_everything_that_was_there_first() -> None:
    bucket, log = Bucket(Rate(per_second=1)), list[str]()
    await take(bucket, ROUTINE)
    async with asyncio.TaskGroup() as group:
        for name, urgency in (
            ("look", ROUTINE),
            ("failback", CHANGE),
            ("look again", ROUTINE),
            ("failover", FAIL_OUT),
        ):
            group.create_task(served(bucket, name, urgency, log))
    assert log == ["failover", "failback", "look", "look again"]


@virtually
async def test_of_what_is_as_urgent_the_more_important_tier_goes_first_and_then_who_came_first() -> None:
    bucket, log = Bucket(Rate(per_second=1)), list[str]()
    await take(bucket, ROUTINE)
    async with asyncio.TaskGroup() as group:
        for name, urgency in (
            ("tuning of prod", CHANGE.of_tier(100)),
            ("dev", FAIL_OUT.of_tier(300)),
            ("pilot", FAIL_OUT.of_tier(200)),
            ("pilot, later", FAIL_OUT.of_tier(200)),
            ("prod", FAIL_OUT.of_tier(100)),
        ):
            group.create_task(served(bucket, name, urgency, log))
    assert log == ["prod", "pilot", "pilot, later", "dev", "tuning of prod"]


@virtually
async def test_a_silence_is_the_same_for_every_tier() -> None:
    bucket, begun = Bucket(Rate(per_second=100, burst=50)), now()
    bucket.pause(600.0)
    assert await refused(bucket, CHANGE.of_tier(100)) == await refused(bucket, CHANGE.of_tier(300)) == 600.0
    assert await refused(bucket, FAIL_OUT.of_tier(300)) == FIRST_TRIAL
    assert now() == begun


@virtually
async def test_a_turn_can_be_hurried() -> None:
    bucket, log = Bucket(Rate(per_second=1)), list[str]()
    await take(bucket, ROUTINE)
    slow = Ticket(bucket, ROUTINE)
    async with asyncio.TaskGroup() as group:
        group.create_task(slow.take()).add_done_callback(lambda _: log.append("hurried"))
        group.create_task(served(bucket, "change", CHANGE, log))
        await asyncio.sleep(0)
        slow.hurry(FAIL_OUT)
    assert log == ["hurried", "change"]


@virtually
async def test_a_turn_that_has_come_is_used_by_whoever_takes_it_first() -> None:
    ticket, begun = Ticket(Bucket(Rate(per_second=1)), CHANGE), now()
    await ticket.ready()
    await ticket.ready()
    await ticket.take()
    assert now() == begun
    await ticket.take()
    assert now() - begun == pytest.approx(1.0, abs=0.002)


@virtually
async def test_a_turn_that_nobody_wants_any_more_costs_nothing() -> None:
    bucket = Bucket(Rate(per_second=1))
    await take(bucket, CHANGE)
    begun = now()
    gone = asyncio.create_task(take(bucket, FAIL_OUT))
    await asyncio.sleep(0)
    gone.cancel()
    await take(bucket, ROUTINE)
    assert now() - begun == pytest.approx(1.0, abs=0.002)


# -- a silence ---------------------------------------------------------------------------------------------------------


@virtually
async def test_during_a_short_pause_everybody_waits_in_line() -> None:
    bucket, begun = Bucket(Rate(per_second=100, burst=50)), now()
    bucket.pause(0.5)
    assert await take(bucket, FAIL_OUT) - begun == pytest.approx(0.5, abs=0.002)
    bucket.pause(7.0)
    assert await take(bucket, ROUTINE) - begun == pytest.approx(7.5, abs=0.002)


@virtually
async def test_during_a_long_silence_everybody_is_told_at_once_for_how_long_it_is_for_them() -> None:
    bucket = Bucket(Rate(per_second=1))
    await take(bucket, CHANGE)
    there = [asyncio.create_task(take(bucket, urgency)) for urgency in (ROUTINE, FAIL_OUT)]
    await asyncio.sleep(0)
    bucket.pause(600.0)
    told = await asyncio.gather(*there, return_exceptions=True)
    waits = [error.retry_after for error in told if isinstance(error, RateLimited)]
    assert waits == [pytest.approx(600.0), pytest.approx(FIRST_TRIAL)]
    assert "another 600s" in str(told[1])
    assert "what is urgent tries it in 2s" in str(told[1])
    await elapse(0.5)
    waits = [await refused(bucket, urgency) for urgency in (ROUTINE, CHANGE, FAIL_OUT)]
    assert waits == [pytest.approx(599.5), pytest.approx(599.5), pytest.approx(FIRST_TRIAL - 0.5)]


@virtually
async def test_routine_waits_for_the_whole_silence() -> None:
    bucket, begun = Bucket(Rate(per_second=1)), now()
    bucket.pause(600.0)
    await elapse(600.0 - LONGEST_PAUSE)
    assert await take(bucket, ROUTINE) - begun == pytest.approx(600.0, abs=0.01)


@virtually
async def test_a_silence_that_routine_was_asked_for_does_not_hold_a_fail_out_up() -> None:
    bucket = Bucket(Rate(per_second=5))
    bucket.pause(600.0)
    begun = now()
    await elapse(1.0)
    sent_at = await take(bucket, FAIL_OUT)
    assert sent_at - begun == pytest.approx(FIRST_TRIAL, abs=0.01)
    bucket.took(sent_at)
    await take(bucket, FAIL_OUT)
    await take(bucket, CHANGE)
    assert now() - sent_at < 1.0
    assert await refused(bucket, ROUTINE) == pytest.approx(600.0 - (now() - begun))


@virtually
async def test_the_trials_of_a_silence_are_single_and_grow_apart_up_to_a_bound() -> None:
    bucket, begun, trials = Bucket(Rate(per_second=100, burst=50)), now(), list[float]()
    bucket.pause(600.0)
    while now() - begun < 60.0:
        await elapse(await refused(bucket, FAIL_OUT))
        trials.append(await take(bucket, FAIL_OUT) - begun)
        bucket.pause(600.0)
    assert trials[:4] == [pytest.approx(at, abs=0.01) for at in (2.0, 6.0, 14.0, 22.0)]
    assert len(trials) == 9
    assert await refused(bucket, ROUTINE) == pytest.approx(600.0)
    assert await refused(bucket, FAIL_OUT) == pytest.approx(LONGEST_TRIAL)


@virtually
@pytest.mark.parametrize("outcome", ["taken", "throttled", "lost"])
async def test_while_a_trial_is_under_way_the_urgent_wait_for_what_it_comes_to(outcome: str) -> None:
    bucket = Bucket(Rate(per_second=100, burst=50))
    bucket.pause(600.0)
    await elapse(FIRST_TRIAL)
    sent_at = await take(bucket, FAIL_OUT)
    others = [asyncio.create_task(take(bucket, FAIL_OUT)) for _ in range(3)]
    await elapse(0.3)
    assert not any(other.done() for other in others)
    {"taken": lambda: bucket.took(sent_at), "throttled": lambda: bucket.pause(600.0), "lost": bucket.lost}[outcome]()
    came = await asyncio.gather(*others, return_exceptions=True)
    assert now() - sent_at < 0.5
    assert [isinstance(each, RateLimited) for each in came] == [outcome != "taken"] * 3


@virtually
async def test_a_request_that_was_under_way_when_the_silence_began_says_nothing_about_it() -> None:
    bucket = Bucket(Rate(per_second=100, burst=50))
    sent_at = await take(bucket, FAIL_OUT)
    await elapse(0.1)
    bucket.pause(600.0)
    bucket.took(sent_at)
    assert await refused(bucket, FAIL_OUT) == pytest.approx(FIRST_TRIAL)


@virtually
async def test_a_trial_that_nobody_made_does_not_hold_up_the_next() -> None:
    bucket = Bucket(Rate(per_second=100, burst=50))
    bucket.pause(600.0)
    await elapse(FIRST_TRIAL)
    await Ticket(bucket, FAIL_OUT).ready()
    begun = now()
    assert await take(bucket, FAIL_OUT) - begun <= 2 * FIRST_TRIAL


@virtually
async def test_one_who_becomes_urgent_in_line_is_not_sent_away_as_routine() -> None:
    bucket, begun = Bucket(Rate(per_second=1)), now()
    bucket.pause(20.0)
    ticket = Ticket(bucket, ROUTINE)
    turn = asyncio.create_task(ticket.take())
    await elapse(1.5)
    ticket.hurry(FAIL_OUT)
    await turn
    assert now() - begun == pytest.approx(FIRST_TRIAL, abs=0.01)


@virtually
async def test_a_broken_header_silences_an_account_for_an_hour_at_most() -> None:
    bucket = Bucket(Rate(per_second=1))
    bucket.pause(1e9)
    await elapse(LONGEST_SILENCE)
    await take(bucket, ROUTINE)
