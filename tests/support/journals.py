"""Plans and events as a journal sees them."""

from dataclasses import replace
from typing import Any

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.events import (
    ChangeApplied,
    ChangeVerified,
    DecisionMade,
    EndpointFailed,
    Event,
    IncidentClosed,
    IncidentOpened,
    PolicyLoaded,
    RegionFailed,
)
from failoverd.core.reasons import Cause, Limit, LimitCheck, Reason, ReasonCode
from failoverd.core.records import Marker, Observed, RecordKey, RecordSet, RecordType, Target
from failoverd.ports import ChangeOutcome, Journal

KEY = RecordKey("api.example.com", RecordType.A)
TARGET = Target("inference-api", KEY, "bind-main", "example.com")
OTHER = replace(TARGET, provider="knot-second")

BEFORE = RecordSet.of(KEY, 30, {"192.0.2.10": 7_000, "198.51.100.10": 3_000})
AFTER = RecordSet.of(KEY, 30, {"198.51.100.10": 10_000})


GETS = Reason(ReasonCode.SHARE, "regions.oci-ashburn", "oci-ashburn", numbers={"share": 10_000})
WITHIN = LimitCheck(Limit.MAX_SHIFT, True, 7_000, 7_000, 300.0, Cause.TUNING)


def plan(change_id: str = "chg-1", *, generation: int = 8, target: Target = TARGET, after: RecordSet = AFTER) -> Plan:
    marker = Marker("prod", target.policy, generation - 1, (RecordType.A,))
    shares = {"azure-eastus": 7_000, "oci-ashburn": 3_000}
    return Plan(
        id=change_id,
        kind=PlanKind.CHANGE,
        target=target,
        before=Observed(target, BEFORE, marker, marker.to_text()),
        after=after,
        marker=replace(marker, generation=generation),
        shares_before=shares,
        shares_after={"oci-ashburn": 10_000},
        decision=Decision(target, DecisionKind.FAILOVER, {"oci-ashburn": 10_000}, after, (GETS,), 100.0),
        revision="4f2a91",
    )


async def apply(journal: Journal, number: int) -> None:
    """The change of that generation, begun at that second and settled half a second later."""
    made = plan(f"chg-{number}", generation=number)
    await journal.intend(made, float(number))
    await journal.settle(made, ChangeOutcome.APPLIED, "", number + 0.5)


def incident(
    at: float, incident_id: str = "inc-1", change_id: str = "chg-1", *, unconfirmed: bool | None = None
) -> list[Event]:
    """A region fails and its traffic moves: the events of it, as the daemon tells them."""
    told: dict[str, Any] = {"policy": "inference-api", "incident_id": incident_id}
    where = {**told, "record": str(KEY), "provider": "bind-main", "zone": "example.com", "decision_id": "dec-1"}
    down = Reason(ReasonCode.REGION_DOWN, "health.down_below", "azure-eastus", numbers={"score": 0})
    evidence = "192.0.2.10 connect_refused three times in 1.0s"
    return [
        PolicyLoaded(at=at - 60, policy="inference-api", revision="4f2a91", file="policies/inference-api.yaml"),
        EndpointFailed(
            at=at, region="azure-eastus", endpoint="192.0.2.10", check="live", was="healthy", reason="connect_refused",
            evidence=evidence, failures=3, passes=0, **told,
        ),
        RegionFailed(
            at=at + 0.1, region="azure-eastus", record_type="A", was="healthy", score=0, evidence=evidence,
            rule_at="policies/inference-api.yaml:24", **told,
        ),
        IncidentOpened(
            at=at + 0.1, cause="region azure-eastus is down", runbook="https://runbooks.example.com/api", **told
        ),
        DecisionMade(
            at=at + 0.2, verdict="failover", shares={"oci-ashburn": 10_000},
            reasons=(down, GETS), **where,
        ),
        ChangeApplied(
            at=at + 0.3, change_id=change_id, kind="change", generation=8,
            shares_from={"azure-eastus": 7_000, "oci-ashburn": 3_000}, shares_to={"oci-ashburn": 10_000},
            answers_from={"192.0.2.10": 7_000, "198.51.100.10": 3_000}, answers_to={"198.51.100.10": 10_000},
            ttl=30, cause=Cause.FAILING_OUT, reasons=(down, GETS), evidence=(replace(down, detail=evidence),),
            limits=(WITHIN,), rule_at="policies/inference-api.yaml:24",
            revision="4f2a91", actor="failoverd", undo=f"failoverctl undo {change_id}", took=0.012, **where,
        ),
        ChangeVerified(
            at=at + 0.4, change_id=change_id, generation=8, took=0.1, aged_out_at=at + 30.3, servers=0, unasked=(),
            unconfirmed=unconfirmed, **where,
        ),
    ]  # fmt: skip


def assert_it_says_why(why: list[str]) -> None:
    """The lines of the change of `incident`, as a documented command shows them."""
    assert why[0].startswith("2026-11-05T03:12:07.645Z api.example.com A at bind-main moved from azure-eastus 70%")
    assert [line.strip() for line in why[1:]] == [
        "azure-eastus is down (score 0%): 192.0.2.10 connect_refused three times in 1.0s",
        "azure-eastus is down (score 0%)",
        "oci-ashburn gets 100%",
        "max_shift of tuning: 70%, within 70% per 300s",
        "rule: policies/inference-api.yaml:24 (revision 4f2a91)",
        "undo: failoverctl undo chg-1",
        "incident: inc-1",
    ]


def closed(at: float, incident_id: str = "inc-1") -> Event:
    return IncidentClosed(at=at, policy="inference-api", incident_id=incident_id, lasted=300.0, changes=2)
