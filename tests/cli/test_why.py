"""`failoverctl why` and `history`: how it stands now comes first, then the change, the sum, and all that led to it."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support.commands import answered, written
from support.journals import OTHER, TARGET, incident, plan

from failoverd.api.shapes import WhyTold
from failoverd.api.telling import history_told, why_told
from failoverd.cli.options import Exit
from failoverd.cli.views.past import show_history, show_why
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.plan import PlanKind
from failoverd.core.events import (
    ChangeApplied,
    ChangeVerified,
    EndpointFailed,
    Event,
    PlanHeld,
    PolicyLoaded,
    TargetDelayed,
    TargetResumed,
)
from failoverd.core.reasons import Cause, Limit, LimitCheck, Reason, ReasonCode
from failoverd.core.status import Overview, PolicyStatus, Status, TargetState, TargetStatus
from failoverd.operations.history import past
from failoverd.operations.why import Present, why
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import prose

NOW = 1_795_400_000.0  # 2026-11-23T02:13:20Z
AT = NOW - 60.0
NORMAL = {"azure-eastus": 7_000, "oci-ashburn": 3_000}
LEFT = {"oci-ashburn": 10_000}
DOWN = Reason(ReasonCode.REGION_DOWN, "health", "azure-eastus", detail="HTTP 503", numbers={"score": 0})
MOVED = TargetStatus(
    TARGET, NOW, TargetState.IN_SYNC, DecisionKind.FAILOVER, published=LEFT, normal=NORMAL, reasons=(DOWN,),
    answered_since=AT,
)  # fmt: skip
POLICY = PolicyStatus(TARGET.policy, NOW, "inference-api.yaml", "1", failback_after=300.0)
WHERE: dict[str, Any] = {
    "policy": TARGET.policy,
    "record": str(TARGET.key),
    "provider": TARGET.provider,
    "zone": TARGET.zone,
    "decision_id": "dec-1",
}


async def fell(journal: SqliteJournal) -> None:
    """A region failed at 02:12:19.5, and traffic had left it a second later."""
    told: list[Event] = []
    for event in incident(AT - 0.3):
        if isinstance(event, EndpointFailed):
            told.append(replace(event, passes=6, failing_since=AT - 1.0))
        elif isinstance(event, ChangeVerified):
            told.append(replace(event, at=AT + 0.5))
        else:
            told.append(event)
    await journal.settle(plan(), ChangeOutcome.APPLIED, "", AT)
    await journal.record(told)


def asked(path: Path, *statuses: Status, at: float | None = None, record: str | None = None) -> WhyTold:
    seen = Present(Overview.of((POLICY, *(statuses or (MOVED,)))), NOW)
    with HistoryReading(path) as reading:
        found = why(reading, NOW, policy=None, at=at, incident=None, record=record, present=seen)
    assert found is not None
    return why_told(found)


def printed(told: WhyTold) -> list[str]:
    written = io.StringIO()
    show_why(Console(file=written, width=80, highlight=False), told, NOW)
    return written.getvalue().splitlines()


async def test_how_it_stands_is_said_in_five_lines_before_anything_else(journal: SqliteJournal, path: Path) -> None:
    await fell(journal)
    assert printed(asked(path))[:6] == [
        (
            "api.example.com A at bind-main answers oci-ashburn 100% since 2026-11-23 02:12:20Z (1 min ago), by "
            "failoverd; normally azure-eastus 70%, oci-ashburn 30%"
        ),
        "  why    azure-eastus is down (score 0%): HTTP 503",
        "  next   azure-eastus comes back once well for 5 min",
        "  stop   failoverctl hold inference-api --reason TEXT --for 1h",
        (
            "  cost   1.0s from the first failing probe to the change and 1.5s to the proof; 70% of the traffic was "
            "there; about 10% of clients still use the old answer; at most 14s of all traffic lost"
        ),
        "the last change:",
    ]


async def test_a_provider_that_is_down_is_what_it_begins_with(journal: SqliteJournal, path: Path) -> None:
    """Of two providers the one is written, and the other not: that is what somebody asks about."""
    await fell(journal)
    delayed = replace(
        MOVED, target=OTHER, state=TargetState.DELAYED, published=NORMAL, detail="no answer (timeout)", since=NOW - 120,
        until=NOW + 30.0,
    )  # fmt: skip
    first, second, third, *_ = printed(asked(path, MOVED, delayed))
    assert first.startswith("api.example.com A at knot-second cannot be read or written now, and answered azure-eastus")
    assert (second, third) == ("  why    no answer (timeout)", "  next   it is tried again at 02:13Z (in 30s)")
    assert "also api.example.com A at bind-main: azure-eastus is down (score 0%): HTTP 503" in printed(
        asked(path, MOVED, delayed)
    )


async def test_the_sum_is_a_table_and_passes_between_failures_are_told(journal: SqliteJournal, path: Path) -> None:
    made = plan()
    reasons = (
        replace(DOWN, detail=""),
        Reason(ReasonCode.REGION_HEALTHY, "health", "oci-ashburn", numbers={"score": 10_000}),
        Reason(ReasonCode.PULL, "", "oci-ashburn", numbers={"pull": 3_000, "share": 3_000, "score": 10_000}),
        Reason(ReasonCode.CAPACITY, "", "oci-ashburn", numbers={"wanted": 10_000, "room": 8_000, "score": 10_000}),
        Reason(ReasonCode.SHARE, "", "oci-ashburn", numbers={"share": 10_000}),
    )
    await journal.settle(replace(made, decision=replace(made.decision, reasons=reasons)), ChangeOutcome.APPLIED, "", AT)
    await fell_events_only(journal)
    lines = printed(asked(path))
    begin = lines.index("  region        health   score  pulls  may take  had  gets")
    assert lines[begin + 1 : begin + 3] == [
        "  azure-eastus  down     0%     -      -         70%  0%",
        "  oci-ashburn   healthy  100%   30%    80%       30%  100%",
    ]
    assert any("is down after 3 failures of 9 probes of live since 2026-11-23 02:12:19Z: " in line for line in lines)


async def fell_events_only(journal: SqliteJournal) -> None:
    failed = next(each for each in incident(AT - 0.3) if isinstance(each, EndpointFailed))
    applied = next(each for each in incident(AT - 0.3) if isinstance(each, ChangeApplied))
    await journal.record([replace(failed, passes=6, failing_since=AT - 1.0), applied])


async def test_an_edit_of_the_file_that_moved_it_is_named_by_its_revisions(journal: SqliteJournal, path: Path) -> None:
    await journal.settle(replace(plan("chg-1"), revision="aaaa"), ChangeOutcome.APPLIED, "", AT - 60.0)
    edited = replace(plan("chg-2", generation=9), revision="bbbb", cause=Cause.OPERATOR)
    await journal.settle(edited, ChangeOutcome.APPLIED, "", AT)
    quiet = replace(MOVED, kind=DecisionKind.NORMAL, normal=LEFT, reasons=())
    told = asked(path, quiet)
    assert told.edited == "aaaa -> bbbb"
    assert "  why    an edit of the policy's file moved it: revision aaaa -> bbbb" in printed(told)[:5]
    for other in (
        replace(edited, id="chg-3", cause=Cause.FAILING_OUT, revision="cccc"),
        replace(edited, id="chg-4", cause=Cause.RETURNING, revision="dddd"),
        replace(edited, id="chg-5", revision="dddd"),  # the file is as before
    ):
        await journal.settle(other, ChangeOutcome.APPLIED, "", AT + float(other.id[-1]))
        assert asked(path, quiet).edited == "", other.id


async def test_what_somebody_edited_since_is_told_as_nobodys_of_ours(journal: SqliteJournal, path: Path) -> None:
    """Neither by whom the last change was, nor what that cost, is said of an answer that another hand wrote."""
    await fell(journal)
    elsewhere = replace(
        MOVED,
        state=TargetState.DRIFTED,
        published={"elsewhere": 10_000},
        detail="203.0.113.9",
        answered_since=NOW - 7.0,
    )
    unread = replace(elsewhere, state=TargetState.DELAYED, detail="no answer (timeout)", until=NOW + 30.0)
    first, *more = printed(asked(path, elsewhere))
    assert first.startswith("api.example.com A at bind-main was edited by somebody else, and answers elsewhere 100%")
    for lines in ([first, *more], printed(asked(path, unread))):
        assert "failoverd" not in lines[0]
        assert lines[4] == "the last change:", "no cost among what stands"


@pytest.mark.parametrize(
    ("kind", "after", "who", "said"),
    [
        (PlanKind.RESTORE, LEFT, "failoverd", "somebody else edited it, and it was put back"),
        (PlanKind.ADOPT, {"elsewhere": 10_000}, "somebody else", "somebody else edited it, which on_drift accepted"),
    ],
)
async def test_what_became_of_somebodys_edit_is_said_first(
    kind: PlanKind, after: dict[str, int], who: str, said: str, journal: SqliteJournal, path: Path
) -> None:
    edit = {"elsewhere": 10_000}
    made = replace(plan(), kind=kind, shares_before=edit, shares_after=after)
    await journal.settle(made, ChangeOutcome.APPLIED, "", AT)
    applied = next(each for each in incident(AT - 0.3) if isinstance(each, ChangeApplied))
    await journal.record([replace(applied, kind=kind, shares_from=edit, shares_to=after)])
    quiet = replace(MOVED, kind=DecisionKind.NORMAL, published=after, normal=after, reasons=())
    lines = printed(asked(path, quiet))
    assert lines[0].endswith(f"since 2026-11-23 02:12:20Z (1 min ago), by {who}")
    assert lines[1] == f"  why    {said}"


async def test_what_stood_in_the_way_at_a_moment_is_told_of_that_moment(journal: SqliteJournal, path: Path) -> None:
    await fell(journal)
    delayed = TargetDelayed(
        at=AT + 10, reason="timeout", detail="no answer", remedy="look", retry_in=1.0, attempts=1, **WHERE
    )
    await journal.record([delayed, TargetResumed(at=AT + 20, attempts=3, **WHERE)])
    begin = "api.example.com A at bind-main was held up: "
    assert printed(asked(path, at=AT + 15))[0].startswith(begin)
    for moment in (AT + 5, AT + 25):
        told = asked(path, at=moment)
        assert (told.records, told.then) == ((), "")
        first, second, *_ = printed(told)
        assert first == "api.example.com A at bind-main, 2026-11-23 02:12:20Z, by failoverd"
        assert second.startswith("  cost   1.0s from the first failing probe")


async def test_a_record_is_asked_about_by_its_name(journal: SqliteJournal, path: Path) -> None:
    await fell(journal)
    assert asked(path, record="api.example.com").change.change_id == "chg-1"
    with HistoryReading(path) as reading:
        assert why(reading, NOW, policy=None, at=None, incident=None, record="web.example.com") is None


async def test_where_nothing_was_changed_it_is_said_how_it_stands(tmp_path: Path) -> None:
    config = written(tmp_path / "a")
    async with open_journal(tmp_path / "a" / "journal.db", words=prose.told) as journal:
        await journal.update_status([POLICY, replace(MOVED, published=NORMAL, kind=DecisionKind.NORMAL, reasons=())])
    for what in ("inference-api", "api.example.com", "API.example.com."):
        told = await answered("why", what, "--config", config)
        assert told.code == Exit.FAILED
        assert told.out.startswith(b"api.example.com A at bind-main answers azure-eastus 70%, oci-ashburn 30%")
        assert "no change is known" in told.err
    told = await answered("why", "nope", "--config", config)
    assert (told.code, "there is no policy 'nope'" in told.err) == (Exit.USAGE, True)
    told = await answered("why", "no such.name", "--config", config)
    assert told.code == Exit.USAGE
    for slip in ("api.exmaple.com", "*.api.example.com"):
        told = await answered("why", slip, "--config", config)
        said = " ".join(told.said.replace("│", " ").split())
        assert (told.code, "there is no record" in said, "api.example.com" in said) == (Exit.USAGE, True, True), said
    told = await answered("why", "api", "--at", "2026-11-23T00:00", "--policy", "api", "--config", config)
    assert told.code == Exit.USAGE
    told = await answered("why", "inference-api", "--at", "2020-01-01T00:00", "--config", config)
    assert (told.code, "no change is known of that moment" in told.err) == (Exit.FAILED, True), told.said
    told = await answered("why", "inference-api", "--at", "2999-01-01T00:00", "--config", config)
    assert (told.code, "still to come" in told.err) == (Exit.USAGE, True), told.said


# -- history -----------------------------------------------------------------------------------------------------------


async def test_history_has_holds_and_edits_of_files_among_the_changes(journal: SqliteJournal, path: Path) -> None:
    def loaded(at: float, revision: str, policy: str = TARGET.policy) -> PolicyLoaded:
        return PolicyLoaded(at=at, policy=policy, revision=revision, file=f"{policy}.yaml")

    held = PlanHeld(
        at=AT + 20, wanted=LEFT, cause=Cause.TUNING, rule_at="inference-api.yaml:9", until=AT + 300, digest="0ba1",
        limits=(LimitCheck(Limit.MAX_SHIFT, False, 7_000, 3_000, 300.0, Cause.TUNING),), **WHERE,
    )  # fmt: skip
    await fell(journal)
    restarts = [loaded(AT - 90, "aaaa"), loaded(AT - 80, "aaaa"), loaded(AT - 70, "x", "shop"), loaded(AT + 10, "bbbb")]
    await journal.record([*restarts, held, loaded(AT + 30, "bbbb")])
    drawn = io.StringIO()
    with HistoryReading(path) as reading:
        told = history_told(past(reading, NOW, policy=None, since=AT - 30, limit=50))
        assert past(reading, NOW, policy="shop", since=0.0, limit=50).edits == ()
        assert past(reading, NOW, policy=TARGET.policy, since=0.0, limit=50).edits[-1].after == "bbbb"
    show_history(Console(file=drawn, width=80, highlight=False), told)
    change, edit, hold = drawn.getvalue().splitlines()
    assert "generation 8 applied" in change
    assert edit == "2026-11-23 02:12:30Z  inference-api edited: revision aaaa -> bbbb of inference-api.yaml"
    assert hold.startswith("2026-11-23 02:12:40Z  api.example.com A at bind-main ")
    assert (told.holds[0].event, told.holds[0].digest, told.holds[0].until is not None) == ("plan.held", "0ba1", True)


async def test_on_a_terminal_a_long_line_goes_on_further_in(journal: SqliteJournal, path: Path) -> None:
    await fell(journal)
    drawn = io.StringIO()
    with HistoryReading(path) as reading:
        told = history_told(past(reading, NOW, policy=None, since=0.0, limit=50))
    show_history(Console(file=drawn, width=80, highlight=False, force_terminal=True, color_system=None), told)
    first, second, *_ = drawn.getvalue().splitlines()
    assert len(first) <= 80
    assert second.startswith("    ")


async def test_without_a_name_it_is_of_the_policy_that_a_person_is_needed_for(
    journal: SqliteJournal, path: Path
) -> None:
    """Another one changed later, and is as on any day."""
    await fell(journal)
    later = replace(plan("chg-2", target=replace(TARGET, policy="shop")), id="chg-2")
    await journal.settle(later, ChangeOutcome.APPLIED, "", AT + 30.0)
    well = TargetStatus(later.target, NOW, TargetState.IN_SYNC, published=NORMAL, normal=NORMAL)
    assert asked(path, replace(MOVED, published=NORMAL), well).change.policy == "shop"
    assert asked(path, MOVED, well).change.policy == "inference-api"
    held = replace(MOVED, kind=DecisionKind.HOLD_ALL_DOWN, published=NORMAL)
    assert asked(path, held, well).change.policy == "inference-api"


async def test_without_a_daemon_it_promises_nothing(journal: SqliteJournal, path: Path) -> None:
    await fell(journal)
    with HistoryReading(path) as reading:
        seen = Present(Overview.of((POLICY, MOVED)), NOW - 60, stale=True)
        found = why(reading, NOW, policy="inference-api", at=None, incident=None, present=seen)
    assert found is not None
    said = printed(why_told(found))
    assert "  next   nothing, for no daemon is at work; to move it: failoverctl plan inference-api --out FILE, " in (
        "\n".join(said)
    )
    assert not any(line.startswith("  stop") for line in said)
