"""OCI traffic management, API 20180115: steering policies, and their attachments to the domains of a zone.

Source: the DNS API reference, "SteeringPolicy" and "SteeringPolicyAttachment". A list gives summaries: neither answers
nor rules are in them. An attachment answers in the place of the plain records of its domain and of its policy's types,
and a domain has at most one attachment for a type.
"""

import hashlib
from dataclasses import dataclass, field

from clouds.oci_dns import Dns
from clouds.oci_records import domain_of
from clouds.oci_rest import (
    Ask,
    Json,
    OciError,
    Reply,
    check_conditions,
    conflict,
    invalid,
    know,
    missing,
    not_found,
    page,
    related_not_found,
    timestamp,
    unchanged,
)
from clouds.oci_rules import TEMPLATES, checked, weights

SETTABLE = frozenset(
    {
        "displayName",
        "ttl",
        "healthCheckMonitorId",
        "template",
        "freeformTags",
        "definedTags",
        "answers",
        "rules",
    }
)
DETAIL = frozenset({"answers", "rules"})  # what a summary leaves out
DEFAULT_TTL = 30
PAGING = frozenset({"compartmentId", "limit", "page", "sortBy", "sortOrder", "scope"})
POLICY_FILTERS = frozenset({"id", "displayName", "healthCheckMonitorId", "template", "lifecycleState"})
ATTACHMENT_FILTERS = frozenset({"id", "displayName", "steeringPolicyId", "zoneId", "lifecycleState"})


@dataclass
class Resource:
    """A policy or an attachment: what the API shows of it, and how often it was changed."""

    shown: Json
    changed: float
    version: int = 1

    @property
    def etag(self) -> str:
        return f'"{self.version}{self.shown["id"][-12:]}--resource"'


@dataclass
class Steering:
    """The policies and attachments of a tenancy, by OCID."""

    dns: Dns
    compartments: set[str]
    max_policies: int = 100
    max_attachments: int = 1_000
    policies: dict[str, Resource] = field(default_factory=dict)
    attachments: dict[str, Resource] = field(default_factory=dict)
    made: int = 0
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)  # retry token to the request's hash and the OCID

    # Policies

    def list_policies(self, ask: Ask) -> Reply:
        know(ask.query, PAGING | POLICY_FILTERS | {"displayNameContains"})
        found = [
            {name: value for name, value in one.items() if name not in DETAIL}
            for one in self._listed(self.policies, ask, POLICY_FILTERS)
            if ask.query.get("displayNameContains", "").lower() in one["displayName"].lower()
        ]
        return Reply(200, *page(found, ask.query))

    def get_policy(self, ask: Ask) -> Reply:
        return _read(ask, _find(self.policies, ask.names[0]))

    def create_policy(self, ask: Ask) -> Reply:
        details = ask.details({*SETTABLE, "compartmentId"})
        for name in ("compartmentId", "displayName", "template"):
            if name not in details:
                raise missing(name)
        if details["compartmentId"] not in self.compartments:
            raise not_found()
        again = self._repeated(ask, self.policies)
        if again is not None:
            return _written(again)
        if len(self.policies) >= self.max_policies:
            raise OciError(400, "LimitExceeded", f"A tenancy has at most {self.max_policies} steering policies.")
        return _written(self.add_policy(details, ask.now, token=ask), 201)

    def add_policy(self, details: Json, now: float, *, token: Ask | None = None) -> Resource:
        """A new policy, checked like one that comes over the API."""
        policy = {
            "answers": [],
            "rules": [],
            "ttl": DEFAULT_TTL,
            "healthCheckMonitorId": None,
            "freeformTags": {},
            "definedTags": {},
        } | details
        self._check_template(policy)
        resource = self._made("dnspolicy", "steeringPolicies", checked(policy), now)
        self.policies[resource.shown["id"]] = resource
        self._remember(token, resource)
        return resource

    def update_policy(self, ask: Ask) -> Reply:
        policy = _find(self.policies, ask.names[0])
        details = ask.details(SETTABLE)
        check_conditions(ask, policy.etag, policy.changed)
        _check_active(policy)
        new = policy.shown | details
        self._check_template(new)
        new = checked(new)
        self._check_overlaps(new)
        _change(policy, new, ask.now)
        for attachment in self._attached(new["id"]):
            attachment.shown["rtypes"] = _types(new)
        return _written(policy)

    def delete_policy(self, ask: Ask) -> Reply:
        policy = _find(self.policies, ask.names[0])
        check_conditions(ask, policy.etag, policy.changed)
        _check_active(policy)
        if self._attached(policy.shown["id"]):
            raise conflict("The steering policy is attached to a domain.")
        del self.policies[policy.shown["id"]]
        return Reply(204)

    # Attachments

    def list_attachments(self, ask: Ask) -> Reply:
        know(ask.query, PAGING | ATTACHMENT_FILTERS | {"domain", "domainContains"})
        domain = ask.query.get("domain")
        found = [
            one
            for one in self._listed(self.attachments, ask, ATTACHMENT_FILTERS)
            if (domain is None or one["domainName"] == domain_of(domain))
            and ask.query.get("domainContains", "").lower() in one["domainName"]
        ]
        return Reply(200, *page(found, ask.query))

    def get_attachment(self, ask: Ask) -> Reply:
        return _read(ask, _find(self.attachments, ask.names[0]))

    def create_attachment(self, ask: Ask) -> Reply:
        details = ask.details({"steeringPolicyId", "zoneId", "domainName", "displayName"})
        again = self._repeated(ask, self.attachments)
        if again is not None:
            return _written(again)
        if len(self.attachments) >= self.max_attachments:
            raise OciError(400, "LimitExceeded", f"A tenancy has at most {self.max_attachments} attachments.")
        return _written(self.add_attachment(details, ask.now, token=ask), 201)

    def add_attachment(self, details: Json, now: float, *, token: Ask | None = None) -> Resource:
        """A new attachment, checked like one that comes over the API."""
        for name in ("steeringPolicyId", "zoneId", "domainName"):
            if name not in details:
                raise missing(name)
        policy, zone = self.policies.get(details["steeringPolicyId"]), self.dns.zones.get(details["zoneId"])
        if policy is None or zone is None:
            raise related_not_found()
        domain = domain_of(details["domainName"])
        if zone.scope != "GLOBAL" or not zone.holds(domain):
            raise invalid(f"{domain} is not in a public zone of that OCID")
        shown: Json = {"displayName": domain} | details
        shown |= {"domainName": domain, "rtypes": _types(policy.shown), "compartmentId": zone.compartment}
        self._check_free(zone.id, domain, shown["rtypes"])
        resource = self._made("dnspolicyattachment", "steeringPolicyAttachments", shown, now)
        self.attachments[resource.shown["id"]] = resource
        self._remember(token, resource)
        return resource

    def update_attachment(self, ask: Ask) -> Reply:
        attachment = _find(self.attachments, ask.names[0])
        details = ask.details({"displayName"})
        check_conditions(ask, attachment.etag, attachment.changed)
        _check_active(attachment)
        _change(attachment, attachment.shown | details, ask.now)
        return _written(attachment)

    def delete_attachment(self, ask: Ask) -> Reply:
        attachment = _find(self.attachments, ask.names[0])
        check_conditions(ask, attachment.etag, attachment.changed)
        _check_active(attachment)
        del self.attachments[attachment.shown["id"]]
        return Reply(204)

    # What resolvers see

    def served(self, zone_id: str, domain: str, rtype: str) -> dict[str, int] | None:
        """Weight by rdata, as an attached policy answers; None when no attachment covers the name and type."""
        for attachment in self.attachments.values():
            shown = attachment.shown
            if (shown["zoneId"], shown["domainName"]) == (zone_id, domain) and rtype in shown["rtypes"]:
                policy = self.policies[shown["steeringPolicyId"]].shown
                weight = weights(policy)
                return {
                    answer["rdata"]: weight.get(answer["name"], 0)
                    for answer in policy["answers"]
                    if answer["rtype"] == rtype and not answer["isDisabled"]
                }
        return None

    def _listed(self, resources: dict[str, Resource], ask: Ask, filters: frozenset[str]) -> list[Json]:
        compartment = ask.query.get("compartmentId")
        if compartment is None:
            raise missing("compartmentId")
        if compartment not in self.compartments:
            raise not_found()
        wanted = {name: ask.query[name] for name in filters if name in ask.query} | {"compartmentId": compartment}
        by = ask.query.get("sortBy", "timeCreated")
        found = [one.shown for one in resources.values() if all(one.shown[k] == v for k, v in wanted.items())]
        if found and by not in found[0]:
            raise invalid(f"nothing is sorted by {by!r}")
        return sorted(found, key=lambda one: str(one[by]), reverse=ask.query.get("sortOrder") == "DESC")

    def _made(self, kind: str, path: str, details: Json, now: float) -> Resource:
        self.made += 1
        ocid = f"ocid1.{kind}.oc1..{hashlib.sha256(f'{kind}{self.made}'.encode()).hexdigest()[:56]}"
        fixed = {
            "self": f"https://dns.example.test/20180115/{path}/{ocid}",
            "id": ocid,
            "timeCreated": timestamp(now),
            "lifecycleState": "ACTIVE",
        }
        return Resource(details | fixed, now)

    def _repeated(self, ask: Ask, resources: dict[str, Resource]) -> Resource | None:
        """The resource that an earlier request with the same retry token made."""
        digest, ocid = self.tokens.get(ask.headers.get("opc-retry-token", ""), ("", ""))
        if not ocid:
            return None
        if digest != hashlib.sha256(ask.body).hexdigest() or ocid not in resources:
            raise OciError(409, "InvalidatedRetryToken", "The retry token was used by another or an undone request.")
        return resources[ocid]

    def _remember(self, ask: Ask | None, resource: Resource) -> None:
        token = ask.headers.get("opc-retry-token") if ask is not None else None
        if ask is not None and token is not None:
            self.tokens[token] = (hashlib.sha256(ask.body).hexdigest(), resource.shown["id"])

    def _check_template(self, policy: Json) -> None:
        if policy["template"] not in {*TEMPLATES, "CUSTOM"}:
            raise invalid(f"{policy['template']!r} is no template")

    def _attached(self, policy_id: str) -> list[Resource]:
        return [one for one in self.attachments.values() if one.shown["steeringPolicyId"] == policy_id]

    def _check_overlaps(self, policy: Json) -> None:
        """A policy that gets another type may now answer what another attachment answers."""
        for attachment in self._attached(policy["id"]):
            shown = attachment.shown
            self._check_free(shown["zoneId"], shown["domainName"], _types(policy), but=shown["id"])

    def _check_free(self, zone_id: str, domain: str, rtypes: list[str], but: str | None = None) -> None:
        for other in self.attachments.values():
            shown = other.shown
            taken = (shown["zoneId"], shown["domainName"]) == (zone_id, domain) and shown["id"] != but
            if taken and set(shown["rtypes"]) & set(rtypes):
                raise conflict(f"{domain} has an attachment for {', '.join(shown['rtypes'])} already.")


def _types(policy: Json) -> list[str]:
    return sorted({answer["rtype"] for answer in policy["answers"]})


def _find(resources: dict[str, Resource], ocid: str) -> Resource:
    if ocid not in resources:
        raise not_found()
    return resources[ocid]


def _check_active(resource: Resource) -> None:
    state = resource.shown["lifecycleState"]
    if state != "ACTIVE":
        raise OciError(409, "IncorrectState", f"The resource is {state}; wait until it is ACTIVE.")


def _change(resource: Resource, shown: Json, now: float) -> None:
    resource.shown = shown
    resource.version += 1
    resource.changed = now


def _read(ask: Ask, resource: Resource) -> Reply:
    if unchanged(ask, resource.etag, resource.changed):
        return Reply(304, headers={"etag": resource.etag})
    return _written(resource)


def _written(resource: Resource, status: int = 200) -> Reply:
    return Reply(status, resource.shown, {"etag": resource.etag})
