"""What happened, as frozen facts. Logs, history, the live view and the demo's JSON are all rendered from these.

An event is named `noun.past_participle` and is emitted on transitions only, never per probe and never sampled.
`incident_id`, `decision_id` and `change_id` chain them, so that one incident can be told from its id alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import ClassVar

from failoverd.core.reasons import Cause, LimitCheck, Reason
from failoverd.core.records import WHOLE, percentages


class Level(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events. `at` is seconds since the epoch."""

    name: ClassVar[str]
    level: ClassVar[Level] = Level.INFO

    at: float
    policy: str = ""
    incident_id: str = ""

    def say(self) -> str:
        """One plain sentence for the person who reads this at night."""
        raise NotImplementedError

    def facts(self) -> Iterator[tuple[str, object]]:
        """Field names and values, empty ones left out, in declaration order."""
        for spec in fields(self):
            value = getattr(self, spec.name)
            if value not in ("", None, ()):
                yield spec.name, value


# -- the daemon --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStarted(Event):
    name: ClassVar[str] = "daemon.started"

    version: str
    policies: tuple[str, ...]
    providers: tuple[str, ...]
    pid: int

    def say(self) -> str:
        return f"failoverd {self.version} started with {len(self.policies)} policies: {', '.join(self.policies)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStopped(Event):
    name: ClassVar[str] = "daemon.stopped"

    cause: str

    def say(self) -> str:
        return f"stopped ({self.cause}); records stay exactly as they are"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoaded(Event):
    """A policy started to run, or a newer revision of it did."""

    name: ClassVar[str] = "policy.loaded"

    revision: str
    file: str

    def say(self) -> str:
        return f"policy {self.policy} runs revision {self.revision} of {self.file}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRemoved(Event):
    name: ClassVar[str] = "policy.removed"

    def say(self) -> str:
        return f"the file of policy {self.policy} is gone: it is no longer managed, its records stay as they are"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRejected(Event):
    """A file does not load. What ran before goes on running."""

    name: ClassVar[str] = "config.rejected"
    level: ClassVar[Level] = Level.ERROR

    file: str
    errors: tuple[str, ...]
    keeps: str = ""

    def say(self) -> str:
        goes_on = f"{self.keeps} goes on" if self.keeps else "it does not run"
        return f"{self.file} has {len(self.errors)} errors; {goes_on}. First: {self.errors[0]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDeferred(Event):
    """The daemon's own file changed in a way that only a restart can take up."""

    name: ClassVar[str] = "config.deferred"
    level: ClassVar[Level] = Level.WARNING

    file: str
    settings: tuple[str, ...]

    def say(self) -> str:
        return f"{self.file} changed {', '.join(self.settings)}: this takes effect at the next restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCrashed(Event):
    name: ClassVar[str] = "task.crashed"
    level: ClassVar[Level] = Level.ERROR

    task: str
    error: str
    restart_in: float

    def say(self) -> str:
        return f"{self.task} crashed and restarts in {self.restart_in:.1f}s; everything else goes on: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsFailed(Event):
    """The metrics cannot be served. Everything else goes on without them."""

    name: ClassVar[str] = "metrics.failed"
    level: ClassVar[Level] = Level.ERROR

    listen: str
    error: str

    def say(self) -> str:
        return (
            f"no metrics at {self.listen}: {self.error}. Probing and steering go on; free the port and restart, or say "
            "another one in metrics.listen"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFailed(Event):
    name: ClassVar[str] = "journal.failed"
    level: ClassVar[Level] = Level.ERROR

    reason: str
    error: str

    def say(self) -> str:
        return f"the journal does not work: history may be lost, traffic is steered all the same: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped(Event):
    name: ClassVar[str] = "clock.jumped"
    level: ClassVar[Level] = Level.WARNING

    seconds: float

    def say(self) -> str:
        return (
            f"the system clock jumped by {self.seconds:+.1f}s; schedules were laid out again, verdicts are unaffected; "
            f"times that are told go on by the clock as it was at the start, until a restart"
        )


# -- health ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointEvent(Event):
    """`evidence` is the probe that tipped the verdict, in words; `failures` and `passes` are the counts then.

    `explained_by` names the dependencies of its region that were down at that time.
    """

    region: str
    endpoint: str
    check: str
    was: str
    reason: str
    evidence: str
    failures: int = 0
    passes: int = 0
    explained_by: tuple[str, ...] = ()

    @property
    def _why(self) -> str:
        return f"{self.evidence}; explained by {', '.join(self.explained_by)}" if self.explained_by else self.evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFailed(EndpointEvent):
    name: ClassVar[str] = "endpoint.failed"
    level: ClassVar[Level] = Level.WARNING

    def say(self) -> str:
        return f"{self.endpoint} in {self.region} is down after {self.failures} failures of {self.check}: {self._why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDegraded(EndpointEvent):
    name: ClassVar[str] = "endpoint.degraded"
    level: ClassVar[Level] = Level.WARNING

    def say(self) -> str:
        return f"{self.endpoint} in {self.region} is degraded by {self.check}: {self._why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRecovered(EndpointEvent):
    name: ClassVar[str] = "endpoint.recovered"

    def say(self) -> str:
        return f"{self.endpoint} in {self.region} is up after {self.passes} passes of {self.check} in a row"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSuppressed(EndpointEvent):
    """It passes again, but it flapped so much that it has to stay well for longer."""

    name: ClassVar[str] = "endpoint.suppressed"
    level: ClassVar[Level] = Level.WARNING

    def say(self) -> str:
        return f"{self.endpoint} in {self.region} flaps and stays out although it passes: {self.evidence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLost(EndpointEvent):
    """There is no fresh evidence: the prober is blind. The endpoint counts as UNKNOWN, which moves nothing."""

    name: ClassVar[str] = "endpoint.lost"
    level: ClassVar[Level] = Level.WARNING

    def say(self) -> str:
        return f"no fresh verdict on {self.endpoint} in {self.region}: {self.evidence}; its share stays as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyEvent(Event):
    """Something that regions depend on, and that no record answers with. `regions` are those that depend on it."""

    dependency: str
    endpoint: str
    reason: str
    evidence: str
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyFailed(DependencyEvent):
    name: ClassVar[str] = "dependency.failed"
    level: ClassVar[Level] = Level.WARNING

    def say(self) -> str:
        needed = ", ".join(self.regions) or "no region"
        return f"dependency {self.dependency} ({self.endpoint}) of {needed} is down: {self.evidence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyRecovered(DependencyEvent):
    name: ClassVar[str] = "dependency.recovered"

    def say(self) -> str:
        return f"dependency {self.dependency} ({self.endpoint}) is up"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionEvent(Event):
    """`score` in basis points; `rule_at` is the file and line of the threshold that was crossed.

    The score is said as it is: two endpoints that serve slowly score what one good and one dead endpoint score.
    """

    region: str
    record_type: str
    was: str
    score: int
    evidence: str
    rule_at: str

    @property
    def _score(self) -> str:
        return f"its {self.record_type} endpoints score {self.score * 100 / WHOLE:g}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionFailed(RegionEvent):
    name: ClassVar[str] = "region.failed"
    level: ClassVar[Level] = Level.ERROR

    def say(self) -> str:
        return f"region {self.region} is down: {self._score} ({self.rule_at}). {self.evidence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionDegraded(RegionEvent):
    name: ClassVar[str] = "region.degraded"
    level: ClassVar[Level] = Level.WARNING

    def say(self) -> str:
        return f"region {self.region} is degraded: {self._score} ({self.rule_at}). {self.evidence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRecovered(RegionEvent):
    name: ClassVar[str] = "region.recovered"

    def say(self) -> str:
        return f"region {self.region} is healthy: {self._score}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionLost(RegionEvent):
    name: ClassVar[str] = "region.lost"
    level: ClassVar[Level] = Level.WARNING

    def say(self) -> str:
        return f"no verdict on region {self.region}: {self.evidence}; its share stays as it is"


# -- the vantage -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageEvent(Event):
    """This prober, as it sees itself. `family` is what it cannot judge: IPv4, IPv6 or host names."""

    family: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageIsolated(VantageEvent):
    """Failures are not counted any more, for the prober's own network is in doubt. `cause`: sentinels or clouds."""

    name: ClassVar[str] = "vantage.isolated"
    level: ClassVar[Level] = Level.ERROR

    cause: str

    def say(self) -> str:
        return (
            f"the prober doubts its own network ({self.family}): {self.evidence}; failures move nothing until it ends"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageRejoined(VantageEvent):
    name: ClassVar[str] = "vantage.rejoined"

    lasted: float

    def say(self) -> str:
        return f"the prober trusts its network again ({self.family}) after {self.lasted:.0f}s: {self.evidence}"


# -- probing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbingEvent(Event):
    """The schedule as a whole. Intervals are `factor` times as long as the policies say; `lag` is in seconds.

    `lag` is the 99th percentile of how late looks began; `in_flight` are under way, `waiting` wait for a place.
    """

    factor: int
    lag: float
    in_flight: int
    waiting: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbingShed(ProbingEvent):
    """This host cannot keep the schedule, so it looks less often. Re-checks of open verdicts keep their pace."""

    name: ClassVar[str] = "probing.shed"
    level: ClassVar[Level] = Level.WARNING

    def say(self) -> str:
        return (
            f"{self.cause} (99% within {self.lag:g}s, {self.waiting} waiting): probing {self.factor} times less often, "
            f"so a fault is noticed up to {self.factor} intervals after it begins; re-checks keep their pace. "
            "Longer intervals, fewer checks or a faster host help"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbingRestored(ProbingEvent):
    """It has been calm for a while: a step back, to the plain intervals when `factor` is 1."""

    name: ClassVar[str] = "probing.restored"

    def say(self) -> str:
        pace = "as often as the policies say" if self.factor == 1 else f"{self.factor} times less often, no more"
        return f"it has been calm: probing {pace}"


# -- incidents ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened(Event):
    name: ClassVar[str] = "incident.opened"
    level: ClassVar[Level] = Level.WARNING

    cause: str
    runbook: str = ""

    def say(self) -> str:
        return f"incident {self.incident_id} opened: {self.cause}" + (
            f". Runbook: {self.runbook}" if self.runbook else ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentClosed(Event):
    name: ClassVar[str] = "incident.closed"

    lasted: float
    changes: int

    def say(self) -> str:
        return f"incident {self.incident_id} closed after {self.lasted:.0f}s and {self.changes} changes"


# -- decisions, plans, changes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEvent(Event):
    """Something about one record at one provider."""

    record: str
    provider: str
    zone: str
    decision_id: str = ""

    @property
    def _where(self) -> str:
        return f"{self.record} at {self.provider}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionMade(TargetEvent):
    """`verdict` is the named reason of the decision; `reasons` let a person redo the sum. Shares in basis points."""

    name: ClassVar[str] = "decision.made"

    verdict: str
    shares: Mapping[str, int]
    reasons: tuple[Reason, ...]

    def say(self) -> str:
        return f"{self._where} wants {percentages(self.shares) or 'to stay as it is'} ({self.verdict})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCrashed(TargetEvent):
    """A defect of ours. `inputs` is what was decided on, in JSON, so that it can be played again."""

    name: ClassVar[str] = "decision.crashed"
    level: ClassVar[Level] = Level.ERROR

    error: str
    inputs: str

    def say(self) -> str:
        return f"{self._where} stays as it is, for the decision failed; please report it with this line: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeld(TargetEvent):
    """A limit blocks the plan. `until` is when the window lets it pass by itself, if time alone can help."""

    name: ClassVar[str] = "plan.held"
    level: ClassVar[Level] = Level.WARNING

    wanted: Mapping[str, int]
    cause: Cause
    limits: tuple[LimitCheck, ...]
    rule_at: str
    until: float | None = None
    manual: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverHeld(PlanHeld):
    """A limit keeps something that is down in the answer: only `min_regions` can do that, and a person ends it."""

    name: ClassVar[str] = "failover.held"
    level: ClassVar[Level] = Level.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRefused(TargetEvent):
    """The name is not ours to touch."""

    name: ClassVar[str] = "plan.refused"
    level: ClassVar[Level] = Level.ERROR

    reason: str
    detail: str
    remedy: str

    def say(self) -> str:
        return f"{self._where} is not touched: {self.detail} ({self.reason}). {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftDetected(TargetEvent):
    """Somebody else changed the record. `kind` is lost, edited or intended; `until`, when an edit will be put back."""

    name: ClassVar[str] = "drift.detected"
    level: ClassVar[Level] = Level.WARNING

    found: str
    expected: str
    will: str
    kind: str = ""
    until: float | None = None

    def say(self) -> str:
        return f"somebody changed {self._where}: {self.found}; failoverd had published {self.expected}; it {self.will}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeApplied(TargetEvent):
    """The one canonical line of a change: what moved, why, by which rule, and how to undo it."""

    name: ClassVar[str] = "change.applied"

    change_id: str
    kind: str
    generation: int
    shares_from: Mapping[str, int]
    shares_to: Mapping[str, int]
    answers_from: Mapping[str, int]
    answers_to: Mapping[str, int]
    ttl: int
    cause: Cause
    reasons: tuple[Reason, ...]
    evidence: tuple[Reason, ...]
    limits: tuple[LimitCheck, ...]
    rule_at: str
    revision: str
    actor: str
    undo: str
    took: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeVerified(TargetEvent):
    """Every authoritative server answers what was written; with `servers` 0, the provider says so and nobody was asked.

    `took` counts from the decision. Resolvers may use the old answer until `aged_out_at`, by the TTL of that answer;
    None when there was none. `unasked` names servers that this host cannot reach.
    """

    name: ClassVar[str] = "change.verified"

    change_id: str
    generation: int
    took: float
    aged_out_at: float | None = None
    servers: int = 0
    unasked: tuple[str, ...] = ()

    @property
    def witnesses(self) -> str:
        """Who says so, in words."""
        if not self.servers:
            return "no authoritative server was asked"
        who = (
            "the authoritative server agrees"
            if self.servers == 1
            else f"all {self.servers} authoritative servers agree"
        )
        return f"{who}; not asked, for there is no way to them: {', '.join(self.unasked)}" if self.unasked else who

    def say(self) -> str:
        after = f"{self.took * 1000:.0f} ms after the decision"
        ages = f"; the old answer ages out in {self.aged_out_at - self.at:.0f}s" if self.aged_out_at is not None else ""
        return f"{self._where} is in place {after}: {self.witnesses}{ages}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDisputed(TargetEvent):
    """It was written `waited` seconds ago, and not every authoritative server answers so yet. They are asked on.

    Each server is named with what it says: `agreeing`, `disagreeing`, `silent` (no answer at all), `unasked` (this host
    cannot reach it). `detail` tells why nobody could be asked.
    """

    name: ClassVar[str] = "change.disputed"
    level: ClassVar[Level] = Level.ERROR

    change_id: str
    generation: int
    waited: float
    agreeing: tuple[str, ...] = ()
    disagreeing: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    detail: str = ""

    def say(self) -> str:
        silent = tuple(f"{server} is silent" for server in self.silent)
        unasked = tuple(f"{server} cannot be asked from here" for server in self.unasked)
        words = "; ".join((*self.disagreeing, *silent, *unasked, *([self.detail] if self.detail else [])))
        return (
            f"generation {self.generation} of {self._where} is not proved {self.waited:.0f}s after the write: {words}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFenced(TargetEvent):
    """Another writer was there first. Nothing was changed; it is read and decided again."""

    name: ClassVar[str] = "change.fenced"
    level: ClassVar[Level] = Level.WARNING

    change_id: str
    generation: int
    detail: str

    def say(self) -> str:
        return f"generation {self.generation} of {self._where} was refused by the provider: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDelayed(TargetEvent):
    """This zone cannot be read or written now. Others go on. `manual` does the intended change without failoverd."""

    name: ClassVar[str] = "target.delayed"
    level: ClassVar[Level] = Level.ERROR

    reason: str
    detail: str
    remedy: str
    retry_in: float
    attempts: int
    wanted: Mapping[str, int] = field(default_factory=dict)
    manual: str = ""

    def say(self) -> str:
        return f"{self._where} waits {self.retry_in:.0f}s: {self.detail} ({self.reason})" + (
            f". {self.remedy}" if self.remedy else ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResumed(TargetEvent):
    name: ClassVar[str] = "target.resumed"

    attempts: int

    def say(self) -> str:
        return f"{self._where} works again after {self.attempts} attempts"
