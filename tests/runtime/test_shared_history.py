"""What one member did stands in the history of all: with its name, once, whoever is away or started again meanwhile."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.journals import TARGET, incident, plan
from support.stage import API, AZURE, Stage
from support.trio import Trio, drain, settled, trio
from support.virtual import until, virtually

from failoverd.core.events import (
    ChangeApplied,
    ChangeVerified,
    Event,
    HistoryUntold,
    IncidentOpened,
    OverrideGiven,
    RegionFailed,
)
from failoverd.operations.history import past
from failoverd.ports import ChangeOutcome, Emit, Settled, Telling
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.members.memory import Take
from failoverd.runtime.members.shared_history import EVENTS, MOST_WAITING, RING, SharedHistory
from failoverd.runtime.members.tellings import belongs, heard, told
from failoverd.runtime.override_book import given
from failoverd.simulation.paper_authorities import NS1, NS2
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import Does
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import prose


def rows(stage: Stage, kind: type[Event]) -> list[tuple[str, float]]:
    """Events of a kind in the journal of a member: who told them, and when it was."""
    return [(event.told_by, event.at) for event in stage.journal.events if isinstance(event, kind)]


async def moved(found: Trio) -> str:
    """A region is down and was left; gives who leads."""
    await settled(found)
    (name,) = found.leaders
    found.world.let(Does.REFUSE, AZURE)
    await until(found.leader.steers(API, oci=100.0))
    await elapse(10.0)
    return name


@virtually
async def test_a_change_is_in_the_history_of_all_members_with_the_name_of_who_made_it() -> None:
    async with trio() as found:
        name = await moved(found)
        its = rows(found.leader, ChangeApplied)
        assert {by for by, _ in its} == {name}
        for stage in found.stages.values():
            assert rows(stage, ChangeApplied) == its
            assert len(rows(stage, IncidentOpened)) == 1
            assert len(rows(stage, ChangeVerified)) == len(its)
            assert {each.outcome for each in stage.journal.changes.values()} == {ChangeOutcome.APPLIED}
            assert len(stage.journal.changes) == len(its)


@virtually
async def test_what_a_member_sees_by_itself_it_keeps_for_itself() -> None:
    async with trio() as found:
        await moved(found)
        for name, stage in found.stages.items():
            assert {by for by, _ in rows(stage, RegionFailed)} == {name}


@virtually
async def test_an_override_is_in_the_history_of_all_whichever_member_heard_it() -> None:
    async with trio() as found:
        await settled(found)
        name, other = next((name, each) for name, each in found.stages.items() if name not in found.leaders)
        word = drain("azure")
        await other.engine.say(word, given(word, now()))
        await elapse(10.0)
        for stage in found.stages.values():
            assert [by for by, _ in rows(stage, OverrideGiven)] == [name]


@virtually
async def test_who_was_away_hears_it_later_and_nothing_twice_after_a_restart_of_either() -> None:
    async with trio() as found:
        await settled(found)
        away = next(name for name in found.stages if name not in found.leaders)
        await found.stages[away].kill()
        await moved(found)
        its = rows(found.leader, ChangeApplied)
        for name in (away, found.leaders[0]):
            await found.stages[name].kill()
            again = found.made(name)
            again.start(API)
            await again.booted()
            await until(lambda: found.leaders)
            await elapse(30.0)
        for stage in found.stages.values():
            assert [each for each in rows(stage, ChangeApplied) if each in its] == its
            assert Counter(rows(stage, ChangeApplied)).most_common(1)[0][1] == 1
        for stage in found.stages.values():
            await stage.kill()


@virtually
async def test_what_happened_while_the_coordinator_was_away_is_told_when_it_is_back() -> None:
    async with trio() as found:
        await settled(found)
        name, other = next((name, each) for name, each in found.stages.items() if name not in found.leaders)
        found.quorum.lose_quorum()
        await elapse(60.0)
        word = drain("azure")
        other.emit(given(word, now()))
        await elapse(60.0)
        found.quorum.regain_quorum()
        await elapse(60.0)
        assert all([by for by, _ in rows(each, OverrideGiven)] == [name] for each in found.stages.values())


@virtually
async def test_what_is_too_much_to_be_kept_for_the_others_is_dropped_and_said() -> None:
    async with trio() as found:
        await settled(found)
        name = found.leaders[0]
        first = found.leader
        found.quorum.lose_quorum()
        await elapse(60.0)
        word = drain("azure")
        for _ in range(MOST_WAITING + 100):
            first.emit(given(word, now()))
        found.quorum.regain_quorum()
        await elapse(60.0)
        assert first.told(HistoryUntold)
        assert first.told(HistoryUntold)[0].count >= 100
        for stage in found.stages.values():
            assert [by for by, _ in rows(stage, HistoryUntold)] == [name]


@virtually
async def test_a_leader_that_takes_over_looks_after_the_proof_that_the_last_one_began() -> None:
    async with trio() as found:
        await settled(found)
        first = found.leader
        first.authorities.silent = {NS1, NS2}
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        await elapse(5.0)
        (change,) = [each.change_id for each in first.told(ChangeApplied)][-1:]
        assert change not in {each.change_id for each in first.told(ChangeVerified)}
        await first.kill()
        await until(lambda: found.leaders and found.leader is not first)
        await until(lambda: change in {each.change_id for each in found.leader.told(ChangeVerified)})


def test_every_event_that_is_told_is_read_as_it_was() -> None:
    settled = Settled(plan(), ChangeOutcome.APPLIED, "", 100.0)
    tellings: list[Telling] = [*(replace(each, told_by="azure-1") for each in incident(100.0)), settled]
    assert heard([json.loads(told(each)) for each in tellings]) == tellings


def test_what_another_version_tells_is_read_as_far_as_it_is_known() -> None:
    body = json.loads(told(HistoryUntold(at=1.0, count=2)))
    later = {**body, "body": {**body["body"], "mood": "fine"}}
    new = {"event": "mood.changed", "body": {"at": 1.0}}
    broken = {"event": "history.untold", "body": {"at": "soon"}}
    assert heard([new, later, broken, 7, {}]) == [HistoryUntold(at=1.0, count=2)]


# -- with the journal itself -------------------------------------------------------------------------------------------


@dataclass
class Wall:
    """A common memory of some members in one process: what one of them writes, the others read at once."""

    kept: dict[str, str] = field(default_factory=dict)
    sides: list["Side"] = field(default_factory=list)


class Side:
    """One member's way to it."""

    def __init__(self, wall: Wall) -> None:
        self.wall, self.parts, self.known = wall, dict[str, Take](), asyncio.Event()
        wall.sides.append(self)

    async def put(self, name: str, body: str, epoch: int | None = None, *, within: float) -> bool:
        assert epoch is None
        assert within
        self.wall.kept[name] = body
        for side in self.wall.sides:
            await side.read([name])
        return True

    async def read(self, names: Sequence[str]) -> None:
        bodies = {name.removeprefix(f"{EVENTS}/"): json.loads(self.wall.kept[name]) for name in names}
        assert not await self.parts[EVENTS](bodies)
        self.known.set()


@dataclass
class Person:
    member: str
    acts: bool = True


def nothing(_: object) -> None: ...


async def member(name: str, wall: Wall, folder: Path, stack: AsyncExitStack, emit: Emit = nothing) -> SharedHistory:
    """One member with a journal on disk, at work until the stack ends."""
    journal = await stack.enter_async_context(open_journal(folder / f"{name}.db", words=prose.told))
    writer = JournalWriter(journal, emit, lambda: 1_000.0)
    side = Side(wall)
    history = SharedHistory(Person(name), side, writer, nothing, emit, lambda: 1_000.0)  # type: ignore[arg-type]  # as far as it is used
    await side.read(sorted(wall.kept))
    task = asyncio.create_task(history.run_hearing())
    stack.callback(task.cancel)
    return history


async def known(folder: Path, name: str, count: int) -> None:
    """Until the journal of a member has so many events."""
    async with asyncio.timeout(10.0):
        while True:
            with HistoryReading(folder / f"{name}.db") as reading:
                if len(reading.events(limit=None)) >= count:
                    return
            await asyncio.sleep(0.01)


async def test_history_at_any_member_tells_what_another_one_did_once_over_restarts(tmp_path: Path) -> None:
    wall = Wall()
    events = [replace(each, told_by="azure-1") for each in incident(1_000.0)]
    change = Settled(plan(), ChangeOutcome.APPLIED, "", 1_000.3)
    for _ in range(2):  # all of them are started again
        async with AsyncExitStack() as stack:
            azure = await member("azure-1", wall, tmp_path, stack)
            await member("oci-1", wall, tmp_path, stack)
            if not wall.kept:
                for event in events:
                    azure.tell(event)
                azure.settled(change)
                assert await azure.flush()
            await known(tmp_path, "oci-1", len([each for each in events if belongs(each, writes=True)]))
    with HistoryReading(tmp_path / "oci-1.db") as reading:
        names = Counter(row.name for row in reading.events())
        assert names["change.applied"] == names["decision.made"] == names["incident.opened"] == 1
        (move,) = past(reading, 1_100.0, policy=None, since=0.0, limit=50).moves
        assert (move.change_id, move.member, move.outcome) == ("chg-1", "azure-1", "applied")
        assert [row.incident_id for row in reading.incidents()] == ["inc-1"]
        assert reading.last_good(TARGET) is not None


async def test_a_member_that_is_started_again_goes_on_after_what_it_told_and_the_ring_is_bounded(
    tmp_path: Path,
) -> None:
    wall = Wall()
    for count in range(1, 4):
        async with AsyncExitStack() as stack:
            azure = await member("azure-1", wall, tmp_path, stack)
            await member("oci-1", wall, tmp_path, stack)
            for _ in range(RING // 2):
                azure.tell(HistoryUntold(at=1_000.0, count=count, told_by="azure-1"))
                assert await azure.flush()
            await known(tmp_path, "oci-1", count * RING // 2)
    assert len(wall.kept) == RING
    with HistoryReading(tmp_path / "oci-1.db") as reading:
        assert Counter(row.facts["count"] for row in reading.events(limit=None)) == dict.fromkeys((1, 2, 3), RING // 2)
