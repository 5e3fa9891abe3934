"""What a configuration file says about one dynamic DNS server."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from failoverd.settings import DnsName, Duration, ProviderSettings, Settings, parse_address

DNS_PORT = 53
_MAX_PORT = 65535
_BRACKETED = re.compile(r"\[(?P<host>[^\]]*)\](?::(?P<port>.*))?")
_WEAK = frozenset({"hmac-md5", "hmac-md5.sig-alg.reg.int", "hmac-sha1", "hmac-sha224"})


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the primary server of the zones listens, UDP and TCP alike."""

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


def _server(value: object) -> object:
    return ServerAddress.parse(value) if isinstance(value, str) else value


def _strong(value: object) -> object:
    if isinstance(value, str) and value.lower().rstrip(".") in _WEAK:
        raise ValueError(f"{value} is too weak to sign changes of DNS: make a key of hmac-sha256 or longer")
    return value


Server = Annotated[
    ServerAddress,
    BeforeValidator(_server),
    WithJsonSchema({"type": "string", "examples": ["192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53"]}),
]


class TsigSettings(Settings):
    """The key that requests are signed with (TSIG, RFC 8945). The secret itself stands in a file of its own."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: DnsName = Field(description="name of the key, as the server knows it")
    algorithm: Annotated[Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"], BeforeValidator(_strong)] = "hmac-sha256"
    secret_file: Annotated[Path, Field(strict=False)] = Field(
        description='file with the secret: base64, or a `key "name" { ... };` clause of BIND; read anew when it changes'
    )

    @model_validator(mode="before")
    @classmethod
    def _no_inline_secret(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the file said
        if isinstance(data, dict) and "secret" in data:
            raise ValueError(
                "a secret does not belong in this file, which is read, reviewed and committed: put it in a file of its "
                "own that only the service can read, name that file with `secret_file`, and make a new key, for this "
                "one may have been seen"
            )
        return data


class Rfc2136Settings(ProviderSettings):
    """A server that takes dynamic updates (RFC 2136): BIND, Knot DNS, PowerDNS."""

    model_config = ConfigDict(hide_input_in_errors=True)

    server: Server = Field(description="the primary server: an IP address, with a port unless it is 53")
    key: TsigSettings
    timeout: Duration = Field(default=2.0, gt=0, description="one deadline for each read and each write")
