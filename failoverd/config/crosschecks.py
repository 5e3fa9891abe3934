"""Whether the parts of a policy fit each other, the inventory, and what its providers can say.

Each check is a small generator of diagnostics; `crosscheck` runs them all, so that everything is said at once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from failoverd.config.costs import costs
from failoverd.config.diagnostics import Code, Diagnostic, Severity, shown, suggestion
from failoverd.config.drafts import Draft, ProviderEntry
from failoverd.config.eligibility import eligibility
from failoverd.config.filters import filters
from failoverd.config.gauges import unmeasurable
from failoverd.config.numbers import numbers
from failoverd.config.schema.inventory_file import InventoryFile
from failoverd.config.schema.policy_file import RecordEntry
from failoverd.config.tree import Place
from failoverd.config.values import say_duration
from failoverd.core.names import is_wildcard
from failoverd.core.records import Dependency, RecordType, Steering, Weights


def crosscheck(
    draft: Draft,
    inventory: InventoryFile,
    providers: Mapping[str, ProviderEntry],
    sentinels: Sequence[Dependency] = (),
    sources: Collection[str] | None = None,
) -> Iterator[Diagnostic]:
    """Everything that does not fit. Names that do not exist are `references`' business and passed over here."""
    yield from _endpoints(draft)
    yield from _sentinels(draft, sentinels)
    yield from _idle(draft)
    yield from _dependencies(draft)
    yield from _records(draft)
    for index, record in enumerate(draft.policy.records):
        for position, name in enumerate(record.providers):
            if name in providers:
                place = ("records", index, "providers", position)
                yield from _provider(draft, record, providers[name], place, index)
    yield from numbers(draft, inventory)
    yield from eligibility(draft, inventory, providers)
    yield from unmeasurable(draft.policy, draft.document, inventory, sources)
    yield from filters(draft, inventory, providers)
    yield from costs(draft, inventory, providers)


# -- endpoints ---------------------------------------------------------------------------------------------------------


def _endpoints(draft: Draft) -> Iterator[Diagnostic]:
    """Endpoints that a record cannot tell apart, so that an answer would belong to two of them."""
    types = {record.type for record in draft.policy.records}
    seen: dict[object, tuple[str, Place]] = {}
    for region, endpoints in draft.endpoints.items():
        for index, endpoint in enumerate(endpoints):
            place: Place = ("regions", region, "endpoints", index)
            answers = {(record_type, endpoint.answer(record_type)) for record_type in types}
            identities = {endpoint.text, *(pair for pair in answers if pair[1] is not None)}
            first = next((seen[identity] for identity in sorted(identities, key=str) if identity in seen), None)
            if first is not None:
                line = draft.document.mark(first[1]).line
                where = "" if first[0] == region else f" in {first[0]}"
                message = f"endpoint {shown(endpoint.text)} is the same answer as one{where} on line {line}"
                yield draft.document.diagnose(
                    Code.ENDPOINT_TWICE, place, message, "one endpoint, one region, one place"
                )
            seen |= {identity: (region, place) for identity in identities if identity not in seen}


def _sentinels(draft: Draft, sentinels: Sequence[Dependency]) -> Iterator[Diagnostic]:
    """What goes down with the service cannot witness that the service is what went down."""
    addresses = {sentinel.endpoint.address: sentinel.name for sentinel in sentinels}
    for region, endpoints in draft.endpoints.items():
        for index, endpoint in enumerate(endpoints):
            name = addresses.get(endpoint.address)
            if name is not None:
                message = f"endpoint {shown(endpoint.text)} is also sentinel {name}: its outage would look like our own"
                hint = "choose a sentinel that has nothing to do with the service"
                place = ("regions", region, "endpoints", index)
                yield draft.document.diagnose(Code.SENTINEL_STEERED, place, message, hint, severity=Severity.WARNING)


def _idle(draft: Draft) -> Iterator[Diagnostic]:
    types = sorted({record.type for record in draft.policy.records})
    for region in draft.policy.regions:
        if not any(draft.answers(region, record_type) for record_type in types):
            message = f"no endpoint of {region} can be the answer of a record of type {' or '.join(types)}"
            at = ("regions", region, "endpoints")
            yield draft.document.diagnose(Code.REGION_IDLE, at, message, _needs(types), key=True)
    for index, record in enumerate(draft.policy.records):
        if not draft.answering(record.type):
            message = f"no region has an endpoint that {record.name} {record.type} can answer with"
            written = ("records", index, "type")
            yield draft.document.diagnose(Code.RECORD_IDLE, written, message, _needs([record.type]))


def _needs(types: list[RecordType]) -> str:
    wants = {
        RecordType.A: "A needs IPv4 addresses",
        RecordType.AAAA: "AAAA needs IPv6 addresses",
        RecordType.CNAME: "CNAME needs host names",
        RecordType.SRV: "SRV needs host names with a port, such as api.example.net:8443",
    }
    return "; ".join(wants[record_type] for record_type in types)


# -- dependencies ------------------------------------------------------------------------------------------------------


def _dependencies(draft: Draft) -> Iterator[Diagnostic]:
    known = list(draft.policy.dependencies)
    needed: set[str] = set()
    for region, entry in draft.policy.regions.items():
        for index, name in enumerate(entry.depends_on):
            place: Place = ("regions", region, "depends_on", index)
            if name not in known:
                message = f"{region} depends on {shown(name)}, which is not among the dependencies"
                hint = suggestion(name, known) if known else "declare it under dependencies"
                yield draft.document.diagnose(Code.UNKNOWN_DEPENDENCY, place, message, hint)
            elif name in entry.depends_on[:index]:
                message = f"{region} depends on {shown(name)} twice"
                yield draft.document.diagnose(Code.NAME_CLASH, place, message, "write it once")
        needed.update(entry.depends_on)
    for name in known:
        yield from _dependency(draft, name, needed=name in needed)


def _dependency(draft: Draft, name: str, *, needed: bool) -> Iterator[Diagnostic]:
    """Its results and its events go by its name, which therefore stands for nothing else."""
    for kind, taken in (("check", draft.policy.checks), ("region", draft.policy.regions)):
        if name in taken:
            message = f"dependency {shown(name)} has the name of a {kind}"
            hint = "give it another name"
            yield draft.document.diagnose(Code.NAME_CLASH, ("dependencies", name), message, hint, key=True)
    if not needed:
        message = f"no region depends on {shown(name)}: it is probed, and explains nothing"
        hint = f"write depends_on: [{name}] in the regions that need it"
        place = ("dependencies", name)
        yield draft.document.diagnose(Code.IDLE_DEPENDENCY, place, message, hint, key=True, severity=Severity.WARNING)


# -- records -----------------------------------------------------------------------------------------------------------


def _records(draft: Draft) -> Iterator[Diagnostic]:
    by_name: dict[str, list[tuple[int, RecordType]]] = defaultdict(list)
    for index, record in enumerate(draft.policy.records):
        place = ("records", index)
        earlier = by_name[record.name]
        types = [record_type for _, record_type in earlier]
        if record.type in types:
            message = f"{record.name} {record.type} is written twice"
            yield draft.document.diagnose(Code.RECORD_CONFLICT, (*place, "name"), message)
        elif types and RecordType.CNAME in {record.type, *types}:
            message = f"{record.name} cannot have a CNAME and {record.type if record.type != 'CNAME' else types[0]}"
            hint = "a CNAME stands alone at its name (RFC 1034, 3.6.2)"
            yield draft.document.diagnose(Code.RECORD_CONFLICT, (*place, "type"), message, hint)
        if record.type is RecordType.CNAME:
            yield from _loops(draft, record)
        earlier.append((index, record.type))


def _loops(draft: Draft, record: RecordEntry) -> Iterator[Diagnostic]:
    for region, endpoints in draft.endpoints.items():
        for index, endpoint in enumerate(endpoints):
            if endpoint.answer(RecordType.CNAME) == record.name:
                place = ("regions", region, "endpoints", index)
                message = f"{record.name} would be a CNAME for itself"
                yield draft.document.diagnose(Code.CNAME_PLACE, place, message)


def _one_ttl(draft: Draft, record: RecordEntry, provider: ProviderEntry, index: int) -> Iterator[Diagnostic]:
    """Each type would write its own TTL over that of the other, again and again, until a limit ends it."""
    together = provider.capabilities.one_ttl
    for other in draft.policy.records[:index]:
        beside = other.name == record.name and provider.name in other.providers
        if beside and {record.type, other.type} <= together and other.ttl != record.ttl:
            message = f"{record.name} has one TTL for {other.type} and {record.type} at provider {provider.name}"
            hint = f"write ttl: {say_duration(other.ttl)}, as for {other.type}"
            yield draft.document.diagnose(Code.RECORD_CONFLICT, ("records", index, "ttl"), message, hint)


# -- providers ---------------------------------------------------------------------------------------------------------


def _provider(
    draft: Draft, record: RecordEntry, provider: ProviderEntry, place: Place, index: int
) -> Iterator[Diagnostic]:
    zone = provider.zone_of(record.name)
    if zone is None:
        message = f"{record.name} is in no zone of provider {provider.name}"
        hint = f"its zones: {', '.join(sorted(provider.settings.zones))}"
        yield draft.document.diagnose(Code.NO_ZONE, place, message, hint)
    elif zone == record.name and record.type is RecordType.CNAME:
        message = f"{record.name} is the top of its zone, where no CNAME can stand"
        hint = "the top of a zone has SOA and NS (RFC 1034, 3.6.2); use A and AAAA"
        yield draft.document.diagnose(Code.CNAME_PLACE, ("records", index, "type"), message, hint)
    capabilities = provider.capabilities
    if record.type not in capabilities.weights:
        message = f"provider {provider.name} ({provider.kind.name}) cannot manage {record.type} records"
        hint = f"it can: {', '.join(sorted(capabilities.weights))}"
        yield draft.document.diagnose(Code.TYPE_UNMANAGED, ("records", index, "type"), message, hint)
        return
    if record.ttl < capabilities.min_ttl:
        lowest = say_duration(capabilities.min_ttl)
        message = f"provider {provider.name} takes no TTL lower than {lowest}"
        yield draft.document.diagnose(Code.TTL_TOO_LOW, ("records", index, "ttl"), message, f"write ttl: {lowest}")
    if is_wildcard(record.name) and not capabilities.wildcards:
        message = f"provider {provider.name} ({provider.kind.name}) cannot manage {record.name}: it takes no wildcards"
        hint = "write the names out, or choose another provider for the record"
        yield draft.document.diagnose(Code.NO_WILDCARD, ("records", index, "name"), message, hint)
    yield from _one_ttl(draft, record, provider, index)
    yield from _too_many(draft, record, provider, place)
    yield from _aliases(draft, record, provider)
    if record.type in capabilities.single:
        yield from _single(draft, record, provider, index)
    elif capabilities.weights[record.type] is Weights.MEMBERSHIP:
        yield from _membership(draft, record, provider, place)


def _too_many(draft: Draft, record: RecordEntry, provider: ProviderEntry, place: Place) -> Iterator[Diagnostic]:
    """All regions may serve at once, and a set that the provider refuses would hold every failover."""
    most = provider.capabilities.max_answers
    answers = sum(len(draft.answers(region, record.type)) for region in draft.answering(record.type))
    if most is None or answers <= most:
        return
    message = (
        f"{record.name} {record.type} could have {answers} answers; {provider.name} ({provider.kind.name}) holds {most}"
    )
    hint = "publish load balancers instead of single servers, or split the record"
    yield draft.document.diagnose(Code.TOO_MANY_ANSWERS, place, message, hint)


def _aliases(draft: Draft, record: RecordEntry, provider: ProviderEntry) -> Iterator[Diagnostic]:
    """An alias has no address of its own that another DNS could answer with."""
    if provider.capabilities.aliases or record.type not in {RecordType.A, RecordType.AAAA}:
        return
    for region, endpoints in draft.endpoints.items():
        for index, endpoint in enumerate(endpoints):
            if endpoint.alias is not None:
                message = f"provider {provider.name} ({provider.kind.name}) cannot answer {record.type} with an alias"
                hint = "write the load balancer's addresses, or its name under a CNAME record"
                yield draft.document.diagnose(Code.NO_ALIASES, ("regions", region, "endpoints", index), message, hint)


def _single(draft: Draft, record: RecordEntry, provider: ProviderEntry, index: int) -> Iterator[Diagnostic]:
    """One answer at a time: who gives it must be beyond doubt in every status."""
    reason = f"{record.name} {record.type} at {provider.name} ({provider.kind.name}) holds one answer at a time"
    answering = draft.answering(record.type)
    if draft.policy.steering is not Steering.FAILOVER and len(answering) > 1:
        hint = "write steering: failover, and give each region a priority of its own"
        message = f"{reason}, so traffic cannot be split by weight"
        at: Place = ("steering",) if draft.document.knows(("steering",)) else ("records", index, "type")
        yield draft.document.diagnose(Code.SINGLE_ANSWER, at, message, hint)
    elif draft.policy.steering is Steering.FAILOVER:
        yield from _equal_priorities(draft, answering, reason)
    for region in answering:
        if len(draft.answers(region, record.type)) > 1:
            message = f"{reason}, and {region} has several"
            place = ("regions", region, "endpoints")
            yield draft.document.diagnose(Code.SINGLE_ANSWER, place, message, "give the region one endpoint for it")


def _equal_priorities(draft: Draft, answering: list[str], reason: str) -> Iterator[Diagnostic]:
    by_priority: dict[int, str] = {}
    for region in answering:
        priority = draft.policy.regions[region].priority
        other = by_priority.setdefault(priority, region)
        if other != region:
            message = f"{reason}, and {other} and {region} have the same priority {priority}"
            place = ("regions", region, "priority")
            hint = "give each region a priority of its own"
            yield draft.document.diagnose(Code.SINGLE_ANSWER, place, message, hint, key=True)


def _membership(draft: Draft, record: RecordEntry, provider: ProviderEntry, place: Place) -> Iterator[Diagnostic]:
    if draft.policy.weights is not Weights.NATIVE or len(draft.answering(record.type)) < 2:  # noqa: PLR2004 - a split
        return
    message = (
        f"provider {provider.name} ({provider.kind.name}) has no weights for {record.type}: "
        "an address is in the answer or not"
    )
    hint = "write weights: membership, which says that any share above zero means in the answer"
    at = ("weights",) if draft.document.knows(("weights",)) else place
    yield draft.document.diagnose(Code.NO_WEIGHTS, at, message, hint)
