"""Notifications as the daemon has them, on a virtual clock: through restarts, kills, a broken journal, and defects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from support.journals import TARGET
from support.notices import Inbox, closed, held, left, seen, target
from support.virtual import until, virtually

from failoverd import codec
from failoverd.core.events import Event, FailoverHeld, JournalFailed, NotificationDelivered, NotificationFailed
from failoverd.core.status import NotificationsStatus, TargetState
from failoverd.runtime.supervising import backoff, supervise
from failoverd.settings import ReceiverSettings
from failoverd.simulation import virtual_time
from failoverd.simulation.virtual_time import elapse
from failoverd.telemetry.notifications.ledger import GRACE
from failoverd.telemetry.notifications.notifier import Notifications
from failoverd.telemetry.notifications.outbox import Address
from failoverd.telemetry.notifications.posting import Undelivered
from failoverd.telemetry.notifications.troubles import NEWS

DOWN = Undelivered("paper answers 500", reason="http_500")


class Paper:
    """What outlives a process: the journal's row, and two receivers, of which the second knows no keys."""

    def __init__(self) -> None:
        self.pager = Inbox(virtual_time.now, place="pager")
        self.chat = Inbox(virtual_time.now, place="chat", keyed=False)
        self.kept = ""
        self.writes: list[float] = []
        self.known_when_sent: list[bool] = []
        self.journal_works = True
        self.events: list[Event] = []
        self.complaints: list[str] = []

    async def keep(self, status: NotificationsStatus) -> bool:
        await asyncio.sleep(0.01)
        self.writes.append(virtual_time.now())
        if self.journal_works:
            self.kept = codec.dump(status)
        return self.journal_works

    @property
    def before(self) -> NotificationsStatus | None:
        return codec.load(NotificationsStatus, self.kept) if self.kept else None

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Notifications]:
        """One life of the daemon; it ends as by a kill, in the middle of whatever it does."""
        addresses = [Address(inbox.place, "paper", ReceiverSettings(), inbox) for inbox in (self.pager, self.chat)]

        def emit(event: Event) -> None:
            self.events.append(event)
            telling.take(event)

        async def post(delivery: object, place: str) -> str:
            self.known_when_sent.append(self.kept != "")
            inbox = self.pager if place.startswith("pager") else self.chat
            return await inbox.post(delivery, place)  # type: ignore[arg-type]  # it is one

        telling = Notifications(
            addresses,
            post,
            keep=self.keep,
            runbook_of=lambda policy: f"https://runbooks.example.com/{policy}",
            pause=partial(backoff, first=1.0, longest=60.0),
            emit=emit,
            clock=virtual_time.now,
        )
        telling.resume(self.before)
        tasks = [
            asyncio.create_task(supervise(name, work, emit, virtual_time.now)) for name, work in telling.work().items()
        ]
        try:
            yield telling
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


HELD = seen(target(TargetState.LIMITED), incident="inc-1").overview
CALM = seen(target(TargetState.IN_SYNC)).overview


@virtually
async def test_what_is_told_stands_in_the_journal_first() -> None:
    paper = Paper()
    async with paper.process() as telling:
        telling.take(held(virtual_time.now()))
        await until(lambda: paper.pager.got and paper.chat.got)
        assert paper.known_when_sent == [True, True]
        (notice,) = telling.status.notices
        await until(lambda: paper.before is not None and len(paper.before.notices[0].told) == 2)
    assert notice.runbook == f"https://runbooks.example.com/{TARGET.policy}"
    assert paper.before is not None
    assert set(paper.before.notices[0].told) == {"pager pager", "chat chat"}


@virtually
async def test_what_lasts_over_a_restart_is_told_again_where_keys_are_known_and_over_everywhere() -> None:
    paper = Paper()
    async with paper.process() as first:
        first.take(held(virtual_time.now()))
        await elapse(5)
    async with paper.process() as second:
        for _ in range(30):
            await elapse(5)
            second.look(HELD)
        assert paper.pager.told == [(f"{TARGET}", False)] * 2
        assert paper.chat.told == [(f"{TARGET}", False)]
        second.look(CALM)
        await elapse(5)
        assert second.status.notices == ()
    assert paper.pager.told[2:] == paper.chat.told[1:] == [(f"{TARGET}", True)]
    assert paper.before is not None
    assert paper.before.notices == ()


@virtually
async def test_what_ended_while_no_daemon_ran_is_resolved_by_the_next_one() -> None:
    paper = Paper()
    async with paper.process() as first:
        first.take(left(virtual_time.now()))
        await elapse(5)
    async with paper.process() as second:
        for _ in range(int(GRACE / 5) + 1):
            second.look(CALM)
            await elapse(5)
    assert paper.chat.told == [("azure-eastus", False), ("azure-eastus", True)]
    assert paper.pager.told[-1] == ("azure-eastus", True)


@virtually
async def test_an_end_that_a_dead_receiver_did_not_hear_is_told_by_the_next_process() -> None:
    paper = Paper()
    async with paper.process() as first:
        first.take(left(virtual_time.now()))
        await elapse(5)
        paper.pager.fails = DOWN
        first.take(closed(virtual_time.now()))
        await elapse(5)
    paper.pager.fails = None
    async with paper.process() as second:
        await elapse(5)
        assert [notice.kind for notice in second.status.notices] == ["notification.failed"]
    assert paper.pager.told == [("azure-eastus", False), ("azure-eastus", True)]


@virtually
async def test_a_kill_before_anything_was_written_loses_no_hold() -> None:
    paper = Paper()
    async with paper.process() as first:
        first.take(held(virtual_time.now()))
    assert (paper.kept, paper.pager.tries) == ("", [])
    async with paper.process() as second:
        second.look(HELD)
        await elapse(5)
    assert paper.pager.told == paper.chat.told == [(f"{TARGET}", False)]


@virtually
async def test_a_journal_that_does_not_work_keeps_nobody_from_being_told() -> None:
    paper = Paper()
    paper.journal_works = False
    async with paper.process() as telling:
        telling.take(JournalFailed(at=virtual_time.now(), reason="journal_full", error="no space"))
        for _ in range(60):
            await elapse(5)
            telling.look(CALM)
        assert paper.pager.told == [("journal", False)]
        paper.journal_works = True
        for _ in range(3):
            telling.look(CALM)
            await elapse(5)
    assert virtual_time.now() - virtual_time.START > NEWS
    assert paper.pager.told == [("journal", False), ("journal", True)]


@virtually
async def test_a_receiver_that_fails_is_told_to_the_others_and_so_is_that_it_works_again() -> None:
    paper = Paper()
    paper.pager.fails = DOWN
    async with paper.process() as telling:
        telling.take(left(virtual_time.now()))
        await elapse(60)
        assert paper.chat.told == [("azure-eastus", False), ("pager at pager", False)]
        paper.pager.fails = None
        await elapse(120)
        assert paper.chat.told[2:] == [("pager at pager", True)]
        assert [subject for subject, _ in paper.pager.told] == ["azure-eastus"]
    assert [type(event) for event in paper.events] == [NotificationFailed, NotificationDelivered]


@virtually
async def test_with_every_receiver_dead_for_an_hour_nothing_grows() -> None:
    paper = Paper()
    paper.pager.fails = paper.chat.fails = DOWN
    async with paper.process() as telling:
        for second in range(1_200):
            before = virtual_time.now()
            telling.take(replace(held(before, FailoverHeld), rule_at=f"api.yaml:{second}"))
            assert virtual_time.now() == before
            await elapse(3)
        status = telling.status
        assert len(status.notices) == 3, "the hold, and each receiver"
        assert [each.waiting for each in status.receivers] == [2, 2], "a receiver is not told of itself"
        assert len(paper.writes) <= 1_500
    assert len(paper.events) == 2


@virtually
async def test_a_defect_in_here_stops_nobody_who_tells_an_event() -> None:
    paper = Paper()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: paper.complaints.append(context["message"]))
    async with paper.process() as telling:
        telling.take(replace(left(virtual_time.now()), shares_from=None))  # type: ignore[arg-type]  # that is the defect
        telling.take(held(virtual_time.now()))
        await until(lambda: paper.pager.got)
    assert paper.complaints == ["change.applied could not be made a notification"]
