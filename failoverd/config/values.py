"""How values are written in policy files, and what they become: `75%`, `70% per 5m`, `[2001:db8::1]:8443`."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from failoverd.core.addresses import unreachable
from failoverd.core.records import WHOLE
from failoverd.settings import Duration, parse_duration, parse_name

DURATION = r"(\d+(\.\d+)?(ms|s|m|h|d))+"
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)\s*%")
_RATE = re.compile(r"(\S+)\s+per\s+(\S+)")
_COUNT = re.compile(r"\d{1,6}")
_PORT = re.compile(r"\d{1,5}")
_HOSTED_ZONE = re.compile(r"Z[A-Z0-9]{1,31}")
_MAX_PORT = 65_535
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


# -- durations ---------------------------------------------------------------------------------------------------------


def say_duration(seconds: float) -> str:
    """`seconds` as a person would write them: 0.5 is 500ms, 90 is 1m30s."""
    if seconds % 1:
        return f"{seconds * 1000:g}ms"
    rest, words = int(seconds), ""
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        words += f"{count}{unit}" if count else ""
    return words or "0s"


def within(shortest: str, longest: str) -> Callable[[float], float]:
    """A validator for durations from `shortest` to `longest`."""
    low, high = parse_duration(shortest), parse_duration(longest)

    def check(seconds: float) -> float:
        if not low <= seconds <= high:
            raise ValueError(f"{say_duration(seconds)} is not within {shortest} and {longest}")
        return seconds

    return check


def _whole_seconds(seconds: float) -> int:
    if seconds % 1:
        raise ValueError("DNS counts a TTL in whole seconds")
    return int(seconds)


Ttl = Annotated[
    int,
    PlainValidator(lambda value: _whole_seconds(within("1s", "1d")(parse_duration(value)))),
    PlainSerializer(say_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{DURATION}$", "examples": ["30s", "5m"]}),
]
"""Whole seconds, written with a unit, from 1s to 1d."""

Pause = Annotated[Duration, AfterValidator(within("0s", "7d"))]
"""A time that people wait."""


# -- shares ------------------------------------------------------------------------------------------------------------


def parse_percent(value: object) -> int:
    """Basis points in `75%` or `33.34%`."""
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('a percentage is written like "75%", with at most two decimals')
    points = round(float(found.group(1)) * 100)
    if points > WHOLE:
        raise ValueError("a percentage is at most 100%")
    return points


def say_percent(points: int) -> str:
    return f"{points / 100:g}%"


PERCENT: Final = r"^\d{1,3}(\.\d{1,2})?\s*%$"

Percent = Annotated[
    int,
    PlainValidator(parse_percent),
    PlainSerializer(say_percent, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PERCENT, "examples": ["75%"]}),
]
"""Basis points, written as a percentage with its sign."""


def parse_share(value: object) -> int:
    """Basis points in a share such as 70 or 33.34."""
    if isinstance(value, str) and _PERCENT.fullmatch(value):
        raise ValueError(f"a share is a number without a sign: write {value.rstrip(' %')}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a share is a number from 0 to 100")  # noqa: TRY004 - pydantic collects ValueErrors
    points = round(value * 100)
    if not 0 <= points <= WHOLE:
        raise ValueError(f"a share is a number from 0 to 100, not {value:g}")
    if abs(points - value * 100) > 1e-6:  # noqa: PLR2004 - what binary fractions lose of two decimals
        raise ValueError("a share has at most two decimals")
    return points


Share = Annotated[
    int, PlainValidator(parse_share), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100, "examples": [70]})
]
"""Basis points, written as a plain number of percent."""


# -- rates -------------------------------------------------------------------------------------------------------------


class Allowance(NamedTuple):
    """So much within a window of so many seconds."""

    amount: int
    window: float


def _parse_rate(value: object, amount: Callable[[str], int], example: str) -> Allowance:
    found = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'a limit is an amount per window: write it like "{example}"')
    rate = Allowance(amount(found.group(1)), within("1s", "7d")(parse_duration(found.group(2))))
    if rate.amount == 0:
        raise ValueError(
            f"{found.group(1)} would never let any traffic move; to freeze a record: "
            "failoverctl hold POLICY --reason TEXT --for 72h"
        )
    return rate


def parse_shift(value: object) -> Allowance:
    """Basis points and seconds in `70% per 5m`."""
    return _parse_rate(value, parse_percent, "70% per 5m")


def parse_changes(value: object) -> Allowance:
    """A number and seconds in `4 per 1h`."""
    return _parse_rate(value, _count, "4 per 1h")


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise ValueError('a number of changes is written like "4 per 1h"')
    return int(text)


def say_shift(rate: Allowance) -> str:
    return f"{say_percent(rate.amount)} per {say_duration(rate.window)}"


def say_changes(rate: Allowance) -> str:
    return f"{rate.amount} per {say_duration(rate.window)}"


ShiftRate = Annotated[
    Allowance,
    PlainValidator(parse_shift),
    PlainSerializer(say_shift, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": rf"^\d{{1,3}}(\.\d{{1,2}})?%\s+per\s+{DURATION}$", "examples": ["70% per 5m"]}
    ),
]
ChangeRate = Annotated[
    Allowance,
    PlainValidator(parse_changes),
    PlainSerializer(say_changes, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"^\d{{1,6}}\s+per\s+{DURATION}$", "examples": ["4 per 1h"]}),
]


# -- sizes -------------------------------------------------------------------------------------------------------------

_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_BANDWIDTHS = {"kbps": 10**3, "Mbps": 10**6, "Gbps": 10**9, "Tbps": 10**12}
_QUANTITY = re.compile(r"(-?\d{1,9}(?:\.\d{1,6})?)\s*([A-Za-z/]+)")
_MAX_SIZE, _MAX_BANDWIDTH = 1e12, 1e15


def _quantity(value: object, units: Mapping[str, int], most: float, what: str, example: str) -> float:
    found = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    known = ", ".join(units)
    if found is None:
        raise ValueError(f'{what} is a number with its unit ({known}): write it like "{example}"')
    number, unit = float(found.group(1)), found.group(2)
    if unit not in units:
        meant = [each for each in units if each.lower() == unit.lower()]
        hint = f"write {found.group(1)}{meant[0]}" if meant else f"use one of {known}"
        raise ValueError(f'"{unit}" is no unit of {what}: {hint}')
    if number <= 0:
        raise ValueError(f"{what} is more than nothing: leave the key out where there is none")
    if number * units[unit] > most:
        raise ValueError(f"{found.group(0)} is too much to be {what}")
    return number * units[unit]


def parse_size(value: object) -> float:
    """Bytes in `50kB` (1,000 each) or `64KiB` (1,024 each)."""
    return _quantity(value, _SIZES, _MAX_SIZE, "a size", "50kB")


def parse_bandwidth(value: object) -> float:
    """Bits a second in `10Gbps`, of 1,000 Mbps each."""
    return _quantity(value, _BANDWIDTHS, _MAX_BANDWIDTH, "a bandwidth", "10Gbps")


def _say_quantity(number: float, units: Mapping[str, int]) -> str:
    """In the largest unit in which few decimals say it."""
    fits = [unit for unit, size in units.items() if number >= size and round(number / size, 6) == number / size]
    unit = max(fits, key=lambda each: units[each], default=min(units, key=lambda each: units[each]))
    return f"{number / units[unit]:.15g}{unit}"


def say_size(size: float) -> str:
    """As people write it: 50000 is 50kB, 65536 is 64KiB."""
    decimal = {unit: factor for unit, factor in _SIZES.items() if "i" not in unit}
    whole = size % 1_000 and not size % 1_024
    return _say_quantity(size, _SIZES if whole else decimal)


def say_bandwidth(bandwidth: float) -> str:
    """As people write it: 1e10 is 10Gbps."""
    return _say_quantity(bandwidth, _BANDWIDTHS)


Size = Annotated[
    float,
    PlainValidator(parse_size),
    PlainSerializer(say_size, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{1,9}(\.\d{1,6})?\s*(B|kB|MB|GB|KiB|MiB|GiB)$",
            "examples": ["50kB", "64KiB", "1.5MB"],
        }
    ),
]
"""Bytes, written with a unit: kB has 1,000 of them, KiB 1,024."""

Bandwidth = Annotated[
    float,
    PlainValidator(parse_bandwidth),
    PlainSerializer(say_bandwidth, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{1,9}(\.\d{1,6})?\s*(kbps|Mbps|Gbps|Tbps)$",
            "examples": ["10Gbps", "500Mbps"],
        }
    ),
]
"""Bits a second, written with a unit: Gbps has 1e9 of them."""


# -- moments -----------------------------------------------------------------------------------------------------------

_MOMENT = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})"


def parse_moment(value: object) -> float:
    """Seconds since the epoch in `2026-12-01T22:00Z` or `2026-12-01T22:00:00+01:00` (RFC 3339, seconds optional)."""
    if not isinstance(value, str) or not re.fullmatch(_MOMENT, value):
        raise ValueError('a moment says its offset: write it like "2026-12-01T22:00Z" or "2026-12-01T22:00+01:00"')
    try:
        return datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{value} is no moment of the calendar") from None


Moment = Annotated[
    float,
    PlainValidator(parse_moment),
    WithJsonSchema({"type": "string", "pattern": f"^{_MOMENT}$", "examples": ["2026-12-01T22:00Z"]}),
]
"""Seconds since the epoch, written with an offset."""


# -- endpoints ---------------------------------------------------------------------------------------------------------


class HostPort(NamedTuple):
    """Where an endpoint is: an address or host name in canonical form, and a port where one was written.

    `alias` is the hosted zone of a load balancer that DNS answers for by alias; `weight` is its part of its region.
    """

    address: str
    port: int | None
    alias: str | None = None
    weight: int = 1


def parse_endpoint(value: object) -> HostPort:
    """Reads `192.0.2.10`, `192.0.2.10:8443`, `2001:db8::1`, `[2001:db8::1]:8443`, `api.example.net` and `host:8443`."""
    if isinstance(value, dict):
        return _alias(value)
    if not isinstance(value, str):
        raise ValueError("an endpoint is text, or an alias")  # noqa: TRY004 - pydantic collects ValueErrors
    host, port = _split(value)
    return HostPort(_host(host, value), port)


def _alias(value: Mapping[str, object]) -> HostPort:
    """Reads `{alias: lb-1.eu-west-1.elb.amazonaws.com, hosted_zone: Z32O12XQLNTSW2}`."""
    host, zone = value.get("alias"), value.get("hosted_zone")
    if set(value) != {"alias", "hosted_zone"} or not isinstance(host, str) or not isinstance(zone, str):
        raise ValueError("an alias is written {alias: host name[:port], hosted_zone: the load balancer's zone id}")
    if not _HOSTED_ZONE.fullmatch(zone):
        raise ValueError(f'"{zone[:40]}" is no id of a hosted zone, such as Z32O12XQLNTSW2')
    name, port = _split(host)
    if not any(character.isalpha() for character in name) or ":" in name:
        raise ValueError(f'"{host[:80]}" is an address: an alias is the host name of a load balancer')
    return HostPort(_host(name, host), port, zone)


def _split(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or ":" not in host or (rest and not rest.startswith(":")):
            raise ValueError(f'"{text[:80]}" is not an endpoint: an IPv6 address with a port is [2001:db8::1]:8443')
        return host, _port(rest[1:], text) if rest else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, _port(port, text)
    return text, None


def _port(port: str, text: str) -> int:
    if not (_PORT.fullmatch(port) and port.isascii() and 1 <= int(port) <= _MAX_PORT):
        raise ValueError(f'"{text[:80]}" has no valid port: 1 to {_MAX_PORT}')
    return int(port)


def _host(host: str, text: str) -> str:
    wrong = ValueError(f'"{text[:80]}" is neither an IP address nor a host name')
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        why = "one with the zone of an interface" if getattr(address, "scope_id", None) else unreachable(address)
        if why:
            raise ValueError(f'"{text[:80]}" is no address that clients could connect to: it is {why}')
        return address.compressed
    if "://" in text or "/" in text:
        raise ValueError(f'"{text[:80]}" is no endpoint: write an address or a host name; paths belong to checks')
    try:
        name = parse_name(host)
    except ValueError:
        raise wrong from None
    if name.rpartition(".")[2].isdigit():  # RFC 1123, 2.1: a host name never looks like an address
        raise wrong
    return name


def parse_weighed(value: object) -> HostPort:
    """An endpoint as it is, or with its weight: `{address: 192.0.2.11, weight: 3}`."""
    if not isinstance(value, dict) or not {"address", "weight"} & value.keys():
        return parse_endpoint(value)
    said = dict(value)
    weight, address = said.pop("weight", 1), said.pop("address", None)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= MAX_ENDPOINT_WEIGHT:
        hint = "; one that is to get nothing is left out, or drained" if weight == 0 else ""
        raise ValueError(f"a weight is a whole number from 1 to {MAX_ENDPOINT_WEIGHT}{hint}")
    if (address is None) is not bool(said) or isinstance(address, dict):
        raise ValueError("an endpoint with a weight is written {address: 192.0.2.11, weight: 3}")
    return parse_endpoint(said or address)._replace(weight=weight)


MAX_ENDPOINT_WEIGHT = 1_000
"""As large as the weights of one region get; further apart than this no provider could say it."""

_TEXT_SCHEMA: Mapping[str, object] = {
    "type": "string",
    "maxLength": 260,
    "examples": ["192.0.2.10", "192.0.2.10:8443", "[2001:db8::1]:8443", "api.eu.example.net"],
}
_ALIAS_SCHEMA: Mapping[str, object] = {
    "alias": {"type": "string", "description": "host name of a load balancer"},
    "hosted_zone": {"type": "string", "description": "its hosted zone"},
}
_WEIGHT_SCHEMA: Mapping[str, object] = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_ENDPOINT_WEIGHT,
    "description": "its part of its region, beside the other endpoints",
}


def _object(properties: Mapping[str, object], *required: str) -> dict[str, object]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


EndpointText = Annotated[
    HostPort,
    PlainValidator(parse_endpoint),
    WithJsonSchema({"anyOf": [dict(_TEXT_SCHEMA), _object(_ALIAS_SCHEMA, "alias", "hosted_zone")]}),
]
"""One address."""

WeighedEndpoint = Annotated[
    HostPort,
    PlainValidator(parse_weighed),
    WithJsonSchema(
        {
            "anyOf": [
                dict(_TEXT_SCHEMA),
                _object({**_ALIAS_SCHEMA, "weight": _WEIGHT_SCHEMA}, "alias", "hosted_zone"),
                _object({"address": dict(_TEXT_SCHEMA), "weight": _WEIGHT_SCHEMA}, "address"),
            ]
        }
    ),
]
"""One address of a region, with its weight where that is not 1."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""What people call a policy, region, check, provider or owner. Stands in markers, logs and commands as it is."""

Glob = Annotated[str, Field(pattern=r"^[a-z0-9*?\[\]!-]{1,64}$")]
"""Names of one shape, such as `azure-*`: `*` stands for anything, `?` for one letter, `[ab]` for one of some."""

ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=ONE_LINE)]
"""A line for people: a reason, a unit's owner, a jurisdiction. A second line would pass for one of ours."""

Version = Annotated[Literal[1], Field(description="version of the file format")]
