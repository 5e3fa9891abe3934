"""Answers to resource record sets and back, in the form that the API returns them in.

Every answer with a weight of its own is a weighted record set, told apart by its SetIdentifier, which is the answer's
value. An alias answers with a load balancer; it has no TTL, for the answer has the target's own. SRV records carry
weights themselves (RFC 2782), so one simple record set holds them all.

What somebody made by hand is read as what it does: a simple record set answers with all of its values alike, and so
does a weighted one whose weights are all zero; each has a TTL of its own. Anything that Route 53 decides by itself
(latency, health and so on) is no share that failoverd could state, so it is foreign: reported, never written.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import lcm
from typing import Any, Final

import dns.exception
import dns.rdata
from dns.rdataclass import RdataClass

from failoverd.core.errors import Permanent
from failoverd.core.records import AliasTarget, Answer, RecordKey, RecordSet, RecordType
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.route53.names import absolute
from failoverd.providers.shared import sets

RawSet = Mapping[str, Any]
"""A ResourceRecordSet, member by member as the API returns it."""

MAX_WEIGHT: Final = 255
MAX_ANSWERS: Final = 100
"""Weighted record sets of one name and type (quotas of the developer guide)."""

ALIAS_TTL: Final = 60
"""Seconds. An alias has the TTL of its target, and that of a load balancer is 60 and cannot be changed."""

_MAX_IDENTIFIER = 128
_ALIASED = frozenset({RecordType.A, RecordType.AAAA})
_KNOWN = frozenset({"Name", "Type", "SetIdentifier", "Weight", "TTL", "ResourceRecords", "AliasTarget"})
_ROUTING = {
    "Region": "latency",
    "Failover": "failover",
    "GeoLocation": "geolocation",
    "GeoProximityLocation": "geoproximity",
    "MultiValueAnswer": "multivalue",
    "CidrRoutingConfig": "by client network",
    "HealthCheckId": "with a health check",
    "TrafficPolicyInstanceId": "of a traffic policy",
}


def normalise(desired: RecordSet) -> RecordSet:
    """The set as it will be read back. Raises Permanent when it is empty, too large, or cannot be said."""
    said = sets.weighted(desired, MAX_WEIGHT)
    sets.refuse_more_than(said, MAX_ANSWERS)
    if all(AliasTarget.parse(answer.value) for answer in said.answers):
        said = replace(said, ttl=ALIAS_TTL)
    encode(said)
    return said


def encode(records: RecordSet) -> tuple[RawSet, ...]:
    """The record sets that say this. Raises Permanent when it would be an empty answer, or cannot be said."""
    sets.serving(records)
    if records.key.type is RecordType.SRV:
        return (_simple(records),)
    return tuple(_weighted(records, answer) for answer in records.answers)


def decode(key: RecordKey, found: Sequence[RawSet]) -> RecordSet | None:
    """What these record sets of one name and type answer, or None when there are none. None of them is `foreign`."""
    if not found:
        return None
    ttls = [int(each["TTL"]) for each in found if "TTL" in each]
    ttl = ttls[0] if ttls else ALIAS_TTL
    if key.type is RecordType.SRV:
        return rdata.decode(key, ttl, (parsed for each in found for parsed in _parsed(each)))
    alike = all(each.get("Weight", 0) == 0 for each in found)
    weighted = [(_answers(key, each), MAX_WEIGHT if alike else int(each["Weight"])) for each in found]
    whole = lcm(*(len(answers) for answers, _ in weighted))
    weights: dict[str, int] = {}
    for answers, weight in weighted:  # of a record set, whose values share it
        for value in answers:
            weights[value] = weights.get(value, 0) + weight * whole // len(answers)
    return RecordSet.of(key, ttl, weights).with_ttls(ttls)


def foreign(record_type: RecordType, each: RawSet) -> str | None:
    """Why failoverd cannot answer for this record set, as `A (latency)`, or None when it can."""
    alias = each.get("AliasTarget")
    how = [_ROUTING.get(member, f"with {member}") for member in each if member not in _KNOWN]
    if alias is not None and record_type not in _ALIASED:
        how.append("an alias")
    if alias is not None and alias.get("EvaluateTargetHealth"):
        how.append("an alias that evaluates the health of its target")
    if record_type is RecordType.SRV and "Weight" in each:
        how.append("weighted")
    if not how and not _readable(each):
        how.append("unreadable")
    return f"{record_type} ({', '.join(how)})" if how else None


def cure(record_type: RecordType, own: Sequence[RawSet]) -> str:
    """What makes record sets of a type such as failoverd can state again: the least that has to be done."""
    found = [each for each in own if foreign(record_type, each) is not None]
    steps: list[str] = []
    if any("HealthCheckId" in each for each in found):
        steps.append(f"take the health check off {_named(each for each in found if 'HealthCheckId' in each)}")
    if any(_evaluates(each) for each in found):
        steps.append(f"set Evaluate Target Health to No at {_named(each for each in found if _evaluates(each))}")
    if any(not _curable(record_type, each) for each in found):
        steps.append(
            f"have {_named(each for each in found if not _curable(record_type, each))} answer by weight alone, "
            "or take the record out of the policy"
        )
    return "; ".join(steps)


def _evaluates(each: RawSet) -> bool:
    return bool((each.get("AliasTarget") or {}).get("EvaluateTargetHealth"))


def _curable(record_type: RecordType, each: RawSet) -> bool:
    """Whether without its health check, and with an alias that evaluates none, it would be one that can be stated."""
    plain = {member: value for member, value in each.items() if member != "HealthCheckId"}
    if _evaluates(each):
        plain["AliasTarget"] = {**each["AliasTarget"], "EvaluateTargetHealth": False}
    return foreign(record_type, plain) is None


def _named(found: Iterable[RawSet]) -> str:
    """Those record sets, by how a person finds them in the console."""
    names = sorted(str(each.get("SetIdentifier", "")) for each in found)
    return "the record set " + ", ".join(filter(None, names)) if any(names) else "the record set"


def marker(name: str, text: str) -> RawSet:
    """The record set of a marker. Raises Permanent when it is too long for one TXT string."""
    value = rdata.marker_rdata(text).to_text()
    return {"Name": absolute(name), "Type": "TXT", "TTL": rdata.MARKER_TTL, "ResourceRecords": [{"Value": value}]}


def marker_text(found: Sequence[RawSet]) -> tuple[str | None, bool]:
    """What stands at the marker's name, and whether it is one plain string in a simple record set, as a marker is."""
    written = [value for each in found for value in values(each)]
    if not found:
        return None, False
    simple = len(found) == 1 and set(found[0]) == {"Name", "Type", "TTL", "ResourceRecords"}
    if not simple or any("\\" in value for value in written):  # octal escapes, which are no presentation format
        return " ".join(written), False
    try:
        return rdata.marker_text(_parsed(found[0]))
    except dns.exception.DNSException:
        return " ".join(written), False


def values(each: RawSet) -> tuple[str, ...]:
    return tuple(record["Value"] for record in each.get("ResourceRecords", ()))


# -- one record set ----------------------------------------------------------------------------------------------------


def _simple(records: RecordSet) -> RawSet:
    return {
        "Name": absolute(records.key.name),
        "Type": records.key.type.value,
        "TTL": records.ttl,
        "ResourceRecords": [{"Value": parsed.to_text()} for parsed in rdata.encode(records)],
    }


def _weighted(records: RecordSet, answer: Answer) -> RawSet:
    if not 0 <= answer.weight <= MAX_WEIGHT:
        raise _unsayable(records.key, f"a weight of {answer.weight}, and Route 53 knows 0 to {MAX_WEIGHT}")
    common = {
        "Name": absolute(records.key.name),
        "Type": records.key.type.value,
        "SetIdentifier": _identifier(answer.value),
        "Weight": answer.weight,
    }
    alias = AliasTarget.parse(answer.value)
    if alias is None:
        (parsed,) = rdata.encode(replace(records, answers=(answer,)))
        return {**common, "TTL": records.ttl, "ResourceRecords": [{"Value": parsed.to_text()}]}
    if records.key.type not in _ALIASED:
        raise _unsayable(records.key, f"the alias {answer.value}, and only A and AAAA records may be one")
    target = {"HostedZoneId": alias.hosted_zone, "DNSName": absolute(alias.host), "EvaluateTargetHealth": False}
    return {**common, "AliasTarget": target}


def _identifier(value: str) -> str:
    """The value, or as much of it as a SetIdentifier holds, and what makes it unique."""
    if len(value) <= _MAX_IDENTIFIER:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:32]
    return f"{value[: _MAX_IDENTIFIER - len(digest) - 1]}~{digest}"


def _answers(key: RecordKey, each: RawSet) -> tuple[str, ...]:
    alias = each.get("AliasTarget")
    if alias is not None:
        return (str(AliasTarget(alias["HostedZoneId"], alias["DNSName"].removesuffix(".").lower())),)
    return tuple(answer.value for answer in rdata.decode(key, 0, _parsed(each)).answers)


def _readable(each: RawSet) -> bool:
    try:
        return bool(_parsed(each)) != ("AliasTarget" in each)
    except dns.exception.DNSException:
        return False


def _parsed(each: RawSet) -> list[dns.rdata.Rdata]:
    return [dns.rdata.from_text(RdataClass.IN, each["Type"], value) for value in values(each)]


def _unsayable(key: RecordKey, what: str) -> Permanent:
    return Permanent(
        f"{key} would hold {what}",
        reason="unsayable",
        remedy="correct the endpoints in the policy",
    )
