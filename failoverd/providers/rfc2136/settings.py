"""What a configuration file says about one server of this kind."""

from typing import Final

from pydantic import ConfigDict, Field

from failoverd.providers.dnsupdate.settings import NEEDS_KEY, TsigSettings
from failoverd.settings import WHO_IS_ASKED, Duration, Needed, ProviderSettings, Server


class Rfc2136Settings(ProviderSettings):
    """A server that takes dynamic updates (RFC 2136): BIND, Knot DNS, PowerDNS."""

    model_config = ConfigDict(hide_input_in_errors=True)

    server: Server = Field(description="the primary server: an IP address, with a port unless it is 53")
    key: TsigSettings
    timeout: Duration = Field(default=2.0, gt=0, description="one deadline for each read and each write")


NEEDS: Final = (
    Needed("server", "the primary server: its address, and its port unless that is 53", "127.0.0.1"),
    *NEEDS_KEY,
    WHO_IS_ASKED,
)
