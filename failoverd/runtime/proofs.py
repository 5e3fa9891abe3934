"""Which changes are proved, and which proofs are open, whoever began them: an earlier process, or another member."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from failoverd.core.control.plan import Plan
from failoverd.core.events import ChangeVerified, Event
from failoverd.core.records import Target
from failoverd.ports import ChangeOutcome, Settled, Telling


@dataclass(slots=True)
class Proofs:
    """What is known of them. `open` are changes of others: whoever leads next looks after their proof."""

    open: dict[Target, Plan] = field(default_factory=dict)
    _heard: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def heard(self, target: Target) -> tuple[int, bool]:
        """The generation up to which no proof is open, as far as this process knows.

        And whether the authoritative servers agree with it; False where nobody is to be asked, or could say so.
        """
        return self._heard.get(str(target), (0, False))

    def resume(self, kept: Iterable[tuple[Plan, bool | None]]) -> None:
        """The last changes, the oldest first, each with whether it was proved; None while that is open.

        Who waits for a word goes on waiting for the proof, whatever restarts meanwhile.
        """
        for plan, proved in kept:
            self.open.pop(plan.target, None)
            if proved is None:
                self.open[plan.target] = plan
            else:
                self._heard[str(plan.target)] = plan.generation, proved

    def follow(self, event: Event) -> None:
        """An `Emit` sink."""
        if isinstance(event, ChangeVerified):
            at = f"{event.record} at {event.provider}"
            self._heard[at] = max((event.generation, not event.unconfirmed), self._heard.get(at, (0, False)))

    def hear(self, told: Telling) -> None:
        """Another member did that."""
        if isinstance(told, Settled) and told.outcome is ChangeOutcome.APPLIED:
            self.open[told.plan.target] = told.plan
        elif isinstance(told, ChangeVerified):
            self.follow(told)
            self.open = {target: plan for target, plan in self.open.items() if plan.id != told.change_id}
