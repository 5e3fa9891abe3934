"""What is told of a write that was accepted, and then did not stand there as it was written."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from support.stage import API, AT, AZURE, OCI, Stage, normal, playing, status
from support.virtual import until, virtually

from failoverd.core.errors import RateLimited
from failoverd.core.events import (
    ChangeApplied,
    ChangeFenced,
    ChangeVerified,
    LeaderOutranked,
    TargetDelayed,
    TargetResumed,
)
from failoverd.core.records import Marker, RecordSet, RecordType
from failoverd.core.status import TargetState
from failoverd.ports import ChangeOutcome
from failoverd.runtime.applying import VAIN_TRIES
from failoverd.simulation.faults import Fault, Moment, refused
from failoverd.simulation.virtual_time import elapse


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
async def test_a_write_that_a_newer_leader_replaces_before_it_is_read_back_is_overtaken_and_nothing_follows() -> None:
    """Even where that leader wrote the very same, for it is that one's to prove."""
    async with playing(API) as stage:
        await normal(stage)
        answer = asyncio.Event()
        stage.dns.on_apply.append(Fault(Moment.AFTER, hold=answer))
        stage.fails(AZURE)
        await until(lambda: stage.generation(API) == 2)
        marker = stage.zonefile.observe(AT).marker
        assert marker is not None
        stage.zonefile.mark(AT, replace(marker, epoch=8).to_text())
        answer.set()
        await until(lambda: stage.told(LeaderOutranked))
        stage.heals(AZURE)
        await elapse(900.0)
        (_, entry) = stage.journal.changes.values()
        assert entry.detail == (
            "generation 2 of api.example.com A at dns-main was written, and generation 2 of prod/api under the leader "
            "of epoch 8 had replaced it when it was read back"
        )
        assert [event.generation for event in stage.told(ChangeVerified)] == [1]
        assert stage.shares(API) == {"oci": 100}


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


# -- what the server makes something else of ---------------------------------------------------------------------------


def at_most(ttl: int) -> Callable[[RecordSet], RecordSet]:
    """What a server with such a limit makes of a record."""
    return lambda written: replace(written, ttl=min(ttl, written.ttl))


@virtually
async def test_a_ttl_that_the_server_lowers_is_named_and_not_written_again_and_again() -> None:
    stage = Stage()
    stage.dns.keeps = at_most(20)
    async with playing(API, stage=stage):
        await until(lambda: stage.told(TargetDelayed))
        (delayed,) = stage.told(TargetDelayed)
        assert delayed.reason == "no_effect"
        assert "its TTL is 20s instead of 30s; its answers are those that were written" in delayed.detail
        assert "ttl: 20s" in delayed.remedy
        await elapse(240.0)
        assert len(stage.dns.applies) == VAIN_TRIES
        assert len(stage.told(TargetDelayed)) == 1
        shown = status(stage)
        assert (shown.state, shown.published) == (TargetState.DELAYED, {"azure": 7_000, "oci": 3_000})
        assert f"It was written {VAIN_TRIES} times, and will be again in" in shown.detail
        await elapse(4 * 3_600.0)
        assert len(stage.dns.applies) <= VAIN_TRIES + 7, "longer and longer pauses"


@virtually
async def test_what_is_written_in_vain_spends_no_budget_and_delays_no_other_write() -> None:
    stage = Stage()
    stage.dns.keeps = at_most(20)
    async with playing(API, stage=stage):
        await until(lambda: len(stage.dns.applies) == VAIN_TRIES)
        await elapse(30.0)
        assert len(stage.states.of("api").of(AT).changes) == 1, "the one that created it"
        stage.fails(AZURE)
        await until(lambda: stage.shares(API) == {"oci": 100.0})
        await elapse(30.0)
        assert len(stage.dns.applies) == 2 * VAIN_TRIES
        changes = stage.states.of("api").of(AT).changes
        assert [(change.generation, change.shares_after) for change in changes][1:] == [(3, {"oci": 10_000})]
        assert status(stage).published == {"oci": 10_000}


@virtually
async def test_it_goes_on_by_itself_once_the_server_or_the_file_was_corrected() -> None:
    stage = Stage()
    stage.dns.keeps = at_most(20)
    async with playing(API, stage=stage):
        await until(lambda: len(stage.dns.applies) == VAIN_TRIES)
        await elapse(30.0)
        stage.zonefile.put(AT, {AZURE: 7_000, OCI: 3_000})
        await until(lambda: stage.told(TargetResumed))
        assert status(stage).state is TargetState.IN_SYNC
        assert len(stage.dns.applies) == VAIN_TRIES


@virtually
async def test_a_server_that_says_yes_for_ever_and_does_nothing_is_written_to_ever_more_rarely() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.on_apply.extend(Fault(Moment.INSTEAD) for _ in range(20))
        stage.fails(AZURE)
        await until(lambda: stage.told(TargetDelayed))
        assert "nothing changed: it answers" in stage.told(TargetDelayed)[0].detail
        await elapse(240.0)
        assert len(stage.dns.applies) == 1 + VAIN_TRIES
        assert len(stage.states.of("api").of(AT).changes) == 1


@virtually
async def test_a_marker_that_is_not_seen_beside_what_was_written_is_told() -> None:
    async with playing(API) as stage:
        await normal(stage)
        answer = asyncio.Event()
        stage.dns.on_apply.append(Fault(Moment.AFTER, hold=answer))
        stage.fails(AZURE)
        await until(lambda: stage.generation(API) == 2)
        stage.zonefile.markers.clear()
        answer.set()
        await until(lambda: stage.told(TargetDelayed))
        (delayed,) = stage.told(TargetDelayed)
        assert "its marker 'v=1 owner=prod policy=api gen=2 types=A' is not seen; its answers" in delayed.detail
