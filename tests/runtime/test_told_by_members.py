"""What one of several members tells, and what the others keep of it."""

from support.stage import AZURE
from support.trio import settled, trio
from support.virtual import until, virtually

from failoverd.core.events import ChangeApplied, Event
from failoverd.simulation.world import Does


def applied(events: list[Event]) -> list[ChangeApplied]:
    return [event for event in events if isinstance(event, ChangeApplied)]


@virtually
async def test_what_one_of_several_members_tells_has_its_name_and_each_knows_who_leads() -> None:
    async with trio() as found:
        await settled(found)
        for name, stage in found.stages.items():
            assert {event.told_by for event in stage.events} == {name}
            assert stage.engine.members().leader == found.leaders[0]
            assert stage.engine.members().leads is (name in found.leaders)


@virtually
async def test_what_the_leader_does_is_in_the_journal_of_each_and_told_by_it_alone() -> None:
    async with trio() as found:
        await settled(found)
        (leader,) = found.leaders
        found.world.let(Does.REFUSE, AZURE)
        await until(lambda: all(len(applied(stage.journal.events)) >= 2 for stage in found.stages.values()))
        for name, stage in found.stages.items():
            kept = applied(stage.journal.events)
            assert {event.told_by for event in kept} == {leader}
            assert len({event.change_id for event in kept}) == len(kept)
            assert bool(applied(stage.events)) is (name == leader)
