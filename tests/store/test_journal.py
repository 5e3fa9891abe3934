import asyncio
import gc
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support.journals import AFTER, BEFORE, OTHER, TARGET, closed, incident, plan

from failoverd.core.control.limits import PastChange
from failoverd.core.control.plan import LastGood
from failoverd.core.errors import JournalError
from failoverd.core.events import IncidentOpened
from failoverd.core.reasons import Cause
from failoverd.core.status import Heartbeat, PolicyStatus, RegionStatus, TargetState, TargetStatus
from failoverd.ports import ChangeOutcome, Journal
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.store.reading import HistoryReading


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_journal(path) as opened:
        yield opened


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def apply(journal: Journal, change_id: str, generation: int, at: float) -> None:
    made = plan(change_id, generation=generation)
    await journal.intend(made, at)
    await journal.settle(made, ChangeOutcome.APPLIED, "", at + 1)


async def test_a_new_journal_is_readable_by_its_group_and_by_nobody_else(journal: SqliteJournal, path: Path) -> None:
    await journal.touch()
    assert mode(path) == 0o640


async def test_nothing_is_known_of_a_target_that_was_never_written(journal: SqliteJournal) -> None:
    assert await journal.recall(TARGET, 0.0) == (None, ())


async def test_an_applied_plan_becomes_the_last_known_good_answer_and_counts_as_a_change(
    journal: SqliteJournal,
) -> None:
    await apply(journal, "chg-1", 8, at=100.0)
    last_good, changes = await journal.recall(TARGET, since=0.0)
    assert last_good == LastGood(AFTER, 8, {"oci-ashburn": 10_000}, 101.0)
    before, after = {"azure-eastus": 7_000, "oci-ashburn": 3_000}, {"oci-ashburn": 10_000}
    assert changes == (PastChange("chg-1", 101.0, before, after, {}, 8),)


async def test_what_a_change_took_of_which_ration_is_recalled(journal: SqliteJournal) -> None:
    for number, shifts in enumerate(({}, {Cause.TUNING: 2_000}, {Cause.RETURNING: 500}), start=1):
        made = replace(plan(f"chg-{number}", generation=7 + number), shifts=shifts)
        await journal.settle(made, ChangeOutcome.APPLIED, "", 100.0 + number)
    _, changes = await journal.recall(TARGET, since=0.0)
    assert [change.rationed for change in changes] == [{}, {Cause.TUNING: 2_000}, {Cause.RETURNING: 500}]


async def test_an_answer_that_was_found_right_is_the_last_known_good_one_unless_a_newer_one_is_known(
    journal: SqliteJournal,
) -> None:
    await apply(journal, "chg-1", 8, 10.0)
    found = LastGood(BEFORE, 8, {"azure": 10_000}, 20.0, AFTER)
    await journal.confirm(TARGET, found)
    assert (await journal.recall(TARGET, 0.0))[0] == found
    await journal.confirm(TARGET, LastGood(AFTER, 7, {"oci": 10_000}, 30.0))
    assert (await journal.recall(TARGET, 0.0))[0] == found


async def test_a_change_for_a_cause_of_a_newer_version_is_recalled_and_counts_for_any(
    journal: SqliteJournal, path: Path
) -> None:
    await apply(journal, "chg-1", 8, at=100.0)
    with closing(sqlite3.connect(path)) as newer, newer:
        newer.execute("""UPDATE changes SET plan = json_set(plan, '$.shifts', json('{"greening": 500}'))""")
    _, changes = await journal.recall(TARGET, since=0.0)
    assert [change.rationed for change in changes] == [{Cause.TUNING: 7_000, Cause.RETURNING: 7_000}]


async def test_what_happened_at_another_target_is_not_recalled(journal: SqliteJournal) -> None:
    await apply(journal, "chg-1", 8, at=100.0)
    assert await journal.recall(OTHER, since=0.0) == (None, ())


async def test_changes_are_recalled_oldest_first_and_only_after_the_moment_asked_for(journal: SqliteJournal) -> None:
    for number in (1, 2, 3):
        await apply(journal, f"chg-{number}", 7 + number, at=100.0 * number)
    _, changes = await journal.recall(TARGET, since=101.0)
    assert [change.change_id for change in changes] == ["chg-2", "chg-3"]


@pytest.mark.parametrize("outcome", [ChangeOutcome.FENCED, ChangeOutcome.FAILED, ChangeOutcome.UNVERIFIED])
async def test_a_plan_that_was_not_applied_changes_no_answer_and_counts_for_no_limit(
    journal: SqliteJournal, outcome: ChangeOutcome
) -> None:
    made = plan()
    await journal.intend(made, 100.0)
    await journal.settle(made, outcome, "somebody was first", 101.0)
    assert await journal.recall(TARGET, 0.0) == (None, ())


async def test_an_older_generation_never_replaces_a_newer_last_known_good_answer(journal: SqliteJournal) -> None:
    await apply(journal, "chg-new", 9, at=100.0)
    late = plan("chg-late", generation=8, after=BEFORE)
    await journal.settle(late, ChangeOutcome.APPLIED, "", 200.0)
    last_good, _ = await journal.recall(TARGET, 0.0)
    assert last_good is not None
    assert (last_good.generation, last_good.records) == (9, AFTER)


async def test_an_outcome_whose_intent_was_lost_is_kept_all_the_same(journal: SqliteJournal) -> None:
    await journal.settle(plan(), ChangeOutcome.APPLIED, "", 101.0)
    last_good, changes = await journal.recall(TARGET, 0.0)
    assert last_good is not None
    assert len(changes) == 1


async def test_a_plan_that_is_tried_again_has_the_outcome_of_the_last_try(journal: SqliteJournal, path: Path) -> None:
    made = plan()
    await journal.intend(made, 100.0)
    await journal.settle(made, ChangeOutcome.FAILED, "timeout", 101.0)
    await journal.intend(made, 110.0)
    await journal.settle(made, ChangeOutcome.APPLIED, "", 111.0)
    with HistoryReading(path) as reading:
        row = reading.change("chg-1")
    assert row is not None
    assert (row.outcome, row.detail, row.intended_at, row.settled_at) == ("applied", "", 110.0, 111.0)
    assert row.attempts == 2


@pytest.mark.parametrize("outcome", [ChangeOutcome.FAILED, ChangeOutcome.FENCED, ChangeOutcome.UNVERIFIED])
async def test_a_day_of_retries_of_one_change_is_one_row_that_counts_them(
    journal: SqliteJournal, path: Path, outcome: ChangeOutcome
) -> None:
    await apply(journal, "chg-0", 7, at=50.0)
    for number in range(1, 101):
        retry = plan(f"chg-{number}")
        await journal.intend(retry, 100.0 + number)
        await journal.settle(retry, outcome, f"refused {number}", 100.5 + number)
    with HistoryReading(path) as reading:
        kept = [(row.change_id, row.outcome, row.detail, row.attempts) for row in reading.changes()]
    assert kept == [("chg-0", "applied", "", 1), ("chg-100", outcome.value, "refused 100", 100)]


async def test_what_comes_about_at_last_says_how_many_tries_it_took(journal: SqliteJournal, path: Path) -> None:
    await journal.intend(plan("chg-1"), 100.0)
    await journal.settle(plan("chg-1"), ChangeOutcome.FAILED, "timeout", 101.0)
    await apply(journal, "chg-2", 8, at=110.0)
    with HistoryReading(path) as reading:
        assert [(row.change_id, row.outcome, row.attempts) for row in reading.changes()] == [("chg-2", "applied", 2)]


async def test_only_the_same_answer_at_the_same_generation_and_target_is_a_retry(
    journal: SqliteJournal, path: Path
) -> None:
    different = [
        plan("chg-1"),
        plan("chg-2", after=BEFORE),
        plan("chg-3", generation=9, after=BEFORE),
        plan("chg-4", generation=9, after=BEFORE, target=OTHER),
    ]
    for number, made in enumerate(different):
        await journal.intend(made, 100.0 + number)
        await journal.settle(made, ChangeOutcome.FAILED, "timeout", 100.5 + number)
    with HistoryReading(path) as reading:
        assert [row.attempts for row in reading.changes()] == [1, 1, 1, 1]


@pytest.mark.parametrize("outcome", [ChangeOutcome.APPLIED, ChangeOutcome.INTERRUPTED, None])
async def test_what_moved_traffic_or_may_have_is_never_replaced(
    journal: SqliteJournal, path: Path, outcome: ChangeOutcome | None
) -> None:
    await journal.intend(plan("chg-1"), 100.0)
    if outcome is not None:
        await journal.settle(plan("chg-1"), outcome, "", 101.0)
    await journal.intend(plan("chg-2"), 110.0)
    with HistoryReading(path) as reading:
        assert sorted(row.change_id for row in reading.changes()) == ["chg-1", "chg-2"]


async def test_a_plan_that_was_applied_stays_applied_when_somebody_tries_it_again(journal: SqliteJournal) -> None:
    await apply(journal, "chg-1", 8, at=100.0)
    await journal.intend(plan(), 200.0)
    await journal.settle(plan(), ChangeOutcome.FENCED, "generation 8 stands there already", 201.0)
    _, changes = await journal.recall(TARGET, 0.0)
    assert [(change.change_id, change.at) for change in changes] == [("chg-1", 101.0)]


async def test_an_intent_without_an_outcome_is_found_at_the_next_start_and_counts_as_a_change(
    journal: SqliteJournal,
) -> None:
    await journal.intend(plan("chg-2", generation=9), 101.0)
    await journal.intend(plan("chg-1"), 100.0)
    found = await journal.interrupted(200.0)
    assert found == (plan("chg-1"), plan("chg-2", generation=9))
    assert await journal.interrupted(300.0) == ()
    last_good, changes = await journal.recall(TARGET, 0.0)
    assert last_good is None
    assert {change.change_id for change in changes} == {"chg-1", "chg-2"}


async def test_changes_of_late_are_known_with_whether_they_were_proved(journal: SqliteJournal) -> None:
    await apply(journal, "chg-1", 8, at=100.0)
    await apply(journal, "chg-2", 9, at=200.0)
    await apply(journal, "chg-3", 10, at=300.0)
    await apply(journal, "chg-4", 11, at=400.0)
    await journal.intend(plan("chg-5", generation=12), 500.0)
    await journal.record(incident(200.0, change_id="chg-2"))  # which ends with its proof
    await journal.record(incident(400.0, change_id="chg-4", unconfirmed=True))
    found = await journal.proofs(150.0)
    told = [(made.id, made.generation, proved) for made, proved in found]
    assert told == [("chg-2", 9, True), ("chg-3", 10, None), ("chg-4", 11, False)]


async def test_a_doubt_that_another_version_left_does_not_lose_the_others(journal: SqliteJournal, path: Path) -> None:
    await journal.intend(plan("chg-1"), 100.0)
    await journal.intend(plan("chg-2", generation=9), 101.0)
    with closing(sqlite3.connect(path)) as newer, newer:
        newer.execute("""UPDATE changes SET plan = '{"of": "another version"}' WHERE change_id = 'chg-1'""")
    assert await journal.interrupted(200.0) == (plan("chg-2", generation=9),)


async def test_pruning_keeps_what_is_recent_the_answers_and_the_story_of_an_open_incident(
    journal: SqliteJournal, path: Path
) -> None:
    await apply(journal, "chg-old", 8, at=100.0)
    await apply(journal, "chg-new", 9, at=5_000.0)
    await journal.record([*incident(100.0, "inc-closed"), closed(400.0, "inc-closed")])
    await journal.record(incident(200.0, "inc-open"))
    await journal.record(incident(5_000.0, "inc-new"))
    assert await journal.prune(before=1_000.0) > 0
    assert await journal.prune(before=1_000.0) == 0
    with HistoryReading(path) as reading:
        assert [row.change_id for row in reading.changes()] == ["chg-new"]
        assert [row.incident_id for row in reading.incidents()] == ["inc-open", "inc-new"]
        assert len(reading.events(incident_id="inc-open")) == 6
        assert reading.events(incident_id="inc-closed") == ()
        assert reading.last_good(TARGET) is not None


async def test_pruning_more_than_one_batch_deletes_all_of_it(journal: SqliteJournal) -> None:
    await journal.record([closed(float(number), f"inc-{number}") for number in range(1_500)])
    assert await journal.prune(before=2_000.0) == 3_000


async def test_the_newest_status_of_each_key_is_what_stands(journal: SqliteJournal, path: Path) -> None:
    held = TargetStatus(TARGET, 100.0, TargetState.LIMITED, kind="failover", wanted={"oci-ashburn": 10_000})
    synced = TargetStatus(TARGET, 200.0, TargetState.IN_SYNC, generation=8, published={"oci-ashburn": 10_000})
    other = TargetStatus(OTHER, 150.0, TargetState.DELAYED, detail="no answer", remedy="start it")
    region = RegionStatus("inference-api", "A", "azure-eastus", 100.0, "down", 0, 90.0, None, "refused")
    policy = PolicyStatus("inference-api", 90.0, "policies/inference-api.yaml", "4f2a91")
    heart = Heartbeat(210.0, 4711, 10.0, "0.1.0", "running")
    await journal.update_status([held, other, region, policy, Heartbeat(1.0, 1, 1.0, "0.1.0", "starting")])
    await journal.update_status([synced, heart])
    with HistoryReading(path) as reading:
        assert reading.targets() == (synced, other)
        assert reading.regions() == (region,)
        assert reading.policies() == (policy,)
        assert reading.heartbeat() == heart


async def test_a_dismissed_policy_has_no_status_and_keeps_its_history(journal: SqliteJournal, path: Path) -> None:
    await apply(journal, "chg-1", 8, at=100.0)
    await journal.update_status(
        [TargetStatus(TARGET, 100.0, TargetState.IN_SYNC), Heartbeat(1.0, 1, 1.0, "1", "running")]
    )
    await journal.dismiss("inference-api")
    with HistoryReading(path) as reading:
        assert reading.targets() == ()
        assert reading.heartbeat() is not None
        assert len(reading.changes()) == 1


async def test_only_the_statuses_of_configured_policies_survive_a_start(journal: SqliteJournal, path: Path) -> None:
    known = PolicyStatus("inference-api", 1.0, "a.yaml", "r1")
    await journal.update_status(
        [known, PolicyStatus("gone", 1.0, "b.yaml", "r1"), Heartbeat(1.0, 1, 1.0, "1", "running")]
    )
    await journal.retain(["inference-api"], 2.0)
    with HistoryReading(path) as reading:
        assert reading.policies() == (known,)
        assert reading.heartbeat() is not None


async def test_an_incident_of_a_policy_that_does_not_run_any_more_is_closed_at_the_start_and_pruned_in_time(
    journal: SqliteJournal, path: Path
) -> None:
    opened = IncidentOpened(at=100.0, policy="gone", incident_id="inc-gone", cause="region azure-eastus is down")
    await journal.record([*incident(200.0, "inc-open"), opened])
    await journal.retain(["inference-api"], 1_000.0)
    with HistoryReading(path) as reading:
        assert [row.incident_id for row in reading.incidents(open_only=True)] == ["inc-open"]
        row = reading.incident("inc-gone")
        assert row is not None
        assert row.closed_at == 1_000.0
    await journal.prune(before=1_001.0)
    with HistoryReading(path) as reading:
        assert reading.incident("inc-gone") is None
        assert reading.events(incident_id="inc-gone") == ()
        assert len(reading.events(incident_id="inc-open")) == 6


async def test_a_caller_that_gives_up_does_not_take_its_outcome_back(path: Path) -> None:
    async with open_journal(path) as journal:
        task = asyncio.create_task(journal.settle(plan(), ChangeOutcome.APPLIED, "", 101.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with HistoryReading(path) as reading:
        assert reading.last_good(TARGET) is not None


async def test_a_write_that_fails_after_its_caller_gave_up_is_no_mistake_that_asyncio_tells(path: Path) -> None:
    """As on a full disk: the next call says what is wrong."""
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with open_journal(path) as journal:
        task = asyncio.create_task(journal.settle(plan(generation=2**70), ChangeOutcome.APPLIED, "", 101.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await journal.touch()
    del task
    gc.collect()
    assert told == []


async def test_a_closed_journal_says_so(path: Path) -> None:
    async with open_journal(path) as journal:
        pass
    with pytest.raises(JournalError) as caught:
        await journal.recall(TARGET, 0.0)
    assert caught.value.reason == "journal_closed"


async def test_two_processes_write_one_journal_at_the_same_time(path: Path) -> None:
    async with open_journal(path) as daemon, open_journal(path) as operator:
        await asyncio.gather(
            *(apply(daemon, f"daemon-{number}", number, float(number)) for number in range(1, 30)),
            *(apply(operator, f"operator-{number}", number, float(number)) for number in range(1, 30)),
        )
        _, changes = await daemon.recall(TARGET, 0.0)
    assert len(changes) == 58


async def test_a_reader_sees_whole_changes_while_the_daemon_writes(path: Path) -> None:
    async with open_journal(path) as journal:
        with HistoryReading(path) as reading:
            for number in range(1, 50):
                writing = asyncio.create_task(apply(journal, f"chg-{number}", number, float(number)))
                await asyncio.sleep(0)
                seen = reading.changes(limit=100)
                assert [row.change_id for row in seen][: number - 1] == [f"chg-{done}" for done in range(1, number)]
                await writing
            assert len(reading.changes(limit=100)) == 49


async def test_rows_are_plain_enough_for_the_sqlite_shell(journal: SqliteJournal, path: Path) -> None:
    await journal.record(incident(100.0))
    with sqlite3.connect(path) as shell:
        found = shell.execute("SELECT json_extract(facts, '$.shares_to.\"oci-ashburn\"') FROM events").fetchall()
    shell.close()
    assert (10_000,) in found


# -- where things stand is written when it is news ---------------------------------------------------------------------


async def test_what_stands_there_already_is_not_written_again(path: Path) -> None:
    told = PolicyStatus("api", 1.0, "api.yaml", "1")
    async with open_journal(path) as journal:
        await journal.update_status([told])
        await journal.update_status([replace(told, at=2.0)])
        with HistoryReading(path) as reading:
            assert [status.at for status in reading.policies()] == [1.0]
        await journal.update_status([replace(told, at=3.0, revision="2")])
        with HistoryReading(path) as reading:
            assert [status.at for status in reading.policies()] == [3.0]


async def test_a_policy_that_was_dismissed_and_comes_back_is_written_again(path: Path) -> None:
    told = PolicyStatus("api", 1.0, "api.yaml", "1")
    async with open_journal(path) as journal:
        await journal.update_status([told])
        await journal.dismiss("api")
        await journal.update_status([told])
        with HistoryReading(path) as reading:
            assert reading.policies() == (told,)


async def test_a_heartbeat_is_always_news(path: Path) -> None:
    beat = Heartbeat(1.0, 1, 0.0, "1", "running")
    async with open_journal(path) as journal:
        await journal.update_status([beat])
        await journal.update_status([replace(beat, at=2.0)])
        with HistoryReading(path) as reading:
            assert reading.heartbeat() == replace(beat, at=2.0)


async def test_a_journal_that_was_deleted_is_told_everything_again(path: Path) -> None:
    told = PolicyStatus("api", 1.0, "api.yaml", "1")
    async with open_journal(path) as journal:
        await journal.update_status([told])
        for file in path.parent.iterdir():
            file.unlink()
        await journal.update_status([told])
        with HistoryReading(path) as reading:
            assert reading.policies() == (told,)


# -- whose it is -------------------------------------------------------------------------------------------------------


async def test_a_journal_belongs_to_one_instance_from_its_beginning_and_after_a_restart(path: Path) -> None:
    async with open_journal(path) as operator:
        made = await operator.instance()
    async with open_journal(path, sole=True) as daemon:
        assert await daemon.instance() == made
    assert len(made) == 8
    int(made, 16)


async def test_a_journal_that_was_lost_is_another_one(path: Path) -> None:
    async with open_journal(path) as journal:
        before = await journal.instance()
        for file in path.parent.glob("journal.db*"):
            file.unlink()
        assert await journal.instance() != before


async def test_a_daemon_whose_journal_was_lost_while_it_ran_goes_on_under_its_name(journal: SqliteJournal) -> None:
    await journal.belong("0000aaaa")
    await journal.belong("0000aaaa")
    assert await journal.instance() == "0000aaaa"


@pytest.mark.parametrize("damage", ["", "x", "0000aaaa owner=other", "0000AAAA", "0" * 900])
async def test_a_damaged_id_stands_in_no_marker(journal: SqliteJournal, path: Path, damage: str) -> None:
    await journal.belong("0000aaaa")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = ?", (damage,))
    made = await journal.instance()
    assert made != damage
    assert len(made) == 8
    assert await journal.instance() == made
