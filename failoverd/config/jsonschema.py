"""JSON Schemas of the kinds of file, for editors: draft 2020-12, made from the models and the installed kinds."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import WithDefaultSchema

from failoverd.config.schema.config_file import ConfigFile
from failoverd.config.schema.inventory_file import InventoryFile
from failoverd.config.schema.policy_file import PolicyFile
from failoverd.config.schema.scenario_file import ScenarioFile
from failoverd.config.schema.test_file import MOST_TESTS, TestEntry, TestFile
from failoverd.config.values import DURATION, say_duration
from failoverd.ports import Kinds

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def policy_schema(kinds: Kinds) -> Schema:
    """What a policy file can say, with the check kinds that are installed."""
    models = {name: kinds.probes[name].settings for name in sorted(kinds.probes)}
    schema, refs = _schema(PolicyFile, [*models.values(), TestEntry])
    schema["properties"]["tests"] |= {"type": "array", "items": refs[TestEntry], "maxItems": MOST_TESTS}
    return _with_kinds(schema, "checks", [refs[model] for model in models.values()])


def inventory_schema() -> Schema:
    """What the inventory can say."""
    return _schema(InventoryFile, [])[0]


def schema_of_tests() -> Schema:
    """What a file of tests beside the policies can say."""
    return _schema(TestFile, [])[0]


def scenario_schema() -> Schema:
    """What a scenario can say."""
    return _schema(ScenarioFile, [])[0]


def config_schema(kinds: Kinds) -> Schema:
    """What the daemon's configuration can say, with the provider kinds that are installed."""
    names = sorted(kinds.providers)
    models = [kinds.providers[name].settings for name in names]
    receivers = [kinds.receivers[name].settings for name in sorted(kinds.receivers)]
    schema, refs = _schema(ConfigFile, [*models, *receivers])
    branches = []
    for name, model in zip(names, models, strict=True):
        title = refs[model]["$ref"].rpartition("/")[2]
        schema["$defs"][title]["properties"]["kind"] = {"const": name, "description": "kind of the provider"}
        branches.append(refs[model])
    _with_kinds(schema, "notify", [refs[model] for model in receivers])
    return _with_kinds(schema, "providers", branches)


def _with_kinds(schema: Schema, key: str, branches: list[Schema]) -> Schema:
    """The values of the mapping at `key` are one of `branches`."""
    patterns = schema["properties"][key]["patternProperties"]
    for pattern in patterns:
        patterns[pattern] = {"anyOf": branches}
    return schema


class _AsWritten(GenerateJsonSchema):
    """Shows defaults as they would be written: through the serializer of their type, where it has one."""

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        write = cast("Any", schema["schema"].get("serialization", {})).get("function")
        if write is not None and "default" in found:
            found["default"] = write(schema["default"])
        return found


def _schema(root: type[BaseModel], others: Sequence[type[BaseModel]]) -> tuple[Schema, dict[type[BaseModel], Schema]]:
    """The schema of `root` with everything else below `$defs`, and a reference to each of `others`."""
    refs, found = models_json_schema([(model, "validation") for model in (root, *others)], schema_generator=_AsWritten)
    definitions = found["$defs"]
    own = definitions.pop(refs[root, "validation"]["$ref"].rpartition("/")[2])
    schema = {"$schema": DIALECT, **own}
    written = _as_written(schema)
    wanted = {model: refs[model, "validation"] for model in others}
    used = _reachable([written, *wanted.values()], definitions)
    if used:
        written["$defs"] = {name: _as_written(definitions[name]) for name in sorted(used)}
    return written, wanted


def _reachable(roots: Sequence[Any], definitions: Mapping[str, Schema]) -> set[str]:
    """Names of the definitions that something refers to."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name in definitions and name not in found:
                found.add(name)
                waiting.append(definitions[name])
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return found


def _as_written(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Defaults as a person writes them, and no null: a key without a value is an error in every file."""
    if isinstance(schema, list):
        return [_as_written(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {name: _as_written(part) for name, part in schema.items()}
    if isinstance(found.get("properties"), dict) and isinstance(found.get("title"), str):
        found["title"] = _words(found["title"])
    if "patternProperties" in found:
        found["additionalProperties"] = False
    choices = [part for part in found.get("anyOf", ()) if part != {"type": "null"}]
    if len(choices) == 1:
        found = {**choices[0], **{name: part for name, part in found.items() if name != "anyOf"}}
    elif choices:
        found["anyOf"] = choices
    default = found.get("default")
    if isinstance(default, int | float) and DURATION in str(found.get("pattern")):
        found["default"] = say_duration(default)
    elif not isinstance(default, str | int | float):
        found.pop("default", None)  # null is never written, and the keys of a mapping have their own defaults
    return found


def _words(title: str) -> str:
    """RecordEntry is a name for programmers; people read "record entry"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", title).lower()
