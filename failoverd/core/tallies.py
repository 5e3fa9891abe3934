"""Plain counts of what is done. They are kept on the hot path, and read by metrics and by `failoverctl status`."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from failoverd.core.errors import Fenced, Permanent, ProviderError, RateLimited, Transient
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import ProbeResult

LATENCY_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds that a probe took, as upper bounds of the buckets."""

LAG_BOUNDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds that a probe began after its time, as upper bounds of the buckets."""


class Histogram:
    """How often a value was at most so much. `counts` has one bucket more than `bounds`, for all that is greater."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float], counts: Iterable[int] = (), total: float = 0.0) -> None:
        self.bounds = tuple(bounds)
        self.counts = list(counts) or [0] * (len(self.bounds) + 1)
        self.total = total

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def copy(self) -> "Histogram":
        return Histogram(self.bounds, self.counts, self.total)

    def cumulative(self) -> list[int]:
        """For each bound, and at last for all values, how many were at most so much."""
        sums, so_far = [], 0
        for count in self.counts:
            so_far += count
            sums.append(so_far)
        return sums


def percentile(bounds: Sequence[float], counts: Sequence[int], percent: float) -> float:
    """The upper bound of the bucket that the percentile lies in; infinite beyond the last one, 0 without values."""
    wanted, so_far = sum(counts) * percent / 100, 0
    if not wanted:
        return 0.0
    for bound, count in zip(bounds, counts, strict=False):
        so_far += count
        if so_far >= wanted:
            return bound
    return float("inf")


class ProbeTally:
    """The probes of one check of one policy, by what they came to. Nearly all of them are `ok`."""

    __slots__ = ("check", "kind", "ok", "others", "policy", "seconds")

    def __init__(self, policy: str, check: str, kind: str) -> None:
        self.policy = policy
        self.check = check
        self.kind = kind
        self.ok = 0
        self.others: dict[tuple[ProbeOutcome, ProbeReason], int] = {}
        self.seconds = Histogram(LATENCY_BOUNDS)

    def add(self, result: ProbeResult) -> None:
        if result.reason is ProbeReason.OK:
            self.ok += 1
        else:
            key = (result.outcome, result.reason)
            self.others[key] = self.others.get(key, 0) + 1
        if result.outcome is not ProbeOutcome.BLIND:
            self.seconds.add(result.timings.total)

    def figures(self) -> "ProbeFigures":
        passed = {(ProbeOutcome.PASS, ProbeReason.OK): self.ok} if self.ok else {}
        return ProbeFigures(self.policy, self.check, self.kind, {**passed, **self.others}, self.seconds.copy())


@dataclass(frozen=True, slots=True)
class ProbeFigures:
    """What a `ProbeTally` stood at. `seconds` leaves out the probes in which the prober was BLIND."""

    policy: str
    check: str
    kind: str
    outcomes: Mapping[tuple[ProbeOutcome, ProbeReason], int]
    seconds: Histogram


@dataclass(frozen=True, slots=True)
class ProbingFigures:
    """What probing as a whole stood at.

    Since the start: `lag`; `skipped` probes, whose predecessor was still under way; `dropped` ones, for which no place
    was left even to wait; `trips` of wires. Now: `in_flight`, `limit`, `waiting`, `wires`, and `stretched`, the factor
    by which load shedding stretches the intervals. `lag_max` is the worst of the last full minute, or of this one.
    """

    probes: tuple[ProbeFigures, ...] = ()
    lag: Histogram = field(default_factory=lambda: Histogram(LAG_BOUNDS))
    lag_max: float = 0.0
    in_flight: int = 0
    limit: int = 0
    waiting: int = 0
    skipped: int = 0
    dropped: int = 0
    stretched: int = 1
    wires: int = 0
    trips: int = 0


# -- providers ---------------------------------------------------------------------------------------------------------

CALL_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds that a call to a provider took, as upper bounds of the buckets."""


class CallOutcome(StrEnum):
    """What a call to a provider came to."""

    OK = "ok"
    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    PERMANENT = "permanent"
    FENCED = "fenced"
    CRASHED = "crashed"  # a defect of ours
    GIVEN_UP = "given_up"  # something more urgent came, or it took too long

    @classmethod
    def of(cls, error: BaseException) -> "CallOutcome":
        if not isinstance(error, Exception):
            return cls.GIVEN_UP
        kinds: dict[type[ProviderError], CallOutcome] = {
            Transient: cls.TRANSIENT,
            RateLimited: cls.RATE_LIMITED,
            Permanent: cls.PERMANENT,
            Fenced: cls.FENCED,
        }
        return next((outcome for kind, outcome in kinds.items() if isinstance(error, kind)), cls.CRASHED)


class CallTally:
    """The calls of one kind (`read` or `apply`) to one provider."""

    __slots__ = ("call", "outcomes", "provider", "seconds")

    def __init__(self, provider: str, call: str) -> None:
        self.provider = provider
        self.call = call
        self.outcomes = dict.fromkeys(CallOutcome, 0)
        self.seconds = Histogram(CALL_BOUNDS)

    def add(self, outcome: CallOutcome, seconds: float) -> None:
        self.outcomes[outcome] += 1
        self.seconds.add(seconds)

    def figures(self) -> "CallFigures":
        return CallFigures(self.provider, self.call, dict(self.outcomes), self.seconds.copy())


@dataclass(frozen=True, slots=True)
class CallFigures:
    """What a `CallTally` stood at. `seconds` has all of them, from the wish to the answer: they wait for their turn."""

    provider: str
    call: str
    outcomes: Mapping[CallOutcome, int]
    seconds: Histogram
