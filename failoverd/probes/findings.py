"""What a probe found, before it is timed: a reason, a detail for people, and numbers."""

from enum import StrEnum
from typing import NamedTuple

from failoverd.core.records import Outcome, ProbeReason

MAX_DETAIL = 200
"""Characters that a detail may have."""


class Phase(StrEnum):
    """Where a probe stands. The first four are also the names of its timings."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    FIRST_BYTE = "first_byte"
    ANSWER = "answer"


class Finding(NamedTuple):
    """What a probe came to, before it is timed."""

    reason: ProbeReason
    detail: str = ""
    measures: tuple[tuple[str, float], ...] = ()


class Concluded(Exception):  # noqa: N818 - not an error: the probe is over and this is what it found
    """Ends a probe early, from any depth, with what was found."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.detail)
        self.finding = finding


_OUTCOMES = {
    ProbeReason.OK: Outcome.PASS,
    ProbeReason.OVERLOADED: Outcome.DEGRADED,
    ProbeReason.SLOW: Outcome.DEGRADED,
    ProbeReason.CERTIFICATE_EXPIRING: Outcome.DEGRADED,
    ProbeReason.PLUGIN_WARNING: Outcome.DEGRADED,
    ProbeReason.THRESHOLD_WARNING: Outcome.DEGRADED,
    ProbeReason.FIRST_TOKEN_SLOW: Outcome.DEGRADED,
    ProbeReason.THROUGHPUT_LOW: Outcome.DEGRADED,
    ProbeReason.NO_ROUTE: Outcome.BLIND,
    ProbeReason.NO_DESCRIPTORS: Outcome.BLIND,
    ProbeReason.RESOLVER_FAILED: Outcome.BLIND,
    ProbeReason.PROBER_ERROR: Outcome.BLIND,
    ProbeReason.PLUGIN_UNKNOWN: Outcome.BLIND,
    ProbeReason.PLUGIN_UNUSABLE: Outcome.BLIND,
    ProbeReason.METRIC_MISSING: Outcome.BLIND,
    ProbeReason.CREDENTIAL_REFUSED: Outcome.BLIND,
    ProbeReason.CREDENTIAL_MISSING: Outcome.BLIND,
    ProbeReason.NOT_PERMITTED: Outcome.BLIND,
    ProbeReason.VANTAGE_ISOLATED: Outcome.BLIND,
}


def outcome_of(reason: ProbeReason) -> Outcome:
    """Every reason that is not good news, and not about the prober itself, is a failure of the endpoint."""
    return _OUTCOMES.get(reason, Outcome.FAIL)


def printable(text: str, limit: int = MAX_DETAIL) -> str:
    """`text` with everything that a terminal would obey instead of show escaped, cut to `limit` characters."""
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:limit])
    return shown if len(shown) <= limit and len(text) <= limit else shown[: limit - 1] + "…"


def excerpt(data: bytes, limit: int = 40) -> str:
    """The beginning of what a target sent, fit for a log line."""
    return f'"{printable(data[: limit + 1].decode("utf-8", "backslashreplace"), limit)}"'
