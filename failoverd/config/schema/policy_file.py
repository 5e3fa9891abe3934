"""What a policy's file can say, key by key; what the values mean to each other is `crosschecks`' business."""

import re
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from failoverd.config.schema.inventory_file import ModelEntry
from failoverd.config.schema.measured import MEASURED, MOST_UNITS, Figure, Query, Unit
from failoverd.config.schema.planned_work import Planned, PracticeEntry
from failoverd.config.values import (
    DURATION,
    PERCENT,
    Allowance,
    ChangeRate,
    EndpointText,
    Name,
    Pause,
    Percent,
    Share,
    ShiftRate,
    Size,
    Text,
    Ttl,
    Version,
    WeighedEndpoint,
    say_percent,
    within,
)
from failoverd.core.measures import May
from failoverd.core.names import MARKER_LABEL, WILDCARD_LABEL, marker_name
from failoverd.core.records import (
    LOWEST_TIER,
    TIERS,
    WHOLE,
    AllDown,
    CostRules,
    HealthRules,
    LatencyBand,
    Limits,
    OnDrift,
    RecordType,
    Steering,
    Weights,
    WhenDegraded,
)
from failoverd.settings import Duration, Settings, parse_record_name

_HEALTH = HealthRules()
_LIMITS = Limits()
_BAND = LatencyBand()
_COST = CostRules()
_MAX_DEPENDENCIES = 32
_MAX_RECORDS = 32
_MAX_REGIONS = 64
_MAX_ENDPOINTS = 256
_MAX_CHECKS = 16
_MAX_NAME = 253
_MOST_TRICKLE = 2_000
_MAX_JURISDICTIONS = 64
_MAX_STEPS = 20


def _room_for_marker(name: str) -> str:
    if name.startswith(f"{MARKER_LABEL}."):
        raise ValueError(f"names below {MARKER_LABEL} are failoverd's own markers")
    if name.startswith(f"{WILDCARD_LABEL}."):
        raise ValueError(f"the marker of a wildcard stands below {WILDCARD_LABEL}: use another name")
    if len(marker_name(name)) > _MAX_NAME:
        raise ValueError(f"the name is too long to put the marker {MARKER_LABEL} before it")
    return name


class RecordEntry(Settings):
    """One DNS record whose answers the policy owns."""

    name: Annotated[str, AfterValidator(parse_record_name), AfterValidator(_room_for_marker)] = Field(
        description="DNS name, fully qualified, in any letters; `*.` before it makes it a wildcard, in quotes"
    )
    type: RecordType = Field(strict=False, description="record type")
    ttl: Ttl = Field(default=30, description="how long resolvers may keep an answer: 1s to 1d, whole seconds")
    providers: tuple[Name, ...] = Field(
        min_length=1, max_length=8, strict=False, description="providers from the daemon's configuration to write it to"
    )


class RegionEntry(Settings):
    """A region's part in this policy."""

    share: Share | None = Field(
        default=None,
        description="percent of the traffic when all is well; 0 is a standby; without any share, regions share evenly",
    )
    priority: int = Field(default=1, ge=1, le=100, description="tier: the lowest number with room gets the traffic")
    endpoints: tuple[WeighedEndpoint, ...] = Field(
        min_length=1,
        max_length=_MAX_ENDPOINTS,
        strict=False,
        description="addresses or host names, with or without port, or load balancers by alias; each with its weight",
    )
    depends_on: tuple[Name, ...] = Field(
        default=(),
        max_length=_MAX_DEPENDENCIES,
        strict=False,
        description="dependencies of the policy that this region cannot serve without",
    )


class DegradedRules(Settings):
    """When an endpoint that answers is DEGRADED: by the share of slow or overloaded outcomes among the last ones."""

    window: int = Field(default=_HEALTH.degraded_window, ge=1, le=1_000, description="how many past probes count")
    enter: Percent = Field(default=_HEALTH.degraded_enter, description="share that makes it DEGRADED")
    leave: Percent = Field(default=_HEALTH.degraded_leave, description="share at which it is well again")


class FlapRules(Settings):
    """Flap damping in the terms of RFC 2439."""

    penalty: float = Field(default=_HEALTH.flap_penalty, ge=0, le=1e6, description="added by each fall to UNHEALTHY")
    half_life: Annotated[Duration, AfterValidator(within("1s", "1d"))] = Field(
        default=_HEALTH.flap_half_life, description="time in which the penalty halves"
    )
    suppress: float = Field(default=_HEALTH.flap_suppress, gt=0, le=1e6, description="above this it stays UNHEALTHY")
    reuse: float = Field(default=_HEALTH.flap_reuse, gt=0, le=1e6, description="below this it may come back")
    max_suppress: Annotated[Duration, AfterValidator(within("1s", "7d"))] = Field(
        default=_HEALTH.flap_max_suppress, description="the longest that an endpoint which passes is kept out"
    )


class ChecksNeeded(Settings):
    """How many of an endpoint's checks have to be well; 0: all of them."""

    at_least: int = Field(ge=1, le=_MAX_CHECKS, description="so many of the checks have to be well")


def _needed(value: object) -> object:
    if isinstance(value, str) and value in {"all", "any"}:
        return ChecksNeeded.model_construct(at_least=1 if value == "any" else 0)
    if isinstance(value, dict):
        return value
    raise ValueError('write "all", "any", or how many: {at_least: 2}')


_NEEDED_SCHEMA = {
    "anyOf": [
        {"enum": ["all", "any"]},
        {
            "type": "object",
            "properties": {
                "at_least": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": _MAX_CHECKS,
                    "description": "so many of the checks have to be well",
                }
            },
            "required": ["at_least"],
            "additionalProperties": False,
        },
    ]
}


class HealthEntry(Settings):
    """When an endpoint, and a region, counts as healthy."""

    fall: int = Field(default=_HEALTH.fall, ge=1, le=100, description="failures that make an endpoint UNHEALTHY")
    rise: int = Field(default=_HEALTH.rise, ge=1, le=100, description="passes in a row that make it HEALTHY")
    recheck: Annotated[Duration, AfterValidator(within("50ms", "5m"))] = Field(
        default=_HEALTH.recheck, description="time to the next probe while failures are being counted"
    )
    degraded_below: Percent = Field(
        default=_HEALTH.degraded_below, description="a region with a lower score is DEGRADED"
    )
    down_below: Percent = Field(default=_HEALTH.down_below, description="a region with a lower score is DOWN")
    recover_margin: Percent = Field(
        default=_HEALTH.recover_margin, description="how far above a threshold the score must be to get better"
    )
    warm_up: Annotated[Duration, AfterValidator(within("0s", "1d"))] = Field(
        default=_HEALTH.warm_up, description="grace for an endpoint that starts: failures, then slowness, do not count"
    )
    degraded: DegradedRules = Field(default=DegradedRules(), description="slow or overloaded endpoints")
    flap: FlapRules = Field(default=FlapRules(), description="endpoints that come and go")
    checks: Annotated[ChecksNeeded, BeforeValidator(_needed), WithJsonSchema(_NEEDED_SCHEMA)] = Field(
        default=ChecksNeeded.model_construct(at_least=_HEALTH.checks),
        description="which checks of an endpoint have to be well: all, any, or at_least so many",
    )


def _rising(parts: tuple[int, ...]) -> tuple[int, ...]:
    if not parts or parts[0] == 0 or any(one >= other for one, other in pairwise(parts)) or parts[-1] != WHOLE:
        raise ValueError("the steps of a ramp rise from above 0% to 100%, which is the last: [10%, 25%, 50%, 100%]")
    return parts


class Failback(Settings):
    """When a region that was withdrawn gets traffic again. `after` is None when a person decides."""

    after: Pause | None = Field(description="how long the region must have been well")
    ramp: Annotated[tuple[Percent, ...], AfterValidator(_rising)] | None = Field(
        default=None, min_length=1, max_length=_MAX_STEPS, strict=False, description="parts of its share, step by step"
    )
    step: Annotated[Duration, AfterValidator(within("1s", "1d"))] | None = Field(
        default=None, description="time from one step to the next"
    )
    judge: Annotated[Duration, AfterValidator(within("0s", "1d"))] | None = Field(
        default=None, description="how long it has to be well under a step before the next"
    )
    retries: int | None = Field(
        default=None, ge=1, le=10, description="falls on the ramp after which a person brings it back"
    )

    @field_validator("step", mode="before")
    @classmethod
    def _auto(cls, value: object) -> object:
        return None if value == "auto" else value

    @property
    def ramps(self) -> bool:
        """Whether anything is said of a ramp; else a region comes back in one step."""
        return bool(self.model_fields_set & {"ramp", "step", "judge", "retries"})


def _failback(value: object) -> object:
    if value == "manual":
        return Failback(after=None)
    if isinstance(value, dict) and value.get("after", "") is not None:
        return value
    raise ValueError('write "manual", or how long to wait: {after: 5m}')


_FAILBACK_SCHEMA = {
    "anyOf": [
        {"const": "manual"},
        {
            "type": "object",
            "properties": {
                "after": {
                    "type": "string",
                    "pattern": f"^{DURATION}$",
                    "description": "how long the region must have been well",
                },
                "ramp": {
                    "type": "array",
                    "items": {"type": "string", "pattern": PERCENT},
                    "minItems": 1,
                    "maxItems": _MAX_STEPS,
                    "description": "parts of its share, step by step; the last is 100%",
                },
                "step": {
                    "anyOf": [{"const": "auto"}, {"type": "string", "pattern": f"^{DURATION}$"}],
                    "description": "time from one step to the next; auto: 3 x TTL, at least judge and a minute",
                },
                "judge": {
                    "type": "string",
                    "pattern": f"^{DURATION}$",
                    "description": "how long it has to be well under a step before the next",
                },
                "retries": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 10,
                    "description": "falls on the ramp after which a person brings it back",
                },
            },
            "required": ["after"],
            "additionalProperties": False,
        },
    ]
}


def _little(points: int) -> int:
    if points > _MOST_TRICKLE:
        raise ValueError(
            f"a trickle is {say_percent(_MOST_TRICKLE)} at most: give the regions a share if they are to serve"
        )
    return points


class StandbyEntry(Settings):
    """What regions get that have a share of 0, while nobody needs them."""

    trickle: Annotated[Percent, AfterValidator(_little)] = Field(
        default=0, description="of the traffic, for all of them together: it shows that they serve"
    )


_SHIFT = "traffic that may move within a window"
_CHANGES = "changes within a window"


class RationEntry(Settings):
    """How fast traffic may move for one kind of cause; what is left out is said by the limits around it."""

    max_shift: ShiftRate | None = Field(default=None, description=_SHIFT)
    max_changes: ChangeRate | None = Field(default=None, description=_CHANGES)


class LimitsEntry(Settings):
    """How far and how fast the policy may move traffic. No rate keeps what is down in the answer."""

    min_regions: int = Field(
        default=_LIMITS.min_regions, ge=1, le=_MAX_REGIONS, description="regions that must stay in the answer"
    )
    max_shift: ShiftRate = Field(
        default=Allowance(_LIMITS.tuning.max_shift, _LIMITS.tuning.shift_window),
        description=f"{_SHIFT}, for either cause",
    )
    max_changes: ChangeRate = Field(
        default=Allowance(_LIMITS.tuning.max_changes, _LIMITS.tuning.changes_window),
        description=f"{_CHANGES}, for either cause",
    )
    making_room: RationEntry = Field(
        default=RationEntry(), description="leaving a region that a higher tier needs; not bound by what both say"
    )
    tuning: RationEntry = Field(
        default=RationEntry(), description="DEGRADED regions, capacity, demand, and an edited policy"
    )
    returning: RationEntry = Field(default=RationEntry(), description="failback")
    min_step: Percent = Field(
        default=_LIMITS.min_step, description="tuning that moves every region by less is not worth a change"
    )


class TrafficEntry(Settings):
    """What one request moves and uses, to forecast what it costs."""

    response: Size | None = Field(default=None, description="what one response weighs: 50kB, 64KiB")
    tokens: float | None = Field(default=None, gt=0, le=1e9, description="tokens that one request uses")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.response is None and self.tokens is None:
            raise ValueError("say what one request weighs (response: 50kB), how many tokens it uses, or both")
        return self


class DataInEntry(Settings):
    """Data that requests need, and that is moved to whichever region serves them."""

    region: Name = Field(description="region of the inventory in which the data is")
    per_request: Size = Field(description="what one request needs of it, where another region serves it: 200kB")


def _some_saving(points: int) -> int:
    if points == 0:
        raise ValueError("0% would move traffic for a cent")
    return points


class CostEntry(Settings):
    """Shares that follow the price on a day on which nothing is wrong; what fails out ignores it."""

    prefer: Literal["cheapest"] = Field(description="cheapest: fill the regions of the normal day in order of price")
    save: Annotated[Percent, AfterValidator(_some_saving)] = Field(
        default=_COST.save, description="part of the forecast that a move has to save"
    )
    at_least: float = Field(default=_COST.at_least, ge=0, le=1e9, description="USD a month that it has to save")
    every: Annotated[Duration, AfterValidator(within("1h", "30d"))] = Field(
        default=_COST.every, description="how long at least from one such move to the next"
    )


def _tier(value: object) -> object:
    if isinstance(value, str):
        if value not in TIERS:
            expected = ", ".join(map(repr, TIERS))
            raise PydanticCustomError("literal_error", "not one of {expected}", {"expected": expected})
        return TIERS[value]
    if isinstance(value, int) and not isinstance(value, bool) and not 0 <= value <= _MAX_TIER:
        raise ValueError(f"write a number from 0 to {_MAX_TIER}: the lowest is served first")
    return value


_MAX_TIER = 1_000

_TIER_SCHEMA = {"anyOf": [{"enum": list(TIERS)}, {"type": "integer", "minimum": 0, "maximum": _MAX_TIER}]}


class ResidencyEntry(Settings):
    """Under whose law traffic may be served. It fences by server: where the client is, DNS does not know."""

    allow: tuple[Text, ...] = Field(
        min_length=1,
        max_length=_MAX_JURISDICTIONS,
        strict=False,
        description="jurisdictions of the inventory; a region of another, or of none, gets nothing, whatever happens",
    )


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Answers = Annotated[
    tuple[EndpointText, ...],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=_MAX_ENDPOINTS, strict=False),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": 260, "examples": ["192.0.2.99", "sorry.example.com"]},
                {"type": "array", "items": {"type": "string", "maxLength": 260}, "minItems": 1},
            ]
        }
    ),
]
_PLACE_SCHEMA = {
    "type": "object",
    "properties": {
        "answer": {
            "description": "address or host name that answers, or a list of them",
            "anyOf": [
                {"type": "string", "maxLength": 260, "examples": ["192.0.2.99", "sorry.example.com"]},
                {"type": "array", "items": {"type": "string", "maxLength": 260}, "minItems": 1},
            ],
        },
        "jurisdiction": {
            "type": "string",
            "maxLength": 200,
            "description": "whose law applies there; a policy with a residency needs it",
        },
    },
    "required": ["answer"],
    "additionalProperties": False,
}


class PlaceEntry(Settings):
    """A named place for traffic that no region gets. It is not probed."""

    answer: Answers = Field(default=(), description="address or host name that answers, or a list of them")
    jurisdiction: Text | None = Field(
        default=None, description="whose law applies there; a policy with a residency needs it"
    )
    region: Name | None = Field(default=None, exclude=True, description="a region of the policy, by its name alone")


_REGION_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _shed_to(value: object) -> object:
    if isinstance(value, str):
        return {"region": value} if _REGION_NAME.fullmatch(value) else {"answer": value}
    if isinstance(value, dict) and "answer" in value and "region" not in value:
        return value
    raise ValueError("write a region of the policy, an address, or {answer: 192.0.2.99, jurisdiction: EU}")


class WhenAllDown(PlaceEntry):
    """What is answered while every region is down."""

    do: AllDown = Field(default=AllDown.ANSWER, strict=False)


def _when_all_down(value: object) -> object:
    if isinstance(value, str) and value in {AllDown.KEEP.value, AllDown.NORMAL.value}:
        return {"do": value}
    if isinstance(value, dict) and "answer" in value and not {"do", "region"} & value.keys():
        return value
    raise ValueError('write "keep" or "normal", or what is to answer: {answer: sorry.example.com}')


_WHEN_ALL_DOWN_SCHEMA = {"anyOf": [{"enum": [AllDown.KEEP.value, AllDown.NORMAL.value]}, _PLACE_SCHEMA]}
_SHED_TO_SCHEMA = {
    "anyOf": [
        {"type": "string", "maxLength": 260, "examples": ["aws-use1", "192.0.2.99", "sorry.example.com"]},
        _PLACE_SCHEMA,
    ]
}


class ErrorsEntry(Settings):
    """Errors as users see them, told as how fast they spend what the service level leaves for them."""

    errors: Query = Field(description="asks for the part of the requests within $window that failed, 0 to 1")
    requests: Query = Field(description="asks for the number of requests within $window")
    from_: Name = Field(alias="from", description="which source of prometheus is asked")
    slo: Percent = Field(default=9_990, description="the part of the requests that has to succeed: 99.9%")
    burn: float = Field(default=100.0, ge=1, le=10_000, description="how many times faster than that is too fast")
    over: Annotated[Duration, AfterValidator(within("10s", "1d"))] = Field(
        default=300.0, description="the long window: so it was for a while"
    )
    short: Annotated[Duration, AfterValidator(within("1s", "1h"))] = Field(
        default=25.0, description="the short window: so it is still"
    )
    may: May = Field(
        default=May.DEGRADED, strict=False, description="how ill that makes the region; down takes a burn of 100"
    )


class RoomEntry(Settings):
    """What says that a region is full: the length of a queue, or the part of the requests that it puts off (429)."""

    query: Query = Field(description="a value for each region, by the label region or with $region; smoothed")
    from_: Name = Field(alias="from", description="which source of prometheus is asked")
    low: float = Field(ge=0, le=MOST_UNITS, description="with less, a region has all of its room")
    high: float = Field(gt=0, le=MOST_UNITS, description="with more, it has none")


class SignalsEntry(Settings):
    """What others measure, and failoverd heeds besides its probes."""

    errors: ErrorsEntry | None = Field(default=None, description="a region that makes far more errors than the others")
    room: RoomEntry | None = Field(default=None, description="a region that is full")


class LatencyEntry(Settings):
    """Which regions are as near as the nearest of their tier, by the median of the probes' connection times."""

    slack: Annotated[Duration, AfterValidator(within("1ms", "10s"))] = Field(
        default=_BAND.slack, description="so much slower a region may be to get traffic"
    )
    leave: Annotated[Duration, AfterValidator(within("1ms", "10s"))] = Field(
        default=_BAND.leave, description="so much slower a region may become before it loses its traffic"
    )
    window: Annotated[Duration, AfterValidator(within("1m", "1d"))] = Field(
        default=_BAND.window, description="for how long what was measured counts"
    )


class PolicyFile(Settings):
    """One service: its records, its regions, and how traffic moves between them."""

    version: Version
    policy: Name = Field(description="name of the policy; stands in the ownership marker")
    owner: Text = Field(default="", description="the team to ask")
    runbook: Annotated[str, Field(pattern="^https?://[!-~]+$", max_length=500)] | None = Field(
        default=None, description="where the people on call read on"
    )
    tier: Annotated[int, BeforeValidator(_tier), WithJsonSchema(_TIER_SCHEMA)] = Field(
        default=LOWEST_TIER,
        description="who is served first where policies share regions: prod, pilot, dev, or a number, the lowest first",
    )
    records: tuple[RecordEntry, ...] = Field(
        min_length=1, max_length=_MAX_RECORDS, strict=False, description="DNS records whose answers the policy owns"
    )
    regions: dict[Name, RegionEntry] = Field(
        min_length=1, max_length=_MAX_REGIONS, description="regions of the inventory that serve, with their endpoints"
    )
    checks: dict[Name, dict[str, Any]] = Field(
        min_length=1, max_length=_MAX_CHECKS, description="how to probe an endpoint; the worst of several counts"
    )
    dependencies: dict[Name, dict[str, Any]] = Field(
        default={},
        max_length=_MAX_DEPENDENCIES,
        description="what regions need and no record answers with: an address, and one check of any kind",
    )
    health: HealthEntry = Field(default=HealthEntry(), description="when an endpoint, and a region, counts as healthy")
    steering: Steering = Field(
        default=Steering.WEIGHTED, strict=False, description="weighted by share, or failover by priority"
    )
    weights: Weights = Field(
        default=Weights.NATIVE,
        strict=False,
        description="native: the provider says how much; membership: any share above zero means in the answer",
    )
    failback: Annotated[Failback, BeforeValidator(_failback), WithJsonSchema(_FAILBACK_SCHEMA)] = Field(
        default=Failback.model_construct(after=300.0), description="when a region that was withdrawn gets traffic again"
    )
    limits: LimitsEntry = Field(default=LimitsEntry(), description="how far and how fast traffic may move")
    when_all_down: Annotated[WhenAllDown, BeforeValidator(_when_all_down), WithJsonSchema(_WHEN_ALL_DOWN_SCHEMA)] = (
        Field(
            default=WhenAllDown(do=AllDown.KEEP),
            description="keep the answer, publish the normal one, or have a named place answer",
        )
    )
    on_drift: OnDrift = Field(
        default=OnDrift.RESTORE,
        strict=False,
        description="restore a record that somebody edited, only report it, or adopt the edit",
    )
    demand: Figure | None = Field(
        default=None, description=f"what the service needs, in the unit of the regions' capacity: {MEASURED}"
    )
    maintenance: Planned = Field(default=(), description="planned work: who gets no traffic of this policy, and when")
    residency: ResidencyEntry | None = Field(
        default=None, description="under whose law traffic may be served; without it, under any"
    )
    model: ModelEntry | None = Field(
        default=None, description="the model that answers: regions that do not serve it get nothing"
    )
    canary: tuple[Name, ...] = Field(
        default=(), max_length=_MAX_REGIONS, strict=False, description="regions that may serve another model"
    )
    shed_to: Annotated[PlaceEntry, BeforeValidator(_shed_to), WithJsonSchema(_SHED_TO_SCHEMA)] | None = Field(
        default=None, description="where traffic goes that fits into no region"
    )
    standby: StandbyEntry = Field(default=StandbyEntry(), description="regions with a share of 0")
    unit: Unit | None = Field(default=None, description="what demand counts, such as rps; the regions' has to be it")
    signals: SignalsEntry = Field(default=SignalsEntry(), description="what others measure, as a cause")
    degraded: WhenDegraded = Field(
        default=WhenDegraded.KEEP,
        strict=False,
        description="out: a region that is DEGRADED leaves the answer where the others have room for what it has",
    )
    latency: LatencyEntry | None = Field(
        default=None, description="only regions that are as near as the nearest of their tier get traffic"
    )
    practice: PracticeEntry | None = Field(
        default=None, description="drills: which region gets no traffic of this policy, and when, to see that it may"
    )
    traffic: TrafficEntry | None = Field(
        default=None, description="what one request moves and uses; demand in requests/s"
    )
    data_in: DataInEntry | None = Field(default=None, description="data that requests need, and where it is")
    cost: CostEntry | None = Field(
        default=None, description="shares that follow the price on calm days; off without it"
    )
    tests: Any = Field(  # one that is wrong keeps no policy from being run: who plays tests judges them
        default=(), description="what must come of it: failoverctl test plays them, and nothing else heeds them"
    )
