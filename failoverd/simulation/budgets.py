"""What limits allow within their windows, all used up."""

from collections.abc import Mapping
from dataclasses import replace

from failoverd.core.control.limits import PastChange
from failoverd.core.control.state import PolicyState
from failoverd.core.reasons import Cause
from failoverd.core.records import Policy, Target


def spent(policy: Policy, state: PolicyState, shares: Mapping[Target, Mapping[str, int]], now: float) -> PolicyState:
    """The state after changes that used everything up that may be moved within the windows, though nothing moved.

    Args:
        policy: with its limits.
        state: from before.
        shares: what each target answers, in basis points by region.
        now: seconds since the epoch.
    """
    limits = policy.limits
    rations = {Cause.TUNING: limits.tuning, Cause.RETURNING: limits.returning, Cause.MAKING_ROOM: limits.making_room}
    at = now - min(min(each.shift_window, each.changes_window) for each in rations.values()) / 2
    shifts = {cause: each.max_shift for cause, each in rations.items()}
    number = max(each.max_changes for each in rations.values())
    for target in policy.targets:
        answers, memory = shares[target], state.of(target)
        past = tuple(PastChange(f"spent-{each}", at, answers, answers, shifts) for each in range(number))
        state = state.with_target(replace(memory, changes=(*memory.changes, *past)))
    return state
