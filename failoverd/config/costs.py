"""What traffic costs and which links carry its data: whether what the files say of that can be reckoned with."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from failoverd.config.diagnostics import Code, Diagnostic, Severity, shown, suggestion
from failoverd.config.documents import Document
from failoverd.config.drafts import Draft, ProviderEntry
from failoverd.config.gauges import declared
from failoverd.config.schema.inventory_file import InventoryFile, LinkEntry
from failoverd.config.schema.policy_file import DataInEntry, PolicyFile
from failoverd.config.values import say_bandwidth, say_size
from failoverd.core.control.cost import link_rate
from failoverd.core.records import Link, Steering, Weights, few

# -- links -------------------------------------------------------------------------------------------------------------


def links(file: InventoryFile, document: Document) -> Iterator[Diagnostic]:
    """Links of the inventory that lead nowhere, or are written twice."""
    known = sorted({*file.regions, *(region.cloud for region in file.regions.values())})
    seen: dict[frozenset[str], int] = {}
    for index, entry in enumerate(file.links):
        ends = frozenset(entry.between)
        for position, end in enumerate(entry.between):
            if end not in known:
                message = f"a link leads to {shown(end)}, which is neither a region nor a cloud of the inventory"
                where = ("links", index, "between", position)
                yield document.diagnose(Code.LINK_NOWHERE, where, message, suggestion(end, known))
        place = ("links", index, "between")
        if entry.between[0] == entry.between[1] and entry.between[0] in file.regions:
            message = f"a link leads from {entry.between[0]} to itself"
            yield document.diagnose(
                Code.LINK_NOWHERE, place, message, "name the region, or the cloud, at its other end"
            )
        if ends in seen:
            message = f"{' and '.join(entry.between)} are joined by the link on line {seen[ends]} as well"
            hint = "write one link with the bandwidth of both"
            yield document.diagnose(Code.LINK_TWICE, place, message, hint)
        seen.setdefault(ends, document.mark(place).line)


def link_to(policy: PolicyFile, region: str, inventory: InventoryFile) -> Link | None:
    """What joins a region to the one in which the policy's data is; None where nothing is known, or nothing is moved.

    A link between two regions says more than one between their clouds.
    """
    entry = _entry(policy.data_in, region, inventory)
    if entry is None:
        return None
    return _link(entry)


def _link(entry: LinkEntry) -> Link:
    return Link(entry.bandwidth, entry.price_per_gb, entry.headroom, " - ".join(entry.between))


def data_from(policy: PolicyFile, inventory: InventoryFile) -> Mapping[str, object]:
    """What a policy uses of the inventory for its data: another one is another revision. Without data it is nothing."""
    data = policy.data_in
    if data is None or data.region not in inventory.regions:
        return {}
    found = {name: link_to(policy, name, inventory) for name in sorted(policy.regions)}
    said = {
        name: [each.bandwidth, each.price_per_gb, each.headroom] for name, each in found.items() if each is not None
    }
    return {"data in": [inventory.regions[data.region].egress_cost_per_gb, said]}


def _entry(data: DataInEntry | None, region: str, inventory: InventoryFile) -> LinkEntry | None:
    if data is None or region == data.region or not {region, data.region} <= inventory.regions.keys():
        return None
    mine, theirs = inventory.regions[region].cloud, inventory.regions[data.region].cloud
    for pairs in (((region, data.region),), ((region, theirs), (mine, data.region)), ((mine, theirs),)):
        for entry in inventory.links:
            if any(entry.between in {pair, pair[::-1]} for pair in pairs):
                return entry
    return None


# -- policies ----------------------------------------------------------------------------------------------------------


def costs(draft: Draft, inventory: InventoryFile, providers: Mapping[str, ProviderEntry]) -> Iterator[Diagnostic]:
    """What a policy says of traffic, data and costs, and what is missing to reckon with it."""
    if not draft.policy.regions.keys() <= inventory.regions.keys():
        return  # names that do not exist are told elsewhere
    if draft.policy.data_in is not None:
        yield from _data(draft, draft.policy.data_in, inventory)
    if draft.policy.cost is not None:
        yield from _followed(draft, inventory, providers)
    elif draft.policy.traffic is not None:
        yield from _forecast(draft, inventory)


def _data(draft: Draft, data: DataInEntry, inventory: InventoryFile) -> Iterator[Diagnostic]:
    document, demand = draft.document, draft.policy.demand
    if data.region not in inventory.regions:
        message = f"region {shown(data.region)} is not in the inventory"
        hint = suggestion(data.region, sorted(inventory.regions))
        yield document.diagnose(Code.UNKNOWN_REGION, ("data_in", "region"), message, hint)
        return
    if demand is None:
        message = f"each request moves {say_size(data.per_request)}, and nobody says how many there are"
        hint = "state the demand of the policy in requests per second, such as demand: 800"
        yield document.diagnose(Code.DATA_UNBOUND, ("data_in",), message, hint, key=True)
        return
    others = [name for name in draft.policy.regions if name != data.region]
    joined = {name: entry for name in others if (entry := _entry(data, name, inventory)) is not None}
    alone = [name for name in others if name not in joined]
    if alone:
        message = (
            f"no link between {data.region} and {_some(alone)} is known: nothing bounds the data that is moved "
            f"there, and its price is the egress of {data.region}"
        )
        hint = f"state it in the inventory: links: [{{between: [{data.region}, {alone[0]}], bandwidth: 10Gbps}}]"
        yield document.diagnose(Code.NO_LINK, ("data_in", "region"), message, hint, severity=Severity.WARNING)
    yield from _narrow(draft, data, joined, inventory)
    if others and not draft.policy.dependencies:
        message = (
            f"{_some(others)} cannot serve without the data in {data.region}, and nothing shows whether it is there"
        )
        hint = "probe it: declare it under dependencies, and name it in depends_on of the regions"
        yield document.diagnose(Code.DATA_UNPROBED, ("data_in",), message, hint, key=True, severity=Severity.WARNING)


def _narrow(
    draft: Draft, data: DataInEntry, joined: Mapping[str, LinkEntry], inventory: InventoryFile
) -> Iterator[Diagnostic]:
    """What the regions that are left can serve by their links when the one with the data serves nobody."""
    demand = declared(draft.policy.demand)
    others = [name for name in draft.policy.regions if name != data.region]
    if demand is None or not joined or len(joined) < len(others):
        return
    rates = {name: link_rate(_link(entry), data.per_request) for name, entry in joined.items()}
    by_link: dict[tuple[str, ...], float] = defaultdict(float)  # a link carries so much for all who use it
    for name, rate in rates.items():
        able = min(rate, declared(inventory.regions[name].capacity) or rate)
        by_link[joined[name].between] = min(rate, by_link[joined[name].between] + able)
    carried = sum(by_link.values())
    if carried < demand:
        widest = max(rates, key=lambda name: (rates[name], name))
        entry = joined[widest]
        message = (
            f"without {data.region} the others can serve {carried:.6g} of {demand:.12g}: "
            f"{say_bandwidth(entry.bandwidth)} to {widest} is the data of {rates[widest]:.6g} requests a second"
        )
        hint = "the rest would be too much for the links: widen them, or move the data"
        yield draft.document.diagnose(
            Code.LINKS_NARROW, ("data_in", "per_request"), message, hint, severity=Severity.WARNING
        )


def _followed(draft: Draft, inventory: InventoryFile, providers: Mapping[str, ProviderEntry]) -> Iterator[Diagnostic]:
    yield from _unsayable(draft, providers)
    missing, hint = _missing(draft, inventory, draft.tier())
    if missing:
        message = f"what a request costs cannot be reckoned: {missing}"
        yield draft.document.diagnose(Code.COST_UNKNOWN, ("cost",), message, hint, key=True)
        return
    first = draft.tier()
    unbound = [name for name in first if inventory.regions[name].capacity is None]
    if unbound:
        message = f"{_some(unbound)} has no capacity, so the cheapest would get everything"
        hint = "state its capacity in the inventory, in requests per second"
        yield draft.document.diagnose(Code.COST_UNBOUND, ("cost", "prefer"), message, hint)
    elif len(first) < 2:  # noqa: PLR2004 - two are a choice
        message = f"{_some(first)} alone serves on a normal day, so there is nothing to choose"
        hint = "give another region a share, or leave cost out"
        yield draft.document.diagnose(Code.COST_IDLE, ("cost",), message, hint, key=True, severity=Severity.WARNING)


def _unsayable(draft: Draft, providers: Mapping[str, ProviderEntry]) -> Iterator[Diagnostic]:
    """Where shares are not said, none can follow a price."""
    why = ""
    if draft.policy.steering is not Steering.WEIGHTED:
        why = "steering: failover has no shares"
    elif draft.policy.weights is not Weights.NATIVE:
        why = "weights: membership says only who is in the answer"
    for record in draft.policy.records:
        for name in record.providers:
            if not why and name in providers and record.type in providers[name].capabilities.single:
                why = f"{name} holds one value at a time of {record.name} {record.type}"
    if why:
        hint = "leave cost out, or steer by weights that the provider knows"
        yield draft.document.diagnose(
            Code.COST_UNSAYABLE, ("cost", "prefer"), f"no share can follow a price: {why}", hint
        )


def _forecast(draft: Draft, inventory: InventoryFile) -> Iterator[Diagnostic]:
    missing, hint = _missing(draft, inventory, list(draft.policy.regions))
    if missing:
        message = f"what the traffic costs is not forecast: {missing}"
        yield draft.document.diagnose(
            Code.NO_FORECAST, ("traffic",), message, hint, key=True, severity=Severity.WARNING
        )


def _missing(draft: Draft, inventory: InventoryFile, names: list[str]) -> tuple[str, str]:
    """What nobody says, and what to do about it; "" if all is said."""
    traffic, data = draft.policy.traffic, draft.policy.data_in
    if draft.policy.demand is None:
        return "the policy states no demand", "state it in requests per second, such as demand: 800"
    if traffic is None and data is None:
        return "nothing says what one request is", "add traffic: {response: 50kB}, or tokens of one request"
    regions = {name: inventory.regions[name] for name in names}
    response, tokens = (traffic.response, traffic.tokens) if traffic is not None else (None, None)
    free = [name for name, region in regions.items() if response and region.egress_cost_per_gb is None]
    if free:
        return f"{_some(free)} has no egress_cost_per_gb", "state it in the inventory, in USD; 0 where it is free"
    free = [name for name, region in regions.items() if tokens and region.price_per_million_tokens is None]
    if free:
        return (
            f"{_some(free)} has no price_per_million_tokens",
            "state it in the inventory, in USD; 0 where it is free",
        )
    if data is not None and (home := inventory.regions.get(data.region)) is not None:
        apart = [name for name in names if name != data.region and _entry(data, name, inventory) is None]
        if apart and home.egress_cost_per_gb is None:
            message = f"neither a link to {_some(apart)} nor the egress_cost_per_gb of {data.region} is known"
            return message, "state one of them in the inventory"
    return "", ""


def _some(names: list[str]) -> str:
    return few(names, 3)
