"""Frozen dataclasses to JSON and back, so that a plan in a file, a row in the journal and a test read the same."""

import json
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

T = TypeVar("T")

_ADAPTERS: Final[dict[object, TypeAdapter[Any]]] = {}


def dump(value: object, *, indent: int | None = None) -> str:
    try:
        return _adapter(type(value)).dump_json(value, indent=indent).decode()
    except PydanticSerializationError:
        return json.dumps(sayable(plain(value)), indent=indent)


def plain(value: object) -> Any:  # noqa: ANN401 - the JSON shape of whatever came in
    """The value as dicts, lists, strings and numbers."""
    return _adapter(type(value)).dump_python(value, mode="json")


def sayable(value: Any) -> Any:  # noqa: ANN401 - the shape of JSON
    """The same, where every text is one: bytes of a file's name that are none in this locale (PEP 383) are escaped."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {sayable(key): sayable(item) for key, item in value.items()}
        case list():
            return [sayable(item) for item in value]
        case _:
            return value


def load(kind: type[T], text: str | bytes) -> T:
    """Raises ValueError (pydantic's ValidationError) when `text` is not a `kind`."""
    result: T = _adapter(kind).validate_json(text)
    return result


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Building one takes milliseconds, so each is built once."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
