"""What every rung makes of the head of an answer, and of its JSON."""

import json
import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.ports import Clock
from failoverd.probes.findings import Finding

MOST_PATIENCE: Final = 3_600.0
"""Seconds that a server may ask us to wait."""

_PASSING: Final = range(200, 300)
_REFUSED: Final = frozenset({401, 403})
_TOO_MANY_REQUESTS: Final = 429
_MOST_DIGITS: Final = 10


def retry_after(value: str, now: float) -> float:
    """Seconds to wait by a Retry-After (RFC 9110, 10.2.3), at most an hour; none for what cannot be understood."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(MOST_PATIENCE, float(text[:_MOST_DIGITS]))
    try:
        date = parsedate_to_datetime(text)
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError, TypeError, IndexError):
        return 0.0
    return max(0.0, min(MOST_PATIENCE, wait)) if math.isfinite(wait) else 0.0


def parse_json(data: bytes | bytearray) -> object:
    """JSON, however it was meant to hurt. Raises ValueError."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


class AnswerStatus:
    """Judges the status of one answer.

    Attributes:
        status: what it was; 0 before it came.
        wait: seconds that the server asked us to wait with more requests.
    """

    def __init__(self, clock: Clock, *, secret: bool) -> None:
        self._clock = clock
        self._secret = secret
        self.status = 0
        self.wait = 0.0

    def weigh(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding | None:
        """None for an answer to go on with. Full is not down: 429 is DEGRADED, with Retry-After or without."""
        self.status = status
        words = f"{status} {reason}".rstrip()
        if status in _PASSING:
            return None
        if status == _TOO_MANY_REQUESTS:
            self.wait = retry_after(headers.get("retry-after", ""), self._clock())
            return Finding(ProbeReason.OVERLOADED, f"{words}; asked to wait {self.wait:.0f}s" if self.wait else words)
        if status in _REFUSED:
            what = "does not accept the API key" if self._secret else "wants an API key: set api_key_file"
            return Finding(ProbeReason.CREDENTIAL_REFUSED, f"{words}: it {what}")
        return Finding(ProbeReason.STATUS_UNEXPECTED, words)


class LiveJudge:
    """The lowest rung: a status is all that is looked at."""

    def __init__(self, answer_status: AnswerStatus) -> None:
        self._answer_status = answer_status

    def head(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding:
        found = self._answer_status.weigh(status, reason, headers)
        return found or Finding(ProbeReason.OK, f"{status} {reason}".rstrip())

    def body(self, data: bytes) -> None:
        """The head has ended it."""

    def cut(self) -> None:
        """The head has ended it."""

    def end(self) -> Finding:
        raise AssertionError("the head has ended it")
