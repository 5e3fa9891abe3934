"""What other policies left of shared regions, at any moment of a time that is over, to who wants something else.

The others are as they were known at their last decision, each by its first record. What they would have done because of
that is not played: they keep to what they decided.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from failoverd.core.control.inputs import Decided, DecisionInputs
from failoverd.core.control.state import PolicyState
from failoverd.core.records import Policy
from failoverd.runtime.estate import Shared


class SharingThen:
    """An estate of then. `decisions` are those of the other policies, in the order of time; moments only go on."""

    def __init__(self, decisions: Iterable[Decided]) -> None:
        self._coming = iter(decisions)
        self._next: Decided | None = next(self._coming, None)
        self._states: dict[str, PolicyState] = {}
        self._policies: dict[str, Policy] = {}
        self._shared = Shared(lambda policy: self._states[policy.name], lambda _: None)

    def left_to(self, policy: Policy, state: PolicyState, inputs: DecisionInputs, now: float) -> DecisionInputs:
        """The inputs of a decision with what is left to this policy, of which that is known."""
        for decided in self._until(now):
            self._see(decided.policy, decided.inputs.state)
        self._see(policy, state)
        grant, usual = self._shared.grants(policy, state, now)
        return replace(inputs, grant=grant, usual=usual, spare=self._shared.spare(policy))

    def _until(self, now: float) -> Iterator[Decided]:
        while self._next is not None and self._next.inputs.now <= now:
            yield self._next
            self._next = next(self._coming, None)

    def _see(self, policy: Policy, state: PolicyState) -> None:
        """A policy is at work and known so."""
        self._states[policy.name] = state
        if self._policies.get(policy.name) is policy:
            self._shared.touch(policy.name)
            return
        self._policies[policy.name] = policy
        self._shared.put(policy)
