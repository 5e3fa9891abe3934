"""What a policy wants of the estate, told from what it would decide by itself.

The same stages as a decision, up to the question how much each region gets, for that is what the estate is asked: so a
region that is drained, down, or held back in one policy leaves its room to the others. Regions that wait for their
failback, or are out for a drill, are a last level: they are drawn upon before anything is left without room, as the
failback itself does it. Before them come those that serve and are left out because the others do better (`aside`).

Who comes back by a ramp counts with what it has, from the moment at which it begins: the room that its steps will leave
elsewhere is nobody else's before they are taken. Before anything is left without room it is drawn upon in full, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import fsum

from failoverd.core.control import practice, ramp, relieving
from failoverd.core.control.allocation import Bounds, all_well, levels
from failoverd.core.control.aside import narrowed
from failoverd.core.control.cost import passages
from failoverd.core.control.decide import Open, weigh
from failoverd.core.control.decision import Decision, View
from failoverd.core.control.failback import held_back, to_climb
from failoverd.core.control.overriding import Heeded, heed, seen
from failoverd.core.control.readings import measured
from failoverd.core.control.residency import allowed
from failoverd.core.control.saving import in_force, with_saved
from failoverd.core.control.sharing import Claim, Draw
from failoverd.core.control.sighted import as_seen
from failoverd.core.control.state import PolicyState
from failoverd.core.control.viewing import remembered
from failoverd.core.records import WHOLE, Policy, RecordSpec, RegionSpec, WhenDegraded


def claim(policy: Policy, state: PolicyState, now: float, spare: Mapping[str, float] | None = None) -> Claim | None:
    """What a policy wants now; None if nobody said what it needs.

    A policy has one demand. So its first record speaks for all of them, as it stands at the first of its targets.
    `spare` is what it may take of each region without anybody having less, where others are known that share them.
    """
    policy = as_seen(measured(policy, state.signalled.readings, now).policy, state.served).policy
    if not policy.demand:
        return None
    record = policy.records[0]
    target, kind = record.targets[0], record.key.type
    memory = state.of(target)
    policy = relieving.in_force(policy, memory.reliefs)
    heeded = heed(policy, target, state.overrides, None, "", now, memory.lost)
    lowered = seen(policy, target, state.regions(kind), state.signalled, state.overrides, heeded, now)
    regions = lowered.regions
    heeded = practice.heard(heeded, regions, state.incident, memory.yielded)
    view = replace(remembered(policy, state, memory, heeded, regions), unmeasured=lowered.unmeasured)
    if not view.regions:  # nobody looked, or not yet: what it publishes stays
        return _claim(policy, (), view.shares(policy.region_of(kind)))
    may = allowed(policy, kind, heeded, now)
    found = weigh(policy, record, target, view, now, heeded, may)
    if isinstance(found, Decision):
        stays = found.shares or view.shares(policy.region_of(kind))
        return _claim(policy, (), stays)
    claimed = _open(policy, record, view, found, heeded, now, spare)
    return replace(claimed, sheds=may.overflow(policy, kind) is not None)


def usual_claim(policy: Policy, state: PolicyState | None = None) -> Claim | None:
    """What it wants on a day on which nothing is wrong.

    `state` knows which shares were chosen for their price, what regions serve, and which are too far away: they are
    drawn upon last, before anything is left without room.
    """
    policy = as_seen(policy, state.served).policy if state is not None else policy
    record = policy.records[0]
    kind = record.key.type
    may = allowed(policy, kind, Heeded(), 0.0)
    specs = [spec for spec in may.regions if spec.answers(kind)]
    if state is not None:
        specs = list(with_saved(specs, in_force(policy, state.of(record.targets[0]).saving)))
    far = state.of(record.targets[0]).far if state is not None else frozenset[str]()
    near, rest = ([spec for spec in specs if (spec.name in far) is away] for away in (False, True))
    found = tuple(level for each in (near, rest) for level in levels(policy, record, all_well(each), each))
    sheds = may.overflow(policy, kind) is not None
    return replace(_claim(policy, found, {}), sheds=sheds) if found else None


def filters(policy: Policy) -> bool:
    """Whether it may leave out regions that serve, because others do better."""
    return policy.latency is not None or policy.degraded is WhenDegraded.OUT


def unnarrowed(policy: Policy) -> Mapping[str, float]:
    """What lets a policy leave out nobody: others may need all that there is."""
    return dict.fromkeys((spec.name for spec in policy.regions), 0.0)


def _open(
    policy: Policy,
    record: RecordSpec,
    view: View,
    found: Open,
    heeded: Heeded,
    now: float,
    spare: Mapping[str, float] | None,
) -> Claim:
    serving, published = found.found.serving, found.published
    rules = ramp.rules_of(policy, record)
    held = held_back(policy, rules, view, published, serving, heeded, now)
    aside = _aside(policy, record, view, found, heeded, now, spare).difference(held)
    climbing = to_climb(rules, view, published, serving, heeded)
    unmeasured = (name for name in view.unmeasured if published)
    capped, kept = ({name: published.get(name, 0) for name in each} for each in (found.found.capped, unmeasured))
    slowly = {name: published.get(name, 0) for name in climbing} | kept
    mine = [spec for spec in serving if spec.name not in held and spec.name not in aside]
    out = [spec for spec in serving if spec.name in aside]
    later = [spec for spec in serving if spec.name in held]
    at_once = [spec for spec in mine if spec.name in slowly]
    left = max(0, WHOLE - sum(found.found.frozen.values()))  # of it, a word sheds a part

    def drawn(specs: Sequence[RegionSpec], caps: Mapping[str, int]) -> tuple[tuple[Draw, ...], ...]:
        return levels(policy, record, view.regions, specs, Bounds(caps, heeded.shed), left)

    first = [drawn(mine, slowly | capped), drawn(out, slowly | capped)]
    first += [drawn(at_once, capped)] if at_once else []
    ordered = [*first, drawn(later, capped)]
    if later and not _carried(policy, drawn([*mine, *out], capped), found.found.frozen):
        ordered = [drawn(serving, capped)]  # nobody is held back then: `failback`
    claimed = _claim(policy, tuple(level for each in ordered for level in each), found.found.frozen)
    return replace(claimed, aside=aside)


def _carried(policy: Policy, found: Sequence[Sequence[Draw]], stays: Mapping[str, int]) -> bool:
    """Whether these regions can carry what the policy needs, as far as it knows by itself."""
    need = (policy.demand or 0.0) * (1 - sum(stays.values()) / WHOLE)
    return fsum(draw.most for level in found for draw in level) >= need


def _aside(
    policy: Policy,
    record: RecordSpec,
    view: View,
    found: Open,
    heeded: Heeded,
    now: float,
    spare: Mapping[str, float] | None,
) -> frozenset[str]:
    """Who is left out because the others do better. A policy that leaves out nobody is not allocated for it."""
    if not filters(policy):
        return frozenset()
    narrow = narrowed(policy, record, view, found.published, found.specs, found.found, heeded, now, spare=spare)
    return frozenset(each.name for each in narrow.out)


def _claim(policy: Policy, found: tuple[tuple[Draw, ...], ...], stays: Mapping[str, int]) -> Claim:
    """A region has one capacity, so all that is taken of it is one sum: which unit a file says makes no second room."""
    demand = policy.demand or 0.0
    stands = {name: demand * share / WHOLE for name, share in stays.items()}
    return Claim(policy.name, policy.tier, demand, found, stands, links=passages(policy))
