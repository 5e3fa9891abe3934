"""From samples to numbers: percentiles, throughput, availability with its interval, cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, sqrt
from typing import Final

from failoverd.cli.benchmarking.open_loop import Run, Sample
from failoverd.cli.benchmarking.schedule import BenchmarkPlan, Prices
from failoverd.core.probe_reasons import ProbeOutcome

_Z95: Final = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""

PHASES: Final = ("resolve", "connect", "tls", "first_byte")
FIRST_TOKEN: Final = "time_to_first_token"  # noqa: S105 - of a completion
SPEED: Final = "tokens_per_second"
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of some values, each one a value that was seen."""

    count: int
    p50: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Speeds:
    """The same of what is better the more it is: `p10` is what nine in ten reached, `min` what all of them did."""

    count: int
    p50: float
    p10: float
    p1: float
    min: float


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, and where the true share is with 95 % confidence (Wilson 1927)."""

    hits: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        return self.hits / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a region, an endpoint or a cloud came to.

    Attributes:
        name, cloud: whose numbers they are.
        outcomes, reasons: how many requests ended so.
        availability: the share of PASS and DEGRADED among all that could be judged; BLIND says nothing of the target.
        throughput: answers a second.
        latency: of answers, in seconds, from when the request was sent; None without an answer.
        since_due: the same from when it was due.
        phases: of answers, by phase, where the check has it.
        first_token, speed: seconds to the first token, and tokens a second, of completions.
        unsent: requests that fell due and were never sent.
        tokens, cost: what completions took, and its price in USD; None where it is not known.
        prices: the inventory's.
    """

    name: str
    cloud: str
    outcomes: Mapping[str, int]
    reasons: Mapping[str, int]
    availability: Share
    throughput: float
    latency: Spread | None
    since_due: Spread | None
    phases: Mapping[str, Spread]
    first_token: Spread | None
    speed: Speeds | None
    unsent: int | None = None
    tokens: int | None = None
    cost: float | None = None
    prices: Prices = field(default_factory=Prices)


@dataclass(frozen=True, slots=True)
class Report:
    """A benchmark in numbers."""

    plan: BenchmarkPlan
    run: Run
    regions: tuple[Summary, ...]
    endpoints: tuple[Summary, ...]
    clouds: tuple[Summary, ...]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all are not above (nearest rank). `ordered` ascends."""
    rank = ceil(len(ordered) * percent / 100)
    return ordered[min(max(rank, 1), len(ordered)) - 1]


def spread(values: Iterable[float]) -> Spread | None:
    ordered = sorted(values)
    if not ordered:
        return None
    p50, p90, p99 = (percentile(ordered, each) for each in (50, 90, 99))
    return Spread(len(ordered), p50, p90, p99, ordered[-1])


def speeds(values: Iterable[float]) -> Speeds | None:
    mirrored = spread(-value for value in values)
    if mirrored is None:
        return None
    return Speeds(mirrored.count, -mirrored.p50, -mirrored.p90, -mirrored.p99, -mirrored.max)


def wilson(hits: int, total: int) -> Share:
    """The score interval: it stays within 0 and 1, and means something with few samples and at 100 %."""
    if total == 0:
        return Share(0, 0, 0.0, 1.0)
    share, square = hits / total, _Z95 * _Z95
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = _Z95 / (1 + square / total) * sqrt(share * (1 - share) / total + square / (4 * total * total))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == total else min(1.0, middle + half)
    return Share(hits, total, low, high)


def counts(words: Iterable[str]) -> dict[str, int]:
    """How often each is there, the most frequent first."""
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def summarise(name: str, cloud: str, samples: Sequence[Sample], seconds: float) -> Summary:
    """What these samples come to, whoever they are from."""
    answers = [sample for sample in samples if sample.answered]
    judged = sum(sample.outcome is not ProbeOutcome.BLIND for sample in samples)
    timed = {phase: spread(_present(getattr(each.timings, phase) for each in answers)) for phase in PHASES}
    return Summary(
        name=name,
        cloud=cloud,
        outcomes=counts(sample.outcome.value for sample in samples),
        reasons=counts(sample.reason.value for sample in samples),
        availability=wilson(len(answers), judged),
        throughput=len(answers) / seconds if seconds > 0 else 0.0,
        latency=spread(sample.timings.total for sample in answers),
        since_due=spread(sample.since_due for sample in answers),
        phases={phase: found for phase, found in timed.items() if found is not None},
        first_token=spread(measured(samples, FIRST_TOKEN)),
        speed=speeds(measured(samples, SPEED)),
    )


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def measured(samples: Iterable[Sample], name: str) -> list[float]:
    """What the probes measured under that name, where they did.

    Probes that overlap tell of the same completion: what an endpoint measured twice, to the last digit, is one.
    """
    found = ((sample.endpoint, value) for sample in samples for measure, value in sample.measures if measure == name)
    return [value for _, value in dict.fromkeys(found)]


def report(plan: BenchmarkPlan, run: Run, tokens: Mapping[str, int]) -> Report:
    """Everything, by region, endpoint and cloud. `tokens` is what completions took, by region."""
    by_region = {
        region.name: [each for each in run.samples if each.endpoint.region == region.name] for region in plan.regions
    }
    clouds = dict.fromkeys(cloud for cloud in plan.clouds.values() if cloud)
    return Report(
        plan,
        run,
        tuple(_region(plan, run, name, samples, tokens.get(name)) for name, samples in by_region.items()),
        tuple(
            summarise(
                endpoint.id,
                plan.clouds[endpoint.region],
                [each for each in by_region[endpoint.region] if each.endpoint == endpoint],
                run.seconds,
            )
            for endpoint in plan.endpoints
        ),
        tuple(
            summarise(
                cloud, cloud, [each for each in run.samples if plan.clouds[each.endpoint.region] == cloud], run.seconds
            )
            for cloud in clouds
        ),
    )


def _region(plan: BenchmarkPlan, run: Run, name: str, samples: Sequence[Sample], tokens: int | None) -> Summary:
    prices = plan.prices[name]
    price = prices.per_million_tokens
    cost = tokens * price / _MILLION if tokens is not None and price is not None else None
    found = summarise(name, plan.clouds[name], samples, run.seconds)
    return replace(found, unsent=run.unsent.get(name, 0), tokens=tokens, cost=cost, prices=prices)
