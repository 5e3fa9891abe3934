"""Three daemons of one installation, with a coordinator: one leads, and any of them can go."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from support.cluster import TIMEOUT, Dark, papers
from support.coordinating import REFUSED, UNANSWERED, PaperQuorum
from support.operating import undoable_of
from support.stage import API, AT, AZURE, NORMAL, OCI, Stage, playing, status
from support.trio import LEASE, NAMES, RETRY, Trio, drain, settled, trio
from support.virtual import until, virtually

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.rivals import MOST_UNDONE
from failoverd.core.errors import CoordinationError, Permanent
from failoverd.core.events import (
    ChangeApplied,
    ChangeFenced,
    CoordinatorLost,
    CoordinatorRestored,
    IncidentClosed,
    LeaderElected,
    LeaderLost,
    LeaderOutranked,
    MemoryRead,
    MemoryUnread,
    OverrideEnding,
    PlanHeld,
    PracticeEnded,
    TargetDelayed,
)
from failoverd.core.health.region import RegionState
from failoverd.core.members import MemberRole, Uncoordinated
from failoverd.core.overrides import Announced, Comment, Scope, Verb
from failoverd.core.reasons import Limit
from failoverd.core.records import RecordType
from failoverd.core.status import TargetState
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.operations.concerns import Condition, of_members
from failoverd.operations.judging import OverrideError
from failoverd.runtime.members.leading import HIGHEST_FLOOR
from failoverd.runtime.target_worker import SHADOW_READ
from failoverd.simulation.faults import Fault, Moment, Script, hang, refused
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import Does
from failoverd.telemetry.prose import say


@virtually
async def test_one_of_three_writes_and_the_others_know_who() -> None:
    async with trio() as found:
        await settled(found)
        assert len(found.leaders) == 1
        assert {write.marker.epoch for write in found.zonefile.writes} == {found.leader.engine.lead.epoch}
        for other in found.others():
            assert not other.told(ChangeApplied)
            (elected,) = other.told(LeaderElected)
            assert (elected.leader, elected.mine) == (found.leaders[0], False)
            assert other.states.of("api").of(AT).last_good == found.leader.states.of("api").of(AT).last_good


@virtually
async def test_an_hour_in_which_nothing_happens_writes_no_state_in_the_common_memory_and_none_in_a_journal() -> None:
    async with trio() as found:
        await settled(found)
        await elapse(120.0)
        written = found.states_written()
        assert len(written) > len(NAMES)
        assert all(written.values())
        await elapse(3_600.0)
        assert found.states_written() == written


@virtually
async def test_an_hour_of_a_provider_that_does_not_answer_writes_no_state_either() -> None:
    async with trio() as found:
        await settled(found)
        await elapse(120.0)
        for provider in (each for stage in found.stages.values() for each in papers(stage)):
            provider.down = refused()
        await until(lambda: all(stage.told(TargetDelayed) for stage in found.stages.values()))
        await elapse(120.0)
        written = found.states_written()
        await elapse(3_600.0)
        assert found.states_written() == written


@virtually
async def test_a_region_dies_and_one_change_takes_it_out() -> None:
    async with trio() as found:
        await settled(found)
        writes = len(found.zonefile.writes)
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        await elapse(60.0)
        assert len(found.zonefile.writes) == writes + 1


@virtually
async def test_a_leader_that_is_killed_is_followed_within_its_lease_and_the_region_is_left() -> None:
    async with trio() as found:
        await settled(found)
        first, epoch = found.leader, found.epoch
        killed = now()
        await first.kill()
        first.fails(AZURE)
        await until(lambda: [name for name in found.leaders if found.stages[name] is not first])
        assert now() - killed <= LEASE + 2.0
        del found.stages[next(name for name, each in found.stages.items() if each is first)]
        await until(found.leader.steers(API, oci=100.0))
        assert found.epoch > epoch


@virtually
async def test_a_leader_that_is_stopped_hands_over_within_a_second() -> None:
    async with trio() as found:
        await settled(found)
        first = found.leader
        began = now()
        await first.stop()
        await until(lambda: found.leaders)
        assert now() - began <= 1.0 + RETRY


async def resigned(found: Trio, seconds: float) -> str:
    """The leader resigned for so long, as a person wanted, and another one leads."""
    (name,) = found.leaders
    leading = found.leader.engine.member.lead
    assert await leading.step_down(seconds, "alex asked it to resign: a new disk")
    await until(lambda: found.leaders and found.leaders != [name])
    return name


async def killed_but(found: Trio, *names: str) -> None:
    for name in [each for each in found.stages if each not in names]:
        await found.stages.pop(name).kill()


@virtually
async def test_who_resigned_stands_again_where_nobody_else_led_for_a_lease_and_says_why() -> None:
    async with trio() as found:
        await settled(found)
        name = await resigned(found, 3_600.0)
        ends, began = now() + 3_600.0, now()
        await killed_but(found, name)
        await until(lambda: found.leaders == [name], within=3 * LEASE)
        assert 2 * LEASE - RETRY <= now() - began <= 2 * LEASE + 2 * RETRY
        elected = found.stages[name].told(LeaderElected)[-1]
        assert elected.mine
        assert elected.resigned_until == pytest.approx(ends, abs=2 * RETRY)
        assert "nobody else had led for a whole lease" in say(elected)


@virtually
async def test_who_resigned_counts_no_time_in_which_the_coordinator_did_not_answer() -> None:
    async with trio() as found:
        await settled(found)
        name = await resigned(found, 3_600.0)
        await killed_but(found, name)
        await elapse(LEASE + 5.0)
        found.ways[name].cut()
        await elapse(10 * LEASE)
        found.ways[name].mend()
        back = now()
        await until(lambda: found.leaders == [name], within=3 * LEASE)
        assert now() - back >= LEASE - RETRY


@virtually
async def test_who_stops_leads_no_more_though_nobody_else_does() -> None:
    async with trio() as found:
        await settled(found)
        (name,) = found.leaders
        await killed_but(found, name)
        await found.stages[name].engine.halt()
        await elapse(5 * LEASE)
        assert not found.leaders


@virtually
async def test_who_is_cut_off_stops_before_another_one_begins() -> None:
    async with trio() as found:
        await settled(found)
        first = found.leader
        (name,) = found.leaders
        found.ways[name].cut()
        cut = now()
        await until(lambda: first.told(LeaderLost))
        lost = now()
        await until(lambda: found.leaders)
        assert lost - cut < now() - cut
        assert found.leaders != [name]
        assert lost - cut <= LEASE / 2 + LEASE / 4 + RETRY
        assert first.told(CoordinatorLost)


@virtually
async def test_who_is_heard_by_the_coordinator_and_hears_nothing_keeps_nobody_from_leading() -> None:
    async with trio() as found:
        await settled(found)
        (first,) = found.leaders
        found.ways[first].cut(UNANSWERED)
        found.world.let(Does.REFUSE, AZURE)
        cut_at = now()
        await until(lambda: found.leaders and found.leaders != [first], within=3 * LEASE)
        assert now() - cut_at <= LEASE + 4 * RETRY
        await until(lambda: takes_out(found))


@virtually
async def test_losing_the_coordinator_moves_nothing_and_it_goes_on_when_that_is_back() -> None:
    async with trio() as found:
        await settled(found)
        found.quorum.lose_quorum()
        await elapse(120.0)
        assert not found.leaders
        found.world.let(Does.REFUSE, AZURE)
        writes = len(found.zonefile.writes)
        await elapse(120.0)
        assert len(found.zonefile.writes) == writes
        found.quorum.regain_quorum()
        await until(lambda: found.leaders)
        await until(found.leader.steers(API, oci=100.0))


@virtually
async def test_members_that_may_take_a_dead_region_out_without_a_coordinator_and_nothing_else() -> None:
    async with trio(of=Trio(Uncoordinated.FAILING_OUT)) as found:
        await settled(found)
        found.quorum.lose_quorum()
        await elapse(120.0)
        some = next(iter(found.stages.values()))
        some.fails(AZURE)
        await until(some.steers(API, oci=100.0))
        some.heals(AZURE)
        await elapse(300.0)
        assert some.shares(API) == {"oci": 100.0}
        found.quorum.regain_quorum()
        await until(some.steers(API, **NORMAL))


@virtually
async def test_a_vantage_never_leads_and_never_writes() -> None:
    roles = {"azure-1": MemberRole.VANTAGE, "oci-1": MemberRole.VANTAGE}
    async with trio(of=Trio(roles=roles)) as found:
        await settled(found)
        assert found.leaders == ["aws-1"]
        await found.leader.kill()
        await elapse(120.0)
        assert not [name for name in found.leaders if name != "aws-1"]


@virtually
async def test_a_word_that_any_member_hears_is_heeded_by_the_leader_and_by_who_follows_it() -> None:
    async with trio() as found:
        await settled(found)
        other = found.others()[0]
        word = drain("azure")
        assert await other.engine.say(word, None)
        await until(found.leader.steers(API, oci=100.0))
        await found.leader.kill()
        await until(lambda: found.leaders and found.leader is not None)
        await elapse(60.0)
        assert found.leader.shares(API) == {"oci": 100.0}
        assert found.leader.engine.words() == (word,)


@virtually
async def test_who_follows_shows_what_the_leader_wrote() -> None:
    """It reads what stands there in some minutes only, unless it hears that the leader wrote since."""
    async with trio() as found:
        await settled(found)
        await elapse(SHADOW_READ + 60.0)
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        await elapse(5.0)
        for stage in found.stages.values():
            assert status(stage).published == {"oci": 10_000}


@virtually
async def test_what_is_for_the_leader_to_write_keeps_nobody_else_busy() -> None:
    """A word is written into the marker, which those who follow read again in some minutes only."""
    async with trio() as found:
        await settled(found)
        await elapse(SHADOW_READ + 60.0)  # all of them have seen what stands there
        hold = replace(drain("azure"), id="hold-1", verb=Verb.HOLD, scope=Scope(("api",)))
        scripts = [Script(kill_at=500) for _ in found.others()]
        for stage, script in zip(found.others(), scripts, strict=True):
            stage.journal.script = script
        assert await found.leader.engine.say(hold, None)
        await elapse(30.0)
        assert max(script.steps for script in scripts) < 100


@virtually
async def test_a_word_that_no_leader_can_hear_is_refused() -> None:
    async with trio() as found:
        await settled(found)
        other = found.others()[0]
        next(way for name, way in found.ways.items() if found.stages[name] is other).cut()
        with pytest.raises(CoordinationError, match="does not lead") as refused:
            await other.engine.say(drain("azure"), None)
        assert refused.value.remedy.startswith(f"say it to {found.leaders[0]} itself")
        await elapse(LEASE)
        with pytest.raises(CoordinationError, match="does not lead") as refused:
            await other.engine.say(drain("azure"), None)
        assert "--without-daemon" in refused.value.remedy
        assert not other.engine.words()


@virtually
@pytest.mark.parametrize("phase", [0.05, 0.35, 0.65, 0.95])
async def test_who_hears_that_the_leader_left_asks_at_once_who_leads(phase: float) -> None:
    """Not when it would have asked anyway: that may be a whole second later."""
    async with trio() as found:
        await settled(found)
        await elapse(phase * RETRY)
        leading, first, left_at = found.leader.engine.member.lead, found.leader, now()
        await leading.step_down(30.0, "it resigned")
        await until(lambda: found.leaders)
        assert found.leader is not first
        assert now() - left_at < RETRY / 10


@virtually
async def test_budgets_and_the_incident_go_over_to_the_next_leader() -> None:
    async with trio() as found:
        await settled(found)
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        await elapse(5.0)
        first = found.leader
        known = first.states.of("api")
        await first.kill()
        await until(lambda: found.leaders and found.leader is not first)
        await elapse(10.0)
        taken = found.leader.states.of("api")
        assert taken.incident == known.incident
        assert [each.change_id for each in taken.of(AT).changes] == [each.change_id for each in known.of(AT).changes]


@virtually
async def test_what_a_leader_could_not_tell_it_knows_still_where_nobody_led_meanwhile() -> None:
    """The coordinator did not take it, nor answer for half a lease. A change was in doubt, and an incident open."""
    async with trio() as found:
        await settled(found)
        first, (name,), epoch = found.leader, found.leaders, found.epoch
        writes, answer = len(found.zonefile.writes), asyncio.Event()
        found.ways[name].denied = "shared/states/"
        for provider in papers(first):
            provider.on_apply.append(Fault(Moment.AFTER, refused("the answer was lost"), hold=answer))
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: len(found.zonefile.writes) > writes)
        incident = first.states.of("api").incident
        found.ways[name].cut(UNANSWERED)
        await until(lambda: first.told(LeaderLost), within=LEASE)
        answer.set()
        found.ways[name].mend()
        found.ways[name].denied = ""
        await until(lambda: found.leaders, within=LEASE)
        assert (found.leaders, found.leader.engine.lead.epoch) == ([name], epoch)
        await until(lambda: len(first.told(ChangeApplied)) == 2)
        assert first.told(ChangeApplied)[-1].incident_id == (incident.id if incident is not None else None)
        found.world.let(Does.ANSWER, AZURE)
        await until(lambda: first.told(IncidentClosed), within=600.0)
        assert {each.incident_id for each in first.told(IncidentClosed)} == {incident and incident.id}


@virtually
async def test_a_coordinator_that_came_back_from_a_backup_is_noticed_by_the_markers_and_epochs_go_on() -> None:
    async with trio() as found:
        await settled(found)
        old = found.quorum.backup()
        for _ in range(3):
            leading = found.leader.engine.member.lead
            await leading.step_down(30.0, "it resigned")
            await until(lambda: found.leaders)
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        epoch = found.epoch
        found.quorum.restore(old)
        await elapse(2 * LEASE)
        found.world.let(Does.ANSWER, AZURE)
        await until(found.leader.steers(API, **NORMAL))
        assert found.epoch > epoch
        assert [event for stage in found.stages.values() for event in stage.told(CoordinatorRestored)]
        writes = [write.marker.epoch for write in found.zonefile.writes]
        assert writes == sorted(writes)


@virtually
async def test_who_leads_before_and_after_the_coordinator_comes_back_from_a_backup_tells_anew_what_that_lacks() -> None:
    """Leases are in backups: it is the same leader in the same epoch, and whoever leads next has to know."""
    async with trio() as found:
        await settled(found)
        (name,), epoch, old = found.leaders, found.epoch, found.quorum.backup()
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        await elapse(5.0)
        told = found.targets_told()
        found.quorum.lose_quorum()
        await until(lambda: not found.leaders)
        found.quorum.restore(old)
        assert found.targets_told() != told
        await until(lambda: found.leaders == [name], within=LEASE)
        await until(lambda: found.targets_told() == told)
        assert found.leader.engine.lead.epoch == epoch


@pytest.mark.parametrize("epoch", [HIGHEST_FLOOR + 1, 10**18 - 1])
@virtually
async def test_a_marker_with_an_epoch_that_no_leader_came_to_is_left_until_a_person_says_that_nobody_leads_in_it(
    epoch: int,
) -> None:
    """Else the epochs of all would jump there, and those that follow fit into no marker."""
    async with trio() as found:
        await settled(found)
        before, marker = found.leader.engine.lead.epoch, found.zonefile.observe(AT).marker
        assert marker is not None
        found.zonefile.mark(AT, replace(marker, epoch=epoch).to_text())
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: found.leader.told(LeaderOutranked))
        await elapse(3 * LEASE)
        assert found.epoch == epoch
        assert not [event for stage in found.stages.values() for event in stage.told(CoordinatorRestored)]
        assert found.leader.engine.lead.epoch == before
        assert await found.leader.engine.settle_rivals(Scope(), "alice@desk", "nobody of ours wrote it")
        await until(found.leader.steers(API, oci=100.0))
        await found.stages.pop(found.leaders[0]).kill()
        await until(lambda: found.leaders, within=2 * LEASE)
        found.world.let(Does.ANSWER, AZURE)
        await until(found.leader.steers(API, **NORMAL))
        assert found.leader.engine.lead.epoch < HIGHEST_FLOOR


@virtually
async def test_the_highest_epoch_that_is_believed_leaves_room_for_leaders_to_come() -> None:
    async with trio() as found:
        await settled(found)
        marker = found.zonefile.observe(AT).marker
        assert marker is not None
        found.zonefile.mark(AT, replace(marker, epoch=HIGHEST_FLOOR).to_text())
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: found.leaders and found.leader.steers(API, oci=100.0)(), within=3 * LEASE)
        assert found.epoch > HIGHEST_FLOOR


@virtually
async def test_another_estate_with_the_same_owner_is_left_alone() -> None:
    """Its epochs may be higher: whoever reads one writes no more, and a person is told."""
    async with trio() as found:
        await settled(found)
        other = Trio(estate="-elsewhere", zonefile=found.zonefile, world=found.world)
        other.quorum.revision = 1_000
        async with trio(of=other) as stranger:
            await until(lambda: stranger.leaders)
            found.world.let(Does.REFUSE, AZURE)
            await until(lambda: found.epoch > 1_000)
            await elapse(120.0)
            assert found.leader.told(LeaderOutranked)
            assert not found.leader.told(CoordinatorRestored)
            writes = len(found.zonefile.writes)
            found.world.let(Does.ANSWER, AZURE)
            await until(stranger.leader.steers(API, **NORMAL))
            assert {write.marker.epoch > 1_000 for write in found.zonefile.writes[writes:]} == {True}


@virtually
async def test_what_is_shown_while_nobody_can_lead_is_what_would_be_done() -> None:
    async with trio(of=Trio(Uncoordinated.FAILING_OUT)) as found:
        await settled(found)
        found.quorum.lose_quorum()
        await elapse(60.0)
        some = next(iter(found.stages.values()))
        some.fails(AZURE)
        await until(some.steers(API, oci=100.0))
        some.heals(AZURE)
        await until(lambda: any(stage.told(PlanHeld) for stage in found.stages.values()))
        held = next(event for stage in found.stages.values() for event in stage.told(PlanHeld))
        assert [check.limit for check in held.limits] == [Limit.UNCOORDINATED]


def takes_out(found: Trio) -> bool:
    """Whether the region that died is out of the answer."""
    records = found.zonefile.observe(AT).records
    return records is not None and AZURE not in {answer.value for answer in records.serving}


@virtually
async def test_a_leader_that_does_not_reach_the_provider_lets_another_one_take_the_dead_region_out() -> None:
    async with trio() as found:
        await settled(found)
        first = found.leader
        for provider in papers(first):
            provider.script = Dark()
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: first.told(TargetDelayed))
        failed_at = now()
        await until(lambda: takes_out(found))
        assert now() - failed_at <= LEASE / 2 + 2 * RETRY
        (lost,) = first.told(LeaderLost)
        assert "another member may do it" in lost.cause
        await elapse(60.0)
        assert not first.engine.lead.leads


@virtually
async def test_where_nobody_reaches_the_provider_members_take_turns_ever_less_often_and_act_when_one_does() -> None:
    async with trio() as found:
        await settled(found)
        reached = [(provider, provider.script) for stage in found.stages.values() for provider in papers(stage)]
        for provider, _ in reached:
            provider.script = Dark()
        found.world.let(Does.REFUSE, AZURE)
        vacant = 0
        for _ in range(900):
            await elapse(1.0)
            vacant = 0 if found.leaders else vacant + 1
            assert vacant <= LEASE / 2, "nobody led"
        turns = [lost for stage in found.stages.values() for lost in stage.told(LeaderLost)]
        assert {lost.leader for lost in turns} == set(NAMES)
        assert len(turns) <= 15
        for provider, before in reached:
            provider.script = before
        mended_at = now()
        await until(lambda: takes_out(found))
        assert now() - mended_at <= TIMEOUT + LEASE / 2, "longer than the try that was under way"


@virtually
async def test_a_leader_that_does_not_reach_the_provider_and_has_nobody_to_give_way_to_goes_on_trying() -> None:
    roles = {"oci-1": MemberRole.VANTAGE, "aws-1": MemberRole.VANTAGE}
    async with trio(of=Trio(roles=roles)) as found:
        await settled(found)
        (provider,) = papers(found.leader)
        script, provider.script = provider.script, Dark()
        found.world.let(Does.REFUSE, AZURE)
        await elapse(120.0)
        provider.script = script
        mended_at = now()
        await until(lambda: takes_out(found))
        assert now() - mended_at <= LEASE


@virtually
async def test_a_coordinator_that_came_back_from_a_backup_brings_no_vote_of_yesterday_back() -> None:
    async with trio() as found:
        await settled(found)
        found.world.let(Does.ERROR, AZURE)
        await until(lambda: takes_out(found))
        await elapse(10.0)
        backup = found.quorum.backup()
        found.world.let(Does.ANSWER, AZURE)
        await until(found.leader.steers(API, **NORMAL))
        await elapse(60.0)
        found.quorum.restore(backup)
        written = len(found.zonefile.writes)
        await elapse(300.0)
        assert found.leader.shares(API) == NORMAL
        assert len(found.zonefile.writes) <= written + 1, "for the epoch, and nothing else"


@pytest.mark.parametrize("pause", [7.0, 7.4, 7.9, 8.3, 8.8])
@virtually
async def test_what_others_said_while_a_member_was_alone_is_counted_when_it_is_not_alone_any_more(pause: float) -> None:
    async with trio(of=Trio(uncoordinated=Uncoordinated.FAILING_OUT)) as found:
        await settled(found)
        found.world.let(Does.ERROR, AZURE)
        await until(lambda: takes_out(found))
        cut = found.leaders[0]
        found.ways[cut].cut(REFUSED)
        await elapse(60.0)
        found.world.let(Does.ANSWER, AZURE)
        await elapse(60.0 + pause)
        found.ways[cut].mend()
        await elapse(60.0)
        board = found.stages[cut].board
        assert board.regions("api", RecordType.A)["azure"].state is RegionState.HEALTHY


@virtually
async def test_a_word_that_a_leader_heard_while_it_was_cut_off_for_a_moment_is_known_to_all_soon_after() -> None:
    async with trio() as found:
        await settled(found)
        leader, (name,) = found.leader, found.leaders
        found.ways[name].cut()
        assert await leader.engine.say(drain("azure"), None)
        found.ways[name].mend()
        await elapse(LEASE)
        assert found.leaders == [name]
        assert all([word.id for word in stage.engine.words()] == ["drain-1"] for stage in found.stages.values())


@pytest.mark.parametrize("value", [b"[" * 100_000, b"\xff", b'{"v":2,"body":{}}', b'{"v":1}'])
@virtually
async def test_what_cannot_be_read_of_the_common_memory_is_told_once_and_keeps_nobody_from_the_rest(
    value: bytes,
) -> None:
    async with trio() as found:
        await settled(found)
        found.quorum.put("shared/words/odd", value)
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        await elapse(5.0)
        good = found.leader.states.of("api").of(AT).last_good
        for stage in found.stages.values():
            assert stage.states.of("api").of(AT).last_good == good
            assert [each.key for each in stage.told(MemoryUnread)] == ["shared/words/odd"]
            assert not stage.told(MemoryRead)


@virtually
async def test_a_value_that_could_not_be_read_and_is_deleted_is_no_trouble_any_more() -> None:
    async with trio() as found:
        await settled(found)
        found.quorum.put("shared/words/odd", b"odd")
        await elapse(5.0)
        found.quorum.delete("shared/words/odd")
        await elapse(5.0)
        assert all(len(stage.told(MemoryRead)) == 1 for stage in found.stages.values())


@virtually
async def test_a_value_that_could_not_be_read_and_is_gone_when_a_watch_begins_again_is_no_trouble_either() -> None:
    async with trio() as found:
        await settled(found)
        found.quorum.put("shared/words/odd", b"odd")
        await elapse(5.0)
        found.quorum.delete("shared/words/odd")
        found.quorum.compact()
        await elapse(2 * LEASE)
        assert all(len(stage.told(MemoryRead)) == 1 for stage in found.stages.values())


class Denied(Script):
    """A provider to which this member's credentials are not good any more."""

    async def step(self) -> None:
        raise Permanent("access denied", reason="access_denied", remedy="give it a key that holds")


@virtually
async def test_a_leader_whose_credentials_are_refused_lets_another_one_take_the_dead_region_out() -> None:
    async with trio() as found:
        await settled(found)
        first = found.leader
        for provider in papers(first):
            provider.script = Denied()
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: first.told(TargetDelayed))
        failed_at = now()
        await until(lambda: takes_out(found))
        assert now() - failed_at <= LEASE


@virtually
async def test_a_coordinator_that_takes_two_seconds_for_each_call_is_heard_again_after_it_was_lost() -> None:
    async with trio(of=Trio(quorum=PaperQuorum(LEASE, patience=5.0))) as found:
        await settled(found)
        for way in found.ways.values():
            way.delay = way.campaigning = 2.0
        found.quorum.lose_quorum()
        await elapse(30.0)
        found.quorum.regain_quorum()
        await until(lambda: found.leaders, within=3 * LEASE)
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: takes_out(found), within=3 * LEASE)


def heeding(found: Trio) -> list[str]:
    """Who heeds a word."""
    return [name for name, stage in found.stages.items() if stage.engine.overrides.in_force()]


@virtually
async def test_a_coordinator_that_came_back_from_a_backup_brings_no_word_back_that_was_released() -> None:
    async with trio() as found:
        await settled(found)
        word = drain("azure")
        await found.leader.engine.overrides.put(word, None)
        await elapse(5.0)
        backup = found.quorum.backup()
        await found.leader.engine.overrides.put(word.released("alex", "it is mended", now()), None)
        await elapse(5.0)
        assert not heeding(found)
        found.quorum.restore(backup)
        for _ in range(60):
            await elapse(1.0)
            assert not heeding(found)
        assert b"it is mended" in found.quorum.kept[f"shared/words/{word.id}"].value


@virtually
async def test_a_word_that_one_releases_while_another_one_prolongs_it_unheard_is_over_for_all() -> None:
    async with trio() as found:
        await settled(found)
        word = drain("azure")
        await found.leader.engine.overrides.put(word, None)
        await elapse(5.0)
        one, other = found.others()
        way = next(found.ways[name] for name, stage in found.stages.items() if stage is one)
        way.cut(REFUSED)
        longer = replace(word, until=word.until + 60.0, comments=(*word.comments, Comment(now(), "alex", "longer")))
        await one.engine.overrides.put(longer, None)
        await other.engine.overrides.put(word.released("sam", "it is mended", now()), None)
        await elapse(1.0)
        way.mend()
        await elapse(60.0)
        assert not heeding(found)


@pytest.mark.parametrize("what", ["shared/states/", "shared/words/", ""])
@virtually
async def test_what_a_person_deletes_in_the_coordinator_is_told_again_by_who_knows_it(what: str) -> None:
    async with trio() as found:
        await settled(found)
        word = drain("oci")
        await found.leader.engine.overrides.put(word, None)
        await elapse(60.0)
        stood = [key for key in found.quorum.kept if key.startswith(what)]
        for key in stood:
            found.quorum.delete(key)
        await elapse(5.0)
        await found.leader.engine.overrides.put(word.released("sam", "it is mended", now()), None)
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: takes_out(found))
        await elapse(30.0)
        assert not heeding(found)
        remembered = {key for key in stood if key.startswith(("shared/states/", "shared/words/"))}
        assert remembered
        assert remembered <= found.quorum.kept.keys()


# -- a leader that cannot read what it leads ---------------------------------------------------------------------------


def blind(found: Trio) -> tuple[Stage, str]:
    """The leader, and another member that cannot read the zone from now on; who is left would lead after it."""
    (name,) = found.leaders
    wrong, other = (each for each in NAMES if each != name)
    found.stages[wrong].dns.down = Permanent("the clocks differ", reason="clock_skewed")
    found.ways[other].cut()  # so that it does not stand
    return found.stages[name], other


async def outlived(found: Trio, first: Stage, other: str, *fails: str) -> None:
    """The leader dies, and those addresses with it; the one that cannot read leads."""
    await first.kill()
    del found.stages[next(name for name, stage in found.stages.items() if stage is first)]
    found.world.let(Does.REFUSE, *fails)
    await until(lambda: found.leaders and found.leaders != [other], within=LEASE + 2.0)
    found.ways[other].mend()


GIVES_WAY = LEASE / 2 + 5.0


@virtually
async def test_a_leader_that_cannot_read_what_others_wrote_last_gives_way_for_what_is_down() -> None:
    async with trio() as found:
        await settled(found)
        first, other = blind(found)
        found.world.let(Does.REFUSE, OCI)
        await until(first.steers(API, azure=100.0))
        found.world.let(Does.ANSWER, OCI)
        await until(first.steers(API, **NORMAL))
        await elapse(1.0)
        await outlived(found, first, other, AZURE)
        await until(found.stages[other].steers(API, oci=100.0), within=GIVES_WAY)


@virtually
async def test_a_leader_that_cannot_read_wants_nothing_where_what_others_wrote_last_is_right() -> None:
    async with trio() as found:
        await settled(found)
        first, other = blind(found)
        found.world.let(Does.REFUSE, OCI)
        await until(first.steers(API, azure=100.0))
        found.world.let(Does.ANSWER, OCI)
        await until(first.steers(API, **NORMAL))
        await outlived(found, first, other)
        await elapse(LEASE)
        shown = status(found.leader)
        assert (shown.state, shown.wanted, shown.manual) == (TargetState.DELAYED, {}, "")


@virtually
async def test_a_leader_that_cannot_read_gives_way_for_what_a_change_in_doubt_has_brought_back() -> None:
    async with trio() as found:
        await settled(found)
        first, other = blind(found)
        found.world.let(Does.REFUSE, OCI)
        await until(first.steers(API, azure=100.0))
        found.world.let(Does.ANSWER, OCI)
        first.dns.on_apply.append(hang(Moment.AFTER))
        await until(lambda: first.shares(API) == NORMAL)
        await outlived(found, first, other, OCI)
        await until(found.stages[other].steers(API, azure=100.0), within=GIVES_WAY)


@virtually
async def test_a_leader_that_cannot_read_gives_way_for_what_a_change_in_doubt_may_not_have_taken_off() -> None:
    async with trio() as found:
        await settled(found)
        first, other = blind(found)
        first.dns.on_apply.append(hang(Moment.BEFORE))
        writes = len(first.dns.applies)
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: len(first.dns.applies) > writes)
        await outlived(found, first, other)
        await until(found.stages[other].steers(API, oci=100.0), within=GIVES_WAY)


@virtually
async def test_a_write_without_a_fence_ends_with_the_lease_of_who_began_it() -> None:
    async with trio() as found:
        await settled(found)
        first, (name,) = found.leader, found.leaders
        answer = asyncio.Event()
        for stage in found.stages.values():
            stage.engine.tools.applier.unfenced = frozenset({AT.provider})
        for provider in papers(first):
            provider.on_apply.append(Fault(Moment.BEFORE, hold=answer))
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: first.engine.tools.applier.sending)
        found.ways[name].cut(UNANSWERED)
        cut_at = now()
        await until(lambda: not first.engine.tools.applier.sending, within=2 * LEASE)
        assert now() - cut_at <= LEASE
        answer.set()
        await until(lambda: takes_out(found), within=2 * LEASE)
        assert not [write for write in found.zonefile.writes if write.at >= cut_at and write.marker.epoch < found.epoch]


@virtually
async def test_a_write_without_a_fence_goes_on_for_as_long_as_the_lease_is_renewed() -> None:
    async with trio() as found:
        await settled(found)
        first = found.leader
        answer = asyncio.Event()
        first.engine.tools.applier.unfenced = frozenset({AT.provider})
        for provider in papers(first):
            provider.on_apply.append(Fault(Moment.BEFORE, hold=answer))
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: first.engine.tools.applier.sending)
        await elapse(LEASE / 2 + 5.0)
        assert first.engine.tools.applier.sending
        answer.set()
        await until(first.steers(API, oci=100.0))
        assert found.leader is first


@virtually
async def test_an_older_write_that_comes_late_where_nobody_compares_is_put_right_by_who_leads() -> None:
    async with trio() as found:
        await settled(found)
        first, (name,), before = found.leader, found.leaders, found.zonefile.observe(AT)
        assert before.marker is not None
        found.ways[name].cut(UNANSWERED)
        await until(lambda: found.leaders and found.leaders != [name], within=2 * LEASE)
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: takes_out(found))
        await elapse(5.0)
        found.zonefile.put(AT, {AZURE: 7_000, OCI: 3_000})
        found.zonefile.mark(AT, replace(before.marker, generation=2).to_text())
        epoch = before.marker.epoch
        await until(lambda: found.epoch > epoch and takes_out(found), within=120.0)
        assert not first.engine.lead.leads


@pytest.mark.parametrize("denied", ["vantages/members/", "vantages/"])
@virtually
async def test_a_member_that_may_campaign_and_not_tell_what_it_sees_says_so(denied: str) -> None:
    async with trio() as found:
        await settled(found)
        name, stage = next(each for each in found.stages.items() if each[1] in found.others())
        found.ways[name].denied = denied
        await elapse(2 * LEASE)
        told = stage.engine.members()
        assert told.coordinated
        assert told.trouble.startswith("votes are not told: permission denied")
        (concern,) = (each for each in of_members(told, now()) if each.subject == "coordinator")
        assert concern.level is Condition.PERSON
        found.ways[name].denied = ""
        await elapse(LEASE)
        assert not stage.engine.members().trouble


@virtually
async def test_who_is_cut_off_alone_and_sees_down_what_the_leader_serves_leaves_it_in_the_end() -> None:
    async with trio(of=Trio(Uncoordinated.FAILING_OUT, apart=True)) as found:
        await settled(found)
        (leader,) = found.leaders
        other = next(name for name in NAMES if name != leader)
        written = len(found.zonefile.writes)
        found.ways[other].cut(REFUSED)
        found.stages[other].fails(AZURE)
        await until(found.leader.steers(API, oci=100.0))
        await until(found.leader.steers(API, **NORMAL), within=3_600.0)
        await elapse(3_600.0)
        assert found.leader.shares(API) == NORMAL
        assert len(found.zonefile.writes) <= written + 6
        held = found.stages[other].told(PlanHeld)
        assert {check.limit for event in held for check in event.limits} == {Limit.UNCOORDINATED}


@virtually
async def test_two_that_are_alone_and_see_each_other_s_region_down_come_to_rest() -> None:
    async with trio(of=Trio(Uncoordinated.FAILING_OUT, apart=True)) as found:
        await settled(found)
        written = len(found.zonefile.writes)
        found.quorum.lose_quorum()
        await elapse(LEASE)
        found.stages["azure-1"].fails(OCI)
        found.stages["oci-1"].fails(AZURE)
        await elapse(600.0)
        assert len(found.zonefile.writes) <= written + 2 * MOST_UNDONE + 2
        found.stages["azure-1"].heals(OCI)
        found.stages["oci-1"].heals(AZURE)
        found.quorum.regain_quorum()
        await until(lambda: found.leaders)
        await until(found.leader.steers(API, **NORMAL))
        found.quorum.lose_quorum()
        await elapse(LEASE)
        for stage in found.stages.values():
            stage.fails(AZURE)
        await until(found.stages["azure-1"].steers(API, oci=100.0))


def desk(found: Trio, name: str) -> Desk:
    return Desk(found.stages[name].engine, now, undoable_of(found.journals[name]))


DRAIN = WordRequest(Verb.DRAIN, Scope(regions=("azure",)), "it is being mended", 3_600.0)
HOLD = WordRequest(Verb.HOLD, Scope(("api",)), "it is night", 3_600.0)


@virtually
async def test_who_gives_a_word_to_a_leader_that_is_cut_off_is_told_that_the_others_do_not_know_it() -> None:
    async with trio() as found:
        await settled(found)
        (name,) = found.leaders
        assert not (await desk(found, name).give(HOLD, "alice@desk")).notes
        found.ways[name].cut()
        given = await desk(found, name).give(DRAIN, "alice@desk")
        assert given.kept
        assert "the other members do not know it yet" in given.notes[-1]
        found.ways[name].mend()
        await elapse(LEASE)
        assert all(given.word.id in {word.id for word in stage.engine.words()} for stage in found.stages.values())
        assert not (await desk(found, name).release(given.word.id, "done", "bob@desk")).notes


@virtually
async def test_who_may_only_take_off_what_is_down_refuses_a_drain_and_says_what_would_help() -> None:
    async with trio(of=Trio(Uncoordinated.FAILING_OUT)) as found:
        await settled(found)
        found.quorum.lose_quorum()
        await until(lambda: found.stages["oci-1"].engine.lead.lone)
        with pytest.raises(OverrideError, match="nobody can lead") as refused:
            await desk(found, "oci-1").give(DRAIN, "alice@desk")
        assert "bring the coordinator back" in refused.value.remedy


@virtually
async def test_a_word_that_begins_or_ends_while_nobody_can_lead_is_heeded_and_no_marker_is_written_for_it() -> None:
    async with trio(of=Trio(Uncoordinated.FAILING_OUT)) as found:
        await settled(found)
        await desk(found, "aws-1").give(replace(HOLD, seconds=90.0), "alice@desk")
        await elapse(LEASE)
        found.quorum.lose_quorum()
        await until(lambda: all(stage.engine.lead.lone for stage in found.stages.values()))
        written = len(found.zonefile.writes)
        await elapse(120.0)
        given = await desk(found, "oci-1").give(HOLD, "alice@desk")
        await elapse(120.0)
        assert len(found.zonefile.writes) == written
        for stage in found.stages.values():
            assert not [*stage.told(ChangeFenced), *stage.told(TargetDelayed)]
        assert status(found.stages["oci-1"]).kind is DecisionKind.HOLD_OPERATOR
        found.quorum.regain_quorum()
        await until(lambda: found.leaders)
        await elapse(LEASE)
        marker = found.zonefile.observe(AT).marker
        assert marker is not None
        assert marker.overrides == (given.word.id,)


@virtually
async def test_a_drill_whose_time_passes_while_nobody_leads_is_told_to_be_over_once() -> None:
    async with trio() as found:
        await settled(found)
        await elapse(400.0)
        drill = WordRequest(Verb.PRACTICE, Scope(regions=("oci",)), "we try it", 1_200.0)
        given = await desk(found, "aws-1").give(drill, "alice@desk")
        await elapse(60.0)
        found.quorum.lose_quorum()
        await elapse(60.0)
        found.world.let(Does.REFUSE, AZURE)
        await elapse(1_620.0)
        found.quorum.regain_quorum()
        await until(lambda: found.leaders)
        await elapse(300.0)
        over = [event for stage in found.stages.values() for event in stage.told(PracticeEnded)]
        assert [event.override for event in over] == [given.word.id]


@virtually
async def test_a_word_that_is_released_while_another_one_is_told_of_is_over() -> None:
    async with trio() as found:
        await settled(found)
        (name,) = found.leaders
        first = drain("azure")
        second = replace(first, id="hold-1", verb=Verb.HOLD, scope=Scope(("api",)))
        for word in (first, second):
            assert await found.leader.engine.say(word, None)
        found.ways[name].delay = 1.0
        await until(lambda: found.leader.told(OverrideEnding), within=3_600.0)
        assert [event.override for event in found.leader.told(OverrideEnding)] == [first.id]
        await desk(found, name).release(second.id, "done", "bob@desk")
        await elapse(LEASE)
        assert [word.id for word in found.leader.engine.overrides.in_force()] == [first.id]
        assert [event.override for event in found.leader.told(OverrideEnding)] == [first.id]


@virtually
async def test_a_word_that_is_released_at_a_follower_while_the_leader_shares_it_is_over() -> None:
    """The leader tells of its end to come, and the follower has not heard that yet."""
    async with trio() as found:
        await settled(found)
        word = drain("azure")
        assert await found.leader.engine.say(word, None)
        await elapse(5.0)
        follower = found.others()[0]
        (name,) = (name for name, stage in found.stages.items() if stage is follower)
        found.ways[name].delay = 1.0
        told = replace(word, told=Announced.HALF_TIME)
        async with asyncio.TaskGroup() as both:
            both.create_task(found.leader.engine.overrides.put(told, None))
            both.create_task(desk(found, name).release(word.id, "done", "bob@desk"))
        found.ways[name].delay = 0.0
        await elapse(5.0)
        assert not heeding(found)


@virtually
async def test_a_word_that_is_prolonged_at_a_follower_while_the_leader_ends_it_stays_over() -> None:
    async with trio() as found:
        await settled(found)
        word = drain("azure")
        assert await found.leader.engine.say(word, None)
        await elapse(5.0)
        follower = found.others()[0]
        (name,) = (name for name, stage in found.stages.items() if stage is follower)
        found.ways[name].delay = 1.0
        longer = replace(word, until=word.until + 60.0, comments=(*word.comments, Comment(now(), "alex", "longer")))
        saying = asyncio.create_task(follower.engine.say(longer, None))
        await found.leader.engine.overrides.put(word.released("sam", "it is mended", now()), None)
        with pytest.raises(CoordinationError):
            await saying
        found.ways[name].delay = 0.0
        await elapse(5.0)
        assert not heeding(found)


@virtually
async def test_who_was_started_while_the_coordinator_answers_nobody_takes_nothing_off_before_it_was_heard() -> None:
    """It cannot know who led last, nor what people said since its journal was written."""
    before = Trio(uncoordinated=Uncoordinated.FAILING_OUT)
    async with trio(of=before) as found:
        await settled(found)
    again = replace(before, stages={}, ways={})
    again.quorum.lose_quorum()
    stages = [again.made(name) for name in NAMES]
    async with AsyncExitStack() as rest:
        for stage in stages:
            await rest.enter_async_context(playing(API, stage=stage))
        await elapse(120.0)
        again.world.let(Does.REFUSE, AZURE)
        await elapse(300.0)
        assert not any(stage.engine.lead.acts for stage in stages)
        assert stages[0].shares(API) == NORMAL
        again.quorum.regain_quorum()
        await until(lambda: takes_out(again))
