"""Value types and base models that configuration is made of; shared by the loader and by every probe and provider.

A probe kind or provider kind describes its own options as a model derived from here, next to the code that uses them.
"""

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"
_MAX_NAME = 253


def parse_duration(value: object) -> float:
    """Seconds in a duration with units, such as `500ms`, `30s` or `1h30m`."""
    if not isinstance(value, str):
        raise ValueError('a duration needs a unit: write it like "500ms", "30s" or "1h30m"')  # noqa: TRY004
    found = list(_DURATION.finditer(value))
    if not found or "".join(match.group(0) for match in found) != value:
        raise ValueError(f'{value[:40]!r} is not a duration: write it like "500ms", "30s" or "1h30m"')
    return sum(float(match.group(1)) * _UNIT_SECONDS[match.group(2)] for match in found)


def parse_name(value: str) -> str:
    """A DNS name in the form that failoverd keeps: lower-case, absolute, without the trailing dot (RFC 1035, 2.3.1)."""
    name = value.removesuffix(".").lower()
    labels = name.split(".")
    if len(name) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{value[:80]!r} is not a host name")
    return name


def parse_address(value: str) -> str:
    """An IPv4 or IPv6 address in canonical text form (RFC 5952)."""
    return ip_address(value).compressed


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["500ms", "30s", "5m", "1h30m"]}),
]
"""Seconds, written with a unit."""

DnsName = Annotated[str, AfterValidator(parse_name)]
Address = Annotated[str, AfterValidator(parse_address)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseModel):
    """Base of everything that a file can say: strict, frozen, and unknown keys are errors."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class CheckSettings(Settings):
    """What every check says, whatever its kind. `slow` makes a right but late answer DEGRADED."""

    every: Duration = Field(default=10.0, description="time between probes of one endpoint")
    timeout: Duration = Field(default=2.0, description="one deadline for the whole probe")
    slow: Duration | None = Field(default=None, description="a right answer later than this is DEGRADED")


class ProviderSettings(Settings):
    """What every provider says, whatever its kind. `zones` are the zones that records may be written in."""

    kind: str
    zones: tuple[DnsName, ...] = Field(min_length=1, strict=False, description="zones that this provider serves")
