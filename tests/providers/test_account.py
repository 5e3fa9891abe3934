"""What happens when a call to a cloud fails: whether it is sent again, when, and who waits."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from failoverd.core.errors import Permanent, RateLimited, Transient
from failoverd.ports import Urgency
from failoverd.providers.shared import account as rationing
from failoverd.providers.shared.account import TRIES, account
from failoverd.providers.shared.bucket import Bucket, Rate, Ticket
from failoverd.providers.shared.throttling import FIRST_TRIAL

FAST = Rate(per_second=10_000, burst=1_000)


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


async def called(bucket: Bucket) -> Ticket:
    """A ticket whose turn has come, as a batch has it."""
    ticket = Ticket(bucket, Urgency.CHANGE)
    await ticket.ready()
    return ticket


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


async def test_a_cloud_that_throttles_without_a_time_is_left_alone_longer_in_each_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rationing, "_FIRST_PAUSE", 0.001)
    call, made = failing(*(RateLimited("slowly", reason="throttled") for _ in range(2 * TRIES)))
    waits = list[float]()
    async with account(FAST) as open_account:
        for _ in range(2):
            with pytest.raises(RateLimited) as caught:
                await open_account.write(Urgency.FAIL_OUT, call)
            assert caught.value.retry_after is not None
            waits.append(caught.value.retry_after)
        assert waits[1] > 2 * waits[0] > 0.0
        assert await open_account.write(Urgency.FAIL_OUT, call) == "done"
        assert open_account.writes.refused == 0
    assert len(made) == 2 * TRIES + 1


@pytest.mark.parametrize(("reason", "waits"), [("throttled", True), ("prior_request_not_complete", False)])
async def test_a_throttled_account_is_silent_and_a_busy_zone_stops_nobody_else(reason: str, waits: bool) -> None:
    throttled, made = failing(RateLimited("slowly", reason=reason, retry_after=0.2))
    other, made_later = failing()
    async with account(FAST) as open_account:
        with pytest.raises(RateLimited):
            await open_account.write(await called(open_account.writes), throttled)
        await open_account.read(Urgency.FAIL_OUT, other)
    assert (made_later[0] - made[0] >= 0.19) is waits


@pytest.mark.parametrize("reason", ["throttled", "prior_request_not_complete"])
@pytest.mark.parametrize(
    ("urgency", "wait"), [(Urgency.ROUTINE, 600.0), (Urgency.CHANGE, 600.0), (Urgency.FAIL_OUT, FIRST_TRIAL)]
)
async def test_a_cloud_that_asks_for_minutes_is_obeyed_by_giving_the_round_up(
    urgency: Urgency, wait: float, reason: str
) -> None:
    call, made = failing(RateLimited("go away", reason=reason, retry_after=600.0))
    async with account(FAST) as open_account:
        with pytest.raises(RateLimited, match="go away") as caught:
            await open_account.write(urgency, call)
    assert caught.value.retry_after == pytest.approx(wait, abs=0.1)
    assert len(made) == 1


async def test_the_first_request_of_a_batch_is_left_to_the_batch_when_it_is_throttled() -> None:
    call, made = failing(*[RateLimited("slowly", reason="throttled", retry_after=0.01)] * 2)
    async with account(FAST) as open_account:
        ticket = await called(open_account.reads)
        with pytest.raises(RateLimited):
            await open_account.read(ticket, call)
        assert len(made) == 1
        assert await open_account.read(ticket, call) == "done"
    assert len(made) == 3


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


async def test_when_every_thread_is_taken_the_next_one_is_for_the_most_urgent() -> None:
    released, log = threading.Event(), list[str]()

    def call(name: str) -> Callable[[], None]:
        def made() -> None:
            released.wait(timeout=5)
            log.append(name)

        return made

    async with account(FAST, threads=1) as open_account, asyncio.TaskGroup() as group:
        for name, urgency in (
            ("first", Urgency.ROUTINE),
            ("look", Urgency.ROUTINE),
            ("failback", Urgency.CHANGE),
            ("gone", Urgency.FAIL_OUT),
            ("failover", Urgency.FAIL_OUT),
        ):
            task = group.create_task(open_account.read(urgency, call(name)))
            await asyncio.sleep(0)
            if name == "gone":
                task.cancel()
        released.set()
    assert log == ["first", "failover", "failback", "look"]
