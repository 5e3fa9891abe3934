"""Who may call a cloud now, in which order, and what happens when a call fails."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from support.virtual import elapse, now, virtually

from failoverd.core.errors import Permanent, RateLimited, Transient
from failoverd.ports import Urgency
from failoverd.providers.account import LONGEST_PAUSE, LONGEST_SILENCE, PLENTY, TRIES, Bucket, Rate, account

FAST = Rate(per_second=10_000, burst=1_000)


async def served(bucket: Bucket, name: str, urgency: Urgency, log: list[str]) -> None:
    await bucket.take(urgency)
    log.append(name)


# -- the bucket --------------------------------------------------------------------------------------------------------


@virtually
async def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    bucket, begun = Bucket(Rate(per_second=5, burst=3)), now()
    for expected in (0.0, 0.0, 0.0, 0.2, 0.4):
        await bucket.take(Urgency.CHANGE)
        assert now() - begun == pytest.approx(expected, abs=0.002)


@virtually
async def test_an_idle_account_saves_no_more_than_a_burst() -> None:
    bucket = Bucket(Rate(per_second=5, burst=2))
    await elapse(3_600.0)
    begun = now()
    for _ in range(3):
        await bucket.take(Urgency.ROUTINE)
    assert now() - begun == pytest.approx(0.2, abs=0.002)


@virtually
async def test_requests_are_scarce_while_few_are_left_and_not_once_they_have_come_back() -> None:
    few, many = Bucket(Rate(per_second=5)), Bucket(Rate(per_second=10, burst=PLENTY + 2))
    seen = [few.scarce, many.scarce]
    for _ in range(3):
        await many.take(Urgency.CHANGE)
    seen.append(many.scarce)
    await elapse(0.5)
    assert [*seen, many.scarce] == [True, False, True, False]
    assert many.interval == pytest.approx(0.1)


@virtually
async def test_failing_out_goes_before_everything_that_was_there_first() -> None:
    bucket, log = Bucket(Rate(per_second=1)), list[str]()
    await bucket.take(Urgency.ROUTINE)
    async with asyncio.TaskGroup() as group:
        for name, urgency in (
            ("look", Urgency.ROUTINE),
            ("failback", Urgency.CHANGE),
            ("look again", Urgency.ROUTINE),
            ("failover", Urgency.FAIL_OUT),
        ):
            group.create_task(served(bucket, name, urgency, log))
    assert log == ["failover", "failback", "look", "look again"]


@virtually
async def test_a_turn_can_be_hurried() -> None:
    bucket, log = Bucket(Rate(per_second=1)), list[str]()
    await bucket.take(Urgency.ROUTINE)
    slow = bucket.queue(Urgency.ROUTINE)
    slow.add_done_callback(lambda _: log.append("hurried"))
    async with asyncio.TaskGroup() as group:
        group.create_task(served(bucket, "change", Urgency.CHANGE, log))
        await asyncio.sleep(0)
        bucket.hurry(slow, Urgency.FAIL_OUT)
    assert log == ["hurried", "change"]


@virtually
async def test_a_turn_that_nobody_wants_any_more_costs_nothing() -> None:
    bucket = Bucket(Rate(per_second=1))
    await bucket.take(Urgency.CHANGE)
    begun = now()
    gone = asyncio.create_task(bucket.take(Urgency.FAIL_OUT))
    await asyncio.sleep(0)
    gone.cancel()
    await bucket.take(Urgency.ROUTINE)
    assert now() - begun == pytest.approx(1.0, abs=0.002)


@virtually
async def test_during_a_pause_nobody_is_served() -> None:
    bucket = Bucket(Rate(per_second=100, burst=50))
    bucket.pause(7.0)
    begun = now()
    await bucket.take(Urgency.FAIL_OUT)
    assert now() - begun == pytest.approx(7.0, abs=0.002)


@virtually
async def test_during_a_long_silence_everybody_is_told_at_once_for_how_long() -> None:
    bucket, begun = Bucket(Rate(per_second=1)), now()
    await bucket.take(Urgency.CHANGE)
    there = asyncio.create_task(bucket.take(Urgency.ROUTINE))
    await asyncio.sleep(0)
    bucket.pause(600.0)
    with pytest.raises(RateLimited) as told:
        await there
    assert told.value.reason == "throttled"
    assert told.value.retry_after == pytest.approx(600.0)
    await elapse(60.0)
    with pytest.raises(RateLimited) as told:
        await bucket.take(Urgency.FAIL_OUT)
    assert told.value.retry_after == pytest.approx(540.0)
    assert now() - begun == pytest.approx(60.0, abs=0.01)
    await elapse(540.0 - LONGEST_PAUSE)
    await bucket.take(Urgency.FAIL_OUT)
    assert now() - begun == pytest.approx(600.0, abs=0.01)


@virtually
async def test_a_broken_header_silences_an_account_for_an_hour_at_most() -> None:
    bucket = Bucket(Rate(per_second=1))
    bucket.pause(1e9)
    await elapse(LONGEST_SILENCE)
    await bucket.take(Urgency.FAIL_OUT)


# -- the account -------------------------------------------------------------------------------------------------------


def failing(*errors: Exception) -> tuple[Callable[[], str], list[float]]:
    """A call that fails with each error in turn, and then works; and when it was made."""
    left, made = list(errors), list[float]()

    def call() -> str:
        made.append(asyncio.run(moment()))
        if left:
            raise left.pop(0)
        return "done"

    async def moment() -> float:
        return asyncio.get_running_loop().time()

    return call, made


async def test_a_read_that_fails_in_passing_is_tried_again() -> None:
    call, made = failing(Transient("lost", reason="connection_lost"))
    async with account(FAST) as open_account:
        assert await open_account.read(Urgency.ROUTINE, call) == "done"
    assert len(made) == 2


async def test_a_read_is_not_tried_for_ever() -> None:
    call, made = failing(*(Transient(f"lost {n}", reason="connection_lost") for n in range(9)))
    async with account(FAST) as open_account:
        with pytest.raises(Transient, match=f"lost {TRIES - 1}"):
            await open_account.read(Urgency.ROUTINE, call)
    assert len(made) == TRIES


async def test_a_write_whose_outcome_is_not_known_is_never_sent_again() -> None:
    call, made = failing(Transient("who knows", reason="outcome_unknown"))
    async with account(FAST) as open_account:
        with pytest.raises(Transient):
            await open_account.write(Urgency.FAIL_OUT, call)
    assert len(made) == 1


async def test_what_a_person_has_to_mend_is_not_tried_again() -> None:
    call, made = failing(Permanent("no", reason="permission_denied"))
    async with account(FAST) as open_account:
        with pytest.raises(Permanent):
            await open_account.read(Urgency.ROUTINE, call)
    assert len(made) == 1


async def test_a_throttled_write_is_sent_again_when_the_cloud_says_so() -> None:
    call, made = failing(RateLimited("slowly", reason="throttled", retry_after=0.2))
    async with account(FAST) as open_account:
        assert await open_account.write(Urgency.CHANGE, call) == "done"
    assert made[1] - made[0] >= 0.19


@pytest.mark.parametrize(("reason", "waits"), [("throttled", True), ("prior_request_not_complete", False)])
async def test_a_throttled_account_is_silent_and_a_busy_zone_stops_nobody_else(reason: str, waits: bool) -> None:
    throttled, made = failing(RateLimited("slowly", reason=reason, retry_after=0.2))
    other, made_later = failing()
    async with account(FAST) as open_account:
        with pytest.raises(RateLimited):
            await open_account.call(open_account.writes, throttled)
        await open_account.read(Urgency.FAIL_OUT, other)
    assert (made_later[0] - made[0] >= 0.19) is waits


async def test_a_cloud_that_asks_for_minutes_is_obeyed_by_giving_the_round_up() -> None:
    call, made = failing(RateLimited("go away", reason="throttled", retry_after=LONGEST_PAUSE + 1))
    async with account(FAST) as open_account:
        with pytest.raises(RateLimited) as caught:
            await open_account.write(Urgency.FAIL_OUT, call)
    assert caught.value.retry_after == LONGEST_PAUSE + 1
    assert len(made) == 1


async def test_no_more_calls_are_under_way_than_there_are_threads() -> None:
    lock, abreast, most = threading.Lock(), 0, 0
    both_there = threading.Barrier(2)

    def call() -> None:
        nonlocal abreast, most
        with lock:
            abreast += 1
            most = max(most, abreast)
        both_there.wait(timeout=5)
        with lock:
            abreast -= 1

    async with account(FAST, threads=2) as open_account:
        await asyncio.gather(*(open_account.read(Urgency.ROUTINE, call) for _ in range(6)))
    assert most == 2
