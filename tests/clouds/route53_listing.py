"""The three listings of Route 53 and how they are paged: where a page starts, how long it is, where the next starts."""

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from clouds.route53_names import MalformedError, normal, order
from clouds.route53_records import TYPES, InvalidInputError, to_xml
from clouds.route53_zones import Zone
from clouds.sigv4 import Refused

MOST_RECORDS = 300
MOST_ZONES = 100


def records(zone: Zone, query: Mapping[str, str]) -> ET.Element:
    """ListResourceRecordSets: from the first set that is not before name, type and identifier."""
    start = _start(query)
    size = _size(query, MOST_RECORDS)
    rest = [record for record in zone.sorted() if record.key >= start]
    root = ET.Element("ListResourceRecordSetsResponse")
    page = ET.SubElement(root, "ResourceRecordSets")
    page.extend(to_xml(record) for record in rest[:size])
    _truncated(root, len(rest) > size)
    if len(rest) > size:
        following = rest[size]
        ET.SubElement(root, "NextRecordName").text = following.name
        ET.SubElement(root, "NextRecordType").text = following.rtype
        if following.identifier is not None:
            ET.SubElement(root, "NextRecordIdentifier").text = following.identifier
    ET.SubElement(root, "MaxItems").text = str(size)
    return root


def _start(query: Mapping[str, str]) -> tuple[str, ...]:
    name, rtype, identifier = (query.get(each) for each in ("name", "type", "identifier"))
    if name is None and rtype is not None:
        raise InvalidInputError("Invalid request: the name is missing, a type alone says not where to start")
    if rtype is None and identifier is not None:
        raise InvalidInputError("Invalid request: the type is missing, an identifier alone says not where to start")
    if rtype is not None and rtype not in TYPES:
        raise InvalidInputError(f"Invalid request: '{rtype}' is no record type")
    try:
        return () if name is None else (order(normal(name)), rtype or "", identifier or "")
    except MalformedError as error:
        raise InvalidInputError(str(error)) from error


def zones(found: Sequence[Zone], query: Mapping[str, str]) -> ET.Element:
    """ListHostedZones: the marker is the id of the zone to begin with."""
    marker, size = query.get("marker"), _size(query, MOST_ZONES)
    if marker and all(zone.zone_id != marker for zone in found):
        raise InvalidInputError(f"Invalid request: no hosted zone {marker} to begin with")
    rest = [zone for zone in found if zone.zone_id >= (marker or "")]
    root = ET.Element("ListHostedZonesResponse")
    ET.SubElement(root, "HostedZones").extend(_zone(each) for each in rest[:size])
    if marker:
        ET.SubElement(root, "Marker").text = marker
    _truncated(root, len(rest) > size)
    if len(rest) > size:
        ET.SubElement(root, "NextMarker").text = rest[size].zone_id
    ET.SubElement(root, "MaxItems").text = str(size)
    return root


def zones_by_name(found: Sequence[Zone], query: Mapping[str, str]) -> ET.Element:
    """ListHostedZonesByName: from the first zone that is not before the name and, of that name, not before the id."""
    name, zone_id, size = query.get("dnsname"), query.get("hostedzoneid"), _size(query, MOST_ZONES)
    if name is None and zone_id is not None:
        raise InvalidInputError("Invalid request: hostedzoneid goes with dnsname only")
    try:
        start = ("",) if name is None else (order(normal(name)), zone_id or "")
    except MalformedError as error:
        raise Refused("InvalidDomainName", str(error), 400) from error
    rest = [zone for zone in found if (order(zone.name), zone.zone_id) >= start]
    root = ET.Element("ListHostedZonesByNameResponse")
    ET.SubElement(root, "HostedZones").extend(_zone(each) for each in rest[:size])
    for tag, said in (("DNSName", name), ("HostedZoneId", zone_id)):
        if said is not None:
            ET.SubElement(root, tag).text = said
    _truncated(root, len(rest) > size)
    if len(rest) > size:
        ET.SubElement(root, "NextDNSName").text = rest[size].name
        ET.SubElement(root, "NextHostedZoneId").text = rest[size].zone_id
    ET.SubElement(root, "MaxItems").text = str(size)
    return root


def zone(found: Zone) -> ET.Element:
    """GetHostedZone: the zone and its name servers."""
    root = ET.Element("GetHostedZoneResponse")
    root.append(_zone(found))
    servers = ET.SubElement(ET.SubElement(root, "DelegationSet"), "NameServers")
    for record in found.sorted():
        if (record.name, record.rtype) == (found.name, "NS"):
            for server in record.values:
                ET.SubElement(servers, "NameServer").text = server.removesuffix(".")
    return root


def _zone(found: Zone) -> ET.Element:
    root = ET.Element("HostedZone")
    ET.SubElement(root, "Id").text = f"/hostedzone/{found.zone_id}"
    ET.SubElement(root, "Name").text = found.name
    ET.SubElement(root, "CallerReference").text = f"made for {found.zone_id}"
    ET.SubElement(ET.SubElement(root, "Config"), "PrivateZone").text = str(found.private).lower()
    ET.SubElement(root, "ResourceRecordSetCount").text = str(len(found.records))
    return root


def _size(query: Mapping[str, str], most: int) -> int:
    """More than the most is not refused: the page is as long as it may be."""
    text = query.get("maxitems", str(most))
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInputError(f"Invalid request: maxitems is '{text}', and has to be a number from 1 to {most}")
    return min(int(text), most)


def _truncated(root: ET.Element, more: bool) -> None:
    ET.SubElement(root, "IsTruncated").text = str(more).lower()
