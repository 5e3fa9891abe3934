"""Resource record sets: as plain data, in the XML of the API, and in words a person would write into a zone file."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

from clouds.route53_names import normal, order
from clouds.sigv4 import Refused

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
TYPES = frozenset(
    "SOA A TXT NS CNAME MX NAPTR PTR SRV SPF AAAA CAA DS TLSA SSHFP SVCB HTTPS".split()  # noqa: SIM905 - as one reads it
)
Key = tuple[str, str, str]  # the reversed name, the type, the set identifier or nothing
MAX_TTL = 2_147_483_647
MAX_WEIGHT = 255


class InvalidInputError(Refused):
    """The request does not say something that the API could understand."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidInput", message, 400)


@dataclass(frozen=True)
class Alias:
    """Where an alias points: the hosted zone of the target, its name, and whether its health counts."""

    zone_id: str
    name: str
    evaluate_health: bool = False


@dataclass(frozen=True)
class RecordSet:
    """One resource record set. `ttl` in seconds; an alias has neither TTL nor values."""

    name: str
    rtype: str
    ttl: int | None = None
    values: tuple[str, ...] = ()
    identifier: str | None = None
    weight: int | None = None
    region: str | None = None
    failover: str | None = None
    multivalue: bool | None = None
    alias: Alias | None = None
    health_check: str | None = None

    @property
    def key(self) -> Key:
        """What makes it this record set and no other, in the order of the listing."""
        return order(self.name), self.rtype, self.identifier or ""

    @property
    def routing(self) -> str:
        """The routing policy: only sets of the same one may share a name and type."""
        kinds = {
            "weighted": self.weight,
            "latency": self.region,
            "failover": self.failover,
            "multivalue": self.multivalue,
        }
        return next((kind for kind, value in kinds.items() if value is not None), "simple")

    def same(self, other: "RecordSet") -> bool:
        """Whether everything agrees; the order of the values says nothing."""
        return replace(self, values=tuple(sorted(self.values))) == replace(other, values=tuple(sorted(other.values)))

    def __str__(self) -> str:
        """Its line: `api.example.test. 30 A 192.0.2.1, 192.0.2.2 weight=70 id=azure`."""
        if self.alias is not None:
            what = f"ALIAS {self.rtype} {self.alias.zone_id} {self.alias.name}"
        else:
            what = f"{self.ttl} {self.rtype} {', '.join(self.values)}"
        said = {
            "weight": self.weight,
            "region": self.region,
            "failover": self.failover,
            "multivalue": "yes" if self.multivalue else None,
            "evaluate": "yes" if self.alias is not None and self.alias.evaluate_health else None,
            "health": self.health_check,
            "id": self.identifier,
        }
        return " ".join([self.name, what, *(f"{name}={value}" for name, value in said.items() if value is not None)])


_OPTION = re.compile(r'\s+(weight|region|failover|multivalue|evaluate|health|id)=([^\s"]+)$')  # in quotes it is text


def options(words: str) -> tuple[str, dict[str, str]]:
    """The line without the `name=value` words at its end, and these."""
    found: dict[str, str] = {}
    while match := _OPTION.search(words):
        found[match[1]] = match[2]
        words = words[: match.start()]
    return words, found


def from_words(line: str) -> RecordSet:
    """The record set that `str()` wrote, or a person did: see `RecordSet.__str__`. Values are separated by commas."""
    line, said = options(line.strip())
    name, ttl, rtype, rest = line.split(None, 3)
    if rtype not in TYPES:
        raise ValueError(f"no record type in {line!r}: NAME TTL TYPE VALUES, or NAME ALIAS TYPE ZONE-ID TARGET")
    record = RecordSet(
        normal(name),
        rtype,
        identifier=said.get("id"),
        weight=int(said["weight"]) if "weight" in said else None,
        region=said.get("region"),
        failover=said.get("failover"),
        multivalue=True if "multivalue" in said else None,
        health_check=said.get("health"),
    )
    if ttl == "ALIAS":
        zone_id, target = rest.split()
        return replace(record, alias=Alias(zone_id, normal(target), said.get("evaluate") == "yes"))
    values = (rest,) if rtype in {"TXT", "SPF"} else tuple(value.strip() for value in rest.split(","))
    return replace(record, ttl=int(ttl), values=values)


def from_xml(element: ET.Element) -> RecordSet:
    """The record set of a request, its name as the client wrote it; raises InvalidInputError."""
    fields = {child.tag: child for child in element}
    for tag in fields:
        if tag not in _ELEMENTS:
            raise InvalidInputError(
                f"Invalid XML ; cvc-complex-type.2.4.a: Invalid content was found: element '{tag}'."
            )
    name, rtype = _text(fields, "Name"), _text(fields, "Type")
    if not name or rtype not in TYPES:
        raise InvalidInputError(
            f"Invalid XML ; cvc-enumeration-valid: Value '{rtype}' is not facet-valid: type of '{name}'."
        )
    return RecordSet(
        name,
        rtype,
        ttl=_number(fields, "TTL", MAX_TTL),
        values=_values(fields.get("ResourceRecords")),
        identifier=_text(fields, "SetIdentifier"),
        weight=_number(fields, "Weight", MAX_WEIGHT),
        region=_text(fields, "Region"),
        failover=_text(fields, "Failover"),
        multivalue=_flag(fields, "MultiValueAnswer"),
        alias=_alias(fields.get("AliasTarget")),
        health_check=_text(fields, "HealthCheckId"),
    )


def to_xml(record: RecordSet) -> ET.Element:
    """The record set as a listing shows it, its elements in the order of the documented syntax."""
    root = ET.Element("ResourceRecordSet")
    for tag, read in _ELEMENTS.items():
        value = read(record)
        if value is not None:
            ET.SubElement(root, tag).text = str(value).lower() if isinstance(value, bool) else str(value)
        if tag == "ResourceRecords" and record.values:
            records = ET.SubElement(root, tag)
            for each in record.values:
                ET.SubElement(ET.SubElement(records, "ResourceRecord"), "Value").text = each
        if tag == "AliasTarget" and record.alias is not None:
            target = ET.SubElement(root, tag)
            ET.SubElement(target, "HostedZoneId").text = record.alias.zone_id
            ET.SubElement(target, "DNSName").text = record.alias.name
            ET.SubElement(target, "EvaluateTargetHealth").text = str(record.alias.evaluate_health).lower()
    return root


_ELEMENTS: dict[str, Callable[[RecordSet], str | int | None]] = {
    "Name": lambda record: record.name,
    "Type": lambda record: record.rtype,
    "SetIdentifier": lambda record: record.identifier,
    "Weight": lambda record: record.weight,
    "Region": lambda record: record.region,
    "Failover": lambda record: record.failover,
    "MultiValueAnswer": lambda record: record.multivalue,
    "TTL": lambda record: record.ttl,
    "ResourceRecords": lambda _: None,  # has elements of its own, as has the next
    "AliasTarget": lambda _: None,
    "HealthCheckId": lambda record: record.health_check,
}


def _text(fields: dict[str, ET.Element], tag: str) -> str | None:
    return (fields[tag].text or "") if tag in fields else None


def _number(fields: dict[str, ET.Element], tag: str, most: int) -> int | None:
    text = _text(fields, tag)
    if text is None:
        return None
    if not re.fullmatch(r"-?\d+", text):
        raise InvalidInputError(f"Invalid XML ; cvc-datatype-valid.1.2.1: '{text}' is not a valid value for 'integer'.")
    if not 0 <= int(text) <= most:
        raise InvalidInputError(
            f"Invalid XML ; cvc-maxInclusive-valid: Value '{text}' of {tag} is not within 0 and {most}."
        )
    return int(text)


def _flag(fields: dict[str, ET.Element], tag: str) -> bool | None:
    text = _text(fields, tag)
    if text not in {None, "true", "false"}:
        raise InvalidInputError(f"Invalid XML ; cvc-datatype-valid.1.2.1: '{text}' is not a valid value for 'boolean'.")
    return None if text is None else text == "true"


def _values(element: ET.Element | None) -> tuple[str, ...]:
    if element is None:
        return ()
    values = tuple(each.text or "" for each in element.iterfind("ResourceRecord/Value"))
    if not values:
        raise InvalidInputError(
            "Invalid XML ; cvc-complex-type.2.4.b: The content of element 'ResourceRecords' is not complete."
        )
    if longest := next((value for value in values if len(value) > 4000), None):
        raise InvalidInputError(
            f"Invalid XML ; cvc-maxLength-valid: Value with length {len(longest)} exceeds maxLength '4000'."
        )
    return values


def _alias(element: ET.Element | None) -> Alias | None:
    if element is None:
        return None
    fields = {child.tag: child for child in element}
    for tag in ("HostedZoneId", "DNSName", "EvaluateTargetHealth"):
        if tag not in fields:
            raise InvalidInputError(
                "Invalid XML ; cvc-complex-type.2.4.b: The content of element 'AliasTarget' is not complete. "
                f"One of '{{\"{NAMESPACE}\":{tag}}}' is expected."
            )
    target = _text(fields, "DNSName") or ""
    health = bool(_flag(fields, "EvaluateTargetHealth"))
    return Alias(_text(fields, "HostedZoneId") or "", target, health)
