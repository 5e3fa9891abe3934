"""What a configuration file says about Traffic Manager profiles."""

from pydantic import Field

from failoverd.providers.azure.settings import AzureSettings
from failoverd.settings import DnsName

DOMAIN = "trafficmanager.net"


class AzureTrafficManagerSettings(AzureSettings):
    """Weighted profiles of Azure Traffic Manager in one resource group."""

    zones: tuple[DnsName, ...] = Field(
        default=(DOMAIN,), min_length=1, strict=False, description="domains that the profiles' own names are in"
    )
