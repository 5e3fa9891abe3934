"""From a draft in which everything fits to the policy that the core works with."""

from collections.abc import Mapping

from failoverd.config.costs import link_to
from failoverd.config.drafts import Draft, ProviderEntry
from failoverd.config.drills import practice_of
from failoverd.config.eligibility import model_of, models_of, place_of, residency_of
from failoverd.config.gauges import declared, measure, signals
from failoverd.config.maintenance import entries_of
from failoverd.config.schema.inventory_file import InventoryFile
from failoverd.config.schema.policy_file import (
    Failback,
    HealthEntry,
    LimitsEntry,
    PolicyFile,
    RationEntry,
    RecordEntry,
    RegionEntry,
)
from failoverd.core.records import (
    WHOLE,
    CostRules,
    DataIn,
    HealthRules,
    LatencyBand,
    Limits,
    ListPrices,
    Policy,
    RampRules,
    Ration,
    RecordKey,
    RecordSpec,
    RegionSpec,
    Source,
    Target,
    Traffic,
)


def build(draft: Draft, inventory: InventoryFile, providers: Mapping[str, ProviderEntry], source: Source) -> Policy:
    """The policy of a draft that has no errors."""
    file = draft.policy
    return Policy(
        name=file.policy,
        records=tuple(_record(file.policy, record, providers) for record in file.records),
        regions=tuple(_region(draft, name, inventory) for name in file.regions),
        checks=draft.checks,
        health=_health(file.health),
        steering=file.steering,
        weights=file.weights,
        failback_after=file.failback.after,
        limits=_limits(file.limits),
        when_all_down=file.when_all_down.do,
        on_drift=file.on_drift,
        demand=declared(file.demand),
        owner=file.owner,
        runbook=file.runbook or "",
        tier=file.tier,
        source=source,
        dependencies=draft.dependencies,
        maintenance=entries_of(file.maintenance, draft.document),
        residency=residency_of(file),
        model=model_of(file.model),
        canary=file.canary,
        shed_to=place_of(draft, file.shed_to, inventory),
        when_all_down_place=place_of(draft, file.when_all_down, inventory),
        ramp=_ramp(file.failback),
        trickle=file.standby.trickle,
        unit=file.unit or "",
        measure=measure(file.demand),
        signals=signals(file.signals),
        degraded=file.degraded,
        latency=LatencyBand(file.latency.slack, file.latency.leave, file.latency.window) if file.latency else None,
        practice=practice_of(file.practice, _turns(file), draft.document),
        traffic=Traffic(file.traffic.response or 0.0, file.traffic.tokens or 0.0) if file.traffic is not None else None,
        data_in=_data_in(file, inventory),
        cost=CostRules(file.cost.save, file.cost.at_least, file.cost.every) if file.cost is not None else None,
    )


def _turns(file: PolicyFile) -> list[str]:
    """Regions that are practised in turn: those that have traffic on a normal day."""
    found = [name for name, entry in file.regions.items() if entry.share is None or entry.share > 0]
    return sorted(found) or sorted(file.regions)


def _data_in(file: PolicyFile, inventory: InventoryFile) -> DataIn | None:
    if file.data_in is None:
        return None
    said = file.data_in
    return DataIn(said.region, said.per_request, inventory.regions[said.region].egress_cost_per_gb)


def _record(policy: str, record: RecordEntry, providers: Mapping[str, ProviderEntry]) -> RecordSpec:
    key = RecordKey(record.name, record.type)
    zones = {name: providers[name].zone_of(record.name) for name in record.providers}
    targets = tuple(Target(policy, key, name, zone) for name, zone in zones.items() if zone is not None)
    single = any(record.type in providers[name].capabilities.single for name in record.providers)
    return RecordSpec(key, record.ttl, targets, single)


def _region(draft: Draft, name: str, inventory: InventoryFile) -> RegionSpec:
    entry = draft.policy.regions[name]
    share = WHOLE // len(draft.policy.regions) if entry.share is None else entry.share  # no shares at all: evenly
    place = inventory.regions[name]
    return RegionSpec(
        name,
        share,
        draft.endpoints[name],
        entry.priority,
        declared(place.capacity),
        place.cloud,
        tuple(entry.depends_on),
        headroom=inventory.headroom if place.headroom is None else place.headroom,
        jurisdiction=place.jurisdiction or "",
        models=models_of(place),
        unit=place.unit or "",
        measure=measure(place.capacity),
        weights=_weights(entry),
        prices=ListPrices(place.egress_cost_per_gb, place.price_per_million_tokens),
        link=link_to(draft.policy, name, inventory),
    )


def _weights(entry: RegionEntry) -> tuple[int, ...]:
    """Of the endpoints; none where they are all alike."""
    weights = tuple(place.weight for place in entry.endpoints)
    return weights if len(set(weights)) > 1 else ()


def _health(entry: HealthEntry) -> HealthRules:
    return HealthRules(
        fall=entry.fall,
        rise=entry.rise,
        recheck=entry.recheck,
        degraded_below=entry.degraded_below,
        down_below=entry.down_below,
        recover_margin=entry.recover_margin,
        degraded_window=entry.degraded.window,
        degraded_enter=entry.degraded.enter,
        degraded_leave=entry.degraded.leave,
        flap_penalty=entry.flap.penalty,
        flap_half_life=entry.flap.half_life,
        flap_suppress=entry.flap.suppress,
        flap_reuse=entry.flap.reuse,
        flap_max_suppress=entry.flap.max_suppress,
        warm_up=entry.warm_up,
        checks=entry.checks.at_least,
    )


def _ramp(entry: Failback) -> RampRules | None:
    """The ramp, if anything is said of one; what is left out of it has its default."""
    usual = RampRules()
    if not entry.ramps:
        return None
    return RampRules(
        steps=usual.steps if entry.ramp is None else entry.ramp,
        step=entry.step,
        judge=usual.judge if entry.judge is None else entry.judge,
        retries=usual.retries if entry.retries is None else entry.retries,
    )


def _limits(entry: LimitsEntry) -> Limits:
    return Limits(
        min_regions=entry.min_regions,
        tuning=_ration(entry, entry.tuning),
        returning=_ration(entry, entry.returning),
        min_step=entry.min_step,
        making_room=_making_room(entry.making_room),
    )


def _making_room(said: RationEntry) -> Ration:
    """Whoever has to make room does so at once, unless the file bounds that."""
    usual = Limits().making_room
    shift, changes = said.max_shift, said.max_changes
    return Ration(
        shift.amount if shift else usual.max_shift,
        shift.window if shift else usual.shift_window,
        changes.amount if changes else usual.max_changes,
        changes.window if changes else usual.changes_window,
    )


def _ration(entry: LimitsEntry, said: RationEntry) -> Ration:
    """What is said for one cause, or else for both."""
    shift, changes = said.max_shift or entry.max_shift, said.max_changes or entry.max_changes
    return Ration(shift.amount, shift.window, changes.amount, changes.window)
