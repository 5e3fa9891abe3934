"""`failoverctl import`: from a record that exists to a policy file that would leave it exactly as it is."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.config.documents import parse
from failoverd.config.drafts import ProviderEntry, draft_of
from failoverd.config.loader import load_inventory
from failoverd.config.values import say_duration
from failoverd.config.writing import flow
from failoverd.core.errors import ConfigError
from failoverd.core.names import quoted
from failoverd.core.records import (
    WHOLE,
    AliasTarget,
    Answer,
    Observed,
    RecordKey,
    RecordSet,
    RecordType,
    Target,
    Weights,
)
from failoverd.installed import kinds
from failoverd.operations.session import Session
from failoverd.operations.slips import unknown
from failoverd.operations.waiting import Stage, Waiting

_SRV: Final = re.compile(r"[^\s:]+:\d+")


@dataclass(frozen=True, slots=True)
class Imported:
    """A policy file for a record that stands somewhere.

    `unlisted` are regions of it that the inventory does not have yet; `owner` is who marked the name, "" when nobody
    did: then it is adopted before failoverd writes it.
    """

    policy: str
    observed: Observed
    text: str
    unlisted: tuple[str, ...]

    @property
    def owner(self) -> str:
        return self.observed.marker.owner if self.observed.marker is not None else ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to import, and how to call it.

    Attributes:
        provider: the provider's name in the configuration.
        zone: one of its zones.
        name: the record's name.
        record_type: which record of the name; None when there is only one.
        policy: the new policy's name; "" to make it from the record's.
        regions: answer value to region name; other values get a region of their own.
        port: where the new policy knocks to see whether an endpoint lives.
    """

    provider: str
    zone: str
    name: str
    record_type: RecordType | None
    policy: str
    regions: Mapping[str, str]
    port: int


async def import_record(session: Session, wanted: Wanted) -> Imported:
    """Read what stands at a name and say it as a policy. Nothing is written.

    Raises:
        ConfigError: there is no such provider, zone or record, or a policy cannot say what stands there.
    """
    entry = _entry(session, wanted)
    policy = wanted.policy or policy_name(wanted.name)
    observed, records = await _read(session, entry, policy, wanted)
    placed = _placed(records, wanted.regions)
    text = "\n".join(_lines(policy, entry, observed, records, placed, wanted.port)) + "\n"
    _prove(text, policy)
    inventory, _ = load_inventory(session.config.inventory)
    listed = set(inventory.file.regions) if inventory is not None else set()
    return Imported(policy, observed, text, tuple(region for region in placed if region not in listed))


# -- what stands there -------------------------------------------------------------------------------------------------


def _entry(session: Session, wanted: Wanted) -> ProviderEntry:
    known, provider, zone, name = session.config.providers, wanted.provider, wanted.zone, wanted.name
    if provider not in known:
        raise unknown("provider", provider, known, "provider_unknown", "name one of the daemon's configuration")
    entry = known[provider]
    if zone not in entry.settings.zones or entry.zone_of(name) != zone:
        zones = ", ".join(entry.settings.zones)
        raise ConfigError(
            f"{name} does not belong to zone {zone} of provider {provider}, whose zones are: {zones}",
            reason="zone_unknown",
            remedy="name the zone that is closest to the record, or add it to the provider's `zones`",
        )
    return entry


async def _read(session: Session, entry: ProviderEntry, policy: str, wanted: Wanted) -> tuple[Observed, RecordSet]:
    """The record of this type, or the only one of the name."""
    name, zone = wanted.name, wanted.zone
    types = [wanted.record_type] if wanted.record_type is not None else list(entry.capabilities.weights)
    provider = session.providers[entry.name]
    session.waits(Waiting(Stage.READING, 0, len(types)))
    looks = [await provider.read(Target(policy, RecordKey(name, each), entry.name, zone)) for each in types]
    found = [(look, look.records) for look in looks if look.records is not None and look.records.answers]
    if len(found) > 1:
        words = ", ".join(look.target.key.type for look, _ in found)
        raise ConfigError(f"{name} has {words}", reason="type_open", remedy="say which one with --type")
    if found:
        return found[0]
    foreign = sorted({kind for look in looks for kind in look.foreign})
    beside = f"; what stands there is no record that failoverd manages: {', '.join(foreign)}" if foreign else ""
    raise ConfigError(
        f"{name} has no {' or '.join(types)} record in zone {zone} at {entry.name}{beside}",
        reason="record_unknown",
        remedy="look at the name and the zone; a record that does not exist is created by its policy",
    )


def policy_name(name: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", name.replace(".", "-")).strip("-")[:63].strip("-")


def _placed(records: RecordSet, regions: Mapping[str, str]) -> dict[str, list[Answer]]:
    """The answers by region, in the order in which they are answered.

    Raises:
        ConfigError: a region would need more than one weight, or a value was named that is not answered.
    """
    values = [answer.value for answer in records.answers]
    unknown = sorted(set(regions) - set(values))
    if unknown:
        raise ConfigError(
            f"{records.key} does not answer with {', '.join(unknown)}; it answers with {', '.join(values)}",
            reason="answer_unknown",
        )
    placed: dict[str, list[Answer]] = {}
    for number, answer in enumerate(records.answers, start=1):
        placed.setdefault(regions.get(answer.value, f"region-{number}"), []).append(answer)
    for region, answers in placed.items():
        if len({answer.weight for answer in answers}) > 1:
            words = ", ".join(f"{answer.value} (weight {answer.weight})" for answer in answers)
            raise ConfigError(
                f"{region} would hold {words}; the endpoints of a region share its traffic evenly",
                reason="region_uneven",
                remedy="give endpoints of different weight regions of their own",
            )
    return placed


# -- the file ----------------------------------------------------------------------------------------------------------


def _lines(
    policy: str,
    entry: ProviderEntry,
    observed: Observed,
    records: RecordSet,
    placed: Mapping[str, Sequence[Answer]],
    port: int,
) -> Iterator[str]:
    key = records.key
    yield "# yaml-language-server: $schema=policy.schema.json"
    yield f"# What stands at {key}, as {entry.name} said it. As long as every region is well, it stays exactly so."
    if observed.marker is None:
        yield f"# Nothing is written before: failoverctl adopt {policy} {quoted(key.name)}"
    yield "version: 1"
    yield f"policy: {policy}"
    yield "records:"
    ttl = say_duration(records.ttl)
    yield f"  - {{name: {flow(key.name)}, type: {key.type}, ttl: {ttl}, providers: [{entry.name}]}}"
    yield "regions:"
    single = key.type in entry.capabilities.single
    yield from _regions(records, placed, ordered=single)
    yield "checks:"
    yield f"  live: {{tcp: {port}}}  # better: say how to see that the service answers, such as {{https: /health}}"
    if single:
        yield "steering: failover"
    elif entry.capabilities.weights[key.type] is Weights.MEMBERSHIP and len(placed) > 1:
        yield "weights: membership"


def _regions(records: RecordSet, placed: Mapping[str, Sequence[Answer]], *, ordered: bool) -> Iterator[str]:
    region_of = {answer.value: region for region, answers in placed.items() for answer in answers}
    shares = records.shares(region_of)
    even = len({sum(answer.weight for answer in answers) for answers in placed.values()}) == 1
    for number, (region, answers) in enumerate(placed.items(), start=1):
        share = shares.get(region, 0)
        words = [] if even or ordered else [f"share: {share * 100 / WHOLE:g}"]
        words += [f"priority: {number}"] if ordered else ["priority: 2"] if share == 0 else []
        endpoints = ", ".join(_endpoint(records.key, answer.value) for answer in answers)
        yield f"  {region}: {{{', '.join([*words, f'endpoints: [{endpoints}]'])}}}"


def _endpoint(key: RecordKey, value: str) -> str:
    if alias := AliasTarget.parse(value):
        return f"{{alias: {flow(alias.host)}, hosted_zone: {alias.hosted_zone}}}"
    if key.type is RecordType.SRV and not _SRV.fullmatch(value):
        raise ConfigError(
            f"{key} answers with {value!r}, which a policy cannot say",
            reason="unsayable",
            remedy="give every SRV record priority 0 and a weight above 0",
        )
    return flow(value)


def _prove(text: str, policy: str) -> None:
    """What is handed out is a policy file. Raises ConfigError when what stands there cannot be said in one."""
    parsed = parse(text.encode(), f"{policy}.yaml")
    problems = list(parsed.diagnostics)
    if parsed.document is not None:
        problems += draft_of(parsed.document, kinds().probes)[1]
    if problems:
        raise ConfigError(
            "what stands there does not fit into a policy: " + "; ".join(found.message for found in problems),
            reason="unsayable",
            remedy="correct that in DNS first, or write the policy by hand",
        )
