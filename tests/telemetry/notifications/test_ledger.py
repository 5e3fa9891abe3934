"""What lasts: when a trouble begins, that it is one while it lasts, how it is over, and what a restart does to it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.journals import OTHER, TARGET
from support.notices import (
    POLICY,
    RECORD,
    RUNBOOK,
    closed,
    delayed,
    held,
    isolated,
    left,
    notice,
    rejected,
    resumed,
    seen,
    target,
)

from failoverd.core.control import news
from failoverd.core.control.decision import DecisionKind
from failoverd.core.events import (
    ChangeDisputed,
    ChangeVerified,
    DecisionMade,
    Event,
    FailbackAbandoned,
    FailoverHeld,
    JournalFailed,
    LeaderLost,
    LeaderOutranked,
    Level,
    OverrideChanged,
    OverrideEnded,
    OverrideEnding,
    OverridesLost,
    PlanHeld,
    PolicyRemoved,
    PracticeEnded,
    RecordOrphaned,
    RivalDetected,
    SignalFound,
    SignalLost,
    VantageRejoined,
)
from failoverd.core.overrides import Announced, Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, Reason, ReasonCode
from failoverd.core.status import PATIENCE, Notice, OrphanedRecord, OrphansStatus, TargetState
from failoverd.telemetry.notifications import ledger
from failoverd.telemetry.notifications.ledger import GRACE, TroubleLedger
from failoverd.telemetry.notifications.troubles import NEWS, Sight

AT = 1_000.0


class Told:
    """A ledger, and everything that was news."""

    def __init__(self) -> None:
        self.ledger = TroubleLedger()
        self.news: list[Notice] = []

    def hear(self, *events: Event) -> list[Notice]:
        found = [each for event in events for each in self.ledger.take(event, RUNBOOK)]
        self.news += found
        return found

    def look(self, sight: Sight, at: float) -> list[Notice]:
        found = self.ledger.look(sight, lambda _: RUNBOOK, at)
        self.news += found
        return found

    @property
    def lasting(self) -> list[tuple[str, str]]:
        return [(each.kind, each.subject) for each in self.ledger.notices.values() if each.ended is None]


@pytest.fixture
def told() -> Told:
    return Told()


def kinds(notices: Sequence[Notice]) -> list[tuple[str, bool]]:
    return [(each.kind, each.ended is not None) for each in notices]


def test_a_region_that_was_left_is_told_with_why_the_undo_and_the_runbook(told: Told) -> None:
    (said,) = told.hear(left(AT))
    assert (said.kind, said.policy, said.subject, said.severity) == ("region.left", POLICY, "azure-eastus", "warning")
    assert said.summary.startswith(f"{RECORD} moved from azure-eastus 70%, oci-ashburn 30% to oci-ashburn 100%")
    assert said.runbook == RUNBOOK
    assert said.facts["undo"] == "failoverctl undo chg-1"
    assert "192.0.2.10 connect_refused three times" in said.facts["why"]
    assert (said.facts["rule_at"], said.incident_id) == ("policies/inference-api.yaml:24", "inc-1")


def test_it_is_over_with_the_incident_and_not_before(told: Told) -> None:
    told.hear(left(AT))
    assert told.look(seen(incident="inc-1"), AT + 500) == []
    (ended,) = told.hear(closed(AT + 600))
    assert (ended.kind, ended.since, ended.ended) == ("region.left", AT, AT + 600)


def test_a_change_that_is_no_failing_out_needs_nobody(told: Told) -> None:
    assert told.hear(replace(left(AT), cause=Cause.RETURNING)) == []


def test_a_source_is_a_trouble_until_the_last_of_its_figures_is_measured_again(told: Told) -> None:
    lost = SignalLost(at=AT, source="main", signals=("demand (api)",), count=2, reason="no_data", detail="nothing")
    told.hear(lost, replace(lost, at=AT + 60, reason="unreachable"))
    assert told.lasting == [("signal.lost", "source main")]
    found = SignalFound(at=AT + 90, source="main", signals=("demand (api)",), count=1, still_lost=1)
    assert told.hear(found) == []
    (ended,) = told.hear(replace(found, at=AT + 120, still_lost=0))
    assert (ended.kind, ended.ended) == ("signal.lost", AT + 120)


def test_several_records_of_a_policy_that_leave_a_region_are_one_trouble(told: Told) -> None:
    told.hear(left(AT), replace(left(AT + 1), provider=OTHER.provider))
    assert told.lasting == [("region.left", "azure-eastus")]
    assert told.ledger.notices["region.left", POLICY, "azure-eastus", ""].since == AT


def test_what_is_said_again_in_the_same_words_is_no_news(told: Told) -> None:
    assert len(told.hear(held(AT))) == 1
    assert told.hear(held(AT + 5)) == []


def test_a_plan_that_is_held_and_one_that_keeps_the_dead_in_are_two_kinds_by_their_severity(told: Told) -> None:
    told.hear(held(AT, PlanHeld))
    told.hear(held(AT + 10, FailoverHeld))
    over = told.look(seen(target(TargetState.LIMITED)), AT + 11)
    assert kinds(over) == [("plan.held", True)]
    assert told.lasting == [("failover.held", RECORD)]
    assert [each.severity for each in told.news[:2]] == [Level.WARNING, Level.ERROR]
    assert told.news[1].facts["manual"] == "nsupdate x"
    assert "min_regions: 1 regions, not within at least 2 regions" in told.news[1].facts["limits"]


def test_a_hold_is_over_when_the_target_is_seen_to_stand_well(told: Told) -> None:
    told.hear(held(AT))
    assert told.look(seen(target(TargetState.DELAYED)), AT + 5) == [], "it cannot be read: nothing is known"
    assert kinds(told.look(seen(target(TargetState.IN_SYNC)), AT + 10))[0] == ("failover.held", True)


def test_a_hold_whose_event_nobody_heard_is_told_from_what_stands(told: Told) -> None:
    (said,) = told.look(seen(target(TargetState.LIMITED), incident="inc-1"), AT)
    assert (said.kind, said.subject, said.incident_id, said.runbook) == ("failover.held", RECORD, "inc-1", RUNBOOK)
    assert said.facts["manual"] == "nsupdate x"
    assert told.look(seen(target(TargetState.LIMITED), incident="inc-1"), AT + 5) == []


def test_a_step_that_was_made_smaller_is_no_hold(told: Told) -> None:
    within = replace(target(TargetState.LIMITED).checks[0], passed=True)
    assert told.look(seen(target(TargetState.LIMITED, checks=(within,), cause="")), AT) == []


def test_a_provider_that_stutters_wakes_nobody(told: Told) -> None:
    assert told.hear(delayed(AT)) == []
    assert told.look(seen(target(TargetState.DELAYED)), AT + 5) == []
    assert told.hear(resumed(AT + 10)) == []
    assert told.look(seen(target(TargetState.IN_SYNC)), AT + 2 * PATIENCE) == []
    assert told.ledger.notices == {}


def test_one_that_stays_away_does(told: Told) -> None:
    told.hear(delayed(AT))
    assert told.look(seen(target(TargetState.DELAYED)), AT + PATIENCE - 1) == []
    (said,) = told.look(seen(target(TargetState.DELAYED)), AT + PATIENCE)
    assert (said.kind, said.since) == ("target.delayed", AT)
    assert kinds(told.hear(resumed(AT + 100))) == [("target.delayed", True)]


def test_one_that_is_away_while_traffic_should_move_does_so_at_once(told: Told) -> None:
    told.hear(delayed(AT))
    (said,) = told.hear(delayed(AT + 1, wanted=True))
    assert (said.severity, said.facts["wanted"]) == ("error", "oci-ashburn 100%")


def test_all_regions_down_is_told_though_nothing_moves(told: Told) -> None:
    verdict = DecisionKind.HOLD_ALL_DOWN
    lost = Reason(ReasonCode.REGION_DOWN, region="azure-eastus", numbers={"score": 0.0}, detail="HTTP 503")
    why = (lost, Reason(ReasonCode.ALL_DOWN, "when_all_down"))
    (said,) = told.hear(DecisionMade(**news.names(TARGET, "", AT), verdict=verdict, shares={}, reasons=why))
    assert (said.kind, said.severity) == ("regions.down", "error")
    standing = seen(target(TargetState.HOLDING, kind=verdict, reasons=why))
    assert told.look(standing, AT + 5) == []
    (again,) = Told().look(standing, AT)
    assert again.key == said.key, "it is found by what stands, too"
    for each in (said, again):
        assert each.summary.endswith("every region is down: nothing moves"), "a pager shows nothing else"
        assert "azure-eastus is down (score 0%): HTTP 503" in each.facts["why"]
        assert "failoverctl up REGION/ADDRESS" in each.facts["remedy"]
    over = told.look(seen(target(TargetState.IN_SYNC, kind=DecisionKind.FAILOVER)), AT + 10)
    assert kinds(over) == [("regions.down", True)]


def test_a_dispute_is_over_when_the_change_or_a_later_one_is_verified(told: Told) -> None:
    told.hear(
        ChangeDisputed(**news.names(TARGET, "", AT), change_id="chg-1", generation=8, waited=60.0, silent=("ns1",))
    )
    assert told.look(seen(target(TargetState.IN_SYNC)), AT + 600) == []
    ended = told.hear(ChangeVerified(**news.names(TARGET, "", AT + 700), change_id="chg-2", generation=9, took=1.0))
    assert kinds(ended) == [("change.disputed", True)]


def test_words_that_the_journal_lost_are_told_for_as_long_as_the_marker_names_them(told: Told) -> None:
    lost = Reason(ReasonCode.OVERRIDES_LOST, "overrides", named=("ovr-1",), numbers={"until": AT + 600})
    said = target(TargetState.HOLDING, kind=DecisionKind.HOLD_OVERRIDES_LOST, reasons=(lost,))
    told.hear(OverridesLost(**news.names(TARGET, "", AT), overrides=("ovr-1",), until=AT + 600))
    assert told.lasting == [("overrides.lost", RECORD)]
    assert told.look(seen(said), AT + 5) == []
    assert told.look(seen(replace(said, kind=DecisionKind.FAILOVER)), AT + 6) == [], "what fails out moves all the same"
    assert kinds(told.look(seen(target(TargetState.IN_SYNC)), AT + 10)) == [("overrides.lost", True)]


def test_a_rival_is_told_until_a_person_ends_that(told: Told) -> None:
    reason = Reason(ReasonCode.RIVAL, detail="1111bbbb", numbers={"since": AT})
    facts = {"owner": "prod", "instance": "0000aaaa", "rivals": ("1111bbbb",)}
    told.hear(RivalDetected(**news.names(TARGET, "", AT), **facts))  # type: ignore[arg-type]
    assert told.lasting == [("rival.detected", RECORD)]
    assert told.look(seen(target(TargetState.IN_SYNC, reasons=(reason,))), AT + 5) == []
    assert kinds(told.look(seen(target(TargetState.IN_SYNC)), AT + 10)) == [("rival.detected", True)]


def test_a_newer_leader_is_told_once_that_lasts(told: Told) -> None:
    """One that was frozen for a moment learns it from a marker, and soon from the others, too."""
    reason = Reason(ReasonCode.NEWER_LEADER, detail="1111bbbb", numbers={"epoch": 8.0, "ours": 7.0})
    left = target(TargetState.HOLDING, reasons=(reason,))
    event = LeaderOutranked(
        **news.names(TARGET, "", AT), owner="prod", epoch=8, ours=7, writer="1111bbbb", remedy="stop it"
    )
    told.hear(event)
    assert told.look(seen(left), AT + 5) == []
    assert told.look(seen(target(TargetState.IN_SYNC)), AT + 10) == []
    told.hear(replace(event, at=AT + 20, epoch=9))
    assert kinds(told.look(seen(left), AT + 20 + PATIENCE)) == [("leader.outranked", False)]
    assert kinds(told.look(seen(target(TargetState.IN_SYNC)), AT + 100)) == [("leader.outranked", True)]


def test_a_region_that_is_given_up_on_its_way_back_is_told_until_the_record_is_as_on_a_normal_day(told: Told) -> None:
    facts = {"region": "azure", "aborts": 3, "rule_at": "api.yaml:9", "remedy": "failoverctl plan api --return azure"}
    (said,) = told.hear(FailbackAbandoned(**news.names(TARGET, "", AT), **facts))  # type: ignore[arg-type]
    assert (said.kind, said.severity, said.facts["remedy"]) == ("failback.abandoned", Level.WARNING, facts["remedy"])
    down = target(TargetState.IN_SYNC, kind=DecisionKind.FAILOVER)
    assert told.look(seen(down), AT + 5) == []
    waits = replace(down, reasons=(Reason(ReasonCode.FAILBACK_GIVEN_UP, region="azure", numbers={"aborts": 3.0}),))
    assert told.look(seen(waits), AT + 10) == []
    normal = replace(down, kind=DecisionKind.NORMAL)
    assert kinds(told.look(seen(normal), AT + 15)) == [("failback.abandoned", True)]


def test_a_word_that_ends_soon_is_told_until_it_ended_or_was_extended(told: Told) -> None:
    word: dict[str, Any] = {
        "override": "ovr-1",
        "verb": "drain",
        "about": "region oci",
        "actor": "operator",
        "reason": "works",
    }
    (said,) = told.hear(OverrideEnding(at=AT, **word, until=AT + 900, left=900.0))
    assert (said.subject, said.facts["actor"], said.facts["reason"]) == (
        "drain region oci (ovr-1)",
        "operator",
        "works",
    )
    assert told.hear(OverrideChanged(at=AT + 5, **word, until=AT + 900, by="operator", comment="nearly done")) == []
    prolonged = told.hear(OverrideChanged(at=AT + 9, **word, until=AT + 7_200, by="operator", comment="not done"))
    told.hear(OverrideEnding(at=AT + 6_300, **word, until=AT + 7_200, left=900.0))
    ended = told.hear(OverrideEnded(at=AT + 7_200, **word, until=AT + 7_200))
    assert kinds([*prolonged, *ended]) == [("override.ending", True)] * 2


def test_a_drill_that_failed_is_told_and_no_other(told: Told) -> None:
    drill: dict[str, Any] = {"override": "practice-1", "actor": "api.yaml:9", "reason": "weekly", "lasted": 60.0}
    ended = PracticeEnded(at=AT, regions=("azure",), outcome="failed", why="region oci is down", **drill)
    (said,) = told.hear(ended)
    assert (said.kind, said.subject, str(said.severity)) == ("practice.failed", "azure", "warning")
    assert "failed: the others did not bear it (1 min): region oci is down" in said.summary
    assert kinds(told.look(seen(), AT + 121)) == [("practice.failed", True)]
    for outcome in ("succeeded", "interrupted", "blocked", "capacity_check_failed"):
        assert told.hear(replace(ended, outcome=outcome)) == []


def test_a_prober_that_doubts_itself_is_told_by_family(told: Told) -> None:
    (said,) = told.hear(isolated(AT))
    assert (said.kind, said.policy, said.subject) == ("vantage.isolated", "", "IPv4")
    assert told.look(seen(families=("IPv4",)), AT + 5) == []
    ended = told.hear(VantageRejoined(at=AT + 9, family="IPv4", evidence="it sees", lasted=9.0))
    assert kinds(ended) == [("vantage.isolated", True)]


def test_a_journal_that_fails_is_told_until_it_is_written_again_and_long_enough_to_be_heard(told: Told) -> None:
    told.hear(JournalFailed(at=AT, reason="journal_full", error="no space"))
    assert told.look(seen(), AT + NEWS - 1) == []
    assert told.look(seen(journal_works=False), AT + NEWS) == []
    assert kinds(told.look(seen(), AT + NEWS + 1)) == [("journal.failed", True)]


def test_a_file_that_does_not_load_is_told_until_it_is_taken_up(told: Told) -> None:
    told.hear(rejected(AT))
    assert told.look(seen(refused=("policies/b.yaml",)), AT + NEWS) == []
    assert kinds(told.look(seen(), AT + NEWS)) == [("config.rejected", True)]


def test_a_folder_that_does_not_load_is_told_while_any_policy_of_it_is_held_back(told: Told) -> None:
    told.hear(rejected(AT, "policies"))
    assert told.look(seen(refused=("policies/regions.yaml",)), AT + NEWS) == []
    assert kinds(told.look(seen(), AT + NEWS)) == [("config.rejected", True)]


def test_with_its_policy_everything_ends_but_what_it_leaves_behind(told: Told) -> None:
    told.hear(left(AT), held(AT))
    ended = told.hear(PolicyRemoved(at=AT + 5, policy=POLICY))
    assert kinds(ended) == [("region.left", True), ("failover.held", True)]
    name = RECORD.partition(" at ")[0]
    told.hear(
        RecordOrphaned(at=AT + 5, policy=POLICY, record=name, provider="bind-main", zone="example.com", generation=8)
    )
    orphan = OrphansStatus(0.0, (OrphanedRecord(target(TargetState.IN_SYNC).target, 8, 0.0),))
    assert told.look(seen(runs=False, more=(orphan,)), AT + 9) == []
    assert kinds(told.look(seen(runs=False), AT + 10)) == [("record.orphaned", True)]


# -- restarts ----------------------------------------------------------------------------------------------------------


def test_after_a_restart_what_lasted_is_told_again_and_goes_on_under_its_key() -> None:
    before, after = Told(), Told()
    before.hear(left(AT), held(AT))
    again = after.ledger.resume(before.ledger.notices.values(), AT + 100)
    assert [each.key for each in again] == list(before.ledger.notices)
    sight = seen(target(TargetState.LIMITED), incident="inc-1")
    assert after.look(sight, AT + 105) == []
    assert after.look(sight, AT + 100 + GRACE) == []
    assert len(after.lasting) == 2


def test_what_ended_meanwhile_is_over_once_the_new_process_had_time_to_see() -> None:
    told = Told()
    told.ledger.resume([notice(since=AT), notice("IPv4", kind="vantage.isolated", policy="")], AT)
    calm = seen(target(TargetState.IN_SYNC))
    assert told.look(calm, AT + GRACE - 1) == []
    assert kinds(told.look(calm, AT + GRACE)) == [("region.left", True), ("vantage.isolated", True)]


def test_what_only_the_process_that_is_gone_could_have_ended_goes_with_it() -> None:
    told = Told()
    dispute = notice(RECORD, kind="change.disputed", severity="error")
    told.ledger.resume([dispute], AT)
    assert kinds(told.look(seen(target(TargetState.IN_SYNC)), AT + GRACE)) == [("change.disputed", True)]


def test_an_end_that_was_not_told_yet_is_told_after_the_restart() -> None:
    told = Told()
    ended = notice(ended=AT)
    assert told.ledger.resume([ended], AT + 5) == [ended]
    assert told.look(seen(), AT + GRACE + 5) == []


def test_a_policy_whose_file_does_not_load_after_a_restart_is_not_said_to_be_well() -> None:
    told = Told()
    told.ledger.resume([notice(since=AT)], AT)
    assert told.look(seen(runs=False, refused=("policies/api.yaml",)), AT + GRACE) == []
    assert kinds(told.look(seen(runs=False), AT + GRACE + 5)) == [("region.left", True)]


def test_a_kind_that_this_version_does_not_know_is_left_out() -> None:
    assert TroubleLedger().resume([notice(kind="of.tomorrow")], AT) == []


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_where_there_are_too_many_those_that_need_a_person_still_have_a_place(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MOST", 2)
    told.hear(left(AT), replace(left(AT), policy="b"), replace(left(AT), policy="c"), held(AT))
    assert [kind for kind, _ in told.lasting] == ["region.left", "region.left", "failover.held"]
    assert told.ledger.dropped == 1


def test_words_of_others_are_bounded_and_command_no_terminal(told: Told) -> None:
    (said,) = told.hear(replace(held(AT), manual="x" * 100_000, rule_at="a\x1b[2Jb"))
    assert said.facts["manual"].startswith(
        "# too long to be shown here: failoverctl why and status -v print all 100000 "
    )
    assert said.facts["rule_at"] == "a\\x1b[2Jb"
    (changed,) = told.hear(replace(held(AT), record="www.example.com A", rule_at="x" * 100_000))
    assert len(changed.facts["rule_at"]) == 4_000


# -- one of several members --------------------------------------------------------------------------------------------


def test_an_end_that_was_not_told_yet_comes_back_to_who_handed_it_over() -> None:
    book = TroubleLedger("azure-1")
    book.take(left(AT), RUNBOOK)
    book.take(closed(AT + 10), RUNBOOK)
    handed, _ = book.hush()
    assert [(each.kind, each.ended) for each in handed] == [("region.left", AT + 10)]
    assert book.begin((), AT + 20) == []
    assert book.join(handed) == list(handed)
    assert book.join(handed) == []  # once is enough
    assert all(each.ended is not None for each in book.common)


def test_what_ended_here_is_not_opened_again_by_who_did_not_hear_of_that() -> None:
    book = TroubleLedger("oci-1")
    (begun,) = book.take(left(AT), RUNBOOK)
    book.take(closed(AT + 10), RUNBOOK)
    book.forget(begun.key)
    assert book.join([begun]) == []


def test_who_is_silent_knows_its_own_troubles_and_what_each_sees_and_tells_its_own_alone() -> None:
    book = TroubleLedger("azure-1")
    book.hush()
    assert book.take(left(AT), RUNBOOK) == []
    lost = SignalLost(at=AT, source="prom", signals=("demand",), count=1, reason="timeout", detail="no answer")
    assert book.take(lost, RUNBOOK) == []
    (own,) = book.take(isolated(AT), RUNBOOK)
    assert (own.member, own.subject) == ("azure-1", "IPv4")
    assert own.summary.startswith("azure-1: ")
    assert [each.kind for each in book.begin((), AT + 5)] == ["signal.lost"]


def test_a_word_that_another_member_heard_to_be_over_is_no_trouble_any_more(told: Told) -> None:
    comment = Comment(AT, "alex", "mended")
    scope = Scope(regions=("azure",))
    word = Override("drain-1", Verb.DRAIN, scope, "alex", 0.0, AT + 600, comments=(comment,), told=Announced.ENDING)
    said: Any = {"override": word.id, "verb": word.verb, "about": scope.text(), "actor": "alex", "reason": "mended"}
    told.hear(OverrideEnding(at=AT, until=AT + 600, left=600.0, **said))
    warned = replace(seen().overview, overrides=(word,))
    assert told.look(Sight(warned), AT + 10) == []
    longer = replace(warned, overrides=(replace(word, until=AT + 7_200, told=Announced.GIVEN),))
    assert [each.kind for each in told.look(Sight(longer), AT + 20)] == ["override.ending"]
    assert told.lasting == []


def test_a_new_leader_ends_what_nobody_else_can_say_to_be_over() -> None:
    lost = LeaderLost(at=AT, leader="azure-1", epoch=1, cause="silence", uncoordinated=True)
    before, after = TroubleLedger("azure-1"), TroubleLedger("oci-1")
    (told_first,) = before.take(lost, RUNBOOK)
    ended = after.lead(AT + 10)
    assert ended.key == told_first.key
    assert (ended.ended, ended.severity) == (AT + 10, told_first.severity)
    assert before.take(replace(lost, uncoordinated=False), RUNBOOK) == []
