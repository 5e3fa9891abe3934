"""What a daemon's metrics say, read as Prometheus does."""

import math
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from bench.endpoints import METRICS_PORT


@dataclass(frozen=True)
class Histogram:
    """How many observations were at most so much, by upper bound; all series of one name together."""

    counts: Mapping[float, float] = field(default_factory=dict)

    def since(self, before: "Histogram") -> "Histogram":
        return Histogram({bound: count - before.counts.get(bound, 0.0) for bound, count in self.counts.items()})

    @property
    def total(self) -> float:
        return self.counts.get(math.inf, 0.0)

    def percentile(self, percent: float) -> float:
        """The upper bound of the bucket in which it lies: it is at most so much."""
        wanted = self.total * percent / 100
        return next((bound for bound, count in sorted(self.counts.items()) if count >= wanted), math.inf)


def scrape(place: str = f"http://127.0.0.1:{METRICS_PORT}") -> str:
    """The page of whoever runs there; of the daemon, if nothing else is said.

    Raises:
        RuntimeError: it does not answer.
    """
    url = f"{place}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the benchmark says the place
            page: bytes = answer.read()
    except urllib.error.URLError as error:
        raise RuntimeError(f"the metrics at {url} do not answer: {error.reason}") from error
    return page.decode()


def histogram(page: str, name: str) -> Histogram:
    """The histogram of this name.

    Raises:
        RuntimeError: the page has none.
    """
    counts: dict[float, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == f"{name}_bucket":
                bound = float(sample.labels["le"])
                counts[bound] = counts.get(bound, 0.0) + sample.value
    if not counts:
        raise RuntimeError(f"the daemon's metrics have no histogram {name}")
    return Histogram(counts)


def total(page: str, name: str) -> float:
    """The sum of all series of this name; 0 when there is none."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    )
