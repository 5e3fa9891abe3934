"""What a ChangeResourceRecordSets request says, or why it says nothing that could be understood."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from clouds.route53_records import NAMESPACE, InvalidInputError, RecordSet, from_xml
from clouds.sigv4 import Refused

ACTIONS = ("CREATE", "DELETE", "UPSERT")
_POLICIES = "Weight, Region, Failover, GeoLocation, MultiValueAnswer"


class MalformedInputError(Refused):
    """The body is no such document."""

    def __init__(self, message: str) -> None:
        super().__init__("MalformedInput", message, 400)


@dataclass(frozen=True)
class Change:
    action: str
    record: RecordSet

    @property
    def cost(self) -> int:
        """How often its elements and characters count: an UPSERT may delete, too."""
        return 2 if self.action == "UPSERT" else 1

    def __str__(self) -> str:
        record = self.record
        identifier = record.identifier if record.identifier is not None else "null"
        return (
            f"Change with [Action={self.action}, Name={record.name}, Type={record.rtype}, SetIdentifier={identifier}]"
        )


def parse(body: bytes) -> tuple[str | None, list[Change]]:
    """The comment and the changes; raises MalformedInputError or InvalidInputError."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - a test's own client wrote it
    except ET.ParseError as error:
        raise MalformedInputError(f"Unable to parse the body: {error}") from error
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{NAMESPACE}}}")  # any other namespace stays in the tag, unknown
    if root.tag != "ChangeResourceRecordSetsRequest":
        raise MalformedInputError("ChangeBatch is not valid, expected ChangeResourceRecordSetsRequest")
    batch = root.find("ChangeBatch")
    if batch is None or batch.find("Changes/Change") is None:
        raise InvalidInputError(
            "Invalid XML ; cvc-complex-type.2.4.b: The content of element 'Changes' is not complete. "
            f"One of '{{\"{NAMESPACE}\":Change}}' is expected."
        )
    changes = [_change(element) for element in batch.iterfind("Changes/Change")]
    if problems := [problem for change in changes for problem in _problems(change)]:
        raise InvalidInputError("Invalid request: " + ", ".join(problems))
    return batch.findtext("Comment"), changes


def _change(element: ET.Element) -> Change:
    action, record = element.findtext("Action"), element.find("ResourceRecordSet")
    if action not in ACTIONS or record is None:
        raise InvalidInputError(
            f"Invalid XML ; cvc-enumeration-valid: Value '{action}' is not facet-valid with respect to enumeration "
            "'[CREATE, DELETE, UPSERT]'."
        )
    return Change(action, from_xml(record))


def _problems(change: Change) -> list[str]:
    record = change.record
    found = []
    plain, alias = record.ttl is not None or bool(record.values), record.alias is not None
    if plain == alias or (plain and (record.ttl is None or not record.values)):
        how_many = "more than one" if plain and alias else "none"
        found.append(
            "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], "
            f"but found {how_many} in {change}"
        )
    policies = sum(value is not None for value in (record.weight, record.region, record.failover, record.multivalue))
    if policies and record.identifier is None:
        found.append(f"Missing field 'SetIdentifier' in {change}")
    if (record.identifier is not None and not policies) or policies > 1:
        how_many = "more than one" if policies else "none"
        found.append(f"Expected exactly one of [{_POLICIES}], but found {how_many} in {change}")
    if record.identifier is not None and not 1 <= len(record.identifier) <= 128:
        found.append(f"SetIdentifier has to have 1 to 128 characters in {change}")
    return found
