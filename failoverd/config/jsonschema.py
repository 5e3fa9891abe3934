"""JSON Schemas of the three kinds of file, for editors: draft 2020-12, made from the models and the installed kinds."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from failoverd.config.schema import ConfigFile, InventoryFile, PolicyFile
from failoverd.config.values import DURATION, say_duration, say_percent
from failoverd.ports import Kinds

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def policy_schema(kinds: Kinds) -> Schema:
    """What a policy file can say, with the check kinds that are installed."""
    models = {name: kinds.probes[name].settings for name in sorted(kinds.probes)}
    schema, refs = _schema(PolicyFile, list(models.values()))
    schema["properties"]["checks"]["additionalProperties"] = {"anyOf": [refs[model] for model in models.values()]}
    return schema


def inventory_schema() -> Schema:
    """What the inventory can say."""
    return _schema(InventoryFile, [])[0]


def config_schema(kinds: Kinds) -> Schema:
    """What the daemon's configuration can say, with the provider kinds that are installed."""
    names = sorted(kinds.providers)
    models = [kinds.providers[name].settings for name in names]
    schema, refs = _schema(ConfigFile, models)
    branches = []
    for name, model in zip(names, models, strict=True):
        title = refs[model]["$ref"].rpartition("/")[2]
        schema["$defs"][title]["properties"]["kind"] = {"const": name, "description": "kind of the provider"}
        branches.append(refs[model])
    schema["properties"]["providers"]["additionalProperties"] = {"anyOf": branches}
    return schema


def _schema(root: type[BaseModel], others: Sequence[type[BaseModel]]) -> tuple[Schema, dict[type[BaseModel], Schema]]:
    """The schema of `root` with everything else below `$defs`, and a reference to each of `others`."""
    refs, found = models_json_schema([(model, "validation") for model in (root, *others)])
    definitions = found["$defs"]
    own = definitions.pop(refs[root, "validation"]["$ref"].rpartition("/")[2])
    schema = {"$schema": DIALECT, **own}
    if definitions:
        schema["$defs"] = definitions
    return _as_written(schema), {model: refs[model, "validation"] for model in others}


def _as_written(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Defaults as a person writes them, and no null: a key without a value is an error in every file."""
    if isinstance(schema, list):
        return [_as_written(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {name: _as_written(part) for name, part in schema.items()}
    if isinstance(found.get("properties"), dict) and isinstance(found.get("title"), str):
        found["title"] = _words(found["title"])
    choices = [part for part in found.get("anyOf", ()) if part != {"type": "null"}]
    if len(choices) == 1:
        found = {**choices[0], **{name: part for name, part in found.items() if name != "anyOf"}}
    if "default" in found:
        found |= {"default": _default(found, found["default"])}
        if not isinstance(found["default"], str | int | float):
            del found["default"]
    return found


def _default(schema: Schema, value: object) -> object:
    pattern = str(schema.get("pattern", ""))
    if " per " in str(schema.get("examples", "")) and isinstance(value, list | tuple):
        amount, window = value
        shown = say_percent(amount) if "%" in pattern else str(amount)
        return f"{shown} per {say_duration(window)}"
    if DURATION in pattern and isinstance(value, int | float):
        return say_duration(value)
    if "%" in pattern and isinstance(value, int):
        return say_percent(value)
    return value


def _words(title: str) -> str:
    """RecordEntry is a name for programmers; people read "record entry"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title).lower()
