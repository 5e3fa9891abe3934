"""Records that no policy file names any more, as the journal knows them."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from support.journals import KEY, OTHER, TARGET, plan

from failoverd.core.control.plan import PlanKind
from failoverd.core.events import Event, RecordOrphaned
from failoverd.core.records import Target
from failoverd.ports import ChangeOutcome
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.orphans import Claims, Orphans
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.store.statuses import StatusReading

NOW = 1_000.0


class Scene:
    """A journal in which one record stands at two providers, and who looks for orphans."""

    def __init__(self, path: Path, journal: SqliteJournal) -> None:
        self.path = path
        self.journal = journal
        self.told: list[Event] = []
        self.orphans = self.restarted()

    def restarted(self) -> Orphans:
        writer = JournalWriter(self.journal, self.told.append, lambda: NOW)
        self.orphans = Orphans(self.journal, writer, self.told.append, lambda: NOW)
        return self.orphans

    async def applied(self, target: Target, generation: int, kind: PlanKind = PlanKind.CHANGE) -> None:
        made = replace(plan(f"chg-{target.provider}-{generation}", generation=generation, target=target), kind=kind)
        await self.journal.settle(made, ChangeOutcome.APPLIED, "", NOW + generation)

    async def found(self, published: Iterable[Target] = (), **claims: object) -> list[Target]:
        await self.orphans.look(Claims(frozenset(published), **claims))  # type: ignore[arg-type]  # as the test says
        with StatusReading(self.path) as reading:
            assert reading.orphans() == self.orphans.status.records
        return [each.target for each in self.orphans.status.records]

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(each.record, each.provider) for each in self.told if isinstance(each, RecordOrphaned)]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    path = tmp_path / "journal.db"
    async with open_journal(path) as journal:
        scene = Scene(path, journal)
        await scene.applied(TARGET, 8)
        await scene.applied(OTHER, 9)
        yield scene


async def test_what_is_published_is_no_orphan(scene: Scene) -> None:
    assert await scene.found([TARGET, OTHER]) == []
    assert scene.events == []


async def test_what_nobody_names_any_more_is_told_once_and_listed(scene: Scene) -> None:
    assert await scene.found([OTHER]) == [TARGET]
    (record,) = scene.orphans.status.records
    assert (record.generation, record.published) == (8, {"oci-ashburn": 10_000})
    assert await scene.found([OTHER]) == [TARGET]
    assert scene.events == [(str(KEY), "bind-main")]


async def test_it_ends_when_the_file_is_back(scene: Scene) -> None:
    await scene.found([OTHER])
    assert await scene.found([TARGET, OTHER]) == []


async def test_a_policy_of_another_name_may_have_taken_it_over(scene: Scene) -> None:
    assert await scene.found([replace(TARGET, policy="renamed"), OTHER]) == []


async def test_it_is_known_after_a_restart(scene: Scene) -> None:
    scene.restarted()
    assert await scene.found([OTHER]) == [TARGET]


async def test_what_was_given_back_is_none_and_is_never_one_again(scene: Scene) -> None:
    await scene.applied(TARGET, 10, PlanKind.DISOWN)
    assert await scene.found([OTHER]) == []
    await scene.journal.prune(NOW * 2)  # that it was given back is forgotten with the history
    assert await scene.found([OTHER]) == []


async def test_what_was_given_back_and_adopted_again_is_ours(scene: Scene) -> None:
    await scene.applied(TARGET, 10, PlanKind.DISOWN)
    await scene.applied(TARGET, 11, PlanKind.ADOPT)
    assert await scene.found([OTHER]) == [TARGET]


async def test_a_file_that_does_not_load_leaves_its_records_alone(scene: Scene) -> None:
    assert await scene.found([OTHER], unsure=frozenset({TARGET.policy})) == []
    assert await scene.found([OTHER], whole=False) == []
    assert await scene.found([OTHER]) == [TARGET]
    assert await scene.found([], whole=False) == [TARGET]


async def test_a_provider_that_forgot_all_of_its_answers_has_no_orphans(scene: Scene) -> None:
    await scene.orphans.look(Claims(), gone={"bind-main"})
    assert await scene.found() == [OTHER]


async def test_one_that_is_given_up_is_forgotten(scene: Scene) -> None:
    await scene.found()
    await scene.orphans.give_up(OTHER)
    assert await scene.found() == [TARGET]
