"""Where things stand: what `failoverctl status` tells, kept in the journal so that it can be told with the daemon dead.

A situation replaces the one before it under the same key. History is told by events, not by these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from failoverd.core.records import Target


class TargetState(StrEnum):
    IN_SYNC = "in_sync"
    HOLDING = "holding"  # the decision is to leave it as it is
    LIMITED = "limited"  # a limit blocks the plan
    REFUSED = "refused"  # the name is not ours to touch
    DRIFTED = "drifted"  # somebody changed it, and the policy says to report only
    DELAYED = "delayed"  # the provider cannot be read or written now


@dataclass(frozen=True, slots=True)
class TargetSituation:
    """One record at one provider. Shares in basis points by region; `manual` does the wanted change by hand."""

    target: Target
    at: float
    state: TargetState
    wish: str = ""
    generation: int = 0
    wanted: Mapping[str, int] = field(default_factory=dict)
    published: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    detail: str = ""
    remedy: str = ""
    manual: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class RegionSituation:
    """The health of one region of one policy, for one record type. `score` in basis points."""

    policy: str
    record_type: str
    region: str
    at: float
    state: str
    score: int
    since: float
    well_since: float | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class PolicySituation:
    """Which revision of a policy runs. `rejected` is the first error of a newer file that does not load."""

    policy: str
    at: float
    file: str
    revision: str
    incident_id: str = ""
    incident_since: float | None = None
    runbook: str = ""
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The daemon was alive at `at`, by the wall clock: readers hold it against their own, which may have been set."""

    at: float
    pid: int
    started_at: float
    version: str
    state: str


Situation = TargetSituation | RegionSituation | PolicySituation | Heartbeat
