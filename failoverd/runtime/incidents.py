"""The open incident of each policy, as those who open one know it. The rules stand in `core/control/progress.py`."""

from failoverd.core.control.incident import Incident
from failoverd.core.control.progress import ended, opened
from failoverd.core.records import Policy
from failoverd.ports import Clock
from failoverd.runtime.states import States


class Incidents:
    """At most one open incident for each policy."""

    def __init__(self, states: States, clock: Clock) -> None:
        self._states = states
        self._clock = clock

    def current(self, policy: str) -> Incident | None:
        return self._states.of(policy).incident

    def id_of(self, policy: str) -> str:
        incident = self.current(policy)
        return incident.id if incident is not None else ""

    def open(self, policy: Policy, cause: str, at: float, region: str) -> str:
        """The id of the policy's incident, which begins `at` that time unless it is open already.

        A region that operators keep out of the service begins none.
        """
        if region in self._states.drained(policy):
            return self.id_of(policy.name)
        self._states.take(opened(policy, self._states.of(policy.name), cause, at))
        return self.id_of(policy.name)

    def close(self, policy: str) -> None:
        """Nobody looks after it any more. Without an open incident nothing happens."""
        self._states.take(ended(self._states.of(policy), self._clock()))
