"""One address and its bad luck, on a virtual clock: nothing is lost, nothing is told twice, nobody waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
from support.notices import Inbox, notice
from support.virtual import until, virtually

from failoverd.core.events import Event, NotificationDelivered, NotificationFailed
from failoverd.core.status import Notice
from failoverd.runtime.supervising import backoff
from failoverd.settings import ReceiverSettings
from failoverd.simulation import virtual_time
from failoverd.simulation.virtual_time import elapse
from failoverd.telemetry.notifications.ledger import GIVE_UP
from failoverd.telemetry.notifications.outbox import ASIDE, Address, Outbox
from failoverd.telemetry.notifications.posting import Undelivered

LONGEST = 60.0
SAYS_500 = Undelivered("paper answers 500", reason="http_500")
REFUSES = Undelivered("paper answers 400", reason="http_400", refused=True)
HANGS = Undelivered("paper did not answer in time", reason="timeout")


class Post:
    """An outbox that delivers to an inbox, and everything that it told."""

    def __init__(self, inbox: Inbox, settings: ReceiverSettings) -> None:
        self.inbox = inbox
        self.events: list[Event] = []
        self.done: list[Notice] = []
        pause = partial(backoff, first=1.0, longest=LONGEST)
        address = Address("pager", "paper", settings, inbox)
        self.box = Outbox(address, inbox.post, pause, self.events.append, virtual_time.now, self._done)

    def _done(self, taken: Notice, place: str) -> None:
        assert place == "pager paper"
        self.done.append(taken)

    def named(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def delivering(
    settings: ReceiverSettings | None = None, before: tuple[Notice, ...] = (), **how: object
) -> AsyncIterator[Post]:
    post = Post(Inbox(virtual_time.now, **how), settings or ReceiverSettings())  # type: ignore[arg-type]  # fields of it
    post.box.resume(before)
    task = asyncio.create_task(post.box.run())
    try:
        yield post
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def over(of: Notice, at: float = 200.0) -> Notice:
    return replace(of, ended=at)


@virtually
async def test_a_trouble_is_told_and_so_is_its_end() -> None:
    async with delivering() as post:
        post.box.take(notice())
        await until(lambda: post.inbox.got)
        post.box.take(over(notice()))
        await until(lambda: len(post.inbox.got) == 2)
    assert post.inbox.told == [("azure-eastus", False), ("azure-eastus", True)]
    assert (post.box.status.delivered, post.box.status.waiting, post.events) == (2, 0, [])


@virtually
async def test_an_address_that_answers_500_is_tried_more_and_more_seldom_and_told_once() -> None:
    async with delivering() as post:
        post.inbox.fails = SAYS_500
        post.box.take(notice())
        await elapse(3_600)
        pauses = [after - before for before, after in pairwise(post.inbox.tries)]
        assert all(earlier <= 2 * later for earlier, later in pairwise(pauses))
        assert (0.5 <= pauses[0] <= 1.0, max(pauses) <= LONGEST) == (True, True)
        assert 3_600 / LONGEST <= len(post.inbox.tries) <= 3_600 / LONGEST * 2 + 10
        (failed,) = post.named(NotificationFailed)
        assert isinstance(failed, NotificationFailed)
        assert (failed.receiver, failed.place, failed.reason, failed.waiting) == ("pager", "paper", "http_500", 1)
        assert (post.box.status.failing_since, post.box.status.error) == (virtual_time.START, "paper answers 500")

        post.inbox.fails = None
        await until(lambda: post.inbox.got, within=2 * LONGEST)
    (works,) = post.named(NotificationDelivered)
    assert isinstance(works, NotificationDelivered)
    assert works.lasted == pytest.approx(3_600, abs=LONGEST)
    assert (post.box.status.failing_since, post.box.status.error) == (None, "")


@virtually
async def test_one_failure_is_no_news() -> None:
    async with delivering() as post:
        post.inbox.fails = SAYS_500
        post.box.take(notice())
        await until(lambda: post.inbox.tries)
        post.inbox.fails = None
        await until(lambda: post.inbox.got)
    assert post.events == []


@virtually
async def test_an_address_that_hangs_for_an_hour_keeps_nobody_waiting_and_hears_how_things_stand_then() -> None:
    async with delivering() as post:
        post.inbox.hangs, post.inbox.fails = 10.0, HANGS
        for second in range(3_600):  # a region that flaps, and another one that fell and is back
            moment = virtual_time.now()
            post.box.take(notice("flapping", at=float(second), ended=None if second % 2 else float(second)))
            assert virtual_time.now() == moment
            await elapse(1)
        post.box.take(notice("fell"))
        post.box.take(over(notice("fell")))
        assert post.box.status.waiting == 1
        post.inbox.hangs, post.inbox.fails = 0.0, None
        await until(lambda: post.inbox.got, within=2 * LONGEST)
        await elapse(2 * LONGEST)
    assert post.inbox.told == [("flapping", False)]


@virtually
async def test_the_end_of_what_was_being_sent_is_told_whatever_became_of_it() -> None:
    async with delivering() as post:
        post.inbox.hangs = 5.0
        post.box.take(notice())
        await until(lambda: post.inbox.tries)
        post.box.take(over(notice()))
        await until(lambda: len(post.inbox.got) == 2)
    assert post.inbox.told == [("azure-eastus", False), ("azure-eastus", True)]


@virtually
async def test_the_end_of_what_was_never_sent_is_not_told() -> None:
    async with delivering() as post:
        post.box.take(over(notice()))
        await elapse(100)
        assert not post.box.owes(notice().key)
    assert post.inbox.tries == []


@virtually
async def test_a_message_that_is_refused_three_times_is_set_aside_and_holds_up_no_other() -> None:
    async with delivering() as post:
        post.inbox.fails = REFUSES
        post.box.take(notice("odd"))
        await until(lambda: len(post.inbox.tries) == 3)
        post.inbox.fails = None
        post.box.take(notice("plain"))
        await until(lambda: post.inbox.got)
        assert post.inbox.told == [("plain", False)]
        assert post.box.status.waiting == 1
        set_aside = post.inbox.tries[2]
        await until(lambda: len(post.inbox.got) == 2)
        assert virtual_time.now() - set_aside == pytest.approx(ASIDE)
    assert post.inbox.told[1] == ("odd", False)


@virtually
async def test_an_end_that_is_refused_is_given_up() -> None:
    async with delivering() as post:
        post.box.take(notice())
        await until(lambda: post.inbox.got)
        post.inbox.fails = REFUSES
        post.box.take(over(notice()))
        await until(lambda: post.box.status.dropped)
        await elapse(2 * ASIDE)
        assert len(post.inbox.tries) == 4
        assert not post.box.owes(notice().key)
    assert [each.ended is not None for each in post.done] == [False, True]


@virtually
async def test_what_is_over_while_it_is_set_aside_is_not_told_again() -> None:
    async with delivering() as post:
        post.inbox.fails = REFUSES
        post.box.take(notice("odd"))
        await until(lambda: len(post.inbox.tries) == 3)
        post.inbox.fails = None
        post.box.take(over(notice("odd")))
        await elapse(2 * ASIDE)
    assert post.inbox.told == [("odd", True)]


@virtually
async def test_silence_that_is_asked_for_is_kept() -> None:
    async with delivering() as post:
        post.inbox.fails = Undelivered("paper answers 429", reason="http_429", retry_after=120.0)
        post.box.take(notice())
        await until(lambda: len(post.inbox.tries) == 2)
    assert post.inbox.tries[1] - post.inbox.tries[0] >= 120


@virtually
async def test_what_needs_a_person_goes_first() -> None:
    async with delivering() as post:
        post.box.take(notice("warned"))
        post.box.take(notice("dead", severity="error"))
        await until(lambda: len(post.inbox.got) == 2)
    assert [subject for subject, _ in post.inbox.told] == ["dead", "warned"]


@virtually
async def test_an_end_that_nobody_takes_is_given_up_after_a_day() -> None:
    async with delivering() as post:
        post.box.take(notice())
        await until(lambda: post.inbox.got)
        post.inbox.fails = SAYS_500
        post.box.take(over(notice(), virtual_time.now()))
        await until(lambda: post.box.status.dropped, within=GIVE_UP + 2 * LONGEST)
        assert virtual_time.now() - virtual_time.START > GIVE_UP
        assert not post.box.owes(notice().key)


# -- what lasts --------------------------------------------------------------------------------------------------------


@virtually
async def test_what_lasts_is_told_again_from_time_to_time_and_not_any_more_when_it_is_over() -> None:
    async with delivering(every=60.0, batch=64) as post:
        post.box.take(notice("a"))
        post.box.take(notice("b"))
        await elapse(150)
        assert [at - virtual_time.START for at, _ in post.inbox.got] == pytest.approx([0, 60, 120])
        assert all(len(some) == 2 for _, some in post.inbox.got)
        for each in ("a", "b"):
            post.box.take(over(notice(each)))
        await elapse(600)
    assert [len(some) for _, some in post.inbox.got] == [2, 2, 2, 2]


@virtually
async def test_after_a_restart_an_address_with_keys_is_told_again_and_one_without_is_not() -> None:
    known = notice("known", told=("pager paper",))
    unknown = notice("unknown", told=("other paper",))
    async with delivering(before=(known, unknown)) as keyed:
        await elapse(10)
    async with delivering(before=(known, unknown), keyed=False) as keyless:
        await elapse(10)
        keyless.box.take(over(known))
        await elapse(10)
    assert keyed.inbox.told == [("known", False), ("unknown", False)]
    assert keyless.inbox.told == [("unknown", False), ("known", True)]


@virtually
async def test_after_a_restart_an_end_goes_to_whom_its_beginning_went() -> None:
    ended = notice("over", told=("pager paper",), ended=200.0)
    never = notice("never", told=("other paper",), ended=200.0)
    async with delivering(before=(ended, never), keyed=False) as post:
        await elapse(10)
    assert post.inbox.told == [("over", True)]


@virtually
async def test_an_address_with_keys_hears_of_an_end_though_a_kill_left_open_what_it_was_told() -> None:
    async with delivering(before=(notice("maybe", ended=200.0),)) as post:
        await elapse(10)
    assert post.inbox.told == [("maybe", True)]


# -- who is told -------------------------------------------------------------------------------------------------------


@virtually
async def test_a_receiver_of_errors_is_not_told_of_warnings() -> None:
    async with delivering(ReceiverSettings(level="error")) as post:
        post.box.take(notice("warned"))
        post.box.take(notice("dead", severity="error"))
        await elapse(10)
    assert [subject for subject, _ in post.inbox.told] == ["dead"]


@virtually
async def test_a_receiver_of_some_policies_is_told_of_these_and_of_the_daemon() -> None:
    async with delivering(ReceiverSettings(only=("inference-*",))) as post:
        post.box.take(notice("mine"))
        post.box.take(notice("theirs", policy="shop"))
        post.box.take(notice("IPv4", policy="", kind="vantage.isolated"))
        await elapse(10)
    assert [subject for subject, _ in post.inbox.told] == ["mine", "IPv4"]
