"""Amazon Route 53 on a loopback port: the actions about hosted zones and their record sets, with the real rules.

Written from the API reference (2013-04-01, REST with XML) and the developer guide; error texts are those that users of
the real service have reported. What it keeps: SigV4 with five minutes of skew, permissions for each action, five
requests a second for an account, one change at a time in a zone, atomic batches, DELETE only of exactly what is there,
quotas, PENDING until INSYNC, and paging in the order of reversed labels.

    cloud = Route53({"Z0EXAMPLE": "example.test"}, keys=[AccessKey("AKIAEXAMPLE", "secret")])
    with serving(cloud) as endpoint:
        client = boto3.client("route53", endpoint_url=endpoint.url, ...)

Left out: creating and deleting zones, health checks, geolocation and IP-based routing, traffic policies, and the check
that elements come in the documented order, which the real service does not make either.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from clouds import route53_listing as listing
from clouds.route53_answers import failure, success
from clouds.route53_batch import Quotas, outcome
from clouds.route53_names import order
from clouds.route53_records import InvalidInputError
from clouds.route53_requests import parse
from clouds.route53_zones import Zone, Zones
from clouds.serving import Bucket, Request, Response
from clouds.sigv4 import AccessKey, Refused, verify

ACCOUNT = "123456789012"
REQUESTS_PER_SECOND = 5.0  # the documented rate for the whole API of an account


@dataclass(frozen=True)
class Submitted:
    """A change that was accepted."""

    comment: str | None
    at: float


class ChangeLog:
    """What GetChange answers from. Copies share it: when the API lies, GetChange confirms the lie."""

    def __init__(self) -> None:
        self.accepted: dict[str, Submitted] = {}

    def __deepcopy__(self, _memo: object) -> "ChangeLog":
        return self

    def add(self, change: Submitted) -> str:
        change_id = f"C{len(self.accepted) + 1:020d}"
        self.accepted[change_id] = change
        return change_id


class Route53(Zones):
    """One account with its zones (id to name), which start with their NS and SOA records.

    Args:
        zones: hosted zones, id to name.
        keys: who may sign; change `keys` later to revoke one.
        clock: Unix seconds; signatures, throttling, PENDING and PriorRequestNotComplete go by it.
        rate: requests a second for the account (`REQUESTS_PER_SECOND` is the real one), or None for no limit.
        insync_after: seconds that a change is PENDING.
        processing: seconds for which a zone that took a change refuses the next one.
        quotas: what a request and a zone may hold.
        subscribed: False for an account that may not use the service.
    """

    def __init__(
        self,
        zones: Mapping[str, str],
        keys: Iterable[AccessKey],
        *,
        clock: Callable[[], float] = time.time,
        rate: float | None = None,
        insync_after: float = 0.0,
        processing: float = 0.0,
        quotas: Quotas | None = None,
        subscribed: bool = True,
    ) -> None:
        super().__init__(zones)
        self.keys = {key.key_id: key for key in keys}
        self.insync_after = insync_after
        self.processing = processing
        self.quotas = quotas or Quotas()
        self.subscribed = subscribed
        self.changes = ChangeLog()
        self._clock = clock
        self._bucket = Bucket(rate, burst=rate or 1.0, clock=clock)

    def answer(self, request: Request) -> Response:
        try:
            key = verify(request, self.keys, service="route53", region="us-east-1", now=self._clock())
            if not self.subscribed:
                return failure(403, "OptInRequired", "The AWS Access Key Id needs a subscription for the service")
            if not self._bucket.take():
                return self.throttled(None)
            return success(self._perform(request, key))
        except Refused as refused:
            return failure(refused.status, refused.code, refused.message)

    def throttled(self, retry_after: float | None) -> Response:
        headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        return failure(400, "Throttling", "Rate exceeded", headers)

    def failed(self) -> Response:
        return failure(500, "InternalFailure", "We encountered an internal error. Please try again.", fault="Receiver")

    def _perform(self, request: Request, key: AccessKey) -> ET.Element:
        for method, path, name, operation in _OPERATIONS:
            match = path.fullmatch(request.path)
            if match and method == request.method:
                _permit(key, name, f"arn:aws:route53:::{match[1]}/{match[2]}" if match.lastindex else "*")
                return operation(self, match[2] if match.lastindex else "", request)
        raise Refused("UnknownOperationException", f"no operation {request.method} {request.path}", 404)

    def _zone(self, zone_id: str) -> Zone:
        if len(zone_id) > 32:
            raise InvalidInputError(f'Invalid id: "{zone_id}"')
        zone = self.zones.get(zone_id)
        if zone is None:
            raise Refused("NoSuchHostedZone", f"No hosted zone found with ID: {zone_id}", 404)
        return zone

    def _list_zones(self, _which: str, request: Request) -> ET.Element:
        return listing.zones(sorted(self.zones.values(), key=lambda zone: zone.zone_id), request.query)

    def _list_zones_by_name(self, _which: str, request: Request) -> ET.Element:
        found = sorted(self.zones.values(), key=lambda zone: (order(zone.name), zone.zone_id))
        return listing.zones_by_name(found, request.query)

    def _list_records(self, zone_id: str, request: Request) -> ET.Element:
        return listing.records(self._zone(zone_id), request.query)

    def _get_zone(self, zone_id: str, _request: Request) -> ET.Element:
        return listing.zone(self._zone(zone_id))

    def _change(self, zone_id: str, request: Request) -> ET.Element:
        zone, now = self._zone(zone_id), self._clock()
        if now < zone.busy_until:
            raise Refused(
                "PriorRequestNotComplete",
                "The request was rejected because Route 53 was still processing a prior request.",
                400,
            )
        comment, changes = parse(request.body)
        zone.records = outcome(zone, changes, self.quotas)
        zone.busy_until = now + self.processing
        change_id = self.changes.add(Submitted(comment, now))
        return self._describe("ChangeResourceRecordSetsResponse", change_id, "PENDING")

    def _get_change(self, change_id: str, _request: Request) -> ET.Element:
        change = self.changes.accepted.get(change_id)
        if change is None:
            raise Refused("NoSuchChange", f"A change with the ID {change_id} was not found.", 404)
        done = self._clock() >= change.at + self.insync_after
        return self._describe("GetChangeResponse", change_id, "INSYNC" if done else "PENDING")

    def _describe(self, root_tag: str, change_id: str, status: str) -> ET.Element:
        change = self.changes.accepted[change_id]
        root = ET.Element(root_tag)
        info = ET.SubElement(root, "ChangeInfo")
        ET.SubElement(info, "Id").text = f"/change/{change_id}"
        ET.SubElement(info, "Status").text = status
        submitted = datetime.fromtimestamp(change.at, UTC).isoformat(timespec="milliseconds")
        ET.SubElement(info, "SubmittedAt").text = submitted.replace("+00:00", "Z")
        if change.comment is not None:
            ET.SubElement(info, "Comment").text = change.comment
        return root


def _path(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"/2013-04-01/{pattern}/?")


_OPERATIONS: Sequence[tuple[str, re.Pattern[str], str, Callable[[Route53, str, Request], ET.Element]]] = (
    ("GET", _path("hostedzone"), "ListHostedZones", Route53._list_zones),
    ("GET", _path("hostedzonesbyname"), "ListHostedZonesByName", Route53._list_zones_by_name),
    ("GET", _path("(hostedzone)/([^/]+)"), "GetHostedZone", Route53._get_zone),
    ("GET", _path("(hostedzone)/([^/]+)/rrset"), "ListResourceRecordSets", Route53._list_records),
    ("POST", _path("(hostedzone)/([^/]+)/rrset"), "ChangeResourceRecordSets", Route53._change),
    ("GET", _path("(change)/([^/]+)"), "GetChange", Route53._get_change),
)


def _permit(key: AccessKey, action: str, arn: str) -> None:
    if not key.allows(f"route53:{action}", arn):
        resource = "" if arn == "*" else f" on resource: {arn}"
        raise Refused(
            "AccessDenied",
            f"User: arn:aws:iam::{ACCOUNT}:user/{key.user} is not authorized to perform: route53:{action}{resource} "
            f"because no identity-based policy allows the route53:{action} action",
        )
