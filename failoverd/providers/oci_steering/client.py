"""What is asked of OCI's steering policies, and what is written there. A dry run gets the Reader, which cannot."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from failoverd.providers.oci_cloud.client import Ask, Reply, Zone, ZoneReader
from failoverd.providers.oci_steering.policies import SteeringPolicy
from failoverd.providers.oci_steering.standing import Attachment

PAGE: Final = 100
"""Items in one page. OCI names no maximum, and is free to give fewer."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some attachments; `total` is how many match in all."""

    attachments: tuple[Attachment, ...]
    following: str | None
    total: int

    @classmethod
    def of(cls, reply: Reply) -> "Page":
        found = tuple(Attachment.of(item) for item in reply.data if item.get("lifecycleState") != "DELETED")
        return cls(found, reply.following, len(found) if reply.total is None else reply.total)


@dataclass(frozen=True, slots=True)
class PolicySummary:
    """A policy in a list, which says neither answers nor rules. Times are as OCI writes them."""

    id: str
    display_name: str
    marker_text: str | None
    state: str
    created: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "PolicySummary":
        tags = item.get("freeformTags") or {}
        return cls(
            str(item["id"]),
            str(item["displayName"]),
            tags.get("failoverd"),
            str(item.get("lifecycleState")),
            str(item["timeCreated"]),
        )


class Reader(ZoneReader):
    """What may be asked."""

    def attachments(
        self, zone: Zone, *, domain: str | None = None, policy: str | None = None, page: str | None = None
    ) -> Page:
        """Attachments in the compartment of a zone (ListSteeringPolicyAttachments).

        Of this policy, wherever they are; or else of this zone, all of them or those of one domain.
        """
        options = {
            "limit": PAGE,
            "page": page,
            "zone_id": zone.id if policy is None else None,
            "domain": domain,
            "steering_policy_id": policy,
        }
        ask = Ask("list_steering_policy_attachments", (zone.compartment,), options)
        return self._in_zone(zone.id, "list attachments", ask, Page.of)

    def policy(self, zone: Zone, policy: str) -> SteeringPolicy:
        """A steering policy with its rules (GetSteeringPolicy)."""
        ask = Ask("get_steering_policy", (policy,))
        return self._in_zone(zone.id, f"read steering policy {policy}", ask, _policy)

    def plain_types(self, zone: Zone, name: str) -> frozenset[str]:
        """The types of plain records at a name (GetDomainRecords)."""
        ask = Ask("get_domain_records", (zone.id, name), {"limit": PAGE})
        return self._in_zone(zone.id, f"read records at {name}", ask, _types)

    def policies(self, zone: Zone, compartment: str, display_name: str) -> tuple[str, tuple[PolicySummary, ...]]:
        """OCI's clock, and the policies of this name (ListSteeringPolicies). One page holds a hundred."""
        ask = Ask("list_steering_policies", (compartment,), {"limit": PAGE, "display_name": display_name})
        return self._in_zone(zone.id, "list steering policies", ask, _summaries)


class Writer(Reader):
    """A reader that may write, too."""

    def update(self, zone: Zone, policy: str, etag: str, body: Mapping[str, Any]) -> None:
        """Change a policy while it is still this version (UpdateSteeringPolicy)."""
        ask = Ask("update_steering_policy", (policy, dict(body)), {"if_match": etag}, writes=True)
        self._in_zone(zone.id, f"change steering policy {policy}", ask, _nothing)

    def create(self, zone: Zone, body: Mapping[str, Any]) -> SteeringPolicy:
        """Make a policy, which answers nothing until it is attached (CreateSteeringPolicy)."""
        once = {"opc_retry_token": uuid.uuid4().hex}
        ask = Ask("create_steering_policy", (dict(body),), once, writes=True)
        return self._in_zone(zone.id, "make a steering policy", ask, _policy)

    def attach(self, zone: Zone, policy: str, domain: str) -> None:
        """Let a policy answer at a name, if no other does for its types (CreateSteeringPolicyAttachment)."""
        body = {
            "steeringPolicyId": policy,
            "zoneId": zone.id,
            "domainName": domain,
            "displayName": f"failoverd {domain}",
        }
        once = {"opc_retry_token": uuid.uuid4().hex}
        ask = Ask("create_steering_policy_attachment", (body,), once, writes=True)
        self._in_zone(zone.id, f"attach a steering policy to {domain}", ask, _nothing)

    def delete(self, zone: Zone, policy: SteeringPolicy) -> None:
        """Remove a policy that is not attached, while it is still this version (DeleteSteeringPolicy)."""
        ask = Ask("delete_steering_policy", (policy.id,), {"if_match": policy.etag}, writes=True)
        self._in_zone(zone.id, f"remove steering policy {policy.id}", ask, _nothing)


def _policy(reply: Reply) -> SteeringPolicy:
    policy = SteeringPolicy(reply.data, reply.etag)
    if not policy.id or not policy.etag or any("rtype" not in answer for answer in policy.answers):
        raise ValueError("no steering policy")
    return policy


def _types(reply: Reply) -> frozenset[str]:
    return frozenset(str(item["rtype"]) for item in reply.data["items"])


def _summaries(reply: Reply) -> tuple[str, tuple[PolicySummary, ...]]:
    return reply.date, tuple(PolicySummary.of(item) for item in reply.data)


def _nothing(_: Reply) -> None:
    """Whatever is answered: the caller reads back by itself."""
