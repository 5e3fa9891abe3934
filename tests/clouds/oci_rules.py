"""What a steering policy may say: its answers, and the rules that its template asks for.

Source: "Traffic Management Steering Policies API Guide" and the models SteeringPolicyAnswer, SteeringPolicyRule and
SteeringPolicyWeightedAnswerData. A template fixes which rules stand in which order; another order is a 400.
"""

import re
from collections.abc import Sequence
from typing import Any

from clouds.oci_records import rdata_of, ttl_of
from clouds.oci_rest import Json, invalid, items, missing, only

ANSWER = frozenset({"name", "rtype", "rdata", "pool", "isDisabled"})
ANSWER_TYPES = frozenset({"A", "AAAA", "CNAME"})
RULE = frozenset({"ruleType", "description", "cases", "defaultAnswerData", "defaultCount"})
RULE_TYPES = frozenset({"FILTER", "HEALTH", "WEIGHTED", "PRIORITY", "LIMIT"})
TEMPLATES = {
    "LOAD_BALANCE": "WEIGHTED",
    "FAILOVER": "PRIORITY",
    "ROUTE_BY_GEO": "PRIORITY",
    "ROUTE_BY_ASN": "PRIORITY",
    "ROUTE_BY_IP": "PRIORITY",
}
ENABLED = [{"answerCondition": "answer.isDisabled != true", "shouldKeep": True}]
BY_NAME = re.compile(r"answer\.name == '([^']+)'")
MAX_WEIGHT = 255
MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 10, 100, 256


def checked(policy: Json) -> Json:
    """The policy in normal form, or the error that the service answers."""
    answers = [_answer(answer) for answer in items(policy, "answers")]
    names = [answer["name"] for answer in answers]
    if len(set(names)) < len(names):
        raise invalid("the names of answers must be unique in their policy")
    rules = [only(rule, RULE) for rule in items(policy, "rules")]
    for rule in rules:
        _check_rule(rule)
    if policy["template"] != "CUSTOM":
        _check_order(policy, rules)
    if policy["template"] == "LOAD_BALANCE":
        _check_load_balance(rules, names)
    _check_tags(policy["freeformTags"])
    ttl_of(policy["ttl"])
    return policy | {"answers": answers, "rules": rules}


def weights(policy: Json) -> dict[str, int]:
    """Weight by answer name; an answer without a weight of its own has none."""
    found: dict[str, int] = {}
    for rule in policy["rules"]:
        if rule["ruleType"] == "WEIGHTED":
            for entry in rule["defaultAnswerData"]:
                match = BY_NAME.fullmatch(entry["answerCondition"])
                if match is not None:
                    found[match[1]] = entry["value"]
    return found


def _answer(answer: object) -> Json:
    said = only(answer, ANSWER)
    for name in ("name", "rtype", "rdata"):
        if not isinstance(said.get(name), str) or not said[name]:
            raise missing(f"answers.{name}")
    if said["rtype"] not in ANSWER_TYPES:
        raise invalid(f"an answer is A, AAAA or CNAME, not {said['rtype']}")
    if not isinstance(said.setdefault("isDisabled", False), bool):
        raise invalid("isDisabled must be true or false")
    return said | {"rdata": rdata_of(said["rtype"], said["rdata"])}


def _check_rule(rule: Json) -> None:
    kind = rule.get("ruleType")
    if kind not in RULE_TYPES:
        raise invalid(f"{kind!r} is no type of rule")
    if kind != "LIMIT" and "defaultCount" in rule:
        raise invalid("only a LIMIT rule has a defaultCount")
    if kind in {"LIMIT", "HEALTH"} and "defaultAnswerData" in rule:
        raise invalid(f"a {kind} rule has no defaultAnswerData")
    if kind == "LIMIT" and "cases" not in rule:
        _whole_number(rule.get("defaultCount"), 1, 1_000, "defaultCount")
    if kind in {"WEIGHTED", "PRIORITY"}:
        for entry in rule.get("defaultAnswerData", []):
            _whole_number(only(entry, {"answerCondition", "value"}).get("value"), 0, MAX_WEIGHT, "value")


def _whole_number(value: object, low: int, high: int, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise invalid(f"{name} must be a number from {low} to {high}, not {value!r}")


def _check_order(policy: Json, rules: Sequence[Json]) -> None:
    template = policy["template"]
    health = ["HEALTH"] if policy["healthCheckMonitorId"] is not None else []
    wanted = ["FILTER", *health, TEMPLATES[template], "LIMIT"]
    found = [rule["ruleType"] for rule in rules]
    if found != wanted:
        raise invalid(f"the rules of {template} are {', '.join(wanted)} in this order, not {', '.join(found)}")
    if rules[0].get("defaultAnswerData") != ENABLED or "cases" in rules[0]:
        raise invalid("the first rule must keep the answers with answer.isDisabled != true, without cases")
    if "cases" in rules[-1]:
        raise invalid("the LIMIT rule of a template has no cases")


def _check_load_balance(rules: Sequence[Json], names: Sequence[str]) -> None:
    if any("cases" in rule for rule in rules):
        raise invalid("rules of LOAD_BALANCE have no cases")
    spoken: list[Any] = []
    for entry in items(rules[-2], "defaultAnswerData"):
        condition = only(entry, {"answerCondition", "value"}).get("answerCondition", "")
        match = BY_NAME.fullmatch(condition)
        if match is None:
            raise invalid(f"WEIGHTED speaks of answers by name, not {condition!r}")
        spoken.append(match[1])
    unknown = sorted(set(spoken) - set(names))
    if unknown:
        raise invalid(f"WEIGHTED speaks of answers that the policy does not have: {', '.join(unknown)}")
    if len(set(spoken)) < len(spoken):
        raise invalid("WEIGHTED speaks of an answer twice")


def _check_tags(tags: object) -> None:
    if not isinstance(tags, dict) or len(tags) > MAX_TAGS:
        raise invalid(f"freeformTags are at most {MAX_TAGS}")
    for key, value in tags.items():
        if not 0 < len(key) <= MAX_TAG_KEY or not isinstance(value, str) or len(value) > MAX_TAG_VALUE:
            raise invalid(
                f"a free-form tag has a key of {MAX_TAG_KEY} and a value of {MAX_TAG_VALUE} characters at most"
            )
