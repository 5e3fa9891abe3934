"""A long evening on a simulated daemon, and every decision of it made again."""

from dataclasses import replace

from support.replaying import through_the_journal, unlike_then
from support.stage import API, AT, AWS, AZURE, NORMAL, OCI, Stage, normal, playing, policy, record, regions
from support.virtual import until, virtually

from failoverd.core.control.inputs import Decided
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.errors import RateLimited
from failoverd.core.events import DecisionCrashed, JournalFailed, TaskCrashed
from failoverd.core.overrides import Scope, Verb
from failoverd.core.records import RecordSet, Source, Weights
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.simulation.faults import Fault
from failoverd.simulation.virtual_time import elapse, now

WEB = policy(
    "web",
    records=(record("web", "www.example.com"),),
    regions=tuple(
        replace(each, capacity=600.0)
        for each in regions(azure=(50, "192.0.2.20 192.0.2.21"), oci=(50, "198.51.100.20"), aws=(0, AWS))
    ),
    demand=800.0,
)


@virtually
async def test_every_decision_of_a_long_evening_comes_to_the_same_when_it_is_made_again() -> None:
    stage = Stage(instance="0a1b2c3d")
    async with playing(API, WEB, stage=stage):
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        stage.heals(AZURE)
        stage.fails("192.0.2.20", "192.0.2.21")  # half of a demand that the others cannot carry alone
        await until(stage.steers(API, **NORMAL))
        desk = Desk(stage.engine, now, lambda scope, change: None)  # noqa: ARG005 - nothing was changed
        await desk.give(WordRequest(Verb.DRAIN, Scope(regions=("oci",)), "cables", 300.0), "alice@host")
        await elapse(400.0)
        stage.heals("192.0.2.20")
        stage.zonefile.records["example.com", AT.key] = RecordSet.of(AT.key, 30, {OCI: 1})  # somebody's edit
        await elapse(120.0)
        stage.dns.on_read.extend([Fault(error=RateLimited("slow down", reason="throttled"))] * 5)
        stage.fails(OCI)
        await elapse(200.0)
    stage = Stage(zonefile=stage.zonefile, journal=stage.journal, world=stage.world, instance="0a1b2c3d")
    edited = replace(API, regions=regions(azure=(40, AZURE), oci=(60, OCI)), source=Source("policies/api.yaml", "r2"))
    async with playing(API, WEB, stage=stage):
        stage.heals(OCI, "192.0.2.21")
        await elapse(200.0)
        await stage.take_up(edited)
        await elapse(900.0)
        stage.fails(AZURE, OCI, AWS)
        await elapse(300.0)
        stage.heals(AZURE, OCI, AWS)
        await elapse(900.0)
        await stage.stop()
    decisions = stage.journal.decisions
    assert unlike_then(decisions) == []
    kinds = {each.came.kind for each in decisions}
    assert kinds >= {OutcomeKind.WRITE, OutcomeKind.IN_SYNC, OutcomeKind.HOLD}
    assert {each.inputs.revision for each in decisions} == {"r1", "r2"}
    again = through_the_journal(decisions)
    assert [each.came for each in again if each.policy.name == "web"] == [
        each.came for each in decisions if each.policy.name == "web"
    ]


@virtually
async def test_an_evening_on_which_nothing_happens_leaves_one_decision_of_each_target() -> None:
    async with playing(API, WEB) as stage:
        await normal(stage)
        await elapse(60.0)
        before = len(stage.journal.decisions)
        await elapse(3_600.0)
        assert len(stage.journal.decisions) == before


@virtually
async def test_a_decision_that_cannot_be_taken_down_is_done_all_the_same_and_that_is_told_once() -> None:
    def defective(decision: Decided) -> None:
        raise TypeError(f"unhashable: {decision.version}")

    async with playing(API) as stage:
        await normal(stage)
        stage.engine.writer.decided = defective  # type: ignore[method-assign]
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        await elapse(60.0)
        told = [event for event in stage.events if isinstance(event, JournalFailed)]
        assert [event.reason for event in told] == ["journal_decision_unwritable"]
        assert not [event for event in stage.events if isinstance(event, TaskCrashed | DecisionCrashed)]


@virtually
async def test_who_is_in_the_answer_alone_is_decided_again_by_what_the_provider_said_of_weights() -> None:
    """The policy asks for members only; its provider keeps the weights all the same."""
    members = replace(API, weights=Weights.MEMBERSHIP)
    async with playing(members) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        stage.heals(AZURE)
        await elapse(200.0)
        await stage.stop()
    assert {tuple(each.came.after.values()) for each in stage.journal.decisions if each.came.moves} > {(7_000, 3_000)}
    assert unlike_then(stage.journal.decisions) == []
