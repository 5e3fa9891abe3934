"""Frozen dataclasses to JSON and back, so that a plan in a file, a row in the journal and a test read the same."""

from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

_ADAPTERS: Final[dict[object, TypeAdapter[Any]]] = {}


def dump(value: object, *, indent: int | None = None) -> str:
    return _adapter(type(value)).dump_json(value, indent=indent).decode()


def plain(value: object) -> Any:  # noqa: ANN401 - the JSON shape of whatever came in
    """The value as dicts, lists, strings and numbers."""
    return _adapter(type(value)).dump_python(value, mode="json")


def load(kind: type[T], text: str | bytes) -> T:
    """Raises ValueError (pydantic's ValidationError) when `text` is not a `kind`."""
    result: T = _adapter(kind).validate_json(text)
    return result


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Building one takes milliseconds, so each is built once."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
