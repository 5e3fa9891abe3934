"""How an attempt to apply a plan is told: "nothing was changed" is said only where it is true."""

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console
from support.approving import limits, reviewed
from support.scenes import policy, region
from support.stories import Story

from failoverd.api.planned import attempt_told, finding_told
from failoverd.cli.options import Exit
from failoverd.cli.plan_views import as_json, exit_code, exit_code_of, show
from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.drift import DriftAction, DriftKind, DriftResponse
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import InSync, Plan, Signature, diff
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import FailoverdError, Fenced, Permanent, Transient
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Observed, RecordKey, RecordSet, RecordType, Target
from failoverd.operations.planning import Attempt, PlanFinding
from failoverd.operations.reckoning import demanded

KEY = RecordKey("api.example.com", RecordType.A)
TARGET = Target("api", KEY, "main", "example.com")
WANTED = RecordSet.of(KEY, 30, {"192.0.2.1": 1})


def some_plan() -> Plan:
    decision = Decision(TARGET, DecisionKind.NORMAL, {"west": 10_000}, WANTED, (), 0.0)
    regions = {"192.0.2.1": "west"}
    plan = diff(Observed(TARGET, None), WANTED, decision, signed=Signature("prod"), region_of=regions, revision="r")
    assert isinstance(plan, Plan)
    return plan


def held() -> Held:
    there = RecordSet.of(KEY, 30, {"192.0.2.9": 1})
    approval = reviewed(diff_from(there), limits(max_changes=0))
    assert isinstance(approval, Held)
    return approval


def diff_from(there: RecordSet) -> Plan:
    plan = some_plan()
    return Plan(
        plan.id, plan.kind, TARGET, Observed(TARGET, there), WANTED, plan.marker, {"east": 10_000}, {"west": 10_000},
        plan.decision, "r",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("result", "sent", "says"),
    [
        (FailoverdError("forged", reason="plan_altered"), False, "refused, nothing was changed: forged (plan_altered)"),
        (Transient("no route", reason="unreachable"), False, "refused, nothing was changed: no route (unreachable)"),
        (Fenced("stale", reason="stale_generation"), True, "refused by the provider, nothing was changed: stale"),
        (Fenced("late", reason="overtaken"), True, "applied, and replaced by another writer since: late"),
        (Transient("lost", reason="outcome_unknown"), True, "sent, and nobody knows whether it took effect: lost"),
        (Permanent("fake", reason="answer_unverified"), True, "sent, and nobody knows whether it took effect: fake"),
        (
            Transient("lost", reason="not_read_back"),
            True,
            "accepted by the provider, but not proved by reading it back",
        ),
        (Permanent("none", reason="no_effect"), True, "accepted by the provider, and not in place all the same: none"),
        (Transient("down", reason="connect_refused"), True, "failed: down (connect_refused)"),
        (None, True, "applied, generation 1, read back as written"),
    ],
)
def test_every_end_is_told_as_it_was(result: FailoverdError | None, sent: bool, says: str) -> None:
    told = attempt_told(Attempt(some_plan(), result, sent)).summary
    assert told.startswith(says)
    certain = result is None or "nothing was changed" in told
    assert ("failoverctl plan shows what stands there now" in told) is not certain


def test_a_held_plan_names_the_limit() -> None:
    assert (
        attempt_told(Attempt(some_plan(), held())).summary
        == "held: max_changes of tuning: change 1, not within 0 per 3600s"
    )


def found(kind: OutcomeKind) -> PlanFinding:
    return PlanFinding(TARGET, Outcome(kind, some_plan().decision, PolicyState("api")))


def holding(kind: DecisionKind, *codes: ReasonCode) -> PlanFinding:
    decided = replace(some_plan().decision, kind=kind, reasons=tuple(Reason(code) for code in codes))
    return PlanFinding(TARGET, Outcome(OutcomeKind.HOLD, decided, PolicyState("api")))


def half_seen(kind: OutcomeKind) -> PlanFinding:
    west = RegionHealth("west", RegionState.HEALTHY, 5_000, 0.0, 0.0, ("192.0.2.1",), ("192.0.2.2",))
    state = PolicyState("api", verdicts={RecordType.A: {"west": west}})
    return PlanFinding(TARGET, Outcome(kind, some_plan().decision, state))


def edited(action: DriftAction) -> PlanFinding:
    drift = DriftResponse(DriftKind.INTENDED, action, None)
    return PlanFinding(TARGET, Outcome(OutcomeKind.DRIFT, some_plan().decision, PolicyState("api"), drift=drift))


@pytest.mark.parametrize(
    ("finding", "code"),
    [
        (found(OutcomeKind.IN_SYNC), Exit.FINE),
        (edited(DriftAction.REPORT), Exit.FINE),
        (holding(DecisionKind.NORMAL, ReasonCode.DEADBAND), Exit.FINE),
        (found(OutcomeKind.WRITE), Exit.PENDING),
        (half_seen(OutcomeKind.WRITE), Exit.PENDING),
        (found(OutcomeKind.LIMITED), Exit.LIMITED),
        (edited(DriftAction.WAIT), Exit.LIMITED),
        (holding(DecisionKind.NORMAL, ReasonCode.DWELL), Exit.LIMITED),
        (holding(DecisionKind.NORMAL, ReasonCode.FAILBACK_HOLD), Exit.LIMITED),
        (holding(DecisionKind.NORMAL, ReasonCode.FAILBACK_MANUAL), Exit.LIMITED),
        (holding(DecisionKind.HOLD_ALL_DOWN), Exit.LIMITED),
        (holding(DecisionKind.HOLD_COMMON_FALL), Exit.LIMITED),
        (holding(DecisionKind.HOLD_OPERATOR), Exit.LIMITED),
        (holding(DecisionKind.HOLD_OVERRIDES_LOST), Exit.LIMITED),
        (holding(DecisionKind.HOLD_NO_VERDICT), Exit.FAILED),
        (half_seen(OutcomeKind.IN_SYNC), Exit.FAILED),
        (found(OutcomeKind.REFUSE), Exit.FAILED),
        (PlanFinding(TARGET, None, FailoverdError("x", reason="y")), Exit.FAILED),
    ],
)
def test_fine_is_only_what_needs_nothing_and_was_seen(finding: PlanFinding, code: Exit) -> None:
    assert exit_code_of([finding_told(finding)]) is code


def demanding() -> PlanFinding:
    """800 are demanded of a region of 900 that is half well, and of one of 600 with a headroom of 90 %."""
    regions = region("azure", 70, capacity=900.0), replace(region("oci", 30, capacity=600.0), headroom=9_000)
    story = Story(replace(policy(*regions), demand=800.0))
    story.look()
    outcome = story.look(3_600.0, azure="D")
    demand, figures = demanded(story.policy, outcome, outcome.decision.at)
    return PlanFinding(outcome.decision.target, outcome, demand=demand, figures=figures)


def test_verbose_shows_what_is_demanded_and_the_room_of_each_region_full_or_not() -> None:
    told, paper = finding_told(demanding()), io.StringIO()
    show(Console(file=paper, width=200), [told], verbose=True)
    assert [line for line in paper.getvalue().splitlines() if line.startswith("  load")] == [
        "  load   800 are demanded",
        "  load   azure: 560 now, 450 wanted; room for 450, capacity 900",
        "  load   oci: 240 now, 350 wanted; room for 540, capacity 600",
    ]
    quiet = io.StringIO()
    show(Console(file=quiet, width=200), [told])
    assert "demanded" not in quiet.getvalue()
    assert as_json(told)["demand"] == 800
    assert as_json(told)["figures"][1] == {"region": "oci", "load": 240, "target": 350, "room": 540, "capacity": 600}


def test_where_nobody_says_a_demand_there_are_no_figures() -> None:
    told, paper = finding_told(found(OutcomeKind.WRITE)), io.StringIO()
    show(Console(file=paper, width=200), [told], verbose=True)
    assert "  load" not in paper.getvalue()
    assert "demand" not in as_json(told)


def test_a_plan_says_what_its_shares_cost_and_how_much_more_than_a_normal_day() -> None:
    costs = Reason(ReasonCode.COST, "traffic", numbers={"hour": 7.83, "normal": 5.71, "month": 5_638.0})
    decided = replace(some_plan().decision, reasons=(costs,))
    told = finding_told(PlanFinding(TARGET, Outcome(OutcomeKind.WRITE, decided, PolicyState("api"))))
    assert as_json(told)["bill"] == {"hour_usd": 7.83, "normal_hour_usd": 5.71, "month_usd": 5_638.0}
    assert "bill" not in as_json(finding_told(found(OutcomeKind.WRITE)))
    written = io.StringIO()
    show(Console(file=written, width=200, highlight=False), [told])
    assert (
        "these shares cost about $7.83 an hour, $2.12 more than on a normal day; $5,638 a month" in written.getvalue()
    )


def test_what_nobody_saw_is_named_where_there_is_nothing_to_do() -> None:
    told = as_json(finding_told(half_seen(OutcomeKind.IN_SYNC)))
    assert told["summary"] == "nothing to do, as far as can be seen: west/192.0.2.2 without a verdict (generation 0)"
    assert told["unseen"] == ["west/192.0.2.2"]


def shown(findings: Sequence[PlanFinding], *, every: bool = False) -> str:
    written = io.StringIO()
    show(Console(file=written, width=200), [finding_told(each) for each in findings], every=every)
    return written.getvalue()


def test_of_many_records_that_need_nothing_there_is_only_the_number() -> None:
    calm = [found(OutcomeKind.IN_SYNC), holding(DecisionKind.NORMAL, ReasonCode.DEADBAND)] * 500
    assert shown(calm) == "1000 of 1000 records: nothing to do (all: --verbose)\n"
    pending, reported = found(OutcomeKind.LIMITED), edited(DriftAction.REPORT)
    head, *below = shown([*calm, pending, reported]).splitlines()
    assert head == "1000 of 1002 records: nothing to do, 2 listed below (all: --verbose)"
    assert below == shown([pending, reported]).splitlines()
    assert shown(calm, every=True).count("nothing to do") == 500


def test_of_a_few_that_need_nothing_each_says_why() -> None:
    assert "nothing to do (generation 0)" in shown([found(OutcomeKind.IN_SYNC)])


def test_the_most_serious_finding_is_the_exit_code() -> None:
    failed = PlanFinding(TARGET, None, FailoverdError("x", reason="y"))
    fine, blocked, pending = found(OutcomeKind.IN_SYNC), found(OutcomeKind.LIMITED), found(OutcomeKind.WRITE)
    assert exit_code_of([*map(finding_told, [fine, pending])]) is Exit.PENDING
    assert exit_code_of([*map(finding_told, [pending, blocked])]) is Exit.LIMITED
    assert exit_code_of([*map(finding_told, [failed, blocked, pending])]) is Exit.FAILED


def test_the_most_serious_attempt_is_the_exit_code() -> None:
    fine, blocked = Attempt(some_plan(), None), Attempt(some_plan(), held())
    failed, in_place = Attempt(some_plan(), FailoverdError("x", reason="y")), Attempt(some_plan(), InSync(TARGET, 2))
    assert exit_code([*map(attempt_told, [fine, in_place])]) is Exit.FINE
    assert exit_code([*map(attempt_told, [fine, blocked])]) is Exit.LIMITED
    assert exit_code([*map(attempt_told, [fine, blocked, failed])]) is Exit.FAILED
