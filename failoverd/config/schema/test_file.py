"""What a test of policies can say: what is given, what happens to the endpoints, and what must come of it.

The notation of the series is promtool's: one letter for each moment, `x` and a number for how many of them. A curve of
demand is written in the same way, with numbers for letters, and so is what others measure, with `_` for nothing.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Final, Literal, NamedTuple, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from failoverd.config.schema.measured import MOST_UNITS
from failoverd.config.values import (
    Moment,
    Name,
    Percent,
    Share,
    Text,
    Version,
    parse_percent,
    parse_share,
    within,
)
from failoverd.core.health.region import RegionState
from failoverd.core.reasons import Cause, Limit, ReasonCode
from failoverd.core.records import WHOLE
from failoverd.core.status import TargetState
from failoverd.settings import Duration, Settings, parse_duration

MOST_MOMENTS: Final = 100_000
"""Moments of one series: a week of minutes, a day of seconds."""

_T = TypeVar("_T", str, float, float | None)

MOST_TESTS: Final = 500
_MAX_STEPS = 500
_MAX_SERIES = 256

_TIMES = r"(?:\s*x\s*([1-9][0-9]{0,5}))?"
_LETTER = re.compile(r"([A-Z_])" + _TIMES)
_NUMBER = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)" + _TIMES + r"(?=\s|$)")
_READING = re.compile(r"(_|[0-9]{1,12}(?:\.[0-9]{1,6})?(?:%|ms|s)?)" + _TIMES + r"(?=\s|$)")

LETTERS: Final = {
    "P": "passes",
    "F": "refuses the connection",
    "T": "does not answer in time",
    "E": "answers with an error, such as 503",
    "D": "is overloaded (429)",
    "B": "cannot be looked at: the prober has no route",
    "_": "the same: nobody knows",
}
"""What an endpoint does in one moment."""

Curve = tuple[tuple[float, int], ...]
"""Demand, each with how many moments it lasts; the last one goes on."""


def parse_series(text: object) -> tuple[tuple[str, int], ...]:
    """`P x10 F x20`: each letter with how many moments it lasts.

    Raises:
        ValueError: it is no such text, or too long.
    """
    if not isinstance(text, str):
        raise ValueError('write letters with how many moments each lasts, such as "P x10 F x20"')  # noqa: TRY004 - for the file
    return _bounded([(item[1], int(item[2] or 1)) for item in _items(text, _LETTER, LETTERS, "P x10 F x20")])


def parse_curve(text: object) -> Curve:
    """`800 x10 1600 x20`: each number with how many moments it lasts; a number alone lasts from now on.

    Raises:
        ValueError: it is no such text, too long, or no demand.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        items = [(float(text), 1)]
    elif isinstance(text, str):
        items = [(float(item[1]), int(item[2] or 1)) for item in _items(text, _NUMBER, (), "800 x10 1600 x20")]
    else:
        raise ValueError('demand is a number, or numbers with how many moments each lasts: "800 x10 1600 x20"')  # noqa: TRY004 - for the file
    if not all(0 < number <= MOST_UNITS for number, _ in items):
        raise ValueError(f"demand is more than 0, and at most {MOST_UNITS:g}")
    return _bounded(items)


def _items(text: str, item: re.Pattern[str], known: Mapping[str, str] | tuple[()], example: str) -> list[re.Match[str]]:
    """What a text is a list of."""
    found: list[re.Match[str]] = []
    at = 0
    while (rest := text[at:].lstrip()) != "":
        at = len(text) - len(rest)
        one = item.match(text, at)
        if one is None or (known and one[1] not in known):
            what = f"none of {', '.join(known)}," if known else "no number"
            raise ValueError(f"{rest[:20]!r} is {what} with x and how many moments it lasts: write {example!r}")
        found.append(one)
        at = one.end()
    return found


def _bounded(items: list[tuple[_T, int]]) -> tuple[tuple[_T, int], ...]:
    moments = sum(number for _, number in items)
    if not 0 < moments <= MOST_MOMENTS:
        raise ValueError(f"a series has 1 to {MOST_MOMENTS} moments, not {moments}; interval makes one of them longer")
    return tuple(items)


Letters = tuple[tuple[str, int], ...]
"""What an endpoint does, each with how many moments it lasts; the last one goes on."""

Series = Annotated[
    Letters,
    BeforeValidator(parse_series),
    WithJsonSchema({"type": "string", "examples": ["P x10 F x20"]}),
]


def parse_demands(value: object) -> Curve | dict[str, Curve]:
    """A curve of one policy, or of each by its name.

    Raises:
        ValueError: as `parse_curve`.
    """
    return _each(value, parse_curve)


_Said = TypeVar("_Said")


def _each(value: object, parse: Callable[[object], _Said]) -> _Said | dict[str, _Said]:
    """One, or several by name."""
    return {str(name): parse(each) for name, each in value.items()} if isinstance(value, dict) else parse(value)


Readings = tuple[tuple[float | None, int], ...]
"""What is measured, each with how many moments it lasts, None where nothing is; the last one goes on."""


def _reader(convert: Callable[[str], float], example: str) -> Callable[[object], Readings]:
    """What reads values of one kind: `800 x10 _ x5 1600`, or one value that is measured all the time."""

    def parse(value: object) -> Readings:
        text = f"{value}" if isinstance(value, int | float) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            words = f"write what is measured, with how many moments each lasts, and _ for nothing: {example!r}"
            raise ValueError(words)  # noqa: TRY004 - for the file
        items = [(item[1], int(item[2] or 1)) for item in _items(text, _READING, (), example)]
        return _bounded([(None if each == "_" else convert(each), moments) for each, moments in items])

    return parse


def _figure(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
    if number > MOST_UNITS:
        raise ValueError(f"what is measured is at most {MOST_UNITS:g}")
    return number


def _ratio(text: str) -> float:
    return parse_percent(text) / WHOLE


def _connection(text: str) -> float:
    return within("0s", "1m")(parse_duration(text))


def _written(example: str, *, number: bool = False) -> WithJsonSchema:
    kinds = [{"type": "string"}, *([{"type": "number", "minimum": 0}] if number else [])]
    return WithJsonSchema({"anyOf": kinds, "examples": [example]})


Figures = Annotated[
    Readings, PlainValidator(_reader(_figure, "800 x10 _ x5 1600")), _written("800 x10 _ x5 1600", number=True)
]
MeasuredDemands = Annotated[
    Readings | dict[str, Readings],
    PlainValidator(lambda value: _each(value, _reader(_figure, "800 x10 _ x5 1600"))),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string"},
                {"type": "object", "additionalProperties": {"anyOf": [{"type": "number"}, {"type": "string"}]}},
            ],
            "examples": ["800 x10 _ x5 1600"],
        }
    ),
]
Ratios = Annotated[Readings, PlainValidator(_reader(_ratio, "0% x10 30% x20 0%")), _written("0% x10 30% x20 0%")]
Connections = Annotated[Readings, PlainValidator(_reader(_connection, "10ms x10 80ms")), _written("10ms x10 80ms")]


_A_DEMAND = {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": MOST_UNITS}, {"type": "string"}]}

Demands = Annotated[
    Curve | dict[str, Curve],
    PlainValidator(parse_demands),
    WithJsonSchema(
        {
            "anyOf": [*_A_DEMAND["anyOf"], {"type": "object", "additionalProperties": _A_DEMAND}],
            "examples": [800, "800 x10 1600 x20"],
        }
    ),
]


def _moment(text: object) -> float:
    """What it means; for what means nothing, which is said elsewhere, a number that nothing else has."""
    try:
        return parse_duration(text)
    except ValueError:
        return -float(id(text))


_LAST_MOMENT = 2.0**33
"""In 2242: beyond, a float of seconds has no room for a millionth of one, and the clock of a test stands still."""


def _playable(moment: float) -> float:
    if not 0 <= moment < _LAST_MOMENT:
        raise ValueError("it begins between 1970 and 2242")
    return moment


def _offset(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Offset = Annotated[
    float,
    BeforeValidator(_offset),
    AfterValidator(within("0s", "31d")),
    WithJsonSchema({"type": "string", "examples": ["20s", "5m"]}),
]
"""Seconds from the beginning of a test."""

Demand = Annotated[float, Field(gt=0, le=MOST_UNITS)]

_Code = Annotated[ReasonCode, Field(strict=False)]
_Limit = Annotated[Limit, Field(strict=False)]
_State = Annotated[RegionState, Field(strict=False)]

Shares = dict[Name, Share]


class SaidShare(NamedTuple):
    """A share as exactly as it is written: 33 is 33.33, 33.3 is not, and 0 is nothing at all. In basis points."""

    points: int
    within: float

    def is_so(self, points: int) -> bool:
        return abs(points - self.points) <= self.within

    def __str__(self) -> str:
        return f"{self.points / 100:g}"


def parse_said_share(value: object) -> SaidShare:
    """What a number such as 33 or 33.3 says of a share: half of its last digit is left open.

    Raises:
        ValueError: it is no share.
    """
    points = parse_share(value)
    decimals = len(str(value).partition(".")[2])
    return SaidShare(points, 50 / 10**decimals if points else 0.0)


Expected = Annotated[
    SaidShare,
    PlainValidator(parse_said_share),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100, "examples": [70, 33.3]}),
]


def _comparison(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"\s*(<=|>=|<|>)\s*[0-9]+(\.[0-9]+)?\s*", value):
        raise ValueError('write a comparison, such as "> 40"')
    return value.strip()


Comparison = Annotated[
    str, BeforeValidator(_comparison), WithJsonSchema({"type": "string", "examples": ["> 40", "< 10"]})
]
"""What a number must never be."""


class GivenEntry(Settings):
    """How things are when a test begins."""

    demand: Demands | None = Field(
        default=None,
        description="demand of the policy, or of each policy by name, instead of what the files say; "
        "or how it goes on: 800 x10 1600 x20, by the interval of the series",
    )
    capacity: dict[Name, Demand] = Field(
        default_factory=dict, description="capacity of regions, instead of what the inventory says"
    )
    published: Shares | None = Field(
        default=None,
        description="what the records answer, and the daemon starts in that moment; else all has been well for long",
    )
    at: Annotated[Moment, AfterValidator(_playable)] | None = Field(
        default=None, description="the wall clock, with an offset: 2027-03-28T01:30:00+01:00"
    )
    spent: bool = Field(default=False, description="every policy has used up what its limits allow in their windows")


class MeasuredEntry(Settings):
    """What others measure, and probes of connections, over time: each value with how many moments it lasts."""

    demand: MeasuredDemands | None = Field(
        default=None,
        description="demand of the policy, or of each policy by name: 800 x10 _ x5 1600; _ where nothing is answered",
    )
    capacity: dict[Name, Figures] = Field(default_factory=dict, description="capacity, by region")
    errors: dict[Name, Ratios] = Field(
        default_factory=dict,
        description="the part of the requests that fails, by region: 0% x10 30%; regions not named have none",
    )
    requests: dict[Name, Figures] = Field(
        default_factory=dict, description="requests a second, by region; regions not named have 100"
    )
    load: dict[Name, Figures] = Field(
        default_factory=dict, description="what says how full a region is (`signals.room`); regions not named have 0"
    )
    latency: dict[Name, Connections] = Field(
        default_factory=dict,
        description="how long connections take, by region: 10ms x10 80ms; of regions not named nobody knows",
    )

    @property
    def every(self) -> Iterator[Readings]:
        """All that is said, whatever it is about."""
        yield from self.demands("").values()
        for said in (self.capacity, self.errors, self.requests, self.load, self.latency):
            yield from said.values()

    def demands(self, policy: str) -> Mapping[str, Readings]:
        """By policy; `policy` is the test's own."""
        return self.demand if isinstance(self.demand, dict) else {policy: self.demand} if self.demand else {}


Part = Annotated[str, Field(pattern=r"^[a-z0-9*][a-z0-9*-]{0,62}(/.{1,253})?$", examples=["azure-weu/192.0.2.10"])]
"""A region, or endpoints of it by `region/address`, with * for any letters."""


class WordEntry(Settings):
    """An operator's override, as the command gives it."""

    drain: Part | None = Field(default=None, description="a region, or region/address, that gets no traffic")
    shed: Name | None = Field(default=None, description="a region that gets less, by `to`")
    to: Percent | None = Field(default=None, description="how much of its share a region that is shed keeps")
    up: Part | None = Field(default=None, description="endpoints that count as healthy: region/address, or a region")
    down: Part | None = Field(default=None, description="endpoints that count as down: region/address, or a region")
    pin: Shares | None = Field(default=None, description="the shares that are answered")
    drill: Name | None = Field(default=None, description="a region that a drill takes out, begun by hand")
    hold: bool = Field(default=False, description="nothing is changed")
    pause: bool = Field(default=False, description="nothing at all is written")
    for_: Annotated[Duration, AfterValidator(within("1s", "72h"))] = Field(
        default=3_600.0, alias="for", description="how long it holds"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        said = [name for name in _VERBS if getattr(self, name)]
        if len(said) != 1:
            raise ValueError(f"say one of {', '.join(_VERBS)}, not {' and '.join(said) or 'none'}")
        if (self.to is not None) is not (self.shed is not None):
            raise ValueError("shed says with to: how much of its share the region keeps: {shed: oci-fra, to: 50%}")
        return self


_VERBS: Final = ("drain", "shed", "up", "down", "pin", "drill", "hold", "pause")


Fault = Literal["well", "refuse", "drop", "slow", 503, 429, "packet-loss", "brown-out", "flap"]

FAULTS: Final[Mapping[Fault, str]] = {
    "well": "answers as it should",
    "refuse": "refuses the connection",
    "drop": "does not answer in time",
    "slow": "answers after `by`; a request fails that has no time for it",
    503: "answers with an error",
    429: "is overloaded, and says so",
    "packet-loss": "loses a `part` of the packets: what is lost is sent again, as TCP does it",
    "brown-out": "answers a `part` of the requests with an error",
    "flap": "refuses the connection and is well again in turns, so that both take `every`",
}
"""What endpoints do from some moment on."""

_OF_FAULTS: Final[Mapping[str, tuple[Fault, ...]]] = {
    "part": ("packet-loss", "brown-out"),
    "by": ("slow",),
    "every": ("flap",),
}
"""What only some of them say."""


class FaultEntry(Settings):
    """What endpoints do from one moment on, and for how long."""

    does: Fault = Field(description="what they do: one of the faults")
    part: Percent | None = Field(
        default=None, description="of the packets that are lost (1%), or of the requests that fail (33%)"
    )
    by: Annotated[Duration, AfterValidator(within("1ms", "10m"))] = Field(
        default=5.0, description="after how long a slow one answers"
    )
    every: Annotated[Duration, AfterValidator(within("1s", "24h"))] = Field(
        default=120.0, description="how long it takes one that flaps to fail and to be well again"
    )
    for_: Annotated[Duration, AfterValidator(within("1s", "31d"))] | None = Field(
        default=None, alias="for", description="how long, until they are well again; else until something else is said"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for key, faults in _OF_FAULTS.items():
            if key in self.model_fields_set and self.does not in faults:
                raise ValueError(f"{key} belongs to {' and '.join(map(str, faults))}, not to {self.does}")
        return self


def _fault(value: object) -> object:
    return value if isinstance(value, dict) else {"does": value}


_Fault = Annotated[FaultEntry, BeforeValidator(_fault, json_schema_input_type=Fault | FaultEntry)]
"""A fault, or its name alone."""


class HappeningEntry(Settings):
    """What happens at one moment, besides the series."""

    demand: Demand | dict[Name, Demand] | None = Field(default=None, description="demand from now on")
    edit: Shares | None = Field(default=None, description="somebody edits the record by hand: shares by region")
    empty: bool = Field(default=False, description="somebody deletes the record by hand")
    operator: WordEntry | None = Field(default=None, description="an operator gives an override")
    release: bool = Field(default=False, description="operators take back all of their overrides")
    alert: dict[Name, Literal["degraded", "down", "resolved"]] = Field(
        default_factory=dict, description="a monitoring system calls regions degraded or down, or says that it is over"
    )
    providers: dict[Name, Literal["down", "up", "read-only", "throttled"]] = Field(
        default_factory=dict,
        description="DNS providers that cannot be reached, cannot be written, answer 4 calls a minute, or are well",
    )
    endpoints: dict[Part, _Fault] = Field(
        default_factory=dict, description="what endpoints do from now on, whatever their series says"
    )
    prober: Literal["cut-off", "blind", "mistaken", "well"] | None = Field(
        default=None,
        description="no probe is answered (cut-off), there is no route (blind), or a check asks for what nobody "
        "answers (mistaken), while clients are served; or all is well again",
    )
    restart: bool = Field(default=False, description="the daemon is killed and starts again")


class ExpectedEntry(Settings):
    """What is so at one moment, once everything that was due is done. What is not said may be anything."""

    shares: dict[Name, Expected] | None = Field(
        default=None,
        description="what the record answers, as exactly as it is written (33 is 33.33); regions not named get nothing",
    )
    reasons: tuple[_Code, ...] = Field(
        default=(), max_length=32, strict=False, description="codes of reasons that the decision has, among others"
    )
    cause: Cause | None = Field(default=None, strict=False, description="why traffic moved last")
    changes: int | None = Field(default=None, ge=0, description="how often the record was changed until now")
    holds: tuple[_Limit, ...] | None = Field(
        default=None, max_length=16, strict=False, description="limits that hold something back; [] for none"
    )
    state: TargetState | None = Field(default=None, strict=False, description="where the record stands")
    regions: dict[Name, _State] = Field(default_factory=dict, description="how regions are")
    until: Offset | None = Field(default=None, description="when time alone would change it, from the test's beginning")


class MomentEntry(ExpectedEntry):
    """The same, with what is so of other policies."""

    policies: dict[Name, ExpectedEntry] = Field(default_factory=dict, description="the same of other policies, by name")


class NeverEntry(Settings):
    """What is never so, after whatever change."""

    share: dict[Name, Comparison] = Field(default_factory=dict, description="shares that no region may have: '> 40'")
    empty: bool = Field(default=False, description="an empty answer")
    leaves_residency: bool = Field(default=False, description="an answer outside of the policy's residency")
    changes: Comparison | None = Field(default=None, description="how many changes it must not come to: '> 4'")
    over_capacity: bool = Field(
        default=False,
        description="a region that is sent more than it can carry, by all policies together, while another that one of "
        "them may use has room",
    )


class PlayedEntry(Settings):
    """What is played: what is given, and what happens."""

    name: Text = Field(description="what it shows, in words")
    policy: Name | None = Field(default=None, description="which policy it is about; in a policy's own file that one")
    given: GivenEntry = Field(default_factory=GivenEntry, description="how things are when it begins")
    interval: Annotated[Duration, AfterValidator(within("100ms", "1h"))] = Field(
        default=1.0, description="how long one moment of a series lasts"
    )
    series: dict[str, Series] = Field(
        default_factory=dict,
        max_length=_MAX_SERIES,
        description="what endpoints do, by region/address, and dependencies, by name; * for any letters: azure-weu/*; "
        "the last letter goes on",
    )
    measured: MeasuredEntry = Field(
        default_factory=MeasuredEntry, description="what others measure: demand, capacity, errors, load, latency"
    )
    happens: dict[Offset, HappeningEntry] = Field(
        default_factory=dict, max_length=_MAX_STEPS, description="what happens besides, by the time since the beginning"
    )

    @field_validator("happens", "at", mode="before", check_fields=False)
    @classmethod
    def _apart(cls, written: object) -> object:
        """A moment that is written twice, as 60s and 1m, would silently lose what is said of it first."""
        known: dict[float, str] = {}
        for text in written if isinstance(written, dict) else ():
            before = known.setdefault(_moment(text), text)
            if before != text:
                raise ValueError(f"{before} and {text} are one moment: write what is said of it together")
        return written

    @property
    def played(self) -> float:
        """Seconds that the series and the curves go on."""
        curves = (*self.demand_curves, *self.measured.every)
        played: Iterable[tuple[tuple[object, int], ...]]
        played = (*self.series.values(), *(curve for curve in curves if len(curve) > 1))
        return max((sum(number for _, number in each) for each in played), default=0) * self.interval

    @property
    def demand_curves(self) -> tuple[Curve, ...]:
        """How the demands go on that are given, of whichever policies."""
        given = self.given.demand
        return tuple(given.values()) if isinstance(given, dict) else (given,) if given else ()

    def demands(self, policy: str) -> dict[float, dict[str, float]]:
        """What policies need from each moment on, by seconds since the beginning; `policy` is the one it is about."""
        given = self.given.demand
        found: dict[float, dict[str, float]] = {}
        for name, curve in given.items() if isinstance(given, dict) else ((policy, given or ()),):
            at = 0.0
            for number, moments in curve:
                found.setdefault(at, {})[name] = number
                at += moments * self.interval
        return found


class TestEntry(PlayedEntry):
    """One test: what is given, what happens, and what comes of it."""

    __test__ = False  # for whoever collects classes by their names

    at: dict[Offset, MomentEntry] = Field(
        default_factory=dict, max_length=_MAX_STEPS, description="what has to be so, by the time since the beginning"
    )
    never: NeverEntry | None = Field(default=None, description="what must not be so after any change")
    for_: Offset | None = Field(
        default=None, alias="for", description="how long it goes on; else until the last moment that it speaks of"
    )

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if self.for_ is not None and self.for_ < max((*self.at, *self.happens), default=0.0):
            raise ValueError("for ends before the last moment that it speaks of")
        return self

    @property
    def lasts(self) -> float:
        """Seconds."""
        if self.for_ is not None:
            return self.for_
        spoken = max((*self.at, *self.happens), default=0.0)
        return spoken if self.at else max(self.played, spoken)

    @property
    def expects(self) -> bool:
        """Whether it says anything that has to be so at a moment."""
        return any(_says(each) for each in self.at.values())


def _says(moment: MomentEntry) -> bool:
    return moment.model_copy(update={"policies": {}}) != MomentEntry() or any(
        each != ExpectedEntry() for each in moment.policies.values()
    )


Tests = Annotated[tuple[TestEntry, ...], Field(max_length=MOST_TESTS, strict=False)]


class TestFile(Settings):
    """Tests beside the policies, in a file whose name ends in .test.yaml."""

    __test__ = False

    version: Version
    tests: Tests = Field(description="the tests")
