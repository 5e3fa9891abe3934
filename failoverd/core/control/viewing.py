"""What a decision looks at, as it is remembered: the same for a decision and for a claim on the estate."""

from collections.abc import Mapping

from failoverd.core.control import practice
from failoverd.core.control.decision import View
from failoverd.core.control.overriding import Heeded
from failoverd.core.control.saving import in_force
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.health.region import RegionHealth
from failoverd.core.records import Policy


def remembered(
    policy: Policy, state: PolicyState, memory: TargetMemory, heeded: Heeded, regions: Mapping[str, RegionHealth]
) -> View:
    """The view of a target that answers what was last verified there.

    Args:
        policy: the file, with its figures as they count now.
        state: what is known of the policy.
        memory: what is known of the target.
        heeded: what operators' words say about it.
        regions: their health as it is decided on.
    """
    good, practised = memory.last_good, memory.practised.difference(heeded.practised)
    return View(
        regions=regions,
        current=good.records if good is not None else None,
        last_good=good.records if good is not None else None,
        returning=state.returning,
        last_shares=good.shares if good is not None else {},
        overruled=good.overruled if good is not None else None,
        common_fall=frozenset(memory.common_fall),
        taken_out=memory.taken_out,
        ramps=memory.ramps,
        incident=state.incident is not None,
        aside=memory.aside,
        practised=practised,
        cut_short=practice.cut_short(policy, practised, state.overrides) if practised else frozenset(),
        saving=in_force(policy, memory.saving),
    )
