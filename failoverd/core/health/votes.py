"""What vantages say of the endpoints of a policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from failoverd.core.health.endpoint import Health
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Endpoint


class Vote(NamedTuple):
    """What one vantage sees of one endpoint.

    `suspect`: failures are being counted, and they are not enough yet. The rest is for people: through which check, the
    reason of the probe, and what it found, in words that stay the same while it does.
    """

    health: Health
    suspect: bool = False
    check: str = ""
    reason: ProbeReason = ProbeReason.OK
    evidence: str = ""

    @property
    def adverse(self) -> bool:
        """Whether it sees it fail, or begins to."""
        return self.suspect or self.health is Health.UNHEALTHY

    def contradicts(self, held: Health) -> bool:
        """Whether it is a reason to look: it would have something else hold."""
        return self.health in {Health.HEALTHY, Health.DEGRADED} if held is Health.UNHEALTHY else self.adverse


UNSEEN = Vote(Health.UNKNOWN)
_PLAIN = {health: Vote(health) for health in Health}


@dataclass(frozen=True, slots=True)
class Votes:
    """What one vantage sees of a policy.

    Attributes:
        rest: of all that are not listed: HEALTHY, or UNKNOWN.
        listed: what is different from the rest, or has something to be told of it.
        elsewhere: what it leaves to others to probe. It has no vote there, but for those that are listed.
    """

    rest: Health = Health.HEALTHY
    listed: Mapping[Endpoint, Vote] = field(default_factory=dict)
    elsewhere: frozenset[Endpoint] = frozenset()

    def of(self, endpoint: Endpoint) -> Vote:
        found = self.listed.get(endpoint)
        if found is not None:
            return found
        return UNSEEN if endpoint in self.elsewhere else _PLAIN[self.rest]
