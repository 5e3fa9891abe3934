"""Values that members write for each other: JSON objects that say the version of their shape.

Fields may be added: who reads leaves those that it does not know, and a whole value of a later version.
"""

import json
from typing import Any, Final

VERSION: Final = 1


class LaterVersionError(ValueError):
    """A later version of failoverd wrote it."""


def read_object(value: bytes) -> dict[str, Any]:
    """Raises ValueError for what no member of this version wrote."""
    try:
        said = json.loads(value)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(said, dict) or not isinstance(said.get("v"), int):
        raise ValueError("it is no value of failoverd's")  # noqa: TRY004 - somebody else wrote it
    if said["v"] > VERSION:
        raise LaterVersionError(f"a later version of failoverd wrote it (shape {said['v']}, this one knows {VERSION})")
    return said
