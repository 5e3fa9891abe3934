"""The loop, as scripts: what happened, and what it did."""

import asyncio
from itertools import pairwise

import pytest
from support.approving import limits
from support.stage import (
    API,
    AT,
    AWS,
    AZURE,
    NORMAL,
    OCI,
    SECOND,
    ZONE,
    Stage,
    normal,
    playing,
    policy,
    record,
    regions,
    status,
)
from support.virtual import until, virtually

from failoverd.codec import load
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.inputs import DecisionInputs
from failoverd.core.control.outcome import Estate
from failoverd.core.errors import Permanent, ProviderError, RateLimited, Transient
from failoverd.core.events import (
    ChangeApplied,
    ChangeVerified,
    DecisionCrashed,
    DecisionMade,
    FailoverHeld,
    IncidentClosed,
    IncidentOpened,
    Level,
    PlanHeld,
    TargetDelayed,
)
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import Marker, Policy, RecordSet, RecordType
from failoverd.core.status import PolicyStatus, RegionStatus, TargetState
from failoverd.ports import ChangeOutcome
from failoverd.runtime.agenda import GATHER
from failoverd.simulation.faults import Fault, hang, refused
from failoverd.simulation.simulated_daemon import TICK
from failoverd.simulation.virtual_time import elapse, now

# -- from the first look to the way back -------------------------------------------------------------------------------


def waits(event: DecisionMade) -> bool:
    """Whether a region that serves again is kept out for a while."""
    return any(reason.code is ReasonCode.FAILBACK_HOLD for reason in event.reasons)


@virtually
async def test_a_healthy_start_creates_the_record_and_its_marker() -> None:
    async with playing(API) as stage:
        await until(stage.steers(API, **NORMAL))
        assert stage.zonefile.observe(AT).marker == Marker("prod", "api", 1, (RecordType.A,))
        await elapse(60.0)
        assert len(stage.zonefile.writes) == 1
        (applied,) = stage.told(ChangeApplied)
        assert (applied.kind, applied.generation, applied.shares_to) == ("create", 1, {"azure": 7_000, "oci": 3_000})
        assert (applied.actor, applied.revision, applied.undo) == ("failoverd", "r1", "")
        assert [event.change_id for event in stage.told(ChangeVerified)] == [applied.change_id]
        assert stage.told(IncidentOpened) == []


@virtually
async def test_a_region_that_fails_endpoint_by_endpoint_costs_one_change_and_few_reads() -> None:
    """Each change counts against `max_changes`, and a cloud may allow five requests a second."""
    crowd = " ".join(f"192.0.2.{last}" for last in range(10, 90))
    found = policy(regions=regions(azure=(70, crowd), oci=(30, OCI)), limits=limits(max_changes=3))
    async with playing(found) as stage:
        await until(lambda: not stage.board.undecided("api"))
        await until(stage.steers(found, **NORMAL))
        reads = len(stage.dns.reads)
        assert reads < 10
        stage.fails(*crowd.split())
        await until(stage.steers(found, oci=100.0))
        kinds = [event.shares_to for event in stage.told(ChangeApplied)]
        assert len(kinds) == 2  # the first one, region.failed: that it is degraded is half the news
        assert len(stage.dns.reads) - reads < 10


@virtually
async def test_an_endpoint_that_fails_alone_leaves_the_answer_at_once() -> None:
    found = policy(regions=regions(azure=(70, f"{AZURE} {SECOND} 192.0.2.12 192.0.2.13 192.0.2.14"), oci=(30, OCI)))
    async with playing(found) as stage:
        await until(stage.steers(found, **NORMAL))
        await elapse(30.0)
        stage.fails(AZURE)
        await until(lambda: any(event.name == "endpoint.failed" for event in stage.events))
        failed_at = now()
        await until(lambda: len(stage.told(ChangeApplied)) == 2)
        assert now() - failed_at < 0.05


@virtually
async def test_an_endpoint_that_cannot_make_up_its_mind_holds_up_no_change_for_long() -> None:
    found = policy(regions=regions(azure=(70, f"{AZURE} {SECOND} 192.0.2.12 192.0.2.13 192.0.2.14"), oci=(30, OCI)))
    async with playing(found) as stage:
        await until(stage.steers(found, **NORMAL))
        await elapse(30.0)
        stage.fails(AZURE)
        await until(lambda: any(event.name == "endpoint.failed" for event in stage.events))
        failed_at = now()
        health = stage.board.table._policies["api"]
        health.open.add(health.endpoints[found.regions[1].endpoints[0]].checks[0])
        await until(lambda: len(stage.told(ChangeApplied)) == 2)
        assert now() - failed_at < GATHER + 0.05


@virtually
async def test_nothing_is_written_before_every_region_has_a_verdict() -> None:
    async with playing(API) as stage:
        stage.world.let("blind", AZURE)  # type: ignore[arg-type]
        await elapse(120.0)
        assert stage.zonefile.writes == []
        assert [event.verdict for event in stage.told(DecisionMade)] == ["hold_no_verdict"]
        assert status(stage).state is TargetState.HOLDING
        stage.heals(AZURE)
        await until(stage.steers(API, **NORMAL))


@virtually
async def test_a_region_fails_and_heals_one_change_each_way_and_one_incident_around_it() -> None:
    async with playing(API) as stage:
        await normal(stage)
        fault = now()
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        assert now() - fault <= 10.0 + 2 * 0.5 + 0.1
        assert stage.generation(API) == 2
        (out,) = stage.told(ChangeApplied)[1:]
        assert (out.shares_from, out.shares_to) == ({"azure": 7_000, "oci": 3_000}, {"oci": 10_000})
        assert out.rule_at == "policies/api.yaml:18"
        assert out.undo.startswith("paper put api.example.com 192.0.2.10=7000")
        assert AZURE in out.evidence[0].detail

        await elapse(60.0)
        stage.heals(AZURE)
        await until(lambda: stage.board.calm("api"))
        well = now()
        await until(stage.steers(API, **NORMAL))
        (held,) = [
            event
            for event in stage.told(DecisionMade)
            if any(each.code is ReasonCode.FAILBACK_HOLD for each in event.reasons)
        ]
        assert held.shares == {"oci": 10_000}
        assert 60.0 <= now() - well <= 60.0 + TICK + 0.1
        await until(lambda: stage.told(IncidentClosed))
        assert (stage.generation(API), len(stage.zonefile.writes)) == (3, 3)

        back = stage.told(ChangeApplied)[2]
        (opened,), (closed,) = stage.told(IncidentOpened), stage.told(IncidentClosed)
        assert {opened.incident_id, out.incident_id, back.incident_id} == {closed.incident_id}
        assert closed.changes == 2
        assert closed.lasted == pytest.approx(now() - opened.at, abs=0.1)


@virtually
async def test_every_region_down_moves_nothing() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        stage.fails(OCI)
        await elapse(120.0)
        assert stage.shares(API) == {"oci": 100.0}
        assert status(stage).kind == "hold_all_down"


@virtually
async def test_a_provider_that_is_away_does_not_hide_that_every_region_is_down_nor_that_one_is_back() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        stage.dns.down = Transient("no answer", reason="timeout")
        stage.fails(OCI)
        await until(lambda: status(stage).kind == "hold_all_down")
        assert (status(stage).state, status(stage).cause) == (TargetState.DELAYED, "")
        stage.heals(OCI)
        await until(lambda: status(stage).kind != "hold_all_down")
        assert status(stage).state is TargetState.DELAYED


@virtually
async def test_a_region_that_nobody_can_see_any_more_keeps_its_share() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.world.let("blind", AZURE, OCI)  # type: ignore[arg-type]
        await elapse(300.0)
        assert stage.shares(API) == NORMAL
        assert len(stage.zonefile.writes) == 1


@virtually
async def test_the_second_look_at_an_unchanged_world_says_nothing_and_writes_nothing() -> None:
    async with playing(API) as stage:
        await normal(stage)
        said, stated = len(stage.events), len(stage.journal.statuses)
        await elapse(600.0)
        assert (len(stage.events), len(stage.zonefile.writes)) == (said, 1)
        assert len(stage.journal.statuses) == stated


# -- limits ------------------------------------------------------------------------------------------------------------


async def falls_and_heals(stage: Stage, found: Policy) -> None:
    """Azure fails, its traffic leaves at once, and it is well again."""
    stage.fails(AZURE)
    await until(stage.steers(found, oci=100.0), within=30.0)
    stage.heals(AZURE)
    await until(lambda: stage.board.calm("api"))


@virtually
async def test_a_limit_holds_is_said_once_and_lets_go_by_itself() -> None:
    found = policy(limits=limits(max_changes=1, changes_window=600.0, shift_window=5.0), failback_after=10.0)
    async with playing(found) as stage:
        await normal(stage)
        await falls_and_heals(stage, found)
        await until(stage.steers(found, **NORMAL))
        first = stage.told(ChangeApplied)[-1].at
        await elapse(30.0)
        await falls_and_heals(stage, found)
        await until(lambda: status(stage).state is TargetState.LIMITED)
        (held,) = stage.told(PlanHeld)
        assert (held.rule_at, held.cause, held.level) == ("policies/api.yaml:24", Cause.RETURNING, Level.WARNING)
        assert held.until == pytest.approx(first + 600.0, abs=0.1)
        assert status(stage).until == held.until
        assert held.manual.startswith("paper put")
        await until(stage.steers(found, **NORMAL), within=700.0)
        assert first + 600.0 <= now() <= first + 600.0 + 0.1
        assert len(stage.told(PlanHeld)) == 1


@virtually
async def test_no_rate_and_no_count_keeps_a_region_that_is_down_and_its_return_goes_in_steps() -> None:
    found = policy(limits=limits(max_shift=2_000, shift_window=60.0), failback_after=10.0)
    async with playing(found) as stage:
        await normal(stage)
        for _ in range(3):
            await falls_and_heals(stage, found)
        assert stage.told(PlanHeld) == []
        back = []
        for _ in range(4):
            before = len(stage.told(ChangeApplied))
            await until(lambda before=before: len(stage.told(ChangeApplied)) > before)  # type: ignore[misc]
            back.append((stage.shares(found)["azure"], now()))
        assert [share for share, _ in back] == [20.0, 40.0, 60.0, 70.0]
        assert [round(later - sooner) for (_, sooner), (_, later) in pairwise(back)] == [60, 60, 60]


@virtually
async def test_only_min_regions_keeps_what_is_down_and_that_is_loud() -> None:
    found = policy(limits=limits(min_regions=2))
    async with playing(found) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(lambda: stage.told(FailoverHeld))
        await elapse(900.0)
        assert stage.shares(found) == NORMAL
        (held,) = stage.told(FailoverHeld)
        assert (held.until, held.wanted, held.level) == (None, {"oci": 10_000}, Level.ERROR)


# -- one writer per name, and the end ----------------------------------------------------------------------------------


@virtually
async def test_the_types_of_one_name_are_written_in_turn_and_two_names_at_once() -> None:
    four, six = record("api", f"api.{ZONE}"), record("api", f"api.{ZONE}", record_type=RecordType.AAAA)
    both = regions(azure=(70, AZURE), oci=(30, OCI), v6=(0, "2001:db8::1"))
    one, other = policy("api", records=(four, six), regions=both), policy("web")
    stage = Stage()
    stage.dns.latency = 0.4
    async with playing(one, other, stage=stage):
        await until(lambda: len(stage.zonefile.writes) >= 2)
        assert max(stage.dns.most_at_name.values()) == 1
        assert stage.dns.most_abreast == 2


@virtually
async def test_finish_waits_for_the_write_under_way() -> None:
    async with playing(API) as stage:
        await normal(stage)
        gate = asyncio.Event()
        stage.dns.on_apply.append(Fault(hold=gate))
        stage.fails(AZURE)
        await until(lambda: len(stage.dns.applies) == 2)
        finishing = asyncio.create_task(stage.reconcilers["api"].finish(5.0))
        await elapse(1.0)
        assert not finishing.done()
        gate.set()
        await finishing
        assert stage.shares(API) == {"oci": 100.0}
        assert ChangeOutcome.APPLIED is stage.journal.outcomes()[-1]


@virtually
async def test_finish_does_not_wait_for_ever() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.on_apply.append(hang())
        stage.fails(AZURE)
        await until(lambda: len(stage.dns.applies) == 2)
        begun = now()
        await stage.reconcilers["api"].finish(5.0)
        assert now() - begun == pytest.approx(5.0)


@virtually
async def test_after_finish_nothing_new_is_written_not_even_by_a_round_that_was_reading() -> None:
    async with playing(API) as stage:
        await normal(stage)
        gate = asyncio.Event()
        stage.dns.on_read.append(Fault(hold=gate))
        await until(lambda: not stage.dns.on_read)
        stage.fails(AZURE)
        await until(lambda: stage.names()[-1] == "region.failed")
        finishing = asyncio.create_task(stage.reconcilers["api"].finish(5.0))
        await elapse(0.1)
        gate.set()
        await finishing
        await elapse(60.0)
        assert (stage.shares(API), len(stage.dns.applies)) == (NORMAL, 1)


@virtually
async def test_a_newer_revision_takes_over_where_the_older_one_stood() -> None:
    async with playing(API) as stage:
        await normal(stage)
        await stage.take_up(policy(regions=regions(azure=(50, AZURE), oci=(50, OCI))))
        await until(lambda: stage.shares(API) == {"azure": 50.0, "oci": 50.0})
        assert stage.generation(API) == 2
        assert stage.told(IncidentOpened) == []


@virtually
async def test_a_standby_takes_over_and_gives_back() -> None:
    found = policy(regions=regions(azure=(100, f"{AZURE} {SECOND}"), aws=(0, AWS)))
    async with playing(found) as stage:
        await until(stage.steers(found, azure=100.0))
        stage.fails(AZURE)
        await until(lambda: AZURE not in str(stage.zonefile.observe(AT).records))
        stage.fails(SECOND)
        await until(stage.steers(found, aws=100.0))
        stage.heals(AZURE, SECOND)
        await until(stage.steers(found, azure=100.0))
        await until(lambda: stage.told(IncidentClosed))


@virtually
async def test_an_error_of_the_provider_is_one_of_four() -> None:
    """Whatever the provider raises on purpose leaves its own reason in the words of the operator."""
    errors: list[ProviderError] = [refused(), Permanent("no", reason="zone_missing"), RateLimited("no", reason="slow")]
    for error in errors:
        stage = Stage()
        stage.dns.down = error
        async with playing(API, stage=stage):
            await until(lambda stage=stage: stage.told(TargetDelayed))  # type: ignore[misc]
            assert stage.told(TargetDelayed)[0].reason == error.reason


@virtually
async def test_a_region_that_is_ill_as_well_is_not_blamed_for_a_change_that_it_has_no_part_in() -> None:
    standby = policy("api", regions=regions(azure=(70, AZURE), oci=(30, OCI), aws=(0, AWS)))
    async with playing(standby) as stage:
        stage.fails(AWS)
        await until(stage.steers(standby, **NORMAL))
        stage.fails(AZURE)
        await until(stage.steers(standby, oci=100.0))
        stage.heals(AZURE)
        await until(stage.steers(standby, **NORMAL))
        _, out, back = stage.told(ChangeApplied)
        assert [AZURE in reason.detail for reason in out.evidence] == [True]
        assert back.evidence == ()


# -- what is counted, and what goes wrong in a stage -------------------------------------------------------------------


@virtually
async def test_limits_are_the_records_and_not_the_processs() -> None:
    """Two daemons with journals of their own, on one zone: what one spends, the other has not."""
    found = policy(limits=limits(max_changes=2, changes_window=3_600.0, shift_window=1.0), failback_after=10.0)
    one = Stage()
    other = Stage(zonefile=one.zonefile, world=one.world)
    async with playing(found, stage=one), playing(found, stage=other):
        await normal(one)
        for _ in range(4):
            one.fails(AZURE)
            await until(one.steers(found, oci=100.0))
            one.heals(AZURE)
            await until(lambda: one.board.calm("api") and other.board.calm("api"))
            await elapse(30.0)
        returns = [write for write in one.zonefile.writes[1:] if len(write.records.serving) == 2]
        assert 1 <= len(returns) <= 2  # what the other one wrote is counted as whatever it may have been


@virtually
async def test_a_defect_in_a_stage_isolates_its_target_and_can_be_played_again() -> None:
    async with playing(API, stage=Stage()) as stage:
        await normal(stage)

        def defect(desired: RecordSet) -> RecordSet:
            raise KeyError(desired.ttl)

        stage.dns.normalise = defect  # type: ignore[method-assign]
        stage.fails(AZURE)
        await until(lambda: stage.told(DecisionCrashed))
        await elapse(30.0)
        (crashed,) = stage.told(DecisionCrashed)
        assert stage.shares(API) == NORMAL
        assert "KeyError" in crashed.error
        again = load(DecisionInputs, crashed.inputs)
        with pytest.raises(KeyError):
            evaluate(API, again.state, again.observed, Estate("prod", defect), again.now)
        outcome = evaluate(API, again.state, again.observed, Estate("prod", lambda desired: desired), again.now)
        assert outcome.shares == {"oci": 10_000}


@virtually
async def test_what_is_kept_of_a_policy_is_of_one_moment() -> None:
    """Else `status` says that all is well above a region that is down, until the next heartbeat."""
    async with playing(API) as stage:
        await until(stage.steers(API, **NORMAL))
        stage.fails(AZURE)
        kept = stage.journal.statuses
        await until(lambda: any(isinstance(each, RegionStatus) and each.state == "down" for each in kept.values()))
        assert any(isinstance(each, PolicyStatus) and each.incident_id for each in kept.values())
