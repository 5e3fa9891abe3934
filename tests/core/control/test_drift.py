"""What is done about somebody else's change of a record."""

import pytest
from support.approving import limits, reviewed
from support.scenes import KEY, NOW, PAIR, compared, observed, published, records

from failoverd.core.control.drift import INTENT, DriftAction, DriftKind, DriftResponse, accepting, respond
from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import InSync, LastGood, Plan, PlanKind
from failoverd.core.records import OnDrift, RecordSet

NORMAL = published(PAIR, {"azure": 70, "oci": 30})
MOVED = published(PAIR, {"oci": 100})
EDIT = published(PAIR, {"azure": 10, "oci": 90})


def verified(found: RecordSet = NORMAL, overruled: RecordSet | None = None) -> LastGood:
    return LastGood(found, 7, found.shares(PAIR.region_of(KEY.type)), NOW - 60, overruled)


def over(seen: RecordSet | None, desired: RecordSet = NORMAL) -> Plan:
    plan = compared(PAIR, observed(seen), desired, last_good=verified())
    assert isinstance(plan, Plan)
    return plan


def answer(plan: Plan, on_drift: OnDrift, *, in_incident: bool = False, age: float = 0.0) -> DriftResponse:
    return respond(plan, verified(), on_drift, in_incident=in_incident, since=NOW - age, now=NOW)


@pytest.mark.parametrize("on_drift", list(OnDrift))
@pytest.mark.parametrize("seen", [None, records({}), records({"192.0.2.1": 0})])
@pytest.mark.parametrize("in_incident", [True, False])
def test_what_answers_nothing_is_loss_and_put_back_at_once(
    seen: RecordSet | None, on_drift: OnDrift, in_incident: bool
) -> None:
    assert answer(over(seen), on_drift, in_incident=in_incident) == DriftResponse(DriftKind.LOST, DriftAction.RESTORE)


@pytest.mark.parametrize(
    ("on_drift", "action"),
    [
        (OnDrift.RESTORE, DriftAction.RESTORE),
        (OnDrift.REPORT, DriftAction.REPORT),
        (OnDrift.ADOPT, DriftAction.ADOPT),
    ],
)
def test_on_a_quiet_day_on_drift_says_what_becomes_of_an_edit(on_drift: OnDrift, action: DriftAction) -> None:
    assert answer(over(EDIT), on_drift) == DriftResponse(DriftKind.EDITED, action)


def test_an_edit_during_an_incident_is_intent_and_stands_for_a_while() -> None:
    waiting = DriftResponse(DriftKind.INTENDED, DriftAction.WAIT, NOW - 60 + INTENT)
    assert answer(over(EDIT), OnDrift.RESTORE, in_incident=True, age=60) == waiting
    over_it = DriftResponse(DriftKind.INTENDED, DriftAction.RESTORE)
    assert answer(over(EDIT), OnDrift.RESTORE, in_incident=True, age=INTENT) == over_it


@pytest.mark.parametrize("on_drift", list(OnDrift))
def test_when_health_wants_something_new_an_edit_is_no_reason_to_wait(on_drift: OnDrift) -> None:
    assert answer(over(EDIT, MOVED), on_drift, in_incident=True).action is DriftAction.RESTORE


def test_accepting_an_edit_writes_the_marker_alone_and_no_limit_holds_it() -> None:
    plan = accepting(over(EDIT))
    assert (plan.kind, plan.after, plan.generation) == (PlanKind.ADOPT, EDIT, 8)
    assert plan.shares_after == plan.shares_before == {"azure": 1_000, "oci": 9_000}
    assert isinstance(reviewed(plan, limits(max_shift=1_000)), Approved)


def test_an_accepted_edit_is_in_sync_until_something_else_is_wanted() -> None:
    good = accepting(over(EDIT)).verified(NOW)
    assert (good.records, good.overruled) == (EDIT, NORMAL)
    seen = observed(EDIT, generation=8)
    assert isinstance(compared(PAIR, seen, NORMAL, last_good=good), InSync)
    assert isinstance(compared(PAIR, seen, MOVED, last_good=good), Plan)
    assert isinstance(compared(PAIR, observed(MOVED, generation=8), NORMAL, last_good=good), Plan)


def test_there_is_nothing_to_accept_where_nothing_stands() -> None:
    with pytest.raises(ValueError, match="no edit"):
        accepting(over(None))


@pytest.mark.parametrize("on_drift", [OnDrift.REPORT, OnDrift.ADOPT])
def test_other_numbers_for_the_same_split_are_nothing_new_to_want(on_drift: OnDrift) -> None:
    """A version that says the same split in other weights still leaves an edit to `on_drift`."""
    before = records({"192.0.2.10": 255, "198.51.100.10": 109})
    plan = compared(PAIR, observed(EDIT), records({"192.0.2.10": 7, "198.51.100.10": 3}), last_good=verified(before))
    assert isinstance(plan, Plan)
    found = respond(plan, verified(before), on_drift, in_incident=False, since=NOW, now=NOW)
    assert found.action is DriftAction(on_drift)


def test_an_accepted_edit_stays_accepted_when_the_same_split_is_said_in_other_numbers() -> None:
    before = records({"192.0.2.10": 255, "198.51.100.10": 109})
    wanted = records({"192.0.2.10": 7, "198.51.100.10": 3})
    assert isinstance(compared(PAIR, observed(EDIT), wanted, last_good=verified(EDIT, before)), InSync)
