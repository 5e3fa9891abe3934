"""Calls that are wanted at the same time, made as one."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from support.contract import target
from support.virtual import until, virtually

from failoverd.core.errors import Fenced, Permanent, RateLimited, Transient
from failoverd.ports import Urgency
from failoverd.providers.shared.account import TRIES
from failoverd.providers.shared.batching import LONGEST_LINGER, QUIET, Batcher
from failoverd.providers.shared.bucket import Bucket, Rate, Ticket
from failoverd.providers.shared.gathering import LONGEST_BEHIND, LONGEST_PROOF, Changes
from failoverd.providers.shared.throttling import FIRST_TRIAL, THROTTLED
from failoverd.simulation.virtual_time import now

CHANGE, ROUTINE, FAIL_OUT = Urgency.CHANGE, Urgency.ROUTINE, Urgency.FAIL_OUT


class Api:
    """Takes a second for each request; some of its records are bad."""

    def __init__(self, *bad: int) -> None:
        self.requests: list[list[int]] = []
        self.bad = set(bad)
        self.answers: list[Callable[[], Exception]] = []
        self.busy = 0

    async def send(self, items: Sequence[int], ticket: Ticket) -> list[str]:
        self.requests.append(list(items))
        self.busy += 1
        assert self.busy == 1, "two requests of one batcher at once"
        await asyncio.sleep(1.0)
        self.busy -= 1
        if self.answers:
            error = self.answers.pop(0)()
            if isinstance(error, RateLimited) and error.reason == THROTTLED:
                ticket.bucket.pause(error.retry_after or 0.0)  # as the account does
            raise error
        if self.bad & set(items):
            raise Fenced("one of them is not what was read", reason="stale_generation")
        return [f"done {item}" for item in items]


def batching(api: Api, *, most: int = 1_000, rate: float = 1_000.0) -> Batcher[int, str]:
    return Batcher(Bucket(Rate(rate)), api.send, lambda items: min(most, len(items)))


@virtually
async def test_what_comes_while_a_request_is_under_way_goes_with_the_next_one() -> None:
    api = Api()
    batcher = batching(api)
    first = asyncio.create_task(batcher(0, CHANGE))
    await until(lambda: api.busy)
    rest = [asyncio.create_task(batcher(item, CHANGE)) for item in range(1, 50)]
    assert await first == "done 0"
    assert await asyncio.gather(*rest) == [f"done {item}" for item in range(1, 50)]
    assert api.requests == [[0], list(range(1, 50))]


@virtually
async def test_a_request_waits_for_its_turn_and_takes_along_all_that_came_meanwhile() -> None:
    api, bucket = Api(), Bucket(Rate(per_second=0.1))
    await Ticket(bucket, CHANGE).take()
    batcher = Batcher(bucket, api.send)
    await asyncio.gather(*(batcher(item, CHANGE) for item in range(200)))
    assert api.requests == [list(range(200))]


@virtually
async def test_no_request_carries_more_than_fits_and_the_most_urgent_go_first() -> None:
    api = Api()
    batcher = batching(api, most=2)
    jobs = [(1, ROUTINE), (2, CHANGE), (3, FAIL_OUT), (4, ROUTINE), (5, FAIL_OUT)]
    await asyncio.gather(*(batcher(item, urgency) for item, urgency in jobs))
    assert api.requests == [[3, 5], [2, 1], [4]]


@virtually
async def test_of_what_is_as_urgent_the_more_important_tiers_go_with_the_first_request() -> None:
    api = Api()
    batcher = batching(api, most=2)
    prod, dev = FAIL_OUT.of_tier(100), FAIL_OUT.of_tier(300)
    jobs = [(1, dev), (2, CHANGE.of_tier(100)), (3, dev), (4, prod)]
    await asyncio.gather(*(batcher(item, urgency) for item, urgency in jobs))
    assert api.requests == [[4, 1], [3, 2]]


@virtually
async def test_an_urgent_item_hurries_the_request_that_it_joins() -> None:
    api, bucket = Api(), Bucket(Rate(per_second=1.0))
    others = [asyncio.create_task(Ticket(bucket, CHANGE).take()) for _ in range(5)]
    batcher = Batcher(bucket, api.send)
    look = asyncio.create_task(batcher(1, ROUTINE))
    await asyncio.sleep(2.5)  # it waits for its turn, behind what is more urgent
    begun = now()
    await batcher(2, FAIL_OUT)
    assert api.requests == [[2, 1]]
    assert now() - begun == pytest.approx(1.5, abs=0.01)
    await asyncio.gather(look, *others)


@virtually
async def test_where_requests_are_scarce_those_who_come_one_by_one_go_together() -> None:
    api = Api()
    batcher = batching(api, rate=5.0)
    jobs = []
    for item in range(10):
        jobs.append(asyncio.create_task(batcher(item, FAIL_OUT)))
        await asyncio.sleep(0.09)
    await asyncio.gather(*jobs)
    assert api.requests == [list(range(10))]


@virtually
async def test_nobody_waits_for_others_longer_than_a_few_requests_take() -> None:
    api = Api()
    batcher, begun = batching(api, rate=5.0), now()
    jobs: list[asyncio.Task[str]] = []
    while not api.requests:
        jobs.append(asyncio.create_task(batcher(len(jobs), FAIL_OUT)))
        await asyncio.sleep(0.1)
    assert now() - begun == pytest.approx(LONGEST_LINGER / 5.0, abs=0.11)
    await asyncio.gather(*jobs)


@virtually
async def test_who_is_alone_waits_no_longer_than_two_requests_take() -> None:
    api = Api()
    begun = now()
    await batching(api, rate=5.0)(1, FAIL_OUT)
    assert now() - begun == pytest.approx(1.0 + QUIET / 5.0, abs=0.01)


@virtually
async def test_a_full_request_waits_for_nobody() -> None:
    api = Api()
    batcher, begun = batching(api, most=3, rate=1.0), now()
    jobs = [asyncio.create_task(batcher(item, CHANGE)) for item in range(4)]
    await until(lambda: api.busy)
    assert now() == begun
    await asyncio.gather(*jobs)
    assert api.requests == [[0, 1, 2], [3]]


@virtually
async def test_what_is_left_over_waits_for_nobody_again() -> None:
    api = Api()
    batcher, begun = batching(api, most=3, rate=1.0), now()
    await asyncio.gather(*(batcher(item, CHANGE) for item in range(7)))
    assert now() - begun == pytest.approx(3.0, abs=0.01)


@virtually
async def test_where_requests_are_plenty_nobody_waits_for_others() -> None:
    api, bucket = Api(), Bucket(Rate(per_second=1.0, burst=200.0))
    batcher, begun = Batcher(bucket, api.send), now()
    await batcher(1, CHANGE)
    assert now() - begun == pytest.approx(1.0, abs=0.01)


@virtually
@pytest.mark.parametrize("count", [2, 3, 200])
async def test_one_bad_record_fails_alone(count: int) -> None:
    api = Api(count - 1)
    batcher = batching(api)
    results = await asyncio.gather(*(batcher(item, CHANGE) for item in range(count)), return_exceptions=True)
    assert results[:-1] == [f"done {item}" for item in range(count - 1)]
    assert isinstance(results[-1], Fenced)
    assert len(api.requests) <= 2 * count.bit_length() + 1


@virtually
async def test_a_batch_whose_outcome_is_not_known_is_told_to_all_and_not_sent_again() -> None:
    api = Api()
    api.answers = [lambda: Transient("no answer", reason="outcome_unknown")]
    batcher = batching(api)
    results = await asyncio.gather(*(batcher(item, CHANGE) for item in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Transient] * 3
    assert len({id(result) for result in results}) == 3
    assert api.requests == [[0, 1, 2]]


@virtually
async def test_a_throttled_batch_goes_again_with_what_came_meanwhile() -> None:
    api = Api()
    api.answers = [lambda: RateLimited("slowly", reason="throttled", retry_after=5.0)]
    batcher = batching(api)
    first = [asyncio.create_task(batcher(item, CHANGE)) for item in (1, 2)]
    await until(lambda: api.busy)
    later = asyncio.create_task(batcher(3, CHANGE))
    assert await asyncio.gather(*first, later) == ["done 1", "done 2", "done 3"]
    assert api.requests == [[1, 2], [1, 2, 3]]
    assert now() >= 1_007.0


@virtually
async def test_endless_throttling_ends_as_an_error_that_says_when_to_come_back() -> None:
    api = Api()
    api.answers = [lambda: RateLimited("slowly", reason="throttled", retry_after=2.0)] * 10
    with pytest.raises(RateLimited) as caught:
        await batching(api)(1, CHANGE)
    assert caught.value.retry_after == pytest.approx(2.0)
    assert len(api.requests) == TRIES


@virtually
async def test_who_gave_up_waiting_is_not_sent() -> None:
    api = Api()
    batcher = batching(api)
    first = asyncio.create_task(batcher(1, CHANGE))
    await until(lambda: api.busy)
    gone, stays = asyncio.create_task(batcher(2, CHANGE)), asyncio.create_task(batcher(3, CHANGE))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(first, stays)
    assert api.requests == [[1], [3]]


@virtually
async def test_who_gave_up_is_not_sent_with_the_half_of_a_rejected_batch() -> None:
    api = Api(1)
    batcher = batching(api)
    jobs = [asyncio.create_task(batcher(item, CHANGE)) for item in range(4)]
    await until(lambda: api.busy)
    jobs[2].cancel()
    jobs[3].cancel()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert results[0] == "done 0"
    assert api.requests == [[0, 1, 2, 3], [0, 1], [0], [1]]


@virtually
async def test_a_cloud_that_asks_for_minutes_keeps_nobody_in_line() -> None:
    api = Api()
    api.answers = [lambda: RateLimited("slowly", reason="prior_request_not_complete", retry_after=600.0)]
    batcher, begun = batching(api), now()
    first = asyncio.create_task(batcher(1, CHANGE))
    await until(lambda: api.busy)
    results = await asyncio.gather(first, batcher(2, CHANGE), return_exceptions=True)
    assert [type(result) for result in results] == [RateLimited] * 2
    assert now() - begun < 2.0


@virtually
async def test_a_busy_zone_keeps_each_away_for_as_long_as_it_is_asked_of_them() -> None:
    api = Api()
    api.answers = [lambda: RateLimited("slowly", reason="prior_request_not_complete", retry_after=600.0)]
    batcher, begun = batching(api), now()
    with pytest.raises(RateLimited) as told:
        await batcher(1, CHANGE)
    assert told.value.retry_after == pytest.approx(600.0)
    with pytest.raises(RateLimited) as told:
        await batcher(2, FAIL_OUT)
    assert told.value.retry_after == pytest.approx(FIRST_TRIAL)
    await asyncio.sleep(FIRST_TRIAL)
    assert await batcher(3, FAIL_OUT) == "done 3"
    assert now() - begun == pytest.approx(1.0 + FIRST_TRIAL + 1.0, abs=0.01)
    assert await batcher(4, CHANGE) == "done 4"
    assert api.requests == [[1], [3], [4]]


@virtually
async def test_an_urgent_item_does_not_sit_through_the_pause_of_a_busy_zone() -> None:
    api = Api()
    api.answers = [lambda: RateLimited("slowly", reason="prior_request_not_complete", retry_after=25.0)]
    batcher, begun = batching(api), now()
    change = asyncio.create_task(batcher(1, CHANGE))
    await asyncio.sleep(2.5)
    assert await batcher(2, FAIL_OUT) == "done 2"
    assert api.requests == [[1], [2, 1]]
    assert now() - begun == pytest.approx(1.0 + FIRST_TRIAL + 1.0, abs=0.01)
    await change


@virtually
@pytest.mark.parametrize("silence", [20.0, 600.0])
async def test_an_urgent_item_does_not_sit_through_the_silence_of_a_routine_batch(silence: float) -> None:
    api = Api()
    api.answers = [lambda: RateLimited("slowly", reason=THROTTLED, retry_after=silence)]
    batcher = batching(api)
    look = asyncio.create_task(batcher(1, ROUTINE))
    throttled_at = await until(lambda: api.busy) + 1.0
    await asyncio.sleep(2.5)
    assert await batcher(2, FAIL_OUT) == "done 2"
    assert now() - throttled_at == pytest.approx(FIRST_TRIAL + 1.0, abs=0.01)
    assert [2 in request for request in api.requests] == [False, True]
    assert isinstance((await asyncio.gather(look, return_exceptions=True))[0], RateLimited) == (silence == 600.0)


@virtually
async def test_an_urgent_item_hurries_the_pages_that_a_routine_batch_still_waits_for() -> None:
    bucket, pages = Bucket(Rate(per_second=0.1, burst=1.0)), list[Urgency]()

    async def send(items: Sequence[int], ticket: Ticket) -> Sequence[str]:
        for _ in range(2):
            await ticket.take()
            pages.append(ticket.urgency)
        return [f"done {item}" for item in items]

    others = [asyncio.create_task(Ticket(bucket, CHANGE).take()) for _ in range(5)]
    batcher = Batcher(bucket, send)
    look = asyncio.create_task(batcher(1, ROUTINE))
    await until(lambda: pages)
    others += [asyncio.create_task(Ticket(bucket, CHANGE).take()) for _ in range(50)]
    begun = now()
    await batcher(2, FAIL_OUT)
    assert now() - begun < 35.0
    assert pages == [ROUTINE, FAIL_OUT, FAIL_OUT, FAIL_OUT]
    await asyncio.gather(look, *others)


@virtually
async def test_a_failure_of_one_among_many_is_told_to_that_one() -> None:
    async def send(items: Sequence[int], _: Ticket) -> Sequence[str | Permanent]:
        return [Permanent("no such profile", reason="profile_missing") if item else "done" for item in items]

    batcher = Batcher[int, str](Bucket(Rate(1_000.0)), send)
    results = await asyncio.gather(*(batcher(item, CHANGE) for item in range(3)), return_exceptions=True)
    assert results[0] == "done"
    assert [type(result) for result in results[1:]] == [Permanent] * 2
    assert results[1] is not results[2]


@virtually
async def test_where_halves_would_fail_alike_they_are_not_asked() -> None:
    api = Api(1)
    batcher = Batcher(Bucket(Rate(1_000.0)), api.send, splits=False)
    results = await asyncio.gather(*(batcher(item, CHANGE) for item in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Fenced] * 3
    assert api.requests == [[0, 1, 2]]


@virtually
async def test_an_account_that_is_silenced_in_the_middle_of_a_rejected_batch_leaves_nobody_waiting() -> None:
    api, bucket = Api(0), Bucket(Rate(1_000.0))
    batcher = Batcher(bucket, api.send)
    jobs = [asyncio.create_task(batcher(item, CHANGE)) for item in range(4)]
    await until(lambda: api.busy)
    bucket.pause(600.0)
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result) for result in results] == [RateLimited] * 4


@virtually
async def test_a_defect_in_the_results_leaves_nobody_waiting() -> None:
    async def send(items: Sequence[int], ticket: Ticket) -> list[str]:  # noqa: ARG001
        return ["done"]

    batcher = Batcher(Bucket(Rate(1_000.0)), send)
    results = await asyncio.gather(batcher(1, CHANGE), batcher(2, CHANGE), return_exceptions=True)
    assert isinstance(results[1], ValueError)


@virtually
async def test_a_defect_in_one_request_is_told_and_the_next_one_is_made() -> None:
    api = Api()
    api.answers = [lambda: KeyError("a defect"), lambda: Permanent("no", reason="zone_missing")]
    batcher = batching(api)
    with pytest.raises(KeyError):
        await batcher(1, CHANGE)
    with pytest.raises(Permanent):
        await batcher(2, CHANGE)
    assert await batcher(3, CHANGE) == "done 3"


@virtually
async def test_a_defect_in_the_sizing_leaves_nobody_waiting() -> None:
    api, sizes = Api(), {1: 0}
    batcher = Batcher(Bucket(Rate(1_000.0)), api.send, lambda items: sizes[items[0]])
    assert await batcher(1, CHANGE) == "done 1"
    with pytest.raises(KeyError):
        await batcher(2, CHANGE)


# -- reads that wait where nobody loses by it --------------------------------------------------------------------------

AT, OTHER = target("api.example.com"), target("www.example.com")


class Busy:
    """An account that may read as it likes, and write five times a second, and the reads of one zone."""

    def __init__(self) -> None:
        self.writes = Bucket(Rate(per_second=5.0))
        self.changes = Changes(self.writes)
        self.api = Api()
        self.reads: Batcher[int, str] = Batcher(Bucket(Rate(1e6, 1e6)), self.api.send, changes=self.changes)
        self.begun = now()

    def line_up(self, writes: int, urgency: Urgency = FAIL_OUT) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(Ticket(self.writes, urgency).take()) for _ in range(writes)]

    def read(self, item: int, urgency: Urgency = FAIL_OUT, *, proof: bool = False) -> asyncio.Task[str]:
        return asyncio.create_task(self._read(item, urgency, proof=proof))

    async def _read(self, item: int, urgency: Urgency, *, proof: bool) -> str:
        """When its request had begun; a request takes a second."""
        await self.reads(item, urgency, proof=proof)
        return f"{now() - self.begun - 1.0:.1f}"


@virtually
async def test_a_read_waits_for_others_while_its_write_would_have_to_wait_anyway() -> None:
    busy = Busy()
    line = busy.line_up(21)  # 4 s of writes before whoever comes now; half of it is gone when half is waited
    reads = [busy.read(0)]
    await asyncio.sleep(1.5)
    reads.append(busy.read(1))
    assert [await read for read in reads] == ["2.1", "2.1"]
    assert busy.api.requests == [[0, 1]]
    await asyncio.gather(*line)


@virtually
async def test_a_read_waits_no_longer_than_is_good_however_many_write() -> None:
    busy = Busy()
    line = busy.line_up(200)
    assert float(await busy.read(0)) == pytest.approx(LONGEST_BEHIND, abs=0.1)
    await asyncio.gather(*line)


@virtually
async def test_a_line_of_what_is_less_urgent_makes_no_read_wait() -> None:
    busy = Busy()
    line = busy.line_up(100, CHANGE)
    assert float(await busy.read(0)) <= 0.2  # until the next turn of all
    await asyncio.gather(*line)


@virtually
async def test_the_proofs_of_changes_that_are_made_together_are_one_request() -> None:
    busy = Busy()
    with busy.changes.under_way(AT):
        first = busy.read(0, proof=True)
        await asyncio.sleep(1.2)
    second = busy.read(1, proof=True)
    assert [await first, await second] == ["1.2", "1.2"]
    assert busy.api.requests == [[0, 1]]


@virtually
async def test_a_proof_does_not_wait_for_a_change_that_never_ends() -> None:
    busy = Busy()
    with busy.changes.under_way(AT):
        assert float(await busy.read(0, proof=True)) == pytest.approx(LONGEST_PROOF, abs=0.1)


@virtually
async def test_who_reads_in_order_to_write_takes_waiting_proofs_along_at_once() -> None:
    busy = Busy()
    with busy.changes.under_way(AT):
        proof = busy.read(0, proof=True)
        await asyncio.sleep(0.5)
        assert await busy.read(1) == "0.5"
        assert await proof == "0.5"
    assert busy.api.requests == [[0, 1]]


@virtually
async def test_only_the_next_read_of_what_was_written_is_its_proof() -> None:
    changes = Busy().changes
    with changes.under_way(AT):
        assert not changes.proves(OTHER)
    assert [changes.proves(AT), changes.proves(AT), changes.proves(OTHER)] == [True, False, False]
    with pytest.raises(Fenced), changes.under_way(AT):
        raise Fenced("it is no longer what was read", reason="stale_generation")
    assert not changes.proves(AT)
