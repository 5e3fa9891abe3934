"""What a failure cost is told of the change that took traffic off what failed, and of no other."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from support.journals import TARGET, plan

from failoverd.core.control.plan import PlanKind
from failoverd.core.reasons import Cause
from failoverd.operations.reckoning import cost
from failoverd.store.reading import ChangeRow, EventRow

AT = 1_795_400_000.0
NORMAL = {"azure-eastus": 7_000, "oci-ashburn": 3_000}
LEFT = {"oci-ashburn": 10_000}


def event(name: str, at: float, region: str = "azure-eastus", **facts: Any) -> EventRow:  # noqa: ANN401 - of any event
    told = {"region": region, "endpoint": f"{region}-1", **facts}
    return EventRow(1, at, name, "warning", "", TARGET.policy, "inc-1", "", "", str(TARGET.key), TARGET.provider, told)


def change(
    before: Mapping[str, int], after: Mapping[str, int], cause: Cause, at: float = AT, kind: PlanKind = PlanKind.CHANGE
) -> ChangeRow:
    made = replace(plan(), kind=kind, cause=cause, shares_before=before, shares_after=after)
    return ChangeRow(
        change_id=made.id, incident_id="inc-1", decision_id="dec-1", target=TARGET, kind=kind, generation=8,
        shares_before=dict(before), shares_after=dict(after), intended_at=at - 0.1, settled_at=at, outcome="applied",
        detail="", attempts=1, verified_after=None, unconfirmed=False, disputed=False, plan=made,
    )  # fmt: skip


FELL = event("endpoint.failed", AT - 1.0, failing_since=AT - 2.0)
WELL = [event("endpoint.recovered", AT + 50.0), event("region.recovered", AT + 50.0)]


def test_what_left_a_region_that_fails_has_cost_what_went_there() -> None:
    found = cost(change(NORMAL, LEFT, Cause.FAILING_OUT), [FELL], AT)
    assert found is not None
    assert (found.began, found.seconds, found.moved) == (AT - 2.0, 2.0, 7_000)


@pytest.mark.parametrize("cause", [Cause.RETURNING, Cause.OPERATOR])
def test_a_return_takes_traffic_off_who_is_well_and_has_no_cost(cause: Cause) -> None:
    """By itself, and by a word that ends the wait (`up`)."""
    assert cost(change(LEFT, NORMAL, cause, AT + 60.0), [FELL, *WELL], AT + 90.0) is None


def test_who_failed_and_is_well_again_loses_nothing_to_that_failure() -> None:
    assert cost(change(NORMAL, LEFT, Cause.TUNING, AT + 60.0), [FELL, *WELL], AT + 90.0) is None


def test_a_return_beside_another_failure_has_no_cost() -> None:
    ill = event("endpoint.failed", AT + 40.0, "oci-ashburn")
    assert cost(change(LEFT, NORMAL, Cause.RETURNING, AT + 60.0), [FELL, ill, *WELL], AT + 90.0) is None


def test_what_an_edit_of_the_file_or_the_end_of_one_of_the_record_moved_has_no_cost() -> None:
    assert cost(change(NORMAL, LEFT, Cause.OPERATOR), [FELL], AT, edited=True) is None
    assert cost(change(NORMAL, LEFT, Cause.OPERATOR, kind=PlanKind.RESTORE), [FELL], AT) is None


def test_each_failure_of_an_incident_is_reckoned_from_its_own_first_probe() -> None:
    """West fell and stays away; a minute later another one falls, and only that one has traffic to lose."""
    three = {"aws-use1": 5_000, "oci-ashburn": 5_000}
    second = event("endpoint.failed", AT + 60.0, "oci-ashburn", failing_since=AT + 59.0)
    found = cost(change(three, {"aws-use1": 10_000}, Cause.FAILING_OUT, AT + 61.0), [FELL, second], AT + 70.0)
    assert found is not None
    assert (found.began, found.seconds, found.moved) == (AT + 59.0, 2.0, 5_000)


def test_what_caches_still_send_there_is_lost_until_that_region_is_back_and_not_until_another_is() -> None:
    moved = change(NORMAL, LEFT, Cause.FAILING_OUT)
    another = event("region.recovered", AT + 1.0, "aws-use1")
    alone, beside = cost(moved, [FELL], AT + 20.0), cost(moved, [FELL, another], AT + 20.0)
    assert alone == beside
