"""Records that somebody else edits, empties, owns, or writes at the same time."""

import asyncio

import pytest
from support.stage import API, AT, AZURE, NORMAL, OCI, Stage, normal, playing, policy, record, regions, status, target
from support.virtual import until, virtually

from failoverd.core.control.drift import INTENT
from failoverd.core.errors import Fenced, Permanent
from failoverd.core.events import (
    ChangeApplied,
    ChangeFenced,
    DriftDetected,
    IncidentClosed,
    PlanRefused,
    TargetDelayed,
    TargetResumed,
)
from failoverd.core.records import OnDrift, RecordType
from failoverd.core.status import TargetState
from failoverd.ports import ChangeOutcome
from failoverd.runtime.target_worker import FENCED_TRIES
from failoverd.simulation.faults import Fault
from failoverd.simulation.simulated_daemon import TICK
from failoverd.simulation.virtual_time import elapse, now
from failoverd.telemetry import prose

# -- somebody else was here --------------------------------------------------------------------------------------------


@virtually
async def test_a_hand_edit_is_seen_at_the_next_tick_and_put_back() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.zonefile.put(AT, {"203.0.113.66": 1})
        edited = now()
        await until(stage.steers(API, **NORMAL))
        assert now() - edited <= TICK + 0.1
        (drift,) = stage.told(DriftDetected)
        assert drift.found == "203.0.113.66 (weight 1, ttl 30)"
        assert "puts its own answer back" in prose.say(drift)
        assert stage.told(ChangeApplied)[-1].kind == "restore"


@virtually
async def test_the_same_hand_edit_twice_is_said_twice() -> None:
    async with playing(API) as stage:
        await normal(stage)
        for _ in range(2):
            stage.zonefile.put(AT, {"203.0.113.66": 1})
            await until(stage.steers(API, **NORMAL))
            await elapse(TICK)
        assert len(stage.told(DriftDetected)) == 2


@virtually
async def test_with_on_drift_report_a_hand_edit_stays_and_is_said_once() -> None:
    found = policy(on_drift=OnDrift.REPORT)
    async with playing(found) as stage:
        await normal(stage)
        stage.zonefile.put(AT, {AZURE: 1, OCI: 1})
        await elapse(120.0)
        assert stage.shares(found) == {"azure": 50.0, "oci": 50.0}
        assert len(stage.told(DriftDetected)) == 1
        assert status(stage).state is TargetState.DRIFTED
        assert status(stage).manual.startswith("paper put")


@virtually
async def test_with_on_drift_report_a_failing_region_is_still_left() -> None:
    found = policy(on_drift=OnDrift.REPORT)
    async with playing(found) as stage:
        await normal(stage)
        stage.zonefile.put(AT, {AZURE: 1, OCI: 1})
        await elapse(30.0)
        stage.fails(AZURE)
        await until(stage.steers(found, oci=100.0))


@virtually
async def test_a_hand_edit_ends_no_hold() -> None:
    """Somebody puts a region back that is being held back: it is taken as meant, and makes the region no safer."""
    found = policy(failback_after=None)
    async with playing(found) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(found, oci=100.0))
        stage.heals(AZURE)
        await elapse(60.0)
        stage.zonefile.put(AT, {AZURE: 7_000, OCI: 3_000})
        await until(lambda: stage.told(DriftDetected))
        told, edited = stage.told(DriftDetected)[0], now()
        assert told.kind == "intended"
        assert told.until == pytest.approx(edited + INTENT, abs=0.1)
        await elapse(INTENT - TICK)
        assert stage.shares(found) == {"azure": 70.0, "oci": 30.0}
        assert status(stage).state is TargetState.DRIFTED
        assert status(stage).until == told.until
        await elapse(2 * TICK)
        assert stage.shares(found) == {"oci": 100.0}
        assert [event.will for event in stage.told(DriftDetected)][1:] == ["puts its own answer back"]


@virtually
async def test_an_edit_during_an_incident_gives_way_at_once_when_health_wants_something_new() -> None:
    found = policy(failback_after=None)
    async with playing(found) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(found, oci=100.0))
        stage.zonefile.put(AT, {AZURE: 7_000, OCI: 3_000})
        await until(lambda: stage.told(DriftDetected))
        stage.heals(AZURE)
        stage.fails(OCI)
        edited = now()
        await until(stage.steers(found, azure=100.0))
        assert now() - edited < INTENT / 2


@virtually
async def test_an_emptied_record_is_loss_and_is_rebuilt_whatever_on_drift_says() -> None:
    for on_drift in OnDrift:
        async with playing(policy(on_drift=on_drift)) as stage:
            await normal(stage)
            stage.zonefile.put(AT, None)
            await until(stage.steers(API, **NORMAL))
            assert stage.told(DriftDetected)[0].kind == "lost"


@virtually
async def test_with_on_drift_adopt_an_edit_becomes_the_answer_until_health_wants_something_else() -> None:
    found = policy(on_drift=OnDrift.ADOPT)
    async with playing(found) as stage:
        await normal(stage)
        stage.zonefile.put(AT, {AZURE: 1, OCI: 1})
        await until(lambda: stage.generation(found) == 2)
        await elapse(10 * TICK)
        assert stage.shares(found) == {"azure": 50.0, "oci": 50.0}
        assert stage.generation(found) == 2
        assert status(stage).state is TargetState.IN_SYNC
        assert stage.told(ChangeApplied)[-1].kind == "adopt"
        assert len(stage.told(DriftDetected)) == 1
        stage.fails(AZURE)
        await until(stage.steers(found, oci=100.0))
        stage.heals(AZURE)
        await until(stage.steers(found, **NORMAL))


@virtually
async def test_an_adopted_edit_outlives_a_restart() -> None:
    found = policy(on_drift=OnDrift.ADOPT)
    async with playing(found) as stage:
        await normal(stage)
        stage.zonefile.put(AT, {AZURE: 1, OCI: 1})
        await until(lambda: stage.generation(found) == 2)
    again = Stage(zonefile=stage.zonefile, journal=stage.journal, world=stage.world)
    async with playing(found, stage=again):
        await elapse(10 * TICK)
        assert again.shares(found) == {"azure": 50.0, "oci": 50.0}
        assert again.generation(found) == 2


@virtually
async def test_a_second_edit_is_adopted_like_the_first() -> None:
    found = policy(on_drift=OnDrift.ADOPT)
    async with playing(found) as stage:
        await normal(stage)
        for weight in (1, 3):
            stage.zonefile.put(AT, {AZURE: 1, OCI: weight})
            await elapse(10 * TICK)
        assert stage.shares(found) == {"azure": 25.0, "oci": 75.0}
        assert stage.generation(found) == 3


@virtually
async def test_an_adopted_edit_outlives_an_edit_of_another_type_of_the_same_name() -> None:
    found = policy(
        records=(record("api", "api.example.com"), record("api", "api.example.com", record_type=RecordType.AAAA)),
        regions=regions(azure=(70, f"{AZURE} 2001:db8::10"), oci=(30, f"{OCI} 2001:db8:1::10")),
        on_drift=OnDrift.ADOPT,
    )
    async with playing(found) as stage:
        await normal(stage)
        for number, edit in enumerate(({AZURE: 1, OCI: 1}, {"2001:db8::10": 1, "2001:db8:1::10": 1})):
            stage.zonefile.put(target(found, number), edit)
            await elapse(10 * TICK)
        assert stage.shares(found) == stage.shares(found, 1) == {"azure": 50.0, "oci": 50.0}
        assert stage.generation(found) == 4


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("on_drift", list(OnDrift))
def test_an_edit_that_became_what_is_wanted_is_no_edit_any_more(on_drift: OnDrift, restarted: bool) -> None:
    """Somebody puts a region back by hand a little early. When it fails again, it is left at once."""
    found = policy(on_drift=on_drift)

    @virtually
    async def scenario() -> None:
        async with playing(found) as stage:
            await normal(stage)
            stage.fails(AZURE)
            await until(stage.steers(found, oci=100.0))
            stage.heals(AZURE)
            await elapse(30.0)
            stage.zonefile.put(AT, {AZURE: 7_000, OCI: 3_000})
            await until(lambda: stage.told(DriftDetected))
            await until(lambda: stage.told(IncidentClosed))
            await elapse(2 * TICK)
            stage.fails(AZURE)
            if not restarted:
                await elapse(30.0)
                assert stage.shares(found) == {"oci": 100.0}
                return
        again = Stage(zonefile=stage.zonefile, journal=stage.journal, world=stage.world)
        async with playing(found, stage=again):
            await elapse(60.0)
            assert again.shares(found) == {"oci": 100.0}

    scenario()


@virtually
async def test_a_marker_that_somebody_deleted_is_a_reason_of_its_own_and_nothing_is_touched() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.zonefile.mark(AT, None)
        await until(lambda: stage.told(PlanRefused))
        assert [event.reason for event in stage.told(PlanRefused)] == ["marker_lost"]
        stage.fails(AZURE)
        await elapse(10 * TICK)
        assert stage.shares(API) == {"azure": 70.0, "oci": 30.0}


@virtually
async def test_a_restore_that_cannot_be_written_says_the_drift_once() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.readonly = Permanent("updates are not allowed", reason="refused", remedy="allow them")
        stage.zonefile.put(AT, {"203.0.113.66": 1})
        await elapse(300.0)
        assert len(stage.told(DriftDetected)) == 1


@virtually
async def test_an_edit_beside_another_type_of_the_same_name_is_still_an_edit() -> None:
    """A and AAAA share one marker, so the generation of one grows with the writes of the other."""
    found = policy(
        records=(record("api", "api.example.com"), record("api", "api.example.com", record_type=RecordType.AAAA)),
        regions=regions(azure=(70, f"{AZURE} 2001:db8::10"), oci=(30, f"{OCI} 2001:db8:1::10")),
        on_drift=OnDrift.REPORT,
    )
    async with playing(found) as stage:
        await normal(stage)
        assert stage.generation(found) == 2
        for number, edit in enumerate(({AZURE: 1, OCI: 1}, {"2001:db8::10": 1, "2001:db8:1::10": 1})):
            stage.zonefile.put(target(found, number), edit)
        await elapse(60.0)
        assert sorted(event.record for event in stage.told(DriftDetected)) == [
            "api.example.com A",
            "api.example.com AAAA",
        ]
        assert stage.shares(found) == stage.shares(found, 1) == {"azure": 50.0, "oci": 50.0}


@pytest.mark.parametrize("with_marker", [True, False])
def test_an_emptied_record_is_rebuilt_with_a_newer_generation(with_marker: bool) -> None:
    @virtually
    async def scenario() -> None:
        async with playing(API) as stage:
            await normal(stage)
            stage.zonefile.put(AT, None)
            if not with_marker:
                stage.zonefile.mark(AT, None)
            await until(stage.steers(API, **NORMAL))
            assert stage.generation(API) == 2
            assert stage.told(ChangeApplied)[-1].kind == "restore"
            assert [(event.kind, event.found) for event in stage.told(DriftDetected)] == [("lost", "no answer")]

    scenario()


@virtually
async def test_an_emptied_record_gets_its_last_answer_back_even_while_everything_is_down() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.fails(AZURE, OCI)
        await until(lambda: status(stage).kind == "hold_all_down")
        stage.zonefile.put(AT, None)
        await until(lambda: stage.shares(API) != {})
        assert sum(stage.shares(API).values()) == 100.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("v=1 owner=staging policy=api gen=4 types=A", "other_owner"),
        ("v=1 owner=prod policy=web gen=4 types=A", "other_policy"),
        ("v=9 something else", "foreign_marker"),
        ("v=1 owner=prod policy=api gen=4 types=AAAA", "no_marker"),
        (None, "no_marker"),
    ],
)
def test_a_name_that_is_not_ours_is_refused_once_and_never_touched(text: str | None, reason: str) -> None:
    @virtually
    async def scenario() -> None:
        stage = Stage()
        stage.zonefile.put(AT, {"203.0.113.66": 1})
        stage.zonefile.mark(AT, text)
        async with playing(API, stage=stage):
            await elapse(120.0)
            stage.fails(AZURE)
            await elapse(60.0)
            assert stage.zonefile.writes == []
            assert [event.reason for event in stage.told(PlanRefused)] == [reason]
            assert status(stage).state is TargetState.REFUSED
            assert status(stage).remedy

    scenario()


@virtually
async def test_a_name_that_was_adopted_is_worked_on_from_then_on() -> None:
    stage = Stage()
    stage.zonefile.put(AT, {AZURE: 1, OCI: 1})
    async with playing(API, stage=stage):
        await until(lambda: stage.told(PlanRefused))
        stage.zonefile.mark(AT, "v=1 owner=prod policy=api gen=1 types=A")
        await until(stage.steers(API, **NORMAL))
        assert stage.generation(API) == 2


# -- the fence ---------------------------------------------------------------------------------------------------------


@virtually
async def test_a_rival_that_writes_first_is_read_again_at_once() -> None:
    async with playing(API) as stage:
        await normal(stage)
        gate = asyncio.Event()
        stage.dns.on_apply.append(Fault(hold=gate))
        stage.fails(AZURE)
        await until(lambda: len(stage.dns.applies) == 2)
        stage.zonefile.put(AT, {AZURE: 1, OCI: 1})
        stage.zonefile.mark(AT, "v=1 owner=prod policy=api gen=7 types=A")
        released = now()
        gate.set()
        await until(stage.steers(API, oci=100.0))
        assert now() - released < 0.1
        assert stage.generation(API) == 8
        assert len(stage.told(ChangeFenced)) == 1
        assert ChangeOutcome.FENCED in stage.journal.outcomes()
        assert stage.told(TargetDelayed) == []


@virtually
async def test_a_provider_that_fences_for_ever_is_not_asked_in_a_tight_loop() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.readonly = Fenced("it says so", reason="stale_generation", remedy="nothing to do")
        tried = len(stage.dns.applies)
        stage.fails(AZURE)
        await until(lambda: stage.told(TargetDelayed))
        assert len(stage.dns.applies) - tried == FENCED_TRIES + 1
        assert "4 times in a row" in stage.told(TargetDelayed)[0].detail
        assert "who else writes the name" in stage.told(TargetDelayed)[0].remedy
        await elapse(300.0)
        assert len(stage.dns.applies) - tried < 40
        stage.dns.readonly = None
        await until(stage.steers(API, oci=100.0))
        assert len(stage.told(TargetResumed)) == 1


@virtually
async def test_two_daemons_at_one_record_converge_and_no_older_generation_ever_wins() -> None:
    one = Stage()
    other = Stage(zonefile=one.zonefile, world=one.world)
    async with playing(API, stage=one), playing(API, stage=other):
        for _ in range(5):
            one.fails(AZURE)
            await until(one.steers(API, oci=100.0))
            await elapse(30.0)
            one.heals(AZURE)
            await until(one.steers(API, **NORMAL))
            await elapse(30.0)
    generations = [write.marker.generation for write in one.zonefile.writes]
    assert generations == list(range(1, len(generations) + 1))
    assert all(write.records.serving for write in one.zonefile.writes)
