"""A and AAAA of one name have a worker each, and share a marker: each counts its own changes, and no others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.stage import AZURE, OCI, Stage, playing, policy, record, regions, target
from support.virtual import until, virtually

from failoverd.core.control.limits import PastChange
from failoverd.core.events import ChangeApplied, ChangeFenced
from failoverd.core.records import Observed, RecordType, Target
from failoverd.ports import ChangeOutcome, Urgency
from failoverd.simulation.faults import lost_answer, refused
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.zonefile import Zonefile

AZURE6, OCI6 = "2001:db8::10", "2001:db8:1::10"
NORMAL = {"azure": 70.0, "oci": 30.0}
BOTH = policy(
    records=(record("api", "api.example.com"), record("api", "api.example.com", record_type=RecordType.AAAA)),
    regions=regions(azure=(70, f"{AZURE} {AZURE6}"), oci=(30, f"{OCI} {OCI6}")),
)


def changes(stage: Stage, number: int) -> tuple[PastChange, ...]:
    """What the limits of one type count."""
    return stage.states.of("api").of(target(BOTH, number)).changes


async def published(stage: Stage) -> None:
    await until(lambda: stage.shares(BOTH) == stage.shares(BOTH, 1) == NORMAL)
    await elapse(10.0)


@virtually
async def test_two_writers_of_one_name_do_not_fence_each_other() -> None:
    async with playing(BOTH) as stage:
        await published(stage)
        stage.fails(AZURE, AZURE6)
        await until(lambda: stage.shares(BOTH) == stage.shares(BOTH, 1) == {"oci": 100.0})
        assert stage.told(ChangeFenced) == []
        assert (stage.generation(BOTH), len(stage.zonefile.writes)) == (4, 4)


class Deaf(PaperProvider):
    """Loses the answer to a write of one type, and hears no question about it until it is told to."""

    def __init__(self, zonefile: Zonefile) -> None:
        super().__init__(zonefile, now)
        self.deaf_to: RecordType | None = None

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        if target.key.type is self.deaf_to:
            raise refused()
        return await super().read(target, urgency=urgency)

    def turn(self, kind: RecordType) -> None:
        def deafen(*_: object) -> None:
            self.deaf_to, self.audit = kind, lambda *_: None

        self.on_apply.append(lost_answer())
        self.audit = deafen


@asynccontextmanager
async def in_doubt() -> AsyncIterator[tuple[Stage, Deaf]]:
    """A has left its dead region, and its worker does not know."""
    zonefile = Zonefile()
    dns = Deaf(zonefile)
    stage = Stage(zonefile=zonefile, providers={"dns-main": dns})
    async with playing(BOTH, stage=stage):
        await published(stage)
        dns.turn(RecordType.A)
        stage.fails(AZURE)
        await until(lambda: stage.shares(BOTH) == {"oci": 100.0})
        await elapse(20.0)
        yield stage, dns


@virtually
async def test_a_change_in_doubt_is_not_taken_for_one_of_somebody_else_by_the_other_type() -> None:
    async with in_doubt() as (stage, _):
        assert stage.states.of("api").of(target(BOTH, 1)).generation == stage.generation(BOTH) == 3
        assert [change.generation for change in changes(stage, 1)] == [2]


@virtually
async def test_a_change_in_doubt_is_found_although_the_other_type_was_written_since() -> None:
    async with in_doubt() as (stage, dns):
        stage.fails(AZURE6)
        await until(lambda: stage.shares(BOTH, 1) == {"oci": 100.0})
        dns.deaf_to = None
        await elapse(60.0)
        told = [(event.record.rpartition(" ")[2], event.generation) for event in stage.told(ChangeApplied)]
        assert told == [("A", 1), ("AAAA", 2), ("AAAA", 4), ("A", 3)]
        assert set(stage.journal.outcomes()) == {ChangeOutcome.APPLIED}
        assert [[change.generation for change in changes(stage, number)] for number in (0, 1)] == [[1, 3], [2, 4]]


@virtually
async def test_what_somebody_else_wrote_over_a_change_in_doubt_is_counted_by_whose_type_it_is() -> None:
    async with in_doubt() as (stage, dns):
        stage.zonefile.put(target(BOTH), {OCI: 1, AZURE: 1})
        stage.zonefile.mark(target(BOTH), "v=1 owner=prod policy=api gen=5 types=A,AAAA")
        dns.deaf_to = None
        await until(stage.steers(BOTH, oci=100.0))
        counted = [change.generation for number in (0, 1) for change in changes(stage, number)]
        assert sorted(counted) == [1, 2, 3, 4, 5, 6]
