import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.journals import KEY, OTHER, TARGET, closed, incident, plan
from support.users import open_folder

from failoverd import codec
from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.errors import JournalError
from failoverd.core.events import IncidentOpened
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Answer, Marker, Observed, RecordSet, RecordType
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.store.migrations import APPLICATION_ID
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import prose


@pytest.fixture
def directory() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture
def path(directory: Path) -> Path:
    return directory / "journal.db"


async def story(journal: SqliteJournal) -> None:
    """Two records move at about 1000; one moves back at 2000; a later attempt is fenced."""
    await journal.record(incident(1_000.0))
    for made, at in (
        (plan("chg-1", generation=8), 1_000.2),
        (plan("chg-2", generation=4, target=OTHER), 1_001.0),
        (plan("chg-3", generation=9), 2_000.0),
    ):
        await journal.intend(made, at)
        await journal.settle(made, ChangeOutcome.APPLIED, "", at + 0.1)
    await journal.intend(plan("chg-4", generation=10), 2_500.0)
    await journal.settle(plan("chg-4", generation=10), ChangeOutcome.FENCED, "generation 11 stands there", 2_500.1)
    await journal.record([closed(2_100.0), *incident(3_000.0, "inc-2", "chg-9")])


@pytest.fixture
def reading(path: Path) -> Iterator[HistoryReading]:
    async def tell() -> None:
        async with open_journal(path, words=prose.told) as journal:
            await story(journal)

    asyncio.run(tell())
    with HistoryReading(path) as opened:
        yield opened


def ids(rows: tuple[object, ...]) -> list[str]:
    return [str(getattr(row, "change_id", None) or getattr(row, "incident_id", "")) for row in rows]


def test_an_incident_can_be_told_from_its_id_alone(reading: HistoryReading) -> None:
    told = reading.events(incident_id="inc-1")
    assert [row.name for row in told] == [
        "endpoint.failed",
        "region.failed",
        "incident.opened",
        "decision.made",
        "change.applied",
        "change.verified",
        "incident.closed",
    ]
    assert told[4].facts["shares_to"] == {"oci-ashburn": 10_000}
    assert told[4].facts["undo"] == "failoverctl undo chg-1"
    assert "moved from azure-eastus 70%" in told[4].message


def test_incidents_say_when_they_were_open_and_how_many_changes_they_made(reading: HistoryReading) -> None:
    first, second = reading.incidents()
    assert (first.opened_at, first.closed_at, first.changes) == (1_000.1, 2_100.0, 1)
    assert first.cause == "region azure-eastus is down"
    assert second.closed_at is None
    assert ids(reading.incidents(open_only=True)) == ["inc-2"]
    assert reading.incident("inc-1") == first
    assert reading.incident("inc-0") is None


def test_changes_are_found_by_policy_outcome_and_time(reading: HistoryReading) -> None:
    assert ids(reading.changes()) == ["chg-1", "chg-2", "chg-3", "chg-4"]
    assert ids(reading.changes(limit=1)) == ["chg-4"]
    assert ids(reading.changes(since=1_001.0)) == ["chg-2", "chg-3", "chg-4"]
    assert ids(reading.changes(policy="other-api")) == []
    assert ids(reading.changes(outcome="fenced")) == ["chg-4"]
    assert ids(reading.changes(outcome="applied", limit=1)) == ["chg-3"]


def test_a_change_carries_its_plan_and_the_ids_that_its_events_gave_it(reading: HistoryReading) -> None:
    row = reading.change("chg-1")
    assert row is not None
    assert (row.incident_id, row.decision_id, row.outcome) == ("inc-1", "dec-1", "applied")
    assert row.plan == plan("chg-1", generation=8)
    assert row.target == TARGET
    assert row.shares_before == {"azure-eastus": 7_000, "oci-ashburn": 3_000}
    assert reading.change("chg-0") is None


def test_a_change_says_whether_its_servers_were_heard_to_agree(reading: HistoryReading) -> None:
    proved, unproved = reading.change("chg-1"), reading.change("chg-2")
    assert proved is not None
    assert unproved is not None
    assert (proved.verified_after, proved.disputed) == (0.1, False)
    assert (unproved.verified_after, unproved.disputed) == (None, False)


async def test_a_change_that_nobody_confirmed_is_not_called_verified(path: Path) -> None:
    async with open_journal(path, words=prose.told) as journal:
        await journal.intend(plan("chg-1", generation=8), 1_000.2)
        await journal.settle(plan("chg-1", generation=8), ChangeOutcome.APPLIED, "", 1_000.3)
        await journal.record(incident(1_000.0, unconfirmed=True))
    with HistoryReading(path) as reading:
        (row,) = reading.changes()
    assert (row.verified_after, row.unconfirmed) == (None, True)


def test_a_decision_holds_the_reasons_to_redo_the_sum(reading: HistoryReading) -> None:
    row = reading.decision("dec-1")
    assert row is not None
    assert row.facts["reasons"] == ["azure-eastus is down (score 0%)", "oci-ashburn gets 100%"]
    assert reading.decision("dec-0") is None


def test_events_are_found_by_time_name_and_change(reading: HistoryReading) -> None:
    assert [row.name for row in reading.events(names=["incident.opened", "incident.closed"])] == [
        "incident.opened",
        "incident.closed",
        "incident.opened",
    ]
    assert [row.name for row in reading.events(since=1_000.2, until=1_000.35)] == ["decision.made", "change.applied"]
    assert [row.name for row in reading.events(limit=1)] == ["change.verified"]
    assert [row.name for row in reading.events(change_id="chg-1")] == ["change.applied", "change.verified"]


def test_the_change_in_force_at_a_moment_is_the_last_one_applied_to_each_record(reading: HistoryReading) -> None:
    assert ids(reading.at(500.0)) == []
    assert ids(reading.at(1_500.0)) == ["chg-1", "chg-2"]
    assert ids(reading.at(9_999.0)) == ["chg-2", "chg-3"]
    assert ids(reading.at(9_999.0, policy="other-api")) == []


def test_however_many_incidents_are_open_all_of_them_are_found(path: Path) -> None:
    many = [IncidentOpened(at=float(n), policy=f"p{n}", incident_id=f"inc-{n}", cause="down") for n in range(300)]

    async def tell() -> None:
        async with open_journal(path) as journal:
            await journal.record(many)

    asyncio.run(tell())
    with HistoryReading(path) as reading:
        assert ids(reading.incidents(open_only=True)) == [event.incident_id for event in many]
        assert ids(reading.incidents(open_only=True, limit=2)) == ["inc-298", "inc-299"]


def test_the_last_good_answer_of_each_target_is_its_own(reading: HistoryReading) -> None:
    good, other = reading.last_good(TARGET), reading.last_good(OTHER)
    assert good is not None
    assert other is not None
    assert (good.generation, other.generation) == (9, 4)


def test_nothing_is_known_before_the_daemon_ever_ran(reading: HistoryReading) -> None:
    assert reading.heartbeat() is None
    assert reading.targets() == ()
    assert reading.regions() == ()
    assert reading.policies() == ()


def test_a_reader_cannot_write(reading: HistoryReading) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reading._connection.execute("DELETE FROM events")


def test_a_missing_journal_is_said_with_what_to_do(path: Path) -> None:
    with pytest.raises(JournalError, match="check the path") as caught:
        HistoryReading(path)
    assert caught.value.reason == "journal_missing"
    assert not path.exists()


def test_a_corrupt_journal_is_said_and_left_for_the_daemon(path: Path) -> None:
    path.write_bytes(b"nothing of the kind " * 500)
    with pytest.raises(JournalError) as caught:
        HistoryReading(path)
    assert caught.value.reason == "journal_corrupt"
    assert path.exists()


def test_an_empty_file_is_said_to_need_the_daemon(path: Path) -> None:
    path.touch()
    with pytest.raises(JournalError, match=r"nothing was ever written to it; .*start the daemon") as caught:
        HistoryReading(path)
    assert caught.value.reason == "journal_older"


def test_a_row_of_another_version_is_left_out_and_counted(reading: HistoryReading, path: Path) -> None:
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        other.execute("INSERT INTO statuses VALUES ('heartbeat', 'daemon', '', 1.0, '{\"of\": \"the future\"}')")
    other.close()
    assert reading.heartbeat() is None
    assert reading.skipped == 1


@contextmanager
def another_user(directory: Path) -> Iterator[None]:
    """Without the right to write in `directory`: root becomes nobody for a while, others lose the right."""
    directory.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        directory.chmod(0o755)


@pytest.mark.parametrize("left", ["nothing", "the log", "the log and its index"])
def test_a_journal_of_a_dead_daemon_is_read_by_somebody_who_may_not_write_there(directory: Path, left: str) -> None:
    alive, dead = directory / "alive.db", directory / "journal.db"

    async def die() -> None:
        """Copy the files while they are in use: what a kill -9 leaves."""
        async with open_journal(alive) as journal:
            await story(journal)
            copy(alive, dead, {"nothing": [], "the log": ["-wal"]}.get(left, ["-wal", "-shm"]))
        if left == "nothing":
            copy(alive, dead, [])

    asyncio.run(die())
    for file in directory.iterdir():
        file.chmod(0o644)
    with another_user(directory), HistoryReading(dead) as reading:
        assert ids(reading.changes()) == ["chg-1", "chg-2", "chg-3", "chg-4"]
        assert len(reading.incidents()) == 2


def copy(source: Path, destination: Path, suffixes: list[str]) -> None:
    for suffix in ["", *suffixes]:
        shutil.copyfile(f"{source}{suffix}", f"{destination}{suffix}")


# -- a plan survives the journal ---------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8"), max_size=20)
shares = st.dictionaries(texts, st.integers(0, 10_000), max_size=4)
sets = st.builds(
    RecordSet,
    st.just(KEY),
    st.integers(1, 86_400),
    st.lists(st.builds(Answer, texts, st.integers(0, 65_535)), max_size=4).map(tuple),
)
markers = st.builds(Marker, texts, texts, st.integers(0, 2**53), st.just((RecordType.A, RecordType.AAAA)))
decisions = st.builds(
    Decision,
    st.just(TARGET),
    st.sampled_from(DecisionKind),
    shares,
    st.none() | sets,
    st.lists(st.builds(Reason, st.sampled_from(ReasonCode), texts, texts), max_size=3).map(tuple),
    st.floats(0, 4e9),
)
plans = st.builds(
    Plan,
    id=st.uuids().map(str),
    kind=st.sampled_from(PlanKind),
    target=st.just(TARGET),
    before=st.builds(
        Observed, st.just(TARGET), st.none() | sets, st.none() | markers, st.none() | texts, st.just(("CNAME",)), texts
    ),
    after=sets,
    marker=markers,
    shares_before=shares,
    shares_after=shares,
    decision=decisions,
    revision=texts,
)


@settings(max_examples=50)
@given(plans)
def test_every_plan_is_read_back_as_it_was(made: Plan) -> None:
    assert codec.load(Plan, codec.dump(made)) == made


@settings(max_examples=10)
@given(made=st.lists(plans, min_size=1, max_size=3, unique_by=lambda made: made.id))
def test_every_plan_comes_back_from_the_journal_as_it_was_intended(
    tmp_path_factory: pytest.TempPathFactory, made: list[Plan]
) -> None:
    path = tmp_path_factory.mktemp("plans") / "journal.db"

    async def intend() -> tuple[Plan, ...]:
        async with open_journal(path) as journal:
            for number, one in enumerate(made):
                await journal.intend(one, float(number))
            return await journal.interrupted(100.0)

    assert asyncio.run(intend()) == tuple(made)
