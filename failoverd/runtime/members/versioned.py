"""Values that members write for each other: JSON objects that say the version of their shape.

Fields may be added: who reads leaves those that it does not know, and a whole value of a later version.
"""

import json
from typing import Any, Final

VERSION: Final = 1

LARGEST: Final = 10**11
"""No time and no count of failoverd's is beyond it: in seconds it is the year 5138. Times that are none would hold up
each decision, and whoever wants to show them."""

LARGEST_EPOCH: Final = 10**18
"""That a marker can say, of 18 digits: what is known of a record has the one that stands there, whoever wrote it."""


class LaterVersionError(ValueError):
    """A later version of failoverd wrote it."""


def read_object(value: bytes, largest: int = LARGEST) -> dict[str, Any]:
    """Raises ValueError for what no member of this version wrote."""
    said = read_json(value, largest)
    if not isinstance(said, dict) or not isinstance(said.get("v"), int):
        raise ValueError("it is no value of failoverd's")  # noqa: TRY004 - somebody else wrote it
    if said["v"] > VERSION:
        raise LaterVersionError(f"a later version of failoverd wrote it (shape {said['v']}, this one knows {VERSION})")
    return said


def read_json(value: bytes, largest: int = LARGEST) -> Any:  # noqa: ANN401 - whatever stands there
    """Raises ValueError, also for numbers that no member writes: JSON has them of any size, and Python's has NaN.

    Whole ones may be as large as `largest`.
    """

    def number(text: str) -> float:
        fraction = bool(set(text) & set(".eENI"))
        if not abs(float(text)) <= (LARGEST if fraction else largest):
            raise ValueError(f"{text[:20]} is no number of failoverd's")
        return float(text) if fraction else int(text)

    try:
        return json.loads(value, parse_int=number, parse_float=number, parse_constant=number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
