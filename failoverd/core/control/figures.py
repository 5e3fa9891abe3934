"""What metrics tell of a target: read from its status and its memory, and decided nowhere anew.

A word for each hindrance is a label of a series, so there are few of them, and none is made of what a file says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.limits import Left, left
from failoverd.core.control.state import TargetMemory
from failoverd.core.health.region import RegionState
from failoverd.core.reasons import Cause, LimitNote, ReasonCode
from failoverd.core.records import Limits, Target
from failoverd.core.status import RegionStatus, TargetState, TargetStatus

_HOLDS: Final[Mapping[str, str]] = {
    DecisionKind.HOLD_NO_VERDICT: "no_verdict",
    DecisionKind.HOLD_ALL_DOWN: "all_down",
    DecisionKind.HOLD_COMMON_FALL: "common_fall",
    DecisionKind.HOLD_OVERRIDES_LOST: "overrides_lost",
    DecisionKind.HOLD_OPERATOR: "operator",
    DecisionKind.HOLD_NOBODY_ALLOWED: "nobody_allowed",
}


@dataclass(frozen=True, slots=True)
class TargetFigures:
    """A target as it is remembered.

    Attributes:
        memory: what is known of it from before.
        limits: of its policy.
        down_since: since when each region of its policy is down that is, by what was last seen.
        disputed: whether some authoritative server does not answer what was written last, although it is overdue.
    """

    memory: TargetMemory
    limits: Limits
    down_since: Mapping[str, float] = field(default_factory=dict)
    disputed: bool = False

    @property
    def target(self) -> Target:
        return self.memory.target

    def left(self, now: float) -> Mapping[Cause, Left]:
        """What is left of each ration."""
        causes = (Cause.TUNING, Cause.RETURNING)
        return {cause: left(self.limits, self.memory.changes, cause, now) for cause in causes}

    def shares(self, status: TargetStatus | None) -> Mapping[str, int]:
        """What it answers, in basis points by region: as it was read last, or as it was published before a restart."""
        if status is not None and (status.published or status.state is not TargetState.DELAYED):
            return status.published
        return self.memory.last_good.shares if self.memory.last_good is not None else {}

    def unmoved(self, status: TargetStatus | None, regions: Iterable[RegionStatus], now: float) -> Mapping[str, float]:
        """Regions that are down while it still sends them traffic, and for how many seconds they are down.

        Told from the verdict and from what is published: so it holds while the target cannot be read or written, and
        whatever keeps the traffic there. `regions` are those of its policy and record type.
        """
        shares = self.shares(status)
        return {
            region.region: max(0.0, now - min(region.since, self.down_since.get(region.region, region.since)))
            for region in regions
            if region.state == RegionState.DOWN and shares.get(region.region)
        }


def held_by(status: TargetStatus) -> tuple[str, ...]:
    """What keeps a target from what is wanted for it: the limits and rules in the way, or why nothing is decided."""
    if status.state is TargetState.HOLDING:
        return (_hold(status),) if status.kind in _HOLDS else ()
    if status.state is not TargetState.LIMITED:
        return ()
    blocking = (check for check in status.checks if not check.passed)
    names = ("agreement" if check.note is LimitNote.AGREEMENT else check.limit.value for check in blocking)
    return tuple(dict.fromkeys(names))


def _hold(status: TargetStatus) -> str:
    nobody = any(reason.code is ReasonCode.NOBODY_LEFT for reason in status.reasons)
    return "nobody_left" if nobody else _HOLDS[status.kind]


def waits_for(status: TargetStatus) -> tuple[str, ...]:
    """What it lets pass before it does what is wanted: time, or the next step of a change that was made smaller."""
    said = [reason.code.value for reason in status.reasons if reason.code.traits.waits]
    if status.state is TargetState.LIMITED and not held_by(status):
        said.append("next_step")
    return tuple(dict.fromkeys(said))


@dataclass(frozen=True, slots=True)
class ReplayedFigures:
    """What came of deciding the last day again. `at` is when that ended; 0 before the first time.

    `differing` came to something else, and `lost` could not be read.
    """

    at: float = 0.0
    decisions: int = 0
    differing: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class SignalFigures:
    """What metrics show: seconds since each reading, by policy and signal, what failed, and the burn of regions.

    `lost` is how many figures of each source are called lost.
    """

    ages: Mapping[tuple[str, str], float] = field(default_factory=dict)
    failures: Mapping[tuple[str, str], int] = field(default_factory=dict)
    burns: Mapping[tuple[str, str], float] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
