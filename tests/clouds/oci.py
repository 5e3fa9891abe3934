"""Oracle's cloud on loopback: the DNS API (20180115) with its signatures, permissions, conditions and limits.

`OciCloud` is the front: it knows who asks and what they may, finds the operation, and says errors as OCI says them.
`oci_dns` and `oci_steering` keep the rules. What the public documents leave open is decided the strict way, so that a
client that assumes too much fails; `unmet` lets a test choose the status of a failed REQUIRE, which no document gives.
"""

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urlsplit

from clouds.oci_dns import Dns
from clouds.oci_edits import change
from clouds.oci_records import domain_of, rdata_of
from clouds.oci_rest import Ask, Json, OciError, Reply, not_found
from clouds.oci_signing import Tenancy, User, authenticate
from clouds.oci_steering import Resource, Steering
from clouds.oci_zones import Book, Zone
from clouds.serving import Bucket, Request, Response

TENANCY = "ocid1.tenancy.oc1..aaaatest"
USER = "ocid1.user.oc1..aaaatest"
COMPARTMENT = "ocid1.compartment.oc1..aaaatest"
BASE = "20180115"

# The shape of a path, with "*" for a name, by method: the operation of the reference.
OPERATIONS = {
    ("zones",): {"GET": "ListZones"},
    ("zones", "*"): {"GET": "GetZone"},
    ("zones", "*", "records"): {"GET": "GetZoneRecords", "PUT": "UpdateZoneRecords", "PATCH": "PatchZoneRecords"},
    ("zones", "*", "records", "*"): {
        "GET": "GetDomainRecords",
        "PUT": "UpdateDomainRecords",
        "PATCH": "PatchDomainRecords",
        "DELETE": "DeleteDomainRecords",
    },
    ("zones", "*", "records", "*", "*"): {
        "GET": "GetRRSet",
        "PUT": "UpdateRRSet",
        "PATCH": "PatchRRSet",
        "DELETE": "DeleteRRSet",
    },
    ("steeringPolicies",): {"GET": "ListSteeringPolicies", "POST": "CreateSteeringPolicy"},
    ("steeringPolicies", "*"): {
        "GET": "GetSteeringPolicy",
        "PUT": "UpdateSteeringPolicy",
        "DELETE": "DeleteSteeringPolicy",
    },
    ("steeringPolicyAttachments",): {
        "GET": "ListSteeringPolicyAttachments",
        "POST": "CreateSteeringPolicyAttachment",
    },
    ("steeringPolicyAttachments", "*"): {
        "GET": "GetSteeringPolicyAttachment",
        "PUT": "UpdateSteeringPolicyAttachment",
        "DELETE": "DeleteSteeringPolicyAttachment",
    },
}

# "Details for the DNS Service", permissions required for each API operation.
PERMISSIONS = {
    "ListZones": {"DNS_ZONE_INSPECT"},
    "GetZone": {"DNS_ZONE_READ"},
    "GetZoneRecords": {"DNS_ZONE_READ", "DNS_RECORD_READ"},
    "PatchZoneRecords": {"DNS_ZONE_UPDATE", "DNS_RECORD_UPDATE"},
    "UpdateZoneRecords": {"DNS_ZONE_UPDATE", "DNS_RECORD_UPDATE"},
    "GetDomainRecords": {"DNS_RECORD_READ"},
    "PatchDomainRecords": {"DNS_RECORD_UPDATE"},
    "UpdateDomainRecords": {"DNS_RECORD_UPDATE"},
    "DeleteDomainRecords": {"DNS_RECORD_UPDATE"},
    "GetRRSet": {"DNS_RECORD_READ"},
    "PatchRRSet": {"DNS_RECORD_UPDATE"},
    "UpdateRRSet": {"DNS_RECORD_UPDATE"},
    "DeleteRRSet": {"DNS_RECORD_UPDATE"},
    "ListSteeringPolicies": {"DNS_STEERING_POLICY_INSPECT"},
    "CreateSteeringPolicy": {"DNS_STEERING_POLICY_CREATE"},
    "GetSteeringPolicy": {"DNS_STEERING_POLICY_READ"},
    "UpdateSteeringPolicy": {"DNS_STEERING_POLICY_UPDATE"},
    "DeleteSteeringPolicy": {"DNS_STEERING_POLICY_DELETE"},
    "ListSteeringPolicyAttachments": {"DNS_STEERING_ATTACHMENT_INSPECT"},
    "CreateSteeringPolicyAttachment": {"DNS_ZONE_UPDATE", "DNS_STEERING_POLICY_READ"},
    "GetSteeringPolicyAttachment": {"DNS_STEERING_ATTACHMENT_READ"},
    "UpdateSteeringPolicyAttachment": {"DNS_ZONE_UPDATE", "DNS_STEERING_POLICY_READ"},
    "DeleteSteeringPolicyAttachment": {"DNS_ZONE_UPDATE", "DNS_STEERING_POLICY_READ"},
}


class OciCloud:
    """One tenancy with one user, one compartment and its zones. `rate`: requests a second, and no limit without it."""

    def __init__(  # noqa: PLR0913 - each is a rule that a test may bend
        self,
        zones: Iterable[str] = ("example.test",),
        *,
        private_zones: Iterable[str] = (),
        keys: dict[str, str] | None = None,
        rate: float | None = None,
        burst: float = 1.0,
        record_limit: int = 25_000,
        max_items: int | None = None,
        unmet: tuple[int, str] = (412, "PreconditionFailed"),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.tenancy = Tenancy(TENANCY, {USER: User(USER, dict(keys or {}))})
        self.dns = Dns(max_items=max_items, unmet=unmet)
        self.steering = Steering(self.dns, {COMPARTMENT})
        self._bucket = Bucket(rate, burst)
        for name in zones:
            self._add_zone(name, "GLOBAL", record_limit)
        for name in private_zones:
            self._add_zone(name, "PRIVATE", record_limit)

    # The protocols `Cloud` and `Failing`

    def answer(self, request: Request) -> Response:
        if not self._bucket.take():
            return self.throttled(None)
        try:
            return _response(self._answer(request), request)
        except OciError as error:
            return _refused(error, request)

    def throttled(self, retry_after: float | None) -> Response:
        headers = {"retry-after": f"{retry_after:g}"} if retry_after is not None else {}
        error = OciError(429, "TooManyRequests", "Too many requests for the user", headers)
        return _refused(error, None)

    def failed(self) -> Response:
        """How OCI says that it broke."""
        return _refused(OciError(500, "InternalServerError", "Internal error occurred"), None)

    # What tests look at and change behind the API's back

    @property
    def user(self) -> User:
        """The one user: deny it permissions, take its keys away, deactivate it."""
        return self.tenancy.users[USER]

    def zone(self, name: str) -> Zone:
        """The zone that holds this name, a public one before a private one."""
        domain = domain_of(name)
        holding = [zone for zone in self.dns.zones.values() if zone.holds(domain)]
        return max(holding, key=lambda zone: (zone.scope == "GLOBAL", len(zone.name)))

    def records(self, name: str, rtype: str | None = None) -> list[str]:
        """The plain records of a name: "api.example.test. 30 A 192.0.2.1"."""
        return sorted(str(record) for record in self.zone(name).matching(domain_of(name), rtype))

    def served(self, name: str, rtype: str) -> dict[str, int]:
        """What resolvers get: weight by rdata. Plain records weigh 1 each, and an attachment hides them."""
        zone, domain = self.zone(name), domain_of(name)
        steered = self.steering.served(zone.id, domain, rtype)
        if steered is not None:
            return steered
        return {record.rdata: 1 for record in zone.matching(domain, rtype)}

    def edit(self, words: str) -> None:
        """Change zones by hand, one change a line: "add NAME TTL TYPE RDATA" or "delete NAME [TYPE [RDATA]]".

        An added record brings its TTL to the whole set. All lines of a zone are one new version.
        """
        books: dict[str, Book] = {}
        for line in filter(None, map(str.strip, words.splitlines())):
            zone = self.zone(line.split()[1])
            if zone.id not in books:
                books[zone.id] = zone.book()
            change(books[zone.id], line)
        for zone_id, book in books.items():
            self.dns.zones[zone_id].commit([record for there in book.values() for record in there], self.clock())

    def steer(self, name: str, rtype: str, answers: dict[str, int], *, ttl: int = 30) -> str:
        """Make a policy with these weights by rdata and attach it to the name; the OCID of the policy."""
        named = {f"a{number}": rdata for number, rdata in enumerate(answers, start=1)}
        details = load_balance(name, rtype, {key: (rdata, answers[rdata]) for key, rdata in named.items()}, ttl=ttl)
        policy = self.steering.add_policy(details, self.clock())
        ocid = str(policy.shown["id"])
        attachment = {"steeringPolicyId": ocid, "zoneId": self.zone(name).id, "domainName": domain_of(name)}
        self.steering.add_attachment(attachment, self.clock())
        return ocid

    def policy(self, ocid: str) -> Json:
        """All that the API would show of a policy."""
        return self.steering.policies[ocid].shown

    def edit_answer(
        self, ocid: str, name: str, *, weight: int | None = None, disabled: bool | None = None, rdata: str | None = None
    ) -> None:
        """Change one answer of a policy by hand, as somebody in the console does: the ETag moves on."""
        resource: Resource = self.steering.policies[ocid]
        for answer in resource.shown["answers"]:
            if answer["name"] == name:
                answer["isDisabled"] = answer["isDisabled"] if disabled is None else disabled
                answer["rdata"] = answer["rdata"] if rdata is None else rdata_of(answer["rtype"], rdata)
        for rule in resource.shown["rules"]:
            for entry in rule.get("defaultAnswerData", []) if rule["ruleType"] == "WEIGHTED" else []:
                if entry["answerCondition"] == f"answer.name == '{name}'" and weight is not None:
                    entry["value"] = weight
        resource.version += 1
        resource.changed = self.clock()

    def hold(self, ocid: str, state: str = "UPDATING") -> None:
        """Put a policy or an attachment into a lifecycle state; writes are refused until it is ACTIVE again."""
        resources = self.steering.policies | self.steering.attachments
        resources[ocid].shown["lifecycleState"] = state

    def _add_zone(self, name: str, scope: str, limit: int) -> None:
        digest = hashlib.sha256(f"{scope} {name}".encode()).hexdigest()[:56]
        view = f"ocid1.dnsview.oc1..{digest}" if scope == "PRIVATE" else None
        zone = Zone(name, f"ocid1.dns-zone.oc1..{digest}", COMPARTMENT, self.clock(), scope, view, limit)
        self.dns.zones[zone.id] = zone

    def _answer(self, request: Request) -> Reply:
        user = authenticate(request, self.tenancy, self.clock())
        operation, names = _operation(request)
        if not self.tenancy.active or PERMISSIONS[operation] & user.denied:
            raise not_found()
        ask = Ask(operation, names, request.query, request.headers, request.body, self.clock())
        return self._handler(operation)(ask)

    def _handler(self, operation: str) -> Callable[[Ask], Reply]:
        if operation.endswith(("Records", "RRSet")):
            verb = {"G": "get", "U": "put", "P": "patch", "D": "delete"}[operation[0]]
            handlers = {
                "get": self.dns.get_records,
                "put": self.dns.put_records,
                "patch": self.dns.patch_records,
                "delete": self.dns.delete_records,
            }
            return handlers[verb]
        return {
            "ListZones": self.dns.list_zones,
            "GetZone": self.dns.get_zone,
            "ListSteeringPolicies": self.steering.list_policies,
            "CreateSteeringPolicy": self.steering.create_policy,
            "GetSteeringPolicy": self.steering.get_policy,
            "UpdateSteeringPolicy": self.steering.update_policy,
            "DeleteSteeringPolicy": self.steering.delete_policy,
            "ListSteeringPolicyAttachments": self.steering.list_attachments,
            "CreateSteeringPolicyAttachment": self.steering.create_attachment,
            "GetSteeringPolicyAttachment": self.steering.get_attachment,
            "UpdateSteeringPolicyAttachment": self.steering.update_attachment,
            "DeleteSteeringPolicyAttachment": self.steering.delete_attachment,
        }[operation]


def load_balance(label: str, rtype: str, answers: dict[str, tuple[str, int]], *, ttl: int = 30) -> Json:
    """The body of a LOAD_BALANCE policy; `answers`: rdata and weight by name."""
    return {
        "compartmentId": COMPARTMENT,
        "displayName": label,
        "template": "LOAD_BALANCE",
        "ttl": ttl,
        "answers": [{"name": name, "rtype": rtype, "rdata": rdata} for name, (rdata, _) in answers.items()],
        "rules": [
            {
                "ruleType": "FILTER",
                "defaultAnswerData": [{"answerCondition": "answer.isDisabled != true", "shouldKeep": True}],
            },
            {
                "ruleType": "WEIGHTED",
                "defaultAnswerData": [
                    {"answerCondition": f"answer.name == '{name}'", "value": weight}
                    for name, (_, weight) in answers.items()
                ],
            },
            {"ruleType": "LIMIT", "defaultCount": 1},
        ],
    }


def _operation(request: Request) -> tuple[str, tuple[str, ...]]:
    base, *parts = urlsplit(request.target).path.lstrip("/").split("/")
    for shape, methods in OPERATIONS.items():
        fits = len(shape) == len(parts) and all(want in {"*", part} for want, part in zip(shape, parts, strict=True))
        if base == BASE and fits:
            if request.method not in methods:
                raise OciError(405, "MethodNotAllowed", f"{request.method} is not supported here.")
            names = tuple(unquote(part) for want, part in zip(shape, parts, strict=True) if want == "*")
            return methods[request.method], names
    raise OciError(404, "NotFound", "There is no operation at this path.")


def _response(reply: Reply, request: Request) -> Response:
    body = b"" if reply.status in {204, 304} else json.dumps(reply.body).encode()
    return Response(reply.status, body, _headers(request) | dict(reply.headers))


def _refused(error: OciError, request: Request | None) -> Response:
    body = json.dumps({"code": error.code, "message": error.message}).encode()
    return Response(error.status, body, _headers(request) | error.headers)


def _headers(request: Request | None) -> dict[str, str]:
    """The request id: the client's part first, then the service's own."""
    own = f"{uuid.uuid4().hex.upper()}/{uuid.uuid4().hex.upper()}"
    given = request.headers.get("opc-request-id") if request is not None else None
    return {"content-type": "application/json", "opc-request-id": f"{given or uuid.uuid4().hex.upper()}/{own}"}
