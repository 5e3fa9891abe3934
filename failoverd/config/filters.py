"""Whether what narrows down who gets traffic can do what it says: checks that count, weights of endpoints, latency."""

from collections.abc import Iterator, Mapping

from failoverd.config.diagnostics import Code, Diagnostic, Severity
from failoverd.config.documents import Document
from failoverd.config.drafts import Draft, ProviderEntry
from failoverd.config.schema.inventory_file import InventoryFile
from failoverd.config.schema.policy_file import LatencyEntry
from failoverd.config.values import say_duration
from failoverd.core.health.latency import LEAST_SAMPLES, SLICES
from failoverd.core.records import Weights


def filters(draft: Draft, inventory: InventoryFile, providers: Mapping[str, ProviderEntry]) -> Iterator[Diagnostic]:
    yield from _needed(draft)
    yield from _weights(draft, providers)
    if draft.policy.latency is not None:
        yield from _latency(draft, draft.policy.latency, inventory)


def _needed(draft: Draft) -> Iterator[Diagnostic]:
    """More checks than there are could never be well."""
    needed, there = draft.policy.health.checks.at_least, len(draft.policy.checks)
    if needed > there:
        message = f"health.checks asks for {needed} checks to be well, and the policy has {there}: nobody could serve"
        hint = "write checks: all"
        yield draft.document.diagnose(Code.CHECKS_NEEDED, ("health", "checks", "at_least"), message, hint)


def _weights(draft: Draft, providers: Mapping[str, ProviderEntry]) -> Iterator[Diagnostic]:
    """A weight that is said in vain, at the first endpoint that has one."""
    for index, record in enumerate(draft.policy.records):
        for region, entry in draft.policy.regions.items():
            heavy = (place for place, endpoint in enumerate(entry.endpoints) if endpoint.weight > 1)
            first = next(heavy, None)
            why = _unsaid(draft, providers, index)
            if first is not None and why and len(draft.answers(region, record.type)) > 1:
                message = (
                    f"a weight says nothing in the answer of {record.name} {record.type}: {why}; it counts in the "
                    f"score of {region} alone"
                )
                hint = "publish the record at a provider with weights of its own, or leave the weight out"
                at = ("regions", region, "endpoints", first)
                yield draft.document.diagnose(Code.WEIGHT_IDLE, at, message, hint, severity=Severity.WARNING)
                return


def _unsaid(draft: Draft, providers: Mapping[str, ProviderEntry], index: int) -> str:
    """Why a record cannot say the weights of endpoints; "" if it can."""
    if draft.policy.weights is Weights.MEMBERSHIP:
        return "weights: membership says who is in it, and not how much"
    record = draft.policy.records[index]
    for name in record.providers:
        known = providers[name].capabilities.weights if name in providers else {}
        if known.get(record.type) is Weights.MEMBERSHIP:
            return f"provider {name} says who is in it, and not how much"
    return ""


def _latency(draft: Draft, said: LatencyEntry, inventory: InventoryFile) -> Iterator[Diagnostic]:
    place = ("latency",)
    if said.leave < said.slack:
        message = (
            f"latency.leave ({say_duration(said.leave)}) is less than latency.slack ({say_duration(said.slack)}): a "
            "region would come and go at once"
        )
        hint = f"write leave: {say_duration(said.slack * 1.5)}"
        at = (*place, "leave") if draft.document.knows((*place, "leave")) else (*place, "slack")
        yield draft.document.diagnose(Code.LATENCY_BAND, at, message, hint)
    measuring = [check for check in draft.checks if check.connects]
    if not measuring:
        message = "no check of the policy opens a connection, so nobody measures how far away its regions are"
        hint = "add a check that does, such as tcp or https"
        yield draft.document.diagnose(Code.LATENCY_BAND, place, message, hint, key=True)
    elif draft.checks:
        yield from _seldom(draft, said, sum(said.window / check.every for check in measuring), draft.document)
    unstated = [name for name in draft.policy.regions if name in inventory.regions and _no_capacity(inventory, name)]
    if draft.policy.demand is None or unstated:
        what = "the policy has no demand" if draft.policy.demand is None else f"{', '.join(unstated)} has no capacity"
        message = f"latency moves nothing where it is not known whether there is room for what is moved: {what}"
        hint = "write demand in the policy, and capacity in the inventory"
        yield draft.document.diagnose(Code.LATENCY_IDLE, place, message, hint, key=True, severity=Severity.WARNING)


def _no_capacity(inventory: InventoryFile, name: str) -> bool:
    return inventory.regions[name].capacity is None


def _seldom(draft: Draft, said: LatencyEntry, probes: float, document: Document) -> Iterator[Diagnostic]:
    """Regions of which too little is known in a window."""
    for name, entry in draft.policy.regions.items():
        found = probes * len(entry.endpoints) * (SLICES - 1) / SLICES  # the last slice is not full
        if found < LEAST_SAMPLES:
            message = (
                f"{name} is probed {found:.0f} times within latency.window ({say_duration(said.window)}), and "
                f"{LEAST_SAMPLES} are needed to tell how far away it is"
            )
            hint = "write a longer window, or a shorter every in a check"
            at = ("latency", "window") if document.knows(("latency", "window")) else ("latency",)
            yield document.diagnose(Code.LATENCY_IDLE, at, message, hint, severity=Severity.WARNING)
            return
