"""A change batch: all of its changes or none, and the reasons why not all at once.

The rules are those of ChangeResourceRecordSets in the API reference and of the quotas page of the developer guide.
Changes take effect in their order, so that DELETE then CREATE replaces a set only if it is exactly what the client
says; what may stand beside what is judged on the outcome of the whole batch.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from clouds.route53_names import MalformedError, check_value, normal, within
from clouds.route53_records import Alias, Key, RecordSet
from clouds.route53_requests import Change
from clouds.route53_zones import Zone
from clouds.sigv4 import Refused

AWS_ZONES: Mapping[str, str] = {
    "Z35SXDOTRQ7X7K": "us-east-1.elb.amazonaws.com.",
    "Z26RNL4JYFTOTI": "elb.us-east-1.amazonaws.com.",
    "Z3DZXE0Q79N41H": "us-west-2.elb.amazonaws.com.",
    "Z2FDTNDATAQYW2": "cloudfront.net.",
}


@dataclass(frozen=True)
class Quotas:
    """What a request and a zone may hold; the defaults are the documented ones.

    `weighted_values` is how many values one weighted set may have: the description of Weight in the API reference says
    one, and names no other place where more were forbidden.
    """

    elements: int = 1_000
    characters: int = 32_000
    values: int = 400
    weighted: int = 100
    weighted_values: int = 1
    sets: int = 10_000


class InvalidBatchError(Refused):
    """Nothing was changed, for all of these reasons; the answer has them as one text, in brackets."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = list(dict.fromkeys(messages))
        super().__init__("InvalidChangeBatch", f"[{', '.join(self.messages)}]", 400)


def outcome(
    zone: Zone, changes: Sequence[Change], quotas: Quotas, aws_zones: Mapping[str, str] = AWS_ZONES
) -> dict[Key, RecordSet]:
    """The record sets of the zone after the batch; raises InvalidBatchError."""
    _refuse(_over(changes, quotas))
    changes = _normalised(changes)
    _refuse(_repeated(changes))
    records, messages = dict(zone.records), list[str]()
    for change in changes:
        problems = [*_place(zone, change.record), *_standing(records, change)]
        if change.action != "DELETE":
            problems += [*_content(change.record, quotas), *_target(zone, change.record, aws_zones)]
        messages += problems
        if not problems:
            _do(records, change)
    _refuse(messages)
    _refuse(_conflicts(zone, records, changes, quotas))
    return records


def _refuse(messages: Iterable[str]) -> None:
    if found := list(messages):
        raise InvalidBatchError(found)


def _over(changes: Sequence[Change], quotas: Quotas) -> Iterator[str]:
    """An alias counts as one element."""
    if sum(change.cost * max(1, len(change.record.values)) for change in changes) > quotas.elements:
        yield f"Number of records limit of {quotas.elements} exceeded."
    if sum(change.cost * len(value) for change in changes for value in change.record.values) > quotas.characters:
        yield f"RDATA character limit of {quotas.characters} exceeded."


def _normalised(changes: Sequence[Change]) -> list[Change]:
    """The changes with their names as Route 53 stores them."""
    done, messages = [], []
    for change in changes:
        record = change.record
        try:
            alias = record.alias and Alias(
                record.alias.zone_id, normal(record.alias.name), record.alias.evaluate_health
            )
            done.append(replace(change, record=replace(record, name=normal(record.name), alias=alias)))
        except MalformedError as error:
            messages.append(str(error))
    _refuse(messages)
    return done


def _repeated(changes: Sequence[Change]) -> Iterator[str]:
    """One set may be changed once in a batch, or deleted and then created."""
    actions: dict[Key, list[str]] = {}
    for change in changes:
        actions.setdefault(change.record.key, []).append(change.action)
    for change in changes:
        record = change.record
        if len(actions[record.key]) > 1 and actions[record.key] != ["DELETE", "CREATE"]:
            yield (
                "The request contains an invalid set of changes for a resource record set "
                f"'{record.rtype} {record.name}'"
            )


def _place(zone: Zone, record: RecordSet) -> Iterator[str]:
    if not within(record.name, zone.name):
        yield f"RRSet with DNS name {record.name} is not permitted in zone {zone.name}"
    comment = zone.protected.get((record.name, record.rtype))
    if comment is not None:
        yield f"The resource record set [name='{record.name}', type='{record.rtype}'] is protected: {comment}"


def _standing(records: Mapping[Key, RecordSet], change: Change) -> Iterator[str]:
    """CREATE wants nothing there, DELETE exactly this, UPSERT takes what comes."""
    record = change.record
    identifier = "" if record.identifier is None else f", set-identifier='{record.identifier}'"
    which = f"resource record set [name='{record.name}', type='{record.rtype}'{identifier}]"
    there = records.get(record.key)
    if change.action == "CREATE" and there is not None:
        yield f"Tried to create {which} but it already exists"
    if change.action == "DELETE" and there is None:
        yield f"Tried to delete {which} but it was not found"
    if change.action == "DELETE" and there is not None and not there.same(record):
        yield f"Tried to delete {which} but the values provided do not match the current values"


def _content(record: RecordSet, quotas: Quotas) -> Iterator[str]:
    for value, times in Counter(record.values).items():
        if times > 1:
            yield f"Duplicate Resource Record: '{value}'"
        try:
            check_value(record.rtype, value)
        except MalformedError as error:
            yield f"Invalid Resource Record: {error}"
    most = quotas.weighted_values if record.routing == "weighted" else quotas.values
    if record.rtype in {"CNAME", "SOA"}:
        most = 1
    if len(record.values) > most:
        yield f"Cannot have more than {most} records in a RRSet."
    if record.rtype in {"NS", "SOA"} and record.routing != "simple":
        yield f"RRSet with DNS name {record.name}, type {record.rtype} cannot have a SetIdentifier"


def _target(zone: Zone, record: RecordSet, aws_zones: Mapping[str, str]) -> Iterator[str]:
    """An alias points to a resource of AWS, in the zone of that resource; its own zone is judged on the outcome."""
    alias = record.alias
    if alias is None:
        return
    suffix = zone.name if alias.zone_id == zone.zone_id else aws_zones.get(alias.zone_id)
    if suffix is None or not within(alias.name, suffix):
        yield (
            f"Tried to create an alias that targets {alias.name}, type {record.rtype} in zone {alias.zone_id}, "
            "but the alias target name does not lie within the target zone"
        )
    if alias.zone_id in aws_zones and record.rtype not in {"A", "AAAA", "HTTPS", "SVCB"}:
        yield f"Alias of type {record.rtype} is not permitted to {alias.name}"


def _do(records: dict[Key, RecordSet], change: Change) -> None:
    if change.action == "DELETE":
        del records[change.record.key]
    else:
        records[change.record.key] = change.record


def _conflicts(
    zone: Zone, records: Mapping[Key, RecordSet], changes: Sequence[Change], quotas: Quotas
) -> Iterator[str]:
    """What may not stand beside what, looked at from every set that the batch wrote."""
    written = [change.record for change in changes if change.action != "DELETE"]
    by_name: dict[str, list[RecordSet]] = {}
    for record in records.values():
        by_name.setdefault(record.name, []).append(record)
    for record in written:
        yield from _beside_cname(zone, record, by_name[record.name])
        yield from _beside_routing(
            record, [each for each in by_name[record.name] if each.rtype == record.rtype], quotas
        )
        yield from _dangling(zone, record, by_name)
    if (zone.name, "NS") not in {(each.name, each.rtype) for each in records.values()}:
        yield "A HostedZone must contain at least one NS record for the zone itself."
    if (zone.name, "SOA") not in {(each.name, each.rtype) for each in records.values()}:
        yield "A HostedZone must contain exactly one SOA record."
    if len(records) > quotas.sets and len(records) > len(zone.records):
        yield f"Exceeded limit MAX_RRSETS_BY_ZONE for zone: {zone.zone_id}"


def _beside_cname(zone: Zone, record: RecordSet, at_name: Sequence[RecordSet]) -> Iterator[str]:
    others = [each for each in at_name if each.rtype != record.rtype]
    if record.rtype == "CNAME" and record.name == zone.name:
        yield f"RRSet of type CNAME with DNS name {record.name} is not permitted at apex in zone {zone.name}"
    elif record.rtype == "CNAME" and others:
        yield (
            f"RRSet of type CNAME with DNS name {record.name} is not permitted as it conflicts with other records "
            f"with the same DNS name in zone {zone.name}"
        )
    elif any(each.rtype == "CNAME" for each in others):
        yield (
            f"RRSet of type {record.rtype} with DNS name {record.name} is not permitted because a conflicting RRSet "
            f"of type  CNAME with the same DNS name already exists in zone {zone.name}"
        )


def _beside_routing(record: RecordSet, group: Sequence[RecordSet], quotas: Quotas) -> Iterator[str]:
    which = f"RRSet with DNS name {record.name}, type {record.rtype}"
    if record.routing == "simple":
        if len(group) > 1:
            yield f"{which} cannot be created as other RRSets exist with the same name and type."
        return
    which = f"{which}, SetIdentifier {record.identifier}"
    if any(each.routing != record.routing for each in group):
        yield f"{which} cannot be created as a non-{record.routing} set exists with the same name and type."
    if record.routing != "weighted":
        return
    if len({each.ttl for each in group if each.alias is None}) > 1:
        yield f"{which} cannot be created as weighted sets must contain the same TTL."
    if len(group) > quotas.weighted:
        yield f"{which} cannot be created as there are more than {quotas.weighted} weighted sets."


def _dangling(zone: Zone, record: RecordSet, by_name: Mapping[str, Sequence[RecordSet]]) -> Iterator[str]:
    alias = record.alias
    if alias is None or alias.zone_id != zone.zone_id:
        return
    if not any(each.rtype == record.rtype and each.key != record.key for each in by_name.get(alias.name, ())):
        yield (
            f"Tried to create an alias that targets {alias.name}, type {record.rtype} in zone {alias.zone_id}, "
            "but that target was not found"
        )
