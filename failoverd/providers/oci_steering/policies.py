"""What a steering policy answers, and whether failoverd can say it.

A policy of template LOAD_BALANCE keeps the answers that are not disabled (FILTER), and healthy where it has a monitor
(HEALTH), shuffles them by weight (WEIGHTED) and gives the first one (LIMIT 1): the share of an answer is its weight.
Everything else decides by itself, or by who asks, so it is no share that failoverd could state: it is foreign,
reported and never written.

What never serves is not part of what is read: a disabled answer, and one of weight 0. So what is written is what is
read. When failoverd writes a type, only its serving answers are left; nobody else's types and rules are touched.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dns.exception
import dns.rdata
from dns.rdataclass import RdataClass

from failoverd.core.records import Answer, Marker, RecordKey, RecordSet, RecordType
from failoverd.providers.dnsupdate import rdata

Json = Mapping[str, Any]

MAX_WEIGHT: Final = 255
TEMPLATE: Final = "LOAD_BALANCE"
TAG: Final = "failoverd"
"""Key of the freeform tag that holds the marker. It stands on the policy, and so serves all types of its answers."""

FILTER: Final[Json] = {
    "ruleType": "FILTER",
    "defaultAnswerData": [{"answerCondition": "answer.isDisabled != true", "shouldKeep": True}],
}
LIMIT: Final[Json] = {"ruleType": "LIMIT", "defaultCount": 1}

_RULES = (("FILTER", "WEIGHTED", "LIMIT"), ("FILTER", "HEALTH", "WEIGHTED", "LIMIT"))
_BY_NAME = re.compile(r"""answer\.name\s*==\s*(?P<quote>['"])(?P<name>.+)(?P=quote)""")


@dataclass(frozen=True, slots=True)
class SteeringPolicy:
    """A steering policy, member by member as the API shows it, and its version."""

    raw: Json
    etag: str

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def tags(self) -> Mapping[str, str]:
        return self.raw.get("freeformTags") or {}

    @property
    def marker_text(self) -> str | None:
        return self.tags.get(TAG)

    @property
    def marker(self) -> Marker | None:
        return Marker.parse(self.marker_text) if self.marker_text is not None else None

    @property
    def answers(self) -> tuple[Json, ...]:
        return tuple(_said(self.raw.get("answers") or ()))

    @property
    def rules(self) -> tuple[Json, ...]:
        return tuple(_said(self.raw.get("rules") or ()))

    @property
    def types(self) -> frozenset[str]:
        return frozenset(str(answer["rtype"]) for answer in self.answers)

    def covers(self, kind: RecordType) -> bool:
        """Whether it answers for this type; or would, had nobody emptied it."""
        return kind.value in self.types or self.owns(kind)

    def owns(self, kind: RecordType) -> bool:
        """Whether its marker says so."""
        return self.marker is not None and kind in self.marker.types


def records(key: RecordKey, policy: SteeringPolicy) -> RecordSet | None:
    """What it answers at this name, or None when it has no answer of this type. None of it is `odd`."""
    own = [answer for answer in policy.answers if answer["rtype"] == key.type]
    if not own:
        return None
    weights = weights_of(policy)
    shares: dict[str, int] = {}
    for answer in own:
        weight = 0 if answer.get("isDisabled") else weights.get(str(answer["name"]), 0)
        if weight > 0:
            value = value_of(key, answer)
            shares[value] = shares.get(value, 0) + weight
    return RecordSet.of(key, int(policy.raw["ttl"]), shares)


def odd(key: RecordKey, policy: SteeringPolicy) -> tuple[str, ...]:
    """Why failoverd cannot answer for this policy, as `A (template FAILOVER)`; empty when it can."""
    return tuple(f"{key.type} ({why})" for why in _oddities(key, policy))


def weights_of(policy: SteeringPolicy) -> dict[str, int]:
    """Weight by answer name."""
    found: dict[str, int] = {}
    for entry in _weighted(policy):
        match = _BY_NAME.fullmatch(str(entry.get("answerCondition", "")).strip())
        if match is not None:
            found[match["name"]] = int(entry["value"])
    return found


def value_of(key: RecordKey, answer: Json) -> str:
    """The answer's value, in canonical text form."""
    return _decoded(key, answer).value


def _decoded(key: RecordKey, answer: Json) -> Answer:
    parsed = dns.rdata.from_text(RdataClass.IN, str(answer["rtype"]), str(answer["rdata"]))
    return rdata.decode(key, 0, [parsed]).answers[0]


def _weighted(policy: SteeringPolicy) -> tuple[Json, ...]:
    return tuple(
        entry
        for rule in policy.rules
        if rule["ruleType"] == "WEIGHTED"
        for entry in rule.get("defaultAnswerData") or ()
    )


def _oddities(key: RecordKey, policy: SteeringPolicy) -> Iterator[str]:
    template = policy.raw.get("template")
    if template != TEMPLATE:
        yield f"template {template}"
        return
    if tuple(rule["ruleType"] for rule in policy.rules) not in _RULES:
        yield "other rules than those of its template"
        return
    if any(rule.get("cases") for rule in policy.rules):
        yield "rules with cases"
    if policy.rules[0].get("defaultAnswerData") != FILTER["defaultAnswerData"]:
        yield "a filter of its own"
    if policy.rules[-1].get("defaultCount") != LIMIT["defaultCount"]:
        yield f"LIMIT {policy.rules[-1].get('defaultCount')}"
    weights = weights_of(policy)
    if len(weights) < len(_weighted(policy)):
        yield "weights of other things than answers by name"
    enabled = [answer for answer in policy.answers if answer["rtype"] == key.type and not answer.get("isDisabled")]
    if any(answer["name"] not in weights for answer in enabled):
        yield "an answer without a weight"
    if not all(_readable(key, answer) for answer in enabled):
        yield "unreadable"


def _said(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same without members that are null: they say nothing, and need not be said when it is written back."""
    if isinstance(value, Mapping):
        return {name: _said(member) for name, member in value.items() if member is not None}
    return [_said(item) for item in value] if isinstance(value, (list, tuple)) else value


def _readable(key: RecordKey, answer: Json) -> bool:
    try:
        _decoded(key, answer)
    except dns.exception.DNSException:
        return False
    return True
