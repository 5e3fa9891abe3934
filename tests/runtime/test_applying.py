"""What is told of a write that was accepted, and then did not stand there as it was written."""

import asyncio

from support.fakes import Fault, Moment, refused
from support.stage import API, AT, AZURE, OCI, normal, playing
from support.virtual import elapse, until, virtually

from failoverd.core.errors import RateLimited
from failoverd.core.events import ChangeApplied, ChangeFenced, ChangeVerified, TargetDelayed
from failoverd.core.records import Marker, RecordType
from failoverd.ports import ChangeOutcome


@virtually
async def test_a_write_that_another_writer_replaces_before_it_is_read_back_is_told_as_applied_and_not_as_refused() -> (
    None
):
    async with playing(API) as stage:
        await normal(stage)
        answer = asyncio.Event()
        stage.dns.on_apply.append(Fault(Moment.AFTER, hold=answer))
        stage.fails(AZURE)
        await until(lambda: stage.generation(API) == 2)
        stage.zonefile.put(AT, {OCI: 10_000})
        stage.zonefile.mark(AT, Marker("lab", "api", 3, (RecordType.A,)).to_text())
        answer.set()
        await until(lambda: len(stage.told(ChangeApplied)) == 2)
        await elapse(30.0)
        assert stage.told(ChangeFenced) == []
        assert [event.generation for event in stage.told(ChangeVerified)] == [1]
        assert stage.journal.outcomes()[1] is ChangeOutcome.APPLIED
        assert [entry.detail for entry in stage.journal.changes.values()][1] == (
            "generation 2 of api.example.com A at dns-main was written, and generation 3 of lab/api had replaced it "
            "when it was read back"
        )
        assert len(stage.states.of("api").of(AT).changes) == 2, "it moved traffic, so it counts towards the limits"
        assert stage.told(TargetDelayed) == []


@virtually
async def test_a_write_that_cannot_be_read_back_is_not_told_as_if_it_had_not_been_accepted() -> None:
    async with playing(API) as stage:
        await normal(stage)
        answer = asyncio.Event()
        stage.dns.on_apply.append(Fault(Moment.AFTER, hold=answer))
        stage.fails(AZURE)
        await until(lambda: stage.generation(API) == 2)
        stage.dns.on_read.append(Fault(error=refused()))
        answer.set()
        await until(lambda: stage.told(TargetDelayed))
        (delayed,) = stage.told(TargetDelayed)
        assert delayed.reason == "not_read_back"
        assert "was written and the provider said yes" in delayed.detail
        assert "connection refused" in delayed.detail
        assert delayed.remedy == "start the server"
        await until(lambda: len(stage.told(ChangeApplied)) == 2)


@virtually
async def test_throttling_is_obeyed_when_it_comes_at_the_read_back_too() -> None:
    async with playing(API) as stage:
        await normal(stage)
        answer = asyncio.Event()
        stage.dns.on_apply.append(Fault(Moment.AFTER, hold=answer))
        stage.fails(AZURE)
        await until(lambda: stage.generation(API) == 2)
        stage.dns.on_read.append(Fault(error=RateLimited("too many", reason="throttled", retry_after=90.0)))
        answer.set()
        await until(lambda: stage.told(TargetDelayed))
        assert stage.told(TargetDelayed)[0].retry_in >= 90.0


@virtually
async def test_what_a_provider_read_by_itself_after_the_write_is_not_read_again() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.looks = True
        stage.fails(AZURE)
        await until(lambda: len(stage.told(ChangeApplied)) == 2)
        assert stage.dns.reads[-1] < stage.dns.applies[-1]


@virtually
async def test_what_a_provider_read_by_itself_is_judged_as_any_read_back() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.looks = True
        stage.dns.on_apply.append(Fault(Moment.INSTEAD))
        stage.fails(AZURE)
        await until(lambda: stage.told(TargetDelayed))
        assert stage.told(TargetDelayed)[0].reason == "no_effect"
