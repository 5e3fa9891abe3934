"""What a configuration file says about the embedded server."""

from ipaddress import ip_address
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from failoverd.settings import Address, NameserverChoice, Needed, ProviderSettings, ServerAddress, parse_address

_MAX_PORT = 65_535
_MAX_ZONE = 200
"""Characters: leaves room for the names that the server itself puts below a zone."""


def parse_listen(value: str) -> str:
    """`address:port` or `[IPv6 address]:port`, in canonical form; port 0 takes a free one."""
    host, _, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not (port.isascii() and port.isdigit()) or int(port) > _MAX_PORT or bracketed != (":" in host):
        raise ValueError(f'{value[:80]!r} is no address with a port: write it like "127.0.0.1:5353" or "[::1]:5353"')
    return join(parse_address(host[1:-1] if bracketed else host), int(port))


def join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class EmbeddedSettings(ProviderSettings):
    """Where the embedded server listens. The default is reachable from this machine alone; anything wider is stated."""

    listen: Annotated[str, AfterValidator(parse_listen)] = Field(
        default="127.0.0.1:5353", description="address and port for UDP and TCP; loopback unless stated otherwise"
    )
    responses_per_second: int = Field(
        default=200,
        ge=0,
        le=1_000_000,
        description="answers over UDP for each network of clients (/24, /56), the rest over TCP; 0 limits nobody",
    )
    nameserver: Address | None = Field(
        default=None, description="address of ns.<zone>, for its glue; taken from `listen` where that is one address"
    )

    @model_validator(mode="after")
    def _zones_have_room(self) -> Self:
        for zone in self.zones:
            if len(zone) > _MAX_ZONE:
                raise ValueError(f"zone {zone[:40]}... is longer than {_MAX_ZONE} characters")
        return self

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def glue(self) -> str | None:
        """The address that `ns.<zone>` answers with, where it is known."""
        if self.nameserver is not None:
            return self.nameserver
        return None if ip_address(self.host).is_unspecified else self.host

    @property
    def reachable_host(self) -> str:
        """Where another process on this machine finds the server: a server on all addresses is on loopback as well."""
        address = ip_address(self.host)
        if not address.is_unspecified:
            return self.host
        return "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 - IP versions

    def authorities(self) -> NameserverChoice:
        """The server itself, unless others were named: it may serve a zone that nobody delegated to it."""
        if self.nameservers != "delegation":
            return self.nameservers
        return (ServerAddress(self.reachable_host, self.port),) if self.port else "none"


NEEDS: Final = (Needed("listen", "where it listens, UDP and TCP: an address and a port", "127.0.0.1:5353"),)
