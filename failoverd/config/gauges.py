"""What others measure, from what files say: figures and signals as the core has them, and what is wrong with them."""

from collections.abc import Collection, Iterator, Mapping

from failoverd.config.diagnostics import Code, Diagnostic, Severity, shown, suggestion
from failoverd.config.documents import Document
from failoverd.config.schema.inventory_file import InventoryFile
from failoverd.config.schema.measured import Figure, MeasureEntry
from failoverd.config.schema.policy_file import ErrorsEntry, PolicyFile, RoomEntry, SignalsEntry
from failoverd.config.tree import Place
from failoverd.config.values import say_duration, say_percent
from failoverd.core.control.signals import DOWN_BURN, time_to_fire
from failoverd.core.measures import REGION, WINDOW, ErrorBudget, Load, May, Measure, Signals
from failoverd.core.records import WHOLE


def declared(figure: Figure | None) -> float | None:
    """The figure that is said, or that counts while nothing is measured."""
    return figure.declared if isinstance(figure, MeasureEntry) else figure


def measure(figure: Figure | None) -> Measure | None:
    """How it is measured, where it is."""
    if not isinstance(figure, MeasureEntry):
        return None
    return Measure(figure.query, figure.from_, figure.declared, figure.min)


def signals(entry: SignalsEntry) -> Signals:
    errors, room = entry.errors, entry.room
    return Signals(
        _budget(errors) if errors is not None else None,
        Load(room.query, room.from_, room.low, room.high) if room is not None else None,
    )


def _budget(entry: ErrorsEntry) -> ErrorBudget:
    return ErrorBudget(
        errors=entry.errors,
        requests=entry.requests,
        source=entry.from_,
        slo=entry.slo / WHOLE,
        burn=entry.burn,
        over=entry.over,
        short=entry.short,
        may=entry.may,
    )


# -- what is wrong -----------------------------------------------------------------------------------------------------


def unmeasurable(
    policy: PolicyFile, document: Document, inventory: InventoryFile, sources: Collection[str] | None
) -> Iterator[Diagnostic]:
    """What could never be measured, or never fire.

    Args:
        policy: a policy file of the right shape.
        document: shows where each thing is written.
        inventory: with the capacity of its regions.
        sources: the names under `prometheus`; None where nobody knows them.
    """
    yield from _units(policy, document, inventory)
    for name, place in _named_sources(policy):
        yield from _unknown(document, place, name, sources)
    for name in policy.regions:
        region = inventory.regions.get(name)
        capacity = region.capacity if region is not None else None
        if isinstance(capacity, MeasureEntry) and sources is not None and capacity.from_ not in sources:
            message = f"the capacity of {name} is measured by {shown(capacity.from_)}, which is no source of prometheus"
            hint = f"correct it in the inventory: {suggestion(capacity.from_, sorted(sources)) or 'there is no source'}"
            yield document.diagnose(Code.UNKNOWN_SOURCE, ("regions", name), message, hint, key=True)
    if isinstance(policy.demand, MeasureEntry):
        if REGION in policy.demand.query:
            message = "the demand is that of the whole service: no region is meant by $region"
            yield document.diagnose(Code.QUERY_UNFIT, ("demand", "query"), message, "sum over all regions")
        yield from _least(document, policy.demand, ("demand",))
    if policy.signals.errors is not None:
        yield from _errors(document, policy.signals.errors, len(policy.regions))
    if policy.signals.room is not None:
        yield from _room(document, policy.signals.room)


def _named_sources(policy: PolicyFile) -> Iterator[tuple[str, Place]]:
    if isinstance(policy.demand, MeasureEntry):
        yield policy.demand.from_, ("demand", "from")
    if policy.signals.errors is not None:
        yield policy.signals.errors.from_, ("signals", "errors", "from")
    if policy.signals.room is not None:
        yield policy.signals.room.from_, ("signals", "room", "from")


def _unknown(document: Document, place: Place, name: str, sources: Collection[str] | None) -> Iterator[Diagnostic]:
    if sources is not None and name not in sources:
        message = f"{shown(name)} is no source of prometheus in the daemon's configuration"
        hint = suggestion(name, sorted(sources)) or "write prometheus: {main: {url: ...}} there"
        yield document.diagnose(Code.UNKNOWN_SOURCE, place, message, hint)


def _units(policy: PolicyFile, document: Document, inventory: InventoryFile) -> Iterator[Diagnostic]:
    found = {name: inventory.regions[name].unit for name in policy.regions if name in inventory.regions}
    said = {name: unit for name, unit in found.items() if unit is not None}
    if policy.unit is None:
        yield from _unsaid_unit(policy, document, said)
        return
    for name, unit in said.items():
        if unit != policy.unit:
            message = (
                f"the policy counts in {policy.unit}, and {name} can carry so many {unit}: they cannot be compared"
            )
            hint = f"state demand in {unit}, or the capacity of {name} in {policy.unit}"
            yield document.diagnose(Code.UNITS_DIFFER, ("unit",), message, hint)


def _unsaid_unit(policy: PolicyFile, document: Document, said: Mapping[str, str]) -> Iterator[Diagnostic]:
    """The demand is a bare number, and held against what regions can carry of something."""
    units = list(dict.fromkeys(said.values()))
    if policy.demand is None or not units:
        return
    if len(units) == 1:
        message = f"the demand says no unit, and {next(iter(said))} can carry so many {units[0]}: it is counted as such"
        hint = f"write unit: {units[0]}, if that is what demand counts"
        yield document.diagnose(Code.UNIT_UNSAID, ("demand",), message, hint, key=True, severity=Severity.WARNING)
        return
    first = {unit: name for name, unit in reversed([*said.items()])}
    counts = " and ".join(f"{first[unit]} in {unit}" for unit in units[:2])
    message = f"its regions count in different units ({counts}): one demand cannot be compared with both"
    hint = "state their capacities in one unit, or serve them by policies of their own"
    yield document.diagnose(Code.UNITS_DIFFER, ("demand",), message, hint, key=True)


def _least(document: Document, entry: MeasureEntry, place: Place) -> Iterator[Diagnostic]:
    if entry.min is not None and entry.min > entry.declared:
        message = f"min ({entry.min:.12g}) is above what is declared ({entry.declared:.12g})"
        hint = "min is the least that is believed, and declared what counts while nothing is"
        yield document.diagnose(Code.QUERY_UNFIT, (*place, "min"), message, hint)


def least_of_regions(inventory: InventoryFile, document: Document) -> Iterator[Diagnostic]:
    """What is wrong with capacities by themselves."""
    for name, region in inventory.regions.items():
        if isinstance(region.capacity, MeasureEntry):
            yield from _least(document, region.capacity, ("regions", name, "capacity"))


def _errors(document: Document, entry: ErrorsEntry, regions: int) -> Iterator[Diagnostic]:
    place: Place = ("signals", "errors")
    for key, query in (("errors", entry.errors), ("requests", entry.requests)):
        if WINDOW not in query:
            message = f"{key} does not say $window: it is asked for over {say_duration(entry.over)}"
            message += f" and over {say_duration(entry.short)}" if key == "errors" else ""
            yield document.diagnose(Code.QUERY_UNFIT, (*place, key), message, "write [$window] for the range")
    if entry.slo == WHOLE:
        message = "a service level of 100% leaves nothing for errors: the first one would burn it"
        yield document.diagnose(Code.NEVER_FIRES, (*place, "slo"), message, "write slo: 99.9%")
    elif time_to_fire(_budget(entry), 1.0) is None:
        most = WHOLE / (WHOLE - entry.slo)
        message = f"a burn of {entry.burn:g} can never be: at {say_percent(entry.slo)}, nothing but errors is {most:g}"
        yield document.diagnose(Code.NEVER_FIRES, (*place, "burn"), message, f"write burn: {most / 2:g}, or less")
    if entry.short >= entry.over:
        message = f"short ({say_duration(entry.short)}) is not shorter than over ({say_duration(entry.over)})"
        hint = f"write short: {say_duration(max(1, round(entry.over / 12)))}"
        yield document.diagnose(Code.NEVER_FIRES, (*place, "short"), message, hint)
    if entry.may is May.DOWN and entry.burn < DOWN_BURN:
        message = f"a burn of {entry.burn:g} does not make a region down: that takes {DOWN_BURN:g}"
        hint = f"write burn: {DOWN_BURN:g}, or leave may out"
        yield document.diagnose(Code.NEVER_FIRES, (*place, "may"), message, hint)
    if regions == 1:
        message = "there is no other region to compare the only one with: its errors never move anything"
        yield document.diagnose(Code.SIGNAL_IDLE, place, message, key=True, severity=Severity.WARNING)


def _room(document: Document, entry: RoomEntry) -> Iterator[Diagnostic]:
    if entry.low >= entry.high:
        message = f"low ({entry.low:g}) is not below high ({entry.high:g})"
        yield document.diagnose(Code.NEVER_FIRES, ("signals", "room", "low"), message, "between them room shrinks")
