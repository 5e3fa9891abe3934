"""What failoverd counts, as Prometheus reads it. docs/metrics.md has the list.

Nothing here is on the way of a probe: the counts are plain numbers that the runtime keeps, and they are turned into
metrics when somebody asks. No label names an endpoint, so the number of series grows with policies, checks and regions
alone.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from failoverd.core.records import WHOLE
from failoverd.core.status import Overview, Status
from failoverd.core.tallies import Histogram, ProbingFigures

_CHECK = ("policy", "check", "kind")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that one page is made of. Nothing of it changes any more, so another thread may make the page."""

    figures: ProbingFigures
    overview: Overview
    version: str
    started_at: float

    def page(self) -> bytes:
        """In the text format of Prometheus, 0.0.4."""
        registry = CollectorRegistry()
        registry.register(_Collector(self))
        ProcessCollector(registry=registry)
        return generate_latest(registry)


class Metrics:
    """Where the numbers come from.

    Args:
        figures: what probing stands at.
        statuses: where policies, regions and the vantage stand.
        version: of failoverd.
        started_at: when the daemon started, in seconds since the epoch.
    """

    def __init__(
        self,
        figures: Callable[[], ProbingFigures],
        statuses: Callable[[], Sequence[Status]],
        version: str,
        started_at: float,
    ) -> None:
        self._figures = figures
        self._statuses = statuses
        self._version = version
        self._started_at = started_at

    def snapshot(self) -> Snapshot:
        """As of now. To be called from the event loop."""
        return Snapshot(self._figures(), Overview.of(self._statuses()), self._version, self._started_at)


class _Collector(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        taken = self._snapshot
        yield InfoMetricFamily("failoverd_build", "Which failoverd this is.", {"version": taken.version})
        yield _gauge("start_time_seconds", "When the daemon started, in seconds since the epoch.", taken.started_at)
        yield from _probes(taken.figures)
        yield from _schedule(taken.figures)
        yield from _wires(taken.figures)
        yield from _health(taken.overview)


def _probes(figures: ProbingFigures) -> Iterator[Metric]:
    total = CounterMetricFamily(
        "failoverd_probes", "Probes that ended, by what they came to.", labels=(*_CHECK, "outcome", "reason")
    )
    seconds = HistogramMetricFamily(
        "failoverd_probe_duration_seconds", "How long probes took. Those that were blind are not in it.", labels=_CHECK
    )
    for each in figures.probes:
        labels = (each.policy, each.check, each.kind)
        for (outcome, reason), count in each.outcomes.items():
            total.add_metric((*labels, outcome.value, reason.value), count)
        _observed(seconds, labels, each.seconds)
    yield total
    yield seconds


def _schedule(figures: ProbingFigures) -> Iterator[Metric]:
    lag = HistogramMetricFamily("failoverd_schedule_lag_seconds", "How long after their time probes were begun.")
    _observed(lag, (), figures.lag)
    yield lag
    yield _gauge("schedule_lag_max_seconds", "The most of it, in the last one to two minutes.", figures.lag_max)
    yield _gauge("probes_in_flight", "Probes under way.", figures.in_flight)
    yield _gauge("probes_in_flight_limit", "How many may be under way at once.", figures.limit)
    yield _gauge("probes_waiting", "Probes that wait for a place among those under way.", figures.waiting)
    yield _counter(
        "probes_skipped", "Probes not begun in their turn, because the one before was under way.", figures.skipped
    )
    yield _counter("probes_dropped", "Probes not begun in their turn, because too many waited.", figures.dropped)
    yield _gauge("probe_interval_factor", "How often the written interval passes between probes.", figures.stretched)


def _wires(figures: ProbingFigures) -> Iterator[Metric]:
    yield _gauge("trip_wires", "Idle connections that are kept as trip wires.", figures.wires)
    yield _counter("trip_wires_tripped", "How often a trip wire tripped.", figures.trips)


def _health(found: Overview) -> Iterator[Metric]:
    score = GaugeMetricFamily(
        "failoverd_region_score_ratio",
        "How much of a region serves, from 0 to 1.",
        labels=("policy", "record_type", "region"),
    )
    state = GaugeMetricFamily(
        "failoverd_region_state",
        "1 for the state that the region is in.",
        labels=("policy", "record_type", "region", "state"),
    )
    incident = GaugeMetricFamily("failoverd_policy_incident", "1 while the policy has an incident.", labels=("policy",))
    held = GaugeMetricFamily(
        "failoverd_failover_held", "1 while something that is down is kept in an answer.", labels=("policy",)
    )
    rivals = GaugeMetricFamily(
        "failoverd_rival_records", "Records that another instance of the owner writes as well.", labels=("policy",)
    )
    isolated = GaugeMetricFamily("failoverd_vantage_isolated", "Address families in which the prober abstains.")
    orphans = GaugeMetricFamily("failoverd_orphaned_records", "Records of ours that no policy file names any more.")
    for region in found.regions:
        labels = (region.policy, region.record_type, region.region)
        score.add_metric(labels, region.score / WHOLE)
        state.add_metric((*labels, region.state), 1)
    kept = {target.target.policy for target in found.targets if target.keeps_dead}
    rivalled = Counter(target.target.policy for target in found.targets if target.has_rival)
    for policy in found.policies:
        rivals.add_metric((policy.policy,), rivalled[policy.policy])
        incident.add_metric((policy.policy,), bool(policy.incident_id))
        held.add_metric((policy.policy,), policy.policy in kept)
    orphans.add_metric((), len(found.orphans))
    if found.vantage is not None:
        isolated.add_metric((), len(found.vantage.isolated))
    yield from (score, state, incident, held, rivals, isolated, orphans, *_notifications(found))


def _notifications(found: Overview) -> Iterator[Metric]:
    labels = ("receiver", "place")
    failing = GaugeMetricFamily(
        "failoverd_notifications_failing", "1 while a receiver does not take what it is told.", labels=labels
    )
    waiting = GaugeMetricFamily("failoverd_notifications_waiting", "Notices that wait to be taken.", labels=labels)
    delivered = CounterMetricFamily("failoverd_notifications_delivered", "Notices that were taken.", labels=labels)
    dropped = CounterMetricFamily("failoverd_notifications_dropped", "Notices that were given up.", labels=labels)
    for each in found.notifications.receivers if found.notifications is not None else ():
        place = (each.receiver, each.place)
        failing.add_metric(place, each.failing_since is not None)
        waiting.add_metric(place, each.waiting)
        delivered.add_metric(place, each.delivered)
        dropped.add_metric(place, each.dropped)
    yield from (failing, waiting, delivered, dropped)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"failoverd_{name}", words, value=value)


def _counter(name: str, words: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"failoverd_{name}", words, value=value)


def _observed(family: HistogramMetricFamily, labels: Sequence[str], found: Histogram) -> None:
    bounds = [*map(floatToGoString, found.bounds), "+Inf"]
    family.add_metric(labels, list(zip(bounds, found.cumulative(), strict=True)), sum_value=found.total)
