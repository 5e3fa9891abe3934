"""Frozen dataclasses to JSON and back, so that a plan in a file, a row in the journal and a test read the same.

What is kept often says nearly the same as before. `delta` is what makes one JSON value of another, again as JSON: of a
dict, what is new (`+`), gone (`-`) or changed (`~`); of a list, where how many items make room for which others (`@`);
of all else, the new value (`=`). `packed` makes bytes of JSON, of which a dictionary knows the words already (RFC 1950,
section 2.2).
"""

import json
import zlib
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

T = TypeVar("T")

Json = Any
"""Dicts, lists, strings, numbers, booleans and None."""

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


def shaped(kind: type[T], value: Json) -> T:
    """The same for JSON that was parsed already. Raises ValueError."""
    result: T = _adapter(kind).validate_python(value)
    return result


# -- nearly the same as before ---------------------------------------------------------------------------------------


def delta(before: Json, after: Json) -> Json:
    """What makes `after` of `before`; both are JSON, and not equal."""
    if isinstance(before, dict) and isinstance(after, dict):
        new = {key: value for key, value in after.items() if key not in before}
        gone = [key for key in before if key not in after]
        pairs = ((key, before[key], value) for key, value in after.items() if key in before)
        changed = {key: delta(was, value) for key, was, value in pairs if was != value}
        return {sign: part for sign, part in (("+", new), ("-", gone), ("~", changed)) if part}
    if isinstance(before, list) and isinstance(after, list):
        shorter = min(len(before), len(after))
        start = next((at for at in range(shorter) if before[at] != after[at]), shorter)
        end = next((at for at in range(shorter - start) if before[-1 - at] != after[-1 - at]), shorter - start)
        return {"@": [start, len(before) - start - end, after[start : len(after) - end]]}
    return {"=": after}


def patched(before: Json, change: Json) -> Json:
    """`before` with a `delta`. Raises ValueError, LookupError or TypeError for what is no delta of it."""
    if "=" in change:
        return change["="]
    if "@" in change:
        start, room, items = change["@"]
        return [*before[:start], *items, *before[start + room :]]
    gone = set(change.get("-", ()))
    kept = {key: value for key, value in before.items() if key not in gone}
    return {
        **kept,
        **{key: patched(before[key], each) for key, each in change.get("~", {}).items()},
        **change.get("+", {}),
    }


def packed(value: Json, dictionary: bytes = b"") -> bytes:
    """JSON in as few bytes as there is a way to; `dictionary` is text of the same kind, which `unpacked` gets, too."""
    text = json.dumps(value, separators=(",", ":")).encode()
    shorter = zlib.compressobj(zdict=dictionary) if dictionary else zlib.compressobj()
    small = shorter.compress(text) + shorter.flush()
    return small if len(small) < len(text) else text


def unpacked(data: bytes, dictionary: bytes = b"") -> Json:
    """Raises ValueError for what is neither JSON nor packed JSON, or was packed with another dictionary."""
    if data[:1] not in _PACKED:
        return json.loads(data)
    try:
        longer = zlib.decompressobj(zdict=dictionary) if dictionary else zlib.decompressobj()
        text = longer.decompress(data, MOST_UNPACKED)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
    if not longer.eof:
        raise ValueError("its end is missing")
    return json.loads(text)


MOST_UNPACKED: Final = 64 * 1024 * 1024
"""Bytes of one value: damage must not fill the memory."""

_PACKED: Final = (b"\x78",)
"""The first byte of what zlib packs in a window of 32 kB; no JSON begins with an x."""


def text_of(data: bytes) -> bytes:
    """The JSON of what was packed without a dictionary: itself one for what is like it. Raises ValueError."""
    try:
        return zlib.decompress(data) if data[:1] in _PACKED else data
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Building one takes milliseconds, so each is built once."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
