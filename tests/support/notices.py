"""Troubles that people are told of, and what is seen of a policy when somebody looks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from support.journals import KEY, TARGET, closed, incident

from failoverd.core.control import news
from failoverd.core.errors import FailoverdError
from failoverd.core.events import (
    ChangeApplied,
    ConfigRejected,
    FailoverHeld,
    Level,
    PlanHeld,
    TargetDelayed,
    TargetResumed,
    VantageIsolated,
)
from failoverd.core.reasons import Cause, Limit, LimitCheck
from failoverd.core.status import (
    FilesStatus,
    Notice,
    Overview,
    PolicyStatus,
    RefusedFile,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.ports import Clock, Delivery
from failoverd.telemetry.notifications.troubles import Sight

POLICY = TARGET.policy
RECORD = f"{KEY} at {TARGET.provider}"
RUNBOOK = "https://runbooks.example.com/api"
NARROW = LimitCheck(Limit.MIN_REGIONS, passed=False, found=1, allowed=2)

__all__ = [
    "POLICY",
    "RECORD",
    "RUNBOOK",
    "closed",
    "delayed",
    "held",
    "isolated",
    "left",
    "notice",
    "rejected",
    "resumed",
    "seen",
    "target",
]


def left(at: float) -> ChangeApplied:
    """Traffic left azure-eastus, for it is down."""
    (change,) = (event for event in incident(at) if isinstance(event, ChangeApplied))
    return replace(change, at=at)


def _where(at: float) -> dict[str, Any]:
    return {**news.names(TARGET, "inc-1", at)}


def held(at: float, kind: type[PlanHeld] = FailoverHeld) -> PlanHeld:
    wanted = {"oci-ashburn": 10_000}
    cause = Cause.FAILING_OUT if kind is FailoverHeld else Cause.TUNING
    return kind(**_where(at), wanted=wanted, cause=cause, limits=(NARROW,), rule_at="api.yaml:20", manual="nsupdate x")


def delayed(at: float, *, wanted: bool = False) -> TargetDelayed:
    shares = {"oci-ashburn": 10_000} if wanted else {}
    said: dict[str, Any] = {"reason": "timeout", "detail": "it does not answer", "remedy": "look at it"}
    return TargetDelayed(**_where(at), **said, retry_in=1.0, attempts=1, wanted=shares)


def resumed(at: float) -> TargetResumed:
    return TargetResumed(**_where(at), attempts=2)


def isolated(at: float) -> VantageIsolated:
    return VantageIsolated(at=at, family="IPv4", evidence="2 of 3 sentinels are silent", cause="sentinels")


def rejected(at: float, file: str = "policies/b.yaml") -> ConfigRejected:
    return ConfigRejected(at=at, file=file, errors=("FD201",), keeps="")


def target(state: TargetState, **more: Any) -> TargetStatus:  # noqa: ANN401 - fields of the status
    if state is TargetState.LIMITED:
        more = {"checks": (NARROW,), "cause": Cause.FAILING_OUT, "manual": "nsupdate x", **more}
    return TargetStatus(TARGET, 0.0, state, **more)


@dataclass(frozen=True)
class _Seen:
    targets: Sequence[TargetStatus] = ()
    runs: bool = True
    incident: str = ""
    families: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    journal_works: bool = True
    more: tuple[Any, ...] = field(default=())


def seen(*targets: TargetStatus, **how: Any) -> Sight:  # noqa: ANN401 - fields of `_Seen`
    """What stands: the policy runs, nothing is the matter with the prober, unless it is said."""
    said = _Seen(targets, **how)
    policies = (PolicyStatus(POLICY, 0.0, "policies/api.yaml", "1", incident_id=said.incident),) if said.runs else ()
    statuses = [
        VantageStatus(0.0, said.families, 0.0),
        FilesStatus(0.0, tuple(RefusedFile(file, "FD201") for file in said.refused)),
        *policies,
        *targets,
        *said.more,
    ]
    return Sight(Overview.of(statuses), said.journal_works)


def notice(subject: str = "azure-eastus", **more: Any) -> Notice:  # noqa: ANN401 - fields of the notice
    """One that lasts since second 100."""
    common = {"kind": "region.left", "policy": POLICY, "severity": Level.WARNING.value, "summary": f"{subject} is down"}
    return Notice(**{**common, "since": 100.0, "at": 100.0, "runbook": RUNBOOK, **more}, subject=subject)


@dataclass
class Inbox:
    """An address on paper: takes what it is sent, or does what the script says. `got` holds what it took, in order."""

    clock: Clock
    batch: int = 1
    every: float | None = None
    pause: float = 0.0
    keyed: bool = True
    place: str = "paper"
    got: list[tuple[float, tuple[Notice, ...]]] = field(default_factory=list)
    tries: list[float] = field(default_factory=list)
    fails: FailoverdError | None = None
    hangs: float = 0.0
    _sent: tuple[Notice, ...] = ()

    def delivery(self, notices: Sequence[Notice], at: float) -> Delivery:
        self._sent = tuple(notices)
        return Delivery(self.place, f"{at}".encode())

    async def post(self, delivery: Delivery, place: str) -> str:
        """The way out (`Post`) that leads here and nowhere else."""
        sent, fails = self._sent, self.fails
        self.tries.append(self.clock())
        assert delivery.url == self.place
        if self.hangs:
            await asyncio.sleep(self.hangs)
        if fails is not None:
            raise fails
        self.got.append((self.clock(), sent))
        return f"200 {place}"

    @property
    def told(self) -> list[tuple[str, bool]]:
        """Subject, and whether its end was told, of everything that was taken."""
        return [(each.subject, each.ended is not None) for _, some in self.got for each in some]
