"""What the API answers: one set of models makes it, checks it, and is the document. What is asked is in `asked.py`.

`schema` is the version of all of it: within 1, keys come and none goes. Times are RFC 3339 in UTC, durations seconds
under keys that say so, shares and scores basis points (10,000 is all of it) under keys that end in `_bp`.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticSerializationError

from failoverd.codec import sayable
from failoverd.core.records import WHOLE
from failoverd.telemetry.times import rfc3339

SCHEMA: Final = 1

_CALENDAR: Final = 253_402_300_799.0
"""Seconds since the epoch: the end of the year 9999, where Python's calendar ends."""


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError("a time is written like 2026-12-01T03:12:00Z (RFC 3339)")
    try:
        return found.astimezone(UTC).timestamp()
    except OverflowError:
        raise ValueError("no calendar has that time") from None


def _stamp(at: float) -> str:
    return rfc3339(min(max(at, 0.0), _CALENDAR))


Moment = Annotated[
    float,
    BeforeValidator(_moment),
    PlainSerializer(_stamp, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-12-01T03:12:00.000Z"]}),
]
"""Seconds since the epoch for us, RFC 3339 on the wire."""


def _whole(value: object) -> object:
    """JSON has one kind of number: 907.0 is a whole one (JSON Schema, 6.1.1)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Points = Annotated[int, Field(ge=0, le=WHOLE), BeforeValidator(_whole)]
"""Basis points."""

Shares = dict[str, int]
"""Basis points by region."""


def _bp(name: str, description: str) -> Any:  # noqa: ANN401 - as pydantic's Field has it
    """A field that core calls without its unit."""
    return Field(validation_alias=AliasChoices(f"{name}_bp", name), description=description)


LATENCY: Final = Field(
    default=None,
    validation_alias=AliasChoices("latency_seconds", "latency"),
    description="median of the connection times of its probes; null where nobody asked for it, or too few are known",
)


class ToldModel(BaseModel):
    """Whatever is answered. A client reads what it knows, and passes over what came later."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
        defer_build=True,
    )


class AnswerBody(ToldModel):
    """What an answer as a whole has."""

    schema_version: Literal[1] = Field(default=1, validation_alias="schema", serialization_alias="schema")

    def to_json(self) -> bytes:
        try:
            return self.__pydantic_serializer__.to_json(self, by_alias=True)
        except PydanticSerializationError:
            return json.dumps(sayable(self.model_dump(mode="json", by_alias=True))).encode()


class Problem(AnswerBody):
    """Why something was not done (RFC 9457). `reason` is for programs, `detail` and `remedy` for people."""

    type: str = "about:blank"
    title: str
    status: int
    reason: str
    detail: str
    remedy: str = ""


class TargetTold(ToldModel):
    """A record at a provider."""

    policy: str
    record: str = Field(validation_alias=AliasChoices("record", AliasPath("key", "name")))
    type: str = Field(validation_alias=AliasChoices("type", AliasPath("key", "type")))
    provider: str
    zone: str


class DaemonTold(ToldModel):
    """What is known of the daemon; null of one that never ran."""

    state: str = Field(description="running, stopped, silent after 30 s without a sign of life, or that it never ran")
    at: Moment | None = None
    pid: int | None = None
    started_at: Moment | None = None
    version: str | None = None
    instance: str | None = Field(default=None, description="which daemon it is, the same after a restart")


class JournalTold(ToldModel):
    """The journal does not work, since then. Traffic is steered all the same."""

    since: Moment
    writes: bool = Field(description="what fails is writing; false: reading alone")
    error: str
    remedy: str


class VantageTold(ToldModel):
    at: Moment
    isolated: tuple[str, ...]
    since: Moment
    evidence: str
    sentinels: int
    silent: tuple[str, ...]


class ProbingTold(ToldModel):
    at: Moment
    rate: float = Field(description="probes in a second")
    lag_seconds: float = Field(validation_alias=AliasChoices("lag_seconds", "lag"))
    lag_max_seconds: float = Field(validation_alias=AliasChoices("lag_max_seconds", "lag_max"))
    in_flight: int
    waiting: int
    skipped: int
    stretched: int
    wires: int


class PracticeTold(ToldModel):
    """A drill that is over, or that never began."""

    region: str
    outcome: str = Field(description="succeeded, failed, interrupted, capacity_check_failed or blocked")
    began: Moment
    ended: Moment
    override: str
    actor: str
    why: str = Field(description="what it ended by; empty where that was its time")


class PolicyTold(ToldModel):
    policy: str
    at: Moment
    file: str
    revision: str
    incident_id: str
    incident_since: Moment | None
    runbook: str
    rejected: str
    failback_after_seconds: float | None = Field(
        default=None,
        validation_alias=AliasChoices("failback_after_seconds", "failback_after"),
        description="for so long a region has to be well before it gets traffic again; null where a person says so",
    )
    practices: tuple[PracticeTold, ...] = Field(
        default=(), description="by region its last drill that was held, and a later one that never began"
    )


class RegionTold(ToldModel):
    policy: str
    record_type: str
    region: str
    at: Moment
    state: str
    score_bp: int = _bp("score", "10000: every endpoint serves well")
    since: Moment
    well_since: Moment | None
    evidence: str
    cloud: str = Field(description="whose it is, empty when that is not known")
    seen: Moment | None = Field(
        default=None, description="so old is what is known of it; null while an endpoint never was seen"
    )
    flapping_until: Moment | None = Field(
        default=None,
        description="when it gets better by time alone: what passes is kept out until then, for it flapped",
    )
    latency_seconds: float | None = LATENCY


class EndpointTold(ToldModel):
    policy: str
    region: str
    endpoint: str
    at: Moment
    state: str
    since: Moment
    evidence: str


class BillTold(ToldModel):
    """What shares cost at list prices while the demand stays as it is: an estimate."""

    hour_usd: float = Field(validation_alias=AliasChoices("hour_usd", "hour"), description="USD an hour")
    normal_hour_usd: float = Field(
        validation_alias=AliasChoices("normal_hour_usd", "normal_hour"),
        description="the same of a day on which nothing is wrong: the difference is what a failover costs an hour",
    )
    month_usd: float = Field(
        validation_alias=AliasChoices("month_usd", "month"), description="USD in a month of thirty days"
    )


_COMMAND: Final = "the command that the remedy names, if it names one; its words are quoted for a shell"


class TargetStatusTold(ToldModel):
    target: TargetTold
    at: Moment
    state: str
    kind: str
    cause: str
    generation: int
    wanted_bp: Shares = _bp("wanted", "shares by region that are wanted")
    published_bp: Shares = _bp("published", "shares by region that are answered")
    reasons: tuple[str, ...]
    checks: tuple[str, ...]
    detail: str
    remedy: str
    command: str = Field(default="", description=_COMMAND)
    manual: str
    until: Moment | None
    digest: str = Field(description="of the plan that a limit holds, by which it may be approved")
    normal_bp: Shares = Field(
        default_factory=dict,
        validation_alias=AliasChoices("normal_bp", "normal"),
        description="shares by region of a day on which nothing is wrong, as the provider can say them",
    )
    since: Moment | None = Field(default=None, description="when the state began")
    answered_since: Moment | None = Field(default=None, description="when it began to answer so")
    foreign: tuple[str, ...] = Field(
        default=(), description="what it answers with besides, or instead, which failoverd does not state"
    )
    seen: Moment | None = Field(default=None, description="when it was last read; null while it never was")
    bill: BillTold | None = Field(default=None, description="what it costs; null where no file says what that rests on")
    demand: float | None = Field(default=None, description="what the whole of it needs; null where nobody says")
    capacities: dict[str, float] = Field(
        default={},
        description="how much of each region is planned with, over all policies; without those of which nobody says",
    )
    has_rival: bool = Field(description="another instance of the same owner writes it as well")
    outranked: bool = Field(default=False, description="a newer leader wrote it, and nothing is written here")
    lost_overrides: tuple[str, ...] = Field(
        default=(),
        validation_alias=AliasChoices("lost_overrides", "lost_words"),
        description="overrides that its marker names and the journal does not know: only what fails out moves",
    )


class OrphanTold(ToldModel):
    target: TargetTold
    generation: int
    since: Moment
    published_bp: Shares = _bp("published", "shares by region that were verified last")


class RefusedFileTold(ToldModel):
    file: str
    error: str
    place: str = Field(default="", description="file, line and column of the error; empty where all of `file` is meant")


class PlannedTold(ToldModel):
    """A window of planned work that is open or soon will be, or the next drill. `override` is the word that it is."""

    override: str
    about: str
    actor: str
    reason: str
    since: Moment
    until: Moment
    policies: tuple[str, ...]


class ReceiverTold(ToldModel):
    receiver: str
    kind: str
    place: str
    waiting: int
    delivered: int
    dropped: int
    failing_since: Moment | None
    error: str


class NoticeTold(ToldModel):
    """A trouble that people are told of."""

    kind: str
    policy: str
    subject: str
    severity: str
    summary: str
    since: Moment
    at: Moment
    incident_id: str
    runbook: str
    facts: dict[str, str]
    ended: Moment | None
    told: tuple[str, ...]
    member: str = Field(default="", description="the one of several members that it is a trouble of")


class NotificationsTold(ToldModel):
    at: Moment
    receivers: tuple[ReceiverTold, ...]
    notices: tuple[NoticeTold, ...]


class MemberTold(ToldModel):
    """One member of an installation, as another one hears of it."""

    name: str
    network: str
    role: Literal["member", "vantage"] = Field(description="whether it may ever lead")
    standing: Literal["leads", "follows", "watches", "silent", "unheard"] = Field(
        description="what it does; silent: not heard of for a whole lease; unheard: not yet"
    )
    heard_at: Moment | None = Field(description="null while it was never heard of")
    version: str = Field(description="empty while not known")
    uncounted: str = Field(description="why its votes do not count, in words; empty where they do")
    isolated: tuple[str, ...] = Field(description="address families in which it does not trust its own network")
    differing: tuple[str, ...] = Field(description="policies of which it has another revision than who tells this")
    offset_seconds: float | None = Field(
        validation_alias=AliasChoices("offset_seconds", "offset"),
        description="its clock is so much ahead; null while not known",
    )
    otherwise: bool = Field(description="it was told something else of the members than who tells this")


class RosterTold(ToldModel):
    """Who of several members writes, as one of them knows it."""

    at: Moment
    member: str = Field(description="who tells this")
    leads: bool = Field(description="it is the leader")
    lone: bool = Field(description="nobody can lead, and it takes traffic off what is down all the same")
    leader: str = Field(description="empty while nobody leads")
    epoch: int = Field(description="grows with each leader")
    since: Moment = Field(description="when this member first heard of that leader, or that there is none")
    coordinated: bool = Field(description="it heard the coordinator lately enough to know who leads")
    heard_at: Moment | None = Field(description="when the coordinator last answered it; null while it never did")
    trouble: str = Field(
        description="why the coordinator does not answer, or keeps this member from telling what it sees; empty without"
    )
    lease_seconds: float = Field(validation_alias=AliasChoices("lease_seconds", "lease"))
    listens_since: Moment = Field(description="when this member began to listen to the others")
    twin: str = Field(
        description="where another daemon is that is this member as well, while this one steps back; empty without one"
    )
    members: tuple[MemberTold, ...] = Field(description="all of them, by name")


class CommentTold(ToldModel):
    at: Moment
    actor: str
    text: str


class ScopeTold(ToldModel):
    """What a word is about, by lists of globs."""

    policies: tuple[str, ...]
    records: tuple[str, ...]
    providers: tuple[str, ...]
    regions: tuple[str, ...]
    clouds: tuple[str, ...]
    endpoints: tuple[str, ...]


class WordTold(ToldModel):
    """An operator's word, and what was said of it."""

    id: str
    verb: str
    state: Literal["pending", "upcoming", "in_force", "over"]
    about: str = Field(description="its scope, as people say it")
    scope: ScopeTold
    actor: str
    since: Moment
    until: Moment
    comments: tuple[CommentTold, ...] = Field(description="the first one is the reason")
    shares_bp: Shares = _bp("shares", "of a pin: shares by region")
    part_bp: int = _bp("part", "of a shed: how much less")
    over_seconds: float = Field(validation_alias=AliasChoices("over_seconds", "over"))
    now: bool
    digest: str
    name: str
    undoes: str
    planned: bool = Field(description="a file says it: planned work")
    back_at_once: bool = Field(default=False, description="who released it said that it all comes back in one step")
    cleared: bool = Field(default=True, description="a planned practice is heeded once this is so")
    outcome: str = Field(default="", description="of a practice that is over: how it went")
    succeed: tuple[str, ...] = Field(default=(), description="of a practice: checks that it fails by; none: all")
    breaks: tuple[str, ...]
    needed: int
    agreed: tuple[str, ...]
    ended_at: Moment | None
    ended_by: str


class WordStatusTold(WordTold):
    """An operator's word, and what it is about now."""

    records: tuple[str, ...] = Field(description="each with its provider; none where it is about nothing now")
    overruled: tuple[str, ...] = Field(default=(), description="those of them at which a later override counts instead")


class WordListedTold(WordTold):
    """An operator's word, and whether it is about anything."""

    records: int | None = Field(default=None, description="how many it is about now; null where that is not known")


class EffectTold(ToldModel):
    """What a word does at one record, and how far that is."""

    target: TargetTold
    kind: str | None = Field(description="what is to be done there now; null where nobody can say, for `error`")
    before_bp: Shares = _bp("before", "shares by region that are answered now")
    after_bp: Shares = _bp("after", "shares by region that will be, in the end")
    ttl_seconds: int = Field(validation_alias=AliasChoices("ttl_seconds", "ttl"))
    reasons: tuple[str, ...]
    limits: tuple[str, ...]
    rated: bool = Field(
        default=False, description="a rate is among the limits, which an override with `now` meets none of"
    )
    error: str
    settled: bool
    left: tuple[str, ...] = Field(default=(), description="why what an ended override kept away is not back yet")
    changed_at: Moment | None
    verified: bool
    unconfirmed: bool = Field(default=False, description="instead of `verified`: nobody is to be asked for more")


Level = Literal["well", "moved", "unknown", "person"]


class ConcernTold(ToldModel):
    """What is not as it should be, and what ends it."""

    level: Level
    policy: str = Field(description="empty where it is of the whole installation")
    subject: str
    text: str
    remedy: str
    command: str = Field(default="", description=_COMMAND)
    runbook: str = Field(default="", description="of an incident, as the policy names it")
    since: Moment | None


class RecordLineTold(ToldModel):
    """One record at one provider: what it answers now, against a day on which nothing is wrong."""

    policy: str
    record: str
    type: str
    provider: str
    level: Level
    state: str
    now_bp: Shares = _bp("now", "shares by region that are answered")
    normal_bp: Shares = _bp("normal", "shares by region of a day on which nothing is wrong; empty while not known")
    moved: bool = Field(description="whether these differ by more than a rounding")
    since: Moment | None = Field(description="when it began to answer so; null while not known")
    seen: Moment | None = Field(description="of which moment this is; null while it was never read: nothing is known")
    why: str = Field(description="in a few words; empty where all is normal")
    next: str = Field(description="what happens next, in a few words; empty where nothing does")
    next_at: Moment | None = Field(description="when, if time alone brings it")
    stop: str = Field(
        description="the command that ends what an operator said there, or keeps it as it is; empty without a daemon"
    )
    ends: str = Field(default="", description="the override that this ends; empty where it ends none")
    overrides: tuple[str, ...] = Field(description="ids of the overrides in force that are about it")
    foreign: tuple[str, ...] = Field(
        default=(), description="what it answers with besides, or instead, which failoverd does not state"
    )
    bill: BillTold | None = Field(default=None, description="what it costs; null where no file says what that rests on")
    costs: str = Field(default="", description="the same in a few words")


class RegionLineTold(ToldModel):
    """The health of one region of one policy, for the record types that see it so."""

    policy: str
    region: str
    cloud: str = Field(description="whose it is, empty when that is not known")
    types: tuple[str, ...]
    state: str
    score_bp: int = _bp("score", "10000: every endpoint serves well")
    since: Moment
    why: str
    seen: Moment | None = Field(
        description="so old is what is known of it at most; null while an endpoint never was seen"
    )
    practised: str = Field(default="", description="how its last drill went; empty while there was none")
    practised_at: Moment | None = Field(default=None, description="when that began")
    taken_for: str = Field(
        default="",
        description="what is decided on instead of `state`, where a signal or an alert says worse; else empty",
    )
    taken_why: str = Field(default="", description="who says so")
    load: float | None = Field(
        default=None, description="what all policies have published there, in the unit of its capacity"
    )
    target: float | None = Field(default=None, description="the same of what they want there")
    demand: float | None = Field(default=None, description="the same of what they would have there on a normal day")
    room: float | None = Field(default=None, description="so much of the capacity as its score leaves")
    capacity: float | None = Field(default=None, description="how much of it is planned with; null where nobody says")
    short: tuple[str, ...] = Field(default=(), description="who is short, and is sent there all the same")
    latency_seconds: float | None = LATENCY


class WordLineTold(ToldModel):
    """An operator's word that is not over, in a few words."""

    id: str
    text: str = Field(description="what it does to what")
    state: Literal["pending", "upcoming", "in_force", "over"]
    by: str
    reason: str
    since: Moment
    until: Moment
    records: int | None = Field(description="how many it is about now; null of a switch, or the approval of a plan")
    planned: bool = Field(description="a file says it: planned work")


class GlanceTold(AnswerBody):
    """Who is needed, where each record points against normal, why, and what happens next."""

    at: Moment
    level: Level = Field(description="well; moved or degraded; unknown: nobody can say; or a person is needed")
    headline: str
    stale: bool = Field(description="no daemon is at work: all of this is what it saw last")
    seen: Moment | None = Field(description="of which moment it is; null where no daemon ever ran")
    policies: int = Field(description="how many there are, whatever is left out below")
    well: int = Field(description="how many of the records that were asked about are well, also if these are left out")
    prober: str = Field(description="what it does about its own network: trusts it, or abstains; empty while not known")
    concerns: tuple[ConcernTold, ...] = Field(description="what is not as it should be, the worst first")
    records: tuple[RecordLineTold, ...]
    regions: tuple[RegionLineTold, ...]
    overrides: tuple[WordLineTold, ...] = Field(description="what operators said, and is not over")
    planned: tuple[PlannedTold, ...] = Field(description="planned work that is open, or soon will be")
    speaker: str = Field(default="", description="who of several members writes; empty where a daemon is alone")


class RegionAtLargeTold(ToldModel):
    """A region of a cloud, over all policies that use it."""

    cloud: str = Field(description="empty when that is not known")
    region: str
    state: str = Field(description="the worst of it")
    states: dict[str, int] = Field(description="policies by state")
    since: Moment
    why: str
    seen: Moment | None = Field(description="as old as the oldest of what is known of it; null while some never was")
    practised: str = Field(default="", description="how its last drill went; empty while there was none")
    practised_at: Moment | None = Field(default=None, description="when that began")
    load: float | None = Field(
        default=None, description="what all policies have published there, in the unit of its capacity"
    )
    target: float | None = Field(default=None, description="the same of what they want there")
    demand: float | None = Field(default=None, description="the same of what they would have there on a normal day")
    room: float | None = Field(default=None, description="so much of the capacity as its score leaves")
    capacity: float | None = Field(default=None, description="how much of it is planned with; null where nobody says")
    short: tuple[str, ...] = Field(default=(), description="who is short, and is sent there all the same")
    latency_seconds: float | None = LATENCY


class BoardTold(AnswerBody):
    """What one screen has room for: the glance, cut to what has to be seen first."""

    glance: GlanceTold = Field(description="its regions are left out: see `regions`")
    regions: tuple[RegionAtLargeTold, ...]
    stops: dict[str, str] = Field(description="the command that ends each of its overrides, or agrees to it, by id")
    left: dict[str, int] = Field(description="how much is left out: records by level, concerns, regions, overrides")
    names: dict[str, str] = Field(description="names of records in their own letters, by how DNS writes them")


class RegionRoomTold(ToldModel):
    """A region over all policies, in the unit of its capacity; null where that is not known."""

    region: str
    cloud: str = Field(description="empty when that is not known")
    jurisdiction: str = Field(description="whose law applies there; empty when that was not stated")
    capacity: float | None
    headroom_bp: int = _bp("headroom", "how much of the capacity is planned with")
    load: float | None = Field(description="published shares times demand, over all policies")
    target: float | None = Field(description="the same of the shares that are wanted")
    left: float | None = Field(description="room beside the load; below zero where that is more")
    policies: int = Field(description="how many may use it")
    cost_per_hour: float | None = Field(description="of the load, at list prices")
    practised: Moment | None = Field(description="when its loss was last practised")


class ShortTold(ToldModel):
    """A policy of which a part fits nowhere."""

    policy: str
    tier: str
    demand: float
    short: float
    excess_on: str = Field(description="the region that gets it all the same; empty: its place, or all of its regions")


class LossTold(ToldModel):
    """A normal day without some regions."""

    lost: str = Field(description="what is lost; empty: nothing")
    regions: tuple[str, ...]
    left: dict[str, float] = Field(description="room that is left in each of the others")
    short: tuple[ShortTold, ...] = Field(description="who is short, the most important first")
    total: float = Field(description="of what all of them are short")


class InventoryTold(AnswerBody):
    """What the regions carry, and whether each of them can be lost."""

    at: Moment
    headline: str
    regions: tuple[RegionRoomTold, ...]
    normal: LossTold
    losses: tuple[LossTold, ...] = Field(description="without each region, and each cloud that has several")
    uncounted: tuple[str, ...] = Field(description="policies without a demand, which are in no sum")


class EnteredTold(AnswerBody):
    """Who a browser is, that showed its token."""

    actor: str


class PolicyNamesTold(ToldModel):
    """What a policy is called, and what it names."""

    policy: str
    records: tuple[str, ...]
    regions: dict[str, str] = Field(description="with the cloud of each; empty where the inventory says none")
    endpoints: tuple[str, ...] = Field(description="region/address, with the port where it has one of its own")


class NamesTold(AnswerBody):
    """The names that a word may be about, of the policies that run."""

    policies: tuple[PolicyNamesTold, ...]


_WARNED: Final = "what is at work, and does not do what it is for, or soon will not: a certificate that expires"


class StatusTold(AnswerBody):
    """Where everything stands."""

    at: Moment
    headline: str
    glance: GlanceTold
    daemon: DaemonTold
    journal: JournalTold | None = Field(default=None, description="null while it works")
    vantage: VantageTold | None
    probing: ProbingTold | None
    policies: tuple[PolicyTold, ...]
    regions: tuple[RegionTold, ...]
    endpoints: tuple[EndpointTold, ...]
    targets: tuple[TargetStatusTold, ...]
    orphans: tuple[OrphanTold, ...]
    refused_files: tuple[RefusedFileTold, ...]
    warned_files: tuple[RefusedFileTold, ...] = Field(default=(), description=_WARNED)
    deferred: tuple[str, ...] = Field(
        default=(), description="settings of the daemon's own file that take effect at its next restart"
    )
    planned: tuple[PlannedTold, ...] = Field(description="planned work, the next one first")
    notifications: NotificationsTold | None = Field(description="who is told of troubles; null without receivers")
    overrides: tuple[WordStatusTold, ...]
    members: RosterTold | None = Field(default=None, description="who of several members writes; null: it is alone")


class MembersTold(AnswerBody):
    """Who leads, who is there, and whose votes count."""

    at: Moment
    level: Level = Field(description="the worst of what is not as it should be about the members")
    headline: str
    stale: bool = Field(description="no daemon is at work here: all of this is what it knew last")
    roster: RosterTold | None = Field(description="null where a daemon is alone, or is gone and had told of no members")
    concerns: tuple[ConcernTold, ...] = Field(description="what is not as it should be, the worst first")


class ResignedTold(AnswerBody):
    """A member leads no more, of its own accord."""

    member: str
    epoch: int = Field(description="in which it led")
    stands_again_at: Moment = Field(description="before that it leads again only if nobody else led for a whole lease")
    told: bool = Field(
        description="the coordinator knows: another one can lead at once; or else when the lease is over"
    )


class ChangeTold(ToldModel):
    at: Moment
    change_id: str
    incident_id: str
    policy: str
    record: str
    provider: str
    kind: str
    generation: int
    from_bp: Shares = Field(validation_alias=AliasChoices("from_bp", "before"), description="shares by region, before")
    to_bp: Shares = Field(validation_alias=AliasChoices("to_bp", "after"), description="shares by region, after")
    outcome: str
    detail: str
    attempts: int
    verified_after_seconds: float | None = Field(
        validation_alias=AliasChoices("verified_after_seconds", "verified_after"),
        description="from the decision until all authoritative servers agreed",
    )
    unconfirmed: bool = Field(
        default=False, description="it was written and read back, and nobody is to be asked whether it is answered"
    )
    disputed: bool
    member: str = Field(default="", description="which of several members; empty where a daemon is alone")


class SaidTold(ToldModel):
    """What somebody said of a word, or that it ended."""

    at: Moment
    what: str = Field(description="given, extended, agreed, released or ended")
    override: str = Field(validation_alias=AliasChoices("override", "word"), description="its id")
    verb: str
    about: str
    by: str = Field(description="empty where time alone ended it")
    text: str
    until: Moment


class HeldTold(ToldModel):
    """What was held, refused or could not be written; or an edit that was found."""

    at: Moment
    event: str = Field(description="plan.held, failover.held, plan.refused, target.delayed or drift.detected")
    policy: str
    record: str
    provider: str
    incident_id: str
    text: str
    until: Moment | None = Field(description="when time alone would let it pass; null where that is not so")
    digest: str = Field(description="of a plan that a limit held")
    member: str = Field(default="", description="which of several members; empty where a daemon is alone")


class EditTold(ToldModel):
    """A newer revision of a policy's file began to run."""

    at: Moment
    policy: str
    file: str
    from_revision: str = Field(validation_alias=AliasChoices("from_revision", "before"))
    to_revision: str = Field(validation_alias=AliasChoices("to_revision", "after"))
    member: str = Field(default="", description="which of several members; empty where a daemon is alone")


class HistoryTold(AnswerBody):
    """Changes, what was held, edits of policies, and what operators said, each the oldest first."""

    changes: tuple[ChangeTold, ...]
    overrides: tuple[SaidTold, ...]
    holds: tuple[HeldTold, ...] = ()
    edits: tuple[EditTold, ...] = ()


class RegionStepTold(ToldModel):
    at: Moment
    state: str
    why: str


class RegionTrackTold(ToldModel):
    """The health of a region for one record type."""

    region: str
    type: str
    begin: str = Field(description="how it was at first")
    steps: tuple[RegionStepTold, ...]


class RecordTrackTold(ToldModel):
    """What a record at a provider answered."""

    record: str
    provider: str
    begin_bp: Shares = _bp("begin", "shares by region, at first")
    moves: tuple[ChangeTold, ...]


class ClientsPointTold(ToldModel):
    at: Moment
    old_bp: int = _bp("old", "clients that still used the old answer then, as computed from its TTL")


class IncidentTold(ToldModel):
    incident_id: str
    began: Moment = Field(description="its first failing probe")
    opened_at: Moment
    closed_at: Moment | None
    cause: str


class MarkTold(ToldModel):
    """Something that was told."""

    at: Moment
    event: str
    level: str
    message: str
    incident_id: str
    change_id: str


class TimelineTold(AnswerBody):
    """What became of a policy over a time, each list the oldest first."""

    policy: str
    since: Moment
    until: Moment
    records: tuple[RecordTrackTold, ...]
    regions: tuple[RegionTrackTold, ...]
    incidents: tuple[IncidentTold, ...]
    marks: tuple[MarkTold, ...]
    change: str = Field(description="the last change, of which `clients` are; empty without one")
    clients: tuple[ClientsPointTold, ...]
    cut: bool = Field(description="there was more than there is room for: the oldest of it is left out")


class EventTold(ToldModel):
    at: Moment
    event: str
    message: str


class RegionSumTold(ToldModel):
    """One region in the sum of a decision; null where the sum has no such step."""

    region: str
    health: str
    score_bp: int | None = Field(validation_alias=AliasChoices("score_bp", "score"))
    pull_bp: int | None = Field(
        validation_alias=AliasChoices("pull_bp", "pull"), description="what it would get by its share and score"
    )
    room_bp: int | None = Field(
        validation_alias=AliasChoices("room_bp", "room"), description="what it can carry, or is allowed to"
    )
    before_bp: int = _bp("before", "what it had")
    after_bp: int = _bp("after", "what it gets")
    capacity: float | None = Field(default=None, description="where that bounds it, in the unit of the demand")
    load: float | None = Field(default=None, description="what the policy puts there, in that unit")
    taken: float | None = Field(default=None, description="what other policies need first there, in that unit")
    excess: float | None = Field(default=None, description="what fits nowhere and is sent there, in that unit")


class CostTold(ToldModel):
    """What a failure cost until traffic had left what failed."""

    began: Moment = Field(description="the first failing probe")
    seconds: float = Field(description="from then until the change stood in DNS")
    proof_seconds: float | None = Field(
        validation_alias=AliasChoices("proof_seconds", "proof"),
        description="and until all authoritative servers answered with it; null while that is not proved",
    )
    moved_bp: int = _bp("moved", "the part of the traffic that was there")
    still_old_bp: int = _bp("still_old", "the part of the clients that use the old answer now, as it is estimated")
    lost_seconds: float = Field(
        validation_alias=AliasChoices("lost_seconds", "lost"),
        description="for so long would all of the traffic have to fail for as much as did until now, at most",
    )


class WhyTold(AnswerBody):
    """A change, and everything that led to it."""

    change: ChangeTold = Field(validation_alias=AliasChoices("change", "move"))
    overrides: tuple[str, ...] = Field(description="what operators said that shapes, or stops, what is answered there")
    reasons: tuple[str, ...]
    rule_at: str
    limits: tuple[str, ...]
    actor: str
    undo: str = Field(description="commands that take it back by hand")
    undo_with: str = Field(default="", description="the command that has a daemon take it back")
    events: tuple[EventTold, ...]
    records: tuple[RecordLineTold, ...] = Field(
        default=(), description="how the records of its policy stand now, the worst first; none with `at`"
    )
    then: str = Field(default="", description="with `at`: what stood in the way at that moment")
    edited: str = Field(default="", description="the two revisions of the file, where an edit of it moved the traffic")
    sums: tuple[RegionSumTold, ...] = Field(default=(), description="the sum by region, who loses most first")
    cost: CostTold | None = Field(default=None, description="null of a change that no failure led to")
    bill: BillTold | None = Field(
        default=None, description="what the shares cost that were wanted; null where not known"
    )


class WordsTold(AnswerBody):
    """The words that are in force, wait for more people, or are still to come."""

    version: str = Field(description="of all of them together, for `If-Match`")
    overrides: tuple[WordListedTold, ...]
    lost: tuple[str, ...] = Field(default=(), description="overrides that only markers know, for the journal was lost")


class WordAnswer(AnswerBody):
    """One word, and where each record stands that it concerns."""

    override: WordTold
    effects: tuple[EffectTold, ...]


class GivenTold(WordAnswer):
    """A word was given or changed, or would be (`dry_run`)."""

    kept: bool = Field(
        description="false: it is heeded, and a restart would not know of it, unless other members do: the journal "
        "does not work"
    )
    dry_run: bool
    notes: tuple[str, ...]


class ReleasedTold(AnswerBody):
    """Words that ended."""

    released: tuple[WordTold, ...]
    lost: tuple[str, ...] = Field(description="ids of those that nobody but markers knew")
    rivals: tuple[str, ...] = Field(default=(), description="names that are written as before, without a rival")
    kept: bool
    notes: tuple[str, ...] = ()


class AlertTold(ToldModel):
    """What an alert came to."""

    fingerprint: str
    became: Literal["given", "extended", "changed", "ended", "known", "ignored"]
    why: str = Field(description="why it is ignored, if it is")
    override: str = Field(description="id of the word that it is, where there is one")


class AlertsTold(AnswerBody):
    """What each alert came to. Those that are not for us, or cannot be heeded, are ignored, and say why."""

    alerts: tuple[AlertTold, ...]
    kept: bool


class ReloadedTold(AnswerBody):
    """The files were read; `refused_files` did not load, and what ran before goes on."""

    refused_files: tuple[RefusedFileTold, ...]
    warned_files: tuple[RefusedFileTold, ...] = Field(default=(), description=_WARNED)
    deferred: tuple[str, ...] = Field(default=(), description="settings that take effect at the daemon's next restart")
    kept: bool


class FollowingTold(ToldModel):
    """The next change that time alone would bring, once the one before it was made."""

    at: Moment
    summary: str
    cause: str
    before_bp: Shares = _bp("before", "shares by region before it")
    after_bp: Shares = _bp("after", "shares by region after it")


class RegionFiguresTold(ToldModel):
    """What a policy has in a region, in the unit of its demand; null where nobody says what that rests on."""

    region: str
    load: float | None = Field(description="what of the demand is published there now")
    target: float | None = Field(description="what of it is wanted there")
    room: float | None = Field(description="score x capacity x headroom: what it can carry now, for all policies")
    capacity: float | None


class FindingTold(ToldModel):
    """What planning found at one record."""

    target: TargetTold
    result: Literal["plan", "in_sync", "refused", "failed", "hold", "drift"]
    summary: str
    verdict: str | None = Field(default=None, description="what kind of answer was decided on; null if nothing was")
    reasons: tuple[str, ...] = ()
    limits: tuple[str, ...] = Field(default=(), description="those that a plan was judged by")
    held: bool = Field(default=False, description="a limit or a rule keeps the plan from being applied")
    waits: bool = Field(default=False, description="what stands there stays for now, though something else were right")
    unseen: tuple[str, ...] = Field(default=(), description="endpoints without a verdict, as region/address")
    until: Moment | None = Field(default=None, description="when time alone would change this")
    generation: int = 0
    cause: str | None = None
    clients: str = Field(default="", description="how long the answer of before will be used")
    manual: str = Field(default="", description="the commands that do it by hand")
    reason: str = Field(default="", description="of a refusal or failure")
    remedy: str = ""
    plan: dict[str, Any] | None = Field(default=None, description="what would be written if nothing were in its way")
    change: dict[str, Any] | None = Field(default=None, description="what /v1/apply takes; null if nothing is to be")
    bill: BillTold | None = Field(
        default=None, description="what the shares cost that are wanted; null where not known"
    )
    following: FollowingTold | None = Field(
        default=None, description="of what is supposed: what comes next by itself; null where nothing does"
    )
    demand: float | None = Field(default=None, description="what the policy needs; null where nobody says")
    figures: tuple[RegionFiguresTold, ...] = Field(default=(), description="what of that goes where, full or not")


class PlanTold(AnswerBody):
    """What would be changed now, by the daemon's own verdicts; or if what was asked about were so."""

    at: Moment
    supposed: str = Field(default="", description="what is not so, and is taken to be, in words")
    policies: tuple[PolicyTold, ...] = Field(description="those that were looked at, as the daemon has loaded them")
    findings: tuple[FindingTold, ...]


class AttemptTold(ToldModel):
    """What became of one change."""

    target: TargetTold
    result: Literal["applied", "in_place", "held", "refused", "failed"] = Field(
        description="in_place: it stood there already; refused: nothing was sent; failed: something was, see summary"
    )
    summary: str
    generation: int
    reason: str = Field(default="", description="of a refusal or failure")
    remedy: str = ""


class AppliedTold(AnswerBody):
    """What became of each change."""

    policies: tuple[PolicyTold, ...] = Field(description="those that it is about, as the daemon has loaded them")
    attempts: tuple[AttemptTold, ...]
    kept: bool


class RequestTold(ToldModel):
    """A request that would change something."""

    seq: int
    at: Moment
    actor: str
    origin: str
    request: str
    key: str
    body: str = Field(description="what was asked, the beginning of it; empty where it was not read")
    status: int
    reason: str = Field(description="of a refusal")
    detail: str = Field(
        description="of a refusal; else the ids of the overrides that it was about, or what became of each record"
    )


class AuditTold(AnswerBody):
    """Requests that would have changed something, the oldest first."""

    requests: tuple[RequestTold, ...]


def problem(status: int, reason: str, detail: str, remedy: str = "") -> Problem:
    return Problem(title=TITLES[status], status=status, reason=reason, detail=detail, remedy=remedy)


TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
