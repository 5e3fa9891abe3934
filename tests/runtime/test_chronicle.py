"""What the leader did is in every member's history, once, whoever was away meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from support.coordinating import PaperCoordinator, PaperQuorum
from support.journals import incident
from support.virtual import until, virtually

from failoverd.core.events import ChangeApplied, Event
from failoverd.runtime.members.chronicle import EVENTS, PLACES, Chronicle
from failoverd.simulation.virtual_time import elapse

LEASE = 20.0
AT = 1_000.0
APPLIED = next(event for event in incident(AT) if isinstance(event, ChangeApplied))
OTHERS = [event for event in incident(AT) if not event.name.startswith(("change.", "decision."))]


@dataclass
class PaperMember:
    """One of several, as far as history goes."""

    member: str
    way: PaperCoordinator
    leads: bool = False
    epoch_in_coordinator: int = 0
    kept: list[Event] = field(default_factory=list)

    def chronicle(self, since: float = 0.0) -> Chronicle:
        return Chronicle(self.way, self, self.kept.append, since)

    async def lead(self) -> None:
        found = await self.way.campaign(stands=True)
        self.leads, self.epoch_in_coordinator = found.mine, found.epoch

    def did(self, change: str) -> ChangeApplied:
        return replace(APPLIED, change_id=change, told_by=self.member)

    @property
    def heard(self) -> list[str]:
        return [event.change_id for event in self.kept if isinstance(event, ChangeApplied)]


@asynccontextmanager
async def at_work(chronicle: Chronicle) -> AsyncIterator[Chronicle]:
    tasks = [asyncio.create_task(work()) for work in (chronicle.say, chronicle.hear)]
    try:
        yield chronicle
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def members() -> tuple[PaperMember, PaperMember]:
    quorum = PaperQuorum(LEASE)
    azure, oci = (PaperMember(name, quorum.member(name)) for name in ("azure-1", "oci-1"))
    return azure, oci


@virtually
async def test_what_the_leader_did_is_in_the_history_of_the_others_and_only_once_in_its_own() -> None:
    azure, oci = members()
    await azure.lead()
    async with at_work(azure.chronicle()) as says, at_work(oci.chronicle()):
        says.take(azure.did("chg-1"))
        says.take(azure.did("chg-2"))
        await until(lambda: oci.heard == ["chg-1", "chg-2"])
        assert azure.kept == []
        assert oci.kept == [azure.did("chg-1"), azure.did("chg-2")]


@virtually
async def test_what_is_no_matter_of_a_record_stays_with_who_saw_it() -> None:
    azure, oci = members()
    await azure.lead()
    async with at_work(azure.chronicle()) as says, at_work(oci.chronicle()):
        for event in OTHERS:
            says.take(event)
        says.take(azure.did("chg-1"))
        await until(lambda: oci.heard == ["chg-1"])
        assert len(oci.kept) == 1


@virtually
async def test_a_follower_says_nothing() -> None:
    azure, oci = members()
    await azure.lead()
    async with at_work(azure.chronicle()), at_work(oci.chronicle()) as follows:
        follows.take(oci.did("chg-1"))
        await elapse(5.0)
        assert azure.kept == []


@virtually
async def test_who_was_cut_off_hears_afterwards_what_it_missed_and_nothing_twice() -> None:
    azure, oci = members()
    await azure.lead()
    async with at_work(azure.chronicle()) as says, at_work(oci.chronicle()):
        says.take(azure.did("chg-1"))
        await until(lambda: oci.heard == ["chg-1"])
        oci.way.cut()
        says.take(azure.did("chg-2"))
        await elapse(30.0)
        assert oci.heard == ["chg-1"]
        oci.way.mend()
        await until(lambda: oci.heard == ["chg-1", "chg-2"], within=30.0)


@virtually
async def test_a_restarted_member_keeps_what_came_since_its_journal_ends() -> None:
    azure, oci = members()
    await azure.lead()
    async with at_work(azure.chronicle()) as says:
        says.take(replace(azure.did("chg-old"), at=AT))
        says.take(replace(azure.did("chg-new"), at=AT + 60))
        await elapse(1.0)
        async with at_work(oci.chronicle(since=AT + 30)):
            await until(lambda: oci.heard == ["chg-new"])


@virtually
async def test_a_new_leader_goes_on_where_the_old_one_was() -> None:
    azure, oci = members()
    await azure.lead()
    async with at_work(azure.chronicle()) as first, at_work(oci.chronicle()) as second:
        first.take(azure.did("chg-1"))
        await until(lambda: oci.heard == ["chg-1"])
        await azure.way.resign()
        azure.leads = False
        await oci.lead()
        assert oci.leads
        second.take(oci.did("chg-2"))
        await until(lambda: azure.heard == ["chg-2"])


@virtually
async def test_who_was_replaced_says_nothing_more() -> None:
    """Its word bears an epoch that is over."""
    azure, oci = members()
    await azure.lead()
    async with at_work(azure.chronicle()) as first, at_work(oci.chronicle()):
        await azure.way.resign()
        await oci.lead()
        first.take(azure.did("chg-1"))
        await elapse(30.0)
        assert oci.kept == []


@virtually
async def test_no_more_than_so_many_are_kept_in_common() -> None:
    azure, oci = members()
    await azure.lead()
    async with at_work(azure.chronicle()) as says, at_work(oci.chronicle()):
        for number in range(PLACES + 44):
            says.take(azure.did(f"chg-{number}"))
            await elapse(0.01)
        await until(lambda: len(oci.heard) == PLACES + 44)
        entries, _ = await oci.way.entries(EVENTS)
        assert len(entries) == PLACES


@virtually
async def test_what_another_version_says_is_passed_over() -> None:
    azure, oci = members()
    await azure.lead()
    await azure.way.replace(f"{EVENTS}1", b'{"v":9,"n":1,"name":"change.applied","body":{}}', after=0)
    await azure.way.replace(f"{EVENTS}2", b"no JSON at all", after=0)
    await azure.way.replace(f"{EVENTS}3", b'{"v":1,"n":3,"name":"change.undreamt","body":{}}', after=0)
    async with at_work(azure.chronicle()) as says, at_work(oci.chronicle()):
        await elapse(1.0)
        says.take(azure.did("chg-1"))
        await until(lambda: oci.heard == ["chg-1"])
