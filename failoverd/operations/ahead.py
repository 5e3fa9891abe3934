"""What comes after a change by itself: it is made on paper, and decided again when time alone changes that."""

from dataclasses import dataclass
from typing import Final

from failoverd.core.control import progress
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome, OutcomeKind
from failoverd.core.control.plan import Plan
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import FailoverdError
from failoverd.core.records import Observed, Policy

HORIZON: Final = 72 * 3600.0
"""Seconds that are looked ahead: no operator's word holds for longer."""

_LOOKS: Final = 32
"""Decisions that are made ahead. Between two changes there are few that change nothing."""


@dataclass(frozen=True, slots=True)
class Following:
    """The next change of an answer. `at`: in seconds since the epoch."""

    at: float
    plan: Plan


def following(policy: Policy, outcome: Outcome, observed: Observed, estate: Estate, now: float) -> Following | None:
    """The first change after that of `outcome` that time alone brings while regions and neighbours stay as they are.

    None where nothing moves by itself within `HORIZON`.
    """
    try:
        return _following(policy, outcome, observed, estate, now)
    except FailoverdError:
        return None  # what the provider cannot say, it is not told ahead


def _following(policy: Policy, outcome: Outcome, observed: Observed, estate: Estate, now: float) -> Following | None:
    at, first = now, True
    for _ in range(_LOOKS):
        plan = outcome.approved.plan if outcome.kind is OutcomeKind.WRITE and outcome.approved is not None else None
        if plan is not None and not first and plan.shares_before != plan.shares_after:
            return Following(at, plan)
        if plan is not None:
            state, observed = _carried_out(policy, outcome.state, plan, at)
        elif outcome.until is None or outcome.until > now + HORIZON:
            return None
        else:
            state, at = outcome.state, max(outcome.until, at + _MOMENT)
        outcome, first = evaluate(policy, state, observed, estate, at), False
    return None


_MOMENT: Final = 1e-3
"""Seconds: each look is later than the one before."""


def _carried_out(policy: Policy, state: PolicyState, plan: Plan, at: float) -> tuple[PolicyState, Observed]:
    """What is known, and what stands there, once the plan was written and read back."""
    after, _ = progress.applied(policy, state, plan, at)
    return after, Observed(plan.target, plan.after, plan.marker, plan.marker_text)
