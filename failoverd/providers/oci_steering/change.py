"""A plan as the parts of a steering policy that it changes: answers, weights, TTL and the marker, all in one request.

The fence is the ETag: OCI changes the policy only while it is still the version that was read (If-Match), whatever part
of it somebody else changed. A policy that holds another type's answers keeps them, with their weights. So do its other
rules and tags: what is not ours goes back as it came.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent
from failoverd.core.records import Answer, RecordKey, RecordSet
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.oci_steering.policies import (
    FILTER,
    LIMIT,
    MAX_WEIGHT,
    TAG,
    TEMPLATE,
    Json,
    SteeringPolicy,
    value_of,
    weights_of,
)
from failoverd.providers.shared import sets

MAX_TAG: Final = 256
"""Characters in the value of a freeform tag."""

MAX_NAME: Final = 64
_MAX_DISPLAY_NAME = 255


def normalise(desired: RecordSet) -> RecordSet:
    """The set as it will be read back. Raises Permanent when it is empty or cannot be said."""
    said = sets.weighted(desired, MAX_WEIGHT)
    values = [rdata.decode(said.key, 0, [parsed]).answers[0].value for parsed in rdata.encode(said)]
    return RecordSet.of(said.key, said.ttl, dict(zip(values, (answer.weight for answer in said.answers), strict=True)))


def update_of(plan: Plan, policy: SteeringPolicy) -> dict[str, Any]:
    """What of the policy becomes different (UpdateSteeringPolicyDetails); what it does not name stays.

    Raises Permanent when the plan would publish nothing, or something that OCI cannot say.
    """
    tags = {name: value for name, value in policy.tags.items() if name != TAG}
    body = {"freeformTags": {**tags, **_marker(plan)}}
    sets.serving(plan.after)
    if plan.before.records == plan.after:
        return body  # adopted, or given back: whatever form its answers have
    return {**body, **_said(plan.after, policy)}


def creation_of(plan: Plan, compartment: str) -> dict[str, Any]:
    """A policy of its own (CreateSteeringPolicyDetails). Raises Permanent as `update_of`."""
    sets.serving(plan.after)
    nothing = SteeringPolicy({"rules": [FILTER, {"ruleType": "WEIGHTED"}, LIMIT]}, "")
    return {
        "compartmentId": compartment,
        "displayName": display_name(plan.target.key),
        "template": TEMPLATE,
        "freeformTags": _marker(plan),
        **_said(plan.after, nothing),
    }


def display_name(key: RecordKey) -> str:
    """What a policy that failoverd makes is called in the console."""
    return f"failoverd {key}"[:_MAX_DISPLAY_NAME]


def _marker(plan: Plan) -> dict[str, str]:
    text = plan.marker_text
    if text is None:
        return {}
    if len(text) > MAX_TAG:
        raise Permanent(
            f"the ownership marker takes {len(text)} characters, and a freeform tag holds {MAX_TAG}: {text[:80]!r}...",
            reason="unsayable",
            remedy="shorten `owner` in the configuration, or the name of the policy",
        )
    return {TAG: text}


def _said(after: RecordSet, policy: SteeringPolicy) -> dict[str, Any]:
    """Answers, rules and TTL of the policy, once it answers this for the set's type."""
    others = [answer for answer in policy.answers if answer["rtype"] != after.key.type]
    own = _answers(after, policy, taken={str(answer["name"]) for answer in others})
    weights = weights_of(policy)
    entries = [(str(answer["name"]), weights.get(str(answer["name"]))) for answer in others]
    entries += [(str(named["name"]), answer.weight) for named, answer in zip(own, after.answers, strict=True)]
    weighted = [
        {"answerCondition": f"answer.name == '{name}'", "value": weight}
        for name, weight in entries
        if weight is not None
    ]
    rules = [
        {**rule, "defaultAnswerData": weighted} if rule["ruleType"] == "WEIGHTED" else dict(rule)
        for rule in policy.rules
    ]
    return {"ttl": after.ttl, "answers": [*others, *own], "rules": rules}


def _answers(after: RecordSet, policy: SteeringPolicy, taken: set[str]) -> Sequence[Json]:
    """One answer for each of the set; who is in the policy already stays what it is, but is no longer disabled."""
    there = {value_of(after.key, answer): answer for answer in policy.answers if answer["rtype"] == after.key.type}
    known = {str(answer["name"]) for answer in there.values()}
    found: list[Json] = []
    for answer in after.answers:
        old = there.get(answer.value)
        new = {**old, "isDisabled": False} if old is not None else _answer(after, answer, _name(answer, taken | known))
        taken.add(str(new["name"]))
        found.append(new)
    return found


def _answer(records: RecordSet, answer: Answer, name: str) -> Json:
    if not 0 <= answer.weight <= MAX_WEIGHT:
        raise Permanent(
            f"{records.key} would hold a weight of {answer.weight}, and OCI knows 0 to {MAX_WEIGHT}",
            reason="unsayable",
            remedy="correct the weights; if a policy led to this, please report it",
        )
    (parsed,) = rdata.encode(replace(records, answers=(answer,)))
    return {"name": name, "rtype": records.key.type.value, "rdata": parsed.to_text(), "isDisabled": False}


def _name(answer: Answer, taken: set[str]) -> str:
    """The value, or as much of it as a name holds and what makes it unique: rules speak of an answer by its name."""
    if len(answer.value) <= MAX_NAME and answer.value not in taken:
        return answer.value
    digest = hashlib.sha256(answer.value.encode()).hexdigest()[:16]
    return f"{answer.value[: MAX_NAME - len(digest) - 1]}~{digest}"
