"""What the three kinds of file can say: a policy, the inventory of regions, the daemon's own configuration.

These models are the shape of the files, key by key; what the values mean to each other is `crosschecks`' business.
A check and a provider are described by their own kinds, so here they are only mappings.
"""

import re
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from failoverd.config.cron import ROTATE, parse_cron, parse_date, parse_schedule, parse_timezone
from failoverd.config.locating import DEFAULT_JOURNAL, RUNTIME_SOCKET, SOCKET_NAME
from failoverd.config.values import (
    DURATION,
    PERCENT,
    Allowance,
    Bandwidth,
    ChangeRate,
    EndpointText,
    Glob,
    Moment,
    Name,
    Pause,
    Percent,
    Share,
    ShiftRate,
    Size,
    Ttl,
    WeighedEndpoint,
    say_percent,
    within,
)
from failoverd.core.events import Level
from failoverd.core.health.isolation import IsolationRules
from failoverd.core.measures import May
from failoverd.core.names import MARKER_LABEL, WILDCARD_LABEL, marker_name
from failoverd.core.records import (
    ELSEWHERE,
    LOWEST_TIER,
    TIERS,
    WHOLE,
    AllDown,
    CostRules,
    HealthRules,
    LatencyBand,
    Limits,
    Link,
    OnDrift,
    RecordType,
    Steering,
    Weights,
    WhenDegraded,
)
from failoverd.core.rules import ELSE_AFTER
from failoverd.outgoing import Url, require_tls
from failoverd.settings import Duration, FilePath, Server, ServerAddress, Settings, parse_record_name

INVENTORY = "regions.yaml"
"""The inventory's name, unless the daemon's configuration says another."""

_HEALTH = HealthRules()
_LIMITS = Limits()
_BAND = LatencyBand()
_ISOLATION = IsolationRules()
_COST = CostRules()
_MAX_DEPENDENCIES = 32
_MAX_SENTINELS = 16
_MAX_RECEIVERS = 16
_MAX_SOURCES = 16
_MAX_RECORDS = 32
_MAX_REGIONS = 64
_MAX_ENDPOINTS = 256
_MAX_CHECKS = 16
_MAX_NAME = 253
_LEAST_UNITS, _MOST_UNITS = 1e-6, 1e12
_MOST_TRICKLE = 2_000
_MAX_RULES = 32
_MAX_WINDOWS = 64
_MAX_GLOBS = 64
_MAX_JURISDICTIONS = 64
_MAX_MODELS = 64
_MAX_STEPS = 20
_MAX_LINKS = 256

Text = Annotated[str, Field(min_length=1, max_length=200)]
Version = Annotated[Literal[1], Field(description="version of the file format")]


# -- planned work ------------------------------------------------------------------------------------------------------


class MaintenanceEntry(Settings):
    """A region, or a cloud, gets no traffic for a while, as if somebody drained it."""

    region: Name | None = Field(default=None, description="which region is worked on; or a cloud")
    cloud: Name | None = Field(default=None, description="whose regions are worked on; or a region")
    from_: Moment | None = Field(default=None, alias="from", description="when it begins, with an offset; or cron")
    cron: Annotated[str, AfterValidator(parse_cron)] | None = Field(
        default=None,
        max_length=200,
        description="when it begins, again and again: minute, hour, day of the month, month, day of the week by name",
    )
    timezone: Annotated[str, AfterValidator(parse_timezone)] = Field(
        default="UTC", max_length=64, description="time zone of cron, such as Europe/Berlin"
    )
    for_: Annotated[Duration, AfterValidator(within("1m", "72h"))] = Field(
        alias="for", description="how long it lasts: 72h at most"
    )
    reason: Text = Field(description="what is done; status and history tell it")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.region is None) == (self.cloud is None):
            raise ValueError("planned work is about either a region or a cloud")
        if (self.from_ is None) == (self.cron is None):
            raise ValueError("planned work begins either at a moment (from) or again and again (cron)")
        if self.cron is None and "timezone" in self.model_fields_set:
            raise ValueError("timezone belongs to cron: from says its own offset")
        return self


class BlockEntry(Settings):
    """A window in which no drill is wanted."""

    from_: Moment | None = Field(default=None, alias="from", description="when it begins, with an offset; or cron")
    cron: Annotated[str, AfterValidator(parse_cron)] | None = Field(
        default=None, max_length=200, description="when it begins, again and again, in the time zone of at"
    )
    for_: Annotated[Duration, AfterValidator(within("1m", "60d"))] = Field(alias="for", description="how long it lasts")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.from_ is None) == (self.cron is None):
            raise ValueError("a window begins either at a moment (from) or again and again (cron)")
        return self


class PracticeEntry(Settings):
    """Drills: one region after the other gets no traffic for a while, on a good day, to see that the others bear it."""

    at: Annotated[str, AfterValidator(parse_schedule)] = Field(
        max_length=200,
        description="when they begin: days, a time and a time zone (TUE 10:00 UTC), or five fields of cron and a zone",
    )
    for_: Annotated[Duration, AfterValidator(within("1m", "24h"))] = Field(
        alias="for", description="how long one lasts: 24h at most"
    )
    away: Name = Field(default=ROTATE, description="which region gets no traffic; rotate: each in its turn")
    succeed: tuple[Name, ...] = Field(
        default=(),
        max_length=_MAX_CHECKS,
        strict=False,
        description="checks of the others that a drill fails by; the others only interrupt it",
    )
    block: tuple[BlockEntry, ...] = Field(
        default=(), max_length=_MAX_WINDOWS, strict=False, description="windows into which no drill may reach"
    )
    skip: tuple[Annotated[str, AfterValidator(parse_date)], ...] = Field(
        default=(), max_length=366, strict=False, description="days on which none begins, such as 2026-12-24"
    )


_Planned = Annotated[
    tuple[MaintenanceEntry, ...],
    Field(max_length=_MAX_WINDOWS, strict=False),
]


# -- policy ------------------------------------------------------------------------------------------------------------


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


class ModelEntry(Settings):
    """A model, and in which revision."""

    name: Text = Field(description="name of the model")
    revision: Text | None = Field(default=None, description="its revision, as text; without it, any")


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


_MEASURED = "a number, or what measures it"


def _number_or_measure(value: object) -> object:
    """A figure may be said, or measured: what is wrong is told of the one that was meant."""
    if isinstance(value, dict) or value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not _LEAST_UNITS <= value <= _MOST_UNITS:
        raise ValueError(
            "write a number above 0, 1e-6 at least, or what measures it: {query: ..., from: ..., declared: ...}"
        )
    return float(value)


_Query = Annotated[str, Field(min_length=1, max_length=4_000, pattern=r"^[^\x00]+$")]
_Unit = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")]


class MeasureEntry(Settings):
    """A figure that is measured, by a source of the daemon's configuration."""

    query: _Query = Field(description="an instant query (PromQL) for one value; $region is the name of the region")
    from_: Name = Field(alias="from", description="which source of prometheus is asked")
    declared: float = Field(
        ge=_LEAST_UNITS,
        le=_MOST_UNITS,
        description="what counts while nothing is measured that is believed, after ten minutes",
    )
    min: float | None = Field(
        default=None,
        ge=_LEAST_UNITS,
        le=_MOST_UNITS,
        description="the least that counts; without it, 0 is not believed",
    )


Figure = Annotated[
    Annotated[float, Field(ge=_LEAST_UNITS, le=_MOST_UNITS), Tag("number")] | Annotated[MeasureEntry, Tag("measure")],
    Discriminator(lambda value: "measure" if isinstance(value, dict | MeasureEntry) else "number"),
    BeforeValidator(_number_or_measure),
]


class ErrorsEntry(Settings):
    """Errors as users see them, told as how fast they spend what the service level leaves for them."""

    errors: _Query = Field(description="asks for the part of the requests within $window that failed, 0 to 1")
    requests: _Query = Field(description="asks for the number of requests within $window")
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

    query: _Query = Field(description="a value for each region, by the label region or with $region; smoothed")
    from_: Name = Field(alias="from", description="which source of prometheus is asked")
    low: float = Field(ge=0, le=_MOST_UNITS, description="with less, a region has all of its room")
    high: float = Field(gt=0, le=_MOST_UNITS, description="with more, it has none")


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
        default=None, description=f"what the service needs, in the unit of the regions' capacity: {_MEASURED}"
    )
    maintenance: _Planned = Field(default=(), description="planned work: who gets no traffic of this policy, and when")
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
    unit: _Unit | None = Field(default=None, description="what demand counts, such as rps; the regions' has to be it")
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


# -- inventory ---------------------------------------------------------------------------------------------------------


def _not_reserved(name: str) -> str:
    if name == ELSEWHERE:
        raise ValueError(f'"{ELSEWHERE}" means answers that belong to no region: choose another name')
    return name


def _some_headroom(points: int) -> int:
    if points == 0:
        raise ValueError("with 0% no region could carry anything")
    return points


class Region(Settings):
    """A named place in one cloud."""

    cloud: Name = Field(description="whose cloud it is: aws, azure, oci, or your own name")
    capacity: Figure | None = Field(
        default=None, description=f"what it can carry, in the unit of the policies' demand: {_MEASURED}"
    )
    headroom: Annotated[Percent, AfterValidator(_some_headroom)] | None = Field(
        default=None, description="how much of its capacity is planned with; the inventory's headroom unless said"
    )
    unit: _Unit | None = Field(default=None, description="what capacity counts, such as rps")
    jurisdiction: Text | None = Field(default=None, description="whose law applies, such as US or EU")
    egress_cost_per_gb: float | None = Field(default=None, ge=0, le=1e6, description="list price in USD")
    models: tuple[ModelEntry, ...] = Field(
        default=(), max_length=_MAX_MODELS, strict=False, description="the models that it serves"
    )
    price_per_million_tokens: float | None = Field(
        default=None, ge=0, le=1e6, description="list price in USD of a million tokens of the models that it serves"
    )


def _some(points: int) -> int:
    if points == 0:
        raise ValueError("0% is always so")
    return points


class AssertEntry(Settings):
    """So many of some groups of regions are in each answer."""

    at_least: int = Field(ge=1, le=_MAX_GLOBS, description="how many of the groups have to be in the answer")
    of: tuple[Glob, ...] = Field(
        min_length=1, max_length=_MAX_GLOBS, strict=False, description="groups, each a glob of names of regions"
    )
    share: Annotated[Percent, AfterValidator(_some)] | None = Field(
        default=None, description="what a group has to have to count, all its regions together; without it, anything"
    )


class GateEntry(Settings):
    """While a switch is on, nothing moves for some causes."""

    switch: Name = Field(description="name of the switch: failoverctl switch turns it on for a while")
    on: tuple[Literal["operator", "tuning", "returning"], ...] = Field(
        default=("returning", "tuning"),
        min_length=1,
        max_length=3,
        strict=False,
        description="causes that wait meanwhile; what fails out waits for no switch",
    )


class RuleEntry(Settings):
    """What has to hold of the answers of several policies, or which of their changes wait."""

    name: Name = Field(description="name of the rule, by which people break it")
    assert_: AssertEntry | None = Field(default=None, alias="assert", description="what has to be in each answer")
    gate: GateEntry | None = Field(default=None, description="a switch, and what waits while it is on")
    policies: tuple[Glob, ...] = Field(
        default=(), max_length=_MAX_GLOBS, strict=False, description="globs of policies that it binds; all without any"
    )
    else_after: Annotated[Duration, AfterValidator(within("0s", "1d"))] | None = Field(
        default=None,
        description=f"how long an assertion keeps what is down in the answer at most: {ELSE_AFTER / 60:g}m unless said",
    )
    people: int = Field(default=1, ge=1, le=9, description="how many people have to agree to break it")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.assert_ is None) == (self.gate is None):
            raise ValueError("a rule says either assert or gate")
        if self.gate is not None and self.else_after is not None:
            raise ValueError("else_after belongs to an assertion: no gate keeps what is down in the answer")
        return self


def _two_ends(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) != 2:  # noqa: PLR2004 - a link has two
        raise ValueError(f"a link has two ends, not {len(names)}: between: [azure-weu, oci-fra]")
    return names


class LinkEntry(Settings):
    """An interconnect between two regions, or between all regions of two clouds."""

    between: Annotated[tuple[Name, ...], AfterValidator(_two_ends)] = Field(
        strict=False,
        description="its two ends, each a region of the inventory or a cloud",
        json_schema_extra={"minItems": 2, "maxItems": 2},
    )
    bandwidth: Bandwidth = Field(description="how wide it is: 10Gbps, 500Mbps")
    price_per_gb: float = Field(default=0.0, ge=0, le=1e6, description="list price in USD of what is moved over it")
    headroom: Annotated[Percent, AfterValidator(_some_headroom)] = Field(
        default=Link(0.0).headroom, description="how much of its bandwidth is planned with"
    )


class InventoryFile(Settings):
    """The regions that policies may name, and the rules that bind all of them."""

    version: Version
    regions: dict[Annotated[Name, AfterValidator(_not_reserved)], Region] = Field(
        min_length=1, description="regions by name"
    )
    headroom: Annotated[Percent, AfterValidator(_some_headroom)] = Field(
        default=WHOLE, description="how much of each region's capacity is planned with"
    )
    rules: tuple[RuleEntry, ...] = Field(
        default=(),
        max_length=_MAX_RULES,
        strict=False,
        description="what has to hold of the answers of all policies, and which changes wait",
    )
    maintenance: _Planned = Field(default=(), description="planned work: who gets no traffic of any policy, and when")
    practice: PracticeEntry | None = Field(
        default=None, description="drills: which region gets no traffic of any policy, and when, to see that it may"
    )
    links: tuple[LinkEntry, ...] = Field(
        default=(), max_length=_MAX_LINKS, strict=False, description="interconnects between regions, or between clouds"
    )


# -- daemon ------------------------------------------------------------------------------------------------------------


def _some_sentinels(points: int) -> int:
    if points == 0:
        raise ValueError("0% would be reached while every sentinel answers")
    return points


class LogEntry(Settings):
    """Where events are told."""

    format: Literal["auto", "json", "journal", "terminal"] = Field(
        default="auto",
        description="auto: for people on a terminal, native fields where journald reads, JSON lines elsewhere",
    )
    level: Level = Field(default=Level.INFO, strict=False, description="the least that is told")


class ProbingEntry(Settings):
    """How this daemon spreads its probes, and how many it makes at once."""

    slot: Annotated[Duration, AfterValidator(within("5ms", "200ms"))] = Field(
        default=0.02, description="probes that are due within this time are begun together"
    )
    jitter: Annotated[Duration, AfterValidator(within("0ms", "500ms"))] = Field(
        default=0.1, description="how much later than its time a probe may be begun, at random"
    )
    max_in_flight: int = Field(default=4_096, ge=1, le=100_000, description="probes under way at once, in all")
    max_per_target: int = Field(default=16, ge=1, le=1_000, description="probes under way at once to one address")


def parse_listen(value: object) -> object:
    """An IP address and a port, which have both to be said."""
    if not isinstance(value, str):
        raise ValueError('write an address with its port, such as "127.0.0.1:9464"')  # noqa: TRY004 - for the file
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or ("[" not in host and ":" in host):
        raise ValueError(f'{value[:80]!r} is no address with its port: write "127.0.0.1:9464" or "[::1]:9464"')
    return ServerAddress.parse(value)


Listen = Annotated[
    ServerAddress,
    BeforeValidator(parse_listen),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1:9464", "[::1]:9464"]}),
]


class MetricsEntry(Settings):
    """Where Prometheus finds the metrics."""

    listen: Listen = Field(
        default=ServerAddress("127.0.0.1", 9464), description="address and port; anybody who reaches it may read"
    )


def _not_at_home(value: str) -> str:
    if value.startswith("~"):
        raise ValueError(
            "`~` is another place for whoever calls failoverctl than for the daemon, which may have no home: write the "
            "absolute path"
        )
    return value


PathText = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]+$"), AfterValidator(_not_at_home)]


class ApiTcpEntry(Settings):
    """The admin API for other machines: who asks has a token, or a certificate."""

    listen: Listen = Field(description="address and port; one that is not of this host alone needs a certificate")
    certificate_file: FilePath | None = Field(default=None, description="certificate of the API, with its chain (PEM)")
    key_file: FilePath | None = Field(default=None, description="its private key (PEM), without a passphrase")
    tokens_file: FilePath | None = Field(
        default=None, description="who may ask by a token: lines of name, role, SHA-256 of the token, expiry"
    )
    client_ca_file: FilePath | None = Field(
        default=None, description="who may ask by a certificate: those that are signed by one of these (PEM)"
    )
    operators: tuple[Text, ...] = Field(
        default=(),
        max_length=1_000,
        strict=False,
        description="common names of client certificates that may change something; others may read",
    )

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: write both")
        if self.certificate_file is None and not ip_address(self.listen.address).is_loopback:
            raise ValueError(
                f"at {self.listen} anybody on the way could read the tokens: it needs certificate_file and key_file, "
                "or an address of this host alone, such as 127.0.0.1"
            )
        if self.certificate_file is None and self.client_ca_file is not None:
            raise ValueError("client certificates are shown in TLS alone: it needs certificate_file and key_file")
        if self.tokens_file is None and self.client_ca_file is None:
            raise ValueError("nobody could ask: it needs tokens_file or client_ca_file")
        return self


class ApiEntry(Settings):
    """Where operators reach the daemon. On this host the system says who asks."""

    socket: PathText | None = Field(
        default=None,
        description=f"the socket, relative to this file; {RUNTIME_SOCKET} beside the usual journal, or else "
        f"{SOCKET_NAME} in the journal's folder",
    )
    group: Text | None = Field(
        default=None, description="whose members may change something, by root's and the daemon's side; its own group"
    )
    others: Literal["read", "none"] = Field(default="read", description="what everybody else on this host may do")
    tcp: ApiTcpEntry | None = Field(default=None, description="the same for other machines; off without it")


class IsolationEntry(Settings):
    """When this vantage doubts itself instead of what it sees."""

    sentinels: Annotated[Percent, AfterValidator(_some_sentinels)] = Field(
        default=_ISOLATION.sentinels, description="share of the sentinels whose silence means that it is isolated"
    )
    window: Annotated[Duration, AfterValidator(within("1s", "5m"))] = Field(
        default=_ISOLATION.window, description="clouds that are lost within this time are lost together"
    )
    doubt: Annotated[Duration, AfterValidator(within("0s", "1h"))] = Field(
        default=_ISOLATION.doubt, description="how long such a loss is doubted while another cloud is well seen"
    )


def _file_name(value: str) -> str:
    if PurePosixPath(value).name != value or value in {".", ".."}:
        raise ValueError("it stands in the directory of the policies: write its name, without a directory")
    return value


class PrometheusEntry(Settings):
    """An HTTP API of Prometheus, or of what is compatible: Thanos, Mimir, VictoriaMetrics."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: Url = Field(description="its address, without /api/v1; what is secret belongs into bearer_file")
    bearer_file: FilePath | None = Field(
        default=None, description="file with a bearer token alone; read anew for each request"
    )
    ca_file: FilePath | None = Field(default=None, description="certificates to trust instead of the system's (PEM)")
    timeout: Annotated[Duration, AfterValidator(within("100ms", "30s"))] = Field(
        default=5.0, description="one deadline for a whole answer"
    )
    every: Annotated[Duration, AfterValidator(within("250ms", "10m"))] = Field(
        default=15.0, description="time between two questions; a reading is old after three of them"
    )

    @model_validator(mode="after")
    def _secrets_are_safe(self) -> Self:
        if self.bearer_file is not None:
            require_tls(self.url)
        return self


class ConfigFile(Settings):
    """The daemon's own configuration. Secrets stand in files of their own, which providers name."""

    version: Version
    owner: Name = Field(description="who this daemon is in ownership markers; one daemon has it")
    policies: PathText = Field(description="directory of policy files, relative to this file")
    inventory: Annotated[str, AfterValidator(_file_name)] = Field(
        default=INVENTORY, min_length=1, max_length=255, description="the inventory's name in that directory"
    )
    journal: PathText = Field(default=DEFAULT_JOURNAL, description="history (SQLite), relative to this file")
    providers: dict[Name, dict[str, Any]] = Field(min_length=1, description="DNS providers by name, each with its kind")
    sentinels: dict[Name, dict[str, Any]] = Field(
        default={},
        max_length=_MAX_SENTINELS,
        description="what should always be reachable, to judge this vantage by: an address, and one check of any kind",
    )
    check_files: tuple[FilePath, ...] = Field(
        default=(Path("/etc/failoverd/check-files"),),
        strict=False,
        max_length=64,
        description="folders, or files, whose content the checks of policies may send to endpoints; no other",
    )
    isolation: IsolationEntry = Field(
        default=IsolationEntry(), description="when this vantage doubts itself instead of what it sees"
    )
    probing: ProbingEntry = Field(default=ProbingEntry(), description="how probes are spread, and how many at once")
    metrics: MetricsEntry | None = Field(default=None, description="where Prometheus finds the metrics; off without it")
    notify: dict[Name, dict[str, Any]] = Field(
        default={},
        max_length=_MAX_RECEIVERS,
        description="who is told of what needs a person, by name: alertmanager, pagerduty, slack or webhook",
    )
    prometheus: dict[Name, PrometheusEntry] = Field(
        default={}, max_length=_MAX_SOURCES, description="who measures demand, capacity and errors, by name"
    )
    api: ApiEntry = Field(default=ApiEntry(), description="where operators reach the daemon")
    log: LogEntry = Field(default=LogEntry(), description="where events are told")
    tick: Annotated[Duration, AfterValidator(within("100ms", "1h"))] = Field(
        default=30.0, description="how often records are read back and drift is healed"
    )
    resolver: tuple[Server, ...] = Field(
        default=(), strict=False, max_length=8, description="servers that are asked for delegations; the system's"
    )
    dispute_after: Annotated[Duration, AfterValidator(within("1s", "1d"))] = Field(
        default=60.0, description="how long authoritative servers may take to agree with a change before it is said"
    )
    retention: Annotated[Duration, AfterValidator(within("1h", "3650d"))] = Field(
        default=7_776_000.0, description="how long the journal keeps history"
    )
