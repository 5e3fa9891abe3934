"""How an attempt to apply a plan is told: "nothing was changed" is said only where it is true."""

import pytest
from support.approving import limits, reviewed

from failoverd.cli.options import Exit
from failoverd.cli.planning import exit_code, exit_code_of, outcome
from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.plan import Plan, diff
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import FailoverdError, Fenced, Permanent, Transient
from failoverd.core.records import Observed, RecordKey, RecordSet, RecordType, Target
from failoverd.operations.planning import Attempt, PlanFinding

KEY = RecordKey("api.example.com", RecordType.A)
TARGET = Target("api", KEY, "main", "example.com")
WANTED = RecordSet.of(KEY, 30, {"192.0.2.1": 1})


def some_plan() -> Plan:
    decision = Decision(TARGET, DecisionKind.NORMAL, {"west": 10_000}, WANTED, (), 0.0)
    regions = {"192.0.2.1": "west"}
    plan = diff(Observed(TARGET, None), WANTED, decision, owner="prod", region_of=regions, revision="r")
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
    told = outcome(Attempt(some_plan(), result, sent))
    assert told.startswith(says)
    certain = result is None or "nothing was changed" in told
    assert ("failoverctl plan shows what stands there now" in told) is not certain


def test_a_held_plan_names_the_limit() -> None:
    assert outcome(Attempt(some_plan(), held())) == "held: max_changes of tuning: change 1, not within 0 per 3600s"


def found(kind: OutcomeKind) -> PlanFinding:
    return PlanFinding(TARGET, Outcome(kind, some_plan().decision, PolicyState("api")))


def test_the_most_serious_finding_is_the_exit_code() -> None:
    failed = PlanFinding(TARGET, None, FailoverdError("x", reason="y"))
    blocked, pending, refused = found(OutcomeKind.LIMITED), found(OutcomeKind.WRITE), found(OutcomeKind.REFUSE)
    still = [found(OutcomeKind.IN_SYNC), found(OutcomeKind.HOLD), found(OutcomeKind.DRIFT)]
    assert exit_code_of(still) is Exit.FINE
    assert exit_code_of([*still, pending]) is Exit.PENDING
    assert exit_code_of([pending, blocked]) is Exit.LIMITED
    assert exit_code_of([failed, blocked, pending]) is Exit.FAILED
    assert exit_code_of([refused, blocked, pending]) is Exit.FAILED


def test_the_most_serious_attempt_is_the_exit_code() -> None:
    fine, blocked = Attempt(some_plan(), None), Attempt(some_plan(), held())
    failed = Attempt(some_plan(), FailoverdError("x", reason="y"))
    assert exit_code([fine]) is Exit.FINE
    assert exit_code([fine, blocked]) is Exit.LIMITED
    assert exit_code([fine, blocked, failed]) is Exit.FAILED
