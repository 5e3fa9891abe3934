"""What status, why and history tell from a journal, whatever stands in it."""

import io
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from support.journals import TARGET, incident, plan
from support.notices import notice

from failoverd.api.planned import finding_told
from failoverd.api.telling import history_told, status_told, why_told, words_told
from failoverd.cli.plan_views import show
from failoverd.cli.views.from_journal import opened, status_read
from failoverd.cli.views.now import show_status
from failoverd.cli.views.past import show_history, show_why
from failoverd.cli.views.spoken_times import clock
from failoverd.cli.words.showing import show_words
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import PlanKind
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import JournalError, Permanent
from failoverd.core.events import ChangeApplied, EndpointFailed
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.status import (
    EndpointStatus,
    FilesStatus,
    Heartbeat,
    JournalStatus,
    NotificationsStatus,
    OrphanedRecord,
    OrphansStatus,
    PlannedStatus,
    PlannedWork,
    PolicyStatus,
    ProbingStatus,
    ReceiverStatus,
    RefusedFile,
    RegionStatus,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.operations.history import Past, history, past
from failoverd.operations.overview import overview
from failoverd.operations.planning import PlanFinding
from failoverd.operations.why import why
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import SqliteJournal
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import phrases, reasoning

EVIL = "503 \x1b]0;owned\x07\x9b2J\r[bold]x[/bold]"
SHOWN = "503 \\x1b]0;owned\\x07\\x9b2J\\r[bold]x[/bold]"

NOW = 1_795_400_000.0  # 2026-11-23T02:13:20Z


# -- from a journal ----------------------------------------------------------------------------------------------------


async def attempt(journal: SqliteJournal, change_id: str, generation: int, at: float, outcome: ChangeOutcome) -> None:
    made = plan(change_id, generation=generation)
    await journal.intend(made, at)
    await journal.settle(made, outcome, "refused" if outcome is ChangeOutcome.FAILED else "", at + 0.1)


def screen() -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=200, highlight=False), written


async def test_why_finds_the_last_change_behind_any_number_of_failed_ones(journal: SqliteJournal, path: Path) -> None:
    await attempt(journal, "chg-good", 8, 100.0, ChangeOutcome.APPLIED)
    for number in range(200):
        await attempt(journal, f"chg-{number}", 9 + number, 200.0 + number, ChangeOutcome.FAILED)
    with HistoryReading(path) as reading:
        told = why(reading, NOW, policy=None, at=None, incident=None)
        assert told is not None
        assert told.move.change_id == "chg-good"
        assert why(reading, NOW, policy="other-api", at=None, incident=None) is None


async def test_why_knows_the_rule_of_a_change_behind_any_number_of_later_ones(
    journal: SqliteJournal, path: Path
) -> None:
    await attempt(journal, "chg-1", 8, 100.0, ChangeOutcome.APPLIED)
    (applied,) = (event for event in incident(100.0) if isinstance(event, ChangeApplied))
    await journal.record([applied, *(replace(applied, at=200.0 + n, change_id=f"later-{n}") for n in range(1_500))])
    with HistoryReading(path) as reading:
        told = why(reading, NOW, policy=None, at=150.0, incident=None)
    assert told is not None
    assert (told.rule_at, told.actor) == ("policies/inference-api.yaml:24", "failoverd")


async def test_history_tells_a_day_of_retries_in_one_line(journal: SqliteJournal, path: Path) -> None:
    for number in range(1, 31):
        await attempt(journal, f"chg-{number}", 8, 100.0 + number, ChangeOutcome.FAILED)
    console, written = screen()
    with HistoryReading(path) as reading:
        rows = reading.changes()
        show_history(console, history_told(Past(history(rows), ())))
    assert [move.attempts for move in history(rows)] == [30]
    assert written.getvalue() == (
        "1970-01-01 00:02:10Z  api.example.com A at bind-main  generation 8 failed after 30 attempts:"
        " azure-eastus 70%, oci-ashburn 30% -> oci-ashburn 100%  (refused)\n"
    )


async def test_history_calls_nothing_verified_that_nobody_confirmed(journal: SqliteJournal, path: Path) -> None:
    await attempt(journal, "chg-1", 8, 100.0, ChangeOutcome.APPLIED)
    await journal.record(incident(100.0, unconfirmed=True))
    console, written = screen()
    with HistoryReading(path) as reading:
        show_history(console, history_told(Past(history(reading.changes()), ())))
    assert "generation 8 applied, read back and confirmed by nobody else:" in written.getvalue()
    assert "verified" not in written.getvalue()


async def test_history_says_what_a_change_was_that_moved_no_share(journal: SqliteJournal, path: Path) -> None:
    given_back = replace(plan(), kind=PlanKind.DISOWN, shares_before={"a": 10_000}, shares_after={"a": 10_000})
    await journal.settle(given_back, ChangeOutcome.APPLIED, "", 100.0)
    console, written = screen()
    with HistoryReading(path) as reading:
        show_history(console, history_told(Past(history(reading.changes()), ())))
    assert "  disown, generation 8 applied: a 100% -> a 100%\n" in written.getvalue()


async def test_status_says_while_the_prober_abstains_and_which_sentinels_are_silent(
    journal: SqliteJournal, path: Path
) -> None:
    isolated = VantageStatus(NOW, ("IPv4",), NOW - 120.0, "IPv4: 2 of 3 sentinels do not answer", 3, ("a", "b"))
    for isolation, words in (
        (isolated, "prober: abstains on IPv4 for 2m: IPv4: 2 of 3 sentinels do not answer"),
        (
            replace(isolated, isolated=(), silent=("a",)),
            "prober: trusts its network; 1 of 3 sentinels do not answer: a",
        ),
    ):
        await journal.update_status([Heartbeat(NOW, 1, NOW, "1", "running"), isolation])
        console, written = screen()
        with HistoryReading(path) as reading:
            show_status(console, status_told(overview(reading, NOW), NOW), NOW)
            assert reading.vantage() == isolation
        assert words in " ".join(written.getvalue().split())


async def test_status_says_whether_the_schedule_is_kept(journal: SqliteJournal, path: Path) -> None:
    kept = ProbingStatus(NOW, 2_000.4, 0.005, 0.0123, in_flight=9, skipped=1_200)
    for probing, words in (
        (kept, "probing: 2,000/s, lag p99 5 ms, at most 12 ms, 1,200 skipped, 0 waiting"),
        (replace(kept, rate=0.44, lag=1.5), "probing: 0.4/s, lag p99 1,500 ms"),
        (replace(kept, stretched=4), "shedding load: intervals are 4 times as long as written; re-checks keep"),
    ):
        await journal.update_status([Heartbeat(NOW, 1, NOW, "1", "running"), probing])
        console, written = screen()
        with HistoryReading(path) as reading:
            show_status(console, status_told(overview(reading, NOW), NOW), NOW)
            assert reading.probing() == probing
            assert status_told(overview(reading, NOW), NOW).probing.skipped == 1_200  # type: ignore[union-attr]
        assert words in " ".join(written.getvalue().split())


async def test_status_says_first_that_the_journal_cannot_be_written(journal: SqliteJournal, path: Path) -> None:
    """Only the daemon knows: what it cannot write is in no journal."""
    await seen(journal)
    full = JournalStatus(NOW - 300.0, writes=True, error="j.db: disk is full", remedy="free space")
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(replace(overview(reading, NOW), journal=full), NOW), NOW)
    first, daemon, third, *rest = written.getvalue().splitlines()
    assert first.startswith("the journal cannot be written")
    assert daemon.startswith("daemon: running")
    assert third == "journal: cannot be written for 5m: j.db: disk is full"
    assert rest[0].startswith("  records are steered and operators are heard all the same")
    assert rest[2] == "  remedy: free space"


async def test_status_says_who_is_not_told(journal: SqliteJournal, path: Path) -> None:
    silent = ReceiverStatus(
        "pager", "pagerduty", "events.example", waiting=2, failing_since=NOW - 3_600, error="it hangs " + EVIL
    )
    told = NotificationsStatus(NOW, (silent, replace(silent, receiver="chat", failing_since=None)), (notice(),))
    await journal.update_status([Heartbeat(NOW, 1, NOW, "1", "running"), told])
    console, written = screen()
    with HistoryReading(path) as reading:
        found = status_told(overview(reading, NOW), NOW)
        show_status(console, found, NOW)
    assert found.notifications is not None
    assert found.notifications.notices[0].kind == "region.left"
    words = " ".join(written.getvalue().split())
    assert "pager at events.example does not take what it is told" in words.partition(" daemon: ")[0]
    assert "notifications: 1 trouble told to 2 addresses" in words
    assert f"pager at events.example is not told for 1h, 2 wait: it hangs {SHOWN}" in words


async def test_status_tells_the_endpoints_that_are_not_well(journal: SqliteJournal, path: Path) -> None:
    well = EndpointStatus(TARGET.policy, "azure-eastus", "192.0.2.10:443", NOW, "healthy", NOW - 3_600.0)
    ill = replace(well, endpoint="192.0.2.11:443", state="unhealthy", since=NOW - 120.0, evidence="3 times 503")
    await journal.update_status([PolicyStatus(TARGET.policy, NOW, "a.yaml", "1"), well, ill])
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(overview(reading, NOW), NOW), NOW)
        assert overview(reading, NOW, healthy=False).endpoints == (ill,)
        assert [each.endpoint for each in status_told(overview(reading, NOW), NOW).endpoints] == [
            "192.0.2.10:443",
            "192.0.2.11:443",
        ]
    assert "    azure-eastus 192.0.2.11:443: unhealthy for 2m: 3 times 503\n" in written.getvalue()
    assert "192.0.2.10" not in written.getvalue()


async def test_status_lists_what_no_file_names_any_more_and_how_that_ends(journal: SqliteJournal, path: Path) -> None:
    orphan = OrphanedRecord(TARGET, 8, NOW, {"oci-ashburn": 10_000})
    await journal.update_status([Heartbeat(NOW, 1, NOW, "1", "running"), OrphansStatus(NOW, (orphan,))])
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(overview(reading, NOW), NOW), NOW)
    first, *_, last = written.getvalue().splitlines()
    assert first.startswith("no file names api.example.com A any more: it stays as it is")
    assert last == "  remedy: put the file back, or: failoverctl disown inference-api api.example.com"
    assert (
        "api.example.com A at bind-main: orphaned generation 8, last verified: oci-ashburn 100%" in written.getvalue()
    )


async def test_status_shows_planned_work_ahead_and_while_it_is_open(journal: SqliteJournal, path: Path) -> None:
    soon = PlannedWork("drain-01234567", "region oci-ashburn", "regions.yaml:9", "switches", NOW + 60, NOW + 120)
    over = replace(soon, override="drain-76543210", since=NOW - 60, until=NOW - 1)
    await journal.update_status([Heartbeat(NOW, 1, NOW, "1", "running"), PlannedStatus(NOW, (over, soon))])
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(overview(reading, NOW), NOW), NOW)
        show_status(console, status_told(overview(reading, NOW), NOW), NOW + 60)
    told = [line for line in written.getvalue().splitlines() if "planned" in line or "release" in line]
    begin, end = phrases.moment(NOW + 60), phrases.moment(NOW + 120)
    assert told == [
        f"planned: region oci-ashburn, {begin} to {end}: switches (regions.yaml:9)",
        "  to call it off: failoverctl release drain-01234567",
        f"planned: region oci-ashburn, open, until {end}: switches (regions.yaml:9)",
        "  to call it off: failoverctl release drain-01234567",
    ]


def test_a_journal_that_is_not_there_is_named_once(path: Path) -> None:
    with pytest.raises(JournalError) as caught:
        HistoryReading(path)
    assert caught.value.detail == f"{path}: No such file or directory; traffic is not affected"


async def test_status_lists_what_is_not_taken_up(journal: SqliteJournal, path: Path) -> None:
    refused = FilesStatus(NOW, (RefusedFile("policies/new.yaml", "error FD201: unknown key", "policies/new.yaml:3:1"),))
    await journal.update_status([Heartbeat(NOW, 1, NOW, "1", "running"), refused])
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(overview(reading, NOW), NOW), NOW)
    assert written.getvalue().startswith("new.yaml is not taken up; no policies")
    assert "policies/new.yaml:3:1: not taken up\n  error FD201: unknown key\n" in written.getvalue()


async def test_status_says_that_a_daemon_is_silent(journal: SqliteJournal, path: Path) -> None:
    await journal.update_status([Heartbeat(NOW - 60.0, 1, NOW - 90.0, "1", "running")])
    with HistoryReading(path) as reading:
        assert status_told(overview(reading, NOW), NOW).daemon.state == "silent"


async def test_a_daemon_that_does_not_answer_is_not_called_running(journal: SqliteJournal, path: Path) -> None:
    """It was killed a second ago: what it wrote last says that it runs, and everything below is of before."""
    config = path.parent / "failoverd.yaml"
    config.write_text("version: 1\nowner: prod\npolicies: policies\njournal: journal.db\n")
    await journal.update_status([Heartbeat(NOW - 1.0, 1, NOW - 90.0, "1", "running")])
    told, at = status_read(config, NOW, healthy=True, silent=True)
    assert (told.daemon.state, at) == ("silent", NOW - 1.0)
    assert told.headline.startswith("not known: the daemon is silent, last seen 1 s ago; no policies")
    assert status_read(config, NOW, healthy=True)[0].daemon.state == "running"


async def test_a_region_with_a_long_name_moves_its_table_and_breaks_no_line(journal: SqliteJournal, path: Path) -> None:
    region = RegionStatus(
        TARGET.policy, "A", "x" * 63, NOW, "down", 0, NOW, None, "all 40 endpoints are unhealthy " * 4
    )
    await journal.update_status([PolicyStatus(TARGET.policy, NOW, "a.yaml", "1"), region, replace(region, region="y")])
    written = io.StringIO()
    with HistoryReading(path) as reading:
        show_status(Console(file=written, width=80, highlight=False), status_told(overview(reading, NOW), NOW), NOW)
    head, first, second = written.getvalue().splitlines()[-3:]
    assert head.index("type") == first.index("A  ") == second.index("A  ") == 2 + 63 + 2


# -- what operators said -----------------------------------------------------------------------------------------------

DRAIN = Override(
    "drain-1a2b3c4d", Verb.DRAIN, Scope(regions=("azure-eastus",)), "alice@console", NOW - 60.0, NOW + 3_600.0,
    (Comment(NOW - 60.0, "alice@console", "upgrade of the racks"),),
)  # fmt: skip


async def seen(journal: SqliteJournal) -> None:
    await journal.update_status(
        [
            Heartbeat(NOW, 1, NOW, "1", "running"),
            PolicyStatus(TARGET.policy, NOW, "a.yaml", "1"),
            RegionStatus(TARGET.policy, "A", "azure-eastus", NOW, "healthy", 10_000, NOW, cloud="azure"),
            TargetStatus(TARGET, NOW, TargetState.IN_SYNC, generation=8),
        ]
    )


async def test_status_shows_what_operators_said_with_the_daemon_dead(journal: SqliteJournal, path: Path) -> None:
    await seen(journal)
    await journal.say(DRAIN)
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(overview(reading, NOW), NOW), NOW)
    first, *rest = written.getvalue().splitlines()
    assert first == "1 override: drain of region azure-eastus by alice until 03:13Z"
    begin = rest.index("override drain-1a2b3c4d: drain of region azure-eastus")
    assert rest[begin + 1 : begin + 3] == [
        "  by alice@console, until 03:13Z (1h left): upgrade of the racks",
        "  it is about 1 record: api.example.com A at bind-main",
    ]


async def test_words_that_were_lost_are_shown_wherever_words_are(journal: SqliteJournal, path: Path) -> None:
    """The answer lacks a region for which there is no word any more: somebody has to be told why, and what ends it."""
    await seen(journal)
    name = "drain-1a2b3c4d"
    lost = Reason(ReasonCode.OVERRIDES_LOST, numbers={"until": NOW + 60.0}, named=(name,), detail=name)
    await journal.update_status(
        [TargetStatus(TARGET, NOW, TargetState.IN_SYNC, kind="normal", generation=8, reasons=(lost,))]
    )
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(overview(reading, NOW), NOW), NOW)
        show_words(console, words_told(overview(reading, NOW), NOW), NOW, verbose=False)
    first, *rest = written.getvalue().splitlines()
    assert first.endswith("is held by overrides that were lost")
    assert f"    why: {reasoning.words(lost)}" in rest
    assert rest[-2:] == [
        "drain-1a2b3c4d  was lost with the journal, and the marker beside a record still names it",
        "  only what fails out moves there; give the same override again, or end it: failoverctl release --lost",
    ]


async def test_status_says_of_a_word_that_it_concerns_nothing_now_and_forgets_one_that_is_over(
    journal: SqliteJournal, path: Path
) -> None:
    await seen(journal)
    await journal.say(replace(DRAIN, scope=Scope(regions=("azure-westus",))))
    await journal.say(replace(DRAIN, id="drain-2a2b3c4d").released("alice@console", "done", NOW - 1.0))
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(overview(reading, NOW), NOW), NOW)
        show_words(console, words_told(overview(reading, NOW), NOW), NOW, verbose=False)
    assert "  it is about nothing now\n" in written.getvalue()
    assert written.getvalue().endswith("  it is about nothing now: no file names that any more\n")
    assert "drain-2a2b3c4d" not in written.getvalue()


async def test_status_says_of_a_word_that_a_later_one_is_in_force_instead(journal: SqliteJournal, path: Path) -> None:
    """Somebody pasted an undo under a drain: both are there, and one counts."""
    await seen(journal)
    await journal.say(DRAIN)
    said = Reason(
        ReasonCode.OVERRULED, "overrides", "azure-eastus", numbers={"until": NOW + 60.0}, named=(DRAIN.id,),
        detail=f"{DRAIN.id} by alice@console: upgrade of the racks; later: pin-0a0a0a0a by hand",
    )  # fmt: skip
    target = TargetStatus(TARGET, NOW, TargetState.IN_SYNC, kind="operator", generation=8, reasons=(said,))
    await journal.update_status([target])
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(overview(reading, NOW), NOW), NOW)
    lines = written.getvalue().splitlines()
    assert "  it is not in force at api.example.com A at bind-main: a later override is" in lines
    (why,) = (line for line in lines if line.startswith("    why: "))
    assert why.startswith("    why: azure-eastus is not drained until ")
    assert why.endswith("; later: pin-0a0a0a0a by hand)")


async def test_why_names_the_word_before_all_else(journal: SqliteJournal, path: Path) -> None:
    await seen(journal)
    await journal.say(DRAIN)
    drained = Reason(ReasonCode.DRAINED, "overrides", "azure-eastus", numbers={"until": DRAIN.until}, detail="by alice")
    made = plan()
    made = replace(made, decision=replace(made.decision, reasons=(*made.decision.reasons, drained)))
    await journal.settle(made, ChangeOutcome.APPLIED, "", NOW - 50.0)
    console, written = screen()
    with HistoryReading(path) as reading:
        told = why(reading, NOW, policy=None, at=None, incident=None)
        assert told is not None
        show_why(console, why_told(told), NOW)
        before = why(reading, NOW, policy=None, at=NOW - 50.0, incident=None)
        assert before is not None
        assert "drain of region azure-eastus by alice@console, until 03:13Z (1h 1m left)" in before.overrides[0]
        later = why(reading, NOW + 7_200.0, policy=None, at=None, incident=None)
        assert later is not None
        assert later.overrides == ()
    _, second, third, *rest = written.getvalue().splitlines()
    assert second == (
        "  override  drain of region azure-eastus by alice@console, until 03:13Z (1h left): upgrade of the racks"
        " (drain-1a2b3c4d)"
    )
    assert third.startswith("  azure-eastus 70%, oci-ashburn 30% -> oci-ashburn 100%")
    assert next(line for line in rest if "why" in line).startswith("  why    azure-eastus is drained until")


async def test_what_an_operators_word_moved_is_taken_back_by_its_end(journal: SqliteJournal, path: Path) -> None:
    """A pin beside a drain that goes on would be two words that say different things."""
    made = plan()
    applied = incident(NOW - 50.3, change_id=made.id)[5]
    assert isinstance(applied, ChangeApplied)
    await journal.settle(made, ChangeOutcome.APPLIED, "", NOW - 50.0)
    await journal.record([replace(applied, overrides=(DRAIN.id,), undo="nsupdate ...")])

    def undoing(now: float) -> list[str]:
        console, written = screen()
        with HistoryReading(path) as reading:
            told = why(reading, now, policy=None, at=None, incident=None)
            assert told is not None
            show_why(console, why_told(told), NOW)
        return [line for line in written.getvalue().splitlines() if "undo" in line or "nsupdate" in line]

    by_hand = ["to undo it by hand:", "nsupdate ..."]
    assert undoing(NOW) == [f"to undo it: failoverctl undo {made.id} --reason TEXT --for 1h", *by_hand]
    await journal.say(DRAIN)
    assert undoing(NOW) == [f"to undo it: failoverctl release {DRAIN.id}", *by_hand]
    assert undoing(DRAIN.until) == [f"to undo it: failoverctl undo {made.id} --reason TEXT --for 1h", *by_hand]


@pytest.mark.parametrize(("policy", "lines"), [(None, 3), (TARGET.policy, 3), ("shop", 0)])
async def test_history_tells_what_operators_said_beside_the_changes(
    journal: SqliteJournal, path: Path, policy: str | None, lines: int
) -> None:
    await seen(journal)
    await attempt(journal, "chg-1", 8, NOW - 50.0, ChangeOutcome.APPLIED)
    await journal.say(DRAIN.released("bob@console", "racks are done", NOW - 10.0))
    console, written = screen()
    with HistoryReading(path) as reading:
        show_history(console, history_told(past(reading, NOW, policy=policy, since=NOW - 3_600.0, limit=50)))
    told = written.getvalue().splitlines()
    assert len(told) == lines
    if lines:
        assert told[0] == (
            "2026-11-23 02:12:20Z  drain of region azure-eastus given by alice@console, until 2026-11-23 03:13:20Z:"
            " upgrade of the racks  (drain-1a2b3c4d)"
        )
        assert "generation 8 applied" in told[1]
        assert told[2] == (
            "2026-11-23 02:13:10Z  drain of region azure-eastus released by bob@console: racks are done"
            "  (drain-1a2b3c4d)"
        )


# -- what servers said is not obeyed -----------------------------------------------------------------------------------


async def test_status_shows_what_servers_said_and_never_obeys_it(journal: SqliteJournal, path: Path) -> None:
    await journal.update_status(
        [
            Heartbeat(NOW, 4711, NOW, EVIL, "running"),
            PolicyStatus(TARGET.policy, NOW, EVIL, EVIL, runbook=EVIL, rejected=EVIL, incident_id="inc-1"),
            RegionStatus(TARGET.policy, "A", "azure-eastus", NOW, "down", 0, NOW, None, EVIL),
            TargetStatus(TARGET, NOW, TargetState.DELAYED, detail=EVIL, remedy=EVIL, manual=f"nsupdate\n{EVIL}"),
        ]
    )
    console, written = screen()
    with HistoryReading(path) as reading:
        show_status(console, status_told(overview(reading, NOW), NOW), NOW)
    assert_harmless(written, times=9)


async def test_why_and_history_show_what_servers_said_and_never_obey_it(journal: SqliteJournal, path: Path) -> None:
    made = plan()
    made = replace(made, decision=replace(made.decision, reasons=(Reason(ReasonCode.SHARE, text=EVIL),)))
    await journal.settle(made, ChangeOutcome.APPLIED, EVIL, 101.0)
    (applied,) = (event for event in incident(100.0) if isinstance(event, ChangeApplied))
    (failed,) = (event for event in incident(100.0) if isinstance(event, EndpointFailed))
    evil = Reason(ReasonCode.REGION, text=EVIL)
    said = replace(applied, evidence=(evil,), rule_at=EVIL, actor=EVIL, undo=f"nsupdate\n{EVIL}")
    await journal.record([replace(failed, evidence=EVIL), said])
    with sqlite3.connect(path) as other:  # what another version wrote is not obeyed, either
        other.execute("UPDATE events SET facts = json_set(facts, '$.limits', json_array(?))", (EVIL,))
    other.close()
    console, written = screen()
    with HistoryReading(path) as reading:
        told = why(reading, NOW, policy=None, at=None, incident=None)
        assert told is not None
        show_why(console, why_told(told), NOW)
        show_history(console, history_told(Past(history(reading.changes()), ())))
    assert_harmless(written, times=8)


async def test_what_a_view_leaves_out_is_noted_beside_it(
    journal: SqliteJournal, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await attempt(journal, "chg-1", 8, NOW, ChangeOutcome.APPLIED)
    await attempt(journal, "chg-2", 9, NOW, ChangeOutcome.APPLIED)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE changes SET plan = substr(plan, 1, 100) WHERE change_id = 'chg-1'")
    other.close()
    console, written = screen()
    with opened(HistoryReading(path)) as reading:
        show_history(console, history_told(Past(history(reading.changes()), ())))
    assert "generation 9" in written.getvalue()
    assert "generation 8" not in written.getvalue()
    noted = capsys.readouterr()
    assert noted.out == ""
    assert "1 row of the journal cannot be read" in noted.err


@pytest.mark.parametrize("at", [9e300, float("inf"), float("nan"), -1.0])
def test_a_moment_that_no_calendar_has_is_shown_as_its_number(at: float) -> None:
    assert clock(at) == f"{at:g}s"


def test_a_plan_shows_what_servers_said_and_never_obeys_it() -> None:
    made = plan()
    decision = replace(made.decision, reasons=(Reason(ReasonCode.SHARE, text=EVIL),))
    console, written = screen()
    outcome = Outcome(OutcomeKind.WRITE, decision, PolicyState(TARGET.policy), plan=made)
    shown = PlanFinding(TARGET, outcome, manual=f"nsupdate\n{EVIL}")
    failed = PlanFinding(TARGET, None, Permanent(EVIL, reason="refused", remedy=EVIL))
    show(console, [finding_told(shown), finding_told(failed)])
    assert_harmless(written, times=4)


def assert_harmless(written: io.StringIO, *, times: int) -> None:
    text = written.getvalue()
    assert text.count(SHOWN) == times, text
    assert all(char.isprintable() or char == "\n" for char in text)
