"""The open incident of each policy, as those who open one know it. The rules stand in `core/control/progress.py`."""

from failoverd.core.control.incident import Incident
from failoverd.core.control.progress import accused_now, ended, opened
from failoverd.core.records import Policy
from failoverd.ports import Clock
from failoverd.runtime.states import States, Verdicts


class Incidents:
    """At most one open incident for each policy."""

    def __init__(self, states: States, clock: Clock) -> None:
        self._states = states
        self._clock = clock
        self._out: dict[str, frozenset[str]] = {}

    def current(self, policy: str) -> Incident | None:
        return self._states.of(policy).incident

    def id_of(self, policy: str) -> str:
        incident = self.current(policy)
        return incident.id if incident is not None else ""

    def open(self, policy: Policy, cause: str, at: float, region: str) -> str:
        """The id of the policy's incident, which begins `at` that time unless it is open already.

        A region that operators keep out of the service begins none.
        """
        if region in self._states.drained(policy) or not self._states.lead.acts:
            return self.id_of(policy.name)
        self._states.take(opened(policy, self._states.of(policy.name), cause, at))
        return self.id_of(policy.name)

    def look(self, policy: Policy, verdicts: Verdicts) -> str:
        """The id of the policy's incident, which begins now if something is wrong that no probe has just told.

        A signal or an alert calls a region ill. Or one fell while operators kept it out, which began none: it does once
        nobody keeps it out any more.
        """
        if not self._states.lead.acts:  # the leader opens it, and this member hears of it
            return self.id_of(policy.name)
        out = self._states.drained(policy)
        back, self._out[policy.name] = self._out.get(policy.name, frozenset()) - out, out
        if words := self._still_ill(policy, verdicts, back) or self._called_ill(policy):
            self._states.take(opened(policy, self._states.of(policy.name), words, self._clock()))
        return self.id_of(policy.name)

    @staticmethod
    def _still_ill(policy: Policy, verdicts: Verdicts, back: frozenset[str]) -> str:
        aside = {region.name for region in policy.regions} - back
        if not back or verdicts.calm(policy.name, aside):
            return ""
        ill = sorted(region for region in back if not verdicts.calm(policy.name, {*aside, *(back - {region})}))
        return f"{' and '.join(ill)} did not get well while kept out, and nobody keeps that out any more"

    def _called_ill(self, policy: Policy) -> str:
        if self.current(policy.name) is not None:
            return ""
        return "; ".join(accused_now(policy, self._states.told(policy), self._clock()).values())

    def close(self, policy: str) -> None:
        """Nobody looks after it any more. Without an open incident nothing happens."""
        self._out.pop(policy, None)
        if self._states.lead.acts:
            self._states.take(ended(self._states.of(policy), self._clock()))
