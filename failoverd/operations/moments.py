"""Times as people say them."""

import math
import re
from datetime import UTC, datetime
from typing import Final


def moment(text: str, now: float) -> float:
    """The end of what people mean by `03:12`, `03:12:30` (the last time it was so late) or an ISO 8601 time, in UTC.

    Seconds since the epoch; a time with an offset is understood as it says. The end, because a change at 03:12:07
    happened "at 03:12".

    Raises:
        ValueError: it is none of these.
    """
    written = _MOMENT.fullmatch(text)
    if written is None:
        raise ValueError(f"{text!r} is not a time")
    today = datetime.fromtimestamp(now, UTC).date()
    found = datetime.fromisoformat(text if written["date"] else f"{today}T{text}")
    begin = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not written["date"]:
        begin -= _DAY * math.ceil((begin - now) / _DAY)
    if not written["seconds"]:
        return begin + 59.999
    return begin if written["fraction"] else begin + 0.999


_DAY: Final = 86_400.0

_MOMENT: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d[T ])?\d\d:\d\d(?P<seconds>:\d\d(?P<fraction>\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
