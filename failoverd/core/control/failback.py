"""When a region that was withdrawn comes back.

After it has been well for `failback.after`, or when a person brings it back. This never costs service: if the other
regions cannot carry the traffic, it is let in at once. Nor does a fall of all regions together: it was no region's own
fault, so who was withdrawn in it comes back without a hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from failoverd.core.control import practice
from failoverd.core.control.allocation import Allocation, allocate
from failoverd.core.control.decision import View, soonest
from failoverd.core.control.eligible import Eligible
from failoverd.core.control.overriding import Heeded
from failoverd.core.control.sharing import Grant
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, Policy, RecordSpec, RegionSpec


@dataclass(frozen=True, slots=True)
class _Held:
    reason: Reason
    until: float | None = None


def with_failback(
    policy: Policy,
    record: RecordSpec,
    view: View,
    published: Mapping[str, int],
    found: Eligible,
    heeded: Heeded,
    now: float,
    grant: Grant | None = None,
) -> tuple[Allocation, float | None]:
    """Allocate what no frozen region keeps, leaving withdrawn regions out while their hold lasts.

    Also the first moment at which a hold ends that makes a difference.
    """
    budget = WHOLE - sum(found.frozen.values())
    caps = {name: published.get(name, 0) for name in found.capped}

    def share_out(specs: tuple[RegionSpec, ...]) -> Allocation:
        return allocate(policy, record, view.regions, specs, budget, caps, heeded.shed, grant)

    held = held_back(policy, view, published, found.serving, now) | _practising(heeded, found.serving)
    others = tuple(spec for spec in found.serving if spec.name not in held)
    if not held:
        return _with_returns(share_out(found.serving), view, published), None
    if others and (trial := share_out(others)).fits:
        # a standby that would get nothing, whoever else is held, is not worth a word
        due = [
            held[spec.name]
            for spec in found.serving
            if spec.name in held and share_out((*others, spec)).shares.get(spec.name, 0) > 0
        ]
        until = soonest(*(each.until for each in due))
        told = (*(each.reason for each in due), *trial.reasons)
        return _with_returns(Allocation(trial.shares, trial.fits, told), view, published), until
    if practised := tuple(name for name in held if name in heeded.practised):
        yields = Reason(ReasonCode.PRACTICE_YIELDS, "overrides", regions=practised)
        without = replace(heeded, practised={}, yielded=heeded.practised)
        shared, until = with_failback(policy, record, view, published, found, without, now, grant)
        return Allocation(shared.shares, shared.fits, (yields, *shared.reasons)), until
    waived = Reason(ReasonCode.FAILBACK_WAIVED, "failback", regions=tuple(held))
    shared = share_out(found.serving)
    return Allocation(shared.shares, shared.fits, (waived, *shared.reasons)), None


def _with_returns(shared: Allocation, view: View, published: Mapping[str, int]) -> Allocation:
    """The same, saying who comes back without a hold."""
    back = tuple(name for name in shared.shares if name in view.common_fall and not published.get(name))
    if not back:
        return shared
    reason = Reason(ReasonCode.COMMON_RETURN, "failback", regions=back)
    return Allocation(shared.shares, shared.fits, (reason, *shared.reasons))


def _practising(heeded: Heeded, serving: tuple[RegionSpec, ...]) -> dict[str, _Held]:
    return {name: _Held(reason, until) for name, (reason, until) in practice.held(heeded, serving).items()}


def held_back(
    policy: Policy, view: View, published: Mapping[str, int], serving: tuple[RegionSpec, ...], now: float
) -> dict[str, _Held]:
    """Who of those that serve waits, and why."""
    if not published:
        return {}  # a record that answers nothing has nobody to hold back
    held = {}
    for spec in serving:
        free = published.get(spec.name, 0) > 0 or spec.name in view.returning or spec.name in view.common_fall
        if free or spec.name in view.practised:
            continue
        if policy.failback_after is None and spec.name in view.taken_out:
            continue  # a person took it out by a word, and the end of that word brings it back
        if policy.failback_after is None:
            held[spec.name] = _Held(Reason(ReasonCode.FAILBACK_MANUAL, "failback", spec.name))
            continue
        since = view.regions[spec.name].well_since
        due = (since if since is not None else now) + policy.failback_after
        if now < due:
            well = max(0.0, now - since) if since is not None else 0.0
            numbers = {"well": well, "hold": policy.failback_after}
            reason = Reason(ReasonCode.FAILBACK_HOLD, "failback.after", spec.name, numbers=numbers)
            held[spec.name] = _Held(reason, due)
    return held
