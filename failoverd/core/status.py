"""Where things stand: what `failoverctl status` tells, kept in the journal so that it can be told with the daemon dead.

A status replaces the one before it under the same key. History is told by events, not by these.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from failoverd.core.members import MemberRole
from failoverd.core.overrides import Override
from failoverd.core.practices import PastPractice
from failoverd.core.reasons import Cause, LimitCheck, Reason, ReasonCode
from failoverd.core.records import Target

PATIENCE: Final = 60.0
"""Seconds for which a provider may be away from work, while nothing waits for it, before that is a person's matter."""


class TargetState(StrEnum):
    IN_SYNC = "in_sync"
    HOLDING = "holding"  # the decision is to leave it as it is
    LIMITED = "limited"  # a limit blocks the plan
    REFUSED = "refused"  # the name is not ours to touch
    DRIFTED = "drifted"  # somebody changed it, and the policy says to report only
    DELAYED = "delayed"  # the provider cannot be read or written now


@dataclass(frozen=True, slots=True)
class Bill:
    """What an answer costs at list prices while the demand stays as it is, in USD: an estimate.

    `hour` and `month` are of the shares that are answered, `normal_hour` of those of a day on which nothing is wrong.
    """

    hour: float
    normal_hour: float
    month: float


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """One record at one provider. Shares in basis points by region; `manual` does the wanted change by hand.

    `command` is that of failoverctl which the remedy names, if it names one.
    `kind` is what kind of answer was decided on, `cause` why traffic would move where it does not, `checks` are the
    limits in the way, `digest` is that of the plan which they hold, for who approves it, `until` the first moment at
    which time alone would change anything. `normal` are the shares of the file for a day on which nothing is wrong, as
    the provider can say them. `since` is when `state` began, as far as this process saw it, and `answered_since` when
    what is published was. `foreign` is what else the name answers with, which is no share of any region. `seen` is when
    it was last read, None while it never was. `bill` is what it costs, None where no file says what that rests on.
    `demand` is what the whole of it needs, and `capacities` is how much of each region is planned with, over all
    policies, where they are known: as they were measured last, or as the files say.
    """

    target: Target
    at: float
    state: TargetState
    kind: str = ""
    cause: str = ""
    generation: int = 0
    wanted: Mapping[str, int] = field(default_factory=dict)
    published: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    checks: tuple[LimitCheck, ...] = ()
    detail: str = ""
    remedy: str = ""
    command: str = ""
    manual: str = ""
    until: float | None = None
    digest: str = ""
    normal: Mapping[str, int] = field(default_factory=dict)
    since: float | None = None
    answered_since: float | None = None
    foreign: tuple[str, ...] = ()
    seen: float | None = None
    bill: Bill | None = None
    demand: float | None = None
    capacities: Mapping[str, float] = field(default_factory=dict)

    @property
    def moved(self) -> bool:
        """Whether it answers otherwise than on a day on which nothing is wrong, as far as that is known."""
        unread = self.state is TargetState.DELAYED and not self.published
        if not self.normal or unread:
            return False
        regions = {name for shares in (self.published, self.normal) for name, share in shares.items() if share}
        return any(_apart(self.published.get(name, 0), self.normal.get(name, 0)) for name in regions)

    @property
    def only_practised(self) -> bool:
        """Whether nothing has less than on such a day but what is out for a drill."""
        out = {reason.region for reason in self.reasons if reason.code is ReasonCode.PRACTISED}
        less = {name for name, share in self.normal.items() if self.published.get(name, 0) < share - _NOISE}
        return bool(out) and less <= out

    @property
    def keeps_dead(self) -> bool:
        """Whether a limit or an operator's word keeps something that is down in the answer."""
        return self.state in {TargetState.LIMITED, TargetState.HOLDING} and self.cause == Cause.FAILING_OUT

    @property
    def has_rival(self) -> bool:
        """Whether another instance of the same owner writes it as well."""
        return any(reason.code is ReasonCode.RIVAL for reason in self.reasons)

    @property
    def outranked(self) -> bool:
        """Whether a newer leader wrote it, for whom it is left."""
        return any(reason.code is ReasonCode.NEWER_LEADER for reason in self.reasons)

    @property
    def lost_words(self) -> tuple[str, ...]:
        """Ids of the operators' words that its marker names and the journal does not know: it holds."""
        lost = (reason.named for reason in self.reasons if reason.code is ReasonCode.OVERRIDES_LOST)
        return tuple(name for names in lost for name in names)


_NOISE: Final = 100
"""Basis points: answers share a region's part, and what is left of a division goes to one of them."""


def _apart(share: int, normal: int) -> bool:
    return bool(share) != bool(normal) or abs(share - normal) > _NOISE


@dataclass(frozen=True, slots=True)
class RegionStatus:
    """The health of one region of one policy, for one record type. `score` in basis points.

    `cloud` is whose it is, "" when that is not known. `seen` is when the newest probe of the endpoint that was probed
    longest ago ended, None while one of them never was: so old is what is said here, at most. `flapping_until` is when
    it gets better by time alone, where what passes is kept out because it flapped. `latency` is the median of the
    connection times of its probes, in seconds; None where too few are known, or nobody asked for it.
    """

    policy: str
    record_type: str
    region: str
    at: float
    state: str
    score: int
    since: float
    well_since: float | None = None
    evidence: str = ""
    cloud: str = ""
    seen: float | None = None
    flapping_until: float | None = None
    latency: float | None = None


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """The health of one endpoint of one policy. `state` has held since `since`, on this evidence."""

    policy: str
    region: str
    endpoint: str
    at: float
    state: str
    since: float
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """Which revision of a policy runs. `rejected` is the first error of a newer file that does not load.

    `failback_after` is for how many seconds a region has to be well before it gets traffic again; None where a person
    brings it back. `practices` has by region its last drill that was held, and a later one that never began.
    """

    policy: str
    at: float
    file: str
    revision: str
    incident_id: str = ""
    incident_since: float | None = None
    runbook: str = ""
    rejected: str = ""
    failback_after: float | None = None
    practices: tuple[PastPractice, ...] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The daemon was alive at `at`, by the wall clock: readers hold it against their own, which may have been set.

    `instance` is the id that markers name it by.
    """

    at: float
    pid: int
    started_at: float
    version: str
    state: str
    instance: str = ""


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """The journal does not work, since then: it is known to the daemon alone, for it cannot be written down.

    `writes` is whether what fails is writing; it may be read all the same. `error` is the last one.
    """

    since: float
    writes: bool
    error: str
    remedy: str


@dataclass(frozen=True, slots=True)
class VantageStatus:
    """What the prober thinks of its own network.

    `isolated` lists the address families in which it abstains, `since` when the first of them began, or when it was
    started. Of `sentinels` configured, those in `silent` are down or cannot be probed.
    """

    at: float
    isolated: tuple[str, ...]
    since: float
    evidence: str = ""
    sentinels: int = 0
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbingStatus:
    """How probing keeps up.

    Of the last seconds: `rate` probes a second, and `lag`, the 99th percentile of how late they began, in seconds. Of
    the last minute: `lag_max`. Since the start: `skipped` probes. Intervals are `stretched` times as long as written.
    """

    at: float
    rate: float
    lag: float
    lag_max: float
    in_flight: int = 0
    waiting: int = 0
    skipped: int = 0
    stretched: int = 1
    wires: int = 0


@dataclass(frozen=True, slots=True)
class OrphanedRecord:
    """A record that failoverd wrote and marked, and that no policy file names any more. It stays as it is.

    `generation` and `published` (basis points by region) are those of the answer that was last verified, at `since`.
    """

    target: Target
    generation: int
    since: float
    published: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrphansStatus:
    """All of them, until their file is back or they are given back by `disown`."""

    at: float
    records: tuple[OrphanedRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file, or a folder, that could not be taken up, by its first error. No policy that runs tells of it.

    Or one that was taken up and does not do what it is for, as a certificate that has expired. `place` is where that
    stands: a line, it may be of a file in the folder, or of another one that this one rests on; or all of `file`.
    """

    file: str
    error: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place or self.file}: {self.error}"


@dataclass(frozen=True, slots=True)
class FilesStatus:
    """What of the configuration is not at work, until it is mended or gone.

    `deferred` are settings of the daemon's own file that load, and take effect at the next restart. `warned` are files
    that are at work, and do not do what they are for, or soon will not.
    """

    at: float
    refused: tuple[RefusedFile, ...] = ()
    deferred: tuple[str, ...] = ()
    warned: tuple[RefusedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """A trouble that people are told of, until it has ended and they were told of that, too.

    `kind`, `policy` and `subject` say which one it is, for as long as it lasts and over restarts. `severity` is that of
    an event: warning, or error where a person should look. `facts` are in words: why, what is held, the undo. `told`
    names the receivers' addresses that were told that it is there. `member` is which of several members it is a trouble
    of; empty: it is the installation's, whoever of them tells it.
    """

    kind: str
    policy: str
    subject: str
    severity: str
    summary: str
    since: float
    at: float
    incident_id: str = ""
    runbook: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    ended: float | None = None
    told: tuple[str, ...] = ()
    member: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.kind, self.policy, self.subject, self.member


@dataclass(frozen=True, slots=True)
class ReceiverStatus:
    """One address that is told of troubles. `failing_since` is when it stopped to take them, `error` why.

    `waiting` have not been delivered yet; `delivered` and `dropped` count since the start of the daemon.
    """

    receiver: str
    kind: str
    place: str
    waiting: int = 0
    delivered: int = 0
    dropped: int = 0
    failing_since: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class NotificationsStatus:
    """Who is told, and of what: `notices` are the troubles that last, or whose end is still to be told."""

    at: float
    receivers: tuple[ReceiverStatus, ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """A window of planned work that is open or soon will be, and the word that it is: `override` is its id.

    Or the next drill of a file, which is no word yet while it is more than a day away.
    """

    override: str
    about: str
    actor: str
    reason: str
    since: float
    until: float
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedStatus:
    """All of it, the next one first."""

    at: float
    work: tuple[PlannedWork, ...] = ()


class MemberStanding(StrEnum):
    """What a member is doing, as another one hears of it."""

    LEADS = "leads"
    FOLLOWS = "follows"  # it may lead, and does not now
    WATCHES = "watches"  # a vantage: it probes and votes, and never leads
    SILENT = "silent"  # not heard of for a whole lease
    UNHEARD = "unheard"  # not heard of since who tells this began to listen

    @property
    def is_heard(self) -> bool:
        return self not in {MemberStanding.SILENT, MemberStanding.UNHEARD}


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One member of an installation, as one of them, which may be itself, knows it.

    Attributes:
        name: of the member; `network` and `role` as the configuration says.
        standing: what it does.
        heard_at: when it last said anything, on the clock of who tells this; None while it never did.
        version: of its failoverd; empty while not known.
        uncounted: why its votes do not count, in words; empty where they do.
        isolated: the address families in which it does not trust its own network.
        differing: policies of which it has another revision: its votes on these do not count.
        offset: seconds that its clock is ahead; None while not known.
        otherwise: its configuration says something else of the members.
    """

    name: str
    network: str
    role: MemberRole
    standing: MemberStanding
    heard_at: float | None = None
    version: str = ""
    uncounted: str = ""
    isolated: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    offset: float | None = None
    otherwise: bool = False


@dataclass(frozen=True, slots=True)
class MembersStatus:
    """Who of several members writes, as one of them knows it. Without a `member`, it is alone.

    Attributes:
        member: who tells this.
        leads: it is the leader.
        lone: nobody can lead, and it takes traffic off what is down all the same.
        leader: who leads, as far as it knows; empty while nobody does.
        epoch: the leader's.
        since: when it first heard of that leader, or that there is none.
        coordinated: it heard the coordinator lately enough to know who leads.
        heard_at: when the coordinator last answered it; None while it never did.
        trouble: why it does not answer now, or keeps this member from telling what it sees; empty while it does.
        lease: seconds of silence after which another one may lead.
        listens_since: when it began to listen to the others.
        twin: where another daemon is that is this member as well, while this one steps back for it; empty without one.
        members: all of them, this one included, by name.
    """

    at: float
    member: str = ""
    leads: bool = False
    lone: bool = False
    leader: str = ""
    epoch: int = 0
    since: float = 0.0
    coordinated: bool = True
    heard_at: float | None = None
    trouble: str = ""
    lease: float = 0.0
    listens_since: float = 0.0
    twin: str = ""
    members: tuple[MemberStatus, ...] = ()

    @property
    def has_listened(self) -> bool:
        """Whether it would have heard of each member by now that is there."""
        return self.at - self.listens_since > self.lease

    @property
    def led(self) -> bool:
        """Whether one of the members leads, and is not this one without writing: anybody can write in a name there."""
        is_member = self.leader in {each.name for each in self.members}
        return self.coordinated and is_member and (self.leads or self.leader != self.member)

    @property
    def voting(self) -> tuple[MemberStatus, ...]:
        """Those whose votes count."""
        return tuple(each for each in self.members if not each.uncounted)


Status = (
    ProbingStatus
    | VantageStatus
    | TargetStatus
    | RegionStatus
    | EndpointStatus
    | PolicyStatus
    | Heartbeat
    | OrphansStatus
    | FilesStatus
    | NotificationsStatus
    | PlannedStatus
    | MembersStatus
)


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it together: the one shape that the terminal, JSON and the metrics are made from. Each part by its key.

    What an older version wrote, or did not write, is None. `overrides` are operators' words, as they are kept in full;
    which of them are over is for the time of reading to say. `journal` is None while that works, `members` where a
    daemon is alone.
    """

    heartbeat: Heartbeat | None = None
    journal: JournalStatus | None = None
    vantage: VantageStatus | None = None
    probing: ProbingStatus | None = None
    policies: tuple[PolicyStatus, ...] = ()
    regions: tuple[RegionStatus, ...] = ()
    endpoints: tuple[EndpointStatus, ...] = ()
    targets: tuple[TargetStatus, ...] = ()
    orphans: tuple[OrphanedRecord, ...] = ()
    refused_files: tuple[RefusedFile, ...] = ()
    warned_files: tuple[RefusedFile, ...] = ()
    deferred: tuple[str, ...] = ()
    notifications: NotificationsStatus | None = None
    planned: tuple[PlannedWork, ...] = ()
    overrides: tuple[Override, ...] = ()
    members: MembersStatus | None = None

    @classmethod
    def of(cls, statuses: Iterable[Status]) -> "Overview":
        """In the order in which they come; of the daemon's own, the last one counts."""
        found: defaultdict[type[Status], list[Any]] = defaultdict(list)
        for status in statuses:
            found[type(status)].append(status)
        return cls(
            heartbeat=next(reversed(found[Heartbeat]), None),
            vantage=next(reversed(found[VantageStatus]), None),
            probing=next(reversed(found[ProbingStatus]), None),
            policies=tuple(found[PolicyStatus]),
            regions=tuple(found[RegionStatus]),
            endpoints=tuple(found[EndpointStatus]),
            targets=tuple(found[TargetStatus]),
            orphans=tuple(record for status in found[OrphansStatus][-1:] for record in status.records),
            refused_files=tuple(file for status in found[FilesStatus][-1:] for file in status.refused),
            warned_files=tuple(file for status in found[FilesStatus][-1:] for file in status.warned),
            deferred=tuple(name for status in found[FilesStatus][-1:] for name in status.deferred),
            notifications=next(reversed(found[NotificationsStatus]), None),
            planned=tuple(work for status in found[PlannedStatus][-1:] for work in status.work),
            members=next((status for status in reversed(found[MembersStatus]) if status.member), None),
        )
