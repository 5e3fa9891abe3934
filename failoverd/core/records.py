"""The nouns: what a policy says, what a probe found, what a DNS record holds.

Shares are integers in basis points: 10,000 is all of the traffic. Times are seconds since the epoch, durations are
seconds, both floats. Names are absolute, lower-case and without the trailing dot.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, ip_address
from itertools import starmap
from math import lcm
from types import MappingProxyType
from typing import Final, NamedTuple, Self

from failoverd.core.measures import Measure, Signals
from failoverd.core.names import marker_name
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason

WHOLE = 10_000
"""All of the traffic, in basis points."""

ROUNDING = 3
"""Basis points by which a share may differ that was rounded for its region, for its answer, and when it was read."""

_COARSEST = 255
"""The smallest full scale that weights were ever rounded to: that of Route 53 and of OCI's steering policies."""

_MAX_DIGITS = 18
"""Digits of a generation, or an epoch, that is still believed: it fits into 64 bits, and nobody counted that far."""

ELSEWHERE = "elsewhere"
"""The region of an answer that no region of the policy names: somebody else put it there."""


# -- records -----------------------------------------------------------------------------------------------------------


class RecordType(StrEnum):
    A = "A"
    AAAA = "AAAA"
    CNAME = "CNAME"
    SRV = "SRV"


@dataclass(frozen=True, slots=True, order=True)
class RecordKey:
    name: str
    type: RecordType

    @property
    def marker_name(self) -> str:
        return marker_name(self.name)

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """One value that a record may answer with.

    `value` is an address or the text of an `AliasTarget` (A, AAAA), a host name (CNAME), or `host:port` (SRV), in
    canonical text form.
    `weight` is relative to the other answers of the set; 0 means "never".
    """

    value: str
    weight: int

    def __repr__(self) -> str:
        """What a dataclass says of itself, in a fifth of the time: ids are made of it, a hundred answers each."""
        return f"Answer(value={self.value!r}, weight={self.weight!r})"


@dataclass(frozen=True, slots=True)
class AliasTarget:
    """A load balancer that A and AAAA records answer with in place of addresses of its own, in its hosted zone.

    Its text is the value of an answer, and this is the one place that puts that together and takes it apart.
    """

    hosted_zone: str
    host: str

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """The target that the value of an answer says, or None when that is an address or a host name."""
        found = _ALIAS.fullmatch(value)
        return cls(found["zone"], found["host"]) if found is not None else None

    def __str__(self) -> str:
        return f"{self.hosted_zone}/{self.host}"


_ALIAS = re.compile(r"(?P<zone>[A-Z0-9]{1,32})/(?P<host>[^/\s]+)")


@dataclass(frozen=True, slots=True)
class RecordSet:
    """Everything published at one name and type. Answers are sorted by value, so equal sets compare equal.

    `ttls` are all of its TTLs where somebody gave its parts several, which is never wanted; `ttl` is the longest then.
    """

    key: RecordKey
    ttl: int
    answers: tuple[Answer, ...]
    ttls: tuple[int, ...] = ()

    @classmethod
    def of(cls, key: RecordKey, ttl: int, weights: Mapping[str, int]) -> Self:
        return cls(key, ttl, tuple(starmap(Answer, sorted(weights.items()))))

    def with_ttls(self, found: Iterable[int]) -> Self:
        """The same, as its parts were found: with all of their TTLs, if these differ."""
        ttls = tuple(sorted(set(found)))
        return replace(self, ttl=ttls[-1], ttls=ttls) if len(ttls) > 1 else self

    @property
    def serving(self) -> tuple[Answer, ...]:
        return tuple([answer for answer in self.answers if answer.weight > 0])  # a list: it is asked again and again

    @property
    def ttl_text(self) -> str:
        """Its TTL in seconds, or all of them: `30`, `30 and 300`."""
        return " and ".join(map(str, self.ttls or (self.ttl,)))

    def says(self, wanted: Self) -> bool:
        """Whether this set, as it stands, gives each answer the share that `wanted` gives it, but for rounding.

        A person may have written 6 to 2 where failoverd would write 3 to 1: there is nothing to correct. Nor is there
        where an earlier version rounded down: no start of a newer one is a reason to write every record anew. But what
        that made wrong by more than a tenth of a share is worth a change.
        """
        if self == wanted:
            return True
        if (self.key, self.ttl, self.ttls) != (wanted.key, wanted.ttl, wanted.ttls):
            return False
        if self._is_multiple_of(wanted):
            return True
        mine, theirs = self._split(), wanted._split()
        if mine.keys() != theirs.keys():
            return False
        off = {value: abs(mine[value] - theirs[value]) for value in mine}
        if all(each <= ROUNDING for each in off.values()):
            return True
        return all(each * 10 <= theirs[value] for value, each in off.items()) and self._rounds_down(wanted)

    def _is_multiple_of(self, wanted: Self) -> bool:
        """Whether the weights are to one another as those of `wanted`: then there is nothing to reckon."""
        mine, theirs = self.serving, wanted.serving
        if len(mine) != len(theirs) or not mine:
            return False
        one, other = mine[0].weight, theirs[0].weight
        pairs = zip(mine, theirs, strict=True)
        return all(each.value == its.value and each.weight * other == its.weight * one for each, its in pairs)

    def _rounds_down(self, wanted: Self) -> bool:
        """Whether these are the weights of `wanted` on a provider's full scale, each cut off to a whole number."""
        mine = {answer.value: answer.weight for answer in self.serving}
        theirs = {answer.value: answer.weight for answer in wanted.serving}
        full, heaviest = max(mine.values()), max(theirs.values())
        return full >= _COARSEST and all(
            weight == max(1, theirs[value] * full // heaviest) for value, weight in mine.items()
        )

    def _split(self) -> dict[str, int]:
        return apportion({answer.value: answer.weight for answer in self.serving}, WHOLE)

    def shares(self, region_of: Mapping[str, str]) -> dict[str, int]:
        """The share of traffic that each region gets from this set, in basis points, summing to `WHOLE`.

        Answers that `region_of` does not know are counted as `ELSEWHERE`. Empty when nothing serves.
        """
        weights: dict[str, int] = {}
        for answer in self.serving:
            region = region_of.get(answer.value, ELSEWHERE)
            weights[region] = weights.get(region, 0) + answer.weight
        return apportion(weights, WHOLE)


def apportion(parts: Mapping[str, Fraction | int], total: int) -> dict[str, int]:
    """Integers proportional to `parts` that sum to exactly `total`: Hamilton's method, ties broken by name.

    A part above zero never becomes zero while `total` has a unit to give it; parts that get nothing are left out. Empty
    when all parts are zero.
    """
    sizes = _whole_numbers(parts)
    whole = sum(sizes.values())
    if whole == 0:
        return {}
    given: dict[str, int] = {}
    missing = total
    for name in sorted(sizes):  # `size * total / whole` is what a part ought to get
        if sizes[name] > 0:
            given[name] = units = sizes[name] * total // whole or 1
            missing -= units
    if missing > 0:
        by_need = sorted(given, key=lambda name: given[name] * whole - sizes[name] * total)
        for index in range(missing):
            given[by_need[index % len(by_need)]] += 1
    for _ in range(-missing):
        largest = max(given, key=lambda name: (given[name], -sizes[name] * total, name))
        given[largest] -= 1
    return given if missing >= 0 else {name: units for name, units in given.items() if units > 0}


def _whole_numbers(parts: Mapping[str, Fraction | int]) -> Mapping[str, int]:
    """Numbers that are to one another as `parts` are: every decision divides several times, and these are quick."""
    denominators = {part.denominator for part in parts.values()}
    if denominators <= {1}:
        return {name: part.numerator for name, part in parts.items()}
    scale = lcm(*denominators)
    return {name: part.numerator * (scale // part.denominator) for name, part in parts.items()}


@dataclass(frozen=True, slots=True)
class Marker:
    """Who owns a name, and the generation that its records were last written by.

    Stands as one TXT string beside the name: `v=1 owner=prod policy=inference-api gen=7 types=A,AAAA`. `types` says
    which record types of the name are owned, so that an AAAA which somebody made by hand is not taken along with an A.
    `epoch` is that of the leader who wrote it, where several members watch together (`epoch=`); one alone has none. It
    never falls: a member that reads a higher one than its own is not the leader any more.

    What a daemon that lost its journal has to know besides follows, where there is any: `instance` is who wrote it
    (`inst=`); `overrides` are the ids of the operators' words that apply (`ovr=`), until when at most (`until=`, whole
    seconds since the epoch); `by_hand` that a person wrote it, with a command that failoverd printed (`by=hand`).
    """

    owner: str
    policy: str
    generation: int
    types: tuple[RecordType, ...]
    instance: str = ""
    overrides: tuple[str, ...] = ()
    until: int = 0
    by_hand: bool = False
    epoch: int = 0

    def to_text(self) -> str:
        said = {
            "v": "1",
            "owner": self.owner,
            "policy": self.policy,
            "gen": self.generation,
            "epoch": self.epoch or "",
            "types": ",".join(sorted(self.types)),
            "inst": self.instance,
            "ovr": ",".join(self.overrides),
            "until": f"{datetime.fromtimestamp(self.until, UTC):{_MOMENT}}" if self.until else "",
            "by": _HAND if self.by_hand else "",
        }
        return " ".join(f"{key}={value}" for key, value in said.items() if value != "" or key == "types")

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The marker that `text` says, or None when it is not one of ours. What a later version says more is left.

        Nor is it one whose numbers cannot be read: taken for 0, an epoch would let a stale leader write over a newer.
        """
        parts = dict(part.split("=", 1) for part in text.split() if "=" in part)
        if parts.get("v") != "1" or not parts.get("owner") or not parts.get("policy"):
            return None
        generation, epoch = _number(parts.get("gen", "")), _number(parts.get("epoch", "0"))
        types = parts.get("types", "").split(",")
        if generation is None or epoch is None or not set(types) <= set(RecordType):
            return None
        return cls(
            parts["owner"],
            parts["policy"],
            generation,
            tuple(RecordType(t) for t in types),
            instance=parts.get("inst", ""),
            overrides=tuple(filter(None, parts.get("ovr", "").split(","))),
            until=_moment(parts.get("until", "")),
            by_hand=parts.get("by") == _HAND,
            epoch=epoch,
        )


_HAND = "hand"
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


def _moment(text: str) -> int:
    """Seconds since the epoch; 0 for what is no moment in a form of ours."""
    try:
        return int(datetime.strptime(text, _MOMENT).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One record in one zone of one provider: the unit that is read, planned, fenced and written."""

    policy: str
    key: RecordKey
    provider: str
    zone: str

    def __str__(self) -> str:
        return f"{self.key} at {self.provider}"


@dataclass(frozen=True, slots=True)
class Observed:
    """What a provider holds at a target right now; everything that a later write is conditional on.

    `records` is None when the name has no record of this type. `marker_text` is the raw marker, kept so that the
    fence compares what stands there and not what we understood of it. `foreign` lists other record types at the name
    that exclude ours (a CNAME beside an A), and what stands elsewhere (`standing_at`) and would hide the record or its
    marker. `token` is the provider's own version (an ETag), where it has one. `cure` is what a person does about what
    is foreign, where it is something else than to remove another record.
    """

    target: Target
    records: RecordSet | None
    marker: Marker | None = None
    marker_text: str | None = None
    foreign: tuple[str, ...] = ()
    token: str = ""
    cure: str = ""

    @property
    def hidden_by(self) -> tuple[str, ...]:
        """Those of `foreign` that stand elsewhere, and hide the record or its marker."""
        return tuple(each for each in self.foreign if _AT in each)


def standing_at(record_type: str, name: str) -> str:
    """A record at another name that hides ours: a CNAME at the marker's, a DNAME above."""
    return f"{record_type}{_AT}{name}"


_AT = " at "


class Weights(StrEnum):
    """How a provider, or a policy, says how much: real weights, or only in or out of the answer."""

    NATIVE = "native"
    MEMBERSHIP = "membership"


class Marking(StrEnum):
    """Where a provider keeps the ownership marker."""

    TXT = "txt"  # a TXT record beside the name, shared by all record types of the name
    TAG = "tag"  # on the object that holds the answers (metadata, a tag), one for each record type


class Fence(StrEnum):
    """How strongly a provider keeps a stale writer out."""

    ATOMIC = "atomic"  # its API compares and replaces all of a change in one step, the marker included
    PER_OBJECT = "per_object"  # its API compares the version of the one object that holds the answers and the marker
    CHECKED_BEFORE = "checked_before"  # only looked at before: one writer at a time has to be seen to in another way

    @property
    def strict(self) -> bool:
        """Whether the provider itself refuses a stale writer."""
        return self is not Fence.CHECKED_BEFORE


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one kind of provider can say. A policy that needs more fails `failoverctl check`.

    `weights` is per record type; a type that is missing cannot be managed. `single` lists the types that hold one
    value at a time (a CNAME in plain DNS), so they can fail over but not split. `max_answers` is how many values one
    record set may hold, or None where there is no limit worth a word. `aliases`: an A or AAAA record may answer with a
    load balancer of the same cloud, by its name and hosted zone. `creates`: a name that does not exist can be created.
    `one_ttl`: record types of a name that have one TTL together. `wildcards`: a record may stand at `*.example.com`.
    """

    weights: Mapping[RecordType, Weights]
    max_weight: int
    single: frozenset[RecordType] = frozenset()
    max_answers: int | None = None
    fence: Fence = Fence.CHECKED_BEFORE
    min_ttl: int = 1
    marking: Marking = Marking.TXT
    aliases: bool = False
    creates: bool = True
    one_ttl: frozenset[RecordType] = frozenset()
    wildcards: bool = True


# -- policy ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One address that serves traffic: an IPv4 or IPv6 address or a host name, in canonical text form.

    `port` overrides the port of the checks and is the port of an SRV answer. `alias` is the hosted zone of a load
    balancer that Route 53 knows as an alias target: then A and AAAA answer with an `AliasTarget`.
    """

    region: str
    address: str
    port: int | None = None
    alias: str | None = None

    @property
    def id(self) -> str:
        return f"{self.region}/{self.text}"

    @property
    def text(self) -> str:
        if self.port is None:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def answer(self, record_type: RecordType) -> str | None:
        """What a record of this type answers with for this endpoint, or None when it has no place in it."""
        family = _family(self.address)
        if family is not None:
            return self.address if family is record_type else None
        if record_type is RecordType.CNAME:
            return self.address
        if self.alias is not None and record_type in {RecordType.A, RecordType.AAAA}:
            return str(AliasTarget(self.alias, self.address))
        if record_type is RecordType.SRV and self.port is not None:
            return f"{self.address}:{self.port}"
        return None

    @property
    def family(self) -> RecordType | None:
        """A for an IPv4 address, AAAA for an IPv6 address, None for a name."""
        return _family(self.address)


@lru_cache(maxsize=65_536)  # asked for each endpoint of a region whenever one of them turns
def _family(text: str) -> RecordType | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return RecordType.A if isinstance(address, IPv4Address) else RecordType.AAAA


class Steering(StrEnum):
    WEIGHTED = "weighted"
    FAILOVER = "failover"


class AllDown(StrEnum):
    KEEP = "keep"
    NORMAL = "normal"
    ANSWER = "answer"  # with a named place


class WhenDegraded(StrEnum):
    KEEP = "keep"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class LatencyBand:
    """Which regions of a tier are as near as the nearest, by the median of connection times; all in seconds.

    One that is at most `slack` slower gets traffic; one that has traffic keeps it until it is more than `leave` slower.
    What was measured counts for `window`.
    """

    slack: float = 0.02
    leave: float = 0.03
    window: float = 600.0


class OnDrift(StrEnum):
    RESTORE = "restore"
    REPORT = "report"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is served, by its name and, where that is said, its revision."""

    name: str
    revision: str = ""

    def met_by(self, served: Self) -> bool:
        """Whether what is served is what is wanted; a revision that is not wanted by name may be any."""
        return self.name == served.name and self.revision in {"", served.revision}

    def __str__(self) -> str:
        return f"{self.name} {self.revision}" if self.revision else self.name


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """Where traffic goes that no region gets: what does not fit, or all of it while every region is down.

    It has a name, under which shares, plans and status show it. It is not probed. Where it is a region of the policy,
    it has the name and the values of that.

    Attributes:
        name: what it is called: a region, or its address as the file says it.
        values: what a record of each type answers with for it.
        jurisdiction: whose law applies there, "" when that was not stated.
    """

    name: str
    values: Mapping[RecordType, tuple[str, ...]] = field(default_factory=dict)
    jurisdiction: str = ""

    @classmethod
    def of(cls, name: str, endpoints: "Sequence[Endpoint]", jurisdiction: str = "") -> Self:
        found = {kind: tuple(sorted({v for end in endpoints if (v := end.answer(kind))})) for kind in RecordType}
        return cls(name, {kind: values for kind, values in found.items() if values}, jurisdiction)

    def answers(self, record_type: RecordType) -> tuple[str, ...]:
        return self.values.get(record_type, ())


@dataclass(frozen=True, slots=True)
class Link:
    """What joins a region to the one in which the data is: bits a second, and a list price of what is moved over it.

    `headroom` is how much of the bandwidth may be planned with, in basis points. `name` is how the inventory calls its
    ends.
    """

    bandwidth: float
    price_per_gb: float = 0.0
    headroom: int = 7_000
    name: str = ""


@dataclass(frozen=True, slots=True)
class ListPrices:
    """List prices of a region in USD; None where nobody said one."""

    egress_per_gb: float | None = None
    per_million_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one request moves and uses: bytes of its response, and tokens."""

    response: float = 0.0
    tokens: float = 0.0


@dataclass(frozen=True, slots=True)
class DataIn:
    """Data that each request needs: so many bytes, which are moved where another region than `region` serves it.

    `egress_per_gb` is what leaves that region costs where no link is known; None where nobody said so.
    """

    region: str
    per_request: float
    egress_per_gb: float | None = None


@dataclass(frozen=True, slots=True)
class CostRules:
    """When shares follow the price: for so much of it in basis points, for so much in USD a month, and how often."""

    save: int = 1_000
    at_least: float = 100.0
    every: float = 86_400.0


@dataclass(frozen=True, slots=True)
class RegionSpec:
    """A region's part in one policy. `share` in basis points; a lower `priority` number is preferred.

    `capacity` is how much the region can carry, in the unit of the policy's `demand`; None when it was not stated.
    `cloud` is whose cloud it is in, "" when that is not known; `depends_on` names dependencies of the policy.
    `headroom` is how much of the capacity may be planned with, in basis points.
    `jurisdiction` is whose law applies there, "" when that was not stated; `models` is what it serves.
    `unit` is what `capacity` counts, "" when that was not said; `measure` is how it is measured, where it is.
    `room` is how much of its room it has, in basis points: less while it is full, see `core.control.readings`.
    `headroom` is how much of the capacity may be planned with, in basis points. `weights` has the part of each endpoint
    in the region, in the order of `endpoints`; empty where they are all alike. `link` leads to the
    policy's data.
    """

    name: str
    share: int
    endpoints: tuple[Endpoint, ...]
    priority: int = 1
    capacity: float | None = None
    cloud: str = ""
    depends_on: tuple[str, ...] = ()
    headroom: int = WHOLE
    jurisdiction: str = ""
    models: tuple[Model, ...] = ()
    unit: str = ""
    measure: Measure | None = None
    room: int = WHOLE
    weights: tuple[int, ...] = ()
    prices: ListPrices = ListPrices()
    link: Link | None = None

    @property
    def planned_with(self) -> float | None:
        """How much of the capacity may be planned with; None when it was not stated."""
        return self.capacity * self.headroom / WHOLE if self.capacity is not None else None

    @property
    def weighed(self) -> tuple[tuple[Endpoint, int], ...]:
        """Each endpoint with its weight."""
        return tuple(zip(self.endpoints, self.weights or (1,) * len(self.endpoints), strict=True))

    def answers(self, record_type: RecordType) -> dict[str, int]:
        """What a record of that type can answer with for the region, each with its weight."""
        found = ((endpoint.answer(record_type), weight) for endpoint, weight in self.weighed)
        return {value: weight for value, weight in found if value is not None}


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """A record that a policy owns. `single`: one of its providers can say only one value at a time for this type."""

    key: RecordKey
    ttl: int
    targets: tuple[Target, ...]
    single: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """How to probe an endpoint. `settings` belongs to the check kind and is opaque here.

    `uses_network` is said by the kind: a good answer shows that our network is there. So is `connects`: each probe
    opens a connection, and the time that takes is a round trip.
    """

    name: str
    kind: str
    every: float
    timeout: float
    settings: object = None
    uses_network: bool = True
    connects: bool = True


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something that regions need and that no record answers with, such as a database. `check` has its name."""

    name: str
    endpoint: Endpoint
    check: Check

    @classmethod
    def of(cls, address: str, port: int | None, check: Check) -> Self:
        return cls(check.name, Endpoint(check.name, address, port), check)


@dataclass(frozen=True, slots=True)
class HealthRules:
    """The numbers of health. Shares are in basis points, times in seconds; the meanings stand in `core/health`."""

    fall: int = 3
    rise: int = 5
    recheck: float = 0.5
    degraded_below: int = 7_500
    down_below: int = 5_000
    recover_margin: int = 1_000
    degraded_window: int = 6
    degraded_enter: int = 5_000
    degraded_leave: int = 2_000
    flap_penalty: float = 1_000.0
    flap_half_life: float = 600.0
    flap_suppress: float = 3_500.0
    flap_reuse: float = 1_000.0
    flap_max_suppress: float = 3_600.0
    warm_up: float = 0.0
    checks: int = 0
    """How many of an endpoint's checks have to be well; 0: all of them."""

    def needed(self, checks: int) -> int:
        """How many of so many checks have to be well."""
        return min(self.checks, checks) or checks


@dataclass(frozen=True, slots=True)
class Ration:
    """How fast traffic may move for one kind of cause. `max_shift` in basis points within `shift_window` seconds."""

    max_shift: int = WHOLE
    shift_window: float = 300.0
    max_changes: int = 6
    changes_window: float = 3_600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a change. Rates ration tuning and returning; they never keep a dead region in the answer.

    `making_room` rations what leaves for a policy of a higher tier. `min_step`: tuning that moves every region by less,
    in basis points, is not worth a change.
    """

    min_regions: int = 1
    tuning: Ration = Ration()
    returning: Ration = Ration()
    min_step: int = 500
    making_room: Ration = Ration(max_changes=60)

    @property
    def longest_window(self) -> float:
        return max(
            max(ration.shift_window, ration.changes_window)
            for ration in (self.tuning, self.returning, self.making_room)
        )


@dataclass(frozen=True, slots=True)
class RampRules:
    """How traffic comes back to a region: in steps.

    Attributes:
        steps: parts of its share, in basis points, one after the other; the last is all of it.
        step: seconds from one to the next, at least; None where that follows from the TTL.
        judge: seconds that the region has to be well under one before the next.
        retries: falls on the ramp after which a person brings it back.
    """

    steps: tuple[int, ...] = (1_000, 2_500, 5_000, WHOLE)
    step: float | None = None
    judge: float = 120.0
    retries: int = 3

    def pause(self, ttl: int) -> float:
        """Seconds from a step to the next, at least: most of its traffic has to be there before it can be judged."""
        return max(self.step if self.step is not None else max(3.0 * ttl, 60.0), self.judge)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Planned work, as a file says it: a region, or a cloud, gets no traffic for a while, once or again and again.

    Attributes:
        reason: why.
        lasts: seconds of one window.
        region: which, or "" where it is a cloud.
        cloud: which, or "" where it is a region.
        begins: when the only window begins, in seconds since the epoch; None where `cron` says when they do.
        cron: minute, hour, day of the month, month, day of the week.
        timezone: in which the fields of `cron` are read.
        at: where it is written, `file:line`.
    """

    reason: str
    lasts: float
    region: str = ""
    cloud: str = ""
    begins: float | None = None
    cron: str = ""
    timezone: str = "UTC"
    at: str = ""

    def concerns(self, region: "RegionSpec") -> bool:
        return region.name == self.region or (bool(self.cloud) and region.cloud == self.cloud)


@dataclass(frozen=True, slots=True)
class Practice:
    """Drills, as a file plans them: one region after the other gets no traffic for a while.

    Attributes:
        cron: when they begin: minute, hour, day of the month, month, day of the week.
        timezone: in which these are read.
        lasts: seconds of one drill.
        regions: which take turns, in this order; one alone is always the one.
        succeed: the checks that say how it goes; none: all of them.
        block: windows in which none begins, and into which none reaches.
        skip: days, as `2026-12-24` by the time zone, on which none begins.
        at: where it is written, `file:line`.
    """

    cron: str
    timezone: str
    lasts: float
    regions: tuple[str, ...]
    succeed: tuple[str, ...] = ()
    block: tuple[Maintenance, ...] = ()
    skip: frozenset[str] = frozenset()
    at: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a policy was read from: the file, its revision (a digest of its text), and the line of each key."""

    file: str = ""
    revision: str = ""
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def at(self, path: str) -> str:
        """`file:line` of a dotted key such as `limits.max_shift`.

        Where a default rules: that it does, of which key, and the line of the nearest parent that was written out.
        """
        written = path
        while written and written not in self.lines:
            written = written.rpartition(".")[0]
        place = f"{self.file}:{self.lines[written]}" if written else self.file
        return place if written == path else f"{place}, default of {path}"


TIERS: Final[Mapping[str, int]] = MappingProxyType({"prod": 100, "pilot": 200, "dev": 300})
"""Names of tiers; any number between them may be written as well."""

LOWEST_TIER: Final = TIERS["dev"]
"""Of who says nothing."""


def tier_name(tier: int) -> str:
    """How people write it."""
    return next((name for name, number in TIERS.items() if number == tier), str(tier))


@dataclass(frozen=True)  # without slots: what is reckoned from it is reckoned once
class Policy:
    """One service: its records, its regions, and how traffic moves between them.

    `failback_after` is how long a region that comes back must stay well before it gets traffic; None means that a
    person brings it back. `demand` is what the whole service needs, in the unit of the regions' capacity. Of policies
    that share regions, those of the lowest `tier` are served first.
    `residency` has the jurisdictions that may answer; without any, all may. `model` is what regions have to serve, but
    for those that `canary` names. `shed_to` gets what fits nowhere, and `when_all_down_place` everything while every
    region is down, where `when_all_down` says so.
    `ramp` is by which steps a region comes back; None means in one. `trickle` is what standbys get together on a day on
    which nobody needs them, in basis points.
    `unit` is what demand and capacity count, "" when that was not said; `measure` is how the demand is measured, where
    it is.
    `degraded` says what becomes of a region that is DEGRADED where the others have room for what it has; `latency`
    which regions are too far away, if any is.
    """

    name: str
    records: tuple[RecordSpec, ...]
    regions: tuple[RegionSpec, ...]
    checks: tuple[Check, ...]
    health: HealthRules = HealthRules()
    steering: Steering = Steering.WEIGHTED
    weights: Weights = Weights.NATIVE
    failback_after: float | None = 300.0
    limits: Limits = Limits()
    when_all_down: AllDown = AllDown.KEEP
    on_drift: OnDrift = OnDrift.RESTORE
    demand: float | None = None
    owner: str = ""
    runbook: str = ""
    tier: int = LOWEST_TIER
    unit: str = ""
    source: Source = Source()
    dependencies: tuple[Dependency, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    residency: tuple[str, ...] = ()
    model: Model | None = None
    canary: tuple[str, ...] = ()
    shed_to: NamedPlace | None = None
    when_all_down_place: NamedPlace | None = None
    ramp: RampRules | None = None
    trickle: int = 0
    measure: Measure | None = None
    signals: Signals = field(default_factory=Signals)
    degraded: WhenDegraded = WhenDegraded.KEEP
    latency: LatencyBand | None = None
    practice: Practice | None = None
    traffic: Traffic | None = None
    data_in: DataIn | None = None
    cost: CostRules | None = None

    def probes(self) -> tuple[tuple[Endpoint, Check], ...]:
        """Everything to probe: each endpoint under each check, and each dependency under its own."""
        endpoints = [endpoint for region in self.regions for endpoint in region.endpoints]
        watched = [(endpoint, check) for check in self.checks for endpoint in endpoints]
        return (*watched, *((each.endpoint, each.check) for each in self.dependencies))

    def record_of(self, target: Target) -> RecordSpec:
        """The record that a target belongs to. Raises LookupError when it is none of this policy's."""
        for record in self.records:
            if record.key == target.key and target in record.targets:
                return record
        raise LookupError(f"policy {self.name} does not publish {target} in {target.zone}")

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(target for record in self.records for target in record.targets)

    def weights_of(self, record_type: RecordType) -> dict[str, int]:
        """Answer value to the weight of its endpoint in its region, of the regions that say any."""
        said = (spec for spec in self.regions if spec.weights)
        return {value: weight for spec in said for value, weight in spec.answers(record_type).items()}

    def region_of(self, record_type: RecordType) -> Mapping[str, str]:
        """Answer value to the name of its region, or place, for what a record of this type can answer with."""
        if record_type not in self._regions_of:
            self._regions_of[record_type] = self._reckoned_regions(record_type)
        return self._regions_of[record_type]

    @cached_property
    def _regions_of(self) -> dict[RecordType, Mapping[str, str]]:
        """By the record type, once it was asked for: the same in each decision, for each endpoint."""
        return {}

    def _reckoned_regions(self, record_type: RecordType) -> dict[str, str]:
        places = (self.when_all_down_place, self.shed_to)
        found = {value: place.name for place in places if place is not None for value in place.answers(record_type)}
        return found | {
            value: region.name
            for region in self.regions
            for endpoint in region.endpoints
            if (value := endpoint.answer(record_type)) is not None
        }


# -- probing -----------------------------------------------------------------------------------------------------------


class Timings(NamedTuple):
    """Seconds spent in each phase; None when the probe did not get that far or has no such phase.

    A tuple, as everything that is made anew for each probe: making a frozen dataclass takes five times as long.
    """

    total: float
    resolve: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None


class ProbeResult(NamedTuple):
    """One probe of one endpoint. A failing target is data, not an exception.

    `detail` is for people (`503 Service Unavailable`), bounded and printable. `at` is when the probe ended. `measures`
    are numbers that it found besides its timings, by name with their unit: `certificate_days`, `tokens_per_second`.
    `served` is the model that it saw there; None where it did not look for one, or saw none.
    """

    endpoint: Endpoint
    check: str
    outcome: ProbeOutcome
    reason: ProbeReason
    timings: Timings
    at: float
    detail: str = ""
    measures: tuple[tuple[str, float], ...] = ()
    served: Model | None = None


def percentages(shares: Mapping[str, int]) -> str:
    """Shares in basis points as people write them: `azure-eastus 70%, oci-ashburn 30%`."""
    return ", ".join(f"{region} {share * 100 / WHOLE:g}%" for region, share in shares.items())


def answered(shares: Mapping[str, int], foreign: Sequence[str]) -> str:
    """The same with what else a name answers with; "" where it answers nothing."""
    return ", ".join(filter(None, (percentages(shares), *foreign)))


def few(names: Sequence[str], most: int) -> str:
    """The first of them, and how many more there are: `a, b and 7 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
