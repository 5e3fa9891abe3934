"""A decision made again, of what it looked at: it has to come to the same.

Whatever it came to then is compared as far as it says what was done and why: the kind of outcome and of decision, the
shares that were wanted and that came of it, the codes of the sum, the limits that held it.
"""

from dataclasses import dataclass, fields

from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.inputs import Conclusion, Decided, concluded, estate_of, sayable, state_of
from failoverd.core.errors import describe


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A decision that comes to something else when it is made again.

    Attributes:
        decided: as it was then.
        again: what it comes to now; None where it ends in an error.
        error: that error.
    """

    decided: Decided
    again: Conclusion | None
    error: str = ""

    @property
    def differs_in(self) -> tuple[str, ...]:
        """Names of the fields of a `Conclusion` that are not the same."""
        if self.again is None:
            return ("kind",)
        names = (each.name for each in fields(Conclusion))
        return tuple(name for name in names if getattr(self.decided.came, name) != getattr(self.again, name))


def discrepancy(decided: Decided) -> Discrepancy | None:
    """Whether a decision comes to something else than it did; None: it does not."""
    policy, inputs = decided.policy, decided.inputs
    try:
        estate = estate_of(inputs, sayable(policy))
        again = concluded(evaluate(policy, state_of(policy, inputs), inputs.observed, estate, inputs.now))
    except Exception as error:  # noqa: BLE001 - whatever it is, that decision did not end in it
        return Discrepancy(decided, None, describe(error))
    return Discrepancy(decided, again) if again != decided.came else None
