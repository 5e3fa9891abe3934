"""What happened, as frozen facts. Logs, history, the live view and the demo's JSON are all rendered from these.

The sentences are made in `telemetry/prose.py`.

An event is named `noun.past_participle` and is emitted on transitions only, never per probe and never sampled.
`incident_id`, `decision_id` and `change_id` chain them, so that one incident can be told from its id alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import ClassVar, Final

from failoverd.core.reasons import Cause, LimitCheck, Reason


class Level(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events. `at` is seconds since the epoch; `told_by` names the one of several members that tells it."""

    name: ClassVar[str]
    level: ClassVar[Level] = Level.INFO

    at: float
    policy: str = ""
    incident_id: str = ""
    told_by: str = ""

    def facts(self) -> Iterator[tuple[str, object]]:
        """Field names and values, empty ones left out, in declaration order."""
        for spec in fields(self):
            value = getattr(self, spec.name)
            if value not in ("", None, ()):
                yield spec.name, value


# -- the daemon --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStarted(Event):
    """`instance` is the id that markers name this daemon by."""

    name: ClassVar[str] = "daemon.started"

    version: str
    policies: tuple[str, ...]
    providers: tuple[str, ...]
    pid: int
    instance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStopped(Event):
    name: ClassVar[str] = "daemon.stopped"

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoaded(Event):
    """A policy started to run, or a newer revision of it did."""

    name: ClassVar[str] = "policy.loaded"

    revision: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRemoved(Event):
    """Its file is gone. Nothing moves the traffic of its records any more: on purpose or not, a person should know."""

    name: ClassVar[str] = "policy.removed"
    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOrphaned(Event):
    """A record that failoverd owns is named by no policy file any more. `policy` is the one that wrote it."""

    name: ClassVar[str] = "record.orphaned"
    level: ClassVar[Level] = Level.WARNING

    record: str
    provider: str
    zone: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRejected(Event):
    """A file does not load. What ran before goes on running."""

    name: ClassVar[str] = "config.rejected"
    level: ClassVar[Level] = Level.ERROR

    file: str
    errors: tuple[str, ...]
    keeps: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDeferred(Event):
    """The daemon's own file changed in a way that only a restart can take up."""

    name: ClassVar[str] = "config.deferred"
    level: ClassVar[Level] = Level.WARNING

    file: str
    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCrashed(Event):
    name: ClassVar[str] = "task.crashed"
    level: ClassVar[Level] = Level.ERROR

    task: str
    error: str
    restart_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDiffered(Event):
    """Decisions of the last day come to something else when they are made again: a defect. Told once a night.

    Attributes:
        decisions: of the policy that were made again.
        differing: how many of them came to something else.
        record: the first of those is about this one,
        decided_at: and was made then.
        differs_in: what of it is not the same.
        command: shows them.
    """

    name: ClassVar[str] = "replay.differed"
    level: ClassVar[Level] = Level.ERROR

    decisions: int
    differing: int
    record: str
    decided_at: float
    differs_in: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsFailed(Event):
    """The metrics cannot be served. Everything else goes on without them."""

    name: ClassVar[str] = "metrics.failed"
    level: ClassVar[Level] = Level.ERROR

    listen: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationEvent(Event):
    """Whether people can be told. `receiver` is its name in the configuration, `place` which of its addresses it is."""

    receiver: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFailed(NotificationEvent):
    """A receiver does not take what it is told. It is tried on; told once, until it works again."""

    name: ClassVar[str] = "notification.failed"
    level: ClassVar[Level] = Level.ERROR

    reason: str
    detail: str
    remedy: str
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDelivered(NotificationEvent):
    """A receiver that had failed works again, after `lasted` seconds."""

    name: ClassVar[str] = "notification.delivered"

    lasted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFailed(Event):
    """The admin API cannot be served at one of its places, `listen`. Everything else goes on without it."""

    name: ClassVar[str] = "api.failed"
    level: ClassVar[Level] = Level.ERROR

    listen: str
    error: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Event):
    """The admin API refused a request, for who asked or how. `untold` others were since the last one that was told."""

    name: ClassVar[str] = "request.refused"
    level: ClassVar[Level] = Level.WARNING

    actor: str
    origin: str
    request: str
    status: int
    reason: str
    untold: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFailed(Event):
    name: ClassVar[str] = "journal.failed"
    level: ClassVar[Level] = Level.ERROR

    reason: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped(Event):
    name: ClassVar[str] = "clock.jumped"
    level: ClassVar[Level] = Level.WARNING

    seconds: float


# -- several members ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderElected(Event):
    """One of several members writes from now on, `leader`, in this `epoch`. `mine`: it is who tells this.

    `was` led before, as far as this member knows. `resigned_until`: it had resigned for as long, and leads before that
    because nobody else led for a whole lease; else 0.
    """

    name: ClassVar[str] = "leader.elected"

    leader: str
    epoch: int
    was: str = ""
    mine: bool = False
    resigned_until: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderLost(Event):
    """The member `leader`, which led, writes no more; it says so itself.

    `uncoordinated`: for the coordinator does not answer it, so that it does not know of anybody who leads in its place.
    Then one that followed says so as well, once that lasts: `leader`, or nobody, led when it was last answered.
    """

    name: ClassVar[str] = "leader.lost"
    level: ClassVar[Level] = Level.WARNING

    leader: str
    epoch: int
    cause: str
    uncoordinated: bool = False

    @property
    def missed(self) -> bool:
        """Whether another member than the one that led tells it."""
        return bool(self.told_by) and self.told_by != self.leader


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorLost(Event):
    """What the members agree by does not answer this one. `leads`: it leads, until its lease may be over.

    `lone`: until it is back, this member takes traffic off what is down all the same; otherwise it writes nothing.
    """

    name: ClassVar[str] = "coordinator.lost"
    level: ClassVar[Level] = Level.WARNING

    error: str
    leads: bool
    lone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorRegained(Event):
    name: ClassVar[str] = "coordinator.regained"

    lasted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorRestored(Event):
    """Markers show a higher epoch, `seen`, than the coordinator knows that it gave: an older state of it came back.

    Epochs go on above what was seen; what it knew of policies may be old.
    """

    name: ClassVar[str] = "coordinator.restored"
    level: ClassVar[Level] = Level.WARNING

    seen: int
    was: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUnread(Event):
    """Something that the members remember together cannot be read here, and is left as it is."""

    name: ClassVar[str] = "memory.unread"
    level: ClassVar[Level] = Level.WARNING

    key: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRead(Event):
    """Everything that the members remember together can be read here again."""

    name: ClassVar[str] = "memory.read"

    lasted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryUntold(Event):
    """So many things that this member did were not told to the others: their history lacks them, its own has them."""

    name: ClassVar[str] = "history.untold"
    level: ClassVar[Level] = Level.WARNING

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberEvent(Event):
    """Another member, as this one hears of it. `network` is what it shares with others that fail with it."""

    member: str
    network: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLost(MemberEvent):
    """It said nothing for longer than the lease, `silent_for` seconds: it has no vote, and others probe what it did."""

    name: ClassVar[str] = "member.lost"
    level: ClassVar[Level] = Level.WARNING

    silent_for: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFound(MemberEvent):
    """It is heard again."""

    name: ClassVar[str] = "member.found"

    lasted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinDetected(Event):
    """Another daemon, on `host`, says that it is this `member`, too. `steps_back`: this one leaves the name to it.

    Then it neither votes nor stands. Else it goes on, for it began before the other, which steps back.
    """

    name: ClassVar[str] = "twin.detected"
    level: ClassVar[Level] = Level.ERROR

    member: str
    host: str
    steps_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinGone(Event):
    """No other daemon says so any more, after `lasted` seconds."""

    name: ClassVar[str] = "twin.gone"

    member: str
    lasted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRefused(Event):
    """What a member says is not counted here; told once for each reason, until it is counted again."""

    name: ClassVar[str] = "vote.refused"
    level: ClassVar[Level] = Level.WARNING

    member: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumEvent(Event):
    """Whether enough vantages can vote on endpoints. `live` are those who can, as this one knows."""

    live: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumLost(QuorumEvent):
    """Fewer than two of three or more can: what was agreed on before holds, and no failure is acted on.

    `unheard` say nothing, and `isolated` do not trust what they see.
    """

    name: ClassVar[str] = "quorum.lost"
    level: ClassVar[Level] = Level.ERROR

    unheard: tuple[str, ...]
    isolated: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumRegained(QuorumEvent):
    name: ClassVar[str] = "quorum.regained"


# -- health ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointEvent(Event):
    """`evidence` is the probe that tipped the verdict, in words; `failures` and `passes` are the counts then.

    Of one that fails, `passes` are those that came between its failures, of which the first was at `failing_since`; of
    any other, its last run of passes.
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
    failing_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFailed(EndpointEvent):
    name: ClassVar[str] = "endpoint.failed"
    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDegraded(EndpointEvent):
    name: ClassVar[str] = "endpoint.degraded"
    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRecovered(EndpointEvent):
    name: ClassVar[str] = "endpoint.recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSuppressed(EndpointEvent):
    """It passes again, but it flapped so much that it has to stay well for longer."""

    name: ClassVar[str] = "endpoint.suppressed"
    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLost(EndpointEvent):
    """There is no fresh evidence: the prober is blind. The endpoint counts as UNKNOWN, which moves nothing."""

    name: ClassVar[str] = "endpoint.lost"
    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilityEvent(Event):
    """From where an endpoint can be reached, by what the vantages see."""

    region: str
    endpoint: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilitySplit(ReachabilityEvent):
    """From some networks it can, and from others not at all. Told once, when it lasts longer than it takes to agree."""

    name: ClassVar[str] = "reachability.split"
    level: ClassVar[Level] = Level.WARNING

    reachable_from: tuple[str, ...]
    unreachable_from: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilityRestored(ReachabilityEvent):
    """From all of them the same is seen again."""

    name: ClassVar[str] = "reachability.restored"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyRecovered(DependencyEvent):
    name: ClassVar[str] = "dependency.recovered"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionFailed(RegionEvent):
    name: ClassVar[str] = "region.failed"
    level: ClassVar[Level] = Level.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionDegraded(RegionEvent):
    name: ClassVar[str] = "region.degraded"
    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRecovered(RegionEvent):
    name: ClassVar[str] = "region.recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionLost(RegionEvent):
    name: ClassVar[str] = "region.lost"
    level: ClassVar[Level] = Level.WARNING


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


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageRejoined(VantageEvent):
    name: ClassVar[str] = "vantage.rejoined"

    lasted: float


# -- probing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbingEvent(Event):
    """The schedule as a whole. Intervals are `factor` times as long as the policies say; `lag` is in seconds.

    `lag` is the 99th percentile of how late probes began; `in_flight` are under way, `waiting` wait for a place.
    """

    factor: int
    lag: float
    in_flight: int
    waiting: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbingShed(ProbingEvent):
    """This host cannot keep the schedule, so it probes less often. Re-checks of open verdicts keep their pace."""

    name: ClassVar[str] = "probing.shed"
    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbingRestored(ProbingEvent):
    """It has been calm for a while: a step back, to the plain intervals when `factor` is 1."""

    name: ClassVar[str] = "probing.restored"


# -- operators' words --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideEvent(Event):
    """A word of an operator, whose id is `override`. `policies` are those that it concerns, `about` is its scope."""

    override: str
    verb: str
    about: str
    actor: str
    reason: str
    until: float
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideGiven(OverrideEvent):
    """It is heeded from now on, unless more people have to agree (`needed` in all)."""

    name: ClassVar[str] = "override.given"
    level: ClassVar[Level] = Level.WARNING

    detail: str = ""
    needed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideChanged(OverrideEvent):
    """It was extended, commented on or agreed to by `by`; or the file `by` that plans it says it otherwise."""

    name: ClassVar[str] = "override.changed"

    by: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideEnding(OverrideEvent):
    """It ends in `left` seconds: what it keeps away comes back then, by the limits of `returning`."""

    name: ClassVar[str] = "override.ending"
    level: ClassVar[Level] = Level.WARNING

    left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideEnded(OverrideEvent):
    """It is heeded no more: released by `by`, or its time is over. A file releases what it does not plan any more."""

    name: ClassVar[str] = "override.ended"

    by: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertIgnored(Event):
    """An alert that has a label of ours was sent by `by` and is not heeded. `why` says what is wrong with it.

    Told once, for as long as it fires and that stays the same.
    """

    name: ClassVar[str] = "alert.ignored"
    level: ClassVar[Level] = Level.WARNING

    alert: str
    fingerprint: str
    by: str
    why: str


# -- what others measure -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLost(Event):
    """A source has not answered these for three intervals, or with nothing that is believed. It moves no traffic.

    `signals` names them, with the policy; of many, the first. `count` is how many there are.
    """

    name: ClassVar[str] = "signal.lost"
    level: ClassVar[Level] = Level.WARNING

    source: str
    signals: tuple[str, ...]
    count: int
    reason: str
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFound(Event):
    """They are answered again; or those that were lost are asked for no more, and none is named.

    `still_lost` is how many more of this source are lost.
    """

    name: ClassVar[str] = "signal.found"

    source: str
    signals: tuple[str, ...]
    count: int
    still_lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalClipped(Event):
    """A figure was answered that is too far from the one before, or below the least: less of the way is believed."""

    name: ClassVar[str] = "signal.clipped"
    level: ClassVar[Level] = Level.WARNING

    signal: str
    measured: float
    believed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEvent(Event):
    """About the errors of a region: burn in the long and in the short window, and the median of the others."""

    region: str
    burn: float
    short: float
    others: float | None
    requests: int
    rule_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFired(SignalEvent):
    """It has far more errors than the others: it is taken to be `verdict`."""

    name: ClassVar[str] = "signal.fired"
    level: ClassVar[Level] = Level.WARNING

    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalShared(SignalEvent):
    """It has too many errors, and so have the others; or nobody says how the others are. Nothing moves for it."""

    name: ClassVar[str] = "signal.shared"
    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalCleared(Event):
    """That is over: it has fewer errors, or nobody knows any more (`verdict` is unknown)."""

    name: ClassVar[str] = "signal.cleared"

    region: str
    verdict: str


# -- drills -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeStarted(Event):
    """A drill begins: `regions` get no traffic, as the word `override` says. It ends at once if anything comes up."""

    name: ClassVar[str] = "practice.started"

    override: str
    regions: tuple[str, ...]
    actor: str
    reason: str
    until: float
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeEnded(Event):
    """A drill is over, or never began. `why` is what it ended by, where that was not its time.

    `demand` is that of the policies, `asked` what the other regions had to carry, `carried` what they could, where
    that was looked at.
    """

    name: ClassVar[str] = "practice.ended"

    override: str
    regions: tuple[str, ...]
    actor: str
    reason: str
    outcome: str
    lasted: float
    why: str = ""
    demand: float | None = None
    asked: float | None = None
    carried: float | None = None
    policies: tuple[str, ...] = ()


# -- incidents ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened(Event):
    name: ClassVar[str] = "incident.opened"
    level: ClassVar[Level] = Level.WARNING

    cause: str
    runbook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentClosed(Event):
    name: ClassVar[str] = "incident.closed"

    lasted: float
    changes: int


# -- decisions, plans, changes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEvent(Event):
    """Something about one record at one provider."""

    record: str
    provider: str
    zone: str
    decision_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionMade(TargetEvent):
    """`verdict` is the named reason of the decision; `reasons` let a person redo the sum. Shares in basis points."""

    name: ClassVar[str] = "decision.made"

    verdict: str
    shares: Mapping[str, int]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCrashed(TargetEvent):
    """A defect of ours. `inputs` is what was decided on, in JSON, so that it can be played again."""

    name: ClassVar[str] = "decision.crashed"
    level: ClassVar[Level] = Level.ERROR

    error: str
    inputs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverridesLost(TargetEvent):
    """The marker names operators' words that the journal does not know: what they said is lost. Nothing is undone.

    Until the last of them ends (`until`), or a person releases them, only what fails out moves.
    """

    name: ClassVar[str] = "overrides.lost"
    level: ClassVar[Level] = Level.ERROR

    overrides: tuple[str, ...]
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalDetected(TargetEvent):
    """Other instances (`rivals`) of the same `owner` write the name turn by turn with this one (`instance`).

    Told once for a name. From then on it is only written to take off what is down, until a person ends that.
    """

    name: ClassVar[str] = "rival.detected"
    level: ClassVar[Level] = Level.ERROR

    owner: str
    instance: str
    rivals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderOutranked(TargetEvent):
    """A newer leader (`epoch`) of the same `owner` wrote the name (its instance: `writer`) than this one is (`ours`).

    Told once for a name and a leader. From then on this one writes nothing there, whatever fails: until it leads again
    with a higher epoch, or a person ends it. `ours` is 0 for one member alone.
    """

    name: ClassVar[str] = "leader.outranked"
    level: ClassVar[Level] = Level.WARNING

    owner: str
    epoch: int
    ours: int
    writer: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalSettled(TargetEvent):
    """A person says that the rivals of this name are gone: it is written as before.

    Also over what leaders wrote up to `epoch`, if it is not 0.
    """

    name: ClassVar[str] = "rival.settled"

    rivals: tuple[str, ...]
    by: str
    comment: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeld(TargetEvent):
    """A limit blocks the plan. `until` is when the window lets it pass by itself, if time alone can help.

    `digest` is what a person approves, who lets it through.
    """

    name: ClassVar[str] = "plan.held"
    level: ClassVar[Level] = Level.WARNING

    wanted: Mapping[str, int]
    cause: Cause
    limits: tuple[LimitCheck, ...]
    rule_at: str
    until: float | None = None
    digest: str = ""
    manual: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverHeld(PlanHeld):
    """Something that is down is kept in the answer.

    `min_regions` can do that, an operator's word, and `rival` (another instance put back what this one took off, again
    and again): a person ends it. An assertion of the inventory does for a while.
    """

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftDetected(TargetEvent):
    """Something else stands there. `kind` is lost, edited, intended or late; `until`, when an edit will be put back."""

    name: ClassVar[str] = "drift.detected"
    level: ClassVar[Level] = Level.WARNING

    found: str
    expected: str
    will: str
    kind: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeApplied(TargetEvent):
    """The one canonical line of a change: what moved, why, by which rule, and how to undo it.

    `overrides` are the ids of operators' words by which it moved; `actor` names who gave them.
    """

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
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeVerified(TargetEvent):
    """Every authoritative server answers what was written; with `servers` 0, the provider says so and nobody was asked.

    With `unconfirmed` not even the provider says so: it was written and read back, and no more is known.

    `took` counts from the decision. Resolvers may use the old answer until `aged_out_at`, by the TTL of that answer;
    None when there was none. `unasked` names servers that this host cannot reach.
    """

    name: ClassVar[str] = "change.verified"

    change_id: str
    generation: int
    took: float
    aged_out_at: float | None = None
    servers: int = 0
    unconfirmed: bool | None = None
    unasked: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFenced(TargetEvent):
    """Another writer was there first. Nothing was changed; it is read and decided again."""

    name: ClassVar[str] = "change.fenced"
    level: ClassVar[Level] = Level.WARNING

    change_id: str
    generation: int
    detail: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResumed(TargetEvent):
    name: ClassVar[str] = "target.resumed"

    attempts: int


# -- regions that come back --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FailbackStepped(TargetEvent):
    """A region that comes back stands at a step of its ramp. `share` is what it gets now, `until` when the next is due.

    With the last step there is no next one: it has its whole share.
    """

    name: ClassVar[str] = "failback.stepped"

    region: str
    step: int
    steps: int
    share: int
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailbackAborted(TargetEvent):
    """A region failed on its ramp, and is out. Before it is tried again it has to be well for `hold` seconds."""

    name: ClassVar[str] = "failback.aborted"
    level: ClassVar[Level] = Level.WARNING

    region: str
    step: int
    steps: int
    aborts: int
    hold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailbackAbandoned(TargetEvent):
    """A region failed on its ramp as often as `failback.retries` says. `remedy` brings it back."""

    name: ClassVar[str] = "failback.abandoned"
    level: ClassVar[Level] = Level.WARNING

    region: str
    aborts: int
    rule_at: str
    remedy: str


KINDS: Final[Mapping[str, type[Event]]] = {
    kind.name: kind
    for kind in tuple(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and isinstance(vars(kind).get("name"), str)
}
"""Every event by its name, in the order in which they stand here."""
