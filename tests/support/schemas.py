"""The keywords of JSON Schema that the committed schemas use, checked the plain way."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

SHAPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


@dataclass(frozen=True)
class Checker:
    """Says what is wrong with a value, by the schema `root` or a part of it."""

    root: Schema

    def complaints(self, value: object) -> list[str]:
        return list(self._check(self.root, value, ""))

    def _check(self, schema: Schema | bool, value: object, where: str) -> Iterator[str]:
        if isinstance(schema, bool):
            yield from () if schema else (f"{where} may not be there",)
        elif "$ref" in schema:
            yield from self._check(self.root["$defs"][schema["$ref"].rpartition("/")[2]], value, where)
        elif branches := schema.get("anyOf") or schema.get("oneOf"):
            yield from min((list(self._check(branch, value, where)) for branch in branches), key=len)
        elif "const" in schema or "enum" in schema:
            allowed = schema.get("enum", [schema.get("const")])
            if value not in allowed:
                yield f"{where} is not one of {allowed}"
        elif not isinstance(value, SHAPES[schema["type"]]):
            yield f"{where} is no {schema['type']}"
        elif isinstance(value, dict):
            yield from self._mapping(schema, value, where)
        elif isinstance(value, list):
            yield from self._list(schema, value, where)
        else:
            yield from _scalar(schema, value, where)

    def _mapping(self, schema: Schema, value: dict[str, object], where: str) -> Iterator[str]:
        yield from (f"{where} lacks {key}" for key in schema.get("required", ()) if key not in value)
        for key, item in value.items():
            part = _part(schema, key)
            if part is None:
                yield f"{where}.{key} is unknown"
            else:
                yield from self._check(part, item, f"{where}.{key}")

    def _list(self, schema: Schema, value: list[object], where: str) -> Iterator[str]:
        for index, item in enumerate(value):
            yield from self._check(schema["items"], item, f"{where}[{index}]")


def _part(schema: Schema, key: str) -> Schema | None:
    """What the value of a key has to be: by its name, by a pattern that it matches, or as every other one."""
    patterns = schema.get("patternProperties", {}).items()
    matching = [part for pattern, part in patterns if re.search(pattern, key)]
    named = schema.get("properties", {}).get(key) or next(iter(matching), None)
    return named or schema.get("additionalProperties") or None


def _scalar(schema: Schema, value: object, where: str) -> Iterator[str]:
    if isinstance(value, str):
        if not re.search(schema.get("pattern", ""), value):
            yield f"{where} does not match {schema['pattern']}"
    elif isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where} is out of bounds"
