"""What `HealthTable` says: which verdicts turned, whom that is to wake, and which probes are due out of turn."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from failoverd.core.health.endpoint import CheckHealth, Verdict
from failoverd.core.health.isolation import Doubt, Family
from failoverd.core.health.region import RegionHealth
from failoverd.core.records import Endpoint, Policy, RecordType


@dataclass(frozen=True, slots=True)
class EndpointTurned:
    """The verdict on an endpoint; `explained_by` names the dependencies of its region that are down.

    `failing_since` is when the first of its failures came, of one that is down.
    """

    policy: Policy
    endpoint: Endpoint
    before: Verdict
    after: Verdict
    failures: int
    passes: int
    explained_by: tuple[str, ...] = ()
    failing_since: float | None = None


@dataclass(frozen=True, slots=True)
class DependencyTurned:
    policy: Policy
    dependency: str
    endpoint: Endpoint
    after: Verdict


@dataclass(frozen=True, slots=True)
class RegionTurned:
    policy: Policy
    record_type: RecordType
    before: RegionHealth | None
    after: RegionHealth


@dataclass(frozen=True, slots=True)
class KeptOut:
    """An endpoint passes again, and is kept out by flap damping. Said once."""

    policy: Policy
    endpoint: Endpoint
    check: str
    health: CheckHealth


@dataclass(frozen=True, slots=True)
class VantageTurned:
    """The vantage begins to doubt itself in a family, or ends: then `before` abstained, for `lasted` seconds."""

    family: Family
    before: Doubt | None
    after: Doubt | None
    lasted: float = 0.0


@dataclass(frozen=True, slots=True)
class News:
    """What is known of a policy is not what it was. `more`: other verdicts are about to follow, so it is half of it."""

    policy: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class Voted:
    """What this vantage sees of a policy is not what it last said: the others are to hear it."""

    policy: str


@dataclass(frozen=True, slots=True)
class ReachabilityTurned:
    """An endpoint is reachable from some networks only, for longer than it takes to agree; or no longer.

    Then both are empty.
    """

    policy: Policy
    endpoint: Endpoint
    reachable_from: tuple[str, ...]
    unreachable_from: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class QuorumTurned:
    """Fewer than two of three or more vantages can vote, so what held before holds; or enough can again.

    `live` are those who can, `silent` are not heard, and `isolated` do not trust what they see.
    """

    lost: bool
    live: tuple[str, ...]
    silent: tuple[str, ...] = ()
    isolated: tuple[str, ...] = ()


Transition = (
    EndpointTurned
    | DependencyTurned
    | RegionTurned
    | KeptOut
    | VantageTurned
    | News
    | Voted
    | ReachabilityTurned
    | QuorumTurned
)


class ProbeDue(NamedTuple):
    """A probe that is due out of turn, `delay` seconds from now.

    `afresh`: one that is under way does not answer what is asked, because it began too early.
    """

    policy: str
    endpoint: Endpoint
    check: str
    delay: float
    afresh: bool = False


class NextProbe(NamedTuple):
    """Which probes are due out of turn: the same endpoint's `again` seconds from now, and `others`."""

    again: float | None = None
    others: tuple[ProbeDue, ...] = ()


IN_TURN: Final = NextProbe()


class Fed(NamedTuple):
    """What one probe result came to."""

    transitions: tuple[Transition, ...] = ()
    next_probe: NextProbe = IN_TURN


NOTHING_NEW: Final = Fed()
"""What nearly all of them come to."""
