"""What people are told when another member leads: that it lasts, and that it is over, each once."""

from support.heralds import Herald, People, heralds
from support.stage import API, AZURE, OCI, Stage
from support.trio import LEASE, Trio, settled
from support.virtual import until, virtually

from failoverd.core.events import JournalFailed, LeaderLost, SignalFound, SignalLost
from failoverd.core.members import Uncoordinated
from failoverd.runtime.members.leading import NOBODY_KNOWN
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import Does
from failoverd.telemetry.notifications.ledger import GRACE
from failoverd.telemetry.prose import say

LEFT = "region.left"


async def left(found: Trio, people: People) -> None:
    """A region is down, traffic was taken off it, and people know."""
    await settled(found)
    found.world.let(Does.REFUSE, AZURE)
    await until(lambda: people.told(people.chat, LEFT))
    await elapse(10.0)


async def gone(found: Trio, people: People, *, in_order: bool = False) -> Stage:
    """The leader is gone, and another one leads."""
    (name,) = found.leaders
    first = found.stages[name]
    if in_order:
        await people.heralds[name].telling.hand_over()
        await first.stop()
    else:
        await first.kill()
    await people.heralds.pop(name).stop()
    del found.stages[name]
    await until(lambda: found.leaders)
    return first


@virtually
async def test_one_of_three_tells_people() -> None:
    async with heralds() as (found, people):
        await left(found, people)
        assert people.told(people.pager, LEFT) == people.told(people.chat, LEFT) == ["began"]


@virtually
async def test_the_next_leader_goes_on_with_what_the_last_one_told_and_tells_its_end() -> None:
    async with heralds() as (found, people):
        await left(found, people)
        await gone(found, people)
        await elapse(2 * GRACE)
        assert people.told(people.chat, LEFT) == ["began"]
        assert set(people.told(people.pager, LEFT)) == {"began"}
        found.world.let(Does.ANSWER, AZURE)
        await until(lambda: people.told(people.chat, LEFT) == ["began", "ended"])
        await elapse(60.0)
        assert people.told(people.pager, LEFT)[-1] == "ended"
        assert not people.open()


@virtually
async def test_what_ends_while_nobody_leads_is_told_to_be_over_by_the_next_leader() -> None:
    async with heralds() as (found, people):
        await left(found, people)
        found.world.let(Does.ANSWER, AZURE)
        await gone(found, people)
        await until(lambda: people.told(people.chat, LEFT) == ["began", "ended"])
        await elapse(60.0)
        assert not people.open()


@virtually
async def test_a_leader_that_stops_in_order_leaves_what_it_told_a_moment_ago() -> None:
    async with heralds() as (found, people):
        await settled(found)
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: people.told(people.chat, LEFT))
        await gone(found, people, in_order=True)
        await elapse(2 * GRACE)
        assert people.told(people.chat, LEFT) == ["began"]
        found.world.let(Does.ANSWER, AZURE)
        await until(lambda: people.told(people.chat, LEFT) == ["began", "ended"])


@virtually
async def test_a_member_that_led_before_it_was_killed_comes_back_and_tells_nobody_again() -> None:
    async with heralds() as (found, people):
        await left(found, people)
        name = found.leaders[0]
        await gone(found, people)
        await elapse(GRACE)
        told = len(people.pager.got)
        again = found.made(name)
        again.start(API)
        people.heralds[name] = Herald(name, again, people)
        await elapse(2 * GRACE)
        assert len(people.pager.got) == told
        assert people.told(people.chat, LEFT) == ["began"]
        await again.kill()


@virtually
async def test_each_member_tells_of_its_own_troubles_by_its_name() -> None:
    async with heralds() as (found, people):
        await settled(found)
        for name, stage in found.stages.items():
            stage.emit(JournalFailed(at=now(), reason="journal_io", error=f"the disk of {name} is full"))
        await elapse(10.0)
        assert sorted(people.told(people.chat, "journal.failed")) == [f"began {name}" for name in sorted(found.stages)]


@virtually
async def test_the_trouble_of_a_member_that_is_none_any_more_is_told_to_be_over_by_the_leader_once() -> None:
    """It was taken out of the files while its disk was full: by itself it says nothing any more."""
    async with heralds() as (found, people):
        await settled(found)
        (name, stage), *_ = ((name, each) for name, each in found.stages.items() if name not in found.leaders)
        stage.emit(JournalFailed(at=now(), reason="journal_io", error="the disk is full"))
        await elapse(20.0)
        left = found.quorum.kept[f"shared/notices/own/{name}"].value
        assert b"the disk is full" in left
        found.quorum.put("shared/notices/own/old-1", left.replace(name.encode(), b"old-1"))  # as that one left it
        await elapse(60.0)
        await gone(found, people)
        await elapse(60.0)
        assert people.told(people.pager, "journal.failed").count("ended old-1") == 1
        assert people.told(people.chat, "journal.failed").count("ended old-1") == 1


@virtually
async def test_what_each_member_sees_is_told_by_the_leader_and_known_to_the_next_one() -> None:
    async with heralds() as (found, people):
        await settled(found)
        for stage in found.stages.values():
            stage.emit(
                SignalLost(at=now(), source="prom", reason="timeout", detail="no answer", signals=("demand",), count=1)
            )
        await elapse(10.0)
        assert people.told(people.chat, "signal.lost") == ["began"]
        await gone(found, people)
        await elapse(2 * GRACE)
        assert people.told(people.chat, "signal.lost") == ["began"]
        for stage in found.stages.values():
            stage.emit(SignalFound(at=now(), source="prom", signals=("demand",), count=1))
        await elapse(10.0)
        assert people.told(people.chat, "signal.lost") == ["began", "ended"]


@virtually
async def test_a_leader_that_is_cut_off_alone_pages_nobody_for_longer_than_it_takes_to_lead() -> None:
    async with heralds() as (found, people):
        await settled(found)
        (name,) = found.leaders
        found.ways[name].cut()
        await until(lambda: ("leader.lost", "") in people.open())
        told = now()
        await until(lambda: ("leader.lost", "") not in people.open())
        assert now() - told <= LEASE
        await elapse(120.0)
        assert people.open() == [("coordinator.lost", name)]
        found.ways[name].mend()
        await elapse(120.0)
        assert not people.open()
        assert people.told(people.chat, "leader.lost") == ["began", "ended"]


@virtually
async def test_a_follower_that_is_cut_off_is_a_warning_alone() -> None:
    async with heralds() as (found, people):
        await settled(found)
        name = next(each for each in found.stages if each not in found.leaders)
        found.ways[name].cut()
        await elapse(180.0)
        assert people.open() == [("coordinator.lost", name)]
        found.ways[name].mend()
        await elapse(60.0)
        assert not people.open()


@virtually
async def test_a_leader_that_goes_with_the_coordinator_is_told_to_be_gone_by_who_followed_it() -> None:
    async with heralds() as (found, people):
        await settled(found)
        (name,) = found.leaders
        await found.stages.pop(name).kill()
        await people.heralds.pop(name).stop()
        found.quorum.lose_quorum()
        lost = now()
        await until(lambda: ("leader.lost", "") in people.open(), within=2 * NOBODY_KNOWN)
        assert now() - lost <= NOBODY_KNOWN + LEASE
        await elapse(LEASE)
        for stage in found.stages.values():
            (told,) = stage.told(LeaderLost)
            assert (told.leader, told.uncoordinated) == (name, True)
            assert f"{told.told_by} knows of nobody who leads" in say(told)
        found.quorum.regain_quorum()
        await until(lambda: found.leaders, within=2 * LEASE)
        await elapse(2 * GRACE)
        assert not people.open()
        for name, stage in found.stages.items():
            missed = [event.told_by for event in stage.journal.events if isinstance(event, LeaderLost) and event.missed]
            assert missed == [name]  # what the others believed is no history of all


@virtually
async def test_a_follower_that_is_cut_off_for_long_is_told_of_as_it_cannot_know_who_leads_until_it_can() -> None:
    async with heralds() as (found, people):
        await settled(found)
        name = next(each for each in found.stages if each not in found.leaders)
        found.ways[name].cut()
        await elapse(NOBODY_KNOWN + LEASE)
        assert ("leader.lost", "") in people.open()
        found.ways[name].mend()
        await elapse(60.0)
        assert not people.open()
        assert people.told(people.pager, "leader.lost")[-2:] == ["began", "ended"]


@virtually
async def test_what_members_told_while_nobody_could_lead_is_told_on_by_one_and_ends_everywhere() -> None:
    async with heralds(of=Trio(Uncoordinated.FAILING_OUT)) as (found, people):
        await left(found, people)
        found.quorum.lose_quorum()
        await elapse(120.0)
        assert people.told(people.chat, LEFT) == ["began"]
        assert ("leader.lost", "") in people.open()
        found.quorum.regain_quorum()
        await elapse(2 * GRACE)
        assert people.told(people.chat, LEFT) == ["began"]
        assert people.open() == [(LEFT, "")]
        found.world.let(Does.ANSWER, AZURE)
        await until(lambda: people.told(people.chat, LEFT) == ["began", "ended"])
        await elapse(120.0)
        assert people.told(people.chat, LEFT) == ["began", "ended"]
        assert not people.open()


@virtually
async def test_what_one_member_told_alone_is_ended_by_who_leads_next() -> None:
    async with heralds(of=Trio(Uncoordinated.FAILING_OUT)) as (found, people):
        await settled(found)
        found.quorum.lose_quorum()
        await elapse(60.0)
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: people.told(people.pager, LEFT))
        await elapse(30.0)
        found.quorum.regain_quorum()
        await until(lambda: found.leaders)
        await elapse(20.0)
        began = people.told(people.chat, LEFT)
        assert set(began) == {"began"}
        found.world.let(Does.ANSWER, AZURE)
        await until(lambda: people.told(people.chat, LEFT)[-1] == "ended")
        await elapse(120.0)
        assert people.told(people.chat, LEFT) == [*began, "ended"]
        assert not people.open()


@virtually
async def test_all_that_is_down_is_told_once_by_whoever_leads() -> None:
    async with heralds() as (found, people):
        await settled(found)
        found.world.let(Does.REFUSE, AZURE, OCI)
        await until(lambda: people.told(people.chat, "regions.down"))
        await elapse(30.0)
        await gone(found, people)
        await elapse(2 * GRACE)
        assert people.told(people.chat, "regions.down") == ["began"]
        found.world.let(Does.ANSWER, AZURE, OCI)
        await until(lambda: not people.open())
        assert people.told(people.chat, "regions.down") == ["began", "ended"]
