"""What a policy wants of the estate, told from what it would decide by itself.

The same stages as a decision, up to the question how much each region gets, for that is what the estate is asked: so a
region that is drained, down, or held back in one policy leaves its room to the others. Regions that wait for their
failback are a last level: they are drawn upon before anything is left without room, as the failback itself does it.
"""

from collections.abc import Mapping

from failoverd.core.control.allocation import all_well, levels
from failoverd.core.control.decide import Open, weigh
from failoverd.core.control.decision import Decision, View
from failoverd.core.control.failback import held_back
from failoverd.core.control.overriding import Heeded, heed, seen_by_word
from failoverd.core.control.saving import in_force, with_saved
from failoverd.core.control.sharing import Claim, Draw
from failoverd.core.control.state import PolicyState
from failoverd.core.records import WHOLE, Policy, RecordSpec


def claim(policy: Policy, state: PolicyState, now: float) -> Claim | None:
    """What a policy wants now; None if nobody said what it needs.

    A policy has one demand. So its first record speaks for all of them, as it stands at the first of its targets.
    """
    if not policy.demand:
        return None
    record = policy.records[0]
    target, kind = record.targets[0], record.key.type
    memory = state.of(target)
    heeded = heed(policy, target, state.overrides, None, "", now, memory.lost)
    good = memory.last_good
    view = View(
        regions=seen_by_word(policy, kind, state.regions(kind), heeded),
        current=good.records if good is not None else None,
        last_good=good.records if good is not None else None,
        returning=state.returning,
        last_shares=good.shares if good is not None else {},
        common_fall=frozenset(memory.common_fall),
        taken_out=memory.taken_out,
        saving=in_force(policy, memory.saving),
    )
    if not view.regions:  # nobody looked, or not yet: what it publishes stays
        return _claim(policy, (), view.shares(policy.region_of(kind)))
    found = weigh(policy, record, target, view, now, heeded)
    if isinstance(found, Decision):
        stays = found.shares or view.shares(policy.region_of(kind))
        return _claim(policy, (), stays)
    return _open(policy, record, view, found, heeded, now)


def usual_claim(policy: Policy, state: PolicyState | None = None) -> Claim | None:
    """What it wants on a day on which nothing is wrong; `state` knows which shares were chosen for their price."""
    record = policy.records[0]
    kind = record.key.type
    specs = [spec for spec in policy.regions if any(end.answer(kind) is not None for end in spec.endpoints)]
    if state is not None:
        specs = list(with_saved(specs, in_force(policy, state.of(record.targets[0]).saving)))
    found = levels(policy, record, all_well(specs), specs, {}, None)
    return _claim(policy, found, {}) if found else None


def _open(policy: Policy, record: RecordSpec, view: View, found: Open, heeded: Heeded, now: float) -> Claim:
    serving, published = found.found.serving, found.published
    held = held_back(policy, view, published, serving, now)
    caps = {name: published.get(name, 0) for name in found.found.capped}
    mine = levels(policy, record, view.regions, [spec for spec in serving if spec.name not in held], caps, heeded.shed)
    later = levels(policy, record, view.regions, [spec for spec in serving if spec.name in held], caps, heeded.shed)
    return _claim(policy, (*mine, *later), found.found.frozen)


def _claim(policy: Policy, found: tuple[tuple[Draw, ...], ...], stays: Mapping[str, int]) -> Claim:
    demand = policy.demand or 0.0
    stands = {name: demand * share / WHOLE for name, share in stays.items()}
    return Claim(policy.name, policy.tier, demand, found, stands, policy.unit)
