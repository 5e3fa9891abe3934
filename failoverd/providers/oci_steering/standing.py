"""What stands at a name: the policies that are attached to it, and the plain records that they would hide.

Plain records below an attachment of their type answer nothing, and come back when it goes: they are left alone, and not
reported. Where no attachment answers for a type, its plain records do, and somebody else looks after them: then they
are foreign, so that no attachment of ours ever hides them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from failoverd.core.records import Observed, RecordType, Target
from failoverd.providers.oci_cloud.client import Zone
from failoverd.providers.oci_cloud.coexistence import ALIASES, BESIDE_ANYTHING
from failoverd.providers.oci_steering.policies import SteeringPolicy, odd, records

_PLAIN = "remove the plain records of the name in OCI DNS, which an attachment would hide, or steer another name"
_STRANGE = (
    "give the steering policy the template LOAD_BALANCE with its own rules and this name alone, or detach it: then "
    "failoverd makes one"
)
_ADDRESSES = frozenset({"A", "AAAA"})


@dataclass(frozen=True, slots=True)
class Attachment:
    """A policy at work: it answers at this domain of this zone (its OCID)."""

    id: str
    policy: str
    zone: str
    domain: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "Attachment":
        domain = str(item["domainName"]).rstrip(".").lower()
        return cls(str(item["id"]), str(item["steeringPolicyId"]), str(item["zoneId"]), domain)


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of one policy: what a write is conditional on."""

    policy: str
    etag: str

    @classmethod
    def of(cls, policy: SteeringPolicy) -> Self:
        return cls(policy.id, policy.etag)

    def text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Standing:
    """What was read of one target.

    `policy` answers for its type, or None; `others` are attached to the name as well. `names` are the domains that
    `policy` is attached to. `plain` are the types of plain records at the name, looked at only without a policy.
    """

    zone: Zone
    policy: SteeringPolicy | None
    others: tuple[SteeringPolicy, ...] = ()
    names: tuple[str, ...] = ()
    plain: frozenset[str] = frozenset()

    @classmethod
    def choose(cls, zone: Zone, attached: Sequence[SteeringPolicy], kind: RecordType) -> "Standing":
        """Of the attached policies the one that answers for this type."""
        covering = next((policy for policy in attached if kind.value in policy.types), None)
        covering = covering or next((policy for policy in attached if policy.covers(kind)), None)
        return cls(zone, covering, tuple(policy for policy in attached if policy is not covering))


def observed(target: Target, standing: Standing) -> Observed:
    """What it means to a target. What is foreign goes into no token, so that no plan can change it."""
    policy, key = standing.policy, target.key
    foreign = _excluding(key.type, standing)
    if policy is None:
        hidden = _hidden(key.type, standing.plain)
        cure = _PLAIN if hidden and not foreign else ""
        return Observed(target, None, foreign=tuple(sorted({*foreign, *hidden})), cure=cure)
    strange = odd(key, policy)
    if len(standing.names) > 1:
        strange += (f"{key.type} (a steering policy of {len(standing.names)} names: {', '.join(standing.names[:4])})",)
    if strange:
        said = tuple(sorted({*strange, *foreign}))
        return Observed(target, None, policy.marker, policy.marker_text, said, cure=_STRANGE)
    token = PolicyVersion.of(policy).text()
    return Observed(target, records(key, policy), policy.marker, policy.marker_text, tuple(sorted(foreign)), token)


def _excluding(kind: RecordType, standing: Standing) -> set[str]:
    """Types that policies at the name answer with, and that exclude ours."""
    policies = (*standing.others, *((standing.policy,) if standing.policy is not None else ()))
    types = {each for policy in policies for each in policy.types}
    return types & (_ADDRESSES if kind is RecordType.CNAME else {"CNAME"})


def _hidden(kind: RecordType, plain: frozenset[str]) -> set[str]:
    """Plain records that an attachment of this type would hide, or contradict."""
    excluding = plain - BESIDE_ANYTHING if kind is RecordType.CNAME else plain & {kind.value, *ALIASES}
    return {f"plain {each}" for each in excluding}
