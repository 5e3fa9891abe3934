"""Value types and base models that configuration is made of; shared by the loader and by every probe and provider.

A probe kind or provider kind describes its own options as a model derived from here, next to the code that uses them.
"""

import os.path
import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
)

from failoverd.core.addresses import unreachable
from failoverd.core.names import in_dns, without_wildcard
from failoverd.core.records import Capabilities

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST = 1e10
"""Seconds: three hundred years."""

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"
_MAX_NAME = 253
_BRACKETED = re.compile(r"\[(?P<host>[^\]]*)\](?::(?P<port>.*))?")
_MAX_PORT = 65_535
DNS_PORT = 53


def parse_duration(value: object) -> float:
    """Seconds in a duration with units, such as `500ms`, `30s` or `1h30m`."""
    if not isinstance(value, str):
        raise ValueError('a duration needs a unit: write it like "500ms", "30s" or "1h30m"')  # noqa: TRY004
    found = list(_DURATION.finditer(value))
    if not found or "".join(match.group(0) for match in found) != value:
        raise ValueError(f'{value[:40]!r} is not a duration: write it like "500ms", "30s" or "1h30m"')
    seconds = sum(float(match.group(1)) * _UNIT_SECONDS[match.group(2)] for match in found)
    if seconds > _LONGEST:
        raise ValueError(f"{value[:40]!r} is longer than anything that may be said here")
    return seconds


def parse_name(value: str) -> str:
    """A DNS name in the form that failoverd keeps: lower-case, absolute, without the trailing dot (RFC 1035, 2.3.1).

    One that is written in other letters becomes what DNS holds for it.
    """
    try:
        name = in_dns(value[: _MAX_NAME + 1]).removesuffix(".").lower()
    except ValueError as error:
        raise ValueError(f"{value[:80]!r} is not a host name: {error}") from None
    labels = name.split(".")
    if len(value) > _MAX_NAME + 1 or len(name) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{value[:80]!r} is not a host name")
    return name


def parse_record_name(value: str) -> str:
    """A name that a record may stand at: `parse_name`, or that of a wildcard, `*.example.com` (RFC 4592)."""
    asterisk, rest = without_wildcard(value)
    if "*" in rest:
        raise ValueError(f'{value[:80]!r} is no wildcard: an asterisk is the whole first label, as in "*.example.com"')
    return asterisk + parse_name(rest)


def expand_home(path: Path) -> Path:
    """A path whose `~` is the home of the user that this process runs as.

    Who has no home, as under DynamicUser without libnss-systemd and in many containers, keeps the `~`: then there is no
    such file, and whoever needs it says so by its name. `Path.expanduser` raises RuntimeError there.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 - see above


def _from_its_file(path: Path, info: ValidationInfo) -> Path:
    """The path as the file means it that says it; `context` has that file's `folder`, unless no file says it."""
    path = expand_home(path)
    return info.context["folder"] / path if info.context else path


def parse_address(value: str) -> str:
    """An IPv4 or IPv6 address in canonical text form (RFC 5952)."""
    return ip_address(value).compressed


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a DNS server listens, UDP and TCP alike."""

    address: str
    port: int = DNS_PORT

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` and `[2001:db8::1]:5353`."""
        host, port = text, str(DNS_PORT)
        if bracketed := _BRACKETED.fullmatch(text):
            host, port = bracketed["host"], bracketed["port"] or port
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= _MAX_PORT):
            raise ValueError(f"{text[:80]!r} has no valid port: write 192.0.2.1:53 or [2001:db8::1]:53")
        try:
            return cls(parse_address(host), int(port))
        except ValueError:
            raise ValueError(
                f"{text[:80]!r} is not an IP address: a name would have to be resolved by the DNS that failoverd "
                "steers, so write 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53"
            ) from None

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def parse_reachable(value: str) -> str:
    """An address, as `parse_address` gives it, at which somebody can be."""
    address = parse_address(value)
    why = unreachable(ip_address(address))
    if why:
        raise ValueError(f"{value[:80]!r} cannot be reached: it is {why}")
    return address


def parse_server(value: object) -> object:
    """A `ServerAddress` for a text; anything else is left to the type to refuse."""
    if not isinstance(value, str):
        return value
    server = ServerAddress.parse(value)
    parse_reachable(server.address)
    return server


def parse_nameservers(value: object) -> object:
    """`delegation`, `none`, or a list of addresses, each read by `parse_server`."""
    if isinstance(value, list | tuple) and value and all(isinstance(each, str | ServerAddress) for each in value):
        return tuple(parse_server(each) for each in value)
    if value in ("delegation", "none"):
        return value
    raise ValueError("write a list such as [192.0.2.1, 198.51.100.1], or delegation, or none")


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["500ms", "30s", "5m", "1h30m"]}),
]
"""Seconds, written with a unit."""

FilePath = Annotated[Path, Field(strict=False), AfterValidator(_from_its_file)]
"""A file of the daemon's machine, relative to the file that names it; `~` is the home of the daemon's user."""

DnsName = Annotated[str, AfterValidator(parse_name)]
Address = Annotated[str, AfterValidator(parse_reachable)]
Port = Annotated[int, Field(ge=1, le=65535)]

_SERVER_SCHEMA = {"type": "string", "examples": ["192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53"]}

Server = Annotated[ServerAddress, BeforeValidator(parse_server), WithJsonSchema(_SERVER_SCHEMA)]
"""The address of a DNS server, and its port unless that is 53."""

NameserverChoice = Annotated[
    tuple[ServerAddress, ...] | Literal["delegation", "none"],
    BeforeValidator(parse_nameservers),
    WithJsonSchema(
        {"anyOf": [{"enum": ["delegation", "none"]}, {"type": "array", "items": _SERVER_SCHEMA, "minItems": 1}]}
    ),
]
"""The authoritative servers that are asked after a change: the zone's delegation, a list, or nobody."""


class Settings(BaseModel):
    """Base of everything that a file can say: strict, frozen, and unknown keys are errors."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class CheckSettings(Settings):
    """What every check says, whatever its kind. `slow` makes a right but late answer DEGRADED."""

    every: Duration = Field(default=10.0, description="time between probes of one endpoint")
    timeout: Duration = Field(default=2.0, description="one deadline for the whole probe")
    slow: Duration | None = Field(default=None, description="a right answer later than this is DEGRADED")


class ReceiverSettings(Settings):
    """What every receiver of notifications says, whatever its kind."""

    level: Literal["warning", "error"] = Field(
        default="warning", description="the least that it is told: error is what a person should look at"
    )
    only: tuple[str, ...] = Field(
        default=(),
        strict=False,
        max_length=64,
        description="policies that it is told of, with * for any letters; what is about the daemon is told in any case",
    )
    ca_file: FilePath | None = Field(default=None, description="certificates to trust instead of the system's (PEM)")


@dataclass(frozen=True, slots=True)
class Needed:
    """What `failoverctl init` asks about a kind of provider, besides its zone: one of its settings.

    Attributes:
        key: where it stands below the provider, such as `key.secret_file`.
        words: the question.
        default: what it is where nobody says anything; without one it has to be said, unless it is `optional`.
        optional: it may stay unsaid, and then is no part of the file.
        make: of a file with a secret, which nobody is asked for: the command that makes it. `{file}` stands for the
            file, `{name}` for the setting `name` beside it.
        only_with: asked for only where this other setting is said; `unless`: only where that one is not.
    """

    key: str
    words: str
    default: str = ""
    optional: bool = False
    make: str = ""
    only_with: str = ""
    unless: str = ""


WHO_IS_ASKED = Needed(
    "nameservers",
    "who is asked whether a change arrived: delegation (the servers that the zone is delegated to), none, or addresses",
    default="delegation",
)


class ProviderSettings(Settings):
    """What every provider says, whatever its kind. `zones` are the zones that records may be written in."""

    kind: str
    zones: tuple[DnsName, ...] = Field(min_length=1, strict=False, description="zones that this provider serves")
    nameservers: NameserverChoice = Field(
        default="delegation",
        description="authoritative servers that must agree with each change: as the zone is delegated, a list, or none",
    )

    def authorities(self) -> NameserverChoice:
        """Whom to ask after a change. A kind that serves its zones itself knows better than the delegation."""
        return self.nameservers

    @property
    def patience(self) -> float:
        """Seconds that one request may take; 0 for a kind that asks nobody."""
        return float(getattr(self, "timeout", 0.0))

    def narrowed(self, capabilities: Capabilities) -> Capabilities:
        """What these settings leave of what the kind can do."""
        return capabilities
