"""The JSON Schemas that editors use: committed as they are made, and they agree with what the loader takes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.files import KINDS
from support.manual import MANUAL, POLICIES, REAL_KINDS, blocks, examples, scenarios, several_clouds, tiers
from support.schemas import Checker

from failoverd.config.documents import parse
from failoverd.config.jsonschema import (
    DIALECT,
    config_schema,
    inventory_schema,
    policy_schema,
    scenario_schema,
    schema_of_tests,
)
from failoverd.config.listing import SCENARIOS, TESTS

SCHEMAS: dict[str, dict[str, Any]] = {
    "policy": policy_schema(REAL_KINDS),
    "regions": inventory_schema(),
    "config": config_schema(REAL_KINDS),
    "tests": schema_of_tests(),
    "scenario": scenario_schema(),
}


def schema_of(path: Path) -> dict[str, Any]:
    if path.name.endswith(TESTS):
        return SCHEMAS["tests"]
    if path.name.endswith(SCENARIOS):
        return SCHEMAS["scenario"]
    return SCHEMAS[{"regions.yaml": "regions", "failoverd.yaml": "config"}.get(path.name, "policy")]


def data(text: str) -> dict[str, Any]:
    document = parse(text.encode(), "f.yaml").document
    assert document is not None
    return document.data


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_committed_schema_is_the_one_that_is_made(name: str) -> None:
    committed = json.loads((POLICIES / f"{name}.schema.json").read_text())
    assert committed == SCHEMAS[name], f"run: failoverctl schema {name} > policies/{name}.schema.json"


@pytest.mark.parametrize(
    "path", [*examples(), *scenarios(), *tiers(), *several_clouds()], ids=lambda path: str(path.name)
)
def test_the_examples_agree_with_their_schema(path: Path) -> None:
    assert Checker(schema_of(path)).complaints(data(path.read_text())) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("every: 10s", "every: 10"),
        ("share: 70", "share: 170"),
        ("tier: prod", "tier: production"),
        ("https: /health", "htps: /health"),
        ("max_shift: 70% per 5m", "max_shift: 70 per 5m"),
        ("failback: {after: 5m}", "failback: {aftr: 5m}"),
        ("failback: {after: 5m}", "failback:"),
        ("  azure-eastus:", "  Azure East:"),
        ("checks:", "check:"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(old: str, new: str) -> None:
    text = (POLICIES / "inference-api.yaml").read_text()
    assert old in text
    assert Checker(SCHEMAS["policy"]).complaints(data(text.replace(old, new))) != []


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_says_what_it_is_and_describes_its_keys(name: str) -> None:
    schema = SCHEMAS[name]
    assert schema["$schema"] == DIALECT
    assert schema["additionalProperties"] is False
    own = schema["properties"]
    assert [key for key, part in own.items() if not part.get("description")] == []


def test_no_schema_lets_a_key_be_without_a_value() -> None:
    assert '"null"' not in json.dumps(SCHEMAS)


def test_defaults_are_shown_as_they_would_be_written() -> None:
    definitions = SCHEMAS["policy"]["$defs"]
    assert definitions["HealthEntry"]["properties"]["recheck"]["default"] == "500ms"
    assert definitions["HealthEntry"]["properties"]["down_below"]["default"] == "50%"
    assert definitions["LimitsEntry"]["properties"]["max_shift"]["default"] == "100% per 5m"
    assert definitions["RecordEntry"]["properties"]["ttl"]["default"] == "30s"


def test_kinds_that_are_installed_are_in_the_schema() -> None:
    assert set(config_schema(KINDS)["$defs"]) == {
        "ApiEntry",
        "ApiTcpEntry",
        "CoordinationEntry",
        "EtcdSettings",
        "IsolationEntry",
        "KubernetesSettings",
        "Level",
        "LogEntry",
        "MemberEntry",
        "MemberRole",
        "MetricsEntry",
        "PlainDns",
        "ProbingEntry",
        "PrometheusEntry",
        "Uncoordinated",
        "WeightedDns",
    }
    assert {"LookSettings", "KnockSettings"} <= set(policy_schema(KINDS)["$defs"])


# -- the manual --------------------------------------------------------------------------------------------------------


def test_the_manual_explains_every_key_that_a_file_can_have() -> None:
    text = (
        MANUAL.read_text() + (MANUAL.parent / "testing.md").read_text() + (MANUAL.parent / "simulating.md").read_text()
    )
    keys = {
        key
        for schema in SCHEMAS.values()
        for part in (schema, *schema.get("$defs", {}).values())
        for key in part.get("properties", {})
    }
    missing = {key for key in keys if not re.search(rf"^\|.*`([\w.]*\.)?{key}(\.[\w]+)?`", text, re.MULTILINE)}
    assert missing == set()


def test_the_manual_has_examples_of_every_kind() -> None:
    assert all(blocks(kind) for kind in ("policy", "checks", "health", "regions", "config"))
