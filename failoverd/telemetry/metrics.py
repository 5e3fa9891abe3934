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

from failoverd.core.control.figures import ReplayedFigures, SignalFigures, TargetFigures, held_by, waits_for
from failoverd.core.loads import excess, loads, shed, speaking
from failoverd.core.overrides import Announced, Override, Verb
from failoverd.core.practices import NEVER_BEGAN
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import ELSEWHERE, WHOLE, Target
from failoverd.core.status import MembersStatus, Overview, RegionStatus, Status
from failoverd.core.tallies import CallFigures, ProbingFigures
from failoverd.telemetry.exposition import MetricFamily

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
    replayed: ReplayedFigures = field(default_factory=ReplayedFigures)


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
        ProcessCollector(registry=registry)
        return "".join(map(str, _families(self))).encode() + generate_latest(registry)


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


def _families(taken: Snapshot) -> Iterator[MetricFamily]:
    build = MetricFamily("gauge", "failoverd_build_info", "Which failoverd this is.", ("version",))
    build.add((taken.version,), 1)
    yield build
    yield _gauge("start_time_seconds", "When the daemon started, in seconds since the epoch.", taken.started_at)
    yield from _probes(taken.figures)
    yield from _schedule(taken.figures)
    yield from _wires(taken.figures)
    yield from _health(taken.overview)
    yield from _records(taken.overview, taken.work)
    yield from _ramps(taken.overview)
    yield from _loads(taken.overview)
    yield from _costs(taken.overview)
    yield from _practices(taken.overview)
    yield from _budgets(taken.work)
    yield from _files(taken.overview)
    yield from _members(taken.overview.members)
    yield from _calls(taken.work)
    yield from _words(taken.work)
    yield from _signals(taken.work.signals)
    yield _gauge("journal_failing", "1 while the journal does not work.", taken.work.journal_failing)
    failures = "Calls of the journal that did not work."
    yield _counter("journal_failures", failures, taken.work.journal_failures)
    yield from _replayed(taken.work.replayed)


def _members(told: MembersStatus | None) -> Iterator[MetricFamily]:
    """What one of several members knows of them; nothing of a daemon that is alone."""
    for name, words, value in (
        ("leader", "1 while this member leads: it alone writes.", lambda it: it.leads),
        ("leader_known", "1 while this member knows which of them leads.", lambda it: it.led),
        ("leader_epoch", "The number of the leader that this member knows; it grows with each.", lambda it: it.epoch),
        ("coordinator_failing", "1 while the coordinator does not answer.", lambda it: not it.coordinated),
        ("coordinator_silence_seconds", "How long ago the coordinator answered.", _silence),
        ("members", "Members that the configuration names.", lambda it: len(it.members)),
        ("members_voting", "Those of them whose votes count.", lambda it: len(it.voting)),
        ("members_isolated", "Those that do not trust what they see.", _isolated),
    ):
        family = MetricFamily("gauge", f"failoverd_{name}", words)
        if told is not None:
            family.add((), value(told))
        yield family
    differing = MetricFamily(
        "gauge", "failoverd_member_differing", "Policies of which a member has another revision.", ("member",)
    )
    for each in told.members if told is not None else ():
        if each.differing:
            differing.add((each.name,), len(each.differing))
    yield differing


def _isolated(told: MembersStatus) -> int:
    return sum(bool(each.isolated) for each in told.members)


def _silence(told: MembersStatus) -> float:
    """Seconds; of one that never answered, since this member asks it."""
    return max(0.0, told.at - (told.heard_at if told.heard_at is not None else told.listens_since))


def _replayed(figures: ReplayedFigures) -> Iterator[MetricFamily]:
    """What came of deciding the last day again."""
    yield _gauge(
        "replay_timestamp_seconds", "When the last day was decided again; 0 before the first night.", figures.at
    )
    yield _gauge("replay_decisions", "Decisions of that day that were made again.", figures.decisions)
    yield _gauge("replay_differing", "Those that came to something else: a defect.", figures.differing)
    yield _gauge("replay_unreadable", "Those that the journal could not give back.", figures.lost)


def _probes(figures: ProbingFigures) -> Iterator[MetricFamily]:
    total = MetricFamily(
        "counter", "failoverd_probes", "Probes that ended, by what they came to.", labels=(*_CHECK, "outcome", "reason")
    )
    seconds = MetricFamily(
        "histogram",
        "failoverd_probe_duration_seconds",
        "How long probes took. Those that were blind are not in it.",
        labels=_CHECK,
    )
    for each in figures.probes:
        labels = (each.policy, each.check, each.kind)
        for (outcome, reason), count in each.outcomes.items():
            total.add((*labels, outcome.value, reason.value), count)
        seconds.observe(labels, each.seconds)
    yield total
    yield seconds


def _schedule(figures: ProbingFigures) -> Iterator[MetricFamily]:
    lag = MetricFamily("histogram", "failoverd_schedule_lag_seconds", "How long after their time probes were begun.")
    lag.observe((), figures.lag)
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


def _wires(figures: ProbingFigures) -> Iterator[MetricFamily]:
    yield _gauge("trip_wires", "Idle connections that are kept as trip wires.", figures.wires)
    yield _counter("trip_wires_tripped", "How often a trip wire tripped.", figures.trips)


def _health(found: Overview) -> Iterator[MetricFamily]:
    score = MetricFamily(
        "gauge",
        "failoverd_region_score_ratio",
        "How much of a region serves, from 0 to 1.",
        labels=("policy", "record_type", "region"),
    )
    state = MetricFamily(
        "gauge",
        "failoverd_region_state",
        "1 for the state that the region is in.",
        labels=("policy", "record_type", "region", "state"),
    )
    latency = MetricFamily(
        "gauge",
        "failoverd_region_latency_seconds",
        "Median of the connection times of a region's probes, where its policy heeds that.",
        labels=("policy", "record_type", "region"),
    )
    incident = MetricFamily(
        "gauge", "failoverd_policy_incident", "1 while the policy has an incident.", labels=("policy",)
    )
    held = MetricFamily(
        "gauge", "failoverd_failover_held", "1 while something that is down is kept in an answer.", labels=("policy",)
    )
    rivals = MetricFamily(
        "gauge",
        "failoverd_rival_records",
        "Records that another instance of the owner writes as well, or that a newer leader wrote.",
        labels=("policy",),
    )
    isolated = MetricFamily("gauge", "failoverd_vantage_isolated", "Address families in which the prober abstains.")
    orphans = MetricFamily("gauge", "failoverd_orphaned_records", "Records of ours that no policy file names any more.")
    for region in found.regions:
        labels = (region.policy, region.record_type, region.region)
        score.add(labels, region.score / WHOLE)
        state.add((*labels, region.state), 1)
        if region.latency is not None:
            latency.add(labels, region.latency)
    kept = {target.target.policy for target in found.targets if target.keeps_dead}
    rivalled = Counter(target.target.policy for target in found.targets if target.has_rival or target.outranked)
    for policy in found.policies:
        rivals.add((policy.policy,), rivalled[policy.policy])
        incident.add((policy.policy,), bool(policy.incident_id))
        held.add((policy.policy,), policy.policy in kept)
    orphans.add((), len(found.orphans))
    if found.vantage is not None:
        isolated.add((), len(found.vantage.isolated))
    yield from (score, state, latency, incident, held, rivals, isolated, orphans, *_notifications(found))


def _records(found: Overview, work: Work) -> Iterator[MetricFamily]:
    """Where each record stands at each provider, and what keeps it from what is wanted."""
    share = MetricFamily(
        "gauge",
        "failoverd_record_share_ratio",
        "How much of the traffic a record sends to a region, from 0 to 1, as it was read last.",
        labels=(*_RECORD, "region"),
    )
    state = MetricFamily(
        "gauge", "failoverd_record_state", "1 for the state that the record is in.", labels=(*_RECORD, "state")
    )
    held = MetricFamily(
        "gauge",
        "failoverd_record_held",
        "1 for each thing that keeps a record from what is wanted.",
        labels=(*_RECORD, "cause"),
    )
    waiting = MetricFamily(
        "gauge", "failoverd_record_waiting", "1 for each thing that a record waits for.", labels=(*_RECORD, "reason")
    )
    disputed = MetricFamily(
        "gauge",
        "failoverd_record_disputed",
        "1 while an authoritative server does not answer what was written, although it is overdue.",
        labels=_RECORD,
    )
    unmoved = MetricFamily(
        "gauge",
        "failoverd_region_failed_unmoved_seconds",
        "For how long a region is down to which a record still sends traffic.",
        labels=(*_RECORD, "region"),
    )
    changed = MetricFamily(
        "gauge",
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
            share.add((*labels, name), shares.get(name, 0) / WHOLE)
        for name, seconds in figures.unmoved(status, here, work.now).items():
            unmoved.add((*labels, name), seconds)
        if figures.memory.changed_at is not None:
            changed.add(labels, figures.memory.changed_at)
        if figures.disputed:
            disputed.add(labels, 1)
        if status is None:
            continue
        state.add((*labels, status.state), 1)
        for cause in held_by(status):
            held.add((*labels, cause), 1)
        for reason in waits_for(status):
            waiting.add((*labels, reason), 1)
    yield from (share, state, held, waiting, disputed, unmoved, changed)


def _by_type(regions: Sequence[RegionStatus]) -> Mapping[tuple[str, str], Sequence[RegionStatus]]:
    found = defaultdict[tuple[str, str], list[RegionStatus]](list)
    for region in regions:
        found[region.policy, region.record_type].append(region)
    return found


def _record(target: Target) -> tuple[str, str, str]:
    return target.policy, str(target.key), target.provider


def _ramps(found: Overview) -> Iterator[MetricFamily]:
    ramp = MetricFamily(
        "gauge",
        "failoverd_record_ramp_ratio",
        "How much of its share a region may have by now that comes back step by step, from 0 to 1.",
        labels=(*_RECORD, "region"),
    )
    for status in found.targets:
        for told in status.reasons:
            if told.code is ReasonCode.RAMP:
                ramp.add((*_record(status.target), told.region), told.numbers["part"] / WHOLE)
    yield ramp


def _loads(found: Overview) -> Iterator[MetricFamily]:
    """What policies need, what regions carry of it, and what fits nowhere; each in its own unit."""
    demand = MetricFamily("gauge", "failoverd_policy_demand", "What the whole of a policy needs.", labels=("policy",))
    over = MetricFamily(
        "gauge",
        "failoverd_policy_excess",
        "What of the demand fits into no region, and is sent to this one all the same.",
        labels=("policy", "region"),
    )
    placed = MetricFamily(
        "gauge",
        "failoverd_policy_shed",
        "What of the demand fits into no region, and goes to the policy's named place.",
        labels=("policy",),
    )
    load = MetricFamily(
        "gauge", "failoverd_region_load", "What is published at a region, over all policies.", labels=("region",)
    )
    capacity = MetricFamily(
        "gauge", "failoverd_region_capacity", "How much of a region is planned with.", labels=("region",)
    )
    for name, status in speaking(found.targets).items():
        if status.demand is not None:
            demand.add((name,), status.demand)
        for region, much in excess(status).items():
            over.add((name, region), much)
        if (much_placed := shed(status)) is not None:
            placed.add((name,), much_placed)
    for region, on_it in loads(found.targets).items():
        if on_it.load is not None:
            load.add((region,), on_it.load)
        if on_it.capacity is not None:
            capacity.add((region,), on_it.capacity)
    yield from (demand, over, placed, load, capacity)


def _costs(found: Overview) -> Iterator[MetricFamily]:
    cost = MetricFamily(
        "gauge", "failoverd_record_cost_usd_per_hour", "What an answer costs, by list prices.", labels=_RECORD
    )
    normal = MetricFamily(
        "gauge", "failoverd_record_normal_cost_usd_per_hour", "The same of a normal day.", labels=_RECORD
    )
    for status in found.targets:
        if status.bill is not None:
            cost.add(_record(status.target), status.bill.hour)
            normal.add(_record(status.target), status.bill.normal_hour)
    yield from (cost, normal)


def _practices(found: Overview) -> Iterator[MetricFamily]:
    practised = MetricFamily(
        "gauge",
        "failoverd_region_practised_timestamp_seconds",
        "When the last drill of a region began that was held, in seconds since the epoch.",
        labels=("policy", "region"),
    )
    for policy in found.policies:
        for each in policy.practices:
            if each.outcome not in NEVER_BEGAN:
                practised.add((policy.policy, each.region), each.began)
    yield practised


def _budgets(work: Work) -> Iterator[MetricFamily]:
    labels = (*_RECORD, "ration")
    changes = MetricFamily(
        "gauge", "failoverd_budget_changes_left", "How many changes are left of limits.max_changes.", labels=labels
    )
    shift = MetricFamily(
        "gauge",
        "failoverd_budget_shift_left_ratio",
        "How much traffic may still move by limits.max_shift, from 0 to 1.",
        labels=labels,
    )
    for figures in work.targets:
        for cause, left in figures.left(work.now).items():
            ration = (*_record(figures.target), cause.value)
            changes.add(ration, left.changes)
            shift.add(ration, left.shift / WHOLE)
    yield from (changes, shift)


def _files(found: Overview) -> Iterator[MetricFamily]:
    rejected = MetricFamily(
        "gauge", "failoverd_policy_rejected", "1 while a newer file of the policy does not load.", labels=("policy",)
    )
    for policy in found.policies:
        rejected.add((policy.policy,), bool(policy.rejected))
    yield rejected
    words = "Files that could not be taken up, and that are of no policy that runs."
    yield _gauge("files_rejected", words, len(found.refused_files))


def _calls(work: Work) -> Iterator[MetricFamily]:
    total = MetricFamily(
        "counter",
        "failoverd_provider_calls",
        "Calls to providers, by what they came to.",
        labels=("provider", "call", "outcome"),
    )
    seconds = MetricFamily(
        "histogram",
        "failoverd_provider_call_duration_seconds",
        "How long calls to providers took, the wait for their turn included.",
        labels=("provider", "call"),
    )
    for each in work.calls:
        for outcome, count in each.outcomes.items():
            total.add((each.provider, each.call, outcome.value), count)
        seconds.observe((each.provider, each.call), each.seconds)
    yield total
    yield seconds


def _words(work: Work) -> Iterator[MetricFamily]:
    """Operators' words in force, by verb."""
    words = [word for word in work.words if word.in_force(work.now)]
    numbers = Counter(word.verb for word in words)
    ends = Counter(word.verb for word in words if word.told is Announced.ENDING)
    total = MetricFamily("gauge", "failoverd_overrides", "Overrides in force.", labels=("verb",))
    ending = MetricFamily(
        "gauge",
        "failoverd_overrides_ending",
        "Those of them whose end was announced, for it is near.",
        labels=("verb",),
    )
    oldest = MetricFamily(
        "gauge", "failoverd_override_age_seconds", "For how long the oldest of them is in force.", labels=("verb",)
    )
    for verb in Verb:
        total.add((verb,), numbers[verb])
        ending.add((verb,), ends[verb])
        oldest.add((verb,), max((work.now - word.since for word in words if word.verb is verb), default=0.0))
    yield from (total, ending, oldest)
    pending = sum(1 for word in work.words if word.pending and not word.over_by(work.now))
    yield _gauge("overrides_pending", "Overrides that wait for another person to agree.", pending)


def _signals(found: SignalFigures) -> Iterator[MetricFamily]:
    """What others measure."""
    age = MetricFamily(
        "gauge", "failoverd_signal_age_seconds", "How long ago it was measured.", labels=("policy", "signal")
    )
    failures = MetricFamily(
        "counter",
        "failoverd_signal_failures",
        "Questions to a source that gave nothing to believe.",
        labels=("source", "reason"),
    )
    burn = MetricFamily(
        "gauge",
        "failoverd_signal_burn",
        "How many times faster than its service level allows a region makes errors, in the long window.",
        labels=("policy", "region"),
    )
    lost = MetricFamily(
        "gauge",
        "failoverd_signals_lost",
        "Figures of a source that gave nothing to believe for three intervals.",
        labels=("source",),
    )
    for family, values in ((age, found.ages), (failures, found.failures), (burn, found.burns)):
        for labels, value in values.items():
            family.add(labels, value)
    for source, many in found.lost.items():
        lost.add((source,), many)
    yield from (age, failures, burn, lost)


def _notifications(found: Overview) -> Iterator[MetricFamily]:
    labels = ("receiver", "place")
    failing = MetricFamily(
        "gauge", "failoverd_notifications_failing", "1 while a receiver does not take what it is told.", labels=labels
    )
    waiting = MetricFamily("gauge", "failoverd_notifications_waiting", "Notices that wait to be taken.", labels=labels)
    delivered = MetricFamily("counter", "failoverd_notifications_delivered", "Notices that were taken.", labels=labels)
    dropped = MetricFamily("counter", "failoverd_notifications_dropped", "Notices that were given up.", labels=labels)
    for each in found.notifications.receivers if found.notifications is not None else ():
        place = (each.receiver, each.place)
        failing.add(place, each.failing_since is not None)
        waiting.add(place, each.waiting)
        delivered.add(place, each.delivered)
        dropped.add(place, each.dropped)
    yield from (failing, waiting, delivered, dropped)


def _gauge(name: str, words: str, value: float) -> MetricFamily:
    return _alone("gauge", name, words, value)


def _counter(name: str, words: str, value: float) -> MetricFamily:
    return _alone("counter", name, words, value)


def _alone(kind: str, name: str, words: str, value: float) -> MetricFamily:
    family = MetricFamily(kind, f"failoverd_{name}", words)
    family.add((), value)
    return family
