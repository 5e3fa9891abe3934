"""Frozen dataclasses to JSON and back, so that a plan in a file, a row in the journal and a test read the same."""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

T = TypeVar("T")


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", kind))


def dump(value: object, *, indent: int | None = None) -> str:
    return _adapter(type(value)).dump_json(value, indent=indent).decode()


def plain(value: object) -> Any:  # noqa: ANN401 - the JSON shape of whatever came in
    """The value as dicts, lists, strings and numbers."""
    return _adapter(type(value)).dump_python(value, mode="json")


def load(kind: type[T], text: str | bytes) -> T:
    """Raises ValueError (pydantic's ValidationError) when `text` is not a `kind`."""
    result: T = _adapter(kind).validate_json(text)
    return result
