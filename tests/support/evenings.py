"""What a screen has to show on some evening, without a daemon: a quiet one, and one on which everything happens."""

from dataclasses import replace
from typing import Final

from support.journals import TARGET

from failoverd.core.control.decision import DecisionKind
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, Limit, LimitCheck, Reason, ReasonCode
from failoverd.core.records import RecordKey, RecordType, Target
from failoverd.core.status import (
    Bill,
    Overview,
    PlannedWork,
    PolicyStatus,
    RegionStatus,
    Status,
    TargetState,
    TargetStatus,
)

CLOUDS: Final = {"azure-eastus": "azure", "azure-westeurope": "azure", "oci-ashburn": "oci", "aws-use1": "aws"}
NORMAL: Final = {"azure-eastus": 7_000, "oci-ashburn": 3_000}

MARKUP: Final = "<img src=x onerror=\"document.title='owned'\">"
TURNED: Final = "503 \u202egnihton\u202c from caf\u00e9-z\u00fcrich"


def target(policy: str, name: str = "", provider: str = "bind-main") -> Target:
    return Target(policy, RecordKey(name or f"{policy}.example.com", RecordType.A), provider, "example.com")


def well(policy: str, at: float, name: str = "") -> TargetStatus:
    return TargetStatus(
        target(policy, name), at, TargetState.IN_SYNC, DecisionKind.NORMAL, generation=3, published=NORMAL,
        normal=NORMAL, since=at - 86_400, answered_since=at - 86_400,
    )  # fmt: skip


def regions(policy: str, at: float, **ill: tuple[str, int, str]) -> list[RegionStatus]:
    """Healthy, but those that are named: state, score, evidence."""
    found = []
    for name, cloud in CLOUDS.items():
        state, score, why = ill.get(name.replace("-", "_"), ("healthy", 10_000, ""))
        since = at - (247 if name.replace("-", "_") in ill else 86_400)
        found.append(RegionStatus(policy, "A", name, at, state, score, since, None, why, cloud, at - 1.4))
    return found


def quiet(at: float, policies: int = 6) -> Overview:
    """All is well."""
    names = (
        "inference-api",
        "chat",
        "embeddings",
        "search",
        "billing",
        "login",
        *(f"shop-{n:04}" for n in range(policies)),
    )
    said: list[Status] = []
    for name in names[:policies]:
        said += [PolicyStatus(name, at, f"{name}.yaml", "4f2a91"), *regions(name, at), well(name, at)]
    return Overview.of(said)


def moved(at: float) -> Overview:
    """A region is down, and its traffic moved."""
    name = TARGET.policy
    down = {"azure_eastus": ("down", 0, "3 of 3 endpoints: connect_refused")}
    status = replace(
        well(name, at, "api.example.com"), kind=DecisionKind.FAILOVER, published={"oci-ashburn": 10_000},
        wanted={"oci-ashburn": 10_000}, answered_since=at - 240, since=at - 240, bill=Bill(7.83, 5.71, 5_638.0),
        reasons=(
            Reason(ReasonCode.REGION_DOWN, "health.down_below", "azure-eastus", numbers={"score": 0}),
            Reason(ReasonCode.EXCESS, "tier", "oci-ashburn", numbers={"rest": 1e3, "demand": 2e3, "taken": 0.0}),
        ),
        demand=2_000.0, capacities={"oci-ashburn": 1_800.0},
    )  # fmt: skip
    rest = quiet(at)
    return replace(
        rest,
        policies=tuple(
            replace(each, incident_id="inc-1", incident_since=at - 245, failback_after=300.0)
            if each.policy == name
            else each
            for each in rest.policies
        ),
        regions=(*regions(name, at, **down), *(each for each in rest.regions if each.policy != name)),
        targets=(status, *(each for each in rest.targets if each.target.policy != name)),
    )


def bad(at: float) -> Overview:
    """Held, drifted, delayed, drained, and texts of strangers in all of it."""
    first = moved(at)
    held = replace(
        well("chat", at), state=TargetState.LIMITED, cause=Cause.FAILING_OUT, kind=DecisionKind.FAILOVER,
        wanted={"oci-ashburn": 10_000}, digest="9f3a", since=at - 130,
        checks=(LimitCheck(Limit.MIN_REGIONS, False, 1, 2, 0.0, Cause.FAILING_OUT),),
        reasons=(Reason(ReasonCode.REGION_DOWN, "health.down_below", "azure-eastus", numbers={"score": 0}),),
    )  # fmt: skip
    drifted = replace(
        well("embeddings", at, "xn--bcher-kva.example.com"), state=TargetState.DRIFTED, detail=MARKUP, since=at - 4_000
    )
    delayed = replace(
        well("search", at), state=TargetState.DELAYED, detail=f"the provider answers {TURNED}", since=at - 95,
        remedy="look at the provider's status page", cause=Cause.FAILING_OUT, until=at + 17,
    )  # fmt: skip
    instead = {each.target: each for each in (held, drifted, delayed)}
    ill = {"azure_eastus": ("down", 0, MARKUP), "aws_use1": ("degraded", 6_600, TURNED)}
    others = [each for each in first.regions if each.policy != "chat"]
    kept = [each for each in first.targets if each.target.policy != "embeddings"]
    return replace(
        first,
        targets=(*(instead.get(each.target, each) for each in kept), drifted),
        regions=(*others, *regions("chat", at, **ill)),
        overrides=(
            Override(
                "drain-9f3a1c07", Verb.DRAIN, Scope(regions=("aws-use1",)), "alice@bastion", at - 900, at + 2_700,
                (Comment(at - 900, "alice@bastion", f"kernel update {MARKUP}"),),
            ),
            Override(
                "pause-1c07aaaa", Verb.PAUSE, Scope(policies=("billing",)), "björn@bastion", at - 60, at + 3_600,
                (Comment(at - 60, "björn@bastion", "we look into it"),),
            ),
        ),
        planned=(
            PlannedWork(
                "drain-planned", "region oci-ashburn", "windows.yaml:12", "rack move", at + 5_400, at + 9_000, ("chat",)
            ),
        ),
    )  # fmt: skip


def crowd(at: float, policies: int = 1_000) -> Overview:
    """A thousand policies, of which some are not well."""
    found = quiet(at, policies)
    targets = tuple(
        replace(each, published={"oci-ashburn": 10_000}, kind=DecisionKind.FAILOVER, answered_since=at - number)
        if number % 7 == 0
        else each
        for number, each in enumerate(found.targets)
    )
    return replace(found, targets=targets)
