"""What a monitoring plugin prints: one line for people, then performance data behind `|`.

The form is the one of the Monitoring Plugins' guidelines: `'label'=value[unit];warn;crit;min;max`, separated by spaces,
on the first line and again after the first `|` of the lines below. What does not have that form is passed over.
Nothing here raises, and time grows with the length of the text only.
"""

import math
import re
from collections.abc import Iterator
from typing import Final

MOST_MEASURES: Final = 32
_MOST_DATA: Final = 8_192
_MOST_NAME: Final = 48

_ITEM: Final = re.compile(
    r"(?:'(?P<quoted>(?:[^']|'')*)'|(?P<plain>[^\s'=]+))="
    r"(?P<number>[-+]?(?:\d{1,20}(?:[.,]\d{0,20})?|[.,]\d{1,20})(?:[eE][-+]?\d{1,3})?)"
    r"(?P<unit>[^\s;\d]{0,8})(?:;[^\s]*)?(?=\s|$)",
    re.ASCII,
)
_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9]+")
_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SUFFIXES: Final = {"%": "percent", "b": "bytes", "c": "total"}


def split(output: str) -> tuple[str, str]:
    """The line for people, and everything that is performance data."""
    first, _, below = output.partition("\n")
    words, _, data = first.partition("|")
    _, _, more = below.partition("|")
    return words.strip(), f"{data} {more}"


def measures(data: str) -> tuple[tuple[str, float], ...]:
    """Numbers by name, with their unit in the name: `time=12ms` is `("time_seconds", 0.012)`.

    At most `MOST_MEASURES`; of two with one name, the first.
    """
    found: dict[str, float] = {}
    for name, value in _items(data[:_MOST_DATA]):
        found.setdefault(name, value)
        if len(found) == MOST_MEASURES:
            break
    return tuple(found.items())


def _items(data: str) -> Iterator[tuple[str, float]]:
    at = 0
    while at < len(data):
        item = _ITEM.match(data, at)
        if item is None:
            at = _next_word(data, at)
            continue
        at = item.end()
        label = item["plain"] if item["quoted"] is None else item["quoted"]
        name, factor = _named(label, item["unit"])
        value = float(item["number"].replace(",", ".")) * factor
        if math.isfinite(value):
            yield name, value


def _next_word(data: str, at: int) -> int:
    """Where the next thing begins that could be an item."""
    if data[at].isspace():
        return at + 1
    while at < len(data) and not data[at].isspace():
        at += 1
    return at


def _named(label: str, unit: str) -> tuple[str, float]:
    """A name that is safe everywhere, and what to multiply the value by."""
    if unit in _SECONDS:
        return _safe(label, "seconds"), _SECONDS[unit]
    return _safe(label, _SUFFIXES.get(unit.lower(), unit)), 1.0


def _safe(label: str, unit: str) -> str:
    name = _NOT_IN_A_NAME.sub("_", label.lower()).strip("_")[:_MOST_NAME] or "value"
    suffix = _NOT_IN_A_NAME.sub("_", unit.lower()).strip("_")
    whole = f"{name}_{suffix}" if suffix else name
    return f"_{whole}" if whole[0].isdigit() else whole
