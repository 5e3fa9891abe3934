"""What failoverd counts, as Prometheus reads it. docs/metrics.md has the list.

Nothing here is on the way of a probe: the counts are plain numbers that the runtime keeps, and they are turned into
metrics when somebody asks. No label names an endpoint, so the number of series grows with policies, checks, records and
regions alone. What is true in trouble only (a record is held, say) has a series only then: it is made anew for each
page, so none outlives its policy.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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

from failoverd.core.control.figures import SignalFigures, TargetFigures, held_by, waits_for
from failoverd.core.overrides import Override, Told, Verb
from failoverd.core.records import ELSEWHERE, WHOLE, Target
from failoverd.core.status import Overview, RegionStatus, Status
from failoverd.core.tallies import CallFigures, Histogram, ProbingFigures

_CHECK = ("policy", "check", "kind")
_RECORD = ("policy", "record", "provider")


@dataclass(frozen=True, slots=True)
class Work:
    """What no status tells: what is remembered of each target, how providers and the journal do, operators' words.

    `journal_failures` are calls of the journal that did not work since the start; `now` in seconds since the epoch.
    """

    now: float = 0.0
    targets: tuple[TargetFigures, ...] = ()
    calls: tuple[CallFigures, ...] = ()
    words: tuple[Override, ...] = ()
    journal_failing: bool = False
    journal_failures: int = 0
    signals: SignalFigures = field(default_factory=SignalFigures)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that one page is made of. Nothing of it changes any more, so another thread may make the page."""

    figures: ProbingFigures
    overview: Overview
    version: str
    started_at: float
    work: Work = field(default_factory=Work)

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
        work: what no status tells.
    """

    def __init__(
        self,
        figures: Callable[[], ProbingFigures],
        statuses: Callable[[], Sequence[Status]],
        version: str,
        started_at: float,
        work: Callable[[], Work] = Work,
    ) -> None:
        self._figures = figures
        self._statuses = statuses
        self._version = version
        self._started_at = started_at
        self._work = work

    def snapshot(self) -> Snapshot:
        """As of now. To be called from the event loop."""
        overview = Overview.of(self._statuses())
        return Snapshot(self._figures(), overview, self._version, self._started_at, self._work())


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
        yield from _records(taken.overview, taken.work)
        yield from _budgets(taken.work)
        yield from _files(taken.overview)
        yield from _calls(taken.work)
        yield from _words(taken.work)
        yield from _signals(taken.work.signals)
        yield _gauge("journal_failing", "1 while the journal does not work.", taken.work.journal_failing)
        failures = "Calls of the journal that did not work."
        yield _counter("journal_failures", failures, taken.work.journal_failures)


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


def _records(found: Overview, work: Work) -> Iterator[Metric]:
    """Where each record stands at each provider, and what keeps it from what is wanted."""
    share = GaugeMetricFamily(
        "failoverd_record_share_ratio",
        "How much of the traffic a record sends to a region, from 0 to 1, as it was read last.",
        labels=(*_RECORD, "region"),
    )
    state = GaugeMetricFamily(
        "failoverd_record_state", "1 for the state that the record is in.", labels=(*_RECORD, "state")
    )
    held = GaugeMetricFamily(
        "failoverd_record_held", "1 for each thing that keeps a record from what is wanted.", labels=(*_RECORD, "cause")
    )
    waiting = GaugeMetricFamily(
        "failoverd_record_waiting", "1 for each thing that a record waits for.", labels=(*_RECORD, "reason")
    )
    disputed = GaugeMetricFamily(
        "failoverd_record_disputed",
        "1 while an authoritative server does not answer what was written, although it is overdue.",
        labels=_RECORD,
    )
    unmoved = GaugeMetricFamily(
        "failoverd_region_failed_unmoved_seconds",
        "For how long a region is down to which a record still sends traffic.",
        labels=(*_RECORD, "region"),
    )
    changed = GaugeMetricFamily(
        "failoverd_record_last_change_timestamp_seconds",
        "When traffic was last split otherwise than before, in seconds since the epoch.",
        labels=_RECORD,
    )
    statuses = {status.target: status for status in found.targets}
    regions = _by_type(found.regions)
    for figures in work.targets:
        target, labels = figures.target, _record(figures.target)
        status, here = statuses.get(target), regions[target.policy, target.key.type]
        shares = figures.shares(status)
        names = [region.region for region in here]
        for name in (*names, *(name for name in shares if name not in names and name == ELSEWHERE)):
            share.add_metric((*labels, name), shares.get(name, 0) / WHOLE)
        for name, seconds in figures.unmoved(status, here, work.now).items():
            unmoved.add_metric((*labels, name), seconds)
        if figures.memory.changed_at is not None:
            changed.add_metric(labels, figures.memory.changed_at)
        if figures.disputed:
            disputed.add_metric(labels, 1)
        if status is None:
            continue
        state.add_metric((*labels, status.state), 1)
        for cause in held_by(status):
            held.add_metric((*labels, cause), 1)
        for reason in waits_for(status):
            waiting.add_metric((*labels, reason), 1)
    yield from (share, state, held, waiting, disputed, unmoved, changed)


def _by_type(regions: Sequence[RegionStatus]) -> Mapping[tuple[str, str], Sequence[RegionStatus]]:
    found = defaultdict[tuple[str, str], list[RegionStatus]](list)
    for region in regions:
        found[region.policy, region.record_type].append(region)
    return found


def _record(target: Target) -> tuple[str, str, str]:
    return target.policy, str(target.key), target.provider


def _budgets(work: Work) -> Iterator[Metric]:
    labels = (*_RECORD, "ration")
    changes = GaugeMetricFamily(
        "failoverd_budget_changes_left", "How many changes are left of limits.max_changes.", labels=labels
    )
    shift = GaugeMetricFamily(
        "failoverd_budget_shift_left_ratio",
        "How much traffic may still move by limits.max_shift, from 0 to 1.",
        labels=labels,
    )
    for figures in work.targets:
        for cause, left in figures.left(work.now).items():
            ration = (*_record(figures.target), cause.value)
            changes.add_metric(ration, left.changes)
            shift.add_metric(ration, left.shift / WHOLE)
    yield from (changes, shift)


def _files(found: Overview) -> Iterator[Metric]:
    rejected = GaugeMetricFamily(
        "failoverd_policy_rejected", "1 while a newer file of the policy does not load.", labels=("policy",)
    )
    for policy in found.policies:
        rejected.add_metric((policy.policy,), bool(policy.rejected))
    yield rejected
    words = "Files that could not be taken up, and that are of no policy that runs."
    yield _gauge("files_rejected", words, len(found.refused_files))


def _calls(work: Work) -> Iterator[Metric]:
    total = CounterMetricFamily(
        "failoverd_provider_calls", "Calls to providers, by what they came to.", labels=("provider", "call", "outcome")
    )
    seconds = HistogramMetricFamily(
        "failoverd_provider_call_duration_seconds",
        "How long calls to providers took, the wait for their turn included.",
        labels=("provider", "call"),
    )
    for each in work.calls:
        for outcome, count in each.outcomes.items():
            total.add_metric((each.provider, each.call, outcome.value), count)
        _observed(seconds, (each.provider, each.call), each.seconds)
    yield total
    yield seconds


def _words(work: Work) -> Iterator[Metric]:
    """Operators' words in force, by verb."""
    words = [word for word in work.words if word.in_force(work.now)]
    numbers = Counter(word.verb for word in words)
    ends = Counter(word.verb for word in words if word.told is Told.ENDING)
    total = GaugeMetricFamily("failoverd_overrides", "Operators' words in force.", labels=("verb",))
    ending = GaugeMetricFamily(
        "failoverd_overrides_ending", "Those of them whose end was announced, for it is near.", labels=("verb",)
    )
    oldest = GaugeMetricFamily(
        "failoverd_override_age_seconds", "For how long the oldest of them is in force.", labels=("verb",)
    )
    for verb in Verb:
        total.add_metric((verb,), numbers[verb])
        ending.add_metric((verb,), ends[verb])
        oldest.add_metric((verb,), max((work.now - word.since for word in words if word.verb is verb), default=0.0))
    yield from (total, ending, oldest)
    pending = sum(1 for word in work.words if word.pending and not word.over_by(work.now))
    yield _gauge("overrides_pending", "Operators' words that wait for another person to agree.", pending)


def _signals(found: SignalFigures) -> Iterator[Metric]:
    """What others measure."""
    age = GaugeMetricFamily(
        "failoverd_signal_age_seconds", "How long ago it was measured.", labels=("policy", "signal")
    )
    failures = CounterMetricFamily(
        "failoverd_signal_failures", "Questions to a source that gave nothing to believe.", labels=("source", "reason")
    )
    burn = GaugeMetricFamily(
        "failoverd_signal_burn",
        "How many times faster than its service level allows a region makes errors, in the long window.",
        labels=("policy", "region"),
    )
    for family, values in ((age, found.ages), (failures, found.failures), (burn, found.burns)):
        for labels, value in values.items():
            family.add_metric(labels, value)
    yield from (age, failures, burn)


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
