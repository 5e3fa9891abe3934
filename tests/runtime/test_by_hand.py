"""A person pastes the command that failoverd printed, while it works, while it is down, and while it dies."""

from support.approving import limits
from support.stage import API, AT, AZURE, NORMAL, OCI, Stage, normal, playing, policy, target
from support.virtual import until, virtually

from failoverd.core.control.by_hand import SETTLES
from failoverd.core.control.plan import PlanKind
from failoverd.core.events import (
    ChangeApplied,
    DriftDetected,
    OverrideEnded,
    OverrideEnding,
    OverrideEvent,
    OverrideGiven,
    OverridesLost,
)
from failoverd.core.overrides import BY_HAND, HAND, Override
from failoverd.core.records import Marker
from failoverd.ports import ChangeOutcome
from failoverd.simulation.faults import Script, refused
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.simulated_daemon import TICK
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.zonefile import Zonefile

ONE_TO_FOUR = {"azure": 20.0, "oci": 80.0}


def by_hand(zonefile: Zonefile, weights: dict[str, int] | None = None) -> Marker:
    """The printed command: the answer, and the marker that says who did it."""
    marker = zonefile.observe(AT).marker
    assert marker is not None
    marker = Marker(marker.owner, marker.policy, marker.generation + 1, marker.types, by_hand=True)
    zonefile.put(AT, weights or {AZURE: 1, OCI: 4})
    zonefile.mark(AT, marker.to_text())
    return marker


def word(stage: Stage) -> Override:
    (found,) = stage.engine.overrides.all()
    return found


@virtually
async def test_it_is_kept_for_half_an_hour_warned_of_and_goes_back_by_the_limits() -> None:
    async with playing(API) as stage:
        await normal(stage)
        by_hand(stage.zonefile)
        await until(lambda: stage.told(OverrideGiven))
        began = now()
        assert stage.shares(API) == ONE_TO_FOUR
        await elapse(BY_HAND - 5.0)
        assert stage.shares(API) == ONE_TO_FOUR
        await until(stage.steers(API, **NORMAL), within=3_600.0)
        assert now() - began > BY_HAND
        told = [type(event) for event in stage.events if isinstance(event, OverrideEvent)]
        assert told == [OverrideGiven, OverrideEnding, OverrideEnded]
        assert {event.actor for event in stage.told(OverrideEvent)} == {HAND}
        kinds = [event.kind for event in stage.told(ChangeApplied)][1:]
        assert kinds[:2] == ["by_hand", "mark"]
        assert stage.told(DriftDetected) == []


@virtually
async def test_it_is_in_the_history_with_its_actor_and_with_what_ends_it() -> None:
    async with playing(API) as stage:
        await normal(stage)
        by_hand(stage.zonefile)
        found = await until_told(stage)
        assert (found.actor, found.shares_from, found.shares_to) == (
            HAND,
            {"azure": 7_000, "oci": 3_000},
            {"azure": 2_000, "oci": 8_000},
        )
        assert found.undo == f"failoverctl release {word(stage).id}"
        await elapse(1.0)
        entry = stage.journal.changes[found.change_id]
        assert (entry.outcome, entry.plan.kind) == (ChangeOutcome.APPLIED, PlanKind.BY_HAND)


async def until_told(stage: Stage) -> ChangeApplied:
    def told() -> list[ChangeApplied]:
        return [event for event in stage.told(ChangeApplied) if event.kind == PlanKind.BY_HAND]

    await until(told)
    return told()[-1]


@virtually
async def test_all_that_people_do_by_hand_leaves_the_limits_to_the_daemon() -> None:
    """Each command used to count as a change of ours, and what it had reverted as another."""
    found = policy(limits=limits(max_changes=2))
    async with playing(found) as stage:
        await normal(stage)
        await elapse(SETTLES)
        for weights in ({AZURE: 1, OCI: 4}, {AZURE: 1, OCI: 1}, {AZURE: 4, OCI: 1}, {AZURE: 1, OCI: 2}):
            given = len(stage.told(OverrideGiven))
            by_hand(stage.zonefile, weights)
            await until(lambda given=given: len(stage.told(OverrideGiven)) > given)  # type: ignore[misc]
            await elapse(SETTLES * 2)
        assert "plan.held" not in stage.names()
        memory = stage.states.of("api").of(AT)
        assert [change for change in memory.changes if change.assumed] == []
        assert sum(bool(change.rationed) for change in memory.changes) <= 1


@virtually
async def test_a_word_that_is_taken_back_is_over_though_the_marker_says_by_hand_still() -> None:
    async with playing(API) as stage:
        await normal(stage)
        by_hand(stage.zonefile)
        await until_told(stage)
        released = word(stage).released("alice@host", "a slip", now())
        given = OverrideGiven(at=now(), override="", verb="", about="", actor="", reason="", until=0.0)
        await stage.engine.say(released, given)
        await until(stage.steers(API, **NORMAL), within=3_600.0)
        assert len(stage.told(ChangeApplied)) >= 2
        assert word(stage).ended_by == "alice@host"


@virtually
async def test_a_daemon_that_lost_its_journal_keeps_what_a_person_did_before_or_after() -> None:
    async with playing(API) as stage:
        await normal(stage)
        by_hand(stage.zonefile)
    async with playing(API, stage=Stage(zonefile=stage.zonefile, world=stage.world)) as other:
        await until(lambda: other.told(OverrideGiven))
        first = word(other).id
        await elapse(SETTLES / 2)
        assert other.shares(API) == ONE_TO_FOUR
    async with playing(API, stage=Stage(zonefile=stage.zonefile, world=stage.world)) as third:
        await until(lambda: third.told(OverrideGiven))
        assert word(third).id == first
        await elapse(600.0)
        assert third.shares(API) == ONE_TO_FOUR
        assert third.told(OverridesLost) == []


@virtually
async def test_what_was_done_by_hand_while_the_provider_was_out_of_reach_is_kept_when_it_is_back() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.dns.down = refused()
        await elapse(60.0)
        by_hand(stage.zonefile)
        await elapse(60.0)
        stage.dns.down = None
        await until(lambda: stage.told(OverrideGiven))
        await elapse(600.0)
        assert stage.shares(API) == ONE_TO_FOUR


@virtually
async def test_a_kill_at_any_step_leaves_one_word_and_never_what_stood_before() -> None:
    steps = 0
    while True:
        steps += 1
        journal, zonefile = PaperJournal(), Zonefile()
        async with playing(API, stage=Stage(journal=journal, zonefile=zonefile)) as stage:
            await normal(stage)
        by_hand(zonefile)
        script = Script(kill_at=steps)
        dying = Stage(journal=journal, zonefile=zonefile, world=stage.world)
        dying.dns.script = journal.script = script
        dying.start(API)
        await elapse(SETTLES + TICK)
        await dying.kill()
        journal.script = None
        async with playing(API, stage=Stage(journal=journal, zonefile=zonefile, world=stage.world)) as again:
            await until(lambda again=again: again.engine.overrides.all())  # type: ignore[misc]
            await elapse(SETTLES + 2 * TICK)
            assert again.shares(API) == ONE_TO_FOUR, steps
            assert len(again.engine.overrides.all()) == 1, steps
            assert again.told(OverridesLost) == [], steps
            marker = zonefile.observe(target(API)).marker
            assert marker is not None
            assert (marker.by_hand, marker.overrides) == (False, (word(again).id,)), steps
        assert {write.records for write in zonefile.writes[1:]} <= {zonefile.observe(AT).records}, steps
        if not script.killed.is_set():
            break
    assert steps > 20
