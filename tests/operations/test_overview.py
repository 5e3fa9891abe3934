"""What stands in one line above everything else."""

from dataclasses import replace

import pytest
from support.journals import TARGET

from failoverd.core.control.decision import DecisionKind
from failoverd.core.reasons import Cause
from failoverd.core.status import (
    FilesStatus,
    Heartbeat,
    Overview,
    PolicyStatus,
    RefusedFile,
    Status,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.operations.overview import headline

NOW = 100.0


def policy(name: str, **changes: str) -> PolicyStatus:
    return replace(PolicyStatus(name, NOW, f"{name}.yaml", "1"), **changes)  # type: ignore[arg-type]  # all are text


def target(name: str, state: TargetState = TargetState.IN_SYNC, **changes: str) -> TargetStatus:
    return replace(TargetStatus(replace(TARGET, policy=name), NOW, state), **changes)  # type: ignore[arg-type]  # as above


def line(*statuses: Status, now: float | None = None) -> str:
    return headline(Overview.of(statuses), now if now is not None else NOW, by_daemon=now is None)


def test_all_is_well_when_everything_was_seen_and_is() -> None:
    assert line(policy("api"), policy("shop"), target("api"), target("shop")) == "2 policies, all well"


def test_nothing_is_well_that_nobody_has_seen() -> None:
    assert line(policy("api")) == "1 policy, without a verdict: api"
    waits = target("api", TargetState.HOLDING, kind=DecisionKind.HOLD_NO_VERDICT)
    assert line(policy("api"), waits) == "1 policy, without a verdict: api"


def test_the_worst_is_said_before_the_rest() -> None:
    told = line(
        policy("api", incident_id="inc-1"),
        policy("shop", rejected="FD201"),
        target("api", TargetState.LIMITED, cause=Cause.FAILING_OUT),
        target("shop", TargetState.DELAYED),
        target("shop", TargetState.DRIFTED),
        VantageStatus(NOW, ("IPv4",), NOW),
    )
    assert told == (
        "2 policies, kept on what is down by a limit: api; not to be read or written: shop; "
        "the prober abstains on IPv4; incident: api; edited by hand: shop; newer file does not load: shop"
    )


def test_a_policy_is_named_once_and_of_many_only_a_few() -> None:
    names = [f"api-{number}" for number in range(9)]
    delayed = [target(name, TargetState.DELAYED) for name in names]
    assert line(*map(policy, names), *delayed, *delayed) == (
        "9 policies, not to be read or written: api-0, api-1, api-2 and 6 more"
    )


@pytest.mark.parametrize(
    ("beat", "says"),
    [
        (Heartbeat(NOW - 60, 1, 0.0, "1", "running"), "the daemon is silent"),
        (Heartbeat(NOW - 60, 1, 0.0, "1", "stopped"), "the daemon is stopped"),
        (None, "the daemon never ran with this journal"),
    ],
)
def test_nothing_is_well_that_nobody_looks_after(beat: Heartbeat | None, says: str) -> None:
    told = line(policy("api"), target("api"), *([beat] if beat is not None else []), now=NOW)
    assert told == f"1 policy, {says}"


def test_a_daemon_at_work_is_no_news() -> None:
    alive = Heartbeat(NOW - 5, 1, 0.0, "1", "running")
    assert line(policy("api"), target("api"), alive, now=NOW) == "1 policy, all well"


def test_nothing_is_well_while_a_file_is_not_taken_up() -> None:
    new = FilesStatus(NOW, (RefusedFile("/etc/failoverd/policies/new.yaml", "FD201"),))
    assert line(policy("api"), target("api"), new) == "1 policy, not taken up: new.yaml"
